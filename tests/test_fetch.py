"""Files from a server of the test's own, that breaks off, begins anew or lies."""

import hashlib
import random

import pytest
import torch

from audiopg.errors import InputError
from audiopg.fetch import check, fetch
from audiopg.mae import MaskedAutoencoder
from audiopg.pretrained import load_encoder, load_model, save_model

CONTENT = random.Random(0).randbytes(3_000_000)


def sha256(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_a_file_is_fetched_once(server, tmp_path):
    server.files["a.bin"] = CONTENT
    for _ in range(2):
        path = fetch(server.url("a.bin"), sha256(CONTENT), tmp_path, progress=False)
        assert path == tmp_path / "a.bin"
        assert path.read_bytes() == CONTENT
    assert server.requests == [("a.bin", None)]
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_a_broken_connection_is_resumed_where_it_broke(server, tmp_path):
    server.files["a.bin"] = CONTENT
    server.break_after = [1_000_000, 500_001]
    path = fetch(
        server.url("a.bin"), f"md5:{hashlib.md5(CONTENT).hexdigest()}", tmp_path, progress=False
    )
    assert path.read_bytes() == CONTENT
    assert [wanted for _, wanted in server.requests] == [None, "bytes=1000000-", "bytes=1500001-"]


def test_a_call_that_gave_up_is_resumed_by_the_next(server, tmp_path):
    server.files["a.bin"] = CONTENT
    server.break_after = [1_000_000, 0]
    with pytest.raises(InputError, match="connection broke after 1000000 of 3000000 bytes") as no:
        fetch(server.url("a.bin"), sha256(CONTENT), tmp_path, progress=False)
    assert "go on from the 1000000 bytes that are there" in str(no.value)
    path = fetch(server.url("a.bin"), sha256(CONTENT), tmp_path, progress=False)
    assert path.read_bytes() == CONTENT
    assert server.requests[-1] == ("a.bin", "bytes=1000000-")


def test_a_part_that_is_whole_already_is_only_checked(server, tmp_path):
    server.files["a.bin"] = CONTENT
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    path = fetch(server.url("a.bin"), sha256(CONTENT), tmp_path, progress=False)
    assert path.read_bytes() == CONTENT


def test_a_server_without_ranges_begins_anew(server, tmp_path):
    server.files["a.bin"] = CONTENT
    server.knows_ranges = False
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:1000] + b"more than that")
    path = fetch(server.url("a.bin"), sha256(CONTENT), tmp_path, progress=False)
    assert path.read_bytes() == CONTENT


def test_a_server_need_not_say_how_long_a_file_is(server, tmp_path):
    server.files["a.bin"] = CONTENT
    server.says_length = False
    path = fetch(server.url("a.bin"), sha256(CONTENT), tmp_path, progress=False)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("start", [b"", CONTENT[:1000], b"x" * 1000, CONTENT + b"x"])
def test_a_wrong_checksum_is_refused_and_nothing_kept(server, tmp_path, start):
    server.files["a.bin"] = CONTENT[:-1] + b"x"
    (tmp_path / "a.bin.part").write_bytes(start)
    with pytest.raises(InputError, match="gave another file: the sha256 of ") as refusal:
        fetch(server.url("a.bin"), sha256(CONTENT), tmp_path, progress=False)
    assert "\n" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_is_not_there_is_named(server, tmp_path):
    with pytest.raises(InputError, match=r"/b\.bin cannot be downloaded \(HTTP Error 404"):
        fetch(server.url("b.bin"), sha256(b""), tmp_path, progress=False)
    server.http.server_close()
    with pytest.raises(InputError, match="cannot be downloaded"):
        fetch("http://127.0.0.1:1/b.bin", sha256(b""), tmp_path, progress=False)


def test_progress_is_shown_only_when_asked(server, tmp_path, capsys):
    server.files["a.bin"] = CONTENT
    fetch(server.url("a.bin"), sha256(CONTENT), tmp_path, progress=False)
    assert capsys.readouterr().err == ""
    (tmp_path / "a.bin").unlink()
    fetch(server.url("a.bin"), sha256(CONTENT), tmp_path)
    assert "3.00M" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "sha1:" + 40 * "0", "sha256:" + 63 * "0", "md5:" + 32 * "g"])
def test_a_checksum_that_is_none_is_refused(tmp_path, text):
    path = tmp_path / "a.bin"
    path.write_bytes(b"")
    with pytest.raises(InputError, match="is no checksum; give md5: or sha256: and 32 or 64"):
        check(path, text)


@pytest.fixture
def weights(tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOPG_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "model.safetensors"
    model = MaskedAutoencoder.preset("micro", seed=5)
    save_model(model, path)
    return path, model, hashlib.sha256(path.read_bytes()).hexdigest()


def test_weights_are_loaded_from_an_address(server, weights):
    path, model, digest = weights
    server.files["big.safetensors"] = path.read_bytes()
    address = f"{server.url('big.safetensors')}#sha256={digest}"
    for _ in range(2):
        loaded = load_encoder(address).state_dict()
        for name, value in model.encoder.state_dict().items():
            assert torch.equal(loaded[name], value), name
    assert len(server.requests) == 1
    # Another file of that name is another file.
    server.files["big.safetensors"] += b" "
    with pytest.raises(InputError, match="gave another file: the sha256 of "):
        load_model(f"{server.url('big.safetensors')}#sha256={64 * '0'}")
    assert load_encoder(address).architecture == model.architecture


def test_an_address_needs_the_hash_of_what_it_leads_to(server, weights):
    with pytest.raises(InputError, match=r"append #sha256= and the digest .* states"):
        load_model(server.url("big.safetensors"))
    assert server.requests == []
    with pytest.raises(InputError, match="is no checksum"):
        load_model(server.url("big.safetensors") + "#sha256=abc")


def test_a_file_is_checked_by_its_hash(weights):
    path, model, digest = weights
    assert load_model(f"{path}#sha256={digest}").architecture == model.architecture
    wrong = "0" + digest[1:] if digest[0] != "0" else "1" + digest[1:]
    with pytest.raises(InputError, match=r"the sha256 of model\.safetensors is .*, not") as refusal:
        load_model(f"{path}#sha256={wrong}")
    assert "\n" not in str(refusal.value)
    path.unlink()
    with pytest.raises(InputError, match="is not a file"):
        load_model(f"{path}#sha256={digest}")
