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
# *Pitch can be read from the embedding with $R^2 = 0.99$. Is that knowledge, or is it arithmetic?*
#
# The synthesizer knows the truth about each clip: its pitch, its loudness over the noise, its onset.
# So one can ask an encoder about them. The paper does, and finds single neurons that track pitch,
# and a linear read-out that is all but perfect. We ask the same questions, and put them to an
# untrained network as well.

# %%
import matplotlib.pyplot as plt
import pandas as pd
import torch

import audiopg
from audiopg import plots
from audiopg.analysis import (
    mutual_information,
    permutation_null,
    principal_components,
    ridge_r2,
)
from audiopg.records import paper_table
from audiopg.transfer import log_mel_statistics

plots.use_style()

# %% [markdown]
# ## Mutual information, on something known
#
# Correlation asks whether one quantity is a straight line of another. *Mutual information* asks how
# much knowing one narrows down the other, whatever the shape, in units called nats:
#
# $$
# I(X; Y) = \iint p(x, y) \log \frac{p(x, y)}{p(x)\, p(y)} \, dx \, dy
# $$ (eq-information)
#
# It is 0 when the two are independent. The estimator of Kraskov and others {cite}`kraskov2004` needs
# no bins: around each sample it finds the distance $\epsilon_i / 2$ to the $k$-th neighbour in the
# plane, and counts how many samples, $n_x$ and $n_y$, are closer in each coordinate alone.
#
# $$
# \hat I = \psi(k) + \psi(n) - \bigl\langle \psi(n_x + 1) + \psi(n_y + 1) \bigr\rangle
# $$ (eq-kraskov)
#
# For two Gaussians of correlation $\rho$ the truth is $-\tfrac12 \log(1 - \rho^2)$, so the estimator
# can be checked.

# %%
generator = torch.Generator().manual_seed(0)
x, noise = torch.randn(2, 2000, generator=generator, dtype=torch.float64)
rows = []
for rho in (0.0, 0.5, 0.9, 0.99):
    rho = torch.tensor(rho)
    y = rho * x + (1 - rho**2).sqrt() * noise
    rows.append(
        (
            rho.item(),
            -0.5 * (1 - rho**2).log().item(),
            mutual_information(x[:, None], y)[0].item(),
        )
    )
pd.DataFrame(
    rows, columns=["correlation", "truth (nats)", "estimate (nats)"]
).round(2)

# %% [markdown]
# ## Clips with known factors
#
# A few hundred clips of the `full` curriculum from a seed that no run was trained on, and three
# factors: the fundamental frequency, in octaves; the relative intensity, in decibels over the noise
# floor; and the onset of the first event to sound. Three encoders answer: the trained one, the same
# network untrained, and no network at all but the mean and deviation of the log-mel spectrogram.

# %%
params = audiopg.SynthPrior.preset("full").sample(
    torch.arange(audiopg.at_scale(smoke=300, paper=5000)), seed=1
)
waves = audiopg.render(params)
factors = {
    "log f0": params.f0[:, 0].log2(),
    "relative intensity": audiopg.signal_to_noise(params),
    "onset": params.onset.masked_fill(~params.event_mask, torch.inf).amin(
        1
    ),
}
log_mel = audiopg.LogMel()
embeddings = {
    "trained": audiopg.load_encoder("tiny").embed(waves),
    "random": audiopg.Encoder.preset("tiny", seed=1).embed(waves),
    "log-mel": torch.cat(
        [log_mel_statistics(log_mel(part)) for part in waves.split(32)]
    ),
}

# %% [markdown]
# ## One neuron at a time
#
# The information that each dimension alone shares with the pitch, sorted. Among many dimensions the
# best will look good by luck, so the bar to clear is the *maximum* over dimensions when the clips'
# pitches are shuffled: 95 % of shuffles stay below the dotted line.

