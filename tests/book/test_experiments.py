import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import scipy.stats

from audiopg.__main__ import main
from audiopg.book.experiments import (
    CHOSEN,
    SCALES,
    SEEDS,
    SETS,
    Experiment,
    combined_error,
    efficiency,
    experiments,
    gain_table,
    gains,
    is_recorded,
    outcome_table,
    paired_gain,
    recipe_steps,
    seed_table,
)
from audiopg.errors import InputError
from audiopg.pretraining import RECIPES
from audiopg.records import read_record
from audiopg.transfer.finetune import FinetuneSettings


@pytest.mark.parametrize("scale", SCALES)
def test_no_network_is_probed_on_a_set_that_it_has_learned_from(scale):
    real = [e for e in experiments(scale) if getattr(e.settings, "audio", None)]
    rows = {e.name.partition("-for-")[0] for e in real if e.part == "all"}
    assert rows == {"real", "sounds", "long-real"}
    for experiment in real:
        learned_from = set(experiment.settings.audio.split(", "))
        if experiment.part == "all":
            assert not learned_from & set(experiment.sets)
        # Of a target, the fold that is tested on is kept apart (test_reproduce.py).
        else:
            assert (experiment.part, experiment.sets) == ("last", tuple(learned_from))


CHANGES = {
    "schedule": {"schedule", "warmup_steps"},
    "batch": {"batch_size", "steps", "learning_rate", "warmup_steps", "schedule"},
    "decoder-depth": {"decoder_depth"},
    "decoder-width": {"decoder_width"},
    "no-class-token": {"class_token"},
    "muon": {"optimiser"},
    "part-decoded": {"decoded_share", "visible_keys"},
    "half-clips-part-decoded": {"window", "decoded_share", "visible_keys"},
    "decoder-4x256": {"decoder_depth", "decoder_width"},
    "batch-16": {"batch_size", "steps", "cooldown_steps"},
    "adamw": {"optimiser", "learning_rate"},
    "mimetic-start": {"initial"},
}


@pytest.mark.parametrize("scale", SCALES)
def test_the_steps_of_the_recipe_change_one_thing_at_a_time(scale):
    steps = recipe_steps(scale)
    first = steps.pop(scale)
    assert first == replace(SCALES[scale], precision="auto", compiled=scale == "paper")
    if scale == "paper":
        assert steps.pop("fast") == RECIPES["fast"]
    for name, settings in steps.items():
        before, after = asdict(first), asdict(settings)
        assert {key for key in after if after[key] != before[key]} == CHANGES[name]
        clips = settings.steps * settings.batch_size
        assert clips == pytest.approx(first.steps * first.batch_size, rel=1e-3), name


def test_a_reader_is_told_which_scales_there_are():
    with pytest.raises(
        InputError, match=r"no scale is called 'small'; choose from \['paper', 'cpu'\]"
    ):
        experiments("small")


