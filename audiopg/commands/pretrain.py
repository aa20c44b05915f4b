"""`audiopg pretrain`: the loop of pre-training, from a shell or under torchrun."""

import argparse
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

from audiopg.commands import common
from audiopg.errors import InputError
from audiopg.mae import MaskedAutoencoder, reconstruct
from audiopg.pretraining import (
    RECIPES,
    PretrainResult,
    PretrainSettings,
    Watcher,
    pretrain,
    read_settings,
    recipe_for,
)
from audiopg.recipes import learning_rate_at
from audiopg.records import path_from_here, require_records, write_record
from audiopg.runs import checkpoints, read_metrics, read_provenance
from audiopg.synth import SynthPrior, render

# Clips of the pictures: as far from those trained on as any run will go.
_HELD_OUT = torch.arange(2**40, 2**40 + 3)
# Longer than a compilation or a checkpoint takes, shorter than anyone would wait for a lost process.
_LONGEST_WAIT = timedelta(minutes=10)
EXAMPLES = """\
examples:
  a first run, a minute on a CPU:
    audiopg pretrain --preset micro --steps 200 --batch-size 16 --learning-rate 2e-3 \\
        --out runs/first
  the paper's run, or the fast one, on a GPU:
    audiopg pretrain --recipe paper --out runs/paper
    audiopg pretrain --recipe fast --pictures-every 200 --out runs/fast
  a small network on a processor, in an hour or a few:
    audiopg pretrain --recipe cpu --out runs/tiny
  go on after Ctrl-C, a crash or a full disk; the settings are those of the run:
    audiopg pretrain --resume --out runs/fast
  end it sooner than was planned, cooled down, before its own cooldown has begun:
    audiopg pretrain --resume --steps 6000 --cooldown-steps 2000 --out runs/tiny
  the 8 GPUs of one machine, or 8 processes on CPUs where there is no GPU; every process takes an
  equal share of each batch, so the clips are the same for any number of them:
    torchrun --nproc-per-node=8 -m audiopg pretrain --recipe fast --out runs/fast
  two machines of 8 GPUs: this on both, HOST being one of them and --out a folder that both see:
    torchrun --nnodes=2 --nproc-per-node=8 --rdzv-id=fast --rdzv-backend=c10d \\
        --rdzv-endpoint=HOST:29500 -m audiopg pretrain --recipe fast --out runs/fast
  on recordings instead of synthesis, for as long as another run took:
    audiopg pretrain --recipe fast --audio path/to/recordings --minutes 20 --out runs/real
  go on from weights, with a fresh optimiser and schedule, here on a domain of one's own:
    audiopg pretrain --preset tiny --no-class-token --start tiny --audio path/to/recordings \\
        --steps 1000 --learning-rate 2e-4 --warmup-steps 50 --schedule cosine --out runs/adapted

weights to start from may be an address with the digest that their maker states, fetched once and
checked: --start https://HOST/model.safetensors#sha256=DIGEST

what is in --out: settings.json, provenance.json, metrics.jsonl (a line a step: loss, learning rate,
gradient norm, clips a second, seconds so far), the last two checkpoints step-*/, pictures/ where they
are asked for, and tensorboard/ where TensorBoard is installed (pip install tensorboard). One process
writes there at a time; a second is refused.
Ctrl-C and SIGTERM end the step at hand and write a checkpoint; the second time they stop at once. A
run that is killed goes on from its last checkpoint to the same bits, on the same kind of machine. A
loss that is not finite, or is 10 times the mean of the 100 steps before, stops the run and names the
step and its clips."""


def add(command: argparse.ArgumentParser) -> None:
    about = "fast is chosen for speed, and no probe has judged it yet"
    common.add_settings(command, PretrainSettings, RECIPES, about)
    common.add_run(command)


