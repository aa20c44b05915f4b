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
# *Can a page of arithmetic make sounds varied enough to teach a network to hear?*
#
# The paper pre-trains its network without a single recording. Every sound comes from a small generator
# made of old friends of electronic music: oscillators, envelopes, a filter, noise. Only their use is
# new: each clip is drawn at random, heard once by the network, and never stored. This chapter opens the
# generator and lets you turn its knobs.

# %%
import json

import matplotlib.pyplot as plt
import pandas
import torch

import audiopg
from audiopg.book import plots, widgets
from audiopg.records import paper_table, read_record
from audiopg.synth import from_scene, to_scene, to_table, vary

plots.use_style()

# %% [markdown]
# ## One clip
#
# A clip $x(t)$ lasts 10.24 seconds. It is the sum of a source $s(t)$ and a noise floor $\eta(t)$ of
# level $\lambda$, normalised to a peak of 1 (Section 3.1 of the paper):
#
# $$
# x(t) = \operatorname{normalise}\bigl[\, s(t) + \lambda\, \eta(t) \,\bigr]
# $$ (eq-clip)
#
# The source is a handful of events, $i = 1 \ldots N$. Each event is a tone $u_i(t)$ with amplitude $a_i$
# and envelope $e_i(t)$. It may begin with a burst of noise $b_i(t)$. A low-pass filter with cutoff $f_c$
# acts on the sum of the events, like the damping of a real body:
#
# $$
# s(t) = \operatorname{damp}_{f_c}\Bigl[\, \sum_{i=1}^{N} a_i\, e_i(t)\, u_i(t) + b_i(t) \,\Bigr]
# $$ (eq-source)
#
# In the paper, and in the ready-made settings of this book (its *presets*), all events of a clip have
# the same kind of tone and the same fundamental frequency. {numref}`fig-figure-2` draws both equations.

# %% mystnb={"figure": {"caption": "The generator, redrawn after Figure 2 of the paper. The second line of a box names its factors. All but *sustain* are drawn at random.", "name": "fig-figure-2"}, "image": {"alt": "A diagram from top to bottom: three excitations, harmonic, frequency modulation and pulse; one of them times an ADSR envelope, plus a burst, summed over events; a low-pass filter; plus a noise floor; normalised to peak 1; the waveform"}}
grey = plots.PALETTE["grey"]
modes = {
    0.5: "harmonic\n$f_0$, partials",
    2.0: "FM\n$f_0$, $\\beta$, $r$",
    3.5: "pulse\n$f_0$, shape",
}
steps = [
    "the waveform  $x(t)$",
    "normalise to a peak of 1",
    "add the noise floor\nlevel $\\lambda$",
    "damp\ncutoff $f_c$",
    "sum over the events\n$N$, onsets, lengths",
    "times envelope, plus burst\nattack, decay, sustain; burst",
]
figure, axis = plt.subplots(figsize=(3.4, 4.8))
axis.set(xlim=(-0.3, 4.3), ylim=(-0.4, 6.5))
axis.axis("off")
look = {"ha": "center", "va": "center", "fontsize": 9, "color": grey}
look["bbox"] = {"boxstyle": "round,pad=0.35", "facecolor": "none"}
look["bbox"]["edgecolor"] = plots.PALETTE["blue"]
arrow = {"arrowstyle": "->", "color": grey}
for x, mode in modes.items():
    axis.text(x, 6.1, mode, **look)
    axis.annotate("", (2.0, 5.3), (x, 5.8), arrowprops=arrow)
half = [0.25 if "\n" in step else 0.15 for step in steps]
for y, step in enumerate(steps):
    axis.text(2.0, y, step, **look)
    if y:
        ends = (2.0, y - 1 + half[y - 1]), (2.0, y - half[y])
        axis.annotate("", *ends, arrowprops=arrow)
plt.show()

