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
# # Adapting to a target domain
#
# *You have recordings of the place you want to listen in, but no labels. Are they of use?*
#
# A microphone in a workshop records hours of sound, and nobody annotates them. The network of chapter
# 3 has never heard this workshop. But it needs no labels to guess what is hidden. So it can go on
# learning from these recordings, starting from the weights $\theta_0$ that it learned on synthesis:
#
# $$
# \begin{gathered}
# \theta_\text{adapted} = \operatorname{minimise}_\theta\
# \mathbb{E}_{x \sim \text{target}}\, \mathbb{E}_M\, \mathcal{L}(x, M; \theta), \\
# \text{starting at } \theta_0.
# \end{gathered}
# $$ (eq-adapt)
#
# Here $\mathcal{L}$ is the loss of {eq}`eq-loss`, $x$ is a recording of the target, and $M$ is the
# set of hidden patches. A control starts at random weights instead. It tells what the recordings
# alone are worth.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import torch

import audiopg
from audiopg.book import plots, widgets
from audiopg.book.experiments import SETS, outcome_table, seed_table
from audiopg.book.reproduce import link_files, training_files
from audiopg.datasets import find_dataset, load_clips
from audiopg.pretrained import load_model
from audiopg.records import paper_table, read_record
from audiopg.synth import CLIP_SAMPLES

plots.use_style()

# %% [markdown]
# ## Adapt, live
#
# The target is ESC-10 {cite}`piczak2015`, if it is at hand. We train `tiny` for a few more steps on
# random windows of folds 1 to 4, without their labels. Fold 5 is kept for testing.

# %% tags=["nbval-ignore-output"]
clips = find_dataset("esc10", audiopg.data_folder())
folder = Path(tempfile.mkdtemp())
if clips is None:
    print("No recordings: AUDIOPG_DATA names no ESC-10 (see the README).")
    print("The target below is another curriculum of synthetic sound.")
    target = {"prior": "sine"}
else:
    target = {
        "audio": link_files(
            {"esc10": training_files(clips, part="last")}, folder / "audio"
        )
    }
settings = audiopg.PretrainSettings(
    preset=audiopg.at_scale(smoke="tiny", paper="base"),
    start=audiopg.at_scale(smoke="tiny", paper="runs/paper"),
    class_token=audiopg.at_scale(smoke=False, paper=True),
    steps=audiopg.at_scale(smoke=12, paper=3906),
    batch_size=audiopg.at_scale(smoke=8, paper=64),
    learning_rate=audiopg.at_scale(smoke=3e-4, paper=1e-4),
    warmup_steps=audiopg.at_scale(smoke=3, paper=0),
    precision="auto",
    **target,
)
adapted = audiopg.pretrain(settings, progress=False).model.cpu().eval()

# %% [markdown]
# ## What has changed
#
# The table shows the losses of the network before adapting and after it. The network fills in 20 clips
# of the target and 20 new clips of the `full` curriculum. It has trained on none of these clips.

# %% tags=["nbval-ignore-output"]
first = load_model(settings.start)
log_mel = audiopg.LogMel()
numbers = torch.arange(3 * 10**6, 3 * 10**6 + 20)
synthetic = audiopg.SynthPrior.preset("full").sample(numbers, seed=0)
if clips is None:
    waves = audiopg.render(
        audiopg.SynthPrior.preset("sine").sample(numbers, seed=0)
    )
else:
    rows = (clips.folds == clips.test_folds[-1]).nonzero()[0][::4]
    waves = load_clips(
        [clips.paths[row] for row in rows], CLIP_SAMPLES, progress=False
    )
heard = {
    "the target": log_mel(waves),
    "the synthesizer": log_mel(audiopg.render(synthetic)),
}
loss = {}
for name, model in (("before", first), ("after", adapted)):
    with torch.no_grad():
        loss[name] = {
            source: model(mel, numbers, seed=0).loss.item()
            for source, mel in heard.items()
        }
pd.DataFrame.from_dict(loss, orient="index").round(3)

# %% [markdown]
# The loss on the target falls, as we wanted. The price is in the second column: the loss on synthetic
# sound rises. A network that goes on learning forgets what it no longer hears.
#
# ## See and hear it
#
# {numref}`fig-adapted` shows one clip of the target. Recordings have a texture that the
# synthesizer lacks. Does the lower row have more of it? After so few steps there may be little to see.

