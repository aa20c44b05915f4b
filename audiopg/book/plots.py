"""The figures of the chapters: made for a phone as for a desk, on a light page as on a dark one.

Every function returns its figure; a cell ends with ``plt.show()``. Tensors and arrays are both
taken. `use_style`, called once at the top of a chapter, sets colours and sizes.
"""

import io
from collections.abc import Collection, Mapping, Sequence
from itertools import cycle
from textwrap import fill
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
from audiopg.frontend import HOP, LOWEST_HZ, MEL_BANDS, LogMel, mel
from audiopg.mae import PIXELS, unpatchify
from audiopg.synth import CLIP_SECONDS, SAMPLE_RATE, ClipParameters, render
from audiopg.synth.parameters import NYQUIST

if TYPE_CHECKING:
    import pandas

# Colours of Okabe and Ito that stand out (3:1) from white and from near-black alike; the grey of
# text stands out by 4:1.
PALETTE = {
    "blue": "#0072b2",
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
    lowest, highest = float(mel(LOWEST_HZ)), float(mel(NYQUIST))
    places = mel(torch.tensor(list(_TICKS_HZ), dtype=torch.float64)).numpy()
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

    Raises:
        InputError: for more or fewer clips than one, or a factor out of its range.
    """
    wave, mels = _rendered(params)
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
        hidden: (frames, 128) bool, True where it is left blank.

    Raises:
        InputError: for another shape.
    """
    mel = _array(mel)
    _check_mels("mel", mel[None])
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


def spectrogram_wall(mels: ArrayLike, titles: Sequence[str], columns: int = 4) -> Figure:
    """Log-mel spectrograms side by side, on one colour scale.

    Args:
        mels: (n, frames, 128) standardised log-mel.
        titles: one a clip.
        columns: clips in a row.

    Raises:
        InputError: for another shape, or titles of another number.
    """
    return _wall(_array(mels), titles, columns, "log-mel (standardised)")


def difference_wall(
    mels: ArrayLike, others: ArrayLike, titles: Sequence[str], columns: int = 4
) -> Figure:
    """What log-mel spectrograms have more (red) or less (blue) of than others, side by side.

    Args:
        mels: (n, frames, 128) standardised log-mel, or (1, frames, 128) for one with all others.
        others: (n, frames, 128); what both have is shown as 0.
        titles: one a pair.
        columns: pairs in a row.

    Raises:
        InputError: for another shape, or titles of another number.
    """
    mels, others = _array(mels), _array(others)
    if mels.shape[1:] != others.shape[1:] or len(mels) not in (1, len(others)):
        raise InputError(f"mels have shape {mels.shape}, the others {others.shape}; give the same.")
    bar = "difference in log-mel"
    return _wall(mels - others, titles, columns, bar, cmap="RdBu_r", limits=(-3.0, 3.0))


def spectra(waves: Mapping[str, ArrayLike]) -> Figure:
    """Spectra of sounds one above the other, each in dB under its own highest value.

    Args:
        waves: title -> (samples,) at 16 kHz, at least 8,192 of them.

    Raises:
        InputError: without waves, or for one of another shape.
    """
    if not waves:
        raise InputError("no waves were given; name at least one.")
    figure, axes = _grid(len(waves), 1, height=1.7)
    for axis, (title, wave) in zip(axes, waves.items(), strict=True):
        wave = _array(wave)
        if wave.ndim != 1 or len(wave) < SPECTRUM_WINDOW:
            raise InputError(
                f"{title!r} has shape {wave.shape}; give (samples,), {SPECTRUM_WINDOW} or more."
            )
        _set_up_spectrum(axis)
        _add_spectrum(axis, wave)
        axis.set_title(title, fontsize="small")
        axis.label_outer()
    return figure


def histograms(
    factors: Mapping[str, ArrayLike], columns: int = 3, bins: int = 30, shared: bool = False
) -> Figure:
    """How factors are distributed, one small histogram each.

    Args:
        factors: label of the axis, with its unit -> values of any shape. Real numbers are
            binned, whole numbers and names are counted one by one.
        columns: histograms in a row.
        bins: of real numbers.
        shared: whether one factor under several settings is compared, on the same axes.

    Raises:
        InputError: without factors, or for one that is empty or not finite.
    """
    if not factors:
        raise InputError("no factors were given; name at least one.")
    factors = {label: _array(values).ravel() for label, values in factors.items()}
    for label, values in factors.items():
        real = np.issubdtype(values.dtype, np.floating)
        if values.size == 0 or (real and not np.isfinite(values).all()):
            raise InputError(f"{label!r} is empty or not finite; leave such values out.")
    figure, axes = _grid(len(factors), columns, height=1.9, share=shared)
    for axis, (label, values) in zip(axes, factors.items(), strict=True):
        if np.issubdtype(values.dtype, np.floating):
            whole = np.concatenate(list(factors.values())) if shared else values
            axis.hist(values, np.histogram_bin_edges(whole, bins), color=PALETTE["blue"])
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


def loss_curve(losses: ArrayLike, batch_size: int, label: str = "training loss") -> Figure:
    """A loss over the clips heard: every step, light, and a running median.

    The dashed line at 1 is the loss of answering that every patch is flat.

    Args:
        losses: (steps,).
        batch_size: clips a step.
        label: of the vertical axis.

    Raises:
        InputError: for another shape or no step.
    """
    losses = _array(losses)
    if losses.ndim != 1 or len(losses) == 0:
        raise InputError(f"losses have shape {losses.shape}; give one a step, (steps,).")
    clips = np.arange(1, len(losses) + 1) * batch_size
    half = max(1, len(losses) // 40)
    median = [np.median(losses[max(0, i - half) : i + half + 1]) for i in range(len(losses))]
    figure, axis = plt.subplots()
    blue = PALETTE["blue"]
    axis.plot(clips, losses, color=blue, alpha=0.5, linewidth=1, label="each step")
    axis.plot(clips, median, color=blue, linewidth=2, label=f"median of {2 * half + 1} steps")
    axis.axhline(1, color=PALETTE["grey"], linestyle="--", linewidth=1, label="flat patches")
    axis.set(xlabel="clips heard", ylabel=label)
    axis.xaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:,.0f}"))
    axis.legend()
    return figure


def loss_curves(
    losses: Mapping[str, ArrayLike], batch_size: int, label: str = "training loss"
) -> Figure:
    """Losses of some runs over the clips heard, each a running median of 21 steps.

    The dashed line at 1 is the loss of answering that every patch is flat.

    Args:
        losses: name -> (steps,).
        batch_size: clips a step, of all runs.
        label: of the vertical axis.

    Raises:
        InputError: for no run, or one of another shape.
    """
    if not losses:
        raise InputError("no losses were given; name at least one run.")
    figure, axis = plt.subplots()
    for name, values in losses.items():
        values = _array(values)
        if values.ndim != 1 or len(values) == 0:
            raise InputError(f"{name!r}: losses have shape {values.shape}; give one a step.")
        median = [np.median(values[max(0, i - 10) : i + 11]) for i in range(len(values))]
        axis.plot(np.arange(1, len(values) + 1) * batch_size, median, label=name, linewidth=1.5)
    axis.axhline(1, color=PALETTE["grey"], linestyle="--", linewidth=1, label="flat patches")
    axis.set(xlabel="clips heard", ylabel=label)
    axis.xaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:,.0f}"))
    axis.legend()
    return figure


