"""`audiopg analyze`: what a latent space knows about the factors of its clips."""

import argparse
import json
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import torch

from audiopg import analysis, environment
from audiopg._types import DataFrame
from audiopg.analysis.cache import fingerprint
from audiopg.commands import common
from audiopg.errors import InputError
from audiopg.frontend import LogMel
from audiopg.inputs import whole_number, whole_seed
from audiopg.mae import Encoder, MaskedAutoencoder
from audiopg.pretrained import load_encoder, load_model, shipped_weights
from audiopg.pretraining import read_settings
from audiopg.records import pack, read_record, require_records, write_record
from audiopg.runs import RunFolder, checkpoints, clear_leftovers, run_folder
from audiopg.synth import ClipParameters, render
from audiopg.transfer.summary import THIS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Clips whose layers are kept: 13 layers of a large network take 40 kB a clip.
_LAYER_CLIPS = 1000
# Snapshots of the patch filters that are analysed, evenly spaced over a run.
_SNAPSHOTS = 9
# Bytes that the tables, figures and record of an analysis usually take.
_ROOM = 5e6
# How far a clip is moved along the direction of a factor, in standard deviations of the factor.
_AMOUNTS = (-12.0, -6.0, 0.0, 6.0, 12.0)
# The flags that identify an analysis.
_SETTINGS = ("model", "beside", "by_clips", "controls", "clips", "seed", "seeds", "permutations")
_SETTINGS += ("other_clips", "null_clips", "precision")
# The least that can be computed with: information and its null take 5 clips, its error 5 parts of 5.
_LEAST = {"clips": 25, "other_clips": 5, "seeds": 1, "permutations": 1, "null_clips": 5}
# Embeddings by row, and factors, of a set of clips.
_Set = tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]
EXAMPLES = (
    "example: audiopg analyze runs/first --controls --beside runs/real --out runs/first/analysis"
)


def add(command: argparse.ArgumentParser) -> None:
    common.add_model(command)
    what = "other models to ask about the same clips, such as one pre-trained on recordings"
    common.add_beside(command, what)
    command.add_argument(
        "--controls",
        action="store_true",
        help="also ask an untrained network of the same size, and raw log-mel",
    )
    command.add_argument(
        "--by-clips",
        metavar="MODEL",
        nargs="+",
        default=[],
        type=common.row_named,
        help="runs or their checkpoints of which only R² is asked, over the clips they had heard",
    )
    common.add_number(command, "--clips", 5000, "synthetic clips")
    command.add_argument(
        "--other-clips", type=int, help="clips of every set but the first (default: as --clips)"
    )
    common.add_number(command, "--seed", 1, "of the clips")
    common.add_number(
        command,
        "--seeds",
        3,
        "sets of clips, their seeds one after another: all is found on the first, the best neurons "
        "are asked again about the others",
    )
    common.add_number(command, "--permutations", 200, "shuffles of a factor")
    command.add_argument(
        "--null-clips",
        type=int,
        help="clips whose factors are shuffled: fewer take less time, and set the bar of luck too "
        "high if anything (default: all)",
    )
    command.add_argument(
        "--precision",
        choices=environment.PRECISION_CHOICES,
        default="float32",
        help="of the encoders' products: float32, bfloat16, or auto, the one that the device is good "
        "at (default: float32)",
    )
    common.add_out(command, "folder for what is found")
    common.add_record(command)


def run(options: argparse.Namespace) -> None:
    require_records(options.record)
    environment.require_writable(options.out, _ROOM)
    with run_folder(options.out) as held:
        with environment.writing(options.out):
            clear_leftovers(held)
        _analyze_into(held, options)


