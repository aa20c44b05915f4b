"""What the paper's synthesizer lacks, tile by tile: noise, moving pitch, formants, modulation.

The paper names it in its outlook: noise textures, vocal tracts, machines, mixtures. Rain, wind and
the fricatives of speech are bands of noise; engines, insects, clocks and steps are modulated; cries,
sirens and the melody of speech move their pitch; voices have formants. Each addition is a factor of
an event that changes nothing at its neutral value, and an event without any is rendered by the
oscillators as before. An event with additions is

    a e(t) m(t) [(1 - σ) u(θ(t)) + σ √2 n(t) sin 2πθ(t)]

with the cycles θ(t) of a moving pitch (`moving_phase`), which go on from sample to sample with all
their bits, the tone u of that phase (`bent_tone`), a band of noise of share σ about the pitch
(`noise_band`) and a periodic gain m (`modulation`).
"""

import math

import torch
from torch import Tensor
from torch.compiler import is_exporting

from audiopg.synth.oscillators import (
    _COLUMNS,
    TILE,
    _seconds,
    harmonic_partials,
)
from audiopg.synth.parameters import CLIP_SAMPLES, EXCITATIONS, NYQUIST, SAMPLE_RATE

# Samples of one period of a tone. The nearest of 4,096 is within 1/8,192 of a cycle, so that
# partial k comes with noise of 2π k / (8192 √3) of its own height: -67 dB for the first.
TABLE = 4096
_TABLE_BITS = TABLE.bit_length() - 1
# Hz; typical of the first three formants (Klatt, "Software for a cascade/parallel formant
# synthesizer", JASA 67, 1980, table I).
FORMANT_BANDWIDTHS = (50.0, 70.0, 110.0)
# Partials of a graph, whose number cannot depend on the pitch: those of 50 Hz.
_EXPORTED_PARTIALS = 160
# Odd, and so far apart that the noise of no two events of a clip begins alike.
_NOISE_STRIDE = 20479
# Where noise may end that begins in a clip's own: an event ends inside a tile.
_PLACES = CLIP_SAMPLES - 2 * TILE
_FM, _SAWTOOTH, _SQUARE = (EXCITATIONS.index(name) for name in ("fm", "sawtooth", "square"))


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
    edges = start[:, None] + _seconds(0, TILE + 1, _COLUMNS, start.device)
    # Beyond the event by more than its length nothing is heard.
    share = (edges / length[:, None]).clamp(-1, 2)
    growth = glide[:, None] * math.log(2)
    still = growth.abs() < 1e-9
    growth = torch.where(still, 1.0, growth)
    rising = length[:, None] * (growth * share).expm1() / growth
    turn = 2 * math.pi * vibrato_rate[:, None]
    swing = vibrato_depth[:, None] * (1 - (turn * edges).cos()) / turn
    cycles = f0[:, None] * (torch.where(still, edges, rising) + swing)
    begin = ((cycles - cycles.round()) * 2.0**32).round().long().int()[:, :-1, None]
    step = (cycles.diff(dim=1) * (2.0**32 / _COLUMNS)).round().long().int()[:, :, None]
    sample = torch.arange(_COLUMNS, dtype=torch.int32, device=start.device)
    return (begin + step * sample).flatten(1)


