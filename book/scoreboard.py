"""A Sphinx extension: each claim of the paper, what our records say of it, and a verdict.

``{scoreboard}`` in a page becomes a table with a row for every claim of ``CLAIMS``. The verdicts follow
from the records by one rule (`verdict`); none is written by hand.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from docutils import nodes
from results_page import THIS, list_table, parsed
from scipy.stats import t as student
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from audiopg.analysis import FilterGrowth
from audiopg.book.experiments import (
    SETS,
    combined_error,
    gains,
    paired_gain,
    set_and_pooling,
)
from audiopg.embedding import POOLINGS
from audiopg.records import RESULTS, read_record, read_table, unpack

HOLDS, FAILS, MIXED, UNKNOWN = "holds", "does not hold", "mixed", "cannot be told here"
DEPENDS = "depends on the pooling"
# A figure stays on one line, and no line begins with what stands between two poolings.
SPACE = "\N{NO-BREAK SPACE}"
SLASH = f"{SPACE}/ "
# What the records of probes add to the name of a row for its pooling.
SUFFIXES = dict(zip(POOLINGS, ("", ", frequency pooling"), strict=True))
# Where the intervals of 95 % end, as a quantile, and the p-value below which a difference is no chance.
QUANTILE, LEVEL = 0.975, 0.05
# Experiments that run with several seeds, and so tell how far seeds lie apart.
SEVERAL_SEEDS = (
    "curriculum-full",
    "curriculum-sine",
    "curriculum-harmonic",
    "curriculum-dynamic",
    "extended",
    "real-for-esc10",
    "real-for-urbansound8k",
)


@dataclass(frozen=True)
class Measured:
    """A difference that we measured.

    Attributes:
        what: what was measured, such as the set of recordings.
        value: the difference.
        error: its standard error; nan where nothing tells it.
        freedom: degrees of freedom of the error; nan where that is of the seeds alone.
        digits: decimals to show.
        p: where the error is not known, the p-value (Holm) of a paired test over sources, of no
            difference; nan where the record has none.
        pooling: of the features of a probe (``POOLINGS``).
    """

    what: str
    value: float
    error: float
    freedom: float = math.inf
    digits: int = 1
    p: float = math.nan
    pooling: str = ""

    def __str__(self) -> str:
        return f"{self.what} {self.figure}".strip()

    @property
    def figure(self) -> str:
        """The difference with what tells of its chance."""
        part = " (seeds)" if math.isnan(self.freedom) else ""
        error = "" if math.isnan(self.error) else f" ± {self.error:.{self.digits}f}{part}"
        p = "" if math.isnan(self.p) else f", p = {self.p:.1g}"
        return f"{self.value:+.{self.digits}f}{error}{p}"

    @property
    def interval(self) -> tuple[float, float]:
        """The ends of the interval of 95 %, of Student's distribution; nan where nothing tells them."""
        width = student.ppf(QUANTILE, self.freedom) * self.error
        return self.value - width, self.value + width


@dataclass(frozen=True)
class Claim:
    """A claim of the paper, and how this book asks whether it holds.

    Attributes:
        says: the claim.
        theirs: the paper's figures, and where they stand.
        ours: what we compare, in words.
        measure: gives our figures from a folder of records; none where nothing was run.
        chapter: the chapter that asks the question.
        margin: None where the claim is that the differences are above 0; else how far from 0 they may
            be if the claim is that there is none.
    """

    says: str
    theirs: str
    ours: str
    measure: Callable[[Path], Iterable[Measured]]
    chapter: str
    margin: float | None = None


def compared(*pairs: tuple[str, str]) -> Callable[[Path], list[Measured]]:
    """Gains in accuracy, in points, of the first experiment of each pair over the second."""

    def measure(folder: Path) -> list[Measured]:
        scale = "paper" if read_record("curriculum-full-paper", folder) else "cpu"
        alike = [f"{name}-{scale}" for name in SEVERAL_SEEDS]
        return [
            Measured(name, *gain, pooling=pooling)
            for pair in pairs
            for tested, gain in gains(*(f"{n}-{scale}" for n in pair), alike, folder).items()
            for name, pooling in [set_and_pooling(tested)]
        ]

    return measure


