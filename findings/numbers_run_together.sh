#!/bin/sh
# whisper-normalizer: "five six" and "fifty six" are the same, and "5 6" is something else.
#
# Before words are compared, the English normaliser of Whisper writes numbers as digits, so that "fifty
# six" and "56" are equal. One would guess that different numbers stay different, and that two numbers stay
# two. Number words that follow each other are joined to one number, over commas too; digits are not. So
# other numbers cost nothing, and the right ones in digits cost more than one error a word. "oh" is a zero
# everywhere, and "one per cent" loses its "per cent".
#
# Version: whisper-normalizer 0.1.15 (jiwer 4.0.0). Seen, the word error rate of an answer:
#   five six / fifty six: 56 / 56, error rate 0.00
#   five six / 5 6: 56 / 5 6, error rate 2.00
#   two, three or four / twenty three or four: 23 or 4 / 23 or 4, error rate 0.00
#   two, three or four / 2, 3 or 4: 23 or 4 / 2 3 or 4, error rate 0.67
#   five hundred, six hundred / fifty thousand six hundred: 50600 / 50600, error rate 0.00
#   oh no / zero no: 0 no / 0 no, error rate 0.00
#   one per cent / one: one / one, error rate 0.00
#   fifty six / 56: 56 / 56, error rate 0.00
# It exits with 1 once the first two lines are as one would guess.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet whisper-normalizer==0.1.15 jiwer==4.0.0
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

import jiwer
from whisper_normalizer.english import EnglishTextNormalizer

print("whisper-normalizer", importlib.metadata.version("whisper-normalizer"))
normalise = EnglishTextNormalizer()
rates = []
for said, answer in (
    ("five six", "fifty six"),
    ("five six", "5 6"),
    ("two, three or four", "twenty three or four"),
    ("two, three or four", "2, 3 or 4"),
    ("five hundred, six hundred", "fifty thousand six hundred"),
    ("oh no", "zero no"),
    ("one per cent", "one"),
    ("fifty six", "56"),
):
    first, second = normalise(said).strip(), normalise(answer).strip()
    rates.append(jiwer.wer(first, second))
    print(f"{said} / {answer}: {first} / {second}, error rate {rates[-1]:.2f}")
if rates[0] > 0 and rates[1] == 0:
    sys.exit("no longer as described")
print("as described")
PYTHON
