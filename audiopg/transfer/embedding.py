"""Embeddings for other people's tools: files and folders, tables, and a scikit-learn transformer.

How waves become vectors is in `audiopg.embedding`; benchmarks of others, in
`audiopg.transfer.adapters`.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor
from tqdm.auto import tqdm

from audiopg._types import AnyPath, Array
from audiopg.datasets import audio_files, load_audio
from audiopg.datasets.audio import in_threads, load_clip, printable, read_header
from audiopg.environment import atomic_path, best_device, require_writable, writing
from audiopg.errors import InputError
from audiopg.frontend import WINDOW
from audiopg.inputs import as_embeddings, as_waves, require_clips, shown, whole_number
from audiopg.mae import Encoder
from audiopg.pretrained import as_encoder, require_encoder
from audiopg.synth.parameters import CLIP_SAMPLES, CLIP_SECONDS, SAMPLE_RATE
from audiopg.transfer.waves import as_clips, batches_by_length

_TABLES = (".npz", ".parquet")


def list_audio(paths: Sequence[AnyPath]) -> list[Path]:
    """The files that are named, and those in the folders that are named, at any depth.

    Raises:
        InputError: for a folder without audio files, or what is no path.
    """
    files: list[Path] = []
    if isinstance(paths, AnyPath) or not isinstance(paths, Iterable):
        paths = [paths]
    paths = list(paths)
    _require_paths(paths)
    for path in map(Path, paths):
        files += audio_files(path) if path.is_dir() else [path]
    return files


def embed_files(
    paths: Sequence[AnyPath],
    encoder: Encoder,
    *,
    pooling: str = "mean",
    native: bool = False,
    batch_size: int = 32,
    progress: bool = True,
    skip_bad: bool = False,
) -> tuple[list[Path], Tensor]:
    """Embed audio files, in any format that libsndfile or FFmpeg reads, read in batches.

    Only the middle of a recording longer than a clip is read. Where ``native`` is True all of it is
    read, and recordings share a batch as long as they take no more memory than its clips would.

    Args:
        paths: audio files, or folders of them, taken with the folders inside.
        encoder: what embeds them, on its device.
        pooling, native, batch_size: as in `Encoder.embed`.
        progress: show a progress bar.
        skip_bad: leave out files that cannot be used, with a warning, instead of raising.

    Returns:
        The files, and (files, D) float32 on the CPU; (files, 8 D) for pooling "frequency".

    Raises:
        InputError: for what is no encoder; for a folder without audio, or one in which no file can
            be used; at the start, naming every file that is missing or cannot be used; later, naming
            a file whose content is damaged, or whose embedding is not finite.
    """
    require_encoder(encoder)
    batch_size, files = whole_number(batch_size, "batch_size"), list_audio(paths)
    bad: dict[Path, str] | None = {} if skip_bad else None
    embeddings = _embed(files, encoder, pooling, native, batch_size, progress, bad)
    if not bad:
        return files, embeddings
    first = next(iter(bad.values()))
    kept = [row for row, file in enumerate(files) if file not in bad]
    if not kept:
        raise InputError(f"no file can be used (the first: {first}); name others.")
    warnings.warn(
        f"{len(files) - len(kept)} of {len(files)} files cannot be used, and are left out (the first: "
        f"{first}).",
        stacklevel=2,
    )
    return [files[row] for row in kept], embeddings[kept]


def _embed(
    files: Sequence[AnyPath],
    encoder: Encoder,
    pooling: str,
    native: bool,
    batch_size: int,
    progress: bool,
    bad: dict[Path, str] | None = None,
) -> Tensor:
    """A row of `embed_files` for each file; one that cannot be used goes into ``bad``, with a reason."""
    headers = list(in_threads(read_header, files, "Reading headers", False))
    seconds = np.array([0 if isinstance(h, str) else h[0] / h[1] for h in headers])
    refused = _refused(files, headers, seconds, native)
    if bad is not None:
        bad |= refused
    elif refused:
        raise InputError(
            f"{len(refused)} of {len(files)} files cannot be used ({'; '.join(refused.values())}); "
            "correct the paths, repair the files, or leave them out."
        )

    def read(row: int) -> Tensor | None:
        try:
            if files[row] in refused:
                return None
            if native:
                wave = load_audio(files[row])
            else:
                wave = load_clip(files[row], CLIP_SAMPLES, header=headers[row])
            as_waves(wave)
            return wave
        except InputError as error:
            name, why = printable(files[row]), str(error)
            why = why if name in why else f"{name}: {why}"
            if bad is None:
                raise InputError(why) from error
            bad[files[row]] = why.rstrip(".")
            return None

    embeddings = torch.zeros(len(files), encoder.embedding_size(pooling), dtype=torch.float32)
    # Native clips take no more memory together than a batch of whole ones.
    lengths = seconds if native else np.zeros(len(files))
    batches = batches_by_length(lengths, batch_size, batch_size * CLIP_SECONDS)
    for rows in tqdm(batches, desc="embedding", unit="batch", disable=not progress):
        waves = dict(zip(rows, in_threads(read, rows, "", False), strict=True))
        waves = {row: wave for row, wave in waves.items() if wave is not None}
        if waves:
            found = encoder.embed([*waves.values()], SAMPLE_RATE, batch_size, pooling, native)
            embeddings[[*waves]] = found.cpu()
    broken = [file for file, row in zip(files, embeddings, strict=True) if not row.isfinite().all()]
    if broken:
        raise InputError(
            f"the embeddings of {len(broken)} of {len(files)} files are not finite ({broken[0]} is "
            "the first); give other weights, or leave the files out."
        )
    return embeddings


def _refused(
    files: Sequence[AnyPath],
    headers: Sequence[tuple[int, int] | str],
    seconds: np.ndarray,
    native: bool,
) -> dict[AnyPath, str]:
    """The files that their headers rule out, each with a sentence that says why."""
    return {
        path: f"{printable(path)} "
        + (header if isinstance(header, str) else "is shorter than one window, 25 ms")
        for path, header, length in zip(files, headers, seconds, strict=True)
        if isinstance(header, str) or (native and length * SAMPLE_RATE < WINDOW)
    }


def _as_files(X: object) -> list[AnyPath]:
    """The paths in a sequence or in the one column of a table; an empty list where it holds waves."""
    if isinstance(X, AnyPath):
        return [X]
    if hasattr(X, "__array__") and not isinstance(X, Tensor):
        X = np.atleast_1d(np.asarray(X))
        X = X[:, 0] if X.ndim == 2 and X.shape[1] == 1 else X
        # Arrays of numbers, which may be large, hold no path.
        several = X.ndim > 1 and X.dtype.kind in "OU"
        if several and any(isinstance(one, AnyPath) for one in X.flat):
            raise InputError(f"a table of shape {X.shape} was given; give its one column of files.")
        X = list(X)
    if not (isinstance(X, Sequence) and any(isinstance(one, AnyPath) for one in X)):
        return []
    _require_paths(X)
    return list(X)


def _require_paths(paths: Sequence) -> None:
    """Refuse what is no path, such as the NaN of a table where a file's name is missing."""
    for row, path in enumerate(paths):
        if not isinstance(path, AnyPath):
            raise InputError(f"file {row} is {shown(path)}, which is no path; leave it out.")


