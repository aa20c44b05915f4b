import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from audiopg.__main__ import main
from audiopg.mae import load_encoder
from audiopg.pretraining import PretrainSettings
from audiopg.synth import SynthPrior, render

RUN = ["pretrain", "--preset", "micro", "--steps", "2", "--batch-size", "2", "--device", "cpu"]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "first"
    assert main([*RUN, "--seed", "5", "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def esc10(tmp_path):
    """Forty clips of noise or tone in the official layout; two classes, five folds."""
    generator = np.random.default_rng(0)
    rows = ["filename,fold,target,category,esc10,src_file,take"]
    (tmp_path / "ESC-10/audio").mkdir(parents=True)
    (tmp_path / "ESC-10/meta").mkdir()
    for clip in range(40):
        name, target = f"{clip}.wav", clip % 2
        wave = generator.standard_normal(8000) * 0.1
        if target:
            wave += np.sin(np.arange(8000) * generator.uniform(0.2, 0.4))
        soundfile.write(tmp_path / "ESC-10/audio" / name, wave * 0.5, 16000)
        rows.append(f"{name},{clip // 2 % 5 + 1},{target},{'tone' if target else 'hiss'},True,0,A")
    (tmp_path / "ESC-10/meta/esc50.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_synth_writes_the_sounds_of_the_library_call_and_their_scene(tmp_path, kind):
    arguments = f"synth --preset dynamic --clips 3:5 --seed 2 --format {kind} --out"
    assert main([*arguments.split(), str(tmp_path)]) == 0
    waves = render(SynthPrior.preset("dynamic").sample(torch.tensor([3, 4]), seed=2))
    for row, name in enumerate((f"dynamic-2-00003.{kind}", f"dynamic-2-00004.{kind}")):
        sound, rate = soundfile.read(tmp_path / name, dtype="float32")
        assert rate == 16000
        np.testing.assert_allclose(sound, waves[row], atol=2**-14)
    again = tmp_path / "again"
    assert main(["synth", "--json", str(tmp_path / "scene.json"), "--out", str(again)]) == 0
    sound, _ = soundfile.read(again / "scene-00001.wav", dtype="float32")
    np.testing.assert_allclose(sound, waves[1], atol=2**-14)


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


def test_embed_writes_what_the_library_call_returns(run_folder, esc10, capsys):
    out = esc10 / "table.npz"
    assert main(["embed", str(run_folder), str(esc10 / "ESC-10/audio"), "--out", str(out)]) == 0
    table = np.load(out)
    assert len(table["files"]) == 40
    wave, _ = soundfile.read(table["files"][7], dtype="float32")
    expected = load_encoder(run_folder).embed(torch.from_numpy(wave))
    np.testing.assert_allclose(table["embeddings"][7], expected, atol=1e-5)


def test_probe_prints_a_table_with_its_controls(run_folder, esc10, capsys):
    assert main(["probe", str(run_folder), "--data", str(esc10)]) == 0
    printed = capsys.readouterr().out
    for row in ("chance", "log-mel mean", "random encoder", "this encoder"):
        assert f"\n{row}" in printed
    assert "ESC-10, 40 clips" in printed


def test_analyze_writes_both_encoders(run_folder, tmp_path, capsys):
    out = tmp_path / "analysis"
    assert main(["analyze", str(run_folder), "--clips", "24", "--out", str(out)]) == 0
    report = json.loads((out / "f0.json").read_text())
    assert set(report["results"]) == {"this encoder", "random encoder"}
    assert report["settings"]["clips"] == 24


# Of each bad call: the arguments, NOWHERE standing for a path without anything, and the message.
BAD_INPUT = {
    "an unknown model size": ("pretrain --preset huge --out NOWHERE", "preset is 'huge'"),
    "an unknown curriculum": ("pretrain --prior loud --out NOWHERE", "prior is 'loud'"),
    "no steps": ("pretrain --steps 0 --out NOWHERE", "steps is 0"),
    "nothing to resume": ("pretrain --preset micro --resume --out NOWHERE", "no run to resume"),
    "a missing model": ("embed NOWHERE x.wav --out table.npz", "is not a file"),
    "a table of another kind": ("embed NOWHERE x.wav --out table.csv", "not end in .npz"),
    "clips that are no range": ("synth --clips 5 --out NOWHERE", "clips is '5'"),
    "an unknown curriculum of sounds": ("synth --preset loud --out NOWHERE", "'loud'; choose"),
    "a missing scene": ("synth --json NOWHERE --out NOWHERE", "cannot be read"),
    "an unknown benchmark": ("bench nothing", "no benchmark is called 'nothing'"),
    "a model that is missing": ("probe NOWHERE --data NOWHERE", "is not a file"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_one_sentence_and_status_2(case, tmp_path, capsys):
    arguments, message = BAD_INPUT[case]
    nowhere = tmp_path / "nowhere"
    assert main(arguments.replace("NOWHERE", str(nowhere)).split()) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.startswith("audiopg: ")
    assert printed.count("\n") == 1
    assert not nowhere.exists()


def test_probe_names_a_file_that_cannot_be_read(run_folder, esc10, capsys):
    broken = esc10 / "ESC-10/audio/3.wav"
    broken.write_bytes(broken.read_bytes()[:30])
    assert main(["probe", str(run_folder), "--data", str(esc10)]) == 2
    assert "3.wav" in capsys.readouterr().err


def test_probe_names_the_line_with_a_wrong_fold(run_folder, esc10, capsys):
    meta = esc10 / "ESC-10/meta/esc50.csv"
    meta.write_text(meta.read_text().replace("0.wav,1,", "0.wav,9,", 1))
    assert main(["probe", str(run_folder), "--data", str(esc10)]) == 2
    printed = capsys.readouterr().err
    assert "line 2: fold is '9'" in printed
    assert printed.count("\n") == 1


def test_a_checkpoint_of_another_shape_is_one_sentence(run_folder, tmp_path, capsys):
    (source,) = run_folder.glob("step-*/model.safetensors")
    with safe_open(source, "pt") as file:
        about = {"audiopg": file.metadata()["audiopg"].replace('"depth": 2', '"depth": 3')}
    path = tmp_path / "model.safetensors"
    save_file(load_file(source), path, metadata=about)
    assert main(["analyze", str(path), "--clips", "8", "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr().err
    assert "holds a network of another shape" in printed
    assert printed.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_unknown_setting_or_command_exits_with_2():
    for arguments in (["pretrain", "--pitch", "3"], ["compose"]):
        done = subprocess.run(
            [sys.executable, "-m", "audiopg", *arguments], capture_output=True, text=True
        )
        assert done.returncode == 2
        assert "usage:" in done.stderr
