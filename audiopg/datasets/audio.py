"""Recordings as waveforms: read, mix to mono, resample, and fit to the length of a clip."""

import os
import struct
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from audiopg.errors import InputError
from audiopg.frontend import fit_length, resample
from audiopg.synth.parameters import SAMPLE_RATE

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif")
# A damaged header can claim a few hertz, and resampling would then ask for gigabytes.
_LOWEST_SAMPLE_RATE = 1000
_WORKERS = 4
_LENGTH_UNKNOWN = 0x7FFFFFFF

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class LabelledClips:
    """The files of a benchmark with their labels and official folds, one row a clip.

    Attributes:
        name: the benchmark's name, such as "ESC-50"; that of a part says which part it is.
        paths: the audio files; none where the clips were synthesized.
        labels: (clips,) int64, each an index into ``classes``; or (clips, classes) bool, where a
            clip can have several.
        folds: (clips,) int64, the official folds.
        classes: the name of each class.
        licence: the licence of the recordings.
        fold_names: what each fold is called, such as "fold 1", or "training", "validation" and
            "testing".
        test_folds: those to be tested on in turn: all of them in cross-validation, one where there
            is an official split.
        skipped: the files left out because they cannot be used, and why.
        sources: (clips,) int64, numbers for what the clips were cut from: the recording, or in
            Speech Commands the speaker. None where every clip is a recording of its own.
    """

    name: str
    paths: list[Path]
    labels: np.ndarray
    folds: np.ndarray
    classes: list[str]
    licence: str
    fold_names: dict[int, str]
    test_folds: list[int]
    skipped: dict[str, str] = field(default_factory=dict)
    sources: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Sequence[int] | np.ndarray) -> "LabelledClips":
        """Some of the clips, by their rows; classes and folds keep their numbers."""
        return replace(
            self,
            paths=[self.paths[row] for row in rows] if self.paths else [],
            labels=self.labels[rows],
            folds=self.folds[rows],
            sources=None if self.sources is None else self.sources[rows],
        )

    @property
    def across_folds(self) -> np.ndarray:
        """(clips,) bool, whether a clip has the source of a clip in another fold."""
        if self.sources is None:
            return np.zeros(len(self), dtype=bool)
        in_fold = np.unique(np.stack((self.sources, self.folds)), axis=1)
        return np.bincount(in_fold[0])[self.sources] > 1


def read_header(path: str | os.PathLike) -> tuple[int, int] | str:
    """Samples a channel and sample rate in hertz, as the header says; or why it cannot be used."""
    import soundfile

    try:
        info = soundfile.info(path)
    # A header damaged so that the file cannot be searched is a ValueError.
    except (soundfile.SoundFileError, OSError, TypeError, ValueError):
        return "damaged, or not in a format that libsndfile reads"
    if info.samplerate < _LOWEST_SAMPLE_RATE:
        return f"a sample rate of {info.samplerate} Hz"
    if info.frames * SAMPLE_RATE < info.samplerate:
        return "no samples"
    if is_cut(path):
        return "cut short: it ends before the samples that its header announces"
    return info.frames, info.samplerate


def is_cut(path: str | os.PathLike) -> bool:
    """Whether a WAV file ends before its samples do, as after a download that broke off.

    libsndfile reads what is there of such a file without a word.
    """
    with open(path, "rb") as file:
        form, _, kind = struct.unpack("<4sL4s", file.read(12).ljust(12))
        if form != b"RIFF" or kind != b"WAVE":
            return False
        size = file.seek(0, os.SEEK_END)
        place = 12
        while place + 8 <= size:
            file.seek(place)
            name, length = struct.unpack("<4sL", file.read(8))
            if name == b"data":
                # Writers to a pipe, which cannot go back, leave 0 or the largest number.
                return length < _LENGTH_UNKNOWN and place + 8 + length > size
            place += 8 + length + length % 2
    return False


