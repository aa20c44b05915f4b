#!/bin/sh
# soxr: one sample at 48 kHz becomes none at 16 kHz.
#
# The length after resampling is the old one times the ratio of the rates. One would guess that it
# is rounded up, so that nothing becomes empty (scipy.signal.resample_poly does that). soxr rounds
# to the nearest whole number. A clip of one sample becomes an empty array without a warning, and a
# length computed with ceil is too long by one for many other clips.
#
# Version: soxr 1.1.0, scipy 1.17.1. Seen, samples at 48 kHz -> samples at 16 kHz:
#   soxr   1 -> 0, 2 -> 1, 3 -> 1, 4 -> 1, 5 -> 2
#   scipy  1 -> 1, 2 -> 1, 3 -> 1, 4 -> 2, 5 -> 2
# It exits with 1 once one sample stays one.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet soxr==1.1.0 scipy==1.17.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import numpy as np
import scipy.signal
import soxr

print("soxr", soxr.__version__, "scipy", scipy.__version__)
ways = {
    "soxr ": lambda wave: soxr.resample(wave, 48000, 16000),
    "scipy": lambda wave: scipy.signal.resample_poly(wave, 1, 3),
}
counts = {
    name: [len(way(np.ones(n, np.float32))) for n in range(1, 6)] for name, way in ways.items()
}
for name, row in counts.items():
    print(f"{name} ", ", ".join(f"{n} -> {count}" for n, count in enumerate(row, 1)))
if counts["soxr "][0] or not counts["scipy"][0]:
    sys.exit("no longer as described")
print("as described")
PYTHON
