"""What determines a pre-training run: its settings, our recipes, and the learning rate of each step."""

import math
import os
from dataclasses import dataclass, fields, replace

from audiopg._types import AnyPath
from audiopg.environment import PRECISION_CHOICES
from audiopg.errors import InputError
from audiopg.initial import INITIAL
from audiopg.mae import ARCHITECTURES, Architecture
from audiopg.pretrained import lasting_weights
from audiopg.runs import read_settings_of, warmup_cosine
from audiopg.settings import check_settings, setting
from audiopg.synth import PRIORS


@dataclass(frozen=True)
class PretrainSettings:
    """Everything that determines a pre-training run; the defaults are the paper's.

    Its text states the network, AdamW, the batch and the epochs (Section 4.1); its released code has
    the learning rate, the weight decay and the clips of an epoch.

    Step k trains on the clips k * batch_size to (k + 1) * batch_size - 1 of the seed, each heard
    once: 7,813 steps of 64 are the paper's 100 epochs of 5,000 clips.

    Raises:
        InputError: for a value outside its range, naming the setting and the range.
    """

    preset: str = setting(
        "base", f"size of the network: {', '.join(ARCHITECTURES)}", choices=ARCHITECTURES
    )
    class_token: bool = setting(True, "a token that stands for no patch, as in the paper")
    visible_keys: bool = setting(
        False,
        "the decoder attends to the visible patches alone, and predicts each of the others by itself",
    )
    decoder_width: int | None = setting(
        None, "numbers a token in the decoder, if not the preset's", low=1
    )
    decoder_depth: int | None = setting(None, "blocks of the decoder, if not the preset's", low=1)
    initial: str = setting(
        "xavier",
        "how the weights begin: xavier, or mimetic, which leaves the first shelf of the loss sooner",
        choices=INITIAL,
    )
    start: str | None = setting(
        None,
        "weights to go on from: a run, a checkpoint, a file, an address, or a name that comes "
        "with audiopg",
    )
    prior: str = setting("full", f"curriculum of sounds: {', '.join(PRIORS)}", choices=PRIORS)
    audio: str | None = setting(None, "a folder of recordings to learn from instead of synthesis")
    steps: int = setting(7813, "optimiser steps", low=1)
    minutes: float | None = setting(
        None, "stop after the step at which the run, pauses left out, has taken so long", low=1e-6
    )
    batch_size: int = setting(64, "clips a step, of all processes together", low=1)
    optimiser: str = setting(
        "adamw",
        "adamw, or muon for the matrices of the blocks with adamw for the rest",
        choices=("adamw", "muon"),
    )
    learning_rate: float = setting(1e-4, "peak learning rate", low=0.0, high=1)
    warmup_steps: int = setting(0, "steps over which the learning rate rises from 0", low=0)
    schedule: str = setting(
        "constant",
        "after the warm-up: constant, or cosine down to 0",
        choices=("constant", "cosine"),
    )
    cooldown_steps: int = setting(
        0, "last steps, over which the learning rate falls linearly to 0 besides", low=0
    )
    weight_decay: float = setting(0.05, "weight decay of the optimiser", low=0.0, high=1)
    mask_ratio: float = setting(
        0.75, "share of patches hidden from the encoder", low=0.01, high=0.99
    )
    decoded_share: float = setting(
        1.0,
        "share of the masked patches that are decoded and compared, drawn at random",
        low=0.001,
        high=1,
    )
    window: int | None = setting(
        None,
        "patches in time, of the 64 in a clip, that a step learns from: a window at a random place",
        low=1,
        high=64,
    )
    auxiliary_weight: float = setting(
        0.0,
        "weight of a head's loss that predicts summaries of the clip's factors from what is not "
        "masked; 0 for no head",
        low=0.0,
        high=1000,
    )
    precision: str = setting(
        "float32",
        "of the network's products: float32, bfloat16, or auto, the one that the device is good at",
        choices=PRECISION_CHOICES,
    )
    compiled: bool = setting(False, "compile the network: minutes at the start, faster steps")
    seed: int = setting(
        0, "key of the clips, the masks and the initial weights", low=-(2**63), high=2**63 - 1
    )
    checkpoint_every: int = setting(500, "steps between checkpoints", low=1)
    filters_every: int = setting(
        200, "steps between copies of the patch projection, kept in filters/", low=1
    )
    pictures_every: int = setting(
        0,
        "steps between pictures of reconstructed clips that are not trained on; 0 for none",
        low=0,
    )

    def __post_init__(self) -> None:
        for name in ("audio", "start"):
            if isinstance(getattr(self, name), os.PathLike):
                object.__setattr__(self, name, os.fspath(getattr(self, name)))
            if getattr(self, name) == "":
                raise InputError(f"{name} is empty; name something, or leave it out.")
        check_settings(self)
        if self.audio and self.auxiliary_weight > 0:
            raise InputError(
                f"auxiliary_weight is {self.auxiliary_weight:g}, but of recordings no factors are "
                "known to predict; leave out audio, or set it to 0."
            )
        _ = self.architecture  # Refuses sizes that do not go together.

    @property
    def architecture(self) -> Architecture:
        """Sizes of the network: the preset's, changed as the settings say."""
        changes = {"decoder_width": self.decoder_width, "decoder_depth": self.decoder_depth}
        given = {name: value for name, value in changes.items() if value is not None}
        given |= {"class_token": self.class_token, "visible_keys": self.visible_keys}
        return replace(ARCHITECTURES[self.preset], **given)


