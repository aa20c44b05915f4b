"""`audiopg synth`: clips as sound files, with their factors."""

import argparse
from pathlib import Path

import torch
from tqdm.auto import tqdm

from audiopg.commands.common import Commands, add_command
from audiopg.environment import atomic_path
from audiopg.errors import InputError
from audiopg.synth import (
    PRESETS,
    SAMPLE_RATE,
    SENSITIVITY,
    SynthPrior,
    read_scene,
    render,
    write_scene,
    write_table,
)

# Of the sounds written: what keeps the most of a waveform that reaches from -1 to 1.
_SUBTYPES = {"wav": "FLOAT", "flac": "PCM_24"}


def add(commands: Commands) -> None:
    """`audiopg synth`."""
    command = add_command(
        commands,
        "synth",
        _synth,
        "write clips as sound files, with their factors as scene.json and as parameters.csv",
        "audiopg synth --preset full --clips 0:16 --seed 0 --out sounds; the same clips again, "
        "perhaps after an edit: audiopg synth --json sounds/scene.json --out edited",
    )
    # No defaults here, so that one that is given beside --json is known from one that is not.
    command.add_argument("--preset", help=f"{', '.join(PRESETS)} (default: full)")
    command.add_argument("--clips", help="indices FIRST:LAST, the last left out (default: 0:8)")
    command.add_argument("--seed", type=int, help="of the clips (default: 0)")
    command.add_argument(
        "--sensitivity",
        choices=SENSITIVITY,
        metavar="NAME",
        help="change the preset as one row of the paper's Table 4 does: "
        + ", ".join(f"'{name}'" for name in SENSITIVITY),
    )
    command.add_argument(
        "--json",
        type=Path,
        metavar="SCENE",
        help="render this scene; it takes the place of the four above",
    )
    command.add_argument(
        "--format",
        choices=_SUBTYPES,
        default="wav",
        help="of the sounds: wav, of 32-bit floats, or flac, of 24 bits (default: wav)",
    )
    command.add_argument(
        "--out", type=Path, required=True, help="folder for the sounds, scene.json, parameters.csv"
    )


def _synth(options: argparse.Namespace) -> None:
    import soundfile

    drawn = {"preset": "full", "clips": "0:8", "seed": 0, "sensitivity": None}
    given = [name for name in drawn if getattr(options, name) is not None]
    if options.json:
        if given:
            named = " and ".join(f"--{name}" for name in given)
            raise InputError(f"--json renders a scene as it is; leave out {named}.")
        params = read_scene(options.json)
        names = [f"{options.json.stem}-{row:05d}" for row in range(len(params))]
    else:
        drawn |= {name: getattr(options, name) for name in given}
        changes = SENSITIVITY[drawn["sensitivity"]] if drawn["sensitivity"] else {}
        prior = SynthPrior.preset(drawn["preset"], **changes)
        params = prior.sample(_clip_range(drawn["clips"]), drawn["seed"])
        names = [f"{drawn['preset']}-{drawn['seed']}-{int(clip):05d}" for clip in params.clip]
    # Before the work, so that a folder that cannot be made is known at once.
    options.out.mkdir(parents=True, exist_ok=True)
    for start in tqdm(range(0, len(params), 16), desc="rendering", unit="batch"):
        part = slice(start, start + 16)
        for name, wave in zip(names[part], render(params[part]), strict=True):
            with atomic_path(options.out / f"{name}.{options.format}") as temporary:
                subtype = _SUBTYPES[options.format]
                soundfile.write(temporary, wave.numpy(), SAMPLE_RATE, subtype, None, options.format)
    write_scene(params, options.out / "scene.json")
    write_table(params, options.out / "parameters.csv")
    print(f"{len(params)} clips, scene.json and parameters.csv in {options.out}")


def _clip_range(text: str) -> torch.Tensor:
    first, _, last = text.partition(":")
    if not (first.isdecimal() and last.isdecimal() and int(first) < int(last) < 2**63):
        raise InputError(f"clips is {text!r}; give FIRST:LAST, such as 0:16.")
    return torch.arange(int(first), int(last))
