"""The pre-training loop: synthesize, log-mel, mask, reconstruct, step (Section 3.2).

A run is exact: it is the same however often it is killed and resumed, and, to rounding, on any
number of processes. Where ``torch.distributed`` is initialised (``torchrun``, see ``python -m
audiopg pretrain --help``) every process takes an equal share of each batch, and the first alone
reads and writes the folder of the run. Settings are in `audiopg.recipes`, checkpoints in
`audiopg.checkpoints`.
"""

import math
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from functools import cache

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import get_total_norm
from torch.optim import AdamW, Optimizer
from tqdm.auto import tqdm

from audiopg import environment
from audiopg._types import AnyPath
from audiopg.checkpoints import Run, begin, save, save_filters
from audiopg.datasets.folder import Recordings, find_recordings, read_ahead
from audiopg.distributed import agree, from_first, interruptions, processes, together
from audiopg.errors import InputError, Stopped, resumable
from audiopg.inputs import require_kind
from audiopg.mae import MaskedAutoencoder, MaskedOutput
from audiopg.muon import Muon
from audiopg.recipes import (
    RECIPES,
    PretrainSettings,
    different,
    lasting,
    learning_rate_at,
    read_settings,
    recipe_for,
)
from audiopg.runs import RunFolder, Scalars, add_metrics, require_utf8, run_folder
from audiopg.synth import SUMMARIES, SynthPrior, render, spread, summarise

__all__ = [
    "RECIPES", "PretrainResult", "PretrainSettings", "Watcher", "different", "learning_rate_at",
    "pretrain", "read_settings", "recipe_for",
]  # fmt: skip

# A loss has exploded at this many times the mean of up to this many steps before.
_EXPLOSION, _STEPS_BEFORE = 10.0, 100


@dataclass(frozen=True)
class PretrainResult:
    """The model of a run, in evaluation mode, and the losses of the steps done, (steps,)."""

    model: MaskedAutoencoder
    losses: Tensor


Watcher = Callable[[int, MaskedAutoencoder, list[float]], None]


