"""The procedural synthesizer: distributions -> physical factors -> waveforms (Section 3.1)."""

from audiopg.synth.controlled import vary
from audiopg.synth.parameters import (
    CLIP_SAMPLES,
    CLIP_SECONDS,
    EXCITATIONS,
    SAMPLE_RATE,
    ClipParameters,
)
from audiopg.synth.prior import PRESETS, SynthPrior
from audiopg.synth.render import render, signal_to_noise
from audiopg.synth.scenes import from_scene, read_scene, to_scene, write_scene

__all__ = [
    "CLIP_SAMPLES",
    "CLIP_SECONDS",
    "EXCITATIONS",
    "PRESETS",
    "SAMPLE_RATE",
    "ClipParameters",
    "SynthPrior",
    "from_scene",
    "read_scene",
    "render",
    "signal_to_noise",
    "to_scene",
    "vary",
    "write_scene",
]
