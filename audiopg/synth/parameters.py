"""The table of clips: every physical factor, to be rendered, and to be asked about in analyses.

`audiopg.synth.factors` has the list of factors and their ranges.
"""

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache, partial
from numbers import Integral

import numpy as np
import torch
from torch import Tensor

from audiopg import inputs
from audiopg._types import Array
from audiopg.errors import InputError
from audiopg.synth.excitations import EXCITATIONS
from audiopg.synth.factors import (
    CLIP_SAMPLES,
    CLIP_SECONDS,
    FACTOR_TABLE,
    NYQUIST,
    SAMPLE_RATE,
    Factor,
    factor_names,
)

__all__ = [
    "CLIP_SAMPLES", "CLIP_SECONDS", "EXCITATIONS", "NYQUIST", "SAMPLE_RATE", "ClipParameters",
    "as_values", "is_number", "is_whole", "read_factor", "shown",
]  # fmt: skip

_LARGEST = torch.finfo(torch.float64).max


def is_whole(value: object) -> bool:
    """Whether a value is a 64-bit whole number; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def is_number(value: object) -> bool:
    """Whether a value is a finite number; True and False are none."""
    return math.isfinite(value) if isinstance(value, float) else is_whole(value)


def read_factor(name: str, value: object, place: str) -> float:
    """The number that a factor is kept as, from what a scene or a table says.

    Args:
        value: a name of `EXCITATIONS`, True or False, or a number, as the factor is.
        place: where the value stands, for the message.

    Raises:
        InputError: for a value of another kind.
    """
    dtype = FACTOR_TABLE[name].dtype
    if name == "excitation":
        good, wanted = isinstance(value, str) and value in EXCITATIONS, f"choose from {EXCITATIONS}"
    elif dtype == torch.bool:
        good, wanted = isinstance(value, bool), "give true or false"
    elif dtype == torch.int64:
        good, wanted = is_whole(value), "give a 64-bit whole number"
    else:
        good, wanted = is_number(value), "give a finite number"
    if not good:
        raise InputError(f"{place} is {shown(value)}; {wanted}.")
    return EXCITATIONS.index(value) if name == "excitation" else value


def as_values(name: str, value: object) -> Tensor:
    """Numbers as a tensor of a factor's type.

    Raises:
        InputError: for what is no number, or a number that the type would change.
    """
    # A name of no factor, such as "signal_to_noise", is set through a factor.
    dtype = FACTOR_TABLE[name].dtype if name in FACTOR_TABLE else torch.float64
    if isinstance(value, Tensor) and value.dtype == dtype:
        return value  # Its values are not read, so that a graph can be traced.
    if hasattr(value, "__array__") and not isinstance(value, Tensor):
        # A copy: a column of a table has labels of its own, and torch takes no reversed array.
        value = np.array(value, order="C")
    try:
        # Whole numbers keep their type: a float would lose digits of a seed.
        given = torch.as_tensor(value)
        if given.is_floating_point() and not isinstance(value, Array):
            given = torch.as_tensor(value, dtype=torch.float64)
        if given.is_complex():
            raise TypeError("no real numbers")
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise InputError(f"{name} was given {shown(value)}; it takes numbers.") from error
    converted = given.to(dtype)
    # Beyond 2^63 the type of a seed wraps without a word.
    wrapped = not given.dtype.is_signed and bool((converted < 0).any())
    if wrapped or not (dtype == torch.float64 or torch.equal(converted.to(given.dtype), given)):
        kind = "True or False" if dtype == torch.bool else "whole numbers"
        raise InputError(f"{name} was given {shown(value)}; it takes {kind}.")
    return converted


def shown(value: object) -> str:
    """A value as a message shows it: as JSON writes it, at most 60 characters."""
    return inputs.shown(value, partial(json.dumps, default=str))


def _with_factors(table: type) -> type:
    """Give a table of clips a field for each factor, and its docstring a line for each."""
    axes = {"clip": "(B,)", "partial": "(B, E, K)"}
    lines = []
    for factor in FACTOR_TABLE.values():
        table.__annotations__[factor.name] = Tensor
        if factor.beyond:
            setattr(table, factor.name, None)
        dtype = "" if factor.dtype == torch.float64 else str(factor.dtype).removeprefix("torch.")
        about = f"{axes.get(factor.kind, '(B, E)')} {dtype or factor.unit}".rstrip()
        lines.append(f"        {factor.name}: {about}, {factor.meaning}.")
    table.__doc__ = table.__doc__.replace("        <factors>", "\n".join(lines))
    return dataclass(frozen=True)(table)


@_with_factors
class ClipParameters:
    """Every physical factor of B clips of up to E events of up to K partials (Section 3.1).

    Rendering is a pure function of this table, so a row edited by hand is a sound: `edit` gives the
    same clips with other factors, ``params.edit(f0=440.0)``. Factors of events beyond ``event_count``
    and partials beyond ``partial_count`` are drawn but not heard. Real numbers are float64.

    Attributes:
        <factors>

    Those from ``noise_share`` on are beyond the paper. Left out, they are neutral.
    """

    def __post_init__(self) -> None:
        for name in factor_names("clip", "source", "event", beyond=True):
            if getattr(self, name) is None:
                like = self.cutoff if FACTOR_TABLE[name].kind == "clip" else self.f0
                object.__setattr__(self, name, torch.full_like(like, FACTOR_TABLE[name].default))

    def __len__(self) -> int:
        return len(self.clip)

    def __repr__(self) -> str:
        shape = tuple(self.partial_weight.shape)
        return (
            f"ClipParameters: (clips, events, partials) = {shape}, on {self.clip.device}; "
            "audiopg.synth.to_table shows the factors"
        )

    def __getitem__(self, rows: slice | Array | Sequence[int]) -> "ClipParameters":
        """The clips of some rows: a slice, their numbers, or a bool for each; one as ``params[[0]]``.

        Raises:
            InputError: for one number alone.
            IndexError: for rows that there are not.
        """
        if isinstance(rows, Integral):
            raise InputError(f"{rows} is one row; params[[{rows}]] are clips of one row.")
        # torch would look for the places of a column in its index, and take whole numbers of 8 bits for
        # bools.
        is_tensor = isinstance(rows, Tensor) and rows.ndim == 1
        if not (isinstance(rows, slice) or (is_tensor and rows.dtype in (torch.int64, torch.bool))):
            rows = torch.tensor(inputs.as_rows(rows, len(self)).tolist(), dtype=torch.int64)
        return ClipParameters(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def to(self, device: torch.device | str) -> "ClipParameters":
        """The same clips on another device."""
        return ClipParameters(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def edit(self, **factors: float | Tensor) -> "ClipParameters":
        """The same clips with some factors replaced; values broadcast to the factor's shape.

        ``params.edit(f0=440.0)`` sets every event of every clip; a tensor of shape (B, 1) sets
        each clip's events to one value.

        Raises:
            InputError: for a factor that does not exist, a shape that does not fit, or a value
                of another kind or outside the factor's range.
        """
        known = {f.name for f in fields(self)}
        changed = {}
        for name, value in factors.items():
            if name not in known:
                raise InputError(f"no factor is called {name!r}; choose from {sorted(known)}.")
            old = getattr(self, name)
            value = as_values(name, value).to(old.device)
            try:
                changed[name] = value.expand_as(old).clone()
            except RuntimeError as error:
                shapes = f"{tuple(value.shape)}, which does not fit {tuple(old.shape)}"
                raise InputError(f"the factor {name!r} was given shape {shapes}.") from error
        edited = replace(self, **changed)
        edited.validate()
        return edited

    @property
    def event_mask(self) -> Tensor:
        """(B, E) bool, the events that sound."""
        slots = torch.arange(self.f0.shape[1], device=self.f0.device)
        return slots < self.event_count[:, None]

    @property
    def has_additions(self) -> Tensor:
        """(B,) bool, the clips that need more than the paper's synthesizer."""
        formants = (self.formant_1, self.formant_2, self.formant_3)
        of_events = (self.noise_share, self.modulation_depth, self.glide, self.vibrato_depth)
        events = torch.stack((*of_events, *formants), dim=1).flatten(1).any(dim=1)
        return events | (self.reverberation_time * self.reverberation_level != 0)

    def validate(self) -> None:
        """Refuse what cannot be rendered.

        Raises:
            InputError: naming the first factor of another shape, type or device; or the first out of
                its range, the range, and the clip's row.
        """
        self._require_shapes()
        # The tolerance admits sums and differences that only rounding carries over the edge.
        shares = self.attack + self.decay + self.release
        fits = self.onset <= CLIP_SECONDS - self.length + 1e-9
        # Factors of one shape are compared together, since a small tensor takes as long as a large
        # one; all answers are read at once, since each waits for a GPU. NaN fails both comparisons.
        answers, alike = [fits.all(), (shares <= 1 + 1e-9).all()], defaultdict(list)
        for name in FACTOR_TABLE:
            value = getattr(self, name)
            alike[value.shape, value.dtype].append(name)
        counts = *self.partial_weight.shape[1:], len(EXCITATIONS)
        for (shape, _), names in alike.items():
            values = torch.stack([getattr(self, name) for name in names])
            low, high = _ends(tuple(names), counts, len(shape), values.device)
            answers.append(((values >= low) & (values <= high)).all())
        if torch.stack(answers).all():
            return
        ranges = {
            name: (getattr(self, name), *_range(factor, counts))
            for name, factor in FACTOR_TABLE.items()
        }
        ranges["attack + decay + release"] = shares, 0, 1 + 1e-9
        for name, (value, low, high) in ranges.items():
            good = (value >= low) & (value <= high) & (fits if name == "onset" else True)
            if not good.all():
                row = int((~good).nonzero()[0, 0])
                bad, span = value[~good][0].item(), _span(name, low, high)
                raise InputError(f"clip row {row}: {name} is {bad:g}; the range is {span}.")

    def _require_shapes(self) -> None:
        """Refuse what is no tensor of its kind's shape and type, such as a number put in by hand."""
        whole = tuple(getattr(self.partial_weight, "shape", ()))
        place = getattr(self.clip, "device", None)
        axes = {"clip": 1, "partial": 3}
        for name, factor in FACTOR_TABLE.items():
            value = getattr(self, name)
            shape = getattr(value, "shape", None)
            if not isinstance(value, Tensor) or shape != whole[: axes.get(factor.kind, 2)]:
                given = shown(value) if shape is None else f"of shape {tuple(shape)}"
                raise InputError(
                    f"{name} is {given}, no tensor of a value for each {factor.kind}; "
                    f"params.edit({name}=...) makes one."
                )
            if value.dtype != factor.dtype or value.device != place:
                raise InputError(
                    f"{name} is {value.dtype} on {value.device}, not {factor.dtype} on {place}; "
                    f"params.edit({name}=...) makes the type, and params.to(...) the device."
                )


