import base64
import io
import json
import re
import subprocess
import sys
from dataclasses import fields, replace
from html.parser import HTMLParser
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from audiopg.book import plots, widgets
from audiopg.errors import InputError
from audiopg.frontend import LogMel
from audiopg.mae import MaskedAutoencoder, unpatchify
from audiopg.pretraining import PretrainSettings, pretrain
from audiopg.synth import (
    CLIP_SECONDS,
    EXCITATIONS,
    PRESETS,
    ClipParameters,
    SynthPrior,
    from_scene,
    read_scene,
    render,
)

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
    assert kind in ("data:audio/mpeg;base64", "data:audio/wav;base64")
    return soundfile.read(io.BytesIO(base64.b64decode(content, validate=True)))


def dominant(samples, rate):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return spectrum.argmax() * rate / len(samples)


def tone(f0, seconds=1.0, rate=16000):
    return np.sin(2 * np.pi * f0 * np.arange(int(seconds * rate)) / rate)


def same(one, other):
    return all(torch.equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))


def pictured(label="pitch", alt="A number"):
    """Three tones, each with a picture that is a flat grey of its own."""
    sounds = []
    for place, f0 in enumerate((220, 440, 880)):
        Image.new("L", (8, 8), 60 * place).save(buffer := io.BytesIO(), "webp")
        sound = widgets.player(tone(f0), f"{label}: {f0} Hz")
        sounds.append(replace(sound, picture=buffer.getvalue(), alt=f"{alt}, {f0} Hz"))
    return sounds


def a_sweep(label="pitch", alt="A number"):
    return widgets.sweep(label, ["220 Hz", "440 Hz", "880 Hz"], pictured(label, alt))


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


def test_a_live_player_has_every_sample():
    sound = widgets.player(0.9 * tone(440, 0.5), "a tone")
    (audio,) = Page(sound.html(live=True)).all("audio")
    samples, rate = decoded(audio)
    assert rate == 16000
    np.testing.assert_allclose(samples, sound.wave, atol=2**-15)


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


@pytest.mark.parametrize("wave", [[0.0, float("nan")], torch.tensor([0.0, float("inf")])])
def test_player_refuses_what_is_no_sound(wave):
    with pytest.raises(InputError, match="'rain': the wave holds NaN or infinite"):
        widgets.player(wave, "rain")


def test_players_stand_in_a_grid():
    waves = [tone(440, 0.2), tone(880, 0.1)]
    grid = widgets.players(waves, ["low", "high"], columns=2)
    page = Page(grid._repr_html_())
    assert [audio["aria-label"] for audio in page.all("audio")] == ["low", "high"]
    assert page.text == ["low", "high"]
    assert [len(decoded(audio)[0]) for audio in page.all("audio")] == [3200, 1600]
    assert "min(100%, 13rem)" in page.all("div")[0]["style"]
    assert repr(grid) == "<player: low, 0.20 s>\n<player: high, 0.10 s>"


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


def test_a_sweep_of_figures_has_pictures_and_no_sound():
    plt = widgets.plots.plt
    figures = {}
    for height in (1, 2):
        figure, axis = plt.subplots(figsize=(2, 1))
        axis.bar([0], [height])
        figures[f"{height} m"] = figure
    shown = widgets.figure_sweep("height", figures, ["One bar", "A <taller> bar"])
    assert repr(shown) == "<slider: height, 1 m to 2 m>"
    page = Page(shown._repr_html_())
    images = page.all("img")
    assert [image["alt"] for image in images] == ["One bar", "A <taller> bar"]
    assert images[0]["src"] != images[1]["src"]
    assert all(image["src"].startswith("data:image/webp;base64,") for image in images)
    assert page.all("audio") == []
    assert not any(plt.fignum_exists(figure.number) for figure in figures.values())


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


def test_a_slider_of_a_clip_starts_at_the_value_that_is_nearest_to_its_own():
    params = SynthPrior.preset("sine").sample(torch.tensor([4]), seed=2).edit(f0=300.0)
    page = Page(widgets.synth_sweep("f0", [110, 220, 320, 640], params)._repr_html_())
    frames = [d for d in page.all("div") if "data-value" in d]
    assert [frame["data-value"] for frame in frames if "hidden" not in frame] == ["320 Hz"]
    (slider,) = page.all("input")
    assert (slider["value"], slider["aria-valuetext"]) == ("2", "320 Hz")


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


