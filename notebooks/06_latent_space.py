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
# # What the latent space knows
#
# *The paper reads pitch from its embedding with $R^2 = 0.99$. Was that learned, or can it be computed
# from any spectrogram?*
#
# The synthesizer knows the truth about each clip: its pitch, its loudness over the noise, its onset.
# So we can ask an encoder about these factors. The paper finds single neurons that track pitch, and a
# nearly perfect linear read-out (Section 4.4). This chapter asks the same of the trained encoder and
# of three controls: an untrained network, no network at all, and a network that learned from
# recordings.

# %%
import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

import audiopg
from audiopg.analysis import (
    Ablation,
    FactorInformation,
    SubspaceAngles,
    ablate,
    clip_factors,
    factor_direction,
    factor_information,
    mutual_information,
    ridge_comparison,
    short_clips,
    traverse,
)
from audiopg.book import plots, widgets
from audiopg.pretrained import load_model
from audiopg.records import paper_table, read_record, read_table, unpack
from audiopg.synth import SAMPLE_RATE, vary
from audiopg.transfer import log_mel_statistics

plots.use_style()

# %% [markdown]
# ## What is mutual information?
#
# A *neuron* is one dimension of the embedding. Suppose you know how strongly a neuron responds to a
# clip that you have not heard. How much less unsure are you now about the pitch of that clip? *Mutual
# information* answers with a number, in nats (one nat is 1.44 bits):
#
# $$
# I(z; g) = \iint p(z, g) \log \frac{p(z, g)}{p(z)\, p(g)} \, dz \, dg
# $$ (eq-information)
#
# Here $z$ is the activation of the neuron and $g$ is the pitch. The density $p(z, g)$ says how often
# the two occur together, and $p(z)\,p(g)$ how often they would if they were independent. If these two
# densities are equal everywhere, the neuron tells nothing about the pitch. One nat makes the range of
# possible pitches about 2.7 times as narrow.
#
# Correlation asks something narrower: how well a *straight line* relates the two quantities. Here are
# four made-up pairs.

# %% mystnb={"figure": {"caption": "Four pairs of 2,000 samples each. Correlation detects only the first; mutual information detects all but the last.", "name": "fig-toys"}, "image": {"alt": "Four scatter plots: a blurred rising line, a blurred parabola, a ring, and a shapeless cloud"}}
generator = torch.Generator().manual_seed(0)
x, noise = torch.randn(2, 2000, generator=generator, dtype=torch.float64)
angle = 6.2832 * torch.rand(2000, generator=generator)
pairs = {
    "a line": (x, x + 0.5 * noise),
    "a parabola": (x, x**2 + 0.5 * noise),
    "a ring": (angle.cos() + 0.1 * x, angle.sin() + 0.1 * noise),
    "nothing": (x, noise),
}
figure, axes = plt.subplots(1, 4, figsize=(plots.WIDTH, 2))
for axis, (name, (a, b)) in zip(axes, pairs.items(), strict=True):
    axis.scatter(a, b, s=2, color=plots.PALETTE["blue"], linewidths=0)
    axis.set(title=name, xticks=[], yticks=[])
plt.show()

# %%
pd.DataFrame(
    {
        name: {
            "correlation": torch.corrcoef(torch.stack((a, b)))[0, 1].item(),
            "information (nats)": mutual_information(a[:, None], b)[
                0
            ].item(),
        }
        for name, (a, b) in pairs.items()
    }
).T.round(2)

# %% [markdown]
# ## How it is estimated
#
# The integral needs densities, but we have samples. The estimator of Kraskov and others
# {cite}`kraskov2004` needs no densities and no bins. Around each of the $n$ samples it draws a square
# that just reaches the $k$-th nearest neighbour. Then it counts the samples in two strips through the
# square: $n_z$ in the vertical strip, $n_g$ in the horizontal one.
#
# If the two quantities are related, the $k$ neighbours are close along both axes. So the square is
# small, and so are the counts. If the quantities are unrelated, the square must be large to hold $k$
# samples, and the counts are large too.
#
# $$
# \hat I = \psi(k) + \psi(n) - \bigl\langle \psi(n_z + 1) + \psi(n_g + 1) \bigr\rangle
# $$ (eq-kraskov)
#
# $\psi$ is the digamma function, close to a logarithm, and $\langle\cdot\rangle$ is the mean over all
# samples. We take $k = 3$ throughout, as is usual. Each axis is first divided by its standard
# deviation, so units do not matter.

# %% mystnb={"figure": {"caption": "The estimator at one sample (orange) of the ring. The square reaches to its third neighbour; each strip holds the samples counted along one axis.", "name": "fig-neighbourhood"}, "image": {"alt": "A ring of dots with one marked; a small square around it, a blue vertical and an orange horizontal strip through it, each holding some of the other dots"}}
a, b = (values[:150] for values in pairs["a ring"])
here, blue, orange = 7, plots.PALETTE["blue"], plots.PALETTE["vermilion"]
across, along = (a - a[here]).abs(), (b - b[here]).abs()
reach = torch.maximum(across, along).sort().values[3].item()
figure, axis = plt.subplots(figsize=(4.2, 3.72))
for span, place, distance, colour, name in (
    (axis.axvspan, a[here].item(), across, blue, "n_z"),
    (axis.axhspan, b[here].item(), along, orange, "n_g"),
):
    count = (distance < reach).sum().item() - 1
    label = f"${name}$ = {count}"
    ends = place - reach, place + reach
    span(*ends, color=colour, alpha=0.3, linewidth=0, label=label)
