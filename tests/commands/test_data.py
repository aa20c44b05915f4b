"""The commands that bring recordings and say what is there."""

import hashlib
import io
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiopg.__main__ import main
from audiopg.datasets import benchmarks, describe
from audiopg.datasets.benchmarks import BENCHMARKS, Archive, Benchmark
from audiopg.datasets.esc50 import esc50


def write_esc50(folder):
    """Ten clips of half a second, two classes, five folds; the fourth is stored at 22.05 kHz."""
    (folder / "audio").mkdir(parents=True)
    (folder / "meta").mkdir()
    rows = ["filename,fold,target,category,esc10,src_file"]
    for n in range(10):
        rate = 22050 if n == 3 else 16000
        soundfile.write(folder / f"audio/{n}.flac", np.zeros(rate // 2), rate)
        rows.append(f"{n}.flac,{n // 2 + 1},{n % 2},{'rain' if n % 2 else 'dog'},{n < 10},{n}")
    (folder / "meta/esc50.csv").write_text("\n".join(rows))


def write_fsd50k(folder):
    truth = folder / "FSD50K.ground_truth"
    truth.mkdir(parents=True)
    for part in ("dev", "eval"):
        (folder / f"FSD50K.{part}_audio").mkdir()
    for name in ("dev_audio/1", "dev_audio/2", "eval_audio/3"):
        soundfile.write(folder / f"FSD50K.{name}.wav", np.zeros(44100), 44100)
    (truth / "dev.csv").write_text('fname,labels,split\n1,"Bark,Dog",train\n2,Dog,val\n')
    (truth / "eval.csv").write_text("fname,labels\n3,Bark\n")
    (truth / "vocabulary.csv").write_text("0,Bark,/m/1\n1,Dog,/m/2\n")


def test_data_lists_what_is_there_and_how_to_get_the_rest(tmp_path, capsys, monkeypatch):
    write_esc50(tmp_path / "ESC-50")
    write_fsd50k(tmp_path / "FSD50K")
    (tmp_path / "ESC-50/audio/6.flac").unlink()
    # No file is opened for that.
    monkeypatch.setattr(benchmarks, "read_header", None)
    monkeypatch.setattr(benchmarks, "find_damage", None)
    assert main(["data", "--data", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines.pop().startswith("audiopg data NAME decodes every file of one")
    assert [line.split()[0] for line in lines] == list(BENCHMARKS)
    assert "9 clips, 2 classes, 5 folds, CC BY 3.0; missing files: 1" in lines[0]
    assert f"not there; audiopg download urbansound8k --out {tmp_path} brings it" in lines[2]
    assert "FSD50K: 3 clips, 2 classes, 3 folds, CC BY 4.0" in lines[4]


def test_data_tells_all_about_one_and_names_every_bad_file(tmp_path, capsys):
    write_esc50(tmp_path / "ESC-50")
    audio = tmp_path / "ESC-50/audio"
    soundfile.write(audio / "4.flac", np.random.default_rng(0).uniform(-1, 1, 16000), 16000)
    (audio / "4.flac").write_bytes((audio / "4.flac").read_bytes()[:-4000])
    (audio / "6.flac").unlink()
    (audio / "8.flac").write_bytes(b"")
    assert main(["data", "esc50", "--data", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "16000 Hz (6), 22050 Hz (1)" in out
    assert (
        "folds: fold 1 (2), fold 2 (2), fold 3 (2), fold 4 (1), fold 5 (2); tested on: each" in out
    )
    assert "classes: dog (4), rain (5)" in out
    assert "lengths: 0.50 to 0.50 s, the median 0.50 s" in out
    # Silence at one rate is silence; that at another is another file.
    silent = " = ".join(str(audio / f"{n}.flac") for n in (0, 1, 2, 5, 7, 9))
    assert f"files with the same content: {silent}\n" in out
    assert "ESC-50 is under CC BY-NC 3.0: name the authors; commercial use is not allowed" in out
    assert "3 files cannot be used:" in out
    assert f"  {audio / '4.flac'} is cut short" in out
    assert f"  {audio / '6.flac'} is missing" in out
    assert f"  {audio / '8.flac'} " in out


def test_data_describes_an_official_split_with_several_labels(tmp_path, capsys):
    write_fsd50k(tmp_path / "FSD50K")
    assert main(["data", "fsd50k", "--data", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "folds: training (1), validation (1), testing (1); tested on: testing" in out
    assert "classes, one or more a clip: Bark (2), Dog (2)" in out
    assert "no files cannot be used" not in out
    assert "every file can be used" in out


# That there are copies is asserted on what is printed.
@pytest.mark.filterwarnings("default:these files have the same content:UserWarning")
def test_data_tells_all_about_recordings_of_one_s_own(tmp_path, capsys):
    generator = np.random.default_rng(0)
    rows = ["file,species,start,end,site"]
    for n in range(6):
        wave = generator.uniform(-1, 1, 48000 if n == 5 else 32000)
        soundfile.write(tmp_path / f"{n}.wav", wave, 24000 if n == 5 else 16000)
        rows += [f"{n}.wav,{'ab'[n % 2]},0,0.5,{n}", f"{n}.wav,{'ba'[n % 2]},1,,{n}"]
    (tmp_path / "6.wav").write_bytes((tmp_path / "0.wav").read_bytes())
    rows += ["6.wav,a,0,,6", "gone.wav,a,0,,7", "5.wav,b,1,9,5", "4.wav,once,0.5,1,4"]
    (tmp_path / "birds.csv").write_text("\n".join(rows))
    arguments = ["data", str(tmp_path / "birds.csv"), "--columns", "group=site", "--n-folds=3"]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert "birds.csv (3 folds by seed 0): 13 clips, 0.00 hours, 16000 Hz (6), 24000 Hz (1)" in (
        printed.out
    )
    # 0.5 s six times, 1 s six times, 2 s once.
    assert "lengths: 0.50 to 2.00 s, the median 1.00 s" in printed.out
    assert "tested on: each in turn" in printed.out
    assert "classes: a (7), b (6)" in printed.out
    assert "sources: 6; clips that share one with another fold: 0" in printed.out
    assert "--columns group=" not in printed.out
    copies = f"{tmp_path / '0.wav'} = {tmp_path / '6.wav'}"
    assert f"files with the same content: {copies}\n" in printed.out
    assert f"{copies}; keep one of each." in printed.err
    assert "3 files cannot be used:" in printed.out
    assert f"  {tmp_path / 'gone.wav'} is missing" in printed.out
    assert f"  {tmp_path / 'birds.csv'}, line 16 is from 1 s to 9 s, and 5.wav lasts 2 s" in (
        printed.out
    )
    assert (
        f"  {tmp_path / 'birds.csv'}, line 17 is the only clip of the class 'once'" in printed.out
    )


def test_data_asks_for_groups_where_each_row_is_a_source(tmp_path, capsys):
    generator, rows = np.random.default_rng(0), ["file,label,site"]
    for n in range(6):
        soundfile.write(tmp_path / f"{n}.wav", generator.uniform(-1, 1, 8000), 16000)
        rows.append(f"{n}.wav,{'ab'[n % 2]},{n // 2}")
    (tmp_path / "birds.csv").write_text("\n".join(rows))
    arguments = ["data", str(tmp_path / "birds.csv")]
    assert main([*arguments, "--n-folds=3"]) == 0
    assert "name it with --columns group=..." in capsys.readouterr().out
    assert main([*arguments, "--columns=group=site,start=", "--n-folds=3"]) == 0
    printed = capsys.readouterr().out
    assert "sources: 3;" in printed
    assert "--columns group=" not in printed
    assert main([*arguments, "--columns=group=site"]) == 2
    assert "ask for fewer folds with n_folds (--n-folds)" in capsys.readouterr().err


def one_sentence(capsys):
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    return printed


def test_data_and_download_need_a_folder(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("AUDIOPG_DATA", raising=False)
    assert main(["data"]) == 2
    assert "give --data, or set AUDIOPG_DATA" in one_sentence(capsys)
    assert main(["download", "esc50"]) == 2
    assert "give --out, or set AUDIOPG_DATA" in one_sentence(capsys)
    assert main(["data", "esc10", "--data", str(tmp_path)]) == 2
    assert "does not hold esc10 (ESC-10 or ESC-50); audiopg download esc10" in one_sentence(capsys)
    assert main(["data", "esc10", "--data", str(tmp_path / "gone")]) == 2
    assert "gone is not a folder" in one_sentence(capsys)


def test_an_unknown_name_exits_with_2(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["download", "esc51"])
    assert stop.value.code == 2
    assert "esc10" in capsys.readouterr().err
    assert main(["data", "esc51"]) == 2
    assert "no data set is called 'esc51', and no file or folder; choose from esc10" in (
        one_sentence(capsys)
    )


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def served(tmp_path, monkeypatch):
    """ESC-50 in miniature, on a server of this test; what it serves can be changed."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    write_esc50(tmp_path / "source")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in (tmp_path / "source").rglob("*.*"):
            archive.write(path, Path("top") / path.relative_to(tmp_path / "source"))
    (tmp_path / "www").mkdir()
    (tmp_path / "www/esc50.zip").write_bytes(buffer.getvalue())
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path / "www"))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/esc50.zip"
    checksum = f"sha256:{hashlib.sha256(buffer.getvalue()).hexdigest()}"
    archive = Archive([(url, checksum)], "top")
    monkeypatch.setitem(
        benchmarks.BENCHMARKS,
        "esc50",
        Benchmark(esc50, ["ESC-50"], "the terms", [archive], ("meta",)),
    )
    yield tmp_path / "www/esc50.zip"
    server.shutdown()
    thread.join()
    server.server_close()


def test_download_says_the_licence_and_data_finds_what_came(served, tmp_path, capsys):
    for _ in range(2):
        assert main(["download", "esc50", "--out", str(tmp_path / "data")]) == 0
        out = capsys.readouterr().out
        assert out.splitlines()[0] == "the terms"
        assert str(tmp_path / "data/ESC-50") in out
    assert main(["data", "esc50", "--data", str(tmp_path / "data")]) == 0
    assert "10 clips" in capsys.readouterr().out


def test_download_refuses_what_is_not_the_official_file(served, tmp_path, capsys):
    served.write_bytes(served.read_bytes()[:-1] + b"x")
    assert main(["download", "esc50", "--out", str(tmp_path / "data")]) == 2
    assert "gave another file: the sha256 of " in capsys.readouterr().err
    assert not (tmp_path / "data/ESC-50").exists()
    served.unlink()
    assert main(["download", "esc50", "--out", str(tmp_path / "data")]) == 2
    assert "HTTP Error 404" in one_sentence(capsys)


def test_the_real_recordings_are_described(real_recordings, recordings_folder):
    clips = real_recordings("urbansound8k")
    found = describe("urbansound8k", recordings_folder, progress=False)
    assert sum(found.sample_rates.values()) == len(found.clips) == len(clips)
    # No slice is longer than four seconds, but for a rounding when it was cut.
    assert 0 < found.seconds <= 4.1 * len(found.clips)
    assert found.bad == {}


def test_torchrun_is_for_pretrain_alone(monkeypatch, capsys):
    """Each of its processes would do all of the work, and one find the folder held by another."""
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "any")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(["data"]) == 2
    assert "only pretrain shares its work; run data without torchrun" in capsys.readouterr().err
    monkeypatch.setenv("WORLD_SIZE", "1")
    main(["data"])
    assert "torchrun" not in capsys.readouterr().err
