#!/bin/sh
# soxr: digital silence in 16-bit integers is silence no more after resampling.
#
# One would guess that a resampler makes zeros of zeros. If the samples are 16-bit integers, soxr adds
# dither before it rounds, and has no argument to leave it out. Of the zeros, 23 % become -1 or 1. It
# does so even where both rates are equal. The dither is the same in each call, so it does not show as
# randomness. Integers of 32 bits and floats stay zeros.
#
# Version: soxr 1.1.0 (numpy 2.4.6). Seen, one second of zeros from 48 to 16 kHz:
#   int16: 77 % of the samples are 0, values -1 to 1, -97 dB
#   int16, both rates 16 kHz: 77 % of the samples are 0, values -1 to 1, -97 dB
#   int32: 100 % of the samples are 0
#   float32: 100 % of the samples are 0
# It exits with 1 once zeros of int16 stay zeros.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet soxr==1.1.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import numpy as np
import soxr

print("soxr", soxr.__version__)


def resampled(name, kind, rate=48000):
    """The share of zeros."""
    wave = soxr.resample(np.zeros(rate, kind), rate, 16000)
    share = (wave == 0).mean()
    text = f"{name}: {100 * share:.0f} % of the samples are 0"
    if share < 1:
        level = 10 * np.log10(np.mean((wave / 2**15) ** 2))
        text += f", values {wave.min()} to {wave.max()}, {level:.0f} dB"
    print(text)
    return share


short = resampled("int16", np.int16)
equal = resampled("int16, both rates 16 kHz", np.int16, 16000)
long = resampled("int32", np.int32)
floats = resampled("float32", np.float32)
if max(short, equal) > 0.9 or long < 1 or floats < 1:
    sys.exit("no longer as described")
print("as described")
PYTHON
