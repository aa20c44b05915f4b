"""Graphs of the laboratory against the library, run by onnxruntime as a page would run them."""

import base64
import gzip
import json
import sys
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import scipy.signal
import torch

from audiopg.analysis import clip_factors
from audiopg.book import plots
from audiopg.book.export import (
    COLUMNS,
    EVENTS,
    PARTIALS,
    FrontEnd,
    Index,
    export_graph,
    graphs,
    manifest,
)
from audiopg.book.widgets import DRAWN, SLIDERS
from audiopg.errors import InputError
from audiopg.frontend import LogMel, fit_length
from audiopg.mae import MaskedAutoencoder, reconstruct, training_tokens
from audiopg.synth import CLIP_SAMPLES, EXCITATIONS, PRESETS, SynthPrior, from_scene, render
from audiopg.synth.excitations import Excitation

sys.path.append(str(Path(__file__).parents[2] / "book"))
from laboratory_assets import ROOT, laboratory_key

SEEDS = (0, 3, -7, 2**40)
CLIPS = (0, 5, 2**40 + 1)


@pytest.fixture(scope="module")
def model():
    return MaskedAutoencoder.preset("micro").eval()


@pytest.fixture(scope="module")
def index(model):
    """Of nine clips and made-up weights: what is read of them can be worked out by hand."""
    numbers = torch.Generator().manual_seed(0)
    width = model.architecture.width
    return Index(
        mean=torch.randn(width, generator=numbers),
        deviation=torch.rand(width, generator=numbers) + 0.5,
        clips=torch.randn(9, width, generator=numbers).half().float(),
        weights=torch.randn(3, width, generator=numbers),
        intercepts=torch.randn(3, generator=numbers),
        truths=torch.randn(3, 9, generator=numbers, dtype=torch.float64),
        about=[
            {"factor": name, "r2": 0.5, "neurons": [0, 1, 2]}
            for name in ("log f0", "relative intensity", "onset")
        ],
    )


@pytest.fixture(scope="module")
def run(model, index):
    return runner(model, index)


def exported(name, graph):
    """As ``make book`` wrote it for the page from these very sources, or else exported here.

    Graphs of the synthesizer take minutes, and are the same for every network.
    """
    built = ROOT / ".cache" / "laboratory" / laboratory_key(ROOT) / f"{name}.js"
    if not (name.startswith(("draw", "turn", "render")) and built.exists()):
        return export_graph(graph())
    _, _, _, content, _ = built.read_text().split('"')
    return gzip.decompress(base64.b64decode(content))


def runner(model, index):
    """A function that runs a graph of some name on arrays: name, {input: array} -> {output: array}."""
    made = graphs(model, index)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3

    @cache
    def session(name):
        return onnxruntime.InferenceSession(exported(name, made[name]), options)

    def run_(name, feeds):
        ready = session(name)
        used = {of.name: feeds[of.name] for of in ready.get_inputs()}
        outputs = [of.name.removesuffix("_") for of in ready.get_outputs()]
        return dict(zip(outputs, ready.run(None, used), strict=True))

    return run_


def draw(run, preset, seed, clip):
    return run(f"draw-{preset}", {"seed": np.array(seed), "clip": np.array(clip)})


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def drawn(preset, seed, clip):
    return SynthPrior.preset(preset).sample(torch.tensor([clip]), seed)


def assert_same_factors(found, params):
    """Bit by bit, in the events and partials that the library has."""
    _, events, partials = params.partial_weight.shape
    for name in COLUMNS:
        expected = getattr(params, name).numpy()
        got = found[name]
        got = got[:, :events] if got.ndim > 1 else got
        got = got[..., :partials] if got.ndim > 2 else got
        assert got.dtype == expected.dtype, name
        np.testing.assert_array_equal(got, expected, err_msg=name)


@pytest.mark.parametrize("preset", DRAWN)
def test_factors_drawn_are_the_librarys_bit_by_bit(run, preset):
    for seed in SEEDS:
        for clip in CLIPS:
            found = draw(run, preset, seed, clip)
            assert_same_factors(found, drawn(preset, seed, clip))
            assert found["partial_phase"].shape == (1, EVENTS, PARTIALS)


def turned(run, preset, clip, **readings):
    """A clip after some factors were turned; ``onset=(2, 1.5)`` turns it in the second event."""
    table = np.full((len(SLIDERS), EVENTS), np.nan)
    for name, reading in readings.items():
        event, value = reading if isinstance(reading, tuple) else (1, reading)
        table[list(SLIDERS).index(name), event - 1] = value
    return run("turn", {"readings": table, **draw(run, preset, 0, clip)})


