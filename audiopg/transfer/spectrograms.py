"""The log-mels of a set of clips, made once and kept where a network is trained on them."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audiopg.datasets import CachedWaves
from audiopg.errors import InputError
from audiopg.frontend import MEL_BANDS, PATCH, WINDOW, LogMel, fit_length, whole_frames
from audiopg.inputs import as_waves
from audiopg.mae import BANDS
from audiopg.synth.parameters import CLIP_SAMPLES

# Clips transformed at once; bounds the memory, does not change the result.
_CLIPS_AT_ONCE = 64


@dataclass(frozen=True)
class Spectrograms:
    """The log-mels of a set of clips, one after another, 92 MB an hour of sound.

    Attributes:
        frames: (all frames, 128) float16, standardised, on the device.
        starts: (clips,) int64, where each clip begins, on the device.
        lengths: (clips,) int64, how many frames it has, in the memory of the CPU.
    """

    frames: Tensor
    starts: Tensor
    lengths: Tensor

    def looped(self, rows: Tensor, roll: Tensor | None = None) -> Tensor:
        """Clips side by side, repeated to the length of the longest, a multiple of 16 frames.

        Args:
            rows: (B,) int64, of the clips, in the memory of the CPU.
            roll: (B,) int64, the frame that each begins with, on the device.

        Returns:
            (B, T, 128) float32.
        """
        lengths, device = self.lengths[rows], self.frames.device
        longest = math.ceil(int(lengths.max()) / PATCH) * PATCH
        time = torch.arange(longest, device=device).expand(len(rows), -1)
        if roll is not None:
            time = time + roll[:, None]
        places = self.starts[rows.to(device), None] + time % lengths.to(device)[:, None]
        return self.frames[places].float()

    def alike(self, rows: Tensor) -> bool:
        """Whether clips have equally many patches."""
        return len(patches_of(self.lengths[rows]).unique()) == 1


def log_mels(
    waves: CachedWaves | Sequence[Tensor],
    log_mel: LogMel,
    native_length: bool,
    device: torch.device,
) -> Spectrograms:
    """The log-mels of all clips, made once: what training changes by chance, it changes in these.

    Args:
        waves: a waveform for each clip, (samples,) float at 16 kHz: those of the cache, or a
            (clips, samples) tensor.
        log_mel: the front end that the encoder was trained with.
        native_length: keep the length of a clip, up to 10.24 s, instead of making it that.
        device: where to keep them.

    Raises:
        InputError: for a clip shorter than one window, NaN samples, or too little memory.
    """
    if isinstance(waves, CachedWaves):
        wave_of, samples = waves.native, torch.from_numpy(np.diff(waves.starts))
    else:
        wave_of, samples = waves.__getitem__, torch.tensor([len(wave) for wave in waves])
    if native_length:
        require_windows(waves, samples.numpy())
        samples = samples.clamp(max=CLIP_SAMPLES)
    else:
        samples = torch.full_like(samples, CLIP_SAMPLES)
    lengths = whole_frames(samples)
    # Clips of like length lie, and are transformed, beside one another.
    order = lengths.argsort(stable=True)
    starts = torch.empty_like(lengths)
    starts[order] = lengths[order].cumsum(0) - lengths[order]
    total = int(lengths.sum())
    try:
        frames = torch.empty(total, MEL_BANDS, dtype=torch.float16, device=device)
    except RuntimeError as error:
        raise InputError(
            f"the spectrograms of {len(waves)} clips take {2 * MEL_BANDS * total / 1e9:.1f} GB, "
            f"more than is free on {device}; set native_length, or take fewer clips."
        ) from error
    log_mel = copy.deepcopy(log_mel).to(device)
    for rows in order.split(_CLIPS_AT_ONCE):
        batch = torch.zeros(len(rows), int(samples[rows].max()), dtype=torch.float32)
        for place, row in enumerate(rows.tolist()):
            wave = wave_of(row)
            if not torch.isfinite(wave).all():
                raise InputError(
                    f"{clip_name(waves, row)} holds NaN or infinite samples; leave it out."
                )
            batch[place, : samples[row]] = fit_length(wave, int(samples[row]))
        # Windows that lie within a clip do not hear the zeros behind it.
        mels = log_mel(batch.to(device))
        own = torch.arange(mels.shape[1]) < lengths[rows, None]
        first = int(starts[rows[0]])
        frames[first : first + int(lengths[rows].sum())] = mels[own.to(device)].half()
    return Spectrograms(frames, starts.to(device), lengths)


def as_clips(waves: CachedWaves | Sequence[Tensor]) -> CachedWaves | Tensor | list[Tensor]:
    """Waves of clips by the rule of `as_waves`; those of a cache are as they should be.

    Raises:
        InputError: as `as_waves`, or for a single wave without an axis of clips.
    """
    waves = waves if isinstance(waves, CachedWaves) else as_waves(waves)
    if isinstance(waves, Tensor) and waves.ndim == 1:
        raise InputError(f"the waveform has shape {tuple(waves.shape)}; give (clips, samples).")
    if isinstance(waves, list):
        return [wave.detach() for wave in waves]
    return waves.detach() if isinstance(waves, Tensor) else waves


def require_windows(waves: CachedWaves | Sequence[Tensor], samples: np.ndarray) -> None:
    """Refuse clips that are too short to be taken at their own length, naming them.

    Args:
        waves: of the clips.
        samples: (clips,) how many samples each has.
    """
    short = np.flatnonzero(samples < WINDOW)
    if len(short):
        names = ", ".join(f"{clip_name(waves, row)} ({samples[row]} samples)" for row in short)
        raise InputError(
            f"{len(short)} of {len(waves)} clips are shorter than one window of {WINDOW}: {names}; "
            "leave them out, or take all clips at 10.24 s instead of their own length."
        )


def clip_name(waves: CachedWaves | Sequence[Tensor], row: int) -> str:
    """The file of a clip, or its row where it is none of a cache."""
    return str(waves.clips.paths[row]) if isinstance(waves, CachedWaves) else f"clip {row}"


def patches_of(frames: Tensor) -> Tensor:
    """Patches of clips of so many frames; the last ones may be part empty."""
    return (frames + PATCH - 1) // PATCH * BANDS


def zeros_behind(mel: Tensor, frames: Tensor) -> Tensor:
    """(B, T, 128) with zeros behind the frames of each clip, as the front end has them."""
    return mel * (torch.arange(mel.shape[1], device=mel.device) < frames[:, None])[..., None]
