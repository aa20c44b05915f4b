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
# # How patch filters grow
#
# *What does the first layer look for?*
#
# The first layer is the *patch projection*, or projection for short. It projects each $16 \times 16$
# patch of the spectrogram onto its filters, one filter for each dimension of the network. A filter is
# itself a $16 \times 16$ picture: 160 ms by 16 mel bands. In its Figure 6 the paper looks at the filters
# during training, and sees noise turn into bands and edges.
#
# Two things make such pictures treacherous. First, people see structure even in noise. Second, the
# principal components of the filters have no sign and, if their variances are close, no fixed order.
# From one snapshot of the weights to the next they flip and trade places, although nothing has changed.
# This chapter measures the first problem and corrects the second.

# %%
import matplotlib.pyplot as plt
import pandas as pd
import torch

import audiopg
from audiopg.analysis import (
    FilterGrowth,
    filter_components,
    filter_growth,
    shuffled_concentration,
    spectral_concentration,
)
from audiopg.book import plots, widgets
from audiopg.records import read_record, unpack

plots.use_style()
COLUMNS = [f"PC {place}" for place in range(1, 9)]

# %% [markdown]
# ## Principal filters
#
# Let the rows of $W$ be the filters, with 256 values each, and let $\bar W$ be their mean. The singular
# value decomposition is
#
# $$
# W - \bar W = U S V^{\top}
# $$ (eq-filters)
#
# The columns of $V$ are the *principal components*. As pictures of $16 \times 16$ values, they show what
# the filters have in common, in descending order of the variance they account for. Here are those of
# `tiny`, the network that comes with the package:

# %% mystnb={"figure": {"caption": "The first eight principal components of the patch projection of `tiny`: at initialisation and after training. Time runs to the right, frequency upwards; red and blue are weights of opposite sign.", "name": "fig-tiny-filters"}, "image": {"alt": "Two rows of eight small square pictures: random texture above; below, narrow horizontal stripes, and vertical stripes at the left and right edges"}}
projections = {
    "untrained": audiopg.Encoder.preset(
        "tiny", seed=0
    ).patch_projection.weight,
    "trained": audiopg.load_encoder("tiny").patch_projection.weight,
}
tiny = {
    name: filter_components(weight) for name, weight in projections.items()
}
plots.filter_grid(
    torch.stack([part.images for part in tiny.values()]),
    list(tiny),
    COLUMNS,
)
plt.show()

# %% [markdown]
# The upper row is noise. The lower row has narrow horizontal stripes, which run along time, and edges at
# the first or the last frame of the patch.
#
# ## What training added
#
# After a short training, the random initial weights hide what was learned. So we subtract them. The seed
# of the run tells what they were. If $W_t$ is the projection after $t$ steps, training added $W_t-W_0$.

# %% mystnb={"figure": {"caption": "The same network: principal components of the trained projection, and of what training added.", "name": "fig-tiny-changes"}, "image": {"alt": "Two rows of eight small pictures, much alike: horizontal stripes of alternating sign, and vertical stripes at the edges; the lower row has a little more texture"}}
added = projections["trained"] - projections["untrained"]
tiny["added"] = filter_components(added)
plots.filter_grid(
    torch.stack([tiny[name].images for name in ("trained", "added")]),
    ["trained", "added"],
    COLUMNS,
)
plt.show()

# %% [markdown]
# The *energy* of a matrix is the sum of its squares. How much of the energy of the trained weights was
# added? Training also shrinks the initial weights, and $W_t-W_0$ counts this as added, too.

# %%
first, trained = projections["untrained"], projections["trained"]
energy = trained.square().sum()
left = (first * trained).sum() / first.square().sum()
taken = ((1 - left) * first).square().sum() / energy
print(f"what was added: {added.square().sum() / energy:.1%} of the energy")
print(f"the shrinking alone: {taken:.1%} of the energy")

