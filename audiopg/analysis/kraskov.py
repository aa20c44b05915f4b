"""Kraskov's estimator for many dimensions at once: exact neighbours in planes, by SciPy's k-d tree."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

# Standard deviation of the noise that breaks ties, in deviations of the values (Kraskov et al.).
_NOISE = 1e-10
# For the deviation, values are clipped at this many typical distances from the median. For normal
# values that is 20 deviations, so none of them is clipped.
_FENCE = 30.0


def kraskov_information(columns: Tensor, factors: Tensor, neighbours: int) -> Tensor:
    """Mutual information of each of some columns with each of some factors.

    Args:
        columns: (dimensions, clips) float64, finite.
        factors: (n, clips) float64, finite, on the same device.
        neighbours: k, from 1 to clips - 2.

    Returns:
        (n, dimensions) float64, in nats, on that device; the work is done on the CPU, each thread
        taking a part of the dimensions.
    """
    device, columns, factors = columns.device, columns.cpu(), factors.cpu()
    clips, threads = columns.shape[1], torch.get_num_threads()
    information = torch.zeros(len(factors), len(columns), dtype=torch.float64)
    # The same noise for every dimension, so that none depends on the others.
    generator = torch.Generator(device="cpu").manual_seed(0)
    noise = torch.randn((2, clips), generator=generator, dtype=torch.float64, device="cpu").numpy()
    # In ascending order of the factor, so that neighbours lie near in memory too.
    asked = _varying(factors)
    values = [scaled(factors[row].numpy(), noise[1]) for row in asked]
    ascending = [(order, y[order]) for y in values for order in [y.argsort()]]
    # digamma[n] is ψ(n + 1).
    digamma = torch.arange(1, clips + 1, dtype=torch.float64).digamma().numpy()

    def estimate(rows: list[int]) -> None:
        for row in rows:
            x = scaled(columns[row].numpy(), noise[0])
            found = [_estimate(x[order], y, neighbours, digamma) for order, y in ascending]
            information[asked, row] = torch.tensor(found, dtype=torch.float64)

    varying = _varying(columns)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(estimate, (varying[first::threads] for first in range(threads))))
    return information.to(device)


def _varying(rows: Tensor) -> list[int]:
    """The rows of (n, clips) that are not constant; by halves, as in `scaled`."""
    return (rows.amin(dim=1) / 2 < rows.amax(dim=1) / 2).nonzero()[:, 0].tolist()


def scaled(values: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Values around their median, over a standard deviation that a few outliers do not set.

    For the deviation, values are clipped at 30 typical distances from the median. The typical distance
    is the median distance from the median, zeros left out, so that it is positive even where most
    values are the same.

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


def _estimate(x: np.ndarray, y: np.ndarray, neighbours: int, digamma: np.ndarray) -> float:
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
    mean = (digamma[_closer(x[order], radius[order])] + digamma[_closer(y, radius)]).mean()
    return digamma[neighbours - 1] + digamma[-1] - mean


def _closer(values: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """How many others are strictly closer than a radius to each of (clips,) ascending values."""
    first = values.searchsorted(values - radius, "right")
    last = values.searchsorted(values + radius, "left")
    # The k-th neighbour lies on the boundary, across which sums may round; so the same differences are
    # taken as for the radius.
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
