#!/bin/sh
# pydub: short words well above the threshold of silence are cut out with the silence.
#
# split_on_silence cuts a recording where it is silent, and its reference says that anything quieter than
# silence_thresh is silence. One would guess that a word which is louder survives. The level is that of
# min_silence_len, a second by default, and not that of the moment. A word of 0.2 s that is 6 dB above the
# threshold is below it on average over any second, so it is a part of the silence, and it is gone. Longer
# words lose up to a quarter of a second at each end, of which keep_silence gives 0.1 s back. With shorter
# silences more is kept.
#
# Version: pydub 0.25.1 (numpy 2.4.6). Seen, words of 0.2 s and 0.6 s at -30 dB, with pauses of 1.5 s at -60
# dB around them, and a threshold of -36 dB:
#   min_silence_len=1000: 1 part, 291 ms
#   min_silence_len=100: 2 parts, 352 ms, 749 ms
# It exits with 1 once the first has two parts.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet pydub==0.25.1 numpy==2.4.6
venv/bin/python -W ignore - <<'PYTHON'
import importlib.metadata
import sys

import numpy as np
from pydub import AudioSegment
from pydub.silence import split_on_silence

print("pydub", importlib.metadata.version("pydub"))
RATE = 16000
random = np.random.default_rng(0)
parts = [(1.5, -60), (0.2, -30), (1.5, -60), (0.6, -30), (1.5, -60)]
sound = np.concatenate([10 ** (level / 20) * random.normal(size=int(RATE * length)) for length, level in parts])
samples = (32768 * sound).astype("<i2").tobytes()
segment = AudioSegment(samples, frame_rate=RATE, sample_width=2, channels=1)
counts = {}
for shortest in (1000, 100):
    found = split_on_silence(segment, min_silence_len=shortest, silence_thresh=-36)
    counts[shortest] = len(found)
    lengths = ", ".join(f"{len(part)} ms" for part in found)
    print(f"min_silence_len={shortest}: {len(found)} part{'s' * (len(found) > 1)}, {lengths}")
if counts != {1000: 1, 100: 2}:
    sys.exit("no longer as described")
print("as described")
PYTHON
