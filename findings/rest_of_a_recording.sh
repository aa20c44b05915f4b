#!/bin/sh
# soundevent: the rest of a recording is in no segment, though it was asked for.
#
# segment_clip divides a clip into segments, and with include_incomplete=True it shall give the last one even
# if it is shorter than the others. One would guess that the segments then cover the clip. The number of
# segments is the duration divided by the hop, rounded down. So without overlap the rest never comes, with
# the argument or without it. The division is that of floats, and 1.2 / 0.4 is a little less than 3, so
# whole segments are lost as well.
#
# Version: soundevent 2.10.0. Seen, include_incomplete=True:
#   10 s in segments of 3 s: 0 to 3, 3 to 6, 6 to 9
#   10 s in segments of 3 s, a hop of 2 s: 0 to 3, 2 to 5, 4 to 7, 6 to 9, 8 to 10
#   14 s in segments of 5 s: 0 to 5, 5 to 10
#   1.2 s in segments of 0.4 s: 0 to 0.4, 0.4 to 0.8
#   clips of 0.1 to 60.0 s in segments of 0.1 s: 196 of 600 clips lack their last segment
# It exits with 1 once the segments of 10 s end at 10 s.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet soundevent==2.10.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys
from importlib.metadata import version

from soundevent import data
from soundevent.operations import segment_clip

print("soundevent", version("soundevent"))
recording = data.Recording(path="wood.wav", samplerate=48000, channels=1, duration=60)


def segments(end, duration, hop=None):
    clip = data.Clip(recording=recording, start_time=0, end_time=end)
    parts = segment_clip(clip, duration, hop, include_incomplete=True)
    return [(round(part.start_time, 6), round(part.end_time, 6)) for part in parts]


def show(end, duration, hop=None):
    parts = segments(end, duration, hop)
    text = ", ".join(f"{start:g} to {stop:g}" for start, stop in parts)
    more = f", a hop of {hop} s" if hop else ""
    print(f"{end} s in segments of {duration} s{more}: {text}")
    return parts


rest = show(10, 3)
overlap = show(10, 3, 2)
half = show(14, 5)
whole = show(1.2, 0.4)
lost = sum(len(segments(tenths / 10, 0.1)) < tenths for tenths in range(1, 601))
print(f"clips of 0.1 to 60.0 s in segments of 0.1 s: {lost} of 600 clips lack their last segment")
if rest[-1] != (6, 9) or overlap[-1] != (8, 10) or half[-1] != (5, 10) or len(whole) != 2 or not lost:
    sys.exit("no longer as described")
print("as described")
PYTHON