def _range(factor: Factor, counts: tuple[int, int, int]) -> tuple[float, float]:
    """The ends of a factor's range; ``counts``: how many events, partials and excitations there are."""
    events, partials, excitations = counts
    limits = {"excitation": excitations - 1, "event_count": events, "partial_count": partials}
    low, high = factor.low, limits.get(factor.name, factor.high)
    if factor.dtype == torch.float64:
        # No infinite value can be rendered.
        low, high = max(low, -_LARGEST), min(high, _LARGEST)
    return low, high


@cache
def _ends(
    names: tuple[str, ...], counts: tuple[int, int, int], axes: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Lower and upper ends of the ranges of n factors, (n, 1, ...), for values of so many axes."""
    ends = [_range(FACTOR_TABLE[name], counts) for name in names]
    low, high = torch.tensor(ends, dtype=torch.float64, device=device).T
    return low.view(-1, *[1] * axes), high.view(-1, *[1] * axes)


def _span(name: str, low: float, high: float) -> str:
    """A range as a message writes it."""
    if name == "excitation":
        return f"0 to {high}, {EXCITATIONS}"
    if name in ("event_count", "partial_count"):
        return f"{low} to {high}"
    if name == "onset":
        return f"0 to {CLIP_SECONDS} s less the length"
    return FACTOR_TABLE[name].span if name in FACTOR_TABLE else "0 to 1"
