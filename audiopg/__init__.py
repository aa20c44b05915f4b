"""AudioPG: learn to hear from a synthesizer.

A procedural synthesizer makes sound, a masked autoencoder learns from it, and its encoder is
transferred to real recordings and asked what it knows. A part of the library is imported when one of
its names is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audiopg import analysis
    from audiopg.environment import at_scale, data_folder, scale
    from audiopg.errors import InputError
    from audiopg.frontend import LogMel
    from audiopg.mae import Encoder, MaskedAutoencoder, reconstruct
    from audiopg.pretrained import load_encoder
    from audiopg.pretraining import RECIPES, PretrainSettings, pretrain
    from audiopg.synth import ClipParameters, SynthPrior, render, signal_to_noise

__version__ = "0.2.0"

__all__ = [
    "RECIPES", "ClipParameters", "Encoder", "InputError", "LogMel", "MaskedAutoencoder",
    "PretrainSettings", "SynthPrior", "analysis", "at_scale", "data_folder", "load_encoder",
    "pretrain", "reconstruct", "render", "scale", "signal_to_noise",
]  # fmt: skip

_HOMES = {
    "environment": ("at_scale", "data_folder", "scale"),
    "errors": ("InputError",),
    "frontend": ("LogMel",),
    "mae": ("Encoder", "MaskedAutoencoder", "reconstruct"),
    "pretrained": ("load_encoder",),
    "pretraining": ("RECIPES", "PretrainSettings", "pretrain"),
    "synth": ("ClipParameters", "SynthPrior", "render", "signal_to_noise"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Import one of the names above, or a module of the library."""
    home = f"audiopg.{_HOME_OF.get(name, name)}"
    try:
        found = import_module(home)
    except ModuleNotFoundError as error:
        if error.name != home:
            raise
        raise AttributeError(f"module 'audiopg' has no attribute {name!r}") from None
    return getattr(found, name) if name in _HOME_OF else found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
