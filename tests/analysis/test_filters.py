"""Patch filters: components of known templates, and the concentration of known spectra."""

import math

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA

from audiopg import InputError
from audiopg.analysis import (
    filter_components,
    filter_growth,
    read_filters,
    shuffled_concentration,
    spectral_concentration,
)


def grating(cycles_time: float, cycles_mel: float, phase: float = 0.4) -> np.ndarray:
    time, mel = np.mgrid[:16, :16] / 16
    return np.cos(2 * np.pi * (cycles_time * time + cycles_mel * mel) + phase)


def structured_weight(width: int = 96) -> np.ndarray:
    """Filters that mix a band in frequency and an onset in time, with a little noise."""
    random = np.random.default_rng(0)
    templates = np.stack([grating(0, 2), grating(1, 0)])
    mixed = np.einsum("wt,tij->wij", random.standard_normal((width, 2)) * [3, 1], templates)
    return (mixed + 0.05 * random.standard_normal(mixed.shape))[:, None]


def test_components_are_those_of_the_flattened_filters():
    weight = structured_weight()
    components = filter_components(torch.nn.Parameter(torch.from_numpy(weight)), 5)
    reference = PCA(5, svd_solver="full").fit(weight.reshape(96, 256))
    expected = reference.components_.reshape(5, 16, 16)
    expected *= np.sign((expected * components.images.numpy()).sum(axis=(1, 2)))[:, None, None]
    np.testing.assert_allclose(components.images.numpy(), expected, atol=1e-8)
    np.testing.assert_allclose(
        components.variance_share.numpy(), reference.explained_variance_ratio_, atol=1e-12
    )
    flat = filter_components(weight.reshape(96, 256), 5)
    torch.testing.assert_close(flat.images, components.images, atol=0, rtol=0)


def test_components_find_the_templates():
    components = filter_components(structured_weight(), 2)
    for image, template in zip(components.images, [grating(0, 2), grating(1, 0)], strict=True):
        cosine = (image.numpy() * template).sum() / np.linalg.norm(template)
        assert abs(cosine) > 0.98
    assert components.variance_share.sum() > 0.9


def test_concentration_of_gratings_is_one():
    images = np.stack([grating(0, 3), grating(2, 5), grating(8, 0), 4 + grating(1, -1)])
    six = sum(grating(i, 2 * i + 1, phase=i) for i in range(6))
    concentration = spectral_concentration(np.concatenate((images, six[None])))
    torch.testing.assert_close(concentration, torch.ones(5, dtype=torch.float64))
    seventh = spectral_concentration(six[None] + grating(7, 0)[None])
    assert seventh.item() == pytest.approx(6 / 7)


def test_concentration_of_a_flat_spectrum():
    impulse = torch.zeros(1, 16, 16)
    impulse[0, 3, 5] = 2.0
    assert spectral_concentration(impulse).item() == pytest.approx(12 / 255)


def test_concentration_of_white_noise():
    """Energies of about M = 127 pairs of bins are exponential: the expected order statistics."""
    noise = torch.randn(4000, 16, 16, generator=torch.Generator().manual_seed(0))
    harmonic = np.concatenate(([0.0], np.cumsum(1 / np.arange(1, 128))))
    expected = (harmonic[127] - harmonic[:6]).sum() / 127
    assert spectral_concentration(noise).mean().item() == pytest.approx(expected, abs=0.003)
    assert round(expected, 2) == 0.19


@pytest.mark.parametrize("value", [0.0, 0.1, -3.0])
def test_concentration_of_a_constant_image_is_zero(value):
    assert spectral_concentration(torch.full((2, 16, 16), value)).tolist() == [0.0, 0.0]


def test_shuffling_removes_structure_and_keeps_noise():
    weight = structured_weight()
    kept = spectral_concentration(filter_components(weight, 2).images)
    shuffled = shuffled_concentration(weight, 2, repeats=10)
    assert shuffled.shape == (10, 2)
    assert kept.min() > 0.95
    assert shuffled.max() < 0.3
    noise = torch.randn(96, 256, generator=torch.Generator().manual_seed(1))
    before = spectral_concentration(filter_components(noise).images).mean().item()
    assert shuffled_concentration(noise).mean().item() == pytest.approx(before, abs=0.03)


def test_shuffles_follow_the_seed():
    weight = structured_weight()
    three = shuffled_concentration(weight, 2, seed=5, repeats=3)
    five = shuffled_concentration(weight, 2, seed=5, repeats=5)
    torch.testing.assert_close(five[:3], three, atol=0, rtol=0)
    assert not torch.equal(shuffled_concentration(weight, 2, seed=6, repeats=3), three)


@pytest.mark.parametrize(
    ("weight", "n_components", "message"),
    [
        (np.ones((8, 16, 16)), 1, "give the patch projection"),
        (np.ones((8, 1, 8, 32)), 1, "give the patch projection"),
        (np.full((8, 256), np.nan), 1, "not finite"),
        (np.ones((8, 256)), 1, "all the same"),
        (np.eye(8, 256), 9, "have 1 to 8"),
    ],
)
@pytest.mark.parametrize("function", [filter_components, shuffled_concentration])
def test_refuses_unusable_weights(function, weight, n_components, message):
    with pytest.raises(InputError, match=message):
        function(weight, n_components)


