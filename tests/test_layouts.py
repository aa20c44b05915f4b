"""Encoders in other layouts: against timm's own networks, and ViTMAE's as its paper has them."""

import argparse
import errno
import json
import math
import re
from pathlib import Path
from unittest.mock import Mock

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer
from torch.nn.functional import gelu, layer_norm, linear
from torchaudio.compliance.kaldi import fbank

from audiopg import Encoder, InputError, LogMel, layouts, load_encoder
from audiopg.__main__ import main
from audiopg.layouts import AUDIOMAE, read_pth, write_timm
from audiopg.mae import patchify
from audiopg.pretrained import load_model
from audiopg.records import read_record

ROOT = Path(__file__).parents[1]
MEL = torch.randn(2, 1024, 128, generator=torch.Generator().manual_seed(0))


def audiomae(class_token=True):
    """A small network of AudioMAE's shape, made by timm; its positions are no sines."""
    torch.manual_seed(1)
    network = VisionTransformer(
        img_size=(1024, 128),
        in_chans=1,
        num_classes=0,
        embed_dim=128,
        depth=2,
        num_heads=2,
        class_token=class_token,
        global_pool="token" if class_token else "avg",
        fc_norm=False,
    )
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network.eval()


def weights(network):
    return {name: value.contiguous() for name, value in network.state_dict().items()}


def close(found, expected):
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("class_token", [True, False])
def test_an_encoder_in_the_layout_of_audiomae_gives_what_timm_gives(tmp_path, class_token):
    network = audiomae(class_token)
    # The decoder that its checkpoints have beside it is no part of an encoder.
    decoder = {"mask_token": torch.zeros(1, 1, 8), "decoder_blocks.0.norm1.bias": torch.zeros(8)}
    save_file(weights(network) | decoder, tmp_path / "audiomae.safetensors")
    encoder = load_encoder(tmp_path / "audiomae.safetensors")
    close(encoder(MEL), network.forward_features(MEL[:, None]).detach())
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    with pytest.raises(InputError, match="holds no autoencoder of its; load_encoder reads"):
        load_model(tmp_path / "audiomae.safetensors")


def test_an_encoder_hears_through_the_front_end_of_its_training(tmp_path):
    """The wave's way as AudioMAE's own code has it: torchaudio, zeros behind, then standardised."""
    network = audiomae()
    save_file(weights(network), tmp_path / "audiomae.safetensors")
    wave = torch.randn(1, 100_000, generator=torch.Generator().manual_seed(2)) / 8
    mel = fbank(
        wave, htk_compat=True, window_type="hanning", num_mel_bins=128, dither=0.0, frame_shift=10
    )
    steps = math.ceil(len(mel) / 16)
    padded = torch.zeros(1024, 128)
    padded[: len(mel)] = mel
    mel = (padded + 4.2677393) / (4.5689974 * 2)
    encoder = load_encoder(tmp_path / "audiomae.safetensors")
    found = encoder.log_mel(wave)[0]
    torch.testing.assert_close(found, mel[: len(found)], rtol=0, atol=1e-3)
    assert (found[-1] == AUDIOMAE["padding"]).all()
    # At its native length a clip has the first of the positions and no other patches.
    with torch.no_grad():
        tokens = network.patch_embed(mel[None, None])[:, : 8 * steps]
        positions = network.pos_embed[:, : 1 + 8 * steps]
        tokens = torch.cat((network.cls_token, tokens), dim=1) + positions
        expected = network.norm(network.blocks(tokens))[:, 1:].mean(dim=1)
    torch.testing.assert_close(encoder.embed(wave, native=True), expected, rtol=0, atol=1e-3)
    # Beside a longer clip in one batch too.
    longer = torch.cat((wave, wave), dim=1)[0, :101_000]
    both = encoder.embed([longer, wave[0]], native=True)
    torch.testing.assert_close(both[1:], expected, rtol=0, atol=1e-3)


