import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import beta
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from audiopg import RECIPES, LogMel, MaskedAutoencoder, PretrainSettings, SynthPrior, render
from audiopg.datasets import LabelledClips
from audiopg.mae import ARCHITECTURES
from audiopg.pretraining import different
from audiopg.records import read_record
from audiopg.synth import SAMPLE_RATE
from audiopg.transfer import probe_features

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def synth():
    return runpy.run_path(str(BENCHMARKS / "synth.py"))


def test_the_reference_of_the_benchmark_does_the_same_work(synth):
    params = SynthPrior().sample(torch.arange(12), seed=0)
    # Code that slices arrays begins its events at whole samples; and torchaudio's biquad cuts off
    # what is louder than full scale, which is the little that is allowed to differ.
    whole = (params.onset * SAMPLE_RATE).floor() / SAMPLE_RATE
    params = params.edit(noise_level=0.0, burst_amplitude=0.0, onset=whole)
    waves = render(params)
    for row in range(12):
        slow = synth["reference_clip"](params, row, np.random.default_rng(0))
        assert torch.corrcoef(torch.stack((waves[row], slow)))[0, 1] > 0.99


def test_the_reference_spectrogram_is_the_one_of_the_front_end(synth):
    wave = render(SynthPrior().sample(torch.arange(1), seed=0))
    slow = synth["reference_log_mel"](wave[0])
    torch.testing.assert_close(LogMel(0.0, 1.0)(wave)[0, : len(slow)], slow, atol=1e-3, rtol=0)


@pytest.mark.parametrize("class_token", [True, False])
def test_the_operations_of_a_clip_agree_with_torch_s_counter(class_token):
    pretrain = runpy.run_path(str(BENCHMARKS / "pretrain.py"))
    model = MaskedAutoencoder.preset("micro", class_token=class_token, decoder_depth=2)
    # The counter does not know the fused attention of a CPU.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 1024, 128), torch.tensor([0]), seed=0)
    assert pretrain["forward_flops"](model.architecture) == counter.get_total_flops()


def test_the_paper_s_network_takes_159_gigaflops_a_clip():
    pretrain = runpy.run_path(str(BENCHMARKS / "pretrain.py"))
    assert 3 * pretrain["forward_flops"](ARCHITECTURES["base"]) == pytest.approx(159e9, rel=0.01)


def test_what_the_recipe_s_benchmark_exchanges_computes_the_same():
    recipe = runpy.run_path(str(BENCHMARKS / "recipe.py"))
    query, key, value = torch.randn(3, 2, 4, 20, 8, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value)
    torch.testing.assert_close(recipe["plain_attention"](query, key, value, None), expected)
    seen = (torch.arange(20) < 13).expand(2, 1, 1, 20)
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value, seen)
    torch.testing.assert_close(recipe["plain_attention"](query, key, value, seen), expected)

    weights = [torch.linspace(-1, 1, 6).requires_grad_() for _ in range(2)]
    options = {"lr": 0.1, "weight_decay": 0.05, "betas": (0.9, 0.95)}
    makers = (torch.optim.AdamW, recipe["one_by_one"])
    optimisers = [
        make([weight], fused=True, **options) for make, weight in zip(makers, weights, strict=True)
    ]
    for _ in range(3):
        for weight, optimiser in zip(weights, optimisers, strict=True):
            optimiser.zero_grad()
            weight.square().sum().backward()
            optimiser.step()
    torch.testing.assert_close(*weights)
    assert weights[0][0] != -1


def test_the_recipe_s_benchmark_compares_rows_of_its_own():
    recipe = runpy.run_path(str(BENCHMARKS / "recipe.py"))
    rows = recipe["rows"]()
    first = next(iter(rows))
    for name, (reference, settings, _) in rows.items():
        assert reference == (None if name == first else first)
        assert settings.preset == rows[first][1].preset
    assert set(recipe["SAME"]) < set(rows)
    for name in recipe["SAME"]:
        changed = set(different(rows[name][1], rows[first][1]))
        assert changed <= {"precision"}


