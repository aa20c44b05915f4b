"""Excitations u(t) of events: the registry, a row each, and their waveforms (Section 3.1).

An excitation is one function and one row of `EXCITATIONS`, at the end of this file. The function
gives the waveform at any phase, so that it follows a gliding pitch too. An excitation may add a
quicker way at a steady pitch, and say what its partials are, which formants and band-limiting need.

Sound is made in tiles of 1,024 samples, R tiles at a time, each of one of H events. A tile is a grid
of 16 rows of 64 samples, t = t_j + τ_m. Costly steps are done once a row or once a column, in
float64: sines of sums come from products of sines, and phases of pulses from sums of phases.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from audiopg.compiled import fixed, on_cpu
from audiopg.synth.factors import NYQUIST, SAMPLE_RATE, factor_names

# Samples of a tile, and of one of its rows.
TILE, COLUMNS = 1024, 64
# Partials summed at a time, which bounds the memory of the tables.
_PARTIALS = 16
# Hz, the lowest pitch whose partials are all in an exported graph.
_EXPORTED_LOWEST = 50.0


@dataclass(frozen=True)
class Excitation:
    """What the synthesizer knows of one excitation.

    Attributes:
        name: in priors, scenes, tables and sliders.
        tone: the waveform at any phase, ``tone(cycles, *factors)`` -> (R, TILE) float32.
            ``cycles()`` gives the phase at the pitch, ``cycles(ratio)`` at so many times the pitch,
            (R,): (R, TILE) int32, a cycle being 2**32, so that it wraps by itself, from -2**31 to
            2**31, and is 0 at the onset. The factors are (R,) each. None where the waveform is
            always summed from its partials.
        factors: names of the factors, beside f0, that the functions take and that change how it
            sounds.
        partials: ``partials(order, *factors)`` -> amplitude and phase, in radians, of the partials
            of some orders, (n,): two tensors that broadcast to (H, n), or 0.0 for the phase. The
            factors are (H,) each, or (H, K) where each partial has its own. None where formants
            cannot be heard. With a tone too the excitation is a pulse: it has a band-limited form.
        steady: a quicker way at a steady pitch, ``steady(start, event, f0, *factors)`` ->
            (R, TILE), see `harmonic`.
        in_page: whether the laboratory's page plays it. `torch.onnx` exports its functions, so they
            must not read the values of a tensor; tests/book/test_export.py compares them.
    """

    name: str
    tone: Callable[..., Tensor] | None = None
    factors: tuple[str, ...] = ()
    partials: Callable[..., tuple[Tensor, Tensor | float]] | None = None
    steady: Callable[..., Tensor] | None = None
    in_page: bool = False

    @property
    def is_pulse(self) -> bool:
        """Whether the prior draws it as a "pulse", and it can be rendered without aliases."""
        return self.tone is not None and self.partials is not None


class Excitations(Sequence):
    """The names of the excitations, in the order of their codes.

    Attributes:
        rows: name -> `Excitation`. A row added here is an excitation like the others.
    """

    def __init__(self, *rows: Excitation) -> None:
        self.rows = {row.name: row for row in rows}

    def __getitem__(self, code: int | slice) -> str | tuple[str, ...]:
        return tuple(self.rows)[code]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return repr(tuple(self.rows))

    @property
    def pulses(self) -> tuple[str, ...]:
        """Those with a naive and a band-limited form."""
        return tuple(name for name, row in self.rows.items() if row.is_pulse)

    @property
    def resonant(self) -> tuple[str, ...]:
        """Those of known partials, which formants can shape."""
        return tuple(name for name, row in self.rows.items() if row.partials)

    def hearing(self, factor: str) -> tuple[str, ...]:
        """Those that a factor changes: all, unless it is particular to some."""
        if factor == "band_limited":
            return self.pulses
        if factor.startswith("formant_"):
            return self.resonant
        own = tuple(name for name, row in self.rows.items() if factor in row.factors)
        return own or tuple(self.rows)


def is_one_of(code: Tensor, names: Iterable[str]) -> Tensor:
    """Which codes are those of the named excitations, as bool."""
    codes = [code == EXCITATIONS.index(name) for name in names]
    return torch.stack(codes).any(dim=0) if codes else torch.zeros_like(code, dtype=torch.bool)


def sample_times(start: int, end: int, step: int, device: torch.device) -> Tensor:
    """Times in s, float64: every ``step`` samples from ``start`` on, ``end`` left out."""
    return torch.arange(start, end, step, dtype=torch.float64, device=device) / SAMPLE_RATE


def _rows(start: Tensor) -> Tensor:
    """(R, 16) s, the times t_j of the rows of tiles that begin at ``start``, (R,)."""
    return start[:, None] + sample_times(0, TILE, COLUMNS, start.device)


def _columns(start: Tensor) -> Tensor:
    """(64,) s, the times τ_m of the columns."""
    return sample_times(0, COLUMNS, 1, start.device)


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
    grid = start.new_zeros(start.shape[0], TILE // COLUMNS, COLUMNS, dtype=torch.float32)
    at_a_time = fixed(lambda: frequency.shape[1], lambda: _PARTIALS)
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
        _add_products(grid, left.transpose(1, 2), torch.cat((across.cos(), across.sin()), 1), event)
    return grid.flatten(1)


def _add_products(grid: Tensor, left: Tensor, right: Tensor, event: Tensor) -> None:
    """Add to (R, 16, 64), in place, the products of (R, 16, n) with their events' (H, n, 64)."""
    if not on_cpu(grid.device):
        grid.baddbmm_(left, right[event])
        return
    # On a CPU an event's table stays in the cache for all its tiles, which are consecutive.
    events, tiles = (part.tolist() for part in event.unique_consecutive(return_counts=True))
    for which, into, part in zip(events, grid.split(tiles), left.split(tiles), strict=True):
        if len(part) > 1:
            into.baddbmm_(part, right[which].expand(len(part), -1, -1))
        else:
            # A pair, since libraries multiply a single matrix in another way.
            pair = (matrix.expand(2, -1, -1) for matrix in (part, right[which]))
            into.copy_(torch.baddbmm(into, *pair)[:1])


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


