"""Which of two kinds of frozen features is better on the same clips? And on which classes?

`audiopg probe` tests every row against one encoder with mean pooling. Here are the other pairs
that chapter 4 speaks of: on all test folds, and on those alone that had no part in the choice of the
recipe. "Log-mel" is its mean and deviation; "log-mel with tiny" has both kinds of numbers side by side.

    AUDIOPG_DATA=data python -m audiopg bench pairs --record bench-pairs
"""

from collections.abc import Sequence

import numpy as np
import torch

from audiopg import data_folder, load_encoder
from audiopg.book.experiments import SETS
from audiopg.book.reproduce import part_of
from audiopg.commands.common import untrained_like
from audiopg.datasets import LabelledClips, cached_waves, find_dataset
from audiopg.errors import InputError
from audiopg.transfer import (
    ProbeResult,
    clip_features,
    confusion_matrix,
    holm,
    paired_p_value,
    probe_features,
)
from audiopg.transfer.statistics import Tested

BY_BAND = ", frequency pooling"
PAIRS = (
    ("tiny", "untrained"),
    ("tiny", "log-mel"),
    ("tiny" + BY_BAND, "untrained" + BY_BAND),
    ("tiny" + BY_BAND, "log-mel"),
    ("log-mel with tiny", "log-mel with untrained"),
    ("log-mel with tiny", "log-mel"),
    ("log-mel with tiny", "tiny"),
)


def features_of(clips: LabelledClips) -> dict[str, torch.Tensor]:
    """(clips, dimensions) float32 of each row, every clip at its own length."""
    tiny = load_encoder("tiny")
    encoders = {"tiny": tiny, "untrained": untrained_like(tiny)}
    found = clip_features(cached_waves(clips), encoders, pooling="both", native=True)
    del found["log-mel mean"]
    found["log-mel"] = found.pop("log-mel mean and deviation")
    for name in encoders:
        found[f"log-mel with {name}"] = torch.cat((found["log-mel"], found[name]), dim=1)
    return found


def on_folds(result: ProbeResult, clips: LabelledClips, tested: Sequence[int]) -> Tested:
    """A result on some of its test folds."""
    here = np.isin(clips.folds, tested)
    values = result.values[np.isin(result.folds, tested)]
    scores = np.where(here[:, None], result.scores, np.nan)
    return Tested(list(tested), result.metric, values, scores)


def compared(results: dict[str, Tested], clips: LabelledClips) -> list[dict]:
    """The gain of the first of each pair over the second, in [-1, 1], and its p-values."""
    asked = clips.labels, clips.folds
    ps = [
        paired_p_value(results[one], results[other], *asked, sources=clips.sources)
        for one, other in PAIRS
    ]
    return [
        {
            "of": one,
            "over": other,
            "gain": results[one].mean - results[other].mean,
            "p": p,
            "p_holm": corrected,
        }
        for (one, other), p, corrected in zip(PAIRS, ps, holm(ps).tolist(), strict=True)
    ]


def main() -> dict:
    """Probe, compare and print; return what a record says."""
    found, data = {}, []
    for name in SETS:
        if (clips := find_dataset(name, data_folder())) is None:
            raise InputError(f"{name} is not at hand; set AUDIOPG_DATA to a folder that holds it.")
        results = probe_features(clips, features_of(clips), controls=False)
        matrices = {row: confusion_matrix(result, clips) for row, result in results.items()}
        found[name] = {
            "accuracy": {row: result.mean for row, result in results.items()},
            "recall": {
                row: dict(zip(clips.classes, (m.diagonal() / m.sum(axis=1)).tolist(), strict=True))
                for row, m in matrices.items()
            },
        }
        for part in ("all", "final"):
            _, tested = part_of(clips, part)
            here = {row: on_folds(result, clips, tested) for row, result in results.items()}
            found[name][part] = {"folds": tested, "pairs": compared(here, clips)}
            for pair in found[name][part]["pairs"]:
                print(name, part, pair)
        data.append(f"{clips.name} ({clips.licence})")
    return {
        "settings": {"model": "tiny", "sets": list(SETS)},
        "metrics": found,
        "data": "; ".join(data),
        "protocol": "linear probe of frozen features at each clip's own length, standardised, strength "
        "chosen on the training folds or the validation part, each test fold tested once; p-values by "
        "paired tests over sources, corrected (Holm) for the pairs of one set and part",
    }
