"""From a table of physical factors to waveforms (Section 3.1, equations 1 and 2)."""

import os
from functools import cache
from importlib.util import find_spec
from shutil import which
from types import ModuleType

import torch
from torch import Tensor
from torch.compiler import is_exporting

from audiopg.environment import full_precision
from audiopg.philox import noise
from audiopg.synth.damping import lowpass
from audiopg.synth.envelopes import adsr
from audiopg.synth.oscillators import (
    TILE,
    band_limited_sawtooth,
    band_limited_square,
    fm,
    harmonic,
    sawtooth,
    square,
)
from audiopg.synth.parameters import CLIP_SAMPLES, SAMPLE_RATE, ClipParameters

_TILES = CLIP_SAMPLES // TILE
# Streams of the noise samples, beside those of the factors in prior.py. Never changed.
_NOISE_STREAM = 101
_BURST_STREAM = 1024

# Pulses without aliases are two more kinds of excitation.
_OSCILLATORS = {
    "harmonic": harmonic,
    "fm": fm,
    "sawtooth": sawtooth,
    "square": square,
    "band-limited sawtooth": band_limited_sawtooth,
    "band-limited square": band_limited_square,
}
_KINDS = tuple(_OSCILLATORS)
# What an oscillator is told beside f0.
_OWN_FACTORS = {
    "harmonic": (
        "partial_count", "rolloff", "partial_weight", "partial_detune", "partial_phase",
    ),
    "fm": ("fm_index", "fm_ratio"),
}  # fmt: skip


def render(params: ClipParameters) -> Tensor:
    """Synthesize clips: x(t) = normalise[s(t) + λ η(t)] (equation 1).

    Args:
        params: B clips, on the device to render on.

    Returns:
        (B, 163840) float32 at 16 kHz, peak 1, or silence where nothing sounds. A clip's samples
        do not depend on the other clips of the batch.

    Raises:
        InputError: for a factor outside its range.
    """
    params.validate()
    wave = torch.empty(len(params), CLIP_SAMPLES, device=params.clip.device)
    with full_precision(wave.device):
        for rows, part in _chunks(params):
            wave[rows] = _finished(_source(part), part)
    return wave


def signal_to_noise(params: ClipParameters) -> Tensor:
    """Relative intensity of each clip: power of the source over power of the noise floor.

    Returns:
        (B,) float64 in dB; inf without a noise floor, -inf where nothing but noise sounds.
    """
    params.validate()
    with full_precision(params.f0.device):
        power = torch.cat([_source(part).double().square().mean(1) for _, part in _chunks(params)])
    # η is uniform on (-1, 1), of variance 1/3.
    return 10 * torch.log10(power / (params.noise_level**2 / 3))


@cache
def _kernels(device_type: str) -> ModuleType | None:
    """The Triton kernels that do the same in less time, for a GPU where Triton can run.

    Triton builds its launcher with a C compiler at the first call.
    """
    compilers = (os.environ.get("CC", "cc"), "gcc", "clang")
    if device_type != "cuda" or find_spec("triton") is None or not any(map(which, compilers)):
        return None
    from audiopg.synth import kernels

    return kernels


def _chunks(params: ClipParameters) -> list[tuple[slice, ClipParameters]]:
    """Parts of a few clips: they bound the memory, and on a CPU they stay in the cache."""
    device = params.f0.device
    if _kernels(device.type):
        clips = 64
    else:
        most, seconds = (4, 60) if device.type == "cpu" else (32, 480)
        # A burst takes more memory than a tone, as its random words have 64 bits.
        sounding = ((params.length + 2 * params.burst_length) * params.event_mask).sum(1)
        clips = max(1, min(most, int(seconds / max([1.0, *sounding.tolist()]))))
    parts = [slice(start, start + clips) for start in range(0, len(params), clips)]
    return [(rows, params[rows]) for rows in parts]


def _finished(wave: Tensor, params: ClipParameters) -> Tensor:
    """normalise[s(t) + λ η(t)] of (B, CLIP_SAMPLES), in place."""
    kernels = _kernels(wave.device.type)
    if kernels:
        return kernels.finish(wave, params)
    if is_exporting() or (params.noise_level > 0).any():
        floor = noise(params.seed, params.clip, _NOISE_STREAM, CLIP_SAMPLES)
        wave += floor.mul_(params.noise_level[:, None].float())
    peak = wave.abs().amax(dim=1, keepdim=True)
    return wave.div_(torch.where(peak > 0, peak, 1.0))


