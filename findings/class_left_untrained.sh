#!/bin/sh
# scikit-learn: StratifiedGroupKFold leaves a class out of training without need.
#
# Clips that were cut from recordings ask for folds that are grouped and stratified. One would guess
# that a class that occurs in several groups is trained on in every fold, wherever that is possible.
# The groups are assigned one by one to the fold in which the shares of the classes stay most even,
# and nothing checks what is left to train on. In a small data set all groups of a class can end
# up in one fold. There is no warning, and the classifier never predicts that class.
#
# Version: scikit-learn 1.9.1. Seen, seven clips of four recordings, two folds:
#   test on recordings [3]: trains on classes [0, 1, 2]
#   test on recordings [0, 1, 2]: trains on classes [0, 2]
#   recordings [0, 2] against [1, 3] would train on all classes both times
# It exits with 1 once all classes are trained on.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet scikit-learn==1.9.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys
from itertools import combinations

import numpy as np
import sklearn
from sklearn.model_selection import StratifiedGroupKFold

print("scikit-learn", sklearn.__version__)
recordings = np.array([0, 1, 2, 2, 3, 3, 3])
classes = np.array([0, 1, 1, 2, 0, 0, 2])
lacking = 0
for train, test in StratifiedGroupKFold(2).split(classes, classes, recordings):
    trained = sorted(set(classes[train].tolist()))
    print(f"test on recordings {sorted(set(recordings[test].tolist()))}: trains on classes {trained}")
    lacking += len(trained) < 3
better = []
for pair in combinations(range(4), 2):
    side = np.isin(recordings, pair)
    if set(classes[side]) == set(classes[~side]) == {0, 1, 2}:
        better.append(pair)
others = [recording for recording in range(4) if recording not in better[0]]
print(f"recordings {list(better[0])} against {others} would train on all classes both times")
if not lacking:
    sys.exit("no longer as described")
print("as described")
PYTHON
