"""What the chapters play and turn: players, sliders that need no kernel, and a live explorer.

Everything here is an object that a notebook shows by itself. A plain script shows one line, for
which neither IPython nor ipywidgets is needed.
"""

import base64
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from audiopg import plots
from audiopg.errors import InputError
from audiopg.frontend import LogMel
from audiopg.synth import (
    CLIP_SECONDS,
    EXCITATIONS,
    PRESETS,
    SAMPLE_RATE,
    ClipParameters,
    SynthPrior,
    render,
)

if TYPE_CHECKING:
    import ipywidgets
    from matplotlib.figure import Figure

# The highest seed and clip index of the explorer's boxes.
_HIGHEST = 2**31 - 1
# What an MP3 may hold.
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
# On libsndfile's scale from 0, largest, to 1. Here 10.24 s of white noise take 44 kB, and a tone
# at 7 kHz is still a tone.
_COMPRESSION = 0.3


@dataclass(frozen=True)
class Factor:
    """How one factor of `ClipParameters` is turned.

    Attributes:
        label: what a reader calls it.
        unit: Hz or s; empty for a pure number.
        low, high: the range of its slider.
        scale: "linear", "log", "whole" (numbers) or "choice" (among ``EXCITATIONS``).
        excitations: those it is heard in.
        first_event: whether the explorer turns it in the first event only; it turns the others,
            which a clip's events share or which belong to the whole clip, everywhere.
    """

    label: str
    unit: str
    low: float
    high: float
    scale: str
    excitations: tuple[str, ...] = EXCITATIONS
    first_event: bool = False

    def text(self, value: float | str) -> str:
        """A value as it is read: "440 Hz", "fm"."""
        return value if isinstance(value, str) else f"{value:.4g} {self.unit}".rstrip()

    def code(self, value: float | str) -> float:
        """A value as `ClipParameters` keeps it."""
        if self.scale == "choice":
            if value not in EXCITATIONS:
                raise InputError(f"no excitation is called {value!r}; choose from {EXCITATIONS}.")
            return EXCITATIONS.index(value)
        if isinstance(value, str):
            raise InputError(f"{self.label} is {value!r}; it takes a number.")
        return float(value)


FACTORS = {
    "excitation": Factor("excitation", "", 0, len(EXCITATIONS) - 1, "choice"),
    "f0": Factor("fundamental f0", "Hz", 50, 2000, "log"),
    "partial_count": Factor("partials K", "", 1, 15, "whole", ("harmonic",)),
    "rolloff": Factor("roll-off γ", "", 0, 3, "linear", ("harmonic",)),
    "fm_index": Factor("FM index β", "", 0, 8, "linear", ("fm",)),
    "fm_ratio": Factor("FM ratio r", "", 0.5, 3.14, "linear", ("fm",)),
    "onset": Factor("onset", "s", 0, CLIP_SECONDS, "linear", first_event=True),
    "length": Factor("length", "s", 0.1, CLIP_SECONDS, "linear", first_event=True),
    "attack": Factor("attack share", "", 0, 0.3, "linear", first_event=True),
    "decay": Factor("decay share", "", 0, 0.4, "linear", first_event=True),
    "sustain": Factor("sustain level", "", 0, 1, "linear", first_event=True),
    "burst_amplitude": Factor("burst amplitude", "", 0, 2, "linear", first_event=True),
    "cutoff": Factor("low-pass cutoff", "Hz", 200, 8000, "log"),
    "noise_level": Factor("noise level λ", "", 0, 0.1, "linear"),
}


@dataclass(frozen=True, eq=False, repr=False)
class Player:
    """A sound with a label and, in a notebook or a page, a control to play it.

    Attributes:
        wave: (n,) float32, at most 1 in magnitude.
        label: what it is.
        sample_rate: Hz.
    """

    wave: np.ndarray
    label: str
    sample_rate: int

    def __repr__(self) -> str:
        return f"<player: {self.label}, {len(self.wave) / self.sample_rate:.2f} s>"

    def mp3(self) -> bytes:
        """The sound as MP3."""
        import soundfile

        buffer = io.BytesIO()
        soundfile.write(
            buffer, self.wave, self.sample_rate, format="MP3", compression_level=_COMPRESSION
        )
        return buffer.getvalue()

    def _repr_html_(self) -> str:
        return (
            '<figure class="audiopg-player" style="margin:0.5rem 0">'
            f"<figcaption>{escape(self.label)}</figcaption>{_audio(self)}</figure>"
        )


