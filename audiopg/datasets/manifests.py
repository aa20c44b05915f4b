"""One's own recordings, as a labelled set with folds: whatever lists them, one checker looks at it."""

import os
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from audiopg._types import AnyPath
from audiopg.datasets.audio import LabelledClips, in_threads, printable, read_header
from audiopg.datasets.benchmarks import refuse_benchmark
from audiopg.datasets.cache import copies_of, file_hashes
from audiopg.datasets.folds import deal_folds
from audiopg.datasets.manifest_formats import find_reader
from audiopg.datasets.manifest_rows import ROLES, Columns, Row, split_part, split_parts
from audiopg.datasets.tables import SPLIT, TESTING, VALIDATION, cross_validation
from audiopg.errors import InputError
from audiopg.inputs import as_named, as_path, whole_seed

# By how much what a manifest says of a file's length may differ, seconds: a frame of a codec.
_LENGTH = 0.1
# A fold's name that has a number, such as "3", "fold 3", or "3.0".
_NUMBERED = re.compile(r"(?:(.*[^\W\d_])[ _-]?)?(\d{1,9})(?:\.0*)?", re.ASCII)


def read_dataset(
    path: AnyPath,
    *,
    columns: Columns | None = None,
    n_folds: int = 5,
    seed: int = 0,
    skip_bad: bool = False,
    progress: bool = True,
) -> LabelledClips:
    """One's own labelled recordings, from a folder, a table or a manifest.

    What is read: a folder a class; CSV and TSV, with DCASE's; JSON lines; an audio folder of Hugging
    Face; a data folder of Kaldi; cuts or supervisions of lhotse; a database of audformat (which
    needs PyYAML); and Raven's selections, Audacity's labels, JAMS files or BirdNET's results, one
    for each recording. Files are relative to the manifest. Segments are cut when they are heard,
    nothing is copied, and nothing is executed.

    A clip is a file, or a part of one. Clips of one file, of files with the same content, and of one
    group, where the manifest has groups, share a source. Where the manifest has no folds, they are
    dealt so that a source is in one fold (`audiopg.datasets.folds.deal_folds`); folds named train,
    validation and test (or dev, eval and the like) are an official split.

    Args:
        path: what to read.
        columns: which column is for what, such as ``{"label": "species", "group": "site"}``, where
            its name does not tell; numbers are places from 1 in a table without a header, and
            ``""`` says that no column is for that. The roles are file, label or labels (divided by
            commas), start and end or duration in seconds, channel (from 1), group and fold. Of
            Kaldi the values name files, of JAMS the "label" is a namespace.
        n_folds: how many to deal.
        seed: of the dealing.
        skip_bad: leave out what cannot be used, and name it in ``skipped``.
        progress: whether to show progress bars.

    Returns:
        The clips in the order of the manifest, classes sorted as text. A clip can have several
        where a row has another number of labels than one.

    Raises:
        InputError: naming all that cannot be used: files that are missing or damaged, segments that
            do not lie in theirs, labels that are empty, classes with one clip; for a clip that is
            listed twice, or a manifest that is not understood, by its line; for fewer sources than
            folds.
    """
    path, seed = as_path(path, "folder, table or manifest"), whole_seed(seed)
    columns = {} if columns is None else as_named(columns, "columns")
    if unknown := columns.keys() - ROLES.keys():
        raise InputError(f"columns names {min(unknown)!r}, which is none of {', '.join(ROLES)}.")
    refuse_benchmark(path.absolute())
    rows = list(find_reader(path).read(path, columns))
    _refuse_doubles(path, rows)
    parts, bad = _usable(rows, progress)
    if not parts or (bad and not skip_bad):
        shown = "; ".join(f"{where} {why}" for where, why in bad.items())
        raise InputError(
            f"{len(rows) - len(parts)} of the {len(rows)} clips of {printable(path)} cannot be used "
            f"({shown}); mend them{', or leave them out with skip_bad (--skip-bad)' * bool(parts)}."
        )
    return _assembled(path, [rows[k] for k in parts], [*parts.values()], bad, n_folds, seed)


def _refuse_doubles(path: Path, rows: Sequence[Row]) -> None:
    if not rows:
        raise InputError(f"{printable(path)} lists no clip; name another.")
    first: dict[tuple, Row] = {}
    for row in rows:
        part = (os.path.abspath(row.file), row.start, row.end, row.channel)
        other = first.setdefault(part, row)
        if other is not row or len(set(row.labels)) < len(row.labels):
            differ = "" if other.labels == row.labels else ", with other labels"
            raise InputError(
                f"{row.where}: {printable(row.file)} was listed already ({other.where}){differ}; remove "
                "one, or write its labels into a column 'labels', divided by commas."
            )


