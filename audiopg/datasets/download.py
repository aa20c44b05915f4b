"""Benchmarks from their official sources: resumed where they broke off, checked, then unpacked."""

import io
import shutil
import struct
import tarfile
import zipfile
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import accumulate
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from tqdm import tqdm

from audiopg._types import AnyPath
from audiopg.datasets.benchmarks import find_benchmark
from audiopg.datasets.decoding import Spans
from audiopg.environment import writing
from audiopg.errors import InputError
from audiopg.fetch import fetch
from audiopg.runs import run_folder

_BLOCK = 1 << 20
# What the standard library makes of a damaged archive; with a number, of the system.
_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, struct.error, EOFError)
_DAMAGE += (OSError, RuntimeError, ValueError)


def download(name: str, out: AnyPath, progress: bool = True) -> Path:
    """Bring a benchmark into a folder of recordings, in its official layout.

    What has arrived is kept in ``.NAME.part`` there, so that a download that broke off, or was
    interrupted, goes on when it is called again; the benchmark appears only when it is whole.

    Args:
        name: as `find_dataset` knows it; "esc10" comes as a part of ESC-50.
        out: the folder of recordings, made where it is not there.
        progress: whether to show progress bars.

    Returns:
        The benchmark's own folder. Where it is there already, nothing is done.

    Raises:
        InputError: when a file cannot be fetched or is not the official one, or when an archive is
            damaged or would write outside its folder.
    """
    benchmark = find_benchmark(name)
    target = Path(out) / benchmark.folders[-1]
    if target.exists():
        return target
    work = target.with_name(f".{target.name}.part")
    with run_folder(work), writing(out):
        volumes = [
            [fetch(url, checksum, work, progress) for url, checksum in archive.volumes]
            for archive in benchmark.archives
        ]
        # What an earlier call began to unpack.
        shutil.rmtree(work / "unpacked", ignore_errors=True)
        (work / "unpacked").mkdir()
        for archive, paths in zip(benchmark.archives, volumes, strict=True):
            unpack(paths, work / "unpacked", archive.root, progress)
        (work / "unpacked").rename(target)
        shutil.rmtree(work)
    return target


def unpack(volumes: Sequence[Path], folder: Path, root: str, progress: bool = True) -> None:
    """Write the files of a .tar.gz or .zip archive into a folder.

    Args:
        volumes: the archive, or the volumes of a split .zip archive, the last one last.
        folder: to hold the files.
        root: the folder in the archive whose content is wanted; what lies elsewhere is left out.
        progress: whether to show a progress bar.

    Raises:
        InputError: when the archive is damaged, or holds a link or a path out of the folder.
    """
    description = f"Unpacking {volumes[-1].name}"
    try:
        for name, source in tqdm(_members(volumes), description, unit="file", disable=not progress):
            path = PurePosixPath(name)
            if source is None or path.is_absolute() or {"..", "\\", ":"} & {*path.parts, *name}:
                raise InputError(
                    f"{volumes[-1]} holds {name!r}, a link or a path out of its folder; "
                    "it is not the official archive."
                )
            if path.is_relative_to(root):
                into = folder / path.relative_to(root)
                into.parent.mkdir(parents=True, exist_ok=True)
                with source, open(into, "wb") as file:
                    shutil.copyfileobj(source, file, _BLOCK)
    except InputError:
        raise
    except _DAMAGE as error:
        if getattr(error, "errno", None):
            with writing(folder):
                raise
        raise InputError(
            f"{volumes[-1]} is damaged ({error}); delete it, then download it again."
        ) from error


def _members(volumes: Sequence[Path]) -> Iterator[tuple[str, BinaryIO | None]]:
    """The path and content of every file; no content for a link or a device."""
    with ExitStack() as stack:
        if volumes[-1].suffix == ".gz":
            archive = stack.enter_context(tarfile.open(volumes[-1], "r|gz"))
            for member in archive:
                if not member.isdir():
                    yield member.name, archive.extractfile(member) if member.isfile() else None
            return
        pieces = [stack.enter_context(open(path, "rb")) for path in volumes]
        spans = [(piece, 0, piece.seek(0, io.SEEK_END)) for piece in pieces]
        whole = io.BufferedReader(Spans(*spans))
        archive = stack.enter_context(zipfile.ZipFile(whole))
        # Places count from the start of a file's own volume. Python takes them to count from that of the
        # volume on which the directory begins, as they do where there is one (3.13).
        starts = [0, *accumulate(size for _, _, size in spans)]
        first = starts[bisect_right(starts, archive.start_dir) - 1]
        for member in archive.infolist():
            if member.volume >= len(volumes):
                raise zipfile.BadZipFile("it names a volume that is not there")
            member.header_offset += starts[member.volume] - first
            if hasattr(member, "_end_offset"):
                # What newer Pythons made of the places before, to refuse files that overlap.
                member._end_offset = None
            # A link in a zip archive is a small file that holds its path, and stays one.
            if not member.is_dir():
                yield member.filename, archive.open(member)
