"""A Sphinx extension: the tables of the paper with ours beside them, made from results/.

``{results} table_3`` in a page becomes a table with every row of the paper's and, under it, a row for
every record of ours that answers it, or "not run yet". Scales, devices and commands are folded below
it. ``{results}`` without a name shows the records that answer no row.
``{recorded} probe-*`` shows every row of the records of that name, controls and all.
``{machine}`` says what the book was built on, ``{execution}`` how long its chapters took, and
``{speed}`` what synthesis costs beside other ways.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from audiopg.book.experiments import clips_heard, experiments
from audiopg.environment import provenance
from audiopg.records import RESULTS, other_weights, paper_table, read_record
from audiopg.synth import ADDITIONS
from audiopg.transfer import recorded_table
from audiopg.transfer.summary import THIS

PRETRAIN = "audiopg pretrain --recipe paper --out runs/paper"
NOT_RUN = "not run yet"
AT_PAPER_SCALE = {experiment.name for experiment in experiments("paper")}
# Longer than any fence inside.
_FENCE = "`" * 5


@dataclass(frozen=True)
class Row:
    """A row of a table of the paper, or one that it might have had, and what answers it.

    Attributes:
        records: names of records, with * for any letters.
        command: what would run it at the paper's scale.
        note: said where there are neither records nor a command; "" for other work.
        from_scratch: whether the figures are those of networks from scratch alone: a record's own,
            or one that was fine-tuned beside it.
        factor: the one that an analysis is asked about.
    """

    records: tuple[str, ...] = ()
    command: str = ""
    note: str = NOT_RUN
    from_scratch: bool = False
    factor: str = ""


def _reproduced(name: str, *others: str) -> Row:
    """What `audiopg reproduce` runs, at any scale and with any seed."""
    return Row((f"{name}-*", *others), f"audiopg reproduce --scale paper {name}")


def _analysed(factor: str) -> Row:
    command = "audiopg analyze runs/paper --controls --out runs/paper/analysis"
    return Row(("analysis*", "analyze*"), command, factor=factor)


# Tables that the paper has not.
OUR_OWN = ("beyond",)
# Table of the paper -> its rows, in its order, then rows that it has not -> ours.
ROWS = {
    "prior_work": {name: Row(note="") for name in paper_table("prior_work").index},
    "table_1": {
        "random guess": Row(note="in the tables below"),
        "supervised from scratch": Row(
            ("finetune-*", "scratch-*"),
            "audiopg finetune --preset base --recipe paper --dataset esc50 --out runs/scratch",
            from_scratch=True,
        ),
        "AudioPG": Row(
            ("finetune-*", "probe-*"),
            "audiopg finetune --start runs/paper --recipe paper --dataset esc50 --out runs/esc50",
        ),
    },
    "table_3": {
        "sine": _reproduced("curriculum-sine", "finetuned-sine-*"),
        "harmonic": _reproduced("curriculum-harmonic", "finetuned-harmonic-*"),
        "dynamic": _reproduced("curriculum-dynamic", "finetuned-dynamic-*"),
        "full": _reproduced("curriculum-full", "finetuned-full-*"),
        "full, 500 epochs": _reproduced("long"),
        "real audio, full training": _reproduced("long-real-for"),
        "real audio, time-matched": _reproduced("real-for", "finetuned-real-*"),
        "real audio, without words": _reproduced("sounds-for"),
        "from scratch": _reproduced("finetuned-scratch"),
        "untrained": _reproduced("untrained"),
        "log-mel mean and deviation": _reproduced("log-mel"),
    },
    "table_4": {
        "narrow f0": _reproduced("sensitivity-narrow-f0"),
        "default f0, 1-5 events": _reproduced("curriculum-full"),
        "wide f0": _reproduced("sensitivity-wide-f0"),
        "1 event": _reproduced("sensitivity-1-event"),
        "5-10 events": _reproduced("sensitivity-5-10-events"),
    },
    "table_5": {
        **{name: Row(note="") for name in ("MAE-AST", "MaskSpec", "MSM-MAE")},
        "ImageNet initialisation": Row(note="not among our runs: it needs weights from elsewhere"),
        "AudioPG initialisation": _reproduced("adapt-to"),
        "AudioPG, not adapted": _reproduced("before-adapting"),
        "the target alone": _reproduced("target-only"),
    },
    "section_4_4": {
        "frequency": _analysed("log f0"),
        "relative intensity": _analysed("relative intensity"),
        "temporal position": _analysed("onset"),
    },
    "beyond": {
        "full": _reproduced("beyond-full", "chosen-full-*"),
        "extended": _reproduced("extended", "beyond-extended-*"),
        **{name: _reproduced(f"beyond-{name}", f"chosen-{name}-*") for name in ADDITIONS},
        "full, auxiliary head": _reproduced("beyond-auxiliary"),
    },
}


def read_records(folder: Path = RESULTS) -> dict[str, dict]:
    """Every record of a run, by name; the paper's own figures are none."""
    paths = (path for path in sorted(folder.glob("*.json")) if path.stem != "paper")
    return {path.stem: json.loads(path.read_text()) for path in paths}


