import json
import os
import shutil
import signal
import struct
import subprocess
import sys
from dataclasses import fields, replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from matplotlib.image import imread
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import audiopg
from audiopg.__main__ import main
from audiopg.commands import COMMANDS
from audiopg.commands import pretrain as command
from audiopg.environment import PRECISIONS
from audiopg.pretrained import load_model
from audiopg.pretraining import RECIPES, PretrainSettings, pretrain, read_settings, recipe_for
from audiopg.recipes import learning_rate_at
from audiopg.runs import read_metrics
from audiopg.synth import (
    CLIP_SAMPLES,
    EXCITATIONS,
    PRIORS,
    SENSITIVITY,
    SynthPrior,
    from_scene,
    read_scene,
    render,
    to_table,
)

RUN = ["pretrain", "--preset", "micro", "--steps", "2", "--batch-size", "2", "--device", "cpu"]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "first"
    assert main([*RUN, "--seed", "5", "--out", str(folder)]) == 0
    return folder


class KillAfter:
    """Renames so many files of ours, then is killed; numba keeps what it compiles in the same way."""

    def __init__(self, replace, count):
        self.replace, self.count, self.done = replace, count, []

    def __call__(self, temporary, path):
        ours = str(temporary).endswith(".part")
        if ours and len(self.done) == self.count:
            raise KeyboardInterrupt
        self.done += [Path(path).name] * ours
        self.replace(temporary, path)


def assert_same(one, other):
    for field in fields(one):
        assert torch.equal(getattr(one, field.name), getattr(other, field.name)), field.name


# Floats are kept as they are; of 24 bits, the last stands for 2 ** -23, and the highest number is
# one of them short of 1.
@pytest.mark.parametrize(("kind", "subtype", "step"), [("wav", "FLOAT", 0), ("flac", "PCM_24", 1)])
def test_synth_writes_the_sounds_of_the_library_call_and_their_factors(
    tmp_path, kind, subtype, step
):
    arguments = f"synth --preset dynamic --clips 3:5 --seed 2 --format {kind} --out"
    out, again = tmp_path / "out", tmp_path / "again"
    assert main([*arguments.split(), str(out)]) == 0
    params = SynthPrior.preset("dynamic").sample(torch.tensor([3, 4]), seed=2)
    waves = render(params).double()
    names = [f"dynamic-2-0000{clip}.{kind}" for clip in (3, 4)]
    assert sorted(f.name for f in out.iterdir()) == [*names, "parameters.csv", "scene.json"]
    for row, name in enumerate(names):
        sound, rate = soundfile.read(out / name)
        assert rate == 16000
        assert soundfile.info(out / name).subtype == subtype
        np.testing.assert_allclose(sound, waves[row], atol=step * 2**-23, rtol=0)
    assert_same(read_scene(out / "scene.json"), params)
    assert (out / "parameters.csv").read_text() == to_table(params).to_csv(lineterminator="\n")

    assert main(["synth", "--json", str(out / "scene.json"), "--out", str(again)]) == 0
    for row in (0, 1):
        sound, _ = soundfile.read(again / f"scene-0000{row}.wav")
        np.testing.assert_array_equal(sound, waves[row])
    for name in ("scene.json", "parameters.csv"):
        assert (again / name).read_bytes() == (out / name).read_bytes()


def riff_chunks(content):
    """The chunks of a WAV file: (name, content) in their order."""
    assert (content[:4], content[8:12]) == (b"RIFF", b"WAVE")
    assert int.from_bytes(content[4:8], "little") == len(content) - 8
    place, chunks = 12, []
    while place < len(content):
        size = int.from_bytes(content[place + 4 : place + 8], "little")
        chunks.append((content[place : place + 4], content[place + 8 : place + 8 + size]))
        place += 8 + size + size % 2
    return chunks


def flac_blocks(content):
    """The metadata of a FLAC file: (kind, content) in their order."""
    assert content[:4] == b"fLaC"
    place, blocks, is_last = 4, [], False
    while not is_last:
        is_last, kind = content[place] >= 128, content[place] % 128
        size = int.from_bytes(content[place + 1 : place + 4], "big")
        blocks.append((kind, content[place + 4 : place + 4 + size]))
        place += 4 + size
    return blocks


