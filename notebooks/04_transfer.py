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
# # Transfer to real audio
#
# *Does a network that has never heard real sounds know anything about them?*
#
# There are two ways to ask. A *linear probe* freezes the encoder, makes one vector of each clip, and
# trains a linear classifier on the vectors. If this classifier can tell two sounds apart, the encoder
# had already separated them. *Fine-tuning* trains the encoder too, and shows what its weights are worth
# as a starting point. With both it is easy to flatter one's own network. Therefore much of this chapter
# is about what to compare with, and how sure one may be.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import soundfile
import torch

import audiopg
from audiopg.book import plots, widgets
from audiopg.datasets import (
    cached_waves,
    find_dataset,
    read_dataset,
    synthetic_clips,
)
from audiopg.records import paper_table, read_record
from audiopg.transfer import (
    clip_features,
    kinds_table,
    most_confused,
    nearest_clips,
    probe_features,
    probe_table,
    recorded_confusions,
    recorded_matrix,
    recorded_table,
    significance_table,
)

plots.use_style()
pd.set_option("display.max_colwidth", None)

# %% [markdown]
# ## The recordings
#
# The paper evaluates on four sets (Section 4.1):
#
# | the paper's set | clips | classes | protocol | measure |
# | --- | --- | --- | --- | --- |
# | ESC-50 {cite}`piczak2015` | 2,000 of 5 s | 50 | 5 official folds | accuracy |
# | UrbanSound8K {cite}`salamon2014` | 8,732 of up to 4 s | 10 | 10 official folds | accuracy |
# | FSD50K {cite}`fonseca2022` | 51,197 of 0.3 to 30 s, several labels each | 200 | official development and evaluation parts | mean average precision |
# | Speech Commands V2 {cite}`warden2018` | 105,829 of 1 s | 35 | official lists | accuracy |
#
# A *clip* is one item of a set, and a *recording* is what clips were cut from. This chapter uses parts
# of three sets:
#
# | set | what is at hand | tested on | may be compared with |
# | --- | --- | --- | --- |
# | ESC-10, of ESC-50 {cite}`piczak2015` | all 400 clips of 10 classes | 5 official folds in turn | published figures for ESC-10, not for ESC-50 |
# | UrbanSound8K {cite}`salamon2014` | folds 1, 2 and 10, 2,598 clips of 10 classes | each of the 3, trained on the other 2 | nothing published: the official protocol trains on 9 folds |
# | Speech Commands v0.02 {cite}`warden2018` | the 10 command words of the official test set, 4,074 clips | a fifth of these clips, by speakers who are not in training | nothing published: the usual task has 35 words and ten times the speakers |
#
# We divided the speakers of our Speech Commands anew into training, validation and testing. We have no
# clips of FSD50K, and its loader was tested on made-up files only.
#
# This page is computed on ESC-10: dog, rooster, rain, sea waves, crackling fire, crying baby, sneezing,
# clock tick, helicopter and chainsaw, 40 clips each. Piczak reports 95.7 % for human listeners and 72.7 %
# for a random forest on MFCCs (mel-frequency cepstral coefficients, a classic summary of a spectrum). Of
# the eight clips of a class in each fold, this page uses three, to take less than a minute.

# %% tags=["nbval-ignore-output"]
clips = find_dataset("esc10", audiopg.data_folder())
if clips is None:
    print("No recordings: AUDIOPG_DATA names no ESC-10 (see the README).")
    print("These are synthetic clips; they say nothing of real audio.")
    clips, waves = synthetic_clips(audiopg.at_scale(smoke=5, paper=20))
else:
    alike = pd.DataFrame({"fold": clips.folds, "class": clips.labels})
    place = alike.groupby(["fold", "class"]).cumcount()
    few = place < audiopg.at_scale(smoke=3, paper=8)
    clips = clips.take(np.flatnonzero(few))
    cache = cached_waves(clips, progress=False)
    waves = [cache.native(row) for row in range(len(cache))]
print(
    f"{clips.name}: {len(clips)} clips, "
    f"{len(clips.classes)} classes, {len(clips.test_folds)} folds"
)

# %% [markdown]
# ### Folds, and what leakage would be
#
# A fold is a part of the clips, used for testing while the others are used for training. The official
# folds keep together all clips of one recording; our parts of Speech Commands keep together all clips
# of one speaker. Still, a few recordings are in two folds: 4 of the 1,524 of ESC-50, and 5 of the 1,297
# of UrbanSound8K. None of their clips is among ours.
#
# If clips are dealt to the folds at random, a classifier can recognise the recording instead of the
# sound. That is *leakage*: something about the test clips has reached the training. How much is it
# worth? We dealt the clips of each class over the folds anew, at random, three times. *Torn* clips
# share their recording with a clip of another fold. *By source* means that a clip is left out of the
# training if its recording has a clip in the test fold (`audiopg probe --by-source`):

