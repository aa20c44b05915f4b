import math
import re
from collections import Counter
from dataclasses import fields, replace

import hypothesis.strategies as st
import numpy as np
import pandas
import pytest
import scipy.stats
import torch
from hypothesis import given, settings

from audiopg.errors import InputError
from audiopg.records import paper_table
from audiopg.synth import (
    CLIP_SECONDS,
    EXCITATIONS,
    PRESETS,
    SENSITIVITY,
    VOWELS,
    SynthPrior,
    render,
)
from audiopg.synth.prior import _power


@pytest.fixture(scope="module")
def draws():
    return SynthPrior(shared_source=False).sample(torch.arange(4000), seed=11)


@pytest.mark.parametrize(
    "factor",
    ["f0", "rolloff", "fm_index", "attack", "decay", "burst_length", "noise_level",
     "partial_weight", "partial_detune", "partial_phase"],
)  # fmt: skip
def test_ranges_are_uniform(draws, factor):
    low, high = getattr(SynthPrior(), factor)
    values = getattr(draws, factor).flatten()
    assert values.min() >= low
    assert values.max() <= high
    assert scipy.stats.kstest(values, "uniform", args=(low, high - low)).pvalue > 1e-3


def test_choices_and_integers_are_equally_likely(draws):
    def pvalue(values, expected):
        _, counts = torch.unique(values, return_counts=True)
        return scipy.stats.chisquare(counts, np.array(expected) * values.numel()).pvalue

    assert pvalue(draws.event_count, [1 / 5] * 5) > 1e-3
    assert pvalue(draws.excitation.flatten(), [1 / 3, 1 / 3, 1 / 6, 1 / 6]) > 1e-3
    assert pvalue(draws.partial_count.flatten(), [1 / 13] * 13) > 1e-3
    assert pvalue(draws.fm_ratio.flatten(), [1 / 6] * 6) > 1e-3
    assert pvalue((draws.burst_amplitude > 0).flatten(), [0.4, 0.6]) > 1e-3
    assert pvalue(draws.cutoff < 8000, [0.3, 0.7]) > 1e-3


def test_lengths_and_onsets_follow_the_number_of_events(draws):
    longest = (CLIP_SECONDS / draws.event_count)[:, None]
    share = (draws.length - 0.5) / (longest - 0.5)
    assert scipy.stats.kstest(share.flatten(), "uniform").pvalue > 1e-3
    place = draws.onset / (CLIP_SECONDS - draws.length)
    assert scipy.stats.kstest(place[draws.length < 9].flatten(), "uniform").pvalue > 1e-3


def test_streams_are_independent(draws):
    names = ("f0", "length", "onset", "attack", "decay", "rolloff", "fm_index", "burst_length")
    first, second = (torch.stack([getattr(draws, n)[:, i] for n in names]) for i in (0, 1))
    # Length sets the range of the onset and the number of events that of the lengths, so those
    # three depend on one another by design.
    own = [names.index(n) for n in names if n not in ("length", "onset")]
    correlation = torch.corrcoef(torch.cat((first[own], second[own])))
    others = correlation[~torch.eye(len(correlation), dtype=torch.bool)]
    assert others.abs().max() < 4 / math.sqrt(len(draws))


def test_a_row_is_a_function_of_seed_and_clip_alone():
    prior = SynthPrior()
    whole = prior.sample(torch.arange(100), seed=9)
    part = prior.sample(torch.tensor([71, 3]), seed=9)
    other = prior.sample(torch.tensor([71, 3]), seed=10)
    for field in fields(whole):
        assert torch.equal(getattr(whole, field.name)[[71, 3]], getattr(part, field.name))
    assert not torch.equal(part.f0, other.f0)


def test_more_events_or_partials_leave_the_other_factors_as_they_were():
    clips = torch.arange(50)
    few = SynthPrior(shared_source=False).sample(clips, seed=0)
    many = SynthPrior(shared_source=False, events=(5, 10), partials=(3, 20)).sample(clips, seed=0)
    assert torch.equal(few.f0, many.f0[:, :5])
    assert torch.equal(few.partial_phase, many.partial_phase[:, :5, :15])
    assert torch.equal(few.cutoff, many.cutoff)


def test_a_shared_source_gives_the_events_of_a_clip_one_timbre():
    params = SynthPrior().sample(torch.arange(20), seed=0)
    for factor in ("f0", "excitation", "partial_phase", "fm_index"):
        values = getattr(params, factor)
        assert (values == values[:, :1]).all()
    assert not (params.onset == params.onset[:, :1]).all()


