#!/bin/sh
# FFmpeg's resampler folds a tone back at -26 dB, and SciPy's at -14 dB.
#
# At 16 kHz nothing above 8 kHz may stay, and one would guess that a widely used resampler removes
# it down to the noise of 16 bits (-96 dB). The default filter of FFmpeg's swresample is so short
# that a tone of 8.5 kHz comes back as one of 7.5 kHz, 26 dB below its level. The filter of
# scipy.signal.resample_poly is softer still. soxr does what was guessed. The upper mel bands of a
# clip show which resampler it went through, and a network can learn that.
#
# Version: av 18.1.0 (FFmpeg 8), scipy 1.17.1, soxr 1.1.0. Seen, 44.1 to 16 kHz, level of the tone
# that comes back:
#   8.5 kHz: FFmpeg -26.3 dB, resample_poly -14.3 dB, soxr -140.0 dB
#   9.0 kHz: FFmpeg -61.7 dB, resample_poly -30.6 dB, soxr -143.8 dB
# It exits with 1 once FFmpeg or SciPy takes the tone at 8.5 kHz down by more than 40 dB.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet av==18.1.0 scipy==1.17.1 soxr==1.1.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import av
import numpy as np
import scipy.signal
import soxr


def by_ffmpeg(wave):
    frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
    frame.sample_rate = 44100
    resampler = av.AudioResampler(format="fltp", rate=16000)
    parts = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([part.to_ndarray()[0] for part in parts])


ways = {
    "FFmpeg": by_ffmpeg,
    "resample_poly": lambda wave: scipy.signal.resample_poly(wave, 160, 441),
    "soxr": lambda wave: soxr.resample(wave, 44100, 16000),
}
print("av", av.__version__, "scipy", scipy.__version__, "soxr", soxr.__version__)
left = {}
for hertz in (8500, 9000):
    tone = (0.5 * np.sin(2 * np.pi * hertz / 44100 * np.arange(88200))).astype(np.float32)
    for name, way in ways.items():
        # Without the ends, where the tone starts and stops.
        left[name, hertz] = 20 * np.log10(way(tone)[4000:28000].std() / tone.std())
    said = ", ".join(f"{name} {left[name, hertz]:.1f} dB" for name in ways)
    print(f"{hertz / 1000} kHz: {said}")
if min(left["FFmpeg", 8500], left["resample_poly", 8500]) < -40 or left["soxr", 8500] > -100:
    sys.exit("no longer as described")
print("as described")
PYTHON
