"""Recordings read and resampled once, then memory-mapped: a cache keyed by what the files hold."""

import hashlib
import json
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import BadZipFile
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

from audiopg.datasets.audio import LabelledClips, in_threads, load_audio, printable
from audiopg.datasets.decoding import Unreached
from audiopg.datasets.tables import require_folds
from audiopg.environment import atomic_folder, cache_folder, write_json, writing
from audiopg.errors import InputError
from audiopg.inputs import read_json
from audiopg.synth.parameters import SAMPLE_RATE

# A part of the name of every folder: to be raised whenever the same files would be stored otherwise,
# or refused where they were not.
_FORMAT = 9
# A part of the hash that runs know their waves by, which is to stay.
_HASHED = 2
_LARGEST = 32767
# A file changed so shortly ago could change again and keep its times; builds older than this died.
_SETTLED_SECONDS, _DEAD_SECONDS = 2, 3600


class _ChangedError(InputError):
    """Recordings are others than those whose hash was taken."""


@dataclass(frozen=True, eq=False)
class CachedWaves:
    """The waves of a benchmark at 16 kHz and their own lengths, mapped from disk.

    A clip is stored in 16 bits, of which its largest sample takes the whole range. So a sample is
    off by at most half a step, 1/65534 of the clip's largest (96 dB below it), none is clipped, and
    silence stays silence: what a 16-bit file of the clip at full level would give.

    Attributes:
        clips: what the rows are; files that were left out are in ``clips.skipped``.
        samples: (all samples,) int16, one clip after the other.
        starts: (clips + 1,) int64, where each begins; the last is the end.
        scales: (clips,) float32, the size of a step.
        contents: a hash of the bytes of all files, in their order, and of the sample rate, 16 kHz.
        checksums: (clips,) uint32, the CRC-32 of the samples of each.
    """

    clips: LabelledClips
    samples: np.ndarray
    starts: np.ndarray
    scales: np.ndarray
    contents: str
    checksums: np.ndarray

    def __len__(self) -> int:
        return len(self.scales)

    @property
    def lengths(self) -> np.ndarray:
        """(clips,) int64, the samples of each clip."""
        return np.diff(self.starts)

    def name(self, row: int) -> str:
        """The file of a clip, and which part of it, for messages."""
        return printable(self.clips.clip_name(row))

    def native(self, row: int) -> Tensor:
        """One clip at its own length: (n,) float32.

        Raises:
            InputError: for one that has changed on the disk since it was stored.
        """
        levels = self.samples[self.starts[:-1][row] : self.starts[1:][row]]
        # Some 60 µs a clip of ESC-50, which is read from the disk in any case.
        if crc32(levels) != self.checksums[row]:
            raise InputError(
                f"the wave of {self.name(row)} is damaged in {Path(self.samples.filename).parent}; "
                "delete that, and it will be made again."
            )
        return torch.from_numpy(levels * self.scales[row])


def cached_waves(
    clips: LabelledClips, *, skip_bad: bool = False, progress: bool = True
) -> CachedWaves:
    """The waves of a benchmark at 16 kHz, from the cache, or read by `load_audio` into the cache.

    The cache is in `audiopg.environment.cache_folder`. The key is made of the bytes of all files and
    the sample rate, so that a changed file is read again, and the same recordings elsewhere are
    not; and of a number that is raised when files are read otherwise. Hashes are remembered by path,
    size and times. Processes that build the same waves at once do not disturb each other, and what
    a killed one leaves behind is never taken for whole. Where the cache cannot be written, a
    warning says so, and the waves are kept in a temporary file, for this process alone.

    Args:
        clips: the files and their labels.
        skip_bad: leave out files that cannot be used, and name them in ``clips.skipped`` of what is
            returned.
        progress: whether to show progress bars.

    Raises:
        InputError: naming every file that is missing, empty or damaged, unless they are to be
            skipped; when skipping leaves a fold empty; when neither the cache nor a temporary file
            can be written; when a file goes or changes while it is read, and then nothing is kept.
    """
    if not clips.paths:
        raise InputError(f"{clips.name} has no files to read; use its waves as they are.")
    contents = _contents(clips, progress)
    name = f"waves-{_FORMAT}-{contents}"
    try:
        root = cache_folder()
        with writing(f"the cache in {root}"):
            if not (root / name).is_dir():
                _build(root / name, clips, progress)
    except _ChangedError:
        raise
    except InputError as error:
        warnings.warn(
            f"{error} Until then recordings are read anew every time; AUDIOPG_CACHE can name another "
            "folder.",
            stacklevel=2,
        )
    else:
        return _mapped(root / name, clips, contents, skip_bad)
    with writing("a temporary file"), tempfile.TemporaryDirectory() as scratch:
        _build(Path(scratch, name), clips, progress)
        # What is mapped stays there when its name is gone.
        return _mapped(Path(scratch, name), clips, contents, skip_bad)


