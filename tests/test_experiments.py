import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import scipy.stats

from audiopg.__main__ import main
from audiopg.experiments import (
    SCALES,
    SETS,
    Experiment,
    efficiency,
    experiments,
    gain_table,
    outcome_table,
    recipe_steps,
    recipe_table,
    step_table,
)
from audiopg.pretraining import RECIPES
from audiopg.transfer.finetune import FinetuneSettings


@pytest.mark.parametrize("scale", SCALES)
def test_no_network_is_probed_on_a_set_that_it_has_learned_from(scale):
    real = [e for e in experiments(scale) if getattr(e.settings, "audio", None)]
    assert {e.name.partition("-for-")[0] for e in real if e.part == "all"} == {"real", "real-long"}
    for experiment in real:
        learned_from = set(experiment.settings.audio.split(", "))
        if experiment.part == "all":
            assert not learned_from & set(experiment.sets)
        # Of a target, the fold that is tested on is kept apart (test_reproduce.py).
        else:
            assert (experiment.part, experiment.sets) == ("last", tuple(learned_from))


@pytest.mark.parametrize("scale", SCALES)
def test_the_steps_of_the_recipe_change_one_thing_at_a_time(scale):
    paper = SCALES[scale]
    steps = recipe_steps(paper)
    assert steps.pop("paper") == paper
    fast = steps.pop("fast")
    if scale == "paper":
        assert replace(fast, compiled=True) == RECIPES["fast"]
    half = steps.pop("bfloat16")
    assert half == replace(paper, precision="auto")
    for name, settings in steps.items():
        before, after = asdict(half), asdict(settings)
        changed = {key for key in after if after[key] != before[key]}
        assert (
            changed
            <= {
                "schedule": {"schedule", "warmup_steps"},
                "batch": {"batch_size", "steps", "learning_rate", "warmup_steps", "schedule"},
                "decoder-depth": {"decoder_depth"},
                "decoder-width": {"decoder_width"},
                "no-class-token": {"class_token"},
                "muon": {"optimiser"},
            }[name]
        )
        clips = settings.steps * settings.batch_size
        assert clips == pytest.approx(paper.steps * paper.batch_size, rel=1e-3), name


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
    assert {e.name.partition("-")[0] for e in again} == {"before", "sensitivity", "final"}
    for experiment in again:
        assert known[experiment.run].settings == experiment.settings
        assert list(known).index(experiment.run) < list(known).index(experiment.name)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("table", ["sensitivity", "curriculum", "beyond", "final"])
def test_rows_of_a_table_learn_from_equally_many_clips(scale, table):
    rows = [e.settings for e in experiments(scale) if e.name.startswith(table)]
    assert len({settings.steps * settings.batch_size for settings in rows}) == 1
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


def test_the_command_names_what_there_is(capsys):
    assert main(["reproduce", "recipe-muon", "--scale", "small", "--list"]) == 0
    assert "recipe-muon-small: tiny, 10,240 clips" in capsys.readouterr().out
    assert main(["reproduce", "nothing"]) == 2
    assert "no experiment is called 'nothing'" in capsys.readouterr().err


def spaced(table):
    return table.replace("\N{NO-BREAK SPACE}", " ", regex=True)


