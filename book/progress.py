"""Lines of a build that say what it is at."""

import sys


def tell(text: str) -> None:
    """A line that stays."""
    if sys.stdout.isatty():
        passing("")
    print(text, flush=True)


def passing(text: str) -> None:
    """A line that the next one takes the place of; in a file, a line like others."""
    if sys.stdout.isatty():
        print(f"\r\033[K{text}", end="", flush=True)
    else:
        print(text, flush=True)
