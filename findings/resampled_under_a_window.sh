#!/bin/sh
# obspy: resampling takes up to 40 dB from the high frequencies, and more if a length does not divide.
#
# Trace.resample has a default of window="hann". One would guess that this is a matter of the filter's
# edge, and that all else keeps its level. The window is laid over the whole spectrum, from 0 Hz to half
# of the old rate. So a tone loses 6 dB at half of this range and 17 dB at three quarters, even if the new
# rate is higher and nothing has to be filtered. Where the new length is no whole number, the spectrum is
# interpolated by straight lines. That takes more from what lies in the middle of a recording: one sample
# more or less costs a click 2.5 dB.
#
# Version: obspy 1.5.1 (numpy 2.4.6, scipy 1.17.1). Seen, levels against the original in dB:
#   tone, 16 to 48 kHz, 2000 Hz: -1.4 (window=None: 0.0; SciPy's resample_poly: 0.0)
#   tone, 16 to 48 kHz, 4000 Hz: -6.0 (window=None: 0.0; SciPy's resample_poly: 0.0)
#   tone, 16 to 48 kHz, 6000 Hz: -16.7 (window=None: 0.0; SciPy's resample_poly: 0.0)
#   tone, 16 to 48 kHz, 7500 Hz: -40.3 (window=None: 0.0; SciPy's resample_poly: -1.6)
#   click in the middle of 88200 samples, 44.1 to 22.05 kHz, at 5.5 kHz: -1.4 (window=None: 0.0)
#   click in the middle of 88201 samples, 44.1 to 22.05 kHz, at 5.5 kHz: -3.9 (window=None: -2.5)
# It exits with 1 once 6000 Hz keep their level.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet obspy==1.5.1 numpy==2.4.6 scipy==1.17.1
venv/bin/python -W ignore - <<'PYTHON'
import sys

import numpy as np
import obspy
from obspy import Trace
from scipy.signal import resample_poly

print("obspy", obspy.__version__)


def resample(wave, rate, new, **window):
    trace = Trace(wave.copy(), header={"sampling_rate": rate})
    return trace.resample(new, **window).data


def level(wave):
    """The level of the middle half of a tone, in dB; -0.0 is written as 0.0."""
    middle = wave[len(wave) // 4 : -len(wave) // 4]
    return round(10 * np.log10(2 * np.mean(middle**2)), 1) + 0.0


found = {}
for hertz in (2000, 4000, 6000, 7500):
    tone = np.sin(2 * np.pi * hertz / 16000 * np.arange(16000))
    found[hertz] = level(resample(tone, 16000, 48000))
    plain = level(resample(tone, 16000, 48000, window=None))
    print(
        f"tone, 16 to 48 kHz, {hertz} Hz: {found[hertz]} (window=None: {plain}; "
        f"SciPy's resample_poly: {level(resample_poly(tone, 3, 1))})"
    )
for length in (88200, 88201):
    click = np.zeros(length)
    click[length // 2] = 1
    lost = []
    for window in ({}, {"window": None}):
        spectrum = np.abs(np.fft.rfft(resample(click, 44100, 22050, **window)))
        lost.append(round(20 * np.log10(2 * spectrum[len(spectrum) // 2]), 1) + 0.0)
    print(
        f"click in the middle of {length} samples, 44.1 to 22.05 kHz, at 5.5 kHz: {lost[0]} "
        f"(window=None: {lost[1]})"
    )
    found[length] = lost
if found[6000] > -10 or found[88201][1] > -1:
    sys.exit("no longer as described")
print("as described")
PYTHON
