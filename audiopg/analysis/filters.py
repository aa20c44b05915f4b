"""The patch filters of the encoder, and how structured they are (Section 4.5)."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audiopg.analysis.components import principal_components
from audiopg.analysis.information import as_float64
from audiopg.errors import InputError

_PATCH = (16, 16)
_STRONGEST_BINS = 12


@dataclass(frozen=True, eq=False)
class FilterComponents:
    """Principal components of patch filters, in descending order of variance; float64.

    Attributes:
        images: (n, 16, 16) each of unit energy, time by mel bands; the entry of largest magnitude
            is positive.
        variance_share: (n,) the share of the variance over filters that each component holds.
    """

    images: Tensor
    variance_share: Tensor


def filter_components(weight: Tensor | np.ndarray, n_components: int = 8) -> FilterComponents:
    """Principal components of the first-layer patch projection (Section 4.5, Figure 6).

    The filters are the observations: the components span the templates that the filters share.

    Args:
        weight: (width, 1, 16, 16), time by mel bands, or (width, 256); finite, not all the same.
        n_components: from 1 to the smaller of width and 256.

    Returns:
        The leading components as images, and their shares of the variance.

    Raises:
        InputError: for another shape, a value that is not finite, a number of components out of
            range, or filters that are all the same.
    """
    components = principal_components(_flat(weight), n_components)
    return FilterComponents(
        images=components.directions.unflatten(1, _PATCH),
        variance_share=components.variance_share,
    )


def spectral_concentration(images: Tensor | np.ndarray) -> Tensor:
    """The share of an image's energy in the strongest few bins of its spectrum: its structure.

    The image's mean is removed. Of the 255 bins that are left of its two-dimensional Fourier
    transform, the 12 strongest (six pairs of opposite frequencies, 4.7 % of the bins) are taken.
    A grating of whole periods gives 1, a flat spectrum 12 / 255. White noise gives 0.19 on average,
    since the strongest bins of a random spectrum stand out too. A constant image gives 0.

    Args:
        images: (n, 16, 16), finite.

    Returns:
        (n,) float64, in [0, 1].

    Raises:
        InputError: for another shape or a value that is not finite.
    """
    images = as_float64(images)
    if images.shape[1:] != _PATCH:
        raise InputError(f"images have shape {tuple(images.shape)}; give (n, 16, 16).")
    if not images.isfinite().all():
        raise InputError("images hold values that are not finite; check the weights.")
    centred = images - images.mean(dim=(1, 2), keepdim=True)
    energy = torch.fft.fft2(centred).abs().square().flatten(1)[:, 1:]
    strongest = energy.topk(_STRONGEST_BINS, dim=1).values.sum(dim=1)
    is_constant = images.amax(dim=(1, 2)) == images.amin(dim=(1, 2))
    return torch.where(is_constant, 0.0, strongest / energy.sum(dim=1))


def shuffled_concentration(
    weight: Tensor | np.ndarray, n_components: int = 8, *, seed: int = 0, repeats: int = 20
) -> Tensor:
    """The control: `spectral_concentration` of components of filters without spatial structure.

    The 256 entries of each filter are shuffled, each filter in its own way, which keeps its values
    and loses where they were.

    Args:
        weight: as in `filter_components`.
        n_components: as in `filter_components`.
        seed: of the shuffles, which do not depend on the device.
        repeats: how many times all filters are shuffled, at least 1.

    Returns:
        (repeats, n) float64, in [0, 1].

    Raises:
        InputError: as `filter_components`, and for fewer than one repeat.
    """
    if repeats < 1:
        raise InputError(f"repeats is {repeats}; shuffle the filters at least once.")
    weight = _flat(weight)
    generator = torch.Generator().manual_seed(seed)
    concentrations = []
    for _ in range(repeats):
        order = torch.rand(weight.shape, generator=generator).argsort(dim=1).to(weight.device)
        components = filter_components(weight.gather(1, order), n_components)
        concentrations.append(spectral_concentration(components.images))
    return torch.stack(concentrations)


def _flat(weight: Tensor | np.ndarray) -> Tensor:
    """``weight`` as a (width, 256) float64 tensor."""
    weight = as_float64(weight)
    if weight.shape[1:] not in ((1, *_PATCH), (_PATCH[0] * _PATCH[1],)):
        raise InputError(
            f"weight has shape {tuple(weight.shape)}; give the patch projection, "
            "(width, 1, 16, 16) or (width, 256)."
        )
    if not weight.isfinite().all():
        raise InputError("weight holds values that are not finite; check the checkpoint.")
    return weight.flatten(1)
