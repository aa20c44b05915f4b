#!/bin/sh
# audioflux: what is in a mel band cancels itself.
#
# The documentation makes a mel spectrogram with BFT(..., scale_type=MEL).bft(samples), whose result is
# complex, and np.abs of it. One would guess that this is the magnitude in each band. But the complex
# spectrum is summed over each band before, and neighbouring bins of a window have opposite signs. So wide
# bands hold little, and how much depends on where in its frame a sound is. With data_type=POWER the squares
# that are summed are complex, too. mfcc is made of these. Only with result_type=1, as in mel_spectrogram,
# are magnitudes or powers summed.
#
# Version: audioflux 0.1.9 (numpy 2.4.6). Seen at 16 kHz, 128 bands, frames of 4096 samples, a hop of 1024:
#   noise, from the band of 583 to that of 6741 Hz: -15.0 dB, with result_type=1 +15.5 dB
#   a tone of 1000 instead of 1003 Hz, band of 986 Hz: below -80 dB, with result_type=1 +1.2 dB
#   a click 512 samples later, power in the band of 6741 Hz: -32.8 dB, with result_type=1 -1.4 dB
#   the same click in mfcc, coefficient 0 at its highest: 0.0, and 512 samples later -19.8
# It exits with 1 once the noise rises from band to band.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet audioflux==0.1.9 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

import audioflux
import numpy as np
from audioflux.type import SpectralDataType, SpectralFilterBankScaleType

print("audioflux", importlib.metadata.version("audioflux"))
rate, low, high = 16000, 30, 120
mel = {"num": 128, "radix2_exp": 12, "samplate": rate, "scale_type": SpectralFilterBankScaleType.MEL}
magnitudes = audioflux.BFT(**mel)
powers = audioflux.BFT(**mel, data_type=SpectralDataType.POWER)
hertz = np.round(magnitudes.get_fre_band_arr()).astype(int)


def both(transform, samples):
    """The bands as the documentation takes them, and as sums of real numbers."""
    samples = samples.astype(np.float32)
    return np.abs(transform.bft(samples)), transform.bft(samples, result_type=1)


rng = np.random.default_rng(0)
rises = []
for bands in both(magnitudes, rng.normal(size=8 * rate)):
    means = 20 * np.log10(bands.mean(axis=1))
    rises.append(means[high] - means[low])
print(
    f"noise, from the band of {hertz[low]} to that of {hertz[high]} Hz: {rises[0]:+.1f} dB, "
    f"with result_type=1 {rises[1]:+.1f} dB"
)
band = np.abs(hertz - 1000).argmin()
time = np.arange(2 * rate) / rate
tones = [both(magnitudes, np.sin(2 * np.pi * pitch * time)) for pitch in (1003, 1000)]
less, other = (20 * np.log10(tones[1][way][band].mean() / tones[0][way][band].mean()) for way in (0, 1))
print(
    f"a tone of 1000 instead of 1003 Hz, band of {hertz[band]} Hz: "
    f"{'below -80' if less < -80 else f'{less:+.1f}'} dB, with result_type=1 {other:+.1f} dB"
)
faint = 0.001 * rng.normal(size=4 * rate)
clicks, highest = [], []
for place in (16384, 16896):
    click = np.zeros(4 * rate, np.float32)
    click[place] = 1
    clicks.append([bands[high].max() for bands in both(powers, click)])
    coefficients, _ = audioflux.mfcc((click + faint).astype(np.float32), samplate=rate)
    highest.append(coefficients[0].max())
less, other = 10 * np.log10(np.divide(clicks[1], clicks[0]))
print(
    f"a click 512 samples later, power in the band of {hertz[high]} Hz: {less:+.1f} dB, "
    f"with result_type=1 {other:+.1f} dB"
)
print(
    f"the same click in mfcc, coefficient 0 at its highest: {highest[0]:.1f}, "
    f"and 512 samples later {highest[1]:.1f}"
)
if rises[0] > 0:
    sys.exit("no longer as described")
print("as described")
PYTHON
