"""Reading recordings, against signals whose content is known and scipy's resampler."""

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from audiopg.datasets import load_audio, load_clips
from audiopg.datasets.audio import read_header
from audiopg.errors import InputError
from audiopg.frontend import fit_length


def sine(frequency, sample_rate, seconds, amplitude=0.5):
    return amplitude * np.sin(
        2 * np.pi * frequency * np.arange(sample_rate * seconds) / sample_rate
    )


def test_a_wave_at_the_asked_rate_is_returned_as_written(tmp_path):
    wave = np.random.default_rng(0).uniform(-1, 1, 1000).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", wave, 16000, subtype="FLOAT")
    loaded = load_audio(tmp_path / "a.wav")
    assert loaded.dtype == torch.float32
    np.testing.assert_array_equal(loaded.numpy(), wave)


def test_channels_are_averaged(tmp_path):
    channels = np.random.default_rng(0).uniform(-1, 1, (1000, 3)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", channels, 16000, subtype="FLOAT")
    expected = channels.astype(np.float64).sum(axis=1) / 3
    np.testing.assert_allclose(load_audio(tmp_path / "a.wav").numpy(), expected, atol=1e-6)


# Vorbis at its default quality is off by up to a tenth of the amplitude of 0.5.
@pytest.mark.parametrize(("suffix", "tolerance"), [("wav", 1e-3), ("flac", 1e-3), ("ogg", 0.05)])
@pytest.mark.parametrize("file_rate", [8000, 22050, 44100, 48000])
def test_a_sine_stays_the_same_sine_at_16_khz(tmp_path, suffix, tolerance, file_rate):
    soundfile.write(tmp_path / f"a.{suffix}", sine(1000, file_rate, 1), file_rate)
    wave = load_audio(tmp_path / f"a.{suffix}").numpy()
    assert wave.shape == (16000,)
    # The ends hold the onset of the filter.
    inside = slice(1000, 15000)
    np.testing.assert_allclose(wave[inside], sine(1000, 16000, 1)[inside], atol=tolerance)


def test_resampling_agrees_with_scipy_below_the_new_nyquist_frequency(tmp_path):
    rng = np.random.default_rng(1)
    tones = sum(sine(f, 48000, 1, 0.05) for f in rng.uniform(50, 6000, 12))
    soundfile.write(tmp_path / "a.wav", tones, 48000, subtype="DOUBLE")
    expected = resample_poly(tones, 1, 3, window=("kaiser", 12.0))
    wave = load_audio(tmp_path / "a.wav").numpy()
    np.testing.assert_allclose(wave[500:-500], expected[500:-500], atol=2e-3)


def test_what_lies_above_the_new_nyquist_frequency_does_not_alias(tmp_path):
    soundfile.write(tmp_path / "a.wav", sine(11000, 44100, 1), 44100, subtype="FLOAT")
    wave = load_audio(tmp_path / "a.wav")
    assert wave[1000:-1000].abs().max() < 1e-4


def test_the_sample_rate_to_return_is_a_setting(tmp_path):
    soundfile.write(tmp_path / "a.wav", sine(440, 16000, 1), 16000)
    assert load_audio(tmp_path / "a.wav", sample_rate=8000).shape == (8000,)


def write_unusable(folder, kind):
    path = folder / f"{kind}.wav"
    if kind == "empty":
        soundfile.write(path, np.empty(0), 16000)
    elif kind == "text":
        path.write_text("not a recording")
    elif kind == "no bytes":
        path.write_bytes(b"")
    elif kind == "folder":
        path.mkdir()
    elif kind == "truncated":
        path = folder / "truncated.flac"
        soundfile.write(path, np.random.default_rng(0).uniform(-1, 1, 16000), 16000)
        path.write_bytes(path.read_bytes()[:-4000])
    elif kind == "headerless":
        path = folder / "headerless.raw"
        path.write_bytes(bytes(1000))
    elif kind == "too slow":
        soundfile.write(path, np.ones(100), 10)
    elif kind == "too short":
        soundfile.write(path, np.ones(1), 192000)
    elif kind == "overflow":
        soundfile.write(path, np.full((100, 2), 3e38), 16000, subtype="FLOAT")
    return path


@pytest.mark.parametrize(
    "kind",
    [
        "missing",
        "empty",
        "text",
        "no bytes",
        "folder",
        "truncated",
        "headerless",
        "too slow",
        "too short",
        "overflow",
    ],
)
def test_an_unusable_file_is_refused_by_name(tmp_path, kind):
    path = write_unusable(tmp_path, kind)
    with pytest.raises(InputError) as refusal:
        load_audio(path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("position", [0, 500, 999])
@pytest.mark.parametrize("file_rate", [16000, 44100])
def test_a_sample_that_is_not_finite_is_refused(tmp_path, value, position, file_rate):
    wave = np.zeros(1000)
    wave[position] = value
    soundfile.write(tmp_path / "a.wav", wave, file_rate, subtype="FLOAT")
    with pytest.raises(InputError, match=r"a\.wav holds samples that are not finite"):
        load_audio(tmp_path / "a.wav")


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
@pytest.mark.parametrize("lost", [1, 2, 1000])
def test_a_wav_file_that_ends_early_is_refused(tmp_path, subtype, lost):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(1000), 16000, subtype=subtype)
    whole = path.read_bytes()
    assert read_header(path) == (1000, 16000)
    path.write_bytes(whole[:-lost])
    assert read_header(path).startswith("cut short")
    with pytest.raises(InputError, match=r"a\.wav is cut short"):
        load_audio(path)
    # What lies behind the samples is no part of them.
    path.write_bytes(whole + b"LIST\x04\0\0\0abc")
    assert len(load_audio(path)) == 1000


def test_a_wav_file_from_a_pipe_does_not_know_its_length(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(1000), 16000, subtype="PCM_16")
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    assert len(load_audio(path)) == 1000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("audio")


def refused_by_name_or_finite(path):
    try:
        wave = load_audio(path)
    except InputError as error:
        return str(path) in str(error)
    return wave.ndim == 1 and len(wave) > 0 and bool(torch.isfinite(wave).all())


@settings(max_examples=100)
@given(
    suffix=st.sampled_from(["wav", "flac", "ogg", "mp3"]),
    damage=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8),
    length=st.integers(0, 6000),
)
def test_a_damaged_file_is_refused_or_gives_a_finite_wave(folder, suffix, damage, length):
    path = folder / f"a.{suffix}"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 2000), 16000)
    content = bytearray(path.read_bytes())
    for position, value in damage:
        content[position] = value
    path.write_bytes(content[:length])
    assert refused_by_name_or_finite(path)


