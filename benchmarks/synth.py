"""Synthesis and log-mel, batched in torch, against one clip at a time in NumPy and Kaldi's fbank.

The reference works as a per-clip data set does, and as the paper's released code: NumPy makes one
tone as long as the clip, events are cut out of it under their envelopes, torchaudio's biquad damps
them, and ``torchaudio.compliance.kaldi.fbank`` makes the spectrogram. Both run in this process, in
turn, with the same number of threads, on clips of the same factors; what counts is the ratio.

Where there is a GPU, the batched way is measured on it too. How the cost grows with the batch, the
events and the partials is measured on the fastest device at hand. On one thread of a CPU, what counts
is the time of the processor, as others may use the machine too.

    python -m audiopg bench synth --record bench-synth
"""

import math
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar
from unittest.mock import patch

import numpy as np
import torch
import torchaudio
from scipy.signal import sosfilt
from scipy.sparse import csr_matrix
from torch import Tensor
from tqdm.auto import tqdm

from audiopg import ClipParameters, LogMel, SynthPrior, render
from audiopg.environment import best_device, provenance
from audiopg.synth import CLIP_SAMPLES, CLIP_SECONDS, EXCITATIONS, SAMPLE_RATE

Name = TypeVar("Name")

CLIPS = {"cpu": 16, "cuda": 1024}
ROUNDS = 5
MEMORY_OF = (64, 1000, 10_000)
# What a reader waits for: the time of one thing as a share of that of another, and the most it may be.
RATIOS = {
    "a clip of `full`, in a batch of 16": ("the released code's way, clip by clip", 0.25),
    "a clip of `harmonic`, in a batch of 16": ("a clip of `full`", 0.7),
    "a clip of `full` by itself": ("a clip of `full`", 1.5),
    "a band-limited pulse at 50 Hz": ("a clip of `full`", 3.0),
    "a band-limited pulse at 1 Hz": ("a clip of `full`", 3.0),
    "a log-mel": ("transforms, sparse products and logarithms", 1.17),
}
# Beside the first of them, without a target.
_BESIDE = ("the same without numba", "random numbers, a sine and a filter, each once a sample")


def reference_clip(params: ClipParameters, row: int, generator: np.random.Generator) -> np.ndarray:
    """One clip in NumPy: a tone of its whole length, and events cut out of that."""

    def get(name: str) -> float:
        return getattr(params, name)[row, 0].item()

    seconds = np.arange(CLIP_SAMPLES) / SAMPLE_RATE
    cycles = get("f0") * seconds
    kind = EXCITATIONS[int(get("excitation"))]
    if kind == "harmonic":
        tone = np.zeros(CLIP_SAMPLES)
        for k in range(int(get("partial_count"))):
            frequency = (k + 1) * (1 + params.partial_detune[row, 0, k].item()) * get("f0")
            if frequency < SAMPLE_RATE / 2:
                height = params.partial_weight[row, 0, k].item() * (k + 1) ** -get("rolloff")
                phase = params.partial_phase[row, 0, k].item()
                tone += height * np.sin(2 * np.pi * frequency * seconds + phase)
    elif kind == "fm":
        modulator = get("fm_index") * np.sin(2 * np.pi * get("fm_ratio") * cycles)
        tone = np.sin(2 * np.pi * cycles + modulator)
    elif kind == "sawtooth":
        tone = 2 * (cycles - np.floor(cycles + 0.5))
    else:
        tone = np.sign(np.sin(2 * np.pi * cycles))

    wave = np.zeros(CLIP_SAMPLES)
    for slot in range(int(params.event_count[row])):
        onset, length, attack, decay, sustain, burst_length, burst_amplitude = (
            getattr(params, name)[row, slot].item()
            for name in ("onset", "length", "attack", "decay", "sustain", "burst_length",
                         "burst_amplitude")
        )  # fmt: skip
        first = math.ceil(onset * SAMPLE_RATE - 1e-6)
        samples = min(int(length * SAMPLE_RATE), CLIP_SAMPLES - first)
        rise, fall = int(attack * samples), int(decay * samples)
        envelope = np.concatenate((
            np.linspace(0, 1, rise),
            np.linspace(1, sustain, fall),
            np.linspace(sustain, 0, samples - rise - fall),
        ))  # fmt: skip
        wave[first : first + samples] += tone[:samples] * envelope
        burst = min(int(burst_length * SAMPLE_RATE), CLIP_SAMPLES - first)
        wave[first : first + burst] += burst_amplitude * generator.uniform(-1, 1, burst)
    tensor = torch.from_numpy(wave).float()
    if params.cutoff[row] < SAMPLE_RATE / 2:
        cutoff = params.cutoff[row].item()
        tensor = torchaudio.functional.lowpass_biquad(tensor, SAMPLE_RATE, cutoff)
    tensor += params.noise_level[row].item() * (torch.rand(CLIP_SAMPLES) * 2 - 1)
    return tensor / tensor.abs().max()


