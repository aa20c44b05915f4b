"""Does a network fill in what it hears, or copy it from a repeat?

A recording shorter than a clip is repeated until it fills one (Section 4.1). So most of what is masked is
heard again elsewhere in the clip. Here networks fill in test clips of a set twice: repeated, as in their
training, and joined end to end with other clips of the set, so that nothing comes twice. The networks are
those of Table 5, from ``python -m audiopg reproduce adapt target before``; those that are not there are
left out.

    AUDIOPG_DATA=data python -m audiopg bench repeats --record bench-repeats
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audiopg import LogMel, MaskedAutoencoder, data_folder
from audiopg.book.experiments import SETS
from audiopg.datasets import cached_waves, find_dataset
from audiopg.frontend import fit_length
from audiopg.pretrained import load_model
from audiopg.synth import CLIP_SAMPLES

RUNS = Path("runs/reproduce")
CLIPS, BATCH = 100, 20


def filled(name: str) -> dict[str, Tensor]:
    """Clips of the last test fold, repeated and joined: each (clips, CLIP_SAMPLES), at most CLIPS of them."""
    clips = find_dataset(name, data_folder())
    if clips is None:
        return {}
    rows = np.flatnonzero(clips.folds == clips.test_folds[-1])
    waves = cached_waves(clips)
    order = np.random.default_rng(0).permutation(rows)
    chosen = range(min(CLIPS, len(order)))

    def joined(place: int) -> Tensor:
        following = iter(np.roll(order, -place))
        wave = waves.native(next(following))
        while len(wave) < CLIP_SAMPLES:
            wave = torch.cat([wave, waves.native(next(following))])
        return wave[:CLIP_SAMPLES]

    return {
        "repeated": torch.stack([fit_length(waves.native(order[n]), CLIP_SAMPLES) for n in chosen]),
        "joined": torch.stack([joined(n) for n in chosen]),
    }


def loss(model: MaskedAutoencoder, waves: Tensor) -> float:
    """The mean loss of a network, of the masks of seed 0."""
    log_mel = LogMel()
    numbers = torch.arange(len(waves)).split(BATCH)
    return float(
        np.mean([model(log_mel(waves[part]), part, seed=0).loss.item() for part in numbers])
    )


@torch.no_grad()
def main() -> dict:
    """Compare and print; return what a record says."""
    found = {}
    for name in SETS:
        rows = {
            "synthesis alone": "curriculum-full-cpu",
            "synthesis, then the target": f"adapt-to-{name}-cpu",
            "the target alone": f"target-only-{name}-cpu",
        }
        runs = {row: RUNS / folder for row, folder in rows.items() if (RUNS / folder).is_dir()}
        waves = filled(name)
        for row, run in runs.items() if waves else ():
            model = load_model(run)
            each = {way: loss(model, some) for way, some in waves.items()}
            found.setdefault(name, {})[row] = each
            print(f"{name}, {row}: {', '.join(f'{way} {each[way]:.3f}' for way in each)}")
    return {
        "settings": {"preset": "mini", "clips": CLIPS, "seed": 0},
        "metrics": found,
        "data": "test clips of the last fold of ESC-10 (CC BY 3.0), UrbanSound8K (CC BY-NC 3.0) and Speech "
        "Commands (CC BY 4.0)",
        "protocol": "the loss of filling in test clips that no network was trained on, each repeated to "
        "10.24 s, and joined with others to 10.24 s, under the same masks",
    }
