#!/bin/sh
# lhotse: cut into windows, four seconds of labels become eight.
#
# cut_into_windows cuts a recording into pieces, and one would guess that it cuts the labels with
# it. By default each window gets every supervision that touches it, at its full length: it begins
# before the window (start -1), or ends after it. Sums over cuts count such a label twice, and a
# target for each frame has to be clipped. With keep_excessive_supervisions=False such labels are
# dropped instead.
#
# Version: lhotse 1.33.0 (torch 2.14.1). Seen, 10 s with labels at 3 to 5 s and 7 to 9 s, windows of 2
# s:
#   before: 4 s of labels
#   windows: [], [(1, 3)], [(-1, 1)], [(1, 3)], [(-1, 1)]: 8 s
#   after SupervisionSegment.trim: 4.0 s
# It exits with 1 once the windows hold 4 s.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet lhotse==1.33.0 torch==2.14.1 soundfile==0.14.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import lhotse
import numpy as np
import soundfile
from lhotse import CutSet, Recording, SupervisionSegment

print("lhotse", lhotse.__version__)
noise = 0.1 * np.random.default_rng(0).normal(size=10 * 16000)
soundfile.write("wave.wav", noise, 16000)
cut = Recording.from_file("wave.wav").to_cut()
cut.supervisions = [
    SupervisionSegment(name, "wave", start=start, duration=2) for name, start in (("a", 3), ("b", 7))
]


def seconds(cuts, trimmed=False):
    return sum(
        (label.trim(cut.duration) if trimmed else label).duration
        for cut in cuts
        for label in cut.supervisions
    )


windows = CutSet.from_cuts([cut]).cut_into_windows(2).to_eager()
print(f"before: {seconds([cut])} s of labels")
places = [str([(label.start, label.end) for label in window.supervisions]) for window in windows]
print(f"windows: {', '.join(places)}: {seconds(windows)} s")
print(f"after SupervisionSegment.trim: {seconds(windows, trimmed=True)} s")
if seconds(windows) != 8 or seconds(windows, trimmed=True) != 4:
    sys.exit("no longer as described")
print("as described")
PYTHON
