"""Loops in machine code against the torch code that they replace: equal to the last bit."""

import numpy as np
import pytest
import torch

from audiopg import compiled as module
from audiopg.compiled import compiled
from audiopg.random import STREAMS, noise
from audiopg.synth import PRIORS, SynthPrior, render
from audiopg.synth.damping import lowpass, lowpass_
from audiopg.synth.envelopes import adsr, shape
from audiopg.synth.excitations import TILE

needs_numba = pytest.mark.skipif(
    not module.find_spec("numba"), reason="numba is not installed (audiopg[fast])"
)


@pytest.fixture
def without_numba(monkeypatch):
    """A function that has torch do the work from here on."""
    return lambda: monkeypatch.setattr(module, "_machine_code", lambda loop: None)


@needs_numba
@pytest.mark.parametrize("samples", [0, 1, 8, 2047, 2049, 30_000])
def test_noise_has_the_same_bits(samples, without_numba):
    seed = torch.tensor([0, 17, -1, 2**63 - 1, -(2**63)])
    seed, clip = torch.broadcast_tensors(seed[:, None], torch.tensor([0, 2**62 + 5, -7, 2**32]))
    streams = STREAMS["noise_floor"], torch.tensor([1024, 1025, 2**32 - 1, 0])
    fast = [noise(seed, clip, stream, samples) for stream in streams]
    without_numba()
    for stream, found in zip(streams, fast, strict=True):
        expected = noise(seed, clip, stream, samples)
        assert found.dtype == expected.dtype == torch.float32
        assert found.shape == expected.shape == (5, 4, samples)
        assert torch.equal(found, expected)


@needs_numba
def test_envelopes_have_the_same_bits():
    random = np.random.default_rng(5)
    start, length = random.uniform(-0.2, 1, 3000), random.uniform(0.001, 3, 3000)
    shares = random.dirichlet((1, 1, 1, 1), 3000).T
    # Stages of no length, levels at the ends, and tiles before, after and at the edge of an event.
    shares[:, ::5], start[::7] = np.eye(4)[:, random.integers(0, 4, 600)], -TILE / 16000
    start[1::7] = length[1::7]
    sustain = random.choice([0, 0.3, 0.6, 1], 3000)
    factors = (start, length, shares[0], shares[1], sustain, shares[2], random.uniform(0, 2, 3000))
    factors = [torch.from_numpy(values) for values in factors]
    tone = torch.from_numpy(random.normal(size=(3000, TILE))).float()
    expected = tone * adsr(*factors[:-1]) * factors[-1].float()[:, None]
    shaped = shape(tone, *factors)
    assert torch.equal(shaped, expected)
    assert (shaped != 0).any(dim=1).sum() > 1000


@needs_numba
@pytest.mark.parametrize("prior", PRIORS)
def test_clips_have_the_same_bits(prior, without_numba):
    params = SynthPrior.preset(prior).sample(torch.arange(6), seed=3)
    fast = render(params)
    without_numba()
    assert torch.equal(render(params), fast)


def test_torch_does_the_work_where_numba_is_not_installed(monkeypatch):
    def loop(wave):
        pass

    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert compiled(loop, torch.device("cpu")) is None


def test_machine_code_is_for_processors():
    assert compiled(lambda wave: None, torch.device("cuda")) is None


@needs_numba
def test_loops_are_compiled_where_there_is_no_folder_for_the_code(monkeypatch):
    import numba

    def njit(loop, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return original(loop, **options)

    def double(wave):
        for index in range(len(wave)):
            wave[index] *= 2

    original = numba.njit
    monkeypatch.setattr(numba, "njit", njit)
    wave = torch.tensor([1.0, -3.0])
    compiled(double, wave.device)(wave)
    assert wave.tolist() == [2, -6]


def test_the_low_pass_in_place_has_the_same_bits():
    wave = torch.randn(5, 20_480, generator=torch.Generator().manual_seed(2))
    cutoff = torch.tensor([200.0, 8000.0, 6000.0, 20.0, 9000.0], dtype=torch.float64)
    quality = torch.tensor([0.7, 0.7, 3.0, 0.5, 20.0], dtype=torch.float64)
    expected = lowpass(wave, cutoff, quality)
    lowpass_(wave, cutoff, quality)
    assert torch.equal(wave, expected)
    lowpass_(wave, cutoff.clamp(min=8000), quality)
    assert torch.equal(wave, expected)
