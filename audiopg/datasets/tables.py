"""What the official layouts share: tables of clips, each row checked, put together into one set."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from audiopg._types import AnyPath
from audiopg.datasets.audio import LabelledClips
from audiopg.datasets.manifest_rows import table_rows
from audiopg.errors import InputError
from audiopg.inputs import as_path

# The folds of a benchmark with one official split.
TRAINING, VALIDATION, TESTING = 1, 2, 3
SPLIT = {TRAINING: "training", VALIDATION: "validation", TESTING: "testing"}


class ListedClip(NamedTuple):
    """A clip as its benchmark lists it; ``target`` orders the classes, ``source`` is what the clip
    was cut from."""

    path: Path
    fold: int
    target: int
    category: str
    source: str


def read_rows(
    table: Path, columns: Sequence[str], header: bool = True
) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows of an official table, each with where it stands, for messages.

    Args:
        columns: those that are needed; others are let through.
        header: whether the first line names the columns; without it they are ``columns``.

    Raises:
        InputError: as `table_rows`; when a column is missing.
    """
    for where, row in table_rows(table, header):
        row = row if header else dict(zip(columns, row.values(), strict=False))
        if absent := [name for name in columns if name not in row]:
            raise InputError(
                f"{table} lacks the column {absent[0]!r}; the official file has "
                f"{', '.join(columns)}."
            )
        yield where, row


def text(where: str, row: dict[str, str], column: str) -> str:
    """A field that is not empty."""
    value = row[column]
    if not value:
        raise InputError(f"{where}: the {column} is empty; write one or remove the row.")
    return value


def file_name(where: str, row: dict[str, str], column: str) -> str:
    """A field that names a file, and no file of another folder."""
    value = text(where, row, column)
    if Path(value).name != value:
        raise InputError(f"{where}: {column} is {value!r}; write the name of a file alone.")
    return value


def whole_field(where: str, row: dict[str, str], column: str, lowest: int, highest: int) -> int:
    """A field that is a whole number between two others, both allowed."""
    value = row[column]
    allowed = {str(number): number for number in range(lowest, highest + 1)}
    if value not in allowed:
        raise InputError(
            f"{where}: {column} is {value!r}; write a whole number from {lowest} to {highest}."
        )
    return allowed[value]


def require_folder(folder: AnyPath, holds: str) -> Path:
    """The folder as a path, where it is one."""
    folder = as_path(folder, "folder")
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; name the one that holds {holds}.")
    return folder


def split_missing(
    paths: Sequence[Path], table: Path, folder: Path, skip_bad: bool
) -> tuple[list[int], dict[str, str]]:
    """The rows whose file is there, and why each of the others is left out.

    Raises:
        InputError: for a file that is listed twice (it could be trained and tested on), and naming
            every file that is not there, unless they are to be skipped.
    """
    if not paths:
        raise InputError(f"{table} holds no rows; replace it by the official file.")
    twice = [path for path, count in Counter(paths).items() if count > 1]
    if twice:
        raise InputError(f"{table} lists {twice[0].name!r} twice; remove one of the rows.")
    kept = [row for row, path in enumerate(paths) if os.path.isfile(path)]
    missing = sorted(set(paths) - {paths[row] for row in kept})
    if missing and not (skip_bad and kept):
        names = ", ".join(repr(path.relative_to(folder).as_posix()) for path in missing)
        raise InputError(
            f"{len(missing)} of the {len(paths)} files listed are missing from {folder} "
            f"({names}); download the recordings again."
        )
    return kept, dict.fromkeys(map(str, missing), "is missing")


def assemble(
    listed: Sequence[ListedClip],
    table: Path,
    folder: Path,
    skip_bad: bool,
    name: str,
    licence: str,
    fold_names: dict[int, str],
    test_folds: list[int],
) -> LabelledClips:
    """The clips of a benchmark in which each has one label.

    Labels count from 0 over the classes present, in the order of their targets.

    Raises:
        InputError: as `split_missing`; when a target has two categories or a category two targets;
            when no clip is left in one of the folds.
    """
    category_of: dict[int, str] = {}
    target_of: dict[str, int] = {}
    for clip in listed:
        if (
            category_of.setdefault(clip.target, clip.category) != clip.category
            or target_of.setdefault(clip.category, clip.target) != clip.target
        ):
            raise InputError(
                f"{table}: {clip.path.name!r} joins target {clip.target} with {clip.category!r}, "
                "another row does not; give every target one category."
            )
    kept, skipped = split_missing([clip.path for clip in listed], table, folder, skip_bad)
    clips = [listed[row] for row in kept]
    require_folds(table, [clip.fold for clip in clips], fold_names)
    targets, labels = np.unique([clip.target for clip in clips], return_inverse=True)
    return LabelledClips(
        name=name,
        paths=[clip.path for clip in clips],
        labels=labels.astype(np.int64),
        folds=np.array([clip.fold for clip in clips], dtype=np.int64),
        classes=[category_of[int(target)] for target in targets],
        licence=licence,
        fold_names=fold_names,
        test_folds=test_folds,
        skipped=skipped,
        sources=np.unique([clip.source for clip in clips], return_inverse=True)[1].astype(np.int64),
    )


def require_folds(source: str | Path, folds: Sequence[int], fold_names: dict[int, str]) -> None:
    """Refuse a set in which a fold that is to be trained or tested on holds no clip."""
    empty = [name for fold, name in fold_names.items() if fold not in folds]
    if empty:
        raise InputError(f"{source} leaves no clip for {empty[0]}; download the recordings again.")


def cross_validation(folds: Sequence[int]) -> dict:
    """``fold_names`` and ``test_folds`` of a benchmark in which every fold is tested in turn."""
    present = sorted(set(folds))
    return {"fold_names": {fold: f"fold {fold}" for fold in present}, "test_folds": present}
