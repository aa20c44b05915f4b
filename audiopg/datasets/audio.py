"""Recordings as waveforms: read, mix to mono, resample, and fit to the length of a clip."""

import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from audiopg._types import AnyPath, Array
from audiopg.datasets.containers import Unreadable
from audiopg.datasets.decoding import APPLE_DOUBLE, at_rate, count, examine, mono_blocks
from audiopg.errors import InputError
from audiopg.frontend import fit_length, resample
from audiopg.inputs import (
    as_array,
    as_float64,
    as_integers,
    as_labels,
    as_path,
    as_rows,
    shown,
    time_in_file,
    whole_number,
    whole_rate,
)
from audiopg.synth.parameters import SAMPLE_RATE

# What a folder is searched for; a file that is named is read whatever its name.
_SUFFIXES = """
    wav flac ogg mp3 aiff aif aifc m4a opus oga webm caf au snd sph w64 rf64 bwf mp2 mp4 m4b mka mov
    3gp amr awb aac wma wv ape tta spx dsf
"""
AUDIO_SUFFIXES = tuple(f".{suffix}" for suffix in _SUFFIXES.split())
_WORKERS = 4
# The reach of the resampler's filter, in samples at the lower of its two rates.
_EDGE = 512

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class LabelledClips:
    """The files of a benchmark with their labels and official folds, one row a clip.

    Labels and folds are taken by position, from tensors, lists and columns of tables too.

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
        sources: (clips,) int64, numbers from 0 for what the clips were cut from: the recording, or in
            Speech Commands the speaker. None where every clip is a recording of its own.
        segments: (clips, 2) float64, seconds, the start and the end of each clip in its file; the
            end is NaN where that is the file's. None where every clip is a whole file.
        channels: (clips,) int64, the channel of each clip, from 0; -1 for the mean of all. None
            where it is the mean for every clip.
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
    segments: np.ndarray | None = None
    channels: np.ndarray | None = None

    def __post_init__(self) -> None:
        # Columns of a table, which answer neither whether they are empty nor which file is named.
        for name in ("paths", "classes", "test_folds"):
            given = getattr(self, name)
            given = given.tolist() if hasattr(given, "tolist") else given
            if isinstance(given, str | bytes) or not isinstance(given, Iterable):
                raise InputError(f"{name} are {shown(given)}; give a list.")
            object.__setattr__(self, name, [*given])
        tested = as_array(self.test_folds, "test_folds")
        if len(tested) and not (tested.ndim == 1 and np.issubdtype(tested.dtype, np.integer)):
            raise InputError(f"test_folds are {shown(self.test_folds)}; give numbers of folds.")
        object.__setattr__(self, "test_folds", tested.tolist())
        names = [str(name) for name in self.classes]
        if twice := [name for name in names if names.count(name) > 1]:
            raise InputError(f"two classes are called {twice[0]!r}; give each a name of its own.")
        paths = [one if isinstance(one, Path) else as_path(one) for one in self.paths]
        object.__setattr__(self, "paths", paths)
        clips = len(np.atleast_1d(as_array(self.labels, "labels")))
        object.__setattr__(self, "labels", as_labels(self.labels, clips))
        if self.paths and len(self.paths) != len(self):
            raise InputError(
                f"there are {len(self.paths)} paths for {len(self)} labels; give as many."
            )
        object.__setattr__(self, "folds", as_integers("folds", self.folds, clips))
        classes = self.labels.shape[1] if self.multi_label else self.labels.max(initial=-1) + 1
        if classes > len(self.classes) or (self.multi_label and classes < len(self.classes)):
            raise InputError(
                f"the labels are of {classes} classes, and {len(self.classes)} have names; give each "
                "class its name, and each clip one of the classes, counted from 0, or (clips, "
                "classes) bool."
            )
        for name, shape in (
            ("segments", (clips, 2)),
            ("channels", (clips,)),
            ("sources", (clips,)),
        ):
            if (given := getattr(self, name)) is not None:
                object.__setattr__(self, name, _about_parts(name, given, shape))

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: slice | Array | Sequence[int]) -> "LabelledClips":
        """Some of the clips, by their rows or a bool for each; classes and folds keep their numbers.

        Raises:
            IndexError: for rows that there are not.
        """
        rows = as_rows(rows, len(self))
        perhaps = {name: getattr(self, name) for name in ("sources", "segments", "channels")}
        return replace(
            self,
            paths=[self.paths[row] for row in rows] if self.paths else [],
            labels=self.labels[rows],
            folds=self.folds[rows],
            **{name: None if values is None else values[rows] for name, values in perhaps.items()},
        )

    def part(self, row: int) -> tuple[float, float | None, int | None]:
        """What part of its file a clip is: start and end in seconds, and the channel.

        The end is None where it is the file's, the channel where it is the mean of all.
        """
        start, end = (0.0, np.nan) if self.segments is None else self.segments[row].tolist()
        channel = -1 if self.channels is None else int(self.channels[row])
        return start, None if np.isnan(end) else end, None if channel < 0 else channel

    def clip_name(self, row: int) -> str:
        """The file of a clip, and which part of it the clip is."""
        start, end, channel = self.part(row)
        seconds = f" from {start:g} s" if start else ""
        seconds += "" if end is None else f" to {end:g} s"
        channels = "" if channel is None else f", channel {channel + 1}"
        return f"{self.paths[row]}{seconds}{channels}"

    @property
    def multi_label(self) -> bool:
        """Whether a clip can have several classes."""
        return np.ndim(self.labels) == 2

    @property
    def validation_folds(self) -> list[int]:
        """The folds called "validation": choices are made on them, and nothing is trained on them."""
        present = np.unique(self.folds)
        return [f for f, name in self.fold_names.items() if name == "validation" and f in present]

    @property
    def across_folds(self) -> np.ndarray:
        """(clips,) bool, whether a clip has the source of a clip in another fold."""
        if self.sources is None:
            return np.zeros(len(self), dtype=bool)
        _, sources = np.unique(self.sources, return_inverse=True)
        in_fold = np.unique(np.stack((sources, self.folds)), axis=1)
        return np.bincount(in_fold[0])[sources] > 1


def _about_parts(name: str, given: object, shape: tuple[int, ...]) -> np.ndarray:
    """Segments as float64, channels or sources as int64; an end of None is that of the file."""
    values = as_float64(given, name).cpu().numpy()
    if values.shape != shape:
        raise InputError(f"{name} have the shape {values.shape}; give {shape}.")
    if name == "segments":
        if not (values[:, 0] >= 0).all():
            raise InputError("segments begin at less than 0, or at no number; give seconds from 0.")
        return values
    lowest = -1 if name == "channels" else 0
    if not ((values >= lowest) & (values < 2**53) & (values == np.trunc(values))).all():
        mean = ", and -1 for the mean of all" if name == "channels" else ""
        raise InputError(f"{name} are not all whole numbers; give numbers from 0{mean}.")
    return values.astype(np.int64)


def printable(path: AnyPath) -> str:
    """A path as text that can be printed and stored, whatever bytes its name is made of."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def is_companion(path: Path) -> bool:
    """Whether a file is what macOS leaves beside another where it cannot store more about it."""
    # A pipe is not opened: it would be waited for.
    if not path.name.startswith("._") or not os.path.isfile(path):
        return False
    try:
        with open(path, "rb") as file:
            return file.read(4) == APPLE_DOUBLE
    except OSError:
        return False


