"""The mutual information estimator against closed forms, a plain reference and scikit-learn."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import digamma
from scipy.stats import multivariate_normal
from sklearn.feature_selection import mutual_info_regression

from audiopg import InputError
from audiopg.analysis import (
    factor_information,
    information,
    information_error,
    kraskov,
    mutual_information,
    permutation_null,
)


def plain_scaled(values: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """In units of the deviation within 30 typical distances from the median, with ties broken."""
    centred = values - np.sort(values)[(len(values) - 1) // 2]
    distances = np.sort(np.abs(centred[centred != 0]))
    fence = 30 * distances[len(distances) // 2]
    scaled = centred / np.clip(centred, -fence, fence).std()
    return scaled + 1e-10 * noise * np.maximum(np.abs(scaled), 1)


def plain_information(x: np.ndarray, y: np.ndarray, neighbours: int) -> float:
    """Kraskov's algorithm 1 as it is written, one clip after another, from full distances."""
    clips = len(x)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(2, clips, generator=generator, dtype=torch.float64).numpy()
    x, y = plain_scaled(x, noise[0]), plain_scaled(y, noise[1])
    distance_x, distance_y = np.abs(x[:, None] - x), np.abs(y[:, None] - y)
    terms = []
    for i in range(clips):
        others = np.arange(clips) != i
        near_x, near_y = distance_x[i, others], distance_y[i, others]
        radius = np.sort(np.maximum(near_x, near_y))[neighbours - 1]
        n_x, n_y = (near_x < radius).sum(), (near_y < radius).sum()
        terms.append(digamma(neighbours) - digamma(n_x + 1) - digamma(n_y + 1))
    return digamma(clips) + np.mean(terms)


def plain_columns(embeddings: np.ndarray, factor: np.ndarray, neighbours: int) -> np.ndarray:
    return np.array([plain_information(column, factor, neighbours) for column in embeddings.T])


