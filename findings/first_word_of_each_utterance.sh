#!/bin/sh
# pympi: a TextGrid from an ELAN file has the first word of each utterance alone.
#
# In ELAN utterances are commonly divided into words without times of their own ("symbolic subdivision"):
# each word points to its utterance. One would guess that to_textgrid gives each word a part of the time,
# or refuses such tiers. It gives each word the time of the whole utterance. All words but
# the first then overlap with one that is there already, which raises an error, and this error is ignored.
# The TextGrid holds the first words, as long as their utterances, and nothing tells that others are missing.
#
# Version: pympi-ling 1.71. Seen, three utterances and their eight words:
#   ELAN: the dog barks / it rains / all is quiet
#   words in the file: the dog barks it rains all is quiet
#   words in the TextGrid: the 0.0-0.9, it 1.0-1.6, all 2.0-2.9
# It exits with 1 once the TextGrid has other words.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet pympi-ling==1.71
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

from pympi.Elan import Eaf

print("pympi-ling", importlib.metadata.version("pympi-ling"))
utterances = {(0, 900): "the dog barks", (1000, 1600): "it rains", (2000, 2900): "all is quiet"}
file = Eaf()
file.remove_tier("default")
file.add_linguistic_type("words", constraints="Symbolic_Subdivision", timealignable=False)
file.add_tier("utterances")
file.add_tier("words", ling="words", parent="utterances")
for (start, end), text in utterances.items():
    file.add_annotation("utterances", start, end, text)
    previous = None
    for word in text.split():
        file.add_ref_annotation("words", "utterances", (start + end) // 2, word, previous)
        previous = f"a{file.maxaid}"
file.to_file("clip.eaf")

file = Eaf("clip.eaf")
written = [value for _, _, value, _ in file.get_ref_annotation_data_for_tier("words")]
grid = file.to_textgrid().get_tier("words")
found = [(start, end, label) for start, end, label in grid.get_all_intervals() if label]
print("ELAN:", " / ".join(utterances.values()))
print("words in the file:", *written)
print("words in the TextGrid:", ", ".join(f"{label} {start:.1f}-{end:.1f}" for start, end, label in found))
if written != " ".join(utterances.values()).split():
    sys.exit("no longer as described")
if found != [(0.0, 0.9, "the"), (1.0, 1.6, "it"), (2.0, 2.9, "all")]:
    sys.exit("no longer as described")
print("as described")
PYTHON
