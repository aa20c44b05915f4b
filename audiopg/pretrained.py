"""Pre-trained weights: where they are, and how they are written and read.

They lie beside the package, in the folder of a run, or at an address. Those of other people's
autoencoders are read by `audiopg.layouts`.
"""

import json
import os
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError
from torch import Tensor

from audiopg._types import AnyPath
from audiopg.environment import atomic_path, cache_folder, on_cpu_by_default, writing
from audiopg.errors import InputError
from audiopg.fetch import check, fetch, read_checksum
from audiopg.frontend import LogMel
from audiopg.inputs import shown
from audiopg.layouts import read_encoder
from audiopg.mae import Architecture, Encoder, MaskedAutoencoder
from audiopg.runs import (
    checkpoints,
    read_provenance,
    read_tensors,
    require_own,
    run_folder,
    save_tensors,
    step_of,
)

_WEIGHTS = Path(__file__).parent / "weights"
_ADDRESSES = ("http://", "https://")


def shipped_weights() -> list[str]:
    """Names of the pre-trained models that come with the package."""
    return sorted(path.stem for path in _WEIGHTS.glob("*.safetensors"))


def lasting_weights(name_or_path: AnyPath) -> str:
    """The name, the address, or the path from any working folder of some weights."""
    place = os.fspath(name_or_path)
    is_path = place not in shipped_weights() and not place.startswith(_ADDRESSES)
    return os.path.abspath(place) if is_path else place


def weights_file(name_or_path: AnyPath) -> Path:
    """The path of the file of some weights; a file that is not fetched here need not exist.

    Raises:
        InputError: for what is no path; for an address that gives nothing or has no digest, and for a
            file of another one.
    """
    if not isinstance(name_or_path, AnyPath):
        raise InputError(f"{shown(name_or_path)} names no weights; give a name or a path.")
    if name_or_path in shipped_weights():
        if os.path.exists(name_or_path):
            raise InputError(
                f"{name_or_path!r} names weights that come with audiopg, and something here; for the "
                f"latter give ./{name_or_path}, for the former go to another folder."
            )
        return _WEIGHTS / f"{name_or_path}.safetensors"
    place, _, digest = os.fspath(name_or_path).partition("#sha256=")
    if place.startswith(_ADDRESSES):
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


def save_model(model: MaskedAutoencoder, path: AnyPath, half: bool = False) -> None:
    """Write the weights as safetensors, with the architecture and front end in the header.

    Args:
        half: write half-precision numbers, for weights that are shipped.

    Raises:
        InputError: when the file cannot be written.
    """
    with writing(path):
        write_model(model, path, half)


def write_model(
    model: MaskedAutoencoder, path: AnyPath, half: bool = False, run: str | None = None
) -> None:
    """As `save_model`, but a failure to write is raised as it is.

    Args:
        run: for the header, the name of the run, "/" and the step.
    """
    log_mel = model.encoder.log_mel
    about = {
        "architecture": asdict(model.architecture),
        "mask_ratio": model.mask_ratio,
        **log_mel.settings,
    }
    if model.auxiliary is not None:
        about["auxiliary"] = model.auxiliary.out_features
    tensors = model.state_dict()
    if half:
        tensors = {name: value.half() for name, value in tensors.items()}
    with atomic_path(path) as temporary:
        said = {"audiopg": json.dumps(about)} | ({"run": run} if run else {})
        save_tensors(tensors, temporary, said)


@on_cpu_by_default()
def load_model(name_or_path: AnyPath) -> MaskedAutoencoder:
    """A pre-trained autoencoder, in evaluation mode.

    Args:
        name_or_path: "tiny", the weights that come with the package; or a ``model.safetensors``,
            the folder of a pre-training run, or of one of its checkpoints; or the address of such
            a file, fetched once into `audiopg.environment.cache_folder`. Behind a file may stand
            "#sha256=" and its digest, behind an address they must, and the file is checked.

    Raises:
        InputError: for a path that holds no model, a damaged file, or another network; for an
            address that gives nothing, and for a file of another digest.
    """
    path = weights_file(name_or_path)
    tensors, said = _read(path)
    if "audiopg" not in said:
        raise InputError(
            f"{path} was not written by audiopg, and holds no autoencoder of its; load_encoder reads "
            "encoders of timm, AudioMAE and ViTMAE."
        )
    return _model(path, tensors, said["audiopg"])


