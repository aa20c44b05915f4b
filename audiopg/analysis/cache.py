"""What takes minutes to find and can be found again: kept in the cache for the next time."""

import hashlib
from collections.abc import Callable, Mapping

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from audiopg.environment import atomic_path, cache_folder
from audiopg.errors import InputError


def kept(folder: str, key: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """Tensors from the cache; where they are not there, or damaged, made and put there.

    Args:
        folder: within `audiopg.environment.cache_folder`.
        key: a `fingerprint` of all that they depend on.
        make: what makes them.

    Returns:
        The tensors, in the memory of the CPU when they come from the cache.

    Raises:
        InputError: when the cache cannot be written.
    """
    path = cache_folder() / folder / f"{key}.safetensors"
    try:
        return load_file(path)
    except (OSError, SafetensorError):
        values = make()
    try:
        with atomic_path(path) as temporary:
            save_file({name: value.contiguous() for name, value in values.items()}, temporary)
    except OSError as error:
        raise InputError(
            f"{path.parent} cannot be written ({error.strerror}); make room there, or set "
            "AUDIOPG_CACHE to another folder."
        ) from error
    return values


def fingerprint(tensors: Mapping[str, Tensor], *settings: object) -> str:
    """A hash of named tensors and of settings, which are told apart by their representation."""
    digest = hashlib.blake2b(repr(settings).encode(), digest_size=16)
    for name, tensor in tensors.items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
