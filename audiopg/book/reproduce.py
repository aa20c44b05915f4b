"""Running the experiments, one after another, each at most once.

An experiment that has its record is left alone, one that was interrupted goes on from where it was.
"""

import math
import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from audiopg import environment
from audiopg.book.experiments import PARTS, SETS, Experiment, is_recorded
from audiopg.datasets import LabelledClips, cached_waves, find_dataset
from audiopg.datasets.tables import TRAINING
from audiopg.errors import InputError
from audiopg.inputs import read_json, read_object
from audiopg.mae import Encoder, MaskedAutoencoder
from audiopg.pretraining import PretrainResult, PretrainSettings, pretrain, read_settings
from audiopg.records import results_folder, write_record
from audiopg.runs import checkpoints, read_metrics, read_provenance, step_of
from audiopg.synth import SynthPrior, render
from audiopg.transfer import ProbeResult, bootstrap_interval, probe_features
from audiopg.transfer.compare import clip_features
from audiopg.transfer.finetune import FinetuneResult, finetune, read_result
from audiopg.transfer.summary import THIS, finetune_record
from audiopg.transfer.waves import sha256

# Clips that no run trains on, for a loss that experiments can share.
_HELD_OUT = torch.arange(2**41, 2**41 + 256)
_BATCH = 32
# More than any record has.
_RECORD_BYTES = 5e5
# Folds of a set in cross-validation that settings may be chosen on.
_DEVELOPMENT = 2


@dataclass(frozen=True)
class _Workshop:
    """Where and how long experiments run."""

    sets: dict[str, LabelledClips]
    data: Path | None
    out: Path
    ends: float
    device: torch.device
    progress: bool

    @property
    def minutes_left(self) -> float:
        return (self.ends - time.monotonic()) / 60


def reproduce(
    chosen: Sequence[Experiment],
    sets: dict[str, LabelledClips],
    *,
    data: Path | None = None,
    out: str | os.PathLike = "runs/reproduce",
    minutes: float = math.inf,
    device: torch.device | str | None = None,
    progress: bool = True,
    folder: str | os.PathLike | None = None,
) -> list[Experiment]:
    """Run the experiments that have no record yet.

    A record is written when its experiment is finished. A run that is interrupted, or for which
    the minutes are not enough, goes on from its last step when this is called again. What an
    experiment goes on from is run first, where its folder is not there.

    Args:
        chosen: the experiments, in their order.
        sets: the recordings to probe and to fine-tune on (`recordings`).
        data: the folder of recordings, for the experiments that learn from some.
        out: folder of the runs, a folder each.
        minutes: no step of pre-training and no fold of fine-tuning is begun after these.
        device: where to train; a CUDA device where there is one.
        progress: show progress bars.
        folder: of the records; results/ of the clone when None.

    Returns:
        The experiments that are left.

    Raises:
        InputError: as `audiopg.pretrain`, `audiopg.transfer.linear_probe` and
            `audiopg.transfer.finetune.finetune`, or `audiopg.records.results_folder`; where an
            experiment needs a set that is not at hand.
    """
    folder = results_folder(folder)
    environment.require_writable(folder, _RECORD_BYTES)
    environment.require_writable(out)
    device = environment.usable_device(device)
    if math.isnan(minutes):
        raise InputError("minutes (--budget) is nan; give a number, or inf for no limit.")
    ends = time.monotonic() + 60 * minutes
    workshop = _Workshop(sets, data, Path(out), ends, device, progress)
    left = []
    for experiment in chosen:
        if is_recorded(experiment, folder):
            continue
        if isinstance(experiment.settings, PretrainSettings):
            found = _probed(experiment, workshop)
        else:
            found = _finetuned(experiment, workshop)
        if found:
            write_record(experiment.name, **found, folder=folder)
        else:
            left.append(experiment)
    return left


def estimated_minutes(
    experiment: Experiment, folder: str | os.PathLike | None = None
) -> tuple[float, str] | None:
    """How long an experiment will take, by the records of its like.

    Args:
        experiment: to be run.
        folder: of the records; results/ of the clone when None.

    Returns:
        The minutes, and the device that they were measured on: this machine's where there are
        records of it, else that of the latest record; None where there is no record of its like.
    """
    taken: dict[str, list[float]] = {}
    found = [read_json(path) for path in results_folder(folder).glob("*.json")]
    # Somebody's own files may lie there too.
    records = [each for each in found if isinstance(each, dict) and "metrics" in each]
    for record in sorted(records, key=lambda record: str(record.get("date", ""))):
        with suppress(ArithmeticError, AttributeError, KeyError, TypeError):
            minutes = _minutes_by(record, experiment)
            if minutes is not None:
                taken.setdefault(_model_of(record), []).append(minutes)
    if not taken:
        return None
    here = _model_of(environment.provenance())
    device = here if here in taken else list(taken)[-1]
    return float(np.median(taken[device])), device


