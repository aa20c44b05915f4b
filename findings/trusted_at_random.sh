#!/bin/sh
# pyDRMetrics: a plot drawn at random is trustworthy.
#
# Trustworthiness asks how far the neighbours in a plot were from being neighbours in the embedding: 1 is
# the best, and a random plot has about 0.5. One would guess that pyDRMetrics gives what scikit-learn gives.
# It takes a rank that is too large by one as right, and divides by more than the worst plot reaches: with
# one neighbour no plot can have less than 0.5. The mean over all numbers of neighbours, AUC_T, is 0.76 for
# a random plot. Continuity is computed in the same way.
#
# Version: pyDRMetrics 0.0.8 (scikit-learn 1.9.1). Seen, 300 points in ten dimensions, a random plot:
#   1 neighbour: 0.75, scikit-learn 0.50
#   5 neighbours: 0.59, scikit-learn 0.50
#   20 neighbours: 0.56, scikit-learn 0.52
#   140 neighbours: 0.74, scikit-learn 0.53
#   AUC_T 0.76, AUC_C 0.76
# It exits with 1 once the first of these is below 0.6.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet pyDRMetrics==0.0.8 scikit-learn==1.9.1 matplotlib==3.11.2 tqdm==4.67.1 \
    pandas==3.1.1 scipy==1.17.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from pyDRMetrics.pyDRMetrics import DRMetrics
from sklearn.manifold import trustworthiness

print("pyDRMetrics", version("pyDRMetrics"))
generator = np.random.default_rng(0)
points, plot = generator.normal(size=(300, 10)), generator.normal(size=(300, 2))
metrics = DRMetrics(points, plot)
found = []
for neighbours in (1, 5, 20, 140):
    given = metrics.T[neighbours]
    right = trustworthiness(points, plot, n_neighbors=neighbours)
    plural = "s" if neighbours > 1 else ""
    print(f"{neighbours} neighbour{plural}: {given:.2f}, scikit-learn {right:.2f}")
    found.append((given, right))
print(f"AUC_T {metrics.AUC_T:.2f}, AUC_C {metrics.AUC_C:.2f}")
if not (found[0][0] > 0.6 and metrics.AUC_T > 0.7 and abs(found[0][1] - 0.5) < 0.05):
    sys.exit("no longer as described")
print("as described")
PYTHON
