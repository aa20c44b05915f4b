#!/bin/sh
# soundfile and librosa: one call reads a WAV file, and another calls it unreadable.
#
# Telephone recordings come as GSM 6.10 in WAV, one of the formats that soundfile lists. One would
# guess that SoundFile(...).read() and librosa.load read what soundfile.read reads. But libsndfile
# can decode GSM only from its start, and says that the file is not seekable. soundfile.read knows
# the number of samples and passes it on. SoundFile.read() without a number demands one.
# librosa.load makes that call, and ends in its error. With an offset it takes the error for an
# unknown format, and ends in a NoBackendError without a message, unless it finds an ffmpeg command
# that reads the file instead. Here it finds none.
#
# Version: soundfile 0.14.0 (libsndfile 1.2.2), librosa 0.11.0. Seen, of 2 s at 8 kHz:
#   soundfile.read: 16000 samples
#   SoundFile.read(): ValueError: frames must be specified for non-seekable files
#   librosa.load: ValueError: frames must be specified for non-seekable files
#   librosa.load, offset of 1 s: NoBackendError:
# It exits with 1 once the calls agree.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet soundfile==0.14.0 librosa==0.11.0 numpy==2.4.6
PATH=$folder/venv/bin venv/bin/python - <<'PYTHON'
import sys
import warnings

import librosa
import numpy as np
import soundfile

warnings.simplefilter("ignore")
wave = 0.1 * np.random.default_rng(0).normal(size=16000)
soundfile.write("call.wav", wave, 8000, subtype="GSM610")


def by_object():
    with soundfile.SoundFile("call.wav") as file:
        return file.read()


calls = {
    "soundfile.read": lambda: soundfile.read("call.wav")[0],
    "SoundFile.read()": by_object,
    "librosa.load": lambda: librosa.load("call.wav", sr=None)[0],
    "librosa.load, offset of 1 s": lambda: librosa.load("call.wav", sr=None, offset=1)[0],
}
print("soundfile", soundfile.__version__, "librosa", librosa.__version__)
taken = []
for name, call in calls.items():
    try:
        print(f"{name}: {len(call())} samples")
        taken.append(name)
    except Exception as error:
        print(f"{name}: {type(error).__name__}: {error}")
if taken != ["soundfile.read"]:
    sys.exit("no longer as described")
print("as described")
PYTHON
