"""How far other toolkits' log-mels are from ours, on recordings, by what they are told.

Ours are `audiopg.LogMel(0.0, 1.0)`, Kaldi's log-mels of 128 bands with a Hamming window. Of 40 clips of
ESC-10 the frames that both have are compared, in nats. kaldi-native-fbank is not among them: it refuses
128 bands (`findings/refused_mel_bands.sh`). None of the toolkits is a dependency but torchaudio, which
the tests have too; those that are installed are compared:

    pip install lhotse==1.33.0 transformers==5.24.0
    AUDIOPG_DATA=data python -m audiopg bench front_ends --record front-ends
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor

from audiopg import LogMel, data_folder
from audiopg.datasets import cached_waves, find_dataset
from audiopg.errors import InputError
from audiopg.frontend import whole_frames
from audiopg.layouts import AUDIOMAE

CLIPS = 40
KALDI = {"window_type": "hamming", "num_mel_bins": 128, "htk_compat": True, "dither": 0.0}


def torchaudio(wave: Tensor, **options: object) -> Tensor:
    kaldi = import_module("torchaudio.compliance.kaldi")
    return kaldi.fbank(wave[None], **(KALDI | options))


def lhotse(wave: Tensor, **options: object) -> Tensor:
    kaldi = import_module("lhotse.features.kaldi.extractors")
    extractor = kaldi.Fbank(kaldi.FbankConfig(num_filters=128, **options))
    return torch.as_tensor(extractor.extract(wave.numpy(), 16000))


def transformers(wave: Tensor) -> Tensor:
    extractor = import_module("transformers").ASTFeatureExtractor(do_normalize=False)
    return extractor(wave.numpy(), sampling_rate=16000, return_tensors="pt").input_values[0]


HANN = LogMel(0.0, 1.0, window=AUDIOMAE["window"])
OURS = LogMel(0.0, 1.0)
# What is computed, the toolkit, what it is told, and what of ours it is compared with.
ROWS: list[tuple[str, str, Callable[[Tensor], Tensor], LogMel]] = [
    ("torchaudio", 'window_type="hamming", htk_compat=True, dither=0', torchaudio, OURS),
    ("torchaudio", "its own window, Povey's", partial(torchaudio, window_type="povey"), OURS),
    ("torchaudio", "frames centred, snip_edges=False", partial(torchaudio, snip_edges=False), OURS),
    (
        "lhotse",
        'window_type="hamming", high_freq=0, snip_edges=True',
        partial(lhotse, window_type="hamming", high_freq=0.0, snip_edges=True),
        OURS,
    ),
    (
        "lhotse",
        "the same, but its own high_freq, -400",
        partial(lhotse, window_type="hamming", snip_edges=True),
        OURS,
    ),
    ("lhotse", "its own settings, but 128 bands", lhotse, OURS),
    ("transformers", "ASTFeatureExtractor, beside a Hann window of ours", transformers, HANN),
    ("transformers", "ASTFeatureExtractor, beside the Hamming window", transformers, OURS),
]


def difference(theirs: Tensor, ours: Tensor) -> np.ndarray:
    """Absolute differences in nats of the frames that both have."""
    frames = min(len(theirs), len(ours))
    return (theirs[:frames] - ours[:frames]).abs().flatten().numpy()


@torch.no_grad()
def main() -> dict:
    """Compare what is installed and print; return what a record says."""
    clips = find_dataset("esc10", data_folder())
    if clips is None:
        raise InputError("no recordings are named; set AUDIOPG_DATA to a folder with ESC-10.")
    waves, found = cached_waves(clips), []
    rows = np.linspace(0, len(clips) - 1, CLIPS).round().astype(int)
    heard = [waves.native(row) for row in rows]
    for toolkit, told, extract, ours in ROWS:
        if find_spec(toolkit) is None:
            continue
        apart = np.concatenate(
            [
                difference(extract(wave), ours(wave[None])[0, : whole_frames(len(wave))])
                for wave in heard
            ]
        )
        found.append(
            {
                "toolkit": f"{toolkit} {version(toolkit).partition('+')[0]}",
                "settings": told,
                "median": float(np.median(apart)),
                "largest": float(apart.max()),
            }
        )
        print(f"{toolkit}, {told}: median {np.median(apart):.2g}, largest {apart.max():.2g} nats")
    return {
        "settings": {"clips": CLIPS},
        "metrics": {"rows": found},
        "data": f"{clips.name} ({clips.licence})",
        "protocol": f"absolute differences of the log-mels of {CLIPS} clips, all bands of all frames "
        "that both have",
    }
