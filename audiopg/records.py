"""Records of runs: what was run, what came out, on which machine, from which commit.

A record is a small JSON file that the run itself writes, in ``results/`` of a clone of the project or
in another folder. Every figure in the book comes from a record, or from the page's own execution.
"""

import base64
import hashlib
import os
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from audiopg._types import AnyPath, DataFrame
from audiopg.environment import provenance, require_writable, write_json, writing
from audiopg.errors import InputError
from audiopg.inputs import read_json, read_object, shown
from audiopg.runs import TRACES

Found = TypeVar("Found")

# Bytes of a name: file systems have room for 255, and an ending and a temporary name are added.
_LONGEST = 200

RESULTS = Path(__file__).resolve().parents[1] / "results"
_WEIGHTS = Path(__file__).parent / "weights"


def results_folder(folder: AnyPath | None = None) -> Path:
    """The named folder of records, or ``results/`` of the clone when None.

    Raises:
        InputError: when None, and audiopg does not run from a clone of the project.
    """
    if folder is not None:
        return Path(folder)
    if not (RESULTS / "paper.json").is_file():
        raise InputError(
            f"{RESULTS} is no folder of records, because audiopg does not run from a clone of its "
            "project; run this in a clone, or name a folder."
        )
    return RESULTS


def record_path(name: str, folder: AnyPath | None = None) -> Path:
    """The path of a record.

    Args:
        name: of the record, at most 200 letters, digits, "-" and "_". Without ``folder`` the name may
            have a folder before it, as in "elsewhere/name".
        folder: of the records; results/ of the clone when None.

    Raises:
        InputError: for another name, or as `results_folder`.
    """
    if not isinstance(name, str):
        raise InputError(f"{shown(name)} names no record; give a text.")
    before, plain = os.path.split(name) if folder is None else ("", name)
    if not 1 <= len(os.fsencode(plain)) <= _LONGEST or not all(
        c.isalnum() or c in "-_" for c in plain
    ):
        raise InputError(
            f"{name!r} names no record; use at most {_LONGEST} letters, digits, '-' and '_'."
        )
    return results_folder(before or folder) / f"{plain}.json"


def require_records(*names: str | None) -> None:
    """See, before any work, that records can be written, and take no place but that of another record.

    Args:
        names: of the records, as `record_path` takes them; None for none.

    Raises:
        InputError: as `record_path`; where a record cannot be written, or another file has its name, or
            will have it.
    """
    for path in [record_path(name) for name in names if name is not None]:
        # Most records take less than 100 kB.
        require_writable(path.parent, 1e5)
        if path.exists():
            there = read_json(path, "take it away, or name another record")
            if not isinstance(there, dict) or not {"name", "settings", "metrics"} <= there.keys():
                raise InputError(
                    f"{path} is no record, but another file, such as a run's; name another record."
                )
        # The run itself may be about to write it.
        elif path.name in TRACES:
            raise InputError(f"{path} has the name of a file of a run; name another record.")


def path_from_here(path: str | None) -> str | None:
    """A path as it is called from the working folder: a record is read on other machines."""
    return os.path.relpath(path) if path and os.path.isabs(path) else path


def write_record(
    name: str,
    *,
    settings: dict,
    metrics: dict,
    seconds: float,
    data: str,
    protocol: str,
    where: dict | None = None,
    folder: AnyPath | None = None,
) -> Path:
    """Write ``<name>.json`` with the figures of a run and where they came from.

    Args:
        name: of the record, as `record_path` takes it.
        settings: everything needed to run it again.
        metrics: figures per fold and seed.
        seconds: wall-clock time of the run.
        data: which clips, and their licence.
        protocol: in a sentence, how the figures were obtained.
        where: the run's `audiopg.environment.provenance`; that of this process when None.
        folder: of the records; results/ of the clone when None.

    Returns:
        The path written.

    Raises:
        InputError: as `record_path`.
    """
    path = record_path(name, folder)
    record = {
        "name": name,
        "settings": settings,
        "metrics": metrics,
        "seconds": round(seconds, 1),
        "data": data,
        "protocol": protocol,
        **({"weights": used} if (used := weights_of(settings)) else {}),
        **(where or provenance()),
    }
    with writing(path):
        write_json(path, record)
    return path