def _minutes_by(record: dict, experiment: Experiment) -> float | None:
    """How long an experiment would have taken where a record was made; None where it is no like."""
    said, settings = record.get("settings") or {}, experiment.settings
    if said.get("preset") != settings.preset:
        return None
    if isinstance(settings, PretrainSettings):
        if "probes" not in record["metrics"] or said.get("features", "trained") != "trained":
            return None
        seconds = record["metrics"].get("probe_seconds", 0.0)
        if experiment.features == "trained":
            clips = settings.steps * settings.batch_size
            used = record["metrics"].get("processor_seconds") or record["seconds"]
            seconds += clips * used / (said["steps"] * said["batch_size"])
    elif said.get("dataset") in experiment.sets and "epochs" in said:
        seconds = settings.epochs * record["seconds"] / said["epochs"]
    else:
        return None
    return seconds / 60


def _model_of(where: dict) -> str:
    """The device of a record, however many of its threads were used."""
    return re.sub(r", \d+ threads?$", "", where.get("device", ""))


def recordings(data: Path | None) -> dict[str, LabelledClips]:
    """The sets that lie in a folder of recordings, by the names they go by here.

    Raises:
        InputError: where there are none.
    """
    found = {name: clips for name in SETS if (clips := find_dataset(name, data))}
    if not found:
        raise InputError(
            "there are no recordings to probe on; name a folder with ESC-50 (or ESC-10), "
            "UrbanSound8K or Speech Commands in AUDIOPG_DATA (python -m audiopg download --help)."
        )
    return found


def part_of(clips: LabelledClips, part: str) -> tuple[np.ndarray, list[int]]:
    """The clips of a set that a part of its folds has, and the folds to test on (``PARTS``).

    Of a set in cross-validation, the first two folds are for development and the others final; one
    with an official split has its validation part for development.

    Returns:
        (rows,) int64, the clips; and the test folds, in turn.
    """
    official = len(clips.test_folds) == 1
    tested = list(clips.test_folds)
    kept = np.ones(len(clips), dtype=bool)
    if part == "last":
        tested = tested[-1:]
    elif part == "development" and official:
        kept, tested = clips.folds != tested[0], [TRAINING + 1]
    elif part == "development":
        tested = tested[:_DEVELOPMENT]
        kept = np.isin(clips.folds, tested)
    elif part == "final" and not official:
        tested = tested[_DEVELOPMENT:]
    return np.flatnonzero(kept), tested


def training_files(clips: LabelledClips, part: str = "all") -> list[Path]:
    """The recordings of a set that a network may learn from.

    Of a set with an official split these are the training clips. Where every fold is the test fold
    once, they are all, for a network that is not probed on the set; of the part "last", all but
    those of the last fold.
    """
    if len(clips.test_folds) == 1:
        allowed = clips.folds == TRAINING
    else:
        allowed = np.full(len(clips), True)
        if part == "last":
            allowed = clips.folds != clips.test_folds[-1]
    return [path for path, may in zip(clips.paths, allowed, strict=True) if may]


def freesound_ids(name: str, clips: LabelledClips) -> np.ndarray:
    """(clips,) str, the number on Freesound of the recording that a clip was cut from.

    ESC-50 has it in the second place of a file's name, 1-100032-A-0; UrbanSound8K in the first,
    100032-3-0-0. For a clip of any other set it is ``""``.
    """
    place = {"esc10": 1, "esc50": 1, "urbansound8k": 0}.get(name)
    names = [path.stem.split("-") for path in clips.paths]
    return np.array(["" if place is None else parts[place] for parts in names])


def link_files(files: dict[str, list[Path]], folder: Path) -> Path:
    """A folder of links to files, a folder for each name; it is made whole or not at all.

    Raises:
        InputError: when the folder is there and its links lead elsewhere, or it cannot be written.
    """
    links = {
        # Files of several folders may share a name.
        Path(name, f"{number:06d}-{path.name}"): path.resolve()
        for name, paths in files.items()
        for number, path in enumerate(paths)
    }
    if not folder.exists():
        try:
            with environment.writing(folder), environment.atomic_folder(folder) as made:
                for link, path in links.items():
                    (made / link).parent.mkdir(exist_ok=True)
                    (made / link).symlink_to(path)
        except InputError:
            # Another process was first, and its links may be the same.
            if not folder.is_dir():
                raise
    there = {path.relative_to(folder): path.readlink() for path in folder.glob("*/*")}
    if there != links:
        raise InputError(
            f"{folder} holds links to other recordings than those of {' and '.join(files)}; delete "
            "it, and it will be made again."
        )
    return folder


