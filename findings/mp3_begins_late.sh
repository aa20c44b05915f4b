#!/bin/sh
# pedalboard: an MP3 begins 25 or 69 ms late, and ends later still.
#
# An MP3 coder puts a delay in front and fills up the last frame. LAME writes into the header how much
# of both there is. One would guess that a reader takes them away, as soundfile and FFmpeg do. pedalboard
# keeps them, even in files that it wrote itself: 1105 samples in front, which is 25 ms at 44.1 kHz and
# 69 ms at 16 kHz. So labels in seconds that fit one reader do not fit the other.
#
# Version: pedalboard 0.9.26 (soundfile 0.14.0). Seen, 2 s of which the second begins with noise:
#   44100 Hz, written by soundfile: soundfile 88200 samples, 0 ms late; pedalboard 89856 samples, 25 ms late
#   44100 Hz, written by pedalboard: soundfile 88200 samples, 0 ms late; pedalboard 89856 samples, 25 ms late
#   16000 Hz, written by soundfile: soundfile 32000 samples, 0 ms late; pedalboard 33408 samples, 69 ms late
#   16000 Hz, written by pedalboard: soundfile 32000 samples, 0 ms late; pedalboard 33408 samples, 69 ms late
# It exits with 1 once pedalboard gives what soundfile does.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet pedalboard==0.9.26 soundfile==0.14.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import numpy as np
import pedalboard
import soundfile
from pedalboard.io import AudioFile

print("pedalboard", pedalboard.__version__)


def late(found, written):
    """By how many samples."""
    size = 2 * len(found)
    product = np.fft.rfft(found, size) * np.conj(np.fft.rfft(written, size))
    return int(np.fft.irfft(product, size)[: len(found)].argmax())


as_described = True
for rate in (44100, 16000):
    written = np.zeros(2 * rate, np.float32)
    written[rate : rate + rate // 10] = 0.1 * np.random.default_rng(0).normal(size=rate // 10)
    soundfile.write("soundfile.mp3", written, rate)
    with AudioFile("pedalboard.mp3", "w", rate, 1) as file:
        file.write(written)
    for writer in ("soundfile", "pedalboard"):
        with AudioFile(f"{writer}.mp3") as file:
            found = file.read(file.frames)[0]
        texts = []
        for reader, wave in (("soundfile", soundfile.read(f"{writer}.mp3")[0]), ("pedalboard", found)):
            samples = late(wave, written)
            texts.append(f"{reader} {len(wave)} samples, {1000 * samples / rate:.0f} ms late")
            wrong = samples != 0 and len(wave) != len(written)
            as_described = as_described and wrong == (reader == "pedalboard")
        print(f"{rate} Hz, written by {writer}: " + "; ".join(texts))
if not as_described:
    sys.exit("no longer as described")
print("as described")
PYTHON
