#!/bin/sh
# soundfile: W64 of 32-bit floats is read as integers, loud noise in place of the sound.
#
# W64 is WAV with lengths of 64 bits, and both begin with the same description of the samples. Its
# extensible form names the kind of the samples in a field of its own. FFmpeg writes that form for
# more than two channels or 48 kHz. One would guess that who reads it in WAV reads it in W64. But in
# W64 libsndfile looks at the width alone: 32-bit floats become integers of 32 bits, and A-law and
# mu-law become integers of 8. No error tells.
#
# Version: soundfile 0.14.0 (libsndfile 1.2.2). Seen, of a tone of amplitude 0.25 under one header:
#   FLOAT in WAV: FLOAT, off by at most 0.000
#   FLOAT in W64: PCM_32, off by at most 0.707
#   ALAW in WAV: ALAW, off by at most 0.008
#   ALAW in W64: PCM_U8, off by at most 0.953
# It exits with 1 once the kinds agree.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet soundfile==0.14.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import io
import struct
import sys

import numpy as np
import soundfile

RATE = 16000
tone = 0.25 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)


def chunk(name, content):
    """A chunk of W64: a name of 16 bytes, and a length that counts them and itself."""
    mark = bytes.fromhex("f3acd3118cd100c04f8edb8a")
    return name + mark + struct.pack("<Q", 24 + len(content)) + content


def as_w64(wav):
    """The same description and samples in W64."""
    layout, samples = wav[20:60], wav[wav.index(b"data") + 8 :]
    mark = bytes.fromhex("f3acd3118cd100c04f8edb8a")
    body = b"wave" + mark + chunk(b"fmt ", layout) + chunk(b"data", samples)
    start = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")
    return start + struct.pack("<Q", 24 + len(body)) + body


print("soundfile", soundfile.__version__, soundfile.__libsndfile_version__)
found = []
for subtype in ("FLOAT", "ALAW"):
    file = io.BytesIO()
    soundfile.write(file, tone, RATE, subtype, format="WAVEX")
    for kind, content in (("WAV", file.getvalue()), ("W64", as_w64(file.getvalue()))):
        with soundfile.SoundFile(io.BytesIO(content)) as opened:
            wave = opened.read()
            found.append(opened.subtype)
        print(f"{subtype} in {kind}: {found[-1]}, off by at most {abs(wave - tone).max():.3f}")
if found != ["FLOAT", "PCM_32", "ALAW", "PCM_U8"]:
    sys.exit("no longer as described")
print("as described")
PYTHON
