"""Spectral damping: a second-order low-pass, its recursion cut into blocks (Section 3.1)."""

import math

import torch
from torch import Tensor

from audiopg.synth.parameters import NYQUIST, SAMPLE_RATE

_BLOCK = 64
# Blocks that share one matrix product. More than one product a clip, however short the batch:
# libraries multiply a lone matrix another way, and its last bit would depend on the batch.
_GROUP = 64


def lowpass(wave: Tensor, cutoff: Tensor, quality: Tensor) -> Tensor:
    """The low-pass biquad of the audio-EQ cookbook (Bristow-Johnson).

    As a recursion over samples this is one serial thread a clip. In state-space form,
    s' = A s + B x, y = C s + D x, a block of 64 outputs is one Toeplitz matrix times its inputs
    plus the ringing of the state it starts from; and the states at the block edges, which obey
    the same recursion 64 samples at a time, follow in log2(blocks) doubling steps.

    Args:
        wave: (B, samples) float32, samples a multiple of 4,096.
        cutoff: (B,) Hz, the corner; rows with Nyquist or more are left as they are.
        quality: (B,).

    Returns:
        (B, samples) float32.
    """
    damped = (cutoff < NYQUIST).nonzero().squeeze(1)
    if len(damped) == 0:
        return wave
    blocks = wave[damped].unflatten(1, (-1, _BLOCK))  # (n, blocks, _BLOCK)
    transition, push, direct = _state_space(cutoff[damped], quality[damped])
    powers = _powers(transition)  # A^0 .. A^(_BLOCK - 1)
    ringing = powers[:, :, 0]  # C A^j, C = (1, 0): (n, _BLOCK, 2)
    reach = powers @ push[:, None, :, None]  # A^j B: (n, _BLOCK, 2, 1)

    response = torch.cat((direct[:, None], reach[:, :-1, 0, 0]), dim=1)
    lag = torch.arange(_BLOCK, device=wave.device)
    lag = lag[None, :] - lag[:, None]  # [input, output]
    toeplitz = torch.where(lag >= 0, response[:, lag.clamp(min=0)], 0.0)

    states = _block_states(blocks.double() @ reach.flip(1)[..., 0], transition @ powers[:, -1])
    grouped = blocks.reshape(-1, _GROUP, _BLOCK)
    filtered = torch.bmm(grouped, _per_group(toeplitz, grouped))
    filtered += torch.bmm(
        states.float().view(-1, _GROUP, 2), _per_group(ringing.transpose(1, 2), grouped)
    )
    wave = wave.clone()
    wave[damped] = filtered.view(len(damped), -1)
    return wave


def _state_space(cutoff: Tensor, quality: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A (n, 2, 2), B (n, 2) and D (n,) of the transposed direct form II, float64."""
    angle = 2 * math.pi * cutoff / SAMPLE_RATE
    alpha = torch.sin(angle) / (2 * quality)
    a0 = 1 + alpha
    a1, a2 = -2 * torch.cos(angle) / a0, (1 - alpha) / a0
    # 1 - cos written so that low corners keep their digits.
    b0 = torch.sin(angle / 2) ** 2 / a0
    b1, b2 = 2 * b0, b0
    one, zero = torch.ones_like(a1), torch.zeros_like(a1)
    transition = torch.stack((-a1, one, -a2, zero), dim=-1).unflatten(-1, (2, 2))
    return transition, torch.stack((b1 - a1 * b0, b2 - a2 * b0), dim=-1), b0


def _powers(matrix: Tensor) -> Tensor:
    """The powers 0 to _BLOCK - 1 of (n, 2, 2) matrices, by doubling: (n, _BLOCK, 2, 2)."""
    powers = torch.eye(2, dtype=matrix.dtype, device=matrix.device).expand(len(matrix), 1, 2, 2)
    while powers.shape[1] < _BLOCK:
        powers = torch.cat((powers, powers @ matrix[:, None]), dim=1)
        matrix = matrix @ matrix
    return powers


def _block_states(driven: Tensor, advance: Tensor) -> Tensor:
    """The state each block starts from: s_0 = 0, s_(b+1) = ``advance`` s_b + ``driven``_b.

    Args:
        driven: (n, blocks, 2), what each block's inputs add to the state at its end.
        advance: (n, 2, 2), the state's own motion over one block.

    Returns:
        (n, blocks, 2) float64.
    """
    states = torch.nn.functional.pad(driven[:, :-1], (0, 0, 1, 0))
    stride = 1
    while stride < states.shape[1]:
        moved = states[:, :-stride] @ advance.transpose(1, 2)
        states = torch.cat((states[:, :stride], states[:, stride:] + moved), dim=1)
        advance = advance @ advance
        stride *= 2
    return states


def _per_group(table: Tensor, grouped: Tensor) -> Tensor:
    """Each clip's (rows, columns) table once for each of its groups, float32."""
    return table.float().repeat_interleave(len(grouped) // len(table), dim=0)
