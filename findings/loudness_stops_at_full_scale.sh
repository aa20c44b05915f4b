#!/bin/sh
# torchaudio: above full scale, loudness stops growing, and filters turn waves into squares.
#
# Mixtures, floats from MP3 and waves in the scale of 16-bit integers go beyond 1. One would guess that a
# linear filter is linear there, too, and that twice the amplitude is 6 dB louder. But lfilter clamps
# what comes out to -1 and 1 unless it is told not to. It says so itself. highpass_biquad,
# lowpass_biquad, equalizer_biquad and the other filters that call it take no such argument and do not
# say so. loudness filters with two of them before it measures. Its first filter amplifies
# treble by 4 dB, so even a tone at full scale comes out too low. Whoever scales mixtures to one
# loudness with it leaves the loud ones too loud.
#
# Version: torchaudio 2.11.0 (torch 2.14.1). Seen, 5 s of white noise at 48 kHz, loudness and what
# follows from the first line:
#   deviation 0.01: -36.9 LUFS, expected -36.9
#   deviation 0.1: -16.9 LUFS, expected -16.9
#   deviation 1: -2.6 LUFS, expected 3.1
#   deviation 10: -1.1 LUFS, expected 23.1
#   tone of 8 kHz at full scale: -2.5 LUFS, expected 0.3
#   highpass_biquad at 20 Hz, noise in the scale of 16 bits: 100 % of the samples are -1 or 1
# It exits with 1 once a deviation of 1 is measured to 1 dB, or the filter keeps the scale.
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
from torchaudio.functional import highpass_biquad, loudness

print("torchaudio", torchaudio.__version__, "torch", torch.__version__)
torch.manual_seed(0)
rate = 48000
noise = torch.randn(1, 5 * rate)
first = float(loudness(0.01 * noise, rate))
missing = {}
for deviation in (0.01, 0.1, 1, 10):
    seen = float(loudness(deviation * noise, rate))
    expected = first + 20 * math.log10(deviation / 0.01)
    missing[deviation] = expected - seen
    print(f"deviation {deviation}: {seen:.1f} LUFS, expected {expected:.1f}")
tone = torch.sin(2 * math.pi * 8000 * torch.arange(5 * rate) / rate)[None]
seen, expected = float(loudness(tone, rate)), float(loudness(0.01 * tone, rate)) + 40
print(f"tone of 8 kHz at full scale: {seen:.1f} LUFS, expected {expected:.1f}")
passed = highpass_biquad(3000 * noise, rate, 20.0)
clipped = float((passed.abs() == 1).double().mean())
print(
    "highpass_biquad at 20 Hz, noise in the scale of 16 bits: "
    f"{100 * clipped:.0f} % of the samples are -1 or 1"
)
if abs(missing[0.1]) > 0.1 or missing[1] < 1 or clipped < 0.5:
    sys.exit("no longer as described")
print("as described")
PYTHON
