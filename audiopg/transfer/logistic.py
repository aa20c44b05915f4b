"""Logistic regression close to the minimum, so that the rounding of features changes no result.

scikit-learn finds the minimum; folds and the choice of C are in `audiopg.transfer.probe`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression

# The largest entry of the gradient of the mean loss may be this, a hundredth of scikit-learn's default.
# At the default, the rounding of features changes models by enough to change a choice among them.
_TOLERANCE = 1e-6
_MOST_STEPS = 10_000


@dataclass(frozen=True, eq=False)
class LogisticModel:
    """A fitted model: weights (dimensions, classes), intercepts (classes,)."""

    weights: np.ndarray
    intercepts: np.ndarray
    multi_label: bool

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Probabilities (clips, classes) for features (clips, dimensions)."""
        logits = features @ self.weights + self.intercepts
        return expit(logits) if self.multi_label else softmax(logits, axis=1)


def fit_logistic(
    features: np.ndarray, labels: np.ndarray, strengths: Sequence[float], n_classes: int
) -> list[LogisticModel]:
    """The minimum of scikit-learn's objective, C Σ loss + ½ ‖weights‖², for each of some C.

    The regression is multinomial where a clip has one class (with two in all, of one weight vector
    for both), and one a class against the rest where it can have several.

    Args:
        features: (clips, dimensions) float64, standardised.
        labels: (clips,) integers below ``n_classes``, of at least two classes; or (clips,
            n_classes) bool.
        strengths: the values of C, ascending; a larger one regularises less.
        n_classes: columns of the weights.

    Returns:
        A model for each C. A class that no clip has, and against the rest one that all have, has
        weights of zero and an infinite intercept.
    """
    multi_label = labels.ndim == 2
    bare = np.full(n_classes, -np.inf)
    if multi_label:
        bare[labels.all(axis=0)] = np.inf
        fitted = np.flatnonzero(labels.any(axis=0) & ~labels.all(axis=0))
        problems = [([column], labels[:, column]) for column in fitted]
    else:
        fitted = np.unique(labels)
        if len(fitted) == 2:
            bare[fitted[0]], fitted = 0, fitted[1:]
        problems = [(fitted, labels)]
    models = [
        LogisticModel(np.zeros((features.shape[1], n_classes)), bare.copy(), multi_label)
        for _ in strengths
    ]
    for columns, targets in problems:
        path = _path(features, targets, strengths)
        for model, (weights, intercepts) in zip(models, path, strict=True):
            model.weights[:, columns], model.intercepts[columns] = weights, intercepts
    return models


def _path(
    features: np.ndarray, targets: np.ndarray, strengths: Sequence[float]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Weights and intercepts for each C, which begins at the minimum of the one before."""
    regression = LogisticRegression(
        solver="newton-cg", tol=_TOLERANCE, max_iter=_MOST_STEPS, warm_start=True
    )
    for strength in strengths:
        regression.set_params(C=strength).fit(features, targets)
        yield regression.coef_.T, regression.intercept_
