"""How far the figures of a test can be trusted: intervals, and paired tests between rows.

Both ask what other test recordings of the same kind would have given. Clips cut from one recording, or
words of one speaker, are right and wrong together, so ``sources`` keeps them together; without it
every clip counts as independent. The intervals take the training as it is: other training folds or
first weights are not in them.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from audiopg._types import Array, DataFrame
from audiopg.errors import InputError
from audiopg.inputs import (
    as_array,
    as_embeddings,
    as_float64,
    as_integers,
    as_labels,
    as_named,
    random_by,
    shown,
)

# Resamples of the bootstrap and of permutations; mAP has fewer, since each takes a ranking.
_RESAMPLES = {"accuracy": 10_000, "mAP": 1_000}
_LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class Tested:
    """What `audiopg.transfer.ProbeResult` and `audiopg.transfer.FinetuneResult` have in common.

    Attributes:
        folds: the test folds.
        metric: "accuracy", or "mAP" where a clip can have several classes: the mean over classes
            of the average precision (those without a clip in the fold left out).
        values: (folds,), or (seeds, folds) where there are seeds: the metric, in [0, 1].
        scores: (clips, classes) or (seeds, clips, classes), the probabilities given to the classes
            of a clip while its fold was the test fold; NaN where the fold was not tested on.
    """

    folds: list[int]
    metric: str
    values: np.ndarray
    scores: np.ndarray

    @property
    def predictions(self) -> np.ndarray:
        """(clips,) or (seeds, clips) int64, the most probable class; -1 where not tested on."""
        tested = ~np.isnan(self.scores).any(axis=-1)
        return np.where(tested, np.nan_to_num(self.scores).argmax(axis=-1), -1)

    @property
    def by_fold(self) -> np.ndarray:
        """(folds,), the metric, of several seeds the mean."""
        return np.atleast_2d(self.values).mean(axis=0)

    @property
    def mean(self) -> float:
        """Mean of the metric over the test folds, and over seeds."""
        return float(self.values.mean())

    @property
    def standard_deviation(self) -> float:
        """Sample standard deviation (n - 1) of `by_fold`; nan for a single fold."""
        return deviation(self.by_fold)


def deviation(values: np.ndarray) -> float:
    """Sample standard deviation (n - 1); nan for a single value."""
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")


def metric_of(scores: np.ndarray, labels: np.ndarray) -> float:
    """Accuracy of scores (clips, classes); mean average precision for labels (clips, classes) bool."""
    if labels.ndim == 2:
        return float(_precisions(scores, labels)[0])
    return float((scores.argmax(axis=1) == labels).mean())


def _as_bool(values: Array, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Values False and True, or 0 and 1, of a given shape."""
    array = as_array(values, name)
    if array.shape != shape or array.dtype.kind not in "biuf" or not np.isin(array, (0, 1)).all():
        raise InputError(
            f"{name} have shape {array.shape} and type {array.dtype}; give bool of shape {shape}."
        )
    return array.astype(bool)


def mean_average_precision(scores: Array, labels: Array, counts: Array | None = None) -> np.ndarray:
    """The mean over classes of the average precision, as of `sklearn.metrics`.

    The average precision of a class is the mean, over its clips, of the precision among those that
    score as high or higher. Classes without a clip are left out.

    Args:
        scores: (clips, classes).
        labels: (clips, classes) bool.
        counts: (resamples, clips), how often each clip is there; None for once.

    Returns:
        (resamples,) in [0, 1]; a single one without counts. NaN where no class has a clip.

    Raises:
        InputError: for shapes that do not agree, scores that are not finite, labels other than False
            and True (or 0 and 1), or counts below 0.
    """
    scores = as_embeddings(scores, "scores").cpu().numpy()
    labels = _as_bool(labels, "labels", scores.shape)
    if counts is not None:
        counts = as_float64(counts, "counts").cpu().numpy()
        if counts.shape[1:] != (len(scores),) or not (np.isfinite(counts) & (counts >= 0)).all():
            raise InputError(
                f"counts have shape {counts.shape}, or are not all 0 or more; give (resamples, "
                f"{len(scores)}), how often each clip is there."
            )
    return _precisions(scores, labels, counts)


