import copy
import json
from dataclasses import fields

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from audiopg.errors import InputError
from audiopg.synth import (
    PRESETS,
    SynthPrior,
    from_scene,
    read_scene,
    render,
    to_scene,
    write_scene,
)


def assert_same(one, other):
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        assert a.dtype == b.dtype, field.name
        assert torch.equal(a, b), field.name


@given(st.sampled_from(list(PRESETS)), st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**62))
@settings(max_examples=30)
def test_a_scene_loses_nothing_on_its_way_through_json(preset, seed, clip):
    params = SynthPrior.preset(preset).sample(torch.tensor([clip, clip + 1]), seed)
    assert_same(from_scene(json.loads(json.dumps(to_scene(params)))), params)


def test_a_scene_file_is_read_back_as_written(tmp_path):
    params = SynthPrior().sample(torch.arange(3), seed=4)
    write_scene(params, tmp_path / "scene.json")
    assert_same(read_scene(tmp_path / "scene.json"), params)


@pytest.mark.parametrize("clips", [1, 64, 130])
def test_a_scene_file_written_in_parts_is_that_of_one_piece(clips, tmp_path):
    params = SynthPrior.preset("sine").sample(torch.arange(clips), seed=4)
    write_scene(params, tmp_path / "scene.json")
    written = json.dumps(to_scene(params), indent=1) + "\n"
    assert (tmp_path / "scene.json").read_text() == written


def test_a_scene_that_could_not_be_read_again_is_not_written(tmp_path):
    params = SynthPrior().sample(torch.arange(2), seed=4)
    params.f0[1, 0] = torch.nan
    with pytest.raises(InputError, match="clip row 1: f0 is nan; the range is 1 to 8000 Hz"):
        write_scene(params, tmp_path / "scene.json")
    assert list(tmp_path.iterdir()) == []


def test_an_event_says_whether_its_pulses_are_band_limited():
    params = SynthPrior().sample(torch.arange(2), seed=0)
    column = torch.tensor([True, False, False, True, False])
    params = params.edit(band_limited=column)
    scene = json.loads(json.dumps(to_scene(params)))
    assert [e["band_limited"] for e in scene["clips"][1]["events"]] == column.tolist()
    assert_same(from_scene(scene), params)
    del scene["clips"][1]["events"][3]["band_limited"]
    assert from_scene(scene).band_limited[1].tolist() == [True, False, False, False, False]


def test_a_short_scene_is_filled_up_with_plain_defaults():
    scene = {
        "clips": [
            {"events": [{"excitation": "square", "f0": 220, "onset": 1, "length": 2}]},
            {
                "cutoff": 900,
                "events": [
                    {"f0": 100, "length": 1, "partials": [{}, {"weight": 0.5}]},
                    {"f0": 150.5, "onset": 3, "length": 1, "excitation": "fm"},
                ],
            },
        ]
    }
    params = from_scene(scene)
    assert params.event_count.tolist() == [1, 2]
    assert not params.band_limited.any()
    assert params.partial_count[1].tolist() == [2, 1]
    assert params.partial_weight[1, 0].tolist() == [1, 0.5]
    wave = render(params)
    assert torch.equal(wave[0, :16000], torch.zeros(16000))
    assert wave[0, 16000:47000].abs().max() == 1
    assert torch.equal(wave[0, 48000:], torch.zeros(len(wave[0]) - 48000))


GOOD = to_scene(SynthPrior().sample(torch.arange(1), seed=0))


def damaged(path, value):
    scene = copy.deepcopy(GOOD)
    place = scene
    for key in path[:-1]:
        place = place[key]
    if value is KeyError:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return scene


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["clips"], 3, 'a list of "clips"'),
        (["clips"], [], "clips is empty"),
        (["clips", 0], "x", r'clips\[0\] is "x"; give an object'),
        (["clips", 0, "events"], 7, r"clips\[0\]\.events is 7; give a list"),
        (["clips", 0, "seed"], 1.5, r"clips\[0\]\.seed is 1\.5; give a 64-bit whole number"),
        (["clips", 0, "event_count"], 9, r"event_count is 9; give a whole number from 0 to 5"),
        (["clips", 0, "tempo"], 9, r"clips\[0\] has an unknown field 'tempo'; it takes"),
        (["clips", 0, "events", 1, "f0"], "high", r'events\[1\]\.f0 is "high"; give a finite'),
        (["clips", 0, "events", 1, "f0"], KeyError, r"events\[1\]\.f0 is missing"),
        (["clips", 0, "events", 1, "f0"], 9000, "f0 is 9000; the range is 1 to 8000 Hz"),
        (["clips", 0, "events", 0, "excitation"], "hum", r'excitation is "hum"; choose from'),
        (["clips", 0, "events", 0, "excitation"], ["fm"], r'excitation is \["fm"\]; choose from'),
        (["clips", 0, "events", 1, "band_limited"], 1, r"band_limited is 1; give true or false"),
        (["clips", 0, "events", 1, "band_limited"], "no", 'band_limited is "no"; give true or'),
        (["clips", 0, "events", 1, "band_limited"], None, "band_limited is null; give true or"),
        (["clips", 0, "events", 1, "amplitude"], True, "amplitude is true; give a finite number"),
        (["clips", 0, "events", 1, "f0"], 10**400, r"f0 is 1000.*\.\.\.; give a finite number"),
        (["clips", 0, "clip"], 2**63, "clip is 9223372036854775808; give a 64-bit whole number"),
        (["clips", 0, "events", 0, "partials", 2, "phase"], None, r"partials\[2\]\.phase is null"),
        (["clips", 0, "events", 0, "onset"], float("inf"), "onset is Infinity; give a finite"),
    ],
)
def test_a_bad_field_is_named_by_its_place(path, value, message):
    with pytest.raises(InputError, match=message):
        from_scene(damaged(path, value))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(st.data())
@settings(max_examples=100)
def test_any_damage_is_refused_or_renders(data):
    event = st.sampled_from(list(GOOD["clips"][0]["events"][0]))
    clip = st.sampled_from(list(GOOD["clips"][0]))
    path = data.draw(
        st.tuples(st.just("clips"), st.just(0), clip)
        | st.tuples(st.just("clips"), st.just(0), st.just("events"), st.just(1), event)
    )
    scene = damaged(list(path), data.draw(json_values))
    try:
        params = from_scene(scene)
    except InputError:
        return
    assert torch.isfinite(render(params)).all()


def test_a_bad_file_is_named(tmp_path):
    path = tmp_path / "scene.json"
    with pytest.raises(InputError, match=r"scene\.json cannot be read"):
        read_scene(path)
    path.write_text("{")
    with pytest.raises(InputError, match=r"scene\.json is damaged: it is no JSON"):
        read_scene(path)
    path.write_text('{"clips": 1}')
    with pytest.raises(InputError, match=r"scene\.json: a scene is"):
        read_scene(path)
