"""What the laboratory's page loads: scripts of compressed parts, kept while nothing changes."""

import base64
import gzip
import importlib.util
import json
import re
import shutil
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from audiopg import load_encoder, render
from audiopg.book.export import indexed_clips

ROOT = Path(__file__).parents[2]

# The tools of the book find one another beside themselves.
sys.path.append(str(ROOT / "book"))
specification = importlib.util.spec_from_file_location(
    "laboratory_assets", ROOT / "book" / "laboratory_assets.py"
)
assets = importlib.util.module_from_spec(specification)
specification.loader.exec_module(assets)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A repository of one source, whose laboratory is made in no time."""
    (tmp_path / "audiopg" / "synth").mkdir(parents=True)
    (tmp_path / "audiopg" / "synth" / "prior.py").write_text("range = 1\n")
    (tmp_path / "pages").mkdir()
    monkeypatch.setattr(assets, "ROOT", tmp_path)
    return tmp_path


def made(page: Path) -> dict:
    """What ``manifest.js`` hands over."""
    text = page.read_text()
    return json.loads(re.fullmatch(r"audiopgLaboratory\.begin\((.*)\);\n", text)[1])


def test_a_script_holds_its_bytes_and_is_always_the_same():
    content = bytes(range(256)) * 9
    text = assets.script("a-part", content)
    given = re.fullmatch(r"audiopgLaboratory\.take\((.*)\);\n", text)[1]
    name, packed = json.loads(f"[{given}]")
    assert name == "a-part"
    assert gzip.decompress(base64.b64decode(packed)) == content
    assert assets.script("a-part", content) == text


def test_key_follows_the_sources_alone(root):
    before = assets.laboratory_key(root)
    (root / "audiopg" / "errors.py").write_text("")
    assert assets.laboratory_key(root) == before
    (root / "audiopg" / "synth" / "prior.py").write_text("range = 2\n")
    assert assets.laboratory_key(root) != before


def test_the_stored_embeddings_are_those_of_the_network():
    stored, params, encoder = load_file(assets.INDEX), indexed_clips(), load_encoder("tiny")
    assert len(stored["clips"]) == len(params)
    rows = torch.tensor([0, 500, len(params) - 1])
    expected = (encoder.embed(render(params[rows])) - stored["mean"]) / stored["deviation"]
    # Half of the last place of half precision, and what machines differ by.
    torch.testing.assert_close(stored["clips"][rows].float(), expected, rtol=2**-11, atol=5e-3)
    torch.testing.assert_close(
        stored["clips"].double().std(0), torch.ones(192).double(), rtol=0, atol=1e-3
    )


def test_every_source_is_there():
    for pattern in assets._SOURCES:
        assert list(ROOT.glob(pattern)), pattern


def test_what_was_made_is_not_made_again(root, monkeypatch):
    times = []

    def make(folder):
        times.append(folder)
        folder.mkdir(parents=True)
        (folder / "manifest.js").write_text("made")

    monkeypatch.setattr(assets, "make_laboratory", make)
    for _ in range(2):
        assets.provide_laboratory(root / "pages")
    assert len(times) == 1
    page = root / "pages" / "_static" / "laboratory" / "manifest.js"
    assert page.read_text() == "made"
    for number in range(2, 5):
        (root / "audiopg" / "synth" / "prior.py").write_text(f"range = {number}\n")
        assets.provide_laboratory(root / "pages")
    assert len(times) == 4
    kept = {path.name for path in (root / ".cache" / "laboratory").iterdir()}
    assert len(kept) == 2
    assert assets.laboratory_key(root) in kept


def test_without_npm_the_page_is_told_why(root, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assets.provide_laboratory(root / "pages")
    about = made(root / "pages" / "_static" / "laboratory" / "manifest.js")
    assert about["missing"].startswith("npm is not installed on the machine that built this book")
    assert "The laboratory is left out: npm is not installed" in capsys.readouterr().err


def test_where_npm_fails_its_reason_is_told(root, tmp_path):
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error no network here' >&2\nexit 1\n")
    npm.chmod(0o755)
    with pytest.raises(assets.EngineMissingError, match=r"\(npm error no network here\)"):
        assets.fetch_engine(ROOT / "book" / "laboratory", npm=str(npm))


def test_lock_names_no_host_and_the_engine_exactly():
    folder = ROOT / "book" / "laboratory"
    text = (folder / "package-lock.json").read_text()
    assert "http" not in text
    assert "resolved" not in text
    wanted = json.loads((folder / "package.json").read_text())["dependencies"]
    locked = json.loads(text)["packages"]
    assert locked["node_modules/onnxruntime-web"]["version"] == wanted["onnxruntime-web"]
