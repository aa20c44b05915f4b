"""ESC-50 and ESC-10, environmental sounds in 5 official folds (Piczak 2015)."""

from audiopg._types import AnyPath
from audiopg.datasets import tables
from audiopg.datasets.audio import LabelledClips
from audiopg.errors import InputError

_COLUMNS = ("filename", "fold", "target", "category", "esc10", "src_file")


def esc50(folder: AnyPath, esc10: bool = False, skip_bad: bool = False) -> LabelledClips:
    """ESC-50, or its ten-class part ESC-10, from the official layout.

    The folds keep together what was cut from one recording (``src_file``), but for 4 of the 1,524
    recordings of ESC-50 (9 of 2,000 clips), each of which is in two folds under two classes: 131943,
    134049, 209698 and 234879. In ESC-10 there is no such recording. `audiopg.transfer.linear_probe`
    can leave these clips out by their ``sources``.

    Args:
        folder: holds ``meta/esc50.csv`` and ``audio/``. File names are taken as the csv gives
            them, whatever their format.
        esc10: keep only the clips of ESC-10.
        skip_bad: leave out files that are missing, and name them in ``skipped``.

    Returns:
        The clips in the order of the csv, with folds 1 to 5, each to be tested in turn. Labels
        count from 0 over the classes present, in the order of the official ``target``. The name is
        "ESC-10" when every clip belongs to it.

    Raises:
        InputError: when the folder, the csv, one of its columns or a listed file is missing, when
            a row cannot be used, or when no row is left.
    """
    folder = tables.require_folder(folder, "meta/esc50.csv and audio/")
    table = folder / "meta" / "esc50.csv"
    listed, parts = [], []
    for where, row in tables.read_rows(table, _COLUMNS):
        path = folder / "audio" / tables.file_name(where, row, "filename")
        category = tables.text(where, row, "category")
        fold = tables.whole_field(where, row, "fold", 1, 5)
        target = tables.whole_field(where, row, "target", 0, 49)
        source = tables.text(where, row, "src_file")
        if row["esc10"] not in ("True", "False"):
            raise InputError(f"{where}: esc10 is {row['esc10']!r}; write True or False.")
        if row["esc10"] == "True" or not esc10:
            listed.append(tables.ListedClip(path, fold, target, category, source))
            parts.append(row["esc10"])
    if esc10 and not listed:
        raise InputError(
            f"{table} holds no row whose esc10 is True; replace it by the official file."
        )
    only_esc10 = "False" not in parts
    return tables.assemble(
        listed,
        table,
        folder,
        skip_bad,
        name="ESC-10" if only_esc10 else "ESC-50",
        licence="CC BY 3.0" if only_esc10 else "CC BY-NC 3.0",
        **tables.cross_validation([clip.fold for clip in listed]),
    )