def of_weights(kind: str, control: str) -> Callable[[Path], Iterable[Measured]]:
    """Gains of the weights that come with the package over another row of their records, in points.

    Args:
        kind: how the records are called, with a place for the set.
        control: what the row's name ends with.
    """

    def measure(folder: Path) -> Iterable[Measured]:
        for tested in SETS:
            # The record of ESC-10 that has every row says in its name that clips had their own length.
            native = "-native" if kind.startswith("probe") and tested == "esc10" else ""
            record = read_record(kind.format(tested) + native, folder)
            if record is None:
                continue
            metrics = record["metrics"]
            (name,) = (row for row in metrics if row.endswith(control))
            what = record["data"].partition(",")[0].removesuffix(" v0.02")
            for pooling, suffix in SUFFIXES.items():
                if THIS + suffix not in metrics:
                    continue
                # Log-mel statistics are not pooled.
                other = name + suffix if name + suffix in metrics else name
                after, before = (
                    np.array([list(metrics[row]["accuracy"].values())])
                    for row in (THIS + suffix, other)
                )
                gain, error, freedom = paired_gain(100 * after, 100 * before)
                # The tests of a record are of its rows against mean pooling.
                p = None if suffix or not math.isnan(error) else metrics[name].get("p_holm")
                p = math.nan if p is None else p
                yield Measured(what, gain, error, freedom, p=p, pooling=pooling)

    return measure


def nothing(folder: Path) -> list[Measured]:
    """Of a claim that only a GPU can answer."""
    return []


def decoded(folder: Path) -> Iterable[Measured]:
    """Held-out R² of ridge regression on the shipped weights' embeddings, less an untrained network's."""
    record = read_record("analysis-tiny", folder)
    if record is None:
        return
    table = read_table(record["metrics"]["ridge"]).set_index(["factor", "embeddings"])
    for factor in table.index.unique("factor"):
        trained, untrained = table.loc[factor, THIS], table.loc[factor, "random encoder"]
        width = 2 * student.ppf(QUANTILE, math.inf)
        errors = [(row["high"] - row["low"]) / width for row in (trained, untrained)]
        gain = trained["R²"] - untrained["R²"]
        yield Measured(f"{factor}, R² {trained['R²']:.2f}:", gain, math.hypot(*errors), digits=2)


def apart(folder: Path) -> Iterable[Measured]:
    """Angles between the changes of an embedding with two factors, less a right angle, in degrees.

    The error is that of draws of the clips.
    """
    record = read_record("bench-angles", folder)
    if record is None:
        return
    of = {
        name: each["standardised"]["factors"]
        for name, each in record["metrics"]["encoding"].items()
    }
    trained, untrained, width = of["trained"], of["untrained"], 2 * student.ppf(QUANTILE, math.inf)
    ends = zip(trained["low"], trained["high"], strict=True)
    errors = [(high - low) / width for low, high in ends]
    pairs = combinations(record["settings"]["factors"], 2)
    each = zip(pairs, trained["angle"], untrained["angle"], errors, strict=True)
    for (one, other), angle, before, error in each:
        what = f"{one} and {other}, {angle:.0f}° (untrained {before:.0f}°):"
        yield Measured(what, angle - 90, error)


def ordered(folder: Path) -> Iterable[Measured]:
    """Concentration of the first layer's principal filters, less that of shuffled weights.

    The error is that of the difference from one more shuffle.
    """
    record = read_record("pretrain-base-stopped", folder)
    if record is None:
        return
    growth = unpack(FilterGrowth, record["metrics"]["packed"]["filters"])
    shuffled = growth.shuffled[-1].mean(dim=1)
    error = shuffled.std().item() * math.sqrt(1 + 1 / len(shuffled))
    gain = (growth.concentration[-1].mean() - shuffled.mean()).item()
    yield Measured("ViT-B", gain, error, len(shuffled) - 1, digits=3)


