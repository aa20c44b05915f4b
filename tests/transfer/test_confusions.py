"""Confusions, against scikit-learn and by hand, and the table of kinds."""

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix as reference_matrix
from sklearn.neighbors import NearestNeighbors

from audiopg.datasets import LabelledClips
from audiopg.datasets.speech_commands import WORDS
from audiopg.errors import InputError
from audiopg.transfer import (
    KINDS,
    ProbeResult,
    class_kinds,
    confusion_matrix,
    kinds_table,
    most_confused,
    nearest_clips,
)

# fmt: off
# The categories of ESC-50 as its table has them, and those of UrbanSound8K.
ESC50 = [
    "dog", "rooster", "pig", "cow", "frog", "cat", "hen", "insects", "sheep", "crow", "rain",
    "sea_waves", "crackling_fire", "crickets", "chirping_birds", "water_drops", "wind",
    "pouring_water", "toilet_flush", "thunderstorm", "crying_baby", "sneezing", "clapping",
    "breathing", "coughing", "footsteps", "laughing", "brushing_teeth", "snoring",
    "drinking_sipping", "door_wood_knock", "mouse_click", "keyboard_typing",
    "door_wood_creaks", "can_opening", "washing_machine", "vacuum_cleaner", "clock_alarm",
    "clock_tick", "glass_breaking", "helicopter", "chainsaw", "siren", "car_horn", "engine",
    "train", "church_bells", "airplane", "fireworks", "hand_saw",
]
URBAN = [
    "air_conditioner", "car_horn", "children_playing", "dog_bark", "drilling", "engine_idling",
    "gun_shot", "jackhammer", "siren", "street_music",
]
# fmt: on


def labelled(labels, classes, name="ESC-10"):
    folds = np.ones(len(labels), dtype=int)
    return LabelledClips(name, [], labels, folds, classes, "none", {1: "fold 1"}, [1])


def predicted(predictions, n_classes):
    """A result with these predictions; -1 is not tested."""
    predictions = np.asarray(predictions)
    scores = np.eye(n_classes)[predictions]
    scores[predictions < 0] = np.nan
    return ProbeResult([1], "accuracy", np.zeros(1), scores, np.ones(1))


def test_a_result_of_other_clips_is_refused():
    result = predicted([0, 1, 2, 1], 3)
    for labels in ([0, 1, 2], np.eye(4, 3, dtype=bool)):
        for count in (confusion_matrix, most_confused):
            with pytest.raises(
                InputError, match="is the accuracy of 4 clips of 3 classes, not that"
            ):
                count(result, labelled(labels, list("abc")))
    with pytest.raises(InputError, match="give the clips that it was made with"):
        confusion_matrix(result, labelled([0, 1, 1, 1], list("ab")))
    with pytest.raises(InputError, match=r"^clips are \[0, 1, 2, 1\]; give LabelledClips\.$"):
        confusion_matrix(result, [0, 1, 2, 1])
    as_column = labelled(np.array([[0], [1], [2], [0]]), list("abc"))
    assert confusion_matrix(result, as_column).tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize("most", [0, -1, 1.5, None, "3"])
def test_a_number_of_rows_that_is_none_is_refused(most):
    with pytest.raises(InputError, match=r"most is .*; give a whole number, 1 or more"):
        most_confused(predicted([0, 1], 2), labelled([0, 1], list("ab")), most)


def test_the_matrix_is_that_of_scikit_learn_over_what_was_tested():
    rng = np.random.default_rng(0)
    labels, predictions = rng.integers(0, 5, 200), rng.integers(0, 5, 200)
    predictions[:20] = -1
    matrix = confusion_matrix(predicted(predictions, 5), labelled(labels, list("abcde")))
    expected = reference_matrix(labels[20:], predictions[20:], labels=range(5))
    np.testing.assert_array_equal(matrix, expected)


def test_the_matrix_adds_up_seeds():
    labels = np.array([0, 1, 1])
    result = predicted([0, 0, 1], 2)
    object.__setattr__(result, "scores", np.stack([result.scores, np.eye(2)[[1, 0, 1]]]))

    class TwoSeeds:
        metric, scores = "accuracy", result.scores
        predictions = np.array([[0, 0, 1], [1, 0, 1]])

    matrix = confusion_matrix(TwoSeeds(), labelled(labels, ["a", "b"]))
    assert matrix.tolist() == [[1, 1], [2, 2]]


def test_the_most_frequent_confusions_come_first_with_what_the_classes_share():
    classes = ["dog", "rain", "sea_waves", "helicopter"]
    labels = np.repeat([0, 1, 2, 3], [4, 8, 4, 2])
    predictions = [0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 3, 2, 1, 1, 1, 3, 3]
    table = most_confused(predicted(predictions, 4), labelled(np.array(labels), classes))
    columns = ["true class", "confused as", "rate (%)", "clips", "of", "kinds", "why"]
    assert list(table.columns) == columns
    assert table.iloc[:, :6].to_numpy().tolist() == [
        ["sea_waves", "rain", 75.0, 3, 4, "broadband"],
        # Of one rate, that of more clips.
        ["rain", "sea_waves", 25.0, 2, 8, "broadband"],
        ["dog", "rain", 25.0, 1, 4, "none shared"],
        ["rain", "helicopter", 12.5, 1, 8, "broadband"],
    ]
    assert table.loc[0, "why"].startswith("noise that swells and falls / countless drops")
    few = most_confused(predicted(predictions, 4), labelled(np.array(labels), classes), most=2)
    assert few.equals(table[:2])


