"""Does a network hear that a clip was resampled?

On its way from 44.1 to 16 kHz a recording loses what lies within 400 Hz of the new Nyquist frequency,
where SoX's filter falls. Clips that were made at 16 kHz keep it. Here the same clips are heard twice, as
they are and after a way to 44.1 kHz and back, and a linear probe is asked which is which, over five folds
that keep both versions of a clip together. Half would be right by chance.

    AUDIOPG_DATA=data python -m audiopg bench resampled --record resampled
"""

import numpy as np
import torch
from torch import Tensor

from audiopg import SynthPrior, data_folder, load_encoder, render
from audiopg.datasets import cached_waves, find_dataset
from audiopg.frontend import resample
from audiopg.transfer import linear_probe
from audiopg.transfer.compare import clip_features

CLIPS, FOLDS, BATCH = 400, 5, 50


def synthesized() -> list[Tensor]:
    """A second of clips of the prior `full`, which all have some noise up to the highest frequency."""
    prior = SynthPrior.preset("full")
    parts = torch.arange(CLIPS).split(BATCH)
    return [wave[:16000] for part in parts for wave in render(prior.sample(part, seed=5))]


def spoken() -> list[Tensor]:
    """Test clips of Speech Commands, recorded at 16 kHz."""
    clips = find_dataset("speech_commands", data_folder())
    if clips is None:
        return []
    waves = cached_waves(clips)
    rows = np.flatnonzero(clips.folds == clips.test_folds[0])
    chosen = rows[np.linspace(0, len(rows) - 1, CLIPS).round().astype(int)]
    return [waves.native(row) for row in chosen]


def told_apart(features: Tensor) -> list[float]:
    """The share of each fold's clips whose version is found; the second half are the resampled."""
    labels = np.repeat([0, 1], CLIPS)
    folds = np.tile(np.arange(CLIPS) % FOLDS, 2)
    return linear_probe(features, labels, folds).values.tolist()


def compared(waves: list[Tensor]) -> dict:
    """What is left at the top, how far embeddings move, and whether a probe tells by them."""
    again = [resample(resample(wave, 16000, 44100), 44100, 16000) for wave in waves]
    features = clip_features(waves + again, {"tiny": load_encoder("tiny")}, native=True)
    before, after = features["tiny"].split(len(waves))
    moved, between = (before - after).norm(dim=1), torch.pdist(before).median()
    power = [torch.cat([_top(wave) for wave in each]).mean() for each in (waves, again)]
    return {
        "decibels at 7.8 to 8 kHz": float(10 * (power[1] / power[0]).log10()),
        "moved": float((moved / between).median()),
        "tiny": told_apart(features["tiny"]),
        "log-mel statistics": told_apart(features["log-mel mean and deviation"]),
    }


def _top(wave: Tensor) -> Tensor:
    """The power of a wave between 7.8 and 8 kHz."""
    spectrum = torch.fft.rfft(wave).abs().square()
    return spectrum[int(7800 / 8000 * (len(spectrum) - 1)) :].mean()[None]


@torch.no_grad()
def main() -> dict:
    """Compare and print; return what a record says."""
    sources = {"synthesized": synthesized(), "Speech Commands": spoken()}
    found = {name: compared(waves) for name, waves in sources.items() if waves}
    for name, each in found.items():
        print(
            f"{name}: {each['decibels at 7.8 to 8 kHz']:.0f} dB at 7.8 to 8 kHz, moved by "
            f"{each['moved']:.3f} of the distance between clips; told apart by tiny "
            f"{100 * np.mean(each['tiny']):.1f} %, by log-mel statistics "
            f"{100 * np.mean(each['log-mel statistics']):.1f} %"
        )
    return {
        "settings": {"model": "tiny", "clips": CLIPS, "rates": [16000, 44100, 16000]},
        "metrics": found,
        "data": "one second of clips of the prior 'full', seed 5; test clips of Speech Commands "
        "(CC BY 4.0), where they are at hand",
        "protocol": f"a linear probe of each version against the other, {FOLDS} folds that keep both "
        "versions of a clip together, its strength chosen on the training folds",
    }
