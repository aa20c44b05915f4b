"""Transfer: fine-tuning steps a second, how much of a step waits for data, embedding clips a second.

The network and the clips a step are those of the device: ViT-B and 32 on a GPU, `tiny` and 8 on a
CPU. Clips of five seconds are synthesized, written as FLAC files and read through the cache, as
recordings are. Against the real loop stands the usual way: files decoded, and log-mels made, clip by
clip by the workers of a ``DataLoader``, feeding the same network, nothing changed by chance.

    python -m audiopg bench transfer --record bench-transfer
"""

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from audiopg import Encoder, LogMel, SynthPrior, render
from audiopg.datasets import CachedWaves, LabelledClips, cached_waves, load_audio
from audiopg.environment import autocast, best_device, best_precision, provenance
from audiopg.frontend import fit_length
from audiopg.synth import CLIP_SAMPLES, SAMPLE_RATE
from audiopg.transfer.augment import fold_key
from audiopg.transfer.finetune import (
    FINETUNE_RECIPES,
    Classifier,
    FinetuneSettings,
    epoch_draws,
    finetune,
    training_batch,
)
from audiopg.transfer.spectrograms import log_mels

SECONDS, CLASSES = 5, 10
STEPS, ROUNDS, WARM_UP = 4, 3, 1
EMBEDDED = 32


@contextmanager
def recordings(number: int) -> Iterator[CachedWaves]:
    """Synthesized clips as files of 5 s, a fifth of them to test, through a cache of their own."""
    import soundfile

    with tempfile.TemporaryDirectory() as folder:
        waves = render(SynthPrior.preset("full").sample(torch.arange(number), seed=0))
        paths = [Path(folder) / f"{clip:02}.flac" for clip in range(number)]
        for path, wave in zip(paths, waves[:, : SECONDS * SAMPLE_RATE].numpy(), strict=True):
            soundfile.write(path, wave, SAMPLE_RATE, "PCM_16")
        clips = LabelledClips(
            name="synthesized",
            paths=paths,
            labels=np.arange(number) % CLASSES,
            folds=(np.arange(number) >= number // (STEPS + 1)).astype(np.int64),
            classes=[f"class {name}" for name in range(CLASSES)],
            licence="MIT",
            fold_names={0: "fold 0", 1: "fold 1"},
            test_folds=[0],
        )
        before = os.environ.get("AUDIOPG_CACHE")
        os.environ["AUDIOPG_CACHE"] = str(Path(folder) / "cache")
        try:
            yield cached_waves(clips, progress=False)
        finally:
            del os.environ["AUDIOPG_CACHE"]
            if before is not None:
                os.environ["AUDIOPG_CACHE"] = before


def median_seconds(task: Callable[[], object]) -> float:
    """Median seconds of a task, after a round that is not counted."""
    taken = []
    for _ in range(WARM_UP + ROUNDS):
        began = time.perf_counter()
        task()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - began)
    return float(np.median(taken[WARM_UP:]))


def seconds_a_step(settings: FinetuneSettings, waves: CachedWaves, encoder: Encoder) -> float:
    """Seconds of a step of the real loop, in the median epoch."""
    settings = replace(settings, epochs=WARM_UP + ROUNDS, checkpoint_seconds=3600.0)
    with tempfile.TemporaryDirectory() as folder:
        finetune(settings, waves.clips, waves, encoder, folder, progress=False)
        lines = (Path(folder) / "seed-0/fold-0/metrics.jsonl").read_text().splitlines()
    stamps = [json.loads(line)["seconds"] for line in lines]
    return float(np.median(np.diff(stamps)[WARM_UP - 1 :])) / STEPS


def seconds_of_data(settings: FinetuneSettings, waves: CachedWaves, encoder: Encoder) -> float:
    """Seconds a step spends on its batch: chance drawn, clips gathered, rolled, mixed, masked."""
    device, depth = best_device(), encoder.architecture.depth
    mels = log_mels(waves, encoder.log_mel, settings.native_length, device)
    targets = torch.eye(CLASSES, device=device)[waves.clips.labels]
    order, key = torch.from_numpy(np.flatnonzero(waves.clips.folds != 0)), fold_key(0, 0)

    def epoch() -> None:
        chance = epoch_draws(settings, mels, order, key, 0, depth)
        batches = zip(*(t.split(settings.batch_size) for t in (order, *chance)), strict=True)
        for rows, *draws in batches:
            training_batch(settings, mels, targets, rows, *draws)

    return median_seconds(epoch) / STEPS