def _probed(experiment: Experiment, workshop: _Workshop) -> dict | None:
    """What the record of a pre-training and its probes says; None where the time is over."""
    settings, run = experiment.settings, workshop.out / experiment.folder
    where = None
    if experiment.features == "trained":
        stages = _milestones(experiment, workshop)
        result = _pretrained(experiment, workshop, settings) if stages is not None else None
        if result is None:
            return None
        settings = _as_run(settings, run)
        found = _figures(experiment, result, workshop)
        where, seconds = read_provenance(run), _seconds_of(run)
        found["milestones"] = stages
    else:
        began = time.perf_counter()
        settings = replace(
            settings, precision=environment.settle_precision(settings.precision, workshop.device)
        )
        found = _figures(experiment, None, workshop)
        seconds = time.perf_counter() - began
    return {
        "settings": {**asdict(settings), "start": experiment.start_name}
        | ({} if experiment.features == "trained" else {"features": experiment.features}),
        "metrics": found,
        "seconds": seconds,
        "data": _learned_from(experiment, workshop)
        + "; probed on "
        + " and ".join(f"{each.name} ({each.licence})" for each in _sets(experiment, workshop)),
        "protocol": "a linear probe of clips at their native length, of the averaged tokens and of "
        f"those averaged by frequency, embedded in {settings.precision}; every choice of the probe is made on the "
        f"training folds or the official validation part, {PARTS[experiment.part]}",
        "where": where,
    }


def _sets(experiment: Experiment, workshop: _Workshop) -> list[LabelledClips]:
    """What an experiment is probed on, of what is at hand."""
    return [workshop.sets[name] for name in experiment.sets if name in workshop.sets]


def _learned_from(experiment: Experiment, workshop: _Workshop) -> str:
    """What a record says of the clips of a pre-training."""
    settings = experiment.settings
    if experiment.features != "trained":
        return f"none: {experiment.features} features"
    source = f"clips synthesized from the {settings.prior!r} prior"
    if settings.audio:
        source = "windows of the recordings of " + " and ".join(
            f"{name} ({len(paths)} files)" for name, paths in _files(experiment, workshop).items()
        )
    return f"{settings.steps * settings.batch_size} {source}"


