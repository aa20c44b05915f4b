#!/bin/sh
# SpeechBrain: the jitter of a steady voice depends on its pitch, and is 1 % at 275 Hz.
#
# Jitter says how much the periods of a voice differ, and 1 % is the usual border to a disorder. One
# would guess that a voice whose periods are all equal has a jitter of 0. compute_periodic_features takes
# the place of each peak modulo a period of whole samples. If the true period is 58.18 samples, peaks drift
# by 0.18 from one to the next, and the drift counts as jitter. And a peak 3 samples early is folded onto
# one 3 samples late, so real jitter is partly lost. The pitch beside it may be an octave low.
#
# Version: speechbrain 1.1.2 (torch 2.14.1, praat-parselmouth 0.4.7). Seen, at 16 kHz, median of the frames, where
# the periods of an unsteady voice deviate by 1 %:
#   160 Hz, steady: pitch 160 Hz, jitter 0.00 % (Praat: 0.00 %); unsteady: 0.63 % (Praat: 1.07 %)
#   200 Hz, steady: pitch 100 Hz, jitter 0.00 % (Praat: 0.00 %); unsteady: 0.89 % (Praat: 1.11 %)
#   220 Hz, steady: pitch 219 Hz, jitter 0.91 % (Praat: 0.00 %); unsteady: 0.97 % (Praat: 1.03 %)
#   250 Hz, steady: pitch 250 Hz, jitter 0.00 % (Praat: 0.00 %); unsteady: 0.85 % (Praat: 1.01 %)
#   275 Hz, steady: pitch 276 Hz, jitter 1.15 % (Praat: 0.00 %); unsteady: 1.08 % (Praat: 1.07 %)
# It exits with 1 once no steady voice has a jitter of 0.5 %.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet speechbrain==1.1.2 torch==2.14.1 torchaudio==2.11.0 numpy==2.4.6 \
    praat-parselmouth==0.4.7
venv/bin/python -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import parselmouth
import torch
from parselmouth.praat import call
from speechbrain.lobes.features import VocalFeatures

print("speechbrain", version("speechbrain"))
RATE = 16000
times = np.arange(2 * RATE) / RATE
random = np.random.default_rng(0)
features = VocalFeatures(log_scores=False)


def voice(hertz, deviation):
    """A voice whose periods differ by a share of their length, from harmonics up to 4 kHz."""
    periods = (1 + deviation * random.normal(size=2 * hertz + 100)) / hertz
    borders = np.concatenate([[0], np.cumsum(periods)])
    phase = 2 * np.pi * np.interp(times, borders, np.arange(len(borders)))
    return 0.1 * sum(np.cos(k * phase) / k for k in range(1, 4000 // hertz))


def jitter(wave):
    """Pitch and jitter by SpeechBrain, and jitter by Praat."""
    seen = features(torch.tensor(wave, dtype=torch.float32)[None])[0, 5:-5].median(0).values
    sound = parselmouth.Sound(wave, RATE)
    points = call(sound, "To PointProcess (periodic, cc)", 75, 600)
    praat = call(points, "Get jitter (local)", 0, 0, 0.0001, 0.02, 1.3)
    return float(seen[0]), 100 * float(seen[2]), 100 * praat


steady = []
for hertz in (160, 200, 220, 250, 275):
    pitch, seen, praat = jitter(voice(hertz, 0))
    steady.append(seen)
    other = jitter(voice(hertz, 0.01))
    print(
        f"{hertz} Hz, steady: pitch {pitch:.0f} Hz, jitter {seen:.2f} % (Praat: {praat:.2f} %); "
        f"unsteady: {other[1]:.2f} % (Praat: {other[2]:.2f} %)"
    )
if max(steady) < 0.5 or min(steady) > 0.01:
    sys.exit("no longer as described")
print("as described")
PYTHON
