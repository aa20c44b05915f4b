"""Kraskov's estimator for many dimensions at once: an exact search of nearest neighbours in planes.

What takes the time on a CPU is passes over arrays in its caches: a walk to a few neighbouring
places, bisections, and a few windows; hardly any of it is in the estimate's formula.
"""

import math
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

# Float64 values of scratch at a time: 16 MiB on a CPU, near its caches, and 512 MiB on a GPU.
_SCRATCH_CPU = 1 << 21
_SCRATCH_CUDA = 1 << 26
# Places looked at to either side of a clip, in multiples of k, before its own window is searched.
_STEPS = 4
# So many neighbours are searched in windows from the start: a walk to k of them takes k^2 passes.
_MANY = 16
# Width of a band and distance to the next, in half-widths of the square that holds k of N clips
# that are spread evenly.
_BAND_WIDTH, _BAND_DISTANCE = 6.0, 2.5
# Standard deviation of the noise that breaks ties, in deviations of the values (Kraskov et al.).
_NOISE = 1e-10
# Values farther from the median than this many typical distances count as lying there when the
# deviation is taken. Of normal values that is 20 deviations: none of them is touched.
_FENCE = 30.0


@dataclass(frozen=True, eq=False)
class _Order:
    """The clips of a few dimensions in ascending order of one of their two values.

    Attributes:
        values: (dimensions, clips), ascending.
        others: (dimensions, clips), the other value of the same clips.
        places: (dimensions, clips) int64, where each clip stands, flat over both axes; the clips
            are counted in ascending order of the factor.
    """

    values: Tensor
    others: Tensor
    places: Tensor


def kraskov_information(columns: Tensor, factor: Tensor, neighbours: int) -> Tensor:
    """Mutual information of each of some columns with one factor.

    Args:
        columns: (dimensions, clips) float64, finite.
        factor: (clips,) float64, finite, on the same device.
        neighbours: k, from 1 to clips - 2.

    Returns:
        (dimensions,) float64, in nats.
    """
    information = torch.zeros(len(columns), dtype=torch.float64, device=columns.device)
    # Halves, as in `scaled`.
    varying = (columns.amin(dim=1) / 2 < columns.amax(dim=1) / 2).nonzero()[:, 0]
    if not len(varying) or factor.amin() / 2 == factor.amax() / 2:
        return information
    # The same for every dimension, so that none depends on which others there are.
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(2, len(factor), generator=generator, dtype=torch.float64)
    x_noise, y_noise = noise.to(columns.device)
    factor, order = scaled(factor[None], y_noise)[0].sort()
    scratch = _SCRATCH_CUDA if columns.is_cuda else _SCRATCH_CPU
    # What a dimension takes in `_bound`: bands that overlap, of a dozen tensors.
    values = len(factor) * (neighbours + 8) * _BAND_WIDTH / _BAND_DISTANCE
    chunks = varying.split(max(1, int(scratch / values)))

    def estimate(chunk: Tensor) -> None:
        x = scaled(columns[chunk], x_noise)[:, order]
        information[chunk] = _estimate(x, factor, neighbours, scratch)

    if columns.is_cuda:
        for chunk in chunks:
            estimate(chunk)
        return information
    # A thread a chunk: threads that share one operation would wait for each other after each.
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            deque(pool.map(estimate, chunks), maxlen=0)
    finally:
        torch.set_num_threads(threads)
    return information


