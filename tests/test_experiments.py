import json
import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest
import soundfile
import torch

from audiopg import experiments as module
from audiopg.__main__ import main
from audiopg.datasets import LabelledClips
from audiopg.errors import InputError
from audiopg.experiments import (
    SCALES,
    Experiment,
    experiments,
    held_out_loss,
    is_recorded,
    link_files,
    recipe_steps,
    recipe_table,
    recordings,
    reproduce,
    training_files,
)
from audiopg.mae import MaskedAutoencoder, load_model
from audiopg.pretraining import RECIPES, PretrainSettings, pretrain
from audiopg.records import read_record

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
    muon = replace(SETTINGS, optimiser="muon")
    return [Experiment("one", SETTINGS, ("tones",)), Experiment("two", muon, ("tones", "absent"))]


def test_an_experiment_is_recorded_as_it_was_run(tmp_path, sets, two):
    assert reproduce(two, sets, out=tmp_path / "runs", progress=False, folder=tmp_path) == []
    for experiment in two:
        record = read_record(experiment.name, tmp_path)
        assert PretrainSettings(**record["settings"]) == experiment.settings
        plain = pretrain(experiment.settings, progress=False)
        assert record["metrics"]["loss"] == pytest.approx(plain.losses[-1].item(), abs=1e-6)
        assert record["metrics"]["held_out_loss"] == held_out_loss(plain.model, "full")
        probe = record["metrics"]["probes"]["tones"]
        assert probe["clips"] == 24
        assert list(probe["accuracy"]) == ["1", "2", "3"]
        assert probe["mean"] == pytest.approx(np.mean(list(probe["accuracy"].values())))
        assert probe["mean"] > 0.9
        assert record["data"] == (
            "8 clips synthesized from the 'full' prior; probed on tones (MIT)"
        )
        assert load_model(tmp_path / "runs" / experiment.name).architecture.width == 64


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


def test_a_spent_budget_leaves_a_run_that_goes_on(tmp_path, sets, two):
    out = tmp_path / "runs"
    assert reproduce(two, sets, out=out, minutes=0, progress=False, folder=tmp_path) == two
    assert not out.exists()
    # Over after the first step.
    assert reproduce(two, sets, out=out, minutes=1e-5, progress=False, folder=tmp_path) == two
    lines = (out / "one/metrics.jsonl").read_text().splitlines()
    assert 1 <= len(lines) < SETTINGS.steps
    assert read_record("one", tmp_path) is None
    assert reproduce(two, sets, out=out, progress=False, folder=tmp_path) == []
    lines = (out / "one/metrics.jsonl").read_text().splitlines()
    resumed = [json.loads(line)["loss"] for line in lines]
    assert resumed == pretrain(SETTINGS, progress=False).losses.tolist()
    # The budget is no part of what the experiment is.
    assert read_record("one", tmp_path)["settings"] == asdict(SETTINGS)


def test_recordings_are_learned_from_where_the_settings_name_sets(tmp_path, sets, monkeypatch):
    paths = sets["tones"].paths
    official = replace(sets["tones"], folds=np.arange(24) % 3 + 1, test_folds=[3])
    at_hand = {"crossed": sets["tones"], "official": official}
    monkeypatch.setattr(module, "find_dataset", lambda name, data: at_hand.get(name))
    assert training_files("crossed", tmp_path) == paths
    assert training_files("official", tmp_path) == paths[::3]
    with pytest.raises(InputError, match="absent is not at hand"):
        training_files("absent", tmp_path)

    real = Experiment("real", replace(SETTINGS, audio="crossed, official"), ("tones",))
    assert reproduce([real], sets, out=tmp_path, progress=False, folder=tmp_path) == []
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


def test_files_are_linked_whole_or_not_at_all(tmp_path, sets):
    paths = sets["tones"].paths[:2]
    (tmp_path / ".links.part/a").mkdir(parents=True)  # What a call that was killed has left.
    for _ in range(2):
        links = link_files({"a": [*paths, paths[0]]}, tmp_path / "links")
        assert [path.read_bytes() for path in sorted(links.rglob("*.wav"))] == [
            path.read_bytes() for path in (*paths, paths[0])
        ]
    assert [path.name for path in tmp_path.iterdir()] == ["links"]


@pytest.mark.parametrize("scale", SCALES)
def test_no_network_is_probed_on_a_set_that_it_has_learned_from(scale):
    real = [e for e in experiments(scale) if e.settings.audio]
    assert [e.probed for e in real] == [(name,) for name in module.PROBED]
    for experiment in real:
        assert not set(experiment.settings.audio.split(", ")) & set(experiment.probed)


@pytest.mark.parametrize("scale", SCALES)
def test_the_steps_of_the_recipe_change_one_thing_at_a_time(scale):
    paper = SCALES[scale]
    steps = recipe_steps(paper)
    assert steps.pop("paper") == paper
    fast = steps.pop("fast")
    if scale == "paper":
        assert replace(fast, compiled=True) == RECIPES["fast"]
    half = steps.pop("bfloat16")
    assert half == replace(paper, precision="bfloat16")
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
