"""The experiments behind the book's tables: what there is to run, in order of worth.

``python -m audiopg reproduce`` runs them (`audiopg.book.reproduce`).
"""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import t as student

from audiopg.embedding import POOLINGS
from audiopg.errors import InputError
from audiopg.pretraining import RECIPES, PretrainSettings, different, recipe_for
from audiopg.records import other_weights, read_record
from audiopg.synth import ADDITIONS, SENSITIVITY
from audiopg.transfer.finetune import FINETUNE_RECIPES, FinetuneSettings
from audiopg.transfer.summary import THIS

if TYPE_CHECKING:
    import pandas

# What the experiments are measured from: at the paper's scale, and at one that a processor can bear, where
# a small network learns well instead of a large one hardly.
SCALES = {
    "paper": RECIPES["paper"],
    "cpu": replace(
        recipe_for("mini", "cpu"),
        steps=1600,
        cooldown_steps=600,
        checkpoint_every=200,
        filters_every=50,
    ),
}
# What is fine-tuned with, and the sets that a scale can bear to fine-tune every row of Table 3 on.
FINETUNED = {
    "paper": (
        replace(FINETUNE_RECIPES["paper-50"], precision="auto"),
        ("esc10", "urbansound8k"),
    ),
    "cpu": (replace(FINETUNE_RECIPES["fast"], epochs=8), ("esc10",)),
}
# Of longer runs from scratch, by the same recipe: network, set and epochs. These are five times those
# of `_transfer`, and were fixed before the run was tested.
LONG_FROM_SCRATCH = {
    "paper": (),
    "cpu": (
        ("tiny", "speech_commands", 30),
        ("tiny", "esc10", 120),
        ("tiny", "urbansound8k", 20),
    ),
}
# The clips of the rows of Table 5 and of the longest runs, as multiples of the recipe's.
ADAPTING = {"paper": 0.5, "cpu": 1.0}
LONGEST = {"paper": 5, "cpu": 4}
# The sets to probe on, of those that are at hand, and those of them that recordings of the others are
# compared with synthesis on.
SETS = ("esc10", "urbansound8k", "speech_commands")
PROBED = SETS[:2]
# The two additions with the largest gains on the development folds, on average over sets and poolings.
CHOSEN = {"paper": (), "cpu": ("formants", "motion")}
# Of what a claim is made about: stages of the curriculum, recordings, the additions; and of the
# untrained network, which these are compared with.
SEEDS = (0, 1, 2)
# How the folds of a set are used (`reproduce.part_of`).
PARTS = {
    "all": "every fold is the test fold once",
    "last": "the last fold is the test fold; no recording of it was learned from",
    "development": "on the two folds for development alone, each tested on in turn, or trained on "
    "the training part and tested on the validation part",
    "final": "tested on the folds that development left alone",
}
# Names of folds, by the set.
Folds = Mapping[str, Sequence[str]]
# What is probed: the network after its pre-training, as it begins, or statistics of log-mels.
FEATURES = ("trained", "untrained", "log-mel")


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
        features: what is probed (``FEATURES``).
        milestones: steps of the pre-training at which the network is probed too, before its rate
            falls.
        beside: fine-tuned before it on the same clips, to be compared with.
    """

    name: str
    settings: PretrainSettings | FinetuneSettings
    sets: tuple[str, ...] = SETS
    part: str = "all"
    start: "Experiment | str | None" = None
    run: str | None = None
    features: str = "trained"
    milestones: tuple[int, ...] = ()
    beside: tuple["Experiment", ...] = field(default=())

    @property
    def start_name(self) -> str | None:
        """What the record calls the weights that it went on from."""
        return self.start.name if isinstance(self.start, Experiment) else self.start

    @property
    def folder(self) -> str:
        """Of the run."""
        return self.run or self.name


def recipe_steps(scale: str) -> dict[str, PretrainSettings]:
    """Recipes that differ in one thing, each to be compared with the first.

    At the paper's scale they are the steps from the recipe ``paper`` to ``fast``, and the last takes
    together those that make up ``fast``. On a processor they are the recipe ``cpu`` with one of its
    parts exchanged. Ways to compute the same function, such as compilation, are not among them: they
    are timed, and tested to agree.

    Raises:
        InputError: for an unknown scale.
    """
    if scale not in SCALES:
        raise InputError(f"no scale is called {scale!r}; choose from {list(SCALES)}.")
    first = SCALES[scale]
    if scale == "cpu":
        cheaper = {"decoded_share": 0.334, "visible_keys": True}
        return {
            "cpu": first,
            "part-decoded": replace(first, **cheaper),
            "half-clips-part-decoded": replace(first, window=32, **cheaper),
            "decoder-4x256": replace(first, decoder_depth=4, decoder_width=256),
            "batch-16": replace(
                first,
                batch_size=2 * first.batch_size,
                steps=first.steps // 2,
                cooldown_steps=first.cooldown_steps // 2,
            ),
            "adamw": replace(first, optimiser="adamw", learning_rate=first.learning_rate / 2),
            "mimetic-start": replace(first, initial="mimetic"),
        }
    # Both change how fast a GPU goes, and results by rounding.
    first = replace(first, precision="auto", compiled=True)
    steps = math.ceil(first.steps / 4)
    shallow = {"decoder_depth": first.architecture.decoder_depth // 2}
    narrow = {"decoder_width": first.architecture.decoder_width // 2}
    bare, muon = {"class_token": False}, {"optimiser": "muon"}
    return {
        "paper": first,
        "schedule": replace(first, warmup_steps=first.steps // 20, schedule="cosine"),
        # Rates of AdamW grow with the root of the batch (Malladi et al., 2022).
        "batch": replace(
            first,
            batch_size=4 * first.batch_size,
            steps=steps,
            learning_rate=2 * first.learning_rate,
            warmup_steps=steps // 20,
            schedule="cosine",
        ),
        "decoder-depth": replace(first, **shallow),
        "decoder-width": replace(first, **narrow),
        "no-class-token": replace(first, **bare),
        "muon": replace(first, **muon),
        "fast": replace(first, **shallow, **narrow, **bare, **muon),
    }


def experiments(scale: str) -> list[Experiment]:
    """All experiments, in order of worth; their records are named after what they are and its scale.

    Raises:
        InputError: for an unknown scale.
    """
    steps = recipe_steps(scale)
    # The network of the book's tables: the first row of the recipes, and `full` of the curriculum.
    full = Experiment(f"curriculum-full-{scale}", next(iter(steps.values())))
    table_3 = _table_3(scale, full)
    extended = _like(full, f"extended-{scale}", prior="extended")
    sounds = _sounds(scale, full)
    last_stage = [
        _like(full, f"curriculum-dynamic-{part}-{scale}", prior=f"dynamic+{part}")
        for part in ("damping", "floor")
    ]
    untrained, *controls = _controls(scale, full)
    claimed = [full, untrained, *table_3, extended, *sounds, *last_stage]
    return [
        full,
        untrained,
        *controls,
        *table_3,
        extended,
        *sounds,
        *last_stage,
        *_other_seeds(claimed),
        *_long(scale, full),
        *_table_4(scale, full),
        *_table_5(scale, full),
        *_recipe(scale, steps),
        *_fine_tuned(scale, full, table_3),
        *_transfer(scale),
        *_long_from_scratch(scale),
        *_beyond(scale, full),
        *_chosen(scale, full),
    ]


def _controls(scale: str, full: Experiment) -> list[Experiment]:
    """What a probe makes of a network as it begins, and of log-mels, on every part that is used."""
    listed = []
    for features in FEATURES[1:]:
        for part in PARTS:
            name = f"{features}-{part}-{scale}"
            listed.append(replace(full, name=name, part=part, features=features))
    return listed


def _table_3(scale: str, full: Experiment) -> list[Experiment]:
    """The other stages of the curriculum, and recordings in place of synthesis.

    Recordings are those of the sets that the network is not going to be probed on.
    """
    return [
        *(
            _like(full, f"curriculum-{prior}-{scale}", prior=prior)
            for prior in ("sine", "harmonic", "dynamic")
        ),
        *(_from_others(full, name, f"real-for-{name}-{scale}") for name in PROBED),
    ]


def _sounds(scale: str, full: Experiment) -> list[Experiment]:
    """Recordings without words: the other set of sounds alone.

    A file is heard once an epoch, however long, so most of what `real-for-` networks hear are words of
    a second.
    """
    return [
        replace(_like(full, f"sounds-for-{tested}-{scale}", audio=other), sets=(tested,))
        for tested, other in (PROBED, PROBED[::-1])
    ]


def _fine_tuned(scale: str, full: Experiment, table_3: list[Experiment]) -> list[Experiment]:
    """The rows of Table 3 and the same network from scratch, fine-tuned."""
    settings, sets = FINETUNED[scale]
    tuned = []
    for name in sets:
        fine = Experiment("", settings, (name,))
        scratch = _from_scratch(fine, f"finetuned-scratch-{name}-{scale}", full)
        rows = {
            each.name.removesuffix(f"-{scale}").removeprefix("curriculum-"): each
            for each in (full, *table_3)
            if name in each.sets
        }
        tuned.append(scratch)
        for row, start in rows.items():
            row = "real" if row.startswith("real-") else row
            tuned.append(
                replace(
                    fine, name=f"finetuned-{row}-{name}-{scale}", start=start, beside=(scratch,)
                )
            )
    return tuned


def _long(scale: str, full: Experiment) -> list[Experiment]:
    """Several times the clips, of synthesis and of recordings, probed on the way (Figure 3)."""
    steps = LONGEST[scale] * full.settings.steps
    milestones = tuple(steps // 64 * 2**doubling for doubling in range(6))
    long = replace(_like(full, f"long-{scale}", steps=steps), milestones=milestones)
    return [long, *(_from_others(long, name, f"long-real-for-{name}-{scale}") for name in PROBED)]


def _table_4(scale: str, full: Experiment) -> list[Experiment]:
    """Range of f0 and density of events; the default is `full`."""
    return [
        _like(full, f"sensitivity-{name.replace(' ', '-')}-{scale}", prior=name)
        for name in SENSITIVITY
        if not name.startswith("default")
    ]


def _table_5(scale: str, full: Experiment) -> list[Experiment]:
    """The recordings of the target: after synthesis, or from scratch."""
    before = replace(full, name=f"before-adapting-{scale}", part="last", run=full.name)
    steps, listed = int(ADAPTING[scale] * full.settings.steps), [before]
    for name in SETS:
        alone = _like(full, f"target-only-{name}-{scale}", audio=name, steps=steps)
        alone = replace(alone, sets=(name,), part="last")
        listed += [replace(alone, name=f"adapt-to-{name}-{scale}", start=full), alone]
    return listed


def _recipe(scale: str, steps: dict[str, PretrainSettings]) -> list[Experiment]:
    """The recipes of `recipe_steps`, on the folds that choices are made on."""
    return [
        Experiment(
            f"recipe-{name}-{scale}",
            settings,
            part="development",
            run=None if place else f"curriculum-full-{scale}",
        )
        for place, (name, settings) in enumerate(steps.items())
    ]


def _transfer(scale: str) -> list[Experiment]:
    """Table 1's frame: the best weights at hand and the same network from scratch, on each set."""
    if scale == "paper":
        settings = FINETUNE_RECIPES["paper"]
        start = Experiment("fast-paper", RECIPES["fast"])
        label, epochs = "base", dict.fromkeys(SETS, settings.epochs)
        trained = start
    else:
        settings, start, label = FINETUNE_RECIPES["fast"], "tiny", "tiny"
        trained = Experiment("", RECIPES["cpu"])
        epochs = {"esc10": 24, "urbansound8k": 4, "speech_commands": 6}
    listed = [start] if isinstance(start, Experiment) else []
    for name in SETS:
        fine = Experiment("", replace(settings, epochs=epochs[name]), (name,))
        scratch = _from_scratch(fine, f"finetune-{name}-scratch-{label}", trained)
        listed.append(
            replace(fine, name=f"finetune-{name}-{label}", start=start, beside=(scratch,))
        )
    return listed


