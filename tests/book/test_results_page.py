"""The results page shows every record, and every row of every table of the paper."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

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
    assert sorted(re.findall(r"^```\{results\} (\w+)$", PAGE, re.MULTILINE)) == sorted(tables)
    assert "```{results}\n" in PAGE


@pytest.mark.parametrize("name", results_page.ROWS)
def test_every_row_of_the_paper_has_its_figures(name):
    table = results_page.results_table(name, {})
    for label, row in paper_table(name).iterrows():
        assert f"* - {label}\n" in table
        for column, value in row.dropna().items():
            assert f"{column}: {value:g}" in table


def test_rows_that_no_record_answers_say_so():
    assert results_page.results_table("table_3", {}).count("not run yet: `python -m audiopg") == 7


def test_every_record_is_shown_once_with_its_scale_and_device():
    records = results_page.read_records()
    tables = [*results_page.ROWS, ""]
    shown = "\n".join(results_page.results_table(name, records) for name in tables)
    for name, record in records.items():
        row = next((r for r in all_rows() if name in results_page.answers(r, [name])), None)
        assert results_page.scale_and_device(record) in shown
        assert (f"`{name}`" in results_page.results_table("", records)) == (row is None)


def all_rows():
    return [row for rows in results_page.ROWS.values() for row in rows.values()]


def test_a_record_answers_the_row_that_names_it_most_closely():
    names = ["finetune-esc50", "finetune-esc50-scratch"]
    rows = results_page.ROWS["table_1"]
    assert results_page.answers(rows["AudioPG"], names) == names[:1]
    assert results_page.answers(rows["supervised from scratch"], names) == names[1:]


@pytest.mark.parametrize("scale", ["smoke", "paper"])
def test_a_small_run_does_not_stand_for_one_at_the_papers_scale(scale):
    record = made_record(scale=scale)
    table = results_page.results_table("table_3", {"curriculum-sine-small": record})
    row = table.partition("* - sine\n")[2].partition("\n* - ")[0]
    assert "ESC-10: 50.0 ± 3.1 %" in row
    assert f"`tiny`, 320 clips, {scale} scale, CPU (a), 2 min, 2026-01-02" in row
    assert ("not run yet at the paper's scale" in row) == (scale == "smoke")


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({"this encoder": {"mean": 0.83, "standard_deviation": 0.04}}, "ESC-10: 83.0 ± 4.0 %"),
        ({"mean": 0.9, "standard_deviation": None}, "ESC-10: 90.0 %"),
        ({"loss": [1.0]}, "see its chapter"),
    ],
)
def test_figures_of_each_kind_of_record(metrics, expected):
    assert results_page.figures(made_record(metrics=metrics)) == expected


def test_most_confused_are_shares_of_the_true_class():
    confusion = {"dog": {"dog": 6, "cat": 2}, "cat": {"cat": 9, "dog": 1}}
    expected = ["dog taken for cat 25.0 %", "cat taken for dog 10.0 %"]
    assert results_page.most_confused(confusion) == expected


def test_a_table_with_other_rows_than_the_papers_is_refused(monkeypatch):
    monkeypatch.setitem(results_page.ROWS, "table_4", {})
    with pytest.raises(ValueError, match=r"table_4 of the paper has rows .*, here \[\]"):
        results_page.results_table("table_4", {})


def test_cells_of_several_texts_are_lists():
    table = results_page.list_table(["a", "b"], [[["one"], ["two", "three"]], [["four"], []]])
    assert table.splitlines()[3:-1] == [
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
