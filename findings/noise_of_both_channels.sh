#!/bin/sh
# noisereduce: whether a channel is kept, emptied or left as noisy as it was depends on the other one.
#
# With stationary=True, noisereduce learns how loud the noise is at each frequency, and removes what lies
# below. It takes several channels, and one would guess that it does this in each. It averages the
# channels first, and learns one threshold from the average. A quiet channel beside a loud one lies below
# that threshold and comes out as zeros, sound and all. Where one channel is the other with its sign
# changed, the average is silence, and no noise is removed. The default, stationary=False, has none of this.
#
# Version: noisereduce 3.0.3 (SciPy 1.17.1). Seen, 2 s of noise, then 2 s of noise and a tone, in dB:
#   before: noise -40.0, with the tone -28.7
#   alone: noise -69.7, with the tone -53.9
#   beside itself: noise -69.7, with the tone -53.9
#   beside noise 100 times as loud: all zeros
#   beside its negative: noise -40.1, with the tone -28.7
# It exits with 1 once the last two are as the second.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-deps noisereduce==3.0.3 scipy==1.17.1 numpy==2.4.6 \
  joblib==1.6.0 cloudpickle==3.1.3 tqdm==4.70.1
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

import noisereduce
import numpy as np

print("noisereduce", importlib.metadata.version("noisereduce"))
rng = np.random.default_rng(0)
rate = 16000
time = np.arange(4 * rate) / rate
noisy = 0.01 * rng.normal(size=4 * rate) + 0.05 * np.sin(2 * np.pi * 1000 * time) * (time > 2)
loud = rng.normal(size=4 * rate)


def show(name, wave):
    if not wave.any():
        print(f"{name}: all zeros")
        return None
    noise, tone = (10 * np.log10(np.mean(half**2)) for half in wave.reshape(2, -1))
    print(f"{name}: noise {noise:.1f}, with the tone {tone:.1f}")
    return noise


def reduced(*channels):
    return noisereduce.reduce_noise(y=np.stack(channels), sr=rate, stationary=True)[0]


before = show("before", noisy)
alone = show("alone", reduced(noisy))
same = show("beside itself", reduced(noisy, noisy))
beside = show("beside noise 100 times as loud", reduced(noisy, loud))
negative = show("beside its negative", reduced(noisy, -noisy))
if abs(alone - same) > 0.1 or beside is not None or before - alone < 20 or before - negative > 3:
    sys.exit("no longer as described")
print("as described")
PYTHON
