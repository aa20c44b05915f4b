"""The exceptions of the library: input that a person can mend, and a signal that ends the work."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class InputError(ValueError):
    """A file, a setting or a value cannot be used; the message says which and what to do.

    The command line prints the message as one line and exits with status 2.
    """


class Stopped(KeyboardInterrupt):
    """SIGINT or SIGTERM has ended the work; the message says how to go on.

    Attributes:
        number: of the signal; the command line exits with 128 more.
    """

    def __init__(self, number: int, message: str = "stopped") -> None:
        super().__init__(message)
        self.number = number


@contextmanager
def resumable(folder: Path | None) -> Iterator[None]:
    """Where a signal ends a run, its message says how to go on; None for a run without a folder."""
    try:
        yield
    except KeyboardInterrupt as stop:
        if folder:
            stop.args = (f"{str(stop) or 'stopped'}; go on with --resume --out {folder}",)
        raise
