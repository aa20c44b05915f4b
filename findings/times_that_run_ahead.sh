#!/bin/sh
# audinterface: the times of features run ahead of the recording.
#
# Feature cuts a signal into windows and gives each a start and an end. One would guess that what a row says
# of its window was heard between them. The hop is cut to whole samples, and the times are made with the
# hop as it was asked for. At 22.05 kHz a hop of 10 ms is 220.5 samples. The windows are 220 samples apart,
# and the times 220.5, so they run ahead by 0.23 %. This is 1.1 s after eight minutes, and the last windows
# lie behind the end of the recording. At 16 kHz, where 10 ms are 160 samples, the times are right.
#
# Version: audinterface 1.4.0 (pandas 3.1.1, numpy 2.4.6). Seen, ten minutes with a click at 500 s, windows of
# 20 ms and a hop of 10 ms:
#   16000 Hz: the click lies between 500.00 and 500.02 s, the last window ends at 600.00 s
#   44100 Hz: the click lies between 500.00 and 500.02 s, the last window ends at 600.00 s
#   22050 Hz: the click lies between 501.13 and 501.15 s, the last window ends at 601.36 s
#   11025 Hz: the click lies between 501.13 and 501.15 s, the last window ends at 601.36 s
# It exits with 1 once the click lies at 500 s at all rates.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet audinterface==1.4.0 pandas==3.1.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys
from importlib.metadata import version

import audinterface
import numpy as np

print("audinterface", version("audinterface"))
feature = audinterface.Feature(
    "peak", process_func=lambda signal, rate: np.abs(signal).max(), win_dur=0.02, hop_dur=0.01
)
found = {}
for rate in (16000, 44100, 22050, 11025):
    wave = np.zeros(600 * rate, "float32")
    wave[500 * rate] = 1
    table = feature.process_signal(wave, rate)
    start, end = (time.total_seconds() for time in table.index[table["peak"] > 0.5][-1])
    last = table.index[-1][1].total_seconds()
    print(
        f"{rate} Hz: the click lies between {start:.2f} and {end:.2f} s, the last window ends at {last:.2f} s"
    )
    found[rate] = start
if max(abs(found[rate] - 500) for rate in (16000, 44100)) > 0.02:
    sys.exit("no longer as described")
if min(found[rate] - 501 for rate in (22050, 11025)) < 0:
    sys.exit("no longer as described")
print("as described")
PYTHON