@environment.usual_torch()
def pretrain(
    settings: PretrainSettings,
    out: AnyPath | None = None,
    *,
    resume: bool = False,
    device: torch.device | str | None = None,
    watch: Watcher | None = None,
    progress: bool = True,
) -> PretrainResult:
    """Pre-train a masked autoencoder on clips synthesized, or recordings read, as it goes.

    SIGINT (Ctrl-C) and SIGTERM let the step at hand end, write a checkpoint and raise
    `audiopg.errors.Stopped`, a KeyboardInterrupt; a second one does not wait.

    Args:
        settings: what to run. ``settings.json`` says what the precision "auto" became; a run that is
            resumed keeps its own.
        out: folder for ``settings.json``, ``provenance.json`` (where, from which commit and, by a
            hash, from which weights the run began, and where it went on if elsewhere),
            ``metrics.jsonl`` (a line a step), the checkpoints ``step-*/``, copies of the patch
            projection in ``filters/`` and, where TensorBoard is installed, its scalars; None keeps
            nothing.
        resume: go on from the newest good checkpoint in ``out``. The run may become longer or
            shorter, and its cooldown may begin elsewhere, as long as the learning rates of the steps
            that are done stay the same.
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
    require_kind(settings, PretrainSettings, "settings")
    environment.name_user()
    device = environment.usable_device(device)
    settings = _settled(settings, out if resume else None, device)
    with ExitStack() as held:
        recordings = folder = None
        with together():
            if settings.compiled:
                environment.require_compiler(device)
            if settings.audio:
                recordings = find_recordings(settings.audio)
            if out is not None and processes()[0] == 0:
                require_utf8(out)
                folder = held.enter_context(run_folder(out))
        run = _begin(settings, recordings, folder, resume, device, progress)
        with resumable(folder and folder.path):
            _train(run, recordings, watch, progress)
    return PretrainResult(run.model.eval(), torch.tensor(run.losses, dtype=torch.float32))


def _settled(
    settings: PretrainSettings, resumed: AnyPath | None, device: torch.device
) -> PretrainSettings:
    """Settings with lasting paths, and the precision of the run resumed or of the first process."""
    rank, world = processes()
    if settings.batch_size % world:
        raise InputError(
            f"batch_size is {settings.batch_size}, which {world} processes cannot share alike; "
            f"give a multiple of {world}."
        )
    precision = settings.precision
    with together():
        if rank == 0:
            if resumed is not None and precision == "auto":
                precision = read_settings(resumed).precision
            precision = environment.settle_precision(precision, device)
    return replace(lasting(settings), precision=from_first(precision))


def _begin(
    settings: PretrainSettings,
    recordings: Recordings | None,
    folder: RunFolder | None,
    resume: bool,
    device: torch.device,
    progress: bool,
) -> Run:
    """A run before its next step, in all processes alike."""
    rank, world = processes()
    heard = None
    with together():
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
    run = Run(settings, model, _optimisers(settings, model), folder, heard=heard)
    with together():
        if rank == 0:
            begin(run, resume)
    if world > 1:
        _broadcast(run)
    return run


def _broadcast(run: Run) -> None:
    """Bring all processes to the place of the first in a run; the weights follow by themselves."""
    log_mel = run.model.encoder.log_mel
    own = [run.losses, run.before, log_mel.mean, log_mel.standard_deviation, run.heard]
    run.losses, run.before, log_mel.mean, log_mel.standard_deviation, heard = from_first(own)
    run.saved = len(run.losses)
    with together():
        if run.heard != heard:
            raise InputError(
                "the folder to learn from holds other recordings on one machine than on another; "
                "give all the same files."
            )
    if run.losses:
        for _, state, key, like in run.moments():
            dist.broadcast(state.setdefault(key, torch.zeros_like(like)), 0)


def _optimisers(settings: PretrainSettings, model: MaskedAutoencoder) -> list[Optimizer]:
    """AdamW, and Muon where it is asked for; each has one group of the model's parameters."""
    both = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay}
    matrices, others = [], []
    for name, parameter in model.named_parameters():
        by_muon = settings.optimiser == "muon" and "blocks." in name and parameter.ndim == 2
        (matrices if by_muon else others).append(parameter)
    optimisers: list[Optimizer] = [AdamW(others, betas=(0.9, 0.95), fused=True, **both)]
    if matrices:
        optimisers.append(
            Muon(matrices, precision=environment.PRECISIONS[settings.precision], **both)
        )
    return optimisers


def _train(run: Run, recordings: Recordings | None, watch: Watcher | None, progress: bool) -> None:
    """Take the steps of a run that are left.

    Raises:
        InputError: for a step that would spoil the weights, a recording that cannot be read, or a
            file that cannot be written.
        Stopped: after a signal, when the step at hand is done and saved.
    """
    settings, is_first = run.settings, processes()[0] == 0
    network = _network(run).train()
    if watch and is_first and not run.losses:
        watch(0, run.model, run.losses)
    run.began = time.perf_counter()
    with (
        closing(_batches(run, recordings)) as batches,
        closing(Scalars(run.folder, len(run.losses))) as scalars,
        _progress_bar(run, progress and is_first) as bar,
        interruptions() as caught,
    ):
        _keep_filters(run)
        batch = _next(batches, run.device)
        none_yet = torch.zeros((), dtype=torch.float32, device=run.device)
        _, stop = agree(none_yet, _reasons_to_stop(run, run.before, caught, batch))
        while len(run.losses) < settings.steps and not any(stop):
            began, used = run.seconds, time.process_time()
            output, norm = _forward_backward(network, batch, settings)
            # On a GPU the next clips are made while the backward pass runs, and this process looks at
            # the loss.
            batch = _next(batches, run.device)
            loss, stop = agree(
                output.loss.detach(), _reasons_to_stop(run, run.seconds, caught, batch)
            )
            gradient_norm = norm.item()
            _refuse_explosion(loss, gradient_norm, run.losses, settings)
            rate = learning_rate_at(settings, len(run.losses))
            for optimiser in run.optimisers:
                optimiser.param_groups[0]["lr"] = rate
                optimiser.step()
            run.losses.append(loss)
            now = run.seconds
            line = {
                "step": len(run.losses),
                "loss": loss,
                "clips_per_second": round(settings.batch_size / (now - began), 2),
                "learning_rate": rate,
                "gradient_norm": gradient_norm,
                "seconds": round(now, 3),
                "processor_seconds": round(time.process_time() - used, 4),
            }
            if output.auxiliary_loss is not None:
                line["auxiliary_loss"], _ = agree(output.auxiliary_loss.detach())
            _report(run, line, scalars, bar)
            if watch and is_first:
                watch(len(run.losses), run.model, run.losses)
            _keep_filters(run)
            if len(run.losses) % settings.checkpoint_every == 0:
                _save(run)
        _save(run)
    _end(run, stop, batch, caught)


