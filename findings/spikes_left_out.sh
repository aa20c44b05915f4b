#!/bin/sh
# tensorboard: a log of more than 10,000 steps is read back without most of them.
#
# EventAccumulator is TensorBoard's own reader of its logs. One would guess that Scalars gives all values that
# were written. It keeps 10,000 of each name, drawn at random with the last among them, and says nothing.
# Of histograms it keeps one, the last. The docstring says that the default "tries not to store too much";
# size_guidance={"scalars": 0} keeps all. Issue 5488 asks how to read the rest.
#
# Version: tensorboard 2.21.0. Seen, a loss in 40,000 steps, with 20 spikes of a single step:
#   by default: 10000 steps, 5 spikes
#   with size_guidance: 40000 steps, 20 spikes
#   histograms at 5 steps: 1
# It exits with 1 once all steps come by default.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet tensorboard==2.21.0 protobuf==7.36.2 numpy==2.4.6
venv/bin/python -W ignore - <<'PYTHON'
import sys

import numpy as np
import tensorboard
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

print("tensorboard", tensorboard.__version__)
generator = np.random.default_rng(0)
losses = generator.uniform(0.9, 1.1, size=40000)
losses[generator.choice(40000, 20, replace=False)] = 9
writer = EventFileWriter("run")


def write(step, **content):
    summary = Summary(value=[Summary.Value(**content)])
    writer.add_event(Event(step=step, wall_time=step, summary=summary))


for step, loss in enumerate(losses):
    write(step, tag="loss", simple_value=loss)
for step in range(0, 40000, 8000):
    histogram = HistogramProto(min=0, max=1, num=2, bucket_limit=[0.5, 1], bucket=[1, 1])
    write(step, tag="weights", histo=histogram)
writer.close()
found = []
for name, guidance in (("by default", None), ("with size_guidance", {"scalars": 0})):
    reader = EventAccumulator("run", size_guidance=guidance).Reload()
    values = [event.value for event in reader.Scalars("loss")]
    found.append((len(values), sum(value > 5 for value in values)))
    print("{}: {} steps, {} spikes".format(name, *found[-1]))
kept = len(EventAccumulator("run").Reload().Histograms("weights"))
print("histograms at 5 steps:", kept)
if found[0] == (40000, 20) or found[1] != (40000, 20):
    sys.exit("no longer as described")
print("as described")
PYTHON
