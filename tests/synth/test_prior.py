import hashlib
import math
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch

from audiopg.errors import InputError
from audiopg.philox import philox4x32, random_words
from audiopg.synth import CLIP_SECONDS, PRESETS, SynthPrior


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        # The known answers published with Random123 (Salmon et al., 2011), file kat_vectors.
        ("00000000 00000000 00000000 00000000", "00000000 00000000",
         "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
         "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
         "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)  # fmt: skip
def test_philox_agrees_with_the_published_vectors(counter, key, words):
    counter, key = ([torch.tensor(int(w, 16)) for w in text.split()] for text in (counter, key))
    assert [f"{int(word):08x}" for word in philox4x32(tuple(counter), tuple(key))] == words.split()


def test_every_part_of_an_address_changes_the_words():
    def words(seed, clip, stream, position):
        numbers = (torch.tensor(n) for n in (seed, clip))
        return [int(w) for w in random_words(*numbers, stream, torch.tensor(position))]

    addresses = [(0, 0, 0, 0)]
    addresses += [tuple(int(i == j) for j in range(4)) for i in range(4)]
    addresses += [(2**32, 0, 0, 0), (0, 2**32, 0, 0), (-1, 0, 0, 0), (0, -1, 0, 0)]
    assert len({tuple(words(*address)) for address in addresses}) == len(addresses)


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


def fingerprint(params, row):
    """The first 16 hex digits of the SHA-256 of every factor of a clip, little-endian."""
    digest = hashlib.sha256()
    for field in fields(params):
        values = getattr(params, field.name)[row].numpy()
        digest.update(values.astype(values.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()[:16]


def test_the_first_64_clips_are_what_they_were_for_ever():
    params = SynthPrior().sample(torch.arange(64), seed=0)
    expected = (Path(__file__).parent / "fingerprints.txt").read_text().split()
    assert [fingerprint(params, row) for row in range(64)] == expected


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


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"f0": (50.0, 9000.0)}, "f0 is .* from 1 to 8000"),
        ({"f0": (500.0, 100.0)}, "f0 is .* low then high"),
        ({"f0": (float("nan"), 100.0)}, "f0 is"),
        ({"f0": 440.0}, "f0 is 440.0"),
        ({"event_length": (-1.0, 2.0)}, "event_length"),
        ({"attack": (0.5, 0.8), "decay": (0.1, 0.4)}, "attack . decay"),
        ({"fm_ratio": ()}, "fm_ratio is .* one or more choices"),
        ({"excitation": ("noise",)}, "excitation"),
        ({"events": (1.5, 3)}, "events is .* whole numbers"),
        ({"events": (1, 30)}, "30 events leave at most"),
        ({"burst_probability": 1.5}, "burst_probability is 1.5"),
        ({"burst_length": (0.1, 2.0)}, "burst_length reaches 2 s"),
        ({"pitch": (1, 2)}, "no field 'pitch'"),
    ],
)
def test_nonsense_is_refused_by_name(override, message):
    with pytest.raises(InputError, match=message):
        SynthPrior.preset("full", **override)


def test_an_unknown_preset_lists_the_known_ones():
    with pytest.raises(InputError, match=r"'fuller'; choose from .*'sine'"):
        SynthPrior.preset("fuller")
