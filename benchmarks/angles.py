"""Does an embedding change in other directions with one factor than with another?

`audiopg analyze` finds the angles between the weights that read two factors. Weights also cancel other
factors. So here is the other direction: a linear regression of the embeddings on all three factors
together tells how they change with each factor while the others stand still. The angles between these
changes have intervals by the bootstrap over clips, and beside them stand those of shuffled factors.

    python -m audiopg bench angles --record bench-angles
"""

from collections.abc import Iterable

import numpy as np

from audiopg import LogMel, load_encoder
from audiopg.analysis import (
    clip_factors,
    controlled_clips,
    embed_clips,
    principal_angles,
    ridge_subspace,
    subspace_angles,
)
from audiopg.commands.common import untrained_like
from audiopg.records import pack

CLIPS, DRAWS, SHUFFLES = 2500, 1000, 100


def encoding_angles(embeddings: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Angles between the changes of embeddings with every two factors, the others standing still.

    Args:
        embeddings: (clips, dimensions).
        factors: (clips, factors).

    Returns:
        (pairs,) degrees from 0 to 90, the first factor with each later one, then the second, and so on.
    """
    slopes = np.linalg.lstsq(factors - factors.mean(axis=0), embeddings, rcond=None)[0]
    slopes /= np.linalg.norm(slopes, axis=1, keepdims=True)
    cosines = np.abs(slopes @ slopes.T)[np.triu_indices(len(slopes), 1)]
    return np.degrees(np.arccos(cosines.clip(max=1)))


def middle(draws: Iterable[np.ndarray]) -> dict[str, list[float]]:
    """Median and the ends of the middle 95 % of each column of the draws."""
    ends = np.quantile(list(draws), (0.5, 0.025, 0.975), axis=0)
    return dict(zip(("median", "low", "high"), ends.tolist(), strict=True))


def encoded(embeddings: np.ndarray, factors: np.ndarray) -> dict[str, dict[str, list[float]]]:
    """The angles of `encoding_angles` with the bootstrap's middle 95 %, and those of shuffled factors."""
    random, clips = np.random.default_rng(0), len(embeddings)
    drawn = (random.integers(clips, size=clips) for _ in range(DRAWS))
    bootstrap = middle(encoding_angles(embeddings[rows], factors[rows]) for rows in drawn)
    shuffled = (random.permuted(factors, axis=0) for _ in range(DRAWS))
    chance = np.concatenate([encoding_angles(embeddings, each) for each in shuffled])
    return {
        "factors": bootstrap | {"angle": encoding_angles(embeddings, factors).tolist()},
        "shuffled": middle(chance[:, None]),
    }


def real_and_shuffled(embeddings: np.ndarray, factors: dict[str, np.ndarray]) -> dict[str, list]:
    """Smallest angle between the `ridge_subspace` of a factor and that of a shuffled one, across halves."""
    random = np.random.default_rng(0)
    one, other = np.array_split(random.permutation(len(embeddings)), 2)
    real = [ridge_subspace(embeddings[one], values[one]) for values in factors.values()]
    luck = [
        ridge_subspace(embeddings[other], random.permutation(len(other))) for _ in range(SHUFFLES)
    ]
    return middle(principal_angles(a, b)[:1] for a in real for b in luck)


def main() -> dict:
    """Embed, compare and print; return what a record says."""
    tiny, params = load_encoder("tiny"), controlled_clips(None, CLIPS)
    encoders = {"trained": tiny, "untrained": untrained_like(tiny), "log-mel": LogMel()}
    factors = {name: values.numpy() for name, values in clip_factors(params).items()}
    known, read, found = np.stack(list(factors.values()), axis=1), {}, {}
    for name, encoder in encoders.items():
        raw = embed_clips(encoder, params).double().numpy()
        deviation = raw.std(axis=0)
        scaled = raw / np.where(deviation > 1e-9 * deviation.max(), deviation, np.inf)
        read[name] = subspace_angles(raw, factors)
        found[name] = {
            "standardised": encoded(scaled, known),
            "as they are": encoded(raw, known),
            "a factor and a shuffled one, read": real_and_shuffled(raw, factors),
        }
        print(name, read[name].table().round(0), found[name], sep="\n")
    return {
        "settings": {"model": "tiny", "clips": CLIPS, "draws": DRAWS, "factors": list(factors)},
        "metrics": {"encoding": found, "packed": {"angles": pack(read)}},
        "data": f"{CLIPS} clips synthesized from the 'full' prior, seed 1; no recordings",
        "protocol": "angles between the least-squares slopes of embeddings over three factors, intervals "
        f"of 95 % by {DRAWS} draws of the clips, chance by {DRAWS} shuffles of each factor; smallest "
        "angles between subspaces read by ridge regression on one half of the clips and the other, "
        "chance by shuffled factors; embeddings that a run before had made and kept are not in the "
        "seconds",
    }
