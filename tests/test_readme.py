"""The README's first screen says what the records say, in their order; and its Python runs."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiopg.book.experiments import gains
from audiopg.records import read_record, read_table
from audiopg.synth import read_scene, render

README = (Path(__file__).parents[1] / "README.md").read_text()
FOUND = README.partition("## Two commands")[0]
# Every figure with an interval: the record, and its row.
ACCURACIES = [
    ("finetune-esc10-tiny", "this encoder"),
    ("finetune-esc10-tiny", "finetune-esc10-scratch-tiny"),
    ("scratch-120-epochs-esc10-tiny", "this encoder"),
    ("finetune-urbansound8k-tiny", "this encoder"),
    ("finetune-urbansound8k-tiny", "finetune-urbansound8k-scratch-tiny"),
    ("scratch-20-epochs-urbansound8k-tiny", "this encoder"),
    ("probe-esc10-tiny-native", "this encoder"),
    ("probe-esc10-tiny-native", "log-mel mean and deviation"),
    ("probe-speech_commands-tiny", "this encoder"),
    ("probe-speech_commands-tiny", "log-mel mean and deviation"),
    ("probe-speech_commands-tiny", "this encoder, frequency pooling"),
    ("probe-speech_commands-tiny", "random encoder, frequency pooling"),
]
DETERMINATION = [
    ("log f0", "this encoder"),
    ("log f0", "random encoder"),
    ("onset", "this encoder"),
    ("onset", "random encoder"),
]


def test_every_figure_is_that_of_its_record():
    figures = []
    for name, row in ACCURACIES:
        accuracy = read_record(name)["metrics"][row]
        figures.append([100 * accuracy["mean"], *(100 * end for end in accuracy["interval_95"])])
    table = read_table(read_record("analysis-tiny")["metrics"]["ridge"])
    for row in DETERMINATION:
        found = table.set_index(["factor", "embeddings"]).loc[row]
        figures.append([found["R²"], found["low"], found["high"]])
    said = re.findall(r"([\d.]+) \[([\d.]+), ([\d.]+)\]", FOUND.replace("\n", " "))
    assert len(said) == len(figures)
    for texts, values in zip(said, figures, strict=True):
        # Half of the last digit that is shown.
        half = 0.5 * 10.0 ** -len(texts[0].partition(".")[2])
        assert [float(text) for text in texts] == pytest.approx(values, abs=half + 1e-9)


def test_clips_and_minutes_are_those_of_the_weights():
    record = read_record("pretrain-tiny")
    settings, minutes = record["settings"], round(record["seconds"] / 60)
    told = " ".join(FOUND.split())
    assert f"{settings['steps'] * settings['batch_size']:,} synthetic clips" in told
    assert f"{minutes} minutes on one" in told
    card = (Path(__file__).parents[1] / "audiopg/weights/tiny.md").read_text()
    assert f"{minutes} minutes by the clock" in card


def test_findings_of_chapters_are_those_of_records():
    def of(name):
        return read_record(name)["metrics"]

    synth, stopped = of("bench-synth"), read_record("pretrain-base-stopped")
    encoding = of("bench-angles")["encoding"]
    angles = [encoding[n]["standardised"]["factors"]["angle"] for n in ("trained", "untrained")]
    adapted = gains("adapt-to-speech_commands-cpu", "before-adapting-cpu")
    extended = gains("extended-cpu", "curriculum-full-cpu")
    words = ("Speech Commands", "Speech Commands by frequency")
    expected = {
        "01": [synth["milliseconds_a_clip"]["CPU, 1 thread"]["render"]],
        "03": [
            100 * len(stopped["metrics"]["loss"]) / stopped["settings"]["steps"],
            stopped["seconds"],
        ],
        "04": [
            100 * of("packaged-encoders")["voice activity (Silero)"]["mean"],
            100 * of("probe-esc10-tiny-native")["this encoder"]["mean"],
        ],
        "06": [bound(each) for each in angles for bound in (min, max)],
        "08": [-adapted[each][0] for each in words],
        "09": [-extended[each][0] for each in words],
    }
    for chapter, values in expected.items():
        (told,) = re.findall(rf"notebooks/{chapter}_\w+\.ipynb\) \| (.*) \|", README)
        told = re.findall(r"(?<![-\w])\d+(?:\.\d+)?", told)
        for text, value in zip(told, values, strict=True):
            half = 0.5 * 10.0 ** -len(text.partition(".")[2])
            assert float(text) == pytest.approx(value, abs=half + 1e-9), chapter
    ratios = synth["ratios"]["a clip of `full`, in a batch of 16"]
    assert f"takes {ratios['the same without numba']:.1f} of the time" in README


def test_its_python_runs_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    channels = np.random.default_rng(0).uniform(-0.5, 0.5, (44100, 2))
    soundfile.write("recording.wav", channels, 44100)
    found = {}
    for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        exec(block, found)  # what a reader would copy
    assert found["loss"].isfinite()
    assert found["embedding"].shape == (192,)
    assert (found["clip"].f0 == 440).all()
    # The sound that was saved is that of the scene that was saved.
    sound, rate = soundfile.read("clip.wav", dtype="float32")
    again = render(read_scene("scene.json"))[0].numpy()
    assert rate == 16000
    np.testing.assert_allclose(sound, again, rtol=0, atol=2**-15)