def plain_vitmae(tensors, x, heads, epsilon):
    """ViTMAE's encoder by the names that transformers gives its weights, of all patches in order.

    It agreed with ``ViTMAEModel`` of transformers 5.24.0 to 2e-6, which gives the tokens shuffled even
    at mask ratio 0, and in order where it is given ascending noise.
    """

    def dense(name, x):
        return linear(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"])

    def norm(name, x):
        scale, shift = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
        return layer_norm(x, scale.shape, scale, shift, epsilon)

    patches = "embeddings.patch_embeddings.projection"
    x = linear(x, tensors[f"{patches}.weight"].flatten(1), tensors[f"{patches}.bias"])
    x = torch.cat((tensors["embeddings.cls_token"].expand(len(x), 1, -1), x), dim=1)
    x = x + tensors["embeddings.position_embeddings"]
    for number in range(2):
        block = f"encoder.layer.{number}"
        y = norm(f"{block}.layernorm_before", x)
        query, key, value = (
            dense(f"{block}.attention.attention.{part}", y)
            .unflatten(2, (heads, -1))
            .transpose(1, 2)
            for part in ("query", "key", "value")
        )
        weight = (query @ key.mT / query.shape[-1] ** 0.5).softmax(dim=-1)
        y = (weight @ value).transpose(1, 2).flatten(2)
        x = x + dense(f"{block}.attention.output.dense", y)
        y = norm(f"{block}.layernorm_after", x)
        x = x + dense(f"{block}.output.dense", gelu(dense(f"{block}.intermediate.dense", y)))
    return norm("layernorm", x)


@pytest.mark.parametrize("prefix", ["", "vit."])
def test_vitmae_keeps_query_key_and_value_apart(tmp_path, prefix):
    generator = torch.Generator().manual_seed(3)
    shapes = {
        "embeddings.cls_token": (1, 1, 64),
        "embeddings.position_embeddings": (1, 513, 64),
        "embeddings.patch_embeddings.projection.weight": (64, 1, 16, 16),
        "embeddings.patch_embeddings.projection.bias": (64,),
    }
    for place in ("layernorm", *(f"encoder.layer.{n}.layernorm_{w}" for n in "01" for w in ORDER)):
        shapes |= {f"{place}.weight": (64,), f"{place}.bias": (64,)}
    for number in "01":
        for name, (rows, columns) in DENSE.items():
            place = f"encoder.layer.{number}.{name}"
            shapes |= {f"{place}.weight": (rows, columns), f"{place}.bias": (rows,)}
    # So small that the number in the layer norms matters; but for those that decide who is heard.
    sizes = {name: 0.3 if "layernorm" in name or "attention" in name else 1e-2 for name in shapes}
    tensors = {n: torch.randn(s, generator=generator) * sizes[n] for n, s in shapes.items()}
    save_file({prefix + n: v for n, v in tensors.items()}, tmp_path / "model.safetensors")
    config = {"model_type": "vit_mae", "num_attention_heads": 4, "layer_norm_eps": 1e-12}
    (tmp_path / "config.json").write_text(json.dumps(config))
    patches, tokens = patchify(MEL), load_encoder(tmp_path)(MEL)
    close(tokens, plain_vitmae(tensors, patches, 4, 1e-12))
    assert (tokens - plain_vitmae(tensors, patches, 4, 1e-3)).abs().max() > 0.01
    assert (tokens - plain_vitmae(tensors, patches, 1, 1e-12)).abs().max() > 0.1


ORDER = ("before", "after")
DENSE = {
    "attention.attention.query": (64, 64),
    "attention.attention.key": (64, 64),
    "attention.attention.value": (64, 64),
    "attention.output.dense": (64, 64),
    "intermediate.dense": (256, 64),
    "output.dense": (64, 256),
}


@pytest.mark.parametrize("class_token", [True, False])
def test_an_exported_encoder_is_one_of_timm_and_comes_back(tmp_path, class_token):
    encoder = Encoder.preset("micro", seed=4, class_token=class_token)
    encoder.log_mel = LogMel(**AUDIOMAE)
    write_timm(encoder, tmp_path)
    network = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    tokens = encoder(MEL)
    close(network.forward_features(MEL[:, None]).detach(), tokens)
    close(network(MEL[:, None]).detach(), tokens[:, int(class_token) :].mean(dim=1))
    back = load_encoder(tmp_path)
    assert back.architecture.heads == 2
    assert back.log_mel.settings == AUDIOMAE
    assert torch.equal(back(MEL), tokens)


@pytest.mark.parametrize("there", [(), (".",), (".", "model.safetensors")])
def test_an_export_is_whole_or_not_there(tmp_path, monkeypatch, there):
    out = tmp_path / "out"
    for name in there:
        (out / name).mkdir(parents=True) if name == "." else (out / name).write_text("mine")
    if "model.safetensors" not in there:
        full = OSError(errno.ENOSPC, "No space left on device")
        monkeypatch.setattr(layouts, "write_json", Mock(side_effect=full))
    with pytest.raises(InputError, match=r"out cannot be written \((No space|Directory not empty)"):
        write_timm(Encoder.preset("micro"), out)
    assert [path.name for path in tmp_path.rglob("*")] == (["out"] if there else []) + list(
        there[1:]
    )


def test_the_command_writes_what_the_library_writes(tmp_path, capsys):
    assert main(["export", "tiny", "--to", "timm", "--out", str(tmp_path / "tiny")]) == 0
    tiny, back = load_encoder("tiny"), load_encoder(tmp_path / "tiny")
    assert back.log_mel.settings == tiny.log_mel.settings
    assert torch.equal(back(MEL), tiny(MEL))
    assert "local-dir" in (tmp_path / "tiny" / "README.md").read_text()
    capsys.readouterr()
    assert main(["export", "tiny", "--to", "timm", "--out", str(tmp_path / "tiny")]) == 2
    assert "tiny is not an empty folder; name another." in capsys.readouterr().err


def test_a_pth_of_audiomae_is_read_as_weights_alone(tmp_path, capsys):
    network = audiomae()
    path, out = tmp_path / "pretrained.pth", tmp_path / "out"
    torch.save({"model": network.state_dict(), "args": argparse.Namespace(epochs=32)}, path)
    assert main(["export", str(path), "--to", "timm", "--out", str(out)]) == 0
    close(load_encoder(out)(MEL), network.forward_features(MEL[:, None]).detach())
    again = timm.create_model(f"local-dir:{out}", pretrained=True).eval()
    close(again.forward_features(MEL[:, None]), network.forward_features(MEL[:, None]))


class Touched:
    """Code that a pickle would run."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_nothing_in_a_pth_is_run(tmp_path):
    path, witness = tmp_path / "model.pth", tmp_path / "witness"
    torch.save({"model": {}, "other": Touched(str(witness))}, path)
    with pytest.raises(InputError, match=r"model\.pth cannot be read as weights alone"):
        read_pth(path)
    assert not witness.exists()
    for content in (b"", b"no weights"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"model\.pth cannot be read as weights alone"):
            read_pth(path)
    torch.save({"model": {"a": 1}}, path)
    with pytest.raises(InputError, match="holds no tensors by name"):
        read_pth(path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pos_embed": None}, "it has no pos_embed, as timm"),
        ({"pos_embed": torch.zeros(1, 197, 128)}, r"positions .* have shape \(1, 197, 128\)"),
        ({"patch_embed.proj.weight": torch.zeros(128, 3, 16, 16)}, r"takes \(128, 1, 16, 16\)"),
        ({"norm.weight": None}, r"cannot take: .*Missing key.*norm\.weight"),
        ({"fc_norm.weight": torch.ones(128)}, r"Unexpected key.*fc_norm\.weight"),
        ({"blocks.0.attn.qkv.bias": torch.zeros(3)}, "size mismatch for .*query_key_value"),
    ],
)
def test_another_network_is_refused_by_name(tmp_path, changed, message):
    tensors = weights(audiomae()) | changed
    path = tmp_path / "model.safetensors"
    save_file({name: value for name, value in tensors.items() if value is not None}, path)
    with pytest.raises(InputError, match=message):
        load_encoder(path)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("[]", r"config\.json is damaged: it holds no object; put the one back"),
        ('{"num_attention_heads": 7}', "with 7 heads it is a multiple of 28"),
        ('{"num_attention_heads": "2"}', "heads is '2'"),
        ('{"audiopg": {"window": "kaiser"}}', r"window is 'kaiser'; choose from"),
        ('{"audiopg": {"pitch": 3}}', "unexpected keyword argument 'pitch'"),
    ],
)
def test_a_config_that_does_not_belong_is_refused(tmp_path, config, message):
    save_file(weights(audiomae()), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(InputError, match=message):
        load_encoder(tmp_path)


def test_the_reference_says_what_the_record_of_front_ends_does():
    page = (ROOT / "book/api/network.md").read_text()
    rows = re.findall(
        r"^\| ([^|]+) \| ([^|]+) \| (\d[\d.e-]*) \| (\d[\d.e-]*) \|$", page, re.MULTILINE
    )
    record = read_record("front-ends", ROOT / "results")["metrics"]["rows"]
    assert len(rows) == len(record)
    for (toolkit, settings, median, largest), each in zip(rows, record, strict=True):
        assert (toolkit, settings.replace("`", "")) == (each["toolkit"], each["settings"])
        assert float(median) == pytest.approx(each["median"], rel=0.5, abs=0.005)
        assert float(largest) == pytest.approx(each["largest"], rel=0.5)
