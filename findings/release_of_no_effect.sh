#!/bin/sh
# dasp-pytorch: the release of a compressor has no effect, and channels are added before they are measured.
#
# A compressor turns down what is louder than a threshold. Attack and release say how fast it does so, and
# how fast it lets go. The docstring of compressor describes a filter for each. One would guess that a
# longer release keeps a sound turned down for longer. release_ms is not used: the attack rules both. So a
# network that learns these parameters gets a gradient of 0 for one of them. Before the level is measured,
# the channels are added. The same sound in two channels is turned down by more than in one, and a sound
# with opposite signs in two channels is not turned down at all.
#
# Version: dasp-pytorch 0.0.1 (torch 2.14.1). Seen, a tone that drops from 0.5 to 0.02, threshold -20 dB,
# ratio 4, attack 5 ms, and the gain 50 to 100 ms after the drop:
#   release 10 ms: 0.0 dB
#   release 100 ms: 0.0 dB
#   release 1000 ms: 0.0 dB
#   release 100 ms, attack 500 ms: -4.9 dB
#   the three releases differ by 0.0, the gradient of the release is None
#   the loud part: one channel -6.9 dB, twice the same -10.9 dB, opposite signs 0.0 dB
# It exits with 1 once the release matters.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet dasp-pytorch==0.0.1 torch==2.14.1 numpy==2.4.6 scipy==1.17.1
venv/bin/python -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import torch
from dasp_pytorch.functional import compressor

print("dasp-pytorch", version("dasp-pytorch"))
RATE = 16000
times = torch.arange(2 * RATE) / RATE
tone = torch.where(times < 1, 0.5, 0.02) * torch.sin(2 * torch.pi * 1000 * times)
mono = tone[None, None]


def compress(wave, release, attack=5.0):
    numbers = {"threshold_db": -20.0, "ratio": 4.0, "attack_ms": attack, "knee_db": 1.0, "makeup_gain_db": 0.0}
    tensors = {name: torch.tensor([value]) for name, value in numbers.items()}
    return compressor(wave, RATE, release_ms=release, **tensors)


def gain(wave, start, end):
    part = slice(int(start * RATE), int(end * RATE))
    decibels = 20 * torch.log10(wave[0, 0, part].std() / mono[0, 0, part].std())
    return round(float(decibels), 1) + 0.0


waves = []
for release in (10.0, 100.0, 1000.0):
    waves.append(compress(mono, torch.tensor([release])))
    print(f"release {release:.0f} ms: {gain(waves[-1], 1.05, 1.1)} dB")
release = torch.tensor([100.0], requires_grad=True)
slow = compress(mono, release, 500.0)
print(f"release 100 ms, attack 500 ms: {gain(slow, 1.05, 1.1)} dB")
spread = max(float((wave - waves[0]).abs().max()) for wave in waves)
print(f"the three releases differ by {spread}, the gradient of the release is {release.grad}")
loud = [
    gain(compress(wave, torch.tensor([100.0])), 0.5, 0.9)
    for wave in (mono, mono.repeat(1, 2, 1), torch.cat([mono, -mono], 1))
]
print("the loud part: one channel {} dB, twice the same {} dB, opposite signs {} dB".format(*loud))
if spread > 0 or loud[1] > loud[0] - 2 or loud[2] < -1:
    sys.exit("no longer as described")
print("as described")
PYTHON
