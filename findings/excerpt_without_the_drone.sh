#!/bin/sh
# miditoolkit: the piano roll of an excerpt lacks the notes that are held beyond it.
#
# notes2pianoroll turns notes into an array of times and pitches, and with time_portion only those between
# two times. One would guess that this is the same as those rows of the whole array. It goes through the
# notes in the order of their ends, and stops at the first that starts after the excerpt. A held note ends
# after many short ones, so it is never reached: the drone of a piece, or the pedal note of an organ, is in
# the array of the whole and in no early excerpt.
#
# Version: miditoolkit 1.0.1 (numpy 2.4.6). Seen, a drone of pitch 40 below four short notes from 60 on:
#   the first 400 ticks of the whole: 40 60
#   time_portion=(0, 400): 60
#   the first 1000 ticks of the whole: 40 60 61 62
#   time_portion=(0, 1000): 60 61 62
# It exits with 1 once both have the drone.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet miditoolkit==1.0.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

from miditoolkit import Note
from miditoolkit.pianoroll.parser import notes2pianoroll

print("miditoolkit", importlib.metadata.version("miditoolkit"))
drone = Note(80, 40, 0, 2000)
notes = [drone] + [Note(80, 60 + number, 480 * number, 480 * number + 240) for number in range(4)]
whole = notes2pianoroll(notes, pitch_range=(0, 127))
for end in (400, 1000):
    excerpt = notes2pianoroll(notes, pitch_range=(0, 127), time_portion=(0, end))
    heard, found = ([int(pitch) for pitch in rows.any(0).nonzero()[0]] for rows in (whole[:end], excerpt))
    print(f"the first {end} ticks of the whole:", *heard)
    print(f"time_portion=(0, {end}):", *found)
    if heard != [40, *found] or 60 not in found:
        sys.exit("no longer as described")
print("as described")
PYTHON