# %%
leakage = read_record("bench-leakage")["metrics"]
pd.DataFrame(
    {
        (title, way): {
            "torn clips": f"{sum(torn) / len(torn):,.0f} of {found['clips']:,}",
            "accuracy (%)": ", ".join(
                f"{100 * np.mean(folds):.1f}"
                for folds in found[way]["folds"]
            ),
        }
        for title, found in leakage.items()
        for way in ("official", "dealt anew", "dealt anew, by source")
        for torn in [found[way].get("torn", found["dealt anew"]["torn"])]
    }
).T

# %% [markdown]
# On UrbanSound8K, where a recording gives many clips, dealing anew seems to add thirty points (per cent
# of accuracy). Nothing was learned better: the recordings were recognised. By source, the accuracy falls
# far below that of the official folds, because few clips are left to learn from. On ESC-10 only a third
# of the clips are torn, and the official accuracy lies within the range of the three random divisions.
#
# Leakage has less obvious forms too:
#
# - features standardised with the mean of *all* clips, test clips included,
# - a learning rate, or anything else, chosen by its score on the test fold,
# - the *best epoch* reported, found by testing after each epoch, as the paper's released code does,
# - an encoder pre-trained on recordings that it is later tested on, with or without their labels.
#
# In this chapter a test fold is used once for each result, at the end, and nothing is chosen by it.
# There are two exceptions. The recipes of pre-training were compared on folds 1 and 2 of ESC-10 and
# UrbanSound8K ([chapter 3](03_pretraining.ipynb)). The other is stated in the section on fine-tuning.
#
# ## The linear probe
#
# A clip goes into the encoder at its own length, so a short clip has fewer tokens. With *mean pooling*,
# all tokens of a clip are averaged to one vector $z$ of 192 numbers. With *frequency pooling*, each of
# the 8 frequency bands has its own average over time, as in M2D, another masked model of audio. Together
# these 8 averages are a vector $z$ of 1,536 numbers. The probe is multinomial logistic regression,
#
# $$
# p(c \mid z) \propto \exp\bigl(w_c^{\top} z + b_c\bigr),
# $$ (eq-probe)
#
# where $p(c \mid z)$ is the probability of class $c$, and $w_c$ and $b_c$ are its weights and bias. The
# numbers in $z$ are first standardised over the training folds. The strength of regularisation is chosen
# by leaving out one training fold at a time, or, for Speech Commands, on the validation part.
#
# ### Against what?
#
# The accuracy of the trained encoder alone would mean little. These are its controls:
#
# - **majority class**: the most frequent class in training, which needs no hearing,
# - **log-mel mean**: the spectrogram averaged over time, without a network,
# - **log-mel mean and deviation**: the same with the standard deviation of each band,
# - **untrained**: the same network as it was before pre-training, from another seed. Random weights over
#   a good front end make a respectable feature extractor, which is easy to forget.

# %% tags=["nbval-ignore-output"]
encoders = {
    "untrained": audiopg.Encoder.preset("tiny", class_token=False, seed=1),
    "tiny": audiopg.load_encoder("tiny"),
}
features = clip_features(waves, encoders, native=True, progress=False)
results = probe_features(clips, features)
probe_table(results, len(clips.classes))

# %% [markdown]
# The table has accuracies in per cent, with mean pooling. The recorded tables below use all clips; most
# have both poolings.
#
# ### How sure?
#
# On this page a test fold has 30 clips, so one clip is 3.3 points. In the whole of ESC-10 a fold has 80
# clips, and one is 1.25 points. But clips of one recording are often right or wrong together, and so are
# words of one speaker. So how sure a figure is depends on the number of *sources*, that is, recordings
# or speakers. The table counts them in all test folds:

# %% tags=["nbval-ignore-output"]
counted = {}
for name in ("esc10", "urbansound8k", "speech_commands"):
    found = find_dataset(name, audiopg.data_folder())
    if found is not None:
        tested = np.isin(found.folds, found.test_folds)
        _, sizes = np.unique(found.sources[tested], return_counts=True)
        counted[found.name] = sizes.sum(), len(sizes), sizes.max()
columns = ["clips tested", "sources", "most clips of one"]
pd.DataFrame.from_dict(counted, orient="index", columns=columns)

# %% [markdown]
# *What accuracy would other recordings or speakers of the same kind have given?* The **bootstrap** lets
# the sources of a test fold stand for all sources of their kind. Ten thousand times, it draws as many
# sources as the fold has, with replacement, and computes the accuracy of all their clips. The interval
# is the middle 95 % of these accuracies.
#
# *Is the difference between two rows more than luck?* Intervals that overlap do not answer this. Both
# rows heard the same clips, and a clip that is hard for one is often hard for the other. What counts are
# the clips on which just one row is right:

# %% tags=["nbval-ignore-output"]
right = {
    name: result.predictions == clips.labels
    for name, result in results.items()
}
ours = right["tiny"]
for control in ("log-mel mean and deviation", "untrained"):
    a, b = (ours & ~right[control]).sum(), (~ours & right[control]).sum()
    print(f"only tiny is right on {a} clips, only {control} on {b}")

