#!/bin/sh
# pingouin: intervals are rounded to hundredths, whatever they are intervals of.
#
# pingouin's tests give an interval of 95 % beside the p-value. One would guess that both tell the same: that
# an interval of a difference leaves out 0 where p is below 0.05. Intervals are rounded to two decimals, while
# p-values and correlations are not. A gain of 0.003 has an interval from 0 to 0, however small p is. A
# correlation of 0.998 has one from 1 to 1. ttest and corr have no argument for it, but options has
# "round.column.CI95". compute_bootci, which returns nothing but the interval, has decimals=2. What was
# rounded cannot be brought back from the table. Issue 321, closed, asks for more digits.
#
# Version: pingouin 0.7.0 (scipy 1.17.1). Seen, the scores of two networks on 2000 clips, and their gain:
#   ttest, mean gain 0.00344: p = 2.3e-14, from 0.00 to 0.00
#   corr, r = 0.99776: from 1.00 to 1.00
#   compute_bootci of the mean gain: from 0.00 to 0.00, with decimals=5 from 0.00258 to 0.00432
#   ttest without the option: from 0.00256 to 0.00432
# It exits with 1 once the interval of ttest leaves out 0.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet pingouin==0.7.0 scikit-learn==1.9.1 statsmodels==0.15.0 pandas==2.3.3 \
    scipy==1.17.1 numpy==2.4.6
venv/bin/python -W ignore - <<'PYTHON'
import sys

import numpy as np
import pingouin

print("pingouin", pingouin.__version__)
generator = np.random.default_rng(0)
gains = generator.normal(0.004, 0.02, size=2000)
scores = generator.normal(0.7, 0.3, size=2000)
test = pingouin.ttest(scores + gains, scores, paired=True).iloc[0]
low, high = test["CI95"]
print(f"ttest, mean gain {gains.mean():.5f}: p = {test['p_val']:.1e}, from {low:.2f} to {high:.2f}")
related = pingouin.corr(scores, scores + gains).iloc[0]
print("corr, r = {:.5f}: from {:.2f} to {:.2f}".format(related["r"], *related["CI95"]))
default = pingouin.compute_bootci(gains, func="mean", seed=0)
exact = pingouin.compute_bootci(gains, func="mean", seed=0, decimals=5)
print(
    f"compute_bootci of the mean gain: from {default[0]:.2f} to {default[1]:.2f}, with decimals=5 "
    f"from {exact[0]:.5f} to {exact[1]:.5f}"
)
pingouin.options["round.column.CI95"] = None
ends = pingouin.ttest(scores + gains, scores, paired=True).iloc[0]["CI95"]
print("ttest without the option: from {:.5f} to {:.5f}".format(*ends))
if low > 0 or test["p_val"] > 1e-6 or default[0] > 0 or ends[0] <= 0:
    sys.exit("no longer as described")
print("as described")
PYTHON
