"""The figures of the chapters: made for a phone as for a desk, on a light page as on a dark one.

Every function returns its figure; a cell ends with ``plt.show()``. Tensors and arrays are both
taken. `use_style`, called once at the top of a chapter, sets colours and sizes.
"""

import io
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib import cycler
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage, imsave
from matplotlib.patches import StepPatch
from numpy.typing import ArrayLike
from torch import Tensor

from audiopg.analysis import Ablation, FilterGrowth, SubspaceAngles
from audiopg.errors import InputError
from audiopg.frontend import HOP, LOWEST_HZ, MEL_BANDS, LogMel, hertz_to_mel
from audiopg.inputs import as_array
from audiopg.mae import PIXELS, unpatchify
from audiopg.synth import CLIP_SECONDS, SAMPLE_RATE, ClipParameters, render
from audiopg.synth.parameters import NYQUIST

if TYPE_CHECKING:
    import pandas

# Colours of Okabe and Ito that stand out (3:1) from white and from near-black alike; the grey of
# text stands out by 4:1.
PALETTE = {
    "blue": "#0072b2",
    "sky": "#3f97cf",
    "vermilion": "#d55e00",
    "green": "#009e73",
    "purple": "#cc79a7",
    "grey": "#797979",
}
# One scale for every log-mel spectrogram, so that figures compare: all but the last 0.1 % of the
# values of the `full` curriculum.
MEL_LIMITS = (-2.5, 3.0)
# Colours of a spectrogram: as fine as an eye can tell, and half the bytes of a picture of noise that
# 256 would take. An odd number gives a difference of nothing a colour of its own.
_LEVELS = 65
# What is hidden: a grey that neither theme's ground nor the darkest colour of a spectrogram looks like.
_HIDDEN = mpl.colors.to_rgba("#797979", 0.4)
WIDTH = 6.0
_VIEW_DPI = 120
# Inches: of a picture that shares its row with two others.
_PICTURE_WIDTH = 3.6
_TICKS_HZ = {100: "100", 500: "500", 1000: "1k", 2000: "2k", 4000: "4k", 8000: "8k"}
# Of every mean power spectrum, here and in the laboratory: Hann windows that overlap by half.
SPECTRUM_WINDOW = 8192
SPECTRUM_HOP = SPECTRUM_WINDOW // 2
SPECTRUM_FLOOR_DB = -100.0
_SPECTRUM_TAPER = np.hanning(SPECTRUM_WINDOW).astype(np.float32)


def use_style() -> None:
    """Set matplotlib's defaults for the book: transparent ground, one grey, safe colours."""
    grey = PALETTE["grey"]
    lines = cycler(linestyle=["-", "--"]) * cycler(
        color=[PALETTE[name] for name in ("blue", "vermilion", "green", "purple")]
    )
    mpl.rcParams.update(
        {
            "axes.edgecolor": grey,
            "axes.facecolor": "none",
            "axes.labelcolor": grey,
            "axes.prop_cycle": lines,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlecolor": grey,
            "axes.titlesize": "medium",
            "figure.constrained_layout.use": True,
            "figure.dpi": 130,
            "figure.facecolor": "none",
            "figure.figsize": (WIDTH, 3.6),
            "figure.titlesize": "medium",
            "font.size": 11,
            "grid.color": grey,
            "image.cmap": "magma",
            "legend.frameon": False,
            "legend.labelcolor": grey,
            "savefig.facecolor": "none",
            "savefig.transparent": True,
            "text.color": grey,
            "xtick.color": grey,
            "ytick.color": grey,
        }
    )


def mel_ticks() -> tuple[np.ndarray, list[str]]:
    """Where 100 Hz to 8 kHz lie on an axis counted in mel bands, and their labels.

    Band i, from 0, has its centre at i. The 128 triangles together reach from 20 Hz, at -1, to
    8 kHz, at 128.
    """
    lowest, highest = float(hertz_to_mel(LOWEST_HZ)), float(hertz_to_mel(NYQUIST))
    places = hertz_to_mel(torch.tensor(list(_TICKS_HZ), dtype=torch.float64)).numpy()
    positions = (places - lowest) / (highest - lowest) * (MEL_BANDS + 1) - 1
    return positions, list(_TICKS_HZ.values())


