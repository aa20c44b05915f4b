from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from torch import nn

from audiopg.muon import QUINTICS, Muon, polar_factor

SHAPES = [(24, 24), (96, 24), (24, 96)]


def made(shape, values, seed=0):
    """U, Σ and V of a matrix with these singular values; float64."""
    generator = torch.Generator().manual_seed(seed)
    count = min(shape)
    left, right = (
        torch.linalg.qr(torch.randn(side, count, generator=generator, dtype=torch.float64))[0]
        for side in shape
    )
    return left, torch.as_tensor(values, dtype=torch.float64), right


def after_quintics(values):
    """What becomes of singular values, by the polynomials of single numbers."""
    values = values / values.norm()
    for a, b, c in QUINTICS:
        values = a * values + b * values**3 + c * values**5
    return values


def spectra(count):
    """Singular values as gradients have them, and worse; their squares go below float32's 1e-7."""
    return {
        "flat": torch.ones(count),
        "falling to 0.003": torch.logspace(0, -2.5, count),
        "falling to 1e-6": torch.logspace(0, -6, count),
        "one large": torch.cat([torch.ones(1), torch.full((count - 1,), 3e-4)]),
        "of rank 3": torch.cat([torch.ones(3), torch.zeros(count - 3)]),
    }


# The polynomials


def test_each_quintic_is_the_best_for_what_the_one_before_leaves():
    low, high = 1e-3, 1.0
    for quintic in QUINTICS:
        high *= 1.01
        # A linear programme: the least largest distance from 1 at many places of the range.
        x = np.concatenate([np.geomspace(low, high, 2000), np.linspace(low, high, 2000)])
        powers, slack = (x[:, None] / high) ** [1, 3, 5], -np.ones((len(x), 1))
        found = linprog(
            [0, 0, 0, 1],
            A_ub=np.block([[powers, slack], [-powers, slack]]),
            b_ub=np.repeat([1, -1], len(x)),
            bounds=(None, None),
        )
        assert quintic == pytest.approx(found.x[:3] / high ** np.array([1, 3, 5]), rel=1e-3)
        low, high = 1 - found.fun, 1 + found.fun
    assert low == pytest.approx(0.44, abs=0.005)
    assert np.prod([a for a, _, _ in QUINTICS]) == pytest.approx(448, abs=1)


# The polar factor


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", spectra(24))
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_singular_values_go_through_the_quintics_and_their_vectors_stay(shape, name, scale):
    left, values, right = made(shape, spectra(24)[name])
    expected = left * after_quintics(values) @ right.mT
    found = polar_factor((scale * left * values @ right.mT).float()[None])[0].double()
    assert torch.linalg.matrix_norm(found - expected, 2) < 0.01


@pytest.mark.parametrize("shape", [(192, 192), (768, 192), (192, 768)])
@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float32, 1e-3), (torch.bfloat16, 0.05)])
def test_it_is_near_the_polar_factor_of_a_decomposition(shape, dtype, rounding):
    matrices = torch.stack(
        [
            left * values @ right.mT
            for left, values, right in (
                made(shape, torch.logspace(0, exponent, 192), seed)
                for seed, exponent in enumerate((0, -1, -2))
            )
        ]
    )
    found = polar_factor(matrices.to(dtype))
    assert found.dtype == dtype
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    apart = torch.linalg.matrix_norm(found.double() - left @ right, 2)
    assert (apart < 0.56 + rounding).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_matrix_of_zeros_stays_one(dtype):
    assert torch.equal(polar_factor(torch.zeros(2, 8, 4, dtype=dtype)), torch.zeros(2, 8, 4))


# The optimiser

RATE, DECAY = 0.01, 0.1


def trained(optimiser_of, steps=4):
    """Three matrices after some steps along gradients that are always the same; the optimiser."""
    generator = torch.Generator().manual_seed(1)
    shapes = ((12, 8), (8, 12), (12, 8))
    matrices = [nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]
    optimiser = optimiser_of(matrices)
    for _ in range(steps):
        for matrix in matrices:
            matrix.grad = torch.randn(matrix.shape, generator=generator)
        optimiser.step()
    return matrices, optimiser


def test_steps_are_those_of_the_definition():
    def by_definition(matrices):
        means = [torch.zeros_like(matrix) for matrix in matrices]

        def step():
            for matrix, mean in zip(matrices, means, strict=True):
                mean.copy_(0.95 * mean + 0.05 * matrix.grad)
                ahead = (0.95 * mean + 0.05 * matrix.grad).double()
                left, values, right = torch.linalg.svd(ahead, full_matrices=False)
                size = RATE * 0.2 * max(matrix.shape) ** 0.5
                step = size * left * after_quintics(values) @ right
                matrix.data = ((1 - RATE * DECAY) * matrix - step).float()

        return SimpleNamespace(step=step)

    expected, _ = trained(by_definition)
    found, _ = trained(lambda matrices: Muon(matrices, RATE, DECAY))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-4)


def test_what_is_kept_and_how_far_it_goes_is_as_in_torch():
    def torch_s(matrices):
        return torch.optim.Muon(matrices, RATE, DECAY, adjust_lr_fn="match_rms_adamw")

    (before, _), (theirs, reference) = trained(torch_s, 0), trained(torch_s)
    ours, optimiser = trained(lambda matrices: Muon(matrices, RATE, DECAY))
    for start, one, other in zip(before, ours, theirs, strict=True):
        assert optimiser.state[one].keys() == reference.state[other].keys()
        for key, value in reference.state[other].items():
            torch.testing.assert_close(optimiser.state[one][key], value)
        one, other = (one - start).flatten(), (other - start).flatten()
        assert torch.cosine_similarity(one, other, dim=0) > 0.95
        assert 0.8 < one.norm() / other.norm() < 1.25


def test_a_matrix_without_a_gradient_stays():
    matrices = [nn.Parameter(torch.ones(3, 2)) for _ in range(2)]
    matrices[0].grad = torch.ones(3, 2)
    Muon(matrices, RATE, DECAY).step()
    assert torch.equal(matrices[1], torch.ones(3, 2))
    assert not torch.equal(matrices[0], torch.ones(3, 2))


def test_float32_is_float32_whatever_a_training_loop_has_switched_on():
    expected, _ = trained(lambda matrices: Muon(matrices, RATE, DECAY))
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", torch.bfloat16):
            found, _ = trained(lambda matrices: Muon(matrices, RATE, DECAY))
    finally:
        torch.set_float32_matmul_precision(before)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


def test_products_are_in_the_precision_that_is_named():
    exact, _ = trained(lambda matrices: Muon(matrices, RATE, DECAY))
    rounded, _ = trained(lambda matrices: Muon(matrices, RATE, DECAY, precision=torch.bfloat16))
    for one, other in zip(rounded, exact, strict=True):
        assert one.dtype == torch.float32
        assert not torch.equal(one, other)
        torch.testing.assert_close(one, other, rtol=0, atol=0.25 * RATE)
