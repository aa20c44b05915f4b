#!/bin/sh
# miditoolkit: saving an excerpt of a piece moves the notes of the piece.
#
# dump writes a MIDI file, and with segment only a part of the piece, which begins at 0 by default. One would
# guess that saving leaves the piece as it is. The notes of the excerpt are cut and moved in the piece itself.
# Whoever cuts a piece into overlapping windows, as is common for training, gets a right first and second
# window. Then notes are missing, because they were moved away with an earlier window. If the whole is saved
# afterwards, notes sound together that followed each other.
#
# Version: miditoolkit 1.0.1 (numpy 2.4.6). Seen, a scale of eight notes, one a beat, from 60 on, and windows
# of four beats:
#   beats 0 to 4: 60 61 62 63
#   beats 2 to 6: 62 63 64 65
#   beats 4 to 8: 66 67
#   the piece, by beat: 60+62 61+63 64+66 65+67
# It exits with 1 once the third window has four notes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet miditoolkit==1.0.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

from miditoolkit import Instrument, MidiFile, Note

print("miditoolkit", importlib.metadata.version("miditoolkit"))
BEAT = 480
piece = MidiFile(ticks_per_beat=BEAT)
piece.instruments.append(Instrument(0))
piece.instruments[0].notes = [Note(80, 60 + beat, BEAT * beat, BEAT * (beat + 1)) for beat in range(8)]

windows = {}
for first in (0, 2, 4):
    piece.dump("window.mid", segment=(BEAT * first, BEAT * (first + 4)))
    notes = MidiFile("window.mid").instruments[0].notes
    windows[first] = [note.pitch for note in sorted(notes, key=lambda note: note.start)]
    print(f"beats {first} to {first + 4}:", *windows[first])
beats = {}
for note in piece.instruments[0].notes:
    beats.setdefault(note.start // BEAT, []).append(note.pitch)
print("the piece, by beat:", *("+".join(map(str, beats[beat])) for beat in sorted(beats)))
if windows != {0: [60, 61, 62, 63], 2: [62, 63, 64, 65], 4: [66, 67]}:
    sys.exit("no longer as described")
print("as described")
PYTHON