def mel_colours() -> list[str]:
    """The colours of a log-mel spectrogram from low to high, such as "#000004"."""
    return [
        mpl.colors.to_hex(colour) for colour in mpl.colormaps["magma"].resampled(_LEVELS).colors
    ]


def clip_panel(params: ClipParameters, *, title: str = "") -> Figure:
    """One clip: its waveform under the envelopes, its log-mel spectrogram and its spectrum.

    Args:
        params: one row.
        title: of the figure.
    """
    (wave,) = render(params)
    wave, mels = _array(wave), _array(LogMel()(wave.cpu()[None])[0])
    figure = plt.figure(figsize=(WIDTH, 7.2))
    axes = figure.subplot_mosaic(
        [["wave", "."], ["mel", "bar"], ["spectrum", "."]],
        width_ratios=[1, 0.03],
        height_ratios=[1, 1.2, 1],
    )
    _set_up_wave(axes["wave"])
    _add_wave(axes["wave"], params, wave)
    axes["wave"].set_title("waveform (blue) and envelopes of the events (orange)", fontsize="small")
    axes["wave"].set_xlabel("time (s)")
    image = _draw_mel(axes["mel"], mels)
    axes["mel"].set(xlabel="time (s)", ylabel="frequency (Hz)")
    figure.colorbar(image, cax=axes["bar"], label="log-mel (standardised)")
    _set_up_spectrum(axes["spectrum"])
    _add_spectrum(axes["spectrum"], wave)
    figure.suptitle(title)
    return figure


class ClipView:
    """A picture of one clip after another: waveform under the envelopes, log-mel and spectrum.

    The axes and their print are drawn once, so that a clip costs no more than its own curves. The
    figure is not in pyplot's care: nothing need close it.

    Args:
        width: inches; print keeps its size.
    """

    def __init__(self, width: float = WIDTH) -> None:
        with mpl.rc_context():
            use_style()
            figure = Figure(figsize=(width, 0.65 * width + 1.5), dpi=_VIEW_DPI)
            self._canvas = FigureCanvasAgg(figure)
            self._wave, self._mel, self._spectrum = figure.subplots(3, height_ratios=[1, 1.2, 1])
            _set_up_wave(self._wave)
            _set_up_mel(self._mel, CLIP_SECONDS)
            self._mel.set(xlabel="time (s)", ylabel="frequency (Hz)")
            self._wave.tick_params(labelbottom=False)
            _set_up_spectrum(self._spectrum)
            self._canvas.draw()
        self._empty = self._canvas.copy_from_bbox(figure.bbox)

    def draw(self, params: ClipParameters, wave: ArrayLike, mels: ArrayLike) -> bytes:
        """The picture of a clip as WebP with a transparent ground.

        Args:
            params: one row.
            wave: (samples,) what `render` made of it.
            mels: (frames, 128) what `LogMel` made of that.
        """
        wave = _array(wave)
        self._canvas.restore_region(self._empty)
        for artist in (
            *_add_wave(self._wave, params, wave),
            _add_mel(self._mel, _array(mels)),
            _add_spectrum(self._spectrum, wave),
        ):
            artist.axes.draw_artist(artist)
            artist.remove()
        return _webp(self._canvas)


def mel_picture(mel: ArrayLike, hidden: ArrayLike | None = None) -> bytes:
    """A log-mel spectrogram as WebP with a transparent ground, to stand beside its sound.

    Args:
        mel: (frames, 128) standardised log-mel.
        hidden: (frames, 128) bool, True where it is left grey.

    Raises:
        InputError: for another shape.
    """
    mel = _array(mel)
    if hidden is not None:
        mel = np.ma.masked_array(mel, _array(hidden))
    with mpl.rc_context():
        use_style()
        figure = Figure(figsize=(_PICTURE_WIDTH, 0.5 * _PICTURE_WIDTH), dpi=_VIEW_DPI)
        canvas = FigureCanvasAgg(figure)
        axis = figure.subplots()
        _draw_mel(axis, mel)
        axis.set(xlabel="time (s)", ylabel="frequency (Hz)")
        canvas.draw()
    return _webp(canvas)


