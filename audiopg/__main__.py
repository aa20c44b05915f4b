"""The command line: ``python -m audiopg COMMAND``; every command explains itself with --help."""

import argparse
import os
import sys
import warnings
from collections.abc import Sequence

from audiopg.commands import (
    analyze,
    bench,
    data,
    embed,
    finetune,
    pretrain,
    probe,
    reproduce,
    synth,
)
from audiopg.environment import require_writable
from audiopg.errors import InputError
from audiopg.records import record_path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 when it succeeds; 2, with one sentence on stderr, for bad input or a file that fails; 130
        when it is interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        if vars(options).get("record"):
            require_writable(record_path(options.record).parent)
        with warnings.catch_warnings():
            warnings.showwarning = _warn
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


def _warn(message: Warning, category: type[Warning], *where: object) -> None:
    """A warning of ours is a sentence; another package's says where it comes from."""
    text = warnings.formatwarning(message, category, *where[:2]).rstrip()
    _complain(str(message) if category is UserWarning else text)


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
    for each in (synth, pretrain, finetune, probe, embed, analyze, data, bench, reproduce):
        each.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
