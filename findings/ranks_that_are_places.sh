#!/bin/sh
# permute: the rank correlation of two scores depends on the order of the rows.
#
# spearman_corr tests by permutations whether two quantities rise together. One would guess that its
# statistic is Spearman's correlation, as SciPy's is. Where it needs the rank of each value it takes
# argsort, which gives the places of the smallest value, of the next one, and so on. These are the ranks
# only if the rows are sorted already. In any other order two scores that agree closely, but not
# perfectly, have next to no correlation. If their order is the same everywhere, it is 1 in any order of
# the rows, so a test with such values finds nothing wrong.
#
# Version: permute 0.2 (scipy 1.17.1). Seen, 100 pairs, the second a noisy copy of the first:
#   SciPy, rows in any order: 0.95
#   permute, rows sorted by the first: 0.95, p = 0.005
#   permute, rows in 20 other orders: from -0.19 to 0.23, p below 0.05 in 2 of 20
#   permute, a copy without noise, rows in another order: 1.00
# It exits with 1 once another order gives a correlation above 0.5.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet permute==0.2 cryptorandom==0.4 scipy==1.17.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from permute.core import spearman_corr
from scipy.stats import spearmanr

print("permute", version("permute"))
generator = np.random.default_rng(0)
first = np.sort(generator.normal(size=100))
second = first + 0.3 * generator.normal(size=100)
right = spearmanr(first, second).statistic
print(f"SciPy, rows in any order: {right:.2f}")


def correlation(rows, other):
    statistic, p, _ = spearman_corr(first[rows], other[rows], reps=199, seed=1)
    return statistic, p


statistic, p = correlation(np.arange(100), second)
print(f"permute, rows sorted by the first: {statistic:.2f}, p = {p:.3f}")
found = np.array([correlation(generator.permutation(100), second) for _ in range(20)])
print(
    f"permute, rows in 20 other orders: from {found[:, 0].min():.2f} to {found[:, 0].max():.2f}, "
    f"p below 0.05 in {(found[:, 1] < 0.05).sum()} of 20"
)
copied, _ = correlation(generator.permutation(100), first)
print(f"permute, a copy without noise, rows in another order: {copied:.2f}")
if right < 0.9 or abs(statistic - right) > 0.001 or found[:, 0].max() > 0.5:
    sys.exit("no longer as described")
print("as described")
PYTHON
