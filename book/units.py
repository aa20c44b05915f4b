"""A Sphinx extension: what belongs to one number stays on one line: "75 %", "Table 4", "ESC-10"."""

import re
from itertools import groupby

from docutils import nodes
from sphinx.application import Sphinx

_UNITS = "%|s|ms|min|h|Hz|kHz|dB|kB|MB|GB|nats|clips|threads?"
_NUMBERED = "Table|Figure|Equation|Section|[Cc]hapter|fold|issue|request"
_SPACE = re.compile(
    rf"(?<=\d)\s(?=(?:{_UNITS})(?!\w)|×)|(?<=[±×])\s(?=\d)"
    rf"|\b(?:{_NUMBERED})\s(?=S?\d)"
)
# A name with a number, a date or an interval: it is not parted at its hyphen or dash.
_WHOLE = re.compile(r"(\b(?:[A-Z]{3}-\d+|\d{4}-\d\d-\d\d)\b|-?\d[\d.]*–-?\d[\d.]*)")
_CELL = re.compile(r"(<t[hd]\b[^>]*>)([^<]+)")


def keep_together(app: Sphinx, doctree: nodes.document) -> None:
    """Let no line break there, in text and in tables of outputs, but in code and equations."""
    for parent in list(doctree.findall(nodes.Element)):
        if isinstance(parent, nodes.raw) and "html" in parent.get("format", ""):
            html = _CELL.sub(lambda cell: cell[1] + _in_spans(cell[2]), parent.astext())
            parent[:] = [nodes.Text(html)]
        elif not isinstance(parent, nodes.literal | nodes.FixedTextElement | nodes.math):
            kept: list[nodes.Node] = []
            # Each line of a paragraph is a text of its own, and so is the end of the line.
            for is_text, run in groupby(parent.children, lambda node: isinstance(node, nodes.Text)):
                together = list(run)
                kept += _whole("".join(together)) if is_text else together
            parent[:] = kept


def _whole(text: str) -> list[nodes.Node]:
    kept = [nodes.Text(piece) for piece in _WHOLE.split(_joined(text))]
    kept[1::2] = [nodes.inline("", "", one, classes=["unbroken"]) for one in kept[1::2]]
    return [node for node in kept if node.astext()]


def _in_spans(text: str) -> str:
    return _WHOLE.sub(r'<span class="unbroken">\1</span>', _joined(text))


def _joined(text: str) -> str:
    return _SPACE.sub(lambda space: f"{space[0][:-1]}\N{NO-BREAK SPACE}", text)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", keep_together)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
