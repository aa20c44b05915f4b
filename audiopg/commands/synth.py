"""`audiopg synth`: clips as sound files, with their factors."""

import argparse
import io
import os
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from audiopg import synth
from audiopg.commands.common import add_out
from audiopg.environment import atomic_path, require_writable, writing
from audiopg.errors import InputError
from audiopg.inputs import is_count
from audiopg.runs import clear_leftovers, run_folder
from audiopg.synth.scenes import scene_text

# Bytes of a sample: 32-bit floats in wav; in flac 24 bits, the most that it has.
_BYTES = {"wav": 4, "flac": 3}
# The most bytes of a clip in scene.json and parameters.csv together.
_FACTOR_BYTES = 30_000
EXAMPLES = (
    "example: audiopg synth --preset full --clips 0:16 --seed 0 --out sounds; the same clips again, "
    "perhaps after an edit: audiopg synth --json sounds/scene.json --out edited"
)


def add(command: argparse.ArgumentParser) -> None:
    # No defaults here, so that `run` knows which of them were given beside --json.
    names = ", ".join(name for name in synth.PRIORS if name not in synth.SENSITIVITY)
    command.add_argument(
        "--preset", help=f"{names}, or one of the names of --sensitivity (default: full)"
    )
    command.add_argument("--clips", help="indices FIRST:LAST, the last left out (default: 0:8)")
    command.add_argument("--seed", type=int, help="of the clips (default: 0)")
    command.add_argument(
        "--sensitivity",
        choices=synth.SENSITIVITY,
        metavar="NAME",
        help="change the preset as one row of the paper's Table 4 does: "
        + ", ".join(f"'{name}'" for name in synth.SENSITIVITY),
    )
    command.add_argument(
        "--json",
        type=Path,
        metavar="SCENE",
        help="render this scene; it takes the place of the four above",
    )
    command.add_argument(
        "--format",
        choices=_BYTES,
        default="wav",
        help="of the sounds: wav, of 32-bit floats, or flac, of 24 bits (default: wav)",
    )
    add_out(command, "folder for the sounds, scene.json, parameters.csv")


def run(options: argparse.Namespace) -> None:
    drawn = {"preset": "full", "clips": "0:8", "seed": 0, "sensitivity": None}
    given = [name for name in drawn if getattr(options, name) is not None]
    size = synth.CLIP_SAMPLES * _BYTES[options.format] + _FACTOR_BYTES
    if options.json:
        if given:
            named = " and ".join(f"--{name}" for name in given)
            raise InputError(f"--json renders a scene as it is; leave out {named}.")
        params = synth.read_scene(options.json)
        names = [f"{options.json.stem}-{row:05d}" for row in range(len(params))]
    else:
        drawn |= {name: getattr(options, name) for name in given}
        changes = synth.SENSITIVITY[drawn["sensitivity"]] if drawn["sensitivity"] else {}
        prior = synth.SynthPrior.preset(drawn["preset"], **changes)
        clips = _clip_range(drawn["clips"])
        # Before the clips are drawn, since too many for the disk may be too many for the memory.
        there = len(os.listdir(options.out)) if options.out.is_dir() else 0
        require_writable(options.out, (len(clips) - there) * size)
        params = prior.sample(torch.arange(clips.start, clips.stop), drawn["seed"])
        names = [f"{drawn['preset']}-{drawn['seed']}-{int(clip):05d}" for clip in params.clip]
    paths = [options.out / f"{name}.{options.format}" for name in names]
    require_writable(options.out, size * sum(not os.path.lexists(path) for path in paths))
    with run_folder(options.out) as held, writing(options.out):
        clear_leftovers(held)
        _refuse_other_scene(params, options.out / "scene.json", options.json)
        for start in tqdm(range(0, len(params), 16), desc="rendering", unit="batch"):
            part = slice(start, start + 16)
            for path, wave in zip(paths[part], synth.render(params[part]), strict=True):
                sound = _encoded(wave.numpy(), options.format)
                if path.exists() and path.read_bytes() != sound:
                    raise InputError(
                        f"{path} holds another sound, which is kept; move it, or name another folder."
                    )
                held.require_held("run this again")
                with atomic_path(path) as temporary:
                    temporary.write_bytes(sound)
                    # Before the first sound: if this is killed, no other clips can be mixed with these.
                    if path == paths[0]:
                        synth.write_scene(params, options.out / "scene.json")
        held.require_held("run this again")
        synth.write_table(params, options.out / "parameters.csv")
    print(f"{len(params)} clips, scene.json and parameters.csv in {options.out}")


def _refuse_other_scene(params: synth.ClipParameters, path: Path, edited: Path | None) -> None:
    """Raise InputError where a scene of other clips would be lost; their sounds stay in the folder.

    A scene that is rendered beside itself may have been edited.
    """
    if not path.exists() or (edited and edited.samefile(path)):
        return
    with path.open("rb") as file:
        same = all(file.read(len(part)) == part.encode() for part in scene_text(params))
        same = same and not file.read(1)
    if not same:
        raise InputError(
            f"{path} is of other clips, whose factors would be lost; name another folder."
        )


def _encoded(wave: np.ndarray, format: str) -> bytes:
    """A sound file of (n,) float32, the same bytes whenever it is made.

    libsndfile (1.2.2) writes the time into WAV files of floats, in the chunk PEAK, and soundfile
    (0.14.0) has no way to leave it out; scipy writes no such chunk.
    """
    import soundfile
    from scipy.io import wavfile

    buffer = io.BytesIO()
    if format == "wav":
        wavfile.write(buffer, synth.SAMPLE_RATE, wave)
    else:
        soundfile.write(buffer, wave, synth.SAMPLE_RATE, "PCM_24", None, format)
    return buffer.getvalue()


def _clip_range(text: str) -> range:
    first, _, last = text.partition(":")
    is_range = is_count(first, 19) and is_count(last, 19)
    if not (is_range and int(first) < int(last) < 2**63):
        raise InputError(f"clips is {text!r}; give FIRST:LAST, such as 0:16.")
    return range(int(first), int(last))