@dataclass(frozen=True, eq=False, repr=False)
class Players:
    """Sounds side by side, as many in a row as fit, at most ``columns``."""

    players: tuple[Player, ...]
    columns: int

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.players))

    def _repr_html_(self) -> str:
        widest = f"(100% - {self.columns - 1}rem) / {self.columns}"
        style = (
            "display:grid;gap:0 1rem;grid-template-columns:"
            f"repeat(auto-fill,minmax(max(min(100%, 16rem), {widest}),1fr))"
        )
        sounds = "".join(player._repr_html_() for player in self.players)
        return f'<div class="audiopg-players" style="{style}">{sounds}</div>'


@dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """A slider over sounds and figures made beforehand: no kernel, no network, one piece of HTML.

    Attributes:
        label: what the slider turns.
        values: what it reads at each place.
        players: one a value.
        images: one a value, WebP.
        alt: what the images show.
    """

    label: str
    values: tuple[str, ...]
    players: tuple[Player, ...]
    images: tuple[bytes, ...]
    alt: str

    def __repr__(self) -> str:
        return f"<slider: {self.label}, {self.values[0]} to {self.values[-1]}>"

    def _repr_html_(self) -> str:
        name = hashlib.sha256("\0".join((self.label, self.alt, *self.values)).encode())
        identity = f"audiopg-sweep-{name.hexdigest()[:12]}"
        label, first = escape(self.label), escape(self.values[0])
        frames = "".join(
            f'<div class="audiopg-frame" data-value="{escape(value)}"{" hidden" * (place > 0)}>'
            f'<img alt="{escape(self.alt)}, {escape(value)}" src="data:image/webp;base64,'
            f'{_base64(image)}" style="height:auto;max-width:100%">{_audio(player)}</div>'
            for place, (value, player, image) in enumerate(
                zip(self.values, self.players, self.images, strict=True)
            )
        )
        return (
            f'<div class="audiopg-sweep" id="{identity}" style="margin:0.75rem 0">'
            f"<div>{label}: <output>{first}</output></div>"
            f'<input type="range" min="0" max="{len(self.values) - 1}" step="1" value="0" '
            f'aria-label="{label}" aria-valuetext="{first}" autocomplete="off" '
            f'style="height:2rem;margin:0;width:100%">{frames}'
            f"<script>{_SWEEP_SCRIPT.replace('IDENTITY', identity)}</script></div>"
        )


# Every element of the name is set up, once: a page may show the same sweep twice.
_SWEEP_SCRIPT = """
for (const sweep of document.querySelectorAll('[id="IDENTITY"]:not([data-ready])')) {
  sweep.dataset.ready = "";
  const slider = sweep.querySelector("input");
  const frames = sweep.querySelectorAll(".audiopg-frame");
  let shown = frames[0];
  slider.addEventListener("input", () => {
    const before = shown.querySelector("audio");
    const playing = !before.paused;
    before.pause();
    shown.hidden = true;
    shown = frames[slider.value];
    shown.hidden = false;
    sweep.querySelector("output").textContent = shown.dataset.value;
    slider.setAttribute("aria-valuetext", shown.dataset.value);
    if (playing) {
      const after = shown.querySelector("audio");
      after.currentTime = 0;
      after.play().catch(() => {});
    }
  });
}
"""


