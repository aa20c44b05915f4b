"""Pre-training: clips a second, arithmetic, and what share of it the device could do at best.

The network, the precision and the number of clips a step are those of the device: ViT-B on a GPU,
`tiny` on a CPU. Against the real loop, eager and compiled, stands the way of the paper's released
code: clips made one at a time in NumPy by the workers of a ``DataLoader``, feeding the same network.

    python -m audiopg bench pretrain --record bench-pretrain
"""

import os
import runpy
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from audiopg import LogMel, MaskedAutoencoder, SynthPrior, render
from audiopg.environment import PRECISIONS, autocast, best_device, best_precision, provenance
from audiopg.mae import BANDS, MOST_TOKENS, PIXELS, Architecture
from audiopg.pretraining import PretrainSettings, pretrain

STEPS, WARM_UP = 8, 3
# Dense products in bfloat16, TFLOP/s, as NVIDIA's data sheets give them.
PEAKS = {"H100": 989.0, "H200": 989.0, "A100": 312.0, "RTX 4090": 165.2}


def forward_flops(architecture: Architecture, mask_ratio: float = 0.75) -> int:
    """Floating-point operations of the products in one forward pass over one clip.

    A product of (n, a) and (a, b) counts 2 n a b. A block of width d over n tokens has the
    projections to and from the attention, 2 n d (3 d + d), its two products of n by n, 4 n² d, and
    the perceptron, 2 n (4 d² + 4 d²). A backward pass costs twice as much again.
    """

    def blocks(tokens: int, width: int, depth: int) -> int:
        return depth * (24 * tokens * width**2 + 4 * tokens**2 * width)

    a, extra = architecture, int(architecture.class_token)
    visible = int(MOST_TOKENS * (1 - mask_ratio))
    embedding = 2 * visible * PIXELS * a.width
    bridge = 2 * (extra + visible) * a.width * a.decoder_width
    output = 2 * MOST_TOKENS * a.decoder_width * PIXELS
    encoder = blocks(extra + visible, a.width, a.depth)
    decoder = blocks(extra + MOST_TOKENS, a.decoder_width, a.decoder_depth)
    return embedding + encoder + bridge + decoder + output


def seconds_a_step(settings: PretrainSettings) -> float:
    """Median seconds of a step of the real loop, after some that are not counted."""
    stamps: list[float] = []
    settings = replace(settings, steps=WARM_UP + STEPS)
    pretrain(settings, progress=False, watch=lambda *_: stamps.append(time.perf_counter()))
    return float(np.median(np.diff(stamps)[WARM_UP:]))


def median_seconds(task: Callable[[], object]) -> float:
    """Median seconds of a task, after some rounds that are not counted."""
    taken = []
    for _ in range(WARM_UP + STEPS):
        began = time.perf_counter()
        task()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - began)
    return float(np.median(taken[WARM_UP:]))