def _precisions(
    scores: np.ndarray, labels: np.ndarray, counts: np.ndarray | None = None
) -> np.ndarray:
    """As `mean_average_precision`, without its checks."""
    counts = np.ones((1, len(scores))) if counts is None else counts
    order = np.argsort(-scores, axis=0, kind="stable")
    ranked, hits = (np.take_along_axis(values, order, axis=0) for values in (scores, labels))
    # Clips of equal scores share the precision that the last of them reaches.
    places = np.arange(len(scores))[:, None]
    ends = np.vstack((ranked[1:] != ranked[:-1], np.ones_like(ranked[:1], dtype=bool)))
    last = np.minimum.accumulate(np.where(ends, places, len(scores))[::-1], axis=0)[::-1]
    values = np.full(len(counts), np.nan)
    for row, count in enumerate(counts):
        weights = count[order].astype(np.float64)
        found, seen = np.cumsum(weights * hits, axis=0), np.cumsum(weights, axis=0)
        reached = np.take_along_axis(found, last, axis=0)
        precision = reached / np.maximum(np.take_along_axis(seen, last, axis=0), 1)
        present = found[-1] > 0
        if present.any():
            total = (weights * hits * precision).sum(axis=0)
            values[row] = (total[present] / found[-1][present]).mean()
    return values


def require_positives(labels: np.ndarray, folds: np.ndarray, tested: Sequence[int]) -> None:
    """See that there is a mAP in every fold that is tested; there always is an accuracy.

    A warning says how many classes no clip of a fold has: they are left out of its mAP.

    Raises:
        InputError: for a fold whose clips have no class at all.
    """
    for fold in tested if labels.ndim == 2 else []:
        absent = int((~labels[folds == fold].any(axis=0)).sum())
        if absent == labels.shape[1]:
            raise InputError(
                f"no clip of fold {fold} has any class, so there is no mAP of it; test on the other "
                "folds."
            )
        if absent:
            warnings.warn(
                f"no clip of fold {fold} has any of {absent} of the {labels.shape[1]} classes, which "
                "are left out of its mAP.",
                stacklevel=2,
            )


def bootstrap_interval(
    result: Tested,
    labels: np.ndarray,
    folds: np.ndarray,
    seed: int = 0,
    sources: Array | None = None,
) -> tuple[float, float]:
    """The 95 % interval of a result's mean over folds, by the bootstrap over sources.

    The sources of each test fold are drawn with replacement, as many as there are, each with all its
    clips (the cluster bootstrap: Davison and Hinkley, 1997, Section 3.8). Sources with clips in several
    folds are drawn apart from the others. The metric is computed 10,000 times for accuracy, 1,000 times
    for mAP; draws in which no clip of a fold has any class do not count. The interval is that of the
    percentiles: a mean over hundreds of sources is hardly biased or skewed, so BCa would correct little.
    The interval is too narrow near 100 %, where no draw can have a clip that is wrong, and with fewer
    than some 20 sources in a fold.

    Args:
        result: of a probe or of fine-tuning; over seeds, the mean is taken.
        labels: (clips,) int64, or (clips, classes) bool.
        folds: (clips,) int64.
        seed: of the draws.
        sources: (clips,) integers, equal for clips of one recording or speaker, such as
            ``LabelledClips.sources``; None where every clip is a recording of its own.

    Returns:
        The ends of the interval, in [0, 1]; NaN, with a warning, where all clips of a fold have one
        source, which does not tell how far others would lie apart.

    Raises:
        InputError: for labels, folds or sources that are not those of the clips.
    """
    labels, places = _of_result(result, labels, folds)
    tested = places >= 0
    source, strata = _numbered(_sources(sources, len(places))[tested], places[tested])
    for place in range(places.max() + 1):
        within = source[places[tested] == place]
        if (within == within[0]).all():
            warnings.warn(
                "all clips of a test fold have one source, so there is no interval; deal fewer folds, or "
                "name smaller groups.",
                stacklevel=2,
            )
            return np.nan, np.nan
    means = _resampled(result, labels, places, source, strata, random_by(seed))
    low, high = np.nanquantile(means, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2]).tolist()
    return low, high


