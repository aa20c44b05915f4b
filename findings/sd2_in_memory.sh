#!/bin/sh
# soundfile: a file written to memory leaves one on the disk, and MP3 in memory cannot be read any
# more.
#
# One would guess that soundfile.write into a BytesIO touches no disk, and that the current folder
# does not matter to soundfile.read of a BytesIO. Both are wrong for Sound Designer II, one of the
# formats that available_formats() lists. It keeps its header in a second file, called ._NAME. In
# memory there is no name, so an empty file "._" appears in the current folder, and the header is
# lost. As long as that file is there, every MP3 in memory is refused. The same bytes on disk are
# read, and so are other formats.
#
# Version: soundfile 0.14.0 (libsndfile 1.2.2). Seen:
#   the folder before: []
#   MP3 from memory: 16000 samples
#   the folder after SD2 was written to memory: ['._']
#   MP3 from memory: LibsndfileError: Error : bad data offset.
#   FLAC from memory: 16000 samples
#   MP3 from disk: 16000 samples
# It exits with 1 once no file is left, or MP3 is read all the same.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet soundfile==0.14.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import io
import os
import sys

import numpy as np
import soundfile

print("soundfile", soundfile.__version__, soundfile.__libsndfile_version__)
os.mkdir("here")
os.chdir("here")
wave = 0.1 * np.random.default_rng(0).normal(size=16000)


def in_memory(kind):
    file = io.BytesIO()
    soundfile.write(file, wave, 16000, format=kind)
    return file.getvalue()


def attempt(name, source):
    try:
        count = len(soundfile.read(source)[0])
        print(f"{name}: {count} samples")
        return True
    except soundfile.LibsndfileError as error:
        print(f"{name}: LibsndfileError: {error.error_string}")
        return False


mp3, flac = in_memory("MP3"), in_memory("FLAC")
print("the folder before:", os.listdir())
before = attempt("MP3 from memory", io.BytesIO(mp3))
soundfile.write(io.BytesIO(), wave, 16000, format="SD2", subtype="PCM_16")
left = os.listdir()
print("the folder after SD2 was written to memory:", left)
after = attempt("MP3 from memory", io.BytesIO(mp3))
lossless = attempt("FLAC from memory", io.BytesIO(flac))
with open("wave.mp3", "wb") as file:
    file.write(mp3)
disk = attempt("MP3 from disk", "wave.mp3")
if not (before and lossless and disk) or after or left != ["._"]:
    sys.exit("no longer as described")
print("as described")
PYTHON
