#!/bin/sh
# torchaudio: the decibels of a quiet clip depend on the loudest clip of its batch.
#
# AmplitudeToDB(top_db=80) raises what lies more than 80 dB below the peak. One would guess that
# this is the peak of each clip. That holds for a batch of (clips, channels, bands, frames).
# MelSpectrogram of (clips, samples) gives (clips, bands, frames), and there the first axis is taken
# for the channels of one clip. So a quiet clip loses its features beside a loud one, and an
# embedding depends on the batch.
#
# Version: torchaudio 2.11.0 (torch 2.14.1). Seen, noise at -100 dB, alone and beside noise at 0 dB:
#   (clips, samples): mean -73.3 dB alone, -44.2 dB in the batch
#   (clips, channels, samples): mean -73.3 dB alone, -73.3 dB in the batch
# It exits with 1 once the first is the same alone and in the batch.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet torchaudio==2.11.0 torch==2.14.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import torch
import torchaudio

print("torchaudio", torchaudio.__version__, "torch", torch.__version__)
torch.manual_seed(0)
mel = torchaudio.transforms.MelSpectrogram(16000, n_mels=40)
decibels = torchaudio.transforms.AmplitudeToDB(top_db=80)
loud = torch.randn(1, 16000)
quiet = 1e-5 * torch.randn(1, 16000)
moved = []
for name, alone, batch in (
    ("(clips, samples)", quiet, torch.cat([quiet, loud])),
    ("(clips, channels, samples)", quiet[None], torch.stack([quiet, loud])),
):
    first, second = (float(decibels(mel(waves))[0].mean()) for waves in (alone, batch))
    print(f"{name}: mean {first:.1f} dB alone, {second:.1f} dB in the batch")
    moved.append(abs(first - second))
if moved[0] < 1 or moved[1] > 0.1:
    sys.exit("no longer as described")
print("as described")
PYTHON
