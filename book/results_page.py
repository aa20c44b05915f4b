"""A Sphinx extension: the tables of the paper with ours beside them, made from results/.

``{results} table_3`` in a page becomes a table with a row for every row of the paper's and, beside
it, every record of ours that answers it, with its scale and device; or "not run yet", with the
command that would run it. ``{results}`` without a name shows the records that answer no row.
``{machine}`` says what the book was built on, and ``{execution}`` how long its chapters took.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from audiopg.environment import provenance
from audiopg.records import RESULTS, paper_table

PRETRAIN = "audiopg pretrain --recipe paper --out runs/paper"
NOT_RUN = "not run yet"
# Longer than any fence inside.
_FENCE = "`" * 5


@dataclass(frozen=True)
class Row:
    """A row of a table of the paper, and what answers it.

    Attributes:
        records: names of records, with * for any letters.
        command: what would run it at the paper's scale.
        note: said where there are neither records nor a command.
    """

    records: tuple[str, ...] = ()
    command: str = ""
    note: str = NOT_RUN


def _reproduced(*names: str) -> Row:
    """What `audiopg reproduce` runs, at any scale and with any seed."""
    return Row(
        tuple(f"{name}-*" for name in names),
        f"audiopg reproduce --scale paper {' '.join(names)}",
    )


_ANALYSIS = Row(("analysis*", "analyze*"), "audiopg analyze runs/paper --controls --out runs/paper")

# Table of the paper -> its rows -> ours. The order of rows is the paper's.
ROWS = {
    "table_1": {
        "random guess": Row(note="stands beside every probe, in the chapter on transfer"),
        "supervised from scratch": Row(
            ("finetune-*scratch*",),
            "audiopg finetune --preset base --recipe paper --dataset esc50 --out runs/scratch",
        ),
        "AudioPG": Row(
            ("finetune-*", "probe-*", "transfer-*"),
            "audiopg finetune --start runs/paper --recipe paper --dataset esc50 --out runs/esc50",
        ),
    },
    "table_3": {
        "sine": _reproduced("curriculum-sine"),
        "harmonic": _reproduced("curriculum-harmonic"),
        "dynamic": _reproduced("curriculum-dynamic"),
        # The recipe itself.
        "full": Row(
            ("recipe-bfloat16-*", "recipe-paper-*", "curriculum-full-*"),
            "audiopg reproduce --scale paper recipe-paper",
        ),
        "full, 500 epochs": Row(("long-*",), f"{PRETRAIN} --steps 39063"),
        "real audio, full training": Row(("real-long-*",), f"{PRETRAIN} --audio recordings"),
        "real audio, time-matched": _reproduced("real-for"),
    },
    "table_4": {
        "narrow f0": Row(("sensitivity-narrow*", "range-narrow*")),
        "default f0, 1-5 events": Row(("sensitivity-default*",)),
        "wide f0": Row(("sensitivity-wide*", "range-wide*")),
        "1 event": Row(("sensitivity-1-event*", "density-sparse*")),
        "5-10 events": Row(("sensitivity-5-10*", "density-crowded*")),
    },
    "table_5": {
        "ImageNet initialisation": Row(note="not among our runs: it needs weights from elsewhere"),
        "AudioPG initialisation": Row(
            ("adapt*", "continued*"),
            "audiopg pretrain --start runs/paper --audio recordings --out runs/adapted",
        ),
    },
    "section_4_4": {
        "frequency": _ANALYSIS,
        "relative intensity": _ANALYSIS,
        "temporal position": _ANALYSIS,
    },
}


def read_records(folder: Path = RESULTS) -> dict[str, dict]:
    """Every record of a run, by name; the paper's own figures are none."""
    paths = (path for path in sorted(folder.glob("*.json")) if path.stem != "paper")
    return {path.stem: json.loads(path.read_text()) for path in paths}


def answers(row: Row, records: Iterable[str]) -> list[str]:
    """The records that a row names, but for those that another row names more closely."""
    chosen = [name for name in records if any(fnmatch(name, known) for known in row.records)]
    return [name for name in chosen if _closest(name) is row]


