#!/bin/sh
# audpsychometric: raters who hardly agree have a congeneric reliability of nearly 1.
#
# Reliability is the share of the variance of the summed ratings that the raters have in common, so it says
# how far their mean can be trusted. One would guess that congeneric_reliability is low where raters hardly
# agree. It takes its loadings from the first principal component, which holds the noise of each rater as
# well as what they share. If any two raters correlate equally, that component is their mean, and its
# loadings account for all of the variance of the sum: the result is then 1 whatever the correlation is.
# The loadings that the formula asks for are those of a factor analysis. cronbachs_alpha is right.
#
# Version: audpsychometric 0.1.1 (scikit-learn 1.9.1). Seen, 10,000 clips, ratings of equal quality:
#   correlation 0.1, 2 raters: congeneric 0.999, Cronbach's alpha 0.173 (true 0.182)
#   correlation 0.1, 6 raters: congeneric 0.999, Cronbach's alpha 0.407 (true 0.400)
#   correlation 0.3, 2 raters: congeneric 1.000, Cronbach's alpha 0.453 (true 0.462)
#   correlation 0.3, 6 raters: congeneric 1.000, Cronbach's alpha 0.719 (true 0.720)
# It exits with 1 once one of these congeneric reliabilities is below 0.9.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet audpsychometric==0.1.1 audmetric==1.4.2 audeer==2.7.0 pingouin==0.6.1 \
    scikit-learn==1.9.1 statsmodels==0.15.0 pandas==2.3.3 scipy==1.17.1 numpy==2.0.2
venv/bin/python - <<'PYTHON'
import sys

import audpsychometric
import numpy as np

print("audpsychometric", audpsychometric.__version__)
generator = np.random.default_rng(0)
found = []
for correlation in (0.1, 0.3):
    for raters in (2, 6):
        truth = generator.normal(size=(10000, 1))
        noise = generator.normal(size=(10000, raters))
        ratings = correlation**0.5 * truth + (1 - correlation) ** 0.5 * noise
        congeneric = audpsychometric.congeneric_reliability(ratings)[0]
        alpha = audpsychometric.cronbachs_alpha(ratings)[0]
        right = raters * correlation / (1 + (raters - 1) * correlation)
        print(
            f"correlation {correlation}, {raters} raters: congeneric {congeneric:.3f}, "
            f"Cronbach's alpha {alpha:.3f} (true {right:.3f})"
        )
        found.append((congeneric, alpha, right))
if not all(congeneric > 0.9 and abs(alpha - right) < 0.1 for congeneric, alpha, right in found):
    sys.exit("no longer as described")
print("as described")
PYTHON