def check_table(path: AnyPath) -> None:
    """See, before any work, that embeddings can be written to a path.

    Raises:
        InputError: for a name that ends neither in .npz nor in .parquet, or one that ends in
            .parquet where pyarrow is not installed; for a folder of that name, or a place where
            nothing can be written.
    """
    suffix = Path(path).suffix
    if suffix not in _TABLES:
        raise InputError(f"{path} does not end in .npz or .parquet; name the table to write so.")
    if suffix == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise InputError(
                f"{path} needs pyarrow, which is not installed; install it (pip install pyarrow), "
                "or name a table that ends in .npz."
            ) from error
    if Path(path).is_dir():
        raise InputError(f"{path} is a folder; name a file.")
    require_writable(Path(path).parent)


def write_embeddings(path: AnyPath, files: Sequence[AnyPath], embeddings: Array) -> None:
    """Write a table of embeddings, a row a file.

    Args:
        path: ending in .npz, for the arrays ``files`` (files,) and ``embeddings`` (files, D)
            float32; or in .parquet, for the columns "file" and "z0", "z1", ..., which needs
            pyarrow.
        files: what was embedded.
        embeddings: (files, D), finite.

    Raises:
        InputError: as `check_table`, for another number of files than of embeddings or what
            `audiopg.inputs.as_embeddings` refuses, and when the file cannot be written.
    """
    check_table(path)
    names, values = [printable(file) for file in files], as_embeddings(embeddings)
    if len(names) != len(values):
        raise InputError(
            f"{len(names)} files are given for {len(values)} embeddings; give one each."
        )
    values = values.float().cpu().numpy()
    if not np.isfinite(values).all():
        raise InputError("embeddings hold values beyond those of float32; scale them.")
    with writing(path), atomic_path(path) as temporary:
        if Path(path).suffix == ".npz":
            with open(temporary, "wb") as file:
                np.savez(file, files=np.array(names), embeddings=values)
        else:
            import pandas

            columns = [f"z{dimension}" for dimension in range(values.shape[1])]
            table = pandas.DataFrame(values, columns=columns)
            table.insert(0, "file", names)
            table.to_parquet(temporary, engine="pyarrow", index=False)


