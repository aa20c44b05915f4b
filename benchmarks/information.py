"""Mutual information of 768 dimensions with 3 factors over 5,000 clips, against scikit-learn.

The reference is ``mutual_info_regression``, called dimension by dimension as one does. Its cost is
the same for every dimension, so it is measured on a few of them, evenly spaced, and multiplied; ours
is measured whole. Both run in this process, in turn, with the same number of threads, and their
estimates are compared. Seconds are those of the processor.

The embeddings are made from the factors of clips by a random layer, without audio: what counts is
that dimensions tell from nothing to a lot, as those of encoders do.

    python -m audiopg bench information --record bench-information
"""

import time

import numpy as np
import torch
from sklearn.feature_selection import mutual_info_regression
from torch import Tensor

from audiopg import SynthPrior
from audiopg.analysis import mutual_information
from audiopg.environment import provenance

CLIPS, DIMENSIONS, NEIGHBOURS = 5000, 768, 3
REFERENCE_DIMENSIONS = 24
ROUNDS = 3
GROWTH = (500, 1000, 2000, 5000, 10_000)


def made(clips: int = CLIPS, dimensions: int = DIMENSIONS) -> tuple[Tensor, dict[str, Tensor]]:
    """Embeddings (clips, dimensions) float32 and three factors (clips,) of the same clips."""
    params = SynthPrior.preset("full").sample(torch.arange(clips), seed=1)
    factors = {
        "log f0": params.f0[:, 0].log2(),
        "log noise level": params.noise_level.log2(),
        "onset": params.onset.masked_fill(~params.event_mask, torch.inf).amin(dim=1),
    }
    known = [params.event_count, params.cutoff.clamp(max=8000), params.rolloff[:, 0]]
    known += [params.length[:, 0], params.excitation[:, 0], params.burst_amplitude[:, 0]]
    sources = torch.stack([*factors.values(), *known], dim=1).double()
    sources = (sources - sources.mean(dim=0)) / sources.std(dim=0)
    generator = torch.Generator().manual_seed(0)
    # Cubes: most weights are small and few are large, so that some dimensions have one factor.
    mixing = torch.randn(sources.shape[1], dimensions, generator=generator).double() ** 3
    mixing /= mixing.norm(dim=0)
    noise = torch.randn(clips, dimensions, generator=generator).double()
    return torch.tanh(sources @ mixing + 0.3 * noise).float(), factors


def ours(embeddings: Tensor, factors: dict[str, Tensor]) -> tuple[float, Tensor]:
    """Seconds, and (factors, dimensions) in nats."""
    began = time.process_time()
    found = [mutual_information(embeddings, f, neighbours=NEIGHBOURS) for f in factors.values()]
    return time.process_time() - began, torch.stack(found)


def reference(embeddings: np.ndarray, factors: dict[str, Tensor]) -> tuple[float, np.ndarray]:
    """Seconds, and (factors, dimensions) in nats, none below 0."""
    arrays = [factor.numpy() for factor in factors.values()]
    began = time.process_time()
    found = [
        [
            mutual_info_regression(x[:, None], y, n_neighbors=NEIGHBOURS, random_state=0)[0]
            for x in embeddings.T
        ]
        for y in arrays
    ]
    return time.process_time() - began, np.array(found)


def compare(embeddings: Tensor, factors: dict[str, Tensor]) -> dict[str, float]:
    """Median seconds of both for all dimensions, and how far their estimates are apart."""
    dimensions = embeddings.shape[1]
    chosen = torch.linspace(0, dimensions - 1, REFERENCE_DIMENSIONS).long()
    few = embeddings[:, chosen].double().numpy()
    ours(embeddings[:, :32], factors)
    taken, theirs = [], []
    for _ in range(ROUNDS):
        seconds, found = ours(embeddings, factors)
        taken.append(seconds)
        seconds, expected = reference(few, factors)
        theirs.append(seconds * dimensions / len(chosen))
    difference = found[:, chosen].clamp(min=0).numpy() - expected
    return {
        "seconds": float(np.median(taken)),
        "reference_seconds": float(np.median(theirs)),
        "ratio": float(np.median(theirs) / np.median(taken)),
        "largest_difference_nats": float(np.abs(difference).max()),
        "most_nats": found.max().item(),
        "median_nats": found.median().item(),
    }


def growth() -> dict[str, list[float]]:
    """Milliseconds a dimension and factor of both against the number of clips."""
    curves: dict[str, list[float]] = {"clips": list(GROWTH), "ours": [], "reference": []}
    for clips in GROWTH:
        embeddings, factors = made(clips, 48)
        ours(embeddings, factors)
        few = embeddings[:, :3].double().numpy()
        seconds, _ = ours(embeddings, factors)
        curves["ours"].append(1e3 * seconds / 48 / len(factors))
        seconds, _ = reference(few, factors)
        curves["reference"].append(1e3 * seconds / 3 / len(factors))
    return curves


def main() -> dict:
    """Print the table; return what a record says."""
    every = torch.get_num_threads()
    embeddings, factors = made()
    metrics: dict[str, dict] = {}
    print(f"{DIMENSIONS} dimensions, {len(factors)} factors, {CLIPS} clips, k = {NEIGHBOURS}")
    torch.set_num_threads(1)
    metrics["CPU, 1 thread"] = found = compare(embeddings, factors)
    print(
        f"  {found['seconds']:7.2f} s, scikit-learn {found['reference_seconds']:7.1f} s (from "
        f"{REFERENCE_DIMENSIONS} dimensions): {found['ratio']:.1f} x; estimates differ by at most "
        f"{found['largest_difference_nats']:.1e} nats"
    )
    print(f"  a dimension tells {found['median_nats']:.2f}, at most {found['most_nats']:.2f} nats")
    curves = metrics["growth, ms a dimension, 1 thread"] = growth()
    torch.set_num_threads(every)
    print("  growth, ms a dimension on 1 thread of a CPU")
    for name in ("ours", "reference"):
        points = zip(curves["clips"], curves[name], strict=True)
        print(f"    {name}: " + ", ".join(f"{clips}: {ms:.2f}" for clips, ms in points))
    return {
        "settings": {
            "clips": CLIPS,
            "dimensions": DIMENSIONS,
            "neighbours": NEIGHBOURS,
            "reference_dimensions": REFERENCE_DIMENSIONS,
            "rounds": ROUNDS,
        },
        "metrics": metrics,
        "data": "embeddings made from the factors of clips of the 'full' prior by a random layer",
        "protocol": f"median of {ROUNDS} rounds, both in turn in each; scikit-learn's "
        f"mutual_info_regression on {REFERENCE_DIMENSIONS} of the dimensions one by one, "
        "multiplied up, on one thread",
        "where": provenance("cpu"),
    }
