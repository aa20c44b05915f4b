from dataclasses import fields

import pytest
import torch

from audiopg.errors import InputError
from audiopg.synth import EXCITATIONS, SynthPrior, render, signal_to_noise, vary

KNOWN = len(EXCITATIONS)


@pytest.fixture(scope="module")
def clip():
    return SynthPrior().sample(torch.tensor([6]), seed=0)


@pytest.mark.parametrize(
    ("factor", "values"),
    [
        ("f0", [100.0, 200.0, 400.0]),
        ("f0", torch.rand(7, generator=torch.Generator().manual_seed(0)) * 1950 + 50),
        ("onset", [0.0, 1 / 3, 2.0]),
        ("onset", torch.rand(7, generator=torch.Generator().manual_seed(0))),
        ("noise_level", [0.0, 0.1]),
        ("partial_phase", [0.0, 1.0, 2.0, 3.0]),
        ("excitation", [0, 1, 2, 3]),
        ("band_limited", [False, True]),
        ("band_limited", [0.0, 1.0]),
        ("seed", [2**62 + 1, -(2**63)]),
    ],
)
def test_one_factor_moves_and_all_others_are_held(clip, factor, values):
    varied = vary(clip, factor, values)
    assert len(varied) == len(values)
    for field in fields(clip):
        one, many = getattr(clip, field.name)[0], getattr(varied, field.name)
        for row, value in enumerate(values):
            if field.name == factor:
                assert (many[row] == value).all()
            else:
                assert torch.equal(many[row], one)


def test_a_grid_of_signal_to_noise_ratios_is_what_is_measured(clip):
    random = torch.rand(5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 60
    decibels = torch.cat((torch.tensor([-20.0, 0.0, 10.0, 37.5]).double(), random))
    varied = vary(clip, "signal_to_noise", decibels)
    torch.testing.assert_close(signal_to_noise(varied), decibels, atol=1e-6, rtol=0)
    for field in fields(clip):
        if field.name != "noise_level":
            values = getattr(varied, field.name)
            assert torch.equal(values, getattr(clip, field.name).expand_as(values)), field.name


def test_a_clip_at_a_ratio_is_its_source_and_a_floor_of_that_power(clip):
    level = vary(clip, "signal_to_noise", [12.0]).noise_level
    # Each wave is scaled to its peak, so how much of either part is in the mixture is fitted.
    source = render(clip.edit(noise_level=0.0))[0].double()
    floor = render(clip.edit(amplitude=0.0, burst_amplitude=0.0))[0].double()
    mixture = render(clip.edit(noise_level=level))[0].double()
    parts = torch.stack((source, floor), dim=1)
    shares = torch.linalg.lstsq(parts, mixture[:, None]).solution[:, 0]
    torch.testing.assert_close(parts @ shares, mixture, atol=1e-5, rtol=0)
    powers = (parts * shares).square().mean(0)
    # A stretch of noise has the power of its distribution to about a per cent.
    assert abs(10 * (powers[0] / powers[1]).log10() - 12) < 0.05


def test_another_onset_is_the_same_sound_later(clip):
    quiet = clip.edit(noise_level=0.0, cutoff=8000.0, length=2.0)
    early, late = render(vary(quiet, "onset", [0.5, 3.5]))
    torch.testing.assert_close(late[48000:], early[:-48000], atol=1e-5, rtol=0)
    assert (late[: 3 * 16000] == 0).all()


def test_a_noise_floor_differs_by_its_level_alone(clip):
    silent = clip.edit(amplitude=0.0, burst_amplitude=0.0)
    one, other = render(vary(silent, "noise_level", [0.01, 0.5]))
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("factor", "values", "message"),
    [
        ("pitch", [1.0], "no factor is called 'pitch'"),
        ("to", [1.0], "no factor is called 'to'"),
        ("f0", [], r"values has shape \(0,\)"),
        ("f0", [100.0, 9000.0], "row 1: f0 is 9000; the range is 1 to 8000 Hz"),
        ("f0", [100.0, float("nan")], "row 1: f0 is nan"),
        ("f0", ["high"], r'f0 was given \["high"\]; it takes numbers'),
        ("f0", 100.0, r"values has shape \(\)"),
        ("onset", [0.0, 10.0], "row 1: onset is 10; the range is 0 to 10.24 s less the length"),
        ("onset", [-0.5], "row 0: onset is -0.5"),
        ("excitation", [0, KNOWN], f"row 1: excitation is {KNOWN}; the range is 0 to {KNOWN - 1}"),
        ("excitation", [0.5], r"excitation was given \[0.5\]; it takes whole numbers"),
        ("band_limited", [2], r"band_limited was given \[2\]; it takes True or False"),
        ("noise_level", [-0.1], "row 0: noise_level is -0.1; the range is 0 to 1e6"),
        ("signal_to_noise", [0.0, float("-inf")], "row 1: noise_level is inf"),
        ("signal_to_noise", [float("nan")], "row 0: noise_level is nan"),
    ],
)
def test_what_cannot_be_varied_is_refused(clip, factor, values, message):
    with pytest.raises(InputError, match=message):
        vary(clip, factor, values)


def test_more_clips_than_one_or_none_to_hear_are_refused(clip):
    with pytest.raises(InputError, match="holds 2 clips"):
        vary(clip[[0, 0]], "f0", [100.0])
    silent = clip.edit(amplitude=0.0, burst_amplitude=0.0)
    with pytest.raises(InputError, match="no source"):
        vary(silent, "signal_to_noise", [10.0])
