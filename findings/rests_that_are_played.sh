#!/bin/sh
# muspy: a beat of rest counts as played, and music in two voices is not polyphonic.
#
# muspy's metrics compare generated music with real music. empty_beat_rate is "the ratio of empty beats,
# where no note is played", and polyphony_rate the share of time steps "where multiple pitches are on", with a
# threshold of 2. One would guess that a note and a rest in turn, a beat each, leave half of the beats
# empty, and that two voices are multiple pitches. A note also fills the beat that begins when it ends. So
# no rest of one beat is empty, whatever is before it. A rest of one measure is not, either. And the number
# of pitches has to be above the threshold, so two voices give 0.
#
# Version: muspy 0.5.0 (numpy 2.4.6). Seen, notes of a beat and rests of a beat in turn:
#   empty beats: 0.00, if each note is one of 24 ticks shorter 0.47
#   notes of a measure and rests of a measure in turn, empty measures: 0.00
#   polyphony rate: one voice 0.00, two voices 0.00, three voices 1.00, two voices with threshold=1 1.00
# It exits with 1 once the rests count as empty, or two voices as polyphonic.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet muspy==0.5.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys
from importlib.metadata import version

import muspy

print("muspy", version("muspy"))
beat = 24


def piece(*notes):
    notes = [muspy.Note(time=time, pitch=pitch, duration=duration) for time, pitch, duration in notes]
    return muspy.Music(resolution=beat, tracks=[muspy.Track(notes=notes)])


def in_turn(length, duration):
    """Eight notes, with rests between them."""
    return piece(*((2 * index * length, 60, duration) for index in range(8)))


rests = muspy.empty_beat_rate(in_turn(beat, beat))
shorter = muspy.empty_beat_rate(in_turn(beat, beat - 1))
print(f"empty beats: {rests:.2f}, if each note is one of {beat} ticks shorter {shorter:.2f}")
measures = muspy.empty_measure_rate(in_turn(4 * beat, 4 * beat), 4 * beat)
print(f"notes of a measure and rests of a measure in turn, empty measures: {measures:.2f}")
voices = [
    piece(*((index * beat, 60 + 4 * voice, beat) for index in range(8) for voice in range(count)))
    for count in (1, 2, 3)
]
rates = [muspy.polyphony_rate(music) for music in voices]
above = muspy.polyphony_rate(voices[1], threshold=1)
print(
    f"polyphony rate: one voice {rates[0]:.2f}, two voices {rates[1]:.2f}, three voices {rates[2]:.2f}, "
    f"two voices with threshold=1 {above:.2f}"
)
if rests or measures or shorter < 0.4 or rates != [0, 0, 1] or above != 1:
    sys.exit("no longer as described")
print("as described")
PYTHON
