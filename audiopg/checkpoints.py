"""The folder of a pre-training run: how it is begun and reopened, and what its checkpoints hold.

A checkpoint ``step-XXXXXXXX/`` has the weights in ``model.safetensors``, the state of the optimisers in
``optimiser.safetensors``, and the losses of all steps in ``state.json``. Each file has its CRC-32, so
that a changed bit is noticed. The lock, the metrics, and what fine-tuning needs as well are in
`audiopg.runs`.
"""

import hashlib
import math
import shutil
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor
from torch.optim import Optimizer

from audiopg import runs
from audiopg.distributed import processes
from audiopg.environment import atomic_folder, atomic_path, require_writable, write_json
from audiopg.errors import InputError
from audiopg.inputs import read_json
from audiopg.mae import MaskedAutoencoder
from audiopg.pretrained import load_model, write_model
from audiopg.recipes import LENGTHS, PretrainSettings, different, read_settings, same_so_far

_KEPT_CHECKPOINTS = 2


@dataclass
class Run:
    """A pre-training run as it goes on.

    Attributes:
        settings: of the run.
        model: with the weights of the steps that are done.
        optimisers: one group of parameters each; between them they have all of the model's.
        folder: of the run; None where nothing is kept, and in all processes but the first.
        name: that `audiopg.runs.write_provenance` gave it; None without a folder, and in runs of older
            versions.
        heard: what `audiopg.datasets.Recordings.summary` says of the recordings; None without any.
        losses: of the steps that are done.
        saved: steps that the newest checkpoint has.
        before: seconds that the run took before this process began.
        began: when this process began to train, by `time.perf_counter`.
    """

    settings: PretrainSettings
    model: MaskedAutoencoder
    optimisers: list[Optimizer]
    folder: runs.RunFolder | None = None
    name: str | None = None
    heard: dict | None = None
    losses: list[float] = field(default_factory=list)
    saved: int = 0
    before: float = 0.0
    began: float = field(default_factory=time.perf_counter)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    @property
    def seconds(self) -> float:
        """How long the run has taken, pauses left out."""
        return self.before + time.perf_counter() - self.began

    def moments(self) -> Iterable[tuple[str, dict[str, Tensor], str, Tensor]]:
        """What the optimisers keep: see `audiopg.runs.moments`."""
        return runs.moments(self.model, self.optimisers)


def begin(run: Run, resume: bool) -> None:
    """Begin a run in its folder, or reopen it with the losses and weights of its newest checkpoint.

    Raises:
        InputError: when the folder holds a run and it is not to be resumed, or another run and it is;
            when the disk is too small; for weights to start from of another network, or others than
            those that the run began with.
    """
    settings, folder, origin, said = run.settings, run.folder, None, {}
    if folder and resume:
        origin = _reopen(run)
    elif folder:
        runs.require_new(folder.path)
    if settings.start and not run.losses:
        said["start_sha256"] = _start_from(settings.start, run.model)
        if origin and origin.get("start_sha256", said["start_sha256"]) != said["start_sha256"]:
            raise InputError(
                f"{settings.start} holds other weights than when the run in {folder.path} began; put "
                "these back, or name another folder for a new run."
            )
    if not folder:
        return
    done = len(run.losses)
    require_writable(folder.path, _size(run))
    with folder.writing():
        if origin is None:
            # First, so that a run that is killed from here on can be resumed.
            write_json(folder.path / "settings.json", asdict(settings))
        runs.clear_leftovers(folder, "filters", "pictures")
        runs.cut_metrics(folder.path / "metrics.jsonl", run.losses)
        # The steps after the checkpoint are taken again.
        for kind in ("filters/step-*.safetensors", "pictures/step-*.png"):
            for path in folder.path.glob(kind):
                number = path.stem.removeprefix("step-")
                if number.isdecimal() and int(number) > done:
                    path.unlink()
        if origin is None:
            said |= {"recordings": run.heard} if run.heard else {}
            origin = runs.write_provenance(folder, run.device, processes=processes()[1], **said)
        else:
            if done < settings.steps:
                runs.note_sitting(folder, run.device, after=done)
            # Last, since `_reopen` reads the old checkpoint_every to see whether checkpoints are lost.
            write_json(folder.path / "settings.json", asdict(settings))
    run.name = origin.get("run")


