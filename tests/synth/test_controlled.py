from dataclasses import fields

import pytest
import torch

from audiopg.errors import InputError
from audiopg.synth import SynthPrior, render, signal_to_noise, vary


@pytest.fixture(scope="module")
def clip():
    return SynthPrior().sample(torch.tensor([6]), seed=0)


@pytest.mark.parametrize(
    ("factor", "values"),
    [
        ("f0", [100.0, 200.0, 400.0]),
        ("noise_level", [0.0, 0.1]),
        ("partial_phase", [0.0, 1.0, 2.0, 3.0]),
        ("excitation", [0, 1, 2, 3]),
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
    decibels = torch.tensor([0.0, 10.0, 37.5])
    varied = vary(clip, "signal_to_noise", decibels)
    torch.testing.assert_close(signal_to_noise(varied), decibels.double(), atol=1e-4, rtol=0)


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
        ("f0", [100.0, 9000.0], "row 1: f0 is 9000"),
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