def _usable(
    rows: Sequence[Row], progress: bool
) -> tuple[dict[int, tuple[float, float]], dict[str, str]]:
    """Start and end of each clip that can be used, by its row; and what cannot, and why."""
    files = list(dict.fromkeys((row.file, row.channel) for row in rows))
    found = in_threads(lambda each: read_header(*each), files, "Reading headers", progress)
    header_of = dict(zip(files, found, strict=True))
    bad: dict[str, str] = {}
    parts = {
        place: _part(row, header_of[row.file, row.channel], bad) for place, row in enumerate(rows)
    }
    parts = {place: part for place, part in parts.items() if part}
    counts = Counter(label for place in parts for label in rows[place].labels)
    for place in list(parts):
        alone = [label for label in rows[place].labels if counts[label] == 1]
        if alone:
            bad[rows[place].where] = f"is the only clip of the class {alone[0]!r}"
            del parts[place]
    return parts, bad


def _part(
    row: Row, header: tuple[int, int] | str, bad: dict[str, str]
) -> tuple[float, float] | None:
    """Start and end of a clip, NaN for the end of the file; or why it cannot be used."""
    if isinstance(header, str):
        bad[printable(row.file)] = "is missing" if header == "is not there" else header
        return None
    frames, rate = header
    length, end = frames / rate, np.nan if row.end is None else row.end
    stop, why = "the end" if np.isnan(end) else f"{end:g} s", ""
    if "" in row.labels:
        why = "has no label"
    elif row.rate is not None and row.rate != rate:
        why = f"says that {row.file.name} has {row.rate:g} Hz, and it has {rate} Hz"
    elif row.seconds is not None and abs(row.seconds - length) > _LENGTH:
        why = f"says that {row.file.name} lasts {row.seconds:g} s, and it lasts {length:g} s"
    elif not row.start >= 0 or (row.end is not None and np.isnan(end)):
        why = f"is from {row.start:g} s to {end:g} s, which are no times in a file"
    elif row.start >= length or end > length + row.beyond:
        why = f"is from {row.start:g} s to {stop}, and {row.file.name} lasts {length:g} s"
    elif (round(end * rate) if end < length else frames) <= round(row.start * rate):
        why = f"begins at {row.start:g} s and ends at {stop}, which leaves nothing to hear"
    if why:
        bad[row.where] = why
        return None
    return row.start, np.nan if end >= length else end


def _assembled(
    path: Path,
    rows: list[Row],
    parts: list[tuple[float, float]],
    bad: dict[str, str],
    n_folds: int,
    seed: int,
) -> LabelledClips:
    classes = sorted({label for row in rows for label in row.labels})
    if len(classes) < 2:
        raise InputError(
            f"{printable(path)} has clips of one class, {', '.join(classes)}; a probe needs two or more; "
            "where a table lists them, name the table."
        )
    matrix = np.array([[label in row.labels for label in classes] for row in rows])
    is_single = all(len(row.labels) == 1 for row in rows)
    sources = _sources(rows)
    name, folds, names = path.resolve().name, *_named_folds(rows)
    if folds is None:
        folds = deal_folds(matrix, sources, n_folds, seed)
        names = cross_validation(folds.tolist())
        name = f"{name} ({n_folds} folds by seed {seed})"
    segments = np.array(parts, dtype=np.float64)
    channels = np.array([-1 if row.channel is None else row.channel for row in rows])
    clips = LabelledClips(
        name=name,
        paths=[row.file for row in rows],
        labels=matrix.argmax(1).astype(np.int64) if is_single else matrix,
        folds=folds,
        classes=classes,
        licence="licence not stated",
        skipped=bad,
        sources=sources,
        segments=segments
        if (segments[:, 0] > 0).any() or not np.isnan(segments[:, 1]).all()
        else None,
        channels=channels.astype(np.int64) if (channels >= 0).any() else None,
        **names,
    )
    _warn_of_folds(clips, matrix)
    return clips