@dataclass(frozen=True)
class _Asked:
    """What is asked about, loaded before any work: models by the name of their row or by path.

    ``grown`` are the models of which R² is asked, over the clips they had ``heard``; ``filters`` are
    those of the runs that kept any, step by step, and ``changes`` what training has added to them.
    """

    model: MaskedAutoencoder
    candidates: dict[str, Encoder | LogMel]
    grown: dict[str, Encoder]
    heard: dict[str, tuple[int, str]]
    filters: dict[str, analysis.FilterGrowth]
    changes: dict[str, analysis.FilterGrowth]
    settings: dict


def _analyze_into(held: RunFolder, options: argparse.Namespace) -> None:
    """Analyse, with the folder held for this process alone."""
    began = time.perf_counter()
    _settle_numbers(options)
    plots, device = common.load_plots("analyze"), environment.best_device()
    options.precision = environment.settle_precision(options.precision, device)
    asked = _load(options, device)
    sets, layers, heard = _embed_all(options, asked, device)
    how = {"permutations": options.permutations, "null_clips": options.null_clips}
    report = analysis.analyse(*sets[0], sets[1:], cached=True, **how)
    tables = report.tables()
    for name, found in layers.items():
        tables[f"layers of {name}"] = found.table().rename_axis(["layer", "factor"])
    if heard is not None:
        tables["clips heard"] = heard
    for what, grown in (("filters", asked.filters), ("filter changes", asked.changes)):
        tables |= {f"{what} of {name}": found.table() for name, found in grown.items()}
    _print_report(report)
    # First the settings alone: if this is killed, no other analysis can write its tables among these.
    held.require_held("run this again")
    with environment.writing(options.out):
        environment.write_json(options.out / "analysis.json", {"settings": asked.settings})
    for name, table in tables.items():
        path = options.out / f"{_file_name(name)}.csv"
        held.require_held("run this again")
        with environment.writing(path), environment.atomic_path(path) as temporary:
            table.to_csv(temporary)
    plots.use_style()
    figures = chain(
        _report_figures(plots, report, layers, heard),
        _filter_figures(plots, asked.filters, "filters"),
        _filter_figures(plots, asked.changes, "filter changes"),
        _traversal_figures(plots, asked.model, *sets[0], options.seed),
    )
    drawn = 0
    for name, figure in figures:
        held.require_held("run this again")
        common.save_figure(plots, figure, options.out / f"{_file_name(name)}.png")
        drawn += 1
    record = _record(options, asked, report, tables)
    record |= {"seconds": time.perf_counter() - began, "where": environment.provenance(device)}
    held.require_held("run this again")
    write_record("analysis", **record, folder=options.out)
    print(f"{len(tables)} tables, {drawn} figures and analysis.json in {options.out}")
    if options.record:
        print(f"recorded in {write_record(options.record, **record)}")


def _settle_numbers(options: argparse.Namespace) -> None:
    """Take the other sets as large as the first where nothing is said; refuse numbers too small."""
    if options.other_clips is None:
        options.other_clips = options.clips
    for name, lowest in _LEAST.items():
        if getattr(options, name) is not None:
            whole_number(getattr(options, name), name, lowest=lowest)
    whole_seed(options.seed)
    whole_seed(options.seed + options.seeds - 1)