def player(wave: ArrayLike | Tensor, label: str, sample_rate: int = SAMPLE_RATE) -> Player:
    """A labelled sound to play.

    Args:
        wave: (n,) tensor or array; what is louder than full scale, 1, is scaled down to it.
        label: what it is.
        sample_rate: Hz, one of those of MP3.

    Raises:
        InputError: for another shape, no samples, NaN or infinite ones, or another rate.
    """
    if isinstance(wave, Tensor):
        wave = wave.detach().cpu().numpy()
    try:
        samples = np.asarray(wave, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"{label!r}: the wave holds no numbers; give (samples,).") from error
    if samples.ndim != 1 or len(samples) == 0:
        raise InputError(f"{label!r}: the wave has shape {samples.shape}; give (samples,).")
    if not np.isfinite(samples).all():
        raise InputError(f"{label!r}: the wave holds NaN or infinite samples; leave it out.")
    if sample_rate not in _MP3_RATES:
        raise InputError(
            f"{label!r}: a player cannot play {sample_rate} Hz; choose from {_MP3_RATES}."
        )
    return Player(samples / max(1.0, float(np.abs(samples).max())), label, sample_rate)


def players(
    waves: ArrayLike | Tensor,
    labels: Sequence[str],
    columns: int = 4,
    sample_rate: int = SAMPLE_RATE,
) -> Players:
    """Labelled sounds in a grid that fits a phone as well as a desk.

    Args:
        waves: (n, samples), or n waves of lengths of their own.
        labels: one a wave.
        columns: the most in a row.
        sample_rate: Hz.

    Raises:
        InputError: as `player`; for labels of another number; for fewer columns than one.
    """
    if len(waves) != len(labels):
        raise InputError(f"there are {len(waves)} waves and {len(labels)} labels; give one each.")
    if columns < 1:
        raise InputError(f"columns is {columns}; give 1 or more.")
    sounds = zip(waves, labels, strict=True)
    return Players(tuple(player(wave, label, sample_rate) for wave, label in sounds), columns)


def sweep(
    label: str,
    values: Sequence[str],
    waves: ArrayLike | Tensor,
    figures: Sequence["Figure"],
    alt: str,
) -> Sweep:
    """A slider over sounds and figures, which needs neither a kernel nor a network.

    Args:
        label: what the slider turns.
        values: what it reads at each place, such as "440 Hz".
        waves: (n, samples) at 16 kHz.
        figures: n figures; they are drawn and closed.
        alt: what every figure shows; the value is added to it.

    Raises:
        InputError: without values, or for waves or figures of another number.
    """
    if not len(values) == len(waves) == len(figures) > 0:
        raise InputError(
            f"there are {len(values)} values, {len(waves)} waves and {len(figures)} figures; "
            "give as many of each, at least one."
        )
    sounds = [player(wave, f"{label}: {value}") for wave, value in zip(waves, values, strict=True)]
    images = tuple(plots.image_bytes(figure) for figure in figures)
    return Sweep(label, tuple(values), tuple(sounds), images, alt)


def synth_sweep(
    factor: str, values: Sequence[float] | Sequence[str], params: ClipParameters
) -> Sweep:
    """One clip with one factor turned, in every event: its sound, waveform and log-mel.

    As in the prior, release takes what attack and decay leave, and an event that becomes longer
    than the rest of the clip begins earlier.

    Args:
        factor: a name in ``FACTORS``.
        values: of the factor; names for the excitation.
        params: one row.

    Raises:
        InputError: for an unknown factor, no values, a value out of range, or other than one row.
    """
    if factor not in FACTORS:
        raise InputError(f"no slider turns {factor!r}; choose from {list(FACTORS)}.")
    if len(params) != 1:
        raise InputError(f"params holds {len(params)} clips; give one row, such as params[:1].")
    if len(values) == 0:
        raise InputError(f"no values of {factor!r} were given; name at least one.")
    known = FACTORS[factor]
    column = torch.tensor([known.code(value) for value in values], dtype=torch.float64)
    slots = getattr(params, factor).shape[1:]
    batch = params[[0] * len(values)]
    batch = _turn(batch, **{factor: column.view(-1, *[1] * len(slots)).expand(-1, *slots)})
    waves = render(batch).cpu()
    mels = LogMel()(waves)
    figures = [plots.clip_strip(batch[i : i + 1], waves[i], mels[i]) for i in range(len(values))]
    alt = f"Waveform with envelopes, and log-mel spectrogram, of {_cite(params)}: {known.label}"
    return sweep(known.label, [known.text(value) for value in values], waves, figures, alt)


