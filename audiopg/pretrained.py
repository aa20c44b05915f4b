"""Where pre-trained weights are: beside the package, in the folder of a run, or at an address."""

import os
from pathlib import Path

from audiopg.environment import cache_folder, writing
from audiopg.errors import InputError
from audiopg.fetch import check, fetch, read_checksum
from audiopg.runs import checkpoints, run_folder

_WEIGHTS = Path(__file__).parent / "weights"


def shipped_weights() -> list[str]:
    """Names of the pre-trained models that come with the package."""
    return sorted(path.stem for path in _WEIGHTS.glob("*.safetensors"))


def weights_file(name_or_path: str | os.PathLike) -> Path:
    """The file of some weights on this machine; whether it is there, who opens it will see.

    Args:
        name_or_path: as `audiopg.mae.load_model` takes it.

    Raises:
        InputError: for an address that gives nothing or has no digest, and for a file of another one.
    """
    if name_or_path in shipped_weights():
        if os.path.exists(name_or_path):
            raise InputError(
                f"{name_or_path!r} names weights that come with audiopg, and something here; for the "
                f"latter give ./{name_or_path}, for the former go to another folder."
            )
        return _WEIGHTS / f"{name_or_path}.safetensors"
    place, _, digest = os.fspath(name_or_path).partition("#sha256=")
    if place.startswith(("http://", "https://")):
        return _fetched(place, digest)
    path = Path(place)
    # Unlike a path's own methods, these do not raise where a folder may not be entered.
    if os.path.isdir(path):
        path = (checkpoints(path) or [path])[-1] / "model.safetensors"
    if digest and os.path.isfile(path):
        check(path, f"sha256:{digest}")
    return path


def _fetched(url: str, digest: str) -> Path:
    """The file of an address, kept under its digest."""
    if not digest:
        raise InputError(
            f"{url} may lead to anything; append #sha256= and the digest that the maker of the "
            "weights states."
        )
    checksum = f"sha256:{digest}"
    _, digest = read_checksum(checksum)
    folder = cache_folder() / "weights" / digest
    there = folder / url.rpartition("/")[2]
    if there.exists():
        return there
    with run_folder(folder), writing(folder):
        return fetch(url, checksum, folder)