@on_cpu_by_default()
def load_encoder(name_or_path: AnyPath) -> Encoder:
    """The encoder of a pre-trained autoencoder, frozen, in evaluation mode.

    Args:
        name_or_path: "tiny", the weights that come with the package; the folder of a pre-training
            run or one of its checkpoints; a ``model.safetensors`` or the address of one, with the
            digest as in `audiopg.pretrained.load_model`; or a safetensors file, or a folder with a
            ``model.safetensors``, in the layout of timm, of AudioMAE or of ViTMAE
            (`audiopg.layouts.read_encoder`).

    Raises:
        InputError: as `audiopg.pretrained.load_model`, or for a layout that is none of these.
    """
    path = weights_file(name_or_path)
    tensors, said = _read(path)
    if "audiopg" not in said:
        return read_encoder(path, tensors)
    return _model(path, tensors, said["audiopg"]).encoder.requires_grad_(False)


def as_encoder(given: Encoder | AnyPath) -> Encoder:
    """The encoder that is given, or as `load_encoder`; also raises InputError as `require_encoder`."""
    if isinstance(given, Encoder):
        return given
    if not isinstance(given, AnyPath):
        require_encoder(given)
    return load_encoder(given)


def require_encoder(given: object) -> None:
    """Raise InputError for what embeds nothing, such as the name of weights or a whole autoencoder."""
    if isinstance(given, type) or not callable(getattr(given, "embed", None)):
        name = given if isinstance(given, AnyPath) else "tiny"
        remedy = f"give one, such as audiopg.load_encoder({os.fspath(name)!r})"
        if isinstance(given, MaskedAutoencoder):
            remedy = "give its part .encoder"
        elif isinstance(getattr(given, "model", None), MaskedAutoencoder):
            remedy = "give its part .model.encoder"
        raise InputError(f"{shown(given)} is no encoder; {remedy}.")


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file by name, and what its header says."""
    try:
        path.open("rb").close()
    # A path with a null character is a ValueError.
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError) as error:
        if path.name == "model.safetensors" and (path.parent / "run.json").is_file():
            raise InputError(
                f"{path.parent} is a fine-tuning, which keeps scores and no weights; name a pre-training."
            ) from error
        raise InputError(
            f"{path} is not a file; give a model.safetensors, a run's folder, or one of the "
            f"weights that come with the package: {shipped_weights()}."
        ) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); mend that.") from error
    try:
        tensors, said = read_tensors(path)
    except (SafetensorError, OSError, InputError) as error:
        raise InputError(f"{path} is damaged or no safetensors file ({error}).") from error
    checkpoint = path.absolute().parent
    run = checkpoint.parent
    named = "run" in said and (run / "provenance.json").is_file()
    # A run that was copied into the folder of another leaves the checkpoints of both there. Older runs
    # have no name.
    if named and (own := read_provenance(run).get("run")):
        name, _, step = said["run"].partition("/")
        require_own(path.parent, name, own)
        if checkpoint in checkpoints(run) and step != str(step_of(checkpoint)):
            raise InputError(f"{path} is of step {step}; take its folder out.")
    return tensors, said


def _model(path: Path, tensors: dict[str, Tensor], header: str) -> MaskedAutoencoder:
    """The autoencoder of these weights, by what the header of their file says."""
    try:
        about = json.loads(header)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} was not written by audiopg: its header says nothing.") from error
    try:
        model = MaskedAutoencoder(Architecture(**about["architecture"]), about["mask_ratio"])
        front_end = {name: about[name] for name in model.encoder.log_mel.settings if name in about}
        model.encoder.log_mel = LogMel(**front_end)
        if "auxiliary" in about:
            model.add_auxiliary(about["auxiliary"])
        model.load_state_dict(tensors)
    except (KeyError, TypeError, RuntimeError, InputError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise InputError(f"{path} holds a network of another shape: {reason}") from error
    return model.eval()
