#!/bin/sh
# soundevent: false alarms do not lower the mean average precision of a detector.
#
# sound_event_detection compares the boxes of a detector with annotated ones and gives, among others, the
# mean average precision. One would guess that it falls if a detector fires where nothing calls, and if it
# stays silent where something does. Detections that match no annotation have no true class, and the
# function that computes the precision drops what has none. So what is left is whether the class of matched
# boxes is right. And clips without an entry in the list of predictions are left out, with all their calls.
# The accuracy counts false alarms. Boxes are widened by 10 ms and 100 Hz on each side before they are
# matched, and any overlap is enough, so a box that begins after the end of a call matches it.
#
# Version: soundevent 2.10.0 (scikit-learn 1.9.1, shapely 2.2.0, numpy 2.4.6). Seen, two calls of 0.1 s:
#   both found: mean average precision 1.00, accuracy 1.00
#   both found, 100 false alarms with higher scores: mean average precision 1.00, accuracy 0.02
#   the same, by scikit-learn with false alarms as negatives: 0.50
#   both boxes begin 10 ms after the end of the call: mean average precision 1.00, accuracy 1.00
#   two clips of two calls, one clip not in the list of predictions: mean average precision 1.00, accuracy 1.00
# It exits with 1 once the false alarms change the mean average precision.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet soundevent==2.10.0 scikit-learn==1.9.1 shapely==2.2.0 rasterio==1.4.4 \
    xarray==2026.9.0 scipy==1.17.1 soundfile==0.14.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

import numpy as np
from sklearn.metrics import average_precision_score
from soundevent import data, terms
from soundevent.evaluation import sound_event_detection

warnings.simplefilter("ignore")
print("soundevent", version("soundevent"))
owl, wren = (data.Tag(term=terms.scientific_name, value=name) for name in ("Strix", "Troglodytes"))
recording = data.Recording(path="wood.wav", samplerate=16000, channels=1, duration=60)


def event(start):
    box = data.BoundingBox(coordinates=[start, 2000, start + 0.1, 3000])
    return data.SoundEvent(recording=recording, geometry=box)


def call(start, tag):
    return data.SoundEventAnnotation(sound_event=event(start), tags=[tag])


def detection(start, tag, score):
    tags = [data.PredictedTag(tag=tag, score=score)]
    return data.SoundEventPrediction(sound_event=event(start), score=score, tags=tags)


clips = [data.Clip(recording=recording, start_time=start, end_time=start + 60) for start in (0, 60)]
calls = [call(1, owl), call(3, wren)]


def scores(name, detections, number=1):
    """Mean average precision and accuracy, of annotations of number clips and detections in the first."""
    annotations = [data.ClipAnnotation(clip=clip, sound_events=calls) for clip in clips[:number]]
    predictions = [data.ClipPrediction(clip=clips[0], sound_events=detections)]
    metrics = sound_event_detection(predictions, annotations, [owl, wren]).metrics
    values = {metric.term.label.lower(): metric.value for metric in metrics}
    found = values["mean average precision"], values["accuracy"]
    print(f"{name}: mean average precision {found[0]:.2f}, accuracy {found[1]:.2f}")
    return found


right = [detection(1, owl, 0.9), detection(3, wren, 0.9)]
perfect = scores("both found", right)
false = [detection(5 + start / 2, owl, 0.95) for start in range(100)]
alarms = scores("both found, 100 false alarms with higher scores", right + false)
truth = np.vstack([np.eye(2), np.zeros((100, 2))])
given = np.vstack([0.9 * np.eye(2), np.tile([0.95, 0], (100, 1))])
expected = average_precision_score(truth, given)
print(f"the same, by scikit-learn with false alarms as negatives: {expected:.2f}")
late = [detection(1.11, owl, 0.9), detection(3.11, wren, 0.9)]
beside = scores("both boxes begin 10 ms after the end of the call", late)
silent = scores("two clips of two calls, one clip not in the list of predictions", right, 2)
if perfect != (1, 1) or alarms[0] != 1 or alarms[1] > 0.05 or beside != (1, 1) or silent != (1, 1):
    sys.exit("no longer as described")
print("as described")
PYTHON
