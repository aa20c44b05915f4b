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
# # Ablations and efficiency
#
# *Which part of the synthesizer does the work?*
#
# We trained a small network on each of the four curricula of [chapter 2](02_curriculum.ipynb), with
# equal numbers of clips. Then the linear probe of [chapter 4](04_transfer.ipynb), {eq}`eq-probe`,
# judged what the network makes of real recordings.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.ticker import LogLocator, MultipleLocator

import audiopg
from audiopg.book import plots
from audiopg.book.experiments import (
    efficiency,
    gain_table,
    outcome_table,
    seed_table,
)
from audiopg.datasets import cached_waves, find_dataset
from audiopg.records import paper_table, read_record

plots.use_style()

# %% [markdown]
# ## The experiment, recorded
#
# The network is `mini` (6 blocks, 128 wide, 1.2 million weights in its encoder), which hears 12,800
# clips by the recipe `cpu` of [chapter 3](03_pretraining.ipynb). This takes minutes on one core. With
# the same seed, all four networks begin with the same weights, and clip $i$ has the same fundamental in
# all four curricula. (At `AUDIOPG_SCALE=paper` the network is the paper's.)
#
# A clip becomes one vector in the two ways of chapter 4: by *mean pooling* of all its tokens, or by
# *frequency pooling*, which averages each frequency band on its own.
#
# {numref}`fig-curricula` shows both, beside two controls that learned nothing: the same network
# untrained, and the mean and deviation of each mel band of the log-mel spectrogram. The paper's numbers
# below are of a ViT-B, fine-tuned, on UrbanSound8K and on ESC-50 {cite}`piczak2015`, of which ESC-10 is
# the easier part.

# %%
presets = ["sine", "harmonic", "dynamic", "full"]
scale = audiopg.at_scale(smoke="cpu", paper="paper")
rows = {
    "untrained": f"untrained-all-{scale}",
    "log-mel": f"log-mel-all-{scale}",
    **{name: f"curriculum-{name}-{scale}" for name in presets},
    "recordings with words, for ESC-10": f"real-for-esc10-{scale}",
    "recordings with words, for UrbanSound8K": (
        f"real-for-urbansound8k-{scale}"
    ),
    "recordings without words, for ESC-10": f"sounds-for-esc10-{scale}",
    "recordings without words, for UrbanSound8K": (
        f"sounds-for-urbansound8k-{scale}"
    ),
}

# %% mystnb={"figure": {"caption": "Above: our linear probes of `mini`, pre-trained on each curriculum. Each dot is a seed, each line their mean. Below: the paper's Table 3, rows 1 to 4. Both panels of a row have axes of the same length, in percentage points.", "name": "fig-curricula"}, "image": {"alt": "Four panels of accuracy from sine to full. Ours, on ESC-10: mean pooling rises from 72 to 80 per cent, frequency pooling from 78 to 84, with a dip at harmonic; log-mel lies at 78, untrained features at 69 and 79. Ours, on UrbanSound8K: from 44 to 52 and from 50 to 55; log-mel at 49, untrained at 39 and 46. The paper's rise at every step, from 42 to 82 on ESC-50 and from 71 to 86 on UrbanSound8K"}}
probed = seed_table(rows)
colours = {"mean": "blue", "frequency": "vermilion"}
columns = {"ESC-10": "ESC-50 (%)", "UrbanSound8K": "UrbanSound8K (%)"}
figure, axes = plt.subplots(
    2, 2, sharex=True, figsize=(plots.WIDTH, 5.4), height_ratios=[2, 1]
)
for (ours, theirs), (upper, lower) in zip(
    columns.items(), axes.T, strict=True
):
    for pooling, name in colours.items():
        colour = plots.PALETTE[name]
        one = (probed["set"] == ours) & (probed["pooling"] == pooling)
        found = probed[one].set_index("row")["accuracy"]
        seeds = found[found.index.isin(presets)]
        means = found.groupby(level=0, sort=False).mean()
        upper.plot(seeds, "o", color=colour, markersize=4, alpha=0.7)
        label = f"{pooling} pooling"
        upper.plot(means[seeds.index.unique()], color=colour, label=label)
        lines = (
            ("untrained", f"untrained, {label}", "--", colour),
            ("log-mel", "log-mel", ":", plots.PALETTE["grey"]),
        )
        for row, label, line, colour in lines:
            if row in means:
                upper.axhline(
                    means[row], color=colour, linestyle=line, label=label
                )
    lower.plot(
        paper_table("table_3")[theirs].loc[presets],
        marker="o",
        color=plots.PALETTE["green"],
    )
    upper.set_title(f"ours, {ours}")
    lower.set_title(f"the paper's, {theirs.removesuffix(' (%)')}")
    lower.tick_params(axis="x", labelsize="small")
