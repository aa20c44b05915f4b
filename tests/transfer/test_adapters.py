"""The adapters, held against what HEAR, EVAR and X-ARES say that they ask for."""

import copy
import importlib
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from audiopg.mae import MaskedAutoencoder
from audiopg.pretrained import load_encoder, save_model

CLOSE = {"atol": 1e-5, "rtol": 1e-5}


@pytest.fixture(scope="module")
def module():
    """By its name, as the command lines of the toolkits import it."""
    return importlib.import_module("audiopg.transfer.adapters")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_model(MaskedAutoencoder.preset("micro", seed=5), path)
    return str(path)


def white_noise(clips, seconds):
    return (
        torch.rand(clips, int(seconds * 16000), generator=torch.Generator().manual_seed(0)) * 2 - 1
    )


# HEAR: what hear-validator checks, and the page of the interface says. pip takes its release 2021.0.2
# on Python 3.9 and later; 2021.0.3 to 2021.0.6 are for Python 3.6 to 3.8, and check more.


def check_by_hearvalidator_2021_0_2(embeddings, timestamps, model):
    """`torch_timestamp_embeddings` of hearvalidator/validate.py."""
    assert embeddings.dtype == torch.float32
    assert embeddings.shape[:2] == timestamps.shape
    assert embeddings.shape[2] == model.timestamp_embedding_size
    gaps = torch.diff(timestamps)
    assert torch.all((gaps - gaps.float().mean()).abs() < 1e-3)


def check_by_hearvalidator_2021_0_6(embeddings, timestamps, length):
    """`_check_timestamp_embeddings` of hearvalidator/validate.py; the length is in seconds."""
    assert embeddings.ndim == 3
    assert timestamps.ndim == 2
    if timestamps.shape[1] > 1:
        gaps = np.diff(timestamps.numpy())
        assert np.abs(gaps - gaps.mean()).max() <= 1
        # A warning there: "appears to be wrong".
        assert timestamps.min() <= gaps.mean()
    assert timestamps.max() <= 1000 * length


def test_hear_finds_a_model_with_its_attributes(module, weights):
    for model in (module.load_model(), module.load_model(weights)):
        assert isinstance(model, nn.Module)
        assert model.to("cpu") is model
        assert model.sample_rate in (16000, 22050, 32000, 44100, 48000)
        assert isinstance(model.scene_embedding_size, int)
        assert isinstance(model.timestamp_embedding_size, int)
    assert model.scene_embedding_size == 512


# The lengths that the two releases try, and every 10 ms over more than the length of a patch.
@pytest.mark.parametrize(
    "length", [1.07, 1.98, 2.0, 4.0, *(ms / 1000 for ms in range(180, 360, 10))]
)
def test_hear_gets_embeddings_at_regular_times_within_the_sound(module, weights, length):
    model = module.load_model(weights)
    embeddings, timestamps = module.get_timestamp_embeddings(white_noise(2, length), model)
    check_by_hearvalidator_2021_0_2(embeddings, timestamps, model)
    check_by_hearvalidator_2021_0_6(embeddings, timestamps, length)
    # A step of 160 ms hears 15 hops and a window; no step is missing whose middle is in the sound.
    expected = np.arange(87.5, 1000 * length, 160)
    np.testing.assert_allclose(timestamps, np.tile(expected, (2, 1)), rtol=1e-6)


@pytest.mark.parametrize(("length", "middle"), [(0.001, 0.5), (0.02, 10), (0.1, 50), (0.17, 85)])
def test_hear_gets_one_time_in_the_middle_of_a_sound_of_one_step(module, weights, length, middle):
    _, timestamps = module.get_timestamp_embeddings(
        white_noise(2, length), module.load_model(weights)
    )
    np.testing.assert_allclose(timestamps, [[middle]] * 2, rtol=1e-6)


def test_hear_gets_one_embedding_of_a_scene(module, weights):
    model = module.load_model(weights)
    audio = white_noise(8, 3.84)
    scenes = module.get_scene_embeddings(audio, model)
    assert scenes.dtype == torch.float32
    assert scenes.shape == (8, model.scene_embedding_size)
    over_time, _ = module.get_timestamp_embeddings(audio, model)
    torch.testing.assert_close(scenes, over_time.mean(1), **CLOSE)
    expected = load_encoder(weights).embed(audio, pooling="frequency", native=True)
    torch.testing.assert_close(scenes, expected, **CLOSE)


