"""Real recordings: benchmarks in their official layouts and folds, and one's own, as they are labelled.

Synthetic clips stand in for them.
"""

from audiopg.datasets.audio import LabelledClips, load_audio, load_clip, load_clips, read_window
from audiopg.datasets.benchmarks import Description, describe, find_dataset, find_esc10
from audiopg.datasets.cache import CachedWaves, cached_waves
from audiopg.datasets.download import download
from audiopg.datasets.esc50 import esc50
from audiopg.datasets.folder import (
    Recordings,
    audio_files,
    draw_windows,
    find_recordings,
    read_ahead,
)
from audiopg.datasets.fsd50k import fsd50k
from audiopg.datasets.manifests import read_dataset
from audiopg.datasets.speech_commands import speech_commands
from audiopg.datasets.synthetic import synthetic_clips
from audiopg.datasets.urbansound8k import urbansound8k

__all__ = [
    "CachedWaves", "Description", "LabelledClips", "Recordings", "audio_files", "cached_waves",
    "describe", "download", "draw_windows", "esc50", "find_dataset", "find_esc10",
    "find_recordings", "fsd50k", "load_audio", "load_clip", "load_clips", "read_ahead",
    "read_dataset", "read_window", "speech_commands", "synthetic_clips", "urbansound8k",
]  # fmt: skip
