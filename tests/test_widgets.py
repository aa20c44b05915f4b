import base64
import io
import re
import subprocess
import sys
from dataclasses import fields
from html.parser import HTMLParser

import matplotlib as mpl
import numpy as np
import pytest
import soundfile
import torch
from matplotlib.figure import Figure
from PIL import Image

from audiopg import widgets
from audiopg.errors import InputError
from audiopg.synth import CLIP_SECONDS, EXCITATIONS, SynthPrior, render

mpl.use("Agg")


class Page(HTMLParser):
    """The elements of a piece of HTML in order, (tag, attributes), its text and its scripts."""

    VOID = ("img", "input")

    def __init__(self, html):
        super().__init__()
        self.elements, self.open, self.text, self.scripts = [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        (self.scripts if self.open and self.open[-1] == "script" else self.text).append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def decoded(attributes):
    """The samples and rate behind the src of an audio element."""
    kind, content = attributes["src"].split(",", 1)
    assert kind == "data:audio/mpeg;base64"
    return soundfile.read(io.BytesIO(base64.b64decode(content, validate=True)))


def dominant(samples, rate):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return spectrum.argmax() * rate / len(samples)


def tone(f0, seconds=1.0, rate=16000):
    return np.sin(2 * np.pi * f0 * np.arange(int(seconds * rate)) / rate)


def same(one, other):
    return all(torch.equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))


def figures(n):
    made = [Figure(figsize=(1, 1)) for _ in range(n)]
    for place, figure in enumerate(made):
        figure.text(0.5, 0.5, str(place))
    return made


def a_sweep(label="pitch", alt="A number"):
    frequencies = (220, 440, 880)
    waves = np.stack([tone(f0) for f0 in frequencies])
    return widgets.sweep(label, [f"{f0} Hz" for f0 in frequencies], waves, figures(3), alt)


# Players


@pytest.mark.parametrize("rate", [16000, 44100])
def test_player_plays_the_wave(rate):
    sound = widgets.player(torch.from_numpy(tone(440, 2.0, rate)), "a tone", rate)
    (audio,) = Page(sound._repr_html_()).all("audio")
    samples, decoded_rate = decoded(audio)
    assert decoded_rate == rate
    assert len(samples) == 2 * rate
    assert dominant(samples, rate) == pytest.approx(440, abs=1)
    assert np.abs(samples - tone(440, 2.0, rate)).max() < 0.05
    assert audio["aria-label"] == "a tone"
    assert "controls" in audio
    assert repr(sound) == "<player: a tone, 2.00 s>"


def test_ten_seconds_of_anything_stay_small():
    noise = np.random.default_rng(0).uniform(-1, 1, 163840)
    assert len(widgets.player(noise, "noise").mp3()) < 50_000


def test_player_scales_down_what_is_louder_than_full_scale():
    assert np.abs(widgets.player(4 * tone(440), "loud").wave).max() == 1
    quiet = (0.25 * tone(440)).astype(np.float32)
    np.testing.assert_array_equal(widgets.player(quiet, "quiet").wave, quiet)
    assert not widgets.player([0.0] * 50, "short silence").wave.any()


def test_labels_are_escaped():
    label = '<b>"loud" & clear</b>'
    page = Page(widgets.player(tone(440, 0.1), label)._repr_html_())
    assert [tag for tag, _ in page.elements] == ["figure", "figcaption", "audio"]
    assert page.all("audio")[0]["aria-label"] == label
    assert page.text == [label]
    page = Page(a_sweep(label, alt=label)._repr_html_())
    assert "b" not in [tag for tag, _ in page.elements]
    assert page.all("input")[0]["aria-label"] == label
    assert page.all("img")[0]["alt"] == f"{label}, 220 Hz"


@pytest.mark.parametrize(
    ("wave", "rate", "message"),
    [
        (np.zeros((2, 100)), 16000, r"'rain': the wave has shape \(2, 100\)"),
        (np.zeros(0), 16000, r"shape \(0,\)"),
        ([0.0, float("nan")], 16000, "NaN"),
        (torch.tensor([0.0, float("inf")]), 16000, "infinite"),
        (np.zeros(100), 96000, "96000 Hz; choose from"),
        ("loud", 16000, "no numbers"),
    ],
)
def test_player_refuses(wave, rate, message):
    with pytest.raises(InputError, match=message):
        widgets.player(wave, "rain", rate)


