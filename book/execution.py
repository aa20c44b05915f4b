"""Execute a notebook, however slow the machine, and say in one message which cell failed."""

import re
from collections.abc import Callable
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode

# A kernel that has died is noticed at once, so no limit has to tell it from one that is slow.
LIMITS = {"timeout": None, "startup_timeout": 1800, "iopub_timeout": 60}
_AT = re.compile(r"-+> ?\d+ (.*)")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class ChapterError(Exception):
    """A chapter could not be executed; the message names it, the cell, the error and its line.

    Attributes:
        details: the whole traceback, or "".
    """

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


async def execute(
    notebook: NotebookNode, source: Path, watch: Callable[[int, int], None] | None = None
) -> None:
    """Execute a notebook in the folder of its file, in place.

    Args:
        notebook: what to execute; its cells get their outputs.
        source: the file it is from; that file is left as it is.
        watch: told, as each cell begins, which one it is, from 1, and how many there are.

    Raises:
        ChapterError: when a cell fails, or the kernel dies.
    """
    resources = {"metadata": {"path": str(source.parent)}}
    client = NotebookClient(
        notebook, kernel_name="python3", record_timing=False, resources=resources, **LIMITS
    )
    # Other users of the machine can listen at a port: what a kernel says there is encrypted.
    client.create_kernel_manager().transport_encryption = "auto"
    executing = 0

    def remember(cell: NotebookNode, cell_index: int) -> None:
        nonlocal executing
        executing = cell_index
        if watch:
            watch(cell_index + 1, len(notebook.cells))

    client.on_cell_start = remember
    try:
        await client.async_execute()
    except (CellExecutionError, DeadKernelError) as error:
        where = f"{source.name}, cell {executing + 1} of {len(notebook.cells)}"
        code = notebook.cells[executing].source
        if isinstance(error, DeadKernelError):
            raise ChapterError(f"{where}: its kernel died\n\n{code}") from error
        details = _COLOURS.sub("", str(error)).strip()
        # Of a traceback, the lines at which each frame stood; the first is of the cell.
        lines = [at[1].strip() for line in details.splitlines() if (at := _AT.match(line))]
        stood = "".join(f"\n    {line}" for line in lines) or f"\n\n{code}"
        raise ChapterError(f"{where}: {error.ename}: {error.evalue}{stood}", details) from error
