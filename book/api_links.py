"""A Sphinx extension: code in the chapters links to the page of the library.

``sphinx_codeautolink`` finds where a name is defined, such as ``audiopg.synth.render.render``. The
page documents it where a reader imports it from, ``audiopg.synth.render``; this tells one from the
other.
"""

import inspect
import pkgutil
from importlib import import_module

from sphinx.application import Sphinx
from sphinx.config import Config

import audiopg


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


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", set_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