def test_a_step_is_kept_where_the_probe_does_not_lose_more_than_its_standard_error(tmp_path):
    def record(name, first, second, seed=""):
        probes = {
            "a": {"accuracy": {"1": first[0], "2": first[1]}, "mean": sum(first) / 2},
            "b": {"accuracy": {"1": second[0], "2": second[1]}, "mean": sum(second) / 2},
        }
        content = {"metrics": {"held_out_loss": 0.5, "probes": probes}}
        (tmp_path / f"recipe-{name}-small{seed}.json").write_text(json.dumps(content))

    record("paper", (0.5, 0.6), (0.5, 0.5))
    record("bfloat16", (0.5, 0.6), (0.5, 0.5))
    record("muon", (0.6, 0.8), (0.5, 0.5))
    # On b it loses 4 points in one fold and none in the other: 2 on average, with an error of 2.
    record("schedule", (0.5, 0.6), (0.46, 0.5))
    # 4 and 2 points: 3 on average, with an error of 1.
    record("decoder-depth", (0.6, 0.8), (0.46, 0.48))
    table = spaced(recipe_table("small", tmp_path))
    assert table.loc["paper", "a"] == "55.0"
    assert table.loc["muon", "a"] == "70.0 (+15.0 ± 5.0)"
    assert table.loc["schedule", "b"] == "48.0 (-2.0 ± 2.0)"
    kept = table["kept"].to_dict()
    assert kept["paper"] == kept["batch"] == "–"
    assert [kept[name] for name in ("bfloat16", "muon", "schedule")] == ["yes"] * 3
    assert kept["decoder-depth"] == "no"
    assert table.loc["batch", "held-out loss"] == "not run yet"

    # Two more seeds of the reference, on b 8 points above and below it: these differ by chance
    # so much that a loss of 3 points says nothing.
    record("bfloat16", (0.5, 0.6), (0.5, 0.5))
    for seed, value in ((1, 0.58), (2, 0.42)):
        record("bfloat16", (0.5, 0.6), (value, value), f"-seed{seed}")
    table = spaced(recipe_table("small", tmp_path))
    deviation = np.std([50, 58, 42], ddof=1)
    error = (1 + deviation**2 * (1 + 1 / 3)) ** 0.5
    assert table.loc["decoder-depth", "b"] == f"47.0 (-3.0 ± {error:.1f})"
    assert table.loc["decoder-depth", "kept"] == "yes"
    assert table.loc["bfloat16", "b"] == f"50.0 (+0.0 ± {(deviation**2 * (1 + 1 / 3)) ** 0.5:.1f})"

    speeds = {
        "paper": {"clips_per_second": 10.0},
        "bfloat16": {"clips_per_second": 17.0, "reference": "paper", "speed": 1.7},
        "compiled": {"speed": 1.25, "reference": "bfloat16", "loss_apart": 0.0003},
    }
    content = {"settings": {"preset": "tiny"}, "metrics": {"rows": speeds}}
    (tmp_path / "bench-recipe.json").write_text(json.dumps(content))
    table = recipe_table("small", tmp_path)
    assert table.loc["bfloat16", "speed"] == "1.70 ×"
    assert table.loc["compiled", ["speed", "losses apart", "kept"]].tolist() == [
        "1.25 ×",
        "3e-04",
        "–",
    ]
    # Speeds of another network are not those of this scale.
    assert (recipe_table("paper", tmp_path)["speed"] == "–").all()


def write(folder, name, accuracies, *, seconds=60.0, tested="ESC-10", **settings):
    """A record of a probe on one set."""
    folds = {str(fold): value for fold, value in enumerate(accuracies, 1)}
    probe = {"accuracy": folds, "mean": float(np.mean(accuracies))}
    record = {
        "settings": {"steps": 10, "batch_size": 32, **settings},
        "metrics": {"probes": {tested: probe}},
        "seconds": seconds,
    }
    (folder / f"{name}.json").write_text(json.dumps(record))


def test_a_single_fold_has_no_standard_error_and_decides_nothing(tmp_path):
    def record(name, **probes):
        accuracies = {s: {"accuracy": dict(enumerate(v))} for s, v in probes.items()}
        content = {"metrics": {"held_out_loss": 0.5, "probes": accuracies}, "data": ""}
        (tmp_path / f"recipe-{name}-small.json").write_text(json.dumps(content))

    record("paper", a=[0.5], b=[0.5, 0.6])
    record("bfloat16", a=[0.5], b=[0.5, 0.6])
    record("muon", a=[0.3], b=[0.5, 0.6])
    record("batch", a=[0.6], b=[0.5, 0.5])
    table = spaced(recipe_table("small", tmp_path))
    assert table.loc["muon", "a"] == "30.0 (-20.0)"
    assert table.loc["muon", "b"] == "55.0 (+0.0 ± 0.0)"
    assert table.loc["batch", "b"] == "50.0 (-5.0 ± 5.0)"
    assert (table.loc["muon", "kept"], table.loc["batch", "kept"]) == ("yes", "yes")
    for path in tmp_path.glob("*.json"):
        content = json.loads(path.read_text())
        content["metrics"]["probes"].pop("b", None)
        path.write_text(json.dumps(content))
    table = spaced(recipe_table("small", tmp_path))
    assert table.loc["batch", "a"] == "60.0 (+10.0)"
    assert table.loc["batch", "kept"] == "–"
    rows = {"one": "recipe-muon-small", "two": "recipe-batch-small"}
    assert spaced(step_table(rows, tmp_path)).to_numpy().tolist() == [["+30.0"]]


def test_outcomes_are_means_over_seeds_with_the_deviation_over_folds(tmp_path):
    write(tmp_path, "a-small", (0.5, 0.7), seconds=100)
    write(tmp_path, "a-small-seed1", (0.7, 0.7), seconds=300)
    write(tmp_path, "b-small", (0.25,), tested="UrbanSound8K, folds 1, 2, 10")
    tuned = {
        "settings": {"epochs": 3},
        "metrics": {"this encoder": {"accuracy": {"1": 0.8, "2": 0.9}, "mean": 0.85}},
        "data": "ESC-10, 400 clips",
        "seconds": 60.0,
    }
    (tmp_path / "c-small.json").write_text(json.dumps(tuned))
    rows = {name: f"{name}-small" for name in "abcd"}
    table = spaced(outcome_table(rows, tmp_path))
    assert table.loc["a"].to_dict() == {
        "clips": "320",
        "seconds": "200",
        "seeds": "2",
        # Over the seeds the folds have 60 and 70 per cent.
        "ESC-10": f"65.0 ± {np.std([60, 70], ddof=1):.1f}",
        "UrbanSound8K, fold 1": "",
    }
    assert table.loc["b", "UrbanSound8K, fold 1"] == "25.0"
    assert table.loc["c", ["clips", "ESC-10"]].tolist() == ["–", "85.0 ± 7.1"]
    assert table.loc["d", "clips"] == "not run yet"


