"""A Sphinx extension: long code folds, so that a page is read for its sentences and pictures.

A code cell of more than ``MOST_LINES`` is shown as one line that opens it. On the book's one-page form,
which is printed, every cell is shown whole.
"""

from docutils import nodes
from sphinx.application import Sphinx

MOST_LINES = 10


def fold_long_code(app: Sphinx, doctree: nodes.document) -> None:
    """Mark the long cells of a chapter, as the tag ``hide-input`` does, and say how long they are."""
    if app.builder.name == "singlehtml":
        return
    for cell in doctree.findall(nodes.container):
        if cell.get("nb_element") != "cell_code" or cell.get("hide_mode") not in (None, "input"):
            continue
        source = cell.children[0] if cell.children else None
        if source is None or source.get("nb_element") != "cell_code_source":
            continue
        lines = source.astext().count("\n") + 1
        if lines > MOST_LINES or cell.get("hide_mode"):
            cell["hide_mode"] = "input"
            cell["prompt_show"] = f"Show the code, {lines} lines"
            cell["prompt_hide"] = "Hide the code"


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", fold_long_code)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
