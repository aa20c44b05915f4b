"""A Sphinx extension: pages that ask nothing of the network, and carry no dead weight.

The state of a live widget is left out, since no page runs a widget manager: what a reader turns
is plain HTML. When the book is built, every page and style sheet is searched for anything that a
browser would fetch from another host; a find is a warning, which fails the build.
"""

import re
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
    return {"parallel_read_safe": True, "parallel_write_safe": True}
