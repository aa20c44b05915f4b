"""Reverberation as exponentially decaying noise, by fast convolution."""

import math

import torch
from torch import Tensor

from audiopg.random import STREAMS, noise
from audiopg.synth.factors import CLIP_SAMPLES, LONGEST_REVERBERATION, SAMPLE_RATE

_RESPONSE = math.ceil(LONGEST_REVERBERATION * SAMPLE_RATE)
_SHORTEST = 1e-5  # s
# The clip is cut into blocks, each long enough that it and the response fill one transform.
_FFT = 32768
_BLOCK = 24576
_BLOCKS = math.ceil(CLIP_SAMPLES / _BLOCK)


def room(seed: Tensor, clip: Tensor, time: Tensor) -> Tensor:
    """Impulse responses of rooms: white noise that dies away by 60 dB in the reverberation time.

    In late reverberation the echoes are so many that they become noise with an exponential envelope
    (Moorer, "About this reverberation business", Computer Music Journal 3, 1979; Polack, 1988). The
    energy of a response is 1 on average.

    Args:
        seed, clip: (B,) int64.
        time: (B,) s, above 0.

    Returns:
        (B, 8000) float32, from the sample after the direct sound on.
    """
    second = torch.arange(1, _RESPONSE + 1, dtype=torch.float64, device=time.device) / SAMPLE_RATE
    # In this time all but the first sample dies away; in far less, the first would die away too.
    time = time.clamp(min=_SHORTEST)
    envelope = (-3 * math.log(10) * second / time[:, None]).exp()
    # White noise on (-1, 1) has the variance 1/3.
    envelope /= (envelope.square().sum(dim=1, keepdim=True) / 3).sqrt()
    return noise(seed, clip, STREAMS["room"], _RESPONSE).mul_(envelope.float())


def reverberate(wave: Tensor, response: Tensor, level: Tensor) -> Tensor:
    """The direct sound and its reverberation, which is cut off at the end of the clip.

    Args:
        wave: (B, CLIP_SAMPLES) float32.
        response: (B, at most 8000), see `room`.
        level: (B,), of the reverberation relative to the direct sound.

    Returns:
        (B, CLIP_SAMPLES) float32.
    """
    response = torch.nn.functional.pad(
        response * level.float()[:, None], (1, _BLOCK - response.shape[1] - 1)
    )
    blocks = torch.nn.functional.pad(wave, (0, _BLOCKS * _BLOCK - CLIP_SAMPLES))
    # In one call, since libraries transform a single row in another way.
    rows = torch.cat((blocks, response), dim=1).unflatten(1, (-1, _BLOCK))
    spectra = torch.fft.rfft(rows, n=_FFT)
    echoes = torch.fft.irfft(spectra[:, :-1] * spectra[:, -1:], n=_FFT)
    blocks.unflatten(1, (_BLOCKS, _BLOCK)).add_(echoes[..., :_BLOCK])
    # The tail of each block sounds in the next.
    rest = echoes[:, :-1, _BLOCK:]
    blocks.unflatten(1, (_BLOCKS, _BLOCK))[:, 1:, : rest.shape[-1]] += rest
    return blocks[:, :CLIP_SAMPLES]
