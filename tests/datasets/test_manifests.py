"""One's own recordings, in every form that people have them in, against what the tools themselves say.

Where a comment names a tool and its version, the expected values are what it gave for the same files.
"""

import gzip
import itertools
import json
import os
import re
import shutil
import sys
import tracemalloc
from contextlib import nullcontext

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopg.datasets import cached_waves, describe, load_audio, read_dataset
from audiopg.datasets.manifest_formats import READERS, find_reader
from audiopg.errors import InputError


def record(path, seconds=1.0, rate=16000, channels=1):
    """Noise that no other file holds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(list(str(path).encode()))
    soundfile.write(path, generator.uniform(-0.5, 0.5, (round(seconds * rate), channels)), rate)
    return path


def lines(path, *texts):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{text}\n" for text in texts).encode())
    return path


def read(path, n_folds=2, **more):
    return read_dataset(path, n_folds=n_folds, progress=False, **more)


def listing(path, columns=None):
    """File name, labels, start, end and channel of each row, before anything is looked at."""
    rows = find_reader(path).rows(path, columns or {})
    return [(row.file.name, row.labels, row.start, row.end, row.channel) for row in rows]


def labels_of(clips):
    """The label of each file."""
    return {
        path.name: clips.classes[label]
        for path, label in zip(clips.paths, clips.labels, strict=True)
    }


def same_fold(clips, *rows):
    return len(set(clips.folds[list(rows)].tolist())) == 1


# A folder a class


def test_the_class_is_the_parent_folder_whatever_names_look_like(tmp_path):
    # datasets 5.2.0 takes test1.wav and test_tone for a split, and labels a.wav.txt as a clip.
    for label in ("test_tone", "9", "10", "NA", "train"):
        for name in ("test1.wav", "a.wav"):
            record(tmp_path / label / name)
    lines(tmp_path / "9/a.wav.txt", "a note")
    lines(tmp_path / "9/a.csv", "not, a table")
    with pytest.warns(UserWarning, match=r"files not named as audio: 2 \(first: 9/a\.csv\)"):
        clips = read(tmp_path)
    assert clips.classes == ["10", "9", "NA", "test_tone", "train"]
    assert np.bincount(clips.labels).tolist() == [2] * 5
    assert [path.parent.name for path in clips.paths] == [clips.classes[k] for k in clips.labels]
    assert clips.segments is None is clips.channels
    assert clips.name == f"{tmp_path.name} (2 folds by seed 0)"
    assert clips.fold_names == {1: "fold 1", 2: "fold 2"}
    assert clips.test_folds == [1, 2]


def test_what_is_hidden_is_neither_a_class_nor_a_table(tmp_path):
    for label in ("a", "b", ".ipynb_checkpoints", "__MACOSX/c"):
        for name in "12":
            record(tmp_path / label / f"{name}.wav")
    # Left by Jupyter beside a copy of a table, as an audio folder and as Audacity have it.
    lines(tmp_path / ".ipynb_checkpoints/metadata.csv", "file_name,label", "1.wav,x", "2.wav,y")
    lines(tmp_path / ".ipynb_checkpoints/1.txt", "0\t0.5\tz")
    with pytest.warns(UserWarning, match=r"that a system or a program keeps: 2 \(first: \.ipynb_"):
        clips = read(tmp_path)
    assert clips.classes == ["a", "b"]
    assert len(clips) == 4


def test_a_file_beside_the_class_folders_is_named(tmp_path):
    for label in "ab":
        for name in "12":
            record(tmp_path / label / f"{name}.wav")
    stray = record(tmp_path / "stray.wav")
    with pytest.raises(InputError, match=r"1 of the 5 .* \(.*stray\.wav has no label\); mend them"):
        read(tmp_path)
    assert read(tmp_path, skip_bad=True).skipped == {str(stray): "has no label"}


def test_outer_folders_named_as_parts_of_a_split_are_one(tmp_path):
    for part in ("train", "dev", "test"):
        for label in "ab":
            record(tmp_path / part / label / "1.wav")
    clips = read(tmp_path)
    assert clips.classes == ["a", "b"]
    assert clips.fold_names == {1: "training", 2: "validation", 3: "testing"}
    assert clips.test_folds == [3]
    assert [clips.fold_names[fold] for fold in clips.folds] == [
        {"train": "training", "dev": "validation", "test": "testing"}[path.parts[-3]]
        for path in clips.paths
    ]


@pytest.mark.parametrize(
    ("training", "testing"),
    [
        ("training_set", "test_set"),
        ("audio_train", "audio_test"),
        ("train-clean-100", "eval.clean"),
    ],
)
def test_a_part_of_a_split_may_have_other_words_in_its_name(tmp_path, training, testing):
    for part in (training, testing):
        for label in "ab":
            record(tmp_path / part / label / "1.wav")
    clips = read(tmp_path)
    assert clips.fold_names == {1: "training", 3: "testing"}
    assert [clips.fold_names[fold] for fold in clips.folds] == [
        {training: "training", testing: "testing"}[path.parts[-3]] for path in clips.paths
    ]
    rows = [
        f"{path.relative_to(tmp_path)},{path.parts[-2]},{path.parts[-3]}" for path in clips.paths
    ]
    listed = read(lines(tmp_path / "l.csv", "file,label,split", *rows))
    assert (listed.fold_names, [*listed.folds]) == (clips.fold_names, [*clips.folds])


def test_outer_folders_called_as_folds_are_folds(tmp_path):
    for fold in ("Fold1", "fold 2", "fold_10"):
        for label in "ab":
            record(tmp_path / "audio" / fold / label / "1.wav")
    clips = read(tmp_path)
    assert clips.classes == ["a", "b"]
    assert clips.fold_names == {1: "fold 1", 2: "fold 2", 10: "fold 10"}
    assert [int(re.sub(r"\D", "", path.parts[-3])) for path in clips.paths] == [*clips.folds]


@pytest.mark.parametrize("name", ["l.csv", "metadata.csv"])
@pytest.mark.parametrize("inner", ["{part}", "audio/{part}-set/{label}"])
def test_a_table_of_files_in_the_folders_of_a_split_is_asked_for_its_folds(tmp_path, name, inner):
    rows = []
    for number, part in enumerate(("train", "train", "test", "test")):
        label = "ab"[number % 2]
        file = f"{inner.format(part=part, label=label)}/{number}.wav"
        record(tmp_path / file)
        rows.append(f"{file},{label},{part}")
    table = lines(tmp_path / name, "file_name,label,fold", *rows)
    assert read(table).fold_names == {1: "training", 3: "testing"}
    table = lines(tmp_path / name, "file_name,label", *(row.rpartition(",")[0] for row in rows))
    with pytest.raises(InputError, match="lie in folders called as the parts of a split; write"):
        read(table)
    assert read(table, columns={"fold": ""}).fold_names == {1: "fold 1", 2: "fold 2"}
    # A file that lies elsewhere is no part of it, and the training part alone is dealt.
    table = tmp_path / "another.csv"
    assert len(listing(lines(table, "file_name,label", "else/4.wav,a", rows[0][:-6]))) == 2
    assert len(listing(lines(table, "file_name,label", *(row[:-6] for row in rows[:2])))) == 2


def test_a_folder_around_the_split_is_passed_over(tmp_path):
    for part in ("train", "test"):
        for label in "ab":
            record(tmp_path / "data/audio" / part / label / "1.wav")
    clips = read(tmp_path)
    assert clips.classes == ["a", "b"]
    assert clips.fold_names == {1: "training", 3: "testing"}
    # A part alone is dealt.
    assert read(tmp_path / "data").fold_names == clips.fold_names
    for part in ("train", "test"):
        record(tmp_path / f"data/audio/{part}/a/2.wav")
        record(tmp_path / f"data/audio/{part}/b/2.wav")
        assert read(tmp_path / "data/audio" / part).fold_names == {1: "fold 1", 2: "fold 2"}


@pytest.mark.parametrize(
    "more",
    ["extra/a/2.wav", "noise/2.wav", "test/2.wav", "2.wav", "deep/er/a/2.wav"],
)
def test_a_split_that_leaves_something_out_is_not_dropped(tmp_path, more):
    for path in ("train/a/1.wav", "train/b/1.wav", "test/a/1.wav", "Eval/b/1.wav", more):
        record(tmp_path / path)
    said = rf"has folders called .*, test, train, as the parts of a split, which {re.escape(more)} "
    with pytest.raises(InputError, match=said):
        read(tmp_path)


@pytest.mark.parametrize(
    "inner", ["{part}/{label}", "audio/{part}/{label}", "{label}/{part}", "{part}"]
)
def test_a_split_within_other_folders_is_not_dropped(tmp_path, inner):
    for part in ("train", "test"):
        for label in "ab":
            record(tmp_path / inner.format(part=part, label=label) / f"{label}.wav")
    record(
        tmp_path / "train/noise.wav"
        if inner in ("{part}", "{label}/{part}")
        else tmp_path / "n/1.wav"
    )
    with pytest.raises(InputError, match="has folders called test, train, as the parts of a split"):
        read(tmp_path)


def test_classes_called_as_parts_of_a_split_are_classes_among_others(tmp_path):
    for label in ("bus/train", "bus/plane", "test", "train"):
        for name in "12":
            record(tmp_path / label / f"{name}.wav")
    clips = read(tmp_path)
    assert clips.classes == ["plane", "test", "train"]
    assert clips.fold_names == {1: "fold 1", 2: "fold 2"}


@pytest.mark.parametrize(
    ("name", "marks", "path"),
    [
        ("urbansound8k", "metadata/UrbanSound8K.csv", "."),
        ("urbansound8k", "metadata/UrbanSound8K.csv", "audio"),
        ("urbansound8k", "metadata/UrbanSound8K.csv", "metadata/UrbanSound8K.csv"),
        ("esc50", "meta/esc50.csv", "."),
        ("esc50", "meta/esc50.csv", "meta/esc50.csv"),
        ("speech_commands", "validation_list.txt testing_list.txt backward/1.wav", "."),
        ("fsd50k", "FSD50K.ground_truth/dev.csv", "."),
        ("fsd50k", "FSD50K.ground_truth/dev.csv", "FSD50K.dev_audio"),
    ],
)
def test_an_official_layout_is_not_read_by_its_path(tmp_path, name, marks, path):
    """As a folder a class it would lose its folds, and take them or noise for classes."""
    for folder in ("fold1", "fold2", "audio/fold1", "audio/fold2", "FSD50K.dev_audio/a"):
        record(tmp_path / "set" / folder / "1.wav")
    for mark in marks.split():
        lines(tmp_path / "set" / mark, "filename,label")
    said = rf"is of the data set .*{name}, .*\(--dataset {name} --data {re.escape(str(tmp_path))}\)"
    with pytest.raises(InputError, match=said):
        read(tmp_path / "set" / path)


def test_a_table_of_one_s_own_may_lie_in_an_official_layout(tmp_path):
    lines(tmp_path / "meta/esc50.csv", "filename,label")
    for name in "1234":
        record(tmp_path / f"audio/{name}.wav")
    rows = [f"audio/{name}.wav,{'ab'[int(name) % 2]}" for name in "1234"]
    assert len(read(lines(tmp_path / "mine.csv", "file,label", *rows))) == 4
    assert (
        len(read(lines(tmp_path / "meta/mine.csv", "file,label", *(f"../{r}" for r in rows)))) == 4
    )


@pytest.mark.parametrize(
    "paths",
    [
        "fold1/1 fold1/2 Fold_2/1 fold-10/1",
        "fold1/a/1 fold1/b/1 fold2/a/1 fold2/b/1 notes/1",
        "fold1/a/1 fold1/b/1 fold2/a/1 fold2/b/1 notes/a/1",
        "fold1/a/1 fold1/b/1 fold2/a/1 fold2/b/1 1",
        "fold1/a/1 fold1/b/1 fold2/1",
        "a/fold1/1 a/fold2/1 b/1 b/2",
        "a/fold1/1 a/fold2/1 b/fold1/1 b/fold2/1",
    ],
)
def test_folders_called_as_folds_are_no_classes(tmp_path, paths):
    for name in paths.split():
        record(tmp_path / f"{name}.wav")
    with pytest.raises(
        InputError, match=r"has folders called .*, as folds, which .* does not lie in"
    ):
        read(tmp_path)


def test_a_folder_a_class_has_no_columns_and_more_than_one_class(tmp_path):
    record(tmp_path / "a/1.wav")
    record(tmp_path / "a/2.wav")
    with pytest.raises(InputError, match="read as a folder a class, which has no columns"):
        read(tmp_path, columns={"label": "x"})
    with pytest.raises(
        InputError, match="clips of one class, a; a probe needs two or more; where a"
    ):
        read(tmp_path)
    with pytest.raises(InputError, match=r"gone is not there; name a folder"):
        read(tmp_path / "gone")
    with pytest.raises(InputError, match=r"1\.wav is in no format that is known"):
        read(tmp_path / "a/1.wav")
    # Whoever opened it would wait for another end.
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(InputError, match=r"pipe\.csv is not a file, but a pipe or device; name"):
        read(tmp_path / "pipe.csv")


# Text tables

ODD_LABELS = ["001", "1e5", "True", "NA", "null", "None", "nan", "1_0", "0x1", "-inf", 'a "b', "é"]


@pytest.mark.parametrize("form", ["csv", "tsv", "semicolons", "jsonl", "places"])
def test_a_label_stays_the_text_that_it_is(tmp_path, form):
    # pandas 3.1.1 makes gaps of NA, null, None and nan, even with dtype=str, and numbers or truth values
    # of a column of 001, of 1e5 or of True.
    table, names = tmp_path / f"list.{form}", []
    for row, label in enumerate(ODD_LABELS * 2):
        names.append((record(tmp_path / "audio" / f"{row}.wav").name, label))
    quoted = {name: label.replace('"', '""') for name, label in names}
    if form == "jsonl":
        lines(table, *(json.dumps({"file": f"audio/{n}", "label": x}) for n, x in names))
    elif form == "tsv":
        lines(table, "file\tlabel", *(f"audio/{n}\t{x}" for n, x in names))
    elif form == "semicolons":
        lines(table, "file;label", *(f'audio/{n};"{x}"' for n, x in quoted.items()))
    else:
        header = [] if form == "places" else ["\ufefffile,label"]
        lines(table, *header, *(f'audio/{n},"{x}"' for n, x in quoted.items()))
    columns = {"file": 1, "label": 2} if form == "places" else None
    clips = read(table, columns=columns)
    assert labels_of(clips) == dict(names)
    assert clips.classes == sorted(ODD_LABELS)


@pytest.mark.parametrize("third", ['"a,b,c,d"', "notes (a,b,c,d)", "notes [a,b,c,d]"])
def test_a_name_in_quotes_or_brackets_may_hold_the_other_delimiter(tmp_path, third):
    table = lines(tmp_path / "list.csv", f"file;label;{third}", "a.wav;x;1")
    assert listing(table) == [("a.wav", ("x",), 0.0, None, None)]
    table = lines(
        tmp_path / "list.csv", f"file,label,{third}".replace("a,b,c,d", "a;b;c;d"), "a.wav,x,1"
    )
    assert listing(table) == [("a.wav", ("x",), 0.0, None, None)]


def test_json_numbers_are_the_text_that_they_are_and_null_is_no_label(tmp_path):
    record(tmp_path / "a.wav")
    values = ["1e5", "001", "1.0", "true", "123456789012345678901234567890"]
    texts = [f'{{"file": "a.wav", "label": {value}}}' for value in values if value != "001"]
    # What json.dumps writes for a label that pandas has not.
    for missing in (None, np.nan, -np.inf):
        texts.append(json.dumps({"file": "a.wav", "label": missing}))
    found = [labels for _, labels, *_ in listing(lines(tmp_path / "list.jsonl", *texts))]
    numbers = [("1e5",), ("1.0",), ("true",), ("123456789012345678901234567890",)]
    assert found == [*numbers, ("",), ("",), ("",)]


@pytest.mark.parametrize(
    ("suffix", "row", "fields"),
    [("csv", "2.wav,b,", 3), ("csv", "2.wav", 1), ("tsv", "2.wav\tb\tc", 3), ("tsv", "2.wav", 1)],
)
def test_a_row_with_another_number_of_fields_is_refused_by_line(tmp_path, suffix, row, fields):
    # Where all rows have a field too many, pandas 3.1.1 takes the first for an index and shifts the rest.
    between = "," if suffix == "csv" else "\t"
    table = tmp_path / f"list.{suffix}"
    lines(table, f"file{between}label", f"1.wav{between}a", "", row)
    said = rf"list\.{suffix}, line 4 has {fields} fields where there are 2 columns"
    with pytest.raises(InputError, match=said):
        read(table)


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ("0,1e999", r"is from 0 s to inf s, and 1\.wav lasts 1 s"),
        ("0,1e305", r"is from 0 s to 1e\+305 s, and 1\.wav lasts 1 s"),
        ("1e999,", r"is from inf s to the end, and 1\.wav lasts 1 s"),
        ("0.99999,", r"begins at 0\.99999 s and ends at the end, which leaves nothing to hear"),
        ("0.99999,1.1", r"begins at 0\.99999 s and ends at 1\.1 s, which leaves nothing to hear"),
    ],
)
def test_times_that_no_file_has_are_refused_by_line(tmp_path, times, said):
    record(tmp_path / "1.wav")
    table = lines(tmp_path / "l.csv", "file,label,start,end", "1.wav,a,0,1", f"1.wav,b,{times}")
    with pytest.raises(InputError, match=rf"l\.csv, line 3 {said}"):
        read(table)


@pytest.mark.parametrize("row", ["\u0661,2,1", "0,1,\u0661"])
def test_digits_of_other_scripts_are_no_numbers(tmp_path, row):
    table = lines(tmp_path / "l.csv", "file,label,start,end,channel", f"1.wav,a,{row}")
    with pytest.raises(InputError, match=r"l\.csv, line 2: the (start|channel) is '\u0661'; write"):
        listing(table)


@pytest.mark.parametrize(("time", "duration"), [(-0.5, 1.0), (np.nan, 1.0), (0.0, np.nan)])
def test_times_that_a_tool_should_not_have_written_are_refused(tmp_path, time, duration):
    record(tmp_path / "1.wav")
    data = [{"time": time, "duration": duration, "value": "a"}]
    found = {"annotations": [{"namespace": "tag", "data": data}]}
    (tmp_path / "1.jams").write_text(json.dumps(found))
    with pytest.raises(InputError, match=r"tag 1 is from .* s, which are no times in a file"):
        read(tmp_path / "1.jams")


@pytest.mark.parametrize("digits", [10, 25, 5000])
def test_numbers_of_many_digits_are_no_channels_and_folds_by_name(tmp_path, digits):
    for name in "1234":
        record(tmp_path / f"{name}.wav")
    many = "9" * digits
    table = lines(tmp_path / "l.csv", "file,label,channel", "1.wav,a,", f"2.wav,b,{many}")
    with pytest.raises(InputError, match=r"line 3: the channel is '9+'; write a whole number"):
        read(table)
    rows = ["1.wav,a,1", "2.wav,b,1", f"3.wav,a,{many}", f"4.wav,b,{many}"]
    clips = read(lines(tmp_path / "l.csv", "file,label,fold", *rows))
    assert clips.fold_names == {1: "fold 1", 2: f"fold {many}"}
    rows = ["1.wav,a,1", "2.wav,b,1", "3.wav,a,01", "4.wav,b,01"]
    with pytest.raises(InputError, match="the folds 01, 1 are not all different numbers"):
        read(lines(tmp_path / "l.csv", "file,label,fold", *rows))


def in_folds(folder, names, column="fold"):
    """A table with a clip of each of two classes in every fold of these names."""
    rows = []
    for number, (name, label) in enumerate(itertools.product(names, "ab")):
        record(folder / f"{number}.wav")
        rows.append(f"{number}.wav,{label},{name}")
    return lines(folder / "l.csv", f"file,label,{column}", *rows)


@pytest.mark.parametrize(
    ("names", "called"),
    [
        (["1.0", "2.0", "10.0"], {1: "fold 1", 2: "fold 2", 10: "fold 10"}),
        (["fold1", "fold2", "fold10"], {1: "fold 1", 2: "fold 2", 10: "fold 10"}),
        (["f0", "f1", "f2"], {0: "fold 0", 1: "fold 1", 2: "fold 2"}),
        (["site_a", "site_b", "site_c2"], {1: "fold site_a", 2: "fold site_b", 3: "fold site_c2"}),
        (["2", "1", "rest"], {1: "fold 1", 2: "fold 2", 3: "fold rest"}),
    ],
)
def test_the_number_of_a_fold_is_that_of_its_name(tmp_path, names, called):
    clips = read(in_folds(tmp_path, names))
    assert clips.fold_names == called
    number_of = {name.removeprefix("fold "): number for number, name in called.items()}
    plain = [re.sub(r"^(fold|f)(?=\d)|\.0$", "", name) for name in names for _ in "ab"]
    assert clips.folds.tolist() == [number_of[name] for name in plain]


@pytest.mark.parametrize(
    ("names", "other"),
    [
        (["development", "evaluation"], "development"),
        (["dev_test", "dev_train"], "dev_test"),
        (["1", "2", "test"], "1"),
        (["holdout", "train"], "holdout"),
    ],
)
def test_a_split_with_a_part_of_unknown_name_is_no_cross_validation(tmp_path, names, other):
    said = f"of the folds {', '.join(names)}, .* speaks of a split, and '{other}' is no part"
    with pytest.raises(InputError, match=said):
        read(in_folds(tmp_path, names, "split"))


def test_space_around_the_text_of_json_is_none_of_it(tmp_path):
    rows = []
    for number in range(8):
        record(tmp_path / f"{number}.wav")
        label = ("low", " low", "high", "high ")[number % 4]
        rows.append(
            {
                "file": f"{number}.wav",
                "label": label,
                "group": f"{number // 2}" + " " * (number % 2),
            }
        )
    (tmp_path / "l.jsonl").write_text("\n".join(map(json.dumps, rows)))
    clips = read(tmp_path / "l.jsonl", n_folds=2)
    assert clips.classes == ["high", "low"]
    assert len(set(clips.sources)) == 4


@pytest.mark.parametrize("names", [["-1", "0", "1"], ["5", "6", "rest"]])
def test_folds_that_would_get_the_number_of_another_are_refused(tmp_path, names):
    with pytest.raises(
        InputError, match=f"the folds {', '.join(names)} are not all numbers from 0"
    ):
        read(in_folds(tmp_path, names))


def test_a_json_row_may_say_what_those_before_it_did_not(tmp_path):
    record(tmp_path / "1.wav")
    first = '{"file": "1.wav", "label": "a"}'
    table = lines(tmp_path / "l.jsonl", first, '{"file": "1.wav", "start": 0.5, "label": "b"}')
    assert [row[1:3] for row in listing(table)] == [(("a",), 0.0), (("b",), 0.5)]
    table = lines(tmp_path / "l.jsonl", first, '{"file": "1.wav", "start": 0.5, "category": "b"}')
    with pytest.raises(InputError, match="line 1: 'label' and 'category' may both be it"):
        listing(table)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("offsets", [(0.25, None), (None, None), (0.25, 0.5)])
def test_a_clip_of_nemo_is_the_same_whatever_other_lines_say(tmp_path, offsets, order):
    """NeMo reads `duration` seconds from `offset` on, which is 0 where it is not there."""
    table, expected = tmp_path / "l.json", []
    rows = []
    for name, offset in zip("ab", offsets, strict=True):
        start = {} if offset is None else {"offset": offset}
        rows.append({"audio_filepath": f"{name}.wav", "duration": 0.5, "label": name} | start)
        expected.append((f"{name}.wav", (name,), offset or 0.0, (offset or 0.0) + 0.5, None))
    lines(table, *map(json.dumps, rows[::order]))
    assert listing(table) == expected[::order]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('{"file": "1.wav", "label": "a", "label": "b"}', "'label' is there twice"),
        ('{"file": "1.wav", "label": ' + "[" * 100_000 + "]" * 100_000 + "}", "RecursionError"),
        (r'{"file": "\uD800.wav", "label": "a"}', "surrogates not allowed"),
    ],
)
def test_json_that_would_be_misread_is_refused_by_line(tmp_path, row, said):
    table = lines(tmp_path / "l.jsonl", '{"file": "0.wav", "label": "a"}', row)
    with pytest.raises(InputError, match=rf"l\.jsonl, line 2 is not a JSON object .*{said}"):
        read(table)


@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_a_table_may_be_packed(tmp_path, between):
    rows = [between.join(row) for row in (("file", "label"), ("1.wav", "a b"), ("2.wav", "c"))]
    packed = gzip.compress("\n".join(rows).encode())
    (tmp_path / "l.csv.gz").write_bytes(packed)
    assert [row[:2] for row in listing(tmp_path / "l.csv.gz")] == [
        ("1.wav", ("a b",)),
        ("2.wav", ("c",)),
    ]
    for damaged in (
        packed[:-12],
        packed[:12] + bytes(20) + packed[12:],
        b"\x1f\x8b\x08" + b"\xff" * 40,
    ):
        (tmp_path / "l.csv.gz").write_bytes(damaged)
        with pytest.raises(InputError, match=r"l\.csv\.gz"):
            listing(tmp_path / "l.csv.gz")


def test_quotes_in_a_tab_separated_table_are_characters(tmp_path):
    table = lines(tmp_path / "l.tsv", "file\tlabel", '1.wav\t"x', '2.wav\ty"', "3.wav\tx, y")
    assert listing(table) == [
        ("1.wav", ('"x',), 0.0, None, None),
        ("2.wav", ('y"',), 0.0, None, None),
        ("3.wav", ("x, y",), 0.0, None, None),
    ]


def test_a_tab_separated_table_whose_first_line_is_quoted_is_read_as_r_writes_it(tmp_path):
    # R's write.table(x, sep="\t", row.names=FALSE, qmethod="double").
    rows = '"a b.wav"\t"x"\t0.5', '"c.wav"\t"say ""y"", twice"\t1'
    table = lines(tmp_path / "l.tsv", '"file"\t"label"\t"start"', *rows)
    assert [row[:3] for row in listing(table)] == [
        ("a b.wav", ("x",), 0.5),
        ("c.wav", ('say "y", twice',), 1.0),
    ]
    table = lines(tmp_path / "l.tsv", '"a.wav"\t"x"', '"c.wav"\t"y"')
    assert [row[:2] for row in listing(table)] == [("a.wav", ("x",)), ("c.wav", ("y",))]


def test_times_of_urbansound8k_are_not_those_of_its_slices(tmp_path):
    header = "slice_file_name,fsID,start,end,salience,fold,classID,class"
    table = lines(tmp_path / "l.csv", header, "a.wav,100,0.5,1.5,1,2,3,dog_bark")
    assert listing(table) == [("a.wav", ("dog_bark",), 0.0, None, None)]
    assert listing(table, {"start": "start", "end": "end"})[0][2:4] == (0.5, 1.5)


def test_columns_are_known_by_name_or_named(tmp_path):
    header = "Filename,Species,onset,offset,channel,site,split"
    table = lines(tmp_path / "l.csv", header, "a.wav,NA,0.5,1.25,2,north,train")
    assert listing(table) == [("a.wav", ("NA",), 0.5, 1.25, 1)]
    (row,) = find_reader(table).rows(table, {"label": "site", "group": "Species"})
    assert (row.labels, row.group, row.fold) == (("north",), "NA", "train")
    # Parts of a file are named in other orders of columns without a header, too.
    table = lines(tmp_path / "p.csv", "x,NA,a.wav,0.5,1.25")
    places = {"file": 3, "label": 2, "start": 4, "end": "5"}
    assert listing(table, places) == [("a.wav", ("NA",), 0.5, 1.25, None)]


@pytest.mark.parametrize("columns", ["label=x", ["label"], 0, True])
def test_columns_without_names_are_refused(tmp_path, columns):
    with pytest.raises(InputError, match=r"columns are given as .*; give them by name, in a dict"):
        read(lines(tmp_path / "l.csv", "file,label", "a,b"), columns=columns)


@pytest.mark.parametrize(
    ("header", "columns", "said"),
    [
        (
            "file,kind",
            {},
            r"line 2: no column is known to hold labels; say which is the label, .*, of file, kind\.",
        ),
        (
            "file,label,class",
            {},
            r"'label' and 'class' may both be it; say which is the label, with",
        ),
        ("file,path,label", {}, r"'file' and 'path' may both be it; say which is the file"),
        (
            "file,label",
            {"label": "kind"},
            r"no column is called 'kind'; say which is the label, .*, of file, label\.",
        ),
        ("file,label", {"species": "label"}, r"columns names 'species', which is none of file, "),
        ("file,label,offset", {}, r"'offset' may be a start or an end; say which is the end"),
        (
            "file,label,length",
            {"duration": "length"},
            r"a duration needs a start; say which is the",
        ),
        ("file,file", {}, r"line 1: two columns are called 'file'; rename one"),
    ],
)
def test_columns_that_are_not_clear_are_one_sentence(tmp_path, header, columns, said):
    table = lines(tmp_path / "l.csv", header, ",".join("x" * len(header.split(","))))
    with pytest.raises(InputError, match=said):
        read(table, columns=columns)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (",a,0,1,1", "line 2: the file is ''; name one"),
        ("a.wav,a,x,1,1", "line 2: the start is 'x'; write seconds"),
        ("a.wav,a,1_0,1,1", "line 2: the start is '1_0'"),
        ("a.wav,a,nan,1,1", "line 2: the start is 'nan'"),
        ("a.wav,a,0,-1,1", "line 2: the end is '-1'"),
        ('a.wav,a,"0,5",1,1', "line 2: the start is '0,5'"),
        ("a.wav,a,0,1,0", "line 2: the channel is '0'; write a whole number from 1"),
        ("a.wav,a,0,1,left", "line 2: the channel is 'left'"),
        ('a.wav,"a,0,1,1', "is not a table in UTF-8"),
        ("a.wav,\xff,0,1,1", "is not text in UTF-8"),
    ],
)
def test_a_field_that_cannot_be_used_is_refused_by_line(tmp_path, row, said):
    table = tmp_path / "l.csv"
    table.write_bytes(f"file,label,start,end,channel\n{row}\n".encode("latin-1"))
    with pytest.raises(InputError, match=said):
        read(table)


@pytest.mark.parametrize(
    ("header", "fields", "columns", "part"),
    [
        ("file,label,start,duration", "0.5,0.75", {}, (0.5, 1.25)),
        ("file,label,onset,length", "0.5,0.75", {"duration": "length"}, (0.5, 1.25)),
        ("file,label,start,duration", ",0.75", {}, (0.0, 0.75)),
        ("file,label,start,duration", "0.5,", {}, (0.5, None)),
        # NeMo's manifests; beside no start, a duration is that of the file.
        ("file,label,offset,duration", "0.5,0.75", {}, (0.5, 1.25)),
        ("file,label,site,duration", "north,0.75", {}, (0.0, None)),
    ],
)
def test_a_duration_beside_a_start_gives_the_end(tmp_path, header, fields, columns, part):
    table = lines(tmp_path / "l.csv", header, f"a.wav,x,{fields}")
    assert listing(table, columns) == [("a.wav", ("x",), *part, None)]


def test_a_column_that_is_no_time_is_left_out_where_that_is_said(tmp_path):
    """When a recorder began is no place in its file."""
    table = lines(tmp_path / "l.csv", "file,label,start_time", "a.wav,x,2021-05-01 12:00:00")
    said = r"the start is '2021-.*'; write seconds from 0, such as 1\.5, .* with --columns start=\."
    with pytest.raises(InputError, match=said):
        listing(table)
    assert listing(table, {"start": ""}) == [("a.wav", ("x",), 0.0, None, None)]


@pytest.mark.parametrize(
    ("times", "asked"),
    [
        # crowsetta, das and vak; AudioSet; ELAN and Praat; Python's readers of annotations.
        ("onset_s,offset_s", "start end"),
        ("start_seconds,end_seconds", "start end"),
        ("Begin Time (s),End Time (s)", "start end"),
        ("begin_time,end_time", "start"),
        ("tmin,tmax", "start end"),
        ("T0,t_1", "start end"),
        ("startTime,stopTime", "start end"),
        ("clip_start_ms,clip_end_ms", "start end"),
        ("start,stop", "end"),
        ("start,duration_s", "duration"),
        ("onset,length", "duration"),
        ("Start (s),Dur.", "start duration"),
        # ELAN's export; Praat's intervals; Whisper and forced aligners; a Sonic Visualiser region.
        ("Begin Time - ss.msec,End Time - ss.msec", "start end"),
        ("xmin,xmax", "start end"),
        ("start_timestamp,end_timestamp", "start end"),
        ("t_start,t_end", "start end"),
        ("word_start,wordEnd", "start end"),
        ("from,to_s", "start end"),
        ("TIME,DURATION", "start"),
        ("time_s,dur", "start duration"),
        ("t,dt", "start duration"),
        ("position,length", "start duration"),
        ("Left (s),Right (s)", "start end"),
        ("first_sample,last_sample", "start end"),
    ],
)
def test_a_column_that_may_be_a_time_is_asked_for(tmp_path, times, asked):
    """Instead of the whole file, or another part of it."""
    table = lines(tmp_path / "l.csv", f"file,{times},label", "a.wav,0.25,0.75,x")
    first, second = times.split(",")
    named, columns = {"end": second, "duration": second, "start": first}, {}
    for role in asked.split():
        said = (
            rf"line 2: {re.escape(repr(named[role]))} may be a time .*; say which is the {role}, "
        )
        with pytest.raises(InputError, match=rf"{said}.*\(--columns {role}=\.\.\.\), of file, "):
            listing(table, columns)
        columns[role] = named[role]
    end = 1.0 if "duration" in asked or second == "DURATION" else 0.75
    assert listing(table, columns) == [("a.wav", ("x",), 0.25, end, None)]
    none = dict.fromkeys(("start", "end", "duration"), "")
    assert listing(table, none) == [("a.wav", ("x",), 0.0, None, None)]


@pytest.mark.parametrize(
    "header",
    [
        "file,length,label,x",
        "file,duration,Duration_s,label",
        "file,start,end,duration_s,label",
        "file,start,duration,stop,label",
        "file,onset,offset,start_frame,label",
        "file,start_date,end_frequency,label",
        "file,sends,recording_start,label",
        "file,weekend,time,label",
        "file,date,time,duration,label",
        "file,deployment_start,utc_offset,File Offset (s),label",
        "file,path_to_notes,from_whom,label",
        "file,start_lat,End Longitude,stop_id,onset_type,label",
        "file,position,left,label",
    ],
)
def test_a_column_that_is_no_time_of_the_clip_is_not_asked_for(tmp_path, header):
    fields = [{"file": "a.wav", "label": "x"}.get(name, "0.5") for name in header.split(",")]
    assert listing(lines(tmp_path / "l.csv", header, ",".join(fields)))


@pytest.mark.parametrize("name", ["segment", "when"])
@pytest.mark.parametrize(
    "value",
    [[0.25, 0.75], ["1", "2"], {"start": 0}, [{"onset_s": 0, "x": 1}], "[0.25, 0.75]", "(1,2)"],
)
def test_two_times_in_one_value_are_asked_for(tmp_path, name, value):
    """Instead of the whole file."""
    row = {"file": "a.wav", "label": "x", name: value}
    table = lines(tmp_path / "l.jsonl", json.dumps(row))
    with pytest.raises(InputError, match=f"line 1: '{name}' may hold times in the file .*"):
        listing(table)
    assert listing(table, {"start": ""}) == [("a.wav", ("x",), 0.0, None, None)]


@pytest.mark.parametrize(
    ("name", "value", "is_asked"),
    [
        ("time", "0:05-0:10", True),
        ("Interval", "1.5 – 2", True),
        ("age", "20-29", False),
        ("location", "(51.5, -0.1)", False),
        ("frequency range", "[500, 8000]", False),
        ("version", "(1.2.3, 4)", False),
        ("gps", "(12.1, 45.0)", False),
        ("age", "[20, 29]", False),
        ("time", "12:05", False),
    ],
)
def test_two_times_in_one_field_are_asked_for(tmp_path, name, value, is_asked):
    table = lines(tmp_path / "l.csv", f"file,{name},label", f'a.wav,"{value}",x')
    with pytest.raises(InputError, match="may hold times") if is_asked else nullcontext():
        listing(table)


@pytest.mark.parametrize(
    ("role", "name"),
    [
        *(("fold", name) for name in ("cv_fold", "kfold", "Fold ID", "is_test", "partition")),
        *(("group", name) for name in ("speaker_id", "participant", "Patient No.", "client_id")),
    ],
)
def test_a_column_that_may_divide_the_clips_is_asked_for(tmp_path, role, name):
    """Instead of other folds than those of the table, or one speaker in several."""
    table = lines(tmp_path / "l.csv", f"file,label,{name}", "a.wav,x,1")
    with pytest.raises(
        InputError, match=rf"{re.escape(repr(name))} may tell .* which is the {role}, "
    ):
        listing(table)
    assert listing(table, {role: ""}) == [("a.wav", ("x",), 0.0, None, None)]
    (row,) = find_reader(table).read(table, {role: name})
    assert getattr(row, role) == "1"


@pytest.mark.parametrize("indent", [None, 1])
def test_a_list_in_json_is_refused_as_one(tmp_path, indent):
    rows = json.dumps([{"file": "a.wav", "label": "x"}], indent=indent)
    with pytest.raises(InputError, match="is one list in JSON; write an object a line"):
        listing(lines(tmp_path / "l.json", *rows.splitlines()))


@pytest.mark.parametrize("more", ["group", "fold"])
def test_one_part_listed_in_two_groups_or_folds_is_refused_by_line(tmp_path, more):
    table = lines(
        tmp_path / "l.csv", f"file,start,end,label,{more}", "a.wav,0,1,x,1", "a.wav,0,1,y,1"
    )
    assert [row.labels for row in find_reader(table).rows(table, {})] == [("x", "y")]
    lines(table, f"file,start,end,label,{more}", "a.wav,0,1,x,1", "a.wav,0,1,y,2")
    with pytest.raises(InputError, match=r"line 3: the same part was listed already \(.*line 2\)"):
        read(table)


@pytest.mark.parametrize("labels", [True, {"x": 0.9}])
def test_what_is_no_list_of_labels_is_refused_by_line(tmp_path, labels):
    table = lines(tmp_path / "l.jsonl", json.dumps({"file": "a.wav", "labels": labels}))
    with pytest.raises(InputError, match=r"line 1: .* stands where labels should; write a list"):
        read(table)


@pytest.mark.parametrize("sign", [";", "|"])
def test_labels_that_another_sign_divides_are_not_one_label(tmp_path, sign):
    table = tmp_path / "l.csv"
    table.write_text(f"file,labels\na.wav,dog{sign}rain\n")
    with pytest.raises(InputError, match=r"line 2: the labels are .*; divide them by commas"):
        read(table)


@pytest.mark.parametrize("column", ["label", "labels", "tags"])
@pytest.mark.parametrize(
    "made",
    [
        repr,
        json.dumps,
        lambda x: repr(tuple(x)),
        lambda x: repr(set(x)),
        lambda x: str(np.array(x)),
    ],
)
def test_a_list_in_a_field_is_no_label_in_brackets(tmp_path, column, made):
    """As `to_csv` of pandas writes a column of lists."""
    for labels in (["x", "z"], ["x"]):
        field = made(labels).replace('"', '""')
        table = lines(tmp_path / "l.csv", f"file,{column}", f'a.wav,"{field}"')
        with pytest.raises(
            InputError, match=r"line 2: the labels are .*; write them into a column"
        ):
            listing(table)


def test_brackets_are_part_of_a_label_where_they_are_no_list(tmp_path):
    fields = "[noise]", "[noise],(breath)", "Dog,(Cat)", "x,[y]"
    table = lines(tmp_path / "l.csv", "file,labels", *(f'a.wav,"{field}"' for field in fields))
    assert [labels for _, labels, *_ in listing(table)] == [tuple(f.split(",")) for f in fields]
    table = lines(tmp_path / "l.csv", "file,label", 'a.wav,"(Bird, song)"')
    assert listing(table)[0][1] == ("(Bird, song)",)
    for field in ("[]", "[x, z]", "{x,z}"):
        table = lines(tmp_path / "l.csv", "file,labels", f'a.wav,"{field}"')
        with pytest.raises(InputError, match="divided by commas, without brackets and quotes"):
            listing(table)


def test_several_labels_a_clip(tmp_path):
    rows = ["x", "x,y", "y", "", "x,z", "z"]
    for row in range(6):
        record(tmp_path / f"{row}.wav")
    table = lines(
        tmp_path / "l.csv", "file,labels", *(f'{n}.wav,"{x}"' for n, x in enumerate(rows))
    )
    clips = read(table)
    assert clips.multi_label
    assert clips.classes == ["x", "y", "z"]
    found = [",".join(np.array(clips.classes)[row]) for row in clips.labels]
    assert found == rows
    listed = [x.split(",") if x else [] for x in rows]
    table = lines(
        tmp_path / "l.jsonl",
        *(json.dumps({"file": f"{n}.wav", "labels": x}) for n, x in enumerate(listed)),
    )
    np.testing.assert_array_equal(read(table).labels, clips.labels)


# What the checker says


def test_decoding_every_file_keeps_none_of_it(tmp_path):
    """A recording of a day would need gigabytes; here its samples are 25 MB as float32."""
    for name in "ab":
        record(tmp_path / f"{name}.wav", seconds=400)
    wave = np.zeros(40000, np.float32)
    wave[-1] = np.nan
    soundfile.write(tmp_path / "c.wav", wave, 16000, "FLOAT")
    rows = [f"{name}.wav,{start},{start + 1},{start}" for name in "abc" for start in (0, 1)]
    clips = read(lines(tmp_path / "l.csv", "file,start,end,label", *rows))
    tracemalloc.start()
    found = describe(clips, decode=True, progress=False)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 16e6
    assert found.bad == {str(tmp_path / "c.wav"): "holds samples that are not finite numbers"}
    assert found.seconds == 4


@pytest.fixture
def four(tmp_path):
    """Four clips of two classes, and a table of them to which rows can be added."""

    def table(*rows, header="file,label"):
        more = "," * header.count(",")
        first = [f"{n}.wav,{'ab'[n % 2]}{more[1:]}" for n in range(4)]
        return lines(tmp_path / "l.csv", header, *first, *rows)

    for row in range(4):
        record(tmp_path / f"{row}.wav", seconds=2)
    return table


def test_all_that_cannot_be_used_is_named_at_once(tmp_path, four):
    (tmp_path / "empty.wav").write_bytes(b"")
    record(tmp_path / "cut.flac", seconds=4)
    (tmp_path / "cut.flac").write_bytes((tmp_path / "cut.flac").read_bytes()[:-30000])
    for name in "456":
        record(tmp_path / f"{name}.wav")
    table = four("gone.wav,a", "empty.wav,a", "cut.flac,b", "4.wav,", "5.wav,once", "6.wav,a")
    with pytest.raises(InputError) as refused:
        read(table)
    said = str(refused.value)
    assert "\n" not in said
    assert "5 of the 10 clips of" in said
    for part in (
        "gone.wav is missing",
        "empty.wav is empty, without a byte",
        "cut.flac is cut short",
        "l.csv, line 9 has no label",
        "l.csv, line 10 is the only clip of the class 'once'",
    ):
        assert part in said
    clips = read(table, skip_bad=True)
    assert [path.name for path in clips.paths] == ["0.wav", "1.wav", "2.wav", "3.wav", "6.wav"]
    assert len(clips.skipped) == 5


@pytest.mark.parametrize("kind", ["wav", "mka"])
def test_a_channel_that_a_file_lacks_is_named(tmp_path, kind):
    """Also where FFmpeg decodes it; clips of the channels that are there can be used."""
    names = [f"{name}.{kind}" for name in "abcd"]
    for place, name in enumerate(names):
        wave = np.full((1 + (place > 0), 8000), 0.1 * (place + 1), np.float32)
        soundfile.write(tmp_path / "all.wav", wave.T, 8000, "FLOAT")
        with (
            av.open(str(tmp_path / "all.wav")) as source,
            av.open(str(tmp_path / name), "w") as out,
        ):
            stream = out.add_stream_from_template(source.streams[0])
            for packet in source.demux():
                packet.stream = stream
                out.mux([packet] if packet.size else [])
    rows = [f"{name},{1 + n % 2},{n // 2 % 2}" for n, name in enumerate([*names, *names[::-1]])]
    table = lines(tmp_path / "l.csv", "file,channel,label", *rows[:7], f"{names[0]},2,0")
    with pytest.raises(
        InputError, match=rf"1 of the 8 clips .*{names[0]} has no channel 2, but 1\)"
    ):
        read(table)
    assert len(read(table, skip_bad=True)) == 7


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("2.wav,a", r"line 6: .*2\.wav was listed already \(.*line 4\); remove one"),
        ("./x/../2.wav,b", r"line 6: .*2\.wav was listed already \(.*line 4\), with other labels"),
    ],
)
def test_a_clip_that_is_listed_twice_is_refused_by_line(tmp_path, four, row, said):
    with pytest.raises(InputError, match=said):
        read(four(row))


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ("1,1", "line 6 begins at 1 s and ends at 1 s, which leaves nothing to hear"),
        ("1.5,1", "line 6 begins at 1.5 s and ends at 1 s"),
        ("1,1.00001", "line 6 begins at 1 s and ends at 1.00001 s, which leaves nothing to hear"),
        ("2,", r"line 6 is from 2 s to the end, and 0\.wav lasts 2"),
        ("1,2.6", r"line 6 is from 1 s to 2.6 s, and 0\.wav lasts 2"),
    ],
)
def test_a_segment_that_does_not_lie_in_its_file_is_named(four, times, said):
    table = four(f"0.wav,a,{times}", header="file,label,start,end")
    with pytest.raises(InputError, match=said):
        read(table)


def test_segments_are_cut_where_the_table_says_and_at_the_end_of_the_file(four, tmp_path):
    table = four(
        "0.wav,a,0.5,1.25", "0.wav,b,1.25,2.4", "1.wav,a,1,", header="file,label,start,end"
    )
    clips = read(table)
    assert clips.segments[:4].tolist() == pytest.approx(np.full((4, 2), [0, np.nan]), nan_ok=True)
    assert clips.segments[4:].ravel() == pytest.approx(
        [0.5, 1.25, 1.25, np.nan, 1, np.nan], nan_ok=True
    )
    waves = cached_waves(clips, progress=False)
    assert waves.lengths.tolist() == [32000] * 4 + [12000, 12000, 16000]
    whole = load_audio(tmp_path / "0.wav")
    step = float(waves.scales[4])
    np.testing.assert_allclose(waves.native(4), whole[8000:20000], atol=step)
    # Parts of one recording are never trained and tested on at once.
    assert same_fold(clips, 0, 4, 5)
    assert same_fold(clips, 1, 6)
    assert not clips.across_folds.any()


def test_groups_copies_and_files_keep_clips_in_one_fold(tmp_path):
    for row in range(8):
        record(tmp_path / f"{row}.wav")
    shutil.copy(tmp_path / "0.wav", tmp_path / "copy.wav")
    groups = ["A", "A", "B", "B", "", "", "", "", "B"]
    names = [*(f"{row}.wav" for row in range(8)), "copy.wav"]
    rows = [f"{name},{'ab'[n % 2]},{groups[n]}" for n, name in enumerate(names)]
    table = lines(tmp_path / "l.csv", "file,label,group", *rows)
    with pytest.warns(
        UserWarning, match=r"same content as one before: .*0\.wav = .*copy\.wav; keep"
    ):
        clips = read(table)
    # The copy is of group B, and its original of group A.
    assert same_fold(clips, 0, 1, 2, 3, 8)
    assert len(set(clips.sources.tolist())) == 5
    with (
        pytest.warns(UserWarning, match="same content"),
        pytest.raises(InputError, match="there are 5 groups of clips, fewer than 6 folds"),
    ):
        read(table, n_folds=6)


def test_folds_of_the_table_are_kept_and_what_flatters_is_said(tmp_path):
    for row in range(8):
        record(tmp_path / f"{row}.wav")
    folds = [1, 1, 2, 2, 10, 10, 10, 10]
    rows = [f"{n}.wav,{'ab'[n % 2]},{fold},g{n % 6}" for n, fold in enumerate(folds)]
    with pytest.warns(UserWarning, match=r"4 clips of l\.csv share a file, its content or a group"):
        clips = read(lines(tmp_path / "l.csv", "file,label,fold,group", *rows))
    assert clips.folds.tolist() == folds
    assert clips.fold_names == {1: "fold 1", 2: "fold 2", 10: "fold 10"}
    assert clips.test_folds == [1, 2, 10]
    assert clips.across_folds.tolist() == [True, True, False, False, False, False, True, True]
    assert clips.name == "l.csv"


def test_a_class_that_is_never_trained_is_said_by_name(tmp_path):
    for row in range(6):
        record(tmp_path / f"{row}.wav")
    rows = [f"{n}.wav,{label},{'xy'[n % 2]}" for n, label in enumerate("aabbcc")]
    rows[4:] = ["4.wav,c,x", "5.wav,c,x"]
    with pytest.warns(
        UserWarning, match="fold x has all clips of c, so that nothing of it is trained"
    ):
        clips = read(lines(tmp_path / "l.csv", "file,label,fold", *rows))
    assert clips.fold_names == {1: "fold x", 2: "fold y"}
    # And where folds are dealt, but a class has one group alone.
    rows = [f"{n}.wav,{label},{group}" for n, (label, group) in enumerate(zip("aabbcc", "uvuvww"))]  # noqa: B905
    with pytest.warns(UserWarning, match=r"has all clips of c, so that nothing"):
        read(lines(tmp_path / "l.csv", "file,label,group", *rows), n_folds=3)


@pytest.mark.parametrize(
    ("folds", "said"),
    [
        (["1", "1", "1", "1"], "all clips are in the fold '1'; give at least two"),
        (["1", "2", "1", ""], r"line 5 names no fold, other rows do"),
        (["test", "test", "eval", "dev"], "no clip is in a fold for training"),
    ],
)
def test_folds_that_cannot_be_used_are_one_sentence(four, tmp_path, folds, said):
    rows = [f"{n}.wav,{'ab'[n % 2]},{fold}" for n, fold in enumerate(folds)]
    four()
    with pytest.raises(InputError, match=said):
        read(lines(tmp_path / "l.csv", "file,label,fold", *rows))


@pytest.mark.parametrize("name", ["set", "which part"])
def test_a_column_of_the_parts_of_a_split_is_asked_for(four, tmp_path, name):
    four()
    parts = "train", "TRAIN", "test", "val"
    rows = [f"{n}.wav,{'ab'[n % 2]},{part}" for n, part in enumerate(parts)]
    table = lines(tmp_path / "l.csv", f"file,label,{name}", *rows)
    said = rf"l\.csv: '{name}' holds the parts of a split .*; say which is the fold, .*, of file, "
    with pytest.raises(InputError, match=said):
        listing(table)
    rows = find_reader(table).rows(table, {"fold": name})
    assert [row.fold for row in rows] == [*parts]
    assert len(listing(table, {"fold": ""})) == 4
    # Neither is a column that has other words, or the same for all.
    for others in (["train", "test", "x", "val"], ["train"] * 4, ["a", "a", "b", "b"]):
        rows = [f"{n}.wav,{'ab'[n % 2]},{part}" for n, part in enumerate(others)]
        assert len(listing(lines(tmp_path / "l.csv", f"file,label,{name}", *rows))) == 4


def test_the_parts_of_a_split_are_no_group_in_a_table_without_a_header(four, tmp_path):
    four()
    parts = "train", "train", "test", "test"
    rows = [f"{n}.wav,{'ab'[n % 2]},{part}" for n, part in enumerate(parts)]
    table = lines(tmp_path / "l.csv", *rows)
    with pytest.raises(
        InputError, match=r"'3' holds the parts of a split .*; say which is the fold"
    ):
        listing(table)
    rows = list(find_reader(table).rows(table, {"file": 1, "label": 2, "fold": 3}))
    assert [(row.fold, row.group) for row in rows] == [(part, None) for part in parts]
    rows = list(find_reader(table).rows(table, {"fold": ""}))
    assert [(row.fold, row.group) for row in rows] == [(None, part) for part in parts]


def test_a_training_part_alone_is_dealt(four, tmp_path):
    four()
    rows = [f"{n}.wav,{'ab'[n % 2]},train" for n in range(4)]
    assert sorted(read(lines(tmp_path / "l.csv", "file,label,split", *rows)).folds) == [1, 1, 2, 2]


def test_the_division_is_that_of_the_seed(tmp_path):
    for n in range(12):
        record(tmp_path / "abc"[n % 3] / f"{n}.wav")
    found = [read(tmp_path, seed=seed).folds.tolist() for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]


# Hugging Face


def test_files_of_metadata_are_relative_to_it_and_others_are_said(tmp_path):
    for part in ("train", "test"):
        for name in "12":
            record(tmp_path / part / f"{name}.wav")
    record(tmp_path / "train/3.wav")
    lines(tmp_path / "train/metadata.csv", "file_name,label", "1.wav,NA", "2.wav,001")
    lines(
        tmp_path / "test/metadata.jsonl",
        '{"file_name": "1.wav", "label": "NA"}',
        '{"file_name": "2.wav", "label": "001"}',
    )
    with pytest.warns(
        UserWarning, match=r"1 files in .* are not listed in its metadata, .*: train/3\.wav"
    ):
        clips = read(tmp_path)
    assert clips.fold_names == {1: "training", 3: "testing"}
    found = {
        (path.parent.name, path.name, clips.classes[label], clips.fold_names[fold])
        for path, label, fold in zip(clips.paths, clips.labels, clips.folds, strict=True)
    }
    assert found == {
        ("test", "1.wav", "NA", "testing"),
        ("test", "2.wav", "001", "testing"),
        ("train", "1.wav", "NA", "training"),
        ("train", "2.wav", "001", "training"),
    }
    with pytest.warns(UserWarning, match=r"1 files in .*: 3\.wav"):
        assert [name for name, *_ in listing(tmp_path / "train/metadata.csv")] == ["1.wav", "2.wav"]
    lines(tmp_path / "test/metadata.jsonl", '{"file_name": "gone.wav", "label": "NA"}')
    with (
        pytest.warns(UserWarning, match="3 files in .*: test/1"),
        pytest.raises(InputError, match=r"test/gone\.wav is missing"),
    ):
        read(tmp_path)


# Kaldi


@pytest.fixture
def kaldi(tmp_path):
    record(tmp_path / "my rec.wav", seconds=3)
    record(tmp_path / "b.flac", seconds=2, rate=8000, channels=2)
    lines(tmp_path / "wav.scp", "rec1 my rec.wav", "rec2\tb.flac")
    lines(
        tmp_path / "segments",
        "u1 rec1 0.5 1.25",
        "u2 rec1 1.00004 -1",
        "u3  rec1 0.12345 0.98765",
        "u4 rec2 0 1 1",
        "u5 rec2 1 2 0",
    )
    lines(tmp_path / "text", "u1 dog", "u2 NA", "u3 dog", "u4 NA", "u5 dog")
    lines(tmp_path / "utt2spk", "u1 s1", "u2 s1", "u3 s1", "u4 s2", "u5 s2")
    return tmp_path


def test_a_kaldi_folder_is_read_as_kaldiio_cuts_it(kaldi):
    clips = read(kaldi)
    assert [path.name for path in clips.paths] == ["my rec.wav"] * 3 + ["b.flac"] * 2
    assert clips.classes == ["NA", "dog"]
    assert clips.labels.tolist() == [1, 0, 1, 0, 1]
    assert clips.channels.tolist() == [-1, -1, -1, 1, 0]
    assert clips.sources.tolist() == [0, 0, 0, 1, 1]
    waves = cached_waves(clips, progress=False)
    # kaldiio 2.18.1, ReadHelper("scp:wav.scp", segments="segments"): from samples 8000, 16000 and 1975
    # on, so many. It drops the fraction of a sample, 16000.64, where we take the nearest, as lhotse
    # 1.33.0 does.
    expected = [(8000, 12000), (16000, 32000), (1975, 13827)]
    whole = load_audio(kaldi / "my rec.wav")
    for row, (first, length) in enumerate(expected):
        assert abs(int(waves.lengths[row]) - length) <= 1
        ours = waves.native(row)[1:100]
        nearest = min(abs(ours - whole[first + d + 1 : first + d + 100]).max() for d in (0, 1))
        assert nearest <= float(waves.scales[row])
    assert int(waves.lengths[0]) == 12000
    assert int(waves.lengths[3]) == 16000


def test_kaldi_labels_lie_in_the_file_that_is_named(kaldi):
    lines(kaldi / "utt2lang", *(f"u{n} {'de' if n % 2 else 'no'}" for n in range(1, 6)))
    assert read(kaldi).classes == ["de", "no"]
    assert read(kaldi / "wav.scp", columns={"label": "text"}).classes == ["NA", "dog"]
    rows = find_reader(kaldi).rows(kaldi, {"label": "text", "group": "utt2lang"})
    assert [row.group for row in rows] == ["de", "no", "de", "no", "de"]


def test_kaldi_has_no_groups_where_that_is_said_and_always_labels(kaldi):
    reader = find_reader(kaldi)
    assert {row.group for row in reader.read(kaldi, {})} == {"s1", "s2"}
    assert {row.group for row in reader.read(kaldi, {"group": ""})} == {None}
    with pytest.raises(InputError, match="each utterance needs a label; say which is the label"):
        list(reader.read(kaldi, {"label": ""}))


def test_without_segments_every_recording_is_an_utterance(kaldi):
    (kaldi / "segments").unlink()
    lines(kaldi / "text", "rec1 a b  c", "rec2 1e5")
    (kaldi / "utt2spk").unlink()
    assert [(name, labels) for name, labels, *_ in listing(kaldi)] == [
        ("my rec.wav", ("a b  c",)),
        ("b.flac", ("1e5",)),
    ]


@pytest.mark.parametrize(
    "command",
    ["cat {} |", "| tee {}", "sph2pipe -f wav x.sph |", "touch {} |"],
)
def test_a_command_is_refused_and_not_executed(kaldi, command):
    witness = kaldi / "witness"
    lines(kaldi / "wav.scp", f"rec1 {command.format(witness)}", "rec2 b.flac")
    with pytest.raises(
        InputError, match=r"wav\.scp, line 1: .* is a command, and nothing is executed"
    ):
        read(kaldi)
    assert not witness.exists()


@pytest.mark.parametrize(
    ("name", "row", "said"),
    [
        ("wav.scp", "rec1 b.flac", r"wav\.scp, line 3: 'rec1' is there twice"),
        ("wav.scp", "rec3 feats.ark:123", r"line 3: 'feats\.ark:123' lies in an archive"),
        ("segments", "u6 rec9 0 1", r"segments, line 6: no recording is called 'rec9'"),
        ("segments", "u6 rec1 0", r"segments, line 6: write utterance, recording, start and end"),
        ("segments", "u6 rec1 x 1", r"segments, line 6: the start is 'x'"),
        ("text", "u9 dog", r"text, line 6: no utterance is called 'u9'"),
        ("segments", "u6 rec1 2 1", r"utterance u6 has no label"),
        ("segments", "u1 rec1 2 1", r"segments, line 6: 'u1' is there twice"),
    ],
)
def test_kaldi_files_that_do_not_fit_together_are_refused(kaldi, name, row, said):
    with open(kaldi / name, "a") as file:
        file.write(f"{row}\n")
    with pytest.raises(InputError, match=said):
        read(kaldi)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("u2 rec1 2.5 1", r"text, line 2 begins at 2.5 s and ends at 1 s"),
        ("u2 rec1 3 -1", r"text, line 2 is from 3 s to the end, and my rec\.wav lasts 3"),
        ("u2 rec1 1 4", r"text, line 2 is from 1 s to 4 s, and my rec\.wav lasts 3"),
    ],
)
def test_kaldi_times_are_checked_against_the_file(kaldi, row, said):
    text = (kaldi / "segments").read_text().replace("u2 rec1 1.00004 -1", row)
    (kaldi / "segments").write_text(text)
    with pytest.raises(InputError, match=said):
        read(kaldi)


def test_kaldi_lengths_are_checked_against_the_file(kaldi):
    lines(kaldi / "reco2dur", "rec1 3.0", "rec2 2.5")
    with pytest.raises(
        InputError, match=r"text, line 4 says that b\.flac lasts 2\.5 s, and it lasts 2"
    ):
        read(kaldi)


# lhotse


@pytest.fixture
def recording(tmp_path):
    """A recording, and lhotse 1.33.0's words for it."""
    record(tmp_path / "my rec.wav", seconds=3, channels=2)
    return {
        "id": "r1_sp0.9",
        "sources": [{"type": "file", "channels": [0, 1], "source": "my rec.wav"}],
        "sampling_rate": 16000,
        "num_samples": 48000,
        "duration": 3.0,
        "channel_ids": [0, 1],
    }


