#!/bin/sh
# datasets: of a folder with one subfolder for each class, only the class "train" is loaded.
#
# AudioFolder reads a folder that has a subfolder for each class. One would guess that any class may be
# among them. Before that, datasets looks for names of splits: if a folder is called train, test, val,
# dev or eval, or begins so before a digit, a dot, a space, a hyphen or an underscore, the files in such
# folders are the data, and all others are left out without a warning. A train is one of the sounds of
# ESC-50 and of AudioSet. With drop_labels=False the labels are names of what is left, a single class.
#
# Version: datasets 5.2.0. Seen, four clips in each subfolder:
#   dog, rain, siren: 12 files, as train: dog, rain, siren
#   dog, rain, train: 4 files, as train: train
#   dog, rain, train_horn: 4 files, as train: train_horn
#   dog, rain, test tone: 4 files, as test: test tone
#   dog, rain, strain: 12 files, as train: dog, rain, strain
# It exits with 1 once the second folder has 12 files.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet datasets==5.2.0 soundfile==0.14.0 numpy==2.4.6 pandas==3.1.1
HF_HUB_OFFLINE=1 HF_HOME="$folder/home" venv/bin/python - <<'PYTHON'
import sys
from pathlib import Path

import datasets
import numpy as np
import soundfile

print("datasets", datasets.__version__)
rng = np.random.default_rng(0)
counts = []
for number, third in enumerate(("siren", "train", "train_horn", "test tone", "strain")):
    for name in ("dog", "rain", third):
        classes = Path(f"set{number}", name)
        classes.mkdir(parents=True)
        for clip in range(4):
            soundfile.write(classes / f"{clip}.wav", 0.1 * rng.normal(size=1600), 16000)
    builder = datasets.load_dataset_builder("audiofolder", data_dir=f"set{number}")
    files = builder.config.data_files
    found = [Path(file).parent.name for split in files.values() for file in split]
    where, names = ", ".join(map(str, files)), ", ".join(sorted(set(found)))
    print(f"dog, rain, {third}: {len(found)} files, as {where}: {names}")
    counts.append(len(found))
if counts != [12, 4, 4, 4, 12]:
    sys.exit("no longer as described")
print("as described")
PYTHON
