"""A Sphinx extension: pages are read in several processes.

Sphinx reads in one process where an extension does not say that several are safe, and
``sphinx_multitoc_numbering``, which the table of contents loads, says nothing. Several are safe: it
numbers the sections after all pages have been read.
"""

from sphinx.application import Sphinx
from sphinx.config import Config


def vouch(app: Sphinx, config: Config) -> None:
    """Say for the extension that pages may be read side by side."""
    app.extensions["sphinx_multitoc_numbering"].parallel_read_safe = True


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", vouch)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
