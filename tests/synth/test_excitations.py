"""An excitation is one function and one row: added here, it is everywhere at once."""

import json
import math
from dataclasses import fields

import numpy as np
import pytest
import torch

from audiopg.book import export, widgets
from audiopg.errors import InputError
from audiopg.synth import (
    CLIP_SAMPLES,
    EXCITATIONS,
    SynthPrior,
    from_scene,
    render,
    summarise,
    to_scene,
    to_table,
)
from audiopg.synth.excitations import Excitation

KNOWN = list(EXCITATIONS)
TRIANGLE, BELL = "triangle of this test", "bell of this test"
TIME = np.arange(CLIP_SAMPLES) / 16000


def triangle(cycles):
    """From 0 at the onset up to 1, down to -1 and back."""
    return 1 - (cycles() - 2**30).float().abs() * 2.0**-30


def expected_triangle(cycles):
    return 2 / math.pi * np.arcsin(np.sin(2 * np.pi * cycles))


def bell(cycles, index):
    return (cycles().float() * (math.pi * 2.0**-31)).sin_() * (-index[:, None].float()).exp()


@pytest.fixture
def added(monkeypatch):
    monkeypatch.setitem(EXCITATIONS.rows, TRIANGLE, Excitation(TRIANGLE, triangle))
    monkeypatch.setitem(EXCITATIONS.rows, BELL, Excitation(BELL, bell, ("fm_index",)))


def assert_same(one, other):
    for field in fields(one):
        assert torch.equal(getattr(one, field.name), getattr(other, field.name)), field.name


def sampled(preset, **overrides):
    prior = SynthPrior.preset(preset, excitation=(TRIANGLE,), **overrides)
    return prior.sample(torch.arange(3), seed=0)


@pytest.mark.usefixtures("added")
def test_it_is_drawn():
    assert (sampled("full").excitation == EXCITATIONS.index(TRIANGLE)).all()
    prior = SynthPrior(excitation=("fm", BELL, TRIANGLE, "pulse"))
    found = prior.sample(torch.arange(200), seed=0).excitation[:, 0]
    assert {EXCITATIONS[code] for code in found} == {"fm", BELL, TRIANGLE, "sawtooth", "square"}
    with pytest.raises(InputError, match=f"'fm', .*'{TRIANGLE}', '{BELL}', 'pulse'"):
        SynthPrior(excitation=("organ",))


def test_its_own_factor_beyond_the_paper_is_drawn_with_it_alone(monkeypatch):
    """So that clips of presets, which draw no new excitation, keep every factor."""
    monkeypatch.setitem(EXCITATIONS.rows, BELL, Excitation(BELL, bell, ("glide",)))
    for kind, is_drawn in (("harmonic", False), (BELL, True)):
        prior = SynthPrior(excitation=("fm", kind), motion_probability=1.0)
        glide = prior.sample(torch.arange(3), seed=0).glide
        assert (glide != 0).all() if is_drawn else (glide == 0).all()


@pytest.mark.usefixtures("added")
def test_it_is_rendered():
    params = sampled("sine")
    for wave, f0 in zip(render(params), params.f0[:, 0].tolist(), strict=True):
        np.testing.assert_allclose(wave, expected_triangle(f0 * TIME), rtol=0, atol=1e-5)


@pytest.mark.usefixtures("added")
def test_it_follows_a_glide():
    params = sampled("sine").edit(f0=300.0, glide=1.0)
    length = float(params.length[0, 0])
    cycles = 300 * length * (2 ** (TIME / length) - 1) / math.log(2)
    # Straight for 4 ms at a time: (4 ms)² / 8 of a slope of 41 Hz/s, in cycles, is 8e-5, of which
    # a triangle makes four times as much.
    np.testing.assert_allclose(render(params)[0], expected_triangle(cycles), rtol=0, atol=4e-4)


@pytest.mark.usefixtures("added")
def test_it_takes_every_addition_and_does_not_depend_on_the_batch():
    params = sampled("extended", **dict.fromkeys(ALL_ADDITIONS, 1.0))
    together = render(params)
    assert torch.isfinite(together).all()
    assert torch.equal(render(params[1:2]), together[1:2])


ALL_ADDITIONS = [f"{name}_probability" for name in ("noise", "modulation", "motion")]


@pytest.mark.usefixtures("added")
def test_a_voice_that_has_no_partials_is_a_sawtooth():
    """As it is of FM: formants need partials."""
    params = sampled("full", formant_probability=1.0)
    assert (params.excitation == EXCITATIONS.index("sawtooth")).all()


@pytest.mark.usefixtures("added")
def test_others_sound_as_before(monkeypatch):
    params = SynthPrior.preset("extended").sample(torch.arange(8), seed=0)
    before = render(params)
    for name in (TRIANGLE, BELL):
        monkeypatch.delitem(EXCITATIONS.rows, name)
    assert torch.equal(render(params), before)


@pytest.mark.usefixtures("added")
def test_it_goes_through_scenes_and_tables():
    params = sampled("extended", formant_probability=0.0)
    scene = json.loads(json.dumps(to_scene(params)))
    assert scene["clips"][0]["events"][0]["excitation"] == TRIANGLE
    assert_same(from_scene(scene), params)
    assert set(to_table(params).excitation) == {TRIANGLE}


@pytest.mark.usefixtures("added")
def test_the_explorer_plays_it_with_the_sliders_of_its_factors():
    explorer = widgets.explorer("full", 0, 7)
    choice = explorer.sliders["excitation"]
    assert list(choice.options) == [*KNOWN, TRIANGLE, BELL]
    own = {"fm_index", "fm_ratio", "rolloff", "band_limited", "partial_count", "formant_1"}
    for name, heard in ((TRIANGLE, set()), (BELL, {"fm_index"})):
        before = explorer.sound.wave
        choice.value = name
        assert (explorer.params.excitation == EXCITATIONS.index(name)).all()
        assert not np.array_equal(explorer.sound.wave, before)
        shown = {n for n, w in explorer.sliders.items() if w.layout.display != "none"}
        assert shown & own == heard
        assert {"f0", "attack", "glide", "cutoff"} <= shown
    assert widgets.synth_sweep("excitation", [BELL], explorer.params).values == (BELL,)


@pytest.mark.usefixtures("added")
def test_the_exported_page_refuses_it_by_name():
    with pytest.raises(
        InputError, match=f"the page cannot play the excitation '{TRIANGLE}'; export"
    ):
        export.graphs(None, None)


@pytest.mark.usefixtures("added")
def test_summaries_are_those_that_checkpoints_predict():
    known = SynthPrior().sample(torch.arange(3), seed=0)
    shares = summarise(sampled("full"))[:, 6:10]
    assert summarise(known).shape == summarise(sampled("full")).shape
    assert (shares == 0).all()


def test_what_was_added_is_gone_afterwards():
    assert list(EXCITATIONS) == KNOWN