def stages(curves: Mapping[str, ArrayLike], names: Sequence[str], label: str) -> Figure:
    """Curves over a few named stages, such as the rows of an ablation.

    Args:
        curves: name -> (stages,) values.
        names: of the stages.
        label: of the vertical axis.
    """
    figure, axis = plt.subplots()
    for name, values in curves.items():
        axis.plot(names, _array(values), marker="o", label=name)
    axis.set_ylabel(label)
    axis.legend()
    return figure


def efficiency(
    curves: Mapping[str, Sequence[tuple[float, int, float, float]]],
    references: Mapping[str, float],
) -> Figure:
    """Accuracy against the time of pre-training (Figure 3), and against the clips heard.

    Only over clips are the runs of a curve joined: how long a run takes is also a matter of what else
    the machine does.

    Args:
        curves: name -> runs, each its seconds, clips, accuracy in per cent and the deviation of that.
        references: what needs no such time: name -> accuracy in per cent, a line across.

    Raises:
        InputError: for a curve without a run.
    """
    figure, (over_time, over_clips) = plt.subplots(1, 2, sharey=True)
    for name, runs in curves.items():
        if not runs:
            raise InputError(f"{name!r} has no run; leave it out.")
        seconds, clips, accuracy, deviation = np.array(sorted(runs, key=lambda run: run[1])).T
        points = {"marker": "o", "capsize": 3, "label": name}
        over_time.errorbar(seconds / 60, accuracy, deviation, linestyle="none", **points)
        over_clips.errorbar(clips, accuracy, deviation, **points)
    for (name, accuracy), style in zip(references.items(), cycle(("--", ":", "-.")), strict=False):
        for axis in figure.axes:
            axis.axhline(accuracy, color=PALETTE["grey"], linestyle=style, linewidth=1, label=name)
    # Runs may lie within one power of ten; numbers of clips are long.
    for axis, label, subs in (
        (over_time, "minutes of pre-training", (1, 2, 5)),
        (over_clips, "clips heard", (1, 3)),
    ):
        axis.set(xscale="log", xlabel=label)
        axis.xaxis.set_major_locator(mpl.ticker.LogLocator(subs=subs))
        axis.xaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:,g}"))
        axis.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    over_time.set(ylabel="accuracy (%)")
    figure.legend(*over_clips.get_legend_handles_labels(), loc="outside upper left", ncols=2)
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

    Raises:
        InputError: for shapes that do not agree, or titles of another number.
    """
    mels, reconstruction, mask = _array(mels), _array(reconstruction), _array(mask)
    _check_mels("mels", mels)
    if reconstruction.shape != mels.shape or mask.shape != (len(mels), mels[0].size // PIXELS):
        raise InputError(
            f"mels, reconstruction and mask have shapes {mels.shape}, {reconstruction.shape} and "
            f"{mask.shape}; give (n, frames, {MEL_BANDS}) twice and (n, tokens)."
        )
    _check_titles(titles, len(mels))
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
    figure.colorbar(image, ax=axes.tolist(), label="log-mel (standardised)", pad=0.01, aspect=40)
    figure.supxlabel("time (s)", fontsize="medium")
    figure.supylabel("frequency (Hz)", fontsize="medium")
    return figure


def cost_curves(
    panels: Mapping[str, tuple[Sequence[float], Mapping[str, Sequence[float]]]],
    logarithmic: Collection[str] = (),
    columns: int = 2,
) -> Figure:
    """What a clip costs as one thing grows, a panel for each such thing.

    Args:
        panels: label of the horizontal axis, such as "clips a batch" -> the values measured at,
            and name of the curve, such as "render" -> ms a clip at each of them. A curve looks the
            same in all panels.
        logarithmic: labels of the panels whose horizontal axis is logarithmic.
        columns: panels in a row.

    Raises:
        InputError: without panels or curves, for a curve of another length than its panel's
            values, or a logarithmic axis of values that are not positive.
    """
    if not panels or not all(curves for _, curves in panels.values()):
        raise InputError("a panel or its curves are missing; give at least one of each.")
    names = list(dict.fromkeys(name for _, curves in panels.values() for name in curves))
    looks = dict(zip(names, cycle(mpl.rcParams["axes.prop_cycle"]), strict=False))
    figure, axes = _grid(len(panels), columns, height=2.3, share=False)
    for axis, (label, (places, curves)) in zip(axes, panels.items(), strict=True):
        for name, costs in curves.items():
            if len(costs) != len(places):
                raise InputError(
                    f"{label!r} has {len(places)} values and {name!r} {len(costs)}; give one each."
                )
            axis.plot(places, costs, marker="o", markersize=4, label=name, **looks[name])
        if label in logarithmic:
            if min(places) <= 0:
                raise InputError(f"{label!r} reaches {min(places)}; a logarithm needs more than 0.")
            axis.set_xscale("log")
            axis.set_xticks(places, [f"{place:g}" for place in places])
            axis.minorticks_off()
        axis.set_xlabel(label)
        axis.set_ylim(bottom=0)
    handles = {line.get_label(): line for axis in axes for line in axis.lines}
    figure.legend(handles=[handles[name] for name in names], loc="outside upper left", ncols=3)
    figure.supylabel("milliseconds a clip", fontsize="medium")
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
    image = axis.imshow(percent, cmap="cividis", vmin=0, vmax=100)
    for row, column in np.ndindex(percent.shape):
        value = percent[row, column]
        colour = "black" if value > 50 else "white"
        axis.text(column, row, f"{value:.0f}", color=colour, ha="center", va="center")
    axis.set_xticks(range(len(classes)), classes, rotation=45, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(classes)), classes)
    axis.set(xlabel="predicted class", ylabel="true class")
    axis.spines[:].set_visible(False)
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
        axis.axhline(null_quantile, color=PALETTE["grey"], linestyle=":", label="permutation null")
    axis.set(xlabel="latent dimension, in order", ylabel=f"information on {factor} (nats)")
    axis.legend()
    return figure


def predicted_against_true(truth: ArrayLike, predicted: ArrayLike, label: str, unit: str) -> Figure:
    """Predictions of a factor over its true values, with the line where they agree.

    Args:
        truth: (clips,).
        predicted: (clips,).
        label: of the factor, such as "f0".
        unit: of the factor, such as "Hz".

    Raises:
        InputError: for shapes that do not agree.
    """
    truth, predicted = _array(truth), _array(predicted)
    if truth.ndim != 1 or truth.shape != predicted.shape:
        raise InputError(
            f"truth and predicted have shapes {truth.shape} and {predicted.shape}; "
            "give one value a clip in both."
        )
    figure, axis = plt.subplots(figsize=(0.75 * WIDTH, 0.7 * WIDTH))
    axis.axline((truth[0], truth[0]), slope=1, color=PALETTE["grey"], linewidth=1, zorder=0)
    axis.scatter(truth, predicted, s=12, alpha=0.8, color=PALETTE["blue"], linewidths=0)
    unit = f" ({unit})" if unit else ""
    axis.set(xlabel=f"true {label}{unit}", ylabel=f"predicted {label}{unit}")
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

    Raises:
        InputError: for another shape, or titles of another number.
    """
    images = _array(images)
    if images.ndim != 4 or 0 in images.shape:
        raise InputError(f"images have shape {images.shape}; give (snapshots, n, 16, 16).")
    _check_titles(row_titles, images.shape[0])
    _check_titles(column_titles, images.shape[1])
    rows, columns = images.shape[:2]
    side = WIDTH / (columns + 1.2)
    figure, axes = plt.subplots(
        rows, columns, squeeze=False, figsize=(WIDTH, rows * side + 0.6), sharex=True, sharey=True
    )
    limit = max(float(np.abs(images).max()), np.finfo(np.float32).tiny)
    for axis, picture in zip(axes.flat, images.reshape(-1, *images.shape[2:]), strict=True):
        image = axis.imshow(picture.T, origin="lower", cmap="RdBu_r", vmin=-limit, vmax=limit)
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    for axis, title in zip(axes[:, 0], row_titles, strict=True):
        axis.set_ylabel(title, fontsize="small")
    for axis, title in zip(axes[0], column_titles, strict=True):
        axis.set_title(title, fontsize="small")
    figure.colorbar(image, ax=axes, label="weight", pad=0.01)
    figure.supxlabel("time within the patch", fontsize="small")
    # One row is not as high as all the words are long.
    bands = "mel bands within the patch" if len(images) > 1 else "mel bands"
    figure.supylabel(bands, fontsize="small")
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

    Raises:
        InputError: without groups, or for other names in one than in another.
    """
    groups = list(values)
    names = list(values[groups[0]]) if groups else []
    if not names or any(list(group) != names for group in values.values()):
        raise InputError(f"the groups {groups} need bars of the same names; give them in order.")
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
    figure.legend(loc="outside upper left", ncols=3)
    return figure


def interval_panels(
    tables: Mapping[str, Mapping[str, tuple[float, float, float]]], label: str
) -> Figure:
    """Figures with their intervals: a panel a set, a line a row, the rows in the order they come.

    Args:
        tables: set -> row -> the figure, and the ends of its interval; a row that a set lacks is
            left blank there.
        label: of the horizontal axes.

    Raises:
        InputError: without a set or a row.
    """
    rows = list(dict.fromkeys(row for table in tables.values() for row in table))
    if not rows:
        raise InputError("no figures were given; name at least one set with one row.")
    names = [fill(row, 22) for row in rows]
    height = 0.36 if any("\n" in name for name in names) else 0.27
    figure, axes = plt.subplots(
        1, len(tables), sharey=True, squeeze=False, figsize=(WIDTH, 1.1 + height * len(rows))
    )
    for axis, (title, table) in zip(axes[0], tables.items(), strict=True):
        places = [rows.index(row) for row in table]
        middle, low, high = np.array(list(table.values())).T
        axis.errorbar(
            middle,
            places,
            xerr=(middle - low, high - middle),
            fmt="o",
            markersize=4,
            capsize=2,
            color=PALETTE["blue"],
        )
        # Side by side, long titles would run into each other, and long names leave no room.
        axis.set_title(fill(title, 44 // len(tables)), fontsize="small")
        axis.set_xlabel(label)
        axis.grid(axis="x", linewidth=0.5, alpha=0.4)
    axes[0, 0].set_yticks(range(len(rows)), names, fontsize="small")
    axes[0, 0].set_ylim(len(rows) - 0.5, -0.5)
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

    Raises:
        InputError: where no network had learned from any.
    """
    learned = heard[heard["clips heard"] > 0].sort_values("clips heard")
    if learned.empty:
        raise InputError("no network of these had learned from any clips; give one that had.")
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
    axis.legend()
    return figure


