import numpy as np
import pytest
import torch

from audiopg.datasets import synthetic_clips
from audiopg.errors import InputError


@pytest.mark.parametrize("clips", [0, -1, 1.5, None, "3", float("nan"), True, 10**30])
def test_a_number_of_clips_that_is_none_is_refused(clips):
    with pytest.raises(InputError, match=r"clips_per_class is .*; give a whole number, 1 or more"):
        synthetic_clips(clips)


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