def made(kind: str, clips: int) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings (clips, 6) and a factor (clips,) of one kind of data."""
    random = np.random.default_rng(3)
    noise = random.standard_normal((clips, 6))
    if kind == "continuous":
        factor = random.standard_normal(clips)
        embeddings = noise + np.linspace(0, 8, 6) * factor[:, None]
    elif kind == "heavy tails":
        factor = random.standard_cauchy(clips)
        embeddings = np.exp(2 * noise) * np.sign(factor)[:, None] + 1e5
    elif kind == "tied factor":
        factor = random.integers(1, 6, clips)
        embeddings = noise + np.linspace(0, 2, 6) * factor[:, None]
    elif kind == "tied dimensions":
        factor = random.uniform(50, 2000, clips)
        embeddings = np.round(noise * 4 + factor[:, None] / 500).astype(int)
    elif kind == "tied both":
        factor = random.integers(0, 3, clips)
        embeddings = np.round(noise + factor[:, None] / 2)
    else:
        factor = random.uniform(0, 1, clips)
        embeddings = np.maximum(noise, 0) + np.maximum(factor - 0.5, 0)[:, None]
        embeddings[clips // 2 :], factor[clips // 2 :] = embeddings[0], factor[0]
    return embeddings, factor


KINDS = [
    "continuous",
    "heavy tails",
    "tied factor",
    "tied dimensions",
    "tied both",
    "repeated clips",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("clips", "neighbours"),
    [(7, 1), (60, 3), (200, 3), (200, 10), (200, 16), (200, 60), (200, 198)],
)
def test_agrees_with_the_plain_algorithm(kind, clips, neighbours):
    embeddings, factor = made(kind, clips)
    estimate = mutual_information(embeddings, factor, neighbours=neighbours)
    expected = plain_columns(embeddings, factor, neighbours)
    np.testing.assert_allclose(estimate.numpy(), expected, atol=1e-9, rtol=0)


def test_counts_are_of_the_differences_that_made_the_radius():
    """Sums of a value and a radius round across the boundary, on which a neighbour lies."""
    random = np.random.default_rng(4)
    values = np.sort(np.concatenate((random.normal(size=300), 1e3 + 1e-12 * np.arange(60))))
    distances = np.abs(values[:, None] - values)
    for rank in (1, 3, 50):
        radius = np.sort(distances, axis=1)[:, rank]
        expected = (distances < radius[:, None]).sum(axis=1) - 1
        assert (kraskov._closer(values, radius) == expected).all()


def test_many_neighbours_agree_with_the_plain_algorithm():
    embeddings, factor = made("continuous", 1000)
    for neighbours in (100, 998):
        estimate = mutual_information(embeddings, factor, neighbours=neighbours)
        np.testing.assert_allclose(
            estimate.numpy(), plain_columns(embeddings, factor, neighbours), atol=1e-9, rtol=0
        )


def gaussians(correlation: float, clips: int, dimensions: int, seed: int = 11) -> tuple:
    generator = torch.Generator().manual_seed(seed)
    factor = torch.randn(clips, generator=generator, dtype=torch.float64)
    noise = torch.randn(clips, dimensions, generator=generator, dtype=torch.float64)
    return correlation * factor[:, None] + (1 - correlation**2) ** 0.5 * noise, factor


@pytest.mark.parametrize("clips", [1000, 3000, 10_000])
@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.6, 0.9, 0.99])
def test_correlated_gaussians_against_the_closed_form(correlation, clips):
    """Unbiased where independent, and otherwise within 0.025 nats of the closed form.

    The deviation of one estimate is at most 1.4 / √clips; the mean of 30 may be off by four of its
    own deviations, each estimate by five.
    """
    estimate = mutual_information(*gaussians(correlation, clips, 30))
    error = estimate + 0.5 * np.log(1 - correlation**2)
    bias, deviation = 0.025 * (correlation > 0), 1.4 / clips**0.5
    assert abs(error.mean()) < bias + 4 * deviation / 30**0.5
    assert error.abs().max() < bias + 5 * deviation


def test_agrees_with_scikit_learn():
    embeddings, factor = made("continuous", 400)
    expected = mutual_info_regression(embeddings, factor, n_neighbors=4, random_state=0)
    estimate = mutual_information(embeddings, factor, neighbours=4).clamp(min=0)
    np.testing.assert_allclose(estimate.numpy(), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("of_embeddings", "of_factor"),
    [
        (np.exp, lambda y: y**3),
        (lambda x: np.argsort(np.argsort(x, axis=0), axis=0), np.arctan),
        (lambda x: -np.sinh(x), lambda y: np.exp(-y)),
    ],
)
def test_monotone_maps_of_the_margins_change_little(of_embeddings, of_factor):
    """By less than the estimate scatters: its deviation is about 1.2 / √3000 = 0.022 nats."""
    for correlation in (0.0, 0.6, 0.9):
        embeddings, factor = (v.numpy() for v in gaussians(correlation, 3000, 20))
        before = mutual_information(embeddings, factor)
        change = mutual_information(of_embeddings(embeddings), of_factor(factor)) - before
        assert abs(change.mean()) < 0.022
        assert change.abs().max() < 0.066


@pytest.mark.parametrize("step", [0.01, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_rounded_values_tell_what_they_tell_unrounded(step, correlation):
    """Two normal quantities, rounded, lose little of what they tell, and nothing makes up any.

    To a step of a deviation they lose a third: the truth is that of their joint table. The mean of
    40 estimates scatters by 1.4 / √(1000 · 40) = 0.007; a bias of 0.025 is allowed as above.
    """
    embeddings, factor = (v.numpy() for v in gaussians(correlation, 1000, 40))
    rounded = np.round(embeddings / step) * step, np.round(factor / step) * step
    estimate = mutual_information(*rounded)
    truth = -0.5 * np.log(1 - correlation**2)
    if step >= 0.5 and correlation:
        truth = table_information(correlation, step)
    assert estimate.mean().item() == pytest.approx(truth, abs=0.03)
    # One of them alone.
    half = mutual_information(rounded[0], factor).mean().item()
    assert half == pytest.approx(mutual_information(embeddings, factor).mean().item(), abs=0.05)


def table_information(correlation: float, step: float) -> float:
    """Information between two normal quantities of unit deviation, both rounded, in closed form."""
    edges = step * (np.arange(-round(6 / step), round(6 / step) + 1) + 0.5)
    normal = multivariate_normal([0, 0], [[1, correlation], [correlation, 1]])
    grid = np.stack(np.meshgrid(edges, edges, indexing="ij"), axis=-1)
    joint = np.diff(np.diff(normal.cdf(grid), axis=0), axis=1).clip(min=1e-300)
    margins = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    return float((joint * np.log(joint / margins)).sum())


@pytest.mark.parametrize("value", [1e2, -1e6, 1e12, 1e300])
@pytest.mark.parametrize("outliers", [1, 5])
def test_wild_values_move_the_estimate_by_no_more_than_their_share(value, outliers):
    """A clip's term lies between -log N and log N, so that 5 of 1,000 move it by 0.07 at most."""
    embeddings, factor = (v.numpy() for v in gaussians(0.8, 1000, 10))
    usual = mutual_information(embeddings, factor)
    most = 2 * np.log(1000) * outliers / 1000
    wild_embeddings, wild_factor = embeddings.copy(), factor.copy()
    wild_embeddings[:outliers] = value * (1 + np.arange(outliers))[:, None]
    wild_factor[-outliers:] = value
    for pair in (
        (wild_embeddings, factor),
        (embeddings, wild_factor),
        (wild_embeddings, wild_factor),
    ):
        torch.testing.assert_close(mutual_information(*pair), usual, atol=2 * most, rtol=0)
    # Of a dimension that is mostly zero, too.
    sparse = np.maximum(embeddings - 1.5, 0)
    usual = mutual_information(sparse, factor)
    sparse[:outliers] = value
    wild = mutual_information(sparse, factor)
    torch.testing.assert_close(wild, usual, atol=2 * most + 0.02, rtol=0)


