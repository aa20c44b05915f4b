"""Muon: steps along the polar factor of a matrix's momentum (Jordan et al., 2024).

`torch.optim.Muon` multiplies in bfloat16 whatever the device, 30 to 50 times slower than in float32 on a
processor without units for it; here the products are in the precision of the run, and fewer.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from audiopg.environment import full_precision

# Each (a, b, c) takes a singular value s to a s + b s³ + c s⁵: the quintic that leaves the least
# distance from 1 over the range that the one before has left, the first over 0.001 to 1 (Amsel et al.,
# 2025, "The Polar Express", arXiv:2505.16932). The upper end of every range is taken 1 % higher, so that
# rounding does not leave it. In the end 0.001 to 1 has become 0.44 to 1.56.
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
        precision: of the products, torch.float32 or torch.bfloat16.
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
        with full_precision(ahead.device):
            return polar_factor(ahead.to(self.precision))


def polar_factor(matrices: Tensor) -> Tensor:
    """Matrices near the polar factors U Vᵀ of others, U Σ Vᵀ.

    Singular values of more than 0.001 of the root of the sum of their squares become 0.44 to 1.56;
    smaller ones become 448 times what they are of it.

    All quintics are applied to the small Gram matrix G = XᵀX, and X is multiplied by the result once,
    which takes half the products (Amsel et al., 2025, appendix F). G has the squares of the singular
    values, which bfloat16 is too coarse for; there every quintic has the Gram matrix of its own X.

    Args:
        matrices: (B, rows, columns) float32 or bfloat16.

    Returns:
        Of the same shape and type.
    """
    if matrices.shape[1] < matrices.shape[2]:
        return polar_factor(matrices.mT).mT
    # Of a matrix of zeros nothing is left to divide by.
    x = matrices / torch.linalg.matrix_norm(matrices, keepdim=True).clamp(min=1e-7)
    together = len(QUINTICS) if x.dtype == torch.float32 else 1
    for first in range(0, len(QUINTICS), together):
        x = x @ _applied(x.mT @ x, QUINTICS[first : first + together])
    return x


def _applied(gram: Tensor, quintics: Sequence[tuple[float, float, float]]) -> Tensor:
    """The F for which X F has the singular values of X after the quintics, (B, n, n).

    Args:
        gram: (B, n, n), XᵀX.
        quintics: at least one.
    """
    product = factor = None
    for a, b, c in quintics:
        if factor is not None:
            gram = factor @ gram @ factor
        factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal(dim1=1, dim2=2).add_(a)
        product = factor if product is None else product @ factor
    return product
