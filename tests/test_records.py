import hashlib
import json
import math
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from audiopg import environment, records
from audiopg.__main__ import main
from audiopg.analysis import (
    Ablation,
    FactorInformation,
    FilterGrowth,
    SubspaceAngles,
    filter_growth,
)
from audiopg.book import experiments
from audiopg.book.reproduce import estimated_minutes, reproduce
from audiopg.environment import at_scale, atomic_path, data_folder, provenance, scale
from audiopg.errors import InputError
from audiopg.pretrained import weights_file
from audiopg.records import (
    other_weights,
    pack,
    paper_table,
    read_record,
    read_table,
    unpack,
    weights_of,
    write_record,
)

RUN = {
    "settings": {"seed": 3},
    "metrics": {"accuracy": {"1": 0.5}},
    "seconds": 1.26,
    "data": "synthetic clips",
    "protocol": "none",
}


def test_a_record_says_what_was_run_and_where(tmp_path):
    write_record("first-run", **RUN, folder=tmp_path)
    record = read_record("first-run", folder=tmp_path)
    assert record["metrics"] == RUN["metrics"]
    assert record["seconds"] == 1.3
    assert record["versions"]["torch"] == torch.__version__.split("+")[0]
    assert record["scale"] == "smoke"
    assert record["device"].startswith("CPU")
    assert {"commit", "date", "protocol", "data"} <= record.keys()


def test_a_record_knows_the_weights_of_the_package_that_it_was_made_with(tmp_path):
    weights = Path(records.__file__).parent / "weights" / "tiny.safetensors"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    settings = {"model": "runs/mine", "beside": {"tiny": None}, "start": None}
    write_record("knows", **RUN | {"settings": settings}, folder=tmp_path)
    record = read_record("knows", folder=tmp_path)
    assert record["weights"] == {"tiny": digest}
    assert other_weights(record) == []
    assert other_weights(record | {"weights": {"tiny": 64 * "0", "gone": digest}}) == [
        "tiny",
        "gone",
    ]


def test_only_records_that_say_so_are_of_earlier_weights():
    earlier = set()
    for path in records.RESULTS.glob("*.json"):
        record = json.loads(path.read_text())
        if weights_of(record.get("settings", {})):
            assert "weights" in record, path.name
            earlier |= {path.stem} if other_weights(record) else set()
    # Recipes that came before: the names say which, and the pages call them so.
    assert earlier == {
        "probe-esc10-tiny-25600",
        "probe-esc10-tiny-adamw",
        "probe-esc10-tiny-adamw-native",
    }


def test_a_run_that_was_not_made_has_no_record(tmp_path):
    assert read_record("never", folder=tmp_path) is None


def test_a_bad_name_or_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"'\.\./x' names no record"):
        write_record("../x", **RUN, folder=tmp_path)
    for name in (None, 5):
        with pytest.raises(InputError, match=rf"{name} names no record; give a text\."):
            read_record(name)
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(InputError, match=r"broken\.json is damaged.*; delete it, and run it again"):
        read_record("broken", folder=tmp_path)
    (tmp_path / "broken.json").write_text("[]")
    with pytest.raises(InputError, match=r"broken\.json is damaged: it holds no object; delete it"):
        read_record("broken", folder=tmp_path)
    for name in ("settings", "metrics", "weights"):
        (tmp_path / "broken.json").write_text(json.dumps({name: ["tiny"]}))
        with pytest.raises(InputError, match=rf"damaged: its {name} are no object; delete it"):
            read_record("broken", folder=tmp_path)


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """As where audiopg is installed from a wheel: there is no results/ beside it."""
    monkeypatch.setattr(records, "RESULTS", tmp_path / "site-packages/results")
    return tmp_path


def test_outside_a_clone_a_folder_is_to_be_named(outside):
    ask = "does not run from a clone of its project; run this in a clone, or name a folder"
    known = experiments.experiments("cpu")
    for call in (
        lambda: write_record("first-run", **RUN),
        lambda: read_record("first-run"),
        lambda: paper_table("table_1"),
        lambda: experiments.is_recorded(known[0]),
        lambda: reproduce(known, {}),
        lambda: estimated_minutes(known[0]),
    ):
        with pytest.raises(InputError, match=ask):
            call()
    with pytest.raises(InputError, match=r"elsewhere has no paper\.json; name results/ of a clone"):
        paper_table("table_1", outside / "elsewhere")
    assert not list(outside.iterdir())
    path = write_record(str(outside / "elsewhere/first-run"), **RUN)
    assert path == outside / "elsewhere/first-run.json"
    assert read_record("first-run", path.parent) == read_record(f"{path.parent}/first-run")
    assert not experiments.is_recorded(known[0], path.parent)


