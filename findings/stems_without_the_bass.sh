#!/bin/sh
# descript-audiotools: of tracks with a missing stem, only some are drawn, and the missing ones are others.
#
# AudioDataset draws excerpts from the stems of a track. With aligned=True each stem is one loader, and the
# lists of files are brought to one length, where "none" stands for a stem that a track lacks. The docstring
# loads Slakh in this way, whose tracks have different instruments. One would guess that every track is
# drawn, and that a bass is heard where a track has one. The first loader numbers its files before the
# lists are aligned. If bass comes first and two of six tracks have one, the tracks 0 and 1 are all there
# is, whichever two have the bass. And where the first stem is missing, all excerpts begin at 0 s, not at
# random.
#
# Version: descript-audiotools 0.7.2 (torch and torchaudio 2.8.0, numpy 2.2.6). Seen, six tracks of 8 s with
# drums, tracks 3 and 5 with a bass, 60 excerpts of 0.5 s:
#   bass first: tracks 0, 1, a bass in 0 of 60 excerpts, they begin at 0.0 to 0.0 s
#   drums first: tracks 0, 1, 2, 3, 4, 5, a bass in 20 of 60 excerpts, they begin at 0.1 to 7.4 s
# (Newer releases of torchaudio lack a function that the loader calls.) It exits with 1 once all tracks are
# drawn with the bass first.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet descript-audiotools==0.7.2 torch==2.8.0 torchaudio==2.8.0 soundfile==0.14.0 \
    numpy==2.2.6
venv/bin/python - <<'PYTHON'
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import soundfile

warnings.simplefilter("ignore")
from audiotools.data.datasets import AudioDataset, AudioLoader

print("descript-audiotools", version("descript-audiotools"))
rate = 8000
time = np.arange(8 * rate) / rate
for track in range(6):
    folder = Path("music", str(track))
    folder.mkdir(parents=True)
    for stem in ("bass", "drums") if track in (3, 5) else ("drums",):
        # The samples tell their time.
        soundfile.write(folder / f"{stem}.wav", 0.1 + time / 10, rate, subtype="FLOAT")


def drawn(*stems):
    loaders = {stem: AudioLoader(["music"], ext=[f"{stem}.wav"]) for stem in stems}
    data = AudioDataset(
        loaders, sample_rate=rate, n_examples=60, duration=0.5, loudness_cutoff=None, aligned=True
    )
    items = [data[index] for index in range(60)]
    tracks = {Path(item["drums"]["path"]).parent.name for item in items}
    basses = sum(item["bass"]["path"] != "none" for item in items)
    begins = [10 * (item["drums"]["signal"].audio_data[0, 0, 0].item() - 0.1) for item in items]
    print(
        f"{stems[0]} first: tracks {', '.join(sorted(tracks))}, a bass in {basses} of 60 excerpts, "
        f"they begin at {abs(min(begins)):.1f} to {abs(max(begins)):.1f} s"
    )
    return tracks, basses


wrong, right = drawn("bass", "drums"), drawn("drums", "bass")
if wrong != ({"0", "1"}, 0) or len(right[0]) != 6 or right[1] == 0:
    sys.exit("no longer as described")
print("as described")
PYTHON
