"""Folds that are dealt: grouped, even, checked, and the same for ever."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from audiopg.datasets.folds import deal_folds
from audiopg.errors import InputError


def one_hot(classes):
    return np.eye(int(np.max(classes)) + 1, dtype=bool)[np.asarray(classes)]


def lacking(labels, folds):
    """The classes with clips in some fold and in no other, by asking fold after fold."""
    return {
        c
        for fold in set(folds)
        for c in range(labels.shape[1])
        if labels[folds == fold, c].any() and not labels[folds != fold, c].any()
    }


def fewest_possible(labels, groups, n_folds):
    """By trying every division that leaves no fold empty."""
    n_groups = groups.max() + 1
    return min(
        len(lacking(labels, np.array(division)[groups]))
        for division in product(range(n_folds), repeat=int(n_groups))
        if len(set(division)) == n_folds
    )


@settings(max_examples=60)
@given(data=st.data())
def test_no_class_lacks_training_where_any_division_would_do(data):
    n_folds = data.draw(st.integers(2, 3))
    n_groups = data.draw(st.integers(n_folds, 6))
    n_classes = data.draw(st.integers(1, 6))
    more = data.draw(st.lists(st.integers(0, n_groups - 1), max_size=6))
    groups = np.array([*range(n_groups), *more])
    draw = st.lists(st.booleans(), min_size=n_classes, max_size=n_classes)
    labels = np.array([data.draw(draw) for _ in groups])
    folds = deal_folds(labels, groups, n_folds, data.draw(st.integers(0, 9)))
    assert set(folds) == set(range(1, n_folds + 1))
    for group in range(n_groups):
        assert len(set(folds[groups == group])) == 1
    assert len(lacking(labels, folds)) == fewest_possible(labels, groups, n_folds)


def test_where_scikit_learn_leaves_a_class_untrained():
    # Clips of `findings/class_left_untrained.sh`, where it was seen with scikit-learn 1.9.1.
    groups = np.array([0, 1, 2, 2, 3, 3, 3])
    classes = np.array([0, 1, 1, 2, 0, 0, 2])
    theirs = np.zeros(len(groups), dtype=int)
    for fold, (_, test) in enumerate(StratifiedGroupKFold(2).split(classes, classes, groups)):
        theirs[test] = fold
    assert lacking(one_hot(classes), theirs)
    assert not lacking(one_hot(classes), deal_folds(one_hot(classes), groups, 2))


def test_classes_and_clips_lie_as_evenly_as_scikit_learn_deals_them():
    generator = np.random.default_rng(0)
    sizes = generator.integers(1, 8, 120)
    groups = np.repeat(np.arange(120), sizes)
    classes = np.repeat(generator.choice(6, 120, p=[0.4, 0.2, 0.2, 0.1, 0.05, 0.05]), sizes)

    def unevenness(folds):
        """Deviation over folds of the share that each has of a class, in the mean of classes."""
        counts = np.array([np.bincount(classes[folds == fold], minlength=6) for fold in set(folds)])
        return (counts / counts.sum(0)).std(0).mean()

    theirs = np.zeros(len(groups), dtype=int)
    for fold, (_, test) in enumerate(StratifiedGroupKFold(5).split(classes, classes, groups)):
        theirs[test] = fold
    ours = deal_folds(one_hot(classes), groups)
    assert unevenness(ours) < 1.1 * unevenness(theirs)
    assert np.ptp(np.bincount(ours)[1:]) <= 8


def test_a_division_is_a_function_of_the_seed_and_stays_what_it_is():
    classes, groups = np.arange(12) % 3, np.arange(12)
    first, again, other = (deal_folds(one_hot(classes), groups, 3, seed) for seed in (0, 0, 1))
    assert first.tolist() == again.tolist() != other.tolist()
    # What was dealt once: a run on one's own recordings is resumed with the same folds.
    assert first.tolist() == [1, 2, 1, 2, 1, 1, 3, 3, 3, 3, 2, 2]


def test_fewer_groups_than_folds_is_one_sentence():
    with pytest.raises(InputError, match="there are 2 groups of clips, fewer than 3 folds"):
        deal_folds(one_hot([0, 1, 0, 1]), np.array([0, 0, 1, 1]), 3)
    with pytest.raises(InputError, match="n_folds is 1"):
        deal_folds(one_hot([0, 1]), np.array([0, 1]), 1)
