"""`audiopg data`: the benchmarks on this machine, or recordings of one's own."""

import argparse
from pathlib import Path

import numpy as np

from audiopg.commands.common import add_data, add_own, find_clips, recordings_folder
from audiopg.datasets import Description, describe, find_dataset
from audiopg.datasets.benchmarks import BENCHMARKS

EXAMPLES = "example: audiopg data urbansound8k --data path/to/recordings; or audiopg data my-birds/"


def add(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "name",
        nargs="?",
        help=f"one of {', '.join(BENCHMARKS)}; or a folder, table or manifest of one's own recordings; "
        "each of its files is decoded (default: a list of all sets)",
    )
    add_data(command, "folder of recordings")
    add_own(command)


def run(options: argparse.Namespace) -> None:
    if options.name:
        clips = find_clips(options, options.name, skip_bad=True)
        found = describe(clips, decode=True)
        _print_description(found)
        if options.name in BENCHMARKS:
            print(BENCHMARKS[options.name].terms)
        elif Path(options.name).is_file() and len(np.unique(clips.sources)) == len(clips):
            # Needless where every clip is a recording of its own, but a silent leak would be worse.
            print(
                "each clip counts as a source of its own; if a column says which belong together (by "
                "site, speaker or recording), name it with --columns group=..."
            )
        return
    folder = recordings_folder(options.data)
    for name in BENCHMARKS:
        # From its tables alone, so that a set of a hundred thousand files is listed at once.
        clips = find_dataset(name, folder, skip_bad=True)
        if clips is None:
            print(f"{name:16} not there; audiopg download {name} --out {folder} brings it")
            continue
        print(
            f"{name:16} {clips.name}: {len(clips)} clips, {len(clips.classes)} classes, "
            f"{len(clips.fold_names)} folds, {clips.licence}"
            + (f"; missing files: {len(clips.skipped)}" if clips.skipped else "")
        )
    print("audiopg data NAME decodes every file of one, and says how long they are")


def _print_description(found: Description) -> None:
    clips = found.clips
    rates = ", ".join(f"{rate} Hz ({count})" for rate, count in found.sample_rates.items())
    folds = ", ".join(
        f"{name} ({np.count_nonzero(clips.folds == fold)})"
        for fold, name in clips.fold_names.items()
    )
    tested = " and ".join(clips.fold_names[fold] for fold in clips.test_folds)
    if len(clips.test_folds) == len(clips.fold_names):
        tested = "each in turn"
    counts = clips.labels.sum(0) if clips.multi_label else np.bincount(clips.labels)
    classes = ", ".join(
        f"{name} ({count})" for name, count in zip(clips.classes, counts, strict=True)
    )
    print(f"{clips.name}: {len(clips)} clips, {found.seconds / 3600:.2f} hours, {rates}")
    if len(found.lengths):
        low, middle, high = np.quantile(found.lengths, (0, 0.5, 1))
        print(f"lengths: {low:.2f} to {high:.2f} s, the median {middle:.2f} s")
    print(f"folds: {folds}; tested on: {tested}")
    print(f"classes{', one or more a clip' if clips.multi_label else ''}: {classes}")
    sources = len(clips) if clips.sources is None else len(np.unique(clips.sources))
    print(f"sources: {sources}; clips that share one with another fold: {clips.across_folds.sum()}")
    print(f"files with the same content: {'; '.join(map(' = '.join, found.copies)) or 'none'}")
    print(f"{len(found.bad)} files cannot be used:" if found.bad else "every file can be used")
    for path, why in found.bad.items():
        print(f"  {path} {why}")
