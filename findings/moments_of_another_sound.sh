#!/bin/sh
# scikit-maad: the spectral moments of a call are those of the whole recording.
#
# all_spectral_features measures a region of interest, such as a call with its begin, its end and its
# lowest and highest frequency. One would guess that all its features are those of the region, and that
# spectral moments tell where the energy lies, as in Praat, where the first is the centre of gravity.
# The quantiles of frequency and the bandwidths keep to the region. The four moments (sm, sv, ss, sk)
# take no notice of it, so that every call of a recording has the same, and silence has them, too. And
# they are moments of the values of the spectrum, not of its frequencies: if a low and a high call are
# cut out, so that there is nothing else, their moments still agree.
#
# Version: scikit-maad 1.5.2 (numpy 2.4.6). Seen, tones of 2 and 8 kHz, half a second each, in noise:
#   2 kHz: median 1981 Hz, moments 3.28e-06 1.34e-09 13.7 201
#   8 kHz: median 8010 Hz, moments 3.28e-06 1.34e-09 13.7 201
#   noise: median 6245 Hz, moments 3.28e-06 1.34e-09 13.7 201
#   2 kHz, cut out: median 1981 Hz, moments 9.77e-06 2.43e-08 19.5 407
#   8 kHz, cut out: median 8010 Hz, moments 9.77e-06 2.43e-08 19.5 407
# It exits with 1 once the regions have moments of their own.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet scikit-maad==1.5.2 pandas==3.1.1 scipy==1.17.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

import numpy as np
import pandas as pd

warnings.simplefilter("ignore")
from maad.features import all_spectral_features

print("scikit-maad", version("scikit-maad"))
RATE = 44100
times = np.arange(3 * RATE) / RATE
sound = 0.001 * np.random.default_rng(0).normal(size=len(times))
# Frequencies in the middle of a bin of 1024 points.
for bin, start in ((46, 0.5), (186, 2.0)):
    heard = (times >= start) & (times < start + 0.5)
    sound[heard] += 0.1 * np.sin(2 * np.pi * bin * RATE / 1024 * times[heard])


def moments(name, sound, region=None):
    features = all_spectral_features(sound, RATE, roi=region)
    found = features[["sm", "sv", "ss", "sk"]].to_numpy().ravel().astype(float)
    median = np.ravel(features["freq_50"])[0]
    print(f"{name}: median {median:.0f} Hz, moments", *(f"{value:.3g}" for value in found))
    return found


starts = {"2 kHz": 0.5, "8 kHz": 2.0, "noise": 1.2}
boxes = {
    name: pd.Series({"min_t": start, "max_t": start + 0.5, "min_f": 500, "max_f": 12000})
    for name, start in starts.items()
}
regions = [moments(name, sound, box) for name, box in boxes.items()]
halves = {name: sound[int(RATE * start) :][: RATE // 2] for name, start in starts.items()}
cut = [moments(f"{name}, cut out", halves[name]) for name in ("2 kHz", "8 kHz")]
if not all(np.array_equal(regions[0], other) for other in regions[1:]):
    sys.exit("no longer as described")
if not np.allclose(cut[0], cut[1], rtol=0.01):
    sys.exit("no longer as described")
print("as described")
PYTHON
