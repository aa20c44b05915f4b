"""The gaps, SAP and DCI against scikit-learn, definitions by hand, and cases that are plain."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy, pearsonr
from sklearn.metrics import mutual_info_score

from audiopg import InputError
from audiopg.analysis import (
    attribute_predictability,
    binned_information,
    dci,
    information_gaps,
    mutual_information,
)


def made(clips: int = 600) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Two factors; a dimension of its own for the first, three that share the second, and noise."""
    random = np.random.default_rng(2)
    pitch, loudness = random.uniform(0, 5, clips), random.standard_normal(clips)
    shared = loudness[:, None] + 0.3 * random.standard_normal((clips, 3))
    alone = (pitch + 0.05 * random.standard_normal(clips))[:, None]
    embeddings = np.hstack((alone, shared, random.standard_normal((clips, 4))))
    return embeddings, {"pitch": pitch, "loudness": loudness}


@pytest.mark.parametrize("bins", [2, 7, 20])
def test_binned_information_agrees_with_scikit_learn(bins):
    embeddings, factors = made()
    edges = np.histogram_bin_edges(factors["pitch"], bins)[1:-1]
    factor = np.digitize(factors["pitch"], edges)
    expected = [
        mutual_info_score(np.digitize(x, np.histogram_bin_edges(x, bins)[1:-1]), factor)
        for x in embeddings.T
    ]
    found = binned_information(embeddings, factors["pitch"], bins=bins)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


@settings(max_examples=30)
@given(clips=st.integers(1, 40), bins=st.integers(2, 30), seed=st.integers(0, 2**31))
def test_binned_information_lies_between_0_and_the_entropies(clips, bins, seed):
    random = np.random.default_rng(seed)
    embeddings = np.round(random.standard_normal((clips, 3)), random.integers(0, 3))
    factor = np.round(random.standard_normal(clips), 1)
    own = binned_information(factor[:, None], factor, bins=bins)
    found = binned_information(embeddings, factor, bins=bins)
    assert (found > -1e-12).all()
    assert (found < own + 1e-12).all()
    assert own <= np.log(bins) + 1e-12


def test_a_constant_dimension_tells_nothing():
    assert binned_information(np.full((9, 1), 0.1), np.arange(9)).abs().max() < 1e-15


def test_gaps_are_those_of_the_definition():
    embeddings, factors = made()
    information = {
        name: binned_information(embeddings, values, bins=10) for name, values in factors.items()
    }
    gaps = information_gaps(information, factors, bins=10)
    for row, (name, values) in enumerate(factors.items()):
        norm = entropy(np.histogram(values, 10)[0])
        best, second = np.sort(information[name].numpy())[[-1, -2]]
        assert gaps.scores[row].item() == pytest.approx((best - second) / norm)
        assert gaps.norms[row].item() == pytest.approx(norm)
        assert gaps.dimensions[row, 0] == information[name].argmax()
    assert gaps.scores[0] > 0.5
    assert gaps.scores[1] < 0.1
    table = gaps.table()
    assert table.index.tolist() == ["pitch", "loudness"]
    np.testing.assert_allclose(table["gap"], gaps.scores)


def test_what_is_not_finite_is_never_the_best():
    _, factors = made()
    information = {name: torch.tensor([0.3, torch.nan, 0.1]) for name in factors}
    with pytest.raises(InputError, match="some scores are not finite, so none is the best"):
        information_gaps(information, factors)


def test_a_factor_that_does_not_vary_has_no_importance():
    embeddings, factors = made(40)
    factors["loudness"] = np.arange(40) == 3
    with pytest.raises(
        InputError, match="loudness has a single value in a part of split 0; R² needs"
    ):
        dci(embeddings, factors)


def test_gaps_of_kraskov_s_estimate_tell_the_same_story():
    embeddings, factors = made()
    information = {name: mutual_information(embeddings, v) for name, v in factors.items()}
    gaps = information_gaps(information, factors)
    assert gaps.dimensions[0, 0] == 0
    assert gaps.scores[0] > 0.5 > 0.1 > gaps.scores[1]


