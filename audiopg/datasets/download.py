"""Benchmarks from their official sources: resumed where they broke off, checked, then unpacked."""

import io
import shutil
import struct
import tarfile
import zipfile
import zlib
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
        whole = pieces[0] if len(pieces) == 1 else io.BufferedReader(_joined(pieces))
        archive = stack.enter_context(zipfile.ZipFile(whole))
        for member in archive.infolist():
            # A link in a zip archive is a small file that holds its path, and stays one.
            if not member.is_dir():
                yield member.filename, archive.open(member)


def _joined(volumes: list[BinaryIO]) -> Spans:
    """A split zip archive as one that is not, which is what Python reads.

    The directory at its end says for each file on which volume and where there it begins; here it
    is written again, counting from the beginning of the first volume (APPNOTE.TXT, sections 4.3.12
    to 4.3.16 and 4.5.3).
    """
    spans = [(volume, 0, volume.seek(0, io.SEEK_END)) for volume in volumes]
    starts = [0, *accumulate(size for _, _, size in spans)]
    tail = volumes[-1]
    tail.seek(max(0, spans[-1][2] - (1 << 16)))
    end = tail.read()
    end = end[end.rindex(b"PK\5\6") :] if b"PK\5\6" in end else b""
    disk, _, entries, size, offset = struct.unpack_from("<6xHHHLL", end)
    if disk >= len(volumes) or starts[disk] + offset + size > starts[-1] or entries == 0xFFFF:
        raise zipfile.BadZipFile("its directory is of a kind that cannot be read")
    whole = Spans(*spans)
    whole.seek(starts[disk] + offset)
    old, new, place = io.BufferedReader(whole).read(size), [], 0
    for _ in range(entries):
        lengths = struct.unpack_from("<HHH", old, place + 28)
        name, extra, _ = lengths
        disk, offset = struct.unpack_from("<H6xL", old, place + 34)
        if disk >= len(volumes) or offset == 0xFFFFFFFF:
            raise zipfile.BadZipFile("its directory is of a kind that cannot be read")
        head = bytearray(old[place : place + 46 + name + extra])
        struct.pack_into("<H", head, 30, extra + 12)
        struct.pack_into("<H6xL", head, 34, 0, 0xFFFFFFFF)
        rest = old[place + len(head) : place + 46 + sum(lengths)]
        new += [head, struct.pack("<HHQ", 1, 8, starts[disk] + offset), rest]
        place += 46 + sum(lengths)
    directory, place = b"".join(new), starts[-1]
    after = place + len(directory)
    directory += struct.pack(
        "<4sQHHLLQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, len(directory), place
    )
    directory += struct.pack("<4sLQL", b"PK\6\7", 0, after, 1)
    directory += struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0)
    return Spans(*spans, (io.BytesIO(directory), 0, len(directory)))
