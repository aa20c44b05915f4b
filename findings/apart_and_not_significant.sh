#!/bin/sh
# hyppo: the further two samples lie apart, the larger the p-value of its Friedman-Rafsky test.
#
# The test of Friedman and Rafsky joins all points of two samples by a minimum spanning tree, cuts it where
# the samples change, and counts the parts. The fewer parts there are, the further the samples lie apart.
# One would guess that few parts give a small p-value. hyppo hands the count to a permutation test that is
# for statistics which grow: the p-value is the share of permutations with as many parts or more. Of two
# samples that are wholly apart there are two parts, the fewest there can be, and p is 1.
#
# Version: hyppo 0.5.2 (numba 0.68.1). Seen, 30 points each in two dimensions, deviation 1:
#   0 apart: 34 parts, p = 0.205, share of permutations with as few: 0.850
#   1 apart: 20 parts, p = 1.000, share of permutations with as few: 0.010
#   10 apart: 2 parts, p = 1.000, share of permutations with as few: 0.005
# It exits with 1 once the last p-value is below 0.5.
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
from hyppo.ksample import FriedmanRafsky

print("hyppo", hyppo.__version__)
found = []
for apart in (0, 1, 10):
    generator = np.random.default_rng(0)
    points = generator.normal(size=(60, 2))
    points[30:] += apart
    sample = np.repeat([0, 1], 30)
    result = FriedmanRafsky().test(points, sample, reps=199, random_state=0)
    parts = result.uncor_stat
    drawn = [
        FriedmanRafsky().statistic(points, generator.permutation(sample)) for _ in range(199)
    ]
    few = (1 + np.sum(np.array(drawn) <= parts)) / 200
    print(
        f"{apart} apart: {parts} parts, p = {result.pvalue:.3f}, "
        f"share of permutations with as few: {few:.3f}"
    )
    found.append((result.pvalue, few))
if not (found[-1][0] > 0.5 and found[-1][1] < 0.01):
    sys.exit("no longer as described")
print("as described")
PYTHON