for row, step in zip(axes, (5, 20), strict=True):
    half = max(np.ptp(axis.get_ylim()) for axis in row) / 2
    for axis in row:
        middle = np.mean(axis.get_ylim())
        axis.set_ylim(middle - half, middle + half)
        axis.yaxis.set_major_locator(MultipleLocator(step))
    row[0].set_ylabel("accuracy (%)")
lines, labels = axes[0, 0].get_legend_handles_labels()
named = dict(zip(labels, lines, strict=True))
figure.legend(named.values(), named, loc="outside upper left", ncols=2)
plt.show()

# %% [markdown]
# From `sine` to `full` the probe gains on both sets with both poolings, as in the paper. Not every step
# between is a gain. And much comes without learning: on ESC-10, log-mel statistics are ahead of most
# networks, and with frequency pooling an untrained network is no worse than one that heard `sine` or
# `harmonic`.
#
# The table also has spoken words (Speech Commands) and networks that learned from 12,800 *windows* of
# recordings instead of clips. A window is a stretch as long as a clip; a shorter recording is repeated
# to fill one. A network "for ESC-10" is tested on ESC-10, so it learned from the other sets only. ± is
# the standard deviation over test folds. Of two accuracies in a cell the first is with mean pooling, the
# second with frequency pooling. [How the rows were made](#how-the-rows-were-made) stands at the end.

# %%
outcome_table(rows)

# %% [markdown]
# A *gain* is the difference of two rows on each fold, averaged over the folds, in points; ± is its
# standard error. A star marks a gain [beyond chance](#when-is-a-gain-beyond-chance). With a single test
# part, as in Speech Commands, ± is only the part of the error that comes from the seeds, and is marked
# *(seeds)*. Each curriculum adds a stage to the one before: partials, then events and envelopes, then
# damping and noise. Here is the gain of each stage:

# %%
stages = {name: rows[name] for name in presets}
gain_table(stages)

# %% [markdown]
# And here is the gain of `full` over `sine`, over the two rows without pre-training, and over the rows
# of recordings:

# %%
others = ["sine", "untrained", "log-mel", *list(rows)[-4:]]


def gains_of_full(folds=None):
    """The gain of `full` over each of the others."""
    pairs = [{name: rows[name], "full": rows["full"]} for name in others]
    tables = [gain_table(pair, folds=folds) for pair in pairs]
    return pd.concat(tables).fillna("–")


gains_of_full()