def phase_at(start: Tensor, f0: Tensor) -> Tensor:
    """The phase f0 t of each sample, (R, TILE) int32, a cycle being 2**32: it wraps by itself."""
    down, across = (
        ((cycles - cycles.round()) * 2.0**32).round().long().int()
        for cycles in (f0[:, None] * _rows(start), f0[:, None] * _columns(start))
    )
    return (down[:, :, None] + across[:, None, :]).flatten(1)


def radians(phase: Tensor) -> Tensor:
    """An int32 phase as a float32 angle in [-π, π]."""
    return phase.float().mul_(math.pi * 2.0**-31)


def steady_tone(
    row: Excitation, start: Tensor, event: Tensor, f0: Tensor, factors: Sequence[Tensor]
) -> Tensor:
    """u(t) at a steady pitch, (R, TILE).

    Args:
        start, event: (R,), as in `harmonic`.
        f0: (H,).
        factors: its own, (H, ...) each.
    """
    if row.steady:
        return row.steady(start, event, f0, *factors)

    def cycles(ratio: Tensor | None = None) -> Tensor:
        return phase_at(start, f0[event] if ratio is None else f0[event] * ratio)

    return row.tone(cycles, *(factor[event] for factor in factors))


def band_limited_tone(
    row: Excitation, start: Tensor, event: Tensor, f0: Tensor, factors: Sequence[Tensor]
) -> Tensor:
    """A pulse without aliases: the sum of its partials up to Nyquist; arguments of `steady_tone`."""
    order = orders_below_nyquist(f0)
    frequency = f0[:, None] * order
    amplitude, phase = row.partials(order, *factors)
    phase = torch.zeros_like(frequency) + phase / (2 * math.pi)
    return _sum_of_sines(start, event, frequency, amplitude * (frequency < NYQUIST), phase)


def orders_below_nyquist(f0: Tensor) -> Tensor:
    """(n,) the orders, from 1 up, of all multiples below Nyquist of the lowest pitch of (H,)."""
    lowest = fixed(lambda: _EXPORTED_LOWEST, lambda: f0.min().item())
    return torch.arange(1, max(2, math.ceil(NYQUIST / lowest)), device=f0.device)


def _harmonic_orders(
    order: Tensor, count: Tensor, rolloff: Tensor, weight: Tensor, detune: Tensor, phase: Tensor
) -> tuple[Tensor, Tensor]:
    """Mistuning is left out, as these partials are whole multiples of the pitch."""
    still = torch.zeros_like(rolloff)
    _, amplitude = harmonic_partials(still, count, rolloff, weight, torch.zeros_like(detune))
    lacking = (0, len(order) - weight.shape[1])
    return tuple(torch.nn.functional.pad(value, lacking) for value in (amplitude, phase))


def _fm_tone(cycles: Callable[..., Tensor], index: Tensor, ratio: Tensor) -> Tensor:
    deviation = radians(cycles(ratio)).sin_().mul_(index[:, None].float())
    return radians(cycles()).add_(deviation).sin_()


def sawtooth(cycles: Callable[..., Tensor]) -> Tensor:
    """Sawtooth, rising through 0 at the onset: u = 2 (θ - ⌊θ + 1/2⌋), θ in cycles."""
    return cycles().float().mul_(2.0**-31)


def sawtooth_partials(order: Tensor) -> tuple[Tensor, float]:
    """u = 2/π Σ_k (-1)^(k+1) sin(2π k θ) / k."""
    order = order.float()
    return 2 / math.pi * (-1.0) ** (order + 1) / order, 0.0


def square(cycles: Callable[..., Tensor]) -> Tensor:
    """Square wave: 1 in the first half of each cycle, -1 in the second."""
    return ((cycles() >> 31) | 1).float()


def square_partials(order: Tensor) -> tuple[Tensor, float]:
    """u = 4/π Σ_{odd k} sin(2π k θ) / k."""
    order = order.float()
    return 4 / math.pi * (order % 2) / order, 0.0


# The order is that of the codes in `ClipParameters`, so a new row goes to the end.
EXCITATIONS = Excitations(
    Excitation(
        "harmonic",
        factors=("partial_count", "rolloff", *factor_names("partial")),
        partials=_harmonic_orders,
        steady=harmonic,
        in_page=True,
    ),
    Excitation("fm", _fm_tone, ("fm_index", "fm_ratio"), steady=fm, in_page=True),
    Excitation("sawtooth", sawtooth, partials=sawtooth_partials, in_page=True),
    Excitation("square", square, partials=square_partials, in_page=True),
)
# The summaries of clips know these alone, however many excitations there are.
PAPER_EXCITATIONS = ("harmonic", "fm", "sawtooth", "square")
