"""Embeddings of clips: pooled, at their native length, and over time."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopg.embedding import Embedder
from audiopg.errors import InputError
from audiopg.frontend import LogMel, fit_length
from audiopg.mae import BANDS, PIXELS, Encoder, patchify

# Of embeddings that were computed in other batches: float32, of the size of 1, some ten roundings.
CLOSE = {"atol": 1e-5, "rtol": 1e-5}
WHOLE = 163840


@pytest.fixture(scope="module")
def encoder():
    return Encoder.preset("micro", seed=3)


def noise(samples, seed=0):
    return torch.randn(samples, generator=torch.Generator().manual_seed(seed))


def tokens_of(encoder, wave):
    """(T, 8, D), from the encoder's own pass over one clip."""
    tokens = encoder(encoder.log_mel(wave[None]))[0, 1:]
    return tokens.reshape(-1, BANDS, tokens.shape[1])


def test_native_clips_use_the_first_positions_and_no_loop(encoder):
    wave = noise(16000)
    assert LogMel.frames(16000) == 112
    expected = tokens_of(encoder, wave)
    assert expected.shape == (7, 8, 64)
    found = encoder.embed(wave, native=True)
    torch.testing.assert_close(found, expected.mean((0, 1)), **CLOSE)
    assert not torch.allclose(found, encoder.embed(wave), atol=1e-2)


class Passing(Embedder):
    """Another network: its tokens are the patches, behind three that stand for none."""

    dimensions = PIXELS

    def __init__(self):
        super().__init__()
        self.log_mel = LogMel()
        self.gain = torch.nn.Parameter(torch.ones(()))

    def forward(self, mel):
        return torch.nn.functional.pad(patchify(mel) * self.gain, (0, 0, 3, 0), value=torch.nan)


def test_any_network_embeds_with_its_last_tokens():
    wave = noise(16000)
    patches = patchify(LogMel()(wave[None]))[0]
    torch.testing.assert_close(Passing().embed(wave, native=True), patches.mean(0), **CLOSE)


@pytest.mark.parametrize("native", [False, True])
def test_pooling_by_frequency_keeps_the_bands_apart(encoder, native):
    wave = noise(40000)
    tokens = tokens_of(encoder, wave if native else fit_length(wave, WHOLE))
    expected = torch.cat([tokens[:, band].mean(0) for band in range(BANDS)])
    found = encoder.embed(wave, pooling="frequency", native=native)
    assert found.shape == (512,) == (encoder.embedding_size("frequency"),)
    torch.testing.assert_close(found, expected, **CLOSE)
    mean = encoder.embed(wave, native=native)
    torch.testing.assert_close(found.reshape(BANDS, 64).mean(0), mean, **CLOSE)
    assert mean.shape == (encoder.embedding_size(),)


def test_a_clip_of_the_length_of_pre_training_is_the_same_either_way(encoder):
    wave = noise((2, WHOLE))
    for pooling in ("mean", "frequency"):
        fitted, native = (encoder.embed(wave, pooling=pooling, native=n) for n in (False, True))
        assert torch.equal(fitted, native)


@pytest.mark.parametrize("rest", [0, 399, 400, 5000, WHOLE])
def test_longer_clips_are_averaged_over_windows_patch_by_patch(encoder, rest):
    wave = noise(WHOLE + rest)
    windows = [wave[:WHOLE], wave[WHOLE:]][: 1 + (rest >= 400)]
    expected = torch.cat([tokens_of(encoder, window) for window in windows]).mean(0)
    found = encoder.embed(wave, pooling="frequency", native=True)
    torch.testing.assert_close(found, expected.flatten(), **CLOSE)


@settings(max_examples=15)
@given(
    st.lists(st.one_of(st.integers(400, 20000), st.sampled_from([16000, WHOLE + 900])), min_size=1),
    st.integers(1, 5),
    st.sampled_from(["mean", "frequency"]),
    st.booleans(),
)
def test_clips_of_any_lengths_embed_as_each_alone(encoder, lengths, batch_size, pooling, native):
    lengths = lengths[: 8 if native else 3]
    waves = [noise(n, seed) for seed, n in enumerate(lengths)]
    how = {"pooling": pooling, "native": native}
    together = encoder.embed(waves, batch_size=batch_size, **how)
    alone = torch.stack([encoder.embed(wave.numpy(), **how) for wave in waves])
    torch.testing.assert_close(together, alone, **CLOSE)


