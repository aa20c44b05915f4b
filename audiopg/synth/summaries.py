"""What is known of a clip as a whole, as numbers to be predicted from its sound."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from audiopg.synth.excitations import PAPER_EXCITATIONS
from audiopg.synth.factors import CLIP_SECONDS, NYQUIST
from audiopg.synth.parameters import ClipParameters

if TYPE_CHECKING:
    from audiopg.synth.prior import SynthPrior

# Checkpoints predict as many summaries as there are here, so a new excitation adds none.
SUMMARIES = (
    "log f0",
    "log cutoff",
    "log noise level",
    "onset",
    "polyphony",
    "events",
    *PAPER_EXCITATIONS,
    "bursts",
    "noise share",
    "modulation depth",
    "log modulation rate",
    "vibrato depth",
    "voice",
    "reverberation time",
)
# A noise floor below this is not heard; its logarithm stops here.
_QUIETEST = 1e-4
# The clips that give the mean and deviation over a prior; no run trains on so high an index.
_FIRST, _CLIPS = 2**40, 4096


def summarise(params: ClipParameters) -> Tensor:
    """Summaries of clips, in the order of ``SUMMARIES``.

    Logarithms are to base 2. The onset is that of the first event, in s. The polyphony is the number
    of events that sound at once, averaged over the clip; "events" counts all of them. All other
    summaries of events are means over those heard, weighted by their lengths: the logarithm of f0,
    the share of each excitation, the share of events with a burst, the additions. An event without
    modulation counts with a rate of 1 Hz. A clip without events has its onset at the end, and its
    means are 0.

    Args:
        params: B clips.

    Returns:
        (B, len(SUMMARIES)) float64.

    Raises:
        InputError: for a factor outside its range.
    """
    params.validate()
    heard = params.event_mask
    length = params.length * heard
    weight = length / length.sum(dim=1, keepdim=True).clamp(min=1e-9)

    def mean(values: Tensor) -> Tensor:
        return (values.double() * weight).sum(dim=1)

    modulated = params.modulation_depth > 0
    rate = torch.where(modulated, params.modulation_rate, 1.0).clamp(min=1e-3)
    formants = torch.stack((params.formant_1, params.formant_2, params.formant_3))
    columns = (
        mean(params.f0.log2()),
        params.cutoff.clamp(max=NYQUIST).log2(),
        params.noise_level.clamp(min=_QUIETEST).log2(),
        torch.where(heard, params.onset, CLIP_SECONDS).amin(dim=1),
        length.sum(dim=1) / CLIP_SECONDS,
        params.event_count.double(),
        *(mean(params.excitation == code) for code in range(len(PAPER_EXCITATIONS))),
        mean(params.burst_amplitude > 0),
        mean(params.noise_share),
        mean(params.modulation_depth),
        mean(rate.log2()),
        mean(params.vibrato_depth),
        mean((formants > 0).any(dim=0)),
        params.reverberation_time * (params.reverberation_level > 0),
    )
    return torch.stack(columns, dim=1)


def spread(prior: "SynthPrior") -> tuple[Tensor, Tensor]:
    """Mean and deviation of the summaries over a prior, from 4,096 of its clips.

    Returns:
        Two tensors (len(SUMMARIES),) float64; the deviation is 1 where a summary does not vary.
    """
    values = summarise(prior.sample(torch.arange(_FIRST, _FIRST + _CLIPS), seed=0))
    deviation = values.std(dim=0)
    return values.mean(dim=0), torch.where(deviation > 1e-9, deviation, 1.0)
