#!/bin/sh
# mirdata: the sum of two melodies lacks what only the first of them has.
#
# mirdata loads annotations of music. Its MultiF0Data holds the pitches that are heard at each time, and can be
# added: with +, its loader of Dagstuhl ChoirSet joins the singers of a choir. One would guess that the sum
# has all pitches of both. It has the times of the one that ends last, and the other is resampled to them. What
# lies before these times is dropped, in either order of the two, and so is what lies between them if they are
# coarse. There is no warning.
#
# Version: mirdata 1.0.0. Seen, seconds of each melody in the sum:
#   flute from 0 to 10 s, violin from 5 to 15 s: flute 5.00 of 10, violin 10.00 of 10, from 5.00 to 14.99 s
#   violin first: flute 5.00 of 10, violin 10.00 of 10, from 5.00 to 14.99 s
#   flute from 0 to 16 s, violin from 5 to 15 s: flute 16.00 of 16, violin 10.00 of 10, from 0.00 to 15.99 s
#   flute in 1000 frames of 10 ms, drone in 11 frames of a second: a sum of 11 frames
# It exits with 1 once the sum has all of the flute.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet mirdata==1.0.0 librosa==0.11.0 scipy==1.17.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from mirdata.annotations import F0Data

print("mirdata", version("mirdata"))


def melody(start, end, pitch, hop=0.01):
    """A held note in frames of `hop` seconds."""
    times = start + hop * np.arange(round((end - start) / hop))
    pitches = np.full(len(times), float(pitch))
    return F0Data(times, "s", pitches, "hz", np.ones(len(times)), "binary").to_multif0()


def seconds(data, pitch):
    return 0.01 * sum(pitch in pitches for pitches in data.frequency_list)


def show(name, total, length):
    flute, violin = seconds(total, 880), seconds(total, 440)
    span = f"from {total.times[0]:.2f} to {total.times[-1]:.2f} s"
    print(f"{name}: flute {flute:.2f} of {length}, violin {violin:.2f} of 10, {span}")
    return flute


flute, violin = melody(0, 10, 880), melody(5, 15, 440)
found = show("flute from 0 to 10 s, violin from 5 to 15 s", flute + violin, 10)
other = show("violin first", violin + flute, 10)
longer = melody(0, 16, 880)
whole = show("flute from 0 to 16 s, violin from 5 to 15 s", longer + violin, 16)
drone = melody(0, 11, 440, hop=1.0)
frames = [len(each.times) for each in (flute, drone, flute + drone)]
print("flute in {} frames of 10 ms, drone in {} frames of a second: a sum of {} frames".format(*frames))
if not (found < 6 and other < 6 and whole > 15.9):
    sys.exit("no longer as described")
print("as described")
PYTHON