@pytest.mark.parametrize(
    "command",
    [
        ["pretrain", "--out", "run"],
        ["finetune", "--out", "run", "--dataset", "esc10"],
        ["probe", "tiny"],
        ["analyze", "tiny", "--out", "run"],
        ["bench", "synth"],
    ],
    ids=lambda command: command[0],
)
def test_a_record_that_cannot_be_is_refused_before_any_work(command, outside, monkeypatch, capsys):
    monkeypatch.chdir(outside)
    for name, why in (
        ("first-run", "run this in a clone, or name a folder."),
        ("elsewhere/first.run", "'elsewhere/first.run' names no record; use at most 200 letters"),
    ):
        assert main([*command, "--record", name]) == 2
        printed = capsys.readouterr()
        assert why in printed.err
        assert printed.err.count("\n") == 1
        assert printed.out == ""
    disk = SimpleNamespace(total=10**9, free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: disk)
    assert main([*command, "--record", "elsewhere/name"]) == 2
    assert "elsewhere has 0 bytes of room and needs about 100.0 kB; make" in capsys.readouterr().err
    assert not list(outside.iterdir())


def test_reproduce_asks_for_a_folder_of_records_outside_a_clone(outside, capsys):
    for arguments in (["--list"], []):
        assert main(["reproduce", *arguments]) == 2
        assert "run this in a clone, or name a folder" in capsys.readouterr().err
    assert main(["reproduce", "--list", "--results", str(outside / "records")]) == 0
    assert "left      curriculum-full-" in capsys.readouterr().out


def test_the_commit_is_never_that_of_another_project(tmp_path, monkeypatch):
    """A virtual environment can lie in the repository of whoever uses the library."""
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(
        ["git", *who, "commit", "--quiet", "--allow-empty", "-m", "theirs"],
        cwd=tmp_path,
        check=True,
    )
    installed = tmp_path / "site-packages/audiopg/environment.py"
    installed.parent.mkdir(parents=True)
    monkeypatch.setattr(environment, "__file__", str(installed))
    assert provenance()["commit"] == "unknown"
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "audiopg/environment.py"))
    assert re.fullmatch(r"[0-9a-f]{7,}(-dirty)?", provenance()["commit"])


def test_a_record_has_null_for_what_is_no_finite_number(tmp_path):
    write_record("nan", **RUN | {"metrics": {"a": [float("nan"), 1.0]}}, folder=tmp_path)
    text = (tmp_path / "nan.json").read_text()
    assert "NaN" not in text
    assert json.loads(text)["metrics"] == {"a": [None, 1.0]}
    numbers = {"a": np.float32(0.5), "b": torch.tensor([1.0, math.inf]), "c": [np.bool_(True)]}
    write_record("numpy", **RUN | {"metrics": numbers}, folder=tmp_path)
    said = {"a": 0.5, "b": [1.0, None], "c": [True]}
    assert read_record("numpy", tmp_path)["metrics"] == said


