"""Clips whose factors are known, and their embeddings, kept for the next time."""

from dataclasses import fields

import torch
from torch import Tensor
from tqdm.auto import tqdm

from audiopg.analysis.cache import fingerprint, kept
from audiopg.environment import full_precision
from audiopg.errors import InputError
from audiopg.frontend import LogMel
from audiopg.inputs import real, shown, whole_number
from audiopg.mae import Encoder
from audiopg.pretrained import require_encoder
from audiopg.synth import (
    CLIP_SECONDS,
    EXCITATIONS,
    ClipParameters,
    SynthPrior,
    render,
    signal_to_noise,
    vary,
)
from audiopg.synth.factors import NYQUIST
from audiopg.transfer import log_mel_statistics

# The factors that the paper asks about, and what they are called in `vary`.
FACTORS = {"log f0": "f0", "relative intensity": "signal_to_noise", "onset": "onset"}
# Length of the one event where a single factor moves; it leaves room for the onset to move.
_EVENT_SECONDS = 2.0
# Embeddings are kept so many clips at a time; a run that is killed loses no more.
_KEPT_CLIPS = 250


def controlled_clips(
    moving: str | None = None, clips: int = 5000, seed: int = 1, prior: str = "full"
) -> ClipParameters:
    """Clips of a prior in which all factors move, or a single one.

    A single moving factor has its values in clips of the prior with one event of 2 s. All else, the
    noise samples too, is that of the first of these clips.

    Args:
        moving: None for all factors, or one of `FACTORS`.
        clips: how many, at least 1.
        seed: of the clips.
        prior: a preset of `SynthPrior`.

    Raises:
        InputError: for an unknown factor or prior, or fewer clips than one.
    """
    clips = whole_number(clips, "clips")
    if moving not in (None, *FACTORS):
        raise InputError(f"moving is {shown(moving)}; choose from {list(FACTORS)} or None.")
    if moving is None:
        return SynthPrior.preset(prior).sample(torch.arange(clips), seed)
    length = (_EVENT_SECONDS, _EVENT_SECONDS)
    single = SynthPrior.preset(prior, events=(1, 1), event_length=length)
    drawn = single.sample(torch.arange(clips), seed)
    if moving == "relative intensity":
        values = signal_to_noise(drawn)
    else:
        values = getattr(drawn, FACTORS[moving])[:, 0]
    return vary(drawn[:1], FACTORS[moving], values)


def short_clips(clips: int = 1000, seconds: float = 2.56, seed: int = 1) -> ClipParameters:
    """Clips of `full` whose only event lies within their first seconds; all factors move.

    Cut to that length, the waves are encoded several times as fast. The event lasts from 0.5 s to 0.6
    of the length, and begins anywhere where it fits.

    Args:
        clips: how many, at least 1.
        seconds: of each, from 1 to 10.24.
        seed: of the clips.

    Raises:
        InputError: for fewer clips than one, or seconds out of range.
    """
    clips, length = whole_number(clips, "clips"), real(seconds)
    if length is None or not 1 <= length <= CLIP_SECONDS:
        raise InputError(f"seconds is {shown(seconds)}; give a number from 1 to {CLIP_SECONDS}.")
    seconds = float(length)
    single = SynthPrior.preset("full", events=(1, 1), event_length=(0.5, 0.6 * seconds))
    drawn = single.sample(torch.arange(clips), seed)
    share = drawn.onset / (CLIP_SECONDS - drawn.length)
    return drawn.edit(onset=share * (seconds - drawn.length))


def clip_factors(params: ClipParameters) -> dict[str, Tensor]:
    """The factors that the paper asks about, (clips,) float64 each.

    They are the fundamental of the first event in octaves over 1 Hz; the relative intensity, which
    is the power of the source over that of the noise floor in dB; and the onset of the first event
    to sound, in s.
    """
    onset = params.onset.masked_fill(~params.event_mask, torch.inf).amin(dim=1)
    some = params[_kinds(params)[1].any(dim=1)]
    intensity = kept(
        "factors",
        fingerprint(_rows(params) | {"some": (signal_to_noise(some) * 1000).round()}),
        lambda: {"relative intensity": signal_to_noise(params).cpu()},
    )["relative intensity"]
    return {
        "log f0": params.f0[:, 0].log2(),
        "relative intensity": intensity.to(onset.device),
        "onset": onset,
    }


