"""The linear probe of frozen features on official folds, and the log-mel controls (Section 4.1).

Features are made in `audiopg.transfer.compare`, weights in `audiopg.transfer.logistic`.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

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

from audiopg._types import Array, DataFrame
from audiopg.errors import InputError
from audiopg.inputs import (
    as_array,
    as_embeddings,
    as_float64,
    as_integers,
    as_labels,
    real,
    shown,
    whole_number,
)
from audiopg.transfer.logistic import fit_logistic
from audiopg.transfer.statistics import (
    Tested,
    as_results,
    metric_of,
    require_positives,
)

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)


@dataclass(frozen=True, eq=False)
class ProbeResult(Tested):
    """A linear probe, tested on one fold after another; the scores are in float64.

    Attributes:
        strengths: (folds,) the C chosen for each test fold; a larger C regularises less.
    """

    strengths: np.ndarray

    @property
    def accuracy(self) -> np.ndarray:
        """(folds,) the share of each test fold's clips that is classified correctly.

        Raises:
            InputError: where the metric is another.
        """
        if self.metric != "accuracy":
            raise InputError(f"the metric of this result is {self.metric}; take its values.")
        return self.values


@dataclass(frozen=True, eq=False)
class _Clips:
    """What a probe asks about clips: labels, folds, those to test and to choose C on, sources."""

    labels: np.ndarray
    folds: np.ndarray
    tested: list[int]
    validation_fold: int | None
    sources: np.ndarray | None

    @property
    def n_classes(self) -> int:
        return int(self.labels.shape[1] if self.labels.ndim == 2 else self.labels.max() + 1)

    def no_scores(self) -> np.ndarray:
        """(clips, classes) of NaN."""
        return np.full((len(self.labels), self.n_classes), np.nan)

    def apart(self, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Those of some rows that share no source with the other rows."""
        if self.sources is None:
            return rows
        return rows[~np.isin(self.sources[rows], self.sources[others])]

    def result(self, strengths: Sequence[float], scores: np.ndarray) -> ProbeResult:
        rows = [self.folds == fold for fold in self.tested]
        return ProbeResult(
            folds=self.tested,
            metric="mAP" if self.labels.ndim == 2 else "accuracy",
            values=np.array([metric_of(scores[at], self.labels[at]) for at in rows]),
            strengths=np.array(strengths, dtype=np.float64),
            scores=scores,
        )


# Rows to train on and to test on, and pairs of rows that strengths are chosen on.
_Split = tuple[np.ndarray, np.ndarray, list[tuple[np.ndarray, np.ndarray]]]


def linear_probe(
    features: Array,
    labels: Array,
    folds: Array,
    *,
    strengths: Sequence[float] = STRENGTHS,
    test_folds: Sequence[int] | None = None,
    validation_fold: int | None = None,
    sources: Array | None = None,
) -> ProbeResult:
    """Logistic regression on frozen features, each test fold in turn (Section 4.1).

    It is multinomial where a clip has one class, and one against the rest where it can have several.
    Every choice for a test fold is made on other folds: the standardisation of the features, the
    weights, and the strength C. The training folds are left out one at a time, and the C of highest
    mean metric is chosen (the smallest of equals). A single training fold is left out in three parts,
    stratified where a clip has one class. An official validation part, where there is one, only serves
    to choose C. A part in which no clip has any class is passed over, with a warning.

    With ``sources``, no recording is on both sides of a split: clips that share a source with a clip
    that is tested, or that C is chosen on, are left out of what is trained for it.

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
        InputError: when shapes or types do not agree, numbers are not finite, a strength is not
            positive, a test fold does not exist or has no clip with any class, or the training folds
            are too small to choose on.
    """
    features = as_embeddings(features, "features").cpu().numpy()
    clips = _checked(labels, folds, len(features), test_folds, validation_fold, sources)
    strengths = sorted(as_float64(strengths, "strengths").flatten().tolist())
    if not strengths or not all(0 < strength < float("inf") for strength in strengths):
        raise InputError(f"strengths are {strengths}; give positive, finite values of C.")
    splits = [_split(clips, fold) for fold in clips.tested]
    scores, chosen = clips.no_scores(), []
    # On matrices this small, threads that wait for one another on a busy machine can cost a hundred
    # times what they save.
    with threadpool_limits(1):
        for split in splits:
            strength, scores[split[1]] = _probe_fold(features, clips, split, strengths)
            chosen.append(strength)
    return clips.result(chosen, scores)