class AudioPGEmbedding(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Waves or files to embeddings, as a scikit-learn transformer: the first step of a pipeline.

    ``make_pipeline(AudioPGEmbedding(), StandardScaler(), LogisticRegression())`` learns from a list
    of paths. Nothing is learned here, so `fit` only loads the weights. In cross-validation every
    clip is embedded anew for every split; give the pipeline a ``memory`` to do it once. A memory knows
    files and runs by their paths alone: where one has changed, clear it, or give waves and an encoder
    instead, which it knows by what they hold.

    Args:
        encoder: a name of shipped weights, a run, a checkpoint or a model.safetensors; or an
            encoder, which stays on its device. Weights are loaded onto a GPU where there is one.
        pooling, native, batch_size: as in `Encoder.embed`.
        sample_rate: Hz, of waves; files say theirs.

    Attributes:
        encoder_: what embeds, once fitted.
    """

    def __init__(
        self,
        encoder: AnyPath | Encoder = "tiny",
        *,
        pooling: str = "mean",
        native: bool = False,
        sample_rate: int = SAMPLE_RATE,
        batch_size: int = 32,
    ) -> None:
        self.encoder = encoder
        self.pooling = pooling
        self.native = native
        self.sample_rate = sample_rate
        self.batch_size = batch_size

    def fit(self, X: object = None, y: object = None) -> "AudioPGEmbedding":
        """Load the encoder; waves and labels are not looked at.

        Raises:
            InputError: for weights that cannot be loaded, or an unknown pooling.
        """
        encoder = as_encoder(self.encoder)
        self.encoder_ = encoder if encoder is self.encoder else encoder.to(best_device())
        self._n_features_out = self.encoder_.embedding_size(self.pooling)
        return self

    def transform(self, X: Array | Sequence) -> np.ndarray:
        """Embed clips.

        Args:
            X: (clips, samples) floats with full scale at 1; or a sequence of (samples,) waves, whose
                lengths may differ; or paths of audio files: a sequence or an iterator, or the one
                column of a table.

        Returns:
            (clips, D) float32; (clips, 8 D) for pooling "frequency".

        Raises:
            InputError: as `Encoder.embed`, or naming a file that cannot be read.
        """
        check_is_fitted(self)
        size = whole_number(self.batch_size, "batch_size")
        X = list(X) if isinstance(X, Iterator) else X
        files = _as_files(X)
        if files:
            return _embed(files, self.encoder_, self.pooling, self.native, size, False).numpy()
        # An array may be larger than the memory, so each batch is checked when its turn comes.
        is_array = isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype != object
        if is_array:
            require_clips(*X.shape)
        clips = X if is_array else as_clips(X)
        parts = [np.empty((0, self._n_features_out), dtype=np.float32)]
        for first in range(0, len(clips), size):
            rows = range(len(clips))[first : first + size]
            waves = X[first : first + size] if is_array else [clips.native(row) for row in rows]
            embeddings = self.encoder_.embed(
                waves, self.sample_rate, size, self.pooling, self.native
            )
            parts.append(embeddings.cpu().numpy())
        return np.concatenate(parts)
