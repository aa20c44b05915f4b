"""The linear probe of frozen features on official folds, and the log-mel controls (Section 4.1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from torch import Tensor

from audiopg.errors import InputError

if TYPE_CHECKING:
    import pandas

# Collinear features (neighbouring mel bands) need hundreds of iterations at weak regularisation.
_MAX_ITERATIONS = 10_000


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """A linear probe, tested on one fold after another.

    Attributes:
        folds: the test folds.
        accuracy: (folds,) the share of each test fold's clips that is classified correctly.
        strengths: (folds,) the C chosen for each test fold; a larger C regularises less.
        predictions: (clips,) int64, the label predicted for each clip while its fold was the test
            fold; -1 where the fold was not tested on.
    """

    folds: list[int]
    accuracy: np.ndarray
    strengths: np.ndarray
    predictions: np.ndarray

    @property
    def mean(self) -> float:
        """Mean accuracy over the test folds, in [0, 1]."""
        return float(self.accuracy.mean())

    @property
    def standard_deviation(self) -> float:
        """Sample standard deviation (n - 1) over the test folds; nan for a single one."""
        return float(self.accuracy.std(ddof=1)) if len(self.accuracy) > 1 else float("nan")


def linear_probe(
    features: np.ndarray | Tensor,
    labels: np.ndarray | Tensor,
    folds: np.ndarray | Tensor,
    *,
    strengths: Sequence[float] = (1e-3, 1e-2, 1e-1, 1.0, 10.0),
    test_folds: Sequence[int] | None = None,
) -> ProbeResult:
    """Multinomial logistic regression on frozen features, each fold tested in turn (Section 4.1).

    For each test fold, every choice is made on the other folds: the mean and standard deviation
    that standardise the features, the weights, and the strength C, which is the one of highest
    mean accuracy when the training folds are left out one at a time (the smallest of equals).
    With a single training fold, three stratified parts of it take the place of folds.

    Args:
        features: (clips, dimensions), finite.
        labels: (clips,) integers of at least 0.
        folds: (clips,) integers, at least two different ones.
        strengths: the values of C to choose from.
        test_folds: the folds to test on; all of them when None.

    Returns:
        The accuracy, chosen strength and predictions of each test fold, in ascending order.

    Raises:
        InputError: when shapes or types do not agree, features are not finite, a strength is not
            positive, a test fold does not exist, or the training folds are too small to choose on.
    """
    if isinstance(features, Tensor):
        features = features.detach().cpu().double().numpy()
    features = np.asarray(features, dtype=np.float64)
    if features.ndim != 2 or features.shape[1] == 0:
        raise InputError(f"features have shape {features.shape}; give (clips, dimensions).")
    labels = _integers("labels", labels, len(features))
    folds = _integers("folds", folds, len(features))
    if (labels < 0).any():
        raise InputError(f"labels hold {labels.min()}; count the classes from 0.")
    if not np.isfinite(features).all():
        broken = int((~np.isfinite(features)).any(axis=1).sum())
        raise InputError(
            f"The features of {broken} of {len(features)} clips are not finite; "
            "leave these clips out or check the encoder."
        )
    existing = np.unique(folds).tolist()
    if len(existing) < 2:
        raise InputError(f"folds hold only {existing}; a probe needs at least two folds.")
    chosen = existing if test_folds is None else sorted({int(fold) for fold in test_folds})
    if not chosen or not set(chosen) <= set(existing):
        raise InputError(f"test_folds are {chosen}; choose among the folds {existing}.")
    strengths = sorted(strengths)
    if not strengths or not all(0 < strength < float("inf") for strength in strengths):
        raise InputError(f"strengths are {strengths}; give positive, finite values of C.")

    predictions = np.full(len(features), -1, dtype=np.int64)
    accuracy, best = np.empty(len(chosen)), np.empty(len(chosen))
    for i, fold in enumerate(chosen):
        train, test = folds != fold, folds == fold
        search = GridSearchCV(
            make_pipeline(StandardScaler(), LogisticRegression(max_iter=_MAX_ITERATIONS)),
            {"logisticregression__C": strengths},
            cv=_inner_splits(labels[train], folds[train], fold),
            error_score="raise",
        )
        # On matrices this small, threads that wait for one another on a busy machine can cost a
        # hundredfold what they save.
        with threadpool_limits(1):
            search.fit(features[train], labels[train])
        best[i] = search.best_params_["logisticregression__C"]
        predictions[test] = search.predict(features[test])
        accuracy[i] = (predictions[test] == labels[test]).mean()
    return ProbeResult(folds=chosen, accuracy=accuracy, strengths=best, predictions=predictions)


def _integers(name: str, values: np.ndarray | Tensor, clips: int) -> np.ndarray:
    """``values`` as (clips,) int64."""
    values = values.cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if values.shape != (clips,) or not np.issubdtype(values.dtype, np.integer):
        raise InputError(
            f"{name} have shape {values.shape} and type {values.dtype}; "
            f"give one integer for each of the {clips} clips."
        )
    return values.astype(np.int64)


def _inner_splits(
    labels: np.ndarray, folds: np.ndarray, test_fold: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(training, validation) indices within the training folds of ``test_fold``."""
    if len(np.unique(folds)) > 1:
        splits = list(LeaveOneGroupOut().split(labels, groups=folds))
    else:
        parts = StratifiedKFold(n_splits=3, shuffle=True, random_state=0)
        if np.unique(labels, return_counts=True)[1].min() < parts.n_splits:
            raise InputError(
                f"Fold {folds[0]}, the one training fold of test fold {test_fold}, has a class "
                f"with fewer than {parts.n_splits} clips; add clips or folds."
            )
        splits = list(parts.split(labels, labels))
    if any(len(np.unique(labels[train])) < 2 for train, _ in splits):
        raise InputError(
            f"The training folds of test fold {test_fold} leave a single class to learn from; "
            "spread at least two classes over the folds."
        )
    return splits


