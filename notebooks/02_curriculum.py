# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A curriculum of clips
#
# *What does the network lose when a part of the synthesizer is taken away?*
#
# The paper builds its generator in four steps, and trains a network on each (Table 3). This chapter
# shows what the steps contain: first as sounds and pictures, then as distributions. What they are
# worth to a network is the matter of [chapter 5](05_ablations.ipynb).

# %%
import matplotlib.pyplot as plt
import pandas as pd
import torch

import audiopg
from audiopg.book import plots, widgets
from audiopg.book.experiments import outcome_table
from audiopg.records import paper_table
from audiopg.synth import SENSITIVITY

plots.use_style()

# %% [markdown]
# ## Four presets
#
# | preset | adds | Table 3 |
# | --- | --- | --- |
# | `sine` | one steady sine a clip, of random frequency | row 1 |
# | `harmonic` | partials, frequency modulation, pulses | row 2 |
# | `dynamic` | events with envelopes, bursts | row 3 |
# | `full` | damping, a noise floor | row 4 |
#
# The presets share their random numbers, factor by factor, so clip 5 has one fundamental frequency
# in all four. Listen to it grow, then see more of the kind in {numref}`fig-wall`.

# %%
presets = ["sine", "harmonic", "dynamic", "full"]
priors = {name: audiopg.SynthPrior.preset(name) for name in presets}
clip = torch.tensor([5])
grown = torch.cat(
    [
        audiopg.render(prior.sample(clip, seed=0))
        for prior in priors.values()
    ]
)
widgets.players(grown, [f"{name}, seed 0, clip 5" for name in presets])

# %% mystnb={"figure": {"caption": "Clips 0 to 3 of seed 0, one row a preset. Down each column the fundamental stays the same.", "name": "fig-wall"}, "image": {"alt": "A wall of sixteen log-mel spectrograms: single lines in the first row, stacks of lines in the second, separate events in the third, damped events over noise in the fourth"}}
clips = torch.arange(4)
log_mel = audiopg.LogMel()
wall = torch.cat(
    [
        log_mel(audiopg.render(prior.sample(clips, 0)))
        for prior in priors.values()
    ]
)
plots.spectrogram_wall(
    wall,
    [f"{name}, clip {i}" for name in presets for i in range(4)],
    columns=4,
)
plt.show()

# %% [markdown]
# ## Take one part away
#
# The presets take parts away from the end. A clip can also lose any one part and keep the rest,
# because every part is a few factors of its row. Here is clip 2152 of `full`, a tone of 335 Hz with
# 14 partials in four events, damped at 486 Hz, and the same clip five times with one part gone:
# first to hear, then in {numref}`fig-parts`.

# %%
whole = priors["full"].sample(torch.tensor([2152]), seed=0)
steady = {"event_count": 1, "onset": 0.0, "length": 10.24}
steady |= {"attack": 0.0, "decay": 0.0, "sustain": 1.0, "release": 0.0}
parts = {
    "the whole clip": {},
    "no damping": {"cutoff": 8000.0},
    "no noise floor": {"noise_level": 0.0},
    "no bursts": {"burst_amplitude": 0.0},
    "no events": steady,
    "one partial": {"partial_count": 1},
}
without = torch.cat(
    [audiopg.render(whole.edit(**part)) for part in parts.values()]
)
widgets.players(without, list(parts), columns=3)

# %% mystnb={"figure": {"caption": "Clip 2152 of the `full` preset, whole and with one part taken away at a time.", "name": "fig-parts"}, "image": {"alt": "Six log-mel spectrograms. Without damping the upper partials are as strong as the lower; without noise the ground is black; without bursts the stripes at the onsets are gone; without events the partials run from edge to edge; with one partial a single line is left"}}
part_mels = log_mel(without)
plots.spectrogram_wall(part_mels, list(parts), columns=3)
plt.show()

# %% [markdown]
# The difference of two log-mel spectrograms says it again, without the ear: in
# {numref}`fig-removed`, what the clip has more of with a part than without it is red, what it has less
# of is blue.

# %% mystnb={"figure": {"caption": "What each part puts into the clip (red) or takes out of it (blue): the whole clip less the clip without the part.", "name": "fig-removed"}, "image": {"alt": "Five difference spectrograms. Damping is blue above 500 Hz within the events; noise is red everywhere but in the events; bursts are thin red stripes at the onsets; events are blue between the onsets; partials are red lines above the first"}}
plots.spectrogram_wall(
    part_mels[:1] - part_mels[1:],
    list(parts)[1:],
    columns=3,
    difference=True,
)
plt.show()

