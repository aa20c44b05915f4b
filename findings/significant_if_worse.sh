#!/bin/sh
# mlxtend: whether two accuracies differ depends on which of them is named first.
#
# proportion_difference compares two accuracies. Its guide speaks of the alternative that they differ,
# and of 1.96 as the limit of z, so one would guess that the p-value is two-sided, and the same in either
# order. It is the area of the normal distribution below z. If the better model is named first, p is
# close to 1 however much better it is; if it is named second, p is half of the two-sided one, so that
# z = -1.75 is significant.
#
# Version: mlxtend 0.25.0 (scipy 1.17.1). Seen, 100 clips:
#   84 % and 92 %: p = 0.040, and in the other order p = 0.960 (two-sided: 0.079)
#   50 % and 95 %: p = 0.000, and in the other order p = 1.000 (two-sided: 0.000)
#   80 % and 80 %: p = 0.500, and in the other order p = 0.500 (two-sided: 1.000)
# It exits with 1 once both orders give the same.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet mlxtend==0.25.0 scikit-learn==1.9.1 pandas==3.1.1 scipy==1.17.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import mlxtend
from mlxtend.evaluate import proportion_difference
from scipy.stats import norm

print("mlxtend", mlxtend.__version__)
found = []
for first, second in ((0.84, 0.92), (0.5, 0.95), (0.8, 0.8)):
    z, p = proportion_difference(first, second, 100)
    other = proportion_difference(second, first, 100)[1]
    right = 2 * norm.sf(abs(z))
    print(
        f"{100 * first:.0f} % and {100 * second:.0f} %: p = {p:.3f}, and in the other order "
        f"p = {other:.3f} (two-sided: {right:.3f})"
    )
    found += [p, other, right]
if not (found[0] < 0.05 < found[2] and found[1] > 0.9 and found[4] > 0.9):
    sys.exit("no longer as described")
print("as described")
PYTHON
