"""The results page shows every record, and every row of every table of the paper."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

from audiopg.book.experiments import experiments
from audiopg.records import RESULTS, paper_table

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "book" / "results.md").read_text()

specification = importlib.util.spec_from_file_location(
    "results_page", ROOT / "book" / "results_page.py"
)
results_page = importlib.util.module_from_spec(specification)
specification.loader.exec_module(results_page)


def made_record(**changes):
    record = {
        "name": "curriculum-sine-cpu",
        "settings": {"preset": "tiny", "steps": 10, "batch_size": 32},
        "metrics": {"probes": {"ESC-10": {"mean": 0.5, "standard_deviation": 0.0312}}},
        "seconds": 125.0,
        "data": "ESC-10, 400 clips, CC BY 3.0",
        "protocol": "linear probe",
        "scale": "smoke",
        "device": "CPU (a)",
        "date": "2026-01-02",
    }
    return record | changes


def test_every_table_of_the_paper_is_on_the_page():
    paper = json.loads((RESULTS / "paper.json").read_text())
    tables = [name for name, table in paper.items() if isinstance(table, dict)]
    tables += results_page.OUR_OWN
    assert sorted(re.findall(r"^```\{results\} (\w+)$", PAGE, re.MULTILINE)) == sorted(tables)
    assert "```{results}\n" in PAGE


@pytest.mark.parametrize("name", sorted(results_page.ROWS.keys() - set(results_page.OUR_OWN)))
def test_every_row_of_the_paper_has_its_figures(name):
    table = rows_of(results_page.results_table(name, {}))
    for label, row in paper_table(name).iterrows():
        (theirs,) = (one for one in table if one[""] == label and one["from"] == "the paper's")
        for column, value in row.dropna().items():
            shown = theirs[column.removesuffix(" (%)")]
            assert shown == value if isinstance(value, str) else float(shown) == value


def rows_of(text):
    """The rows of the first table of a page as dicts."""
    text = text.replace("\N{NO-BREAK SPACE}", " ")
    cells = re.split(r"\n(?=\* -|  -)", text.partition("`````\n\n")[0].removesuffix("\n`````"))[1:]
    rows = []
    for cell in cells:
        if cell.startswith("* -"):
            rows.append([])
        rows[-1].append(cell[3:].strip())
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def test_rows_that_no_record_answers_say_so():
    for name, rows in results_page.ROWS.items():
        table = results_page.results_table(name, {})
        asked = sum(bool(row.command) for row in rows.values())
        assert sum(row["from"] == "not run yet" for row in rows_of(table)) == asked
        assert table.count("`python -m audiopg") == asked


def test_commands_name_experiments_that_are_there():
    known = [experiment.name for experiment in experiments("paper")]
    commands = [row.command for row in all_rows() if " reproduce " in row.command]
    assert len(commands) > 10
    for command in commands:
        assert any(name.startswith(command.split()[-1]) for name in known), command


@pytest.mark.parametrize("scale", ["cpu", "paper"])
def test_every_experiment_of_a_table_answers_its_row(scale):
    answered = [
        experiment.name
        for experiment in experiments(scale)
        if any(results_page.answers(row, [experiment.name]) for row in all_rows())
    ]
    others = {experiment.name for experiment in experiments(scale)} - set(answered)
    assert all(name.startswith(("recipe-", "fast-")) for name in others), others


def test_every_record_is_shown_with_its_scale_and_device():
    records = results_page.read_records()
    tables = [*results_page.ROWS, ""]
    shown = "\n".join(results_page.results_table(name, records) for name in tables)
    for name, record in records.items():
        assert f"`{name}`" in shown
        assert results_page.scale_and_device(record) in shown
        other = f"* - `{name}`\n" in results_page.results_table("", records)
        assert other != any(results_page.answers(row, [name]) for row in all_rows())


def all_rows():
    return [row for rows in results_page.ROWS.values() for row in rows.values()]


def test_a_record_answers_the_row_that_names_it_most_closely():
    names = ["probe-esc10-tiny", "real-for-esc10-cpu", "long-real-for-esc10-cpu"]
    rows = results_page.ROWS["table_3"]
    assert results_page.answers(rows["real audio, time-matched"], names) == names[1:2]
    assert results_page.answers(rows["real audio, full training"], names) == names[2:]


def test_two_rows_can_be_answered_by_one_record():
    names = ["finetune-esc10-tiny"]
    for table, row in (("table_1", "supervised from scratch"), ("table_1", "AudioPG")):
        assert results_page.answers(results_page.ROWS[table][row], names) == names


def fine_tuned():
    """A record of a fine-tuning beside its control, as the command line writes it."""
    confusion = {"dog": {"dog": 9, "cat": 1}, "cat": {"cat": 10}}
    row = {
        "accuracy": {"1": 0.75, "2": 0.85},
        "mean": 0.8,
        "standard_deviation": 0.07,
        "interval_95": [0.7, 0.9],
        "p_against_this_encoder": None,
        "p_holm": None,
    }
    scratch = {**row, "mean": 0.6, "interval_95": [0.5, 0.7], "p_holm": 0.0004}
    return made_record(
        name="finetune-esc10-tiny",
        settings={
            "start": "tiny",
            "epochs": 24,
            "beside": {"runs/a-scratch": {"start": None, "preset": "tiny"}},
        },
        metrics={"runs/a-scratch": scratch, "this encoder": {**row, "confusion": confusion}},
        data="ESC-10, folds 1, 2, 400 clips, CC BY 3.0",
        protocol="fine-tuned on the training folds",
    )


def test_fine_tuning_and_its_control_stand_in_two_rows():
    records = {"finetune-esc10-tiny": fine_tuned()}
    text = results_page.results_table("table_1", records)
    ours = {row[""]: row for row in rows_of(text) if row["record"] == "`finetune-esc10-tiny`"}
    assert ours["supervised from scratch"]["ESC-10"] == "60.0 ± 7.0"
    assert ours["AudioPG"]["ESC-10"] == "80.0 ± 7.0"
    assert {row["from"] for row in ours.values()} == {"fine-tuning"}
    assert "  - ESC-10, folds 1, 2\n  - `from tiny`, 24 epochs, smoke scale" in text


def test_both_poolings_stand_in_one_cell():
    probe, apart = ({"ESC-10, 5 folds": {"mean": mean}} for mean in (0.5, 0.625))
    settings = {"preset": "tiny", "steps": 10, "batch_size": 32}
    metrics = {"probes": probe, "probes_by_frequency": apart, "held_out_loss": 0.54321}
    record = made_record(metrics=metrics, settings=settings)
    (found,) = results_page.measurements(record)
    assert found.cells == {"ESC-10": "50.0 / 62.5", "clips": "320", "loss": "0.543"}
    untrained = made_record(metrics=metrics, settings={**settings, "features": "untrained"})
    assert "clips" not in results_page.measurements(untrained)[0].cells


def test_every_row_of_a_record_with_its_interval_and_test():
    records = {"finetune-esc10-tiny": fine_tuned(), "curriculum-sine-cpu": made_record()}
    table = results_page.recorded_tables("finetune-*", records)
    rows = [row.split("\n  - ") for row in table.removesuffix("\n`````").split("\n* - ")[1:]]
    assert rows == [
        ["chance", "50.0", "–", "–"],
        ["from scratch", "60.0 ± 7.0", "50.0 to 70.0", "< 0.001"],
        ["this encoder, `tiny`", "80.0 ± 7.0", "70.0 to 90.0", "–"],
    ]
    assert results_page.recorded_tables("curriculum-*", records) == "not run yet"


def test_runs_beside_are_named_by_what_they_heard():
    record = made_record()
    record["settings"] = {
        "model": "tiny",
        "beside": {"runs/a": {"clips": 10240, "of": "5222 recordings, 3.33 hours"}},
    }
    expected = {
        "runs/a": "10,240 clips of 5222 recordings, 3.33 hours",
        "runs/a, frequency pooling": "10,240 clips of 5222 recordings, 3.33 hours, frequency pooling",
        "random encoder": "random encoder",
        "this encoder": "this encoder, `tiny`",
    }
    assert {row: results_page.row_name(record, row) for row in expected} == expected


def test_an_analysis_stands_beside_the_papers_factor():
    record = made_record(
        name="analysis-tiny",
        settings={"model": "tiny", "by_clips": [], "beside": [], "heard": {"tiny": None}},
        metrics={
            "neurons": {
                "columns": ["embeddings", "factor", "dimension", "information"],
                "data": [
                    ["this encoder", "log f0", 3, 0.1],
                    ["this encoder", "log f0", 7, 0.25],
                    ["this encoder", "onset", 9, 0.5],
                ],
            },
            "ridge": {
                "columns": ["embeddings", "factor", "R²", "standard deviation"],
                "data": [
                    ["this encoder", "log f0", 0.98765, 0.001],
                    ["this encoder", "onset", 0.5, 0.1],
                ],
            },
            "gaps": {
                "columns": ["embeddings", "gap in", "factor", "gap"],
                "data": [
                    ["this encoder", "R²", "log f0", 0.9],
                    ["this encoder", "information", "log f0", 0.0138],
                    ["this encoder", "information", "onset", 0.9],
                ],
            },
            "components": {
                "columns": ["embeddings", "component", "log f0", "onset"],
                "data": [["this encoder", 1, 0.2, 0.5], ["this encoder", 2, 0.303, 0.4]],
            },
        },
    )
    table = rows_of(results_page.results_table("section_4_4", {"analysis-tiny": record}))
    (ours,) = (row for row in table if row[""] == "frequency" and row["record"])
    assert ours["from"] == "this encoder, `tiny`"
    assert ours["best neuron"] == "7"
    assert ours["its mutual information (nats)"] == "0.25"
    assert ours["ridge R²"] == "0.988 ± 0.001"
    assert ours["mutual information gap"] == "0.014"
    assert ours["best component"] == "2"
    assert ours["mutual information of the component (nats)"] == "0.30"


@pytest.mark.parametrize("scale", ["smoke", "paper"])
def test_a_small_run_does_not_stand_for_one_at_the_papers_scale(scale):
    record = made_record(scale=scale)
    text = results_page.results_table("table_3", {"curriculum-sine-cpu": record})
    (ours,) = (row for row in rows_of(text) if row["record"] == "`curriculum-sine-cpu`")
    assert ours["ESC-10"] == "50.0 ± 3.1"
    assert f"`tiny`, 320 clips, {scale} scale, CPU (a), 2 min, 2026-01-02" in text
    left = text.partition("Not run yet at the paper's scale")[2]
    assert ("* - sine\n" in left) == (scale == "smoke")


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({"this encoder": {"mean": 0.83, "standard_deviation": 0.04}}, "83.0 ± 4.0"),
        ({"mean": 0.9, "standard_deviation": None}, "90.0"),
        ({"mean": 0.5, "mAP": {"1": 0.5}}, "mAP 50.0"),
        (
            {"this encoder": {"mean": 0.5}, "this encoder, frequency pooling": {"mean": 0.6}},
            "50.0 / 60.0",
        ),
        ({"loss": [1.0]}, None),
    ],
)
def test_figures_of_each_kind_of_record(metrics, expected):
    found = results_page.measurements(made_record(metrics=metrics))
    assert [one.cells["ESC-10"] for one in found] == ([] if expected is None else [expected])


def test_most_confused_are_shares_of_the_true_class():
    confusion = {"dog": {"dog": 6, "cat": 2}, "cat": {"cat": 9, "dog": 1}}
    expected = ["dog taken for cat 25.0 %", "cat taken for dog 10.0 %"]
    assert results_page.most_confused(confusion) == expected


def test_a_table_with_other_rows_than_the_papers_is_refused(monkeypatch):
    monkeypatch.setitem(results_page.ROWS, "table_4", {})
    with pytest.raises(ValueError, match=r"table_4 of the paper has rows .*, here \[\]"):
        results_page.results_table("table_4", {})


def test_cells_of_several_texts_are_lists():
    table = results_page.list_table(["a", "b"], [[["one"], ["two", "three"]], [["four"], []]], "s")
    assert table.splitlines()[1:-1] == [
        ":header-rows: 1",
        ":class: s",
        "",
        "* - a",
        "  - b",
        "* - one",
        "  - - two",
        "    - three",
        "* - four",
        "  -",
    ]


# The page on reproducibility


def test_every_tolerance_names_a_test_that_is_there():
    text = (ROOT / "book" / "reproducibility.md").read_text()
    rows = re.findall(r"\$10\^\{-(\d+)\}\$.*`(tests/\S+\.py)`", text)
    assert len(rows) >= 6
    for power, path in rows:
        assert f"1e-{power}" in (ROOT / path).read_text(), path


def test_ratios_stand_beside_their_targets():
    record = {
        "settings": {"targets": {"a clip": 0.5, "a log-mel": 1.2}},
        "metrics": {
            "ratios": {
                "a clip": {"theirs": 0.25, "without numba": 0.4},
                "a log-mel": {"least": 1.3},
            }
        },
    }
    memory = {"command": {"16": 150.4, "512": 260}}
    other = {
        "settings": {"targets": {"a start": 1.1}, "megabyte_targets": {"command": 200}},
        "metrics": {"ratios": {"a start": {"torch": 1.0}}, "megabytes_beyond_import": memory},
    }
    rows = results_page.speed_table(record, other).split("\n* - ")[1:]
    found = [[cell.strip("- ") for cell in row.split("\n")[:5]] for row in rows]
    assert [[cell.strip() for cell in row] for row in found[1:]] == [
        ["a clip", "theirs", "0.25", "0.5", "yes"],
        ["a clip", "without numba", "0.40", "", ""],
        ["a log-mel", "least", "1.30", "1.2", "no"],
        ["a start", "torch", "1.00", "1.1", "yes"],
        ["`command`, 16 clips", "its import", "150 MB more", "200 MB more", "yes"],
        ["`command`, 512 clips", "its import", "260 MB more", "200 MB more", "no"],
    ]
