#!/bin/sh
# SpeechBrain: a random choice of masks is drawn once, for the whole training.
#
# SpectrogramDrop masks stretches of a spectrogram, with zeros, the mean, noise, or parts of other frames
# or clips. With replace="random_selection" it chooses among these five. One would guess that each batch,
# or each clip, gets a choice of its own. The first call writes its choice over the setting, so all later
# batches get the same. Each run of a program draws another, unless Python's generator has a seed. With
# zeros and the mean, the spectrogram that was handed over is masked, too.
#
# Version: speechbrain 1.1.2 (torch 2.14.1). Seen, calls of one object for 1000 batches:
#   seed 0: cutcat 1000 times
#   seed 1: mean 1000 times
#   seed 2: zeros 1000 times
#   seed 3: mean 1000 times
#   the input after a call with zeros: 41 % of it are masked
# It exits with 1 once one object makes more than one choice.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet speechbrain==1.1.2 torch==2.14.1 torchaudio==2.11.0 numpy==2.4.6
venv/bin/python -W ignore - <<'PYTHON'
import random
import sys
from collections import Counter
from importlib.metadata import version

import torch
from speechbrain.augment.freq_domain import SpectrogramDrop

print("speechbrain", version("speechbrain"))
torch.manual_seed(0)


def kind(drop, batch):
    """What stands in the masked places of a batch whose frames and clips all differ."""
    seen = drop(batch.clone())
    masked = seen[seen != batch]
    if (masked == 0).all():
        return "zeros"
    if len(masked.unique()) == 1:
        return "mean"
    if torch.isin(masked, batch).all():
        rolled = batch.roll(1, 0)
        return "cutcat" if (seen[seen != batch] == rolled[seen != batch]).all() else "swap"
    return "noise"


choices = []
for seed in range(4):
    random.seed(seed)
    drop = SpectrogramDrop(replace="random_selection")
    choices.append(Counter(kind(drop, torch.randn(4, 50, 8)) for _ in range(1000)))
    print(f"seed {seed}:", ", ".join(f"{name} {count} times" for name, count in choices[-1].items()))
batch = torch.randn(4, 50, 8)
SpectrogramDrop(replace="zeros")(batch)
print(f"the input after a call with zeros: {100 * float((batch == 0).float().mean()):.0f} % of it are masked")
if any(len(choice) > 1 for choice in choices) or len({max(choice) for choice in choices}) == 1:
    sys.exit("no longer as described")
print("as described")
PYTHON
