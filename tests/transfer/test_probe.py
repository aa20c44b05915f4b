"""The linear probe, against the same protocol written out with scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    PredefinedSplit,
    StratifiedGroupKFold,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info, threadpool_limits

from audiopg.errors import InputError
from audiopg.transfer import (
    FinetuneResult,
    ProbeResult,
    class_shares,
    linear_probe,
    log_mel_mean,
    log_mel_statistics,
    probe_table,
)

STRENGTHS = [1e-3, 1e-2, 1e-1, 1.0, 10.0]


@pytest.fixture(autouse=True)
def single_thread():
    """Keeps the reference from waiting for its own threads on a busy machine."""
    with threadpool_limits(1):
        yield


def make_clips(clips=200, dimensions=24, classes=5, n_folds=5, separation=0.5, seed=0):
    """Classes as Gaussian clouds, every class equally often in every fold."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.arange(classes), clips // classes)
    folds = np.repeat(np.arange(1, n_folds + 1), clips // n_folds)
    centres = separation * rng.normal(size=(classes, dimensions))
    scales = rng.uniform(0.1, 30, dimensions)
    features = (centres[labels] + rng.normal(size=(clips, dimensions))) * scales + scales
    return features, labels, folds


def make_several(clips=120, dimensions=10, classes=4, n_folds=3, seed=0):
    """Clips with any number of the classes each."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(clips, dimensions))
    logits = features @ rng.normal(size=(dimensions, classes))
    labels = logits + 3 * rng.normal(size=logits.shape) > 1
    return 5 * features + 1, labels, np.arange(clips) % n_folds + 1


def accuracies(folds, values, clips=6):
    n = len(folds)
    return ProbeResult(folds, "accuracy", np.array(values), np.full((clips, 2), np.nan), np.ones(n))


def reference_fold(features, labels, folds, test_fold):
    """One test fold with GridSearchCV and PredefinedSplit: (strength, predictions)."""
    train = folds != test_fold
    _, split = np.unique(folds[train], return_inverse=True)
    pipeline = Pipeline(
        [("scale", StandardScaler()), ("fit", LogisticRegression(max_iter=50_000, tol=1e-7))]
    )
    search = GridSearchCV(pipeline, {"fit__C": STRENGTHS}, cv=PredefinedSplit(split))
    search.fit(features[train], labels[train])
    return search.best_params_["fit__C"], search.predict(features[~train])


def reference_fold_by_hand(features, labels, folds, test_fold):
    """The same with the loops, the standardisation and the choice written out."""

    def accuracy_and_predictions(train, test, strength):
        mean, deviation = features[train].mean(axis=0), features[train].std(axis=0)
        model = LogisticRegression(C=strength, max_iter=50_000, tol=1e-7)
        model.fit((features[train] - mean) / deviation, labels[train])
        predictions = model.predict((features[test] - mean) / deviation)
        return np.mean(predictions == labels[test]), predictions

    others = [fold for fold in np.unique(folds) if fold != test_fold]
    scores = []
    for strength in STRENGTHS:
        inner = [
            accuracy_and_predictions(
                (folds != test_fold) & (folds != left_out), folds == left_out, strength
            )[0]
            for left_out in others
        ]
        scores.append(np.mean(inner))
    best = STRENGTHS[int(np.argmax(scores))]
    return best, accuracy_and_predictions(folds != test_fold, folds == test_fold, best)[1]


@pytest.mark.parametrize("reference", [reference_fold, reference_fold_by_hand])
@pytest.mark.parametrize("n_folds", [3, 5])
def test_the_probe_follows_the_protocol(reference, n_folds):
    features, labels, folds = make_clips(clips=150, n_folds=n_folds)
    result = linear_probe(features, labels, folds)
    assert result.folds == list(range(1, n_folds + 1))
    for i, fold in enumerate(result.folds):
        strength, predictions = reference(features, labels, folds, fold)
        assert result.strengths[i] == strength
        np.testing.assert_array_equal(result.predictions[folds == fold], predictions)
        assert result.accuracy[i] == np.mean(predictions == labels[folds == fold])


def test_tensors_and_arrays_give_the_same():
    features, labels, folds = make_clips(clips=100, dimensions=8)
    features = features.astype(np.float32)
    from_arrays = linear_probe(features, labels, folds, strengths=[1.0])
    from_tensors = linear_probe(
        torch.from_numpy(features).requires_grad_(),
        torch.from_numpy(labels),
        torch.from_numpy(folds),
        strengths=[1.0],
    )
    np.testing.assert_array_equal(from_arrays.predictions, from_tensors.predictions)


def test_separable_classes_are_learnt_and_noise_is_not():
    features, labels, folds = make_clips(separation=5.0)
    assert linear_probe(features, labels, folds).mean == 1.0
    noise = np.random.default_rng(1).normal(size=features.shape)
    # 200 clips at a chance of 1/5: four standard errors are 11 points.
    assert abs(linear_probe(noise, labels, folds).mean - 0.2) < 0.115


def test_the_labels_of_the_test_fold_change_nothing_but_the_accuracy():
    features, labels, folds = make_clips()
    clean = linear_probe(features, labels, folds, test_folds=[2])
    poisoned = labels.copy()
    poisoned[folds == 2] = np.random.default_rng(0).permutation(poisoned[folds == 2]) + 100
    poisoned = linear_probe(features, poisoned, folds, test_folds=[2])
    # To the rounding of a sum over one more class.
    np.testing.assert_allclose(poisoned.scores[:, :5], clean.scores, rtol=1e-14)
    np.testing.assert_array_equal(poisoned.strengths, clean.strengths)
    np.testing.assert_array_equal(poisoned.predictions, clean.predictions)
    assert poisoned.mean == 0.0


def test_the_features_of_one_test_clip_do_not_change_the_prediction_of_another():
    features, labels, folds = make_clips()
    clean = linear_probe(features, labels, folds, test_folds=[2])
    first = np.flatnonzero(folds == 2)[0]
    features[first] = 1e6
    poisoned = linear_probe(features, labels, folds, test_folds=[2])
    np.testing.assert_array_equal(poisoned.strengths, clean.strengths)
    np.testing.assert_array_equal(
        np.delete(poisoned.predictions, first), np.delete(clean.predictions, first)
    )


def test_a_chosen_test_fold_gives_what_it_gives_among_all():
    features, labels, folds = make_clips()
    every = linear_probe(features, labels, folds)
    some = linear_probe(features, labels, folds, test_folds=[5, 3])
    assert some.folds == [3, 5]
    np.testing.assert_array_equal(some.accuracy, every.accuracy[[2, 4]])
    tested = np.isin(folds, [3, 5])
    np.testing.assert_array_equal(some.predictions[tested], every.predictions[tested])
    assert (some.predictions[~tested] == -1).all()


def test_two_folds_choose_the_strength_within_the_one_that_trains():
    features, labels, folds = make_clips(clips=100, n_folds=2, separation=1.0)
    result = linear_probe(features, labels, folds)
    again = linear_probe(features, labels, folds)
    np.testing.assert_array_equal(result.predictions, again.predictions)
    assert set(result.strengths) <= set(STRENGTHS)
    for i, fold in enumerate(result.folds):
        train = folds != fold
        model = Pipeline(
            [
                ("scale", StandardScaler()),
                ("fit", LogisticRegression(C=result.strengths[i], max_iter=50_000, tol=1e-7)),
            ]
        ).fit(features[train], labels[train])
        np.testing.assert_array_equal(result.predictions[~train], model.predict(features[~train]))
    assert result.mean > 0.6


def test_the_order_of_the_strengths_does_not_matter():
    features, labels, folds = make_clips()
    forwards = linear_probe(features, labels, folds, strengths=STRENGTHS, test_folds=[1])
    backwards = linear_probe(features, labels, folds, strengths=STRENGTHS[::-1], test_folds=[1])
    np.testing.assert_array_equal(forwards.strengths, backwards.strengths)


def test_collinear_features_converge():
    """A convergence warning would fail the test: the warnings are errors here."""
    features, labels, folds = make_clips(clips=150, dimensions=64)
    features = np.cumsum(features, axis=1) + 100 * np.random.default_rng(0).normal(size=(150, 1))
    features[:, 5] = 3.0
    assert 0.2 < linear_probe(features, labels, folds, test_folds=[1]).mean <= 1.0


def test_the_number_of_threads_is_left_as_it_was():
    features, labels, folds = make_clips(clips=20, dimensions=3, classes=2, n_folds=2)
    with threadpool_limits(2):
        before = [(pool["filepath"], pool["num_threads"]) for pool in threadpool_info()]
        linear_probe(features, labels, folds, strengths=[1.0])
        after = [(pool["filepath"], pool["num_threads"]) for pool in threadpool_info()]
    assert after == before


def test_the_summary_of_a_result():
    result = accuracies([1, 2, 4], [0.5, 0.7, 0.9])
    assert result.mean == pytest.approx(0.7)
    assert result.standard_deviation == pytest.approx(0.2)
    single = accuracies([1], [0.5])
    assert single.mean == 0.5
    assert np.isnan(single.standard_deviation)


# More dimensions than clips, as of ESC-10's 240 and 1,536


def test_more_dimensions_than_clips_are_probed_as_they_are():
    features, labels, folds = make_clips(clips=90, dimensions=150, classes=3, n_folds=3)
    result = linear_probe(features, labels, folds)
    for i, fold in enumerate(result.folds):
        train = folds != fold
        # The probabilities without the change of coordinates, close to the minimum.
        model = Pipeline(
            [
                ("scale", StandardScaler()),
                ("fit", LogisticRegression(C=result.strengths[i], max_iter=50_000, tol=1e-7)),
            ]
        ).fit(features[train], labels[train])
        found = result.scores[~train]
        np.testing.assert_allclose(found, model.predict_proba(features[~train]), atol=5e-3)


# An official validation part


@pytest.mark.parametrize("several", [False, True])
def test_the_strength_is_chosen_on_the_validation_part_and_nothing_trained_on_it(several):
    features, labels, folds = make_several() if several else make_clips(n_folds=4)
    result = linear_probe(features, labels, folds, test_folds=[3], validation_fold=2)
    train, held_out, test = (folds != 2) & (folds != 3), folds == 2, folds == 3
    scaler = StandardScaler().fit(features[train])
    figures, scores = [], []
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=50_000, tol=1e-7)
        model = OneVsRestClassifier(model) if several else model
        model.fit(scaler.transform(features[train]), labels[train])
        found = model.predict_proba(scaler.transform(features))
        scores.append(found[test])
        if several:
            figures.append(average_precision_score(labels[held_out], found[held_out]))
        else:
            figures.append((found[held_out].argmax(axis=1) == labels[held_out]).mean())
    best = int(np.argmax(figures))
    assert result.folds == [3]
    assert result.strengths == [STRENGTHS[best]]
    np.testing.assert_allclose(result.scores[test], scores[best], atol=1e-4)
    assert np.isnan(result.scores[~test]).all()

    poisoned = features.copy()
    poisoned[test] += 100
    again = linear_probe(poisoned, labels, folds, test_folds=[3], validation_fold=2)
    np.testing.assert_array_equal(again.strengths, result.strengths)


@pytest.mark.parametrize("kind", [torch.tensor, np.int8, np.float64, float])
def test_a_fold_is_a_number_whatever_holds_it(kind):
    """As the largest of folds that are a tensor."""
    features, labels, folds = make_clips(n_folds=4)
    result = linear_probe(features, labels, folds, validation_fold=kind(2), test_folds=[kind(3)])
    expected = linear_probe(features, labels, folds, validation_fold=2, test_folds=[3])
    np.testing.assert_array_equal(result.strengths, expected.strengths)
    np.testing.assert_array_equal(result.scores, expected.scores)


def test_without_a_choice_all_but_the_validation_part_is_tested():
    features, labels, folds = make_clips(n_folds=4)
    result = linear_probe(features, labels, folds, validation_fold=2, strengths=[1.0])
    assert result.folds == [1, 3, 4]
    assert (result.predictions[folds == 2] == -1).all()


# Clips with several classes


def test_several_classes_are_probed_one_against_the_rest():
    features, labels, folds = make_several()
    result = linear_probe(features, labels, folds)
    assert result.metric == "mAP"
    assert result.scores.shape == labels.shape
    for i, fold in enumerate(result.folds):
        train = folds != fold
        others = [other for other in (1, 2, 3) if other != fold]
        figures = []
        for strength in STRENGTHS:
            model = Pipeline(
                [
                    ("scale", StandardScaler()),
                    (
                        "fit",
                        OneVsRestClassifier(
                            LogisticRegression(C=strength, max_iter=50_000, tol=1e-7)
                        ),
                    ),
                ]
            )
            inner = [
                average_precision_score(
                    labels[folds == held_out],
                    model.fit(
                        features[train & (folds != held_out)], labels[train & (folds != held_out)]
                    ).predict_proba(features[folds == held_out]),
                )
                for held_out in others
            ]
            figures.append(np.mean(inner))
        assert result.strengths[i] == STRENGTHS[int(np.argmax(figures))]
        model.set_params(fit__estimator__C=result.strengths[i]).fit(features[train], labels[train])
        scores = model.predict_proba(features[~train])
        np.testing.assert_allclose(result.scores[~train], scores, atol=1e-4)
        expected = average_precision_score(labels[~train], scores)
        assert result.values[i] == pytest.approx(expected, abs=1e-3)
    with pytest.raises(InputError, match="the metric of this result is mAP; take its values"):
        result.accuracy  # noqa: B018


def test_several_classes_choose_within_a_single_training_fold():
    features, labels, folds = make_several(n_folds=2)
    result = linear_probe(features, labels, folds, test_folds=[1])
    rows = np.flatnonzero(folds == 2)
    parts = KFold(3, shuffle=True, random_state=0).split(rows)
    parts = [(rows[train], rows[held_out]) for train, held_out in parts]
    assert result.strengths == [chosen_strength(features, labels, parts)]


def test_a_class_that_training_lacks_gets_no_probability():
    features, labels, folds = make_several()
    labels[folds != 1, 2] = False
    labels[folds == 1, 2] = True
    result = linear_probe(features, labels, folds, test_folds=[1])
    np.testing.assert_allclose(result.scores[folds == 1, 2], 0, atol=1e-300)


def chosen_strength(features, labels, parts):
    """The C of highest mAP, by scikit-learn, over pairs of rows to train on and rows held out."""
    figures = np.zeros(len(STRENGTHS))
    for train, held_out in parts:
        scaler = StandardScaler().fit(features[train])
        for place, strength in enumerate(STRENGTHS):
            model = OneVsRestClassifier(LogisticRegression(C=strength, max_iter=50_000, tol=1e-7))
            model.fit(scaler.transform(features[train]), labels[train])
            scores = model.predict_proba(scaler.transform(features[held_out]))
            figures[place] += average_precision_score(labels[held_out], scores)
    return STRENGTHS[int(figures.argmax())]


def test_a_fold_without_any_class_chooses_no_strength():
    features, labels, folds = make_several(n_folds=4)
    labels[folds == 3] = False
    with pytest.warns(UserWarning, match=r"^C for test fold 1 is chosen on 2 of 3 parts of its tr"):
        result = linear_probe(features, labels, folds, test_folds=[1])
    parts = [((folds != 1) & (folds != part), folds == part) for part in (2, 4)]
    expected = chosen_strength(features, labels, parts)
    # Not the smallest, which is what a comparison with NaN gives.
    assert result.strengths == [expected]
    assert expected > min(STRENGTHS)
    assert np.isfinite(result.values).all()


@pytest.mark.parametrize(
    "probe", [linear_probe, lambda features, *rest, **how: class_shares(*rest, **how)]
)
def test_a_test_fold_without_any_class_is_refused(probe):
    features, labels, folds = make_several(n_folds=4)
    labels[folds == 3] = False
    with pytest.raises(
        InputError, match=r"^no clip of fold 3 has any class, so there is no mAP of"
    ):
        probe(features, labels, folds)
    with pytest.raises(InputError, match=r"^no clip of fold 3 has any class"):
        probe(features, labels, folds, test_folds=[3])


@pytest.mark.parametrize("validation_fold", [2, None])
def test_clips_without_any_class_choose_nothing(validation_fold):
    features, labels, folds = make_several(n_folds=3 if validation_fold else 2)
    labels[folds == 2] = False
    with pytest.raises(
        InputError, match="No clip that C could be chosen on for test fold 1 has any"
    ):
        linear_probe(features, labels, folds, test_folds=[1], validation_fold=validation_fold)


def test_classes_that_a_test_fold_lacks_are_left_out_and_counted():
    features, labels, folds = make_several()
    labels[folds == 2, :2] = False
    with pytest.warns(
        UserWarning, match=r"^no clip of fold 2 has any of 2 of the 4 classes, which"
    ):
        result = linear_probe(features, labels, folds)
    rows = folds == 2
    precisions = average_precision_score(labels[rows, 2:], result.scores[rows, 2:], average=None)
    assert result.values[1] == pytest.approx(precisions.mean())


# What hears nothing


def test_the_majority_class_is_that_of_the_training_folds():
    labels = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2])
    folds = np.array([1, 1, 1, 1, 2, 2, 2, 2, 3])
    result = class_shares(labels, folds)
    # Without fold 1: 1, 1, 2, 2, 2; without 2: three of 0; without 3: three of 0 and of 1.
    assert result.predictions.tolist() == [2, 2, 2, 2, 0, 0, 0, 0, 0]
    np.testing.assert_allclose(result.scores[0], [0, 2 / 5, 3 / 5])
    assert result.accuracy.tolist() == [0, 0, 0]
    assert np.isnan(result.strengths).all()
    split = class_shares(labels, folds, test_folds=[1], validation_fold=2)
    assert split.predictions.tolist() == [2] * 4 + [-1] * 5


def test_what_hears_nothing_ranks_by_chance():
    _, labels, folds = make_several()
    result = class_shares(labels, folds)
    expected = [labels[folds == fold].mean() for fold in (1, 2, 3)]
    np.testing.assert_allclose(result.values, expected)


def shared_sources(folds, shared=15, seed=3):
    """A source of its own for every clip, but for some of each fold with those of another fold."""
    sources = np.arange(len(folds))
    rng = np.random.default_rng(seed)
    for fold in np.unique(folds):
        here, there = (
            rng.permutation(np.flatnonzero(part)) for part in (folds == fold, folds != fold)
        )
        sources[here[:shared]] = sources[there[:shared]]
    return sources


def apart(sources, rows, others):
    """The slow reference: clip by clip, whether its source is among those of others."""
    return np.array(
        [row and source not in sources[others] for row, source in zip(rows, sources, strict=True)]
    )


def test_what_has_the_source_of_a_test_clip_is_not_learned_from():
    features, labels, folds = make_clips(clips=150, n_folds=5)
    sources = shared_sources(folds)
    result = linear_probe(features, labels, folds, sources=sources)
    plain = linear_probe(features, labels, folds)
    assert (result.predictions != plain.predictions).any()
    for i, fold in enumerate(result.folds):
        test = folds == fold
        train = apart(sources, ~test, test)
        figures = []
        for strength in STRENGTHS:
            model = Pipeline(
                [
                    ("scale", StandardScaler()),
                    ("fit", LogisticRegression(C=strength, max_iter=50_000, tol=1e-7)),
                ]
            )
            inner = []
            for left_out in set(folds[train].tolist()):
                held = train & (folds == left_out)
                known = apart(sources, train & ~held, held)
                inner.append(
                    model.fit(features[known], labels[known]).score(features[held], labels[held])
                )
            figures.append(np.mean(inner))
            if np.argmax(figures) == len(figures) - 1:
                best, chosen = (
                    model.fit(features[train], labels[train]).predict(features[test]),
                    strength,
                )
        assert result.strengths[i] == chosen
        np.testing.assert_array_equal(result.predictions[test], best)


@pytest.mark.parametrize("validation_fold", [None, 3])
def test_clips_that_are_left_out_by_their_source_change_nothing(validation_fold):
    features, labels, folds = make_clips(clips=150, n_folds=5)
    sources = shared_sources(folds)
    how = {"test_folds": [2], "validation_fold": validation_fold, "sources": sources}
    clean = linear_probe(features, labels, folds, **how)
    left_out = (folds != 2) & np.isin(sources, sources[folds == 2])
    assert left_out.sum() > 20
    features[left_out] = 1e6
    labels[left_out] = 4 - labels[left_out]
    poisoned = linear_probe(features, labels, folds, **how)
    np.testing.assert_array_equal(poisoned.scores[folds == 2], clean.scores[folds == 2])
    np.testing.assert_array_equal(poisoned.strengths, clean.strengths)
    shares = class_shares(labels, folds, **how)
    kept = ~left_out & (folds != 2) & (folds != validation_fold)
    expected = np.bincount(labels[kept], minlength=5) / kept.sum()
    np.testing.assert_allclose(shares.scores[folds == 2], np.tile(expected, (30, 1)))


def test_with_a_validation_fold_its_sources_are_not_learned_from():
    features, labels, folds = make_clips(clips=150, n_folds=3)
    sources = shared_sources(folds)
    how = {"test_folds": [2], "validation_fold": 3, "sources": sources}
    clean = linear_probe(features, labels, folds, **how)
    features[(folds == 1) & np.isin(sources, sources[folds == 3])] = 1e6
    poisoned = linear_probe(features, labels, folds, **how)
    np.testing.assert_array_equal(poisoned.scores[folds == 2], clean.scores[folds == 2])


def test_sources_of_one_clip_each_change_nothing():
    features, labels, folds = make_clips(clips=100)
    own = torch.arange(100)
    expected = linear_probe(features, labels, folds)
    np.testing.assert_array_equal(
        linear_probe(features, labels, folds, sources=own).scores, expected.scores
    )


def test_the_parts_of_a_single_training_fold_keep_sources_together():
    features, labels, folds = make_clips(clips=240, n_folds=2)
    # Four slices of each recording, which differ little; slices of a class lie 5 rows apart.
    sources = np.arange(240) // 20 * 5 + labels
    features = features[np.unique(sources, return_index=True)[1]][sources]
    features += 0.01 * np.random.default_rng(0).normal(size=features.shape)
    result = linear_probe(features, labels, folds, sources=sources)
    for i, fold in enumerate(result.folds):
        train = folds != fold
        pipeline = Pipeline(
            [("scale", StandardScaler()), ("fit", LogisticRegression(max_iter=50_000, tol=1e-7))]
        )
        parts = StratifiedGroupKFold(n_splits=3, shuffle=True, random_state=0)
        search = GridSearchCV(pipeline, {"fit__C": STRENGTHS}, cv=parts)
        search.fit(features[train], labels[train], groups=sources[train])
        assert result.strengths[i] == search.best_params_["fit__C"]
        np.testing.assert_array_equal(result.predictions[~train], search.predict(features[~train]))
    assert (linear_probe(features, labels, folds).strengths != result.strengths).any()


def test_the_parts_keep_sources_together_where_clips_have_several_classes():
    features, labels, _ = make_several(n_folds=2)
    sources = np.arange(120) // 6
    folds = sources % 2 + 1
    result = linear_probe(features, labels, folds, sources=sources, test_folds=[1])
    rows = np.flatnonzero(folds == 2)
    parts = GroupKFold(n_splits=3, shuffle=True, random_state=0).split(rows, groups=sources[rows])
    parts = [(rows[train], rows[held_out]) for train, held_out in parts]
    assert result.strengths == [chosen_strength(features, labels, parts)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": np.ones(20)}, r"features have shape \(20,\)"),
        ({"features": np.ones((20, 0))}, r"features have shape \(20, 0\)"),
        ({"labels": np.ones(19, dtype=int)}, r"labels have shape \(19,\).*each of the 20 clips"),
        ({"labels": np.ones(20)}, "labels have .* type float64"),
        ({"labels": np.full(20, -1)}, "labels hold -1"),
        ({"labels": np.arange(20) % 2 * 48_662_000}, "labels hold 48662000; count .* numpy.unique"),
        ({"labels": np.ma.masked_equal(np.arange(20) % 2, 1)}, "entries of labels are masked"),
        ({"folds": np.ma.masked_equal(np.arange(20) % 2, 1)}, "entries of folds are masked"),
        ({"folds": np.ones(21, dtype=int)}, r"folds have shape \(21,\)"),
        ({"folds": np.full(20, 3)}, r"folds hold only \[3\]; a probe needs at least two"),
        ({"test_folds": [1, 9]}, r"test_folds are \[1, 9\]; choose among the folds \[1, 2\]"),
        ({"labels": np.zeros((19, 2), dtype=bool)}, r"labels have shape \(19, 2\)"),
        ({"labels": np.zeros((20, 2))}, r"each of the 20 clips, or \(clips, classes\) bool"),
        ({"labels": np.ones((20, 2), dtype=bool)}, "test fold 1 leave a single class"),
        ({"validation_fold": 7}, r"validation_fold is 7; choose among the folds \[1, 2\]"),
        ({"validation_fold": 2}, "a probe needs at least two folds"),
        ({"test_folds": []}, r"choose among the folds \[1, 2\]"),
        ({"test_folds": [True]}, r"test_folds are \[True\]; choose among the folds \[1, 2\]"),
        ({"test_folds": "1"}, r"test_folds are '1'; choose among the folds \[1, 2\]"),
        ({"validation_fold": True}, r"validation_fold is True; choose among the folds \[1, 2\]"),
        ({"strengths": []}, "strengths are"),
        ({"strengths": [0.0, 1.0]}, r"strengths are \[0.0, 1.0\]; give positive"),
        ({"strengths": [float("nan")]}, "strengths are"),
        ({"labels": np.zeros(20, dtype=int)}, "test fold 1 leave a single class"),
        ({"sources": np.ones(20)}, r"sources have shape \(20,\) and type float64"),
        ({"sources": np.ones(19, int)}, "sources .* one integer for each of the 20 clips"),
        ({"sources": np.zeros(20, int)}, "sources leave no clip to train on.* for test fold 1"),
        ({"sources": np.arange(20) // 10}, "sources leave no clip to train on, or to choose on"),
        ({"labels": np.arange(20)}, "Fold 2, the one training fold of test fold 1, has a class"),
    ],
)
def test_what_cannot_be_probed_is_refused(change, message):
    features, labels, folds = make_clips(clips=20, dimensions=3, classes=2, n_folds=2)
    arguments = {"features": features, "labels": labels, "folds": folds} | change
    with pytest.raises(InputError, match=message):
        linear_probe(**arguments)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_are_refused(value):
    features, labels, folds = make_clips(clips=20, dimensions=3, classes=2, n_folds=2)
    features[3, 1] = features[3, 2] = features[7, 0] = value
    with pytest.raises(InputError, match="features of 2 of 20 clips are not finite"):
        linear_probe(features, labels, folds)


def test_log_mel_controls_are_the_mean_and_standard_deviation_over_frames():
    mel = torch.randn(3, 40, 128, generator=torch.Generator().manual_seed(0))
    mean, deviation = mel.numpy().mean(axis=1), mel.numpy().std(axis=1)
    np.testing.assert_allclose(log_mel_mean(mel).numpy(), mean, atol=1e-6)
    statistics = log_mel_statistics(mel)
    assert statistics.shape == (3, 256)
    np.testing.assert_allclose(statistics.numpy(), np.hstack([mean, deviation]), atol=1e-6)
    assert (log_mel_statistics(mel[:, :1])[:, 128:] == 0).all()
    for control in (log_mel_mean, log_mel_statistics):
        assert torch.equal(control(mel.numpy()), control(mel))


def test_the_table_shows_per_cent_under_a_row_of_chance():
    results = {
        "ours": accuracies([1, 2, 3], [0.8125, 0.9, 0.7]),
        "log-mel": accuracies([2], [1 / 3]),
    }
    table = probe_table(results, n_classes=10)
    assert list(table.index) == ["chance", "ours", "log-mel"]
    assert list(table.columns) == ["fold 1", "fold 2", "fold 3", "mean", "standard deviation"]
    np.testing.assert_array_equal(
        table.to_numpy(),
        [
            [10.0, 10.0, 10.0, 10.0, 0.0],
            [81.2, 90.0, 70.0, 80.4, 10.0],
            [np.nan, 33.3, np.nan, 33.3, np.nan],
        ],
    )


def test_fine_tuning_stands_in_the_same_table():
    tuned = FinetuneResult(
        seeds=[0, 1],
        folds=[1, 2],
        metric="accuracy",
        values=np.array([[0.5, 0.7], [0.6, 0.9]]),
        scores=np.full((2, 6, 2), np.nan),
        losses=np.zeros((2, 2, 1)),
        seconds=1.0,
    )
    table = probe_table({"probe": accuracies([1, 2], [0.5, 0.6]), "tuned": tuned}, n_classes=4)
    # Over seeds 55 and 80 %, whose sample deviation is 25 / sqrt(2).
    assert table.loc["tuned"].tolist() == [55.0, 80.0, 67.5, 17.7]
    assert list(table.index) == ["chance", "probe", "tuned"]


def test_average_precision_has_no_row_of_chance_but_that_of_what_hears_nothing():
    _, labels, folds = make_several()
    table = probe_table({"chance": class_shares(labels, folds)}, n_classes=4)
    assert list(table.index) == ["chance"]
    assert table.loc["chance", "fold 1"] == round(100 * labels[folds == 1].mean(), 1)
    with pytest.raises(InputError, match=r"results are of \['accuracy', 'mAP'\]"):
        probe_table({"a": class_shares(labels, folds), "b": accuracies([1], [0.5])}, n_classes=4)


def test_the_table_refuses_fewer_than_two_classes():
    for wrong in (1, None, "3", float("nan")):
        with pytest.raises(InputError, match=f"n_classes is '?{wrong}"):
            probe_table({}, n_classes=wrong)


@pytest.mark.parametrize("name", ["labels", "folds", "sources"])
@pytest.mark.parametrize("kind", ["none", "number", "generator"])
def test_labels_and_folds_that_are_no_arrays_are_refused(name, kind):
    whole = torch.tensor([0, 1, 0, 1])
    wrong = {
        "none": None,
        "number": 3,
        "generator": (value for value in range(4)),
    }[kind]
    given = {"labels": whole, "folds": whole, "sources": whole} | {name: wrong}
    if name == "sources" and kind == "none":
        # The default.
        np.testing.assert_array_equal(
            class_shares(**given).scores, class_shares(whole, whole).scores
        )
        return
    with pytest.raises(InputError, match=rf"{name}( have shape|[;.])"):
        class_shares(**given)
