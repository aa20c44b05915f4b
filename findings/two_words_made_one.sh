#!/bin/sh
# praatio: cutting a pause out of a TextGrid joins the words beside it, if they are the same word.
#
# eraseRegion takes a stretch of time out of a TextGrid, and moves what follows to the left, as when the
# pauses of a recording are cut out. One would guess that the words around a pause stay as many as they
# were. If both have the same label they become one word. Counts of words, calls or syllables then fall,
# and their durations double, for just those that are repeated. An interval that spans the cut is joined
# again, as it should be, and the function does not ask which of the two it has.
#
# Version: praatio 6.2.2. Seen, three calls of half a second and the pauses between them cut out:
#   chip chip buzz: chip 0.0-1.0, buzz 1.0-1.5
#   chip chap buzz: chip 0.0-0.5, chap 0.5-1.0, buzz 1.0-1.5
# It exits with 1 once the first line has three calls.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet praatio==6.2.2
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

from praatio.textgrid import IntervalTier, Textgrid

print("praatio", importlib.metadata.version("praatio"))


def without_pauses(labels):
    """The calls of half a second, once the pauses of half a second between them are cut out."""
    calls = [(number, number + 0.5, label) for number, label in enumerate(labels)]
    grid = Textgrid(0, 3)
    grid.addTier(IntervalTier("calls", calls, 0, 3))
    # From the last pause to the first, so that the times of the others stay.
    for number in (1, 0):
        grid = grid.eraseRegion(number + 0.5, number + 1, doShrink=True)
    found = grid.getTier("calls").entries
    print(" ".join(labels) + ": " + ", ".join(f"{label} {start:.1f}-{end:.1f}" for start, end, label in found))
    return [label for _, _, label in found]


if without_pauses(["chip", "chip", "buzz"]) != ["chip", "buzz"]:
    sys.exit("no longer as described")
if without_pauses(["chip", "chap", "buzz"]) != ["chip", "chap", "buzz"]:
    sys.exit("no longer as described")
print("as described")
PYTHON
