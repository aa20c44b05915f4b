"""The cache of waves, against the recordings themselves, and against processes that race or die."""

import itertools
import json
import multiprocessing
import os
import resource
import signal
import sys
import time
import warnings
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopg.datasets import LabelledClips, cache, cached_waves, decoding, load_audio
from audiopg.datasets.cache import _quantise
from audiopg.errors import InputError

# Of one process for another, which imports torch on a machine that may be busy.
LONGEST_WAIT = 1800
LENGTHS = [700, 4000, 1, 2500, 1600]


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOPG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def labelled(paths):
    count = len(paths)
    return LabelledClips(
        name="noises",
        paths=paths,
        labels=np.arange(count) % 2,
        folds=np.arange(count) % 2 + 1,
        classes=["even", "odd"],
        licence="none",
        fold_names={1: "fold 1", 2: "fold 2"},
        test_folds=[1, 2],
    )


def write_clips(folder, lengths=LENGTHS):
    """Noise at growing levels, the third silent; as if they had been there for a while."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    paths = []
    for row, length in enumerate(lengths):
        paths.append(folder / f"{row}.wav")
        wave = rng.uniform(-1, 1, length) * (0 if row == 2 else 10.0 ** (row - 3))
        soundfile.write(paths[-1], wave, 16000, subtype="FLOAT")
    settle(paths)
    return labelled(paths)


def settle(paths):
    """Count every file as written long ago, so that its hash may be remembered."""
    cache._SETTLED_SECONDS = 0
    for path in paths:
        os.utime(path, (1e9, 1e9))


def in_parts(clips):
    """Three parts of the second recording, of 0.25 s, and the whole fourth one."""
    parts = [(0.0, 0.1), (0.1, np.nan), (0.05, 0.2)]
    return replace(
        labelled([clips.paths[1]] * 3 + [clips.paths[3]]),
        segments=np.array([*parts, (0.0, np.nan)]),
    )


def test_clips_that_are_parts_of_recordings_are_cut_when_they_are_read(root, clips):
    waves = cached_waves(parts := in_parts(clips), progress=False)
    assert waves.lengths.tolist() == [1600, 2400, 2400, 2500]
    whole = load_audio(clips.paths[1])
    for row, (first, last) in enumerate([(0, 1600), (1600, 4000), (800, 3200)]):
        step = float(waves.scales[row])
        torch.testing.assert_close(waves.native(row), whole[first:last], atol=step, rtol=0)
    assert waves.name(1) == f"{clips.paths[1]} from 0.1 s"
    assert waves.name(2) == f"{clips.paths[1]} from 0.05 s to 0.2 s"
    assert waves.name(3) == str(clips.paths[3])
    fewer = cached_waves(parts.take([3, 1]), progress=False)
    assert fewer.lengths.tolist() == [2500, 2400]


def test_other_parts_or_channels_of_the_same_files_are_other_waves(root, clips):
    parts = in_parts(clips)
    moved = replace(parts, segments=np.add(parts.segments, (0.01, 0)))
    sided = replace(parts, channels=np.array([0, 0, 0, -1]))
    found = [cached_waves(each, progress=False) for each in (parts, moved, sided, parts)]
    assert len({waves.contents for waves in found}) == 3
    assert found[0].contents == found[3].contents
    assert found[1].lengths.tolist() == [1440, 2240, 2240, 2340]
    assert found[2].name(0) == f"{clips.paths[1]} to 0.1 s, channel 1"


def test_what_a_version_stored_that_reads_otherwise_is_read_anew(root, tmp_path, monkeypatch):
    clips = write_clips(tmp_path / "noises")
    with monkeypatch.context() as older:
        older.setattr(cache, "_FORMAT", cache._FORMAT - 1)
        before = cached_waves(clips, progress=False)
        (folder,) = root.glob("waves-*")
    (folder / "samples.int16").write_bytes(bytes(2 * sum(LENGTHS)))
    after = cached_waves(clips, progress=False)
    step = after.scales[0]
    torch.testing.assert_close(after.native(0), load_audio(clips.paths[0]), atol=step, rtol=0)
    # A run that began with the older version goes on: its recordings are the same.
    assert after.contents == before.contents


def test_a_part_that_cannot_be_heard_is_named_and_the_others_of_its_file_are_kept(root, clips):
    parts = in_parts(clips)
    wrong = replace(parts, channels=np.array([-1, 1, -1, -1]))
    with pytest.raises(
        InputError, match=r"1\.wav from 0\.1 s, channel 2 has no channel 2, but 1\)"
    ):
        cached_waves(wrong, progress=False)
    waves = cached_waves(wrong, skip_bad=True, progress=False)
    assert waves.lengths.tolist() == [1600, 2400, 2500]
    assert len(waves.clips) == 3
    assert [*waves.clips.skipped] == [f"{clips.paths[1]} from 0.1 s, channel 2"]


@pytest.fixture(autouse=True)
def usual_patience():
    usual = cache._SETTLED_SECONDS
    yield
    cache._SETTLED_SECONDS = usual


@pytest.fixture
def clips(tmp_path):
    return write_clips(tmp_path / "audio")


def count_reads(monkeypatch):
    reads = []
    monkeypatch.setattr(cache, "load_audio", lambda *args: reads.append(args) or load_audio(*args))
    return reads


def count_hashes(monkeypatch):
    hashes = []
    digest = cache.hashlib.file_digest
    monkeypatch.setattr(
        cache.hashlib, "file_digest", lambda *args: hashes.append(args) or digest(*args)
    )
    return hashes


def test_every_clip_comes_back_at_its_own_length(root, clips):
    waves = cached_waves(clips, progress=False)
    assert len(waves) == 5
    assert waves.clips is clips
    assert waves.starts.tolist() == np.cumsum([0, *LENGTHS]).tolist()
    for row, path in enumerate(clips.paths):
        wave, stored = load_audio(path), waves.native(row)
        assert stored.dtype == torch.float32
        # Half a step, and the rounding of a division and a product in float32.
        peak = wave.abs().max().item()
        assert (stored - wave).abs().max().item() <= peak / 65534 + peak * 2**-22
    assert torch.equal(waves.native(-1), waves.native(4))


def test_rows_that_are_not_there_are_refused(root, clips):
    waves = cached_waves(clips, progress=False)
    for row in (5, -6):
        with pytest.raises(IndexError):
            waves.native(row)


@settings(max_examples=100)
@given(
    st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=50),
    st.floats(2.0**-149, 2.0**100, width=32),
)
def test_quantisation_is_off_by_half_a_step(values, level):
    wave = np.array(values, dtype=np.float32) * np.float32(level)
    levels, step = _quantise(wave)
    assert levels.dtype == np.int16
    restored = levels * step
    assert restored.dtype == np.float32
    peak = float(np.abs(wave).max())
    # The last term: near the smallest subnormal number, 2^-149, a step itself is rounded, at most
    # by half of it, and that 32767 times over.
    bound = peak / 65534 + peak * 2**-22 + 2**-150 * 32768
    assert np.abs(restored.astype(float) - wave.astype(float)).max() <= bound


def test_silence_stays_silent(root, clips):
    assert cached_waves(clips, progress=False).native(2).tolist() == [0.0]


def test_files_are_resampled_and_channels_averaged_as_load_audio_does(root, tmp_path):
    rng = np.random.default_rng(1)
    paths = [tmp_path / "a.flac", tmp_path / "b.ogg"]
    soundfile.write(paths[0], rng.uniform(-0.5, 0.5, (22050, 2)), 44100)
    soundfile.write(paths[1], rng.uniform(-0.5, 0.5, 8000), 8000)
    waves = cached_waves(labelled(paths), progress=False)
    for row, path in enumerate(paths):
        torch.testing.assert_close(waves.native(row), load_audio(path), atol=2e-5, rtol=0)


def test_the_files_are_read_once_and_hashed_once(root, clips, monkeypatch):
    reads, hashes = count_reads(monkeypatch), count_hashes(monkeypatch)
    first = cached_waves(clips, progress=False)
    again = cached_waves(clips, progress=False)
    assert len(reads) == len(hashes) == 5
    assert np.array_equal(first.samples, again.samples)
    cached_waves(replace(clips, channels=5 * [0]), progress=False)
    assert len(reads) == 10
    assert len(hashes) == 5


def test_the_same_content_elsewhere_is_found(root, clips, tmp_path, monkeypatch):
    cached_waves(clips, progress=False)
    reads = count_reads(monkeypatch)
    (tmp_path / "audio").rename(tmp_path / "moved")
    moved = labelled([tmp_path / "moved" / path.name for path in clips.paths])
    assert cached_waves(moved, progress=False).clips is moved
    assert reads == []
    # Another order is another array.
    turned = labelled(moved.paths[::-1])
    waves = cached_waves(turned, progress=False)
    assert len(reads) == 5
    assert np.diff(waves.starts).tolist() == LENGTHS[::-1]


def test_a_changed_file_is_read_again_even_at_the_same_size_and_time(root, clips):
    before = cached_waves(clips, progress=False).native(0).clone()
    soundfile.write(clips.paths[0], np.full(700, 0.25), 16000, subtype="FLOAT")
    os.utime(clips.paths[0], (1e9, 1e9))
    after = cached_waves(clips, progress=False).native(0)
    assert not torch.equal(before, after)
    assert after.tolist() == [0.25] * 700


def test_the_hash_of_a_file_just_written_is_not_remembered(root, clips, monkeypatch):
    cache._SETTLED_SECONDS = 1000
    hashes = count_hashes(monkeypatch)
    cached_waves(clips, progress=False)
    cached_waves(clips, progress=False)
    # Before the files are read, after it, and when they are asked for again.
    assert len(hashes) == 15


def test_a_memory_of_hashes_that_cannot_be_read_is_made_again(root, clips):
    cached_waves(clips, progress=False)
    (memory,) = root.glob("hashes-*.json")
    content = memory.read_text()
    memory.write_text(content[:20])
    assert len(cached_waves(clips, progress=False)) == 5
    assert json.loads(memory.read_text()) == json.loads(content)


def damage(clips):
    clips.paths[0].unlink()
    clips.paths[1].write_bytes(b"")
    soundfile.write(
        clips.paths[3], np.random.default_rng(0).uniform(-1, 1, 9000), 16000, None, None, "FLAC"
    )
    clips.paths[3].write_bytes(clips.paths[3].read_bytes()[:-3000])
    return [clips.paths[row] for row in (0, 1, 3)]


def test_a_name_that_is_not_utf_8_is_cached_and_refused_like_others(root, tmp_path):
    clips = write_clips(tmp_path / "audio")
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/audio/caf\xe9.wav"))
    os.rename(clips.paths[4], odd)
    clips = replace(clips, paths=[*clips.paths[:4], odd])
    assert len(cached_waves(clips, progress=False)) == 5
    odd.write_bytes(b"")
    with pytest.raises(InputError, match=r"caf\\xe9\.wav is empty"):
        cached_waves(clips, progress=False)
    assert cached_waves(clips, skip_bad=True, progress=False).clips.skipped.keys() == {str(odd)}


def test_every_file_that_cannot_be_used_is_named(root, clips, monkeypatch):
    bad = damage(clips)
    reads = count_reads(monkeypatch)
    for _ in range(2):
        with pytest.raises(InputError, match="3 of the 5 recordings of noises cannot") as refusal:
            cached_waves(clips, progress=False)
        message = str(refusal.value)
        assert f"{bad[0]} is not there; " in message
        assert f"{bad[1]} is empty, without a byte; " in message
        assert f"{bad[2]} is cut short" in message
        assert "--skip-bad" in message
        assert "\n" not in message
        assert str(clips.paths[2]) not in message
    # The second time it is known without reading.
    assert len(reads) == 5


def test_files_that_cannot_be_used_can_be_skipped_and_are_recorded(root, tmp_path):
    clips = write_clips(tmp_path / "audio", [*LENGTHS, 800])
    clips = replace(clips, skipped={"earlier": "is missing"})
    bad = damage(clips)
    waves = cached_waves(clips, skip_bad=True, progress=False)
    kept = [2, 4, 5]
    assert waves.clips.paths == [clips.paths[row] for row in kept]
    assert waves.clips.labels.tolist() == clips.labels[kept].tolist()
    assert waves.clips.folds.tolist() == clips.folds[kept].tolist()
    assert set(waves.clips.skipped) == {"earlier", *map(str, bad)}
    assert waves.clips.skipped[str(bad[0])] == "is not there"
    assert np.diff(waves.starts).tolist() == [1, 1600, 800]
    torch.testing.assert_close(
        waves.native(1), load_audio(clips.paths[4]), atol=10 / 65534 * 1.01, rtol=0
    )


def while_reading(monkeypatch, happens):
    """Let something happen just before the third recording is read."""
    reads = itertools.count()

    def load(path, *how):
        if next(reads) == 2:
            happens(path)
        return load_audio(path, *how)

    monkeypatch.setattr(cache, "load_audio", load)


@pytest.mark.parametrize("skip_bad", [False, True])
def test_recordings_that_go_while_they_are_read_are_there_when_they_are_back(
    root, clips, tmp_path, monkeypatch, skip_bad
):
    with monkeypatch.context() as away:
        while_reading(away, lambda _: (tmp_path / "audio").rename(tmp_path / "away"))
        with pytest.raises(
            InputError, match=r"noises went or changed while they were read \(first"
        ):
            cached_waves(clips, skip_bad=skip_bad, progress=False)
    assert list(root.glob("*waves-*")) == []
    (tmp_path / "away").rename(tmp_path / "audio")
    waves = cached_waves(clips, skip_bad=skip_bad, progress=False)
    assert waves.lengths.tolist() == LENGTHS
    assert waves.clips.skipped == {}


def test_a_recording_that_changes_while_it_is_read_is_not_kept_as_what_it_was(
    root, clips, monkeypatch
):
    before = {path: path.read_bytes() for path in clips.paths}
    with monkeypatch.context() as changing:
        while_reading(changing, lambda path: soundfile.write(path, np.zeros(9), 16000))
        with pytest.raises(InputError, match="went or changed while they were read; see that all"):
            cached_waves(clips, progress=False)
    for path, content in before.items():
        path.write_bytes(content)
    assert cached_waves(clips, progress=False).lengths.tolist() == LENGTHS


@pytest.mark.parametrize("fails", ["open", "read"])
def test_a_failure_of_the_moment_is_not_kept(root, clips, monkeypatch, fails):
    hashes = cache.file_hashes(clips.paths, progress=False)
    assert all(hashes)

    def refuse(*_, **__):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        if fails == "open":
            broken.setattr(decoding, "open", refuse, raising=False)
        else:
            broken.setattr(decoding, "memoryview", refuse, raising=False)
        with pytest.raises(InputError, match=r"cannot be (opened|read) \(Input/output error\)"):
            load_audio(clips.paths[0])
        with pytest.raises(InputError, match="went or changed while they were read"):
            cached_waves(clips, skip_bad=True, progress=False)
    assert cached_waves(clips, progress=False).lengths.tolist() == LENGTHS


def test_several_labels_a_clip_and_sources_are_kept_row_by_row(root, tmp_path):
    clips = write_clips(tmp_path / "audio", [*LENGTHS, 800])
    damage(clips)
    labels, sources = np.eye(6, 3, dtype=bool), np.arange(6) // 2
    clips = replace(clips, labels=labels, sources=sources, classes=["a", "b", "c"])
    waves = cached_waves(clips, skip_bad=True, progress=False)
    assert waves.clips.labels.tolist() == labels[[2, 4, 5]].tolist()
    assert waves.clips.sources.tolist() == [1, 2, 2]


def test_skipping_never_leaves_a_fold_or_the_whole_set_empty(root, clips):
    clips.paths[1].unlink()
    clips.paths[3].unlink()
    with pytest.raises(InputError, match="noises leaves no clip for fold 2"):
        cached_waves(clips, skip_bad=True, progress=False)
    for path in clips.paths:
        path.unlink(missing_ok=True)
    with pytest.raises(InputError, match="5 of the 5 recordings"):
        cached_waves(clips, skip_bad=True, progress=False)


def test_clips_without_files_are_refused(root, clips):
    with pytest.raises(InputError, match="noises has no files to read"):
        cached_waves(replace(clips, paths=[]), progress=False)


def test_the_cache_lies_where_caches_usually_do(tmp_path, clips, monkeypatch):
    monkeypatch.delenv("AUDIOPG_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    cached_waves(clips, progress=False)
    assert len(list((tmp_path / "xdg/audiopg").glob("waves-*"))) == 1
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    cached_waves(clips, progress=False)
    assert len(list((tmp_path / "home/.cache/audiopg").glob("waves-*"))) == 1


def test_a_cache_that_another_user_keeps_to_himself_is_not_called_damaged(root, clips, monkeypatch):
    cached_waves(clips, progress=False)

    def closed(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(cache.np, "memmap", closed)
    with pytest.raises(InputError, match=r"waves-.* cannot be read \(Permission denied\); make it"):
        cached_waves(clips, progress=False)


def test_a_cache_that_lost_a_file_says_so(root, clips):
    cached_waves(clips, progress=False)
    (folder,) = root.glob("waves-*")
    with open(folder / "samples.int16", "r+b") as file:
        file.truncate(100)
    with pytest.raises(InputError, match="is not whole; delete it"):
        cached_waves(clips, progress=False)
    index = (folder / "index.npz").read_bytes()
    for part in (index[:50], b"", index[:100] + b"?" + index[101:], None):
        (folder / "index.npz").unlink()
        if part is not None:
            (folder / "index.npz").write_bytes(part)
        with pytest.raises(InputError, match="is not whole; delete it"):
            cached_waves(clips, progress=False)


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << place % 8
    path.write_bytes(content)


@pytest.mark.parametrize("place", [0, 1, 1399, 1400, 2 * sum(LENGTHS) - 1])
def test_a_clip_of_which_a_bit_has_changed_is_refused_and_the_others_are_not(root, clips, place):
    expected = cached_waves(clips, progress=False)
    kept = [expected.native(row).clone() for row in range(5)]
    (folder,) = root.glob("waves-*")
    flip(folder / "samples.int16", place)
    waves, hit = cached_waves(clips, progress=False), 0 if place < 1400 else 1
    hit = 4 if place > 1400 else hit
    for row in range(5):
        if row == hit:
            with pytest.raises(
                InputError, match=rf"{row}\.wav is damaged in {folder}; delete that"
            ):
                waves.native(row)
        else:
            assert torch.equal(waves.native(row), kept[row])


def test_a_bit_that_has_changed_in_the_index_never_changes_a_wave(root, clips):
    expected = cached_waves(clips, progress=False)
    waves = [expected.native(row).clone() for row in range(5)]
    (folder,) = root.glob("waves-*")
    index = folder / "index.npz"
    whole, refused = index.read_bytes(), 0
    for place in range(0, len(whole), 7):
        flip(index, place)
        found = None
        with suppress(InputError):
            found = cached_waves(clips, progress=False)
        index.write_bytes(whole)
        refused += found is None
        # What a zip says of times and systems may change: it is not looked at.
        assert not found or all(torch.equal(found.native(row), waves[row]) for row in range(5))
    assert refused > len(whole) // 7 // 2


def test_progress_is_shown_only_when_asked(root, clips, capsys):
    cached_waves(clips, progress=False)
    assert capsys.readouterr().err == ""
    cached_waves(clips.take([3, 1]))
    assert "Reading noises" in capsys.readouterr().err


# Processes that race, die or run out of disk


def build_beside_another(barrier, root, clips):
    """Both read their first file only when both have begun to build."""
    os.environ["AUDIOPG_CACHE"] = root
    waiting = [True]

    def load_together(path, *how):
        if path == clips.paths[0] and waiting:
            waiting.clear()
            barrier.wait(LONGEST_WAIT)
        return load_audio(path, *how)

    cache.load_audio = load_together
    return cached_waves(clips, progress=False)


def report_build_beside_another(barrier, root, clips, results):
    waves = build_beside_another(barrier, root, clips)
    results.put((waves.samples.tobytes(), waves.starts.tolist()))


def die_in_the_middle(root, clips):
    os.environ["AUDIOPG_CACHE"] = root

    def load_or_die(path, *how):
        if path == clips.paths[-1]:
            os.kill(os.getpid(), signal.SIGKILL)
        return load_audio(path, *how)

    cache.load_audio = load_or_die
    cached_waves(clips, progress=False)


def run_out_of_space(root, clips, results):
    """A limit on the size of files fails as a full disk does, in the middle of a write."""
    os.environ["AUDIOPG_CACHE"] = root
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    warnings.simplefilter("ignore")
    try:
        cached_waves(clips, progress=False)
    except InputError as error:
        results.put(str(error))


@pytest.fixture
def spawned():
    context = multiprocessing.get_context("spawn")
    processes = []

    def start(target, *arguments):
        processes.append(context.Process(target=target, args=arguments))
        processes[-1].start()
        return processes[-1]

    start.context = context
    yield start
    for process in processes:
        process.kill()
        process.join()


def test_two_processes_build_the_same_cache_at_once(root, clips, spawned, monkeypatch):
    monkeypatch.setattr(cache, "load_audio", load_audio)
    barrier, results = spawned.context.Barrier(2), spawned.context.Queue()
    process = spawned(report_build_beside_another, barrier, str(root), clips, results)
    waves = build_beside_another(barrier, str(root), clips)
    found = results.get(timeout=LONGEST_WAIT)
    process.join()
    assert process.exitcode == 0
    assert found == (waves.samples.tobytes(), waves.starts.tolist())
    assert waves.starts.tolist() == np.cumsum([0, *LENGTHS]).tolist()
    assert len(list(root.glob("waves-*"))) == 1
    assert list(root.glob(".*")) == []


def test_a_build_that_is_killed_leaves_nothing_taken_for_whole(root, clips, spawned):
    process = spawned(die_in_the_middle, str(root), clips)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert list(root.glob("waves-*")) == []
    (leftover,) = root.glob(".waves-*")
    assert len(cached_waves(clips, progress=False)) == 5
    # It might have been a build under way; after an hour without a write it cannot be.
    assert leftover.is_dir()
    old = time.time() - 3700
    for path in (*leftover.iterdir(), leftover):
        os.utime(path, (old, old))
    cached_waves(clips.take([3, 1]), progress=False)
    assert not leftover.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="limits on file sizes are POSIX")
def test_a_full_disk_is_one_sentence_and_leaves_nothing(root, tmp_path, spawned):
    clips = write_clips(tmp_path / "audio", [4000, 4000])
    results = spawned.context.Queue()
    process = spawned(run_out_of_space, str(root), clips, results)
    message = results.get(timeout=LONGEST_WAIT)
    process.join()
    assert message == (
        "a temporary file cannot be written (File too large); allow larger files (ulimit -f)."
    )
    assert [path.name for path in root.iterdir() if "waves" in path.name] == []


def test_a_cache_that_cannot_be_written_is_done_without(root, tmp_path, clips, monkeypatch):
    expected = cached_waves(clips, progress=False)
    (tmp_path / "file").write_text("")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(cache.tempfile, "tempdir", str(scratch))
    said = r"the cache in .*/file cannot be written \((Not a directory|File exists)\).* read anew"
    for place in (str(tmp_path / "file"), "~there-is-no-such-user"):
        monkeypatch.setenv("AUDIOPG_CACHE", place)
        with pytest.warns(UserWarning, match=said if "file" in place else "begins with a home"):
            waves = cached_waves(clips, progress=False)
        assert list(scratch.iterdir()) == []
        # Of files that have no name any more.
        assert waves.samples.tobytes() == expected.samples.tobytes()
        assert waves.starts.tolist() == expected.starts.tolist()
        assert waves.contents == expected.contents


def test_the_real_recordings_come_back_from_the_cache(root, real_recordings):
    paths = real_recordings("esc10").paths[:6]
    waves = cached_waves(labelled(paths), progress=False)
    for row, path in enumerate(paths):
        wave = load_audio(path)
        peak = wave.abs().max().item()
        assert (waves.native(row) - wave).abs().max() <= peak / 65534 + peak * 2**-22
