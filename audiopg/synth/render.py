"""From a table of physical factors to waveforms (Section 3.1, equations 1 and 2)."""

import torch
from torch import Tensor

from audiopg.philox import noise
from audiopg.synth.damping import lowpass
from audiopg.synth.envelopes import adsr
from audiopg.synth.oscillators import TILE, fm, harmonic, sawtooth, square
from audiopg.synth.parameters import CLIP_SAMPLES, EXCITATIONS, SAMPLE_RATE, ClipParameters

_TILES = CLIP_SAMPLES // TILE
# Streams of the noise samples, beside those of the factors in prior.py. Never changed.
_NOISE_STREAM = 101
_BURST_STREAM = 1024


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
    return torch.cat([_normalise(_mixture(chunk)) for chunk in _chunks(params)])


def signal_to_noise(params: ClipParameters) -> Tensor:
    """Relative intensity of each clip: power of the source over power of the noise floor.

    Returns:
        (B,) float64 in dB; inf without a noise floor, -inf where nothing but noise sounds.
    """
    params.validate()
    power = torch.cat([_source(chunk).double().square().mean(1) for chunk in _chunks(params)])
    # η is uniform on (-1, 1), of variance 1/3.
    return 10 * torch.log10(power / (params.noise_level**2 / 3))


def _chunks(params: ClipParameters) -> list[ClipParameters]:
    """Parts of a few clips: they bound the memory, and on a CPU they stay in the cache."""
    clips = 4 if params.clip.device.type == "cpu" else 16
    return [params[start : start + clips] for start in range(0, len(params), clips)]


def _normalise(wave: Tensor) -> Tensor:
    peak = wave.abs().amax(dim=1, keepdim=True)
    return wave / torch.where(peak > 0, peak, 1.0)


def _mixture(params: ClipParameters) -> Tensor:
    floor = noise(params.seed, params.clip, _NOISE_STREAM, CLIP_SAMPLES)
    return _source(params) + params.noise_level[:, None].float() * floor


def _source(params: ClipParameters) -> Tensor:
    """s(t) = damp_fc[Σ_i a_i e_i(t) u_i(t) + b_i(t)] (equation 2), (B, CLIP_SAMPLES)."""
    batch, slots = params.f0.shape
    wave = torch.zeros(batch * _TILES, TILE, device=params.f0.device)
    slot, clip, tile = _sounding_tiles(params)
    tiles = _render_tiles(params, slot, clip, tile)
    # One slot at a time, in order: an event has a tile at most once, so nothing races.
    counts = slot.bincount(minlength=slots).tolist()
    for target, part in zip((clip * _TILES + tile).split(counts), tiles.split(counts), strict=True):
        wave[target] += part
    wave = wave.view(batch, CLIP_SAMPLES)
    _add_bursts(wave, params)
    return lowpass(wave, params.cutoff, params.quality)


def _sounding_tiles(params: ClipParameters) -> tuple[Tensor, Tensor, Tensor]:
    """Event slot, clip and tile index of every tile in which an event sounds, slot-major."""
    tile = torch.arange(_TILES, dtype=torch.float64, device=params.f0.device)
    seconds = TILE / SAMPLE_RATE
    begins_before_tile_ends = params.onset[..., None] < (tile + 1) * seconds
    ends_after_tile_begins = (params.onset + params.length)[..., None] > tile * seconds
    sounding = begins_before_tile_ends & ends_after_tile_begins & params.event_mask[..., None]
    return sounding.transpose(0, 1).nonzero(as_tuple=True)


def _render_tiles(params: ClipParameters, slot: Tensor, clip: Tensor, tile: Tensor) -> Tensor:
    """a e(t) u(t) of R tiles, (R, TILE)."""
    sample = torch.arange(TILE, device=tile.device)
    # Time counts from the event's own onset, so that moving an onset moves the event unchanged.
    onset = params.onset[clip, slot]
    time = (tile[:, None] * TILE + sample).double() / SAMPLE_RATE - onset[:, None]
    excitation = params.excitation[clip, slot]
    tone = torch.empty(time.shape, device=time.device)
    for code, name in enumerate(EXCITATIONS):
        rows = (excitation == code).nonzero().squeeze(1)
        if len(rows) == 0:
            continue
        at = (clip[rows], slot[rows])
        f0 = params.f0[at]
        if name == "harmonic":
            partials = params.partial_weight.shape[2]
            tone[rows] = harmonic(
                time[rows, 0],
                at[0] * params.f0.shape[1] + at[1],
                params.f0.flatten(),
                params.partial_count.flatten(),
                params.rolloff.flatten(),
                params.partial_weight.view(-1, partials),
                params.partial_detune.view(-1, partials),
                params.partial_phase.view(-1, partials),
            )
        elif name == "fm":
            tone[rows] = fm(time[rows], f0, params.fm_index[at], params.fm_ratio[at])
        elif name == "sawtooth":
            tone[rows] = sawtooth(time[rows], f0)
        else:
            tone[rows] = square(time[rows], f0)
    at = (clip, slot)
    envelope = adsr(
        time / params.length[at][:, None],
        params.attack[at],
        params.decay[at],
        params.sustain[at],
        params.release[at],
    )
    return tone * envelope * params.amplitude[at][:, None].float()


def _add_bursts(wave: Tensor, params: ClipParameters) -> None:
    """Add to (B, CLIP_SAMPLES), in place, the white burst b_i(t) at each event's onset."""
    heard = params.event_mask & (params.burst_amplitude > 0)
    if not heard.any():
        return
    longest = int(params.burst_length[heard].max() * SAMPLE_RATE) + 1
    sample = torch.arange(longest, device=wave.device)
    for slot in range(heard.shape[1]):
        rows = heard[:, slot].nonzero().squeeze(1)
        if len(rows) == 0:
            continue
        burst = noise(params.seed[rows], params.clip[rows], _BURST_STREAM + slot, longest)
        lasts = sample < params.burst_length[rows, slot][:, None] * SAMPLE_RATE
        burst = burst * lasts * params.burst_amplitude[rows, slot][:, None].float()
        position = (params.onset[rows, slot] * SAMPLE_RATE).ceil().long()[:, None] + sample
        inside = position < CLIP_SAMPLES
        position = position.clamp(max=CLIP_SAMPLES - 1)
        wave[rows] = wave[rows].scatter_add(1, position, burst * inside)
