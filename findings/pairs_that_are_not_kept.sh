#!/bin/sh
# deepsig: the paired bootstrap test does not pair.
#
# Two models were tested on the same clips. One would guess that a paired test takes the scores of a clip
# together, so that it sees a small gain on nearly every clip, however much the clips differ. The
# docstring of deepsig's bootstrap_test promises that. But it draws clips for either model apart, so that
# the scores of one clip stand beside those of another. Shuffling the scores of one model, which destroys
# all pairs, hardly changes its p-value. permutation_test keeps the pairs.
#
# Version: deepsig 1.2.8 (numpy 2.4.6). Seen, 200 clips, one model better by 0.02 on average and on 82 %:
#   bootstrap_test: p = 0.192, with one model's clips shuffled p = 0.187
#   permutation_test: p = 0.001, with one model's clips shuffled p = 0.165
#   bootstrap of the differences: p = 0.000
# It exits with 1 once bootstrap_test gives less than 0.05.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet deepsig==1.2.8 pandas==3.1.1 scipy==1.17.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from deepsig import bootstrap_test, permutation_test

print("deepsig", version("deepsig"))
generator = np.random.default_rng(0)
# Clips differ by 0.2, the two models by 0.02.
second = generator.normal(0.7, 0.2, 200)
first = second + generator.normal(0.02, 0.02, 200)
shuffled = generator.permutation(second)
gains = first - second
print(f"better by {gains.mean():.2f} on average and on {100 * (gains > 0).mean():.0f} %")
found = {}
for test in (bootstrap_test, permutation_test):
    found[test.__name__] = paired, apart = [test(first, s, seed=0) for s in (second, shuffled)]
    print(f"{test.__name__}: p = {paired:.3f}, with one model's clips shuffled p = {apart:.3f}")
means = gains[generator.integers(0, 200, (1000, 200))].mean(axis=1)
right = (means >= 2 * gains.mean()).mean()
print(f"bootstrap of the differences: p = {right:.3f}")
paired, apart = found["bootstrap_test"]
kept = max(right, found["permutation_test"][0])
if paired < 0.05 or abs(paired - apart) > 0.1 or kept > 0.01:
    sys.exit("no longer as described")
print("as described")
PYTHON
