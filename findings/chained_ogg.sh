#!/bin/sh
# soundfile: of two Ogg files joined end to end, the second is gone.
#
# Ogg files may be joined end to end (RFC 3533 calls this chaining). Recorders of radio streams
# write such files, one link for each programme. One would guess that a reader gives all links, or
# that the stated length shows what is missing. libsndfile reads the first link, and states its
# length as that of the file. FFmpeg states the same length, though it decodes both links.
#
# Version: soundfile 0.14.0 (libsndfile 1.2.2), av 18.1.0 (FFmpeg). Seen, of two links of 3 s:
#   soundfile.info 3.00 s, soundfile.read 3.00 s
#   FFmpeg states 3.00 s and decodes 6.02 s
# It exits with 1 once soundfile reads more than the first link, or FFmpeg states more.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet soundfile==0.14.0 av==18.1.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import io
import sys

import av
import numpy as np
import soundfile

RATE = 16000
generator = np.random.default_rng(0)
with open("chained.ogg", "wb") as file:
    for _ in range(2):
        link = io.BytesIO()
        wave = 0.1 * generator.normal(size=3 * RATE)
        soundfile.write(link, wave, RATE, format="OGG", subtype="VORBIS")
        file.write(link.getvalue())

print("soundfile", soundfile.__version__, soundfile.__libsndfile_version__, "av", av.__version__)
stated = soundfile.info("chained.ogg").duration
read = len(soundfile.read("chained.ogg")[0]) / RATE
print(f"soundfile.info {stated:.2f} s, soundfile.read {read:.2f} s")
with av.open("chained.ogg") as container:
    said = container.duration / av.time_base
    decoded = sum(frame.samples for frame in container.decode(audio=0)) / RATE
print(f"FFmpeg states {said:.2f} s and decodes {decoded:.2f} s")
if max(stated, read, said) > 3.5 or decoded < 5.9:
    sys.exit("no longer as described")
print("as described")
PYTHON
