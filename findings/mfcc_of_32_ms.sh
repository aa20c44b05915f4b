#!/bin/sh
# TSFEL: the cepstral coefficients of a clip are those of its first 512 samples.
#
# TSFEL computes features of time series, those of sound among them. Its mfcc takes a signal of any
# length and gives twelve coefficients. One would guess that they describe the whole signal, as the
# spectral centroid beside them does. The signal goes to a transform of nfft=512 points, which drops
# all that follows, without a word. At 16 kHz that is 32 ms. Two clips that begin alike have the same
# coefficients, and a clip that begins with silence has those of silence. The feature extractor calls
# it with the same 512, whatever the window is.
#
# Version: tsfel 0.2.0. Seen, 1 s at 16 kHz, a tone of 1 kHz against one that goes to 3 kHz after
# 32 ms:
#   mfcc: differ by 0.0
#   mfcc with nfft=16000: differ by 695.7
#   table of features, MFCC: differ by 0.0
#   table of features, spectral centroid: 1033 Hz and 2263 Hz
#   32 ms of silence, then 1 kHz or 3 kHz, mfcc: differ by 0.0
# It exits with 1 once what follows the first 512 samples counts.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet tsfel==0.2.0 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

import numpy as np
import tsfel

print("tsfel", importlib.metadata.version("tsfel"))
rate = 16000
noise = 1e-4 * np.random.default_rng(0).normal(size=rate)


def tone(hertz):
    return np.sin(2 * np.pi * hertz / rate * np.arange(rate)) + noise


def after(start, rest):
    return np.concatenate([start[:512], rest[512:]])


def features(wave):
    every = tsfel.get_features_by_domain("spectral")["spectral"]
    some = {"spectral": {name: every[name] for name in ("MFCC", "Spectral centroid")}}
    table = tsfel.time_series_features_extractor(some, wave, fs=rate, verbose=0)
    return table.filter(like="MFCC").iloc[0], float(table.filter(like="centroid").iloc[0, 0])


def difference(one, other):
    return float(np.abs(np.array(one) - np.array(other)).max())


pair = tone(1000), after(tone(1000), tone(3000))
quiet = after(np.zeros(rate), tone(1000)), after(np.zeros(rate), tone(3000))
plain = difference(*(tsfel.mfcc(wave, rate) for wave in pair))
whole = difference(*(tsfel.mfcc(wave, rate, nfft=rate) for wave in pair))
(first, low), (second, high) = (features(wave) for wave in pair)
silent = difference(*(tsfel.mfcc(wave, rate) for wave in quiet))
print(f"mfcc: differ by {plain:.1f}")
print(f"mfcc with nfft={rate}: differ by {whole:.1f}")
print(f"table of features, MFCC: differ by {difference(first, second):.1f}")
print(f"table of features, spectral centroid: {low:.0f} Hz and {high:.0f} Hz")
print(f"32 ms of silence, then 1 kHz or 3 kHz, mfcc: differ by {silent:.1f}")
if len(first) != 12 or max(plain, silent, difference(first, second)) > 0 or whole < 1:
    sys.exit("no longer as described")
print("as described")
PYTHON