def test_presets_add_one_stage_after_another():
    params = {name: prior.sample(torch.arange(200), seed=0) for name, prior in PRESETS.items()}
    assert (params["sine"].excitation == 0).all()
    assert (params["sine"].partial_count == 1).all()
    assert len(params["harmonic"].excitation.unique()) == 4
    for name in ("sine", "harmonic"):
        assert (params[name].event_count == 1).all()
        assert (params[name].length == CLIP_SECONDS).all()
        assert (params[name].burst_amplitude == 0).all()
    assert params["dynamic"].event_count.max() == 5
    for name in ("sine", "harmonic", "dynamic"):
        assert (params[name].cutoff == 8000).all()
        assert (params[name].noise_level == 0).all()
    assert (params["full"].noise_level > 0).all()


def test_pulses_are_naive_unless_asked_for():
    assert all(not prior.band_limited for prior in PRESETS.values())
    naive = SynthPrior().sample(torch.arange(5), seed=0)
    limited = SynthPrior(band_limited=True).sample(torch.arange(5), seed=0)
    for field in fields(naive):
        if field.name == "band_limited":
            assert not naive.band_limited.any()
            assert limited.band_limited.all()
        else:
            assert torch.equal(getattr(naive, field.name), getattr(limited, field.name))


@pytest.mark.parametrize("value", [220.0, torch.tensor(220.0), torch.full((1, 3), 220.0), None])
def test_a_factor_that_is_no_tensor_of_its_shape_is_refused(value):
    params = SynthPrior.preset("full").sample(torch.arange(1), seed=0)
    with pytest.raises(InputError, match=r"^f0 is .*; params\.edit\(f0=\.\.\.\) makes one\.$"):
        render(replace(params, f0=value))


def test_a_factor_is_edited_in_its_own_type_or_refused():
    params = SynthPrior().sample(torch.arange(3), seed=0)
    assert params.edit(band_limited=True).band_limited.all()
    column = torch.tensor([[True], [False], [True]])
    assert torch.equal(params.edit(band_limited=column).band_limited, column.expand(-1, 5))
    assert params.edit(seed=2**62 + 1, band_limited=1.0).seed.tolist() == [2**62 + 1] * 3
    for factor, value, message in (
        ("band_limited", 2, "band_limited was given 2; it takes True or False"),
        ("excitation", 1.5, "excitation was given 1.5; it takes whole numbers"),
        ("partial_count", float("nan"), "partial_count was given NaN; it takes whole numbers"),
        ("seed", 2**63, "seed was given 9223372036854775808; it takes numbers"),
        ("f0", "high", 'f0 was given "high"; it takes numbers'),
        ("f0", None, "f0 was given null; it takes numbers"),
        ("f0", torch.ones(2, 5), r"shape \(2, 5\), which does not fit \(3, 5\)"),
    ):
        with pytest.raises(InputError, match=message):
            params.edit(**{factor: value})


def test_the_sensitivity_rows_are_those_of_table_4():
    rows = paper_table("table_4").index
    assert list(SENSITIVITY) == list(rows)
    priors = {name: SynthPrior.preset("full", **changes) for name, changes in SENSITIVITY.items()}
    assert priors["default f0, 1-5 events"] == SynthPrior()
    (narrow, wide), default = ([priors[f"{w} f0"].f0 for w in ("narrow", "wide")], SynthPrior().f0)
    assert wide[0] < default[0] < narrow[0] < narrow[1] < default[1] < wide[1]
    for name, allowed in (("1 event", {1}), ("5-10 events", set(range(5, 11)))):
        params = priors[name].sample(torch.arange(300), seed=0)
        assert set(params.event_count.tolist()) == allowed
        params.validate()
        # At most as many as the clip has room for side by side.
        assert (params.length <= CLIP_SECONDS / params.event_count[:, None]).all()


