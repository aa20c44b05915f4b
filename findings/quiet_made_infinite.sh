#!/bin/sh
# pyloudnorm: a quiet recording that is brought to -23 LUFS becomes infinite.
#
# One would guess that normalising the loudness of a very quiet recording raises an error or leaves
# the samples alone. The meter of ITU-R BS.1770 ignores everything below -70 LUFS, so the loudness
# of room tone is minus infinity. normalize.loudness makes an infinite gain of it. Samples become
# inf, zeros become NaN, and the warning speaks of possible clipping. One such clip spoils a batch
# of training.
#
# Version: pyloudnorm 0.2.0. Seen, 2 s of noise:
#   noise at -60 dB: -56.9 LUFS, normalised: 0 of 96000 samples not finite
#   noise at -90 dB: -inf LUFS, normalised: 96000 of 96000 samples not finite
#   warned: Possible clipped samples in output.
# It exits with 1 once quiet noise stays finite or is refused.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet pyloudnorm==0.2.0 scipy==1.17.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys
import warnings

import numpy as np
import pyloudnorm

print("pyloudnorm", importlib.metadata.version("pyloudnorm"))
noise = np.random.default_rng(0).normal(size=96000)
meter = pyloudnorm.Meter(48000)
for decibels in (-60, -90):
    wave = noise * 10 ** (decibels / 20)
    loudness = meter.integrated_loudness(wave)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        normalised = pyloudnorm.normalize.loudness(wave, loudness, -23.0)
    spoilt = int((~np.isfinite(normalised)).sum())
    print(
        f"noise at {decibels} dB: {loudness:.1f} LUFS, normalised: "
        f"{spoilt} of {len(wave)} samples not finite"
    )
for text in sorted({str(warning.message) for warning in said}):
    print("warned:", text)
if not spoilt:
    sys.exit("no longer as described")
print("as described")
PYTHON