def test_null_and_error_break_ties_and_bear_wild_values_too():
    embeddings, factor = (v.numpy() for v in gaussians(0.0, 300, 8))
    rounded, wild = embeddings.round(1), factor.copy()
    wild[0] = 1e6
    usual = permutation_null(embeddings, factor, permutations=20)
    error = information_error(embeddings, factor)
    for data in ((rounded, factor.round(1)), (embeddings, wild)):
        null = permutation_null(*data, permutations=20)
        # A maximum of 8 estimates scatters by some 0.03, its mean over 20 shuffles by 0.007.
        assert null.mean().item() == pytest.approx(usual.mean().item(), abs=0.02)
        assert information_error(*data).mean().item() == pytest.approx(error.mean(), rel=0.25)


def test_a_dimension_does_not_depend_on_the_others():
    embeddings, factor = made("tied dimensions", 90)
    alone = [mutual_information(column[:, None], factor) for column in embeddings.T]
    assert torch.equal(torch.cat(alone), mutual_information(embeddings, factor))


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1e150, 1e300])
def test_any_scale_is_the_same_scale(scale):
    embeddings, factor = made("continuous", 60)
    usual = mutual_information(embeddings, factor)
    torch.testing.assert_close(
        mutual_information(scale * embeddings, factor / scale), usual, atol=1e-9, rtol=0
    )
    far = np.where(embeddings > 0, 1.7e308, -1.7e308)
    assert mutual_information(far, factor).isfinite().all()


def test_shifts_and_scales_change_nothing():
    embeddings, factor = made("continuous", 300)
    moved = mutual_information(-4.0 * embeddings + 16.0, 0.5 * factor - 2.0)
    torch.testing.assert_close(moved, mutual_information(embeddings, factor), atol=1e-9, rtol=0)


def test_values_far_from_zero_are_told_apart_as_near_it():
    """Of scikit-learn 1.9.1, whose noise grows with the mean, two thirds are lost at 10^10."""
    embeddings, factor = gaussians(0.8, 1000, 3)
    far = mutual_information(embeddings + 1e10, factor - 1e10)
    # Of a float64 there, two millionths of a deviation are left.
    torch.testing.assert_close(far, mutual_information(embeddings, factor), atol=1e-3, rtol=0)