def test_synth_writes_no_time_into_a_sound(tmp_path):
    for kind in ("wav", "flac"):
        arguments = f"synth --preset sine --clips 2:3 --format {kind} --out".split()
        assert main([*arguments, str(tmp_path / kind)]) == 0
    wave = render(SynthPrior.preset("sine").sample(torch.tensor([2]), seed=0))[0].numpy()
    chunks = riff_chunks((tmp_path / "wav/sine-0-00002.wav").read_bytes())
    assert [name for name, _ in chunks] == [b"fmt ", b"fact", b"data"]
    # Floats, one channel, at 16 kHz; then how many samples there are, and they.
    assert chunks[0][1] == struct.pack("<HHIIHHH", 3, 1, 16000, 64000, 4, 32, 0)
    assert chunks[1][1] == struct.pack("<I", 163840)
    assert chunks[2][1] == wave.astype("<f4").tobytes()
    # What a stream is, and the name of the encoder without a comment.
    blocks = flac_blocks((tmp_path / "flac/sine-0-00002.flac").read_bytes())
    assert [kind for kind, _ in blocks] == [0, 4]
    size = int.from_bytes(blocks[1][1][:4], "little")
    assert blocks[1][1][4 : 4 + size].startswith(b"reference libFLAC")
    assert blocks[1][1][4 + size :] == bytes(4)


def test_synth_does_not_lose_the_factors_of_other_clips(tmp_path, capsys):
    arguments = ["synth", "--preset", "sine", "--out", str(tmp_path)]
    assert main([*arguments, "--clips", "0:1"]) == 0
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    # What a process that was killed was writing goes.
    (tmp_path / ".sine-0-00000.wav.0123456789abcdef.part").touch()
    assert main([*arguments, "--clips", "0:1"]) == 0
    capsys.readouterr()
    assert main([*arguments, "--clips", "1:2"]) == 2
    message = f"audiopg: {tmp_path}/scene.json is of other clips, whose factors would be lost; name"
    assert message in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    # A scene may be edited and rendered where it lies.
    scene = json.loads((tmp_path / "scene.json").read_text())
    scene["clips"][0]["events"][0]["f0"] = 220.0
    (tmp_path / "scene.json").write_text(json.dumps(scene))
    arguments = ["synth", "--json", str(tmp_path / "scene.json"), "--out", str(tmp_path)]
    assert main(arguments) == 0
    assert read_scene(tmp_path / "scene.json").f0[0, 0] == 220


def test_synth_keeps_a_sound_that_is_not_what_it_would_write(tmp_path, capsys):
    arguments = ["synth", "--preset", "sine", "--clips", "0:2", "--out", str(tmp_path)]
    second = tmp_path / "sine-0-00001.wav"
    second.write_bytes(b"mine")
    assert main(arguments) == 2
    said = f"{second} holds another sound, which is kept; move it, or name another folder."
    assert said in capsys.readouterr().err
    assert second.read_bytes() == b"mine"
    second.unlink()
    # The first sound is there, and the same; the second is made, and then both are left as they are.
    assert main(arguments) == main(arguments) == 0
    # A scene that was edited beside its sounds, and rendered there twice.
    edited = ["synth", "--json", str(tmp_path / "scene.json"), "--out", str(tmp_path)]
    assert main(edited) == 0
    scene = json.loads((tmp_path / "scene.json").read_text())
    scene["clips"][0]["events"][0]["f0"] = 123.0
    (tmp_path / "scene.json").write_text(json.dumps(scene))
    before = (tmp_path / "scene-00000.wav").read_bytes()
    assert main(edited) == 2
    assert (tmp_path / "scene-00000.wav").read_bytes() == before


