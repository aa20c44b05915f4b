import math

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.signal
import torch
import torchaudio
from hypothesis import given, settings
from torch import nn

from audiopg.errors import InputError
from audiopg.frontend import (
    LogMel,
    fit_length,
    mel_filterbank,
    resample,
)
from audiopg.mae import MaskedAutoencoder
from audiopg.pretrained import load_model, save_model
from audiopg.synth import SAMPLE_RATE, SynthPrior, render


def kaldi(wave):
    return torchaudio.compliance.kaldi.fbank(
        wave[None],
        window_type="hamming",
        htk_compat=True,
        dither=0.0,
        num_mel_bins=128,
        sample_frequency=16000.0,
        use_energy=False,
    )


@pytest.fixture(scope="module")
def waves():
    return render(SynthPrior().sample(torch.arange(12), seed=1))


@pytest.mark.parametrize("hiss", [0.0, 0.3])
def test_log_mel_agrees_with_kaldi(waves, hiss):
    # Bands far below their frame's peak hold nothing but the rounding of the FFT, in Kaldi too:
    # within 50 dB the agreement is to 1e-3, and below it we err no more than Kaldi does.
    waves = waves + hiss * torch.randn(waves.shape, generator=torch.Generator().manual_seed(0))
    single = torch.stack([kaldi(wave) for wave in waves])
    ours = LogMel(0.0, 1.0)(waves)[:, :1022]
    heard = single > single.amax(dim=2, keepdim=True) - 50 * math.log(10) / 10
    assert heard.float().mean() > 0.5
    assert (ours - single)[heard].abs().max() < 1e-3

    torch.set_default_dtype(torch.float64)
    try:
        double = torch.stack([kaldi(wave.double()) for wave in waves])
    finally:
        torch.set_default_dtype(torch.float32)
    assert (ours - double).abs().max() < 2 * (single - double).abs().max()


def test_several_clips_at_once_have_the_bands_of_each_by_itself():
    # As a GPU takes them; on a CPU the front end takes one at a time.
    log_mel, power = LogMel(), torch.rand(3, 6, 257, generator=torch.Generator().manual_seed(0))
    together = torch.zeros(3, 8, 128)
    log_mel._log_mel(power, together[:, :6])
    expected = (power.double() @ log_mel.filterbank.double()).clamp(min=2**-23).log()
    expected = (expected - log_mel.mean) / log_mel.standard_deviation
    torch.testing.assert_close(together[:, :6].double(), expected, atol=1e-5, rtol=1e-5)
    assert not together[:, 6:].any()


def test_filterbank_agrees_with_kaldi():
    theirs, _ = torchaudio.compliance.kaldi.get_mel_banks(
        128, 512, 16000.0, 20.0, 0.0, 100.0, -500.0, 1.0
    )
    torch.testing.assert_close(mel_filterbank()[:256].T, theirs, atol=1e-6, rtol=0)


def test_frames_are_made_a_multiple_of_a_patch_with_the_mean(waves):
    mel = LogMel()(waves)
    assert mel.shape == (12, 1024, 128)
    assert torch.equal(mel[:, 1022:], torch.zeros(12, 2, 128))


@given(st.integers(400, 6000))
@settings(max_examples=30)
def test_frames_says_what_forward_gives(samples):
    assert LogMel()(torch.zeros(1, samples)).shape[1] == LogMel.frames(samples)


def test_the_curriculum_is_standardised_by_the_defaults():
    clips = torch.arange(10**6, 10**6 + 64)
    mel = LogMel()(render(SynthPrior().sample(clips, seed=0)))[:, :1022]
    per_clip = mel.mean(dim=(1, 2))
    assert abs(mel.mean()) < 3 * per_clip.std() / len(clips) ** 0.5
    assert 0.9 < mel.std() < 1.1


def test_what_cannot_be_framed_is_refused():
    with pytest.raises(InputError, match="399 samples, shorter than one window of 400"):
        LogMel()(torch.zeros(1, 399))
    with pytest.raises(InputError, match=r"shape \(500,\); give \(clips, samples\)"):
        LogMel()(torch.zeros(500))


