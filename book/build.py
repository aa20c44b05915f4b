"""Build the HTML book: execute the chapters that changed, warnings as errors.

Executed chapters are kept in _build/.jupyter_cache, keyed by their own text only. So everything
else that their outputs depend on is summarised in one key, and _build is dropped when it changes.
"""

import hashlib
import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def execution_key(root: Path, environment: dict[str, str]) -> str:
    """A summary of what the outputs of the chapters depend on, besides the chapters.

    Args:
        root: the repository.
        environment: the variables of the process, such as ``os.environ``.

    Returns:
        The SHA-256 of the library, the records of full-scale runs, the locked versions, the
        interpreter, the scale, and the name and top-level content of the folder of recordings.
    """
    digest = hashlib.sha256()
    files = [*root.glob("audiopg/**/*"), *root.glob("results/**/*"), root / "requirements.lock"]
    for path in sorted(path for path in files if path.is_file() and path.suffix != ".pyc"):
        digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes() + b"\0")
    data = environment.get("AUDIOPG_DATA", "")
    recordings = sorted(os.listdir(data)) if os.path.isdir(data) else []
    scale = environment.get("AUDIOPG_SCALE", "smoke")
    digest.update(repr((sys.version, scale, data, recordings)).encode())
    return digest.hexdigest()


def main() -> int:
    """Build the book and say where to open it; returns the exit status."""
    from jupyter_book.cli.main import main as jupyter_book

    build = ROOT / "_build"
    stamp = build / "execution_key"
    key = execution_key(ROOT, dict(os.environ))
    if build.exists() and (not stamp.exists() or stamp.read_text() != key):
        shutil.rmtree(build)
    build.mkdir(exist_ok=True)
    stamp.write_text(key)
    # Pages of chapters that are gone must not stay, nor a warning hide in a page not read again.
    shutil.rmtree(build / "html", ignore_errors=True)
    try:
        jupyter_book(
            ["build", "--all", "--warningiserror", "--keep-going", str(ROOT)],
            standalone_mode=False,
        )
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"The book is ready: open {build / 'html' / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
