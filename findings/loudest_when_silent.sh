#!/bin/sh
# auditok: in a WAV file of 8 bits, silence is the loudest sound there is.
#
# auditok cuts recordings where they are silent, by the energy of short windows. Its messages name PCM of 8
# and 16 bits and floats as the formats of WAV that it reads, and its docstring says that energies and
# thresholds mean the same for all of them. One would guess that the same sound is found in each. The bytes
# of a WAV file of 8 bits are unsigned, and 128 is silence. auditok takes them as signed and does not scale
# them. Silence becomes -128, the largest amplitude, and every sound makes it smaller. All energies are at
# most 42 dB, so the default threshold of 50 finds nothing. A threshold that is taken from the recording,
# with validator="otsu", finds the silence and leaves out the sound.
#
# Version: auditok 0.5.2 (soundfile 0.14.0, numpy 2.4.6). Seen, a tone from 2.0 to 3.5 s in 6 s of noise:
#   16 bits: noise 44.3 dB, tone 76.8 dB, found 2.0 to 3.8, with otsu 2.0 to 3.8
#   floats: noise 44.3 dB, tone 76.8 dB, found 2.0 to 3.8, with otsu 2.0 to 3.8
#   8 bits: noise 42.1 dB, tone 40.4 dB, found nothing, with otsu 0.0 to 2.3, 3.5 to 6.0
#   8 bits, read by soundfile as 16: noise 46.8 dB, tone 76.8 dB, found 2.0 to 3.8, with otsu 2.0 to 3.8
# (By default what is found has 0.3 s of silence at its end.) It exits with 1 once the tone is found in
# 8 bits.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet auditok==0.5.2 soundfile==0.14.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys
from importlib.metadata import version

import auditok
import numpy as np
import soundfile
from auditok.signal import calculate_energy, to_array

print("auditok", version("auditok"))
rate = 16000
time = np.arange(6 * rate) / rate
tone = (time >= 2) & (time < 3.5)
sound = 0.005 * np.random.default_rng(0).normal(size=len(time))
sound[tone] += 0.3 * np.sin(2 * np.pi * 300 * time[tone])
found = {}


def regions(source, **more):
    return [(round(part.start, 1), round(part.end, 1)) for part in auditok.split(source, **more)]


def words(parts):
    return ", ".join(f"{start} to {end}" for start, end in parts) or "nothing"


def show(name, region):
    parts = [region.sec[a:b] for a, b in ((0.0, 2.0), (2.0, 3.5))]
    noise, heard = (calculate_energy(to_array(part.data, part.sample_width, 1))[0] for part in parts)
    found[name] = regions(region), regions(region, validator="otsu")
    print(
        f"{name}: noise {noise:.1f} dB, tone {heard:.1f} dB, found {words(found[name][0])}, "
        f"with otsu {words(found[name][1])}"
    )


for name, subtype in (("16 bits", "PCM_16"), ("floats", "FLOAT"), ("8 bits", "PCM_U8")):
    soundfile.write("sound.wav", sound, rate, subtype=subtype)
    show(name, auditok.load("sound.wav"))
    if regions("sound.wav") != found[name][0]:
        sys.exit("no longer as described")
samples, _ = soundfile.read("sound.wav", dtype="int16")
whole = auditok.AudioRegion(samples.tobytes(), rate, 2, 1)
show("8 bits, read by soundfile as 16", whole)
right = found.pop("16 bits")
wrong = found.pop("8 bits")
if any(other != right for other in found.values()) or any(right[0][0] in part for part in wrong):
    sys.exit("no longer as described")
print("as described")
PYTHON
