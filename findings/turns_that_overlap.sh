#!/bin/sh
# pyannote.core: of two sounds that take turns, a fifth of the frames hold both.
#
# discretize makes a table of 0 and 1 of an annotation, a row for each frame and a column for each label.
# One would guess that two sounds that take turns are never in one frame, if every turn begins and ends
# on the grid of the frames, and that a turn of 50 ms has five frames of 10 ms. A label gets the frames
# from the one whose centre is nearest to its start to the one whose centre is nearest to its end, both
# included. A time on the grid has two nearest centres, and rounding takes one. So a turn has up to two
# frames too many, at every change one frame has both labels, and duration does not change this. Frames
# of two labels are what a detector of overlaps is trained on, and short events become longer by most.
#
# Version: pyannote.core 6.1.0 (numpy 2.4.6). Seen, ten turns each of a and b:
#   turns of 50 ms, frames of 10 ms: 100 frames, a in 52, b in 67, both in 19
#   turns of 40 ms, frames of 20 ms: 40 frames, a in 31, b in 28, both in 19
#   turns of 1000 ms, frames of 10 ms: 2000 frames, a in 1010, b in 1009, both in 19
# It exits with 1 once no frame has both.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet pyannote.core==6.1.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

from pyannote.core import Annotation, Segment

print("pyannote.core", importlib.metadata.version("pyannote.core"))
shared = []
for turn, frame in ((50, 10), (40, 20), (1000, 10)):
    turns = Annotation()
    for number in range(20):
        turns[Segment(number * turn / 1000, (number + 1) * turn / 1000)] = "ab"[number % 2]
    whole = 20 * turn / 1000
    table = turns.discretize(Segment(0, whole), resolution=frame / 1000, duration=whole).data
    (a, b), both = table.sum(0), int((table.sum(1) == 2).sum())
    print(f"turns of {turn} ms, frames of {frame} ms:", end=" ")
    print(f"{len(table)} frames, a in {a}, b in {b}, both in {both}")
    shared.append((len(table), both))
if not all(both for _, both in shared):
    sys.exit("no longer as described")
print("as described")
PYTHON
