"""`audiopg probe`: frozen encoders and their controls on a benchmark."""

import argparse
import time
from dataclasses import asdict

from audiopg import transfer
from audiopg.commands import common
from audiopg.datasets import CachedWaves, LabelledClips, cached_waves
from audiopg.datasets.benchmarks import BENCHMARKS
from audiopg.embedding import POOLINGS
from audiopg.environment import best_device, provenance
from audiopg.errors import InputError
from audiopg.mae import Encoder
from audiopg.pretrained import load_encoder
from audiopg.records import record_path, require_records, write_record
from audiopg.transfer.compare import split_of
from audiopg.transfer.probe import require_probe
from audiopg.transfer.summary import TESTS, THIS, described, named_folds, skipped_files
from audiopg.transfer.waves import require_windows

EXAMPLES = (
    "example: audiopg probe runs/first --dataset urbansound8k --pooling frequency --native --beside "
    "runs/real --record probe-first; on one's own: audiopg probe tiny --dataset my-birds/ --native"
)


def add(command: argparse.ArgumentParser) -> None:
    common.add_model(command)
    what = "other models to probe on the same clips, such as one pre-trained on recordings"
    common.add_beside(command, what)
    command.add_argument(
        "--dataset",
        default="esc10",
        metavar="NAME",
        help=f"one of {', '.join(BENCHMARKS)}, or all of them that are there; or a folder, table or "
        "manifest of one's own recordings (default: esc10)",
    )
    common.add_recordings(command)
    common.add_own(command)
    common.add_embedding(command, [*POOLINGS, "both"])
    command.add_argument(
        "--controls",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="chance, raw log-mel and an untrained encoder of the same size (default: with them)",
    )
    command.add_argument(
        "--by-source",
        action="store_true",
        help="for each test fold, leave out of training what was cut from one of its recordings, or "
        "said by one of its speakers: in ESC-50 and UrbanSound8K a few recordings are in two folds",
    )
    common.add_record(
        command, common.RECORD_HELP + "; for --dataset all, NAME-esc10.json and so on"
    )


def run(options: argparse.Namespace) -> None:
    is_all = options.dataset == "all"
    names = list(BENCHMARKS) if is_all else [options.dataset]
    records = dict.fromkeys(names, options.record)
    if is_all and options.record is not None:
        record_path(options.record)  # Refuses a name without letters, which would get some here.
        records = {name: f"{options.record}-{name}" for name in names}
    require_records(*records.values())
    options.beside = common.distinct(options.beside, options.model)
    # Asked before the work, so that no run is refused after it.
    ask = common.heard_by if options.record else lambda _: None
    models = [options.model, *options.beside]
    loaded = {model: common.load_with(load_encoder, ask, model) for model in models}
    encoder, skip_bad = loaded[options.model][0], options.skip_bad
    found = {name: common.find_clips(options, name, skip_bad, not is_all) for name in names}
    found = {name: clips for name, clips in found.items() if clips is not None}
    if not found:
        folder = common.recordings_folder(options.data)
        raise InputError(f"{folder} does not hold any benchmark; audiopg download fetches them.")
    encoders = {"random encoder": common.untrained_like(encoder)} if options.controls else {}
    encoders |= {model: loaded[model][0] for model in options.beside}
    encoders[THIS] = encoder
    encoders = {name: each.to(best_device()) for name, each in encoders.items()}
    heard = {model: said for model, (_, said) in loaded.items()}
    # Looked at before any is embedded, so that no set is refused after the work on another.
    waves = {name: cached_waves(clips, skip_bad=skip_bad) for name, clips in found.items()}
    for each in waves.values():
        require_probe(
            each.clips.labels, each.clips.folds, **split_of(each.clips, options.by_source)
        )
        if options.native:
            require_windows(each)
    for name, each in waves.items():
        _probe_one(options, name, each, encoders, heard, records[name])


def _probe_one(
    options: argparse.Namespace,
    name: str,
    waves: CachedWaves,
    encoders: dict[str, Encoder],
    heard: dict[str, dict | None],
    record: str | None,
) -> None:
    """Probe encoders on one benchmark, say what came out, and record it."""
    clips, began = waves.clips, time.perf_counter()
    how = {"pooling": options.pooling, "native": options.native}
    features = transfer.clip_features(waves, encoders, controls=options.controls, **how)
    for model in options.beside:
        features.pop(f"{model}, frequency pooling", None)
    embedded = time.perf_counter()
    results = transfer.probe_features(clips, features, options.controls, options.by_source)
    probed = time.perf_counter()
    _print_results(results, clips, options.by_source)
    print(f"{embedded - began:.0f} s to embed, {probed - embedded:.0f} s to probe")
    if not record:
        return
    path = write_record(
        record,
        settings={
            "model": options.model,
            "heard": heard[options.model],
            "beside": {model: heard[model] for model in options.beside},
            "dataset": name,
            **how,
            "by_source": options.by_source,
            **asdict(encoders[THIS].architecture),
            "skipped": skipped_files(clips),
        },
        metrics=transfer.summarise(results, clips),
        seconds=probed - began,
        data=described(clips),
        protocol=_protocol(options, clips),
        where=provenance(best_device()),
    )
    print(f"recorded in {path}")


def _print_results(
    results: dict[str, transfer.ProbeResult], clips: LabelledClips, by_source: bool
) -> None:
    """A table of the scores, one of the tests against this encoder, and its confusions."""
    this = results[THIS]
    each = "each fold tested in turn" if len(this.folds) > 1 else clips.fold_names[this.folds[0]]
    print(
        f"{clips.name}, {len(clips)} clips, {this.metric} in per cent, {each}{named_folds(clips)}"
    )
    common.say_skipped(clips)
    if shared := clips.across_folds.sum():
        then = ", left out of training" if by_source else "; --by-source leaves them out"
        print(f"{shared} clips share a source with a clip of another fold{then}")
    print(transfer.probe_table(results, len(clips.classes)).to_string())
    significance = transfer.significance_table(
        results, clips.labels, clips.folds, THIS, clips.sources
    )
    common.print_significance(significance.iloc[:, 2:])
    confused = transfer.most_confused(this, clips).iloc[:, :6]
    if not confused["kinds"].any():
        confused = confused.drop(columns="kinds")
    print("most frequent confusions of this encoder:" + " none" * confused.empty)
    if len(confused):
        print(confused.to_string(index=False))


def _protocol(options: argparse.Namespace, clips: LabelledClips) -> str:
    """How the figures of a probe were obtained, for a record."""
    pooled = {
        "mean": "",
        "frequency": "over time with the bands side by side ",
        "both": "over all, or over time with the bands side by side, ",
    }[options.pooling]
    length = "at the clips' own length" if options.native else "over 10.24 s"
    chosen = "on the validation part" if clips.validation_folds else "within the training folds"
    return (
        f"linear probe of frozen tokens, averaged {pooled}{length}, standardised, strength chosen "
        f"{chosen}, each test fold tested once"
        + ", nothing learned from its recordings" * options.by_source
        + f"; {TESTS}"
    )
