"""The official layout of UrbanSound8K, written by the tests in miniature and read from the real."""

import csv

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopg.datasets import urbansound8k
from audiopg.errors import InputError

COLUMNS = ["slice_file_name", "fsID", "start", "end", "salience", "fold", "classID", "class"]
CLASSES = {0: "air_conditioner", 3: "dog_bark", 6: "gun_shot", 9: "street_music"}
# Two slices of one recording share a fold; targets are neither sorted nor dense.
ROWS = [
    ["100032-3-0-0.wav", "100032", "0.0", "0.31", "1", "5", "3", "dog_bark"],
    ["100263-9-0-1.wav", "100263", "58.5", "62.5", "1", "1", "9", "street_music"],
    ["100263-9-0-2.wav", "100263", "60.5", "64.5", "1", "1", "9", "street_music"],
    ["100648-6-0-0.ogg", "100648", "4.8", "5.4", "2", "10", "6", "gun_shot"],
    ["101415-0-0-2.wav", "101415", "0.5", "4.5", "1", "5", "0", "air_conditioner"],
]


def write_layout(folder, rows=ROWS, columns=COLUMNS):
    (folder / "metadata").mkdir(parents=True, exist_ok=True)
    for row in ROWS:
        path = folder / "audio" / f"fold{row[5]}" / row[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.zeros(160), 16000)
    with open(folder / "metadata" / "UrbanSound8K.csv", "w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return folder


def test_the_official_layout_is_read(tmp_path):
    clips = urbansound8k(write_layout(tmp_path))
    assert clips.paths == [tmp_path / "audio" / f"fold{row[5]}" / row[0] for row in ROWS]
    assert clips.classes == ["air_conditioner", "dog_bark", "gun_shot", "street_music"]
    assert [clips.classes[label] for label in clips.labels] == [row[7] for row in ROWS]
    assert clips.folds.tolist() == [5, 1, 1, 10, 5]
    assert clips.labels.dtype == clips.folds.dtype == clips.sources.dtype == np.int64
    assert clips.sources.tolist() == [0, 1, 1, 2, 3]
    assert not clips.across_folds.any()
    assert clips.test_folds == [1, 5, 10]
    assert clips.fold_names == {1: "fold 1", 5: "fold 5", 10: "fold 10"}
    assert clips.licence == "CC BY-NC 3.0"


def whole(folder):
    rows = [
        [
            f"{n}-{n % 4 * 3}-0-0.wav",
            str(n),
            "0",
            "1",
            "1",
            str(n),
            str(n % 4 * 3),
            CLASSES[n % 4 * 3],
        ]
        for n in range(1, 11)
    ]
    for row in rows:
        path = folder / "audio" / f"fold{row[5]}" / row[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.zeros(160), 16000)
    (folder / "metadata").mkdir()
    with open(folder / "metadata" / "UrbanSound8K.csv", "w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])


@pytest.mark.parametrize(
    ("folds", "name"),
    [
        (range(1, 11), "UrbanSound8K"),
        (range(1, 10), "UrbanSound8K, folds 1, 2, 3, 4, 5, 6, 7, 8, 9"),
        ([2, 10], "UrbanSound8K, folds 2, 10"),
        ([7], "UrbanSound8K, fold 7"),
    ],
)
def test_the_name_says_which_folds_are_there(tmp_path, folds, name):
    whole(tmp_path)
    for fold in set(range(1, 11)) - set(folds):
        (tmp_path / f"audio/fold{fold}").rename(tmp_path / f"fold{fold}-away")
    clips = urbansound8k(tmp_path)
    assert clips.name == name
    assert clips.folds.tolist() == clips.test_folds == list(folds)
    assert clips.skipped == {}


def test_a_file_missing_from_a_fold_that_is_there_is_named_or_skipped(tmp_path):
    write_layout(tmp_path)
    gone = tmp_path / "audio/fold1/100263-9-0-2.wav"
    gone.unlink()
    with pytest.raises(
        InputError,
        match=r"1 of the 5 files .* \('audio/fold1/100263-9-0-2.wav'\); download the recordings",
    ):
        urbansound8k(tmp_path)
    clips = urbansound8k(tmp_path, skip_bad=True)
    assert len(clips) == 4
    assert clips.skipped == {str(gone): "is missing"}


def test_a_recording_in_two_folds_is_seen(tmp_path):
    rows = [list(fields) for fields in ROWS]
    # As 180937 is, in folds 1 and 9 of the official table.
    rows[1][COLUMNS.index("fsID")] = rows[4][COLUMNS.index("fsID")] = "180937"
    clips = urbansound8k(write_layout(tmp_path, rows))
    assert clips.across_folds.tolist() == [False, True, False, False, True]


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (0, "fsID", "", "line 2: the fsID is empty"),
        (0, "fold", "11", "line 2: fold is '11'; write a whole number from 1 to 10"),
        (0, "fold", "", "line 2: fold is ''"),
        (1, "classID", "10", "line 3: classID is '10'; write a whole number from 0 to 9"),
        (1, "class", "", "line 3: the class is empty"),
        (1, "class", "gun_shot", "joins target 6 with 'gun_shot'|joins target 9 with"),
        (2, "slice_file_name", "100263-9-0-1.wav", "lists '100263-9-0-1.wav' twice"),
        (2, "slice_file_name", "../fold5/a.wav", "write the name of a file alone"),
        (2, "slice_file_name", "/etc/passwd", "write the name of a file alone"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused(tmp_path, row, column, value, message):
    rows = [list(fields) for fields in ROWS]
    rows[row][COLUMNS.index(column)] = value
    with pytest.raises(InputError, match=message):
        urbansound8k(write_layout(tmp_path, rows))


@pytest.mark.parametrize("column", ["slice_file_name", "fsID", "fold", "classID", "class"])
def test_a_missing_column_is_named(tmp_path, column):
    gone = COLUMNS.index(column)
    without = [[*row[:gone], *row[gone + 1 :]] for row in [COLUMNS, *ROWS]]
    with pytest.raises(InputError, match=f"lacks the column '{column}'"):
        urbansound8k(write_layout(tmp_path, without[1:], without[0]))


def test_nothing_to_read_is_refused(tmp_path):
    with pytest.raises(InputError, match="gone is not a folder"):
        urbansound8k(tmp_path / "gone")
    with pytest.raises(InputError, match=r"UrbanSound8K.csv cannot be read \(No such file"):
        urbansound8k(tmp_path)
    write_layout(tmp_path, [])
    with pytest.raises(InputError, match="holds no rows"):
        urbansound8k(tmp_path)
    (tmp_path / "audio").rename(tmp_path / "sounds")
    with pytest.raises(InputError, match="holds none of fold1/ to fold10/"):
        urbansound8k(tmp_path)


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    return write_layout(tmp_path_factory.mktemp("urbansound8k"))


FIELDS = st.one_of(
    st.sampled_from([field for row in ROWS for field in row]),
    st.text(st.characters(codec="utf-8"), max_size=8),
)


def read_or_refuse(folder):
    try:
        return urbansound8k(folder), ""
    except InputError as error:
        return None, str(error)


@settings(max_examples=150)
@given(rows=st.lists(st.one_of(st.sampled_from(ROWS), st.lists(FIELDS, max_size=9)), max_size=6))
def test_any_rows_are_refused_or_make_a_consistent_set(layout, rows):
    with open(layout / "metadata" / "UrbanSound8K.csv", "w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    clips, refusal = read_or_refuse(layout)
    if refusal:
        assert "\n" not in refusal
        return
    assert len(clips) == len(clips.paths) == len(clips.labels) > 0
    assert set(clips.labels.tolist()) == set(range(len(clips.classes)))
    assert clips.test_folds == sorted(set(clips.folds.tolist()))
    assert all(path.is_file() for path in clips.paths)


def test_the_real_recordings_are_three_whole_folds(real_recordings):
    clips = real_recordings("urbansound8k")
    if clips.name != "UrbanSound8K, folds 1, 2, 10":
        pytest.skip(f"AUDIOPG_DATA holds {clips.name}")
    # Published sizes of these folds; gun shots and car horns are the rare classes.
    assert np.bincount(clips.folds)[[1, 2, 10]].tolist() == [873, 888, 837]
    assert len(clips.classes) == 10
    assert clips.classes[1] == "car_horn"
    assert np.bincount(clips.labels[clips.folds == 1]).tolist() == [
        100, 36, 100, 100, 100, 96, 35, 120, 86, 100,
    ]  # fmt: skip
    # No recording is cut into slices of more than one of these folds.
    recordings = np.array([path.name.split("-")[0] for path in clips.paths])
    parts = [set(recordings[clips.folds == fold]) for fold in clips.test_folds]
    assert not (parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2])
    assert len(set(recordings)) == len(set(clips.sources)) == 392
    assert not clips.across_folds.any()
