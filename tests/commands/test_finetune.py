"""The command that fine-tunes, run, killed and refused."""

import io
import json
import random
import shutil
import signal
import subprocess
import sys
from dataclasses import fields, replace

import numpy as np
import pytest
import soundfile

from audiopg.__main__ import main
from audiopg.commands import finetune as command
from audiopg.datasets import cached_waves, esc50
from audiopg.errors import InputError
from audiopg.mae import MaskedAutoencoder
from audiopg.pretrained import load_encoder, save_model
from audiopg.transfer import bootstrap_interval, paired_p_value
from audiopg.transfer.finetune import (
    FINETUNE_RECIPES,
    FinetuneSettings,
    finetune,
    read_result,
    read_run,
)

SETTINGS = replace(
    FINETUNE_RECIPES["fast"], epochs=8, batch_size=4, precision="float32", checkpoint_seconds=0.0
)
FLAGS = ["--recipe=fast", "--epochs=8", "--batch-size=4", "--precision=float32"]
FLAGS += ["--checkpoint-seconds=0", "--device=cpu", "--dataset=esc10"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """ESC-10 in its official layout: forty clips of half a second, two classes, five folds."""
    folder = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    rows = ["filename,fold,target,category,esc10,src_file"]
    (folder / "ESC-10/audio").mkdir(parents=True)
    (folder / "ESC-10/meta").mkdir()
    for clip in range(40):
        target = clip % 2
        wave = generator.standard_normal(8000) * 0.1
        if target:
            wave += np.sin(np.arange(8000) * generator.uniform(0.2, 0.4))
        soundfile.write(folder / f"ESC-10/audio/{clip}.wav", wave * 0.5, 16000)
        category = "tone" if target else "hiss"
        rows.append(f"{clip}.wav,{clip // 2 % 5 + 1},{target},{category},True,{clip}")
    (folder / "ESC-10/meta/esc50.csv").write_text("\n".join(rows) + "\n")
    return folder


def own(folder):
    """Twelve clips of one's own: a folder a class, and a table of parts of them, by site."""
    generator, rows = np.random.default_rng(1), ["name;species;onset;offset;site"]
    for clip in range(12):
        kind = ("hiss", "tone")[clip % 2]
        wave = generator.standard_normal(8000) * 0.1
        wave += (clip % 2) * np.sin(np.arange(8000) * generator.uniform(0.2, 0.4))
        (folder / "my-birds" / kind).mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"my-birds/{kind}/{clip}.wav", wave * 0.5, 16000)
        rows.append(f"my-birds/{kind}/{clip}.wav;{kind};0.1;0.4;{clip // 2 % 5}")
    text = "\n".join(rows)
    (folder / "birds.csv").write_text(text.replace(";", ",").replace("name,", "file,"))
    (folder / "parts.csv").write_text(text)
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_model(MaskedAutoencoder.preset("micro", seed=7), path)
    return path


