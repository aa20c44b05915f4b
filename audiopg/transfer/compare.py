"""Encoders and their log-mel controls, probed on the same clips (Sections 4.1, 4.2)."""

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from audiopg.frontend import LogMel
from audiopg.mae import Encoder
from audiopg.transfer.probe import ProbeResult, linear_probe, log_mel_mean, log_mel_statistics

_BATCH = 32


@torch.no_grad()
def compare_encoders(
    waves: Tensor,
    labels: np.ndarray,
    folds: np.ndarray,
    encoders: dict[str, Encoder],
    progress: bool = True,
) -> dict[str, ProbeResult]:
    """Linear probes of raw log-mel and of some frozen encoders, on identical clips and folds.

    Args:
        waves: (clips, samples) float32 at 16 kHz.
        labels: (clips,) int64.
        folds: (clips,) int64.
        encoders: by the name of their row.
        progress: show a progress bar.

    Returns:
        A result a row: log-mel averaged over time, log-mel with its mean and standard deviation
        over time, then each encoder's averaged tokens.

    Raises:
        InputError: for labels or folds that `linear_probe` refuses.
    """
    log_mel = LogMel()
    features: dict[str, list[Tensor]] = {"log-mel mean": [], "log-mel mean and deviation": []}
    features.update({name: [] for name in encoders})
    for part in tqdm(waves.split(_BATCH), desc="embedding", unit="batch", disable=not progress):
        mel = log_mel(part)
        features["log-mel mean"].append(log_mel_mean(mel))
        features["log-mel mean and deviation"].append(log_mel_statistics(mel))
        for name, encoder in encoders.items():
            features[name].append(encoder.embed(part).cpu())
    return {name: linear_probe(torch.cat(parts), labels, folds) for name, parts in features.items()}