def supervision(start, duration, text, channel=1, **more):
    said = {"id": f"s{start}", "recording_id": "r1_sp0.9", "start": start, "duration": duration}
    return said | {"channel": channel, "text": text} | more


def cut_of(recording, *supervisions, **more):
    said = {"id": "c", "start": 1.0, "duration": 1.5, "channel": 1, "type": "MonoCut"}
    return said | {"supervisions": supervisions, "recording": recording} | more


def written(path, *objects):
    with (gzip.open if path.suffix == ".gz" else open)(path, "wt") as file:
        file.writelines(json.dumps(each) + "\n" for each in objects)
    return path


def test_times_in_cuts_count_from_the_cut(tmp_path, recording):
    spoken = supervision(-0.25, 1.0, "dog", custom={"site": "NA"}), supervision(0.5, 2.0, "cat")
    path = written(tmp_path / "cuts.jsonl.gz", cut_of(recording, *spoken))
    # lhotse 1.33.0: supervision.trim(cut.duration), counted from cut.start.
    assert listing(path) == [
        ("my rec.wav", ("dog",), 1.0, 1.75, 1),
        ("my rec.wav", ("cat",), 1.5, 2.5, 1),
    ]
    rows = list(find_reader(path).rows(path, {}))
    assert [row.group for row in rows] == ["r1", "r1"]
    one = written(tmp_path / "one.jsonl", cut_of(recording, spoken[0]))
    (row,) = find_reader(one).rows(one, {"label": "site", "group": "text"})
    assert (row.labels, row.group) == (("NA",), "dog")