def read_header(path: AnyPath, channel: int | None = None) -> tuple[int, int] | str:
    """Samples a channel and sample rate in hertz; or why the file cannot be used.

    That it ends too early is told by `audiopg.datasets.containers`. A file whose header does not say
    how many samples it holds, or that only FFmpeg reads, is decoded to count them, none being kept. A
    file that lacks the channel, counted from 0, cannot be used either.
    """
    try:
        frames, rate = count(pieces := examine(path))
        if channel is not None:
            with closing(mono_blocks(pieces, 0, channel)) as blocks:
                next(blocks)
        return (frames, rate) if _length(frames, rate, SAMPLE_RATE) else "holds no samples"
    except Unreadable as why:
        return str(why)


def find_damage(path: AnyPath) -> str | None:
    """Why a recording cannot be heard, found by decoding all of it and keeping none; None if it can."""
    try:
        for _, block in mono_blocks(examine(path)):
            _require_finite(torch.from_numpy(block))
    except Unreadable as why:
        return str(why)
    return None


def load_audio(
    path: AnyPath,
    sample_rate: int = SAMPLE_RATE,
    start: float = 0.0,
    end: float | None = None,
    channel: int | None = None,
) -> Tensor:
    """Read a recording, in any format that libsndfile or FFmpeg reads; whole, or from time to time.

    Channels are averaged, then the mono signal is resampled with soxr at its quality "HQ". Files
    that were joined end to end are read as one. Of several streams of sound FFmpeg chooses one. A
    part is what it would be in a file of its own: cut at the nearest samples, then resampled.

    Args:
        path: the audio file.
        sample_rate: the sample rate to return, in hertz.
        start: seconds, where to begin.
        end: seconds, where to end; None, or a time behind the file's end, for that.
        channel: which one to take, from 0; None for the mean of all.

    Returns:
        (samples,) float32, on the scale in which an integer format spans [-1, 1).

    Raises:
        InputError: when the file is missing, damaged, cut short or in another format, lacks the
            channel, holds no samples from start to end, or holds a sample that is not a finite
            number; for times below 0 and channels that are no whole numbers from 0.
    """
    sample_rate, start = whole_rate(sample_rate), time_in_file(start, "start")
    end = None if end is None else time_in_file(end, "end")
    channel = None if channel is None else whole_number(channel, "channel", lowest=0)
    with _named(path):
        pieces = examine(path)
        if not start and end is None:
            blocks = at_rate(mono_blocks(pieces, channel=channel), sample_rate)
            return _join([block for _, block in blocks])
        frames, rate = count(pieces)
        first, last = round(start * rate), frames if end is None else round(end * rate)
        if first >= min(last, frames):
            raise Unreadable("holds no samples in this part")
    return resample(read_window(path, first, last - first, channel)[0], rate, sample_rate)


