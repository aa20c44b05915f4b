#!/bin/sh
# hmmlearn: a hidden Markov model finds two states of a sound, unless the sound is measured in small units.
#
# A Gaussian hidden Markov model is fitted by likelihood, and the same data in other units have the same
# states. One would guess that GaussianHMM finds them in any unit. It adds 0.001 to the variances at the
# start, and 0.01 to the sum of squares of each state in every step, whatever the unit is. The root mean
# square of a quiet recording has variances of 1e-6, so both states begin alike, and one is given all
# frames. There is no warning. Times 1,000 the same data are divided without an error. The arguments are
# min_covar and covars_prior. scikit-learn's GaussianMixture adds 1e-6, and divides them in both units.
#
# Version: hmmlearn 0.3.3 (scikit-learn 1.9.1, numpy 2.4.6, scipy 1.17.1). Seen, 1,000 frames, which
# alternate between two levels every 50 frames:
#   times 1: states of 1000 and 0 frames, 0.50 right
#   times 1000: states of 500 and 500 frames, 1.00 right
#   times 1, both arguments 1e-9: states of 500 and 500 frames, 1.00 right
#   GaussianMixture, times 1: 1.00 right
# It exits with 1 once the first is as the second.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet hmmlearn==0.3.3 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
venv/bin/python - <<'PYTHON'
import sys

import hmmlearn
import numpy as np
from hmmlearn.hmm import GaussianHMM
from sklearn.mixture import GaussianMixture

print("hmmlearn", hmmlearn.__version__)
level = np.repeat(np.arange(20) % 2, 50)
loudness = (0.002 + 0.006 * level + 0.001 * np.random.default_rng(0).normal(size=1000))[:, None]


def right(states):
    return max(np.mean(states == level), np.mean(states != level))


found = []
for title, factor, more in (
    ("times 1", 1, {}),
    ("times 1000", 1000, {}),
    ("times 1, both arguments 1e-9", 1, {"min_covar": 1e-9, "covars_prior": 1e-9}),
):
    wave = factor * loudness
    states = GaussianHMM(2, n_iter=50, random_state=0, **more).fit(wave).predict(wave)
    many, few = np.sort(np.bincount(states, minlength=2))[::-1]
    found.append(right(states))
    print(f"{title}: states of {many} and {few} frames, {found[-1]:.2f} right")
mixture = right(GaussianMixture(2, random_state=0).fit_predict(loudness))
print(f"GaussianMixture, times 1: {mixture:.2f} right")
if found[0] > 0.8 or min(found[1:]) < 0.95:
    sys.exit("no longer as described")
print("as described")
PYTHON
