import math
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
import torchaudio
from hypothesis import example, given, settings
from torch import Tensor

from audiopg.errors import InputError
from audiopg.frontend import LogMel
from audiopg.random import STREAMS, noise
from audiopg.synth import (
    CLIP_SAMPLES,
    EXCITATIONS,
    PRESETS,
    SAMPLE_RATE,
    SynthPrior,
    render,
    summarise,
    to_scene,
    to_table,
)
from audiopg.synth.damping import lowpass
from audiopg.synth.envelopes import adsr
from audiopg.synth.excitations import TILE
from audiopg.synth.render import signal_to_noise

sys.path.insert(0, str(Path(__file__).parent))
import reference


def reference_clip(params, row):
    seed, clip = params.seed[row], params.clip[row]
    floor = noise(seed, clip, STREAMS["noise_floor"], CLIP_SAMPLES).numpy()
    slots = STREAMS["burst"] + torch.arange(params.f0.shape[1])
    bursts = noise(seed.expand(len(slots)), clip.expand(len(slots)), slots, CLIP_SAMPLES).numpy()
    return reference.clip(params, row, floor.astype(float), bursts.astype(float))


def assert_agrees_with_the_slow_reference(params):
    for row, wave in enumerate(render(params)):
        assert np.abs(wave.numpy() - reference_clip(params, row)).max() < 2e-5


@pytest.mark.parametrize("preset", PRESETS)
def test_clips_agree_with_the_slow_reference(preset):
    params = SynthPrior.preset(preset).sample(torch.arange(5), seed=3)
    assert_agrees_with_the_slow_reference(params)


@pytest.mark.parametrize("kind", EXCITATIONS)
def test_each_excitation_agrees_with_the_slow_reference(kind):
    params = SynthPrior.preset("dynamic").sample(torch.arange(4), seed=8)
    params = params.edit(excitation=EXCITATIONS.index(kind))
    assert_agrees_with_the_slow_reference(params)


@pytest.mark.parametrize("preset", ["full", "extended"])
def test_a_clip_is_the_same_bits_in_any_batch_and_order(preset):
    prior = SynthPrior.preset(preset)
    clips = torch.arange(24)
    together = render(prior.sample(clips, seed=5))
    order = torch.randperm(24, generator=torch.Generator().manual_seed(1))
    assert torch.equal(render(prior.sample(order, seed=5)), together[order])
    for clip in range(24):
        assert torch.equal(render(prior.sample(clips[clip : clip + 1], seed=5))[0], together[clip])


@given(
    st.sampled_from(list(PRESETS)),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 2**62),
    st.booleans(),
)
@settings(max_examples=25)
def test_every_clip_of_every_preset_is_finite_of_unit_peak(preset, seed, clip, shared):
    prior = SynthPrior.preset(preset, shared_source=shared)
    params = prior.sample(torch.tensor([clip]), seed)
    wave = render(params)
    assert wave.shape == (1, CLIP_SAMPLES)
    assert wave.dtype == torch.float32
    assert torch.isfinite(wave).all()
    assert wave.abs().max() == 1
    ends = (params.onset + params.length)[params.event_mask]
    assert (params.onset >= 0).all()
    assert (ends <= CLIP_SAMPLES / SAMPLE_RATE + 1e-9).all()


def test_the_precision_of_a_training_loop_changes_nothing():
    params = SynthPrior().sample(torch.arange(4), seed=0)
    wave, mel = render(params), LogMel()(render(params))
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(render(params), wave)
            assert torch.equal(LogMel()(wave), mel)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


def test_the_loudest_factors_allowed_render():
    params = SynthPrior(shared_source=False, events=(5, 5)).sample(torch.arange(4), seed=0)
    loud = dict.fromkeys(("amplitude", "burst_amplitude", "noise_level", "partial_weight"), 1e6)
    assert torch.equal(render(params.edit(**loud)).abs().amax(1), torch.ones(4))
    with pytest.raises(InputError, match=r"noise_level is 2e\+06; the range is 0 to 1e6"):
        params.edit(noise_level=2e6)


