import errno
import json
import math
import os
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from audiopg.errors import InputError
from audiopg.mae import (
    ARCHITECTURES,
    BANDS,
    Encoder,
    MaskedAutoencoder,
    attention,
    normalise_patches,
    patchify,
    reconstruct,
    sine_cosine_positions,
    training_tokens,
    unpatchify,
)
from audiopg.pretrained import load_encoder, load_model, save_model, shipped_weights
from audiopg.runs import read_tensors
from audiopg.synth import SynthPrior, render


@pytest.fixture(scope="module")
def mel():
    return torch.randn(3, 1024, 128, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def model():
    return MaskedAutoencoder.preset("micro")


def test_patchify_cuts_time_major_squares_and_back(mel):
    patches = patchify(mel)
    assert patches.shape == (3, 512, 256)
    for token in (0, 7, 8, 300, 511):
        frame, band = 16 * (token // BANDS), 16 * (token % BANDS)
        square = mel[:, frame : frame + 16, band : band + 16]
        assert torch.equal(patches[:, token], square.flatten(1))
    assert torch.equal(unpatchify(patches), mel)


def test_normalised_patches_have_zero_mean_and_unit_variance(mel):
    patches = normalise_patches(5 * patchify(mel) + 3)
    torch.testing.assert_close(patches.mean(2), torch.zeros(3, 512), atol=1e-5, rtol=0)
    torch.testing.assert_close(patches.var(2), torch.ones(3, 512), atol=1e-4, rtol=0)


def test_positions_agree_with_the_formula():
    width = 12
    positions = sine_cosine_positions(512, width)
    for token in (0, 1, 8, 511):
        expected = []
        for place in (token // 8, token % 8):
            angles = [place / 10000 ** (i / 3) for i in range(3)]
            expected += [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
        torch.testing.assert_close(positions[token], torch.tensor(expected))
    assert len(positions.unique(dim=0)) == 512


def test_masks_are_distinct_uniform_and_a_function_of_seed_and_clip():
    clips = torch.arange(2000)
    visible = training_tokens(clips, 3, 512, 0.75)[0]
    assert visible.shape == (2000, 128)
    assert (visible.diff(dim=1) > 0).all()
    assert torch.equal(training_tokens(clips[[700, 2]], 3, 512, 0.75)[0], visible[[700, 2]])
    assert not torch.equal(training_tokens(clips, 4, 512, 0.75)[0], visible)
    counts = visible.flatten().bincount(minlength=512)
    # Without replacement the variance is three quarters of the multinomial's.
    statistic = ((counts - 500.0) ** 2 / (500 * 0.75)).sum()
    assert scipy.stats.chi2.sf(statistic.item(), 511) > 1e-3


def test_the_loss_is_the_plain_one_over_masked_patches(model, mel):
    output = model(mel, torch.arange(3), seed=0)
    assert output.prediction.shape == (3, 512, 256)
    assert output.mask.sum(1).tolist() == [384] * 3
    errors = []
    for clip in range(3):
        for token in output.mask[clip].nonzero().flatten().tolist():
            frame, band = 16 * (token // BANDS), 16 * (token % BANDS)
            patch = mel[clip, frame : frame + 16, band : band + 16].numpy().astype(float).ravel()
            target = (patch - patch.mean()) / np.sqrt(patch.var(ddof=1) + 1e-6)
            errors.append(np.mean((output.prediction[clip, token].detach().numpy() - target) ** 2))
    assert output.loss.item() == pytest.approx(np.mean(errors), rel=1e-5)


_KINDS = {
    **{dtype: partial(np.array, dtype=dtype) for dtype in (int, "int16", "uint8", "uint64")},
    "list": list,
    "floats": lambda indices: torch.tensor(indices).float(),
    "a column": lambda indices: pd.Series(indices, index=[5, 2, 7]),
}


@pytest.mark.parametrize("kind", _KINDS.values(), ids=map(str, _KINDS))
def test_indices_and_spectrograms_of_other_kinds_are_those_of_tensors(model, mel, kind):
    indices = range(3, 3 + len(mel))
    expected = model(mel, clips=torch.arange(3, 3 + len(mel)), seed=1)
    for found in (
        model(mel, clips=indices, seed=1),
        model(mel.numpy(), clips=kind(indices), seed=1),
    ):
        assert torch.equal(found.mask, expected.mask)
        assert torch.equal(found.loss, expected.loss)
    with pytest.raises(InputError, match=r"clip was given .*; it takes whole numbers"):
        training_tokens(torch.tensor([0.5]), 1, 512, 0.75)


def test_masked_patches_do_not_reach_the_prediction(model, mel):
    output = model(mel, torch.arange(3), seed=0)
    patches = patchify(mel)
    hidden_changed = torch.where(output.mask[..., None], patches + 7, patches)
    again = model(unpatchify(hidden_changed), torch.arange(3), seed=0)
    assert torch.equal(again.prediction, output.prediction)
    visible_changed = torch.where(output.mask[..., None], patches, patches + 7)
    other = model(unpatchify(visible_changed), torch.arange(3), seed=0)
    assert not torch.allclose(other.prediction, output.prediction)


@pytest.mark.parametrize("tokens", [0, -4, True, 1.5, None])
def test_a_number_of_tokens_that_is_none_is_refused(tokens):
    with pytest.raises(InputError, match=r"tokens is .*; give a whole number, 1 or more"):
        training_tokens(torch.arange(2), 0, tokens, 0.75)


@pytest.mark.parametrize("window", [None, 24])
def test_a_share_of_the_masked_patches_is_drawn_by_seed_and_clip(window):
    clips = torch.arange(400)
    tokens = 512 if window is None else 8 * window
    visible, decoded = training_tokens(clips, 3, 512, 0.75, 0.25, window)
    assert visible.shape == (400, tokens // 4)
    assert decoded.shape == (400, tokens // 4 + tokens * 3 // 16)
    assert (visible.diff(dim=1) > 0).all()
    assert (decoded.diff(dim=1) > 0).all()
    assert all(set(v) <= set(d) for v, d in zip(visible.tolist(), decoded.tolist(), strict=True))
    again = training_tokens(clips[[7, 2]], 3, 512, 0.75, 0.25, window)
    assert torch.equal(again[0], visible[[7, 2]])
    assert torch.equal(again[1], decoded[[7, 2]])
    # Every token has its turn.
    assert len(decoded.unique()) == len(visible.unique()) == 512
    assert training_tokens(clips, 3, 512, 0.75, 1e-9, window)[1].shape == (400, tokens // 4 + 1)
    if window is None:
        assert torch.equal(visible, training_tokens(clips, 3, 512, 0.75)[0])
        every = training_tokens(clips, 3, 512, 0.75)[1]
        assert every.tolist() == 400 * [list(range(512))]


def test_a_window_lies_anywhere_in_the_clip_and_holds_all_that_is_seen():
    clips = torch.arange(4000)
    visible, decoded = training_tokens(clips, 5, 512, 0.75, 1.0, window=24)
    first = decoded[:, 0]
    assert torch.equal(decoded, first[:, None] + torch.arange(24 * 8))
    assert (visible[:, 0] >= first).all()
    assert (visible[:, -1] < first + 24 * 8).all()
    # It begins at each of 41 places alike, and never within a column.
    counts = (first // 8).bincount(minlength=41)
    assert len(counts) == 41
    assert not (first % 8).any()
    assert scipy.stats.chisquare(counts.numpy()).pvalue > 1e-3
    # What is seen of a window lies in it by chance alone.
    within = (visible - first[:, None]).flatten().bincount(minlength=192)
    statistic = ((within - 1000.0) ** 2 / (1000 * 0.75)).sum()
    assert scipy.stats.chi2.sf(statistic.item(), 191) > 1e-3
    whole = training_tokens(clips, 5, 512, 0.75, 1.0, window=64)
    assert torch.equal(whole[0], training_tokens(clips, 5, 512, 0.75)[0])


def test_of_a_share_of_the_masked_patches_the_loss_is_theirs_alone(model, mel):
    clips = torch.arange(3)
    output = model(mel, clips, seed=0, decoded_share=0.25)
    assert output.mask.sum(1).tolist() == [96] * 3
    assert torch.equal(output.prediction.any(2) & output.mask, output.mask)
    error = (output.prediction - normalise_patches(patchify(mel)))[output.mask]
    assert output.loss.item() == pytest.approx(error.square().mean().item(), rel=1e-5)

    # The patches that are left out stand nowhere: their own places make no difference.
    visible, decoded = training_tokens(clips, 0, 512, 0.75, 0.25)
    encoded, before = model.encoder(mel, visible), model.decoder_positions.clone()
    left_out = torch.tensor(sorted(set(range(512)) - set(decoded[0].tolist())))
    with torch.no_grad():
        expected = model.decode(encoded[:1], visible[:1], 512, decoded[:1])
        model.decoder_positions[left_out] += 1
        again = model.decode(encoded[:1], visible[:1], 512, decoded[:1])
        model.decoder_positions.copy_(before)
    assert torch.equal(again, expected)
    torch.testing.assert_close(output.prediction[0, decoded[0]], expected[0])


@pytest.mark.parametrize("class_token", [False, True])
def test_with_visible_keys_a_prediction_does_not_depend_on_the_others(class_token, mel, tmp_path):
    model = MaskedAutoencoder.preset(
        "micro", class_token=class_token, visible_keys=True, decoder_depth=2
    )
    clips = torch.arange(3)
    whole, part = (model(mel, clips, seed=0, decoded_share=share) for share in (1.0, 0.25))
    torch.testing.assert_close(
        part.prediction[part.mask], whole.prediction[part.mask], atol=1e-5, rtol=1e-5
    )
    save_model(model, tmp_path / "model.safetensors")
    assert load_model(tmp_path).architecture.visible_keys is True
    # Where all attend to all it does.
    mixed = MaskedAutoencoder.preset("micro", class_token=class_token, decoder_depth=2)
    whole, part = (mixed(mel, clips, seed=0, decoded_share=share) for share in (1.0, 0.25))
    assert not torch.allclose(part.prediction[part.mask], whole.prediction[part.mask], atol=1e-4)


@pytest.mark.parametrize("hidden", [0, 5])
def test_attention_in_bfloat16_is_that_of_float64(hidden):
    query, key, value = torch.randn(3, 2, 4, 24, 16, generator=torch.Generator().manual_seed(0))
    mask = (torch.arange(24) >= hidden).expand(2, 1, 1, 24)
    scores = query.double() @ key.double().mT / 16**0.5
    expected = scores.masked_fill(~mask, -torch.inf).softmax(-1) @ value.double()
    halved = [part.bfloat16().requires_grad_() for part in (query, key, value)]
    found = attention(*halved, mask if hidden else None)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.double(), expected, atol=0.02, rtol=0.02)
    found.sum().backward()
    assert not halved[1].grad[:, :, :hidden].any()
    assert not halved[2].grad[:, :, :hidden].any()
    without = attention(*(part.detach() for part in halved), mask if hidden else None)
    torch.testing.assert_close(without, found.detach(), atol=0.02, rtol=0.02)
    exact = attention(query, key, value, mask if hidden else None)
    torch.testing.assert_close(exact.double(), expected, atol=1e-5, rtol=1e-5)


def test_a_mimetic_start_attends_to_places_alike():
    plain, started = (MaskedAutoencoder.preset("tiny", 0, initial=i) for i in ("xavier", "mimetic"))
    for name, weight in started.named_parameters():
        others = ("patch_projection.weight", "query_key_value.weight", ".output.weight")
        assert torch.equal(weight, plain.get_parameter(name)) != name.endswith(others), name

    def nearby(model):
        """The attention that the tokens of a silent clip give to places at most 2 patches away."""
        x = model.encoder.tokens(torch.zeros(1, 1024, 128))[:, 1:]
        block = model.encoder.blocks[0]
        joint = block.query_key_value(block.attention_norm(x))
        query, key, _ = joint.unflatten(2, (3, block.heads, -1)).permute(2, 0, 3, 1, 4)
        attention = (query @ key.mT / query.shape[-1] ** 0.5).softmax(-1)[0].mean(0)
        index = torch.arange(512)
        time = (index[:, None] // BANDS - index // BANDS).abs()
        band = (index[:, None] % BANDS - index % BANDS).abs()
        return (attention * ((time <= 2) & (band <= 2))).sum(1).mean().item()

    # Of 512 tokens at most 25 are so near.
    assert nearby(plain) < 2 * 25 / 512
    assert nearby(started) > 2 * nearby(plain)


def test_the_products_of_a_mimetic_start_are_near_multiples_of_the_identity():
    model = MaskedAutoencoder.preset("tiny", 1, initial="mimetic")
    assert torch.equal(
        model.encoder.patch_projection.weight,
        0.3 * MaskedAutoencoder.preset("tiny", 1).encoder.patch_projection.weight,
    )
    for block in (*model.encoder.blocks, *model.decoder_blocks):
        width = block.output.in_features
        query, key, value = block.query_key_value.weight.detach().split(width)
        product = block.output.weight.detach() @ value
        assert product.diagonal().mean().item() == pytest.approx(-0.4, abs=0.02)
        assert (product - product.diagonal().diag()).std().item() == pytest.approx(
            0.4 / width**0.5, rel=0.1
        )
        for q, k in zip(query.chunk(block.heads), key.chunk(block.heads), strict=True):
            product = q.T @ k
            assert torch.linalg.matrix_rank(product) == width // block.heads
            assert product.diagonal().mean() > 0.7 / block.heads
            assert q.square().sum().item() == pytest.approx(k.square().sum().item(), rel=1e-3)


def test_attention_block_agrees_with_torch_multihead_attention():
    block = MaskedAutoencoder.preset("micro").encoder.blocks[0]
    attention = torch.nn.MultiheadAttention(64, 2, batch_first=True)
    attention.in_proj_weight.data = block.query_key_value.weight.data
    attention.in_proj_bias.data = block.query_key_value.bias.data
    attention.out_proj.load_state_dict(block.output.state_dict())
    x = torch.randn(2, 9, 64)
    normed = block.attention_norm(x)
    after = x + attention(normed, normed, normed)[0]
    torch.testing.assert_close(block(x), after + block.mlp(block.mlp_norm(after)))


def test_base_is_the_papers_vit_b_with_a_decoder_of_8_by_512():
    # 12 d^2 + 13 d numbers a block of width d; beside them projections, norms and tokens.
    def blocks(width, depth):
        return depth * (12 * width**2 + 13 * width)

    encoder = 257 * 768 + 768 + blocks(768, 12) + 2 * 768
    decoder = 769 * 512 + 512 + blocks(512, 8) + 2 * 512 + 513 * 256
    model = MaskedAutoencoder(ARCHITECTURES["base"])
    assert sum(p.numel() for p in model.parameters()) == encoder + decoder


def test_fields_of_the_architecture_replace_those_of_the_preset(mel):
    model = MaskedAutoencoder.preset("micro", 3, 0.5, decoder_width=32, decoder_depth=3)
    assert model.architecture == replace(ARCHITECTURES["micro"], decoder_width=32, decoder_depth=3)
    assert model.mask_ratio == 0.5
    assert len(model.decoder_blocks) == 3
    assert model.decoder_output.weight.shape == (256, 32)
    encoder = Encoder.preset("base", 1, **asdict(ARCHITECTURES["micro"]))
    expected = Encoder.preset("micro", 1)
    torch.testing.assert_close(encoder(mel), expected(mel), atol=0, rtol=0)


def test_a_network_without_a_class_token_has_patches_alone(mel, tmp_path):
    model = MaskedAutoencoder.preset("micro", class_token=False)
    with_token = MaskedAutoencoder.preset("micro")
    numbers = [sum(p.numel() for p in m.parameters()) for m in (with_token, model)]
    assert numbers[0] - numbers[1] == 64
    visible = training_tokens(torch.arange(3), 0, 512, 0.75)[0]
    assert model.encoder(mel).shape == (3, 512, 64)
    assert model.encoder(mel, visible).shape == (3, 128, 64)
    assert with_token.encoder(mel, visible).shape == (3, 129, 64)
    output = model(mel, torch.arange(3), seed=0)
    assert output.prediction.shape == (3, 512, 256)
    output.loss.backward()
    assert all(p.grad is not None for p in model.parameters())

    save_model(model, tmp_path / "model.safetensors")
    encoder = load_encoder(tmp_path)
    assert encoder.architecture.class_token is False
    wave = torch.randn(2, 163840, generator=torch.Generator().manual_seed(0))
    expected = encoder(encoder.log_mel(wave)).mean(1)
    torch.testing.assert_close(encoder.embed(wave), expected, atol=1e-5, rtol=1e-5)


def test_weights_of_before_the_class_token_was_a_choice_have_one(tmp_path):
    path = tmp_path / "model.safetensors"
    model = MaskedAutoencoder.preset("micro")
    save_model(model, path)
    with safe_open(path, "pt") as file:
        about = json.loads(file.metadata()["audiopg"])
    del about["architecture"]["class_token"]
    save_file(load_file(path), path, metadata={"audiopg": json.dumps(about)})
    assert load_model(path).architecture == model.architecture


def test_the_initial_weights_are_a_function_of_the_seed():
    before = torch.random.get_rng_state()
    one, same, other = (MaskedAutoencoder.preset("micro", seed=s) for s in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    for name, value in one.state_dict().items():
        assert torch.equal(value, same.state_dict()[name])
    assert not torch.equal(one.decoder_output.weight, other.decoder_output.weight)


def test_reconstruction_keeps_what_was_seen_and_restores_the_scale(model, mel):
    output = model(mel, torch.arange(3), seed=0)
    patches = patchify(reconstruct(mel, output))
    assert torch.equal(patches[~output.mask], patchify(mel)[~output.mask])
    truth = patchify(mel)[output.mask]
    expected = output.prediction[output.mask] * truth.std(1, keepdim=True)
    expected = expected + truth.mean(1, keepdim=True)
    torch.testing.assert_close(patches[output.mask], expected, atol=1e-4, rtol=1e-4)


def test_shorter_clips_use_the_first_positions(model, mel):
    tokens = model.encoder(mel[:, :320])
    assert tokens.shape == (3, 1 + 20 * BANDS, 64)


def test_embedding_averages_the_patch_tokens_whatever_the_batch():
    encoder = Encoder.preset("micro")
    wave = torch.randn(5, 163840, generator=torch.Generator().manual_seed(0))
    embedding = encoder.embed(wave, batch_size=2)
    expected = encoder(encoder.log_mel(wave))[:, 1:].mean(1)
    torch.testing.assert_close(embedding, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(encoder.embed(wave[0].numpy()), expected[0], atol=1e-5, rtol=1e-5)


def test_embedding_resamples_and_repeats_short_clips():
    encoder = Encoder.preset("micro")
    tone = torch.sin(2 * torch.pi * 440 * torch.arange(44100) / 44100)
    at_16_khz = torch.sin(2 * torch.pi * 440 * torch.arange(16000) / 16000)
    near = encoder.embed(tone, sample_rate=44100)
    torch.testing.assert_close(near, encoder.embed(at_16_khz), atol=0.05, rtol=0)


def test_an_encoder_is_on_the_cpu_whatever_the_default_device():
    encoder = Encoder.preset("micro").eval()
    wave = torch.sin(torch.arange(9000) / 9).expand(2, -1)
    with torch.device("meta"):
        loaded = load_encoder("tiny").embed(wave, native=True)
        found = encoder.embed([wave[0], wave[1, :5000]], 8000)
        over_time, _ = encoder.embed_over_time(wave)
    assert torch.equal(loaded, load_encoder("tiny").embed(wave, native=True))
    assert torch.equal(found, encoder.embed([wave[0], wave[1, :5000]], 8000))
    assert torch.equal(over_time, encoder.embed_over_time(wave)[0])


def test_a_network_in_half_precision_is_one_sentence():
    with pytest.raises(InputError, match=r"is of type torch\.float16; make the network float32"):
        Encoder.preset("micro").half().embed(torch.zeros(16000))


def test_a_spectrogram_may_be_kept_in_another_precision_or_in_an_array():
    model = MaskedAutoencoder.preset("micro").eval().requires_grad_(False)
    mel = torch.randn(2, 32, 128, generator=torch.Generator().manual_seed(0)).half().float()
    output = model(mel, [0, 1], 0)
    for given in (mel.half(), mel.double(), mel.numpy(), mel.numpy().astype(np.float16)):
        assert torch.equal(model.encoder(given), model.encoder(mel))
        assert torch.equal(model.encoder.layers(given), model.encoder.layers(mel))
        assert torch.equal(model(given, [0, 1], 0).loss, output.loss)
        # Half precision has 11 bits, and no value is above 8.
        torch.testing.assert_close(
            reconstruct(given, output).float(), reconstruct(mel, output), rtol=0, atol=8 * 2.0**-11
        )


def test_a_run_in_a_folder_named_as_weights_is_not_taken_for_them(tmp_path, monkeypatch):
    save_model(MaskedAutoencoder.preset("micro"), tmp_path / "tiny/step-00000001/model.safetensors")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"'tiny' names weights that come with audiopg, and"):
        load_encoder("tiny")
    assert load_encoder("./tiny").dimensions == 64


def test_an_encoder_survives_the_disk_bit_for_bit(tmp_path):
    model = MaskedAutoencoder.preset("micro", seed=4)
    save_model(model, tmp_path / "step-00000001" / "model.safetensors")
    encoder = load_encoder(tmp_path)
    assert not encoder.training
    assert not any(p.requires_grad for p in encoder.parameters())
    for name, value in model.encoder.state_dict().items():
        assert torch.equal(value, encoder.state_dict()[name])


def test_half_precision_weights_load_as_single_within_their_rounding(tmp_path):
    model = MaskedAutoencoder.preset("micro")
    save_model(model, tmp_path / "model.safetensors", half=True)
    loaded = load_model(tmp_path)
    for name, value in model.state_dict().items():
        assert loaded.state_dict()[name].dtype == torch.float32
        torch.testing.assert_close(loaded.state_dict()[name], value, atol=1e-7, rtol=2**-11)


@pytest.mark.parametrize("name", shipped_weights())
def test_shipped_weights_reconstruct_better_than_a_constant(name):
    model = load_model(name)
    clips = torch.arange(10**6, 10**6 + 8)
    mel = model.encoder.log_mel(render(SynthPrior().sample(clips, seed=0)))
    with torch.no_grad():
        assert model(mel, clips, seed=0).loss < 0.9


def damage_header(path):
    save_file(load_file(path), path)


def damage_body(path):
    path.write_bytes(path.read_bytes()[:1000])


def rewrite(path, old, new):
    tensors, about = read_tensors(path)
    about["audiopg"] = about["audiopg"].replace(old, new)
    save_file(tensors, path, metadata=about)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_header, "was not written by audiopg"),
        (damage_body, "is damaged or no safetensors file"),
        (
            partial(rewrite, old='"width": 64', new='"width": 32'),
            "holds a network of another shape",
        ),
        (
            partial(rewrite, old='"class_token": true', new='"class_token": false'),
            "holds a network of another shape: .*class_token",
        ),
        (
            partial(rewrite, old='"heads": 2', new='"heads": 7'),
            "holds a network of another shape: width is 64; with 7 heads",
        ),
    ],
)
def test_a_bad_checkpoint_is_one_clear_sentence(tmp_path, damage, message):
    path = tmp_path / "model.safetensors"
    save_model(MaskedAutoencoder.preset("micro"), path)
    damage(path)
    with pytest.raises(InputError, match=message) as caught:
        load_model(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("huge", {}, "no model is called 'huge'"),
        ("micro", {"initial": "zero"}, r"initial is 'zero'; choose from .*'mimetic'"),
        ("micro", {"decoder": 3}, r"no field 'decoder'; choose from .*'decoder_depth'"),
        (
            "base",
            {"decoder_width": 36},
            "^decoder_width is 36; with 16 heads it is a multiple of 16",
        ),
        ("base", {"depth": 0}, "^depth is 0; give a whole number of at least 1"),
        ("micro", {"mask_ratio": 1}, "^mask_ratio is 1; give "),
        ("micro", {"seed": "3"}, "^seed is .*; give "),
        ("micro", {"seed": 1.5}, "^seed is .*; give "),
        ("micro", {"mask_ratio": "0.5"}, "^mask_ratio is .*; give "),
        ("micro", {"class_token": "no"}, "^class_token is .*; give "),
        ("micro", {"visible_keys": 1}, "^visible_keys is .*; give "),
    ],
)
def test_what_makes_no_network_is_refused(name, changes, message):
    with pytest.raises(InputError, match=message):
        MaskedAutoencoder.preset(name, **changes)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda model: load_encoder(Path(__file__).parent), "is not a file"),
        (lambda model: model(torch.zeros(3, 1000, 128), range(3), 0), "frames a multiple of 16"),
        (lambda model: model(torch.zeros(3, 1024, 128), range(2), 0), "for 3 spectrograms"),
        (lambda model: model.encoder(torch.zeros(1, 1040, 128)), "takes at most 1024"),
    ],
)
def test_what_a_network_cannot_take_is_refused(model, use, message):
    with pytest.raises(InputError, match=message):
        use(model)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("seed", (1.7, [1], "1", None)),
        ("window", (0, -1, 1.5, "3", 65)),
        ("decoded_share", (0, -1, 1.5, 7, "0.5", math.nan)),
    ],
)
def test_what_is_no_seed_window_or_share_is_refused(model, mel, name, wrong):
    for value in wrong:
        with pytest.raises(InputError, match=f"^{name} is .*; give "):
            model(mel, range(3), **({"seed": 0} | {name: value}))


@pytest.mark.parametrize("name", [None, 5, b"tiny", ["tiny"], float("nan")])
def test_what_is_no_path_names_no_weights(name):
    with pytest.raises(InputError, match=r"names no weights; give a name or a path\."):
        load_encoder(name)


def test_weights_in_a_folder_that_may_not_be_entered_are_named(tmp_path, monkeypatch):
    # Root may enter all, so the system's answer is given in its place.
    stat = os.stat

    def refusing(path, *arguments, **options):
        if str(path).startswith(str(tmp_path)):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return stat(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", refusing)
    monkeypatch.setattr(Path, "open", refusing)
    with pytest.raises(InputError, match=r"safetensors cannot be read \(Permission denied\)"):
        load_model(tmp_path / "step-00000002/model.safetensors")
