#!/bin/sh
# sphfile: an excerpt of a conversation exchanges the speakers, depending on when it begins.
#
# Telephone conversations are kept in SPHERE files, one speaker in each channel. One would guess that an
# excerpt has the same speaker in the same channel, whenever it begins. The samples of both channels take
# turns in the file, and sphfile cuts at int(seconds * rate * channels), as write_wav and time_range do.
# Where this number is odd, the excerpt begins with the second channel, so left and right change places.
# With times in steps of 10 ms the product should be even, but in floats 2.01 * 8000 * 2 is just below
# 32160. Of times that are finer than a sample, half give an odd number.
#
# Version: sphfile 1.0.3 (soundfile 0.14.0; numpy 2.2.6, because write_wav needs one before 2.3). Seen,
# tones of 300 Hz left and 1000 Hz right at 8 kHz, one second cut by write_wav:
#   from 2.00 s: 300 Hz left, 1000 Hz right
#   from 2.01 s: 1000 Hz left, 300 Hz right
#   from 2.02 s: 300 Hz left, 1000 Hz right
#   from 2.03 s: 1000 Hz left, 300 Hz right
#   exchanged starts up to ten minutes: 590 of 60000 on a grid of 10 ms, 50.0 % of others
# It exits with 1 once no excerpt is exchanged.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet sphfile==1.0.3 soundfile==0.14.0 numpy==2.2.6
venv/bin/python - <<'PYTHON'
import importlib.metadata
import random
import sys

import numpy as np
import soundfile
from sphfile import SPHFile

print("sphfile", importlib.metadata.version("sphfile"))
RATE = 8000
time = np.arange(4 * RATE) / RATE
tones = [0.5 * np.sin(2 * np.pi * hertz * time) for hertz in (300, 1000)]
soundfile.write("call.sph", np.stack(tones, axis=1), RATE, format="NIST", subtype="PCM_16")
call = SPHFile("call.sph")


def pitches(start):
    call.write_wav("excerpt.wav", start, start + 1)
    wave, rate = soundfile.read("excerpt.wav")
    return [int(np.abs(np.fft.rfft(channel)).argmax() * rate / len(wave)) for channel in wave.T]


found = []
for start in (2.00, 2.01, 2.02, 2.03):
    left, right = pitches(start)
    print(f"from {start:.2f} s: {left} Hz left, {right} Hz right")
    found.append(left < right)
grid = sum(call.seconds_to_offset(number / 100) % 2 for number in range(60000))
random.seed(0)
drawn = sum(call.seconds_to_offset(random.uniform(0, 600)) % 2 for _ in range(60000)) / 600
print(f"exchanged starts up to ten minutes: {grid} of 60000 on a grid of 10 ms, {drawn:.1f} % of others")
if found != [True, False, True, False] or grid != 590 or abs(drawn - 50) > 1:
    sys.exit("no longer as described")
print("as described")
PYTHON