def test_a_set_without_kinds_has_its_confusions_all_the_same():
    table = most_confused(predicted([1, 1], 2), labelled(np.array([0, 1]), ["a", "b"], "my own"))
    assert table.to_numpy().tolist() == [["a", "b", 100.0, 1, 1, "", ""]]
    right = most_confused(predicted([0, 1], 2), labelled(np.array([0, 1]), ["a", "b"]))
    assert len(right) == 0


def test_several_classes_are_confused_where_one_is_given_that_the_clip_has_not():
    rng = np.random.default_rng(0)
    labels, scores = rng.random((30, 3)) < 0.4, rng.random((30, 3))
    scores[25:] = np.nan
    result = ProbeResult([1], "mAP", np.zeros(1), scores, np.ones(1))
    clips = labelled(labels, ["a", "b", "c"])
    matrix = confusion_matrix(result, clips)
    rates = {}
    for a in range(3):
        for b in range(3):
            having = [r for r in range(25) if labels[r, a] and (a == b or not labels[r, b])]
            given = sum(scores[r, b] >= 0.5 for r in having)
            assert matrix[a, b] == given
            if a != b:
                rates["abc"[a], "abc"[b]] = round(100 * given / len(having), 1)
    table = most_confused(result, clips)
    found = {
        (row["true class"], row["confused as"]): row["rate (%)"] for _, row in table.iterrows()
    }
    assert found == {pair: rate for pair, rate in rates.items() if rate}


def test_the_nearest_clips_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    scales = rng.uniform(0.1, 10, 16)
    queries, candidates = (scales * rng.normal(3, 1, (n, 16)) for n in (5, 40))
    both = np.concatenate([queries, candidates])
    scaled = (both - both.mean(axis=0)) / both.std(axis=0)
    search = NearestNeighbors(n_neighbors=4, metric="cosine").fit(scaled[5:])
    distances, expected = search.kneighbors(scaled[:5])
    nearest, cosines = nearest_clips(torch.tensor(queries), torch.tensor(candidates), most=4)
    np.testing.assert_array_equal(nearest, expected)
    np.testing.assert_allclose(cosines, 1 - distances, atol=1e-12)


def test_a_dimension_that_does_not_vary_is_no_matter():
    queries, candidates = torch.randn(3, 4), torch.randn(6, 4)
    queries[:, 1] = candidates[:, 1] = 7.0
    _, cosines = nearest_clips(queries, candidates)
    assert np.isfinite(cosines).all()


@pytest.mark.parametrize(
    ("queries", "candidates", "most", "message"),
    [
        ((2, 3), (4, 5), 1, r"shapes \(2, 3\) and \(4, 5\); give .* of one encoder"),
        ((3,), (4, 3), 1, r"shapes \(3,\)"),
        ((2, 3), (4, 3), 5, "most is 5; give 1 to 4"),
        ((2, 3), (4, 3), 0, "most is 0"),
    ],
)
def test_embeddings_that_do_not_fit_are_refused(queries, candidates, most, message):
    with pytest.raises(InputError, match=message):
        nearest_clips(torch.zeros(queries), torch.zeros(candidates), most)


@pytest.mark.parametrize("place", [0, 1])
def test_embeddings_that_are_not_finite_are_near_nothing(place):
    pair = torch.randn(3, 4), torch.randn(6, 4)
    pair[place][1, 2] = torch.nan
    with pytest.raises(InputError, match="some embeddings are not finite, so none is near them"):
        nearest_clips(*pair)


# Kinds


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("ESC-50", ESC50),
        ("ESC-10", ESC50),
        ("UrbanSound8K, folds 1, 2, 10", URBAN),
        ("Speech Commands v0.02, 10 words", WORDS),
    ],
)
def test_every_class_of_a_benchmark_has_kinds_and_a_reason(name, classes):
    found = class_kinds(name)
    assert sorted(found) == sorted(classes)
    for kinds, why in found.values():
        assert kinds
        assert len(set(kinds)) == len(kinds)
        assert set(kinds) <= set(KINDS)
        assert why
    table = kinds_table(name)
    assert table.loc[classes[0], "kinds"] == ", ".join(found[classes[0]][0])
    assert table.loc[classes[0], "why"] == found[classes[0]][1]


def test_words_are_of_the_kinds_of_their_sounds():
    plosives, sibilants = set("PBTDKG"), {"S", "SH", "Z", "ZH"}
    for kinds, why in class_kinds("Speech Commands v0.02").values():
        sounds = why.split()
        assert "phonetic" in kinds
        assert ("transient" in kinds) == (sounds[0] in plosives)
        assert ("broadband" in kinds) == bool(sibilants & set(sounds))


# Of Table 2, the confusions whose kinds the text of Section 4.2 names.
@pytest.mark.parametrize(
    ("name", "pair", "kind"),
    [
        ("ESC-50", ("footsteps", "fireworks"), "transient"),
        ("ESC-50", ("helicopter", "engine"), "mechanical"),
        ("ESC-50", ("vacuum_cleaner", "washing_machine"), "mechanical"),
        ("Speech Commands v0.02", ("forward", "four"), "phonetic"),
        ("Speech Commands v0.02", ("tree", "three"), "phonetic"),
    ],
)
def test_the_kinds_agree_with_what_the_paper_says_of_its_confusions(name, pair, kind):
    assert all(kind in class_kinds(name)[label][0] for label in pair)


def test_a_set_without_a_table_is_refused():
    assert class_kinds("FSD50K") == {}
    with pytest.raises(InputError, match="no kinds are given to 'FSD50K'; choose from"):
        kinds_table("FSD50K")