def _network(run: Run) -> nn.Module:
    """The model as the loop calls it: with the gradients of all processes, and perhaps compiled."""
    network = run.model
    if processes()[1] > 1:
        network = DistributedDataParallel(network, broadcast_buffers=False)
    return torch.compile(network) if run.settings.compiled else network


@dataclass(frozen=True)
class _Batch:
    """This process's clips of a step.

    Attributes:
        clips: (B,) int64, their indices.
        mel: (B, 1024, 128), standardised.
        targets: (B, summaries) float32, what the auxiliary head is to predict; None without a head.
    """

    clips: Tensor
    mel: Tensor
    targets: Tensor | None


def _next(
    batches: Iterator[_Batch | InputError], device: torch.device
) -> _Batch | InputError | None:
    """The next batch, or None after the last.

    A GPU makes it in a stream of its own. Synthesis asks the device whether its factors are in their
    ranges, and in the stream of the backward pass it would wait for that to end.
    """
    if device.type != "cuda":
        return next(batches, None)
    own, ours = _stream(device), torch.cuda.current_stream(device)
    with torch.cuda.stream(own):
        batch = next(batches, None)
    ours.wait_stream(own)
    if isinstance(batch, _Batch):
        for tensor in (batch.clips, batch.mel, batch.targets):
            if tensor is not None:
                # Else its memory could be given to the next batch while this one is still read.
                tensor.record_stream(ours)
    return batch


@cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    """The stream of a GPU in which batches are made."""
    return torch.cuda.Stream(device)


@torch.no_grad()
def _batches(run: Run, recordings: Recordings | None) -> Iterator[_Batch | InputError]:
    """The batches of the steps that are left; the error in place of one that cannot be read."""
    settings, device = run.settings, run.device
    steps = range(len(run.losses), settings.steps)
    if recordings:
        waves = _recorded(settings, steps, recordings)
    else:
        waves = _synthesized(settings, steps, device)
    try:
        with closing(waves):
            for step, (wave, targets) in zip(steps, waves, strict=False):
                mel = run.model.encoder.log_mel.transform(wave.to(device))
                yield _Batch(_clips(settings, step, device), mel, targets)
    except InputError as error:
        yield error


def _clips(settings: PretrainSettings, step: int, device: torch.device) -> Tensor:
    """This process's clips of a step, (B,) int64."""
    rank, world = processes()
    share = settings.batch_size // world
    first = step * settings.batch_size + rank * share
    return torch.arange(first, first + share, device=device)


