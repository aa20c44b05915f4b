"""Readers of what people and their tools write about recordings; each yields `Row` by `Row`.

What each has to get right was found by running the tools themselves. Nothing is executed.
"""

import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from audiopg.datasets.audio import AUDIO_SUFFIXES, printable
from audiopg.datasets.folder import audio_files, is_hidden
from audiopg.datasets.manifest_rows import (
    Columns,
    Row,
    as_row,
    as_rows,
    divides,
    json_lines,
    merged,
    readable,
    recording_beside,
    seconds,
    split_part,
    table_rows,
    text_lines,
    which,
)
from audiopg.errors import InputError
from audiopg.inputs import is_count, read_object

# By the number of fields, and whether the second is a number; "-" is for nothing that is needed.
_DCASE = {
    (2, False): "file label",
    (2, True): "file label",
    (3, False): "file label group",
    (4, True): "file start end label",
    (4, False): "file label start end",
    (5, True): "file start end label group",
    (5, False): "file - start end label",
    (6, False): "file - start end label -",
    (7, False): "file - start end label - group",
}
# What lhotse adds to the name of a recording that it changed.
_CHANGED = re.compile(r"(_(sp|tp|vp|rs)\d+(\.\d+)?)+$")
_RAVEN_TIMES = ("Begin Time (s)", "End Time (s)")
# The columns that hold labels, the first that is there.
_RAVEN_LABELS = ("Annotation", "Label", "Species", "Common Name", "Species Code", "Call Type")
_FOLD = re.compile(r"fold[ _-]?\d+", re.ASCII | re.IGNORECASE)
_DAYS = re.compile(r"(\d+) days? (\d+):(\d\d):(\d\d(?:\.\d+)?)", re.ASCII)
_BIRDNET = re.compile(
    r"Start \(s\),End \(s\),|filepath,start,end,scientific_name|INDIR,FOLDER,IN FILE"
)
_LHOTSE = re.compile(r'"(supervisions|recording_id|tracks|sources)": ?["\[]')
_LABEL_TRACK = re.compile(r"[\d.,]+\t[\d.,]+(\t|$)")


class Reader(NamedTuple):
    """A format: whether a path is one, given its first line; its rows; whether it is of one recording.

    ``roles`` are those that the user may name a column for, divided by blanks; None for all. A reader
    of one's own is a row of `READERS`; the first that knows a path reads it.
    """

    name: str
    knows: Callable[[Path, str], bool]
    rows: Callable[[Path, Columns], Iterator[Row]]
    of_one: bool = False
    roles: str | None = None

    def read(self, path: Path, columns: Columns) -> Iterator[Row]:
        """The rows, by which column is for what.

        Raises:
            InputError: for a role that the format has no column for, rather than leave it unheeded.
        """
        if self.roles is not None and (others := columns.keys() - {*self.roles.split()}):
            raise InputError(
                f"{printable(path)} is read as {self.name}, which has no columns for the {min(others)}; "
                "name a table, or leave that out."
            )
        return self.rows(path, columns)


def find_reader(path: Path) -> Reader:
    """The reader for what a path holds.

    Raises:
        InputError: for a path that is not there, or of which nothing is known.
    """
    if not path.exists():
        raise InputError(f"{printable(path)} is not there; name a folder, a table or a manifest.")
    if not (path.is_dir() or path.is_file()):
        raise InputError(f"{printable(path)} is not a file, but a pipe or device; name a file.")
    first = _first_line(path)
    if re.match(r"\s*\[\s*(\{|$)", first):
        raise InputError(
            f"{printable(path)} is one list in JSON; write an object a line, such as with pandas' "
            'to_json(..., orient="records", lines=True).'
        )
    for reader in READERS:
        if reader.knows(path, first):
            return reader
    raise InputError(
        f"{printable(path)} is in no format that is known ({', '.join(r.name for r in READERS)}); "
        "write a table with the columns file and label."
    )


def _first_line(path: Path) -> str:
    if path.is_dir() or path.suffix.lower() in AUDIO_SUFFIXES:
        return ""
    return next(text_lines(path), ("", ""))[1]


# Folders


