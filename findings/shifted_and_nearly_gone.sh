#!/bin/sh
# torchaudio, librosa: a tone whose pitch is shifted may lose 24 dB, depending on how it begins.
#
# pitch_shift stretches a wave with a phase vocoder, and resamples it. One would guess that a steady tone
# keeps its level, whatever was before it. The vocoder adds up the phase of each bin by itself, from the
# first frame on. If neighbouring bins of a tone begin with other phases than they have later, as they do
# where a tone sets in, they cancel each other to the end of the tone. torchaudio fills the first frame by
# reflection, so the level depends on the phase of the first sample. librosa fills it with zeros, which is
# harmless if the tone is there from the first sample, but a little silence in front takes 9 to 15 dB.
#
# Version: torchaudio 2.11.0 (torch 2.14.1, librosa 0.11.0). Seen, two seconds at 16 kHz, an octave up,
# change of the level in the middle of the tone, in dB:
#   330 Hz, torchaudio: begins at its peak 0.0, at 0 -20.7, after 0.25 s of silence -23.9
#   330 Hz, librosa: begins at its peak -1.2, at 0 -1.2, after 0.25 s of silence -12.3
#   440 Hz, torchaudio: begins at its peak 0.0, at 0 -4.7, after 0.25 s of silence -9.8
#   440 Hz, librosa: begins at its peak -1.2, at 0 -1.2, after 0.25 s of silence -15.0
#   1000 Hz, torchaudio: begins at its peak 0.0, at 0 -3.5, after 0.25 s of silence -9.5
#   1000 Hz, librosa: begins at its peak -1.2, at 0 -1.2, after 0.25 s of silence -9.5
# It exits with 1 once both keep the level of the tone of 330 Hz to 3 dB.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet torchaudio==2.11.0 torch==2.14.1 librosa==0.11.0 numpy==2.4.6 scipy==1.17.1
venv/bin/python -W ignore - <<'PYTHON'
import sys

import librosa
import numpy as np
import torch
import torchaudio

print("torchaudio", torchaudio.__version__, "librosa", librosa.__version__)
RATE = 16000
SHIFTS = {
    "torchaudio": lambda wave: torchaudio.functional.pitch_shift(torch.from_numpy(wave)[None], RATE, 12)[0],
    "librosa": lambda wave: librosa.effects.pitch_shift(wave, sr=RATE, n_steps=12),
}


def change(shift, tone, silence=0):
    """The gain from half a second to one and a half seconds after the tone sets in, in dB."""
    wave = np.concatenate([np.zeros(silence), tone]).astype(np.float32)
    part = slice(silence + RATE // 2, silence + 3 * RATE // 2)
    ratio = float(np.std(np.asarray(shift(wave))[part]) / np.std(wave[part]))
    return round(20 * np.log10(ratio), 1) + 0.0


lost = []
for hertz in (330, 440, 1000):
    phase = 2 * np.pi * hertz * np.arange(2 * RATE) / RATE
    for package, shift in SHIFTS.items():
        peak, zero = change(shift, np.cos(phase)), change(shift, np.sin(phase))
        late = change(shift, np.sin(phase), RATE // 4)
        print(f"{hertz} Hz, {package}: begins at its peak {peak}, at 0 {zero}, after 0.25 s of silence {late}")
        lost.append(min(peak, zero, late))
if max(lost[:2]) > -3:
    sys.exit("no longer as described")
print("as described")
PYTHON