# %% [markdown]
# What a single stage gains is hard to tell from chance. On ESC-10 and UrbanSound8K the table of the
# stages has one star: for damping with noise (`dynamic → full`), on ESC-10, with frequency pooling.
# Averaged over both sets (see the [scoreboard](../book/preface.md#what-we-found)), damping and noise
# gain beyond chance with either pooling. Partials do so only with mean pooling, and events and envelopes
# (`harmonic → dynamic`) with neither. On spoken words every stage adds something, but ± does not say
# there how much other speakers would change the gain.
#
# Learning from too simple a world may be worse than not learning. On Speech Commands, the network that
# heard only `sine` falls behind the untrained one with both poolings, and the one that heard `harmonic`
# does so with frequency pooling.
#
# Are recordings a better teacher? The network `full` has heard nothing real. Even so, no difference to
# the networks of recordings is beyond chance, with words or without. But all these recordings are
# repeated to fill a clip, and [chapter 8](08_adaptation.ipynb) suggests that this is a handicap for
# words.
#
# Over the untrained network, pre-training on `full` adds eleven to thirteen points with mean pooling,
# and less with frequency pooling. Log-mel statistics have no pooling, and their row of gains is against
# mean pooling. There `full` is not clearly better, and on Speech Commands it is behind by six points.
# With frequency pooling, `full` has a higher accuracy than log-mel on all three sets (first table).
#
# ### Damping, or the noise floor?
#
# `full` adds two things to `dynamic` at once: damping, and a floor of noise. Which of them helps? Each
# can be added alone. The table has four gains: of damping without and with the noise floor, and of the
# noise floor without and with damping.

# %%
halves = {
    "dynamic": rows["dynamic"],
    "dynamic + damping": f"curriculum-dynamic-damping-{scale}",
    "dynamic + floor": f"curriculum-dynamic-floor-{scale}",
    "full": rows["full"],
}
steps = (
    ("dynamic", "dynamic + damping"),
    ("dynamic + floor", "full"),
    ("dynamic", "dynamic + floor"),
    ("dynamic + damping", "full"),
)
pd.concat(
    gain_table({before: halves[before], after: halves[after]})
    for before, after in steps
)

# %%
outcome_table(halves)

# %% [markdown]
# On spoken words the noise floor does the work: with both poolings it gains four to seven points, and
# damping gains nothing that stands out from the luck of the seeds, or loses. On ESC-10 and UrbanSound8K
# nearly all of these gains are above 0, those of damping about as large as those of the noise floor, but
# none is beyond chance by itself. So "damping and noise" is on these sets perhaps half noise, and on
# words noise alone.
#
# Why would a noise floor help? Two reasons are possible, and our runs do not tell them apart. Without
# it, half of a clip of `dynamic` is [near-silent](#how-much-is-silent), so half of the patches teach
# little. And every real recording has some noise.
#
# ### Fine-tuned
#
# These are linear probes, but the paper fine-tunes. So we pre-trained five networks again, all on one
# processor: one on each curriculum, and one on recordings with words. We then fine-tuned them on ESC-10
# for eight epochs, beside the same network from scratch. The table has the mean over the five folds, of
# one seed.

# %%
tuned = {
    name: f"finetuned-{name.removeprefix('from ')}-esc10-{scale}"
    for name in ("from scratch", *presets)
}
tuned["recordings with words"] = f"finetuned-real-esc10-{scale}"
outcome_table(tuned)[["ESC-10", "seeds"]]

# %% [markdown]
# Here is the gain of each row over the row above it, and last that of `full` over recordings:

# %%
in_order = {name: tuned[name] for name in ("from scratch", *presets)}
against_real = {
    name: tuned[name] for name in ("recordings with words", "full")
}
pd.concat(gain_table(rows_of) for rows_of in (in_order, against_real))

# %% [markdown]
# The four networks rise in the order of the paper's Table 3. Even `sine` is worth nearly ten points
# over random weights, and damping and noise add seven to eight. Both gains are beyond chance, the
# second barely. The gains of partials, and of events and envelopes, are smaller than their errors.
#
# Recordings with words are worth seventeen points over random weights. `full` is another 3.8 points
# ahead of them, a gain smaller than its standard error. So synthesis is a good place to start from, as
# the paper says, at least for so few epochs. (In [chapter 4](04_transfer.ipynb#fine-tuning), training
# from scratch for five times as long nearly catches up on ESC-10.) One seed cannot show whether it is a
# better place than recordings, because these errors leave out how much seeds differ.
#
# ### The paper's table
#
# In the paper's Table 3, unless a row says otherwise, pre-training took 100 epochs (Section 4.1) and
# fine-tuning 50. "Filter" is the damping, and, by the paper's text, the background noise as well. Both
# rows of recordings draw on 100 hours of FSD50K.

