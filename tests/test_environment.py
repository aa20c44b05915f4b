import errno
import getpass
import json
import os
import platform
import pwd
import shutil
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from audiopg import MaskedAutoencoder, SynthPrior, environment
from audiopg.environment import (
    atomic_folder,
    atomic_path,
    autocast,
    best_precision,
    cache_folder,
    data_folder,
    require_writable,
    settle_precision,
    write_json,
    writing,
)
from audiopg.errors import InputError
from audiopg.layouts import write_timm
from audiopg.pretrained import save_model
from audiopg.synth import write_scene, write_table

CPU = torch.device("cpu")


@pytest.fixture
def processor(monkeypatch):
    """Pretends a CPU of which oneDNN says so much, and whose bfloat16 costs so much."""

    def pretend(may, cost):
        monkeypatch.setattr(environment, "_may_have_bfloat16", lambda: may)
        monkeypatch.setattr(environment, "_cost_of_bfloat16", lambda device: cost)

    return pretend


@pytest.mark.parametrize(
    ("may", "cost", "best"),
    [
        (False, 33.0, "float32"),
        (False, 0.4, "float32"),  # No is final: nothing is timed.
        (True, 0.4, "bfloat16"),
        (True, 2.8, "float32"),  # AVX-512 alone.
    ],
)
def test_a_processor_is_asked_and_then_timed(processor, may, cost, best):
    processor(may, cost)
    assert best_precision("cpu") == best
    assert settle_precision("auto", CPU) == best
    assert settle_precision("float32", CPU) == "float32"


@pytest.mark.parametrize(
    ("capability", "best"), [((7, 5), "float32"), ((8, 0), "bfloat16"), ((9, 0), "bfloat16")]
)
def test_a_gpu_has_units_for_bfloat16_from_ampere_on(monkeypatch, capability, best):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert best_precision("cuda") == best


def test_a_device_that_is_not_known_multiplies_in_float32():
    assert best_precision("mps") == "float32"


def test_torch_without_the_question_leaves_it_to_the_clock(monkeypatch):
    monkeypatch.setattr(torch.ops, "mkldnn", SimpleNamespace())
    assert environment._may_have_bfloat16()


@pytest.mark.skipif(
    platform.machine() != "x86_64" or not Path("/proc/cpuinfo").exists(), reason="asks Linux"
)
def test_a_processor_without_instructions_for_bfloat16_gets_float32():
    flags = Path("/proc/cpuinfo").read_text().split()
    if not {"avx512_bf16", "amx_bf16"} & set(flags):
        assert best_precision("cpu") == "float32"
    assert best_precision("cpu") in environment.PRECISIONS


def test_a_precision_that_is_asked_for_is_kept_and_what_it_costs_is_said(processor):
    processor(False, 33.4)
    with pytest.warns(UserWarning, match=r"'bfloat16', but .* 33 times as long .* choose 'auto'"):
        assert settle_precision("bfloat16", CPU) == "bfloat16"
    processor(True, 2.84)
    with pytest.warns(UserWarning, match=r"takes 2\.8 times as long"):
        assert settle_precision("bfloat16", CPU) == "bfloat16"
    processor(True, 0.4)
    assert settle_precision("bfloat16", CPU) == "bfloat16"


@pytest.mark.parametrize(
    ("capability", "machine", "may", "units"),
    [
        ("AVX2", "x86_64", False, "AVX2"),
        ("AVX512", "x86_64", True, "AVX-512, bfloat16 units"),
        ("AVX512", "x86_64", False, "AVX-512"),
        ("DEFAULT", "x86_64", False, "no AVX2"),
        ("DEFAULT", "arm64", False, "NEON"),
        ("SVE256", "aarch64", True, "SVE256, bfloat16 units"),
    ],
)
def test_the_device_names_the_units_that_decide_its_speed(
    processor, monkeypatch, capability, machine, may, units
):
    processor(may, 0.4)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    device = environment.provenance("cpu")["device"]
    assert device.startswith("CPU (")
    assert device.endswith(f", {units}), 1 thread")


def test_the_cost_is_a_ratio_of_times():
    assert 0 < environment._cost_of_bfloat16(CPU) < 10_000


def test_products_are_in_the_precision_that_is_named():
    one = torch.ones(2, 2)
    for name, kind in environment.PRECISIONS.items():
        with autocast(CPU, name):
            assert (one @ one).dtype == kind