def _closest(name: str) -> Row | None:
    """The row whose pattern spells out most of a record's name."""
    candidates = [
        (len(pattern), row)
        for rows in ROWS.values()
        for row in rows.values()
        for pattern in row.records
        if fnmatch(name, pattern)
    ]
    return max(candidates, key=lambda found: found[0])[1] if candidates else None


def figures(record: dict) -> str:
    """The accuracies of a record in per cent, with their deviation over the folds, set by set."""
    metrics = record["metrics"]
    if "probes" in metrics:
        found = metrics["probes"]
    elif "this encoder" in metrics:
        found = {record["data"].partition(", ")[0]: metrics["this encoder"]}
    elif "mean" in metrics:
        found = {record["data"].partition(", ")[0]: metrics}
    else:
        return "see its chapter"
    texts = []
    for name, figure in found.items():
        deviation = figure.get("standard_deviation")
        spread = "" if deviation is None else f" ± {100 * deviation:.1f}"
        texts.append(f"{name}: {100 * figure['mean']:.1f}{spread} %")
    return "; ".join(texts)


def scale_and_device(record: dict) -> str:
    """How large the run was, where it ran and how long it took."""
    settings = record["settings"]
    size = settings.get("preset") or settings.get("model") or settings.get("start") or ""
    clips = settings.get("steps", 0) * settings.get("batch_size", 0)
    minutes = record["seconds"] / 60
    parts = [
        f"`{size}`" if size else "",
        f"{clips:,} clips" if clips else "",
        f"{record['scale']} scale",
        record["device"],
        f"{minutes:.0f} min" if minutes >= 1 else f"{record['seconds']:.0f} s",
        record["date"],
    ]
    return ", ".join(part for part in parts if part)


def how(record: dict) -> str:
    """In two words, how the figures were obtained."""
    protocol = record["protocol"].lower()
    return "fine-tuning" if "fine-tuned" in protocol else "linear probe"


def results_table(name: str, records: dict[str, dict]) -> str:
    """A table of the paper as Markdown, with ours beside it.

    Args:
        name: of a table of ``ROWS``; "" for the records that answer no row.
        records: as of `read_records`.

    Raises:
        ValueError: for a table without rows here, or with other rows than the paper's.
    """
    if not name:
        lines = [
            [[f"`{record}`"], [found["protocol"]], [scale_and_device(found)]]
            for record, found in records.items()
            if _closest(record) is None
        ]
        return list_table(["record", "what", "scale and device"], lines or [[["none"], [], []]])
    if name == "table_2":
        return confusions_table(records)
    paper = paper_table(name)
    rows = ROWS[name]
    if list(rows) != list(paper.index):
        raise ValueError(f"{name} of the paper has rows {list(paper.index)}, here {list(rows)}")
    lines = []
    for label, row in rows.items():
        found = [records[one] for one in answers(row, records)]
        ours = [f"{how(one)}, {figures(one)} ({scale_and_device(one)})" for one in found]
        if row.command and not any(one["scale"] == "paper" for one in found):
            scale = " at the paper's scale" if ours else ""
            ours.append(f"{NOT_RUN}{scale}: `python -m {row.command}`")
        theirs = paper.loc[label].dropna()
        lines.append(
            [
                [label],
                [f"{column}: {value:g}" for column, value in theirs.items()],
                ours or [row.note],
            ]
        )
    return list_table(["", "the paper's", "ours"], lines)


def confusions_table(records: dict[str, dict]) -> str:
    """Table 2 of the paper, set by set, with the most frequent confusions of our probes."""
    paper = paper_table("table_2")
    lines = []
    for name, rows in paper.groupby("set", sort=False):
        theirs = [
            f"{row['true class']} taken for {row['confused as']}: {row['rate (%)']:g} %"
            for _, row in rows.iterrows()
        ]
        ours = []
        for record, found in records.items():
            confusion = found["metrics"].get("this encoder", {}).get("confusion")
            # ESC-10 is a part of ESC-50, as a record's "Speech Commands, 10 words" is of its set.
            if confusion and found["data"].startswith(name.replace("ESC-50", "ESC-10")[:12]):
                worst = "; ".join(most_confused(confusion))
                ours.append(f"`{record}`, linear probe, {found['data'].partition(',')[0]}: {worst}")
        lines.append([[name], theirs, ours or [NOT_RUN]])
    return list_table(["", "the paper's", "ours"], lines)


