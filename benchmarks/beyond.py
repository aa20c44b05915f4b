"""Beyond the paper: what the additions to the synthesizer and the auxiliary head cost.

Each prior is rendered alone, and trained on as in the tables of the book, against the prior `full` in the
same round.

    python -m audiopg bench beyond --record bench-beyond
"""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from audiopg import PretrainSettings, SynthPrior, pretrain, render
from audiopg.book.experiments import SCALES
from audiopg.environment import best_device, provenance
from audiopg.synth import ADDITIONS

ROUNDS, STEPS, WARM_UP = 5, 3, 1
PRIORS = ("full", "extended", *(f"full+{name}" for name in ADDITIONS))
AUXILIARY = "full, auxiliary head"


def seconds_to_render(prior: str, clips: int, device: torch.device) -> float:
    """For one batch of clips, drawn and rendered: the median of some that are different."""
    sounds, stamps = SynthPrior.preset(prior), [time.perf_counter()]
    for step in range(WARM_UP + STEPS):
        numbers = torch.arange(step * clips, (step + 1) * clips, device=device)
        # Reading a sample waits for the device.
        render(sounds.sample(numbers, seed=0))[0, 0].item()
        stamps.append(time.perf_counter())
    return float(np.median(np.diff(stamps)[WARM_UP:]))


def seconds_a_step(settings: PretrainSettings) -> float:
    """Of the real loop, the median of some steps after one that is not counted."""
    stamps: list[float] = []
    pretrain(
        replace(settings, steps=WARM_UP + STEPS + 1),
        progress=False,
        watch=lambda *_: stamps.append(time.perf_counter()),
    )
    return float(np.median(np.diff(stamps)[WARM_UP:]))


def in_turn(measures: dict[str, Callable[[], float]]) -> dict[str, np.ndarray]:
    """Each measure once a round, so that a machine's moods touch all alike: (rounds,) each."""
    rounds = [{name: measure() for name, measure in measures.items()} for _ in range(ROUNDS)]
    return {name: np.array([each[name] for each in rounds]) for name in measures}


def main() -> dict:
    """Print the table; return what a record says."""
    device = best_device()
    settings = SCALES["paper" if device.type == "cuda" else "cpu"]
    clips = settings.batch_size
    rendered = in_turn(
        {prior: lambda prior=prior: seconds_to_render(prior, clips, device) for prior in PRIORS}
    )
    trained = {prior: replace(settings, prior=prior) for prior in PRIORS}
    trained[AUXILIARY] = replace(settings, auxiliary_weight=0.1)
    stepped = in_turn({name: lambda one=one: seconds_a_step(one) for name, one in trained.items()})

    where = provenance(device)
    print(f"{settings.preset}, {clips} clips a step, {where['device']}; against full, same round")
    figures = {}
    for name, seconds in stepped.items():
        figures[name] = {"step": float(np.median(seconds)), "time": ratio(stepped, name)}
        line = (
            f"  {name:20} step {1e3 * figures[name]['step']:7.1f} ms, {ratio(stepped, name):.3f} x"
        )
        if name in rendered:
            figures[name] |= {"render": float(np.median(rendered[name]))}
            figures[name] |= {"rendering_time": ratio(rendered, name)}
            line += f"; rendering {1e3 * figures[name]['render']:6.1f} ms, "
            line += f"{ratio(rendered, name):.2f} x"
        print(line)
    return {
        "settings": {"preset": settings.preset, "batch_size": clips, "rounds": ROUNDS},
        "metrics": {"rows": figures},
        "data": "synthesized clips, no recordings",
        "protocol": f"median over {ROUNDS} rounds, the rows in turn within each; a round's figure "
        f"is the median of {STEPS} steps after {WARM_UP} not counted",
        "where": where,
    }


def ratio(seconds: dict[str, np.ndarray], name: str) -> float:
    """Of the time of a row to that of `full`, the median over the rounds."""
    return float(np.median(seconds[name] / seconds["full"]))
