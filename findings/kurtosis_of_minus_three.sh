#!/bin/sh
# surfboard: every sound has a spectral kurtosis of -3.
#
# surfboard computes features of voices. Its skewness and kurtosis are moments of the frequencies around
# their centroid, weighted by the magnitudes, and 3 is taken from the kurtosis, which makes it 0 for a normal
# distribution. One would guess that they tell flat spectra from peaked ones, and lopsided ones from even
# ones. The moments are divided by the sum of the magnitudes, as they should be, and by the number of
# frequencies, too. What remains is near 0. So the kurtosis is -3 within a few thousandths for all sounds,
# the skewness is near 0, and both depend on the length of the transform.
#
# Version: surfboard 0.2.0 (numpy 2.4.6). Seen, spectra at 44.1 kHz, by the definition and by surfboard:
#   flat, 883 frequencies: kurtosis -1.200, surfboard -2.998
#   normal around 8 kHz, 883 frequencies: kurtosis 0.000, surfboard -2.997
#   two-sided exponential around 8 kHz, 883 frequencies: kurtosis 3.000, surfboard -2.993
#   falling exponentially, 883 frequencies: skewness 1.999, surfboard 0.002
#   falling exponentially, 221 frequencies: skewness 2.000, surfboard 0.009
# It exits with 1 once the kurtosis of the flat spectrum is -1.2.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
# The functions of spectra need nothing but NumPy.
venv/bin/pip install --quiet --no-deps surfboard==0.2.0
venv/bin/pip install --quiet numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from surfboard.spectrum import get_spectral_kurtosis, get_spectral_skewness

print("surfboard", version("surfboard"))
rate = 44100


def moments(spectrum):
    """Skewness and kurtosis of the frequencies, less 3."""
    frequencies = np.linspace(0, rate / 2, len(spectrum))
    weights = spectrum / spectrum.sum()
    around = frequencies - weights @ frequencies
    spread = np.sqrt(weights @ around**2)
    return weights @ around**3 / spread**3, weights @ around**4 / spread**4 - 3


def show(name, spectrum, kurtosis):
    right = moments(spectrum)[int(kurtosis)]
    function = get_spectral_kurtosis if kurtosis else get_spectral_skewness
    found = function(np.stack([spectrum, spectrum], axis=1), rate)[0, 0]
    word = "kurtosis" if kurtosis else "skewness"
    print(f"{name}, {len(spectrum)} frequencies: {word} {round(right, 3) + 0:.3f}, surfboard {found:.3f}")
    return right, found


hertz = np.linspace(0, rate / 2, 883)
shapes = [
    show("flat", np.ones(883), True),
    show("normal around 8 kHz", np.exp(-(((hertz - 8000) / 1000) ** 2) / 2), True),
    show("two-sided exponential around 8 kHz", np.exp(-np.abs(hertz - 8000) / 500), True),
]
for count in (883, 221):
    slope = show("falling exponentially", np.exp(-np.linspace(0, rate / 2, count) / 1500), False)
if any(abs(found + 3) > 0.02 for _, found in shapes) or abs(slope[1]) > 0.02:
    sys.exit("no longer as described")
print("as described")
PYTHON
