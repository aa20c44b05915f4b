"""Small encoders that were trained on recordings, and whose weights come inside their package.

They say what a linear probe of ours is worth beside: each is frozen, hears the same clips at their
native length, is probed on the same folds as `tiny`, and is tested against it. A model of pitch (CREPE,
its smallest size), one of speakers (Resemblyzer) and one of voice activity (Silero). None is a
dependency; those that are installed are probed:

    pip install torchcrepe==0.0.24 Resemblyzer==0.1.4 silero-vad==6.2.3
    AUDIOPG_DATA=data python -m audiopg bench packaged --record packaged-encoders
"""

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec

import torch
from torch import Tensor
from tqdm.auto import tqdm

from audiopg import data_folder, load_encoder
from audiopg.datasets import cached_waves, find_dataset
from audiopg.errors import InputError
from audiopg.transfer import clip_features, probe_features, summarise
from audiopg.transfer.summary import TESTS, THIS

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


# The package as it is installed and as it is imported, and the encoder in it.
PACKAGED = {
    "pitch (CREPE tiny)": ("torchcrepe", "torchcrepe", crepe),
    "speakers (Resemblyzer)": ("Resemblyzer", "resemblyzer", speakers),
    "voice activity (Silero)": ("silero-vad", "silero_vad", voice_activity),
}


@torch.no_grad()
def embedded(waves: list[Tensor], embed: Embed, name: str) -> Tensor:
    """(clips, dimensions) float32."""
    return torch.stack([embed(wave).float() for wave in tqdm(waves, desc=name, unit="clip")])


def main() -> dict:
    """Probe what is installed on what is at hand; return what a record says."""
    installed = {name: each for name, each in PACKAGED.items() if find_spec(each[1])}
    clips = find_dataset("esc10", data_folder())
    if not installed or clips is None:
        raise InputError(
            "nothing to probe; install the packages named in benchmarks/packaged.py, and name a "
            "folder with ESC-10 in AUDIOPG_DATA."
        )
    waves = cached_waves(clips)
    whole = [waves.native(row) for row in range(len(clips))]
    features = {name: embedded(whole, make(), name) for name, (*_, make) in installed.items()}
    ours = {THIS: load_encoder("tiny")}
    features |= clip_features(whole, ours, native=True, controls=False)
    results = probe_features(clips, features, controls=False)
    found = summarise(results, clips)
    for name, result in results.items():
        found[name]["dimensions"] = features[name].shape[1]
        print(f"{name}: {100 * result.mean:.1f} %, p = {found[name]['p_holm']}")
    return {
        "settings": {
            "model": "tiny",
            **{package: version(package) for package, *_ in installed.values()},
        },
        "metrics": found,
        "data": f"{clips.name} ({clips.licence})",
        "protocol": "frozen networks with the weights of their package, each clip at its native length, "
        "averaged over time; a linear probe whose every choice is made on the training folds; "
        f"{TESTS}",
    }