LIMITS = {
    "f0": (1, 8000),
    "rolloff": (0, 10),
    "partial_weight": (0, 1000),
    "partial_detune": (-0.5, 0.5),
    "partial_phase": (-1000, 1000),
    "fm_index": (0, 100),
    "event_length": (0.001, 10.24),
    "amplitude": (0, 1000),
    "attack": (0, 1),
    "decay": (0, 1),
    "sustain": (0, 1),
    "release": (0, 1),
    "burst_length": (0, 10.24),
    "burst_amplitude": (0, 1000),
    "cutoff": (10, 8000),
    "quality": (0.1, 20),
    "noise_level": (0, 1000),
    "noise_bandwidth": (1, 8000),
    "modulation_depth": (0, 1),
    "modulation_rate": (0.01, 1000),
    "modulation_jitter": (0, 1),
    "glide": (-3, 3),
    "vibrato_depth": (0, 1),
    "vibrato_rate": (0.01, 100),
    "formant_f0": (1, 8000),
    "tract_scale": (0.1, 2.5),
    "reverberation_time": (0.01, 0.5),
    "reverberation_level": (0, 1000),
}
# Pulses are drawn apart.
DRAWN = (*(name for name in EXCITATIONS if name not in EXCITATIONS.pulses), "pulse")
WHOLE_LIMITS = {"partials": (1, 256), "events": (1, 64)}
PROBABILITIES = ["burst_probability", "damping_probability"] + [
    f"{name}_probability"
    for name in ("mixture", "noise", "modulation", "motion", "formant", "reverberation")
]
# Where a number belongs: what is none, or none that a float can hold.
WRONG_ENDS = (math.nan, math.inf, -math.inf, "1", None, True, 10**400, [1.0])


def refused(message, **override):
    with pytest.raises(InputError, match=message) as caught:
        SynthPrior.preset("full", **override)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [*LIMITS, *WHOLE_LIMITS])
def test_a_range_is_refused_by_name_with_its_limits(name):
    low, high = {**LIMITS, **WHOLE_LIMITS}[name]
    numbers = "whole numbers" if name in WHOLE_LIMITS else "numbers"
    message = f"^{name} is .*; it takes two {numbers}, low then high, from {low:g} to {high:g}.$"
    step = 1 if name in WHOLE_LIMITS else 1e-6
    bad = [(high, low), (low - step, high), (low, high + step), (low,), (low, high, high), (), low]
    bad += ["low", {low: high}, {low, high}]
    bad += [end for wrong in WRONG_ENDS for end in ((wrong, high), (low, wrong), wrong)]
    if name in WHOLE_LIMITS:
        bad += [(low + 0.5, high), (float(low), high)]
    for value in bad:
        # Here None has a meaning: what attack and decay leave.
        if not (name == "release" and value is None):
            refused(message, **{name: value})


@pytest.mark.parametrize(
    ("name", "allowed", "wrong"),
    [
        ("excitation", re.escape(f"among {DRAWN}"), ("noise", "sawtooth", 0)),
        ("pulse", r"among \('sawtooth', 'square'.*\)", ("organ", "fm", 2)),
        ("fm_ratio", "from 0 to 100", (-0.5, 100.5, "1")),
        ("noise_share", "from 0 to 1", (-0.5, 1.5, "1")),
        ("modulation_decay", "from 0 to 100", (-0.5, 100.5, "1")),
        ("vowels", r"among \('heed', .*'heard'\)", ("hay", 0)),
    ],
)
def test_choices_are_refused_by_name_with_those_allowed(name, allowed, wrong):
    good = getattr(SynthPrior(), name)
    bad = [(), [], None, good[0], *((*good, choice) for choice in wrong)]
    for value in bad + [(*good, end) for end in WRONG_ENDS if end not in wrong]:
        refused(f"^{name} is .*; it takes one or more choices {allowed}.$", **{name: value})


@pytest.mark.parametrize("name", PROBABILITIES)
def test_a_probability_is_refused_by_name(name):
    for value in (-0.1, 1.1, (0.1, 0.2), *WRONG_ENDS):
        refused(f"^{name} is .*; it is a probability, 0 to 1.$", **{name: value})


@pytest.mark.parametrize("name", ["band_limited", "shared_source"])
def test_a_flag_is_refused_by_name(name):
    for value in (0, 1, 0.0, "yes", None, (True,), torch.tensor(True)):
        refused(f"^{name} is .*; it is True or False.$", **{name: value})


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"attack": (0.5, 0.8)}, r"attack \+ decay \+ release can exceed 1"),
        ({"decay": (0.1, 0.71)}, r"attack \+ decay \+ release can exceed 1"),
        ({"release": (0.1, 0.31)}, r"attack \+ decay \+ release can exceed 1"),
        ({"events": (1, 30)}, "event_length starts at 0.5 s, but 30 events leave at most 0.341"),
        ({"burst_length": (0.1, 2.0)}, "burst_length reaches 2 s, .* shortest event, 0.5 s"),
        ({"pitch": (1, 2)}, "no field 'pitch'; choose from .*'attack'"),
    ],
)
def test_ranges_that_do_not_go_together_are_refused_by_name(override, message):
    refused(message, **override)


