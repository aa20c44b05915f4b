"""The command line: ``python -m audiopg COMMAND``; every command explains itself with --help."""

import argparse
import json
import math
import os
import re
import runpy
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from datetime import timedelta
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, get_args

import numpy as np
import torch
import torch.distributed as dist
from tqdm.auto import tqdm

from audiopg.analysis import (
    FilterGrowth,
    Report,
    RidgeComparison,
    analyse,
    clip_factors,
    controlled_clips,
    embed_clips,
    factor_direction,
    filter_growth,
    read_filters,
    ridge_comparison,
    traverse,
)
from audiopg.datasets import (
    Description,
    LabelledClips,
    cached_waves,
    describe,
    download,
    find_dataset,
)
from audiopg.datasets.benchmarks import BENCHMARKS
from audiopg.environment import atomic_path, best_device, data_folder, provenance
from audiopg.errors import InputError
from audiopg.experiments import SCALES, Experiment, experiments, is_recorded
from audiopg.frontend import LogMel
from audiopg.mae import (
    POOLINGS,
    Encoder,
    MaskedAutoencoder,
    load_encoder,
    load_model,
    reconstruct,
    shipped_weights,
)
from audiopg.pretraining import (
    PRECISIONS,
    RECIPES,
    PretrainSettings,
    Watcher,
    pretrain,
    read_settings,
)
from audiopg.records import RESULTS, pack, read_record, write_record
from audiopg.reproduce import estimated_minutes, recordings, reproduce
from audiopg.synth import (
    PRESETS,
    SAMPLE_RATE,
    SENSITIVITY,
    ClipParameters,
    SynthPrior,
    read_scene,
    render,
    write_scene,
    write_table,
)
from audiopg.transfer import (
    check_table,
    clip_features,
    embed_files,
    list_audio,
    most_confused,
    probe_features,
    probe_table,
    read_result,
    significance_table,
    summarise,
    write_embeddings,
)
from audiopg.transfer.finetune import FINETUNE_RECIPES, FinetuneSettings, finetune, read_run

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

_BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
# Of the sounds written: what keeps the most of a waveform that reaches from -1 to 1.
_SUBTYPES = {"wav": "FLOAT", "flac": "PCM_24"}
# Clips of the pictures: as far from those trained on as any run will go.
_HELD_OUT = torch.arange(2**40, 2**40 + 3)
# Longer than a compilation or a checkpoint takes, shorter than anyone would wait for a lost process.
_LONGEST_WAIT = timedelta(minutes=10)
# Clips whose layers are kept: 13 layers of a large network take 40 kB a clip.
_LAYER_CLIPS = 1000
# Snapshots of the patch filters that are looked at, evenly spaced over a run.
_SNAPSHOTS = 9
# How far a clip is moved along the direction of a factor, in standard deviations of the factor.
_AMOUNTS = (-12.0, -6.0, 0.0, 6.0, 12.0)
_PRETRAIN_HELP = """\
examples:
  a first run, a minute on a CPU:
    audiopg pretrain --preset micro --steps 200 --batch-size 16 --learning-rate 2e-3 \\
        --out runs/first
  the paper's run, or the fast one, on a GPU:
    audiopg pretrain --recipe paper --out runs/paper
    audiopg pretrain --recipe fast --pictures-every 200 --out runs/fast
  go on after Ctrl-C, a crash or a full disk; the settings are those of the run:
    audiopg pretrain --resume --out runs/fast
  the 8 GPUs of one machine, or 8 processes on CPUs where there is no GPU; every process takes an
  equal share of each batch, so the clips are the same for any number of them:
    torchrun --nproc-per-node=8 -m audiopg pretrain --recipe fast --out runs/fast
  two machines of 8 GPUs: this on both, HOST being one of them and --out a folder that both see:
    torchrun --nnodes=2 --nproc-per-node=8 --rdzv-id=fast --rdzv-backend=c10d \\
        --rdzv-endpoint=HOST:29500 -m audiopg pretrain --recipe fast --out runs/fast
  on recordings instead of synthesis, for as long as another run took:
    audiopg pretrain --recipe fast --audio path/to/recordings --minutes 20 --out runs/real
  go on from weights, with a fresh optimiser and schedule, here on a domain of one's own:
    audiopg pretrain --preset tiny --start tiny --audio path/to/recordings --steps 1000 \\
        --learning-rate 2e-4 --warmup-steps 50 --schedule cosine --out runs/adapted

weights to start from may be an address with the digest that their maker states, fetched once and
checked: --start https://HOST/model.safetensors#sha256=DIGEST

what is in --out: settings.json, provenance.json, metrics.jsonl (a line a step: loss, learning rate,
gradient norm, clips a second, seconds so far), the last two checkpoints step-*/, pictures/ where they
are asked for, and tensorboard/ where TensorBoard is installed (pip install tensorboard).
Ctrl-C and SIGTERM end the step at hand and write a checkpoint. A run that is killed goes on from its
last checkpoint to the same bits, on the same kind of machine. A loss that is not finite, or is 10
times the mean of the 100 steps before, stops the run and names the step and its clips."""

