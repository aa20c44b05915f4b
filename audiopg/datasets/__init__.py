"""Real recordings in their official layouts and folds, and synthetic clips to stand in for them."""

from audiopg.datasets.audio import LabelledClips, load_audio, load_clips
from audiopg.datasets.esc50 import esc50, find_esc10
from audiopg.datasets.synthetic import synthetic_clips

__all__ = ["LabelledClips", "esc50", "find_esc10", "load_audio", "load_clips", "synthetic_clips"]
