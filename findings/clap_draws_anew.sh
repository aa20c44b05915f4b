#!/bin/sh
# transformers: CLAP's features of one recording differ from call to call.
#
# A feature extractor has no weights and no training mode, so one would guess that the same samples
# give the same features. For a recording of more than 10 s, ClapFeatureExtractor adds three crops
# to the whole, from places that it draws from NumPy's global generator. It takes no seed, and does
# not know that one is evaluating. So embeddings of long recordings change from run to run. From a
# batch of short clips it picks one and declares it long.
#
# Version: transformers 5.24.0 (torch 2.14.1). Seen, 15 s at 48 kHz:
#   two calls: the whole differs by 0.0 dB, the crops by up to 56.9 dB
#   two calls after the same numpy.random.seed: 0.0 dB
#   four clips of 3 s, which are said to be longer than 10 s: clip 3, clip 3 (drawn)
# It exits with 1 once two calls agree.
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
extractor = transformers.ClapFeatureExtractor()
loudness = np.linspace(0, 0.2, 15 * 48000)
wave = loudness * np.random.default_rng(0).normal(size=len(loudness))


def features(seed=None):
    if seed is not None:
        np.random.seed(seed)
    return extractor(wave, sampling_rate=48000, return_tensors="np").input_features[0]


whole, *crops = np.abs(features() - features()).max(axis=(1, 2))
print(f"two calls: the whole differs by {whole:.1f} dB, the crops by up to {max(crops):.1f} dB")
seeded = np.abs(features(0) - features(0)).max()
print(f"two calls after the same numpy.random.seed: {seeded:.1f} dB")
short = [wave[: 3 * 48000]] * 4
long = [
    np.flatnonzero(extractor(short, sampling_rate=48000, return_tensors="np").is_longer)
    for _ in range(2)
]
said = ", ".join(f"clip {clip}" for clips in long for clip in clips)
print(f"four clips of 3 s, which are said to be longer than 10 s: {said} (drawn)")
if whole or max(crops) < 1 or seeded:
    sys.exit("no longer as described")
print("as described")
PYTHON
