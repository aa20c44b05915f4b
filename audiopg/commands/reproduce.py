"""`audiopg reproduce`: the experiments behind the book's tables."""

import argparse
import math
from pathlib import Path

import torch

from audiopg.book.experiments import SCALES, Experiment, experiments, is_recorded
from audiopg.book.reproduce import estimated_minutes, recordings, reproduce
from audiopg.commands.common import add_device, add_out
from audiopg.environment import data_folder
from audiopg.errors import InputError
from audiopg.pretraining import PretrainSettings
from audiopg.records import results_folder

EXAMPLES = (
    "example: audiopg reproduce --budget 60; one group of experiments: audiopg reproduce recipe"
)


def add(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "names", nargs="*", metavar="NAME", help="experiments, or how their names begin"
    )
    command.add_argument(
        "--scale", choices=SCALES, help="default: paper where there is a GPU, else cpu"
    )
    command.add_argument(
        "--budget",
        metavar="MINUTES",
        type=float,
        default=math.inf,
        help="begin no step of pre-training and no fold of fine-tuning after these",
    )
    add_out(command, "folder of the runs", required=False, default="runs/reproduce")
    command.add_argument(
        "--results", type=Path, help="folder of the records (default: results/ of the clone)"
    )
    add_device(command)
    command.add_argument("--list", action="store_true", help="say what there is, and run nothing")


def run(options: argparse.Namespace) -> None:
    folder = results_folder(options.results)
    on_gpu = options.device != "cpu" and torch.cuda.is_available()
    known = experiments(options.scale or ("paper" if on_gpu else "cpu"))
    chosen = [e for e in known if not options.names or e.name.startswith(tuple(options.names))]
    for name in options.names:
        if not name or not any(experiment.name.startswith(name) for experiment in known):
            raise InputError(
                f"no experiment is called {name!r}; choose from {[e.name for e in known]}."
            )
    left = [experiment for experiment in chosen if not is_recorded(experiment, folder)]
    if left and not options.list:
        try:
            left = reproduce(
                chosen,
                recordings(data_folder()),
                data=data_folder(),
                out=options.out,
                minutes=options.budget,
                device=options.device,
                folder=folder,
            )
        except KeyboardInterrupt as stop:
            stop.args = ("stopped; the same command goes on",)
            raise
    known_minutes, unknown, devices = 0.0, 0, set()
    for experiment in chosen:
        if experiment not in left:
            print(f"recorded  {experiment.name}: {_described(experiment)}")
            continue
        estimate, time_said = estimated_minutes(experiment, folder), "time unknown"
        if estimate is None:
            unknown += 1
        else:
            minutes, device = estimate
            known_minutes += minutes
            devices.add(device)
            time_said = f"about {minutes:.0f} min"
        print(f"left      {experiment.name}: {_described(experiment)}; {time_said}")
    if not left:
        print(f"all {len(chosen)} are recorded in {folder}")
    else:
        measured = f" as measured on {' and '.join(sorted(devices))}" if devices else ""
        print(
            f"{len(left)} of {len(chosen)} left, about {known_minutes / 60:.1f} hours{measured}"
            + (f", and {unknown} of unknown time" if unknown else "")
        )


def _described(experiment: Experiment) -> str:
    """What an experiment trains, and on what."""
    settings, onward = experiment.settings, experiment.start_name
    size = f"from {onward}" if onward else settings.preset
    if isinstance(settings, PretrainSettings):
        if experiment.features != "trained":
            return f"{experiment.features} features, probed"
        clips = settings.steps * settings.batch_size
        return f"{size}, {clips:,} clips of {settings.audio or f'the {settings.prior!r} prior'}"
    return f"{size}, fine-tuned on {experiment.sets[0]}, {settings.epochs} epochs"
