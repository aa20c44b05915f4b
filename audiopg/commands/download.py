"""`audiopg download`: a benchmark, from where it is published."""

import argparse

from audiopg.commands.common import path_named
from audiopg.datasets import download
from audiopg.datasets.benchmarks import BENCHMARKS
from audiopg.environment import data_folder
from audiopg.errors import InputError


def add(command: argparse.ArgumentParser) -> None:
    """`audiopg download`."""
    command.epilog = (
        "example: audiopg download esc50 --out path/to/recordings. ESC-50 is 0.6 GB, Speech "
        "Commands 2.4, UrbanSound8K 6 and FSD50K 25, and more than twice that while it is "
        "unpacked"
    )
    command.set_defaults(run=_download)
    command.add_argument("name", choices=BENCHMARKS, help=f"one of {', '.join(BENCHMARKS)}")
    command.add_argument(
        "--out", type=path_named, help="folder of recordings (default: the variable AUDIOPG_DATA)"
    )


def _download(options: argparse.Namespace) -> None:
    out = options.out or data_folder()
    if out is None:
        raise InputError("no folder is named; give --out, or set AUDIOPG_DATA.")
    print(BENCHMARKS[options.name].terms)
    print(f"{download(options.name, out)} is there; --data {out} finds it")
