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
# *What does each part of the synthesizer add to a clip?*
#
# The paper builds its generator in four steps and trains a network on each (Table 3). This chapter
# shows what the steps contain, first as sounds and pictures, then as distributions. It ends with a
# question to you.

# %%
import matplotlib.pyplot as plt
import pandas as pd
import torch

import audiopg
from audiopg.book import plots, widgets
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
# A clip has the same fundamental in every preset, and the same partials and events in every preset that
# has them. Listen to one clip grow. {numref}`fig-wall`
# shows four clips in every preset.

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

# %% mystnb={"figure": {"caption": "Clips 0 to 3 of seed 0, one row a preset. Each column has one fundamental frequency. (Frequency modulation adds lines below the fundamental, and so do the aliases of a square wave.)", "name": "fig-wall"}, "image": {"alt": "A wall of sixteen log-mel spectrograms: single lines in the first row, stacks of lines in the second, separate events in the third, damped events over noise in the fourth"}}
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
    [f"{name} {i}" for name in presets for i in range(4)],
    columns=4,
)
plt.show()

# %% [markdown]
# ## Take one part away
#
# Clip 2152 of `full` is a tone of 335 Hz with 14 partials in four events, damped at 486 Hz. Hear it
# whole, then in five versions that lack one part each ({numref}`fig-parts`).

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

# %% mystnb={"figure": {"caption": "Clip 2152 of `full`, whole and without one part at a time.", "name": "fig-parts"}, "image": {"alt": "Six log-mel spectrograms. Without damping the upper partials are as strong as the lower; without noise the ground is black; without bursts the stripes at the onsets are gone; without events the partials run from edge to edge; with one partial a single line is left"}}
part_mels = log_mel(without)
plots.spectrogram_wall(part_mels, list(parts), columns=3)
plt.show()

# %% [markdown]
# {numref}`fig-removed` shows the spectrogram of the whole clip minus that of each version.

# %% mystnb={"figure": {"caption": "The energy that each part adds to the clip (red) or removes from it (blue).", "name": "fig-removed"}, "image": {"alt": "Five difference spectrograms. Damping is blue above 500 Hz within the events; noise is red everywhere but in the lower half of the events; bursts are thin red stripes at the onsets; events are blue in the gaps between them; partials are red lines above the first"}}
plots.spectrogram_wall(
    part_mels[:1] - part_mels[1:],
    ["damping", "noise floor", "bursts", "events", "upper partials"],
    columns=3,
    difference=True,
)
plt.show()

# %% [markdown]
# - *Damping* removes brightness: the higher a partial, the more it loses. It sounds like a wall between
#   us and the source.
# - *The noise floor* fills the gaps between events. Without it, six tenths of this clip are digital
#   silence, which no microphone delivers (though edited recordings may have it).
# - *Bursts* tell us that something was struck. Three of the four events here have a burst. The bursts
#   last a seventh of a second in all. Each holds all frequencies at once, until the damping takes the
#   high ones away.
# - *Events and envelopes* make things happen in time. Without them every frame is like the one before.
# - *Partials* give the timbre. With one left, only the pitch and the rhythm remain.
#
# Every clip is scaled to a peak of 1, so each part also affects the others. If damping makes the tone
# quieter, normalisation makes the noise floor louder.
#
# ## The distributions
#
# Most factors are drawn independently, from a range or from a list of choices. Here are the
# distributions of the fundamental frequency $f_0$, the number of events $N$, the length $\ell_i$ of
# event $i$ and the cutoff $f_c$. $U$ is the uniform distribution:
#
# $$
# \begin{aligned}
# f_0 &\sim U(50, 2000)\ \text{Hz}, \\
# N &\sim U\{1, \ldots, 5\}, \\
# \ell_i &\sim U\bigl(0.5,\ 10.24 / N\bigr)\ \text{s}, \\
# f_c &\sim U(200, 6000)\ \text{Hz for 7 clips in 10} .
# \end{aligned}
# $$ (eq-prior)
#
# The lengths of all events add up to at most 10.24 s, but events may overlap. {numref}`fig-factors`
# shows the factors of 5,000 clips, an epoch of the paper's released code.

# %% mystnb={"figure": {"caption": "Factors of 5,000 clips of the `full` preset. Most lengths are short because most clips have several events. The damping corner is the cutoff of the low-pass; at 8,000 Hz the clip is not damped.", "name": "fig-factors"}, "image": {"alt": "Six histograms: flat for fundamental frequency and noise level, five equal bars for the number of events, falling for event length, nearly flat and then falling for onset, flat with a spike at 8,000 Hz for the damping corner"}}
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
# The next table has the median of each factor, and the two values between which nine tenths of its draws
# lie.

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
# The peak of every clip is 1, so absolute loudness carries no information. What varies is the *relative
# intensity*, or signal-to-noise ratio: the power of the source divided by the power of the noise floor.
# This ratio is not drawn, but follows from all the other factors. For example, short events lower it.

