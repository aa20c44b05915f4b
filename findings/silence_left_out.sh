#!/bin/sh
# mir_eval: without rows for silence, a perfect estimate of several pitches is half wrong.
#
# An estimate of pitches is a table of times and of the pitches heard at each. Some tables, such as those of
# JAMS files, leave out the times of silence. One would guess that no row means no pitch. For each time of
# the reference mir_eval.multipitch takes the nearest row, so it fills a gap with the notes before and after
# it. In an estimate these count as false alarms. If the reference has gaps, its silence is not scored at
# all, and an estimate that never falls silent is perfect. A warning says that the times differ, which it
# does for any other spacing as well. mir_eval.melody, for one pitch at a time, warns of gaps.
#
# Version: mir_eval 0.8.2 (scipy 1.17.1, numpy 2.4.6). Seen, 5 chords and 5 pauses of 1 s, rows of 10 ms:
#   all rows in both: accuracy 1.00, false alarms 0.00
#   perfect estimate, no rows for silence: accuracy 0.56, false alarms 0.80
#   estimate that never falls silent: accuracy 0.50, false alarms 1.00
#   the same, reference without rows for silence: accuracy 1.00, false alarms 0.00
# It exits with 1 once rows that are missing are silence.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet mir_eval==0.8.2 scipy==1.17.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

warnings.simplefilter("ignore")
import mir_eval
import numpy as np

print("mir_eval", version("mir_eval"))
times = np.arange(1000) / 100
heard = times % 2 < 1
chord = np.array([220.0, 277.2])
pitches = [chord if sounds else np.array([]) for sounds in heard]
rows = times, pitches
without = times[heard], [chord] * heard.sum()
always = times, [chord] * len(times)


def evaluate(name, reference, estimate):
    scores = mir_eval.multipitch.evaluate(*reference, *estimate)
    accuracy, alarms = scores["Accuracy"], scores["False Alarm Error"]
    print(f"{name}: accuracy {accuracy:.2f}, false alarms {alarms:.2f}")
    return accuracy


found = [
    evaluate("all rows in both", rows, rows),
    evaluate("perfect estimate, no rows for silence", rows, without),
    evaluate("estimate that never falls silent", rows, always),
    evaluate("the same, reference without rows for silence", without, always),
]
if found[1] > 0.9 or found[3] < 0.9:
    sys.exit("no longer as described")
print("as described")
PYTHON
