#!/bin/sh
# pympi: the words of the last utterance of an ELAN file are left out.
#
# Words that divide an utterance of an ELAN file have no times of their own ("symbolic subdivision").
# get_annotation_data_for_symbsub_tier divides the time of each utterance equally among its words, and its
# docstring promises all of them. One would guess that it gives the words of all utterances. It hands over
# the words of an utterance when the next utterance begins, and after the last one nothing begins. A file of
# one utterance has no words at all.
#
# Version: pympi-ling 1.71. Seen, times in ms:
#   3 utterances: the 0-300, dog 300-600, barks 600-900, it 1000-1300, rains 1300-1600
#   1 utterance: nothing
# It exits with 1 once the words of the last utterance are there.
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
utterances = [(0, 900, "the dog barks"), (1000, 1600, "it rains"), (2000, 2900, "all is quiet")]


def words_of(utterances):
    """The words that pympi finds, each with its times."""
    file = Eaf()
    file.remove_tier("default")
    file.add_linguistic_type("words", constraints="Symbolic_Subdivision", timealignable=False)
    file.add_tier("utterances")
    file.add_tier("words", ling="words", parent="utterances")
    for start, end, text in utterances:
        file.add_annotation("utterances", start, end, text)
        previous = None
        for word in text.split():
            file.add_ref_annotation("words", "utterances", (start + end) // 2, word, previous)
            previous = f"a{file.maxaid}"
    file.to_file("clip.eaf")
    found = Eaf("clip.eaf").get_annotation_data_for_symbsub_tier("words")
    texts = [f"{word} {start}-{end}" for start, end, word in found]
    count = f"{len(utterances)} utterance" + ("s" if len(utterances) > 1 else "")
    print(f"{count}: " + (", ".join(texts) or "nothing"))
    return [word for _, _, word in found]


if words_of(utterances) != ["the", "dog", "barks", "it", "rains"] or words_of(utterances[:1]) != []:
    sys.exit("no longer as described")
print("as described")
PYTHON