def test_times_in_supervisions_count_from_the_recording(tmp_path, recording):
    written(tmp_path / "recordings.jsonl.gz", recording)
    path = written(
        tmp_path / "supervisions.jsonl.gz",
        supervision(0.5, 1.0, "dog"),
        supervision(0.1, 0.2, "NA", channel=[0, 1]),
    )
    assert listing(path) == [
        ("my rec.wav", ("dog",), 0.5, 1.5, 1),
        ("my rec.wav", ("NA",), 0.1, 0.3, None),
    ]


def test_lhotse_and_ours_cut_the_same_samples(tmp_path, recording):
    spoken = supervision(0.12345, 0.8642, "a", channel=0), supervision(1, 1, "b", channel=0)
    path = written(
        tmp_path / "cuts.jsonl",
        cut_of(recording, *spoken, start=0, duration=3.0),
        cut_of(recording, supervision(0, 1, "a"), supervision(1, 0.5, "b"), start=0, duration=3.0),
    )
    with pytest.raises(InputError, match="there are 1 groups"):
        read(path)
    clips = None
    record(tmp_path / "other.wav", seconds=3, channels=2)
    other = recording | {
        "id": "r2",
        "sources": [{"type": "file", "channels": [0, 1], "source": "other.wav"}],
    }
    with open(path, "a") as file:
        file.write(
            json.dumps(cut_of(other, supervision(0, 1, "a"), supervision(1, 0.5, "b"))) + "\n"
        )
    clips = read(path)
    waves = cached_waves(clips, progress=False)
    # lhotse 1.33.0, MonoCut("k", 0.12345, 0.8642, 0, [], recording).load_audio(): from sample 1975 on,
    # 13827 samples.
    assert int(waves.lengths[0]) == 13827
    whole = soundfile.read(tmp_path / "my rec.wav")[0][1975 : 1975 + 13827, 0]
    np.testing.assert_allclose(waves.native(0), whole, atol=float(waves.scales[0]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"transforms": [{"name": "Speed", "kwargs": {"factor": 0.9}}]}, "is to be transformed"),
        ({"sources": [{"type": "command", "channels": [0, 1], "source": "touch witness"}]},
         "the source is a command, and nothing is executed or fetched"),
        ({"sources": [{"type": "url", "channels": [0, 1], "source": "x"}]}, "the source is a url"),
        ({"sampling_rate": 8000, "num_samples": 24000}, "has 8000 Hz, and it has 16000"),
        ({"num_samples": 60000}, r"says that my rec\.wav lasts 3.75 s, and it lasts 3"),
        ({"sources": []}, "is not a cut or a supervision of lhotse"),
    ],
)  # fmt: skip
def test_what_lhotse_would_do_to_a_recording_is_refused(tmp_path, recording, change, said):
    path = written(tmp_path / "cuts.jsonl", cut_of(recording | change, supervision(0, 1, "a")))
    with pytest.raises(InputError, match=said):
        read(path)
    assert not (tmp_path / "witness").exists()


