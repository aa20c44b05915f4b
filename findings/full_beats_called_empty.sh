#!/bin/sh
# pypianoroll: music without a rest has an empty beat rate of 1, and silence one of 0.
#
# pypianoroll's metrics compare generated music with real music. One would guess that empty_beat_rate, "the
# ratio of empty beats, where no note is played", is 0 for music that never rests, and 1 for silence. It
# counts the beats with a note, and calls the count n_empty_beats. It is 1 for the music, and 0 for
# silence. muspy, whose reference says that this metric is also in Pypianoroll, gives 0 for the music.
#
# Version: pypianoroll 1.0.4 (muspy 0.5.0, numpy 2.4.6). Seen, eight beats:
#   a note in every beat: 1.000, muspy 0.000
#   a note in the first beat only: 0.125
#   silence: 0.000
# It exits with 1 once silence has a rate of 1.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet pypianoroll==1.0.4 muspy==0.5.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys
from importlib.metadata import version

import muspy
import numpy as np
import pypianoroll

print("pypianoroll", version("pypianoroll"))
beat = 24


def rate(beats):
    """Of eight beats, where the given ones have a note."""
    roll = np.zeros((8 * beat, 128), "uint8")
    for index in beats:
        roll[index * beat : (index + 1) * beat, 60] = 100
    return pypianoroll.empty_beat_rate(roll, beat)


full, first, silence = rate(range(8)), rate([0]), rate([])
# muspy counts the beat after the last note, so the last note is a tick shorter.
notes = [muspy.Note(time=index * beat, pitch=60, duration=beat - 1) for index in range(8)]
other = muspy.empty_beat_rate(muspy.Music(resolution=beat, tracks=[muspy.Track(notes=notes)]))
print(f"a note in every beat: {full:.3f}, muspy {other:.3f}")
print(f"a note in the first beat only: {first:.3f}")
print(f"silence: {silence:.3f}")
if (full, first, silence, other) != (1, 1 / 8, 0, 0):
    sys.exit("no longer as described")
print("as described")
PYTHON