def test_a_step_hears_160_ms_and_the_steps_average_to_the_clip(encoder):
    wave = noise((3, WHOLE + 30000))
    for pooling in ("mean", "frequency"):
        over_time, seconds = encoder.embed_over_time(wave, batch_size=2, pooling=pooling)
        assert over_time.shape == (3, 64 + 12, encoder.embedding_size(pooling))
        assert over_time.dtype == torch.float32
        expected = encoder.embed(wave, pooling=pooling, native=True)
        torch.testing.assert_close(over_time.mean(1), expected, **CLOSE)
    # The first step has frames that begin at 0, 10, ..., 150 ms and last 25 ms.
    np.testing.assert_allclose(seconds, 0.0875 + 0.16 * np.arange(76), rtol=1e-12)


def test_a_click_is_embedded_at_its_time(encoder):
    quiet = torch.zeros(1, 48000)
    click = quiet.clone()
    click[0, 24000:24016] = 1.0
    steps = [LogMel()(wave).unflatten(1, (-1, 16)) for wave in (quiet, click)]
    heard = (steps[1] != steps[0]).any((2, 3))[0]
    times = encoder.embed_over_time(click)[1]
    assert len(times) == len(heard)
    assert abs(times[heard] - 1.5).max() < 0.08 + 0.0125


def test_one_wave_is_a_batch_of_one_over_time(encoder):
    wave = noise(8000)
    one, batch = encoder.embed_over_time(wave)[0], encoder.embed_over_time(wave[None].numpy())[0]
    assert one.shape == (1, 3, 64)
    assert torch.equal(one, batch)


def test_a_network_without_a_class_token_pools_all_its_tokens():
    encoder = Encoder.preset("micro", class_token=False)
    wave = noise(6400)
    expected = encoder(encoder.log_mel(wave[None]))[0].mean(0)
    torch.testing.assert_close(encoder.embed(wave, native=True), expected, **CLOSE)


def test_arrays_of_any_float_type_will_do_even_those_that_cannot_be_written(encoder):
    wave = noise(4000).double().numpy()
    wave.flags.writeable = False
    expected = encoder.embed(wave, native=True)
    for other in (torch.from_numpy(wave.copy()), wave.astype(np.float32), wave.astype(">f8")):
        assert torch.equal(encoder.embed(other, native=True), expected)
    # Numbers too small for float32 are 0, whatever NumPy has been told to do about them.
    with np.errstate(all="raise"):
        tiny = encoder.embed(wave * 1e-60, native=True)
    assert torch.equal(tiny, encoder.embed(wave * 0, native=True))


def test_resampling_comes_before_the_length(encoder):
    tone = torch.sin(2 * torch.pi * 440 * torch.arange(44100) / 44100)
    near = encoder.embed([tone, tone[:22050]], sample_rate=44100, native=True)
    for row, seconds in zip(near, (1, 0.5), strict=True):
        same = torch.sin(2 * torch.pi * 440 * torch.arange(int(16000 * seconds)) / 16000)
        torch.testing.assert_close(row, encoder.embed(same, native=True), atol=0.05, rtol=0)


def test_half_precision_is_for_the_caller_to_choose(encoder):
    wave = noise(16000)
    with torch.autocast("cpu", torch.bfloat16):
        half = encoder.embed(wave, native=True)
    whole = encoder.embed(wave, native=True)
    assert half.dtype == torch.float32
    assert not torch.equal(half, whole)
    # Eight bits, through two blocks.
    torch.testing.assert_close(half, whole, atol=0.05, rtol=0)


def test_no_clips_have_no_embeddings(encoder):
    assert encoder.embed(torch.zeros(0, 16000)).shape == (0, 64)
    assert encoder.embed([], pooling="frequency", native=True).shape == (0, 512)


@pytest.mark.parametrize(
    ("wave", "options", "message"),
    [
        (
            [torch.zeros(()), torch.zeros(800)],
            {},
            r"has shape \(\); give \(samples,\) for each clip",
        ),
        (torch.zeros(800), {"pooling": "max"}, r"pooling is 'max'; choose from \['mean', 'freq"),
        (torch.zeros(399), {"native": True}, "has 399 samples, shorter than one window of 400"),
        (torch.zeros(0), {"native": True}, "has no samples"),
    ],
)
def test_what_cannot_be_embedded_is_refused(encoder, wave, options, message):
    """What is no wave for any function is refused in tests/test_inputs.py."""
    with pytest.raises(InputError, match=message):
        encoder.embed(wave, **options)


def test_a_clip_too_short_to_embed_over_time_is_refused(encoder):
    with pytest.raises(InputError, match="has 399 samples, shorter than one window"):
        encoder.embed_over_time(torch.zeros(2, 399))
