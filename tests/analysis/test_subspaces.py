"""Directions and angles of latent spaces that are built by hand, and traversals of a decoder."""

import dataclasses

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

from audiopg import InputError, LogMel, MaskedAutoencoder, SynthPrior, render
from audiopg.analysis import (
    factor_direction,
    principal_angles,
    ridge_subspace,
    subspace_angles,
    traverse,
)
from audiopg.mae import normalise_patches, patchify


def made(clips: int = 800) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Two factors on axes 0 to 2 and 3 of eight; a third on the same axis as the second."""
    random = np.random.default_rng(1)
    turn, size, heat = random.uniform(0, 1, (3, clips))
    embeddings = 0.05 * random.standard_normal((clips, 8))
    embeddings[:, 0] += turn
    embeddings[:, 1] += np.cos(2 * np.pi * turn)
    embeddings[:, 2] += np.sin(2 * np.pi * turn)
    embeddings[:, 3] += size + heat
    return embeddings, {"turn": turn, "size": size, "heat": heat}


@settings(max_examples=50)
@given(
    n=st.integers(1, 4), m=st.integers(1, 4), width=st.integers(4, 12), seed=st.integers(0, 2**31)
)
def test_angles_agree_with_scipy(n, m, width, seed):
    random = np.random.default_rng(seed)
    one, other = (np.linalg.qr(random.standard_normal((width, size)))[0].T for size in (n, m))
    expected = np.degrees(scipy.linalg.subspace_angles(one.T, other.T))[::-1]
    # The arc cosine of a rounded cosine near 1 is off by √(2 · 2⁻⁵²) rad, or 1e-6 degrees.
    np.testing.assert_allclose(principal_angles(one, other), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (10 * np.eye(4)[:2], "the rows of other are not orthonormal"),
        (np.eye(4)[[0, 0]], "the rows of other are not orthonormal"),
        (np.eye(4)[:, :2], "the rows of other are not orthonormal"),
        (np.eye(5)[:2], "one has rows of 4 dimensions, other of 5"),
        (np.eye(4)[0], r"other have shape \(4,\)"),
        (np.eye(4)[:2] * np.nan, "The other of 2 of 2 clips are not finite"),
        (None, r"other have shape \(\)"),
    ],
)
def test_angles_are_of_orthonormal_rows_alone(other, message):
    with pytest.raises(InputError, match=message):
        principal_angles(torch.eye(4)[:2], other)
    tilted = torch.tensor([[0.5**0.5, 0, 0.5**0.5, 0]], requires_grad=True, dtype=torch.float64)
    np.testing.assert_allclose(principal_angles(np.eye(4)[:2].tolist(), tilted), [45])


def test_a_ridge_subspace_is_where_a_factor_is_coded():
    embeddings, factors = made()
    axes = np.eye(8)
    turn = ridge_subspace(embeddings, factors["turn"], 3)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert principal_angles(turn, axes[:3]).max() < 10
    size = ridge_subspace(embeddings, factors["size"], 1)
    assert principal_angles(size, axes[3:4]).max() < 10


def test_a_ridge_subspace_does_not_change_with_scales_or_monotone_maps():
    embeddings, factors = made()
    before = ridge_subspace(embeddings, factors["turn"], 2)
    scaled = torch.from_numpy(embeddings * [1, 5, 0.1, 3, 1, 1, 7, 1] + 4)
    after = ridge_subspace(scaled, np.exp(3 * factors["turn"]), 2)
    assert principal_angles(before, after).max() < 1e-4


def test_angles_tell_shared_subspaces_from_separate_ones():
    embeddings, factors = made(4000)
    result = subspace_angles(embeddings, factors, dimensions=1)
    table = result.table()
    assert table.index.tolist() == ["turn", "size", "heat"]
    assert np.diag(result.angles[..., 0]).max() < 10
    assert table.loc["size", "heat"] < 10
    assert table.loc["turn", "size"] > 70
    np.testing.assert_array_equal(result.angles, result.angles.swapaxes(0, 1))


def test_chance_is_the_middle_of_shuffled_factors():
    """Scikit-learn's ridge regressions read shuffles of their own, from dimensions that share a part."""
    embeddings, factors = made()
    random = np.random.default_rng(0)
    embeddings += random.standard_normal((800, 1))
    result = subspace_angles(embeddings, factors, dimensions=1)
    assert result.chance_range.shape == (2, 1)

    def read() -> np.ndarray:
        half = StandardScaler().fit_transform(random.choice(embeddings, 400, replace=False))
        weights = RidgeCV(np.logspace(-4, 6, 21)).fit(half, random.permutation(400)).coef_
        return weights / np.linalg.norm(weights)

    angles = np.degrees(np.arccos([abs(read() @ read()) for _ in range(200)]))
    found = [result.chance_range[0, 0], result.chance[0], result.chance_range[1, 0]]
    for share, angle in zip((0.025, 0.5, 0.975), found, strict=True):
        # Four standard errors of the share of 200 draws below a quantile of 200 others.
        error = 4 * (2 * share * (1 - share) / 200) ** 0.5
        assert abs((angles < angle).mean() - share) < error
    table = result.table()
    assert (table["chance, low"] == result.chance_range[0, 0]).all()
    assert (table["chance, high"] == result.chance_range[1, 0]).all()
    without = dataclasses.replace(result, chance_range=None).table()
    assert without.columns.tolist() == ["turn", "size", "heat", "chance"]


