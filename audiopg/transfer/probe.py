"""The linear probe of frozen features on official folds, and the log-mel controls (Section 4.1)."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    StratifiedGroupKFold,
    StratifiedKFold,
)
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from torch import Tensor

from audiopg.errors import InputError
from audiopg.inputs import as_float64
from audiopg.transfer.logistic import fit_logistic
from audiopg.transfer.statistics import (
    Tested,
    as_integers,
    as_labels,
    metric_of,
    require_positives,
)

if TYPE_CHECKING:
    import pandas

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """A linear probe, tested on one fold after another.

    Attributes:
        folds: the test folds.
        metric: "accuracy", or "mAP" where a clip can have several classes: the mean over classes
            of the average precision (those without a clip in the fold left out).
        values: (folds,), the metric, in [0, 1].
        strengths: (folds,) the C chosen for each test fold; a larger C regularises less.
        scores: (clips, classes) float64, the probabilities given to the classes of a clip while its
            fold was the test fold; NaN where the fold was not tested on.
    """

    folds: list[int]
    metric: str
    values: np.ndarray
    strengths: np.ndarray
    scores: np.ndarray

    @property
    def accuracy(self) -> np.ndarray:
        """(folds,) the share of each test fold's clips that is classified correctly.

        Raises:
            InputError: where the metric is another.
        """
        if self.metric != "accuracy":
            raise InputError(f"the metric of this result is {self.metric}; take its values.")
        return self.values

    @property
    def predictions(self) -> np.ndarray:
        """(clips,) int64, the most probable class; -1 where a clip was not tested on."""
        tested = ~np.isnan(self.scores).any(axis=1)
        return np.where(tested, np.nan_to_num(self.scores).argmax(axis=1), -1)

    @property
    def mean(self) -> float:
        """Mean of the metric over the test folds, in [0, 1]."""
        return float(self.values.mean())

    @property
    def standard_deviation(self) -> float:
        """Sample standard deviation (n - 1) over the test folds; nan for a single one."""
        return float(self.values.std(ddof=1)) if len(self.values) > 1 else float("nan")


@dataclass(frozen=True)
class _Split:
    """The rows to train on and to test on, and pairs of rows that strengths are chosen on."""

    fold: int
    train: np.ndarray
    test: np.ndarray
    inner: list[tuple[np.ndarray, np.ndarray]]


def linear_probe(
    features: np.ndarray | Tensor,
    labels: np.ndarray | Tensor,
    folds: np.ndarray | Tensor,
    *,
    strengths: Sequence[float] = STRENGTHS,
    test_folds: Sequence[int] | None = None,
    validation_fold: int | None = None,
    sources: np.ndarray | Tensor | None = None,
) -> ProbeResult:
    """Logistic regression on frozen features, each test fold in turn (Section 4.1).

    It is multinomial where a clip has one class, and one against the rest for each class where it
    can have several. For each test fold, every choice is made on other folds: the mean and standard
    deviation that standardise the features, the weights, and the strength C, which is the one of
    highest mean metric when the training folds are left out one at a time (the smallest of equals).
    With a single training fold, three parts of it take the place of folds, stratified where a clip
    has one class. Where there is an official validation part, C is chosen on that, and nothing is
    trained on it. Where clips can have several classes, C is not chosen on a part none of whose
    clips has any, and a warning says so.

    With ``sources``, no recording is on both sides of a split: clips that have the source of a
    clip to be tested on are left out of training and of choosing C, and clips that have the source
    of a clip that C is chosen on are left out of the training for that choice.

    Args:
        features: (clips, dimensions), finite.
        labels: (clips,) integers of at least 0, or (clips, classes) bool.
        folds: (clips,) integers, at least two different ones.
        strengths: the values of C to choose from.
        test_folds: the folds to test on; all but the validation fold when None.
        validation_fold: the fold to choose C on; None to choose it within the training folds.
        sources: (clips,) integers, equal for clips that were cut from one recording, such as
            ``LabelledClips.sources``; None where every clip is a recording of its own.

    Returns:
        The metric, chosen strength and scores of each test fold, in ascending order.

    Raises:
        InputError: when shapes or types do not agree, features are not finite, a strength is not
            positive, a test fold does not exist or has no clip with any class, or the training
            folds are too small to choose on; when numbers become too large to compute with.
    """
    features = as_float64(features, "features").cpu().numpy()
    if features.ndim != 2 or features.shape[1] == 0:
        raise InputError(f"features have shape {features.shape}; give (clips, dimensions).")
    labels = as_labels(labels, len(features))
    folds = as_integers("folds", folds, len(features))
    if not np.isfinite(features).all():
        broken = int((~np.isfinite(features)).any(axis=1).sum())
        raise InputError(
            f"The features of {broken} of {len(features)} clips are not finite; "
            "leave these clips out or check the encoder."
        )
    strengths = sorted(strengths)
    if not strengths or not all(0 < strength < float("inf") for strength in strengths):
        raise InputError(f"strengths are {strengths}; give positive, finite values of C.")
    scores = _no_scores(labels)
    sources = _as_sources(sources, len(folds))
    chosen, best = _test_folds(labels, folds, test_folds, validation_fold), []
    for split in [_split(labels, folds, fold, validation_fold, sources) for fold in chosen]:
        figures = np.zeros(len(strengths))
        # On matrices this small, threads that wait for one another on a busy machine can cost a
        # hundredfold what they save.
        with threadpool_limits(1):
            for train, held_out in split.inner:
                predict = _fit(features, labels, train, strengths)
                figures += [metric_of(found, labels[held_out]) for found in predict(held_out)]
            # Sums of the same shares in another order are equals.
            place = int(figures.round(12).argmax())
            if validation_fold is None:
                predict = _fit(features, labels, split.train, strengths[: place + 1])
            scores[split.test] = predict(split.test)[place]
        best.append(strengths[place])
    return _result(chosen, labels, folds, np.array(best), scores)


def class_shares(
    labels: np.ndarray | Tensor,
    folds: np.ndarray | Tensor,
    *,
    test_folds: Sequence[int] | None = None,
    validation_fold: int | None = None,
    sources: np.ndarray | Tensor | None = None,
) -> ProbeResult:
    """The control that hears nothing: to every clip, the shares of the classes in training.

    So the most frequent class of the training folds is predicted. As mAP, this is chance: the mean
    share of the clips of a test fold that have a class.

    Args:
        labels, folds, test_folds, validation_fold, sources: as in `linear_probe`.

    Returns:
        As `linear_probe`; the strengths are NaN.

    Raises:
        InputError: as `linear_probe`.
    """
    labels = as_labels(labels, len(labels))
    folds = as_integers("folds", folds, len(labels))
    sources = _as_sources(sources, len(folds))
    scores = _no_scores(labels)
    chosen = _test_folds(labels, folds, test_folds, validation_fold)
    for fold in chosen:
        rows = np.flatnonzero((folds != fold) & (folds != validation_fold))
        train = _apart(rows, np.flatnonzero(folds == fold), sources)
        if not len(train):
            raise _nothing_left(fold)
        one_hot = labels[train] if labels.ndim == 2 else np.eye(scores.shape[1])[labels[train]]
        scores[folds == fold] = one_hot.mean(axis=0)
    return _result(chosen, labels, folds, np.full(len(chosen), np.nan), scores)


def _as_sources(sources: np.ndarray | Tensor | None, clips: int) -> np.ndarray | None:
    return None if sources is None else as_integers("sources", sources, clips)


def _test_folds(
    labels: np.ndarray,
    folds: np.ndarray,
    test_folds: Sequence[int] | None,
    validation_fold: int | None,
) -> list[int]:
    existing = np.unique(folds).tolist()
    if validation_fold is not None and validation_fold not in existing:
        raise InputError(
            f"validation_fold is {validation_fold}; choose among the folds {existing}."
        )
    testable = [fold for fold in existing if fold != validation_fold]
    if len(testable) < 2:
        raise InputError(f"folds hold only {existing}; a probe needs at least two folds.")
    chosen = testable if test_folds is None else sorted({int(fold) for fold in test_folds})
    if not chosen or not set(chosen) <= set(testable):
        raise InputError(f"test_folds are {chosen}; choose among the folds {testable}.")
    require_positives(labels, folds, chosen)
    return chosen


def _split(
    labels: np.ndarray,
    folds: np.ndarray,
    fold: int,
    validation_fold: int | None,
    sources: np.ndarray | None,
) -> _Split:
    test = np.flatnonzero(folds == fold)
    others = _apart(np.flatnonzero(folds != fold), test, sources)
    rows = others[folds[others] != validation_fold]
    if not len(rows):
        raise _nothing_left(fold)
    if validation_fold is not None:
        inner = [(rows, others[folds[others] == validation_fold])]
    elif len(np.unique(folds[rows])) > 1:
        parts = LeaveOneGroupOut().split(rows, groups=folds[rows])
        inner = [(rows[one], rows[other]) for one, other in parts]
    else:
        inner = _thirds(labels, rows, folds[rows[0]], fold, sources)
    inner = [(_apart(one, other, sources), other) for one, other in inner]
    if not all(len(one) and len(other) for one, other in inner):
        raise _nothing_left(fold)
    inner = _with_classes(labels, inner, fold)
    if any(_single_class(labels[one]) for one, _ in inner):
        raise InputError(
            f"The training folds of test fold {fold} leave a single class to learn from; "
            "spread at least two classes over the folds."
        )
    return _Split(fold, rows, test, inner)


def _with_classes(
    labels: np.ndarray, inner: list[tuple[np.ndarray, np.ndarray]], fold: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The pairs whose second part can be tested on: where no clip has any class there is no mAP."""
    kept = [pair for pair in inner if labels.ndim == 1 or labels[pair[1]].any()]
    if not kept:
        raise InputError(
            f"No clip that C could be chosen on for test fold {fold} has any class; add clips or "
            "folds."
        )
    if len(kept) < len(inner):
        warnings.warn(
            f"C for test fold {fold} is chosen on {len(kept)} of {len(inner)} parts of its training "
            "clips: in the others no clip has any class.",
            stacklevel=4,
        )
    return kept