def _long_from_scratch(scale: str) -> list[Experiment]:
    """Controls of fine-tuning that have more time to learn."""
    return [
        Experiment(
            f"scratch-{epochs}-epochs-{name}-{preset}",
            replace(FINETUNE_RECIPES["fast"], preset=preset, epochs=epochs),
            (name,),
        )
        for preset, name, epochs in LONG_FROM_SCRATCH[scale]
    ]


def _beyond(scale: str, full: Experiment) -> list[Experiment]:
    """What the paper's synthesizer lacks, one addition at a time, and labels for nothing: chosen on
    the folds for development."""
    rows = {
        "full": {},
        "extended": {"prior": "extended"},
        **{name: {"prior": f"full+{name}"} for name in ADDITIONS},
        "auxiliary": {"auxiliary_weight": 0.1},
    }
    trained = {"full": full.name, "extended": f"extended-{scale}"}
    return [
        replace(
            _like(full, f"beyond-{name}-{scale}", **changes),
            part="development",
            run=trained.get(name),
        )
        for name, changes in rows.items()
    ]


def _chosen(scale: str, full: Experiment) -> list[Experiment]:
    """`full` and the chosen additions, tested on the folds that had no part in the choice."""
    if not CHOSEN[scale]:
        return []
    listed = [replace(full, name=f"chosen-full-{scale}", part="final", run=full.name)]
    for name in CHOSEN[scale]:
        alone = _like(full, f"chosen-{name}-{scale}", prior=f"full+{name}")
        listed.append(replace(alone, part="final", run=f"beyond-{name}-{scale}"))
    return listed + [replace(each, run=None) for each in _other_seeds(listed)]