# %% [markdown]
# If the two rows were equally good, it would not matter which of them gave which answer. So a
# **permutation test** exchanges the answers of the two rows at random, always for all clips of a source
# together. It does so $R$ = 10,000 times. The p-value is the share of exchanges that give a difference
# of accuracy as large as the one found, $\Delta$, or larger:
#
# $$
# p = \frac{1 + \#\{r : |\Delta_r| \ge |\Delta|\}}{1 + R}
# $$ (eq-permutation)
#
# where $\Delta_r$ is the difference after the $r$-th exchange. The smallest possible p-value is about
# 0.0001.
#
# If we ask often enough, some difference will be large by luck. **Holm's correction** allows for that:
# it multiplies the smallest of $n$ p-values by $n$, the next by $n - 1$, and so on. If a result is
# smaller than the one before, it is set equal to that one. By mere convention, a difference with a
# p-value below 0.05 counts as more than luck.

# %% tags=["nbval-ignore-output"]
tested = significance_table(
    results,
    clips.labels,
    clips.folds,
    against="tiny",
    sources=clips.sources,
).drop(columns="standard deviation")
ps = tested[["p", "p (Holm)"]]
shown = ps.map("{:.1g}".format).mask(ps < 0.001, "<\N{NO-BREAK SPACE}0.001")
tested = tested.astype(object)
tested[ps.columns] = shown.where(ps.notna())
tested.fillna("–")

# %% [markdown]
# ## Three sets, recorded
#
# The same probe was run on all three sets, with two more controls. Both are small runs of a smaller
# network, `mini`: one on **real audio**, and one on **synthetic clips**. Compare these two with each
# other, because `tiny` is larger and heard more.
#
# The encoder of real audio that is tested on ESC-10 heard UrbanSound8K and Speech Commands. The one that
# is tested on UrbanSound8K heard ESC-10 and Speech Commands. Neither heard the few recordings that
# ESC-10 and UrbanSound8K have in common ([field
# notes](../book/field_notes.md#data-sets-and-their-tables)). On Speech Commands we test the one that
# heard UrbanSound8K and Speech Commands: it heard words, but none of the speakers who are tested. Half
# or more of what these encoders heard are single spoken words, each looped ten times to fill a clip
# ([chapter 5](05_ablations.ipynb#how-the-rows-were-made)).
#
# The table says what each encoder heard, and how long its training took by the clock. Its "recordings"
# are files of these sets. The times are rough, because the machines also did other work.

# %%
SETS = {
    "ESC-10": "esc10",
    "UrbanSound8K, 3-fold subset": "urbansound8k",
    "Speech Commands, 10-word subset": "speech_commands",
}
NAMES = {"this encoder": "tiny", "random encoder": "untrained"}
probes = {
    title: read_record(
        "probe-esc10-tiny-native"
        if name == "esc10"
        else f"probe-{name}-tiny"
    )
    for title, name in SETS.items()
}
shipped = read_record("pretrain-tiny")
n_clips = shipped["settings"]["steps"] * shipped["settings"]["batch_size"]
heard = {
    ("all", "tiny"): {
        "clips": f"{n_clips:,}",
        "of": f"the {shipped['settings']['prior']!r} prior",
        "minutes": round(shipped["seconds"] / 60, 1),
    }
}
for title, probe in probes.items():
    for path, run in probe["settings"]["beside"].items():
        kind = "synthetic clips" if "prior" in run["of"] else "real audio"
        NAMES[path] = f"{kind}, small run"
        heard[title, NAMES[path]] = {
            "clips": f"{run['clips']:,}",
            "of": run["of"],
            "minutes": round(run["seconds"] / 60, 1),
        }
for path, name in list(NAMES.items()):
    suffix = ", frequency pooling"
    NAMES[path + suffix] = name + suffix
pd.DataFrame.from_dict(heard, orient="index")

# %%
tables = {
    title: recorded_table(probe, NAMES) for title, probe in probes.items()
}


def readable(tables):
    """Means, intervals and p-values, a block of rows for each set."""
    columns = ["mean", "95 % from", "95 % to", "p (Holm)"]
    table = pd.concat(tables)[columns].astype(object)
    small = table["p (Holm)"] < 0.001
    table.loc[small, "p (Holm)"] = "<\N{NO-BREAK SPACE}0.001"
    return table.fillna("–")


COLOURS = {"tiny": "blue", "untrained": "vermilion", "log-mel": "green"}


def look(row):
    """The colour of a row, which is grey for the two small runs."""
    kinds = [name for start, name in COLOURS.items() if start in row]
    return plots.PALETTE[kinds[0] if kinds else "grey"]


