import errno
import importlib
import json
import math
import os
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file, save_file
from sklearn.metrics import precision_recall_curve
from torch import nn

from audiopg import environment, runs
from audiopg.datasets import LabelledClips, cached_waves
from audiopg.datasets.tables import SPLIT
from audiopg.environment import PRECISIONS
from audiopg.errors import InputError
from audiopg.frontend import LogMel, fit_length
from audiopg.mae import Encoder, MaskedAutoencoder
from audiopg.pretrained import save_model
from audiopg.pretraining import PretrainResult, PretrainSettings
from audiopg.synth import CLIP_SAMPLES
from audiopg.transfer import augment, tasks
from audiopg.transfer.augment import epoch_order, fold_key
from audiopg.transfer.finetune import (
    FINETUNE_RECIPES,
    Classifier,
    FinetuneSettings,
    epoch_draws,
    finetune,
    read_result,
    read_run,
    training_batch,
)
from audiopg.transfer.spectrograms import log_mels, padding_behind, patches_of

# In its package the function of the same name stands before the module.
module = importlib.import_module("audiopg.transfer.finetune")

# Nothing is changed by chance.
PLAIN = FinetuneSettings(
    native_length=True,
    epochs=2,
    batch_size=4,
    learning_rate=1e-3,
    drop_path=0.0,
    mixup=0.0,
    time_mask=0.0,
    band_mask=0.0,
    checkpoint_seconds=0.0,
)
# Everything is.
CHANGED = replace(
    PLAIN,
    epochs=4,
    warmup_epochs=1.0,
    layer_decay=0.8,
    drop_path=0.3,
    patch_drop=0.3,
    mixup=0.5,
    time_mask=0.3,
    band_mask=0.3,
    roll=True,
)
ENCODER = Encoder.preset("micro", seed=3)
CPU = torch.device("cpu")


def labelled(labels, folds, classes=2, **changes):
    folds = np.asarray(folds)
    present = np.unique(folds).tolist()
    defaults = {
        "name": "Sounds",
        "paths": [],
        "labels": np.asarray(labels),
        "folds": folds,
        "classes": [f"class {number}" for number in range(classes)],
        "licence": "MIT",
        "fold_names": {fold: f"fold {fold}" for fold in present},
        "test_folds": present,
    }
    return LabelledClips(**defaults | changes)


