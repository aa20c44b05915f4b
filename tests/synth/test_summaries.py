"""Summaries of clips, against a plain loop over their events."""

import math

import pytest
import torch

from audiopg.synth import SUMMARIES, SynthPrior, spread, summarise


@pytest.mark.parametrize("name", ["full", "extended"])
def test_summaries_are_what_a_loop_over_events_finds(name):
    params = SynthPrior.preset(name).sample(torch.arange(20), seed=4)
    for row, values in enumerate(summarise(params)):
        slots = range(int(params.event_count[row]))
        lengths = [params.length[row, slot].item() for slot in slots]

        def mean(factor, change=float, row=row, slots=slots, lengths=lengths):
            heard = [change(getattr(params, factor)[row, slot].item()) for slot in slots]
            return sum(v * n for v, n in zip(heard, lengths, strict=True)) / sum(lengths)

        # The clip with the rate 1 where there is no modulation.
        rates = params.modulation_rate[row].log2() * (params.modulation_depth[row] > 0)
        expected = {
            "log f0": mean("f0", math.log2),
            "log cutoff": math.log2(params.cutoff[row]),
            "log noise level": math.log2(params.noise_level[row]),
            "onset": min(params.onset[row, slot].item() for slot in slots),
            "polyphony": sum(lengths) / 10.24,
            "events": len(slots),
            "bursts": mean("burst_amplitude", bool),
            "noise share": mean("noise_share"),
            "modulation depth": mean("modulation_depth"),
            "log modulation rate": sum(rates[s].item() * lengths[s] for s in slots) / sum(lengths),
            "vibrato depth": mean("vibrato_depth"),
            "voice": mean("formant_1", bool),
            "reverberation time": params.reverberation_time[row].item(),
        }
        for code, kind in enumerate(("harmonic", "fm", "sawtooth", "square")):
            expected[kind] = mean("excitation", code.__eq__)
        assert expected.keys() == set(SUMMARIES)
        found = dict(zip(SUMMARIES, values.tolist(), strict=True))
        assert found == pytest.approx(expected, abs=1e-9)


def test_the_spread_is_that_of_other_clips_to_the_error_of_so_many():
    prior = SynthPrior.preset("extended")
    mean, deviation = spread(prior)
    values = (summarise(prior.sample(torch.arange(4096), seed=1)) - mean) / deviation
    # Two means of 4,096 clips differ by about sqrt(2 / 4096) = 0.022 deviations.
    assert values.mean(dim=0).abs().max() < 5 * 0.022
    assert (spread(SynthPrior.preset("sine"))[1] > 0).all()


def test_no_events_and_silence_are_finite():
    params = SynthPrior().sample(torch.arange(2), seed=0).edit(event_count=0, noise_level=0.0)
    values = summarise(params)
    assert torch.isfinite(values).all()
    assert (values[:, SUMMARIES.index("onset")] == 10.24).all()
