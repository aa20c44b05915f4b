#!/bin/sh
# permute: with two speakers, a third condition has no effect.
#
# stratified_permutationtest asks whether the mean depends on the condition, and permutes within each
# group, such as a speaker. The docstring promises the difference of the means if there are two conditions,
# and their standard deviation if there are more. One would guess that it counts the conditions. It counts
# the groups. With two groups it takes the first two conditions in the order of their names, and any other
# condition is left out.
#
# Version: permute 0.2. Seen, 20 clips for each speaker and condition, deviation 1, the loud ones 10 higher:
#   two speakers, loud last: statistic 0.57, p = 0.970
#   two speakers, loud first: statistic 20.08, p = 0.005
#   three speakers, loud last: statistic 14.48, p = 0.005
# It exits with 1 once the first of these p-values is below 0.05.
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
from permute.stratified import stratified_permutationtest

print("permute", version("permute"))
names = {2: "two", 3: "three"}


def show(speakers, place):
    generator = np.random.default_rng(0)
    speaker = np.repeat(np.arange(speakers), 60)
    condition = np.tile(np.repeat(np.arange(3), 20), speakers)
    level = generator.normal(size=60 * speakers) + 10 * (condition == {"first": 0, "last": 2}[place])
    p, statistic, _ = stratified_permutationtest(speaker, condition, level, reps=199, seed=1)
    print(f"{names[speakers]} speakers, loud {place}: statistic {statistic:.2f}, p = {p:.3f}")
    return p


found = [show(2, "last"), show(2, "first"), show(3, "last")]
if not (found[0] > 0.05 and max(found[1:]) < 0.01):
    sys.exit("no longer as described")
print("as described")
PYTHON
