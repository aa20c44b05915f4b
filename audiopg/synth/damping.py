"""Spectral damping: a second-order low-pass, its recursion cut into blocks (Section 3.1)."""

import math

import torch
from torch import Tensor

from audiopg.compiled import on_cpu, some
from audiopg.synth.factors import NYQUIST, SAMPLE_RATE

_BLOCK = 32
# Blocks that share one matrix product. Each clip has several such products, since libraries multiply
# a single matrix in another way, and its last bit would depend on the batch.
_GROUP = 64
# A motion as small as this counts as zero.
_NOTHING = 1e-12


def lowpass(wave: Tensor, cutoff: Tensor, quality: Tensor) -> Tensor:
    """The low-pass biquad of the audio-EQ cookbook (Bristow-Johnson).

    As a recursion over samples this is one serial thread a clip. In state-space form,
    s' = A s + B x, y = C s + D x, a block of 32 outputs is one Toeplitz matrix times its inputs
    plus the ringing of the state it starts from; and the states at the block edges, which obey
    the same recursion 32 samples at a time, follow in doubling steps until they have died away.

    Args:
        wave: (B, samples) float32, samples a multiple of 2,048.
        cutoff: (B,) Hz, the corner; rows with Nyquist or more pass as they are.
        quality: (B,).

    Returns:
        (B, samples) float32.
    """
    if not some((cutoff < NYQUIST).nonzero()):
        return wave
    reach, ringing, toeplitz, advance = _tables(cutoff, quality)
    blocks = wave.view(-1, _GROUP, _BLOCK)
    driven = torch.bmm(blocks, _per_group(reach, blocks)).view(len(wave), -1, 2)
    states = _block_states(driven, advance).view(-1, _GROUP, 2)
    rung = torch.bmm(states, _per_group(ringing, blocks))
    return rung.baddbmm_(blocks, _per_group(toeplitz, blocks)).view_as(wave)


def lowpass_(wave: Tensor, cutoff: Tensor, quality: Tensor) -> None:
    """`lowpass` in place, for a CPU: the same bits, a clip at a time, so that it stays in the cache."""
    rows = (cutoff < NYQUIST).nonzero().squeeze(1)
    if not len(rows):
        return
    reach, ringing, toeplitz, advance = _tables(cutoff[rows], quality[rows])
    clips = [wave[row].view(-1, _GROUP, _BLOCK) for row in rows.tolist()]
    groups = len(clips[0])
    driven = wave.new_empty(len(clips), groups, _GROUP, 2)
    for clip, table, into in zip(clips, reach, driven, strict=True):
        torch.bmm(clip, table.expand(groups, -1, -1), out=into)
    states = _block_states(driven.flatten(1, 2), advance).view_as(driven)
    filtered = torch.empty_like(clips[0])
    for clip, table, rings, state in zip(clips, toeplitz, ringing, states, strict=True):
        torch.bmm(state, rings.expand(groups, -1, -1), out=filtered)
        clip.copy_(filtered.baddbmm_(clip, table.expand(groups, -1, -1)))


def _tables(cutoff: Tensor, quality: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The matrices of `lowpass` for B clips, float32.

    Returns:
        reach, (B, _BLOCK, 2): what the inputs of a block add to the state at its end; ringing, (B, 2,
        _BLOCK): the outputs that a state gives without inputs; toeplitz, (B, _BLOCK, _BLOCK): the
        response to inputs; advance, (B, 2, 2): how a block moves the state.
    """
    transition, push, read, direct = _state_space(cutoff, quality)
    powers = _powers(transition)  # A^0 .. A^(_BLOCK - 1)
    # C A^j and A^j B, (B, _BLOCK, 2)
    ringing = torch.bmm(powers.mT.flatten(1, 2), read).view(-1, _BLOCK, 2)
    reach = torch.bmm(powers.flatten(1, 2), push).view(-1, _BLOCK, 2)

    response = torch.cat((direct, torch.bmm(ringing, push)[:, :-1, 0]), dim=1)
    # [input, output]: each row is the one above it, a sample later.
    toeplitz = torch.nn.functional.pad(response, (_BLOCK - 1, 0)).unfold(1, _BLOCK, 1)
    advance = torch.bmm(transition, powers[:, -1])
    return reach.flip(1).float(), ringing.mT.float(), toeplitz.flip(1).float(), advance.float()


def _state_space(cutoff: Tensor, quality: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A (B, 2, 2), B (B, 2, 1), C (B, 2, 1) and D (B, 1), float64.

    The states are those of two trapezoidal integrators (Zavalishin, "The Art of VA Filter
    Design", 2012, chapter 4). They are as large as the signal, whatever the corner, so single
    precision is enough; the delays of the direct forms hold large numbers that cancel.
    """
    passes = cutoff >= NYQUIST
    g = torch.tan(math.pi * torch.where(passes, 1.0, cutoff) / SAMPLE_RATE)
    a = 1 / (1 + g * (g + 1 / quality))
    low, lower = a * g, a * g**2
    push = 2 * low, 2 * lower
    rows = (2 * a - 1, -push[0], push[0], 1 - push[1], *push, low, 1 - lower, lower)
    # The states of a clip that passes do not move, and nothing is read from them.
    numbers = torch.stack(rows, dim=1) * ~passes[:, None]
    transition, push, read, direct = numbers[..., None].split((4, 2, 2, 1), dim=1)
    return transition.view(-1, 2, 2), push, read, direct[..., 0] + passes[:, None]


def _powers(matrix: Tensor) -> Tensor:
    """The powers 0 to _BLOCK - 1 of (B, 2, 2) matrices, by doubling: (B, _BLOCK, 2, 2)."""
    powers = torch.eye(2, dtype=matrix.dtype, device=matrix.device).expand(len(matrix), 1, 2, 2)
    while powers.shape[1] < _BLOCK:
        # One product a matrix: each row of a power is multiplied by itself.
        more = torch.bmm(powers.flatten(1, 2), matrix).view_as(powers)
        powers, matrix = torch.cat((powers, more), dim=1), torch.bmm(matrix, matrix)
    return powers


def _block_states(driven: Tensor, advance: Tensor) -> Tensor:
    """The state each block starts from: s_0 = 0, s_(b+1) = ``advance`` s_b + ``driven``_b.

    Args:
        driven: (B, blocks, 2), what each block's inputs add to the state at its end.
        advance: (B, 2, 2), the state's own motion over one block.

    Returns:
        (B, blocks, 2) float32.
    """
    states = torch.nn.functional.pad(driven[:, :-1], (0, 0, 1, 0))
    stride = 1
    while stride < states.shape[1]:
        # A motion set to zero adds nothing, so a clip is the same when others need more steps.
        alive = advance.abs().amax((1, 2), keepdim=True) > _NOTHING
        # To ask a GPU takes longer than the steps that remain.
        if on_cpu(advance.device) and not alive.any():
            break
        advance = advance * alive
        # In two steps, since the product reads what the sum changes.
        moved = torch.bmm(states[:, :-stride], advance.mT)
        states[:, stride:] += moved
        advance = torch.bmm(advance, advance)
        stride *= 2
    return states


def _per_group(table: Tensor, blocks: Tensor) -> Tensor:
    """Each clip's (rows, columns) table once for each of its groups."""
    return table.repeat_interleave(len(blocks) // len(table), dim=0)