def spectrogram_wall(
    mels: ArrayLike, titles: Sequence[str], columns: int = 4, difference: bool = False
) -> Figure:
    """Log-mel spectrograms side by side, on one colour scale.

    Args:
        mels: (n, frames, 128) standardised log-mel, or differences of such.
        titles: one a clip.
        columns: clips in a row.
        difference: whether they are differences: more is red then, less is blue, and 0 is white.

    Raises:
        InputError: for another shape.
    """
    mels = _array(mels)
    colours = {"cmap": "RdBu_r", "limits": (-3.0, 3.0)} if difference else {}
    label = "difference in log-mel" if difference else "log-mel (standardised)"
    figure, axes = _grid(len(mels), columns, height=1.45)
    for axis, clip, title in zip(axes, mels, titles, strict=True):
        image = _draw_mel(axis, clip, **colours)
        axis.set_title(title, fontsize="small")
    _finish_mels(figure, axes, image, label)
    return figure


def spectra(waves: Mapping[str, ArrayLike]) -> Figure:
    """Spectra of sounds one above the other, each in dB under its own highest value.

    Args:
        waves: title -> (samples,) at 16 kHz, at least 8,192 of them.
    """
    figure, axes = _grid(len(waves), 1, height=1.7)
    # What a phone shows whole: otherwise it would show the empty half of a high sound's spectrum.
    figure.set_figwidth(0.73 * WIDTH)
    for axis, (title, wave) in zip(axes, waves.items(), strict=True):
        _set_up_spectrum(axis)
        _add_spectrum(axis, _array(wave))
        axis.set_title(title, fontsize="small")
        axis.label_outer()
    return figure


def histograms(factors: Mapping[str, ArrayLike], shared: bool = False) -> Figure:
    """How factors are distributed, one small histogram each.

    Args:
        factors: label of the axis, with its unit -> values of any shape. Real numbers are
            binned, whole numbers and names are counted one by one.
        shared: whether one factor under several settings is compared, on the same axes.
    """
    factors = {label: _array(values).ravel() for label, values in factors.items()}
    figure, axes = _grid(len(factors), 3, height=1.9, share=shared)
    for axis, (label, values) in zip(axes, factors.items(), strict=True):
        if np.issubdtype(values.dtype, np.floating):
            whole = np.concatenate(list(factors.values())) if shared else values
            axis.hist(values, np.histogram_bin_edges(whole, 30), color=PALETTE["blue"])
            axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(3))
        else:
            found, counts = np.unique(values, return_counts=True)
            axis.bar(found, counts, width=0.8, color=PALETTE["blue"])
            if np.issubdtype(values.dtype, np.integer):
                axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(6, integer=True))
            else:
                axis.set_xticks(found, found, rotation=30, ha="right", rotation_mode="anchor")
        axis.set_xlabel(label)
        axis.yaxis.set_major_locator(mpl.ticker.MaxNLocator(4, integer=True))
    figure.supylabel("count", fontsize="medium")
    return figure


def loss_curve(losses: ArrayLike, batch_size: int) -> Figure:
    """A loss over the clips heard: every step, light, and a running median.

    The dashed line at 1 is the loss of answering that every patch is flat.

    Args:
        losses: (steps,).
        batch_size: clips a step.
    """
    losses = _array(losses)
    clips = np.arange(1, len(losses) + 1) * batch_size
    half = max(1, len(losses) // 40)
    median = [np.median(losses[max(0, i - half) : i + half + 1]) for i in range(len(losses))]
    figure, axis = plt.subplots()
    blue = PALETTE["blue"]
    axis.plot(clips, losses, color=PALETTE["sky"], linewidth=1, label="each step")
    axis.plot(clips, median, color=blue, linewidth=2, label=f"median of {2 * half + 1} steps")
    axis.axhline(1, color=PALETTE["grey"], linestyle="--", linewidth=1, label="flat answer")
    axis.set(xlabel="clips heard", ylabel="training loss")
    axis.xaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:,.0f}"))
    axis.legend()
    return figure


