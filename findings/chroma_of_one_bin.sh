#!/bin/sh
# pyAudioAnalysis: of the bins of a semitone only the last is in the chroma, so notes of a chord are missing.
#
# A chroma vector tells how the power of a frame is shared out among the twelve pitch classes. One would
# guess that a tone gives its class nearly all. Several bins of the spectrum belong to one semitone, and each
# overwrites the one before it. What is left is divided by a number that belongs to another semitone. And
# bins below 27.5 Hz get negative numbers, so they count from the end. The cepstral coefficients beside it
# have mel bands at half of their frequency, since half of a transform is taken for the whole.
#
# Version: pyAudioAnalysis 0.3.14 (numpy 2.4.6, scipy 1.17.1). Seen, 16 kHz, frames of 50 ms:
#   12 tones from 440 Hz, each in its class: 0.000 to 0.333 (plain sums: 0.725 to 1.000)
#   12 tones from 880 Hz, each in its class: 0.000 to 0.333 (plain sums: 0.834 to 1.000)
#   12 tones from 1760 Hz, each in its class: 0.000 to 0.019 (plain sums: 0.934 to 1.000)
#   C5 E5 G5: G 0.098, C# 0.003, C 0.001 (plain sums: E 0.332, G 0.312, C 0.304)
#   A6 C7 E7: C 0.004, E 0.000, B 0.000 (plain sums: A 0.334, E 0.330, C 0.316)
#   mel band 30 should have its peak at 3446 Hz, and has it at 1720 Hz
# It exits with 1 once tones are in their classes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6 scipy==1.17.1 matplotlib==3.11.2 tqdm==4.67.1
venv/bin/pip install --quiet --no-deps pyAudioAnalysis==0.3.14
venv/bin/python -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from pyAudioAnalysis.ShortTermFeatures import feature_extraction, mfcc_filter_banks

print("pyAudioAnalysis", version("pyAudioAnalysis"))
RATE, FRAME = 16000, 800
CLASSES = "A A# B C C# D D# E F F# G G#".split()


def chroma(wave):
    features, names = feature_extraction(wave, RATE, FRAME, FRAME, deltas=False)
    first = names.index("chroma_1")
    return features[first : first + 12].mean(1)


def plain(wave):
    """The share of the power of each class, of the same frames and the nearest semitone."""
    wave = wave / np.abs(wave).max()
    power = np.mean(np.abs(np.fft.rfft(wave.reshape(-1, FRAME)))[:, 1:] ** 2, 0)
    hertz = np.arange(1, FRAME // 2 + 1) * RATE / FRAME
    share = np.zeros(12)
    np.add.at(share, np.round(12 * np.log2(hertz / 27.5)).astype(int) % 12, power)
    return share / share.sum()


times = np.arange(RATE) / RATE


def sound(*hertz):
    return sum(10000 / len(hertz) * np.sin(2 * np.pi * each * times) for each in hertz)


kept = {}
for first in (440, 880, 1760):
    waves = [sound(first * 2 ** (step / 12)) for step in range(12)]
    kept[first] = [chroma(wave)[step] for step, wave in enumerate(waves)]
    other = [plain(wave)[step] for step, wave in enumerate(waves)]
    print(
        f"12 tones from {first} Hz, each in its class: {min(kept[first]):.3f} to {max(kept[first]):.3f} "
        f"(plain sums: {min(other):.3f} to {max(other):.3f})"
    )
for name, hertz in (("C5 E5 G5", (523.25, 659.25, 783.99)), ("A6 C7 E7", (1760.0, 2093.0, 2637.0))):
    rows = []
    for found in (chroma(sound(*hertz)), plain(sound(*hertz))):
        rows.append(", ".join(f"{CLASSES[k]} {found[k]:.3f}" for k in found.argsort()[::-1][:3]))
    print(f"{name}: {rows[0]} (plain sums: {rows[1]})")
filters = mfcc_filter_banks(RATE, FRAME // 2)
centre = filters[0][30].argmax() * RATE / FRAME
print(f"mel band 30 should have its peak at {filters[1][31]:.0f} Hz, and has it at {centre:.0f} Hz")
if min(kept[440]) > 0.1 or max(kept[1760]) > 0.1:
    sys.exit("no longer as described")
print("as described")
PYTHON
