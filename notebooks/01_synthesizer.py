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
# # The synthesizer
#
# *Can a page of arithmetic make sounds varied enough to learn hearing from?*
#
# The paper pre-trains on no recording at all. Every sound comes from a small generator whose parts
# are old friends of electronic music: oscillators, envelopes, a filter, noise. What is new is the
# use. Each clip is drawn at random, heard once by the network, and never stored. This chapter opens
# the generator, and lets you turn its knobs.

# %%
import matplotlib.pyplot as plt
import torch

import audiopg
from audiopg import plots, widgets

plots.use_style()

# %% [markdown]
# ## One clip
#
# A clip $x(t)$ of 10.24 seconds is a source $s(t)$ over a noise floor $\eta(t)$ of level $\lambda$,
# brought to a peak of 1 (Section 3.1 of the paper):
#
# $$
# x(t) = \operatorname{normalise}\bigl[\, s(t) + \lambda\, \eta(t) \,\bigr]
# $$ (eq-clip)
#
# The source is a handful of events, $i = 1 \ldots N$. Each is a tone $u_i(t)$ of amplitude $a_i$
# shaped by an envelope $e_i(t)$, with perhaps a burst of noise $b_i(t)$ at its onset. All of them
# pass one low-pass filter, which stands for the damping of a real body:
#
# $$
# s(t) = \operatorname{damp}_{f_c}\Bigl[\, \sum_{i=1}^{N} a_i\, e_i(t)\, u_i(t) + b_i(t) \,\Bigr]
# $$ (eq-source)
#
# In the library this is two calls. A *prior* is the set of distributions that the factors are drawn
# from; it gives a table of factors, one row a clip. Rendering turns the table into sound.

# %%
prior = audiopg.SynthPrior.preset("full")
params = prior.sample(torch.arange(4), seed=0)
waves = audiopg.render(params)
widgets.players(
    waves, [f"preset full, seed 0, clip {clip}" for clip in range(4)]
)

# %% mystnb={"figure": {"caption": "Clip 1 of seed 0. Top: the waveform, and the envelopes of its events drawn over it. Middle: the log-mel spectrogram, which is all that the network will see. Bottom: the spectrum of the whole clip.", "name": "fig-clip"}, "image": {"alt": "Waveform with envelopes, log-mel spectrogram and spectrum of one synthetic clip"}}
plots.clip_panel(params[1:2])
plt.show()

# %% [markdown]
# ## Turn the knobs
#
# A row of the table is a complete description of a sound, so a knob is an edit of the row. The
# sliders below work in this page as it stands. In JupyterLab the same cell is a full control panel,
# with a slider for every factor and a button that surprises you.

# %% tags=["nbval-ignore-output"]
widgets.explorer(preset="full", seed=0, clip=1)

# %% [markdown]
# ## Three ways to make a tone
#
# **Harmonic.** A sum of up to 15 partials, each a little out of tune, their strengths falling as a
# power of their number. A string, a pipe, a voice held on one note are all roughly this.
#
# $$
# u(t) = \sum_{k=1}^{K} w_k\, k^{-\gamma} \sin\bigl(2\pi k (1 + \delta_k) f_0 t + \varphi_k\bigr)
# $$ (eq-harmonic)
#
# **Frequency modulation.** One sine shakes the phase of another. With ratios $r$ that are not whole
# numbers the result is a bell.
#
# $$
# u(t) = \sin\bigl(2\pi f_0 t + \beta \sin(2\pi r f_0 t)\bigr)
# $$ (eq-fm)
#
# **Pulses.** A sawtooth or a square wave: buzzing, dense in partials, like a motor or a reed.
#
# To hear only the excitation, take the `harmonic` preset, which has no events, envelopes, damping
# or noise, and set the excitation by hand.

# %%
steady = audiopg.SynthPrior.preset("harmonic").sample(
    torch.tensor([7] * 4), seed=0
)
kinds = torch.arange(4)[:, None]
excitations = steady.edit(
    excitation=kinds, f0=220.0, fm_ratio=1.5, fm_index=4.0
)
names = ["harmonic", "frequency modulation", "sawtooth", "square"]
widgets.players(
    audiopg.render(excitations)[:, :48000],
    [f"{name}, 220 Hz" for name in names],
)

