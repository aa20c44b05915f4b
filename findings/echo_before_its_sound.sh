#!/bin/sh
# descript-audiotools: what rings on after the end of a clip is heard at its beginning.
#
# convolve and apply_ir, and the transform RoomImpulseResponse that calls them, put a clip into a room. One
# would guess that an echo follows its sound, and that an echo which would come after the end is cut off.
# Both spectra are taken at the length of the clip, without zeros behind it, so the convolution is circular.
# The reverberation of the last part of a clip lies over its first part. Where the impulse response has
# silence or noise before its peak, that part comes to the end in the same way. torchaudio's fftconvolve
# pads.
#
# Version: descript-audiotools 0.7.2 (torch 2.14.1, torchaudio 2.11.0, numpy 2.4.6). Seen, a clip of 2 s and
# a room with one echo, half as loud and 0.5 s later:
#   a click at 1.8 s: convolve has 0.3 s (0.5) and 1.8 s (1.0), apply_ir has 0.3 s (0.5) and 1.8 s (1.0)
#   a click at 1.0 s: convolve has 1.0 s (1.0) and 1.5 s (0.5), apply_ir has 1.0 s (1.0) and 1.5 s (0.5)
#   torchaudio, a click at 1.8 s: 1.8 s (1.0)
# It exits with 1 once the click at 1.8 s has no echo at 0.3 s.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet descript-audiotools==0.7.2 torch==2.14.1 torchaudio==2.11.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

import torch

warnings.simplefilter("ignore")
from audiotools import AudioSignal
from torchaudio.functional import fftconvolve

print("descript-audiotools", version("descript-audiotools"))
rate = 16000
room = torch.zeros(1, 1, rate)
room[..., 0] = 1
room[..., rate // 2] = 0.5


def clicks(wave):
    wave = wave.flatten()[: 2 * rate]
    places = (wave.abs() > 0.01).nonzero().flatten().tolist()
    return [(place / rate, round(wave[place].item(), 1)) for place in places]


def words(found):
    return " and ".join(f"{time:.1f} s ({height:.1f})" for time, height in found)


found = {}
for time in (1.8, 1.0):
    clip = torch.zeros(1, 1, 2 * rate)
    clip[..., round(time * rate)] = 1
    for name in ("convolve", "apply_ir"):
        signal = AudioSignal(clip.clone(), rate)
        found[time, name] = clicks(getattr(signal, name)(AudioSignal(room.clone(), rate)).audio_data)
    print(
        f"a click at {time} s: convolve has {words(found[time, 'convolve'])}, "
        f"apply_ir has {words(found[time, 'apply_ir'])}"
    )
    if time == 1.8:
        right = clicks(fftconvolve(clip, room))
print(f"torchaudio, a click at 1.8 s: {words(right)}")
if right != [(1.8, 1.0)] or any(found[1.0, name] != [(1.0, 1.0), (1.5, 0.5)] for _, name in found):
    sys.exit("no longer as described")
if any(found[1.8, name] != [(0.3, 0.5), (1.8, 1.0)] for _, name in found):
    sys.exit("no longer as described")
print("as described")
PYTHON
