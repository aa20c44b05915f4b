"""Any folder of recordings as an endless source of clips for pre-training (Table 3, Section 4.6).

Clip i of seed s is a pure function of (s, i) and of the folder, as a synthesized clip is of (s, i):
every epoch plays all files once, in an order of its own, and of each a random window. So a run on
recordings resumes, and is shared among processes, exactly as one on synthesized clips.
"""

import hashlib
import os
import stat
import warnings
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from audiopg._types import AnyPath
from audiopg.datasets import audio
from audiopg.datasets.cache import content_hash
from audiopg.errors import InputError
from audiopg.frontend import resample
from audiopg.inputs import as_path, shown, whole_seed
from audiopg.random import STREAMS, permutation, uniform
from audiopg.synth.parameters import CLIP_SAMPLES, SAMPLE_RATE, as_values

_THREADS = 8
_BATCHES_AHEAD = 2
# Folders of archives made on macOS, of deleted files, of notes that storage systems and Python make.
_NOT_RECORDINGS = {"__macosx", "lost+found", "$recycle.bin", "system volume information"}
_NOT_RECORDINGS |= {"@eadir", "#recycle", "#snapshot", "__pycache__"}


@dataclass(frozen=True, eq=False)
class Recordings:
    """The audio files of a folder, as their headers describe them.

    Attributes:
        folder: where they lie.
        paths: of the files, in the order of their names.
        frames: (files,) int64, samples of each channel.
        sample_rates: (files,) int64, Hz.
    """

    folder: Path
    paths: list[Path]
    frames: Tensor
    sample_rates: Tensor

    def __len__(self) -> int:
        return len(self.paths)

    def summary(self, progress: bool = False) -> dict:
        """How much there is, and hashes that another set of files does not have.

        Args:
            progress: show a progress bar where the files have to be read.

        Returns:
            "files", "hours", "sha256" of their names, lengths and rates, and "contents", the
            `audiopg.datasets.cache.content_hash`.
        """
        digest = hashlib.sha256()
        for path, frames, rate in zip(
            self.paths, self.frames.tolist(), self.sample_rates.tolist(), strict=True
        ):
            name = path.relative_to(self.folder).as_posix()
            digest.update(f"{name}\t{frames}\t{rate}\n".encode("utf-8", "surrogateescape"))
        hours = (self.frames / self.sample_rates.double()).sum().item() / 3600
        return {
            "files": len(self),
            "hours": round(hours, 3),
            "sha256": digest.hexdigest(),
            "contents": content_hash(self.paths, progress=progress),
        }


def audio_files(folder: AnyPath) -> list[Path]:
    """The audio files in a folder and in the folders inside it, in the order of their names.

    What is left out is said in one warning: how much of each kind, and the first name.

    Raises:
        InputError: where there are none, or no such folder.
    """
    folder = as_path(folder, "folder")
    if not folder.is_dir():
        raise InputError(
            f"{audio.printable(folder)} is not a folder; name one that holds audio files."
        )
    files: list[Path] = []
    skipped: dict[str, list[Path]] = defaultdict(list)

    def closed(error: OSError) -> None:
        skipped[f"folders that cannot be opened ({error.strerror})"].append(Path(error.filename))

    for root, folders, names in os.walk(folder, onerror=closed):
        for path in (Path(root, name) for name in folders):
            if is_hidden(path.name):
                skipped["hidden folders, or those that a system or a program keeps"].append(path)
            elif os.path.islink(path):  # Path.is_symlink raises where nothing may be looked at.
                skipped["links to folders, which are not followed"].append(path)
        folders[:] = [name for name in folders if not is_hidden(name)]
        for path in (Path(root, name) for name in names):
            why = _why_not(path)
            (skipped[why] if why else files).append(path)
    left_out = "; ".join(
        f"{why}: {len(paths)} (first: {audio.printable(min(paths).relative_to(folder))})"
        for why, paths in sorted(skipped.items())
    )
    if not files:
        raise InputError(
            f"{audio.printable(folder)} holds no audio file ({', '.join(audio.AUDIO_SUFFIXES)})"
            f"{f'; {left_out}' if left_out else ''}."
        )
    if left_out:
        warnings.warn(f"left out of {audio.printable(folder)}: {left_out}.", stacklevel=2)
    return sorted(files)


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or a system's or a program's own."""
    return name.startswith(".") or name.lower() in _NOT_RECORDINGS


def _why_not(path: Path) -> str:
    """What a file is that is no recording; nothing for one that may be."""
    if audio.is_companion(path):
        return "files in which macOS notes something about others"
    if path.suffix.lower() not in audio.AUDIO_SUFFIXES:
        return "files not named as audio"
    try:
        is_file = stat.S_ISREG(os.stat(path).st_mode)
    except PermissionError as error:
        # As in a folder that may be listed, but not entered.
        return f"files that cannot be opened ({error.strerror})"
    except OSError:
        is_file = False
    if not is_file:
        return "links to nothing, or devices"
    return "hidden files" if is_hidden(path.name) else ""


def find_recordings(folder: AnyPath) -> Recordings:
    """Read the headers of all audio files in a folder.

    Raises:
        InputError: for a folder without audio files, or naming every file that cannot be used.
    """
    folder = as_path(folder, "folder")
    paths = audio_files(folder)
    headers = list(audio.in_threads(audio.read_header, paths, "Reading headers", False))
    refused = [
        f"{audio.printable(path.relative_to(folder))} {header}"
        for path, header in zip(paths, headers, strict=True)
        if isinstance(header, str)
    ]
    if refused:
        raise InputError(
            f"{len(refused)} of {len(paths)} files in {audio.printable(folder)} cannot be used "
            f"({'; '.join(refused)}); repair them or take them out of the folder."
        )
    frames, sample_rates = torch.tensor(headers).unbind(1)
    return Recordings(folder, paths, frames, sample_rates)


def draw_windows(recordings: Recordings, clips: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Which recording each clip is from, and at which of its samples it starts.

    Of n recordings, clip i is number i mod n in the order of epoch i div n. The start is uniform
    among those from which a whole clip can be had, or among all samples of a recording that is
    shorter, which then is repeated.

    Args:
        clips: (B,) whole numbers, not negative.

    Returns:
        (B,) int64 indices into ``recordings.paths``, and (B,) int64 starts, counted in samples at
        the recording's own rate.

    Raises:
        InputError: for other clips, or a seed that is no 64-bit whole number.
    """
    clips, seed = as_values("clip", clips), whole_seed(seed)
    if clips.ndim != 1 or (clips < 0).any():
        raise InputError(f"clips are {shown(clips)}; give one number a clip, (B,), from 0.")
    epochs, places = clips // len(recordings), clips % len(recordings)
    rows = torch.empty_like(clips)
    for epoch in epochs.unique().tolist():
        here = epochs == epoch
        rows[here] = _order(len(recordings), epoch, seed)[places[here]]
    frames, needed = recordings.frames[rows], _needed(recordings.sample_rates[rows])
    choices = torch.where(frames >= needed, frames - needed + 1, frames)
    draws = uniform(torch.tensor(seed), clips, STREAMS["recording_start"], torch.tensor(0))
    return rows, (draws * choices).long()