def class_folders(folder: Path, columns: Columns) -> Iterator[Row]:
    """A folder a class: the class is the parent, whatever its name and those of the files.

    Where all outermost folders are called train, test and so on, they are the split, and where they
    are called fold1, fold2 and so on, the folds; a folder that holds all the others is passed over.
    """
    files = audio_files(folder)
    base = Path(os.path.commonpath([path.parent for path in files]))
    is_split = _is_split(folder, [path.relative_to(base) for path in files])
    for path in files:
        top = path.relative_to(base).parts[0]
        label = "" if path.parent == folder else path.parent.name
        yield Row(printable(path), path, (label,), fold=top if is_split else None)


def _is_split(folder: Path, files: Sequence[Path]) -> bool:
    """Whether the outermost folders are folds, or the parts of a split, with the classes inside.

    Raises:
        InputError: where some folders are called like that, but do not divide all of the files.
    """
    parts: dict[Path, set[str]] = {}
    for path in files:
        for part in path.parents[1:-1]:
            parts.setdefault(part.parent, set()).add(part.name.lower())
    classes = {path.parent.name.lower() for path in files}
    folds = {name for path in files for name in path.parts[:-1] if _FOLD.fullmatch(name)}
    alike = [{*filter(split_part, names)} for names in parts.values()]
    # What is called so where the classes are is none of a split, but where nothing else is there.
    alike += [classes] if all(map(split_part, classes)) else []
    split = next((names for names in alike if divides(map(split_part, names))), set())
    is_part = _FOLD.fullmatch if folds else split_part
    beside = [path for path in files if len(path.parts) < 3 or not is_part(path.parts[0])]
    if beside and (folds or split):
        raise InputError(
            f"{printable(folder)} has folders called {', '.join(sorted(folds or split)[:5])}, as "
            f"{'folds' if folds else 'the parts of a split'}, which {printable(beside[0])} does not lie in "
            f"as {'fold' if folds else 'part'}/class/file; move what is in none elsewhere, or list the "
            "clips in a table with the columns file, label and fold."
        )
    return not beside


def annotated_folder(folder: Path, columns: Columns) -> Iterator[Row]:
    """A folder with one table of labels for each recording, all of one format."""
    found = _annotations(folder)
    if len(names := {reader.name for _, reader in found}) > 1:
        raise InputError(
            f"{printable(folder)} holds labels of {' and '.join(sorted(names))}; keep one kind, or name "
            "one file."
        )
    tables: dict[str, dict[Path, None]] = {}
    for path, reader in found:
        for row in reader.read(path, columns):
            tables.setdefault(os.path.abspath(row.file), {})[path] = None
            yield row
    _warn_of_others(folder, {*tables}, "are labelled by no table in it")
    several = [(file, of) for file, of in tables.items() if len(of) > 1]
    for file, of in several[:1]:
        warnings.warn(
            f"{len(several)} recordings in {printable(folder)} are labelled by several tables, and the labels "
            f"of all are taken, as {' and '.join(printable(path.relative_to(folder)) for path in of)} of "
            f"{printable(Path(file).name)}; move tables of other observers or trials elsewhere.",
            stacklevel=2,
        )


def _warn_of_others(folder: Path, listed: set[str], why: str) -> None:
    """Say which recordings in a folder no row is of."""
    there: list[Path] = []
    with warnings.catch_warnings(), suppress(InputError):
        # What is no audio need not be said here, nor that all recordings lie elsewhere.
        warnings.simplefilter("ignore", UserWarning)
        there = [file for file in audio_files(folder) if os.path.abspath(file) not in listed]
    if there:
        warnings.warn(
            f"{len(there)} files in {printable(folder)} {why}, and left out: "
            f"{', '.join(printable(file.relative_to(folder)) for file in there[:5])}"
            f"{', ...' if len(there) > 5 else '.'}",
            stacklevel=3,
        )


def _annotations(folder: Path) -> list[tuple[Path, Reader]]:
    found = []
    for path in _visible(folder, "*"):
        if path.suffix.lower() in (".txt", ".csv", ".tsv", ".jams") and path.is_file():
            # What is no text is somebody's note.
            with suppress(InputError):
                first = _first_line(path)
                found += [(path, r) for r in READERS if r.of_one and r.knows(path, first)][:1]
    return found


