"""The waves of clips, in memory or in the cache, and which of them share a batch.

`audiopg.inputs` says what a wave is; `audiopg.datasets` reads files and keeps their cache.
"""

import hashlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from torch import Tensor

from audiopg._types import Array
from audiopg.datasets import CachedWaves, LabelledClips
from audiopg.datasets.audio import printable
from audiopg.errors import InputError
from audiopg.frontend import WINDOW
from audiopg.inputs import as_waves, require_kind


class Waves(Protocol):
    """The waves of clips at 16 kHz: `CachedWaves`, or what `as_clips` makes of tensors.

    Attributes:
        lengths: (clips,) int64, the samples of each.
        contents: a hash of what is heard.
    """

    lengths: np.ndarray
    contents: str

    def __len__(self) -> int: ...

    def native(self, row: int) -> Tensor:
        """One clip at its own length: (n,) float32."""

    def name(self, row: int) -> str:
        """What a message calls a clip."""


class _InMemory:
    """Waves that a caller has: (clips, samples), or a list of (samples,)."""

    def __init__(self, waves: Tensor | list[Tensor]) -> None:
        self.waves = [wave.detach() for wave in waves]
        self.lengths = np.array([len(wave) for wave in waves], dtype=np.int64)

    @property
    def contents(self) -> str:
        return sha256(self.lengths, *(wave.cpu().numpy() for wave in self.waves))

    def __len__(self) -> int:
        return len(self.waves)

    def native(self, row: int) -> Tensor:
        return self.waves[row]

    def name(self, row: int) -> str:
        return f"clip {row}"


def as_clips(waves: Waves | Sequence[Tensor], clips: LabelledClips | None = None) -> Waves:
    """Waves of clips by the rule of `as_waves`, in the form of the protocol `Waves`.

    Args:
        waves: (clips, samples), or a sequence of (samples,); `Waves` are returned as they are.
        clips: the clips whose waves they have to be; None for any.

    Raises:
        InputError: as `as_waves`; for a single wave without an axis of clips; for another number of
            waves than of clips, or those of other files or parts of files.
    """
    if not isinstance(waves, CachedWaves | _InMemory):
        waves = as_waves(waves)
        if isinstance(waves, Tensor) and waves.ndim == 1:
            raise InputError(f"the waveform has shape {tuple(waves.shape)}; give (clips, samples).")
        waves = _InMemory(waves)
    if clips is None:
        return waves
    require_kind(clips, LabelledClips, "clips")
    if len(clips) != len(waves):
        raise InputError(f"there are {len(waves)} waveforms for {len(clips)} labelled clips.")
    if clips.paths and isinstance(waves, CachedWaves):
        for row, (clip, path) in enumerate(zip(clips.paths, waves.clips.paths, strict=True)):
            if clip != path or clips.part(row) != waves.clips.part(row):
                raise InputError(
                    f"clip {row} is {printable(clips.clip_name(row))}, and its wave is of "
                    f"{waves.name(row)}; give the waves of the clips, such as cached_waves(clips)."
                )
    return waves


def require_windows(waves: Waves) -> None:
    """Refuse clips that are too short to be taken at their own length, naming them."""
    lengths = waves.lengths
    short = np.flatnonzero(lengths < WINDOW)
    if len(short):
        names = ", ".join(f"{waves.name(row)} ({lengths[row]} samples)" for row in short)
        raise InputError(
            f"{len(short)} of {len(waves)} clips are shorter than one window of {WINDOW} samples, 25 ms: "
            f"{names}; remove them, or take all clips at 10.24 s (without --native, --native-length)."
        )


def batches_by_length(
    lengths: Sequence[float] | Array, size: int, room: float = np.inf
) -> list[list[int]]:
    """Rows of similar length together, the shortest first, so that little padding is needed.

    Args:
        lengths: (rows,) in any unit.
        size: the most rows of a batch.
        room: the most that the rows of a batch take, each as long as the longest; a single row may
            take more.
    """
    lengths = np.asarray(lengths)
    batches: list[list[int]] = []
    for row in lengths.argsort(kind="stable").tolist():
        count = len(batches[-1]) if batches else size
        if count == size or (count + 1) * lengths[row] > room:
            batches.append([])
        batches[-1].append(row)
    return batches


def sha256(*arrays: np.ndarray) -> str:
    """A hash of the bytes of arrays, one after another."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()