def test_a_seed_is_a_64_bit_number():
    for seed in (-(2**63), 2**63 - 1, np.int64(7)):
        assert (SynthPrior().sample(torch.arange(2), seed).seed == int(seed)).all()
    for seed in (2**63, -(2**63) - 1, 1.0, "1", None):
        with pytest.raises(InputError, match=r"seed is .*; give a 64-bit whole number"):
            SynthPrior().sample(torch.arange(2), seed)


def test_an_attack_and_a_decay_may_fill_the_event():
    # 1 - 0.9 - 0.1 is below 0 when rounded.
    params = SynthPrior(attack=(0.9, 0.9), decay=(0.1, 0.1)).sample(torch.arange(3), seed=0)
    params.validate()
    assert (params.release == 0).all()


def pairs(low, high):
    """A range, as a rule within the limits."""
    end = st.integers(low, high) if isinstance(low, int) else st.floats(low, high)
    return st.tuples(end, end).map(sorted).map(tuple)


@st.composite
def overrides(draw):
    ranges = {
        **{name: pairs(float(low), float(high)) for name, (low, high) in LIMITS.items()},
        **dict.fromkeys(("attack", "decay"), pairs(0.0, 0.4)),
        "release": st.none() | pairs(0.0, 0.2),
        "events": pairs(1, 12),
        "event_length": pairs(0.001, 2.0),
        "burst_length": pairs(0.0, 0.1),
        "partials": pairs(1, 20),
    }
    fixed = {
        "shared_source": st.booleans(),
        "band_limited": st.booleans(),
        **dict.fromkeys(PROBABILITIES, st.sampled_from([0.0, 0.5, 1.0])),
    }
    chosen = draw(st.fixed_dictionaries(fixed, optional=ranges))
    # Now and then one range is anything at all.
    if draw(st.integers(0, 3)) == 0:
        chosen[draw(st.sampled_from(sorted(ranges)))] = draw(st.tuples(st.floats(), st.floats()))
    return chosen


def assert_within(values, bounds):
    # Uniform in octaves, a range ends at what its logarithm rounds to.
    assert values.min() >= bounds[0] - 1e-12 * abs(bounds[0])
    assert values.max() <= bounds[1] + 1e-12 * abs(bounds[1])


def test_any_prior_is_refused_or_stays_within_its_ranges():
    accepted = Counter()

    @given(overrides(), st.integers(-(2**63), 2**63 - 1))
    @settings(max_examples=200)
    def check(override, seed):
        try:
            prior = SynthPrior(**override)
        except InputError:
            accepted["no"] += 1
            return
        accepted["shared" if prior.shared_source else "own"] += 1
        params = prior.sample(torch.arange(20), seed)
        params.validate()
        voices = params.formant_1 > 0
        # Factors that are neutral where an event or a clip has them not.
        at_times = {
            "modulation_depth": (params.modulation_depth != 0, prior.modulation_probability),
            "glide": (params.glide != 0, prior.motion_probability),
            "vibrato_depth": (params.vibrato_depth != 0, prior.motion_probability),
            "reverberation_time": (
                params.reverberation_time != 0,
                prior.reverberation_probability,
            ),
            "f0": (~voices, 1),
            **dict.fromkeys(
                ("modulation_rate", "modulation_jitter"), (..., prior.modulation_probability)
            ),
            "noise_bandwidth": (..., prior.noise_probability),
            "vibrato_rate": (..., prior.motion_probability),
            "reverberation_level": (..., prior.reverberation_probability),
        }
        others = ("event_length", "cutoff", "burst_amplitude", "release")
        for name in LIMITS.keys() - {*others, "formant_f0", "tract_scale"}:
            where, probability = at_times.get(name, (..., 1))
            values = getattr(params, name)[where]
            if probability and values.numel():
                assert_within(values, getattr(prior, name))
        if voices.any():
            assert prior.formant_probability > 0
            assert_within(params.f0[voices], prior.formant_f0)
            heights = [hertz for vowel in prior.vowels for hertz in VOWELS[vowel]]
            low, high = prior.tract_scale
            assert_within(params.formant_1[voices], (low * min(heights), high * max(heights)))
            assert (params.excitation[voices] != 1).all()
        assert_within(params.event_count, prior.events)
        assert_within(params.partial_count, prior.partials)
        assert_within(params.length, prior.event_length)
        shares = params.attack + params.decay + params.release
        if prior.release is None:
            torch.testing.assert_close(shares, torch.ones_like(shares))
        else:
            assert_within(params.release, prior.release)
        damped = params.cutoff[params.cutoff != 8000]
        if len(damped) > 0:
            assert_within(damped, prior.cutoff)
        bursts = params.burst_amplitude[params.burst_amplitude != 0]
        if len(bursts) > 0:
            assert_within(bursts, prior.burst_amplitude)
        assert (params.band_limited == prior.band_limited).all()
        if prior.shared_source and prior.mixture_probability == 0:
            assert (params.f0 == params.f0[:, :1]).all()

    check()
    # The ranges are neither all refused nor all accepted.
    assert min(accepted["no"], accepted["shared"], accepted["own"]) > 20


