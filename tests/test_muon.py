from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from scipy.special import ellipj, ellipkm1
from torch import nn

from audiopg.muon import INVERSES, QUINTICS, Muon, by_quintics, polar_factor


def made(shape, values, seed=0):
    """U, Σ and V of a matrix with these singular values; float64."""
    generator = torch.Generator().manual_seed(seed)
    count = min(shape)
    left, right = (
        torch.linalg.qr(torch.randn(side, count, generator=generator, dtype=torch.float64))[0]
        for side in shape
    )
    return left, torch.as_tensor(values, dtype=torch.float64), right


def after_inverses(values):
    """What becomes of singular values on a processor."""
    values = values / values.norm()
    return sum(weight * values / (values**2 + pole) for pole, weight in INVERSES)


def after_quintics(values):
    """What becomes of singular values on a GPU."""
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


# The constants


def test_the_inverses_are_zolotarev_s():
    # Nakatsukasa and Freund (2016), equation 3.4: the best rational function of this type, by elliptic
    # functions of the complementary modulus.
    low, count = 1.5e-3, len(INVERSES)
    places = np.arange(1, 2 * count) * ellipkm1(low**2) / (2 * count)
    sn, cn, *_ = ellipj(places, 1 - low**2)
    squares = (low * sn / cn) ** 2
    poles, zeros = squares[::2], squares[1::2]
    weights = [
        np.prod(zeros - pole) / np.prod(np.delete(poles, number) - pole)
        for number, pole in enumerate(poles)
    ]
    values = np.geomspace(low, 1, 100_001)
    after = (values[:, None] / (values[:, None] ** 2 + poles)) @ weights
    middle = (after.max() + after.min()) / 2
    for (pole, weight), expected in zip(
        INVERSES, zip(poles, weights / middle, strict=True), strict=True
    ):
        assert (pole, weight) == pytest.approx(expected, rel=1e-6)
    # What is said of them.
    assert (after / middle).min() == pytest.approx(0.68, abs=0.005)
    assert sum(weight / pole for pole, weight in INVERSES) == pytest.approx(490, abs=1)


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


@pytest.mark.parametrize("shape", [(24, 24), (96, 24), (24, 96)])
@pytest.mark.parametrize("name", spectra(24))
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_singular_values_change_as_single_numbers_do_and_their_vectors_stay(shape, name, scale):
    left, values, right = made(shape, spectra(24)[name])
    expected = left * after_inverses(values) @ right.mT
    found = polar_factor((scale * left * values @ right.mT).float()[None])[0].double()
    assert torch.linalg.matrix_norm(found - expected, 2) < 0.01


@pytest.mark.parametrize("name", spectra(24))
def test_quintics_change_singular_values_as_single_numbers(name):
    left, values, right = made((96, 24), spectra(24)[name])
    expected = left * after_quintics(values) @ right.mT
    found = by_quintics((left * values / values.norm() @ right.mT).float()[None])[0].double()
    assert torch.linalg.matrix_norm(found - expected, 2) < 0.01


def near_and_exact(shape, orthogonalise):
    """Three matrices after a function, and their polar factors by a singular value decomposition."""
    matrices = torch.stack(
        [
            left * values @ right.mT
            for left, values, right in (
                made(shape, torch.logspace(0, exponent, min(shape)), seed)
                for seed, exponent in enumerate((0, -1, -2))
            )
        ]
    )
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    return orthogonalise(matrices.float()).double(), left @ right


@pytest.mark.parametrize("shape", [(192, 192), (768, 192), (192, 768)])
def test_it_is_near_the_polar_factor_of_a_decomposition(shape):
    found, exact = near_and_exact(shape, polar_factor)
    assert (torch.linalg.matrix_norm(found - exact, 2) < 0.32 + 1e-3).all()


@pytest.mark.parametrize(("precision", "rounding"), [(torch.float32, 1e-3), (torch.bfloat16, 0.05)])
def test_quintics_are_near_the_polar_factor_of_a_decomposition(precision, rounding):
    def by_quintics_of(matrices):
        norm = torch.linalg.matrix_norm(matrices, keepdim=True)
        return by_quintics((matrices / norm).to(precision))

    found, exact = near_and_exact((768, 192), by_quintics_of)
    assert (torch.linalg.matrix_norm(found - exact, 2) < 0.56 + rounding).all()


def test_matrices_that_have_next_to_no_rank_can_be_inverted():
    generator = torch.Generator().manual_seed(0)
    same, positive = torch.ones(768, 768), torch.rand(768, 768, generator=generator)
    found = polar_factor(torch.stack([same, positive, torch.zeros(768, 768)]))
    assert torch.linalg.matrix_norm(found, 2).max() < 1.33
    assert torch.equal(found[2], torch.zeros(768, 768))


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
                step = size * left * after_inverses(values) @ right
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
