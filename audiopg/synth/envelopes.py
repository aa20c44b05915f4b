"""Amplitude envelopes e(t) of events (Section 3.1)."""

import torch
from torch import Tensor


def adsr(share: Tensor, attack: Tensor, decay: Tensor, sustain: Tensor, release: Tensor) -> Tensor:
    """Attack, decay, sustain, release: piecewise linear over the event, 0 outside it.

    From 0 to 1 in the attack, to the sustain level in the decay, held until the release, and in
    the release linearly to 0 at the end of the event.

    Args:
        share: (..., samples), time since the onset over the event's length.
        attack, decay, release: (...), shares of the event.
        sustain: (...), level from 0 to 1.

    Returns:
        (..., samples) float32 in [0, 1].
    """
    share = share.double()
    attack, decay, sustain, release = (
        value[..., None].double() for value in (attack, decay, sustain, release)
    )
    # A stage of no length is never entered, so dividing by its bounded length is harmless.
    tiny = torch.finfo(torch.float64).tiny
    rising = share / attack.clamp(min=tiny)
    falling = 1 - (1 - sustain) * (share - attack) / decay.clamp(min=tiny)
    fading = sustain * (1 - share) / release.clamp(min=tiny)
    level = torch.where(share < attack + decay, falling, sustain)
    level = torch.where(share < attack, rising, level)
    level = torch.where(share > 1 - release, torch.minimum(fading, level), level)
    return torch.where((share >= 0) & (share < 1), level, 0.0).float()
