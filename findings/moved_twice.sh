#!/bin/sh
# pympi: moved by ten seconds, words of an ELAN file move by twenty.
#
# An ELAN file keeps its times in a list of slots, and annotations refer to them. Where ELAN divides an
# utterance into words without gaps (its type Time_Subdivision), the end of a word and the start of the
# next are one slot, and the first and the last word share the slots of the utterance. One would guess
# that shift_annotations moves all times by what it is given. It goes through the annotations and adds the
# shift to the two slots of each, so a slot that two of them share is moved twice. Where some slots are
# shared and some are not, an annotation ends before it begins. Files that pympi itself has written have two
# slots for each annotation, and move as they should.
#
# Version: pympi-ling 1.71. Seen, shift_annotations(10000), times in milliseconds:
#   utterance: 1000 to 2500 becomes 21000 to 22500
#   words: 1000 to 1500, 1500 to 2000, 2000 to 2500 becomes 21000 to 21500, 21500 to 22000, 22000 to 22500
#   gesture: 1200 to 1800 becomes 11200 to 11800
#   words without the utterance: 11000 to 21500, 21500 to 22000, 22000 to 12500
#   words, written by pympi: 11000 to 11500, 11500 to 12000, 12000 to 12500
# It exits with 1 once all of them move by 10000.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet pympi-ling==1.71
venv/bin/python - <<'PYTHON'
import sys
from importlib.metadata import version
from pathlib import Path

from pympi import Eaf

print("pympi-ling", version("pympi-ling"))
SLOTS = (1000, 1500, 2000, 2500, 1200, 1800)
WORDS = [(1, 2), (2, 3), (3, 4)]
TYPES = {"utterance": "speech", "words": "division", "gesture": "speech"}


def document(tiers):
    """An annotation document whose tiers refer to the slots by number, counted from 1."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<ANNOTATION_DOCUMENT AUTHOR="" DATE="2026-01-01T00:00:00+00:00" FORMAT="3.0" VERSION="3.0" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">',
        '<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds"/>',
        "<TIME_ORDER>",
    ]
    for number, value in enumerate(SLOTS, 1):
        lines.append(f'<TIME_SLOT TIME_SLOT_ID="ts{number}" TIME_VALUE="{value}"/>')
    lines.append("</TIME_ORDER>")
    count = 0
    for tier, pairs in tiers.items():
        parent = ' PARENT_REF="utterance"' if tier == "words" and "utterance" in tiers else ""
        lines.append(f'<TIER LINGUISTIC_TYPE_REF="{TYPES[tier]}"{parent} TIER_ID="{tier}">')
        for start, end in pairs:
            count += 1
            lines += [
                f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a{count}" '
                f'TIME_SLOT_REF1="ts{start}" TIME_SLOT_REF2="ts{end}">',
                f"<ANNOTATION_VALUE>{tier} {count}</ANNOTATION_VALUE>",
                "</ALIGNABLE_ANNOTATION></ANNOTATION>",
            ]
        lines.append("</TIER>")
    lines += [
        '<LINGUISTIC_TYPE GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="speech" TIME_ALIGNABLE="true"/>',
        '<LINGUISTIC_TYPE CONSTRAINTS="Time_Subdivision" GRAPHIC_REFERENCES="false" '
        'LINGUISTIC_TYPE_ID="division" TIME_ALIGNABLE="true"/>',
        '<CONSTRAINT DESCRIPTION="no gaps" STEREOTYPE="Time_Subdivision"/>',
        "</ANNOTATION_DOCUMENT>",
    ]
    return "\n".join(lines)


def times(file, tier):
    return [(start, end) for start, end, _ in file.get_annotation_data_for_tier(tier)]


def words(pairs):
    return ", ".join(f"{start} to {end}" for start, end in pairs)


def read(tiers):
    Path("talk.eaf").write_text(document(tiers))
    return Eaf("talk.eaf")


talk = {"utterance": [(1, 4)], "words": WORDS, "gesture": [(5, 6)]}
file, moved = read(talk), read(talk)
moved.shift_annotations(10000)
found = []
for tier in talk:
    found.append((times(file, tier), times(moved, tier)))
    print(f"{tier}: {words(found[-1][0])} becomes {words(found[-1][1])}")
alone = read({"words": WORDS})
alone.shift_annotations(10000)
found.append((times(file, "words"), times(alone, "words")))
print(f"words without the utterance: {words(found[-1][1])}")
own = Eaf()
own.add_tier("words")
for start, end in times(file, "words"):
    own.add_annotation("words", start, end, "word")
own.to_file("own.eaf")
own = Eaf("own.eaf")
own.shift_annotations(10000)
print(f"words, written by pympi: {words(times(own, 'words'))}")
right = [[(a + 10000, b + 10000) for a, b in before] == after for before, after in found]
if right != [False, False, True, False]:
    sys.exit("no longer as described")
print("as described")
PYTHON
