"""AudioPG in other people's benchmarks: HEAR, EVAR and X-ARES, by the interfaces they document.

HEAR (https://hearbenchmark.com/hear-api.html) takes a module with three functions: this one.

.. code-block:: text

    python -m heareval.embeddings.runner audiopg.transfer.adapters --model model.safetensors

X-ARES (https://github.com/jimbozhang/xares) takes a module with one class whose name ends in
"Encoder": this one.

.. code-block:: text

    python -m xares.run audiopg/transfer/adapters.py src/tasks/*.py

EVAR (https://github.com/nttcslab/eval-audio-repr) takes a class from one of its own modules. Write
``evar/ar_audiopg.py`` with the line ``from audiopg.transfer.adapters import AR_AudioPG``, import it
in ``lineareval.py`` beside the others, and write ``config/audiopg.yaml``:

.. code-block:: yaml

    audio_repr: ar_audiopg.AR_AudioPG
    weight_file: path/to/model.safetensors
    sample_rate: 16000
    batch_size: 128
    lr_lineareval: 0.0003
    report_per_epochs: 50
    early_stop_epochs: 20

All of them embed clips at their native length, with the bands of a time step one after another, as
M2D does (pooling "frequency" of `Encoder.embed`). A step is 160 ms, the length of a patch: longer
than the 50 ms that HEAR advises for the transcription of music. Weights are frozen.
"""

from typing import Any

import torch
from torch import Tensor, nn

# Not `Encoder`: X-ARES takes the one name in this module that ends so.
from audiopg.frontend import HOP, PATCH
from audiopg.mae import load_encoder
from audiopg.synth.parameters import SAMPLE_RATE

_POOLING = "frequency"
_STEP_MILLISECONDS = 1000 * PATCH * HOP // SAMPLE_RATE


class _Adapter(nn.Module):
    """A frozen encoder, by the names that the toolkits look for."""

    def __init__(self, model: str) -> None:
        super().__init__()
        self.encoder = load_encoder(model)

    def over_time(self, audio: Tensor) -> tuple[Tensor, Tensor]:
        """(B, samples) at 16 kHz -> (B, T, 8 D) float32, and (T,) seconds."""
        return self.encoder.embed_over_time(audio, pooling=_POOLING)


class HearModel(_Adapter):
    """What HEAR passes from `load_model` to the two other functions."""

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.sample_rate = SAMPLE_RATE
        self.scene_embedding_size = self.encoder.embedding_size(_POOLING)
        self.timestamp_embedding_size = self.scene_embedding_size


def load_model(model_file_path: str = "tiny") -> HearModel:
    """HEAR: the model of a file, or of another name that `audiopg.load_encoder` knows."""
    return HearModel(model_file_path)


def get_scene_embeddings(audio: Tensor, model: HearModel) -> Tensor:
    """HEAR: (n_sounds, n_samples) in [-1, 1] -> (n_sounds, scene_embedding_size) float32."""
    return model.encoder.embed(audio, pooling=_POOLING, native=True)


def get_timestamp_embeddings(audio: Tensor, model: HearModel) -> tuple[Tensor, Tensor]:
    """HEAR: embeddings at regular times, and the middle of what each hears, in milliseconds.

    Args:
        audio: (n_sounds, n_samples) in [-1, 1].
        model: of `load_model`.

    Returns:
        (n_sounds, n_timestamps, timestamp_embedding_size) and (n_sounds, n_timestamps), float32.
    """
    embeddings, seconds = model.over_time(audio)
    return embeddings, (1000 * seconds).float().expand(len(embeddings), -1)


class AR_AudioPG(_Adapter):
    """EVAR: an audio representation for linear evaluation.

    Args:
        cfg: the settings of the yaml file; ``weight_file`` names the weights.
    """

    def __init__(self, cfg: Any) -> None:
        super().__init__(cfg["weight_file"])
        self.cfg = cfg

    def precompute(self, device: torch.device, data_loader: object) -> None:
        """Statistics of the data are not needed: the front end keeps those of pre-training."""

    def encode_frames(self, batch_audio: Tensor) -> Tensor:
        """(B, samples) -> (B, 8 D, T)."""
        return self.over_time(batch_audio)[0].transpose(1, 2)

    def forward(self, batch_audio: Tensor) -> Tensor:
        """(B, samples) -> (B, 8 D)."""
        return self.encoder.embed(batch_audio, pooling=_POOLING, native=True)


class AudioPGEncoder(_Adapter):
    """X-ARES: an encoder that needs no argument.

    Args:
        model: a name that `audiopg.load_encoder` knows.
    """

    def __init__(self, model: str = "tiny") -> None:
        super().__init__(model)
        self.sampling_rate = SAMPLE_RATE
        self.output_dim = self.encoder.embedding_size(_POOLING)
        self.hop_size_in_ms = _STEP_MILLISECONDS

    def forward(self, audio: Tensor) -> Tensor:
        """(B, samples) or (samples,) -> (B, T, output_dim)."""
        return self.over_time(audio)[0]
