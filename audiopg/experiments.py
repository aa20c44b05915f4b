"""The experiments behind the book's tables: networks pre-trained, then probed on real recordings.

``python -m audiopg reproduce`` runs them one after another, each at most once: an experiment that has
its record is left alone, one that was interrupted goes on.
"""

import json
import math
import os
import shutil
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from tqdm.auto import tqdm

from audiopg.datasets import LabelledClips, cached_waves, find_dataset
from audiopg.datasets.tables import TRAINING
from audiopg.environment import best_device
from audiopg.errors import InputError
from audiopg.mae import Encoder, MaskedAutoencoder
from audiopg.pretraining import RECIPES, PretrainSettings, different, pretrain
from audiopg.records import RESULTS, read_record, write_record
from audiopg.synth import SynthPrior, render
from audiopg.transfer import linear_probe

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
# The sets to probe on, of those that are at hand, and those whose recordings can be learned from.
PROBED = ("esc10", "urbansound8k")
LEARNED_FROM = ("esc10", "urbansound8k", "speech_commands")
# Of the rows that others are compared with.
SEEDS = (0, 1, 2)
PROTOCOL = (
    "pre-trained once, then a linear probe of the averaged tokens of clips at their native "
    "length; every choice of the probe is "
    "made on the training folds, every fold is the test fold once"
)
# Clips that no run trains on, for a loss that experiments can share.
_HELD_OUT = torch.arange(2**41, 2**41 + 256)
_BATCH = 32
# Enough that clips of one length meet in a batch.
_CLIPS_AT_ONCE = 256


@dataclass(frozen=True)
class Experiment:
    """A network to pre-train and to probe.

    Attributes:
        name: of its record.
        settings: of the pre-training; for recordings, ``audio`` names the sets (`training_files`)
            instead of a folder.
        probed: the sets to probe on.
    """

    name: str
    settings: PretrainSettings
    probed: tuple[str, ...] = PROBED


def recipe_steps(paper: PretrainSettings) -> dict[str, PretrainSettings]:
    """The steps on the way from the recipe ``paper`` to ``fast``, each taken alone.

    The first row is the paper's recipe itself, the second changes its precision. All others are in
    bfloat16 too, so each is to be compared with the second. The last takes together those that make
    up ``fast``. Steps that compute the same function, such as compilation, are not among them: they
    are timed, and tested to agree.

    Args:
        paper: the recipe to go from; other sizes and lengths of run keep the proportions.
    """
    half = replace(paper, precision="bfloat16")
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
    compared = steps["bfloat16"]
    listed = {f"recipe-{name}-{scale}": settings for name, settings in steps.items()}
    # The same clips of the same network, from the sets that it is not going to be probed on.
    real = {
        f"real-for-{name}-{scale}": (
            replace(compared, audio=", ".join(other for other in LEARNED_FROM if other != name)),
            (name,),
        )
        for name in PROBED
    }
    for seed in SEEDS[1:]:
        for name in ("bfloat16", "paper"):
            listed[f"recipe-{name}-{scale}-seed{seed}"] = replace(steps[name], seed=seed)
    # The row `full` of Table 3 is the recipe itself.
    for prior in ("sine", "harmonic", "dynamic"):
        listed[f"curriculum-{prior}-{scale}"] = replace(compared, prior=prior)
    return [Experiment(name, settings) for name, settings in listed.items()] + [
        Experiment(name, settings, probed) for name, (settings, probed) in real.items()
    ]


def training_files(name: str, data: Path | None) -> list[Path]:
    """The recordings of a set that a network may learn from when it is not probed on the set.

    Of a set with an official split these are the training clips; where every fold is the test
    fold once, all.

    Raises:
        InputError: where the set is not at hand.
    """
    clips = find_dataset(name, data)
    if clips is None:
        raise InputError(f"{name} is not at hand; name a folder that holds it in AUDIOPG_DATA.")
    crossed = len(clips.test_folds) > 1
    return [
        path
        for path, fold in zip(clips.paths, clips.folds.tolist(), strict=True)
        if crossed or fold == TRAINING
    ]