# %% mystnb={"figure": {"caption": "Linear probes of frozen features: means over the test folds, and 95 % intervals by the bootstrap over sources. Filled dots: mean pooling, or log-mel. Open squares: frequency pooling.", "name": "fig-intervals"}, "image": {"alt": "Three panels of dots with whiskers, one for each set, a row for each way of making features; numbers are in the folded table below"}}
ends = ["mean", "95 % from", "95 % to"]
shown = pd.concat(tables)[ends].drop(["chance", "majority class"], level=1)
pooled = ", frequency pooling"
rows = list(shown.index.unique(1).str.removesuffix(pooled).unique())
size = 4.2, 0.8 + 0.3 * len(rows) * len(tables)
figure, axes = plt.subplots(len(tables), sharex=True, figsize=size)
for axis, title in zip(axes, tables, strict=True):
    for row, (middle, low, high) in shown.loc[title].iterrows():
        name = row.removesuffix(pooled)
        both = name + pooled in shown.loc[title].index
        axis.errorbar(
            middle,
            rows.index(name) + both * (0.17 if row != name else -0.17),
            xerr=[[middle - low], [high - middle]],
            fmt="s" if row != name else "o",
            markersize=4,
            markerfacecolor="none" if row != name else None,
            capsize=2,
            color=look(row),
        )
    axis.set_title(title, fontsize="small", loc="right")
    axis.grid(axis="x", linewidth=0.5, alpha=0.4)
    axis.set_yticks(range(len(rows)), rows)
    axis.tick_params(labelsize="small")
    axis.set_ylim(len(rows) - 0.5, -0.5)
axis.set_xlim(30, 95)
axis.set_xlabel("accuracy (%)", fontsize="small")
plt.show()

# %% mystnb={"code_prompt_show": "Show the numbers, and p-values against tiny", "code_prompt_hide": "Hide the numbers"} tags=["hide-output"]
readable(tables)

# %% [markdown]
# Two leads matter most. The untrained network differs from `tiny` in its weights alone. So the lead over
# it says that pre-training on synthetic sound taught something that also holds for real sounds. The lead
# over log-mel (mean and deviation) says whether a network was worth having at all. In short, `tiny` is
# ahead of both on sounds. On words it is ahead of log-mel only with frequency pooling. On clean folds
# alone, part of this could be luck.
#
# The next table has both leads in points. The brackets hold p-values, with Holm's correction for the
# leads of one column. (In the folded table above, it is for all rows of a set.) *Log-mel with tiny* is a
# probe of both features side by side: log-mel mean and deviation, and `tiny` with mean pooling.
#
# Folds 1 and 2 of ESC-10 and UrbanSound8K had a part in the choice of the recipe ([chapter
# 3](03_pretraining.ipynb)). The others are the *clean* folds, 3 to 5 and 10. The testing part of Speech
# Commands is clean.

# %%
paired = read_record("bench-pairs")
columns = {}
for title, name in SETS.items():
    for part in ("all", "final"):
        found = paired["metrics"][name][part]
        # One test fold of all is an official one, which is clean.
        clean = part == "final" or len(found["folds"]) == 1
        folds = "clean folds" if clean else "all folds"
        columns[title.partition(",")[0], folds] = {
            (pair["of"], pair["over"]): (
                f"{100 * pair['gain']:+.1f} ({pair['p_holm']:.1g})"
            )
            for pair in found["pairs"]
        }
pd.DataFrame(columns).rename_axis(["lead of", "over"])

# %% [markdown]
# With all folds, `tiny` is ahead of both controls by more than luck on ESC-10 and UrbanSound8K, with
# either pooling. The clean folds alone hold fewer clips. There, the lead over log-mel could be luck on
# both sets. On ESC-10 the lead over the untrained network with frequency pooling could be luck, too. On
# words, `tiny` is ahead of the untrained network by more than luck with either pooling. It is ahead of
# log-mel only if `tiny` has frequency pooling.
#
# With all folds, log-mel with `tiny` beats log-mel alone, and log-mel with the untrained network, by
# more than luck. On clean folds it does so only on words. So `tiny` has learned something that log-mel
# statistics miss. What log-mel adds to `tiny` could be luck on sounds; on words it is 13 points.
#
# On words, the choice of pooling matters more than pre-training does. With mean pooling, each token must
# itself say at which frequency it heard something. With frequency pooling, the place of a number in the
# vector says so, even in an untrained network. On every set, the lead over the untrained network is
# smaller with frequency pooling. So a part of what pre-training gave to the mean of the tokens is
# information about frequency.
#
# The paper says of ESC-50 that a linear probe improves over a raw log-mel baseline (Section 4.2),
# without a number in the text that we could read.
#
# What is an accuracy in the eighties worth? We probed three small networks of others on ESC-10, all
# trained on recordings. One finds the pitch of a voice or an instrument, one tells speakers apart, and
# one only says whether somebody speaks. The p-value here is for the difference from `tiny`.

# %%
packaged = read_record("packaged-encoders")
others = recorded_table(packaged, NAMES).drop(index="chance")
others["numbers a clip"] = [
    found["dimensions"] for found in packaged["metrics"].values()
]
columns = ["numbers a clip", "mean", "95 % from", "95 % to", "p (Holm)"]
others[columns].astype(object).fillna("–")

# %% [markdown]
# The detector of speech, with 128 numbers per clip, does no worse than our network; which of the two is
# better cannot be told. It heard real speech and noise, though nobody asked it about dogs or rain. So
# such an accuracy does not say that a network has learned about sounds in general.
#
# ### More clips, and other recipes
#
# Here are probes on ESC-10, of `tiny` and of three earlier networks of its size. The earlier ones have a
# class token, and were trained in batches of 32 at a learning rate of 0.001. Each clip is cut or
# repeated to 10.24 s, as in the paper, so the accuracies differ from those above. Each row is one seed.

