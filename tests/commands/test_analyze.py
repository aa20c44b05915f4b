"""The command `analyze`, end to end on networks of no training."""

import argparse
import json
import os
import re
import shutil
import signal
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pandas
import pytest
import torch
from matplotlib.image import imread
from safetensors.torch import save_file

from audiopg import Encoder, InputError, LogMel
from audiopg.__main__ import main
from audiopg.analysis import (
    FactorInformation,
    FilterGrowth,
    clip_factors,
    controlled_clips,
    embed_clips,
    filter_components,
    filter_growth,
    mutual_information,
    read_filters,
    ridge_r2,
)
from audiopg.commands import analyze as command
from audiopg.commands.common import distinct, heard_by, load_with
from audiopg.mae import MaskedAutoencoder
from audiopg.pretrained import load_encoder, save_model
from audiopg.pretraining import PretrainSettings, pretrain
from audiopg.records import unpack, write_record

FACTORS = ["log f0", "relative intensity", "onset"]
CLIPS = 30
# A size that no preset has; the random twin has it too.
UNUSUAL = {"width": 32, "class_token": False, "decoder_width": 32}


@pytest.fixture(scope="module")
def analysis(tmp_path_factory):
    """A run's folder with filters, and what the command wrote about it and a smaller network."""
    folder = tmp_path_factory.mktemp("analyze")
    run, other, out = folder / "run", folder / "other.safetensors", folder / "out"
    model = MaskedAutoencoder.preset("micro", seed=3, **UNUSUAL)
    save_model(model, run / "step-00000002/model.safetensors")
    (run / "filters").mkdir()
    for step in (0, 2):
        weight = Encoder.preset("micro", seed=3 - step, **UNUSUAL).patch_projection.weight
        save_file(
            {"patch_projection.weight": weight.half()},
            run / f"filters/step-{step:08d}.safetensors",
        )
    settings = PretrainSettings(preset="micro", steps=2, batch_size=4)
    (run / "settings.json").write_text(json.dumps(asdict(settings)))
    (run / "provenance.json").write_text('{"device": "CPU"}')
    (run / "metrics.jsonl").write_text(2 * '{"seconds": 1.5}\n')
    save_model(MaskedAutoencoder.preset("micro", depth=1), other)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIOPG_CACHE", str(folder / "cache"))
        arguments = ["analyze", str(run), "--beside", str(other), "--controls", "--out", str(out)]
        numbers = ["--clips", str(CLIPS), "--seeds", "2", "--permutations", "5"]
        numbers += ["--null-clips", "20", "--by-clips", str(run), "tiny"]
        assert main([*arguments, *numbers]) == 0
        yield out, run, other


def test_all_tables_have_all_encoders(analysis):
    out, _, other = analysis
    names = ["this encoder", str(other), "random encoder", "raw log-mel"]
    tables = {path.stem: pandas.read_csv(path) for path in out.glob("*.csv")}
    for what in ("neurons", "gaps", "dci", "components", "angles", "ablation", "ridge"):
        assert tables[what]["embeddings"].unique().tolist() == names, what
    assert tables["gaps"]["gap in"].unique().tolist() == ["information", "binned information", "R²"]
    assert len(tables["neurons"]) == 4 * 3 * 10
    assert tables["layers-of-this-encoder"]["layer"].unique().tolist() == [0, 1, 2]
    assert tables["layers-of-random-encoder"]["factor"].unique().tolist() == FACTORS
    assert tables["filters-of-this-encoder"]["step"].tolist() == [0, 2]
    assert np.isfinite(tables["components"]["onset"]).all()


def test_the_figures_are_those_of_the_library(analysis):
    out, run, _ = analysis
    params, again = (controlled_clips(None, CLIPS, seed) for seed in (1, 2))
    factors = clip_factors(params)
    embeddings = {
        "this encoder": embed_clips(load_encoder(run), params, progress=False),
        "raw log-mel": embed_clips(LogMel(), params, progress=False),
        "random encoder": Encoder.preset("micro", seed=1, **UNUSUAL),
    }
    embeddings["random encoder"] = embed_clips(embeddings["random encoder"], params, progress=False)
    ridge = pandas.read_csv(out / "ridge.csv", index_col=["embeddings", "factor"])
    for name, values in embeddings.items():
        for factor, truth in factors.items():
            expected = ridge_r2(values, truth).mean
            assert ridge.loc[(name, factor), "R²"] == pytest.approx(expected, abs=1e-6)
    neurons = pandas.read_csv(out / "neurons.csv", index_col=["embeddings", "factor"])
    information = mutual_information(embeddings["raw log-mel"], factors["log f0"])
    best = neurons.loc[("raw log-mel", "log f0")].iloc[0]
    assert best["dimension"] == information.argmax()
    assert best["information"] == pytest.approx(information.max().item())
    other = mutual_information(
        embed_clips(LogMel(), again, progress=False), clip_factors(again)["log f0"]
    )
    assert best["other clips 1"] == pytest.approx(other[int(best["dimension"])].item())


