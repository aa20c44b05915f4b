#!/bin/sh
# Public data sets hold identical files, some of them in training and test.
#
# One would guess that a curated data set has every recording once, and that its evaluation part
# shares nothing with its development part. soundata ships an index with the MD5 of every file, so
# one can see this without any audio. FSD50K has 26 pairs of identical files under different names,
# one of them across development and evaluation. Clotho's file "freezer open_close" is in its
# development part and in the test of DCASE 2023, task 6a. In TAU 2020 Mobile 166 clips are there
# twice, and in MARCo 12.
#
# Version: soundata 0.1.3, the last release that ships the indexes in full. Seen, pairs of identical
# files:
#   FSD50K: 51197 files, 26 pairs, 1 across development and evaluation
#   FSDnoisy18k: 18529 files, 10 pairs, 0 across training and test
#   Clotho (DCASE 2023, task 6a): 6972 files, 1 pairs, 1 across development and test
#   TAU 2020 Mobile: 34915 files, 166 pairs, 0 across development and evaluation
#   MARCo: 1715 files, 12 pairs, 0 across pieces
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
import sys

print("soundata", importlib.metadata.version("soundata"))
# Read as data: the package itself is not imported, so what it needs is not installed.
(place,) = {
    file.locate().parent
    for file in importlib.metadata.files("soundata")
    if file.name == "fsd50k_index.json"
}
seen = []
for name, index, parts in (
    ("FSD50K", "fsd50k", "development and evaluation"),
    ("FSDnoisy18k", "fsdnoisy18k", "training and test"),
    ("Clotho (DCASE 2023, task 6a)", "dcase23_task6a", "development and test"),
    ("TAU 2020 Mobile", "tau2020uas_mobile", "development and evaluation"),
    ("MARCo", "marco", "pieces"),
):
    clips = json.loads((place / f"{index}_index.json").read_text())["clips"]
    by_sum = collections.defaultdict(set)
    for clip in clips.values():
        path, checksum = next(iter(clip.values()))
        if path and checksum:
            by_sum[checksum].add(path)
    alike = [paths for paths in by_sum.values() if len(paths) > 1]
    across = sum(len({path.rpartition("/")[0] for path in paths}) > 1 for paths in alike)
    print(f"{name}: {len(clips)} files, {len(alike)} pairs, {across} across {parts}")
    seen.append((len(alike), across))
if seen != [(26, 1), (10, 0), (1, 1), (166, 0), (12, 0)]:
    sys.exit("no longer as described")
print("as described")
PYTHON
