#!/bin/sh
# pydiogment: a gain in decibels does not change the level of a sound, and makes 16 bits a square wave.
#
# apply_gain is for augmentation: it reads a WAV file and writes one with a gain "in dB (both positive and
# negative)". One would guess that -20 dB and -40 dB give files of different levels. After the gain samples are
# clipped to -1 and 1, and then divided by the mean of their magnitudes. So the level of what it writes is the
# same for each gain, and it lies above full scale. The integers of a 16-bit file are taken as they are, far
# above 1, so that clipping leaves their signs: the sound is a square wave.
#
# Version: pydiogment 0.1.0 (numpy 2.4.6, scipy 1.17.1). Seen, a sine of peak 0.1 in floats and in 16 bits, as
# the root mean square and the share of power that is in the sine:
#   floats, -20 dB: level 1.11, in the sine 100 %
#   floats, -10 dB: level 1.11, in the sine 100 %
#   floats, 0 dB: level 1.11, in the sine 100 %
#   16 bits, -10 dB: level 1.00, in the sine 81 %
#   16 bits, 0 dB: level 1.00, in the sine 81 %
# It exits with 1 once the gain changes the level.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet pydiogment==0.1.0 numpy==2.4.6 scipy==1.17.1
venv/bin/python - <<'PYTHON'
import contextlib
import importlib.metadata
import io
import sys
from pathlib import Path

import numpy as np
from pydiogment.auga import apply_gain
from scipy.io import wavfile

print("pydiogment", importlib.metadata.version("pydiogment"))
RATE = 16000
tone = 0.1 * np.sin(2 * np.pi * 400 * np.arange(RATE) / RATE + 0.08)
kinds = {"floats": tone.astype(np.float32), "16 bits": np.round(32767 * tone).astype(np.int16)}
levels = {}
for kind, samples in kinds.items():
    levels[kind] = []
    for gain in (-20, -10, 0) if kind == "floats" else (-10, 0):
        folder = Path(f"{kind} {gain}")
        folder.mkdir()
        wavfile.write(folder / "tone.wav", RATE, samples)
        with contextlib.redirect_stdout(io.StringIO()):
            apply_gain(str(folder / "tone.wav"), gain)
        _, found = wavfile.read(next(folder.glob("*gain.wav")))
        power = np.abs(np.fft.rfft(found)) ** 2
        levels[kind].append(np.sqrt(np.mean(found**2)))
        share = power[400] / power.sum()
        print(f"{kind}, {gain} dB: level {levels[kind][-1]:.2f}, in the sine {100 * share:.0f} %")
        if (share > 0.99) != (kind == "floats"):
            sys.exit("no longer as described")
if not all(np.allclose(each, each[0], rtol=0.03) for each in levels.values()):
    sys.exit("no longer as described")
print("as described")
PYTHON
