#!/bin/sh
# tgt and crowsetta: labels of a TextGrid change on the way in, depending on how Praat saved it.
#
# Praat saves an annotation as a TextGrid in a long format (text = "dog") or a short one ("dog"), and
# doubles quotation marks within a label. One would guess that a reader gives the same labels from both,
# as they were written. tgt cuts a line of the long format at " = ", so a label that has this in it ends
# there, without its last character as well. "n = 3" becomes empty, and intervals of empty labels are left
# out by default. From the short format it is right. crowsetta removes the doubling from neither, and
# quotation marks are the stress marks of X-SAMPA. The package textgrid is right in all cases.
#
# Version: tgt 1.5, crowsetta 5.1.2, textgrid 1.6.1. Seen:
#   written:           F0 = 120 Hz | n = 3 | h@"l@U
#   tgt, long:         F | h@"l@U
#   tgt, short:        F0 = 120 Hz | n = 3 | h@"l@U
#   crowsetta, long:   F0 = 120 Hz | n = 3 | h@""l@U
#   crowsetta, short:  F0 = 120 Hz | n = 3 | h@""l@U
#   textgrid, long:    F0 = 120 Hz | n = 3 | h@"l@U
#   textgrid, short:   F0 = 120 Hz | n = 3 | h@"l@U
# It exits with 1 once tgt or crowsetta gives the labels that were written, from the long format.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet tgt==1.5 crowsetta==5.1.2 textgrid==1.6.1 numpy==2.4.6 pandas==3.1.1
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys
from pathlib import Path

import crowsetta
import textgrid
import tgt

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("tgt", "crowsetta", "textgrid")))
written = ["F0 = 120 Hz", "n = 3", 'h@"l@U']
quoted = ['"' + label.replace('"', '""') + '"' for label in written]
long = f"""File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 3
tiers? <exists>
size = 1
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 3
        intervals: size = 3
"""
short = """File type = "ooTextFile"
Object class = "TextGrid"

0
3
<exists>
1
"IntervalTier"
"words"
0
3
3
"""
for number, label in enumerate(quoted):
    long += f"        intervals [{number + 1}]:\n            xmin = {number}\n"
    long += f"            xmax = {number + 1}\n            text = {label}\n"
    short += f"{number}\n{number + 1}\n{label}\n"
Path("long.TextGrid").write_text(long)
Path("short.TextGrid").write_text(short)
readers = {
    "tgt": lambda path: [each.text for each in tgt.read_textgrid(path).tiers[0]],
    "crowsetta": lambda path: list(crowsetta.formats.seq.TextGrid.from_file(path).to_seq().labels),
    "textgrid": lambda path: [each.mark for each in textgrid.TextGrid.fromFile(path)[0]],
}
print(f"{'written:':18}", " | ".join(written))
found = {}
for name, reader in readers.items():
    for layout in ("long", "short"):
        labels = [str(label) for label in reader(f"{layout}.TextGrid")]
        print(f"{f'{name}, {layout}:':18}", " | ".join(labels))
        found[name, layout] = labels
doubled = [*written[:2], 'h@""l@U']
if found["tgt", "long"] != ["F", written[2]] or found["crowsetta", "long"] != doubled:
    sys.exit("no longer as described")
print("as described")
PYTHON
