"""The pre-training loop: synthesize, log-mel, mask, reconstruct, step (Section 3.2).

A run is exact: it is the same however often it is killed and resumed, and, to rounding, on any
number of processes. Where ``torch.distributed`` is initialised (``torchrun``, see ``python -m
audiopg pretrain --help``) every process takes an equal share of each batch, and the first alone
reads and writes the folder of the run.
"""

import math
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import get_total_norm
from torch.optim import AdamW, Optimizer
from tqdm.auto import tqdm

from audiopg.datasets.folder import Recordings, find_recordings, read_ahead
from audiopg.environment import (
    PRECISION_CHOICES,
    PRECISIONS,
    atomic_folder,
    atomic_path,
    autocast,
    name_user,
    require_writable,
    settle_precision,
    usable_device,
    write_json,
)
from audiopg.errors import InputError
from audiopg.inputs import read_json
from audiopg.mae import (
    ARCHITECTURES,
    INITIAL,
    Architecture,
    MaskedAutoencoder,
    load_model,
    save_model,
)
from audiopg.muon import Muon
from audiopg.runs import (
    RunFolder,
    add_metrics,
    checkpoints,
    clear_leftovers,
    cut_metrics,
    read_provenance,
    require_finite,
    require_new,
    require_own,
    require_readable,
    require_same,
    require_utf8,
    run_folder,
    set_aside,
    step_of,
    write_provenance,
)
from audiopg.settings import check_settings, setting
from audiopg.synth import PRIORS, SUMMARIES, SynthPrior, render, spread, summarise

_KEPT_CHECKPOINTS = 2
# A loss this many times the mean of so many steps before it is an explosion.
_EXPLOSION, _STEPS_BEFORE = 10.0, 100
# What each optimiser keeps of a parameter, and a checkpoint with it.
_STATES = {AdamW: ("step", "exp_avg", "exp_avg_sq"), Muon: ("momentum_buffer",)}


@dataclass(frozen=True)
class PretrainSettings:
    """Everything that determines a pre-training run; the defaults are the paper's (Section 4.1).

    Step k trains on the clips k * batch_size to (k + 1) * batch_size - 1 of the seed, each heard
    once: 7,813 steps of 64 are the paper's 100 epochs of 5,000 clips.

    Raises:
        InputError: for a value outside its range, naming the setting and the range.
    """

    preset: str = setting(
        "base", f"size of the network: {', '.join(ARCHITECTURES)}", choices=ARCHITECTURES
    )
    class_token: bool = setting(
        True, "a token that stands for no patch, as in the paper", choices=(False, True)
    )
    visible_keys: bool = setting(
        False,
        "the decoder attends to the visible patches alone, and predicts each of the others by itself",
        choices=(False, True),
    )
    decoder_width: int | None = setting(
        None, "numbers a token in the decoder, if not the preset's", low=1
    )
    decoder_depth: int | None = setting(None, "blocks of the decoder, if not the preset's", low=1)
    initial: str = setting(
        "xavier",
        "how the weights begin: xavier, or mimetic, which leaves the first shelf of the loss sooner",
        choices=INITIAL,
    )
    start: str | None = setting(
        None,
        "weights to go on from: a run, a checkpoint, a file, an address, or a name that comes "
        "with audiopg",
    )
    prior: str = setting("full", f"curriculum of sounds: {', '.join(PRIORS)}", choices=PRIORS)
    audio: str | None = setting(None, "a folder of recordings to learn from instead of synthesis")
    steps: int = setting(7813, "optimiser steps", low=1)
    minutes: float | None = setting(
        None,
        "stop after the step at which the run, pauses left out, has taken so long",
        low=1e-6,
    )
    batch_size: int = setting(64, "clips a step, of all processes together", low=1)
    optimiser: str = setting(
        "adamw",
        "adamw, or muon for the matrices of the blocks with adamw for the rest",
        choices=("adamw", "muon"),
    )
    learning_rate: float = setting(1e-4, "peak learning rate", low=0.0, high=1)
    warmup_steps: int = setting(0, "steps over which the learning rate rises from 0", low=0)
    schedule: str = setting(
        "constant",
        "after the warm-up: constant, or cosine down to 0",
        choices=("constant", "cosine"),
    )
    cooldown_steps: int = setting(
        0, "last steps, over which the learning rate falls linearly to 0 besides", low=0
    )
    weight_decay: float = setting(0.05, "weight decay of the optimiser", low=0.0, high=1)
    mask_ratio: float = setting(
        0.75, "share of patches hidden from the encoder", low=0.01, high=0.99
    )
    decoded_share: float = setting(
        1.0,
        "share of the masked patches that are decoded and compared, drawn at random",
        low=0.001,
        high=1,
    )
    window: int | None = setting(
        None,
        "patches in time, of the 64 in a clip, that a step learns from: a window at a random place",
        low=1,
        high=64,
    )
    auxiliary_weight: float = setting(
        0.0,
        "weight of a head's loss that predicts summaries of the clip's factors from what is not "
        "masked; 0 for no head",
        low=0.0,
        high=1000,
    )
    precision: str = setting(
        "float32",
        "of the network's products: float32, bfloat16, or auto, the one that the device is good at",
        choices=PRECISION_CHOICES,
    )
    compiled: bool = setting(
        False, "compile the network: minutes at the start, faster steps", choices=(False, True)
    )
    seed: int = setting(
        0, "key of the clips, the masks and the initial weights", low=-(2**63), high=2**63 - 1
    )
    checkpoint_every: int = setting(500, "steps between checkpoints", low=1)
    filters_every: int = setting(
        200, "steps between copies of the patch projection, kept in filters/", low=1
    )
    pictures_every: int = setting(
        0,
        "steps between pictures of reconstructed clips that are not trained on; 0 for none",
        low=0,
    )

    def __post_init__(self) -> None:
        for name in ("audio", "start"):
            if isinstance(getattr(self, name), os.PathLike):
                object.__setattr__(self, name, os.fspath(getattr(self, name)))
        check_settings(self)
        if self.audio and self.auxiliary_weight > 0:
            raise InputError(
                f"auxiliary_weight is {self.auxiliary_weight:g}, but of recordings no factors are "
                "known to predict; leave out audio, or set it to 0."
            )
        _ = self.architecture

    @property
    def architecture(self) -> Architecture:
        """Sizes of the network: the preset's, changed as the settings say."""
        changes = {"decoder_width": self.decoder_width, "decoder_depth": self.decoder_depth}
        given = {name: value for name, value in changes.items() if value is not None}
        given |= {"class_token": self.class_token, "visible_keys": self.visible_keys}
        return replace(ARCHITECTURES[self.preset], **given)