def test_synth_sweep_of_a_spread_and_of_a_switch():
    params = SynthPrior.preset("harmonic").sample(torch.tensor([0]), seed=0).edit(excitation=0)
    shown = widgets.synth_sweep("partial_detune", (0, 2.5), params)
    assert shown.values == ("0 ×", "2.5 ×")
    for sound, times in zip(shown.players, (0, 2.5), strict=True):
        expected = render(params.edit(partial_detune=times * params.partial_detune))
        torch.testing.assert_close(torch.from_numpy(sound.wave), expected[0])
    pulse = params.edit(excitation=2, f0=1900.0)
    naive, clean = widgets.synth_sweep("band_limited", (False, True), pulse).players
    torch.testing.assert_close(
        torch.from_numpy(clean.wave), render(pulse.edit(band_limited=True))[0]
    )
    torch.testing.assert_close(torch.from_numpy(naive.wave), render(pulse)[0])
    assert widgets.synth_sweep("band_limited", (True,), pulse).values == ("on",)


def test_the_frames_of_a_sweep_show_what_they_play():
    params = SynthPrior.preset("sine").sample(torch.tensor([4]), seed=2)
    (sound,) = widgets.synth_sweep("f0", [440.0], params).players
    turned = params.edit(f0=440.0)
    wave = render(turned)
    assert sound.picture == plots.ClipView().draw(turned, wave[0], LogMel()(wave)[0])


def test_clips_side_by_side():
    clips = {name: drawn(name, 0, 3) for name in PRESETS}
    grid = widgets.side_by_side(clips, columns=2)
    page = Page(grid._repr_html_())
    assert page.text == list(PRESETS)
    assert [audio["aria-label"] for audio in page.all("audio")] == list(PRESETS)
    for image, audio, (name, params) in zip(
        page.all("img"), page.all("audio"), clips.items(), strict=True
    ):
        assert image["alt"].endswith(f": {name}")
        expected = render(params)[0].numpy()
        assert np.corrcoef(decoded(audio)[0], expected)[0, 1] > 0.99
    assert len({image["src"] for image in page.all("img")}) == len(PRESETS)


def test_a_sweep_of_a_noisy_clip_stays_small():
    params = SynthPrior.preset("full").sample(torch.tensor([0]), seed=0)
    html = widgets.synth_sweep("noise_level", [0.1, 0.1], params)._repr_html_()
    assert len(html) / 2 < 1_000_000 / 8


@pytest.mark.parametrize(
    ("factor", "values", "message"),
    [
        ("f0", [9000.0], "f0 is 9000"),
        ("f0", ["high"], "'high'; it takes a number"),
        ("excitation", ["organ"], "'organ'; choose from"),
    ],
)
def test_synth_sweep_refuses(factor, values, message):
    params = SynthPrior.preset("full").sample(torch.arange(1), seed=0)
    with pytest.raises(InputError, match=message):
        widgets.synth_sweep(factor, values, params)


def test_figures_and_sliders_of_one_clip_take_no_more():
    """They would show the first in silence."""
    params = SynthPrior.preset("sine").sample(torch.arange(2), seed=0)
    for show in (
        plots.clip_panel,
        lambda two: widgets.synth_sweep("f0", [110.0], two),
        lambda two: widgets.side_by_side({"a": two}),
    ):
        with pytest.raises((ValueError, RuntimeError)):
            show(params)


# The explorer


def heard(explorer):
    """The sound that the explorer's page plays."""
    (audio,) = Page(explorer.view.value).all("audio")
    return decoded(audio)[0]


@pytest.fixture(scope="module")
def shared():
    return widgets.explorer("full", 0, 7)


# Rows of the events of (full, 0, 7), whose onsets are 3.7, 3.2, 0.6, 7.3 and 0.6 s, by time.
IN_TIME = [2, 4, 1, 0, 3]


@pytest.fixture
def explorer(shared):
    """The explorer at (full, 0, 7), as drawn."""
    shared.preset.value, shared.seed.value, shared.event.value = "full", 0, 1
    shared.clip.value = 0
    shared.clip.value = 7
    return shared


