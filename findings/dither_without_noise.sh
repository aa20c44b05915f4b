#!/bin/sh
# torchaudio: the dither of a clip is one large triangle over time, not noise.
#
# Dither adds a little noise before rounding to 16 bits, so that what is quieter than one step is not
# lost. The default of torchaudio.functional.dither is TPDF, noise of a triangular distribution. One
# would guess that its samples are random. What is added is a triangle over time: it rises from 0 at the
# beginning of the clip to one step in its middle, and falls back to 0 at its end. So it is the same in
# every call, a quiet tone vanishes except where the triangle passes half a step, and silence gets an
# offset of one step in its middle half. RPDF adds one number to the whole clip.
#
# Version: torchaudio 2.11.0 (torch 2.14.1). Seen, 4 s at 16 kHz, in steps of 16 bits:
#   two calls differ by 0.0
#   silence: mean of the four quarters 0.0, 1.0, 1.0, 0.0
#   silence, RPDF: 1 different values
#   tone of 0.25 steps, amplitude in the first tenth: 0.00, with noise of that distribution 0.25
# It exits with 1 once two calls differ, or the tone is there.
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
from torchaudio.functional import dither

print("torchaudio", torchaudio.__version__, "torch", torch.__version__)
torch.manual_seed(0)
steps = 2**15
count = 64000
phase = 2 * math.pi * 500 * torch.arange(count, dtype=torch.float64) / 16000
tone = (0.25 / steps * torch.sin(phase))[None]
silence = torch.zeros(1, count, dtype=torch.float64)


def amplitude(wave):
    """Of the tone, in the first tenth of a clip, in steps."""
    part = slice(0, count // 10)
    wave, angle = steps * wave[0, part], phase[part]
    return math.hypot(*(2 * float((wave * wind(angle)).mean()) for wind in (torch.sin, torch.cos)))


twice = float((dither(tone) - dither(tone)).abs().max())
print(f"two calls differ by {twice}")
quarters = (steps * dither(silence))[0].reshape(4, -1).mean(dim=1)
print("silence: mean of the four quarters " + ", ".join(f"{float(each):.1f}" for each in quarters))
print(f"silence, RPDF: {len(dither(silence, 'RPDF').unique())} different values")
noise = torch.rand(1, count) - torch.rand(1, count)
proper = torch.round(steps * tone + noise) / steps
kept = amplitude(dither(tone))
print(
    f"tone of 0.25 steps, amplitude in the first tenth: {kept:.2f}, "
    f"with noise of that distribution {amplitude(proper):.2f}"
)
if twice > 0 or kept > 0.05 or not 0.15 < amplitude(proper) < 0.35:
    sys.exit("no longer as described")
print("as described")
PYTHON
