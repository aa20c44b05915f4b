import itertools
import json
import shutil
import time
from contextlib import contextmanager
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from audiopg import checkpoints, environment, pretraining
from audiopg.book import reproduce as module
from audiopg.book.experiments import FEATURES, Experiment, is_recorded
from audiopg.book.reproduce import (
    estimated_minutes,
    freesound_ids,
    held_out_loss,
    link_files,
    part_of,
    recordings,
    reproduce,
    training_files,
)
from audiopg.datasets import LabelledClips, cached_waves
from audiopg.environment import PRECISIONS, provenance
from audiopg.errors import InputError
from audiopg.mae import Encoder, MaskedAutoencoder
from audiopg.pretrained import load_model, save_model
from audiopg.pretraining import PretrainSettings, pretrain
from audiopg.records import read_record
from audiopg.runs import read_metrics
from audiopg.transfer import compare_encoders
from audiopg.transfer.finetune import FinetuneSettings, finetune

SETTINGS = PretrainSettings(preset="micro", steps=4, batch_size=2, checkpoint_every=2)


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Tones and noise: a probe tells them apart."""
    folder = tmp_path_factory.mktemp("sounds")
    noise = np.random.default_rng(0)
    time = np.arange(16000) / 16000
    paths = []
    for clip in range(24):
        tone = np.sin(2 * np.pi * (300 + 20 * clip) * time)
        paths.append(folder / f"{clip}.wav")
        soundfile.write(paths[-1], tone if clip % 2 else noise.normal(0, 0.1, 16000), 16000)
    labels = np.arange(24) % 2
    folds = np.arange(24) // 2 % 3 + 1
    names = {fold: f"fold {fold}" for fold in (1, 2, 3)}
    tones = LabelledClips("tones", paths, labels, folds, ["noise", "tone"], "MIT", names, [1, 2, 3])
    return {"tones": tones, "not probed": tones}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOPG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def two():
    muon = replace(SETTINGS, optimiser="muon", precision="auto")
    return [Experiment("one", SETTINGS, ("tones",)), Experiment("two", muon, ("tones", "absent"))]


def test_an_experiment_is_recorded_as_it_was_run(tmp_path, sets, two):
    assert reproduce(two, sets, out=tmp_path / "runs", progress=False, folder=tmp_path) == []
    for experiment in two:
        record = read_record(experiment.name, tmp_path)
        settings = replace(experiment.settings, precision=record["settings"]["precision"])
        assert PretrainSettings(**record["settings"]) == settings
        assert is_recorded(experiment, tmp_path)
        assert settings.precision in PRECISIONS
        plain = pretrain(settings, progress=False)
        assert record["metrics"]["loss"] == pytest.approx(plain.losses[-1].item(), abs=1e-6)
        assert record["metrics"]["held_out_loss"] == held_out_loss(plain.model, "full")
        probe = record["metrics"]["probes"]["tones"]
        assert probe["clips"] == 24
        assert list(probe["accuracy"]) == ["1", "2", "3"]
        assert probe["mean"] == pytest.approx(np.mean(list(probe["accuracy"].values())))
        assert probe["mean"] > 0.9
        assert 0 <= probe["interval_95"][0] <= probe["mean"] <= probe["interval_95"][1] <= 1
        apart = record["metrics"]["probes_by_frequency"]["tones"]
        assert list(apart["accuracy"]) == ["1", "2", "3"]
        lines = read_metrics(tmp_path / "runs" / experiment.name / "metrics.jsonl")
        assert record["metrics"]["processor_seconds"] == pytest.approx(
            sum(line["processor_seconds"] for line in lines), abs=0.1
        )
        assert record["data"] == (
            "8 clips synthesized from the 'full' prior; probed on tones (MIT)"
        )
        assert load_model(tmp_path / "runs" / experiment.name).architecture.width == 64


def test_a_full_disk_of_records_is_known_before_the_work(tmp_path, sets, two, monkeypatch):
    records, usage = tmp_path / "records", shutil.disk_usage(tmp_path)
    full = lambda place: usage._replace(free=1000 if place == records else 1e12)  # noqa: E731
    monkeypatch.setattr(shutil, "disk_usage", full)
    records.mkdir()
    with pytest.raises(InputError, match=r"records has 1\.0 kB of room and needs about 500\.0 kB"):
        reproduce(two, sets, out=tmp_path / "runs", progress=False, folder=records)
    assert not (tmp_path / "runs").exists()


def test_what_is_recorded_is_not_run_again(tmp_path, sets, two, monkeypatch):
    out = tmp_path / "runs"
    reproduce(two[:1], sets, out=out, progress=False, folder=tmp_path)
    ran = []

    def note(settings, folder, **rest):
        ran.append(folder.name)
        return pretrain(settings, folder, **rest)

    monkeypatch.setattr(module, "pretrain", note)
    reproduce(two, sets, out=out, progress=False, folder=tmp_path)
    assert ran == ["two"]
    # Other settings under the same name are another experiment, whose folder is taken.
    changed = [Experiment("one", replace(SETTINGS, seed=1), ("tones",))]
    with pytest.raises(InputError, match="was run with seed = 0, not 1"):
        reproduce(changed, sets, out=out, progress=False, folder=tmp_path)


def test_a_spent_budget_leaves_a_run_that_goes_on(tmp_path, sets, two, monkeypatch):
    out = tmp_path / "runs"
    assert reproduce(two, sets, out=out, minutes=0, progress=False, folder=tmp_path) == two
    assert not out.exists()
    # A clock that goes a second at every look: the run begins within its minute, and every step
    # takes longer than what is left.
    seconds = itertools.count()
    with monkeypatch.context() as patched:
        clocks = {name: lambda: float(next(seconds)) for name in ("monotonic", "perf_counter")}
        for user in (module, pretraining, checkpoints):
            patched.setattr(user, "time", SimpleNamespace(**vars(time) | clocks))
        assert reproduce(two, sets, out=out, minutes=4 / 60, progress=False, folder=tmp_path) == two
    lines = (out / "one/metrics.jsonl").read_text().splitlines()
    assert 1 <= len(lines) < SETTINGS.steps
    assert read_record("one", tmp_path) is None
    assert reproduce(two, sets, out=out, progress=False, folder=tmp_path) == []
    lines = (out / "one/metrics.jsonl").read_text().splitlines()
    resumed = [json.loads(line)["loss"] for line in lines]
    assert resumed == pretrain(SETTINGS, progress=False).losses.tolist()
    # The budget is no part of what the experiment is.
    assert read_record("one", tmp_path)["settings"] == asdict(SETTINGS)


def test_recordings_are_learned_from_where_the_settings_name_sets(tmp_path, sets):
    paths = sets["tones"].paths
    official = replace(sets["tones"], folds=np.arange(24) % 3 + 1, test_folds=[3])
    assert training_files(sets["tones"]) == paths
    assert training_files(official) == training_files(official, "last") == paths[::3]
    but_the_last = [path for clip, path in enumerate(paths) if clip // 2 % 3 != 2]
    assert training_files(sets["tones"], "last") == but_the_last

    at_hand = sets | {"crossed": sets["tones"], "official": official}
    absent = Experiment("absent", replace(SETTINGS, audio="crossed, esc50"), ("tones",))
    with pytest.raises(InputError, match="esc50 is not at hand"):
        reproduce([absent], at_hand, out=tmp_path, progress=False, folder=tmp_path)
    real = Experiment("real", replace(SETTINGS, audio="crossed, official"), ("tones",))
    assert reproduce([real], at_hand, out=tmp_path, progress=False, folder=tmp_path) == []
    record = read_record("real", tmp_path)
    assert is_recorded(real, tmp_path)
    assert record["settings"]["audio"] == "crossed, official"
    assert record["data"] == (
        "8 windows of the recordings of crossed (24 files) and official (8 files); "
        "probed on tones (MIT)"
    )
    folder = tmp_path / "plain"
    for name, files in (("crossed", paths), ("official", paths[::3])):
        (folder / name).mkdir(parents=True)
        for number, path in enumerate(files):
            shutil.copy(path, folder / name / f"{number:06d}.wav")
    plain = pretrain(replace(SETTINGS, audio=folder), progress=False)
    assert record["metrics"]["loss"] == pytest.approx(plain.losses[-1].item(), abs=1e-6)


def test_recordings_that_the_probed_set_has_too_are_not_learned_from(tmp_path, sets):
    def named(names):
        paths = [tmp_path / "data" / name for name in names]
        for path, tone in zip(paths, sets["tones"].paths, strict=True):
            path.parent.mkdir(exist_ok=True)
            shutil.copy(tone, path)
        return replace(sets["tones"], paths=paths)

    # Recordings 0 to 11, two clips each, and 3, 5, ... 13, four each; names of words have no such number.
    esc10 = named([f"1-{n // 2}-{'AB'[n % 2]}-0.wav" for n in range(24)])
    slices = named([f"{n // 4 * 2 + 3}-3-{n % 4}-0.wav" for n in range(24)])
    words = named([f"{n // 2}_nohash_{n % 2}.wav" for n in range(24)])
    at_hand = {"esc10": esc10, "urbansound8k": slices, "speech_commands": words}
    assert {*freesound_ids("esc10", esc10)} & {*freesound_ids("urbansound8k", slices)} == {
        *("3", "5", "7", "9", "11")
    }
    audio = replace(SETTINGS, audio="urbansound8k, speech_commands")
    real = Experiment("real", audio, ("esc10",))
    same = Experiment("same", replace(SETTINGS, audio="esc10"), ("esc10",))
    assert reproduce([real, same], at_hand, out=tmp_path, progress=False, folder=tmp_path) == []
    record = read_record("real", tmp_path)
    assert "recordings of urbansound8k (4 files) and speech_commands (24 files)" in record["data"]
    kept = sorted(path.readlink().name for path in tmp_path.glob("audio-urb*-for-esc10/urban*/*"))
    assert kept == [f"13-3-{n}-0.wav" for n in range(4)]
    assert "recordings of esc10 (24 files)" in read_record("same", tmp_path)["data"]


def test_files_are_linked_whole_or_not_at_all(tmp_path, sets):
    paths = sets["tones"].paths[:2]
    for _ in range(2):
        links = link_files({"a": [*paths, paths[0]]}, tmp_path / "links")
        assert [path.read_bytes() for path in sorted(links.rglob("*.wav"))] == [
            path.read_bytes() for path in (*paths, paths[0])
        ]
    assert [path.name for path in tmp_path.iterdir()] == ["links"]
    # A folder of this name is not taken for this one.
    with pytest.raises(InputError, match=r"links holds links to other recordings than those of a;"):
        link_files({"a": paths}, tmp_path / "links")


@pytest.mark.parametrize("left", [[1e-5, -1e-7], [1e-5, 1e-9], [1.0, 1e-9]])
def test_a_budget_may_end_at_any_moment(tmp_path, sets, two, monkeypatch, left):
    minutes = iter(left)
    monkeypatch.setattr(module._Workshop, "minutes_left", property(lambda _: next(minutes, -1.0)))
    run = {"out": tmp_path / "runs", "minutes": 1.0, "progress": False, "folder": tmp_path}
    assert reproduce(two[:1], sets, **run) == two[:1]


@pytest.mark.parametrize("others", [slice(2), slice(3)])
def test_links_that_another_process_has_made_meanwhile_are_taken(
    tmp_path, sets, monkeypatch, others
):
    real, paths = environment.atomic_folder, sets["tones"].paths

    @contextmanager
    def second(folder):
        with real(folder) as made:
            monkeypatch.setattr(environment, "atomic_folder", real)
            link_files({"a": paths[others]}, folder)
            yield made

    monkeypatch.setattr(environment, "atomic_folder", second)
    ours = {"a": paths[:2]}
    if others == slice(2):
        assert len(list(link_files(ours, tmp_path / "links").glob("a/*"))) == 2
    else:
        with pytest.raises(InputError, match="links to other recordings than those of a; delete"):
            link_files(ours, tmp_path / "links")
    assert [path.name for path in tmp_path.iterdir()] == ["links"]


def test_a_network_goes_on_from_another_s(tmp_path, sets, two):
    """What it goes on from is trained first, and has a record only where that is asked for."""
    first = two[0]
    onward = Experiment(
        "onward", replace(SETTINGS, audio="tones"), ("tones",), part="last", start=first
    )
    out = tmp_path / "runs"
    assert reproduce([onward], sets, out=out, minutes=1e-5, progress=False, folder=tmp_path) == [
        onward
    ]
    assert not (out / "onward").exists()
    assert reproduce([onward], sets, out=out, progress=False, folder=tmp_path) == []
    assert read_record("one", tmp_path) is None
    record = read_record("onward", tmp_path)
    assert record["settings"]["start"] == "one"
    assert is_recorded(onward, tmp_path)
    assert not is_recorded(replace(onward, start=None), tmp_path)
    assert list(record["metrics"]["probes"]["tones"]["accuracy"]) == ["3"]
    assert "no recording of it was learned from" in record["protocol"]

    files = link_files({"tones": training_files(sets["tones"], "last")}, tmp_path / "plain")
    start = pretrain(SETTINGS, tmp_path / "start", progress=False).model
    save_model(start, tmp_path / "start.safetensors")
    settings = replace(SETTINGS, audio=files, start=tmp_path / "start.safetensors")
    plain = pretrain(settings, progress=False)
    assert record["metrics"]["loss"] == pytest.approx(plain.losses[-1].item(), abs=1e-6)


def test_two_experiments_may_share_a_run(tmp_path, sets, two, monkeypatch):
    final = replace(two[0], name="final", part="final", run="one")
    reproduce(two[:1], sets, out=tmp_path / "runs", progress=False, folder=tmp_path)
    before = (tmp_path / "runs/one/metrics.jsonl").read_text()
    assert reproduce([final], sets, out=tmp_path / "runs", progress=False, folder=tmp_path) == []
    assert (tmp_path / "runs/one/metrics.jsonl").read_text() == before
    one, other = read_record("one", tmp_path), read_record("final", tmp_path)
    assert other["metrics"]["loss"] == one["metrics"]["loss"]
    assert list(other["metrics"]["probes"]["tones"]["accuracy"]) == ["3"]


def test_a_long_run_is_probed_on_its_way(tmp_path, sets, two, monkeypatch):
    settings = replace(SETTINGS, steps=5, cooldown_steps=1)
    long = Experiment("long", settings, ("tones",), milestones=(1, 3))
    out = tmp_path / "runs"
    seen = []

    def stop_at_the_second(model, prior):
        seen.append(model)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return 1.0

    monkeypatch.setattr(module, "held_out_loss", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        reproduce([long], sets, out=out, progress=False, folder=tmp_path)
    assert read_record("long", tmp_path) is None
    monkeypatch.setattr(module, "held_out_loss", held_out_loss)
    assert reproduce([long], sets, out=out, progress=False, folder=tmp_path) == []
    metrics = read_record("long", tmp_path)["metrics"]
    assert list(metrics["milestones"]) == ["2", "6"]
    # What was done before the interruption is not done again.
    assert metrics["milestones"]["2"]["held_out_loss"] == 1.0
    short = pretrain(replace(SETTINGS, steps=3), progress=False)
    stage = metrics["milestones"]["6"]
    assert stage["held_out_loss"] == held_out_loss(short.model, "full")
    assert stage["probes"]["tones"]["clips"] == 24
    plain = pretrain(settings, progress=False)
    assert metrics["held_out_loss"] == held_out_loss(plain.model, "full")
    assert stage["processor_seconds"] <= metrics["processor_seconds"]


def test_figures_of_two_sets_of_recordings_are_never_one_record(tmp_path, sets, monkeypatch):
    long = Experiment("long", SETTINGS, ("tones",), milestones=(1, 3))
    places = {"out": tmp_path / "runs", "progress": False, "folder": tmp_path}
    figures, seen = module._figures, []

    def stop_at_the_second(*asked):
        if seen:
            raise KeyboardInterrupt
        seen.append(figures(*asked))
        return seen[0]

    with monkeypatch.context() as stopping:
        stopping.setattr(module, "_figures", stop_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            reproduce([long], sets, **places)
    tones = sets["tones"]
    others = [tmp_path / path.name for path in tones.paths]
    for path, other in zip(tones.paths, others, strict=True):
        wave, rate = soundfile.read(path)
        soundfile.write(other, wave[::-1], rate)
    turned = replace(tones, labels=1 - tones.labels)
    for changed in (replace(tones, paths=others), turned):
        with pytest.raises(InputError, match=r"other recordings of tones .*another folder \(--out"):
            reproduce([long], {"tones": changed}, **places)
    assert read_record("long", tmp_path) is None
    assert reproduce([long], sets, **places) == []
    stages = read_record("long", tmp_path)["metrics"]["milestones"]
    assert list(stages) == ["2", "6"]
    assert stages["2"] == seen[0]


@pytest.mark.parametrize("content", ["null", "[]", '"x"', "5", "{}"])
@pytest.mark.parametrize("entry", ["2", "of"])
def test_an_entry_of_the_milestones_that_is_damaged_is_refused(tmp_path, sets, entry, content):
    long = Experiment("long", SETTINGS, ("tones",), milestones=(1,))
    kept = tmp_path / "runs/long/milestones.json"
    kept.parent.mkdir(parents=True)
    if (entry, content) == ("of", "{}"):
        content = "true"
    kept.write_text(f'{{"{entry}": {content}}}')
    with pytest.raises(
        InputError, match=rf"milestones\.json is damaged at '{entry}'; delete the run"
    ):
        reproduce([long], sets, out=tmp_path / "runs", progress=False, folder=tmp_path)


@pytest.mark.parametrize("content", ["[]", "3", "null", "{"])
def test_milestones_that_are_damaged_are_refused(tmp_path, sets, content):
    long = Experiment("long", SETTINGS, ("tones",), milestones=(1,))
    kept = tmp_path / "runs/long/milestones.json"
    kept.parent.mkdir(parents=True)
    kept.write_text(content)
    with pytest.raises(InputError, match=r"milestones\.json is damaged: it .*; delete the run\."):
        reproduce([long], sets, out=tmp_path / "runs", progress=False, folder=tmp_path)


def test_milestones_are_those_of_a_run_that_another_goes_on_from_first(tmp_path, sets):
    long = Experiment("long", SETTINGS, ("tones",), milestones=(1,))
    after = Experiment("after", SETTINGS, ("tones",), start=long)
    places = {"out": tmp_path / "runs", "progress": False, "folder": tmp_path}
    assert reproduce([after, long], sets, **places) == []
    metrics = json.loads((tmp_path / "long.json").read_text())["metrics"]
    assert list(metrics["milestones"]) == [str(SETTINGS.batch_size)]


def test_milestones_of_another_run_are_not_recorded(tmp_path, sets):
    long = Experiment("long", SETTINGS, ("tones",), milestones=(1,))
    kept = tmp_path / "runs/long/milestones.json"
    kept.parent.mkdir(parents=True)
    kept.write_text('{"2": {"held_out_loss": 77, "probe_seconds": 1}}')
    with pytest.raises(InputError, match=r"holds milestones\.json of another run, whose settings"):
        reproduce([long], sets, out=tmp_path / "runs", progress=False, folder=tmp_path)
    assert read_record("long", tmp_path) is None


def test_steps_that_are_taken_again_do_not_lengthen_the_budget(tmp_path, sets, two, monkeypatch):
    run = tmp_path / "one"
    pretrain(SETTINGS, run, progress=False)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    # Killed after the fourth step, before its checkpoint.
    shutil.rmtree(run / "step-00000004")
    lines[3]["seconds"] = 6000.0
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    asked = []

    def record(settings, *arguments, **options):
        asked.append(settings.minutes)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "pretrain", record)
    with pytest.raises(KeyboardInterrupt):
        reproduce(
            two[:1], sets, out=tmp_path, minutes=2, progress=False, folder=tmp_path / "records"
        )
    assert 0 < asked[0] - lines[1]["seconds"] / 60 <= 2


def test_a_budget_that_is_no_number_is_not_taken_for_none(tmp_path, sets, two):
    with pytest.raises(InputError, match=r"minutes \(--budget\) is nan; give a number"):
        reproduce(two, sets, out=tmp_path, minutes=float("nan"), folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_device_that_is_not_there_is_refused(tmp_path, sets, two):
    with pytest.raises(InputError, match="the device 'nonsense' cannot be used"):
        reproduce(two, sets, out=tmp_path / "runs", device="nonsense", folder=tmp_path)


def test_controls_are_probed_beside_what_was_trained(tmp_path, sets):
    rows = [Experiment(kind, SETTINGS, ("tones",), features=kind) for kind in FEATURES[1:]]
    assert reproduce(rows, sets, out=tmp_path / "runs", progress=False, folder=tmp_path) == []
    clips = sets["tones"]
    waves = cached_waves(clips, progress=False)
    native = [waves.native(row) for row in range(len(clips))]
    expected = compare_encoders(
        clips, native, {"untrained": Encoder.preset("micro")}, native=True, progress=False
    )
    for kind, row in (("untrained", "untrained"), ("log-mel", "log-mel mean and deviation")):
        record = read_record(kind, tmp_path)
        assert record["settings"]["features"] == kind
        found = record["metrics"]["probes"]["tones"]
        assert list(found["accuracy"].values()) == expected[row].accuracy.tolist()
        assert is_recorded(rows[FEATURES.index(kind) - 1], tmp_path)
    assert not (tmp_path / "runs").exists()


def test_the_strength_is_chosen_on_an_official_validation_part(sets):
    clips = sets["tones"]
    names = {1: "training", 2: "validation", 3: "testing"}
    official = replace(clips, fold_names=names, test_folds=[3])
    encoder = Encoder.preset("micro")
    waves = cached_waves(clips, progress=False)
    native = [waves.native(row) for row in range(len(clips))]
    expected = compare_encoders(
        official, native, {"one": encoder}, native=True, controls=False, progress=False
    )["one"]
    found = module.probe(encoder, official, progress=False)["probes"]
    assert found["accuracy"] == {"3": expected.accuracy[0]}
    assert found["mean"] != pytest.approx(0.5)
    developed = module.probe(encoder, official, "development", progress=False)["probes"]
    assert (list(developed["accuracy"]), developed["clips"]) == (["2"], 16)


TUNING = FinetuneSettings(
    native_length=True,
    epochs=2,
    batch_size=4,
    mixup=0.0,
    checkpoint_seconds=0.0,
    precision="auto",
)


def test_fine_tuning_is_set_beside_its_control(tmp_path, sets, two):
    fine = Experiment("fine", TUNING, ("tones",), start=two[0])
    control = replace(fine, name="control", start=None, settings=replace(TUNING, preset="micro"))
    fine = replace(fine, beside=(control,))
    out = tmp_path / "runs"
    assert reproduce([fine], sets, out=out, progress=False, folder=tmp_path) == []
    record = read_record("fine", tmp_path)
    assert is_recorded(fine, tmp_path)
    assert record["settings"]["precision"] in PRECISIONS
    assert not is_recorded(replace(fine, settings=replace(TUNING, epochs=3)), tmp_path)
    assert list(record["metrics"]) == ["control", "this encoder"]
    assert record["settings"]["beside"] == {"control": {"start": None, "preset": "micro"}}
    clips = sets["tones"]
    waves = cached_waves(clips, progress=False)
    start = pretrain(SETTINGS, tmp_path / "start", progress=False).model.encoder
    for row, settings, weights in (
        ("this encoder", TUNING, start),
        ("control", control.settings, None),
    ):
        plain = finetune(settings, clips, waves, weights, progress=False)
        assert record["metrics"][row]["mean"] == plain.mean
    absent = replace(fine, name="absent", sets=("nowhere",))
    with pytest.raises(InputError, match="nowhere is not at hand"):
        reproduce([absent], sets, out=out, progress=False, folder=tmp_path)
    # The time is over before the first fold.
    other = replace(fine, name="other", beside=())
    assert reproduce([other], sets, out=out, minutes=0, progress=False, folder=tmp_path) == [other]
    assert not (out / "other").exists()


def test_the_folds_for_development_and_those_left_alone_have_none_in_common(sets):
    clips = sets["tones"]
    folds = clips.folds
    for part, kept, tested in (
        ("all", folds > 0, [1, 2, 3]),
        ("last", folds > 0, [3]),
        ("development", folds < 3, [1, 2]),
        ("final", folds > 0, [3]),
    ):
        rows, found = part_of(clips, part)
        assert rows.tolist() == np.flatnonzero(kept).tolist()
        assert found == tested
    # Training, validation, testing.
    official = replace(clips, test_folds=[3])
    for part, kept, tested in (
        ("all", folds > 0, [3]),
        ("last", folds > 0, [3]),
        ("development", folds < 3, [2]),
        ("final", folds > 0, [3]),
    ):
        rows, found = part_of(official, part)
        assert rows.tolist() == np.flatnonzero(kept).tolist()
        assert found == tested


def test_time_is_estimated_from_records_of_the_same_device_where_there_are_some(tmp_path, two):
    experiment = replace(two[0], settings=replace(SETTINGS, steps=100))
    # Somebody's own files, and a record of before there were so many settings.
    (tmp_path / "my.notes.json").write_text("{}")
    (tmp_path / "list.json").write_text("[]")
    assert estimated_minutes(experiment, tmp_path) is None
    (tmp_path / "one.json").write_text('{"settings": {"preset": "micro"}}')
    assert not is_recorded(two[0], tmp_path)
    for path in tmp_path.iterdir():
        path.unlink()
    here = provenance()["device"]
    model = module._model_of({"device": here})

    def write(name, seconds, device, preset, **more):
        record = {
            "settings": {**asdict(replace(SETTINGS, preset=preset)), **more},
            "metrics": {"probes": {}, "probe_seconds": 30.0, "processor_seconds": seconds},
            "seconds": 2 * seconds,
            "device": device,
            "date": f"2026-01-0{len(list(tmp_path.iterdir())) + 1}",
        }
        (tmp_path / f"{name}.json").write_text(json.dumps(record))

    write("e", 1e6, here, "tiny")
    write("f", 1e6, here, "micro", features="untrained")
    assert estimated_minutes(experiment, tmp_path) is None
    write("old", 1e6, "another, 1 thread", "micro")
    write("elsewhere", 4.0, "a third, 2 threads", "micro")
    # 4 s for 8 clips, and 30 s to probe.
    assert estimated_minutes(experiment, tmp_path) == (
        pytest.approx((100 + 30) / 60),
        "a third",
    )
    write("a", 8.0, here.replace("1 thread", "4 threads"), "micro")
    write("b", 16.0, here, "micro")
    write("c", 24.0, here, "micro")
    assert estimated_minutes(experiment, tmp_path) == (pytest.approx((200 * 2 + 30) / 60), model)
    control = replace(experiment, features="untrained")
    assert estimated_minutes(control, tmp_path) == (pytest.approx(0.5), model)


@pytest.mark.parametrize(
    "wrong",
    [
        {"settings": "abc"},
        {"metrics": "probes"},
        {"metrics": {"probes": {}}, "seconds": None},
        {"settings": {"preset": "micro"}},
        {"settings": {"preset": "micro", "steps": 0, "batch_size": 2}},
        {"device": 3},
        {"date": 2026},
    ],
)
def test_a_record_that_is_not_as_expected_estimates_nothing(tmp_path, wrong):
    experiment = Experiment("one", SETTINGS)
    right = {
        "settings": asdict(SETTINGS),
        "metrics": {"probes": {}},
        "seconds": 60.0,
        "device": "here",
        "date": "2026-01-01",
    }
    (tmp_path / "right.json").write_text(json.dumps(right))
    (tmp_path / "wrong.json").write_text(json.dumps(right | wrong))
    assert estimated_minutes(experiment, tmp_path) == (pytest.approx(1.0), "here")


def test_the_held_out_loss_is_the_mean_over_256_clips():
    model = MaskedAutoencoder.preset("micro", seed=3).eval()
    wave = module.render(module.SynthPrior.preset("sine").sample(module._HELD_OUT[:40], seed=0))
    slow = []
    with torch.no_grad():
        for clip, sound in zip(module._HELD_OUT[:40], wave, strict=True):
            output = model(model.encoder.log_mel(sound[None]), clip[None], seed=0)
            slow.append(output.loss.item())
    short = pytest.MonkeyPatch()
    short.setattr(module, "_HELD_OUT", module._HELD_OUT[:32])
    try:
        found = held_out_loss(model, "sine")
    finally:
        short.undo()
    assert found == pytest.approx(np.mean(slow[:32]), rel=1e-4)


@pytest.mark.parametrize("make", [False, True])
def test_without_recordings_it_says_what_to_do(tmp_path, make):
    with pytest.raises(InputError, match=r"name a folder with ESC-50 .* in AUDIOPG_DATA"):
        recordings(tmp_path if make else None)
