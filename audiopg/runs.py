"""The folder of a run: one process writes in it, and nothing of another run is taken for its own.

Pre-training and fine-tuning share this module, down to the learning rate and the state of an optimiser.
A lock holds a folder for as long as a run writes in it. A run has a random name of its own in
``provenance.json``, which its checkpoints repeat. `audiopg.checkpoints` and `audiopg.transfer.tasks`
say what the checkpoints hold.
"""

import fcntl
import json
import math
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TypeVar
from zlib import crc32

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from audiopg._types import AnyPath
from audiopg.environment import atomic_path, provenance, write_json, writing
from audiopg.errors import InputError
from audiopg.inputs import as_path, read_json, read_object, shown

Settings = TypeVar("Settings")
Content = TypeVar("Content")

_CHECKPOINT = re.compile(r"step-\d{8,}")
# Signs that a folder holds a run already, of whichever kind.
TRACES = ("settings.json", "run.json", "provenance.json", "metrics.jsonl", "result.json")
TRACES += ("filters", "pictures", "tensorboard", "milestones.json", "seed-*/fold-*")
# What a killed process leaves: a file or a checkpoint under a temporary name; and the file that
# safetensors (0.8.0) writes before it renames it.
_LEFTOVER = re.compile(
    r"\.(.+\.(jsonl?|safetensors|png|csv|wav|flac)|step-\d{8,})\.(\d+|[0-9a-f]{16})\.part"
)
_UNNAMED = re.compile(r"\.tmp[A-Za-z0-9]{6}")
# The name in the header of a file of tensors for the CRC-32 of all else that it holds.
_CHECKSUM = "audiopg.crc32"
# What an optimiser, and so a checkpoint, keeps of a parameter.
_STATES = {"AdamW": ("step", "exp_avg", "exp_avg_sq"), "Muon": ("momentum_buffer",)}


