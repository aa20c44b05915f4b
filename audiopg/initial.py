"""How the weights of a masked autoencoder begin: Xavier's, or near those that training finds late."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from audiopg.mae import MaskedAutoencoder

# How the weights may begin: see `audiopg.mae.MaskedAutoencoder.preset`.
INITIAL = ("xavier", "mimetic")
# Trockman & Kolter's (2023) scales of the two products, and ours of the patch projection.
_QUERY_KEY, _OUTPUT_VALUE, _PATCH_SCALE = 0.7, 0.4, 0.3


def initialise(module: nn.Module) -> None:
    """Xavier-uniform weights and zero biases, as in He et al. (2022)."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


@torch.no_grad()
def start_mimetic(model: "MaskedAutoencoder") -> None:
    """Give the attention of every block the pattern that training would find late.

    With Xavier's weights every token attends to all others almost alike, and the loss of an
    autoencoder stays on a plateau until it has learned to look at the neighbours of a place. Here
    the product of query and key is near +0.7 times the identity, so that tokens of similar place
    and content attend to one another; the product of output and value is near -0.4 times the
    identity (Trockman & Kolter, 2023). The patch projection begins at 0.3 of its size, so that at
    first the place counts for more than the content.

    Args:
        model: its weights are changed in place, by torch's random numbers.
    """
    model.encoder.patch_projection.weight *= _PATCH_SCALE
    for block in (*model.encoder.blocks, *model.decoder_blocks):
        width = block.output.in_features
        size = width // block.heads
        query, key, value = block.query_key_value.weight.split(width)
        for head in torch.arange(width).split(size):
            left, right = _square_root(_near_identity(width, _QUERY_KEY, _QUERY_KEY), size)
            query[head], key[head] = left.T, right
        left, right = _square_root(_near_identity(width, _OUTPUT_VALUE, -_OUTPUT_VALUE), width)
        block.output.weight.copy_(left)
        value.copy_(right)


def _near_identity(width: int, noise: float, scale: float) -> Tensor:
    """(width, width): a multiple of the identity plus normal noise."""
    drawn = torch.randn(width, width, dtype=torch.float32) / width**0.5
    return noise * drawn + scale * torch.eye(width, dtype=torch.float32)


def _square_root(matrix: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Factors (n, rank) and (rank, n) of equal norm, whose product is the nearest of that rank."""
    left, values, right = torch.linalg.svd(matrix)
    root = values[:rank].sqrt()
    return left[:, :rank] * root, root[:, None] * right[:rank]