def answers(row: Row, records: Iterable[str]) -> list[str]:
    """The records that a row names, but for those that another row names more closely."""
    return [name for name in records if 0 < _closeness(row, name) == _closest(name)]


def _closeness(row: Row, name: str) -> int:
    """How much of a record's name a row spells out."""
    return max((len(each) for each in row.records if fnmatch(name, each)), default=0)


def _closest(name: str) -> int:
    return max(_closeness(row, name) for rows in ROWS.values() for row in rows.values())


@dataclass(frozen=True)
class Measurement:
    """A row of a table: who measured, how, and what came out.

    Attributes:
        how: in a few words.
        cells: what came out, by column.
        record: the name of the record; "" for a figure that the paper prints.
    """

    how: str
    cells: dict[str, str]
    record: str = ""


def measurements(record: dict, row: Row | None = None) -> list[Measurement]:
    """What came out of a record: accuracies in per cent with their deviation over the folds.

    Args:
        record: of any kind.
        row: what is asked of it.

    Returns:
        A row for the record, or one for each network that was analysed; none for a record that has no
        answer. Two accuracies of a probe are with mean and with frequency pooling.
    """
    metrics = record["metrics"]
    if row and row.factor:
        return _analysed_rows(record, row.factor) if "ridge" in metrics else []
    if "probes" in metrics:
        found = [(name.partition(",")[0], probe) for name, probe in metrics["probes"].items()]
        apart = metrics.get("probes_by_frequency", {}).values()
    else:
        mine, beside = metrics.get(THIS, metrics), record["settings"].get("beside", {})
        asked = [mine] if "mean" in mine else []
        if row and row.from_scratch:
            runs = {THIS: record["settings"]} | beside
            asked = [metrics[name] for name in runs if runs[name].get("start", 0) is None]
        found = [(tested_on(record).partition(",")[0], figure) for figure in asked]
        apart = [metrics[f"{THIS}, frequency pooling"]] if _has_both(metrics) else []
    cells = {name.replace(" v0.02", ""): _accuracy(figure) for name, figure in found}
    for (name, cell), other in zip(list(cells.items()), apart, strict=False):
        cells[name] = f"{cell} / {_accuracy(other)}"
    if not cells:
        return []
    if clips := clips_heard(record):
        cells["clips"] = f"{clips:,}"
    if "held_out_loss" in metrics:
        cells["loss"] = f"{metrics['held_out_loss']:.3f}"
    return [Measurement(how(record), cells, record["name"])]


def _has_both(metrics: dict) -> bool:
    return f"{THIS}, frequency pooling" in metrics


def _accuracy(figure: dict) -> str:
    deviation = figure.get("standard_deviation")
    spread = "" if deviation is None else f" ± {100 * deviation:.1f}"
    return f"{'mAP ' * ('mAP' in figure)}{100 * figure['mean']:.1f}{spread}"


def tested_on(record: dict) -> str:
    """The set that a record of one set is about, and which part of it, without its clips."""
    return re.split(r", \d+ clips", record["data"])[0]


