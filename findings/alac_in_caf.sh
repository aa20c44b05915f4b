#!/bin/sh
# FFmpeg: Apple Lossless loses its last samples in CAF, and loses none in M4A.
#
# One would guess that a lossless format gives back all samples, in any container. A CAF file states
# how many samples its last packet lacks. FFmpeg's decoder already makes the last packet that much
# shorter, and then removes the same number once more. Nothing warns. If fewer samples are left than
# should be removed, none are removed.
#
# Version: av 18.1.0 (FFmpeg 8), which also writes both files. Seen, of 16000 samples written:
#   M4A: 16000 decoded
#   CAF: 15616 decoded, so 384 are lost
#   CAF with flags2=skip_manual: 16000 decoded
# It exits with 1 once CAF gives what M4A gives.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet av==18.1.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import av
import numpy as np

RATE = 16000
wave = (3000 * np.random.default_rng(0).normal(size=(1, 16000))).astype(np.int16)


def write(path, kind):
    with av.open(path, "w", format=kind) as container:
        stream = container.add_stream("alac", rate=RATE, layout="mono")
        stream.codec_context.format = "s16p"
        frame = av.AudioFrame.from_ndarray(wave, format="s16p", layout="mono")
        frame.sample_rate = RATE
        fitting = av.AudioResampler("s16p", "mono", RATE, stream.codec_context.frame_size)
        for part in [*fitting.resample(frame), *fitting.resample(None), None]:
            container.mux(stream.encode(part))


def count(path, **options):
    with av.open(path) as container:
        stream = container.streams.audio[0]
        stream.codec_context.options = options
        parts = [frame.to_ndarray() for frame in container.decode(stream)]
    decoded = np.concatenate(parts, axis=1)
    assert (decoded == wave[:, : decoded.shape[1]]).all()
    return decoded.shape[1]


print("av", av.__version__, "FFmpeg's libavcodec", av.library_versions["libavcodec"])
write("wave.m4a", "ipod")
write("wave.caf", "caf")
m4a, caf, manual = count("wave.m4a"), count("wave.caf"), count("wave.caf", flags2="skip_manual")
print(f"M4A: {m4a} decoded")
print(f"CAF: {caf} decoded, so {m4a - caf} are lost")
print(f"CAF with flags2=skip_manual: {manual} decoded")
if not (m4a == manual == 16000 and caf == 15616):
    sys.exit("no longer as described")
print("as described")
PYTHON
