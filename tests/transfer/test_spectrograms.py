import runpy
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
import torch

from audiopg.datasets import CachedWaves, LabelledClips
from audiopg.errors import InputError
from audiopg.frontend import LogMel, fit_length
from audiopg.synth import CLIP_SAMPLES
from audiopg.transfer import spectrograms
from audiopg.transfer.spectrograms import log_mels, padding_behind, patches_of

CPU = torch.device("cpu")
# Half a step of 16-bit floats below 4, as large as the values here.
ROUNDING = 2.0**-10


@pytest.fixture(scope="module")
def waves():
    generator = torch.Generator().manual_seed(0)
    lengths = (9000, 400, 16000, 9001, 200_000)
    return [0.1 * torch.randn(n, generator=generator) for n in lengths]


def test_clips_at_their_own_length_are_the_front_end_s_of_each_alone(waves):
    log_mel = LogMel(-5.0, 3.0)
    found = log_mels(waves, log_mel, True, CPU)
    assert found.frames.dtype == torch.float16
    assert found.lengths.tolist() == [54, 1, 98, 54, 1022]
    for rows in ([0, 1, 2, 3, 4], [3, 1], [1]):
        rows = torch.tensor(rows)
        mel = padding_behind(found.looped(rows), found.lengths[rows], 0.0)
        for place, row in enumerate(rows.tolist()):
            wave = waves[row] if row < 4 else fit_length(waves[row], CLIP_SAMPLES)
            alone = log_mel(wave[None])[0]
            assert alone.abs().max() < 4
            torch.testing.assert_close(mel[place, : len(alone)], alone, atol=ROUNDING, rtol=0)
            assert not mel[place, len(alone) :].any()


def test_clips_of_the_paper_s_length_are_cut_or_looped_first(waves):
    log_mel = LogMel()
    found = log_mels(waves, log_mel, False, CPU)
    assert set(found.lengths.tolist()) == {1022}
    rows = torch.arange(5)
    expected = log_mel(torch.stack([fit_length(wave, CLIP_SAMPLES) for wave in waves]))
    mel = padding_behind(found.looped(rows), found.lengths, 0.0)
    torch.testing.assert_close(mel, expected, atol=ROUNDING, rtol=0)


def test_a_roll_moves_every_frame_and_loses_none(waves):
    found = log_mels(waves, LogMel(), True, CPU)
    rows, roll = torch.tensor([0, 2, 1]), torch.tensor([20, 97, 0])
    still, rolled = found.looped(rows), found.looped(rows, roll)
    for place, frames in enumerate(found.lengths[rows].tolist()):
        expected = still[place, :frames].roll(-int(roll[place]), 0)
        assert torch.equal(rolled[place, :frames], expected)
        # Behind its end a clip begins again.
        assert torch.equal(
            rolled[place, frames : 2 * frames], rolled[place, : 112 - frames][:frames]
        )


def test_clips_of_equally_many_patches_are_alike(waves):
    found = log_mels(waves, LogMel(), True, CPU)
    assert found.alike(torch.tensor([0, 3]))
    assert not found.alike(torch.tensor([0, 1, 3]))
    assert patches_of(found.lengths).tolist() == [32, 8, 56, 32, 512]


def test_waves_of_the_cache_are_read_at_their_own_length():
    samples = np.arange(-600, 600, dtype=np.int16)
    clips = LabelledClips("x", [], np.zeros(2, int), np.zeros(2, int), ["a"], "MIT", {}, [])
    starts = np.array([0, 500, 1200])
    scales, sums = np.array([1e-3, 2e-3], np.float32), [crc32(samples[:500]), crc32(samples[500:])]
    cached = CachedWaves(clips, samples, starts, scales, "", np.array(sums))
    plain = [torch.arange(-600, -100) * 1e-3, torch.arange(-100, 600) * 2e-3]
    one, other = (log_mels(waves, LogMel(), True, CPU) for waves in (cached, plain))
    assert torch.equal(one.frames, other.frames)
    assert torch.equal(one.lengths, other.lengths)


@pytest.mark.parametrize("native_length", [True, False])
def test_the_usual_way_of_the_benchmark_makes_the_same(native_length):
    script = Path(__file__).resolve().parents[2] / "benchmarks/transfer.py"
    names = runpy.run_path(str(script))
    with names["recordings"](5) as waves:
        files = names["Files"](waves.clips, native_length)
        found = log_mels(waves, LogMel(), native_length, CPU)
        assert files.rows.tolist() == 2 * [1, 2, 3, 4]
        for place, row in enumerate(files.rows):
            mel, label = files[place]
            rows = torch.tensor([row])
            ours = padding_behind(found.looped(rows), found.lengths[rows], 0.0)[0]
            # Files and cache are both rounded to 16 bits, the quietest bands feel it.
            assert (mel - ours).abs().mean() < 1e-3
            assert label == waves.clips.labels[row]


def test_waves_that_cannot_be_used_are_named(waves, monkeypatch):
    with pytest.raises(
        InputError,
        match=r"^1 of 2 clips are shorter than one window of 400 samples, 25 ms: clip 1 \(399 samples\)",
    ):
        log_mels([waves[0], waves[1][:399]], LogMel(), True, CPU)
    # Looped, they are as long as any.
    log_mels([waves[1][:399]], LogMel(), False, CPU)
    for value in (torch.nan, torch.inf):
        broken = waves[0].clone()
        broken[5] = value
        with pytest.raises(InputError, match=r"^clip 2 holds NaN or infinite samples"):
            log_mels([waves[0], waves[2], broken], LogMel(), True, CPU)

    def no_memory(*_, **__):
        raise RuntimeError("can't allocate memory")

    monkeypatch.setattr(spectrograms.torch, "empty", no_memory)
    with pytest.raises(InputError, match=r"of 5 clips take 0\.0 GB, more than is free on cpu"):
        log_mels(waves, LogMel(), True, CPU)
