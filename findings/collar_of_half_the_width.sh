#!/bin/sh
# pyannote.metrics and simpleder: the same collar forgives twice as much in one as in the other.
#
# Diarization error rates are computed with a collar, most often of 0.25 s: what lies around the borders of
# the reference is not scored. One would guess that the same collar gives the same error rate. In simpleder
# it reaches from 0.25 s before a border to 0.25 s after, as in md-eval of NIST. In pyannote.metrics it is
# 0.25 s wide in all, half of it on each side. Without a collar both agree to the last digit.
#
# Version: pyannote.metrics 4.2.0, simpleder 0.0.8 (pyannote.core 6.1.0). Seen, two speakers who take turns of
# 2 s, and a system that hears each change 0.2 s late:
#   collar           0      0.25   0.5
#   pyannote.metrics 8.0 %  3.4 %  0.0 %
#   simpleder        8.0 %  0.0 %  0.0 %
# It exits with 1 once both give the same for 0.25 s.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet pyannote.metrics==4.2.0 pyannote.core==6.1.0 simpleder==0.0.8 \
    numpy==2.4.6 scipy==1.17.1
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys
import warnings

import simpleder
from pyannote.core import Annotation, Segment
from pyannote.metrics.diarization import DiarizationErrorRate

warnings.simplefilter("ignore")  # pyannote.metrics tells that it takes the scored region from the turns.
print(*(f"{name} {importlib.metadata.version(name)}" for name in ("pyannote.metrics", "simpleder")))
truth = [("AB"[turn % 2], 2.0 * turn, 2.0 * turn + 2) for turn in range(5)]
late = [(who, start + 0.2 * (start > 0), end + 0.2 * (end < 10)) for who, start, end in truth]


def annotation(turns):
    made = Annotation()
    for who, start, end in turns:
        made[Segment(start, end)] = who
    return made


collars = (0.0, 0.25, 0.5)
rates = {
    "pyannote.metrics": [
        DiarizationErrorRate(collar=collar)(annotation(truth), annotation(late)) for collar in collars
    ],
    "simpleder": [simpleder.DER(truth, late, collar=collar) for collar in collars],
}
print("collar           0      0.25   0.5")
for name, found in rates.items():
    print(f"{name:16} " + "  ".join(f"{100 * rate:.1f} %" for rate in found))
table = [[round(100 * rate, 1) for rate in found] for found in rates.values()]
if table != [[8.0, 3.4, 0.0], [8.0, 0.0, 0.0]]:
    sys.exit("no longer as described")
print("as described")
PYTHON