# %%
looped = read_record("probe-esc10-tiny")["metrics"]
earlier = {
    "25,600 clips, AdamW": "probe-esc10-tiny-25600",
    "64,000 clips, AdamW": "probe-esc10-tiny-adamw",
    "64,000 clips, Muon": "probe-esc10-tiny-muon",
}
rows = {
    "untrained": looped["random encoder"],
    **{
        name: read_record(record)["metrics"]["this encoder"]
        for name, record in earlier.items()
    },
    f"{n_clips:,} clips, batches of 8, Muon": looped["this encoder"],
    "for comparison, log-mel": looped["log-mel mean and deviation"],
}
for name, figures in rows.items():
    mean, spread = figures["mean"], figures["standard_deviation"]
    print(f"{name}: {100 * mean:.1f} ± {100 * spread:.1f} %")
losses = {
    name: np.mean(read_record(record)["metrics"]["loss"][-50:])
    for name, record in (
        ("AdamW", "pretrain-tiny-adamw"),
        ("Muon", "pretrain-tiny-muon"),
    )
}
print("loss after 64,000 clips in batches of 32:", end=" ")
print(", ".join(f"{loss:.3f} with {name}" for name, loss in losses.items()))

# %% [markdown]
# Compare the two losses in the last line with the accuracies after 64,000 clips. With Muon, the network
# guesses hidden patches of synthetic sound better than with AdamW, but its features are worth no more
# on recordings. So a lower loss alone does not promise a better encoder, and one has to probe it every
# time. For batches of 8, [chapter 3](03_pretraining.ipynb) compares Muon with AdamW on recordings.
#
# ## Fine-tuning
#
# Now the encoder, with weights $\theta$, learns too. A linear layer with weights $W$ and bias $b$, at
# first zero, takes the mean of the $L$ tokens $h_t(x; \theta)$ of a clip $x$. Together, encoder and
# layer learn to predict the label $y_i$ of each clip $x_i$,
#
# $$
# \begin{gathered}
# \min_{\theta, W, b}\ \sum_i \operatorname{cross-entropy}\bigl(y_i,\ W z_i + b\bigr), \\
# z_i = \frac{1}{L} \sum_{t=1}^{L} h_t(\tilde x_i; \theta),
# \end{gathered}
# $$ (eq-finetune)
#
# where $\tilde x_i$ is the clip changed at random, anew in every epoch. The paper fine-tunes for 300
# epochs in its main results and for 50 in its ablations, on clips cut or repeated to 10.24 s. It uses
# SpecAugment, which blanks random bands and stretches of time, and its released code adds more.
#
# Our recipe, `fast`, is for a CPU. It takes clips at their own length, rolls them in time by a random
# amount, and leaves out 60 % of their patches, which saves more than half of the time of a step (record
# `bench-transfer`). Each layer has a smaller learning rate than the layer after it (layer-wise decay).
# The test fold is scored once, after the last epoch.
#
# The control is the same network **from scratch**: it starts from random weights, and is then trained
# with the same recipe, clips and epochs. The comparison may be unfair to it, because the recipe was
# chosen for pre-trained weights. A second control has five times the epochs.

# %%
tuned = {
    title: read_record(f"finetune-{name}-tiny")
    for title, name in SETS.items()
}
rows = {}
for title, record in tuned.items():
    settings, figures = record["settings"], record["metrics"]
    rows[title] = {
        "recipe": "fast",
        "epochs": settings["epochs"],
        "clips a step": settings["batch_size"],
        "minutes, with its control": round(
            sum(row["seconds"] for row in figures.values()) / 60
        ),
        "on": record["device"],
    }
pd.DataFrame.from_dict(rows, orient="index")

# %%
fine = {}
for title, record in tuned.items():
    (control,) = record["settings"]["beside"]
    names = {control: "from scratch", "this encoder": "pre-trained"}
    fine[title] = recorded_table(record, names)
readable(fine)

# %% [markdown]
# Compare *from scratch* with *pre-trained* in each set. The lead holds for this recipe and these few
# epochs alone.
#
# Two choices were made with test folds of ESC-10, so **folds 1 and 2 are not clean**. The recipe of
# pre-training was chosen on these two folds ([chapter 3](03_pretraining.ipynb)). We chose `fast` by
# fine-tuning earlier weights on folds 3 to 5 and testing them on fold 2. Nothing was chosen by a test on
# folds 3 to 5. Here is their mean, beside the mean of all five:

# %%
folds = fine["ESC-10"].drop(index="chance").filter(like="fold")
folds.assign(
    **{
        "mean": fine["ESC-10"]["mean"],
        "mean of folds 3 to 5": folds[["fold 3", "fold 4", "fold 5"]].mean(
            axis=1
        ),
    }
).round(1)

