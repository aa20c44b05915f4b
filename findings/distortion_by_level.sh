#!/bin/sh
# pymcd: a voice that is made quieter has more mel cepstral distortion than a voice with another vowel.
#
# The mel cepstral distortion compares the spectra of synthetic and recorded speech, and leaves out the
# coefficient 0, which is the level. One would guess that a copy at another level has a distortion of 0.
# pymcd aligns the frames without this coefficient, as it should, and then sums the squares with it. So
# 6 dB of level add 7 dB to the distortion. mel-cepstral-distance leaves the coefficient out, and sets both
# files to one level before.
#
# Version: pymcd 0.2.1 (pysptk 1.0.1, pyworld 0.3.5, mel-cepstral-distance 0.0.4, numpy 2.4.6). pip compiles
# two of them, so it needs a C compiler. Seen, distortion of a synthetic vowel:
#                         pymcd  mel-cepstral-distance
#   the same                0.0    0.0
#   6 dB quieter            7.4    0.0
#   20 dB quieter          23.5    0.0
#   another vowel          19.9   15.5
# It exits with 1 once a quieter copy has no distortion in pymcd.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet pymcd==0.2.1 pysptk==1.0.1 pyworld==0.3.5 mel-cepstral-distance==0.0.4 \
    librosa==0.11.0 soundfile==0.14.0 numpy==2.4.6 scipy==1.17.1 setuptools==75.8.0
venv/bin/python - <<'PYTHON'
import importlib.metadata
import logging
import sys
import warnings

import numpy as np
import soundfile
from mel_cepstral_distance import compare_audio_files
from scipy.signal import lfilter

warnings.simplefilter("ignore")
logging.disable()
from pymcd.mcd import Calculate_MCD  # noqa: E402, it warns of pkg_resources.

print("pymcd", importlib.metadata.version("pymcd"))
RATE = 22050
random = np.random.default_rng(0)
time = np.arange(2 * RATE) / RATE
phase = np.cumsum(120 + 20 * np.sin(3 * np.pi * time)) / RATE
source = phase % 1 - 0.5 + 0.02 * random.normal(size=len(time))


def vowel(*formants):
    wave = source
    for hertz in formants:
        pole = 0.985 * np.exp(2j * np.pi * hertz / RATE)
        wave = lfilter([1], [1, -2 * pole.real, abs(pole) ** 2], wave)
    return 0.4 * wave / np.abs(wave).max()


voice = vowel(600, 1200, 2500)
others = {
    "the same": voice,
    "6 dB quieter": voice / 2,
    "20 dB quieter": voice / 10,
    "another vowel": vowel(300, 2200, 2900),
}
soundfile.write("voice.wav", voice, RATE, subtype="FLOAT")
table = {}
print(f"{'':21} pymcd  mel-cepstral-distance")
for name, wave in others.items():
    soundfile.write("other.wav", wave, RATE, subtype="FLOAT")
    distortion = Calculate_MCD(MCD_mode="plain").calculate_mcd("voice.wav", "other.wav")
    distance = compare_audio_files("voice.wav", "other.wav")[0]
    table[name] = distortion, distance
    print(f"{name:21} {distortion:5.1f}  {distance:5.1f}")
quiet, other = table["20 dB quieter"], table["another vowel"]
if table["the same"][0] > 0.1 or quiet[0] < other[0] or quiet[1] > 0.1:
    sys.exit("no longer as described")
print("as described")
PYTHON
