"""Intervals and paired tests, against scipy, scikit-learn and their definitions written out."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import average_precision_score

from audiopg.errors import InputError
from audiopg.transfer import (
    ProbeResult,
    bootstrap_interval,
    holm,
    mcnemar,
    mean_average_precision,
    paired_p_value,
    probe_table,
    significance_table,
)


def right_and_wrong(correct, folds, tested=None):
    """A result of two classes, of which all clips have the first, right where it says so."""
    correct = np.asarray(correct, dtype=bool)
    scores = np.where(correct[:, None], [0.9, 0.1], [0.2, 0.8])
    tested = sorted(set(folds.tolist())) if tested is None else tested
    scores[~np.isin(folds, tested)] = np.nan
    values = np.array([correct[folds == fold].mean() for fold in tested])
    return ProbeResult(list(tested), "accuracy", values, scores, np.ones(len(tested)))


def test_folds_that_a_result_was_not_made_with_are_refused():
    folds = np.arange(30) % 3
    result = right_and_wrong(np.arange(30) % 2, folds, tested=[1, 2])
    labels = np.zeros(30, dtype=int)
    for use in (bootstrap_interval, lambda one, *rest: paired_p_value(one, one, *rest)):
        with pytest.raises(InputError, match=r"^some folds hold clips that were tested and others"):
            use(result, labels, np.sort(folds))


def test_clips_count_in_the_fold_that_they_were_tested_in_whatever_the_result_calls_it():
    folds = np.arange(30) % 3
    correct = np.arange(30) % 2 | (folds == 2)
    result = right_and_wrong(correct, folds, tested=[1, 2])
    labels = np.zeros(30, dtype=int)
    expected = bootstrap_interval(result, labels, folds)
    # As of a fine-tuning that validates: the clips of other folds than those that it is named after.
    for named in ([1, 2], [0, 1]):
        result.folds[:] = named
        assert bootstrap_interval(result, labels, folds) == expected
    # Half of fold 1 and all of fold 2 are right: the mean is 3/4, and only fold 1 varies.
    assert expected[0] < 0.75 < expected[1] < 1


@dataclass
class Seeds:
    """What fine-tuning with several seeds gives, of results with one each."""

    results: list

    def __getattr__(self, name):
        return getattr(self.results[0], name)

    @property
    def scores(self):
        return np.stack([result.scores for result in self.results])

    @property
    def predictions(self):
        return np.stack([result.predictions for result in self.results])

    @property
    def mean(self):
        return np.mean([result.mean for result in self.results])


def ranked(scores, labels, folds):
    values = np.array(
        [mean_average_precision(scores[folds == f], labels[folds == f])[0] for f in set(folds)]
    )
    return ProbeResult(sorted(set(folds.tolist())), "mAP", values, scores, np.ones(len(values)))


def make_ranking(clips=60, classes=4, skill=1.0, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.random((clips, classes)) < 0.3
    return skill * labels + rng.normal(size=labels.shape), labels


@pytest.mark.parametrize("given", [None, "probe", 0.9, np.ones((4, 2)), [0.1] * 1000])
def test_what_is_no_result_is_one_sentence(given):
    labels, folds = np.arange(4) % 2, np.arange(4) // 2
    good = right_and_wrong([True, False, True, True], folds)
    for use in (
        lambda: bootstrap_interval(given, labels, folds),
        lambda: paired_p_value(good, given, labels, folds),
        lambda: probe_table({"row": given}, 2),
        lambda: significance_table({"this": good, "row": given}, labels, folds, "this"),
        lambda: significance_table(given, labels, folds, "this"),
        lambda: significance_table([given], labels, folds, "this"),
    ):
        with pytest.raises(
            InputError, match=r"is no result; give what|results are given as"
        ) as said:
            use()
        assert len(str(said.value)) < 200


RIGHT = np.array([True, True, False, True])
SCORES, LABELS = make_ranking(clips=6, classes=2)


@pytest.mark.parametrize(
    "values", [[0.01, np.nan], [-0.1, 0.2], [2.0, 0.1], [[0.1, 0.2]], 0.1, None, ["x"]]
)
def test_what_is_no_p_value_is_refused(values):
    with pytest.raises(InputError, match="p_values"):
        holm(values)
    with pytest.raises(InputError, match="p_values are masked"):
        holm(np.ma.array([0.1, 0.2], mask=[False, True]))


@pytest.mark.parametrize(
    "other",
    [
        [True],
        RIGHT[:, None],
        RIGHT * 2,
        RIGHT - 0.5,
        [*"abcd"],
        None,
        np.ma.array(RIGHT, mask=RIGHT),
    ],
)
def test_what_does_not_say_which_clips_are_right_is_refused(other):
    for pair in ((RIGHT, other), (other, RIGHT)):
        with pytest.raises(InputError, match=r"first|second"):
            mcnemar(*pair)
    assert mcnemar(RIGHT.astype(float), (~RIGHT).tolist()) == mcnemar(RIGHT, ~RIGHT)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"scores": np.where(SCORES[0] == SCORES, np.nan, SCORES)},
            "scores of 1 of 6 clips are not",
        ),
        ({"labels": np.vstack((LABELS, LABELS))}, r"labels have shape \(12, 2\)"),
        ({"labels": LABELS[:, :1]}, r"labels have shape \(6, 1\) .* give bool of shape \(6, 2\)"),
        ({"labels": LABELS * 2}, "labels have shape .* and type int64; give bool"),
        ({"scores": SCORES[:, 0]}, r"scores have shape \(6,\)"),
        ({"counts": [1] * 6}, r"counts have shape \(6,\)"),
        ({"counts": [[1] * 5]}, r"give \(resamples, 6\)"),
        ({"counts": [[-1] * 6]}, "are not all 0 or more"),
    ],
)
def test_what_average_precision_cannot_be_of_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        mean_average_precision(**{"scores": SCORES, "labels": LABELS} | changes)
    expected = average_precision_score(LABELS, SCORES)
    for labels in (LABELS.astype(int), LABELS.tolist()):
        assert mean_average_precision(SCORES, labels)[0] == pytest.approx(expected)


# Average precision


@settings(max_examples=60)
@given(st.data())
def test_average_precision_is_that_of_scikit_learn_with_its_weights(data):
    clips, classes = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 4))
    cells = st.lists(st.integers(0, 3), min_size=clips * classes, max_size=clips * classes)
    scores = np.array(data.draw(cells), dtype=float).reshape(clips, classes)
    labels = np.array(data.draw(cells)).reshape(clips, classes) < 2
    counts = np.array(data.draw(st.lists(st.integers(0, 3), min_size=clips, max_size=clips)))
    for weights in (np.ones(clips, dtype=int), counts):
        present = labels[weights > 0].any(axis=0)
        found = mean_average_precision(scores, labels, weights[None])[0]
        if not present.any():
            assert np.isnan(found)
            continue
        expected = average_precision_score(
            labels[:, present], scores[:, present], average="macro", sample_weight=weights
        )
        assert found == pytest.approx(expected, abs=1e-12)
    assert mean_average_precision(scores, labels).shape == (1,)


def test_a_clip_drawn_twice_counts_as_two_clips():
    scores, labels = make_ranking()
    counts = np.random.default_rng(1).integers(0, 3, (5, len(scores)))
    expected = [
        mean_average_precision(np.repeat(scores, c, axis=0), np.repeat(labels, c, axis=0))[0]
        for c in counts
    ]
    np.testing.assert_allclose(mean_average_precision(scores, labels, counts), expected, rtol=1e-12)


# Intervals


@pytest.mark.parametrize(("clips", "right"), [(400, 332), (87, 80), (40, 20)])
def test_the_interval_of_one_fold_is_that_of_the_binomial_distribution(clips, right):
    correct = np.arange(clips) < right
    folds = np.ones(clips, dtype=int)
    found = bootstrap_interval(right_and_wrong(correct, folds), np.zeros(clips, dtype=int), folds)
    # The bootstrap of a share is binomial; 10,000 draws can miss its quantile by one clip.
    expected = stats.binom.ppf([0.025, 0.975], clips, right / clips) / clips
    np.testing.assert_allclose(found, expected, atol=1 / clips + 1e-12)


def test_folds_are_resampled_apart_and_count_alike():
    sizes, rights = (30, 90), (24, 45)
    folds = np.repeat([1, 2], sizes)
    correct = np.concatenate([np.arange(n) < k for n, k in zip(sizes, rights, strict=True)])
    found = bootstrap_interval(right_and_wrong(correct, folds), np.zeros(120, dtype=int), folds)
    # All pairs of outcomes, with their probabilities.
    grids = [np.arange(n + 1) for n in sizes]
    shares = [stats.binom.pmf(g, n, k / n) for g, n, k in zip(grids, sizes, rights, strict=True)]
    means = np.add.outer(grids[0] / sizes[0], grids[1] / sizes[1]).ravel() / 2
    order, weights = means.argsort(), np.multiply.outer(*shares).ravel()
    reached = weights[order].cumsum()
    expected = [means[order][np.searchsorted(reached, q)] for q in (0.025, 0.975)]
    # The standard error of a 2.5 % quantile of 10,000 draws, four times.
    deviation = np.sqrt(sum((k / n) * (1 - k / n) / n for n, k in zip(sizes, rights, strict=True)))
    density = stats.norm.pdf(stats.norm.ppf(0.025)) / (deviation / 2)
    np.testing.assert_allclose(found, expected, atol=4 * np.sqrt(0.025 * 0.975 / 1e4) / density)


def test_an_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    folds = np.repeat([1, 2, 3, 4, 5], 60)
    labels = np.zeros(300, dtype=int)
    held = []
    for trial in range(400):
        result = right_and_wrong(rng.random(300) < 0.8, folds)
        low, high = bootstrap_interval(result, labels, folds, seed=trial)
        held.append(low <= 0.8 <= high)
    # Four standard errors of 400 trials below and above 95 %.
    assert abs(np.mean(held) - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 400)


def test_the_mean_over_seeds_varies_less_than_one_seed():
    rng = np.random.default_rng(0)
    folds, labels = np.ones(200, dtype=int), np.zeros(200, dtype=int)
    runs = [right_and_wrong(rng.random(200) < 0.7, folds) for _ in range(4)]
    one, four = (bootstrap_interval(r, labels, folds) for r in (runs[0], Seeds(runs)))
    # Independent runs: half the deviation. The share that 10,000 draws can be off is 4 %.
    assert (four[1] - four[0]) / (one[1] - one[0]) == pytest.approx(0.5, rel=0.1)


def test_the_interval_of_average_precision_is_that_of_a_plain_loop():
    scores, labels = make_ranking(clips=40, classes=3)
    folds = np.repeat([1, 2], 20)
    found = bootstrap_interval(ranked(scores, labels, folds), labels, folds, seed=5)
    generator, means = np.random.default_rng(5), np.zeros(1000)
    for fold in (1, 2):
        rows = np.flatnonzero(folds == fold)
        for place, count in enumerate(generator.multinomial(20, np.full(20, 1 / 20), 1000)):
            drawn = rows[np.repeat(np.arange(20), count)]
            present = labels[drawn].any(axis=0)
            means[place] += average_precision_score(
                labels[drawn][:, present], scores[drawn][:, present], average="macro"
            )
    np.testing.assert_allclose(found, np.quantile(means / 2, [0.025, 0.975]), rtol=1e-9)


def test_where_all_is_right_the_interval_is_a_point():
    folds = np.ones(50, dtype=int)
    result = right_and_wrong(np.ones(50), folds)
    assert bootstrap_interval(result, np.zeros(50, dtype=int), folds) == (1.0, 1.0)


# Clips of one source


def test_clips_that_are_sources_of_their_own_give_what_none_give():
    rng = np.random.default_rng(0)
    folds, labels = np.repeat([1, 2], 40), np.zeros(80, dtype=int)
    results = [right_and_wrong(rng.random(80) < share, folds) for share in (0.6, 0.8)]
    runs = [Seeds([result, right_and_wrong(rng.random(80) < 0.7, folds)]) for result in results]
    scores, several = make_ranking(clips=80)
    rankings = [ranked(scores + shift, several, folds) for shift in (0, rng.normal(size=(80, 4)))]
    for one, other, of in ((*results, labels), (*runs, labels), (*rankings, several)):
        for sources in (np.arange(80), pandas.Series(3 * np.arange(80) + 7)):
            interval = bootstrap_interval(one, of, folds, sources=sources)
            assert interval == bootstrap_interval(one, of, folds)
            found = paired_p_value(one, other, of, folds, sources=sources)
            assert found == paired_p_value(one, other, of, folds)
    with pytest.raises(InputError, match="sources have shape"):
        bootstrap_interval(results[0], labels, folds, sources=folds[:3])
    with pytest.raises(InputError, match="sources have shape"):
        paired_p_value(*results, labels, folds, sources=folds[:3])


def test_a_recording_cut_into_many_clips_counts_once():
    rng = np.random.default_rng(0)
    folds, labels = np.repeat([1, 2], 40), np.zeros(80, dtype=int)
    correct = rng.random((2, 80)) < [[0.6], [0.75]]
    many, sources = np.repeat(correct, 5, axis=1), np.repeat(np.arange(80), 5)
    whole = [right_and_wrong(right, folds) for right in correct]
    cut = [right_and_wrong(right, np.repeat(folds, 5)) for right in many]
    of_cut = np.repeat(labels, 5), np.repeat(folds, 5)
    expected = bootstrap_interval(whole[0], labels, folds)
    assert bootstrap_interval(cut[0], *of_cut, sources=sources) == expected
    # As clips of their own they seem to be five times as many.
    low, high = bootstrap_interval(cut[0], *of_cut)
    assert (expected[1] - expected[0]) / (high - low) == pytest.approx(5**0.5, rel=0.1)
    exact = mcnemar(*correct)
    found = paired_p_value(*cut, *of_cut, sources=sources)
    assert found == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 1e4) + 1e-4)
    assert paired_p_value(*cut, *of_cut) < exact / 10


def test_a_fold_of_one_source_has_no_interval():
    folds, labels = np.repeat([1, 2], 20), np.zeros(40, dtype=int)
    one, other = (right_and_wrong(np.arange(40) % n > 0, folds) for n in (2, 3))
    with pytest.warns(
        UserWarning, match="^all clips of a test fold have one source, so there is no"
    ):
        assert np.isnan(bootstrap_interval(one, labels, folds, sources=folds)).all()
    with pytest.warns(UserWarning, match="one source"):
        table = significance_table({"a": one, "b": other}, labels, folds, "a", folds)
    assert table[["95 % from", "95 % to"]].isna().all(axis=None)
    # Both folds differ the same way: half of the four ways to exchange them.
    assert table.loc["b", "p"] == pytest.approx(0.5, abs=0.02)


def test_folds_of_one_clip_tell_nothing_of_how_far_clips_lie_apart():
    folds, labels = np.arange(12), np.zeros(12, dtype=int)
    with pytest.warns(UserWarning, match="one source"):
        found = bootstrap_interval(right_and_wrong(folds % 3 > 0, folds), labels, folds)
    assert np.isnan(found).all()


def test_a_validation_reports_a_fold_under_the_name_of_another():
    folds = np.arange(30) % 3
    tested = right_and_wrong(np.arange(30) // 3 < np.array([3, 5, 8])[folds], folds)
    validated = replace(tested, values=np.roll(tested.values, 1))
    expected, found = (
        bootstrap_interval(one, np.zeros(30, dtype=int), folds) for one in (tested, validated)
    )
    assert found == expected


def test_the_interval_over_sources_is_that_of_a_plain_loop():
    rng = np.random.default_rng(4)
    # Sources 0 to 11 have clips in fold 1, 12 to 21 in fold 2, and 22 to 29 in both.
    folds = np.repeat([1, 2], [70, 50])
    sources = np.concatenate(
        [rng.choice([*range(12), *range(22, 30)], 70), rng.integers(12, 30, 50)]
    )
    correct, labels = rng.random(120) < 0.3 + 0.5 * (sources % 2), np.zeros(120, dtype=int)
    found = bootstrap_interval(right_and_wrong(correct, folds), labels, folds, sources=sources)
    generator, means = np.random.default_rng(11), np.zeros(20_000)
    within = [{*sources[folds == fold].tolist()} for fold in (1, 2)]
    strata = [within[0] - within[1], within[1] - within[0], within[0] & within[1]]
    clips = {source: np.flatnonzero(sources == source) for source in range(30)}
    for place in range(len(means)):
        drawn = [one for stratum in strata for one in generator.choice([*stratum], len(stratum))]
        rows = np.concatenate([clips[source] for source in drawn])
        means[place] = np.mean([correct[rows][folds[rows] == fold].mean() for fold in (1, 2)])
    # Both are of random draws: four standard errors of a quantile in the tail, which is about normal.
    error = means.std() * np.sqrt(0.025 * 0.975 * (1 / 1e4 + 1 / 2e4)) / 0.0584
    np.testing.assert_allclose(found, np.quantile(means, [0.025, 0.975]), atol=4 * error)


def test_intervals_and_tests_are_as_sure_as_they_say_where_sources_lie_in_several_folds():
    rng = np.random.default_rng(0)
    folds, sources, labels = (
        np.repeat([1, 2, 3, 4], 60),
        np.tile(np.arange(60), 4),
        np.zeros(240, int),
    )
    held, alarms = [], []
    for trial in range(200):
        # All four clips of a recording are right, or all are wrong.
        one, other = (right_and_wrong(np.tile(rng.random(60) < 0.7, 4), folds) for _ in "ab")
        low, high = bootstrap_interval(one, labels, folds, trial, sources)
        held.append(low <= 0.7 <= high)
        alarms.append(paired_p_value(one, other, labels, folds, trial, sources) <= 0.05)
    error = np.sqrt(0.05 * 0.95 / 200)
    assert np.mean(held) > 0.95 - 4 * error
    assert np.mean(alarms) < 0.05 + 4 * error


def test_average_precision_is_bootstrapped_over_sources_too():
    scores, labels = make_ranking(clips=30, classes=3)
    folds, sources = np.ones(30, dtype=int), np.arange(30) // 3
    found = bootstrap_interval(ranked(scores, labels, folds), labels, folds, 5, sources)
    means = []
    for count in np.random.default_rng(5).multinomial(10, np.full(10, 1 / 10), 1000):
        drawn = np.concatenate([np.flatnonzero(sources == s) for s in np.repeat(range(10), count)])
        present = labels[drawn].any(axis=0)
        means.append(average_precision_score(labels[drawn][:, present], scores[drawn][:, present]))
    np.testing.assert_allclose(found, np.quantile(means, [0.025, 0.975]), rtol=1e-9)


@pytest.mark.parametrize("metric", ["accuracy", "mAP"])
def test_sources_are_exchanged_whole(metric):
    rng = np.random.default_rng(1)
    folds, sources = np.repeat([1, 2], [12, 9]), np.array([0, 1, 2] * 4 + [3, 4, 5] * 3)
    if metric == "accuracy":
        labels = np.zeros(21, dtype=int)
        correct = rng.random((2, 21)) < [[0.4], [0.8]]
        results = [right_and_wrong(right, folds) for right in correct]
    else:
        scores, labels = make_ranking(clips=21, classes=2, seed=1)
        results = [ranked(s, labels, folds) for s in (scores, rng.normal(size=scores.shape))]
    differences = []
    for pattern in range(2**6):
        swap = (pattern >> sources & 1).astype(bool)[:, None]
        pair = [
            np.where(swap, *(result.scores for result in order))
            for order in (results, results[::-1])
        ]
        differences.append(0.0)
        for fold in (1, 2):
            rows = folds == fold
            one, other = (
                (each[rows].argmax(1) == labels[rows]).mean()
                if metric == "accuracy"
                else average_precision_score(labels[rows], each[rows], average="macro")
                for each in pair
            )
            differences[-1] += one - other
    expected = np.mean(np.abs(differences) >= abs(differences[0]) - 1e-12)
    found = paired_p_value(*results, labels, folds, sources=sources)
    n = {"accuracy": 1e4, "mAP": 1e3}[metric]
    assert found == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / n) + 1 / n)


# Paired tests


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_mcnemar_is_a_sign_test_of_the_clips_that_differ(pairs):
    first, second = np.array(pairs).T
    gained, lost = int((first & ~second).sum()), int((~first & second).sum())
    found = mcnemar(first, second)
    # Of all ways in which the clips that differ could have gone, those as uneven or more so.
    n = gained + lost
    ways = [math.comb(n, k) for k in range(n + 1) if abs(n - 2 * k) >= abs(gained - lost)]
    assert found == pytest.approx(sum(ways) / 2**n, rel=1e-9)
    assert mcnemar(second, first) == found


def test_mcnemar_has_no_underflow_or_overflow_for_thousands_of_clips():
    first, second = np.ones(5000, dtype=bool), np.zeros(5000, dtype=bool)
    assert mcnemar(first, second) == 0.0
    second[:2500] = True
    first[:2500] = False
    assert mcnemar(first, second) == 1.0


def test_results_of_one_run_are_compared_by_mcnemar():
    rng = np.random.default_rng(0)
    folds, labels = np.repeat([1, 2, 3], 40), np.zeros(120, dtype=int)
    correct = rng.random((2, 120)) < [[0.7], [0.8]]
    one, other = (right_and_wrong(c, folds, [1, 3]) for c in correct)
    tested = folds != 2
    expected = mcnemar(*correct[:, tested])
    assert paired_p_value(one, other, labels, folds) == expected


def test_results_of_several_seeds_are_compared_by_exchanging_clips():
    rng = np.random.default_rng(3)
    folds, labels = np.repeat([1, 2], [5, 7]), np.zeros(12, dtype=int)
    runs = [
        Seeds([right_and_wrong(rng.random(12) < share, folds) for _ in range(3)])
        for share in (0.3, 0.8)
    ]
    outcomes = [(run.predictions == 0).mean(axis=0) for run in runs]

    def difference(one, other, axis):
        gaps = one - other
        return gaps[..., :5].mean(axis=axis) + gaps[..., 5:].mean(axis=axis)

    expected = stats.permutation_test(
        outcomes, difference, permutation_type="samples", vectorized=True, n_resamples=np.inf
    ).pvalue
    found = paired_p_value(*runs, labels, folds)
    # Four standard errors of 10,000 exchanges; scipy doubles the smaller tail, which is the same.
    assert found == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 1e4) + 1e-4)


def test_average_precisions_are_compared_by_exchanging_clips():
    scores, labels = make_ranking(clips=9, classes=2, skill=1.0, seed=1)
    other = make_ranking(clips=9, classes=2, skill=0.0, seed=2)[0]
    folds = np.ones(9, dtype=int)
    results = [ranked(s, labels, folds) for s in (scores, other)]
    differences = []
    for pattern in range(2**9):
        swap = np.array([pattern >> bit & 1 for bit in range(9)], dtype=bool)[:, None]
        pair = np.where(swap, other, scores), np.where(swap, scores, other)
        one, two = (average_precision_score(labels, s, average="macro") for s in pair)
        differences.append(one - two)
    expected = np.mean(np.abs(differences) >= abs(differences[0]) - 1e-12)
    found = paired_p_value(*results, labels, folds)
    assert found == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 1e3) + 1e-3)


def test_a_result_does_not_differ_from_itself():
    scores, labels = make_ranking(clips=30)
    folds = np.repeat([1, 2], 15)
    result = ranked(scores, labels, folds)
    assert paired_p_value(result, result, labels, folds) == 1.0
    runs = Seeds([right_and_wrong(np.arange(30) % k > 0, folds) for k in (2, 3)])
    assert paired_p_value(runs, runs, np.zeros(30, dtype=int), folds) == 1.0


def test_a_paired_test_rejects_equals_no_more_often_than_it_says():
    rng = np.random.default_rng(0)
    folds, labels = np.ones(150, dtype=int), np.zeros(150, dtype=int)
    alarms = [
        paired_p_value(
            *(right_and_wrong(rng.random(150) < 0.7, folds) for _ in "ab"), labels, folds
        )
        <= 0.05
        for _ in range(400)
    ]
    assert np.mean(alarms) < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 400)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.999))
def test_holm_rejects_what_the_stepwise_procedure_rejects(p_values, level):
    p_values = np.array(p_values)
    adjusted = holm(p_values)
    rejected = np.zeros(len(p_values), dtype=bool)
    for step, place in enumerate(p_values.argsort(kind="stable")):
        if p_values[place] * (len(p_values) - step) > level:
            break
        rejected[place] = True
    np.testing.assert_array_equal(adjusted <= level, rejected)
    assert (adjusted >= p_values).all()
    assert (adjusted <= 1).all()


def test_holm_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert len(holm([])) == 0


# The table


def test_the_table_has_intervals_and_tests_against_one_row():
    rng = np.random.default_rng(0)
    folds, labels = np.repeat([1, 2], 100), np.zeros(200, dtype=int)
    results = {
        name: right_and_wrong(rng.random(200) < share, folds)
        for name, share in {"low": 0.3, "middle": 0.6, "high": 0.9}.items()
    }
    table = significance_table(results, labels, folds, against="middle")
    assert list(table.index) == list(results)
    columns = ["mean", "standard deviation", "95 % from", "95 % to", "over middle", "p", "p (Holm)"]
    assert list(table.columns) == columns
    for name, result in results.items():
        low, high = bootstrap_interval(result, labels, folds)
        figures = (result.mean, result.standard_deviation, low, high)
        np.testing.assert_array_equal(
            table.loc[name].iloc[:4], np.round(100 * np.array(figures), 1)
        )
    p = [
        paired_p_value(results[name], results["middle"], labels, folds) for name in ("low", "high")
    ]
    np.testing.assert_allclose(table.loc[["low", "high"], "p"], p, rtol=5e-3)
    np.testing.assert_allclose(table.loc[["low", "high"], "p (Holm)"], holm(p), rtol=5e-3)
    assert table.loc["middle"].isna().tolist() == [False] * 4 + [True] * 3
    gap = 100 * (results["high"].mean - results["middle"].mean)
    assert table.loc["high", "over middle"] == round(gap, 1)
    alone = significance_table({"middle": results["middle"]}, labels, folds, against="middle")
    assert len(alone) == 1


def test_what_cannot_be_compared_is_refused():
    folds, labels = np.repeat([1, 2], 10), np.zeros(20, dtype=int)
    both, one = (right_and_wrong(np.arange(20) % 3 > 0, folds, t) for t in ([1, 2], [1]))
    with pytest.raises(InputError, match="not of the same clips and metric"):
        paired_p_value(both, one, labels, folds)
    scores, several = make_ranking(clips=20)
    ranking = ranked(scores, several, folds)
    with pytest.raises(InputError, match="not of the same clips and metric"):
        paired_p_value(both, ranking, labels, folds)
    with pytest.raises(InputError, match="over several seeds have no paired test of mAP"):
        paired_p_value(Seeds([ranking, ranking]), ranking, several, folds)
    with pytest.raises(InputError, match=r"no row is called 'ours'; choose from \['theirs'\]"):
        significance_table({"theirs": both}, labels, folds, against="ours")


def test_labels_and_folds_of_a_table_are_taken_by_position():
    labels, folds, scores = np.arange(40) % 2, np.arange(40) // 10, np.zeros((40, 2))
    scores[np.arange(40), np.arange(40) // 3 % 2] = 1
    right = scores[np.arange(40), labels] == 1
    values = np.array([right[folds == fold].mean() for fold in range(4)])
    result = ProbeResult(list(range(4)), "accuracy", values, scores, np.ones(4))
    other = ProbeResult(list(range(4)), "accuracy", values, scores[::-1].copy(), np.ones(4))
    index = np.arange(40)[::-1] * 2
    tables = pandas.DataFrame({"label": labels}, index=index), pandas.Series(folds, index=index)
    assert bootstrap_interval(result, *tables) == bootstrap_interval(result, labels, folds)
    assert paired_p_value(result, other, *tables) == paired_p_value(result, other, labels, folds)
    with pytest.raises(InputError, match="folds have shape"):
        bootstrap_interval(result, labels, folds[:3])
    hits = pandas.Series(right, index=index), pandas.Series(~right)
    assert mcnemar(*hits) == mcnemar(right, ~right)
    several = pandas.DataFrame(np.stack((labels == 0, labels == 1), axis=1), index=index)
    precision = mean_average_precision(pandas.DataFrame(scores), several)
    assert precision == mean_average_precision(scores, several.to_numpy())