square = plt.Rectangle(
    (a[here] - reach, b[here] - reach),
    2 * reach,
    2 * reach,
    fill=False,
    edgecolor=plots.PALETTE["grey"],
    linewidth=1.5,
    zorder=3,
    label="reaches to neighbour 3",
)
axis.add_patch(square)
axis.scatter(a, b, s=10, color=plots.PALETTE["grey"], linewidths=0)
axis.scatter(a[here], b[here], s=40, color=orange, zorder=4)
axis.set(xlabel="$z$", ylabel="$g$", aspect="equal")
figure.legend(loc="outside upper left", ncols=3, fontsize="small")
plt.show()

# %% [markdown]
# For two Gaussian quantities of correlation $c$ the true value is $-\tfrac12 \log(1 - c^2)$. No estimate
# here misses it by more than 0.02 nats, and with 10,000 samples the average miss is smallest.

# %%
x, noise = torch.randn(2, 10_000, generator=generator, dtype=torch.float64)
table = {}
for correlation in (0.0, 0.5, 0.9, 0.99):
    y = correlation * x + (1 - correlation**2) ** 0.5 * noise
    table[correlation] = {
        "truth (nats)": 0.5
        * torch.tensor(1 / (1 - correlation**2)).log().item(),
        **{
            f"{count:,} samples": mutual_information(
                x[:count, None], y[:count]
            )[0].item()
            for count in (300, 1000, 10_000)
        },
    }
table = pd.DataFrame.from_dict(table, orient="index").round(3)
table.rename_axis("correlation")

# %% [markdown]
# For unrelated quantities the estimate can be slightly *negative*. We keep such values, because
# cutting them at zero would make noise look like information.
#
# ## Clips with known factors
#
# This page uses 250 short clips, each with one event within 2.56 s, from a seed that no network was
# trained on. The recorded run below uses many more clips, of full length. All factors vary at once,
# and we ask about three of them:
#
# - the fundamental frequency, in octaves over 1 Hz;
# - the *relative intensity*, or intensity for short: the power of the source over that of the noise
#   floor, in decibels;
# - the onset of the first event, in seconds.
#
# Three "encoders" answer live: the trained network `tiny`, the same network untrained, and
# no network at all ("log-mel"). The last has only the mean and the deviation of each band of the
# log-mel spectrogram.

# %%
SECONDS = audiopg.at_scale(smoke=2.56, paper=10.24)
params = short_clips(audiopg.at_scale(smoke=250, paper=5000), SECONDS)
factors = clip_factors(params)
waves = torch.cat(
    [
        audiopg.render(params[first : first + 50])[
            :, : int(SECONDS * SAMPLE_RATE)
        ]
        for first in range(0, len(params), 50)
    ]
)
log_mel = audiopg.LogMel()
encoders = {
    "trained": audiopg.load_encoder("tiny"),
    "untrained": audiopg.Encoder.preset("tiny", class_token=False, seed=1),
}
embeddings = {
    **{
        name: encoder.embed(waves, native=True)
        for name, encoder in encoders.items()
    },
    "log-mel": torch.cat(
        [log_mel_statistics(log_mel(part)) for part in waves.split(50)]
    ),
}
for name, values in embeddings.items():
    print(f"{name}: {len(values):,} clips, {values.shape[1]} dimensions")

# %% mystnb={"figure": {"caption": "The three factors of these clips.", "name": "fig-asked"}, "image": {"alt": "Three histograms: log frequency rises towards the top octave, relative intensity is a broad hump, onsets are spread over the first two seconds"}}
UNITS = {
    "log f0": "log f0 (octaves)",
    "relative intensity": "relative intensity (dB)",
    "onset": "onset (s)",
}
plots.histograms({UNITS[name]: v for name, v in factors.items()})
plt.show()

# %% [markdown]
# The recorded run adds a fourth encoder: the smaller network `mini`, which learned from recordings
# (city sounds and spoken words).

# %%
record = read_record("analysis-tiny")
settings, found = record["settings"], record["metrics"]
(recordings,) = settings["beside"]
NAMES = {
    "this encoder": "trained",
    "random encoder": "untrained",
    "raw log-mel": "log-mel",
    recordings: "recordings",
}


def recorded(name):
    """A table of the recorded run, its embeddings under short names."""
    return read_table(found[name]).replace({"embeddings": NAMES})


def recorded_figures(kind, name):
    """What an analysis of the recorded run found, by encoder."""
    parts = found["packed"][name]
    return {
        short: {
            factor: unpack(kind, part)
            for factor, part in parts[encoder].items()
        }
        for encoder, short in NAMES.items()
    }


print("what is analysed:", record["data"])
print(record["device"])
print(f"{record['date']}, commit {record['commit']}")
heard = settings["heard"][recordings]
print(f"the encoder of recordings heard {heard['clips']:,} windows")
print(f"of {heard['of']}")

