"""Where a run happens: its scale, recordings, device, precision and origin; and safe writing."""

import errno
import getpass
import json
import math
import os
import platform
import re
import secrets
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError

from audiopg._types import AnyPath
from audiopg.errors import InputError

Value = TypeVar("Value")

# The type in which a network multiplies; its weights and the optimiser's state are float32 in both.
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
# The values of a setting: "auto" becomes the precision that is fastest on the device.
PRECISION_CHOICES = ("auto", *PRECISIONS)

_VERSIONS_OF = ("torch", "numpy", "scikit-learn")
# What to do about a file that cannot be written, by the number of the system's error.
REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "make it writable"),
    errno.EFBIG: "allow larger files (ulimit -f)",
}
# A file where a folder is to be, or a folder in place of a file.
_IN_THE_WAY = (errno.EEXIST, errno.EISDIR, errno.ENOTDIR)


def scale() -> str:
    """The scale of this run, from the variable ``AUDIOPG_SCALE``.

    Returns:
        ``"smoke"``, the default, also where the variable is empty, for minutes on a laptop; or
        ``"paper"``, for a GPU.

    Raises:
        InputError: for any other value.
    """
    value = os.environ.get("AUDIOPG_SCALE") or "smoke"
    if value not in ("smoke", "paper"):
        raise InputError(f"AUDIOPG_SCALE is {value!r}; set it to 'smoke' or 'paper'.")
    return value


def at_scale(smoke: Value, paper: Value) -> Value:
    """Choose between the two scales of a setting: ``steps = at_scale(smoke=60, paper=7800)``."""
    return smoke if scale() == "smoke" else paper


def data_folder() -> Path | None:
    """The folder of real recordings named by ``AUDIOPG_DATA``, or None when it is unset or empty.

    Raises:
        InputError: when the variable names no folder.
    """
    value = os.environ.get("AUDIOPG_DATA")
    if not value:
        return None
    folder = _with_home("AUDIOPG_DATA", value)
    if not folder.is_dir():
        raise InputError(f"AUDIOPG_DATA names {value!r}, which is not a folder.")
    return folder


def cache_folder() -> Path:
    """The folder for what can be made again: ``AUDIOPG_CACHE``, or audiopg in the user's cache.

    Raises:
        InputError: when the user has no home folder, or not the one that is named.
    """
    named = os.environ.get("AUDIOPG_CACHE")
    usual = os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "audiopg")
    return _with_home("AUDIOPG_CACHE", named or usual).absolute()


def _with_home(variable: str, path: str) -> Path:
    """A path whose ~ or ~user is replaced by the home folder."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(
            f"{path} begins with a home folder, which cannot be found; set {variable} to a folder "
            "without ~."
        ) from error


def name_user() -> None:
    """Give the user a name where the system knows none, as in a container with an arbitrary user number.

    torch asks for a name when it makes an optimiser, and fails without (2.11.0, `torch._dynamo.config`).
    """
    try:
        getpass.getuser()
    # OSError from Python 3.13 on.
    except (KeyError, OSError):
        os.environ["LOGNAME"] = f"user-{os.getuid()}"


def best_device() -> torch.device:
    """A CUDA device where there is one, otherwise the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def usable_device(device: torch.device | str | None = None) -> torch.device:
    """A device that tensors can be made on; without a name, `best_device`.

    Raises:
        InputError: for a device that is not there.
    """
    if device is None:
        return best_device()
    try:
        number = torch.zeros((), dtype=torch.float32, device=device)
        number.item()  # The meta device has none.
        return number.device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"the device {str(device)!r} cannot be used ({reason}); give cpu, cuda, or cuda:N."
        ) from error


def require_compiler(device: torch.device) -> None:
    """See that ``torch.compile`` has what it needs on a device, by compiling next to nothing.

    Raises:
        InputError: where it lacks something, such as a C++ compiler.
    """
    compiled = torch.compile(torch.neg)
    try:
        compiled(torch.ones(2, dtype=torch.float32, device=device))
    except RuntimeError as error:
        reason = " ".join(str(error).partition("\n\n")[0].split())
        raise InputError(
            f"the network cannot be compiled here ({reason}); install a C++ compiler (on Debian: apt "
            "install g++), or set compiled to False (--no-compiled)."
        ) from error