def test_silence_where_every_amplitude_is_zero():
    params = SynthPrior().sample(torch.arange(2), seed=0)
    silent = params.edit(amplitude=0.0, burst_amplitude=0.0, noise_level=0.0)
    assert torch.equal(render(silent), torch.zeros(2, CLIP_SAMPLES))


def test_moving_an_onset_by_whole_samples_moves_the_sound():
    prior = SynthPrior.preset("dynamic", events=(1, 1), event_length=(1.0, 2.0))
    params = prior.sample(torch.arange(4), seed=1).edit(onset=1.0)
    shift = 4321
    moved = render(params.edit(onset=1.0 + shift / SAMPLE_RATE))
    torch.testing.assert_close(moved[:, shift:], render(params)[:, :-shift], atol=2e-5, rtol=0)


@pytest.mark.parametrize("cutoff", [10.0, 200.0, 1500.0, 6000.0, 7999.0])
@pytest.mark.parametrize("quality", [0.3, 0.5, 0.7071, 8.0])
def test_lowpass_agrees_with_the_recursion(cutoff, quality):
    wave = torch.randn(3, CLIP_SAMPLES, generator=torch.Generator().manual_seed(0))
    rows = torch.ones(3, dtype=torch.float64)
    filtered = lowpass(wave, cutoff * rows, quality * rows)
    slow = reference.lowpass(wave.double().numpy(), cutoff, quality)
    assert np.abs(filtered.numpy() - slow).max() < 2e-5 * np.abs(slow).max()


def test_lowpass_agrees_with_torchaudio_unclamped():
    wave = torch.randn(1, CLIP_SAMPLES, generator=torch.Generator().manual_seed(0)).double()
    angle = 2 * math.pi * 900.0 / SAMPLE_RATE
    alpha, cosine = math.sin(angle) / 2 / 0.7071, math.cos(angle)
    a = torch.tensor([1 + alpha, -2 * cosine, 1 - alpha], dtype=torch.float64)
    b = torch.tensor([(1 - cosine) / 2, 1 - cosine, (1 - cosine) / 2], dtype=torch.float64)
    slow = torchaudio.functional.lfilter(wave, a, b, clamp=False)
    row = torch.ones(1, dtype=torch.float64)
    filtered = lowpass(wave.float(), 900.0 * row, 0.7071 * row)
    torch.testing.assert_close(filtered.double(), slow, atol=1e-5, rtol=0)


def test_lowpass_leaves_rows_at_nyquist_alone():
    wave = torch.randn(2, CLIP_SAMPLES)
    cutoff = torch.tensor([8000.0, 500.0], dtype=torch.float64)
    filtered = lowpass(wave, cutoff, torch.full((2,), 0.7, dtype=torch.float64))
    assert torch.equal(filtered[0], wave[0])
    assert not torch.equal(filtered[1], wave[1])


def adsr_tile(before, length, attack, decay, sustain, release):
    """The first tile of an event that begins ``before`` samples after the tile; in samples."""
    columns = (-before / SAMPLE_RATE, length / SAMPLE_RATE, attack, decay, sustain, release)
    return adsr(*(torch.tensor([value], dtype=torch.float64) for value in columns))[0]


def test_adsr_is_exact_at_its_corners():
    level = adsr_tile(10, 1000, attack=0.2, decay=0.3, sustain=0.4, release=0.3)
    share = torch.tensor([-0.01, 0.0, 0.1, 0.2, 0.35, 0.5, 0.6, 0.7, 0.85, 1.0, 1.01])
    expected = torch.tensor([0.0, 0.0, 0.5, 1.0, 0.7, 0.4, 0.4, 0.4, 0.2, 0.0, 0.0])
    torch.testing.assert_close(level[(10 + 1000 * share).round().long()], expected)
    assert torch.equal(level[1010:], torch.zeros(TILE - 1010))