def link_files(files: dict[str, list[Path]], folder: Path) -> Path:
    """A folder of links to files, a folder for each name; it is made whole or not at all."""
    if folder.exists():
        return folder
    made = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(made, ignore_errors=True)
    for name, paths in files.items():
        (made / name).mkdir(parents=True)
        for number, path in enumerate(paths):
            # Files of several folders may share a name.
            (made / name / f"{number:06d}-{path.name}").symlink_to(path.resolve())
    return made.rename(folder)


def recordings(data: Path | None) -> dict[str, LabelledClips]:
    """The sets to probe on that lie in a folder of recordings, by the names they go by here.

    Raises:
        InputError: where there are none.
    """
    found = {name: clips for name in PROBED if (clips := find_dataset(name, data))}
    if not found:
        raise InputError(
            "there are no recordings to probe on; name a folder with ESC-50 (or ESC-10) or "
            "UrbanSound8K in AUDIOPG_DATA (python -m audiopg download --help)."
        )
    return found


def recipe_table(scale: str, folder: str | os.PathLike = RESULTS) -> "pandas.DataFrame":
    """What each step of the recipe does, from the records of `experiments` and `bench recipe`.

    A step is kept when on no set of recordings its probe loses more against the step it is
    compared with than the standard error of that loss: of the differences fold by fold, and of the
    luck of the seeds, which is how far apart the seeds of bfloat16 are, where there are several.

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
    luck = {name: _deviation([_accuracy(r, name) for r in records["bfloat16"]]) for name in sets}
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


def _seeds_of(name: str, folder: str | os.PathLike) -> list[dict]:
    """The records of an experiment, of one seed or several."""
    names = [name, *(f"{name}-seed{seed}" for seed in SEEDS[1:])]
    return [record for each in names if (record := read_record(each, folder))]


def _accuracy(record: dict, name: str) -> np.ndarray:
    """Accuracy of a record's probe on each fold of a set, in per cent."""
    return 100 * np.array(list(record["metrics"]["probes"][name]["accuracy"].values()))


def _deviation(accuracies: list[np.ndarray]) -> float:
    """Deviation of the means over the folds; 0 where there are not two."""
    means = [accuracy.mean() for accuracy in accuracies]
    return float(np.std(means, ddof=1)) if len(means) > 1 else 0.0


def _probed(records: list[dict], references: list[dict], luck: dict[str, float]) -> dict[str, str]:
    """The columns of `recipe_table` that the records of a step fill."""
    if not records:
        return {"held-out loss": "not run yet"}
    loss = np.mean([record["metrics"]["held_out_loss"] for record in records])
    row, kept = {"held-out loss": f"{loss:.3f}"}, []
    for name, deviation in luck.items():
        accuracy = np.mean([_accuracy(record, name) for record in records], axis=0)
        row[name] = f"{accuracy.mean():.1f}"
        if references:
            before = np.mean([_accuracy(record, name) for record in references], axis=0)
            gain = accuracy - before
            seeds = 1 / len(records) + 1 / len(references)
            error = (gain.var(ddof=1) / len(gain) + deviation**2 * seeds) ** 0.5
            # Spaces that do not break keep the cell on one line.
            row[name] += f" ({gain.mean():+.1f} ± {error:.1f})".replace(" ", "\N{NO-BREAK SPACE}")
            kept.append(gain.mean() >= -error)
    if references:
        row["kept"] = "yes" if all(kept) else "no"
    return row