# %% mystnb={"figure": {"caption": "The four excitations at 220 Hz. Partials are horizontal lines; the fainter lines between those of the pulses are partials folded back at the Nyquist frequency, which the paper's naive waveforms do not avoid.", "name": "fig-excitations"}, "image": {"alt": "Four log-mel spectrograms of steady tones: evenly spaced horizontal lines that differ in number and strength"}}
mels = audiopg.LogMel()(audiopg.render(excitations))
plots.spectrogram_wall(mels, names, columns=2)
plt.show()

# %% [markdown]
# ## From tone to event
#
# An envelope makes a tone begin and end: it rises in the *attack*, falls in the *decay* to the
# *sustain* level, and dies away in the *release*. The times are shares of the event's length, so a
# long event is a slow one. A burst of white noise of 10 to 100 ms at the onset is the click of a
# hammer or the scrape of a bow.
#
# Below, one event of a second and a half: first with a slow attack, then with a fast one, then with a burst
# as well, and at last damped.

# %%
row = audiopg.SynthPrior.preset("dynamic").sample(torch.tensor([3]), seed=0)
plain = row.edit(
    event_count=1,
    onset=0.2,
    length=1.5,
    excitation=0,
    f0=180.0,
    burst_amplitude=0.0,
)
slow = plain.edit(attack=0.5, decay=0.2, release=0.3)
fast = plain.edit(attack=0.01, decay=0.3, release=0.69)
struck = fast.edit(burst_amplitude=1.5, burst_length=0.03)
damped = struck.edit(cutoff=500.0)
stages = {
    "slow attack": slow,
    "fast attack": fast,
    "fast attack and burst": struck,
    "the same, damped at 500 Hz": damped,
}
stage_waves = torch.cat(
    [audiopg.render(stage) for stage in stages.values()]
)
widgets.players(stage_waves[:, :32000], list(stages))

# %% mystnb={"figure": {"caption": "The first two seconds of the four events. The burst is a vertical stripe; the damping dims what lies above 500 Hz.", "name": "fig-events"}, "image": {"alt": "Four log-mel spectrograms of one event with slow attack, fast attack, burst, and damping"}}
mels = audiopg.LogMel()(stage_waves)[:, :192]
plots.spectrogram_wall(mels, list(stages), columns=2)
plt.show()

# %% [markdown]
# ## The same clip, for ever
#
# Random sounds are awkward for science: a run cannot be repeated, a clip cannot be cited, and two
# machines that share the work must agree on who draws what. Here every random number comes from a
# counter-based generator {cite}`salmon2011`: a function that turns an address, (seed, clip, factor,
# event), into random bits. So clip $i$ of seed $s$ is a pure function of $(s, i)$, in any batch, in
# any order, on any machine.

# %%
together = prior.sample(torch.arange(1000), seed=0)
alone = prior.sample(torch.tensor([617]), seed=0)
print(f"clip 617 drawn among 1,000: f0 = {together.f0[617, 0]:.6f} Hz")
print(f"clip 617 drawn alone:       f0 = {alone.f0[0, 0]:.6f} Hz")
same = torch.equal(
    audiopg.render(together[610:620])[7], audiopg.render(alone)[0]
)
print(f"the same bits in every one of its samples: {same}")

# %% [markdown]
# ## What it means
#
# None of these parts knows anything about dogs, rain or speech. Together they make onsets and
# decays, stable and inharmonic spectra, bright and dull, dense and sparse: the vocabulary that
# spectrograms of real sounds are written in. Whether the vocabulary is enough is the question of
# the chapters that follow.
#
# What is uncertain: the paper's formulas and its released code differ in places. The code draws the
# roll-off anew for each partial, cuts events out of one long tone, and puts one burst anywhere in a
# clip. We follow the formulas: one roll-off a clip, an event's time counts from its own onset, and
# a burst belongs to an onset.
#
# ### Change this
#
# 1. Set `f0` of `slow` to 60 Hz and `cutoff` to 300 Hz. What does it remind you of?
# 2. Give the events of a clip their own tones: `audiopg.SynthPrior.preset("full",
#    shared_source=False)`. Is it easier or harder to count them?
#
# ```{dropdown} What you might find
# 1. A low hum with a slow swell: machinery behind a wall. Most of what makes a sound *mechanical*
#    is a low fundamental with many partials under a low-pass.
# 2. Easier: events of different pitch separate where equal ones fuse. The paper's curriculum is
#    "predominantly monophonic", so the network rarely meets mixtures of different sources.
# ```