def test_nothing_turned_leaves_every_factor_as_it_was(run):
    assert_same_factors(turned(run, "full", 3), drawn("full", 0, 3))


def test_turned_factors_are_those_of_an_edit(run):
    # Clip 7 has five events.
    params = drawn("full", 0, 7)
    onset = params.onset.clone()
    onset[0, 1] = 0.25
    detune = params.partial_detune * 3
    expected = params.edit(
        f0=440.0, excitation=EXCITATIONS.index("fm"), onset=onset, partial_detune=detune
    )
    found = turned(
        run, "full", 7, f0=440.0, excitation=1, onset=(2, 0.25), partial_detune=3.0
    )  # fmt: skip
    assert_same_factors(found, expected)


def test_release_and_onset_follow_what_they_depend_on(run):
    params = drawn("full", 0, 7)
    found = turned(run, "full", 7, length=(1, 10.0), attack=(1, 0.5), decay=(1, 0.5))
    assert found["onset"][0, 0] == pytest.approx(min(float(params.onset[0, 0]), 0.24))
    assert found["release"][0, 0] == 0
    assert found["release"][0, 1] == pytest.approx(float(params.release[0, 1]))


def loud_clips():
    """Clips of every preset, and of every excitation, naive and without aliases."""
    cases = [(preset, clip, {}) for preset in PRESETS for clip in (0, 3)]
    for code in range(len(EXCITATIONS)):
        cases += [("full", 7, {"excitation": code, "band_limited": limited}) for limited in (0, 1)]
    return cases


@pytest.mark.parametrize(("preset", "clip", "changes"), loud_clips())
def test_sound_factors_and_log_mel_are_the_librarys(run, preset, clip, changes):
    params = drawn(preset, 0, clip).edit(
        **{name: bool(v) if name == "band_limited" else v for name, v in changes.items()}
    )
    found = run("render", turned(run, preset, clip, **changes))
    wave = render(params)
    # Float32 throughout; sums of up to 159 partials come in another order.
    np.testing.assert_allclose(found["wave"], wave.numpy(), rtol=0, atol=1e-4)
    expected = torch.cat(list(clip_factors(params).values()))
    np.testing.assert_allclose(found["factors"], expected.numpy(), rtol=1e-5)
    mel = run("log-mel", {"wave": found["wave"]})["mel"]
    np.testing.assert_allclose(mel, LogMel()(wave).numpy(), rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", ["render", "render-additions"])
@pytest.mark.parametrize("code", [-1, *range(len(EXCITATIONS), 2 * len(EXCITATIONS))])
def test_a_graph_is_silent_at_a_code_of_no_excitation(run, name, code):
    columns = turned(run, "harmonic", 0, band_limited=code % 2)
    columns["excitation"] = np.full_like(columns["excitation"], code)
    assert not run(name, columns)["wave"].any()


def test_an_excitation_that_the_page_cannot_play_is_refused(model, index, monkeypatch):
    monkeypatch.setitem(EXCITATIONS.rows, "organ", Excitation("organ", lambda cycles: cycles()))
    with pytest.raises(InputError, match="the page cannot play the excitation 'organ'"):
        graphs(model, index)


def test_front_end_of_matrices_is_that_of_a_fourier_transform(rng):
    wave = torch.from_numpy(rng.normal(size=(1, CLIP_SAMPLES)).astype(np.float32))
    front_end = LogMel()
    # The lowest bands hear next to nothing, and their logarithms magnify what was rounded.
    torch.testing.assert_close(FrontEnd(front_end)(wave), front_end(wave), rtol=0, atol=1e-3)


def test_spectrum_peaks_where_a_tone_is(run):
    time = np.arange(CLIP_SAMPLES) / 16000
    # Bin 512 of 8192 points.
    wave = np.sin(2 * np.pi * 1000 * time).astype(np.float32)[None]
    decibels = run("spectrum", {"wave": wave})["decibels"]
    assert decibels.shape == (4097,)
    assert decibels.argmax() == 512
    assert decibels.max() == 0
    # What a Hann window leaves more than two bins away: under -31 dB, the first of its side lobes.
    assert np.delete(decibels, range(510, 515)).max() < -31
    assert decibels.min() >= -100


def test_spectrum_is_the_one_that_is_plotted_and_that_of_welch(run):
    # A clip of five events, so that it matters where windows begin.
    params = drawn("full", 0, 7)
    wave = render(params).numpy()
    found = run("spectrum", {"wave": wave})["decibels"]
    (axis,) = (axis for axis in plots.clip_panel(params).axes if "dB" in axis.get_ylabel())
    plotted = axis.lines[0].get_ydata()
    _, power = scipy.signal.welch(
        wave[0].astype(float), window=np.hanning(8192), detrend=False, return_onesided=False
    )
    expected = 10 * np.log10(power[:4097] / power[:4097].max())
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.01)
    np.testing.assert_allclose(plotted, expected[1:], rtol=0, atol=0.01)