@dataclass(frozen=True, eq=False)
class RunFolder:
    """The folder of a run, which this process holds.

    Attributes:
        path: of the folder.
        lock: descriptor of the file ``.audiopg.lock`` in it, locked by this process.
    """

    path: Path
    lock: int

    def is_held(self) -> bool:
        """Whether the path still leads to the folder that was locked."""
        try:
            return os.path.samestat(os.fstat(self.lock), os.stat(self.path / ".audiopg.lock"))
        except OSError:
            return False

    def require_held(self, then: str = "go on") -> None:
        """See that the folder has been neither replaced nor taken away.

        Raises:
            InputError: when it has.
        """
        if not self.is_held():
            raise InputError(
                f"{self.path} is not the folder any more that this run began to write in; put that "
                f"back, then {then}."
            )

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A context for writing, which is not entered where another folder has taken the place.

        Raises:
            InputError: with the reason and what to do, when the block cannot write.
        """
        self.require_held("resume")
        with writing(f"the run in {self.path}", "what it has is kept: ", ", then resume"):
            yield


@contextmanager
def run_folder(path: AnyPath) -> Iterator[RunFolder]:
    """Hold the folder of a run, and make it where it is missing.

    The lock is the system's (flock), so a process that is killed leaves none behind. It holds between
    the machines that share a folder over NFS. Where a file system has no locks, as Lustre may not, the
    run goes on without one, and says so. A folder that was made here is taken away if nothing was
    written in it.

    Raises:
        InputError: when another process, or this one, is writing in the folder; when nothing can
            be written there.
    """
    if not os.fspath(path):
        raise InputError("the path of a folder is empty; name one.")
    path = Path(path)
    if "\0" in str(path):
        raise InputError(f"{str(path)!r} names no folder; leave out the null character.")
    with writing(path):
        was_there = path.exists()
        path.mkdir(parents=True, exist_ok=True)
        folder = _locked(path)
    try:
        yield folder
    finally:
        # Only the process that holds the lock takes its file away.
        if folder.is_held():
            with suppress(OSError):
                (path / ".audiopg.lock").unlink()
                if not was_there:
                    path.rmdir()
        os.close(folder.lock)


def _locked(path: Path) -> RunFolder:
    while True:
        file = path / ".audiopg.lock"
        try:
            folder = RunFolder(path, os.open(file, os.O_RDWR | os.O_CREAT, 0o666))
        # A file that another user's killed process has left can be locked if it can be read.
        except PermissionError:
            if not file.exists():
                raise
            folder = RunFolder(path, os.open(file, os.O_RDONLY))
        try:
            fcntl.flock(folder.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(folder.lock)
            raise InputError(
                f"another process is writing in {path}; let it end, or name another folder."
            ) from error
        except OSError as error:
            print(
                f"{path} cannot be locked ({error.strerror}); see that no other process writes there."
            )
        # Another run may have ended, and taken its file away, after it was opened here.
        if folder.is_held():
            return folder
        os.close(folder.lock)


def require_utf8(path: AnyPath) -> None:
    """See that checkpoints in a folder can be read again: safetensors reads from paths in UTF-8 alone.

    It writes to any path (0.8.0), so the run would look damaged when it is resumed.

    Raises:
        InputError: for what is no path, or one that is not UTF-8.
    """
    if not isinstance(path, AnyPath):
        raise InputError(f"{shown(path)} names no folder; give a path.")
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"the path {os.fspath(path)!r} is not UTF-8, and weights could not be read from it; name "
            "another folder."
        ) from error


def require_new(path: AnyPath) -> None:
    """See that there is no run in a folder, nor anything left of one.

    Raises:
        InputError: naming what is there.
    """
    found = [each for trace in TRACES for each in sorted(Path(path).glob(trace))]
    names = [each.name for each in (*found, *named_as_checkpoints(path))]
    if {"settings.json", "run.json"} & {*names}:
        raise InputError(f"{path} holds a run already; resume it or name another folder.")
    if names:
        raise InputError(
            f"{path} holds {names[0]} of another run, whose settings are not there; name another "
            "folder."
        )


def read_settings_of(path: AnyPath, name: str, make: Callable[[dict], Settings]) -> Settings:
    """The settings of a run, from the file in its folder that has them.

    Raises:
        InputError: for a folder without a run, or a file that cannot be read or is damaged.
    """
    file = as_path(path, "run") / name
    try:
        found = read_json(file, "name another folder")
    except FileNotFoundError as error:
        raise InputError(f"{path} holds no run to resume: there is no {name} in it.") from error
    except OSError as error:
        raise InputError(
            f"{file} cannot be read ({error.strerror}); name another folder."
        ) from error
    try:
        return make(found)
    # A setting out of its range is a ValueError; an unknown one, or none, a KeyError or TypeError.
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{file} is damaged ({error}); name another folder.") from error


def require_same(path: AnyPath, before: object, now: object, different: Sequence[str]) -> None:
    """See that a run is resumed with the settings that it has.

    Raises:
        InputError: for the first of them.
    """
    for name in different:
        raise InputError(
            f"{path} was run with {name} = {getattr(before, name)!r}, not {getattr(now, name)!r}; "
            "resume with the same settings or name another folder."
        )


def write_provenance(folder: RunFolder, device: torch.device, **said: object) -> dict:
    """Write where and from which commit a run begins, and a random name that no other run has.

    Returns:
        What was written; the name is "run".
    """
    origin = provenance(device) | {"run": uuid.uuid4().hex} | said
    write_json(folder.path / "provenance.json", origin)
    return origin


def note_sitting(folder: RunFolder, device: torch.device, **said: object) -> None:
    """Add to the provenance of a run that it goes on elsewhere, or with other code, than it did before.

    Args:
        folder: of the run, whose provenance gets an entry in its list "resumed"; where all is as it was,
            it stays as it is.
        device: where it goes on.
        said: of the entry, what is done or left by now.

    Raises:
        InputError: as `read_provenance`; for a list that is damaged.
    """
    origin, now = read_provenance(folder.path), provenance(device)
    sittings = origin.get("resumed", [])
    if not isinstance(sittings, list) or not all(isinstance(each, dict) for each in sittings):
        raise InputError(
            f"{folder.path / 'provenance.json'} is damaged: its 'resumed' is no list of objects; put back "
            "the file of the run."
        )
    last = sittings[-1] if sittings else origin
    if any(last.get(name, now[name]) != now[name] for name in ("device", "versions", "commit")):
        write_json(folder.path / "provenance.json", origin | {"resumed": [*sittings, now | said]})


def read_provenance(path: AnyPath) -> dict:
    """What `write_provenance` wrote; runs of older versions have no "run".

    Raises:
        InputError: when it is not there, or damaged.
    """
    file = Path(path, "provenance.json")
    try:
        return read_object(file, "put it back, or name another folder")
    except OSError as error:
        raise InputError(
            f"{file} cannot be read ({error.strerror}), and without it nothing tells which "
            "checkpoints are the run's; put it back, or name another folder."
        ) from error


class ForeignCheckpoint(InputError):
    """A checkpoint is of another run, or of another part of it, than it lies with."""


def read_checkpoint(
    folder: RunFolder | None, path: Path, read: Callable[[Path], Content], then: str
) -> Content | None:
    """What a checkpoint holds; None without one, and where it is damaged, which is said.

    Args:
        folder: of the run, in which a damaged one is renamed (`set_aside`); None where it is only
            looked at.

    Raises:
        InputError: when the system gives no access to it.
        ForeignCheckpoint: from ``read``.
    """
    require_readable(path)
    if not path.exists():
        return None
    try:
        return read(path)
    except ForeignCheckpoint:
        raise
    # A text that is no JSON gives a ValueError, as an InputError is; other JSON than expected gives a
    # KeyError or a TypeError, and JSON that is nested too deeply a RecursionError.
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        if folder:
            set_aside(folder, path, error, then)
        else:
            print(f"{path} is damaged ({error}); {then}.")
        return None


def save_tensors(
    tensors: Mapping[str, Tensor], path: Path, said: Mapping[str, str] | None = None
) -> None:
    """Write a safetensors file, what it says of itself and the CRC-32 of both in its header."""
    stored = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    said = dict(said or {})
    save_file(stored, path, said | {_CHECKSUM: _checksum(stored, said)})


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a safetensors file by name, and what it says of itself.

    Raises:
        InputError: for a file in which a bit has changed since `save_tensors` wrote it; those of
            older versions, and of other programs, do not tell.
        SafetensorError: for no such file.
    """
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        said = file.metadata() or {}
    found = said.pop(_CHECKSUM, None)
    if found is not None and found != _checksum(tensors, said):
        raise InputError(f"{Path(path).name} has changed since it was written")
    return tensors, said