def neuron_panels(activations: ArrayLike, factors: Mapping[str, ArrayLike], title: str) -> Figure:
    """What one latent dimension does as each of some factors moves: a dot a clip, a running median.

    Args:
        activations: (clips,).
        factors: label, with its unit -> (clips,).
        title: of the figure.

    Raises:
        InputError: without factors, or for shapes that do not agree.
    """
    activations = _array(activations)
    factors = {label: _array(values) for label, values in factors.items()}
    if not factors or any(activations.shape != v.shape or v.ndim != 1 for v in factors.values()):
        raise InputError(
            f"activations have shape {activations.shape}, factors "
            f"{[v.shape for v in factors.values()]}; give one value a clip in all."
        )
    figure, axes = plt.subplots(
        1, len(factors), sharey=True, squeeze=False, figsize=(WIDTH, 0.45 * WIDTH)
    )
    for axis, (label, values) in zip(axes[0], factors.items(), strict=True):
        _add_response(axis, activations, values, dot=4)
        axis.set_xlabel(label, fontsize="small")
    axes[0, 0].set_ylabel("activation")
    figure.suptitle(title)
    return figure


def neighbourhood(z: ArrayLike, g: ArrayLike, clip: int, neighbours: int = 3) -> Figure:
    """How Kraskov's estimator looks at one sample: the square that reaches to its k-th neighbour,
    and the strips in which others are counted along one axis alone.

    Args:
        z: (samples,).
        g: (samples,), on a scale that compares.
        clip: which sample.
        neighbours: k.

    Raises:
        InputError: for shapes that do not agree, or fewer samples than k + 1.
    """
    z, g = _array(z), _array(g)
    if z.ndim != 1 or z.shape != g.shape or len(z) <= neighbours:
        raise InputError(f"z and g have shapes {z.shape} and {g.shape}; give as many of each.")
    across, along = np.abs(z - z[clip]), np.abs(g - g[clip])
    radius = np.sort(np.maximum(across, along))[neighbours]
    inside = {"n_z": across < radius, "n_g": along < radius}
    figure, axis = plt.subplots(figsize=(0.7 * WIDTH, 0.62 * WIDTH))
    strips = ((axis.axvspan, z, "blue", "n_z"), (axis.axhspan, g, "vermilion", "n_g"))
    for span, centre, colour, name in strips:
        low, high = centre[clip] - radius, centre[clip] + radius
        count = int(inside[name].sum()) - 1
        span(low, high, color=PALETTE[colour], alpha=0.3, linewidth=0, label=f"${name}$ = {count}")
    corner = (z[clip] - radius, g[clip] - radius)
    square = mpl.patches.Rectangle(corner, 2 * radius, 2 * radius, fill=False, zorder=3)
    square.set(edgecolor=PALETTE["grey"], linewidth=1.5, label=f"reaches to neighbour {neighbours}")
    axis.add_patch(square)
    axis.scatter(z, g, s=10, color=PALETTE["grey"], linewidths=0)
    axis.scatter(z[clip], g[clip], s=40, color=PALETTE["vermilion"], zorder=4)
    axis.set(xlabel="$z$", ylabel="$g$", aspect="equal")
    figure.legend(loc="outside upper left", ncols=3, fontsize="small")
    return figure