RECIPES = {
    "paper": PretrainSettings(),
    # The steps that a probe on recordings lets through, and compilation (`experiments.recipe_table`).
    # So far they are probed on short runs of `tiny` alone; there a larger batch and a schedule lost.
    "fast": PretrainSettings(
        precision="auto",
        compiled=True,
        decoder_depth=4,
        decoder_width=256,
        class_token=False,
        optimiser="muon",
    ),
    # For a processor without a GPU beside it. What counts is the number of steps, so batches are small,
    # and Muon takes the better ones. Windows and a part of the masked patches make a step cheaper, and
    # are worth less to a probe in equal time (`experiments.recipe_steps`).
    "cpu": PretrainSettings(
        preset="tiny",
        precision="auto",
        class_token=False,
        optimiser="muon",
        learning_rate=2e-3,
        batch_size=8,
        steps=12_800,
        warmup_steps=100,
        cooldown_steps=2_000,
    ),
}


def recipe_for(preset: str, recipe: str = "fast") -> PretrainSettings:
    """A recipe for a size of network: its decoder is not made larger than the size's own.

    Args:
        preset: of the network.
        recipe: one of ``RECIPES``.

    Raises:
        InputError: for a size that there is not.
    """
    settings = replace(RECIPES[recipe], preset=preset)
    own = ARCHITECTURES[preset]
    changes = {
        name: None
        for name in ("decoder_width", "decoder_depth")
        if (getattr(settings, name) or math.inf) >= getattr(own, name)
    }
    return replace(settings, **changes)


# What may change when a run is resumed: it says when to stop or to write, or how fast to go (compiled
# steps differ by rounding), not what is learned.
_CHANGEABLE = ("minutes", "checkpoint_every", "filters_every", "pictures_every", "compiled")
# These too, as long as the steps that are done would have been the same.
_LENGTHS = ("steps", "cooldown_steps")


@dataclass(frozen=True)
class PretrainResult:
    """A finished run: the model, in evaluation mode, and the loss of every step, (steps,)."""

    model: MaskedAutoencoder
    losses: Tensor


Watcher = Callable[[int, MaskedAutoencoder, list[float]], None]


