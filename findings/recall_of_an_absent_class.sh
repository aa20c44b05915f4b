#!/bin/sh
# audmetric and scikit-learn: one wrong answer of eight gives a recall of 0.875, 0.583 or 1.
#
# The unweighted average recall is the mean over classes of the share that was found, and balanced
# accuracy is another name for it. One would guess that two libraries agree, and that a wrong answer
# costs the same whichever wrong class it names. audmetric takes the classes from truth and answers
# together. If an answer names a class that no clip of the test fold has, that class has nothing to
# be found, its recall is set to 0, and the mean falls by the share of a class. Then five right
# answers can beat six. If the classes are given as labels, an answer outside them is not counted at
# all, and the mistake is gone. scikit-learn's balanced_accuracy_score leaves such a class out;
# its recall_score with average="macro" is like audmetric without labels and is right with them.
#
# Version: audmetric 1.4.2, scikit-learn 1.9.1. Seen, four clips of a and four of b:
#                              audmetric  balanced_accuracy_score  recall_score
#   7 right, one b is a        0.875      0.875                    0.875
#   7 right, one b is c        0.583      0.875                    0.583
#   5 right, the rest a or b   0.625      0.625                    0.625
#   6 right, the rest c        0.500      0.750                    0.500
#   second row, labels a, b    1.000                               0.875
# It exits with 1 once the second row has the same score in all columns.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet audmetric==1.4.2 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys
import warnings

import audmetric
import sklearn
from sklearn.metrics import balanced_accuracy_score, recall_score

warnings.simplefilter("ignore")
print("audmetric", importlib.metadata.version("audmetric"), "scikit-learn", sklearn.__version__)
truth = list("aaaabbbb")
rows = {
    "7 right, one b is a": list("aaaabbba"),
    "7 right, one b is c": list("aaaabbbc"),
    "5 right, the rest a or b": list("aaabbbaa"),
    "6 right, the rest c": list("aaacbbbc"),
}
print(f"{'':25}  audmetric  balanced_accuracy_score  recall_score")
scores = []
for name, answers in rows.items():
    ours = audmetric.unweighted_average_recall(truth, answers)
    balanced = balanced_accuracy_score(truth, answers)
    macro = recall_score(truth, answers, average="macro")
    print(f"{name:25}  {ours:.3f}      {balanced:.3f}                    {macro:.3f}")
    scores.append([round(float(score), 3) for score in (ours, balanced, macro)])
answers, labels = rows["7 right, one b is c"], ["a", "b"]
ours = audmetric.unweighted_average_recall(truth, answers, labels=labels)
macro = recall_score(truth, answers, labels=labels, average="macro")
print(f"{'second row, labels a, b':25}  {ours:.3f}      {'':23}  {macro:.3f}")
if scores[:2] != [[0.875] * 3, [0.583, 0.875, 0.583]] or (ours, macro) != (1, 0.875):
    sys.exit("no longer as described")
print("as described")
PYTHON
