#!/bin/sh
# kaldi-native-fbank: features of the same samples differ from call to call.
#
# Kaldi's dither of 1 is for samples up to 32768. kaldi-native-fbank takes samples up to 1, and its
# default dither of 3e-5 is the same in proportion. One would guess that a library for production
# has dither off, or that 3e-5 cannot be seen in the features. Its generator goes on from call to
# call and has no seed, so the features of a file depend on what was read before. Loud noise moves
# by 0.01. A recording at -100 dB moves by four nats.
#
# Version: kaldi-native-fbank 1.23.0. Seen, log-mel of 80 bands, 1 s of white noise:
#   two calls on the same noise at -20 dB: differ by 0.0124
#   at -100 dB, default against dither 0: differ by 4.1 nats
#   with dither 0, two calls differ by 0.0
# (The first two figures vary a little.) It exits with 1 once two calls agree or the quiet one moves
# by less than 2.
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


def features(wave, **settings):
    options = kaldi_native_fbank.FbankOptions()
    options.mel_opts.num_bins = 80
    for name, value in settings.items():
        setattr(options.frame_opts, name, value)
    bank = kaldi_native_fbank.OnlineFbank(options)
    bank.accept_waveform(16000, wave.tolist())
    bank.input_finished()
    return np.stack([bank.get_frame(i) for i in range(bank.num_frames_ready)])


def farthest(first, second):
    return np.abs(first - second).max()


print("kaldi-native-fbank", importlib.metadata.version("kaldi-native-fbank"))
noise = 0.1 * np.random.default_rng(0).normal(size=16000)
twice = farthest(features(noise), features(noise))
quiet = farthest(features(1e-4 * noise), features(1e-4 * noise, dither=0.0))
still = farthest(features(noise, dither=0.0), features(noise, dither=0.0))
print(f"two calls on the same noise at -20 dB: differ by {twice:.4f}")
print(f"at -100 dB, default against dither 0: differ by {quiet:.1f} nats")
print(f"with dither 0, two calls differ by {still}")
if not twice or quiet < 2 or still:
    sys.exit("no longer as described")
print("as described")
PYTHON