_FINETUNE_HELP = """\
examples:
  the weights that come with audiopg on ESC-10, all five folds, on a CPU:
    audiopg finetune --start tiny --dataset esc10 --recipe fast --out runs/esc10
  the same network from scratch, the control; then the two in one table, with a paired test:
    audiopg finetune --preset tiny --dataset esc10 --recipe fast --out runs/esc10-scratch
    audiopg finetune --resume --dataset esc10 --out runs/esc10 --beside runs/esc10-scratch
  go on after Ctrl-C, a crash or a full disk; settings not given are those of the run:
    audiopg finetune --resume --dataset esc10 --out runs/esc10
  the paper's protocol for Table 1, or its fast one of 50 epochs, with three seeds, on a GPU:
    audiopg finetune --start runs/paper --dataset esc50 --recipe paper --out runs/esc50
    audiopg finetune --start runs/paper --dataset esc50 --recipe paper-50 --seeds 3 --out runs/50
  choose settings without a look at the test fold: fold 1 is left alone, fold 2 reported on:
    audiopg finetune --start tiny --dataset esc10 --recipe fast --folds 1 --validate \\
        --epochs 10 --out runs/choice

what is in --out: run.json (settings, weights, clips), provenance.json, result.json, and for each seed
and fold a folder with metrics.jsonl (a line an epoch: loss, learning rate, steps a second, seconds so
far), checkpoint.safetensors while it runs and tested.safetensors (the scores of the test clips) when
it is done. A fold is tested once, after its last epoch. A run that is killed goes on from the last
checkpoint of each fold to the same bits, on the same kind of machine."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 when it succeeds; 2, with one sentence on stderr, for bad input or a file that fails; 130
        when it is interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except InputError as error:
        _complain(str(error))
        return 2
    except OSError as error:
        _complain(f"a file cannot be read or written ({error}).")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _complain(sentence: str) -> None:
    """Say on stderr what is wrong; under torchrun one process a machine speaks for all."""
    if os.environ.get("LOCAL_RANK", "0") == "0":
        print(f"audiopg: {sentence}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="audiopg",
        description="Learn to hear from a synthesizer: pre-train, transfer and analyse.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    command = _command(
        commands,
        "synth",
        _synth,
        "write clips as sound files, with their factors as scene.json and as parameters.csv",
        "audiopg synth --preset full --clips 0:16 --seed 0 --out sounds; the same clips again, "
        "perhaps after an edit: audiopg synth --json sounds/scene.json --out edited",
    )
    # No defaults here, so that one that is given beside --json is known from one that is not.
    command.add_argument("--preset", help=f"{', '.join(PRESETS)} (default: full)")
    command.add_argument("--clips", help="indices FIRST:LAST, the last left out (default: 0:8)")
    command.add_argument("--seed", type=int, help="of the clips (default: 0)")
    command.add_argument(
        "--sensitivity",
        choices=SENSITIVITY,
        metavar="NAME",
        help="change the preset as one row of the paper's Table 4 does: "
        + ", ".join(f"'{name}'" for name in SENSITIVITY),
    )
    command.add_argument(
        "--json",
        type=Path,
        metavar="SCENE",
        help="render this scene; it takes the place of the four above",
    )
    command.add_argument(
        "--format",
        choices=_SUBTYPES,
        default="wav",
        help="of the sounds: wav, of 32-bit floats, or flac, of 24 bits (default: wav)",
    )
    command.add_argument(
        "--out", type=Path, required=True, help="folder for the sounds, scene.json, parameters.csv"
    )

    command = _command(
        commands,
        "pretrain",
        _pretrain,
        "pre-train a masked autoencoder on clips synthesized, or recordings read, as it goes",
        "",
    )
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.epilog = _PRETRAIN_HELP
    command.add_argument(
        "--recipe",
        choices=RECIPES,
        help="settings to begin with, which those below change (default: paper)",
    )
    _add_settings(command, PretrainSettings, RECIPES)
    command.add_argument("--out", type=Path, required=True, help="folder for the run")
    command.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run in --out; settings not given are those it has",
    )
    command.add_argument("--device", help="cpu, cuda, cuda:1 ... (default: a GPU if there is one)")
    command.add_argument("--record", metavar="NAME", help="also write results/NAME.json")

    command = _command(
        commands,
        "finetune",
        _finetune,
        "fine-tune an encoder on labelled recordings, each test fold in turn, the last epoch tested",
        "",
    )
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.epilog = _FINETUNE_HELP
    command.add_argument(
        "--start",
        metavar="MODEL",
        help="weights to begin with: a run, a checkpoint, a file or a name that comes with audiopg "
        "(default: none, and --preset says how large a network to train from scratch)",
    )
    command.add_argument(
        "--dataset", choices=BENCHMARKS, required=True, help=f"one of {', '.join(BENCHMARKS)}"
    )
    command.add_argument(
        "--data",
        type=Path,
        help="folder that holds the data set's own (default: the variable AUDIOPG_DATA)",
    )
    command.add_argument(
        "--skip-bad", action="store_true", help="go on without files that cannot be used"
    )
    command.add_argument(
        "--folds", help="test folds, such as 1,2 (default: all of the data set, in turn)"
    )
    command.add_argument(
        "--recipe",
        choices=FINETUNE_RECIPES,
        help="settings to begin with, which those below change (default: paper)",
    )
    _add_settings(command, FinetuneSettings, FINETUNE_RECIPES)
    command.add_argument(
        "--beside",
        metavar="RUN",
        nargs="+",
        default=[],
        help="finished runs on the same clips to compare this one with, such as one from scratch",
    )
    command.add_argument("--out", type=Path, required=True, help="folder for the run")
    command.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run in --out; settings not given are those it has",
    )
    command.add_argument("--device", help="cpu, cuda, cuda:1 ... (default: a GPU if there is one)")
    command.add_argument("--record", metavar="NAME", help="also write results/NAME.json")

    command = _command(
        commands,
        "probe",
        _probe,
        "linear probe of frozen encoders on a benchmark, beside chance, log-mel and an untrained "
        "encoder, with intervals, paired tests and confusions",
        "audiopg probe runs/first --dataset urbansound8k --pooling frequency --native "
        "--beside runs/real --record probe-first",
    )
    _add_model(command)
    command.add_argument(
        "--beside",
        metavar="MODEL",
        nargs="+",
        default=[],
        help="other models to probe on the same clips, such as one pre-trained on recordings",
    )
    command.add_argument(
        "--dataset",
        choices=[*BENCHMARKS, "all"],
        default="esc10",
        metavar="NAME",
        help=f"one of {', '.join(BENCHMARKS)}, or all of them that are there (default: esc10)",
    )
    command.add_argument(
        "--data",
        type=Path,
        help="folder that holds the data set's own (default: the variable AUDIOPG_DATA)",
    )
    command.add_argument(
        "--skip-bad", action="store_true", help="go on without files that cannot be used"
    )
    _add_embedding(command, [*POOLINGS, "both"])
    command.add_argument(
        "--controls",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="chance, raw log-mel and an untrained encoder of the same size (default: with them)",
    )
    command.add_argument(
        "--record",
        metavar="NAME",
        help="also write results/NAME.json; for --dataset all, NAME-esc10.json and so on",
    )

    command = _command(
        commands,
        "embed",
        _embed,
        "embed audio files, one row a file, into a table: .npz, or .parquet where pyarrow is "
        "installed",
        "audiopg embed runs/first recordings/ more.wav --native --out embeddings.npz",
    )
    _add_model(command)
    command.add_argument("audio", type=Path, nargs="+", help="audio files, or folders of them")
    _add_embedding(command)
    command.add_argument(
        "--out", type=Path, required=True, help="the .npz or .parquet file to write"
    )

    command = _command(
        commands,
        "analyze",
        _analyze,
        "ask the latent space about pitch, relative intensity and onset, and look at the patch "
        "filters; tables, figures and a record of it all",
        "audiopg analyze runs/first --controls --beside runs/real --out runs/first/analysis",
    )
    _add_model(command)
    command.add_argument(
        "--beside",
        metavar="MODEL",
        nargs="+",
        default=[],
        help="other models to ask about the same clips, such as one pre-trained on recordings",
    )
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
        help="runs or their checkpoints of which only R² is asked, over the clips they had heard",
    )
    command.add_argument("--clips", type=int, default=5000, help="synthetic clips (default: 5000)")
    command.add_argument(
        "--other-clips", type=int, help="clips of every set but the first (default: as --clips)"
    )
    command.add_argument("--seed", type=int, default=1, help="of the clips (default: 1)")
    command.add_argument(
        "--seeds",
        type=int,
        default=3,
        help="sets of clips, their seeds one after another: all is found on the first, the best "
        "neurons are asked again about the others (default: 3)",
    )
    command.add_argument(
        "--permutations", type=int, default=200, help="shuffles of a factor (default: 200)"
    )
    command.add_argument(
        "--null-clips",
        type=int,
        help="clips whose factors are shuffled: fewer take less time, and set the bar of luck too "
        "high if anything (default: all)",
    )
    command.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="of the encoders' products: float32, or bfloat16, the faster (default: float32)",
    )
    command.add_argument("--out", type=Path, required=True, help="folder for what is found")
    command.add_argument("--record", metavar="NAME", help="also write results/NAME.json")

    command = _command(
        commands,
        "download",
        _download,
        "download a benchmark from its official source; what broke off is resumed, what came is "
        "checked",
        "audiopg download esc50 --out path/to/recordings. ESC-50 is 0.6 GB, Speech Commands 2.4, "
        "UrbanSound8K 6 and FSD50K 25, and more than twice that while it is unpacked",
    )
    command.add_argument("name", choices=BENCHMARKS, help=f"one of {', '.join(BENCHMARKS)}")
    command.add_argument(
        "--out", type=Path, help="folder of recordings (default: the variable AUDIOPG_DATA)"
    )

    command = _command(
        commands,
        "data",
        _data,
        "say which benchmarks are there, or all about one, after decoding every file of it",
        "audiopg data urbansound8k --data path/to/recordings",
    )
    command.add_argument(
        "name", nargs="?", choices=BENCHMARKS, help=f"one of {', '.join(BENCHMARKS)}"
    )
    command.add_argument(
        "--data", type=Path, help="folder of recordings (default: the variable AUDIOPG_DATA)"
    )

    command = _command(
        commands,
        "bench",
        _bench,
        "measure speed, as ratios against a named reference in the same run",
        "audiopg bench synth --record bench-synth",
    )
    command.add_argument("name", nargs="?", help="one benchmark (default: all of them)")
    command.add_argument(
        "--record", metavar="NAME", help="of the one: also write results/NAME.json"
    )

    command = _command(
        commands,
        "reproduce",
        _reproduce,
        "run the experiments behind the book's tables that have no record in results/ yet, and go "
        "on with those that were interrupted",
        "audiopg reproduce --budget 60; one group of experiments: audiopg reproduce recipe",
    )
    command.add_argument(
        "names", nargs="*", metavar="NAME", help="experiments, or how their names begin"
    )
    command.add_argument(
        "--scale", choices=SCALES, help="default: paper where there is a GPU, else small"
    )
    command.add_argument(
        "--budget",
        metavar="MINUTES",
        type=float,
        default=math.inf,
        help="begin no step of pre-training and no fold of fine-tuning after these",
    )
    command.add_argument("--out", type=Path, default="runs/reproduce", help="folder of the runs")
    command.add_argument("--device", help="cpu, cuda or cuda:N (default: a GPU where there is one)")
    command.add_argument("--list", action="store_true", help="say what there is, and run nothing")
    return parser


def _command(commands, name, run, summary, example) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"example: {example}",
    )
    command.set_defaults(run=run)
    return command


def _add_settings(command: argparse.ArgumentParser, kind_of: type, recipes: dict) -> None:
    """A flag for each field of some settings, with what each recipe has; "paper" comes first."""
    # No defaults here: what is not given is the recipe's, or that of the run to resume.
    for setting in fields(kind_of):
        values = {name: getattr(recipe, setting.name) for name, recipe in recipes.items()}
        default = values.pop("paper")
        notes = [f"default: {default}"] if default is not None else []
        notes += [f"{name}: {value}" for name, value in values.items() if value != default]
        kind = setting.type if isinstance(setting.type, type) else get_args(setting.type)[0]
        command.add_argument(
            "--" + setting.name.replace("_", "-"),
            help=setting.metadata["help"] + (f" ({'; '.join(notes)})" if notes else ""),
            **({"action": argparse.BooleanOptionalAction} if kind is bool else {"type": kind}),
        )


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", help="a pre-training run, a checkpoint or a model.safetensors")


def _add_embedding(command: argparse.ArgumentParser, poolings: Sequence[str] = POOLINGS) -> None:
    command.add_argument(
        "--pooling",
        choices=poolings,
        default="mean",
        help="mean: of all tokens; frequency: the bands of a time step one after another, averaged "
        "over time"
        + "; both: of this encoder and the untrained one a row of each" * ("both" in poolings)
        + " (default: mean)",
    )
    command.add_argument(
        "--native",
        action="store_true",
        help="clips at their own length, instead of cut or looped to 10.24 s",
    )


def _synth(options: argparse.Namespace) -> None:
    import soundfile

    drawn = {"preset": "full", "clips": "0:8", "seed": 0, "sensitivity": None}
    given = [name for name in drawn if getattr(options, name) is not None]
    if options.json:
        if given:
            named = " and ".join(f"--{name}" for name in given)
            raise InputError(f"--json renders a scene as it is; leave out {named}.")
        params = read_scene(options.json)
        names = [f"{options.json.stem}-{row:05d}" for row in range(len(params))]
    else:
        drawn |= {name: getattr(options, name) for name in given}
        changes = SENSITIVITY[drawn["sensitivity"]] if drawn["sensitivity"] else {}
        prior = SynthPrior.preset(drawn["preset"], **changes)
        params = prior.sample(_clip_range(drawn["clips"]), drawn["seed"])
        names = [f"{drawn['preset']}-{drawn['seed']}-{int(clip):05d}" for clip in params.clip]
    # Before the work, so that a folder that cannot be made is known at once.
    options.out.mkdir(parents=True, exist_ok=True)
    for start in tqdm(range(0, len(params), 16), desc="rendering", unit="batch"):
        part = slice(start, start + 16)
        for name, wave in zip(names[part], render(params[part]), strict=True):
            with atomic_path(options.out / f"{name}.{options.format}") as temporary:
                subtype = _SUBTYPES[options.format]
                soundfile.write(temporary, wave.numpy(), SAMPLE_RATE, subtype, None, options.format)
    write_scene(params, options.out / "scene.json")
    write_table(params, options.out / "parameters.csv")
    print(f"{len(params)} clips, scene.json and parameters.csv in {options.out}")


def _clip_range(text: str) -> torch.Tensor:
    first, _, last = text.partition(":")
    if not (first.isdecimal() and last.isdecimal() and int(first) < int(last) < 2**63):
        raise InputError(f"clips is {text!r}; give FIRST:LAST, such as 0:16.")
    return torch.arange(int(first), int(last))


def _pretrain(options: argparse.Namespace) -> None:
    if options.resume and not options.recipe:
        settings = read_settings(options.out)
    else:
        settings = RECIPES[options.recipe or "paper"]
    names = [setting.name for setting in fields(PretrainSettings)]
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    settings = replace(settings, **given)
    watch = _picture_watcher(settings, options.out) if settings.pictures_every else None
    with _process_group(options.device) as (rank, device):
        result = pretrain(settings, options.out, resume=options.resume, device=device, watch=watch)
    if rank > 0:
        return
    last = result.losses[-50:]
    print(f"{len(result.losses)} steps, loss {last.mean():.3f} over the last {len(last)}")
    print(f"the model: {sorted(options.out.glob('step-*'))[-1] / 'model.safetensors'}")
    if options.record:
        lines = (options.out / "metrics.jsonl").read_text().splitlines()
        rates = [json.loads(line)["clips_per_second"] for line in lines]
        seconds = sum(settings.batch_size / rate for rate in rates)
        where = json.loads((options.out / "provenance.json").read_text())
        clips = len(result.losses) * settings.batch_size
        data = f"{clips} clips synthesized from the {settings.prior!r} prior, no recordings"
        if settings.audio:
            found = where["recordings"]
            data = f"{clips} windows of {found['files']} recordings, {found['hours']} hours"
        path = write_record(
            options.record,
            settings=asdict(settings),
            metrics={"loss": [round(loss, 4) for loss in result.losses.tolist()]},
            seconds=seconds,
            data=data,
            protocol="masked reconstruction; a loss a step, each on clips not heard before; the "
            "seconds are those of the steps themselves",
            where=where,
        )
        print(f"recorded in {path}")


@contextmanager
def _process_group(device: str | None) -> Iterator[tuple[int, str | None]]:
    """Join the processes that torchrun started, if it did: the number of this one, its device."""
    if not dist.is_torchelastic_launched():
        yield 0, device
        return
    local, here = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    if device not in (None, "cpu", "cuda"):
        raise InputError(f"--device is {device!r}; under torchrun give cpu, cuda or nothing.")
    if device == "cpu" or not (device or torch.cuda.is_available()):
        device = "cpu"
        dist.init_process_group("gloo", timeout=_LONGEST_WAIT)
    elif here > torch.cuda.device_count():
        raise InputError(
            f"this machine has {torch.cuda.device_count()} GPUs for {here} processes; "
            "lower --nproc-per-node, or give --device cpu."
        )
    else:
        device = f"cuda:{local}"
        torch.cuda.set_device(local)
        dist.init_process_group("nccl", timeout=_LONGEST_WAIT, device_id=torch.device(device))
    try:
        yield dist.get_rank(), device
    finally:
        dist.destroy_process_group()


def _picture_watcher(settings: PretrainSettings, folder: Path) -> Watcher:
    """Draws reconstructions of clips that are not trained on, every so many steps."""
    plots = _plots("--pictures-every")
    plots.use_style()
    prior = SynthPrior.preset(settings.prior)

    @torch.no_grad()
    def draw(step: int, model: MaskedAutoencoder, losses: list[float]) -> None:
        if step % settings.pictures_every:
            return
        clips = _HELD_OUT.to(next(model.parameters()).device)
        mel = model.encoder.log_mel(render(prior.sample(clips, settings.seed)))
        output = model(mel, clips, settings.seed)
        titles = [f"held-out clip {n}" for n in range(1, len(clips) + 1)]
        figure = plots.reconstructions(mel, reconstruct(mel, output), output.mask, titles)
        with atomic_path(folder / "pictures" / f"step-{step:08d}.png") as temporary:
            figure.savefig(temporary, format="png", facecolor="white", transparent=False)
        plots.plt.close(figure)

    return draw


def _plots(asker: str) -> ModuleType:
    try:
        from audiopg import plots
    except ImportError as error:
        raise InputError(
            f"{asker} needs matplotlib, which is not installed; install it (pip install matplotlib)."
        ) from error
    return plots


def _probe(options: argparse.Namespace) -> None:
    folder = options.data or data_folder()
    if folder is None:
        raise InputError("no recordings are named; give --data, or set AUDIOPG_DATA.")
    encoder = load_encoder(options.model)
    encoders = {"random encoder": _untrained(encoder)} if options.controls else {}
    encoders |= {str(model): load_encoder(model) for model in options.beside}
    encoders["this encoder"] = encoder
    device = best_device()
    encoders = {name: each.to(device) for name, each in encoders.items()}
    names = list(BENCHMARKS) if options.dataset == "all" else [options.dataset]
    found = {name: find_dataset(name, folder, options.skip_bad) for name in names}
    found = {name: clips for name, clips in found.items() if clips is not None}
    if not found:
        wanted = "any benchmark" if options.dataset == "all" else options.dataset
        raise InputError(f"{folder} does not hold {wanted}; audiopg download fetches them.")
    for name, clips in found.items():
        record = options.record and f"{options.record}{'' if len(names) == 1 else f'-{name}'}"
        _probe_one(options, name, clips, encoders, record)


def _probe_one(
    options: argparse.Namespace,
    name: str,
    clips: LabelledClips,
    encoders: dict[str, Encoder],
    record: str | None,
) -> None:
    """Probe encoders on one benchmark, say what came out, and record it."""
    waves = cached_waves(clips, skip_bad=options.skip_bad)
    clips, began = waves.clips, time.perf_counter()
    how = {"pooling": options.pooling, "native": options.native}
    features = clip_features(waves, encoders, controls=options.controls, **how)
    for model in options.beside:
        features.pop(f"{model}, frequency pooling", None)
    embedded = time.perf_counter()
    results = probe_features(clips, features, options.controls)
    probed = time.perf_counter()
    this = results["this encoder"]
    each = "each fold tested in turn" if len(this.folds) > 1 else clips.fold_names[this.folds[0]]
    print(f"{clips.name}, {len(clips)} clips, {this.metric} in per cent, {each}")
    print(probe_table(results, len(clips.classes)).to_string())
    significance = significance_table(results, clips.labels, clips.folds, against="this encoder")
    print(significance.iloc[:, 2:].to_string())
    print("most frequent confusions of this encoder:")
    print(most_confused(this, clips).iloc[:, :6].to_string(index=False))
    print(f"{embedded - began:.0f} s to embed, {probed - embedded:.0f} s to probe")
    if not record:
        return
    chosen = (
        "on the validation part"
        if "validation" in clips.fold_names.values()
        else ("within the training folds")
    )
    path = write_record(
        record,
        settings={
            "model": str(options.model),
            "heard": _pretraining(options.model),
            "beside": {str(model): _pretraining(model) for model in options.beside},
            "dataset": name,
            **how,
            **asdict(encoders["this encoder"].architecture),
            "skipped": _skipped(clips),
        },
        metrics=summarise(results, clips),
        seconds=probed - began,
        data=f"{clips.name}, {len(clips)} clips, {clips.licence}"
        + (f"; {len(clips.skipped)} files left out" if clips.skipped else ""),
        protocol="linear probe of frozen tokens, averaged "
        + {
            "mean": "",
            "frequency": "over time with the bands side by side ",
            "both": "over all, or over time with the bands side by side, ",
        }[options.pooling]
        + ("at the clips' own length, " if options.native else "over 10.24 s, ")
        + f"standardised, strength chosen {chosen}, each test fold tested once; 95 % intervals by "
        "the bootstrap over clips, p-values by paired tests against this encoder",
        where=provenance(best_device()),
    )
    print(f"recorded in {path}")


def _skipped(clips: LabelledClips) -> dict[str, str]:
    """The files left out, by name, and why."""
    return {Path(path).name: why for path, why in clips.skipped.items()}


def _pretraining(model: str) -> dict | None:
    """What the encoder of a pre-training run has heard; None for one that is no run's folder."""
    folder = Path(model)
    if not (folder / "settings.json").is_file():
        return None
    settings, where = read_settings(folder), json.loads((folder / "provenance.json").read_text())
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    source = f"the {settings.prior!r} prior"
    if settings.audio:
        found = where["recordings"]
        source = f"{found['files']} recordings, {found['hours']} hours"
    return {
        "clips": len(lines) * settings.batch_size,
        "of": source,
        "seconds": json.loads(lines[-1])["seconds"],
        "device": where["device"],
    }


