"""Encoders in the layouts of others: timm's vision transformers, AudioMAE and ViTMAE.

timm, MAE and AudioMAE give the weights of a vision transformer the same names; transformers' ViTMAE has
names of its own and keeps query, key and value apart. Both are read as an `audiopg.mae.Encoder`, with
the positions, the front end and the epsilon of the layer norms that the weights were trained with.
`write_timm` writes an encoder for timm.
"""

import argparse
import json
import pickle
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from audiopg._types import AnyPath
from audiopg.environment import atomic_folder, atomic_path, write_json, writing
from audiopg.errors import InputError
from audiopg.frontend import MEL_BANDS, PATCH, LogMel
from audiopg.inputs import read_object
from audiopg.mae import ARCHITECTURES, BANDS, MOST_TOKENS, PIXELS, Encoder

# From the training script of AudioMAE (Huang et al., 2022): values are divided by twice the standard
# deviation of AudioSet, and the zeros that fill a clip are added before.
_MEAN, _DEVIATION = -4.2677393, 2 * 4.5689974
AUDIOMAE = {
    "mean": _MEAN,
    "standard_deviation": _DEVIATION,
    "window": "hann",
    "padding": -_MEAN / _DEVIATION,
}
# timm's names and ours; positions and class token are exchanged apart.
_TIMM = {
    "patch_embed.proj": "patch_projection",
    "norm1": "attention_norm",
    "attn.qkv": "query_key_value",
    "attn.proj": "output",
    "norm2": "mlp_norm",
    "mlp.fc1": "mlp.0",
    "mlp.fc2": "mlp.2",
}
# ViTMAE's names and timm's, in the order in which they are exchanged.
_VITMAE = {
    "vit.": "",
    "embeddings.cls_token": "cls_token",
    "embeddings.position_embeddings": "pos_embed",
    "embeddings.patch_embeddings.projection": "patch_embed.proj",
    "encoder.layer.": "blocks.",
    "attention.attention.": "attn.",
    "attention.output.dense": "attn.proj",
    "layernorm_before": "norm1",
    "layernorm_after": "norm2",
    "layernorm": "norm",
    "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
}
# Parts that an encoder does not need: the decoder, and a head for classes.
_LEFT_OUT = ("decoder", "mask_token", "head.")