@pytest.mark.parametrize(("samples", "name"), [(400, "short"), (90001, "short"), (200001, "long")])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_recordings_are_mixed_and_fitted_as_in_the_library(run, rng, samples, name, channels):
    wave = rng.normal(size=(channels, samples)).astype(np.float32)
    found = run(f"recording-{name}", {"channels": wave})["wave"]
    expected = fit_length(torch.from_numpy(wave).mean(0, keepdim=True), CLIP_SAMPLES)
    np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("visible", [2, 128, 511])
def test_reconstruction_is_the_librarys(run, model, visible):
    mel = LogMel()(render(drawn("full", 0, 3)))
    tokens = torch.randperm(512, generator=torch.Generator().manual_seed(visible))[:visible]
    tokens = tokens.sort().values[None]
    feeds = {"mel": mel.numpy(), "visible": tokens.numpy()}
    feeds |= run("encode", feeds)
    found = run("decode", feeds)["reconstruction"]
    with torch.no_grad():
        prediction = model.decode(model.encoder(mel, tokens), tokens, 512)
    hidden = torch.ones(1, 512, dtype=torch.bool).scatter(1, tokens, False)
    output = type("Output", (), {"prediction": prediction, "mask": hidden})
    np.testing.assert_allclose(found, reconstruct(mel, output).numpy(), rtol=0, atol=1e-4)


def test_a_network_without_a_class_token_is_exported_too(index):
    bare = MaskedAutoencoder.preset("micro", class_token=False).eval()
    run = runner(bare, index)
    test_reconstruction_is_the_librarys(run, bare, 128)
    encoded = torch.randn(1, 512, 64, generator=torch.Generator().manual_seed(1))
    found = run("read", {"encoded": encoded.numpy(), "neuron": np.array(5)})
    neurons = (encoded[0].mean(0) - index.mean) / index.deviation
    np.testing.assert_allclose(found["neurons"], neurons.numpy(), atol=1e-5)


def test_mask_is_the_one_of_pre_training(run):
    for clip in CLIPS:
        found = run("hide", {"clip": np.array(clip)})["visible"]
        expected = training_tokens(torch.tensor([clip]), 0, 512, 0.75)[0]
        np.testing.assert_array_equal(found, expected.numpy())


def test_neurons_read_outs_and_neighbours(run, model, index):
    encoded = torch.randn(1, 513, 64, generator=torch.Generator().manual_seed(1))
    found = run("read", {"encoded": encoded.numpy(), "neuron": np.array(5)})
    neurons = (encoded[0, 1:].mean(0) - index.mean) / index.deviation
    distance = (index.clips - neurons).square().mean(1).sqrt()
    np.testing.assert_allclose(found["neurons"], neurons.numpy(), atol=1e-5)
    read = index.weights @ neurons + index.intercepts
    np.testing.assert_allclose(found["read"], read.numpy(), atol=1e-4)
    np.testing.assert_array_equal(found["nearest"], distance.argsort()[:4].numpy())
    np.testing.assert_allclose(found["distances"], distance.sort().values[:4].numpy(), atol=1e-5)
    np.testing.assert_array_equal(found["cloud"], index.clips[:, 5].numpy())


def test_a_spectrogram_sounds_as_it_should(run):
    mel = LogMel()(render(drawn("full", 0, 3)))
    state = run("listen", {"mel": mel.numpy()})
    state["before"] = np.zeros_like(state["spectrum"])
    for _ in range(32):
        found = run("agree", state)
        state |= {"spectrum": found["next_spectrum"], "before": found["agreed"]}
    ours = (LogMel()(torch.from_numpy(found["wave"])) - mel).abs().mean()
    theirs = (LogMel()(LogMel().invert(mel, CLIP_SAMPLES, 32)) - mel).abs().mean()
    # Both search from phases of chance; they come as near, within a tenth.
    assert ours < 1.1 * theirs


def test_export_is_the_same_at_every_run(model, index):
    hide = graphs(model, index)["hide"]
    assert export_graph(hide()) == export_graph(hide())


def test_weights_of_half_precision_stay_so_and_change_nothing(model, index):
    halved = MaskedAutoencoder.preset("micro").half().float().eval()
    large, small = (
        export_graph(graphs(of, index)["encode"]()) for of in (model, halved)
    )  # fmt: skip
    assert len(small) < 0.6 * len(large)
    mel = LogMel()(render(drawn("full", 0, 3)))
    feeds = {"mel": mel.numpy(), "visible": np.arange(100)[None]}
    (found,) = onnxruntime.InferenceSession(small).run(None, feeds)
    with torch.no_grad():
        expected = halved.encoder(mel, torch.arange(100)[None])
    np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=1e-4)