def _recorded(
    settings: PretrainSettings, steps: Iterable[int], recordings: Recordings
) -> Iterator[tuple[Tensor, None]]:
    """The waveforms of some steps, (B, 163840) each, read ahead; they have no targets."""
    batches = (_clips(settings, step, torch.device("cpu")) for step in steps)
    with closing(read_ahead(recordings, batches, settings.seed)) as waves:
        for wave in waves:
            yield wave, None


def _synthesized(
    settings: PretrainSettings, steps: Iterable[int], device: torch.device
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """The waveforms of some steps, (B, 163840) each, and the targets of the auxiliary head.

    Targets are the `audiopg.synth.summarise` of the clips, (B, summaries) float32, with mean 0 and
    deviation 1 over the prior; None without a head.
    """
    prior, targets = SynthPrior.preset(settings.prior), None
    is_headed = settings.auxiliary_weight > 0
    if is_headed:
        mean, deviation = (value.to(device) for value in spread(prior))
    for step in steps:
        params = prior.sample(_clips(settings, step, device), settings.seed)
        if is_headed:
            targets = ((summarise(params) - mean) / deviation).float()
        yield render(params), targets


def _forward_backward(
    network: nn.Module, batch: _Batch, settings: PretrainSettings
) -> tuple[MaskedOutput, Tensor]:
    """The network's output for a batch, and the norm of the gradients left in its parameters."""
    with environment.autocast(batch.mel.device, settings.precision):
        output = network(
            batch.mel,
            batch.clips,
            settings.seed,
            batch.targets,
            settings.decoded_share,
            settings.window,
        )
    objective = output.loss
    if output.auxiliary_loss is not None:
        objective = objective + settings.auxiliary_weight * output.auxiliary_loss
    network.zero_grad(set_to_none=True)
    objective.backward()
    return output, get_total_norm(p.grad for p in network.parameters())


def _reasons_to_stop(
    run: Run, seconds: float, caught: list[int], batch: _Batch | InputError | None
) -> tuple[bool, bool, bool]:
    """Whether there was a signal, the first process's clock is out of time, and the batch is bad."""
    minutes = run.settings.minutes
    is_late = minutes is not None and processes()[0] == 0 and seconds >= 60 * minutes
    return bool(caught), is_late, isinstance(batch, InputError)


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


def _progress_bar(run: Run, is_shown: bool) -> tqdm:
    return tqdm(
        initial=len(run.losses),
        total=run.settings.steps,
        desc=f"pre-training {run.settings.preset}",
        unit="step",
        disable=not is_shown,
    )


def _report(run: Run, line: dict, scalars: Scalars, bar: tqdm) -> None:
    """Say how a step went, in the metrics, to TensorBoard and beside the progress bar."""
    bar.update()
    bar.set_postfix(loss=f"{line['loss']:.3f}", clips_per_second=f"{line['clips_per_second']:.1f}")
    if run.folder:
        with run.folder.writing():
            add_metrics(run.folder.path / "metrics.jsonl", line)
        scalars.add(line)


def _keep_filters(run: Run) -> None:
    """Copy the patch projection every so often, before the first step and after the last."""
    done, settings = len(run.losses), run.settings
    if done % settings.filters_every == 0 or done == settings.steps:
        with together():
            save_filters(run)


def _save(run: Run) -> None:
    """Write a checkpoint; where that fails, every process stops."""
    with together():
        save(run)


def _end(run: Run, stop: list[bool], batch: _Batch | InputError | None, caught: list[int]) -> None:
    """Say, or raise, why a run has stopped before its last step."""
    interrupted, late, failed = stop
    if failed:
        with together():
            if isinstance(batch, InputError):
                raise batch
    if len(run.losses) == run.settings.steps:
        return
    done = f"stopped after step {len(run.losses)}"
    if interrupted:
        # Where another process caught the signal, its number is not known here.
        raise Stopped(*caught[:1] or (signal.SIGINT,), done)
    if run.folder and late:
        print(f"{done}: its {run.settings.minutes:g} minutes are over")