def _reopen(run: Run) -> dict | None:
    """Restore the newest good checkpoint of a run with these settings and recordings.

    Returns:
        What `read_provenance` says; None for a run that was killed before it wrote anything more
        than its settings.
    """
    path, settings = run.folder.path, run.settings
    before, done, origin = read_settings(path), runs.checkpoints(path), None
    said = runs.count_lines(path / "metrics.jsonl")
    if done or said or (path / "provenance.json").exists():
        origin = runs.read_provenance(path)
    was = (origin or {}).get("recordings") or {}
    if not isinstance(was, dict):
        raise InputError(f"{path / 'provenance.json'} is damaged: its recordings are no object.")
    # The same files may have moved, where their contents are known.
    free = ("audio",) if "contents" in was and settings.audio else ()
    # So may the weights that it began with, which its checkpoints hold no longer.
    start = Path(before.start or "")
    if settings.start and start.name == Path(settings.start).name and not start.exists():
        free += ("start",)
    _require_continued(path, before, settings, runs.step_of(done[-1]) if done else 0, free)
    if origin is None:
        return None
    if settings.audio and was != {name: run.heard.get(name) for name in was or run.heard}:
        raise InputError(
            f"{settings.audio} holds other recordings than when the run in {path} began; "
            "put the same files back, or name another folder for a new run."
        )
    # A kill or a full disk may have prevented the checkpoint of the last metrics.
    if not _load_newest(run, origin.get("run"), free) and said > before.checkpoint_every:
        raise InputError(
            f"{path} has metrics of {said} steps, and no checkpoint to go on from; put one back, or "
            "name another folder for a new run."
        )
    if said and not run.losses:
        print(f"{path} has no checkpoint yet; its {said} steps are taken again.")
    return origin


def _require_continued(
    path: Path, before: PretrainSettings, now: PretrainSettings, done: int, free: tuple[str, ...]
) -> None:
    """See that the steps done with some settings are the first of a run with others."""
    free += LENGTHS if same_so_far(before, now, done) else ()
    runs.require_same(
        path, before, now, [name for name in different(before, now) if name not in free]
    )


def _load_newest(run: Run, name: str | None, free: tuple[str, ...]) -> bool:
    """Restore the newest good checkpoint of the run of that name; whether there is one."""
    for checkpoint in reversed(runs.named_as_checkpoints(run.folder.path)):
        read = partial(_read_checkpoint, run, name, free)
        found = runs.read_checkpoint(run.folder, checkpoint, read, "going back to the one before")
        if found is None:
            continue
        state, source, kept = found
        _copy_weights(source, run.model)
        for slot, values, key, like in run.moments():
            values[key] = kept[slot].to(like.device, copy=True)
        run.losses, run.saved = state["losses"], len(state["losses"])
        run.before = state["seconds"]
        return True
    return False


def _read_checkpoint(
    run: Run, name: str | None, free: tuple[str, ...], path: Path
) -> tuple[dict, MaskedAutoencoder, dict[str, Tensor]]:
    """What a checkpoint of the run of that name holds: its state, weights, the optimisers' tensors."""
    said = runs.unsealed(read_json(path / "state.json"), "state.json")
    state = {
        "losses": [float(loss) for loss in said["losses"]],
        "seconds": float(said.get("seconds", 0.0)),
        "settings": PretrainSettings(**said["settings"]) if "settings" in said else None,
    }
    if state["settings"] and said.get("run") == name:
        # Before the weights, so that edited settings do not make a good checkpoint look damaged.
        try:
            _require_continued(path, state["settings"], run.settings, len(state["losses"]), free)
        except InputError as error:
            raise runs.ForeignCheckpoint(str(error)) from None
    source = load_model(path / "model.safetensors")
    kept, _ = runs.read_tensors(path / "optimiser.safetensors")
    for file in ("model.safetensors", "optimiser.safetensors"):
        _require_label(path / file, name, said, len(state["losses"]))
    if not math.isfinite(state["seconds"]):
        raise InputError(f"state.json says {state['seconds']} seconds")
    if len(state["losses"]) != runs.step_of(path):
        raise InputError(f"state.json holds {len(state['losses'])} losses")
    if source.architecture != run.model.architecture:
        raise InputError("model.safetensors holds another network")
    expected = {slot: like.shape for slot, _, _, like in run.moments()}
    runs.require_whole(path / "model.safetensors", source.state_dict())
    runs.require_whole(path / "optimiser.safetensors", kept, expected)
    runs.require_own(path, said.get("run"), name)
    return state, source, kept