def load_audio(path: str | os.PathLike, sample_rate: int = SAMPLE_RATE) -> Tensor:
    """Read one recording, in any format that libsndfile knows.

    Channels are averaged, then the mono signal is resampled with soxr at its quality "HQ".

    Args:
        path: the audio file.
        sample_rate: the sample rate to return, in hertz.

    Returns:
        (samples,) float32, on the scale in which an integer format spans [-1, 1).

    Raises:
        InputError: when the file is missing, damaged or in another format, holds no samples, or
            holds a sample that is not a finite number.
    """
    import soundfile

    if not os.path.isfile(path):
        raise InputError(f"{path} is not a file; check the path, or download the recordings again.")
    try:
        with soundfile.SoundFile(path) as file:
            frames, file_rate = file.frames, file.samplerate
            channels = file.read(dtype="float32", always_2d=True)
    # A headerless .raw file is a TypeError, a header damaged so that the file cannot be searched a
    # ValueError, and one that claims more frames than fit in memory a MemoryError.
    except (soundfile.SoundFileError, TypeError, ValueError, MemoryError) as error:
        raise InputError(
            f"{path} is damaged or not in a format that libsndfile reads; "
            "replace it, or convert it to WAV, FLAC or Ogg Vorbis."
        ) from error
    if frames == 0:
        raise InputError(f"{path} holds no samples; replace it or leave it out.")
    if is_cut(path):
        raise InputError(f"{path} is cut short; replace it or leave it out.")
    if len(channels) != frames:
        raise InputError(
            f"{path} is damaged: {len(channels)} of its {frames} frames can be read; replace it."
        )
    if file_rate < _LOWEST_SAMPLE_RATE:
        raise InputError(
            f"{path} claims a sample rate of {file_rate} Hz, below {_LOWEST_SAMPLE_RATE} Hz; "
            "replace it or correct its header."
        )
    # A float file can hold anything, so the mean may overflow; the check below then refuses it.
    with np.errstate(over="ignore", invalid="ignore"):
        mono = torch.from_numpy(channels.mean(axis=1))
    wave = resample(mono, file_rate, sample_rate)
    if not (torch.isfinite(mono).all() and torch.isfinite(wave).all()):
        raise InputError(
            f"{path} holds samples that are not finite numbers; replace it or leave it out."
        )
    if len(wave) == 0:
        raise InputError(f"{path} is too short to resample to {sample_rate} Hz; leave it out.")
    return wave


def load_clips(
    paths: Sequence[str | os.PathLike],
    samples: int,
    sample_rate: int = SAMPLE_RATE,
    progress: bool = True,
) -> Tensor:
    """Read recordings in threads, each fitted to one length (`load_audio`, `fit_length`).

    Args:
        paths: the audio files, in the order of the rows to return.
        samples: the length of every clip.
        sample_rate: the sample rate to return, in hertz.
        progress: whether to show a progress bar.

    Returns:
        (clips, samples) float32.

    Raises:
        InputError: naming every file that `load_audio` refuses.
    """
    clips = torch.empty(len(paths), samples, dtype=torch.float32)

    def load_row(row: int) -> InputError | None:
        try:
            clips[row] = fit_length(load_audio(paths[row], sample_rate), samples)
        except InputError as error:
            return error
        return None

    errors = list(in_threads(load_row, range(len(paths)), "Reading", progress))
    refused = [(path, error) for path, error in zip(paths, errors, strict=True) if error]
    if refused:
        raise InputError(
            f"{len(refused)} of {len(paths)} files cannot be used "
            f"({', '.join(str(path) for path, _ in refused)}); the first: {refused[0][1]}"
        )
    return clips


def in_threads(
    work: Callable[[Item], Result], items: Sequence[Item], description: str, progress: bool
) -> Iterator[Result]:
    """The results of work on each item, in their order, done in threads ahead of their use."""
    executor = ThreadPoolExecutor(_WORKERS)
    try:
        results = executor.map(work, items)
        yield from tqdm(results, description, len(items), unit="file", disable=not progress)
    finally:
        executor.shutdown(cancel_futures=True)
