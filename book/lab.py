"""Open the chapters in JupyterLab, as copies in lab/.

What a reader runs, edits or saves there changes no file of the repository, and each chapter is listed
once, not as a script and a notebook. A copy that was changed is the reader's and stays; all others follow
the chapters.
"""

import hashlib
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from audiopg.environment import atomic_path, write_json, writing
from audiopg.errors import InputError
from audiopg.inputs import read_object

ROOT = Path(__file__).parents[1]
# In the folder of the copies: name -> hash of what was copied.
_COPIED = ".copied.json"


def copy_chapters(chapters: Path, folder: Path) -> list[str]:
    """Copy every chapter into a folder, but for copies that the reader has changed.

    Args:
        chapters: the folder of the book's notebooks.
        folder: of the copies; made where it is missing.

    Returns:
        The names of those that were left alone though the book has another version.
    """
    record, copied, left = folder / _COPIED, {}, []
    # Without a record, copies that are no chapter of now are taken for the reader's.
    with suppress(OSError, InputError):
        copied = read_object(record, "delete it")
    for chapter in sorted(chapters.glob("*.ipynb")):
        copy, found = folder / chapter.name, _digest(chapter)
        there = _digest(copy) if copy.exists() else None
        if there not in (None, found, copied.get(chapter.name)):
            if copied.get(chapter.name) != found:
                left.append(chapter.name)
            continue
        if there != found:
            with atomic_path(copy) as temporary:
                shutil.copyfile(chapter, temporary)
        if copied.get(chapter.name) != found:
            copied[chapter.name] = found
            write_json(record, copied, indent=1)
    return left


def command(folder: Path, is_root: bool) -> list[str]:
    """How JupyterLab is started in a folder; as root, as in a container, it has to be told that it may."""
    may = ["--allow-root"] if is_root else []
    return [sys.executable, "-m", "jupyterlab", *may, str(folder)]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Copy the chapters, and become JupyterLab."""
    folder = ROOT / "lab"
    try:
        with writing(folder, then=", then: make lab"):
            left = copy_chapters(ROOT / "notebooks", folder)
    except InputError as error:
        sys.exit(str(error))
    for name in left:
        print(f"lab/{name} was changed here and stays; delete it for the book's newer version.")
    print("The chapters are copies in lab/: change them as you like.", flush=True)
    started = command(folder, hasattr(os, "geteuid") and os.geteuid() == 0)
    os.execv(started[0], started)


if __name__ == "__main__":
    main()
