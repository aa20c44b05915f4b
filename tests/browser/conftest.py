"""The built book on localhost, and a real browser to read it with; ``make test-book`` runs these.

Without the book, Debian's chromium or the accessibility rules, what needs them is skipped, and the
reason says what is missing.
"""

import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parent))
from waiting import PATIENCE

ROOT = Path(__file__).parents[2]
AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
# Chromium is not to look up hosts of its own, nor to wait for a hand before it plays a sound.
FLAGS = (
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--mute-audio",
    "--no-first-run",
    # Containers run as root and have no namespaces for the sandbox; the pages are our own.
    "--no-sandbox",
)
HEIGHT = 900
# Pages that Sphinx adds to those of the table of contents.
ADDED = ("genindex", "py-modindex", "search")


def chapters() -> list[str]:
    """The pages of the table of contents, in order, such as "notebooks/01_synthesizer"."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    pages = [page for part in toc["parts"] for page in part["chapters"]]
    within = [[page, *page.get("sections", [])] for page in pages]
    return [toc["root"], *(page["file"] for each in within for page in each)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what asks for ``page_name`` once for every page of the book."""
    if "page_name" in metafunc.fixturenames:
        metafunc.parametrize("page_name", [*chapters(), *ADDED])


@pytest.fixture(scope="session")
def html() -> Path:
    """The folder of the built book: ``_build/html``, or the one that AUDIOPG_BOOK names."""
    folder = Path(os.environ.get("AUDIOPG_BOOK") or ROOT / "_build" / "html")
    if not (folder / "searchindex.js").is_file():
        pytest.skip(f"{folder} holds no built book; run: make book")
    return folder


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="session")
def book(html: Path) -> Iterator[str]:
    """The address of the book, served on a free port of this machine, without a closing slash."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(html)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium, without a window."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium on this machine; on Debian: apt install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=chromium, args=FLAGS, timeout=PATIENCE
        )
        yield launched
        launched.close()


@pytest.fixture
def problems() -> list[str]:
    """What went wrong in the pages that the test opened; it must be empty when the test ends."""
    return []


@pytest.fixture
def open_page(book: str, browser: Browser, problems: list[str]) -> Iterator[Callable[..., Page]]:
    """A function that opens a page of the book, ready to be looked at.

    ``open_page(name, width=1280, theme="light")``: name as in _toc.yml, such as
    "notebooks/01_synthesizer"; returns a Playwright ``Page`` in a fresh profile. Every message of
    the console above a note, error of a script, request that fails and request that would leave
    this machine (none does: they are cut off) is added to ``problems``, and fails the test.
    """
    contexts = []

    def leave(route, request) -> None:
        problems.append(f"leaves this machine: {request.url[:200]}")
        route.abort()

    def open_(name: str, width: int = 1280, theme: str = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": HEIGHT},
            color_scheme=theme,
            reduced_motion="reduce",
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        context.route(lambda url: not url.startswith((f"{book}/", "data:", "blob:")), leave)
        page = context.new_page()
        page.on(
            "console",
            lambda message: (
                problems.append(f"console {message.type}: {message.text[:300]}")
                if message.type in ("error", "warning")
                else None
            ),
        )
        page.on("pageerror", lambda error: problems.append(f"script: {str(error)[:300]}"))
        page.on("websocket", lambda socket: problems.append(f"leaves the page: {socket.url}"))
        page.on(
            "response",
            lambda answer: (
                problems.append(f"{answer.status}: {answer.url[:200]}")
                if answer.status >= 400
                else None
            ),
        )
        page.goto(f"{book}/{name}.html")
        page.evaluate("async () => { await window.MathJax?.startup?.promise }")
        page.evaluate("async () => { await document.fonts.ready }")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture(scope="session")
def axe() -> str:
    """The accessibility rules of axe-core, a script to be run in a page."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed; run: npm ci --prefix tests/browser")
    return AXE.read_text()


@pytest.fixture
def accessibility(axe: str) -> Callable[..., list[str]]:
    """A function that gives the serious and critical findings of axe-core in an open page.

    ``accessibility(page, only=("color-contrast",))`` asks some of its rules alone.
    """

    def findings(page: Page, only: tuple[str, ...] = ()) -> list[str]:
        page.evaluate(axe)
        options = {"resultTypes": ["violations"]}
        if only:
            options["runOnly"] = list(only)
        violations = page.evaluate(
            "async (options) => (await axe.run(document, options)).violations", options
        )
        return [
            f"{violation['id']} ({violation['impact']}): {node['target']} {node['html'][:160]}"
            for violation in violations
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"]
        ]

    return findings
