"""From a table of physical factors to waveforms (Section 3.1, equations 1 and 2)."""

import os
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from shutil import which
from types import ModuleType

import torch
from torch import Tensor

from audiopg.compiled import compiled, fixed, on_cpu, places, some
from audiopg.environment import full_precision
from audiopg.errors import InputError
from audiopg.inputs import shown
from audiopg.random import STREAMS, add_noise, noise
from audiopg.synth.additions import (
    TABLE,
    look_up_tone,
    modulation,
    moving_phase,
    noise_band,
    noise_place,
    period_tables,
    strength_place,
)
from audiopg.synth.damping import lowpass, lowpass_
from audiopg.synth.envelopes import CLOSE, add_shaped, shape
from audiopg.synth.excitations import EXCITATIONS, TILE, band_limited_tone, is_one_of, steady_tone
from audiopg.synth.factors import CLIP_SAMPLES, FACTOR_TABLE, SAMPLE_RATE
from audiopg.synth.parameters import ClipParameters
from audiopg.synth.reverberation import reverberate, room

_TILES = CLIP_SAMPLES // TILE
# The factors of a moving pitch, a modulation and an envelope, in the order of their arguments.
_MOTION = ("length", "glide", "vibrato_depth", "vibrato_rate")
_MODULATION = tuple(f"modulation_{name}" for name in ("depth", "rate", "decay", "jitter"))
_ENVELOPE = ("length", "attack", "decay", "sustain", "release", "amplitude")


def render(params: ClipParameters) -> Tensor:
    """Synthesize clips: x(t) = normalise[s(t) + λ η(t)] (equation 1).

    Args:
        params: B clips, on the device to render on.

    Returns:
        (B, 163840) float32 at 16 kHz, peak 1, or silence where nothing sounds. A clip's samples
        do not depend on the other clips of the batch.

    Raises:
        InputError: for a factor outside its range, one that requires a gradient, or what are no clips.
    """
    if not isinstance(params, ClipParameters):
        raise InputError(f"{shown(params)} are no clips; give what SynthPrior.sample returns.")
    params.validate()
    wave = torch.zeros(len(params), CLIP_SAMPLES, dtype=torch.float32, device=params.clip.device)
    with full_precision(wave.device):
        for rows, part, white in _chunks(params):
            into = wave[rows] if isinstance(rows, slice) else None
            finished = _finished(_source(part, white, into), part, white)
            if finished is not into:
                wave[rows] = finished
    return wave


def signal_to_noise(params: ClipParameters) -> Tensor:
    """Relative intensity of each clip: power of the source over power of the noise floor.

    Returns:
        (B,) float64 in dB; inf without a noise floor, -inf where nothing but noise sounds.

    Raises:
        InputError: as `render` does.
    """
    params.validate()
    with full_precision(params.f0.device):
        decibels = torch.empty_like(params.noise_level)
        for rows, part, white in _chunks(params):
            decibels[rows] = _decibels(_source(part, white), part.noise_level)
    return decibels


def trace(params: ClipParameters, additions: bool) -> tuple[Tensor, Tensor]:
    """`render` and `signal_to_noise` of one clip, for `torch.export`: nothing is checked.

    Args:
        params: a code of no excitation is silent.
        additions: whether the clip may have more than the paper's synthesizer, which takes longer.
    """
    white = _white(params) if additions else None
    source = _source(params, white)
    decibels = _decibels(source, params.noise_level)
    return _finished(source, params, white), decibels


def _decibels(source: Tensor, noise_level: Tensor) -> Tensor:
    """Power of the source over that of the noise floor: η is uniform on (-1, 1), of variance 1/3."""
    return 10 * torch.log10(source.double().square().mean(1) / (noise_level**2 / 3))


@cache
def _kernels(device_type: str) -> ModuleType | None:
    """The Triton kernels that do the same in less time, for a GPU where Triton can run.

    Triton builds its launcher with a C compiler at the first call.
    """
    compilers = (os.environ.get("CC") or "cc", "gcc", "clang")
    if device_type != "cuda" or find_spec("triton") is None or not any(map(which, compilers)):
        return None
    from audiopg.synth import kernels

    return kernels