def reconstructions(
    mels: ArrayLike, reconstruction: ArrayLike, mask: ArrayLike, titles: Sequence[str]
) -> Figure:
    """Each clip in a row: the original, what the encoder saw of it, and the reconstruction.

    Args:
        mels: (n, frames, 128) standardised log-mel.
        reconstruction: (n, frames, 128), as `reconstruct` returns it.
        mask: (n, tokens) bool, True where the encoder did not see the patch.
        titles: one a clip.
    """
    mels, reconstruction, mask = _array(mels), _array(reconstruction), _array(mask)
    hidden = unpatchify(torch.from_numpy(mask.astype(bool))[..., None].expand(-1, -1, PIXELS))
    seen = np.ma.masked_array(mels, hidden.numpy())
    figure, axes = _grid(3 * len(mels), 3, height=1.45)
    headings = ("original", "what the encoder saw", "reconstruction")
    for row, title, shown in zip(
        axes.reshape(-1, 3), titles, zip(mels, seen, reconstruction, strict=True), strict=True
    ):
        for axis, picture in zip(row, shown, strict=True):
            image = _draw_mel(axis, picture)
        row[0].set_ylabel(title, fontsize="small")
    for axis, heading in zip(axes, headings, strict=False):
        axis.set_title(heading, fontsize="small")
    _finish_mels(figure, axes, image, "log-mel (standardised)")
    return figure


def confusion(matrix: ArrayLike, classes: Sequence[str]) -> Figure:
    """A confusion matrix, each row as per cent of its true class; a class without clips is 0.

    Args:
        matrix: (classes, classes) counts, true by predicted.
        classes: their names.

    Raises:
        InputError: for a matrix that does not fit the classes.
    """
    counts = _array(matrix).astype(float)
    if counts.shape != (len(classes), len(classes)):
        raise InputError(
            f"the matrix has shape {counts.shape} for {len(classes)} classes; "
            "give one row and one column each."
        )
    totals = counts.sum(axis=1, keepdims=True)
    percent = 100 * counts / np.where(totals > 0, totals, 1)
    figure, axis = plt.subplots(figsize=(WIDTH, 0.8 * WIDTH))
    image = _draw_matrix(axis, percent, 100, "{:.0f}", classes, slant=45)
    axis.set(xlabel="predicted class", ylabel="true class")
    figure.colorbar(image, label="% of the true class", shrink=0.8)
    return figure


def information_bars(
    results: Mapping[str, ArrayLike], null_quantile: float | None = None, factor: str = "f0"
) -> Figure:
    """Mutual information of every latent dimension with a factor, the most informative first.

    Args:
        results: encoder -> (dimensions,) in nats.
        null_quantile: a quantile of `analysis.permutation_null`, drawn as a level.
        factor: name of the factor.
    """
    figure, axis = plt.subplots()
    for label, information in results.items():
        information = np.sort(_array(information))[::-1]
        axis.stairs(information, np.arange(len(information) + 1) + 0.5, **_next_line(axis, label))
    if null_quantile is not None:
        axis.axhline(null_quantile, color=PALETTE["grey"], linestyle=":", label="chance level")
    axis.set(xlabel="latent dimension, in order", ylabel=f"information on {factor} (nats)")
    axis.legend()
    return figure


def variance_shares(
    shares: Mapping[str, ArrayLike], information: Mapping[str, ArrayLike] | None = None
) -> Figure:
    """The share of variance along each principal component, and what the component tells.

    Args:
        shares: encoder -> (n,) shares of the total variance, in [0, 1].
        information: factor -> (n,) mutual information of each component with it, in nats, drawn
            below on the same axis (Figure 5).
    """
    panels = {"% of variance": {name: 100 * _array(share) for name, share in shares.items()}}
    if information is not None:
        panels["information (nats)"] = {n: _array(values) for n, values in information.items()}
    figure, axes = plt.subplots(
        len(panels), sharex=True, squeeze=False, figsize=(WIDTH, 1 + 2.4 * len(panels))
    )
    for axis, (quantity, curves) in zip(axes.flat, panels.items(), strict=True):
        for label, values in curves.items():
            axis.plot(np.arange(1, len(values) + 1), values, marker="o", markersize=4, label=label)
        axis.set_ylabel(quantity)
        axis.set_ylim(bottom=min(0, axis.get_ylim()[0]))
        axis.legend()
    axes[-1, 0].set_xlabel("principal component")
    axes[-1, 0].xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
    return figure