def _numbered(sources: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sources counted from 0, fold by fold, those with clips in several folds last.

    Returns:
        (clips,), the number of each clip's source; and (sources,), the stratum of each: the place of its
        fold, or the number of folds for a source in several.
    """
    found, source = np.unique(sources, return_inverse=True)
    first, last = np.full(len(found), len(places)), np.zeros(len(found), dtype=np.int64)
    np.minimum.at(first, source, places)
    np.maximum.at(last, source, places)
    strata = np.where(first == last, first, places.max() + 1)
    order = np.argsort(strata, kind="stable")
    return np.argsort(order)[source], strata[order]


def _resampled(
    result: Tested,
    labels: np.ndarray,
    places: np.ndarray,
    source: np.ndarray,
    strata: np.ndarray,
    generator: np.random.Generator,
) -> np.ndarray:
    """The mean over folds for sources drawn anew within their strata: (resamples,)."""
    n_folds, resamples, tested = places.max() + 1, _RESAMPLES[result.metric], places >= 0
    groups = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    if result.metric == "accuracy":
        # A source matters by its outcome alone: its right clips in each fold, and all its clips there.
        cells, shape = source * n_folds + places[tested], (len(strata), n_folds)
        right = np.bincount(cells, _correct(result, labels)[tested], np.prod(shape)).reshape(shape)
        sizes = np.bincount(cells, minlength=np.prod(shape)).reshape(shape)
        outcomes = np.concatenate((right, sizes), axis=1)
        totals = np.zeros((resamples, 2 * n_folds))
        for group in groups:
            kinds, held = np.unique(outcomes[group], axis=0, return_counts=True)
            totals += generator.multinomial(len(group), held / len(group), resamples) @ kinds
        with np.errstate(invalid="ignore"):
            return (totals[:, :n_folds] / totals[:, n_folds:]).mean(axis=1)
    counts = np.zeros((resamples, len(strata)), dtype=np.int64)
    for group in groups:
        share = np.full(len(group), 1 / len(group))
        counts[:, group] = generator.multinomial(len(group), share, resamples)
    means = np.zeros(resamples)
    for place in range(n_folds):
        rows, drawn = places == place, counts[:, source[places[tested] == place]]
        each = [_precisions(one, labels[rows], drawn) for one in by_seed(result)[:, rows]]
        means += np.mean(each, axis=0) / n_folds
    return means


def mcnemar(first: Array, second: Array) -> float:
    """The exact McNemar test of two classifiers on the clips on which just one of them is right.

    Under the null hypothesis it is either of the two with probability 1/2 (Dietterich, 1998).

    Args:
        first, second: (clips,) bool, whether each is right.

    Returns:
        The two-sided p-value, 1 where they are right on the same clips.

    Raises:
        InputError: for different numbers of clips, or for what is not bool, or 0 and 1.
    """
    clips = (as_array(first, "first").size,)
    first, second = _as_bool(first, "first", clips), _as_bool(second, "second", clips)
    only_first, only_second = int((first & ~second).sum()), int((~first & second).sum())
    # By the smaller of the two, so that the order of the classifiers changes not a bit.
    fewer, n = min(only_first, only_second), only_first + only_second
    return float(binomtest(fewer, n).pvalue) if n else 1.0


def paired_p_value(
    first: Tested,
    second: Tested,
    labels: np.ndarray,
    folds: np.ndarray,
    seed: int = 0,
    sources: Array | None = None,
) -> float:
    """Whether two results on identical clips differ by more than chance.

    Accuracies of one run each, where every clip is a source of its own, are compared by the exact
    McNemar test, all others by a permutation test. If the two were worth the same, it would not matter
    which of them gave which scores to the clips of a source. So the scores are exchanged at random,
    source by source. The p-value is the share of exchanges whose difference of the means over folds is
    as large as the one found, which is counted too; so it is at least 1 / 10,001 (for mAP 1 / 1,001).

    Args:
        first, second: results, tested on the same clips.
        labels: (clips,) int64, or (clips, classes) bool.
        folds: (clips,) int64.
        seed: of the exchanges.
        sources: as of `bootstrap_interval`.

    Returns:
        The two-sided p-value.

    Raises:
        InputError: for results of different clips or metrics, mAP over several seeds, or labels,
            folds or sources that are not those of the clips.
    """
    tested, others = (~np.isnan(by_seed(result)[0]).any(axis=1) for result in (first, second))
    if first.metric != second.metric or not np.array_equal(tested, others):
        raise InputError(
            "the two results are not of the same clips and metric; test both on the same folds."
        )
    labels, places = _of_result(first, labels, folds)
    place = places[tested]
    source, _ = _numbered(_sources(sources, len(places))[tested], place)
    generator = random_by(seed)
    if first.metric == "accuracy":
        one, other = (_correct(result, labels)[tested] for result in (first, second))
        if source.max() + 1 == len(source) and np.isin((one, other), (0, 1)).all():
            return mcnemar(one == 1, other == 1)
        gaps = np.bincount(source, (one - other) * (1 / np.bincount(place)[place]))
        found, exchanged = gaps.sum(), _exchanged_gaps(gaps, generator)
    else:
        of_clips = np.zeros(len(places), dtype=np.int64)
        of_clips[tested] = source
        found, exchanged = _exchanged_precisions(first, second, labels, places, of_clips, generator)
    # An exchange that gives the same difference must not fall below it by rounding.
    as_large = np.abs(exchanged) >= abs(found) * (1 - 1e-9)
    return float((1 + as_large.sum()) / (1 + len(exchanged)))


def _exchanged_gaps(gaps: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Sums of the gaps of the sources, each with either sign: (resamples,)."""
    # A hundred at once, which bounds the memory.
    rounds = range(_RESAMPLES["accuracy"] // 100)
    signs = (generator.choice([-1.0, 1.0], (100, len(gaps))) for _ in rounds)
    return np.concatenate([sign @ gaps for sign in signs])


def _exchanged_precisions(
    first: Tested,
    second: Tested,
    labels: np.ndarray,
    places: np.ndarray,
    source: np.ndarray,
    generator: np.random.Generator,
) -> tuple[float, np.ndarray]:
    """The difference of mAP, summed over folds: as found, and (resamples,) after exchanges of sources."""
    if len(by_seed(first)) > 1 or len(by_seed(second)) > 1:
        raise InputError("results over several seeds have no paired test of mAP; give one seed.")
    one, other = by_seed(first)[0], by_seed(second)[0]

    def difference(exchanged: np.ndarray) -> float:
        swap = exchanged[:, None]
        pair = np.where(swap, other, one), np.where(swap, one, other)
        return sum(
            float(np.subtract(*(_precisions(s[at], labels[at])[0] for s in pair)))
            for at in (places == place for place in range(places.max() + 1))
        )

    n = source.max() + 1
    draws = ((generator.random(n) < 0.5)[source] for _ in range(_RESAMPLES["mAP"]))
    return difference(np.zeros(len(places), dtype=bool)), np.array([*map(difference, draws)])


def holm(p_values: Array) -> np.ndarray:
    """P-values of several tests, corrected so that any false alarm among them stays as rare as in one.

    The smallest of n is multiplied by n, the next by n - 1, and so on; none may fall below the one
    before it (Holm, 1979).

    Args:
        p_values: (n,).

    Returns:
        (n,), at most 1.

    Raises:
        InputError: for what is not (n,), or not between 0 and 1, such as the NaN of a row that was
            not tested.
    """
    p_values = as_float64(p_values, "p_values").cpu().numpy()
    if p_values.ndim != 1 or not ((p_values >= 0) & (p_values <= 1)).all():
        raise InputError(
            f"p_values have shape {p_values.shape}, or are not all between 0 and 1; give (n,) of "
            "them, and leave out what was not tested."
        )
    order = np.argsort(p_values, kind="stable")
    raised = np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1))
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(raised, 1)
    return adjusted


