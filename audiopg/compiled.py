"""What code may do by where it runs: on a CPU, on a GPU, or traced into a graph that is exported.

A graph asks no tensor what it holds, and its sizes are fixed: what the synthesizer does otherwise for
that is asked of the functions here.

On a CPU a pass over samples that torch makes in many can be a loop in machine code, where numba is
installed (it comes with ``audiopg[fast]``). The loop stands beside the torch code that it replaces, and
rounds as that does, in the same order: clips have the same bits with numba and without.
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
    """Whether to go through clips one by one: on a CPU, where they stay in the cache, but in no graph."""
    return device.type == "cpu" and not is_exporting()


def some(rows: Tensor) -> bool:
    """Whether there are any rows; a graph, which has none yet, does what is done for them."""
    return is_exporting() or len(rows) > 0


def places(mask: Tensor) -> Tensor:
    """The indices at which a mask, (n,), holds; in a graph all of them, so mask the values too."""
    return fixed(lambda: torch.arange(len(mask)), lambda: mask.nonzero().squeeze(1))


def fixed(in_graph: Callable[[], T], otherwise: Callable[[], T]) -> T:
    """What a graph does because its sizes are fixed, and what is done otherwise."""
    return in_graph() if is_exporting() else otherwise()


def compiled(loop: Callable[..., None], device: torch.device) -> Callable[..., None] | None:
    """A loop over arrays as machine code that takes tensors; None where torch is to do the work.

    Args:
        loop: changes its first array in place. numba must know what it uses.
    """
    return _machine_code(loop) if on_cpu(device) else None


@cache
def _machine_code(loop: Callable[..., None]) -> Callable[..., None] | None:
    # Asked at the first clip, as the import takes half a second.
    if find_spec("numba") is None:
        return None
    import numba

    try:
        # Compiled once a machine: numba keeps the code beside the source, or else in a folder of the user.
        code = numba.njit(loop, cache=True, nogil=True, error_model="numpy")
    except RuntimeError:
        code = numba.njit(loop, nogil=True, error_model="numpy")

    def run(changed: Tensor, *others: Tensor) -> None:
        # One layout, since numba compiles anew for another.
        code(changed.numpy(), *(tensor.contiguous().numpy() for tensor in others))

    return run
