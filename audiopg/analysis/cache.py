"""Results that take minutes to compute, kept in the cache for the next time."""

import hashlib
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress

from safetensors import SafetensorError
from torch import Tensor

from audiopg.environment import atomic_path, cache_folder, writing
from audiopg.errors import InputError
from audiopg.runs import read_tensors, save_tensors


def kept(folder: str, key: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """Tensors from the cache; where they are missing or damaged, they are made and put there.

    Args:
        folder: within `audiopg.environment.cache_folder`.
        key: a `fingerprint` of all that they depend on.

    Returns:
        The tensors, in the memory of the CPU when they come from the cache. Where the cache cannot
        be written, a warning says so.
    """
    with suppress(InputError, OSError, SafetensorError):
        return read_tensors(cache_folder() / folder / f"{key}.safetensors")[0]
    values = make()
    try:
        root = cache_folder()
        with (
            writing(f"the cache in {root}"),
            atomic_path(root / folder / f"{key}.safetensors") as temporary,
        ):
            save_tensors(values, temporary)
    except InputError as error:
        warnings.warn(
            f"{error} Until then everything is found anew every time; AUDIOPG_CACHE can name another "
            "folder.",
            stacklevel=2,
        )
    return values


def fingerprint(tensors: Mapping[str, Tensor], *settings: object) -> str:
    """A hash of named tensors and of settings, the latter by their `repr`."""
    digest = hashlib.blake2b(repr(settings).encode(), digest_size=16)
    for name, tensor in tensors.items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
