#!/bin/sh
# openSMILE: the same voice is 1.8 times as loud at 48 kHz as at 16 kHz.
#
# eGeMAPS is a set of 88 features that many papers on voice and emotion report. The Python package
# takes a wave and its sample rate, and resamples only if told to. One would guess that a wave without
# anything above 5 kHz has the same loudness at all rates, or that the package warns. But openSMILE's
# spectra are sums over the samples of a frame, and are not divided by their number. So loudness and
# spectral flux grow with the rate, while level and pitch stay. ComParE has the same loudness. If the
# recordings of a set have several rates, these features tell the rate.
#
# Version: opensmile 2.6.0. Seen, 3 s of 39 harmonics of 120 Hz:
#   16000 Hz: loudness 0.91, flux 0.10, level -23.4 dB, pitch 25.5 semitones, ComParE 0.91
#   44100 Hz: loudness 1.60, flux 0.22, level -23.4 dB, pitch 25.5 semitones, ComParE 1.60
#   48000 Hz: loudness 1.64, flux 0.33, level -23.4 dB, pitch 25.5 semitones, ComParE 1.64
#   48000 Hz, with sampling_rate=16000 and resample=True: loudness 0.91
# It exits with 1 once loudness or flux agree to 20 %.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet opensmile==2.6.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import numpy as np
import opensmile

print("opensmile", opensmile.__version__)
names = {
    "loudness": "loudness_sma3_amean",
    "flux": "spectralFlux_sma3_amean",
    "level": "equivalentSoundLevel_dBp",
    "pitch": "F0semitoneFrom27.5Hz_sma3nz_amean",
}
level = opensmile.FeatureLevel.Functionals
smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, level)
large = opensmile.Smile(opensmile.FeatureSet.ComParE_2016, level)
lowered = opensmile.Smile(
    opensmile.FeatureSet.eGeMAPSv02, level, sampling_rate=16000, resample=True
)
seen = {}
for rate in (16000, 44100, 48000):
    # Computed at each rate, so nothing is resampled. The highest harmonic is at 4680 Hz.
    phase = 2 * np.pi * 120 * np.arange(3 * rate) / rate
    voice = 0.075 * sum(np.sin(k * phase + k * k) / k for k in range(1, 40))
    voice = voice.astype(np.float32)
    table = smile.process_signal(voice, rate).iloc[0]
    values = {short: float(table[name]) for short, name in names.items()}
    seen[rate] = values
    other = float(large.process_signal(voice, rate).iloc[0]["audspec_lengthL1norm_sma_amean"])
    print(
        f"{rate} Hz: loudness {values['loudness']:.2f}, flux {values['flux']:.2f}, "
        f"level {values['level']:.1f} dB, pitch {values['pitch']:.1f} semitones, "
        f"ComParE {other:.2f}"
    )
again = float(lowered.process_signal(voice, rate).iloc[0][names["loudness"]])
print(f"{rate} Hz, with sampling_rate=16000 and resample=True: loudness {again:.2f}")
for rate in (44100, 48000):
    for name in ("loudness", "flux"):
        if seen[rate][name] < 1.2 * seen[16000][name]:
            sys.exit("no longer as described")
print("as described")
PYTHON