def hugging_face(path: Path, columns: Columns) -> Iterator[Row]:
    """``metadata.csv`` or ``.jsonl`` of an audio folder, in it or in the folders of its splits."""
    folder, listed = (path, set()) if path.is_dir() else (path.parent, set())
    for table in _metadata(path):
        part = table.parent.name
        split = part if table.parent != folder and split_part(part) else None
        read = json_table if table.suffix == ".jsonl" else text_table
        for row in read(table, {"file": "file_name", **columns}):
            listed.add(os.path.abspath(row.file))
            yield row._replace(fold=row.fold or split)
    _warn_of_others(folder, listed, "are not listed in its metadata")


def _metadata(path: Path) -> list[Path]:
    """The metadata files that a path is, or that a folder and those inside it hold."""
    names = ("metadata.csv", "metadata.jsonl")
    if path.is_file():
        return [path] if path.name in names else []
    return [found for found in _visible(path, "metadata.*") if found.name in names]


def _visible(folder: Path, pattern: str) -> list[Path]:
    """What lies in a folder and those inside it, but for what is hidden, in the order of the names."""
    found = sorted(folder.rglob(pattern))
    return [p for p in found if not any(map(is_hidden, p.relative_to(folder).parts))]


# Tables


def text_table(path: Path, columns: Columns) -> Iterator[Row]:
    """CSV or TSV, with a header, or without one by places; without either DCASE's are known."""
    first = next(table_rows(path, header=False), ("", {}))[1]
    placed = bool(columns) and all(str(name).isdecimal() for name in columns.values())
    start = first.get("1", "")
    if not placed and start.lower().endswith(AUDIO_SUFFIXES):
        is_number = re.fullmatch(r"[\d.]+", first.get("2", "")) is not None
        roles = _DCASE.get((len(first), is_number))
        if roles is None:
            raise which(f"{printable(path)} has no header", "label", first)
        places = {role: place for place, role in enumerate(roles.split(), 1) if role != "-"}
        columns, placed = {**places, **columns}, True
    yield from merged(as_rows(path, table_rows(path, header=not placed), columns))


def json_table(path: Path, columns: Columns) -> Iterator[Row]:
    """JSON lines with a text for each role; labels may be a list."""
    # An object may say what those before it did not.
    names = dict.fromkeys(name for _, row in json_lines(path) for name in row)
    rows = ((where, names | row) for where, row in json_lines(path))
    return as_rows(path, rows, columns)


def raven(path: Path, columns: Columns) -> Iterator[Row]:
    """A selection table of Raven, or BirdNET's in its form.

    A selection has a row for each view of it, of which one is taken. With ``File Offset (s)`` the
    times are those of one file; the others count from the first file that was opened.
    """

    def rows() -> Iterator[tuple[str, dict[str, str]]]:
        view_of: dict[tuple, str] = {}
        for where, row in table_rows(path):
            view, names = (
                row.pop("View", ""),
                ("Selection", *_RAVEN_TIMES, "Begin File", "Begin Path"),
            )
            if view_of.setdefault(tuple(row.get(name) for name in names), view) != view:
                continue
            start, end = (seconds(where, name, row[name]) for name in _RAVEN_TIMES)
            if row.get("End File", row.get("Begin File")) != row.get("Begin File"):
                raise InputError(f"{where}: the selection spans two files; divide it.")
            if file := (row.get("Begin Path") or row.get("Begin File")):
                offset = row.get("File Offset (s)")
                if not offset and start:
                    raise InputError(
                        f"{where}: names {file} without File Offset (s), so that where the selection "
                        "lies in it is unknown; add that measurement in Raven."
                    )
                begin = seconds(where, "File Offset (s)", offset or "0")
                start, end = begin, round(begin + end - start, 9)
                # A path of the machine that Raven ran on; files beside the table come first.
                beside = path.parent / re.split(r"[\\/]", file)[-1]
                row["file"] = beside.name if beside.exists() else file
            yield where, row | {"start": str(start), "end": str(end)}

    names = next(table_rows(path), ("", {}))[1]
    _require_columns(path, names, _RAVEN_TIMES)
    named = {"start": "start", "end": "end"}
    named |= {"file": "file"} if {"Begin File", "Begin Path"} & set(names) else {}
    named |= {"label": name for name in reversed(_RAVEN_LABELS) if name in names}  # noqa: B035
    # BirdNET's windows go beyond the end of a file.
    more = {"beyond": 3.0} if "Confidence" in names else {}
    yield from merged(as_rows(path, rows(), {**named, **columns}, **more))


