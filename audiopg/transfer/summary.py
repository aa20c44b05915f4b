"""Results as records keep them, and the tables that a record gives back.

`audiopg.records` writes a record.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from audiopg._types import AnyPath, DataFrame
from audiopg.datasets import LabelledClips
from audiopg.errors import InputError
from audiopg.records import path_from_here
from audiopg.runs import read_provenance
from audiopg.transfer.confusions import confusion_matrix, rank_confusions
from audiopg.transfer.probe import ProbeResult
from audiopg.transfer.statistics import significance
from audiopg.transfer.tasks import FinetuneResult, read_run

# The row that a record is about, and that the others are compared with.
THIS = "this encoder"
# What the intervals and p-values of a record are, in its words.
TESTS = (
    "95 % intervals by the bootstrap over sources with all their clips, p-values by paired tests over "
    "sources against this encoder"
)


def summarise(
    results: Mapping[str, ProbeResult | FinetuneResult], clips: LabelledClips
) -> dict[str, dict]:
    """The figures of results on the same clips, as the metrics of a record.

    Args:
        results: by the name of their row; that of "this encoder" is what the others are compared
            with.
        clips: labels, folds, sources and classes.

    Returns:
        For each row the metric of each fold (the mean over seeds), "mean", "standard_deviation"
        over folds, "interval_95" (`bootstrap_interval`), and against this encoder
        "p_against_this_encoder" (`paired_p_value`) and "p_holm". A probe has its "strengths"; what
        was fine-tuned has the metric by seed and fold in "seeds", its last loss and its seconds.
        "this encoder" has its "confusion": the predicted classes of each true one.

    Raises:
        InputError: as `significance_table`.
    """
    tested = significance(results, clips.labels, clips.folds, THIS, clips.sources)
    metrics: dict[str, dict] = {}
    for name, result in results.items():
        values = result.by_fold.tolist()
        metrics[name] = {
            result.metric: dict(zip(map(str, result.folds), values, strict=True)),
            "mean": result.mean,
            "standard_deviation": _number(result.standard_deviation),
            "interval_95": [_number(tested.loc[name, f"95 % {end}"]) for end in ("from", "to")],
            "p_against_this_encoder": _number(tested.loc[name, "p"]),
            "p_holm": _number(tested.loc[name, "p (Holm)"]),
        }
        if isinstance(result, ProbeResult):
            metrics[name]["strengths"] = [_number(value) for value in result.strengths.tolist()]
        else:
            said = result.summary()
            metrics[name] |= {
                "seeds": said["values"],
                "seed_standard_deviation": said["seed_standard_deviation"],
                "last_loss": said["last_loss"],
                "seconds": round(result.seconds, 1),
            }
    matrix = confusion_matrix(results[THIS], clips)
    metrics[THIS]["confusion"] = {
        true: {clips.classes[place]: int(row[place]) for place in row.nonzero()[0]}
        for true, row in zip(clips.classes, matrix, strict=True)
    }
    return metrics


def finetune_record(
    results: Mapping[str, FinetuneResult],
    clips: LabelledClips,
    dataset: str,
    runs: Mapping[str, AnyPath],
    starts: Mapping[str, str | None] | None = None,
) -> dict:
    """The arguments of `audiopg.records.write_record` for a fine-tuning and those set beside it.

    Args:
        results: by the name of their row; the record is of the row "this encoder".
        clips: on which all were fine-tuned and tested.
        dataset: the name by which commands know the set.
        runs: the folder of each row.
        starts: what each row began with; what its run says when None.
    """
    said = {}
    for row, folder in runs.items():
        settings, run = read_run(folder)
        said[row] = {
            "start": starts[row] if starts else path_from_here(run["start"]),
            **asdict(settings),
        }
    this = said.pop(THIS)
    beside = {
        row: {name: value for name, value in other.items() if value != this[name]}
        for row, other in said.items()
    }
    protocol = "fine-tuned on the training folds, test fold tested once, after the last epoch"
    if this["validate"]:
        protocol = "fine-tuned without the test fold and one training fold, tested on that"
    asked = {"beside": beside, "dataset": dataset, "skipped": skipped_files(clips)}
    return {
        "settings": this | asked,
        "metrics": summarise(results, clips),
        "seconds": results[THIS].seconds,
        "data": described(clips),
        "protocol": f"{protocol}; {TESTS}; the mean over seeds",
        "where": read_provenance(runs[THIS]),
    }


def skipped_files(clips: LabelledClips) -> dict[str, str]:
    """Why files were left out, by their names."""
    return {Path(path).name: why for path, why in clips.skipped.items()}


def described(clips: LabelledClips) -> str:
    """A line about the clips, for a record."""
    left_out = f"; {len(clips.skipped)} files left out" if clips.skipped else ""
    return f"{clips.name}, {len(clips)} clips, {clips.licence}{left_out}{named_folds(clips)}"


def named_folds(clips: LabelledClips) -> str:
    """Which number stands for which fold, where the names of folds have none; else an empty text."""
    named = [
        f"{fold} is {name}"
        for fold, name in clips.fold_names.items()
        if name.startswith("fold ") and name != f"fold {fold}"
    ]
    return f"; of the folds, {', '.join(named)}" if named else ""


def recorded_table(record: dict, names: Mapping[str, str] | None = None) -> DataFrame:
    """The table of a record that `summarise` made the metrics of.

    Args:
        record: as `audiopg.records.read_record` gives it.
        names: what to call some of its rows.

    Returns:
        In per cent, rounded to one decimal, a row a result and, for accuracy, "chance" before them:
        the folds, where there are several, "mean", "standard deviation", "95 % from", "95 % to";
        then "p" and "p (Holm)" of the difference to this encoder.

    Raises:
        InputError: for a record of something else.
    """
    import pandas

    metrics = _metrics(record)
    metric = "mAP" if "mAP" in metrics[THIS] else "accuracy"
    folds = list(metrics[THIS][metric])
    shown = [f"fold {fold}" for fold in folds] if len(folds) > 1 else []
    columns = [*shown, "mean", "standard deviation", "95 % from", "95 % to", "p", "p (Holm)"]
    rows = {}
    if metric == "accuracy":
        chance = 1 / len(metrics[THIS]["confusion"])
        rows["chance"] = [100 * chance] * (len(shown) + 1) + [np.nan] * 5
    for name, figures in metrics.items():
        per_cent = [
            *(figures[metric][fold] for fold in folds if shown),
            figures["mean"],
            figures["standard_deviation"],
            *figures["interval_95"],
        ]
        ps = [figures["p_against_this_encoder"], figures["p_holm"]]
        values = [np.nan if value is None else 100 * value for value in per_cent]
        rows[(names or {}).get(name, name)] = values + [np.nan if p is None else p for p in ps]
    table = pandas.DataFrame.from_dict(rows, orient="index", columns=columns, dtype=float)
    table[columns[:-2]] = table[columns[:-2]].round(1)
    return table


def recorded_matrix(record: dict) -> tuple[np.ndarray, list[str]]:
    """The confusions of a record's encoder, (classes, classes) int64, true first; and the classes.

    Raises:
        InputError: for a record of something else.
    """
    confusion = _metrics(record)[THIS]["confusion"]
    classes = list(confusion)
    counts = [[row.get(other, 0) for other in classes] for row in confusion.values()]
    return np.array(counts, dtype=np.int64), classes


def recorded_confusions(record: dict, most: int = 10) -> DataFrame:
    """The most frequent confusions of a record's encoder, as `most_confused` has them.

    Args:
        record: of clips that have one class each.
        most: rows at most.

    Raises:
        InputError: for a record of something else.
    """
    counts, classes = recorded_matrix(record)
    if "mAP" in record["metrics"][THIS]:
        raise InputError(
            f"the clips of the record {record['name']!r} have several classes, and it does not say "
            "out of how many a class was confused; ask most_confused of the result."
        )
    totals = np.broadcast_to(counts.sum(axis=1, keepdims=True), counts.shape)
    return rank_confusions(counts, totals, classes, record["data"], most)


def _metrics(record: dict) -> dict:
    metrics = record["metrics"]
    if "confusion" not in metrics.get(THIS, {}):
        raise InputError(
            f"the record {record['name']!r} is of no probe or fine-tuning as they are made now; "
            "choose another, or make it again."
        )
    return metrics


def _number(value: float) -> float | None:
    """A number as JSON has it: None for NaN."""
    return None if np.isnan(value) else float(value)