def _load(options: argparse.Namespace, device: torch.device) -> _Asked:
    """Load all that is asked about; refuse a folder that holds another analysis."""
    options.beside = common.distinct(options.beside, options.model)
    options.by_clips = common.distinct(options.by_clips)
    loaded, heard, said_of = {}, {}, {}

    def ask(path: str) -> tuple[tuple[int, str] | None, dict | None]:
        return _clips_heard(path) if path in options.by_clips else None, common.heard_by(path)

    # Each once, since a run that goes on may have other weights the next time.
    for path in dict.fromkeys((options.model, *options.beside, *options.by_clips)):
        load = load_model if path == options.model else load_encoder
        loaded[path], (heard[path], said_of[path]) = common.load_with(load, ask, path)
        loaded[path].to(device)
    heard = {path: heard[path] for path in options.by_clips}
    model = loaded[options.model].requires_grad_(False)
    loaded[options.model] = model.encoder
    candidates = {THIS: model.encoder} | {path: loaded[path] for path in options.beside}
    grown = {path: loaded[path] for path in options.by_clips}
    if options.controls:
        untrained = common.untrained_like(model.encoder).to(device)
        candidates |= {"random encoder": untrained, "raw log-mel": LogMel().to(device)}
    named = {THIS: options.model}
    named |= {path: path for path in (*options.beside, *options.by_clips)}
    _require_own_files([*candidates, *grown])
    kept = {
        name: _filters(path) for name, path in named.items() if (Path(path) / "filters").is_dir()
    }
    said = {name: getattr(options, name) for name in _SETTINGS}
    weighed = {path: candidates[name] for name, path in named.items() if name in candidates} | grown
    said["weights"] = {
        path: fingerprint(one.state_dict(), one.log_mel.settings) for path, one in weighed.items()
    }
    _refuse_other_analysis(options.out, said)
    settings = said | {
        "clips_heard": heard,
        "heard": said_of,
        **asdict(model.architecture),
    }
    filters = {name: growth for name, (growth, _) in kept.items()}
    changes = {name: found for name, (_, found) in kept.items() if found}
    return _Asked(model, candidates, grown, heard, filters, changes, settings)


def _embed_all(
    options: argparse.Namespace, asked: _Asked, device: torch.device
) -> tuple[list[_Set], dict[str, analysis.RidgeComparison], "DataFrame | None"]:
    """Embeddings and factors of each set of clips; R² by layer of each encoder, and by clips heard."""

    def embed(one: Encoder | LogMel, params: ClipParameters, layers: bool = False) -> torch.Tensor:
        with environment.autocast(device, options.precision):
            return analysis.embed_clips(one, params, layers=layers)

    sets = []
    for place in range(options.seeds):
        clips = options.other_clips if place else options.clips
        params = analysis.controlled_clips(None, clips, options.seed + place)
        embeddings = {name: embed(one, params).to(device) for name, one in asked.candidates.items()}
        sets.append((embeddings, analysis.clip_factors(params)))
    params = analysis.controlled_clips(None, _layer_clips(options), options.seed)
    factors, layers = analysis.clip_factors(params), {}
    for name, one in asked.candidates.items():
        if isinstance(one, Encoder):
            parts = enumerate(embed(one, params, layers=True))
            layers[name] = analysis.ridge_comparison({str(n): part for n, part in parts}, factors)
    if not asked.grown:
        return sets, layers, None
    by_clips = {path: embed(one, params) for path, one in asked.grown.items()}
    controls = {"random encoder", "raw log-mel"} & asked.candidates.keys()
    by_clips |= {name: sets[0][0][name][: len(params)] for name in sorted(controls)}
    table = analysis.ridge_comparison(by_clips, factors).table()
    learned = [asked.heard.get(name, (0, "nothing")) for name, _ in table.index]
    clips, sources = zip(*learned, strict=True)
    return sets, layers, table.assign(**{"clips heard": clips, "of": sources})


def _record(
    options: argparse.Namespace,
    asked: _Asked,
    report: analysis.Report,
    tables: dict[str, DataFrame],
) -> dict:
    """The arguments of `write_record` for an analysis, without its place and seconds."""
    packed = {
        "information": report.information,
        "ablation": report.ablations,
        "angles": report.angles,
        "filters": asked.filters,
        "filter changes": asked.changes,
    }
    return {
        "settings": asked.settings,
        "metrics": {name: _plain(table) for name, table in tables.items()}
        | {"packed": pack(packed)},
        "data": f"{options.clips} clips synthesized from the 'full' prior, then {options.seeds - 1} "
        f"sets of {options.other_clips}; no recordings",
        "protocol": "everything found on the first set, its best neurons asked again about the "
        "others; information by Kraskov's estimator of 3 neighbours in nats, errors from disjoint "
        f"parts, p-values from the maximum over neurons under {options.permutations} shuffles of "
        f"{options.null_clips or 'all'} clips; "
        "ridge R² held out on 5 splits, its interval by the bootstrap over the held-out clips; R² "
        f"by layer and by clips heard on the first {_layer_clips(options)} clips; embeddings that a "
        "run before had made and kept are not in the seconds",
    }