def _analysed_rows(record: dict, factor: str) -> list[Measurement]:
    """The best neuron and component for a factor, the gap, and R² from all neurons, of every network
    and control."""
    found = {
        name: _rows_of(record["metrics"][name])
        for name in ("neurons", "components", "gaps", "ridge")
    }
    rows = []
    for linear in (row for row in found["ridge"] if row["factor"] == factor):
        ours = {
            name: [row for row in table if row["embeddings"] == linear["embeddings"]]
            for name, table in found.items()
        }
        best = max(
            (row for row in ours["neurons"] if row["factor"] == factor),
            key=lambda row: row["information"],
        )
        (gap,) = (
            row["gap"]
            for row in ours["gaps"]
            if row["factor"] == factor and row["gap in"] == "information"
        )
        component = max(ours["components"], key=lambda row: row[factor])
        cells = {
            "best neuron": str(best["dimension"]),
            "its mutual information (nats)": f"{best['information']:.2f}",
            "mutual information gap": f"{gap:.3f}",
            "ridge R²": f"{linear['R²']:.3f} ± {linear['standard deviation']:.3f}",
            "best component": str(component["component"]),
            "mutual information of the component (nats)": f"{component[factor]:.2f}",
        }
        rows.append(Measurement(row_name(record, linear["embeddings"]), cells, record["name"]))
    return rows


def _rows_of(table: dict) -> list[dict]:
    return [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]


def at_paper_scale(record: dict) -> bool:
    """Whether a run had the size of the paper's."""
    return record["scale"] == "paper" or record["name"] in AT_PAPER_SCALE


def scale_and_device(record: dict) -> str:
    """How large the run was, where it ran and how long it took."""
    settings = record["settings"]
    start = settings.get("start")
    size = settings.get("model") or (start and f"from {start}") or settings.get("preset") or ""
    clips = clips_heard(record)
    minutes = record["seconds"] / 60
    parts = [
        f"`{size}`" + ", other weights than now" * bool(other_weights(record)) if size else "",
        f"{clips:,} clips" if clips else "",
        f"{settings['epochs']} epochs" if "epochs" in settings else "",
        f"{'paper' if at_paper_scale(record) else record['scale']} scale",
        record["device"],
        f"{minutes:.0f} min" if minutes >= 1 else f"{record['seconds']:.0f} s",
        record["date"],
    ]
    return ", ".join(part for part in parts if part)


def how(record: dict) -> str:
    """In two words, how the figures were obtained."""
    if "ridge" in record["metrics"]:
        return "analysis"
    protocol = record["protocol"].lower()
    return "fine-tuning" if protocol.startswith("fine-tuned") else "linear probe"


def results_table(name: str, records: dict[str, dict]) -> str:
    """A table of the paper as Markdown, a row a measurement: the paper's, and ours under it.

    Args:
        name: of a table of ``ROWS``; "" for the records that answer no row.
        records: as of `read_records`.

    Raises:
        ValueError: for a table whose rows are not first the paper's.
    """
    if not name:
        return _other_records(records)
    if name == "table_2":
        return confusions_table(records)
    printed = {} if name in OUR_OWN else dict(paper_table(name).iterrows())
    rows = ROWS[name]
    if list(rows)[: len(printed)] != list(printed):
        raise ValueError(f"{name} of the paper has rows {list(printed)}, here {list(rows)}")
    table: list[tuple[str, Measurement]] = []
    commands = []
    for label, row in rows.items():
        if label in printed:
            values = printed[label].dropna().items()
            cells = {column.removesuffix(" (%)"): _number(value) for column, value in values}
            table.append((label, Measurement("the paper's", cells)))
        found = [records[one] for one in answers(row, records)]
        ours = [one for record in found for one in measurements(record, row)]
        if not ours and (row.command or row.note):
            ours = [Measurement(NOT_RUN if row.command else row.note, {})]
        table += [(label, one) for one in ours]
        if row.command and not any(map(at_paper_scale, found)):
            commands.append([[label], [f"`python -m {row.command}`"]])
    named = {one.record: records[one.record] for _, one in table if one.record}
    parts = [_measured_table(table)]
    if named:
        parts.append(_folded("Where, when and how long", _provenance_table(named)))
    if commands:
        title = "Not run yet at the paper's scale: the commands"
        parts.append(_folded(title, list_table(["", "command"], commands)))
    return "\n\n".join(parts)


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _measured_table(table: list[tuple[str, Measurement]]) -> str:
    """A table of numbers, which a reader can sort by any of its columns."""
    columns = list(dict.fromkeys(column for _, one in table for column in one.cells))
    # What a row took stands behind what it reached.
    columns.sort(key=lambda column: column in ("clips", "loss"))
    ours = any(one.record for _, one in table)
    lines = []
    for label, one in table:
        record = [[f"`{one.record}`" if one.record else ""]] if ours else []
        # A number and its deviation stay on one line, and no slash stands alone.
        cells = [
            one.cells.get(c, "")
            .replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")
            .replace(" / ", "\N{NO-BREAK SPACE}/ ")
            for c in columns
        ]
        lines.append([[label], [one.how], *([cell] for cell in cells), *record])
    return list_table(["", "from", *columns, *["record"] * ours], lines, "sortable")