def test_a_direction_is_the_slope_over_the_factor():
    embeddings, factors = made()
    found = factor_direction(embeddings, factors["size"])
    slopes = np.polyfit(factors["size"], embeddings, 1)[0]
    np.testing.assert_allclose(found, slopes * factors["size"].std(), atol=1e-12)
    torch.testing.assert_close(factor_direction(embeddings, 5 - 2 * factors["size"]), -found)


@pytest.fixture(scope="module")
def clip():
    mel = LogMel()(render(SynthPrior.preset("full").sample(torch.arange(1), seed=3)))
    return MaskedAutoencoder.preset("micro", seed=0).eval(), mel


@torch.no_grad()
def test_a_traversal_begins_at_what_the_decoder_makes_of_hidden_patches(clip):
    model, mel = clip
    order = torch.randperm(512, generator=torch.Generator().manual_seed(0))
    total, times = torch.zeros(512, 256), torch.zeros(512, 1)
    for part in order.view(4, 128):
        visible = part.sort().values[None]
        predicted = model.decode(model.encoder(mel, visible), visible, 512)[0]
        hidden = torch.ones(512, dtype=torch.bool)
        hidden[part] = False
        total[hidden] += predicted[hidden]
        times[hidden] += 1
    assert times.unique().tolist() == [3]
    patches = patchify(mel)
    mean, deviation = patches.mean(dim=2, keepdim=True), patches.std(dim=2, keepdim=True)
    expected = (total / times)[None] * deviation + mean
    steady = (deviation > 0.01).expand_as(expected)
    still = traverse(model, mel, torch.ones(64), [0.0])
    torch.testing.assert_close(patchify(still)[steady], expected[steady], atol=1e-3, rtol=1e-3)


def test_a_traversal_moves_with_the_amount(clip):
    model, mel = clip
    direction = torch.randn(64, generator=torch.Generator().manual_seed(0)).double()
    moved = traverse(model, mel, direction, [-1.0, 0.0, 0.5, 1.0])
    assert moved.shape == (4, 1024, 128)
    torch.testing.assert_close(moved[1:2], traverse(model, mel, direction, [0.0]))
    change = (moved - moved[1]).square().mean(dim=(1, 2))
    assert change[0] > 0
    assert change[3] > change[2] > 0
    # The level of a patch is the clip's own.
    assert not torch.equal(normalise_patches(patchify(moved[:1])), normalise_patches(patchify(mel)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e, f: ridge_subspace(e, np.ones(800)), "1 values"),
        (lambda e, f: ridge_subspace(e, f["turn"], 9), "1 to 8 dimensions"),
        (lambda e, f: ridge_subspace(e, f["turn"][:5]), "each of the 800 clips"),
        (lambda e, f: subspace_angles(e, {}), "no factors"),
        (lambda e, f: factor_direction(e, np.ones(800)), "single value"),
    ],
)
def test_refuses_unusable_input(call, message):
    with pytest.raises(InputError, match=message):
        call(*made())


def test_traversal_refuses_two_clips_or_another_direction(clip):
    model, mel = clip
    with pytest.raises(InputError, match="2 clips"):
        traverse(model, mel.expand(2, -1, -1), torch.ones(64), [0.0])
    with pytest.raises(InputError, match="one clip"):
        traverse(model, mel, torch.ones(63), [0.0])