# %%
paper = paper_table("table_3")
parts = paper.pop("parts").fillna("")
for part in ("Freq.", "Timbre", "Dyn.", "Filter"):
    paper[part] = ["✓" if part in row else "–" for row in parts]
paper

# %% [markdown]
# ### How much is silent?
#
# In the paper's table, `full` is ahead of recordings that had the same time. The paper offers one
# reason (Section 4.3): recordings have near-silent stretches, from which nothing is learned, and
# synthesis has fewer. We can count them, in 64 synthetic clips of each curriculum and in 100 recordings
# of each set at hand. The first column is the share of frames of 25 ms that are at least 60 dB weaker
# than the loudest frame of their clip. The second is the share of samples that are exactly zero.


# %% tags=["nbval-ignore-output"]
def silence(waves):
    """Shares of frames 60 dB below the loudest, and of samples of 0."""
    quiet, zero = [], []
    for wave in waves:
        wave = torch.as_tensor(wave)
        power = wave.unfold(0, 400, 160).square().mean(dim=1)
        quiet.append(power <= 1e-6 * power.max())
        zero.append(wave == 0)
    return [
        100 * torch.cat(part).double().mean().item()
        for part in (quiet, zero)
    ]


counted = {}
for name in presets:
    prior = audiopg.SynthPrior.preset(name)
    counted[f"synthesis, {name}"] = silence(
        audiopg.render(prior.sample(torch.arange(64), seed=0))
    )
for name in ("esc10", "urbansound8k", "speech_commands"):
    recordings = find_dataset(name, audiopg.data_folder())
    if recordings is None:
        continue
    chosen = np.linspace(0, len(recordings) - 1, 100).astype(int)
    cache = cached_waves(recordings.take(chosen), progress=False)
    counted[recordings.name] = silence(map(cache.native, range(len(cache))))
columns = ["near-silent frames (%)", "samples of zero (%)"]
silent = pd.DataFrame.from_dict(counted, orient="index", columns=columns)
silent.round(1)

# %% [markdown]
# The reason holds for `full` against ESC-10 and Speech Commands, but not against UrbanSound8K, which is
# hardly ever silent. Nor does it hold for synthesis as such. `dynamic`, which lacks the noise floor, is
# silent for about half of the time, and yet it is ahead of the never silent `harmonic` in the paper's
# table. So silence alone does not decide. FSD50K, from which the paper draws its recordings, is not at
# hand.
#
# ### On clean folds
#
# The recipe of all these networks was chosen with `full`, on folds 1 and 2 of ESC-10 and UrbanSound8K
# ([chapter 3](03_pretraining.ipynb)). So it may suit `full`, and these folds, too well. The next table
# has the same gains on the *clean* folds, which had no part in the choice. On a single fold ± is of
# the seeds alone. Speech Commands is left out, because its test part had no part in the choice anyway.

# %%
untouched = {"esc10": ["3", "4", "5"], "urbansound8k": ["10"]}
tables = [gain_table(stages, folds=untouched), gains_of_full(untouched)]
named = {
    "ESC-10": "ESC-10, folds 3 to 5",
    "UrbanSound8K": "UrbanSound8K, fold 10",
}
pd.concat(tables)[list(named)].rename(columns=named)

