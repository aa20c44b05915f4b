#!/bin/sh
# scikit-dimension: by default MiND_ML finds ten dimensions at most.
#
# An intrinsic dimension says how many quantities describe a set of embeddings. One would guess that an
# estimate may be anything up to the number of features. MiND_ML looks for the most likely dimension from 0
# to D, and D is 10 unless stated. Whatever has more comes out as 10.0, without a warning. The docstring
# describes k and ver, and not D.
#
# Version: scikit-dimension 0.5.0. Seen, 1000 points in a flat subspace of 50 dimensions:
#   5 dimensions: MiND_ML 5.0, with D=50 5.0, MLE 5.0
#   15 dimensions: MiND_ML 10.0, with D=50 12.4, MLE 12.0
#   25 dimensions: MiND_ML 10.0, with D=50 17.5, MLE 17.0
#   40 dimensions: MiND_ML 10.0, with D=50 24.7, MLE 22.9
# All such estimates are too low for many dimensions, but they rise. It exits with 1 once MiND_ML is above
# 10.5 for 40 dimensions.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet scikit-dimension==0.5.0 numba==0.68.1 scikit-learn==1.9.1 scipy==1.17.1 \
    numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from skdim.id import MLE, MiND_ML

print("scikit-dimension", version("scikit-dimension"))
generator = np.random.default_rng(0)
found = []
for dimensions in (5, 15, 25, 40):
    points = generator.normal(size=(1000, dimensions))
    points = points @ np.linalg.qr(generator.normal(size=(50, 50)))[0][:dimensions]
    estimators = (MiND_ML(), MiND_ML(D=50), MLE())
    default, wide, likely = (float(each.fit(points).dimension_) for each in estimators)
    print(f"{dimensions} dimensions: MiND_ML {default:.1f}, with D=50 {wide:.1f}, MLE {likely:.1f}")
    found.append((default, wide))
if not (abs(found[0][0] - 5) < 0.5 and found[-1][0] < 10.5 and found[-1][1] > 20):
    sys.exit("no longer as described")
print("as described")
PYTHON