def test_adsr_without_stages_is_a_rectangle():
    level = adsr_tile(100, 500, attack=0.0, decay=0.0, sustain=1.0, release=0.0)
    assert torch.equal(level, torch.ones(TILE) * ((torch.arange(TILE) - 100) // 500 == 0))


@pytest.mark.parametrize("length", [700, 700.5])
def test_an_adsr_stage_of_no_length_is_a_jump(length):
    level = adsr_tile(50, length, attack=0.5, decay=0.0, sustain=0.25, release=0.0)
    peak = 50 + 350
    assert level[peak - 1] == pytest.approx(349 / (length / 2), abs=1e-5)
    after = peak + (length > 700)
    torch.testing.assert_close(level[after:750], torch.full((750 - after,), 0.25))
    assert level[752:].max() == 0


@given(
    st.floats(-2000, 1500),
    st.floats(16, 160000),
    st.lists(st.floats(0.01, 1), min_size=4, max_size=4),
    st.floats(0, 1),
)
@example(256.0, 16.0, [1.0, 0.1875, 1.0, 0.75], 0.0)
@settings(max_examples=50)
def test_adsr_is_interpolation_between_its_corners(before, length, shares, sustain):
    attack, decay, release = np.array(shares[:3]) / sum(shares)
    level = adsr_tile(before, length, attack, decay, sustain, release)
    share = (np.arange(TILE) - before) / length
    corners = [0, attack, attack + decay, 1 - release, 1]
    expected = np.interp(share, corners, [0, 1, sustain, sustain, 0], left=0, right=0)
    # A line in float32 crosses zero within 2^-12 samples (15 ns) of its corner, which is at most
    # 2,048 samples away: the steeper the stage, the more that moves the level.
    steepest = 1 / (length * min(attack, decay, release))
    np.testing.assert_allclose(level, expected, rtol=0, atol=1e-6 + 2**-12 * steepest)


def pulse(kind, band_limited, f0):
    params = SynthPrior.preset("harmonic").sample(torch.arange(1), seed=0)
    return params.edit(excitation=EXCITATIONS.index(kind), band_limited=band_limited, f0=f0)


@pytest.mark.parametrize("kind", ["sawtooth", "square"])
@pytest.mark.parametrize("f0", [3.7, 62.5, 441.0, 1999.0, 7900.0])
def test_band_limited_pulses_agree_with_their_fourier_series(kind, f0):
    params = pulse(kind, True, f0)
    slow = reference.fourier_series(kind, f0, np.arange(CLIP_SAMPLES) / SAMPLE_RATE)
    assert np.abs(render(params)[0].numpy() - slow / np.abs(slow).max()).max() < 1e-4


@pytest.mark.parametrize("kind", ["sawtooth", "square"])
def test_band_limited_pulses_hold_40_decibels_less_of_aliases(kind):
    # Near 2 kHz, a whole number of cycles in the clip: every partial falls on one bin, and so
    # does every alias, on another.
    bin_of_f0 = 20501

    def alias_power(band_limited):
        params = pulse(kind, band_limited, bin_of_f0 * SAMPLE_RATE / CLIP_SAMPLES)
        power = torch.fft.rfft(render(params)[0].double()).abs().square()
        partials = power[bin_of_f0::bin_of_f0].sum()
        return (power.sum() - partials) / partials

    naive, limited = alias_power(False), alias_power(True)
    assert naive > 10 ** (-30 / 10)
    assert limited < naive * 10 ** (-40 / 10)


def test_band_limited_clips_agree_with_the_slow_reference():
    params = SynthPrior(band_limited=True, excitation=("pulse",), shared_source=False)
    params = params.sample(torch.arange(4), seed=1)
    assert_agrees_with_the_slow_reference(params)


def test_many_partials_agree_with_the_slow_reference():
    prior = SynthPrior.preset("dynamic", excitation=("harmonic",), partials=(40, 40), f0=(60, 300))
    params = prior.sample(torch.arange(2), seed=1)
    assert_agrees_with_the_slow_reference(params)


def test_extremes_of_frequency_modulation_agree_with_the_slow_reference():
    params = SynthPrior.preset("harmonic").sample(torch.arange(1), seed=0)
    params = params.edit(excitation=1, f0=2000.0, fm_index=8.0, fm_ratio=3.14)
    assert np.abs(render(params)[0].numpy() - reference_clip(params, 0)).max() < 1e-4


def test_events_of_their_own_sources_agree_with_the_slow_reference():
    prior = SynthPrior.preset("full", shared_source=False, events=(5, 10))
    params = prior.sample(torch.arange(4), seed=2)
    assert_agrees_with_the_slow_reference(params)


def test_partials_stand_where_they_belong_and_not_above_nyquist():
    params = SynthPrior.preset("harmonic").sample(torch.arange(1), seed=0)
    params = params.edit(excitation=0, f0=1250.0, partial_count=15, partial_detune=0.0)
    spectrum = torch.fft.rfft(render(params)[0]).abs()
    peaks = (spectrum > 1e-3 * spectrum.max()).nonzero().squeeze(1) * SAMPLE_RATE / CLIP_SAMPLES
    assert peaks.tolist() == [1250.0 * k for k in range(1, 7)]


def test_signal_to_noise_agrees_with_the_rendered_parts():
    params = SynthPrior().sample(torch.arange(4), seed=2)
    source = params.edit(noise_level=0.0)
    for row in range(4):
        both = reference_clip(params, row)
        clean = reference_clip(source, row)
        # Undo the two normalisations: the parts are known up to gain, so fit the clean one.
        gain = both @ clean / (clean @ clean)
        residual = both - gain * clean
        expected = 10 * np.log10((gain * clean).var() / residual.var())
        assert signal_to_noise(params)[row].item() == pytest.approx(expected, abs=0.1)


def test_a_factor_out_of_range_names_itself_the_row_and_the_range():
    params = SynthPrior().sample(torch.arange(3), seed=0)
    bad = params.f0.clone()
    bad[1, 0] = float("nan")
    with pytest.raises(InputError, match=r"row 1: f0 is nan; the range is 1 to 8000 Hz"):
        params.edit(f0=bad)
    with pytest.raises(InputError, match=r"attack \+ decay \+ release is"):
        params.edit(attack=0.9, decay=0.4)


@pytest.mark.parametrize("use", [render, signal_to_noise])
@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "onset",
            Tensor.half,
            r"onset is torch\.float16 on cpu, not torch\.float64 on cpu; params",
        ),
        ("seed", Tensor.bfloat16, r"seed is torch\.bfloat16 on cpu, not torch\.int64"),
        ("band_limited", Tensor.double, r"band_limited is torch\.float64 on cpu, not torch\.bool"),
        ("f0", Tensor.cfloat, r"f0 is torch\.complex64 on cpu, not torch\.float64"),
        ("length", partial(torch.empty_like, device="meta"), "length is torch.* on meta, not"),
        ("cutoff", lambda value: value.clone().requires_grad_(), "cutoff requires a gradient"),
    ],
)
def test_a_factor_of_another_type_or_device_is_refused(use, name, change, message):
    params = SynthPrior().sample(torch.arange(2), seed=0)
    changed = replace(params, **{name: change(getattr(params, name))})
    with pytest.raises(InputError, match=message):
        use(changed)
    if name == "cutoff":
        with torch.no_grad():
            assert torch.equal(use(changed), use(params))