@given(st.integers(1, 50), st.integers(1, 120))
def test_fit_length_repeats_from_the_start_or_cuts_at_the_centre(length, samples):
    wave = list(range(length))
    if length >= samples:
        expected = wave[(length - samples) // 2 :][:samples]
    else:
        expected = (wave * samples)[:samples]
    assert fit_length(torch.tensor(wave), samples).tolist() == expected


def test_fit_length_refuses_nothing_to_repeat_and_nothing_to_fill():
    with pytest.raises(InputError, match="no samples"):
        fit_length(torch.zeros(2, 0), 10)
    with pytest.raises(InputError, match="samples is 0"):
        fit_length(torch.zeros(10), 0)


def test_resampling_agrees_with_scipy():
    time = torch.arange(44100) / 44100
    wave = torch.stack([torch.sin(2 * torch.pi * f * time) for f in (440.0, 3000.0)])
    ours = resample(wave, 44100)
    assert ours.shape == (2, 16000)
    theirs = scipy.signal.resample_poly(wave.numpy(), 160, 441, axis=1)
    assert np.abs(ours.numpy() - theirs)[:, 500:-500].max() < 5e-3


def test_a_rate_of_16_khz_is_left_alone_and_a_bad_one_refused():
    wave = torch.randn(1, 1000)
    assert resample(wave, 16000) is wave
    for rate in (0, -8000, 0.5):
        with pytest.raises(InputError, match="sample rate"):
            resample(wave, rate)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_floats_of_other_precisions_are_resampled_as_float32(kind):
    given = torch.randn(2, 3000, generator=torch.Generator().manual_seed(0)).to(kind)
    found = resample(given, 44100)
    assert found.dtype == torch.float32
    assert torch.equal(found, resample(given.float(), 44100))
    assert torch.equal(resample(given, 16000), given.float())
    if kind != torch.bfloat16:
        assert torch.equal(resample(given.numpy(), 44100), found)


@pytest.mark.parametrize(
    ("wave", "message"),
    [
        (torch.zeros(2, 3000, dtype=torch.complex64), "type torch.complex64; give floats"),
        (torch.zeros(3000, dtype=torch.int16), "type torch.int16; give floats"),
        (np.zeros(3000, dtype=np.int32), "type int32; give floats"),
        (np.zeros(3000, dtype=bool), "type bool; give floats"),
        (np.zeros(3000, dtype=np.complex128), "type complex128; give floats"),
        (torch.tensor(1.0), r"has shape \(\); give"),
        (None, "None is no waveform"),
        ("a.wav", "is no waveform; read files"),
    ],
)
def test_what_is_no_wave_is_not_resampled(wave, message):
    for rate in (44100, 16000):
        with pytest.raises(InputError, match=message):
            resample(wave, rate)


def test_an_inverted_log_mel_is_that_of_the_clip_again():
    log_mel = LogMel(0.0, 1.0)
    samples = 2 * SAMPLE_RATE
    wave = render(SynthPrior.preset("full").sample(torch.arange(6), 0))[:, :samples]
    frames = (samples - 400) // 160 + 1
    mel = log_mel(wave)
    again = log_mel.invert(mel, samples)
    assert again.shape == wave.shape
    error = (log_mel(again) - mel)[:, :frames].abs()
    # A quarter of a neper; another clip is many away.
    assert error.mean() < 0.35
    assert (log_mel(again).roll(1, 0) - mel)[:, :frames].abs().mean() > 5 * error.mean()
    assert torch.equal(again, log_mel.invert(mel, samples))


def test_the_phases_agree_as_well_as_torchaudios():
    samples, log_mel = SAMPLE_RATE, LogMel()
    wave = render(SynthPrior.preset("full").sample(torch.arange(32), 0))[:, :samples]
    layout = {"n_fft": 512, "hop_length": 160, "win_length": 400, "window": log_mel.window}
    magnitude = torch.stft(wave, **layout, return_complex=True).abs()
    torch.manual_seed(0)
    theirs = torchaudio.functional.griffinlim(
        magnitude, **layout, power=1.0, n_iter=60, momentum=0.99, length=None, rand_init=True
    )

    def distance(found):
        error = torch.stft(found, **layout, return_complex=True).abs() - magnitude
        return (error.norm(dim=(1, 2)) / magnitude.norm(dim=(1, 2))).mean()

    ours = log_mel._find_phases(magnitude, 60)
    assert distance(ours) < 1.05 * distance(theirs)


@pytest.mark.parametrize("hertz", [110.0, 440.0, 3000.0])
def test_an_inverted_tone_keeps_its_pitch_and_level(hertz):
    log_mel = LogMel()
    tone = 0.5 * torch.sin(2 * math.pi * hertz * torch.arange(SAMPLE_RATE) / SAMPLE_RATE)
    again = log_mel.invert(log_mel(tone[None]), SAMPLE_RATE)[0]
    # The middle half; a bin of its spectrum is 2 Hz.
    middle = again[SAMPLE_RATE // 4 : -SAMPLE_RATE // 4]
    spectrum = torch.fft.rfft(middle * torch.hann_window(len(middle))).abs()
    # Bands lie 21.8 mel apart, bins of the transform 31.25 Hz: half of what is wider.
    width = max(21.8 * (700 + hertz) / 1127, 31.25) / 2
    assert abs(2 * int(spectrum.argmax()) - hertz) <= width
    assert middle.square().mean().sqrt().item() == pytest.approx(0.5 / math.sqrt(2), rel=0.1)


@given(st.floats(-4, 6), st.floats(-4, 6), st.integers(0, 127))
@settings(max_examples=20)
def test_any_spectrogram_can_be_inverted(level, other, band):
    mel = torch.full((1, 32, 128), level)
    mel[:, 10:20, band:] = other
    wave = LogMel().invert(mel, 400 + 31 * 160, iterations=20)
    assert wave.isfinite().all()
    assert wave.abs().max() > 0


def test_a_log_mel_of_another_length_is_not_inverted():
    with pytest.raises(InputError, match=r"has shape \(1, 32, 128\); 16000 samples have one of"):
        LogMel().invert(torch.zeros(1, 32, 128), SAMPLE_RATE)


def test_a_few_frames_are_inverted_and_fewer_refused():
    mel = LogMel()(torch.randn(1, 720, generator=torch.Generator().manual_seed(0)))
    assert (wave := LogMel().invert(mel, 720, 3)).abs().max() > 0
    for other in (mel.double(), mel.numpy()):
        assert torch.equal(LogMel().invert(other, 720, 3), wave)
    assert LogMel().invert(mel.half(), 720, 3).dtype == torch.float32
    for samples in (0, 400, 719, 720.5, "720", None):
        with pytest.raises(InputError, match=r"samples is .*; give a whole number, 720 or more"):
            LogMel().invert(mel, samples)
    with pytest.raises(InputError, match=r"iterations is -1; give a whole number, 0 or more"):
        LogMel().invert(mel, 720, -1)


def test_a_front_end_elsewhere_than_the_waveform_is_refused():
    with torch.device("meta"):
        log_mel = LogMel()
    with pytest.raises(InputError, match="the front end is on meta, the waveform on cpu"):
        log_mel(torch.zeros(1, 400, device="cpu"))


@pytest.mark.parametrize("kind", [np.float32, np.array, torch.tensor, nn.Parameter])
def test_numbers_of_any_kind_standardise_and_are_stored(kind, tmp_path):
    as_kind = (lambda value: nn.Parameter(torch.tensor(value))) if kind is nn.Parameter else kind
    model = MaskedAutoencoder.preset("micro")
    model.encoder.log_mel = LogMel(*map(as_kind, (-4.5, 2.25)), padding=as_kind(0.5))
    save_model(model, tmp_path / "model.safetensors")
    found = load_model(tmp_path / "model.safetensors").encoder.log_mel.settings
    assert found == LogMel(-4.5, 2.25, padding=0.5).settings


def test_numbers_that_standardise_nothing_are_refused():
    nothing = [(0.0, bad) for bad in (0.0, -1.0, math.inf, math.nan, None, "1", True, [2.0])]
    for numbers in ((math.nan, 1.0), *nothing):
        with pytest.raises(InputError, match="mean, standard_deviation and padding are"):
            LogMel(*numbers)
    with pytest.raises(InputError, match="mean, standard_deviation and padding are"):
        LogMel(padding=math.nan)