def read_window(
    path: AnyPath, first: int, samples: int, channel: int | None = None
) -> tuple[Tensor, int]:
    """Some samples of a recording; no others are kept in memory.

    libsndfile goes to the first of them, and FFmpeg does in MP4. Other formats that FFmpeg reads
    are decoded from their start: it would land a second off.

    Args:
        path: the audio file.
        first: which sample is the first, at the recording's own rate.
        samples: how many.
        channel: as in `load_audio`.

    Returns:
        (n,) float32, one channel or the mean of all, n below ``samples`` where the file ends before;
        and the sample rate in hertz.

    Raises:
        InputError: as `load_audio`; for a first sample below 0, or no samples.
    """
    # A day at 48 kHz is 2**32 samples.
    first = whole_number(first, "first", lowest=0, below=2**63)
    samples = whole_number(samples, "samples", below=2**63)
    kept, rate = [], 0
    with _named(path), closing(mono_blocks(examine(path), first, channel)) as blocks:
        for rate, block in blocks:  # noqa: B007 - the rate is that of all
            kept.append(block[:samples])
            samples -= len(kept[-1])
            if not samples:
                break
        return _join(kept), rate


def load_clip(
    path: AnyPath,
    samples: int,
    sample_rate: int = SAMPLE_RATE,
    header: tuple[int, int] | None = None,
) -> Tensor:
    """The part of a recording that `fit_length` takes, or the recording repeated.

    Of a long recording the rest is neither kept in memory nor looked at.

    Args:
        path: the audio file.
        samples: the length of the clip.
        sample_rate: the sample rate to return, in hertz.
        header: what `read_header` found, if it was asked.

    Returns:
        (samples,) float32.

    Raises:
        InputError: as `load_audio` and `fit_length`.
    """
    sample_rate, samples = whole_rate(sample_rate), whole_number(samples, "samples")
    with _named(path):
        frames, rate = header or count(examine(path))
    start = max(0, _length(frames, rate, sample_rate) - samples) // 2
    # Read from where a sample at one rate coincides with one at the other, and from so far before
    # the clip and behind it that the resampler gives what it would give within the whole.
    edge = -(-_EDGE * sample_rate // min(rate, sample_rate))
    step = sample_rate // math.gcd(rate, sample_rate)
    before = max(0, start - edge) // step * step
    first = before * rate // sample_rate
    needed = -(-(start - before + samples + edge) * rate // sample_rate)
    wave, found = read_window(path, first, needed)
    if found != rate or len(wave) != min(needed, frames - first):
        raise InputError(f"{printable(path)} has changed while it was read; try again.")
    wave = resample(wave, rate, sample_rate)[start - before :]
    return fit_length(wave[:samples] if start else wave, samples)


def load_clips(
    paths: Sequence[AnyPath], samples: int, sample_rate: int = SAMPLE_RATE, progress: bool = True
) -> Tensor:
    """Read recordings in threads, each fitted to one length (`load_clip`).

    Args:
        paths: the audio files, in the order of the rows to return.
        samples: the length of every clip.
        sample_rate: the sample rate to return, in hertz.
        progress: whether to show a progress bar.

    Returns:
        (clips, samples) float32.

    Raises:
        InputError: naming every file that `load_clip` refuses.
    """
    samples, paths = whole_number(samples, "samples"), [as_path(path) for path in paths]
    clips = torch.empty(len(paths), samples, dtype=torch.float32)

    def load_row(row: int) -> InputError | None:
        try:
            clips[row] = load_clip(paths[row], samples, sample_rate)
        except InputError as error:
            return error
        return None

    errors = list(in_threads(load_row, range(len(paths)), "Reading", progress))
    refused = [(path, error) for path, error in zip(paths, errors, strict=True) if error]
    if refused:
        raise InputError(
            f"{len(refused)} of {len(paths)} files cannot be used "
            f"({', '.join(printable(path) for path, _ in refused)}); the first: {refused[0][1]}"
        )
    return clips


@contextmanager
def _named(path: AnyPath) -> Iterator[None]:
    """Raise InputError for what is unreadable, with its name, and for what is no path."""
    as_path(path)
    try:
        yield
    except Unreadable as why:
        raise InputError(f"{printable(path)} {why}; replace it or leave it out.") from why


def _length(frames: int, rate: int, target: int) -> int:
    """How many samples soxr makes of so many at another rate."""
    return (2 * frames * target + rate) // (2 * rate)


def _join(blocks: list[np.ndarray]) -> Tensor:
    if not sum(map(len, blocks)):
        raise Unreadable("holds no samples")
    wave = torch.from_numpy(np.concatenate(blocks))
    _require_finite(wave)
    return wave


def _require_finite(wave: Tensor) -> None:
    if not torch.isfinite(wave).all():
        raise Unreadable("holds samples that are not finite numbers")


def in_threads(
    work: Callable[[Item], Result], items: Sequence[Item], description: str, progress: bool
) -> Iterator[Result]:
    """The results of work on each item, in their order, done in threads a little ahead of their use."""
    executor, ahead = ThreadPoolExecutor(_WORKERS), deque[Future]()
    try:
        for item in tqdm(items, description, unit="file", disable=not progress):
            ahead.append(executor.submit(work, item))
            if len(ahead) > 2 * _WORKERS:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        executor.shutdown(cancel_futures=True)
