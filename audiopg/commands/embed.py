"""`audiopg embed`: audio files as a table of vectors."""

import argparse
from pathlib import Path

from audiopg.commands.common import add_embedding, add_model, add_out, add_skip_bad
from audiopg.environment import best_device, require_writable
from audiopg.pretrained import load_encoder
from audiopg.transfer import check_table, embed_files, list_audio, write_embeddings

EXAMPLES = """\
examples:
  audiopg embed tiny recordings/ more.wav --native --out embeddings.npz
  audiopg embed runs/first recordings/ --native --pooling frequency --out bands.parquet

what is in the .npz: files (n,), the paths as they were named or found, and embeddings (n, dimensions),
float32, in the same order; numpy.load reads both. A .parquet holds a column file and a column a dimension."""


def add(command: argparse.ArgumentParser) -> None:
    add_model(command)
    command.add_argument("audio", type=Path, nargs="+", help="audio files, or folders of them")
    add_embedding(command)
    add_skip_bad(command)
    add_out(command, "the .npz or .parquet file to write")


def run(options: argparse.Namespace) -> None:
    check_table(options.out)
    files = list_audio(options.audio)
    encoder = load_encoder(options.model).to(best_device())
    # Numbers of 4 bytes, and names.
    size = len(files) * (4 * encoder.embedding_size(options.pooling) + 300)
    require_writable(options.out.parent, size)
    files, embeddings = embed_files(
        files,
        encoder,
        pooling=options.pooling,
        native=options.native,
        skip_bad=options.skip_bad,
    )
    write_embeddings(options.out, files, embeddings)
    print(f"{len(files)} files, {embeddings.shape[1]} dimensions each, in {options.out}")
