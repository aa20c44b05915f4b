#!/bin/sh
# kaldi-native-fbank refuses the 128 mel bands of audio transformers.
#
# AST, AudioMAE and others use 128 Kaldi mel bands of a 512-point transform at 16 kHz, by
# torchaudio's port of Kaldi. One would guess that kaldi-native-fbank computes the same 128 without
# torch. One filter (the fourth) lies between two bins of the transform and is empty. torchaudio
# keeps it without a warning, as a constant band. kaldi-native-fbank refuses it, and with it
# everything above 126 bands.
#
# Version: kaldi-native-fbank 1.23.0 (torchaudio 2.11.0 was seen to give 128 bands of which the fourth
# is constant). Seen:
#   80 to 126 bands: features
#   127 bands: You may have set num_mel_bins too large.
#   128 bands: You may have set num_mel_bins too large.
#   by Kaldi's formula, filters of 128 that reach no bin: [3]
# It exits with 1 once 128 bands are given.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet kaldi-native-fbank==1.23.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

import kaldi_native_fbank
import numpy as np

print("kaldi-native-fbank", importlib.metadata.version("kaldi-native-fbank"))
given = []
for bands in range(80, 129):
    options = kaldi_native_fbank.FbankOptions()
    options.mel_opts.num_bins = bands
    try:
        bank = kaldi_native_fbank.OnlineFbank(options)
        bank.accept_waveform(16000, [0.1] * 16000)
        given.append(bands)
    except ValueError as error:
        print(f"{bands} bands: {error}")
print(f"{given[0]} to {given[-1]} bands: features")

# Kaldi's triangles: edges at equal steps of mel from 20 Hz to 8 kHz.
edges = np.linspace(*(1127 * np.log1p(np.array([20, 8000]) / 700)), 130)
bins = 1127 * np.log1p(np.arange(256) * 16000 / 512 / 700)
empty = [i for i in range(128) if not ((edges[i] < bins) & (bins < edges[i + 2])).any()]
print("by Kaldi's formula, filters of 128 that reach no bin:", empty)
if given != list(range(80, 127)) or empty != [3]:
    sys.exit("no longer as described")
print("as described")
PYTHON
