"""The row that every reader of manifests yields, and tables and JSON lines as the text they are.

No value is guessed at: a label ``NA``, ``001``, ``1e5`` or ``True`` stays those characters.
"""

import csv
import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TextIO

from audiopg.datasets.audio import AUDIO_SUFFIXES, printable
from audiopg.errors import InputError
from audiopg.inputs import is_count, once

# What a column may be for, and the names by which it is known; case does not matter.
ROLES = {
    "file": """file filename file_name filepath file_path path audio audio_file audio_filename
        audio_filepath recording slice_file_name fname""",
    "label": "label category class scene_label event_label species common_name",
    "labels": "labels event_labels tags",
    "start": "start onset start_time",
    "end": "end offset end_time",
    "duration": "duration",
    "channel": "channel",
    "group": "group identifier speaker src_file fsid",
    "fold": "fold split",
}
# The words that name a part of an official split, and no class or fold.
_SPLIT_WORDS = {
    **dict.fromkeys(("train", "training"), "training"),
    **dict.fromkeys(("dev", "devel", "val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "testing"),
}
# What may be a time, and the words around it.
_TIMES = {
    "start": "begin|start|onset|from|t_?min|t_?0|(time|t)_(in_)?(s|secs?|seconds?|ms|samples?)",
    "end": "end|stop|offset|finish|to|t_?max|t_?1",
    "duration": "dur|duration|length|dt",
}
_AROUND = (
    "time|at|in|s|secs?|seconds?|ms|milliseconds|samples?|frames?|"
    "clip|event|call|segment|seg|selection|annotation|audio"
)
# What is one only beside the other: a start, and an end or a duration.
_PAIRS = (
    ("left", "right"),
    ("first", "last"),
    ("in", "out"),
    ("position|pos|time|timestamp|t", _TIMES["duration"]),
)
# Words that make it one whatever stands around them, but for these, which speak of something else.
_TIME_WORDS = {
    "start": re.compile("t?(beg|begin|beginning|start|onset)(s|time)?|xmin"),
    "end": re.compile("t?(end|stop|offset|finish)(s|time)?|xmax"),
    "duration": re.compile("dur|duration"),
}
_OTHER_WORDS = re.compile(
    "date|day|year|clock|utc|dc|recording|deployment|survey|session|file|freq|frequency|k?hz|"
    "lat|lon|latitude|longitude|id|type"
)
# Lists as Python, NumPy and JSON write them: of texts in quotes; of others where commas divide labels.
_QUOTED = re.compile(r"""[\[({]\s*['"]""")
_LISTED = re.compile(r"""[\[({]\s*(['"]|[^\])}]*,|[\])}]$)""")
# What may keep clips apart, or together, under a name that is not known, and what it tells.
_ASKED = {
    "fold": (
        "(k|cv|n|outer|test)?_?folds?(_?(id|no|nr|num|number|index|idx))?|split_.*|.*_split|"
        "partition|subset|is_(train|test|val|valid|eval)",
        "the fold of a clip",
    ),
    "group": (
        "(speaker|subject|participant|patient|client|singer|actor|performer)"
        "(_?(id|no|nr|num|number|name|code))?",
        "which clips belong into one fold",
    ),
}
# Two numbers in brackets, or with a dash between, in a column of such a name.
_SPAN = re.compile(
    r"[\[(]\s*'?[\d.]+'?\s*,\s*'?[\d.]+'?\s*[\])]|[\d.:]+\s*(-|–|to)\s*[\d.:]+", re.ASCII
)
_SPAN_WORDS = re.compile(f"{_AROUND}|when|times|timestamps?|interval|span|region|window|bounds")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)

Columns = Mapping[str, str | int]


class Row(NamedTuple):
    """A clip as a manifest lists it; whether the file agrees is for the checker to see.

    Attributes:
        where: the row, for messages.
        file: the recording.
        labels: of the clip; one empty text where a label is missing, none where it has no class.
        start, end: seconds in the file; no end is the file's.
        channel: from 0; None for the mean of all.
        group: clips that share one belong into one fold.
        fold: its name.
        beyond: seconds by which the end may lie behind that of the file, where it is then cut.
        rate, seconds: what the manifest says of the whole file.
    """

    where: str
    file: Path
    labels: tuple[str, ...]
    start: float = 0.0
    end: float | None = None
    channel: int | None = None
    group: str | None = None
    fold: str | None = None
    # What Kaldi's extract-segments forgives, too.
    beyond: float = 0.5
    rate: float | None = None
    seconds: float | None = None


@contextmanager
def readable(path: Path, what: str) -> Iterator[None]:
    """Refuse in one sentence a file that cannot be opened, or is not what it should be."""
    try:
        yield
    except InputError:
        raise
    except (OSError, EOFError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(
            f"{printable(path)} cannot be read ({why}); see that it is there."
        ) from error
    except (
        *(ValueError, KeyError, TypeError, AttributeError, IndexError, ArithmeticError),
        *(RecursionError, csv.Error, zlib.error),
    ) as error:
        raise InputError(
            f"{printable(path)} is not {what} ({type(error).__name__}: {error}); repair it."
        ) from error


def text_lines(path: Path) -> Iterator[tuple[str, str]]:
    """The lines of a text in UTF-8 that hold something, each with where it stands."""
    # Python's splitlines would break a path at characters that a name may hold.
    with readable(path, "text in UTF-8"), _opened(path, "\n") as f:
        for number, line in enumerate(f, start=1):
            if line.strip():
                yield f"{printable(path)}, line {number}", line.rstrip("\r\n")


def _opened(path: Path, newline: str) -> TextIO:
    """A text in UTF-8, which may be packed by gzip."""
    opened = gzip.open if path.suffix == ".gz" else open
    return opened(path, "rt", encoding="utf-8-sig", newline=newline)


def json_lines(path: Path) -> Iterator[tuple[str, dict]]:
    """The objects of JSON lines, each with where it stands; numbers stay the text they are, NaN is null."""
    for where, line in text_lines(path):
        with readable(Path(where), "a JSON object"):
            found = json.loads(
                line,
                parse_int=str,
                parse_float=str,
                parse_constant=lambda _: None,
                object_pairs_hook=once,
            )
            # Half a character, which no file is called and no terminal shows.
            if r"\ud" in line.lower():
                json.dumps(found, ensure_ascii=False).encode()
            yield where, dict(found)


def table_rows(path: Path, header: bool = True) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows of a text table, each with where it stands.

    A tab in the first line makes it one without quotation, unless all fields of that line are quoted,
    as R writes them; else it is csv, of commas or semicolons.

    Args:
        header: whether the first line names the columns; without it they are "1", "2" and so on.

    Raises:
        InputError: for a row that has another number of fields, by its line.
    """
    first = next(text_lines(path), ("", ""))[1]
    names: list[str] = []
    with readable(path, "a table in UTF-8"):
        for where, fields in _fields(path, first):
            if not names:
                names = fields if header else [str(place + 1) for place in range(len(fields))]
                if twice := {name for name in names if names.count(name) > 1}:
                    raise InputError(f"{where}: two columns are called {min(twice)!r}; rename one.")
                if header:
                    continue
            if len(fields) != len(names):
                raise InputError(
                    f"{where} has {len(fields)} fields where there are {len(names)} columns; correct "
                    "it, or quote a field that holds the delimiter."
                )
            yield where, dict(zip(names, fields, strict=True))


def _fields(path: Path, first: str) -> Iterator[tuple[str, list[str]]]:
    is_quoted = re.fullmatch(r'"[^"]*"(\t"[^"]*")+', first) is not None
    if "\t" in first and not is_quoted:
        for where, line in text_lines(path):
            yield where, [field.strip() for field in line.split("\t")]
        return
    # A name may hold the other one, in quotes or brackets.
    bare = re.sub(r'"[^"]*"|\([^)]*\)|\[[^]]*\]', "", first)
    delimiter = "\t" if is_quoted else max(",;", key=bare.count)
    with _opened(path, "") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        for fields in reader:
            if any(fields):
                yield f"{printable(path)}, line {reader.line_num}", [f.strip() for f in fields]


def as_rows(
    path: Path, values: Iterable[tuple[str, Mapping]], columns: Columns, **more: object
) -> Iterator[Row]:
    """The rows of a table or of JSON objects, by which column is for what.

    Args:
        path: of the manifest; files are relative to its folder. Without a column of files they are
            of the recording that it lies beside.
        columns: of each role the name, or the place from 1, where `ROLES` does not tell; nothing
            where no column has it.
    """
    kinds: dict[str, set[str | None]] = {}
    otherwise = ", or say that no column is the {0}, with --columns {0}="
    column_of: dict[str, str] = {}
    beside: Path | None = None
    names: list[str] = []
    folders: list[set[str | None]] | None = None
    for where, row in values:
        if not names:
            names = list(row)
            column_of = roles_of(where, names, columns)
            beside = None if "file" in column_of else recording_beside(path)
        # A group whose names are those parts is a split, too.
        for other in row.keys() - {n for role, n in column_of.items() if role != "group"}:
            if row[other] not in (None, ""):
                kinds.setdefault(other, set()).add(split_part(str(row[other])))
                if "start" not in {*columns, *column_of}:
                    _refuse_span(where, other, row[other])
        found = {role: row.get(name) for role, name in column_of.items()}
        name = found.get("file")
        if not beside and not (name and isinstance(name, str)):
            raise InputError(f"{where}: the file is {name!r}; name one, or remove the row.")
        above = [split_part(part) for part in Path(name or "").parts[:-1]]
        folders = [{part} for part in above] if folders is None else folders
        folders = [found | {part} for found, part in zip(folders, above, strict=False)]
        yield as_row(where, beside or path.parent / name, found, otherwise, **more)
    split = [other for other in kinds if divides(kinds[other])]
    if split and "fold" not in {*columns, *column_of}:
        why = f"{printable(path)}: {split[0]!r} holds the parts of a split (if it is none, --columns fold=)"
        raise which(why, "fold", names)
    if "fold" not in {*columns, *column_of} and any(map(divides, folders or ())):
        raise InputError(
            f"{printable(path)}: the files lie in folders called as the parts of a split; write these into a "
            "column 'fold', or say that they are none, with columns={'fold': ''} (--columns fold=)."
        )


def split_part(name: str) -> str | None:
    """Which part of a split a name such as ``Train`` or ``test-clean`` is of; None for no or several."""
    found = split_parts(name)
    return found.pop() if len(found) == 1 else None


def split_parts(name: str) -> set[str]:
    """The parts of a split that the words of a name speak of."""
    return {_SPLIT_WORDS.get(word) for word in re.split(r"[-_. ]+", name.lower())} - {None}


def divides(kinds: Iterable[str | None]) -> bool:
    """Whether what `split_part` says of some names is a split: training, another part, no more."""
    found = set(kinds)
    return None not in found and "training" in found and len(found) > 1


def as_row(
    where: str, file: Path, found: Mapping[str, object], otherwise: str = "", **more: object
) -> Row:
    """A row, from the text for each role; ``otherwise`` is what else to do where one is no time."""
    times = {
        role: seconds(where, role, found[role], otherwise.format(role))
        for role in ("start", "end", "duration")
        if found.get(role) not in (None, "")
    }
    length = times.pop("duration", None)
    if "start" in found and length is not None:
        times.setdefault("end", round(times.get("start", 0.0) + length, 9))
    several = found.get("labels")
    text = found.get("label") if several is None else several
    if isinstance(text, str) and (_QUOTED if several is None else _LISTED).match(text):
        raise InputError(
            f"{where}: the labels are {text!r}; write them into a column 'labels', divided by commas, "
            "without brackets and quotes."
        )
    if several is None:
        labels: tuple[str, ...] = (_plain(where, found.get("label")),)
    elif isinstance(several, str):
        if ";" in several or "|" in several:
            raise InputError(f"{where}: the labels are {several!r}; divide them by commas.")
        labels = tuple(label.strip() for label in several.split(",") if label.strip())
    elif isinstance(several, list | tuple):
        labels = tuple(_plain(where, label) for label in several)
    else:
        raise InputError(f"{where}: {several!r} stands where labels should; write a list of texts.")
    channel = found.get("channel")
    if channel and not (is_count(str(channel)) and int(channel) > 0):
        raise InputError(f"{where}: the channel is {channel!r}; write a whole number from 1.")
    names = {role: _plain(where, found.get(role)) or None for role in ("group", "fold")}
    more = {"channel": int(channel) - 1 if channel else None, **names, **times, **more}
    return Row(where, file, labels, **more)


def roles_of(where: str, names: list[str], columns: Columns) -> dict[str, str]:
    """Which column is for what: those that are named, and of the rest those known by name.

    Raises:
        InputError: for a column that is not there, or two that might be meant.
    """
    found = {role: str(name) for role, name in columns.items()}
    for role, name in found.items():
        if name and name not in names:
            raise which(f"{where}: no column is called {name!r}", role, names)
    for role, known in ROLES.items():
        # A clip has one label, or a list of them.
        if (
            role in found
            or (role == "labels" and found.get("label"))
            or (role == "label" and found.get("labels"))
        ):
            continue
        taken = found.values()
        alike = [n for n in names if n.casefold() in known.split() and n not in taken]
        # Beside the name of a file, this is what the file was cut from.
        if role == "file" and len(alike) > 1:
            alike = [n for n in alike if n.casefold() != "recording"]
        if len(alike) > 1:
            raise which(f"{where}: {' and '.join(map(repr, alike))} may both be it", role, alike)
        found |= {role: name for name in alike}  # noqa: B035 - there is one, or none
        # In UrbanSound8K's table the times are those of the recording that the file was cut from.
        if role == "file" and "slice_file_name" in alike:
            found = {"start": "", "end": "", **found}
    # NeMo's offset is a start, with a duration; DCASE's an end, after an onset.
    if "end" not in columns and found.get("end", "").lower() == "offset" and "start" not in found:
        if "duration" not in found:
            raise which(f"{where}: 'offset' may be a start or an end", "end", names)
        found["start"] = found.pop("end")
    if found.get("file") == "audio_filepath":
        # Where NeMo's offset is not there, it is 0.
        found.setdefault("start", "offset")
    _ask_for_times(where, names, found)
    for role, (known, told) in _ASKED.items():
        for name in names if role not in found else ():
            if name not in found.values() and re.fullmatch(known, _words(name)):
                why = f"{where}: {name!r} may tell {told} (if it does not, --columns {role}=)"
                raise which(why, role, names)
    found = {role: name for role, name in found.items() if name}
    # Beside no start it may be what the whole file has.
    if "duration" in columns.keys() & found.keys() and "start" not in found:
        raise which(f"{where}: a duration needs a start", "start", names)
    if not {"label", "labels"} & found.keys():
        raise which(f"{where}: no column is known to hold labels", "label", names)
    return found


def _ask_for_times(where: str, names: list[str], found: Mapping[str, str]) -> None:
    """Refuse a table in which a time of the clips may stand under a name that is not known."""
    start, lasts = bool(found.get("start")), "duration" in found
    words_of = {name: _words(name) for name in names}
    known_as = dict(_TIMES)
    # Beside a duration a time may be the start; beside a date it is the time of that day.
    for first, second in _PAIRS[: -1 if "date" in words_of.values() else None]:
        if all(
            any(_is_called(known, words) for words in words_of.values())
            for known in (first, second)
        ):
            known_as["start"] += f"|{first}"
            known_as["end"] += f"|{second}" if second != _TIMES["duration"] else ""
    free = {
        "start": "start" not in found,
        "end": "end" not in found and not (start and lasts),
        # Beside no start it may be what the whole file has.
        "duration": start and not lasts and "end" not in found,
    }
    for name, words in words_of.items():
        each = words.split("_")
        for role, known in known_as.items():
            is_time = _is_called(known, words) or (
                any(map(_TIME_WORDS[role].fullmatch, each))
                and not any(map(_OTHER_WORDS.fullmatch, each))
            )
            if free[role] and name not in found.values() and is_time:
                why = f"{where}: {name!r} may be a time in the file (if it is none, --columns {role}=)"
                raise which(why, role, names)


def _words(name: str) -> str:
    """The words of a column's name, in small letters with _ between."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[^A-Za-z0-9]+", "_", name).strip("_").lower()


def _is_called(known: str, words: str) -> bool:
    """Whether a name is a known one, with others around that say what it is a time of."""
    return re.fullmatch(f"(({_AROUND})_)*({known})(_?({_AROUND}))*", words) is not None


def _refuse_span(where: str, name: str, value: object) -> None:
    """Refuse a value that may be a start and an end at once, or hold them."""
    each = _words(name).split("_")
    inner = [
        one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)
    ]
    if inner:
        is_span = any(_is_called(_TIMES["start"], _words(key)) for one in inner for key in one)
    else:
        is_span = _SPAN.fullmatch(str(value)) and any(map(_SPAN_WORDS.fullmatch, each))
    if is_span and not any(map(_OTHER_WORDS.fullmatch, each)):
        raise InputError(
            f"{where}: {name!r} may hold times in the file (if it holds none, --columns start=); write "
            "them into the columns 'start' and 'end'."
        )


def which(why: str, role: str, names: Iterable[str]) -> InputError:
    """What to say where it is not clear which column, or what else, has a role."""
    return InputError(
        f"{why}; say which is the {role}, with columns={{{role!r}: ...}} (--columns {role}=...), "
        f"of {', '.join(names) or 'none'}."
    )


def seconds(where: str, role: str, text: object, otherwise: str = "") -> float:
    """A time that is written as a plain number of seconds, not below 0."""
    if not _NUMBER.fullmatch(str(text)) or float(str(text)) < 0:
        raise InputError(
            f"{where}: the {role} is {text!r}; write seconds from 0, such as 1.5{otherwise}."
        )
    return float(str(text))


def _plain(where: str, value: object) -> str:
    """Text without space around it; of JSON also true and false, and nothing for null."""
    if value is None or isinstance(value, str):
        return (value or "").strip()
    if isinstance(value, bool):
        return str(value).lower()
    raise InputError(f"{where}: {value!r} stands where a text should; write one.")


def recording_beside(manifest: Path) -> Path:
    """The recording that a manifest is of: beside it, with a name that its own begins with.

    So ``night.Table.1.selections.txt`` is of ``night.wav``; of several the longest name is meant.

    Raises:
        InputError: where there is none, or one name has two recordings.
    """
    found = [
        path
        for path in sorted(manifest.parent.iterdir())
        if path.suffix.lower() in AUDIO_SUFFIXES and manifest.name.startswith(f"{path.stem}.")
    ]
    longest = max((len(path.stem) for path in found), default=0)
    whole = [path for path in found if manifest.name.startswith(f"{path.name}.")]
    found = whole or [path for path in found if len(path.stem) == longest]
    if len(found) != 1:
        several = " and ".join(path.name for path in found) or "no recording"
        raise InputError(
            f"beside {printable(manifest)} lies {several} by its name; keep one recording of that "
            "name there, or say which column names the file, with columns={'file': ...} (--columns file=...)."
        )
    return found[0]


def merged(rows: Iterable[Row]) -> Iterator[Row]:
    """Rows of the same part of a file as one, which has the labels of all; whole files stay apart.

    Raises:
        InputError: for rows of one part that differ in group or fold.
    """
    alike: dict[tuple, Row] = {}
    for row in rows:
        part = (row.where,) if row.end is None else (row.file, row.start, row.end, row.channel)
        if other := alike.get(part):
            if (row.group, row.fold) != (other.group, other.fold):
                raise InputError(
                    f"{row.where}: the same part was listed already ({other.where}), in another group or "
                    "fold; write the same in both."
                )
            row = other._replace(labels=other.labels + row.labels)
        alike[part] = row
    yield from alike.values()