# %% [markdown]
# This encoder of recordings is an earlier one than that of chapter 5: it also heard the few recordings
# that ESC-10 and UrbanSound8K share. Here, where only synthetic clips are analysed, that does not
# matter.
#
# ## One neuron at a time
#
# How much does each neuron by itself tell about pitch? Among many neurons the best one looks good by
# luck alone. To measure that luck, we shuffle the pitches among the clips 100 times (200 in the
# recorded run), and note the *maximum* over all neurons each time. The *chance level* is the value
# that 95 % of these maxima stay below.

# %% mystnb={"figure": {"caption": "Live: information of each dimension about log f0, in descending order. Dotted: the chance level of the trained encoder.", "name": "fig-information"}, "image": {"alt": "Three falling curves of mutual information over dimensions, which begin above a dotted line for chance and cross it"}}
trained = factor_information(
    embeddings["trained"],
    factors["log f0"],
    permutations=audiopg.at_scale(smoke=100, paper=200),
    cached=True,
)
curves = {
    name: mutual_information(values, factors["log f0"])
    for name, values in embeddings.items()
}
plots.information_bars(curves, trained.threshold, "log f0")
plt.show()

# %% [markdown]
# Here are the best neurons of the trained encoder. The p-value accounts for all neurons together. The
# 95 % interval comes from how far estimates on disjoint parts of the clips differ.

# %%
trained.table(5).round(3)

# %% [markdown]
# ### Turn through the neurons
#
# The slider shows four neurons for each factor: its most informative ones, except those already chosen
# for an earlier factor. A dot is a clip, the line a running median. If a neuron responded to a single
# factor, only one of its panels would show a slope.

# %% tags=["nbval-ignore-output"]
information = {
    name: mutual_information(embeddings["trained"], values)
    for name, values in factors.items()
}
chosen = {}
for factor, values in information.items():
    ranked = values.argsort(descending=True).tolist()
    new = [neuron for neuron in ranked if neuron not in chosen]
    chosen |= dict.fromkeys(new[:4], factor)


def panels(activation):
    """A neuron over each factor; the line is the median of 25 parts."""
    size = plots.WIDTH, 0.45 * plots.WIDTH
    figure, axes = plt.subplots(1, len(factors), sharey=True, figsize=size)
    for axis, (name, values) in zip(axes, factors.items(), strict=True):
        axis.scatter(
            values, activation, 4, plots.PALETTE["sky"], linewidths=0
        )
        medians = [
            (values[part].quantile(0.5), activation[part].quantile(0.5))
            for part in values.argsort().tensor_split(25)
        ]
        orange = plots.PALETTE["vermilion"]
        axis.plot(*zip(*medians, strict=True), color=orange, linewidth=2)
        axis.set_xlabel(UNITS[name], fontsize="small")
    axes[0].set_ylabel("activation")
    return figure


shown, alts = {}, []
for neuron, factor in chosen.items():
    nats = ", ".join(
        f"{information[name][neuron]:.2f} on {name}" for name in factors
    )
    figure = panels(embeddings["trained"][:, neuron])
    figure.suptitle(f"neuron {neuron}: nats {nats}")
    shown[f"{neuron}, chosen for {factor}"] = figure
    alts.append(f"Neuron {neuron} over three factors; nats {nats}")
widgets.figure_sweep("neuron", shown, alts)

# %% [markdown]
# ### The recorded run
#
# The table shows the best neuron for each factor and encoder. p comes from the first 1,000 clips only.
# Fewer clips show less, so p is more likely too large than too small.

# %%
best = recorded("neurons").groupby(["factor", "embeddings"]).first()
rows = [(factor, name) for factor in factors for name in NAMES.values()]
best = best.loc[rows].round(3)
best[["dimension", "information", "low", "high", "p"]].rename(
    columns={"dimension": "neuron", "information": "nats"}
)

# %% mystnb={"figure": {"caption": "The recorded run: information of each dimension about log f0, in descending order. Dotted: the highest of the four chance levels.", "name": "fig-recorded-information"}, "image": {"alt": "Four falling curves of mutual information over dimensions that begin above a dotted line for chance and cross it"}}
singles = recorded_figures(FactorInformation, "information")
plots.information_bars(
    {name: found["log f0"].information for name, found in singles.items()},
    max(found["log f0"].threshold for found in singles.values()),
    "log f0",
)
plt.show()

# %% [markdown]
# How much of a best neuron's estimate is the luck of the choice? A neuron that is chosen as best on some
# clips tends to have too high an estimate on these clips. Another recorded run divides 2,500 clips ten
# times at random into two halves. The ten neurons that tell most in one half ("as chosen") are asked
# again in the other half, which has as many clips. The table averages over ten neurons and ten
# divisions; ± is the standard deviation over the divisions. Then the same neurons are asked about only
# 400 of the clips on which they were chosen. The last column counts the divisions in which one neuron is
# the best of all in both halves.

# %%
choices = read_record("bench-choice")["metrics"]
luck = {}
for factor, name in itertools.product(factors, choices):
    each = choices[name][factor]
    luck[factor, name] = {
        "as chosen": f"{np.mean(each['as chosen']):.3f}",
        "on other clips": f"{np.mean(each['on other clips']):.3f} "
        f"± {np.std(each['on other clips'], ddof=1):.3f}",
        "on 400 of the clips": f"{np.mean(each['on few of the clips']):.3f}",
        "same best neuron": f"{sum(each['kept'])} of {len(each['kept'])}",
    }
