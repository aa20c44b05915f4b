"""Logistic regression, against scikit-learn's and against the gradient of its objective."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from audiopg.transfer import logistic
from audiopg.transfer.logistic import fit_logistic

TOLERANCE = 1e-6
STRENGTHS = [1e-3, 1e-1, 10.0]


@pytest.fixture(autouse=True)
def single_thread():
    with threadpool_limits(1):
        yield


def make_clips(clips=150, dimensions=12, classes=6, correlated=False, seed=0):
    """Features of mean 0 and deviation 1, and logits of which the later classes have less."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(clips, dimensions))
    if correlated:
        features = np.cumsum(features, axis=1) + 30 * rng.normal(size=(clips, 1))
    logits = features @ rng.normal(size=(dimensions, classes)) / features.std()
    logits += 2 * rng.normal(size=logits.shape) - np.linspace(0, 4, classes)
    return (features - features.mean(axis=0)) / features.std(axis=0), logits


def slopes(model, features, labels, strength):
    """The gradient of the mean loss, and the penalty's in proportion, from the formula."""
    found = model.probabilities(features)
    truth = labels if labels.ndim == 2 else np.eye(found.shape[1])[labels]
    error = (found - truth) / len(features)
    return np.vstack(
        [features.T @ error + model.weights / (strength * len(features)), error.sum(0)]
    )


def how_far(features, strength):
    """How far from the minimum a gradient within the tolerance can leave the weights.

    The penalty's curvature is the least there is, and both sides may be off.
    """
    return 2 * TOLERANCE * np.sqrt(features.shape[1]) * strength * len(features)


@pytest.mark.parametrize("correlated", [False, True])
def test_one_class_a_clip_has_the_weights_of_scikit_learn(correlated):
    features, logits = make_clips(correlated=correlated)
    labels = logits.argmax(axis=1)
    for strength, model in zip(
        STRENGTHS, fit_logistic(features, labels, STRENGTHS, 6), strict=True
    ):
        assert np.abs(slopes(model, features, labels, strength)).max() <= TOLERANCE
        reference = LogisticRegression(C=strength, tol=1e-8, max_iter=100_000)
        reference.fit(features, labels)
        bound = how_far(features, strength) * np.sqrt(6)
        np.testing.assert_allclose(model.weights, reference.coef_.T, atol=bound, rtol=0)
        expected = reference.predict_proba(features)
        np.testing.assert_allclose(model.probabilities(features), expected, atol=1e-3)


@pytest.mark.parametrize("correlated", [False, True])
def test_each_class_against_the_rest_has_the_weights_of_scikit_learn(correlated):
    features, logits = make_clips(correlated=correlated)
    labels = logits > 0
    for strength, model in zip(
        STRENGTHS, fit_logistic(features, labels, STRENGTHS, 6), strict=True
    ):
        assert np.abs(slopes(model, features, labels, strength)).max() <= TOLERANCE
        for column in range(6):
            reference = LogisticRegression(C=strength, tol=1e-8, max_iter=100_000)
            reference.fit(features, labels[:, column])
            np.testing.assert_allclose(
                model.weights[:, column],
                reference.coef_[0],
                atol=how_far(features, strength),
                rtol=0,
            )
            expected = reference.predict_proba(features)[:, 1]
            found = model.probabilities(features)[:, column]
            np.testing.assert_allclose(found, expected, atol=1e-3)


def test_two_classes_share_one_vector_of_weights_as_in_scikit_learn():
    features, logits = make_clips(classes=2)
    labels = 3 * logits.argmax(axis=1) + 1
    (model,) = fit_logistic(features, labels, [0.5], 6)
    reference = LogisticRegression(C=0.5, tol=1e-8, max_iter=10_000).fit(features, labels)
    found = model.probabilities(features)
    np.testing.assert_allclose(found[:, [1, 4]], reference.predict_proba(features), atol=1e-4)
    assert (found[:, [0, 2, 3, 5]] == 0).all()


