#!/bin/sh
# speechpy: mel bands from 0 to 8000 Hz end at 4000 Hz.
#
# mfe, lmfe and mfcc take the lowest and the highest frequency of their mel bands. By default the highest
# is half of the sample rate. One would guess that the bands lie there. The function that makes the filters
# is given the number of bins, 257, and computes as if it were the length of the transform, 512. So every
# band lies at half of its frequency, and nothing above a quarter of the sample rate is heard. And a lowest
# frequency of 0 is taken for none and becomes 300 Hz, so the bands begin at 150 Hz.
#
# Version: speechpy 2.4 (numpy 1.26.4, scipy 1.15.3). Seen, 40 bands from 0 to 8000 Hz at 16 kHz:
#   the filters read from 156 to 3969 Hz
#   a tone of 1000 Hz is strongest in band 18, which is for 2025 Hz
#   a tone of 3000 Hz is strongest in band 35, which is for 5983 Hz
#   a tone of 6000 Hz: -33 dB of its energy is in the bands
#   noise without what is above 4100 Hz: coefficients 1 to 12 move by 0.05 of their deviation
#   noise without what is above 3000 Hz: coefficients 1 to 12 move by 2.56 of their deviation
# It exits with 1 once the filters read up to 6000 Hz.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet speechpy==2.4 numpy==1.26.4 scipy==1.15.3
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

import numpy as np
from speechpy.feature import filterbanks, mfcc, mfe
from speechpy.functions import frequency_to_mel, mel_to_frequency

print("speechpy", importlib.metadata.version("speechpy"))
rate, bands, length = 16000, 40, 512
read = np.flatnonzero(filterbanks(bands, length // 2 + 1, rate, 0, rate / 2).any(axis=0)) * rate / length
print(f"the filters read from {read[0]:.0f} to {read[-1]:.0f} Hz")
# The frequencies that the bands are for, by the mel scale of the package.
centres = mel_to_frequency(np.linspace(*frequency_to_mel(np.array([300, rate / 2])), bands + 2))[1:-1]
time = np.arange(2 * rate) / rate
for pitch in (1000, 3000, 6000):
    energies, total = mfe(np.sin(2 * np.pi * pitch * time), rate)
    energies = energies.mean(axis=0)
    if pitch < 4000:
        band = energies.argmax()
        print(f"a tone of {pitch} Hz is strongest in band {band}, which is for {centres[band]:.0f} Hz")
    else:
        heard = 10 * np.log10(energies.sum() / total.mean())
        print(f"a tone of {pitch} Hz: {heard:.0f} dB of its energy is in the bands")
noise = np.random.default_rng(0).normal(size=len(time))
whole = mfcc(noise, rate)[:, 1:]
for limit in (4100, 3000):
    spectrum = np.fft.rfft(noise)
    spectrum[2 * limit :] = 0
    moved = np.abs(mfcc(np.fft.irfft(spectrum), rate)[:, 1:] - whole).mean() / whole.std(axis=0).mean()
    print(
        f"noise without what is above {limit} Hz: coefficients 1 to 12 move by "
        f"{moved:.2f} of their deviation"
    )
if read[-1] > 6000:
    sys.exit("no longer as described")
print("as described")
PYTHON