def _other_seeds(listed: list[Experiment]) -> list[Experiment]:
    """The same again, for the luck of the seed."""
    return [
        replace(each, name=f"{each.name}-seed{seed}", settings=replace(each.settings, seed=seed))
        for seed in SEEDS[1:]
        for each in listed
    ]


def _like(full: Experiment, name: str, **changes: object) -> Experiment:
    """The same network, its training changed."""
    return replace(full, name=name, settings=replace(full.settings, **changes))


def _from_others(full: Experiment, tested: str, name: str) -> Experiment:
    """The same network, from the recordings of other sets than the one that it is probed on."""
    return replace(_like(full, name, audio=_all_but(tested)), sets=(tested,))


def _all_but(name: str) -> str:
    return ", ".join(other for other in SETS if other != name)


def _from_scratch(fine: Experiment, name: str, trained: Experiment) -> Experiment:
    """The control of a fine-tuning: the same network, from random weights."""
    return replace(fine, name=name, settings=replace(fine.settings, preset=trained.settings.preset))


def is_recorded(experiment: Experiment, folder: str | os.PathLike | None = None) -> bool:
    """Whether an experiment has a record that was made with its settings and today's weights."""
    record = read_record(experiment.name, folder)
    if record is None or other_weights(record):
        return False
    said, settings = record.get("settings") or {}, experiment.settings
    if said.get("start") != experiment.start_name:
        return False
    if isinstance(settings, PretrainSettings):
        # What an older version did not know has its default.
        said = {name: said[name] for name in asdict(settings) if name in said}
        return not different(PretrainSettings(**{**said, "start": None}), settings)
    made = {name: said[name] for name in said if hasattr(settings, name)}
    before = FinetuneSettings(**made)
    free = {"checkpoint_seconds": settings.checkpoint_seconds}
    if settings.precision == "auto":
        free["precision"] = "auto"
    return replace(before, **free) == settings