# %% mystnb={"figure": {"caption": "A held-out clip of the target, what is seen of it, and the reconstruction before adapting (above) and after (below).", "name": "fig-adapted"}, "image": {"alt": "Two rows of original, masked and reconstructed log-mel spectrograms of the same clip"}} tags=["nbval-ignore-output"]
one = heard["the target"][:1]
outputs = []
for model in (first, adapted):
    with torch.no_grad():
        outputs.append(model(one, numbers[:1], seed=0))
plots.reconstructions(
    one.expand(2, -1, -1),
    torch.cat([audiopg.reconstruct(one, output) for output in outputs]),
    torch.cat([output.mask for output in outputs]),
    ["before", "after"],
)
plt.show()

# %% tags=["nbval-ignore-output"]
widgets.heard_reconstructions(log_mel, one, outputs[1], ["after adapting"])

# %% [markdown]
# ## Is it worth anything?
#
# A lower loss does not yet make a better encoder ([chapter 4](04_transfer.ipynb) has an example). So we
# probe the networks of recorded runs. The runs that adapt begin with the network `full` of [chapter
# 5](05_ablations.ipynb), which was trained on 12,800 synthesized clips. The control is trained from
# scratch. Both hear 12,800 windows of the target's recordings, without labels: folds 1 to 4 of ESC-10,
# folds 1 and 2 of UrbanSound8K, or the training part of our ten spoken words.
#
# A linear probe is then trained on the same recordings. It is tested on the fold that the network has
# not heard (fold 3 of Speech Commands is its test part). Each row has one seed. The first accuracy of a
# cell, in per cent, is with mean pooling, the second with frequency pooling.

# %%
scale = audiopg.at_scale(smoke="cpu", paper="paper")
rows = {
    "synthesis alone": [f"before-adapting-{scale}"],
    "synthesis, then the target": [
        f"adapt-to-{name}-{scale}" for name in SETS
    ],
    "the target alone": [f"target-only-{name}-{scale}" for name in SETS],
}
outcomes = outcome_table(
    {name: name for names in rows.values() for name in names}
)
took = ["clips", "CPU min", "held-out loss"]
reached = outcomes.drop(columns=[*took, "seeds"])
found = {
    label: reached.loc[names].apply("".join).to_dict()
    for label, names in rows.items()
}
sets = list(reached) or ["accuracy"]
table = pd.DataFrame(found, index=sets, dtype=object).T
table.replace("", "not run yet").fillna("not run yet")

# %% [markdown]
# Here is what each run took, in minutes of one core, and what loss it reached. The rows *adapt-to* do
# not count the synthetic clips that came before. The *held-out loss* is measured on synthetic clips
# of `full`.

# %%
outcomes[took]

# %% [markdown]
# The rise of this loss in the rows *adapt-to* shows how much was forgotten. After Speech Commands it
# is about 1, no better than guessing each patch's mean.
#
# Was the network that both went on from a lucky one? It is seed 0 of `full`. Here are three seeds on
# the same test parts:

# %%
last = {"esc10": ["5"], "urbansound8k": ["10"]}
seeds = seed_table({"full": f"curriculum-full-{scale}"}, folds=last)
seeds["seed"] = seeds.groupby(["set", "pooling"]).cumcount()
seeds.pivot(
    index=["set", "pooling"], columns="seed", values="accuracy"
).round(1)

# %% [markdown]
# The probes do not agree about what was gained:
#
# - On ESC-10 the rows differ by two clips of 80 at most, so nothing can be told.
# - On UrbanSound8K the network that went on to the target loses five points with mean pooling, and
#   gains six with frequency pooling. But it began at the best of three seeds, which is seven points
#   ahead of the other two with mean pooling. So the loss may be the luck of the start.
# - On Speech Commands it loses twelve and fifteen points. It ends below the network that heard the
#   target alone. The three seeds lie four points apart, so this is not the luck of the start.
#
# The luck of the test clips comes on top. [Chapter 4](04_transfer.ipynb#how-sure) has intervals of
# some six points to either side, on Speech Commands and on three folds of UrbanSound8K. On Speech
# Commands the drop is twice as large. So going on to the target can harm. On the one fold of
# UrbanSound8K, the gain and the loss are both in doubt.
#
# `python -m audiopg reproduce adapt target before` makes these rows again (with `--scale paper`, on a
# GPU and at the paper's size).
#
# ## Filled in, or copied?
#
# Why should a network that goes on to speech become worse at speech? Its training loss has a clue. On
# Speech Commands this loss falls to 0.25; on the other two targets it stays above 0.5. A spoken word
# lasts a second, and is repeated ten times to fill 10.24 s (as in Section 4.1 of the paper). So what is
# hidden in one repeat can be heard in another. The best way to fill in a patch is then to copy it, and
# what words sound like does not matter. Copying is of no use to the probe, which takes every clip at its
# own length, without repeats.
#
# If this is so, the network should fail where nothing repeats. So each network fills in 100 test
# clips of the target (80 for ESC-10) in two ways. *Repeated* clips are repeated as in training.
# *Joined* clips are put end to end with other clips of the same set. The table has the losses:

