import numpy as np
import torch

from audiopg.datasets import synthetic_clips


def test_every_class_stands_in_every_fold_and_sounds_like_its_name():
    clips, waves = synthetic_clips(clips_per_class=5)
    assert waves.shape == (40, 163840)
    assert len(clips) == len(clips.folds) == 40
    pairs = set(zip(clips.labels.tolist(), clips.folds.tolist(), strict=True))
    assert pairs == {(label, fold) for label in range(8) for fold in range(1, 6)}
    power = torch.fft.rfft(waves).abs().square()
    frequency = torch.linspace(0, 8000, power.shape[1])
    centroid = ((power * frequency).sum(1) / power.sum(1)).numpy()
    bright = np.array([name.startswith("bright") for name in clips.classes])[clips.labels]
    assert np.median(centroid[bright]) > np.median(centroid[~bright])