# %% [markdown]
# The numbers that describe a clip are its *factors*. A *prior* is the set of distributions from which
# they are drawn. Two calls make a clip: `sample` draws a table of factors, one row per clip, and
# `render` turns the table into sound. Here are clips 0 to 3; {numref}`fig-clip` shows clip 1.

# %%
prior = audiopg.SynthPrior.preset("full")
params = prior.sample(torch.arange(4), seed=0)
waves = audiopg.render(params)
widgets.players(
    waves, [f"preset full, seed 0, clip {clip}" for clip in range(4)]
)

# %% mystnb={"figure": {"caption": "Clip 1 of seed 0. Top: the waveform, with the envelopes of its events. Middle: the log-mel spectrogram, which is all that the network sees. Bottom: the spectrum, in decibels relative to its peak.", "name": "fig-clip"}, "image": {"alt": "Waveform with envelopes, log-mel spectrogram and spectrum of one synthetic clip"}}
plots.clip_panel(params[1:2])
plt.show()

# %% [markdown]
# ## Turn the knobs
#
# A row of the table describes a sound completely, so turning a knob means editing the row. The two
# sliders below need no kernel: their sounds were made beforehand.
#
# In JupyterLab the same cell is a full control panel. Every factor that matters to the clip has a
# slider, and sound and pictures follow it at once. If a clip has several events, *turn event* selects
# the one that the sliders change. Some sliders are called *spread*: they scale the differences between
# the weights, phases or tunings of the partials. *Surprise me* draws the next clip of the preset, and
# *Save* writes a WAV and a JSON file beside the notebook.

# %% tags=["nbval-ignore-output"]
widgets.explorer(preset="full", seed=0, clip=1)

# %% [markdown]
# ## One clip, four presets
#
# The paper builds its generator in four steps. Each step has a preset, which is a prior with a name.
# [Chapter 2](02_curriculum.ipynb) takes the presets apart. Each factor of clip 1 comes from the same
# random number in all four, so all four have the same fundamental frequency.

# %%
clip = torch.tensor([1])
in_presets = {}
for name in ("sine", "harmonic", "dynamic", "full"):
    preset = audiopg.SynthPrior.preset(name)
    in_presets[f"{name}, seed 0, clip 1"] = preset.sample(clip, seed=0)
widgets.side_by_side(in_presets)

# %% [markdown]
# ## Three ways to make a tone
#
# **Harmonic.** The tone is a sum of $K \le 15$ partials. Partial $k$ has a weight $w_k$, a phase
# $\varphi_k$ and a slight mistuning $\delta_k$. Its strength also falls as a power of $k$; the exponent
# $\gamma$ is the *roll-off*. A string, a pipe and a voice holding one note are all roughly like this.
#
# $$
# u(t) = \sum_{k=1}^{K} w_k\, k^{-\gamma} \sin\bigl(2\pi k (1 + \delta_k) f_0 t + \varphi_k\bigr)
# $$ (eq-harmonic)
#
# **Frequency modulation.** One sine modulates the phase of another. The index $\beta$ says how strongly.
# The ratio $r$ is the modulating frequency over $f_0$. If $r$ is far from every simple fraction, as 3.14
# is, the partials are inharmonic and the tone sounds like a bell.
#
# $$
# u(t) = \sin\bigl(2\pi f_0 t + \beta \sin(2\pi r f_0 t)\bigr)
# $$ (eq-fm)
#
# **Pulses.** A sawtooth or a square wave: buzzing, dense in partials, like a motor or a reed.
#
# The preset `harmonic` has no events, envelopes, damping or noise, so each excitation can be heard
# alone. {numref}`fig-excitations` shows the partials.

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

# %% mystnb={"figure": {"caption": "The four excitations at 220 Hz. Each horizontal line is a partial. The fainter lines of the square are aliases: partials above the Nyquist frequency, folded back below it.", "name": "fig-excitations"}, "image": {"alt": "Four log-mel spectrograms of steady tones: evenly spaced horizontal lines that differ in number and strength"}}
mels = audiopg.LogMel()(audiopg.render(excitations))
plots.spectrogram_wall(mels, names, columns=2)
plt.show()