def _chunks(params: ClipParameters) -> list[tuple[slice | Tensor, ClipParameters, Tensor | None]]:
    """Parts of a few clips, which bound the memory, and stay in the cache of a CPU.

    Returns:
        The rows and the clips of each part; and white noise, (B, CLIP_SAMPLES), of which additions
        are made, as the noise floor is. It is None where no clip of the part has additions: such
        clips are left to the kernels, or to compiled loops, where there are any.
    """
    asked = [name for name in FACTOR_TABLE if getattr(params, name).requires_grad]
    if asked and torch.is_grad_enabled():
        raise InputError(f"{asked[0]} requires a gradient, and clips have none; detach it.")
    added = params.has_additions
    if kernels := _kernels(params.f0.device.type):
        # The kernels know no additions and not every excitation.
        parts = _kernel_parts(params, added | (params.excitation >= kernels.KNOWN).any(dim=1))
    elif params.f0.device.type == "cpu":
        parts = [(rows, added[rows].any()) for rows in _slices(params, 8, 120)]
    else:
        # A GPU is asked once for all parts, since its answer takes longer than making noise.
        any_added = added.any()
        parts = [(rows, any_added) for rows in _slices(params, 32, 480)]
    # A single part needs no copy of the table.
    tables = [params] if len(parts) == 1 else [params[rows] for rows, _ in parts]
    return [
        (rows, part, _white(part) if more else None)
        for (rows, more), part in zip(parts, tables, strict=True)
    ]


def _kernel_parts(params: ClipParameters, is_left: Tensor) -> list[tuple[slice | Tensor, bool]]:
    """Rows for the kernels, and those that are left to torch, with whether they are left."""
    left = is_left.nonzero().squeeze(1)
    if not len(left):
        return [(slice(first, first + 64), False) for first in range(0, len(params), 64)]
    parts = [(rows, False) for rows in (~is_left).nonzero().squeeze(1).split(64)]
    return parts + [(left[rows], True) for rows in _slices(params[left], 32, 480)]


def _slices(params: ClipParameters, most: int, seconds: float) -> list[slice]:
    """Slices of ``most`` clips or fewer, and of about as many seconds of sound, or less."""
    if len(params) == 1:
        return [slice(0, 1)]
    # A burst takes more memory than a tone, as its random words have 64 bits.
    sounding = ((params.length + 2 * params.burst_length) * params.event_mask).sum(1)
    clips = max(1, min(most, int(seconds / max([1.0, *sounding.tolist()]))))
    return [slice(first, first + clips) for first in range(0, len(params), clips)]


def _white(params: ClipParameters) -> Tensor:
    """η(t), (B, CLIP_SAMPLES)."""
    return noise(params.seed, params.clip, STREAMS["noise_floor"], CLIP_SAMPLES)


def _finished(wave: Tensor, params: ClipParameters, white: Tensor | None) -> Tensor:
    """normalise[s(t) + λ η(t)] of (B, CLIP_SAMPLES), in place; ``white`` is overwritten."""
    kernels = _kernels(wave.device.type) if white is None else None
    if kernels:
        return kernels.finish(wave, params)
    if some((params.noise_level > 0).nonzero()):
        _add_floor(wave, params, white)
    peak = torch.maximum(wave.amax(dim=1, keepdim=True), -wave.amin(dim=1, keepdim=True))
    return wave.div_(torch.where(peak > 0, peak, 1.0))


def _add_floor(wave: Tensor, params: ClipParameters, white: Tensor | None) -> None:
    """Add λ η(t) to (B, CLIP_SAMPLES), in place; ``white`` is overwritten."""
    level = params.noise_level.float()
    add = compiled(add_noise, wave.device) if white is None else None
    if add:
        begin = torch.arange(0, wave.numel(), CLIP_SAMPLES, device=wave.device)
        stream = torch.full_like(begin, STREAMS["noise_floor"])
        count = torch.full_like(begin, CLIP_SAMPLES)
        add(wave.view(-1), begin, count, level, params.seed, params.clip, stream)
    else:
        floor = _white(params) if white is None else white
        wave += floor.mul_(level[:, None])


