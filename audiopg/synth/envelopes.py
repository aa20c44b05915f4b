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
    share = share.float()
    attack, decay, sustain, release = (
        value[..., None].float() for value in (attack, decay, sustain, release)
    )
    # A stage of no length is never entered, so dividing by its bounded length is harmless.
    tiny = 1e-30
    rising = share / attack.clamp(min=tiny)
    falling = 1 - (share - attack) * ((1 - sustain) / decay.clamp(min=tiny))
    fading = (1 - share) * (sustain / release.clamp(min=tiny))
    level = torch.where(share > 1 - release, fading, sustain)
    level = torch.where(share < attack + decay, falling, level)
    level = torch.where(share < attack, rising, level)
    return level * ((share >= 0) & (share < 1))