def most_confused(confusion: dict[str, dict[str, int]], number: int = 3) -> list[str]:
    """The most frequent confusions, as shares of the clips of the true class.

    Args:
        confusion: true class -> predicted class -> clips.
        number: how many to name.
    """
    rates = [
        (clips / sum(row.values()), true, predicted)
        for true, row in confusion.items()
        for predicted, clips in row.items()
        if predicted != true
    ]
    return [
        f"{true} taken for {predicted} {100 * rate:.1f} %".replace("_", " ")
        for rate, true, predicted in sorted(rates, key=lambda found: -found[0])[:number]
    ]


def list_table(header: list[str], rows: list[list[list[str]]]) -> str:
    """A table as Markdown, in which a cell of several texts is a list."""
    cells = [[[title] for title in header], *rows]
    lines = [f"{_FENCE}{{list-table}}", ":header-rows: 1", ""]
    for row in cells:
        for place, texts in enumerate(row):
            start = "* - " if place == 0 else "  - "
            bullet = "- " if len(texts) > 1 else ""
            for text in texts or [""]:
                lines.append(f"{start}{bullet}{text}".rstrip())
                start = "    "
    return "\n".join([*lines, _FENCE])


class Results(SphinxDirective):
    """``{results} table_3``: see the module."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        records = read_records()
        for name in ("paper", *records):
            self.env.note_dependency(str(RESULTS / f"{name}.json"))
        return parsed(self, results_table(" ".join(self.arguments), records))


class Machine(SphinxDirective):
    """``{machine}``: the machine and the versions that the book was built with."""

    def run(self) -> list[nodes.Node]:
        built = provenance()
        facts = {
            "machine": built["device"],
            "scale": f"`{built['scale']}`",
            **built["versions"],
            "commit": f"`{built['commit']}`",
            "date": built["date"],
        }
        return parsed(
            self, list_table(["what", "of this book"], [[[k], [v]] for k, v in facts.items()])
        )


class execution_times(nodes.General, nodes.Element):
    """Where the table of execution times belongs, until all chapters have been read."""


class Execution(SphinxDirective):
    """``{execution}``: the chapters, and the seconds that each took when it was executed."""

    def run(self) -> list[nodes.Node]:
        return [execution_times()]


def fill_in_times(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the table of execution times where it belongs."""
    for place in list(doctree.findall(execution_times)):
        place.replace_self(times_table(app, docname))


def times_table(app: Sphinx, docname: str) -> nodes.table:
    """A row a chapter, in the order of the book, and their sum."""
    group = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in (80, 20)), cols=2)
    executed = {
        name: found["runtime"]
        for name in app.env.toctree_includes[app.config.root_doc]
        if (found := NbMetadataCollector.get_exec_data(app.env, name))
    }
    rows = []
    for name, seconds in executed.items():
        title = app.env.titles[name].astext()
        address = app.builder.get_relative_uri(docname, name)
        link = nodes.reference("", title, refuri=address, internal=True)
        rows.append([link, f"{seconds:.0f}"])
    rows.append(["all of them", f"{sum(executed.values()):.0f}"])
    group += nodes.thead("", _row(["chapter", "seconds"]))
    group += nodes.tbody("", *map(_row, rows))
    return nodes.table("", group)


def _row(cells: list[str | nodes.Node]) -> nodes.row:
    texts = [nodes.Text(cell) if isinstance(cell, str) else cell for cell in cells]
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", text)) for text in texts))


def parsed(directive: SphinxDirective, text: str) -> list[nodes.Node]:
    """What a page would show for a piece of Markdown."""
    node = nodes.Element()
    directive.state.nested_parse(StringList(text.splitlines()), directive.content_offset, node)
    return node.children


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("results", Results)
    app.add_directive("machine", Machine)
    app.add_directive("execution", Execution)
    app.add_node(execution_times)
    app.connect("doctree-resolved", fill_in_times)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