# %% [markdown]
# For `tiny` the subtraction hardly matters, because training added most of the energy. The part that
# comes from shrinking is a negative multiple of $W_0$, and $W_0$ is noise. This gives the lower row more
# texture.
#
# Stripes along time are frequency filters. They respond to a partial at one height in the patch, or to a
# jump in level from one mel band to the next. Patterns that change along time respond to beginnings and
# ends.
#
# ## Is that structure, or do we see faces in clouds?
#
# Take the two-dimensional spectrum of a picture. If the picture is a pattern of stripes, all its energy
# lies at one spatial frequency. If it is a band across the patch, its energy lies at a few low ones.
# The energy of noise lies at all of them. The *spectral concentration* is the share of the energy in
# the 12 strongest of the 255 frequencies:
#
# $$
# C = \frac{\sum_{12\ \text{strongest}} |F_{uv}|^2}{\sum_{(u, v) \neq (0, 0)} |F_{uv}|^2}
# $$ (eq-concentration)
#
# where $F$ is the Fourier transform of the picture. Here is the concentration of pictures that we know:

# %% mystnb={"figure": {"caption": "Five made-up pictures and their spectral concentration.", "name": "fig-toy-filters"}, "image": {"alt": "Five small pictures: stripes, a horizontal band, a vertical edge, a smooth blob, and noise"}}
generator = torch.Generator().manual_seed(0)
time, band = torch.meshgrid(
    torch.arange(16.0), torch.arange(16.0), indexing="ij"
)
toys = {
    "stripes": torch.cos(2 * torch.pi * band / 4),
    "band": (-((band - 8) ** 2) / 4).exp(),
    "edge": (time > 7).float() * 2 - 1,
    "blob": (-((band - 8) ** 2 + (time - 8) ** 2) / 12).exp(),
    "noise": torch.randn(16, 16, generator=generator),
}
pictures = torch.stack(list(toys.values()))
pictures -= pictures.mean(dim=(1, 2), keepdim=True)
pictures /= pictures.norm(dim=(1, 2), keepdim=True)
values = spectral_concentration(pictures)
titles = [
    f"{name}\n{value:.2f}"
    for name, value in zip(toys, values.tolist(), strict=True)
]
plots.filter_grid(pictures[None], [""], titles)
plt.show()

# %% [markdown]
# Noise does not score 0, because some of many random frequencies always stand out. So the filters need a
# control of their own. We shuffle the weights within each filter, which destroys only their arrangement,
# and repeat the analysis.

# %%
rows = {}
for name, part in tiny.items():
    weight = projections.get(name, added)
    shuffled = shuffled_concentration(weight).mean(dim=1)
    rows[name] = {
        "concentration": spectral_concentration(part.images).mean().item(),
        "shuffled": shuffled.mean().item(),
        "± over shuffles": shuffled.std().item(),
        "variance in PC 1 (%)": 100 * part.variance_share[0].item(),
    }
pd.DataFrame.from_dict(rows, orient="index").round(3)

# %% [markdown]
# So it is structure. What `tiny` has learned is far more concentrated than its shuffled weights, and the
# untrained projection is not.
#
# ## Snapshots that can be compared
#
# A run can store its projection at regular steps. To undo flips and exchanges, we rotate the components
# of each snapshot within the space they span, to bring them as close as possible to those of the next.
# Let the columns of $B$ be the components of one snapshot, and the columns of $A$ those of the next. The
# best rotation $\Omega$, flips included, has a closed form (Procrustes):
#
# $$
# \begin{gathered}
# \Omega = \arg\min_{\Omega^\top \Omega = 1} \lVert B\, \Omega - A \rVert^2 = U V^\top, \\
# \text{where}\quad B^\top A = U S V^\top
# \end{gathered}
# $$ (eq-procrustes)
#
# Here $U$, $S$ and $V$ are those of $B^\top A$. We try it on two snapshots of a small network that this
# page trains:

# %%
settings = audiopg.PretrainSettings(
    preset=audiopg.at_scale(smoke="micro", paper="base"),
    steps=audiopg.at_scale(smoke=64, paper=7813),
    batch_size=audiopg.at_scale(smoke=4, paper=64),
    learning_rate=audiopg.at_scale(smoke=3e-3, paper=1e-4),
    warmup_steps=audiopg.at_scale(smoke=8, paper=0),
)
weights = {}


