"""Synthetic clips with labels, where no recordings are at hand."""

import numpy as np
import torch
from torch import Tensor

from audiopg.datasets.audio import LabelledClips
from audiopg.datasets.tables import cross_validation
from audiopg.inputs import whole_number
from audiopg.synth import EXCITATIONS, SynthPrior, render
from audiopg.synth.excitations import PAPER_EXCITATIONS

_FOLDS = 5
_DAMPING = {"dull": (300.0, 900.0), "bright": (2500.0, 6000.0)}


def synthetic_clips(clips_per_class: int = 20) -> tuple[LabelledClips, Tensor]:
    """Clips of eight classes: each excitation of the paper, dull or bright by its damping.

    They show that a chapter runs, and nothing about real sound: the classes are factors of the
    synthesizer that the encoder was trained on.

    Args:
        clips_per_class: dealt over five folds in turn.

    Returns:
        The labels and folds, and the waves, (8 * clips_per_class, 163840) float32.

    Raises:
        InputError: for a number of clips that is no whole number from 1.
    """
    clips_per_class = whole_number(clips_per_class, "clips_per_class")
    classes, rows = [], []
    for kind in PAPER_EXCITATIONS:
        for brightness, cutoff in _DAMPING.items():
            prior = SynthPrior(cutoff=cutoff, damping_probability=1.0)
            first = len(classes) * clips_per_class
            # The clips of seed 0 are those of pre-training.
            params = prior.sample(torch.arange(first, first + clips_per_class), seed=1)
            rows.append(render(params.edit(excitation=EXCITATIONS.index(kind))))
            classes.append(f"{brightness} {kind}")
    labels = np.repeat(np.arange(len(classes)), clips_per_class)
    folds = np.arange(len(labels)) % _FOLDS + 1
    clips = LabelledClips(
        name="synthetic stand-in",
        paths=[],
        labels=labels,
        folds=folds,
        classes=classes,
        licence="MIT",
        **cross_validation(folds.tolist()),
    )
    return clips, torch.cat(rows)
