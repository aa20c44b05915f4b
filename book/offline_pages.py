"""A Sphinx extension: pages that ask nothing of the network, and carry no dead weight.

The state of a live widget is left out, since no page runs a widget manager: what a reader turns
is plain HTML. When the book is built, every page and style sheet is searched for anything that a
browser would fetch from another host; a find is a warning, which fails the build. Every page tells the
browser as much (a content security policy): it refuses other hosts, and every script that was not in
the page when the book was built.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

_REMOTE = r"""["']?\s*(?:https?:)?//[^\s"'>)]+"""
_FETCHED = (
    re.compile(
        rf"<(?:audio|iframe|img|script|source|track|video)\b[^>]*\s(?:src|srcset)={_REMOTE}", re.I
    ),
    re.compile(
        r"<link\b(?=[^>]*rel=[\"']?(?:stylesheet|preload|prefetch|preconnect|icon|manifest))"
        rf"[^>]*\shref={_REMOTE}",
        re.I,
    ),
    re.compile(rf"(?:url\(|@import\s+){_REMOTE}", re.I),
)


def remote_requests(text: str) -> list[str]:
    """The parts of a page or style sheet that make a browser ask another host, in order found."""
    return [found.group() for pattern in _FETCHED for found in pattern.finditer(text)]


class _Scripts(HTMLParser):
    """Finds the scripts that stand in a page, and those in attributes such as ``onclick``."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.handlers: list[str] = []
        self.inside = False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handlers += [text for name, text in attrs if name.startswith("on") and text]
        self.inside = tag == "script" and "src" not in dict(attrs)
        if self.inside:
            self.found.append("")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.found[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self.inside = False


def policies(pages: Sequence[str]) -> list[str]:
    """The content security policy of every page: its own files and scripts, and no other host.

    What stands in attributes such as ``onclick`` is allowed in all, since the page of the search reads
    the pages that it finds.

    Args:
        pages: the HTML of each.
    """
    scripts = [_Scripts(page) for page in pages]
    handlers = [text for each in scripts for text in each.handlers]
    return [_policy([*each.found, *handlers]) for each in scripts]


def _policy(scripts: Iterable[str]) -> str:
    """The policy that lets these scripts run."""
    texts = dict.fromkeys(scripts)
    digests = [b64encode(sha256(text.encode()).digest()).decode() for text in texts]
    own = "'self' data: blob:"
    # The laboratory's engine is WebAssembly, in a worker that is made from a text.
    allowed = ["'self' blob: 'wasm-unsafe-eval' 'unsafe-hashes'"]
    allowed += [f"'sha256-{digest}'" for digest in digests]
    return "; ".join(
        [
            f"default-src {own}",
            f"script-src {' '.join(allowed)}",
            f"style-src {own} 'unsafe-inline'",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        ]
    )


def add_policy(app: Sphinx, exception: Exception | None) -> None:
    """Write its policy into every page, before anything that a browser would load."""
    if exception is not None or app.builder.format != "html":
        return
    # Its encoding stands first, since a browser looks for it in the first kilobyte alone.
    encoding = '<meta charset="utf-8" />'
    paths = sorted(Path(app.outdir).rglob("*.html"))
    pages = [path.read_text(encoding="utf-8") for path in paths]
    for path, page, policy in zip(paths, pages, policies(pages), strict=True):
        meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}" />'
        path.write_text(page.replace(encoding, encoding + meta, 1), encoding="utf-8")


def drop_widget_state(app: Sphinx, env: BuildEnvironment) -> None:
    """Keep the JSON of live widgets, sounds and all, out of the pages."""
    for docname in env.found_docs:
        NbMetadataCollector.get_js_files(env, docname).pop("ipywidgets_state", None)


def warn_of_remote_requests(app: Sphinx, exception: Exception | None) -> None:
    """Search what was built for requests to other hosts."""
    if exception is not None or app.builder.format != "html":
        return
    for path in sorted(Path(app.outdir).rglob("*")):
        if path.suffix in (".html", ".css"):
            for found in remote_requests(path.read_text(encoding="utf-8")):
                logging.getLogger(__name__).warning(
                    "%s asks another host: %s", path.relative_to(app.outdir), found[:200]
                )


def bring_mathjax(app: Sphinx) -> None:
    """Equations for the book on one page, whose first part, the preface, has none."""
    if app.builder.name == "singlehtml":
        app.set_html_assets_policy("always")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", bring_mathjax)
    app.connect("env-check-consistency", drop_widget_state)
    app.connect("build-finished", warn_of_remote_requests)
    app.connect("build-finished", add_policy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