# %%
names = dict(
    zip(SETS, ("ESC-10", "UrbanSound8K", "Speech Commands"), strict=True)
)
measured = (read_record("bench-repeats") or {"metrics": {}})["metrics"]
losses = {
    f"{names[one]}: {row}": found
    for one, networks in measured.items()
    for row, found in networks.items()
}
pd.DataFrame.from_dict(losses, orient="index").round(3)

# %% [markdown]
# The network does fail. On Speech Commands adapting lowers the loss of repeated words from 0.78 to
# 0.25. It raises the loss of joined words from 0.84 to 1.39, far worse than guessing the mean. The
# network has learned to copy and has unlearned to fill in. Recordings of UrbanSound8K last up to four
# seconds: the loss of repeated clips falls, and that of joined clips does not. Clips of ESC-10 last
# five seconds and come about twice: both losses fall. The network that heard synthesis alone makes
# little use of repeats: its own clips have none.
#
# Repeats affect every comparison with recordings in this book, and may favour synthesis ([chapter
# 5](05_ablations.ipynb)). The paper's recordings, those of FSD50K, last 0.3 to 30 s. Its text does
# not say how many of them were repeated. `python -m audiopg bench repeats` makes the table again.
#
# ## The paper's figures
#
# This is the paper's Table 5. Masked autoencoding continues on the recordings of FSD50K
# {cite}`fonseca2022`, then the whole network is fine-tuned on each set.

# %%
paper_table("table_5").astype(object).fillna("–")

# %% [markdown]
# The first three rows are other work, fine-tuned without adaptation. (MSM-MAE has another accuracy on
# UrbanSound8K in Table 1: [the paper disagrees with
# itself](../book/paper.md#where-the-paper-disagrees-with-itself).) The paper concludes that adapted
# AudioPG outperforms models pre-trained on AudioSet "on aligned environmental domains". In this table
# that holds on UrbanSound8K and FSD50K. On ESC-50 AudioPG is ahead of two of the three models, and three
# points behind MSM-MAE.
#
# The networks of the last two rows seem to have heard the test clips of FSD50K, without labels
# ([why](../book/paper.md#where-the-paper-disagrees-with-itself)).
#
# The control of the paper (*ImageNet*) was pre-trained on photographs. Ours is *the target alone*,
# the same network begun at random weights. No row has been run at the paper's scale yet.
#
# ## What it means
#
# Are unlabelled recordings of use? Spoken words of a second made
# the network worse, most likely because repeats teach it to copy. With recordings of four or five
# seconds our test clips are too few to tell. A low training loss is no sign of help: it was lowest on
# words, where the probe fell. So look first at the length of your recordings (`python -m audiopg data
# PATH` prints it). Then probe the encoder before and after adapting.
#
# What is uncertain: each row is one run. We tuned neither the number of steps nor the rate. Two
# remedies are untried: to mix in synthetic clips against forgetting, and to join recordings instead
# of repeating them.
#
# ### Change this
#
# 1. Adapt for four times as many steps. When does the first column stop falling, and what happens to
#    the second?
# 2. Adapt with `learning_rate=1e-3`, then with `1e-4`. Which forgets less for the same gain?
#
# ```{dropdown} What you might find
# 1. The first column still falls, but more slowly: the further steps gain a third of what this page's
#    twelve steps gained. In all, the second column rises three times as far as it rose on this page.
# 2. On ESC-10 the higher rate gains little more than the chapter's, and forgets five times as much.
#    The lower rate gains three quarters as much as the chapter's, and forgets a fifth as much.
# ```
