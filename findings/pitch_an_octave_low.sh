#!/bin/sh
# torchaudio: detect_pitch_frequency gives a steady tone of 440 Hz as 219 Hz.
#
# detect_pitch_frequency looks for pitches of 85 to 3400 Hz by default. One would guess that it gives the
# pitch of a steady tone in this range. It takes the delay at which the tone is most like itself, in whole
# samples. At 16 kHz a period of 440 Hz has 36.4 samples. Two periods are nearer to a whole number than one
# is, so they win. A delay loses to a shorter one that is nearly as good only if it lies in the longer half
# of all delays, so tones below some 170 Hz are safe. It depends on the sample rate which tones are wrong.
#
# Version: torchaudio 2.11.0 (torch 2.14.1). Seen, sines:
#   at 16000 Hz: 110: 110.3, 220: 219.2, 440: 219.2, 880: 175.8
#   at 22050 Hz: 110: 110.2, 220: 220.5, 440: 441.0, 880: 882.0
#   at 16000 Hz, 10 of the 25 semitones from 220 to 880 Hz are more than a semitone too low
# It exits with 1 once at most two of them are.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet torchaudio==2.11.0 torch==2.14.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import math
import sys

import torch
import torchaudio
from torchaudio.functional import detect_pitch_frequency

print("torchaudio", torchaudio.__version__)


def pitch(hertz, rate):
    """The median over the frames of 1 s."""
    time = torch.arange(rate, dtype=torch.float64) / rate
    wave = torch.sin(2 * math.pi * hertz * time).float()
    return detect_pitch_frequency(wave[None], rate).median().item()


for rate in (16000, 22050):
    print(f"at {rate} Hz: " + ", ".join(f"{hertz}: {pitch(hertz, rate):.1f}" for hertz in (110, 220, 440, 880)))
notes = [220 * 2 ** (semitone / 12) for semitone in range(25)]
low = sum(pitch(hertz, 16000) < hertz * 2 ** (-1 / 12) for hertz in notes)
print(f"at 16000 Hz, {low} of the 25 semitones from 220 to 880 Hz are more than a semitone too low")
if low <= 2:
    sys.exit("no longer as described")
print("as described")
PYTHON
