"""The commands that embed files and probe encoders on benchmarks."""

import json
import os
import re
import shutil
import signal

import numpy as np
import pandas
import pytest
import soundfile
import torch

from audiopg.__main__ import main
from audiopg.commands import probe as command
from audiopg.commands.common import print_significance
from audiopg.datasets import cached_waves, find_dataset, read_dataset
from audiopg.mae import ARCHITECTURES, Encoder, MaskedAutoencoder
from audiopg.pretrained import load_encoder, save_model
from audiopg.pretraining import PretrainSettings, pretrain
from audiopg.records import RESULTS, read_record, write_record
from audiopg.transfer import (
    bootstrap_interval,
    compare_encoders,
    confusion_matrix,
    significance_table,
)

ROWS = ["majority class", "log-mel mean", "log-mel mean and deviation", "random encoder"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_model(MaskedAutoencoder.preset("micro", seed=5), path)
    return str(path)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """ESC-10 and Speech Commands in their official layouts: clips of hiss and of tones."""
    monkeypatch.setenv("AUDIOPG_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("AUDIOPG_DATA", raising=False)
    generator = np.random.default_rng(0)

    def write(path, target):
        wave = generator.standard_normal(6400) * 0.1
        if target:
            wave += np.sin(np.arange(6400) * generator.uniform(0.2, 0.4))
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, wave * 0.5, 16000)

    esc10 = tmp_path / "data/ESC-10"
    rows = ["filename,fold,target,category,esc10,src_file"]
    for clip in range(40):
        write(esc10 / f"audio/{clip}.wav", clip % 2)
        category = "rain" if clip % 2 else "dog"
        # Two recordings are in folds 4 and 5.
        source = clip - 2 if clip in (8, 9) else clip
        rows.append(f"{clip}.wav,{clip // 2 % 5 + 1},{clip % 2},{category},True,{source}")
    (esc10 / "meta").mkdir()
    (esc10 / "meta/esc50.csv").write_text("\n".join(rows) + "\n")

    words = tmp_path / "data/speech_commands_v0.02"
    lists = {"validation_list.txt": [], "testing_list.txt": []}
    for target, word in enumerate(("go", "no")):
        for clip in range(15):
            write(words / word / f"{clip}_nohash_0.wav", target)
            if clip % 3:
                name = list(lists)[clip % 3 - 1]
                lists[name].append(f"{word}/{clip}_nohash_0.wav\n")
    for name, lines in lists.items():
        (words / name).write_text("".join(lines))
    return tmp_path / "data"


@pytest.fixture
def records(tmp_path, monkeypatch):
    """Records go to a folder of the test."""
    folder = tmp_path / "results"

    def write_there(name, **figures):
        return write_record(name, **figures, folder=folder)

    monkeypatch.setattr(command, "write_record", write_there)
    return folder


def one_sentence(capsys):
    printed = capsys.readouterr().err
    assert printed.startswith("audiopg: ")
    assert printed.count("\n") == 1
    return printed


# probe


def test_probe_of_recordings_of_one_s_own(weights, data, records, capsys):
    """A folder a class, and the same clips in a table with the folds that were dealt."""
    folder = data.parent / "own"
    for clip in range(20):
        kind = ("dog", "rain")[clip % 2]
        (folder / kind).mkdir(parents=True, exist_ok=True)
        shutil.copy(data / f"ESC-10/audio/{clip + 20}.wav", folder / kind / f"{clip}.wav")
    arguments = ["probe", weights, "--record", "own", "--dataset"]
    assert main([*arguments, str(folder), "--n-folds", "4", "--fold-seed", "3"]) == 0
    assert "own (4 folds by seed 3), 20 clips, accuracy in per cent" in capsys.readouterr().out
    clips = read_dataset(folder, n_folds=4, seed=3, progress=False)
    rows = [
        f"{path.relative_to(data.parent)}\t{clips.classes[label]}\t{fold}"
        for path, label, fold in zip(clips.paths, clips.labels, clips.folds, strict=True)
    ]
    table = data.parent / "own.tsv"
    table.write_text("\n".join(["path\tspecies\tpart", *rows]))
    first = read_record("own", records)
    assert first["settings"]["dataset"] == str(folder)
    assert first["data"] == "own (4 folds by seed 3), 20 clips, licence not stated"
    named = ["--columns", "fold=part"]
    assert main(["probe", weights, "--record", "again", "--dataset", str(table), *named]) == 0
    assert read_record("again", records)["metrics"] == first["metrics"]


def test_a_role_is_given_once(weights, capsys):
    with pytest.raises(SystemExit):
        main(["probe", weights, "--dataset", "x.csv", "--columns", "label=a,label=b"])
    assert "it is 'label=a,label=b'; give each role once" in capsys.readouterr().err


def test_probe_refuses_what_is_no_data_set(weights, data, capsys):
    assert main(["probe", weights, "--dataset", "esc11"]) == 2
    assert "no data set is called 'esc11', and no file or folder; choose" in one_sentence(capsys)


@pytest.mark.parametrize("how", [[], ["--pooling", "frequency", "--native"]])
def test_probe_records_what_the_library_calls_return(weights, data, records, how, capsys):
    arguments = ["probe", weights, "--data", str(data), "--record", "new", *how]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "ESC-10, 40 clips, accuracy in per cent, each fold tested in turn" in printed
    for row in ("chance", *ROWS, "this encoder"):
        assert f"\n{row}" in printed

    encoder = load_encoder(weights)
    random = Encoder.preset("micro", seed=1)
    pooling, native = ("frequency", True) if how else ("mean", False)
    clips = find_dataset("esc10", data)
    waves = cached_waves(clips, progress=False)
    results = compare_encoders(
        clips,
        waves,
        {"random encoder": random, "this encoder": encoder},
        pooling=pooling,
        native=native,
        progress=False,
    )
    table = significance_table(results, clips.labels, clips.folds, "this encoder", clips.sources)
    record = read_record("new", records)
    settings = record["settings"]
    assert (settings["pooling"], settings["native"], settings["dataset"]) == (
        pooling,
        native,
        "esc10",
    )
    assert settings["model"] == weights
    assert ARCHITECTURES["micro"].width == settings["width"]
    assert list(record["metrics"]) == [*ROWS, "this encoder"]
    for row, result in results.items():
        figures = record["metrics"][row]
        by_fold = dict(zip("12345", result.accuracy.tolist(), strict=True))
        assert figures["accuracy"] == pytest.approx(by_fold)
        assert figures["mean"] == pytest.approx(result.mean)
        assert figures["standard_deviation"] == pytest.approx(result.standard_deviation)
        ends = bootstrap_interval(result, clips.labels, clips.folds, sources=clips.sources)
        assert figures["interval_95"] == pytest.approx(list(ends))
        if row == "this encoder":
            assert figures["p_against_this_encoder"] is None
        else:
            assert figures["p_against_this_encoder"] == table.loc[row, "p"]
            assert figures["p_holm"] == table.loc[row, "p (Holm)"]
    matrix = confusion_matrix(results["this encoder"], clips)
    confusion = record["metrics"]["this encoder"]["confusion"]
    found = [[confusion[a].get(b, 0) for b in ("dog", "rain")] for a in ("dog", "rain")]
    assert found == matrix.tolist()
    assert "within the training folds" in record["protocol"]
    assert ("at the clips' own length" in record["protocol"]) == native
    assert record["data"] == "ESC-10, 40 clips, CC BY 3.0"


def test_probe_can_leave_out_of_training_what_shares_a_recording(weights, data, records, capsys):
    arguments = ["probe", weights, "--data", str(data), "--native", "--record", "apart"]
    assert main(arguments) == 0
    assert "4 clips share a source with a clip of another fold; --by-source leaves them out" in (
        capsys.readouterr().out
    )
    assert read_record("apart", records)["settings"]["by_source"] is False
    assert main([*arguments, "--by-source"]) == 0
    assert "share a source with a clip of another fold, left out" in capsys.readouterr().out
    record = read_record("apart", records)
    assert record["settings"]["by_source"] is True
    assert "nothing learned from its recordings" in record["protocol"]
    clips = find_dataset("esc10", data)
    waves = cached_waves(clips, progress=False)
    results = compare_encoders(
        clips,
        waves,
        {"this encoder": load_encoder(weights)},
        native=True,
        by_source=True,
        progress=False,
    )
    for row in ("majority class", "this encoder"):
        assert record["metrics"][row]["accuracy"] == pytest.approx(
            dict(zip("12345", results[row].accuracy.tolist(), strict=True))
        )


def test_probe_keeps_the_official_split_of_each_set_that_is_there(weights, data, records, capsys):
    arguments = ["--dataset", "all", "--data", str(data), "--record", "every", "--native"]
    assert main(["probe", weights, *arguments]) == 0
    printed = capsys.readouterr().out
    assert "ESC-10, 40 clips" in printed
    assert "Speech Commands v0.02, 2 words, 30 clips, accuracy in per cent, testing" in printed
    assert sorted(path.name for path in records.iterdir()) == [
        "every-esc10.json",
        "every-speech_commands.json",
    ]
    record = read_record("every-speech_commands", records)
    assert list(record["metrics"]["this encoder"]["accuracy"]) == ["3"]
    assert record["metrics"]["this encoder"]["standard_deviation"] is None
    assert "strength chosen on the validation part" in record["protocol"]


@pytest.mark.parametrize("content", ['{"settings": {"preset": "micro"}, "clips": {}}', "[]", "{"])
def test_a_record_takes_the_place_of_another_record_alone(weights, data, tmp_path, content, capsys):
    """The files of a run have names that a record could be given, too."""
    run = tmp_path / "run.json"
    run.write_text(content)
    arguments = ["probe", weights, "--data", str(data), "--no-controls", "--record"]
    assert main([*arguments, str(tmp_path / "run")]) == 2
    assert re.search("is no record, but another|is damaged: it is no JSON", one_sentence(capsys))
    assert run.read_text() == content
    # A run would write it later.
    for name in ("settings", "result"):
        assert main([*arguments, str(tmp_path / "new" / name)]) == 2
        assert f"{name}.json has the name of a file of a run" in one_sentence(capsys)
    for _ in range(2):
        assert main([*arguments, str(tmp_path / "probed")]) == 0
    assert "metrics" in json.loads((tmp_path / "probed.json").read_text())


def test_probe_of_all_sets_refuses_before_the_work_what_one_of_its_records_is(
    weights, data, tmp_path, capsys
):
    arguments = ["probe", weights, "--data", str(data), "--no-controls", "--dataset=all"]
    (tmp_path / "run.json").write_text("{}")  # None of the records would be this.
    (tmp_path / "run-speech_commands.json").write_text("{}")
    for name, message in (
        ("run", "run-speech_commands.json is no record, but another file"),
        ("x/y/", "'x/y/' names no record"),
        ("/proc/x", "/proc cannot be written"),
    ):
        assert main([*arguments, "--record", str(tmp_path / name) if name == "run" else name]) == 2
        printed = capsys.readouterr()
        assert message in printed.err
        assert "embedding" not in printed.err
        assert not printed.out
    (tmp_path / "run-speech_commands.json").unlink()
    assert main([*arguments, "--record", str(tmp_path / "run")]) == 0
    assert "metrics" in json.loads((tmp_path / "run-esc10.json").read_text())


def test_probe_looks_at_all_sets_before_it_embeds_one(weights, data, records, capsys):
    short = data / "speech_commands_v0.02/go/0_nohash_0.wav"
    soundfile.write(short, np.zeros(300), 16000)
    arguments = ["--dataset", "all", "--data", str(data), "--record", "every"]
    assert main(["probe", weights, *arguments, "--native"]) == 2
    printed = capsys.readouterr()
    assert "1 of 30 clips are shorter than one window of 400 samples" in printed.err
    assert "embedding" not in printed.err
    assert not printed.out
    short.write_bytes(b"RIFF")
    assert main(["probe", weights, *arguments]) == 2
    printed = capsys.readouterr()
    assert "1 of the 30 recordings of Speech Commands v0.02" in printed.err
    assert not printed.out
    assert not records.exists()


def test_the_tests_of_a_table_are_printed_as_one_reads_them(capsys):
    columns = {"95 % to": [30.0, 40.0], "over this encoder": [-5.0, np.nan]}
    columns |= {"p": [3.08e-11, np.nan], "p (Holm)": [0.0703, np.nan]}
    table = pandas.DataFrame(columns, index=["nan bread", "this encoder"])
    print_significance(table)
    _, other, this, note = capsys.readouterr().out.splitlines()
    assert other.split() == ["nan", "bread", "30.0", "-5.0", "3.08e-11", "0.0703"]
    assert this.split() == ["this", "encoder", "40.0"]
    assert "p: of a paired test against this encoder" in note
    print_significance(table.iloc[1:])
    assert "paired test" not in capsys.readouterr().out


def test_probe_sets_other_models_beside_and_leaves_out_the_controls(
    weights, data, tmp_path, capsys
):
    other = tmp_path / "other.safetensors"
    save_model(MaskedAutoencoder.preset("micro", seed=6), other)
    options = ["--beside", str(other), "--data", str(data), "--native", "--no-controls"]
    assert main(["probe", weights, *options]) == 0
    printed = capsys.readouterr().out
    # A hiss and a tone are told apart whatever the weights are.
    assert printed.splitlines()[-2] == "most frequent confusions of this encoder: none"
    assert f"\n{other}" in printed
    assert "\nthis encoder" in printed
    for row in ROWS:
        assert f"\n{row}" not in printed


@pytest.mark.parametrize("command", ["probe", "analyze", "finetune"])
@pytest.mark.parametrize(
    "name", ["this encoder", "this encoder, frequency pooling", "raw log-mel", *ROWS]
)
def test_a_model_beside_is_called_as_no_other_row(
    command, name, weights, data, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    shutil.copy(weights, name)
    out = ["--out", "out"] * (command != "probe")
    start = ["--start", weights] if command == "finetune" else [weights]
    with pytest.raises(SystemExit) as ended:
        main([command, *start, *out, "--beside", name])
    assert ended.value.code == 2
    said = f"argument --beside: {name!r} is what a row of the tables is called; give the whole path"
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_a_model_with_the_name_of_a_row_is_told_apart_by_its_path(weights, data, tmp_path, capsys):
    path = tmp_path / "this encoder"
    save_model(MaskedAutoencoder.preset("micro", seed=6), path)
    options = ["--beside", str(path), "--data", str(data), "--native", "--no-controls"]
    assert main(["probe", weights, *options]) == 0
    printed = capsys.readouterr().out
    assert f"\n{path}" in printed
    assert "\nthis encoder" in printed
    # A model beside itself would be a test more in the correction of all.
    assert main(["probe", str(path), *options]) == 2
    assert f"--beside names {path}, which is {path} itself" in capsys.readouterr().err


def test_probe_shows_both_poolings_and_what_each_model_has_heard(weights, data, records, tmp_path):
    run, other = tmp_path / "run", tmp_path / "other"
    settings = PretrainSettings(preset="micro", steps=2, batch_size=3)
    pretrain(settings, run, device="cpu", progress=False)
    shutil.copytree(run, other)
    options = ["--beside", str(other), weights, "--data", str(data), "--native", "--pooling=both"]
    assert main(["probe", str(run), *options, "--record", "both", "--no-controls"]) == 0
    record = read_record("both", records)
    assert list(record["metrics"]) == [
        str(other),
        weights,
        "this encoder",
        "this encoder, frequency pooling",
    ]
    assert "over all, or over time with the bands side by side" in record["protocol"]
    assert record["settings"]["beside"][weights] is None
    heard = record["settings"]["beside"][str(other)]
    assert (heard["clips"], heard["of"]) == (6, "the 'full' prior")
    assert heard["seconds"] > 0
    assert heard == record["settings"]["heard"]
    # The mean of the bands is that of all tokens.
    mean = ["--data", str(data), "--native", "--record", "mean", "--no-controls"]
    assert main(["probe", str(run), *mean]) == 0
    alone = read_record("mean", records)["metrics"]["this encoder"]
    assert record["metrics"]["this encoder"]["confusion"] == alone["confusion"]


def test_probe_says_from_how_many_recordings_a_model_learned(weights, data, records, tmp_path):
    run = tmp_path / "run"
    audio = str(data / "ESC-10/audio")
    settings = PretrainSettings(preset="micro", steps=1, batch_size=2, audio=audio)
    pretrain(settings, run, device="cpu", progress=False)
    options = ["--beside", str(run), "--data", str(data), "--native", "--no-controls"]
    assert main(["probe", weights, *options, "--record", "real"]) == 0
    settings = read_record("real", records)["settings"]
    assert settings["beside"][str(run)]["clips"] == 2
    assert settings["beside"][str(run)]["of"].startswith("40 recordings, 0.0")
    assert settings["heard"] is None


def test_probe_goes_on_without_bad_files_where_it_may(weights, data, records, capsys):
    (data / "ESC-10/audio/3.wav").write_bytes(b"RIFF of no use")
    arguments = ["probe", weights, "--data", str(data), "--native", "--no-controls"]
    assert main(arguments) == 2
    assert "3.wav" in capsys.readouterr().err
    assert main([*arguments, "--skip-bad", "--record", "rest"]) == 0
    said = capsys.readouterr().out
    assert "ESC-10, 39 clips" in said
    assert re.search(
        r"1 files cannot be used, and are left out; the first: \S+3\.wav is damaged", said
    )
    record = read_record("rest", records)
    assert record["data"].endswith("; 1 files left out")
    (why,) = record["settings"]["skipped"].items()
    assert why == ("3.wav", "is damaged, or in a format that neither libsndfile nor FFmpeg reads")


def test_probe_that_is_stopped_leaves_nothing_and_can_be_run_again(
    weights, data, records, monkeypatch, capsys
):
    arguments = ["probe", weights, "--data", str(data), "--native", "--no-controls"]

    def stop(*_, **__):
        os.kill(os.getpid(), signal.SIGTERM)

    for name in ("cache.load_audio", "cache.np.savez"):
        with monkeypatch.context() as patched:
            patched.setattr(f"audiopg.datasets.{name}", stop)
            assert main([*arguments, "--record", "new"]) == 143
        assert capsys.readouterr().err.endswith("audiopg: stopped\n")
        assert [path.name for path in (data.parent / "cache").glob("*waves-*")] == []
    with monkeypatch.context() as patched:
        patched.setattr(command.transfer, "probe_features", stop)
        assert main([*arguments, "--record", "new"]) == 143
    assert not records.exists()
    assert main([*arguments, "--record", "new"]) == 0
    assert [path.name for path in records.iterdir()] == ["new.json"]


def test_probe_refuses_what_it_cannot_choose_on_before_it_embeds(
    weights, data, monkeypatch, capsys
):
    monkeypatch.setattr(command.transfer, "clip_features", lambda *_, **__: pytest.fail("embeds"))
    lines = [f"{data}/ESC-10/audio/{n}.wav,{n % 10 < 1},{n // 10 + 1}" for n in range(20)]
    table = data / "two.csv"
    table.write_text("\n".join(["path,label,fold", *lines]))
    assert main(["probe", weights, "--dataset", str(table)]) == 2
    assert "has a class with fewer than 3 clips; add clips or folds" in capsys.readouterr().err


def test_probe_names_the_line_with_a_wrong_fold(weights, data, capsys):
    meta = data / "ESC-10/meta/esc50.csv"
    meta.write_text(meta.read_text().replace("0.wav,1,", "0.wav,9,", 1))
    assert main(["probe", weights, "--data", str(data)]) == 2
    assert "line 2: fold is '9'" in one_sentence(capsys)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dataset", "urbansound8k"], "does not hold urbansound8k"),
        ([], "does not hold esc10"),
        (["--dataset", "all"], "does not hold any benchmark"),
    ],
)
def test_probe_says_what_is_not_there(weights, tmp_path, options, message, capsys):
    assert main(["probe", weights, "--data", str(tmp_path), *options]) == 2
    assert message in one_sentence(capsys)


