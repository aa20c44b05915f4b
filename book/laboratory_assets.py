"""What the laboratory's page loads: the library's graphs, and the engine that runs them.

Every part is a script that hands over compressed bytes as text: a page that is opened from a folder
may load scripts, and nothing else. Parts that were made once are kept in .cache/laboratory, keyed by
what they are made from, so that a build in which nothing changed makes none of them again.

The embeddings of the clips near which a recording is placed follow from the weights and the synthesizer,
which stay, and take minutes. So they are stored; run this file to make them anew.
"""

import base64
import gzip
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from progress import tell

from audiopg.environment import atomic_path

ROOT = Path(__file__).parents[1]
# Files of onnxruntime-web: one engine for processors, and one for graphics processors too.
ENGINE = {
    "engine": "ort.wasm.bundle.min.mjs",
    "engine-wasm": "ort-wasm-simd-threaded.wasm",
    "engine-gpu": "ort.webgpu.bundle.min.mjs",
    "engine-gpu-wasm": "ort-wasm-simd-threaded.asyncify.wasm",
}
# What the graphs are made from.
_SOURCES = (
    "audiopg/analysis/clips.py",
    "audiopg/analysis/probes.py",
    "audiopg/book/export.py",
    "audiopg/frontend.py",
    "audiopg/mae.py",
    "audiopg/book/plots.py",
    "audiopg/random.py",
    "audiopg/synth/*.py",
    "audiopg/weights/tiny.safetensors",
    "audiopg/book/widgets.py",
    "book/laboratory/index.safetensors",
    "book/laboratory/package-lock.json",
    "book/laboratory_assets.py",
)
# What `audiopg.book.export.index_clips` takes, of `tiny`.
INDEX = ROOT / "book" / "laboratory" / "index.safetensors"
_MOST_BYTES = 40_000_000
_VERSIONS_KEPT = 2


class EngineMissingError(Exception):
    """onnxruntime-web could not be fetched; the message says why and what to do."""


def laboratory_key(root: Path) -> str:
    """A summary of what the laboratory's files depend on.

    Args:
        root: the repository.
    """
    digest = hashlib.sha256()
    for pattern in _SOURCES:
        for path in sorted(root.glob(pattern)):
            digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes() + b"\0")
    exporters = ("torch", "onnx", "onnxscript")
    digest.update(repr([version(package) for package in exporters]).encode())
    return digest.hexdigest()[:16]


def script(name: str, content: bytes) -> str:
    """A script that hands bytes over to the page, as gzip in base64."""
    # Without a date, or no two builds would be alike.
    text = base64.b64encode(gzip.compress(content, mtime=0)).decode("ascii")
    return f"audiopgLaboratory.take({json.dumps(name)},{json.dumps(text)});\n"


def fetch_engine(folder: Path, npm: str | None = None) -> dict[str, bytes]:
    """The files of onnxruntime-web, of the version that the lock names, from npm.

    Args:
        folder: of package.json and package-lock.json; node_modules is made beside copies of them.
        npm: the program; found on the path where it is not given.

    Raises:
        EngineMissingError: where there is no npm, or it fails.
    """
    npm = npm or shutil.which("npm")
    if npm is None:
        raise EngineMissingError(
            "npm is not installed on the machine that built this book, and the engine comes from "
            "there; install Node.js with npm, then run: make book"
        )
    work = ROOT / ".cache" / "laboratory" / "npm"
    work.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(folder / name, work / name)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(work)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=1800)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise EngineMissingError(
            f"npm could not fetch the engine ({said[-1] if said else 'no reason given'}); make "
            "sure that npm can reach its registry, then run: make book"
        ) from error
    package = work / "node_modules" / "onnxruntime-web"
    files = {name: (package / "dist" / file).read_bytes() for name, file in ENGINE.items()}
    shutil.rmtree(work)
    return files


def make_laboratory(folder: Path) -> None:
    """Export every graph and write what the page loads into a folder; what is there already stays.

    ``manifest.js`` is the last to be written, and lists the others with their sizes.

    Raises:
        EngineMissingError: as `fetch_engine`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not all((folder / f"{name}.js").exists() for name in ENGINE):
        tell("Laboratory: the engine, from npm")
        for name, content in fetch_engine(ROOT / "book" / "laboratory").items():
            _write(folder / f"{name}.js", script(name, content))

    from safetensors.torch import load_file

    from audiopg.book.export import export_graph, graphs, index_clips, manifest
    from audiopg.pretrained import load_model

    model = load_model("tiny")
    index = index_clips(**load_file(INDEX))
    names = list(ENGINE)
    for name, graph in graphs(model, index).items():
        names.append(name)
        if not (folder / f"{name}.js").exists():
            tell(f"Laboratory: the graph {name}")
            _write(folder / f"{name}.js", script(name, export_graph(graph())))
    sizes = {name: (folder / f"{name}.js").stat().st_size for name in names}
    if sum(sizes.values()) > _MOST_BYTES:
        raise RuntimeError(f"the laboratory takes {sum(sizes.values()):,} bytes: {sizes}")
    about = {**manifest(index), "key": folder.name, "sizes": sizes}
    text = json.dumps(about, ensure_ascii=True, allow_nan=False)
    _write(folder / "manifest.js", f"audiopgLaboratory.begin({text});\n")


def ensure_laboratory() -> Path:
    """Make what the laboratory's page loads, unless it was made of the same sources before.

    Returns:
        The folder where it is kept.

    Raises:
        EngineMissingError: as `fetch_engine`.
    """
    folder = ROOT / ".cache" / "laboratory" / laboratory_key(ROOT)
    if not (folder / "manifest.js").exists():
        tell("Making the laboratory, some minutes; it is kept for the next build")
        make_laboratory(folder)
    return folder


def stay_behind() -> None:
    """Leave this process what the others leave of the processors, and an interrupt to its parent."""
    os.nice(10)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def provide_laboratory(pages: Path, laboratory: Callable[[], Path] = ensure_laboratory) -> None:
    """Put what the laboratory's page loads beside the built pages.

    Where the engine is missing the page says why, and the book is built all the same.

    Args:
        pages: the folder of the built pages.
        laboratory: what `ensure_laboratory` returns or raises.
    """
    target = pages / "_static" / "laboratory"
    shutil.rmtree(target, ignore_errors=True)
    try:
        folder = laboratory()
    except EngineMissingError as error:
        print(f"The laboratory is left out: {error}", file=sys.stderr)
        target.mkdir(parents=True)
        about = json.dumps({"missing": str(error)})
        _write(target / "manifest.js", f"audiopgLaboratory.begin({about});\n")
        return
    folder.touch()
    shutil.copytree(folder, target)
    versions = [path for path in folder.parent.iterdir() if (path / "manifest.js").exists()]
    for old in sorted(versions, key=lambda path: path.stat().st_mtime)[:-_VERSIONS_KEPT]:
        shutil.rmtree(old)


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="ascii")


def store_index() -> None:
    """Embed the clips of the index and write `INDEX`."""
    from safetensors.torch import save_file

    from audiopg.book.export import standardised_embeddings
    from audiopg.pretrained import load_model

    with atomic_path(INDEX) as temporary:
        save_file(standardised_embeddings(load_model("tiny")), temporary)


if __name__ == "__main__":
    store_index()