def test_a_shortened_recipe_keeps_its_proportions():
    recipe = runpy.run_path(str(BENCHMARKS / "recipe.py"))
    cpu = RECIPES["cpu"]
    short = recipe["shortened"](cpu, 12_800)
    assert short.steps * short.batch_size == 12_800
    assert short.cooldown_steps / short.steps == pytest.approx(
        cpu.cooldown_steps / cpu.steps, abs=1e-3
    )
    assert different(short, cpu) == ["steps", "cooldown_steps"]
    assert recipe["shortened"](cpu, 1).steps == 1
    # What the weights that were shipped first were made by, but for the precision.
    before = read_record("pretrain-tiny-adamw")["settings"]
    assert different(PretrainSettings(**before), recipe["BEFORE"]) == ["precision"]


def test_pairs_on_some_folds_are_those_of_a_probe_of_these_folds():
    pairs = runpy.run_path(str(BENCHMARKS / "pairs.py"))
    labels, folds = np.arange(90) % 3, np.arange(90) // 3 % 3 + 1
    names = {fold: str(fold) for fold in (1, 2, 3)}
    clips = LabelledClips(
        "set", [], labels, folds, ["a", "b", "c"], "", names, [1, 2, 3], sources=np.arange(90) // 2
    )
    rows = sorted({row for pair in pairs["PAIRS"] for row in pair})
    noise = np.random.default_rng(0).standard_normal((len(rows), 90, 3))
    features = dict(zip(rows, 0.7 * noise + np.eye(3)[labels], strict=True))
    whole = probe_features(clips, features, controls=False)
    part = probe_features(replace(clips, test_folds=[2, 3]), features, controls=False)
    taken = {row: pairs["on_folds"](result, clips, [2, 3]) for row, result in whole.items()}
    found = pairs["compared"](taken, clips)
    assert found == pairs["compared"](part, clips)
    assert found != pairs["compared"](whole, clips)
    assert [(pair["of"], pair["over"]) for pair in found] == list(pairs["PAIRS"])
    first = found[0]
    assert first["gain"] == part["tiny"].mean - part["untrained"].mean
    assert first["p"] <= first["p_holm"] <= len(found) * first["p"]


def test_changes_with_factors_lie_at_the_angles_at_which_they_were_planted():
    """At 90, 60 and 30 degrees, of factors that go together; shuffled ones are random lines."""
    encoded = runpy.run_path(str(BENCHMARKS / "angles.py"))["encoded"]
    random = np.random.default_rng(0)
    factors = random.standard_normal((1000, 3))
    factors[:, 1] += factors[:, 0]
    planted = np.eye(8)[:3]
    planted[2, :3] = 0.5, 0.75**0.5, 0
    found = encoded(random.standard_normal((1000, 8)) + 3 * factors @ planted, factors)
    np.testing.assert_allclose(found["factors"]["angle"], [90, 60, 30], atol=2)
    ends = np.array([found["factors"][end] for end in ("low", "high")])
    assert (np.ptp(ends, axis=0) < 5).all()
    # Of random lines in 8 dimensions the squared cosine has a beta distribution, (1/2, 7/2).
    noise = encoded(random.standard_normal((1000, 8)), factors)["shuffled"]
    for share, end in ((0.025, "low"), (0.5, "median"), (0.975, "high")):
        below = beta(0.5, 3.5).sf(np.cos(np.radians(noise[end][0])) ** 2)
        assert abs(below - share) < 0.05


def test_the_luck_of_the_choice_is_what_other_clips_do_not_tell():
    """Of unrelated Gaussians all is luck; of correlated ones other clips tell the known value."""
    chosen = runpy.run_path(str(BENCHMARKS / "choice.py"))["chosen"]
    drawn = torch.randn(1200, 61, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    factor, embeddings = drawn[:, 0], drawn[:, 1:]
    luck = chosen(embeddings, factor)
    assert min(luck["as chosen"]) > 0.03
    assert abs(np.mean(luck["on other clips"])) < 0.02
    assert sum(luck["kept"]) <= 2
    correlations = torch.tensor([0.95] + 9 * [0.8], dtype=torch.float64)
    known = -0.5 * (1 - correlations**2).log()
    noise = (1 - correlations**2).sqrt() * embeddings[:, :10]
    embeddings[:, :10] = factor[:, None] * correlations + noise
    found = chosen(embeddings, factor)
    for what in ("as chosen", "on other clips", "on few of the clips"):
        assert np.mean(found[what]) == pytest.approx(known.mean().item(), abs=0.05)
    assert found["kept"] == 10 * [1]
