"""Tables: clips as a data frame, one row an event, for statistics and for spreadsheets.

The columns are the factors of `ClipParameters` by name. Those of a clip stand on each row of the
clip, the excitation is a name, and the partials are numbered from 1, ``partial_weight_1`` and on.
The index holds the row of the clip and the slot of the event in the clip, both from 0. Slots without
an event are there too, and are not ``heard``::

    to_table(params).query("heard").groupby("excitation").f0.describe()
"""

from pathlib import Path

import numpy as np

from audiopg._types import AnyPath, DataFrame
from audiopg.environment import atomic_path, writing
from audiopg.errors import InputError
from audiopg.synth.excitations import EXCITATIONS
from audiopg.synth.factors import FACTOR_TABLE, factor_names
from audiopg.synth.parameters import ClipParameters

_INDEX = ["row", "event"]
_CLIP, _PARTIAL = factor_names("clip"), factor_names("partial")


def to_table(params: ClipParameters) -> DataFrame:
    """The clips as a data frame.

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
    for factor in FACTOR_TABLE:
        values = getattr(params, factor).cpu().numpy()
        if factor in _CLIP:
            values = values.repeat(slots)
        names = _column_names(factor, partials)
        values = values.reshape(clips * slots, len(names))
        columns |= {name: values[:, place] for place, name in enumerate(names)}
    columns["excitation"] = np.array(EXCITATIONS)[columns["excitation"]]
    index = pandas.MultiIndex.from_product([range(clips), range(slots)], names=_INDEX)
    return pandas.DataFrame(columns, index=index)


def write_table(params: ClipParameters, path: AnyPath) -> None:
    """Write clips as a CSV file; numbers keep all their digits.

    Raises:
        InputError: for factors out of their ranges, a name that does not end in .csv, or a file that
            cannot be written.
    """
    params.validate()
    if Path(path).suffix.lower() != ".csv":
        raise InputError(f"{path} is no name of a table; let it end in .csv.")
    with writing(path), atomic_path(path) as temporary:
        to_table(params).to_csv(temporary, lineterminator="\n")


def _column_names(factor: str, partials: int) -> list[str]:
    if factor not in _PARTIAL:
        return [factor]
    return [f"{factor}_{number}" for number in range(1, partials + 1)]