def drawn(preset, seed, clip):
    return SynthPrior.preset(preset).sample(torch.tensor([clip]), seed)


def test_explorer_begins_with_the_clip_as_drawn(explorer):
    assert same(explorer.params, drawn("full", 0, 7))
    page = Page(explorer.view.value)
    assert page.all("audio")[0]["aria-label"] == "preset full, seed 0, clip 7"
    assert page.all("img")[0]["alt"].endswith("spectrum: preset full, seed 0, clip 7")
    assert repr(explorer) == "<explorer: preset full, seed 0, clip 7>"
    np.testing.assert_allclose(heard(explorer), render(drawn("full", 0, 7))[0], atol=2**-15)


def test_every_factor_has_a_slider(explorer):
    names = {field.name for field in fields(ClipParameters)} - {"seed", "clip"}
    assert set(explorer.sliders) == set(widgets.SLIDERS) == names
    assert {factor.slider.group for factor in widgets.SLIDERS.values()} == {
        "tone",
        "events",
        "burst",
        "damping and noise",
        "band of noise",
        "modulation",
        "motion of the pitch",
        "formants",
        "room",
    }


def test_the_picture_is_of_the_sound(explorer):
    explorer.sliders["f0"].value = 300.0
    (image,) = Page(explorer.view.value).all("img")
    content = base64.b64decode(image["src"].removeprefix("data:image/webp;base64,"))
    wave = render(explorer.params)
    assert content == plots.ClipView().draw(explorer.params, wave[0], LogMel()(wave)[0])


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
    assert after.sustain[0, IN_TIME[0]] == 0.25
    others = IN_TIME[1:]
    assert torch.equal(after.sustain[0, others], before.sustain[0, others])
    assert torch.equal(after.onset, before.onset)


def test_any_event_can_be_turned_and_they_are_numbered_by_time(explorer):
    before = explorer.params
    assert explorer.event.max == before.event_count[0] == 5
    for number, row in enumerate(IN_TIME, 1):
        explorer.event.value = number
        assert same(explorer.params, before)
        assert explorer.sliders["onset"].value == pytest.approx(float(before.onset[0, row]))
        assert explorer.sliders["length"].value == pytest.approx(float(before.length[0, row]))
    explorer.event.value = 2
    explorer.sliders["length"].value = 0.5
    explorer.event.value = 1
    explorer.sliders["amplitude"].value = 0.25
    length, amplitude = before.length[0].clone(), before.amplitude[0].clone()
    length[IN_TIME[1]], amplitude[IN_TIME[0]] = 0.5, 0.25
    assert torch.equal(explorer.params.length[0], length)
    assert torch.equal(explorer.params.amplitude[0], amplitude)


def test_an_event_that_is_moved_past_others_stays_the_one_that_is_turned(explorer):
    explorer.event.value = 1
    explorer.sliders["onset"].value = 5.0
    assert explorer.event.value == 4
    explorer.sliders["sustain"].value = 0.125
    assert explorer.params.sustain[0, IN_TIME[0]] == 0.125
    assert explorer.params.onset[0, IN_TIME[0]] == 5


def test_fewer_events_leave_the_first_to_be_turned(explorer):
    explorer.event.value = 2
    explorer.sliders["event_count"].value = 1
    assert explorer.params.event_count.tolist() == [1]
    assert (explorer.event.value, explorer.event.layout.display) == (1, "none")
    explorer.sliders["event_count"].value = 5
    assert (explorer.event.max, explorer.event.layout.display) == (5, None)


def test_attack_takes_from_release_and_length_from_onset(explorer):
    before, first = explorer.params, IN_TIME[0]
    explorer.sliders["attack"].value = 0.3
    after = explorer.params
    assert after.attack[0, first] == 0.3
    torch.testing.assert_close(
        after.attack + after.decay + after.release, torch.ones_like(after.f0)
    )
    assert torch.equal(after.release[0, IN_TIME[1:]], before.release[0, IN_TIME[1:]])
    explorer.sliders["onset"].value = 8.0
    explorer.sliders["length"].value = 5.0
    assert float(explorer.params.onset[0, first]) == pytest.approx(CLIP_SECONDS - 5)
    assert explorer.sliders["onset"].value == pytest.approx(CLIP_SECONDS - 5)
    assert explorer.sliders["onset"].max == pytest.approx(CLIP_SECONDS - 5)
    # What gave way comes back.
    explorer.sliders["length"].value = 1.0
    assert float(explorer.params.onset[0, first]) == 8


