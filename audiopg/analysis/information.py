"""How much every latent dimension tells about a physical factor (Section 4.4).

Mutual information is estimated from nearest neighbours with algorithm 1 of Kraskov, Stögbauer and
Grassberger ("Estimating mutual information", Phys. Rev. E 69, 066138, 2004), without binning.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from audiopg.errors import InputError

# Float64 values of scratch at a time: 16 MiB on a CPU, near its caches, and 128 MiB on a GPU.
_SCRATCH_CPU = 1 << 21
_SCRATCH_CUDA = 1 << 24
# The walk outwards stops when this share of neighbourhoods is open; those see every clip instead.
_OPEN_SHARE = 0.01
_CHECK_EVERY = 8
# In place of a radius of zero, so that strictly closer means coinciding.
_CLOSEST = torch.finfo(torch.float64).tiny


def mutual_information(
    embeddings: Tensor | np.ndarray, factor: Tensor | np.ndarray, *, neighbours: int = 3
) -> Tensor:
    """Mutual information of every latent dimension with one factor (Section 4.4).

    The estimator is I = ψ(k) + ψ(N) − ⟨ψ(n_x + 1) + ψ(n_y + 1)⟩ (Kraskov et al. 2004, equation 8).
    Around each of the N clips, the distance to its k-th nearest neighbour in the plane of
    dimension and factor, in the maximum norm, is its radius; n_x and n_y count the other clips that
    are strictly closer than the radius along one axis. The search is exact. A dimension and the
    factor are first scaled to unit standard deviation, which shifting and scaling cannot change.

    The estimate is not clipped: it scatters around zero for independent variables, so it may be
    slightly negative. No noise is added to break ties. A clip that coincides with k or more others
    has radius zero, where algorithm 1 is not defined; there k and the counts are those of the
    coinciding clips, itself included for k (Gao et al., "Estimating mutual information for
    discrete-continuous mixtures", NeurIPS 2017). A constant dimension or factor gives exactly 0.

    Args:
        embeddings: (clips, dimensions), finite. The work is done on the device they are on.
        factor: (clips,), finite.
        neighbours: k, the number of neighbours; more lower the variance and raise the bias.

    Returns:
        (dimensions,) float64, in nats.

    Raises:
        InputError: when shapes do not agree, a value is not finite, or clips are fewer than
            ``neighbours`` + 2.
    """
    columns, factor = _columns_and_factor(embeddings, factor, neighbours)
    return _information(columns, _scales(columns), factor, neighbours)


def permutation_null(
    embeddings: Tensor | np.ndarray,
    factor: Tensor | np.ndarray,
    *,
    permutations: int = 200,
    seed: int = 0,
    neighbours: int = 3,
) -> Tensor:
    """The maximum over dimensions of the mutual information with a shuffled factor.

    The best of many dimensions looks informative by chance. Its estimate means something where it
    exceeds nearly all of these maxima, found in the same way on factors that tell nothing.

    Args:
        embeddings: (clips, dimensions), finite.
        factor: (clips,), finite.
        permutations: how many times the factor is shuffled, at least 1.
        seed: of the shuffles, which do not depend on the device.
        neighbours: as in `mutual_information`.

    Returns:
        (permutations,) float64, in nats, in the order of the shuffles.

    Raises:
        InputError: as `mutual_information`, and for fewer than one permutation.
    """
    if permutations < 1:
        raise InputError(f"permutations is {permutations}; shuffle the factor at least once.")
    columns, factor = _columns_and_factor(embeddings, factor, neighbours)
    scales = _scales(columns)
    generator = torch.Generator().manual_seed(seed)
    maxima = []
    for _ in range(permutations):
        shuffle = torch.randperm(len(factor), generator=generator).to(factor.device)
        maxima.append(_information(columns, scales, factor[shuffle], neighbours).max())
    return torch.stack(maxima)


def as_float64(values: Tensor | np.ndarray) -> Tensor:
    """``values`` as a detached float64 tensor of the same shape, on the device they are on."""
    if isinstance(values, Tensor):
        return values.detach().double()
    # A copy, since a tensor cannot share an array that is read-only or runs backwards.
    return torch.from_numpy(np.array(values, dtype=np.float64, order="C"))


def as_embeddings(embeddings: Tensor | np.ndarray) -> Tensor:
    """``embeddings`` as a detached (clips, dimensions) float64 tensor, on the device they are on.

    Raises:
        InputError: for another number of axes, for no clips or dimensions, or for a value that is
            not finite.
    """
    embeddings = as_float64(embeddings)
    if embeddings.ndim != 2 or 0 in embeddings.shape:
        raise InputError(
            f"embeddings have shape {tuple(embeddings.shape)}; give (clips, dimensions)."
        )
    if not embeddings.isfinite().all():
        broken = int((~embeddings.isfinite()).any(dim=1).sum())
        raise InputError(
            f"The embeddings of {broken} of {len(embeddings)} clips are not finite; "
            "leave these clips out or check the encoder."
        )
    return embeddings


def as_factor(factor: Tensor | np.ndarray, clips: int) -> Tensor:
    """``factor`` as a detached (clips,) float64 tensor, on the device it is on.

    Raises:
        InputError: for another shape or a value that is not finite.
    """
    factor = as_float64(factor)
    if factor.shape != (clips,):
        raise InputError(
            f"factor has shape {tuple(factor.shape)}; give one value for each of the {clips} clips."
        )
    if not factor.isfinite().all():
        broken = int((~factor.isfinite()).sum())
        raise InputError(
            f"factor is not finite for {broken} of {clips} clips; leave these clips out."
        )
    return factor


def _columns_and_factor(
    embeddings: Tensor | np.ndarray, factor: Tensor | np.ndarray, neighbours: int
) -> tuple[Tensor, Tensor]:
    """(dimensions, clips) and (clips,) float64 on one device."""
    embeddings = as_embeddings(embeddings)
    clips = len(embeddings)
    factor = as_factor(factor, clips).to(embeddings.device)
    if neighbours < 1:
        raise InputError(f"neighbours is {neighbours}; the estimate needs at least 1.")
    if clips < neighbours + 2:
        raise InputError(
            f"There are {clips} clips; {neighbours} neighbours need at least {neighbours + 2}."
        )
    return embeddings.T.contiguous(), factor


def _scales(columns: Tensor) -> Tensor:
    """One over the standard deviation of each row, 0 for a constant one: (rows, 1)."""
    # Sorted, so that the order of the clips does not reach the last digit of a scale.
    columns = columns.sort(dim=1).values
    scales = 1.0 / columns.std(dim=1, correction=0, keepdim=True)
    return torch.where(columns[:, :1] == columns[:, -1:], 0.0, scales)


def _information(columns: Tensor, scales: Tensor, factor: Tensor, neighbours: int) -> Tensor:
    """The estimate for each of the ``columns`` (dimensions, clips): (dimensions,)."""
    information = torch.zeros(len(columns), dtype=torch.float64, device=columns.device)
    factor, order = factor.sort()
    factor_scale = _scales(factor[None])
    if factor_scale == 0:
        return information
    scratch = _SCRATCH_CUDA if columns.is_cuda else _SCRATCH_CPU
    varying = scales[:, 0].nonzero()[:, 0]
    for chunk in varying.split(max(1, scratch // ((neighbours + 12) * len(factor)))):
        information[chunk] = _estimate(
            columns[chunk][:, order], scales[chunk], factor, factor_scale, neighbours, scratch
        )
    return information


def _estimate(
    x: Tensor, x_scale: Tensor, y: Tensor, y_scale: Tensor, neighbours: int, scratch: int
) -> Tensor:
    """The estimate for a few dimensions.

    Args:
        x: (dimensions, clips), the clips in ascending order of ``y``.
        x_scale: (dimensions, 1), positive.
        y: (clips,), ascending.
        y_scale: (1, 1), positive.
        neighbours: k.
        scratch: values of scratch to use.

    Returns:
        (dimensions,).
    """
    clips = len(y)
    digamma = torch.arange(1, clips + 1, dtype=torch.float64, device=x.device).digamma()
    radius = _radius(x, x_scale, y, y_scale, neighbours, scratch)
    # A stable sort keeps coinciding clips side by side.
    x, order = x.sort(dim=1, stable=True)
    n_y = _closer(y.expand_as(x), y_scale, radius.clamp(min=_CLOSEST))
    radius = radius.gather(1, order)
    n_x = _closer(x, x_scale, radius.clamp(min=_CLOSEST))
    k = torch.where(radius > 0, neighbours, _coinciding(x, y[order]))
    # digamma[n] is ψ(n + 1).
    mean = (digamma[k - 1] - digamma[n_x] - digamma[n_y]).mean(dim=1)
    return digamma[clips - 1] + mean


def _radius(
    x: Tensor, x_scale: Tensor, y: Tensor, y_scale: Tensor, neighbours: int, scratch: int
) -> Tensor:
    """Distance of each clip to its k-th neighbour in the maximum norm: (dimensions, clips).

    Walks outwards from all clips at once along the order of ``y``. Clips not yet met are at least
    as far as the next step along ``y``; a clip is done when its k-th distance does not exceed that.
    The arguments are those of `_estimate`.
    """
    clips = len(y)
    # Distances are scaled differences, not differences of scaled values: equal ones stay equal.
    nearest = [torch.full_like(x, torch.inf) for _ in range(neighbours)]
    for offset in range(1, clips):
        gap = (y[offset:] - y[:-offset]) * y_scale[0]
        if offset % _CHECK_EVERY == 0:
            after = pad(gap, (0, offset), value=torch.inf)
            before = pad(gap, (offset, 0), value=torch.inf)
            is_open = nearest[-1] > torch.minimum(after, before)
            if is_open.sum() <= _OPEN_SHARE * is_open.numel():
                break
        distance = (x[:, offset:] - x[:, :-offset]).abs_().mul_(x_scale)
        torch.maximum(distance, gap, out=distance)
        for side in (slice(None, -offset), slice(offset, None)):
            _insert(distance, [values[:, side] for values in nearest])
    else:
        return nearest[-1]
    radius = nearest[-1]
    for places in is_open.nonzero().split(max(1, scratch // (4 * clips))):
        dimension, clip = places.T
        along_x = (x[dimension] - x[dimension, clip, None]).abs_().mul_(x_scale[dimension])
        along_y = (y - y[clip, None]).abs_().mul_(y_scale)
        # The clip itself, at distance zero, is the first of the smallest.
        smallest = torch.maximum(along_x, along_y).topk(neighbours + 1, largest=False).values
        radius[dimension, clip] = smallest[:, -1]
    return radius


def _insert(values: Tensor, nearest: list[Tensor]) -> None:
    """Insert ``values`` into ``nearest``, ascending tensors of the same shape, in place."""
    for kept in nearest[:-1]:
        larger = torch.maximum(kept, values)
        torch.minimum(kept, values, out=kept)
        values = larger
    torch.minimum(nearest[-1], values, out=nearest[-1])


def _coinciding(x: Tensor, y: Tensor) -> Tensor:
    """How many clips share both values with each, itself included; coinciding ones are adjacent.

    Args:
        x: (dimensions, clips).
        y: (dimensions, clips).

    Returns:
        (dimensions, clips) int64.
    """
    starts = (x[:, 1:] != x[:, :-1]) | (y[:, 1:] != y[:, :-1])
    run = pad(starts, (1, 0), value=True).flatten().cumsum(dim=0) - 1
    return run.bincount()[run].view_as(x)


def _closer(values: Tensor, scale: Tensor, radius: Tensor) -> Tensor:
    """How many others lie strictly within ``radius`` of each value, by bisection.

    Args:
        values: (dimensions, clips), ascending along the clips.
        scale: (dimensions, 1) or (1, 1), positive.
        radius: (dimensions, clips), positive.

    Returns:
        (dimensions, clips) int64.
    """
    clips = values.shape[1]
    last = torch.arange(clips, device=values.device).expand_as(values)
    first = last
    # Tested on the differences that made the radius: a sum could round across the boundary.
    for step in (1 << bit for bit in reversed(range((clips - 1).bit_length()))):
        candidate = (last + step).clamp_(max=clips - 1)
        close = (values.gather(1, candidate) - values).mul_(scale) < radius
        last = torch.where(close, candidate, last)
        candidate = (first - step).clamp_(min=0)
        close = (values - values.gather(1, candidate)).mul_(scale) < radius
        first = torch.where(close, candidate, first)
    return last - first
