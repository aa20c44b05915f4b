#!/bin/sh
# pyfar: a recording that goes from 48 to 16 kHz comes out three times louder.
#
# One would guess that a resampler keeps the level of a recording. pyfar takes every signal that has
# no normalisation of its spectrum for an impulse response, and that is the default of Signal and of
# read_audio. For an impulse response, resample keeps the unnormalised spectrum, so the samples are
# multiplied by the old rate over the new one: 3 from 48 to 16 kHz (9.5 dB), 0.36 from 16 to 44.1 kHz.
# There is no warning, unless the louder wave is then written in integers and clipped. Its own sine
# generator gives a signal of another type, which keeps its level.
#
# Version: pyfar 0.8.1. Seen, peak of a tone of 440 Hz, 0.5 before:
#   read_audio, 48 to 16 kHz: 1.50
#   Signal, 16 to 44.1 kHz: 0.18
#   Signal, match_amplitude="time": 0.50
#   signals.sine, 48 to 16 kHz: 0.50
# It exits with 1 once the first is 0.5.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet pyfar==0.8.1 soundfile==0.14.0 numpy==2.4.6 scipy==1.17.1
venv/bin/python - <<'PYTHON'
import sys

import numpy as np
import pyfar
import soundfile

print("pyfar", pyfar.__version__)


def tone(rate):
    return 0.5 * np.sin(2 * np.pi * 440 / rate * np.arange(rate))


def peak(signal, rate, **settings):
    wave = pyfar.dsp.resample(signal, rate, **settings).time[0]
    return float(np.abs(wave[rate // 4 : -rate // 4]).max())


soundfile.write("tone.wav", tone(48000), 48000)
read = peak(pyfar.io.read_audio("tone.wav"), 16000)
up = peak(pyfar.Signal(tone(16000), 16000), 44100)
told = peak(pyfar.Signal(tone(48000), 48000), 16000, match_amplitude="time")
sine = peak(pyfar.signals.sine(440, 48000, amplitude=0.5, sampling_rate=48000), 16000)
print(f"read_audio, 48 to 16 kHz: {read:.2f}")
print(f"Signal, 16 to 44.1 kHz: {up:.2f}")
print(f'Signal, match_amplitude="time": {told:.2f}')
print(f"signals.sine, 48 to 16 kHz: {sine:.2f}")
if read < 1 or up > 0.3 or abs(told - 0.5) > 0.01 or abs(sine - 0.5) > 0.01:
    sys.exit("no longer as described")
print("as described")
PYTHON
