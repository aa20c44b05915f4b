"""The first 64 clips of every preset, which stay what they are for ever.

``fingerprints.json`` holds of each clip a hash of its factors, which are the same bits on every
machine; a hash of its samples, which are the same bits where a machine rounds as the one did that
wrote the file; and eight of its samples, for all other machines. What stands there is never changed.
``python tests/synth/test_fingerprints.py`` adds the presets that are not there yet.
"""

import base64
import hashlib
import json
from dataclasses import fields
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from audiopg.synth import PRIORS, SynthPrior, render
from audiopg.synth.factors import FACTOR_TABLE

FILE = Path(__file__).parent / "fingerprints.json"
STORED = json.loads(FILE.read_text())
CLIPS = torch.arange(64)
# From near the start to near the end, 1.28 s apart.
SAMPLES = slice(10007, None, 20480)
# Steps of 16 bits. Two renderings are within twice the 2e-5 that test_render.py allows each against
# the slow reference, which is 1.3 steps, and rounding makes that 2 at most.
TOLERANCE = 2
# Factors that joined after the first hashes were written count only where they change something.
LATER = {name: factor.default for name, factor in FACTOR_TABLE.items() if factor.beyond}
LATER["band_limited"] = False


def digest(arrays, length):
    """The first hex digits of the SHA-256 of arrays, little-endian."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return found.hexdigest()[:length]


@cache
def arithmetic():
    """A hash of how this machine rounds the steps that clips are made of.

    Processors and libraries differ in the last bits of sines and of sums of products.
    """
    random = np.random.default_rng(0)
    found = []
    for dtype in (torch.float32, torch.float64):
        numbers = torch.from_numpy(random.uniform(0.01, 9, 4096)).to(dtype)
        names = ("sin", "cos", "tan", "exp", "expm1", "log2", "sqrt", "reciprocal")
        found += [getattr(torch, name)(numbers) for name in names]
        found += [numbers**-numbers, numbers.view(64, 64).sum(dim=1)]
        for shape in ((2, 2, 2), (64, 32, 32), (64, 2, 32), (16, 4, 64), (16, 30, 64)):
            rows, inner, columns = shape
            left = torch.from_numpy(random.normal(size=(3, rows, inner))).to(dtype)
            right = torch.from_numpy(random.normal(size=(3, inner, columns))).to(dtype)
            found += [left @ right, torch.baddbmm(left @ right, left, right)]
    for length in (4096, 32768):
        spectra = torch.fft.rfft(torch.from_numpy(random.normal(size=(3, length))).float())
        found += [torch.view_as_real(spectra), torch.fft.irfft(spectra)]
    return digest((part.numpy() for part in found), 16)


def hash_factors(params, row):
    arrays = []
    for field in fields(params):
        values = getattr(params, field.name)[row]
        if field.name not in LATER or (values != LATER[field.name]).any():
            arrays.append(values.numpy())
    return digest(arrays, 16)


def describe(preset):
    """What the file holds of a preset."""
    params = SynthPrior.preset(preset).sample(CLIPS, seed=0)
    waves = render(params).numpy()
    samples = (waves[:, SAMPLES] * 32767).round().astype("<i2")
    return {
        "factors": " ".join(hash_factors(params, row) for row in CLIPS.tolist()),
        "waves": " ".join(digest([wave], 8) for wave in waves),
        "samples": base64.b64encode(samples.tobytes()).decode(),
    }


def read_samples(text):
    return np.frombuffer(base64.b64decode(text), "<i2").reshape(len(CLIPS), -1).astype(int)


def differing(found, expected):
    pairs = zip(found.split(), expected.split(), strict=True)
    return [clip for clip, (one, other) in enumerate(pairs) if one != other]


@pytest.mark.parametrize("preset", PRIORS)
def test_the_first_64_clips_are_what_they_were_for_ever(preset):
    expected, found = STORED["presets"][preset], describe(preset)
    assert differing(found["factors"], expected["factors"]) == []
    stored, rendered = (read_samples(of["samples"]) for of in (expected, found))
    np.testing.assert_allclose(rendered, stored, rtol=0, atol=TOLERANCE)
    # A preset that joined on another machine has no hashes of waves.
    if arithmetic() == STORED["arithmetic"] and "waves" in expected:
        assert differing(found["waves"], expected["waves"]) == []


def test_the_fingerprints_are_those_of_presets_that_there_are():
    assert STORED["presets"].keys() == PRIORS.keys()


if __name__ == "__main__":
    joined = {name: describe(name) for name in PRIORS if name not in STORED["presets"]}
    for each in joined.values() if arithmetic() != STORED["arithmetic"] else ():
        del each["waves"]
    STORED["presets"] |= joined
    FILE.write_text(json.dumps(STORED, indent=1) + "\n")
