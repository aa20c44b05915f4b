"""What determines a fine-tuning run: its settings, recipes, and the learning rate of each step."""

from dataclasses import dataclass

from audiopg.environment import PRECISION_CHOICES
from audiopg.mae import ARCHITECTURES
from audiopg.runs import warmup_cosine
from audiopg.settings import check_settings, setting


@dataclass(frozen=True)
class FinetuneSettings:
    """Everything that determines a fine-tuning run beside its clips and its first weights.

    The defaults are the paper's protocol (Section 4.1). Learning rate, its cosine, weight decay and
    drop path, which the paper does not state, are those of its released code, and so is mixup (with
    alpha 0.8 there, of 1 here); the widest masks of SpecAugment are those of the audio spectrogram
    transformer on ESC-50 (Gong et al., 2021).

    Raises:
        InputError: for a value outside its range, naming the setting and the range.
    """

    preset: str | None = setting(
        None,
        f"size of a network from scratch, without --start: {', '.join(ARCHITECTURES)}",
        choices=ARCHITECTURES,
    )
    native_length: bool = setting(
        False, "clips at their own length, up to 10.24 s, instead of cut or looped to 10.24 s"
    )
    epochs: int = setting(300, "times that every training clip is heard", low=1, high=2**31 - 1)
    batch_size: int = setting(32, "clips a step", low=1)
    learning_rate: float = setting(
        2e-4, "peak learning rate, from which a cosine falls to 0", low=0.0, high=1
    )
    warmup_epochs: float = setting(
        0.0, "epochs over which the learning rate first rises from 0", low=0.0
    )
    layer_decay: float = setting(
        1.0, "learning rate of a block as a share of that of the block after it", low=0.01, high=1
    )
    weight_decay: float = setting(0.05, "weight decay of AdamW", low=0.0, high=1)
    drop_path: float = setting(
        0.1,
        "probability that a branch of the last block is left out; falls to 0 at the first",
        low=0.0,
        high=0.9,
    )
    patch_drop: float = setting(
        0.0, "share of a clip's patches that is left out in training", low=0.0, high=0.9
    )
    mixup: float = setting(
        0.5,
        "largest share of another clip in one, any up to it alike; 0.5 is mixup of alpha 1",
        low=0.0,
        high=0.5,
    )
    time_mask: float = setting(
        0.1875, "largest share of the frames that SpecAugment masks", low=0.0, high=1
    )
    band_mask: float = setting(
        0.1875, "largest share of the mel bands that SpecAugment masks", low=0.0, high=1
    )
    roll: bool = setting(False, "roll each clip in time, by any number of its frames")
    precision: str = setting(
        "float32",
        "of the network's products: float32, bfloat16, or auto, the one that the device is good at",
        choices=PRECISION_CHOICES,
    )
    seed: int = setting(
        0,
        "key of the order of the clips, of their changes and first weights",
        low=-(2**62),
        high=2**62,
    )
    seeds: int = setting(1, "runs, with this seed and those that follow it", low=1, high=10_000)
    validate: bool = setting(
        False, "to choose settings: leave the test fold alone, report on a training fold held out"
    )
    checkpoint_seconds: float = setting(
        60.0, "seconds between checkpoints, at an epoch's end", low=0.0
    )

    def __post_init__(self) -> None:
        check_settings(self)


FINETUNE_RECIPES = {
    "paper": FinetuneSettings(),
    # The fast evaluation protocol of Section 4.3.
    "paper-50": FinetuneSettings(epochs=50),
    # Chosen with `tiny` on ESC-10, fold 1 left alone and fold 2 held out: half the learning rate,
    # layer_decay 0.75 and masks of SpecAugment together did worse there, with 32 clips a step worse
    # than with 8; mixup and drop path were not tried. For another network or set, choose again with
    # `validate`.
    "fast": FinetuneSettings(
        native_length=True,
        epochs=24,
        batch_size=8,
        learning_rate=2e-3,
        warmup_epochs=1.0,
        layer_decay=0.6,
        drop_path=0.0,
        patch_drop=0.6,
        mixup=0.0,
        time_mask=0.0,
        band_mask=0.0,
        roll=True,
        precision="auto",
    ),
}


def learning_rate_at(settings: FinetuneSettings, step: int, steps: int) -> float:
    """The learning rate of the last block at a step, counted from 0, for so many steps an epoch."""
    warmup, all_steps = round(settings.warmup_epochs * steps), settings.epochs * steps
    return settings.learning_rate * warmup_cosine(1.0, step, warmup, all_steps)
