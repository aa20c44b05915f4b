"""`audiopg export`: an encoder for other toolkits."""

import argparse
from pathlib import Path

from audiopg.commands.common import add_model, add_out
from audiopg.environment import require_writable
from audiopg.errors import InputError
from audiopg.layouts import read_encoder, read_pth, write_timm
from audiopg.pretrained import load_encoder

EXAMPLES = (
    "example: audiopg export tiny --to timm --out tiny-for-timm; AudioMAE's weights for probe, embed "
    "and finetune: audiopg export audiomae.pth --to timm --out audiomae"
)


def add(command: argparse.ArgumentParser) -> None:
    add_model(command)
    command.add_argument(
        "--to",
        choices=["timm"],
        required=True,
        help="timm: model.safetensors, config.json and a card, which every command here reads too; "
        "the model may also be a .pth of MAE's or AudioMAE's layout, of which no code is run",
    )
    add_out(command, "folder to write, which is not there yet or empty")


def run(options: argparse.Namespace) -> None:
    out = options.out
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is not an empty folder; name another.")
    if Path(options.model).suffix in (".pth", ".pt"):
        encoder = read_encoder(options.model, read_pth(options.model))
    else:
        encoder = load_encoder(options.model)
    tensors = encoder.positions, *encoder.state_dict().values()
    require_writable(out.absolute().parent, sum(value.nbytes for value in tensors) + 1e4)
    write_timm(encoder, out)
    print(f"{encoder.architecture.depth} blocks, {encoder.architecture.width} wide, in {out}")
