#!/bin/sh
# dcase_util: moved by ten seconds, an event of one second becomes eleven seconds long.
#
# add_time adds an offset to the onset and offset of all events, as one does when clips are joined to a
# longer recording, or when padding is put before a clip. One would guess that all events move. The
# method skips a time that is false in Python, as a missing one is, and 0.0 is false, too. An event that
# begins with its clip stays at 0 and ends late. In a set of clips that were cut around their events,
# that is most events.
#
# Version: dcase_util 0.2.20 (numpy 2.4.6). Seen, add_time(10):
#   0.0 to 1.0 s becomes 0.0 to 11.0 s
#   0.1 to 1.0 s becomes 10.1 to 11.0 s
# It exits with 1 once both events move.
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
times = [(0.0, 1.0), (0.1, 1.0)]
clips = MetaDataContainer(
    [{"filename": "clip.wav", "onset": a, "offset": b, "event_label": "dog"} for a, b in times]
)
moved = [(float(event.onset), float(event.offset)) for event in clips.add_time(10)]
for before, after in zip(times, moved):
    print("{} to {} s becomes {} to {} s".format(*before, *after))
if moved != [(0.0, 11.0), (10.1, 11.0)]:
    sys.exit("no longer as described")
print("as described")
PYTHON
