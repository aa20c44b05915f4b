#!/bin/sh
# audformat: the number 2 is two seconds, and the text "2" is two nanoseconds.
#
# Tables are often read as text, so that labels such as 001 survive, and the times are then text as
# well. One would guess that segmented_index takes "2" as it takes 2, or refuses it. For text that
# has no unit it asks pandas, which counts nanoseconds. If only one of the two times has a unit, the
# end lies before the start. "2.5" is refused, so only tables of whole numbers go wrong without an
# error.
#
# Version: audformat 1.4.3 (pandas 3.1.1). Seen, segment from 1 to 2:
#   numbers 1, 2: 1.0 s long
#   text "1", "2": 1e-09 s long
#   text "1s", "2": ends before it starts
#   text "1", "2.5": ValueError: no units specified
# It exits with 1 once the text is as long as the numbers, or refused.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet audformat==1.4.3 pandas==3.1.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

import audformat

print("audformat", importlib.metadata.version("audformat"))


def length(start, end):
    index = audformat.segmented_index(["a.wav"], [start], [end])
    span = index.get_level_values("end") - index.get_level_values("start")
    return span.total_seconds()[0]


numbers, text, mixed = length(1, 2), length("1", "2"), length("1s", "2")
print(f"numbers 1, 2: {numbers} s long")
print(f'text "1", "2": {text} s long')
print(f'text "1s", "2":', "ends before it starts" if mixed < 0 else mixed)
try:
    print(f'text "1", "2.5": {length("1", "2.5")} s long')
except ValueError as error:
    print(f'text "1", "2.5": ValueError: {error.__cause__ or error}')
if numbers != 1 or text == 1 or mixed >= 0:
    sys.exit("no longer as described")
print("as described")
PYTHON