def test_cuts_that_are_mixed_or_not_labelled_are_refused(tmp_path, recording):
    whole = cut_of(recording, supervision(0, 1, "a"))
    mixed = {
        "id": "m",
        "type": "MixedCut",
        "tracks": [{"cut": whole, "type": "MonoCut", "offset": 0.0}],
    }
    with pytest.raises(InputError, match="line 1 is MixedCut, which holds no label"):
        read(written(tmp_path / "cuts.jsonl", mixed))
    with pytest.raises(InputError, match="line 1 is a recording alone, which holds no label"):
        read(written(tmp_path / "recs.jsonl", recording))
    with pytest.raises(InputError, match=r"line 1 has no label"):
        read(written(tmp_path / "cuts.jsonl", cut_of(recording)))
    with pytest.raises(
        InputError, match=r"no 'species' is there; say which is the label, .*, of id, recording_id"
    ):
        read(written(tmp_path / "cuts.jsonl", whole), columns={"label": "species"})
    with pytest.raises(InputError, match=r"recordings\.jsonl cannot be read"):
        read(written(tmp_path / "supervisions.jsonl", supervision(0, 1, "a")))


# audformat

HEADER = """
name: birds
schemes:
  region:
    dtype: str
    labels: [NA, EU, 'null', '1', no]
  speaker: {dtype: str}
splits:
  test: {type: test}
  train: {type: train}
tables:
  files.train:
    type: filewise
    split_id: train
    columns:
      region: {scheme_id: region}
      speaker: {scheme_id: speaker}
  segments:
    type: segmented
    split_id: test
    columns:
      region: {scheme_id: region}
"""


