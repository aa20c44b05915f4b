#!/bin/sh
# praatio: cutting an excerpt out of a TextGrid moves its tiers apart.
#
# crop of a TextGrid takes the labels between two times. With rebaseToZero the start of the excerpt is
# subtracted from all times, and with the mode "lax" labels that reach over a border are kept whole. One
# would guess that words, their phones and a click still lie where they lay to each other, and that times
# are those of the excerpt of the recording. In this mode each tier of intervals is moved by itself, so that
# its first label begins at 0. A word that began long before the excerpt moves its tier by less than a phone
# does, and points move by the start of the excerpt. The other modes move all tiers alike.
#
# Version: praatio 6.2.2. Seen, from 1 to 2 s, for a word, its last phone and a click that all end at 1.3 s:
#   strict: the phone ends at 0.3, the click is at 0.3
#   truncated: the word ends at 0.3, the phone ends at 0.3, the click is at 0.3
#   lax: the word ends at 0.6, the phone ends at 0.4, the click is at 0.3
# It exits with 1 once all modes give the same times.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet praatio==6.2.2
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

from praatio.textgrid import IntervalTier, PointTier, Textgrid

print("praatio", importlib.metadata.version("praatio"))
words = [(0.4, 0.7, "a"), (0.7, 1.3, "cat"), (1.3, 1.9, "sat")]
phones = [(0.7, 0.9, "k"), (0.9, 1.1, "ae"), (1.1, 1.3, "t"), (1.3, 1.5, "s"), (1.5, 1.9, "at")]
grid = Textgrid(0, 3)
grid.addTier(IntervalTier("words", words, 0, 3))
grid.addTier(IntervalTier("phones", phones, 0, 3))
grid.addTier(PointTier("clicks", [(1.3, "click")], 0, 3))

ends = {}
for mode in ("strict", "truncated", "lax"):
    cut = grid.crop(1, 2, mode, True)
    found = {label: end for _, end, label in cut.getTier("words").entries if label == "cat"}
    found |= {label: end for _, end, label in cut.getTier("phones").entries if label == "t"}
    found |= {label: time for time, label in cut.getTier("clicks").entries}
    ends[mode] = {label: round(end, 9) for label, end in found.items()}
    texts = {"cat": "the word ends at", "t": "the phone ends at", "click": "the click is at"}
    print(f"{mode}: " + ", ".join(f"{texts[label]} {end:g}" for label, end in ends[mode].items()))
if any(set(ends[mode].values()) != {0.3} for mode in ("strict", "truncated")):
    sys.exit("no longer as described")
if len(set(ends["lax"].values())) != 3:
    sys.exit("no longer as described")
print("as described")
PYTHON