def read_encoder(path: AnyPath, tensors: Mapping[str, Tensor]) -> Encoder:
    """The encoder in a checkpoint of timm, MAE, AudioMAE or ViTMAE.

    A ``config.json`` beside the file, as timm and transformers write it, has the number of heads and
    the epsilon of the layer norms; without one the heads are 64 wide and the epsilon is 1e-6. The
    front end is that of AudioMAE, unless the config has an object "audiopg" with the arguments of a
    `LogMel`, as `write_timm` writes it.

    Args:
        path: of the file, for messages and for its ``config.json``.
        tensors: in it, by name. The patches are of (1, 16, 16), the positions of 64 x 8 patches,
            those of a time step one after another.

    Returns:
        The encoder, frozen, in evaluation mode.

    Raises:
        InputError: for another layout or another shape, or a config that is damaged.
    """
    named = {name: value for name, value in tensors.items() if not name.startswith(_LEFT_OUT)}
    if any("patch_embeddings" in name for name in named):
        named = _from_vitmae(named)
    state, positions = _our_state(path, named)
    class_token, width = "class_token" in state, positions.shape[1]
    config = _config(Path(path))
    depth = len({name.split(".")[1] for name in state if name.startswith("blocks.")})
    try:
        encoder = Encoder(
            replace(
                ARCHITECTURES["base"],
                width=width,
                depth=depth,
                heads=config.get("heads", max(1, width // 64)),
                class_token=class_token,
            ),
            LogMel(**config.get("front_end", AUDIOMAE)),
        )
        encoder.load_state_dict(state)
    except (RuntimeError, TypeError, InputError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} holds an encoder that audiopg cannot take: {reason}") from error
    encoder.positions = positions.float()
    for module in encoder.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = config.get("epsilon", module.eps)
    return encoder.requires_grad_(False).eval()


def _our_state(path: AnyPath, named: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
    """The state of an `Encoder` from tensors by timm's names, and the positions, (512, D)."""
    try:
        projection, positions = named.pop("patch_embed.proj.weight"), named.pop("pos_embed")
    except KeyError as error:
        raise InputError(
            f"{path} holds no encoder that audiopg reads: it has no {error.args[0]}, as timm, AudioMAE "
            "and ViTMAE have."
        ) from error
    class_token = named.pop("cls_token", None)
    first, width = int(class_token is not None), len(projection)
    for name, value, shape in (
        ("patches", projection, (width, 1, PATCH, PATCH)),
        ("positions", positions, (1, first + MOST_TOKENS, width)),
    ):
        if value.shape != shape:
            raise InputError(
                f"the {name} in {path} have shape {tuple(value.shape)}; audiopg takes {shape}, those "
                f"of a spectrogram of {MOST_TOKENS // BANDS * PATCH} frames and {MEL_BANDS} bands."
            )
    state = {_exchanged(name, _TIMM): value for name, value in named.items()}
    state["patch_projection.weight"] = projection.reshape(width, PIXELS)
    if class_token is not None:
        # The token has a position too, which may add something.
        state["class_token"] = class_token.flatten() + positions[0, 0]
    return state, positions[0, first:]


def _exchanged(name: str, names: Mapping[str, str]) -> str:
    """A name with the parts that are among ``names`` exchanged."""
    for old, new in names.items():
        name = re.sub(rf"(^|(?<=\.)){re.escape(old)}", new, name, count=1)
    return name


def _from_vitmae(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors by timm's names, query, key and value of a block in one."""
    named = {_exchanged(name, _VITMAE): value for name, value in tensors.items()}
    for query in [name for name in named if "attn.query." in name]:
        parts = [query.replace("query", part) for part in ("query", "key", "value")]
        if all(part in named for part in parts):
            joint = torch.cat([named.pop(part) for part in parts])
            named[query.replace("query", "qkv")] = joint
    return named


def _config(path: Path) -> dict:
    """What a config beside the weights says of "heads", "epsilon" and "front_end"."""
    file = path.with_name("config.json")
    if not file.is_file():
        return {}
    said = read_object(file, "put the one back that belongs to the weights")
    arguments = said.get("model_args") or {}
    found = {
        "heads": said.get("num_attention_heads", arguments.get("num_heads")),
        "epsilon": said.get("layer_norm_eps"),
        "front_end": said.get("audiopg"),
    }
    return {name: value for name, value in found.items() if value is not None}


def read_pth(path: AnyPath) -> dict[str, Tensor]:
    """The tensors of a checkpoint that ``torch.save`` wrote, such as AudioMAE's.

    PyTorch's reader for weights alone is used, which runs no code of the file's. Besides tensors it
    is let read the settings that MAE and AudioMAE keep there, an `argparse.Namespace`.

    Raises:
        InputError: for a file that cannot be read so.
    """
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"{path} cannot be read as weights alone ({reason}).") from error
    found = found.get("model", found) if isinstance(found, dict) else found
    if not isinstance(found, dict) or not all(isinstance(v, Tensor) for v in found.values()):
        raise InputError(f"{path} holds no tensors by name, nor any under 'model'.")
    return found


def write_timm(encoder: Encoder, folder: AnyPath) -> None:
    """Write an encoder as timm reads it: ``model.safetensors``, ``config.json`` and a card.

    The folder must not exist yet, or be empty; it is written whole or not at all.

    ``timm.create_model("local-dir:FOLDER", pretrained=True)`` makes the network from them. Its input
    is (B, 1, 1024, 128), standardised log-mels, and it gives the average of the patches' tokens.

    Raises:
        InputError: when it cannot be written, or there are files in it.
    """
    folder, state = Path(folder).absolute(), encoder.state_dict()
    width = encoder.architecture.width
    ours = {new: old for old, new in _TIMM.items()}
    class_token, positions = state.pop("class_token", None), encoder.positions
    tensors = {_exchanged(name, ours): value for name, value in state.items()}
    projection = tensors["patch_embed.proj.weight"]
    tensors["patch_embed.proj.weight"] = projection.reshape(width, 1, PATCH, PATCH)
    if class_token is not None:
        tensors["cls_token"] = class_token.reshape(1, 1, width)
        # timm's token has a position of its own, which adds nothing here.
        positions = torch.cat((torch.zeros_like(positions[:1]), positions))
    tensors["pos_embed"] = positions[None]
    frames = MOST_TOKENS // BANDS * PATCH
    config = {
        "architecture": "vit_base_patch16_224",
        "num_classes": 0,
        "num_features": width,
        "global_pool": "avg",
        "model_args": {
            "img_size": [frames, MEL_BANDS],
            "in_chans": 1,
            "num_classes": 0,
            "global_pool": "avg",
            "fc_norm": False,
            "final_norm": True,
            "class_token": class_token is not None,
            "embed_dim": width,
            "depth": encoder.architecture.depth,
            "num_heads": encoder.architecture.heads,
        },
        "pretrained_cfg": {
            "input_size": [1, frames, MEL_BANDS],
            "fixed_input_size": True,
            "num_classes": 0,
            "first_conv": "patch_embed.proj",
            "classifier": "head",
        },
        "audiopg": encoder.log_mel.settings,
    }
    # Without their config the weights would be read with another front end.
    with writing(folder), atomic_folder(folder) as made:
        contiguous = {name: value.cpu().contiguous() for name, value in tensors.items()}
        with atomic_path(made / "model.safetensors") as temporary:
            save_file(contiguous, temporary, {"format": "pt"})
        write_json(made / "config.json", config)
        (made / "README.md").write_text(_card(encoder), encoding="utf-8")


def _card(encoder: Encoder) -> str:
    """A description of the weights and of their input."""
    front_end = json.dumps(encoder.log_mel.settings)
    return f"""# An encoder of audiopg

A vision transformer of {encoder.architecture.depth} blocks, {encoder.architecture.width} wide, for
spectrograms of 10.24 s at 16 kHz:

    timm.create_model("local-dir:THIS_FOLDER", pretrained=True)

It takes (B, 1, 1024, 128): Kaldi's log-mel energies of 128 bands, windows of 25 ms every 10 ms, less a
mean, divided by a standard deviation, frames of the padding added behind. It was trained with
`audiopg.LogMel(**{front_end})`, which makes them; Kaldi's own are
`torchaudio.compliance.kaldi.fbank(wave, htk_compat=True, num_mel_bins=128, dither=0.0,
window_type="{"hanning" if encoder.log_mel.window_name == "hann" else "hamming"}")`.
"""
