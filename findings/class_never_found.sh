#!/bin/sh
# sed_eval and psds_eval: a class that is never found leaves the mean F-score, and raises it.
#
# The F-score of sound events is averaged over classes, so that rare classes count as much as common
# ones. One would guess that a class of which no event is found has an F-score of 0. In sed_eval its
# precision is 0/0, its F-score becomes NaN, and the mean is taken over the other classes. So a system
# that keeps silent about a difficult class scores higher than one that tries and fails. The mean F-score
# can then lie far above the mean recall. In psds_eval the class leaves the mean even if the system
# tried. Both name the NaN in their lists of classes, and neither says that the mean leaves it out.
#
# Version: sed_eval 0.2.1, psds_eval 0.5.3 (dcase_util 0.2.20, numpy 2.4.6, pandas 3.1.1). Seen, one dog
# and one rain in ten seconds, mean F-score:
#                              segments  events  psds_eval
#   both are found               1.00     1.00     1.00
#   rain at the wrong time       0.50     0.50     1.00
#   no rain                      1.00     1.00     1.00
#   without rain, sed_eval's mean recall is 0.50
# It exits with 1 once the last row is below 1 in sed_eval or psds_eval.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet sed_eval==0.2.1 psds_eval==0.5.3 dcase_util==0.2.20 \
    numpy==2.4.6 pandas==3.1.1
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys
import warnings

import pandas
from dcase_util.containers import MetaDataContainer
from psds_eval import PSDSEval
from sed_eval.sound_event import EventBasedMetrics, SegmentBasedMetrics

warnings.simplefilter("ignore")
print(*(f"{name} {importlib.metadata.version(name)}" for name in ("sed_eval", "psds_eval")))
COLUMNS = ["filename", "onset", "offset", "event_label"]
dog, rain = ("clip.wav", 1.0, 2.0, "dog"), ("clip.wav", 4.0, 6.0, "rain")
systems = {
    "both are found": [dog, rain],
    "rain at the wrong time": [dog, ("clip.wav", 8.0, 9.0, "rain")],
    "no rain": [dog],
}


def events(rows):
    return MetaDataContainer([dict(zip(COLUMNS, row)) for row in rows])


def averages(metric, rows):
    metric.evaluate(events([dog, rain]), events(rows))
    return metric.results_class_wise_average_metrics()["f_measure"]


def intersections(rows):
    truth = pandas.DataFrame([dog, rain], columns=COLUMNS)
    length = pandas.DataFrame([("clip.wav", 10.0)], columns=["filename", "duration"])
    metric = PSDSEval(0.5, 0.5, 0.3, ground_truth=truth, metadata=length)
    return metric.compute_macro_f_score(pandas.DataFrame(rows, columns=COLUMNS))[0]


print(f"{'':25}  segments  events  psds_eval")
table = []
for name, rows in systems.items():
    segments = averages(SegmentBasedMetrics(["dog", "rain"], time_resolution=1.0), rows)
    onsets = averages(EventBasedMetrics(["dog", "rain"], t_collar=0.2), rows)
    scores = [segments["f_measure"], onsets["f_measure"], float(intersections(rows))]
    print(f"{name:25}  {scores[0]:6.2f}  {scores[1]:7.2f}  {scores[2]:7.2f}")
    table.append([round(score, 2) for score in scores])
print(f"without rain, sed_eval's mean recall is {segments['recall']:.2f}")
if table != [[1, 1, 1], [0.5, 0.5, 1], [1, 1, 1]] or segments["recall"] != 0.5:
    sys.exit("no longer as described")
print("as described")
PYTHON
