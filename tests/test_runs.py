import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from audiopg import runs
from audiopg.environment import provenance
from audiopg.errors import InputError
from audiopg.runs import (
    add_metrics,
    checkpoints,
    clear_leftovers,
    cut_metrics,
    note_sitting,
    read_provenance,
    read_tensors,
    require_finite,
    require_new,
    require_own,
    require_readable,
    require_same,
    run_folder,
    save_tensors,
    sealed,
    set_aside,
    unsealed,
    warmup_cosine,
    write_provenance,
)

# Holds a folder, says so, and waits for a line; or kills itself.
HOLDER = """
import os, signal, sys
from audiopg.runs import run_folder

with run_folder(sys.argv[1]):
    print("held", flush=True)
    if sys.argv[2] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.stdin.readline()
"""


def holder(folder, way):
    command = [sys.executable, "-c", HOLDER, str(folder), way]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)


# The lock


def test_a_second_process_is_told_that_the_folder_is_in_use(tmp_path):
    with holder(tmp_path, "waits") as first:
        assert first.stdout.readline() == "held\n"
        message = f"another process is writing in {tmp_path}; let it end, or name another folder."
        with pytest.raises(InputError) as caught, run_folder(tmp_path):
            pass
        first.communicate("\n")
    assert str(caught.value) == message
    assert first.returncode == 0
    with run_folder(tmp_path):
        pass


