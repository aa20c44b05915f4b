#!/bin/sh
# scikit-dimension: the estimator KNN draws three to six points, and the dimension with them.
#
# An intrinsic dimension says how many quantities describe a set of embeddings. One would guess that an
# estimator uses all embeddings that it is given, and that 1000 points of a plane have two dimensions. KNN
# compares samples of several sizes, ps, and by default these are k + 1 to k + 4 points with k = 2. Each
# size is drawn once, with replacement, so the answer is that of 18 points at most, however many there are.
# It lies anywhere from 1 to the number of features. The docstring does not name the default of ps.
#
# Version: scikit-dimension 0.5.0. Seen, 1000 points in a flat subspace of 50 dimensions, ten seeds:
#   2 dimensions: KNN 1 1 1 50 50 1 1 3 1 1, with samples of 100 to 900 points 2 2 2, MLE 2.0
#   5 dimensions: KNN 2 8 1 2 2 2 1 9 50 4, with samples of 100 to 900 points 4 4 4, MLE 5.1
#   10 dimensions: KNN 5 50 50 2 3 3 3 2 7 6, with samples of 100 to 900 points 6 6 6, MLE 8.9
# It exits with 1 once the ten estimates of one of these lie within 4 of each other.
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
import skdim

print("scikit-dimension", version("scikit-dimension"))
generator = np.random.default_rng(0)
spreads = []
for dimensions in (2, 5, 10):
    points = generator.normal(size=(1000, dimensions))
    points = points @ np.linalg.qr(generator.normal(size=(50, 50)))[0][:dimensions]

    def estimates(seeds, **settings):
        fits = [skdim.id.KNN(random_state=seed, **settings).fit(points) for seed in range(seeds)]
        return [int(fit.dimension_) for fit in fits]

    default = estimates(10)
    larger = estimates(3, k=5, ps=np.arange(100, 1000, 100), M=5)
    likely = skdim.id.MLE().fit(points).dimension_
    print(
        f"{dimensions} dimensions: KNN {' '.join(map(str, default))}, with samples of 100 to 900 "
        f"points {' '.join(map(str, larger))}, MLE {likely:.1f}"
    )
    spreads.append(max(default) - min(default))
    if max(larger) - min(larger) > 1 or abs(likely - dimensions) > 1.5:
        sys.exit("no longer as described")
if min(spreads) < 5:
    sys.exit("no longer as described")
print("as described")
PYTHON
