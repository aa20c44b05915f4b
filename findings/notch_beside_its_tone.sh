#!/bin/sh
# SpeechBrain: a notch filter removes what lies above the frequency that it is given.
#
# notch_filter takes the frequency of a notch and its width, as fractions of half of the sample rate. One
# would guess that the notch is deepest at this frequency. The width is added to the frequency before the
# filter is made, and the sinc functions have a 3 where pi belongs, so all cutoffs lie 4.5 % too low. The
# centre is 0.955 times the sum of frequency and width. DropFreq, which draws frequencies to train
# networks without them, makes its notches so, and never takes away what lies below 100 Hz.
#
# Version: speechbrain 1.1.2 (torch 2.14.1, scipy 1.17.1). Seen, at 16 kHz:
#   asked for 60 Hz: -1 dB there, deepest at 459 Hz, 6 dB and more from 186 to 821 Hz; iirnotch: deepest at 60 Hz
#   asked for 1000 Hz: -8 dB there, deepest at 1337 Hz, 6 dB and more from 955 to 1719 Hz; iirnotch: deepest at 1000 Hz
#   asked for 3000 Hz: -15 dB there, deepest at 3247 Hz, 6 dB and more from 2865 to 3629 Hz; iirnotch: deepest at 3000 Hz
#   asked for 7000 Hz: -39 dB there, deepest at 7067 Hz, 6 dB and more from 6685 to 7448 Hz; iirnotch: deepest at 7000 Hz
#   DropFreq, one frequency, 500 draws: 50 Hz lose at most 0 dB
#   DropFreq, one frequency, 500 draws: 100 Hz lose at most 2 dB
#   DropFreq, one frequency, 500 draws: 500 Hz lose at most 46 dB
#   DropFreq, one frequency, 500 draws: 2000 Hz lose at most 50 dB
# It exits with 1 once the notch for 1000 Hz is deepest within 100 Hz.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet speechbrain==1.1.2 torch==2.14.1 torchaudio==2.11.0 numpy==2.4.6 scipy==1.17.1
venv/bin/python -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import torch
from scipy.signal import freqz, iirnotch
from speechbrain.augment.time_domain import DropFreq
from speechbrain.processing.signal_processing import notch_filter

print("speechbrain", version("speechbrain"))
RATE = 16000
grid = np.arange(1, 8000)


def response(taps):
    return 20 * np.log10(np.abs(freqz(taps, worN=grid, fs=RATE)[1]) + 1e-9)


deepest = {}
for hertz in (60, 1000, 3000, 7000):
    seen = response(notch_filter(hertz / (RATE / 2)).flatten().double().numpy())
    removed = grid[seen < -6]
    deepest[hertz] = grid[seen.argmin()]
    other = np.abs(freqz(*iirnotch(hertz, 30, fs=RATE), worN=grid, fs=RATE)[1])
    print(
        f"asked for {hertz} Hz: {seen[hertz - 1]:.0f} dB there, deepest at {deepest[hertz]} Hz, 6 dB and "
        f"more from {removed[0]} to {removed[-1]} Hz; iirnotch: deepest at {grid[other.argmin()]} Hz"
    )
torch.manual_seed(0)
click = torch.zeros(1, 1001)
click[0, 500] = 1
drop = DropFreq(drop_freq_count_low=1, drop_freq_count_high=1)
losses = np.array([response(drop(click)[0].double().numpy()) for _ in range(500)])
for hertz in (50, 100, 500, 2000):
    print(f"DropFreq, one frequency, 500 draws: {hertz} Hz lose at most {-losses[:, hertz - 1].min():.0f} dB")
if abs(deepest[1000] - 1000) < 100 or losses[:, 99].min() < -6:
    sys.exit("no longer as described")
print("as described")
PYTHON
