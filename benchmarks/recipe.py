"""The rows of `audiopg.book.experiments.recipe_steps`: what each of them, taken alone, does to the speed; and
for `tiny`, the processor's seconds to a loss and to a probe.

Two kinds of step. Some compute the same function another way (fused attention, fused AdamW,
compilation): beside their speed stands how far their losses lie from the reference's. The others
change what is learned; the probe that they have to pass is in the records of
`python -m audiopg reproduce recipe`.

The second table compares the recipe `cpu` with the one that `tiny` was first trained by, 64,000 clips
with AdamW: on one thread, in float32, the new one for 12,800 clips of `tiny` and of the smaller `mini`,
the old one by the time of 40 of its 2,000 steps and by the probe of its weights, which are on record.
Probed are the recordings of ESC-10, where they are at hand. It takes about half an hour.

    python -m audiopg bench recipe --record bench-recipe
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from unittest import mock

import numpy as np
import torch
from torch import Tensor
from torch.optim import AdamW

from audiopg import MaskedAutoencoder, PretrainSettings, pretrain
from audiopg.book.experiments import recipe_steps
from audiopg.book.reproduce import held_out_loss, probe
from audiopg.datasets import find_dataset
from audiopg.embedding import POOLINGS
from audiopg.environment import best_device, data_folder, provenance
from audiopg.recipes import recipe_for
from audiopg.records import read_record

ROUNDS, STEPS, WARM_UP = 3, 5, 2
# What computes the same function as the first row.
SAME = ("attention written out", "AdamW one by one", "in float32", "compiled")
# The recipe of results/pretrain-tiny-adamw.json, in float32, clips of the one that is compared with it, and its
# own steps that are timed.
BEFORE = PretrainSettings(
    preset="tiny",
    steps=2000,
    batch_size=32,
    learning_rate=1e-3,
    warmup_steps=100,
    schedule="cosine",
)
CLIPS, TIMED = 12_800, 40


def plain_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """Attention as it is written in the textbook: two products and a softmax, all of it stored."""
    scores = query @ key.mT / query.shape[-1] ** 0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return scores.softmax(dim=-1).to(value.dtype) @ value


def one_by_one(parameters: list[Tensor], fused: bool, **options: object) -> AdamW:
    """AdamW that treats the parameters one after another."""
    return AdamW(parameters, foreach=False, fused=False, **options)


def swapped(module: str, name: str, into: Callable) -> AbstractContextManager:
    """The library with one of its parts exchanged."""
    return mock.patch(f"{module}.{name}", into)


def rows() -> dict[str, tuple[str | None, PretrainSettings, Callable[[], AbstractContextManager]]]:
    """A name, what it is to be compared with, its settings, and what to exchange meanwhile."""
    steps = recipe_steps("paper" if best_device().type == "cuda" else "cpu")
    plain = partial(swapped, "audiopg.mae", "attention", plain_attention)
    slow = partial(swapped, "audiopg.pretraining", "AdamW", one_by_one)
    first = next(iter(steps))
    settings = steps.pop(first)
    steps.pop("schedule", None)  # Another rate costs nothing, nor does another start.
    steps.pop("mimetic-start", None)
    return {
        first: (None, settings, nullcontext),
        "attention written out": (first, settings, plain),
        "AdamW one by one": (first, settings, slow),
        "in float32": (first, replace(settings, precision="float32"), nullcontext),
        "compiled": (first, replace(settings, compiled=True), nullcontext),
        **{name: (first, each, nullcontext) for name, each in steps.items()},
    }


def one_turn(settings: PretrainSettings) -> tuple[float, Tensor]:
    """Clips a second, by the median of some steps after others that are not counted; the losses."""
    stamps: list[float] = []
    result = pretrain(
        replace(settings, steps=WARM_UP + STEPS, warmup_steps=0, schedule="constant"),
        progress=False,
        watch=lambda *_: stamps.append(time.perf_counter()),
    )
    return settings.batch_size / float(np.median(np.diff(stamps)[WARM_UP:])), result.losses


def shortened(settings: PretrainSettings, clips: int) -> PretrainSettings:
    """The same recipe with fewer clips: its cooldown in proportion, its warm-up as it is."""
    steps = max(1, clips // settings.batch_size)
    cooldown = round(settings.cooldown_steps * steps / settings.steps)
    warmup = min(settings.warmup_steps, steps // 10)
    return replace(settings, steps=steps, cooldown_steps=cooldown, warmup_steps=warmup)


def probed(model: MaskedAutoencoder) -> dict[str, float]:
    """Accuracy of a linear probe of ESC-10 at native length, by pooling; {} where it is not there."""
    clips = find_dataset("esc10", data_folder())
    if clips is None:
        return {}
    found = probe(model.encoder, clips, progress=False)
    return {name: found[kind]["mean"] for name, kind in zip(POOLINGS, found, strict=True)}


def one_run(settings: PretrainSettings) -> dict:
    """What a run takes of one thread of the processor, and what it has learned then."""
    began = time.process_time()
    model = pretrain(settings, device="cpu", progress=False).model
    return {
        "clips": settings.steps * settings.batch_size,
        "processor_seconds": time.process_time() - began,
        "held_out_loss": held_out_loss(model, settings.prior),
        "probe": probed(model),
    }


def time_to_quality(clips: int = CLIPS, timed: int = TIMED) -> dict[str, dict]:
    """The recipe `cpu` for some clips, and the one before it, whose time is that of some of its steps."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    table = {}
    try:
        for preset in ("mini", "tiny"):
            settings = replace(recipe_for(preset, "cpu"), precision="float32")
            table[f"cpu, {preset}"] = one_run(shortened(settings, clips))
        began = time.process_time()
        pretrain(replace(BEFORE, steps=timed), device="cpu", progress=False)
        seconds = (time.process_time() - began) * BEFORE.steps / timed
    finally:
        torch.set_num_threads(threads)
    losses = read_record("pretrain-tiny-adamw")
    probed = read_record("probe-esc10-tiny-adamw-native")
    kept = {
        pooling: probed["metrics"][f"this encoder{name}"]["mean"]
        for pooling, name in zip(POOLINGS, ("", ", frequency pooling"), strict=True)
    }
    table["before, tiny"] = {
        "clips": BEFORE.steps * BEFORE.batch_size,
        "processor_seconds": seconds,
        "held_out_loss": float(np.mean(losses["metrics"]["loss"][-100:])),
        "probe": kept,
    }
    return table


