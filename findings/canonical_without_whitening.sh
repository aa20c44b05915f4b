#!/bin/sh
# hyppo: its canonical correlation analysis is the RV coefficient.
#
# The reference of CCA says that its statistic is the largest correlation that linear combinations of two
# embeddings can have. One would guess that it does not change when a dimension is rescaled. The code
# divides the squared size of the covariance between the two by the sizes of the covariances within each.
# This is the RV coefficient, which the package has under that name, too, and it depends on the dimensions
# that vary most. If two embeddings share a dimension that varies little, the statistic is near 0.
#
# Version: hyppo 0.5.2 (numpy 2.4.6). Seen, 200 clips, 3 dimensions each, one of them shared but for noise:
#   all dimensions vary alike: CCA 0.39, p = 0.001; RV 0.39; largest correlation 0.96
#   the shared one varies a hundredth: CCA 0.01, p = 0.586; RV 0.01; largest correlation 0.96
# It exits with 1 once CCA and RV differ, or the two values of CCA agree.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet hyppo==0.5.2 autograd==1.9.1 numba==0.68.1 scikit-learn==1.9.1 \
    statsmodels==0.15.0 pandas==3.1.1 scipy==1.17.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import hyppo
import numpy as np
from hyppo.independence import CCA, RV

print("hyppo", hyppo.__version__)
generator = np.random.default_rng(0)
first, second = generator.normal(size=(2, 200, 3))
second[:, 0] = first[:, 0] + 0.3 * generator.normal(size=200)


def largest_correlation(one, other):
    bases = [np.linalg.qr(rows - rows.mean(axis=0))[0] for rows in (one, other)]
    return np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)[0]


found = []
for name, scale in (("all dimensions vary alike", 1), ("the shared one varies a hundredth", 0.01)):
    one, other = first * [scale, 1, 1], second * [scale, 1, 1]
    result = CCA().test(one, other, reps=1000, random_state=0)
    rv = RV().statistic(one, other)
    right = largest_correlation(one, other)
    print(
        f"{name}: CCA {result.stat:.2f}, p = {result.pvalue:.3f}; RV {rv:.2f}; "
        f"largest correlation {right:.2f}"
    )
    found.append((result.stat, rv, right))
for statistic, rv, right in found:
    if abs(statistic - rv) > 1e-9 or right < 0.9:
        sys.exit("no longer as described")
if found[1][0] > 0.1 or found[0][0] < 0.3:
    sys.exit("no longer as described")
print("as described")
PYTHON
