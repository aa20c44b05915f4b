"""The figures of the chapters: made for a phone as for a desk, on a light page as on a dark one.

Every function returns its figure; a cell ends with ``plt.show()``. Tensors and arrays are both
taken. `use_style`, called once at the top of a chapter, sets colours and sizes.
"""

import io
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import ArrayLike
from torch import Tensor

from audiopg.errors import InputError
from audiopg.frontend import HOP, LOWEST_HZ, MEL_BANDS, LogMel, mel
from audiopg.mae import PIXELS, unpatchify
from audiopg.synth import CLIP_SECONDS, SAMPLE_RATE, ClipParameters, render
from audiopg.synth.parameters import NYQUIST

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
WIDTH = 6.0
_TICKS_HZ = {100: "100", 500: "500", 1000: "1k", 2000: "2k", 4000: "4k", 8000: "8k"}
_SPECTRUM_WINDOW = 8192
_SPECTRUM_FLOOR_DB = -100.0


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
    _draw_wave(axes["wave"], params, wave)
    axes["wave"].set_title("waveform (blue) and envelopes of the events (orange)", fontsize="small")
    axes["wave"].set_xlabel("time (s)")
    image = _draw_mel(axes["mel"], mels)
    axes["mel"].set(xlabel="time (s)", ylabel="frequency (Hz)")
    figure.colorbar(image, cax=axes["bar"], label="log-mel (standardised)")
    _draw_spectrum(axes["spectrum"], wave)
    figure.suptitle(title)
    return figure


def clip_strip(params: ClipParameters, wave: ArrayLike, mels: ArrayLike) -> Figure:
    """One clip, small: its waveform under the envelopes, and its log-mel spectrogram.

    The figure is not in pyplot's care: nothing need close it.

    Args:
        params: one row.
        wave: (samples,) what `render` made of it.
        mels: (frames, 128) what `LogMel` made of that.
    """
    figure = Figure(figsize=(WIDTH, 3.6))
    top, bottom = figure.subplots(2, sharex=True, height_ratios=[1, 1.4])
    _draw_wave(top, params, _array(wave))
    _draw_mel(bottom, _array(mels))
    bottom.set(xlabel="time (s)", ylabel="frequency (Hz)")
    return figure


def spectrogram_wall(mels: ArrayLike, titles: Sequence[str], columns: int = 4) -> Figure:
    """Log-mel spectrograms side by side, on one colour scale.

    Args:
        mels: (n, frames, 128) standardised log-mel.
        titles: one a clip.
        columns: clips in a row.

    Raises:
        InputError: for another shape, or titles of another number.
    """
    mels = _array(mels)
    _check_mels("mels", mels)
    _check_titles(titles, len(mels))
    figure, axes = _grid(len(mels), columns, height=1.45)
    for axis, clip, title in zip(axes, mels, titles, strict=True):
        image = _draw_mel(axis, clip)
        axis.set_title(title, fontsize="small")
    figure.colorbar(image, ax=axes.tolist(), label="log-mel (standardised)", pad=0.01, aspect=40)
    figure.supxlabel("time (s)", fontsize="medium")
    figure.supylabel("frequency (Hz)", fontsize="medium")
    return figure


def histograms(factors: Mapping[str, ArrayLike], columns: int = 3, bins: int = 30) -> Figure:
    """How factors are distributed, one small histogram each.

    Args:
        factors: label of the axis, with its unit -> values of any shape. Real numbers are
            binned, whole numbers and names are counted one by one.
        columns: histograms in a row.
        bins: of real numbers.

    Raises:
        InputError: without factors, or for one that is empty or not finite.
    """
    if not factors:
        raise InputError("no factors were given; name at least one.")
    figure, axes = _grid(len(factors), columns, height=1.9, share=False)
    for axis, (label, values) in zip(axes, factors.items(), strict=True):
        values = _array(values).ravel()
        real = np.issubdtype(values.dtype, np.floating)
        if values.size == 0 or (real and not np.isfinite(values).all()):
            raise InputError(f"{label!r} is empty or not finite; leave such values out.")
        if real:
            axis.hist(values, bins=bins, color=PALETTE["blue"])
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
        truth, predicted: (clips,).
        label, unit: of the factor, such as "f0" and "Hz".

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
    figure.supylabel("mel bands within the patch", fontsize="small")
    return figure


