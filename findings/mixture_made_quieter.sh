#!/bin/sh
# norbert: the Wiener filter makes the mixture quieter that it is given.
#
# wiener takes the spectra of sources and the transform of a mixture, and gives the separated sources. One
# would guess that the mixture is as before. It is scaled in place, for the sake of numbers, so that its
# largest magnitude is 10, and only the result is scaled back. If the largest magnitude is below 10, nothing
# happens. Transforms by SciPy's stft, which divides by the sum of the window, are that small. Those of
# librosa, of torch and of SciPy's ShortTimeFFT, which do not, are larger. What is computed from the mixture
# later, such as the rest without the sources, a ratio or a plot, is wrong, and a second call gives quieter
# sources.
#
# Version: norbert 0.2.1 (scipy 1.17.1, numpy 2.4.6). Seen, two tones in stereo with a little noise:
#   SciPy's stft: the mixture has its level, without its sources it is at -44.3 dB, a copy made before at
#     -44.3 dB
#   ShortTimeFFT: the mixture is 17.8 dB quieter, without its sources it is at -1.2 dB, a copy made before
#     at -113.4 dB
#   ShortTimeFFT, called again: the sources are 17.8 dB quieter than at first
# It exits with 1 once the mixture keeps its level.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet norbert==0.2.1 scipy==1.17.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys
from importlib.metadata import version

import norbert
import numpy as np
import scipy.signal

print("norbert", version("norbert"))
rate = 16000
time = np.arange(2 * rate) / rate
tones = [0.3 * np.sin(2 * np.pi * frequency * time) for frequency in (440, 1500)]
noise = 0.01 * np.random.default_rng(0).normal(size=(2, 2, 2 * rate))
parts = noise + np.array([[tones[0], 0.5 * tones[0]], [0.5 * tones[1], tones[1]]])


def level(values):
    return 10 * np.log10(np.mean(np.abs(values) ** 2) + 1e-30)


def separated(name, transform):
    # The transforms have the axes channel, bin and frame; norbert takes frame, bin, channel and source.
    spectra = np.stack([np.abs(transform(part)).transpose(2, 1, 0) for part in parts], axis=-1)
    mixture = np.ascontiguousarray(transform(parts.sum(axis=0)).transpose(2, 1, 0))
    kept = mixture.copy()
    sources = norbert.wiener(spectra, mixture)
    quieter = level(kept) - level(mixture)
    rests = [level(whole - sources.sum(axis=-1)) - level(kept) for whole in (mixture, kept)]
    print(
        f"{name}: the mixture "
        + (f"is {quieter:.1f} dB quieter" if quieter > 0.01 else "has its level")
        + f", without its sources it is at {rests[0]:.1f} dB, a copy made before at {rests[1]:.1f} dB"
    )
    return quieter, *rests, level(sources) - level(norbert.wiener(spectra, mixture))


small = separated("SciPy's stft", lambda wave: scipy.signal.stft(wave, rate, nperseg=1024)[2])
unscaled = scipy.signal.ShortTimeFFT(scipy.signal.windows.hann(1024, sym=False), 256, rate)
large = separated("ShortTimeFFT", unscaled.stft)
print(f"ShortTimeFFT, called again: the sources are {large[3]:.1f} dB quieter than at first")
if small[0] > 0.01 or small[1] > -40 or large[2] > -40 or min(large[0], large[3]) < 10 or large[1] < -5:
    sys.exit("no longer as described")
print("as described")
PYTHON
