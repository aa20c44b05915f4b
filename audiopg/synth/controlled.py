"""Controlled sets of clips for the analyses: one factor moves, all others are held."""

from collections.abc import Sequence

import torch
from torch import Tensor

from audiopg.errors import InputError
from audiopg.synth.parameters import ClipParameters, as_values
from audiopg.synth.render import signal_to_noise


def vary(params: ClipParameters, factor: str, values: Sequence[float] | Tensor) -> ClipParameters:
    """One clip again and again, with one factor taking each value in turn.

    Everything else is held, the noise samples too: two of the clips differ by the factor alone,
    and by the normalisation of their peaks.

    Args:
        params: one clip.
        factor: a factor of `ClipParameters`, set for all events and partials alike; or
            "signal_to_noise", in dB, which is set by the level of the noise floor.
        values: (n,), a grid or a random sample.

    Returns:
        n clips.

    Raises:
        InputError: for more clips than one, no values, an unknown factor, a value of another kind
            or out of range, or a signal-to-noise ratio of a clip without a source.
    """
    if len(params) != 1:
        raise InputError(f"params holds {len(params)} clips; vary takes one, such as params[:1].")
    values = as_values(factor, values).to(params.f0.device)
    if values.ndim != 1 or len(values) == 0:
        raise InputError(f"values has shape {tuple(values.shape)}; give one or more, (n,).")
    repeated = params[[0] * len(values)]
    if factor == "signal_to_noise":
        return repeated.edit(noise_level=_noise_level(params, values))
    held = getattr(params, factor, None)
    axes = held.ndim - 1 if isinstance(held, Tensor) else 0
    return repeated.edit(**{factor: values.view(-1, *[1] * axes)})


def _noise_level(params: ClipParameters, decibels: Tensor) -> Tensor:
    """The λ at which the one clip has each signal-to-noise ratio, (n,)."""
    at_unit_level = signal_to_noise(params.edit(noise_level=1.0))
    if not torch.isfinite(at_unit_level).all():
        raise InputError("the clip has no source; its signal-to-noise ratio cannot be set.")
    return 10 ** ((at_unit_level - decibels) / 20)