def test_a_turned_release_gives_way_to_attack_and_decay(explorer):
    sliders, first = explorer.sliders, IN_TIME[0]
    sliders["attack"].value = sliders["decay"].value = 0.1
    assert sliders["release"].max == pytest.approx(0.8)
    sliders["release"].value = 0.7
    assert float(explorer.params.release[0, first]) == 0.7
    sliders["attack"].value = 0.5
    assert float(explorer.params.release[0, first]) == pytest.approx(0.4)
    sliders["attack"].value = 0.1
    assert float(explorer.params.release[0, first]) == 0.7


def test_partials_are_spread_as_often_as_drawn(explorer):
    explorer.sliders["excitation"].value = "harmonic"
    before = explorer.params
    for name, centre, times in (
        ("partial_weight", 1, 0.0),
        ("partial_detune", 0, 4.0),
        ("partial_phase", 0, 0.5),
    ):
        assert explorer.sliders[name].value == 1
        explorer.sliders[name].value = times
        expected = centre + times * (getattr(before, name) - centre)
        torch.testing.assert_close(getattr(explorer.params, name), expected)
        assert explorer.sliders[name].value == times


def shown(explorer):
    return {name for name, w in explorer.sliders.items() if w.layout.display != "none"}


def test_only_what_is_heard_can_be_turned(explorer):
    partials = {name for name in widgets.SLIDERS if name.startswith("partial_")} | {"rolloff"}
    of_one_source = partials | {"fm_index", "fm_ratio", "band_limited"}
    for excitation, names in (
        ("harmonic", partials),
        ("fm", {"fm_index", "fm_ratio"}),
        ("square", {"band_limited"}),
    ):
        explorer.sliders["excitation"].value = excitation
        assert (explorer.params.excitation == EXCITATIONS.index(excitation)).all()
        assert shown(explorer) & of_one_source == names
        assert {"f0", "cutoff", "noise_level", "burst_amplitude"} <= shown(explorer)
    for name, silent, heard_at, dependent in (
        ("cutoff", 8000.0, 4000.0, "quality"),
        ("burst_amplitude", 0.0, 1.0, "burst_length"),
        ("noise_share", 0.0, 0.5, "noise_bandwidth"),
        ("modulation_depth", 0.0, 0.5, "modulation_decay"),
        ("modulation_decay", 0.0, 2.0, "modulation_jitter"),
        ("vibrato_depth", 0.0, 0.1, "vibrato_rate"),
    ):
        explorer.sliders[name].value = silent
        assert dependent not in shown(explorer)
        explorer.sliders[name].value = heard_at
        assert dependent in shown(explorer)


def test_a_sine_has_no_partials_and_no_events_to_turn():
    explorer = widgets.explorer("sine")
    assert not shown(explorer) & {"event_count", "partial_count", "partial_phase", "rolloff"}
    assert explorer.event.layout.display == "none"


def test_every_slider_can_be_turned_to_both_ends(explorer, monkeypatch):
    monkeypatch.setattr(explorer, "redraw", lambda: None)
    for name, widget in explorer.sliders.items():
        factor = widgets.SLIDERS[name].slider
        if factor.scale == "choice":
            continue
        for value in (factor.low, factor.high):
            widget.value = bool(value) if factor.scale == "switch" else value
            expected = min(value, widget.max) if name in ("onset", "release") else value
            drawn = getattr(explorer._drawn, name)
            turned = getattr(explorer.params, name)[0].flatten()[0].item()
            if factor.scale == "spread":
                expected = factor.centre + value * (drawn.flatten()[0].item() - factor.centre)
            assert turned == pytest.approx(expected), name
            assert torch.isfinite(render(explorer.params)).all()


def test_what_is_read_is_what_is_heard(explorer):
    # A place on a logarithmic scale is not a round number.
    explorer.sliders["f0"].value = 123.456789
    assert (explorer.params.f0 == 123.5).all()
    assert explorer.sliders["f0"].value == 123.5