def test_refuses_unusable_images_and_settings():
    with pytest.raises(InputError, match=r"give \(n, 16, 16\)"):
        spectral_concentration(torch.zeros(16, 16))
    with pytest.raises(InputError, match="not finite"):
        spectral_concentration(torch.full((1, 16, 16), torch.inf))
    with pytest.raises(InputError, match="repeats is 0"):
        shuffled_concentration(structured_weight(), repeats=0)


def grown() -> tuple[list[int], torch.Tensor]:
    """Noise first; then two templates whose order changes and which change their signs."""
    random = np.random.default_rng(6)
    templates = np.stack([grating(0, 2), grating(1, 0)]).reshape(2, 256)
    weights = [random.standard_normal((96, 256))]
    for strengths in ([3, 2], [2, 3], [-3, -2]):
        mixed = (random.standard_normal((96, 2)) * strengths) @ templates
        weights.append(mixed + 0.1 * random.standard_normal((96, 256)))
    return [0, 10, 20, 30], torch.tensor(np.stack(weights))


def test_growth_follows_components_that_change_places_and_signs():
    steps, weights = grown()
    growth = filter_growth(steps, weights, 2, repeats=3)
    plain = [filter_components(weight, 2).images for weight in weights]
    torch.testing.assert_close(growth.images[-1], plain[-1])
    for earlier, later in zip(growth.images[1:-1], growth.images[2:], strict=True):
        assert ((earlier * later).sum(dim=(1, 2)) > 0.95).all()
    # Plain components do not follow one another: the order changes with the strengths.
    assert (plain[1] * plain[2]).sum(dim=(1, 2)).abs().max() < 0.5
    assert growth.shuffled.shape == (4, 3, 2)
    expected = torch.stack([spectral_concentration(images) for images in plain])
    torch.testing.assert_close(growth.concentration, expected)
    assert growth.concentration[0].max() < 0.3 < 0.9 < growth.concentration[1:].min()


def test_turning_keeps_the_space_and_the_variance():
    steps, weights = grown()
    growth = filter_growth(steps, weights, 5, repeats=1)
    for step, weight in enumerate(weights):
        plain = filter_components(weight, 5)
        basis, turned = plain.images.flatten(1), growth.images[step].flatten(1)
        torch.testing.assert_close(turned @ turned.T, torch.eye(5, dtype=torch.float64))
        torch.testing.assert_close(turned.T @ turned, basis.T @ basis)
        torch.testing.assert_close(growth.variance_share[step].sum(), plain.variance_share.sum())
        centred = weight - weight.mean(dim=0)
        held = (centred @ turned.T).square().sum(dim=0) / centred.square().sum()
        torch.testing.assert_close(growth.variance_share[step], held)
        last = filter_components(weights[-1], 5).images.flatten(1)
        cosines = np.cos(subspace_angles(basis.T.numpy(), last.T.numpy()))
        assert growth.likeness[step].item() == pytest.approx((cosines**2).mean())
    table = growth.table()
    assert table.index.tolist() == steps
    assert table["likeness to the last"].tolist()[-1] == pytest.approx(1)
    np.testing.assert_allclose(table["concentration"], growth.concentration.mean(dim=1))


def test_growth_takes_a_single_step_and_any_shape():
    _, weights = grown()
    growth = filter_growth([7], weights[:1].view(1, 96, 1, 16, 16).float(), 3, repeats=1)
    assert growth.images.shape == (1, 3, 16, 16)


@pytest.mark.parametrize(
    "steps", [[3, 3], [3], 3, [], [0, math.inf], [0, math.nan], [0.5, 2.9]], ids=str
)
@pytest.mark.parametrize("weights", [grown()[1][:2], None], ids=["weights", "none"])
def test_steps_that_do_not_ascend_or_fit_are_refused(steps, weights):
    with pytest.raises(InputError, match="give an ascending one for each, a whole number"):
        filter_growth(steps, weights)


@pytest.mark.parametrize("scale", [1e300, 1e-300, 1e-320])
def test_concentration_is_the_same_at_any_scale(scale):
    images = torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(0)).double()
    found = spectral_concentration(images * scale)
    # Of the least numbers float64 keeps three digits.
    torch.testing.assert_close(found, spectral_concentration(images), rtol=0, atol=1e-3)
    assert spectral_concentration(images[:0]).shape == (0,)


def test_reads_the_filters_of_a_run(tmp_path):
    steps, weights = grown()
    for step, weight in zip(steps, weights, strict=True):
        (tmp_path / "filters").mkdir(exist_ok=True)
        path = tmp_path / f"filters/step-{step:08d}.safetensors"
        save_file({"patch_projection.weight": weight.half()}, path)
    found_steps, found = read_filters(tmp_path)
    assert found_steps.tolist() == steps
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, weights.half().float())
    save_file({"patch_projection.weight": weights[0, :8].half()}, path)
    with pytest.raises(InputError, match="another width"):
        read_filters(tmp_path)
    path.write_bytes(b"torn")
    with pytest.raises(InputError, match=r"step-00000030\.safetensors holds no patch projection"):
        read_filters(tmp_path)
    with pytest.raises(InputError, match="holds no filters"):
        read_filters(tmp_path / "filters")