def test_figures_are_drawn_and_the_record_says_how(analysis):
    out, run, other = analysis
    drawn = {path.stem for path in out.glob("*.png")}
    assert {
        "information-on-onset",
        "ridge",
        "growth-of-filters-of-this-encoder",
        "filters-of-this-encoder",
        "filter-changes-of-this-encoder",
        "clips-heard-onset",
        "traversal-along-log-f0",
        "layers-log-f0",
    } <= drawn
    for path in out.glob("*.png"):
        assert imread(path).std() > 0, path.name
    record = json.loads((out / "analysis.json").read_text())
    assert record["settings"]["model"] == str(run)
    assert record["settings"]["beside"] == [str(other)]
    assert record["settings"]["width"] == 32
    assert set(record["metrics"]["ridge"]) == {"columns", "data"}
    assert len(record["metrics"]["ridge"]["data"]) == 4 * 3
    assert "no recordings" in record["data"]


def test_r2_by_clips_heard_knows_what_was_heard(analysis):
    out, run, _ = analysis
    heard = pandas.read_csv(out / "clips-heard.csv").set_index(["embeddings", "factor"])
    found = heard.xs("onset", level="factor")[["clips heard", "of"]]
    assert found.loc[str(run)].tolist() == [8, "synthesis"]
    assert found.loc["tiny"].tolist() == [102_400, "synthesis"]
    assert found.loc["random encoder"].tolist() == [0, "nothing"]
    ridge = pandas.read_csv(out / "ridge.csv").set_index(["embeddings", "factor"])
    for name, like in ((str(run), "this encoder"), ("raw log-mel", "raw log-mel")):
        assert heard.loc[(name, "onset"), "R²"] == pytest.approx(ridge.loc[(like, "onset"), "R²"])


def test_a_record_holds_what_the_chapters_draw(analysis):
    out, run, _ = analysis
    record = json.loads((out / "analysis.json").read_text())
    packed = record["metrics"]["packed"]
    steps, weights = read_filters(run)
    growth = unpack(FilterGrowth, packed["filters"]["this encoder"])
    expected = filter_growth(steps, weights)
    torch.testing.assert_close(growth.images, expected.images, atol=1e-3, rtol=2e-3)
    changes = unpack(FilterGrowth, packed["filter changes"]["this encoder"])
    assert changes.steps.tolist() == [2]
    added = filter_components(weights[1] - weights[0])
    torch.testing.assert_close(changes.images[0], added.images, atol=1e-3, rtol=2e-3)
    found = unpack(FactorInformation, packed["information"]["raw log-mel"]["onset"])
    assert len(found.null) == 5
    assert found.information.shape == (256,)
    assert record["settings"]["null_clips"] == 20
    assert record["settings"]["clips_heard"]["tiny"] == [102_400, "synthesis"]


