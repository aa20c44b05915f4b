"""Kraskov's estimator for many dimensions at once: exact neighbours in planes, by SciPy's k-d tree."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

# Standard deviation of the noise that breaks ties, in deviations of the values (Kraskov et al.).
_NOISE = 1e-10
# Values farther from the median than this many typical distances count as lying there when the
# deviation is taken. Of normal values that is 20 deviations: none of them is touched.
_FENCE = 30.0


def kraskov_information(columns: Tensor, factor: Tensor, neighbours: int) -> Tensor:
    """Mutual information of each of some columns with one factor.

    Args:
        columns: (dimensions, clips) float64, finite.
        factor: (clips,) float64, finite, on the same device.
        neighbours: k, from 1 to clips - 2.

    Returns:
        (dimensions,) float64, in nats, on that device; the work is done on the CPU, a thread a dimension.
    """
    device, columns, factor = columns.device, columns.cpu(), factor.cpu()
    information = torch.zeros(len(columns), dtype=torch.float64)
    # Halves, as in `scaled`.
    varying = (columns.amin(dim=1) / 2 < columns.amax(dim=1) / 2).nonzero()[:, 0]
    if not len(varying) or factor.amin() / 2 == factor.amax() / 2:
        return information.to(device)
    # The same for every dimension, so that none depends on which others there are.
    generator = torch.Generator(device="cpu").manual_seed(0)
    shape = 2, len(factor)
    noise = torch.randn(shape, generator=generator, dtype=torch.float64, device="cpu").numpy()
    # In ascending order of the factor, so that neighbours lie near in memory too.
    y = scaled(factor.numpy(), noise[1])
    order = y.argsort()

    def estimate(row: int) -> float:
        x = scaled(columns[row].numpy(), noise[0])
        return _estimate(x[order], y[order], neighbours)

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        found = list(pool.map(estimate, varying.tolist()))
    information[varying] = torch.tensor(found, dtype=torch.float64)
    return information.to(device)


def scaled(values: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Values around their median, in units of a deviation that a few wild ones do not set.

    It is the standard deviation, for which values beyond 30 typical distances count as lying there.
    The typical distance is the median of the distances from the median, those of zero left out, so
    that it is positive although most values may be the same.

    Args:
        values: (clips,) float64, finite, not constant.
        noise: (clips,) standard normal, of which a ten-billionth is added, so that none tie.

    Returns:
        (clips,).
    """
    # Halves, since the difference of two finite numbers need not be finite.
    clips = len(values)
    centred = values / 2 - np.partition(values, (clips - 1) // 2)[(clips - 1) // 2] / 2
    distance = np.abs(centred)
    middle = ((distance == 0).sum() + clips) // 2
    with np.errstate(over="ignore"):
        centred /= np.partition(distance, middle)[middle]
    centred = centred.clip(-1e100, 1e100)
    centred /= centred.clip(-_FENCE, _FENCE).std()
    # Large values have few digits left for what is small.
    return centred + _NOISE * noise * np.abs(centred).clip(min=1)


def _estimate(x: np.ndarray, y: np.ndarray, neighbours: int) -> float:
    """The estimate for one dimension.

    Args:
        x: (clips,), no two alike.
        y: (clips,), ascending, no two alike.
    """
    points = np.stack((x, y), axis=1)
    tree = cKDTree(points, balanced_tree=False, compact_nodes=False)
    # The clip itself is the first.
    radius = tree.query(points, [neighbours + 1], p=np.inf)[0][:, 0]
    order = x.argsort()
    # digamma[n] is ψ(n + 1).
    digamma = torch.arange(1, len(y) + 1, dtype=torch.float64).digamma().numpy()
    mean = (digamma[_closer(x[order], radius[order])] + digamma[_closer(y, radius)]).mean()
    return digamma[neighbours - 1] + digamma[-1] - mean


def _closer(values: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """How many others are strictly closer than a radius to each of (clips,) ascending values."""
    first = values.searchsorted(values - radius, "right")
    last = values.searchsorted(values + radius, "left")
    # Sums round across the boundary, on which the k-th neighbour lies: what counts are the differences
    # that made the radius.
    ends = np.concatenate(([-np.inf], values, [np.inf]))  # ends[n] is the value before the n-th
    while (wrong := values - ends[first] < radius).any():
        first -= wrong
    while (wrong := values - ends[first + 1] >= radius).any():
        first += wrong
    while (wrong := ends[last + 1] - values < radius).any():
        last += wrong
    while (wrong := ends[last] - values >= radius).any():
        last -= wrong
    return last - first - 1
