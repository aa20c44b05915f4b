"""ESC-50 and ESC-10, environmental sounds in 5 official folds (Piczak 2015)."""

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from audiopg.datasets.audio import LabelledClips
from audiopg.errors import InputError

_COLUMNS = ("filename", "fold", "target", "category", "esc10")
_NAMES_SHOWN = 3


class _Row(NamedTuple):
    filename: str
    fold: int
    target: int
    category: str
    esc10: bool


def esc50(folder: str | os.PathLike, esc10: bool = False) -> LabelledClips:
    """ESC-50, or its ten-class part ESC-10, from the official layout.

    Args:
        folder: holds ``meta/esc50.csv`` and ``audio/``. File names are taken as the csv gives
            them, whatever their format.
        esc10: keep only the clips of ESC-10.

    Returns:
        The clips in the order of the csv, with folds 1 to 5. Labels count from 0 over the classes
        present, in the order of the official ``target``. The name is "ESC-10" when every clip
        belongs to it.

    Raises:
        InputError: when the folder, the csv, one of its columns or a listed file is missing, when
            a row cannot be used, or when no row is left.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(
            f"{folder} is not a folder; name the one that holds meta/esc50.csv and audio/."
        )
    meta = folder / "meta" / "esc50.csv"
    rows = [row for row in _read_rows(meta) if row.esc10 or not esc10]
    if not rows:
        kind = "no row whose esc10 is True" if esc10 else "no rows"
        raise InputError(f"{meta} holds {kind}; replace it by the official file.")
    _require_consistent(meta, rows)

    paths = [folder / "audio" / row.filename for row in rows]
    missing = [
        repr(row.filename)
        for row, path in zip(rows, paths, strict=True)
        if not os.path.isfile(path)
    ]
    if missing:
        shown = ", ".join(missing[:_NAMES_SHOWN]) + (", ..." if len(missing) > _NAMES_SHOWN else "")
        raise InputError(
            f"{len(missing)} of the {len(paths)} files listed in {meta} are not in "
            f"{folder / 'audio'} ({shown}); download the recordings again."
        )
    targets, labels = np.unique([row.target for row in rows], return_inverse=True)
    categories = {row.target: row.category for row in rows}
    only_esc10 = all(row.esc10 for row in rows)
    return LabelledClips(
        name="ESC-10" if only_esc10 else "ESC-50",
        paths=paths,
        labels=labels.astype(np.int64),
        folds=np.array([row.fold for row in rows], dtype=np.int64),
        classes=[categories[int(target)] for target in targets],
        licence="CC BY 3.0" if only_esc10 else "CC BY-NC 3.0",
    )


def find_esc10(data: Path | None) -> LabelledClips | None:
    """ESC-10 in a folder of recordings: its own ``ESC-10/``, or its part of ``ESC-50/``.

    Args:
        data: the folder, or None.

    Returns:
        The clips, or None where neither folder is there.

    Raises:
        InputError: as `esc50`, for a folder that is there and cannot be used.
    """
    if data is None:
        return None
    found = [data / name for name in ("ESC-10", "ESC-50") if (data / name).is_dir()]
    return esc50(found[0], esc10=True) if found else None


def _read_rows(meta: Path) -> Iterator[_Row]:
    """The rows of the csv, each field checked."""
    try:
        with open(meta, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            absent = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
            if absent:
                raise InputError(
                    f"{meta} lacks the column {absent[0]!r}; "
                    f"the official file has {', '.join(_COLUMNS)}."
                )
            for row in reader:
                where = f"{meta}, line {reader.line_num}"
                filename, category = (_text(row, name, where) for name in ("filename", "category"))
                fold = _whole_number(row, "fold", 1, 5, where)
                target = _whole_number(row, "target", 0, 49, where)
                if row["esc10"] not in ("True", "False"):
                    raise InputError(f"{where}: esc10 is {row['esc10']!r}; write True or False.")
                yield _Row(filename, fold, target, category, row["esc10"] == "True")
    except OSError as error:
        raise InputError(
            f"{meta} cannot be read ({error.strerror}); download ESC-50 again."
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{meta} is not a csv file in UTF-8 ({error}); replace it by the official file."
        ) from error


def _text(row: dict[str, str | None], column: str, where: str) -> str:
    value = row[column]
    if not value:
        raise InputError(f"{where}: the {column} is empty; write one or remove the row.")
    return value


def _whole_number(
    row: dict[str, str | None], column: str, lowest: int, highest: int, where: str
) -> int:
    value = row[column]
    allowed = {str(number): number for number in range(lowest, highest + 1)}
    if value not in allowed:
        raise InputError(
            f"{where}: {column} is {value!r}; write a whole number from {lowest} to {highest}."
        )
    return allowed[value]


def _require_consistent(meta: Path, rows: list[_Row]) -> None:
    """Refuse a file listed twice (it could be trained and tested on) and a class of two names."""
    seen: set[str] = set()
    category_of: dict[int, str] = {}
    target_of: dict[str, int] = {}
    for row in rows:
        if row.filename in seen:
            raise InputError(f"{meta} lists {row.filename!r} twice; remove one of the rows.")
        seen.add(row.filename)
        if (
            category_of.setdefault(row.target, row.category) != row.category
            or target_of.setdefault(row.category, row.target) != row.target
        ):
            raise InputError(
                f"{meta}: {row.filename!r} joins target {row.target} with {row.category!r}, "
                "another row does not; give every target one category."
            )