@settings(max_examples=25)
@given(
    st.integers(5, 60),
    st.integers(1, 40),
    st.integers(2, 5),
    st.booleans(),
    st.lists(st.floats(1e-4, 1e3), min_size=1, max_size=3),
    st.integers(0, 2**32 - 1),
)
def test_every_fit_ends_at_a_minimum(clips, dimensions, classes, several, strengths, seed):
    features, logits = make_clips(clips, dimensions, classes, seed=seed)
    features = np.nan_to_num(features)
    labels = logits > 0 if several else logits.argmax(axis=1)
    if not several and len(np.unique(labels)) == 1:
        labels[0] = (labels[0] + 1) % classes
    strengths = sorted(strengths)
    fitted = labels.any(0) & ~labels.all(0) if several else np.isin(range(classes), labels)
    for strength, model in zip(
        strengths, fit_logistic(features, labels, strengths, classes), strict=True
    ):
        left = slopes(model, features, labels, strength)
        if not several and fitted.sum() == 2:
            # One vector of weights for both, of which the other column is none.
            left[:-1] = np.where(model.weights.any(axis=0), left[:-1], 0)
        assert np.abs(left[:, fitted]).max(initial=0) <= TOLERANCE * (1 + 1e-6)
        assert (model.weights[:, ~fitted] == 0).all()


def test_more_dimensions_than_clips_and_separable_classes_converge():
    features, logits = make_clips(clips=40, dimensions=80)
    for labels in (logits > 0, logits.argmax(axis=1)):
        for strength, model in zip(
            [1.0, 1e3], fit_logistic(features, labels, [1.0, 1e3], 6), strict=True
        ):
            assert np.abs(slopes(model, features, labels, strength)).max() <= TOLERANCE


def test_what_comes_before_on_the_path_changes_nothing():
    features, logits = make_clips()
    for labels in (logits > 0, logits.argmax(axis=1)):
        after = fit_logistic(features, labels, [1e-3, 1e-1, 1.0], 6)[-1]
        alone = fit_logistic(features, labels, [1.0], 6)[0]
        bound = how_far(features, 1.0) * np.sqrt(6)
        np.testing.assert_allclose(after.weights, alone.weights, atol=bound)


def test_a_class_that_all_have_or_none_needs_no_features():
    features, logits = make_clips()
    labels = logits > 0
    labels[:, 1], labels[:, 3] = True, False
    (model,) = fit_logistic(features, labels, [1.0], 6)
    assert (model.weights[:, [1, 3]] == 0).all()
    assert (model.intercepts[[1, 3]] == [np.inf, -np.inf]).all()
    assert (model.probabilities(features)[:, [1, 3]] == [1, 0]).all()
    assert np.isfinite(np.delete(model.intercepts, [1, 3])).all()
    (model,) = fit_logistic(features, labels[:, [1]], [1.0], 1)
    assert (model.probabilities(features) == 1).all()


def test_what_does_not_converge_is_said(monkeypatch):
    monkeypatch.setattr(logistic, "_MOST_STEPS", 2)
    features, logits = make_clips()
    with pytest.warns(ConvergenceWarning, match="newton-cg failed to converge"):
        fit_logistic(features, logits > 0, [10.0], 6)


def test_features_that_differ_by_their_rounding_have_the_same_model():
    """Stopped at the tolerance of scikit-learn, probabilities here differ by thousandths."""
    features, logits = make_clips(correlated=True, dimensions=60)
    labels = logits.argmax(axis=1)
    rounded = features.astype(np.float32).astype(np.float64)
    one, other = (fit_logistic(f, labels, STRENGTHS, 6) for f in (features, rounded))
    for model, same in zip(one, other, strict=True):
        found = model.probabilities(features), same.probabilities(rounded)
        np.testing.assert_allclose(*found, atol=1e-4)
