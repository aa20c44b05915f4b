"""Directions of the latent space that belong to a factor: their angles, and what lies along them.

Principal components are orthogonal by construction, which says nothing about the factors. So the
question whether two factors have subspaces of their own takes a subspace found for each by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from torch import Tensor

from audiopg._types import Array, DataFrame
from audiopg.analysis.information import as_factor, as_factors
from audiopg.analysis.probes import ridge_weights, standardised
from audiopg.errors import InputError
from audiopg.inputs import as_embeddings, as_float64, random_by, whole_number
from audiopg.mae import MaskedAutoencoder, denormalise_patches, patchify, unpatchify

# These give the ends of the middle 95 % to some degrees.
_CHANCE_DRAWS = 200


@dataclass(frozen=True, eq=False)
class SubspaceAngles:
    """Principal angles between the ridge subspaces of factors, in degrees.

    Attributes:
        factors: their names.
        angles: (factors, factors, n) ascending, each between a subspace found on one half of the
            clips and one found on the other. On the diagonal they tell how well a factor's own
            subspace is found again.
        chance: (n,) the median angles of two shuffled factors, found in the same way on the same
            halves. In older records, those of random subspaces, which are too large for chance.
        chance_range: (2, n) the ends of the middle 95 % of these; None in records that were made when
            only the median was kept. Each is of one pair of subspaces, where an angle of two factors
            is the mean of two pairs; these share the factors, so their mean counts as one pair.
    """

    factors: tuple[str, ...]
    angles: np.ndarray
    chance: np.ndarray
    chance_range: np.ndarray | None = None

    def table(self) -> DataFrame:
        """The smallest angle of each pair of factors, and that of chance: median and, if known, range."""
        import pandas

        table = pandas.DataFrame(self.angles[..., 0], index=self.factors, columns=self.factors)
        table["chance"] = self.chance[0]
        if self.chance_range is not None:
            table["chance, low"], table["chance, high"] = self.chance_range[:, 0]
        return table


def ridge_subspace(embeddings: Array, factor: Array, dimensions: int = 3) -> np.ndarray:
    """Directions from which ridge regressions read a factor and smooth functions of it.

    The code of a factor need not be a straight line. So n Legendre polynomials of the factor's rank are
    read, from the first degree on.

    Args:
        embeddings: (clips, latent dimensions), finite.
        factor: (clips,), finite and not constant.
        dimensions: n of the subspace, from 1 to the number of latent dimensions.

    Returns:
        (n, latent dimensions) orthonormal rows, over embeddings of standard deviation 1.

    Raises:
        InputError: when shapes do not agree, a value is not finite, the factor is constant, or the
            number of dimensions is out of range.
    """
    embeddings = as_embeddings(embeddings).cpu().numpy()
    clips, width = embeddings.shape
    factor = as_factor(factor, clips).cpu().numpy()
    dimensions = whole_number(dimensions, "dimensions")
    if dimensions > width or np.ptp(factor) == 0:
        raise InputError(
            f"dimensions is {dimensions} and the factor has {len(set(factor))} values; give 1 to "
            f"{width} dimensions and a factor that varies."
        )
    return _read_from(*_decomposed(embeddings), factor, dimensions)


def _decomposed(embeddings: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Standardised embeddings and their singular value decomposition, which serve every factor."""
    every = np.arange(len(embeddings))
    features, _ = standardised(embeddings, every, every)
    return features, np.linalg.svd(features, full_matrices=False)


def _read_from(
    features: np.ndarray, parts: tuple[np.ndarray, ...], factor: np.ndarray, dimensions: int
) -> np.ndarray:
    """`ridge_subspace` from what `_decomposed` gives."""
    # The mean rank of equal values.
    _, place, counts = np.unique(factor, return_inverse=True, return_counts=True)
    rank = (counts.cumsum() - counts / 2)[place] / len(factor) * 2 - 1
    curves = np.polynomial.legendre.legvander(rank, dimensions)[:, 1:].T
    weights = np.stack([ridge_weights(features, curve, parts)[0] for curve in curves])
    return np.linalg.svd(weights, full_matrices=False)[2]


def principal_angles(one: Array, other: Array) -> np.ndarray:
    """Principal angles between two subspaces: the smallest angle, then the next, orthogonal to it.

    Args:
        one: (n, dimensions) orthonormal rows.
        other: (m, dimensions) orthonormal rows.

    Returns:
        (min(n, m),) degrees, ascending; 0 in common, 90 orthogonal.

    Raises:
        InputError: for rows that are not orthonormal, or of different lengths.
    """
    one, other = _orthonormal(one, "one"), _orthonormal(other, "other")
    if one.shape[1] != other.shape[1]:
        raise InputError(f"one has rows of {one.shape[1]} dimensions, other of {other.shape[1]}.")
    cosines = np.linalg.svd(one @ other.T, compute_uv=False)
    return np.degrees(np.arccos(np.clip(cosines, 0, 1)))


def _orthonormal(rows: Array, name: str) -> np.ndarray:
    rows = as_embeddings(rows, name).cpu().numpy()
    if np.abs(rows @ rows.T - np.eye(len(rows))).max() > 1e-6:
        raise InputError(
            f"the rows of {name} are not orthonormal; give those of np.linalg.qr(rows.T)[0].T."
        )
    return rows