# Files that are whole, or not there


def test_temporary_names_are_unlike_though_processes_have_one_number(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getpid", lambda: 1)
    path = tmp_path / "file"
    with atomic_path(path) as one, atomic_path(path) as other:
        one.write_text("one")
        other.write_text("other")
        assert one != other
        assert {one.parent, other.parent} == {tmp_path}
    # The one that is renamed last stays.
    assert path.read_text() == "one"
    assert list(tmp_path.iterdir()) == [path]
    with atomic_folder(tmp_path / "a") as one, atomic_folder(tmp_path / "b") as other:
        (one / "file").touch()
        assert one.name.partition(".a")[2] != other.name.partition(".b")[2]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a", "b", "file"]
    assert [each.name for each in (tmp_path / "a").iterdir()] == ["file"]


def test_a_folder_is_not_put_over_another(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there/file").touch()
    with pytest.raises(OSError, match="not empty"), atomic_folder(tmp_path / "there"):
        pass
    assert [each.name for each in tmp_path.rglob("*")] == ["there", "file"]


def test_others_may_read_what_the_umask_lets_them(tmp_path):
    before = os.umask(0o027)
    try:
        with atomic_path(tmp_path / "weights") as temporary:
            save_file({"a": torch.zeros(3)}, temporary)
        write_json(tmp_path / "json", {})
    finally:
        os.umask(before)
    for name in ("weights", "json"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o640, name


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "No space left on device); make room."),
        (errno.EDQUOT, "Disk quota exceeded); make room."),
        (errno.EFBIG, "File too large); allow larger files (ulimit -f)."),
        (errno.EACCES, "Permission denied); make it writable."),
        (errno.EROFS, "Read-only file system); make it writable."),
        (errno.EIO, "Input/output error); mend that."),
    ],
)
def test_only_a_full_disk_is_to_be_emptied(number, sentence):
    by_python = OSError(number, os.strerror(number), "some/path")
    # As safetensors 0.8 says it, and as versions before 0.6 did.
    by_safetensors = SafetensorError(f"I/O error: {os.strerror(number)} (os error {number})")
    before = SafetensorError(f"IoError(Os {{ code: {number}, kind: StorageFull, message: ... }})")
    for error in (by_python, by_safetensors, before):
        with pytest.raises(InputError) as caught, writing("it"):
            raise error
        assert str(caught.value) == f"it cannot be written ({sentence}"


