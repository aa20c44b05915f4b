"""Which physical factors a linear map reads from frozen embeddings (Section 4.4)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

from audiopg._types import Array, DataFrame
from audiopg.analysis.information import as_factor, as_factors
from audiopg.errors import InputError
from audiopg.inputs import as_embeddings, as_named, random_by, share, whole_number
from audiopg.transfer.statistics import deviation

# Half decades: from nearly no regularisation to weights of nearly zero.
_STRENGTHS = np.logspace(-4, 6, 21)
# Draws of the bootstrap.
_RESAMPLES = 2000


@dataclass(frozen=True, eq=False)
class RidgeResult:
    """A ridge regression, tested on held-out clips of several random splits.

    Attributes:
        r2: (repeats,) the held-out R² of each split; 1 is perfect, 0 is predicting the mean of the
            test part, and worse than that is negative.
        strengths: (repeats,) the penalty chosen on each training part.
        indices: (test clips,) int64, the clips held out in the first split.
        truth: (test clips,) the factor of these clips.
        predicted: (test clips,) what was predicted for them.
    """

    r2: np.ndarray
    strengths: np.ndarray
    indices: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray

    @property
    def mean(self) -> float:
        """Mean R² over the splits."""
        return float(self.r2.mean())

    @property
    def standard_deviation(self) -> float:
        """Sample standard deviation (n - 1) of R² over the splits; nan for a single one."""
        return deviation(self.r2)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % bootstrap interval of the first split's R², over draws of its held-out clips.

        Both ends are nan for fewer than 3 of these, of which all draws that differ are the same.
        """
        clips = len(self.truth)
        if clips < 3:
            return math.nan, math.nan
        drawn = np.random.default_rng(0).integers(clips, size=(_RESAMPLES, clips))
        truth = self.truth[drawn]
        residual = np.square(self.truth - self.predicted)[drawn].sum(axis=1)
        total = np.square(truth - truth.mean(axis=1, keepdims=True)).sum(axis=1)
        varies = total > 0
        low, high = np.quantile(1 - residual[varies] / total[varies], (0.025, 0.975))
        return float(low), float(high)


@dataclass(frozen=True, eq=False)
class RidgeComparison:
    """The same factors read from several embeddings of the same clips, on the same splits.

    Attributes:
        results: name of the embeddings -> factor -> result.
    """

    results: dict[str, dict[str, RidgeResult]]

    def table(self) -> DataFrame:
        """Held-out R²: a row for each embeddings and factor.

        Mean and standard deviation are over the splits, the interval from "low" to "high" is the
        first split's (`RidgeResult.interval`).
        """
        import pandas

        rows = {
            (name, factor): (result.mean, result.standard_deviation, *result.interval)
            for name, factors in self.results.items()
            for factor, result in factors.items()
        }
        index = pandas.MultiIndex.from_tuples(rows, names=["embeddings", "factor"])
        columns = ["R²", "standard deviation", "low", "high"]
        return pandas.DataFrame(rows.values(), index=index, columns=columns)


@dataclass(frozen=True, eq=False)
class Ablation:
    """The R² of a ridge probe with some dimensions silenced, on held-out clips.

    Attributes:
        counts: (n,) how many dimensions are silenced.
        intact: R² with none silenced.
        top: (n,) R² without those that rank first.
        random: (n, draws) R² without as many drawn at random.
        relearnt: (n,) R² of a probe trained anew without those that rank first.
    """

    counts: np.ndarray
    intact: float
    top: np.ndarray
    random: np.ndarray
    relearnt: np.ndarray

    def table(self) -> DataFrame:
        """A row for each number of dimensions; of the random draws the mean and the middle 95 %."""
        import pandas

        low, high = np.quantile(self.random, (0.025, 0.975), axis=1)
        columns = {
            "intact": self.intact,
            "without the top": self.top,
            "without random": self.random.mean(axis=1),
            "random, low": low,
            "random, high": high,
            "relearnt": self.relearnt,
        }
        return pandas.DataFrame(columns, index=pandas.Index(self.counts, name="silenced"))


