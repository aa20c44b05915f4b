"""Encoders and their controls on identical clips, read from tensors, lists and the cache."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from audiopg.datasets import LabelledClips, cached_waves
from audiopg.errors import InputError
from audiopg.frontend import LogMel, fit_length
from audiopg.mae import Encoder
from audiopg.transfer import (
    class_shares,
    clip_features,
    compare,
    compare_encoders,
    linear_probe,
    probe_features,
)

CLOSE = {"atol": 1e-5, "rtol": 1e-5}
CONTROLS = ["majority class", "log-mel mean", "log-mel mean and deviation"]


@pytest.fixture(scope="module")
def encoders():
    return {"one": Encoder.preset("micro", seed=1), "two": Encoder.preset("micro", seed=2)}


@pytest.fixture(scope="module")
def waves():
    """Forty clips of hiss or tone, of lengths from a tenth of a second to half of one."""
    generator = torch.Generator().manual_seed(0)
    waves = []
    for clip in range(40):
        wave = torch.randn(1600 + 160 * clip, generator=generator) * 0.1
        if clip % 2:
            wave += torch.sin(torch.arange(len(wave)) * (0.2 + 0.005 * clip))
        waves.append(0.3 * wave)
    return waves


def labelled(fold_names, test_folds, labels=None, paths=()):
    n = 40
    return LabelledClips(
        name="hiss and tone",
        paths=list(paths),
        labels=np.arange(n) % 2 if labels is None else labels,
        folds=np.arange(n) // 2 % len(fold_names) + 1,
        classes=["hiss", "tone"],
        licence="none",
        fold_names=fold_names,
        test_folds=test_folds,
    )


FIVE = ({fold: f"fold {fold}" for fold in range(1, 6)}, [1, 2, 3, 4, 5])
OFFICIAL = ({1: "training", 2: "validation", 3: "testing"}, [3])


@pytest.mark.parametrize("native", [False, True])
def test_features_are_those_of_each_clip_in_its_place(encoders, waves, native):
    features = clip_features(waves, encoders, pooling="frequency", native=native, progress=False)
    assert list(features) == [*CONTROLS[1:], *encoders]
    for row in (0, 17, 39):
        wave = waves[row] if native else fit_length(waves[row], 163840)
        # Plain log-mels of 25 ms windows every 10 ms, without what fills up the last patch.
        mel = LogMel()(wave[None])[0, : (len(wave) - 400) // 160 + 1].double().numpy()
        mean, deviation = mel.mean(axis=0), mel.std(axis=0)
        np.testing.assert_allclose(features["log-mel mean"][row], mean, **CLOSE)
        both = np.concatenate([mean, deviation])
        np.testing.assert_allclose(features["log-mel mean and deviation"][row], both, **CLOSE)
        for name, encoder in encoders.items():
            expected = encoder.embed(wave, pooling="frequency", native=native)
            torch.testing.assert_close(features[name][row], expected, **CLOSE)


@pytest.mark.parametrize("native", [False, True])
def test_both_poolings_are_those_of_each_alone(encoders, waves, native):
    how = {"controls": False, "native": native, "progress": False}
    both = clip_features(waves, encoders, pooling="both", **how)
    names = ["one", "one, frequency pooling", "two", "two, frequency pooling"]
    assert list(both) == names
    for pooling, suffix in (("mean", ""), ("frequency", ", frequency pooling")):
        alone = clip_features(waves, encoders, pooling=pooling, **how)
        for name in encoders:
            torch.testing.assert_close(both[name + suffix], alone[name], **CLOSE)


@pytest.mark.parametrize(
    ("changes", "by_source", "message"),
    [
        ({"folds": np.ones(40, int)}, False, "folds hold only"),
        ({"labels": np.arange(40) % 20 // 19}, False, "a class with fewer than 3 clips"),
        ({"labels": np.zeros((40, 2), bool)}, False, "no clip of fold 1 has any class"),
        ({"sources": np.zeros(40, int)}, True, "The sources leave no clip to train on"),
        ({"test_folds": [7]}, False, "test_folds are"),
    ],
)
def test_clips_that_cannot_be_probed_are_refused_before_they_are_embedded(
    encoders, waves, monkeypatch, changes, by_source, message
):
    two = labelled({1: "fold 1", 2: "fold 2"}, [1, 2])
    monkeypatch.setattr(compare, "clip_features", lambda *_, **__: pytest.fail("embeds"))
    with pytest.raises(InputError, match=message):
        compare_encoders(replace(two, **changes), waves, encoders, by_source=by_source)


@pytest.mark.parametrize("name", CONTROLS)
def test_an_encoder_is_called_as_no_control_is(encoders, waves, name):
    clips, named = labelled(*FIVE), {name: encoders["one"]}
    with pytest.raises(InputError, match=f"'{name}' would be the name of two rows; call the enc"):
        compare_encoders(clips, waves, named, native=True, progress=False)
    without = clip_features(waves, named, controls=False, native=True, progress=False)
    assert list(without) == [name]
    assert list(probe_features(clips, without, controls=False)) == [name]


def test_no_two_rows_of_both_poolings_are_called_alike(encoders, waves):
    named = {"one": encoders["one"], "one, frequency pooling": encoders["two"]}
    with pytest.raises(InputError, match="'one, frequency pooling' would be the name of two rows"):
        clip_features(waves, named, pooling="both", controls=False, progress=False)
    one_pooling = clip_features(waves, named, native=True, controls=False, progress=False)
    assert list(one_pooling) == list(named)


def test_a_tensor_of_clips_will_do_and_the_controls_can_be_left_out(encoders):
    waves = torch.randn(35, 4000, generator=torch.Generator().manual_seed(1))
    features = clip_features(waves, encoders, controls=False, native=True, progress=False)
    assert list(features) == ["one", "two"]
    expected = encoders["two"].embed(waves, native=True)
    torch.testing.assert_close(features["two"], expected, **CLOSE)


def test_the_cache_gives_what_the_waves_in_it_give(encoders, waves, tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOPG_CACHE", str(tmp_path / "cache"))
    paths = [tmp_path / f"{row}.wav" for row in range(40)]
    for path, wave in zip(paths, waves, strict=True):
        soundfile.write(path, wave.numpy(), 16000, "FLOAT")
    cache = cached_waves(labelled(*FIVE, paths=paths), progress=False)
    stored = [cache.native(row) for row in range(40)]
    for native in (False, True):
        one, other = (
            clip_features(w, encoders, native=native, progress=False) for w in (cache, stored)
        )
        for name in one:
            torch.testing.assert_close(one[name], other[name], **CLOSE)


def test_every_row_is_probed_on_the_same_folds(encoders, waves):
    clips = labelled(*FIVE)
    results = compare_encoders(clips, waves, encoders, native=True, progress=False)
    assert list(results) == [*CONTROLS, *encoders]
    features = clip_features(waves, encoders, native=True, progress=False)
    for name, values in features.items():
        expected = linear_probe(values, clips.labels, clips.folds)
        np.testing.assert_array_equal(results[name].scores, expected.scores)
        assert results[name].folds == [1, 2, 3, 4, 5]
    assert results["majority class"].mean == 0.5
    assert results["log-mel mean and deviation"].mean > 0.9
    assert list(probe_features(clips, features, controls=False)) == list(features)


def test_sources_can_be_kept_apart(encoders, waves):
    clips = replace(labelled(*FIVE), sources=np.arange(40) // 4)
    assert clips.across_folds.all()
    results = compare_encoders(
        clips, waves, {"one": encoders["one"]}, native=True, by_source=True, progress=False
    )
    features = clip_features(waves, {"one": encoders["one"]}, native=True, progress=False)["one"]
    expected = linear_probe(features, clips.labels, clips.folds, sources=clips.sources)
    np.testing.assert_array_equal(results["one"].scores, expected.scores)
    shares = class_shares(clips.labels, clips.folds, sources=clips.sources)
    np.testing.assert_array_equal(results["majority class"].scores, shares.scores)


def test_an_official_split_is_kept(encoders, waves):
    clips = labelled(*OFFICIAL)
    results = compare_encoders(clips, waves, {"one": encoders["one"]}, native=True, progress=False)
    features = clip_features(waves, {"one": encoders["one"]}, native=True, progress=False)["one"]
    expected = linear_probe(features, clips.labels, clips.folds, test_folds=[3], validation_fold=2)
    assert results["one"].folds == [3]
    np.testing.assert_array_equal(results["one"].scores, expected.scores)
    assert (results["majority class"].predictions[clips.folds != 3] == -1).all()


def test_clips_with_several_classes_are_ranked(encoders, waves):
    labels = np.stack([np.arange(40) % 2 == 0, np.arange(40) % 2 == 1], axis=1)
    labels[::5] = True
    clips = labelled(*OFFICIAL, labels=labels)
    results = compare_encoders(clips, waves, {}, native=True, progress=False)
    assert {result.metric for result in results.values()} == {"mAP"}
    # What hears nothing ranks all alike, so its precision is the share of clips.
    chance = labels[clips.folds == 3].mean()
    assert results["majority class"].mean == pytest.approx(chance)
    assert results["log-mel mean and deviation"].mean > 0.8


def test_what_does_not_fit_together_is_refused(encoders, waves):
    with pytest.raises(InputError, match="there are 39 waveforms for 40 labelled clips"):
        compare_encoders(labelled(*FIVE), waves[1:], encoders)
    with pytest.raises(InputError, match="pooling is 'max'"):
        compare_encoders(labelled(*FIVE), waves, encoders, pooling="max", progress=False)
    short = [*waves[1:], torch.zeros(100)]
    with pytest.raises(
        InputError, match=r"shorter than one window of 400 samples, 25 ms: clip 39 \(100"
    ):
        compare_encoders(labelled(*FIVE), short, {}, native=True, progress=False)


def test_clips_shorter_than_a_window_are_named_at_the_start(encoders, tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOPG_CACHE", str(tmp_path / "cache"))
    paths = [tmp_path / f"{row}.wav" for row in range(40)]
    for row, path in enumerate(paths):
        soundfile.write(path, np.full(300 if row in (3, 30) else 800, 0.1), 16000, "FLOAT")
    cache = cached_waves(labelled(*FIVE, paths=paths), progress=False)
    message = (
        f"^2 of 40 clips are shorter than one window of 400 samples, 25 ms: {paths[3]} .300 samples., "
        f"{paths[30]} .300 samples.; remove them, or take all clips at 10.24 s"
    )
    with pytest.raises(InputError, match=message):
        clip_features(cache, encoders, native=True, progress=False)
    assert len(clip_features(cache, {"one": encoders["one"]}, progress=False)["one"]) == 40