def _source(params: ClipParameters) -> Tensor:
    """s(t) = damp_fc[Σ_i a_i e_i(t) u_i(t) + b_i(t)] (equation 2), (B, CLIP_SAMPLES)."""
    kernels = _kernels(params.f0.device.type)
    if kernels:
        wave = kernels.source(params)
    else:
        wave = torch.zeros(len(params), CLIP_SAMPLES, device=params.f0.device)
        _add_tones(wave, params)
        _add_bursts(wave, params)
    return lowpass(wave, params.cutoff, params.quality)


def _add_tones(wave: Tensor, params: ClipParameters) -> None:
    """Add to (B, CLIP_SAMPLES), in place, a_i e_i(t) u_i(t) of every event."""
    slots = params.f0.shape[1]
    clip, slot, tile = _sounding_tiles(params)
    kind = params.excitation[clip, slot]
    kind = kind + 2 * (params.band_limited[clip, slot] & (kind >= _KINDS.index("sawtooth")))
    group = kind * slots + slot
    clip, slot, tile = (index[group.argsort(stable=True)] for index in (clip, slot, tile))
    counts = group.bincount(minlength=len(_KINDS) * slots).view(-1, slots).tolist()
    tiled, first = wave.view(-1, TILE), 0
    for name, of_slot in zip(_KINDS, counts, strict=True):
        rows = slice(first, first + sum(of_slot))
        first = rows.stop
        if rows.start == rows.stop:
            continue
        tones = _render_tiles(params, name, clip[rows], slot[rows], tile[rows])
        targets = clip[rows] * _TILES + tile[rows]
        # One slot at a time, in order: an event has a tile at most once, so nothing races.
        for target, part in zip(targets.split(of_slot), tones.split(of_slot), strict=True):
            tiled.index_add_(0, target, part)


def _sounding_tiles(params: ClipParameters) -> tuple[Tensor, Tensor, Tensor]:
    """Clip, event slot and tile index of every tile in which an event sounds."""
    tile = torch.arange(_TILES, dtype=torch.float64, device=params.f0.device)
    seconds = TILE / SAMPLE_RATE
    begins_before_tile_ends = params.onset[..., None] < (tile + 1) * seconds
    ends_after_tile_begins = (params.onset + params.length)[..., None] > tile * seconds
    sounding = begins_before_tile_ends & ends_after_tile_begins & params.event_mask[..., None]
    return sounding.nonzero(as_tuple=True)


def _render_tiles(
    params: ClipParameters, kind: str, clip: Tensor, slot: Tensor, tile: Tensor
) -> Tensor:
    """a e(t) u(t) of R tiles of events of one kind, (R, TILE)."""
    event = clip * params.f0.shape[1] + slot
    if is_exporting():
        # A table of every event has a size that is known beforehand.
        events = torch.arange(params.f0.numel())
    else:
        events, event = event.unique(return_inverse=True)

    def get(*names: str) -> list[Tensor]:
        return [getattr(params, name).flatten(0, 1)[events] for name in names]

    # Time counts from the event's own onset, so that moving an onset moves the event unchanged.
    start = tile.double() * (TILE / SAMPLE_RATE) - params.onset[clip, slot]
    tone = _OSCILLATORS[kind](start, event, *get("f0", *_OWN_FACTORS.get(kind, ())))
    shape = get("length", "attack", "decay", "sustain", "release")
    tone *= adsr(start, *(factor[event] for factor in shape))
    return tone.mul_(params.amplitude[clip, slot].float()[:, None])


def _add_bursts(wave: Tensor, params: ClipParameters) -> None:
    """Add to (B, CLIP_SAMPLES), in place, the white burst b_i(t) at each event's onset."""
    heard = params.event_mask & (params.burst_amplitude > 0)
    slot, clip = heard.T.nonzero(as_tuple=True)
    if len(slot) == 0:
        return
    at = (clip, slot)
    lasts, height = params.burst_length[at] * SAMPLE_RATE, params.burst_amplitude[at].float()
    longest = int(lasts.max()) + 1
    sample = torch.arange(longest, device=wave.device)
    bursts = noise(params.seed[clip], params.clip[clip], _BURST_STREAM + slot, longest)
    position = (params.onset[at] * SAMPLE_RATE).ceil().long()[:, None] + sample
    bursts *= height[:, None] * ((sample < lasts[:, None]) & (position < CLIP_SAMPLES))
    position = clip[:, None] * CLIP_SAMPLES + position.clamp_(max=CLIP_SAMPLES - 1)
    counts = slot.bincount().tolist()
    # One slot at a time, in order, so that no two sums race.
    for where, burst in zip(position.split(counts), bursts.split(counts), strict=True):
        wave.view(-1).index_add_(0, where.flatten(), burst.flatten())
