"""The experiments behind the book's tables: what there is to run, in order of worth.

``python -m audiopg reproduce`` runs them (`audiopg.reproduce`).
"""

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from audiopg.errors import InputError
from audiopg.pretraining import RECIPES, PretrainSettings, different
from audiopg.records import read_record
from audiopg.synth import ADDITIONS, SENSITIVITY
from audiopg.transfer.finetune import FINETUNE_RECIPES, FinetuneSettings

if TYPE_CHECKING:
    import pandas

# What the recipes are measured from, at the paper's scale and at one that a CPU can bear.
SCALES = {
    "paper": RECIPES["paper"],
    "small": replace(
        RECIPES["paper"],
        preset="tiny",
        steps=320,
        batch_size=32,
        learning_rate=1e-3,
        checkpoint_every=40,
        filters_every=20,
    ),
}
# What is fine-tuned with, and the sets that a scale can bear to fine-tune every row of Table 3 on.
FINETUNED = {
    "paper": (FINETUNE_RECIPES["paper-50"], ("esc10", "urbansound8k")),
    "small": (replace(FINETUNE_RECIPES["fast"], epochs=8), ("esc10",)),
}
# The clips of tables of many rows, and of the longest runs, as multiples of the recipe's.
CLIPS = {
    "paper": {"table 4": 1.0, "table 5": 0.5, "beyond": 0.5, "long": 5.0},
    "small": {"table 4": 0.25, "table 5": 0.25, "beyond": 0.25, "long": 2.0},
}
# The sets to probe on, of those that are at hand, and all that can be learned from.
PROBED = ("esc10", "urbansound8k")
SETS = ("esc10", "urbansound8k", "speech_commands")
SEEDS = (0, 1, 2)
# Of what other rows are compared with: recipes, stages of the curriculum, the longest runs.
COMPARED_SEEDS = {"paper": SEEDS, "small": SEEDS[:2]}
# How the folds of a set are used (`reproduce.part_of`).
PARTS = {
    "all": "every fold is the test fold once",
    "last": "the last fold is the test fold; no recording of it was learned from",
    "development": "on the two folds for development alone, each tested on in turn, or trained on "
    "the training part and tested on the validation part",
    "final": "tested on the folds that development left alone",
}


@dataclass(frozen=True)
class Experiment:
    """A network to pre-train and to probe, or to fine-tune.

    Attributes:
        name: of its record.
        settings: of the pre-training or the fine-tuning. For recordings, ``audio`` names sets
            (`reproduce.training_files`) instead of a folder.
        sets: to probe on, or to fine-tune on, of those that are at hand.
        part: which folds of these (``PARTS``).
        start: the experiment whose network it goes on from, or the name of weights.
        run: the folder of the pre-training, where it has that of another experiment.
        beside: fine-tuned before it on the same clips, to be compared with.
    """

    name: str
    settings: PretrainSettings | FinetuneSettings
    sets: tuple[str, ...] = PROBED
    part: str = "all"
    start: "Experiment | str | None" = None
    run: str | None = None
    beside: tuple["Experiment", ...] = field(default=())

    @property
    def start_name(self) -> str | None:
        """What the record calls the weights that it went on from."""
        return self.start.name if isinstance(self.start, Experiment) else self.start

    @property
    def folder(self) -> str:
        """Of the run."""
        return self.run or self.name


