"""What does a probe score when clips of one recording are trained and tested on?

The folds of ESC-10 and UrbanSound8K keep together what was cut from one recording. Here the same clips
are also dealt over the folds anew, class by class, so that only the recordings are torn apart. Then the
probe is trained once on whatever the other folds hold, and once without the recordings of the test fold.

    AUDIOPG_DATA=data python -m audiopg bench leakage --record bench-leakage
"""

from dataclasses import replace

import numpy as np
import torch

from audiopg import data_folder, load_encoder
from audiopg.datasets import LabelledClips, cached_waves, find_dataset
from audiopg.errors import InputError
from audiopg.transfer import probe_features
from audiopg.transfer.compare import clip_features

SETS = ("esc10", "urbansound8k")
SEEDS = (0, 1, 2)


def dealt_anew(clips: LabelledClips, seed: int) -> LabelledClips:
    """The same clips with the folds of each class shuffled: as many clips of a class in a fold."""
    generator, folds = np.random.default_rng(seed), clips.folds.copy()
    for label in range(len(clips.classes)):
        rows = np.flatnonzero(clips.labels == label)
        folds[rows] = generator.permutation(folds[rows])
    return replace(clips, folds=folds)


def compared(clips: LabelledClips, features: dict[str, torch.Tensor]) -> dict:
    """The accuracy of every fold: official, dealt anew, and then without the test recordings."""

    def probed(divided: LabelledClips, by_source: bool = False) -> list[float]:
        return probe_features(divided, features, False, by_source)["tiny"].values.tolist()

    anew = [dealt_anew(clips, seed) for seed in SEEDS]
    return {
        "clips": len(clips),
        "official": {"torn": [int(clips.across_folds.sum())], "folds": [probed(clips)]},
        "dealt anew": {
            "torn": [int(each.across_folds.sum()) for each in anew],
            "folds": [probed(each) for each in anew],
        },
        "dealt anew, by source": {"folds": [probed(each, by_source=True) for each in anew]},
    }


def main() -> dict:
    """Compare and print; return what a record says."""
    found, encoder = {}, load_encoder("tiny")
    for name in SETS:
        if (clips := find_dataset(name, data_folder())) is None:
            raise InputError(f"{name} is not at hand; set AUDIOPG_DATA to a folder that holds it.")
        waves = cached_waves(clips)
        native = [waves.native(row) for row in range(len(clips))]
        features = clip_features(native, {"tiny": encoder}, native=True, controls=False)
        found[clips.name] = compared(clips, features)
        for way, figures in found[clips.name].items():
            if way != "clips":
                means = 100 * np.mean(figures["folds"], axis=1)
                print(f"{clips.name}, {way}: {means.round(1)} %, torn {figures.get('torn', '')}")
    return {
        "settings": {"model": "tiny", "seeds": list(SEEDS)},
        "metrics": found,
        "data": "ESC-10 (CC BY 3.0) and three folds of UrbanSound8K (CC BY-NC 3.0)",
        "protocol": "linear probe of averaged tokens at each clip's own length, its strength chosen on "
        "the training folds; the folds of each class shuffled by seeds 0, 1 and 2",
    }
