#!/bin/sh
# ESC-50 and UrbanSound8K share recordings.
#
# One would guess that an encoder that was pre-trained on one of the two has never heard the other.
# Both were cut from Freesound, and both write the number of the recording into the name of a clip.
# soundata's index lists the names: 94 recordings are in both, 34 of them in ESC-10 too.
#
# Version: soundata 0.1.3, the last release that ships the indexes in full. Seen:
#   esc50: 106 of 2000 clips are of 94 shared recordings
#   urbansound8k: 474 of 8732 clips are of 94 shared recordings
#   ESC-10: 34 of these, in 36 of 400 clips
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
# By the class numbers of ESC-50 in the names: dog, rooster, rain, sea waves, crackling fire, crying baby,
# sneezing, clock tick, helicopter, chainsaw.
ESC10 = {0, 1, 10, 11, 12, 20, 21, 38, 40, 41}
clips = {}
for index, pattern in (
    ("esc50", r"audio/\d-(?P<recording>\d+)-[A-Z]-(?P<label>\d+)\."),
    ("urbansound8k", r"audio/fold\d+/(?P<recording>\d+)-(?P<label>\d+)-"),
):
    of = clips[index] = collections.defaultdict(list)
    for clip in json.loads((place / f"{index}_index.json").read_text())["clips"].values():
        found = re.match(pattern, clip["audio"][0])
        of[found["recording"]].append(int(found["label"]))
both = clips["esc50"].keys() & clips["urbansound8k"].keys()
seen = [len(both)]
for index, of in clips.items():
    seen.append(sum(len(of[recording]) for recording in both))
    print(f"{index}: {seen[-1]} of {sum(map(len, of.values()))} clips are of {len(both)} shared recordings")
within = {
    recording: [label for label in clips["esc50"][recording] if label in ESC10] for recording in both
}
seen += [sum(map(bool, within.values())), sum(map(len, within.values()))]
print(f"ESC-10: {seen[-2]} of these, in {seen[-1]} of 400 clips")
if seen != [94, 106, 474, 34, 36]:
    sys.exit("no longer as described")
print("as described")
PYTHON