def _sources(rows: Sequence[Row]) -> np.ndarray:
    """(clips,) int64, equal for clips that one chain of files, contents and groups connects."""
    files = list(dict.fromkeys(row.file for row in rows))
    content_of = dict(zip(files, file_hashes(files, progress=False), strict=True))
    if copies := copies_of(files, content_of.values()):
        warnings.warn(
            f"these files have the same content as one before: {'; '.join(map(' = '.join, copies))}; "
            "keep one of each.",
            stacklevel=4,
        )
    marks = [{("content", content_of[row.file]), ("group", row.group)} for row in rows]
    number_of: dict[tuple, int] = {}
    edges = [
        (clip, number_of.setdefault(mark, len(number_of)))
        for clip, found in enumerate(marks)
        for mark in sorted(found - {("group", None)})
    ]
    clip, mark = np.array(edges).T
    size = len(rows) + len(number_of)
    graph = coo_array((np.ones(len(edges)), (clip, mark + len(rows))), shape=(size, size))
    labels = connected_components(graph, directed=False)[1][: len(rows)]
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def _named_folds(rows: Sequence[Row]) -> tuple[np.ndarray | None, dict]:
    """The folds that a manifest has, and what they are called; None where it has none."""
    named = sorted({row.fold for row in rows} - {None})
    without = [row.where for row in rows if row.fold is None]
    if named and without:
        raise InputError(f"{without[0]} names no fold, other rows do; name one in every row.")
    words = {split_part(name) for name in named}
    told = [name for name in named if split_parts(name)]
    if told and None in words:
        other = next(name for name in named if split_part(name) is None)
        raise InputError(
            f"of the folds {', '.join(named)}, {told[0]!r} speaks of a split, and {other!r} is no part of "
            "one that is known; call all of them training, validation or testing, or none."
        )
    if not named or words == {"training"}:
        return None, {}
    if None not in words and "training" not in words:
        raise InputError(f"no clip is in a fold for training, but in {', '.join(named)}; name one.")
    if len(words if None not in words else named) < 2:
        raise InputError(
            f"all clips are in the fold {named[0]!r}; give at least two, or leave that column out."
        )
    if None in words:
        number_of, fold_names = _numbered(named)
        tested = list(fold_names)
    else:
        numbers = {name: number for number, name in SPLIT.items()}
        number_of = {name: numbers[split_part(name)] for name in named}
        fold_names = {n: name for n, name in SPLIT.items() if n in number_of.values()}
        tested = [TESTING if TESTING in fold_names else VALIDATION]
    folds = np.array([number_of[row.fold] for row in rows], dtype=np.int64)
    return folds, {"fold_names": fold_names, "test_folds": tested}


def _numbered(named: Sequence[str]) -> tuple[dict[str, int], dict[int, str]]:
    """The number of each fold by its name, and what each is called by its number.

    The number is that of the name, such as "3", "fold3" or "3.0", which pandas writes where a number is
    missing. Names without numbers are counted in their order.
    """
    found = [_NUMBERED.fullmatch(name) for name in named]
    stems = {match and (match[1] or "").casefold() for match in found}
    if None in stems or len(stems) > 1:
        number_of = {name: number for number, name in enumerate(named, 1)}
        for name, match in zip(named, found, strict=True):
            if match and not match[1] and int(match[2]) != number_of[name]:
                raise InputError(
                    f"the folds {', '.join(named)} are not all numbers from 0; give all numbers, or names."
                )
        return number_of, {number: f"fold {name}" for name, number in number_of.items()}
    number_of = {name: int(match[2]) for name, match in zip(named, found, strict=True)}
    if len({*number_of.values()}) < len(named):
        raise InputError(
            f"the folds {', '.join(named)} are not all different numbers; write each in one way."
        )
    return number_of, {number: f"fold {number}" for number in sorted(number_of.values())}


def _warn_of_folds(clips: LabelledClips, matrix: np.ndarray) -> None:
    """Say what would flatter an encoder, or be held against it, and cannot be mended here."""
    for fold in clips.test_folds:
        here = clips.folds == fold
        trained = ~here & ~np.isin(clips.folds, clips.validation_folds)
        lacking = [
            clips.classes[c] for c in np.flatnonzero(matrix[here].any(0) & ~matrix[trained].any(0))
        ]
        if lacking:
            warnings.warn(
                f"in {clips.name}, {clips.fold_names[fold]} has all clips of {', '.join(lacking)}, so "
                "that nothing of it is trained when this fold is tested; record it in more places.",
                stacklevel=4,
            )
    if shared := int(clips.across_folds.sum()):
        warnings.warn(
            f"{shared} clips of {clips.name} share a file, its content or a group with a clip of another "
            "fold, which flatters every encoder; audiopg probe --by-source leaves them out of training.",
            stacklevel=4,
        )