def test_hear_may_come_with_minutes_of_sound(module, weights):
    model = module.load_model(weights)
    embeddings, timestamps = module.get_timestamp_embeddings(white_noise(1, 65), model)
    assert embeddings.shape == (1, 406, 512)
    assert (torch.diff(timestamps) == 160).all()
    assert timestamps[0, -1] == 405 * 160 + 87.5


# EVAR: how lineareval.py makes and calls a representation


class Settings(dict):
    """Like the EasyDict of the toolkit: keys are attributes, too."""

    __getattr__ = dict.__getitem__


def test_evar_gets_a_vector_a_clip(module, weights):
    settings = Settings(weight_file=weights, sample_rate=16000, return_filename=False)
    representation = module.AR_AudioPG(settings).to("cpu")
    representation.precompute(torch.device("cpu"), [])
    wrapped = nn.DataParallel(representation).to("cpu")
    wrapped.eval()
    assert wrapped.module.cfg.return_filename is False
    audio = white_noise(3, 1.0)
    with torch.no_grad():
        embeddings = wrapped(audio).detach().cpu()
    assert embeddings.shape == (3, 512)
    frames = representation.encode_frames(audio)
    assert frames.shape == (3, 512, 7)
    torch.testing.assert_close(frames.mean(dim=-1), embeddings, **CLOSE)


# X-ARES 0.1.3: audio_encoder_checker.py, and how run.py finds an encoder


def xares_finds_the_class_of(path):
    """`attr_from_py_path` of xares/utils.py: the one name with the ending, of a module by its path."""
    module = importlib.import_module(path.replace("/", ".").removesuffix(".py"))
    (name,) = [name for name in dir(module) if name.endswith("Encoder")]
    return getattr(module, name)


def test_xares_finds_one_class_and_what_it_asks_of_it():
    encoder = xares_finds_the_class_of("audiopg/transfer/adapters.py")()
    assert isinstance(encoder, nn.Module)
    assert type(encoder).__name__.endswith("Encoder")
    assert encoder.sampling_rate == 16000
    audio = torch.randn(2, 50000, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        encoded = encoder(audio)
    assert encoded.ndim == 3
    assert encoded.shape[::2] == (2, encoder.output_dim)
    # As the toolkit puts it: duration over hop is about the number of frames.
    assert abs(encoded.shape[1] - 50000 / 16 / encoder.hop_size_in_ms) <= 1
    assert encoder(audio[0]).shape == (1, *encoded.shape[1:])


def test_xares_may_come_with_minutes_of_sound_and_copy_the_encoder(module, weights):
    encoder = copy.deepcopy(module.AudioPGEncoder(weights))
    encoded = encoder(white_noise(1, 65))
    assert encoded.shape == (1, 407, encoder.output_dim)


def test_xares_evaluates_weights_of_ones_own_by_the_lines_of_the_documentation(
    module, weights, tmp_path, monkeypatch
):
    page = (Path(__file__).parents[2] / "book" / "api" / "transfer.md").read_text()
    lines = re.search(r"```python\n(.+?)```", page, re.DOTALL)[1]
    (tmp_path / "mine_audiopg.py").write_text(lines.replace("/path/to/model.safetensors", weights))
    monkeypatch.syspath_prepend(tmp_path)
    encoder = xares_finds_the_class_of("mine_audiopg.py")()
    # Embeddings and scores are kept under this name.
    assert type(encoder).__name__ == "MineEncoder"
    expected = load_encoder(weights).embed_over_time(white_noise(2, 1.0), pooling="frequency")[0]
    torch.testing.assert_close(encoder(white_noise(2, 1.0)), expected)


# A batch of clips of less than one window of 400 samples: an error would stop a toolkit's whole run.


@pytest.mark.parametrize("samples", [1, 399, 400])
def test_clips_shorter_than_a_window_are_filled_up_with_silence(module, weights, samples):
    audio = white_noise(2, samples / 16000)
    filled = nn.functional.pad(audio, (0, 400 - samples))
    expected = load_encoder(weights).embed(filled, pooling="frequency", native=True)
    hear = module.load_model(weights)
    evar = module.AR_AudioPG(Settings(weight_file=weights))
    for embedded in (
        module.get_scene_embeddings(audio, hear),
        module.get_timestamp_embeddings(audio, hear)[0][:, 0],
        evar(audio),
        evar.encode_frames(audio)[..., 0],
        module.AudioPGEncoder(weights)(audio)[:, 0],
    ):
        torch.testing.assert_close(embedded, expected)
