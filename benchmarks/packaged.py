"""Small encoders that were trained on recordings, and whose weights come inside their package.

They say what a linear probe of ours is worth beside: each is frozen, hears the same clips at their
native length, and is probed on the same folds as `audiopg probe`. A model of pitch (CREPE, its smallest
size), one of speakers (Resemblyzer) and one of voice activity (Silero). None is a dependency; those
that are installed are probed:

    pip install torchcrepe==0.0.24 Resemblyzer==0.1.4 silero-vad==6.2.3
    AUDIOPG_DATA=data python -m audiopg bench packaged --record packaged-encoders
"""

import time
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from audiopg import data_folder
from audiopg.datasets import cached_waves, find_dataset
from audiopg.records import write_record
from audiopg.transfer import probe_features

SETS = ("esc10", "urbansound8k", "speech_commands")
Embed = Callable[[Tensor], Tensor]


def crepe() -> Embed:
    """The last layer before the pitches, 256 numbers every 50 ms, averaged."""
    torchcrepe = import_module("torchcrepe")

    def embed(wave: Tensor) -> Tensor:
        frames = torchcrepe.embed(wave[None], 16000, hop_length=800, model="tiny", batch_size=512)
        return frames.flatten(0, 1).flatten(1).mean(dim=0)

    return embed


def speakers() -> Embed:
    """The voice of the clip, 256 numbers; its amplitude is brought to what the model was trained on."""
    resemblyzer = import_module("resemblyzer")
    encoder, audio = resemblyzer.VoiceEncoder("cpu", verbose=False), resemblyzer.audio

    def embed(wave: Tensor) -> Tensor:
        level = audio.normalize_volume(wave.numpy() + 1e-9, -30, increase_only=True)
        return torch.from_numpy(encoder.embed_utterance(level))

    return embed


def voice_activity() -> Embed:
    """What its recurrent layer puts out, 128 numbers every 32 ms, averaged."""
    network = import_module("silero_vad").load_silero_vad()._model

    def embed(wave: Tensor) -> Tensor:
        # Each step hears 32 ms and 4 ms before them.
        wave = torch.nn.functional.pad(wave, (64, -len(wave) % 512))
        state, found = torch.zeros(2, 1, 128), []
        for frame in wave.unfold(0, 576, 512):
            _, state = network(frame[None], state)
            found.append(state[0, 0])
        return torch.stack(found).mean(dim=0)

    return embed


PACKAGED = {
    "pitch (CREPE tiny)": ("torchcrepe", crepe),
    "speakers (Resemblyzer)": ("resemblyzer", speakers),
    "voice activity (Silero)": ("silero_vad", voice_activity),
}
DISTRIBUTIONS = {
    "torchcrepe": "torchcrepe",
    "resemblyzer": "Resemblyzer",
    "silero_vad": "silero-vad",
}


@torch.no_grad()
def embedded(waves: list[Tensor], embed: Embed, name: str) -> Tensor:
    """(clips, dimensions) float32."""
    return torch.stack([embed(wave).float() for wave in tqdm(waves, desc=name, unit="clip")])


def main(record: str | None = None) -> None:
    """Probe what is installed on what is at hand; write the record."""
    began, found, licences = time.perf_counter(), {}, []
    installed = {name: each for name, each in PACKAGED.items() if find_spec(each[0])}
    sets = [clips for name in SETS if (clips := find_dataset(name, data_folder()))]
    if not installed or not sets:
        print(
            "packaged: nothing to probe; install the packages named in benchmarks/packaged.py, and "
            "name a folder of recordings in AUDIOPG_DATA."
        )
        return
    for clips in sets:
        waves = cached_waves(clips)
        whole = [waves.native(row) for row in range(len(clips))]
        features = {
            name: embedded(whole, make(), f"{clips.name}, {name}")
            for name, (_, make) in installed.items()
        }
        licences.append(f"{clips.name} ({clips.licence})")
        for name, result in probe_features(clips, features, controls=False).items():
            values = {str(f): float(v) for f, v in zip(result.folds, result.values, strict=True)}
            found.setdefault(clips.name, {})[name] = {
                "accuracy": values,
                "mean": result.mean,
                "standard_deviation": result.standard_deviation,
                "dimensions": features[name].shape[1],
            }
            spread = (
                ""
                if np.isnan(result.standard_deviation)
                else f" ± {100 * result.standard_deviation:.1f}"
            )
            print(f"{clips.name}, {name}: {100 * result.mean:.1f}{spread} %")
    if record:
        write_record(
            record,
            settings={
                DISTRIBUTIONS[each]: version(DISTRIBUTIONS[each]) for each, _ in installed.values()
            },
            metrics=found,
            seconds=time.perf_counter() - began,
            data="; ".join(licences),
            protocol="frozen networks with the weights of their package, each clip at its native length, "
            "averaged over time; a linear probe whose every choice is made on the training folds or the "
            "official validation part",
        )


if __name__ == "__main__":
    main()
