#!/bin/sh
# soundfile and librosa: a FLAC file of six seconds is 18 million years long.
#
# A FLAC header states the number of samples, and 0 means that it is unknown. Every encoder that
# writes to a pipe writes 0. One would guess that a reader decodes to the end, or says that the
# length is unknown. libsndfile states the largest number there is. soundfile.info and
# librosa.get_duration pass it on without a warning, soundfile.read asks for an array of that size,
# and soundfile.blocks stops with an error before the first block. A part that is named by start and
# stop can be read.
#
# Version: soundfile 0.14.0 (libsndfile 1.2.2), librosa 0.11.0, av 18.1.0 (FFmpeg, which writes the
# file). Seen, of 6 s at 16 kHz:
#   info: 9223372036854775807 samples; librosa.get_duration: 576460752303423.5 s
#   read: ValueError: array is too big
#   blocks: LibsndfileError: Internal psf_fseek() failed.
#   read of samples 1000 to 2000: 1000 samples
# It exits with 1 once the length is another or the whole file can be read.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet soundfile==0.14.0 av==18.1.0 librosa==0.11.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import io
import sys

import av
import librosa
import numpy as np
import soundfile

RATE = 16000


class Pipe(io.RawIOBase):
    """What can be written to, but not gone back in."""

    def __init__(self):
        self.bytes = bytearray()

    def writable(self):
        return True

    def write(self, data):
        self.bytes += bytes(data)
        return len(data)


pipe = Pipe()
noise = (3000 * np.random.default_rng(0).normal(size=(1, 6 * RATE))).astype(np.int16)
with av.open(pipe, "w", format="flac") as container:
    stream = container.add_stream("flac", rate=RATE, layout="mono")
    stream.codec_context.format = "s16"
    frame = av.AudioFrame.from_ndarray(noise, format="s16", layout="mono")
    frame.sample_rate = RATE
    fitting = av.AudioResampler("s16", "mono", RATE, stream.codec_context.frame_size)
    for part in [*fitting.resample(frame), *fitting.resample(None), None]:
        container.mux(stream.encode(part))
with open("piped.flac", "wb") as file:
    file.write(pipe.bytes)

print("soundfile", soundfile.__version__, soundfile.__libsndfile_version__)
frames = soundfile.info("piped.flac").frames
seconds = librosa.get_duration(path="piped.flac")
print(f"info: {frames} samples; librosa.get_duration: {seconds} s")
refused = []
for name, read in (
    ("read", lambda: soundfile.read("piped.flac")),
    ("blocks", lambda: list(soundfile.blocks("piped.flac", 4096))),
):
    try:
        read()
        print(f"{name}: read")
    except (ValueError, MemoryError, soundfile.LibsndfileError) as error:
        refused.append(name)
        print(f"{name}: {type(error).__name__}: {str(error)[:40]}")
part, _ = soundfile.read("piped.flac", start=1000, stop=2000)
print("read of samples 1000 to 2000:", len(part), "samples")
if frames < 2**62 or refused != ["read", "blocks"] or len(part) != 1000:
    sys.exit("no longer as described")
print("as described")
PYTHON
