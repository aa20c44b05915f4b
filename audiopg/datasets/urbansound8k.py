"""UrbanSound8K, sounds of a city in 10 official folds (Salamon, Jacoby and Bello 2014)."""

from audiopg._types import AnyPath
from audiopg.datasets import tables
from audiopg.datasets.audio import LabelledClips
from audiopg.errors import InputError

_COLUMNS = ("slice_file_name", "fsID", "fold", "classID", "class")
_FOLDS = 10


def urbansound8k(folder: AnyPath, skip_bad: bool = False) -> LabelledClips:
    """UrbanSound8K, or those of its folds that are there, from the official layout.

    The folds keep together the slices of one recording (``fsID``), so they are never to be shuffled.
    There are 5 exceptions among the 1,297 recordings (152 of 8,732 clips), each of which is in two
    folds under two classes: 77751 (folds 2 and 7), 106905 (1 and 8), 132016 (1 and 4), 176638 (1 and
    4) and 180937 (1 and 9). `audiopg.transfer.linear_probe` can leave these clips out by their
    ``sources``.

    Args:
        folder: holds ``metadata/UrbanSound8K.csv`` and ``audio/fold1/`` to ``audio/fold10/``. A
            fold without a folder is left out. File names are taken as the csv gives them, whatever
            their format.
        skip_bad: leave out files that are missing in a fold that is there, and name them in
            ``skipped``.

    Returns:
        The clips in the order of the csv, each fold to be tested in turn. Labels count from 0 over
        the classes present, in the order of the official ``classID``. The name says which folds
        they are, unless they are all: "UrbanSound8K, folds 1, 2, 10".

    Raises:
        InputError: when the folder, the csv, one of its columns, every fold or a file of a fold is
            missing, or when a row cannot be used.
    """
    folder = tables.require_folder(folder, "metadata/UrbanSound8K.csv and audio/")
    table = folder / "metadata" / "UrbanSound8K.csv"
    audio = {fold: folder / "audio" / f"fold{fold}" for fold in range(1, _FOLDS + 1)}
    present = [fold for fold, path in audio.items() if path.is_dir()]
    listed = []
    for where, row in tables.read_rows(table, _COLUMNS):
        name = tables.file_name(where, row, "slice_file_name")
        fold = tables.whole_field(where, row, "fold", 1, _FOLDS)
        target = tables.whole_field(where, row, "classID", 0, 9)
        category = tables.text(where, row, "class")
        source = tables.text(where, row, "fsID")
        if fold in present:
            listed.append(tables.ListedClip(audio[fold] / name, fold, target, category, source))
    if not present:
        raise InputError(
            f"{folder / 'audio'} holds none of fold1/ to fold10/; download the recordings again."
        )
    folds = sorted({clip.fold for clip in listed})
    some = f", fold{'s' if len(folds) > 1 else ''} {', '.join(map(str, folds))}"
    return tables.assemble(
        listed,
        table,
        folder,
        skip_bad,
        name="UrbanSound8K" + (some if len(folds) < _FOLDS else ""),
        licence="CC BY-NC 3.0",
        **tables.cross_validation(folds),
    )