def class_shares(
    labels: Array,
    folds: Array,
    *,
    test_folds: Sequence[int] | None = None,
    validation_fold: int | None = None,
    sources: Array | None = None,
) -> ProbeResult:
    """The control that hears nothing: the scores of every clip are the shares of classes in training.

    So the most frequent class of the training folds is predicted. For mAP this is chance: the share of
    a test fold's clips that have a class, averaged over classes.

    Args:
        labels, folds, test_folds, validation_fold, sources: as in `linear_probe`.

    Returns:
        As `linear_probe`; the strengths are NaN.

    Raises:
        InputError: as `linear_probe`.
    """
    clips = len(np.atleast_1d(as_array(labels, "labels")))
    clips = _checked(labels, folds, clips, test_folds, validation_fold, sources)
    scores = clips.no_scores()
    for fold in clips.tested:
        train = clips.labels[_train_and_test(clips, fold)[0]]
        counts = train.sum(axis=0) if train.ndim == 2 else np.bincount(train, None, clips.n_classes)
        scores[clips.folds == fold] = counts / len(train)
    return clips.result([np.nan] * len(clips.tested), scores)


def require_probe(labels: Array, folds: Array, **split: object) -> None:
    """Raise InputError where `linear_probe` would refuse, whatever the features, before they are made."""
    clips = len(np.atleast_1d(as_array(labels, "labels")))
    with warnings.catch_warnings():
        # The probe itself gives the warnings.
        warnings.simplefilter("ignore")
        clips = _checked(labels, folds, clips, **split)
        for fold in clips.tested:
            _split(clips, fold)


def _checked(
    labels: Array,
    folds: Array,
    clips: int,
    test_folds: Sequence[int] | None,
    validation_fold: int | None,
    sources: Array | None,
) -> _Clips:
    labels, folds = as_labels(labels, clips), as_integers("folds", folds, clips)
    sources = None if sources is None else as_integers("sources", sources, clips)
    existing = np.unique(folds).tolist()
    chosen_on = real(validation_fold)
    if validation_fold is not None and chosen_on not in existing:
        raise InputError(
            f"validation_fold is {shown(validation_fold)}; choose among the folds {existing}."
        )
    testable = [fold for fold in existing if fold != chosen_on]
    if len(testable) < 2:
        raise InputError(f"folds hold only {existing}; a probe needs at least two folds.")
    tested = testable
    if test_folds is not None:
        asked = np.atleast_1d(as_array(test_folds, "test_folds"))
        tested = [fold for fold in testable if fold in asked]
        if asked.dtype == bool or not tested or len(tested) < len({*asked.ravel().tolist()}):
            raise InputError(
                f"test_folds are {shown(test_folds)}; choose among the folds {testable}."
            )
    require_positives(labels, folds, tested)
    return _Clips(labels, folds, tested, chosen_on, sources)