@pytest.fixture
def audformat(tmp_path):
    """A database as audformat 1.4.3 writes it with storage_format="csv", with a label "no" more."""
    for name in "abcd":
        record(tmp_path / f"{name}.wav", seconds=4)
    (tmp_path / "db.yaml").write_text(HEADER)
    rows = "a.wav,NA,s1", "b.wav,EU,s2", "c.wav,null,s1", "d.wav,no,s1"
    lines(tmp_path / "db.files.train.csv", "file,region,speaker", *rows)
    rows = (
        "a.wav,0 days 00:00:00,0 days 00:00:01.250000000,NA",
        "b.wav,0 days 00:00:00.500000000,,null",
        "c.wav,0 days 00:00:02.000000000,0 days 00:00:03.000000000,EU",
        "d.wav,0 days 00:00:02.000000000,0 days 00:00:03.000000000,no",
    )
    lines(tmp_path / "db.segments.csv", "file,start,end,region", *rows)
    return tmp_path


def test_a_database_has_its_labels_and_splits_in_its_header(audformat):
    with pytest.warns(UserWarning, match="8 clips of .* share a file"):
        clips = read(audformat)
    # audformat 1.4.3 itself loads gaps for NA and null from csv, and keeps them in parquet.
    assert clips.classes == ["EU", "NA", "no", "null"]
    assert [clips.classes[k] for k in clips.labels] == [
        "NA", "EU", "null", "no", "NA", "null", "EU", "no",
    ]  # fmt: skip
    assert [clips.fold_names[fold] for fold in clips.folds] == ["training"] * 4 + ["testing"] * 4
    assert clips.segments[4:].ravel() == pytest.approx(
        [0, 1.25, 0.5, np.nan, 2, 3, 2, 3], nan_ok=True
    )
    with pytest.warns(UserWarning, match="share a file"):
        assert len(read(audformat / "db.yaml")) == 8


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "0 days 00:00:00.500000000",
            "1",
            r"segments\.csv, line 3: the start is '1', where audformat",
        ),
        (
            ",null",
            ",AS",
            r"segments\.csv, line 3: region is 'AS', which the scheme does not declare",
        ),
        (",,null", ",,", r"segments\.csv, line 3 has no label"),
    ],
)
def test_what_audformat_would_take_otherwise_is_refused(audformat, old, new, said):
    table = audformat / "db.segments.csv"
    table.write_text(table.read_text().replace(old, new))
    with pytest.raises(InputError, match=said):
        read(audformat)