pd.DataFrame.from_dict(luck, orient="index")

# %% [markdown]
# For intensity the luck of the choice is small. For pitch it is a twelfth of the nats in the trained
# encoder, and a sixth in log-mel. For the onset it is a quarter in the trained encoder, and most of what
# the other two seem to tell. Fewer clips also show less by themselves. From 400 clips the best neurons
# of the untrained network tell a third less about pitch, although neurons and clips are the same. So
# only estimates from equally many clips can be compared.
#
# A single neuron is less certain still. The best neuron is rarely the same in both halves, except in
# log-mel for intensity. So the *index* of a best neuron, such as the paper's 343, is a fact about one
# set of clips.
#
# In the table of best neurons, every encoder but the one that heard recordings tells more about
# intensity than about pitch.
#
# Where p is 1 in 201, the smallest that 200 shuffles allow, the neuron very likely tells something
# about the factor. But *training* need not have put it there: for pitch and intensity the untrained
# network and log-mel reach this p, too.
#
# ### One factor at a time
#
# The paper's best neuron for pitch has 1.73 nats; ours has a seventh of that. Perhaps the paper varied
# one factor at a time in the clips of its analysis; it does not say. So we compare two sets of a hundred
# clips for each factor. In the first, all factors move. The second copies one clip, down to the noise
# samples, and only the factor in question takes the values that it has in the first. (The event of this
# clip has a fixed length, so onsets are scaled to what leaves room for it.) Here is the best neuron's
# information, in nats:

# %%
FEW = audiopg.at_scale(smoke=100, paper=5000)
still = params[:1]
# Onsets of this page, for an event as long as the one that stands still.
share = (params.onset / (SECONDS - params.length))[:FEW, 0]
moves = {
    "log f0": ("f0", params.f0[:FEW, 0]),
    "relative intensity": (
        "signal_to_noise",
        factors["relative intensity"][:FEW],
    ),
    "onset": ("onset", share * (SECONDS - still.length[0, 0])),
}
controlled = {}
for name, (moving, values) in moves.items():
    moved = vary(still, moving, values)
    heard = torch.cat(
        [
            audiopg.render(moved[first : first + 50])[
                :, : int(SECONDS * SAMPLE_RATE)
            ]
            for first in range(0, len(moved), 50)
        ]
    )
    truth = clip_factors(moved)[name]
    for short, encoder in encoders.items():
        answers = encoder.embed(heard, native=True)
        controlled[name, short] = mutual_information(answers, truth).max()

# %%
natural = {
    (name, short): mutual_information(
        embeddings[short][:FEW], values[:FEW]
    ).max()
    for name, values in factors.items()
    for short in encoders
}
pd.DataFrame(
    {
        "all factors move": natural,
        "only this one moves": controlled,
    }
).astype(float).round(2)

# %% [markdown]
# If only one factor moves, every change in the clip comes from this factor. So a neuron that responds to
# *any* change tells about it. The numbers become several times as large, and reach the size of the
# paper's. (With 100 clips the estimate cannot exceed about 3.7 nats.) The untrained network's numbers
# rise too; for intensity they are about as high, and for the onset higher. So a figure such as the
# paper's 1.73 means little unless one knows what else varied, and what an untrained network gets on the
# same clips.
#
# ## A neuron of its own?
#
# If a factor had one neuron to itself, the best neuron would be far ahead of the second. The *mutual
# information gap* {cite}`chen2018` is this lead in nats, as a share of the factor's entropy:
#
# $$
# \mathrm{MIG} = \frac{I(z_{(1)}; g) - I(z_{(2)}; g)}{H(g)}
# $$ (eq-gap)
#
# where $z_{(1)}$ and $z_{(2)}$ are the two best neurons for the factor $g$, and $H(g)$ is its
# entropy. The entropy of a continuous factor depends on how it is cut into bins, and the paper does
# not say how it did that. The table has three gaps:
#
# - "information": the gap in Kraskov's estimate, divided by the entropy of 20 bins;
# - "binned information": the same, but the information is estimated by counting in 20 bins of the
#   factor and 20 of the neuron (the standard form, {cite}`locatello2019`);
# - "R²": the gap in the $R^2$ of single neurons (SAP, {cite}`kumar2018`).

# %%
gaps = recorded("gaps").pivot(
    index=["factor", "embeddings"], columns="gap in", values="gap"
)
gaps = gaps[["information", "binned information", "R²"]].loc[rows]
gaps.round(3)

# %% [markdown]
# Another score uses forests of decision trees (DCI, {cite}`eastwood2018`). *Disentanglement* is 1 if
# every neuron serves one factor. *Completeness* is 1 if every factor needs one neuron.
# *Informativeness* is the $R^2$ of the forest on held-out clips.

# %%
recorded("dci").set_index(["embeddings", "factor"]).round(2)

# %% [markdown]
# For pitch and intensity no network is ahead of log-mel in any of the three scores. And log-mel learned
# nothing.
#
# Gaps near zero are not bad news by themselves. The paper calls its own gaps "low" and reads them as
# a distributed code, in which many neurons know a little. But a random projection of anything is also
# distributed.
#
# ## All neurons together
#
# A ridge regression reads a factor from the whole embedding. It is fitted and tuned on three quarters
# of the clips. $R^2$ is the share of variance that it explains on the rest, averaged over five random
# splits. The interval is a bootstrap of the first split alone, so the average can lie outside it.