def _train_and_test(clips: _Clips, fold: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows that may be learned from for a test fold, and its own."""
    test = np.flatnonzero(clips.folds == fold)
    train = (clips.folds != fold) & (clips.folds != clips.validation_fold)
    train = clips.apart(np.flatnonzero(train), test)
    if not len(train):
        raise _nothing_left(fold)
    return train, test


def _split(clips: _Clips, fold: int) -> _Split:
    rows, test = _train_and_test(clips, fold)
    folds, labels = clips.folds[rows], clips.labels
    if clips.validation_fold is not None:
        held_out = np.flatnonzero(clips.folds == clips.validation_fold)
        inner = [(rows, clips.apart(held_out, test))]
    elif len(np.unique(folds)) > 1:
        parts = LeaveOneGroupOut().split(rows, groups=folds)
        inner = [(rows[train], rows[held_out]) for train, held_out in parts]
    else:
        inner = _thirds(clips, rows, fold)
    inner = [(clips.apart(train, held_out), held_out) for train, held_out in inner]
    if not all(len(train) and len(held_out) for train, held_out in inner):
        raise _nothing_left(fold)
    inner = _with_classes(labels, inner, fold)
    if any(_single_class(labels[train]) for train, _ in inner):
        raise InputError(
            f"The training folds of test fold {fold} leave a single class to learn from; "
            "spread at least two classes over the folds."
        )
    return rows, test, inner


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


def _nothing_left(fold: int) -> InputError:
    return InputError(
        f"The sources leave no clip to train on, or to choose on, for test fold {fold}; "
        "add recordings, or probe without sources."
    )


def _thirds(clips: _Clips, rows: np.ndarray, fold: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Three parts of the one training fold, stratified where a clip has one class."""
    three = {"n_splits": 3, "shuffle": True, "random_state": 0}
    groups = None if clips.sources is None else clips.sources[rows]
    labels = clips.labels[rows]
    if groups is not None and len(np.unique(groups)) < 3:
        raise _nothing_left(fold)
    if labels.ndim == 2:
        parts = (KFold if groups is None else GroupKFold)(**three).split(rows, groups=groups)
    else:
        if np.unique(labels, return_counts=True)[1].min() < 3:
            raise InputError(
                f"Fold {clips.folds[rows[0]]}, the one training fold of test fold {fold}, has a "
                "class with fewer than 3 clips; add clips or folds."
            )
        stratified = StratifiedKFold if groups is None else StratifiedGroupKFold
        parts = stratified(**three).split(rows, labels, groups)
    return [(rows[train], rows[held_out]) for train, held_out in parts]


def _single_class(labels: np.ndarray) -> bool:
    if labels.ndim == 1:
        return len(np.unique(labels)) < 2
    return not (labels.any(axis=0) & ~labels.all(axis=0)).any()


def _probe_fold(
    features: np.ndarray, clips: _Clips, split: _Split, strengths: list[float]
) -> tuple[float, np.ndarray]:
    """The strength that a test fold's training chose, and (test clips, classes) scores of it."""
    train, test, inner = split
    figures = np.zeros(len(strengths))
    for rows, held_out in inner:
        predict = _fit(features, clips, rows, strengths)
        figures += [metric_of(found, clips.labels[held_out]) for found in predict(held_out)]
    # Rounded, so that sums in another order stay equal.
    place = int(figures.round(12).argmax())
    if clips.validation_fold is None:
        predict = _fit(features, clips, train, strengths[: place + 1])
    return strengths[place], predict(test)[place]


def _fit(
    features: np.ndarray, clips: _Clips, train: np.ndarray, strengths: Sequence[float]
) -> Callable[[np.ndarray], list[np.ndarray]]:
    """Train on some rows; the function returned gives other rows' scores for each strength."""
    scaler = StandardScaler().fit(features[train])
    known, basis = scaler.transform(features[train]), None
    if known.shape[1] > len(known):
        # Weights of least norm lie in the span of the clips; in coordinates of that span the problem
        # is the same, and smaller.
        basis = np.linalg.qr(known.T)[0]
        known = known @ basis
    models = fit_logistic(known, clips.labels[train], strengths, clips.n_classes)

    def predict(rows: np.ndarray) -> list[np.ndarray]:
        unknown = scaler.transform(features[rows])
        unknown = unknown if basis is None else unknown @ basis
        return [model.probabilities(unknown) for model in models]

    return predict


def log_mel_mean(mel: Tensor) -> Tensor:
    """The mean over frames of each band: the plainest log-mel control.

    Args:
        mel: (clips, frames, bands).

    Returns:
        (clips, bands).
    """
    return torch.as_tensor(mel).mean(dim=-2)


def log_mel_statistics(mel: Tensor) -> Tensor:
    """The mean and the (population) standard deviation over frames: the raw log-mel control.

    Args:
        mel: (clips, frames, bands).

    Returns:
        (clips, 2 · bands), means first.
    """
    deviation, mean = torch.std_mean(torch.as_tensor(mel), dim=-2, correction=0)
    return torch.cat((mean, deviation), dim=-1)


def probe_table(results: Mapping[str, Tested], n_classes: int) -> DataFrame:
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

    n_classes = whole_number(n_classes, "n_classes", "the classes that a probe tells apart", 2)
    results = as_results(results)
    metrics = {result.metric for result in results.values()}
    if len(metrics) > 1:
        raise InputError(f"the results are of {sorted(metrics)}; put those of one into a table.")
    folds = sorted({fold for result in results.values() for fold in result.folds})
    columns = [*(f"fold {fold}" for fold in folds), "mean", "standard deviation"]
    table = pandas.DataFrame(index=list(results), columns=columns, dtype=float)
    for name, result in results.items():
        for fold, value in zip(result.folds, result.by_fold, strict=True):
            table.loc[name, f"fold {fold}"] = 100 * value
        table.loc[name, "mean"] = 100 * result.mean
        table.loc[name, "standard deviation"] = 100 * result.standard_deviation
    if metrics != {"mAP"}:
        chance = [100 / n_classes] * (len(folds) + 1) + [0.0]
        first = pandas.DataFrame([chance], index=["chance"], columns=columns)
        table = pandas.concat([first, table]) if len(table) else first
    return table.round(1)
