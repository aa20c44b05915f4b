"""Reading recordings, against signals whose content is known and scipy's resampler."""

import csv
import os
import sys
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pandas
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from audiopg.datasets import LabelledClips, load_audio, load_clips
from audiopg.datasets.audio import in_threads, load_clip, read_header, read_window
from audiopg.errors import InputError
from audiopg.frontend import fit_length

sys.path.insert(0, str(Path(__file__).parent))
import writers

CASES = Path(__file__).parents[3] / "shared" / "cases" / "audio"


def sine(frequency, sample_rate, seconds, amplitude=0.5):
    return amplitude * np.sin(
        2 * np.pi * frequency * np.arange(sample_rate * seconds) / sample_rate
    )


def test_a_wave_at_the_asked_rate_is_returned_as_written(tmp_path):
    wave = np.random.default_rng(0).uniform(-1, 1, 1000).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", wave, 16000, subtype="FLOAT")
    loaded = load_audio(tmp_path / "a.wav")
    assert loaded.dtype == torch.float32
    np.testing.assert_array_equal(loaded.numpy(), wave)


def test_channels_are_averaged(tmp_path):
    channels = np.random.default_rng(0).uniform(-1, 1, (1000, 3)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", channels, 16000, subtype="FLOAT")
    expected = channels.astype(np.float64).sum(axis=1) / 3
    np.testing.assert_allclose(load_audio(tmp_path / "a.wav").numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["wav", "mp4"])
def test_a_part_is_what_a_file_of_its_own_would_give(tmp_path, kind):
    # libsndfile reads the one, FFmpeg the other, which is lossless here too.
    (tmp_path / f"a.{kind}").write_bytes(
        writers.by_libsndfile("WAV", "PCM_16", 44100, 2)
        if kind == "wav"
        else writers.by_ffmpeg("mp4", "alac", 44100, 2, sample="s16p")
    )
    whole = np.rint(writers.sound(44100, 2) * 32767).astype(np.int16)
    if kind == "wav":
        whole = soundfile.read(tmp_path / "a.wav", dtype="int16")[0].T
    first, last = round(0.3 * 44100), round(1.234 * 44100)
    for channel, one in [(None, whole), (0, whole[:1]), (1, whole[1:])]:
        soundfile.write(tmp_path / "part.wav", one[:, first:last].T, 44100, subtype="PCM_16")
        part = load_audio(tmp_path / f"a.{kind}", 16000, 0.3, 1.234, channel)
        torch.testing.assert_close(part, load_audio(tmp_path / "part.wav"), atol=1e-6, rtol=0)
    for end in (None, 5.0):
        soundfile.write(tmp_path / "part.wav", whole[:, first:].T, 44100, subtype="PCM_16")
        part = load_audio(tmp_path / f"a.{kind}", 16000, 0.3, end)
        torch.testing.assert_close(part, load_audio(tmp_path / "part.wav"), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ((0.0, None, 2), "has no channel 3, but 2"),
        ((0.5, 1.0, 2), "has no channel 3, but 2"),
        ((float("inf"), None, None), "holds no samples in this part"),
        ((5.0, None, None), "holds no samples"),
        ((5.0, 6.0, None), "holds no samples"),
        ((1.0, 1.0, None), "holds no samples"),
    ],
)
def test_a_part_that_is_not_there_is_refused_by_name(tmp_path, part, why):
    for kind, content in (
        ("wav", writers.by_libsndfile("WAV", "PCM_16", 16000, 2)),
        ("mp4", writers.by_ffmpeg("mp4", "alac", 16000, 2, sample="s16p")),
    ):
        (tmp_path / f"a.{kind}").write_bytes(content)
        with pytest.raises(InputError, match=rf"a\.{kind} {why}"):
            load_audio(tmp_path / f"a.{kind}", 16000, *part)


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ((-0.5,), r"start is -0\.5; give seconds from 0"),
        ((float("nan"),), "start is nan"),
        (("0.5",), "start is '0.5'"),
        ((0.0, -1), "end is -1; give seconds from 0"),
        ((0.0, float("nan")), "end is nan"),
        ((0.0, None, -1), "channel is -1; give a whole number, 0 or more"),
        ((0.0, None, True), "channel is True"),
    ],
)
def test_a_part_that_no_file_can_have_is_refused(tmp_path, part, why):
    soundfile.write(tmp_path / "a.wav", np.ones((100, 2)), 16000)
    with pytest.raises(InputError, match=why):
        load_audio(tmp_path / "a.wav", 16000, *part)


