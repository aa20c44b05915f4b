"""From waves to vectors: an encoder's patch tokens, averaged over a whole clip or over time steps.

The encoder itself is in `audiopg.mae`; files, tables and scikit-learn are left to `audiopg.transfer`.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from audiopg import frontend
from audiopg._types import Array
from audiopg.environment import on_cpu_by_default
from audiopg.errors import InputError
from audiopg.inputs import as_waves, whole_number
from audiopg.synth.parameters import CLIP_SAMPLES, SAMPLE_RATE

BANDS = frontend.MEL_BANDS // frontend.PATCH
# How the tokens of a clip become one vector: see `Embedder.embed`.
POOLINGS = ("mean", "frequency")


class Embedder(nn.Module):
    """A network from spectrograms to patch tokens, which embeds waves; `audiopg.mae.Encoder` is one.

    A subclass has the front end ``log_mel``; its ``forward`` takes (B, frames, 128) and gives (B, N, D),
    whose last tokens are those of the patches, 8 a time step.
    """

    log_mel: frontend.LogMel

    @property
    def dimensions(self) -> int:
        """Length of an embedding, D."""
        raise NotImplementedError

    @property
    def _device(self) -> torch.device:
        return next(self.parameters()).device

    def embedding_size(self, pooling: str = "mean") -> int:
        """Length of an embedding: D where all tokens are averaged, 8 D where bands stay apart.

        Raises:
            InputError: for an unknown pooling.
        """
        if not isinstance(pooling, str) or pooling not in POOLINGS:
            raise InputError(f"pooling is {pooling!r}; choose from {list(POOLINGS)}.")
        return self.dimensions * (1 if pooling == "mean" else BANDS)

    @torch.no_grad()
    @on_cpu_by_default()
    def embed(
        self,
        wave: Array | Sequence[Array],
        sample_rate: int = SAMPLE_RATE,
        batch_size: int = 32,
        pooling: str = "mean",
        native: bool = False,
    ) -> Tensor:
        """Embed clips: the tokens of their patches after the last block, averaged (Section 4.1).

        At its native length a clip is encoded as it is, with the first of the position embeddings:
        a short clip is not looped, and a long one is not cut. The last patches are filled up with
        zeros, as the front end fills them in training. A clip longer than 10.24 s is taken in
        windows of that length, one after another; a rest too short for a frame is left out. Every
        patch has the same weight.

        Products are in float32, or in the type of a `torch.autocast` around the call.

        Args:
            wave: (B, samples) or (samples,) floats with full scale at 1, tensor or array; or a
                sequence of B waves (samples,), whose lengths may differ. Rows are clips; of the
                channels of one clip give the mean.
            sample_rate: Hz, of ``wave``; resampled to 16 kHz where it differs.
            batch_size: windows encoded at once; bounds the memory, does not change the result.
            pooling: "mean" over all tokens, or "frequency": the tokens of the 8 bands of a time
                step put one after another, then averaged over time (Niizumi et al., 2023).
            native: keep the length of a clip, instead of cutting it at its centre or looping it to
                10.24 s.

        Returns:
            (B, D) float32 on the encoder's device, or (B, 8 D) for "frequency"; (D,) or (8 D,) for
            one clip without a batch axis.

        Raises:
            InputError: for what `audiopg.inputs.as_waves` refuses, such as integers, NaN, a wave
                without samples or of (samples, channels); for a rate that is no whole number from
                1000 up or a batch size that is none from 1 up, an unknown pooling, or a native clip
                shorter than one frame of 400 samples.
        """
        size, device = self.embedding_size(pooling), self._device
        batch_size = whole_number(batch_size, "batch_size")
        waves = _waves_at_16_khz(wave, sample_rate)
        is_one = isinstance(waves, Tensor) and waves.ndim == 1
        waves = waves[None] if is_one else waves
        parts = [_windows(one) if native else (one,) for one in waves]
        windows = [window for part in parts for window in part]
        sums = torch.empty(len(windows), size, dtype=torch.float32, device=device)
        steps = torch.empty(len(windows), 1, dtype=torch.float32, device=device)
        for rows, pooled in self._pooled(windows, batch_size, pooling, native):
            sums[rows], steps[rows] = pooled.sum(dim=1), float(pooled.shape[1])
        if len(windows) > len(waves):
            counts = [len(part) for part in parts]
            sums, steps = (
                torch.stack([part.sum(dim=0) for part in values.split(counts)])
                for values in (sums, steps)
            )
        embeddings = sums / steps
        return embeddings[0] if is_one else embeddings

    @torch.no_grad()
    @on_cpu_by_default()
    def embed_over_time(
        self,
        wave: Array,
        sample_rate: int = SAMPLE_RATE,
        batch_size: int = 32,
        pooling: str = "mean",
    ) -> tuple[Tensor, Tensor]:
        """Embed clips every 160 ms, the length of a patch, at their native length.

        The mean over time is what `embed` gives for ``native=True``.

        Args:
            wave: (B, samples) floats with full scale at 1, tensor or array; (samples,) is a batch
                of one.
            sample_rate, batch_size, pooling: as in `embed`.

        Returns:
            (B, T, D) float32 on the encoder's device, or (B, T, 8 D) for "frequency"; and (T,)
            float64, the seconds at the middle of each step. The last step is filled up
            where the clip ends within it, so its middle can lie beyond the end.

        Raises:
            InputError: as `embed`, or for waves of several lengths.
        """
        batch_size = whole_number(batch_size, "batch_size")
        waves = _waves_at_16_khz(wave, sample_rate)
        if isinstance(waves, list):
            if not waves:
                raise InputError("no wave was given; embed at least one over time.")
            if len({len(one) for one in waves}) != 1:
                raise InputError("the waves differ in length; embed them over time one by one.")
            waves = torch.stack(waves)
        waves = waves if waves.ndim == 2 else waves[None]
        windows = _windows(waves)
        steps = sum(_time_steps(window.shape[-1]) for window in windows)
        shape = len(waves), steps, self.embedding_size(pooling)
        embeddings = torch.empty(shape, dtype=torch.float32, device=self._device)
        first = 0
        for window in windows:
            for rows, pooled in self._pooled(list(window), batch_size, pooling, native=True):
                embeddings[rows, first : first + pooled.shape[1]] = pooled
            first += _time_steps(window.shape[-1])
        # A step reaches from the first sample of its first frame to the last of its last frame.
        middle = ((frontend.PATCH - 1) * frontend.HOP + frontend.WINDOW) / 2
        times = torch.arange(steps, dtype=torch.float64) * (frontend.PATCH * frontend.HOP) + middle
        return embeddings, times.to(embeddings.device) / SAMPLE_RATE

    def _pooled(
        self, windows: list[Tensor], batch_size: int, pooling: str, native: bool
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Encode windows, those of equally many steps together: (n,) indices, (n, T, size)."""
        samples = [len(window) if native else CLIP_SAMPLES for window in windows]
        steps = torch.tensor([_time_steps(n) for n in samples], dtype=torch.int64)
        order = steps.argsort(stable=True)
        for alike in order.split(steps.unique(return_counts=True)[1].tolist()):
            for rows in alike.split(batch_size):
                mel = self._log_mels(
                    [frontend.fit_length(windows[row], samples[row]) for row in rows]
                )
                patches = mel.shape[1] // frontend.PATCH * BANDS
                tokens = self(mel)[:, -patches:].float().unflatten(1, (-1, BANDS))
                yield rows, tokens.mean(dim=2) if pooling == "mean" else tokens.flatten(2)

    def _log_mels(self, waves: list[Tensor]) -> Tensor:
        """The spectrograms of waves whose frames fill equally many patches: (B, frames, 128)."""
        padded = nn.utils.rnn.pad_sequence(waves, batch_first=True)
        mel = self.log_mel.transform(padded.to(self._device))
        frames = torch.tensor([frontend.whole_frames(len(wave)) for wave in waves])
        if frames.min() < frames.max():
            # The zeros behind a wave reach only the frames behind its own.
            own = torch.arange(mel.shape[1]) < frames[:, None]
            mel.masked_fill_(~own[..., None].to(mel.device), self.log_mel.padding)
        return mel


def _waves_at_16_khz(wave: Array | Sequence[Array], sample_rate: int) -> Tensor | list[Tensor]:
    """What `as_waves` makes of waves, resampled."""
    waves = as_waves(wave)
    if isinstance(waves, Tensor):
        return frontend.resample(waves, sample_rate)
    return [frontend.resample(one, sample_rate) for one in waves]


def _windows(wave: Tensor) -> tuple[Tensor, ...]:
    """(..., samples) in parts of 10.24 s, of which the last may be shorter."""
    parts = wave.split(CLIP_SAMPLES, dim=-1)
    if parts[-1].shape[-1] >= frontend.WINDOW:
        return parts
    if len(parts) == 1:
        raise InputError(
            f"the waveform has {wave.shape[-1]} samples, shorter than one window of {frontend.WINDOW}; "
            "leave it out, or have it looped to 10.24 s (not native)."
        )
    return parts[:-1]


def _time_steps(samples: int) -> int:
    """The number of patches of one band in a wave of so many samples."""
    return frontend.LogMel.frames(samples) // frontend.PATCH