def best_precision(device: torch.device | str) -> str:
    """The one of ``PRECISIONS`` in which a device multiplies fastest.

    A CUDA device has units for bfloat16 from compute capability 8.0 on. For a CPU, oneDNN is asked. Its
    no is final. Its yes only means AVX-512 (torch 2.11), where a product without instructions for
    bfloat16 takes 3 times as long as in float32, so a product is timed. Any other device gets
    float32.
    """
    device = torch.device(device)
    if device.type == "cuda":
        good = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        good = device.type == "cpu" and _may_have_bfloat16() and _cost_of_bfloat16(device) < 1
    return "bfloat16" if good else "float32"


def settle_precision(precision: str, device: torch.device | str) -> str:
    """The precision that a run on a device works in.

    Args:
        precision: one of ``PRECISION_CHOICES``. "auto" is the `best_precision`; any other is kept,
            with a warning where the device is bad at it.

    Raises:
        InputError: for any other word.
    """
    if precision not in PRECISION_CHOICES:
        raise InputError(f"precision is {precision!r}; choose from {', '.join(PRECISION_CHOICES)}.")
    best = best_precision(device)
    if precision == "auto":
        return best
    if precision == "bfloat16" and best != precision:
        cost = _cost_of_bfloat16(torch.device(device))
        warnings.warn(
            f"precision is 'bfloat16', but this device has no units for it: a product takes "
            f"{cost:.2g} times as long as in float32; choose 'auto' or 'float32'.",
            stacklevel=2,
        )
    return precision


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Products of a network in one of ``PRECISIONS``, as a context."""
    kind = PRECISIONS[precision]
    # With a cache, an outer autocast would keep copies of the weights over the optimiser's steps.
    return torch.autocast(device.type, kind, kind != torch.float32, cache_enabled=False)


def _may_have_bfloat16() -> bool:
    """What oneDNN says of the CPU; True where torch has no such question."""
    try:
        return torch.ops.mkldnn._is_mkldnn_bf16_supported()
    except AttributeError:
        return True


@cache
def _cost_of_bfloat16(device: torch.device) -> float:
    """The time of a product in bfloat16 over that in float32, by the best of five."""
    side = 512 if device.type == "cpu" else 4096
    best = dict.fromkeys(PRECISIONS, float("inf"))
    for _ in range(5):
        for name, kind in PRECISIONS.items():
            factor = torch.ones(side, side, dtype=kind, device=device)
            factor[0, 0].item()  # Waits until a GPU has made the numbers.
            began = time.perf_counter()
            (factor @ factor)[0, 0].item()
            best[name] = min(best[name], time.perf_counter() - began)
    return best["bfloat16"] / best["float32"]


@contextmanager
def usual_torch() -> Iterator[None]:
    """Torch as it is at the start, whatever a notebook has set: for use as a decorator.

    A notebook may have switched off gradients, chosen half precision or TF32 for products, or made
    another device than the CPU the default.
    """
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast("cuda", enabled=False),
        full_precision("cpu"),
        on_cpu_by_default(),
    ):
        yield


@contextmanager
def on_cpu_by_default() -> Iterator[None]:
    """Tensors without a named device are on the CPU: for use as a decorator."""
    # Entered only where it is needed, since it costs every call of torch some microseconds.
    with nullcontext() if torch.get_default_device().type == "cpu" else torch.device("cpu"):
        yield


@contextmanager
def full_precision(device: torch.device | str) -> Iterator[None]:
    """Products of float32 in float32, whatever autocast or TF32 a training loop has switched on."""
    backends = (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul)
    before = [backend.fp32_precision for backend in backends]
    try:
        for backend in backends:
            backend.fp32_precision = "ieee"
        with torch.autocast(torch.device(device).type, enabled=False):
            yield
    finally:
        for backend, precision in zip(backends, before, strict=True):
            backend.fp32_precision = precision


def provenance(device: torch.device | str = "cpu") -> dict:
    """Scale, device, versions, commit and date of this run.

    The name of a CPU has the instruction sets that decide how fast it multiplies: a model with units
    for bfloat16 is several times as fast as the same without.
    """
    device = torch.device(device)
    if device.type == "cuda":
        hardware = torch.cuda.get_device_name(device)
    else:
        threads = torch.get_num_threads()
        hardware = f"CPU ({_processor()}, {_units()}), {threads} thread{'s' if threads > 1 else ''}"
    return {
        "scale": scale(),
        "device": hardware,
        "versions": {
            "python": platform.python_version(),
            **{package: version(package) for package in _VERSIONS_OF},
        },
        "commit": _commit(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def _processor() -> str:
    """The model of the processor, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def _units() -> str:
    """The instruction sets by which a processor multiplies fast or slowly, such as "AVX2"."""
    found = torch.backends.cpu.get_cpu_capability()
    # The units that every processor of its kind has.
    usual = {"arm64": "NEON", "aarch64": "NEON"}.get(platform.machine(), "no AVX2")
    name = {"AVX512": "AVX-512", "DEFAULT": usual}.get(found, found)
    return name + ", bfloat16 units" * (best_precision("cpu") == "bfloat16")


