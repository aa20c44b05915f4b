#!/bin/sh
# crowsetta: every selection of a Raven table becomes two boxes.
#
# Raven shows a sound as a waveform and a spectrogram, and its selection tables have a row for each
# view of a selection, with the same number. One would guess that a reader for this format gives one
# box for each selection. crowsetta gives one for each row, so all boxes come twice, and counts,
# durations and class weights double. If tables that were saved with one view stand beside tables
# with two, the clips of some count twice and those of others once.
#
# Version: crowsetta 5.1.2. Seen, two selections, 1 to 2 s and 3 to 4.5 s:
#   rows with both views: 4 boxes, 5.0 s
#   rows of the spectrogram: 2 boxes, 2.5 s
# It exits with 1 once both have two boxes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet crowsetta==5.1.2 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys
from pathlib import Path

import crowsetta

print("crowsetta", importlib.metadata.version("crowsetta"))
names = "Selection View Channel Begin_Time_(s) End_Time_(s) Low_Freq_(Hz) High_Freq_(Hz) Species"
header = "\t".join(name.replace("_", " ") for name in names.split())
selections = {1: ("1.0", "2.0", "1500.5", "4000.5", "wren"), 2: ("3.0", "4.5", "900.5", "2000.5", "owl")}


def boxes(views):
    rows = [
        "\t".join([str(number), view, "1", *row]) for number, row in selections.items() for view in views
    ]
    Path("table.txt").write_text("\n".join([header, *rows]) + "\n")
    table = crowsetta.formats.bbox.Raven.from_file("table.txt", annot_col="Species")
    return table.to_annot().bboxes


counts = []
for name, views in (
    ("rows with both views", ("Waveform 1", "Spectrogram 1")),
    ("rows of the spectrogram", ("Spectrogram 1",)),
):
    found = boxes(views)
    seconds = sum(float(box.offset - box.onset) for box in found)
    print(f"{name}: {len(found)} boxes, {seconds} s")
    counts.append(len(found))
if counts != [4, 2]:
    sys.exit("no longer as described")
print("as described")
PYTHON
