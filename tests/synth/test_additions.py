"""What the paper's synthesizer lacks, against closed forms and SciPy."""

import math
import sys
from dataclasses import fields
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.signal
import scipy.stats
import torch
from hypothesis import given, settings

from audiopg.errors import InputError
from audiopg.random import STREAMS, noise
from audiopg.synth import (
    ADDITIONS,
    CLIP_SAMPLES,
    EXCITATIONS,
    EXTENDED,
    PRIORS,
    SAMPLE_RATE,
    SENSITIVITY,
    VOWELS,
    SynthPrior,
    from_scene,
    render,
    to_scene,
    vary,
)
from audiopg.synth.additions import TABLE
from audiopg.synth.factors import FACTOR_TABLE, factor_names
from audiopg.synth.reverberation import reverberate, room

sys.path.insert(0, str(Path(__file__).parent))
import reference

SECONDS = np.arange(CLIP_SAMPLES) / SAMPLE_RATE


def tone(kind, **factors):
    """One plain tone as long as the clip."""
    params = SynthPrior.preset("harmonic").sample(torch.arange(1), seed=0)
    return params.edit(excitation=EXCITATIONS.index(kind), partial_detune=0.0, **factors)


def table_error(params):
    """The most by which the nearest entries of a table differ from a series of falling partials.

    Half an entry is 1/8192 of a cycle; the slope of a partial is at most 2π k of its height.
    """
    order = torch.arange(1, params.partial_weight.shape[2] + 1)
    heights = params.partial_weight[0, 0] * order ** -params.rolloff[0, 0]
    return (2 * math.pi * order * heights)[: params.partial_count[0, 0]].sum() / (2 * TABLE)


def unit(wave):
    return wave / np.abs(wave).max()


@pytest.mark.parametrize("kind", ["harmonic", "fm", "sawtooth", "square"])
@pytest.mark.parametrize(
    "motion", [{"glide": 1.0}, {"glide": -0.7, "vibrato_depth": 0.1, "vibrato_rate": 5.0}]
)
def test_a_moving_pitch_is_the_integral_of_its_frequency(kind, motion):
    params = tone(kind, f0=200.0, **motion)
    cycles = reference.moving_cycles(params, 0, 0, SECONDS)
    wave = render(params)[0].numpy()
    if kind == "harmonic":
        slow = reference.series_tone(params, 0, 0, cycles)
        # A straight line over 4 ms is off by at most f' T² / 8 cycles, and by k times it for
        # partial k; f' of the vibrato is 2π · 5 · 0.1 · 200 Hz/s, of the glides less.
        bend = 2 * math.pi * 5 * 0.1 * 200 * 0.004**2 / 8
        slope = table_error(params).item() * 2 * TABLE
        assert (
            np.abs(wave - unit(slow)).max() * np.abs(slow).max()
            < slope * (bend + 1 / (2 * TABLE)) * 2
        )
        return
    if kind == "fm":
        ratio, index = params.fm_ratio[0, 0].item(), params.fm_index[0, 0].item()
        slow = np.sin(2 * math.pi * cycles + index * np.sin(2 * math.pi * ratio * cycles))
    elif kind == "sawtooth":
        slow = scipy.signal.sawtooth(2 * math.pi * (cycles + 0.5))
    else:
        slow = scipy.signal.square(2 * math.pi * cycles)
    # Edges that meet a sample may fall to either side.
    assert np.quantile(np.abs(wave - unit(slow)), 0.99) < 0.02


@pytest.mark.parametrize("kind", ["harmonic", "sawtooth", "square"])
@pytest.mark.parametrize("vowel", ["heed", "hod"])
def test_formants_are_analogue_resonators_in_cascade(kind, vowel):
    formants = {f"formant_{n}": hertz for n, hertz in enumerate(VOWELS[vowel], 1)}
    params = tone(kind, f0=125.0, **formants)
    wave = render(params)[0].double().numpy()
    slow = reference.series_tone(params, 0, 0, 125.0 * SECONDS)
    # 125 Hz is 128 samples a period: each falls on an entry of the table.
    assert np.abs(wave - unit(slow)).max() < 1e-5


@pytest.mark.parametrize("decay", [0.0, 4.0])
def test_a_modulation_is_its_closed_form(decay):
    params = tone("square", f0=1.0).edit(
        modulation_depth=0.8, modulation_rate=7.3, modulation_decay=decay, length=0.45
    )
    # A square wave of 1 Hz is 1 for half a second, so what is left is the gain; its first is 1.
    heard = slice(0, 7200)
    slow = reference.modulation(params, 0, 0, SECONDS[heard])
    difference = np.abs(render(params)[0].numpy()[heard] - slow)
    # An impulse that starts between two samples may do so on either.
    assert np.quantile(difference, 0.999) < 1e-4


