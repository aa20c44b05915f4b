"""The official layout of ESC-50, written by the tests in miniature and read from the real thing."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopg.datasets import LabelledClips, esc50, load_audio
from audiopg.errors import InputError

COLUMNS = ["filename", "fold", "target", "category", "esc10", "src_file", "take"]
# In the csv's order targets are neither sorted nor dense; rows 0 and 3 belong to ESC-10.
ROWS = [
    ["1-10-A-10.wav", "1", "10", "rain", "True", "10", "A"],
    ["2-11-A-49.wav", "2", "49", "hand_saw", "False", "11", "A"],
    ["5-12-B-4.wav", "5", "4", "frog", "False", "12", "B"],
    ["3-13-A-0.ogg", "3", "0", "dog", "True", "13", "A"],
    ["2-14-A-10.wav", "2", "10", "rain", "True", "14", "A"],
]


def write_layout(folder, rows=ROWS, columns=COLUMNS, write=True):
    (folder / "meta").mkdir(parents=True, exist_ok=True)
    (folder / "audio").mkdir(exist_ok=True)
    for row in ROWS if write else []:
        soundfile.write(folder / "audio" / row[0], np.zeros(160), 16000)
    with open(folder / "meta" / "esc50.csv", "w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return folder


def changed(row, column, value):
    rows = [list(fields) for fields in ROWS]
    rows[row][COLUMNS.index(column)] = value
    return rows


def test_esc50_reads_the_official_layout(tmp_path):
    clips = esc50(write_layout(tmp_path))
    assert clips.name == "ESC-50"
    assert clips.licence == "CC BY-NC 3.0"
    assert len(clips) == 5
    assert clips.paths == [tmp_path / "audio" / row[0] for row in ROWS]
    assert clips.classes == ["dog", "frog", "rain", "hand_saw"]
    assert [clips.classes[label] for label in clips.labels] == [row[3] for row in ROWS]
    assert clips.folds.tolist() == [1, 2, 5, 3, 2]
    assert clips.test_folds == [1, 2, 3, 5]
    assert clips.fold_names == {1: "fold 1", 2: "fold 2", 3: "fold 3", 5: "fold 5"}
    assert clips.skipped == {}
    assert clips.labels.dtype == clips.folds.dtype == clips.sources.dtype == np.int64
    assert len(set(clips.sources)) == 5


def test_a_recording_in_two_folds_is_seen(tmp_path):
    # As 131943 is, an alarm clock in fold 3 and a ticking clock in fold 2 of the official table.
    clips = esc50(write_layout(tmp_path, changed(2, "src_file", "11")))
    assert clips.sources[1] == clips.sources[2]
    assert clips.across_folds.tolist() == [False, True, True, False, False]
    assert clips.validation_folds == []


def test_esc10_is_the_part_marked_so(tmp_path):
    clips = esc50(str(write_layout(tmp_path)), esc10=True)
    assert clips.name == "ESC-10"
    assert clips.licence == "CC BY 3.0"
    assert [path.name for path in clips.paths] == [ROWS[i][0] for i in (0, 3, 4)]
    assert clips.classes == ["dog", "rain"]
    assert clips.labels.tolist() == [1, 0, 1]


def test_a_csv_of_esc10_rows_alone_is_called_esc10(tmp_path):
    rows = [row for row in ROWS if row[4] == "True"]
    assert esc50(write_layout(tmp_path, rows)).name == "ESC-10"


def test_columns_are_found_by_name_behind_a_byte_order_mark(tmp_path):
    order = [5, 4, 3, 2, 1, 0]
    rows = [[row[i] for i in order] for row in ROWS]
    write_layout(tmp_path, rows, [COLUMNS[i] for i in order])
    meta = tmp_path / "meta" / "esc50.csv"
    meta.write_text(meta.read_text(), encoding="utf-8-sig")
    assert esc50(tmp_path).folds.tolist() == [1, 2, 5, 3, 2]


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (0, "fold", "0", "line 2: fold is '0'; write a whole number from 1 to 5"),
        (1, "fold", "6", "line 3: fold is '6'"),
        (1, "fold", "1.0", "line 3: fold is '1.0'"),
        (1, "fold", "", "line 3: fold is ''"),
        (2, "target", "50", "line 4: target is '50'; write a whole number from 0 to 49"),
        (2, "target", "-1", "line 4: target is '-1'"),
        (2, "target", "frog", "line 4: target is 'frog'"),
        (3, "esc10", "yes", "line 5: esc10 is 'yes'; write True or False"),
        (3, "category", "", "line 5: the category is empty"),
        (3, "filename", "", "line 5: the filename is empty"),
        (3, "filename", "../a.wav", "line 5: filename is '../a.wav'; write the name of a file"),
        (4, "filename", "1-10-A-10.wav", "lists '1-10-A-10.wav' twice"),
        (4, "category", "snow", "joins target 10 with 'snow'"),
        (4, "target", "11", "joins target 11 with 'rain'"),
        (4, "filename", "gone.wav", r"1 of the 5 files .* \('audio/gone.wav'\)"),
        (4, "filename", "x" * 5000, "1 of the 5 files"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused(tmp_path, row, column, value, message):
    with pytest.raises(InputError, match=message):
        esc50(write_layout(tmp_path, changed(row, column, value)))


@pytest.mark.parametrize("column", COLUMNS[:5])
def test_a_missing_column_is_named(tmp_path, column):
    gone = COLUMNS.index(column)
    without = [[*row[:gone], *row[gone + 1 :]] for row in [COLUMNS, *ROWS]]
    with pytest.raises(InputError, match=f"lacks the column '{column}'"):
        esc50(write_layout(tmp_path, without[1:], without[0]))


def test_a_short_row_is_refused(tmp_path):
    with pytest.raises(InputError, match="line 3 has 1 fields where there are 7 columns"):
        esc50(write_layout(tmp_path, [ROWS[0], ["2-11-A-49.wav"]]))


def test_missing_files_are_all_named(tmp_path):
    write_layout(tmp_path)
    for row in ROWS[:4]:
        (tmp_path / "audio" / row[0]).unlink()
    with pytest.raises(InputError, match="4 of the 5 files listed") as refusal:
        esc50(tmp_path)
    assert all(f"'audio/{row[0]}'" in str(refusal.value) for row in ROWS[:4])
    assert ROWS[4][0] not in str(refusal.value)


def test_missing_files_can_be_skipped_and_are_recorded(tmp_path):
    write_layout(tmp_path)
    gone = [tmp_path / "audio" / ROWS[i][0] for i in (0, 1)]
    for path in gone:
        path.unlink()
    with pytest.raises(InputError, match="leaves no clip for fold 1"):
        esc50(tmp_path, skip_bad=True)
    rows = [*ROWS, ["1-15-A-4.wav", "1", "4", "frog", "False", "15", "A"]]
    soundfile.write(tmp_path / "audio" / "1-15-A-4.wav", np.zeros(160), 16000)
    clips = esc50(write_layout(tmp_path, rows, write=False), skip_bad=True)
    assert [path.name for path in clips.paths] == [row[0] for row in rows[2:]]
    assert clips.classes == ["dog", "frog", "rain"]
    assert clips.labels.tolist() == [1, 0, 2, 1]
    assert clips.folds.tolist() == [5, 3, 2, 1]
    assert clips.skipped == dict.fromkeys(map(str, gone), "is missing")


def test_nothing_to_read_is_refused(tmp_path):
    with pytest.raises(InputError, match="gone is not a folder"):
        esc50(tmp_path / "gone")
    with pytest.raises(InputError, match=r"esc50.csv cannot be read \(No such file"):
        esc50(tmp_path)
    with pytest.raises(InputError, match="holds no rows"):
        esc50(write_layout(tmp_path, []))
    with pytest.raises(InputError, match="holds no row whose esc10 is True"):
        esc50(write_layout(tmp_path, ROWS[1:3]), esc10=True)
    (tmp_path / "meta" / "esc50.csv").write_text("")
    with pytest.raises(InputError, match="holds no rows"):
        esc50(tmp_path)
    (tmp_path / "meta" / "esc50.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"esc50\.csv is not text in UTF-8"):
        esc50(tmp_path)


def consistent(clips: LabelledClips) -> bool:
    return (
        len(clips) == len(clips.labels) == len(clips.folds) > 0
        and set(clips.labels.tolist()) == set(range(len(clips.classes)))
        and set(clips.folds.tolist()) <= {1, 2, 3, 4, 5}
        and all(path.is_file() for path in clips.paths)
    )


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    return write_layout(tmp_path_factory.mktemp("esc50"))


def refused_or_consistent(folder: Path, content: bytes) -> bool:
    (folder / "meta" / "esc50.csv").write_bytes(content)
    try:
        return consistent(esc50(folder))
    except InputError as error:
        return "\n" not in str(error)


OFFICIAL = "\r\n".join(",".join(row) for row in [COLUMNS, *ROWS]).encode()


@settings(max_examples=150)
@given(
    start=st.integers(0, len(OFFICIAL)),
    removed=st.integers(0, 40),
    inserted=st.one_of(st.binary(max_size=6), st.sampled_from([b'"', b",", b"\n", b"\0", b"\r"])),
)
def test_damage_to_the_csv_is_refused_or_harmless(layout, start, removed, inserted):
    content = OFFICIAL[:start] + inserted + OFFICIAL[start + removed :]
    assert refused_or_consistent(layout, content)


FIELDS = st.one_of(
    st.sampled_from([field for row in ROWS for field in row]),
    st.text(st.characters(codec="utf-8"), max_size=8),
)


@settings(max_examples=150)
@given(rows=st.lists(st.lists(FIELDS, min_size=4, max_size=8), max_size=6))
def test_any_rows_are_refused_or_make_a_consistent_set(layout, rows):
    lines = [",".join(row) for row in [COLUMNS, *rows]]
    assert refused_or_consistent(layout, "\n".join(lines).encode())


@pytest.fixture
def real_esc10(real_recordings):
    clips = real_recordings("esc10")
    if clips.name != "ESC-10":
        pytest.skip(f"AUDIOPG_DATA holds {clips.name}")
    return clips


def test_the_real_esc10_has_its_published_shape(real_esc10):
    assert real_esc10.name == "ESC-10"
    assert len(real_esc10) == 400
    assert len(real_esc10.classes) == 10
    assert real_esc10.classes[0] == "dog"
    counts = np.zeros((5, 10), dtype=int)
    np.add.at(counts, (real_esc10.folds - 1, real_esc10.labels), 1)
    np.testing.assert_array_equal(counts, np.full((5, 10), 8))


def test_the_real_recordings_load_at_16_khz(real_esc10):
    for path in real_esc10.paths[:5]:
        wave = load_audio(path)
        assert len(wave) == pytest.approx(5 * 16000, rel=0.01)
        assert torch.isfinite(wave).all()
        assert wave.std() > 0