def _layer_clips(options: argparse.Namespace) -> int:
    return min(options.clips, _LAYER_CLIPS)


def _refuse_other_analysis(folder: Path, asked: dict) -> None:
    """Raise InputError where tables and figures of another analysis would lie beside the new ones."""
    before = read_record("analysis", folder)
    for name, value in asked.items() if before else ():
        # An analysis of an older version does not say which weights it is of.
        was = before.get("settings", {}).get(name, value if name == "weights" else None)
        if was != value and name == "weights":
            raise InputError(
                f"{folder} holds an analysis of other weights: {' or '.join(value)} has changed since "
                "then; name another folder."
            )
        if was != value:
            raise InputError(
                f"{folder} holds an analysis with {name} = {was!r}, not {value!r}; name another folder."
            )


def _require_own_files(names: list[str]) -> None:
    """Raise InputError where the tables and figures of two models would have the same names."""
    taken: dict[str, str] = {}
    for name in names:
        other = taken.setdefault(_file_name(name), name)
        if other != name:
            raise InputError(
                f"the files of {other} and {name} would have the same names, of which only the letters "
                "a to z and digits are kept; rename one."
            )


def _clips_heard(model: str) -> tuple[int, str]:
    """How many clips a model learned from: shipped weights, a run, or its checkpoint.

    Returns:
        The number, and "synthesis" or "recordings".

    Raises:
        InputError: for a model that does not say it, or a run that began with other weights.
    """
    record = read_record(f"pretrain-{model}") if model in shipped_weights() else None
    if record:
        return record["settings"]["steps"] * record["settings"]["batch_size"], "synthesis"
    checkpoint = Path(model)
    if not checkpoint.name.startswith("step-"):
        checkpoint = (checkpoints(checkpoint) or [checkpoint])[-1]
    step = checkpoint.name.removeprefix("step-")
    if not step.isdecimal():
        raise InputError(f"{model} does not say what it heard; give a run or its step-*/.")
    settings = read_settings(checkpoint.parent)
    if settings.start:
        raise InputError(
            f"{model} began with the weights of {settings.start}, so what it heard is not its own steps "
            "alone; leave it out of --by-clips, or set it --beside."
        )
    return int(step) * settings.batch_size, "recordings" if settings.audio else "synthesis"


def _filters(folder: str) -> tuple[analysis.FilterGrowth, analysis.FilterGrowth | None]:
    """The patch filters of a run, step by step, and what training has added since the first.

    Snapshots are taken evenly, the first and the last among them.
    """
    steps, weights = analysis.read_filters(folder)
    chosen = torch.linspace(0, len(steps) - 1, min(len(steps), _SNAPSHOTS), dtype=torch.float32)
    steps, weights = (values[chosen.round().long()] for values in (steps, weights))
    changes = weights[1:] - weights[0]
    # A run that has kept one snapshot, or whose filters have not moved, has nothing to show.
    moved = changes.flatten(1).any(dim=1)
    added = analysis.filter_growth(steps[1:][moved], changes[moved]) if moved.any() else None
    return analysis.filter_growth(steps, weights), added