# %% [markdown]
# The next table sets frozen encoders beside fine-tuned ones, as means over the test folds in per cent,
# all with mean pooling:

# %%
rows = {
    "log-mel mean and deviation": (
        "log-mel mean and deviation",
        tables,
    ),
    "from scratch": ("from scratch", fine),
    "untrained, frozen": ("untrained", tables),
    "tiny, frozen": ("tiny", tables),
    "tiny, fine-tuned": ("pre-trained", fine),
}
means = pd.DataFrame(
    {
        title: {
            name: source[title].loc[row, "mean"]
            for name, (row, source) in rows.items()
        }
        for title in SETS
    }
)
longer = {
    "ESC-10": "scratch-120-epochs-esc10-tiny",
    "UrbanSound8K, 3-fold subset": "scratch-20-epochs-urbansound8k-tiny",
    "Speech Commands, 10-word subset": "scratch-30-epochs-speech_commands-tiny",
}
for title, name in longer.items():
    control = recorded_table(read_record(name)).loc["this encoder", "mean"]
    means.loc["from scratch, five times the epochs", title] = control
means.astype(object).fillna("–")

# %% [markdown]
# With the same recipe and the same few epochs, the pre-trained network is far ahead of the one from
# scratch on every set. The one from scratch even stays below log-mel statistics, which need no network.
#
# Does it only need more time? On ESC-10 it does: with five times the epochs it comes within a point of
# the pre-trained network. So there pre-training saves time, and we cannot say that it leads further. On
# UrbanSound8K five times the epochs close half of the gap, and on Speech Commands they gain three points
# only. (We have not fine-tuned `tiny` for as long.)
#
# With the few epochs of `fast`, fine-tuning gains little over frozen features: nothing on ESC-10, some
# points on the other two sets. On Speech Commands it only comes close to the log-mel statistics. With
# frequency pooling, frozen features (in the folded table above) are clearly ahead of this fine-tuning on
# Speech Commands, and level or a point ahead on the other two sets.
#
# ## Where it errs
#
# Which sounds does synthesis help? The *recall* of a class is the share of its clips that a probe finds.
# A class has 40 clips, so one clip is 2.5 points.

# %% mystnb={"figure": {"caption": "Recall of each class of ESC-10 by linear probes, five folds together, with mean pooling. Classes in which tiny gains most over log-mel (mean and deviation) are at the top.", "name": "fig-recall"}, "image": {"alt": "Ten rows of three marks, a row for each class. For chainsaw, sea waves and dog, the mark of tiny lies far to the right of the other two; for helicopter, crying baby and rain, it does not"}}
recall = 100 * pd.DataFrame(paired["metrics"]["esc10"]["recall"])
gain = recall["tiny"] - recall["log-mel"]
recall = recall.loc[gain.sort_values(ascending=False, kind="stable").index]
marks = {
    "log-mel": ("D", plots.PALETTE["green"]),
    "untrained": ("s", plots.PALETTE["vermilion"]),
    "tiny": ("o", plots.PALETTE["blue"]),
}
figure, axis = plt.subplots(figsize=(4.2, 3.6))
places = np.arange(len(recall))
for name, (mark, colour) in marks.items():
    axis.plot(recall[name], places, mark, color=colour, label=name)
axis.legend(loc="lower left", fontsize="small")
axis.set_yticks(places, recall.index.str.replace("_", " "))
axis.tick_params(labelsize="small")
axis.grid(linewidth=0.5, alpha=0.4)
axis.set_ylim(len(recall) - 0.5, -0.5)
axis.set_xlabel("recall (%)", fontsize="small")
plt.show()

# %% [markdown]
# Of all classes, log-mel finds dog, chainsaw, helicopter and sea waves least often. On three of these,
# `tiny` finds 5 to 9 clips more; on helicopter, none. On the other six the two differ by 1 to 3 clips.
# A motor, a bark and surf have little in common. So we cannot name a kind of sound that synthesis helps.
#
# Why are some confusions frequent? The paper sorts them into kinds, by what the two sounds share (Table
# 2):
#
# - *transient*: impulsive bursts or rhythmic onsets,
# - *mechanical*: low rumble or periodic modulation,
# - *broadband*: textures of noise,
# - *semantic or phonetic*: a broad category or a vocal tract.
#
# The next table is the paper's, after fine-tuning for 300 epochs. Rates are per cent of the clips of
# the true class. The paper marks the kinds ("error sources") of a confusion by ticks. In our copy of
# the paper one can count the ticks, but not see which kinds they stand for. Its prose names some.
# Footsteps and fireworks share transients. Helicopters and engines are mechanical. "Tree" and "three"
# share formants and first consonants.

# %%
paper_table("table_2")

# %% [markdown]
# The rates of ESC-50 are multiples of one eighth, and each fold of ESC-50 has eight clips of each class.
# So these rates seem to come from a single fold, where one clip is 12.5 points.
#
# Here are the confusions of our fine-tuned networks. The column "kinds" has what both classes share. The
# paper's last kind has two halves. We use only the second, *phonetic*: both sounds come from a vocal
# tract.