# %%
live = ridge_comparison(embeddings, factors).table()


def readable(table):
    """R² with its interval, a row an encoder, a column a factor."""
    text = table.apply(
        lambda row: (
            f"{row['R²']:z.2f} ({row['low']:z.2f}–{row['high']:z.2f})"
        ),
        axis=1,
    )
    return text.unstack("factor")[list(factors)]


readable(live).loc[list(embeddings)]

# %% [markdown]
# The recorded run, on clips of full length:

# %%
ridge = recorded("ridge").set_index(["embeddings", "factor"])
readable(ridge).loc[list(NAMES.values())]

# %% mystnb={"figure": {"caption": "The recorded run: held-out R² of each factor, with its standard deviation over five splits.", "name": "fig-ridge"}, "image": {"alt": "Three groups of four bars, one bar an encoder: the trained encoder's are the highest for pitch and intensity, not for the onset, where log-mel's is low"}}
means, spreads = (
    {
        factor: {
            name: ridge.loc[(name, factor), column]
            for name in NAMES.values()
        }
        for factor in factors
    }
    for column in ("R²", "standard deviation")
)
plots.grouped_bars(means, "held-out R²", spreads)
plt.show()

# %% [markdown]
# What can be read from log-mel or an untrained network was in the input already. Only what the trained
# network adds was learned. On the few short clips of the first table, log-mel reads pitch as well as the
# trained network does; in the recorded run the network is ahead. Log-mel knows little of the onset,
# because an average over time cannot say when something happened. The tokens of a network are averaged
# over time too, but each of them carries its position.
#
# ### Where in the network?
#
# Here the tokens are averaged before the first block and after each block:

# %% mystnb={"figure": {"caption": "The recorded run: held-out R² of each factor by layer, on 1,000 of the clips.", "name": "fig-layers"}, "image": {"alt": "Three panels, one a factor, each with two curves over thirteen layers and a shorter one over seven"}}
depths = {
    short: recorded(f"layers of {encoder}")
    for encoder, short in NAMES.items()
    if f"layers of {encoder}" in found
}
looks = dict(
    zip(NAMES.values(), plt.rcParams["axes.prop_cycle"], strict=False)
)
figure, axes = plt.subplots(
    1, 3, figsize=(plots.WIDTH, 2.8), sharey=True, sharex=True
)
for axis, factor in zip(axes, factors, strict=True):
    for name, table in depths.items():
        values = table[table["factor"] == factor]["R²"]
        axis.plot(range(len(values)), values, label=name, **looks[name])
    axis.set_title(factor, fontsize="small")
axes[0].set_ylabel("held-out R²")
figure.supxlabel("layer", fontsize="medium")
figure.legend(
    *axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=3
)
plt.show()

# %% [markdown]
# In the trained network pitch is read better and better up to the ninth block, intensity up to the
# fifth. The onset is read best after the first block, and less well from there on.
#
# ### How much training does it take?
#
# The curve shows `mini` after more and more synthetic clips; its last point is the larger `tiny`. The
# separate point is `mini` after windows of recordings. The horizontal lines are log-mel and an
# untrained `tiny`. The values come from 1,000 of the 5,000 clips, and are a little lower than in the
# table of all clips.

# %% mystnb={"figure": {"caption": "The recorded run: held-out R² of the onset over the clips heard in pre-training, with its standard deviation over five splits of 1,000 clips.", "name": "fig-clips-heard"}, "image": {"alt": "A curve over the number of clips on a logarithmic axis, with one separate point for recordings and two horizontal lines"}}
curve = recorded("clips heard").set_index(["embeddings", "factor"])
plots.clips_curves(
    curve.xs("onset", level="factor"), "held-out R² of the onset"
)
plt.show()

# %%
table = curve.reset_index()
table["of"] = table["of"].where(
    table["of"] != "nothing", "none: " + table["embeddings"]
)
by_clips = table.pivot_table(
    index=["clips heard", "of"], columns="factor", values="R²"
)
by_clips[list(factors)].round(3)

# %% [markdown]
# On 1,000 clips, the $R^2$ of the onset rises with the number of clips that `mini` hears, and is low
# again for `tiny`. The two networks differ in size and in length of training. Which of these is the
# reason cannot be told here.
#
# ## How many directions are in use?
#
# *Principal components* are the directions in which the embeddings vary most, in descending order and
# at right angles. The paper finds 96.49 % of the variance in the first 20. In the paper's Figure 5, the
# first component has the most information about amplitude (here: intensity), the fifth the most about
# pitch. {numref}`fig-components` is the same kind of figure for our embeddings.

# %% mystnb={"figure": {"caption": "The recorded run, trained encoder, in the form of the paper's Figure 5: share of variance of each principal component, and its mutual information with each factor.", "name": "fig-components"}, "image": {"alt": "Above, a steeply falling curve of variance shares; below, three curves of mutual information over components, each with its own peaks"}}
components = recorded("components").set_index(["embeddings", "component"])
ours = components.loc["trained"]
plots.variance_shares(
    {"trained": ours["share of variance"]},
    ours[list(factors)].to_dict("list"),
)
plt.show()