def _source(params: ClipParameters, white: Tensor | None, wave: Tensor | None = None) -> Tensor:
    """s(t) = damp_fc[Σ_i a_i e_i(t) u_i(t) + b_i(t)] (equation 2), (B, CLIP_SAMPLES).

    Args:
        white: as in `_chunks`.
        wave: (B, CLIP_SAMPLES), zeros that may become the result.
    """
    device = params.f0.device
    kernels = _kernels(device.type) if white is None else None
    if kernels:
        wave = kernels.source(params)
    else:
        if wave is None:
            wave = torch.zeros(len(params), CLIP_SAMPLES, dtype=torch.float32, device=device)
        _add_tones(wave, params, white)
        _add_bursts(wave, params)
    if on_cpu(device):
        lowpass_(wave, params.cutoff, params.quality)
    else:
        wave = lowpass(wave, params.cutoff, params.quality)
    if white is not None:
        _add_reverberation(wave, params)
    return wave


def _add_reverberation(wave: Tensor, params: ClipParameters) -> None:
    """Add their reverberation to the clips of (B, CLIP_SAMPLES) that have it, in place."""
    heard = params.reverberation_time * params.reverberation_level != 0
    rows = places(heard)
    if len(rows):
        # In a graph these are all rows, so the level is masked.
        level = (params.reverberation_level * heard)[rows]
        response = room(params.seed[rows], params.clip[rows], params.reverberation_time[rows])
        wave[rows] = reverberate(wave[rows], response, level)


def _add_tones(wave: Tensor, params: ClipParameters, white: Tensor | None) -> None:
    """Add a_i e_i(t) u_i(t) of every event to (B, CLIP_SAMPLES), in place."""
    slot, clip, tile = _sounding_tiles(params)
    kind = _event_kinds(params, white is not None)[clip, slot]
    tiled, slots = wave.view(-1, TILE), params.f0.shape[1]
    add = compiled(add_shaped, wave.device) if white is None else None
    envelope = [getattr(params, name).flatten() for name in _ENVELOPE]
    for one in _kinds(white is not None):
        rows = (kind == one).nonzero().squeeze(1)
        if not some(rows):
            continue
        place = clip[rows], slot[rows], tile[rows]
        target = place[0] * _TILES + place[2]
        if add:
            tones, start = _oscillate(params, one, *place)
            add(tiled, target, tones, start, place[0] * slots + place[1], *envelope)
        else:
            _add_rows(tiled, target, _render_tiles(params, one, *place, white), place[1])


def _add_rows(into: Tensor, row: Tensor, parts: Tensor, slot: Tensor) -> None:
    """Add the parts of n events to rows of ``into``, in place, in the order of their slots, (n,).

    A GPU adds one slot at a time: a row has at most one part of each slot, so that no two sums race.
    """
    pairs = [(row, parts)]
    if into.device.type != "cpu":
        counts = slot.bincount().tolist()
        pairs = zip(row.split(counts), parts.split(counts), strict=True)
    for at, part in pairs:
        into.index_add_(0, at.flatten(), part.flatten(0, at.ndim - 1))


def _altered() -> int:
    """The kind of an event whose excitation the additions change (see `_is_altered`)."""
    return 2 * len(EXCITATIONS)


def _kinds(additions: bool) -> list[int]:
    """The kinds of events: each excitation's code; each pulse's again, without aliases; altered ones."""
    known = len(EXCITATIONS)
    limited = [known + EXCITATIONS.index(name) for name in EXCITATIONS.pulses]
    return [*range(known), *limited, *([_altered()] if additions else [])]


def _event_kinds(params: ClipParameters, additions: bool) -> Tensor:
    """Which of `_kinds` each event is, (B, E) int64; an unknown code gives none of them."""
    code, known = params.excitation, len(EXCITATIONS)
    limited = params.band_limited & is_one_of(code, EXCITATIONS.pulses)
    kind = code + known * limited
    if additions:
        kind = torch.where(_is_altered(params), _altered(), kind)
    return torch.where((code >= 0) & (code < known), kind, _altered() + 1)


def _is_altered(params: ClipParameters) -> Tensor:
    """(B, E) bool, the events with a moving pitch, a share of noise, or formants that are heard."""
    moving = (params.glide != 0) | (params.vibrato_depth != 0)
    formants = (params.formant_1 > 0) | (params.formant_2 > 0) | (params.formant_3 > 0)
    formants = formants & is_one_of(params.excitation, EXCITATIONS.resonant)
    return moving | (params.noise_share > 0) | formants


