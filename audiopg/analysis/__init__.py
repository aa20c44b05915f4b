"""What the latent space knows of the physical factors, and what the patch filters look like."""

from audiopg.analysis.clips import FACTORS, clip_factors, controlled_clips, embed_clips, short_clips
from audiopg.analysis.components import Components, principal_components
from audiopg.analysis.disentanglement import (
    DCI,
    Gaps,
    attribute_predictability,
    binned_information,
    dci,
    information_gaps,
)
from audiopg.analysis.filters import (
    FilterComponents,
    FilterGrowth,
    filter_components,
    filter_growth,
    read_filters,
    shuffled_concentration,
    spectral_concentration,
)
from audiopg.analysis.information import (
    FactorInformation,
    factor_information,
    information_error,
    mutual_information,
    permutation_null,
)
from audiopg.analysis.probes import (
    Ablation,
    RidgeComparison,
    RidgeResult,
    ablate,
    ridge_comparison,
    ridge_r2,
)
from audiopg.analysis.report import Report, analyse
from audiopg.analysis.subspaces import (
    SubspaceAngles,
    factor_direction,
    principal_angles,
    ridge_subspace,
    subspace_angles,
    traverse,
)

__all__ = [
    "DCI", "FACTORS", "Ablation", "Components", "FactorInformation", "FilterComponents",
    "FilterGrowth", "Gaps", "Report", "RidgeComparison", "RidgeResult", "SubspaceAngles",
    "ablate", "analyse", "attribute_predictability", "binned_information", "clip_factors",
    "controlled_clips", "dci", "embed_clips", "factor_direction", "factor_information",
    "filter_components", "filter_growth", "information_error", "information_gaps",
    "mutual_information", "permutation_null", "principal_angles", "principal_components",
    "read_filters", "ridge_comparison", "ridge_r2", "ridge_subspace", "short_clips",
    "shuffled_concentration", "spectral_concentration", "subspace_angles", "traverse",
]  # fmt: skip
