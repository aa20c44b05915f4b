"""`audiopg finetune`: an encoder fine-tuned on a benchmark, and compared."""

import argparse
import math
from dataclasses import asdict, replace
from pathlib import Path

from audiopg.commands import common
from audiopg.datasets import LabelledClips, cached_waves
from audiopg.datasets.benchmarks import BENCHMARKS
from audiopg.environment import require_writable
from audiopg.errors import InputError
from audiopg.inputs import shown
from audiopg.records import require_records, write_record
from audiopg.runs import require_new
from audiopg.transfer import FinetuneResult, read_result, significance_table
from audiopg.transfer.finetune import FINETUNE_RECIPES, FinetuneSettings, finetune, read_run
from audiopg.transfer.statistics import bootstrap_interval
from audiopg.transfer.summary import THIS, finetune_record

# The flags that say where the clips are from, and their types; a run keeps them for its resumption.
_SOURCE = {"dataset": str, "data": str, "skip_bad": bool, "columns": dict}
_SOURCE |= {"n_folds": int, "fold_seed": int}
_NAMELESS = (
    f"no data set is named; give --dataset: {', '.join(BENCHMARKS)}, or the path of your own."
)
EXAMPLES = """\
examples:
  the weights that come with audiopg on ESC-10, all five folds, on a CPU:
    audiopg finetune --start tiny --dataset esc10 --recipe fast --out runs/esc10
  the same network from scratch, the control; then the two in one table, with a paired test:
    audiopg finetune --preset tiny --dataset esc10 --recipe fast --out runs/esc10-scratch
    audiopg finetune --resume --out runs/esc10 --beside runs/esc10-scratch
  go on after Ctrl-C, a crash or a full disk; clips, folds and settings not given are the run's:
    audiopg finetune --resume --out runs/esc10
  the paper's protocol for Table 1, or its fast one of 50 epochs, with three seeds, on a GPU:
    audiopg finetune --start runs/paper --dataset esc50 --recipe paper --out runs/esc50
    audiopg finetune --start runs/paper --dataset esc50 --recipe paper-50 --seeds 3 --out runs/50
  recordings of one's own: a folder a class; a table says so itself, or with --columns:
    audiopg data my-birds/
    audiopg finetune --start tiny --dataset my-birds/ --recipe fast --out runs/birds
    audiopg finetune --start tiny --dataset birds.csv --columns label=species,group=site \\
        --recipe fast --out runs/sites
  choose settings without a look at the test fold: fold 1 is left alone, fold 2 reported on:
    audiopg finetune --start tiny --dataset esc10 --recipe fast --folds 1 --validate \\
        --epochs 10 --out runs/choice

what is in --out: run.json (settings, weights, clips and where they are), provenance.json, result.json (of all folds that
are done by now), and for each seed and fold a folder with metrics.jsonl (a line an epoch: loss,
learning rate, steps a second, seconds so far), checkpoint.safetensors while it runs and
tested.safetensors (the scores of the test clips) when it is done. One process writes there at a time;
a second is refused. A fold is tested once, after its last epoch. A run that is killed goes on from the last
checkpoint of each fold to the same bits, on the same kind of machine."""


def add(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--start",
        metavar="MODEL",
        help="weights to begin with: a run, a checkpoint, a file or a name that comes with audiopg "
        "(default: none, and --preset says how large a network to train from scratch)",
    )
    command.add_argument(
        "--dataset",
        metavar="NAME",
        help=f"one of {', '.join(BENCHMARKS)}; or a folder, table or manifest of one's own recordings "
        "(required, unless a run is resumed)",
    )
    common.add_recordings(command)
    common.add_own(command)
    command.add_argument(
        "--folds",
        help="test folds, by number or name, such as 1,2 (default: all of the data set, in turn; with "
        "--resume, those that the run was last asked for)",
    )
    about = "fast was chosen with tiny on ESC-10"
    common.add_settings(command, FinetuneSettings, FINETUNE_RECIPES, about)
    what = "finished runs on the same clips to compare this one with, such as one from scratch"
    common.add_beside(command, what, of="RUN")
    common.add_run(command)