def embed_clips(
    encoder: Encoder | LogMel,
    params: ClipParameters,
    *,
    layers: bool = False,
    batch_size: int = 32,
    progress: bool = True,
) -> Tensor:
    """Render clips and embed them; kept in the cache for the same clips and the same encoder.

    They are kept some hundred clips at a time, so a run that is killed goes on where it was, and a
    shorter set of the same seed finds them too. The key is a hash of the clips' factors and of the
    weights. So that a change of the code is noticed, it also has the embeddings of the first clip, and
    of the first with each excitation and each addition that sounds. The cache is
    `audiopg.environment.cache_folder`. Products are in float32, or in the type of a `torch.autocast`
    around the call.

    Args:
        encoder: an encoder; or a front end, for the mean and deviation of the raw log-mel.
        params: the clips.
        layers: what `Encoder.layers` gives instead of the embedding.
        batch_size: clips rendered and encoded at once.
        progress: show a progress bar.

    Returns:
        (clips, dimensions) float32 in the memory of the CPU; with ``layers`` (depth + 1, clips,
        dimensions).

    Raises:
        InputError: for what is no encoder, layers of a front end, or a batch size below 1.
    """
    if not isinstance(encoder, LogMel):
        require_encoder(encoder)
    if layers and not isinstance(encoder, Encoder):
        raise InputError("a front end has no layers; give an encoder.")
    batch_size = whole_number(batch_size, "batch_size")

    def embeddings(part: ClipParameters) -> dict[str, Tensor]:
        batches = []
        for start in range(0, len(part), batch_size):
            batches.append(_embed(encoder, part[start : start + batch_size], layers))
            bar.update(batches[-1].shape[-2])
        return {"embeddings": torch.cat(batches, dim=-2)}

    # To three decimals: machines differ in later ones.
    kinds, first = _kinds(params)
    rows = first.any(dim=1).nonzero().flatten().tolist()
    some = [(_embed(encoder, params[[row]], layers) * 1000).round() for row in rows]
    state, parts = _state(encoder), []
    with tqdm(total=len(params), desc="embedding", unit="clip", disable=not progress) as bar:
        for start in range(0, len(params), _KEPT_CLIPS):
            part = params[start : start + _KEPT_CLIPS]
            # Only the kinds that sound in this part, so that a shorter set has the same keys.
            needed = first[rows][:, kinds[start : start + _KEPT_CLIPS].any(dim=0)].any(dim=1)
            known = {str(n): some[n] for n in needed.nonzero().flatten().tolist()}
            key = fingerprint(_rows(part) | state | known, _about(encoder))
            parts.append(kept("embeddings", key, lambda part=part: embeddings(part))["embeddings"])
            bar.update(start + len(part) - bar.n)
    return torch.cat(parts, dim=-2)


@torch.no_grad()
def _embed(encoder: Encoder | LogMel, params: ClipParameters, layers: bool) -> Tensor:
    """A batch of `embed_clips`."""
    device = next(encoder.buffers()).device
    with full_precision(device):
        waves = render(params.to(device))
    if isinstance(encoder, LogMel):
        return log_mel_statistics(encoder(waves)).cpu()
    found = encoder.layers(encoder.log_mel(waves)) if layers else encoder.embed(waves)
    return found.float().cpu()


def _kinds(params: ClipParameters) -> tuple[Tensor, Tensor]:
    """Which kinds of sound each clip has, and which for the first time, both (clips, kinds) bool.

    Every clip is of the first kind; the others are each excitation, and all else with code of its own.
    """
    names = ("burst_amplitude", "band_limited", "noise_share", "modulation_depth", "glide")
    names += ("vibrato_depth", "formant_1")
    of_events = [params.excitation == code for code in range(len(EXCITATIONS))]
    of_events += [getattr(params, name) != 0 for name in names]
    heard = [(kind & params.event_mask).any(dim=1) for kind in of_events]
    echoes = params.reverberation_time * params.reverberation_level != 0
    every = torch.ones_like(echoes)
    kinds = torch.stack([every, params.cutoff < NYQUIST, echoes, *heard], dim=1).cpu()
    return kinds, kinds & (kinds.cumsum(dim=0) == 1)


def _rows(params: ClipParameters) -> dict[str, Tensor]:
    return {field.name: getattr(params, field.name) for field in fields(params)}


def _state(encoder: Encoder | LogMel) -> dict[str, Tensor]:
    # Positions are no part of the state: most encoders compute them.
    state = encoder.state_dict() | {n: v for n, v in encoder.named_buffers() if n == "positions"}
    return {f"encoder.{name}": value for name, value in state.items()}


def _about(encoder: Encoder | LogMel) -> tuple:
    """What identifies an encoder beside its tensors."""
    log_mel = encoder if isinstance(encoder, LogMel) else encoder.log_mel
    architecture = getattr(encoder, "architecture", None)
    return type(encoder).__name__, log_mel.settings, architecture