def _checksum(tensors: Mapping[str, Tensor], said: Mapping[str, str]) -> str:
    """The CRC-32 of some tensors on the CPU and of what is said of them: about 1 s a gigabyte."""
    about = [
        (name, str(value.dtype), tuple(value.shape)) for name, value in sorted(tensors.items())
    ]
    found = crc32(repr((about, sorted(said.items()))).encode())
    for _, value in sorted(tensors.items()):
        found = crc32(value.reshape(-1).view(torch.uint8).numpy(), found)
    return f"{found:08x}"


def sealed(content: dict) -> dict:
    """What a JSON file is to hold, and the CRC-32 of that."""
    return content | {_CHECKSUM: f"{crc32(json.dumps(content).encode()):08x}"}


def unsealed(content: dict, name: str) -> dict:
    """What was `sealed`; what was not, by older versions, as it is.

    Raises:
        InputError: for content that has changed since then, naming its file.
    """
    content = dict(content)
    found = content.pop(_CHECKSUM, None)
    if found is not None and sealed(content)[_CHECKSUM] != found:
        raise InputError(f"{name} has changed since it was written")
    return content


def require_whole(
    path: Path, tensors: Mapping[str, Tensor], shapes: Mapping[str, torch.Size | None] | None = None
) -> None:
    """See that the tensors of a file of a run are finite, as they were when they were written.

    Args:
        shapes: the expected shape of each tensor, None for any; None where neither names nor shapes
            matter.

    Raises:
        InputError: for other names or shapes, or values that are not finite.
    """
    if shapes and (
        tensors.keys() != shapes.keys()
        or any(shape not in (None, tensors[name].shape) for name, shape in shapes.items())
    ):
        raise InputError(f"{path.name} belongs to another network or other clips")
    for name, values in tensors.items():
        if not values.isfinite().all():
            raise InputError(f"{name} in {path.name} is not finite")


