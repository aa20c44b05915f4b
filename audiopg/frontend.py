"""The front end: waveform -> standardised log-mel spectrogram (Section 4.1)."""

import math
from functools import cache
from typing import TypeVar

import torch
from torch import Tensor, nn

from audiopg.environment import full_precision
from audiopg.errors import InputError
from audiopg.inputs import as_samples, as_waves, real, shown, whole_number, whole_rate
from audiopg.synth.parameters import SAMPLE_RATE

WINDOW = 400
HOP = 160
FFT_SIZE = 512
MEL_BANDS = 128
# Frames come in multiples of this, the side of a patch.
PATCH = 16
PRE_EMPHASIS = 0.97
LOWEST_HZ = 20.0

# Mean and standard deviation of the log-mel values of 2,000 clips of the `full` prior, seed 0.
CURRICULUM_MEAN = -6.01
CURRICULUM_STANDARD_DEVIATION = 4.24
# Windows of a frame, symmetric as Kaldi's.
WINDOWS = {"hamming": torch.hamming_window, "hann": torch.hann_window}

_Count = TypeVar("_Count", int, Tensor)


def whole_frames(samples: _Count) -> _Count:
    """Windows of 400 samples, 160 apart, that fit into a waveform of so many samples."""
    return (samples - WINDOW) // HOP + 1


def hertz_to_mel(hertz: Tensor | float) -> Tensor:
    """Frequency on the mel scale as Kaldi and HTK define it: 1127 ln(1 + f / 700), float32."""
    return 1127.0 * torch.log(1.0 + torch.as_tensor(hertz, dtype=torch.float32) / 700.0)


