import io

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from audiopg.book import plots
from audiopg.errors import InputError
from audiopg.frontend import LogMel
from audiopg.mae import MaskedAutoencoder, patchify, reconstruct
from audiopg.synth import SynthPrior, render
from audiopg.synth.envelopes import adsr
from audiopg.synth.excitations import TILE

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
    bottom, bar = axes["power (dB)"], axes["log-mel (standardised)"]
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
        names = ("length", "attack", "decay", "sustain", "release")
        factors = [getattr(params, name)[:, event] for name in names]
        seconds = torch.arange(0, int(factors[0] * 16000) // TILE * TILE) / 16000
        starts = seconds[::TILE].double()
        expected = adsr(starts, *(factor.expand(len(starts)) for factor in factors))
        at = float(params.onset[0, event]) + seconds.double()
        np.testing.assert_allclose(np.interp(at, time, level), expected.flatten(), atol=1e-4)


def test_spectrum_peaks_at_the_fundamental():
    figure = plots.clip_panel(sine(440.0))
    (axis,) = (a for a in figure.axes if "dB" in a.get_ylabel())
    frequency, decibels = axis.lines[0].get_data()
    assert abs(frequency[decibels.argmax()] - 440) < 2
    assert decibels.max() == 0
    assert decibels.min() >= -100


def test_what_a_model_under_autocast_gives_is_drawn():
    mel = torch.linspace(-1, 1, 64 * 128).reshape(64, 128).bfloat16()
    assert plots.mel_picture(mel) == plots.mel_picture(mel.float().numpy())


def test_silence_is_drawn_without_a_warning():
    figure = plots.clip_panel(sine(440.0).edit(event_count=0))
    figure.canvas.draw()
    (axis,) = (a for a in figure.axes if "dB" in a.get_ylabel())
    assert set(axis.lines[0].get_ydata()) == {-100.0}


def pixels(picture):
    with Image.open(io.BytesIO(picture)) as image:
        assert image.format == "WEBP"
        return np.asarray(image.convert("RGBA")).astype(int)


def test_clip_view_draws_every_clip_as_if_it_were_the_first(clips):
    params, wave, mels = clips
    view = plots.ClipView()
    pictures = [view.draw(params[i : i + 1], wave[i], mels[i]) for i in (1, 2, 1)]
    assert plt.get_fignums() == []
    assert pictures[0] == pictures[2] != pictures[1]
    assert pictures[1] == plots.ClipView().draw(params[2:3], wave[2], mels[2])
    drawn = pixels(pictures[0])
    assert drawn.shape[1] == plots.WIDTH * 120
    assert drawn[0, 0, 3] == drawn[-1, -1, 3] == 0
    narrow = pixels(plots.ClipView(4.0).draw(params[:1], wave[0], mels[0]))
    assert narrow.shape[1] == 480


def test_clip_view_shows_sound_where_it_is_and_nothing_where_it_is_not(clips):
    params = sine(440.0).edit(length=2.0, onset=4.0)
    wave = render(params)
    drawn = pixels(plots.ClipView().draw(params, wave[0], LogMel()(wave)[0]))
    blue = (drawn[..., 2] > 100) & (drawn[..., 0] < 60) & (drawn[..., 3] > 200)
    wave_rows = blue[: len(blue) // 4]
    columns = np.flatnonzero(wave_rows.sum(axis=0) > 0.5 * wave_rows.sum(axis=0).max())
    # The middle of the axes, which leave the left 12 % to print, is the middle of the clip.
    assert columns.max() - columns.min() == pytest.approx(2 / 10.24 * 0.86 * len(blue[0]), rel=0.1)
    assert abs(columns.mean() / len(blue[0]) - 0.55) < 0.03


def test_clip_view_looks_the_same_whatever_the_defaults_are(clips):
    params, wave, mels = (values[:1] for values in clips)
    styled = plots.ClipView().draw(params, wave[0], mels[0])
    with mpl.rc_context(mpl.rcParamsDefault):
        assert plots.ClipView().draw(params, wave[0], mels[0]) == styled
        assert mpl.rcParams["figure.facecolor"] == "white"


def test_spectra_share_an_axis():
    waves = {"low": render(sine(300.0))[0], "high": render(sine(3000.0))[0].numpy()}
    figure = plots.spectra(waves)
    assert [axis.get_title() for axis in figure.axes] == ["low", "high"]
    for axis, f0 in zip(figure.axes, (300, 3000), strict=True):
        frequency, decibels = axis.lines[0].get_data()
        assert abs(frequency[decibels.argmax()] - f0) < 2
    assert [axis.get_xlabel() for axis in figure.axes] == ["", "frequency (Hz)"]
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()


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


@pytest.mark.parametrize("shape", [(16, 64), (128, 16)])
def test_a_spectrogram_of_other_bands_is_refused(shape):
    for draw in (
        lambda mel: plots.spectrogram_wall(mel[None], "a"),
        plots.mel_picture,
    ):
        with pytest.raises(InputError, match=rf"\({shape[0]}, {shape[1]}\); give \(frames, 128\)"):
            draw(np.zeros(shape))


def test_differences_are_symmetric_about_a_colour_of_nothing(clips):
    mels = clips[2]
    figure = plots.spectrogram_wall(mels[:2] - mels[2:4], ["one", "two"], difference=True)
    axes = [axis for axis in figure.axes if axis.get_title()]
    for axis, mel, other in zip(axes, mels[:2], mels[2:4], strict=True):
        (image,) = axis.images
        np.testing.assert_array_equal(image.get_array(), (mel - other).T)
        low, high = image.get_clim()
        assert low == -high
        (more, _, less, _), nothing = image.to_rgba(np.array([high, low]))[0], image.to_rgba(0)
        assert more > less
        assert max(nothing[:3]) - min(nothing[:3]) < 0.02


def test_histograms_count_what_they_are_given():
    rng = np.random.default_rng(0)
    factors = {
        "f0 (Hz)": torch.from_numpy(rng.uniform(50, 2000, (40, 5))),
        "events": rng.integers(1, 6, 100),
        "excitation": np.array(["fm", "harmonic", "fm", "square"]),
    }
    figure = plots.histograms(factors)
    assert [axis.get_xlabel() for axis in figure.axes] == list(factors)
    heights = [[bar.get_height() for bar in axis.patches] for axis in figure.axes]
    expected, _ = np.histogram(factors["f0 (Hz)"], bins=30)
    np.testing.assert_array_equal(heights[0], expected)
    np.testing.assert_array_equal(heights[1], np.bincount(factors["events"])[1:])
    assert heights[2] == [2, 1, 1]
    named = [tick.get_text() for tick in figure.axes[2].get_xticklabels()]
    assert named == ["fm", "harmonic", "square"]


def test_histograms_of_one_factor_share_axes_and_bins():
    settings = {"narrow": np.linspace(1, 2, 50), "wide": np.linspace(0, 4, 50)}
    narrow, wide = plots.histograms(settings, shared=True).axes
    assert narrow.get_xlim() == wide.get_xlim()
    assert narrow.get_ylim() == wide.get_ylim()
    for axis, values in zip((narrow, wide), settings.values(), strict=True):
        heights = [bar.get_height() for bar in axis.patches]
        np.testing.assert_array_equal(heights, np.histogram(values, 30, (0, 4))[0])


def test_loss_curve_runs_over_clips_with_a_running_median():
    losses = np.random.default_rng(0).normal(size=200)
    figure = plots.loss_curve(torch.from_numpy(losses), 32)
    (axis,) = figure.axes
    raw, median, flat = axis.lines
    assert list(flat.get_ydata()) == [1, 1]
    np.testing.assert_array_equal(raw.get_xdata(), 32 * np.arange(1, 201))
    np.testing.assert_array_equal(raw.get_ydata(), losses)
    windows = np.lib.stride_tricks.sliding_window_view(losses, 11)
    np.testing.assert_array_equal(median.get_ydata()[5:-5], np.median(windows, axis=1))
    assert median.get_ydata()[0] == np.median(losses[:6])
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("clips heard", "training loss")
    assert axis.get_legend().get_texts()[1].get_text() == "median of 11 steps"


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


def test_a_quarter_of_a_picture_covers_a_quarter_of_its_axes():
    mels = np.zeros((1, 1024, 128))
    patches = np.random.default_rng(0).permutation(512) < 384
    mels[0, np.kron(patches.reshape(64, 8), np.ones((16, 16))).astype(bool)] = np.nan
    figure = plots.spectrogram_wall(np.concatenate([mels] * 4), list("abcd"))
    figure.savefig(buffer := io.BytesIO())
    alpha = np.asarray(Image.open(buffer).convert("RGBA"))[::-1, :, 3] / 255
    left, bottom, right, top = figure.axes[0].get_window_extent().extents.astype(int)
    inside = alpha[bottom + 3 : top - 3, left + 3 : right - 3]
    # What is hidden is grey, not blank: on a dark page silence is as dark as the page.
    hidden = inside.min()
    assert 0.2 < hidden < 0.6
    assert (inside.mean() - hidden) / (1 - hidden) == pytest.approx(0.25, abs=0.02)


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
    assert named == ["trained", "random", "chance level"]
    assert axis.get_ylabel() == "information on onset (nats)"
    (axis,) = plots.information_bars(results).axes
    assert not axis.lines


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
    (axis,) = figure.axes
    wall, limit = axis.images[0].get_array(), float(images.abs().max())
    # Mel bands upwards, two pixels between the pictures.
    assert wall.shape == (34, 52)
    for row, column in np.ndindex(2, 3):
        picture = wall[18 * row : 18 * row + 16, 18 * column : 18 * column + 16]
        np.testing.assert_array_equal(picture[::-1], images[row, column].T)
    assert np.ma.count(wall) == images.numel()
    assert axis.images[0].get_clim() == (-limit, limit)
    middle = axis.images[0].cmap(0.5)
    assert max(middle[:3]) - min(middle[:3]) < 0.02
    assert [text.get_text() for text in axis.get_xticklabels()] == ["1", "2", "3"]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["0 clips", "8,000 clips"]
    np.testing.assert_array_equal(axis.get_yticks(), [7.5, 25.5])


def test_every_figure_is_as_wide_as_a_page_or_less(clips):
    params, _, mels = clips
    figures = [
        plots.clip_panel(params[:1]),
        plots.spectrogram_wall(mels, list("abcde")),
        plots.loss_curve([1.0, 0.9], 1),
        plots.spectra({"a": np.ones(8192)}),
        plots.confusion(np.eye(2), ["a", "b"]),
    ]
    for figure in figures:
        assert figure.get_figwidth() <= plots.WIDTH
        for axis in figure.axes:
            assert axis.get_ylabel() or axis.get_xlabel() or axis.get_title()
