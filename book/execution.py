"""Execute a notebook, however slow the machine, and say in one message which cell failed."""

import re
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode

# A kernel that has died is noticed at once, so no limit has to tell it from one that is slow.
LIMITS = {"timeout": None, "startup_timeout": 1800, "iopub_timeout": 60}
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class ChapterError(Exception):
    """A chapter could not be executed; the message names it, the cell and the error."""


async def execute(notebook: NotebookNode, source: Path) -> None:
    """Execute a notebook in the folder of its file, in place.

    Args:
        notebook: what to execute; its cells get their outputs.
        source: the file it is from; that file is left as it is.

    Raises:
        ChapterError: when a cell fails, or the kernel dies.
    """
    resources = {"metadata": {"path": str(source.parent)}}
    client = NotebookClient(
        notebook, kernel_name="python3", record_timing=False, resources=resources, **LIMITS
    )
    executing = 0

    def remember(cell: NotebookNode, cell_index: int) -> None:
        nonlocal executing
        executing = cell_index

    client.on_cell_start = remember
    try:
        await client.async_execute()
    except (CellExecutionError, DeadKernelError) as error:
        where = f"{source.name}, cell {executing + 1} of {len(notebook.cells)}"
        if isinstance(error, CellExecutionError):
            # Its text has the cell, the traceback and, last, the error.
            said = f"{error.ename}: {error.evalue}\n\n{error}"
        else:
            said = f"its kernel died\n\n{notebook.cells[executing].source}"
        raise ChapterError(f"{where}: {_COLOURS.sub('', said).strip()}") from error
