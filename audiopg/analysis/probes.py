"""Which physical factors a linear map reads from frozen embeddings (Section 4.4)."""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from audiopg.analysis.information import as_embeddings, as_factor
from audiopg.errors import InputError

# Half decades: from nearly no regularisation to weights of nearly zero.
_STRENGTHS = np.logspace(-4, 6, 21)


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
        return float(self.r2.std(ddof=1)) if len(self.r2) > 1 else float("nan")


def ridge_r2(
    embeddings: Tensor | np.ndarray,
    factor: Tensor | np.ndarray,
    *,
    test_share: float = 0.25,
    repeats: int = 5,
    seed: int = 0,
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
        seed: of the splits, at least 0.

    Returns:
        R² and penalty of each split, and the predictions of the first.

    Raises:
        InputError: when shapes do not agree, a value is not finite, a setting is out of range, or
            a part has fewer than two clips or a factor of a single value.
    """
    embeddings = as_embeddings(embeddings).cpu().numpy()
    clips = len(embeddings)
    factor = as_factor(factor, clips).cpu().numpy()
    if not 0 < test_share < 1:
        raise InputError(f"test_share is {test_share}; hold out a share between 0 and 1.")
    if repeats < 1 or seed < 0:
        raise InputError(
            f"repeats is {repeats} and seed {seed}; give at least 1 repeat and a seed of at least 0."
        )
    n_test = round(test_share * clips)
    if not 2 <= n_test <= clips - 2:
        raise InputError(
            f"A test_share of {test_share} of {clips} clips leaves {n_test} to test on and "
            f"{clips - n_test} to train on; both need at least 2."
        )

    random = np.random.default_rng(seed)
    r2, strengths = np.empty(repeats), np.empty(repeats)
    for repeat in range(repeats):
        test, train = np.split(random.permutation(clips), [n_test])
        if np.ptp(factor[test]) == 0 or np.ptp(factor[train]) == 0:
            raise InputError(
                f"factor has a single value in a part of split {repeat}; "
                "R² needs one that varies, so give more clips or another factor."
            )
        scaler = StandardScaler().fit(embeddings[train])
        weights, strengths[repeat] = _ridge(scaler.transform(embeddings[train]), factor[train])
        predicted = scaler.transform(embeddings[test]) @ weights + factor[train].mean()
        r2[repeat] = r2_score(factor[test], predicted)
        if repeat == 0:
            first = {"indices": test, "truth": factor[test], "predicted": predicted}
    return RidgeResult(r2=r2, strengths=strengths, **first)


def _ridge(features: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, float]:
    """Ridge weights for centred features, with the penalty of least leave-one-out error.

    One singular value decomposition serves every penalty: a clip's leave-one-out error is its
    residual divided by one minus its leverage.

    Args:
        features: (clips, dimensions), each of mean zero.
        target: (clips,); its mean is the intercept.

    Returns:
        (dimensions,) weights, and the penalty.
    """
    centred = target - target.mean()
    left, singular, right = np.linalg.svd(features, full_matrices=False)
    shrinkage = singular**2 / (singular**2 + _STRENGTHS[:, None])
    fitted = (shrinkage * (centred @ left)) @ left.T
    leverage = shrinkage @ (left**2).T + 1 / len(target)
    error = np.square((centred - fitted) / (1 - leverage)).mean(axis=1)
    strength = _STRENGTHS[error.argmin()]
    weights = (singular / (singular**2 + strength) * (centred @ left)) @ right
    return weights, float(strength)