def scaled(values: Tensor, noise: Tensor) -> Tensor:
    """Rows around their median, in units of a deviation that a few wild values do not set.

    It is the standard deviation, for which values beyond 30 typical distances count as lying there.
    The typical distance is the median of the distances from the median, those of zero left out, so
    that it is positive although most values may be the same.

    Args:
        values: (rows, clips) float64, finite, no row constant.
        noise: (clips,) standard normal, of which a ten-billionth is added, so that none tie.

    Returns:
        (rows, clips).
    """
    # Halves, since the difference of two finite numbers need not be finite.
    clips = values.shape[1]
    centred = values / 2 - _smallest(values, (clips + 1) // 2)[:, None] / 2
    distance = centred.abs()
    zeros = (distance == 0).sum(dim=1, keepdim=True)
    middle = _argsort(distance).gather(1, (zeros + clips) // 2)
    centred = (centred / distance.gather(1, middle)).clamp(-1e100, 1e100)
    centred /= centred.clamp(-_FENCE, _FENCE).std(dim=1, correction=0, keepdim=True)
    # Large values have few digits left for what is small.
    return centred + _NOISE * noise * centred.abs().clamp(min=1)


def _estimate(x: Tensor, y: Tensor, neighbours: int, scratch: int) -> Tensor:
    """The estimate for a few dimensions.

    A radius is first bounded by clips that are near in cheap ways. Where that does not prove it,
    the clips closer than the bound along one axis, the axis with fewer of them, are searched.

    Args:
        x: (dimensions, clips), the clips in ascending order of ``y``; none is constant.
        y: (clips,), ascending, not constant.
        neighbours: k.
        scratch: values of scratch to use.

    Returns:
        (dimensions,).
    """
    clips = len(y)
    rows = torch.arange(len(x), device=x.device)[:, None] * clips
    places = rows + torch.arange(clips, device=x.device)
    order = _argsort(x)
    ranks = torch.empty_like(order).scatter_(1, order, places)
    ascending, y_ascending = x.gather(1, order), y.expand_as(x).contiguous()
    along_y = _Order(y_ascending, x, places)
    along_x = _Order(ascending, y[order], ranks)

    if neighbours < _MANY:
        radius, is_sure = _bound(along_y, neighbours)
    else:
        radius = _bound_of_many(along_y, neighbours, scratch)
        is_sure = torch.zeros_like(radius, dtype=torch.bool)
    spans = [_closer(axis, axis.places, radius) for axis in (along_y, along_x)]
    n_y, n_x = (last - first for first, last in spans)
    changed = torch.zeros_like(is_sure)
    for axis, (first, last), is_fewer in (
        (along_y, spans[0], n_y <= n_x),
        (along_x, spans[1], n_y > n_x),
    ):
        row, clip = (~is_sure & is_fewer).nonzero().T
        window = first[row, clip], last[row, clip]
        found = _radius_in_windows(axis, row, axis.places[row, clip], window, neighbours, scratch)
        changed[row, clip] = found < radius[row, clip]
        radius[row, clip] = torch.minimum(found, radius[row, clip])
    row, clip = changed.nonzero().T
    for axis, counts in ((along_y, n_y), (along_x, n_x)):
        first, last = _closer(axis, axis.places[row, clip], radius[row, clip])
        counts[row, clip] = last - first

    # digamma[n] is ψ(n + 1).
    digamma = torch.arange(1, clips + 1, dtype=torch.float64, device=x.device).digamma()
    mean = (digamma[n_x] + digamma[n_y]).mean(dim=1)
    return digamma[neighbours - 1] + digamma[clips - 1] - mean


def _bound(along_y: _Order, neighbours: int) -> tuple[Tensor, Tensor]:
    """An upper bound of each clip's radius, and whether it is the radius.

    Looks at the next clips along ``y``; and, in bands of clips that are near along ``y``, at the
    next along ``x``. Where a square of k neighbours is expected, a band is a few times as high.

    Returns:
        (dimensions, clips) float64 and bool, the clips in ascending order of ``y``.
    """
    y, device = along_y.values[0], along_y.values.device
    clips, steps = len(y), _STEPS * neighbours
    radius, is_sure = _walk(along_y.values, along_y.others, neighbours, steps)
    half_width = math.sqrt(neighbours * clips) / 2
    width = min(clips, math.ceil(_BAND_WIDTH * half_width))
    bands = 1 + math.ceil((clips - width) / (_BAND_DISTANCE * half_width))
    start = torch.linspace(0, clips - width, bands, dtype=torch.float64, device=device)
    start = start.round().long()
    inside = start[:, None] + torch.arange(width, device=device)
    x = along_y.others[:, inside]  # (dimensions, bands, width)
    order = _argsort(x)
    other = along_y.values[:, inside].gather(2, order)
    found, is_near = _walk(x.gather(2, order), other, neighbours, steps)
    # Back in order of y, each clip from the band that it lies deepest in.
    place = torch.arange(clips, device=device)
    middle = start + width / 2
    band = torch.searchsorted((middle[1:] + middle[:-1]) / 2, place.double())
    back = band * width + place - start[band]
    found, is_near = (
        torch.empty_like(value).scatter_(2, order, value).flatten(1)[:, back]
        for value in (found, is_near)
    )
    ends = pad(y, (1, 1), value=torch.inf)
    below, above = ends[start[band]], ends[start[band] + width + 1]
    edge = torch.minimum((y - below).abs(), above - y)
    return torch.minimum(radius, found), is_sure | (is_near & (found <= edge))


def _bound_of_many(along_y: _Order, neighbours: int, scratch: int) -> Tensor:
    """An upper bound of each clip's radius: the clips that are near along ``y`` are searched.

    Returns:
        (dimensions, clips), the clips in ascending order of ``y``.
    """
    dimensions, clips = along_y.values.shape
    place = torch.arange(clips, device=along_y.values.device)
    reach = max(neighbours + 1, math.isqrt(neighbours * clips))
    rows = torch.arange(dimensions, device=place.device)[:, None]
    ends = [rows * clips + (place + step).clamp(0, clips - 1) for step in (-reach, reach)]
    window = ends[0].flatten(), ends[1].flatten()
    row, places = rows.expand(-1, clips).flatten(), along_y.places.flatten()
    found = _radius_in_windows(along_y, row, places, window, neighbours, scratch)
    return found.view(dimensions, clips)


def _walk(values: Tensor, others: Tensor, neighbours: int, steps: int) -> tuple[Tensor, Tensor]:
    """Distance of each clip to the k-th nearest of those up to ``steps`` places away.

    Args:
        values: (..., clips), ascending along the clips.
        others: (..., clips), the other value.
        neighbours: k.
        steps: places to look at to either side.

    Returns:
        (..., clips), infinite where fewer than k were seen; and whether no other clip of those in
        ``values`` can be nearer.
    """
    clips = values.shape[-1]
    nearest = [torch.full_like(values, torch.inf) for _ in range(neighbours)]
    along, across = torch.empty_like(values), torch.empty_like(values)
    for step in range(1, min(steps, clips - 1) + 1):
        early, late = slice(None, -step), slice(step, None)
        distance = torch.sub(values[..., late], values[..., early], out=along[..., late])
        other = torch.sub(others[..., late], others[..., early], out=across[..., late])
        torch.maximum(distance, other.abs_(), out=distance)
        for side in (early, late):
            _insert(distance, [value[..., side] for value in nearest])
    step = min(steps + 1, clips)
    gap = values[..., step:] - values[..., : clips - step]
    after = pad(gap, (0, step), value=torch.inf)
    before = pad(gap, (step, 0), value=torch.inf)
    return nearest[-1], nearest[-1] <= torch.minimum(after, before)


def _insert(values: Tensor, nearest: list[Tensor]) -> None:
    """Insert ``values`` into ``nearest``, ascending tensors of the same shape, in place."""
    for kept in nearest[:-1]:
        larger = torch.maximum(kept, values)
        torch.minimum(kept, values, out=kept)
        values = larger
    torch.minimum(nearest[-1], values, out=nearest[-1])


def _closer(axis: _Order, places: Tensor, radius: Tensor) -> tuple[Tensor, Tensor]:
    """The first and the last place strictly closer than a radius along an axis, by bisection.

    Args:
        axis: the order to search.
        places: any shape, int64, flat places in ``axis.values``.
        radius: of the shape of ``places``, positive.

    Returns:
        Two tensors of flat places; the place itself lies between them.
    """
    clips = axis.values.shape[1]
    flat, shape = axis.values.flatten(), places.shape
    places, radius = places.flatten(), radius.flatten()
    start = places // clips * clips - 1
    value = flat.index_select(0, places)
    # Powers of two after a first step that makes them end at the last clip.
    bits = (clips + 1).bit_length() - 1
    steps = [clips + 1 - (1 << bits), *(1 << bit for bit in reversed(range(bits)))]
    ends = []
    # Tested on the differences that made the radius: a sum could round across the boundary.
    for is_before, border in ((torch.le, -radius), (torch.lt, radius)):
        found = start.clone()
        for step in filter(None, steps):
            difference = flat.index_select(0, found + step).sub_(value)
            found.add_(is_before(difference, border), alpha=step)
        ends.append(found.view(shape))
    return ends[0] + 1, ends[1]


def _radius_in_windows(
    axis: _Order,
    row: Tensor,
    places: Tensor,
    window: tuple[Tensor, Tensor],
    neighbours: int,
    scratch: int,
) -> Tensor:
    """Distance of some clips to their k-th neighbour among those in a window of an axis.

    Args:
        axis: the order that the windows lie in.
        row: (n,) int64, the clips' dimensions.
        places: (n,) int64, their flat places in ``axis.values``.
        window: (n,) and (n,) int64, the first and the last flat place of each window.
        neighbours: k.
        scratch: values of scratch to use.

    Returns:
        (n,).
    """
    clips = axis.values.shape[1]
    first, last = window
    radius = torch.empty(len(row), dtype=torch.float64, device=row.device)
    # Windows of similar width are searched together, all as wide as the widest.
    level = (3 * (last - first + 1).double().log2()).ceil()
    for same in (level == value for value in level.unique()):
        chosen = same.nonzero()[:, 0]
        width = int((last - first)[chosen].max()) + 1
        width = min(clips, max(width, neighbours + 1))
        for part in chosen.split(max(1, scratch // (8 * width))):
            start = torch.minimum(first[part], (row[part] + 1) * clips - width)
            inside = (start[:, None] + torch.arange(width, device=row.device)).flatten()
            distance, other = (
                values.flatten()
                .index_select(0, inside)
                .view(-1, width)
                .sub_(values.flatten().index_select(0, places[part])[:, None])
                .abs_()
                for values in (axis.values, axis.others)
            )
            torch.maximum(distance, other, out=distance)
            # The clip itself, at distance zero, is the first of the smallest.
            radius[part] = _smallest(distance, neighbours + 1)
    return radius


def _argsort(values: Tensor) -> Tensor:
    """Indices that sort the last axis; on a CPU by NumPy, which is ten times as fast as torch."""
    if values.device.type != "cpu":
        return values.argsort(dim=-1)
    return torch.from_numpy(np.argsort(values.numpy(), axis=-1))


def _smallest(values: Tensor, count: int) -> Tensor:
    """The ``count``-th smallest of each row of (n, m), 1 <= count <= m: (n,)."""
    if values.device.type != "cpu":
        return values.topk(count, dim=1, largest=False).values[:, -1]
    return torch.from_numpy(np.partition(values.numpy(), count - 1, axis=1)[:, count - 1])