def log_mel_mean(mel: Tensor) -> Tensor:
    """The mean over frames of each band: the plainest log-mel control.

    Args:
        mel: (clips, frames, bands).

    Returns:
        (clips, bands).
    """
    return mel.mean(dim=-2)


def log_mel_statistics(mel: Tensor) -> Tensor:
    """The mean and the (population) standard deviation over frames: the raw log-mel control.

    Args:
        mel: (clips, frames, bands).

    Returns:
        (clips, 2 · bands), means first.
    """
    deviation, mean = torch.std_mean(mel, dim=-2, correction=0)
    return torch.cat((mean, deviation), dim=-1)


def probe_table(results: dict[str, ProbeResult], n_classes: int) -> "pandas.DataFrame":
    """Accuracies in per cent, rounded to one decimal: a row a result, below the row "chance".

    Args:
        results: a `ProbeResult` for each row's name.
        n_classes: the number of classes K; chance is 1/K, as for balanced classes.

    Returns:
        Columns "fold 1", ... (every fold that a result has), "mean", "standard deviation".

    Raises:
        InputError: for fewer than two classes.
    """
    import pandas

    if n_classes < 2:
        raise InputError(f"n_classes is {n_classes}; a probe tells at least 2 classes apart.")
    folds = sorted({fold for result in results.values() for fold in result.folds})
    columns = [*(f"fold {fold}" for fold in folds), "mean", "standard deviation"]
    table = pandas.DataFrame(index=["chance", *results], columns=columns, dtype=float)
    table.loc["chance"] = [100 / n_classes] * (len(folds) + 1) + [0.0]
    for name, result in results.items():
        for fold, accuracy in zip(result.folds, result.accuracy, strict=True):
            table.loc[name, f"fold {fold}"] = 100 * accuracy
        table.loc[name, "mean"] = 100 * result.mean
        table.loc[name, "standard deviation"] = 100 * result.standard_deviation
    return table.round(1)
