#!/bin/sh
# pyACA: every clip has the same level, and a click makes all of it quieter.
#
# pyACA is the code of Lerch's textbook on audio content analysis. computeFeature gives a feature for each block
# of a clip, and TimeRms is the level in dB. One would guess that a clip at a tenth of the amplitude is 20 dB
# quieter, and that a click changes the blocks that hold it. Each clip is first divided by its largest
# sample, which neither the docstring nor the one of the feature mentions, and no argument turns that off.
# So the level tells the crest of a clip, and a click at its end makes its first block quieter. The spectral
# flux, the peak envelope and the deviation go the same way. The argument afWindow is checked and not used:
# the window is always a Hann window.
#
# Version: pyACA 0.3.1. Seen, a tone of 440 Hz for two seconds, its first block:
#   amplitude 0.5: level -3.0 dB (of the samples: -9.0 dB)
#   amplitude 0.05: level -3.0 dB (of the samples: -29.0 dB)
#   amplitude 0.0005: level -3.0 dB (of the samples: -69.0 dB)
#   amplitude 0.05, with a click of 1 at the end: level -29.0 dB (of the samples: -29.0 dB)
#   the same for a swelling tone and a tenth of it: SpectralFlux, TimePeakEnvelope, TimeStd
#   spread of two tones: 1074.5 Hz with a Hann window, 1074.5 Hz with a rectangle; computeSpectrogram: 1176.9 Hz
# It exits with 1 once a gain changes the level.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet pyACA==0.3.1 numpy==2.4.6 scipy==1.17.1 matplotlib==3.11.2
venv/bin/python - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from pyACA import FeatureSpectralSpread, computeFeature
from pyACA.computeSpectrogram import computeSpectrogram

print("pyACA", version("pyACA"))
RATE, BLOCK = 16000, 4096
times = np.arange(2 * RATE) / RATE
tone = np.sin(2 * np.pi * 440 * times)


def level(name, wave):
    """The level of the first block, in dB, as pyACA gives it, beside that of the samples."""
    found = computeFeature("TimeRms", wave, RATE)[0][0, 0]
    right = 10 * np.log10(np.mean(wave[:BLOCK] ** 2))
    print(f"{name}: level {found:.1f} dB (of the samples: {right:.1f} dB)")
    return found


found = [level(f"amplitude {gain}", gain * tone) for gain in (0.5, 0.05, 0.0005)]
clicked = 0.05 * tone
clicked[-100] = 1
found.append(level("amplitude 0.05, with a click of 1 at the end", clicked))
same = []
for name in ("SpectralFlux", "TimePeakEnvelope", "TimeStd"):
    loud, quiet = (computeFeature(name, gain * times * tone, RATE)[0] for gain in (0.5, 0.05))
    same += [name] if np.allclose(loud, quiet, atol=0) else []
print(f"the same for a swelling tone and a tenth of it: {', '.join(same)}")
two = tone + 0.2 * np.sin(2 * np.pi * 3333 * times)
rectangle = np.ones(BLOCK)
spread = [
    computeFeature("SpectralSpread", two, RATE, afWindow=window)[0][0] for window in (None, rectangle)
]
spread.append(FeatureSpectralSpread(computeSpectrogram(two, RATE, rectangle)[0], RATE)[0])
print(
    "spread of two tones: {:.1f} Hz with a Hann window, {:.1f} Hz with a rectangle; "
    "computeSpectrogram: {:.1f} Hz".format(*spread)
)
if max(found[:3]) - min(found[:3]) > 0.1 or found[0] - found[3] < 20:
    sys.exit("no longer as described")
print("as described")
PYTHON