def test_an_unknown_preset_lists_the_known_ones():
    with pytest.raises(InputError, match=r"'fuller'; choose from .*'sine'"):
        SynthPrior.preset("fuller")


@pytest.mark.parametrize("base", [1.0, 6.25, 80 / 3, 400.0])
def test_powers_are_exact_within_their_range_and_alike_in_any_batch(base):
    exponent = torch.linspace(0, 1, 1001, dtype=torch.float64)
    found = _power(base, exponent)
    expected = [base**value for value in exponent.tolist()]
    expected = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=4e-15, atol=0)
    assert found[0] == 1
    assert found[-1] <= base
    for size in (1, 3, 7):
        assert torch.cat([_power(base, part) for part in exponent.split(size)]).equal(found)


def test_a_clip_beyond_the_range_of_indices_does_not_wrap():
    with pytest.raises(InputError, match=r"clip was given .*9223372036854775808.*whole numbers"):
        SynthPrior.preset("full").sample(np.array([2**63], dtype=np.uint64), seed=0)


@pytest.mark.parametrize(
    "rows",
    [
        [3, 1],
        (3, 1),
        range(3, 0, -2),
        torch.tensor([3, 1]),
        torch.tensor([3, 1], dtype=torch.uint8),
        np.array([3, 1], dtype=np.int32),
        pandas.Series([3, 1], index=[9, 4]),
        pandas.Series([3, 1], dtype="Int64"),
    ],
)
def test_rows_of_clips_go_by_position_whatever_holds_them(rows):
    params = SynthPrior().sample(torch.arange(4), seed=0)
    assert params[rows].clip.tolist() == [3, 1]


def test_clips_are_shown_in_one_line():
    params = SynthPrior().sample(torch.arange(3), seed=0)
    assert repr(params[[1, 2]]) == (
        "ClipParameters: (clips, events, partials) = (2, 5, 15), on cpu; "
        "audiopg.synth.to_table shows the factors"
    )


def test_a_bool_for_each_clip_chooses_rows():
    params, heard = SynthPrior().sample(torch.arange(4), seed=0), [False, True, False, True]
    column = pandas.Series(heard, index=[3, 2, 1, 0])
    for rows in (heard, np.array(heard), torch.tensor(heard), column):
        assert params[rows].clip.tolist() == [1, 3]
    # As many numbers of 8 bits as there are clips are no bools.
    assert params[np.array([3, 2, 1, 0], dtype=np.uint8)].clip.tolist() == [3, 2, 1, 0]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (1, r"1 is one row; params\[\[1\]\] are clips of one row"),
        ([[1, 2]], r"rows have shape \(1, 2\); give one number for each"),
        (torch.tensor([[1], [2]]), r"rows have shape \(2, 1\)"),
        (torch.tensor(1), r"rows have shape \(\)"),
    ],
)
def test_what_is_no_list_of_rows_is_refused(rows, message):
    with pytest.raises(InputError, match=message):
        SynthPrior().sample(torch.arange(4), seed=0)[rows]


@pytest.mark.parametrize(
    "rows", [[9], torch.tensor([9]), torch.tensor([True, False]), [1.5], [True, False]]
)
def test_rows_that_clips_do_not_have_are_refused(rows):
    with pytest.raises(IndexError):
        SynthPrior().sample(torch.arange(4), seed=0)[rows]
