#!/bin/sh
# soundfile: an MP3 that is read block by block differs from the same MP3 read at once.
#
# One would guess that SoundFile.read(n), called until the end, gives the samples of soundfile.read,
# as it does for other formats. But after every read soundfile seeks to where the file already
# stands (soundfile.blocks does so, too). For MP3 the decoder then loses the bits that it keeps from
# earlier frames, and the next block begins with wrong samples. libmpg123 writes a line to the error
# stream. Python raises nothing and warns of nothing.
#
# Version: soundfile 0.14.0 (libsndfile 1.2.2). Seen, of 5 s at 16 kHz:
#   80000 samples at once, 80000 in blocks of 4096
#   block by block differs by up to 0.12, where the peak is 0.43,
#   in 9 of 20 blocks
#   with FLAC in place of MP3: 0
# It exits with 1 once the two ways agree, or FLAC's do not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet soundfile==0.14.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import io
import sys

import numpy as np
import soundfile

print("soundfile", soundfile.__version__, soundfile.__libsndfile_version__)
wave = 0.1 * np.random.default_rng(0).normal(size=5 * 16000)


def both(**kind):
    """The samples of one file, read at once and in blocks."""
    file = io.BytesIO()
    soundfile.write(file, wave, 16000, **kind)
    file.seek(0)
    whole, _ = soundfile.read(file)
    file.seek(0)
    with soundfile.SoundFile(file) as sound:
        blocks = [sound.read(4096) for _ in range(-(-len(whole) // 4096))]
    return whole, np.concatenate(blocks)


whole, blocks = both(format="MP3", bitrate_mode="VARIABLE", compression_level=0.5)
print(len(whole), "samples at once,", len(blocks), "in blocks of 4096")
difference = np.abs(whole - blocks)
peak = np.abs(whole).max()
wrong = sum(part.max() > 0.01 for part in np.array_split(difference, range(4096, len(whole), 4096)))
print(f"block by block differs by up to {difference.max():.2f}, where the peak is {peak:.2f},")
print(f"in {wrong} of {-(-len(whole) // 4096)} blocks")
lossless = np.abs(np.subtract(*both(format="FLAC"))).max()
print("with FLAC in place of MP3:", lossless)
if difference.max() < 0.02 or lossless:
    sys.exit("no longer as described")
print("as described")
PYTHON
