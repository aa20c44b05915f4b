#!/bin/sh
# FFmpeg's mono: floats come out 3 dB louder than integers, from the same file.
#
# One would guess that two equal channels mixed to one give that channel, in floats as in integers.
# In integers they do. For floats each channel is multiplied by 0.707, as for channels that are
# independent of each other, so equal channels come out at 1.41 times their level. Integers would
# clip, so for them FFmpeg scales the weights to a sum of 1. What counts is the format that comes
# out. The level of a data set therefore depends on the format that its reader asked for.
#
# Version: av 18.1.0 (FFmpeg 8). Seen, gain of two equal channels on the way to one:
#   s16 to s16 1.000, s16 to flt 1.414, flt to flt 1.414, flt to s16 1.000
# It exits with 1 once all have one gain.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet av==18.1.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import av
import numpy as np

SCALES = {"s16": (np.int16, 2**15), "flt": (np.float32, 1)}
sine = 0.5 * np.sin(2 * np.pi * 440 / 16000 * np.arange(16000))
gains = {}
for given, asked in (("s16", "s16"), ("s16", "flt"), ("flt", "flt"), ("flt", "s16")):
    kind, scale = SCALES[given]
    channels = (np.repeat(sine, 2)[None] * scale).astype(kind)
    frame = av.AudioFrame.from_ndarray(channels, format=given, layout="stereo")
    frame.sample_rate = 16000
    (mono,) = av.AudioResampler(format=asked, layout="mono").resample(frame)
    gains[given, asked] = np.abs(mono.to_ndarray() / SCALES[asked][1]).max() / 0.5
print("av", av.__version__)
print(", ".join(f"{given} to {asked} {gain:.3f}" for (given, asked), gain in gains.items()))
expected = {asked: 2**0.5 if asked == "flt" else 1 for asked in SCALES}
if any(abs(gain - expected[asked]) > 0.01 for (_, asked), gain in gains.items()):
    sys.exit("no longer as described")
print("as described")
PYTHON