def test_jitter_weakens_each_impulse_by_chance_and_leaves_the_first_sample_of_a_period():
    params = tone("square", f0=1.0).edit(
        modulation_depth=1.0, modulation_rate=50.0, modulation_decay=3.0, length=0.45
    )
    even, uneven = (render(params.edit(modulation_jitter=j))[0][:7040] for j in (0.0, 0.9))
    # 50 Hz is 320 samples a period.
    strength = (uneven / even).view(-1, 320)[:, 1:-1]
    assert (strength / strength[:, :1] - 1).abs().max() < 1e-4
    assert len(strength[:, 0].unique()) > 15


@pytest.mark.parametrize(("f0", "bandwidth"), [(2000.0, 300.0), (500.0, 1500.0)])
def test_noise_has_the_spectrum_of_joined_samples(f0, bandwidth):
    prior = SynthPrior.preset("harmonic")
    params = prior.sample(torch.arange(24), seed=0)
    params = params.edit(noise_share=1.0, noise_bandwidth=bandwidth, f0=f0)
    frequency, power = scipy.signal.welch(
        render(params).double().numpy(), SAMPLE_RATE, nperseg=1024, axis=1
    )
    # Clips differ in their peaks: each is taken relative to itself.
    power = (power / power.sum(axis=1, keepdims=True)).mean(axis=0)
    centre = f0 if bandwidth < f0 else 0.0
    expected = sum(np.sinc((frequency - s * centre) / (2 * bandwidth)) ** 4 for s in (-1, 1))
    expected /= expected.sum()
    inside = (np.abs(frequency - centre) < bandwidth) & (frequency > 50)
    # 24 clips of 319 segments that overlap by half: an estimate's deviation is about 1.6 %, and
    # the window spreads what bends by a little more.
    np.testing.assert_allclose(power[inside], expected[inside], rtol=0.1)


def test_noise_of_the_full_band_is_that_of_the_floor():
    params = tone("harmonic", f0=100.0).edit(
        noise_share=1.0, noise_bandwidth=8000.0, onset=1.00003, length=2.0
    )
    wave = render(params)[0].numpy()
    white = noise(params.seed, params.clip, STREAMS["noise_floor"], CLIP_SAMPLES)[0].numpy()
    first = math.ceil(1.00003 * SAMPLE_RATE)
    np.testing.assert_allclose(wave[first : first + 32000], unit(white[:32000]), rtol=0, atol=1e-6)


@given(st.floats(0.05, 0.5), st.floats(0.1, 2))
@settings(max_examples=5)
def test_reverberation_is_convolution_with_decaying_noise(time, level):
    index = torch.arange(2)
    seconds = torch.tensor([time, 0.3], dtype=torch.float64)
    response = room(index, index, seconds)
    wave = torch.randn(2, CLIP_SAMPLES, generator=torch.Generator().manual_seed(0))
    wet = reverberate(wave.clone(), response, torch.tensor([level, 1.0], dtype=torch.float64))
    white = noise(index, index, STREAMS["room"], response.shape[1]).double().numpy()
    step = np.arange(1, response.shape[1] + 1) / SAMPLE_RATE
    for row, (t60, gain) in enumerate(((time, level), (0.3, 1.0))):
        decay = 10 ** (-3 * step / t60)
        echo = white[row] * decay / math.sqrt((decay**2).sum() / 3) * gain
        kernel = np.concatenate(([1.0], echo))
        slow = scipy.signal.oaconvolve(wave[row].double().numpy(), kernel)[:CLIP_SAMPLES]
        # Transforms of 32,768 points in single precision: an error of a few roundings a stage.
        assert np.abs(wet[row].numpy() - slow).max() < 1e-5 * np.abs(slow).max()


@pytest.mark.parametrize("time", [5e-324, 1e-300, 1e-6, 1e-5])
def test_the_shortest_reverberation_is_one_echo(time):
    """A sixteenth of a millisecond later, of energy 1 on average: that of white noise is 1/3."""
    clip = torch.tensor([3])
    response = room(clip, clip, torch.tensor([time], dtype=torch.float64))
    echo = noise(clip, clip, STREAMS["room"], 1) * math.sqrt(3)
    torch.testing.assert_close(response[:, :1], echo)
    assert response[:, 1:].abs().max() < 1e-15
    wave = render(SynthPrior().sample(clip, 0).edit(reverberation_time=time, reverberation_level=9))
    assert wave.isfinite().all()
    assert wave.abs().max() == 1


def test_reverberation_outlasts_the_sound_by_its_time():
    params = tone("sawtooth", f0=300.0).edit(length=1.0, release=0.0, sustain=1.0)
    wave = render(params.edit(reverberation_time=0.4, reverberation_level=1.0))[0].double()
    # 30 dB in half the time, in windows of 50 ms.
    early, late = (wave[int(s * SAMPLE_RATE) :][:800].square().mean() for s in (1.01, 1.21))
    assert 10 * torch.log10(early / late) == pytest.approx(30, abs=4)


