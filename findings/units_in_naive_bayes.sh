#!/bin/sh
# scikit-learn: naive Bayes forgets a loudness when a frequency in hertz stands beside it.
#
# Naive Bayes takes each feature by itself, and fits a mean and a variance to it. One would guess that
# the unit of one feature does not matter to another. For stability GaussianNB adds one number to all
# variances, 1e-9 of the largest variance of all features. The root mean square of quiet recordings has
# a variance of some 1e-6 within a class. A spectral centroid in hertz has one of some 1e6, so the number
# is near 1e-3, and the loudness hardly counts any more. There is no warning.
#
# Version: scikit-learn 1.9.1 (numpy 2.4.6). Seen, two classes that differ in loudness only, accuracy on
# half of the clips:
#   loudness alone: 0.994
#   loudness and a centroid in kHz: 0.994
#   loudness and a centroid in Hz: 0.570
#   the same, each feature standardised: 0.994
# It exits with 1 once the unit does not matter.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet scikit-learn==1.9.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import numpy as np
import sklearn
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

print("scikit-learn", sklearn.__version__)
rng = np.random.default_rng(0)
classes = np.arange(1000) % 2
loudness = 0.005 + 0.0045 * classes + 0.001 * rng.normal(size=1000)
centroid = rng.normal(2000, 800, size=1000)


def accuracy(*features, model=None):
    table = np.stack(features, axis=1)
    model = model or GaussianNB()
    return model.fit(table[:500], classes[:500]).score(table[500:], classes[500:])


alone, kilohertz, hertz = (
    accuracy(loudness),
    accuracy(loudness, centroid / 1000),
    accuracy(loudness, centroid),
)
scaled = accuracy(loudness, centroid, model=make_pipeline(StandardScaler(), GaussianNB()))
print(f"loudness alone: {alone:.3f}")
print(f"loudness and a centroid in kHz: {kilohertz:.3f}")
print(f"loudness and a centroid in Hz: {hertz:.3f}")
print(f"the same, each feature standardised: {scaled:.3f}")
if min(alone, kilohertz, scaled) < 0.95 or hertz > 0.8:
    sys.exit("no longer as described")
print("as described")
PYTHON