def test_synth_that_was_killed_leaves_no_sounds_that_others_are_mixed_with(
    tmp_path, monkeypatch, capsys
):
    arguments = ["synth", "--preset", "sine", "--out", str(tmp_path)]
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", replaced := KillAfter(os.replace, 2))
        assert main([*arguments, "--clips", "0:3"]) == 130
    assert replaced.done == ["scene.json", "sine-0-00000.wav"]
    assert main([*arguments, "--clips", "0:1"]) == 2
    assert "scene.json is of other clips" in capsys.readouterr().err
    assert main([*arguments, "--clips", "0:3"]) == 0
    (tmp_path / "scene.json").write_bytes(b"\xff")
    assert main([*arguments, "--clips", "0:3"]) == 2
    assert "scene.json is of other clips" in capsys.readouterr().err


def test_synth_on_a_disk_that_is_full_or_will_be_is_one_sentence(
    tmp_path, monkeypatch, capsys, largest_file
):
    out = tmp_path / "out"
    arguments = ["synth", "--preset", "sine", "--clips", "0:1", "--out", str(out)]
    with largest_file(100_000):
        assert main(arguments) == 2
    said = f"audiopg: {out} cannot be written (File too large); allow larger files (ulimit -f)."
    assert capsys.readouterr().err.splitlines()[-1] == said
    assert not out.exists()
    disk = SimpleNamespace(total=10**9, free=600_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: disk)
    assert main(arguments) == 2
    said = (
        f"audiopg: {out} has 600.0 kB of room and needs about 685.4 kB; make room, or name another "
        "folder."
    )
    assert capsys.readouterr().err == said + "\n"
    # More than there would be memory for.
    assert main(["synth", "--clips", "0:9223372036854775807", "--out", str(out)]) == 2
    assert "600.0 kB of room and needs about 6" in capsys.readouterr().err
    disk.free *= 2
    assert main(arguments) == 0
    # What is there already needs no room.
    disk.free = 0
    assert main(arguments) == 0


def test_synth_draws_the_first_eight_clips_of_the_full_preset(tmp_path, capsys):
    assert main(["synth", "--out", str(tmp_path)]) == 0
    expected = SynthPrior.preset("full").sample(torch.arange(8), seed=0)
    assert (tmp_path / "parameters.csv").read_text() == to_table(expected).to_csv(
        lineterminator="\n"
    )
    assert "8 clips, scene.json and parameters.csv in" in capsys.readouterr().out


@pytest.mark.parametrize("name", SENSITIVITY)
def test_synth_reaches_every_row_of_the_sensitivity_study(tmp_path, name):
    arguments = ["--clips", "0:2", "--seed", "-5", "--sensitivity", name, "--out", str(tmp_path)]
    assert main(["synth", *arguments]) == 0
    prior = SynthPrior.preset("full", **SENSITIVITY[name])
    expected = prior.sample(torch.arange(2), seed=-5)
    assert (tmp_path / "parameters.csv").read_text() == to_table(expected).to_csv(
        lineterminator="\n"
    )
    assert (tmp_path / "full--5-00001.wav").is_file()


def test_synth_renders_a_scene_of_silence_and_one_of_a_crowd(tmp_path):
    crowd = [
        {"f0": 100 + 50 * n, "onset": n / 10, "length": 1, "excitation": EXCITATIONS[n % 4],
         "band_limited": n % 3 == 0, "burst_amplitude": n % 2, "amplitude": 20}
        for n in range(90)
    ]  # fmt: skip
    silent = [{"f0": 440, "length": 1, "amplitude": 0}]
    scene = {"clips": [{"events": []}, {"events": silent}, {"events": crowd}]}
    (tmp_path / "by hand.json").write_text(json.dumps(scene))
    for kind in ("wav", "flac"):
        out = tmp_path / kind
        arguments = ["--json", str(tmp_path / "by hand.json"), "--format", kind, "--out", str(out)]
        assert main(["synth", *arguments]) == 0
        peaks = []
        for row in range(3):
            sound, _ = soundfile.read(out / f"by hand-0000{row}.{kind}")
            assert len(sound) == 163840
            peaks.append(np.abs(sound).max())
        assert peaks[:2] == [0, 0]
        assert peaks[2] == pytest.approx(1, abs=2**-22)
        assert (out / "parameters.csv").read_text() == to_table(from_scene(scene)).to_csv(
            lineterminator="\n"
        )


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr() == (f"audiopg {audiopg.__version__}\n", "")


