#!/bin/sh
# scikit-learn: one outlier among a thousand values brings the mutual information to 0.
#
# Mutual information does not change when a quantity is stretched, and the estimate counts
# neighbours. So one would guess that one outlier among a thousand values costs a thousandth of it.
# But mutual_info_regression divides each quantity by its standard deviation, and the outlier sets
# that. All other values then lie closer together on this axis than neighbours do on the other, and
# the estimate falls to 0, as for independent quantities. One damaged clip, or one embedding of
# silence, is enough.
#
# Version: scikit-learn 1.9.1. Seen, x normal, y = x + 0.1 noise, 1000 pairs, nats:
#   as it is            2.28
#   one x set to 100    2.24
#   one x set to 10000  0.38
#   one x set to 1e6    0.00
#   ranks of the last   2.20
# It exits with 1 once the estimate with 1e6 is above 1.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import numpy as np
import sklearn
from scipy.stats import rankdata
from sklearn.feature_selection import mutual_info_regression

print("scikit-learn", sklearn.__version__)
generator = np.random.default_rng(0)
x = generator.normal(size=1000)
y = x + 0.1 * generator.normal(size=1000)


def information(values):
    return float(mutual_info_regression(values[:, None], y, random_state=0)[0])


print(f"as it is            {information(x):.2f}")
for wild in ("100", "10000", "1e6"):
    x[0] = float(wild)
    found = information(x)
    print(f"one x set to {wild:6} {found:.2f}")
ranks = information(rankdata(x))
print(f"ranks of the last   {ranks:.2f}")
if found > 1 or ranks < 2:
    sys.exit("no longer as described")
print("as described")
PYTHON
