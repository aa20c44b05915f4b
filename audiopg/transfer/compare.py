"""Encoders and their controls, probed on the same clips (Sections 4.1, 4.2).

The probe itself is in `audiopg.transfer.probe`, what a difference is worth in
`audiopg.transfer.statistics`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from audiopg.datasets import LabelledClips
from audiopg.errors import InputError
from audiopg.frontend import LogMel, fit_length, whole_frames
from audiopg.inputs import as_named
from audiopg.mae import BANDS, Encoder
from audiopg.pretrained import require_encoder
from audiopg.synth.parameters import CLIP_SAMPLES
from audiopg.transfer import probe
from audiopg.transfer.waves import Waves, as_clips, batches_by_length, require_windows

_BATCH = 32
_SHARES = "majority class"
# Statistics of the log-mel spectrogram, by the name of their row.
_STATISTICS = {
    "log-mel mean": probe.log_mel_mean,
    "log-mel mean and deviation": probe.log_mel_statistics,
}
_BY_BAND = ", frequency pooling"


def compare_encoders(
    clips: LabelledClips,
    waves: Waves | Sequence[Tensor],
    encoders: Mapping[str, Encoder],
    *,
    pooling: str = "mean",
    native: bool = False,
    controls: bool = True,
    by_source: bool = False,
    progress: bool = True,
) -> dict[str, probe.ProbeResult]:
    """Linear probes of some frozen encoders and of controls, on identical clips and folds.

    Args:
        clips: labels and folds; each of its test folds is tested on, and where one of its folds is
            called "validation", the strength is chosen on that.
        waves: of the clips, at 16 kHz: a (clips, samples) tensor, a sequence of (samples,), or
            `cached_waves`. They are read in batches.
        encoders: by the name of their row.
        pooling: as in `Encoder.embed`; or "both", for a row of each: that of the mean has the name,
            the other the name and ", frequency pooling".
        native: as in `Encoder.embed`; a native log-mel is that of the clip as it is, too.
        controls: whether to add what hears nothing, and raw log-mels.
        by_source: whether to leave out of training the clips that share a source with a test clip
            (``sources`` of `linear_probe`).
        progress: show a progress bar.

    Returns:
        A result a row: with controls the "majority class" (`class_shares`), log-mel averaged over
        time, and log-mel with its mean and standard deviation over time; then each encoder.

    Raises:
        InputError: for another number of waves than of clips, an unknown pooling, an encoder with
            the name of another row, a wave that cannot be embedded, or labels and folds that
            `linear_probe` refuses.
    """
    waves, encoders = as_clips(waves, clips), as_named(encoders, "encoders")
    probe.require_probe(clips.labels, clips.folds, **split_of(clips, by_source))
    features = clip_features(
        waves, encoders, pooling=pooling, native=native, controls=controls, progress=progress
    )
    return probe_features(clips, features, controls, by_source)


def probe_features(
    clips: LabelledClips,
    features: Mapping[str, Tensor],
    controls: bool = True,
    by_source: bool = False,
) -> dict[str, probe.ProbeResult]:
    """Linear probes of features that were computed before: see `compare_encoders`.

    Args:
        features: (clips, dimensions) for each row.
        controls: whether to add the row "majority class".

    Raises:
        InputError: for labels, folds and features that `linear_probe` refuses, and for a row of the
            name that another has.
    """
    split, results = split_of(clips, by_source), {}
    if controls:
        _require_unlike([*features, _SHARES])
        results[_SHARES] = probe.class_shares(clips.labels, clips.folds, **split)
    for name, values in features.items():
        results[name] = probe.linear_probe(values, clips.labels, clips.folds, **split)
    return results


def split_of(clips: LabelledClips, by_source: bool) -> dict:
    """The arguments of `linear_probe` for the folds and sources of clips."""
    # A validation part may itself be the test fold, as when an encoder is chosen.
    chosen_on = [fold for fold in clips.validation_folds if fold not in clips.test_folds]
    return {
        "test_folds": clips.test_folds,
        "validation_fold": chosen_on[0] if chosen_on else None,
        "sources": clips.sources if by_source else None,
    }


@torch.no_grad()
def clip_features(
    waves: Waves | Sequence[Tensor],
    encoders: Mapping[str, Encoder],
    *,
    pooling: str = "mean",
    native: bool = False,
    controls: bool = True,
    progress: bool = True,
) -> dict[str, Tensor]:
    """Embeddings of clips by some encoders, and their log-mel statistics, for `probe_features`.

    Args:
        waves, encoders, pooling, native, progress: as in `compare_encoders`.
        controls: whether to add "log-mel mean" and "log-mel mean and deviation".

    Returns:
        (clips, dimensions) float32 on the CPU for each row.

    Raises:
        InputError: at the start, naming the clips shorter than one window, where they are native;
            for an unknown pooling, an encoder with the name of another row, or a wave that cannot be
            embedded.
    """
    encoders = as_named(encoders, "encoders")
    for encoder in encoders.values():
        require_encoder(encoder)
    by_band = [name + _BY_BAND for name in encoders] if pooling == "both" else []
    _require_unlike([*encoders, *by_band, *((_SHARES, *_STATISTICS) if controls else ())])
    waves, log_mel = as_clips(waves), LogMel()
    if native:
        require_windows(waves)
    parts: dict[str, list[Tensor]] = {}
    batches = batches_by_length(waves.lengths if native else np.zeros(len(waves)), _BATCH)
    for rows in tqdm(batches, desc="embedding", unit="batch", disable=not progress):
        batch = [waves.native(row) for row in rows]
        if not native:
            batch = [fit_length(wave, CLIP_SAMPLES) for wave in batch]
        if controls:
            mels = [log_mel(wave[None])[:, : whole_frames(len(wave))] for wave in batch]
            for name, statistics in _STATISTICS.items():
                parts.setdefault(name, []).append(torch.cat([statistics(mel) for mel in mels]))
        for name, encoder in encoders.items():
            pooled = "frequency" if pooling == "both" else pooling
            embeddings = encoder.embed(batch, pooling=pooled, native=native).cpu()
            if pooling == "both":
                # All bands have equally many tokens, so the mean over bands is that over tokens.
                parts.setdefault(name, []).append(embeddings.unflatten(1, (BANDS, -1)).mean(1))
                name += _BY_BAND
            parts.setdefault(name, []).append(embeddings)
    places = torch.tensor([row for rows in batches for row in rows]).argsort()
    return {name: torch.cat(part)[places] for name, part in parts.items()}


def _require_unlike(rows: Sequence[str]) -> None:
    for place, name in enumerate(rows):
        if name in rows[:place]:
            raise InputError(
                f"{name!r} would be the name of two rows; call the encoder something else, or go "
                "without the controls."
            )