def _apart(rows: np.ndarray, others: np.ndarray, sources: np.ndarray | None) -> np.ndarray:
    """Those of some rows that have no source of the other rows."""
    return rows if sources is None else rows[~np.isin(sources[rows], sources[others])]


def _nothing_left(fold: int) -> InputError:
    return InputError(
        f"The sources leave no clip to train on, or to choose on, for test fold {fold}; "
        "add recordings, or probe without sources."
    )


def _thirds(
    labels: np.ndarray,
    rows: np.ndarray,
    training_fold: int,
    fold: int,
    sources: np.ndarray | None,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Three parts of the one training fold, stratified where a clip has one class."""
    three = {"n_splits": 3, "shuffle": True, "random_state": 0}
    groups = None if sources is None else sources[rows]
    if groups is not None and len(np.unique(groups)) < 3:
        raise _nothing_left(fold)
    if labels.ndim == 2:
        parts = (KFold if groups is None else GroupKFold)(**three).split(rows, groups=groups)
    else:
        if np.unique(labels[rows], return_counts=True)[1].min() < 3:
            raise InputError(
                f"Fold {training_fold}, the one training fold of test fold {fold}, has a class "
                "with fewer than 3 clips; add clips or folds."
            )
        stratified = StratifiedKFold if groups is None else StratifiedGroupKFold
        parts = stratified(**three).split(rows, labels[rows], groups)
    return [(rows[one], rows[other]) for one, other in parts]


def _single_class(labels: np.ndarray) -> bool:
    if labels.ndim == 1:
        return len(np.unique(labels)) < 2
    return not (labels.any(axis=0) & ~labels.all(axis=0)).any()


def _fit(
    features: np.ndarray, labels: np.ndarray, train: np.ndarray, strengths: Sequence[float]
) -> Callable[[np.ndarray], list[np.ndarray]]:
    """Train on some rows; for others, what is returned gives (rows, classes) for each strength."""
    scaler = StandardScaler().fit(features[train])
    known, basis = _finite(scaler.transform(features[train]), features), np.eye(1)
    if known.shape[1] > len(known):
        # Weights of least length lie in the span of the clips; in coordinates of that span the
        # problem is the same, and smaller.
        basis = np.linalg.qr(known.T)[0]
        known = known @ basis
    models = fit_logistic(known, labels[train], strengths, _n_classes(labels))

    def predict(rows: np.ndarray) -> list[np.ndarray]:
        unknown = scaler.transform(features[rows])
        unknown = unknown if len(basis) == 1 else unknown @ basis
        return [_finite(model.probabilities(unknown), features) for model in models]

    return predict


def _finite(values: np.ndarray, features: np.ndarray) -> np.ndarray:
    """The values, which no comparison would be right with if some were not finite."""
    if not np.isfinite(values).all():
        raise InputError(
            f"features reach {np.abs(features).max():.3g}, too much to compute with; divide them by "
            "their deviation first."
        )
    return values


def _no_scores(labels: np.ndarray) -> np.ndarray:
    """(clips, classes) of NaN."""
    return np.full((len(labels), _n_classes(labels)), np.nan)


def _n_classes(labels: np.ndarray) -> int:
    return int(labels.shape[1] if labels.ndim == 2 else labels.max() + 1)


def _result(
    chosen: list[int],
    labels: np.ndarray,
    folds: np.ndarray,
    strengths: np.ndarray,
    scores: np.ndarray,
) -> ProbeResult:
    return ProbeResult(
        folds=chosen,
        metric="mAP" if labels.ndim == 2 else "accuracy",
        values=np.array([metric_of(scores[folds == f], labels[folds == f]) for f in chosen]),
        strengths=strengths,
        scores=scores,
    )


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


def probe_table(results: Mapping[str, Tested], n_classes: int) -> "pandas.DataFrame":
    """The metric in per cent, rounded to one decimal: a row a result, for accuracy below "chance".

    Args:
        results: for each row's name, that of a probe or of fine-tuning (then the mean over seeds).
        n_classes: the number of classes K; chance is 1/K, that of a uniform guess.

    Returns:
        Columns "fold 1", ... (every fold that a result has), "mean", "standard deviation".

    Raises:
        InputError: for fewer than two classes, or results of different metrics.
    """
    import pandas

    if n_classes < 2:
        raise InputError(f"n_classes is {n_classes}; a probe tells at least 2 classes apart.")
    metrics = {result.metric for result in results.values()}
    if len(metrics) > 1:
        raise InputError(f"the results are of {sorted(metrics)}; put those of one into a table.")
    folds = sorted({fold for result in results.values() for fold in result.folds})
    columns = [*(f"fold {fold}" for fold in folds), "mean", "standard deviation"]
    table = pandas.DataFrame(index=list(results), columns=columns, dtype=float)
    for name, result in results.items():
        for fold, value in zip(
            result.folds, np.atleast_2d(result.values).mean(axis=0), strict=True
        ):
            table.loc[name, f"fold {fold}"] = 100 * value
        table.loc[name, "mean"] = 100 * result.mean
        table.loc[name, "standard deviation"] = 100 * result.standard_deviation
    if metrics != {"mAP"}:
        chance = [100 / n_classes] * (len(folds) + 1) + [0.0]
        first = pandas.DataFrame([chance], index=["chance"], columns=columns)
        table = pandas.concat([first, table]) if len(table) else first
    return table.round(1)
