#!/bin/sh
# torch-audiomentations: coloured noise repeats every second, and pink noise is brown.
#
# AddColoredNoise adds noise of a colour. One would guess that the noise of a clip is new throughout. It
# is one second long, and repeated up to the length of the clip. The docstring calls 1 pink noise and 2
# brown noise, with a power that decays as 1/f**f_decay, so one would guess 3 and 6 dB an octave. The
# decay is that of the amplitude, and so twice as steep. Below some 100 Hz it is flat.
#
# Version: torch-audiomentations 0.12.0 (torch 2.14.1). Seen, a clip of 4 s at 16 kHz, f_decay of 0, 1, 2:
#   white: correlation of its seconds 1.00, 0 dB an octave from 250 to 8000 Hz
#   pink: correlation of its seconds 1.00, -6 dB an octave from 250 to 8000 Hz
#   brown: correlation of its seconds 1.00, -11 dB an octave from 250 to 8000 Hz
# It exits with 1 once the seconds differ or pink noise falls by 3 dB.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet torch-audiomentations==0.12.0 torch==2.14.1 torchaudio==2.11.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

import numpy as np
import torch
from torch_audiomentations import AddColoredNoise

print("torch-audiomentations", importlib.metadata.version("torch-audiomentations"))
torch.manual_seed(0)
rate = 16000
clip = 0.1 * torch.randn(1, 1, 4 * rate)
alike, slopes = [], []
for name, decay in (("white", 0.0), ("pink", 1.0), ("brown", 2.0)):
    add = AddColoredNoise(0, 0, decay, decay, p=1, sample_rate=rate, output_type="dict")
    noise = (add(clip, sample_rate=rate).samples - clip)[0, 0].double().numpy()
    alike.append(np.corrcoef(noise.reshape(4, -1)).min())
    power = np.abs(np.fft.rfft(noise[:rate])) ** 2
    octaves = [10 * np.log10(power[first : 2 * first].mean()) for first in (250, 4000)]
    slopes.append((octaves[1] - octaves[0]) / 4)
    print(
        f"{name}: correlation of its seconds {alike[-1]:.2f}, "
        f"{round(slopes[-1])} dB an octave from 250 to 8000 Hz"
    )
if min(alike) < 0.99 or slopes[1] > -4.5:
    sys.exit("no longer as described")
print("as described")
PYTHON