def period_tables(
    excitation: Tensor,
    f0: Tensor,
    highest: Tensor,
    partial_count: Tensor,
    rolloff: Tensor,
    weight: Tensor,
    phase: Tensor,
    formants: Tensor,
) -> Tensor:
    """One period of harmonic tones and band-limited pulses, through their formants.

    The partials are whole multiples of the pitch, so mistuning is left out. Those that pass Nyquist
    on the way of the pitch are dropped. A formant at F of bandwidth W is a resonator with unit gain
    at 0 Hz, H(f) = (F² + W²/4) / (F² + (W/2 + i f)²), and three in cascade are a vocal tract with
    the lips closed off (Fant, 1960; Klatt, 1980). The power of the tone stays what it is: formants
    change the timbre, not the level. They are fixed at f0, and move with the pitch.

    Args:
        excitation: (H,) int64, index into `EXCITATIONS`; not FM.
        f0, highest: (H,) Hz, pitch at the onset and at its highest.
        partial_count, rolloff: (H,).
        weight, phase: (H, K).
        formants: (H, 3) Hz, 0 for none.

    Returns:
        (H, TABLE) float32.
    """
    if is_exporting():
        most = _EXPORTED_PARTIALS
    else:
        most = min(TABLE // 2, math.ceil(NYQUIST / f0.min().item()))
    order = torch.arange(1, max(most, 2), device=f0.device)
    series = torch.where(
        (excitation == _SQUARE)[:, None],
        4 / math.pi * (order.float() % 2) / order,
        2 / math.pi * (-1.0) ** (order.float() + 1) / order,
    )
    _, heard = harmonic_partials(f0, partial_count, rolloff, weight, torch.zeros_like(weight))
    lacking = len(order) - weight.shape[1]
    heard, turn = (torch.nn.functional.pad(value, (0, lacking)) for value in (heard, phase))
    height = torch.where((excitation == 0)[:, None], heard, series)
    height = height * (highest[:, None] * order < NYQUIST)
    turn = torch.where((excitation == 0)[:, None], turn, 0.0)
    # In real numbers: the last bit of a complex product depends on where in the batch it stands.
    cosine, sine = height * turn.cos(), height * turn.sin()
    frequency = f0[:, None] * order
    for formant, bandwidth in zip(formants.T, FORMANT_BANDWIDTHS, strict=True):
        still = formant[:, None].square() + bandwidth**2 / 4
        real, imaginary = still - frequency.square(), bandwidth * frequency
        gain = torch.where(formant[:, None] > 0, still, 1.0)
        gain = gain / torch.where(formant[:, None] > 0, real.square() + imaginary.square(), 1.0)
        real = torch.where(formant[:, None] > 0, real, 1.0) * gain
        imaginary = torch.where(formant[:, None] > 0, -imaginary, 0.0) * gain
        cosine, sine = cosine * real - sine * imaginary, cosine * imaginary + sine * real
    before = height.square().sum(dim=1, keepdim=True)
    after = (cosine.square() + sine.square()).sum(dim=1, keepdim=True)
    level = (before / torch.where(after > 0, after, 1.0)).sqrt() / 2
    # Of the exponentials' coefficients, -i/2 for a sine and 1/2 for a cosine.
    real, imaginary = (sine * level).float(), (-cosine * level).float()
    around = (1, TABLE // 2 - len(order))
    if is_exporting():
        parts = (torch.nn.functional.pad(part, around) for part in (real, imaginary))
        return inverse_transform(*parts)
    spectrum = torch.nn.functional.pad(torch.complex(real, imaginary), around)
    return torch.fft.irfft(spectrum, n=TABLE, norm="forward")


def inverse_transform(real: Tensor, imaginary: Tensor) -> Tensor:
    """What `torch.fft.irfft` gives with ``norm="forward"``, in real numbers and forward: for graphs.

    The real part of a real signal's spectrum is even and the imaginary part odd, so the transform
    of their sum has what the cosines make of the one beside what the sines make of the other.

    Args:
        real, imaginary: (..., n / 2 + 1).

    Returns:
        (..., n).
    """
    ahead = real + imaginary
    behind = (real - imaginary)[..., 1:-1].flip(-1)
    sums = torch.view_as_real(torch.fft.rfft(torch.cat((ahead, behind), dim=-1)))
    first, second = sums[..., 0] + sums[..., 1], sums[..., 0] - sums[..., 1]
    return torch.cat((first, second[..., 1:-1].flip(-1)), dim=-1)


def bent_tone(
    phase: Tensor,
    modulator: Tensor,
    event: Tensor,
    excitation: Tensor,
    tabled: Tensor,
    tables: Tensor,
    fm_index: Tensor,
) -> Tensor:
    """u(θ): the tone of an excitation at any phase.

    Args:
        phase: (R, TILE) int32, see `moving_phase`.
        modulator: (M, TILE) int32, that of the modulator of each of the M tiles of FM.
        event: (R,) int64, which of the H events each tile belongs to.
        excitation: (H,) int64, index into `EXCITATIONS`.
        tabled: (H,) bool, whether the tone is read from its table.
        tables: (H, TABLE), see `period_tables`; of events not tabled, anything.
        fm_index: (H,).

    Returns:
        (R, TILE) float32.
    """
    tone = torch.empty(phase.shape, dtype=torch.float32, device=phase.device)
    kind = torch.where(tabled, -1, excitation)[event]
    rows = (kind == -1).nonzero().squeeze(1)
    place = (phase[rows] + (1 << (31 - _TABLE_BITS))) >> (32 - _TABLE_BITS)
    place = (place & (TABLE - 1)) + (event[rows] * TABLE).int()[:, None]
    tone[rows] = tables.flatten().index_select(0, place.flatten()).view_as(place)
    rows = (kind == _FM).nonzero().squeeze(1)
    depth = fm_index[event[rows], None].float()
    deviation = _radians(modulator).sin_().mul_(depth)
    tone[rows] = _radians(phase[rows]).add_(deviation).sin_()
    rows = (kind == _SAWTOOTH).nonzero().squeeze(1)
    tone[rows] = phase[rows].float().mul_(2.0**-31)
    rows = (kind == _SQUARE).nonzero().squeeze(1)
    tone[rows] = ((phase[rows] >> 31) | 1).float()
    return tone


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
    # Step by step: what joins steps rounds the end of a batch in another way.
    noise = right.sub_(left).mul_(position.sub_(whole)).add_(left)
    about = (bandwidth < f0).nonzero().squeeze(1)
    noise[about] *= _radians(phase[about]).sin_().mul_(math.sqrt(2))
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
    # A rate of at most 1 kHz takes less than a tenth of the noise.
    return slot * _NOISE_STRIDE % (_PLACES // 2)


def _look_up(white: Tensor, clip: Tensor, index: Tensor) -> Tensor:
    """Samples of each row's own clip, (R, TILE), at (R, TILE) int32 indices; beyond it, its ends."""
    first = (clip * white.shape[1]).int()[:, None]
    index = index.clamp(0, white.shape[1] - 1).add_(first)
    return white.flatten().index_select(0, index.flatten()).view_as(index)


def _radians(phase: Tensor) -> Tensor:
    """An int32 phase as a float32 angle in [-π, π]."""
    return phase.float().mul_(math.pi * 2.0**-31)