def learning_rate_at(settings: PretrainSettings, step: int) -> float:
    """Learning rate of a step, counted from 0: a linear warm-up, then constant or half a cosine.

    Over the last ``cooldown_steps`` it falls linearly besides, to 0 after the last.
    """
    rate = settings.learning_rate
    if settings.cooldown_steps:
        rate *= min(1.0, (settings.steps - step) / settings.cooldown_steps)
    if step < settings.warmup_steps:
        return rate * (step + 1) / settings.warmup_steps
    if settings.schedule == "constant":
        return rate
    progress = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    return rate * 0.5 * (1 + math.cos(math.pi * progress))


def different(one: PretrainSettings, other: PretrainSettings) -> list[str]:
    """The settings by which two runs learn something else; when to stop or to write are none.

    The precision "auto" is no other than what it became.
    """
    names = [f.name for f in fields(one) if f.name not in _CHANGEABLE]
    if "auto" in (one.precision, other.precision):
        names.remove("precision")
    return [name for name in names if getattr(one, name) != getattr(other, name)]


def read_settings(folder: str | os.PathLike) -> PretrainSettings:
    """The settings of the run in a folder; what an older version did not know has its default.

    Raises:
        InputError: for a folder without a run, or settings that cannot be read.
    """
    record = Path(folder) / "settings.json"
    try:
        found = read_json(record, "name another folder")
    except FileNotFoundError as error:
        raise InputError(
            f"{folder} holds no run to resume: there is no {record.name} in it."
        ) from error
    except OSError as error:
        raise InputError(
            f"{record} cannot be read ({error.strerror}); name another folder."
        ) from error
    try:
        return PretrainSettings(**found)
    # A setting out of its range is a ValueError; an unknown one, or none, is a TypeError.
    except (ValueError, TypeError) as error:
        raise InputError(f"{record} is damaged ({error}); name another folder.") from error


def pretrain(
    settings: PretrainSettings,
    out: str | os.PathLike | None = None,
    *,
    resume: bool = False,
    device: torch.device | str | None = None,
    watch: Watcher | None = None,
    progress: bool = True,
) -> PretrainResult:
    """Pre-train a masked autoencoder on clips synthesized, or recordings read, as it goes.

    SIGINT (Ctrl-C) and SIGTERM let the step at hand end, write a checkpoint and raise
    KeyboardInterrupt.

    Args:
        settings: what to run. ``settings.json`` says what the precision "auto" became; a run that is
            resumed keeps its own.
        out: folder for ``settings.json``, ``provenance.json`` (where and from which commit the
            run began), ``metrics.jsonl`` (a line a step), the checkpoints ``step-*/``, copies of the
            patch projection in ``filters/`` and, where TensorBoard is installed, its scalars; None
            keeps nothing.
        resume: go on from the newest good checkpoint in ``out``. The run may become longer or
            shorter, and its cooldown begin elsewhere, as long as the steps that are done had the
            learning rates that they would have had.
        device: where to train; a CUDA device where there is one.
        watch: called as ``watch(step, model, losses)``, the losses being those of the steps done,
            before the first step and after every step, in the first process.
        progress: show a progress bar, in the first process.

    Raises:
        InputError: when ``out`` holds a run and ``resume`` is False, or another run's settings
            and it is True; when processes cannot share a batch alike; for weights or recordings
            that cannot be used; when a checkpoint cannot be written; when the loss or its gradient
            is not finite, or the loss exceeds 10 times the mean of the (at most) 100 steps before,
            naming the step and its clips. The checkpoints before stay as they are.
    """
    name_user()
    rank, world = _processes()
    if settings.batch_size % world:
        raise InputError(
            f"batch_size is {settings.batch_size}, which {world} processes cannot share alike; "
            f"give a multiple of {world}."
        )
    device = usable_device(device)
    settings = _settled(settings, out if resume else None, device)
    if settings.compiled:
        with _together():
            _try_compiler(device)
    recordings = None
    with _together():
        if settings.audio:
            recordings = find_recordings(settings.audio)
    with ExitStack() as held:
        folder = None
        with _together():
            if out is not None and rank == 0:
                require_utf8(out)
                folder = held.enter_context(run_folder(out))
        return _pretrain(settings, recordings, folder, resume, device, watch, progress)