def _finetune(options: argparse.Namespace) -> None:
    settings, start = FINETUNE_RECIPES[options.recipe or "paper"], options.start
    if options.resume:
        before, run = read_run(options.out)
        settings = settings if options.recipe else before
        start = start or run["start"]
    names = [setting.name for setting in fields(FinetuneSettings)]
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    settings = replace(settings, **given)
    folds = None if options.folds is None else _fold_list(options.folds)
    folder = options.data or data_folder()
    if folder is None:
        raise InputError("no recordings are named; give --data, or set AUDIOPG_DATA.")
    clips = find_dataset(options.dataset, folder, options.skip_bad)
    if clips is None:
        raise InputError(f"{folder} does not hold {options.dataset}; see the README for it.")
    waves = cached_waves(clips, skip_bad=options.skip_bad)
    clips = waves.clips
    result = finetune(
        settings,
        clips,
        waves,
        start,
        options.out,
        folds=folds,
        resume=options.resume,
        device=options.device,
    )
    reported = "a training fold held out, for each test fold" if settings.validate else "test folds"
    print(f"{clips.name}, {len(clips)} clips, {result.metric} in per cent on {reported}")
    for seed, values in zip(result.seeds, result.values, strict=True):
        each = ", ".join(
            f"{clips.fold_names[fold]} {100 * value:.1f}"
            for fold, value in zip(result.folds, values, strict=True)
        )
        print(f"  seed {seed}: {each}; mean {100 * values.mean():.1f}")
    if len(result.folds) > 1:
        print(f"{100 * result.mean:.1f} ± {100 * result.standard_deviation:.1f} over the folds")
    results = {path: read_result(path, clips, result.folds) for path in options.beside}
    results["this encoder"] = result
    if options.beside:
        significance = significance_table(results, clips.labels, clips.folds, "this encoder")
        print(significance.to_string())
    if options.record:
        protocol = "fine-tuned on the training folds, test fold tested once, after the last epoch"
        if settings.validate:
            protocol = "fine-tuned without the test fold and one training fold, tested on that"
        said = {"start": start, **asdict(settings)}
        beside = {}
        for path in options.beside:
            other, run = read_run(path)
            other = {"start": run["start"], **asdict(other)}
            beside[path] = {name: other[name] for name in said if other[name] != said[name]}
        path = write_record(
            options.record,
            settings={
                **said,
                "beside": beside,
                "dataset": options.dataset,
                "skipped": _skipped(clips),
            },
            metrics=summarise(results, clips),
            seconds=result.seconds,
            data=f"{clips.name}, {len(clips)} clips, {clips.licence}"
            + (f"; {len(clips.skipped)} files left out" if clips.skipped else ""),
            protocol=protocol + "; 95 % intervals by the bootstrap over clips, p-values by paired "
            "tests against this encoder; the mean over seeds",
            where=json.loads((options.out / "provenance.json").read_text()),
        )
        print(f"recorded in {path}")


