"""Principal components of embeddings (Section 4.4)."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from audiopg._types import Array, DataFrame
from audiopg.analysis.information import as_table, mutual_information
from audiopg.errors import InputError
from audiopg.inputs import as_embeddings, as_named, whole_number


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components, in descending order of variance; all tensors are float64.

    Attributes:
        mean: (dimensions,) the mean embedding.
        directions: (n, dimensions) orthonormal rows; the loading of largest magnitude is positive.
        scores: (clips, n) coordinates of the clips along the directions, around the mean.
        variance_share: (n,) the share of the total variance along each direction.
    """

    mean: Tensor
    directions: Tensor
    scores: Tensor
    variance_share: Tensor

    def information(self, factors: Mapping[str, Array]) -> dict[str, Tensor]:
        """The `mutual_information` of each component with each factor: (n,) in nats."""
        named = as_named(factors, "factors")
        return {name: mutual_information(self.scores, values) for name, values in named.items()}

    def table(self, factors: Mapping[str, Array] | None = None) -> DataFrame:
        """A row a component: shares of the variance, and its information about each factor in nats."""
        columns = {
            "share of variance": self.variance_share,
            "so far": self.variance_share.cumsum(dim=0),
            **self.information({} if factors is None else factors),
        }
        return as_table(columns, range(1, len(self.variance_share) + 1), "component")


def principal_components(embeddings: Array, n_components: int = 20) -> Components:
    """Principal component analysis of embeddings (Section 4.4), by singular values in float64.

    Args:
        embeddings: (clips, dimensions), finite, not all the same. The work is done on the device
            they are on.
        n_components: how many components to keep, from 1 to the smaller of clips and dimensions.

    Returns:
        The leading components, with signs that do not depend on the machine.

    Raises:
        InputError: for another shape, a value that is not finite, a number of components out of
            range, or embeddings without variance.
    """
    embeddings = as_embeddings(embeddings)
    n_components = whole_number(n_components, "n_components")
    if n_components > min(embeddings.shape):
        raise InputError(
            f"n_components is {n_components}; embeddings of shape {tuple(embeddings.shape)} "
            f"have 1 to {min(embeddings.shape)}."
        )
    if (embeddings == embeddings[0]).all():
        raise InputError(
            f"The {len(embeddings)} embeddings are all the same; components need variance."
        )
    mean = embeddings.mean(dim=0)
    _, singular, directions = torch.linalg.svd(embeddings - mean, full_matrices=False)
    variance = singular.square()
    directions = directions[:n_components]
    largest = directions.gather(1, directions.abs().argmax(dim=1, keepdim=True))
    directions = directions * largest.sign()
    return Components(
        mean=mean,
        directions=directions,
        scores=(embeddings - mean) @ directions.T,
        variance_share=variance[:n_components] / variance.sum(),
    )
