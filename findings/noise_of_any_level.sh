#!/bin/sh
# colorednoise: noise "normalised to unit variance" has a deviation of 0.4 to 1.8.
#
# Brown and pink noise of unit variance is what one multiplies by a gain to mix it at some ratio of
# signal to noise. One would guess that a clip of ten seconds has a deviation of 1, to a percent or
# so, as white noise has, and no offset. But the variance is that of the ensemble of all clips. Most of
# the power of brown noise is in its lowest few frequencies, whose amplitudes are drawn as well, so
# the level of each clip is drawn with them, and a longer clip does not help. The lowest bin, the
# mean, is drawn with the amplitude of the one above it, and comes on top of the unit variance.
#
# Version: colorednoise 2.2.0. Seen, 200 clips of 160,000 samples, deviation from ... to ..., largest
# mean:
#   white (0): 0.99 to 1.00, 0.01
#   pink (1): 0.90 to 1.19, 0.60
#   brown (2): 0.44 to 1.82, 1.61
#   brown, 50 clips of 1.6 million samples: 0.46 to 1.81, 1.13
# It exits with 1 once the deviation of brown noise is within 10 % of 1.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet colorednoise==2.2.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

import numpy as np
from colorednoise import powerlaw_psd_gaussian

print("colorednoise", importlib.metadata.version("colorednoise"))
found = {}
for name, exponent, samples, clips in (
    ("white (0)", 0, 160000, 200),
    ("pink (1)", 1, 160000, 200),
    ("brown (2)", 2, 160000, 200),
    ("brown, 50 clips of 1.6 million samples", 2, 1600000, 50),
):
    waves = (powerlaw_psd_gaussian(exponent, samples, random_state=clip) for clip in range(clips))
    levels, means = np.transpose([(wave.std(), abs(wave.mean())) for wave in waves])
    found[name] = levels.min(), levels.max()
    print(f"{name}: {levels.min():.2f} to {levels.max():.2f}, {means.max():.2f}")
if found["brown (2)"][0] > 0.9 or found["brown (2)"][1] < 1.1 or found["white (0)"][0] < 0.98:
    sys.exit("no longer as described")
print("as described")
PYTHON