# %% [markdown]
# On the clean folds most gains on ESC-10 are smaller, and so are about half of those on UrbanSound8K.
# `full` stays ahead of `sine` and of the untrained network, but no single stage gains beyond chance.
# Some leads of `full` over log-mel statistics and over recordings change their sign. All these changes
# may be chance, because the folds are few.
#
# ## What does an hour buy?
#
# In our runs, four times as many clips do not settle whether synthesis or recordings teach more. Figure
# 3 of the paper shows accuracy over the time of pre-training, for both. The text that we have lacks its
# curves, but Table 3 has points of them ({numref}`fig-figure-3`).

# %% mystnb={"figure": {"caption": "Points of the paper's Figure 3, as its Table 3 gives them: accuracy after 50 epochs of fine-tuning, against the time of pre-training. The lines only join the points.", "name": "fig-figure-3"}, "image": {"alt": "Two panels over minutes of pre-training. On ESC-50, synthesis goes from 82 per cent at 19 minutes to 85 at 183; recordings from 72 at 18 minutes to 87 at 217. On UrbanSound8K, synthesis from 86 to 88, recordings from 84 to 88"}}
points = {
    "synthesis": ["full", "full, 500 epochs"],
    "recordings": ["real audio, time-matched", "real audio, full training"],
}
figure, axes = plt.subplots(1, 2, figsize=(plots.WIDTH, 2.8))
for axis, column in zip(
    axes, ("ESC-50 (%)", "UrbanSound8K (%)"), strict=True
):
    for name, rows_of in points.items():
        part = paper_table("table_3").loc[rows_of]
        minutes = part["pre-training (s)"] / 60
        axis.plot(minutes, part[column], marker="o", label=name)
    axis.set(xlabel="minutes", ylabel=column, xscale="log")
    axis.set_xticks([20, 50, 100, 200], ["20", "50", "100", "200"])
    axis.minorticks_off()
handles = axis.get_legend_handles_labels()
figure.legend(*handles, loc="outside upper left", ncols=2)
plt.show()

# %% [markdown]
# For our figure we train for four times as many clips as above, on synthesis and on recordings with
# words. These three runs, one on synthesis and two on recordings, used the same kind of processor, but
# the one on synthesis shared it with other work. The tables show what each run reached, and what
# synthesis gained over recordings. {numref}`fig-efficiency` shows the accuracy during training, on
# ESC-10 and with mean pooling. `python -m audiopg reproduce long` makes these runs again.

# %%
long = {
    "synthesis": f"long-{scale}",
    "recordings, for ESC-10": f"long-real-for-esc10-{scale}",
    "recordings, for UrbanSound8K": f"long-real-for-urbansound8k-{scale}",
}
outcome_table(long)

# %%
pd.concat(
    gain_table({name: long[name], "synthesis": long["synthesis"]})
    for name in list(long)[1:]
).fillna("–")

# %% mystnb={"figure": {"caption": "Accuracy on ESC-10 of a linear probe with mean pooling, ± the standard deviation over folds, against the minutes of one core (left) and against clips (right).", "name": "fig-efficiency"}, "image": {"alt": "Two panels with points that rise from about 70 per cent: synthesis goes on to 84; recordings stay near 80 from a quarter of the clips on, a little above the dotted line of log-mel statistics"}} tags=["nbval-ignore-output"]
curves = efficiency("esc10", scale)
if curves:
    figure, axes = plt.subplots(1, 2, sharey=True)
    for name, runs in curves.items():
        runs = sorted(runs, key=lambda run: run[1])
        seconds, heard, accuracy, deviation = np.array(runs).T
        # How long a run takes is also a matter of what else the machine
        # does, so only over clips are runs joined.
        for axis, places, line in (
            (axes[0], seconds / 60, "none"),
            (axes[1], heard, "-"),
        ):
            axis.errorbar(
                places,
                accuracy,
                deviation,
                marker="o",
                capsize=3,
                linestyle=line,
                label=name,
            )
    averaged = "set == 'ESC-10' and pooling == 'mean'"
    levels = probed.query(averaged).groupby("row")["accuracy"].mean()
    for name, line in (("untrained", "--"), ("log-mel", ":")):
        for axis in axes:
            axis.axhline(
                levels[name],
                color=plots.PALETTE["grey"],
                linestyle=line,
                label=name,
            )
    labels = "minutes of pre-training", "clips heard"
    for axis, label in zip(axes, labels, strict=True):
        axis.set(xscale="log", xlabel=label)
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axis.xaxis.set_major_formatter("{x:,g}")
        axis.xaxis.set_minor_formatter("")
    axes[0].set_ylabel("accuracy (%)")
    handles = axes[1].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper left", ncols=2)
    plt.show()