def significance_table(
    results: Mapping[str, Tested],
    labels: np.ndarray,
    folds: np.ndarray,
    against: str,
    sources: Array | None = None,
) -> DataFrame:
    """Each row's figure with its interval, and whether it differs from one of the rows.

    Args:
        results: by the name of their row, all tested on the same clips.
        labels, folds: of the clips.
        against: the row that the others are compared with.
        sources: as of `bootstrap_interval`.

    Returns:
        In per cent, rounded to one decimal: "mean", "standard deviation" over folds, "95 % from",
        "95 % to" (`bootstrap_interval`), and the mean less that of the row ``against``;
        then "p" (`paired_p_value`) and "p (Holm)", with three digits.

    Raises:
        InputError: for a row that is not there, or results of different clips or metrics.
    """
    table = significance(results, labels, folds, against, sources)
    shares = table.columns[:5]
    table[shares] = (100 * table[shares]).round(1)
    return table


def significance(
    results: Mapping[str, Tested],
    labels: np.ndarray,
    folds: np.ndarray,
    against: str,
    sources: Array | None = None,
) -> DataFrame:
    """The `significance_table` before it is in per cent: shares in [0, 1], not rounded."""
    import pandas

    results = as_results(results)
    if against not in results:
        raise InputError(f"no row is called {against!r}; choose from {list(results)}.")
    gap = f"over {against}"
    columns = ["mean", "standard deviation", "95 % from", "95 % to", gap, "p", "p (Holm)"]
    table = pandas.DataFrame(index=list(results), columns=columns, dtype=float)
    for name, result in results.items():
        ends = bootstrap_interval(result, labels, folds, sources=sources)
        table.loc[name, columns[:4]] = (result.mean, result.standard_deviation, *ends)
        if name != against:
            table.loc[name, gap] = result.mean - results[against].mean
            p = paired_p_value(result, results[against], labels, folds, sources=sources)
            table.loc[name, "p"] = p
    others = table.index != against
    table.loc[others, "p (Holm)"] = holm(table.loc[others, "p"].to_numpy())
    for column in columns[5:]:
        table[column] = [float(f"{value:.3g}") for value in table[column]]
    return table


