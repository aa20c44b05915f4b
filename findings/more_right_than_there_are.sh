#!/bin/sh
# SpeechBrain: without lengths, accuracy grows with the size of the batch.
#
# Accuracy counts the right answers in a batch of sequences, and AccuracyStats sums them over batches.
# The lengths are optional. One would guess that without them every position counts once, above and below
# the line. All right answers of the batch are counted, and divided by the length of one sequence. So
# chance becomes 160 % in a batch of eight, and a batch of one is right. Lengths of 1, which say the same,
# give what is right.
#
# Version: speechbrain 1.1.2 (torch 2.14.1). Seen, guesses among five classes, 64 sequences of 50 labels:
#   batches of 1: 20 % (with lengths of 1: 20 %)
#   batches of 2: 40 % (with lengths of 1: 20 %)
#   batches of 4: 81 % (with lengths of 1: 20 %)
#   batches of 8: 162 % (with lengths of 1: 20 %)
# It exits with 1 once the size of a batch does not matter.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet speechbrain==1.1.2 torch==2.14.1 torchaudio==2.11.0 numpy==2.4.6
venv/bin/python -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import torch
from speechbrain.utils.Accuracy import AccuracyStats

print("speechbrain", version("speechbrain"))
torch.manual_seed(0)
scores = torch.randn(64, 50, 5).log_softmax(-1)
labels = torch.randint(0, 5, (64, 50))
right = float((scores.argmax(-1) == labels).float().mean())


def accuracy(size, lengths=None):
    stats = AccuracyStats()
    for start in range(0, 64, size):
        stats.append(scores[start : start + size], labels[start : start + size], lengths)
    return stats.summarize()


found = []
for size in (1, 2, 4, 8):
    found.append((accuracy(size), accuracy(size, torch.ones(size))))
    print("batches of {}: {:.0%} (with lengths of 1: {:.0%})".format(size, *found[-1]).replace("%", " %"))
if abs(found[0][0] - right) > 1e-6 or found[3][0] < 1.5 or abs(found[3][1] - right) > 1e-6:
    sys.exit("no longer as described")
print("as described")
PYTHON