def _figures(experiment: Experiment, result: PretrainResult | None, workshop: _Workshop) -> dict:
    """The losses of a network and its probes; of the untrained one, or of log-mels, without result."""
    settings, run = experiment.settings, workshop.out / experiment.folder
    model = result.model if result else None
    if experiment.features == "untrained":
        model = MaskedAutoencoder.preset(
            settings.preset,
            settings.seed,
            initial=settings.initial,
            **asdict(settings.architecture),
        )
        model = model.to(workshop.device).eval()
    found: dict = {}
    if result:
        found["loss"] = result.losses[-max(1, len(result.losses) // 20) :].mean().item()
        found["processor_seconds"] = _processor_seconds(run)
    if model:
        found["held_out_loss"] = held_out_loss(model, settings.prior)
    began = time.perf_counter()
    for clips in _sets(experiment, workshop):
        probes = probe(
            model.encoder if model else None,
            clips,
            experiment.part,
            settings.precision,
            workshop.progress,
        )
        for name, figures in probes.items():
            found.setdefault(name, {})[clips.name] = figures
    found["probe_seconds"] = round(time.perf_counter() - began, 1)
    return found


def _milestones(experiment: Experiment, workshop: _Workshop) -> dict[str, dict] | None:
    """The figures of a run on its way, by the clips it had heard; None where the time is over.

    The run keeps them in ``milestones.json``, beside what says which recordings they are of.
    """
    run = workshop.out / experiment.folder
    kept = run / "milestones.json"
    found = read_object(kept, "delete the run") if kept.exists() else {}
    asked = {str(n * experiment.settings.batch_size): n for n in experiment.milestones}
    # A file of before does not say what it is of.
    of = found.get("of", {})
    wrong = [clips for clips in asked if clips in found and not _is_figures(found[clips])]
    if wrong or not isinstance(of, dict):
        raise InputError(f"{kept} is damaged at {(wrong or ['of'])[0]!r}; delete the run.")
    heard = _heard_by_probes(experiment, workshop) if asked else {}
    if other := [name for name, content in heard.items() if of.get(name, content) != content]:
        raise InputError(
            f"{kept} has figures of other recordings of {other[0]} than those at hand; put the same "
            "back, or begin anew in another folder (--out)."
        )
    found["of"] = of | heard
    for clips, steps in asked.items():
        if clips in found:
            continue
        settings = replace(experiment.settings, steps=steps, cooldown_steps=0)
        result = _pretrained(experiment, workshop, settings)
        if result is None:
            return None
        found[clips] = _figures(experiment, result, workshop)
        environment.write_json(kept, found)
    return {clips: found[clips] for clips in asked}


def _is_figures(found: object) -> bool:
    return isinstance(found, dict) and "probe_seconds" in found


def _heard_by_probes(experiment: Experiment, workshop: _Workshop) -> dict[str, str]:
    """By set, what two probes have in common if they are of the same clips."""
    return {
        clips.name: f"{experiment.part} {sha256(clips.labels, clips.folds)} "
        + cached_waves(clips, progress=workshop.progress).contents
        for clips in _sets(experiment, workshop)
    }


def _pretrained(
    experiment: Experiment, workshop: _Workshop, settings: PretrainSettings
) -> PretrainResult | None:
    """The network of an experiment, trained now where it is not yet; None where the time is over."""
    if workshop.minutes_left <= 0:
        return None
    run = workshop.out / experiment.folder
    settings = replace(_as_run(settings, run), start=_start(experiment, workshop))
    if experiment.start and settings.start is None:
        return None
    # The time can have ended since it was asked for, or with what this goes on from.
    left = workshop.minutes_left
    if left <= 0:
        return None
    if math.isfinite(left):
        settings = replace(settings, minutes=max(_seconds_of(run) / 60 + left, 1e-6))
    if settings.audio:
        settings = replace(settings, audio=_links(experiment, workshop))
    result = pretrain(
        settings,
        run,
        resume=(run / "settings.json").exists(),
        device=workshop.device,
        progress=workshop.progress,
    )
    return result if len(result.losses) == settings.steps else None


def _as_run(settings: PretrainSettings, run: Path) -> PretrainSettings:
    """Settings with the precision of the run in a folder, where there is one, and compiled as it."""
    if not (run / "settings.json").exists():
        return settings
    said = read_settings(run)
    return replace(settings, precision=said.precision, compiled=said.compiled)


def _start(experiment: Experiment, workshop: _Workshop) -> str | None:
    """The weights that an experiment goes on from; None where it has none, or the time is over."""
    if not isinstance(experiment.start, Experiment):
        return experiment.start
    # First the stages on its way, which a finished run has passed.
    if _milestones(experiment.start, workshop) is None:
        return None
    trained = _pretrained(experiment.start, workshop, experiment.start.settings)
    return os.fspath(workshop.out / experiment.start.folder) if trained else None


def _files(experiment: Experiment, workshop: _Workshop) -> dict[str, list[Path]]:
    """The recordings that an experiment learns from, by set; none that another set is probed with."""
    found = {}
    for name in experiment.settings.audio.split(", "):
        clips = workshop.sets.get(name) or find_dataset(name, workshop.data)
        if clips is None:
            raise InputError(f"{name} is not at hand; name a folder that holds it in AUDIOPG_DATA.")
        allowed = set(training_files(clips, experiment.part))
        ids = freesound_ids(name, clips)
        for probed in {*experiment.sets} & {*workshop.sets} - {name}:
            theirs = freesound_ids(probed, workshop.sets[probed])
            shared = np.isin(ids, theirs) & (ids != "")
            allowed -= {
                path for path, is_shared in zip(clips.paths, shared, strict=True) if is_shared
            }
        found[name] = [path for path in clips.paths if path in allowed]
    return found


def _links(experiment: Experiment, workshop: _Workshop) -> Path:
    files = _files(experiment, workshop)
    last = "-but-the-last-fold" * (experiment.part == "last")
    others = "" if {*experiment.sets} <= {*files} else f"-for-{'-'.join(experiment.sets)}"
    return link_files(files, workshop.out / f"audio-{'-'.join(files)}{last}{others}")


def _finetuned(experiment: Experiment, workshop: _Workshop) -> dict | None:
    """What the record of a fine-tuning says; None where the time is over."""
    (name,) = experiment.sets
    clips = workshop.sets.get(name)
    if clips is None:
        raise InputError(f"{name} is not at hand; name a folder that holds it in AUDIOPG_DATA.")
    rows = {each.name: each for each in experiment.beside} | {THIS: experiment}
    results = {}
    for row, each in rows.items():
        result = _tuned(each, clips, workshop)
        if result is None:
            return None
        results[row] = result
    runs = {row: workshop.out / each.folder for row, each in rows.items()}
    starts = {row: each.start_name for row, each in rows.items()}
    seconds = sum(result.seconds for result in results.values())
    return finetune_record(results, clips, name, runs, starts) | {"seconds": seconds}


def _tuned(
    experiment: Experiment, clips: LabelledClips, workshop: _Workshop
) -> FinetuneResult | None:
    """The result of a fine-tuning, fold by fold; None where the time is over."""
    start = _start(experiment, workshop)
    if experiment.start and start is None:
        return None
    run, waves = workshop.out / experiment.folder, cached_waves(clips, progress=workshop.progress)
    for fold in clips.test_folds:
        if workshop.minutes_left <= 0:
            return None
        finetune(
            experiment.settings,
            clips,
            waves,
            start,
            run,
            folds=[fold],
            resume=(run / "run.json").exists(),
            device=workshop.device,
            progress=workshop.progress,
        )
    return read_result(run, clips)


@torch.no_grad()
def held_out_loss(model: MaskedAutoencoder, prior: str) -> float:
    """Mean loss of a model on 256 clips of a prior that no run trains on, in float32."""
    device = next(model.parameters()).device
    sounds, losses = SynthPrior.preset(prior), []
    for clips in _HELD_OUT.to(device).split(_BATCH):
        mel = model.encoder.log_mel(render(sounds.sample(clips, seed=0)))
        losses.append(model(mel, clips, seed=0).loss)
    return torch.stack(losses).mean().item()


def probe(
    encoder: Encoder | None,
    clips: LabelledClips,
    part: str = "all",
    precision: str = "float32",
    progress: bool = True,
) -> dict[str, dict]:
    """Linear probes of clips at native length: accuracies by fold, mean and deviation.

    Args:
        encoder: embeds the clips, each once; None to probe the mean and deviation of their log-mels.
        clips: of a set, all of them.
        part: of its folds (``PARTS``).
        precision: of the encoder's products (``environment.PRECISION_CHOICES``).
        progress: show a progress bar.

    Returns:
        The figures of "probes", with mean pooling, and where there is an encoder of
        "probes_by_frequency", with frequency pooling (`Encoder.embed`).
    """
    kept, tested = part_of(clips, part)
    cached = cached_waves(clips, progress=progress)
    waves = [cached.native(row) for row in kept]
    features = {}
    if encoder is None:
        named = clip_features(waves, {}, native=True, progress=progress)
        features["probes"] = named["log-mel mean and deviation"]
    else:
        device = encoder.norm.weight.device
        with environment.autocast(device, environment.settle_precision(precision, device)):
            both = clip_features(
                waves,
                {"mean": encoder},
                pooling="both",
                native=True,
                controls=False,
                progress=progress,
            )
        features = dict(zip(("probes", "probes_by_frequency"), both.values(), strict=True))
    here = replace(clips.take(kept), test_folds=tested)
    results = probe_features(here, features, controls=False)
    return {name: _accuracies(result, here) for name, result in results.items()}


def _accuracies(result: ProbeResult, clips: LabelledClips) -> dict:
    """The figures of a probe, as a record has them."""
    by_source = list(bootstrap_interval(result, clips.labels, clips.folds, sources=clips.sources))
    return {
        "clips": len(result.scores),
        "accuracy": dict(zip(map(str, result.folds), result.accuracy.tolist(), strict=True)),
        "mean": result.mean,
        "standard_deviation": result.standard_deviation if len(result.folds) > 1 else None,
        "interval_95": by_source,
    }


def _seconds_of(run: Path) -> float:
    """Seconds that a run has taken so far, pauses left out."""
    # Steps that were taken after the newest checkpoint are taken again.
    steps = max(map(step_of, checkpoints(run)), default=0)
    lines = read_metrics(run / "metrics.jsonl")[:steps] if steps else []
    return lines[-1].get("seconds", 0.0) if lines else 0.0


def _processor_seconds(run: Path) -> float | None:
    """Seconds of the processor that the steps of a run took; None of a run that did not say."""
    taken = [line.get("processor_seconds") for line in read_metrics(run / "metrics.jsonl")]
    return None if None in taken else round(sum(taken), 1)