def picture(figure: Figure) -> bytes:
    """A figure as WebP with a transparent ground, closed: one frame of a slider."""
    figure.set_dpi(_VIEW_DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    plt.close(figure)
    return _webp(canvas)


def neuron_response(activations: ArrayLike, factor: ArrayLike, label: str, title: str) -> Figure:
    """What one latent dimension does as a factor moves: a dot a clip, and a running median.

    Args:
        activations: (clips,).
        factor: (clips,).
        label: of the factor, with its unit.
        title: of the figure, such as "neuron 343".

    Raises:
        InputError: for shapes that do not agree.
    """
    activations, factor = _array(activations), _array(factor)
    if factor.ndim != 1 or activations.shape != factor.shape:
        raise InputError(
            f"activations and factor have shapes {activations.shape} and {factor.shape}; "
            "give one value a clip in both."
        )
    figure, axis = plt.subplots(figsize=(0.75 * WIDTH, 0.55 * WIDTH))
    _add_response(axis, activations, factor, dot=8)
    axis.set(xlabel=label, ylabel="activation", title=title)
    return figure


def _add_response(axis: Axes, activations: np.ndarray, factor: np.ndarray, dot: float) -> None:
    """A dot a clip, and medians of 25 parts of the clips in the order of the factor."""
    order = np.argsort(factor)
    parts = np.array_split(order, min(25, len(order)))
    axis.scatter(factor, activations, s=dot, alpha=0.5, color=PALETTE["blue"], linewidths=0)
    medians = [(np.median(factor[part]), np.median(activations[part])) for part in parts]
    axis.plot(*zip(*medians, strict=True), "-", color=PALETTE["vermilion"], linewidth=2)


def ablation_curves(ablations: Mapping[str, Ablation]) -> Figure:
    """What a probe reads with more and more dimensions silenced, a panel for each factor.

    Args:
        ablations: factor -> what `analysis.ablate` found.

    Raises:
        InputError: without factors.
    """
    if not ablations:
        raise InputError("no ablations were given; name at least one factor.")
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
    figure.supxlabel("dimensions silenced", fontsize="medium")
    figure.supylabel("held-out R²", fontsize="medium")
    return figure


def angle_matrix(angles: SubspaceAngles) -> Figure:
    """The smallest principal angle between the subspaces of every two factors, in degrees.

    Args:
        angles: of `analysis.subspace_angles`.
    """
    smallest = angles.angles[..., 0]
    figure, axis = plt.subplots(figsize=(0.8 * WIDTH, 0.65 * WIDTH))
    image = axis.imshow(smallest, cmap="cividis", vmin=0, vmax=90)
    for row, column in np.ndindex(smallest.shape):
        value = smallest[row, column]
        colour = "black" if value > 45 else "white"
        axis.text(column, row, f"{value:.0f}°", color=colour, ha="center", va="center")
    ends = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}
    axis.set_xticks(range(len(smallest)), angles.factors, **ends)
    axis.set_yticks(range(len(smallest)), angles.factors)
    axis.set(xlabel="found on one half of the clips", ylabel="found on the other")
    axis.spines[:].set_visible(False)
    bar = figure.colorbar(image, label="smallest angle (degrees)", shrink=0.8)
    bar.ax.axhline(angles.chance[0], color=PALETTE["vermilion"], linewidth=2)
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
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def _check_mels(name: str, mels: np.ndarray) -> None:
    if mels.ndim != 3 or 0 in mels.shape or mels.shape[2] != MEL_BANDS:
        raise InputError(f"{name} have shape {mels.shape}; give (n, frames, {MEL_BANDS}).")


