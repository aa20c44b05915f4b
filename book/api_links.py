"""A Sphinx extension for the page of the library: what leads there, and how it names types.

``sphinx_codeautolink`` finds where a name is defined, such as ``audiopg.synth.render.render``. The
page documents it where a reader imports it from, ``audiopg.synth.render``; this tells one from the
other. A parameter that takes whatever numpy makes an array of is said to be ``ArrayLike``, not the
union of nine types that numpy defines it as. A sentence with a colon stays one sentence. And settings
and commands are listed with the words that ``--help`` has for them.
"""

import dataclasses
import inspect
import pkgutil
import re
from importlib import import_module

from numpy.typing import ArrayLike
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.typing import stringify_annotation

import audiopg
from audiopg.commands import COMMANDS


def documented_names() -> dict[str, str]:
    """Where a function, class or member of the library is defined -> where it is documented."""
    names = {}
    packages = [found.name for found in pkgutil.iter_modules(audiopg.__path__) if found.ispkg]
    for package in packages:
        module = import_module(f"audiopg.{package}")
        for name, thing in inspect.getmembers(module):
            defined = getattr(thing, "__module__", "") or ""
            if not defined.startswith(f"{module.__name__}."):
                continue
            public = f"{module.__name__}.{name}"
            names[f"{defined}.{name}"] = public
            if inspect.isclass(thing):
                for member in vars(thing):
                    names[f"{defined}.{name}.{member}"] = f"{public}.{member}"
    return names


def set_names(app: Sphinx, config: Config) -> None:
    """Hand the names to ``sphinx_codeautolink``."""
    config.codeautolink_inventory_map = documented_names()


def name_array_like(app: Sphinx, kind: str, name: str, *_: object) -> None:
    """Put the alias back into the type hints that autodoc noted for a function."""
    hints = app.env.temp_data.get("annotations", {}).get(name, {})
    union = stringify_annotation(ArrayLike, "smart")
    for parameter, hint in hints.items():
        hints[parameter] = hint.replace(union, "~numpy.typing.ArrayLike")


def leave_out_what_says_nothing(
    app: Sphinx, kind: str, name: str, thing: object, options: object, signature: str, hint: str
) -> tuple[str, None] | None:
    """A class that takes no arguments has those of torch's modules, ``(*args, **kwargs)``: none are told."""
    return ("", None) if signature == "(*args, **kwargs)" else None


def keep_sentences_whole(
    app: Sphinx, kind: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    """Put back what napoleon took for a type, because it stood before a colon.

    The hints say the types, so what a docstring has there are the first words of a sentence: of a
    property's first line, or of what a function returns.
    """
    for field, beside in ((":type: ", ""), (":rtype: ", ":returns: ")):
        for line in [line for line in lines if line.startswith(field)]:
            lines.remove(line)
            place = next(at for at, other in enumerate(lines) if other.startswith(beside))
            rest = lines[place].removeprefix(beside)
            lines[place] = f"{beside}{line.removeprefix(field)}: {rest}"


def list_what_help_says(
    app: Sphinx, kind: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    """Add the settings of a run to the docstring of their class, and the commands to their module's."""
    heading = []
    if name == "audiopg.commands":
        said = {f"audiopg {command}": text for command, text in COMMANDS.items()}
    elif dataclasses.is_dataclass(thing):
        said = {
            f"{field.name}={field.default!r}": field.metadata["help"]
            for field in dataclasses.fields(thing)
            if "help" in field.metadata
        }
        heading = ["", "The settings and their defaults:"] if said else []
    else:
        return
    # Two hyphens in a sentence would become a dash.
    texts = [re.sub(r"--[\w-]+", r"``\g<0>``", text) for text in said.values()]
    listed = [f"* ``{what}``: {text}" for what, text in zip(said, texts, strict=True)]
    lines += [*heading, "", *listed, ""]


def setup(app: Sphinx) -> dict[str, bool]:
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("config-inited", set_names)
    # After autodoc's own listener, of priority 500, has noted them.
    app.connect("autodoc-process-signature", name_array_like, priority=600)
    app.connect("autodoc-process-signature", leave_out_what_says_nothing, priority=700)
    # After napoleon, of priority 500.
    app.connect("autodoc-process-docstring", keep_sentences_whole, priority=600)
    # It would take them for a part of the last section.
    app.connect("autodoc-process-docstring", list_what_help_says, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