# %% mystnb={"figure": {"caption": "Signal-to-noise ratio of 200 clips of the `full` preset.", "name": "fig-snr"}, "image": {"alt": "Histogram of the signal-to-noise ratio, from about 10 to 60 decibels"}}
ratio = audiopg.signal_to_noise(params[:200])
plots.histograms({"signal-to-noise ratio (dB)": ratio})
plt.show()
print(
    f"median {ratio.median():.0f} dB, "
    f"middle half {ratio.quantile(0.25):.0f} to "
    f"{ratio.quantile(0.75):.0f} dB"
)

# %% [markdown]
# ## Narrow and wide, sparse and crowded
#
# Table 4 of the paper keeps all parts and changes two distributions of {eq}`eq-prior`: that of the
# fundamental frequency ({numref}`fig-sensitivity-f0`) and that of the number of events
# ({numref}`fig-sensitivity-events`). The numbers of events are the paper's. Neither the text of the
# paper that we could read nor the released code says what "narrow" and "wide" are in Hz. We chose 200 to
# 1,000 Hz and 20 to 4,000 Hz.

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

# %% mystnb={"figure": {"caption": "Clip 27 of seed 0 under the five settings of Table 4. In each range the fundamental lies equally far between the lowest and the highest value. So it is lower with the narrow range and higher with the wide one.", "name": "fig-sensitivity-wall"}, "image": {"alt": "Five log-mel spectrograms of one clip: three events of two or three lines each, lower with the narrow range and higher with the wide one; then a single short event near the end; then many short ones"}}
plots.spectrogram_wall(log_mel(varied), list(settings), columns=3)
plt.show()

# %% mystnb={"figure": {"caption": "The fundamental frequency of 2,000 clips under three settings.", "name": "fig-sensitivity-f0"}, "image": {"alt": "Three histograms on one axis: high between 200 and 1,000 Hz, two fifths as high from 50 to 2,000 Hz, low and flat from 20 to 4,000 Hz"}}
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

# %% mystnb={"figure": {"caption": "The number of events of 2,000 clips under three settings.", "name": "fig-sensitivity-events"}, "image": {"alt": "Three histograms on one axis: all clips at one event, equal bars from one to five, equal bars from five to ten"}}
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
# Crowded clips differ from the default in two ways at once: they have more events, and shorter ones.
#
# ## What it means
#
# Taking a part away makes the clips neither shorter nor fewer. It changes *what must be known to predict
# them*. In a sine clip, a network can fill in a hidden patch by continuing a line. With events it must
# know when they end. With damping it must know how spectra tilt. It cannot predict noise at all.
#
# What is uncertain: the paper names the four rows but not their exact settings. Its Table 3 calls the
# steps "Freq.", "Timbre", "Dyn." and "Filter". We take each label for what one of our presets adds. The
# released code has no switch for the rows. In its training, as in ours, a clip is damped with a
# probability of 0.7, and every clip is scaled to a peak of 1.
#
# ### Which step is worth most?
#
# Pre-train a network on each preset, then test it on real recordings: dogs, rain, sirens. Which step
# raises its accuracy most: partials (`harmonic`), events and envelopes (`dynamic`), or damping and noise
# (`full`)? And do the ranges of Table 4 matter: is wide better than narrow, are many events better than
# one?
#
# Write down your guesses, each with a reason. Then see what our runs say, and how sure they are: of the
# first question in {numref}`fig-curricula` in [chapter 5](05_ablations.ipynb#the-experiment-recorded),
# of the second in [a table](05_ablations.ipynb#how-wide-how-many) there.
#
# ### Change this
#
# 1. Separate the two ways in which crowded clips differ: draw single events as short as the crowded
#    ones, with `audiopg.SynthPrior.preset("full", events=(1, 1), event_length=(0.5, 2.0))`. What does
#    the wall of spectrograms look like then?
# 2. Ask for nonsense: `audiopg.SynthPrior.preset("full", f0=(50, 9000))`.
#
# ```{dropdown} What you might find
# 1. Mostly noise floor. Single events are now about as short as crowded ones. But besides number and length,
#    a third thing differs: how much of a clip is sound. It is harder than it seems to find two settings that differ in only one way.
# 2. You get an error of one sentence, which names the field and its range. In a sampled sound, a
#    frequency above half the sample rate cannot be told from one below it.
# ```