CLAIMS = (
    Claim(
        "An encoder that never heard a recording transfers to real sound: fine-tuned, it is better than "
        "the same network from scratch.",
        "ESC-50 +36.6, UrbanSound8K +12.8, Speech Commands +0.7 (Table 1)",
        "points gained by fine-tuning `tiny` instead of the same network from scratch, both for the same few epochs. "
        "(With five times the epochs, the latter nearly catches up on ESC-10, and by half on UrbanSound8K.)",
        of_weights("finetune-{}-tiny", "-scratch-tiny"),
        "04_transfer",
    ),
    Claim(
        "Its frozen features are better than the spectrogram that they are made from.",
        "said of a linear probe on ESC-50, without a number (Section 4.2)",
        "points that a linear probe gains with the features of `tiny` instead of log-mel mean and deviation",
        of_weights("probe-{}-tiny", "log-mel mean and deviation"),
        "04_transfer",
    ),
    Claim(
        "Its features come from the training, not from the architecture alone. (The paper implies this; it has "
        "no untrained network as a control.)",
        "–",
        "points that a linear probe gains with the features of `tiny` instead of those of the same "
        "network, untrained",
        of_weights("probe-{}-tiny", "random encoder"),
        "04_transfer",
    ),
    Claim(
        "Partials and other excitations help.",
        "ESC-50 +27.0, UrbanSound8K +5.0 (Table 3)",
        "points by which `harmonic` is ahead of `sine`",
        compared(("curriculum-harmonic", "curriculum-sine")),
        "05_ablations",
    ),
    Claim(
        "Events and envelopes help.",
        "ESC-50 +4.0, UrbanSound8K +2.7 (Table 3)",
        "points by which `dynamic` is ahead of `harmonic`",
        compared(("curriculum-dynamic", "curriculum-harmonic")),
        "05_ablations",
    ),
    Claim(
        "Damping and noise help.",
        "ESC-50 +8.8, UrbanSound8K +7.0 (Table 3)",
        "points by which `full` is ahead of `dynamic`",
        compared(("curriculum-full", "curriculum-dynamic")),
        "05_ablations",
    ),
    Claim(
        "In the same time, synthesis teaches more than recordings.",
        "ESC-50 +10.0, UrbanSound8K +2.2 (Table 3)",
        "points by which a network trained on `full` is ahead of one trained on recordings, which come from "
        "other sets than the one tested. Both heard equally many stretches of 10.24 s. (The paper gave both "
        "the same time to train.) At least half of the recorded stretches are one spoken word, repeated",
        compared(
            ("curriculum-full", "real-for-esc10"), ("curriculum-full", "real-for-urbansound8k")
        ),
        "05_ablations",
    ),
    Claim(
        "With far more time, recordings teach more than synthesis.",
        "ESC-50 +1.6, UrbanSound8K +0.2 (Table 3)",
        "points by which the network trained on recordings is ahead of the one trained on `full`, when each "
        "hears four times as much as in the row above",
        compared(("long-real-for-esc10", "long"), ("long-real-for-urbansound8k", "long")),
        "05_ablations",
    ),
    Claim(
        "The range of the fundamental hardly matters.",
        "within 1.2 points (Table 4)",
        "points by which the narrow range, then the wide range, is ahead of the default. The claim holds if "
        "every 95 % interval lies between -3 and +3",
        compared(
            ("sensitivity-narrow-f0", "curriculum-full"), ("sensitivity-wide-f0", "curriculum-full")
        ),
        "05_ablations",
        margin=3,
    ),
    Claim(
        "Clips with several events teach more than clips with one.",
        "ESC-50 +6.0, UrbanSound8K +4.9 (Table 4)",
        "points by which the default is ahead of one event",
        compared(("curriculum-full", "sensitivity-1-event")),
        "05_ablations",
    ),
    Claim(
        "Continued pre-training on recordings of the target helps.",
        "UrbanSound8K 91.80 %, FSD50K 0.617 (Table 5)",
        "points gained by continuing, over the network as it was before; one test fold, so no interval",
        compared(
            ("adapt-to-esc10", "before-adapting"),
            ("adapt-to-urbansound8k", "before-adapting"),
            ("adapt-to-speech_commands", "before-adapting"),
        ),
        "08_adaptation",
    ),
    Claim(
        "Pitch, intensity and onset can be decoded linearly.",
        "R² 0.995, 0.992, 0.955 (Section 4.4)",
        "R², and how much more that is than the R² of an untrained network",
        decoded,
        "06_latent_space",
    ),
    Claim(
        "Pitch, intensity and onset lie in orthogonal subspaces.",
        "said of Figure 5, without a number (Section 4.4)",
        "angle between the directions in which the embedding moves as two factors grow, and by how many "
        "degrees it exceeds 90. The claim holds if every 95 % interval lies between -10 and +10",
        apart,
        "06_latent_space",
        margin=10,
    ),
    Claim(
        "The filters of the first layer become bands and edges.",
        "Figure 6, without a number (Section 4.5)",
        "how much of the energy of the first layer's main patterns is concentrated on few frequencies, minus "
        "the same share for shuffled weights. Our run was short: the released code takes 23 times as many "
        "steps",
        ordered,
        "07_patch_filters",
    ),
    Claim(
        "Pre-training takes less than 20 minutes of one GPU.",
        "1,123 s on an RTX 4090 (Table 3)",
        "`audiopg pretrain --recipe paper`; on an H200 it was stopped after 555 s and 88 % of its clips",
        nothing,
        "03_pretraining",
    ),
)