def _of_result(result: Tested, labels: Array, folds: Array) -> tuple[np.ndarray, np.ndarray]:
    """Labels of all clips, and the place of the fold that each was tested in, -1 for none.

    A fine-tuning that validates is named after its test folds, and reports on other folds.
    """
    clips = by_seed(result).shape[1]
    labels, folds = as_labels(labels, clips), as_integers("folds", folds, clips)
    untested = np.isnan(by_seed(result)).any(axis=(0, 2))
    found = np.unique(folds[~untested]).tolist()
    if not found or untested[np.isin(folds, found)].any():
        raise InputError(
            "some folds hold clips that were tested and others that were not; give the folds that the "
            "result was made with."
        )
    places = np.full(clips, -1)
    for place, fold in enumerate(result.folds if {*result.folds} == {*found} else found):
        places[folds == fold] = place
    if {*result.folds} == {*found}:
        values, scores = np.atleast_2d(result.values)[0], by_seed(result)[0]
        again = [metric_of(scores[places == p], labels[places == p]) for p in range(len(found))]
        # Sorted, as a validation reports each fold under the name of another.
        if not np.allclose(np.sort(again), np.sort(values), atol=1e-6, equal_nan=True):
            raise InputError(
                "labels or folds are not those that the result was made with; give these."
            )
    return labels, places


def _sources(sources: Array | None, clips: int) -> np.ndarray:
    """(clips,) int64, each its own where none are given."""
    return np.arange(clips) if sources is None else as_integers("sources", sources, clips)


def as_results(results: object) -> dict[str, Tested]:
    """Results by the name of their row.

    Raises:
        InputError: for what has no names, or is no result.
    """
    results = as_named(results, "results")
    for result in results.values():
        by_seed(result)
    return results


def by_seed(result: Tested) -> np.ndarray:
    """(seeds, clips, classes)."""
    if not hasattr(result, "scores") or not hasattr(result, "metric"):
        raise InputError(
            f"{shown(result)} is no result; give what linear_probe, finetune or read_result returns."
        )
    return result.scores if result.scores.ndim == 3 else result.scores[None]


def _correct(result: Tested, labels: np.ndarray) -> np.ndarray:
    """The share of seeds with which each clip is classified correctly: (clips,)."""
    return (np.atleast_2d(result.predictions) == labels).mean(axis=0)