def test_a_database_without_one_column_of_labels_asks_for_it(audformat):
    header = audformat / "db.yaml"
    header.write_text(
        HEADER.replace("speaker: {dtype: str}", "speaker: {dtype: str, labels: [s1, s2]}")
    )
    with pytest.raises(
        InputError, match=r"has several columns; say which is the label, .*, of region, speaker"
    ):
        read(audformat)
    assert len(listing(audformat, {"label": "speaker"})) == 4
    header.write_text("tables: [\n")
    with pytest.raises(InputError, match=r"db\.yaml is not YAML"):
        read(audformat)
    header.write_text("name: x\n")
    with pytest.raises(InputError, match=r"db\.yaml is not the header of an audformat database"):
        read(audformat)


@pytest.mark.parametrize("package", ["yaml", "pyarrow"])
def test_what_a_database_needs_is_named_where_it_is_not_installed(audformat, monkeypatch, package):
    (audformat / "db.files.train.csv").unlink()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        InputError, match=rf"needs {'PyYAML' if package == 'yaml' else package}, which"
    ):
        read(audformat)


def test_a_table_in_parquet_is_the_same_as_in_csv(audformat):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    expected = listing(audformat)
    (audformat / "db.segments.csv").unlink()
    # As audformat 1.4.3 writes it.
    second = 10**9
    times = pyarrow.duration("ns")
    columns = {
        "file": pyarrow.array([f"{name}.wav" for name in "abcd"], pyarrow.large_string()),
        "start": pyarrow.array([0, second // 2, 2 * second, 2 * second], times),
        "end": pyarrow.array([5 * second // 4, None, 3 * second, 3 * second], times),
        "region": pyarrow.array(["NA", "null", "EU", "no"]).dictionary_encode(),
    }
    parquet.write_table(pyarrow.table(columns), audformat / "db.segments.parquet")
    assert listing(audformat) == expected


# DCASE


@pytest.mark.parametrize(
    ("row", "label", "start", "end", "group"),
    [
        # dcase_util 0.2.20, MetaDataContainer(filename=...).load().
        ("a.wav\tpark", "park", 0.0, None, None),
        ("a.wav\t1", "1", 0.0, None, None),
        ("a.wav\tpark\tlondon-1", "park", 0.0, None, "london-1"),
        ("a.wav\t0.5\t1.25\tdog", "dog", 0.5, 1.25, None),
        ("a.wav\tpark\t0.5\t1.25", "park", 0.5, 1.25, None),
        ("a.wav\t0.5\t1.25\tdog\tid7", "dog", 0.5, 1.25, "id7"),
        ("a.wav\tpark\t0.5\t1.25\tdog", "dog", 0.5, 1.25, None),
        ("a.wav\tpark\t0.5\t1.25\tdog\tm", "dog", 0.5, 1.25, None),
        ("a.wav\tpark\t0.5\t1.25\tdog\tm\tid7", "dog", 0.5, 1.25, "id7"),
        ("filename\tscene_label\tidentifier\tsource_label\na.wav\tpark\tlondon-1\ta",
         "park", 0.0, None, "london-1"),
        ("filename\tonset\toffset\tevent_label\na.wav\t0.5\t1.25\tdog", "dog", 0.5, 1.25, None),
    ],
)  # fmt: skip
def test_dcase_tables_are_known_by_their_header_or_by_their_columns(
    tmp_path, row, label, start, end, group
):
    table = lines(tmp_path / "meta.txt", row)
    (found,) = find_reader(table).rows(table, {})
    assert (found.file.name, found.labels) == ("a.wav", (label,))
    assert (found.start, found.end, found.group) == (start, end, group)


def test_dcase_weak_labels_and_events_at_once(tmp_path):
    weak = lines(tmp_path / "weak.tsv", "filename\tevent_labels", "a.wav\tSpeech,Dog", "b.wav\tDog")
    assert [labels for _, labels, *_ in listing(weak)] == [("Speech", "Dog"), ("Dog",)]
    strong = lines(tmp_path / "s.tsv", "a.wav\t0\t1\tx", "a.wav\t0\t1\ty", "a.wav\t0.5\t1\tx")
    assert listing(strong) == [
        ("a.wav", ("x", "y"), 0.0, 1.0, None),
        ("a.wav", ("x",), 0.5, 1.0, None),
    ]
    three = lines(tmp_path / "three.tsv", "a.wav\t0\t1")
    with pytest.raises(
        InputError, match=r"has no header; say which is the label, .*, of 1, 2, 3\."
    ):
        read(three)
    # Where each recording has a table of its own, its name says which.
    record(tmp_path / "night.wav")
    own = lines(tmp_path / "night.tsv", "onset\toffset\tevent_label", "0\t0.5\tdog")
    assert listing(own) == [("night.wav", ("dog",), 0.0, 0.5, None)]


# Raven, BirdNET, Audacity, JAMS

RAVEN = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)"


def test_a_selection_of_two_views_is_one_clip(tmp_path):
    record(tmp_path / "night.wav", seconds=4, channels=2)
    record(tmp_path / "night.1.wav")
    table = lines(
        tmp_path / "night.Table.1.selections.txt",
        f"{RAVEN}\tSpecies",
        "1\tWaveform 1\t1\t0.5\t1.25\t1000\t8000\tEATO",
        "1\tSpectrogram 1\t1\t0.5\t1.25\t1000\t8000\tEATO",
        "2\tSpectrogram 1\t2\t1.5\t2.75\t1000\t8000\tNA",
    )
    # crowsetta 5.1.2 reads the same times, but both views; it refuses whole-number Hz and the label NA.
    assert listing(table) == [
        ("night.wav", ("EATO",), 0.5, 1.25, 0),
        ("night.wav", ("NA",), 1.5, 2.75, 1),
    ]


def test_selections_of_tables_that_were_joined_are_all_kept(tmp_path):
    record(tmp_path / "night.wav", seconds=4)
    rows = [
        "1\tSpectrogram 1\t1\t0.5\t1.25\t1000\t8000\tEATO",
        "1\tSpectrogram 1\t1\t2\t3\t1000\t8000\tEATO",
        "1\tWaveform 1\t1\t2\t3\t1000\t8000\tEATO",
    ]
    table = lines(tmp_path / "night.txt", f"{RAVEN}\tSpecies", *rows)
    assert [(start, end) for _, _, start, end, _ in listing(table)] == [(0.5, 1.25), (2.0, 3.0)]
    # The same row again is no other view, and is said.
    lines(table, f"{RAVEN}\tSpecies", rows[0], rows[0])
    with pytest.raises(InputError, match=r"line 2: .*night\.wav was listed already"):
        read(table)


def test_a_file_offset_is_where_the_selection_lies_in_its_file(tmp_path):
    for name in ("a.wav", "b.wav"):
        record(tmp_path / name, seconds=5)
    more = "Begin File\tEnd File\tFile Offset (s)\tBegin Path\tAnnotation"
    rows = [
        "1\tSpectrogram 1\t1\t1\t2\t0\t1\ta.wav\ta.wav\t1\tC:\\sound\\a.wav\tx",
        "2\tSpectrogram 1\t1\t7.5\t8\t0\t1\tb.wav\tb.wav\t2.5\tC:\\sound\\b.wav\ty",
    ]
    table = lines(tmp_path / "all.selections.txt", f"{RAVEN}\t{more}", *rows)
    assert listing(table) == [
        ("a.wav", ("x",), 1.0, 2.0, 0),
        ("b.wav", ("y",), 2.5, 3.0, 0),
    ]
    spanning = rows[0].replace("a.wav\ta.wav", "a.wav\tb.wav")
    lines(table, f"{RAVEN}\t{more}", spanning)
    with pytest.raises(InputError, match="line 2: the selection spans two files; divide it"):
        read(table)
    lines(table, f"{RAVEN}\tBegin File\tAnnotation", "1\tSpectrogram 1\t1\t7.5\t8\t0\t1\tb.wav\ty")
    with pytest.raises(InputError, match=r"names b\.wav without File Offset \(s\)"):
        read(table)


def test_a_folder_of_selection_tables_is_read_whole(tmp_path):
    for name in ("a", "b"):
        record(tmp_path / f"{name}.flac", seconds=2)
        row = "1\tSpectrogram 1\t1\t0\t1\t0\t1\tx", "2\tSpectrogram 1\t1\t1\t2\t0\t1\ty"
        lines(tmp_path / f"{name}.Table.1.selections.txt", f"{RAVEN}\tSpecies", *row)
    clips = read(tmp_path)
    assert clips.labels.tolist() == [0, 1, 0, 1]
    assert clips.sources.tolist() == [0, 0, 1, 1]
    lines(tmp_path / "a.txt", "0.0\t1.0\tx")
    with pytest.raises(InputError, match="holds labels of Audacity and Raven; keep one kind"):
        read(tmp_path)


@pytest.mark.parametrize(
    "names", ["a.Table.1.selections.txt a.Table.2.selections.txt", "a.bak.txt a.txt"]
)
def test_two_tables_of_one_recording_are_said(tmp_path, names):
    """Of two observers, who differ by 10 ms, each event would be there twice."""
    for name in "ab":
        record(tmp_path / f"{name}.wav", seconds=2)
    for late, name in enumerate([*names.split(), "b.txt"]):
        rows = f"1\tS\t1\t{late / 100}\t1\t0\t1\tx", f"2\tS\t1\t1\t{1.5 + late / 100}\t0\t1\ty"
        lines(tmp_path / name, f"{RAVEN}\tSpecies", *rows)
    said = (
        rf"1 recordings in .* several tables, .*, as {names.replace(' ', ' and ')} of a\.wav; move"
    )
    with pytest.warns(UserWarning, match=said):
        assert len(read(tmp_path)) == 6


def test_the_recording_of_a_table_is_the_one_of_its_name(tmp_path):
    table = lines(tmp_path / "night.txt", "0.0\t1.0\tx")
    with pytest.raises(InputError, match=r"beside .*night\.txt lies no recording by its name"):
        read(table)
    record(tmp_path / "night.wav")
    record(tmp_path / "night.flac")
    with pytest.raises(InputError, match=r"lies night\.flac and night\.wav by its name"):
        read(table)
    assert listing(table.rename(tmp_path / "night.wav.txt")) == [
        ("night.wav", ("x",), 0.0, 1.0, None)
    ]


@pytest.mark.parametrize(
    ("header", "missing"),
    [
        (RAVEN.replace("End Time (s)", "End  Time (s)") + "\tSpecies", r"End Time \(s\)"),
        ("INDIR,FOLDER,IN FILE,DURATION,common_name", "OFFSET"),
        ("INDIR,FOLDER,IN FILE,OFFSET,common_name", "DURATION"),
    ],
)
def test_a_table_that_lacks_a_column_of_its_format_is_refused_by_it(tmp_path, header, missing):
    record(tmp_path / "night.wav")
    comma = "\t" if "\t" in header else ","
    row = comma.join("1" for _ in header.split(comma))
    with pytest.raises(InputError, match=rf"night\.\w+ has no column '{missing}'; add it"):
        read_dataset(lines(tmp_path / ("night.txt" if comma == "\t" else "night.csv"), header, row))


def test_birdnet_results_in_each_of_its_forms(tmp_path):
    record(tmp_path / "dawn.wav", seconds=7)
    kinds = {
        "dawn.BirdNET.results.csv": [
            "Start (s),End (s),Scientific name,Common name,Confidence",
            "0.0,3.0,Turdus merula,Eurasian Blackbird,0.9",
            "0.0,3.0,Pica pica,Eurasian Magpie,0.5",
            "6.0,9.0,Pica pica,Eurasian Magpie,0.5",
        ],
        "r.csv": [
            "filepath,start,end,scientific_name,common_name,confidence",
            "dawn.wav,0.0,3.0,Turdus merula,Eurasian Blackbird,0.9",
            "dawn.wav,0.0,3.0,Pica pica,Eurasian Magpie,0.5",
            "dawn.wav,6.0,9.0,Pica pica,Eurasian Magpie,0.5",
        ],
        "kaleidoscope.csv": [
            "INDIR,FOLDER,IN FILE,OFFSET,DURATION,scientific_name,common_name,confidence",
            ".,.,dawn.wav,0.0,3.0,Turdus merula,Eurasian Blackbird,0.9",
            ".,.,dawn.wav,0.0,3.0,Pica pica,Eurasian Magpie,0.5",
            ".,.,dawn.wav,6.0,3.0,Pica pica,Eurasian Magpie,0.5",
        ],
        "dawn.BirdNET.selection.table.txt": [
            f"{RAVEN}\tCommon Name\tSpecies Code\tConfidence\tBegin Path\tFile Offset (s)",
            "1\tSpectrogram 1\t1\t0.0\t3.0\t0\t15000\tEurasian Blackbird\teurbla\t0.9\t/x/dawn.wav\t0",
            "2\tSpectrogram 1\t1\t0.0\t3.0\t0\t15000\tEurasian Magpie\teurmag1\t0.5\t/x/dawn.wav\t0",
            "3\tSpectrogram 1\t1\t6.0\t9.0\t0\t15000\tEurasian Magpie\teurmag1\t0.5\t/x/dawn.wav\t6",
        ],
    }
    expected = [
        (("Eurasian Blackbird", "Eurasian Magpie"), 0.0, 3.0),
        (("Eurasian Magpie",), 6.0, 9.0),
    ]
    for name, texts in kinds.items():
        table = lines(tmp_path / name, *texts)
        rows = list(find_reader(table).rows(table, {}))
        assert [(row.labels, row.start, row.end) for row in rows] == expected
        assert {row.file.name for row in rows} == {"dawn.wav"}
        # The last window goes on behind the end of the file.
        assert {row.beyond for row in rows} == {3.0}


@pytest.mark.parametrize(
    "written",
    ["/home/me/rec/{}", "C:\\rec\\{}", "rec/{}", "{}", "/x/day/{}", "/gone/y/day/{}"],
)
def test_birdnet_results_name_a_recording_by_the_machine_that_heard_it(tmp_path, written):
    """By a whole path, or from the folder that it ran in; one that is there is taken first."""
    record(tmp_path / "a.wav", seconds=3)
    record(tmp_path / "day/a.wav", seconds=3)
    written = written.replace("/x", str(tmp_path)).format("a.wav")
    folder, expected = (
        written.replace("a.wav", ""),
        tmp_path / ("day/" * ("day" in written)) / "a.wav",
    )
    for header, row in {
        "Start (s),End (s),Scientific name,Common name,Confidence,File": f"0.0,3.0,S,x,0.9,{written}",
        "filepath,start,end,scientific_name,common_name,confidence": f"{written},0.0,3.0,S,x,0.9",
        "INDIR,FOLDER,IN FILE,OFFSET,DURATION,common_name": f"{folder or '.'},.,a.wav,0.0,3.0,x",
    }.items():
        table = lines(tmp_path / "r.csv", header, row)
        assert [row.file for row in find_reader(table).rows(table, {})] == [expected]
    gone = table.read_text().replace("a.wav", "gone.wav")
    rows = find_reader(lines(table, gone)).rows(table, {})
    assert [row.file.name for row in rows] == ["gone.wav"]


def test_birdnet_results_of_two_recordings_do_not_become_those_of_one(tmp_path):
    record(tmp_path / "a.wav", seconds=3)
    header = "Start (s),End (s),Scientific name,Common name,Confidence,File"
    rows = [f"0.0,3.0,S,x,0.9,/mnt/site{site}/a.wav" for site in (1, 2)]
    table = lines(tmp_path / "r.csv", header, *rows)
    with pytest.raises(
        InputError, match=r"both /mnt/site2/a\.wav and /mnt/site1/a\.wav would be a"
    ):
        list(find_reader(table).rows(table, {}))
    for site in (1, 2):
        record(tmp_path / f"site{site}/a.wav", seconds=3)
    found = [row.file for row in find_reader(table).rows(table, {})]
    assert found == [tmp_path / "site1/a.wav", tmp_path / "site2/a.wav"]


def test_audacity_labels_with_frequencies_points_and_gaps(tmp_path):
    record(tmp_path / "a.wav", seconds=4)
    track = lines(
        tmp_path / "a.txt",
        "0.500000\t1.250000\tsong",
        "\\\t1000.000000\t4000.000000",
        "2.000000\t2.000000\tclick",
        "2.500000\t3.000000\t",
        "3.000000\t3.500000\tsong",
    )
    # crowsetta 5.1.2 gives the same times and labels, but refuses a track with frequencies.
    assert listing(track) == [
        ("a.wav", ("song",), 0.5, 1.25, None),
        ("a.wav", ("click",), 2.0, 2.0, None),
        ("a.wav", ("",), 2.5, 3.0, None),
        ("a.wav", ("song",), 3.0, 3.5, None),
    ]
    said = r"a\.txt, line 3 begins at 2 s and ends at 2 s.*; .*a\.txt, line 4 has no label"
    with pytest.raises(InputError, match=said):
        read(track)


def test_recordings_that_no_table_of_a_folder_labels_are_named(tmp_path):
    for name in ("a/1", "a/2", "a/3", "b/1"):
        record(tmp_path / f"{name}.wav")
    for name in ("1", "2"):
        lines(tmp_path / f"a/{name}.txt", "0\t0.5\tsong", "0.5\t1\tcall")
    lines(tmp_path / "a/3.txt")
    said = r"2 files in .* are labelled by no table in it, and left out: a/3\.wav, b/1\.wav\."
    with pytest.warns(UserWarning, match=said):
        assert len(read(tmp_path)) == 4
    # A folder of tables alone is none of recordings.
    lines(tmp_path / "tables/metadata.csv", "file_name,label", "../a/1.wav,x", "../b/1.wav,y")
    assert len(listing(tmp_path / "tables")) == 2


@pytest.mark.parametrize("dense", [False, True])
def test_jams_observations_have_a_time_and_a_duration(tmp_path, dense):
    record(tmp_path / "a.wav", seconds=3)
    seen = [(0.5, 0.75, "NA"), (0.5, 0.75, "001"), (2.5, 1.5, "dog")]
    data = [{"time": t, "duration": d, "value": v, "confidence": None} for t, d, v in seen]
    if dense:
        data = {name: [one[name] for one in data] for name in data[0]}
    tags = {"namespace": "tag_open", "data": data}
    chords = {"namespace": "chord", "data": [{"time": 0, "duration": 1, "value": 7}]}
    path = tmp_path / "a.jams"

    def write(*annotations, duration=3.0):
        metadata = {"duration": duration, "jams_version": "0.3.5"}
        path.write_text(json.dumps({"annotations": annotations, "file_metadata": metadata}))

    write(tags)
    # jams 0.3.5, to_event_values(): times 0.5, 0.5, 2.5.
    assert listing(path) == [
        ("a.wav", ("NA", "001"), 0.5, 1.25, None),
        ("a.wav", ("dog",), 2.5, 4.0, None),
    ]
    with pytest.raises(InputError, match=r"tag_open 3 is from 2\.5 s to 4 s, and a\.wav lasts 3"):
        read(path)
    write(tags, duration=5.0)
    with pytest.raises(InputError, match=r"tag_open 1 says that a\.wav lasts 5 s, and it lasts 3"):
        read(path)
    write(tags, chords)
    with pytest.raises(
        InputError,
        match=r"annotations of several kinds, or none; say which is the label, .*, of chord, tag_open",
    ):
        read(path)
    assert len(listing(path, {"label": "tag_open"})) == 2
    with pytest.raises(InputError, match="chord 1 is 7, no text; choose other annotations"):
        listing(path, {"label": "chord"})
    path.write_text('{"annotations": 3}')
    with pytest.raises(InputError, match=r"a\.jams is not a JAMS file"):
        read(path)


# All of them


def test_every_reader_has_a_name_of_its_own():
    names = [reader.name for reader in READERS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("name", "text", "role"),
    [
        ("a.txt", "0\t0.5\tdog", "group"),
        ("a.jams", '{"annotations": []}', "group"),
        ("wav.scp", "a a.wav", "fold"),
        ("cuts.jsonl", '{"recording_id": "a"}', "start"),
    ],
)
def test_a_column_for_what_a_format_has_none_for_is_refused(tmp_path, name, text, role):
    """A group that went unheeded would let clips of one site into several folds."""
    path = lines(tmp_path / name, text)
    with pytest.raises(InputError, match=f"is read as .*, which has no columns for the {role};"):
        read(path, columns={role: "site"})


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("any")
    record(folder / "a.wav", seconds=0.2)
    record(folder / "b.wav", seconds=0.2)
    return folder


BITS = st.sampled_from(
    ["a.wav", "b.wav", "file", "label", "0", "0.1", "-1", "\t", ",", ";", '"', "\n", "{", "}", ":", " ",
     '"file": "a.wav"', "Begin Time (s)", "End Time (s)", "Start (s),End (s),", "\\", "start", "é", "[",
     '"supervisions": [', '"recording_id": "x"', "tracks", "x.flac", "Selection"]
)  # fmt: skip


def read_or_refuse(path):
    try:
        return read(path, skip_bad=True), ""
    except InputError as error:
        return None, str(error)


@settings(max_examples=150)
@given(
    bits=st.lists(BITS, max_size=25), name=st.sampled_from(["a.txt", "m.csv", "m.jsonl", "a.jams"])
)
def test_any_text_is_refused_in_one_sentence_or_makes_a_consistent_set(two, bits, name):
    (two / name).write_bytes("".join(bits).encode())
    clips, refusal = read_or_refuse(two / name)
    (two / name).unlink()
    if refusal:
        assert "\n" not in refusal
        assert any(word in refusal for word in (str(two), "columns", "groups"))
        return
    assert len(clips) == len(clips.paths) == len(clips.labels) > 1


def test_a_real_recording_is_the_same_in_every_form(tmp_path, real_recordings):
    """ESC-10, cut out at run time: a folder a class, a table, a Kaldi folder, selections of Raven."""
    clips = real_recordings("esc10")
    rows = [row for label in (0, 1) for row in np.flatnonzero(clips.labels == label)[:4]]
    waves = [load_audio(clips.paths[row], 44100)[:44100].numpy() for row in rows]
    names = [clips.classes[clips.labels[row]] for row in rows]
    both = ["Waveform 1", "Spectrogram 1"]
    for n, (wave, label) in enumerate(zip(waves, names, strict=True)):
        for path in (tmp_path / f"folder/{label}/{n}.wav", tmp_path / f"csv/{n}.wav"):
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, wave, 44100)
    lines(tmp_path / "csv/l.csv", "file,label", *(f"{n}.wav,{x}" for n, x in enumerate(names)))
    scp, segments, labels = [], [], []
    for part in range(4):
        inside = [part, part + 4]
        for kind in ("kaldi", "raven"):
            (tmp_path / kind).mkdir(exist_ok=True)
            soundfile.write(
                tmp_path / kind / f"r {part}.wav", np.concatenate([waves[n] for n in inside]), 44100
            )
        scp.append(f"r{part} r {part}.wav")
        segments += [f"u{n} r{part} {place} {place + 1}" for place, n in enumerate(inside)]
        labels += [f"u{n} {names[n]}" for n in inside]
        selections = [
            f"{place + 1}\t{view}\t1\t{place}\t{place + 1}\t0\t1\t{names[n]}"
            for place, n in enumerate(inside)
            for view in both
        ]
        lines(tmp_path / f"raven/r {part}.Table.1.selections.txt", f"{RAVEN}\tSpecies", *selections)
    for name, texts in (("wav.scp", scp), ("segments", segments), ("utt2label", labels)):
        lines(tmp_path / "kaldi" / name, *texts)
    found = {}
    for kind, path in (
        ("folder", "folder"),
        ("csv", "csv/l.csv"),
        ("kaldi", "kaldi"),
        ("raven", "raven"),
    ):
        own = read(tmp_path / path)
        heard = cached_waves(own, progress=False)
        found[kind] = {
            (own.classes[own.labels[row]], heard.native(row).numpy().tobytes()) for row in range(8)
        }
    assert found["folder"] == found["csv"] == found["kaldi"] == found["raven"]
    assert len(found["csv"]) == 8


def test_a_recording_is_a_file_where_no_other_column_names_one(tmp_path):
    names = [f"{place}.wav" for place in range(4)]
    for place, name in enumerate(names):
        soundfile.write(tmp_path / name, np.full(1600, 0.1 * (place + 1)), 16000)
    for header, more in (("recording,label", ""), ("filename,recording,label", "night,")):
        rows = [f"{name},{more}{'xy'[place % 2]}" for place, name in enumerate(names)]
        (table := tmp_path / "t.csv").write_text("\n".join([header, *rows]))
        assert [path.name for path in read_dataset(table, n_folds=2).paths] == names