# %% [markdown]
# - *Damping* takes the brightness: the higher a partial, the more it loses. Heard, it is the wall
#   between us and the sound.
# - *The noise floor* fills whatever the events leave empty. Without it six tenths of this clip are
#   digital silence, which no microphone ever delivers.
# - *Bursts* are what says that something was struck. The three of this clip last a seventh of a
#   second together, at all frequencies at once.
# - *Events and envelopes* are all that happens in time. Without them every frame is like the last.
# - *Partials* are the timbre. With one left, only the pitch and the rhythm remain.
#
# The peak of every clip is brought to 1, so a part has effects where it does not sound: damping
# makes the tone quieter, and after normalisation the noise floor around it is louder.
#
# ## The distributions
#
# A factor is drawn from a range or from a list of choices, each independently of the others: with
# $U$ for the uniform distribution,
#
# $$
# f_0 \sim U(50, 2000)\ \text{Hz}, \qquad N \sim U\{1, \ldots, 5\}, \qquad
# \ell_i \sim U\bigl(0.5,\ 10.24 / N\bigr)\ \text{s}, \qquad f_c \sim U(200, 6000)\ \text{Hz}.
# $$ (eq-prior)
#
# The length of an event depends on how many there are, so that they fit. {numref}`fig-factors` draws
# 5,000 clips from {eq}`eq-prior`, one epoch of the paper. They take no time at all, because nothing is
# rendered.

# %% mystnb={"figure": {"caption": "Factors of 5,000 clips of the `full` preset. Lengths pile up at the short end because most clips have several events. A corner at 8,000 Hz means that the clip is not damped.", "name": "fig-factors"}, "image": {"alt": "Six histograms: flat for fundamental frequency and noise level, five equal bars for the number of events, falling for event length, rising and falling for onset, flat with a spike at 8,000 Hz for the damping corner"}}
params = priors["full"].sample(torch.arange(5000), seed=0)
heard = params.event_mask
drawn = {
    "fundamental (Hz)": params.f0[:, 0],
    "events a clip": params.event_count,
    "event length (s)": params.length[heard],
    "onset (s)": params.onset[heard],
    "damping corner (Hz)": params.cutoff,
    "noise floor λ": params.noise_level,
}
plots.histograms(drawn)
plt.show()

# %% [markdown]
# The same in numbers: nine tenths of the draws lie between the outer columns.

# %%
quantiles = {"5 %": 0.05, "half": 0.5, "95 %": 0.95}
pd.DataFrame(
    {
        column: {
            name: f"{float(f'{values.double().quantile(share):.3g}'):,g}"
            for name, values in drawn.items()
        }
        for column, share in quantiles.items()
    }
)

# %% [markdown]
# ## How loud is the noise?
#
# The peak of every clip is 1, so absolute loudness carries no information. What varies is the
# *relative intensity*: the power of the source over the power of the noise floor. It is not drawn,
# it follows from everything else. A clip with short events is mostly noise floor.

# %% mystnb={"figure": {"caption": "Signal-to-noise ratio of 200 clips of the `full` preset.", "name": "fig-snr"}, "image": {"alt": "Histogram of the signal-to-noise ratio, from about 15 to 60 decibels"}}
ratio = audiopg.signal_to_noise(params[:200])
plots.histograms({"signal-to-noise ratio (dB)": ratio})
plt.show()
print(
    f"median {ratio.median():.0f} dB, "
    f"middle half {ratio.quantile(0.25):.0f} to "
    f"{ratio.quantile(0.75):.0f} dB"
)

# %% [markdown]
# ## What the steps are worth
#
# In the paper each network was pre-trained for 100 epochs on one preset, then fine-tuned for 50
# epochs on real recordings. Ours, in the last columns, are linear probes of a small network after a
# short run, on an easier set and on a part of the other. So the columns are not to be compared, only
# their order from row to row; [chapter 5](05_ablations.ipynb) says what it is worth. The first of two numbers
# is of averaged tokens, the second of tokens averaged band by band.

# %%
scale = audiopg.at_scale(smoke="cpu", paper="paper")
ours = outcome_table({n: f"curriculum-{n}-{scale}" for n in presets})
ours = ours.drop(columns=["CPU min", "seeds"])
theirs = paper_table("table_3").loc[presets]
theirs = theirs.drop(columns="pre-training (s)").add_prefix("paper: ")
theirs.join(ours.replace("", "not run yet").add_prefix("ours: "))

