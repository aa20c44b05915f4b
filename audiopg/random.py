"""Counter-based random numbers: every draw is a pure function of where it is used.

Philox 4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
SC 2011) turns a 128-bit counter and a 64-bit key into 128 random bits. The key is the seed; the
counter names the clip, the stream (which factor, noise or mask) and the position in the stream.
So a draw does not depend on the batch, the order, the process or the device it was made on.
"""

import numpy as np
import torch
from torch import Tensor
from torch.compiler import is_exporting

from audiopg.compiled import compiled

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_KEY_INCREMENTS = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_WORD = 0xFFFFFFFF
# The top bits of four halves of a 64-bit word.
_SIGNS = 0x8000800080008000 - 2**64

# Every stream of random numbers, and what it is for. A number is never changed or used again, so clip
# i of seed s stays the same sound for ever, and a run that is resumed the same run.
STREAMS = {
    # The factors of clips: up to 100.
    "event_count": 1,
    "damped": 2,
    "cutoff": 3,
    "quality": 4,
    "noise_level": 5,
    "excitation": 6,
    "pulse": 7,
    "f0": 8,
    "onset": 9,
    "length": 10,
    "amplitude": 11,
    "attack": 12,
    "decay": 13,
    "release": 14,
    "sustain": 15,
    "has_burst": 16,
    "burst_amplitude": 17,
    "burst_length": 18,
    "partial_count": 19,
    "rolloff": 20,
    "fm_index": 21,
    "fm_ratio": 22,
    "partial_weight": 23,
    "partial_detune": 24,
    "partial_phase": 25,
    "mixed": 26,
    "has_noise": 27,
    "noise_share": 28,
    "noise_bandwidth": 29,
    "has_modulation": 30,
    "modulation_depth": 31,
    "modulation_rate": 32,
    "modulation_decay": 33,
    "modulation_jitter": 34,
    "has_motion": 35,
    "glide": 36,
    "vibrato_depth": 37,
    "vibrato_rate": 38,
    "has_formants": 39,
    "vowel": 40,
    "tract": 41,
    "has_reverberation": 42,
    "reverberation_time": 43,
    "reverberation_level": 44,
    # The samples of clips: the noise floor, and the response of a room.
    "noise_floor": 101,
    "room": 102,
    # The masks of the autoencoder, and which window of a clip it learns from.
    "mask": 201,
    "window": 202,
    # The order of a folder of recordings, and where in each of them a clip starts.
    "recording_order": 301,
    "recording_start": 302,
    # The order in which groups of one's own recordings are dealt into folds.
    "fold_order": 304,
    # The phases that the laboratory's search for a waveform begins with.
    "laboratory_phase": 303,
    # Fine-tuning: the key of a fold, the order of an epoch, draws of clips, draws of patches.
    "fold_key": 401,
    "epoch_order": 402,
    "augmentation": 403,
    "patch_dropout": 404,
    # The samples of bursts: event e has stream 1024 + e, so no number follows.
    "burst": 1024,
}