def reference_log_mel(wave: Tensor) -> Tensor:
    """One log-mel spectrogram by Kaldi's recipe."""
    return torchaudio.compliance.kaldi.fbank(
        wave[None],
        window_type="hamming",
        htk_compat=True,
        dither=0.0,
        num_mel_bins=128,
        sample_frequency=float(SAMPLE_RATE),
        use_energy=False,
    )


def voice_peers() -> dict[str, tuple[int, Callable[[], object]]]:
    """Another package's way to a sound, clips and task, where it is installed."""
    if not find_spec("torchsynth"):
        return {}
    from torchsynth.config import SynthConfig
    from torchsynth.synth import Voice

    shape = {"sample_rate": SAMPLE_RATE, "buffer_size_seconds": CLIP_SECONDS}
    voice = Voice(SynthConfig(16, reproducible=False, **shape))
    return {"torchsynth's voice": (16, lambda: voice(0))}


def log_mel_peers(wave: Tensor) -> dict[str, tuple[int, Callable[[], object]]]:
    """Other packages' ways to the log-mel of a wave, clips and task, where they are installed."""
    array = wave.numpy()
    spectrogram = torchaudio.transforms.MelSpectrogram(SAMPLE_RATE, 512, 400, 160, n_mels=128)
    found = {
        "torchaudio's `kaldi.fbank`": lambda: reference_log_mel(wave),
        "torchaudio's `MelSpectrogram`": lambda: (spectrogram(wave) + 1e-7).log(),
    }
    if find_spec("librosa"):
        from librosa.feature import melspectrogram

        layout = {"sr": SAMPLE_RATE, "n_fft": 512, "win_length": 400, "hop_length": 160}
        found["librosa"] = lambda: np.log(melspectrogram(y=array, n_mels=128, **layout) + 1e-7)
    if find_spec("lhotse"):
        from lhotse.features.kaldi.extractors import Fbank, FbankConfig

        lhotse = Fbank(FbankConfig(num_filters=128))
        found["lhotse"] = lambda: lhotse.extract(array, SAMPLE_RATE)
    return {name: (1, task) for name, task in found.items()}


def milliseconds(
    tasks: dict[Name, Callable[[], object]], clips: int | dict[Name, int]
) -> dict[Name, float]:
    """Median milliseconds a clip of each task over some rounds, the tasks in turn in each."""
    alone = torch.get_num_threads() == 1 and not torch.cuda.is_available()
    clock = time.process_time if alone else time.perf_counter
    taken: dict[Name, list[float]] = {name: [] for name in tasks}
    for _ in tqdm(range(ROUNDS + 1), desc="rounds", leave=False):
        for name, task in tasks.items():
            _finish()
            began = clock()
            task()
            _finish()
            taken[name].append(clock() - began)
    each = clips if isinstance(clips, dict) else dict.fromkeys(tasks, clips)
    return {name: 1e3 * float(np.median(values[1:])) / each[name] for name, values in taken.items()}


def _finish() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def speed(device: str) -> dict[str, float]:
    """Milliseconds a clip of `full`: rendered, made log-mel, and both; on a CPU the reference."""
    clips = CLIPS[device]
    params = SynthPrior.preset("full").sample(torch.arange(clips, device=device), seed=0)
    log_mel = LogMel().to(device)
    waves = render(params)
    tasks = {
        "render": lambda: render(params),
        "log-mel": lambda: log_mel(waves),
        "both": lambda: log_mel(render(params)),
    }
    if device == "cpu":
        generator = np.random.default_rng(0)
        tasks |= {
            "reference render": lambda: [
                reference_clip(params, row, generator) for row in range(clips)
            ],
            "reference log-mel": lambda: [reference_log_mel(wave) for wave in waves],
        }
    taken = milliseconds(tasks, clips)
    if device == "cpu":
        taken["reference both"] = taken["reference render"] + taken["reference log-mel"]
    return taken


