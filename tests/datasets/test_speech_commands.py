"""The official layout of Speech Commands, written by the tests and read from the real recordings."""

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopg.datasets import speech_commands
from audiopg.errors import InputError

TRAIN = ["yes/1a_nohash_0", "yes/1a_nohash_1", "cat/1a_nohash_0", "backward/2b_nohash_0"]
VALID = ["yes/3c_nohash_0", "cat/3c_nohash_0"]
TEST = ["backward/4d_nohash_0", "yes/4d_nohash_0", "yes/4d_nohash_1"]


def write_layout(folder, suffix="wav", valid=VALID, test=TEST):
    for clip in TRAIN + VALID + TEST:
        path = folder / f"{clip}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.zeros(160), 16000)
    (folder / "_background_noise_").mkdir(exist_ok=True)
    (folder / "_background_noise_/pink.wav").write_bytes(b"")
    (folder / "yes/README.md").write_text("not a recording")
    (folder / f"yes/._1a_nohash_0.{suffix}").write_bytes(b"\0\5\x16\7 what macOS notes")
    (folder / ".cache").mkdir(exist_ok=True)
    write_list(folder / "validation_list.txt", valid)
    write_list(folder / "testing_list.txt", test)
    return folder


def write_list(path, clips):
    path.write_text("".join(f"{clip}.wav\n" for clip in clips))


def names(clips, fold):
    return sorted(
        path.relative_to(path.parents[1]).with_suffix("").as_posix()
        for path, of in zip(clips.paths, clips.folds, strict=True)
        if of == fold
    )


# The lists keep saying .wav where the recordings were re-encoded.
@pytest.mark.parametrize("suffix", ["wav", "ogg"])
def test_the_lists_name_the_folds_and_the_rest_is_training(tmp_path, suffix):
    clips = speech_commands(write_layout(tmp_path, suffix))
    assert clips.fold_names == {1: "training", 2: "validation", 3: "testing"}
    assert clips.test_folds == [3]
    assert clips.validation_folds == [2]
    assert clips.take(np.flatnonzero(clips.folds != 2)).validation_folds == []
    assert not clips.multi_label
    assert names(clips, 1) == sorted(TRAIN)
    assert names(clips, 2) == sorted(VALID)
    assert names(clips, 3) == sorted(TEST)
    assert clips.classes == ["backward", "cat", "yes"]
    assert [clips.classes[label] for label in clips.labels] == [
        path.parent.name for path in clips.paths
    ]
    assert clips.labels.dtype == clips.folds.dtype == np.int64
    # A speaker is the source of all that he or she said, in one part of the split.
    speakers = [path.name[:2] for path in clips.paths]
    assert np.unique(speakers, return_inverse=True)[1].tolist() == clips.sources.tolist()
    assert not clips.across_folds.any()
    assert clips.name == "Speech Commands v0.02, 3 words"
    assert clips.licence == "CC BY 4.0"
    assert all(path.suffix == f".{suffix}" for path in clips.paths)


def test_all_words_have_the_plain_name(tmp_path):
    write_layout(tmp_path)
    words = (
        "backward bed bird cat dog down eight five follow forward four go happy house learn left "
        "marvin nine no off on one right seven sheila six stop three tree two up visual wow yes "
        "zero"
    )
    for word in words.split(" "):
        (tmp_path / word).mkdir(exist_ok=True)
        soundfile.write(tmp_path / word / "9f_nohash_0.wav", np.zeros(160), 16000)
    clips = speech_commands(tmp_path)
    assert clips.name == "Speech Commands v0.02"
    assert clips.classes == words.split(" ")


def test_a_word_that_is_not_there_is_left_out(tmp_path):
    write_layout(tmp_path)
    (tmp_path / "cat").rename(tmp_path / "_cat")
    clips = speech_commands(tmp_path)
    assert clips.classes == ["backward", "yes"]
    assert names(clips, 2) == ["yes/3c_nohash_0"]
    assert clips.skipped == {}


