#!/bin/sh
# confidenceinterval: recall, precision and F-score are the accuracy.
#
# confidenceinterval gives scikit-learn's scores with their intervals, "with the standard scikit-learn naming
# convention and interface". One would guess that recall_score(truth, answers) is that of scikit-learn, the share
# of the positive clips that are found. Its default is average="micro", where scikit-learn's is "binary".
# Over two classes that is the accuracy, so recall, precision and F-score are the same number, with the same
# interval. For a rare class it is high even if nothing is found. With average="binary" the F-score is
# scikit-learn's; recall and precision then ask for another method, too.
#
# Version: confidenceinterval 1.0.5 (scikit-learn 1.9.1). Seen, 10 of 100 clips with a call:
#   2 calls found, 2 false alarms:
#     recall_score: 0.90, from 0.84 to 0.96 (scikit-learn: 0.20)
#     precision_score: 0.90, from 0.84 to 0.96 (scikit-learn: 0.50)
#     f1_score: 0.90, from 0.84 to 0.96 (scikit-learn: 0.29)
#   no call found, no false alarm:
#     recall_score: 0.90, from 0.84 to 0.96 (scikit-learn: 0.00)
#     f1_score: 0.90, from 0.84 to 0.96 (scikit-learn: 0.00)
#   f1_score of the first with average="binary": 0.29, from -0.03 to 0.60
# It exits with 1 once recall is the recall.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet confidenceinterval==1.0.5 scikit-learn==1.9.1 statsmodels==0.15.0 pandas==2.3.3 \
    scipy==1.17.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys
from importlib.metadata import version

import confidenceinterval
import numpy as np
from sklearn import metrics

print("confidenceinterval", version("confidenceinterval"))
truth = np.repeat([1, 0], [10, 90])
found = []


def show(names, answers):
    for name in names:
        score, (low, high) = getattr(confidenceinterval, name)(truth, answers)
        right = getattr(metrics, name)(truth, answers)
        print(f"  {name}: {score:.2f}, from {low:.2f} to {high:.2f} (scikit-learn: {right:.2f})")
        found.append(score - right)


answers = np.zeros(100, int)
answers[[0, 1, 98, 99]] = 1
print("2 calls found, 2 false alarms:")
show(("recall_score", "precision_score", "f1_score"), answers)
print("no call found, no false alarm:")
show(("recall_score", "f1_score"), np.zeros(100, int))
score, (low, high) = confidenceinterval.f1_score(truth, answers, average="binary")
print(f'f1_score of the first with average="binary": {score:.2f}, from {low:.2f} to {high:.2f}')
if min(found) < 0.3:
    sys.exit("no longer as described")
print("as described")
PYTHON
