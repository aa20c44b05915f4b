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
# # Start here
#
# *Three minutes: hear a sound that nobody recorded, hide three quarters of it, and see a network fill in
# the rest. Then try a sound of your own.*
#
# ## 1. Hear a clip
#
# No instrument made this sound, and no microphone heard it. A page of arithmetic made it: an oscillator
# plays two notes, each with its own envelope, over a little noise. Press play.

# %% tags=["hide-input"]
import torch

import audiopg
from audiopg.book import widgets
from audiopg.pretrained import load_model

clip = torch.tensor([1_000_019])
params = audiopg.SynthPrior.preset("full").sample(clip, seed=0)
widgets.side_by_side({"AudioPG, preset full, seed 0, clip 1000019": params})

# %% [markdown]
# The picture shows the sound as a waveform, as a *log-mel spectrogram* and as a spectrum. The network
# sees only the log-mel spectrogram. In it, time runs from left to right and frequency from bottom to
# top.
#
# ## 2. Hide three quarters of it
#
# The spectrogram is cut into 512 patches. Of these, 384 are chosen at random and hidden, and a network
# fills them in. The network was trained only on sounds of this kind, and never on this one. Press play,
# then move the slider from left to right.

# %% tags=["hide-input", "nbval-ignore-output"]
log_mel = audiopg.LogMel()
mel = log_mel(audiopg.render(params))
with torch.no_grad():
    output = load_model("tiny")(mel, clip, seed=0)
heard = widgets.heard_reconstructions(
    log_mel, mel, output, ["clip 1000019"]
)
places = ["the clip", "three quarters hidden", "filled in by the network"]
widgets.sweep("you hear", places, heard.players)

# %% [markdown]
# The network continues lines that it sees only in part, and both notes begin and end where they should.
# Nobody told it what a note is. But it had some help. The network says only which pattern a hidden patch
# has; the loudness and the contrast of the patch come from the original. All three sounds are a little
# rough, even the first. They were made from spectrograms, which have no phases, so the phases had to be
# estimated.
#
# Is what the network has learned worth anything on real sounds? This book asks that question. The
# [scoreboard](../book/preface.md#what-we-found) has the short answers.
#
# ## 3. Try a sound of your own
#
# In [the laboratory](../book/laboratory.md#a-sound-of-your-own) the same network runs in your browser.
# Drop a recording of a voice, a bird or a door anywhere on the page. Then start the network, and hide
# what you like with the mouse or a finger. The sound stays on your machine.
#
# ## 4. Then the chapters
#
# Each chapter takes some minutes to read, and each can be run.
#
# | if you wonder | read |
# | --- | --- |
# | how arithmetic makes a sound | [1 The synthesizer](01_synthesizer.ipynb) |
# | what the network is given to hear | [2 A curriculum of clips](02_curriculum.ipynb) |
# | how the network learns, and what training costs | [3 Pre-training](03_pretraining.ipynb) |
# | what the training is worth on dogs, sirens and words | [4 Transfer to real audio](04_transfer.ipynb) |
# | which part of the synthesizer does the work | [5 Ablations and efficiency](05_ablations.ipynb) |
# | whether the network knows what pitch is | [6 What the latent space knows](06_latent_space.ipynb) |
# | what its first layer looks for | [7 How patch filters grow](07_patch_filters.ipynb) |
# | how it adapts to the recordings of one place | [8 Adapting to a target domain](08_adaptation.ipynb) |
# | what the synthesizer still lacks | [9 Beyond the paper](09_beyond.ipynb) |
# | where to find a table or figure of the paper | [The paper, piece by piece](../book/paper.md) |