def test_constant_dimension_or_factor_gives_zero():
    embeddings, factor = made("tied factor", 100)
    embeddings[:, 2] = 0.1
    estimate = mutual_information(embeddings, factor)
    assert estimate[2] == 0
    assert (estimate[[0, 1, 3, 4, 5]] != 0).all()
    assert (mutual_information(embeddings, np.full(100, 0.1)) == 0).all()
    constant = np.full((100, 3), 0.1)
    assert (mutual_information(constant, factor) == 0).all()
    assert (permutation_null(constant, factor, permutations=3) == 0).all()
    assert (information_error(constant, factor) == 0).all()
    found = factor_information(constant, factor, permutations=3)
    assert found.table(2)["p"].tolist() == [1, 1]


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_tensors_and_arrays_give_the_same(dtype):
    embeddings, factor = made("continuous", 50)
    embeddings = torch.from_numpy(embeddings).to(dtype).requires_grad_()
    array = embeddings.detach().numpy()
    array.flags.writeable = False
    expected = mutual_information(embeddings, torch.from_numpy(factor))
    assert expected.dtype == torch.float64
    assert not expected.requires_grad
    backwards = mutual_information(array[::-1], factor[::-1])
    torch.testing.assert_close(backwards, expected, atol=1e-12, rtol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", KINDS)
def test_cuda_agrees_with_the_cpu(kind):
    embeddings, factor = map(torch.from_numpy, made(kind, 500))
    on_device = mutual_information(embeddings.cuda(), factor)
    assert on_device.is_cuda
    expected = mutual_information(embeddings, factor)
    torch.testing.assert_close(on_device.cpu(), expected, atol=1e-9, rtol=0)


@settings(max_examples=40)
@given(data=st.data(), clips=st.integers(4, 40), dimensions=st.integers(1, 5))
def test_any_values_give_finite_estimates(data, clips, dimensions):
    values = st.one_of(st.integers(-3, 3).map(float), st.floats(-1e6, 1e6, width=32))
    embeddings = data.draw(arrays(np.float64, (clips, dimensions), elements=values))
    factor = data.draw(arrays(np.float64, clips, elements=values))
    neighbours = data.draw(st.integers(1, clips - 2))
    estimate = mutual_information(embeddings, factor, neighbours=neighbours)
    assert estimate.shape == (dimensions,)
    assert estimate.isfinite().all()


@pytest.mark.parametrize("kind", ["continuous", "heavy tails"])
def test_the_order_of_the_clips_does_not_matter(kind):
    embeddings, factor = made(kind, 150)
    order = np.random.default_rng(0).permutation(150)
    again = mutual_information(embeddings[order], factor[order])
    torch.testing.assert_close(again, mutual_information(embeddings, factor), atol=1e-9, rtol=0)


def test_null_covers_an_independent_factor_and_not_a_dependent_one():
    embeddings = np.random.default_rng(5).standard_normal((300, 12))
    factor = np.random.default_rng(6).standard_normal(300)
    null = permutation_null(embeddings, factor, permutations=100, seed=1)
    assert null.shape == (100,)
    assert null.min() < mutual_information(embeddings, factor).max() < null.max()
    embeddings[:, 4] += factor
    assert mutual_information(embeddings, factor).max() > null.max()


def test_null_is_the_best_dimension_for_each_shuffle():
    embeddings, factor = made("continuous", 40)
    embeddings[:, 1] = 7.0
    null = permutation_null(embeddings, factor, permutations=3, seed=9, neighbours=2)
    generator = torch.Generator().manual_seed(9)
    for maximum in null:
        shuffled = factor[torch.randperm(40, generator=generator).numpy()]
        varying = plain_columns(np.delete(embeddings, 1, axis=1), shuffled, 2)
        assert maximum.item() == pytest.approx(max(varying.max(), 0.0), abs=1e-9)
    longer = permutation_null(embeddings, factor, permutations=5, seed=9, neighbours=2)
    torch.testing.assert_close(longer[:3], null, atol=0, rtol=0)
    assert not torch.equal(permutation_null(embeddings, factor, permutations=3), null)


@pytest.mark.parametrize(
    ("embeddings", "factor", "message"),
    [
        (np.zeros((10, 2)), np.zeros(9), "each of the 10 clips"),
        (np.zeros((10, 2)), np.zeros((10, 2)), "each of the 10 clips"),
        (np.zeros(10), np.zeros(10), r"give \(clips, dimensions\)"),
        (np.zeros((10, 0)), np.zeros(10), r"give \(clips, dimensions\)"),
        (np.diag([np.nan, np.inf, 1, 1, 1]), np.zeros(5), "2 of 5 clips are not finite"),
        (np.zeros((10, 2)), np.full(10, np.inf), "not finite for 10 of 10 clips"),
        (np.zeros((4, 2)), np.zeros(4), "need at least 5"),
    ],
)
@pytest.mark.parametrize("function", [mutual_information, permutation_null])
def test_refuses_unusable_input(function, embeddings, factor, message):
    with pytest.raises(InputError, match=message):
        function(embeddings, factor)


def test_refuses_unusable_settings():
    embeddings, factor = made("continuous", 20)
    with pytest.raises(InputError, match="neighbours is 0"):
        mutual_information(embeddings, factor, neighbours=0)
    with pytest.raises(InputError, match="permutations is 0"):
        permutation_null(embeddings, factor, permutations=0)


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.95])
def test_the_standard_error_is_the_spread_over_other_clips(correlation):
    """Within a quarter: 80 estimates give a deviation to 8 %, and its own bias is some 10 %."""
    samples = [gaussians(correlation, 400, 4, seed) for seed in range(20)]
    spread = torch.stack([mutual_information(*sample) for sample in samples]).std()
    errors = torch.stack([information_error(*sample, seed=5) for sample in samples[:5]])
    assert errors.shape == (5, 4)
    assert errors.mean() == pytest.approx(spread.item(), rel=0.25)