def ratios() -> dict[str, dict[str, float]]:
    """Of each row of `RATIOS`, its time as a share of that of what stands beside it."""
    full, harmonic = (SynthPrior.preset(name) for name in ("full", "harmonic"))
    clips = torch.arange(16)
    params = full.sample(clips, seed=0)
    alone = [full.sample(clip[None], seed=0) for clip in clips]
    tonal = harmonic.sample(clips, seed=0)
    pulse = params[:2].edit(band_limited=True, excitation=EXCITATIONS.index("sawtooth"))
    low, lowest = pulse.edit(f0=50.0), pulse.edit(f0=1.0)
    waves, log_mel, generator = render(params[:8]), LogMel(), np.random.default_rng(0)
    seconds = np.arange(CLIP_SAMPLES, dtype=np.float32)
    sections = np.array([[0.1, 0.2, 0.1, 1.0, -0.9, 0.3]])
    bands, frames = csr_matrix(log_mel.filterbank.T.numpy()), torch.rand(1022, 512)

    def without_numba() -> Tensor:
        with patch("audiopg.compiled._machine_code", lambda loop: None):
            return render(params)

    def least_clip() -> np.ndarray:
        noise = generator.random(CLIP_SAMPLES, dtype=np.float32)
        return sosfilt(sections, np.sin(seconds) + noise)

    def least_log_mel() -> Tensor:
        spectrum = torch.view_as_real(torch.fft.rfft(frames)).square_()
        power = (spectrum[..., 0] + spectrum[..., 1]).T.contiguous()
        return torch.from_numpy(bands @ power.numpy()).add_(1e-7).log_()

    tasks = {
        "a clip of `full`, in a batch of 16": (16, lambda: render(params)),
        "the released code's way, clip by clip": (
            4, lambda: [reference_clip(params, row, generator) for row in range(4)]
        ),
        "the same without numba": (16, without_numba),
        "random numbers, a sine and a filter, each once a sample": (1, least_clip),
        "a clip of `harmonic`, in a batch of 16": (16, lambda: render(tonal)),
        "a clip of `full` by itself": (16, lambda: [render(one) for one in alone]),
        "a band-limited pulse at 50 Hz": (2, lambda: render(low)),
        "a band-limited pulse at 1 Hz": (2, lambda: render(lowest)),
        "a log-mel": (8, lambda: log_mel(waves)),
        "transforms, sparse products and logarithms": (1, least_log_mel),
    }  # fmt: skip
    voices, log_mels = voice_peers(), log_mel_peers(waves[0])
    tasks |= voices | log_mels
    taken = milliseconds(
        {name: task for name, (_, task) in tasks.items()},
        {name: clips for name, (clips, _) in tasks.items()},
    )
    taken["a clip of `full`"] = taken["a clip of `full`, in a batch of 16"]
    beside = {name: [other] for name, (other, _) in RATIOS.items()}
    beside["a clip of `full`, in a batch of 16"] += [*_BESIDE, *voices]
    beside["a log-mel"] += log_mels
    return {
        name: {other: taken[name] / taken[other] for other in others}
        for name, others in beside.items()
    }


