#!/bin/sh
# pretty_midi: a note that is held over the border of a crop is in neither part.
#
# crop keeps the part of a piece between two times. One would guess that it cuts a note that goes on beyond
# the border, as cutting a recording does, so that the parts of a piece have all its sound. Notes that do not
# lie wholly in a part are dropped. A drone is in no part at all. Whoever cuts recordings and their MIDI files
# into clips, to train a network that transcribes music, gives it sounds without notes.
#
# Version: pretty_midi 0.2.11.post0 (numpy 2.4.6). Seen, ten notes of 1.5 s, one each second, above a drone,
# in clips of 2 s, as seconds of sound for which there is a note:
#   the whole: 15.0 s of short notes, 11.0 s of the drone
#   six clips: 7.5 s of short notes, 0.0 s of the drone
# It exits with 1 once the clips have as much as the whole.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet pretty_midi==0.2.11.post0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys
import warnings
from copy import deepcopy

warnings.simplefilter("ignore")
import pretty_midi

print("pretty_midi", importlib.metadata.version("pretty_midi"))
piece = pretty_midi.PrettyMIDI()
piece.instruments.append(pretty_midi.Instrument(0))
piece.instruments[0].notes = [pretty_midi.Note(80, 40, 0, 11)] + [
    pretty_midi.Note(80, 60 + number, number, number + 1.5) for number in range(10)
]


def seconds(name, parts):
    """How long short notes and the drone are in all parts together."""
    notes = [note for part in parts for note in part.instruments[0].notes]
    short, drone = (sum(note.end - note.start for note in notes if (note.pitch == 40) == low) for low in (0, 1))
    print(f"{name}: {short:.1f} s of short notes, {drone:.1f} s of the drone")
    return round(short, 6), round(drone, 6)


clips = []
for start in range(0, 12, 2):
    clips.append(deepcopy(piece))
    clips[-1].crop(start, start + 2)
whole, cut = seconds("the whole", [piece]), seconds("six clips", clips)
if whole != (15, 11) or cut != (7.5, 0):
    sys.exit("no longer as described")
print("as described")
PYTHON
