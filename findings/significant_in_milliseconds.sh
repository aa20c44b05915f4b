#!/bin/sh
# hyppo: with one feature, Hotelling's test depends on the unit.
#
# Hotelling's test compares the means of two samples, and divides by their covariance. With one feature it
# is the t-test, so one would guess that it gives the p-value of that test in any unit. For a single feature
# hyppo leaves the variance out of its statistic: it takes the inverse of the number of features, 1, in its
# place. Durations in seconds then never differ, and durations in milliseconds always do. With two features
# or more it divides by the covariance.
#
# Version: hyppo 0.5.2 (scipy 1.17.1). Seen, 50 durations each, deviation 0.1 s:
#   means 0.06 s apart: p = 0.8015 in seconds, 0.0000 in milliseconds, t-test 0.0108
#   means equal: p = 0.9619 in seconds, 0.0000 in milliseconds, t-test 0.6228
#   two features, the durations and noise: p = 0.0264 in seconds, 0.0264 in milliseconds
# It exits with 1 once the first two p-values agree.
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
from hyppo.ksample import Hotelling
from scipy.stats import ttest_ind

print("hyppo", hyppo.__version__)
generator = np.random.default_rng(0)
first, second = 0.5 + 0.1 * generator.normal(size=(2, 50))
noise = generator.normal(size=(2, 50))


def p_value(one, other):
    return float(np.squeeze(Hotelling().test(one, other).pvalue))


found = []
for name, apart in (("means 0.06 s apart", 0.06), ("means equal", 0.0)):
    later = second + apart
    seconds, milliseconds = p_value(first, later), p_value(1000 * first, 1000 * later)
    right = ttest_ind(first, later).pvalue
    print(
        f"{name}: p = {seconds:.4f} in seconds, {milliseconds:.4f} in milliseconds, "
        f"t-test {right:.4f}"
    )
    found.append((seconds, milliseconds, right))
one = np.column_stack([first, noise[0]])
other = np.column_stack([second + 0.06, noise[1]])
both = p_value(one, other), p_value(one * [1000, 1], other * [1000, 1])
print(
    f"two features, the durations and noise: p = {both[0]:.4f} in seconds, "
    f"{both[1]:.4f} in milliseconds"
)
if not (found[0][0] > 0.5 and found[1][1] < 0.001 and found[1][2] > 0.05):
    sys.exit("no longer as described")
if abs(both[0] - both[1]) > 1e-6:
    sys.exit("no longer as described")
print("as described")
PYTHON
