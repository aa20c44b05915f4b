"""Build the HTML book: execute the chapters that changed, warnings as errors.

Executed chapters are kept in _build/.jupyter_cache, keyed by their own code only. So everything
else that their outputs depend on is summarised in one key, and _build is dropped when it changes.
Chapters are executed side by side, one a core; one that fails is named at the end, and the others are
kept all the same. Then the pages are made from the cache. What the laboratory's page loads is made
meanwhile, in the time that these leave, and put beside them.
"""

import asyncio
import gc
import hashlib
import multiprocessing
import os
import shutil
import sys
import time
from pathlib import Path

import nbformat
from execution import ChapterError, execute
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from laboratory_assets import ensure_laboratory, provide_laboratory, stay_behind
from progress import passing, tell

from audiopg.environment import REMEDIES, atomic_path, data_folder, scale, writing
from audiopg.errors import InputError

ROOT = Path(__file__).parents[1]


def execution_key(root: Path) -> str:
    """A summary of what the outputs of the chapters depend on, besides the chapters.

    Args:
        root: the repository.

    Returns:
        The SHA-256 of the library, the records of full-scale runs, the locked versions, the
        interpreter, the scale, and the name and top-level content of the folder of recordings.
    """
    digest = hashlib.sha256()
    files = [*root.glob("audiopg/**/*"), *root.glob("results/**/*"), root / "requirements.lock"]
    # What is compiled, by Python or by Numba, is made by the chapters themselves.
    files = [path for path in files if path.is_file() and "__pycache__" not in path.parts]
    for path in sorted(files):
        digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes() + b"\0")
    data = data_folder()
    recordings = sorted(os.listdir(data)) if data else []
    digest.update(repr((sys.version, scale(), str(data), recordings)).encode())
    return digest.hexdigest()


def execute_missing(chapters: list[Path], cache_folder: Path, at_once: int) -> None:
    """Execute the chapters whose code is not in the cache, and put them there.

    Args:
        chapters: notebooks; each is executed in its own folder and left as it is.
        cache_folder: of jupyter-cache.
        at_once: how many to execute side by side.

    Raises:
        ChapterError: naming every chapter that failed; all others are in the cache.
    """
    cache = get_cache(cache_folder)
    hashes = {record.hashkey for record in cache.list_cache_records()}
    notebooks = {path: nbformat.read(path, as_version=4) for path in chapters}
    missing = {
        path: notebook
        for path, notebook in notebooks.items()
        if cache.create_hashed_notebook(notebook)[1] not in hashes
    }
    turns = asyncio.Semaphore(at_once)

    async def execute_and_keep(path: Path) -> ChapterError | None:
        async with turns:
            tell(f"Executing {path.name}")
            began = time.perf_counter()

            def watch(cell: int, cells: int) -> None:
                passing(f"{path.name}: cell {cell} of {cells}")

            try:
                await execute(missing[path], path, watch)
            except ChapterError as error:
                tell(f"{path.name} failed")
                return error
            seconds = time.perf_counter() - began
            tell(f"Executed {path.name} in {seconds:.0f} s")
            bundle = CacheBundleIn(missing[path], str(path), data={"execution_seconds": seconds})
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
            return None

    async def execute_all() -> list[ChapterError | None]:
        return await asyncio.gather(*map(execute_and_keep, missing))

    try:
        failures = [failure for failure in asyncio.run(execute_all()) if failure]
    finally:
        # From Python 3.13 on, a connection that nobody closes is warned of.
        cache.db.dispose()
    if failures:
        count = f"{len(failures)} of {len(chapters)} chapters failed"
        parts = [f"{count}; the others are kept."]
        for failure in failures:
            parts.append(str(failure))
            if failure.details:
                # Beside the cache, so that it goes when the cache goes.
                whole = cache_folder.parent / f"{str(failure).partition(',')[0]}.traceback"
                whole.write_text(failure.details + "\n")
                parts[-1] += f"\nThe whole traceback is in {whole}"
        raise ChapterError("\n\n".join(parts))


def clear(build: Path, key: str) -> None:
    """Drop what was built with another key, and all pages."""
    stamp = build / "execution_key"
    if not stamp.exists() or stamp.read_text() != key:
        if build.exists():
            shutil.rmtree(build)
        with atomic_path(stamp) as temporary:
            temporary.write_text(key)
    # Pages of chapters that are gone must not stay, nor a warning hide in a page not read again.
    shutil.rmtree(build / "html", ignore_errors=True)


def make_pages(folder: Path, jobs: int) -> None:
    """Make the HTML pages of the executed chapters, as `jupyter-book build --all` does.

    Its command has no option for the number of processes, so its two functions are called here.

    Args:
        folder: where the pages go.
        jobs: processes that read and write pages side by side.

    Raises:
        RuntimeError: Sphinx ended with an exception.
    """
    # Imported only now, for they take a while.
    from jupyter_book.cli.main import builder_specific_actions
    from jupyter_book.sphinx import build_sphinx

    # A quarter of the time went to the search for garbage, of which pages leave 0.2 GB.
    gc.disable()
    status = build_sphinx(
        ROOT,
        folder,
        noconfig=True,
        path_config=ROOT / "_config.yml",
        confoverrides={
            "external_toc_path": str(ROOT / "_toc.yml"),
            "latex_individualpages": False,
        },
        freshenv=True,
        warningiserror=True,
        keep_going=True,
        jobs=jobs,
    )
    builder_specific_actions(status, "html", folder, "book")


def main() -> int:
    """Build the book and say where to open it; returns the exit status."""
    # Kernels side by side, on as many cores: threads inside each would only fight for them.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    build = ROOT / "_build"
    # At the paper's scale every chapter has the whole GPU.
    at_once = 1 if scale() == "paper" else os.cpu_count() or 1
    chapters = sorted((ROOT / "notebooks").glob("*.ipynb"))
    try:
        # Leaving the block ends what is being made; the parts that are finished are kept.
        with (
            writing(build, then=", then: make book"),
            multiprocessing.get_context("spawn").Pool(1, stay_behind) as beside,
        ):
            clear(build, execution_key(ROOT))
            laboratory = beside.apply_async(ensure_laboratory)
            execute_missing(chapters, build / ".jupyter_cache", at_once)
            make_pages(build / "html", jobs=os.cpu_count() or 1)
            provide_laboratory(build / "html", laboratory.get)
            # A process that is ended, not left to end, leaves joblib's semaphores and a warning of them.
            beside.close()
            beside.join()
    except (ChapterError, InputError, RuntimeError) as error:
        # What is no fault of a disk, such as a link that leads nowhere, is told whole.
        number = getattr(error.__cause__, "errno", None)
        if number is not None and number not in REMEDIES:
            raise
        print(error, file=sys.stderr)
        return 1
    print(f"The book is ready: open {build / 'html' / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
