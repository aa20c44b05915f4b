#!/bin/sh
# soundfile: the loudest samples of Vorbis and Opus change their sign when read as integers.
#
# A lossy codec overshoots, so a wave at full scale decodes to peaks a little above 1. One would
# guess that dtype="int16" clips these to 32767, as it does for MP3. For Vorbis and Opus it wraps
# around: 1.006 becomes -32567. This is heard as loud crackling, and there is no warning. As floats
# the same file is right.
#
# Version: soundfile 0.14.0 (libsndfile 1.2.2). Seen, of 2 s of a sine at full scale, overdriven:
#   VORBIS: float peak 1.069; of 32000 samples 12111 have the wrong sign as int16
#   OPUS: float peak 2.422; of 32000 samples 10616 have the wrong sign as int16
#   MPEG_LAYER_III: float peak 1.078; of 32000 samples 0 have the wrong sign as int16
# It exits with 1 once Vorbis is clipped, or MP3 is not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet soundfile==0.14.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import numpy as np
import soundfile

print("soundfile", soundfile.__version__, soundfile.__libsndfile_version__)
sine = 3 * np.sin(2 * np.pi * 440 / 16000 * np.arange(32000))
loud = np.clip(sine, -0.9999, 0.9999)
wrong = {}
for subtype, path in (("VORBIS", "v.ogg"), ("OPUS", "o.ogg"), ("MPEG_LAYER_III", "m.mp3")):
    soundfile.write(path, loud, 16000, subtype=subtype)
    floats, _ = soundfile.read(path)
    integers, _ = soundfile.read(path, dtype="int16")
    clipped = np.clip(np.round(32768 * floats), -32768, 32767)
    wrong[subtype] = int((np.abs(clipped - integers) > 32768).sum())
    print(
        f"{subtype}: float peak {np.abs(floats).max():.3f}; of {len(floats)} samples "
        f"{wrong[subtype]} have the wrong sign as int16"
    )
if not wrong["VORBIS"] or wrong["MPEG_LAYER_III"]:
    sys.exit("no longer as described")
print("as described")
PYTHON