def test_predictability_is_the_squared_correlation():
    embeddings, factors = made()
    embeddings = np.hstack((embeddings, np.full((600, 1), 3.0)))
    result = attribute_predictability(torch.from_numpy(embeddings).float(), factors)
    for row, values in enumerate(factors.values()):
        squared = [pearsonr(x, values)[0] ** 2 for x in embeddings[:, :-1].T]
        order = np.argsort(squared)[::-1]
        np.testing.assert_array_equal(result.dimensions[row], order[:2])
        np.testing.assert_allclose(result.values[row], np.sort(squared)[::-1][:2], atol=1e-5)
    assert result.scores[0] > 0.9 > 0.1 > result.scores[1]


def test_dci_of_dimensions_of_their_own():
    random = np.random.default_rng(4)
    factors = {"a": random.standard_normal(400), "b": random.standard_normal(400)}
    apart = np.stack(list(factors.values()), axis=1)
    turned = apart @ np.array([[1, 1], [1, -1]]) / 2**0.5
    own, mixed = dci(apart, factors, trees=20), dci(turned, factors, trees=20)
    assert own.disentanglement > 0.9
    assert own.completeness.min() > 0.9
    assert own.informativeness.min() > 0.95
    assert mixed.disentanglement < 0.1
    assert mixed.completeness.max() < 0.1
    assert mixed.informativeness.min() > 0.8
    np.testing.assert_allclose(own.importance.sum(axis=0), 1)


@pytest.mark.parametrize("offset", [3e5, -3e6, 1e9])
def test_dci_is_the_same_wherever_embeddings_and_factors_lie(offset):
    embeddings, factors = made()
    expected = dci(embeddings, factors)
    # In steps that survive the offset.
    embeddings, factors = (
        np.round(embeddings, 6),
        {name: np.round(values, 6) for name, values in factors.items()},
    )
    moved = {name: values + offset for name, values in factors.items()}
    found = dci(embeddings + offset, moved)
    np.testing.assert_allclose(found.informativeness, expected.informativeness, atol=0.01)
    np.testing.assert_allclose(found.importance, expected.importance, atol=0.02)
    small = dci(1 + embeddings * 1e-9, factors)
    np.testing.assert_allclose(small.importance, expected.importance, atol=0.02)
    assert np.isfinite(small.table().to_numpy()).all()


def test_dci_of_embeddings_that_do_not_vary_is_refused():
    _, factors = made()
    with pytest.raises(InputError, match="embeddings do not vary, so no dimension is of use"):
        dci(np.ones((600, 3)), factors)


def test_dci_scores_are_those_of_the_definition():
    embeddings, factors = made(200)
    result = dci(embeddings, factors, trees=5, seed=3)
    shares = result.importance
    completeness = [1 - entropy(column, base=len(shares)) for column in shares.T]
    np.testing.assert_allclose(result.completeness, completeness)
    used = shares[shares.sum(axis=1) > 0]
    own = [1 - entropy(row, base=2) for row in used]
    assert result.disentanglement == pytest.approx(np.average(own, weights=used.sum(axis=1)))
    table = result.table()
    assert set(table.columns) == {"completeness", "informativeness", "disentanglement"}
    np.testing.assert_array_equal(dci(embeddings, factors, trees=5, seed=3).importance, shares)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda e, f: binned_information(e, f["pitch"], bins=1),
            "bins is 1; give a whole number, 2 or more",
        ),
        (lambda e, f: information_gaps({"pitch": np.ones(3)}, f), "name the same"),
        (lambda e, f: information_gaps({"x": np.ones(3)}, {"x": np.ones(9)}), "single value"),
        (lambda e, f: information_gaps({"x": np.ones(1)}, {"x": np.arange(9)}), "two dimensions"),
        (lambda e, f: attribute_predictability(e, {}), "no factors"),
        (lambda e, f: attribute_predictability(e[:, :1], f), "two dimensions"),
        (lambda e, f: dci(e, {"pitch": f["pitch"]}), "2 factors"),
        (lambda e, f: dci(e, f, trees=0), "trees is 0; give a whole number, 1 or more"),
        (lambda e, f: dci(e[:4], {n: v[:4] for n, v in f.items()}), "4 clips leaves 1 to test on"),
        (lambda e, f: dci(e[:9], f), "each of the 9 clips"),
    ],
)
def test_refuses_unusable_input(call, message):
    with pytest.raises(InputError, match=message):
        call(*made())