def test_no_slider_reports_on_its_way(explorer):
    # In a browser, one that does also reports the step nearest to what the kernel set it to.
    for name, widget in explorer.sliders.items():
        assert not getattr(widget, "continuous_update", False), name


def test_edits_do_not_depend_on_their_order(explorer):
    orders = (("attack", "length", "decay"), ("decay", "attack", "length"))
    results = []
    for names in orders:
        explorer.clip.value = 0
        explorer.clip.value = 7
        for name in names:
            explorer.sliders[name].value = 0.25
        results.append(explorer.params)
    assert same(*results)


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


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_save_writes_the_sound_and_its_scene(explorer, folder):
    explorer.save.click()
    assert files(folder) == ["full-0-00007.json", "full-0-00007.wav"]
    assert explorer.saved.value == f"Saved as {folder}/full-0-00007.wav and full-0-00007.json."
    params = read_scene(folder / "full-0-00007.json")
    assert same(params, drawn("full", 0, 7))
    samples, rate = soundfile.read(folder / "full-0-00007.wav")
    assert rate == 16000
    np.testing.assert_array_equal(samples, heard(explorer))
    np.testing.assert_allclose(samples, render(params)[0], atol=2**-15)


def test_an_edited_clip_is_saved_under_a_name_of_its_own(explorer, folder):
    for f0 in (200.0, 300.0, 200.0):
        explorer.sliders["f0"].value = f0
        explorer.save.click()
        assert explorer.file_name.startswith("full-0-00007-edited-")
        params = read_scene(f"{explorer.file_name}.json")
        assert same(params, explorer.params)
        assert (params.f0 == f0).all()
        np.testing.assert_array_equal(
            soundfile.read(f"{explorer.file_name}.wav")[0], heard(explorer)
        )
    assert len(files(folder)) == 4


@pytest.mark.parametrize("name", ["full-0-00007.wav", "full-0-00007.json"])
def test_save_never_overwrites_something_else(explorer, folder, name):
    (folder / name).write_text("mine")
    explorer.save.click()
    assert (
        explorer.saved.value
        == f"Not saved: {folder / name} holds something else; move it, then save again."
    )
    assert files(folder) == [name]
    assert (folder / name).read_text() == "mine"


def test_a_folder_that_cannot_be_written_to_is_told_in_the_panel(explorer, folder, monkeypatch):
    (folder / "full-0-00007.json").mkdir()
    explorer.save.click()
    assert explorer.saved.value == (
        "Not saved: the folder of this notebook cannot be written to (Is a directory)."
    )
    assert files(folder) == ["full-0-00007.json"]
    gone = folder / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    explorer.save.click()
    assert "cannot be written to (No such file or directory)" in explorer.saved.value


def test_what_was_said_of_one_clip_does_not_stay_with_the_next(explorer, folder):
    explorer.save.click()
    assert explorer.saved.value
    explorer.surprise.click()
    assert explorer.saved.value == ""
    explorer.save.click()
    explorer.sliders["cutoff"].value = 500.0
    assert explorer.saved.value == ""


def test_explorer_is_live_with_a_kernel_and_a_slider_without(explorer):
    bundle = explorer._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"]
    page = Page(bundle["text/html"])
    names = [slider["aria-label"] for slider in page.all("input")]
    assert names == ["fundamental f0", "low-pass cutoff"]
    # Each begins with the clip as drawn, and has steps of half an octave, but beside that.
    frames = [div for div in page.all("div") if "data-value" in div]
    readings = [float(frame["data-value"].split()[0]) for frame in frames if "hidden" not in frame]
    own = drawn("full", 0, 7)
    assert readings == [float(f"{x:.4g}") for x in (float(own.f0[0, 0]), float(own.cutoff[0]))]
    heights = [float(frame["data-value"].split()[0]) for frame in frames[:11]]
    assert len(frames) == 22
    assert max(b / a for a, b in pairwise(heights)) < 2.01
    assert sorted(b / a for a, b in pairwise(heights))[5] == pytest.approx(2**0.5, abs=0.01)
    identities = [element["id"] for _, element in page.elements if "id" in element]
    assert len(set(identities)) == 2
    assert all(audio["aria-label"] for audio in page.all("audio"))
    assert all(image["alt"] for image in page.all("img"))
    assert bundle["text/plain"] == repr(explorer)
    (link,) = page.all("a")
    assert link["download"] == "full-0-00007.json"
    scene = base64.b64decode(link["href"].removeprefix("data:application/json;base64,"))
    assert same(from_scene(json.loads(scene)), drawn("full", 0, 7))
    assert len(scene) < 50_000


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
from audiopg.book import widgets
print(widgets.explorer("sine"), widgets.player([0.0] * 16000, "silence"))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout == ("<slider: fundamental f0, 55 Hz to 1760 Hz> <player: silence, 1.00 s>\n")


