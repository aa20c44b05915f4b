#!/bin/sh
# hyppo: a multivariate analysis of variance misses groups that differ in one dimension.
#
# MANOVA asks whether groups have the same mean. One would guess that hyppo gives the Pillai trace and the
# p-value that statsmodels gives, since its reference has the same formula. The formula sums outer products
# of deviations, which are matrices. hyppo takes the product of a row with its own transpose, and in NumPy
# the transpose of a row is the row itself. So each product is a single number, the squared length, which
# is added to every place of the matrix. What is left compares one variance with another, over all
# dimensions, but the p-value is that of a test in many. It is too large.
#
# Version: hyppo 0.5.2 (statsmodels 0.15.0). Seen, three groups of 40 embeddings, deviation 1:
#   10 dimensions, one of them 0.8 apart: p = 0.99636, statsmodels 0.00004
#   30 dimensions, one of them 0.8 apart: p = 1.00000, statsmodels 0.00649
#   10 dimensions, no difference, p below 0.05: 0 of 1000 times, statsmodels 54
# It exits with 1 once the first p-value is below 0.05.
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
from hyppo.ksample import MANOVA
from statsmodels.multivariate.manova import MANOVA as Reference

print("hyppo", hyppo.__version__)
generator = np.random.default_rng(0)


def p_values(dimensions, apart):
    groups = [generator.normal(size=(40, dimensions)) for _ in range(3)]
    for number, group in enumerate(groups):
        group[:, 0] += number * apart
    member = np.repeat(np.eye(3), 40, axis=0)
    contrast = [("groups", np.array([[1, -1, 0], [0, 1, -1]]))]
    table = Reference(np.vstack(groups), member).mv_test(contrast).results["groups"]["stat"]
    return float(MANOVA().test(*groups)[1]), float(table.loc["Pillai's trace", "Pr > F"])


found = []
for dimensions in (10, 30):
    p, right = p_values(dimensions, 0.8)
    print(f"{dimensions} dimensions, one of them 0.8 apart: p = {p:.5f}, statsmodels {right:.5f}")
    found.append((p, right))
significant = (np.array([p_values(10, 0.0) for _ in range(1000)]) < 0.05).sum(axis=0)
print(
    f"10 dimensions, no difference, p below 0.05: {significant[0]} of 1000 times, "
    f"statsmodels {significant[1]}"
)
if not (found[0][0] > 0.05 and found[0][1] < 0.001 and significant[0] == 0):
    sys.exit("no longer as described")
print("as described")
PYTHON
