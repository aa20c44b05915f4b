"""How much every latent dimension tells about a physical factor (Section 4.4).

Mutual information is estimated from nearest neighbours with algorithm 1 of Kraskov, Stögbauer and
Grassberger ("Estimating mutual information", Phys. Rev. E 69, 066138, 2004), without binning.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from audiopg._types import Array, DataFrame
from audiopg.analysis.cache import fingerprint, kept
from audiopg.analysis.kraskov import kraskov_information
from audiopg.environment import usual_torch
from audiopg.errors import InputError
from audiopg.inputs import as_embeddings, as_float64, as_named, whole_number, whole_seed


@dataclass(frozen=True, eq=False)
class FactorInformation:
    """What every latent dimension tells about one factor, and what chance would.

    Attributes:
        information: (dimensions,) mutual information in nats, unclipped.
        standard_error: (dimensions,) of the estimate, in nats.
        null: (permutations,) maxima over the dimensions for shuffled factors, in nats.
    """

    information: Tensor
    standard_error: Tensor
    null: Tensor

    @property
    def threshold(self) -> float:
        """The bar for the best dimension, in nats, which 95 % of the shuffles do not exceed."""
        return self.null.quantile(0.95).item()

    def table(self, rows: int = 10) -> DataFrame:
        """The most informative dimensions: information, interval of 95 %, and p-value.

        The interval is normal, ±1.96 standard errors. The p-value is the share of shuffles, with the
        unshuffled factor among them, whose best dimension tells at least as much; it holds for all
        dimensions together.
        """
        best = self.information.argsort(descending=True, stable=True)[:rows]
        information, error = self.information[best], 1.96 * self.standard_error[best]
        exceeding = (self.null >= information[:, None]).sum(dim=1)
        columns = {
            "information": information,
            "low": information - error,
            "high": information + error,
            "p": (exceeding + 1).double() / (len(self.null) + 1),
        }
        return as_table(columns, best.tolist(), "dimension")


@usual_torch()
def mutual_information(embeddings: Array, factor: Array, *, neighbours: int = 3) -> Tensor:
    """Mutual information of every latent dimension with one factor (Section 4.4).

    The estimator is I = ψ(k) + ψ(N) − ⟨ψ(n_x + 1) + ψ(n_y + 1)⟩ (Kraskov et al. 2004, equation 8).
    Around each of the N clips, the distance to its k-th nearest neighbour in the plane of
    dimension and factor, in the maximum norm, is its radius; n_x and n_y count the other clips that
    are strictly closer than the radius along one axis. The search is exact. A dimension and the
    factor are first scaled to unit standard deviation, for which values farther from the median
    than 30 typical distances count as lying there: the ratio of two scales is free, but one wild
    value must not press all others together (`audiopg.analysis.kraskov.scaled`).

    Where values tie, distances tie, and the counts do not fit the formula: a thousand pairs of
    independent normal values, rounded to a tenth, would tell 0.32 nats. So noise of 1e-10
    deviations is added, as Kraskov et al. advise and scikit-learn does (whose noise, in 1.9, grows
    with the distance of the mean from zero, issue 30772). It is the same in every call, for the
    estimate, its null and its error. Values that do not tie are told apart as before.

    The estimate is not clipped: it scatters around zero for independent variables, so it may be
    slightly negative. A constant dimension or factor gives exactly 0. For very skewed values the
    estimate is too low: for 300 pairs of e^(e^x) it gives 0.35 nats instead of 0.51. Give their normal
    scores instead, which have the same information (Holmes and Nemenman 2019, see
    `information_error`).

    The neighbours are found by SciPy's k-d tree, on the CPU, a dimension at a time on each thread.

    Args:
        embeddings: (clips, dimensions), finite.
        factor: (clips,), finite.
        neighbours: k, the number of neighbours; more lower the variance and raise the bias.

    Returns:
        (dimensions,) float64, in nats, on the device of the embeddings.

    Raises:
        InputError: when shapes do not agree, a value is not finite, or clips are fewer than
            ``neighbours`` + 2.
    """
    columns, factor, neighbours = _columns_and_factor(embeddings, factor, neighbours)
    return kraskov_information(columns, factor[None], neighbours)[0]


@usual_torch()
def permutation_null(
    embeddings: Array, factor: Array, *, permutations: int = 200, seed: int = 0, neighbours: int = 3
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
    permutations = whole_number(permutations, "permutations")
    columns, factor, neighbours = _columns_and_factor(embeddings, factor, neighbours)
    generator = torch.Generator().manual_seed(whole_seed(seed))
    shuffles = [torch.randperm(len(factor), generator=generator) for _ in range(permutations)]
    shuffled = factor[torch.stack(shuffles).to(factor.device)]
    return kraskov_information(columns, shuffled, neighbours).amax(dim=1)


@usual_torch()
def information_error(
    embeddings: Array,
    factor: Array,
    *,
    parts: int = 5,
    repeats: int = 10,
    seed: int = 0,
    neighbours: int = 3,
) -> Tensor:
    """Standard error of `mutual_information` over other clips that might have been drawn.

    Drawing clips with replacement, as the bootstrap does, would put some of them on top of
    others, and a nearest-neighbour estimate would take those for information. So the clips are
    divided at random into disjoint parts, each a sample of its own, and the variance between the
    parts, averaged over divisions, is divided by their number, since it falls as one over the
    number of clips (Holmes and Nemenman, "Estimation of mutual information for real-valued data
    with error bars and controlled bias", Phys. Rev. E 100, 022404, 2019). The estimator's bias is
    not in it.

    Args:
        embeddings: (clips, dimensions), finite.
        factor: (clips,), finite.
        parts: in how many the clips are divided, at least 2.
        repeats: divisions, at least 1.
        seed: of the divisions, which do not depend on the device.
        neighbours: as in `mutual_information`.

    Returns:
        (dimensions,) float64, in nats; 0 for a constant dimension.

    Raises:
        InputError: as `mutual_information`, where a part has as few clips; for too few parts or
            repeats.
    """
    parts, repeats = whole_number(parts, "parts", lowest=2), whole_number(repeats, "repeats")
    columns, factor, neighbours = _columns_and_factor(embeddings, factor, neighbours)
    clips = len(factor)
    if clips // parts < neighbours + 2:
        raise InputError(
            f"{clips} clips in {parts} parts leave {clips // parts} a part; "
            f"{neighbours} neighbours need at least {neighbours + 2}."
        )
    generator = torch.Generator().manual_seed(whole_seed(seed))
    variances = []
    for _ in range(repeats):
        order = torch.randperm(clips, generator=generator).to(factor.device)
        estimates = []
        for part in order[: clips // parts * parts].view(parts, -1):
            found = kraskov_information(columns[:, part], factor[part][None], neighbours)
            estimates.append(found[0])
        variances.append(torch.stack(estimates).var(dim=0))
    return (torch.stack(variances).mean(dim=0) / parts).sqrt()


@usual_torch()
def factor_information(
    embeddings: Array,
    factor: Array,
    *,
    permutations: int = 200,
    seed: int = 0,
    neighbours: int = 3,
    null_clips: int | None = None,
    cached: bool = False,
) -> FactorInformation:
    """Information of every dimension about a factor, with its errors and its null.

    The best of many dimensions is chosen for being the best, so its estimate is too high on the
    clips that it was chosen on: quote what it tells about other clips.

    Args:
        embeddings, factor, permutations, seed, neighbours: as in `permutation_null`.
        null_clips: how many of the clips, the first ones, the null is made of; all when None. Fewer
            clips cost less and scatter more, so the null is too high, and a p-value too large, if
            anything.
        cached: whether to keep errors and null, which take minutes for thousands of clips, in
            `audiopg.environment.cache_folder`. They are found again there for the same values and
            the same estimate.

    Raises:
        InputError: as `permutation_null` and `information_error`.
    """
    if null_clips is not None:
        null_clips = whole_number(null_clips, "null_clips")
    embeddings = as_embeddings(embeddings)
    factor = as_factor(factor, len(embeddings))
    information = mutual_information(embeddings, factor, neighbours=neighbours)
    how = {"seed": seed, "neighbours": neighbours}
    error = partial(information_error, embeddings, factor, **how)
    shuffled, asked = embeddings[:null_clips], factor[:null_clips]
    null = partial(permutation_null, shuffled, asked, permutations=permutations, **how)
    if not cached:
        return FactorInformation(information, error(), null())
    return FactorInformation(
        information,
        _kept("standard error", error, embeddings, factor, information, seed, neighbours),
        _kept("null", null, shuffled, asked, information, permutations, seed, neighbours),
    )


def _kept(
    name: str,
    make: Callable[[], Tensor],
    embeddings: Tensor,
    factor: Tensor,
    information: Tensor,
    *settings: int,
) -> Tensor:
    """A tensor that depends on embeddings and a factor, from the cache or put there."""
    # The estimates, to four decimals, are in the key so that a change of the code is noticed.
    estimates = (information * 10_000).round()
    values = {"embeddings": embeddings, "factor": factor, "estimates": estimates}
    found = kept("information", fingerprint(values, name, *settings), lambda: {name: make()})
    return found[name].to(embeddings.device)


def as_table(columns: Mapping[str, Tensor], index: Sequence, name: str) -> DataFrame:
    """Columns (n,) as a table, with the values and the name of its index."""
    import pandas

    values = {label: column.cpu().numpy() for label, column in columns.items()}
    return pandas.DataFrame(values, index=pandas.Index(index, name=name))


def as_factor(factor: Array, clips: int) -> Tensor:
    """``factor``, (clips,) or one column, as a detached (clips,) float64 tensor on its device.

    Raises:
        InputError: for another shape, or a value that is not finite.
    """
    factor = as_float64(factor, "factor")
    factor = factor[:, 0] if factor.shape == (clips, 1) else factor
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


def as_factors(factors: Mapping[str, Array], clips: int) -> dict[str, Tensor]:
    """Every one of ``factors``, which may be the columns of a table, as by `as_factor`: (clips,).

    Raises:
        InputError: as `as_factor`, or where there are none.
    """
    named = as_named(factors, "factors")
    if not named:
        raise InputError("no factors were given; name at least one.")
    return {name: as_factor(values, clips) for name, values in named.items()}


def _columns_and_factor(
    embeddings: Array, factor: Array, neighbours: int
) -> tuple[Tensor, Tensor, int]:
    """(dimensions, clips) and (clips,) float64 on one device, and the number of neighbours."""
    embeddings = as_embeddings(embeddings)
    clips = len(embeddings)
    factor = as_factor(factor, clips).to(embeddings.device)
    neighbours = whole_number(neighbours, "neighbours")
    if clips < neighbours + 2:
        raise InputError(
            f"There are {clips} clips; {neighbours} neighbours need at least {neighbours + 2}."
        )
    return embeddings.T.contiguous(), factor, neighbours
