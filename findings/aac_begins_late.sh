#!/bin/sh
# essentia: an AAC file begins 1024 samples late.
#
# An AAC coder puts a frame of 1024 samples in front, and the edit list of an M4A file says that the sound
# begins after it. One would guess that a reader begins there, as FFmpeg does. MonoLoader gives all samples:
# its sound is 23 ms late at 44.1 kHz and 64 ms at 16 kHz. AudioLoader, which it calls, does the same.
#
# Version: essentia 2.1b6.dev1389 (PyAV 18.1.0). Seen, 2 s of which the second begins with noise:
#   44100 Hz: PyAV 89088 samples, 0 ms late; MonoLoader 90112 samples, 23 ms late
#   16000 Hz: PyAV 32768 samples, 0 ms late; MonoLoader 33792 samples, 64 ms late
# It exits with 1 once MonoLoader is not late.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet essentia==2.1b6.dev1389 av==18.1.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

import av
import essentia
import numpy as np

essentia.log.infoActive = False
from essentia.standard import MonoLoader

print("essentia", importlib.metadata.version("essentia"))


def write(wave, rate):
    with av.open("clip.m4a", "w") as container:
        stream = container.add_stream("aac", rate=rate)
        stream.layout, stream.bit_rate = "mono", 128000
        frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        for each in (frame, None):
            container.mux(stream.encode(each))


def read():
    with av.open("clip.m4a") as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


def late(found, written):
    """By how many samples."""
    size = 2 * len(found)
    product = np.fft.rfft(found, size) * np.conj(np.fft.rfft(written, size))
    return int(np.fft.irfft(product, size)[: len(found)].argmax())


as_described = True
for rate in (44100, 16000):
    written = np.zeros(2 * rate, np.float32)
    written[rate : rate + rate // 10] = 0.1 * np.random.default_rng(0).normal(size=rate // 10)
    write(written, rate)
    texts = []
    for name, wave in (("PyAV", read()), ("MonoLoader", MonoLoader(filename="clip.m4a", sampleRate=rate)())):
        samples = late(wave, written)
        texts.append(f"{name} {len(wave)} samples, {1000 * samples / rate:.0f} ms late")
        as_described = as_described and (samples > 0) == (name == "MonoLoader")
    print(f"{rate} Hz: " + "; ".join(texts))
if not as_described:
    sys.exit("no longer as described")
print("as described")
PYTHON