def _require_columns(path: Path, names: Iterable[str], needed: Sequence[str]) -> None:
    """See that a table, unless it has no row, has the columns that its format has."""
    missing = [name for name in needed if name not in names]
    if missing and names:
        raise InputError(f"{printable(path)} has no column {missing[0]!r}; add it, with a header.")


def birdnet(path: Path, columns: Columns) -> Iterator[Row]:
    """BirdNET's results as CSV, with the last window of 3 s going beyond the end of a file."""

    def rows() -> Iterator[tuple[str, dict[str, str]]]:
        for where, row in table_rows(path):
            # What is written for Kaleidoscope has a length in place of an end.
            if "IN FILE" in row:
                row["file"] = "/".join(row[name] for name in ("INDIR", "FOLDER", "IN FILE"))
                row["start"] = row.pop("OFFSET")
                length = seconds(where, "DURATION", row["DURATION"])
                row["end"] = str(seconds(where, "OFFSET", row["start"]) + length)
            for name in files & row.keys():
                there = _found(path.parent, row[name])
                if (other := told.setdefault((name, there), row[name])) != row[name]:
                    raise InputError(
                        f"{where}: both {printable(row[name])} and {printable(other)} would be {there}; put "
                        "their recordings into folders of their own, called as there."
                    )
                row[name] = there
            yield where, row

    files = {columns.get("file", "file"), "File", "filepath"}
    told: dict[tuple[str, str], str] = {}
    usual = {"start": "Start (s)", "end": "End (s)", "label": "Common name"}
    names = next(table_rows(path), ("", {}))[1]
    if "IN FILE" in names:
        _require_columns(path, names, ("INDIR", "FOLDER", "OFFSET", "DURATION"))
    named = usual if usual["start"] in names else {}
    yield from merged(as_rows(path, rows(), {**named, **columns}, beyond=3.0))


def _found(folder: Path, file: str) -> str:
    """A path as it is found from a folder, without what it has in front on the machine of a tool."""
    parts = re.split(r"[\\/]", file)
    ends = ("/".join(parts[place:]) for place in range(len(parts)))
    return next((end for end in ends if (folder / end).is_file()), file)


def audacity(path: Path, columns: Columns) -> Iterator[Row]:
    """A label track: start, end and text; a line of a backslash has frequencies of the one above."""
    recording = recording_beside(path)

    def rows() -> Iterator[Row]:
        for where, line in text_lines(path):
            if line.startswith("\\"):
                continue
            start, end, label = (*line.split("\t", 2), "", "")[:3]
            found = {"start": start.strip(), "end": end.strip(), "label": label.strip()}
            yield as_row(where, recording, found)

    yield from merged(rows())


def jams(path: Path, columns: Columns) -> Iterator[Row]:
    """A JAMS file: the annotation of one namespace, that of its observations as time and duration."""
    recording = recording_beside(path)

    def rows() -> Iterator[Row]:
        found = read_object(path, "repair it")
        spaces = sorted({each["namespace"] for each in found["annotations"]})
        wanted = columns.get("label", spaces[0] if spaces else None)
        if wanted not in spaces or (len(spaces) > 1 and "label" not in columns):
            raise which(
                f"{printable(path)} has annotations of several kinds, or none", "label", spaces
            )
        length = found.get("file_metadata", {}).get("duration")
        length = None if length is None else float(length)
        for each in found["annotations"]:
            if each["namespace"] != wanted:
                continue
            data = each["data"]
            if isinstance(data, dict):
                every = zip(*data.values(), strict=True)
                data = [dict(zip(data, values, strict=True)) for values in every]
            for number, one in enumerate(data, 1):
                where = f"{printable(path)}, {wanted} {number}"
                if not isinstance(one["value"], str):
                    raise InputError(
                        f"{where} is {one['value']!r}, no text; choose other annotations."
                    )
                start = float(one["time"])
                end = round(start + float(one["duration"]), 9)
                yield Row(where, recording, (one["value"],), start, end, seconds=length)

    with readable(path, "a JAMS file"):
        yield from merged(rows())