def test_a_record_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "name.json").mkdir()
    with pytest.raises(InputError, match=r"name\.json cannot be written \(Is a directory\); mend"):
        write_record("name", **RUN, folder=tmp_path)
    with pytest.raises(InputError, match=r"a' names no record; use at most 200 letters, digits"):
        write_record(201 * "a", **RUN, folder=tmp_path)
    assert write_record(200 * "a", **RUN, folder=tmp_path).exists()


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.json"
    path.write_text("old")

    def interrupted():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_scale_and_data_come_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("AUDIOPG_SCALE", "paper")
    assert at_scale(smoke=1, paper=2) == 2
    monkeypatch.delenv("AUDIOPG_SCALE")
    assert (scale(), at_scale(smoke=1, paper=2)) == ("smoke", 1)
    monkeypatch.setenv("AUDIOPG_SCALE", "huge")
    with pytest.raises(InputError, match="AUDIOPG_SCALE is 'huge'"):
        scale()
    monkeypatch.setenv("AUDIOPG_DATA", str(tmp_path))
    assert data_folder() == tmp_path
    monkeypatch.setenv("AUDIOPG_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"AUDIOPG_DATA names .*nowhere"):
        data_folder()
    # An empty variable is an unset one: a script or a Makefile that has nothing to say exports it.
    for name in ("AUDIOPG_SCALE", "AUDIOPG_DATA"):
        monkeypatch.setenv(name, "")
    assert (scale(), data_folder()) == ("smoke", None)
    for name in ("AUDIOPG_SCALE", "AUDIOPG_DATA"):
        monkeypatch.delenv(name)
    assert (scale(), data_folder()) == ("smoke", None)


def test_records_in_the_repository_can_be_read():
    from audiopg.records import RESULTS

    for path in RESULTS.glob("*.json"):
        assert json.loads(path.read_text())["name"] == path.stem


def test_what_analyses_found_comes_back_to_16_bits():
    random = np.random.default_rng(0)
    found = [
        FactorInformation(*torch.from_numpy(random.standard_normal((3, 7)))),
        Ablation(np.array([1, 2]), 0.75, np.array([0.5, -1e9]), random.random((2, 3)), np.ones(2)),
        SubspaceAngles(("a", "b"), random.random((2, 2, 3)) * 90, np.array([70.0, 80.0, 85.0])),
        SubspaceAngles(("a",), np.ones((1, 1, 2)), np.ones(2), random.random((2, 2)) * 90),
        filter_growth([0, 40], random.standard_normal((2, 30, 256)), 2, repeats=2),
    ]
    for one in found:
        packed = json.loads(json.dumps(pack(one)))
        again = unpack(type(one), packed)
        for name, value in vars(one).items():
            back = getattr(again, name)
            assert type(back) is type(value), name
            if isinstance(value, torch.Tensor | np.ndarray):
                assert back.dtype == value.dtype, name
                # Half precision has 11 bits, and reaches to 65,504.
                expected = np.clip(np.asarray(value), -65504, 65504)
                np.testing.assert_allclose(np.asarray(back), expected, rtol=2**-11, atol=1e-7)
            else:
                assert back == value
    # A record from before the range of chance was kept.
    before = pack(found[2])
    del before["chance_range"]
    assert unpack(SubspaceAngles, before).chance_range is None
    with pytest.raises(InputError, match="no 'steps' of FilterGrowth"):
        unpack(FilterGrowth, {})


def test_a_table_of_a_record_is_read_back():
    table = read_table({"columns": ["a", "b"], "data": [[1, "x"], [2, "y"]]})
    assert table["b"].tolist() == ["x", "y"]
    assert table["a"].sum() == 3


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ("ESC-10, 5 folds", "probe-esc10-tiny-native"),
        ("UrbanSound8K, folds 1, 2, 10", "probe-urbansound8k-tiny"),
        ("Speech Commands, 10 words", "probe-speech_commands-tiny"),
    ],
)
def test_the_card_of_the_weights_says_what_the_records_hold(row, name):
    card = (weights_file("tiny").with_suffix(".md")).read_text()
    (said,) = re.findall(rf"^\| {re.escape(row)} \| (.+) \|$", card, re.MULTILINE)
    metrics = read_record(name)["metrics"]
    asked = ["this encoder", "random encoder"]
    asked = [one + pooling for one in asked for pooling in ("", ", frequency pooling")]
    expected = []
    for one in (*asked, "log-mel mean and deviation"):
        found = metrics[one]
        deviation = found["standard_deviation"]
        spread = "" if deviation is None else f" ± {100 * deviation:.1f}"
        expected.append(f"{100 * found['mean']:.1f}{spread}")
    assert said.split(" | ") == expected


def test_the_card_says_how_long_the_weights_were_trained():
    card = (weights_file("tiny").with_suffix(".md")).read_text()
    settings = read_record("pretrain-tiny")["settings"]
    steps, batch = settings["steps"], settings["batch_size"]
    assert f"{steps:,} steps of {batch} clips" in card
    assert f"({steps * batch:,} clips, {steps * batch * 10.24 / 3600:.0f} hours of sound)" in card