@pytest.fixture(scope="module")
def clips():
    """Thirty clips, class by class, dealt over three folds."""
    return labelled(np.arange(30) % 2, np.arange(30) // 2 % 3 + 1)


@pytest.fixture(scope="module")
def waves():
    """Hiss, and hiss with a tone, of half a second; some a little longer."""
    generator = torch.Generator().manual_seed(0)
    waves = []
    for clip in range(30):
        samples = 8000 + 2000 * (clip % 5 == 4)
        wave = 0.1 * torch.randn(samples, generator=generator)
        if clip % 2:
            rate = 0.2 + 0.2 * torch.rand(1, generator=generator)
            wave += torch.sin(torch.arange(samples) * rate)
        waves.append(wave)
    return waves


def quiet(clips, waves, settings=CHANGED, start=ENCODER, out=None, **options):
    return finetune(settings, clips, waves, start, out, device="cpu", progress=False, **options)


@pytest.fixture(scope="module")
def whole(clips, waves):
    """The run of CHANGED on folds 1 and 3, never interrupted."""
    return quiet(clips, waves, folds=[1, 3])


def assert_same_run(one, other):
    assert (one.seeds, one.folds, one.metric) == (other.seeds, other.folds, other.metric)
    np.testing.assert_array_equal(one.losses, other.losses)
    np.testing.assert_array_equal(one.scores, other.scores)
    np.testing.assert_array_equal(one.values, other.values)


# The network


@pytest.mark.parametrize("class_token", [True, False])
def test_the_classifier_is_a_linear_layer_on_what_the_encoder_embeds(class_token):
    encoder = Encoder.preset("micro", class_token=class_token)
    model = Classifier(encoder, 3)
    mel = torch.randn(4, 48, 128, generator=torch.Generator().manual_seed(0))
    assert not model(mel).any()  # At first no class is preferred.
    nn.init.normal_(model.head.weight)
    nn.init.normal_(model.head.bias)
    tokens = encoder(mel)[:, int(class_token) :]
    expected = tokens.mean(dim=1) @ model.head.weight.T + model.head.bias
    torch.testing.assert_close(model(mel), expected)
    # Zeros behind a clip do not reach its scores.
    padded = torch.cat((mel[:, :32], torch.randn(4, 16, 128)), dim=1)
    alone = model(mel[:, :32])
    torch.testing.assert_close(model(padded, torch.full((4,), 16)), alone)
    mixed = model(torch.stack((padded[0], mel[1])), torch.tensor([16, 24]))
    torch.testing.assert_close(mixed, torch.stack((alone[0], model(mel)[1])))
    # Of the patches that are seen, the order does not matter.
    seen = torch.tensor([[7, 0, 3], [2, 9, 23]])
    tokens = encoder(mel[:2], seen.sort(dim=1).values)[:, int(class_token) :]
    expected = tokens.mean(dim=1) @ model.head.weight.T + model.head.bias
    torch.testing.assert_close(model(mel[:2], None, seen), expected)


def test_branches_are_multiplied_as_stochastic_depth_says():
    model = Classifier(Encoder.preset("micro"), 2)
    nn.init.normal_(model.head.weight)
    mel = torch.randn(3, 16, 128, generator=torch.Generator().manual_seed(0))
    paths = torch.ones(2, 2, 3, 1, 1)
    torch.testing.assert_close(model(mel, drop_path=paths), model(mel))
    paths[0, 0, 1] = paths[1, 1, 1] = 0
    paths[1, 0, 2] = 2
    found, first, second = model(mel, drop_path=paths), *model.encoder.blocks
    tokens = model.encoder.tokens(mel)
    middle = tokens[1:2] + first.mlp(first.mlp_norm(tokens[1:2]))
    expected = model.encoder.norm(middle + second.attend(middle))[:, 1:].mean(dim=1)
    torch.testing.assert_close(found[1:2], model.head(expected))
    middle = first(tokens[2:])
    middle = middle + 2 * second.attend(middle)
    middle = middle + second.mlp(second.mlp_norm(middle))
    expected = model.encoder.norm(middle)[:, 1:].mean(dim=1)
    torch.testing.assert_close(found[2:], model.head(expected))
    torch.testing.assert_close(found[0], model(mel)[0])


# The loop


def test_the_loop_agrees_with_a_plain_one_in_double_precision(clips, waves, monkeypatch):
    trained, test = [], module._test
    monkeypatch.setattr(module, "_test", lambda *given: trained.append(given[1]) or test(*given))
    settings = replace(PLAIN, layer_decay=0.5, warmup_epochs=1.0, weight_decay=0.5, seed=5)
    found = quiet(clips, waves, settings, folds=[2])
    model = Classifier(Encoder.preset("micro", seed=3), 2).requires_grad_(True).double()
    shares = {"encoder": 1 / 8, "encoder.blocks.0": 1 / 4, "encoder.blocks.1": 1 / 2}
    shares |= {"encoder.norm": 1, "head": 1}
    weights = [
        (weight, next(shares[start] for start in reversed(shares) if name.startswith(start)))
        for name, weight in model.named_parameters()
    ]
    means, squares = ([torch.zeros_like(weight) for weight, _ in weights] for _ in range(2))

    def score(rows):
        mels = [LogMel()(waves[row][None]).half().double() for row in rows]
        return torch.cat([model(mel) for mel in mels])

    train = np.flatnonzero(clips.folds != 2)
    losses = []
    for epoch in range(2):
        order = train[epoch_order(fold_key(5, 2), epoch, 20)]
        for step, rows in enumerate(order.reshape(5, 4)):
            # A warm-up over the first epoch's five steps, then half a cosine over the second's.
            rate = (step + 1) / 5 if epoch == 0 else 0.5 * (1 + math.cos(math.pi * step / 5))
            loss = nn.functional.cross_entropy(score(rows), torch.from_numpy(clips.labels[rows]))
            model.zero_grad()
            loss.backward()
            losses.append(loss.item())
            for (weight, share), mean, square in zip(weights, means, squares, strict=True):
                mean.lerp_(weight.grad, 0.1)
                square.lerp_(weight.grad**2, 0.001)
                deviation = (square / (1 - 0.999 ** len(losses))).sqrt() + 1e-8
                direction = mean / (1 - 0.9 ** len(losses)) / deviation
                weight.data -= 1e-3 * rate * share * (direction + 0.5 * weight.data)
    for weight, (expected, _) in zip(trained[0].parameters(), weights, strict=True):
        torch.testing.assert_close(weight.double(), expected, rtol=0, atol=5e-6)
    expected = np.reshape(losses, (2, 5)).mean(axis=1)
    np.testing.assert_allclose(found.losses[0, 0], expected, atol=5e-6)
    with torch.no_grad():
        scores = score(np.flatnonzero(clips.folds == 2))
    tested = found.scores[0, clips.folds == 2]
    np.testing.assert_allclose(tested, scores.softmax(dim=1), atol=5e-6)
    assert np.isnan(found.scores[0, clips.folds != 2]).all()


def test_training_clips_are_changed_as_much_as_the_settings_say(waves):
    settings = replace(PLAIN, roll=True, mixup=0.3, time_mask=0.4, band_mask=0.1)
    settings = replace(settings, patch_drop=0.25, drop_path=0.2)
    mels, rows, targets = log_mels(waves[:6], LogMel(), True, CPU), torch.arange(6), torch.eye(6)
    draws, patch_draws = epoch_draws(settings, mels, rows, fold_key(0, 1), 0, depth=2)
    inputs, mixed = training_batch(settings, mels, targets, rows, draws, patch_draws)
    mel = mels.looped(rows, augment.random_roll(draws, mels.lengths))
    mel = augment.mix(draws, mel, 0.3)
    mel = augment.spec_augment(draws, mel, mels.lengths, 0.4, 0.1)
    patches = patches_of(mels.lengths)
    visible, n_patches = augment.drop_patches(patch_draws, patches, int(patches.max()), 0.25)
    paths = augment.stochastic_depth(draws, 0.2)
    expected = (padding_behind(mel, mels.lengths, mels.padding), n_patches, visible, paths)
    for found, wanted in zip(
        (*inputs, mixed), (*expected, augment.mix(draws, targets, 0.3)), strict=True
    ):
        assert torch.equal(found, wanted)


def test_fine_tuning_from_scratch_tells_a_tone_from_hiss(clips, waves):
    settings = replace(CHANGED, preset="micro", epochs=20, learning_rate=3e-3, layer_decay=1.0)
    result = quiet(clips, waves, settings, None, folds=[1])
    assert result.folds == [1]
    assert result.mean >= 0.9
    assert result.losses[0, 0, -1] < 0.95 * result.losses[0, 0, 0]
    right = (result.predictions[0] == clips.labels)[clips.folds == 1]
    assert right.mean() == pytest.approx(result.mean)


def test_the_encoder_given_is_left_as_it_is(clips, waves):
    before = {name: value.clone() for name, value in ENCODER.state_dict().items()}
    quiet(clips, waves, PLAIN, folds=[1])
    assert all(torch.equal(value, before[name]) for name, value in ENCODER.state_dict().items())
    assert not any(parameter.requires_grad for parameter in ENCODER.parameters())


def test_a_run_is_a_function_of_its_settings(clips, waves, whole):
    assert_same_run(quiet(clips, waves, folds=[1, 3]), whole)
    for name, value in (
        ("seed", 1),
        ("drop_path", 0.0),
        ("patch_drop", 0.0),
        ("mixup", 0.0),
        ("time_mask", 0.0),
        ("band_mask", 0.0),
        ("roll", False),
    ):
        settings = replace(CHANGED, epochs=2, warmup_epochs=0.0)
        one = quiet(clips, waves, settings, folds=[1]).losses
        other = quiet(clips, waves, replace(settings, **{name: value}), folds=[1]).losses
        assert (one != other).all(), name


def test_what_all_of_torch_is_told_changes_nothing(told, clips, waves, whole):
    with told():
        found = quiet(clips, waves, folds=[1, 3])
    assert_same_run(found, whole)


def test_a_fold_does_not_depend_on_the_others_tested(clips, waves, whole):
    alone = quiet(clips, waves, folds=[3])
    np.testing.assert_array_equal(alone.losses[:, 0], whole.losses[:, 1])
    np.testing.assert_array_equal(alone.values[:, 0], whole.values[:, 1])


@pytest.mark.filterwarnings(
    "ignore:precision is 'bfloat16'"
)  # Of a processor without units for it.
def test_products_in_bfloat16_change_the_losses_by_their_rounding_alone(clips, waves):
    exact = quiet(clips, waves, PLAIN, folds=[1]).losses
    rounded = quiet(clips, waves, replace(PLAIN, precision="bfloat16"), folds=[1]).losses
    assert (exact != rounded).any()
    np.testing.assert_allclose(exact, rounded, atol=0.02)


@pytest.mark.parametrize("best", PRECISIONS)
def test_a_run_records_what_auto_became_and_keeps_it(clips, waves, tmp_path, monkeypatch, best):
    monkeypatch.setattr(environment, "best_precision", lambda device: best)
    auto = replace(PLAIN, precision="auto")
    one = quiet(clips, waves, auto, folds=[1], out=tmp_path)
    same = quiet(clips, waves, replace(PLAIN, precision=best), folds=[1])
    np.testing.assert_array_equal(one.losses, same.losses)
    assert read_run(tmp_path)[0] == replace(PLAIN, precision=best)
    # Gone on with on another machine.
    monkeypatch.setattr(environment, "best_precision", lambda device: "bfloat16")
    quiet(clips, waves, auto, folds=[1, 2], out=tmp_path, resume=True)
    assert read_run(tmp_path)[0].precision == best


def test_a_run_in_bfloat16_is_warned_of_where_it_is_slow(clips, waves, monkeypatch):
    monkeypatch.setattr(environment, "best_precision", lambda device: "float32")
    slow = replace(PLAIN, precision="bfloat16", epochs=1)
    with pytest.warns(UserWarning, match="precision is 'bfloat16', but this device has no units"):
        quiet(clips, waves, slow, folds=[1])


def test_clips_of_the_paper_s_length(clips, waves):
    settings = replace(PLAIN, native_length=False, epochs=1, batch_size=30)
    some = np.array([0, 1, 2, 3])
    few = labelled([0, 1, 0, 1], [1, 1, 2, 2])
    short = [waves[row] for row in some]
    looped = torch.stack([fit_length(wave, CLIP_SAMPLES) for wave in short])
    one = quiet(few, short, settings, folds=[1])
    other = quiet(few, looped, replace(settings, native_length=True), folds=[1])
    assert_same_run(one, other)


# Seeds, metrics


def test_several_seeds_are_runs_of_their_own(clips, waves, whole, tmp_path):
    settings = replace(CHANGED, seeds=2)
    both = quiet(clips, waves, settings, folds=[1, 3], out=tmp_path)
    assert both.seeds == [0, 1]
    second = quiet(clips, waves, replace(CHANGED, seed=1), folds=[1, 3])
    for place, one in enumerate((whole, second)):
        np.testing.assert_array_equal(both.losses[place], one.losses[0])
        np.testing.assert_array_equal(both.scores[place], one.scores[0])
        np.testing.assert_array_equal(both.predictions[place], one.predictions[0])
    assert both.mean == pytest.approx(np.mean(both.values))
    over_folds, over_seeds = both.values.mean(axis=0), both.values.mean(axis=1)
    assert both.standard_deviation == pytest.approx(np.std(over_folds, ddof=1))
    assert both.seed_standard_deviation == pytest.approx(np.std(over_seeds, ddof=1))
    assert math.isnan(whole.seed_standard_deviation)
    assert json.loads((tmp_path / "result.json").read_text()) == both.summary()
    assert both.summary()["values"]["1"]["3"] == both.values[1, 1]
    assert whole.summary()["seed_standard_deviation"] is None


def test_initial_weights_from_scratch_are_those_of_the_seed(clips, waves):
    settings = replace(PLAIN, preset="micro", epochs=1, learning_rate=0.0, seed=4)
    result = quiet(clips, waves, replace(settings, seeds=2), None, folds=[1])
    # Nothing is learned, and a layer of zeros gives both classes a half.
    assert np.unique(result.scores[:, clips.folds == 1]).tolist() == [0.5]
    settings = replace(settings, learning_rate=1e-3, epochs=2)
    scratch = quiet(clips, waves, settings, None, folds=[1])
    assert_same_run(
        scratch,
        quiet(clips, waves, settings, Encoder.preset("micro", seed=4), folds=[1]),
    )


def test_several_labels_a_clip_are_scored_by_mean_average_precision(waves):
    generator = np.random.default_rng(0)
    labels = generator.random((30, 4)) < 0.4
    labels[:, 0] = np.arange(30) % 2
    folds = np.arange(30) // 2 % 3 + 1
    labels[folds == 2, 3] = False  # A class that one fold does not have.
    clips = labelled(labels, folds, classes=4)
    settings = replace(CHANGED, epochs=6, learning_rate=3e-3)
    with pytest.warns(
        UserWarning, match=r"^no clip of fold 2 has any of 1 of the 4 classes, which"
    ):
        result = quiet(clips, waves, settings)
    assert result.metric == "mAP"
    for place, fold in enumerate(result.folds):
        precisions = []
        for name in range(3 if fold == 2 else 4):
            truth, scores = labels[folds == fold, name], result.scores[0, folds == fold, name]
            precision, recall, _ = precision_recall_curve(truth, scores)
            precisions.append(np.sum((recall[:-1] - recall[1:]) * precision[:-1]))
        assert result.values[0, place] == pytest.approx(np.mean(precisions))
    # Sigmoids: each class on its own; ln 2 is the loss of a layer of zeros.
    assert not np.allclose(result.scores[0].sum(axis=1), 1, atol=0.05)
    assert abs(result.losses[0, 0, 0] - math.log(2)) < 0.05
    assert result.losses[0, :, -1].mean() < result.losses[0, :, 0].mean()


# What is trained on, and what is reported on


def rows(clips, folds=None, validate=False):
    return [
        (fold, np.unique(clips.folds[train]).tolist(), np.unique(clips.folds[test]).tolist())
        for fold, train, test in tasks.splits_of(clips, folds, validate)
    ]


@pytest.mark.parametrize("folds", [[[1]], [1.0], [True], np.array([1.5]), []])
def test_folds_that_are_no_whole_numbers_are_refused(clips, folds):
    with pytest.raises(InputError, match="choose among the test folds"):
        rows(clips, folds)


def test_one_fold_may_be_given_by_itself(clips):
    assert [fold for fold, _, _ in rows(clips, 1)] == [1]


def test_labels_and_folds_are_taken_whatever_holds_them(clips, waves, whole):
    given = replace(clips, labels=clips.labels.astype(np.int8), folds=clips.folds.tolist())
    assert_same_run(quiet(given, waves, folds=[1, 3]), whole)
    with pytest.raises(InputError, match=r"labels have shape .* and type float64"):
        quiet(replace(clips, labels=clips.labels.astype(float)), waves)


def test_a_run_is_resumed_with_its_classes_in_their_order(clips, waves, tmp_path):
    quiet(clips, waves, folds=[1], out=tmp_path)
    turned = replace(clips, classes=clips.classes[::-1])
    with pytest.raises(InputError, match="began with other names of classes, or another order"):
        quiet(turned, waves, folds=[1], out=tmp_path, resume=True)


def test_each_fold_is_left_out_of_its_own_training(clips):
    assert rows(clips) == [(1, [2, 3], [1]), (2, [1, 3], [2]), (3, [1, 2], [3])]
    assert rows(clips, [3, 1, 3]) == [(3, [1, 2], [3]), (1, [2, 3], [1])]
    for _, train, test in tasks.splits_of(clips, None, False):
        assert sorted([*train.tolist(), *test.tolist()]) == list(range(30))


def test_validation_holds_out_the_fold_that_follows_and_leaves_the_test_fold_alone(clips):
    assert rows(clips, None, True) == [(1, [3], [2]), (2, [1], [3]), (3, [2], [1])]


def test_an_official_validation_fold_is_for_validation_alone():
    clips = labelled([0, 1] * 6, np.repeat([1, 2, 3], 4), fold_names=SPLIT, test_folds=[3])
    assert rows(clips) == [(3, [1], [3])]
    assert rows(clips, None, True) == [(3, [1], [2])]
    with pytest.raises(InputError, match=r"^folds are \[2\]; choose among the test folds \[3\]\.$"):
        rows(clips, [2])


def test_one_validation_part_of_several_test_folds_is_reported_on_once():
    """All test folds would give scores to the same clips, and an interval be that of the last."""
    names = {1: "fold 1", 2: "fold 2", 3: "validation"}
    clips = labelled([0, 1] * 6, np.repeat([1, 2, 3], 4), fold_names=names, test_folds=[1, 2])
    assert rows(clips) == [(1, [2], [1]), (2, [1], [2])]
    assert rows(clips, [2], True) == [(2, [1], [3])]
    with pytest.raises(InputError, match=r"reported on for every test fold; choose .* \[1, 2\]"):
        rows(clips, None, True)


def test_a_run_may_validate_one_test_fold_after_another(tmp_path, waves):
    """Each is asked for alone, and ``result.json`` has them all."""
    names = {1: "fold 1", 2: "fold 2", 3: "validation"}
    clips = labelled([0, 1] * 6, np.repeat([1, 2, 3], 4), fold_names=names, test_folds=[1, 2])
    settings = replace(PLAIN, epochs=1, validate=True)
    for fold in (1, 2):
        quiet(clips, waves[:12], settings, folds=[fold], out=tmp_path, resume=fold == 2)
    assert [*json.loads((tmp_path / "result.json").read_text())["values"]["0"]] == ["1", "2"]


def test_clips_too_short_leave_no_run_behind(clips, waves, tmp_path):
    short = [waves[0][:300], *waves[1:]]
    with pytest.raises(InputError, match=r"1 of 30 clips are shorter than one window .*clip 0"):
        quiet(clips, short, folds=[1], out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("validate", [False, True])
def test_the_test_fold_does_not_reach_what_is_learned(clips, waves, validate):
    settings = replace(CHANGED, epochs=2, validate=validate)
    one = quiet(clips, waves, settings, folds=[1])
    others = [wave.flip(0) if clips.folds[row] == 1 else wave for row, wave in enumerate(waves)]
    changed = replace(clips, labels=np.where(clips.folds == 1, 1 - clips.labels, clips.labels))
    other = quiet(changed, others, settings, folds=[1])
    np.testing.assert_array_equal(one.losses, other.losses)
    if validate:
        assert_same_run(one, other)
        assert (one.predictions[0] >= 0).tolist() == (clips.folds == 2).tolist()
    else:
        assert not np.array_equal(one.scores, other.scores, equal_nan=True)
        assert (one.predictions[0] >= 0).tolist() == (clips.folds == 1).tolist()


# Killed and resumed


class Killed(Exception):
    pass


def killed_after(monkeypatch, checkpoints):
    """Let the run die when so many checkpoints have been written."""
    written, save = [], tasks.save_checkpoint

    def save_and_die(*arguments):
        save(*arguments)
        written.append(arguments)
        if len(written) == checkpoints:
            raise Killed

    monkeypatch.setattr(tasks, "save_checkpoint", save_and_die)


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture
def stopped(tmp_path, clips, waves):
    """A run of CHANGED, killed with one fold done and two of four epochs of the other."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        killed_after(monkeypatch, 5)
        with pytest.raises(Killed):
            quiet(clips, waves, folds=[1, 3], out=tmp_path)
    assert sorted(path.name for path in (tmp_path / "seed-0/fold-1").iterdir()) == [
        "metrics.jsonl",
        "tested.safetensors",
    ]
    return tmp_path


def test_a_run_that_another_version_goes_on_with_says_which_folds(stopped, clips, waves):
    path = stopped / "provenance.json"
    began = json.loads(path.read_text())
    path.write_text(json.dumps(began | {"commit": "before"}))
    quiet(clips, waves, folds=[1, 3], out=stopped, resume=True)
    (sitting,) = json.loads(path.read_text())["resumed"]
    assert (sitting["commit"], sitting["left"]) == (began["commit"], ["seed 0, fold 3"])
    # Where nothing is left to train, nothing is added.
    path.write_text(json.dumps(began | {"commit": "before"}))
    quiet(clips, waves, folds=[1, 3], out=stopped, resume=True)
    assert json.loads(path.read_text()) == began | {"commit": "before"}


def test_a_killed_run_resumes_within_a_fold_to_the_same_bits(stopped, clips, waves, whole):
    done = (stopped / "seed-0/fold-1/tested.safetensors").stat().st_mtime_ns
    for part in (".run.json.17.part", "seed-0/fold-3/.checkpoint.safetensors.17.part"):
        (stopped / part).touch()
    # What was logged after the last checkpoint is logged again.
    with open(stopped / "seed-0/fold-3/metrics.jsonl", "a") as file:
        file.write('{"epoch": 3, "loss"')
    assert_same_run(quiet(clips, waves, folds=[1, 3], out=stopped, resume=True), whole)
    assert (stopped / "seed-0/fold-1/tested.safetensors").stat().st_mtime_ns == done
    for place, fold in enumerate((1, 3)):
        lines = metrics(stopped / f"seed-0/fold-{fold}")
        assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
        assert [line["loss"] for line in lines] == whole.losses[0, place].tolist()
        seconds = [line["seconds"] for line in lines]
        assert seconds == sorted(seconds)
        assert lines[-1]["learning_rate"] < 1e-4  # At the end of the cosine.
    assert not list(stopped.rglob("*.part"))
    assert not list(stopped.rglob("checkpoint.safetensors"))
    # What is done is not done again; another fold and another seed are added.
    more = quiet(clips, waves, replace(CHANGED, seeds=2), out=stopped, resume=True)
    assert more.values.shape == (2, 3)
    np.testing.assert_array_equal(more.losses[0, [0, 2]], whole.losses[0])
    assert read_run(stopped)[0] == replace(CHANGED, seeds=2)


def test_a_finished_run_is_read_again(stopped, clips, waves, whole):
    one = read_result(stopped, clips, folds=[1])
    np.testing.assert_array_equal(one.values, whole.values[:, :1])
    np.testing.assert_array_equal(
        one.scores[0, clips.folds == 1], whole.scores[0, clips.folds == 1]
    )
    assert np.isnan(one.scores[0, clips.folds != 1]).all()
    assert one.seconds > 0
    with pytest.raises(InputError, match=r"is not done with fold 3 of seed 0; resume it first\."):
        read_result(stopped, clips, folds=[1, 3])
    with pytest.raises(InputError, match=r"folds are \[4\]; choose among the test folds"):
        read_result(stopped, clips, folds=[4])
    other = labelled(1 - clips.labels, clips.folds)
    with pytest.raises(InputError, match="of other clips than these 30 of Sounds"):
        read_result(stopped, other, folds=[1])
    with pytest.raises(InputError, match="holds no run to resume"):
        read_result(stopped / "seed-0", clips)
    for path in (None, 3, math.nan):
        with pytest.raises(InputError, match=r"names no run; give a path"):
            read_result(path, clips)
    assert read_result(stopped, clips, [1], waves).values == one.values
    others = [*waves[:7], -waves[7], *waves[8:]]
    with pytest.raises(InputError, match="of other clips than these 30 of Sounds"):
        read_result(stopped, clips, [1], others)


def cut(path):
    path.write_bytes(path.read_bytes()[:-1000])


def of_another_network(path):
    tensors, said = runs.read_tensors(path)
    tensors["model/head.bias"] = torch.zeros(5)
    save_file(tensors, path, said)


def not_finite(path):
    tensors, said = runs.read_tensors(path)
    tensors["optimiser/head.bias/exp_avg"][0] = torch.nan
    save_file(tensors, path, said)


def flipped(path):
    content = path.read_bytes()
    path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])


def not_finite_scores(tensors, said):
    tensors["scores"][0] = torch.nan


def losses_of_another_length(tensors, said):
    tensors["losses"] = torch.zeros(9, dtype=torch.float64)


def settings_nested_deeply(tensors, said):
    said["settings"] = "[" * 100_000


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (not_finite_scores, "scores in tested.safetensors is not finite"),
        (losses_of_another_length, "tested.safetensors belongs to another network or other clips"),
        (settings_nested_deeply, "maximum recursion depth exceeded"),
    ],
)
def test_scores_that_are_damaged_are_found_again(damage, why, stopped, clips, waves, whole, capsys):
    path = stopped / "seed-0/fold-1/tested.safetensors"
    tensors, said = runs.read_tensors(path)
    damage(tensors, said)
    save_file(tensors, path, said)
    assert_same_run(quiet(clips, waves, folds=[1, 3], out=stopped, resume=True), whole)
    assert f"{path} is damaged ({why}" in capsys.readouterr().out


@pytest.mark.parametrize("damage", [cut, of_another_network, not_finite, flipped])
def test_a_damaged_checkpoint_costs_its_fold_alone(damage, stopped, clips, waves, whole, capsys):
    path = stopped / "seed-0/fold-3/checkpoint.safetensors"
    damage(path)
    before = path.read_bytes()
    assert_same_run(quiet(clips, waves, folds=[1, 3], out=stopped, resume=True), whole)
    printed = capsys.readouterr().out
    assert printed.startswith(f"{path} is damaged (")
    assert printed.endswith(
        "), and is called damaged-1-checkpoint.safetensors now; the fold has to start anew.\n"
    )
    assert path.with_name("damaged-1-checkpoint.safetensors").read_bytes() == before
    assert printed.count("\n") == 1


def test_a_fold_without_its_checkpoint_says_what_it_takes_again(
    stopped, clips, waves, whole, capsys
):
    folder = stopped / "seed-0/fold-3"
    (folder / "checkpoint.safetensors").unlink()
    epochs = len((folder / "metrics.jsonl").read_text().splitlines())
    assert_same_run(quiet(clips, waves, folds=[1, 3], out=stopped, resume=True), whole)
    said = f"{folder} has no checkpoint; its {epochs} epochs are taken again.\n"
    assert capsys.readouterr().out == said


def test_a_full_disk_keeps_what_was_written(stopped, clips, waves, whole, monkeypatch):
    before = (stopped / "seed-0/fold-3/checkpoint.safetensors").read_bytes()

    def full_disk(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(runs, "save_tensors", full_disk)
        with pytest.raises(InputError, match=r"No space left.*kept: make room, then resume"):
            quiet(clips, waves, folds=[1, 3], out=stopped, resume=True)
    assert (stopped / "seed-0/fold-3/checkpoint.safetensors").read_bytes() == before
    assert_same_run(quiet(clips, waves, folds=[1, 3], out=stopped, resume=True), whole)


def test_files_that_may_not_grow_are_not_called_a_full_disk(tmp_path, clips, waves, largest_file):
    with (
        largest_file(100_000),
        pytest.raises(InputError, match=r"\(File too large\); what it has is kept: allow larg"),
    ):
        quiet(clips, waves, folds=[1], out=tmp_path)
    assert len(metrics(tmp_path / "seed-0/fold-1")) == 1
    assert not list(tmp_path.rglob("*.part"))


def test_a_disk_that_will_be_full_is_known_before_the_fold(tmp_path, clips, waves, monkeypatch):
    disk = SimpleNamespace(total=10**9, free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: disk)
    with pytest.raises(InputError, match=r"fold-1 has 1.0 MB of room and needs about [\d.]+ MB"):
        quiet(clips, waves, folds=[1], out=tmp_path)
    assert not list(tmp_path.rglob("fold-*"))


def test_a_result_has_all_that_is_done_whenever_it_was_asked_for(stopped, clips, waves, whole):
    def result():
        return json.loads((stopped / "result.json").read_text())

    quiet(clips, waves, folds=[1, 3], out=stopped, resume=True)
    assert result() == whole.summary()
    one = quiet(clips, waves, folds=[3], out=stopped, resume=True)
    assert one.folds == [3]
    assert result() == whole.summary()
    # A further seed that is done with one fold: the figures are of that fold, all values are there.
    more = quiet(clips, waves, replace(CHANGED, seeds=2), folds=[3], out=stopped, resume=True)
    said = result()
    assert said["folds"] == [3]
    assert said["values"] == {
        "0": {"1": whole.values[0, 0], "3": whole.values[0, 1]},
        "1": {"3": more.values[1, 0]},
    }
    assert said["mean"] == more.mean == pytest.approx(np.mean([*more.values[:, 0]]))
    assert said["standard_deviation"] is None
    with pytest.raises(InputError, match=r"was run with seeds = 2, not 1; resume with as many or"):
        quiet(clips, waves, folds=[1], out=stopped, resume=True)


def test_a_result_has_the_folds_that_the_clips_named_before(tmp_path, clips, waves):
    values = {}
    for fold in (3, 1):
        alone = replace(clips, test_folds=[fold])
        values[str(fold)] = quiet(alone, waves, PLAIN, out=tmp_path, resume=fold == 1).values[0, 0]
    said = json.loads((tmp_path / "result.json").read_text())
    assert said["values"] == {"0": values}
    assert sorted(said["folds"]) == [1, 3]


def test_a_fold_of_another_run_is_refused_and_kept(stopped, tmp_path_factory, clips, waves):
    other = tmp_path_factory.mktemp("other")
    settings = replace(CHANGED, epochs=1)
    quiet(clips, waves, settings, folds=[2], out=other)
    shutil.copytree(other / "seed-0/fold-2", stopped / "seed-0/fold-2")
    before = (stopped / "seed-0/fold-2/tested.safetensors").read_bytes()
    # Before the work, whether it is asked for or not.
    for folds in (None, [3]):
        with pytest.raises(InputError, match=r"fold-2/tested\.safetensors is of another run than"):
            quiet(clips, waves, folds=folds, out=stopped, resume=True)
    assert not (stopped / "seed-0/fold-3/tested.safetensors").exists()
    with pytest.raises(InputError, match=r"fold-2/tested\.safetensors is of another run than"):
        read_result(stopped, clips, folds=[2])
    assert (stopped / "seed-0/fold-2/tested.safetensors").read_bytes() == before


def test_a_fold_on_a_disk_that_is_not_there_is_not_done_again(stopped, clips, waves):
    tested = stopped / "seed-0/fold-1/tested.safetensors"
    tested.unlink()
    tested.symlink_to("/no/disk")
    with pytest.raises(
        InputError, match=r"tested\.safetensors is a link to /no/disk, which is not"
    ):
        quiet(clips, waves, folds=[1], out=stopped, resume=True)


def test_waves_are_those_of_the_clips(clips, tmp_path, monkeypatch):
    """Cached waves say whose they are, so that no clip is learned under another's label."""
    monkeypatch.setenv("AUDIOPG_CACHE", str(tmp_path / "cache"))
    paths = [tmp_path / f"{row}.wav" for row in range(30)]
    for path in paths:
        soundfile.write(path, np.full(8000, 0.1), 16000)
    clips = replace(clips, paths=paths)
    waves = cached_waves(clips, progress=False)
    settings = replace(CHANGED, epochs=1)
    assert quiet(clips, waves, settings, folds=[1]).folds == [1]
    with pytest.raises(
        InputError, match=r"clip 0 is .*29\.wav, and its wave is of .*/0\.wav; give"
    ):
        quiet(clips.take(range(29, -1, -1)), waves, settings, folds=[1])
    # Parts of one file are told apart by their times, and by their channels.
    parts = replace(
        clips,
        paths=30 * paths[:1],
        segments=[[0.01 * row, 0.01 * row + 0.1] for row in range(30)],
        channels=30 * [0],
    )
    waves = cached_waves(parts, progress=False)
    assert quiet(parts, waves, settings, folds=[1]).folds == [1]
    with pytest.raises(
        InputError, match=r"clip 0 is .*from 0\.29 s.*, and its wave is of .* to 0\.1 s"
    ):
        quiet(parts.take(range(29, -1, -1)), waves, settings, folds=[1])
    with pytest.raises(InputError, match=r"clip 0 is .*, and its wave is of .*, channel 1; give"):
        quiet(replace(parts, channels=None), waves, settings, folds=[1])


def test_a_checkpoint_left_beside_the_scores_is_taken_away(stopped, clips, waves):
    left = stopped / "seed-0/fold-1/checkpoint.safetensors"
    left.write_bytes((stopped / "seed-0/fold-3/checkpoint.safetensors").read_bytes())
    read_result(stopped, clips, folds=[1])
    assert left.exists()  # Who only reads takes nothing away.
    quiet(clips, waves, folds=[1], out=stopped, resume=True)
    assert not left.exists()


def test_files_of_another_fold_of_the_run_are_refused_and_kept(stopped, clips, waves):
    shutil.copytree(stopped / "seed-0/fold-1", stopped / "seed-0/fold-2")
    for ask in (
        lambda: quiet(clips, waves, out=stopped, resume=True),
        lambda: read_result(stopped, clips),
    ):
        with pytest.raises(
            InputError, match=r"fold-2/tested\.safetensors is of seed 0, fold 1; take"
        ):
            ask()
    assert (stopped / "seed-0/fold-2/tested.safetensors").exists()


@pytest.mark.parametrize("done", [True, False])
def test_settings_that_were_edited_are_not_those_of_the_folds(stopped, clips, waves, done):
    if not done:
        shutil.rmtree(stopped / "seed-0/fold-1")
    run = json.loads((stopped / "run.json").read_text())
    run["settings"]["epochs"] = 2
    (stopped / "run.json").write_text(json.dumps(run))
    name = "fold-1/tested" if done else "fold-3/checkpoint"
    with pytest.raises(InputError, match=rf"{name}\.safetensors was made with other settings than"):
        quiet(
            clips, waves, read_run(stopped)[0], folds=[1, 3][done - 1 :], out=stopped, resume=True
        )


def test_a_result_that_is_a_folder_is_named_before_the_work(stopped, clips, waves):
    (stopped / "result.json").mkdir()
    before = sorted(stopped.rglob("*"))
    with pytest.raises(InputError, match=r"result\.json is a folder; take it out, then resume\."):
        quiet(clips, waves, out=stopped, resume=True)
    assert sorted(stopped.rglob("*")) == before


def test_a_result_with_another_validation_fold_is_not_read(stopped, clips):
    other = replace(clips, fold_names=clips.fold_names | {2: "validation"})
    with pytest.raises(InputError, match="of other clips than these 30 of Sounds"):
        read_result(stopped, other, folds=[1])


def test_a_folder_that_may_not_be_entered_is_named(stopped, clips, waves, monkeypatch):
    # Root may enter all, so the system's answer is given in its place.
    stat = os.stat

    def refusing(path, *arguments, **options):
        if isinstance(path, Path) and stopped / "seed-0/fold-1" in path.parents:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return stat(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", refusing)
    message = r"fold-1/tested\.safetensors cannot be read \(Permission denied\); mend that"
    for ask in (
        lambda: quiet(clips, waves, folds=[1, 3], out=stopped, resume=True),
        lambda: read_result(stopped, clips, folds=[1]),
    ):
        with pytest.raises(InputError, match=message):
            ask()


def test_folds_of_another_run_are_never_taken_for_one_s_own(stopped, clips, waves):
    (stopped / "run.json").unlink()
    (stopped / "provenance.json").unlink()
    with pytest.raises(InputError, match=r"holds fold-1 of another run, whose settings are not th"):
        quiet(clips, waves, folds=[2], out=stopped)


def test_a_run_of_before_it_had_a_name_is_resumed(stopped, clips, waves, whole):
    for name in ("run.json", "provenance.json"):
        said = json.loads((stopped / name).read_text())
        said.pop("run", None)
        for later in ("waves", "validation"):
            said.get("clips", {}).pop(later, None)
        (stopped / name).write_text(json.dumps(said))
    for path in stopped.rglob("*.safetensors"):
        save_file(load_file(path), path)
    assert_same_run(quiet(clips, waves, folds=[1, 3], out=stopped, resume=True), whole)
    # What it began with is not made up later.
    assert "waves" not in read_run(stopped)[1]["clips"]


def test_a_folder_in_which_a_run_is_training_is_in_use(tmp_path, clips, waves, monkeypatch):
    refused = []

    def again(*arguments):
        save(*arguments)
        with pytest.raises(InputError, match="another process is writing in") as caught:
            quiet(clips, waves, folds=[2], out=tmp_path, resume=True)
        refused.append(caught.value)

    save = tasks.save_checkpoint
    monkeypatch.setattr(tasks, "save_checkpoint", again)
    quiet(clips, waves, PLAIN, folds=[1], out=tmp_path)
    assert len(refused) == 1
    assert not (tmp_path / ".audiopg.lock").exists()


def test_a_run_whose_folder_is_moved_stops(tmp_path, clips, waves, monkeypatch, whole):
    def move(*arguments):
        save(*arguments)
        (tmp_path / "run").rename(tmp_path / "moved")

    save = tasks.save_checkpoint
    with monkeypatch.context() as patched:
        patched.setattr(tasks, "save_checkpoint", move)
        with pytest.raises(InputError, match=r"run is not the folder any more .* put that back"):
            quiet(clips, waves, folds=[1, 3], out=tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["moved"]
    again = quiet(clips, waves, folds=[1, 3], out=tmp_path / "moved", resume=True)
    assert_same_run(again, whole)


def test_scores_and_weights_that_are_not_finite_are_not_written(
    tmp_path, clips, waves, monkeypatch
):
    def spoilt(*arguments):
        return torch.full((10, 2), torch.nan)

    with monkeypatch.context() as patched:
        patched.setattr(module, "_score", spoilt)
        with pytest.raises(InputError, match=r"^the scores of seed 0, fold 1, are not finite aft"):
            quiet(clips, waves, PLAIN, folds=[1], out=tmp_path)
    assert not list(tmp_path.rglob("tested.safetensors"))

    def spoil(task, model, *arguments):
        with torch.no_grad():
            model.head.bias[0] = torch.nan
        return save(task, model, *arguments)

    save = tasks.save_checkpoint
    monkeypatch.setattr(tasks, "save_checkpoint", spoil)
    with pytest.raises(InputError, match=r"not finite after epoch 1 of seed 0, fold 2; what was"):
        quiet(clips, waves, PLAIN, folds=[2], out=tmp_path, resume=True)
    assert not list((tmp_path / "seed-0/fold-2").glob("*.safetensors"))


def test_folds_whose_clips_have_no_class_are_refused(waves):
    labels = np.zeros((30, 2), dtype=bool)
    labels[::2, 0] = labels[1::2, 1] = True
    folds = np.arange(30) // 2 % 3 + 1
    labels[folds == 2] = False
    clips = labelled(labels, folds)
    with pytest.raises(InputError, match=r"^no clip of fold 2 has any class, so there is no mAP"):
        quiet(clips, waves, PLAIN)
    # Held out in the place of fold 1, too.
    with pytest.raises(InputError, match=r"^no clip of fold 2 has any class"):
        quiet(clips, waves, replace(PLAIN, validate=True), folds=[1])
    assert math.isfinite(quiet(clips, waves, PLAIN, folds=[3]).mean)


def test_no_checkpoint_is_written_before_the_seconds_are_over(tmp_path, clips, waves, monkeypatch):
    killed_after(monkeypatch, 1)
    quiet(clips, waves, replace(CHANGED, checkpoint_seconds=3600.0), folds=[1], out=tmp_path)


def test_an_interrupted_run_says_how_to_go_on(tmp_path, clips, waves, monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tasks, "save_checkpoint", interrupt)
    with pytest.raises(KeyboardInterrupt, match=f"^stopped; go on with --resume --out {tmp_path}$"):
        quiet(clips, waves, out=tmp_path)
    assert capsys.readouterr().out == ""


# What is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preset": "huge"}, "preset is 'huge'; choose from ['micro', 'mini', 'tiny'"),
        (
            {"precision": "int8"},
            "precision is 'int8'; choose from ['auto', 'float32', 'bfloat16'].",
        ),
        ({"roll": 2}, "roll is 2; choose from [False, True]."),
        ({"epochs": 0}, "epochs is 0; the range is whole numbers 1 to"),
        ({"epochs": 2.5}, "epochs is 2.5; the range is whole numbers 1 to"),
        ({"batch_size": 0}, "batch_size is 0; the range is whole numbers 1 to inf."),
        ({"learning_rate": 2.0}, "learning_rate is 2.0; the range is 0 to 1."),
        ({"learning_rate": math.nan}, "learning_rate is nan; the range is 0 to 1."),
        ({"warmup_epochs": -1.0}, "warmup_epochs is -1.0; the range is 0 to inf."),
        ({"layer_decay": 0.0}, "layer_decay is 0.0; the range is 0.01 to 1."),
        ({"weight_decay": -0.1}, "weight_decay is -0.1; the range is 0 to 1."),
        ({"drop_path": 1.0}, "drop_path is 1.0; the range is 0 to 0.9."),
        ({"patch_drop": 1.0}, "patch_drop is 1.0; the range is 0 to 0.9."),
        ({"mixup": 0.6}, "mixup is 0.6; the range is 0 to 0.5."),
        ({"time_mask": 1.1}, "time_mask is 1.1; the range is 0 to 1."),
        ({"band_mask": -0.1}, "band_mask is -0.1; the range is 0 to 1."),
        ({"seed": 0.5}, "seed is 0.5; the range is whole numbers"),
        ({"seeds": 0}, "seeds is 0; the range is whole numbers 1 to 10000."),
        ({"checkpoint_seconds": -1.0}, "checkpoint_seconds is -1.0; the range is 0 to inf."),
    ],
)
def test_a_setting_out_of_its_range_is_named(changes, message):
    with pytest.raises(InputError) as caught:
        FinetuneSettings(**changes)
    assert str(caught.value).startswith(message)


def test_recipes_are_the_paper_s_protocols_and_a_fast_one():
    paper, fifty, fast = (FINETUNE_RECIPES[name] for name in ("paper", "paper-50", "fast"))
    assert (paper.epochs, paper.batch_size, paper.native_length) == (300, 32, False)
    assert replace(fifty, epochs=300) == paper == FinetuneSettings()
    assert fifty.epochs == 50
    assert fast.native_length
    assert fast.roll


def test_clips_and_weights_that_do_not_fit_are_refused(clips, waves, tmp_path):
    small = tmp_path / "model.safetensors"
    save_model(MaskedAutoencoder.preset("micro"), small)
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(small.read_bytes()[:2000])
    scratch = replace(PLAIN, preset="tiny")
    one_fold = labelled([0, 1], [1, 1])
    two_folds = labelled([0, 1, 0, 1], [1, 1, 2, 2])
    untested = replace(two_folds, test_folds=[1, 3])
    broken = [*waves[:7], torch.full((8000,), torch.nan), *waves[8:]]
    for arguments, message in (
        ((clips, waves[:5]), "there are 5 waveforms for 30 labelled clips."),
        ((clips, waves, PLAIN, None), "there is nothing to begin with: give weights"),
        ((clips, waves, scratch, small), "another network than tiny (width 64, not 192; depth 2,"),
        ((clips, waves, scratch, ENCODER), "another network than tiny (width 64, not 192;"),
        ((clips, waves, PLAIN, torn), "is damaged or no safetensors file"),
        ((clips, waves, PLAIN, "nowhere"), "nowhere is not a file"),
        ((clips, broken), "clip 7 holds NaN or infinite samples"),
        ((clips, [wave[:300] for wave in waves]), "shorter than one window of 400"),
        ((one_fold, waves[:2]), "has the folds [1]; without fold 1 none is left to train on."),
        (
            (two_folds, waves[:4], replace(PLAIN, validate=True)),
            "without fold 1 and one to validate on none is left to train on.",
        ),
        ((untested, waves[:4]), "Sounds has no clips in its test fold 3."),
    ):
        with pytest.raises(InputError) as caught:
            quiet(*arguments)
        assert message in str(caught.value)
        assert str(caught.value).endswith(".")
    for folds in ([4], [1, 9], []):
        with pytest.raises(InputError, match=r"choose among the test folds \[1, 2, 3\]\.$"):
            quiet(clips, waves, folds=folds)
    with pytest.raises(InputError, match=r"^the device 'abacus' cannot be used"):
        finetune(PLAIN, clips, waves, ENCODER, device="abacus")


def test_settings_clips_and_encoders_of_another_class_are_refused(clips, waves, stopped):
    for settings in ("fast", {"epochs": 1}, PretrainSettings()):
        with pytest.raises(InputError, match=r"^settings are .*; give FinetuneSettings\.$"):
            quiet(clips, waves, settings)
    for use in (lambda: quiet("birds", waves), lambda: read_result(stopped, "birds")):
        with pytest.raises(InputError, match=r"^clips are 'birds'; give LabelledClips\.$"):
            use()
    model = MaskedAutoencoder.preset("micro")
    for start, part in (
        (model, "encoder"),
        (PretrainResult(model, torch.ones(1)), "model.encoder"),
    ):
        with pytest.raises(InputError, match=rf"is no encoder; give its part \.{part}\.$"):
            quiet(clips, waves, start=start)


def test_a_loss_that_is_not_finite_is_named(clips, waves, tmp_path):
    encoder = Encoder.preset("micro")
    encoder.patch_projection.weight[0, 0] = torch.inf
    with pytest.raises(InputError, match=r"^the loss is nan in epoch 1 of seed 0, fold 2; start"):
        quiet(clips, waves, PLAIN, encoder, tmp_path, folds=[2])


def test_another_run_is_not_resumed(stopped, clips, waves):
    options = {"folds": [1, 3], "out": stopped}
    with pytest.raises(InputError, match=r"holds a run already; resume it or name another folder"):
        quiet(clips, waves, **options)
    for changed, message in (
        ({"settings": replace(CHANGED, epochs=5)}, "was run with epochs = 4, not 5; resume with"),
        ({"start": Encoder.preset("micro", seed=4)}, "began with other weights; resume with the"),
        ({"clips": replace(clips, labels=1 - clips.labels)}, "began with other clips; resume"),
        (
            {"clips": replace(clips, classes=[*clips.classes, "none"])},
            "began with other classes; resume",
        ),
        (
            {"clips": replace(clips, fold_names=clips.fold_names | {2: "validation"})},
            "began with other validation folds; resume",
        ),
        ({"waves": [*waves[:7], -waves[7], *waves[8:]]}, "began with other waves; resume with the"),
        ({"waves": [*waves[:7], waves[7][:-1], *waves[8:]]}, "began with other waves; resume wi"),
    ):
        arguments = {"clips": clips, "waves": waves, **options, **changed}
        with pytest.raises(InputError) as caught:
            quiet(**arguments, resume=True)
        assert message in str(caught.value)
    said = json.loads((stopped / "run.json").read_text())
    for damage, message in (
        ({"settings": {"epochs": 0}}, r"run\.json is damaged \(epochs is 0"),
        ({"settings": {"pitch": 1}}, r"run\.json is damaged \(.*'pitch'"),
        ({"clips": []}, r"run\.json is damaged"),
    ):
        (stopped / "run.json").write_text(json.dumps(said | damage))
        with pytest.raises(InputError, match=message):
            quiet(clips, waves, **options, resume=True)
    (stopped / "run.json").unlink()
    with pytest.raises(InputError, match=r"holds no run to resume: there is no run\.json in it"):
        quiet(clips, waves, **options, resume=True)