def with_code(params, code):
    """Clips whose events have an excitation of some code, known or not."""
    return replace(params, excitation=torch.full_like(params.excitation, code))


@pytest.mark.parametrize("use", [render, signal_to_noise, summarise, to_scene, to_table])
@pytest.mark.parametrize("code", [-1, len(EXCITATIONS), 2**40])
def test_a_code_of_no_excitation_is_refused_with_those_known(use, code):
    for preset in ("full", "extended"):
        params = with_code(SynthPrior.preset(preset).sample(torch.arange(2), seed=0), code)
        known = rf"0 to {len(EXCITATIONS) - 1}, \('harmonic', 'fm', 'sawtooth', 'square'"
        with pytest.raises(InputError, match=f"row 0: excitation is .* {known}"):
            use(params)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell a process its peak")
def test_64_clips_take_less_than_a_gigabyte_whatever_the_events():
    # In a process of its own, because the peak is that of a process's whole life.
    script = """
import resource, sys, torch
from audiopg import SynthPrior, render
prior = SynthPrior.preset("full", events=(10, 10), event_length=(0.5, 1.0), shared_source=False)
params = prior.sample(torch.arange(64), seed=0)
params = params.edit(onset=0.0, length=10.24, burst_length=10.0, burst_amplitude=1.0)
unit = 1 if sys.platform == "darwin" else 1024
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
render(params)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit - before)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 1e9
