#!/bin/sh
# tfrecord: one recording in a record is whole; of two, each loses the zeros at its end.
#
# A feature of a TFRecord may hold several byte strings, such as the channels of a recording or the frames
# of an embedding. One would guess that they come back as they were written, as a single one does. tfrecord
# puts several into a NumPy array of fixed width, which is filled up with zeros, and NumPy takes the zeros
# at the end of each string away again. So silence at the end of a channel is lost. If the last sample
# is from 0 to 255, its high byte is zero, and half of the sample is lost.
#
# Version: tfrecord 1.14.6 (numpy 2.4.6). Seen, 1 s of 16-bit samples at 16 kHz, the last 0.25 s silent:
#   one byte string: 32000 bytes of 32000
#   two byte strings, the first: 24000 bytes of 32000
#   two byte strings, the second, which ends with a sample of 100: 31999 bytes of 32000
#   ten embeddings of 128 bytes that end with zeros: 120 bytes each
# It exits with 1 once all have the bytes that were written.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet tfrecord==1.14.6 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

import numpy as np
import tfrecord

print("tfrecord", importlib.metadata.version("tfrecord"))
rng = np.random.default_rng(0)
left, right = rng.integers(1000, 2000, (2, 16000)).astype("<i2")
left[12000:], right[-1] = 0, 100
embeddings = rng.integers(1, 256, (10, 128)).astype(np.uint8)
embeddings[:, 120:] = 0
written = {
    "one": [left.tobytes()],
    "two": [left.tobytes(), right.tobytes()],
    "embeddings": [embedding.tobytes() for embedding in embeddings],
}
writer = tfrecord.TFRecordWriter("clips.tfrecord")
writer.write({name: (strings, "byte") for name, strings in written.items()})
writer.close()
(found,) = tfrecord.tfrecord_loader("clips.tfrecord", None)
one, two, sizes = len(found["one"]), [len(each) for each in found["two"]], set(map(len, found["embeddings"]))
print(f"one byte string: {one} bytes of 32000")
print(f"two byte strings, the first: {two[0]} bytes of 32000")
print(f"two byte strings, the second, which ends with a sample of 100: {two[1]} bytes of 32000")
print(f"ten embeddings of 128 bytes that end with zeros: {', '.join(map(str, sizes))} bytes each")
if one == two[0] == two[1] and sizes == {128}:
    sys.exit("no longer as described")
print("as described")
PYTHON
