#!/bin/sh
# torchmetrics: a model that returns silence improves the SI-SDR of noisy speech.
#
# The scale-invariant ratio of signal to distortion does not depend on how loud an estimate is, so one
# would guess that turning the input down changes nothing, and that silence is the worst estimate or
# none. torchmetrics adds a small number to both parts of the ratio. For an estimate of next to nothing
# these numbers are all there is, and their ratio is 1, which is 0 dB. Noisy input below 0 dB is thus
# "improved" by a network that returns silence, and a mean over a test set takes it in.
#
# Version: torchmetrics 1.9.0 (torch 2.13.0). Seen, noise as the signal and louder noise added, in dB:
#   the input: -5.10
#   the input times 0.001: -5.09
#   the input times 0.000001: -0.01
#   zeros: 0.00
# It exits with 1 once the last two are not above the first.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet torchmetrics==1.9.0 torch==2.13.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import torch
import torchmetrics
from torchmetrics.functional.audio import scale_invariant_signal_distortion_ratio

print("torchmetrics", torchmetrics.__version__)
torch.manual_seed(0)
signal = 0.1 * torch.randn(16000)
noisy = signal + 0.178 * torch.randn(16000)
found = []
for name, factor in (
    ("the input", 1),
    ("the input times 0.001", 1e-3),
    ("the input times 0.000001", 1e-6),
    ("zeros", 0),
):
    found.append(scale_invariant_signal_distortion_ratio(factor * noisy, signal).item())
    print(f"{name}: {found[-1]:.2f}")
if abs(found[1] - found[0]) > 0.1 or not min(found[2:]) > found[0] + 3:
    sys.exit("no longer as described")
print("as described")
PYTHON
