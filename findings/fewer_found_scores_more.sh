#!/bin/sh
# torchmetrics: the average precision of the first ten falls when one more relevant clip is found.
#
# A query is answered by a list of clips, and the average precision of the first ten adds up the precision
# at each relevant clip. One would guess that the sum is divided by how many relevant clips there
# are, so that finding one more cannot hurt. With top_k, retrieval_average_precision and RetrievalMAP divide
# by how many are among the first ten. One relevant clip of five, found first, gives 1; if another is found
# tenth, the score is 0.6. Without top_k it is right. ir_measures divides by all five.
# Issue 9989 of PyTorch Geometric, open since 2025, asks which of two libraries is right.
#
# Version: torchmetrics 1.9.0 (torch 2.14.1, ir_measures 0.4.3). Seen, five relevant clips of fifty, with
# those at the stated places among the first ten and the others last:
#   places 1: top_k=10 1.00, ir_measures 0.20, recall 0.20
#   places 1, 10: top_k=10 0.60, ir_measures 0.24, recall 0.40
#   places 1, 4, 7, 10: top_k=10 0.58, ir_measures 0.47, recall 0.80
#   places 1, 2, 3, 4, 10: top_k=10 0.90, ir_measures 0.90, recall 1.00
# It exits with 1 once the second of these scores more than the first.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet torchmetrics==1.9.0 torch==2.14.1 ir-measures==0.4.3 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import ir_measures
import torch
import torchmetrics
from torchmetrics.functional.retrieval import retrieval_average_precision, retrieval_recall

print("torchmetrics", torchmetrics.__version__)
scores = torch.arange(50.0, 0, -1)
found = []
for places in ([1], [1, 10], [1, 4, 7, 10], [1, 2, 3, 4, 10]):
    relevant = torch.zeros(50, dtype=torch.bool)
    relevant[[place - 1 for place in places]] = True
    if len(places) < 5:
        relevant[len(places) - 5 :] = True
    score = float(retrieval_average_precision(scores, relevant, top_k=10))
    recall = float(retrieval_recall(scores, relevant, top_k=10))
    truth = {"q": {f"{clip:02}": int(relevant[clip]) for clip in range(50)}}
    answers = {"q": {f"{clip:02}": float(scores[clip]) for clip in range(50)}}
    right = ir_measures.calc_aggregate([ir_measures.AP @ 10], truth, answers)[ir_measures.AP @ 10]
    print(
        f"places {', '.join(map(str, places))}: top_k=10 {score:.2f}, ir_measures {right:.2f}, "
        f"recall {recall:.2f}"
    )
    found.append((score, right))
if found[0][0] < 0.99 or found[1][0] > 0.9 or found[0][1] > found[1][1]:
    sys.exit("no longer as described")
print("as described")
PYTHON
