#!/bin/sh
# entropy-estimators, neurokit2: the entropy is larger if distances are Euclidean.
#
# The estimate of Kozachenko and Leonenko takes the entropy of points from the distances to their nearest
# neighbours and from the volume of a ball. One would guess that the norm hardly matters. Both packages take
# the volume of a ball of radius 1, and twice the distance, which goes with a diameter of 1. With the
# maximum norm this is right, because they take a ball of diameter 1 there. With the Euclidean norm, the
# default of neurokit2's entropy_kl, each dimension adds ln 2.
#
# Version: entropy-estimators 0.0.2, neurokit2 0.3.0. Seen, 4000 normal points, nats:
#   1 dimension: true 1.42; entropy-estimators maximum 1.43, Euclidean 2.12; neurokit2 2.13
#   2 dimensions: true 2.84; entropy-estimators maximum 2.80, Euclidean 4.19; neurokit2 4.20
#   5 dimensions: true 7.09; entropy-estimators maximum 7.07, Euclidean 10.54; neurokit2 10.51
# It exits with 1 once both norms agree.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet entropy-estimators==0.0.2 neurokit2==0.3.0 scikit-learn==1.9.1 \
    matplotlib==3.11.2 pandas==3.1.1 scipy==1.17.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys
from importlib.metadata import version

import neurokit2
import numpy as np
from entropy_estimators import continuous

print("entropy-estimators", version("entropy-estimators"))
print("neurokit2", neurokit2.__version__)
generator = np.random.default_rng(0)
found = []
for dimensions in (1, 2, 5):
    points = generator.normal(size=(4000, dimensions))
    right = dimensions / 2 * np.log(2 * np.pi * np.e)
    maximum = continuous.get_h(points, k=3)
    euclidean = continuous.get_h(points, k=3, norm="euclidean")
    # White noise: the delay vectors of neurokit2 are normal in as many dimensions.
    delayed = neurokit2.entropy_kl(generator.normal(size=4000), dimension=dimensions)[0]
    plural = "s" if dimensions > 1 else ""
    print(
        f"{dimensions} dimension{plural}: true {right:.2f}; entropy-estimators maximum "
        f"{maximum:.2f}, Euclidean {euclidean:.2f}; neurokit2 {delayed:.2f}"
    )
    more = right + dimensions * np.log(2)
    found += [abs(maximum - right), abs(euclidean - more), abs(delayed - more)]
if max(found) > 0.3:
    sys.exit("no longer as described")
print("as described")
PYTHON