def _fold_list(text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise InputError(f"folds is {text!r}; give the numbers of test folds, such as 1,2.")
    return [int(part) for part in parts]


def _embed(options: argparse.Namespace) -> None:
    check_table(options.out)
    files = list_audio(options.audio)
    encoder = load_encoder(options.model).to(best_device())
    files, embeddings = embed_files(files, encoder, pooling=options.pooling, native=options.native)
    write_embeddings(options.out, files, embeddings)
    print(f"{len(files)} files, {embeddings.shape[1]} dimensions each, in {options.out}")


def _analyze(options: argparse.Namespace) -> None:
    began = time.perf_counter()
    others = options.clips if options.other_clips is None else options.other_clips
    if options.seeds < 1:
        raise InputError(f"seeds is {options.seeds}; give at least 1.")
    plots = _plots("analyze")
    device = best_device()
    model = load_model(options.model).to(device).requires_grad_(False)
    candidates = {"this encoder": model.encoder}
    candidates |= {path: load_encoder(path).to(device) for path in options.beside}
    if options.controls:
        untrained = _untrained(model.encoder).to(device)
        candidates |= {"random encoder": untrained, "raw log-mel": LogMel().to(device)}
    heard = {path: _clips_heard(path) for path in options.by_clips}
    grown = {path: load_encoder(path).to(device) for path in heard}

    precision = PRECISIONS[options.precision]

    def embed(one: Encoder | LogMel, params: ClipParameters, layers: bool = False) -> torch.Tensor:
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            return embed_clips(one, params, layers=layers)

    sets = []
    for place in range(options.seeds):
        clips = others if place else options.clips
        params = controlled_clips(None, clips, options.seed + place)
        embeddings = {name: embed(one, params).to(device) for name, one in candidates.items()}
        sets.append((embeddings, clip_factors(params)))
    params = controlled_clips(None, min(options.clips, _LAYER_CLIPS), options.seed)
    by_layer = {
        name: embed(one, params, layers=True)
        for name, one in candidates.items()
        if isinstance(one, Encoder)
    }
    by_clips = {path: embed(one, params) for path, one in grown.items()}
    report = analyse(
        *sets[0],
        sets[1:],
        permutations=options.permutations,
        null_clips=options.null_clips,
        cached=True,
    )
    tables = report.tables()

    factors = clip_factors(params)
    layers = {
        name: ridge_comparison({str(n): part for n, part in enumerate(parts)}, factors)
        for name, parts in by_layer.items()
    }
    for name, found in layers.items():
        tables[f"layers of {name}"] = found.table().rename_axis(["layer", "factor"])
    if by_clips:
        controls = (name for name in ("random encoder", "raw log-mel") if name in candidates)
        by_clips |= {name: sets[0][0][name][: len(params)] for name in controls}
        found = ridge_comparison(by_clips, factors).table()
        learned = [heard.get(name, (0, "nothing")) for name, _ in found.index]
        tables["clips heard"] = found.assign(
            **{"clips heard": [clips for clips, _ in learned], "of": [of for _, of in learned]}
        )
    named = {"this encoder": options.model}
    named |= {path: path for path in (*options.beside, *options.by_clips)}
    kept = {name: path for name, path in named.items() if (Path(path) / "filters").is_dir()}
    growth = {name: _filter_growth(path) for name, path in kept.items()}
    changes = {name: found for name, path in kept.items() if (found := _filter_changes(path))}
    tables |= {f"filters of {name}": found.table() for name, found in growth.items()}
    tables |= {f"filter changes of {name}": found.table() for name, found in changes.items()}

    _print_report(report)
    for name, table in tables.items():
        with atomic_path(options.out / f"{_file_name(name)}.csv") as temporary:
            table.to_csv(temporary)
    plots.use_style()
    drawn = 0
    figures = _report_figures(plots, report, layers, tables.get("clips heard"))
    filters = chain(
        _filter_figures(plots, growth, "filters"), _filter_figures(plots, changes, "filter changes")
    )
    traversals = _traversal_figures(plots, model, *sets[0], options.seed)
    for name, figure in chain(figures, filters, traversals):
        with atomic_path(options.out / f"{_file_name(name)}.png") as temporary:
            figure.savefig(temporary, format="png", facecolor="white", transparent=False)
        plots.plt.close(figure)
        drawn += 1
    settings = ("model", "beside", "by_clips", "controls", "clips", "seed", "seeds")
    settings += ("permutations", "null_clips", "precision")
    packed = {
        "information": report.information,
        "ablation": report.ablations,
        "angles": report.angles,
        "filters": growth,
        "filter changes": changes,
    }
    record = {
        "settings": {name: getattr(options, name) for name in settings}
        | {
            "other_clips": others,
            "clips_heard": heard,
            "heard": {path: _pretraining(path) for path in named.values()},
        }
        | asdict(model.architecture),
        "metrics": {name: _plain(table) for name, table in tables.items()}
        | {"packed": _packed(packed)},
        "seconds": time.perf_counter() - began,
        "data": f"{options.clips} clips synthesized from the 'full' prior, then {options.seeds - 1} "
        f"sets of {others}; no recordings",
        "protocol": "everything found on the first set, its best neurons asked again about the "
        "others; information by Kraskov's estimator of 3 neighbours in nats, errors from disjoint "
        f"parts, p-values from the maximum over neurons under {options.permutations} shuffles of "
        f"{options.null_clips or 'all'} clips; "
        "ridge R² held out on 5 splits, its interval by the bootstrap over the held-out clips; R² "
        f"by layer and by clips heard on the first {len(params)} clips; embeddings that a run "
        "before had made and kept are not in the seconds",
        "where": provenance(device),
    }
    write_record("analysis", **record, folder=options.out)
    print(f"{len(tables)} tables, {drawn} figures and analysis.json in {options.out}")
    if options.record:
        print(f"recorded in {write_record(options.record, **record)}")


def _clips_heard(model: str) -> tuple[int, str]:
    """How many clips the weights that come with audiopg, a run or its checkpoint learned from.

    Returns:
        The number, and "synthesis" or "recordings".
    """
    record = read_record(f"pretrain-{model}") if model in shipped_weights() else None
    if record:
        return record["settings"]["steps"] * record["settings"]["batch_size"], "synthesis"
    checkpoint = Path(model)
    if not checkpoint.name.startswith("step-"):
        checkpoint = max(checkpoint.glob("step-*"), default=checkpoint)
    step = checkpoint.name.removeprefix("step-")
    if not step.isdecimal():
        raise InputError(f"{model} does not say what it heard; give a run or its step-*/.")
    settings = read_settings(checkpoint.parent)
    return int(step) * settings.batch_size, "recordings" if settings.audio else "synthesis"


def _snapshots(folder: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Evenly spaced snapshots of a run's patch filters, the first and the last among them."""
    steps, weights = read_filters(folder)
    chosen = torch.linspace(0, len(steps) - 1, min(len(steps), _SNAPSHOTS)).round().long()
    return steps[chosen], weights[chosen]


def _filter_growth(folder: str) -> FilterGrowth:
    """The patch filters of a run, step by step."""
    return filter_growth(*_snapshots(folder))


def _filter_changes(folder: str) -> FilterGrowth | None:
    """What training has added to the patch filters of a run since the first snapshot."""
    steps, weights = _snapshots(folder)
    changes = weights[1:] - weights[0]
    # A run that has kept one snapshot, or whose filters have not moved, has nothing to show.
    moved = changes.flatten(1).any(dim=1)
    return filter_growth(steps[1:][moved], changes[moved]) if moved.any() else None


def _packed(found: object) -> dict:
    """Dicts of what analyses found, packed for a record."""
    if isinstance(found, dict):
        return {name: _packed(part) for name, part in found.items()}
    return pack(found)


def _traversal_figures(
    plots: ModuleType,
    model: MaskedAutoencoder,
    embeddings: dict[str, torch.Tensor],
    factors: dict[str, torch.Tensor],
    seed: int,
) -> "Iterator[tuple[str, Figure]]":
    """The first clip decoded with its tokens moved along the direction of each factor."""
    mel = model.encoder.log_mel(
        render(controlled_clips(None, 1, seed)).to(next(model.parameters()).device)
    )
    for name, values in factors.items():
        direction = factor_direction(embeddings["this encoder"], values)
        moved = traverse(model, mel, direction, _AMOUNTS)
        titles = [f"{amount:+g} sd of {name}" for amount in _AMOUNTS]
        yield f"traversal along {name}", plots.spectrogram_wall(moved, titles, columns=3)


def _print_report(report: Report) -> None:
    """The best neuron for each factor with its bar, and what all of them together tell."""
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
    report: Report,
    layers: dict[str, RidgeComparison],
    heard: "DataFrame | None",
) -> "Iterator[tuple[str, Figure]]":
    """One figure after another, with its name, so that few are open at a time."""
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
    plots: ModuleType, growth: dict[str, FilterGrowth], what: str
) -> "Iterator[tuple[str, Figure]]":
    for name, found in growth.items():
        steps = [f"step {step}" for step in found.steps.tolist()]
        columns = [f"PC {j}" for j in range(1, found.images.shape[1] + 1)]
        yield f"{what} of {name}", plots.filter_grid(found.images, steps, columns)
        yield f"growth of {what} of {name}", plots.filter_growth(found)


