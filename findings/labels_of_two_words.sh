#!/bin/sh
# JAMS: one label of two words takes away all labels of one word.
#
# import_lab reads .lab files, whose lines have a start, an end and a label. One would guess that a label
# of two words is kept, or refused. Every line is cut at each space, and the last part is the label, so
# "verse one" becomes "one". Lines of one word lack this part. With pandas 2 they keep their word, with
# pandas 3 they get a value that is not a number. With sep="\t" a file with tabs is read as one would guess.
# Beats, whose lines have a time and a number, last until the next one with pandas 2. With pandas 3 they
# last 0 s, under a warning of chained assignment, or are refused if times are not whole.
#
# Version: jams 0.3.5 (pandas 2.2.3 and 3.1.1, numpy 2.2.6). Seen:
#   pandas 2.2.3
#     segments: intro / one / chorus, saved
#     with sep="\t": intro / verse one / chorus, saved
#     beats at 1, 2, 3: lasting 1, 1, 0
#     beats at 0.5, 1, 1.5: lasting 0.5, 0.5, 0
#   pandas 3.1.1
#     segments: nan / one / nan, refused by save
#     with sep="\t": intro / verse one / chorus, saved
#     beats at 1, 2, 3: lasting 0, 0, 0
#     beats at 0.5, 1, 1.5: TypeError
# It exits with 1 once both versions of pandas give "verse one".
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > labels.py <<'PYTHON'
import sys
import warnings

import jams
import pandas

warnings.simplefilter("ignore")
print("pandas", pandas.__version__)


def read(namespace, lines, **options):
    with open("labels.lab", "w") as file:
        file.writelines("\t".join(map(str, line)) + "\n" for line in lines)
    return jams.util.import_lab(namespace, "labels.lab", **options)


def segments(**options):
    lines = ((0, 9, "intro"), (9, 20, "verse one"), (20, 31, "chorus"))
    annotation = read("segment_open", lines, **options)
    clip = jams.JAMS(annotations=[annotation])
    clip.file_metadata.duration = 31
    try:
        clip.save("clip.jams")
        end = "saved"
    except jams.SchemaError:
        end = "refused by save"
    return " / ".join(str(each.value) for each in annotation) + ", " + end


def beats(*times):
    try:
        annotation = read("beat", [(time, number) for number, time in enumerate(times, 1)])
    except TypeError:
        return "TypeError"
    return "lasting " + ", ".join(f"{each.duration:g}" for each in annotation)


found = segments()
print(f"  segments: {found}")
print(f'  with sep="\\t": {segments(sep=chr(9))}')
print(f"  beats at 1, 2, 3: {beats(1, 2, 3)}")
print(f"  beats at 0.5, 1, 1.5: {beats(0.5, 1, 1.5)}")
sys.exit("verse one" in found)
PYTHON
wrong=0
for pandas in 2.2.3 3.1.1; do
    python3 -m venv "venv-$pandas"
    "venv-$pandas/bin/pip" install --quiet jams==0.3.5 "pandas==$pandas" numpy==2.2.6
    "venv-$pandas/bin/python" labels.py && wrong=1
done
if [ "$wrong" = 0 ]; then
    echo "no longer as described"
    exit 1
fi
echo "as described"