# %% [markdown]
# ## What a pulse has above Nyquist
#
# *Why does a sawtooth at 1,900 Hz sound dirty?* A sawtooth is a sum of infinitely many partials. A
# sampled sound holds only frequencies below half its sample rate $f_s$; here $f_s / 2$ is 8,000 Hz.
# Higher partials are folded back. The fifth, at 9,500 Hz, is heard at $16{,}000 - 9{,}500 = 6{,}500$
# Hz. The ninth, at 17,100 Hz, is heard at 1,100 Hz, *below* the fundamental. Hardly any folded partial
# is in tune. The cure is to stop the series below $f_s / 2$, here for the sawtooth:
#
# $$
# \begin{gathered}
# u(t) = \frac{2}{\pi} \sum_{k=1}^{K} \frac{(-1)^{k+1}}{k} \sin(2\pi k f_0 t), \\
# K f_0 < \frac{f_s}{2} \le (K + 1) f_0
# \end{gathered}
# $$ (eq-band-limited)
#
# For the square wave, keep only the odd partials, replace $2/\pi$ by $4/\pi$, and drop the alternating
# sign. Pulses whose series stops below $f_s / 2$ are *band-limited*; all others are *naive*.
# {numref}`fig-aliases` shows the spectra of the two sawtooth waves.

# %%
naive = excitations[2:].edit(f0=1900.0)
clean = naive.edit(band_limited=True)
pulse_waves = torch.cat([audiopg.render(naive), audiopg.render(clean)])
pulse_names = [
    f"{kind} {shape}, 1,900 Hz"
    for kind in ("naive", "band-limited")
    for shape in ("sawtooth", "square")
]
widgets.players(pulse_waves[:, :48000], pulse_names, columns=2)

# %% mystnb={"figure": {"caption": "Above, naive: four partials below the Nyquist frequency, and all higher partials folded back among them. Below, band-limited: the four partials alone.", "name": "fig-aliases"}, "image": {"alt": "Two spectra. Above: a peak at 1,900 Hz among dozens of lower ones at all frequencies from 100 Hz. Below: four clean peaks at 1,900, 3,800, 5,700 and 7,600 Hz"}}
plots.spectra({pulse_names[i]: pulse_waves[i] for i in (0, 2)})
plt.show()

# %% [markdown]
# The paper's pulses are naive, and so are those of our presets. In an instrument, folded partials are a
# fault. In a curriculum (the clips that a network hears), they need not be. Strings and pipes do not
# sound like that, but rattles and squeals do. Whether a network learns more from band-limited pulses is
# an open question. To ask it, set `band_limited=True`.
#
# ## From tone to event
#
# An envelope makes a tone begin and end. It rises in the *attack*, falls in the *decay* to the
# *sustain* level, and dies away in the *release*. The times of attack, decay and release are shares
# of the event's length, so longer events change more slowly. A burst of white noise, 10 to 100 ms
# long, may mark the onset: the click of a hammer or the scrape of a bow.
#
# Here is one event of a second and a half in four versions ({numref}`fig-events`).

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

# %% mystnb={"figure": {"caption": "The first two seconds of the four versions. The burst is a vertical stripe. The damping dims everything above 500 Hz.", "name": "fig-events"}, "image": {"alt": "Four log-mel spectrograms of one event with slow attack, fast attack, burst, and damping"}}
mels = audiopg.LogMel()(stage_waves)[:, :192]
plots.spectrogram_wall(mels, list(stages), columns=2)
plt.show()

