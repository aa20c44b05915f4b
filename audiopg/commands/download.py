"""`audiopg download`: a benchmark, from where it is published."""

import argparse

from audiopg.commands.common import add_out
from audiopg.datasets import download
from audiopg.datasets.benchmarks import BENCHMARKS
from audiopg.environment import data_folder
from audiopg.errors import InputError

EXAMPLES = (
    "example: audiopg download esc50 --out path/to/recordings. ESC-50 is 0.6 GB, Speech Commands 2.4, "
    "UrbanSound8K 6 and FSD50K 25, and more than twice that while it is unpacked"
)


def add(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", choices=BENCHMARKS, help=f"one of {', '.join(BENCHMARKS)}")
    where = "folder of recordings (default: the variable AUDIOPG_DATA)"
    add_out(command, where, required=False)


def run(options: argparse.Namespace) -> None:
    out = options.out or data_folder()
    if out is None:
        raise InputError("no folder is named; give --out, or set AUDIOPG_DATA.")
    print(BENCHMARKS[options.name].terms)
    print(f"{download(options.name, out)} is there; --data {out} finds it")
