"""What records keep of results, and what the tables made of it say."""

import json

import numpy as np
import pytest

from audiopg.datasets import LabelledClips
from audiopg.errors import InputError
from audiopg.transfer import (
    FinetuneResult,
    bootstrap_interval,
    confusion_matrix,
    linear_probe,
    most_confused,
    paired_p_value,
    recorded_confusions,
    recorded_matrix,
    recorded_table,
    summarise,
)

N = 120


@pytest.fixture(scope="module")
def clips():
    folds = np.arange(N) // 3 % 4 + 1
    labels = np.arange(N) % 3
    names = {fold: f"fold {fold}" for fold in range(1, 5)}
    return LabelledClips(
        "ESC-10",
        [],
        labels,
        folds,
        ["dog", "rain", "sneezing"],
        "CC BY 3.0",
        names,
        [1, 2, 3, 4],
        sources=np.arange(N) // 4,
    )


@pytest.fixture(scope="module")
def results(clips):
    """Two probes, one of features with more noise, and two seeds of what was fine-tuned."""
    rng = np.random.default_rng(0)
    targets = np.eye(3)[clips.labels]
    probes = [
        linear_probe(targets + spread * rng.standard_normal((N, 3)), clips.labels, clips.folds)
        for spread in (1.0, 0.4)
    ]
    scores = np.stack([targets + 0.5 * rng.standard_normal((N, 3)) for _ in range(2)])
    right = scores.argmax(axis=2) == clips.labels
    values = np.stack([right[:, clips.folds == fold].mean(axis=1) for fold in clips.test_folds], 1)
    losses = np.arange(16.0).reshape(2, 4, 2)
    tuned = FinetuneResult([1, 2, 3, 4], "accuracy", values, scores, [0, 1], losses, 12.345)
    return {"noisy": probes[0], "fine-tuned": tuned, "this encoder": probes[1]}


@pytest.fixture(scope="module")
def record(clips, results):
    """As a record has it: through JSON."""
    metrics = json.loads(json.dumps(summarise(results, clips), allow_nan=False))
    return {"name": "some-probe", "metrics": metrics, "data": "ESC-10, 120 clips, CC BY 3.0"}


def test_a_summary_has_the_figures_of_each_result(clips, results, record):
    this = results["this encoder"]
    assert list(record["metrics"]) == list(results)
    for name, result in results.items():
        row = record["metrics"][name]
        means = np.atleast_2d(result.values).mean(axis=0)
        assert list(row["accuracy"].values()) == pytest.approx(means.tolist())
        assert list(row["accuracy"]) == ["1", "2", "3", "4"]
        assert row["mean"] == pytest.approx(means.mean())
        assert row["standard_deviation"] == pytest.approx(means.std(ddof=1))
        ends = bootstrap_interval(result, clips.labels, clips.folds, sources=clips.sources)
        assert row["interval_95"] == pytest.approx(ends)
        if name != "this encoder":
            p = paired_p_value(result, this, clips.labels, clips.folds, sources=clips.sources)
            assert row["p_against_this_encoder"] == pytest.approx(p, rel=0.005)
    metrics = record["metrics"]
    assert metrics["this encoder"]["p_against_this_encoder"] is None
    assert metrics["noisy"]["strengths"] == results["noisy"].strengths.tolist()
    tuned, result = metrics["fine-tuned"], results["fine-tuned"]
    assert tuned["seeds"]["1"]["3"] == result.values[1, 2]
    assert tuned["seed_standard_deviation"] == pytest.approx(result.seed_standard_deviation)
    assert tuned["last_loss"] == pytest.approx((1 + 3 + 5 + 7 + 9 + 11 + 13 + 15) / 8)
    assert tuned["seconds"] == 12.3


def test_the_table_is_that_of_the_record_in_per_cent(record):
    table = recorded_table(record, {"noisy": "with noise"})
    assert list(table.index) == ["chance", "with noise", "fine-tuned", "this encoder"]
    folds = [f"fold {fold}" for fold in range(1, 5)]
    ends = ["95 % from", "95 % to"]
    assert list(table) == [*folds, "mean", "standard deviation", *ends, "p", "p (Holm)"]
    for name, row in (("with noise", "noisy"), ("this encoder", "this encoder")):
        figures = record["metrics"][row]
        expected = [*figures["accuracy"].values(), figures["mean"]]
        expected += [figures["standard_deviation"], *figures["interval_95"]]
        shown = table.loc[name].iloc[:8].tolist()
        assert shown == pytest.approx([100 * value for value in expected], abs=0.05 + 1e-9)
    assert table.loc["with noise", "p (Holm)"] == record["metrics"]["noisy"]["p_holm"]
    assert np.isnan(table.loc["this encoder", ["p", "p (Holm)"]]).all()
    assert table.loc["chance", "mean"] == table.loc["chance", "fold 2"] == 33.3
    assert np.isnan(table.loc["chance", "p"])


def test_an_official_split_has_no_columns_of_folds(clips, results):
    part = linear_probe(np.eye(3)[clips.labels], clips.labels, clips.folds, test_folds=[4])
    record = {"name": "x", "metrics": summarise({"this encoder": part}, clips), "data": ""}
    table = recorded_table(record)
    assert list(table)[:2] == ["mean", "standard deviation"]
    assert table.loc["this encoder", "mean"] == 100
    assert np.isnan(table.loc["this encoder", "standard deviation"])


def test_the_confusions_of_a_record_are_those_of_its_result(clips, results, record):
    matrix, classes = recorded_matrix(record)
    assert classes == clips.classes
    np.testing.assert_array_equal(matrix, confusion_matrix(results["this encoder"], clips))
    found = recorded_confusions(record, most=4)
    assert len(found) > 1
    expected = most_confused(results["this encoder"], clips, most=4)
    assert found.to_dict() == expected.to_dict()


def test_several_classes_are_summarised_but_their_confusions_not_ranked(clips):
    rng = np.random.default_rng(1)
    labels = np.eye(3, dtype=bool)[clips.labels] | (rng.random((N, 3)) < 0.2)
    several = LabelledClips(
        "FSD50K", [], labels, clips.folds, clips.classes, "", clips.fold_names, clips.test_folds
    )
    result = linear_probe(labels + rng.standard_normal((N, 3)), labels, clips.folds)
    metrics = summarise({"this encoder": result}, several)
    record = {"name": "some-set", "metrics": metrics, "data": "FSD50K"}
    assert list(recorded_table(record).index) == ["this encoder"]
    assert recorded_table(record).loc["this encoder", "mean"] == round(100 * result.mean, 1)
    with pytest.raises(InputError, match="'some-set' have several classes"):
        recorded_confusions(record)


def test_a_record_of_something_else_is_refused():
    for metrics in ({"loss": [1.0]}, {"this encoder": {"mean": 0.5}}):
        record = {"name": "a-run", "metrics": metrics, "data": ""}
        for ask in (recorded_table, recorded_matrix, recorded_confusions):
            with pytest.raises(InputError, match="'a-run' is of no probe or fine-tuning"):
                ask(record)