def test_every_experiment_has_a_name_of_its_own():
    names = [experiment.name for scale in SCALES for experiment in experiments(scale)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("scale", SCALES)
def test_what_is_gone_on_from_is_itself_an_experiment_with_the_same_settings(scale):
    known = {experiment.name: experiment for experiment in experiments(scale)}
    onward = [e for e in known.values() if isinstance(e.start, Experiment)]
    assert {"adapt-to-esc10", "finetuned-full-esc10", "finetuned-real-esc10"} <= {
        e.name.removesuffix(f"-{scale}") for e in onward
    }
    for experiment in onward:
        assert known[experiment.start.name] == experiment.start


@pytest.mark.parametrize("scale", SCALES)
def test_a_network_that_is_probed_again_is_itself_an_experiment_with_the_same_settings(scale):
    known = {experiment.name: experiment for experiment in experiments(scale)}
    again = [experiment for experiment in known.values() if experiment.run]
    chosen = {"chosen"} if CHOSEN[scale] else set()
    assert {e.name.partition("-")[0] for e in again} == {"before", "recipe", "beyond"} | chosen
    for experiment in again:
        assert known[experiment.run].settings == experiment.settings
        assert list(known).index(experiment.run) < list(known).index(experiment.name)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("table", ["sensitivity", "curriculum", "beyond", "real", "recipe"])
def test_rows_of_a_table_learn_from_equally_many_clips(scale, table):
    rows = [e.settings for e in experiments(scale) if e.name.startswith(table)]
    clips = {settings.steps * settings.batch_size for settings in rows}
    assert max(clips) == pytest.approx(min(clips), rel=1e-3)
    assert min(clips) >= 12_000
    assert len(rows) >= 3


@pytest.mark.parametrize("scale", SCALES)
def test_a_control_differs_in_its_first_weights_alone(scale):
    tuned = [e for e in experiments(scale) if isinstance(e.settings, FinetuneSettings)]
    for experiment in tuned:
        for control in experiment.beside:
            assert control.start is None
            assert replace(control.settings, preset=None) == experiment.settings
    known = {e.name: e for e in experiments(scale)}
    for name in SETS:
        adapted, scratch = (known[f"{kind}-{name}-{scale}"] for kind in ("adapt-to", "target-only"))
        assert adapted.settings == scratch.settings
        assert scratch.start is None


@pytest.mark.parametrize(
    ("name", "epochs"), [("speech_commands", 30), ("esc10", 120), ("urbansound8k", 20)]
)
def test_a_longer_run_from_scratch_differs_from_the_short_one_in_its_epochs_alone(name, epochs):
    known = {e.name: e for e in experiments("cpu")}
    (short,) = known[f"finetune-{name}-tiny"].beside
    long = known[f"scratch-{epochs}-epochs-{name}-tiny"]
    assert long.settings == replace(short.settings, epochs=5 * short.settings.epochs)
    assert (long.sets, long.start) == (short.sets, None)


@pytest.mark.parametrize("scale", SCALES)
def test_the_untrained_network_has_the_seeds_of_the_trained_ones(scale):
    known = {e.name: e for e in experiments(scale)}
    for seed in SEEDS[1:]:
        untrained, trained = (
            known[f"{name}-{scale}-seed{seed}"] for name in ("untrained-all", "curriculum-full")
        )
        assert untrained.settings == trained.settings
        assert (untrained.features, trained.features) == ("untrained", "trained")


def test_the_command_names_what_there_is(capsys):
    assert main(["reproduce", "recipe-adamw", "--scale", "cpu", "--list"]) == 0
    assert "recipe-adamw-cpu: mini, 12,800 clips" in capsys.readouterr().out
    assert main(["reproduce", "nothing"]) == 2
    assert "no experiment is called 'nothing'" in capsys.readouterr().err
    # Of a variable that is not set; the names of all begin with it.
    assert main(["reproduce", "recipe", "", "--list"]) == 2
    assert "what follows 'recipe' is empty" in capsys.readouterr().err


def spaced(table):
    return table.replace("\N{NO-BREAK SPACE}", " ", regex=True)


def write(folder, name, accuracies, *, tested="ESC-10", apart=None, milestones=None, **settings):
    """A record of a probe on one set."""

    def figures(values):
        folds = {str(fold): value for fold, value in enumerate(values, 1)}
        return {tested: {"accuracy": folds, "mean": float(np.mean(values))}}

    minutes = settings.pop("minutes", 1)
    record = {
        "settings": {"steps": 10, "batch_size": 32, **settings},
        "metrics": {
            "probes": figures(accuracies),
            "processor_seconds": 60 * minutes,
            "held_out_loss": 0.5,
            "milestones": {
                clips: {"processor_seconds": seconds, "probes": figures(values)}
                for clips, (seconds, values) in (milestones or {}).items()
            },
        },
    }
    if apart:
        record["metrics"]["probes_by_frequency"] = figures(apart)
    (folder / f"{name}.json").write_text(json.dumps(record))


URBAN = "UrbanSound8K, folds 1, 2, 10"


def test_outcomes_are_means_over_seeds_with_the_deviation_over_folds(tmp_path):
    write(tmp_path, "a-cpu", (0.5, 0.7), minutes=2)
    write(tmp_path, "a-cpu-seed1", (0.7, 0.7), minutes=4)
    write(tmp_path, "b-cpu", (0.25,), tested=URBAN, apart=(0.5,), features="untrained")
    tuned = {
        "settings": {"epochs": 3},
        "metrics": {"this encoder": {"accuracy": {"1": 0.8, "2": 0.9}, "mean": 0.85}},
        "data": "ESC-10, 400 clips",
    }
    (tmp_path / "c-cpu.json").write_text(json.dumps(tuned))
    table = spaced(outcome_table({name: f"{name}-cpu" for name in "abcd"}, tmp_path))
    assert table.loc["a"].to_dict() == {
        "clips": "320",
        "CPU min": "3",
        "held-out loss": "0.500",
        "seeds": "2",
        # Over the seeds the folds have 60 and 70 per cent.
        "ESC-10": f"65.0 ± {np.std([60, 70], ddof=1):.1f}",
        "UrbanSound8K, fold 1": "",
    }
    assert table.loc["b", "UrbanSound8K, fold 1"] == "25.0 / 50.0"
    assert table.loc["b", "clips"] == "–"
    assert table.loc["c", ["clips", "held-out loss", "ESC-10"]].tolist() == ["–", "–", "85.0 ± 7.1"]
    assert table.loc["d", "clips"] == "not run yet"


def test_each_seed_has_a_line_for_each_set_and_pooling(tmp_path):
    write(tmp_path, "a-cpu", (0.5, 0.7), tested=URBAN, apart=(0.25, 0.75))
    write(tmp_path, "a-cpu-seed1", (0.7, 0.8), tested=URBAN, apart=(1.0, 1.0))
    assert seed_table({"a": "a-cpu", "b": "b-cpu"}, tmp_path).to_numpy().tolist() == [
        ["a", "UrbanSound8K", "mean", pytest.approx(60)],
        ["a", "UrbanSound8K", "mean", pytest.approx(75)],
        ["a", "UrbanSound8K", "frequency", 50],
        ["a", "UrbanSound8K", "frequency", 100],
    ]
    last = seed_table({"a": "a-cpu"}, tmp_path, {"urbansound8k": ["2"]})
    np.testing.assert_allclose(last["accuracy"], (70, 80, 75, 100))
    assert list(seed_table({"b": "b-cpu"}, tmp_path)) == ["row", "set", "pooling", "accuracy"]


def test_a_gain_has_the_standard_error_of_the_paired_differences(tmp_path):
    folds = {"sine": (0.5, 0.6, 0.7), "full": (0.55, 0.7, 0.72)}
    for name, accuracy in folds.items():
        write(tmp_path, f"curriculum-{name}-cpu", accuracy)
    write(tmp_path, "curriculum-real-cpu", (0.4,), tested=URBAN)
    rows = {name: f"curriculum-{name}-cpu" for name in ("sine", "full", "real", "none")}
    table = spaced(gain_table(rows, folder=tmp_path))
    gain = 100 * np.subtract(folds["full"], folds["sine"])
    # Over three folds, 1/3 becomes 1/3 + 1/2, since any two of them share training clips.
    variance = gain.var(ddof=1) * 5 / 6
    expected = f"{gain.mean():+.1f} ± {variance**0.5:.1f}"
    assert table.loc["sine → full"].to_dict() == {"ESC-10": expected, "UrbanSound8K": "–"}
    assert table.loc["full → real"].tolist() == ["–", "–"]
    assert table.loc["real → none"].tolist() == ["not run yet", "not run yet"]

    # A second seed of one row, 6 points lower: the luck of one seed has the variance 18.
    write(tmp_path, "curriculum-full-cpu-seed1", np.subtract(folds["full"], 0.06))
    error = (variance + 18 * (1 / 1 + 1 / 2)) ** 0.5
    table = spaced(gain_table(rows, "sine", tmp_path))
    assert list(table.index) == ["sine → full", "sine → real", "sine → none"]
    assert table.loc["sine → full", "ESC-10"] == f"{gain.mean() - 3:+.1f} ± {error:.1f}"


@pytest.mark.parametrize("folds", [2, 3, 5, 10])
def test_the_interval_of_a_gain_is_that_of_a_paired_t_test_for_overlapping_training(folds):
    """The variance is F/(F - 1) + 1 times that for independent folds (Nadeau and Bengio, 2003)."""
    before, after = np.random.default_rng(0).normal(80, 3, (2, 1, folds))
    gain, error, freedom = paired_gain(after, before)
    width = scipy.stats.t.ppf(0.975, freedom) * error
    wider = (1 + folds / (folds - 1)) ** 0.5
    independent = scipy.stats.ttest_rel(after[0], before[0]).confidence_interval(0.95)
    expected = gain + wider * (np.array(independent) - gain)
    np.testing.assert_allclose([gain - width, gain + width], expected)


def test_the_interval_of_a_gain_covers_it_though_folds_share_clips_to_train_on():
    """Two classes of clips, told apart by their means, against a guess; new clips 1,000 times."""
    random, folds = np.random.default_rng(1), 5
    sides = np.tile([1.0, -1.0], 5)[:, None]
    missed = np.zeros(2)
    gains = np.empty((1000, folds))
    for gain in gains:
        clips = random.standard_normal((folds, 10, 20))
        clips[..., :1] += sides / 2
        sums = (clips * sides).sum(1)
        gain[:] = ((clips * sides) @ (sums.sum(0) - sums)[..., None] > 0).mean((1, 2)) - 0.5
    for gain in gains:
        found, error, freedom = paired_gain(gain[None], np.zeros((1, folds)))
        far = abs(found - gains.mean()) / scipy.stats.t.ppf(0.975, freedom)
        missed += far > error, far > scipy.stats.sem(gain)
    # Four standard errors of 1,000 intervals above 5 %.
    corrected, independent = missed / len(gains)
    assert corrected < 0.05 + 0.028 < independent


@pytest.mark.parametrize(
    ("gained", "cell"),
    [
        # Of two degrees of freedom, so 4.3 standard errors: 3.9 points.
        ((4, 5, 6), "+5.0 ± 0.9*"),
        ((-4, -5, -6), "-5.0 ± 0.9*"),
        # 4.3 errors of 1.8 points are 7.9.
        ((3, 5, 7), "+5.0 ± 1.8"),
        # Two folds are too few.
        ((5, 5), "+5.0 ± 0.0"),
    ],
)
def test_a_star_marks_a_gain_beyond_chance(tmp_path, gained, cell):
    before = np.array((0.5, 0.6, 0.7))[: len(gained)]
    write(tmp_path, "one-cpu", before)
    write(tmp_path, "two-cpu", before + np.divide(gained, 100))
    rows = {"one": "one-cpu", "two": "two-cpu"}
    assert spaced(gain_table(rows, folder=tmp_path)).to_numpy().tolist() == [[cell]]


def test_two_errors_have_the_degrees_of_freedom_of_welch():
    one, other = (np.random.default_rng(0).normal(0, scale, n) for scale, n in ((1, 4), (3, 7)))
    parts = [(sample.var(ddof=1) / len(sample), len(sample) - 1) for sample in (one, other)]
    welch = scipy.stats.ttest_ind(one, other, equal_var=False)
    error, freedom = combined_error(parts)
    assert freedom == pytest.approx(welch.df)
    assert error == pytest.approx((one.mean() - other.mean()) / welch.statistic)
    assert combined_error([(0.5, np.inf), (0.5, np.inf)]) == (1, np.inf)
    assert combined_error([(0.0, 4), (0.0, 2)]) == (0, 2)


def test_a_single_fold_has_no_standard_error(tmp_path):
    for name, accuracy in {"one": 0.3, "two": 0.6}.items():
        write(tmp_path, f"{name}-cpu", (accuracy,), tested=URBAN)
    rows = {"one": "one-cpu", "two": "two-cpu"}
    assert gain_table(rows, folder=tmp_path / "none").to_numpy().tolist() == [["not run yet"]]
    table = spaced(gain_table(rows, folder=tmp_path))
    assert table.to_numpy().tolist() == [["+30.0"]]
    for name, apart in {"one": 0.5, "two": 0.4}.items():
        write(tmp_path, f"{name}-cpu", (0.5,), tested=URBAN, apart=(apart,))
    table = spaced(gain_table(rows, folder=tmp_path))
    assert table.to_numpy().tolist() == [["+0.0 / -10.0"]]
    # A second seed of one row, 20 points higher: one seed has the variance 200, 1 + 1/2 of it is 300.
    write(tmp_path, "two-cpu-seed1", (0.7,), tested=URBAN, apart=(0.4,))
    table = spaced(gain_table(rows, folder=tmp_path))
    assert table.to_numpy().tolist() == [["+10.0 ± 17.3 (seeds) / -10.0"]]
    # Seeds on several folds do not tell of seeds on one.
    write(tmp_path, "three-cpu", (0.5, 0.6), tested=URBAN)
    write(tmp_path, "three-cpu-seed1", (0.1, 0.2), tested=URBAN)
    found = gains("two-cpu", "one-cpu", ["three-cpu"], tmp_path)["UrbanSound8K"]
    np.testing.assert_allclose(found, (10, 300**0.5, np.nan))


def test_a_gain_on_folds_that_are_named_is_that_of_records_of_these_folds_alone(tmp_path):
    random, part = np.random.default_rng(0), tmp_path / "part"
    part.mkdir()
    for name in ("a-cpu", "b-cpu", "b-cpu-seed1"):
        values, apart = random.uniform(0, 1, (2, 5)).tolist()
        write(tmp_path, name, values, apart=apart)
        write(part, name, values[2:], apart=apart[2:])
    rows = {"a": "a-cpu", "b": "b-cpu"}
    table = gain_table(rows, folder=tmp_path, folds={"esc10": ["3", "4", "5"]})
    assert table.equals(gain_table(rows, folder=part))
    assert not table.equals(gain_table(rows, folder=tmp_path))
    assert gain_table(rows, folder=tmp_path, folds={"urbansound8k": ["10"]}).equals(
        gain_table(rows, folder=tmp_path)
    )
    one = gains("b-cpu", "a-cpu", folder=tmp_path, folds={"esc10": ["4"]})
    assert set(one) == {"ESC-10", "ESC-10 by frequency"}
    assert all(np.isnan(freedom) for *_, freedom in one.values())
    with pytest.raises(InputError, match=r"not tested on fold '7'; choose from \['1', '2', '3'"):
        gain_table(rows, folder=tmp_path, folds={"esc10": ["7"]})
    with pytest.raises(InputError, match="no set is called 'ESC-10'"):
        gain_table(rows, folder=tmp_path, folds={"ESC-10": ["3"]})


def test_efficiency_follows_a_run_on_its_way(tmp_path):
    assert efficiency("esc10", "cpu", tmp_path) == {}
    way = {"80": (100, (0.5, 0.7)), "160": (200, (0.7, 0.7))}
    write(tmp_path, "long-cpu", (0.8, 0.8), minutes=10, milestones=way)
    write(tmp_path, "long-real-for-esc10-cpu", (0.6, 0.6), minutes=9)
    # Of a network that heard other recordings.
    write(tmp_path, "long-real-for-urbansound8k-cpu", (0.9, 0.9))
    found = efficiency("esc10", "cpu", tmp_path)
    assert found["synthesis"] == [
        (100, 80, pytest.approx(60), pytest.approx(np.std([50, 70], ddof=1))),
        (200, 160, pytest.approx(70), pytest.approx(0)),
        (600, 320, pytest.approx(80), pytest.approx(0)),
    ]
    assert found["recordings of other sets"] == [(540, 320, pytest.approx(60), pytest.approx(0))]
    assert efficiency("urbansound8k", "cpu", tmp_path) == {}


def test_a_record_of_other_weights_counts_for_none(tmp_path):
    (experiment,) = (e for e in experiments("cpu") if e.name == "finetune-esc10-tiny")
    record = read_record(experiment.name)
    path = tmp_path / f"{experiment.name}.json"
    path.write_text(json.dumps(record))
    assert is_recorded(experiment, tmp_path)
    path.write_text(json.dumps(record | {"weights": {"tiny": 64 * "0"}}))
    assert not is_recorded(experiment, tmp_path)
