"""Scores of disentanglement: whether a factor has a dimension of its own (Section 4.4).

The paper reports one of them, the mutual information gap. It is defined for factors of a few classes;
continuous factors need a choice of entropy, and the paper does not state its choice.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import r2_score
from torch import Tensor

from audiopg._types import Array, DataFrame
from audiopg.analysis.information import as_factor, as_factors, as_table
from audiopg.analysis.probes import require_variation, splits
from audiopg.errors import InputError
from audiopg.inputs import as_embeddings, as_float64, as_named, whole_number

# A column this many times its span away from 0 keeps 14 bits in float32.
_FAR = 1000


@dataclass(frozen=True, eq=False)
class Gaps:
    """How far the best dimension of each factor is ahead of the second.

    Attributes:
        factors: their names.
        dimensions: (factors, 2) int64, the best and the second.
        values: (factors, 2) float64, the scores of these two.
        norms: (factors,) float64, the divisors of their difference.
    """

    factors: tuple[str, ...]
    dimensions: Tensor
    values: Tensor
    norms: Tensor

    @property
    def scores(self) -> Tensor:
        """(factors,): 0 where two dimensions are as good, 1 where one alone has everything."""
        return (self.values[:, 0] - self.values[:, 1]) / self.norms

    def table(self) -> DataFrame:
        """A row a factor."""
        columns = {
            "best": self.dimensions[:, 0],
            "second": self.dimensions[:, 1],
            "value of best": self.values[:, 0],
            "value of second": self.values[:, 1],
            "divided by": self.norms,
            "gap": self.scores,
        }
        return as_table(columns, self.factors, "factor")


def binned_information(embeddings: Array, factor: Array, *, bins: int = 20) -> Tensor:
    """Mutual information of every dimension with a factor, both cut into bins of equal width.

    The mutual information gap is usually made of this estimate (Locatello et al., "Challenging common
    assumptions", ICML 2019). It is too high by about (bins - 1)² / (2 clips), for all dimensions alike.

    Args:
        embeddings: (clips, dimensions), finite.
        factor: (clips,), finite.
        bins: from the smallest to the largest value of each, at least 2.

    Returns:
        (dimensions,) float64, in nats.

    Raises:
        InputError: when shapes do not agree, a value is not finite, or there are too few bins.
    """
    bins = whole_number(bins, "bins", lowest=2)
    embeddings = as_embeddings(embeddings)
    clips, dimensions = embeddings.shape
    factor = as_factor(factor, clips).to(embeddings.device)
    x, y = _binned(embeddings, bins), _binned(factor[:, None], bins)
    place = (torch.arange(dimensions, device=x.device) * bins + x) * bins + y
    counts = place.flatten().bincount(minlength=dimensions * bins * bins)
    joint = counts.view(dimensions, bins, bins).double() / clips
    return _entropy(joint.sum(dim=2)) + _entropy(joint.sum(dim=1)) - _entropy(joint.flatten(1))


def information_gaps(
    information: Mapping[str, Array], factors: Mapping[str, Array], *, bins: int = 20
) -> Gaps:
    """The mutual information gap of each factor, over the factor's entropy in bins.

    By definition (Chen et al., "Isolating sources of disentanglement in variational autoencoders",
    NeurIPS 2018) the information is that of `binned_information` in the same bins. The paper takes
    Kraskov's estimate, and does not state its entropy; here it is that of the bins in both cases, at
    most log(bins), which is 3.00 nats for 20.

    Args:
        information: factor -> (dimensions,) in nats.
        factors: factor -> (clips,) values, finite; the same names.
        bins: of equal width that a factor is cut into for its entropy, at least 2.

    Raises:
        InputError: for other names, fewer than two dimensions, information that is not finite, a
            constant factor, or too few bins.
    """
    information, factors = as_named(information, "information"), as_named(factors, "factors")
    if set(information) != set(factors):
        raise InputError(
            f"information is about {list(information)}, factors are {list(factors)}; name the same."
        )
    norms, bins = [], whole_number(bins, "bins", lowest=2)
    for name, values in factors.items():
        values = as_factor(values, len(values))
        counts = _binned(values[:, None], bins)[:, 0].bincount().double()
        entropy = _entropy(counts[None] / len(values))
        if entropy == 0:
            raise InputError(f"{name!r} has a single value; a gap needs one that varies.")
        norms.append(entropy.cpu())
    return _gaps({name: information[name] for name in factors}, torch.cat(norms))


def attribute_predictability(embeddings: Array, factors: Mapping[str, Array]) -> Gaps:
    """Separated attribute predictability: the gap in R² of a straight line from one dimension.

    For continuous factors R² is the squared correlation (Kumar, Sattigeri and Balakrishnan,
    "Variational inference of disentangled latent concepts", ICLR 2018).

    Args:
        embeddings: (clips, dimensions), finite.
        factors: factor -> (clips,) values, finite.

    Raises:
        InputError: when shapes do not agree, a value is not finite, or for a single dimension.
    """
    embeddings = as_embeddings(embeddings)
    columns = _standard(embeddings)
    scores = {}
    for name, values in as_factors(factors, len(embeddings)).items():
        values = _standard(values.to(embeddings.device)[:, None])
        scores[name] = (columns * values).mean(dim=0).square()
    return _gaps(scores, torch.ones(len(scores), dtype=torch.float64))


@dataclass(frozen=True, eq=False)
class DCI:
    """Disentanglement, completeness and informativeness.

    Attributes:
        factors: their names.
        importance: (dimensions, factors) how much a forest uses a dimension for a factor; the
            columns add up to 1.
        informativeness: (factors,) R² of the forest on held-out clips.
    """

    factors: tuple[str, ...]
    importance: np.ndarray
    informativeness: np.ndarray

    @property
    def disentanglement(self) -> float:
        """1 where every dimension is used for one factor, 0 where each is used for all alike."""
        weights = self.importance.sum(axis=1)
        shares = torch.from_numpy(self.importance[weights > 0])
        own = 1 - _entropy(shares / shares.sum(dim=1, keepdim=True)) / np.log(shares.shape[1])
        return float(np.average(own, weights=weights[weights > 0]))

    @property
    def completeness(self) -> np.ndarray:
        """(factors,): 1 where one dimension is all that is used for a factor."""
        shares = torch.from_numpy(self.importance.T)
        return 1 - (_entropy(shares) / np.log(shares.shape[1])).numpy()

    def table(self) -> DataFrame:
        """A row a factor; disentanglement is of all of them together."""
        import pandas

        columns = {"completeness": self.completeness, "informativeness": self.informativeness}
        table = pandas.DataFrame(columns, index=pandas.Index(self.factors, name="factor"))
        return table.assign(disentanglement=self.disentanglement)


def dci(
    embeddings: Array,
    factors: Mapping[str, Array],
    *,
    trees: int = 10,
    test_share: float = 0.25,
    seed: int = 0,
) -> DCI:
    """Disentanglement, completeness and informativeness, from random forests.

    As defined by Eastwood and Williams ("A framework for the quantitative evaluation of disentangled
    representations", ICLR 2018), with the forests' impurity importance; but the informativeness is R²
    here, not an error.

    Args:
        embeddings: (clips, dimensions), finite, at least 2 dimensions.
        factors: factor -> (clips,) values, finite, at least 2 factors.
        trees: in a forest, at least 1.
        test_share: of the clips held out, in (0, 1).
        seed: of the split and the forests.

    Raises:
        InputError: when shapes do not agree, a value is not finite, a factor does not vary in
            either part, embeddings do not vary, or there are too few clips, dimensions, factors or
            trees.
    """
    embeddings = _below_one(as_embeddings(embeddings).cpu().numpy())
    clips, dimensions = embeddings.shape
    factors = {n: _below_one(v.cpu().numpy()) for n, v in as_factors(factors, clips).items()}
    trees = whole_number(trees, "trees")
    if dimensions < 2 or len(factors) < 2:
        raise InputError(
            f"there are {dimensions} dimensions and {len(factors)} factors; give at least 2 dimensions "
            "and 2 factors."
        )
    ((test, train),) = splits(clips, test_share, 1, seed)
    require_variation(factors, test, train, 0)
    importance, informativeness = [], []
    for values in factors.values():
        forest = RandomForestRegressor(
            trees, n_jobs=torch.get_num_threads(), random_state=seed % 2**32
        )
        forest.fit(embeddings[train], values[train])
        importance.append(forest.feature_importances_)
        informativeness.append(r2_score(values[test], forest.predict(embeddings[test])))
    if not np.any(importance):
        raise InputError(
            "embeddings do not vary, so no dimension is of use for a factor; check the encoder."
        )
    return DCI(tuple(factors), np.stack(importance, axis=1), np.array(informativeness))


def _below_one(values: np.ndarray) -> np.ndarray:
    """(clips, ...) over a power of two for each column, which is exact.

    A column that lies far from 0 for its span is moved there first. A forest of scikit-learn computes
    in float32; at any scale it takes values less than 1e-7 apart for equal, and a variance below 2e-16
    for none.
    """
    low, high = values.min(axis=0), values.max(axis=0)
    is_far = np.maximum(-low, high) > _FAR * (high - low)
    values = values - np.where(is_far, low / 2 + high / 2, 0.0)
    return np.ldexp(values, -np.frexp(np.abs(values).max(axis=0))[1])


def _gaps(scores: Mapping[str, Array], norms: Tensor) -> Gaps:
    table = torch.stack([as_float64(values).cpu() for values in scores.values()])
    if table.shape[1] < 2:
        raise InputError("a gap lies between two dimensions; give at least 2.")
    if not table.isfinite().all():
        raise InputError("some scores are not finite, so none is the best; leave them out.")
    values, dimensions = table.sort(dim=1, descending=True, stable=True)
    return Gaps(tuple(scores), dimensions[:, :2], values[:, :2], norms)


def _binned(columns: Tensor, bins: int) -> Tensor:
    """(clips, columns) as the number of a bin of equal width, int64; a constant is in the first."""
    # Halves, since the span of the largest numbers overflows.
    columns = columns / 2
    low, high = columns.amin(dim=0), columns.amax(dim=0)
    span = torch.where(high > low, high - low, 1.0)
    return ((columns - low) / span * bins).long().clamp_(max=bins - 1)


def _entropy(shares: Tensor) -> Tensor:
    """The entropy of each row, (n, m) -> (n,), in nats."""
    return -torch.special.xlogy(shares, shares).sum(dim=1)


def _standard(columns: Tensor) -> Tensor:
    """(clips, columns) of mean 0 and deviation 1; 0 where a column is constant."""
    centred = columns - columns.mean(dim=0)
    deviation = centred.square().mean(dim=0).sqrt()
    is_constant = columns.amin(dim=0) == columns.amax(dim=0)
    return torch.where(is_constant, 0.0, centred / deviation)