def require_readable(path: Path) -> None:
    """See that a checkpoint, a file or a folder of files, can be read, before it is called damaged.

    Raises:
        InputError: when the system gives no access, or fails; for a link to what is not there, as
            of a disk that is not mounted; not for what is not there itself.
    """
    try:
        for each in [path, *(path.iterdir() if path.is_dir() else [])]:
            if each.is_symlink() and not each.exists():
                raise InputError(
                    f"{each} is a link to {each.readlink()}, which is not there; bring that back, or "
                    "take the link away, then resume."
                )
            if not each.is_dir():
                each.open("rb").close()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); mend that, then resume."
        ) from error


def require_finite(model: nn.Module, after: str) -> None:
    """See that a step has not spoilt the weights, whatever its loss, before they are written.

    Raises:
        InputError: for weights that are not finite.
    """
    if not all(parameter.isfinite().all() for parameter in model.parameters()):
        raise InputError(
            f"the weights are not finite after {after}; what was written before is untouched: start "
            "a new run with a lower learning_rate."
        )


def require_own(path: Path, run: str | None, expected: str | None) -> None:
    """See that a checkpoint is of the run that it lies with.

    Raises:
        ForeignCheckpoint: for another.
    """
    if run != expected:
        raise ForeignCheckpoint(
            f"{path} is of another run than the folder that it lies in; take it out, then resume."
        )


def set_aside(folder: RunFolder, path: Path, why: object, then: str) -> None:
    """Rename a damaged checkpoint, a file or a folder, out of the run's way, and say so.

    Nothing is deleted: what looks damaged may come from a newer version, and be read by that.
    """
    names = (path.with_name(f"damaged-{number}-{path.name}") for number in count(1))
    free = next(name for name in names if not name.exists())
    with folder.writing():
        path.rename(free)
    print(f"{path} is damaged ({why}), and is called {free.name} now; {then}.")


def checkpoints(path: AnyPath) -> list[Path]:
    """The checkpoints of a pre-training run, the oldest first; links too, wherever they lead."""
    return [each for each in named_as_checkpoints(path) if each.is_dir() or each.is_symlink()]


def named_as_checkpoints(path: AnyPath) -> list[Path]:
    """What has the name of a checkpoint, which need not be a folder, the oldest first."""
    found = [each for each in Path(path).glob("step-*") if _CHECKPOINT.fullmatch(each.name)]
    return sorted(found, key=lambda each: (step_of(each), each.name))


def step_of(checkpoint: Path) -> int:
    """The steps that a checkpoint of a pre-training run has behind it."""
    return int(checkpoint.name.removeprefix("step-"))


def clear_leftovers(folder: RunFolder, *inside: str) -> None:
    """Take away the unfinished files of a process that was killed.

    Args:
        folder: of the run; other programs may have files in it, which stay.
        inside: patterns of the folders in it that the run alone writes in.
    """
    for place in (folder.path, *(each for name in inside for each in folder.path.glob(name))):
        for part in list(place.iterdir()) if place.is_dir() else []:
            if _LEFTOVER.fullmatch(part.name) and part.is_dir():
                shutil.rmtree(part)
            elif _LEFTOVER.fullmatch(part.name) or (
                place != folder.path and _UNNAMED.fullmatch(part.name)
            ):
                part.unlink(missing_ok=True)