def test_the_help_of_synth_teaches(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["synth", "--help"])
    assert caught.value.code == 0
    printed = " ".join(capsys.readouterr().out.split()).replace("- ", "-")
    assert "example: audiopg synth --preset full --clips 0:16 --seed 0 --out sounds" in printed
    for text in (*PRIORS, *(f"'{name}'" for name in SENSITIVITY), "--json", "parameters.csv"):
        assert text in printed


@pytest.mark.parametrize("choice", ["--sensitivity loud", "--format mp3", "--seed x", "--clips"])
def test_synth_shows_its_choices_and_exits_with_2(choice, tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["synth", "--out", str(tmp_path / "out"), *choice.split()])
    assert caught.value.code == 2
    assert f"error: argument {choice.split()[0]}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "command",
    ["synth --out", "pretrain --out", "finetune --dataset esc10 --out", "embed tiny . --out",
     "analyze tiny --out", "reproduce --out", "download esc50 --out", "embed tiny --out x.npz",
     "pretrain --out x --audio", "pretrain --out x --start", "probe tiny --dataset",
     "probe tiny --record", "probe tiny --beside", "probe", "synth --out x --json", ""],
)  # fmt: skip
def test_an_empty_path_is_not_the_working_folder(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*command.split(), ""]) == 2
    before = f"what follows '{command.split()[-1]}'" if command else "the first argument"
    assert f"audiopg: {before} is empty, as of a variable that is not" in capsys.readouterr().err
    if command.split()[-1:] and command.split()[-1].startswith("--"):
        assert main((command + "=").split()) == 2
        said = f"audiopg: {command.split()[-1]}= is empty, as of a variable"
        assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_pretraining_saves_its_settings_beside_the_checkpoint(run_folder):
    saved = json.loads((run_folder / "settings.json").read_text())
    assert saved == {
        **{name: field.default for name, field in PretrainSettings.__dataclass_fields__.items()},
        "preset": "micro",
        "steps": 2,
        "batch_size": 2,
        "seed": 5,
    }


def test_pretraining_resumes_a_finished_run_without_a_step(run_folder, capsys):
    before = (run_folder / "metrics.jsonl").read_text()
    assert main([*RUN, "--seed", "5", "--out", str(run_folder), "--resume"]) == 0
    assert (run_folder / "metrics.jsonl").read_text() == before
    assert "2 steps, loss" in capsys.readouterr().out


