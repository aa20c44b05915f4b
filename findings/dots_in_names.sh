#!/bin/sh
# webdataset and lhotse: copies of a clip at other speeds become other kinds of file.
#
# A shard of webdataset is a tar file, and files whose names differ only in their extension are one
# sample. One would guess that the extension is what follows the last dot. It is what follows the
# first dot. lhotse calls copies at other speeds clip_sp0.9 and clip_sp1.1, so as WAV files they
# become a sample "clip_sp0" with a field "9.wav", and a sample "clip_sp1" with a field "1.wav".
# Whoever asks for "wav" gets none of the copies, and no error. And talk.ch0.wav and talk.ch1.wav
# become one sample.
#
# Version: webdataset 1.0.2. Seen:
#   sample clip, field wav
#   sample clip_sp0, field 9.wav
#   sample clip_sp1, field 1.wav
#   sample talk, field ch0.wav, ch1.wav
#   decoded for field wav: 1 of 5 files
# It exits with 1 once all three clips have a field wav.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet webdataset==1.0.2 soundfile==0.14.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import importlib.metadata
import io
import sys
import tarfile

import numpy as np
import soundfile
import webdataset

print("webdataset", importlib.metadata.version("webdataset"))
names = ("clip.wav", "clip_sp0.9.wav", "clip_sp1.1.wav", "talk.ch0.wav", "talk.ch1.wav")
noise = 0.1 * np.random.default_rng(0).normal(size=1600)
with tarfile.open("shard.tar", "w") as shard:
    for name in names:
        file = io.BytesIO()
        soundfile.write(file, noise, 16000, format="WAV")
        entry = tarfile.TarInfo(name)
        entry.size = len(file.getvalue())
        shard.addfile(entry, io.BytesIO(file.getvalue()))

fields = {}
for sample in webdataset.WebDataset("shard.tar", shardshuffle=False, empty_check=False):
    fields[sample["__key__"]] = [name for name in sample if not name.startswith("__")]
for key, kinds in fields.items():
    print(f"sample {key}, field {', '.join(kinds)}")
plain = sum("wav" in kinds for kinds in fields.values())
print(f"decoded for field wav: {plain} of {len(names)} files")
if plain != 1:
    sys.exit("no longer as described")
print("as described")
PYTHON
