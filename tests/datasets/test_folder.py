"""Any folder as a source of clips, against recordings whose every sample says where it stood."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import soundfile
import soxr
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopg.datasets.audio import AUDIO_SUFFIXES
from audiopg.datasets.folder import (
    Recordings,
    audio_files,
    draw_windows,
    find_recordings,
    read_ahead,
)
from audiopg.errors import InputError

sys.path.insert(0, str(Path(__file__).parent))
import writers

CLIP = 163840


def write(path, wave, rate=16000):
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = path.suffix[1:].upper().replace("AIF", "AIFF").replace("AIFFF", "AIFF")
    subtype = {"WAV": "FLOAT", "AIFF": "FLOAT", "FLAC": "PCM_24"}.get(kind)
    soundfile.write(path, wave, rate, subtype, format=kind)


def noise(samples, seed, channels=1):
    wave = np.random.default_rng(seed).uniform(-0.5, 0.5, (samples, channels))
    return wave.squeeze().astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    """Long and short, mono and stereo, at several rates, in folders inside folders."""
    write(tmp_path / "long.wav", noise(400_000, 0))
    write(tmp_path / "short.wav", noise(5_000, 1))
    write(tmp_path / "b/exact.wav", noise(CLIP, 2))
    write(tmp_path / "b/stereo.flac", noise(600_000, 3, channels=2), 44100)
    write(tmp_path / "b/c/low.ogg", noise(100_000, 4), 8000)
    write(tmp_path / "b/c/Short High.AIFF", noise(30_000, 5), 48000)
    return tmp_path


def waves(recordings, clips, seed=0, batch_size=3):
    return torch.cat(list(read_ahead(recordings, clips.split(batch_size), seed)))


def test_headers_are_read_in_the_order_of_the_names(folder):
    recordings = find_recordings(folder)
    names = [path.relative_to(folder).as_posix() for path in recordings.paths]
    assert names == [
        "b/c/Short High.AIFF",
        "b/c/low.ogg",
        "b/exact.wav",
        "b/stereo.flac",
        "long.wav",
        "short.wav",
    ]
    assert recordings.frames.tolist() == [30_000, 100_000, CLIP, 600_000, 400_000, 5_000]
    assert recordings.sample_rates.tolist() == [48000, 8000, 16000, 44100, 16000, 16000]
    hours = (30 / 48 + 100 / 8 + CLIP / 16000 + 600 / 44.1 + 400 / 16 + 5 / 16) / 3600
    assert recordings.summary()["hours"] == pytest.approx(hours, abs=5e-4)
    assert recordings.summary()["files"] == len(recordings) == 6


def test_a_clip_is_a_window_of_the_recording_as_it_was_written(folder):
    recordings = find_recordings(folder)
    clips = torch.arange(18)
    rows, starts = draw_windows(recordings, clips, seed=0)
    found = waves(recordings, clips)
    assert found.shape == (18, CLIP)
    sources = {
        4: torch.from_numpy(noise(400_000, 0)),
        5: torch.from_numpy(noise(5_000, 1)).tile(40),
        2: torch.from_numpy(noise(CLIP, 2)),
    }
    for row, start, wave in zip(rows.tolist(), starts.tolist(), found, strict=True):
        if row in sources:
            assert torch.equal(wave, sources[row][start : start + CLIP])
    assert {0, 1, 2, 3, 4, 5} == set(rows.tolist())


@pytest.mark.parametrize(
    "clips",
    [[3, 17], (3, 17), np.array([3.0, 17.0]), range(3, 18, 14), torch.tensor([3, 17]).int()],
)
def test_clips_of_recordings_are_numbered_as_clips_of_the_synthesizer_are(folder, clips):
    recordings = find_recordings(folder)
    expected = draw_windows(recordings, torch.tensor([3, 17]), 2)
    for seed in (2, np.int32(2)):
        for found, values in zip(draw_windows(recordings, clips, seed), expected, strict=True):
            assert torch.equal(found, values)


@pytest.mark.parametrize("clips", [[-1], [1.5], 3, [[1, 2]], None, "3", [np.nan]])
def test_what_is_no_number_of_a_clip_is_refused(folder, clips):
    with pytest.raises(InputError, match=r"^clips? (was given|are)"):
        draw_windows(find_recordings(folder), clips, 0)
    with pytest.raises(InputError, match=r"^clips? (was given|are)"):
        next(read_ahead(find_recordings(folder), [clips], 0))


@pytest.mark.parametrize("seed", [None, "3", 1.5, 2**70, [3]])
def test_what_is_no_seed_of_an_order_is_refused(folder, seed):
    with pytest.raises(InputError, match=r"seed is .*; give a 64-bit whole number"):
        draw_windows(find_recordings(folder), [1], seed)


def test_other_rates_and_channels_are_resampled_and_averaged(folder):
    recordings = find_recordings(folder)
    clips = torch.arange(12)
    rows, starts = draw_windows(recordings, clips, seed=0)
    found = waves(recordings, clips)
    whole = soxr.resample(noise(600_000, 3, channels=2).mean(axis=1), 44100, 16000, quality="HQ")
    short = soxr.resample(noise(30_000, 5), 48000, 16000, quality="HQ")
    inner = slice(1000, CLIP - 1000)  # A window's ends are resampled without what lay beyond.
    seen = set()
    for row, start, wave in zip(rows.tolist(), starts.tolist(), found.numpy(), strict=True):
        if row == 3:
            # Between two samples of the whole at the new rate, so the two are compared by phase.
            places = start * 16000 / 44100 + np.arange(CLIP)
            near = np.corrcoef(wave[inner], shifted(whole, places)[inner])[0, 1]
            assert near > 0.999
            seen.add(row)
        if row == 0:
            expected = np.resize(np.roll(short, -(start * 16000 // 48000)), CLIP)
            np.testing.assert_allclose(wave, expected, atol=1e-6)
            seen.add(row)
    assert seen == {0, 3}


def shifted(wave, places):
    """A band-limited signal between its samples: the whole shifted by the fraction in the phase."""
    fraction = places[0] % 1
    spectrum = np.fft.rfft(wave) * np.exp(2j * np.pi * fraction * np.fft.rfftfreq(len(wave)))
    first = int(places[0])
    return np.fft.irfft(spectrum, len(wave))[first : first + len(places)]


def test_clips_are_the_same_in_any_batch_and_order(folder):
    recordings = find_recordings(folder)
    clips = torch.arange(13)
    whole = waves(recordings, clips, batch_size=13)
    assert torch.equal(waves(recordings, clips, batch_size=2), whole)
    assert torch.equal(waves(recordings, clips[[9, 2, 2, 12]]), whole[[9, 2, 2, 12]])
    assert not torch.equal(waves(recordings, clips, seed=1), whole)


def lengths(frames, rates):
    return Recordings(None, [None] * len(frames), torch.tensor(frames), torch.tensor(rates))


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.integers(1, 10**7), st.integers(1000, 192_000)), min_size=1, max_size=30),
    st.integers(0, 2**40),
    st.integers(-(2**63), 2**63 - 1),
)
def test_every_epoch_plays_all_files_once_and_windows_lie_inside(files, epoch, seed):
    frames, rates = zip(*files, strict=True)
    recordings = lengths(frames, rates)
    clips = epoch * len(files) + torch.arange(len(files))
    rows, starts = draw_windows(recordings, clips, seed)
    assert sorted(rows.tolist()) == list(range(len(files)))
    for row, start in zip(rows.tolist(), starts.tolist(), strict=True):
        needed = -(-CLIP * rates[row] // 16000)
        assert start >= 0
        assert start + needed <= frames[row] or (frames[row] < needed and start < frames[row])
    shuffled = torch.arange(len(files)).flip(0)
    again = draw_windows(recordings, clips[shuffled], seed)
    assert torch.equal(again[0], rows[shuffled])
    assert torch.equal(again[1], starts[shuffled])


def test_orders_and_starts_are_uniform():
    recordings = lengths([CLIP + 999] * 4, [16000] * 4)
    rows, starts = draw_windows(recordings, torch.arange(4_800), seed=0)
    orders, counts = rows.reshape(-1, 4).unique(dim=0, return_counts=True)
    assert len(orders) == 24
    assert scipy.stats.chisquare(counts).pvalue > 1e-3
    assert scipy.stats.chisquare((starts // 20).bincount(minlength=50)).pvalue > 1e-3


@settings(max_examples=25)
@given(rate=st.integers(1000, 100_000), frames=st.integers(1, 60_000))
def test_any_rate_and_length_gives_a_whole_clip(tmp_path_factory, rate, frames):
    folder = tmp_path_factory.mktemp("one")
    frames = max(frames, -(-rate // 16000))
    write(folder / "a.wav", np.ones(frames, np.float32), rate)
    found = waves(find_recordings(folder), torch.arange(2))
    assert found.shape == (2, CLIP)
    # A constant stays one, but for what the resampler makes of the ends.
    assert torch.isfinite(found).all()
    if frames > 1000:
        assert found.median() == pytest.approx(1, abs=1e-3)


def test_files_that_cannot_be_used_are_all_named(folder):
    (folder / "b/cut.wav").write_bytes((folder / "long.wav").read_bytes()[:20])
    (folder / "b/text.flac").write_text("not audio")
    write(folder / "empty.wav", np.zeros(0, np.float32))
    write(folder / "slow.wav", noise(100, 0), 500)
    write(folder / "fast.wav", noise(100, 0), 2**30)
    write(folder / "one.wav", np.ones(1, np.float32), 48000)
    with pytest.raises(InputError) as caught:
        find_recordings(folder)
    message = str(caught.value)
    assert message.startswith(f"6 of 12 files in {folder} cannot be used (")
    for name, reason in (
        ("b/cut.wav", "is cut short"),
        ("b/text.flac", "is damaged"),
        ("empty.wav", "holds no samples"),
        ("one.wav", "holds no samples"),
        ("slow.wav", "claims a sample rate of 500 Hz, below 1000 Hz"),
        ("fast.wav", "claims a sample rate of 1073741824 Hz, above 10000000 Hz"),
    ):
        assert f"{name} {reason}" in message
    assert "repair them or take them out" in message
    assert "\n" not in message


def test_what_is_left_out_is_said_by_count_and_first_name(tmp_path):
    for name in ("b.wav", "in/a.wav"):
        write(tmp_path / name, noise(1000, 0))
    for name in ("notes.txt", "in/cover.jpg", "in/LICENSE"):
        (tmp_path / name).touch()
    for name in ("._b.wav", "in/._a.wav"):
        (tmp_path / name).write_bytes(b"\0\5\x16\7" + bytes(200))
    elsewhere = tmp_path.parent / f"{tmp_path.name} elsewhere"
    write(elsewhere / "c.wav", noise(1000, 0))
    (tmp_path / "more").symlink_to(elsewhere)
    (tmp_path / "lost.flac").symlink_to("nowhere.flac")
    (tmp_path / "far.wav").symlink_to("n" * 300)
    os.mkfifo(tmp_path / "._pipe.wav")
    (tmp_path / "linked.wav").symlink_to(elsewhere / "c.wav")
    with pytest.warns(UserWarning, match="left out of") as caught:
        files = audio_files(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in files] == [
        "b.wav",
        "in/a.wav",
        "linked.wav",
    ]
    (warning,) = caught
    assert str(warning.message) == (
        f"left out of {tmp_path}: files in which macOS notes something about others: 2 (first: "
        "._b.wav); files not named as audio: 3 (first: in/LICENSE); links to folders, which are "
        "not followed: 1 (first: more); links to nothing, or devices: 3 (first: ._pipe.wav)."
    )
    for path in files:
        path.unlink()
    with pytest.raises(InputError, match=r"holds no audio file .*links to folders.*first: more"):
        audio_files(tmp_path)


HIDDEN = [".ipynb_checkpoints", ".Trash-1000", "__MACOSX", "lost+found", "$RECYCLE.BIN", "@eaDir"]


@pytest.mark.parametrize("inside", ["", "in/"])
def test_what_is_hidden_is_no_recording_and_is_said_by_count(tmp_path, inside):
    folder = tmp_path / ".data"  # One that is named is searched, whatever it is called.
    for name in ("in/a.wav", *(f"{inside}{each}/deep/b.wav" for each in HIDDEN)):
        write(folder / name, noise(1000, 0))
    write(folder / "in/.trashed-17-c.wav", noise(1000, 0))
    with pytest.warns(UserWarning, match="left out of") as caught:
        assert audio_files(folder) == [folder / "in/a.wav"]
    (warning,) = caught
    assert str(warning.message) == (
        f"left out of {folder}: hidden files: 1 (first: in/.trashed-17-c.wav); hidden folders, or "
        f"those that a system or a program keeps: 6 (first: {inside}$RECYCLE.BIN)."
    )
    (folder / "in/a.wav").unlink()
    with pytest.raises(InputError, match=r"holds no audio file .*program keeps: 6 \("):
        audio_files(folder)


def test_a_folder_without_permission_is_named(tmp_path, monkeypatch):
    write(tmp_path / "open/a.wav", noise(1000, 0))
    write(tmp_path / "closed/b.wav", noise(1000, 0))
    scan = os.scandir

    def closed(path):
        if os.fspath(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scan(path)

    # To root everything is open, so the system's answer is played.
    monkeypatch.setattr(os, "scandir", closed)
    with pytest.warns(UserWarning, match=r"cannot be opened \(Permission denied\): 1 \(first: cl"):
        assert audio_files(tmp_path) == [tmp_path / "open/a.wav"]
    with pytest.raises(InputError, match=r"no audio file .* opened \(Permission denied\): 1"):
        audio_files(tmp_path / "closed")


def test_what_lies_in_a_folder_that_may_only_be_listed_is_named(tmp_path, monkeypatch):
    for name in ("open/a.wav", "shut/b.wav", "shut/._c.wav", "shut/deep/d.wav"):
        write(tmp_path / name, noise(1000, 0))
    real = {name: getattr(os, name) for name in ("stat", "lstat", "scandir")}

    def shut(name):
        def call(path, **options):
            if str(path).startswith(f"{tmp_path}/shut/"):
                raise PermissionError(13, "Permission denied", str(path))
            return real[name](path, **options)

        return call

    # To root everything is open, so the system's answer is played.
    for name in real:
        monkeypatch.setattr(os, name, shut(name))
    with pytest.warns(UserWarning, match="left out of") as caught:
        assert audio_files(tmp_path) == [tmp_path / "open/a.wav"]
    (warning,) = caught
    assert str(warning.message) == (
        f"left out of {tmp_path}: files that cannot be opened (Permission denied): 2 (first: "
        "shut/._c.wav); folders that cannot be opened (Permission denied): 1 (first: shut/deep)."
    )


def test_names_that_are_not_utf_8_are_found_read_and_named(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav")
    soundfile.write(os.fsencode(path), np.sin(np.arange(CLIP) / 10), 16000)
    recordings = find_recordings(tmp_path)
    assert waves(recordings, torch.arange(1)).abs().max() > 0.8
    assert recordings.summary()["files"] == 1
    with open(path, "wb") as file:
        file.write(b"RIFF")
    with pytest.raises(InputError, match=r"caf\\xe9\.wav is cut short"):
        find_recordings(tmp_path)


def test_windows_of_formats_that_only_ffmpeg_reads(tmp_path):
    for name in ("m4a-stereo", "webm", "mp3-bare-variable", "amr-wb"):
        (tmp_path / f"{name}.{name[:3]}").write_bytes(writers.recordings()[name][0])
    (tmp_path / "mp3-bare-variable.mp3").rename(tmp_path / "a.m4a")  # Content tells, not the name.
    with pytest.warns(UserWarning, match="not named as audio: 1"):
        recordings = find_recordings(tmp_path)
    assert len(recordings) == 3
    found = waves(recordings, torch.arange(6))
    assert found.shape == (6, CLIP)
    assert (found.std(dim=1) > 0.01).all()


def test_folders_without_audio_are_refused(tmp_path):
    (tmp_path / "notes.txt").touch()
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(InputError, match=r"holds no audio file \(\.wav, \.flac, "):
        audio_files(tmp_path)
    with pytest.raises(InputError, match="is not a folder"):
        audio_files(tmp_path / "notes.txt")


@pytest.mark.parametrize("suffix", AUDIO_SUFFIXES)
def test_every_suffix_is_found(tmp_path, suffix):
    # What a file holds tells how to read it; the name only that it is looked at.
    soundfile.write(tmp_path / "a", np.sin(np.arange(CLIP) / 10), 16000, format="WAV")
    (tmp_path / "a").rename(tmp_path / f"a{suffix}")
    found = waves(find_recordings(tmp_path), torch.arange(1))
    assert found.abs().max() > 0.8


def replace_by_another(path):
    write(path, noise(400_000, 9), 8000)


def cut_body(path):
    path.write_bytes(path.read_bytes()[:1000])


def write_nan(path):
    write(path, np.full(400_000, np.nan, np.float32))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (replace_by_another, "is shorter than its header says, or has changed"),
        (cut_body, "is cut short"),
        (write_nan, "holds samples that are not finite"),
        (lambda path: path.unlink(), "is not there"),
    ],
)
def test_a_file_that_fails_later_is_named(tmp_path, damage, message):
    write(tmp_path / "a.wav", noise(400_000, 0))
    recordings = find_recordings(tmp_path)
    damage(tmp_path / "a.wav")
    with pytest.raises(InputError, match=rf"a\.wav {message}.*; put back the file"):
        waves(recordings, torch.arange(1))


def test_the_summary_tells_folders_apart(folder):
    before = find_recordings(folder).summary()
    assert find_recordings(folder).summary() == before
    (folder / "short.wav").rename(folder / "shorter.wav")
    renamed = find_recordings(folder).summary()
    assert renamed["sha256"] != before["sha256"]
    assert renamed["files"] == before["files"]