def print_quality(table: dict[str, dict]) -> None:
    """A line a run; the last is what the first is to be as good as, by its own record."""
    print("float32, one thread; ESC-10 by a linear probe at native length, mean / frequency")
    longest = max(row["processor_seconds"] for row in table.values())
    for name, row in table.items():
        probe = " / ".join(f"{100 * value:.1f} %" for value in row["probe"].values())
        print(
            f"  {name:25} {row['clips']:7,} clips {row['processor_seconds']:8,.0f} s, 1 / "
            f"{longest / row['processor_seconds']:.1f}, loss {row['held_out_loss']:.3f}, {probe}"
        )


def main() -> dict:
    """Print both tables; return what a record says."""
    table = rows()
    rates = {name: [] for name in table}
    losses = {}
    for _ in range(ROUNDS):
        for name, (_, settings, exchange) in table.items():
            with exchange():
                rate, losses[name] = one_turn(settings)
            rates[name].append(rate)

    where = provenance(best_device())
    first = next(iter(table.values()))[1]
    preset, batch_size = first.preset, first.batch_size
    print(f"{preset}, {batch_size} clips a step if not said otherwise, {where['device']}")
    figures = {}
    for name, (reference, _, _) in table.items():
        figures[name] = {"clips_per_second": float(np.median(rates[name]))}
        line = f"  {name:32} {figures[name]['clips_per_second']:8.1f} clips/s"
        if reference:
            # Within a round, so that a machine's moods touch both alike.
            ratio = float(np.median(np.divide(rates[name], rates[reference])))
            figures[name] |= {"reference": reference, "speed": ratio}
            line += f", {ratio:.2f} x {reference}"
            if name in SAME:
                apart = (losses[name] - losses[reference]).abs().max().item()
                figures[name]["loss_apart"] = apart
                line += f", losses at most {apart:.1e} apart"
        print(line)
    quality = time_to_quality()
    print_quality(quality)
    return {
        "settings": {"preset": preset, "batch_size": batch_size, "rounds": ROUNDS, "steps": STEPS},
        "metrics": {"rows": figures, "quality": quality},
        "data": "clips synthesized from the 'full' prior; probed on ESC-10 where it is at hand",
        "protocol": f"speeds: median over {ROUNDS} rounds, the rows in turn within each; a round's "
        f"figure is the median of {STEPS} steps after {WARM_UP} not counted; quality: the "
        "processor's seconds of whole runs on one thread in float32, and of the recipe before those "
        f"of {TIMED} steps times {BEFORE.steps // TIMED}; linear probe of clips at native length",
        "where": where,
    }