RECIPES = {
    "paper": PretrainSettings(),
    # Chosen for the speed of a GPU. No probe has judged it at this size: the steps that lead to it
    # (`audiopg.book.experiments.recipe_steps`, at scale "paper") have no records yet.
    "fast": PretrainSettings(
        precision="auto",
        compiled=True,
        decoder_depth=4,
        decoder_width=256,
        class_token=False,
        optimiser="muon",
    ),
    # For a machine without a GPU. The number of steps counts, so batches are small. With `mini`, none
    # of the changes of `recipe_steps` at scale "cpu" is better on all sets with both poolings.
    "cpu": PretrainSettings(
        preset="tiny",
        precision="auto",
        class_token=False,
        optimiser="muon",
        learning_rate=2e-3,
        batch_size=8,
        steps=12_800,
        warmup_steps=100,
        cooldown_steps=2_000,
    ),
}


def recipe_for(preset: str, recipe: str = "fast") -> PretrainSettings:
    """A recipe for another size of network, with a decoder no larger than that size has.

    Raises:
        InputError: for an unknown size.
    """
    settings = replace(RECIPES[recipe], preset=preset)
    own = ARCHITECTURES[preset]
    changes = {
        name: None
        for name in ("decoder_width", "decoder_depth")
        if (getattr(settings, name) or math.inf) >= getattr(own, name)
    }
    return replace(settings, **changes)


# Settings that may change when a run is resumed: they say when to stop or to write, or how fast to go
# (compiled steps differ by rounding), not what is learned.
_CHANGEABLE = ("minutes", "checkpoint_every", "filters_every", "pictures_every", "compiled")
# These may change too, as long as the steps that are done would have been the same.
LENGTHS = ("steps", "cooldown_steps")


def learning_rate_at(settings: PretrainSettings, step: int) -> float:
    """Learning rate of a step, counted from 0: a linear warm-up, then constant or half a cosine.

    Over the last ``cooldown_steps`` it falls linearly besides, to 0 after the last.
    """
    rate = settings.learning_rate
    if settings.cooldown_steps:
        rate *= min(1.0, (settings.steps - step) / settings.cooldown_steps)
    if settings.schedule == "constant" and step >= settings.warmup_steps:
        return rate
    return warmup_cosine(rate, step, settings.warmup_steps, settings.steps)


def different(one: PretrainSettings, other: PretrainSettings) -> list[str]:
    """The settings in which two runs differ, but for those that say when to stop or to write.

    The precision "auto" differs from none, since it became one of the others.
    """
    names = [f.name for f in fields(one) if f.name not in _CHANGEABLE]
    if "auto" in (one.precision, other.precision):
        names.remove("precision")
    # Older versions kept relative paths, which are of the folder that a run began in.
    one, other = lasting(one), lasting(other)
    return [name for name in names if getattr(one, name) != getattr(other, name)]


def lasting(settings: PretrainSettings) -> PretrainSettings:
    """Settings whose paths lead to the same places from any working folder."""
    start, audio = settings.start, settings.audio
    return replace(
        settings, start=start and lasting_weights(start), audio=audio and os.path.abspath(audio)
    )


def same_so_far(one: PretrainSettings, other: PretrainSettings, done: int) -> bool:
    """Whether the steps done had the same learning rates in two runs of different lengths."""
    return done <= other.steps and all(
        learning_rate_at(one, step) == learning_rate_at(other, step) for step in range(done)
    )


def read_settings(folder: AnyPath) -> PretrainSettings:
    """The settings of the run in a folder; what an older version did not know has its default.

    Raises:
        InputError: for a folder without a run, or settings that cannot be read.
    """
    return read_settings_of(folder, "settings.json", lambda found: PretrainSettings(**found))