def _file_name(name: str) -> str:
    """Letters, digits and "-" of a name."""
    return "-".join(re.findall("[a-z0-9]+", name.lower()))


def _plain(table: "DataFrame") -> dict:
    """A table as columns and rows of plain numbers and words."""
    return json.loads(table.reset_index().to_json(orient="split", index=False, double_precision=5))


def _download(options: argparse.Namespace) -> None:
    out = options.out or data_folder()
    if out is None:
        raise InputError("no folder is named; give --out, or set AUDIOPG_DATA.")
    print(BENCHMARKS[options.name].terms)
    print(f"{download(options.name, out)} is there; --data {out} finds it")


def _data(options: argparse.Namespace) -> None:
    folder = options.data or data_folder()
    if folder is None:
        raise InputError("no recordings are named; give --data, or set AUDIOPG_DATA.")
    if options.name:
        found = describe(options.name, folder, decode=True)
        if found is None:
            raise InputError(
                f"{folder} does not hold {' or '.join(BENCHMARKS[options.name].folders)}; "
                f"audiopg download {options.name} --out {folder} brings it."
            )
        _print_description(found, BENCHMARKS[options.name].terms)
        return
    for name in BENCHMARKS:
        found = describe(name, folder)
        if found is None:
            print(f"{name:16} not there; audiopg download {name} --out {folder} brings it")
            continue
        clips = found.clips
        print(
            f"{name:16} {clips.name}: {len(clips)} clips, {found.seconds / 3600:.2f} hours, "
            f"{len(clips.classes)} classes, {len(clips.fold_names)} folds, {clips.licence}"
            + (f"; {len(found.bad)} files cannot be used" if found.bad else "")
        )


