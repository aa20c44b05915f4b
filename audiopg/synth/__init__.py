"""The procedural synthesizer: distributions -> physical factors -> waveforms (Section 3.1)."""

from audiopg.synth.parameters import (
    CLIP_SAMPLES,
    CLIP_SECONDS,
    EXCITATIONS,
    SAMPLE_RATE,
    ClipParameters,
)
from audiopg.synth.prior import PRESETS, SynthPrior
from audiopg.synth.render import render, signal_to_noise

__all__ = [
    "CLIP_SAMPLES",
    "CLIP_SECONDS",
    "EXCITATIONS",
    "PRESETS",
    "SAMPLE_RATE",
    "ClipParameters",
    "SynthPrior",
    "render",
    "signal_to_noise",
]
