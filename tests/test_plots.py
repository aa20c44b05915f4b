import io

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from audiopg import plots
from audiopg.errors import InputError
from audiopg.frontend import LogMel
from audiopg.mae import MaskedAutoencoder, patchify, reconstruct
from audiopg.synth import SynthPrior, render
from audiopg.synth.envelopes import adsr

mpl.use("Agg")


@pytest.fixture(autouse=True)
def style():
    with mpl.rc_context():
        plots.use_style()
        yield
    plt.close("all")


@pytest.fixture(scope="module")
def clips():
    params = SynthPrior.preset("full").sample(torch.arange(5), seed=0)
    wave = render(params)
    return params, wave, LogMel()(wave)


def sine(f0):
    return SynthPrior.preset("sine").sample(torch.tensor([3]), seed=0).edit(f0=f0)


def luminance(colour):
    channels = np.array(mpl.colors.to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


def contrast(one, other):
    """WCAG 2.2, relative luminance and contrast ratio."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_of_black_and_white_is_21():
    assert contrast("black", "white") == pytest.approx(21)


@pytest.mark.parametrize("ground", ["#ffffff", "#121212", "#14181e"])
def test_text_and_lines_stand_out_from_light_and_dark_pages(ground):
    for name, colour in plots.PALETTE.items():
        assert contrast(colour, ground) >= (4 if name == "grey" else 3), name
    for setting in ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color"):
        assert contrast(mpl.rcParams[setting], ground) >= 4, setting
    cycle = mpl.rcParams["axes.prop_cycle"].by_key()
    assert min(contrast(colour, ground) for colour in cycle["color"]) >= 3
    # A curve's number can be told from its colour and dash.
    looks = list(zip(cycle["color"], cycle["linestyle"], strict=True))
    assert len(set(looks)) == len(looks) == 8


def test_saved_figures_have_a_transparent_ground():
    figure = plots.loss_curve([1.0, 0.5, 0.4], 8)
    figure.savefig(buffer := io.BytesIO())
    alpha = np.asarray(Image.open(buffer).convert("RGBA"))[..., 3]
    assert alpha[0, 0] == alpha[-1, -1] == 0
    assert alpha.max() == 255
    with Image.open(io.BytesIO(plots.image_bytes(figure))) as image:
        assert image.format == "WEBP"
        assert np.asarray(image.convert("RGBA"))[0, 0, 3] == 0
    assert plt.get_fignums() == []


@pytest.mark.parametrize(("f0", "label"), [(500.0, "500"), (1000.0, "1k"), (4000.0, "4k")])
def test_a_tone_lies_at_its_tick(f0, label):
    loudest = LogMel()(render(sine(f0)))[0].mean(dim=0).argmax()
    positions, labels = plots.mel_ticks()
    assert abs(positions[labels.index(label)] - loudest) <= 1


def test_clip_panel_draws_the_clip(clips):
    params, wave, mels = (values[1:2] for values in clips)
    figure = plots.clip_panel(params, title="clip 1")
    axes = {axis.get_ylabel(): axis for axis in figure.axes}
    assert len(figure.axes) == 4
    top, middle = axes["amplitude"], axes["frequency (Hz)"]
    bottom, bar = axes["power (dB of the peak)"], axes["log-mel (standardised)"]
    assert [a.get_xlabel() for a in (top, middle, bottom)] == ["time (s)"] * 2 + ["frequency (Hz)"]
    assert figure.get_suptitle() == "clip 1"
    assert bar.get_ylim() == plots.MEL_LIMITS

    np.testing.assert_array_equal(middle.images[0].get_array(), mels[0].T)
    assert middle.images[0].get_extent() == [0, 10.24, -0.5, 127.5]

    windows = wave[0].view(1024, 160)
    (extremes,) = top.patches
    values, edges, lowest = extremes.get_data()
    np.testing.assert_array_equal(values, windows.amax(dim=1))
    np.testing.assert_array_equal(lowest, windows.amin(dim=1))
    assert edges[-1] == 10.24

    assert len(top.lines) == params.event_count[0] > 1
    for event, line in enumerate(top.lines):
        time, level = line.get_data()
        share = torch.linspace(0.001, 0.999, 301)
        factors = (params.attack, params.decay, params.sustain, params.release)
        expected = adsr(share, *(value[0, event] for value in factors))
        at = float(params.onset[0, event]) + share.double() * float(params.length[0, event])
        np.testing.assert_allclose(np.interp(at, time, level), expected, atol=1e-5)


def test_spectrum_peaks_at_the_fundamental():
    figure = plots.clip_panel(sine(440.0))
    (axis,) = (a for a in figure.axes if "dB" in a.get_ylabel())
    frequency, decibels = axis.lines[0].get_data()
    assert abs(frequency[decibels.argmax()] - 440) < 2
    assert decibels.max() == 0
    assert decibels.min() >= -100


def test_silence_is_drawn_without_a_warning():
    figure = plots.clip_panel(sine(440.0).edit(event_count=0))
    figure.canvas.draw()
    (axis,) = (a for a in figure.axes if "dB" in a.get_ylabel())
    assert set(axis.lines[0].get_ydata()) == {-100.0}


def test_clip_panel_takes_one_clip(clips):
    with pytest.raises(InputError, match="5 clips"):
        plots.clip_panel(clips[0])


def test_clip_strip_is_not_kept_by_pyplot(clips):
    params, wave, mels = clips
    figure = plots.clip_strip(params[2:3], wave[2], mels[2])
    assert plt.get_fignums() == []
    top, bottom = figure.axes
    np.testing.assert_array_equal(bottom.images[0].get_array(), mels[2].T)
    assert (top.get_ylabel(), bottom.get_ylabel()) == ("amplitude", "frequency (Hz)")


def test_spectrogram_wall(clips):
    mels = clips[2]
    figure = plots.spectrogram_wall(mels, list("abcde"), columns=3)
    walls = [axis for axis in figure.axes if axis.get_title()]
    assert [axis.get_title() for axis in walls] == list("abcde")
    assert len(figure.axes) == 6
    assert len({axis.images[0].get_clim() for axis in walls}) == 1
    for axis, mel in zip(walls, mels, strict=True):
        np.testing.assert_array_equal(axis.images[0].get_array(), mel.T)
    # The lowest of every column carries the seconds.
    named = [axis.xaxis.get_tick_params()["labelbottom"] for axis in walls]
    assert named == [False, False, True, True, True]
    assert (figure.get_supxlabel(), figure.get_supylabel()) == ("time (s)", "frequency (Hz)")


@pytest.mark.parametrize(
    ("shape", "titles", "columns", "message"),
    [
        ((2, 16, 64), "ab", 4, r"\(2, 16, 64\)"),
        ((16, 128), "ab", 4, r"\(16, 128\)"),
        ((0, 16, 128), "", 4, r"\(0, 16, 128\)"),
        ((2, 16, 128), "abc", 4, "3 titles for 2"),
        ((2, 16, 128), "ab", 0, "columns is 0"),
    ],
)
def test_spectrogram_wall_refuses(shape, titles, columns, message):
    with pytest.raises(InputError, match=message):
        plots.spectrogram_wall(np.zeros(shape), titles, columns)


def test_histograms_count_what_they_are_given():
    rng = np.random.default_rng(0)
    factors = {
        "f0 (Hz)": torch.from_numpy(rng.uniform(50, 2000, (40, 5))),
        "events": rng.integers(1, 6, 100),
        "excitation": np.array(["fm", "harmonic", "fm", "square"]),
    }
    figure = plots.histograms(factors, columns=2, bins=10)
    assert [axis.get_xlabel() for axis in figure.axes] == list(factors)
    heights = [[bar.get_height() for bar in axis.patches] for axis in figure.axes]
    expected, _ = np.histogram(factors["f0 (Hz)"], bins=10)
    np.testing.assert_array_equal(heights[0], expected)
    np.testing.assert_array_equal(heights[1], np.bincount(factors["events"])[1:])
    assert heights[2] == [2, 1, 1]
    named = [tick.get_text() for tick in figure.axes[2].get_xticklabels()]
    assert named == ["fm", "harmonic", "square"]


@pytest.mark.parametrize("factors", [{}, {"a": []}, {"a": [1.0, np.inf]}, {"a": [np.nan]}])
def test_histograms_refuse(factors):
    with pytest.raises(InputError, match=r"no factors|empty or not finite"):
        plots.histograms(factors)


def test_loss_curve_runs_over_clips_with_a_running_median():
    losses = np.random.default_rng(0).normal(size=200)
    figure = plots.loss_curve(torch.from_numpy(losses), 32, label="validation loss")
    (axis,) = figure.axes
    raw, median, flat = axis.lines
    assert list(flat.get_ydata()) == [1, 1]
    np.testing.assert_array_equal(raw.get_xdata(), 32 * np.arange(1, 201))
    np.testing.assert_array_equal(raw.get_ydata(), losses)
    windows = np.lib.stride_tricks.sliding_window_view(losses, 11)
    np.testing.assert_array_equal(median.get_ydata()[5:-5], np.median(windows, axis=1))
    assert median.get_ydata()[0] == np.median(losses[:6])
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("clips heard", "validation loss")
    assert axis.get_legend().get_texts()[1].get_text() == "median of 11 steps"


@pytest.mark.parametrize("losses", [[], [[1.0]]])
def test_loss_curve_refuses(losses):
    with pytest.raises(InputError, match="one a step"):
        plots.loss_curve(losses, 32)


def test_reconstructions_hide_what_the_encoder_did_not_see(clips):
    mels = clips[2][:2]
    with torch.no_grad():
        output = MaskedAutoencoder.preset("micro")(mels, torch.arange(2), seed=0)
    rebuilt = reconstruct(mels, output)
    figure = plots.reconstructions(mels, rebuilt, output.mask, ["dog", "rain"])
    axes = np.array(figure.axes[:6]).reshape(2, 3)
    assert len(figure.axes) == 7
    assert [axis.get_title() for axis in axes[0]] == [
        "original",
        "what the encoder saw",
        "reconstruction",
    ]
    assert [row[0].get_ylabel() for row in axes] == ["dog", "rain"]
    for row, mel, whole, mask in zip(axes, mels, rebuilt, output.mask, strict=True):
        original, seen, predicted = (axis.images[0].get_array() for axis in row)
        np.testing.assert_array_equal(original, mel.T)
        np.testing.assert_array_equal(predicted, whole.T)
        hidden = patchify(torch.from_numpy(np.ma.getmaskarray(seen).T.copy())[None])[0]
        assert torch.equal(hidden.all(dim=1), mask)
        assert torch.equal(hidden.any(dim=1), mask)
        np.testing.assert_array_equal(seen.compressed(), mel.T.numpy()[~seen.mask])


def test_reconstructions_refuse():
    mels = np.zeros((1, 32, 128))
    with pytest.raises(InputError, match=r"\(1, 15\)"):
        plots.reconstructions(mels, mels, np.zeros((1, 15), bool), ["a"])
    with pytest.raises(InputError, match=r"\(1, 16, 128\)"):
        plots.reconstructions(mels, mels[:, :16], np.zeros((1, 16), bool), ["a"])
    with pytest.raises(InputError, match="0 titles"):
        plots.reconstructions(mels, mels, np.zeros((1, 16), bool), [])


def test_confusion_shows_per_cent_of_each_row():
    figure = plots.confusion([[3, 1, 0], [0, 0, 0], [1, 1, 6]], ["dog", "rain", "sea"])
    axis = figure.axes[0]
    expected = np.array([[75, 25, 0], [0, 0, 0], [12.5, 12.5, 75]])
    np.testing.assert_array_equal(axis.images[0].get_array(), expected)
    assert [text.get_text() for text in axis.texts][:3] == ["75", "25", "0"]
    for text, value in zip(axis.texts, expected.flat, strict=True):
        ground = axis.images[0].cmap(value / 100)
        assert contrast(text.get_color(), ground) >= 4
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["dog", "rain", "sea"]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("predicted class", "true class")
    with pytest.raises(InputError, match="2 classes"):
        plots.confusion(np.eye(3), ["dog", "rain"])


def test_information_is_sorted_and_the_null_drawn():
    results = {"trained": torch.tensor([0.1, 0.9, 0.4]), "random": np.array([0.2, 0.3])}
    (axis,) = plots.information_bars(results, 0.15, factor="onset").axes
    first, second = axis.patches
    np.testing.assert_allclose(first.get_data().values, [0.9, 0.4, 0.1], rtol=1e-6)
    np.testing.assert_allclose(second.get_data().values, [0.3, 0.2])
    np.testing.assert_array_equal(first.get_data().edges, [0.5, 1.5, 2.5, 3.5])
    assert first.get_edgecolor() != second.get_edgecolor()
    (null,) = axis.lines
    assert list(null.get_ydata()) == [0.15, 0.15]
    named = [text.get_text() for text in axis.get_legend().get_texts()]
    assert named == ["trained", "random", "permutation null"]
    assert axis.get_ylabel() == "information on onset (nats)"
    (axis,) = plots.information_bars(results).axes
    assert not axis.lines


def test_predicted_against_true():
    truth, predicted = torch.tensor([50.0, 100.0, 400.0]), np.array([60.0, 90.0, 380.0])
    (axis,) = plots.predicted_against_true(truth, predicted, "f0", "Hz").axes
    points = axis.collections[0].get_offsets()
    np.testing.assert_array_equal(points, np.stack([truth.numpy(), predicted], axis=1))
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("true f0 (Hz)", "predicted f0 (Hz)")
    (axis,) = plots.predicted_against_true(truth, predicted, "sustain", "").axes
    assert axis.get_xlabel() == "true sustain"
    with pytest.raises(InputError, match=r"\(3,\) and \(2,\)"):
        plots.predicted_against_true(truth, predicted[:2], "f0", "Hz")


def test_variance_shares_in_per_cent_above_the_information():
    shares = {"trained": torch.tensor([0.5, 0.25]), "random": torch.tensor([0.3, 0.2])}
    (axis,) = plots.variance_shares(shares).axes
    np.testing.assert_allclose([line.get_ydata() for line in axis.lines], [[50, 25], [30, 20]])
    np.testing.assert_array_equal(axis.lines[0].get_xdata(), [1, 2])
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("principal component", "% of variance")
    above, below = plots.variance_shares(shares, {"f0": [0.1, 1.2]}).axes
    np.testing.assert_allclose(below.lines[0].get_ydata(), [0.1, 1.2])
    assert (above.get_xlabel(), below.get_xlabel()) == ("", "principal component")
    assert below.get_legend().get_texts()[0].get_text() == "f0"


def test_filter_grid_is_symmetric_about_zero():
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    figure = plots.filter_grid(images, ["0 clips", "8,000 clips"], ["1", "2", "3"])
    assert len(figure.axes) == 7
    axes = np.array(figure.axes[:6]).reshape(2, 3)
    limit = float(images.abs().max())
    for axis, image in zip(axes.flat, images.flatten(0, 1), strict=True):
        np.testing.assert_array_equal(axis.images[0].get_array(), image.T)
        assert axis.images[0].get_clim() == (-limit, limit)
    middle = axes[0, 0].images[0].cmap(0.5)
    assert max(middle[:3]) - min(middle[:3]) < 0.02
    assert [axis.get_title() for axis in axes[0]] == ["1", "2", "3"]
    assert [row[0].get_ylabel() for row in axes] == ["0 clips", "8,000 clips"]
    with pytest.raises(InputError, match=r"\(3, 16, 16\)"):
        plots.filter_grid(images[0], ["a"], ["1", "2", "3"])
    with pytest.raises(InputError, match="2 titles for 3"):
        plots.filter_grid(images, ["a", "b"], ["1", "2"])


def test_every_figure_is_as_wide_as_a_page_or_less(clips):
    params, _, mels = clips
    figures = [
        plots.clip_panel(params[:1]),
        plots.spectrogram_wall(mels, list("abcde")),
        plots.loss_curve([1.0, 0.9], 1),
        plots.confusion(np.eye(2), ["a", "b"]),
    ]
    for figure in figures:
        assert figure.get_figwidth() <= plots.WIDTH
        for axis in figure.axes:
            assert axis.get_ylabel() or axis.get_xlabel() or axis.get_title()


def test_stages_draw_a_curve_over_their_names():
    figure = plots.stages({"a": [1, 2, 4], "b": torch.tensor([3, 2, 1])}, ["x", "y", "z"], "%")
    (axis,) = figure.axes
    assert [line.get_ydata().tolist() for line in axis.lines] == [[1, 2, 4], [3, 2, 1]]
    assert [text.get_text() for text in axis.get_xticklabels()] == ["x", "y", "z"]
    assert axis.get_ylabel() == "%"
