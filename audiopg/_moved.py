"""Modules that have moved: their old paths warn, and give the same module, for one release."""

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType

# Where it was -> where it is, below `audiopg`.
MOVED = {
    "experiments": "book.experiments",
    "export": "book.export",
    "philox": "random",
    "plots": "book.plots",
    "reproduce": "book.reproduce",
    "synth.oscillators": "synth.excitations",
    "widgets": "book.widgets",
}


def load_moved(old: str) -> ModuleType:
    """The module at its new path, after a warning that points at the caller of the caller."""
    new = MOVED[old]
    warnings.warn(
        f"audiopg.{old} is called audiopg.{new} now; import that.", DeprecationWarning, stacklevel=3
    )
    return import_module(f"audiopg.{new}")


class Finder:
    """Answers for the old paths in an import statement."""

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, old = name.partition(".")
        return ModuleSpec(name, cls) if package == "audiopg" and old in MOVED else None

    @staticmethod
    def create_module(spec: ModuleSpec) -> None:
        """Leave it to Python to make one."""

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        name = module.__name__
        sys.modules[name] = load_moved(name.removeprefix("audiopg."))
