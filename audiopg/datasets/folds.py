"""Folds for clips that came without: whole groups, each class spread evenly, and checked.

scikit-learn's `StratifiedGroupKFold` takes clips of one class only, and now and then leaves a class
with nothing to train on, or a fold empty, where another division would not.
"""

import numpy as np
import torch

from audiopg.errors import InputError
from audiopg.inputs import whole_number, whole_seed
from audiopg.random import STREAMS, permutation

_ATTEMPTS = 100


def deal_folds(
    labels: np.ndarray, groups: np.ndarray, n_folds: int = 5, seed: int = 0
) -> np.ndarray:
    """Deal clips into folds, a pure function of what is given.

    The groups come in an order of chance, the larger first, and each goes where the classes and
    the clips then lie most evenly: where the sum of squared shares, over classes and folds, grows
    least. If a class of several groups lies in one fold, so that nothing of it would be trained
    when that fold is tested, some of its groups move; if that is not enough, another order is
    tried, up to a hundred.

    Args:
        labels: (clips, classes) bool, the classes of each clip.
        groups: (clips,) integers from 0, equal for clips that have to be in one fold.
        n_folds: how many, from 2.
        seed: of the order.

    Returns:
        (clips,) int64, from 1 to ``n_folds``; no fold is empty. Of all orders tried, that which
        leaves the fewest classes untrained.

    Raises:
        InputError: for fewer groups than folds.
    """
    n_folds, seed = whole_number(n_folds, "n_folds", lowest=2), whole_seed(seed)
    n_groups = int(groups.max(initial=-1)) + 1
    if n_groups < n_folds:
        raise InputError(
            f"there are {n_groups} groups of clips, fewer than {n_folds} folds, and a group "
            "(a recording, its copies, or what the table calls one) is not divided; ask for fewer "
            "folds with n_folds (--n-folds), or add recordings."
        )
    counts = np.zeros((n_groups, labels.shape[1] + 1))
    np.add.at(counts, groups, np.column_stack((labels, np.ones(len(labels)))))
    best, fewest = None, np.inf
    for attempt in range(_ATTEMPTS):
        order = permutation(
            torch.tensor(seed), torch.tensor(attempt), STREAMS["fold_order"], n_groups
        ).numpy()
        fold_of = _spread(_evenly(counts, order, n_folds), counts > 0, n_folds)
        lacking = len(untrained(fold_of, counts > 0))
        if lacking < fewest:
            best, fewest = fold_of, lacking
        if not fewest:
            break
    return best[groups].astype(np.int64) + 1


def untrained(fold_of: np.ndarray, present: np.ndarray) -> np.ndarray:
    """The classes of several groups that all lie in one fold.

    Args:
        fold_of: (groups,) the fold of each.
        present: (groups, classes) bool, which classes a group has.
    """
    several = present.sum(0) > 1
    highest = np.where(present, fold_of[:, None], -1).max(0)
    lowest = np.where(present, fold_of[:, None], np.iinfo(np.int64).max).min(0)
    return np.flatnonzero(several & (highest == lowest))


def _evenly(counts: np.ndarray, order: np.ndarray, n_folds: int) -> np.ndarray:
    """The fold of each group, from 0, one after another to where the shares stay most even."""
    shares = counts / counts.sum(0).clip(1)
    order = order[np.argsort(-counts[order, -1], kind="stable")]
    fold_of, filled = np.zeros(len(counts), dtype=np.int64), np.zeros((n_folds, counts.shape[1]))
    for left, group in zip(range(len(order), 0, -1), order, strict=True):
        growth = (2 * filled + shares[group]) @ shares[group]
        empty = filled[:, -1] == 0
        if left <= empty.sum():
            growth[~empty] = np.inf
        # Sums of the same shares in another order are equals: then the fold with fewest clips.
        fold = np.lexsort((filled[:, -1], growth.round(12)))[0]
        fold_of[group] = fold
        filled[fold] += shares[group]
    return fold_of


def _spread(fold_of: np.ndarray, present: np.ndarray, n_folds: int) -> np.ndarray:
    """Move a group at a time while that leaves fewer classes untrained, and no fold empty."""
    fold_of, lacking = fold_of.copy(), untrained(fold_of, present)
    while len(lacking):
        moves = []
        for group in np.flatnonzero(present[:, lacking].any(1)):
            if (fold_of == fold_of[group]).sum() == 1:
                continue
            for fold in set(range(n_folds)) - {fold_of[group]}:
                moved = fold_of.copy()
                moved[group] = fold
                moves.append((len(untrained(moved, present)), group, fold))
        if not moves or min(moves)[0] >= len(lacking):
            break
        _, group, fold = min(moves)
        fold_of[group] = fold
        lacking = untrained(fold_of, present)
    return fold_of
