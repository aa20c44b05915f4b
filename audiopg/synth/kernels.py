"""The renderer's two heavy steps as Triton kernels, for GPUs: the sources, and noise with peaks.

What `audiopg.synth.render` does on tensors of samples is done here in registers, one program a
tile of a clip, so that only finished samples meet the memory. Events that do not sound in a tile
and partials above Nyquist cost nothing.

Phases are whole numbers, 2**32 a cycle in the kernels and 2**64 in the tables, where a cycle wraps
by itself. They are right to the nearest 2**-32 of a cycle at any sample, so a pulse whose edge
meets a sample falls on it.
"""

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

from audiopg.random import STREAMS
from audiopg.synth.envelopes import stages
from audiopg.synth.excitations import harmonic_partials
from audiopg.synth.factors import CLIP_SAMPLES, NYQUIST, SAMPLE_RATE
from audiopg.synth.parameters import ClipParameters

_TILE = 1024

# Excitations of codes below this are rendered here: harmonic, FM, sawtooth and square.
KNOWN = 4
# Triton reads constants of a module that are marked as such.
_HARMONIC, _FM, _SAWTOOTH, _SQUARE = map(tl.constexpr, range(KNOWN))
# Added to the kind of a pulse without aliases.
_BAND_LIMITED = tl.constexpr(KNOWN)
# Columns of the tables of events: whole numbers, and real ones.
_KIND, _PARTIALS, _FIRST, _END, _BURST_FIRST, _BURST_END, _WHOLE = map(tl.constexpr, range(7))
_CORNER, _SLOPE, _SUSTAIN, _AMPLITUDE, _DEPTH, _BURST_AMPLITUDE, _REAL = map(
    tl.constexpr, (0, 3, 6, 7, 8, 9, 10)
)
# The oscillators of an event.
_FUNDAMENTAL, _MODULATOR, _FIRST_PARTIAL = map(tl.constexpr, range(3))
# The first partial of a sawtooth; the angle of one step of a folded phase.
_SERIES = tl.constexpr(2 / math.pi)
_STEP = tl.constexpr(math.pi / 2 * 2.0**-30)


