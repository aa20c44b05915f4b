"""Benchmarks from a server of the test's own; how it fetches is in tests/test_fetch.py."""

import hashlib
import io
import random
import re
import shutil
import subprocess
import tarfile
import zipfile

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopg.datasets import benchmarks, find_dataset
from audiopg.datasets.benchmarks import BENCHMARKS, Archive, Benchmark
from audiopg.datasets.download import download, unpack
from audiopg.datasets.esc50 import esc50
from audiopg.errors import InputError

CONTENT = random.Random(0).randbytes(5_000)


def sha256(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


# Archives


def tar_of(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            if content is None:
                member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            else:
                member.size = len(content)
            archive.addfile(member, io.BytesIO(content or b""))
    return buffer.getvalue()


def zip_of(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


PACKERS = {"a.tar.gz": tar_of, "a.zip": zip_of}


def written(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("name", PACKERS)
def test_the_content_of_one_folder_is_unpacked(tmp_path, name):
    files = {"top/a.txt": b"a", "top/b/c.bin": CONTENT[:5000], "other/d.txt": b"d", "e.txt": b"e"}
    (tmp_path / name).write_bytes(PACKERS[name](files))
    unpack([tmp_path / name], tmp_path / "top", "top", progress=False)
    assert written(tmp_path / "top") == {"a.txt": b"a", "b/c.bin": CONTENT[:5000]}
    unpack([tmp_path / name], tmp_path / "all", ".", progress=False)
    assert written(tmp_path / "all") == files


def test_a_tar_archive_without_a_top_folder_is_unpacked(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(tar_of({"./yes/a.wav": b"a", "./list.txt": b"b"}))
    unpack([tmp_path / "a.tar.gz"], tmp_path / "all", ".", progress=False)
    assert written(tmp_path / "all") == {"yes/a.wav": b"a", "list.txt": b"b"}


@pytest.mark.parametrize("name", PACKERS)
@pytest.mark.parametrize("path", ["../x", "top/../../x", "/x", "top/..", "C:x", "top\\..\\x"])
def test_a_path_out_of_the_folder_is_refused(tmp_path, name, path):
    (tmp_path / name).write_bytes(PACKERS[name]({path: b"bad"}))
    with pytest.raises(InputError, match="it is not the official archive"):
        unpack([tmp_path / name], tmp_path / "into/deep", "top", progress=False)
    assert written(tmp_path).keys() == {name}


def test_a_link_is_refused(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(tar_of({"top/link": None}))
    with pytest.raises(InputError, match="holds 'top/link', a link"):
        unpack([tmp_path / "a.tar.gz"], tmp_path / "into", "top", progress=False)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    return tmp_path_factory.mktemp("archives")


def unpacked_or_refused(volumes, folder):
    try:
        unpack(volumes, folder, ".", progress=False)
    except InputError as error:
        return "\n" not in str(error)
    return True


@settings(max_examples=150)
@given(
    name=st.sampled_from(sorted(PACKERS)),
    place=st.integers(0, 700),
    removed=st.integers(0, 30),
    inserted=st.binary(max_size=6),
)
def test_damage_to_an_archive_is_refused_or_harmless(workplace, name, place, removed, inserted):
    content = PACKERS[name]({"top/a.txt": b"a" * 300, "top/b.bin": CONTENT[:200]})
    (workplace / name).write_bytes(content[:place] + inserted + content[place + removed :])
    shutil.rmtree(workplace / "into", ignore_errors=True)
    assert unpacked_or_refused([workplace / name], workplace / "into")
    assert {path.name for path in workplace.iterdir()} <= {*PACKERS, "into", "split"}


def split_zip(folder):
    """What the zip program makes of files that need four volumes of 64 KiB."""
    if shutil.which("zip") is None:
        pytest.skip("the program zip, which makes split archives, is not installed")
    rng = random.Random(1)
    files = {f"FSD50K.dev_audio/{n}.wav": rng.randbytes(rng.randrange(30_000)) for n in range(16)}
    files["FSD50K.dev_audio/empty.wav"] = b""
    files["FSD50K.dev_audio/long.wav"] = b"abc" * 50_000
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    subprocess.run(
        ["zip", "-q", "-r", "-s", "64k", "FSD50K.zip", "FSD50K.dev_audio"], cwd=folder, check=True
    )
    volumes = [*sorted(folder.glob("FSD50K.z[0-9]*")), folder / "FSD50K.zip"]
    assert len(volumes) >= 3
    return volumes, files


def test_a_split_zip_archive_is_unpacked(tmp_path):
    (tmp_path / "split").mkdir()
    volumes, files = split_zip(tmp_path / "split")
    unpack(volumes, tmp_path / "all", ".", progress=False)
    assert written(tmp_path / "all") == files


@pytest.fixture(scope="module")
def split(workplace):
    (workplace / "split").mkdir()
    return split_zip(workplace / "split")[0]


@settings(max_examples=50)
@given(
    volume=st.integers(0, 2),
    place=st.integers(-2500, -1),
    removed=st.integers(0, 30),
    inserted=st.binary(max_size=6),
)
def test_damage_to_a_split_archive_is_refused_or_harmless(
    workplace, split, volume, place, removed, inserted
):
    volumes = list(split)
    content = volumes[-1 - volume].read_bytes()
    place += len(content)
    volumes[-1 - volume] = workplace / "a.zip"
    (workplace / "a.zip").write_bytes(content[:place] + inserted + content[place + removed :])
    shutil.rmtree(workplace / "into", ignore_errors=True)
    assert unpacked_or_refused(volumes, workplace / "into")


# Whole benchmarks


def esc50_archive(root):
    rows = ["filename,fold,target,category,esc10,src_file"]
    files = {f"{root}/README.md": b"ESC-50"}
    for fold in range(1, 6):
        buffer = io.BytesIO()
        soundfile.write(buffer, np.zeros(100), 16000, format="WAV")
        files[f"{root}/audio/{fold}.wav"] = buffer.getvalue()
        rows.append(f"{fold}.wav,{fold},{fold % 2},{'dog' if fold % 2 else 'rain'},True,{fold}")
    files[f"{root}/meta/esc50.csv"] = "\n".join(rows).encode()
    return zip_of(files)


@pytest.fixture
def small_esc50(server, monkeypatch):
    """ESC-50 in miniature, on the test's own server."""
    server.files["abc.zip"] = esc50_archive("ESC-50-abc")
    archive = Archive([(server.url("abc.zip"), sha256(server.files["abc.zip"]))], "ESC-50-abc")
    benchmark = Benchmark(esc50, ["ESC-50"], "terms", [archive], ("meta",))
    monkeypatch.setitem(benchmarks.BENCHMARKS, "esc50", benchmark)
    return server


def test_a_benchmark_is_downloaded_whole_and_once(small_esc50, tmp_path):
    data = tmp_path / "data"
    for _ in range(2):
        assert download("esc50", data, progress=False) == data / "ESC-50"
    assert len(find_dataset("esc50", data)) == 5
    assert [path.name for path in data.iterdir()] == ["ESC-50"]
    assert len(small_esc50.requests) == 1


def test_a_benchmark_that_broke_off_is_not_there_until_it_is_whole(small_esc50, tmp_path):
    small_esc50.break_after = [300, 0]
    with pytest.raises(InputError, match="go on from the 300 bytes"):
        download("esc50", tmp_path, progress=False)
    assert find_dataset("esc50", tmp_path) is None
    # As if it had been killed while unpacking, too.
    (tmp_path / ".ESC-50.part/unpacked").mkdir()
    (tmp_path / ".ESC-50.part/unpacked/rest").write_text("")
    download("esc50", tmp_path, progress=False)
    assert small_esc50.requests[-1] == ("abc.zip", "bytes=300-")
    assert {path.name for path in (tmp_path / "ESC-50").iterdir()} == {"README.md", "audio", "meta"}
    assert [path.name for path in tmp_path.iterdir()] == ["ESC-50"]


def test_several_archives_make_one_benchmark(server, tmp_path, monkeypatch):
    (tmp_path / "split").mkdir()
    volumes, files = split_zip(tmp_path / "split")
    server.files = {path.name: path.read_bytes() for path in volumes}
    server.files["truth.zip"] = zip_of({"FSD50K.ground_truth/dev.csv": b"fname"})
    archives = [
        Archive([(server.url(name), sha256(server.files[name]))])
        if name == "truth.zip"
        else Archive([(server.url(path.name), sha256(server.files[path.name])) for path in volumes])
        for name in ("truth.zip", "split")
    ]
    benchmark = Benchmark(lambda folder: None, ["FSD50K"], "terms", archives, ("meta",))
    monkeypatch.setitem(benchmarks.BENCHMARKS, "fsd50k", benchmark)
    folder = download("fsd50k", tmp_path / "data", progress=False)
    assert written(folder) == files | {"FSD50K.ground_truth/dev.csv": b"fname"}


def test_an_unknown_name_is_refused(tmp_path):
    with pytest.raises(InputError, match="no data set is called 'esc51'; choose from esc10, esc50"):
        download("esc51", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_every_benchmark_names_its_official_source_checksum_and_licence():
    hosts = {"https://github.com", "https://zenodo.org", "https://storage.googleapis.com"}
    for name, benchmark in BENCHMARKS.items():
        assert benchmark.archives, name
        for archive in benchmark.archives:
            for url, checksum in archive.volumes:
                assert any(url.startswith(f"{host}/") for host in hosts)
                assert re.fullmatch(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", checksum)
        assert "CC BY" in benchmark.terms
        assert ("commercial use is not allowed" in benchmark.terms) == ("NC" in benchmark.terms)