def weights_of(settings: Mapping) -> dict[str, str]:
    """The SHA-256, by name, of those weights of the package that a record's settings name."""
    places = ("model", "start", "beside", "by_clips")
    named = [settings.get(place) or () for place in places]
    names = {name for each in named for name in ([each] if isinstance(each, str) else each)}
    files = {path.stem: path for path in _WEIGHTS.glob("*.safetensors")}
    return {
        name: hashlib.sha256(files[name].read_bytes()).hexdigest()
        for name in sorted(names & files.keys())
    }


def other_weights(record: Mapping) -> list[str]:
    """The names of weights that have changed in the package since a record was made."""
    used = record.get("weights") or {}
    now = weights_of({"model": list(used)})
    return [name for name, digest in used.items() if now.get(name) != digest]


def read_record(name: str, folder: AnyPath | None = None) -> dict | None:
    """The record of that name, or None where it has not been run yet.

    Raises:
        InputError: for a damaged record, or as `record_path`.
    """
    path = record_path(name, folder)
    if not path.exists():
        return None
    remedy = "delete it, and run it again"
    record = read_object(path, remedy)
    for part in ("settings", "metrics", "weights"):
        if not isinstance(record.get(part, {}), dict):
            raise InputError(f"{path} is damaged: its {part} are no object; {remedy}.")
    return record


def pack(found: object) -> dict:
    """The findings of an analysis as a record holds them: arrays with 16 bits a number.

    Args:
        found: a dataclass of tensors, arrays, numbers and names, such as
            `audiopg.analysis.FilterGrowth`, or a dict of such. Magnitudes are clipped at 65,504, the
            largest of half precision.
    """
    if isinstance(found, dict):
        return {name: pack(part) for name, part in found.items()}
    packed = {}
    for field in fields(found):
        value = getattr(found, field.name)
        if isinstance(value, Tensor):
            value = value.detach().cpu().numpy()
        if isinstance(value, np.ndarray) and np.issubdtype(value.dtype, np.floating):
            largest = np.finfo(np.float16).max
            half = value.clip(-largest, largest).astype("<f2")
            text = base64.b64encode(half.tobytes()).decode("ascii")
            value = {"shape": list(value.shape), "float16": text}
        packed[field.name] = value.tolist() if isinstance(value, np.ndarray) else value
    return packed


def unpack(kind: type[Found], packed: Mapping) -> Found:
    """The dataclass that `pack` packed, its arrays with 16 bits a number.

    A field that was added to the dataclass after the record was made has its default.

    Raises:
        InputError: for a field that is missing and has no default.
    """
    values = {}
    for field in fields(kind):
        if field.name not in packed:
            if field.default is not MISSING:
                continue
            raise InputError(f"the record has no {field.name!r} of {kind.__name__}; run it again.")
        value = packed[field.name]
        if isinstance(value, dict):
            half = np.frombuffer(base64.b64decode(value["float16"]), dtype="<f2")
            value = half.astype(np.float64).reshape(value["shape"])
        if field.type is Tensor:
            value = torch.as_tensor(value)
        elif field.type is np.ndarray:
            value = np.asarray(value)
        values[field.name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


def read_table(table: Mapping) -> DataFrame:
    """A table from the ``columns`` and ``data`` in which a record holds it."""
    import pandas

    return pandas.DataFrame(table["data"], columns=table["columns"])


def paper_table(name: str, folder: AnyPath | None = None) -> DataFrame:
    """A table of the paper, as printed there: "table_1" to "table_5", or "section_4_4".

    Args:
        name: of the table.
        folder: with the record "paper"; results/ of the clone when None.

    Raises:
        InputError: for a table that is not among them, a folder without that record, or as
            `results_folder`.
    """
    import pandas

    paper = read_record("paper", folder)
    if paper is None:
        raise InputError(f"{folder} has no paper.json; name results/ of a clone of the project.")
    tables = {key: table for key, table in paper.items() if isinstance(table, dict)}
    if name not in tables:
        raise InputError(f"no table is called {name!r}; choose from {list(tables)}.")
    table = tables[name]
    return pandas.DataFrame.from_dict(table["rows"], orient="index", columns=table["columns"])
