"""A GPU agrees with the CPU, to the tolerances of the book's page on reproducibility."""

import math
from dataclasses import replace

import pytest
import torch

import audiopg
from audiopg.muon import polar_factor

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
CLIPS = torch.arange(16)


@pytest.fixture(scope="module")
def params():
    return audiopg.SynthPrior.preset("full").sample(CLIPS, seed=0)


@pytest.fixture(scope="module")
def waves(params):
    return audiopg.render(params)


def test_factors_are_the_same_to_the_bit(params):
    drawn = audiopg.SynthPrior.preset("full").sample(CLIPS.cuda(), seed=0)
    assert torch.equal(drawn.partial_phase.cpu(), params.partial_phase)
    assert torch.equal(drawn.cutoff.cpu(), params.cutoff)


def test_waves_agree(params, waves):
    # A phase of 10.24 s at 2 kHz is 1.3e5 radians, and float32 sums of partials round to 1e-7 of
    # their peak; the renderer is held to 1e-4 of float64 on a CPU, and to the same here.
    on_device = audiopg.render(params.to("cuda"))
    torch.testing.assert_close(on_device.cpu(), waves, atol=1e-4, rtol=0)


def test_log_mels_agree_where_the_clip_is_heard(waves):
    expected = audiopg.LogMel(0.0, 1.0)(waves)
    found = audiopg.LogMel(0.0, 1.0).cuda()(waves.cuda()).cpu()
    # As beside Kaldi: bands 50 dB under their frame's peak hold the rounding of the FFT alone.
    heard = expected > expected.amax(dim=2, keepdim=True) - 50 * math.log(10) / 10
    assert (found - expected)[heard].abs().max() < 1e-3


@pytest.mark.parametrize(("precision", "rounding"), [(torch.float32, 1e-3), (torch.bfloat16, 0.05)])
def test_polar_factors_are_near_those_of_a_decomposition(precision, rounding):
    matrices = torch.randn(3, 96, 64, generator=torch.Generator().manual_seed(0))
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    found = polar_factor(matrices.cuda(), precision).float().cpu()
    assert (torch.linalg.matrix_norm(found - left @ right, 2) < 0.56 + rounding).all()


def test_embeddings_agree(waves):
    encoder = audiopg.load_encoder("tiny")
    expected = encoder.embed(waves, sample_rate=16000)
    found = encoder.cuda().embed(waves.cuda(), sample_rate=16000).cpu()
    # Twelve layers of float32, each of sums of at most 768 terms: 1e-6 a layer of numbers near 1,
    # and what the log-mel under 50 dB differs by.
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated")  # by torch's compiler
def test_a_run_has_the_losses_of_one_on_a_cpu(compiled):
    # Six steps, because a race between the making of batches and their use need not show in one.
    settings = audiopg.PretrainSettings(preset="micro", steps=6, batch_size=4, compiled=compiled)
    expected = audiopg.pretrain(replace(settings, compiled=False), device="cpu", progress=False)
    found = audiopg.pretrain(settings, device="cuda", progress=False)
    torch.testing.assert_close(found.losses, expected.losses, atol=1e-3, rtol=1e-3)