def copy_weights(step, model, losses):
    if step % (settings.steps // 8) == 0:
        weights[step] = (
            model.encoder.patch_projection.weight.detach().cpu().clone()
        )


audiopg.pretrain(settings, watch=copy_weights, progress=False)
first, *later = weights
live = filter_growth(
    later, torch.stack([weights[step] - weights[first] for step in later])
)
print(f"kept the weights after {', '.join(map(str, weights))} steps")

# %% mystnb={"figure": {"caption": "What training added, at two snapshots of the live run: the later one, the earlier one as it is, and the earlier one rotated (*turned*).", "name": "fig-aligned"}, "image": {"alt": "Three rows of eight small pictures; those of the third row resemble those of the first more than those of the second do"}}
plain = filter_components(weights[later[3]] - weights[first])
plots.filter_grid(
    torch.stack((live.images[4], plain.images, live.images[3])),
    ["later", "earlier", "turned"],
    COLUMNS,
)
plt.show()

# %%
for name, images in (
    ("as it is", plain.images),
    ("turned", live.images[3]),
):
    likeness = (images * live.images[4]).sum(dim=(1, 2)).mean()
    print(f"earlier, {name}: mean cosine with the later {likeness:.2f}")

# %% [markdown]
# ### Watching it happen, live
#
# The slider shows what training added, from its first steps to its last.

# %% tags=["nbval-ignore-output"]
frames = {
    f"step {step}": plots.filter_grid(
        live.images[place : place + 1], [f"step {step}"], COLUMNS
    )
    for place, step in enumerate(live.steps.tolist())
}
widgets.figure_sweep(
    "training of the live run",
    frames,
    [f"Eight principal filters after {frame}" for frame in frames],
)

# %% [markdown]
# ## A longer run, on synthesis and on recordings
#
# Two recorded runs of `mini` (1.7 million weights) differ only in what they heard. One heard the
# synthesizer's clips, the other windows of recordings (city sounds and spoken words). Both began with
# the same weights and heard equally many clips.

# %%
record = read_record("analysis-tiny")
packed = record["metrics"]["packed"]
heard = record["settings"]["heard"]
growths, changes = {}, {}
for name in packed["filters"]:
    of = "recordings" if "recordings" in heard[name]["of"] else "synthesis"
    growths[of] = unpack(FilterGrowth, packed["filters"][name])
    changes[of] = unpack(FilterGrowth, packed["filter changes"][name])
    print(f"{of}: {heard[name]['clips']:,} clips of {heard[name]['of']}")
SOURCES = ["synthesis", "recordings"]

# %% tags=["nbval-ignore-output"]
frames = {
    f"{step} steps": plots.filter_grid(
        torch.stack([changes[of].images[place] for of in SOURCES]),
        SOURCES,
        COLUMNS,
    )
    for place, step in enumerate(changes["synthesis"].steps.tolist())
}
widgets.figure_sweep(
    "what training added, after",
    frames,
    [
        f"Principal filters of what {frame} added, on synthesis and on "
        "recordings"
        for frame in frames
    ],
)

# %% [markdown]
# The next figure shows the projection itself:


# %% mystnb={"figure": {"caption": "Principal filters of the recorded run on synthesis, in the form of the paper's Figure 6.", "name": "fig-figure-6"}, "image": {"alt": "Five rows of eight small pictures: random texture in the first; towards the last, broad patches of one sign and horizontal stripes in the texture"}}
def rows_of(growth):
    """Five snapshots, the first and the last among them."""
    chosen = torch.linspace(0, len(growth.steps) - 1, 5).round().long()
    titles = [f"step {step}" for step in growth.steps[chosen].tolist()]
    return growth.images[chosen], titles, COLUMNS


plots.filter_grid(*rows_of(growths["synthesis"]))
plt.show()

# %% mystnb={"figure": {"caption": "What training added in the same run.", "name": "fig-changes-synthesis"}, "image": {"alt": "Five rows of eight small pictures: horizontal bands, finer from row to row, and later patterns that change along time"}}
plots.filter_grid(*rows_of(changes["synthesis"]))
plt.show()

# %% mystnb={"figure": {"caption": "What training added in the run on recordings.", "name": "fig-changes-recordings"}, "image": {"alt": "Five rows of eight small pictures: horizontal bands, and broader patterns that change along time as well"}}
plots.filter_grid(*rows_of(changes["recordings"]))
plt.show()

# %% [markdown]
# ### Measured
#
# In the next two figures, the upper panel shows the concentration of the projection and of its shuffled
# weights (the band spans five shuffles). The lower panel shows the share of the filters' variance that
# the eight components hold. It also shows how much the space of these eight components has in common
# with that at the last step ([below](#the-same-filters) we say how this is measured).

# %% mystnb={"figure": {"caption": "Structure of the patch filters through training on synthesis.", "name": "fig-growth-synthesis"}, "image": {"alt": "Above, two curves of spectral concentration over steps, for the filters and the shuffled control; below, two curves in per cent"}}
plots.filter_growth(growths["synthesis"])
plt.show()

# %% mystnb={"figure": {"caption": "Structure of the patch filters through training on recordings.", "name": "fig-growth-recordings"}, "image": {"alt": "The same two panels for the run on recordings"}}
plots.filter_growth(growths["recordings"])
plt.show()

# %% [markdown]
# The table shows three snapshots of each series: the second, one in the middle, and the last. At step 0
# nothing has been added. So the series "added" begins at step 200, and its second snapshot is that of
# step 400.

# %%
rows = {}
for of in SOURCES:
    for what, found in (("projection", growths), ("added", changes)):
        table = found[of].table()
        steps = table.index[[1, len(table) // 2, -1]]
        for step in steps:
            rows[of, what, step] = table.loc[step]
columns = ["concentration", "concentration, shuffled", "share of variance"]
pd.DataFrame.from_dict(rows, orient="index")[columns].rename_axis(
    ["heard", "filters", "step"]
).round(3)

# %% [markdown]
# In both runs the projection is clearly more concentrated than its shuffled weights from step 200 on.
# The figures show that at step 0 it is not.
#
# ### The same filters?
#
# The eight components of a run span a space. How much do the spaces of the two runs have in common at
# the end? Two such spaces have eight angles between them, their *principal angles*. We take the mean of
# the squared cosines of these angles. It is 1 for the same space, and on average 8/256 for unrelated
# spaces (*chance*). Both runs began with the same weights, so their projections are alike wherever
# training changed little. To see how much that explains, we compare each with its beginning, too.


# %%
def in_common(one, other):
    one, other = one.flatten(1), other.flatten(1)
    return (one @ other.T).square().sum().item() / len(one)


first = growths["synthesis"].images[0]
last = {of: growths[of].images[-1] for of in SOURCES}
grown = {of: changes[of].images[-1] for of in SOURCES}
pd.Series(
    {
        "projections, synthesis and recordings": in_common(*last.values()),
        "synthesis and the beginning": in_common(last["synthesis"], first),
        "recordings and the beginning": in_common(
            last["recordings"], first
        ),
        "added, synthesis and recordings": in_common(*grown.values()),
        "added, tiny and this run on synthesis": in_common(
            tiny["added"].images, grown["synthesis"]
        ),
        "chance": 8 / 256,
    },
    name="in common",
).round(2).to_frame()

# %% [markdown]
# In part the filters are the same. What the two runs added has far more in common than chance would
# give. The projections have more in common with each other than either has with the beginning.
#
# ## The paper's network
#
# The paper's Figure 6 shows ViT-B. We trained ViT-B on a GPU by the recipe `paper`, and had to stop
# after 88 % of the clips ([chapter 3](03_pretraining.ipynb#a-longer-run-recorded)). Here is its
# projection:

# %% mystnb={"figure": {"caption": "Principal filters of ViT-B, trained by the recipe `paper`.", "name": "fig-base"}, "image": {"alt": "Five rows of eight small pictures, all of them random texture that hardly changes from row to row"}}
record = read_record("pretrain-base-stopped")
found = record["metrics"]
base = {
    "projection": unpack(FilterGrowth, found["packed"]["filters"]),
    "added": unpack(FilterGrowth, found["packed"]["filter changes"]),
}
plots.filter_grid(*rows_of(base["projection"]))
plt.show()

# %% mystnb={"figure": {"caption": "What training added in the same run.", "name": "fig-base-changes"}, "image": {"alt": "Five rows of eight small pictures: in the first row a uniform picture and horizontal stripes; in later rows also edges at the first and the last frame, and finer texture"}}
plots.filter_grid(*rows_of(base["added"]))
plt.show()

# %%
print(f"{record['device']}: {record['data']}")
share = found["added_share_of_energy"]
print(f"what was added holds {share:.1%} of the energy of the weights")
rows = {}
for what, growth in base.items():
    table = growth.table()
    for step in table.index[[1, len(table) // 2, -1]]:
        rows[what, step] = table.loc[step]
pd.DataFrame.from_dict(rows, orient="index")[columns].rename_axis(
    ["filters", "step"]
).round(3)

# %% [markdown]
# {numref}`fig-base` does not reproduce the paper's figure. The projection looks random to the end, and
# is hardly more concentrated than shuffled weights. At a learning rate of $10^{-4}$, training changes
# the weights too little to be seen beside their random beginning.
#
# What training added is orderly. Its first component is nearly uniform at every snapshot; `tiny` has no
# such component. The others are much like what `tiny` learned: stripes along time, edges at the first
# and the last frame. With more training, the added part becomes less orderly, not more. Part of the
# reason is weight decay: it shrinks the initial weights, which adds noise to $W_t-W_0$.
#
# Why does the paper see bands where we see noise? Its text does not say how long the network of Figure
# 6 was trained. Its released code has initial weights of the same size as ours and the same learning
# rate, but takes 156,500 steps (500 epochs of 313), where we took 6,900. Over so many steps weight
# decay shrinks the initial weights to 46 %, and what was learned may show through. The last 12 % of our
# clips would hardly help: the added share of the energy grows by about 0.1 points in a thousand steps.
#
# ## What it means
#
# The first layer looks for what lasts (a partial, or a jump in level between two mel bands) and for
# beginnings and ends. The loss does not ask for smooth filters, but they help to predict, because
# neighbouring bins of a spectrogram vary together. Stripes along time suit any sustained sound, and both
# runs of `mini` grow them. The sounds may explain where the two runs differ: held notes have narrow
# lines, and recordings have broad lines and change more along time.
#
# The paper says that in later epochs several components become bands, which align with the partials of a
# tone, and others become edges, which respond to onsets. The projection of `tiny` shows such bands (our
# stripes along time) and edges. It heard a quarter as many clips as our ViT-B, and has another recipe.
# What training added to ViT-B shows both, too. We did not measure whether the bands align with partials.
# What training added to the two runs of `mini`, after 12,800 clips, shows bands and no clear edges. For
# its filters, the paper has no run on recordings, no measure, no control and nothing on what training
# added.
#
# What is uncertain: there is one run of each kind. Concentration says that a picture is orderly, not
# that its order is useful. Principal components show what many filters share, so a filter that works
# alone stays hidden.
#
# ### Change this
#
# 1. Show single filters: `plots.filter_grid(weight[:8].reshape(1, 8, 16, 16), ...)` with the projection
#    of `tiny`.
# 2. Train the live network on `prior="sine"`. Compare the last picture of its slider with that of the
#    `full` curriculum.
#
# ```{dropdown} What you might find
# 1. Most filters are stripes or edges, each a mixture of several components.
# 2. Horizontal bands appear before anything else: steady sines have no edge in time to look for.
# ```
