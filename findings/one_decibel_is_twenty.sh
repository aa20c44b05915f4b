#!/bin/sh
# descript-audiotools: an equaliser of 1 dB changes the level by 20 dB.
#
# equalizer splits a clip into mel bands and gives each a gain, from an argument named db. The transform
# Equalizer cuts each band at random, and its docstring says that eq_amount is the largest cut in dB, by
# default 1.0 dB. Background noise and impulse responses are equalised in the same way. One would guess that
# -1 takes 1 dB away, as it does in volume_change. The gain is 10 to the power of db, without a division
# by 20. So the default cuts single bands by up to 20 dB, and whoever asks for 6 dB gets up to 120 dB.
#
# Version: descript-audiotools 0.7.2 (torch 2.14.1, numpy 2.4.6). Seen, four seconds of white noise:
#   all bands -1 dB: -20.0 dB, with volume_change -1.0 dB
#   all bands -3 dB: -60.0 dB, with volume_change -3.0 dB
#   all bands +1 dB: +20.0 dB, with volume_change +1.0 dB
#   Equalizer with its default: mean level of 20 draws -7.1 dB, lowest -12.3 dB
#   Equalizer with 6 dB: mean level of 20 draws -20.9 dB, lowest -56.9 dB
# It exits with 1 once -1 dB changes the level by 1 dB.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet descript-audiotools==0.7.2 torch==2.14.1 torchaudio==2.11.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

import torch

warnings.simplefilter("ignore")
from audiotools import AudioSignal
from audiotools.data.transforms import Equalizer

print("descript-audiotools", version("descript-audiotools"))
rate = 16000
noise = 0.1 * torch.randn(1, 1, 4 * rate, generator=torch.Generator().manual_seed(0))


def changed(signal):
    """The level in dB, relative to the noise."""
    return 10 * torch.log10(signal.audio_data.square().mean() / noise.square().mean()).item()


changes = {}
for amount in (-1.0, -3.0, 1.0):
    changes[amount] = changed(AudioSignal(noise.clone(), rate).equalizer(torch.full((6,), amount)))
    right = changed(AudioSignal(noise.clone(), rate).volume_change(amount))
    print(f"all bands {amount:+.0f} dB: {changes[amount]:+.1f} dB, with volume_change {right:+.1f} dB")
for name, transform in (
    ("its default", Equalizer()),
    ("6 dB", Equalizer(eq_amount=("const", 6.0))),
):
    levels = []
    for seed in range(20):
        signal = AudioSignal(noise.clone(), rate)
        levels.append(changed(transform(signal, **transform.instantiate(seed, signal))))
    print(
        f"Equalizer with {name}: mean level of 20 draws {sum(levels) / 20:.1f} dB, "
        f"lowest {min(levels):.1f} dB"
    )
if any(abs(change - 20 * amount) > 0.5 for amount, change in changes.items()):
    sys.exit("no longer as described")
print("as described")
PYTHON