def philox4x32(
    counter: tuple[Tensor, Tensor, Tensor, Tensor], key: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Philox 4x32-10: four 32-bit words from a counter of four words and a key of two.

    Args:
        counter: four int64 tensors holding words in [0, 2**32), of shapes that broadcast.
        key: two int64 tensors holding words in [0, 2**32), of shapes that broadcast with those.

    Returns:
        Four int64 tensors of the broadcast shape, words in [0, 2**32).
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        # The low 64 bits of a product are exact in wrapping int64 arithmetic. c1 and c3 keep all of
        # them: the bits above the low word are masked after the next exclusive or.
        product0, product2 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = (
            ((product2 >> 32) ^ c1).bitwise_xor_(k0).bitwise_and_(_WORD),
            product2,
            ((product0 >> 32) ^ c3).bitwise_xor_(k1).bitwise_and_(_WORD),
            product0,
        )
        k0, k1 = (k0 + _KEY_INCREMENTS[0]) & _WORD, (k1 + _KEY_INCREMENTS[1]) & _WORD
    return c0, c1 & _WORD, c2, c3 & _WORD


def random_words(
    seed: Tensor, clip: Tensor, stream: int | Tensor, position: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The four random 32-bit words at one place: (seed, clip, stream, position).

    Args:
        seed: int64, any 64-bit value.
        clip: int64, any 64-bit value; broadcasts with ``seed`` and ``position``.
        stream: which use the numbers are for, in [0, 2**32).
        position: int64 in [0, 2**32).

    Returns:
        Four int64 tensors of the broadcast shape, words in [0, 2**32).
    """
    stream = torch.as_tensor(stream, dtype=torch.int64, device=position.device)
    # The mask of positions changes no word. Without it torch.compile (2.11) takes the first product for
    # the index of a table, and on a GPU counts it in 32 bits (pytorch/pytorch#175966).
    counter = (position & _WORD, stream, clip & _WORD, (clip >> 32) & _WORD)
    return philox4x32(counter, (seed & _WORD, (seed >> 32) & _WORD))


def uniform(seed: Tensor, clip: Tensor, stream: int | Tensor, position: Tensor) -> Tensor:
    """One float64 draw from U[0, 1) at each place, with 32 random bits (see `random_words`)."""
    return random_words(seed, clip, stream, position)[0].double() * 2.0**-32


def permutation(seed: Tensor, clip: Tensor, stream: int, length: int) -> Tensor:
    """The numbers 0 to ``length`` - 1 in a random order, a pure function of its address.

    Args:
        seed: int64, broadcasts with ``clip``.
        clip: (...) int64.
        stream: which use the order is for.
        length: how many numbers, less than 2**31.

    Returns:
        (..., length) int64.
    """
    place = torch.arange(length, device=clip.device)
    words = random_words(seed, clip[..., None], stream, place)[0]
    # The number itself in the low digits makes every word distinct, so the order is unique.
    return (words * length + place).argsort(dim=-1)


def noise(seed: Tensor, clip: Tensor, stream: int | Tensor, samples: int) -> Tensor:
    """White noise, uniform on (-1, 1) in 16-bit steps, eight samples from each 128-bit block.

    Args:
        seed: (...) int64.
        clip: (...) int64.
        stream: an int, or (...) int64.
        samples: length of the noise.

    Returns:
        (..., samples) float32. Sample n does not depend on ``samples``.
    """
    if add := compiled(add_noise, clip.device):
        stream = torch.as_tensor(stream, device=clip.device)
        address = [part.flatten() for part in torch.broadcast_tensors(seed, clip, stream)]
        white = clip.new_zeros(*clip.shape, samples, dtype=torch.float32)
        begin = torch.arange(clip.numel(), device=clip.device) * samples
        count, height = torch.full_like(begin, samples), torch.ones_like(begin, dtype=torch.float32)
        add(white.view(-1), begin, count, height, *address)
        return white
    blocks = torch.arange(-(-samples // 8), device=clip.device)
    if isinstance(stream, Tensor):
        stream = stream[..., None]
    c0, c1, c2, c3 = random_words(seed[..., None], clip[..., None], stream, blocks)
    if is_exporting():
        # The same halves, without another view of the memory.
        words = torch.stack((c0, c1, c2, c3), dim=-1)
        halves = torch.stack((words & 0xFFFF, words >> 16), dim=-1).flatten(-3)[..., :samples]
        return (halves.float() - 32767.5) * 2.0**-15
    # As a signed number, a half with its top bit flipped is the half less 2**15.
    pairs = torch.stack((c0 ^ (c1 << 32), c2 ^ (c3 << 32)), dim=-1).bitwise_xor_(_SIGNS)
    halves = pairs.view(torch.int16).flatten(-2)[..., :samples]
    return halves.float().add_(0.5).mul_(2.0**-15)


def add_noise(
    wave: np.ndarray,
    begin: np.ndarray,
    count: np.ndarray,
    height: np.ndarray,
    seed: np.ndarray,
    clip: np.ndarray,
    stream: np.ndarray,
) -> None:
    """Add the `noise` of n places to a wave, in place and one after another: a loop for `compiled`.

    Args:
        wave: (samples,) float32.
        begin, count: (n,) int64, where in the wave a noise begins, and how many samples it has.
        height: (n,) float32, what it is multiplied by.
        seed, clip, stream: (n,) int64.
    """
    multiplier_0, multiplier_1 = np.uint64(_MULTIPLIERS[0]), np.uint64(_MULTIPLIERS[1])
    increment_0, increment_1 = np.uint64(_KEY_INCREMENTS[0]), np.uint64(_KEY_INCREMENTS[1])
    mask, bits = np.uint64(_WORD), np.uint64(32)
    middle, step = np.float32(32767.5), np.float32(2.0**-15)
    # This many blocks at a time stay in the fastest cache.
    words = np.empty((256, 4), np.uint32)
    halves = words.view(np.uint16).reshape(-1)
    for row in range(len(begin)):
        key, name = np.uint64(seed[row]), np.uint64(clip[row])
        for first in range(0, count[row], len(halves)):
            samples = min(len(halves), count[row] - first)
            for block in range((samples + 7) // 8):
                c0, c1 = np.uint64(first // 8 + block), np.uint64(stream[row])
                c2, c3 = name & mask, name >> bits
                k0, k1 = key & mask, key >> bits
                for _ in range(_ROUNDS):
                    product0, product2 = c0 * multiplier_0, c2 * multiplier_1
                    c0, c1 = (product2 >> bits) ^ c1 ^ k0, product2 & mask
                    c2, c3 = (product0 >> bits) ^ c3 ^ k1, product0 & mask
                    k0, k1 = (k0 + increment_0) & mask, (k1 + increment_1) & mask
                words[block, 0], words[block, 1] = c0, c1
                words[block, 2], words[block, 3] = c2, c3
            # A slice, since indices that may be below 0 would keep the compiler from vector instructions.
            part, scale = wave[begin[row] + first :][:samples], height[row]
            for sample in range(len(part)):
                part[sample] += (np.float32(halves[sample]) - middle) * step * scale