def test_players_stand_in_a_grid():
    waves = [tone(440, 0.2), tone(880, 0.1)]
    grid = widgets.players(waves, ["low", "high"], columns=2)
    page = Page(grid._repr_html_())
    assert [audio["aria-label"] for audio in page.all("audio")] == ["low", "high"]
    assert page.text == ["low", "high"]
    assert [len(decoded(audio)[0]) for audio in page.all("audio")] == [3200, 1600]
    assert "min(100%, 16rem)" in page.all("div")[0]["style"]
    assert repr(grid) == "<player: low, 0.20 s>\n<player: high, 0.10 s>"


def test_players_refuse():
    with pytest.raises(InputError, match="1 waves and 2 labels"):
        widgets.players([tone(440)], ["a", "b"])
    with pytest.raises(InputError, match="columns is 0"):
        widgets.players([tone(440)], ["a"], columns=0)


# Sliders without a kernel


def test_sweep_holds_every_sound_and_image():
    page = Page(a_sweep()._repr_html_())
    (slider,) = page.all("input")
    assert (slider["type"], slider["min"], slider["max"]) == ("range", "0", "2")
    assert slider["aria-label"] == "pitch"
    assert slider["aria-valuetext"] == "220 Hz"
    assert "".join(page.text) == "pitch: 220 Hz"
    for audio, f0 in zip(page.all("audio"), (220, 440, 880), strict=True):
        assert dominant(*decoded(audio)) == pytest.approx(f0, abs=1)
        assert audio["aria-label"] == f"pitch: {f0} Hz"
    drawn = []
    for image, f0 in zip(page.all("img"), (220, 440, 880), strict=True):
        assert image["alt"] == f"A number, {f0} Hz"
        content = base64.b64decode(image["src"].removeprefix("data:image/webp;base64,"))
        drawn.append(np.asarray(Image.open(io.BytesIO(content)).convert("RGBA")))
    assert not np.array_equal(drawn[0], drawn[1])


def test_without_scripts_the_first_frame_is_shown():
    frames = [d for d in Page(a_sweep()._repr_html_()).all("div") if "data-value" in d]
    assert [frame["data-value"] for frame in frames] == ["220 Hz", "440 Hz", "880 Hz"]
    assert ["hidden" in frame for frame in frames] == [False, True, True]


def test_sweep_is_one_piece_that_asks_no_one():
    html = a_sweep()._repr_html_()
    assert "http" not in html
    assert re.findall(r"\bsrc=(?!\"data:)|url\(|@import|<link|<script [^>]", html) == []
    page = Page(html)
    (identity,) = [element["id"] for _, element in page.elements if "id" in element]
    assert page.elements[0][1]["id"] == identity
    assert f'[id="{identity}"]' in page.scripts[0]
    assert "IDENTITY" not in html


def test_sweeps_are_named_by_what_they_show():
    assert a_sweep()._repr_html_() == a_sweep()._repr_html_()
    names = {
        re.search(r' id="([^"]+)"', one._repr_html_()).group(1)
        for one in (a_sweep(), a_sweep("loudness"), a_sweep(alt="A digit"))
    }
    assert len(names) == 3
    assert repr(a_sweep()) == "<slider: pitch, 220 Hz to 880 Hz>"


@pytest.mark.parametrize(("values", "waves", "drawn"), [(2, 3, 3), (3, 3, 2), (0, 0, 0)])
def test_sweep_refuses_numbers_that_differ(values, waves, drawn):
    with pytest.raises(InputError, match=f"{values} values, {waves} waves and {drawn} figures"):
        widgets.sweep("a", ["x"] * values, np.zeros((waves, 100)), figures(drawn), "b")


def test_synth_sweep_turns_one_factor():
    params = SynthPrior.preset("sine").sample(torch.tensor([4]), seed=2)
    page = Page(widgets.synth_sweep("f0", [110, 1234.5], params)._repr_html_())
    for audio, f0 in zip(page.all("audio"), (110, 1234.5), strict=True):
        samples, rate = decoded(audio)
        assert len(samples) == CLIP_SECONDS * rate
        assert dominant(samples, rate) == pytest.approx(f0, abs=1)
    assert page.all("input")[0]["aria-label"] == "fundamental f0"
    assert [d["data-value"] for d in page.all("div") if "data-value" in d] == ["110 Hz", "1234 Hz"]
    assert "seed 2, clip 4" in page.all("img")[0]["alt"]


