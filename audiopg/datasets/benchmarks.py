"""The benchmarks by name: where they come from, where they lie, and what is there."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from audiopg._types import AnyPath
from audiopg.datasets.audio import LabelledClips, find_damage, in_threads, printable, read_header
from audiopg.datasets.cache import copies_of, file_hashes
from audiopg.datasets.esc50 import esc50
from audiopg.datasets.fsd50k import fsd50k
from audiopg.datasets.speech_commands import speech_commands
from audiopg.datasets.tables import require_folder
from audiopg.datasets.urbansound8k import urbansound8k
from audiopg.errors import InputError


@dataclass(frozen=True)
class Archive:
    """A .tar.gz or .zip archive of a benchmark.

    Attributes:
        volumes: the address and the checksum of each of its files, the last volume of a split .zip
            archive last.
        root: the folder in the archive that holds what is wanted.
    """

    volumes: list[tuple[str, str]]
    root: str = "."


@dataclass(frozen=True)
class Benchmark:
    """A benchmark: how it is read, which folders it can be in, and where it comes from.

    Attributes:
        load: reads it from its own folder, called as ``load(folder, skip_bad=...)``.
        folders: its official names in a folder of recordings; the first that is there is taken, and
            a download goes to the last.
        terms: the licence, and what it does not allow.
        archives: the official source.
        marks: what lies in its folder and, together, in no other.
    """

    load: Callable[..., LabelledClips]
    folders: list[str]
    terms: str
    archives: list[Archive]
    marks: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Description:
    """What is there of a benchmark, or of one's own recordings.

    Attributes:
        clips: the files, their labels and folds.
        lengths: seconds of each clip that can be used, as the headers say.
        sample_rates: Hz, and how many files have each.
        copies: the names of files that hold the same, bit by bit.
        bad: files that cannot be used, and why.
    """

    clips: LabelledClips
    lengths: np.ndarray
    sample_rates: dict[int, int]
    copies: list[list[str]]
    bad: dict[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """All clips together."""
        return float(self.lengths.sum())


def _zenodo(record: int, files: dict[str, str]) -> list[tuple[str, str]]:
    return [
        (f"https://zenodo.org/records/{record}/files/{name}", f"md5:{md5}")
        for name, md5 in files.items()
    ]


# The last commit of its main branch. GitHub publishes no checksum of the archives that it makes on
# demand; this is the one that two public projects state for the commit.
_ESC50_COMMIT = "33c8ce9eb2cf0b1c2f8bcf322eb349b6be34dbb6"
_ESC50_FILE = (
    f"https://github.com/karolpiczak/ESC-50/archive/{_ESC50_COMMIT}.zip",
    "sha256:661183a6f53ef04f12c9bd618fed0ddc1713280d6c94a5a5431e844ba6f6a21f",
)
_ESC50 = Archive([_ESC50_FILE], root=f"ESC-50-{_ESC50_COMMIT}")
# The checksum that torchaudio and TensorFlow Datasets state.
_SPEECH_COMMANDS_FILE = (
    "https://storage.googleapis.com/download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
    "sha256:af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
)
# The checksums of Zenodo, as its records and soundata state them.
_URBANSOUND8K = Archive(
    _zenodo(1203745, {"UrbanSound8K.tar.gz": "9aa69802bbf37fb986f71ec1483a196e"}),
    root="UrbanSound8K",
)
_FSD50K = [
    Archive(_zenodo(4060432, files))
    for files in (
        {"FSD50K.ground_truth.zip": "ca27382c195e37d2269c4c866dd73485"},
        {"FSD50K.metadata.zip": "b9ea0c829a411c1d42adb9da539ed237"},
        {"FSD50K.doc.zip": "3516162b82dc2945d3e7feba0904e800"},
        {
            "FSD50K.eval_audio.z01": "3090670eaeecc013ca1ff84fe4442aeb",
            "FSD50K.eval_audio.zip": "6fa47636c3a3ad5c7dfeba99f2637982",
        },
        {
            "FSD50K.dev_audio.z01": "faa7cf4cc076fc34a44a479a5ed862a3",
            "FSD50K.dev_audio.z02": "8f9b66153e68571164fb1315d00bc7bc",
            "FSD50K.dev_audio.z03": "1196ef47d267a993d30fa98af54b7159",
            "FSD50K.dev_audio.z04": "d088ac4e11ba53daf9f7574c11cccac9",
            "FSD50K.dev_audio.z05": "81356521aa159accd3c35de22da28c7f",
            "FSD50K.dev_audio.zip": "c480d119b8f7a7e32fdb58f3ea4d6c5a",
        },
    )
]
_NOT_FOR_MONEY = "name the authors; commercial use is not allowed"

BENCHMARKS = {
    "esc10": Benchmark(
        partial(esc50, esc10=True),
        ["ESC-10", "ESC-50"],
        f"ESC-50 is under CC BY-NC 3.0: {_NOT_FOR_MONEY}. Its ESC-10 clips are under CC BY 3.0.",
        [_ESC50],
        ("meta/esc50.csv",),
    ),
    "esc50": Benchmark(
        esc50,
        ["ESC-50"],
        f"ESC-50 is under CC BY-NC 3.0: {_NOT_FOR_MONEY}.",
        [_ESC50],
        ("meta/esc50.csv",),
    ),
    "urbansound8k": Benchmark(
        urbansound8k,
        ["UrbanSound8K"],
        f"UrbanSound8K is under CC BY-NC 3.0: {_NOT_FOR_MONEY}.",
        [_URBANSOUND8K],
        ("metadata/UrbanSound8K.csv",),
    ),
    "speech_commands": Benchmark(
        speech_commands,
        ["speech_commands_v0.02", "SpeechCommands/speech_commands_v0.02"],
        "Speech Commands is under CC BY 4.0: name the authors.",
        [Archive([_SPEECH_COMMANDS_FILE])],
        ("validation_list.txt", "testing_list.txt", "backward"),
    ),
    "fsd50k": Benchmark(
        fsd50k,
        ["FSD50K"],
        "FSD50K is under CC BY 4.0, each of its clips under CC0, CC BY, CC BY-NC or CC Sampling+: "
        "name the authors; of the clips under CC BY-NC commercial use is not allowed.",
        _FSD50K,
        ("FSD50K.ground_truth",),
    ),
}


def find_benchmark(name: str) -> Benchmark:
    """The benchmark of a name, one of `BENCHMARKS`.

    Raises:
        InputError: for another name.
    """
    if name not in BENCHMARKS:
        raise InputError(f"no data set is called {name!r}; choose from {', '.join(BENCHMARKS)}.")
    return BENCHMARKS[name]


def find_dataset(name: str, data: AnyPath | None, skip_bad: bool = False) -> LabelledClips | None:
    """A benchmark in a folder of recordings, under its official folder name.

    Args:
        name: one of `BENCHMARKS`; "esc10" is its own ``ESC-10/``, or a part of ``ESC-50/``.
        data: the folder of recordings, or None.
        skip_bad: leave out files that are missing, and name them in ``skipped``.

    Returns:
        The clips, or None where the benchmark is not there.

    Raises:
        InputError: for another name, or a benchmark that is there and cannot be used.
    """
    benchmark = find_benchmark(name)
    if data is None:
        return None
    data = require_folder(data, "the recordings")
    found = [data / folder for folder in benchmark.folders if (data / folder).is_dir()]
    return benchmark.load(found[0], skip_bad=skip_bad) if found else None


def refuse_benchmark(path: Path) -> None:
    """Refuse the path of a benchmark, of its recordings or of its table, for it has a name."""
    is_inside = path.name == "audio" or "FSD50K." in path.name
    found = [path, path.parent] if is_inside else [path]
    found += [path.parents[1]] if path.is_file() and len(path.parents) > 1 else []
    for folder in found:
        names = [name for name, each in BENCHMARKS.items() if _is_of(each, path, folder)]
        if names:
            raise InputError(
                f"{printable(path)} is of the data set {' or '.join(names)}, whose labels and folds are "
                f"not read by a path; name it so, and {printable(folder.parent)} as the folder of "
                f"recordings (--dataset {names[-1]} --data {printable(folder.parent)}), in which it is "
                f"called {' or '.join(BENCHMARKS[names[-1]].folders)}."
            )


def _is_of(benchmark: Benchmark, path: Path, folder: Path) -> bool:
    """Whether a folder has the marks of a benchmark, and a path, if it is a file, is one of them."""
    marks = [folder / mark for mark in benchmark.marks]
    return all(mark.exists() for mark in marks) and (path.is_dir() or path in marks)


def find_esc10(data: Path | None) -> LabelledClips | None:
    """ESC-10 in a folder of recordings, or None; ``find_dataset("esc10", data)``."""
    return find_dataset("esc10", data)


def describe(
    name: str | LabelledClips, data: Path | None = None, decode: bool = False, progress: bool = True
) -> Description | None:
    """What is there of a benchmark in a folder of recordings, or of clips that were found before.

    Args:
        name: one of `BENCHMARKS`; or the clips, such as those of `read_dataset`.
        data: the folder of recordings.
        decode: decode every file, to find damage that its header does not show.
        progress: whether to show a progress bar.

    Returns:
        The description, or None where the benchmark is not there.

    Raises:
        InputError: for another name, or a benchmark whose tables cannot be used.
    """
    clips = name if isinstance(name, LabelledClips) else find_dataset(name, data, skip_bad=True)
    if clips is None:
        return None
    files = list(dict.fromkeys(clips.paths))

    def look(path: Path) -> tuple[int, int] | str:
        header = read_header(path)
        if decode and not isinstance(header, str):
            return find_damage(path) or header
        return header

    found = dict(zip(files, in_threads(look, files, clips.name, progress), strict=True))
    headers = {path: header for path, header in found.items() if not isinstance(header, str)}
    lengths = []
    for row, path in enumerate(clips.paths):
        if path in headers:
            start, end, _ = clips.part(row)
            lengths.append((headers[path][0] / headers[path][1] if end is None else end) - start)
    return Description(
        clips,
        np.array(lengths, dtype=np.float64),
        dict(sorted(Counter(rate for _, rate in headers.values()).items())),
        copies_of(files, file_hashes(files, progress)) if decode else [],
        clips.skipped | {str(path): why for path, why in found.items() if isinstance(why, str)},
    )
