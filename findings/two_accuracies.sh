#!/bin/sh
# torchmetrics: MulticlassAccuracy is no accuracy, Accuracy for several classes is.
#
# torchmetrics has a class Accuracy with task="multiclass", and a class MulticlassAccuracy, which the first
# makes. One would guess that both give the share of right answers. The default of the first is
# average="micro", which is this share. The default of the second is average="macro", the mean of the
# recalls of the classes. The same holds for precision, recall and F-score, and for their functions.
# Issue 2320, open since 2024, reports it.
#
# Version: torchmetrics 1.9.0 (torch 2.14.1). Seen, 90 clips of speech and 10 of music, all called speech:
#   Accuracy 0.90, MulticlassAccuracy 0.50
#   Precision 0.90, MulticlassPrecision 0.45
#   Recall 0.90, MulticlassRecall 0.50
#   F1Score 0.90, MulticlassF1Score 0.47
# It exits with 1 once both accuracies are the same.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet torchmetrics==1.9.0 torch==2.14.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import torch
import torchmetrics
from torchmetrics import classification

print("torchmetrics", torchmetrics.__version__)
truth = torch.tensor([0] * 90 + [1] * 10)
answers = torch.zeros(100, dtype=torch.long)
found = []
for name in ("Accuracy", "Precision", "Recall", "F1Score"):
    general = getattr(torchmetrics, name)(task="multiclass", num_classes=2)
    special = getattr(classification, f"Multiclass{name}")(num_classes=2)
    first, second = float(general(answers, truth)), float(special(answers, truth))
    print(f"{name} {first:.2f}, Multiclass{name} {second:.2f}")
    found.append(first - second)
if found[0] < 0.3:
    sys.exit("no longer as described")
print("as described")
PYTHON