def _contents(clips: LabelledClips, progress: bool) -> str:
    """The hash that says what is heard of some clips."""
    parts = [
        values.tobytes().hex() for values in (clips.segments, clips.channels) if values is not None
    ]
    return content_hash(clips.paths, " ".join((f"{_HASHED} {SAMPLE_RATE}", *parts)), progress)


def _mapped(folder: Path, clips: LabelledClips, contents: str, skip_bad: bool) -> CachedWaves:
    """What `_build` wrote into a folder."""
    try:
        # NumPy (2.4) leaves a damaged file open that it has opened itself.
        with open(folder / "index.npz", "rb") as file, np.load(file) as index:
            starts, scales, refused, checksums = (
                index[name] for name in ("starts", "scales", "refused", "checksums")
            )
        refused = {int(row): why for row, why in json.loads(str(refused)).items()}
        if (folder / "samples.int16").stat().st_size != 2 * starts[-1]:
            raise ValueError
        samples = np.memmap(folder / "samples.int16", "<i2", "r") if starts[-1] else starts[:0]
    except PermissionError as error:
        raise InputError(
            f"{folder} cannot be read ({error.strerror}); make it readable, or set AUDIOPG_CACHE to "
            "another folder."
        ) from error
    except (OSError, ValueError, KeyError, IndexError, EOFError, BadZipFile) as error:
        raise InputError(f"{folder} is not whole; delete it, and it will be made again.") from error
    if refused and not (skip_bad and len(scales)):
        raise InputError(
            f"{len(refused)} of the {len(clips)} recordings of {clips.name} cannot be used "
            f"({'; '.join(f'{printable(clips.clip_name(row))} {why}' for row, why in refused.items())}); "
            "repair them, or leave them out with skip_bad (--skip-bad)."
        )
    if refused:
        kept = [row for row in range(len(clips)) if row not in refused]
        skipped = clips.skipped | {clips.clip_name(row): why for row, why in refused.items()}
        clips = replace(clips.take(kept), skipped=skipped)
        require_folds(clips.name, clips.folds.tolist(), clips.fold_names)
    return CachedWaves(clips, samples, starts, scales, contents, checksums)


def content_hash(paths: Sequence[Path], salt: str = "", progress: bool = True) -> str:
    """A hash of the bytes of some files, in their order.

    The hashes of the files are remembered in `audiopg.environment.cache_folder`, where it can be
    written, by path, size and times. A file that cannot be read counts as one without a byte.
    """
    digest = hashlib.blake2b(salt.encode(), digest_size=16)
    # A long recording may hold many clips.
    files = list(dict.fromkeys(paths))
    hash_of = dict(zip(files, file_hashes(files, progress), strict=True))
    for path in paths:
        digest.update(hash_of[path].encode() + b"\n")
    return digest.hexdigest()