def test_a_single_encoder_without_controls(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AUDIOPG_CACHE", str(tmp_path / "cache"))
    save_model(MaskedAutoencoder.preset("micro"), tmp_path / "model.safetensors")
    arguments = ["--clips", "30", "--seeds", "1", "--permutations", "2"]
    out = tmp_path / "out"
    path = str(tmp_path / "model.safetensors")
    assert main(["analyze", path, *arguments, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    for factor in FACTORS:
        assert f"about {factor}, 95 % of shuffles stay below" in printed
    assert not (out / "filters.csv").exists()
    neurons = pandas.read_csv(out / "neurons.csv")
    assert "other clips 1" not in neurons.columns
    # The embeddings are kept, and nothing is drawn at random anew.
    again = tmp_path / "again"
    into = ["--out", str(again)]

    def stop(*_):
        os.kill(os.getpid(), signal.SIGTERM)

    # Stopped while it writes, it leaves nothing that another analysis could be mixed with.
    with monkeypatch.context() as patched:
        patched.setattr(pandas.DataFrame, "to_csv", stop)
        assert main(["analyze", path, *arguments, *into]) == 143
    assert capsys.readouterr().err.endswith("\naudiopg: stopped\n")
    assert main(["analyze", path, *arguments, "--seed", "5", *into]) == 2
    assert "holds an analysis with seed = 1, not 5; name another" in capsys.readouterr().err
    assert main(["analyze", path, *arguments, *into]) == 0
    pandas.testing.assert_frame_equal(neurons, pandas.read_csv(again / "neurons.csv"))


def test_what_a_run_has_heard_ends_with_its_newest_checkpoint(tmp_path):
    settings = PretrainSettings(preset="micro", steps=5, batch_size=3, checkpoint_every=2)
    pretrain(settings, tmp_path, device="cpu", progress=False)
    shutil.rmtree(tmp_path / "step-00000005")
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')
    heard = heard_by(str(tmp_path))
    assert heard["clips"] == 4 * 3
    whole = (tmp_path / "metrics.jsonl").read_text().splitlines()[:-1]
    lines = [json.loads(line) for line in whole]
    assert heard["seconds"] == lines[3]["seconds"]
    assert "after" not in heard
    (tmp_path / "metrics.jsonl").write_text('{"seconds": 1}\n')
    with pytest.raises(InputError, match="has a checkpoint of step 4 and metrics of 1; name a run"):
        heard_by(str(tmp_path))
    assert heard_by("tiny") is None
    young = tmp_path / "young"
    young.mkdir()
    for name in ("settings.json", "provenance.json", "metrics.jsonl"):
        shutil.copy(tmp_path / name, young)
    with pytest.raises(InputError, match="young has no checkpoint yet; let the run go on"):
        heard_by(str(young))
    (tmp_path / "metrics.jsonl").write_text("5\n" * 4)
    with pytest.raises(InputError, match=r"metrics\.jsonl cannot be read \(a line is no object\)"):
        heard_by(str(tmp_path))
    # A run of before its lines said the seconds, and its provenance the device.
    (tmp_path / "metrics.jsonl").write_text('{"loss": 1.0}\n' * 4)
    (tmp_path / "provenance.json").write_text("{}")
    assert heard_by(str(tmp_path))["seconds"] is None
    said = json.loads((tmp_path / "settings.json").read_text())
    (tmp_path / "settings.json").write_text(json.dumps(said | {"audio": "sounds"}))
    with pytest.raises(
        InputError, match=r"the provenance\.json of a run on sounds does not say of"
    ):
        heard_by(str(tmp_path))


def test_what_is_said_of_a_run_is_of_the_weights_that_were_loaded(tmp_path):
    """A run may go on while it is looked at."""
    settings = PretrainSettings(preset="micro", steps=2, batch_size=2)
    pretrain(settings, tmp_path, device="cpu", progress=False)
    steps = iter([3, 4])

    def load(model):
        encoder = load_encoder(model)
        if more := next(steps, None):
            more = replace(settings, steps=more)
            pretrain(more, tmp_path, resume=True, device="cpu", progress=False)
        return encoder

    encoder, heard = load_with(load, heard_by, str(tmp_path))
    assert heard["clips"] == 4 * 2
    expected = load_encoder(tmp_path / "step-00000004").state_dict()
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, expected[name])


def test_a_run_that_began_with_other_weights_says_so(tmp_path, monkeypatch, capsys):
    """It has heard more than its own steps."""
    monkeypatch.chdir(tmp_path)
    first, second = tmp_path / "first", tmp_path / "second"
    settings = PretrainSettings(preset="micro", steps=2, batch_size=2)
    pretrain(settings, first, device="cpu", progress=False)
    pretrain(replace(settings, start=str(first)), second, device="cpu", progress=False)
    assert heard_by(str(second))["clips"] == 4
    assert heard_by(str(second))["after"] == "first"
    arguments = ["analyze", str(first), "--out", str(tmp_path / "out"), "--by-clips"]
    for model in (second, second / "step-00000002"):
        assert main([*arguments, str(first), str(model)]) == 2
        assert f"began with the weights of {first}, so what it heard" in capsys.readouterr().err


def parsed(arguments):
    """The options of a call."""
    parser = argparse.ArgumentParser()
    command.add(parser)
    return parser.parse_args(arguments[1:])


def test_a_model_is_loaded_once_whatever_is_asked_of_it(tmp_path):
    """Between two times a run that goes on would have other weights."""
    run = tmp_path / "run"
    settings = PretrainSettings(preset="micro", steps=2, batch_size=2, checkpoint_every=1)
    pretrain(settings, run, device="cpu", progress=False)
    old, new = (run / f"step-0000000{step}" for step in (1, 2))
    arguments = ["analyze", str(run), "--out", str(tmp_path / "out")]
    arguments += ["--beside", str(old), "--by-clips", str(run), str(old), str(new)]
    asked = command._load(parsed(arguments), torch.device("cpu"))
    assert list(asked.candidates) == ["this encoder", str(old)]
    assert asked.heard == {str(run): (4, "synthesis"), str(old): (2, "synthesis")}
    assert asked.grown == {str(run): asked.model.encoder, str(old): asked.candidates[str(old)]}


def test_a_model_is_not_set_beside_itself(tmp_path, monkeypatch):
    run = tmp_path / "run"
    for step in (1, 2):
        save_model(MaskedAutoencoder.preset("micro"), run / f"step-0000000{step}/model.safetensors")
    (tmp_path / "link").symlink_to(run)
    monkeypatch.chdir(run)
    new = run / "step-00000002"
    same = [str(run), ".", str(new), "step-00000002/model.safetensors", str(tmp_path / "link")]
    assert distinct([*same, "step-00000001", "tiny", "tiny"]) == [
        str(run), "step-00000001", "tiny",
    ]  # fmt: skip
    for this in same:
        assert distinct(["step-00000001", "tiny"], this) == ["step-00000001", "tiny"]
        for path in same:
            with pytest.raises(InputError, match=f"--beside names {re.escape(path)}, which is"):
                distinct(["tiny", path], this)


def test_a_folder_with_another_analysis_is_refused_before_the_work(tmp_path, monkeypatch, capsys):
    def work(*_, **__):
        raise AssertionError("clips are embedded")

    monkeypatch.setattr(command.analysis, "embed_clips", work)
    path = tmp_path / "model.safetensors"
    save_model(MaskedAutoencoder.preset("micro"), path)
    out = tmp_path / "out"
    said = {"data": "", "protocol": "", "metrics": {}, "seconds": 1.0, "folder": out}
    write_record("analysis", settings={"model": "another"}, **said)
    arguments = ["analyze", str(path), "--out", str(out)]
    assert main(arguments) == 2
    message = f"{out} holds an analysis with model = 'another', not '{path}'; name another folder."
    assert message in capsys.readouterr().err
    (out / "analysis.json").write_text('{"a": 1}')
    assert main(arguments) == 2
    assert f"holds an analysis with model = None, not '{path}'" in capsys.readouterr().err
    # The tables of these weights must not lie beside those of others, or of other clips.
    settings = {name: getattr(parsed(arguments), name) for name in command._SETTINGS}
    settings |= {"other_clips": 5000, "precision": "float32"}
    write_record("analysis", settings=settings | {"other_clips": 40}, **said)
    assert main(arguments) == 2
    assert "holds an analysis with other_clips = 40, not 5000" in capsys.readouterr().err
    write_record("analysis", settings=settings, **said)
    with pytest.raises(AssertionError, match="clips are embedded"):
        main(arguments)
    write_record("analysis", settings=settings | {"weights": {str(path): "others"}}, **said)
    assert main(arguments) == 2
    assert f"holds an analysis of other weights: {path} has changed" in capsys.readouterr().err
    for names in (("a/b", "../a-b"), ("ä", "ö")):
        with pytest.raises(InputError, match=f"the files of {names[0]} and {names[1]} would have"):
            command._require_own_files(["this encoder", *names])
    (tmp_path / "file").touch()
    assert main([*arguments[:-1], str(tmp_path / "file")]) == 2
    assert "file cannot be written (Not a directory)" in capsys.readouterr().err
    disk = SimpleNamespace(total=10**9, free=2_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: disk)
    assert main([*arguments[:-1], str(tmp_path / "new")]) == 2
    assert "new has 2.0 MB of room and needs about 5.0 MB" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "0"], "seeds is 0"),
        (["--clips", "0"], "clips is 0; give a whole number, 25 or more"),
        (["--clips", "24", "--seeds", "1"], "clips is 24; give a whole number, 25 or more"),
        (["--permutations", "0"], "permutations is 0"),
        (["--permutations", "-1"], "permutations is -1"),
        (["--null-clips", "4"], "null_clips is 4; give a whole number, 5 or more"),
        (["--other-clips", "4"], "other_clips is 4; give a whole number, 5 or more"),
        (["--seed", str(2**63 - 2)], f"seed is {2**63}; give a 64-bit whole number"),
        (["--beside", "nowhere"], "nowhere is not a file"),
        (["--beside", "{model}"], "--beside names {model}, which is {model} itself"),
        (["--by-clips", "nowhere"], "nowhere does not say what it heard"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message, tmp_path, monkeypatch, capsys):
    def work(*_, **__):
        raise AssertionError("clips are embedded")

    monkeypatch.setattr(command.analysis, "embed_clips", work)
    save_model(MaskedAutoencoder.preset("micro"), tmp_path / "model.safetensors")
    model = str(tmp_path / "model.safetensors")
    arguments, message = (
        [each.format(model=model) for each in arguments],
        message.format(model=model),
    )
    assert main(["analyze", model, "--out", str(tmp_path / "out"), *arguments]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.strip().split("\n")[-1].startswith("audiopg: ")
    assert not (tmp_path / "out").exists()