# %%
found = {
    title: recorded_confusions(record, most=4).drop(columns="why")
    for title, record in tuned.items()
}
pd.concat(found).droplevel(1)

# %% mystnb={"figure": {"caption": "Confusions of the fine-tuned network on UrbanSound8K, three folds together, rows normalised.", "name": "fig-confusion-urbansound8k"}, "image": {"alt": "A confusion matrix of ten classes of city sounds; its largest cells beside the diagonal are in the table above"}}
plots.confusion(*recorded_matrix(tuned["UrbanSound8K, 3-fold subset"]))
plt.show()

# %% mystnb={"figure": {"caption": "Confusions of the fine-tuned network on the testing part of Speech Commands, ten words, rows normalised.", "name": "fig-confusion-words"}, "image": {"alt": "A confusion matrix of ten spoken words; its largest cells beside the diagonal are in the table above"}}
plots.confusion(*recorded_matrix(tuned["Speech Commands, 10-word subset"]))
plt.show()

# %% [markdown]
# ### How often would any pair share a kind?
#
# Many pairs of classes share a kind, confused or not. The next table says how often two classes have a
# kind in common, in per cent: among all ordered pairs (the *base rate*), among the four most frequent
# confusions, and among all confused clips.

# %%
rows = {}
for title, record in tuned.items():
    counts, classes = recorded_matrix(record)
    kinds = kinds_table(record["data"].partition(",")[0])["kinds"]
    kinds = [set(kinds[name].split(", ")) for name in classes]
    share = np.array([[bool(a & b) for b in kinds] for a in kinds])
    other = ~np.eye(len(classes), dtype=bool)
    rows[title] = {
        "any pair (%)": 100 * share[other].mean(),
        "the four most frequent (%)": 100
        * (found[title]["kinds"] != "none shared").mean(),
        "all confusions (%)": 100
        * np.average(share[other], weights=counts[other]),
    }
pd.DataFrame.from_dict(rows, orient="index").round(0).astype(int)

# %% [markdown]
# Every word comes from a vocal tract. So on Speech Commands every pair shares a kind, and the kind
# explains nothing. On ESC-10, clips are confused within a kind far more often than the base rate, on
# UrbanSound8K somewhat more often. The paper says that "a substantial fraction of these errors
# corresponds to acoustically similar pairs". It gives no base rate, so we cannot tell its fraction from
# chance.
#
# The paper explains such errors by a *semantic gap* (Section 5.2): what is near in physics need not be
# near in meaning, and the generator knows no meaning. [Chapter
# 1](01_synthesizer.ipynb#from-words-to-a-scene) tries the remedy that the paper proposes: rules that
# turn words into settings of the synthesizer.
#
# We decided which class is of which kind. Here are our choices for ESC-10 and our reasons, to be argued
# with; `kinds_table` has the other sets.

# %% tags=["nbval-ignore-output"]
stated = kinds_table("ESC-10")
stated.loc[[name for name in clips.classes if name in stated.index]]

# %% [markdown]
# ### Hear it
#
# Here are two of the most frequent confusions of this page's probe, three sounds for each. The first is
# a clip that was taken for another class. The second is from that other class: its clip whose embedding
# is nearest to that of the first. The third is the nearest of 32 synthetic clips. Nearness is the cosine
# of the angle between embeddings, each dimension standardised.

# %% tags=["nbval-ignore-output"]
ours = results["tiny"]
frequent = most_confused(ours, clips, most=2)
prior = audiopg.SynthPrior.preset("full")
synthetic = audiopg.render(prior.sample(torch.arange(32), seed=0))
synthetic = synthetic[:, : max(map(len, waves))]
tiny = encoders["tiny"]
there = tiny.embed(synthetic, native=True)
here = features["tiny"]
shown, labels = [], []
for true, other in frequent[["true class", "confused as"]].itertuples(
    index=False
):
    true, other = clips.classes.index(true), clips.classes.index(other)
    confused = (clips.labels == true) & (ours.predictions == other)
    clip = int(confused.argmax())
    members = np.flatnonzero(clips.labels == other)
    like = members[nearest_clips(here[[clip]], here[members], 1)[0][0, 0]]
    made = nearest_clips(here[[clip]], there, 1)[0][0, 0]
    shown += [waves[clip], waves[like], synthetic[made]]
    labels += [
        f"{clips.classes[true]}, taken for {clips.classes[other]}",
        f"the nearest {clips.classes[other]}",
        f"the nearest synthetic clip, {made}",
    ]
widgets.seen_and_heard(shown, [label.replace("_", " ") for label in labels])

# %% tags=["nbval-ignore-output"]
frequent

# %% [markdown]
# Read the column "why", then listen to the first two clips of each confusion. Do you hear the reason, or
# is one clip simply an odd example of its class? A kind explains a confusion only if the ear agrees.
#
# ## The paper's figures
#
# The paper fine-tunes a ViT-B for 300 epochs on whole sets. Its encoder is sixteen times as large as
# that of `tiny`. Here is the paper's whole Table 1: other work as the paper reports it, then its own
# rows. IN is ImageNet, AS AudioSet, LS LibriSpeech.