def _print_description(found: Description, terms: str) -> None:
    clips = found.clips
    rates = ", ".join(f"{rate} Hz ({count})" for rate, count in found.sample_rates.items())
    folds = ", ".join(
        f"{name} ({np.count_nonzero(clips.folds == fold)})"
        for fold, name in clips.fold_names.items()
    )
    tested = " and ".join(clips.fold_names[fold] for fold in clips.test_folds)
    if len(clips.test_folds) == len(clips.fold_names):
        tested = "each in turn"
    several = clips.labels.ndim == 2
    counts = clips.labels.sum(0) if several else np.bincount(clips.labels)
    classes = ", ".join(
        f"{name} ({count})" for name, count in zip(clips.classes, counts, strict=True)
    )
    print(f"{clips.name}: {len(clips)} clips, {found.seconds / 3600:.2f} hours, {rates}")
    print(f"folds: {folds}; tested on: {tested}")
    print(f"classes{', one or more a clip' if several else ''}: {classes}")
    print(terms)
    print(f"{len(found.bad)} files cannot be used:" if found.bad else "every file can be used")
    for path, why in found.bad.items():
        print(f"  {path} {why}")


def _bench(options: argparse.Namespace) -> None:
    scripts = {path.stem: path for path in sorted(_BENCHMARKS.glob("*.py"))}
    if not scripts:
        raise InputError(f"{_BENCHMARKS} holds no benchmarks; run this in a clone of the project.")
    if options.name and options.name not in scripts:
        raise InputError(f"no benchmark is called {options.name!r}; choose from {list(scripts)}.")
    if options.record and not options.name:
        raise InputError("--record takes the figures of one benchmark; name it.")
    for name in [options.name] if options.name else scripts:
        runpy.run_path(str(scripts[name]))["main"](options.record)


