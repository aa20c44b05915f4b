"""Settings of a run: a frozen dataclass whose fields say what they mean and what they may be.

The command line reads the same fields, so a setting is described in one place.
"""

import math
from collections.abc import Iterable
from dataclasses import field, fields

import numpy as np

from audiopg.errors import InputError
from audiopg.inputs import shown
from audiopg.synth.parameters import is_number, is_whole


def setting(
    default: object,
    text: str,
    *,
    choices: Iterable | None = None,
    low: float | None = None,
    high: float = math.inf,
) -> object:
    """A field of a settings dataclass.

    Args:
        default: its value where none is given; where it is None, None is allowed too.
        text: what it does, for ``--help``.
        choices: the values that it may have; True and False where the default is one of them.
        low: the smallest number that it may be; an int asks for whole numbers.
        high: the largest.
    """
    if isinstance(default, bool):
        choices = (False, True)
    limits = {"choices": None if choices is None else list(choices), "low": low, "high": high}
    return field(default=default, metadata={"help": text} | limits)


def check_settings(settings: object) -> None:
    """See that every field of a settings dataclass has an allowed value.

    NumPy's numbers become Python's, so that a run can write its settings.

    Raises:
        InputError: for a value outside its range, naming the setting and the range.
    """
    for each in fields(settings):
        value = getattr(settings, each.name)
        if isinstance(value, np.generic):
            value = value.item()
            object.__setattr__(settings, each.name, value)
        choices, low, high = (each.metadata[limit] for limit in ("choices", "low", "high"))
        if value is None and each.default is None:
            continue
        if choices is not None and value not in choices:
            raise InputError(f"{each.name} is {shown(value)}; choose from {choices}.")
        if low is None:
            continue
        right = is_whole if isinstance(low, int) else is_number
        if not right(value) or not low <= value <= high:
            kind = "whole numbers " if right is is_whole else ""
            raise InputError(
                f"{each.name} is {shown(value)}; the range is {kind}{low:g} to {high:g}."
            )
