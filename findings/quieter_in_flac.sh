#!/bin/sh
# kaldiio: a recording that was packed as FLAC comes back 32768 times quieter.
#
# FLAC is lossless, so one would guess that a list of recordings (wav.scp) gives the same samples whether
# its files are WAV or FLAC. kaldiio reads 16 bits of a WAV file as they are, as Kaldi does, and gives the
# FLAC file to soundfile, which scales it to -1 to 1. What follows in Kaldi's manner expects the former:
# each log-mel energy of the FLAC file is 20.8 nats (90 dB) too low, and under dither of one step of 16
# bits, which is Kaldi's default, its sound is gone.
#
# Version: kaldiio 2.18.1 (kaldi-native-fbank 1.23.0, soundfile 0.14.0, numpy 2.4.6). Seen, noise:
#   wav:  int16, largest 13482, mean log-mel 21.9, with dither 21.9
#   flac: float64, largest 0.41144, mean log-mel 1.1, with dither 5.9
#   silence with dither: 5.9
# It exits with 1 once both have the same scale.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet kaldiio==2.18.1 kaldi-native-fbank==1.23.0 soundfile==0.14.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

import kaldi_native_fbank
import numpy as np
import soundfile
from kaldiio import ReadHelper

print("kaldiio", importlib.metadata.version("kaldiio"))
RATE = 16000
random = np.random.default_rng(0)
samples = (3000 * random.normal(size=2 * RATE)).astype(np.int16)
with open("wav.scp", "w") as table:
    for kind in ("wav", "flac"):
        soundfile.write(f"clip.{kind}", samples, RATE)
        table.write(f"{kind} clip.{kind}\n")


def log_mel(wave, dither):
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = dither
    fbank = kaldi_native_fbank.OnlineFbank(options)
    fbank.accept_waveform(RATE, wave.astype(np.float32))
    fbank.input_finished()
    return np.mean([fbank.get_frame(i) for i in range(fbank.num_frames_ready)])


means = {}
with ReadHelper("scp:wav.scp") as reader:
    for kind, (_, wave) in reader:
        means[kind] = log_mel(wave, 0)
        print(
            f"{kind + ':':5} {wave.dtype}, largest {np.abs(wave).max():.5g}, "
            f"mean log-mel {means[kind]:.1f}, with dither {log_mel(wave, 1):.1f}"
        )
print(f"silence with dither: {log_mel(np.zeros(2 * RATE), 1):.1f}")
if abs(means["wav"] - means["flac"] - 2 * np.log(32768)) > 0.1:
    sys.exit("no longer as described")
print("as described")
PYTHON