def outcome_table(
    rows: Mapping[str, str], folder: str | os.PathLike | None = None
) -> "pandas.DataFrame":
    """What came out of experiments, as their records say.

    Args:
        rows: what to call a row, and the name of its experiment without a seed.
        folder: of the records.

    Returns:
        For each row "clips" learned from, "CPU min", the processor's minutes of the training, or
        "on a GPU", the "held-out loss" (`reproduce.held_out_loss`), "seeds", and for each set the
        accuracy in per cent, ± the deviation over its test folds where there are several, of the
        mean over seeds; of a probe first that with mean pooling, then that with frequency pooling.
        A dash where there is no such number, nothing for a set that the row was not
        tested on, "not run yet" where there is no record.
    """
    import pandas

    table = {}
    for label, name in rows.items():
        records = _seeds_of(name, folder)
        table[label] = {"clips": "not run yet", "CPU min": "", "held-out loss": "", "seeds": ""}
        if not records:
            continue
        clips = clips_heard(records[0])
        table[label] = {
            "clips": "–" if clips is None else f"{clips:,}",
            "CPU min": _processor_minutes(records),
            "held-out loss": _mean_of(records, "held_out_loss", 1, ".3f"),
            "seeds": str(len(records)),
        }
        for tested in _sets_of(records):
            accuracy = _accuracies(records, tested).mean(0)
            spread = f" ± {accuracy.std(ddof=1):.1f}" if len(accuracy) > 1 else ""
            label_of_set = _label(tested)
            if len(accuracy) == 1:
                (fold,) = _tested(records[0])[tested]["accuracy"]
                label_of_set += f", fold {fold}"
            table[label][label_of_set] = _unbroken(f"{accuracy.mean():.1f}{spread}")
    found = _joined(pandas.DataFrame.from_dict(table, orient="index").fillna(""))
    # What a row reached stands before what it took.
    return found[[*found.columns[4:], *found.columns[:4]]]