# Vorbis at its default quality is off by up to a tenth of the amplitude of 0.5.
@pytest.mark.parametrize(("suffix", "tolerance"), [("wav", 1e-3), ("flac", 1e-3), ("ogg", 0.05)])
@pytest.mark.parametrize("file_rate", [8000, 22050, 44100, 48000])
def test_a_sine_stays_the_same_sine_at_16_khz(tmp_path, suffix, tolerance, file_rate):
    soundfile.write(tmp_path / f"a.{suffix}", sine(1000, file_rate, 1), file_rate)
    wave = load_audio(tmp_path / f"a.{suffix}").numpy()
    assert wave.shape == (16000,)
    # The ends hold the onset of the filter.
    inside = slice(1000, 15000)
    np.testing.assert_allclose(wave[inside], sine(1000, 16000, 1)[inside], atol=tolerance)


def test_resampling_agrees_with_scipy_below_the_new_nyquist_frequency(tmp_path):
    rng = np.random.default_rng(1)
    tones = sum(sine(f, 48000, 1, 0.05) for f in rng.uniform(50, 6000, 12))
    soundfile.write(tmp_path / "a.wav", tones, 48000, subtype="DOUBLE")
    expected = resample_poly(tones, 1, 3, window=("kaiser", 12.0))
    wave = load_audio(tmp_path / "a.wav").numpy()
    np.testing.assert_allclose(wave[500:-500], expected[500:-500], atol=2e-3)


def test_what_lies_above_the_new_nyquist_frequency_does_not_alias(tmp_path):
    soundfile.write(tmp_path / "a.wav", sine(11000, 44100, 1), 44100, subtype="FLOAT")
    wave = load_audio(tmp_path / "a.wav")
    assert wave[1000:-1000].abs().max() < 1e-4


def test_the_sample_rate_to_return_is_a_setting(tmp_path):
    soundfile.write(tmp_path / "a.wav", sine(440, 16000, 1), 16000)
    assert load_audio(tmp_path / "a.wav", sample_rate=8000).shape == (8000,)


def write_unusable(folder, kind):
    path = folder / f"{kind}.wav"
    if kind == "empty":
        soundfile.write(path, np.empty(0), 16000)
    elif kind == "text":
        path.write_text("not a recording")
    elif kind == "no bytes":
        path.write_bytes(b"")
    elif kind == "folder":
        path.mkdir()
    elif kind == "truncated":
        path = folder / "truncated.flac"
        soundfile.write(path, np.random.default_rng(0).uniform(-1, 1, 16000), 16000)
        path.write_bytes(path.read_bytes()[:-4000])
    elif kind == "headerless":
        path = folder / "headerless.raw"
        path.write_bytes(bytes(1000))
    elif kind == "too slow":
        soundfile.write(path, np.ones(100), 10)
    elif kind == "too short":
        soundfile.write(path, np.ones(1), 192000)
    elif kind == "overflow":
        soundfile.write(path, np.full((100, 2), 3e38), 16000, subtype="FLOAT")
    return path


@pytest.mark.parametrize(
    "kind",
    [
        "missing",
        "empty",
        "text",
        "no bytes",
        "folder",
        "truncated",
        "headerless",
        "too slow",
        "too short",
        "overflow",
    ],
)
def test_an_unusable_file_is_refused_by_name(tmp_path, kind):
    path = write_unusable(tmp_path, kind)
    with pytest.raises(InputError) as refusal:
        load_audio(path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("position", [0, 500, 999])
@pytest.mark.parametrize("file_rate", [16000, 44100])
def test_a_sample_that_is_not_finite_is_refused(tmp_path, value, position, file_rate):
    wave = np.zeros(1000)
    wave[position] = value
    soundfile.write(tmp_path / "a.wav", wave, file_rate, subtype="FLOAT")
    with pytest.raises(InputError, match=r"a\.wav holds samples that are not finite"):
        load_audio(tmp_path / "a.wav")


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
@pytest.mark.parametrize("lost", [1, 2, 1000])
def test_a_wav_file_that_ends_early_is_refused(tmp_path, subtype, lost):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(1000), 16000, subtype=subtype)
    whole = path.read_bytes()
    assert read_header(path) == (1000, 16000)
    path.write_bytes(whole[:-lost])
    assert read_header(path).startswith("is cut short")
    with pytest.raises(InputError, match=r"a\.wav is cut short"):
        load_audio(path)
    # What lies behind the samples is no part of them.
    path.write_bytes(whole + b"LIST\x04\0\0\0abc")
    assert len(load_audio(path)) == 1000