# %%
pd.DataFrame(
    {
        name: {
            "variance in 20 components": f"{part['so far'].iloc[-1]:.1%}",
            **{
                f"{factor}: best component": f"PC {part[factor].idxmax()} "
                f"({part[factor].max():.2f} nats)"
                for factor in factors
            },
        }
        for name, part in components.groupby(level=0, sort=False)
        for part in [part.droplevel(0)]
    }
)

# %% [markdown]
# A few components that hold nearly all the variance are no evidence of learning: untrained features
# have them too. The paper says that the factors lie in orthogonal subspaces (Section 4.4). That
# principal components are orthogonal is no evidence of this: they are so by construction.
#
# To ask whether two factors are kept apart, we find a subspace for each factor on its own. We sort the
# clips by the factor. Three ridge regressions then predict, from the embedding, a clip's place in this
# order, the square of the place, and its cube. The weights of all three span the subspace. (As a factor
# grows, the embedding may follow a curve instead of a straight line. The square and the cube find the
# further directions of this curve.) The smallest angle between two subspaces is 0° if they share a
# direction, and 90° if they are orthogonal.
#
# The figure has the angle between every two factors, and between each factor and itself. The first
# subspace is found on one half of 2,500 clips, the second on the other half. For two different factors
# we also exchange the halves, and average the two angles. A small angle on the diagonal means that a
# factor's subspace is found again on other clips. *Chance* is the angle between two factors whose values
# were shuffled among the clips, found in the same way.

# %% mystnb={"figure": {"caption": "A recorded run, trained encoder: smallest angle between the subspaces of two factors. On the bar: the median of shuffled factors, and the middle 95 % of them.", "name": "fig-angles"}, "image": {"alt": "A three by three matrix of angles in degrees, smallest on the diagonal"}}
turned = read_record("bench-angles")["metrics"]
angles = {
    name: unpack(SubspaceAngles, packed)
    for name, packed in turned["packed"]["angles"].items()
}
plots.angle_matrix(angles["trained"])
plt.show()

# %%
couples = [
    f"{one} and {other}"
    for one, other in itertools.combinations(factors, 2)
]


def with_ends(figures):
    """Angles with the ends of the middle 95 % of their draws."""
    middle = figures.get("angle", figures["median"])
    ends = zip(middle, figures["low"], figures["high"], strict=True)
    return [
        f"{angle:.0f}° ({low:.0f}–{high:.0f})" for angle, low, high in ends
    ]


read_out = {}
for name, each in angles.items():
    smallest = each.angles[..., 0]
    low, high = each.chance_range[:, 0]
    between = smallest[np.triu_indices(3, 1)]
    mixed = turned["encoding"][name]["a factor and a shuffled one, read"]
    read_out[name] = {
        "the same factor, mean": f"{smallest.diagonal().mean():.0f}°",
        **{
            f: f"{angle:.0f}°"
            for f, angle in zip(couples, between, strict=True)
        },
        "two shuffled factors": f"{each.chance[0]:.0f}° ({low:.0f}–{high:.0f})",
        "a factor and a shuffled one": with_ends(mixed)[0],
    }
pd.DataFrame(read_out)

# %% [markdown]
# In each encoder, every two factors lie farther apart than nearly all shuffled ones. So far, the factors
# look well kept apart, but in the untrained network as much as in the trained one. And a factor lies
# about as far from a shuffled one, which tells nothing. The reason is what weights do. Those that read
# pitch must not respond to anything else that moves the embedding. In the networks they avoid the few
# directions in which it varies most, and what they use instead is different for each factor. The weights
# for a shuffled factor have nothing to read, and lie in these few directions. Angles between weights say
# that factors can be *read* apart. They do not say that the embedding *changes* in different directions.
#
# So we ask the other way round. A linear regression predicts the embedding from all three factors
# together. Its slopes say in which direction the embedding moves as one factor grows and the other two
# stand still. The table has the angles between these directions, with the middle 95 % of 1,000 draws of
# the clips (the bootstrap). In the upper half each dimension is divided by its standard deviation, as
# for the weights above; in the lower half the dimensions are as they are.

# %%
pd.DataFrame(
    {
        name: {
            (way, row): text
            for way in ("standardised", "as they are")
            for row, text in zip(
                [*couples, "two shuffled factors"],
                with_ends(each[way]["factors"])
                + with_ends(each[way]["shuffled"]),
                strict=True,
            )
        }
        for name, each in turned["encoding"].items()
    }
)

# %% [markdown]
# As the factors grow, the embedding of the trained network moves in directions that lie 72° to 86°
# apart. In the untrained network they lie only 35° to 43° apart: whichever factor changes, much of the
# embedding moves in the same way. Training has given each factor more of a direction of its own. But the
# directions of pitch and intensity are not at right angles: the interval ends at 75°. Nor are these
# angles larger than chance. An embedding varies mostly along a few directions, so those of shuffled
# factors may lie at right angles or close together. The angles of the trained network lie within this
# range, those of the untrained network at its lower end. Log-mel has both: pitch and intensity at right
# angles, intensity and onset close together. If the dimensions are left as they are, the angles are
# smaller, but those of the trained network are still more than twice as large as those of the untrained
# one.
#
# ## Move along a direction, and look
#
# What does a direction mean? We push every token of a clip along it, and let the decoder paint the
# result. The direction of a factor says how the embeddings of the clips change, on average, as the
# factor grows. The slider counts the push in standard deviations of the factor, and goes far beyond
# the values in the clips.

