#!/bin/sh
# pyitlib: values of -1 are left out, and the information is another.
#
# pyitlib computes entropies and mutual information of discrete quantities. One would guess that the
# names of the values do not matter: -1, 0, 1 carry as much as 0, 1, 2. But fill_value=-1 is the
# default of every function, and what equals it counts as missing. Each pair with a -1 on either side
# is dropped, without a word, and the result can be too low or too high. Standardised embeddings
# that were cut into bins, levels in decibels and octaves below a reference all have such a value in
# the middle of their range.
#
# Version: pyitlib 0.3.1. Seen, bits:
#   entropy of -1, 0, 1 in equal parts: 1.00, of 0, 1, 2: 1.58
#   entropy of -1, 1 in equal parts: 0.00, of 0, 1: 1.00
#   10,000 normal values in bins of one: entropy 1.79, with 10 added 2.10
#   their information with a noisy copy: 0.92, with 10 added to both 0.84
#   the same with fill_value=None: 0.84
# It exits with 1 once -1, 0, 1 have the entropy of 0, 1, 2.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet pyitlib==0.3.1 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1 scikit-learn==1.9.1
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

import numpy as np
from pyitlib import discrete_random_variable as measures

print("pyitlib", importlib.metadata.version("pyitlib"))
three = np.tile([-1, 0, 1], 100)
coin = np.tile([-1, 1], 100)
generator = np.random.default_rng(0)
values = generator.normal(size=10000)
pair = [np.floor(each).astype(int) for each in (values, values + 0.5 * generator.normal(size=10000))]


def entropy(values):
    return float(measures.entropy(values))


def information(pair, **settings):
    return float(measures.information_mutual(*pair, **settings))


moved = [each + 10 for each in pair]
below, above = entropy(three), entropy(three + 1)
print(f"entropy of -1, 0, 1 in equal parts: {below:.2f}, of 0, 1, 2: {above:.2f}")
print(f"entropy of -1, 1 in equal parts: {entropy(coin):.2f}, of 0, 1: {entropy(coin > 0):.2f}")
print("10,000 normal values in bins of one:", end=" ")
print(f"entropy {entropy(pair[0]):.2f}, with 10 added {entropy(moved[0]):.2f}")
found, right, told = information(pair), information(moved), information(pair, fill_value=None)
print(f"their information with a noisy copy: {found:.2f}, with 10 added to both {right:.2f}")
print(f"the same with fill_value=None: {told:.2f}")
if above - below < 0.1 or found - right < 0.05 or abs(right - told) > 1e-9:
    sys.exit("no longer as described")
print("as described")
PYTHON
