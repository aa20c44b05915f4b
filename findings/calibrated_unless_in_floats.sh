#!/bin/sh
# MoSQITo: the calibration of a recording is not applied if its samples are 32-bit floats.
#
# Loudness in sones needs pressure in pascal, so load takes a factor wav_calib for a WAV file. One would
# guess that it holds for every WAV file that is read. load asks whether the first sample is NumPy's
# int16 or int32 or Python's float. NumPy's float64 is such a float, its float32 is none, so in a file of
# 32-bit floats, as many recorders write, the factor is dropped without a word. The same tone then has
# another level and another loudness.
#
# Version: mosqito 1.2.1 (numpy 2.4.6, scipy 1.17.1; matplotlib 3.11.2, which it needs and pip does not
# know of). Seen, a tone of 1 kHz at -20 dB, wav_calib for 80 dB:
#   int16: 80.0 dB, 17.1 sones
#   int32: 80.0 dB, 17.1 sones
#   float32: 71.0 dB, 8.9 sones
#   float64: 80.0 dB, 17.1 sones
# It exits with 1 once all have the same level.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet mosqito==1.2.1 matplotlib==3.11.2 numpy==2.4.6 scipy==1.17.1
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

import numpy as np
from mosqito.sq_metrics import loudness_zwst
from mosqito.utils import load
from scipy.io import wavfile

print("mosqito", importlib.metadata.version("mosqito"))
wave = 0.1 * np.sin(2 * np.pi * 1000 * np.arange(48000) / 48000)
results = {}
for kind in ("int16", "int32", "float32", "float64"):
    whole = np.iinfo(kind).max if kind.startswith("int") else 1
    samples = wave * whole if whole == 1 else np.round(wave * whole)
    wavfile.write(f"{kind}.wav", 48000, samples.astype(kind))
    # A factor of 2 sqrt(2) Pa makes 80 dB of a sine of peak 0.1: 0.2 Pa, over 20 micropascal.
    pressure, rate = load(f"{kind}.wav", wav_calib=2 * np.sqrt(2))
    level = 20 * np.log10(np.sqrt(np.mean(np.square(pressure, dtype=float))) / 2e-5)
    loudness = float(loudness_zwst(pressure, rate)[0])
    print(f"{kind}: {level:.1f} dB, {loudness:.1f} sones")
    results[kind] = round(float(level), 1)
if results != {"int16": 80.0, "int32": 80.0, "float32": 71.0, "float64": 80.0}:
    sys.exit("no longer as described")
print("as described")
PYTHON