def _require_label(file: Path, name: str | None, said: dict, steps: int) -> None:
    """See that a file of tensors is of the run of that name and of the step of its ``state.json``."""
    with safe_open(file, "pt") as opened:
        label = (opened.metadata() or {}).get("run")
    # Files of older versions do not say it all.
    if name and "settings" in said and not label:
        raise InputError(f"{file.name} does not say of which run it is")
    named, _, step = label.partition("/") if label else (said.get("run"), "", "")
    runs.require_own(file.parent, named, name)
    if step and int(step) != steps:
        raise InputError(f"{file.name} is of step {step}")


def _start_from(start: str, model: MaskedAutoencoder) -> str:
    """Set a model to the weights of another of the same architecture; returns a hash of these."""
    source = load_model(start)
    if unlike := source.architecture.unlike(model.architecture):
        raise InputError(
            f"{start} is another network ({unlike}); "
            "give the preset, class_token and decoder settings that it was made with."
        )
    _copy_weights(source, model)
    digest = hashlib.sha256()
    for _, value in sorted(source.state_dict().items()):
        digest.update(value.contiguous().numpy())
    return digest.hexdigest()


def _copy_weights(source: MaskedAutoencoder, model: MaskedAutoencoder) -> None:
    """Copy the weights that both have, and the front end; a head that one alone has stays as it is."""
    own = model.state_dict()
    model.load_state_dict(own | {k: v for k, v in source.state_dict().items() if k in own})
    log_mel, other = model.encoder.log_mel, source.encoder.log_mel
    log_mel.mean, log_mel.standard_deviation = other.mean, other.standard_deviation


def _size(run: Run) -> float:
    """Bytes that the run will still write in its folder."""
    settings, left = run.settings, run.settings.steps - len(run.losses)
    weights = sum(value.numel() for value in run.model.state_dict().values())
    kept = sum(like.numel() for *_, like in run.moments())
    # The oldest checkpoint is taken away when the new one is there.
    coming = max(1, _KEPT_CHECKPOINTS + 1 - len(runs.checkpoints(run.folder.path)))
    coming = min(coming, -(-left // settings.checkpoint_every))
    filters = left / settings.filters_every * run.model.encoder.patch_projection.weight.numel()
    return 4 * coming * (weights + kept) + 2 * filters + 300 * left


def save(run: Run) -> None:
    """Write ``step-XXXXXXXX/``, whole or not at all, where there is none yet; keep the newest two.

    Raises:
        InputError: when it cannot be written, or the weights are not finite.
    """
    done = len(run.losses)
    if done == run.saved:
        return
    runs.require_finite(run.model, f"step {done}")
    run.saved = done
    if not run.folder:
        return
    folder = run.folder.path
    kept = {name: values[key] for name, values, key, _ in run.moments()}
    state = {
        "step": done,
        "seconds": run.seconds,
        "settings": asdict(run.settings),
        "losses": run.losses,
        "run": run.name,
    }
    with run.folder.writing():
        with atomic_folder(folder / f"step-{done:08d}") as temporary:
            label = run.name and f"{run.name}/{done}"
            write_model(run.model, temporary / "model.safetensors", run=label)
            with atomic_path(temporary / "optimiser.safetensors") as path:
                runs.save_tensors(kept, path, label and {"run": label})
            write_json(temporary / "state.json", runs.sealed(state), indent=None)
        for old in runs.checkpoints(folder)[:-_KEPT_CHECKPOINTS]:
            # A checkpoint that somebody has moved to another disk stays there.
            old.unlink() if old.is_symlink() else shutil.rmtree(old)


def save_filters(run: Run) -> None:
    """Write ``filters/step-XXXXXXXX.safetensors``: the patch projection, in half precision."""
    if not run.folder:
        return
    weight = run.model.encoder.patch_projection.weight.to("cpu", torch.float16)
    path = run.folder.path / "filters" / f"step-{len(run.losses):08d}.safetensors"
    with run.folder.writing(), atomic_path(path) as temporary:
        runs.save_tensors({"patch_projection.weight": weight}, temporary)