def test_the_standard_error_is_that_of_disjoint_parts():
    embeddings, factor = made("continuous", 47)
    embeddings[:, 3] = 2.0
    found = information_error(embeddings, factor, parts=3, repeats=2, seed=8, neighbours=2)
    generator, variances = torch.Generator().manual_seed(8), []
    for _ in range(2):
        order = torch.randperm(47, generator=generator).numpy()
        parts = [order[:15], order[15:30], order[30:45]]
        varying = np.delete(embeddings, 3, axis=1)
        estimates = [plain_columns(varying[part], factor[part], 2) for part in parts]
        variances.append(np.var(estimates, axis=0, ddof=1))
    expected = np.sqrt(np.mean(variances, axis=0) / 3)
    np.testing.assert_allclose(np.delete(found.numpy(), 3), expected, atol=1e-9)
    assert found[3] == 0


def test_the_table_puts_the_best_first_with_interval_and_p_value():
    embeddings, factor = gaussians(0.0, 200, 6)
    embeddings[:, 4] += 2 * factor
    result = factor_information(embeddings, factor, permutations=39, seed=2)
    table = result.table(rows=3)
    assert table.index[0] == 4
    assert table.index.name == "dimension"
    assert table["information"].is_monotonic_decreasing
    assert table["p"].tolist()[0] == 1 / 40
    expected = (1 + (result.null >= result.information[table.index[1]]).sum().item()) / 40
    assert table["p"].tolist()[1] == expected > 0.05
    half_width = 1.96 * result.standard_error[4].item()
    assert table["high"].tolist()[0] - table["low"].tolist()[0] == pytest.approx(2 * half_width)
    assert (result.null <= result.threshold).float().mean() == pytest.approx(0.95, abs=0.02)


def test_refuses_errors_of_too_few_clips():
    embeddings, factor = made("continuous", 20)
    with pytest.raises(InputError, match="leave 4 a part"):
        information_error(embeddings, factor)
    with pytest.raises(InputError, match="parts is 1; give a whole number, 2 or more"):
        information_error(embeddings, factor, parts=1)


def test_errors_and_null_are_kept_for_the_next_time(tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOPG_CACHE", str(tmp_path))
    x = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
    options = {"permutations": 3, "cached": True}
    found = factor_information(x, x[:, 0], **options)
    plain = factor_information(x, x[:, 0], permutations=3)
    for name in ("information", "standard_error", "null"):
        assert torch.equal(getattr(found, name), getattr(plain, name))

    def fail(*arguments, **settings):
        raise AssertionError("computed again")

    calls = []

    def counted(*arguments, **settings):
        calls.append(settings)
        return mutual_information(*arguments, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(information, "permutation_null", fail)
        patch.setattr(information, "mutual_information", counted)
        again = factor_information(x, x[:, 0], **options)
        assert torch.equal(again.null, plain.null)
        assert len(calls) == 1
        for changed in ((x[:, :3], x[:, 0]), (x, x[:, 1])):
            with pytest.raises(AssertionError, match="computed again"):
                factor_information(*changed, **options)
        with pytest.raises(AssertionError, match="computed again"):
            factor_information(x, x[:, 0], permutations=3, null_clips=30, cached=True)


def test_a_null_of_fewer_clips_is_that_of_the_first_and_is_higher():
    x = torch.randn(600, 5, generator=torch.Generator().manual_seed(0))
    fewer = factor_information(x, x[:, 0], permutations=20, null_clips=100)
    assert torch.equal(fewer.null, permutation_null(x[:100], x[:100, 0], permutations=20))
    whole = factor_information(x, x[:, 0], permutations=20)
    assert torch.equal(fewer.information, whole.information)
    assert fewer.null.median() > whole.null.median()
    with pytest.raises(InputError, match="null_clips is 0"):
        factor_information(x, x[:, 0], null_clips=0)


def test_what_all_of_torch_is_told_changes_nothing(told):
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 50, generator=generator)
    x = torch.stack([x + y, y], dim=1)

    def found():
        null = permutation_null(x, y, permutations=2)
        return mutual_information(x, y), null, information_error(x, y, parts=2)

    expected = found()
    with told():
        # Made there, a tensor is one of inference mode.
        x = x.clone()
        for one, other in zip(found(), expected, strict=True):
            assert torch.equal(one, other)