def filter_grid(
    images: ArrayLike, row_titles: Sequence[str], column_titles: Sequence[str]
) -> Figure:
    """Patch filters over training: one row a snapshot, time to the right, mel bands upwards.

    Args:
        images: (snapshots, n, 16, 16), time by mel bands, on one colour scale around 0.
        row_titles: one a snapshot.
        column_titles: one a filter.
    """
    images = _array(images)
    rows, columns, *patch = images.shape
    # One picture of them all with gaps between: forty axes take a second to draw.
    pitch = np.array(patch) + 2
    wall = np.full((rows * pitch[1] - 2, columns * pitch[0] - 2), np.nan)
    for row, column in np.ndindex(rows, columns):
        top, left = row * pitch[1], column * pitch[0]
        wall[top : top + patch[1], left : left + patch[0]] = images[row, column].T[::-1]
    figure, axis = plt.subplots(figsize=(WIDTH, rows * WIDTH / (columns + 1.2) + 0.6))
    limit = max(float(np.abs(images).max()), np.finfo(np.float32).tiny)
    image = axis.imshow(wall, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    axis.set_xticks(np.arange(columns) * pitch[0] + (patch[0] - 1) / 2, column_titles)
    axis.set_yticks(np.arange(rows) * pitch[1] + (patch[1] - 1) / 2, row_titles)
    axis.tick_params(length=0, labelsize="small", top=False, labeltop=True, labelbottom=False)
    axis.spines[:].set_visible(False)
    # Within the axes' own box, so that it is as high as they are.
    figure.colorbar(image, cax=axis.inset_axes((1.02, 0, 0.03, 1)), label="weight")
    axis.set_xlabel("time within the patch", fontsize="small")
    # One row is not as high as all the words are long.
    bands = "mel bands within the patch" if len(images) > 1 else "mel bands"
    axis.set_ylabel(bands, fontsize="small")
    return figure


def _webp(canvas: FigureCanvasAgg) -> bytes:
    """WebP, at a quality where print stays sharp: noise takes a tenth of its bytes in PNG."""
    buffer = io.BytesIO()
    picture = np.asarray(canvas.buffer_rgba())
    imsave(buffer, picture, format="webp", pil_kwargs={"quality": 70, "method": 1})
    return buffer.getvalue()


def grouped_bars(
    values: Mapping[str, Mapping[str, float]],
    label: str,
    errors: Mapping[str, Mapping[str, float]] | None = None,
) -> Figure:
    """Bars side by side: a group for each factor, in it a bar for each encoder.

    Args:
        values: group -> name -> height, the same names in every group.
        label: of the vertical axis.
        errors: half the length of the bars' whiskers, under the same names.
    """
    groups = list(values)
    names = list(dict.fromkeys(name for group in values.values() for name in group))
    figure, axis = plt.subplots()
    width = 0.8 / len(names)
    looks = zip(names, cycle(mpl.rcParams["axes.prop_cycle"]), strict=False)
    for place, (name, look) in enumerate(looks):
        axis.bar(
            np.arange(len(groups)) + (place - (len(names) - 1) / 2) * width,
            [values[group][name] for group in groups],
            0.9 * width,
            yerr=[errors[group][name] for group in groups] if errors else None,
            ecolor=PALETTE["grey"],
            color=look["color"],
            hatch="//" if look["linestyle"] == "--" else None,
            label=name,
        )
    axis.axhline(0, color=PALETTE["grey"], linewidth=1)
    axis.set_xticks(range(len(groups)), groups)
    axis.set_ylabel(label)
    figure.legend(loc="outside upper left", ncols=4)
    return figure


def layer_curves(curves: Mapping[str, ArrayLike], label: str) -> Figure:
    """A quantity layer by layer, from the patches before the first block, which are layer 0.

    Args:
        curves: encoder -> (layers,) values; encoders may differ in depth.
        label: of the vertical axis.
    """
    figure, axis = plt.subplots()
    for name, values in curves.items():
        axis.plot(_array(values), marker="o", markersize=4, label=name)
    axis.set(xlabel="layer", ylabel=label)
    axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
    axis.legend()
    return figure


def clips_curves(heard: "pandas.DataFrame", label: str) -> Figure:
    """R² over the clips that networks had learned from; a line across for those without any.

    Args:
        heard: a row a network, in its index under "embeddings" the name, with the columns "R²",
            "standard deviation", "clips heard" and "of", what they were clips of.
        label: of the vertical axis.
    """
    learned = heard[heard["clips heard"] > 0].sort_values("clips heard")
    figure, axis = plt.subplots()
    for source, rows in learned.groupby("of", sort=False):
        axis.errorbar(
            rows["clips heard"],
            rows["R²"],
            rows["standard deviation"],
            marker="o",
            markersize=4,
            capsize=2,
            label=source,
        )
    levels = heard[heard["clips heard"] == 0]["R²"]
    for (name, level), style in zip(levels.groupby("embeddings"), cycle((":", "--")), strict=False):
        axis.axhline(level.iloc[0], color=PALETTE["grey"], linestyle=style, label=name)
    axis.set(xscale="log", xlabel="clips heard in pre-training", ylabel=label)
    axis.xaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:,.0f}"))
    figure.legend(loc="outside upper left", ncols=4)
    return figure