def run(options: argparse.Namespace) -> None:
    require_records(options.record)
    settings, start = FINETUNE_RECIPES[options.recipe or "paper"], options.start
    if options.resume:
        before, said = read_run(options.out)
        # What all recipes have alike, such as no preset, they do not ask for: it is the run's.
        alike = set.intersection(*(set(asdict(one).items()) for one in FINETUNE_RECIPES.values()))
        kept = {name: getattr(before, name) for name, _ in alike}
        settings = replace(settings, **kept) if options.recipe else before
        start = start or said["start"]
        _recall(options, said.get("recordings", {}))
    else:
        require_new(options.out)
    if options.dataset is None:
        raise InputError(_NAMELESS)
    # A checkpoint needs more; how much is known when the weights are loaded.
    require_writable(options.out, 1e6)
    others = common.distinct(options.beside, options.out, Path)
    beside = {path: read_run(path)[0] for path in others}
    settings = common.changed_by(settings, options)
    clips = common.find_clips(options, options.dataset, options.skip_bad)
    folds = None if options.folds is None else _fold_list(options.folds, clips)
    waves = cached_waves(clips, skip_bad=options.skip_bad)
    clips = waves.clips
    # A run that cannot be compared is refused before hours of training.
    _require_paired(settings, beside, clips.multi_label)
    results = {path: read_result(path, clips, folds, waves) for path in beside}
    result = finetune(
        settings,
        clips,
        waves,
        start,
        options.out,
        folds=folds,
        resume=options.resume,
        device=options.device,
        recordings=_recordings(options),
    )
    _print_result(result, clips, settings)
    results[THIS] = result
    if beside:
        significance = significance_table(results, clips.labels, clips.folds, THIS, clips.sources)
        common.print_significance(significance)
    if options.record:
        runs = {path: path for path in beside} | {THIS: options.out}
        record = finetune_record(results, clips, options.dataset, runs)
        print(f"recorded in {write_record(options.record, **record)}")


def _require_paired(
    settings: FinetuneSettings, beside: dict[str, FinetuneSettings], multi_label: bool
) -> None:
    """See that there will be a paired test of this run with each of the others."""
    for path, other in beside.items():
        if other.validate != settings.validate:
            folds = [f"{'training' if one.validate else 'test'} folds" for one in (other, settings)]
            raise InputError(
                f"{path} has figures of {folds[0]}, and this run of {folds[1]}; give --validate to both "
                "or to neither."
            )
        if multi_label and max(other.seeds, settings.seeds) > 1:
            raise InputError(
                f"results over several seeds have no paired test of mAP, and {path} is set beside this "
                f"run with seeds {other.seeds} and {settings.seeds}; give one seed to both."
            )


def _recordings(options: argparse.Namespace) -> dict:
    """Where the clips and folds are from, with paths that hold in any working folder."""
    said = {name: getattr(options, name) for name in (*_SOURCE, "folds")}
    if options.dataset not in BENCHMARKS:
        said["dataset"] = str(Path(options.dataset).resolve())
    return said | {"data": options.data and str(options.data.resolve())}


def _recall(options: argparse.Namespace, said: dict) -> None:
    """Take from a run that goes on what the command line does not say.

    Raises:
        InputError: for values of other types than a run writes, naming its file.
    """
    for name, kind in {"folds": str, **_SOURCE}.items():
        if not isinstance(said.get(name), kind | None):
            raise InputError(
                f"{options.out / 'run.json'} is damaged: {name} is {shown(said[name])}; put back the file "
                "of the run."
            )
    if options.folds is None:
        options.folds = said.get("folds")
    places = tuple(_SOURCE)
    if options.dataset is not None:
        # The set is named anew, as one that has moved. How it is read stays, such as by which groups.
        places = ("skip_bad",)
        if not {options.dataset, said.get("dataset")} & BENCHMARKS.keys():
            places += ("columns", "n_folds", "fold_seed")
    for name in places:
        given = getattr(options, name)
        # Not by its truth, since a seed of 0 was given.
        if given is None or given is False or given == {}:
            setattr(options, name, said.get(name, given))
    options.data = options.data and Path(options.data)


def _print_result(result: FinetuneResult, clips: LabelledClips, settings: FinetuneSettings) -> None:
    """A line a seed, and the mean over the folds."""
    reported = "a training fold held out, for each test fold" if settings.validate else "test folds"
    print(f"{clips.name}, {len(clips)} clips, {result.metric} in per cent on {reported}")
    common.say_skipped(clips)
    for seed, values in zip(result.seeds, result.values, strict=True):
        each = ", ".join(
            f"{clips.fold_names[fold]} {100 * value:.1f}"
            for fold, value in zip(result.folds, values, strict=True)
        )
        print(f"  seed {seed}: {each}; mean {100 * values.mean():.1f}")
    if len(result.folds) > 1:
        print(f"{100 * result.mean:.1f} ± {100 * result.standard_deviation:.1f} over the folds")
    low, high = bootstrap_interval(result, clips.labels, clips.folds, sources=clips.sources)
    if math.isnan(low):
        return
    print(
        "95 % interval of the mean, by the bootstrap over sources: "
        f"{100 * low:.1f} to {100 * high:.1f}"
    )


def _fold_list(text: str, clips: LabelledClips) -> list[int]:
    """The numbers of folds that are named by their numbers or names."""
    called = {name: number for number, name in clips.fold_names.items()}
    called |= {name.removeprefix("fold "): number for name, number in called.items()}
    called |= {str(number): number for number in clips.fold_names}
    asked = [part.strip() for part in text.split(",")]
    if not set(asked) <= called.keys():
        known = ", ".join(clips.fold_names[fold] for fold in clips.test_folds)
        raise InputError(
            f"folds is {shown(text)}; give numbers or names of the test folds ({known}), such as 1,2."
        )
    return [called[part] for part in asked]
