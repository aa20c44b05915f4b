#!/bin/sh
# webrtcvad: whether a clip holds a voice depends on the clips that were asked about before.
#
# Vad.is_speech takes 10 to 30 ms of samples and gives true or false. One would guess that the answer
# depends on these samples and the mode, and that one Vad serves a whole data set. The detector keeps its
# estimate of the noise, and nothing but a new Vad resets it. After a recording of loud noise, a quiet
# voice is taken for noise. Repeated, even the clip itself gets other answers. So labels of frames depend
# on the order of the files, and on how they were spread over processes.
#
# Version: webrtcvad-wheels 2.0.14.post1 (numpy 2.4.6). Seen, frames of 30 ms with a voice, of 66 in a clip of a
# synthetic voice of 1 s in faint noise, mode 2:
#   a new Vad: 36
#   the same Vad, the same clip again: 35, of which 2 are other frames
#   a Vad that heard 20 s of noise at -20 dB before: 3
#   a Vad that heard 10 s of silence before: 36
# It exits with 1 once the third is as the first.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet webrtcvad-wheels==2.0.14.post1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

import numpy as np
import webrtcvad

print("webrtcvad-wheels", importlib.metadata.version("webrtcvad-wheels"))
rng = np.random.default_rng(0)
rate, frame = 16000, 480
time = np.arange(rate) / rate
partials = np.arange(1, 30)[:, None]
voice = np.sum(np.sin(2 * np.pi * 120 * partials * time + partials**2) * np.exp(-partials / 12), axis=0)
voice *= 0.6 + 0.4 * np.sin(2 * np.pi * 4 * time)
clip = 0.003 * rng.normal(size=2 * rate)
clip[rate // 2 : rate // 2 + rate] += 0.02 * voice / np.abs(voice).max()
noise = 0.1 * rng.normal(size=20 * rate)


def frames(detector, wave):
    samples = np.round(32767 * np.clip(wave, -1, 1)).astype("<i2")
    starts = range(0, len(samples) - frame + 1, frame)
    return np.array([detector.is_speech(samples[start : start + frame].tobytes(), rate) for start in starts])


def after(wave):
    detector = webrtcvad.Vad(2)
    frames(detector, wave)
    return frames(detector, clip)


new, again = frames(webrtcvad.Vad(2), clip), after(clip)
noisy, silent = after(noise), after(np.zeros(10 * rate))
others = int((again & ~new).sum())
print(f"a new Vad: {new.sum()}")
print(f"the same Vad, the same clip again: {again.sum()}, of which {others} are other frames")
print(f"a Vad that heard 20 s of noise at -20 dB before: {noisy.sum()}")
print(f"a Vad that heard 10 s of silence before: {silent.sum()}")
if noisy.sum() > new.sum() / 2 or (new != again).sum() == 0:
    sys.exit("no longer as described")
print("as described")
PYTHON
