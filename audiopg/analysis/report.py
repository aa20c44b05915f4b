"""All analyses of Section 4.4 at once, of any embeddings of the same clips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor
from tqdm.auto import tqdm

from audiopg._types import Array, DataFrame
from audiopg.analysis.components import Components, principal_components
from audiopg.analysis.disentanglement import (
    DCI,
    Gaps,
    attribute_predictability,
    binned_information,
    dci,
    information_gaps,
)
from audiopg.analysis.information import (
    FactorInformation,
    as_factors,
    factor_information,
    mutual_information,
)
from audiopg.analysis.probes import Ablation, RidgeComparison, ablate, ridge_comparison
from audiopg.analysis.subspaces import SubspaceAngles, subspace_angles
from audiopg.inputs import as_embeddings, as_named

Arrays = Mapping[str, Array]
_COMPONENTS = 20


@dataclass(frozen=True, eq=False)
class Report:
    """The findings of `analyse`; every dict but `factors` is by the name of the embeddings.

    Attributes:
        information: by factor, with errors and null.
        again: the information about the other clips, (other sets, dimensions), by factor.
        gaps: "information" by Kraskov's estimate, "binned information", and "R²".
        dci: as `audiopg.analysis.dci` gives it.
        components: as `principal_components` gives them.
        angles: as `subspace_angles` gives them.
        ablations: by factor; the ranking is by information.
        ridge: held-out R² of all embeddings.
        factors: the values asked about.
    """

    information: dict[str, dict[str, FactorInformation]]
    again: dict[str, dict[str, np.ndarray]]
    gaps: dict[str, dict[str, Gaps]]
    dci: dict[str, DCI]
    components: dict[str, Components]
    angles: dict[str, SubspaceAngles]
    ablations: dict[str, dict[str, Ablation]]
    ridge: RidgeComparison
    factors: dict[str, Array]

    def tables(self) -> dict[str, DataFrame]:
        """A table for each analysis, the name of the embeddings first in its index."""
        import pandas

        def stack(parts: Mapping[str, DataFrame], *levels: str) -> DataFrame:
            return pandas.concat(parts, names=levels)

        def each(name: str, factor: str) -> DataFrame:
            table = self.information[name][factor].table()
            others = self.again[name][factor][:, table.index]
            return table.assign(
                **{f"other clips {place}": row for place, row in enumerate(others, 1)}
            )

        names = list(self.information)
        tables = {
            "neurons": {n: stack({f: each(n, f) for f in self.factors}, "factor") for n in names},
            "gaps": {
                n: stack({of: gaps.table() for of, gaps in self.gaps[n].items()}, "gap in")
                for n in names
            },
            "dci": {n: self.dci[n].table() for n in names},
            "components": {n: self.components[n].table(self.factors) for n in names},
            "angles": {n: self.angles[n].table().rename_axis("factor") for n in names},
            "ablation": {
                n: stack({f: a.table() for f, a in self.ablations[n].items()}, "factor")
                for n in names
            },
        }
        return {
            **{what: stack(parts, "embeddings") for what, parts in tables.items()},
            "ridge": self.ridge.table(),
        }


def analyse(
    embeddings: Arrays,
    factors: Arrays,
    others: Sequence[tuple[Arrays, Arrays]] = (),
    *,
    permutations: int = 200,
    seed: int = 0,
    null_clips: int | None = None,
    cached: bool = False,
    progress: bool = True,
) -> Report:
    """All analyses of Section 4.4, of several embeddings of the same clips.

    Args:
        embeddings: name -> (clips, dimensions), such as those of an encoder, of a random one, and
            of raw log-mel.
        factors: name -> (clips,) of at least two factors.
        others: embeddings and factors of other clips, under the same names. The best dimensions are
            measured on them again, since they look too good on the clips they were chosen on.
        permutations: of the factors, for the null of each.
        seed: of everything that is drawn at random.
        null_clips, cached: as in `factor_information`.
        progress: show a progress bar.

    Raises:
        InputError: as the analyses; each part of the clips must hold at least 5.
    """
    how = {"permutations": permutations, "seed": seed, "null_clips": null_clips, "cached": cached}
    named = as_named(embeddings, "embeddings")
    embeddings = {name: as_embeddings(values) for name, values in named.items()}
    found: dict[str, dict[str, object]] = {}
    for name, values in tqdm(embeddings.items(), desc="analysing", disable=not progress):
        factors = as_factors(factors, len(values))
        found[name] = _analyse_one(values, factors, how)
        found[name]["again"] = {
            factor: np.array(
                [mutual_information(e[name], f[factor]).cpu().numpy() for e, f in others]
            ).reshape(len(others), values.shape[1])
            for factor in factors
        }
    each = ("information", "again", "gaps", "dci", "components", "angles", "ablations")
    return Report(
        **{what: {name: parts[what] for name, parts in found.items()} for what in each},
        ridge=ridge_comparison(embeddings, factors, seed=seed),
        factors=dict(factors),
    )


def _analyse_one(values: Tensor, factors: dict[str, Tensor], how: dict) -> dict[str, object]:
    """The part of a `Report` on one encoder's embeddings, without other clips and ridge regressions."""
    seed = how["seed"]
    information = {
        factor: factor_information(values, truth, **how) for factor, truth in factors.items()
    }
    by_kraskov = {factor: result.information for factor, result in information.items()}
    in_bins = {factor: binned_information(values, truth) for factor, truth in factors.items()}
    return {
        "information": information,
        "gaps": {
            "information": information_gaps(by_kraskov, factors),
            "binned information": information_gaps(in_bins, factors),
            "R²": attribute_predictability(values, factors),
        },
        "dci": dci(values, factors, seed=seed),
        "components": principal_components(values, min(_COMPONENTS, *values.shape)),
        "angles": subspace_angles(values, factors, seed=seed),
        "ablations": {
            factor: ablate(values, truth, by_kraskov[factor].argsort(descending=True), seed=seed)
            for factor, truth in factors.items()
        },
    }
