"""`torch.set_default_dtype(torch.float64)`, which other code of a notebook may call, changes nothing."""

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import audiopg
from audiopg import (
    RECIPES,
    Encoder,
    LogMel,
    MaskedAutoencoder,
    SynthPrior,
    analysis,
    load_encoder,
    pretrain,
    reconstruct,
    render,
    signal_to_noise,
)
from audiopg.datasets import synthetic_clips
from audiopg.synth.summaries import spread
from audiopg.transfer import FINETUNE_RECIPES, clip_features, finetune, linear_probe

# What makes numbers of torch's default type where it is not told another.
_MAKERS = ("zeros", "ones", "empty", "rand", "randn", "linspace", "logspace", "eye", "full")
_MAKERS += ("hann_window", "hamming_window", "normal", "Linear", "LayerNorm")


@contextmanager
def default_type(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def numbers(found: object) -> Iterator[Tensor]:
    """Every tensor in what a call gave, as it is."""
    if isinstance(found, Tensor):
        yield found.detach()
    elif isinstance(found, np.ndarray):
        yield torch.from_numpy(found)
    elif isinstance(found, nn.Module):
        yield from numbers([*found.state_dict().values(), *found.buffers()])
    elif is_dataclass(found):
        yield from numbers([getattr(found, f.name) for f in fields(found) if f.name != "seconds"])
    elif isinstance(found, dict):
        yield from numbers(list(found.values()))
    elif isinstance(found, (list, tuple)):
        for part in found:
            yield from numbers(part)
    elif isinstance(found, float):
        yield torch.tensor(found, dtype=torch.float64)


def sounds() -> object:
    prior = SynthPrior.preset("extended", band_limited=True, shared_source=False)
    params = prior.sample(torch.arange(24), seed=2)
    return params, render(params), signal_to_noise(params[:4]), spread(SynthPrior())


def spectrograms() -> object:
    log_mel = LogMel()
    wave = render(SynthPrior().sample(torch.arange(2), 0))[:, :12_000]
    mel = log_mel(wave)
    return log_mel, mel, log_mel(wave.double()), log_mel.invert(mel, 12_000, iterations=2)


def networks() -> object:
    mel = LogMel()(render(SynthPrior().sample(torch.arange(2), 0)))[:, :64]
    model = MaskedAutoencoder.preset("micro", class_token=True)
    model.add_auxiliary(3)
    output = model(mel, torch.arange(2), 0, torch.zeros(2, 3, dtype=torch.float32))
    output.loss.backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    fresh = Encoder(model.architecture).state_dict()
    types = {name: torch.empty(0, dtype=value.dtype) for name, value in fresh.items()}
    return model, output, gradients, reconstruct(mel, output), types


def embeddings() -> object:
    encoder = load_encoder("tiny")
    wave = render(SynthPrior().sample(torch.arange(2), 0))[:, :9_000]
    return (
        encoder,
        encoder.embed(wave, native=True, pooling="frequency"),
        encoder.embed([wave[0].double().numpy(), wave[1, :5_000]], 8_000, native=True),
        encoder.embed_over_time(wave),
        encoder.layers(encoder.log_mel(wave)),
    )


def analyses() -> object:
    generator = torch.Generator().manual_seed(0)
    factor = torch.randn(60, generator=generator, dtype=torch.float64)
    known = torch.randn(60, 8, generator=generator, dtype=torch.float32)
    known[:, 0] += factor
    factors = {"one": factor, "other": known[:, 1].double()}
    weight = torch.randn(64, 256, generator=generator, dtype=torch.float32)
    model = MaskedAutoencoder.preset("micro").eval()
    mel = torch.zeros(1, 32, 128, dtype=torch.float32)
    return (
        analysis.factor_information(known, factor, permutations=2),
        analysis.binned_information(known, factor),
        analysis.attribute_predictability(known, factors),
        analysis.dci(known, factors),
        analysis.ridge_r2(known, factor),
        analysis.ablate(known, factor, torch.arange(8), counts=(1, 2), draws=3),
        analysis.principal_components(known, 3),
        analysis.subspace_angles(known, factors),
        analysis.filter_growth([0, 1], torch.stack((weight, 2 * weight)), repeats=1),
        analysis.shuffled_concentration(weight, repeats=1),
        analysis.traverse(model, mel, torch.ones(64, dtype=torch.float32), [0.0, 1.0]),
        analysis.short_clips(3),
        analysis.controlled_clips("relative intensity", 3),
    )


def pretraining() -> object:
    small = {"preset": "micro", "steps": 2, "batch_size": 2, "decoder_depth": 1}
    small |= {"decoder_width": 32, "compiled": False, "warmup_steps": 1, "cooldown_steps": 1}
    settings = [replace(recipe, **small) for recipe in RECIPES.values()]
    settings[0] = replace(settings[0], auxiliary_weight=0.1)
    return [pretrain(one, progress=False) for one in settings]


def fine_tuning() -> object:
    clips, waves = synthetic_clips(2)
    waves = waves[:, 60_000:65_000]
    small = {"epochs": 1, "batch_size": 8, "native_length": True, "patch_drop": 0.5}
    settings = replace(FINETUNE_RECIPES["paper"], preset="micro", **small)
    found = finetune(settings, clips, waves, folds=[1], progress=False)
    features = clip_features(waves, {"micro": Encoder.preset("micro")}, native=True, progress=False)
    probe = linear_probe(features["micro"], clips.labels, clips.folds, test_folds=[1])
    return found.scores, found.losses, features, probe


@pytest.mark.parametrize(
    "call",
    [sounds, spectrograms, networks, embeddings, analyses, pretraining, fine_tuning],
    ids=lambda call: call.__name__,
)
def test_a_default_of_float64_changes_no_bit(call: Callable[[], object], tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOPG_CACHE", str(tmp_path))
    usual = list(numbers(call()))
    with default_type(torch.float64):
        found = list(numbers(call()))
    assert len(found) == len(usual) > 0
    for one, other in zip(found, usual, strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one.nan_to_num(), other.nan_to_num())


def test_whatever_makes_numbers_is_told_their_type():
    untold = []
    for path in Path(audiopg.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            of_torch = isinstance(node.func.value, ast.Name) and node.func.value.id in (
                "torch",
                "nn",
            )
            told = any(keyword.arg == "dtype" for keyword in node.keywords)
            if of_torch and node.func.attr in _MAKERS and not told:
                untold.append(f"{path.name}:{node.lineno} {node.func.attr}")
    assert untold == []