# %% tags=["nbval-ignore-output"]
model = load_model("tiny").requires_grad_(False)
clip = audiopg.SynthPrior.preset(
    "full", events=(1, 1), event_length=(4.0, 6.0)
).sample(torch.tensor([1]), seed=0)
mel = log_mel(audiopg.render(clip))
AMOUNTS = (-12, -6, 0, 6, 12)
directions = {
    factor: factor_direction(embeddings["trained"], values)
    for factor, values in factors.items()
}
moved = {
    factor: traverse(model, mel, direction, AMOUNTS)
    for factor, direction in directions.items()
}
stops = {
    f"{amount:+d} standard deviations": plots.spectrogram_wall(
        torch.stack([moved[factor][place] for factor in factors]),
        list(factors),
        columns=3,
    )
    for place, amount in enumerate(AMOUNTS)
}
widgets.figure_sweep(
    "moved along the direction of each factor",
    stops,
    [f"Three log-mel spectrograms of one clip, {stop}" for stop in stops],
)

# %% [markdown]
# Would any push of the same length change the picture as much? Here are pushes in random directions:

# %%
generator = torch.Generator().manual_seed(0)
changes = {}
for factor, direction in directions.items():
    pushed = [moved[factor][AMOUNTS.index(6)]]
    for _ in range(4):
        other = torch.randn(len(direction), generator=generator).double()
        other *= direction.norm() / other.norm()
        pushed.append(traverse(model, mel, other, (6,))[0])
    still = moved[factor][AMOUNTS.index(0)]
    change = [(one - still).square().mean().sqrt().item() for one in pushed]
    changes[factor] = {
        "along its direction": change[0],
        "along random ones, mean": sum(change[1:]) / len(change[1:]),
    }
table = pd.DataFrame.from_dict(changes, orient="index").round(3)
table.rename_axis("change of the picture (root mean square)")

# %% [markdown]
# A random push changes the picture about as much, and for pitch even more. Now look at the partials
# in the slider's pictures. The decoder repaints textures and edges but leaves the partials where they
# were. So a direction from which the pitch can be *read* is not a knob that *turns* the pitch. One
# possible reason: all tokens get the same push, but each still says where the partials are in its own
# patch.
#
# ## Silence the neurons that know
#
# If pitch lived in a few neurons, silencing them would blind the probe. We take the probe of all
# neurons and set the $k$ most informative ones to their mean. For comparison we silence $k$ random
# ones; the band holds the middle 95 % of 200 draws. A second probe is trained anew ("relearnt")
# without the $k$ most informative neurons.

# %% mystnb={"figure": {"caption": "Live, trained encoder: held-out R² with more and more neurons silenced.", "name": "fig-ablation"}, "image": {"alt": "Three panels over the number of silenced neurons on a logarithmic axis: curves that fall as more neurons are silenced, the relearnt one last"}}
plots.ablation_curves(
    {
        factor: ablate(
            embeddings["trained"],
            values,
            information[factor].argsort(descending=True),
        )
        for factor, values in factors.items()
    }
)
plt.show()

# %% [markdown]
# The recorded run silences ten neurons of every encoder:

# %%
silenced = recorded_figures(Ablation, "ablation")
left = {}
for factor, name in rows:
    part = silenced[name][factor]
    ten = list(part.counts).index(10)
    left[factor, name] = {
        "intact": part.intact,
        "without the top 10": part.top[ten],
        "without 10 at random": part.random[ten].mean(),
        "relearnt without the top 10": part.relearnt[ten],
    }
pd.DataFrame.from_dict(left, orient="index").round(2)

# %% [markdown]
# Losing ten random neurons can cost more than losing the ten best. A linear probe can have large
# weights that cancel each other, and silencing any of them upsets the balance. The last column is
# what matters: trained anew, the probe loses next to nothing, for any encoder. No factor depends on
# its ten best neurons.
#
# ## Beside the paper's figures
#
# The paper's network is a ViT-B; ours is `tiny`. Our $R^2$ is measured on held-out clips; the paper does
# not say how its own is measured. The paper reports nothing for an untrained network or for raw log-mel.

# %%
paper = paper_table("section_4_4")
paper.index = list(factors)
ours = pd.DataFrame(
    {
        factor: {
            "best neuron (nats)": best.loc[
                (factor, "trained"), "information"
            ],
            "gap": gaps.loc[(factor, "trained"), "information"],
            "ridge R²": ridge.loc[("trained", factor), "R²"],
            "R², untrained": ridge.loc[("untrained", factor), "R²"],
            "R², log-mel": ridge.loc[("log-mel", factor), "R²"],
        }
        for factor in factors
    }
).T.round(3)
theirs = paper.iloc[:, [1, 2, 3]].set_axis(
    ["best neuron (nats)", "gap", "ridge R²"], axis=1
)
pd.concat({"the paper's": theirs, "ours": ours}, axis=1)

# %% [markdown]
# The paper also names its best neurons and components. The analysis in its released code looks at the
# first 100 neurons alone, so the paper must have found the neurons that it names in another way. At most
# the nats can be compared: an index means nothing in another network.

