"""Execute chapters and store their outputs: notebooks/NN_name.py -> notebooks/NN_name.ipynb.

The .py file is the source. The .ipynb beside it is made anew from it: executed, without its
sounds and slider frames (they come back when the book is built), and without what changes from
run to run.
"""

import argparse
import asyncio
import re
import sys
from pathlib import Path

import jupytext
import nbformat
from execution import ChapterError, execute
from nbformat import NotebookNode

from audiopg.environment import atomic_path

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
_EMBEDDED = re.compile(r'src="data:[^"]*"')
_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def main(arguments: list[str] | None = None) -> int:
    """Refresh the chapters named on the command line, or all of them; returns the exit status."""
    parser = argparse.ArgumentParser(description="Execute chapters and store their outputs.")
    parser.add_argument("chapters", nargs="*", metavar="NAME", help="such as 04_transfer")
    names = parser.parse_args(arguments).chapters
    sources = {path.stem: path for path in sorted(NOTEBOOKS.rglob("*.py"))}
    unknown = [name for name in names if Path(name).stem not in sources]
    if unknown:
        known = ", ".join(sources)
        print(f"No chapter {', '.join(unknown)}; choose from {known}.", file=sys.stderr)
        return 2
    for name in names or sources:
        source = sources[Path(name).stem]
        print(source.relative_to(NOTEBOOKS.parent), flush=True)
        try:
            refresh(source)
        except ChapterError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


def refresh(source: Path) -> None:
    """Execute one chapter in its own folder and write the .ipynb beside it.

    Args:
        source: the chapter in percent format.

    Raises:
        ChapterError: when a cell fails, naming the chapter and the cell; nothing is written.
    """
    notebook = unexecuted(source)
    asyncio.run(execute(notebook, source))
    strip(notebook)
    with atomic_path(source.with_suffix(".ipynb")) as path:
        nbformat.write(notebook, path)


def unexecuted(source: Path) -> NotebookNode:
    """The chapter as a notebook without outputs, with no metadata but what the pair needs."""
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = NotebookNode(
        jupytext={"formats": "ipynb,py:percent"},
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
    )
    for index, cell in enumerate(notebook.cells):
        # The same from run to run, unlike the random names that nbformat gives.
        cell.id = f"cell-{index + 1}"
        cell.metadata.pop("lines_to_next_cell", None)
    return notebook


def strip(notebook: NotebookNode) -> None:
    """Remove, in place, embedded media and whatever else would differ at the next run."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            data.pop(_WIDGET_VIEW, None)
            if "text/html" in data:
                data["text/html"] = _EMBEDDED.sub('src=""', data["text/html"])


if __name__ == "__main__":
    sys.exit(main())
