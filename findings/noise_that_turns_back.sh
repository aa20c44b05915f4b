#!/bin/sh
# nlpaug: noise runs to the middle of a clip and back, and its colour and length decide how loud it is.
#
# NoiseAug adds noise of a colour, white by default, and has no argument for its level. One would guess
# that each sample of white noise is drawn by itself, and that colours have about the same level, which
# does not depend on how long the clip is. nlpaug draws the real part of a spectrum and leaves the imaginary
# part at 0. The transform of that is symmetric in time, so the second half is the first half backwards.
# The spectrum is multiplied by a power of the number of its bin, for pink by 1/n, for violet by n * n, and
# that is never undone. In float clips pink noise cannot be heard, and violet noise is all there is. Pink
# noise falls by 6 dB an octave, as brown noise should.
#
# Version: nlpaug 1.1.11 (numpy 2.4.6). Seen, noise that is added to silence at 16 kHz: its level in
# dB of full scale, its correlation with itself backwards, and its slope:
#   white:  1 s  -42, 16 s  -54, backwards 1.00,  0 dB an octave
#   pink:   1 s  -83, 16 s -107, backwards 1.00, -6 dB an octave
#   blue:   1 s   31, 16 s   43, backwards 1.00,  6 dB an octave
#   violet: 1 s  107, 16 s  143, backwards 1.00, 12 dB an octave
# It exits with 1 once white noise is not symmetric, or white and violet noise are equally loud.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet nlpaug==1.1.11 numpy==2.4.6 pandas==3.1.1
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

import numpy as np
from nlpaug.augmenter.audio import NoiseAug

print("nlpaug", importlib.metadata.version("nlpaug"))
RATE = 16000


def noise(color, seconds):
    """Noise that NoiseAug adds to silence, and its level in dB: the median of nine draws."""
    np.random.seed(0)
    draws = [NoiseAug(zone=(0, 1), color=color).augment(np.zeros(seconds * RATE))[0] for _ in range(9)]
    return draws[0], np.median([20 * np.log10(draw.std()) for draw in draws])


levels, symmetric = {}, {}
for color in ("white", "pink", "blue", "violet"):
    wave, levels[color] = noise(color, 1)
    longer = noise(color, 16)[1]
    symmetric[color] = np.corrcoef(wave[1:], wave[:0:-1])[0, 1]
    power = np.abs(np.fft.rfft(wave)) ** 2
    low, high = (10 * np.log10(power[hertz : 2 * hertz].mean()) for hertz in (250, 4000))
    print(
        f"{color + ':':7} 1 s {levels[color]:4.0f}, 16 s {longer:4.0f}, backwards "
        f"{symmetric[color]:.2f}, {round((high - low) / 4):2} dB an octave"
    )
    if color == "white" and abs(levels[color] - longer - 12) > 0.5:
        sys.exit("no longer as described")
if min(symmetric.values()) < 0.99 or levels["violet"] - levels["white"] < 100:
    sys.exit("no longer as described")
print("as described")
PYTHON