def _provenance_table(records: dict[str, dict]) -> str:
    lines = [
        [[f"`{name}`"], [tested_on(record)], [scale_and_device(record)]]
        for name, record in records.items()
    ]
    return list_table(["record", "data", "scale and device"], lines, "records")


def _other_records(records: dict[str, dict]) -> str:
    lines = [
        [[f"`{name}`"], [record["protocol"]], [scale_and_device(record)]]
        for name, record in records.items()
        if not _closest(name)
    ]
    lines = lines or [[["none"], [], []]]
    return list_table(["record", "what", "scale and device"], lines, "records")


def _folded(title: str, text: str) -> str:
    fence = _FENCE + "`"
    return f"{fence}{{dropdown}} {title}\n{text}\n{fence}"


def recorded_tables(pattern: str, records: dict[str, dict]) -> str:
    """Every row of the records whose names match, as Markdown, a table a record.

    Args:
        pattern: with * for any letters.
        records: as of `read_records`; those that are of no probe or fine-tuning, or were made
            before records kept intervals, are left out.
    """
    parts = []
    for name, record in records.items():
        metrics = record["metrics"]
        if not fnmatch(name, pattern) or "interval_95" not in metrics.get(THIS, {}):
            continue
        table = recorded_table(record, {row: row_name(record, row) for row in metrics})
        lines = []
        for row, found in table.iterrows():
            mean, deviation, low, high, p = (
                found[column]
                for column in ("mean", "standard deviation", "95 % from", "95 % to", "p (Holm)")
            )
            lines.append(
                [
                    [row],
                    [f"{mean:.1f}" if deviation != deviation else f"{mean:.1f} ± {deviation:.1f}"],
                    ["–" if low != low else f"{low:.1f} to {high:.1f}"],
                    ["–" if p != p else "< 0.001" if p < 0.001 else f"{p:.2g}"],
                ]
            )
        header = ["", "mean (%)", "95 % interval", "p against this encoder"]
        said = f"`{name}`: {how(record)}; {record['data']}; {scale_and_device(record)}."
        parts.append(f"{said}\n\n{list_table(header, lines)}")
    return "\n\n".join(parts) or NOT_RUN


def row_name(record: dict, row: str) -> str:
    """What a row of a record is: of one that names a run, what that run heard or began from."""
    settings = record["settings"]
    name, comma, pooling = row.partition(", ")
    if name == THIS:
        size = settings.get("model") or settings.get("start") or "from scratch"
        return f"this encoder, `{size}`{comma}{pooling}"
    # An analysis lists those beside it, and says elsewhere what they heard.
    runs = settings["heard"] if "by_clips" in settings else settings.get("beside", {})
    if name not in runs:
        return row
    run = runs[name] or {}
    if "clips" in run:
        return f"{run['clips']:,} clips of {run['of']}{comma}{pooling}"
    start = run.get("start")
    return f"{f'from {start}' if start else 'from scratch'}{comma}{pooling}"


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
            confusion = found["metrics"].get(THIS, {}).get("confusion")
            # ESC-10 is a part of ESC-50, as a record's "Speech Commands, 10 words" is of its set.
            if confusion and found["data"].startswith(name.replace("ESC-50", "ESC-10")[:12]):
                worst = "; ".join(most_confused(confusion))
                tested = found["data"].partition(",")[0]
                ours.append(f"`{record}`, {how(found)}, {tested}: {worst}")
        lines.append([[name], theirs, ours or [NOT_RUN]])
    return list_table(["", "the paper's", "ours"], lines, "beside-the-paper")


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