def _pretrain(
    settings: PretrainSettings,
    recordings: Recordings | None,
    folder: RunFolder | None,
    resume: bool,
    device: torch.device,
    watch: Watcher | None,
    progress: bool,
) -> PretrainResult:
    """Run what `pretrain` was asked for, in a folder that the first process holds."""
    rank, world = _processes()
    heard = None
    with _together():
        if recordings:
            heard = recordings.summary(progress and rank == 0)
    model = MaskedAutoencoder.preset(
        settings.preset,
        settings.seed,
        settings.mask_ratio,
        settings.initial,
        **asdict(settings.architecture),
    )
    if settings.auxiliary_weight > 0:
        model.add_auxiliary(len(SUMMARIES))
    model = model.to(device)
    optimisers = _optimisers(settings, model)
    losses, seconds = [], 0.0
    with _together():
        if rank == 0:
            losses, seconds = _begin(folder, settings, resume, model, optimisers, heard)
    network = model
    if world > 1:
        losses, seconds = _share(losses, seconds, model, optimisers, heard)
        network = DistributedDataParallel(model, broadcast_buffers=False)
    if settings.compiled:
        network = torch.compile(network)
    if watch and rank == 0 and not losses:
        watch(0, model, losses)

    began = time.perf_counter() - seconds
    share = settings.batch_size // world

    def clips_of(step: int, device: torch.device) -> Tensor:
        """This process's clips of a step, (B / processes,) int64."""
        first = step * settings.batch_size + rank * share
        return torch.arange(first, first + share, device=device)

    waves = _waves(settings, clips_of, range(len(losses), settings.steps), recordings, device)
    problem: InputError | None = None
    saved = len(losses)

    @torch.no_grad()
    def next_batch() -> tuple[Tensor | None, Tensor | None]:
        """The next spectrograms and what the auxiliary head is to predict of them.

        No spectrograms after the last, or where a recording cannot be read; nothing to predict
        without a head.
        """
        nonlocal problem
        try:
            wave, targets = next(waves, (None, None))
        except InputError as error:
            problem = error
            return None, None
        return None if wave is None else model.encoder.log_mel.transform(wave.to(device)), targets

    def elapsed() -> float:
        return time.perf_counter() - began

    def reasons_to_stop(seconds: float) -> tuple[bool, bool, bool]:
        """A signal, no minutes left by the clock of the first process, no clips to go on with."""
        late = rank == 0 and settings.minutes is not None and seconds >= 60 * settings.minutes
        return bool(caught), late, problem is not None

    def save() -> None:
        """Write a checkpoint; where that fails, every process stops."""
        nonlocal saved
        with _together():
            if len(losses) > saved:
                require_finite(model, f"step {len(losses)}")
                if folder:
                    _save_checkpoint(folder, settings, model, optimisers, losses, elapsed())
        saved = len(losses)

    def keep_filters() -> None:
        """Copy the patch projection every so often, before the first step and after the last."""
        if len(losses) % settings.filters_every and len(losses) < settings.steps:
            return
        with _together():
            if folder:
                _save_filters(folder, model, len(losses))

    model.train()
    scalars = _Scalars(folder.path / "tensorboard", len(losses)) if folder else None
    bar = tqdm(
        initial=len(losses),
        total=settings.steps,
        desc=f"pre-training {settings.preset}",
        unit="step",
        disable=not progress or rank > 0,
    )
    try:
        with _signals(world) as caught:
            keep_filters()
            mel, targets = next_batch()
            _, *reasons = _agree(
                torch.zeros((), dtype=torch.float32, device=device), reasons_to_stop(seconds)
            )
            while len(losses) < settings.steps and not any(reasons):
                step, step_began, used = len(losses), elapsed(), time.process_time()
                with autocast(device, settings.precision):
                    output = network(
                        mel,
                        clips_of(step, device),
                        settings.seed,
                        targets,
                        settings.decoded_share,
                        settings.window,
                    )
                loss, auxiliary_loss = output.loss, output.auxiliary_loss
                objective = loss
                if auxiliary_loss is not None:
                    objective = loss + settings.auxiliary_weight * auxiliary_loss
                for optimiser in optimisers:
                    optimiser.zero_grad(set_to_none=True)
                objective.backward()
                norm = get_total_norm(p.grad for p in model.parameters())
                # On a GPU the next clips wait in line behind the backward pass, so that it has
                # work while this process looks at the loss.
                mel, targets = next_batch()
                mean_loss, *reasons = _agree(loss.detach(), reasons_to_stop(elapsed()))
                gradient_norm = norm.item()
                _refuse_explosion(mean_loss, gradient_norm, losses, settings)
                rate = learning_rate_at(settings, step)
                for optimiser in optimisers:
                    optimiser.param_groups[0]["lr"] = rate
                    optimiser.step()
                losses.append(mean_loss)
                now = elapsed()
                line = {
                    "step": step + 1,
                    "loss": mean_loss,
                    "clips_per_second": round(settings.batch_size / (now - step_began), 2),
                    "learning_rate": rate,
                    "gradient_norm": gradient_norm,
                    "seconds": round(now, 3),
                    "processor_seconds": round(time.process_time() - used, 4),
                }
                if auxiliary_loss is not None:
                    line["auxiliary_loss"] = _mean_of_all(auxiliary_loss.detach())
                bar.update()
                bar.set_postfix(
                    loss=f"{mean_loss:.3f}", clips_per_second=f"{line['clips_per_second']:.1f}"
                )
                if folder:
                    with folder.writing():
                        add_metrics(folder.path / "metrics.jsonl", line)
                    scalars.add(line)
                if watch and rank == 0:
                    watch(step + 1, model, losses)
                keep_filters()
                if len(losses) % settings.checkpoint_every == 0:
                    save()
            save()
    finally:
        bar.close()
        waves.close()
        if scalars:
            scalars.close()
    interrupted, late, failed = reasons
    if failed:
        with _together():
            if problem:
                raise problem
    if len(losses) < settings.steps:
        if folder and interrupted:
            print(f"stopped after step {len(losses)}; go on with --resume --out {folder.path}")
        elif folder and late:
            print(f"stopped after step {len(losses)}: its {settings.minutes:g} minutes are over")
        if interrupted:
            raise KeyboardInterrupt
    return PretrainResult(model.eval(), torch.tensor(losses, dtype=torch.float32))


