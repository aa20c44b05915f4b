"""How code depends on where it runs: on a CPU, on a GPU, or traced into a graph that is exported.

A graph cannot read the values of a tensor, and its sizes are fixed. The functions here say what the
synthesizer does instead.

On a CPU, where numba is installed (it comes with ``audiopg[fast]``), one loop in machine code can
replace several passes of torch over the samples. The loop stands beside the torch code that it
replaces, and rounds in the same order: clips have the same bits with numba and without.
"""

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import TypeVar

import torch
from torch import Tensor
from torch.compiler import is_exporting

T = TypeVar("T")


def on_cpu(device: torch.device) -> bool:
    """Whether to take clips one by one: on a CPU, where they stay in the cache, but not in a graph."""
    return device.type == "cpu" and not is_exporting()


def some(rows: Tensor) -> bool:
    """Whether there are any rows; in a graph, where nobody knows yet, True."""
    return is_exporting() or len(rows) > 0


def places(mask: Tensor) -> Tensor:
    """The indices at which a mask, (n,), holds; in a graph all of them, so mask the values too."""
    return fixed(lambda: torch.arange(len(mask)), lambda: mask.nonzero().squeeze(1))


def fixed(in_graph: Callable[[], T], otherwise: Callable[[], T]) -> T:
    """The first in a graph, whose sizes are fixed, and the second otherwise."""
    return in_graph() if is_exporting() else otherwise()


def compiled(loop: Callable[..., None], device: torch.device) -> Callable[..., None] | None:
    """A loop over arrays as machine code that takes tensors; None where torch is to do the work.

    Args:
        loop: changes its first array in place, and uses only what numba knows.
    """
    return _machine_code(loop) if on_cpu(device) else None


@cache
def _machine_code(loop: Callable[..., None]) -> Callable[..., None] | None:
    # At the first clip, not at the start, since the import takes half a second.
    if find_spec("numba") is None:
        return None
    import numba

    try:
        # Once a machine: numba keeps the code beside the source, or else in a folder of the user.
        code = numba.njit(loop, cache=True, nogil=True, error_model="numpy")
    except RuntimeError:
        code = numba.njit(loop, nogil=True, error_model="numpy")

    def run(changed: Tensor, *others: Tensor) -> None:
        # One layout, since numba compiles anew for another.
        code(changed.numpy(), *(tensor.contiguous().numpy() for tensor in others))

    return run
