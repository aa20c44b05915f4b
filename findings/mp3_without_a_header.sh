#!/bin/sh
# soundfile: only a third of an MP3 file is read, and nothing says that there is more.
#
# One would guess that a reader goes on to the end of a file. An MP3 that was recorded from a
# stream, or cut out of another, has no Xing or VBRI header. Then libsndfile computes the length
# from the size of the file and the bit rate of its first frame, and stops there. With a variable
# bit rate, a quiet beginning costs the loud rest. soundfile.info, soundfile.read and librosa.load
# agree with one another, so no comparison of lengths notices. FFmpeg decodes every frame.
#
# Version: soundfile 0.14.0 (libsndfile 1.2.2), librosa 0.11.0, av 18.1.0 (FFmpeg, which also writes
# the file). Seen, of 2 s of quiet and 4 s of noise:
#   soundfile.info 2.23 s, soundfile.read 2.23 s, librosa.load 2.23 s, FFmpeg 6.08 s
# It exits with 1 once soundfile and librosa read more than half.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet soundfile==0.14.0 av==18.1.0 librosa==0.11.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import av
import librosa
import numpy as np
import soundfile

RATE = 16000
generator = np.random.default_rng(0)
quiet = 0.001 * np.sin(2 * np.pi * 440 / RATE * np.arange(2 * RATE))
wave = np.concatenate([quiet, 0.1 * generator.normal(size=4 * RATE)]).astype(np.float32)

# LAME's quality 5 (FFmpeg counts it in 118ths), variable bit rate, without the header.
with av.open("stream.mp3", "w", options={"write_xing": "0", "id3v2_version": "0"}) as container:
    stream = container.add_stream("libmp3lame", rate=RATE, layout="mono")
    stream.codec_context.options = {"flags": "+qscale", "global_quality": str(5 * 118)}
    frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
    frame.sample_rate = RATE
    fitting = av.AudioResampler("fltp", "mono", RATE, stream.codec_context.frame_size)
    for part in [*fitting.resample(frame), *fitting.resample(None), None]:
        container.mux(stream.encode(part))

with av.open("stream.mp3") as container:
    decoded = sum(frame.samples for frame in container.decode(audio=0)) / RATE
read = {
    "soundfile.info": soundfile.info("stream.mp3").duration,
    "soundfile.read": len(soundfile.read("stream.mp3")[0]) / RATE,
    "librosa.load": len(librosa.load("stream.mp3", sr=None)[0]) / RATE,
}
print("soundfile", soundfile.__version__, soundfile.__libsndfile_version__)
read["FFmpeg"] = decoded
print(", ".join(f"{name} {seconds:.2f} s" for name, seconds in read.items()))
if read.pop("FFmpeg") < 6 or max(read.values()) > 3:
    sys.exit("no longer as described")
print("as described")
PYTHON
