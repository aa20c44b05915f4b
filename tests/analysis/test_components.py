"""Principal components against scikit-learn and their defining properties."""

import numpy as np
import pandas
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from audiopg import InputError
from audiopg.analysis import mutual_information, principal_components


def made(clips: int, dimensions: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(dimensions, dimensions, generator=generator)
    return torch.randn(clips, dimensions, generator=generator) @ mixing + 5


@pytest.mark.parametrize(("clips", "dimensions"), [(100, 30), (25, 60)])
def test_agrees_with_scikit_learn_up_to_sign(clips, dimensions):
    embeddings = made(clips, dimensions)
    ours = principal_components(embeddings, 20)
    reference = PCA(20, svd_solver="full")
    scores = reference.fit_transform(embeddings.double().numpy())
    signs = np.sign((ours.directions.numpy() * reference.components_).sum(axis=1))
    np.testing.assert_allclose(ours.mean.numpy(), reference.mean_, atol=1e-12)
    np.testing.assert_allclose(
        ours.directions.numpy(), signs[:, None] * reference.components_, atol=1e-8
    )
    np.testing.assert_allclose(ours.scores.numpy(), signs * scores, atol=1e-8)
    np.testing.assert_allclose(
        ours.variance_share.numpy(), reference.explained_variance_ratio_, atol=1e-12
    )


@settings(max_examples=25)
@given(clips=st.integers(2, 20), dimensions=st.integers(1, 20), seed=st.integers(0, 2**31))
def test_all_components_rebuild_the_embeddings(clips, dimensions, seed):
    embeddings = made(clips, dimensions, seed).double()
    n = min(clips, dimensions)
    components = principal_components(embeddings, n)
    assert components.scores.shape == (clips, n)
    torch.testing.assert_close(
        components.directions @ components.directions.T, torch.eye(n, dtype=torch.float64)
    )
    torch.testing.assert_close(
        components.scores @ components.directions + components.mean, embeddings
    )
    assert components.variance_share.sum() == pytest.approx(1)
    assert (components.variance_share.diff() <= 0).all()


def test_signs_do_not_follow_the_data():
    embeddings = made(50, 12).numpy()
    components = principal_components(embeddings, 12)
    mirrored = principal_components(-embeddings[::-1], 12)
    torch.testing.assert_close(mirrored.directions, components.directions)
    largest = components.directions.abs().argmax(dim=1, keepdim=True)
    assert (components.directions.gather(1, largest) > 0).all()


@pytest.mark.parametrize(
    ("embeddings", "n_components", "message"),
    [
        (np.eye(6), 0, "n_components is 0; give a whole number, 1 or more"),
        (np.ones((6, 4)), 5, "have 1 to 4"),
        (np.ones((6, 4)), 2, "all the same"),
        (np.ones(6), 1, r"give \(clips, dimensions\)"),
        (np.diag([1.0, np.nan]), 1, "1 of 2 clips are not finite"),
    ],
)
def test_refuses_unusable_input(embeddings, n_components, message):
    with pytest.raises(InputError, match=message):
        principal_components(embeddings, n_components)


def test_the_table_tells_shares_and_information():
    embeddings = made(200, 6)
    components = principal_components(embeddings, 4)
    factors = {"first": components.scores[:, 0].exp(), "noise": made(200, 1, seed=3)[:, 0]}
    table = components.table(factors)
    assert table.index.tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(table["so far"], np.cumsum(components.variance_share.numpy()))
    for name, values in factors.items():
        np.testing.assert_allclose(table[name], mutual_information(components.scores, values))
    assert table["first"].idxmax() == 1
    assert components.table().columns.tolist() == ["share of variance", "so far"]
    columns = pandas.DataFrame({name: values.numpy() for name, values in factors.items()})
    pandas.testing.assert_frame_equal(components.table(columns), table)
    for unnamed in (columns.to_numpy(), [1.0], 3):
        with pytest.raises(InputError, match="give them by name, in a dict"):
            components.table(unnamed)