# %% [markdown]
# The next table has the probes during training, on every set. At all of them the learning rate was still
# at its full height; it falls only near the end. The accuracies of a cell are again with mean and with
# frequency pooling:

# %%
along = {}
for label, name in long.items():
    record = read_record(name) or {"metrics": {}}
    for clips, found in record["metrics"].get("milestones", {}).items():
        for tested in found["probes"]:
            column = (
                f"{tested.partition(',')[0]}, {label.partition(',')[0]}"
            )
            along.setdefault(column, {})[int(clips)] = " / ".join(
                f"{100 * found[probes][tested]['mean']:.1f}"
                for probes in ("probes", "probes_by_frequency")
            )
pd.DataFrame(along).rename_axis("clips heard")

# %% [markdown]
# With synthesis the probe rises on ESC-10 and UrbanSound8K, unevenly, up to 25,600 clips. From there to
# the end of the run, at 51,200 clips, three of the four accuracies on these two sets change by less
# than a point.
#
# In the paper recordings come out ahead in the end. Here they do not. On both sets the lead changes
# along the way. At the end synthesis is ahead on both sets with both poolings, but no lead is beyond
# chance.
#
# This does not yet make synthesis the better teacher. Our recordings are few: on average the network
# heard each file ten times in the row for ESC-10, and seventeen times in the row for UrbanSound8K. And
# they are short, so they are repeated. Last, each of these runs has one seed, so the errors leave out
# how much seeds differ. The errors in the [scoreboard](../book/preface.md#what-we-found) allow for it.
#
# On Speech Commands only the run on synthesis is probed. With mean pooling it does best at 6,400 clips,
# then loses several points, and regains some of them at the end. With frequency pooling, the accuracy
# still rises. One possible reason: late in training, a dimension of the tokens may mean one thing in a
# low band and another in a high one, and an average over all tokens mixes the two.
#
# ## How wide, how many
#
# Table 4 of the paper asks how much depends on two settings of the curriculum: the range of the
# fundamental $f_0$, and how many events a clip has. The text that we have does not say what "narrow"
# and "wide" are. We chose 200 to 1,000 Hz and 20 to 4,000 Hz; the default is 50 to 2,000 Hz.

# %%
density = {
    "narrow f0": f"sensitivity-narrow-f0-{scale}",
    "default f0, 1-5 events": f"curriculum-full-{scale}",
    "wide f0": f"sensitivity-wide-f0-{scale}",
    "1 event": f"sensitivity-1-event-{scale}",
    "5-10 events": f"sensitivity-5-10-events-{scale}",
}
outcome_table(density)

# %%
gain_table(density, against="default f0, 1-5 events")

# %% [markdown]
# Here is the paper's table. Its default has other accuracies than `full` has in Table 3: [the paper
# disagrees with itself](../book/paper.md#where-the-paper-disagrees-with-itself).

# %%
paper_table("table_4")

