"""The page that lists the whole paper is complete, and all that it points to is there."""

import re
from pathlib import Path

import pytest

from audiopg.records import RESULTS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "book" / "paper.md").read_text()
# What the paper has, by its own numbers.
SECTIONS = ["1", "2", "3.1", "3.2", *(f"4.{n}" for n in range(1, 7)), "5.1", "5.2", "6"]
TABLES = [*"12345", "S1", "S2"]
FIGURES = [*"123456", "S2"]
EQUATIONS = [*"12"]
# Every figure that its text claims, as it prints them.
_PRINTED = """
    90.60 2.55 88.17 97.03 0.546 54.00 75.34 1,123 42.25 69.25 73.25 82.00 70.97 75.99 78.73 85.75
    72.00 85.40 87.00 76.50 76.75 77.00 70.75 78.75 343 1.7299 666 1.4660 437 0.4896 0.0062 0.1273
    0.1277 0.9946 0.9916 0.9550 96.49 1.0343 1.4124 91.80 90.80 0.617 88.25
"""
CLAIMS = re.findall(r"\S+", _PRINTED)


def part(title):
    """What stands under a heading of the page."""
    (text,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return text


def rows(title):
    """The cells of the rows of its table, less the header."""
    lines = [line for line in part(title).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines[2:]]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Sections", SECTIONS),
        ("Tables", [f"Table {number}" for number in TABLES]),
        ("Figures", [f"Figure {number}" for number in FIGURES]),
        ("Equations", [f"Equation {number}" for number in EQUATIONS]),
    ],
)
def test_the_list_has_all_that_the_paper_has(title, expected):
    found = [cells[0].split()[0] if title == "Sections" else cells[0] for cells in rows(title)]
    assert found == expected


def test_every_claim_with_a_number_is_listed_with_a_place():
    claims = rows("Claims with a number")
    text = "\n".join(cells[1] for cells in claims)
    assert [claim for claim in CLAIMS if not re.search(rf"(?<![\d.]){claim}(?!\d)", text)] == []
    assert all(section in SECTIONS and "](" in place for section, _, place in claims)


def test_what_is_listed_is_what_the_paper_printed():
    """The figures of the list are those of the record that the tables are made from."""
    record = (RESULTS / "paper.json").read_text()
    numbers = {float(number) for number in re.findall(r"-?\d+\.?\d*(?=[,\]\}\s])", record)}
    # The share of the components is a share there; the deviation stands in the text alone.
    known = numbers | {96.49, 2.55}
    assert [claim for claim in CLAIMS if float(claim.replace(",", "")) not in known] == []


def sources():
    return {
        path.relative_to(ROOT).as_posix(): path.read_text()
        for path in [*ROOT.glob("book/*.md"), *ROOT.glob("notebooks/*.py")]
    }


def anchors(text):
    """What a link to a page may end with: its headings, as MyST names them."""
    text = re.sub(r"^# ?", "", text, flags=re.MULTILINE) if text.startswith("# ---") else text
    titles = re.findall(r"^#{1,3} (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_link_of_the_page_leads_somewhere():
    pages = sources()
    links = re.findall(r"\]\(([^)#]*)#?([^)]*)\)", PAGE)
    assert len(links) > 40
    for file, anchor in links:
        page = (ROOT / "book" / file).resolve() if file else ROOT / "book" / "paper.md"
        assert page.is_file(), file
        name = page.with_suffix(".py") if page.suffix == ".ipynb" else page
        if anchor:
            assert anchor in anchors(pages[name.relative_to(ROOT).as_posix()]), (file, anchor)


def test_every_number_of_the_page_is_a_figure_or_an_equation_of_the_book():
    everything = "\n".join(sources().values())
    targets = re.findall(r"\{(numref|eq)\}`([\w-]+)`", PAGE)
    assert {kind for kind, _ in targets} == {"numref", "eq"}
    for kind, name in targets:
        declared = f'"name": "{name}"' if kind == "numref" else f"$$ ({name})"
        assert everything.count(declared) == 1, name