# Speech


def kaldi(path: Path, columns: Columns) -> Iterator[Row]:
    """A data folder of Kaldi: ``wav.scp``, with ``segments``, ``utt2spk`` and ``reco2dur`` if any.

    Labels are in ``utt2label``, ``utt2lang`` or ``text``, or in the file that is named as "label".
    """
    folder = path if path.is_dir() else path.parent
    recordings = _kaldi_map(folder / "wav.scp")
    for where, place in recordings.values():
        if place.startswith("|") or place.endswith("|") or place == "-":
            raise InputError(
                f"{where}: {place!r} is a command, and nothing is executed; write what it gives to a "
                "file and name that."
            )
        if re.search(r"\.ark:\d+$", place):
            raise InputError(f"{where}: {place!r} lies in an archive; copy it out to a file.")
    usual = [name for name in ("utt2label", "utt2lang", "text") if (folder / name).is_file()]
    named = {"label": (usual or ["utt2label"])[0], "group": "utt2spk", **columns}
    if not named["label"]:
        raise which(f"{printable(folder)}: each utterance needs a label", "label", usual)
    labels = _kaldi_map(folder / str(named["label"]))
    is_told = "group" in columns
    groups = _kaldi_map(folder / str(named["group"]), is_told) if named["group"] else {}
    lengths = _kaldi_map(folder / "reco2dur", needed=False)
    utterances = _kaldi_map(folder / "segments", needed=False)
    # Without segments, an utterance is a recording from its start to its end.
    utterances = utterances or {name: (at, f"{name} 0 -1") for name, (at, _) in recordings.items()}
    for name, (where, _) in labels.items():
        if name not in utterances:
            raise InputError(f"{where}: no utterance is called {name!r}; remove the line.")
    for name, segment in utterances.items():
        recording, *part = _kaldi_segment(*segment, recordings)
        where, label = labels.get(name, (f"{printable(folder)}, utterance {name}", ""))
        group = groups.get(name, ("", None))[1]
        at, length = lengths.get(recording, ("", None))
        length = length and seconds(at, "length", length)
        file = folder / recordings[recording][1]
        yield Row(where, file, (label,), *part, group, seconds=length)


def _kaldi_map(path: Path, needed: bool = True) -> dict[str, tuple[str, str]]:
    """For each name where it stands, and what is behind the first blank, which may hold more."""
    found: dict[str, tuple[str, str]] = {}
    for where, line in text_lines(path) if needed or path.is_file() else ():
        name, value = (*re.split(r"[ \t]+", line.strip(" \t"), maxsplit=1), "")[:2]
        if name in found:
            raise InputError(f"{where}: {name!r} is there twice; remove one of the lines.")
        found[name] = where, value
    return found


def _kaldi_segment(
    where: str, segment: str, recordings: dict
) -> tuple[str, float, float | None, int | None]:
    """Recording, start, end and channel of an utterance."""
    recording, *times = segment.split()
    if len(times) not in (2, 3) or not all(map(is_count, times[2:])):
        raise InputError(f"{where}: write utterance, recording, start and end, or a channel too.")
    if recording not in recordings:
        raise InputError(f"{where}: no recording is called {recording!r}; add it to wav.scp.")
    # -1 is Kaldi's way to say the end of the recording.
    end = None if times[1].startswith("-") else seconds(where, "end", times[1])
    return recording, seconds(where, "start", times[0]), end, int(times[2]) if times[2:] else None