def peak_megabytes(clips: int) -> float:
    """Memory that a process takes at its peak while it makes clips 64 at a time, in MB beyond one clip's.

    Linux tells the peak of a process; elsewhere this is NaN.
    """
    if not Path("/proc/self/status").exists():
        return math.nan
    code = (
        "import torch\n"
        "from audiopg import SynthPrior, render\n"
        "tell = lambda: int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]) / 1024\n"
        "prior = SynthPrior.preset('full')\n"
        "render(prior.sample(torch.arange(1), seed=0))\n"
        "before = tell()\n"
        f"for part in torch.arange({clips}).split(64): render(prior.sample(part, seed=0))\n"
        "print(tell() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def growth(device: str) -> dict[str, dict[str, list[float]]]:
    """Milliseconds a clip, rendered and as log-mel, against batch, events and partials."""
    log_mel = LogMel().to(device)
    clips = CLIPS[device]
    curves = {}
    # Seconds, of which 64 fit.
    short = {"event_length": (0.1, 0.16)}
    for name, values, prior_of, batch_of in (
        ("batch", (1, 2, 4, 8, 16, 32, 64, 128), lambda n: {}, lambda n: n),
        ("events", (1, 2, 4, 8, 16, 64), lambda n: {"events": (n, n), **short}, lambda n: clips),
        (
            "partials",
            (1, 2, 4, 8, 16, 32, 64, 240),
            lambda n: {"partials": (n, n), "excitation": ("harmonic",), "f0": (50.0, 120.0)},
            lambda n: clips,
        ),
    ):
        tasks, made = {}, {}
        for value in values:
            batch = batch_of(value)
            prior = SynthPrior.preset("full", **prior_of(value))
            params = prior.sample(torch.arange(batch, device=device), seed=0)
            tasks["render", value] = lambda params=params: render(params)
            tasks["render and log-mel", value] = lambda params=params: log_mel(render(params))
            made |= {("render", value): batch, ("render and log-mel", value): batch}
        taken = milliseconds(tasks, made)
        curves[name] = {"values": list(values)}
        for task in ("render", "render and log-mel"):
            curves[name][task] = [taken[task, value] for value in values]
    return curves


def peak_bytes(device: str) -> int:
    """Memory of the GPU while 64 clips are rendered, at its peak, the result included."""
    params = SynthPrior.preset("full").sample(torch.arange(64, device=device), seed=0)
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    render(params)
    return torch.cuda.max_memory_allocated() - before


def show(title: str, taken: dict[str, float]) -> None:
    """Print one device's table."""
    print(f"\n{title}")
    for name, value in taken.items():
        line = f"  {name:32} {value:8.3f} ms a clip {1e3 / value:9,.0f} clips/s"
        if "render" in name or "both" in name:
            line += f" {CLIP_SAMPLES / value / 1e6:7.3f} Gsamples/s"
            line += f" {CLIP_SECONDS * 1e3 / value:9,.0f} x real time"
        print(line)
    if "reference both" in taken:
        ratios = (f"{p} {taken[f'reference {p}'] / taken[p]:.1f} x" for p in ("render", "log-mel"))
        both = taken["reference both"] / taken["both"]
        print(f"  faster than the reference: {', '.join(ratios)}, both {both:.1f} x")


def main() -> dict:
    """Print the tables; return what a record says."""
    every, device = torch.get_num_threads(), best_device().type
    tables: dict[str, dict[str, float]] = {}
    for threads in sorted({1, every}):
        torch.set_num_threads(threads)
        title = f"CPU, {threads} thread{'s' if threads > 1 else ''}"
        tables[title] = speed("cpu")
        if threads == 1:
            shares = ratios()
            if device == "cpu":
                curves = growth("cpu")
    if device == "cuda":
        tables[torch.cuda.get_device_name()] = speed("cuda")
        curves = growth("cuda")
    for title, taken in tables.items():
        show(title, taken)
    print("\non one thread of a CPU, as a share of the time of")
    for name, others in shares.items():
        print(f"  {name}")
        for other, share in others.items():
            print(f"    {other:58} {share:8.2f}")
    memory = {clips: peak_megabytes(clips) for clips in MEMORY_OF}
    print("\nmemory beyond that of one clip, 64 clips at a time")
    for clips, megabytes in memory.items():
        print(f"  {clips:6,} clips {megabytes:8.0f} MB")
    print("\ngrowth, ms a clip")
    for name, curve in curves.items():
        for task in ("render", "render and log-mel"):
            points = zip(curve["values"], curve[task], strict=True)
            print(f"  {task}, {name}: " + ", ".join(f"{n}: {ms:.2f}" for n, ms in points))
    metrics = {
        "milliseconds_a_clip": tables,
        "ratios": shares,
        "megabytes_of_clips": memory,
        "growth": curves,
    }
    if device == "cuda":
        metrics["peak_bytes_of_64_clips"] = peak_bytes("cuda")
        print(f"\npeak memory of 64 clips: {metrics['peak_bytes_of_64_clips'] / 2**20:.0f} MiB")
    return {
        "settings": {
            "clips": CLIPS,
            "rounds": ROUNDS,
            "preset": "full",
            "seed": 0,
            "targets": {name: target for name, (_, target) in RATIOS.items()},
            "numba": find_spec("numba") is not None,
        },
        "metrics": metrics,
        "data": "clips synthesized from the 'full' prior, no recordings",
        "protocol": f"median of {ROUNDS} rounds after one not counted, the tasks in turn within each "
        "round, the points of a curve too; time of the processor on one thread, else of the clock; "
        "growth on one thread of the CPU, or on the GPU where there is one",
        "where": provenance(device),
    }