def source(params: ClipParameters) -> Tensor:
    """The events before damping: Σ_i a_i e_i(t) u_i(t) + b_i(t) (equation 2).

    Args:
        params: B clips on a GPU, in their ranges.

    Returns:
        (B, CLIP_SAMPLES) float32.
    """
    shape = len(params), CLIP_SAMPLES
    wave = torch.empty(shape, dtype=torch.float32, device=params.f0.device)
    oscillators, heights = _oscillator_tables(params)
    whole, real = _event_tables(params, heights)
    with torch.cuda.device_of(wave):
        _source_kernel[(len(params), CLIP_SAMPLES // _TILE)](
            wave,
            params.seed.contiguous(),
            params.clip.contiguous(),
            params.event_count.contiguous(),
            whole,
            real,
            oscillators,
            heights,
            heights.shape[1],
            heights.shape[2],
            BURST_STREAM=STREAMS["burst"],
            SAMPLES=CLIP_SAMPLES,
            TILE=_TILE,
        )
    return wave


def finish(wave: Tensor, params: ClipParameters) -> Tensor:
    """Add the noise floor and divide by the peak: normalise[s(t) + λ η(t)] (equation 1).

    Args:
        wave: (B, CLIP_SAMPLES) float32 on a GPU, contiguous; overwritten.
        params: the B clips.

    Returns:
        ``wave``, of peak 1, or silent where nothing sounds.
    """
    tiles = CLIP_SAMPLES // _TILE
    peaks = wave.new_empty(len(wave), tiles)
    with torch.cuda.device_of(wave):
        _noise_kernel[(len(wave), tiles)](
            wave,
            peaks,
            params.seed.contiguous(),
            params.clip.contiguous(),
            params.noise_level.float(),
            NOISE_STREAM=STREAMS["noise_floor"],
            SAMPLES=CLIP_SAMPLES,
            TILE=_TILE,
        )
    peak = peaks.amax(dim=1, keepdim=True)
    return wave.div_(torch.where(peak > 0, peak, 1.0))


def _oscillator_tables(params: ClipParameters) -> tuple[Tensor, Tensor]:
    """Phases of the oscillators and amplitudes of the partials.

    Returns:
        (B, E, 2 + K, 2) int64: of the fundamental, the modulator and each partial, the phase at
        the clip's first sample and its increment a sample, 2**64 a cycle.
        (B, E, K) float32: the partials' amplitudes, 0 where they are not heard.
    """
    partials, heights = harmonic_partials(
        params.f0,
        params.partial_count,
        params.rolloff,
        params.partial_weight,
        params.partial_detune,
    )
    f0 = params.f0[..., None]
    frequency = torch.cat((f0, f0 * params.fm_ratio[..., None], partials), dim=-1)
    # Time counts from the event's own onset.
    start = -frequency * params.onset[..., None]
    start[..., _FIRST_PARTIAL.value :] += params.partial_phase / (2 * math.pi)
    cycles = torch.stack((start, frequency / SAMPLE_RATE), dim=-1)
    # Half a cycle is one more than a 64-bit number holds, so the last bit is shifted in.
    return ((cycles - cycles.round()) * 2.0**63).long() << 1, heights.float()


def _event_tables(params: ClipParameters, heights: Tensor) -> tuple[Tensor, Tensor]:
    """What the kernel reads of each event; positions are counted in samples from the clip's start.

    Args:
        heights: (B, E, K), amplitudes of the partials.

    Returns:
        (B, E, _WHOLE) int64: kind of excitation; number of partials, up to the last that is heard;
        first sample and end of the tone; first sample and end of the burst.
        (B, E, _REAL) float64: where attack, decay and release begin; the slopes of their ramps;
        sustain level; amplitude; modulation index in 2**32 a cycle; amplitude of the burst.
    """
    pulse = params.excitation >= _SAWTOOTH.value
    kind = params.excitation + KNOWN * (params.band_limited & pulse)
    series = (NYQUIST / params.f0).floor()
    series -= (series * params.f0 >= NYQUIST).double()
    order = torch.arange(1, heights.shape[2] + 1, device=heights.device)
    partials = torch.where(pulse, series, (order * (heights > 0)).amax(dim=-1))
    onset = params.onset * SAMPLE_RATE
    first, end, corner, slope = stages(
        onset, params.length * SAMPLE_RATE, params.attack, params.decay, params.release
    )
    burst = onset.ceil()
    lasts = (params.burst_length * SAMPLE_RATE).ceil() * (params.burst_amplitude > 0)
    whole = torch.stack((kind, partials, first, end, burst, burst + lasts), dim=-1).long()

    depth = params.fm_index * (2.0**32 / (2 * math.pi))
    levels = torch.stack((params.sustain, params.amplitude, depth, params.burst_amplitude), dim=-1)
    return whole, torch.cat((corner, slope, levels), dim=-1)


@triton.jit(do_not_specialize=["slots", "partials"])
def _source_kernel(
    wave,
    seeds,
    clips,
    event_counts,
    whole_table,
    real_table,
    oscillators,
    heights,
    slots,
    partials,
    BURST_STREAM: tl.constexpr,
    SAMPLES: tl.constexpr,
    TILE: tl.constexpr,
):
    """One tile of one clip; program (clip, tile)."""
    clip = tl.program_id(0).to(tl.int64)
    begin = tl.program_id(1) * TILE
    sample = begin + tl.arange(0, TILE)
    total = tl.zeros((TILE,), tl.float32)
    for slot in range(tl.load(event_counts + clip).to(tl.int32)):
        event = clip * slots + slot
        whole = whole_table + event * _WHOLE
        real = real_table + event * _REAL
        first = tl.load(whole + _FIRST)
        end = tl.load(whole + _END)
        if (first < begin + TILE) & (end > begin):
            bank = oscillators + event * (_FIRST_PARTIAL + partials) * 2
            tone = _tone(whole, real, bank, heights + event * partials, sample)
            level = tl.load(real + _AMPLITUDE).to(tl.float32) * _envelope(real, begin, TILE)
            total += tl.where((sample >= first) & (sample < end), level * tone, 0.0)
        first = tl.load(whole + _BURST_FIRST)
        end = tl.load(whole + _BURST_END)
        if (first < begin + TILE) & (end > begin):
            seed = tl.load(seeds + clip)
            index = tl.load(clips + clip)
            burst = _noise(seed, index, BURST_STREAM + slot, sample - first.to(tl.int32))
            level = tl.load(real + _BURST_AMPLITUDE).to(tl.float32)
            total += tl.where((sample >= first) & (sample < end), level * burst, 0.0)
    tl.store(wave + clip * SAMPLES + sample, total)


@triton.jit
def _tone(whole, real, bank, heights, sample):
    """u(t) of one event."""
    kind = tl.load(whole + _KIND)
    count = tl.load(whole + _PARTIALS).to(tl.int32)
    tone = tl.zeros(sample.shape, tl.float32)
    if kind == _HARMONIC:
        for partial in range(count):
            phase = _phase(bank, _FIRST_PARTIAL + partial, sample)
            tone += tl.load(heights + partial) * _sine(phase)
    elif kind == _FM:
        depth = tl.load(real + _DEPTH).to(tl.float32)
        # Through 64 bits, so that whole cycles wrap.
        deviation = (depth * _sine(_phase(bank, _MODULATOR, sample))).to(tl.int64).to(tl.int32)
        tone = _sine(_phase(bank, _FUNDAMENTAL, sample) + deviation)
    elif kind == _SAWTOOTH:
        tone = _phase(bank, _FUNDAMENTAL, sample).to(tl.float32) * 2.0**-31
    elif kind == _SQUARE:
        tone = tl.where(_phase(bank, _FUNDAMENTAL, sample) >= 0, 1.0, -1.0)
    elif kind == _SAWTOOTH + _BAND_LIMITED:
        # Half a cycle on, all partials have one sign.
        phase = _phase(bank, _FUNDAMENTAL, sample) ^ -(2**31)
        for order in range(1, count + 1):
            tone -= _sine(order * phase) * (_SERIES / order)
    else:
        phase = _phase(bank, _FUNDAMENTAL, sample)
        for order in range(1, count + 1, 2):
            tone += _sine(order * phase) * (2 * _SERIES / order)
    return tone


@triton.jit
def _phase(bank, oscillator, sample):
    """The phase of each sample as int32, 2**32 a cycle, rounded to the nearest."""
    start = tl.load(bank + 2 * oscillator) + 2**31
    increment = tl.load(bank + 2 * oscillator + 1)
    return ((start + sample * increment) >> 32).to(tl.int32)


@triton.jit
def _sine(phase):
    """The sine of an int32 phase."""
    # A triangle wave of the same phase, from -2**30 to 2**30, is the angle folded to [-π/2, π/2].
    folded = 2**30 - tl.abs(phase - 2**30)
    angle = folded.to(tl.float32) * _STEP
    square = angle * angle
    # Taylor's series to the power 11; what follows is below the rounding of float32.
    series = square * (-1 / 39916800) + 1 / 362880
    series = square * series - 1 / 5040
    series = square * series + 1 / 120
    series = square * series - 1 / 6
    return angle * (square * series + 1)


@triton.jit
def _envelope(real, begin, TILE: tl.constexpr):
    """e(t): one ramp up less two ramps of the heights 1 - S and S, see `envelopes.adsr`."""
    sustain = tl.load(real + _SUSTAIN).to(tl.float32)
    down = (1 - sustain) * _ramp(real, 1, begin, TILE)
    return _ramp(real, 0, begin, TILE) - down - sustain * _ramp(real, 2, begin, TILE)


@triton.jit
def _ramp(real, stage, begin, TILE: tl.constexpr):
    corner = tl.load(real + _CORNER + stage)
    slope = tl.load(real + _SLOPE + stage)
    offset = ((begin - corner) * slope).to(tl.float32)
    ramp = slope.to(tl.float32) * tl.arange(0, TILE).to(tl.float32) + offset
    return tl.clamp(ramp, 0.0, 1.0)


@triton.jit
def _noise_kernel(
    wave,
    peaks,
    seeds,
    clips,
    levels,
    NOISE_STREAM: tl.constexpr,
    SAMPLES: tl.constexpr,
    TILE: tl.constexpr,
):
    """Add the noise floor to one tile of one clip in place, and keep the tile's peak."""
    clip = tl.program_id(0).to(tl.int64)
    tile = tl.program_id(1)
    at = wave + clip * SAMPLES + tile * TILE + tl.arange(0, TILE)
    mixture = tl.load(at)
    level = tl.load(levels + clip)
    if level > 0:
        block = tile * (TILE // 8) + tl.arange(0, TILE // 8)
        w0, w1, w2, w3 = _words(tl.load(seeds + clip), tl.load(clips + clip), NOISE_STREAM, block)
        words = tl.interleave(tl.interleave(w0, w2), tl.interleave(w1, w3))
        halves = tl.interleave(words & 0xFFFF, words >> 16)
        mixture += level * _from_half(halves)
        tl.store(at, mixture)
    tl.store(peaks + clip * (SAMPLES // TILE) + tile, tl.max(tl.abs(mixture)))


@triton.jit
def _noise(seed, clip, stream, position):
    """Noise at any positions, see `random.noise`: a whole block of words for each sample."""
    w0, w1, w2, w3 = _words(seed, clip, stream, position >> 3)
    odd = (position & 2) != 0
    word = tl.where((position & 4) != 0, tl.where(odd, w3, w2), tl.where(odd, w1, w0))
    return _from_half((word >> ((position & 1) * 16)) & 0xFFFF)


@triton.jit
def _words(seed, clip, stream, block):
    """The four random words of each block, see `random.random_words`."""
    zero = tl.zeros(block.shape, tl.uint32)
    low, high = (clip & 0xFFFFFFFF).to(tl.uint32), (clip >> 32).to(tl.uint32)
    return tl.philox(seed, block.to(tl.uint32), zero + stream, zero + low, zero + high)


@triton.jit
def _from_half(half):
    """A number of 16 bits as a sample on (-1, 1)."""
    return (half.to(tl.float32) - 32767.5) * 2.0**-15