def recipe_steps(paper: PretrainSettings) -> dict[str, PretrainSettings]:
    """The steps on the way from the recipe ``paper`` to ``fast``, each taken alone.

    The first row is the paper's recipe itself. The second, ``bfloat16``, changes its precision to
    that, where the device has units for it; on another it changes nothing. All others do so too, and
    each is to be compared with the second. The last takes together those that make
    up ``fast``. Steps that compute the same function, such as compilation, are not among them: they
    are timed, and tested to agree.

    Args:
        paper: the recipe to go from; other sizes and lengths of run keep the proportions.
    """
    half = replace(paper, precision="auto")
    architecture = paper.architecture
    steps = math.ceil(paper.steps / 4)
    shallow = {"decoder_depth": architecture.decoder_depth // 2}
    narrow = {"decoder_width": architecture.decoder_width // 2}
    bare, muon = {"class_token": False}, {"optimiser": "muon"}
    return {
        "paper": paper,
        "bfloat16": half,
        "schedule": replace(half, warmup_steps=paper.steps // 20, schedule="cosine"),
        # Rates of AdamW grow with the root of the batch (Malladi et al., 2022).
        "batch": replace(
            half,
            batch_size=4 * paper.batch_size,
            steps=steps,
            learning_rate=2 * paper.learning_rate,
            warmup_steps=steps // 20,
            schedule="cosine",
        ),
        "decoder-depth": replace(half, **shallow),
        "decoder-width": replace(half, **narrow),
        "no-class-token": replace(half, **bare),
        "muon": replace(half, **muon),
        "fast": replace(half, **shallow, **narrow, **bare, **muon),
    }


def experiments(scale: str) -> list[Experiment]:
    """All experiments, in order of worth; their records are named after what they are and its scale.

    Raises:
        InputError: for an unknown scale.
    """
    if scale not in SCALES:
        raise InputError(f"no scale is called {scale!r}; choose from {list(SCALES)}.")
    steps = recipe_steps(SCALES[scale])
    recipe = [Experiment(f"recipe-{name}-{scale}", each) for name, each in steps.items()]
    by_step = dict(zip(steps, recipe, strict=True))
    compared = by_step["bfloat16"]
    table_3 = _table_3(scale, compared)
    long = _long(scale, compared)
    stages = [each for each in table_3 if each.name.startswith("curriculum-")]
    return [
        *recipe,
        *table_3,
        *_scaling(scale, compared),
        *_table_4(scale, compared),
        *_table_5(scale, compared),
        *_transfer(scale, by_step["fast"]),
        *_beyond(scale, by_step["fast"]),
        *_other_seeds(scale, [compared, by_step["paper"], *stages]),
        *long,
        *_other_seeds(scale, long),
    ]


def _table_3(scale: str, compared: Experiment) -> list[Experiment]:
    """The curriculum and recordings in its place, probed and fine-tuned; the row `full` is the
    recipe itself."""
    curriculum = {
        prior: Experiment(f"curriculum-{prior}-{scale}", replace(compared.settings, prior=prior))
        for prior in ("sine", "harmonic", "dynamic")
    }
    # The same clips of the same network, from the sets that it is not going to be probed on.
    real = {
        name: Experiment(
            f"real-for-{name}-{scale}", replace(compared.settings, audio=_all_but(name)), (name,)
        )
        for name in PROBED
    }
    settings, sets = FINETUNED[scale]
    tuned = []
    for name in sets:
        fine = Experiment("", settings, (name,))
        scratch = _from_scratch(fine, f"finetuned-scratch-{name}-{scale}", compared)
        rows = {**curriculum, "full": compared, "real": real[name]}
        tuned += [scratch] + [
            replace(fine, name=f"finetuned-{row}-{name}-{scale}", start=start, beside=(scratch,))
            for row, start in rows.items()
        ]
    return [*real.values(), *curriculum.values(), *tuned]


def _scaling(scale: str, compared: Experiment) -> list[Experiment]:
    """Fewer clips; and other sizes of network, on a quarter of the clips."""
    settings = compared.settings
    quarter = replace(settings, steps=settings.steps // 4)
    larger = {"paper": ("tiny", "small", "base"), "small": ("small",)}[scale]
    return [
        Experiment(f"clips-16th-{scale}", replace(settings, steps=settings.steps // 16)),
        Experiment(f"clips-4th-{scale}", quarter),
        *(
            Experiment(f"size-{size}-{scale}", replace(quarter, preset=size))
            for size in larger
            if size != settings.preset
        ),
    ]


def _table_4(scale: str, compared: Experiment) -> list[Experiment]:
    """Range of f0 and density of events; the default is a network that there is anyway."""
    settings = _times(compared.settings, CLIPS[scale]["table 4"])
    trained = compared.name if settings == compared.settings else f"clips-4th-{scale}"
    return [
        Experiment(f"sensitivity-default-{scale}", settings, run=trained),
        *(
            Experiment(
                f"sensitivity-{name.replace(' ', '-')}-{scale}", replace(settings, prior=name)
            )
            for name in SENSITIVITY
            if not name.startswith("default")
        ),
    ]


def _table_5(scale: str, compared: Experiment) -> list[Experiment]:
    """Fewer clips, of the recordings of the target: after synthesis, or from scratch."""
    settings = _times(compared.settings, CLIPS[scale]["table 5"])
    listed = [
        replace(
            compared,
            name=f"before-adapting-{scale}",
            sets=SETS,
            part="last",
            run=compared.folder,
        )
    ]
    for name in SETS:
        onward = Experiment("", replace(settings, audio=name), (name,), part="last")
        listed += [
            replace(onward, name=f"adapt-to-{name}-{scale}", start=compared),
            replace(onward, name=f"target-only-{name}-{scale}"),
        ]
    return listed


def _transfer(scale: str, fast: Experiment) -> list[Experiment]:
    """Table 1's frame: the best weights at hand and the same network from scratch, on each set."""
    if scale == "paper":
        settings, start, label = FINETUNE_RECIPES["paper"], fast, "base"
        epochs = dict.fromkeys(SETS, settings.epochs)
    else:
        settings, start, label = FINETUNE_RECIPES["fast"], "tiny", "tiny"
        epochs = {"esc10": 24, "urbansound8k": 4, "speech_commands": 6}
    listed = []
    for name in SETS:
        fine = Experiment("", replace(settings, epochs=epochs[name]), (name,))
        scratch = _from_scratch(fine, f"finetune-{name}-scratch-{label}", fast)
        listed.append(
            replace(fine, name=f"finetune-{name}-{label}", start=start, beside=(scratch,))
        )
    return listed


def _beyond(scale: str, fast: Experiment) -> list[Experiment]:
    """What the paper's synthesizer lacks, and labels for nothing: on fewer clips, chosen on folds
    for development; then `extended` beside `full`, once, on the others."""
    settings = _times(fast.settings, CLIPS[scale]["beyond"])
    rows = {
        "full": settings,
        "extended": replace(settings, prior="extended"),
        **{name: replace(settings, prior=f"full+{name}") for name in ADDITIONS},
        "auxiliary": replace(settings, auxiliary_weight=0.1),
    }
    developed = [
        Experiment(
            f"beyond-{name}-{scale}-seed{seed}", replace(each, seed=seed), SETS, part="development"
        )
        for seed in SEEDS
        for name, each in rows.items()
    ]
    final = [
        replace(each, name=each.name.replace("beyond", "final"), part="final", run=each.name)
        for each in developed
        if each.name.startswith(("beyond-full-", "beyond-extended-"))
    ]
    return developed + final


def _long(scale: str, compared: Experiment) -> list[Experiment]:
    """Several times the clips, of synthesis and of recordings."""
    settings = _times(compared.settings, CLIPS[scale]["long"])
    return [
        Experiment(f"clips-long-{scale}", settings),
        *(
            Experiment(
                f"real-long-for-{name}-{scale}", replace(settings, audio=_all_but(name)), (name,)
            )
            for name in PROBED
        ),
    ]


def _other_seeds(scale: str, listed: list[Experiment]) -> list[Experiment]:
    """The same again, for the luck of the seed."""
    return [
        replace(each, name=f"{each.name}-seed{seed}", settings=replace(each.settings, seed=seed))
        for seed in COMPARED_SEEDS[scale][1:]
        for each in listed
    ]


def _times(settings: PretrainSettings, clips: float) -> PretrainSettings:
    """The same training with a multiple of its clips."""
    return replace(settings, steps=int(clips * settings.steps))


def _all_but(name: str) -> str:
    return ", ".join(other for other in SETS if other != name)


def _from_scratch(fine: Experiment, name: str, trained: Experiment) -> Experiment:
    """The control of a fine-tuning: the same network, from random weights."""
    return replace(fine, name=name, settings=replace(fine.settings, preset=trained.settings.preset))


def is_recorded(experiment: Experiment, folder: str | os.PathLike | None = None) -> bool:
    """Whether an experiment has a record that was made with its settings."""
    record = read_record(experiment.name, folder)
    if record is None:
        return False
    said, settings = record["settings"], experiment.settings
    if said.get("start") != experiment.start_name:
        return False
    if isinstance(settings, PretrainSettings):
        return not different(PretrainSettings(**{**said, "start": None}), settings)
    made = {name: said[name] for name in said if hasattr(settings, name)}
    before = FinetuneSettings(**made)
    free = {"checkpoint_seconds": settings.checkpoint_seconds}
    if settings.precision == "auto":
        free["precision"] = "auto"
    return replace(before, **free) == settings


def recipe_table(scale: str, folder: str | os.PathLike | None = None) -> "pandas.DataFrame":
    """What each step of the recipe does, from the records of `experiments` and `bench recipe`.

    A step is kept when on no set of recordings its probe loses more against the step it is
    compared with than the standard error of that loss: of the differences fold by fold, and of the
    luck of the seeds, which is how far apart the seeds of bfloat16 are, where there are several. A set
    of one test fold has no such error, and decides nothing.

    Returns:
        A row a step. "speed" is relative to the row named by "against", "losses apart" the largest
        difference of the losses where the same function is computed; then the loss on held-out
        clips, the probe's accuracy on each set in per cent with its gain and the standard error of
        that, and whether the step is kept. A row of several seeds is their mean. A dash where there
        is nothing to compare, "not run yet" where there is no record.
    """
    import pandas

    bench = read_record("bench-recipe", folder)
    timed = bench is not None and bench["settings"]["preset"] == SCALES[scale].preset
    speeds = bench["metrics"]["rows"] if timed else {}
    names = list(recipe_steps(SCALES[scale]))
    records = {name: _seeds_of(f"recipe-{name}-{scale}", folder) for name in names}
    sets = sorted({name for rs in records.values() for r in rs for name in r["metrics"]["probes"]})
    luck = {name: _luck([_accuracies(records["bfloat16"], name)]) for name in sets}
    rows = {}
    for name in dict.fromkeys((*speeds, *names)):
        against = "–" if name == "paper" else "bfloat16"
        if name == "bfloat16" or name.startswith("paper, "):
            against = "paper"
        row = {"against": against, "speed": "–", "losses apart": "–", "held-out loss": "–"}
        if name in speeds and "speed" in speeds[name]:
            row["speed"] = f"{speeds[name]['speed']:.2f} ×"
            if "loss_apart" in speeds[name]:
                row["losses apart"] = f"{speeds[name]['loss_apart']:.0e}"
        if name in names:
            row |= _probed(records[name], records.get(against, []), luck)
        rows[name] = row
    table = pandas.DataFrame.from_dict(rows, orient="index").fillna("–")
    return table.rename(columns=lambda name: name.partition(",")[0])


def outcome_table(
    rows: Mapping[str, str], folder: str | os.PathLike | None = None
) -> "pandas.DataFrame":
    """What came out of experiments, as their records say.

    Args:
        rows: what to call a row, and the name of its experiment without a seed.
        folder: of the records.

    Returns:
        For each row "clips" learned from, "seconds" of training, "seeds", and for each set the
        accuracy in per cent, ± the deviation over its test folds where there are several, of the
        mean over seeds. "not run yet" where there is no record.
    """
    import pandas

    table = {}
    for label, name in rows.items():
        records = _seeds_of(name, folder)
        table[label] = {"clips": "not run yet", "seconds": "", "seeds": ""}
        if not records:
            continue
        clips = _clips(records[0])
        seconds = np.mean([record["seconds"] for record in records])
        table[label] = {
            "clips": "–" if clips is None else f"{clips:,}",
            "seconds": f"{seconds:,.0f}",
            "seeds": str(len(records)),
        }
        for tested in _sets_of(records):
            accuracy = _accuracies(records, tested).mean(0)
            spread = f" ± {accuracy.std(ddof=1):.1f}" if len(accuracy) > 1 else ""
            label_of_set = tested.partition(",")[0]
            if len(accuracy) == 1:
                (fold,) = _tested(records[0])[tested]["accuracy"]
                label_of_set += f", fold {fold}"
            table[label][label_of_set] = _unbroken(f"{accuracy.mean():.1f}{spread}")
    return pandas.DataFrame.from_dict(table, orient="index").fillna("")


def step_table(
    rows: Mapping[str, str], folder: str | os.PathLike | None = None
) -> "pandas.DataFrame":
    """What each row of a table is worth over the row above it, from the records of `experiments`.

    Both were tested on the same folds, so the gain is the mean of the differences fold by fold. Its
    standard error has two parts: that of this mean, and the luck of the seeds, which is how far the
    seeds of one row lie apart, in all rows that have several.

    Args:
        rows: what to call a row, and the name of its experiment without a seed.
        folder: of the records.

    Returns:
        For each row but the first, and each set that it and the row above it were tested on, "gain ±
        standard error" in points; a dash for other sets, "not run yet" where one of the two has no
        record.
    """
    import pandas

    accuracies = {}
    for label, name in rows.items():
        records = _seeds_of(name, folder)
        accuracies[label] = {t: _accuracies(records, t) for t in _sets_of(records)}
    sets = list(dict.fromkeys(tested for found in accuracies.values() for tested in found))
    luck = {t: _luck(found[t] for found in accuracies.values() if t in found) for t in sets}
    table = {}
    for (above, before), (label, after) in pairwise(accuracies.items()):
        missing = "–" if before and after else "not run yet"
        step = table[f"{above} → {label}"] = dict.fromkeys(sets, missing)
        for tested in before.keys() & after.keys():
            gain, error = _gain(after[tested], before[tested], luck[tested])
            step[tested] = _unbroken(_with_error(gain, error))
    found = pandas.DataFrame.from_dict(table, orient="index", columns=sets)
    return found.rename(columns=lambda tested: tested.partition(",")[0])


def gain_table(
    rows: Mapping[str, str], against: str, folder: str | os.PathLike | None = None
) -> "pandas.DataFrame":
    """What a change is worth on each set, over several seeds, from the records of `experiments`.

    How far the seeds of a row lie apart is taken to be alike in all rows of a set, so it is
    estimated from all of them together: with S seeds in each of R rows, the 95 % interval is
    gain ± t(0.975, R (S - 1)) s √(2 / S), with s² the mean of the rows' variances over seeds. It
    says what other seeds would change, not what other clips would.

    Args:
        rows: what to call a row, and the name of its experiment without a seed.
        against: the row that others are compared with.
        folder: of the records.

    Returns:
        A row for each set and each of ``rows``: "accuracy", in per cent, the mean over folds and
        seeds; "gain" over ``against``, in points, with "95 % from" and "95 % to". Only rows of all
        ``SEEDS``; none where the row ``against`` is not among them.
    """
    import pandas
    from scipy.stats import t

    records = {label: _seeds_of(name, folder) for label, name in rows.items()}
    complete = {label: found for label, found in records.items() if len(found) == len(SEEDS)}
    table = {}
    for tested in _sets_of(complete.get(against, [])):
        accuracies = {label: _accuracies(found, tested) for label, found in complete.items()}
        means = {label: seeds.mean(1) for label, seeds in accuracies.items()}
        pooled = _luck(accuracies.values())
        freedom = len(means) * (len(SEEDS) - 1)
        half = t.ppf(0.975, freedom) * (pooled * 2 / len(SEEDS)) ** 0.5
        for label, seeds in means.items():
            gain = np.mean(seeds) - np.mean(means[against])
            ends = (
                (np.nan, np.nan, np.nan) if label == against else (gain, gain - half, gain + half)
            )
            table[tested.partition(",")[0], label] = (np.mean(seeds), *ends)
    index = pandas.MultiIndex.from_tuples(table, names=["set", "row"])
    columns = ["accuracy", "gain", "95 % from", "95 % to"]
    return pandas.DataFrame(list(table.values()), index=index, columns=columns)


def efficiency(
    tested: str, scale: str, folder: str | os.PathLike | None = None
) -> dict[str, list[tuple[float, int, float, float]]]:
    """What more pre-training is worth, from the records of `experiments` (Figure 3).

    Args:
        tested: the set to probe on, as `experiments` calls it.
        scale: of the runs.
        folder: of the records.

    Returns:
        For synthesis and for recordings of other sets, where there are records: the seconds of
        each run, its clips, its accuracy in per cent, the mean over seeds, and the deviation of that
        over the folds.
    """
    names = {
        "synthesis": ("clips-16th", "clips-4th", "recipe-bfloat16", "clips-long"),
        "recordings of other sets": (f"real-for-{tested}", f"real-long-for-{tested}"),
    }
    curves: dict[str, list[tuple[float, int, float, float]]] = {}
    for label, listed in names.items():
        for name in listed:
            records = _seeds_of(f"{name}-{scale}", folder)
            for each in filter(lambda found: _short(found) == tested, _sets_of(records)):
                accuracy = _accuracies(records, each).mean(0)
                seconds = float(np.mean([record["seconds"] for record in records]))
                run = (seconds, _clips(records[0]), accuracy.mean(), accuracy.std(ddof=1))
                curves.setdefault(label, []).append(run)
    return curves


def _unbroken(cell: str) -> str:
    """A cell with spaces that do not break, so that it stays on one line."""
    return cell.replace(" ", "\N{NO-BREAK SPACE}")


def _clips(record: dict) -> int | None:
    """How many clips a network was pre-trained on; none of a record of fine-tuning."""
    said = record["settings"]
    return said["steps"] * said["batch_size"] if "steps" in said else None


def _short(tested: str) -> str:
    """How `experiments` calls a set that has the name ``tested``."""
    return tested.partition(",")[0].replace("-", "").replace(" ", "_").lower()


def _tested(record: dict) -> dict[str, dict]:
    """The figures of a record's network, by the set that it was tested on."""
    metrics = record["metrics"]
    if "probes" in metrics:
        return metrics["probes"]
    return {record["data"].partition(", ")[0]: metrics["this encoder"]}


def _seeds_of(name: str, folder: str | os.PathLike) -> list[dict]:
    """The records of an experiment, of one seed or several."""
    names = [name, *(f"{name}-seed{seed}" for seed in SEEDS)]
    return [record for each in names if (record := read_record(each, folder))]


def _sets_of(records: list[dict]) -> list[str]:
    """The sets that an experiment was tested on, as its records call them."""
    return list(_tested(records[0])) if records else []


def _accuracies(records: list[dict], tested: str) -> np.ndarray:
    """Of one experiment on one set, in per cent: (seeds, folds)."""
    found = [_tested(record)[tested]["accuracy"] for record in records]
    return 100 * np.array([list(folds.values()) for folds in found])


def _luck(rows: Iterable[np.ndarray]) -> float:
    """How far seeds lie apart: the variance of their means over the folds, averaged over the rows
    that have several; 0 where none has."""
    variances = [seeds.mean(1).var(ddof=1) for seeds in rows if len(seeds) > 1]
    return float(np.mean(variances)) if variances else 0.0


def _gain(after: np.ndarray, before: np.ndarray, luck: float) -> tuple[float, float]:
    """What one row has more than another, both (seeds, folds), and the standard error of that.

    The error is nan where there is one fold, which does not tell how far others would lie apart.
    """
    gain = after.mean(0) - before.mean(0)
    if len(gain) == 1:
        return float(gain[0]), math.nan
    error = gain.var(ddof=1) / len(gain) + luck * (1 / len(after) + 1 / len(before))
    return float(gain.mean()), float(error**0.5)


def _probed(records: list[dict], references: list[dict], luck: dict[str, float]) -> dict[str, str]:
    """The columns of `recipe_table` that the records of a step fill."""
    if not records:
        return {"held-out loss": "not run yet"}
    loss = np.mean([record["metrics"]["held_out_loss"] for record in records])
    row, kept = {"held-out loss": f"{loss:.3f}"}, []
    for name, variance in luck.items():
        accuracies = _accuracies(records, name)
        row[name] = f"{accuracies.mean():.1f}"
        if references:
            gain, error = _gain(accuracies, _accuracies(references, name), variance)
            row[name] += _unbroken(f" ({_with_error(gain, error)})")
            if not math.isnan(error):
                kept.append(gain >= -error)
    if references:
        row["kept"] = ("yes" if all(kept) else "no") if kept else "–"
    return row


def _with_error(gain: float, error: float) -> str:
    return f"{gain:+z.1f}" if math.isnan(error) else f"{gain:+z.1f} ± {error:.1f}"