def _try_compiler(device: torch.device) -> None:
    """Raise InputError where torch.compile lacks what it needs, by compiling next to nothing."""
    compiled = torch.compile(torch.neg)
    try:
        compiled(torch.ones(2, dtype=torch.float32, device=device))
    except RuntimeError as error:
        reason = " ".join(str(error).partition("\n\n")[0].split())
        raise InputError(
            f"the network cannot be compiled here ({reason}); install a C++ compiler (on Debian: apt "
            "install g++), or set compiled to False (--no-compiled)."
        ) from error


def _settled(
    settings: PretrainSettings, resumed: str | os.PathLike | None, device: torch.device
) -> PretrainSettings:
    """Settings with the precision of the run that is resumed, or what "auto" becomes, for all
    processes what it becomes in the first."""
    precision = [settings.precision]
    rank, world = _processes()
    with _together():
        if rank == 0:
            if resumed is not None and settings.precision == "auto":
                precision = [read_settings(resumed).precision]
            precision = [settle_precision(*precision, device)]
    if world > 1:
        dist.broadcast_object_list(precision)
    return replace(settings, precision=precision[0])


def _processes() -> tuple[int, int]:
    """The number of this process, from 0, and how many there are."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


@contextmanager
def _together() -> Iterator[None]:
    """What one process refuses, all refuse, so that none waits for another that has stopped."""
    own: InputError | OSError | None = None
    try:
        yield
    except (InputError, OSError) as error:
        own = error
    _, world = _processes()
    messages = [str(own) if own else None] * world
    if world > 1:
        dist.all_gather_object(messages, messages[0])
    if own:
        raise own
    for message in messages:
        if message:
            raise InputError(message)


def _agree(loss: Tensor, reasons: tuple[bool, ...]) -> tuple[float | bool, ...]:
    """The mean loss of all processes, then of each reason to stop whether any of them has it."""
    _, world = _processes()
    if world == 1:
        return loss.item(), *reasons
    joint = torch.cat((loss.reshape(1), loss.new_tensor(reasons)))
    dist.all_reduce(joint)
    total, *having = joint.tolist()
    return total / world, *(count > 0 for count in having)


def _mean_of_all(loss: Tensor) -> float:
    """The mean of a loss over all processes."""
    _, world = _processes()
    if world > 1:
        dist.all_reduce(loss)
    return loss.item() / world


def _share(
    losses: list[float],
    seconds: float,
    model: MaskedAutoencoder,
    optimisers: list[Optimizer],
    heard: dict | None,
) -> tuple[list[float], float]:
    """Give all processes the first one's place in the run; the weights follow by themselves."""
    log_mel = model.encoder.log_mel
    first = [losses, seconds, log_mel.mean, log_mel.standard_deviation, heard]
    dist.broadcast_object_list(first)
    with _together():
        if heard != first[4]:
            raise InputError(
                "the folder to learn from holds other recordings on one machine than on another; "
                "give all the same files."
            )
    losses, seconds, log_mel.mean, log_mel.standard_deviation, _ = first
    if losses:
        for _, state, key, like in _moments(model, optimisers):
            dist.broadcast(state.setdefault(key, torch.zeros_like(like)), 0)
    return losses, seconds


