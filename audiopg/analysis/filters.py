"""The patch filters of the encoder, and how structured they are (Section 4.5)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from safetensors import SafetensorError
from torch import Tensor

from audiopg._types import AnyPath, Array, DataFrame
from audiopg.analysis.components import principal_components
from audiopg.analysis.information import as_table
from audiopg.errors import InputError
from audiopg.inputs import as_float64, as_path, whole_number, whole_seed
from audiopg.runs import read_tensors

_PATCH = (16, 16)
_STRONGEST_BINS = 12
# The least normal number of float64.
_SMALLEST = torch.finfo(torch.float64).tiny


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


@dataclass(frozen=True, eq=False)
class FilterGrowth:
    """Patch filters at some steps of a run; tensors are float64, a row a step.

    Attributes:
        steps: (steps,) int64, ascending.
        images: (steps, n, 16, 16) principal components. Those of the last step are as they are; those
            of any other are rotated, within the space that they span, to match the next step best.
        variance_share: (steps, n) the share of the variance over filters that each image holds.
        likeness: (steps,) the mean squared cosine of the principal angles between the spaces that
            the components of a step and of the last one span: 1 at the end, and n / 256 for random
            spaces.
        concentration: (steps, n) `spectral_concentration` of the components, not turned.
        shuffled: (steps, repeats, n) `shuffled_concentration`, its control.
    """

    steps: Tensor
    images: Tensor
    variance_share: Tensor
    likeness: Tensor
    concentration: Tensor
    shuffled: Tensor

    def table(self) -> DataFrame:
        """A row a step; concentrations are means over the components."""
        columns = {
            "concentration": self.concentration.mean(dim=1),
            "concentration, shuffled": self.shuffled.mean(dim=(1, 2)),
            "share of variance": self.variance_share.sum(dim=1),
            "likeness to the last": self.likeness,
        }
        return as_table(columns, self.steps.tolist(), "step")


def read_filters(folder: AnyPath) -> tuple[Tensor, Tensor]:
    """The patch projections that a pre-training run kept on its way.

    They lie in ``filters/step-XXXXXXXX.safetensors``, a file a step, under the name
    ``patch_projection.weight``, in half precision.

    Args:
        folder: of the run.

    Returns:
        (steps,) int64, ascending, and (steps, width, 256) float32.

    Raises:
        InputError: for a run that kept none, or files that cannot be read or do not fit together.
    """
    folder = as_path(folder, "folder")
    paths = sorted(folder.glob("filters/step-" + 8 * "[0-9]" + ".safetensors"))
    if not paths:
        raise InputError(f"{folder} holds no filters/step-*.safetensors; pre-train to keep some.")
    weights: list[Tensor] = []
    for path in paths:
        try:
            weights.append(_flat(read_tensors(path)[0]["patch_projection.weight"]).float())
        except (OSError, SafetensorError, KeyError, InputError) as error:
            raise InputError(f"{path} holds no patch projection ({error}); delete it.") from error
        if weights[-1].shape != weights[0].shape:
            raise InputError(f"{path} is of another width than {paths[0]}; keep one run's files.")
    steps = [int(path.stem.removeprefix("step-")) for path in paths]
    return torch.tensor(steps), torch.stack(weights)


def filter_growth(
    steps: Sequence[int] | Tensor,
    weights: Array,
    n_components: int = 8,
    *,
    repeats: int = 5,
) -> FilterGrowth:
    """Principal components of patch filters through training, made to follow one another.

    From one step to the next, components may change sign, and those of similar variance trade
    places. Going back from the last step, each step's components are rotated and reflected together
    to match those of the step after (orthogonal Procrustes).

    Args:
        steps: (steps,) ascending whole numbers.
        weights: (steps, width, 256) or (steps, width, 1, 16, 16), finite.
        n_components, repeats: as in `shuffled_concentration`, the control.

    Raises:
        InputError: for steps that do not ascend or do not fit the weights, or as
            `shuffled_concentration`.
    """
    given, weights = as_float64(steps, "steps"), as_float64(weights, "weights")
    steps = given.long()
    fits = given.ndim == 1 and given.shape == weights.shape[:1] and len(given)
    if not fits or not torch.equal(steps.double(), given) or (steps.diff() <= 0).any():
        raise InputError(
            f"steps are {given.tolist()} for weights of shape {tuple(weights.shape)}; give an "
            "ascending one for each, a whole number."
        )
    parts = [filter_components(weight, n_components) for weight in weights]
    bases = [part.images.flatten(1) for part in parts]
    aligned, shares = [bases[-1]], [parts[-1].variance_share]
    for basis, part in zip(bases[-2::-1], parts[-2::-1], strict=True):
        left, _, right = torch.linalg.svd(aligned[-1] @ basis.T)
        turn = left @ right
        aligned.append(turn @ basis)
        shares.append(turn.square() @ part.variance_share)
    likeness = torch.stack([(basis @ bases[-1].T).square().sum() for basis in bases])
    shuffled = [shuffled_concentration(w, n_components, repeats=repeats) for w in weights]
    return FilterGrowth(
        steps=steps,
        images=torch.stack(aligned[::-1]).unflatten(2, _PATCH),
        variance_share=torch.stack(shares[::-1]),
        likeness=likeness / n_components,
        concentration=torch.stack([spectral_concentration(part.images) for part in parts]),
        shuffled=torch.stack(shuffled),
    )


def filter_components(weight: Array, n_components: int = 8) -> FilterComponents:
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
        images=components.directions.unflatten(1, _PATCH), variance_share=components.variance_share
    )


def spectral_concentration(images: Array) -> Tensor:
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
    images = as_float64(images, "images")
    if images.shape[1:] != _PATCH:
        raise InputError(f"images have shape {tuple(images.shape)}; give (n, 16, 16).")
    if not images.isfinite().all():
        raise InputError("images hold values that are not finite; check the weights.")
    if not len(images):
        return images.new_zeros(0)
    # Scaled to at most 1, so that squares stay finite.
    images = images / images.abs().amax(dim=(1, 2), keepdim=True).clamp(min=_SMALLEST)
    centred = images - images.mean(dim=(1, 2), keepdim=True)
    energy = torch.fft.fft2(centred).abs().square().flatten(1)[:, 1:]
    strongest = energy.topk(_STRONGEST_BINS, dim=1).values.sum(dim=1)
    is_constant = images.amax(dim=(1, 2)) == images.amin(dim=(1, 2))
    return torch.where(is_constant, 0.0, strongest / energy.sum(dim=1))


def shuffled_concentration(
    weight: Array, n_components: int = 8, *, seed: int = 0, repeats: int = 20
) -> Tensor:
    """The control: `spectral_concentration` of components of filters without spatial structure.

    The 256 entries of each filter are shuffled, each filter in its own way: it keeps its values, and
    loses their places.

    Args:
        weight, n_components: as in `filter_components`.
        seed: of the shuffles, which do not depend on the device.
        repeats: how many times all filters are shuffled, at least 1.

    Returns:
        (repeats, n) float64, in [0, 1].

    Raises:
        InputError: as `filter_components`, and for fewer than one repeat.
    """
    repeats = whole_number(repeats, "repeats")
    weight = _flat(weight)
    generator = torch.Generator().manual_seed(whole_seed(seed))
    concentrations = []
    for _ in range(repeats):
        draws = torch.rand(weight.shape, generator=generator, dtype=torch.float32)
        order = draws.argsort(dim=1).to(weight.device)
        components = filter_components(weight.gather(1, order), n_components)
        concentrations.append(spectral_concentration(components.images))
    return torch.stack(concentrations)


def _flat(weight: Array) -> Tensor:
    """``weight`` as a (width, 256) float64 tensor."""
    weight = as_float64(weight, "weight")
    if weight.shape[1:] not in ((1, *_PATCH), (_PATCH[0] * _PATCH[1],)):
        raise InputError(
            f"weight has shape {tuple(weight.shape)}; give the patch projection, "
            "(width, 1, 16, 16) or (width, 256)."
        )
    if not weight.isfinite().all():
        raise InputError("weight holds values that are not finite; check the checkpoint.")
    return weight.flatten(1)