def test_load_clips_keeps_the_order_of_the_paths(tmp_path):
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{i}.wav" for i in range(20)]
    for path in paths:
        soundfile.write(path, rng.uniform(-1, 1, rng.integers(200, 900)), 22050)
    clips = load_clips(paths, samples=500, progress=False)
    assert clips.shape == (20, 500)
    assert clips.dtype == torch.float32
    for clip, path in zip(clips, paths, strict=True):
        torch.testing.assert_close(clip, fit_length(load_audio(path), 500), rtol=0, atol=0)


def test_load_clips_names_every_file_it_cannot_use(tmp_path):
    good = tmp_path / "good.wav"
    soundfile.write(good, np.ones(100), 16000)
    bad = [write_unusable(tmp_path, kind) for kind in ("missing", "empty", "text")]
    with pytest.raises(InputError) as refusal:
        load_clips([bad[0], good, bad[1], good, bad[2]], samples=100, progress=False)
    message = str(refusal.value)
    assert message.startswith("3 of 5 files cannot be used")
    assert all(str(path) in message for path in bad)
    assert str(good) not in message


def test_load_clips_shows_progress_only_when_asked(tmp_path, capsys):
    soundfile.write(tmp_path / "a.wav", np.ones(100), 16000)
    load_clips([tmp_path / "a.wav"], samples=10, progress=False)
    assert capsys.readouterr().err == ""
    load_clips([tmp_path / "a.wav"], samples=10)
    assert "1/1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("setting", "message"), [("samples", "samples is 0"), ("sample_rate", "sample rate is 0")]
)
def test_load_clips_refuses_a_setting_below_1(tmp_path, setting, message):
    soundfile.write(tmp_path / "a.wav", np.ones(100), 16000)
    with pytest.raises(InputError, match=message):
        load_clips([tmp_path / "a.wav"], **{"samples": 10, setting: 0}, progress=False)