def image_bytes(figure: Figure) -> bytes:
    """A figure as a compressed image with a transparent ground; pyplot forgets the figure.

    WebP, at a quality where print stays sharp: the noise of a spectrogram takes a tenth of its
    bytes in PNG.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="webp", dpi=120, transparent=True, pil_kwargs={"quality": 70})
    plt.close(figure)
    return buffer.getvalue()


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


def _draw_mel(axis: Axes, clip: np.ndarray) -> AxesImage:
    """(frames, 128), time to the right in s, mel bands upwards with ticks in Hz."""
    seconds = len(clip) * HOP / SAMPLE_RATE
    low, high = MEL_LIMITS
    image = axis.imshow(
        clip.T,
        aspect="auto",
        cmap="magma",
        extent=(0, seconds, -0.5, MEL_BANDS - 0.5),
        origin="lower",
        vmin=low,
        vmax=high,
    )
    axis.set_yticks(*mel_ticks())
    axis.set_ylim(-1, MEL_BANDS)
    axis.spines[:].set_visible(False)
    return image


def _draw_wave(axis: Axes, params: ClipParameters, wave: np.ndarray) -> None:
    """A clip's extremes in every 10 ms, and each event's envelope a e(t) over the largest a."""
    windows = wave.reshape(-1, HOP)
    time = np.arange(len(windows) + 1) * HOP / SAMPLE_RATE
    axis.stairs(
        windows.max(axis=1), time, baseline=windows.min(axis=1), fill=True, color=PALETTE["blue"]
    )
    factors = (params.onset, params.length, params.attack, params.decay, params.release)
    onset, length, attack, decay, release = (_array(value[0]) for value in factors)
    sustain, amplitude = _array(params.sustain[0]), _array(params.amplitude[0])
    events = int(params.event_count[0])
    loudest = amplitude[:events].max(initial=0) or 1.0
    for event in range(events):
        share = [0, attack[event], attack[event] + decay[event], 1 - release[event], 1]
        level = np.array([0, 1, sustain[event], sustain[event], 0]) * amplitude[event] / loudest
        corners = onset[event] + length[event] * np.array(share)
        axis.plot(corners, level, "-", color=PALETTE["vermilion"], linewidth=1.5)
    axis.set(xlim=(0, CLIP_SECONDS), ylim=(-1.05, 1.05), ylabel="amplitude")


def _draw_spectrum(axis: Axes, wave: np.ndarray) -> None:
    """Mean power spectrum of a clip in dB under its highest value, on a logarithmic axis."""
    frames = np.lib.stride_tricks.sliding_window_view(wave, _SPECTRUM_WINDOW)
    frames = frames[:: _SPECTRUM_WINDOW // 2] * np.hanning(_SPECTRUM_WINDOW)
    power = (np.abs(np.fft.rfft(frames)) ** 2).mean(axis=0)
    frequency = np.fft.rfftfreq(_SPECTRUM_WINDOW, 1 / SAMPLE_RATE)
    share = power / (power.max() or 1.0)
    decibels = 10 * np.log10(np.maximum(share, 10 ** (_SPECTRUM_FLOOR_DB / 10)))
    # The first bin, 0 Hz, has no place on a logarithmic axis.
    axis.semilogx(frequency[1:], decibels[1:], color=PALETTE["blue"], linewidth=1)
    axis.set_xticks(list(_TICKS_HZ), list(_TICKS_HZ.values()))
    axis.minorticks_off()
    axis.set(
        xlim=(LOWEST_HZ, NYQUIST),
        ylim=(_SPECTRUM_FLOOR_DB, 3),
        xlabel="frequency (Hz)",
        ylabel="power (dB of the peak)",
    )
