#!/bin/sh
# dcase_util: a dog barks in the rain, and the rest of the rain becomes silence.
#
# event_inactivity gives the parts of a recording in which nothing happens, and stats sums them. One
# would guess that both know that sounds overlap, since the package is for polyphonic annotations. They
# join events by process_events, which ends a joined event where the event that began last ends. So an
# event that lies within a longer one cuts it off. The same happens when process_events closes the gaps
# between events of one class, as after a detector. Nothing warns.
#
# Version: dcase_util 0.2.20 (numpy 2.4.6). Seen, twelve seconds, rain from 0 to 10 s, a bark from 2 to
# 3 s:
#   inactive by event_inactivity: 3 to 12 s
#   inactive by stats: 9.0 s, active 25 %
#   without the bark: 10 to 12 s; 2.0 s, active 83 %
#   process_events on rain from 0 to 10 s and from 2 to 3 s: rain from 0 to 3 s
# It exits with 1 once the bark adds no silence.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet dcase_util==0.2.20 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

from dcase_util.containers import MetaDataContainer

print("dcase_util", importlib.metadata.version("dcase_util"))
LENGTH = {"clip.wav": 12.0}


def annotation(*events):
    names = ("onset", "offset", "event_label")
    return MetaDataContainer([{"filename": "clip.wav", **dict(zip(names, event))} for event in events])


def spans(found):
    return [(float(event.onset), float(event.offset)) for event in found]


rain, bark = (0.0, 10.0, "rain"), (2.0, 3.0, "dog")
silences = []
for name, events in (("rain and a bark", (rain, bark)), ("rain alone", (rain,))):
    found = annotation(*events)
    quiet = spans(found.event_inactivity(duration_list=LENGTH))
    sums = found.stats(calculate_event_activity=True, duration_list=LENGTH)["events"]
    seconds = float(sums["overall_event_flatten_inactive_length"])
    share = float(sums["overall_activity_percentage"])
    print(f"{name}: inactive {quiet}; by stats {seconds} s, active {share:.0f} %")
    silences.append((quiet, seconds))
closed = spans(annotation(rain, (2.0, 3.0, "rain")).process_events(minimum_event_gap=0.1))
print("process_events on rain from 0 to 10 s and from 2 to 3 s:", closed)
if silences != [([(3.0, 12.0)], 9.0), ([(10.0, 12.0)], 2.0)] or closed != [(0.0, 3.0)]:
    sys.exit("no longer as described")
print("as described")
PYTHON