@contextmanager
def _signals(processes: int) -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM, which would break a step in two, in the list yielded.

    A second one breaks it after all, but not under torchrun, which passes on to its processes a
    signal that a terminal has sent them already.
    """
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield caught  # Signals reach the main thread alone.
        return

    def catch(number: int, _: object) -> None:
        if caught and processes == 1:
            raise KeyboardInterrupt
        caught.append(number)

    before = {number: signal.signal(number, catch) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _optimisers(settings: PretrainSettings, model: MaskedAutoencoder) -> list[Optimizer]:
    """One group of parameters each; between them they have all parameters of the model."""
    both = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay}
    matrices, others = [], []
    for name, parameter in model.named_parameters():
        by_muon = settings.optimiser == "muon" and "blocks." in name and parameter.ndim == 2
        (matrices if by_muon else others).append(parameter)
    optimisers: list[Optimizer] = [AdamW(others, betas=(0.9, 0.95), fused=True, **both)]
    if matrices:
        optimisers.append(Muon(matrices, precision=PRECISIONS[settings.precision], **both))
    return optimisers


def _moments(
    model: MaskedAutoencoder, optimisers: list[Optimizer]
) -> Iterator[tuple[str, dict[str, Tensor], str, Tensor]]:
    """What the optimisers keep: a name, the state that has it under a key, a tensor of its shape."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    for optimiser in optimisers:
        for parameter in optimiser.param_groups[0]["params"]:
            for key in _STATES[type(optimiser)]:
                like = parameter.new_empty(()) if key == "step" else parameter
                yield f"{names[parameter]}/{key}", optimiser.state[parameter], key, like