def gain_table(
    rows: Mapping[str, str],
    against: str | None = None,
    folder: str | os.PathLike | None = None,
    folds: Folds | None = None,
) -> "pandas.DataFrame":
    """What each row of a table is worth over the row above it, or over one row, from the records.

    Both were tested on the same folds, so the gain is the mean of the differences fold by fold. Its
    standard error has two parts: that of this mean (`paired_gain`), and the luck of the seeds, which
    is how far the seeds of one row lie apart, in all rows that have several. With one fold only the
    seeds' part is known. Where no row has several seeds, that part is unknown and left out.

    Args:
        rows: what to call a row, and the name of its experiment without a seed.
        against: the row that all others are compared with; the one above each when None.
        folder: of the records.
        folds: names of the folds to compare on, such as ``{"esc10": ["3", "4", "5"]}``; of a set that
            is not named, and when None, all.

    Returns:
        For each comparison, and each set that both were tested on, "gain ± standard error" in
        points, for one pooling and the other as in `outcome_table`, with a ``*`` where its interval
        of 95 %, by Student's *t* of two or more degrees of freedom, does not hold 0; "(seeds)"
        after an error that is of the seeds alone; a dash for other sets, "not run yet" where one of the two
        has no record.

    Raises:
        InputError: for a set or a fold that there is not.
    """
    import pandas

    accuracies = {label: _accuracies_by_set(name, folder, folds) for label, name in rows.items()}
    sets = list(dict.fromkeys(tested for found in accuracies.values() for tested in found))
    pairs = pairwise(rows) if against is None else ((against, row) for row in rows)
    table = {}
    for one, other in pairs:
        if one == other:
            continue
        missing = "–" if accuracies[one] and accuracies[other] else "not run yet"
        step = table[f"{one} → {other}"] = dict.fromkeys(sets or ["gain"], missing)
        for tested, gain in _gains(accuracies, other, one).items():
            step[tested] = _unbroken(_with_error(*gain))
    found = pandas.DataFrame.from_dict(table, orient="index")
    return _joined(found.rename(columns=_label))


