"""The command line: ``python -m audiopg COMMAND``; every command explains itself with --help."""

import argparse
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module

from audiopg import __version__
from audiopg.commands import COMMANDS
from audiopg.errors import InputError, Stopped


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 when it succeeds; 2, with one sentence on stderr, for bad input or a file that fails; 130 or
        143, with one too, after SIGINT (Ctrl-C) or SIGTERM; 141 where nobody reads on what it
        prints, with one if a record was asked for.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    for name in ("stdout", "stderr"):
        # A stream that a shell has closed (2>&-) is None, which breaks progress bars; and the next file
        # that is opened would get its number.
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - open until the process ends.
    # A "±" or a file's name that the terminal cannot write must not end a command.
    if getattr(sys.stdout, "errors", "") == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")
    options = argparse.Namespace()
    try:
        with _terminable():
            _require_given(arguments)
            options = _parser(arguments).parse_args(arguments)
            _require_one_process(options.run.__module__.rpartition(".")[2])
            from audiopg.environment import scale

            scale()  # A record has it at the end, so a bad value is refused now.
            with warnings.catch_warnings():
                warnings.showwarning = partial(_warn, set())
                options.run(options)
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader of the output, such as head, has enough, which is no fault.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if getattr(options, "record", None):
            _complain("nobody reads what is printed, so this stopped; run it again for the record.")
        return 128 + signal.SIGPIPE
    except InputError as error:
        _complain(str(error))
        return 2
    except OSError as error:
        _complain(f"a file cannot be read or written ({error}).")
        return 2
    except KeyboardInterrupt as stop:
        _complain(str(stop) or "stopped")
        return 128 + getattr(stop, "number", signal.SIGINT)
    return 0


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM raises, as SIGINT does, so that nothing half written stays; another handler is kept."""

    def stop(number: int, _: object) -> None:
        raise Stopped(number)

    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _warn(said: set[str], message: Warning, category: type[Warning], *where: object) -> None:
    """Print a warning of ours as a sentence, another package's with its place; each once."""
    text = warnings.formatwarning(message, category, *where[:2]).rstrip()
    text = str(message) if category is UserWarning else text
    if text not in said:
        said.add(text)
        _complain(text)


def _complain(sentence: str) -> None:
    """Say on stderr what is wrong; under torchrun one process a machine speaks for all."""
    if os.environ.get("LOCAL_RANK", "0") == "0":
        print(f"audiopg: {sentence}", file=sys.stderr)


def _require_given(arguments: Sequence[str]) -> None:
    """See that no argument is empty; as a path it would mean the working folder, which nobody named."""
    for place, argument in enumerate(arguments):
        if not argument or re.fullmatch("--[a-z-]+=", argument):
            after = "the first argument" if not place else f"what follows {arguments[place - 1]!r}"
            raise InputError(
                f"{argument or after} is empty, as of a variable that is not set; give something, or leave "
                "it out."
            )


def _require_one_process(command: str) -> None:
    """See that torchrun does not start several processes, each of which would do all of the work."""
    several = "TORCHELASTIC_RUN_ID" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1"
    if several and command != "pretrain":
        raise InputError(
            f"torchrun started several processes, and only pretrain shares its work; run {command} "
            "without torchrun."
        )


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """All commands by name, and the flags of the one that is called: its module takes seconds."""
    parser = argparse.ArgumentParser(
        prog="audiopg",
        description="Learn to hear from a synthesizer: pre-train, transfer and analyse.",
    )
    parser.add_argument("--version", action="version", version=f"audiopg {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    asked = next((each for each in arguments if not each.startswith("-")), None)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(
            name, help=summary, description=summary[0].upper() + summary[1:] + "."
        )
        if name == asked:
            module = import_module(f"audiopg.commands.{name}")
            module.add(command)
            command.set_defaults(run=module.run)
            command.epilog = module.EXAMPLES
            if "\n" in module.EXAMPLES:
                command.formatter_class = argparse.RawDescriptionHelpFormatter
    return parser


if __name__ == "__main__":
    sys.exit(main())