def ridge_r2(
    embeddings: Array, factor: Array, *, test_share: float = 0.25, repeats: int = 5, seed: int = 0
) -> RidgeResult:
    """Held-out R² of a ridge regression of one factor on all dimensions (Section 4.4).

    Every choice is made on the training part: the mean and standard deviation that standardise the
    dimensions, the weights, and the penalty, which has the smallest leave-one-out error among 21
    values from 1e-4 to 1e6.

    Args:
        embeddings: (clips, dimensions), finite.
        factor: (clips,), finite and not constant.
        test_share: the share of clips held out in each split, in (0, 1).
        repeats: the number of random splits, at least 1. The first splits of a longer run are
            those of a shorter one.
        seed: of the splits.

    Returns:
        R² and penalty of each split, and the predictions of the first.

    Raises:
        InputError: when shapes do not agree, a value is not finite, a setting is out of range, or
            a part has fewer than two clips or a factor of a single value.
    """
    return _probe(embeddings, {"factor": factor}, test_share, repeats, seed)["factor"]


def ridge_comparison(
    embeddings: Mapping[str, Array],
    factors: Mapping[str, Array],
    *,
    test_share: float = 0.25,
    repeats: int = 5,
    seed: int = 0,
) -> RidgeComparison:
    """`ridge_r2` of every factor from every embeddings, of identical clips on identical splits.

    The embeddings may be those of several encoders, with a random one and raw log-mel among them;
    of the layers of one encoder; or of encoders pre-trained on more and more clips.

    Args:
        embeddings: name -> (clips, dimensions); dimensions may differ.
        factors: name -> (clips,).
        test_share, repeats, seed: as in `ridge_r2`.

    Raises:
        InputError: as `ridge_r2`.
    """
    named = as_named(embeddings, "embeddings")
    return RidgeComparison(
        {name: _probe(e, factors, test_share, repeats, seed) for name, e in named.items()}
    )


def ablate(
    embeddings: Array,
    factor: Array,
    ranking: Array,
    *,
    counts: Sequence[int] = (1, 2, 5, 10, 20, 50, 100),
    draws: int = 200,
    test_share: float = 0.25,
    seed: int = 0,
) -> Ablation:
    """Silence the top dimensions of a factor, or as many random ones, and read the factor again.

    The probe is trained with all dimensions; in the held-out clips, some are then set to their mean.
    This tells which dimensions the probe uses. A probe that is trained anew without them tells what the
    others could make up for.

    Args:
        embeddings: (clips, dimensions), finite.
        factor: (clips,), finite and not constant.
        ranking: (dimensions,) all of them, the most important first, such as
            ``information.argsort(descending=True)``.
        counts: of dimensions to silence; those that leave none to read from are passed over.
        draws: of random dimensions for each count, at least 1.
        test_share, seed: as in `ridge_r2`.

    Raises:
        InputError: as `ridge_r2`; for a ranking that is not one of all dimensions, or no draws.
    """
    embeddings = as_embeddings(embeddings).cpu().numpy()
    clips, dimensions = embeddings.shape
    factor = as_factor(factor, clips).cpu().numpy()
    ranking = as_factor(ranking, dimensions).cpu().numpy()
    counts = [whole_number(count, "a count") for count in np.atleast_1d(counts)]
    counts = np.array([count for count in counts if count < dimensions], dtype=np.int64)
    draws = whole_number(draws, "draws")
    if sorted(ranking) != list(range(dimensions)):
        raise InputError(
            f"ranking holds {len(set(ranking))} of {dimensions} dimensions; rank every one once, from "
            "0."
        )
    ranking = ranking.astype(np.int64)
    ((test, train),) = splits(clips, test_share, 1, seed)
    require_variation({"factor": factor}, test, train, 0)
    parts = standardised(embeddings, test, train)
    return _ablated(parts, (factor[train], factor[test]), ranking, counts, draws, seed)


