"""Amplitude envelopes e(t) of events (Section 3.1)."""

import torch
from torch import Tensor

from audiopg.synth.excitations import TILE
from audiopg.synth.factors import SAMPLE_RATE

# In samples: what is closer to a sample falls on it, and a stage shorter than this is a jump.
_CLOSE = 1e-6


def adsr(
    start: Tensor, length: Tensor, attack: Tensor, decay: Tensor, sustain: Tensor, release: Tensor
) -> Tensor:
    """Attack, decay, sustain, release: piecewise linear over the event, 0 outside it.

    From 0 to 1 in the attack, to the sustain level in the decay, held until the release, and in
    the release linearly to 0 at the end of the event. That is one ramp up less two ramps of the
    heights 1 - S and S, each a straight line clamped to [0, 1].

    Args:
        start: (R,) float64, s since the onset at the first sample of each tile.
        length: (R,) s.
        attack, decay, release: (R,), shares of the event.
        sustain: (R,), level from 0 to 1.

    Returns:
        (R, TILE) float32 in [0, 1].
    """
    first, end, corner, slope = stages(
        -start * SAMPLE_RATE, length * SAMPLE_RATE, attack, decay, release
    )
    lines = torch.stack((-corner * slope, slope)).movedim(-1, 1).float()  # (2, 3, R)
    offset, slope = lines[..., None]
    sample = torch.arange(TILE, dtype=torch.float32, device=start.device)
    up, down, out = (slope * sample).add_(offset).clamp_(0, 1)
    sustain = sustain.float()[:, None]
    level = (up - down * (1 - sustain)).sub_(out * sustain)

    cut = ((first > 0) | (end < TILE)).nonzero().squeeze(1)
    inside = (sample >= first[cut, None]) & (sample < end[cut, None])
    level[cut] = torch.where(inside, level[cut], 0.0)
    return level


def stages(
    onset: Tensor, length: Tensor, attack: Tensor, decay: Tensor, release: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Where events and the ramps of their envelopes lie, in samples.

    Args:
        onset, length: (...) float64, in samples.
        attack, decay, release: (...), shares of the event.

    Returns:
        The first sample of each event and the first after it, (...); where the ramps of attack,
        decay and release begin, and their slopes a sample, (..., 3).
    """
    share = torch.stack((torch.zeros_like(attack), attack, 1 - release), dim=-1)
    corner = onset[..., None] + length[..., None] * share
    span = length[..., None] * torch.stack((attack, decay, release), dim=-1)
    # A stage of no length is a ramp from the sample before its corner.
    jump = span < _CLOSE
    corner = torch.where(jump, (corner - _CLOSE).ceil() - 1, corner)
    slope = torch.where(jump, 1.0, 1 / span)
    return (onset - _CLOSE).ceil(), (onset + length - _CLOSE).ceil(), corner, slope
