#!/bin/sh
# mir_eval: for an algorithm that rightly finds nothing, one metric is 0 and another is 1.
#
# If nothing happens in a recording, an algorithm that says so has made no mistake. One would guess
# an F-measure of 1, or none at all. For onsets, beats and notes it is 0 with a warning, so the mean
# over clips falls with every silent clip, even for a perfect algorithm. For melody the overall
# accuracy is 1. And beat.evaluate leaves out the first five seconds, so any answer on a clip of
# five seconds gets 0.
#
# Version: mir_eval 0.8.2. Seen, reference and estimate are the same:
#   no onset in either: 0.0
#   no note in either: 0.0
#   no pitch in either: 1.0
#   ten beats in 5 s, beat.f_measure: 1.0
#   ten beats in 5 s, beat.evaluate: 0.0
# It exits with 1 once silence heard right has the same score in all.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet mir_eval==0.8.2 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys
import warnings

import mir_eval
import numpy as np

warnings.simplefilter("ignore")
print("mir_eval", mir_eval.__version__)
none = np.array([])
onsets = mir_eval.onset.f_measure(none, none)[0]
spans = np.empty((0, 2))
notes = mir_eval.transcription.precision_recall_f1_overlap(spans, none, spans, none)[2]
times = np.arange(0, 1, 0.01)
silent = np.zeros(len(times))
pitch = mir_eval.melody.evaluate(times, silent, times, silent)["Overall Accuracy"]
beats = np.arange(0, 5, 0.5)
plain = mir_eval.beat.f_measure(beats, beats)
whole = mir_eval.beat.evaluate(beats, beats)["F-measure"]
print(f"no onset in either: {onsets}")
print(f"no note in either: {notes}")
print(f"no pitch in either: {pitch}")
print(f"ten beats in 5 s, beat.f_measure: {plain}")
print(f"ten beats in 5 s, beat.evaluate: {whole}")
if (onsets, notes, pitch, plain, whole) != (0, 0, 1, 1, 0):
    sys.exit("no longer as described")
print("as described")
PYTHON