def test_every_case_is_read_whole_or_refused():
    if not CASES.is_dir():
        pytest.skip("the cases are not here")
    with open(CASES / "expected.csv") as table:
        expected = {row["file"]: row["seconds"] for row in csv.DictReader(table)}
    assert len(expected) > 15
    for name, seconds in expected.items():
        header = read_header(CASES / name)
        if seconds == "refused":
            assert header == "is cut short: it ends before its samples do", name
            with pytest.raises(InputError, match=f"{name} is cut short"):
                load_audio(CASES / name)
            continue
        # MP3 without a header has the delay of its coder and a last frame filled up: 0.1 s at most.
        most = float(seconds) + 0.1 * ("without_header" in name)
        assert float(seconds) <= header[0] / header[1] <= most, name
        assert len(load_audio(CASES / name)) == round(header[0] * 16000 / header[1]), name


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("gone", "is not there"),
        ("folder", "is not a file"),
        ("pipe", "is not a file"),
        ("loop", r"cannot be opened \(Too many levels of symbolic links\)"),
        ("empty", "is empty, without a byte"),
        ("companion", "holds no sound, but what macOS notes about another file"),
        ("text", "is damaged, or in a format that neither libsndfile nor FFmpeg reads"),
    ],
)
def test_the_word_for_what_is_no_recording(tmp_path, kind, why):
    path = tmp_path / "a.wav"
    {
        "gone": lambda: None,
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
        "loop": lambda: path.symlink_to(path),
        "empty": path.touch,
        "companion": lambda: path.write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X" + bytes(100)),
        "text": lambda: path.write_text("not a recording"),
    }[kind]()
    with pytest.raises(InputError, match=rf"a\.wav {why}; replace it or leave it out"):
        load_audio(path)


def test_a_file_without_permission_is_not_called_damaged(tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.ones(100), 16000)
    # To root everything is open, so the system's answer is played.
    refusal = PermissionError(13, "Permission denied")
    monkeypatch.setattr("builtins.open", lambda *_, **__: (_ for _ in ()).throw(refusal))
    assert read_header(path) == "cannot be opened (Permission denied)"