class Files(Dataset):
    """Training clips decoded from their files and made log-mels one at a time."""

    def __init__(self, clips: LabelledClips, native_length: bool) -> None:
        self.rows = np.tile(np.flatnonzero(clips.folds != 0), 2)
        self.clips, self.native_length, self.log_mel = clips, native_length, LogMel()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        row = self.rows[place]
        wave = load_audio(self.clips.paths[row])
        if not self.native_length:
            wave = fit_length(wave, CLIP_SAMPLES)
        return self.log_mel(wave[None])[0], int(self.clips.labels[row])


def usual_seconds_a_step(
    settings: FinetuneSettings, clips: LabelledClips, encoder: Encoder
) -> float:
    """Median seconds of a step of the same network on what a DataLoader's workers make."""
    device = best_device()
    model = Classifier(encoder, CLASSES).requires_grad_(True).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, fused=True)
    # Forked, because a class that runpy has made cannot be sent to another process.
    loader = DataLoader(
        Files(clips, settings.native_length),
        settings.batch_size,
        num_workers=os.cpu_count() or 1,
        multiprocessing_context="fork",
    )
    stamps = [time.perf_counter()]
    for mel, labels in loader:
        with autocast(device, settings.precision):
            logits = model(mel.to(device))
        loss = torch.nn.functional.cross_entropy(logits.float(), labels.to(device))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        loss.item()
        stamps.append(time.perf_counter())
    return float(np.median(np.diff(stamps)[WARM_UP:]))


def main() -> dict:
    """Print the figures; return what a record says."""
    device = best_device()
    on_gpu = device.type == "cuda"
    preset, clips = ("base", 32) if on_gpu else ("tiny", 8)
    where, precision = provenance(device), best_precision(device)
    print(f"{preset} in {precision}, {clips} clips of {SECONDS} s a step, {where['device']}")
    metrics = {}
    paper = replace(FINETUNE_RECIPES["paper"], precision=precision, batch_size=clips)
    ways = {
        "at 10.24 s": paper,
        "at their own length": replace(paper, native_length=True),
        "recipe fast": replace(FINETUNE_RECIPES["fast"], precision=precision, batch_size=clips),
    }
    with recordings((STEPS + 1) * clips) as waves:
        for name, settings in ways.items():
            encoder = Encoder.preset(preset)
            step = seconds_a_step(settings, waves, encoder)
            data = seconds_of_data(settings, waves, encoder)
            usual = usual_seconds_a_step(settings, waves.clips, encoder)
            metrics[name] = {
                "steps_per_second": 1 / step,
                "share_of_data": data / step,
                "steps_per_second_of_the_usual_way": 1 / usual,
                "ratio": usual / step,
            }
            print(
                f"  {name:20} {1 / step:7.2f} steps/s, {100 * data / step:.1f} % of it for data; "
                f"the usual way {1 / usual:.2f} steps/s, ratio {usual / step:.2f}"
            )
        encoder = Encoder.preset(preset).to(device)
        preparation = median_seconds(lambda: log_mels(waves, encoder.log_mel, True, device))
        metrics["spectrograms_per_second"] = len(waves) / preparation
        print(f"  spectrograms before the first step: {len(waves) / preparation:.0f} clips/s")
        rows = range(min(EMBEDDED, len(waves)))
        whole = torch.stack([fit_length(waves.native(row), CLIP_SAMPLES) for row in rows])
        metrics["embedded_clips_per_second"] = {}
        for where_to in dict.fromkeys(("cpu", device.type)):
            encoder = encoder.to(where_to)
            rate = len(whole) / median_seconds(partial(encoder.embed, whole))
            metrics["embedded_clips_per_second"][where_to] = rate
            print(f"  embedding on {where_to}: {rate:.1f} clips/s of 10.24 s, in float32")
    return {
        "settings": {
            "preset": preset,
            "precision": precision,
            "batch_size": clips,
            "steps": STEPS,
            "rounds": ROUNDS,
        },
        "metrics": metrics,
        "data": f"{len(waves)} clips synthesized from the 'full' prior, as FLAC files of {SECONDS} s",
        "protocol": f"median of {ROUNDS} epochs of {STEPS} steps, after one not counted; the "
        f"usual way: median of {2 * STEPS - WARM_UP} steps, after one not counted",
        "where": where,
    }