def _waves(
    settings: PretrainSettings,
    clips_of: Callable[[int, torch.device], Tensor],
    steps: Iterable[int],
    recordings: Recordings | None,
    device: torch.device,
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Of some steps the waveforms, (B / processes, 163840) each, and what a head is to predict.

    That is (B / processes, summaries) float32, of mean 0 and deviation 1 over the prior (see
    `audiopg.synth.summarise`); None without a head.
    """
    if recordings:
        here = torch.device("cpu")
        batches = (clips_of(step, here) for step in steps)
        with closing(read_ahead(recordings, batches, settings.seed)) as recorded:
            for wave in recorded:
                yield wave, None
    else:
        prior = SynthPrior.preset(settings.prior)
        headed = settings.auxiliary_weight > 0
        if headed:
            mean, deviation = (value.to(device) for value in spread(prior))
        for step in steps:
            params = prior.sample(clips_of(step, device), settings.seed)
            targets = ((summarise(params) - mean) / deviation).float() if headed else None
            yield render(params), targets


def _refuse_explosion(
    loss: float, gradient_norm: float, losses: list[float], settings: PretrainSettings
) -> None:
    """Raise InputError for a step that would spoil the weights."""
    before = losses[-_STEPS_BEFORE:]
    usual = sum(before) / len(before) if before else math.inf
    if math.isfinite(loss) and math.isfinite(gradient_norm) and loss <= _EXPLOSION * usual:
        return
    first = len(losses) * settings.batch_size
    found = f"the loss is {loss:.4g} and the norm of its gradient {gradient_norm:.4g}"
    if before:
        found += f", after a mean loss of {usual:.4g},"
    raise InputError(
        f"{found} at step {len(losses)}, clips {first} to {first + settings.batch_size - 1}; the "
        "checkpoints before are untouched: start a new run from one, with a lower learning_rate."
    )


def _begin(
    folder: RunFolder | None,
    settings: PretrainSettings,
    resume: bool,
    model: MaskedAutoencoder,
    optimisers: list[Optimizer],
    heard: dict | None,
) -> tuple[list[float], float]:
    """Begin or reopen a run; the losses of the steps already done, and their seconds."""
    losses, seconds, origin = [], 0.0, None
    if folder and resume:
        losses, seconds, origin = _reopen(folder, settings, model, optimisers, heard)
    elif folder:
        require_new(folder.path)
    if settings.start and not losses:
        _start_from(settings.start, model)
    if not folder:
        return losses, seconds
    require_writable(folder.path, _size(folder.path, settings, model, optimisers, len(losses)))
    with folder.writing():
        clear_leftovers(folder, "filters", "pictures")
        cut_metrics(folder.path / "metrics.jsonl", len(losses))
        # The steps after the checkpoint are taken again.
        for kind in ("filters/step-*.safetensors", "pictures/step-*.png"):
            for path in folder.path.glob(kind):
                number = path.stem.removeprefix("step-")
                if number.isdecimal() and int(number) > len(losses):
                    path.unlink()
        write_json(folder.path / "settings.json", asdict(settings))
        if origin is None:
            said = {"processes": _processes()[1]} | ({"recordings": heard} if heard else {})
            write_provenance(folder, next(model.parameters()).device, **said)
    return losses, seconds


def _reopen(
    folder: RunFolder,
    settings: PretrainSettings,
    model: MaskedAutoencoder,
    optimisers: list[Optimizer],
    heard: dict | None,
) -> tuple[list[float], float, dict | None]:
    """Restore the newest good checkpoint of a run with these settings and recordings.

    Returns:
        The losses of its steps, their seconds, and what `read_provenance` says, which is None for
        a run that was killed before it wrote anything more than its settings.
    """
    path = folder.path
    before, done, origin = read_settings(path), checkpoints(path), None
    if done or (path / "provenance.json").exists():
        origin = read_provenance(path)
    was = (origin or {}).get("recordings") or {}
    steps = step_of(done[-1]) if done else 0
    changeable = _LENGTHS if _same_so_far(before, settings, steps) else ()
    # The same files may have moved, where their contents are known.
    if "contents" in was and settings.audio:
        changeable += ("audio",)
    names = [name for name in different(before, settings) if name not in changeable]
    require_same(path, before, settings, names)
    if origin is None:
        return [], 0.0, None
    if settings.audio and was != {name: heard[name] for name in was or heard}:
        raise InputError(
            f"{settings.audio} holds other recordings than when the run in {path} began; "
            "put the same files back, or name another folder for a new run."
        )
    return *_load_checkpoint(folder, model, optimisers, origin.get("run")), origin


def _same_so_far(one: PretrainSettings, other: PretrainSettings, done: int) -> bool:
    """Whether the steps done had the same learning rates in two runs of different lengths."""
    return done <= other.steps and all(
        learning_rate_at(one, step) == learning_rate_at(other, step) for step in range(done)
    )


def _start_from(start: str, model: MaskedAutoencoder) -> None:
    """Set a model to the weights of another of the same architecture."""
    source = load_model(start)
    differences = [
        f"{f.name} {getattr(source.architecture, f.name)}, not {getattr(model.architecture, f.name)}"
        for f in fields(Architecture)
        if getattr(source.architecture, f.name) != getattr(model.architecture, f.name)
    ]
    if differences:
        raise InputError(
            f"{start} is another network ({'; '.join(differences)}); "
            "give the preset, class_token and decoder settings that it was made with."
        )
    _copy_weights(source, model)


def _copy_weights(source: MaskedAutoencoder, model: MaskedAutoencoder) -> None:
    """All that both have; a head that one alone has stays as it is."""
    own = model.state_dict()
    model.load_state_dict(own | {k: v for k, v in source.state_dict().items() if k in own})
    log_mel, other = model.encoder.log_mel, source.encoder.log_mel
    log_mel.mean, log_mel.standard_deviation = other.mean, other.standard_deviation


class _Scalars:
    """Scalars for TensorBoard, where it is installed; a run goes on when TensorBoard fails.

    Args:
        folder: to hold them.
        step: after which they begin.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._writer = None
        try:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(folder, purge_step=step + 1)
        except ModuleNotFoundError as error:
            if error.name not in ("tensorboard", "torch.utils.tensorboard"):
                self._give_up(error)
        # What else goes wrong in another's packages, such as versions that do not fit together.
        except Exception as error:
            self._give_up(error)

    def add(self, line: dict) -> None:
        """Add what a line of the metrics says."""
        try:
            for name in ("loss", "learning_rate", "gradient_norm", "clips_per_second"):
                if self._writer:
                    self._writer.add_scalar(name, line[name], line["step"])
        except Exception as error:
            self._give_up(error)

    def close(self) -> None:
        try:
            if self._writer:
                self._writer.close()
        except Exception as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._writer = None
        print(f"TensorBoard cannot be used ({error}); metrics.jsonl has what it would show.")


def _size(
    path: Path,
    settings: PretrainSettings,
    model: MaskedAutoencoder,
    optimisers: list[Optimizer],
    done: int,
) -> float:
    """Bytes that a run will write in a folder after some steps."""
    left = settings.steps - done
    weights = sum(value.numel() for value in model.state_dict().values())
    moments = sum(like.numel() for *_, like in _moments(model, optimisers))
    # The oldest checkpoint is taken away when the new one is there.
    coming = max(1, _KEPT_CHECKPOINTS + 1 - len(checkpoints(path)))
    coming = min(coming, -(-left // settings.checkpoint_every))
    filters = left / settings.filters_every * model.encoder.patch_projection.weight.numel()
    return 4 * coming * (weights + moments) + 2 * filters + 300 * left


def _save_checkpoint(
    folder: RunFolder,
    settings: PretrainSettings,
    model: MaskedAutoencoder,
    optimisers: list[Optimizer],
    losses: list[float],
    seconds: float,
) -> None:
    """Write ``step-XXXXXXXX/``, whole or not at all; keep the newest two."""
    moments = {name: state[key].contiguous() for name, state, key, _ in _moments(model, optimisers)}
    state = {
        "step": len(losses),
        "seconds": seconds,
        "settings": asdict(settings),
        "losses": losses,
        "run": read_provenance(folder.path).get("run"),
    }
    with folder.writing():
        with atomic_folder(folder.path / f"step-{len(losses):08d}") as temporary:
            save_model(model, temporary / "model.safetensors", run=state["run"])
            with atomic_path(temporary / "optimiser.safetensors") as path:
                save_file(moments, path)
            write_json(temporary / "state.json", state, indent=None)
        for old in checkpoints(folder.path)[:-_KEPT_CHECKPOINTS]:
            shutil.rmtree(old)


def _save_filters(folder: RunFolder, model: MaskedAutoencoder, step: int) -> None:
    """Write ``filters/step-XXXXXXXX.safetensors``: the patch projection, in half precision."""
    weight = model.encoder.patch_projection.weight.detach().to("cpu", torch.float16)
    path = folder.path / "filters" / f"step-{step:08d}.safetensors"
    with folder.writing(), atomic_path(path) as temporary:
        save_file({"patch_projection.weight": weight.contiguous()}, temporary)


def _load_checkpoint(
    folder: RunFolder, model: MaskedAutoencoder, optimisers: list[Optimizer], run: str | None
) -> tuple[list[float], float]:
    """Restore the newest checkpoint that reads well; its losses and seconds, none without one."""
    slots = list(_moments(model, optimisers))
    for checkpoint in reversed(checkpoints(folder.path)):
        require_readable(checkpoint)
        try:
            state = read_json(checkpoint / "state.json")
            losses = [float(loss) for loss in state["losses"]]
            seconds = float(state.get("seconds", 0.0))
            source = load_model(checkpoint / "model.safetensors")
            with safe_open(checkpoint / "model.safetensors", "pt") as file:
                weights_of = (file.metadata() or {}).get("run", state.get("run"))
            moments = load_file(checkpoint / "optimiser.safetensors")
            if len(losses) != step_of(checkpoint):
                raise InputError(f"state.json holds {len(losses)} losses")
            if source.architecture != model.architecture:
                raise InputError("model.safetensors holds another network")
            shapes = {name: value.shape for name, value in moments.items()}
            if shapes != {name: like.shape for name, _, _, like in slots}:
                raise InputError("optimiser.safetensors belongs to another network")
        # A text that is no JSON is a ValueError, and so is an InputError; one that says something
        # else is a KeyError or a TypeError.
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            aside = set_aside(folder, checkpoint)
            print(
                f"{checkpoint} is damaged ({error}), and is called {aside} now; going back to the one "
                "before."
            )
            continue
        for named in (state.get("run"), weights_of):
            require_own(checkpoint, named, run)
        _copy_weights(source, model)
        for name, kept, key, like in slots:
            kept[key] = moments[name].to(like.device, copy=True)
        return losses, seconds
    print(f"{folder.path} holds no good checkpoint; the run starts anew.")
    return [], 0.0