def gains(
    after: str,
    before: str,
    alike: Iterable[str] = (),
    folder: str | os.PathLike | None = None,
    folds: Folds | None = None,
) -> dict[str, tuple[float, float, float]]:
    """What one experiment is worth over another, in points, as in `gain_table`.

    Args:
        after, before: names of experiments without a seed.
        alike: further ones, whose seeds tell of the luck of a seed as well.
        folder: of the records.
        folds: to compare on, as in `gain_table`.

    Returns:
        `paired_gain` for each set and pooling that both were tested on; nothing where one of the two
        has no record.
    """
    names = (after, before, *alike)
    accuracies = {name: _accuracies_by_set(name, folder, folds) for name in names}
    found = _gains(accuracies, after, before)
    return {_label(tested): gain for tested, gain in found.items()}


def seed_table(
    rows: Mapping[str, str],
    folder: str | os.PathLike | None = None,
    folds: Folds | None = None,
) -> "pandas.DataFrame":
    """What each seed of experiments reached, as their records say.

    Args:
        rows: what to call a row, and the name of its experiment without a seed.
        folder: of the records.
        folds: to average over, as in `gain_table`.

    Returns:
        A line for each seed, with "row", "set", "pooling" (one of ``POOLINGS``) and the
        "accuracy" in per cent, averaged over the test folds; no line where there is no record.
    """
    import pandas

    lines = [
        (label, *set_and_pooling(_label(tested)), accuracy)
        for label, name in rows.items()
        for tested, found in _accuracies_by_set(name, folder, folds).items()
        for accuracy in found.mean(1)
    ]
    return pandas.DataFrame(lines, columns=["row", "set", "pooling", "accuracy"])


def set_and_pooling(tested: str) -> tuple[str, str]:
    """The set that a probe was tested on, and its pooling (``POOLINGS``), from a name of `gains`."""
    name = tested.removesuffix(" by frequency")
    return name, POOLINGS[name != tested]


def efficiency(
    tested: str, scale: str, folder: str | os.PathLike | None = None
) -> dict[str, list[tuple[float, int, float, float]]]:
    """What more pre-training is worth, from the records of `experiments` (Figure 3).

    Args:
        tested: the set to probe on, as `experiments` calls it.
        scale: of the runs.
        folder: of the records.

    Returns:
        For synthesis and for recordings of other sets, where there are records: the processor's
        seconds of the run so far, its clips, its accuracy in per cent, and the deviation of that over
        the folds. The last of each is that of the whole run.
    """
    names = {
        "synthesis": f"long-{scale}",
        "recordings of other sets": f"long-real-for-{tested}-{scale}",
    }
    curves: dict[str, list[tuple[float, int, float, float]]] = {}
    for label, name in names.items():
        for record in _seeds_of(name, folder)[:1]:
            metrics = record["metrics"]
            stages = {int(clips): stage for clips, stage in metrics["milestones"].items()}
            for clips, stage in {**stages, clips_heard(record): metrics}.items():
                for each, probe in stage["probes"].items():
                    if _short(each) == tested:
                        accuracy = 100 * np.array(list(probe["accuracy"].values()))
                        run = (
                            stage["processor_seconds"],
                            clips,
                            accuracy.mean(),
                            accuracy.std(ddof=1),
                        )
                        curves.setdefault(label, []).append(run)
    return curves


