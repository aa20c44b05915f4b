"""The log-mels of a set of clips, made once and kept on the device of the network.

The front end is in `audiopg.frontend`, the augmentation of training in `audiopg.transfer.augment`.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from audiopg.errors import InputError
from audiopg.frontend import MEL_BANDS, PATCH, LogMel, fit_length, whole_frames
from audiopg.mae import BANDS
from audiopg.synth.parameters import CLIP_SAMPLES
from audiopg.transfer.waves import Waves, as_clips, batches_by_length, require_windows

# Clips transformed at once; bounds the memory, does not change the result.
_CLIPS_AT_ONCE = 64


@dataclass(frozen=True)
class Spectrograms:
    """The log-mels of a set of clips, one after another, 92 MB an hour of sound.

    Attributes:
        frames: (all frames, 128) float16, standardised, on the device.
        starts: (clips,) int64, where each clip begins, on the device.
        lengths: (clips,) int64, how many frames it has, in the memory of the CPU.
        padding: the front end's value for the frames behind a clip.
    """

    frames: Tensor
    starts: Tensor
    lengths: Tensor
    padding: float = 0.0

    def looped(self, rows: Tensor, roll: Tensor | None = None) -> Tensor:
        """Clips in one batch, each repeated to the length of the longest, a multiple of 16 frames.

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
        """Whether clips, (n,) int64 rows, have equally many patches."""
        return len(patches_of(self.lengths[rows]).unique()) == 1


def log_mels(
    waves: Waves | Sequence[Tensor], log_mel: LogMel, native_length: bool, device: torch.device
) -> Spectrograms:
    """The log-mels of all clips, made once; training augments them.

    Args:
        waves: of the clips, as `as_clips` takes them.
        log_mel: the front end that the encoder was trained with.
        native_length: keep the length of a clip, up to 10.24 s, instead of making it that.

    Raises:
        InputError: for a clip shorter than one window, or too little memory.
    """
    waves = as_clips(waves)
    if native_length:
        require_windows(waves)
        samples = torch.from_numpy(waves.lengths).clamp(max=CLIP_SAMPLES)
    else:
        samples = torch.full((len(waves),), CLIP_SAMPLES, dtype=torch.int64)
    lengths = whole_frames(samples)
    total = int(lengths.sum())
    try:
        frames = torch.empty(total, MEL_BANDS, dtype=torch.float16, device=device)
    except RuntimeError as error:
        raise InputError(
            f"the spectrograms of {len(waves)} clips take {2 * MEL_BANDS * total / 1e9:.1f} GB, "
            f"more than is free on {device}; set native_length, or take fewer clips."
        ) from error
    log_mel = copy.deepcopy(log_mel).to(device)
    starts, first = torch.empty_like(lengths), 0
    for rows in batches_by_length(lengths, _CLIPS_AT_ONCE):
        parts = [fit_length(waves.native(row), int(samples[row])) for row in rows]
        batch = nn.utils.rnn.pad_sequence(parts, batch_first=True)
        # The zeros behind a clip do not reach the windows within it.
        mels = log_mel(batch.to(device))
        is_own = torch.arange(mels.shape[1]) < lengths[rows, None]
        ends = first + lengths[rows].cumsum(0)
        starts[rows] = ends - lengths[rows]
        frames[first : ends[-1]] = mels[is_own.to(device)].half()
        first = ends[-1]
    return Spectrograms(frames, starts.to(device), lengths, log_mel.padding)


def patches_of(frames: Tensor) -> Tensor:
    """The patches of clips from their frames, both (clips,) int64; the last ones may be partly empty."""
    return (frames + PATCH - 1) // PATCH * BANDS


def padding_behind(mel: Tensor, frames: Tensor, padding: float) -> Tensor:
    """(B, T, 128) with padding behind the frames of each clip, as the front end has it."""
    behind = torch.arange(mel.shape[1], device=mel.device) >= frames[:, None]
    return mel.masked_fill(behind[..., None], padding)
