"""The tasks of a fine-tuning run, a seed and a test fold each: their clips, files and results.

The loop that does them is in `audiopg.transfer.finetune`.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW

from audiopg import runs
from audiopg._types import AnyPath
from audiopg.datasets import LabelledClips
from audiopg.environment import atomic_path, require_writable, write_json
from audiopg.errors import InputError
from audiopg.inputs import as_array, require_kind
from audiopg.mae import Encoder
from audiopg.pretrained import lasting_weights
from audiopg.transfer.recipes import FinetuneSettings
from audiopg.transfer.statistics import (
    Tested,
    deviation,
    metric_of,
    require_positives,
)
from audiopg.transfer.waves import Waves, as_clips, sha256

_CHECKPOINT, _TESTED = "checkpoint.safetensors", "tested.safetensors"
# What a run says that it began with, where that is no file.
_IN_MEMORY = "an encoder"
# Settings that may change when a run is resumed: how often it is written, and further seeds.
_CHANGEABLE = ("checkpoint_seconds", "seeds")
# What two runs on the same clips have in common, and what an error calls it.
_SAME = {
    "sha256": "clips",
    "classes": "classes",
    "names": "names of classes, or another order of them",
    "validation": "validation folds",
    "waves": "waves",
}


@dataclass(frozen=True, eq=False)
class FinetuneResult(Tested):
    """A fine-tuned encoder on its test folds, after the last epoch, for each seed; scores in float32.

    Attributes:
        seeds: of the runs.
        losses: (seeds, folds, epochs), the mean training loss of every epoch.
        seconds: of training, all folds and seeds together.
    """

    seeds: list[int]
    losses: np.ndarray
    seconds: float

    @property
    def seed_standard_deviation(self) -> float:
        """Sample standard deviation over seeds of the mean over folds; nan for one seed."""
        return deviation(self.values.mean(axis=1))

    def summary(self) -> dict:
        """The figures, for a record; the deviation of a single value is None."""
        return {
            "metric": self.metric,
            "folds": self.folds,
            "values": {
                str(seed): {str(f): float(v) for f, v in zip(self.folds, row, strict=True)}
                for seed, row in zip(self.seeds, self.values, strict=True)
            },
            "mean": self.mean,
            "standard_deviation": self.standard_deviation if len(self.folds) > 1 else None,
            "seed_standard_deviation": (
                self.seed_standard_deviation if len(self.seeds) > 1 else None
            ),
            "last_loss": float(self.losses[..., -1].mean()),
        }


@dataclass(frozen=True)
class Task:
    """A seed and a test fold: the rows to train on and to report on, and the folder for them.

    The folder is in that of a run; its files repeat the run's name and settings. A process that writes
    there holds the run's folder.
    """

    seed: int
    fold: int
    train: Tensor
    test: Tensor
    folder: Path | None
    run: str | None
    held: runs.RunFolder | None
    settings: dict

    @property
    def name(self) -> str:
        """The name of the task in its files."""
        return f"seed {self.seed}, fold {self.fold}"

    def steps(self, batch_size: int) -> int:
        """The steps of an epoch."""
        return math.ceil(len(self.train) / batch_size)


# The result of a task: "scores" (test clips, classes), "losses" (epochs,), "seconds" of training, ().
Outcome = dict[str, Tensor]


def targets_of(clips: LabelledClips) -> Tensor:
    """(clips, classes) float32: 1 for the classes that a clip has, 0 for the others."""
    labels = clips.labels if clips.multi_label else np.eye(len(clips.classes))[clips.labels]
    return torch.from_numpy(labels.astype(np.float32))


def splits_of(
    clips: LabelledClips, folds: Sequence[int] | None, validate: bool
) -> list[tuple[int, Tensor, Tensor]]:
    """Each test fold with the rows to train on and the rows to report on, (n,) int64 both.

    A fold called "validation" is not trained on. To validate, this fold is reported on, or, where
    there is none, the training fold that follows the test fold; the test fold is left alone. A fold
    called "validation" is reported on with one test fold alone.
    """
    chosen = clips.test_folds
    if folds is not None:
        given = np.atleast_1d(as_array(folds, "folds"))
        whole = given.ndim == 1 and np.issubdtype(given.dtype, np.integer)
        chosen = list(dict.fromkeys(given.tolist())) if whole else []
    if not chosen or not set(chosen) <= set(clips.test_folds):
        raise InputError(f"folds are {folds}; choose among the test folds {clips.test_folds}.")
    existing, official = np.unique(clips.folds).tolist(), clips.validation_folds
    if validate and official and len(chosen) > 1:
        # Their scores would be of the same clips, and an interval or a test of the last fold alone.
        raise InputError(
            f"the validation part of {clips.name} is reported on for every test fold; choose settings "
            f"with one of the folds {chosen}."
        )
    splits = []
    for fold in chosen:
        training = [other for other in existing if other not in (fold, *official)]
        reported = fold
        if validate:
            following = sorted(training, key=lambda other, fold=fold: (other < fold, other))
            reported = (official or following or [fold])[0]
            training = [other for other in training if other != reported]
        if not training:
            spared = f"fold {fold}" + (" and one to validate on" if validate else "")
            raise InputError(
                f"{clips.name} has the folds {existing}; without {spared} none is left to train on."
            )
        train = torch.from_numpy(np.flatnonzero(np.isin(clips.folds, training)))
        test = torch.from_numpy(np.flatnonzero(clips.folds == reported))
        if not len(test):
            raise InputError(f"{clips.name} has no clips in its test fold {fold}.")
        require_positives(clips.labels, clips.folds, [reported])
        splits.append((fold, train, test))
    return splits


def tasks_of(
    settings: FinetuneSettings,
    splits: list[tuple[int, Tensor, Tensor]],
    folder: Path | None = None,
    run: str | None = None,
    held: runs.RunFolder | None = None,
) -> list[Task]:
    """Every seed with every split, and the folder of each in that of a run."""
    said = {n: value for n, value in asdict(settings).items() if n not in _CHANGEABLE}
    return [
        Task(seed, *split, folder and folder / f"seed-{seed}" / f"fold-{split[0]}", run, held, said)
        for seed in range(settings.seed, settings.seed + settings.seeds)
        for split in splits
    ]


def read_run(folder: AnyPath) -> tuple[FinetuneSettings, dict]:
    """The settings of the run in a folder, and all of its ``run.json``.

    Raises:
        InputError: for a folder without a run, or one that cannot be read.
    """
    return runs.read_settings_of(folder, "run.json", _settings_and_run)


def _settings_and_run(run: dict) -> tuple[FinetuneSettings, dict]:
    _ = run["start"], run["weights"], run["clips"]["sha256"], {**run.get("recordings", {})}
    return FinetuneSettings(**run["settings"]), run


def read_result(
    folder: AnyPath,
    clips: LabelledClips,
    folds: Sequence[int] | None = None,
    waves: Waves | Sequence[Tensor] | None = None,
) -> FinetuneResult:
    """The result of a finished run, to set beside another on the same clips.

    Args:
        folder: of the run.
        clips: what it was fine-tuned and tested on.
        folds: test folds; all test folds of the set when None.
        waves: of the clips; None where the run is known to have had the same.

    Raises:
        InputError: for a folder without a run, a run on other clips or waves, or one that is not
            done with these folds.
    """
    require_kind(clips, LabelledClips, "clips")
    settings, run = read_run(folder)
    if _differing(run["clips"], _described(clips, None if waves is None else as_clips(waves))):
        raise InputError(
            f"the run in {folder} is of other clips than these {len(clips)} of {clips.name}; "
            "name one made on the same."
        )
    path = Path(folder)
    splits = splits_of(clips, folds, settings.validate)
    tasks = tasks_of(settings, splits, path, runs.read_provenance(path).get("run"))
    tested = [load_tested(task, len(clips.classes)) for task in tasks]
    for task, done in zip(tasks, tested, strict=True):
        if done is None:
            raise InputError(
                f"the run in {folder} is not done with fold {task.fold} of seed {task.seed}; "
                "resume it first."
            )
    return assemble(clips, tasks, tested)


def describe(
    settings: FinetuneSettings,
    clips: LabelledClips,
    waves: Waves,
    encoder: Encoder | None,
    start: Encoder | AnyPath | None,
    recordings: dict | None,
) -> dict:
    """What identifies a run, for ``run.json``, and where its recordings are from."""
    weights = None
    if encoder:
        mean, spread, window, padding = encoder.log_mel.settings.values()
        front_end = [np.array([mean, spread])]
        # Older runs, which knew no other window and padding, have no hash of these.
        if (window, padding) != ("hamming", 0.0):
            front_end += [np.array([window]), np.array([padding])]
        state = sorted(encoder.state_dict().items())
        weights = sha256(*front_end, *(value.cpu().numpy() for _, value in state))
    return {
        "settings": asdict(settings),
        "start": _IN_MEMORY if isinstance(start, Encoder) else start and lasting_weights(start),
        "weights": weights,
        "clips": _described(clips, waves),
        **({} if recordings is None else {"recordings": recordings}),
    }


def _described(clips: LabelledClips, waves: Waves | None) -> dict:
    """The clips of a run, for ``run.json``; ``_SAME`` names the entries that identify them."""
    names = np.array([path.name for path in clips.paths])
    parts = [values for values in (clips.segments, clips.channels) if values is not None]
    return {
        "name": clips.name,
        "number": len(clips),
        "classes": len(clips.classes),
        "names": [str(name) for name in clips.classes],
        "licence": clips.licence,
        "skipped": clips.skipped,
        "validation": clips.validation_folds,
        "sha256": sha256(clips.labels, clips.folds, names, *parts),
        "waves": None if waves is None else waves.contents,
    }


def _differing(had: dict, has: dict) -> list[str]:
    """What differs between the clips of two runs, where both say it; older runs say less."""
    return [
        what
        for name, what in _SAME.items()
        if has[name] is not None and had.get(name, has[name]) != has[name]
    ]


def open_run(held: runs.RunFolder, run: dict, resume: bool, device: torch.device) -> str | None:
    """Make or reopen the folder of a run; returns the name of the run in its files."""
    folder = held.path
    if resume:
        run = _continued(folder, run)
    else:
        runs.require_new(folder)
    with held.writing():
        runs.clear_leftovers(held, "seed-*/fold-*")
        write_json(folder / "run.json", run)
        # A run that was killed at its very beginning has no provenance yet.
        if not (folder / "provenance.json").exists() and not any(folder.glob("seed-*/fold-*/*")):
            runs.write_provenance(held, device)
    return runs.read_provenance(folder).get("run")


def _continued(folder: Path, run: dict) -> dict:
    """The ``run.json`` of a run that is resumed, with the settings, weights and recordings of now.

    Raises:
        InputError: for a run of other settings, seeds, weights or clips.
    """
    before, was = read_run(folder)
    settings = FinetuneSettings(**run["settings"])
    names = [name for name in asdict(before) if name not in _CHANGEABLE]
    names = [name for name in names if getattr(before, name) != getattr(settings, name)]
    runs.require_same(folder, before, settings, names)
    if settings.seeds < before.seeds:
        raise InputError(
            f"{folder} was run with seeds = {before.seeds}, not {settings.seeds}; resume with as "
            "many or more, or name another folder."
        )
    others = ["weights"] if was["weights"] != run["weights"] else []
    for what in others + _differing(was["clips"], run["clips"]):
        raise InputError(
            f"the run in {folder} began with other {what}; "
            "resume with the same or name another folder."
        )
    if (folder / "result.json").is_dir():
        raise InputError(f"{folder / 'result.json'} is a folder; take it out, then resume.")
    # The same weights may have moved; where they are is not said of an encoder in memory.
    said = ["settings", "recordings"] + ["start"] * (run["start"] != _IN_MEMORY)
    return was | {name: run[name] for name in said if name in run}


def save_checkpoint(
    task: Task, model: nn.Module, optimiser: AdamW, losses: list[float], seconds: float
) -> None:
    """Write the checkpoint of a task, in the place of the one before.

    Raises:
        InputError: when it cannot be written, or the weights are not finite.
    """
    tensors = {f"model/{name}": value for name, value in model.state_dict().items()}
    tensors |= {
        f"optimiser/{n}": state[key] for n, state, key, _ in runs.moments(model, [optimiser])
    }
    runs.require_finite(model, f"epoch {len(losses)} of seed {task.seed}, fold {task.fold}")
    _save(task, _CHECKPOINT, tensors | history(losses, seconds))


def load_checkpoint(task: Task, model: nn.Module, optimiser: AdamW) -> tuple[list[float], float]:
    """Restore the checkpoint of a task, if it has one; returns the losses of its epochs, its seconds."""
    if task.folder is None:
        return [], 0.0
    weights = model.state_dict()
    # Room for the old and the new checkpoint, each three times the weights with AdamW's state.
    require_writable(task.folder, 6 * sum(value.nbytes for value in weights.values()))
    expected = {f"model/{name}": value.shape for name, value in weights.items()}
    expected |= {f"optimiser/{n}": like.shape for n, _, _, like in runs.moments(model, [optimiser])}
    said = runs.count_lines(task.folder / "metrics.jsonl")
    if said and not (task.folder / _CHECKPOINT).exists():
        print(f"{task.folder} has no checkpoint; its {said} epochs are taken again.")
    tensors = _load(task, _CHECKPOINT, expected)
    losses, seconds = [], 0.0
    if tensors:
        losses, seconds = tensors["losses"].tolist(), tensors["seconds"].item()
        model.load_state_dict({name: tensors[f"model/{name}"] for name in weights})
        for name, state, key, like in runs.moments(model, [optimiser]):
            state[key] = tensors[f"optimiser/{name}"].to(like.device)
    with task.held.writing():
        runs.cut_metrics(task.folder / "metrics.jsonl", losses)
    return losses, seconds


def save_tested(task: Task, tested: Outcome) -> None:
    """Write the result of a task, in the place of its checkpoint."""
    _save(task, _TESTED, tested)
    _drop_checkpoint(task)


def _drop_checkpoint(task: Task) -> None:
    """Take away the checkpoint of a task that is done."""
    with task.held.writing():
        (task.folder / _CHECKPOINT).unlink(missing_ok=True)


def load_tested(task: Task, n_classes: int) -> Outcome | None:
    """The result of a task; None where it is not done."""
    if task.folder is None:
        return None
    expected = {"scores": torch.Size((len(task.test), n_classes))}
    expected["losses"] = torch.Size((task.settings["epochs"],))
    tested = _load(task, _TESTED, expected)
    # A process that was killed between the two has left the checkpoint beside the scores.
    if tested and task.held:
        _drop_checkpoint(task)
    return tested


def history(losses: list[float], seconds: float) -> dict[str, Tensor]:
    """The tensors that every file of a task has: the losses of its epochs, and their seconds."""
    return {
        "losses": torch.tensor(losses, dtype=torch.float64),
        "seconds": torch.tensor(seconds, dtype=torch.float64),
    }


def _save(task: Task, name: str, tensors: dict[str, Tensor]) -> None:
    with task.held.writing(), atomic_path(task.folder / name) as temporary:
        said = {"run": task.run, "task": task.name, "settings": json.dumps(task.settings)}
        said = {key: value for key, value in said.items() if value}
        runs.save_tensors(tensors, temporary, said)


def _load(task: Task, name: str, expected: dict[str, torch.Size]) -> dict[str, Tensor] | None:
    """The tensors in a file of a task; None without one, and where it is damaged."""

    def read(path: Path) -> dict[str, Tensor]:
        tensors, said = runs.read_tensors(path)
        runs.require_own(path, said.get("run"), task.run)
        # Files of older versions do not say of which task they are.
        if said.get("task", task.name) != task.name:
            raise runs.ForeignCheckpoint(f"{path} is of {said['task']}; take it out, then resume.")
        had = json.loads(said.get("settings", "{}"))
        if any(had[key] != value for key, value in task.settings.items() if key in had):
            raise runs.ForeignCheckpoint(
                f"{path} was made with other settings than run.json says; put run.json back."
            )
        runs.require_whole(path, tensors, {"losses": None, "seconds": torch.Size(), **expected})
        return tensors

    return runs.read_checkpoint(task.held, task.folder / name, read, "the fold has to start anew")


def load_all(
    settings: FinetuneSettings,
    clips: LabelledClips,
    folder: Path,
    run: str | None,
    held: runs.RunFolder | None = None,
) -> list[tuple[Task, Outcome | None]]:
    """The results of all tasks in a folder, of the folds that at least one seed is done with.

    These may be others than the test folds that the clips name now.

    Raises:
        InputError: for a file of another run or task.
    """
    folds = dict.fromkeys([*clips.test_folds, *np.unique(clips.folds).tolist()])
    found = [fold for fold in folds if any(folder.glob(f"seed-*/fold-{fold}/{_TESTED}"))]
    clips = replace(clips, test_folds=found)
    # One by one: each fold may have been asked for alone, as with a validation part.
    splits = [split for fold in found for split in splits_of(clips, [fold], settings.validate)]
    tasks = tasks_of(settings, splits, folder, run, held)
    return [(task, load_tested(task, len(clips.classes))) for task in tasks]


def write_result(
    settings: FinetuneSettings, clips: LabelledClips, folder: Path, run: str | None
) -> None:
    """Write ``result.json``: the values of all tasks that are done, by this call or an earlier one.

    The figures over folds are of the folds that every seed is done with.
    """
    loaded = load_all(settings, clips, folder, run)
    values: dict[str, dict] = {str(task.seed): {} for task, _ in loaded}
    for task, done in loaded:
        if done:
            value = metric_of(done["scores"].numpy(), np.asarray(clips.labels)[task.test])
            values[str(task.seed)][str(task.fold)] = value
    left = {task.fold for task, done in loaded if not done}
    whole = [(task, done) for task, done in loaded if task.fold not in left]
    summary = assemble(clips, *zip(*whole, strict=True)).summary() | {"values": values}
    write_json(folder / "result.json", summary)


def assemble(
    clips: LabelledClips, tasks: Sequence[Task], tested: Sequence[Outcome]
) -> FinetuneResult:
    """One result of all seeds and folds."""
    labels, n_classes = np.asarray(clips.labels), len(clips.classes)
    seeds = list(dict.fromkeys(task.seed for task in tasks))
    folds = list(dict.fromkeys(task.fold for task in tasks))
    scores = np.full((len(seeds), len(clips), n_classes), np.nan, dtype=np.float32)
    values = np.empty((len(seeds), len(folds)))
    for task, done in zip(tasks, tested, strict=True):
        place, found = seeds.index(task.seed), done["scores"].numpy()
        scores[place, task.test] = found
        values[place, folds.index(task.fold)] = metric_of(found, labels[task.test])
    return FinetuneResult(
        seeds=seeds,
        folds=folds,
        metric="mAP" if clips.multi_label else "accuracy",
        values=values,
        scores=scores,
        losses=torch.stack([t["losses"] for t in tested]).unflatten(0, (len(seeds), -1)).numpy(),
        seconds=sum(done["seconds"].item() for done in tested),
    )