def subspace_angles(
    embeddings: Array, factors: Mapping[str, Array], *, dimensions: int = 3, seed: int = 0
) -> SubspaceAngles:
    """Principal angles between the `ridge_subspace` of every two factors, across halves of clips.

    Chance is what shuffled factors give. Their weights follow the directions in which the embeddings
    vary most, so that they lie closer together than random directions do. And weights that read a
    factor also cancel other factors: a large angle does not say that the embedding changes in
    different directions with the two (`factor_direction` does).

    Args:
        embeddings: (clips, latent dimensions), finite.
        factors: factor -> (clips,) values, finite and not constant.
        dimensions: of each subspace.
        seed: of the halves, and of the shuffles.

    Raises:
        InputError: as `ridge_subspace`.
    """
    embeddings = as_embeddings(embeddings).cpu().numpy()
    factors = {n: v.cpu().numpy() for n, v in as_factors(factors, len(embeddings)).items()}
    random, dimensions = random_by(seed), whole_number(dimensions, "dimensions")
    halves = np.array_split(random.permutation(len(embeddings)), 2)
    one, other = (
        [ridge_subspace(embeddings[half], v[half], dimensions) for v in factors.values()]
        for half in halves
    )
    both = (principal_angles(a, b) for a, b in product(one, other))
    angles = np.stack(list(both)).reshape(len(factors), len(factors), dimensions)

    parts, values = [_decomposed(embeddings[half]) for half in halves], list(factors.values())
    chance = []
    for draw in range(_CHANCE_DRAWS):
        factor = values[draw % len(values)]
        shuffled = [random.permutation(factor[half]) for half in halves]
        a, b = (_read_from(*p, v, dimensions) for p, v in zip(parts, shuffled, strict=True))
        chance.append(principal_angles(a, b))
    low, median, high = np.quantile(chance, (0.025, 0.5, 0.975), axis=0)
    return SubspaceAngles(
        tuple(factors), (angles + angles.swapaxes(0, 1)) / 2, median, np.stack((low, high))
    )


def factor_direction(embeddings: Array, factor: Array) -> Tensor:
    """How the embedding moves on average when a factor moves by its standard deviation.

    This is the slope of embeddings over the factor. The weights of a probe are not: they also cancel
    other factors.

    Args:
        embeddings: (clips, dimensions), finite.
        factor: (clips,), finite and not constant.

    Returns:
        (dimensions,) float64.

    Raises:
        InputError: when shapes do not agree, a value is not finite, or the factor is constant.
    """
    embeddings = as_embeddings(embeddings)
    factor = as_factor(factor, len(embeddings)).to(embeddings.device)
    if factor.min() == factor.max():
        raise InputError("factor has a single value; a direction needs one that varies.")
    deviation, mean = torch.std_mean(factor, correction=0)
    return (factor - mean) @ (embeddings - embeddings.mean(dim=0)) / (len(factor) * deviation)


@torch.no_grad()
def traverse(
    model: MaskedAutoencoder, mel: Tensor, direction: Tensor, amounts: Sequence[float]
) -> Tensor:
    """Decode one clip again and again, its tokens moved along a direction of the latent space.

    The decoder was trained on patches that the encoder did not see. So the clip is encoded from
    several disjoint sets of patches, and each patch is the mean of its predictions from the sets that
    hide it. A prediction is a normalised patch, shown with the mean and deviation of the clip's own
    patch: the pattern within patches moves, and their level does not.

    Args:
        model: the autoencoder, in evaluation mode.
        mel: (1, frames, 128) standardised log-mel.
        direction: (dimensions,), such as `factor_direction` gives.
        amounts: (n,) multiples of the direction that are added to every token.

    Returns:
        (n, frames, 128) log-mel.

    Raises:
        InputError: for more clips than one, or a direction of another length.
    """
    patches = patchify(mel)
    width, direction = model.architecture.width, as_float64(direction, "direction")
    if len(mel) != 1 or direction.shape != (width,):
        raise InputError(
            f"there are {len(mel)} clips and the direction has shape {tuple(direction.shape)}; "
            f"give one clip and ({width},)."
        )
    tokens = patches.shape[1]
    seen = max(1, int(tokens * (1 - model.mask_ratio)))
    order = torch.randperm(tokens, generator=torch.Generator().manual_seed(0))
    sets = [order.roll(-first)[:seen].sort().values for first in range(0, tokens, seen)]
    visible = torch.stack(sets).to(mel.device)
    encoded = model.encoder(mel.expand(len(visible), -1, -1), visible)
    is_hidden = torch.ones(len(visible), tokens, 1, dtype=torch.float32, device=mel.device)
    is_hidden.scatter_(1, visible[..., None], 0.0)
    decoded = []
    for amount in amounts:
        moved = encoded.clone()
        moved[:, int(model.architecture.class_token) :] += amount * direction.to(encoded)
        predicted = model.decode(moved, visible, tokens)
        predicted = (predicted * is_hidden).sum(dim=0, keepdim=True) / is_hidden.sum(dim=0)
        decoded.append(unpatchify(denormalise_patches(predicted, patches)))
    return torch.cat(decoded)