def explorer(preset: str = "full", seed: int = 0, clip: int = 0) -> "Explorer | Sweep":
    """Sliders for every factor of a clip, with its sound, waveform and log-mel.

    With a kernel everything is live. A static page shows the clip with sliders of its fundamental
    and its cutoff, made beforehand.

    Args:
        preset: of `SynthPrior`.
        seed, clip: which clip to begin with, each from 0 to 2**31 - 1.

    Returns:
        The explorer; where ipywidgets is not installed, the slider of the fundamental alone.

    Raises:
        InputError: for an unknown preset, or a seed or clip out of range.
    """
    try:
        import ipywidgets  # noqa: F401
    except ModuleNotFoundError:
        return synth_sweep("f0", _STATIC_SWEEPS["f0"], _draw(preset, seed, clip))
    return Explorer(preset, seed, clip)


_STATIC_SWEEPS = {
    "f0": (55.0, 110.0, 220.0, 440.0, 880.0, 1760.0),
    "cutoff": (250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0),
}


class Explorer:
    """A clip drawn from a preset, and widgets that turn its factors; see `explorer`.

    Attributes:
        preset, seed, clip, surprise: widgets that choose the drawn clip.
        sliders: factor -> its widget; those that cannot be heard in the clip are hidden.
        view: the HTML widget that holds the player and the figure.
        params: the clip now heard, one row.
    """

    def __init__(self, preset: str, seed: int, clip: int) -> None:
        import ipywidgets

        for name, value in (("seed", seed), ("clip", clip)):
            if not 0 <= value <= _HIGHEST:
                raise InputError(f"the {name} is {value}; the explorer shows 0 to {_HIGHEST}.")
        self._log_mel = LogMel()
        self._edits: dict[str, float] = {}
        self._drawn = _draw(preset, seed, clip)
        self.params = self._drawn
        wide = {"description_width": "8em"}
        self.preset = ipywidgets.Dropdown(
            options=list(PRESETS), value=preset, description="preset", style=wide
        )
        self.seed, self.clip = (
            ipywidgets.BoundedIntText(
                value=value, min=0, max=_HIGHEST, description=name, style=wide
            )
            for name, value in (("seed", seed), ("clip", clip))
        )
        self.surprise = ipywidgets.Button(description="Surprise me")
        self.sliders = {name: _slider(factor) for name, factor in FACTORS.items()}
        self.view = ipywidgets.HTML()
        self._box = ipywidgets.VBox(
            [
                ipywidgets.Box(
                    [self.preset, self.seed, self.clip, self.surprise],
                    layout={"flex_flow": "row wrap"},
                ),
                ipywidgets.Box(list(self.sliders.values()), layout={"flex_flow": "row wrap"}),
                self.view,
            ]
        )
        self._show_factors()
        self.redraw()
        for source in (self.preset, self.seed, self.clip):
            source.observe(self._choose, names="value")
        self.surprise.on_click(self._next)
        for name, widget in self.sliders.items():
            widget.observe(lambda change, name=name: self._edit(name, change.new), names="value")

    def __repr__(self) -> str:
        return f"<explorer: {self.citation}>"

    def _repr_mimebundle_(self, **kwargs: object) -> dict[str, object]:
        live = self._box._repr_mimebundle_(**kwargs)
        still = "".join(
            synth_sweep(factor, values, self.params)._repr_html_()
            for factor, values in _STATIC_SWEEPS.items()
        )
        return {**live, "text/plain": repr(self), "text/html": still}

    @property
    def citation(self) -> str:
        """Where the clip was drawn from, and whether it is as drawn."""
        edited = ", edited" if self._edits else ""
        return f"preset {self.preset.value}, {_cite(self._drawn)}{edited}"

    def redraw(self) -> None:
        """Render ``params``, and show its sound, waveform and log-mel."""
        wave = render(self.params)
        figure = plots.clip_strip(self.params, wave[0], self._log_mel(wave)[0])
        alt = f"Waveform with envelopes, and log-mel spectrogram, of {self.citation}"
        self.view.value = (
            f"{player(wave[0], self.citation)._repr_html_()}"
            f'<img alt="{escape(alt)}" style="max-width:100%" '
            f'src="data:image/webp;base64,{_base64(plots.image_bytes(figure))}">'
        )

    def _choose(self, change: object) -> None:
        """Draw the clip that preset, seed and index name, and forget the edits."""
        self._drawn = _draw(self.preset.value, self.seed.value, self.clip.value)
        self.params, self._edits = self._drawn, {}
        self._show_factors()
        self.redraw()

    def _next(self, button: object) -> None:
        self.clip.value += 1

    def _edit(self, name: str, value: float | str) -> None:
        """Turn one factor of the clip, as its slider says."""
        if self._following:
            return
        factor = FACTORS[name]
        # A slider's place on a logarithmic scale is not a round number; its reading is.
        self._edits[name] = float(f"{value:.4g}") if factor.scale == "log" else factor.code(value)
        turned = {}
        for edited, number in self._edits.items():
            turned[edited] = getattr(self._drawn, edited).clone()
            # Without "first event only", the row: every event of the clip, or the clip itself.
            turned[edited][(0, 0) if FACTORS[edited].first_event else 0] = number
        self.params = _turn(self._drawn, **turned)
        self._show_factors()
        self.redraw()

    def _show_factors(self) -> None:
        """Put every slider where ``params`` is, and hide those that cannot be heard."""
        excitation = EXCITATIONS[int(self.params.excitation[0, 0])]
        partials = self.params.partial_weight.shape[2]
        self._following = True
        self.sliders["partial_count"].max = partials
        self.sliders["onset"].max = CLIP_SECONDS - float(self.params.length[0, 0])
        for name, widget in self.sliders.items():
            value = getattr(self.params, name)[0].flatten()[0].item()
            widget.value = excitation if name == "excitation" else value
            heard = excitation in FACTORS[name].excitations
            if partials == 1 and name in ("partial_count", "rolloff"):
                heard = False
            widget.layout.display = None if heard else "none"
        self._following = False


