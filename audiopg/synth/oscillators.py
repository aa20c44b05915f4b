"""Tonal excitations u(t), rendered in tiles of consecutive samples (Section 3.1).

A tile is a grid of 16 rows of 64 samples, t = t_j + τ_m. What costs much is done once a row or
once a column, in float64: sines of sums come from products of sines, and the phases of pulses
from sums of phases.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.compiler import is_exporting

from audiopg.synth.parameters import NYQUIST, SAMPLE_RATE

TILE = 1024
_COLUMNS = 64
# Partials summed at a time, which bounds the memory of the tables.
_PARTIALS = 16
# Partials of a band-limited pulse in an exported graph, whose sizes are fixed: all of one at 50 Hz.
_EXPORTED_SERIES = 159


def _seconds(start: int, end: int, step: int, device: torch.device) -> Tensor:
    return torch.arange(start, end, step, dtype=torch.float64, device=device) / SAMPLE_RATE


def _rows(start: Tensor) -> Tensor:
    """(R, 16) s, the times t_j of the rows of tiles that begin at ``start``, (R,)."""
    return start[:, None] + _seconds(0, TILE, _COLUMNS, start.device)


def _columns(start: Tensor) -> Tensor:
    """(64,) s, the times τ_m of the columns."""
    return _seconds(0, _COLUMNS, 1, start.device)


def _radians(cycles: Tensor) -> Tensor:
    """A float64 phase in cycles as a float32 angle in [-π, π]."""
    return (cycles - cycles.round()).float().mul_(2 * math.pi)


def harmonic(
    start: Tensor,
    event: Tensor,
    f0: Tensor,
    partial_count: Tensor,
    rolloff: Tensor,
    weight: Tensor,
    detune: Tensor,
    phase: Tensor,
) -> Tensor:
    """Harmonic additive synthesis: u(t) = Σ_k w_k k^(-γ) sin(2π k (1 + δ_k) f0 t + φ_k).

    Partials at or above the Nyquist frequency are dropped.

    Args:
        start: (R,) float64, s since the onset at the first sample of each tile.
        event: (R,) int64, which of the H events each tile belongs to.
        f0, partial_count, rolloff: (H,).
        weight, detune, phase: (H, K).

    Returns:
        (R, TILE) float32.
    """
    frequency, amplitude = harmonic_partials(f0, partial_count, rolloff, weight, detune)
    return _sum_of_sines(start, event, frequency, amplitude, phase / (2 * math.pi))


def harmonic_partials(
    f0: Tensor, partial_count: Tensor, rolloff: Tensor, weight: Tensor, detune: Tensor
) -> tuple[Tensor, Tensor]:
    """The partials of harmonic tones.

    Args:
        f0, partial_count, rolloff: (...).
        weight, detune: (..., K).

    Returns:
        Frequencies in Hz, and amplitudes, 0 where a partial is not heard, (..., K).
    """
    order = torch.arange(1, weight.shape[-1] + 1, device=weight.device)
    frequency = f0[..., None] * order * (1 + detune)
    heard = (order <= partial_count[..., None]) & (frequency < NYQUIST)
    return frequency, weight * order.double() ** -rolloff[..., None] * heard


def _sum_of_sines(
    start: Tensor, event: Tensor, frequency: Tensor, amplitude: Tensor, phase: Tensor
) -> Tensor:
    """Σ_k A_k sin(2π (f_k t + φ_k)), for each tile of its event.

    Because sin(a + b) = sin a cos b + cos a sin b, the sum over a tile's grid of times is a
    product of two small matrices.

    Args:
        start, event: (R,), as in `harmonic`.
        frequency: (H, K) Hz.
        amplitude: (H, K).
        phase: (H, K) cycles, at the onset.

    Returns:
        (R, TILE) float32.
    """
    rows, columns = _rows(start.new_zeros(1)), _columns(start)
    grid = start.new_zeros(start.shape[0], TILE // _COLUMNS, _COLUMNS, dtype=torch.float32)
    at_a_time = frequency.shape[1] if is_exporting() else _PARTIALS
    for part in torch.arange(frequency.shape[1], device=event.device).split(at_a_time):
        hertz = frequency[:, part]
        down, across = _radians(hertz[..., None] * rows), _radians(hertz[..., None] * columns)
        turned = _radians(start[:, None] * hertz[event] + phase[:, part][event])
        height = amplitude[:, part].float()[event]
        sine, cosine = (height * turned.sin())[..., None], (height * turned.cos())[..., None]
        down_sine, down_cosine = down.sin()[event], down.cos()[event]
        left = torch.cat(
            (sine * down_cosine + cosine * down_sine, cosine * down_cosine - sine * down_sine), 1
        )
        right = torch.cat((across.cos(), across.sin()), dim=1)[event]
        grid.baddbmm_(left.transpose(1, 2), right)
    return grid.flatten(1)


def fm(start: Tensor, event: Tensor, f0: Tensor, index: Tensor, ratio: Tensor) -> Tensor:
    """Two-operator frequency modulation: u(t) = sin(2π f0 t + β sin(2π r f0 t)).

    Over the grid of times the angle is β sin a_j cos b_m + β cos a_j sin b_m + c_j + d_m, with a
    and b of the modulator, c and d of the carrier: a product of two matrices of rank four.

    Args:
        start, event: (R,), as in `harmonic`.
        f0, index, ratio: (H,).

    Returns:
        (R, TILE) float32.
    """
    rows, columns = _rows(start), _columns(start)
    carrier, modulator = f0[:, None], (f0 * ratio)[:, None]
    a, c = _radians(modulator[event] * rows), _radians(carrier[event] * rows)
    b, d = _radians(modulator * columns), (carrier * columns).float().mul_(2 * math.pi)
    depth = index[event, None].float()
    left = torch.stack((depth * a.sin(), depth * a.cos(), c, torch.ones_like(c)), dim=2)
    right = torch.stack((b.cos(), b.sin(), torch.ones_like(d), d), dim=1)
    return torch.bmm(left, right[event]).sin_().flatten(1)


def sawtooth(start: Tensor, event: Tensor, f0: Tensor) -> Tensor:
    """Naive sawtooth, rising through 0 at the onset: u(t) = 2 (f0 t - ⌊f0 t + 1/2⌋).

    Args:
        start, event: (R,), as in `harmonic`.
        f0: (H,).

    Returns:
        (R, TILE) float32.
    """
    return _phase(start, f0[event]).float().mul_(2.0**-31)


def square(start: Tensor, event: Tensor, f0: Tensor) -> Tensor:
    """Naive square wave: u(t) = 1 in the first half of each cycle, -1 in the second.

    Args:
        start, event: (R,), as in `harmonic`.
        f0: (H,).

    Returns:
        (R, TILE) float32.
    """
    return ((_phase(start, f0[event]) >> 31) | 1).float()


def _phase(start: Tensor, f0: Tensor) -> Tensor:
    """The phase f0 t of each sample, (R, TILE) int32, a cycle being 2**32: it wraps by itself."""
    down, across = (
        ((cycles - cycles.round()) * 2.0**32).round().long().int()
        for cycles in (f0[:, None] * _rows(start), f0[:, None] * _columns(start))
    )
    return (down[:, :, None] + across[:, None, :]).flatten(1)


def band_limited_sawtooth(start: Tensor, event: Tensor, f0: Tensor) -> Tensor:
    """Sawtooth without aliases: u(t) = 2/π Σ_k (-1)^(k+1) sin(2π k f0 t) / k, up to Nyquist.

    Args:
        start, event: (R,), as in `harmonic`.
        f0: (H,).

    Returns:
        (R, TILE) float32.
    """
    return _fourier_series(start, event, f0, lambda k: 2 / math.pi * (-1.0) ** (k + 1) / k)


def band_limited_square(start: Tensor, event: Tensor, f0: Tensor) -> Tensor:
    """Square wave without aliases: u(t) = 4/π Σ_{odd k} sin(2π k f0 t) / k, up to Nyquist.

    Args:
        start, event: (R,), as in `harmonic`.
        f0: (H,).

    Returns:
        (R, TILE) float32.
    """
    return _fourier_series(start, event, f0, lambda k: 4 / math.pi * (k % 2) / k)


def _fourier_series(
    start: Tensor, event: Tensor, f0: Tensor, amplitude: Callable[[Tensor], Tensor]
) -> Tensor:
    """Σ_k A_k sin(2π k f0 t), k f0 below Nyquist; ``amplitude`` gives A_k for (K,) numbers k."""
    lowest = NYQUIST / (_EXPORTED_SERIES + 1) if is_exporting() else f0.min().item()
    count = max(1, math.ceil(NYQUIST / lowest) - 1)
    order = torch.arange(1, count + 1, device=f0.device)
    frequency = f0[:, None] * order
    heard = amplitude(order.float()) * (frequency < NYQUIST)
    return _sum_of_sines(start, event, frequency, heard, torch.zeros_like(frequency))
