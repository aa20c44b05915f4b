"""The random augmentation of fine-tuning, a batch at a time, and its random numbers.

Every draw is a pure function of (seed, test fold, epoch, clip). So a run is the same, to rounding,
on any device, and to the bit however often it is killed and resumed. In the shapes, B is the number
of clips in a batch; "draws" are the result of `draw` for them. The loop is in
`audiopg.transfer.finetune`.
"""

import torch
from torch import Tensor

from audiopg.random import STREAMS, permutation, random_words, uniform

# The columns of a clip's draws in an epoch: for its roll, for mixup, for the width and the start of
# each mask of SpecAugment; all from _DEPTH on are for stochastic depth.
_ROLL, _MIXUP, _TIME_MASK, _BAND_MASK, _DEPTH = 0, 1, slice(2, 4), slice(4, 6), 6
# Clips whose numbers are drawn at once; bounds the memory, does not change them.
_CLIPS_AT_ONCE = 1024


def fold_key(seed: int, fold: int) -> Tensor:
    """The key of all that is random while a fold is the test fold: () int64."""
    place = torch.tensor(0)
    low, high, _, _ = random_words(
        torch.tensor(seed), torch.tensor(fold), STREAMS["fold_key"], place
    )
    return low | (high << 32)


def epoch_order(key: Tensor, epoch: int, clips: int) -> Tensor:
    """The order in which an epoch, counted from 0, goes through the training clips: (clips,)."""
    return permutation(key, torch.tensor(epoch), STREAMS["epoch_order"], clips)


def addresses(clips: Tensor, epoch: int) -> Tensor:
    """The addresses of the random numbers of clips in an epoch: one int64 for each."""
    return clips + (epoch << 32)


def draw(key: Tensor, places: Tensor, depth: int) -> Tensor:
    """Random numbers from U[0, 1) for the functions below, for an encoder of so many blocks.

    Args:
        places: (clips,) int64, the `addresses` of the clips.

    Returns:
        (clips, 6 + 2 * depth) float32.
    """
    return _uniform(key, places, STREAMS["augmentation"], _DEPTH + 2 * depth)


def draw_patches(key: Tensor, places: Tensor, patches: int) -> Tensor:
    """As `draw`, for `drop_patches`: (clips, patches), a number for each patch of the longest clip."""
    return _uniform(key, places, STREAMS["patch_dropout"], patches)


def random_roll(draws: Tensor, frames: Tensor) -> Tensor:
    """By how many of their frames to roll clips, each number equally likely: (B,) int64."""
    return _below(draws[:, _ROLL], frames)


def mix(draws: Tensor, values: Tensor, most: float) -> Tensor:
    """Mixup (Zhang et al., 2018) of (B, ...) spectrograms or targets.

    A share of each row is that of the row before it; the share is uniform up to ``most``.
    """
    share = (most * draws[:, _MIXUP]).reshape(-1, *[1] * (values.ndim - 1))
    return torch.lerp(values, values.roll(1, 0), share)


def spec_augment(draws: Tensor, mel: Tensor, frames: Tensor, time: float, bands: float) -> Tensor:
    """SpecAugment (Park et al., 2019): one run of frames and one of bands is set to 0, the mean.

    The width of a run is uniform up to the largest, and so is its start where the run fits.

    Args:
        draws: (B, draws).
        mel: (B, T, 128), standardised; what is returned has the same shape.
        frames: (B,) int64, how many of the T are the clip's own.
        time, bands: the largest share of its frames, and of the bands.
    """
    all_bands = torch.full_like(frames, mel.shape[2])
    in_time = _runs(draws[:, _TIME_MASK], frames, time, mel.shape[1])
    in_bands = _runs(draws[:, _BAND_MASK], all_bands, bands, mel.shape[2])
    return mel.masked_fill(in_time[:, :, None] | in_bands[:, None, :], 0)


def stochastic_depth(draws: Tensor, most: float) -> Tensor:
    """Stochastic depth (Huang et al., 2016): the factor of each branch of each block.

    A clip's branch is left out, with the factor 0, with a probability that grows evenly from 0 in the
    first block to ``most`` in the last; the factor of a branch that is kept makes up for the others.

    Returns:
        (depth, 2, B, 1, 1) float32, the attention's first, then the perceptron's.
    """
    branches = draws[:, _DEPTH:].unflatten(1, (-1, 2)).permute(1, 2, 0)
    rates = torch.linspace(0, most, len(branches), dtype=torch.float32, device=draws.device)
    rates = rates[:, None, None]
    return ((branches >= rates) / (1 - rates))[..., None, None]


def drop_patches(
    draws: Tensor, patches: Tensor, longest: int, share: float
) -> tuple[Tensor, Tensor]:
    """The patches left when a share is left out (patchout of Koutini et al., 2022).

    Args:
        draws: (B, patches), from `draw_patches`; a clip keeps the patches of the smallest draws.
        patches: (B,) int64, patches of each clip.
        longest: the most of them in the batch.
        share: of each clip's patches that is left out; at least one is kept.

    Returns:
        (B, V) int64, patches, and (B,) int64, how many of these, from the first on, are the clip's
        own. V is the most that a clip of the batch keeps.
    """
    most = int(_kept(torch.tensor(longest), share))
    # What lies behind the end of a clip comes last.
    behind = torch.arange(longest, device=draws.device) >= patches[:, None]
    order = (draws[:, :longest] + 2 * behind).argsort(dim=1, stable=True)
    return order[:, :most], _kept(patches, share)


def _uniform(key: Tensor, places: Tensor, stream: int, columns: int) -> Tensor:
    """(clips, columns) float32, many clips at once, so that launches on a GPU do not add up."""
    column = torch.arange(columns, device=places.device)
    parts = places[:, None].split(_CLIPS_AT_ONCE)
    return torch.cat([uniform(key, part, stream, column).float() for part in parts])


def _kept(patches: Tensor, share: float) -> Tensor:
    """The number of patches left when a share is dropped, at least one."""
    return (patches.float() * (1 - share)).long().clamp(min=1)


def _below(draws: Tensor, limits: Tensor) -> Tensor:
    """Whole numbers from 0 to the limit less 1, equally likely: (B,) int64."""
    # In single precision a draw close to 1 may be rounded up to 1.
    return (draws * limits).long().clamp(max=limits - 1)


def _runs(draws: Tensor, lengths: Tensor, share: float, places: int) -> Tensor:
    """From draws (B, 2), a run within each length, as a mask, (B, places) bool."""
    widths = _below(draws[:, 0], (lengths.float() * share).long() + 1)
    starts = _below(draws[:, 1], lengths - widths + 1)
    place = torch.arange(places, device=draws.device)
    return (place >= starts[:, None]) & (place < (starts + widths)[:, None])