def lhotse(path: Path, columns: Columns) -> Iterator[Row]:
    """Cuts of lhotse, or supervisions with the recordings beside them, as JSON lines.

    Times of supervisions count from the cut in cuts, and from the recording elsewhere. One that
    reaches out of its cut is cut with it.
    """
    recordings = {}
    beside = path.with_name(path.name.replace("supervisions", "recordings"))
    if "supervisions" in path.name:
        recordings = {each["id"]: each for _, each in json_lines(beside)}
    for where, each in json_lines(path):
        with readable(Path(where), "a cut or a supervision of lhotse"):
            if "supervisions" not in each and "recording_id" not in each:
                kind = each.get("type", "a recording alone")
                raise InputError(
                    f"{where} is {kind}, which holds no label; name cuts of recordings."
                )
            start = float(each["start"]) if "supervisions" in each else 0.0
            end = start + float(each["duration"]) if "supervisions" in each else None
            # A cut that nobody has labelled is a clip that lacks its label.
            whole = {**each, "start": 0.0, columns.get("label", "text"): None}
            for supervision in each.get("supervisions", [each]) or [whole]:
                recording = each.get("recording") or recordings[supervision["recording_id"]]
                yield _supervised(where, path.parent, recording, supervision, start, end, columns)


def _supervised(
    where: str,
    folder: Path,
    recording: dict,
    supervision: dict,
    first: float,
    last: float | None,
    columns: Columns,
) -> Row:
    """A supervision whose times count from ``first``, cut at that and at ``last``."""
    if recording.get("transforms"):
        raise InputError(f"{where}: the recording is to be transformed; write it to a file first.")
    channels = supervision["channel"]
    channels = [int(n) for n in (channels if isinstance(channels, list) else [channels])]
    (source,) = (s for s in recording["sources"] if channels[0] in map(int, s["channels"]))
    if source["type"] != "file":
        raise InputError(
            f"{where}: the source is a {source['type']}, and nothing is executed or fetched; write it "
            "to a file and name that."
        )
    there = [int(channel) for channel in source["channels"]]
    if len(channels) > 1 and channels != there:
        raise InputError(
            f"{where}: has channels {channels} of {there}; choose one, or all of them."
        )
    start = max(first, first + float(supervision["start"]))
    end = first + float(supervision["start"]) + float(supervision["duration"])
    said = supervision | (supervision.get("custom") or {})
    label = columns.get("label", "text")
    if label not in said:
        raise which(f"{where}: no {label!r} is there", "label", said)
    group = said.get(columns["group"]) if "group" in columns else _CHANGED.sub("", recording["id"])
    return Row(
        where,
        folder / source["source"],
        ("" if said[label] is None else str(said[label]),),
        round(start, 9),
        round(end if last is None else min(end, last), 9),
        None if len(channels) > 1 or len(there) == 1 else there.index(channels[0]),
        group,
        said.get(columns["fold"]) if "fold" in columns else None,
        rate=float(recording["sampling_rate"]),
        seconds=float(recording["num_samples"]) / float(recording["sampling_rate"]),
    )


def audformat(path: Path, columns: Columns) -> Iterator[Row]:
    """A database of audformat: tables by ``db.yaml``, labels by its schemes, folds by its splits.

    The label is the one column whose scheme declares labels, or that which is named. Of tables that
    have it those of a split are taken, if there are any.
    """
    folder = path if path.is_dir() else path.parent
    header = _yaml(folder / "db.yaml")
    with readable(folder / "db.yaml", "the header of an audformat database"):
        schemes, tables = header.get("schemes", {}), header["tables"]
        scheme_of = {
            name: column.get("scheme_id")
            for table in tables.values()
            for name, column in table.get("columns", {}).items()
        }
        declaring = [n for n, scheme in scheme_of.items() if "labels" in schemes.get(scheme, {})]
        label = columns.get("label", declaring[0] if len(declaring) == 1 else None)
        if label not in scheme_of:
            raise which(f"{printable(folder)} has several columns", "label", scheme_of)
        # Labels that another table lists are not looked up.
        labels = schemes.get(scheme_of[label], {}).get("labels")
        declared = None if labels is None or isinstance(labels, str) else set(labels)
        having = {n: table for n, table in tables.items() if label in table.get("columns", {})}
        taken = {n: table for n, table in having.items() if table.get("split_id")} or having
        for name, table in taken.items():
            split = table.get("split_id")
            kind = header["splits"][split]["type"] if split else None
            rows = _audformat_table(folder, name)
            for row in as_rows(folder / "db.yaml", rows, {**columns, "label": label}):
                if declared is not None and row.labels[0] not in {"", *declared}:
                    raise InputError(
                        f"{row.where}: {label} is {row.labels[0]!r}, which the scheme does not "
                        "declare; correct it, or declare it in db.yaml."
                    )
                yield row._replace(fold=row.fold or kind)


