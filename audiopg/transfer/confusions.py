"""Where a classifier errs, and what it might have heard (Section 4.2, Table 2).

`audiopg.transfer.kinds` says which kinds of sound the classes are.
"""

from collections.abc import Sequence

import numpy as np
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from audiopg._types import DataFrame
from audiopg.datasets import LabelledClips
from audiopg.errors import InputError
from audiopg.inputs import as_float64, require_kind, whole_number
from audiopg.transfer.kinds import class_kinds
from audiopg.transfer.statistics import Tested, by_seed


def confusion_matrix(result: Tested, clips: LabelledClips) -> np.ndarray:
    """How often clips of each class were given each class: (classes, classes) int64, true first.

    Where a clip has one class, all test clips are counted, over all seeds; so a row sums to its
    clips. Where it can have several, a clip of class a that is not of class b counts in row a and
    column b if b is given a probability of a half or more; the diagonal counts what was found.

    Raises:
        InputError: for a result of other clips.
    """
    return _count(result, clips)[0]


def most_confused(result: Tested, clips: LabelledClips, most: int = 10) -> DataFrame:
    """The most frequent confusions, as in Table 2, with what might explain them.

    Args:
        result: of a probe or of fine-tuning.
        clips: labels and classes.
        most: rows at most.

    Returns:
        A row a confusion that happened, those of the highest rate first, and of one rate those of
        most clips: "true class", "confused as", "rate (%)" of the clips of the true class (that are
        not of the other, too), "clips", of how many ("of"), over all seeds; the "kinds" that the
        two classes share, and "why", the reasons of `kinds_table`, which is empty for a data set
        that has none.
    """
    return rank_confusions(*_count(result, clips), clips.classes, clips.name, most)


def rank_confusions(
    counts: np.ndarray, totals: np.ndarray, classes: Sequence[str], name: str, most: int
) -> DataFrame:
    """The table of `most_confused` from a matrix of confusions.

    Args:
        counts: (classes, classes) int64, how often, true first.
        totals: (classes, classes) int64, out of how many.
        classes: their names.
        name: of the data set, for `class_kinds`.
        most: rows at most.

    Raises:
        InputError: for a number of rows that is no whole number from 1.
    """
    import pandas

    most = whole_number(most, "most")
    rates = np.where(totals > 0, counts / np.maximum(totals, 1), 0.0)
    np.fill_diagonal(rates, 0)
    kinds = class_kinds(name)
    rows = []
    for place in np.lexsort((-counts.ravel(), -rates.ravel()))[:most]:
        true, other = np.unravel_index(place, counts.shape)
        if rates[true, other] == 0:
            break
        pair = classes[true], classes[other]
        known = [kinds[label] for label in pair if label in kinds]
        shared, why = "", ""
        if len(known) == 2:
            shared = ", ".join(kind for kind in known[0][0] if kind in known[1][0]) or "none shared"
            why = " / ".join(reason for _, reason in known)
        rate = round(100 * rates[true, other], 1)
        rows.append((*pair, rate, counts[true, other], totals[true, other], shared, why))
    columns = ["true class", "confused as", "rate (%)", "clips", "of", "kinds", "why"]
    return pandas.DataFrame(rows, columns=columns)


def nearest_clips(
    queries: Tensor, candidates: Tensor, most: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """The candidates that lie nearest to each query, such as synthetic clips to a recording.

    Nearness is the cosine of the angle between embeddings. Each dimension is standardised over all of
    them, since what all clips share would make all cosines large.

    Args:
        queries: (Q, D).
        candidates: (N, D).
        most: how many for each.

    Returns:
        (Q, most) int64 indices, the nearest first, and their cosines.

    Raises:
        InputError: for embeddings that do not fit together or are not finite, or fewer candidates
            than wanted.
    """
    queries, candidates = as_float64(queries, "queries"), as_float64(candidates, "candidates")
    if queries.ndim != 2 or candidates.ndim != 2 or queries.shape[1] != candidates.shape[1]:
        raise InputError(
            f"the embeddings have shapes {tuple(queries.shape)} and {tuple(candidates.shape)}; "
            "give (clips, dimensions), of one encoder."
        )
    most = whole_number(most, "most")
    if most > len(candidates):
        raise InputError(f"most is {most}; give 1 to {len(candidates)}, the number of candidates.")
    if not (queries.isfinite().all() and candidates.isfinite().all()):
        raise InputError("some embeddings are not finite, so none is near them; leave them out.")
    both = [values.cpu().numpy() for values in (queries, candidates)]
    scaler = StandardScaler().fit(np.concatenate(both))
    cosines = cosine_similarity(*map(scaler.transform, both))
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :most]
    return nearest, np.take_along_axis(cosines, nearest, axis=1)


def _count(result: Tested, clips: LabelledClips) -> tuple[np.ndarray, np.ndarray]:
    """Confusions, and out of how many: (classes, classes) int64 each."""
    require_kind(clips, LabelledClips, "clips")
    n_classes, scores = len(clips.classes), by_seed(result)
    _, n_scored, n_known = scores.shape
    metric = "mAP" if clips.multi_label else "accuracy"
    if (result.metric, n_scored) != (metric, len(clips)) or n_known > n_classes:
        raise InputError(
            f"the result is the {result.metric} of {n_scored} clips of {n_known} classes, not that of "
            f"the {len(clips)} clips of {clips.name}; give the clips that it was made with."
        )
    labels, counts = clips.labels, np.zeros((n_classes, n_classes), dtype=np.int64)
    if not clips.multi_label:
        for predictions in np.atleast_2d(result.predictions):
            tested = predictions >= 0
            np.add.at(counts, (labels[tested], predictions[tested]), 1)
        return counts, np.broadcast_to(counts.sum(axis=1, keepdims=True), counts.shape)
    totals = np.zeros_like(counts)
    for one in scores:
        tested = ~np.isnan(one).any(axis=1)
        has, given = labels[tested].astype(np.int64), (one[tested] >= 0.5).astype(np.int64)
        counts += has.T @ (given * (1 - has)) + np.diag((has * given).sum(axis=0))
        totals += has.T @ (1 - has) + np.diag(has.sum(axis=0))
    return counts, totals