# %% [markdown]
# ## The same clip, for ever
#
# Random sounds are awkward for science. A run cannot be repeated, a clip cannot be cited, and two
# machines that share the work must agree on who draws what. Here every random number comes from a
# counter-based generator {cite}`salmon2011`, a function that turns an address (seed, clip, factor,
# event) into random bits. So the factors of clip $i$ of seed $s$ are a pure function of $(s, i)$: the
# same in any batch, in any order, on any machine.

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
# So anyone can hear this sound again: *AudioPG, preset full, seed 0, clip 617*. An edited clip has no
# such name, but a scene can describe it.
#
# ## A clip by hand
#
# A *scene* is the table of factors, written as JSON: clips, their events, and all factors by name. A
# factor that is left out takes a plain default. A scene is short enough to write by hand, and simple
# enough for a program to write. The paper's outlook (Section 5.2) proposes such a program: a generative
# model, used as a *rule generator*. The model composes scenes instead of throwing dice, and arithmetic
# renders them.

# %%
bell = {"excitation": "fm", "f0": 330, "onset": 0.5, "length": 4}
bell |= {"fm_ratio": 3.14, "fm_index": 5, "decay": 0.6, "sustain": 0.1}
drone = {"f0": 110, "onset": 3, "length": 6, "partials": [{}] * 8}
scene = {"clips": [{"noise_level": 0.003, "events": [bell, drone]}]}
by_hand = from_scene(scene)
widgets.side_by_side({"a bell, and a drone": by_hand}, columns=1)

# %% [markdown]
# `to_scene` writes a table as a scene, as *Save* does. Nothing is lost:

# %%
again = from_scene(to_scene(params))
same = torch.equal(audiopg.render(again), waves)
print(f"the same bits after a round trip through JSON: {same}")

# %% [markdown]
# `to_table` gives a data frame with one row per event. Every clip gets as many rows as the clip with the
# most events, and the query drops the rows without an event:

# %%
columns = ["excitation", "f0", "onset", "length", "burst_amplitude"]
to_table(params).query("heard")[columns].round(2)

# %% [markdown]
# `vary` makes copies of one clip that differ in a single factor, here the cutoff:

# %%
corners = [8000.0, 1000.0, 250.0]
darker = vary(by_hand, "cutoff", corners)
widgets.players(
    audiopg.render(darker),
    [f"low-pass at {corner:,.0f} Hz" for corner in corners],
    columns=3,
)

# %% [markdown]
# An impossible sound is refused in one sentence:

# %%
try:
    by_hand.edit(onset=9.0)
except audiopg.InputError as error:
    print(error)

# %% [markdown]
# ### From words to a scene
#
# Here is the smallest rule generator that deserves the name. A noun gives an event its factors, an
# adjective changes them, a number repeats the event, and "then" begins the next event.

# %%
NOUNS = {
    "bell": {"excitation": "fm", "f0": 660, "fm_ratio": 3.14, "fm_index": 4}
    | {"length": 2.0, "decay": 0.7, "sustain": 0.05, "release": 0.25},
    "motor": {"excitation": "sawtooth", "f0": 60, "length": 4.0},
    "knock": {"f0": 150, "length": 0.5, "decay": 0.4, "sustain": 0.0}
    | {"burst_amplitude": 1.5, "burst_length": 0.02},
}
ADJECTIVES = {
    "high": lambda event: event | {"f0": 2 * event["f0"]},
    "low": lambda event: event | {"f0": event["f0"] / 2},
    "long": lambda event: event | {"length": 1.5 * event["length"]},
}
NUMBERS = {"a": 1, "two": 2, "three": 3}


def scene_of(sentence):
    """A scene from words, by rules: events follow one another in time."""
    events, now = [], 0.2
    for phrase in sentence.split(" then "):
        *words, noun = phrase.split()
        event = NOUNS[noun.removesuffix("s")]
        for word in words:
            event = ADJECTIVES.get(word, dict)(event)
        for _ in range(max(NUMBERS.get(word, 1) for word in [*words, ""])):
            events.append(event | {"onset": round(now, 2)})
            now += 0.6 * event["length"]
    return {"clips": [{"noise_level": 0.003, "events": events}]}


