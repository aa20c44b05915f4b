"""Tables: clips as a data frame, one row an event, for statistics and for spreadsheets.

The columns are the factors of `ClipParameters` by name. Those of a clip stand on each row of the
clip, the excitation is a name, and the partials are numbered from 1, ``partial_weight_1`` and on.
The index holds the row of the clip and the slot of the event in the clip, both from 0. Slots without
an event are there too, and are not ``heard``::

    to_table(params).query("heard").groupby("excitation").f0.describe()
"""

import csv
from collections.abc import Iterable

import numpy as np
import torch

from audiopg._types import AnyPath, DataFrame
from audiopg.environment import atomic_path, writing
from audiopg.errors import InputError
from audiopg.synth.excitations import EXCITATIONS
from audiopg.synth.factors import FACTORS, factor_names
from audiopg.synth.parameters import ClipParameters, is_whole, read_factor, shown

_INDEX = ["row", "event"]
_CLIP, _PARTIAL = factor_names("clip"), factor_names("partial")


def to_table(params: ClipParameters) -> DataFrame:
    """The clips as a data frame, which `from_table` turns back without loss.

    Returns:
        One row an event slot, heard or not, with the index (row, event). The partials that are
        drawn but not heard are there too; ``partial_count`` says how many sound.

    Raises:
        InputError: for a factor outside its range.
    """
    import pandas

    params.validate()
    clips, slots, partials = params.partial_weight.shape
    columns = {"heard": params.event_mask.cpu().numpy().ravel()}
    for factor in FACTORS:
        values = getattr(params, factor).cpu().numpy()
        if factor in _CLIP:
            values = values.repeat(slots)
        names = _column_names(factor, partials)
        values = values.reshape(clips * slots, len(names))
        columns |= {name: values[:, place] for place, name in enumerate(names)}
    columns["excitation"] = np.array(EXCITATIONS)[columns["excitation"]]
    index = pandas.MultiIndex.from_product([range(clips), range(slots)], names=_INDEX)
    return pandas.DataFrame(columns, index=index)


def from_table(table: DataFrame) -> ClipParameters:
    """The clips of a data frame.

    Args:
        table: as `to_table` makes it, with all of its clips or some, in any order; clips and
            events come out in that of the index. ``heard`` is not needed and not looked at: what
            is heard follows from ``event_count``. A column of a factor beyond the paper may be
            missing; the factor is neutral then.

    Raises:
        InputError: for the first column that is missing, repeated or unknown; clips with different
            numbers of events; a value of the wrong kind or out of its range; or a factor of the
            clip that differs between its events. It names the place.
    """
    import pandas

    if not isinstance(table, pandas.DataFrame):
        raise InputError(f"a table is a pandas DataFrame; this is {shown(table)}.")
    partials = _check_columns(list(table.columns))
    clips = _check_index(table)
    missing = [name for name in FACTORS if name not in (*table.columns, *_PARTIAL)]
    table = table.sort_index().assign(**{name: FACTORS[name].default for name in missing})
    at = [f"row {row}, event {event}" for row, event in table.index]
    factors = {}
    for name, factor in FACTORS.items():
        columns = []
        for column in _column_names(name, partials):
            cells = zip(at, table[column].tolist(), strict=True)
            columns.append([read_factor(name, cell, f"{place}: {column}") for place, cell in cells])
        values = torch.tensor(columns, dtype=factor.dtype).T.reshape(clips, -1, len(columns))
        factors[name] = values if name in _PARTIAL else values[..., 0]
    for name in _CLIP:
        values = factors[name]
        odd = (values != values[:, :1]).flatten().nonzero().flatten().tolist()
        if odd:
            raise InputError(
                f"{at[odd[0]]}: {name} is not that of event 0; a clip has one for all."
            )
        factors[name] = values[:, 0]
    params = ClipParameters(**{name: values.contiguous() for name, values in factors.items()})
    params.validate()
    return params


def write_table(params: ClipParameters, path: AnyPath) -> None:
    """Write clips as a CSV file; numbers keep all their digits.

    Raises:
        InputError: for factors out of their ranges, which `read_table` would not read again, or a
            file that cannot be written.
    """
    params.validate()
    with writing(path), atomic_path(path) as temporary:
        to_table(params).to_csv(temporary, lineterminator="\n")


def read_table(path: AnyPath) -> ClipParameters:
    """Read clips from a CSV file.

    Raises:
        InputError: naming the file, for one that cannot be read, is no CSV, or holds a bad table.
    """
    import pandas

    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            lines = list(csv.reader(file, strict=True))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as text ({error}).") from error
    except csv.Error as error:
        raise InputError(f"{path} is no CSV: {error}.") from error
    header, *body = lines or [[]]
    try:
        _check_once(header, _INDEX)
        for number, line in enumerate(body, 2):
            if len(line) != len(header):
                raise InputError(
                    f"the number of cells is {len(line)} in line {number} and {len(header)} in the "
                    "first line; make them the same."
                )
        # Cell by cell, since pandas turns a column with one bad cell into text, and one with an empty
        # cell into floats, which do not hold the digits of a seed.
        cells = [[_read_cell(text) for text in line] for line in body]
        return from_table(pandas.DataFrame(cells, columns=header, dtype=object).set_index(_INDEX))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _column_names(factor: str, partials: int) -> list[str]:
    if factor not in _PARTIAL:
        return [factor]
    return [f"{factor}_{number}" for number in range(1, partials + 1)]


def _check_once(names: list, wanted: Iterable[str]) -> None:
    for name in wanted:
        if (count := names.count(name)) != 1:
            number = f"{count or 'no'} column{'s' * (count > 1)}"
            raise InputError(f"the table has {number} {name!r}; it takes one.")


def _check_columns(names: list) -> int:
    """The number of partials that the columns hold."""
    partials = sum(str(name).startswith("partial_weight_") for name in names)
    wanted = [column for name in FACTORS for column in _column_names(name, max(1, partials))]
    may_lack = {name for name, factor in FACTORS.items() if factor.beyond} - {*names}
    _check_once(names, (name for name in wanted if name not in may_lack))
    for name in names:
        if name not in wanted and name != "heard":
            raise InputError(
                f"the table has an unknown column {name!r}; it takes the factors of ClipParameters, "
                f"each factor of the partials from 1 to {partials}, and heard."
            )
    return partials


def _check_index(table: DataFrame) -> int:
    """The number of clips; their events are numbered alike."""
    if list(table.index.names) != _INDEX:
        raise InputError(f"the table's index is {list(table.index.names)}; it takes {_INDEX}.")
    labels = [tuple(label) for label in table.index.tolist()]
    if not labels:
        raise InputError("the table is empty; it takes at least one clip.")
    for label in labels:
        for name, number in zip(_INDEX, label, strict=True):
            if not is_whole(number):
                raise InputError(f"the index {name} is {shown(number)}; give a whole number.")
    events: dict[int, list[int]] = {}
    for row, event in sorted(labels):
        events.setdefault(row, []).append(event)
    most = max(map(len, events.values()))
    for row, numbers in events.items():
        if numbers != list(range(most)):
            raise InputError(
                f"row {row} has the events {shown(numbers)}; number those of every clip from 0 to "
                f"{most - 1}."
            )
    return len(events)


def _read_cell(text: str) -> float | str:
    """A cell as a number, as True or False, or else as text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    # Spreadsheets write TRUE and FALSE.
    return {"true": True, "false": False}.get(text.lower(), text)
