"""What the paper's synthesizer lacks, tile by tile: noise, moving pitch, formants, modulation.

The paper's outlook names noise textures, vocal tracts, machines and mixtures. Rain, wind and
the fricatives of speech are bands of noise; engines, insects, clocks and steps are modulated; cries,
sirens and the melody of speech move their pitch; voices have formants. Each addition is a factor of
an event that changes nothing at its neutral value, and an event without any is rendered by the
oscillators as before. An event with additions is

    a e(t) m(t) [(1 - σ) u(θ(t)) + σ √2 n(t) sin 2πθ(t)]

with the cycles θ(t) of a moving pitch (`moving_phase`), which go on from sample to sample with all
their bits, the tone u of that phase (`excitations`), a band of noise of share σ about the pitch
(`noise_band`) and a periodic gain m (`modulation`).
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from audiopg.synth.excitations import COLUMNS, TILE, orders_below_nyquist, radians, sample_times
from audiopg.synth.factors import CLIP_SAMPLES, NYQUIST, SAMPLE_RATE

# Entries of the table of one period. The nearest of 4,096 lies within 1/8,192 of a cycle, so partial
# k has noise of 2π k / (8192 √3) of its own height: -67 dB for the first.
TABLE = 4096
_TABLE_BITS = TABLE.bit_length() - 1
# Hz; typical of the first three formants (Klatt, "Software for a cascade/parallel formant
# synthesizer", JASA 67, 1980, table I).
FORMANT_BANDWIDTHS = (50.0, 70.0, 110.0)
# Samples from the noise of one event to that of the next: odd, so that no two begin alike.
_NOISE_STRIDE = 20479
# The last sample of a clip's noise that an event may use, less the tiles that it begins and ends in.
_PLACES = CLIP_SAMPLES - 2 * TILE


def moving_phase(
    start: Tensor,
    f0: Tensor,
    length: Tensor,
    glide: Tensor,
    vibrato_depth: Tensor,
    vibrato_rate: Tensor,
) -> Tensor:
    """The cycles θ(t) since the onset of f(t) = f0 [2^(g t / L) + d sin(2π r t)].

    A glide is a straight line in octaves, as pitch is heard; a vibrato of singers is 5 to 7 Hz and
    a semitone or so to either side (Seashore, 1938), a siren's a slow and wide one. The integral is
    exact every 64 samples (4 ms) and straight between them, as control rates of synthesizers are.

    Args:
        start: (R,) float64, s since the onset at the first sample of each tile.
        f0, length, glide, vibrato_depth, vibrato_rate: (R,), of each tile's event.

    Returns:
        (R, TILE) int32, a cycle being 2**32: it wraps by itself.
    """
    edges = start[:, None] + sample_times(0, TILE + 1, COLUMNS, start.device)
    # Further from the event than its length, nothing is heard.
    share = (edges / length[:, None]).clamp(-1, 2)
    growth = glide[:, None] * math.log(2)
    still = growth.abs() < 1e-9
    growth = torch.where(still, 1.0, growth)
    rising = length[:, None] * (growth * share).expm1() / growth
    turn = 2 * math.pi * vibrato_rate[:, None]
    swing = vibrato_depth[:, None] * (1 - (turn * edges).cos()) / turn
    cycles = f0[:, None] * (torch.where(still, edges, rising) + swing)
    begin = ((cycles - cycles.round()) * 2.0**32).round().long().int()[:, :-1, None]
    step = (cycles.diff(dim=1) * (2.0**32 / COLUMNS)).round().long().int()[:, :, None]
    sample = torch.arange(COLUMNS, dtype=torch.int32, device=start.device)
    return (begin + step * sample).flatten(1)


def period_tables(
    partials: Callable[[Tensor], tuple[Tensor, Tensor]],
    f0: Tensor,
    highest: Tensor,
    formants: Tensor,
) -> Tensor:
    """One period of tones of known partials, through their formants.

    The partials are whole multiples of the pitch. Those that pass Nyquist while the pitch moves are
    dropped. Formants change the timbre, and leave the power of the tone. They shape the tone at f0,
    and then move with the pitch.

    Args:
        partials: of the orders 1 to n, amplitude and phase, (H, n) each.
        f0, highest: (H,) Hz, pitch at the onset and at its highest.
        formants: (H, 3) Hz, 0 for none.

    Returns:
        (H, TABLE) float32.
    """
    order = orders_below_nyquist(f0)[: TABLE // 2 - 1]
    height, turn = partials(order)
    height = height * (highest[:, None] * order < NYQUIST)
    # In real numbers, since the last bit of a complex product depends on its place in the batch.
    cosine, sine = _resonate(
        height * turn.cos(), height * turn.sin(), f0[:, None] * order, formants
    )
    before = height.square().sum(dim=1, keepdim=True)
    after = (cosine.square() + sine.square()).sum(dim=1, keepdim=True)
    level = (before / torch.where(after > 0, after, 1.0)).sqrt() / 2
    # Coefficients of the exponentials: -i/2 for a sine, 1/2 for a cosine.
    real, imaginary = (sine * level).float(), (-cosine * level).float()
    around = (1, TABLE // 2 - len(order))
    parts = (torch.nn.functional.pad(part, around) for part in (real, imaginary))
    return torch.fft.irfft(torch.complex(*parts), n=TABLE, norm="forward")


def _resonate(
    cosine: Tensor, sine: Tensor, frequency: Tensor, formants: Tensor
) -> tuple[Tensor, Tensor]:
    """Partials after formants; a sine of a partial is its real part, a cosine its imaginary one.

    A formant at F of bandwidth W is a resonator with unit gain at 0 Hz, H(f) = (F² + W²/4) / (F² +
    (W/2 + i f)²), and three in cascade are a vocal tract with the lips closed off (Fant, 1960;
    Klatt, 1980).

    Args:
        cosine, sine, frequency: (H, n).
        formants: (H, 3) Hz, 0 for none.
    """
    for formant, bandwidth in zip(formants.T, FORMANT_BANDWIDTHS, strict=True):
        still = formant[:, None].square() + bandwidth**2 / 4
        real, imaginary = still - frequency.square(), bandwidth * frequency
        gain = torch.where(formant[:, None] > 0, still, 1.0)
        gain = gain / torch.where(formant[:, None] > 0, real.square() + imaginary.square(), 1.0)
        real = torch.where(formant[:, None] > 0, real, 1.0) * gain
        imaginary = torch.where(formant[:, None] > 0, -imaginary, 0.0) * gain
        cosine, sine = cosine * real - sine * imaginary, cosine * imaginary + sine * real
    return cosine, sine


def look_up_tone(phase: Tensor, event: Tensor, tables: Tensor) -> Tensor:
    """The tone of a table at any phase.

    Args:
        phase: (R, TILE) int32, see `moving_phase`.
        event: (R,) int64, which of the H events each tile belongs to.
        tables: (H, TABLE), see `period_tables`.

    Returns:
        (R, TILE) float32.
    """
    place = (phase + (1 << (31 - _TABLE_BITS))) >> (32 - _TABLE_BITS)
    place = (place & (TABLE - 1)) + (event * TABLE).int()[:, None]
    return tables.flatten().index_select(0, place.flatten()).view_as(place)


def noise_band(
    phase: Tensor,
    before: Tensor,
    clip: Tensor,
    place: Tensor,
    white: Tensor,
    f0: Tensor,
    bandwidth: Tensor,
) -> Tensor:
    """√2 n(t) sin 2πθ(t): noise of a bandwidth about the pitch, or from 0 Hz up.

    White noise that is drawn 2 W times a second and joined by straight lines has the power spectrum
    sinc⁴(f / 2W), 7 dB down at the bandwidth W; times a sine it lies about the pitch (the
    heterodyne of radio). A band as wide as the pitch is high reaches 0 Hz, and is left there. It
    costs two look-ups a sample, where a filter costs a pass over the clip.

    Args:
        phase: (R, TILE) int32.
        before: (R,) float64, samples of the event before the tile's first.
        clip: (R,) int64, the row of the tile's clip.
        place: (R,) int64, where in the clip's noise that of the event begins.
        white: (B, CLIP_SAMPLES) float32 on (-1, 1).
        f0: (R,) Hz.
        bandwidth: (R,) Hz.

    Returns:
        (R, TILE) float32.
    """
    rate = (2 * bandwidth / SAMPLE_RATE)[:, None]
    sample = torch.arange(TILE, dtype=torch.float32, device=phase.device)
    at = before[:, None].clamp(min=-TILE) * rate
    first = at.floor()
    position = (at - first).float() + rate.float() * sample
    whole = position.floor()
    index = whole.int() + (place[:, None] + first.long()).int()
    left, right = _look_up(white, clip, index), _look_up(white, clip, index + 1)
    # In single steps: a fused one (lerp) rounds the end of a batch in another way.
    noise = right.sub_(left).mul_(position.sub_(whole)).add_(left)
    about = (bandwidth < f0).nonzero().squeeze(1)
    noise[about] *= radians(phase[about]).sin_().mul_(math.sqrt(2))
    return noise


def modulation(
    start: Tensor,
    clip: Tensor,
    place: Tensor,
    white: Tensor,
    depth: Tensor,
    rate: Tensor,
    decay: Tensor,
    jitter: Tensor,
) -> Tensor:
    """m(t) = 1 - d + d p(φ), the gain of a periodic modulation, φ = r t in cycles since the onset.

    A sinusoid, p = (1 + cos 2πφ) / 2, is the tremolo of instruments and the swell of waves.
    Impulses, p = s exp(-κ frac φ), are struck once a period and die away: steps and clocks at 1 to
    4 Hz, knocking and the syllables of speech at 4 to 10, rotors and engines at 10 to 80, where the
    ear hears roughness and then a pitch (Zwicker and Fastl, 1999, chapters 10 and 11). Chance
    weakens each by up to the jitter, s = 1 - j |w|, as rain and crackling fire are uneven.

    Args:
        start: (R,) float64, s since the onset at the first sample of each tile.
        clip: (R,) int64, the row of the tile's clip.
        place: (R,) int64, where in the clip's noise the numbers w of the event begin.
        white: (B, CLIP_SAMPLES) float32 on (-1, 1).
        depth, rate, decay, jitter: (R,), of each tile's event.

    Returns:
        (R, TILE) float32 in [0, 1].
    """
    cycles = start * rate
    first = cycles.floor()
    sample = torch.arange(TILE, dtype=torch.float32, device=start.device)
    gain = start.new_empty(start.shape[0], TILE, dtype=torch.float32)

    def position(rows: Tensor) -> Tensor:
        """Cycles since the last whole one before the tile."""
        increment = (rate[rows] / SAMPLE_RATE).float()[:, None]
        return (cycles - first)[rows].float()[:, None] + increment * sample

    rows = (decay == 0).nonzero().squeeze(1)
    gain[rows] = (position(rows) * (2 * math.pi)).cos_().add_(1).mul_(0.5)
    rows = (decay > 0).nonzero().squeeze(1)
    at = position(rows)
    whole = at.floor()
    index = whole.int() + (place + first.long())[rows, None].int()
    chance = _look_up(white, clip[rows], index).abs_()
    strength = 1 - jitter[rows].float()[:, None] * chance
    gain[rows] = (at.sub_(whole) * -decay[rows].float()[:, None]).exp_() * strength
    deep = depth.float()[:, None]
    return gain.mul_(deep).add_(1 - deep)


def noise_place(slot: Tensor, length: Tensor, bandwidth: Tensor) -> Tensor:
    """Where an event's noise begins in that of its clip, so that all of it fits: (R,) int64.

    Args:
        slot: (R,) int64.
        length: (R,) s, of the event.
        bandwidth: (R,) Hz.
    """
    free = _PLACES - (length * 2 * bandwidth).long()
    return slot * _NOISE_STRIDE % free.clamp(min=1)


def strength_place(slot: Tensor) -> Tensor:
    """Where the numbers begin that make an event's impulses uneven, (R,) int64."""
    # At the highest rate, 1 kHz, an event takes less than a tenth of the noise.
    return slot * _NOISE_STRIDE % (_PLACES // 2)


def _look_up(white: Tensor, clip: Tensor, index: Tensor) -> Tensor:
    """Samples of each row's own clip, (R, TILE), at (R, TILE) int32 indices; beyond it, its ends."""
    first = (clip * white.shape[1]).int()[:, None]
    index = index.clamp(0, white.shape[1] - 1).add_(first)
    return white.flatten().index_select(0, index.flatten()).view_as(index)
