"""`audiopg bench`: the scripts of benchmarks/."""

import argparse
import runpy
import time
from pathlib import Path

from audiopg.commands.common import RECORD_HELP, add_record
from audiopg.errors import InputError
from audiopg.records import require_records, write_record

_BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
EXAMPLES = "example: audiopg bench synth --record bench-synth"


def add(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", nargs="?", help="one benchmark (default: all of them)")
    add_record(command, "of the one: " + RECORD_HELP)


def run(options: argparse.Namespace) -> None:
    scripts = {path.stem: path for path in sorted(_BENCHMARKS.glob("*.py"))}
    if not scripts:
        raise InputError(f"{_BENCHMARKS} holds no benchmarks; run this in a clone of the project.")
    if options.name and options.name not in scripts:
        raise InputError(f"no benchmark is called {options.name!r}; choose from {list(scripts)}.")
    if options.record and not options.name:
        raise InputError("--record takes the figures of one benchmark; name it.")
    require_records(options.record)
    for name in [options.name] if options.name else scripts:
        measure = runpy.run_path(str(scripts[name]))["main"]
        began = time.perf_counter()
        try:
            found = measure()
        except InputError as error:
            if options.name:
                raise
            print(f"{name}: {error}")
            continue
        if options.record:
            seconds = time.perf_counter() - began
            print(f"recorded in {write_record(options.record, seconds=seconds, **found)}")