def test_a_step_has_the_standard_error_of_the_paired_differences(tmp_path):
    folds = {"sine": (0.5, 0.6, 0.7), "full": (0.55, 0.7, 0.72)}
    for name, accuracy in folds.items():
        write(tmp_path, f"curriculum-{name}-small", accuracy)
    write(tmp_path, "curriculum-real-small", (0.4,), tested="UrbanSound8K, folds 1, 2, 10")
    rows = {name: f"curriculum-{name}-small" for name in ("sine", "full", "real", "none")}
    table = spaced(step_table(rows, tmp_path))
    gain = 100 * np.subtract(folds["full"], folds["sine"])
    expected = f"{gain.mean():+.1f} ± {scipy.stats.sem(gain):.1f}"
    assert table.loc["sine → full"].to_dict() == {"ESC-10": expected, "UrbanSound8K": "–"}
    assert table.loc["full → real"].tolist() == ["–", "–"]
    assert table.loc["real → none"].tolist() == ["not run yet", "not run yet"]

    # A second seed of one row, 6 points lower: the luck of one seed has the variance 18.
    write(tmp_path, "curriculum-full-small-seed1", np.subtract(folds["full"], 0.06))
    error = (scipy.stats.sem(gain) ** 2 + 18 * (1 / 1 + 1 / 2)) ** 0.5
    table = spaced(step_table(rows, tmp_path))
    assert table.loc["sine → full", "ESC-10"] == f"{gain.mean() - 3:+.1f} ± {error:.1f}"


def test_a_gain_has_the_interval_of_students_t_where_there_are_two_rows(tmp_path):
    means = {"full": (0.50, 0.53, 0.56), "extended": (0.60, 0.62, 0.70)}
    for name, seeds in means.items():
        for seed, mean in enumerate(seeds):
            write(tmp_path, f"beyond-{name}-small-seed{seed}", (mean - 0.1, mean + 0.1))
    write(tmp_path, "beyond-noise-small-seed0", (0.9, 0.9))  # Not of all seeds.
    rows = {name: f"beyond-{name}-small" for name in (*means, "noise")}
    table = gain_table(rows, "full", tmp_path)
    assert table.index.tolist() == [("ESC-10", "full"), ("ESC-10", "extended")]
    expected = scipy.stats.ttest_ind(
        100 * np.array(means["extended"]), 100 * np.array(means["full"])
    ).confidence_interval(0.95)
    found = table.loc[("ESC-10", "extended")]
    assert found["accuracy"] == pytest.approx(64)
    assert found["gain"] == pytest.approx(11)
    assert found[["95 % from", "95 % to"]].tolist() == pytest.approx(list(expected))
    assert table.loc[("ESC-10", "full"), "gain":].isna().all()
    assert gain_table({"noise": rows["noise"]}, "noise", tmp_path).empty
    assert gain_table(rows, "full", tmp_path / "elsewhere").empty


def test_efficiency_collects_runs_of_different_length(tmp_path):
    assert efficiency("esc10", "small", tmp_path) == {}
    write(tmp_path, "clips-4th-small", (0.5, 0.7), seconds=100)
    write(tmp_path, "recipe-bfloat16-small", (0.7, 0.7), seconds=400)
    write(tmp_path, "recipe-bfloat16-small-seed1", (0.8, 0.8), seconds=600)
    write(tmp_path, "real-for-esc10-small", (0.6, 0.6), seconds=401)
    # Of another set, and of a network that heard the set itself.
    write(tmp_path, "clips-16th-small", (0.9, 0.9), tested="UrbanSound8K, folds 1, 2, 10")
    write(tmp_path, "real-for-urbansound8k-small", (0.9, 0.9))
    found = efficiency("esc10", "small", tmp_path)
    deviation = np.std([50, 70], ddof=1)
    assert found["synthesis"] == [
        (100, 320, pytest.approx(60), pytest.approx(deviation)),
        (500, 320, pytest.approx(75), 0),
    ]
    assert found["recordings of other sets"] == [(401, 320, pytest.approx(60), 0)]
    assert efficiency("urbansound8k", "small", tmp_path)["synthesis"][0][2] == pytest.approx(90)
