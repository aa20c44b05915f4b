"""Amplitude envelopes e(t) of events (Section 3.1)."""

import numpy as np
import torch
from torch import Tensor

from audiopg.compiled import compiled
from audiopg.synth.excitations import TILE
from audiopg.synth.factors import SAMPLE_RATE

# In samples: what is closer to a sample falls on it, and a stage shorter than this is a jump.
CLOSE = 1e-6


def adsr(
    start: Tensor, length: Tensor, attack: Tensor, decay: Tensor, sustain: Tensor, release: Tensor
) -> Tensor:
    """Attack, decay, sustain, release: piecewise linear over the event, 0 outside it.

    The level rises from 0 to 1 in the attack, falls to the sustain level in the decay, stays there
    until the release, and falls to 0 in the release. That is one ramp up less two ramps of the
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
    offset, slope = (-corner * slope).T.float()[..., None], slope.T.float()[..., None]
    sample = torch.arange(TILE, dtype=torch.float32, device=start.device)
    up, down, out = (slope * sample).add_(offset).clamp_(0, 1)
    sustain = sustain.float()[:, None]
    level = (up - down * (1 - sustain)).sub_(out * sustain)

    cut = ((first > 0) | (end < TILE)).nonzero().squeeze(1)
    inside = (sample >= first[cut, None]) & (sample < end[cut, None])
    level[cut] = torch.where(inside, level[cut], 0.0)
    return level


def shape(
    tone: Tensor,
    start: Tensor,
    length: Tensor,
    attack: Tensor,
    decay: Tensor,
    sustain: Tensor,
    release: Tensor,
    amplitude: Tensor,
) -> Tensor:
    """(R, TILE) tiles, which may change, times their envelopes and amplitudes, (R,); see `adsr`."""
    if add := compiled(add_shaped, tone.device):
        factors = length, attack, decay, sustain, release, amplitude
        row = torch.arange(len(tone))
        shaped = torch.zeros_like(tone)
        add(shaped, row, tone, start, row, *factors)
        return shaped
    tone *= adsr(start, length, attack, decay, sustain, release)
    return tone.mul_(amplitude.float()[:, None])


def add_shaped(
    wave: np.ndarray,
    target: np.ndarray,
    tone: np.ndarray,
    start: np.ndarray,
    event: np.ndarray,
    length: np.ndarray,
    attack: np.ndarray,
    decay: np.ndarray,
    sustain: np.ndarray,
    release: np.ndarray,
    amplitude: np.ndarray,
) -> None:
    """Add to tiles of a wave what `shape` makes, one after another: a loop for `compiled`.

    Args:
        wave: (n, TILE) float32.
        target: (R,) int64, which of them a tile is added to.
        tone, start: (R, TILE) and (R,), as in `shape`.
        event: (R,) int64, which of the H events a tile belongs to.
        length, attack, decay, sustain, release, amplitude: (H,).
    """
    none, one, samples = np.float32(0), np.float32(1), tone.shape[1]
    index = np.arange(samples).astype(np.float32)
    slope, offset = np.empty(3, np.float32), np.empty(3, np.float32)
    for row, of in enumerate(event):
        # The lines of `stages`.
        onset, lasts = -start[row] * SAMPLE_RATE, length[of] * SAMPLE_RATE
        shares, spans = (0.0, attack[of], 1 - release[of]), (attack[of], decay[of], release[of])
        for line in range(3):
            corner, span, rise = onset + lasts * shares[line], lasts * spans[line], 1.0
            if span < CLOSE:
                corner = np.ceil(corner - CLOSE) - 1
            else:
                rise = 1 / span
            slope[line], offset[line] = rise, -corner * rise
        begin = min(samples, max(0, int(np.ceil(onset - CLOSE))))
        stop = max(begin, min(samples, int(np.ceil(onset + lasts - CLOSE))))
        # Slices, since indices that may be below 0 would keep the compiler from vector instructions.
        heard, place = tone[row, begin:stop], index[begin:stop]
        into = wave[target[row], begin:stop]
        level, height = np.float32(sustain[of]), np.float32(amplitude[of])
        slope_0, slope_1, slope_2 = slope
        offset_0, offset_1, offset_2 = offset
        for n in range(len(heard)):
            up = min(max(slope_0 * place[n] + offset_0, none), one)
            down = min(max(slope_1 * place[n] + offset_1, none), one)
            out = min(max(slope_2 * place[n] + offset_2, none), one)
            into[n] += heard[n] * (up - down * (one - level) - out * level) * height


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
    jump = span < CLOSE
    corner = torch.where(jump, (corner - CLOSE).ceil() - 1, corner)
    slope = torch.where(jump, 1.0, 1 / span)
    return (onset - CLOSE).ceil(), (onset + length - CLOSE).ceil(), corner, slope
