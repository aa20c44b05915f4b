#!/bin/sh
# pedalboard: convolved with a unit impulse, a recording comes out 18 dB quieter.
#
# A unit impulse changes nothing in a convolution, and an impulse response of half the size halves what
# comes out. One would guess that this holds for pedalboard.Convolution, which takes the response of a
# room as an array or a file. It divides each response by the root of its energy and multiplies by 1/8,
# without a word, and no argument changes that. So every room comes out 18 dB below white noise that
# went in. How far away the sound was, or how much a filter takes away, is lost. And mix=0.5, half dry
# and half wet, is nearly all dry.
#
# Version: pedalboard 0.9.26. Seen, 2 s of white noise at 48 kHz, change of its level:
#   impulse of 1     true   0.0 dB, pedalboard -18.1 dB
#   impulse of 0.01  true -40.0 dB, pedalboard -18.1 dB
#   room             true  26.0 dB, pedalboard -18.1 dB
#   room times 0.01  true -14.0 dB, pedalboard -18.1 dB
# It exits with 1 once an impulse of 1 changes nothing, or one of 0.01 gives less than one of 1.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet pedalboard==0.9.26 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import numpy as np
import pedalboard

print("pedalboard", pedalboard.__version__)
rate = 48000
generator = np.random.default_rng(0)
wave = (0.01 * generator.normal(size=2 * rate)).astype(np.float32)
impulse = np.zeros(rate // 10, np.float32)
impulse[0] = 1
time = np.arange(rate // 10) / rate
room = (generator.normal(size=len(time)) * np.exp(-60 * time)).astype(np.float32)


def level(wave):
    return 10 * np.log10(np.mean(np.square(wave)))


changes = {}
for name, response in (
    ("impulse of 1", impulse),
    ("impulse of 0.01", 0.01 * impulse),
    ("room", room),
    ("room times 0.01", 0.01 * room),
):
    true = np.convolve(wave, response)[: len(wave)]
    effect = pedalboard.Convolution(response[None], mix=1.0, sample_rate=rate)
    seen = effect(wave, rate)
    changes[name] = level(seen) - level(wave)
    print(
        f"{name:<16} true {level(true) - level(wave):5.1f} dB, pedalboard {changes[name]:.1f} dB"
    )
if abs(changes["impulse of 1"]) < 1 or changes["impulse of 0.01"] < changes["impulse of 1"] - 1:
    sys.exit("no longer as described")
print("as described")
PYTHON