def _sounding_tiles(params: ClipParameters) -> tuple[Tensor, Tensor, Tensor]:
    """Event slot, clip and tile index, in this order, of every tile in which an event sounds."""
    tile = torch.arange(_TILES, dtype=torch.float64, device=params.f0.device)
    seconds = TILE / SAMPLE_RATE
    begins_before_tile_ends = params.onset[..., None] < (tile + 1) * seconds
    ends_after_tile_begins = (params.onset + params.length)[..., None] > tile * seconds
    sounding = begins_before_tile_ends & ends_after_tile_begins & params.event_mask[..., None]
    return sounding.transpose(0, 1).nonzero(as_tuple=True)


def _render_tiles(
    params: ClipParameters,
    kind: int,
    clip: Tensor,
    slot: Tensor,
    tile: Tensor,
    white: Tensor | None,
) -> Tensor:
    """a e(t) u(t) of R tiles of events of one kind, (R, TILE)."""
    tone, start = _oscillate(params, kind, clip, slot, tile, white)
    tone = shape(tone, start, *(getattr(params, name)[clip, slot] for name in _ENVELOPE))
    if white is not None:
        rows = (params.modulation_depth[clip, slot] > 0).nonzero().squeeze(1)
        if some(rows):
            clip, slot = clip[rows], slot[rows]
            factors = (getattr(params, name)[clip, slot] for name in _MODULATION)
            tone[rows] *= modulation(start[rows], clip, strength_place(slot), white, *factors)
    return tone