# %%
each = components.loc["trained"]
pd.DataFrame(
    {
        factor: {
            "the paper's best neuron": f"#{paper['best neuron'][factor]}, "
            f"{paper.iloc[:, 1][factor]:.2f} nats",
            "our best neuron": f"#{best['dimension'][factor, 'trained']}, "
            f"{best['information'][factor, 'trained']:.2f} nats",
            "the paper's best component": "not stated"
            if paper["best component"].isna()[factor]
            else f"PC {paper['best component'][factor]:.0f}, "
            f"{paper.iloc[:, 5][factor]:.2f} nats",
            "our best component": f"PC {each[factor].idxmax()}, "
            f"{each[factor].max():.2f} nats",
        }
        for factor in factors
    }
).T

# %%
stated = read_record("paper")["section_4_4"]
share = components.loc[("trained", 20), "so far"]
print(
    "variance in 20 components: the paper's "
    f"{stated['variance_share_of_20_components']:.2%}, ours {share:.2%}"
)

# %% [markdown]
# Our run at the paper's scale (ViT-B, 5,000 clips, beside the same controls) has not been made yet.
#
# ## How fast
#
# Our estimator finds the exact nearest neighbours, in a k-d tree. We compare it with scikit-learn's
# `mutual_info_regression`, whose time is scaled up from a few of the dimensions:

# %%
bench = read_record("bench-information")
sizes = bench["settings"]
print(
    f"{sizes['dimensions']} dimensions, 3 factors, "
    f"{sizes['clips']:,} clips; {bench['device']}"
)
for name, figures in bench["metrics"].items():
    if "ratio" in figures:
        print(
            f"{name}: {figures['seconds']:.1f} s, scikit-learn "
            f"{figures['reference_seconds']:.0f} s\n"
            f"  (from {sizes['reference_dimensions']} dimensions): "
            f"{figures['ratio']:.1f} times as fast;\n  estimates "
            f"differ by at most "
            f"{figures['largest_difference_nats']:.0e} nats"
        )

# %% [markdown]
# This command made the recorded run. It takes any run or checkpoint, and continues after an
# interruption:
#
# ```text
# python -m audiopg analyze tiny --controls --beside runs/real \
#     --by-clips runs/synthetic --clips 5000 --other-clips 400 \
#     --null-clips 1000 --seeds 3 --permutations 200 \
#     --precision auto --out runs/analysis --record analysis-tiny
# ```
#
# These two made the runs on the luck of the choice and on angles:
#
# ```text
# python -m audiopg bench choice --record bench-choice
# python -m audiopg bench angles --record bench-angles
# ```
#
# ## What it means
#
# Was it learned, or was it in the input? A read-out of pitch is both: most of its $R^2$ is there
# before training, and training adds the rest. A high $R^2$ alone is no evidence of learning. The
# evidence is how far the trained encoder differs from its controls:
#
# - *Pitch* is what training improved most, in points of $R^2$. In the recorded run, a linear read-out
#   explains more of pitch from the trained encoder than from the untrained network or log-mel, and the
#   intervals lie apart. But on other clips the trained encoder's best neurons tell hardly more about
#   pitch than those of the untrained network, and the best dimensions of log-mel tell more. So the
#   knowledge is in many neurons together.
# - *Intensity* is read better after training, too. But one log-mel statistic by itself, the deviation
#   of the lowest band, tells more about it than any neuron.
# - *The onset* shows that learning may take away, too. On 1,000 clips an untrained network, which has
#   position embeddings, explains half of the onset's variance. After 3,200 synthetic clips, `mini`
#   explains more. `tiny`, which learned from the most clips, explains less than both. Its size or its
#   longer training may be the reason.
#
# The factors hardly have neurons of their own: the gaps are near zero for every encoder. The
# weights that read two factors lie far apart in every encoder, whether it was trained or not. The
# directions in which the embedding moves lie 72° to 86° apart in the trained network, and 35° to 43° in
# the untrained one. So training moves the factors apart, but not all of them to right angles, and not
# farther apart than shuffled factors lie. As in the paper, the first
# principal component tells most about intensity, and later ones tell about pitch. The same is true of
# the untrained network.
#
# What is uncertain: the paper speaks of "amplitude" and "temporal position", which we take to mean
# relative intensity and first onset. Each encoder was trained with one seed, and the intervals here
# do not include that variation. The encoder of recordings is smaller than `tiny` and heard fewer
# clips; the fair comparison is with `mini` on synthesis, at equal clips.
#
# ### Change this
#
# 1. Replace `log f0` by the fundamental itself, `params.f0[:, 0]`. Which estimate changes, and which
#    does not?
# 2. Ask about a factor that cannot be heard, such as `params.clip`.
# 3. In "One factor at a time", everything that stands still comes from clip 0. Take it from clip 1:
#    `still = params[1:2]`. Which nats stay the same?
#
# ```{dropdown} What you might find
# 1. $R^2$ changes, because a linear read-out depends on the scale. Mutual information hardly does: it
#    is the same for any monotone transformation, up to the error of the estimate.
# 2. Everything falls below the dotted line, and $R^2$ falls to 0 or less. Always ask one question
#    whose answer you know.
# 3. Intensity keeps its 3.3 nats, and in the trained network the pitch keeps its nats, too. The onset
#    gains one to three tenths. But with `params[2:3]` the pitch falls below half a nat, for both
#    networks. What stands still matters as much as what moves.
# ```
