"""What the latent space knows of the physical factors, and what the patch filters look like."""

from audiopg.analysis.components import Components, principal_components
from audiopg.analysis.filters import (
    FilterComponents,
    filter_components,
    shuffled_concentration,
    spectral_concentration,
)
from audiopg.analysis.information import mutual_information, permutation_null
from audiopg.analysis.probes import RidgeResult, ridge_r2

__all__ = [
    "Components",
    "FilterComponents",
    "RidgeResult",
    "filter_components",
    "mutual_information",
    "permutation_null",
    "principal_components",
    "ridge_r2",
    "shuffled_concentration",
    "spectral_concentration",
]