def test_a_process_that_is_killed_leaves_no_lock(tmp_path):
    with holder(tmp_path, "killed") as first:
        first.communicate()
    assert first.returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == [".audiopg.lock"]
    with run_folder(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_another_user_s_process_left_is_taken(tmp_path, monkeypatch):
    def open_as_another(path, flags, *mode):
        if flags & os.O_RDWR:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return real(path, flags, *mode)

    real = os.open
    monkeypatch.setattr(os, "open", open_as_another)
    denied = pytest.raises(InputError, match=r"cannot be written \(Permission denied\); make it w")
    with denied, run_folder(tmp_path):
        pass
    (tmp_path / ".audiopg.lock").touch(0o644)
    with run_folder(tmp_path) as held:
        assert held.is_held()
        with pytest.raises(InputError, match="another process"), run_folder(tmp_path):
            pass


def test_a_folder_is_one_under_all_its_names(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "run")
    (tmp_path / "run").mkdir()
    with run_folder(tmp_path / "link"):
        for name in ("run", "link", "run/../run"):
            again = run_folder(tmp_path / name)
            with pytest.raises(InputError, match="another process is writing"), again:
                pass


def test_a_lock_that_its_owner_has_just_taken_away_is_asked_for_again(tmp_path, monkeypatch):
    asked = []

    def lock(descriptor, operation):
        if not asked:
            (tmp_path / ".audiopg.lock").unlink()
        asked.append(descriptor)
        return flock(descriptor, operation)

    flock = fcntl.flock
    monkeypatch.setattr(fcntl, "flock", lock)
    with run_folder(tmp_path) as held:
        assert held.is_held()
        with pytest.raises(InputError, match="another process"), run_folder(tmp_path):
            pass
    assert len(asked) == 3


def test_a_file_system_without_locks_is_said_to_have_none(tmp_path, monkeypatch, capsys):
    def lock(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", lock)
    with run_folder(tmp_path) as held, held.writing():
        pass
    assert capsys.readouterr().out == (
        f"{tmp_path} cannot be locked (Function not implemented); see that no other process writes "
        "there.\n"
    )


def test_a_folder_made_for_nothing_is_taken_away(tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    with run_folder(there), run_folder(tmp_path / "made"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    with run_folder(tmp_path / "made") as held:
        (held.path / "file").touch()
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["file"]


def test_an_empty_path_is_not_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="the path of a folder is empty; name one"), run_folder(""):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["a file", "a link to nowhere"])
def test_a_path_that_is_no_folder_is_one_sentence(tmp_path, what):
    path = tmp_path / "out"
    path.touch() if what == "a file" else path.symlink_to(tmp_path / "nowhere")
    with (
        pytest.raises(InputError, match=r"out cannot be written \(File exists\)"),
        run_folder(path),
    ):
        pass


def move(path):
    path.rename(path.with_name("elsewhere"))


def replace_by_another(path):
    move(path)
    path.mkdir()
    (path / ".audiopg.lock").touch()


@pytest.mark.parametrize("change", [move, replace_by_another])
def test_nothing_is_written_when_the_folder_is_not_there_any_more(tmp_path, change):
    path = tmp_path / "run"
    with run_folder(path) as held:
        change(path)
        before = sorted(tmp_path.rglob("*"))
        refused = pytest.raises(InputError, match=r"is not the folder any more .* put that back")
        with refused, held.writing():
            (path / "file").touch()
    assert sorted(tmp_path.rglob("*")) == before


def test_a_write_that_fails_says_what_to_do(tmp_path):
    with run_folder(tmp_path) as held, pytest.raises(InputError) as caught, held.writing():
        raise OSError(errno.EDQUOT, "Disk quota exceeded")
    assert str(caught.value) == (
        f"the run in {tmp_path} cannot be written (Disk quota exceeded); what it has is kept: make "
        "room, then resume."
    )


# What is in a folder


@pytest.mark.parametrize(
    "name",
    [
        "provenance.json",
        "metrics.jsonl",
        "result.json",
        "filters/step-00000000.safetensors",
        "step-00000004/model.safetensors",
        "step-123456789/model.safetensors",
        "step-00000004",
        "milestones.json",
        "seed-0/fold-1/tested.safetensors",
    ],
)
def test_what_is_left_of_another_run_is_not_taken_for_one_s_own(tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"of another run, whose settings are not there; name ano"):
        require_new(tmp_path)
    for settings in ("settings.json", "run.json"):
        (tmp_path / settings).touch()
        with pytest.raises(InputError, match="holds a run already; resume it or name another"):
            require_new(tmp_path)
        (tmp_path / settings).unlink()


def test_what_is_no_run_is_not_in_the_way(tmp_path):
    for name in ("notes.txt", ".settings.json.17.part", "model.safetensors"):
        (tmp_path / name).touch()
    (tmp_path / "step-by-step").mkdir()
    require_new(tmp_path)
    require_new(tmp_path / "nowhere")


@dataclass(frozen=True)
class Settings:
    pitch: int = 1
    often: int = 2


def test_settings_that_differ_are_named(tmp_path):
    require_same(tmp_path, Settings(), Settings(often=3), [])
    with pytest.raises(InputError, match=r"was run with pitch = 1, not 2; resume with the same"):
        require_same(tmp_path, Settings(), Settings(pitch=2, often=3), ["pitch", "often"])


def test_every_run_has_a_name_of_its_own(tmp_path):
    names = set()
    for each in "ab":
        with run_folder(tmp_path / each) as held:
            write_provenance(held, torch.device("cpu"), processes=3)
        said = read_provenance(tmp_path / each)
        assert said["processes"] == 3
        assert said["device"].startswith("CPU")
        names.add(said["run"])
        require_own(tmp_path, said["run"], said["run"])
    assert len(names) == 2
    with pytest.raises(InputError, match="is of another run than the folder that it lies in"):
        require_own(tmp_path, *names)
    with pytest.raises(InputError, match="is of another run"):
        require_own(tmp_path, None, names.pop())


def test_a_run_that_goes_on_elsewhere_says_so(tmp_path, monkeypatch):
    with run_folder(tmp_path) as held:
        began = write_provenance(held, torch.device("cpu"))
        note_sitting(held, torch.device("cpu"), after=3)
        assert read_provenance(tmp_path) == began
        monkeypatch.setattr(runs, "provenance", lambda device: provenance(device) | {"commit": "b"})
        for steps in (3, 5):
            note_sitting(held, torch.device("cpu"), after=steps)
        monkeypatch.undo()
        note_sitting(held, torch.device("cpu"), after=8)
        said = read_provenance(tmp_path)
        sittings = said.pop("resumed")
        assert said == began
        assert [(each["after"], each["commit"]) for each in sittings] == [
            (3, "b"),
            (8, began["commit"]),
        ]
        (tmp_path / "provenance.json").write_text(json.dumps(began | {"resumed": [3]}))
        with pytest.raises(InputError, match="is damaged: its 'resumed' is no list"):
            note_sitting(held, torch.device("cpu"))


@pytest.mark.parametrize("content", [None, "", "[]", '{"run"'])
def test_a_provenance_that_cannot_be_read_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "provenance.json").write_text(content)
    with pytest.raises(
        InputError, match=r"provenance\.json (cannot be read|is damaged).*; put it back, or"
    ):
        read_provenance(tmp_path)


def test_checkpoints_are_sorted_by_their_steps(tmp_path):
    names = ["step-00000002", "step-99999999", "step-100000000"]
    for name in [*names, "step-00000002-copy", "step-3", "step-by-step"]:
        (tmp_path / name).mkdir()
    (tmp_path / "step-00000005").touch()
    assert [path.name for path in checkpoints(tmp_path)] == names
    # One that somebody has renamed is no newer for its zeros; one elsewhere counts, there or not.
    (tmp_path / "step-000000004").mkdir()
    (tmp_path / "step-00000006").symlink_to("/no/disk")
    found = [path.name for path in checkpoints(tmp_path)]
    assert found == [names[0], "step-000000004", "step-00000006", *names[1:]]


def test_no_bit_of_a_file_of_tensors_changes_unnoticed(tmp_path):
    path, flipped = tmp_path / "whole", tmp_path / "flipped"
    tensors = {
        "a": torch.arange(6.0).reshape(2, 3),
        "step": torch.tensor(3),
        "empty": torch.ones(0),
    }
    tensors["half"] = torch.ones(4, dtype=torch.bfloat16)[::2]
    said = {"run": "of Monday", "task": "é"}
    save_tensors(tensors, path, said)
    same, told = read_tensors(path)
    assert told == said
    assert all(torch.equal(same[name], value) for name, value in tensors.items())
    content = path.read_bytes()
    noticed = 0
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        flipped.write_bytes(damaged)
        try:
            found, told = read_tensors(flipped)
        except (InputError, SafetensorError):
            noticed += 1
            continue
        # The name of the checksum itself was hit, or what the file does not need.
        assert {name: told[name] for name in said} == said
        assert all(torch.equal(found[name], value) for name, value in tensors.items())
    assert noticed >= len(content) - len("audiopg.crc32") - 8


def test_a_file_of_before_there_were_checksums_is_read(tmp_path):
    save_tensors({"a": torch.ones(3)}, tmp_path / "new")
    with safe_open(tmp_path / "new", "pt") as file:
        assert len(file.metadata()) == 1
    save_file({"a": torch.ones(3)}, tmp_path / "old", {"run": "of Monday"})
    tensors, said = read_tensors(tmp_path / "old")
    assert said == {"run": "of Monday"}
    assert tensors["a"].tolist() == [1, 1, 1]
    assert unsealed({"losses": [1.5]}, "state.json") == {"losses": [1.5]}


def test_no_bit_of_a_sealed_file_changes_unnoticed():
    content = {"step": 2, "losses": [0.1 + 0.2, 1e-7], "run": None, "settings": {"prior": "é"}}
    text = json.dumps(sealed(content)).encode()
    assert unsealed(json.loads(text), "state.json") == content
    for place in range(len(text)):
        damaged = bytearray(text)
        damaged[place] ^= 1 << place % 8
        try:
            found = unsealed(json.loads(bytes(damaged)), "state.json")
        except ValueError:
            continue
        # The name of the checksum was hit, or a space.
        assert {name: found.get(name, "gone") for name in content} == content


def test_what_is_damaged_is_renamed_and_not_lost(tmp_path, capsys):
    with run_folder(tmp_path) as held:
        for number in (1, 2):
            (tmp_path / "step-00000004").mkdir()
            (tmp_path / "step-00000004/file").write_text(str(number))
            set_aside(held, tmp_path / "step-00000004", "it is cut", "going back")
            name = f"damaged-{number}-step-00000004"
            said = f"{tmp_path}/step-00000004 is damaged (it is cut), and is called {name} now; "
            assert capsys.readouterr().out == f"{said}going back.\n"
            assert (tmp_path / name / "file").read_text() == str(number)
    assert checkpoints(tmp_path) == []


def test_only_what_a_run_was_writing_is_taken_away(tmp_path):
    ours = [
        ".settings.json.17.part",
        ".full-0-00001.wav.0123456789abcdef.part",
        ".ridge.csv.0123456789abcdef.part",
        ".metrics.jsonl.0123456789abcdef.part",
        ".step-00000004.0123456789abcdef.part/model.safetensors",
        "filters/.step-00000004.safetensors.17.part",
        "filters/.tmpAb3xYz",
    ]
    others = [
        ".ESC-50.part/unpacked/a.wav",
        ".speech_commands_v0.02.part/a",
        ".tmpAb3xYz",
        "notes/.settings.json.17.part",
        "filters/step-00000002.safetensors",
    ]
    for name in ours + others:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with run_folder(tmp_path) as held:
        clear_leftovers(held, "filters")
    left = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(map(str, left)) == sorted(others)


def test_metrics_are_cut_to_a_checkpoint_or_lack_lines(tmp_path):
    path = tmp_path / "metrics.jsonl"
    for step in range(3):
        add_metrics(path, {"step": step, "loss": 0.1 * step})
    with path.open("a") as file:
        file.write('{"step": 3, "lo')
    cut_metrics(path, [0.0, 0.1])
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [0, 1]
    for damaged in ('{"loss": 0}\n', '{"loss": 0}\n{"loss"', '{"loss": 0}\n{"loss"\n', ""):
        path.write_text(damaged)
        with pytest.raises(InputError, match=r"metrics\.jsonl lacks lines of the 2 that its chec"):
            cut_metrics(path, [0.0, 0.1])
        assert path.read_text() == damaged
    path.unlink()
    cut_metrics(path, [])
    assert path.read_text() == ""
    with pytest.raises(ValueError, match="not JSON compliant"):
        add_metrics(path, {"loss": float("nan")})
    assert path.read_text() == ""


@pytest.mark.parametrize(
    "second", ['{"loss": 0.2}', '{"loss": NaN}', '{"step": 2}', '{"loss": 0.1\0}']
)
def test_metrics_of_other_losses_are_of_another_run(tmp_path, second):
    path = tmp_path / "metrics.jsonl"
    path.write_text(f'{{"loss": 0.0}}\n{second}\n')
    cut_metrics(tmp_path / "none.jsonl", [])
    with pytest.raises(InputError, match=r"metrics\.jsonl has other losses than the run's check"):
        cut_metrics(path, [0.0, 0.1])
    assert path.read_text() == f'{{"loss": 0.0}}\n{second}\n'


def test_weights_that_are_not_finite_are_refused():
    model = torch.nn.Linear(2, 2)
    require_finite(model, "step 3")
    with torch.no_grad():
        model.bias[0] = torch.nan
    with pytest.raises(InputError, match="the weights are not finite after step 3; what was writ"):
        require_finite(model, "step 3")


def test_what_cannot_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file", tmp_path / "nowhere"):
        require_readable(path)

    (tmp_path / "inside").mkdir()
    (tmp_path / "inside/link").symlink_to("/no/disk")
    for path in (tmp_path / "inside", tmp_path / "inside/link"):
        with pytest.raises(
            InputError, match=r"inside/link is a link to /no/disk, which is not the"
        ):
            require_readable(path)

    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    for path in (tmp_path, tmp_path / "file"):
        with pytest.raises(InputError, match=r"cannot be read \(Permission denied\); mend that"):
            require_readable(path)


def test_the_lock_is_the_system_s(tmp_path):
    """Any program that asks for it is told, not just this one."""
    with run_folder(tmp_path):
        descriptor = os.open(tmp_path / ".audiopg.lock", os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(descriptor)


# What both loops share


def test_the_learning_rate_is_that_of_torch_s_schedulers():
    optimiser = torch.optim.SGD([torch.zeros(1)], lr=3e-4)
    # Theirs begin at the first step's rate; ours at zero, one step before.
    rising = torch.optim.lr_scheduler.LinearLR(optimiser, start_factor=1 / 5, total_iters=4)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=15)
    both = torch.optim.lr_scheduler.SequentialLR(optimiser, [rising, falling], milestones=[5])
    for step in range(20):
        assert warmup_cosine(3e-4, step, 5, 20) == pytest.approx(both.get_last_lr()[0], rel=1e-12)
        optimiser.step()
        both.step()
    assert warmup_cosine(3e-4, 20, 5, 20) == 0