def read_ahead(recordings: Recordings, batches: Iterable[Tensor], seed: int) -> Iterator[Tensor]:
    """The waves of batches of clips, decoded and resampled in threads ahead of their use.

    Args:
        batches: clip indices, (B,) whole numbers each.

    Yields:
        (B, 163840) float32 at 16 kHz for each batch, channels averaged, on the recording's own
        scale.

    Raises:
        InputError: naming a file that cannot be decoded, or is not as its header was.
    """
    executor = ThreadPoolExecutor(_THREADS)
    ahead: deque[list[Future]] = deque()
    try:
        for clips in batches:
            rows, starts = draw_windows(recordings, clips, seed)
            places = zip(rows.tolist(), starts.tolist(), strict=True)
            ahead.append([executor.submit(_read_window, recordings, *place) for place in places])
            if len(ahead) > _BATCHES_AHEAD:
                yield torch.stack([window.result() for window in ahead.popleft()])
        while ahead:
            yield torch.stack([window.result() for window in ahead.popleft()])
    finally:
        executor.shutdown(cancel_futures=True)


# An epoch's order is asked for at every step of it; a batch can reach into the next.
@lru_cache(maxsize=2)
def _order(files: int, epoch: int, seed: int) -> Tensor:
    """A permutation of the files, a pure function of (seed, epoch): (files,) int64."""
    return permutation(torch.tensor(seed), torch.tensor(epoch), STREAMS["recording_order"], files)


def _needed(sample_rates: Tensor) -> Tensor:
    """Samples at these rates that make a clip, rounded up."""
    return -(-CLIP_SAMPLES * sample_rates // SAMPLE_RATE)


def _read_window(recordings: Recordings, row: int, start: int) -> Tensor:
    """One clip: (163840,) float32."""
    path, rate = recordings.paths[row], int(recordings.sample_rates[row])
    frames, needed = int(recordings.frames[row]), int(_needed(recordings.sample_rates[row]))
    first, count = (start, needed) if frames >= needed else (0, frames)
    advice = "put back the file that the run began with, and resume"
    try:
        wave, found = audio.read_window(path, first, count)
    except InputError as error:
        raise InputError(f"{str(error).partition(';')[0]}; {advice}.") from error
    if len(wave) != count or found != rate:
        raise InputError(
            f"{audio.printable(path)} is shorter than its header says, or has changed; {advice}."
        )
    wave = resample(wave, rate)
    if frames >= needed:
        return wave[:CLIP_SAMPLES]
    offset = start * SAMPLE_RATE // rate
    return wave[(offset + torch.arange(CLIP_SAMPLES)) % len(wave)]