def _unbroken(cell: str) -> str:
    """A cell with spaces that do not break, so that it stays on one line."""
    return cell.replace(" ", "\N{NO-BREAK SPACE}")


def clips_heard(record: dict) -> int | None:
    """How many clips a network was pre-trained on; None where it was not."""
    said = record["settings"]
    if "steps" not in said or said.get("features", "trained") != "trained":
        return None
    return said["steps"] * said["batch_size"]


def _processor_minutes(records: list[dict]) -> str:
    """Of the training; on a GPU a processor only waits, so its minutes say nothing of the cost."""
    if all(record.get("device", "CPU").startswith("CPU") for record in records):
        return _mean_of(records, "processor_seconds", 60, ".0f")
    return "on a GPU"


def _mean_of(records: list[dict], name: str, unit: float, form: str) -> str:
    """A metric of several seeds; a dash where one has none."""
    values = [record["metrics"].get(name) for record in records]
    return "–" if None in values else format(np.mean(values) / unit, form)


def _joined(table: "pandas.DataFrame") -> "pandas.DataFrame":
    """A table with the columns of both poolings in one."""
    for apart in [column for column in table if " by frequency" in column]:
        mean = apart.replace(" by frequency", "")
        alone = table[apart].isin(["", "–"]) | (table[apart] == table[mean])
        table[mean] = table[mean].where(alone, table[mean] + "\N{NO-BREAK SPACE}/ " + table[apart])
        del table[apart]
    return table


def _label(tested: str) -> str:
    """How a table calls a set: without its version and its folds."""
    return tested.partition(",")[0].replace(" v0.02", "")


def _short(tested: str) -> str:
    """How `experiments` calls a set that has the name ``tested``."""
    name = tested.partition(",")[0].removesuffix(" by frequency").removesuffix(" v0.02")
    return name.replace("-", "").replace(" ", "_").lower()


def _tested(record: dict) -> dict[str, dict]:
    """The figures of a record's network, by the set that it was tested on."""
    metrics = record["metrics"]
    if "probes" in metrics:
        apart = {
            f"{name.partition(',')[0]} by frequency, {name.partition(',')[2]}": probe
            for name, probe in metrics.get("probes_by_frequency", {}).items()
        }
        return {**metrics["probes"], **apart}
    return {record["data"].partition(", ")[0]: metrics[THIS]}


def _seeds_of(name: str, folder: str | os.PathLike) -> list[dict]:
    """The records of an experiment, of one seed or several."""
    names = [name, *(f"{name}-seed{seed}" for seed in range(1, 10))]
    return [record for each in names if (record := read_record(each, folder))]


def _sets_of(records: list[dict]) -> list[str]:
    """The sets that an experiment was tested on, as its records call them."""
    return list(_tested(records[0])) if records else []


def _accuracies(records: list[dict], tested: str, folds: Sequence[str] | None = None) -> np.ndarray:
    """Of one experiment on one set, in per cent: (seeds, folds); of all folds, or those named."""
    found = [_tested(record)[tested]["accuracy"] for record in records]
    folds = list(found[0] if folds is None else folds)
    if unknown := [fold for fold in folds if fold not in found[0]]:
        raise InputError(
            f"{_label(tested)} was not tested on fold {unknown[0]!r}; choose from {list(found[0])}."
        )
    return 100 * np.array([[each[fold] for fold in folds] for each in found])


def _accuracies_by_set(
    name: str, folder: str | os.PathLike | None, folds: Folds | None = None
) -> dict[str, np.ndarray]:
    """Of one experiment on every set, as `_accuracies`; nothing where it has no record."""
    folds = folds or {}
    if unknown := [tested for tested in folds if tested not in SETS]:
        raise InputError(f"no set is called {unknown[0]!r}; choose from {list(SETS)}.")
    records = _seeds_of(name, folder)
    return {
        tested: _accuracies(records, tested, folds.get(_short(tested)))
        for tested in _sets_of(records)
    }