def test_what_lies_in_the_way_is_named(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder/inside").mkdir(parents=True)
    for act, place in (
        (lambda: (tmp_path / "folder").write_text(""), "folder"),
        (lambda: (tmp_path / "file").mkdir(), "file"),
        (lambda: os.rename(tmp_path / "folder/inside", tmp_path / "file"), "file"),
    ):
        named = pytest.raises(InputError, match=f"; move {tmp_path / place} away, then resume")
        with named, writing("the run", then=", then resume"):
            act()
        with pytest.raises(InputError, match="; mend that"), writing(tmp_path / place):
            act()
    # What does not exist is not in the way.
    with pytest.raises(InputError, match="; mend that"), writing("it"):
        (tmp_path / "file/a/b").mkdir(parents=True)


@pytest.mark.parametrize("write", ["save_model", "write_timm", "write_scene", "write_table"])
@pytest.mark.parametrize("place", ["full.csv", "file/name.csv"])
def test_a_writer_says_in_one_sentence_what_cannot_be_written(tmp_path, largest_file, write, place):
    model = MaskedAutoencoder.preset("micro")
    params = SynthPrior.preset("full").sample(range(8), 0)
    call = {
        "save_model": partial(save_model, model),
        "write_timm": partial(write_timm, model.encoder),
        "write_scene": partial(write_scene, params),
        "write_table": partial(write_table, params),
    }[write]
    (tmp_path / "file").touch()
    with (
        largest_file(1000),
        pytest.raises(InputError, match=r"(full|name)\.csv cannot be written \(.*\); "),
    ):
        call(tmp_path / place)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_safetensors_says_of_a_write_that_failed_is_understood(tmp_path, largest_file):
    too_long = pytest.raises(InputError, match=r"^x cannot be written \(File too large\); allow")
    with too_long, writing("x"), largest_file(1000):
        save_file({"a": torch.zeros(1000)}, tmp_path / "x")
    # numpy tells no number.
    too_long = pytest.raises(InputError, match=r"\(1000 requested and \d+ written\); mend that")
    with too_long, writing("x"), largest_file(1000), open(tmp_path / "y", "wb") as file:
        np.save(file, np.zeros(1000))


def test_json_takes_paths_and_the_numbers_of_numpy_as_names(tmp_path):
    folds = {fold: Path("a") / f"{fold}" for fold in np.unique([2, 1, 2])}
    write_json(tmp_path / "a.json", folds)
    assert json.loads((tmp_path / "a.json").read_text()) == {"1": "a/1", "2": "a/2"}
    for content in ({1, 2}, [b"a"], {(1, 2): 3}):
        with pytest.raises(
            InputError, match=r"b\.json is not written: .*; give numbers, text, lists"
        ):
            write_json(tmp_path / "b.json", content)
    assert not (tmp_path / "b.json").exists()


def test_a_precision_that_there_is_not_is_refused():
    for word in ("abc", "float16", None):
        with pytest.raises(
            InputError, match=r"precision is .*; choose from auto, float32, bfloat16"
        ):
            settle_precision(word, CPU)


def test_json_has_null_for_what_is_no_finite_number(tmp_path):
    path = tmp_path / "file.json"
    content = {"a": [1.5, float("nan")], "b": ({"c": float("inf")}, np.float64("nan"), True, 3)}
    write_json(path, content)

    def refuse(name):
        raise AssertionError(name)

    found = json.loads(path.read_text(), parse_constant=refuse)
    assert found == {"a": [1.5, None], "b": [{"c": None}, None, True, 3]}


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("file", "Not a directory"),
        ("file/out", "Not a directory"),
        ("link", "No such file or directory"),
        ("link/out", "No such file or directory"),
    ],
)
def test_where_nothing_can_be_written_is_known_before_the_work(tmp_path, place, reason):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=rf"{place} cannot be written \({reason}\); mend that"):
        require_writable(tmp_path / place)


def test_a_folder_that_may_not_be_written_in_is_known_before_the_work(tmp_path, monkeypatch):
    def refuse(**_):
        raise PermissionError(errno.EACCES, "Permission denied")

    # Nobody is kept from writing who tests as root.
    monkeypatch.setattr(environment.tempfile, "TemporaryFile", refuse)
    with pytest.raises(InputError, match=r"cannot be written \(Permission denied\); make it wri"):
        require_writable(tmp_path)


def test_too_little_room_is_known_before_the_work(tmp_path, monkeypatch):
    disk = SimpleNamespace(total=10**9, free=3_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: disk)
    require_writable(tmp_path / "deep/er", 3_000_000)
    with pytest.raises(InputError) as caught:
        require_writable(tmp_path / "deep/er", 4_000_000)
    assert str(caught.value) == (
        f"{tmp_path}/deep/er has 3.0 MB of room and needs about 4.0 MB; make room, or name another "
        "folder."
    )
    assert list(tmp_path.iterdir()) == []
    # A file system that does not tell.
    disk.total = disk.free = 0
    require_writable(tmp_path, 4_000_000)


@pytest.mark.parametrize("error", [KeyError, OSError])
def test_a_user_whom_no_list_of_users_has_gets_a_name(monkeypatch, error):
    def unknown(number):
        raise error(f"getpwuid(): uid not found: {number}")

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    # Put back at the end of the test.
    monkeypatch.setenv("LOGNAME", "")
    environment.name_user()
    assert getpass.getuser() == "user-12345"
    monkeypatch.setenv("LOGNAME", "somebody")
    environment.name_user()
    assert getpass.getuser() == "somebody"


def test_a_home_that_cannot_be_found_is_one_sentence(monkeypatch):
    nobody = "~there-is-no-such-user/x"
    for name, ask in (("AUDIOPG_DATA", data_folder), ("AUDIOPG_CACHE", cache_folder)):
        monkeypatch.setenv(name, nobody)
        with pytest.raises(
            InputError, match=rf"^{nobody} begins with a home .* set {name} to a fo"
        ):
            ask()
    # Nor has a user one who is in no list of users, as in many containers.
    for name in ("AUDIOPG_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 3)
    with pytest.raises(InputError, match=r"^~/\.cache/audiopg begins with a home .* AUDIOPG_CACHE"):
        cache_folder()