def test_synth_sweep_of_names_and_of_shapes_that_depend_on_each_other():
    params = SynthPrior.preset("full").sample(torch.tensor([1]), seed=0)
    for factor, values in (("excitation", EXCITATIONS[:2]), ("length", (1.0, 9.0))):
        shown = widgets.synth_sweep(factor, values, params)
        assert not np.array_equal(shown.players[0].wave, shown.players[1].wave)
    assert shown.values == ("1 s", "9 s")
    longer = params.edit(length=9.0, onset=params.onset.clamp(max=CLIP_SECONDS - 9))
    torch.testing.assert_close(torch.from_numpy(shown.players[1].wave), render(longer)[0])
    short, long = widgets.synth_sweep("attack", (0.05, 0.3), params).players
    for sound, attack in ((short, 0.05), (long, 0.3)):
        expected = params.edit(attack=attack, release=1 - attack - params.decay)
        torch.testing.assert_close(torch.from_numpy(sound.wave), render(expected)[0])


def test_a_sweep_of_a_noisy_clip_stays_small():
    params = SynthPrior.preset("full").sample(torch.tensor([0]), seed=0)
    html = widgets.synth_sweep("noise_level", [0.1, 0.1], params)._repr_html_()
    assert len(html) / 2 < 1_000_000 / 8


@pytest.mark.parametrize(
    ("factor", "values", "clips", "message"),
    [
        ("pitch", [1.0], 1, "no slider turns 'pitch'"),
        ("f0", [1.0], 2, "2 clips; give one row"),
        ("f0", [], 1, "no values"),
        ("f0", [9000.0], 1, "f0 is 9000"),
        ("f0", ["high"], 1, "'high'; it takes a number"),
        ("excitation", ["organ"], 1, "'organ'; choose from"),
    ],
)
def test_synth_sweep_refuses(factor, values, clips, message):
    params = SynthPrior.preset("full").sample(torch.arange(clips), seed=0)
    with pytest.raises(InputError, match=message):
        widgets.synth_sweep(factor, values, params)


# The explorer


def heard(explorer):
    """The sound that the explorer's page plays."""
    (audio,) = Page(explorer.view.value).all("audio")
    return decoded(audio)[0]


@pytest.fixture(scope="module")
def shared():
    return widgets.explorer("full", 0, 7)


@pytest.fixture
def explorer(shared):
    """The explorer at (full, 0, 7), as drawn."""
    shared.preset.value, shared.seed.value = "full", 0
    shared.clip.value = 0
    shared.clip.value = 7
    return shared


def drawn(preset, seed, clip):
    return SynthPrior.preset(preset).sample(torch.tensor([clip]), seed)


def test_explorer_begins_with_the_clip_as_drawn(explorer):
    assert same(explorer.params, drawn("full", 0, 7))
    page = Page(explorer.view.value)
    assert page.all("audio")[0]["aria-label"] == "preset full, seed 0, clip 7"
    assert "preset full, seed 0, clip 7" in page.all("img")[0]["alt"]
    assert repr(explorer) == "<explorer: preset full, seed 0, clip 7>"
    expected = render(drawn("full", 0, 7))[0].numpy()
    assert np.corrcoef(heard(explorer), expected)[0, 1] > 0.99


def test_the_fundamental_is_heard_to_move():
    explorer = widgets.explorer("sine", seed=1, clip=5)
    for f0 in (440.0, 1200.0):
        explorer.sliders["f0"].value = f0
        assert (explorer.params.f0 == f0).all()
        assert dominant(heard(explorer), 16000) == pytest.approx(f0, abs=1)
    assert explorer.citation == "preset sine, seed 1, clip 5, edited"
    # One partial leaves nothing to count.
    assert explorer.sliders["partial_count"].layout.display == "none"


def test_edits_of_the_source_reach_every_event_and_those_of_an_event_only_the_first(explorer):
    before = explorer.params
    assert before.event_count[0] > 1
    explorer.sliders["f0"].value = 300.0
    explorer.sliders["sustain"].value = 0.25
    explorer.sliders["cutoff"].value = 1000.0
    after = explorer.params
    assert (after.f0 == 300).all()
    assert after.cutoff.tolist() == [1000.0]
    assert after.sustain[0, 0] == 0.25
    assert torch.equal(after.sustain[0, 1:], before.sustain[0, 1:])
    assert torch.equal(after.onset, before.onset)