def _slider(factor: Factor) -> "ipywidgets.DOMWidget":
    """The widget of a factor; it reports when it is let go, not at every step on the way."""
    import ipywidgets

    unit = f" ({factor.unit})" if factor.unit else ""
    common = {
        "description": f"{factor.label}{unit}",
        "style": {"description_width": "10em"},
        "layout": {"width": "24em"},
    }
    if factor.scale == "choice":
        return ipywidgets.Dropdown(options=EXCITATIONS, **common)
    common |= {"continuous_update": False}
    if factor.scale == "whole":
        return ipywidgets.IntSlider(min=factor.low, max=factor.high, **common)
    if factor.scale == "log":
        low, high = np.log10((factor.low, factor.high))
        return ipywidgets.FloatLogSlider(
            value=factor.low, min=low, max=high, step=(high - low) / 200, **common
        )
    span = factor.high - factor.low
    return ipywidgets.FloatSlider(
        min=factor.low, max=factor.high, step=span / 200, readout_format=".3f", **common
    )


def _draw(preset: str, seed: int, clip: int) -> ClipParameters:
    """One clip of a preset."""
    return SynthPrior.preset(preset).sample(torch.tensor([clip]), seed)


def _turn(params: ClipParameters, **factors: Tensor) -> ClipParameters:
    """``params.edit``, with release and onset following what they depend on, as in the prior.

    Between decay and release the level is held for what the three leave of the event; that share
    is kept where it can be. An event begins earlier where it would reach past the end.
    """
    after = {name: factors.get(name, getattr(params, name)) for name in ("attack", "decay")}
    if factors.keys() & after.keys():
        held = 1 - params.attack - params.decay - params.release
        free = 1 - after["attack"] - after["decay"]
        factors["release"] = (free - held).clamp(min=0)
    if "length" in factors:
        latest = CLIP_SECONDS - factors["length"]
        factors["onset"] = torch.minimum(factors.get("onset", params.onset), latest)
    return params.edit(**factors)


def _cite(params: ClipParameters) -> str:
    """The seed and index of a single clip."""
    return f"seed {int(params.seed[0])}, clip {int(params.clip[0])}"


def _audio(sound: Player) -> str:
    """The control that plays a sound."""
    return (
        f'<audio controls preload="metadata" aria-label="{escape(sound.label)}" '
        f'src="data:audio/mpeg;base64,{_base64(sound.mp3())}" style="width:100%"></audio>'
    )


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