# %% [markdown]
# In the paper's table the range of $f_0$ hardly matters, and single events cost most. Our rows agree
# about the range, though their errors are too large to settle it.
#
# With one event per clip, though, our probe stays within about a point of the default on ESC-10 and
# UrbanSound8K, and loses some points only on Speech Commands. Clips of 5 to 10 events gain on ESC-10
# with mean pooling, as in the paper on ESC-50, but not with frequency pooling. Each of these rows except
# the default has one seed, and the wide range ran on another processor.
#
# `make paper` makes every row of this book that has no record yet. `python -m audiopg reproduce
# sensitivity` makes those of this table alone, and with `--list` it says how long each takes. With a
# GPU they run at the paper's scale, which has not been done yet.
#
# ## Who can reconstruct what?
#
# The last experiment runs here and now: four networks so small, and runs so short, that a CPU trains
# them in less than a minute. Each is tested on held-out clips of every curriculum. A row is a network, a
# column the curriculum that it reconstructs. A network that predicts the same value everywhere in a
# patch would have a loss of 1, or less if the patch really is constant.

# %%
runs = {}
for name in presets:
    settings = audiopg.PretrainSettings(
        preset=audiopg.at_scale(smoke="micro", paper="base"),
        prior=name,
        steps=audiopg.at_scale(smoke=32, paper=7813),
        batch_size=audiopg.at_scale(smoke=4, paper=64),
        learning_rate=audiopg.at_scale(smoke=3e-3, paper=1e-4),
        warmup_steps=audiopg.at_scale(smoke=8, paper=0),
        schedule=audiopg.at_scale(smoke="cosine", paper="constant"),
    )
    runs[name] = audiopg.pretrain(settings, progress=False).model.cpu()

# %%
log_mel = audiopg.LogMel()
clips = torch.arange(10**6, 10**6 + 16)
loss = pd.DataFrame(index=presets, columns=presets, dtype=float)
for heard in presets:
    mel = log_mel(
        audiopg.render(
            audiopg.SynthPrior.preset(heard).sample(clips, seed=0)
        )
    )
    for trained_on, model in runs.items():
        with torch.no_grad():
            loss.loc[trained_on, heard] = model(
                mel, clips, seed=0
            ).loss.item()
loss.round(2)