def cut_metrics(path: Path, losses: Sequence[float]) -> None:
    """Keep the first lines of a ``metrics.jsonl``: those of the steps that a checkpoint has.

    Raises:
        InputError: when there are fewer whole lines, or they have other losses.
    """
    count = len(losses)
    # Bytes: the half line of a process that was killed need not be text.
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    if len(lines[:count]) < count or not all(line.endswith(b"}\n") for line in lines[:count]):
        raise InputError(
            f"{path} lacks lines of the {count} that its checkpoint is of; put the whole file back, "
            "or name another folder."
        )
    try:
        said = [json.loads(line)["loss"] for line in lines[:count]]
    except (ValueError, KeyError, RecursionError):
        said = []
    if said != list(losses):
        raise InputError(
            f"{path} has other losses than the run's checkpoint; put back the file of the run, or "
            "name another folder."
        )
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"".join(lines[:count]))


def count_lines(path: Path) -> int:
    """How many whole lines a ``metrics.jsonl`` has; 0 where there is none."""
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def read_metrics(path: Path) -> list[dict]:
    """The whole lines of a ``metrics.jsonl``; a killed process may leave half a line at the end.

    Raises:
        InputError: for a file that cannot be read, or is damaged.
    """
    try:
        lines = path.read_bytes().splitlines(keepends=True)
        found = [json.loads(line) for line in lines if line.endswith(b"\n")]
        if not all(isinstance(line, dict) for line in found):
            raise ValueError("a line is no object")
        return found
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path} cannot be read ({error}); put back the file of the run."
        ) from error


def add_metrics(path: Path, line: dict) -> None:
    """Append a line to a ``metrics.jsonl``."""
    with open(path, "a") as file:
        file.write(json.dumps(line, allow_nan=False) + "\n")


def warmup_cosine(peak: float, step: int, warmup: int, steps: int) -> float:
    """A learning rate that rises linearly, then falls to 0 along half a cosine; steps from 0."""
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return peak * 0.5 * (1 + math.cos(math.pi * progress))


def moments(
    model: nn.Module, optimisers: Sequence[Optimizer]
) -> Iterator[tuple[str, dict[str, Tensor], str, Tensor]]:
    """The tensors that optimisers, AdamW or Muon, keep of the parameters of a model.

    Yields:
        For each, its name in a checkpoint; the state that holds it, and its key there; a tensor of its
        shape.
    """
    names = {parameter: name for name, parameter in model.named_parameters()}
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            for parameter in group["params"]:
                for key in _STATES[type(optimiser).__name__]:
                    like = parameter.new_empty(()) if key == "step" else parameter
                    yield f"{names[parameter]}/{key}", optimiser.state[parameter], key, like


class Scalars:
    """Scalars for TensorBoard, where it is installed; a run goes on when TensorBoard fails.

    Args:
        folder: of the run, to hold them in ``tensorboard/``; None keeps none.
        step: after which they begin.
    """

    _NAMES = ("loss", "learning_rate", "gradient_norm", "clips_per_second")

    def __init__(self, folder: RunFolder | None, step: int) -> None:
        self._writer = None
        if folder:
            with self._guarded():
                from torch.utils.tensorboard import SummaryWriter

                self._writer = SummaryWriter(folder.path / "tensorboard", purge_step=step + 1)

    def add(self, line: dict) -> None:
        """Add what a line of the metrics says."""
        with self._guarded():
            for name in self._NAMES if self._writer else ():
                self._writer.add_scalar(name, line[name], line["step"])

    def close(self) -> None:
        """Write what is left, and end."""
        with self._guarded():
            if self._writer:
                self._writer.close()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        # Whatever goes wrong in another's packages, such as versions that do not fit together.
        except Exception as error:
            self._writer = None
            absent = isinstance(error, ModuleNotFoundError)
            if not absent or error.name not in ("tensorboard", "torch.utils.tensorboard"):
                print(
                    f"TensorBoard cannot be used ({error}); metrics.jsonl has what it would show."
                )
