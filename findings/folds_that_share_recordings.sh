#!/bin/sh
# UrbanSound8K and ESC-50: official folds share recordings.
#
# Both data sets come in folds, so that clips of one recording do not meet as training and test, and
# in both the name of a clip says which recording it was cut from. One would guess that names and
# folds agree. soundata's index lists the names in their folds: five recordings of UrbanSound8K and
# four of ESC-50 lie in two.
#
# Version: soundata 0.1.3, the last release that ships the indexes in full. Seen:
#   UrbanSound8K: 1297 recordings, in two folds: 106905, 132016, 176638, 180937, 77751
#   ESC-50: 1524 recordings, in two folds: 131943, 134049, 209698, 234879
# It exits with 1 once the counts are others.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-deps soundata==0.1.3
venv/bin/python - <<'PYTHON'
import collections
import importlib.metadata
import json
import re
import sys

print("soundata", importlib.metadata.version("soundata"))
(place,) = {
    file.locate().parent
    for file in importlib.metadata.files("soundata")
    if file.name == "esc50_index.json"
}
seen = []
for name, index, pattern in (
    ("UrbanSound8K", "urbansound8k", r"audio/fold(?P<fold>\d+)/(?P<recording>\d+)-"),
    ("ESC-50", "esc50", r"audio/(?P<fold>\d)-(?P<recording>\d+)-"),
):
    clips = json.loads((place / f"{index}_index.json").read_text())["clips"]
    folds = collections.defaultdict(set)
    for clip in clips.values():
        found = re.match(pattern, clip["audio"][0])
        folds[found["recording"]].add(found["fold"])
    shared = sorted(recording for recording, within in folds.items() if len(within) > 1)
    print(f"{name}: {len(folds)} recordings, in two folds: {', '.join(shared)}")
    seen.append(len(shared))
if seen != [5, 4]:
    sys.exit("no longer as described")
print("as described")
PYTHON
