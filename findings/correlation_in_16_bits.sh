#!/bin/sh
# SciPy: the correlation of 16-bit recordings is in 16 bits as well, and its peak is elsewhere.
#
# scipy.io.wavfile.read gives 16-bit integers for most WAV files. To find how late one recording is, one
# looks for the peak of scipy.signal.correlate. One would guess that its sums have room. The result is of
# the type of the recordings, and sums beyond 32767 wrap around without a warning. With method="fft" the
# sums are computed in floats, and then cut down to 16 bits all the same, under a warning of "invalid value
# encountered in cast". "auto" takes this way for long recordings. convolve does likewise.
#
# Version: SciPy 1.17.1 (numpy 2.4.6). Seen on x86, noise of 1 s at 16 kHz and the same 250 samples later:
#   int16, method auto: int16, found -4214 samples late
#   int16, method direct: int16, found -1084 samples late
#   int16, method fft: int16, found -4214 samples late
#   float64, method auto: float64, found 250 samples late
# It exits with 1 once integers give 250, too.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet scipy==1.17.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import numpy as np
import scipy
from scipy.io import wavfile
from scipy.signal import correlate, correlation_lags

print("SciPy", scipy.__version__)
sound = (3000 * np.random.default_rng(0).normal(size=16000)).astype(np.int16)
wavfile.write("early.wav", 16000, sound)
wavfile.write("late.wav", 16000, np.concatenate([np.zeros(250, np.int16), sound[:-250]]))
early, late = (wavfile.read(f"{name}.wav")[1] for name in ("early", "late"))
lags = correlation_lags(len(late), len(early))


def found(kind, method):
    result = correlate(late.astype(kind), early.astype(kind), method=method)
    lag = int(lags[result.argmax()])
    print(f"{kind}, method {method}: {result.dtype}, found {lag} samples late")
    return lag


wrong = [found("int16", method) for method in ("auto", "direct", "fft")]
right = found("float64", "auto")
if 250 in wrong or right != 250:
    sys.exit("no longer as described")
print("as described")
PYTHON
