"""Amplitude envelopes e(t) of events (Section 3.1)."""

import numpy as np
import torch
from torch import Tensor

from audiopg.compiled import compiled
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
    first, end, offset, slope = _lines(start, length, attack, decay, release)
    sample = torch.arange(TILE, dtype=torch.float32, device=start.device)
    up, down, out = (slope[..., None] * sample).add_(offset[..., None]).clamp_(0, 1)
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
) -> None:
    """Multiply (R, TILE) tiles, in place, by their envelopes and by amplitudes, (R,); see `adsr`."""
    if run := compiled(shape_tiles, tone.device):
        lines = _lines(start, length, attack, decay, release)
        run(tone, *lines, sustain.float(), amplitude.float())
    else:
        tone *= adsr(start, length, attack, decay, sustain, release)
        tone *= amplitude.float()[:, None]


def shape_tiles(
    tone: np.ndarray,
    first: np.ndarray,
    end: np.ndarray,
    offset: np.ndarray,
    slope: np.ndarray,
    sustain: np.ndarray,
    amplitude: np.ndarray,
) -> None:
    """What `shape` does, from what `_lines` gives, (R,) and (3, R): a loop for `compiled`."""
    none, one, samples = np.float32(0), np.float32(1), tone.shape[1]
    index = np.arange(samples).astype(np.float32)
    for row in range(len(tone)):
        begin = min(samples, max(0, int(first[row])))
        stop = max(begin, min(samples, int(end[row])))
        tone[row, :begin] = none
        tone[row, stop:] = none
        # Slices: places that may be below 0 keep a processor from taking many at a time.
        heard, place = tone[row, begin:stop], index[begin:stop]
        level, height = sustain[row], amplitude[row]
        offset_0, offset_1, offset_2 = offset[0, row], offset[1, row], offset[2, row]
        slope_0, slope_1, slope_2 = slope[0, row], slope[1, row], slope[2, row]
        for n in range(len(heard)):
            up = min(max(slope_0 * place[n] + offset_0, none), one)
            down = min(max(slope_1 * place[n] + offset_1, none), one)
            out = min(max(slope_2 * place[n] + offset_2, none), one)
            heard[n] = heard[n] * (up - down * (one - level) - out * level) * height


def _lines(
    start: Tensor, length: Tensor, attack: Tensor, decay: Tensor, release: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """First and end of `stages` in samples of the tile, (R,), and its ramps as lines.

    Returns:
        ..., ..., and of each line the value at the tile's first sample, and the slope, (3, R) float32.
    """
    first, end, corner, slope = stages(
        -start * SAMPLE_RATE, length * SAMPLE_RATE, attack, decay, release
    )
    return first, end, (-corner * slope).T.float(), slope.T.float()


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