said = "three low knocks then a motor then two high bells"
written = scene_of(said)
print(json.dumps(written["clips"][0]["events"][-1]))
widgets.side_by_side({said: from_scene(written)}, columns=1)

# %% [markdown]
# The rules carry the meaning, and the arithmetic only obeys. Such rules are the paper's remedy for a
# weakness that it admits, the *semantic gap*: sounds that are alike in physics need not be alike in
# meaning. A generator that draws its factors at random does not know that three knocks and a door belong
# together. A language model in the place of our dictionaries would write the same JSON, a few hundred
# characters per clip.
#
# ## What it costs
#
# *Can clips be made faster than a network learns from them?* If each clip is heard once, the synthesizer
# must keep up with the training. The released code makes clips one at a time in NumPy, in parallel
# processes. Here a whole batch is made at once, on the device that trains. Five ideas make this fast:
#
# - **A sine of a sum is a sum of products.** Lay 1,024 samples on a grid of 16 rows and 64 columns. The
#   sample in row $j$ and column $m$ has the time $t_j + \tau_m$. So a partial needs sines at only
#   $16 + 64$ times, and a product of two small matrices does the rest.
# - **A phase may wrap.** The phase of a pulse is kept as an integer whose whole range is one cycle.
#   Where it overflows, a new cycle begins.
# - **A recursion can be cut into blocks.** One matrix product applies the low-pass filter to 32
#   samples. Only two numbers pass on to the next 32.
# - **A pass over memory costs more than a multiplication.** A random number takes ten rounds of
#   arithmetic. With numba, a CPU does all ten rounds for one number before it begins the next, so it
#   keeps the numbers between the rounds in its registers and never writes them to memory.
# - **Most of a filterbank is zeros.** So the log-mel multiplies only small blocks of it.
#
# The table shows milliseconds per clip. The *reference* is our plain version of what the released code
# does, timed in the same run with as many threads.

# %%
bench = read_record("bench-synth")["metrics"]
speed = pandas.DataFrame(bench["milliseconds_a_clip"])
order = ["render", "log-mel", "both"]
speed.loc[order + [f"reference {name}" for name in order]].round(2)

# %%
for device, taken in speed.items():
    print(
        f"{device}: {1000 / taken['both']:,.0f} clips/s, "
        f"{10240 / taken['both']:,.0f} x real time, "
        f"{taken['reference both'] / taken['both']:.1f} x the reference"
    )

# %% [markdown]
# How fast is fast enough? As fast as the network learns. Table 3 of the paper gives the training time
# for the `full` curriculum on one GPU. If this is the time of 100 epochs, as Section 4.1 says, the
# network learned from 500,000 clips: an epoch of the released code has 5,000. The last line says how
# many clips our device makes while that network learns from one:

# %%
paper_seconds = paper_table("table_3").loc["full", "pre-training (s)"]
paper_rate = 500_000 / paper_seconds
print(f"the paper's training: {paper_rate:,.0f} clips/s")
for device, taken in speed.items():
    print(
        f"{device}: makes {1000 / taken['both'] / paper_rate:.2f} x as many"
    )

# %% [markdown]
# So one CPU thread cannot feed the network that the paper trained on a GPU. But a CPU also learns more
# slowly, and a GPU makes clips faster. On both, synthesis takes a small part of a training step
# ([chapter 3](03_pretraining.ipynb#how-fast)).
#
# What bounds the speed? Below, a clip is rendered, without the log-mel, and timed beside its rivals in
# the same run. (These are not the clips of the table above, so the ratios differ.) "Random numbers, a
# sine and a filter" is a yardstick: for each sample it draws a random number, computes a sine and takes
# a step of a filter. "Torchsynth's voice" is the synthesizer of that package.

# %%
for name in (
    "a clip of `full`, in a batch of 16",
    "a clip of `full` by itself",
):
    for other, share in bench["ratios"][name].items():
        rival = other.replace("a clip of `full`", "one in a batch of 16")
        print(f"{name.replace('`', '')}: {share:.2f} times as long as")
        print(f"  {rival}")