def _ablated(
    features: tuple[np.ndarray, np.ndarray],
    factor: tuple[np.ndarray, np.ndarray],
    ranking: np.ndarray,
    counts: np.ndarray,
    draws: int,
    seed: int,
) -> Ablation:
    """`ablate` from (clips, dimensions) and (clips,) of the training and test parts."""
    (train, test), (known, asked) = features, factor
    weights, _ = ridge_weights(train, known)
    # The term that each dimension adds to a prediction.
    terms, fallback = test * weights, known.mean()
    total = np.square(asked - asked.mean()).sum()
    random = random_by(seed)

    def score(predicted: np.ndarray) -> np.ndarray:
        """R² of each row of (..., clips), predictions less the training mean."""
        return 1 - np.square(asked - (fallback + predicted)).sum(axis=-1) / total

    top, drawn, relearnt = [], [], []
    for count in counts:
        others = ranking[count:]
        top.append(score(terms[:, others].sum(axis=1)))
        is_kept = np.ones((draws, len(ranking)))
        is_kept[:, :count] = 0
        drawn.append(score(random.permuted(is_kept, axis=1) @ terms.T))
        relearnt.append(score(test[:, others] @ ridge_weights(train[:, others], known)[0]))
    intact = float(score(terms.sum(axis=1)))
    drawn = np.array(drawn).reshape(len(counts), draws)
    return Ablation(counts, intact, np.array(top), drawn, np.array(relearnt))


def _probe(
    embeddings: Array, factors: Mapping[str, Array], test_share: float, repeats: int, seed: int
) -> dict[str, RidgeResult]:
    embeddings = as_embeddings(embeddings).cpu().numpy()
    factors = {n: v.cpu().numpy() for n, v in as_factors(factors, len(embeddings)).items()}
    first: dict[str, dict[str, np.ndarray]] = {}
    repeats = whole_number(repeats, "repeats")
    r2, strengths = (np.empty((len(factors), repeats)) for _ in range(2))
    for repeat, (test, train) in enumerate(splits(len(embeddings), test_share, repeats, seed)):
        require_variation(factors, test, train, repeat)
        train_part, test_part = standardised(embeddings, test, train)
        parts = np.linalg.svd(train_part, full_matrices=False)
        for row, (name, factor) in enumerate(factors.items()):
            weights, strengths[row, repeat] = ridge_weights(train_part, factor[train], parts)
            predicted = test_part @ weights + factor[train].mean()
            r2[row, repeat] = r2_score(factor[test], predicted)
            first.setdefault(name, {"indices": test, "truth": factor[test], "predicted": predicted})
    return {n: RidgeResult(r2[i], strengths[i], **first[n]) for i, n in enumerate(factors)}


def splits(
    clips: int, test_share: float, repeats: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(test, train) indices of some random splits."""
    n_test = round(share(test_share, "test_share") * clips)
    if not 2 <= n_test <= clips - 2:
        raise InputError(
            f"A test_share of {test_share} of {clips} clips leaves {n_test} to test on and "
            f"{clips - n_test} to train on; both need at least 2."
        )
    random = random_by(seed)
    return [tuple(np.split(random.permutation(clips), [n_test])) for _ in range(repeats)]


def require_variation(
    factors: Mapping[str, np.ndarray], test: np.ndarray, train: np.ndarray, split: int
) -> None:
    """Refuse a factor of a single value in the test or the training part of a split of that number."""
    for name, factor in factors.items():
        if np.ptp(factor[test]) == 0 or np.ptp(factor[train]) == 0:
            raise InputError(
                f"{name} has a single value in a part of split {split}; "
                "R² needs one that varies, so give more clips or another factor."
            )


def standardised(
    embeddings: np.ndarray, test: np.ndarray, train: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The training and the test part, by the mean and deviation of the training part."""
    scaler = StandardScaler().fit(embeddings[train])
    return scaler.transform(embeddings[train]), scaler.transform(embeddings[test])


def ridge_weights(
    features: np.ndarray,
    target: np.ndarray,
    parts: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, float]:
    """Ridge weights for centred features, with the penalty of least leave-one-out error.

    One singular value decomposition serves every penalty: a clip's leave-one-out error is its
    residual divided by one minus its leverage.

    Args:
        features: (clips, dimensions), each of mean zero.
        target: (clips,); its mean is the intercept.
        parts: the singular value decomposition of ``features``, where it is known already.

    Returns:
        (dimensions,) weights, and the penalty.
    """
    centred = target - target.mean()
    left, singular, right = parts or np.linalg.svd(features, full_matrices=False)
    shrinkage = singular**2 / (singular**2 + _STRENGTHS[:, None])
    fitted = (shrinkage * (centred @ left)) @ left.T
    leverage = shrinkage @ (left**2).T + 1 / len(target)
    error = np.square((centred - fitted) / (1 - leverage)).mean(axis=1)
    strength = _STRENGTHS[error.argmin()]
    weights = (singular / (singular**2 + strength) * (centred @ left)) @ right
    return weights, float(strength)