def test_a_live_loss_is_one_picture_drawn_again(monkeypatch):
    shown, moment = [], [0.0]

    class Handle:
        def update(self, figure):
            shown.append(("again", figure))

    def display(figure, display_id):
        shown.append(("first", figure))
        return Handle()

    monkeypatch.setattr(widgets, "_in_notebook", lambda: True)
    monkeypatch.setattr(widgets.time, "monotonic", lambda: moment[0])
    monkeypatch.setattr("IPython.display.display", display)
    live = widgets.LiveLoss(PretrainSettings(preset="micro", steps=6, batch_size=2))
    losses = []
    for step, seconds in enumerate([0, 0.5, 1.0, 3.0, 3.5, 4.0, 4.1]):
        moment[0] = seconds
        live(step, None, losses)
        losses.append(1.0 / (step + 1))
    # After step 1, the first with a loss; after step 3, two seconds later; after the last, 6.
    assert [kind for kind, _ in shown] == ["first", "again", "again"]
    clips = [figure.axes[0].lines[0].get_xdata()[-1] for _, figure in shown]
    assert clips == [2, 6, 12]
    curve = shown[-1][1].axes[0].lines[0].get_ydata()
    np.testing.assert_allclose(curve, [1 / n for n in range(1, 7)])


def test_a_live_loss_is_silent_in_a_script(capsys):
    settings = PretrainSettings(preset="micro", steps=2, batch_size=1)
    live = widgets.LiveLoss(settings)
    run = pretrain(settings, watch=live, progress=False)
    assert len(run.losses) == 2
    assert capsys.readouterr().out == ""


def test_reconstructions_are_heard_three_times():
    log_mel = LogMel()
    clips = torch.arange(2)
    mels = log_mel(render(SynthPrior.preset("harmonic").sample(clips, seed=0)))
    with torch.no_grad():
        output = MaskedAutoencoder.preset("micro", seed=0)(mels, clips, seed=0)
    shown = widgets.heard_reconstructions(log_mel, mels, output, ["a", "b"])
    labels = [sound.label for sound in shown.players]
    assert labels[:3] == ["a: original", "a: what the encoder saw", "a: reconstruction"]
    assert len(labels) == 6
    hidden = unpatchify(output.mask[..., None].expand(-1, -1, 256))
    for sound, clip in zip(shown.players, (0, 0, 0, 1, 1, 1), strict=True):
        assert max(np.abs(other.wave).max() for other in shown.players) == pytest.approx(1)
        assert Image.open(io.BytesIO(sound.picture)).format == "WEBP"
        again = log_mel(torch.from_numpy(sound.wave)[None])[0] * log_mel.standard_deviation
        again, level = again[:1008], (mels[clip] * log_mel.standard_deviation)[:1008]
        where = hidden[clip, :1008]
        lost = (level - again)[where].median()
        kept = (level - again)[~where].median()
        if sound.label.endswith("original"):
            assert abs(lost - kept) < 0.3
        elif sound.label.endswith("saw"):
            # Windows and filters at the borders leave something of it.
            assert lost - kept > 3


def test_sounds_of_any_length_stand_over_their_spectrograms():
    waves = [0.5 * torch.sin(torch.arange(n) * 0.2) for n in (16000, 400)]
    shown = widgets.seen_and_heard(waves, ["long", "short"], columns=2)
    assert shown.columns == 2
    for sound, wave, label in zip(shown.players, waves, ("long", "short"), strict=True):
        np.testing.assert_array_equal(sound.wave, wave)
        assert (sound.label, sound.alt) == (label, f"Log-mel spectrogram of {label}")
        assert Image.open(io.BytesIO(sound.picture)).format == "WEBP"
