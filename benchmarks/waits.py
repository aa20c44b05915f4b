"""What a reader waits for beside synthesis: the start of a program, and recordings embedded.

Programs run as processes of their own, in turn within each round; what counts is the time of the
processor, and the most memory that each held, beyond that of another. The system tells both (Unix).

    python -m audiopg bench waits --record bench-waits
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np
import torch

from audiopg import MaskedAutoencoder
from audiopg.environment import provenance

ROUNDS = 3
# The time of one thing as a share of that of another, and the most it may be.
RATIOS = {
    "`import audiopg` and a clip's functions": ("`import torch`", 1.17),
    "`audiopg --help`": ("`import torch`", 0.43),
    "four recordings embedded one by one": ("the four at once", 1.1),
    "a clip of `full` in each of two processes": ("in one", 1.1),
}
_BESIDE = {"four recordings embedded one by one": ("products, as many and as large",)}
# Of a command, for few and for many clips, beyond what its import takes; MB, and the most it may be.
MEMORY = {"audiopg synth": 200, "audiopg pretrain": 200}
CLIPS = (16, 512)
_RENDERING = (
    "import time, torch; from audiopg import SynthPrior, render\n"
    "params = SynthPrior.preset('full').sample(torch.arange(16), seed=0)\n"
    "render(params); began = time.process_time()\n"
    "for _ in range(8): render(params)\n"
    "print(time.process_time() - began)"
)


def start(*arguments: str) -> subprocess.Popen:
    """A Python of its own."""
    return subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True)


def cost(process: subprocess.Popen) -> tuple[float, float]:
    """Seconds of the processor that a process took, and the most memory it held, MB."""
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{process.args} failed")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return used.ru_utime + used.ru_stime, used.ru_maxrss / unit


def median(tasks: dict[str, Callable[[], float]]) -> dict[str, float]:
    """Median of the seconds that each task tells, the tasks in turn in each round."""
    taken: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(ROUNDS + 1):
        for name, task in tasks.items():
            taken[name].append(task())
    return {name: float(np.median(seconds[1:])) for name, seconds in taken.items()}


def programs() -> dict[str, float]:
    """Seconds of programs that start, and of one that renders, alone and beside another."""

    def rendering(processes: int) -> float:
        """Of as many clips in each of some processes at once."""
        at_once = [start("-c", _RENDERING) for _ in range(processes)]
        return sum(float(process.communicate()[0]) for process in at_once) / processes

    return median(
        {
            "`import torch`": lambda: cost(start("-c", "import torch"))[0],
            "`import audiopg` and a clip's functions": lambda: cost(
                start("-c", "from audiopg import LogMel, SynthPrior, render")
            )[0],
            "`audiopg --help`": lambda: cost(start("-m", "audiopg", "--help"))[0],
            "in one": lambda: rendering(1),
            "a clip of `full` in each of two processes": lambda: rendering(2),
        }
    )


def embedding() -> dict[str, float]:
    """Seconds of four clips of 5 s through the encoder of `tiny`, and of its products alone."""
    encoder = MaskedAutoencoder.preset("tiny", class_token=False).encoder.eval()
    waves = torch.randn(4, 80_000, generator=torch.Generator().manual_seed(0)) * 0.1
    a, tokens = encoder.architecture, 8 * 32
    shapes = [(a.width, 3 * a.width), (a.width, a.width), (a.width, 4 * a.width)]
    factors = [(torch.rand(4 * tokens, one), torch.rand(one, other)) for one, other in shapes]
    factors.append((torch.rand(4 * tokens, 4 * a.width), torch.rand(4 * a.width, a.width)))

    def seconds(task: Callable[[], object]) -> float:
        began = time.process_time()
        task()
        return time.process_time() - began

    def products() -> None:
        for _ in range(a.depth):
            for left, right in factors:
                left @ right

    return median(
        {
            "the four at once": lambda: seconds(lambda: encoder.embed(waves, native=True)),
            "four recordings embedded one by one": lambda: seconds(
                lambda: [encoder.embed(wave, native=True) for wave in waves]
            ),
            "products, as many and as large": lambda: seconds(products),
        }
    )


def memory() -> dict[str, dict[int, float]]:
    """The most memory of each command for few and for many clips, MB beyond its import."""
    found: dict[str, dict[int, float]] = {}
    for name in MEMORY:
        command = name.split()[1]
        _, least = cost(start("-c", f"import audiopg.commands.{command}"))
        found[name] = {}
        for clips in CLIPS:
            told = {
                "synth": f"--clips 0:{clips}",
                "pretrain": f"--preset micro --batch-size 16 --steps {clips // 16}",
            }[command]
            with tempfile.TemporaryDirectory() as folder:
                made = start("-m", *name.split(), *told.split(), "--out", f"{folder}/out")
                found[name][clips] = cost(made)[1] - least
    return found


def main() -> dict:
    """Print the table; return what a record says."""
    every = torch.get_num_threads()
    torch.set_num_threads(1)
    taken = programs() | embedding()
    torch.set_num_threads(every)
    beside = {name: (other, *_BESIDE.get(name, ())) for name, (other, _) in RATIOS.items()}
    ratios = {
        name: {other: taken[name] / taken[other] for other in others}
        for name, others in beside.items()
    }
    megabytes = memory()
    for name, others in ratios.items():
        for other, share in others.items():
            print(f"{name:44} {share:6.2f} of {other}")
    for name, found in megabytes.items():
        print(f"{name}: " + ", ".join(f"{count}: {size:.0f} MB" for count, size in found.items()))
    return {
        "settings": {
            "rounds": ROUNDS,
            "targets": {name: target for name, (_, target) in RATIOS.items()},
            "megabyte_targets": MEMORY,
        },
        "metrics": {"seconds": taken, "ratios": ratios, "megabytes_beyond_import": megabytes},
        "data": "clips synthesized, and noise in place of recordings, which takes as long",
        "protocol": f"median of {ROUNDS} rounds after one not counted, in turn within each; time of "
        "the processor, on one thread; the most memory of a process as the system tells it",
        "where": provenance("cpu"),
    }