def side(claim: Claim, one: Measured) -> int:
    """Where a figure lies by more than chance: 1 where a claim puts it, -1 elsewhere; else 0.

    It does if the whole interval of 95 % lies there; and, where the claim is that differences are
    above 0, a figure without an interval does if its p-value says so.
    """
    low, high = one.interval
    if claim.margin is None:
        if math.isnan(low) and one.p < LEVEL:
            low = high = one.value
        return int(low > 0) - int(high < 0)
    inside = -claim.margin < low and high < claim.margin
    return int(inside) - int(high < -claim.margin or low > claim.margin)


def average(found: list[Measured]) -> Measured:
    """The mean of figures that have errors, which are taken for independent."""
    error, freedom = combined_error((one.error**2, one.freedom) for one in found)
    mean = sum(one.value for one in found) / len(found)
    return Measured("average", mean, error / len(found), freedom, found[0].digits)


def with_error(found: list[Measured]) -> list[Measured]:
    """The figures that are averaged: not those whose error is unknown, or of the seeds alone."""
    return [one for one in found if not math.isnan(one.interval[0])]


def verdict(claim: Claim, found: list[Measured]) -> str:
    """Whether a claim holds, by the average of its figures, of one pooling, that have an error.

    It is mixed where one figure lies where the claim says, and another elsewhere, both by more than
    chance (`side`), which is asked of each figure by itself. Else it holds where every figure lies
    where the claim says, and the interval of 95 % of the average of those that have an error does too;
    it does not hold where this interval lies wholly on the other side. Of a claim that there is no
    difference, opposite figures would cancel in an average, so that the interval of each figure has to
    lie within the margin, and one wholly outside is enough for it not to hold. Otherwise nothing
    follows.
    """
    sides = {side(claim, one) for one in found}
    sure = with_error(found)
    if sides >= {1, -1}:
        return MIXED
    if not sure:
        return UNKNOWN
    decisive = [average(sure)] if claim.margin is None else sure
    sides = {side(claim, one) for one in decisive}
    least, most = (0, math.inf) if claim.margin is None else (-claim.margin, claim.margin)
    if sides == {1} and all(least < one.value < most for one in found):
        return HOLDS
    return FAILS if -1 in sides else UNKNOWN


def by_pooling(found: Iterable[Measured]) -> dict[str, list[Measured]]:
    """The figures of a claim, those of each pooling by themselves."""
    apart: dict[str, list[Measured]] = {}
    for one in found:
        apart.setdefault(one.pooling, []).append(one)
    return apart


def figures(claim: Claim, apart: dict[str, list[Measured]]) -> list[str]:
    """What was measured, a line each with both poolings, and the intervals of their averages."""
    lines: dict[tuple[int, str], list[str]] = {}
    for found in apart.values():
        for place, one in enumerate(found):
            lines.setdefault((place, one.what), []).append(one.figure)
        if claim.margin is None and len(sure := with_error(found)) > 1:
            mean = average(sure)
            low, high = (f"{end:+.{mean.digits}f}" for end in mean.interval)
            lines.setdefault((len(found), mean.what), []).append(f"[{low}, {high}]")
    return [
        f"{what} {SLASH.join(one.replace(' ', SPACE) for one in told)}"
        for (_, what), told in lines.items()
    ]


def judgement(claim: Claim, apart: dict[str, list[Measured]]) -> list[str]:
    """The verdict; where one pooling has another than the other, that it depends on it, and both."""
    told = [verdict(claim, found) for found in apart.values()] or [UNKNOWN]
    return [f"**{DEPENDS}**", SLASH.join(told)] if len(set(told)) > 1 else [f"**{told[0]}**"]


def scoreboard(folder: Path = RESULTS) -> str:
    """The table as Markdown."""
    lines = []
    for claim in CLAIMS:
        apart = by_pooling(claim.measure(folder))
        number = int(claim.chapter[:2])
        link = f"[chapter {number}](../notebooks/{claim.chapter}.ipynb)"
        measured = figures(claim, apart) or ["no finished run yet"]
        says = [[claim.says], [claim.theirs], [f"{claim.ours}:", *measured]]
        lines.append([*says, [*judgement(claim, apart), link]])
    return list_table(
        ["the paper says", "the paper reports", "we measured", "verdict"], lines, "scoreboard"
    )


class Scoreboard(SphinxDirective):
    """``{scoreboard}``: see the module."""

    def run(self) -> list[nodes.Node]:
        for record in RESULTS.glob("*.json"):
            self.env.note_dependency(str(record))
        return parsed(self, scoreboard())


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("scoreboard", Scoreboard)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