def test_a_clip_without_additions_is_the_same_bits_beside_one_that_has_them():
    params = SynthPrior().sample(torch.arange(8), seed=1)
    plain = render(params)
    depth = torch.tensor([0.0, 0.0, 0.5, 0.0] * 2)[:, None]
    for factor in ("modulation_depth", "noise_share", "glide"):
        mixed = render(params.edit(**{factor: depth}))
        alike = (mixed == plain).all(dim=1)
        assert alike.tolist() == [True, True, False, True] * 2


NEUTRAL = {
    "noise_bandwidth": 300.0,
    "modulation_rate": 9.0,
    "modulation_decay": 5.0,
    "modulation_jitter": 1.0,
    "vibrato_rate": 3.0,
    "reverberation_time": 0.3,
}


@given(st.sampled_from(list(NEUTRAL)), st.integers(0, 2**40))
@settings(max_examples=12)
def test_what_shapes_an_addition_that_is_off_changes_nothing(factor, clip):
    params = SynthPrior().sample(torch.tensor([clip]), seed=0)
    assert torch.equal(render(params.edit(**{factor: NEUTRAL[factor]})), render(params))


@given(st.sampled_from(list(EXTENDED)), st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**62))
@settings(max_examples=20)
def test_every_clip_is_finite_of_unit_peak_and_goes_through_json(name, seed, clip):
    params = SynthPrior.preset(name).sample(torch.tensor([clip]), seed)
    params.validate()
    wave = render(params)
    assert torch.isfinite(wave).all()
    assert wave.abs().max() == 1
    again = from_scene(to_scene(params))
    for field in fields(params):
        assert torch.equal(getattr(again, field.name), getattr(params, field.name))


def test_an_old_scene_is_neutral():
    params = SynthPrior().sample(torch.arange(2), seed=0)
    scene = to_scene(params)
    for clip in scene["clips"]:
        for name in factor_names("clip", beyond=True):
            del clip[name]
        for event in clip["events"]:
            for name in factor_names("event", beyond=True):
                del event[name]
    again = from_scene(scene)
    for field in fields(params):
        assert torch.equal(getattr(again, field.name), getattr(params, field.name))


@pytest.mark.parametrize("factor", factor_names("event", "clip", beyond=True))
def test_any_of_them_is_varied_and_refused_out_of_range(factor):
    params = SynthPrior.preset("extended").sample(torch.arange(1), seed=0)
    values = [1.0, 2.0] if factor == "noise_bandwidth" else [0.1, 0.3]
    values = values if factor != "vibrato_rate" else [1.0, 2.0]
    assert getattr(vary(params, factor, values), factor).flatten()[-1] == values[1]
    with pytest.raises(InputError, match=f"{factor} is "):
        params.edit(**{factor: 1e6})


def test_each_ablation_differs_from_its_neighbour_by_one_addition():
    assert set(EXTENDED) <= set(PRIORS)
    full, extended = SynthPrior.preset("full"), SynthPrior.preset("extended")
    for name, changes in ADDITIONS.items():
        one, less = SynthPrior.preset(f"full+{name}"), SynthPrior.preset(f"extended-{name}")
        for field in fields(SynthPrior):
            values = [getattr(prior, field.name) for prior in (full, one, extended, less)]
            if field.name in changes:
                assert values[1] == values[2] == changes[field.name]
                assert values[0] == values[3] != values[1]
            else:
                assert values[0] == values[1]
                assert values[2] == values[3]
    for name, changes in SENSITIVITY.items():
        assert SynthPrior.preset(name) == SynthPrior.preset("full", **changes)


def test_an_addition_leaves_the_draws_of_the_others_alone():
    clips = torch.arange(200)
    full = SynthPrior.preset("full").sample(clips, seed=0)
    for name in ("noise", "modulation", "motion", "reverberation"):
        more = SynthPrior.preset(f"full+{name}").sample(clips, seed=0)
        for field in fields(full):
            if not FACTOR_TABLE[field.name].beyond:
                assert torch.equal(getattr(full, field.name), getattr(more, field.name))


def test_additions_are_as_likely_as_the_prior_says():
    params = SynthPrior.preset("extended").sample(torch.arange(4000), seed=3)
    first = {
        "noise": params.noise_share[:, 0] > 0,
        "modulation": params.modulation_depth[:, 0] > 0,
        "motion": params.glide[:, 0] != 0,
        "formants": params.formant_1[:, 0] > 0,
        "reverberation": params.reverberation_time > 0,
        "mixtures": (params.f0 != params.f0[:, :1]).any(dim=1),
    }
    for name, changes in ADDITIONS.items():
        probability = next(v for k, v in changes.items() if k.endswith("_probability"))
        share = scipy.stats.binomtest(int(first[name].sum()), 4000, probability)
        assert share.pvalue > 1e-3
    own = params.f0[(params.noise_share > 0) & (params.formant_1 == 0)]
    octaves = params.noise_bandwidth.log2().flatten()
    low, high = math.log2(50), math.log2(8000)
    assert scipy.stats.kstest(octaves, "uniform", args=(low, high - low)).pvalue > 1e-3
    assert own.min() >= 50
    voices = params.f0[params.formant_1 > 0]
    assert voices.min() >= 80
    assert voices.max() <= 500