def mel_filterbank() -> Tensor:
    """Triangular filters of equal width on the mel scale, from 20 Hz to Nyquist, as in Kaldi.

    Single precision throughout, as Kaldi's: the lowest bands are narrower than one FFT bin, and
    the rounding of their small weights is part of what models trained on Kaldi features see.

    Returns:
        (257, 128) float32, weights of the FFT bins in each band.
    """
    hertz = torch.arange(FFT_SIZE // 2 + 1).double() * (SAMPLE_RATE / FFT_SIZE)
    bins = hertz_to_mel(hertz)[:, None]
    lowest, highest = (1127.0 * math.log(1.0 + f / 700.0) for f in (LOWEST_HZ, SAMPLE_RATE / 2))
    edges = lowest + torch.arange(MEL_BANDS + 2, dtype=torch.float32) * (
        (highest - lowest) / (MEL_BANDS + 1)
    )
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    filters = torch.minimum(rising, falling).clamp(min=0)
    filters[-1] = 0  # Kaldi's filters leave the Nyquist bin out.
    return filters


@cache
def _band_groups() -> list[tuple[int, int, int, int]]:
    """Sixteen bands at a time, and the range of FFT bins that they use.

    Most of the filterbank is zeros; products of these blocks take a fifth of the time of the whole.
    """
    filters = mel_filterbank()
    groups = []
    for first in range(0, MEL_BANDS, 16):
        bins = filters[:, first : first + 16].any(dim=1).nonzero()
        groups.append((first, first + 16, int(bins[0]), int(bins[-1]) + 1))
    return groups


def _power_spectrum(frames: Tensor, power: Tensor) -> None:
    """Write the power spectra of (n, 512) into (n, 257)."""
    # On a CPU the frames of 10.24 s at a time, which stay in the cache.
    rows = 1024 if frames.device.type == "cpu" else len(frames)
    for part, into in zip(frames.split(rows), power.split(rows), strict=True):
        spectrum = torch.view_as_real(torch.fft.rfft(part)).square_()
        torch.add(spectrum[..., 0], spectrum[..., 1], out=into)


def fit_length(wave: Tensor, samples: int) -> Tensor:
    """Cut a wave at its centre, or repeat it from its start, to a given length (Section 4.1).

    Args:
        wave: (..., n), at least one sample.
        samples: the length wanted.

    Returns:
        (..., samples).

    Raises:
        InputError: for a wave without samples, or a length below 1.
    """
    samples = whole_number(samples, "samples")
    length = wave.shape[-1]
    if length == 0:
        raise InputError("the waveform has no samples; there is nothing to repeat.")
    if length >= samples:
        start = (length - samples) // 2
        return wave[..., start : start + samples]
    return wave[..., torch.arange(samples, device=wave.device) % length]


def resample(wave: Tensor, sample_rate: int, target: int = SAMPLE_RATE) -> Tensor:
    """Bring a wave to another rate with the SoX resampler, at its quality "HQ".

    Args:
        wave: (..., n) floats; tensor or array.
        sample_rate: Hz, of ``wave``.
        target: Hz, wanted; where the two agree a wave of float32 is returned as it is.

    Returns:
        (..., n * target / sample_rate) float32.

    Raises:
        InputError: for a rate that is no whole number of 1000 or more, or too few samples to make one;
            for what `audiopg.inputs.as_samples` refuses.
    """
    wave, sample_rate, target = as_samples(wave), whole_rate(sample_rate), whole_rate(target)
    if sample_rate == target or not wave.numel():
        return wave
    import soxr

    if 2 * wave.shape[-1] * target < sample_rate:
        raise InputError(
            f"{wave.shape[-1]} samples at {sample_rate} Hz are less than one at {target} Hz; see "
            "that the sample rate is right."
        )
    # soxr takes samples first, channels second.
    flat = wave.detach().reshape(-1, wave.shape[-1]).T.contiguous().cpu().numpy()
    resampled = torch.from_numpy(soxr.resample(flat, sample_rate, target, quality="HQ")).T
    return resampled.reshape(*wave.shape[:-1], -1).to(wave.device)


class LogMel(nn.Module):
    """Log-mel spectrograms, Kaldi-compatible, batched, on the device of the waveform.

    25 ms windows every 10 ms, whole windows only; each has its mean removed and is pre-emphasised
    by 0.97; power spectrum of 512 points, 128 mel bands, natural logarithm. The values are
    standardised with one mean and one standard deviation, and frames of zeros, the mean, are added
    up to the next multiple of 16: 10.24 s give 1,022 frames, made 1,024.

    Args:
        mean: of log-mel values; by default that of the `full` curriculum.
        standard_deviation: likewise. ``LogMel(0.0, 1.0)`` returns plain log-mel values.
        window: "hamming", as in the paper, or "hann", as in AST and AudioMAE.
        padding: value of the frames that are added. AST and AudioMAE add zeros before they
            standardise, which is -mean / standard_deviation.

    Raises:
        InputError: for an unknown window, or numbers that no value can be standardised by.
    """

    def __init__(
        self,
        mean: float = CURRICULUM_MEAN,
        standard_deviation: float = CURRICULUM_STANDARD_DEVIATION,
        window: str = "hamming",
        padding: float = 0.0,
    ) -> None:
        super().__init__()
        if window not in WINDOWS:
            raise InputError(f"window is {window!r}; choose from {list(WINDOWS)}.")
        given = mean, standard_deviation, padding
        # Python's numbers, since they are stored with weights.
        numbers = [math.nan if real(value) is None else float(real(value)) for value in given]
        if not all(map(math.isfinite, numbers)) or numbers[1] <= 0:
            raise InputError(
                f"mean, standard_deviation and padding are {shown(given)}; give finite numbers, the "
                "deviation above 0."
            )
        self.mean, self.standard_deviation, self.padding = numbers
        self.window_name = window
        weights = WINDOWS[window](WINDOW, periodic=False, dtype=torch.float64)
        self.register_buffer("window", weights.float(), persistent=False)
        self.register_buffer("filterbank", mel_filterbank(), persistent=False)

    @property
    def settings(self) -> dict:
        """The arguments that make another like it, which weights are stored with."""
        return {
            "mean": self.mean,
            "standard_deviation": self.standard_deviation,
            "window": self.window_name,
            "padding": self.padding,
        }

    def forward(self, wave: Tensor) -> Tensor:
        """Compute the standardised log-mel spectrogram.

        Args:
            wave: (B, samples) floats at 16 kHz with full scale at 1, at least one window of 400
                samples; tensor or array.

        Returns:
            (B, frames, 128) float32, frames a multiple of 16.

        Raises:
            InputError: for another shape, fewer samples than one window, or what
                `audiopg.inputs.as_waves` refuses; for a waveform that a gradient is asked of.
        """
        wave = as_waves(wave)
        if isinstance(wave, list):
            raise InputError("the waveform is a list; give one tensor, (clips, samples).")
        if wave.ndim != 2:
            raise InputError(f"the waveform has shape {tuple(wave.shape)}; give (clips, samples).")
        if wave.shape[1] < WINDOW:
            raise InputError(
                f"the waveform has {wave.shape[1]} samples, shorter than one window of {WINDOW}."
            )
        if wave.requires_grad and torch.is_grad_enabled():
            raise InputError(
                "the waveform requires a gradient, and the front end has none; detach it."
            )
        return self.transform(wave)

    def transform(self, wave: Tensor) -> Tensor:
        """As `forward`, without its checks: (B, samples) float32 -> (B, frames, 128)."""
        batch, samples = wave.shape
        if self.window.dtype != torch.float32:
            raise InputError(
                f"the front end is of type {self.window.dtype}; make the network float32 again "
                "(.float()): for products in half precision there is torch.autocast."
            )
        if self.window.device != wave.device:
            raise InputError(
                f"the front end is on {self.window.device}, the waveform on {wave.device}; bring both "
                "to one device (.to(device)); what was made on the device meta has to be made anew."
            )
        # Some processors sum strided samples in another order, which rounds in another way.
        wave = wave.contiguous()
        count = whole_frames(samples)
        mels = wave.new_full((batch, LogMel.frames(samples), MEL_BANDS), self.padding)
        if not batch:
            return mels
        # On a CPU one clip at a time stays in the cache, which is worth a factor of two.
        clips = 1 if wave.device.type == "cpu" else 64
        frames = wave.new_zeros(min(clips, batch), count, FFT_SIZE)
        power = wave.new_empty(min(clips, batch), count, FFT_SIZE // 2 + 1)
        with full_precision(wave.device):
            for part, into in zip(wave.split(clips), mels.split(clips), strict=True):
                n = len(part)
                self._frame(part, frames[:n, :, :WINDOW])
                _power_spectrum(frames[:n].flatten(0, 1), power[:n].flatten(0, 1))
                self._log_mel(power[:n], into[:, :count])
        return mels

    def _frame(self, wave: Tensor, frames: Tensor) -> None:
        """Write (B, samples) into (B, frames, 400): mean removed, pre-emphasised, windowed."""
        # All three steps are linear, so the whole wave is pre-emphasised at once:
        # e[n] - (1 - 0.97) mean equals (x[n] - mean) - 0.97 (x[n - 1] - mean).
        emphasised = torch.sub(wave[:, 1:], wave[:, :-1], alpha=PRE_EMPHASIS)
        raw = wave.unfold(1, WINDOW, HOP)
        rest = (1 - PRE_EMPHASIS) * raw.mean(dim=2)
        # The sample before a frame's first is taken to equal it.
        first = (1 - PRE_EMPHASIS) * raw[..., 0] - rest
        rest = rest[..., None]
        torch.sub(emphasised.unfold(1, WINDOW - 1, HOP), rest, out=frames[..., 1:])
        frames[..., 0] = first
        frames *= self.window

    def _log_mel(self, power: Tensor, mels: Tensor) -> None:
        """Write the standardised log-mel of (B, frames, 257) into (B, frames, 128)."""
        for first, last, lowest, highest in _band_groups():
            # torch.matmul refuses to write several clips into a part of a table (torch 2.11).
            weights = self.filterbank[lowest:highest, first:last].expand(len(power), -1, -1)
            torch.bmm(power[..., lowest:highest], weights, out=mels[..., first:last])
        mels.clamp_(min=torch.finfo(torch.float32).eps).log_()
        mels.sub_(self.mean).div_(self.standard_deviation)

    @torch.no_grad()
    def invert(self, mels: Tensor, samples: int, iterations: int = 60) -> Tensor:
        """A waveform whose log-mel spectrogram is close to a given one, to listen to.

        A log-mel has lost two things, which are estimated. The power of the 257 bins behind the 128
        bands is the non-negative one of least divergence, by multiplicative updates (Lee and Seung,
        2001). The phases are those that neighbouring frames agree on, by the fast Griffin-Lim
        algorithm (Perraudin, Balazs and Søndergaard, 2013), from random ones.

        Args:
            mels: (B, frames, 128), standardised, as `forward` gives.
            samples: length of the waveform wanted; its frames are the ones used.
            iterations: of each of the two searches.

        Returns:
            (B, samples) float32, on the scale of the waveform that was transformed.

        Raises:
            InputError: for another shape, a number of frames that the length does not have, or fewer
                than the three that a search for phases takes.
        """
        samples = whole_number(samples, "samples", lowest=WINDOW + 2 * HOP)
        iterations = whole_number(iterations, "iterations", lowest=0)
        mels = torch.as_tensor(mels).to(self.filterbank.dtype)
        if mels.ndim != 3 or mels.shape[1:] != (LogMel.frames(samples), MEL_BANDS):
            raise InputError(
                f"the spectrogram has shape {tuple(mels.shape)}; {samples} samples have one of "
                f"(clips, {LogMel.frames(samples)}, {MEL_BANDS})."
            )
        count = whole_frames(samples)
        with full_precision(mels.device):
            magnitude = self._find_magnitudes(mels[:, :count], iterations)
            wave = self._find_phases(magnitude, iterations)
        # Frames lie with their centres half a window from the ends.
        before = WINDOW // 2
        return nn.functional.pad(wave, (before, samples - before - wave.shape[1]))

    def _find_magnitudes(self, mels: Tensor, iterations: int) -> Tensor:
        """(B, F, 128) -> (B, 257, F), the amplitudes of the bins behind the bands."""
        bands = (mels * self.standard_deviation + self.mean).exp()
        # Some of the lowest bands have next to no weight; the least value keeps the divisions finite.
        least = 1e-12
        power = (bands @ self.filterbank.T).clamp(min=least)
        for _ in range(iterations):
            found = (power @ self.filterbank).clamp(min=least)
            power *= (bands / found) @ self.filterbank.T / self.filterbank.sum(1).clamp(min=1e-9)
        # Undo the pre-emphasis of each bin; the first bin holds the mean, which was removed.
        bins = torch.arange(FFT_SIZE // 2 + 1, dtype=torch.float32, device=mels.device)
        omega = bins * (2 * math.pi / FFT_SIZE)
        power /= 1 + PRE_EMPHASIS**2 - 2 * PRE_EMPHASIS * omega.cos()
        power[..., 0] = 0
        return power.sqrt().mT

    def _find_phases(self, magnitude: Tensor, iterations: int) -> Tensor:
        """(B, 257, F) magnitudes -> (B, (F - 1) * 160), by the fast Griffin-Lim algorithm."""
        layout = {"n_fft": FFT_SIZE, "hop_length": HOP, "win_length": WINDOW, "window": self.window}
        generator = torch.Generator().manual_seed(0)
        turns = torch.rand(magnitude.shape, generator=generator, dtype=torch.float32)
        spectrum = torch.polar(magnitude, 2 * math.pi * turns.to(magnitude.device))
        before = torch.zeros_like(spectrum)
        for _ in range(iterations):
            wave = torch.istft(spectrum, **layout)
            after = torch.stft(wave, **layout, return_complex=True)
            faster = after + 0.99 * (after - before)
            spectrum = magnitude * torch.sgn(faster)
            before = after
        return torch.istft(spectrum, **layout)

    @staticmethod
    def frames(samples: int) -> int:
        """`whole_frames` of a waveform of so many samples, made a multiple of 16."""
        return math.ceil(whole_frames(samples) / PATCH) * PATCH