def list_table(header: list[str], rows: list[list[list[str]]], style: str = "plain") -> str:
    """A table as Markdown, in which a cell of several texts is a list; its style is of custom.css."""
    cells = [[[title] for title in header], *rows]
    lines = [f"{_FENCE}{{list-table}}", ":header-rows: 1", f":class: {style}", ""]
    for row in cells:
        for place, texts in enumerate(row):
            start = "* - " if place == 0 else "  - "
            bullet = "- " if len(texts) > 1 else ""
            for text in texts or [""]:
                lines.append(f"{start}{bullet}{text}".rstrip())
                start = "    "
    return "\n".join([*lines, _FENCE])


def depend_on(directive: SphinxDirective, names: Iterable[str]) -> None:
    """Have the page of a directive made anew where a record of these names has changed."""
    for name in names:
        directive.env.note_dependency(str(RESULTS / f"{name}.json"))


class Results(SphinxDirective):
    """``{results} table_3``: see the module."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        records = read_records()
        depend_on(self, ("paper", *records))
        return parsed(self, results_table(" ".join(self.arguments), records))


class Recorded(SphinxDirective):
    """``{recorded} probe-*``: see the module."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        (pattern,) = self.arguments
        return parsed(self, recorded_tables(pattern, read_records()))


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


class Changed(SphinxDirective):
    """``{changed}``: how many records were made when files had changed since the commit they name."""

    def run(self) -> list[nodes.Node]:
        records = read_records()
        depend_on(self, records)
        changed = sum(record["commit"].endswith("-dirty") for record in records.values())
        text = f"Of {len(records)} records, {changed} end the name of their commit with `-dirty`."
        return parsed(self, text)


class Speed(SphinxDirective):
    """``{speed}``: what synthesis and waiting cost as shares of what stands beside them."""

    def run(self) -> list[nodes.Node]:
        names = ("bench-synth", "bench-waits")
        depend_on(self, names)
        return parsed(self, speed_table(*map(read_record, names)))


def speed_table(*records: dict) -> str:
    """The ratios of records of benchmarks, the first of each row with a target; and memory."""
    rows = []
    for record in records:
        settings, metrics = record["settings"], record["metrics"]
        targets = dict(settings["targets"])
        for name, others in metrics["ratios"].items():
            rows += [
                _beside(name, other, x, targets.pop(name, None)) for other, x in others.items()
            ]
        for name, found in metrics.get("megabytes_beyond_import", {}).items():
            most = settings["megabyte_targets"][name]
            for clips, size in found.items():
                rows.append(
                    _beside(f"`{name}`, {clips} clips", "its import", size, most, " MB more")
                )
    return list_table(["the time of", "beside that of", "ratio", "at most", "met"], rows)


def _beside(name: str, other: str, value: float, target: float | None, unit: str = "") -> list:
    """A row of `speed_table`."""
    shown = f"{value:.0f}{unit}" if unit else f"{value:.2f}"
    told = ["", ""] if target is None else [f"{target:g}{unit}", "yes" if value <= target else "no"]
    return [[text] for text in (name, other, shown, *told)]


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
    app.add_directive("recorded", Recorded)
    app.add_directive("machine", Machine)
    app.add_directive("changed", Changed)
    app.add_directive("speed", Speed)
    app.add_directive("execution", Execution)
    app.add_node(execution_times)
    app.connect("doctree-resolved", fill_in_times)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
