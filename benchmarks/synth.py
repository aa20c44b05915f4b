"""Synthesis and log-mel, batched in torch, against one clip at a time in NumPy and Kaldi's fbank.

The reference is the way a per-clip data set does it, as the paper's released code: NumPy for the
tone and envelope of each event, torchaudio's biquad for the damping, and
``torchaudio.compliance.kaldi.fbank`` for the spectrogram. Both run in this process, in turn, with
the same number of threads, on clips of the same factors; what counts is the ratio.

    python -m audiopg bench synth
"""

import math
import time
from collections.abc import Callable

import numpy as np
import torch
import torchaudio

from audiopg import ClipParameters, LogMel, SynthPrior, render
from audiopg.synth import CLIP_SAMPLES, CLIP_SECONDS, EXCITATIONS, SAMPLE_RATE

CLIPS = 32
ROUNDS = 5


def reference_clip(params: ClipParameters, row: int, generator: np.random.Generator) -> np.ndarray:
    """One clip in NumPy, each event over its own samples only."""
    wave = np.zeros(CLIP_SAMPLES)
    for slot in range(int(params.event_count[row])):
        event = {
            name: getattr(params, name)[row, slot].item()
            for name in ("f0", "onset", "length", "attack", "decay", "sustain", "fm_index",
                         "fm_ratio", "rolloff", "burst_length", "burst_amplitude")
        }  # fmt: skip
        first = math.ceil(event["onset"] * SAMPLE_RATE)
        length = int(event["length"] * SAMPLE_RATE)
        time_ = np.arange(length) / SAMPLE_RATE
        cycles = event["f0"] * time_
        kind = EXCITATIONS[int(params.excitation[row, slot])]
        if kind == "harmonic":
            tone = np.zeros(length)
            for k in range(int(params.partial_count[row, slot])):
                detune = 1 + params.partial_detune[row, slot, k].item()
                frequency = (k + 1) * detune * event["f0"]
                if frequency < SAMPLE_RATE / 2:
                    strength = params.partial_weight[row, slot, k].item()
                    phase = params.partial_phase[row, slot, k].item()
                    tone += (
                        strength * (k + 1) ** -event["rolloff"]
                        * np.sin(2 * np.pi * frequency * time_ + phase)
                    )  # fmt: skip
        elif kind == "fm":
            modulator = np.sin(2 * np.pi * event["fm_ratio"] * cycles)
            tone = np.sin(2 * np.pi * cycles + event["fm_index"] * modulator)
        elif kind == "sawtooth":
            tone = 2 * (cycles - np.floor(cycles + 0.5))
        else:
            tone = np.sign(np.sin(2 * np.pi * cycles))
        attack, decay = int(event["attack"] * length), int(event["decay"] * length)
        envelope = np.concatenate((
            np.linspace(0, 1, attack),
            np.linspace(1, event["sustain"], decay),
            np.linspace(event["sustain"], 0, length - attack - decay),
        ))  # fmt: skip
        wave[first : first + length] += (tone * envelope)[: CLIP_SAMPLES - first]
        burst = int(event["burst_length"] * SAMPLE_RATE)
        wave[first : first + burst] += event["burst_amplitude"] * generator.uniform(-1, 1, burst)
    if params.cutoff[row] < SAMPLE_RATE / 2:
        tensor = torch.from_numpy(wave).float()
        cutoff = params.cutoff[row].item()
        wave = torchaudio.functional.lowpass_biquad(tensor, SAMPLE_RATE, cutoff).numpy()
    wave = wave + params.noise_level[row].item() * generator.uniform(-1, 1, CLIP_SAMPLES)
    return wave / np.abs(wave).max()


def reference_log_mel(wave: np.ndarray) -> torch.Tensor:
    """One log-mel spectrogram by Kaldi's recipe."""
    return torchaudio.compliance.kaldi.fbank(
        torch.from_numpy(wave).float()[None],
        window_type="hamming",
        htk_compat=True,
        dither=0.0,
        num_mel_bins=128,
        sample_frequency=float(SAMPLE_RATE),
        use_energy=False,
    )


def seconds_each(tasks: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median seconds of each task over some rounds, the tasks in turn within each round."""
    taken: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(ROUNDS + 1):
        for name, task in tasks.items():
            began = time.perf_counter()
            task()
            taken[name].append(time.perf_counter() - began)
    return {name: float(np.median(values[1:])) for name, values in taken.items()}


def main() -> None:
    """Print a table of clips a second, for one thread and for all."""
    params = SynthPrior.preset("full").sample(torch.arange(CLIPS), seed=0)
    log_mel = LogMel()
    waves = render(params)
    generator = np.random.default_rng(0)
    arrays = [reference_clip(params, row, generator) for row in range(CLIPS)]
    tasks = {
        "render, per clip in NumPy": lambda: [
            reference_clip(params, row, generator) for row in range(CLIPS)
        ],
        "render, batched": lambda: render(params),
        "log-mel, per clip by kaldi.fbank": lambda: [reference_log_mel(wave) for wave in arrays],
        "log-mel, batched": lambda: log_mel(waves),
    }
    every = torch.get_num_threads()
    for threads in sorted({1, every}):
        torch.set_num_threads(threads)
        taken = seconds_each(tasks)
        print(f"\n{threads} thread{'s' if threads > 1 else ''}, {CLIPS} clips of `full`, "
              f"median of {ROUNDS} rounds")  # fmt: skip
        for name, seconds in taken.items():
            print(f"  {name:34} {1e3 * seconds / CLIPS:7.2f} ms a clip  "
                  f"{CLIPS / seconds:7.0f} clips/s  "
                  f"{CLIPS * CLIP_SECONDS / seconds:7.0f} x real time")  # fmt: skip
        render_ratio, mel_ratio = (
            taken[f"{part}, per clip {how}"] / taken[f"{part}, batched"]
            for part, how in (("render", "in NumPy"), ("log-mel", "by kaldi.fbank"))
        )
        batched = taken["render, batched"] + taken["log-mel, batched"]
        per_clip = sum(taken.values()) - batched
        print(f"  batched over per clip: render {render_ratio:.1f} x, log-mel {mel_ratio:.1f} x, "
              f"both {per_clip / batched:.1f} x")  # fmt: skip


if __name__ == "__main__":
    main()
