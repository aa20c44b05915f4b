"""Loops in machine code: where numba is installed, a pass over samples that torch makes in many.

A loop stands beside the torch code that it replaces on a CPU, and rounds as that does, in the same
order: clips have the same bits with numba and without. Torch remains the definition, and what runs on a
GPU, in an exported graph and where numba is not installed (it comes with ``audiopg[fast]``).
"""

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec

import torch
from torch.compiler import is_exporting


def compiled(loop: Callable[..., None], device: torch.device) -> Callable[..., None] | None:
    """A loop over arrays as machine code that takes tensors; None where torch is to do the work.

    Args:
        loop: changes its first array in place. numba must know what it uses.
    """
    return _machine_code(loop) if device.type == "cpu" and not is_exporting() else None


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

    def run(changed: torch.Tensor, *others: torch.Tensor) -> None:
        # One layout, since numba compiles anew for another.
        code(changed.numpy(), *(tensor.contiguous().numpy() for tensor in others))

    return run