class PerClip(Dataset):
    """Clips of the benchmark of synthesis, one at a time in NumPy, as log-mel."""

    def __init__(self, clips: int) -> None:
        reference = runpy.run_path(str(Path(__file__).with_name("synth.py")))
        self.wave, self.log_mel = reference["reference_clip"], reference["reference_log_mel"]
        self.clips, self.prior = clips, SynthPrior.preset("full")

    def __len__(self) -> int:
        return self.clips

    def __getitem__(self, clip: int) -> Tensor:
        params = self.prior.sample(torch.tensor([clip]), seed=0)
        mel = self.log_mel(self.wave(params, 0, np.random.default_rng(clip)))
        return torch.nn.functional.pad(mel, (0, 0, 0, MOST_TOKENS // BANDS * 16 - len(mel)))


def peer_seconds_a_step(settings: PretrainSettings, device: torch.device) -> float:
    """Median seconds of a step of the same network when workers make its clips one by one."""
    model = MaskedAutoencoder.preset(settings.preset).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate)
    steps = WARM_UP + STEPS
    # Forked, because a class that runpy has made cannot be sent to another process.
    loader = DataLoader(
        PerClip(steps * settings.batch_size),
        settings.batch_size,
        num_workers=os.cpu_count() or 1,
        multiprocessing_context="fork",
    )
    stamps = [time.perf_counter()]
    for step, mel in enumerate(loader):
        clips = torch.arange(settings.batch_size) + step * settings.batch_size
        with autocast(device, settings.precision):
            loss = model(mel.to(device), clips, seed=0).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        loss.item()
        stamps.append(time.perf_counter())
    return float(np.median(np.diff(stamps)[WARM_UP:]))


def fastest_product(device: torch.device) -> float:
    """TFLOP/s of one large product in the precision that suits the device: what it can do."""
    side = 8192 if device.type == "cuda" else 2048
    kind = PRECISIONS[best_precision(device)]
    left, right = torch.randn(2, side, side, device=device, dtype=kind)
    return 2 * side**3 / median_seconds(lambda: left @ right) / 1e12


def main() -> dict:
    """Print the table; return what a record says."""
    device = best_device()
    on_gpu = device.type == "cuda"
    settings = PretrainSettings(
        preset="base" if on_gpu else "tiny",
        batch_size=256 if on_gpu else 16,
        precision=best_precision(device),
    )
    flops = 3 * forward_flops(settings.architecture, settings.mask_ratio)
    most = fastest_product(device)
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    steps = {
        "eager": seconds_a_step(settings),
        "compiled": seconds_a_step(replace(settings, compiled=True)),
        "the peer's way": peer_seconds_a_step(settings, device),
    }
    prior, log_mel = SynthPrior.preset(settings.prior), LogMel().to(device)
    clips = torch.arange(settings.batch_size, device=device)
    synthesis = median_seconds(lambda: log_mel(render(prior.sample(clips, 0))))

    where = provenance(device)
    print(
        f"{settings.preset} in {settings.precision}, {settings.batch_size} clips a step, {where['device']}"
    )
    print(f"{flops / 1e9:.1f} GFLOP a clip, forward and backward; "
          f"the fastest product measured runs at {most:.2f} TFLOP/s")  # fmt: skip
    figures = {}
    for name, seconds in steps.items():
        rate = settings.batch_size / seconds
        figures[name] = {
            "clips_per_second": rate,
            "teraflops": rate * flops / 1e12,
            "share_of_fastest_product": rate * flops / 1e12 / most,
        }
        line = f"  {name:16} {rate:8.1f} clips/s {rate * flops / 1e12:8.2f} TFLOP/s, "
        line += f"{100 * figures[name]['share_of_fastest_product']:.0f} % of the fastest product"
        published = [peak for model, peak in PEAKS.items() if model in where["device"]]
        if published:
            figures[name]["utilisation"] = rate * flops / 1e12 / published[0]
            line += f", {100 * figures[name]['utilisation']:.0f} % of the published peak"
        print(line)
    share = synthesis / min(steps["eager"], steps["compiled"])
    print(f"  synthesis with log-mel takes {100 * share:.1f} % of the faster step")
    metrics = {
        "gigaflops_a_clip": flops / 1e9,
        "fastest_product_teraflops": most,
        "ways": figures,
        "share_of_synthesis": share,
    }
    if on_gpu:
        metrics["peak_bytes"] = torch.cuda.max_memory_allocated()
        print(f"  peak memory {metrics['peak_bytes'] / 2**30:.1f} GiB")
    return {
        "settings": {
            "preset": settings.preset,
            "batch_size": settings.batch_size,
            "precision": settings.precision,
            "steps": STEPS,
        },
        "metrics": metrics,
        "data": "clips synthesized from the 'full' prior, no recordings",
        "protocol": f"median of {STEPS} steps after {WARM_UP} not counted; one way after another",
        "where": where,
    }
