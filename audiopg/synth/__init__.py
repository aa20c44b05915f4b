"""The procedural synthesizer: distributions -> physical factors -> waveforms (Section 3.1)."""

from audiopg.synth.controlled import vary
from audiopg.synth.parameters import (
    CLIP_SAMPLES,
    CLIP_SECONDS,
    EXCITATIONS,
    SAMPLE_RATE,
    ClipParameters,
)
from audiopg.synth.prior import (
    ADDITIONS,
    EXTENDED,
    PRESETS,
    PRIORS,
    SENSITIVITY,
    VOWELS,
    SynthPrior,
)
from audiopg.synth.render import render, signal_to_noise
from audiopg.synth.scenes import from_scene, read_scene, to_scene, write_scene
from audiopg.synth.summaries import SUMMARIES, spread, summarise
from audiopg.synth.tables import to_table, write_table

__all__ = [
    "ADDITIONS", "CLIP_SAMPLES", "CLIP_SECONDS", "EXCITATIONS", "EXTENDED", "PRESETS", "PRIORS",
    "SAMPLE_RATE", "SENSITIVITY", "SUMMARIES", "VOWELS", "ClipParameters", "SynthPrior",
    "from_scene", "read_scene", "render", "signal_to_noise",
    "spread", "summarise", "to_scene", "to_table", "vary", "write_scene", "write_table",
]  # fmt: skip