def _traversal_figures(
    plots: ModuleType,
    model: MaskedAutoencoder,
    embeddings: dict[str, torch.Tensor],
    factors: dict[str, torch.Tensor],
    seed: int,
) -> "Iterator[tuple[str, Figure]]":
    """The first clip decoded with its tokens moved along the direction of each factor."""
    mel = model.encoder.log_mel(
        render(analysis.controlled_clips(None, 1, seed)).to(next(model.parameters()).device)
    )
    for name, values in factors.items():
        direction = analysis.factor_direction(embeddings[THIS], values)
        moved = analysis.traverse(model, mel, direction, _AMOUNTS)
        titles = [f"{amount:+g} sd of {name}" for amount in _AMOUNTS]
        yield f"traversal along {name}", plots.spectrogram_wall(moved, titles, columns=3)


def _print_report(report: analysis.Report) -> None:
    """Print the best neuron for each factor with its bar, and the R² of all neurons together."""
    for name, information in report.information.items():
        for factor, found in information.items():
            best = found.table(1).reset_index().iloc[0]
            ridge = report.ridge.results[name][factor]
            print(
                f"{name}: neuron {best['dimension']:.0f} tells {best['information']:.3f} nats "
                f"({best['low']:.3f} to {best['high']:.3f}) about {factor}, 95 % of shuffles stay "
                f"below {found.threshold:.3f}; held-out ridge R² of all {ridge.mean:.3f} ± "
                f"{ridge.standard_deviation:.3f}"
            )


def _report_figures(
    plots: ModuleType,
    report: analysis.Report,
    layers: dict[str, analysis.RidgeComparison],
    heard: "DataFrame | None",
) -> "Iterator[tuple[str, Figure]]":
    """The figures with their names, one after another, so that few are open at a time."""
    if heard is not None:
        for factor, rows in heard.groupby("factor", sort=False):
            yield f"clips heard, {factor}", plots.clips_curves(rows, f"held-out R² of {factor}")
    for factor in report.factors:
        found = {name: results[factor] for name, results in report.information.items()}
        bar = max(one.threshold for one in found.values())
        curves = {name: one.information for name, one in found.items()}
        yield f"information on {factor}", plots.information_bars(curves, bar, factor)
        curves = {n: [at[factor].mean for at in one.results.values()] for n, one in layers.items()}
        yield f"layers, {factor}", plots.layer_curves(curves, f"held-out R² of {factor}")
    ridge = report.ridge.results
    means, spreads = (
        {f: {n: getattr(ridge[n][f], what) for n in ridge} for f in report.factors}
        for what in ("mean", "standard_deviation")
    )
    yield "ridge", plots.grouped_bars(means, "held-out R²", spreads)
    for what in ("information", "binned information", "R²"):
        scores = {name: found[what].scores.tolist() for name, found in report.gaps.items()}
        groups = {f: {n: scores[n][row] for n in scores} for row, f in enumerate(report.factors)}
        yield f"gaps in {what}", plots.grouped_bars(groups, f"gap in {what}")
    for name, components in report.components.items():
        shares, asked = {name: components.variance_share}, components.information(report.factors)
        yield f"components of {name}", plots.variance_shares(shares, asked)
        yield f"angles of {name}", plots.angle_matrix(report.angles[name])
        yield f"ablation of {name}", plots.ablation_curves(report.ablations[name])


def _filter_figures(
    plots: ModuleType, growth: dict[str, analysis.FilterGrowth], what: str
) -> "Iterator[tuple[str, Figure]]":
    for name, found in growth.items():
        steps = [f"step {step}" for step in found.steps.tolist()]
        columns = [f"PC {j}" for j in range(1, found.images.shape[1] + 1)]
        yield f"{what} of {name}", plots.filter_grid(found.images, steps, columns)
        yield f"growth of {what} of {name}", plots.filter_growth(found)


def _file_name(name: str) -> str:
    """Letters, digits and "-" of a name."""
    return "-".join(re.findall("[a-z0-9]+", name.lower()))


def _plain(table: DataFrame) -> dict:
    """A table as columns and rows of plain numbers and words."""
    return json.loads(table.reset_index().to_json(orient="split", index=False, double_precision=5))