def test_attack_takes_from_release_and_length_from_onset(explorer):
    before = explorer.params
    explorer.sliders["attack"].value = 0.3
    after = explorer.params
    assert after.attack[0, 0] == 0.3
    torch.testing.assert_close(
        after.attack + after.decay + after.release, torch.ones_like(after.f0)
    )
    assert torch.equal(after.release[0, 1:], before.release[0, 1:])
    explorer.sliders["onset"].value = 8.0
    explorer.sliders["length"].value = 5.0
    assert float(explorer.params.onset[0, 0]) == pytest.approx(CLIP_SECONDS - 5)
    assert explorer.sliders["onset"].value == pytest.approx(CLIP_SECONDS - 5)
    assert explorer.sliders["onset"].max == pytest.approx(CLIP_SECONDS - 5)


def test_only_what_is_heard_can_be_turned(explorer):
    for excitation, names in (
        ("harmonic", {"partial_count", "rolloff"}),
        ("fm", {"fm_index", "fm_ratio"}),
        ("square", set()),
    ):
        explorer.sliders["excitation"].value = excitation
        assert (explorer.params.excitation == EXCITATIONS.index(excitation)).all()
        shown = {n for n, w in explorer.sliders.items() if w.layout.display != "none"}
        assert shown & {"partial_count", "rolloff", "fm_index", "fm_ratio"} == names
        assert {"f0", "cutoff", "noise_level", "burst_amplitude"} <= shown


def test_every_slider_can_be_turned_to_both_ends(explorer, monkeypatch):
    monkeypatch.setattr(explorer, "redraw", lambda: None)
    for name, widget in explorer.sliders.items():
        if name == "excitation":
            continue
        for value in (widgets.FACTORS[name].low, widgets.FACTORS[name].high):
            widget.value = value
            expected = min(value, widget.max) if name in ("onset", "partial_count") else value
            assert float(getattr(explorer.params, name).flatten()[0]) == pytest.approx(expected)
    assert torch.isfinite(render(explorer.params)).all()


def test_surprise_me_draws_the_next_clip(explorer):
    explorer.sliders["f0"].value = 100.0
    explorer.surprise.click()
    assert explorer.clip.value == 8
    assert same(explorer.params, drawn("full", 0, 8))
    assert "preset full, seed 0, clip 8<" in explorer.view.value
    assert float(explorer.sliders["f0"].value) == float(drawn("full", 0, 8).f0[0, 0])


def test_preset_and_seed_draw_anew(explorer):
    explorer.preset.value = "dynamic"
    assert same(explorer.params, drawn("dynamic", 0, 7))
    explorer.seed.value = 3
    assert same(explorer.params, drawn("dynamic", 3, 7))
    assert repr(explorer) == "<explorer: preset dynamic, seed 3, clip 7>"


def test_explorer_is_live_with_a_kernel_and_a_slider_without(explorer):
    bundle = explorer._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"]
    page = Page(bundle["text/html"])
    names = [slider["aria-label"] for slider in page.all("input")]
    assert names == ["fundamental f0", "low-pass cutoff"]
    identities = [element["id"] for _, element in page.elements if "id" in element]
    assert len(set(identities)) == 2
    assert all(audio["aria-label"] for audio in page.all("audio"))
    assert all(image["alt"] for image in page.all("img"))
    assert bundle["text/plain"] == repr(explorer)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("loud",), "no preset is called 'loud'"),
        (("full", -1), "the seed is -1"),
        (("full", 0, 2**31), "the clip is 2147483648"),
    ],
)
def test_explorer_refuses(arguments, message):
    with pytest.raises(InputError, match=message):
        widgets.explorer(*arguments)


def test_a_plain_script_needs_neither_ipywidgets_nor_ipython():
    script = """
import sys
sys.modules["ipywidgets"] = sys.modules["IPython"] = None
import audiopg
assert "matplotlib" not in sys.modules
import matplotlib
matplotlib.use("Agg")
from audiopg import widgets
print(widgets.explorer("sine"), widgets.player([0.0] * 16000, "silence"))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout == ("<slider: fundamental f0, 55 Hz to 1760 Hz> <player: silence, 1.00 s>\n")
