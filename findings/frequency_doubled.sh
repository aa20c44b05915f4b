#!/bin/sh
# spafe: the dominant frequency of a tone is twice its frequency, or none.
#
# get_dominant_frequencies gives the loudest frequency of each frame. One would guess that this is the
# frequency of a steady tone. It takes the bins of a real transform, which go from 0 to half of the sample
# rate, for those of a complex one, whose first half goes as far. So tones up to a quarter of the sample
# rate come out at twice their frequency. Tones above it come out negative, and negative frequencies are
# left out by default, so that these frames are missing from the list. What remains no longer tells which
# frame it belongs to.
#
# Version: spafe 0.3.3 (numpy 2.4.6, scipy 1.17.1). Seen at 16 kHz, one second of each tone:
#   500 Hz: 98 frames, 996 Hz
#   1000 Hz: 98 frames, 1992 Hz
#   3000 Hz: 98 frames, 5977 Hz
#   5000 Hz: 0 frames
#   1000 Hz, then 5000 Hz: 99 frames, 1992 Hz
# It exits with 1 once tones have their frequency.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet spafe==0.3.3 numpy==2.4.6 scipy==1.17.1
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

import numpy as np
from spafe.frequencies.dominant_frequencies import get_dominant_frequencies

print("spafe", importlib.metadata.version("spafe"))
RATE = 16000
times = np.arange(RATE) / RATE


def measure(*tones):
    """How many frames have a frequency, and the median of these."""
    sound = np.concatenate([np.sin(2 * np.pi * tone * times) for tone in tones])
    found = get_dominant_frequencies(sound, RATE)
    median = np.median(found) if len(found) else 0
    text = f", {median:.0f} Hz" if len(found) else ""
    print(", then ".join(f"{tone} Hz" for tone in tones) + f": {len(found)} frames{text}")
    return len(found), median


for tone in (500, 1000, 3000):
    frames, median = measure(tone)
    if frames != 98 or not 1.95 < median / tone < 2.05:
        sys.exit("no longer as described")
if measure(5000)[0] != 0 or not 97 <= measure(1000, 5000)[0] <= 100:
    sys.exit("no longer as described")
print("as described")
PYTHON
