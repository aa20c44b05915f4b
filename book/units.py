"""A Sphinx extension: what belongs to one number stays on one line, as "75 %" and "± 2.55"."""

import re

from docutils import nodes
from sphinx.application import Sphinx

_UNITS = ("%", "s", "ms", "min", "h", "Hz", "kHz", "dB", "kB", "MB", "GB")
_SPACE = re.compile(rf"(?<=\d) (?=(?:{'|'.join(_UNITS)})(?!\w))|(?<=±) (?=\d)")


def keep_units(app: Sphinx, doctree: nodes.document) -> None:
    """Put a no-break space before every unit and after every ±, but in code and equations."""
    for text in list(doctree.findall(nodes.Text)):
        if isinstance(text.parent, nodes.literal | nodes.FixedTextElement | nodes.math):
            continue
        if (kept := _SPACE.sub("\N{NO-BREAK SPACE}", text)) != text:
            text.parent.replace(text, nodes.Text(kept))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", keep_units)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