# %% [markdown]
# Even with all its partials, a clip takes less time than the yardstick, so little is left to gain in
# rendering. In the first table, most of our time goes into the log-mel. Faster algorithms exist for it,
# but they round differently, and on a given machine a new version of `audiopg` must give exactly the
# same spectrograms. A clip rendered by itself takes longer, because a batch shares the fixed costs of
# several hundred small operations. {numref}`fig-cost` shows how the cost grows.

# %% mystnb={"figure": {"caption": "The time to make a clip on one CPU thread, against the number of clips in a batch, of events in a clip, and of partials in a tone. The largest numbers are more than a preset draws.", "name": "fig-cost"}, "image": {"alt": "Three panels of two lines each: rendering alone, and with log-mel. The time falls until a batch of four and is flat beyond. It rises little up to 16 events, and steeply beyond 32 partials"}}
labels = {
    "batch": "clips in a batch",
    "events": "events in a clip",
    "partials": "partials in a tone",
}
figure, axes = plt.subplots(1, 3, figsize=(plots.WIDTH, 2.8))
for axis, (name, label) in zip(axes, labels.items(), strict=True):
    curves = dict(bench["growth"][name])
    values = curves.pop("values")
    for part, costs in curves.items():
        axis.plot(values, costs, marker="o", markersize=4, label=part)
    axis.set(xscale="log", xlabel=label)
    axis.set_xticks(values[::2], [f"{value:g}" for value in values[::2]])
    axis.minorticks_off()
    axis.set_ylim(bottom=0)
handles = axis.get_legend_handles_labels()
figure.legend(*handles, loc="outside upper left", ncols=3)
figure.supylabel("milliseconds a clip", fontsize="medium")
plt.show()

# %% [markdown]
# ## What it means
#
# None of these parts knows anything about dogs, rain or speech. Together they make onsets and decays,
# harmonic and inharmonic spectra, bright and dull sounds, dense and sparse clips. Spectrograms of real
# sounds use the same vocabulary.  [Chapter 4](04_transfer.ipynb) asks whether that is enough to teach a
# network.
#
# What is uncertain: the paper's formulas and its released code differ in places. The code cuts all
# events out of one tone as long as the clip, draws the roll-off $\gamma$ anew for each partial, and adds
# at most one burst somewhere. We follow the formulas, {eq}`eq-source` to {eq}`eq-fm`: the tone of each
# event starts at the event's own onset, a clip has one roll-off, and each burst belongs to an onset.
#
# ### Change this
#
# 1. Set `f0` of `slow` to 60 Hz and `cutoff` to 300 Hz. What does it remind you of?
# 2. Give the events of a clip their own tones: `audiopg.SynthPrior.preset("full",
#    shared_source=False)`. Is it easier or harder to count them?
# 3. Teach `scene_of` a word: a noun "siren", whose pitch you choose, or an adjective "faint". Write the
#    scene to a file with `json.dump`, and render it with `python -m audiopg synth --json scene.json
#    --out sounds`. Does the sound deserve the word?
# 4. Make a glass break: write a scene of many short events like `bell`, ever closer together, each with
#    a high `f0` and a burst at its onset.
#
# ```{dropdown} What you might find
# 1. A low hum with a slow swell: machinery behind a wall. Much of what makes a sound *mechanical* is a
#    low fundamental with many partials under a low-pass.
# 2. Easier: events of different pitch separate, and events of equal pitch fuse. The paper's curriculum is
#    "predominantly monophonic", so the network rarely meets mixtures of different sources.
# 3. `ADJECTIVES["faint"] = lambda event: event | {"amplitude": 0.2}` works, but only beside another
#    event. Alone in its clip, a faint event is as loud as any, because the peak of a clip is always 1. So
#    some words describe a sound relative to others, and the generator has to know those others.
# 4. The rhythm convinces sooner than the timbre.
# ```