# %%
own = paper_table("table_1")
own.insert(0, "pre-training data", ["none", "none", "synthetic audio"])
table_1 = pd.concat([paper_table("prior_work"), own]).astype(object)
table_1.fillna("–")

# %% [markdown]
# Some of these rows have other figures elsewhere in the paper ([where the paper disagrees with
# itself](../book/paper.md#where-the-paper-disagrees-with-itself)). Our numbers cannot be compared with
# these, because our parts of the sets are smaller or easier. At most one can set our lead of the
# pre-trained network over the one from scratch beside the paper's. The recipes and the numbers of epochs
# differ, too.
#
# Fine-tuning ViT-B is not run yet on any set.

# %% [markdown]
# Commands like these made the records of ESC-10:
#
# ```
# python -m audiopg probe tiny --dataset esc10 --native --pooling both \
#     --record probe-esc10-tiny-native
# python -m audiopg finetune --preset tiny --recipe fast \
#     --dataset esc10 --out runs/scratch
# python -m audiopg finetune --start tiny --recipe fast \
#     --dataset esc10 --out runs/tuned --beside runs/scratch \
#     --record finetune-esc10-tiny
# ```
#
# ## What it means
#
# Yes, it knows something. On all three sets, with both kinds of pooling, the features of `tiny` tell the
# classes apart better than those of the untrained network. With frequency pooling they are also ahead of
# log-mel statistics on all three sets; with mean pooling, on two. If only the clean folds count, the
# lead over log-mel could be luck on the two sets of sounds. So could the lead over the untrained network
# on ESC-10 with frequency pooling. As a start for fine-tuning, the weights of `tiny` are far ahead of
# random ones, if both have the same few epochs. With five times the epochs, random ones nearly catch up
# on ESC-10, by half on UrbanSound8K, and hardly on words. And all this does not show that `tiny` knows
# more of sound than other small networks do: on ESC-10 a small detector of speech does as well.
#
# What is uncertain: each row rests on one seed of pre-training and one of fine-tuning. The intervals say
# how much a figure would vary with other recordings or speakers to test on, not with other weights. The
# paper's released code reports one fold at its best epoch; we do not know whether the paper's figures
# were made like this.
#
# ### Change this
#
# 1. Add the untrained network with `seed=2`, and two or three more. How far do they differ from one
#    another?
# 2. Deal the clips of ESC-10 over the folds anew, at random (`dataclasses.replace(clips, folds=...)`),
#    and probe again. Is the difference leakage?
#
# ```{dropdown} What you might find
# 1. By up to three or four points. Read the tables above on that scale.
# 2. On ESC-10 it is hard to tell from luck. On UrbanSound8K it is thirty points, as in the table of the
#    section on folds. A fold that is dealt without a look at recordings cannot be trusted.
# ```

# %% [markdown]
# ## Your own recordings
#
# All of this works with recordings of your own. Sort them into folders, one for each class. Or write a
# table with the file and the label of each clip, and its start and end in seconds if it is a part of
# the file. The library also reads the tables of Raven, Audacity, Kaldi and others ([the
# reference](../book/api/datasets.md)). Three commands then do what this chapter did. The first two take
# a folder, the third a table with the columns `species` and `site`:
#
# ```
# python -m audiopg data my-birds/
# python -m audiopg probe tiny --dataset my-birds/ --native
# python -m audiopg finetune --start tiny --recipe fast --dataset birds.csv \
#     --columns label=species,group=site --out runs/birds
# ```
#
# The first says what is there and what is wrong, before anything is trained. In a notebook,
# `read_dataset` reads a set. The next cell makes a folder of low and high notes; put yours in its place.

# %%
made = TemporaryDirectory()
folder = Path(made.name)  # yours: Path("my-birds")
prior = audiopg.SynthPrior.preset("harmonic")
notes = prior.sample(torch.arange(40), seed=7)
sounds = audiopg.render(notes)[:, :32000].numpy()
for number, pitch in enumerate(notes.f0[:, 0]):
    place = folder / ("low" if pitch < 1000 else "high")
    place.mkdir(exist_ok=True)
    soundfile.write(place / f"{number}.wav", sounds[number], 16000)

# %%
own = read_dataset(folder, n_folds=4, seed=0, progress=False)
heard = cached_waves(own, progress=False)
vectors = clip_features(heard, encoders, native=True, progress=False)
own_results = probe_features(own, vectors)
table = pd.crosstab(own.folds, np.array(own.classes)[own.labels])
table.rename_axis(index="fold", columns="clips")

# %% tags=["nbval-ignore-output"]
probe_table(own_results, len(own.classes))

# %% [markdown]
# Read all rows before you trust one of them. With few clips, and with classes that a plain spectrum can
# tell apart, the controls may well be ahead.
#
# The clips were dealt to the folds at random, with each class spread evenly. Clips stay together if they
# come from one file, from files with the same content, or from one group. Name a group (a site, a
# speaker, a night) wherever clips share more than their class. Only you can know that they do. Folds
# that your table already has are kept.