def test_a_listed_recording_that_is_missing_is_named_or_skipped(tmp_path):
    write_layout(tmp_path)
    for clip in ("yes/4d_nohash_0.wav", "cat/3c_nohash_0.wav", "yes/1a_nohash_0.wav"):
        (tmp_path / clip).unlink()
    with pytest.raises(InputError, match="2 of the 8 files listed are missing") as refusal:
        speech_commands(tmp_path)
    assert "('cat/3c_nohash_0', 'yes/4d_nohash_0')" in str(refusal.value)
    clips = speech_commands(tmp_path, skip_bad=True)
    assert len(clips) == 6
    assert set(clips.skipped.values()) == {"is missing"}
    assert sorted(clips.skipped) == [
        str(tmp_path / clip) for clip in ("cat/3c_nohash_0", "yes/4d_nohash_0")
    ]


def test_what_cannot_be_used_is_refused(tmp_path):
    with pytest.raises(InputError, match="gone is not a folder"):
        speech_commands(tmp_path / "gone")
    with pytest.raises(InputError, match=r"validation_list.txt cannot be read \(No such file"):
        speech_commands(tmp_path)
    write_list(tmp_path / "validation_list.txt", [])
    write_list(tmp_path / "testing_list.txt", [])
    with pytest.raises(InputError, match="holds no folder of recordings"):
        speech_commands(tmp_path)
    write_layout(tmp_path, valid=[])
    with pytest.raises(InputError, match="leaves no clip for validation"):
        speech_commands(tmp_path)
    write_layout(tmp_path, valid=[*VALID, TEST[1]])
    with pytest.raises(InputError, match=r"line 2: 'yes/4d_nohash_0' is in the other list too"):
        speech_commands(tmp_path)
    write_layout(tmp_path)
    (tmp_path / "testing_list.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="is not text in UTF-8"):
        speech_commands(tmp_path)
    write_layout(tmp_path)
    (tmp_path / "hello").mkdir()
    with pytest.raises(InputError, match="hello is none of the 35 words"):
        speech_commands(tmp_path)


@pytest.mark.parametrize("line", ["yes", "yes/", "/a.wav", "yes/../no/a.wav", "hello/a.wav", ""])
def test_a_line_that_is_not_a_recording_is_refused(tmp_path, line):
    write_layout(tmp_path)
    (tmp_path / "testing_list.txt").write_text(f"yes/4d_nohash_0.wav\n{line}\n")
    with pytest.raises(InputError, match=r"testing_list\.txt, line 2 is ") as refusal:
        speech_commands(tmp_path)
    assert "\n" not in str(refusal.value)


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    return write_layout(tmp_path_factory.mktemp("speech_commands"))


def read_or_refuse(folder):
    try:
        return speech_commands(folder), ""
    except InputError as error:
        return None, str(error)


LINES = st.one_of(
    st.sampled_from([f"{clip}.wav" for clip in TRAIN + VALID + TEST]),
    st.text(st.characters(codec="utf-8"), max_size=12),
)


@settings(max_examples=150)
@given(valid=st.lists(LINES, max_size=4), test=st.lists(LINES, max_size=4))
def test_any_lists_are_refused_or_share_every_recording_out_once(layout, valid, test):
    (layout / "validation_list.txt").write_text("\n".join(valid), encoding="utf-8")
    (layout / "testing_list.txt").write_text("\n".join(test), encoding="utf-8")
    clips, refusal = read_or_refuse(layout)
    if refusal:
        assert "\n" not in refusal
        return
    # Counted twice, a recording would be trained and tested on.
    assert len(set(clips.paths)) == len(clips) == len(TRAIN + VALID + TEST)
    assert set(names(clips, 2)) == {line.strip().removesuffix(".wav") for line in valid if line}
    assert set(names(clips, 3)) == {line.strip().removesuffix(".wav") for line in test if line}


def test_the_real_recordings_keep_their_speakers_apart(real_recordings):
    clips = real_recordings("speech_commands")
    speakers = np.array([path.name.split("_nohash_")[0] for path in clips.paths])
    parts = [set(speakers[clips.folds == fold]) for fold in clips.fold_names]
    assert all(parts)
    assert not (parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2])
    if clips.name != "Speech Commands v0.02, 10 words":
        pytest.skip(f"AUDIOPG_DATA holds {clips.name}")
    assert len(clips) == 4074
    assert len(set(speakers)) == 239
    assert " ".join(clips.classes) == "down go left no off on right stop up yes"
