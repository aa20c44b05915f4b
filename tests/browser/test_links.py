"""Every link inside the book leads somewhere: to a page that is there, and a place in it."""

from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Links(HTMLParser):
    """What a page links to, and the places in it that can be linked to."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        self.places |= {value for key in ("id", "name") if (value := named.get(key))}
        link = named.get("src") if tag in ("img", "script", "audio") else named.get("href")
        if link is not None:
            self.links.append(link)


@cache
def read(path: Path) -> Links:
    page = Links()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def broken(html: Path, name: str) -> list[str]:
    """The links of a page that lead nowhere."""
    path = html / f"{name}.html"
    found = []
    for link in read(path).links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc or (not parts.path and parts.fragment in ("", "top")):
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        place = unquote(parts.fragment)
        if not target.is_file() or (place and place not in read(target).places):
            found.append(link)
    return found


def test_every_link_inside_the_book_leads_somewhere(html, page_name):
    assert read(html / f"{page_name}.html").links
    assert broken(html, page_name) == []


def test_code_cells_link_to_the_library(html):
    links = read(html / "notebooks" / "01_synthesizer.html").links
    assert any(link.startswith("../book/api/synth.html#audiopg.synth.render") for link in links)


def test_the_pages_of_the_library_name_types_as_a_reader_would(html):
    page = "".join(path.read_text() for path in (html / "book" / "api").glob("*.html"))
    assert "ArrayLike" in page
    assert "numpy._typing" not in page
    # What has no words of its own is not told in those of torch's modules.
    assert "Define the computation performed at every call" not in page
    # Several names before one colon are read as one parameter with the others for its type.
    assert "<em>,</em>)" not in page


def test_links_that_lead_nowhere_are_found(tmp_path):
    (tmp_path / "page.html").write_text(
        "<p id='here'><a href='#here'>1</a><a href='#gone'>2</a><a href='other.html'>3</a>"
        "<a href='other.html#there'>4</a><a href='lost.html#there'>5</a><img src='lost.png'>"
        "<a href='https://example.org/x'>6</a><audio src='data:audio/mpeg;base64,'></audio>"
    )
    (tmp_path / "other.html").write_text("<h1 id='elsewhere'>Other</h1>")
    expected = ["#gone", "other.html#there", "lost.html#there", "lost.png"]
    assert broken(tmp_path, "page") == expected
