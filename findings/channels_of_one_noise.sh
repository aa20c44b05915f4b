#!/bin/sh
# slab: two channels of pink noise that should be independent are nearly equal, and repeat themselves.
#
# The docstring of Sound.powerlawnoise, which makes the pink noise too, promises several channels of
# uncorrelated noise. One would guess that the correlation of two is about 0, and that each is pink. slab
# makes a spectrum for each channel, lays them into one row, in turns, and takes one transform of the row.
# The first channel then gets each second sample of the result, and the second channel the others, so they
# are neighbours in one wave, which goes through the same noise twice. Both have too much of high
# frequencies. White noise is right, and so is pink noise of one channel.
#
# Version: slab 1.8.2 (numpy 2.4.6). Seen, one second at 16 kHz, medians of 25: the correlation of the first
# channel with the last and of the two halves of the first, both without sign, and how far its level falls
# from 0.7 to 7 kHz:
#   white, 2 channels: 0.00, 0.00, 0.0 dB
#   pink, 1 channel: 1.00, 0.05, 9.9 dB
#   pink, 2 channels: 0.82, 0.32, 7.7 dB
# It exits with 1 once two channels of pink noise have a correlation below 0.5.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6 scipy==1.17.1 soundfile==0.14.0 matplotlib==3.11.2
venv/bin/pip install --quiet --no-deps slab==1.8.2 # It runs without sounddevice, which needs PortAudio.
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

import numpy as np
from slab import Sound

print("slab", importlib.metadata.version("slab"))
np.random.seed(0)


def measured(make, channels):
    found = []
    for _ in range(25):
        waves = make(duration=1.0, samplerate=16000, n_channels=channels).data.T
        power = np.abs(np.fft.rfft(waves[0])) ** 2
        found.append(
            (
                np.corrcoef(waves[0], waves[-1])[0, 1],
                np.corrcoef(waves[0, :8000], waves[0, 8000:])[0, 1],
                10 * np.log10(power[600:800].mean() / power[6000:8000].mean()),
            )
        )
    return np.median(found, axis=0)


both = {}
for color, make, channels in (
    ("white", Sound.whitenoise, 2),
    ("pink", Sound.pinknoise, 1),
    ("pink", Sound.pinknoise, 2),
):
    both[color, channels] = across, within, fall = measured(make, channels)
    name = f"{color}, {channels} channel{'s' * (channels > 1)}"
    print(f"{name}: {abs(across):.2f}, {abs(within):.2f}, {abs(fall):.1f} dB")
if abs(both["white", 2][0]) > 0.1 or both["pink", 2][0] < 0.5:
    sys.exit("no longer as described")
print("as described")
PYTHON
