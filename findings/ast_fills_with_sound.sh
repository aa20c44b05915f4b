#!/bin/sh
# transformers: the padding of the Audio Spectrogram Transformer is louder than silence.
#
# Clips shorter than 10.24 s are padded, and one would guess: with silence, the floor of the log-
# mel. ASTFeatureExtractor appends zeros to the log-mel, then subtracts the mean and divides by
# twice the deviation. Zero is the logarithm of an energy of 1, 16 nats above the floor. So a short
# clip ends in a steady sound in all bands, and silence within the clip differs from silence after
# it. The networks were trained like this, so whoever uses their weights has to pad in the same way.
#
# Version: transformers 5.24.0 (torch 2.14.1). Seen, mean over 1 s of white noise at -20 dB, and of
# zeros:
#   noise: 0.368 where heard, 0.467 where filled up
#   zeros: -1.278 where heard, 0.467 where filled up
# It exits with 1 once zeros are filled up with what they are themselves.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet transformers==5.24.0 torch==2.14.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import numpy as np
import transformers

print("transformers", transformers.__version__)
extractor = transformers.ASTFeatureExtractor()
noise = 0.1 * np.random.default_rng(0).normal(size=16000).astype(np.float32)


def parts(wave):
    features = extractor(wave, sampling_rate=16000, return_tensors="np").input_values[0]
    # A second is 98 frames.
    return features[:98].mean(), features[98:].mean()


heard, filled = parts(noise)
print(f"noise: {heard:.3f} where heard, {filled:.3f} where filled up")
silent, filled = parts(np.zeros(16000, np.float32))
print(f"zeros: {silent:.3f} where heard, {filled:.3f} where filled up")
if filled - silent < 1:
    sys.exit("no longer as described")
print("as described")
PYTHON