def reproduce(
    chosen: list[Experiment],
    sets: dict[str, LabelledClips],
    *,
    data: Path | None = None,
    out: str | os.PathLike = "runs/reproduce",
    minutes: float = math.inf,
    device: torch.device | str | None = None,
    progress: bool = True,
    folder: str | os.PathLike = RESULTS,
) -> list[Experiment]:
    """Run the experiments that have no record yet.

    A record is written when its experiment is finished. A run that is interrupted, or for which
    the minutes are not enough, goes on from its last step when this is called again.

    Args:
        chosen: the experiments, in their order.
        sets: the recordings to probe on (`recordings`).
        data: the folder of recordings, for the experiments that learn from some.
        out: folder of the runs, a folder each.
        minutes: no step of training is begun after these.
        device: where to train; a CUDA device where there is one.
        progress: show progress bars.
        folder: of the records.

    Returns:
        The experiments that are left.

    Raises:
        InputError: as `audiopg.pretrain` and `audiopg.transfer.linear_probe`.
    """
    device = torch.device(device) if device else best_device()
    ends = time.monotonic() + 60 * minutes
    left = []
    for experiment in chosen:
        if is_recorded(experiment, folder):
            continue
        if time.monotonic() >= ends:
            left.append(experiment)
            continue
        run = Path(out) / experiment.name
        began = (run / "settings.json").exists()
        allowed = _minutes_of(run) + (ends - time.monotonic()) / 60
        settings = replace(experiment.settings, minutes=allowed if math.isfinite(allowed) else None)
        source = f"clips synthesized from the {settings.prior!r} prior"
        if settings.audio:
            names = settings.audio.split(", ")
            files = {name: training_files(name, data) for name in names}
            links = link_files(files, Path(out) / f"audio-{'-'.join(names)}")
            settings = replace(settings, audio=links)
            source = "windows of the recordings of " + " and ".join(
                f"{name} ({len(paths)} files)" for name, paths in files.items()
            )
        result = pretrain(settings, run, resume=began, device=device, progress=progress)
        if len(result.losses) < settings.steps:
            left.append(experiment)
            continue
        probed = [sets[name] for name in experiment.probed if name in sets]
        metrics = {
            "loss": result.losses[-max(1, settings.steps // 20) :].mean().item(),
            "held_out_loss": held_out_loss(result.model, settings.prior),
            "probes": {
                clips.name: probe(result.model.encoder, clips, progress) for clips in probed
            },
        }
        clips = settings.steps * settings.batch_size
        write_record(
            experiment.name,
            settings=asdict(experiment.settings),
            metrics=metrics,
            seconds=60 * _minutes_of(run),
            data=f"{clips} {source}; probed on "
            + " and ".join(f"{clips.name} ({clips.licence})" for clips in probed),
            protocol=PROTOCOL,
            where=json.loads((run / "provenance.json").read_text()),
            folder=folder,
        )
    return left


def is_recorded(experiment: Experiment, folder: str | os.PathLike = RESULTS) -> bool:
    """Whether an experiment has a record that was made with its settings."""
    record = read_record(experiment.name, folder)
    if record is None:
        return False
    return not different(PretrainSettings(**record["settings"]), experiment.settings)


@torch.no_grad()
def held_out_loss(model: MaskedAutoencoder, prior: str) -> float:
    """Mean loss of a model on 256 clips of a prior that no run trains on, in float32."""
    device = next(model.parameters()).device
    sounds, losses = SynthPrior.preset(prior), []
    for clips in _HELD_OUT.to(device).split(_BATCH):
        mel = model.encoder.log_mel(render(sounds.sample(clips, seed=0)))
        losses.append(model(mel, clips, seed=0).loss)
    return torch.stack(losses).mean().item()


def probe(encoder: Encoder, clips: LabelledClips, progress: bool = True) -> dict:
    """Accuracies of a linear probe of clips at native length: by fold, mean and deviation."""
    waves = cached_waves(clips, progress=progress)
    rows = torch.arange(len(waves)).split(_CLIPS_AT_ONCE)
    bar = tqdm(rows, desc=f"embedding {clips.name}", unit="batch", disable=not progress)
    embeddings = [encoder.embed([waves.native(row) for row in part], native=True) for part in bar]
    result = linear_probe(
        torch.cat(embeddings), clips.labels, clips.folds, test_folds=clips.test_folds
    )
    return {
        "clips": len(clips),
        "accuracy": dict(zip(map(str, result.folds), result.accuracy.tolist(), strict=True)),
        "mean": result.mean,
        "standard_deviation": result.standard_deviation,
    }


def _minutes_of(run: Path) -> float:
    """Minutes that a run has taken so far, pauses left out."""
    path = run / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return json.loads(lines[-1])["seconds"] / 60 if lines else 0.0