def _commit() -> str:
    """The commit of the code, marked when files have changed since; "unknown" outside a clone."""
    folder = Path(__file__).resolve().parents[1]
    if not (folder / ".git").exists():
        # Installed in the repository of another project, git would describe that one.
        return "unknown"
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return described.stdout.strip()


@contextmanager
def atomic_path(path: AnyPath) -> Iterator[Path]:
    """Write to a temporary neighbour of ``path``, renamed onto it only when the block succeeds.

    A crash or an exception leaves ``path`` as it was and no temporary file behind. The name of the
    neighbour is random, since processes in two containers can have the same number.

    Raises:
        OSError: when the file cannot be written (see `writing`).
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        # safetensors 0.8.0 replaces this file by one that only its owner may read; so the mode of the
        # user's umask is kept here.
        temporary.touch()
        mode = temporary.stat().st_mode
        yield temporary
        if temporary.stat().st_mode != mode:
            temporary.chmod(mode)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: AnyPath) -> Iterator[Path]:
    """Fill a temporary neighbour of a folder that is not there yet, as `atomic_path` does a file.

    Raises:
        OSError: when something cannot be written, or the folder has come meanwhile.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def writing(what: AnyPath, kept: str = "", then: str = "") -> Iterator[None]:
    """Turn a failure to write into one sentence with the reason and what to do.

    Args:
        what: is written, for the sentence.
        kept: what is not lost; ends in ``": "``.
        then: what to do afterwards; begins with ``", "``.

    Raises:
        InputError: for an `OSError` in the block, or an error of safetensors.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        # safetensors and shutil give the number in their text alone: "... (os error 28)".
        told = re.search(r"(?:os error|code:|Errno) (\d+)", str(error))
        number = getattr(error, "errno", None) or (int(told[1]) if told else None)
        reason = os.strerror(number) if number else error
        remedy = REMEDIES.get(number, "mend that")
        place = getattr(error, "filename2", None) or getattr(error, "filename", None)
        if number in _IN_THE_WAY and str(place) != str(what) and os.path.lexists(place or ""):
            remedy = f"move {place} away"
        raise InputError(f"{what} cannot be written ({reason}); {kept}{remedy}{then}.") from error


def write_json(path: AnyPath, content: object, indent: int | None = 2) -> None:
    """Write a JSON file whole or not at all; a number in it that is not finite becomes null.

    JSON has neither NaN nor infinity, and many programs that read it refuse a file with either.

    Raises:
        InputError: for what JSON cannot hold, such as a set.
        OSError: when the file cannot be written (see `writing`).
    """
    try:
        text = json.dumps(_finite(content), indent=indent, allow_nan=False)
    except TypeError as error:
        raise InputError(
            f"{path} is not written: {error}; give numbers, text, lists and dicts."
        ) from error
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def _finite(content: object) -> object:
    if hasattr(content, "tolist"):  # Numbers of NumPy and torch, and arrays of them.
        content = content.tolist()
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, os.PathLike):
        return os.fspath(content)
    if isinstance(content, dict):
        # Names may be numbers of NumPy, as the folds that numpy.unique gives.
        return {
            name.item() if hasattr(name, "item") else name: _finite(value)
            for name, value in content.items()
        }
    return [_finite(value) for value in content] if isinstance(content, list | tuple) else content


def require_writable(folder: AnyPath, size: float = 0) -> None:
    """See, before any work, that files can be written into a folder, which may not exist yet.

    Args:
        size: of the files, in bytes.

    Raises:
        InputError: when no file can be made there, or there is too little room.
    """
    place = Path(folder).absolute()
    with writing(folder):
        there = next(each for each in (place, *place.parents) if os.path.lexists(each))
        with tempfile.TemporaryFile(dir=there):
            usage = shutil.disk_usage(there)
    # Some network file systems do not tell their size.
    if usage.total and usage.free < size:
        raise InputError(
            f"{folder} has {_bytes(usage.free)} of room and needs about {_bytes(size)}; make room, or "
            "name another folder."
        )


def _bytes(size: float) -> str:
    """A size in the unit that leaves one to three digits before the point."""
    power = min(3, int(math.log10(max(size, 1)) // 3))
    return f"{size / 1000**power:.{int(power > 0)}f} {('bytes', 'kB', 'MB', 'GB')[power]}"
