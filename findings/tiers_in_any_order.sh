#!/bin/sh
# tgt: the tiers of joined TextGrids are in another order in each run.
#
# concatenate_textgrids puts TextGrids end to end. Their tiers have the same names in the same order, and a
# comment at the last line says that the order is preserved. One would guess that the first tier is still
# the first. The names go through a Python set, whose order depends on a seed that each run draws anew. A
# program or a Praat script that takes the words from tier 1 gets the phones in some runs, without a word.
# The same files give files that differ, too.
#
# Version: tgt 1.5 (numpy 2.4.6). Seen, tiers that were words, phones, speaker in both, with the seeds 0 to 3:
#   words, speaker, phones
#   phones, words, speaker
#   words, phones, speaker
#   phones, words, speaker
# It exits with 1 once all runs give one order.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet tgt==1.5 numpy==2.4.6
cat >join.py <<'PYTHON'
import tgt
from tgt.util import concatenate_textgrids

grids = []
for _ in range(2):
    grid = tgt.TextGrid()
    for name in ("words", "phones", "speaker"):
        tier = tgt.IntervalTier(0, 1, name)
        tier.add_interval(tgt.Interval(0, 1, "label"))
        grid.add_tier(tier)
    grids.append(grid)
print(", ".join(concatenate_textgrids(grids).get_tier_names()))
PYTHON
venv/bin/python -c 'import importlib.metadata; print("tgt", importlib.metadata.version("tgt"))'
for seed in 0 1 2 3; do
    # Without this variable Python draws the seed.
    PYTHONHASHSEED=$seed venv/bin/python join.py
done | tee orders
if [ "$(sort -u orders | wc -l)" -lt 2 ]; then
    echo "no longer as described" >&2
    exit 1
fi
echo "as described"