@pytest.fixture(autouse=True)
def environment(data, monkeypatch):
    monkeypatch.setenv("AUDIOPG_DATA", str(data))
    monkeypatch.setenv("AUDIOPG_CACHE", str(data / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="module")
def expected(data, weights):
    """The library's call, never interrupted."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("AUDIOPG_CACHE", str(data / "cache"))
        waves = cached_waves(esc50(data / "ESC-10"), progress=False)
        return finetune(
            SETTINGS, waves.clips, waves, weights, folds=[1, 3], device="cpu", progress=False
        )


def losses(out, fold):
    lines = (out / f"seed-0/fold-{fold}/metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


def test_finetune_is_the_library_s_call(tmp_path, data, weights, expected, monkeypatch, capsys):
    records = []
    monkeypatch.setattr(command, "write_record", lambda name, **said: records.append(said))
    monkeypatch.chdir(weights.parent)
    arguments = ["finetune", *FLAGS, "--start", str(weights), "--folds", "1,3"]
    assert main([*arguments, "--out", str(tmp_path), "--record", "x"]) == 0
    assert json.loads((tmp_path / "result.json").read_text()) == expected.summary()
    one, three = 100 * expected.values[0]
    clips = esc50(data / "ESC-10")
    low, high = bootstrap_interval(expected, clips.labels, clips.folds, sources=clips.sources)
    assert capsys.readouterr().out.splitlines()[:4] == [
        "ESC-10, 40 clips, accuracy in per cent on test folds",
        f"  seed 0: fold 1 {one:.1f}, fold 3 {three:.1f}; mean {100 * expected.mean:.1f}",
        f"{100 * expected.mean:.1f} ± {100 * expected.standard_deviation:.1f} over the folds",
        "95 % interval of the mean, by the bootstrap over sources: "
        f"{100 * low:.1f} to {100 * high:.1f}",
    ]
    (record,) = records
    assert record["settings"]["epochs"] == 8
    assert record["settings"]["dataset"] == "esc10"
    assert record["settings"]["start"] == weights.name
    assert list(record["metrics"]) == ["this encoder"]
    figures = record["metrics"]["this encoder"]
    assert figures["mean"] == expected.mean
    assert figures["seeds"] == expected.summary()["values"]
    counted = [sum(row.values()) for row in figures["confusion"].values()]
    assert counted == [8, 8]
    assert record["settings"]["beside"] == {}
    assert record["data"] == "ESC-10, 40 clips, CC BY 3.0"
    assert "test fold tested once, after the last epoch" in record["protocol"]
    # Settings and weights are those of the run; what is done is not done again.
    assert main(["finetune", "--device=cpu", "--resume", "--out", str(tmp_path)]) == 0
    assert read_run(tmp_path)[0] == SETTINGS
    assert json.loads((tmp_path / "result.json").read_text()) == expected.summary()


def test_validation_is_said_to_be_one(tmp_path, monkeypatch, capsys):
    records = []
    monkeypatch.setattr(command, "write_record", lambda name, **said: records.append(said))
    arguments = ["finetune", *FLAGS, "--epochs=1", "--preset=micro", "--validate"]
    assert main([*arguments, "--out", str(tmp_path / "all")]) == 0
    assert "95 % interval" in capsys.readouterr().out
    arguments.append("--folds=2")
    assert main([*arguments, "--out", str(tmp_path / "one"), "--record", "x"]) == 0
    printed = capsys.readouterr().out
    assert "accuracy in per cent on a training fold held out, for each test fold" in printed
    assert "±" not in printed
    assert "without the test fold" in records[0]["protocol"]
    confusion = records[0]["metrics"]["this encoder"]["confusion"]
    assert sum(sum(row.values()) for row in confusion.values()) == 8


def test_a_run_is_set_beside_one_from_scratch(tmp_path, data, weights, monkeypatch, capsys):
    records = []
    monkeypatch.setattr(command, "write_record", lambda name, **said: records.append(said))
    arguments = ["finetune", *FLAGS, "--epochs=1", "--folds=1,3"]
    scratch, tuned = tmp_path / "scratch", tmp_path / "tuned"
    assert main([*arguments, "--preset=micro", "--layer-decay=1", "--out", str(scratch)]) == 0
    arguments += ["--start", str(weights), "--out", str(tuned)]
    assert main([*arguments, "--beside", str(scratch), "--record", "x"]) == 0
    assert "p (Holm)" in capsys.readouterr().out
    (record,) = records
    assert list(record["metrics"]) == [str(scratch), "this encoder"]
    clips = esc50(data / "ESC-10")
    one, other = (read_result(folder, clips, [1, 3]) for folder in (scratch, tuned))
    assert record["metrics"][str(scratch)]["mean"] == one.mean
    assert record["metrics"]["this encoder"]["mean"] == other.mean
    p = paired_p_value(one, other, clips.labels, clips.folds, sources=clips.sources)
    found = record["metrics"][str(scratch)]["p_against_this_encoder"]
    assert found == pytest.approx(p, rel=0.005)
    # Where the two differ in what was asked of them.
    assert record["settings"]["beside"] == {
        str(scratch): {"start": None, "preset": "micro", "layer_decay": 1.0}
    }
    # Two paths of one run are one test.
    done = ["finetune", *FLAGS[5:], "--resume", "--out", str(tuned), "--folds=1,3", "--record=x"]
    assert main([*done, "--beside", str(scratch), f"{scratch}/", f"{tuned}/../scratch"]) == 0
    assert list(records[-1]["metrics"]) == [str(scratch), "this encoder"]
    assert records[-1]["metrics"] == record["metrics"]
    # What has no test is said before the training.
    monkeypatch.setattr(command, "finetune", lambda *_, **__: pytest.fail("a network is trained"))
    assert main([*done, "--beside", f"{tuned}/"]) == 2
    assert f"--beside names {tuned}/, which is {tuned} itself" in capsys.readouterr().err
    new = [*arguments[:-1], str(tmp_path / "new"), "--validate", "--beside", str(scratch)]
    assert main(new) == 2
    assert (
        f"{scratch} has figures of test folds, and this run of training folds; give --validate"
        in (capsys.readouterr().err)
    )
    assert not (tmp_path / "new").exists()
    # Where it is not done, or not there, it is said before the training.
    assert main(["finetune", *FLAGS[5:], "--resume", "--out", str(tuned), "--folds=1,2",
                 "--beside", str(scratch)]) == 2  # fmt: skip
    assert "is not done with fold 2 of seed 0" in capsys.readouterr().err
    assert not (tuned / "seed-0/fold-2").exists()


@pytest.mark.parametrize("seeds", [(1, 2), (2, 1)])
def test_several_seeds_of_clips_of_several_classes_have_no_test_beside(seeds):
    here, other = (replace(SETTINGS, seeds=number) for number in seeds)
    command._require_paired(here, {"a": other}, False)
    with pytest.raises(
        InputError, match=r"no paired test of mAP, and a is .* give one seed to both"
    ):
        command._require_paired(here, {"a": other}, True)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--out RUN", "RUN holds a run already; resume it or name another folder."),
        ("--out LEFT", "LEFT holds result.json of another run, whose settings are not there; name"),
        ("--out FILE", "FILE cannot be written (Not a directory); mend that."),
        ("--out NEW --beside LEFT", "LEFT holds no run to resume"),
        ("--out NEW --record a.b", "'a.b' names no record"),
        ("--out NEW --record " + 201 * "a", "aaa' names no record; use at most 200 letters"),
    ],
)
def test_what_cannot_be_written_is_known_before_a_file_is_read(
    flags, message, tmp_path, weights, monkeypatch, capsys
):
    def read(*_, **__):
        raise AssertionError("a file is read")

    monkeypatch.setattr(command, "cached_waves", read)
    for name in ("RUN", "LEFT"):
        (tmp_path / name).mkdir()
    (tmp_path / "RUN/run.json").write_text("{}")
    (tmp_path / "LEFT/result.json").write_text("{}")
    (tmp_path / "FILE").touch()
    for name in ("RUN", "LEFT", "FILE", "NEW"):
        flags = flags.replace(name, str(tmp_path / name))
        message = message.replace(name, str(tmp_path / name))
    assert main(["finetune", *FLAGS, "--start", str(weights), *flags.split()]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "NEW").exists()


def test_files_that_cannot_be_used_are_left_out_when_asked(tmp_path, data, capsys):
    folder = tmp_path / "data/ESC-10"
    (folder / "audio").mkdir(parents=True)
    (folder / "meta").mkdir()
    for path in [*(data / "ESC-10").glob("*/*")]:
        (folder / path.relative_to(data / "ESC-10")).write_bytes(path.read_bytes())
    (folder / "audio/5.wav").write_bytes(b"")
    (folder / "audio/6.wav").unlink()
    arguments = ["finetune", *FLAGS, "--epochs=1", "--preset=micro", "--folds=1"]
    arguments += ["--data", str(tmp_path / "data"), "--out", str(tmp_path / "run")]
    assert main(arguments) == 2
    assert "6.wav" in capsys.readouterr().err
    assert main([*arguments, "--skip-bad"]) == 0
    assert "2 files cannot be used, and are left out; the first: " in capsys.readouterr().out
    with pytest.raises(InputError, match="run is a fine-tuning, which keeps scores and no weights"):
        load_encoder(tmp_path / "run")
    skipped = json.loads((tmp_path / "run/run.json").read_text())["clips"]["skipped"]
    assert sorted(path[-5:] for path in skipped) == ["5.wav", "6.wav"]


# Sends its own process a signal in the middle of an epoch, at the batch of a given number.
STOPPED = """
import importlib, os, signal, sys
from audiopg.__main__ import main

module = importlib.import_module("audiopg.transfer.finetune")
# In the background of a shell Python is started with SIGINT ignored, and leaves it so.
signal.signal(signal.SIGINT, signal.default_int_handler)
training_batch, calls = module.training_batch, []
way, moment = signal.Signals[sys.argv[1]], int(sys.argv[2])


def stopped(*arguments):
    calls.append(arguments)
    if len(calls) == moment:
        os.kill(os.getpid(), way)
    return training_batch(*arguments)


module.training_batch = stopped
sys.exit(main(sys.argv[3:]))
"""


def test_a_run_stopped_again_and_again_ends_with_the_same_bits(tmp_path, weights, expected):
    moments = random.Random(0)
    arguments = [*FLAGS, "--start", str(weights), "--folds", "1,3", "--out", str(tmp_path)]
    # Two folds of 64 batches: the first stop is within the first, the last within the second.
    for way in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM):
        at = [way.name, str(moments.randint(25, 40))]
        stopped = subprocess.run(
            [sys.executable, "-c", STOPPED, *at, "finetune", *arguments],
            capture_output=True,
            text=True,
        )
        if way is signal.SIGKILL:
            assert stopped.returncode == -signal.SIGKILL
        else:
            assert stopped.returncode == 128 + way
            said = f"audiopg: stopped; go on with --resume --out {tmp_path}"
            assert stopped.stderr.splitlines()[-1] == said
            assert "Traceback" not in stopped.stderr
        # What the message says is enough, and nothing more is done than was asked.
        arguments = ["--device=cpu", "--resume", "--out", str(tmp_path)]
    assert main(["finetune", *arguments]) == 0
    assert json.loads((tmp_path / "result.json").read_text()) == expected.summary()
    for place, fold in enumerate((1, 3)):
        assert losses(tmp_path, fold) == expected.losses[0, place].tolist()
    assert not list(tmp_path.rglob("*.part"))
    assert not list(tmp_path.rglob("checkpoint.safetensors"))


# Kills its own process in the middle of the second checkpoint.
KILLED_WHILE_WRITING = """
import os, signal, sys
from audiopg import runs
from audiopg.__main__ import main

save_tensors, calls = runs.save_tensors, []


def killed(tensors, path, *metadata):
    calls.append(path)
    save_tensors(tensors, path, *metadata)
    if len(calls) == 2:
        os.truncate(path, 1000)
        os.kill(os.getpid(), signal.SIGKILL)


runs.save_tensors = killed
main(sys.argv[1:])
"""


def test_a_run_killed_while_it_writes_goes_on_from_the_checkpoint_before(
    tmp_path, weights, expected, capsys
):
    arguments = ["finetune", *FLAGS, "--start", str(weights), "--folds=1", "--out", str(tmp_path)]
    done = subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, *arguments])
    assert done.returncode == -signal.SIGKILL
    assert len(losses(tmp_path, 1)) == 2
    assert len(list(tmp_path.rglob("*.part"))) == 1
    assert main([*arguments, "--resume"]) == 0
    assert losses(tmp_path, 1) == expected.losses[0, 0].tolist()
    assert not list(tmp_path.rglob("*.part"))
    assert "damaged" not in capsys.readouterr().out


def test_relative_weights_are_found_from_any_working_folder(
    tmp_path, weights, expected, monkeypatch, capsys
):
    out = tmp_path / "out"
    monkeypatch.chdir(weights.parent)
    arguments = [*FLAGS, "--start", weights.name, "--folds=1", "--out", str(out)]
    assert main(["finetune", *arguments]) == 0
    said = json.loads((out / "run.json").read_text())
    assert said["start"] == str(weights)
    monkeypatch.chdir(tmp_path)
    assert main(["finetune", "--device=cpu", "--resume", "--out=out", "--folds=1,3"]) == 0
    assert json.loads((out / "result.json").read_text()) == expected.summary()
    # A run of an older version kept what was given. The same weights may be named anew.
    shutil.copy(weights, tmp_path / "moved.safetensors")
    (out / "run.json").write_text(json.dumps(said | {"start": weights.name}))
    assert main(["finetune", "--resume", "--out=out"]) == 2
    assert f"{weights.name} is not a file" in capsys.readouterr().err
    assert main(["finetune", "--resume", "--out=out", "--start=moved.safetensors"]) == 0
    assert json.loads((out / "run.json").read_text())["start"] == str(
        tmp_path / "moved.safetensors"
    )


@pytest.mark.parametrize(
    ("name", "value"), [("folds", 1), ("columns", [1]), ("dataset", 5), ("n_folds", "five")]
)
def test_a_run_whose_recordings_were_edited_is_named(tmp_path, name, value, capsys):
    said = {"settings": {}, "start": None, "weights": None, "clips": {"sha256": ""}}
    said["recordings"] = {"dataset": "esc10", "folds": "1", name: value}
    (tmp_path / "run.json").write_text(json.dumps(said))
    assert main(["finetune", "--resume", f"--out={tmp_path}"]) == 2
    file = tmp_path / "run.json"
    assert f"{file} is damaged: {name} is {value!r}; put back" in capsys.readouterr().err
    (tmp_path / "run.json").write_text(json.dumps(said | {"recordings": [value]}))
    assert main(["finetune", "--resume", f"--out={tmp_path}"]) == 2
    assert f"{file} is damaged ('list' object" in capsys.readouterr().err


def test_a_run_goes_on_with_the_flags_of_its_recipe(tmp_path, capsys):
    arguments = [*FLAGS, "--folds=1", f"--out={tmp_path}"]
    given = ["--preset=micro", "--epochs=1", "--seed=3", "--weight-decay=0.1"]
    assert main(["finetune", *arguments, *given]) == 0
    before = json.loads((tmp_path / "run.json").read_text())
    assert main(["finetune", *arguments, "--epochs=1", "--resume"]) == 0
    assert json.loads((tmp_path / "run.json").read_text()) == before
    assert main(["finetune", "--resume", "--recipe=paper", f"--out={tmp_path}"]) == 2
    assert "was run with native_length = True, not False" in capsys.readouterr().err


# With a site in each fold there is no interval.
@pytest.mark.filterwarnings("default:all clips of a test fold")
def test_recordings_of_one_s_own_take_one_command(tmp_path, weights, monkeypatch, capsys):
    monkeypatch.delenv("AUDIOPG_DATA")
    folder = own(tmp_path)
    flags = [flag for flag in FLAGS if not flag.startswith("--dataset")]
    flags += ["--start", str(weights), "--folds=1"]
    table = [f"--dataset={folder / 'parts.csv'}", "--columns=file=name,label=species,group=site"]
    for out, how in (("one", [f"--dataset={folder / 'my-birds'}"]), ("two", table)):
        out = tmp_path / out
        assert main(["finetune", *flags, *how, "--out", str(out)]) == 0
        printed = capsys.readouterr().out
        assert "(5 folds by seed 0), 12 clips, accuracy in per cent on test folds" in printed
        assert (out / "seed-0/fold-1/tested.safetensors").is_file()
        _, run = read_run(out)
        assert run["clips"]["number"] == 12
        # From any folder, a run that goes on knows its clips, how they are read, and its folds.
        with monkeypatch.context() as elsewhere:
            elsewhere.chdir(folder / "my-birds")
            assert main(["finetune", "--resume", "--out", str(out)]) == 0
        assert capsys.readouterr().out == printed
        assert read_run(out)[1] == run
        assert not (out / "seed-0/fold-2").exists()
    assert main(["finetune", "--resume", "--out", str(tmp_path / "two"), "--fold-seed=0"]) == 0
    assert main(["finetune", "--resume", "--out", str(tmp_path / "two"), "--fold-seed=1"]) == 2
    assert "began with other clips" in capsys.readouterr().err
    # So it does where the table is named once more: its intervals stay those over sites.
    before = read_run(tmp_path / "two")[1]
    assert main(["finetune", "--resume", "--out", str(tmp_path / "two"), table[0]]) == 0
    assert read_run(tmp_path / "two")[1] == before
    assert before["recordings"]["columns"]["group"] == "site"
    # The same clips, dealt otherwise or cut elsewhere, are others.
    again = ["finetune", "--resume", "--out", str(tmp_path / "two"), "--folds=1", *table]
    # What three tables have to say of the interval is said once.
    monkeypatch.setattr(command, "write_record", lambda *_, **__: "x")
    capsys.readouterr()
    assert main([*again, "--record", "x"]) == 0
    assert capsys.readouterr().err.count("all clips of a test fold have one source") == 1
    assert main([*again, "--fold-seed=1"]) == 2
    assert "began with other clips" in capsys.readouterr().err
    text = (folder / "parts.csv").read_text()
    (folder / "parts.csv").write_text(text.replace(";0.1;0.4;0", ";0.1;0.3;0"))
    assert main(again) == 2
    assert "began with other clips" in capsys.readouterr().err


@pytest.mark.filterwarnings("default:all clips of a test fold")
@pytest.mark.parametrize(
    ("names", "asked", "tested", "told"),
    [
        (("a", "c", "north"), "north,2", {"2", "3"}, "; of the folds, 1 is fold a, 2 is fold c, 3 is fold north"),
        (("9.0", "10.0", "11.0"), "10", {"10"}, ""),
        (("fold9", "fold10", "fold11"), "fold 11,9", {"9", "11"}, ""),
    ],
)  # fmt: skip
def test_a_fold_is_asked_for_by_number_or_name(
    tmp_path, weights, monkeypatch, names, asked, tested, told
):
    recorded, out = {}, tmp_path / "run"
    monkeypatch.setattr(command, "write_record", lambda _, **parts: recorded.update(parts))
    first, *rows = (own(tmp_path) / "parts.csv").read_text().splitlines()
    rows = [f"{row};{names[number // 2 % 3]}" for number, row in enumerate(rows)]
    (tmp_path / "folds.csv").write_text("\n".join([f"{first};fold", *rows]))
    flags = [flag for flag in FLAGS if not flag.startswith("--dataset")]
    flags += ["--start", str(weights), "--folds", asked, "--dataset", str(tmp_path / "folds.csv")]
    flags += ["--columns=file=name,label=species", "--record=x", "--out", str(out)]
    assert main(["finetune", *flags]) == 0
    assert json.loads((out / "result.json").read_text())["values"]["0"].keys() == tested
    assert recorded["data"] == f"folds.csv, 12 clips, licence not stated{told}"


def test_flags_for_one_s_own_are_not_for_benchmarks(weights, tmp_path, capsys):
    arguments = ["finetune", *FLAGS, "--start", str(weights), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--n-folds=3"]) == 2
    assert "esc10 has official tables and folds; --columns, --n-folds" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*arguments, "--columns=species"])
    assert "it is 'species'; give ROLE=NAME, divided by commas" in capsys.readouterr().err


def test_the_help_teaches(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["finetune", "--help"])
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    for setting in fields(FinetuneSettings):
        assert "--" + setting.name.replace("_", "-") in printed
    words = " ".join(printed.split())
    assert "(default: 300; paper-50: 50; fast: " in words
    for text in (
        "one of esc10, esc50, urbansound8k, speech_commands, fsd50k",
        "A fold is tested once, after its last epoch.",
        "tested.safetensors",
    ):
        assert text in words


class Asked(Exception):
    pass


def examples():
    lines = command.EXAMPLES.replace("\\\n", " ").splitlines()
    return [line.split(" finetune ")[1] for line in lines if " finetune --" in line]


@pytest.mark.parametrize("example", examples())
def test_the_examples_of_the_help_are_accepted(example, data, tmp_path, monkeypatch):
    def ask(settings, clips, waves, start, out, **options):
        asked.append((settings, start))
        raise Asked

    asked = []
    monkeypatch.setattr(command, "finetune", ask)
    (data / "ESC-50").is_dir() or (data / "ESC-50").symlink_to(data / "ESC-10")
    monkeypatch.chdir(own(tmp_path))
    if "--resume" in example:
        run = {"settings": {}, "start": "tiny", "weights": "", "clips": {"sha256": ""}}
        run["recordings"] = {"dataset": "esc10"}
        (tmp_path / "run.json").write_text(json.dumps(run))
    arguments = example.split()
    arguments[arguments.index("--out") + 1] = str(tmp_path)
    if "--beside" in arguments:
        other = tmp_path / "other"
        shutil.copytree(tmp_path, other, ignore=lambda _, names: {*names} - {"run.json"})
        arguments[arguments.index("--beside") + 1] = str(other)
        monkeypatch.setattr(command, "read_result", lambda *_: None)
    with pytest.raises(Asked):
        main(["finetune", *arguments])
    ((settings, begin),) = asked
    assert (begin is None) == ("--preset" in example)
    assert settings.validate == ("--validate" in example)


# Of each bad call: the arguments and the message. NOWHERE is a path without anything, EMPTY a
# folder without anything, WEIGHTS a model, RUN a folder with a run.
BAD_INPUT = {
    "an unknown fold": (
        "--start WEIGHTS --folds 1,6 --out NOWHERE",
        "folds is '1,6'; give numbers or names of the test folds (fold 1, fold 2, fold 3, fold 4, fold 5)",
    ),
    "folds that are no numbers": (
        "--start WEIGHTS --folds one --out NOWHERE",
        "folds is 'one'; give numbers or names of the test folds (fold 1, ",
    ),
    "a fold of thousands of digits": (
        f"--start WEIGHTS --folds {'9' * 5000} --out NOWHERE",
        "; give numbers or names of the test folds",
    ),
    "nothing to begin with": ("--out NOWHERE", "there is nothing to begin with"),
    "weights that are not there": ("--start NOWHERE --out NOWHERE", "is not a file"),
    "a checkpoint of another architecture": (
        "--preset tiny --start WEIGHTS --out NOWHERE",
        "another network than tiny (width 64, not 192; depth 2, not 12; heads 2, not 3)",
    ),
    "a setting out of its range": (
        "--start WEIGHTS --drop-path 1 --out NOWHERE",
        "drop_path is 1.0; the range is 0 to 0.9.",
    ),
    "nothing to resume": ("--resume --out NOWHERE", "holds no run to resume"),
    "a run that is there": ("--start WEIGHTS --out RUN", "holds a run already"),
    "other settings": ("--resume --epochs 9 --out RUN", "was run with epochs = 300, not 9"),
    "no recordings": ("--data EMPTY --preset micro --out NOWHERE", "does not hold esc10"),
    "no folder": ("--data NOWHERE --preset micro --out NOWHERE", "is not a folder"),
    "a device that is not there": (
        "--start WEIGHTS --device abacus --out NOWHERE",
        "the device 'abacus' cannot be used",
    ),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_one_sentence_and_status_2(case, tmp_path, weights, capsys):
    arguments, message = BAD_INPUT[case]
    nowhere, empty, run = (tmp_path / name for name in ("nowhere", "empty", "run"))
    empty.mkdir()
    run.mkdir()
    said = {"settings": {}, "start": str(weights), "weights": "", "clips": {"sha256": ""}}
    (run / "run.json").write_text(json.dumps(said))
    paths = {"NOWHERE": nowhere, "EMPTY": empty, "RUN": run, "WEIGHTS": weights}
    arguments = [str(paths.get(argument, argument)) for argument in arguments.split()]
    assert main(["finetune", "--dataset=esc10", *arguments]) == 2
    printed = capsys.readouterr().err.splitlines()[-1]
    assert printed.startswith("audiopg: ")
    assert message in printed
    assert printed.endswith(".")
    assert not nowhere.exists()


def test_a_terminal_of_few_letters_ends_no_run(tmp_path, weights, monkeypatch):
    """It has no "±"; what could not be printed was lost with the record that comes after it."""
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "ascii", "strict"))
    flags = ["--recipe=fast", "--epochs=1", "--dataset=esc10", "--device=cpu", "--folds=1,2"]
    flags += [f"--start={weights}", f"--out={tmp_path / 'out'}", f"--record={tmp_path / 'record'}"]
    assert main(["finetune", *flags]) == 0
    sys.stdout.flush()
    assert b" \\xb1 " in sys.stdout.buffer.getvalue()
    assert (tmp_path / "record.json").exists()


def test_recordings_that_are_not_named_are_refused(monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("AUDIOPG_DATA")
    assert main(["finetune", "--dataset=esc10", "--preset=micro", "--out", str(tmp_path)]) == 2
    assert "no recordings are named; give --data, or set AUDIOPG_DATA." in capsys.readouterr().err
    assert main(["finetune", "--dataset=esc11", "--preset=micro", "--out", str(tmp_path)]) == 2
    assert "no data set is called 'esc11', and no file or folder" in capsys.readouterr().err
    assert main(["finetune", "--preset=micro", "--out", str(tmp_path)]) == 2
    assert "no data set is named; give --dataset: esc10, " in capsys.readouterr().err


def test_barking_and_rain_are_told_apart_on_real_recordings(real_recordings):
    clips = real_recordings("esc10")
    chosen = [clips.classes.index(name) for name in ("dog", "rain")]
    rows = np.flatnonzero(np.isin(clips.labels, chosen) & (clips.folds < 4))
    clips = replace(
        clips.take(rows),
        labels=(clips.labels[rows] == chosen[1]).astype(np.int64),
        classes=["dog", "rain"],
        test_folds=[1, 2, 3],
    )
    waves = cached_waves(clips, progress=False)
    settings = replace(SETTINGS, preset="micro", epochs=6, patch_drop=0.8, layer_decay=1.0)
    result = finetune(settings, clips, waves, folds=[2], device="cpu", progress=False)
    assert result.mean >= 0.8