def test_graphs_name_no_place_of_this_machine(model, index):
    text = onnx.load_from_string(export_graph(graphs(model, index)["hide"]())).SerializeToString()
    assert b".py" not in text
    assert b"/" not in text.replace(b"aten::", b"") or b"site-packages" not in text


# What each addition needs to be heard, as a page turns it.
TURNED = {
    "noise about the pitch": {"noise_share": 0.5, "noise_bandwidth": 100.0},
    "noise from 0 Hz": {"noise_share": 1.0, "noise_bandwidth": 8000.0},
    "a tremolo": {"modulation_depth": 1.0, "modulation_rate": 5.0},
    "impulses": {
        "modulation_depth": 0.8,
        "modulation_rate": 20.0,
        "modulation_decay": 6.0,
        "modulation_jitter": 1.0,
    },
    "a glide": {"glide": -1.5},
    "a vibrato": {"vibrato_depth": 0.1, "vibrato_rate": 6.0},
    "a vowel": {"formant_1": 730.0, "formant_2": 1090.0, "formant_3": 2440.0},
    "a room": {"reverberation_time": 0.5, "reverberation_level": 1.0},
}


def added_clips():
    """Clips of `extended`, and clips of every excitation with one addition at a time."""
    cases = [("extended", clip, {}) for clip in range(12)]
    for code, changes in enumerate(TURNED.values()):
        cases.append(("full", 7, {"excitation": code % 4, **changes}))
    cases += [
        ("full", 7, {"excitation": code, **TURNED["a glide"]}) for code in range(len(EXCITATIONS))
    ]
    cases.append(("full", 7, {"excitation": 2, "band_limited": 1, **TURNED["a vibrato"]}))
    return cases


@pytest.mark.parametrize(("preset", "clip", "changes"), added_clips())
def test_sound_beyond_the_paper_is_the_librarys(run, preset, clip, changes):
    # A page turns what belongs to one event in one event.
    params = drawn(preset, 0, clip)
    edits = {}
    for name, value in changes.items():
        values = getattr(params, name).clone()
        values[(0, 0) if SLIDERS[name].one_event else ...] = value
        edits[name] = values
    params = params.edit(**edits)
    assert params.has_additions.all()
    found = run("render-additions", turned(run, preset, clip, **changes))
    np.testing.assert_allclose(found["wave"], render(params).numpy(), rtol=0, atol=1e-4)
    expected = torch.cat(list(clip_factors(params).values()))
    np.testing.assert_allclose(found["factors"], expected.numpy(), rtol=1e-5)


def test_both_graphs_render_a_clip_of_the_paper_alike(run):
    found = [run(name, turned(run, "full", 3))["wave"] for name in ("render", "render-additions")]
    np.testing.assert_allclose(*found, rtol=0, atol=1e-6)


def test_every_factor_has_a_knob():
    assert {*COLUMNS} - {"seed", "clip"} == {*SLIDERS}
    for name, factor in SLIDERS.items():
        if factor.beyond and factor.kind != "source":
            assert factor.slider.low <= factor.default <= factor.slider.high
            # Whether a clip has additions is asked of those that nothing else silences.
            assert factor.slider.needs or factor.default == 0, name


def test_manifest_is_plain_json_and_a_scene_can_be_written_by_it(index):
    about = json.loads(json.dumps(manifest(index), allow_nan=False))
    (choice,) = (row for row in about["factors"] if row["scale"] == "choice")
    assert (choice["name"], choice["low"], choice["high"]) == (
        "excitation",
        0,
        len(EXCITATIONS) - 1,
    )
    assert [column["name"] for column in about["columns"]] == list(COLUMNS)
    assert [factor["name"] for factor in about["factors"]] == list(SLIDERS)
    assert about["index"]["clips"] == 9
    params = drawn("full", 2**60, 7)

    def held(name, *place):
        value = getattr(params, name)[(0, *place)].item()
        return EXCITATIONS[value] if name == "excitation" else value

    names = about["scene"]
    clip = {name: held(name) for name in names["clip"]}
    clip["events"] = [
        {name: held(name, event) for name in names["event"]}
        | {
            "partials": [
                {name: held(f"partial_{name}", event, order) for name in names["partial"]}
                for order in range(about["presets"]["full"]["partials"])
            ]
        }
        for event in range(about["presets"]["full"]["events"])
    ]
    again = from_scene(json.loads(json.dumps({"clips": [clip]})))
    assert_same_factors({name: getattr(again, name).numpy() for name in COLUMNS}, params)