def _yaml(path: Path) -> dict:
    """What a YAML file holds, every value the text that it is."""
    try:
        import yaml
    except ImportError as error:
        raise InputError(
            f"{printable(path)} needs PyYAML, which is not installed; install it (pip install pyyaml)."
        ) from error
    with readable(path, "YAML"):
        try:
            return dict(yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader))
        except yaml.YAMLError as error:
            raise ValueError(str(error).replace("\n", " ")) from error


def _audformat_table(folder: Path, name: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows of a table, as CSV or Parquet, with times in seconds."""
    path = folder / f"db.{name}.csv"
    if path.is_file():
        for where, row in table_rows(path):
            times = {r: _audformat_time(where, r, row[r]) for r in ("start", "end") if r in row}
            yield where, row | times
        return
    path = path.with_suffix(".parquet")
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise InputError(
            f"{printable(path)} needs pyarrow, which is not installed; install it (pip install "
            'pyarrow), or save the database with storage_format="csv".'
        ) from error
    with readable(path, "a table of audformat"):
        found = parquet.read_table(path)
        columns = {n: found[n].to_pylist() for n in found.column_names}
        for role in {"start", "end"} & columns.keys():
            nanoseconds = found[role].cast("int64").to_pylist()
            columns[role] = [None if n is None else n / 1e9 for n in nanoseconds]
        for number, values in enumerate(zip(*columns.values(), strict=True), 1):
            texts = ("" if value is None else str(value) for value in values)
            yield f"{printable(path)}, row {number}", dict(zip(columns, texts, strict=True))


def _audformat_time(where: str, role: str, text: str) -> str:
    """A time such as ``0 days 00:00:01.5`` in seconds; nothing for a gap."""
    found = _DAYS.fullmatch(text)
    if text in ("", "NaT"):
        return ""
    if found is None:
        raise InputError(
            f"{where}: the {role} is {text!r}, where audformat would take a plain number for "
            "nanoseconds; write 0 days 00:00:01.5 for a second and a half."
        )
    days, hours, minutes, rest = found.groups()
    return str(float(rest) + 60 * (int(minutes) + 60 * (int(hours) + 24 * int(days))))


# Of these formats the first that knows a path reads it.
READERS = (
    Reader(
        "Kaldi",
        lambda p, _: (p / "wav.scp").is_file() or p.name == "wav.scp",
        kaldi,
        roles="label group",
    ),
    Reader("audformat", lambda p, _: (p / "db.yaml").is_file() or p.name == "db.yaml", audformat),
    Reader("Hugging Face", lambda p, _: bool(_metadata(p)), hugging_face),
    Reader(
        "tables of recordings", lambda p, _: p.is_dir() and bool(_annotations(p)), annotated_folder
    ),
    Reader("a folder a class", lambda p, _: p.is_dir(), class_folders, roles=""),
    Reader("JAMS", lambda p, _: p.suffix == ".jams", jams, of_one=True, roles="label"),
    Reader("Raven", lambda _, first: _RAVEN_TIMES[0] in first.split("\t"), raven, of_one=True),
    Reader("BirdNET", lambda _, first: bool(_BIRDNET.match(first)), birdnet, of_one=True),
    Reader(
        "Audacity",
        lambda _, first: bool(_LABEL_TRACK.match(first)),
        audacity,
        of_one=True,
        roles="",
    ),
    Reader(
        "lhotse", lambda _, first: bool(_LHOTSE.search(first)), lhotse, roles="label group fold"
    ),
    Reader("JSON lines", lambda _, first: first.lstrip().startswith("{"), json_table),
    Reader("CSV, TSV or DCASE", lambda _, first: bool(re.search(r"[,;\t]", first)), text_table),
)