def test_a_name_that_is_not_utf_8_is_read_and_can_be_printed(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.wav"
    with open(path, "wb") as file:
        file.write(writers.recordings()["WAV-PCM_16"][0])
    assert len(load_audio(os.fsdecode(path))) == 32000
    with open(path, "wb") as file:
        file.write(writers.recordings()["WAV-PCM_16"][0][:-1])
    with pytest.raises(InputError, match=r"caf\\xe9\.wav is cut short") as refusal:
        load_audio(os.fsdecode(path))
    str(refusal.value).encode("utf-8")


# Memory


def minutes_long(path, name):
    """A recording of five minutes, made of one of two seconds over and over."""
    content = writers.recordings()[name][0]
    if name == "mp3-bare":
        content = content[content.index(b"\xff\xf3") :]
    path.write_bytes(content * 150)
    return path


@pytest.mark.parametrize("name", ["mp3-bare", "aac"])
def test_what_ffmpeg_decodes_is_kept_for_the_window_only(tmp_path, name):
    path = minutes_long(tmp_path / "long", name)
    frames, rate = read_header(path)
    assert frames / rate > 300
    bytes_of_all = 4 * frames
    tracemalloc.start()
    try:
        window, _ = read_window(path, frames // 2, 160_000)
        clip = load_clip(path, 163_840, header=(frames, rate))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (len(window), len(clip)) == (160_000, 163_840)
    # The window three times over.
    assert peak < 4 * 3 * 172_000 < bytes_of_all / 9


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_of_a_long_file_libsndfile_reads_the_window_only(tmp_path, suffix, monkeypatch):
    path, rate = tmp_path / f"a.{suffix}", 8000
    wave = np.random.default_rng(0).uniform(-0.1, 0.1, 120 * rate)
    soundfile.write(path, wave, rate)
    header, decoded, read = read_header(path), [], soundfile.SoundFile.read

    def count(self, frames=-1, *arguments, **settings):
        decoded.append(frames)
        return read(self, frames, *arguments, **settings)

    monkeypatch.setattr(soundfile.SoundFile, "read", count)
    load_clip(path, 16000, header=header)
    # A second, what the resampler needs around it, what a lossy decoder needs before it, one block.
    assert sum(decoded) < rate + 4 * 512 + 2**14 + 2**16
    assert all(n > 0 for n in decoded)


def test_load_audio_keeps_no_more_than_what_it_returns(tmp_path):
    path, rate = tmp_path / "a.flac", 48000
    soundfile.write(path, np.zeros((300 * rate, 2), np.int16), rate)
    tracemalloc.start()
    try:
        wave = load_audio(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(wave) == 300 * 16000
    assert peak < 4 * (2 * len(wave) + 4 * 2**16)


def test_threads_do_not_run_far_ahead():
    done, most, lock = [], 0, threading.Lock()

    def work(item):
        with lock:
            done.append(item)
        return item

    for used, item in enumerate(in_threads(work, range(200), "", False)):
        assert item == used
        most = max(most, len(done) - used)
    assert most <= 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("audio")


def refused_by_name_or_finite(path):
    try:
        wave = load_audio(path)
    except InputError as error:
        return str(path) in str(error)
    return wave.ndim == 1 and len(wave) > 0 and bool(torch.isfinite(wave).all())


@settings(max_examples=100)
@given(
    suffix=st.sampled_from(["wav", "flac", "ogg", "mp3"]),
    damage=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8),
    length=st.integers(0, 6000),
)
def test_a_damaged_file_is_refused_or_gives_a_finite_wave(folder, suffix, damage, length):
    path = folder / f"a.{suffix}"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 2000), 16000)
    content = bytearray(path.read_bytes())
    for position, value in damage:
        content[position] = value
    path.write_bytes(content[:length])
    assert refused_by_name_or_finite(path)


def test_load_clips_keeps_the_order_of_the_paths(tmp_path):
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{i}.wav" for i in range(20)]
    for path in paths:
        soundfile.write(path, rng.uniform(-1, 1, rng.integers(200, 900)), 22050)
    clips = load_clips(paths, samples=500, progress=False)
    assert clips.shape == (20, 500)
    assert clips.dtype == torch.float32
    for clip, path in zip(clips, paths, strict=True):
        torch.testing.assert_close(clip, fit_length(load_audio(path), 500), rtol=0, atol=0)


def test_load_clips_names_every_file_it_cannot_use(tmp_path):
    good = tmp_path / "good.wav"
    soundfile.write(good, np.ones(100), 16000)
    bad = [write_unusable(tmp_path, kind) for kind in ("missing", "empty", "text")]
    with pytest.raises(InputError) as refusal:
        load_clips([bad[0], good, bad[1], good, bad[2]], samples=100, progress=False)
    message = str(refusal.value)
    assert message.startswith("3 of 5 files cannot be used")
    assert all(str(path) in message for path in bad)
    assert str(good) not in message


def test_load_clips_shows_progress_only_when_asked(tmp_path, capsys):
    soundfile.write(tmp_path / "a.wav", np.ones(100), 16000)
    load_clips([tmp_path / "a.wav"], samples=10, progress=False)
    assert capsys.readouterr().err == ""
    load_clips([tmp_path / "a.wav"], samples=10)
    assert "1/1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("setting", "message"), [("samples", "samples is 0"), ("sample_rate", "sample rate is 0")]
)
def test_load_clips_refuses_a_setting_below_1(tmp_path, setting, message):
    soundfile.write(tmp_path / "a.wav", np.ones(100), 16000)
    with pytest.raises(InputError, match=message):
        load_clips([tmp_path / "a.wav"], **{"samples": 10, setting: 0}, progress=False)