def _oscillate(
    params: ClipParameters,
    kind: int,
    clip: Tensor,
    slot: Tensor,
    tile: Tensor,
    white: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """u(t) of R tiles, (R, TILE), and the time since the onset at their first samples, (R,) s."""
    events, event = _events_of(clip * params.f0.shape[1] + slot, params.f0.numel())

    def get(*names: str) -> list[Tensor]:
        return [getattr(params, name).flatten(0, 1)[events] for name in names]

    # Time counts from the event's own onset, so that moving an onset moves the event unchanged.
    start = tile.double() * (TILE / SAMPLE_RATE) - params.onset[clip, slot]
    if kind == _altered():
        band = (params.length[clip, slot], params.noise_bandwidth[clip, slot])
        return _altered_excitation(start, event, clip, noise_place(slot, *band), white, get), start
    known = len(EXCITATIONS)
    row = EXCITATIONS.rows[EXCITATIONS[kind % known]]
    make = steady_tone if kind < known else band_limited_tone
    f0, *own = get("f0", *row.factors)
    return make(row, start, event, f0, own), start


def _events_of(event: Tensor, events: int) -> tuple[Tensor, Tensor]:
    """The distinct numbers among those of events, and the place of each event's number in them."""
    # In a graph the table has a row for every event, since its size must be known.
    return fixed(lambda: (torch.arange(events), event), lambda: event.unique(return_inverse=True))


def _altered_excitation(
    start: Tensor,
    event: Tensor,
    clip: Tensor,
    place: Tensor,
    white: Tensor,
    get: Callable[..., list[Tensor]],
) -> Tensor:
    """(1 - σ) u(θ(t)) + σ √2 n(t) sin 2πθ(t), see `additions`.

    Args:
        start: (R,) s, since the onset at the first sample of each tile.
        event: (R,), which of the H events each tile belongs to.
        clip: (R,), the row of the tile's clip.
        place: (R,), where in the clip's noise that of the event begins.
        white: (B, CLIP_SAMPLES).
        get: the factors of the H events, by name.

    Returns:
        (R, TILE) float32.
    """
    f0, share, bandwidth, *motion = get("f0", "noise_share", "noise_bandwidth", *_MOTION)
    phase = moving_phase(start, *(factor[event] for factor in (f0, *motion)))
    result = torch.zeros(phase.shape, dtype=torch.float32, device=phase.device)
    rows = (share < 1)[event].nonzero().squeeze(1)
    if some(rows):
        tone = _altered_tone(start[rows], phase[rows], event[rows], get)
        result[rows] = tone.mul_((1 - share[event[rows]]).float()[:, None])
    rows = (share > 0)[event].nonzero().squeeze(1)
    if some(rows):
        of = event[rows]
        # Noise begins with an event's first sample, although its onset may lie between two samples.
        before = (start[rows] * SAMPLE_RATE + CLOSE).floor()
        band = noise_band(
            phase[rows], before, clip[rows], place[rows], white, f0[of], bandwidth[of]
        )
        result[rows] += band.mul_(share[of].float()[:, None])
    return result


def _altered_tone(
    start: Tensor, phase: Tensor, event: Tensor, get: Callable[..., list[Tensor]]
) -> Tensor:
    """u(θ(t)) of R tiles, of events that are not noise alone, (R, TILE).

    Args:
        phase: (R, TILE), θ(t).
        start, event, get: as in `_altered_excitation`.
    """
    excitation, band_limited, share = get("excitation", "band_limited", "noise_share")
    f0, *motion = get("f0", *_MOTION)
    _, glide, depth, _ = motion
    formants = torch.stack(get("formant_1", "formant_2", "formant_3"), dim=1)
    tabled = is_one_of(excitation, EXCITATIONS.resonant) & (
        ~is_one_of(excitation, EXCITATIONS.pulses) | band_limited | (formants > 0).any(dim=1)
    )
    highest = f0 * (2 ** glide.clamp(min=0) + depth)
    chosen = places(tabled & (share < 1))

    def partials(order: Tensor) -> tuple[Tensor, Tensor]:
        height = turn = f0.new_zeros(len(chosen), len(order))
        for name in EXCITATIONS.resonant:
            row = EXCITATIONS.rows[name]
            factors = (factor[chosen] for factor in get(*row.factors))
            amplitude, angle = row.partials(order, *factors)
            mine = is_one_of(excitation[chosen], [name])[:, None]
            height, turn = torch.where(mine, amplitude, height), torch.where(mine, angle, turn)
        return height, turn

    tables = f0.new_zeros(len(f0), TABLE, dtype=torch.float32)
    if len(chosen):
        tables[chosen] = period_tables(partials, f0[chosen], highest[chosen], formants[chosen])
    tone = torch.empty(phase.shape, dtype=torch.float32, device=phase.device)
    rows = tabled[event].nonzero().squeeze(1)
    tone[rows] = look_up_tone(phase[rows], event[rows], tables)
    for code, row in enumerate(EXCITATIONS.rows.values()):
        rows = ((excitation == code) & ~tabled)[event].nonzero().squeeze(1)
        if row.tone and some(rows):
            of = event[rows]

            def cycles(ratio: Tensor | None = None, rows: Tensor = rows, of: Tensor = of) -> Tensor:
                if ratio is None:
                    return phase[rows]
                moved = (factor[of] for factor in motion)
                return moving_phase(start[rows], f0[of] * ratio, *moved)

            tone[rows] = row.tone(cycles, *(factor[of] for factor in get(*row.factors)))
    return tone


def _add_bursts(wave: Tensor, params: ClipParameters) -> None:
    """Add the white burst b_i(t) at each event's onset to (B, CLIP_SAMPLES), in place."""
    heard = (params.event_mask & (params.burst_amplitude > 0)).T.flatten()
    rows = places(heard)
    if not len(rows):
        return
    at = clip, slot = rows % len(params), rows // len(params)
    lasts = torch.where(heard[rows], params.burst_length[at] * SAMPLE_RATE, 0.0)
    height = params.burst_amplitude[at].float()
    begin = (params.onset[at] * SAMPLE_RATE).ceil().long()
    seed, number, stream = params.seed[clip], params.clip[clip], STREAMS["burst"] + slot
    if add := compiled(add_noise, wave.device):
        count = torch.minimum(lasts.ceil().long(), CLIP_SAMPLES - begin)
        add(wave.view(-1), clip * CLIP_SAMPLES + begin, count, height, seed, number, stream)
        return
    # Whole blocks of random words: ONNX rounds quotients towards zero, and Python downwards.
    longest = (lasts.max().long().item() // 8 + 1) * 8
    sample = torch.arange(longest, device=wave.device)
    position = begin[:, None] + sample
    bursts = noise(seed, number, stream, longest)
    bursts *= height[:, None] * ((sample < lasts[:, None]) & (position < CLIP_SAMPLES))
    position = clip[:, None] * CLIP_SAMPLES + position.clamp_(max=CLIP_SAMPLES - 1)
    _add_rows(wave.view(-1), position, bursts, slot)