# %% [markdown]
# In each column the network that heard that curriculum has the lowest loss, mostly by a hair. After so
# short a run, a loss may even be above 1.
#
# The `dynamic` column is low for every network, for a reason that has nothing to do with learning.
# Between the events of `dynamic` there is digital silence, whose patches really are constant. The noise
# floor of `full` leaves no such easy patches. So do not compare losses across columns.
#
# ## What it means
#
# In the paper each stage helps on both sets, and damping and noise help more than the stage before them.
# Our rows agree that `full` is ahead of `sine`, and, over all folds, that damping and noise help.
# Partials help with mean pooling alone. Whether events and envelopes help on sounds other than words,
# our probes cannot tell: the network is small, it heard 12,800 clips, and the recordings are few.
#
# On words this is the noise floor alone, on the other sets perhaps half of it. It fills the silence
# between events, from which nothing is learned.
#
# The paper also claims that, in the same short time, synthesis is a better start than recordings, and
# that recordings come out ahead with far more time. Our runs can tell neither: the differences are
# within chance, with 12,800 clips and with four times as many.
#
# What is uncertain: the paper's table has one run a row and no interval. Ours have few seeds (the column
# *seeds*). With two seeds, and mean pooling, the gains of partials and of damping with noise were just
# not beyond chance. We then added a third seed to the rows of all curricula, and of all recordings, in
# the first table. If one looks at a result before one decides whether to add seeds, it looks surer than
# it is.
#
# Our recordings are too few and too short for a verdict on recordings in general. The folds of
# UrbanSound8K are three of its ten.
#
# ### Change this
#
# 1. Train the four networks of the last table for four times as many steps. Is each network still the
#    best on the curriculum that it heard, and by how much?
# 2. Replace the presets by the settings of Table 4, which have names: `prior="5-10 events"`.
#
# ```{dropdown} What you might find
# 1. The diagonal sharpens: with more steps, each network gains a lead on its own curriculum.
# 2. With five networks and five settings, the networks hardly differ within a column: so short a run
#    learns only what the settings share. In the recorded runs, one event has the lowest held-out loss
#    of the five, each measured on its own clips. Its probe is no better: clips of one event are easier
#    to fill in, and teach no more.
# ```
#
# ## How the rows were made
#
# - The *held-out loss* is measured on the curriculum of the row (for recordings, on `full`). So it
#   cannot be compared between curricula.
# - Speech Commands has one test part, here called fold 3, so its cells show no deviation.
# - The rows of recordings repeat a comparison of the paper. Each window of a recording is as long as a
#   clip. The recordings come from the other sets at hand, never from the set that is probed. The few
#   recordings that ESC-10 and UrbanSound8K have in common ([field
#   notes](../book/field_notes.md#data-sets-and-their-tables)) were left out.
# - The rows *with words* draw on the other set of sounds and on Speech Commands. Each file is heard
#   equally often. So 50 % of the windows for ESC-10, and 87 % of those for UrbanSound8K, are single
#   spoken words of a second, repeated ten times. The rows *without words* draw on the other set of
#   sounds alone. On average, each file was heard this many times: with words 2.5 (for ESC-10) and 4.2
#   (for UrbanSound8K), without words 5 and 33. No synthetic clip came twice.
# - *CPU min* are the minutes of one core for the pre-training, averaged over the seeds. `dynamic` has
#   the most because one of its seeds ran on a slow processor. The first two seeds of the rows of
#   recordings ran on another kind of processor than those of `full`. [Chapter
#   9](09_beyond.ipynb#what-the-probes-say) shows how much rounding alone can change an accuracy.
#
# ## When is a gain beyond chance?
#
# Let $a_k$ and $b_k$ be the accuracies of two rows on fold $k$ of $F$, averaged over $n_a$ and $n_b$
# seeds. Let $s^2$ be the variance between seeds of the same row, averaged over the rows of a table that
# have several seeds. The gain $\Delta$ and its standard error are
#
# $$
# \begin{aligned}
# \Delta &= \frac{1}{F} \sum_{k=1}^{F} (a_k - b_k), \\
# \operatorname{se}^2 &= \left(\frac{1}{F} + \frac{1}{F - 1}\right)
#   \frac{1}{F - 1} \sum_{k=1}^{F} (a_k - b_k - \Delta)^2 \\
# &\quad {} + s^2 \left(\frac{1}{n_a} + \frac{1}{n_b}\right) .
# \end{aligned}
# $$ (eq-gain)
#
# If the folds were independent, the first bracket would be $1/F$ alone. But the probes of different
# folds share clips that they are trained on. The second fraction of the bracket allows for that
# {cite}`nadeau2003`: it is the number of test clips over the number of training clips. Where no row of
# a table has several seeds, $s^2$ is unknown, and its term is left out. Since $s^2$ is averaged over
# the rows of one table, the same gain can have another error in another table.
#
# A set with one test part, such as Speech Commands, has $F = 1$, so the first term is unknown. The
# second alone is shown, and marked *(seeds)*. It leaves out that other speakers or recordings in the
# test part would change the gain. That may be the larger part of the error: in [chapter
# 4](04_transfer.ipynb) the intervals for Speech Commands, which are over speakers, reach about six
# points to each side of an accuracy. Two networks that are tested on the same speakers share some of
# this luck, but our records do not tell how much. So such a gain never has a star, and no verdict of
# the scoreboard uses its ±.
#
# A gain is beyond chance if its interval of 95 % lies wholly on one side of zero. Folds and seeds are
# few, so the interval is that of Student's *t*. With one seed it reaches 2.8 standard errors to each
# side for five folds, and 4.3 for three. With several seeds it is narrower, because *t* then has more
# degrees of freedom (by the formula of Welch and Satterthwaite). Where the true gain is zero, about one
# gain in twenty still gets a star. We never give one to a gain over two folds, whose error is too
# uncertain.
