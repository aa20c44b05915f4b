#!/bin/sh
# dcor: by default, no permutation test finds anything.
#
# dcor tests by distance covariance whether two quantities depend on each other, and by energy distance
# whether two samples have one distribution. Both are permutation tests. One would guess that a test
# permutes. The default of num_resamples is 0, and the p-value is then (0 + 1) / (0 + 1) = 1, whatever
# the data are. There is no warning. R's package energy, which has the same default, gives NA as the p-value.
# The docstring's first examples have p = 1 for a quantity and itself.
#
# Version: dcor 0.7. Seen, 200 values:
#   a quantity and itself: p = 1.000, with 199 permutations p = 0.005
#   a quantity and a noisy copy of its square: p = 1.000, with 199 permutations p = 0.005
#   samples around 0 and around 3, energy test: p = 1.000, with 199 permutations p = 0.005
#   a quantity and its square, distance_correlation_t_test: p = 0.000
# It exits with 1 once the first of these p-values is below 1.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet dcor==0.7 numba==0.68.1 scipy==1.17.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import dcor
import numpy as np
from dcor.homogeneity import energy_test
from dcor.independence import distance_correlation_t_test, distance_covariance_test

print("dcor", dcor.__version__)
generator = np.random.default_rng(0)
values = generator.normal(size=200)
square = values**2 + 0.1 * generator.normal(size=200)
shifted = 3 + generator.normal(size=200)
found = []


def show(name, test, first, second):
    default = test(first, second).pvalue
    drawn = test(first, second, num_resamples=199, random_state=0).pvalue
    print(f"{name}: p = {default:.3f}, with 199 permutations p = {drawn:.3f}")
    found.append((default, drawn))


show("a quantity and itself", distance_covariance_test, values, values)
show("a quantity and a noisy copy of its square", distance_covariance_test, values, square)
show("samples around 0 and around 3, energy test", energy_test, values, shifted)
direct = distance_correlation_t_test(values, square).pvalue
print(f"a quantity and its square, distance_correlation_t_test: p = {direct:.3f}")
if not all(default == 1 and drawn < 0.01 for default, drawn in found):
    sys.exit("no longer as described")
print("as described")
PYTHON
