"""AudioPG in other people's benchmarks: HEAR, EVAR and X-ARES, by the interfaces they document.

The page of the reference on transfer says how to use each.

All of them embed clips at their native length, with the bands of a time step one after another, as
M2D does (pooling "frequency" of `Encoder.embed`). A step is 160 ms, the length of a patch: longer
than the 50 ms that HEAR advises for the transcription of music. A clip shorter than one window of
25 ms is filled up with silence. Weights are frozen.
"""

from typing import Any

import torch
from torch import Tensor, nn

# Not `Encoder`: X-ARES takes the one name in this module that ends so.
from audiopg.frontend import HOP, PATCH, WINDOW
from audiopg.pretrained import load_encoder
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
        return self.encoder.embed_over_time(_whole_window(audio), pooling=_POOLING)

    def of_clip(self, audio: Tensor) -> Tensor:
        """(B, samples) at 16 kHz -> (B, 8 D) float32."""
        return self.encoder.embed(_whole_window(audio), pooling=_POOLING, native=True)


def _whole_window(audio: Tensor) -> Tensor:
    """Silence behind clips that are too short for one frame: the toolkits stop at an error."""
    return nn.functional.pad(audio, (0, max(0, WINDOW - audio.shape[-1])))


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
    return model.of_clip(audio)


def get_timestamp_embeddings(audio: Tensor, model: HearModel) -> tuple[Tensor, Tensor]:
    """HEAR: embeddings at regular times, and the middle of what each hears, in milliseconds.

    hear-validator 2021.0.6 refuses a time beyond the end of the sound. So a last step whose middle lies
    there, most of which is padding, is left out; a sound of a single step has the time of its own
    middle.

    Args:
        audio: (n_sounds, n_samples) in [-1, 1].
        model: of `load_model`.

    Returns:
        (n_sounds, n_timestamps, timestamp_embedding_size) and (n_sounds, n_timestamps), float32.
    """
    embeddings, seconds = model.over_time(audio)
    duration = audio.shape[-1] / SAMPLE_RATE
    seconds[0] = min(seconds[0].item(), duration / 2)
    seconds = seconds[seconds <= duration]
    return embeddings[:, : len(seconds)], (1000 * seconds).float().expand(len(embeddings), -1)


class AR_AudioPG(_Adapter):
    """EVAR: an audio representation for linear evaluation.

    Args:
        cfg: the settings of the yaml file; ``weight_file`` names the weights.
    """

    def __init__(self, cfg: Any) -> None:
        super().__init__(cfg["weight_file"])
        self.cfg = cfg

    def precompute(self, device: torch.device, data_loader: object) -> None:
        """Do nothing: the front end keeps the statistics of pre-training."""

    def encode_frames(self, batch_audio: Tensor) -> Tensor:
        """(B, samples) -> (B, 8 D, T)."""
        return self.over_time(batch_audio)[0].transpose(1, 2)

    def forward(self, batch_audio: Tensor) -> Tensor:
        """(B, samples) -> (B, 8 D)."""
        return self.of_clip(batch_audio)


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
