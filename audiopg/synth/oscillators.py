"""Tonal excitations u(t), rendered in tiles of consecutive samples (Section 3.1)."""

import math

import torch
from torch import Tensor

from audiopg.synth.parameters import NYQUIST, SAMPLE_RATE

TILE = 1024
_INNER = 64


def _cycle(cycles: Tensor) -> Tensor:
    """The fractional part of a float64 phase in cycles, as float32 in [0, 1]."""
    return (cycles - cycles.floor()).float()


def _sine(cycles: Tensor) -> Tensor:
    return torch.sin(2 * math.pi * _cycle(cycles))


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

    A sum of sinusoids over a grid of times t_j + τ_m is a product of two small matrices, because
    sin(a + b) = sin a cos b + cos a sin b: sines are taken at 16 coarse and 64 fine times a tile
    instead of at all 1,024, and a matrix product does the rest. Partials at or above the Nyquist
    frequency are dropped.

    Args:
        start: (R,) float64, s since the onset at the first sample of each tile.
        event: (R,) int64, which of the H events each tile belongs to.
        f0, partial_count, rolloff: (H,).
        weight, detune, phase: (H, K).

    Returns:
        (R, TILE) float32.
    """
    order = torch.arange(1, weight.shape[1] + 1, device=weight.device)
    frequency = f0[:, None] * order * (1 + detune)
    heard = (order <= partial_count[:, None]) & (frequency < NYQUIST)
    amplitude = (weight * order ** -rolloff[:, None] * heard).float()

    fine = torch.arange(_INNER, dtype=torch.float64, device=start.device) / SAMPLE_RATE
    fine_angle = frequency[:, :, None] * fine
    fine_table = torch.cat((_sine(fine_angle + 0.25), _sine(fine_angle)), dim=1)

    coarse = torch.arange(0, TILE, _INNER, dtype=torch.float64, device=start.device) / SAMPLE_RATE
    coarse_time = start[:, None] + coarse
    coarse_angle = (
        coarse_time[:, :, None] * frequency[event][:, None, :]
        + (phase / (2 * math.pi))[event][:, None, :]
    )
    coarse_table = torch.cat((_sine(coarse_angle), _sine(coarse_angle + 0.25)), dim=2)
    scaled = coarse_table * amplitude.repeat(1, 2)[event][:, None, :]
    return torch.bmm(scaled, fine_table[event]).flatten(1)


def fm(time: Tensor, f0: Tensor, index: Tensor, ratio: Tensor) -> Tensor:
    """Two-operator frequency modulation: u(t) = sin(2π f0 t + β sin(2π r f0 t)).

    Args:
        time: (R, TILE) float64, s since the onset.
        f0, index, ratio: (R,).

    Returns:
        (R, TILE) float32.
    """
    carrier = time * f0[:, None]
    modulator = _sine(carrier * ratio[:, None])
    return torch.sin(2 * math.pi * _cycle(carrier) + index[:, None].float() * modulator)


def sawtooth(time: Tensor, f0: Tensor) -> Tensor:
    """Naive sawtooth, rising through 0 at the onset: u(t) = 2 (f0 t - ⌊f0 t + 1/2⌋).

    Args:
        time: (R, TILE) float64, s since the onset.
        f0: (R,).

    Returns:
        (R, TILE) float32.
    """
    cycles = time * f0[:, None]
    return (2 * (cycles - (cycles + 0.5).floor())).float()


def square(time: Tensor, f0: Tensor) -> Tensor:
    """Naive square wave: u(t) = 1 in the first half of each cycle, -1 in the second.

    Args:
        time: (R, TILE) float64, s since the onset.
        f0: (R,).

    Returns:
        (R, TILE) float32.
    """
    cycles = time * f0[:, None]
    return 1 - 2 * (cycles - cycles.floor() >= 0.5).float()
