"""Triton kernels: milliseconds a clip on a GPU, against the renderer's own tensors of samples.

Both render the same clips on the same device, in turn, and their waves are compared. Beside them
stands the front end, which both feed.

    python -m audiopg bench kernels --record bench-kernels
"""

import statistics
from collections.abc import Callable
from importlib import import_module
from unittest.mock import patch

import torch

from audiopg import LogMel, SynthPrior, render
from audiopg.environment import provenance
from audiopg.errors import InputError

PRIORS, CLIPS, ROUNDS = ("sine", "full", "extended"), 256, 7


def milliseconds(tasks: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median time of each task on the GPU, the tasks in turn in each round, after one not counted."""
    taken: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(1 + ROUNDS):
        for name, task in tasks.items():
            began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            torch.cuda.synchronize()
            began.record()
            task()
            ended.record()
            torch.cuda.synchronize()
            taken[name].append(began.elapsed_time(ended))
    return {name: statistics.median(times[1:]) for name, times in taken.items()}


def main() -> dict:
    """Print the table; return what a record says."""
    if not torch.cuda.is_available():
        raise InputError("the kernels run on a CUDA GPU, and there is none here.")
    log_mel, clips = LogMel().cuda(), torch.arange(CLIPS, device="cuda")
    # A program imports its function under the name of the module.
    renderer = import_module("audiopg.synth.render")

    def by_tensors(params: object) -> torch.Tensor:
        with patch.object(renderer, "_kernels", lambda device_type: None):
            return render(params)

    table = {}
    for name in PRIORS:
        prior = SynthPrior.preset(name)
        params = prior.sample(clips, seed=0)
        wave = render(params)
        tasks = {
            "draw the factors": lambda prior=prior: prior.sample(clips, seed=0),
            "render by kernels": lambda params=params: render(params),
            "render by tensors": lambda params=params: by_tensors(params),
            "log-mel": lambda wave=wave: log_mel(wave),
        }
        table[name] = {task: taken / CLIPS for task, taken in milliseconds(tasks).items()}
        table[name]["largest difference of a sample"] = (
            (wave - by_tensors(params)).abs().max().item()
        )
        print(f"{name}, {CLIPS} clips")
        for task, value in table[name].items():
            print(f"  {task:32} {value:10.2g}" + " ms a clip" * (task in tasks))
        ratio = table[name]["render by tensors"] / table[name]["render by kernels"]
        print(f"  the kernels are {ratio:.1f} times as fast")
    return {
        "settings": {"clips": CLIPS, "rounds": ROUNDS, "seed": 0},
        "metrics": table,
        "data": "clips synthesized from the priors named, no recordings",
        "protocol": f"median of {ROUNDS} rounds after one not counted, the tasks in turn within each; "
        "time between two events of the GPU, which counts what the host makes it wait",
        "where": provenance("cuda"),
    }