def _gains(
    accuracies: Mapping[str, Mapping[str, np.ndarray]], after: str, before: str
) -> dict[str, tuple[float, float, float]]:
    """What one row has more than another on each set that both have; all rows tell of the luck."""
    found = {}
    for tested, ours in accuracies[after].items():
        if tested in accuracies[before]:
            # Seeds lie farther apart on one fold than on the mean of several.
            rows = (row[tested] for row in accuracies.values() if tested in row)
            luck = _luck(row for row in rows if row.shape[1] == ours.shape[1])
            found[tested] = paired_gain(ours, accuracies[before][tested], luck)
    return found


def _luck(rows: Iterable[np.ndarray]) -> tuple[float, int]:
    """How far seeds lie apart: the variance of their means over the folds, averaged over the rows
    that have several, and its degrees of freedom; 0 where none has."""
    several = [seeds.mean(1) for seeds in rows if len(seeds) > 1]
    if not several:
        return 0.0, 0
    variances = [means.var(ddof=1) for means in several]
    return float(np.mean(variances)), sum(len(means) - 1 for means in several)


def paired_gain(
    after: np.ndarray, before: np.ndarray, luck: tuple[float, int] = (0.0, 0)
) -> tuple[float, float, float]:
    """What one row has more than another, both (seeds, folds), with its error.

    Folds of a cross-validation share clips to train on, so their differences do not vary
    independently, and their variance over F folds is too small for that of their mean. So 1/F becomes
    1/F + 1/(F - 1): the correction of Nadeau and Bengio (2003), who add the ratio of test clips to
    training clips. Theirs is an approximation; no estimate from one cross-validation is unbiased
    (Bengio and Grandvalet, 2004). Where networks were also trained on folds that are not compared
    here, such as those for development, the ratio is smaller than 1/(F - 1), so the error is an upper
    bound.

    Args:
        after, before: the two rows; each fold was the test fold once.
        luck: the variance between seeds of one row and its degrees of freedom, 0 where not known.

    Returns:
        The gain, its standard error, and the degrees of freedom of the error, by Welch and
        Satterthwaite where it has two parts. One fold does not tell how far others would lie apart:
        there the error is of the seeds alone, a lower bound, nan where their luck is not known, and
        the degrees of freedom are nan.
    """
    gain = after.mean(0) - before.mean(0)
    of_seeds = luck[0] * (1 / len(after) + 1 / len(before))
    if len(gain) == 1:
        return float(gain[0]), math.sqrt(of_seeds) or math.nan, math.nan
    overlap = 1 / (len(gain) - 1)
    parts = [(gain.var(ddof=1) * (1 / len(gain) + overlap), len(gain) - 1)]
    if of_seeds:
        parts.append((of_seeds, luck[1]))
    return float(gain.mean()), *combined_error(parts)


def combined_error(parts: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """The standard error of a sum, and its degrees of freedom (Welch, 1947; Satterthwaite, 1946).

    Args:
        parts: variance and degrees of freedom of each term.
    """
    variances, freedoms = np.array(list(parts), dtype=float).T
    total = variances.sum()
    if total == 0:
        return 0.0, float(freedoms.min())
    inverse = float(((variances / total) ** 2 / freedoms).sum())
    return float(total**0.5), 1 / inverse if inverse else math.inf


def _with_error(gain: float, error: float, freedom: float) -> str:
    if math.isnan(error):
        return f"{gain:+z.1f}"
    if math.isnan(freedom):
        return f"{gain:+z.1f} ± {error:.1f} (seeds)"
    # Two folds may gain the same by chance, since accuracies go in steps.
    star = "*" if freedom >= 2 and abs(gain) > student.ppf(0.975, freedom) * error else ""
    return f"{gain:+z.1f} ± {error:.1f}{star}"
