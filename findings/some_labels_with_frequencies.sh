#!/bin/sh
# scikit-maad and crowsetta: one label without frequencies, and a label track is empty or loses an event.
#
# Audacity writes a label as a line of times and text. If it was made as a selection of frequencies, a
# second line follows, which begins with a backslash. Labels of both kinds may stand in one track, and
# scikit-maad says that it reads both. One would guess that it gives every label. As soon as one label
# has frequencies, all lines are taken in pairs. If a label has none, the pairs do not match, the error
# is caught, and the result is an empty table, as for a recording in which nothing was labelled.
# crowsetta's "aud-bbox" takes the lines in pairs, too: a single line at the end is dropped without a
# word, and elsewhere it is an error.
#
# Version: scikit-maad 1.5.2, crowsetta 5.1.2 (pandas 3.1.1). Seen, a wren and an owl with frequencies,
# rain without:
#   wren, owl: scikit-maad wren, owl; crowsetta wren, owl
#   rain: scikit-maad rain; crowsetta ValueError
#   wren, owl, rain: scikit-maad nothing; crowsetta wren, owl
#   wren, rain, owl: scikit-maad nothing; crowsetta ValueError
# It exits with 1 once the third track has three labels in scikit-maad, or crowsetta refuses it or gives
# three.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet scikit-maad==1.5.2 crowsetta==5.1.2 numpy==2.4.6 pandas==3.1.1
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys
from pathlib import Path

from crowsetta.formats.bbox import AudBBox
from maad.util import read_audacity_annot

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("scikit-maad", "crowsetta")))
LABELS = {
    "wren": "1.000000\t2.000000\twren\n\\\t1500.000000\t4000.000000\n",
    "owl": "3.000000\t4.500000\towl\n\\\t900.000000\t2000.000000\n",
    "rain": "5.000000\t9.000000\train\n",
}


def by_maad(path):
    table = read_audacity_annot(path)
    return list(table["label"]) if len(table) else []


def by_crowsetta(path):
    try:
        return [box.label for box in AudBBox.from_file(path).to_annot().bboxes]
    except ValueError:
        return ["ValueError"]


seen = []
for names in (["wren", "owl"], ["rain"], ["wren", "owl", "rain"], ["wren", "rain", "owl"]):
    Path("labels.txt").write_text("".join(LABELS[name] for name in names))
    found = [by_maad("labels.txt"), by_crowsetta("labels.txt")]
    maad, crowsetta = (", ".join(each) or "nothing" for each in found)
    print(f"{', '.join(names)}: scikit-maad {maad}; crowsetta {crowsetta}")
    seen.append(found)
both = ["wren", "owl"]
if seen[:3] != [[both, both], [["rain"], ["ValueError"]], [[], both]]:
    sys.exit("no longer as described")
print("as described")
PYTHON
