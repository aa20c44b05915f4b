"""FSD50K, sounds of every kind, each with one or more of 200 classes (Fonseca et al. 2022).

The official parts are kept as they are: 26 pairs of files are identical, one of them across
development and evaluation (`findings/identical_files_in_data_sets.sh`).
"""

from pathlib import Path

import numpy as np

from audiopg._types import AnyPath
from audiopg.datasets import tables
from audiopg.datasets.audio import AUDIO_SUFFIXES, LabelledClips
from audiopg.errors import InputError

_SPLITS = {"train": tables.TRAINING, "val": tables.VALIDATION}
_VOCABULARY = ("index", "label", "mid")


def fsd50k(folder: AnyPath, skip_bad: bool = False) -> LabelledClips:
    """FSD50K from the official layout; a clip can have several labels.

    Args:
        folder: holds ``FSD50K.dev_audio/``, ``FSD50K.eval_audio/`` and ``FSD50K.ground_truth/``
            with ``dev.csv``, ``eval.csv`` and ``vocabulary.csv``. Recordings are matched by name
            without suffix, so that they may be re-encoded.
        skip_bad: leave out recordings that are missing, and name them in ``skipped``.

    Returns:
        The clips in the order of the tables; fold 1 is training and 2 validation (the official
        parts of the development set), 3 testing (the evaluation set). Labels are (clips, 200) bool,
        over all classes of the vocabulary and in its order, each label with its ancestors as the
        tables give them.

    Raises:
        InputError: when the folder, a table, one of its columns or a listed recording is missing,
            when a row cannot be used, or when a fold is left empty.
    """
    folder = tables.require_folder(folder, "FSD50K.ground_truth/ and the recordings")
    truth = folder / "FSD50K.ground_truth"
    classes = _classes(truth / "vocabulary.csv")
    column_of = {name: column for column, name in enumerate(classes)}
    paths, folds, labels = [], [], []
    for part, columns in (("dev", ("fname", "labels", "split")), ("eval", ("fname", "labels"))):
        audio = tables.require_folder(
            folder / f"FSD50K.{part}_audio", f"the recordings of {part}.csv"
        )
        present = {
            path.stem: path for path in audio.iterdir() if path.suffix.lower() in AUDIO_SUFFIXES
        }
        for where, row in tables.read_rows(truth / f"{part}.csv", columns):
            name = tables.file_name(where, row, "fname")
            names = tables.text(where, row, "labels").split(",")
            if unknown := [label for label in names if label not in column_of]:
                raise InputError(
                    f"{where}: {unknown[0]!r} is not in vocabulary.csv; correct the label."
                )
            if part == "dev" and row["split"] not in _SPLITS:
                raise InputError(f"{where}: split is {row['split']!r}; write train or val.")
            paths.append(present.get(name, audio / name))
            folds.append(_SPLITS[row["split"]] if part == "dev" else tables.TESTING)
            labels.append([column_of[label] for label in names])
    kept, skipped = tables.split_missing(paths, truth, folder, skip_bad)
    folds = np.array(folds, dtype=np.int64)[kept]
    tables.require_folds(truth, folds.tolist(), tables.SPLIT)
    matrix = np.zeros((len(kept), len(classes)), dtype=bool)
    for row, place in zip(matrix, kept, strict=True):
        row[labels[place]] = True
    return LabelledClips(
        name="FSD50K",
        paths=[paths[place] for place in kept],
        labels=matrix,
        folds=folds,
        classes=classes,
        licence="CC BY 4.0; its clips CC0, CC BY, CC BY-NC or CC Sampling+",
        fold_names=tables.SPLIT,
        test_folds=[tables.TESTING],
        skipped=skipped,
    )


def _classes(table: Path) -> list[str]:
    """The names of the classes, in the order of the vocabulary."""
    classes: list[str] = []
    for where, row in tables.read_rows(table, _VOCABULARY, header=False):
        tables.whole_field(where, row, "index", len(classes), len(classes))
        classes.append(tables.text(where, row, "label"))
    if not classes or len(set(classes)) < len(classes):
        raise InputError(
            f"{table} does not name every class once; replace it by the official file."
        )
    return classes