def test_a_window_that_no_file_has_is_refused_and_the_file_is_not_called_damaged(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.ones(100), 16000)
    for first in (-1, 1.5, "3", None, np.nan, True, 2**63):
        with pytest.raises(InputError, match=r"first is .*; give a whole number, 0 or more"):
            read_window(tmp_path / "a.wav", first, 5)
    for samples in (0, -3, 1.5, "3", None):
        with pytest.raises(InputError, match=r"samples is .*; give a whole number, 1 or more"):
            read_window(tmp_path / "a.wav", 5, samples)
    assert len(read_window(tmp_path / "a.wav", np.int32(5), torch.tensor(7.0))[0]) == 7
    with pytest.raises(InputError, match="holds no samples"):
        read_window(tmp_path / "a.wav", 10**12, 5)


@pytest.mark.parametrize("number", [np.float32(0.5), torch.tensor(0.5), np.array(0.5)])
def test_times_may_be_numbers_of_any_kind(tmp_path, number):
    wave = np.random.default_rng(0).uniform(-1, 1, 1600).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", wave, 1600, subtype="FLOAT")
    assert np.array_equal(load_audio(tmp_path / "a.wav", 1600, number).numpy(), wave[800:])
    whole = load_audio(tmp_path / "a.wav", 1600, 0 * number, float("inf"))
    assert np.array_equal(whole.numpy(), wave)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"segments": [[0.0, 0.1]]}, r"segments have the shape \(1, 2\); give \(2, 2\)"),
        ({"segments": [0.0, 0.1]}, r"segments have the shape \(2,\)"),
        ({"channels": [0]}, r"channels have the shape \(1,\); give \(2,\)"),
        ({"labels": np.arange(3)}, "2 paths for 3 labels"),
        (
            {"channels": [0, None]},
            r"channels are not all whole numbers; give numbers from 0, and -1",
        ),
        ({"channels": [np.nan, 0.0]}, "channels are not all whole numbers"),
        ({"channels": [0.5, 0.0]}, "channels are not all whole numbers"),
        ({"channels": [-2, 0]}, "channels are not all whole numbers"),
        ({"channels": [np.inf, 0]}, "channels are not all whole numbers"),
        ({"channels": ["left", "right"]}, "<U5 was given for channels; give real numbers"),
        ({"channels": np.ma.masked_array([0, 1], [True, False])}, "entries of channels are masked"),
        ({"segments": [[None, 1.0], [0.0, 1.0]]}, "segments begin at less than 0, or at no number"),
        ({"segments": [[-1.0, 1.0], [0.0, 1.0]]}, "segments begin at less than 0"),
        ({"segments": [[0.0, 1.0], [0.0]]}, "no array was given for segments"),
        ({"sources": [1]}, r"sources have the shape \(1,\); give \(2,\)"),
        ({"sources": [1, None]}, r"sources are not all whole numbers; give numbers from 0\."),
        ({"sources": [1, -1]}, "sources are not all whole numbers"),
        ({"folds": np.arange(3)}, r"folds have shape \(3,\) and type int64; give one integer for"),
        ({"labels": None}, r"labels have shape \(\) and type object"),
        ({"labels": [0.0, 1.0]}, "labels have shape .* and type float64"),
        ({"labels": [0, 2]}, "the labels are of 3 classes, and 2 have names"),
        ({"labels": [0, -1]}, "labels hold -1; count the classes from 0"),
        ({"labels": np.ones((2, 1), bool)}, "the labels are of 1 classes, and 2 have names"),
        ({"classes": ["a", "a"]}, "two classes are called 'a'; give each a name of its own"),
        ({"classes": [1, "1"]}, "two classes are called '1'"),
        ({"classes": "ab"}, "classes are 'ab'; give a list"),
        ({"classes": 2}, "classes are 2; give a list"),
        ({"paths": "a"}, "paths are 'a'; give a list"),
        ({"test_folds": 1}, "test_folds are 1; give a list"),
        ({"test_folds": np.int64(1)}, "test_folds are 1; give a list"),
        ({"test_folds": [True]}, r"test_folds are \[True\]; give numbers of folds"),
        ({"test_folds": [1.5]}, r"test_folds are \[1.5\]; give numbers of folds"),
    ],
)
def test_rows_of_clips_that_do_not_fit_together_are_refused(changes, message):
    rows = {"paths": [Path("a"), Path("b")], "labels": np.arange(2), "folds": np.arange(2)}
    with pytest.raises(InputError, match=message):
        LabelledClips(
            **{"name": "x", "classes": ["a", "b"], "licence": "", "fold_names": {}}
            | {"test_folds": []}
            | rows
            | changes
        )