def test_pretraining_resumes_with_the_settings_of_the_run(tmp_path, capsys):
    changes = ["--minutes", "1e-6", "--decoder-depth", "2", "--no-class-token"]
    assert main([*RUN, *changes, "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "stopped after step 1: its 1e-06 minutes are over" in printed
    assert "1 steps, loss" in printed
    assert main(["pretrain", "--resume", "--minutes", "5", "--out", str(tmp_path)]) == 0
    assert "2 steps, loss" in capsys.readouterr().out
    expected = PretrainSettings(
        preset="micro", steps=2, batch_size=2, decoder_depth=2, class_token=False, minutes=5.0
    )
    assert read_settings(tmp_path) == expected
    whole = pretrain(expected, device="cpu", progress=False).model
    for name, value in load_model(tmp_path).state_dict().items():
        assert torch.equal(value, whole.state_dict()[name])

    wrong = ["pretrain", "--resume", "--class-token", "--out", str(tmp_path)]
    assert main(wrong) == 2
    assert "was run with class_token = False, not True" in capsys.readouterr().err


class Asked(Exception):
    pass


@pytest.fixture
def asked(monkeypatch):
    """The settings that the library would be called with."""
    calls = []

    def ask(settings, out, **options):
        calls.append(settings)
        raise Asked

    monkeypatch.setattr(command, "pretrain", ask)
    return calls


@pytest.mark.filterwarnings("default:there is no GPU:UserWarning")
def test_flags_change_what_the_recipe_says(asked, tmp_path):
    def settings(arguments):
        with pytest.raises(Asked):
            main(["pretrain", *arguments.split(), "--out", str(tmp_path)])
        return asked.pop()

    assert settings("") == settings("--recipe paper") == PretrainSettings()
    fast = RECIPES["fast"]
    assert settings("--recipe fast") == fast != PretrainSettings()
    changed = settings("--steps 9 --recipe fast --no-compiled --optimiser muon --minutes 20")
    assert changed == replace(fast, steps=9, compiled=False, optimiser="muon", minutes=20.0)
    assert settings("--recipe fast --preset tiny") == recipe_for("tiny", "fast")
    deep = settings("--recipe fast --preset tiny --decoder-depth 4")
    assert deep == replace(recipe_for("tiny", "fast"), decoder_depth=4)
    one = settings("--compiled --decoder-width 256 --audio sounds --start tiny --pictures-every 0")
    assert one == PretrainSettings(compiled=True, decoder_width=256, audio="sounds", start="tiny")


@pytest.mark.filterwarnings("default:.*fewer than the:UserWarning")
def test_a_run_too_short_for_its_learning_rate_is_told_so(asked, tmp_path, capsys):
    def complaint(flags):
        with pytest.raises(Asked):
            main(["pretrain", "--recipe=cpu", f"--out={tmp_path}", *flags.split()])
        settings, printed = asked.pop(), capsys.readouterr().err
        rates = [learning_rate_at(settings, step) for step in range(settings.steps)]
        # What it says is the highest of all steps.
        assert not printed or f"reaches {max(rates):.2g} of 0.002" in printed
        return printed

    said = complaint("--steps=60")
    assert said.startswith(
        "audiopg: 60 steps are fewer than the 100 of the warm-up and the 2000 of"
    )
    assert complaint("--steps=1000") != ""
    assert complaint("--steps=60 --warmup-steps=10 --cooldown-steps=20") == ""
    assert complaint("") == ""


@pytest.mark.filterwarnings("default:there is no GPU:UserWarning")
@pytest.mark.parametrize("gpu", [False, True])
def test_the_papers_network_on_a_processor_is_warned_of(asked, tmp_path, monkeypatch, capsys, gpu):
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpu)
    with pytest.raises(Asked):
        main(["pretrain", f"--out={tmp_path}"])
    assert ("--recipe cpu" in capsys.readouterr().err) is not gpu


def test_pictures_show_held_out_clips_every_so_often(tmp_path, capsys):
    arguments = [*RUN, "--steps", "3", "--pictures-every", "2", "--out", str(tmp_path / "run")]
    assert main(arguments) == 0
    pictures = sorted((tmp_path / "run/pictures").iterdir())
    assert [path.name for path in pictures] == ["step-00000000.png", "step-00000002.png"]
    images = [imread(path) for path in pictures]
    for image in images:
        assert min(image.shape[:2]) > 300
        assert image[..., :3].std() > 0.1
    # The same clips, seen by a network that has learnt something in between.
    assert images[0].shape == images[1].shape
    assert 0 < np.abs(images[0] - images[1]).mean() < 0.2
    # To look at a network is not to change it.
    assert main([*RUN, "--steps", "3", "--out", str(tmp_path / "unseen")]) == 0
    losses = [
        [json.loads(line)["loss"] for line in path.read_text().splitlines()]
        for path in sorted(tmp_path.glob("*/metrics.jsonl"))
    ]
    assert len(losses[0]) == 3
    assert losses[0] == losses[1]


def test_pictures_without_matplotlib_are_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "audiopg.book.plots", None)
    monkeypatch.delattr("audiopg.book.plots", raising=False)
    assert main([*RUN, "--pictures-every", "2", "--out", str(tmp_path / "run")]) == 2
    assert "--pictures-every needs matplotlib" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_pretraining_on_recordings_is_recorded_as_such(tmp_path, monkeypatch):
    records = []
    monkeypatch.setattr(command, "write_record", lambda name, **kw: records.append(kw))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sounds").mkdir()
    for clip in range(3):
        wave = np.random.default_rng(clip).uniform(-0.1, 0.1, 12 * 16000)
        soundfile.write(f"sounds/{clip}.wav", wave, 16000)
    arguments = [*RUN, "--audio", "sounds", "--out", str(tmp_path / "run"), "--record", "x"]
    assert main(arguments) == 0
    assert records[0]["data"] == "4 windows of 3 recordings, 0.01 hours"
    # No folders of this machine, though the run keeps them.
    assert records[0]["settings"]["audio"] == "sounds"
    assert read_settings(tmp_path / "run").audio == str(tmp_path / "sounds")
    assert len(records[0]["metrics"]["loss"]) == 2
    arguments = [*RUN, "--precision", "auto", "--out", str(tmp_path / "synthetic")]
    assert main([*arguments, "--record", "x"]) == 0
    assert records[1]["settings"]["precision"] in PRECISIONS
    assert records[1]["data"] == "4 clips synthesized from the 'full' prior, no recordings"


