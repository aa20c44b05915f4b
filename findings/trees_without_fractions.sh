#!/bin/sh
# emlearn: a forest of features between 0 and 1 becomes a constant.
#
# emlearn turns scikit-learn's forests into C for microcontrollers, such as sound sensors. The README fits,
# converts and saves in five lines. One would guess that the forest in C answers as the forest does, but for
# rounding. Since 2024 the default is 16-bit integers, and nothing scales the features: they and the
# thresholds lose their fractions. Between 0 and 1 every threshold becomes 0, no feature is below it, and
# every clip gets the same answer. There is no warning. Standardised features lose much of what they say.
# Times 1000, or with dtype="float", the answers are those of scikit-learn. The page on trees asks to scale
# the data; the docstring of convert does not name the default.
#
# Version: emlearn 0.23.2 (scikit-learn 1.9.1). Seen, 100 clips of a hiss and 100 of a whistle in hiss:
#   zero-crossing rate and flatness, 0 to 1: scikit-learn 100 %, emlearn 50 %, thresholds [0]
#   the same, standardised: scikit-learn 100 %, emlearn 72 %, thresholds [0]
#   the same, times 1000: scikit-learn 100 %, emlearn 100 %
#   as they are, with dtype="float": scikit-learn 100 %, emlearn 100 %
# It needs a C compiler, as emlearn does, and exits with 1 once features from 0 to 1 work by default.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet emlearn==0.23.2 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 setuptools==80.9.0
venv/bin/python - <<'PYTHON'
import re
import sys
from importlib.metadata import version

import emlearn
import numpy as np
from sklearn.ensemble import RandomForestClassifier

print("emlearn", version("emlearn"))
generator = np.random.default_rng(0)
times = np.arange(4000) / 16000


def describe(wave):
    """The zero crossings per sample, and the flatness of the power spectrum."""
    power = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))[1:-1] ** 2
    return np.mean(wave[1:] * wave[:-1] < 0), np.exp(np.mean(np.log(power))) / np.mean(power)


classes = np.tile([0, 1], 200)
features = []
for whistle in classes:
    tone = np.sin(2 * np.pi * generator.uniform(1000, 3000) * times)
    features.append(describe(generator.normal(size=4000) + whistle * generator.uniform(1, 2) * tone))
features = np.array(features)
train, test = slice(0, 200), slice(200, 400)
standardised = (features - features[train].mean(0)) / features[train].std(0)


def compare(name, features, **settings):
    forest = RandomForestClassifier(10, random_state=0).fit(features[train], classes[train])
    converted = emlearn.convert(forest, **settings)
    right = [
        np.mean(model.predict(features[test]) == classes[test]) for model in (forest, converted)
    ]
    limits = sorted(set(re.findall(r"features\[\d\] < ([-\d.]+)", converted.save(name="forest"))))
    shown = f", thresholds [{', '.join(limits)}]" if len(limits) < 4 else ""
    print(f"{name}: scikit-learn {right[0]:.0%}, emlearn {right[1]:.0%}{shown}".replace("%", " %"))
    return right


found = compare("zero-crossing rate and flatness, 0 to 1", features)
compare("the same, standardised", standardised)
scaled = compare("the same, times 1000", 1000 * features)
floats = compare('as they are, with dtype="float"', features, dtype="float")
if found[0] - found[1] < 0.3 or scaled[1] < 0.9 or floats[1] < 0.9:
    sys.exit("no longer as described")
print("as described")
PYTHON
