"""Records of runs: what was run, what came out, on which machine, from which commit.

A record is a small JSON file in ``results/``, written by the run itself. A figure stands in the
book only if a record, or the page's own execution, made it.
"""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from audiopg.environment import atomic_path, provenance
from audiopg.errors import InputError

if TYPE_CHECKING:
    import pandas

RESULTS = Path(__file__).resolve().parents[1] / "results"


def write_record(
    name: str,
    *,
    settings: dict,
    metrics: dict,
    seconds: float,
    data: str,
    protocol: str,
    where: dict | None = None,
    folder: str | os.PathLike = RESULTS,
) -> Path:
    """Write ``<name>.json`` with the figures of a run and where they came from.

    Args:
        name: of the record; letters, digits, "-" and "_".
        settings: everything needed to run it again.
        metrics: figures per fold and seed.
        seconds: wall-clock time of the run.
        data: which clips, and their licence.
        protocol: in a sentence, how the figures were obtained.
        where: the run's `audiopg.environment.provenance`; that of this process when None.
        folder: of the records.

    Returns:
        The path written.

    Raises:
        InputError: for a name that is no plain file name.
    """
    path = _path(name, folder)
    record = {
        "name": name,
        "settings": settings,
        "metrics": metrics,
        "seconds": round(seconds, 1),
        "data": data,
        "protocol": protocol,
        **(where or provenance()),
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n")
    return path


def read_record(name: str, folder: str | os.PathLike = RESULTS) -> dict | None:
    """The record of that name, or None where it has not been run yet.

    Raises:
        InputError: for a damaged record.
    """
    path = _path(name, folder)
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise InputError(f"{path} is damaged ({error}); run it again.") from error


def _path(name: str, folder: str | os.PathLike) -> Path:
    if not name or not all(c.isalnum() or c in "-_" for c in name):
        raise InputError(f"{name!r} names no record; use letters, digits, '-' and '_'.")
    return Path(folder) / f"{name}.json"


def paper_table(name: str) -> "pandas.DataFrame":
    """A table of the paper, as printed there: "table_1" to "table_5", or "section_4_4".

    Raises:
        InputError: for a table that is not among them.
    """
    import pandas

    tables = {key: table for key, table in read_record("paper").items() if isinstance(table, dict)}
    if name not in tables:
        raise InputError(f"no table is called {name!r}; choose from {list(tables)}.")
    table = tables[name]
    return pandas.DataFrame.from_dict(table["rows"], orient="index", columns=table["columns"])