def test_probe_asks_for_recordings(weights, monkeypatch, capsys):
    monkeypatch.delenv("AUDIOPG_DATA", raising=False)
    assert main(["probe", weights]) == 2
    assert "no recordings are named" in one_sentence(capsys)


def test_probe_on_real_recordings(
    weights, real_recordings, recordings_folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("AUDIOPG_CACHE", str(tmp_path / "cache"))
    clips = real_recordings("esc10")
    # One clip of every class in every fold.
    pairs = np.stack([clips.folds, clips.labels])
    rows = np.sort(np.unique(pairs, axis=1, return_index=True)[1])
    monkeypatch.setattr(command.common, "find_clips", lambda *_: clips.take(rows))
    named = ["--data", str(recordings_folder)]
    assert main(["probe", weights, *named, "--native", "--no-controls"]) == 0
    printed = capsys.readouterr().out
    assert "ESC-10, 50 clips" in printed
    assert "\nthis encoder" in printed


def test_the_records_of_the_project_have_what_the_chapters_read():
    names = [path.stem for path in RESULTS.glob("probe-esc10-*.json")]
    assert names
    for name in names:
        figures = read_record(name)["metrics"]
        for row in ("log-mel mean and deviation", "random encoder", "this encoder"):
            assert 0.5 < figures[row]["mean"] < 1
            assert figures[row]["standard_deviation"] > 0


# embed


@pytest.mark.parametrize("how", [[], ["--pooling", "frequency", "--native"]])
def test_embed_writes_what_the_library_call_returns(weights, data, tmp_path, how, capsys):
    out = tmp_path / "table.npz"
    single = data / "speech_commands_v0.02/go/0_nohash_0.wav"
    paths = [str(single), str(data / "ESC-10/audio")]
    assert main(["embed", weights, *paths, *how, "--out", str(out)]) == 0
    table = np.load(out)
    assert len(table["files"]) == 41
    assert table["files"][0] == str(single)
    pooling, native = ("frequency", True) if how else ("mean", False)
    for row in (0, 7):
        wave, _ = soundfile.read(table["files"][row], dtype="float32")
        expected = load_encoder(weights).embed(
            torch.from_numpy(wave), pooling=pooling, native=native
        )
        np.testing.assert_allclose(table["embeddings"][row], expected, atol=1e-5)
    size = 512 if how else 64
    assert f"41 files, {size} dimensions each, in {out}" in capsys.readouterr().out


def test_embed_says_before_any_work_that_a_table_cannot_be_written(weights, tmp_path, capsys):
    assert main(["embed", weights, "gone.wav", "--out", str(tmp_path / "table.csv")]) == 2
    assert "does not end in .npz or .parquet" in one_sentence(capsys)
    assert main(["embed", weights, "gone.wav", "--out", str(tmp_path / "table.npz")]) == 2
    assert "1 of 1 files cannot be used (gone.wav is not there)" in one_sentence(capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("default")
def test_embed_leaves_out_what_cannot_be_used_when_asked(weights, data, tmp_path, capsys):
    sound, out = data / "speech_commands_v0.02/go/0_nohash_0.wav", tmp_path / "table.npz"
    arguments = ["embed", weights, "gone.wav", str(sound), "--skip-bad", "--out", str(out)]
    assert main(arguments) == 0
    said = capsys.readouterr()
    assert "1 of 2 files cannot be used, and are left out (the first: gone.wav is not" in said.err
    assert said.out.startswith("1 files, ")
    assert np.load(out)["files"].tolist() == [str(sound)]


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("probe", ("--dataset", "--pooling", "--native", "--no-controls", "--beside", "--record")),
        ("embed", ("--pooling", "--native", "--skip-bad", "--out")),
    ],
)
def test_help_teaches(command, flags, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    assert re.search(rf"\nexamples?:\s+audiopg {command} ", printed)
    for flag in flags:
        assert flag in printed


def test_a_record_holds_no_number_that_json_lacks(weights, data, records):
    assert main(["probe", weights, "--data", str(data), "--native", "--record", "new"]) == 0
    text = (records / "new.json").read_text()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"the record holds {name}"))
