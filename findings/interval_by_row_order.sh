#!/bin/sh
# confidence_intervals: the interval of a score depends on the order of the rows.
#
# The package bootstraps any metric, and with `conditions`, such as the speaker of each clip, it draws
# speakers first and then clips of each. One would guess that clips are drawn for each speaker apart, so
# that the order of the rows does not matter. But all draws of one round begin with the same seed, the
# number of the round. Speakers with equally many clips therefore get the same positions: if the second
# clip of one is drawn twice, so are the second clips of all. In a table that is sorted by speaker and
# word these are the same words, and whole words come and go together. With one easy and one hard clip
# each, a quarter of the rounds have easy clips alone.
#
# Version: confidence-intervals 0.0.3 (scikit-learn 1.9.1). Seen, 95 % intervals of an accuracy:
#   60 speakers, 8 words each, 69.6 %
#     rows sorted by speaker and word: 55.0 to 83.1
#     the same rows shuffled: 63.7 to 76.5
#   60 speakers, a clip that is right and one that is wrong each, 50.0 %
#     rows sorted by speaker and word: 0.0 to 100.0
#     the same rows shuffled: 36.7 to 65.0
# It exits with 1 once sorted rows give about what shuffled rows give.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet confidence-intervals==0.0.3 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from confidence_intervals import evaluate_with_conf_int
from sklearn.metrics import accuracy_score

print("confidence-intervals", version("confidence-intervals"))
generator = np.random.default_rng(0)


def width(name, right, speakers, rows):
    right, speakers = right[rows], speakers[rows]
    truth = np.ones(len(right), dtype=int)
    _, (low, high) = evaluate_with_conf_int(right, accuracy_score, truth, speakers, 400)
    print(f"  {name}: {100 * low:.1f} to {100 * high:.1f}")
    return high - low


def ratio(name, right):
    right, speakers = right.ravel(), np.repeat(np.arange(len(right)), right.shape[1])
    print(f"{name}, {100 * right.mean():.1f} %")
    wide = width("rows sorted by speaker and word", right, speakers, np.arange(len(right)))
    shuffled = generator.permutation(len(right))
    return wide / width("the same rows shuffled", right, speakers, shuffled)


words = (generator.random((60, 8)) < np.linspace(0.5, 1, 8)).astype(int)
found = [
    ratio("60 speakers, 8 words each", words),
    ratio("60 speakers, a clip that is right and one that is wrong each", np.tile([1, 0], (60, 1))),
]
if found[0] < 1.6 or found[1] < 2.5:
    sys.exit("no longer as described")
print("as described")
PYTHON
