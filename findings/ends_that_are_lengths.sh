#!/bin/sh
# meeteval: after a conversion to STM, words end before they begin.
#
# Recognised words are kept in CTM files, with a start and a duration, and utterances in STM files, with a
# start and an end. meeteval, which scores the words of meetings, has CTMGroup.to_stm, and a command that
# calls it. One would guess that the end is the start plus the duration. It is the duration. A word from
# 10.0 to 10.5 s has the end 0.5 s. STM.new makes the same table with the right ends.
#
# Version: meeteval 0.4.3. Seen, three words of 0.5 s, at 0.0, 10.0 and 10.5 s:
#   to_stm: 0.0 to 0.5, 10.0 to 0.5, 10.5 to 0.5
#   the command: 0.0 to 0.5, 10.0 to 0.5, 10.5 to 0.5
#   STM.new: 0.0 to 0.5, 10.0 to 10.5, 10.5 to 11.0
# It exits with 1 once the three agree.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet meeteval==0.4.3 fire==0.7.1
venv/bin/python - <<'PYTHON'
import logging
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

logging.disable(logging.WARNING)
from meeteval.io import STM, CTMGroup

print("meeteval", version("meeteval"))
words = ((0.0, "good"), (10.0, "morning"), (10.5, "everyone"))
Path("ann.ctm").write_text("".join(f"meeting 1 {start} 0.5 {word}\n" for start, word in words))


def show(name, stm):
    times = [(float(line.begin_time), float(line.end_time)) for line in stm]
    print(f"{name}: " + ", ".join(f"{start} to {end}" for start, end in times))
    return times


group = CTMGroup.load(["ann.ctm"])
method = show("to_stm", group.to_stm())
command = [sys.executable, "-m", "meeteval.io.ctm", "to_stm", "ann.ctm", "words.stm"]
subprocess.run(command, check=True, capture_output=True)
called = show("the command", STM.load("words.stm"))
right = show("STM.new", STM.new(group))
if method != called or method != [(start, 0.5) for start, _ in words]:
    sys.exit("no longer as described")
if right != [(start, start + 0.5) for start, _ in words]:
    sys.exit("no longer as described")
print("as described")
PYTHON
