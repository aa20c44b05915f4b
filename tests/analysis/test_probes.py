"""The ridge probe against scikit-learn by hand, closed cases and a leakage test."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import LeaveOneOut, cross_val_score

from audiopg import InputError
from audiopg.analysis import ablate, ridge_comparison, ridge_r2


def made(clips: int, dimensions: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    embeddings = random.standard_normal((clips, dimensions)) * random.uniform(0.1, 50, dimensions)
    factor = embeddings @ random.standard_normal(dimensions) / 50 + 300
    return embeddings + 1000, factor + noise * random.standard_normal(clips)


def test_agrees_with_a_ridge_by_hand():
    embeddings, factor = made(60, 8, noise=2.0)
    result = ridge_r2(embeddings, factor, test_share=0.3, repeats=1, seed=4)
    test = result.indices
    train = np.setdiff1d(np.arange(60), test)
    assert len(test) == 18
    mean, deviation = embeddings[train].mean(axis=0), embeddings[train].std(axis=0)
    standard = (embeddings - mean) / deviation

    errors = []
    candidates = 10.0 ** np.arange(-4, 6.5, 0.5)
    for strength in candidates:
        scores = cross_val_score(
            Ridge(alpha=strength),
            standard[train],
            factor[train],
            cv=LeaveOneOut(),
            scoring="neg_mean_squared_error",
        )
        errors.append(-scores.mean())
    best = candidates[np.argmin(errors)]
    assert result.strengths[0] == pytest.approx(best)

    centred = factor[train] - factor[train].mean()
    gram = standard[train].T @ standard[train] + best * np.eye(8)
    weights = np.linalg.solve(gram, standard[train].T @ centred)
    predicted = standard[test] @ weights + factor[train].mean()
    np.testing.assert_allclose(result.predicted, predicted, rtol=1e-9)
    np.testing.assert_array_equal(result.truth, factor[test])
    residual = ((factor[test] - predicted) ** 2).sum()
    spread = ((factor[test] - factor[test].mean()) ** 2).sum()
    assert result.r2[0] == pytest.approx(1 - residual / spread)


@pytest.mark.parametrize(("clips", "dimensions"), [(200, 10), (60, 100)])
def test_random_target_is_not_predicted(clips, dimensions):
    embeddings, _ = made(clips, dimensions, noise=0.0)
    factor = np.random.default_rng(1).standard_normal(clips)
    result = ridge_r2(embeddings, factor, repeats=10)
    assert -0.3 < result.mean < 0.1


def test_linear_target_is_predicted_despite_constant_and_repeated_dimensions():
    embeddings, factor = made(200, 10, noise=0.0)
    embeddings = np.hstack((embeddings, embeddings[:, :3], np.full((200, 2), 7.0)))
    result = ridge_r2(torch.from_numpy(embeddings).float().requires_grad_(), factor)
    assert result.r2.min() > 0.9999


def test_nothing_leaks_from_the_held_out_clips():
    embeddings, factor = made(80, 12, noise=3.0)
    before = ridge_r2(embeddings, factor, repeats=1)
    changed, probed = before.indices[:10], before.indices[10:]
    embeddings[changed] *= 100
    factor[before.indices] = np.random.default_rng(2).uniform(-1e6, 1e6, len(before.indices))
    after = ridge_r2(embeddings, factor, repeats=1)
    np.testing.assert_array_equal(after.indices, before.indices)
    np.testing.assert_array_equal(after.strengths, before.strengths)
    np.testing.assert_array_equal(after.predicted[10:], before.predicted[10:])
    assert not np.intersect1d(changed, probed).size


def test_splits_follow_the_seed():
    embeddings, factor = made(80, 12, noise=3.0)
    five, two = (
        ridge_r2(embeddings, factor, seed=3),
        ridge_r2(embeddings, factor, seed=3, repeats=2),
    )
    assert len(five.r2) == 5
    assert len(np.unique(five.r2)) == 5
    np.testing.assert_array_equal(five.r2[:2], two.r2)
    assert not np.array_equal(five.indices, ridge_r2(embeddings, factor, seed=4).indices)
    assert five.mean == pytest.approx(np.mean(five.r2))
    assert five.standard_deviation == pytest.approx(np.sqrt(((five.r2 - five.mean) ** 2).sum() / 4))
    assert np.isnan(ridge_r2(embeddings, factor, repeats=1).standard_deviation)


@pytest.mark.parametrize(
    ("embeddings", "factor", "options", "message"),
    [
        (np.eye(8), np.arange(7), {}, "each of the 8 clips"),
        (np.eye(8), np.full(8, np.nan), {}, "not finite"),
        (np.full((8, 2), np.inf), np.arange(8), {}, "not finite"),
        (np.ones(8), np.arange(8), {}, r"give \(clips, dimensions\)"),
        (np.eye(8), np.ones(8), {}, "single value"),
        (np.eye(8), np.arange(8), {"test_share": 0.0}, "between 0 and 1"),
        (np.eye(8), np.arange(8), {"test_share": 1.0}, "between 0 and 1"),
        (np.eye(8), np.arange(8), {"test_share": 0.1}, "both need at least 2"),
        (np.eye(8), np.arange(8), {"test_share": 0.9}, "both need at least 2"),
    ],
)
def test_refuses_unusable_input(embeddings, factor, options, message):
    with pytest.raises(InputError, match=message):
        ridge_r2(embeddings, factor, **options)


def test_a_comparison_is_every_probe_by_itself():
    embeddings, factor = made(90, 12, noise=3.0)
    several = {"all": embeddings, "few": torch.from_numpy(embeddings[:, :3])}
    factors = {"known": factor, "other": np.random.default_rng(7).standard_normal(90)}
    result = ridge_comparison(several, factors, repeats=3, seed=2)
    table = result.table()
    assert table.index.names == ["embeddings", "factor"]
    for name, values in several.items():
        for asked, truth in factors.items():
            alone = ridge_r2(values, truth, repeats=3, seed=2)
            np.testing.assert_allclose(result.results[name][asked].r2, alone.r2)
            np.testing.assert_array_equal(result.results[name][asked].indices, alone.indices)
            assert table.loc[(name, asked), "R²"] == pytest.approx(alone.mean)
            assert table.loc[(name, asked), "standard deviation"] == pytest.approx(
                alone.standard_deviation
            )


def test_ablation_of_what_alone_is_known():
    """Two dimensions hold the factor; 18 others hold nothing."""
    random = np.random.default_rng(3)
    embeddings = random.standard_normal((400, 20)) + 5
    factor = 2 * embeddings[:, 6] + embeddings[:, 11] + 0.1 * random.standard_normal(400)
    ranking = np.array([6, 11, *(i for i in range(20) if i not in (6, 11))])
    result = ablate(embeddings, factor, ranking, counts=(1, 2, 5, 20), draws=300, seed=1)
    assert result.counts.tolist() == [1, 2, 5]
    assert result.intact > 0.99
    # Variances are 4 and 1 of 5; the mean is all that is left without both.
    np.testing.assert_allclose(result.top, [0.2, 0, 0], atol=0.1)
    np.testing.assert_allclose(result.relearnt, [0.2, 0, 0], atol=0.15)
    chance = 1 - (0.05 * 0.8 + 0.05 * 0.2)
    assert result.random[0].mean() == pytest.approx(chance, abs=0.05)
    table = result.table()
    assert table.index.tolist() == [1, 2, 5]
    assert (table["random, low"] <= table["without random"]).all()


def test_ablation_sets_dimensions_to_their_mean_in_a_probe_that_stays():
    embeddings, factor = made(80, 6, noise=2.0)
    before = ridge_r2(embeddings, factor, repeats=1, seed=5)
    result = ablate(embeddings, factor, np.arange(6)[::-1].copy(), counts=(2,), draws=1, seed=5)
    assert result.intact == pytest.approx(before.r2[0])
    test = before.indices
    train = np.setdiff1d(np.arange(80), test)
    scaled = (embeddings - embeddings[train].mean(axis=0)) / embeddings[train].std(axis=0)
    probe = Ridge(alpha=before.strengths[0]).fit(scaled[train], factor[train])
    silenced = scaled[test].copy()
    silenced[:, [5, 4]] = 0
    assert result.top[0] == pytest.approx(probe.score(silenced, factor[test]))
    relearnt = ridge_r2(embeddings[:, :4], factor, repeats=1, seed=5)
    assert result.relearnt[0] == pytest.approx(relearnt.r2[0])


@pytest.mark.parametrize(("far", "outlier"), [(1e16, 0.0), (0.0, 1e30)])
def test_ablation_loses_no_more_digits_than_the_probe(far, outlier):
    embeddings, factor = made(80, 6, noise=2.0)
    (row, *_) = set(range(80)) - set(ridge_r2(embeddings, factor, repeats=1).indices)
    factor = far + factor
    factor[row] += outlier
    before = ridge_r2(embeddings, factor, repeats=1)
    result = ablate(embeddings, factor, np.arange(6), counts=(2,), draws=1)
    assert result.intact == pytest.approx(before.r2[0])
    assert np.isfinite(result.top).all()


def test_redundant_dimensions_are_made_up_for():
    random = np.random.default_rng(3)
    factor = random.standard_normal(300)
    embeddings = np.tile(factor[:, None], 8) + 0.05 * random.standard_normal((300, 8))
    result = ablate(embeddings, factor, np.arange(8), counts=(4,), draws=10)
    assert result.top[0] < 0.8
    assert result.relearnt[0] > 0.95


@pytest.mark.parametrize(
    ("ranking", "options", "message"),
    [
        (np.zeros(3), {}, "1 of 3 dimensions"),
        (np.arange(2), {}, "each of the 3"),
        (np.arange(3) + 0.5, {}, "3 of 3 dimensions"),
    ],
)
def test_ablation_refuses_unusable_rankings(ranking, options, message):
    with pytest.raises(InputError, match=message):
        ablate(np.random.default_rng(0).standard_normal((20, 3)), np.arange(20), ranking, **options)


def test_two_held_out_clips_have_no_interval():
    x = np.random.default_rng(0).standard_normal((10, 3))
    result = ridge_r2(x, x[:, 0] + 0.1 * x[:, 1])
    assert len(result.truth) == 2
    assert np.isnan(result.interval).all()


def test_the_interval_is_the_bootstrap_over_the_held_out_clips():
    random = np.random.default_rng(0)
    x = random.standard_normal((400, 3))
    result = ridge_r2(x, x @ [1.0, 2.0, 0.0] + random.standard_normal(400), repeats=1)
    clips, slow = len(result.truth), []
    for _ in range(2000):
        drawn = random.integers(clips, size=clips)
        slow.append(r2_score(result.truth[drawn], result.predicted[drawn]))
    # Quantiles of 2,000 draws at 2.5 % have a standard error of 0.06 of the draws' deviation, twice
    # over for two independent sets of draws; five of those.
    tolerance = 5 * 0.06 * np.sqrt(2) * np.std(slow)
    np.testing.assert_allclose(result.interval, np.quantile(slow, (0.025, 0.975)), atol=tolerance)
    assert result.interval[0] < result.r2[0] < result.interval[1]
    table = ridge_comparison({"x": x}, {"f": x[:, 0]}).table()
    assert list(table.columns) == ["R²", "standard deviation", "low", "high"]