# %% [markdown]
# In the paper's columns the first step, from a sine to a spectrum, is worth most on ESC-50. The last
# one, damping and noise, is worth more than the events and envelopes before it. In our columns the last
# row is ahead of the first on every set, and the last step is worth more than the one before it where
# the paper's is.
#
# ## Narrow and wide, sparse and crowded
#
# Table 4 leaves the parts in place and moves two distributions of {eq}`eq-prior`, that of the
# fundamental ({numref}`fig-sensitivity-f0`) and that of the number of events
# ({numref}`fig-sensitivity-events`). The bounds in Hz of its "narrow" and "wide" are missing from the text of the
# paper that we work from, and the released code has the default alone. So 200 to 1,000 Hz and 20 to
# 4,000 Hz are ours; the numbers of events are the paper's.

# %%
settings = {
    name: audiopg.SynthPrior.preset("full", **overrides)
    for name, overrides in SENSITIVITY.items()
}
varied = torch.cat(
    [
        audiopg.render(prior.sample(torch.tensor([27]), seed=0))
        for prior in settings.values()
    ]
)
widgets.players(
    varied, [f"{name}, seed 0, clip 27" for name in settings], columns=3
)

# %% mystnb={"figure": {"caption": "Clip 27 of seed 0 under the five settings of Table 4. Its fundamental is at the same place between the bounds, so it moves with them.", "name": "fig-sensitivity-wall"}, "image": {"alt": "Five log-mel spectrograms of one clip: three events of three lines each, lower with the narrow range and higher with the wide one; then a single short event near the end; then many short ones"}}
plots.spectrogram_wall(log_mel(varied), list(settings), columns=3)
plt.show()

# %% mystnb={"figure": {"caption": "The fundamental of 2,000 clips under three settings of Table 4.", "name": "fig-sensitivity-f0"}, "image": {"alt": "Three histograms on one axis: high between 200 and 1,000 Hz, half as high from 50 to 2,000 Hz, low and flat from 20 to 4,000 Hz"}}
many = {
    name: prior.sample(torch.arange(2000), seed=0)
    for name, prior in settings.items()
}
default = "default f0, 1-5 events"
plots.histograms(
    {
        "f0 (Hz), narrow": many["narrow f0"].f0[:, 0],
        "f0 (Hz), default": many[default].f0[:, 0],
        "f0 (Hz), wide": many["wide f0"].f0[:, 0],
    },
    shared=True,
)
plt.show()

# %% mystnb={"figure": {"caption": "The number of events of 2,000 clips: the default between the other two settings.", "name": "fig-sensitivity-events"}, "image": {"alt": "Three histograms on one axis: all clips at one event, equal bars from one to five, equal bars from five to ten"}}
plots.histograms(
    {
        "events, sparse": many["1 event"].event_count,
        "events, default": many[default].event_count,
        "events, crowded": many["5-10 events"].event_count,
    },
    shared=True,
)
plt.show()

# %% [markdown]
# What the settings are worth, by the paper's Table 4, fine-tuning for 50 epochs, and by our probes:

# %%
runs = {name: f"sensitivity-{name.replace(' ', '-')}" for name in settings}
runs[default] = "curriculum-full"
ours = outcome_table({n: f"{run}-{scale}" for n, run in runs.items()})
ours = ours.drop(columns=["CPU min", "seeds"])
theirs = paper_table("table_4").add_prefix("paper: ")
theirs.join(ours.replace("", "not run yet").add_prefix("ours: "))

# %% [markdown]
# In the paper's columns the range of the fundamental hardly matters. The number of events does, and
# not in one direction: crowded clips help on ESC-50 and cost on UrbanSound8K. But crowded clips differ
# in two ways at once. Ten events must fit into a clip, so each of them is short: at most 10.24 s over
# their number.
#
# ## What it means
#
# Taking a part away does not make the clips shorter or fewer. It makes them *predictable in another
# way*. A masked patch of a sine clip can be filled in by continuing a line. With events one has to
# know when they end; with damping, how spectra tilt; with noise, where prediction must stop.
#
# What is uncertain: the paper names the four rows but not their exact settings. We read "Freq.,
# Timbre, Dyn., Filter" as the presets above. The released code has no switch for the rows. It also
# holds functions that damp with a probability of 0.3 and normalise with 0.05; its training does not
# call them, and the chain that it does call damps with 0.7 and always normalises, as we do.
#
# ### Change this
#
# 1. Separate the two ways in which crowded clips differ:
#    `audiopg.SynthPrior.preset("full", events=(1, 1), event_length=(0.5, 2.0))` has single events as
#    short as the crowded ones. How does its wall look?
# 2. Ask for nonsense: `audiopg.SynthPrior.preset("full", f0=(50, 9000))`.
#
# ```{dropdown} What you might find
# 1. Mostly noise floor. So now the lengths agree, and a third thing has moved: how much of a clip
#    sounds. Two settings that differ in a single way are harder to find than it seems.
# 2. One sentence that names the field and its range. A frequency above half the sample rate cannot
#    be told from one below it.
# ```
