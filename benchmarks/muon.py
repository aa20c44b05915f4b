"""Muon: the processor's seconds for a step of the optimiser, against `torch.optim.Muon`'s.

Both move the matrices of the same `tiny` network by the gradients of the same 16 clips, in turn. Beside
them stand the forward and the backward pass over these clips, in the precision that the processor is
good at. On a processor with units for bfloat16, this shows what one without them would take:

    ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 python -m audiopg bench muon

    python -m audiopg bench muon --record bench-muon
"""

import time
from collections.abc import Callable

import torch
from torch import nn

from audiopg import LogMel, MaskedAutoencoder, SynthPrior, render
from audiopg.environment import PRECISIONS, autocast, best_precision, provenance
from audiopg.muon import Muon

CLIPS, ROUNDS = 16, 5


def matrices_of(model: MaskedAutoencoder) -> list[nn.Parameter]:
    """What Muon moves."""
    return [p for name, p in model.named_parameters() if "blocks." in name and p.ndim == 2]


def seconds_of(task: Callable[[], object]) -> float:
    """The processor's seconds, of all threads together."""
    began = time.process_time()
    task()
    return time.process_time() - began


def main() -> dict:
    """Print the table; return what a record says."""
    precision, where = best_precision("cpu"), provenance()
    clips = torch.arange(CLIPS)
    mel = LogMel()(render(SynthPrior.preset("full").sample(clips, seed=0)))
    models = [MaskedAutoencoder.preset("tiny") for _ in range(2)]
    options = {"lr": 1e-3, "weight_decay": 0.05}
    ours = Muon(matrices_of(models[0]), precision=PRECISIONS[precision], **options)
    theirs = torch.optim.Muon(matrices_of(models[1]), adjust_lr_fn="match_rms_adamw", **options)

    def passes(model: MaskedAutoencoder) -> None:
        with autocast(torch.device("cpu"), precision):
            loss = model(mel, clips, seed=0).loss
        model.zero_grad()
        loss.backward()

    passes(models[0])
    passes(models[1])
    tasks = {"passes": lambda: passes(models[0]), "ours": ours.step, "torch": theirs.step}
    taken = {name: [] for name in tasks}
    for _ in range(ROUNDS):
        for name, task in tasks.items():
            taken[name].append(seconds_of(task))
    # The first round makes memory that later ones use again.
    best = {name: min(seconds[1:]) for name, seconds in taken.items()}
    ratio = best["torch"] / best["ours"]
    share = best["ours"] / (best["passes"] + best["ours"])
    print(f"tiny in {precision}, {CLIPS} clips a step, {where['device']}")
    print(f"  forward and backward {1e3 * best['passes']:8.0f} ms of the processor")
    print(f"  our step of Muon     {1e3 * best['ours']:8.0f} ms, {100 * share:.1f} % of a step")
    print(f"  torch.optim.Muon     {1e3 * best['torch']:8.0f} ms, {ratio:.1f} times ours")
    return {
        "settings": {
            "preset": "tiny",
            "precision": precision,
            "batch_size": CLIPS,
            "rounds": ROUNDS,
        },
        "metrics": {"processor_seconds": best, "ratio_to_torch": ratio, "share_of_step": share},
        "data": f"{CLIPS} clips synthesized from the 'full' prior, no recordings",
        "protocol": f"the least processor time of {ROUNDS - 1} rounds after one not counted, the "
        "three in turn within each",
        "where": where,
    }