# %% mystnb={"figure": {"caption": "Mutual information of each dimension with log f0, in descending order.", "name": "fig-information"}, "image": {"alt": "Three falling curves of mutual information over dimensions, which begin above a dotted line for chance and cross it"}}
information = {
    name: mutual_information(values, factors["log f0"])
    for name, values in embeddings.items()
}
null = permutation_null(
    embeddings["trained"],
    factors["log f0"],
    permutations=audiopg.at_scale(smoke=40, paper=200),
)
plots.information_bars(information, null.quantile(0.95).item())
plt.show()

# %%
for name, values in information.items():
    print(
        f"{name}: the best dimension shares {values.max():.2f} nats "
        "with log f0"
    )
print(f"95 % of shuffles stay below {null.quantile(0.95):.2f} nats")

# %% [markdown]
# ## All neurons together
#
# A ridge regression reads a factor from the whole embedding. It is trained on three quarters of the
# clips and scored on the rest, five times over; $R^2$ is the share of variance explained there.

# %%
r2 = pd.DataFrame(
    index=list(embeddings), columns=list(factors), dtype=object
)
for factor, truth in factors.items():
    for name, values in embeddings.items():
        result = ridge_r2(values, truth)
        r2.loc[name, factor] = (
            f"{result.mean:.2f} ± {result.standard_deviation:.2f}"
        )
r2

# %% [markdown]
# Read down the columns, not along the rows. What log-mel or an untrained network can do was in the
# input; only what the trained network adds was learned. For these weights that is little for pitch,
# which the log-mel statistics give as well, and much for the onset. An average over time cannot say
# when something happened, unless each token was first made to say so.

# %% mystnb={"figure": {"caption": "The fundamental read from held-out clips by ridge regression on the trained encoder.", "name": "fig-ridge"}, "image": {"alt": "A scatter of predicted against true log fundamental frequency around the diagonal"}}
result = ridge_r2(embeddings["trained"], factors["log f0"])
plots.predicted_against_true(
    result.truth, result.predicted, "log f0", "octaves re 1 Hz"
)
plt.show()

# %% [markdown]
# ## How many directions are in use?
#
# Principal components are the directions in which embeddings vary most. The paper finds 96.49 % of
# the variance in the first 20.

# %% mystnb={"figure": {"caption": "Share of variance along each of the first 20 principal components.", "name": "fig-variance"}, "image": {"alt": "Three falling curves: the share of variance of each principal component for trained, random and log-mel features"}}
shares = {
    name: principal_components(values).variance_share
    for name, values in embeddings.items()
}
plots.variance_shares(shares)
plt.show()
for name, share in shares.items():
    print(f"{name}: 20 components hold {share.sum():.1%} of the variance")

# %% [markdown]
# ## The paper's figures
#
# For a ViT-B trained on 500,000 clips. The paper reports no figure for an untrained network.

# %%
paper_table("section_4_4")

# %% [markdown]
# ## What it means
#
# A high $R^2$ alone is no evidence of learning. A few components that hold nearly all the variance
# are none either: the same holds for features that nobody trained. The difference between the rows
# is the evidence, and at the scale of this page it is what the table shows, no more.
#
# | our run at the paper's scale | status |
# | --- | --- |
# | mutual information, 768 dimensions, 5,000 clips | not run yet |
# | ridge $R^2$, ViT-B against its random twin | not run yet |
#
# What is uncertain: the paper speaks of "amplitude" and "temporal position"; we take relative
# intensity and the first onset for them. Its clips for the analysis may vary one factor at a time,
# which makes every factor easier to read; ours vary all at once.
#
# ### Change this
#
# 1. Replace `log2` of the fundamental by the fundamental itself. Which estimate changes, and which
#    does not?
# 2. Ask about a factor that cannot be heard, such as `params.clip`.
#
# ```{dropdown} What you might find
# 1. $R^2$ changes, because a linear read-out cares about the scale. Mutual information hardly does:
#    it is the same for any monotone transformation, up to the error of the estimate.
# 2. Everything falls below the dotted line, and $R^2$ to 0 or less. Always ask one question whose
#    answer you know.
# ```
