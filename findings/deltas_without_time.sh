#!/bin/sh
# speechpy: deltas go from coefficient to coefficient, not from frame to frame.
#
# Deltas say how cepstral coefficients change over time. extract_derivative_feature adds "temporal
# derivative features" to those of a clip. One would guess that they are 0 for a steady sound, and that the
# order of the frames matters. derivative_extraction moves along the coefficients of one frame. And of the
# two neighbours whose difference it should take, the one before stands on a line of its own, and changes
# nothing. So what remains is a weighted sum of the two next coefficients.
#
# Version: speechpy 2.4 (numpy 1.26.4, scipy 1.15.3). Seen, 13 coefficients, deltas of 2 on each side:
#   a steady buzz: its coefficients deviate by 0.0 over time, its deltas are up to 5.2
#   all coefficients 1: all deltas 0.3
#   noise that swells four times a second: deltas of its frames in any order are the deltas in that order
#   the same noise: deltas differ from (next + 2 * next but one) / 10 by 0.0
# It exits with 1 once the deltas of the buzz are 0.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet speechpy==2.4 numpy==1.26.4 scipy==1.15.3
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

import numpy as np
from speechpy.feature import extract_derivative_feature, mfcc

print("speechpy", importlib.metadata.version("speechpy"))
rate = 16000
time = np.arange(rate) / rate


def deltas(coefficients):
    return extract_derivative_feature(coefficients)[:, :, 1]


rng = np.random.default_rng(0)
buzz = mfcc(np.tile(rng.normal(size=rate // 100), 100), rate)
steady = np.abs(deltas(buzz)).max()
print(
    f"a steady buzz: its coefficients deviate by {buzz.std(axis=0).max():.1f} over time, "
    f"its deltas are up to {steady:.1f}"
)
ones = deltas(np.ones((100, 13)))
print(f"all coefficients 1: all deltas {ones.min():.1f}" if np.ptp(ones) < 1e-9 else "deltas differ")
noise = mfcc(rng.normal(size=rate) * (1.1 + np.sin(2 * np.pi * 4 * time)), rate)
order = rng.permutation(len(noise))
same = np.array_equal(deltas(noise[order]), deltas(noise)[order])
print(
    "noise that swells four times a second: deltas of its frames in any order are "
    + ("the deltas in that order" if same else "others")
)
padded = np.pad(noise, ((0, 0), (0, 2)), "edge")
other = np.abs(deltas(noise) - (padded[:, 1:-1] + 2 * padded[:, 2:]) / 10).max()
print(f"the same noise: deltas differ from (next + 2 * next but one) / 10 by {other:.1f}")
if steady < 1 or not same:
    sys.exit("no longer as described")
print("as described")
PYTHON