def picture(figure: Figure) -> bytes:
    """A figure as WebP with a transparent ground, closed: one frame of a slider."""
    figure.set_dpi(_VIEW_DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    plt.close(figure)
    return _webp(canvas)


def ablation_curves(ablations: Mapping[str, Ablation]) -> Figure:
    """What a probe reads with more and more dimensions silenced, a panel for each factor.

    Args:
        ablations: factor -> what `analysis.ablate` found.
    """
    figure, axes = _grid(len(ablations), 3, height=2.4)
    for axis, (name, found) in zip(axes, ablations.items(), strict=True):
        low, high = np.quantile(found.random, (0.025, 0.975), axis=1)
        axis.fill_between(found.counts, low, high, color=PALETTE["grey"], alpha=0.4, linewidth=0)
        axis.plot(found.counts, found.random.mean(axis=1), color=PALETTE["grey"], label="random")
        axis.plot(found.counts, found.top, marker="o", markersize=4, label="top")
        axis.plot(found.counts, found.relearnt, marker="s", markersize=4, label="top, relearnt")
        axis.axhline(found.intact, color=PALETTE["grey"], linestyle=":", label="none")
        axis.set_xscale("log")
        # Of a probe worse than a guess it does not matter how much worse.
        axis.set_ylim(-0.5, 1.02)
        axis.set_title(name, fontsize="small")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper left", ncols=4, title="silenced")
    # The last tick of a panel does not touch the first of the next.
    figure.get_layout_engine().set(wspace=0.06)
    figure.supxlabel("dimensions silenced", fontsize="medium")
    figure.supylabel("held-out R²", fontsize="medium")
    return figure


def angle_matrix(angles: SubspaceAngles) -> Figure:
    """The smallest principal angle between the subspaces of every two factors, in degrees.

    A thick line across the colour bar is chance, the median of shuffled factors; between thin ones, where
    they are known, lie 95 % of these.

    Args:
        angles: of `analysis.subspace_angles`.
    """
    smallest = angles.angles[..., 0]
    figure, axis = plt.subplots(figsize=(0.8 * WIDTH, 0.65 * WIDTH))
    image = _draw_matrix(axis, smallest, 90, "{:.0f}°", angles.factors, slant=30)
    axis.set(xlabel="found on one half of the clips", ylabel="found on the other")
    bar = figure.colorbar(image, label="smallest angle (degrees)", shrink=0.8)
    bar.ax.axhline(angles.chance[0], color=PALETTE["vermilion"], linewidth=2)
    for end in () if angles.chance_range is None else angles.chance_range[:, 0]:
        bar.ax.axhline(end, color=PALETTE["vermilion"], linewidth=1)
    return figure


def filter_growth(growth: FilterGrowth) -> Figure:
    """How structured patch filters become: concentration beside its control, and their variance.

    Args:
        growth: of `analysis.filter_growth`.
    """
    steps = _array(growth.steps)
    figure, (above, below) = plt.subplots(2, sharex=True, figsize=(WIDTH, 5))
    kept, shuffled = _array(growth.concentration), _array(growth.shuffled).mean(axis=2)
    above.plot(steps, kept.mean(axis=1), marker="o", markersize=4, label="filters")
    above.plot(steps, shuffled.mean(axis=1), marker="s", markersize=4, label="shuffled")
    low, high = shuffled.min(axis=1), shuffled.max(axis=1)
    above.fill_between(steps, low, high, color=PALETTE["grey"], alpha=0.4, linewidth=0)
    above.set_ylabel("spectral concentration")
    above.legend()
    share = _array(growth.variance_share).sum(axis=1)
    below.plot(steps, 100 * share, marker="o", markersize=4, label="% of variance held")
    likeness = 100 * _array(growth.likeness)
    below.plot(steps, likeness, marker="s", markersize=4, label="% in common with the last step")
    below.set(xlabel="step", ylabel="%")
    below.legend()
    return figure


def _array(values: ArrayLike | Tensor) -> np.ndarray:
    return as_array(values, "the picture")


def _grid(
    number: int, columns: int, height: float, share: bool = True
) -> tuple[Figure, np.ndarray]:
    """A figure of ``number`` axes, row by row; the axes as a flat array."""
    columns = min(columns, number)
    rows = -(-number // columns)
    figure, axes = plt.subplots(
        rows,
        columns,
        squeeze=False,
        sharex=share,
        sharey=share,
        figsize=(WIDTH, rows * height + 0.5),
    )
    for axis in axes.flat[number:]:
        axis.remove()
    for axis in axes.flat[max(0, number - columns) : number]:
        # The lowest of its column.
        axis.tick_params(labelbottom=True)
    return figure, axes.flat[:number]


def _next_line(axis: Axes, label: str) -> dict[str, object]:
    """Colour and dash of the next curve, for artists that do not take them by themselves."""
    (line,) = axis.plot([], [])
    style = {"color": line.get_color(), "linestyle": line.get_linestyle(), "label": label}
    line.remove()
    return {**style, "linewidth": 1.5, "baseline": None}


def _finish_mels(figure: Figure, axes: np.ndarray, image: AxesImage, label: str) -> None:
    """The colour bar, and what the axes of all spectrograms of a figure are called."""
    figure.colorbar(image, ax=axes.tolist(), label=label, pad=0.01, aspect=40)
    figure.supxlabel("time (s)", fontsize="medium")
    figure.supylabel("frequency (Hz)", fontsize="medium")


def _draw_mel(axis: Axes, clip: np.ndarray, **colours: object) -> AxesImage:
    """(frames, 128), time to the right in s, mel bands upwards with ticks in Hz."""
    # A picture of other bands, or with time upwards, would be stretched over the axis.
    if clip.shape[1:] != (MEL_BANDS,):
        raise InputError(f"a log-mel has shape {clip.shape}; give (frames, {MEL_BANDS}).")
    _set_up_mel(axis, len(clip) * HOP / SAMPLE_RATE)
    return _add_mel(axis, clip, **colours)


def _set_up_mel(axis: Axes, seconds: float) -> None:
    axis.set_yticks(*mel_ticks())
    axis.set(xlim=(0, seconds), ylim=(-1, MEL_BANDS))
    axis.spines[:].set_visible(False)


def _add_mel(
    axis: Axes, clip: np.ndarray, cmap: str = "magma", limits: tuple[float, float] = MEL_LIMITS
) -> AxesImage:
    # Averages of values keep to the few colours, averages of colours do not; but a pixel of which
    # half is hidden has an average only in colour.
    partial = np.ma.is_masked(clip) or bool(np.isnan(clip).any())
    return axis.imshow(
        clip.T,
        aspect="auto",
        cmap=mpl.colormaps[cmap].resampled(_LEVELS).with_extremes(bad=_HIDDEN),
        extent=(0, len(clip) * HOP / SAMPLE_RATE, -0.5, MEL_BANDS - 0.5),
        interpolation_stage="rgba" if partial else "data",
        origin="lower",
        vmin=limits[0],
        vmax=limits[1],
    )


def _draw_matrix(
    axis: Axes, values: np.ndarray, highest: float, form: str, names: Sequence[str], slant: float
) -> AxesImage:
    """(n, n) values from 0 to the highest as colours, each written into its square."""
    image = axis.imshow(values, cmap="cividis", vmin=0, vmax=highest)
    for (row, column), value in np.ndenumerate(values):
        colour = "black" if value > highest / 2 else "white"
        axis.text(column, row, form.format(value), color=colour, ha="center", va="center")
    axis.set_xticks(range(len(names)), names, rotation=slant, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(names)), names)
    axis.spines[:].set_visible(False)
    return image


def _set_up_wave(axis: Axes) -> None:
    axis.set(xlim=(0, CLIP_SECONDS), ylim=(-1.05, 1.05), ylabel="amplitude")


def _add_wave(axis: Axes, params: ClipParameters, wave: np.ndarray) -> list[Artist]:
    """A clip's extremes in every 10 ms, and each event's envelope a e(t) over the largest a."""
    windows = wave.reshape(-1, HOP)
    time = np.arange(len(windows) + 1) * HOP / SAMPLE_RATE
    highest, lowest = windows.max(axis=1), windows.min(axis=1)
    extremes = StepPatch(
        highest, time, baseline=lowest, fill=True, color=PALETTE["blue"], linewidth=0
    )
    # `Axes.stairs` would also ask each of its thousands of corners for new limits, in 40 ms.
    artists = [axis.add_artist(extremes)]
    factors = (params.onset, params.length, params.attack, params.decay, params.release)
    onset, length, attack, decay, release = (_array(value[0]) for value in factors)
    sustain, amplitude = _array(params.sustain[0]), _array(params.amplitude[0])
    events = int(params.event_count[0])
    loudest = amplitude[:events].max(initial=0) or 1.0
    for event in range(events):
        share = [0, attack[event], attack[event] + decay[event], 1 - release[event], 1]
        level = np.array([0, 1, sustain[event], sustain[event], 0]) * amplitude[event] / loudest
        corners = onset[event] + length[event] * np.array(share)
        artists += axis.plot(corners, level, "-", color=PALETTE["vermilion"], linewidth=1.5)
    return artists


def _set_up_spectrum(axis: Axes) -> None:
    axis.set_xscale("log")
    axis.set_xticks(list(_TICKS_HZ), list(_TICKS_HZ.values()))
    axis.minorticks_off()
    axis.set(
        xlim=(LOWEST_HZ, NYQUIST),
        ylim=(SPECTRUM_FLOOR_DB, 3),
        xlabel="frequency (Hz)",
        ylabel="power (dB)",
    )


def _add_spectrum(axis: Axes, wave: np.ndarray) -> Artist:
    """Mean power spectrum of a clip in dB under its highest value, on a logarithmic axis."""
    frames = np.lib.stride_tricks.sliding_window_view(wave, SPECTRUM_WINDOW)
    frames = frames[::SPECTRUM_HOP] * _SPECTRUM_TAPER
    power = (np.abs(np.fft.rfft(frames)) ** 2).mean(axis=0, dtype=np.float64)
    frequency = np.fft.rfftfreq(SPECTRUM_WINDOW, 1 / SAMPLE_RATE)
    share = power / (power.max() or 1.0)
    decibels = 10 * np.log10(np.maximum(share, 10 ** (SPECTRUM_FLOOR_DB / 10)))
    # The first bin, 0 Hz, has no place on a logarithmic axis.
    (line,) = axis.plot(frequency[1:], decibels[1:], "-", color=PALETTE["blue"], linewidth=1)
    return line
