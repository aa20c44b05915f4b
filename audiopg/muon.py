"""Muon: steps along the polar factor of a matrix's momentum (Jordan et al., 2024).

`torch.optim.Muon` finds it by 15 products a matrix, in bfloat16 on any device, which takes 30 to 50
times as long as in float32 on a processor without units for bfloat16. Here a processor takes two
products and two inverses, in float32.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from audiopg.environment import full_precision

# Each (pole, weight) takes a singular value s to weight s / (s² + pole). The sum of both is as near to 1
# as two can be from 0.0015 to 1, 0.68 to 1.32 (Zolotarev's function of type (3, 4); Nakatsukasa and
# Freund, 2016, doi:10.1137/140990334).
INVERSES = ((2.7933681e-5, 0.013432798), (0.080547923, 0.72132284))
# Each (a, b, c) takes a singular value s to a s + b s³ + c s⁵. It is the quintic with the least distance
# from 1 over the range that the quintic before leads to; the first range is 0.001 to 1 (Amsel et al.,
# 2025, "The Polar Express", arXiv:2505.16932). The upper end of every range is taken 1 % higher, so that
# rounding stays inside. In the end 0.001 to 1 becomes 0.44 to 1.56.
QUINTICS = (
    (8.386893, -24.371311, 17.726412),
    (4.143012, -3.018618, 0.552650),
    (3.931188, -2.874113, 0.536722),
    (3.282798, -2.416554, 0.486531),
)


class Muon(Optimizer):
    """The steps and the state of ``torch.optim.Muon(..., adjust_lr_fn="match_rms_adamw")``.

    Momentum with Nesterov's correction, its polar factor, decoupled weight decay, and steps of the size
    that AdamW's have, so that one learning rate serves both (Liu et al., 2025, arXiv:2502.16982).

    Args:
        parameters: matrices.
        lr: learning rate.
        weight_decay: share of a matrix that a learning rate of 1 would take away.
        momentum: share of the mean of earlier gradients in the next.
        precision: of the products on a GPU, torch.float32 or torch.bfloat16.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        weight_decay: float,
        momentum: float = 0.95,
        precision: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})
        self.precision = precision

    @torch.no_grad()
    def step(self) -> None:
        """Move every matrix that has a gradient, those of one shape together."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[nn.Parameter]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    alike.setdefault(parameter.shape, []).append(parameter)
            for shape, parameters in alike.items():
                size = group["lr"] * 0.2 * max(shape) ** 0.5
                directions = self._directions(parameters, group["momentum"])
                for parameter, direction in zip(parameters, directions, strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(direction, alpha=-size)

    def _directions(self, parameters: Sequence[nn.Parameter], momentum: float) -> Tensor:
        """The polar factors of the momenta of matrices of one shape, (B, rows, columns)."""
        ahead = parameters[0].new_empty((len(parameters), *parameters[0].shape))
        for parameter, place in zip(parameters, ahead, strict=True):
            state = self.state[parameter]
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = torch.zeros_like(parameter)
            mean = state["momentum_buffer"].lerp_(parameter.grad, 1 - momentum)
            torch.lerp(parameter.grad, mean, momentum, out=place)
        return polar_factor(ahead, self.precision)


def polar_factor(matrices: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
    """Matrices near the polar factors U Vᵀ of others, U Σ Vᵀ.

    Singular values of more than 0.0015 of the root of the sum of their squares become 0.44 to 1.56;
    smaller ones become 450 to 490 times what they are of it.

    Args:
        matrices: (B, rows, columns) float32.

    Returns:
        (B, rows, columns), float32 or the precision.
    """
    if matrices.shape[1] < matrices.shape[2]:
        return polar_factor(matrices.mT, precision).mT
    # The least norm keeps a matrix of zeros from a division by zero.
    x = matrices / torch.linalg.matrix_norm(matrices, keepdim=True).clamp(min=1e-7)
    with full_precision(x.device):
        return by_quintics(x.to(precision)) if x.is_cuda else by_inverses(x)


def by_inverses(x: Tensor) -> Tensor:
    """Singular values through ``INVERSES``: for a processor, in half the time of the quintics.

    The Gram matrix has the squares of the singular values, for which bfloat16 would be too coarse.

    Args:
        x: (B, m, n) float32, m >= n, of singular values of at most 1.
    """
    gram = x.mT @ x
    factor = torch.zeros_like(gram)
    for pole, weight in INVERSES:
        shifted = gram.clone()
        shifted.diagonal(dim1=1, dim2=2).add_(pole)
        factor.add_(torch.cholesky_inverse(torch.linalg.cholesky(shifted)), alpha=weight)
    return x @ factor


def by_quintics(x: Tensor) -> Tensor:
    """Singular values through ``QUINTICS``: for a GPU, which multiplies faster than it factorises.

    Args:
        x: (B, m, n) float32 or bfloat16, m >= n, of singular values of at most 1.
    """
    for a, b, c in QUINTICS:
        gram = x.mT @ x
        factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, x, factor, beta=a)
    return x