def run(options: argparse.Namespace) -> None:
    require_records(options.record)
    if options.resume and not options.recipe:
        settings = read_settings(options.out)
    else:
        recipe = options.recipe or "paper"
        settings = recipe_for(options.preset or RECIPES[recipe].preset, recipe)
    settings = common.changed_by(settings, options)
    _say_if_slowed(settings)
    chosen = options.recipe or options.resume or options.preset
    if not (chosen or torch.cuda.is_available()):
        warnings.warn(
            "there is no GPU, and the paper's network takes a processor days; --recipe cpu trains a "
            "small one in an hour or a few.",
            stacklevel=2,
        )
    watch = _picture_watcher(settings, options.out) if settings.pictures_every else None
    with _process_group(options.device) as (rank, device):
        result = pretrain(settings, options.out, resume=options.resume, device=device, watch=watch)
    if rank > 0:
        return
    settings = read_settings(options.out)
    last = result.losses[-50:]
    print(f"{len(result.losses)} steps, loss {last.mean():.3f} over the last {len(last)}")
    print(f"the model: {checkpoints(options.out)[-1] / 'model.safetensors'}")
    if options.record:
        print(f"recorded in {_record(options.record, settings, options.out, result)}")


def _record(name: str, settings: PretrainSettings, folder: Path, result: PretrainResult) -> Path:
    """Write the record of a run that is done."""
    steps, where = len(result.losses), read_provenance(folder)
    lines = read_metrics(folder / "metrics.jsonl")[:steps]
    clips, source = steps * settings.batch_size, common.source_of(settings, where)
    if settings.audio:
        data = f"{clips} windows of {source}"
    else:
        data = f"{clips} clips synthesized from {source}, no recordings"
    return write_record(
        name,
        settings=asdict(settings)
        | {name: path_from_here(getattr(settings, name)) for name in ("audio", "start")},
        metrics={"loss": [round(loss, 4) for loss in result.losses.tolist()]},
        seconds=sum(settings.batch_size / line["clips_per_second"] for line in lines),
        data=data,
        protocol="masked reconstruction; a loss a step, each on clips not heard before; the "
        "seconds are those of the steps themselves",
        where=where,
    )


def _say_if_slowed(settings: PretrainSettings) -> None:
    """Warn of a run so short that its warm-up and its cooldown keep it from its learning rate."""
    if settings.warmup_steps + settings.cooldown_steps <= settings.steps:
        return
    highest = max(learning_rate_at(settings, step) for step in range(settings.steps))
    if highest < 0.9 * settings.learning_rate:
        warnings.warn(
            f"{settings.steps} steps are fewer than the {settings.warmup_steps} of the warm-up and the "
            f"{settings.cooldown_steps} of the cooldown: the learning rate reaches {highest:.2g} of "
            f"{settings.learning_rate:g}; give --warmup-steps and --cooldown-steps that fit.",
            stacklevel=2,
        )


@contextmanager
def _process_group(device: str | None) -> Iterator[tuple[int, str | None]]:
    """Join the processes of torchrun, if it started this one; yields this one's number and device."""
    if not dist.is_torchelastic_launched():
        yield 0, device
        return
    local, here = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    if device not in (None, "cpu", "cuda"):
        raise InputError(f"--device is {device!r}; under torchrun give cpu, cuda or nothing.")
    if device == "cpu" or not (device or torch.cuda.is_available()):
        device = "cpu"
        dist.init_process_group("gloo", timeout=_LONGEST_WAIT)
    elif here > torch.cuda.device_count():
        raise InputError(
            f"this machine has {torch.cuda.device_count()} GPUs for {here} processes; "
            "lower --nproc-per-node, or give --device cpu."
        )
    else:
        device = f"cuda:{local}"
        torch.cuda.set_device(local)
        dist.init_process_group("nccl", timeout=_LONGEST_WAIT, device_id=torch.device(device))
    try:
        yield dist.get_rank(), device
    finally:
        dist.destroy_process_group()


def _picture_watcher(settings: PretrainSettings, folder: Path) -> Watcher:
    """A watcher that draws reconstructions of clips that are not trained on, every so many steps."""
    plots = common.load_plots("--pictures-every")
    plots.use_style()
    prior = SynthPrior.preset(settings.prior)

    @torch.no_grad()
    def draw(step: int, model: MaskedAutoencoder, losses: list[float]) -> None:
        if step % settings.pictures_every:
            return
        clips = _HELD_OUT.to(next(model.parameters()).device)
        mel = model.encoder.log_mel(render(prior.sample(clips, settings.seed)))
        output = model(mel, clips, settings.seed)
        titles = [f"held-out clip {n}" for n in range(1, len(clips) + 1)]
        figure = plots.reconstructions(mel, reconstruct(mel, output), output.mask, titles)
        common.save_figure(plots, figure, folder / "pictures" / f"step-{step:08d}.png")

    return draw