@pytest.mark.parametrize("end", [None, np.nan])
@pytest.mark.parametrize("channels", [[0, -1], [0.0, -1.0], pandas.Series([0, -1], dtype="Int64")])
def test_rows_of_clips_may_be_of_any_kind(end, channels):
    rows = {"paths": [Path("a"), Path("b")], "labels": np.arange(2), "folds": np.arange(2)}
    rows |= {"segments": [[0, 0.5], [0.5, end]], "channels": channels, "sources": 2 * [2**40]}
    clips = LabelledClips("x", classes=["a", "b"], licence="", fold_names={}, test_folds=[], **rows)
    assert [clips.part(row) for row in (0, 1)] == [(0.0, 0.5, 0), (0.5, None, None)]
    assert clips.across_folds.all()


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize(
    "kind", [pandas.DataFrame, torch.tensor, np.ndarray.tolist, lambda v: v[:, None]]
)
def test_labels_and_folds_go_by_position_whatever_holds_them(kind, several):
    order = np.array([2, 0, 3, 1])
    labels, folds = np.array([0, 1, 1, 0]), np.array([1, 2, 1, 2])
    if several:
        labels = np.eye(2, dtype=bool)[labels]
    kind = np.asarray if several and kind(folds).__class__ is np.ndarray else kind
    given = {"labels": kind(labels), "folds": kind(folds)}
    if kind is pandas.DataFrame:
        # Of a table that was shuffled: its index says where a row was.
        given = {name: values.set_axis(order) for name, values in given.items()}
    rows = {"classes": ["a", "b"], "licence": "", "fold_names": {}, "test_folds": []}
    clips = LabelledClips("x", [Path(f"{row}") for row in range(4)], **given, **rows)
    for taken in (clips, clips.take(range(4)), clips.take(np.full(4, True)), clips.take(slice(4))):
        np.testing.assert_array_equal(taken.labels, labels)
        np.testing.assert_array_equal(taken.folds, folds)
    for asked in ([3, 1], (3, 1), torch.tensor([3, 1]), pandas.Series([3, 1])):
        taken = clips.take(asked)
        np.testing.assert_array_equal(taken.labels, labels[[3, 1]])
        assert taken.paths == [Path("3"), Path("1")]
    assert len(clips.take([])) == 0
    for wrong in ([99], [0.5], [True, False, True]):
        with pytest.raises(IndexError):
            clips.take(wrong)
    assert clips.take(labels.argmax(-1) == 1 if several else labels == 1).folds.tolist() == [2, 1]


def test_columns_of_a_table_may_name_files_classes_and_folds():
    """As pandas gives them; an array answers no question whether it is empty."""
    table = pandas.DataFrame({"file": ["a.wav", "b.wav"], "fold": [1, 2]}, index=[7, 3])
    rows = {"labels": [0, 1], "folds": table["fold"], "licence": "", "fold_names": {}}
    kinds = (
        pandas.Series.to_numpy,
        pandas.Series.tolist,
        pandas.Index,
        list,
        lambda column: column,
    )
    for kind in kinds:
        files, folds = kind(table["file"]), kind(table["fold"])
        clips = LabelledClips(
            "x", paths=files, classes=np.array(["a", "b"]), test_folds=folds, **rows
        )
        assert clips.paths == [Path("a.wav"), Path("b.wav")]
        assert (clips.classes, clips.test_folds) == (["a", "b"], [1, 2])
    with pytest.raises(InputError, match="nan names no file; give a path"):
        LabelledClips("x", paths=["a.wav", np.nan], classes=["a", "b"], test_folds=[1], **rows)


def test_a_name_that_no_file_can_have_is_refused():
    assert read_header("a\0b.wav") == "is not there, for no name holds a null byte"
    with pytest.raises(InputError, match="no name holds a null byte"):
        load_audio("a\0b.wav")