def _reproduce(options: argparse.Namespace) -> None:
    on_gpu = options.device != "cpu" and torch.cuda.is_available()
    known = experiments(options.scale or ("paper" if on_gpu else "small"))
    chosen = [e for e in known if not options.names or e.name.startswith(tuple(options.names))]
    for name in options.names:
        if not any(experiment.name.startswith(name) for experiment in known):
            raise InputError(
                f"no experiment is called {name!r}; choose from {[e.name for e in known]}."
            )
    left = [experiment for experiment in chosen if not is_recorded(experiment)]
    if left and not options.list:
        left = reproduce(
            chosen,
            recordings(data_folder()),
            data=data_folder(),
            out=options.out,
            minutes=options.budget,
            device=options.device,
        )
    minutes = []
    for experiment in chosen:
        if experiment in left:
            minutes.append(estimated_minutes(experiment))
            time_said = "time unknown" if minutes[-1] is None else f"about {minutes[-1]:.0f} min"
            print(f"left      {experiment.name}: {_described(experiment)}; {time_said}")
        else:
            print(f"recorded  {experiment.name}: {_described(experiment)}")
    if not left:
        print(f"all {len(chosen)} are recorded in {RESULTS}")
    else:
        known = sum(filter(None, minutes))
        unknown = minutes.count(None)
        print(
            f"{len(left)} of {len(chosen)} left, about {known / 60:.1f} hours here"
            + (f" and {unknown} of unknown time" if unknown else "")
        )


def _described(experiment: Experiment) -> str:
    """What an experiment trains, and on what."""
    settings, onward = experiment.settings, experiment.start_name
    size = f"from {onward}" if onward else settings.preset
    if isinstance(settings, PretrainSettings):
        clips = settings.steps * settings.batch_size
        return f"{size}, {clips:,} clips of {settings.audio or f'the {settings.prior!r} prior'}"
    return f"{size}, fine-tuned on {experiment.sets[0]}, {settings.epochs} epochs"


def _untrained(encoder: Encoder) -> Encoder:
    """A random encoder of the same size: what the architecture alone is worth."""
    return Encoder.preset("base", seed=1, **asdict(encoder.architecture))


if __name__ == "__main__":
    sys.exit(main())