def file_hashes(paths: Sequence[Path], progress: bool = True) -> list[str]:
    """A hash of the content of every file, empty where it cannot be read; see `content_hash`."""
    names = "\0".join(map(os.path.abspath, paths)).encode("utf-8", "surrogateescape")
    memory, known = f"hashes-{_hash(names).hexdigest()}.json", {}
    with suppress(InputError, OSError, TypeError, ValueError):
        known = dict(read_json(cache_folder() / memory))

    def look(path: Path) -> tuple[str, str, bool]:
        """The file as it stands, its hash, and whether that may be remembered."""
        try:
            state = os.stat(path)
            stamp = f"{state.st_size} {state.st_mtime_ns} {state.st_ctime_ns} {path}"
            if stamp in known:
                return stamp, known[stamp], True
            with open(path, "rb") as file:
                found = hashlib.file_digest(file, _hash)
        except OSError:
            return str(path), "", False
        changed = max(state.st_mtime, state.st_ctime)
        return stamp, found.hexdigest(), time.time() - changed > _SETTLED_SECONDS

    seen = list(in_threads(look, paths, "Hashing", progress and not known))
    settled = {stamp: found for stamp, found, keep in seen if keep}
    if settled != known:
        # It saves the time to hash the files again, and nothing else depends on it.
        with suppress(InputError, OSError):
            write_json(cache_folder() / memory, settled, None)
    return [found for _, found, _ in seen]


def copies_of(files: Sequence[Path], contents: Iterable[str]) -> list[list[str]]:
    """The names of files that hold the same, by their hashes; several names in each list."""
    alike: dict[str, list[str]] = {}
    for file, content in zip(files, contents, strict=True):
        alike.setdefault(content, []).append(printable(file))
    return [names for content, names in alike.items() if content and len(names) > 1]


def _hash(content: bytes = b"") -> "hashlib.blake2b":
    return hashlib.blake2b(content, digest_size=16)


def _build(folder: Path, clips: LabelledClips, progress: bool) -> None:
    """Read every file into a folder that takes its name only when it is whole."""

    def read(row: int) -> tuple[np.ndarray, np.float32] | str:
        path = clips.paths[row]
        try:
            return _quantise(load_audio(path, SAMPLE_RATE, *clips.part(row)).numpy())
        except InputError as error:
            if isinstance(error.__cause__, Unreached):
                unreached.append(path)
            return str(error).removeprefix(f"{printable(path)} ").partition(";")[0]

    unreached: list[Path] = []
    for other in folder.parent.glob(".waves-*"):
        with suppress(OSError):
            newest = max(path.stat().st_mtime for path in (other, *other.iterdir()))
            if time.time() - newest > _DEAD_SECONDS:
                shutil.rmtree(other)
    starts, scales, checksums, refused = [0], [], [], {}
    reading = in_threads(read, range(len(clips)), f"Reading {clips.name}", progress)
    try:
        with atomic_folder(folder) as temporary:
            with open(temporary / "samples.int16", "wb") as file, closing(reading) as waves:
                for row, wave in enumerate(waves):
                    if isinstance(wave, str):
                        refused[row] = wave
                        continue
                    file.write(wave[0])
                    starts.append(starts[-1] + len(wave[0]))
                    scales.append(wave[1])
                    checksums.append(crc32(wave[0]))
                file.flush()
                os.fsync(file.fileno())
            # What is kept is of the bytes in its name; a file that had none then has none now.
            if _contents(clips, False) not in folder.name or any(file_hashes(unreached, False)):
                raise _ChangedError(_changed(clips, refused))
            index = {
                "starts": np.array(starts, dtype=np.int64),
                "scales": np.array(scales, dtype=np.float32),
                "checksums": np.array(checksums, dtype=np.uint32),
                "refused": np.array(json.dumps(refused)),
            }
            with open(temporary / "index.npz", "wb") as file:
                np.savez(file, **index)
                file.flush()
                os.fsync(file.fileno())
    except OSError:
        # Another process was first, and what it wrote is the same.
        if not folder.is_dir():
            raise


def _changed(clips: LabelledClips, refused: dict[int, str]) -> str:
    names = (f" (first: {printable(clips.paths[row])} {why})" for row, why in refused.items())
    return (
        f"recordings of {clips.name} went or changed while they were read{next(names, '')}; see that "
        "all are there, and run this again."
    )


def _quantise(wave: np.ndarray) -> tuple[np.ndarray, np.float32]:
    """(n,) float32 as (n,) int16 and the size of a step, 0 for silence."""
    step = np.float32(np.abs(wave).max() / _LARGEST)
    # A step below the smallest normal number is coarse enough to leave the range of 16 bits.
    levels = np.rint(wave / (step or np.float32(1))).clip(-_LARGEST, _LARGEST)
    return levels.astype("<i2"), step
