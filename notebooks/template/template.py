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
# # How much of a clip is sound?
#
# *One question, in a sentence that a stranger understands.*
#
# This is the template of a chapter: a small experiment that is complete. Copy both files, give them a
# number and a name, add the chapter to `_toc.yml`, and replace everything. A chapter opens with its
# question and two or three sentences on why one should care. Here: the paper's Table 4 compares
# clips of one event with clips of ten. If the latter also sounded for longer, there would be two
# explanations for every difference in accuracy.

# %%
import matplotlib.pyplot as plt
import torch

import audiopg
from audiopg.book import plots, widgets
from audiopg.records import paper_table
from audiopg.synth import CLIP_SECONDS, SENSITIVITY

plots.use_style()

# %% [markdown]
# ## The equation, with its terms named
#
# Event $i$ sounds from its onset $t_i$ for $\ell_i$ seconds. The share $q$ of a clip of $T$ seconds
# in which at least one of its $N$ events sounds is the length of their union:
#
# $$
# q = \frac{1}{T} \Bigl| \bigcup_{i=1}^{N} [t_i,\, t_i + \ell_i] \Bigr|
# $$ (eq-template-share)
#
# Labels of equations and figures are unique in the whole book, so that {eq}`eq-template-share` and
# {numref}`fig-template-shares` lead there from any page. Symbols are those of the notation page; words
# that have an entry in the glossary are not explained again.
#
# ## Short code
#
# A cell fits the screen. What is longer belongs into `audiopg`, with a test. What depends on the
# scale says so in one call, `audiopg.at_scale`.

# %%
n_clips = audiopg.at_scale(smoke=500, paper=5000)
times = torch.linspace(0, CLIP_SECONDS, 1025)[:, None, None]
shares = {}
for name, overrides in SENSITIVITY.items():
    prior = audiopg.SynthPrior.preset("full", **overrides)
    params = prior.sample(torch.arange(n_clips), seed=0)
    sounds = (params.onset <= times) & (
        times < params.onset + params.length
    )
    shares[name] = (sounds & params.event_mask).any(-1).float().mean(0)

# %% [markdown]
# ## Something to hear, something to see
#
# Every sound has a text label, every figure a caption, a name and an alternative text for those who
# cannot see it. Figures take their colours from `plots.PALETTE` and suit light and dark pages. Colour
# never says anything alone.

# %%
chosen = ["1 event", "5-10 events"]
waves = [
    audiopg.render(
        audiopg.SynthPrior.preset("full", **SENSITIVITY[name]).sample(
            torch.tensor([27]), seed=0
        )
    )[0]
    for name in chosen
]
widgets.players(waves, [f"{name}, seed 0, clip 27" for name in chosen])

# %% mystnb={"figure": {"caption": "The share of a clip that sounds, for clips of one event and of five to ten.", "name": "fig-template-shares"}, "image": {"alt": "Two histograms on one axis: clips of one event are spread evenly from nearly 0 to 1, clips of five to ten events lie about the middle"}}
plots.histograms(
    {f"share that sounds, {name}": shares[name] for name in chosen},
    shared=True,
)
plt.show()

# %% [markdown]
# ## The paper's number beside ours
#
# A number of the paper comes from `paper_table`. A number of ours comes from the cell that computes
# it, as here, or from a record in `results/` that a run wrote: `audiopg.records.read_record`, or
# `audiopg.book.experiments.outcome_table`, which says "not run yet" where there is none. Never from prose.

# %%
beside = paper_table("table_4")
beside["share that sounds (ours)"] = [
    f"{shares[name].mean():.2f}" for name in beside.index
]
beside

# %% [markdown]
# A cell whose output rests on what another reader may not have, such as recordings or seconds, has
# the tag `nbval-ignore-output`. All other outputs are compared with the stored ones by `make test`,
# so print no more digits than are stable.
#
# ## What it means
#
# Say what the experiment has shown, and what it has not. Here: on average all settings fill equally
# much of a clip, so that cannot be what their accuracies follow. What differs is the spread: single
# events may fill a whole clip or next to nothing of it.
#
# What is uncertain: name it in every chapter. Here: an event that is damped, or has died away to
# nearly nothing, counts in {eq}`eq-template-share` like any other.
#
# ### Change this
#
# 1. Something that can be done by changing one line: count clips of which more than nine tenths sound.
# 2. Something that may surprise: set `event_length=(0.5, 1.0)` for the single events.
#
# ```{dropdown} What you might find
# 1. `(shares["1 event"] > 0.9).float().mean()`. An answer says what to expect, not what to think.
# 2. Hardly any of the clip sounds; the noise floor is what the network mostly hears.
# ```