def test_the_help_of_pretrain_teaches(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["pretrain", "--help"])
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    for setting in fields(PretrainSettings):
        assert "--" + setting.name.replace("_", "-") in printed
    assert "(default: adamw; fast: muon; cpu: muon)" in " ".join(printed.split())
    for text in (
        "audiopg pretrain --recipe paper --out runs/paper",
        "audiopg pretrain --resume --out runs/fast",
        "torchrun --nproc-per-node=8 -m audiopg pretrain --recipe fast",
        "torchrun --nnodes=2 --nproc-per-node=8 --rdzv-id=fast --rdzv-backend=c10d \\\n",
        "--audio path/to/recordings --minutes 20",
        "--start tiny --audio path/to/recordings",
        "pip install tensorboard",
    ):
        assert text in printed


def examples_of_pretrain():
    lines = command.EXAMPLES.replace("\\\n", " ").splitlines()
    return [line.split(" pretrain ")[1] for line in lines if " pretrain --" in line]


@pytest.mark.parametrize("example", examples_of_pretrain())
def test_the_examples_of_the_help_are_accepted(example, asked, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "settings.json").write_text("{}")
    arguments = example.split()
    arguments[arguments.index("--out") + 1] = str(folder)
    with pytest.raises(Asked):
        main(["pretrain", *arguments])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--device cuda:1", "--device is 'cuda:1'; under torchrun give cpu, cuda or nothing"),
        ("--device cuda", "has 1 GPUs for 2 processes; lower --nproc-per-node"),
        ("", "has 1 GPUs for 2 processes; lower --nproc-per-node, or give --device cpu"),
    ],
)
def test_processes_without_a_device_each_are_refused(
    arguments, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(torch.distributed, "is_torchelastic_launched", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    arguments = ["pretrain", *arguments.split(), "--out", str(tmp_path / "run")]
    for rank in ("0", "1"):
        monkeypatch.setenv("LOCAL_RANK", rank)
        assert main(arguments) == 2
        printed = capsys.readouterr().err
        assert (message in printed) == (rank == "0")
        assert printed.count("\n") == (rank == "0")


# Of each bad call: the arguments and the message. NOWHERE is a path without anything, FILE a file,
# EMPTY a folder without anything;
# an underscore stands for a space within an argument.
BAD_INPUT = {
    "an unknown model size": ("pretrain --preset huge --out NOWHERE", "preset is 'huge'"),
    "an unknown curriculum": ("pretrain --prior loud --out NOWHERE", "prior is 'loud'"),
    "no steps": ("pretrain --steps 0 --out NOWHERE", "steps is 0"),
    "nothing to resume": ("pretrain --preset micro --resume --out NOWHERE", "no run to resume"),
    "a recipe without a run": (
        "pretrain --recipe paper --preset micro --resume --out NOWHERE",
        "no run to resume",
    ),
    "no minutes": ("pretrain --minutes 0 --out NOWHERE", "minutes is 0.0; the range is 1e-06"),
    "a decoder that its heads cannot share": (
        "pretrain --preset micro --decoder-width 30 --out NOWHERE",
        "decoder_width is 30; with 2 heads it is a multiple of 4",
    ),
    "recordings that are not there": (
        "pretrain --preset micro --audio NOWHERE --out NOWHERE",
        "is not a folder; name one that holds audio files",
    ),
    "weights that are not there": (
        "pretrain --preset micro --start NOWHERE --out NOWHERE",
        "is not a file",
    ),
    "weights of another network": (
        "pretrain --preset micro --start tiny --out NOWHERE",
        "tiny is another network (width 192, not 64; depth 12, not 2;",
    ),
    "a device that is not there": (
        "pretrain --preset micro --device abacus --out NOWHERE",
        "the device 'abacus' cannot be used",
    ),
    "a missing model": ("embed NOWHERE x.wav --out table.npz", "is not a file"),
    "a table of another kind": ("embed NOWHERE x.wav --out table.csv", "not end in .npz"),
    "clips that are no range": ("synth --clips 5 --out NOWHERE", "clips is '5'"),
    "an unknown curriculum of sounds": ("synth --preset loud --out NOWHERE", "'loud'; choose"),
    "clips that run backwards": ("synth --clips 5:5 --out NOWHERE", "clips is '5:5'; give FIRST"),
    "clips below zero": ("synth --clips=-2:5 --out NOWHERE", "clips is '-2:5'; give FIRST:LAST"),
    "clips of thousands of digits": (
        f"synth --clips 0:{'9' * 5000} --out NOWHERE",
        "give FIRST:LAST",
    ),
    "clips beyond 64 bits": (f"synth --clips 0:{2**63} --out NOWHERE", "give FIRST:LAST"),
    "a seed beyond 64 bits": (f"synth --seed {2**63} --out NOWHERE", "give a 64-bit whole"),
    "a row that a curriculum cannot have": (
        "synth --preset sine --sensitivity 5-10_events --out NOWHERE",
        "event_length starts at 10.24 s, but 10 events leave at most 1.024 s each",
    ),
    "a missing scene": ("synth --json NOWHERE --out NOWHERE", "cannot be read"),
    "a scene and a seed": (
        "synth --json NOWHERE --seed 0 --out NOWHERE",
        "--json renders a scene as it is; leave out --seed.",
    ),
    "a scene and a curriculum": (
        "synth --json NOWHERE --preset full --clips 0:4 --out NOWHERE",
        "leave out --preset and --clips.",
    ),
    "a scene and a row": (
        "synth --json NOWHERE --sensitivity 1_event --out NOWHERE",
        "leave out --sensitivity.",
    ),
    "a folder that cannot be": (
        "synth --clips 0:1 --out FILE/inside",
        "cannot be written (Not a directory)",
    ),
    "an unknown benchmark": ("bench nothing", "no benchmark is called 'nothing'"),
    "a record of no one benchmark": ("bench --record x", "--record takes the figures of one"),
    "a folder without sounds": ("embed NOWHERE EMPTY --out table.npz", "holds no audio file"),
    "a model that is missing": ("probe NOWHERE --data NOWHERE", "is not a file"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_one_sentence_and_status_2(case, tmp_path, capsys):
    arguments, message = BAD_INPUT[case]
    nowhere, file, empty = tmp_path / "nowhere", tmp_path / "file", tmp_path / "empty"
    file.touch()
    empty.mkdir()
    arguments = [argument.replace("_", " ") for argument in arguments.split()]
    paths = {"NOWHERE": str(nowhere), "FILE/inside": str(file / "inside"), "EMPTY": str(empty)}
    assert main([paths.get(argument, argument) for argument in arguments]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.startswith("audiopg: ")
    assert printed.count("\n") == 1
    assert not nowhere.exists()


def test_a_checkpoint_of_another_shape_is_one_sentence(run_folder, tmp_path, capsys):
    (source,) = run_folder.glob("step-*/model.safetensors")
    with safe_open(source, "pt") as file:
        about = {"audiopg": file.metadata()["audiopg"].replace('"depth": 2', '"depth": 3')}
    path = tmp_path / "model.safetensors"
    save_file(load_file(source), path, metadata=about)
    assert main(["analyze", str(path), "--clips", "25", "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr().err
    assert "holds a network of another shape" in printed
    assert printed.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_unknown_scale_is_refused_before_anything_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AUDIOPG_SCALE", "huge")
    for asked in (RUN, ["synth", "--clips", "0:1"], ["analyze", "tiny"]):
        assert main([*asked, "--out", str(tmp_path / "out")]) == 2
        assert capsys.readouterr().err.startswith("audiopg: AUDIOPG_SCALE is 'huge'; set it to")
    assert not (tmp_path / "out").exists()


def test_pretraining_needs_nobody_to_listen(tmp_path):
    shell = '"$0" -m audiopg "$@" <&- >&- 2>&-'
    subprocess.run(
        ["sh", "-c", shell, sys.executable, *RUN, "--out", str(tmp_path / "run")], check=True
    )
    losses = [line["loss"] for line in read_metrics(tmp_path / "run" / "metrics.jsonl")]
    assert main([*RUN, "--out", str(tmp_path / "heard")]) == 0
    assert losses == [line["loss"] for line in read_metrics(tmp_path / "heard" / "metrics.jsonl")]


def test_an_unknown_setting_or_command_exits_with_2():
    for arguments in (["pretrain", "--pitch", "3"], ["compose"]):
        done = subprocess.run(
            [sys.executable, "-m", "audiopg", *arguments], capture_output=True, text=True
        )
        assert done.returncode == 2
        assert "usage:" in done.stderr


def test_whoever_reads_no_further_hears_no_complaint():
    read, written = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "audiopg", "reproduce", "--list"],
        stdout=written,
        stderr=subprocess.PIPE,
    )
    os.close(written)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


def test_synth_says_that_its_folder_has_gone(tmp_path, monkeypatch, capsys):
    out, moved, batches = tmp_path / "sounds", tmp_path / "moved", []

    def render(params):
        batches.append(len(params))
        if len(batches) == 2:
            out.rename(moved)
        return torch.zeros(len(params), CLIP_SAMPLES)

    monkeypatch.setattr("audiopg.synth.render", render)
    arguments = ["synth", "--preset", "sine", "--clips", "0:40", "--out", str(out)]
    assert main(arguments) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == (
        f"audiopg: {out} is not the folder any more that this run began to write in; put that back, "
        "then run this again."
    )
    assert not out.exists()
    moved.rename(out)
    assert main(arguments) == 0
    assert len(list(out.glob("*.wav"))) == 40


def test_an_interruption_while_modules_are_imported_is_no_traceback(tmp_path, monkeypatch):
    def stop(name):
        raise KeyboardInterrupt

    monkeypatch.setattr("audiopg.__main__.import_module", stop)
    assert main(["synth", "--out", str(tmp_path)]) == 130


@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_ends_at_a_signal_with_one_sentence(command, way, monkeypatch, capsys):
    module = import_module(f"audiopg.commands.{command}")
    monkeypatch.setattr(module, "add", lambda parser: None)
    monkeypatch.setattr(module, "run", lambda options: os.kill(os.getpid(), way))
    # In the background of a shell Python is started with SIGINT ignored, and leaves it so.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert main([command]) == 128 + way
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr() == ("", "audiopg: stopped\n")
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_signal_that_the_caller_handles_is_left_to_it(monkeypatch):
    module, caught = import_module("audiopg.commands.data"), []
    monkeypatch.setattr(module, "add", lambda parser: None)
    monkeypatch.setattr(module, "run", lambda options: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.signal(signal.SIGTERM, lambda number, frame: caught.append(number))
    try:
        assert main(["data"]) == 0
    finally:
        signal.signal(signal.SIGTERM, before)
    assert caught == [signal.SIGTERM]


def test_experiments_that_are_stopped_go_on_with_the_same_command(tmp_path, monkeypatch, capsys):
    module = import_module("audiopg.commands.reproduce")
    monkeypatch.setattr(module, "recordings", lambda data: {})
    monkeypatch.setattr(module, "reproduce", lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM))
    places = ["--out", str(tmp_path / "runs"), "--results", str(tmp_path)]
    assert main(["reproduce", "curriculum-sine", "--scale", "cpu", *places]) == 143
    assert capsys.readouterr().err == "audiopg: stopped; the same command goes on\n"