def _check_titles(titles: Sequence[str], number: int) -> None:
    if len(titles) != number:
        raise InputError(f"there are {len(titles)} titles for {number} rows, columns or clips.")


def _rendered(params: ClipParameters) -> tuple[np.ndarray, np.ndarray]:
    """The wave (samples,) and log-mel (frames, 128) of one clip."""
    if len(params) != 1:
        raise InputError(f"params holds {len(params)} clips; give one row, such as params[:1].")
    wave = render(params)
    return _array(wave[0]), _array(LogMel()(wave.cpu())[0])


def _grid(
    number: int, columns: int, height: float, share: bool = True
) -> tuple[Figure, np.ndarray]:
    """A figure of ``number`` axes, row by row; the axes as a flat array."""
    if columns < 1:
        raise InputError(f"columns is {columns}; give 1 or more.")
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


def _wall(
    mels: np.ndarray, titles: Sequence[str], columns: int, bar: str, **colours: object
) -> Figure:
    """(n, frames, 128) side by side; ``bar`` is the label of the colour bar."""
    _check_mels("mels", mels)
    _check_titles(titles, len(mels))
    figure, axes = _grid(len(mels), columns, height=1.45)
    for axis, clip, title in zip(axes, mels, titles, strict=True):
        image = _draw_mel(axis, clip, **colours)
        axis.set_title(title, fontsize="small")
    figure.colorbar(image, ax=axes.tolist(), label=bar, pad=0.01, aspect=40)
    figure.supxlabel("time (s)", fontsize="medium")
    figure.supylabel("frequency (Hz)", fontsize="medium")
    return figure


def _draw_mel(axis: Axes, clip: np.ndarray, **colours: object) -> AxesImage:
    """(frames, 128), time to the right in s, mel bands upwards with ticks in Hz."""
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
        cmap=mpl.colormaps[cmap].resampled(_LEVELS),
        extent=(0, len(clip) * HOP / SAMPLE_RATE, -0.5, MEL_BANDS - 0.5),
        interpolation_stage="rgba" if partial else "data",
        origin="lower",
        vmin=limits[0],
        vmax=limits[1],
    )


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
