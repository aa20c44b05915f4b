"""A Sphinx extension: what belongs together stays on one line, as "75 %", "± 2.55" and "ESC-10"."""

import re

from docutils import nodes
from sphinx.application import Sphinx

_UNITS = ("%", "s", "ms", "min", "h", "Hz", "kHz", "dB", "kB", "MB", "GB")
_SPACE = re.compile(
    rf"(?<=\d) (?=(?:{'|'.join(_UNITS)})(?!\w)|×)|(?<=[±×]) (?=\d)"
    r"|(?:(?<=Table)|(?<=Figure)|(?<=Section)|(?<=[Cc]hapter)) (?=\d)"
)
# After the hyphen of a set's name, and inside an interval.
_JOINT = re.compile(r"(?<=ESC-)(?=\d)|(?<=\d–)(?=-?\d)")
_CELL = re.compile(r"(<t[hd]\b[^>]*>)([^<]+)")


def keep_together(app: Sphinx, doctree: nodes.document) -> None:
    """Let no line break there, in text and in tables of outputs, but in code and equations."""
    for text in list(doctree.findall(nodes.Text)):
        if isinstance(text.parent, nodes.raw) and "html" in text.parent.get("format", ""):
            kept = _CELL.sub(lambda cell: cell[1] + _kept(cell[2]), text)
        elif isinstance(text.parent, nodes.literal | nodes.FixedTextElement | nodes.math):
            continue
        else:
            kept = _kept(text)
        if kept != text:
            text.parent.replace(text, nodes.Text(kept))


def _kept(text: str) -> str:
    return _JOINT.sub("\N{WORD JOINER}", _SPACE.sub("\N{NO-BREAK SPACE}", text))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", keep_together)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
