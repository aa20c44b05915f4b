"""What the chapters play and turn: players, sliders that need no kernel, and a live explorer.

Everything here is an object that a notebook shows by itself. A plain script shows one line, for
which neither IPython nor ipywidgets is needed.
"""

import base64
import hashlib
import io
import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from audiopg.book import plots
from audiopg.environment import atomic_path
from audiopg.errors import InputError
from audiopg.frontend import LogMel, whole_frames
from audiopg.inputs import as_array
from audiopg.mae import PIXELS, MaskedAutoencoder, MaskedOutput, reconstruct, unpatchify
from audiopg.pretraining import PretrainSettings
from audiopg.synth import (
    CLIP_SAMPLES,
    CLIP_SECONDS,
    EXCITATIONS,
    PRESETS,
    SAMPLE_RATE,
    ClipParameters,
    SynthPrior,
    factors,
    render,
    to_scene,
)
from audiopg.synth.factors import NYQUIST, Factor
from audiopg.synth.scenes import scene_text

if TYPE_CHECKING:
    import ipywidgets
    from IPython.display import DisplayHandle
    from matplotlib.figure import Figure

# The highest seed and clip index of the explorer's boxes.
_HIGHEST = 2**31 - 1
# On libsndfile's scale from 0, largest, to 1. Here 10.24 s of white noise take 44 kB, and a tone
# at 7 kHz is still a tone.
_COMPRESSION = 0.3
# Inches: the width of a picture that shares its row with another.
_NARROW = 4.2
_SECONDS_BETWEEN_CURVES = 2.0
# A slider of the explorer and its description.
_SLIDER = {"style": {"description_width": "12em"}, "layout": {"width": "26em"}}


# Every factor that a reader turns, in the order of the headings of the explorer.
_HEADINGS = (
    "tone",
    "events",
    "burst",
    "damping and noise",
    "band of noise",
    "modulation",
    "motion of the pitch",
    "formants",
    "room",
)
SLIDERS = {
    name: factor
    for heading in _HEADINGS
    for name, factor in factors.FACTOR_TABLE.items()
    if factor.slider and factor.slider.group == heading
}
# What a reader can draw from: the paper's curricula, and all that is beyond them.
DRAWN = (*PRESETS, "extended")


@dataclass(frozen=True, eq=False, repr=False)
class Player:
    """A sound with a label and, in a notebook or a page, a control to play it.

    Attributes:
        wave: (n,) float32, at most 1 in magnitude.
        label: what it is.
        sample_rate: Hz.
        picture: of the sound, WebP, shown below the control; empty where there is none.
        alt: what the picture shows.
    """

    wave: np.ndarray
    label: str
    sample_rate: int
    picture: bytes = b""
    alt: str = ""

    def __repr__(self) -> str:
        return f"<player: {self.label}, {len(self.wave) / self.sample_rate:.2f} s>"

    def mp3(self) -> bytes:
        """The sound as MP3: small, for a page."""
        return self._encoded(format="MP3", compression_level=_COMPRESSION)

    def wav(self) -> bytes:
        """The sound as WAV of 16 bits: all of it, and encoded in a millisecond."""
        return self._encoded(format="WAV", subtype="PCM_16")

    def html(self, live: bool = False) -> str:
        """The label, the control and the picture, as a page holds them.

        Args:
            live: whether the sound is heard now and then gone, in a notebook: as WAV.
        """
        return (
            '<figure class="audiopg-player" style="margin:0.5rem 0">'
            f"<figcaption>{escape(self.label)}</figcaption>{self.content(live)}</figure>"
        )

    def content(self, live: bool = False) -> str:
        """The control and the picture; arguments as of `html`."""
        kind, sound = ("wav", self.wav()) if live else ("mpeg", self.mp3())
        control = (
            f'<audio controls controlslist="nodownload noplaybackrate" preload="metadata" '
            f'aria-label="{escape(self.label)}" '
            f'src="data:audio/{kind};base64,{_base64(sound)}" style="width:100%"></audio>'
        )
        return control + (_image(self.picture, self.alt) if self.picture else "")

    def _encoded(self, **encoding: str | float) -> bytes:
        import soundfile

        buffer = io.BytesIO()
        soundfile.write(buffer, self.wave, self.sample_rate, **encoding)
        return buffer.getvalue()

    def _repr_html_(self) -> str:
        return self.html()


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
            f"repeat(auto-fill,minmax(max(min(100%, 13rem), {widest}),1fr))"
        )
        sounds = "".join(player.html() for player in self.players)
        return f'<div class="audiopg-players" style="{style}">{sounds}</div>'


@dataclass(frozen=True, eq=False)
class Still:
    """A picture alone, a frame of a slider that has no sound.

    Attributes:
        picture: WebP.
        alt: what it shows.
    """

    picture: bytes
    alt: str

    def content(self) -> str:
        """The picture, as a page holds it."""
        return _image(self.picture, self.alt)


@dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """A slider over sounds and pictures made beforehand: no kernel, no network, one piece of HTML.

    Attributes:
        label: what the slider turns.
        values: what it reads at each place.
        players: one a value; or pictures without sound.
        start: the place that it begins at.
    """

    label: str
    values: tuple[str, ...]
    players: tuple[Player | Still, ...]
    start: int = 0

    def __repr__(self) -> str:
        return f"<slider: {self.label}, {self.values[0]} to {self.values[-1]}>"

    def _repr_html_(self) -> str:
        shown = (self.label, *self.values, *(sound.alt for sound in self.players))
        name = hashlib.sha256("\0".join(shown).encode())
        identity = f"audiopg-sweep-{name.hexdigest()[:12]}"
        label, first = escape(self.label), escape(self.values[self.start])
        frames = "".join(
            f'<div class="audiopg-frame" data-value="{escape(value)}"{" hidden" * (place != self.start)}>'
            f"{sound.content()}</div>"
            for place, (value, sound) in enumerate(zip(self.values, self.players, strict=True))
        )
        return (
            f'<div class="audiopg-sweep" id="{identity}" style="margin:0.75rem 0">'
            f"<div>{label}: <output>{first}</output></div>"
            f'<input type="range" min="0" max="{len(self.values) - 1}" step="1" value="{self.start}" '
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
  let shown = frames[slider.value];
  // Once the reader has pressed play, every move plays; until they press pause.
  let playing = false;
  sweep.addEventListener("play", () => { playing = true; }, true);
  sweep.addEventListener("pause", ({ target }) => {
    if (shown.contains(target) && !target.ended) playing = false;
  }, true);
  slider.addEventListener("input", () => {
    shown.querySelector("audio")?.pause();
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


class LiveLoss:
    """The loss of a run, drawn while it goes on: give it as ``watch`` to `audiopg.pretrain`.

    In a notebook the curve is drawn anew every other second and after the last step. A plain
    script shows nothing.

    Args:
        settings: of the run.
    """

    def __init__(self, settings: PretrainSettings) -> None:
        self.settings = settings
        self._shown: DisplayHandle | None = None
        self._drawn = -math.inf

    def __call__(self, step: int, model: MaskedAutoencoder, losses: Sequence[float]) -> None:
        now = time.monotonic()
        recently = now - self._drawn < _SECONDS_BETWEEN_CURVES
        if not losses or not _in_notebook() or (recently and step < self.settings.steps):
            return
        from IPython.display import display

        self._drawn = now
        figure = plots.loss_curve(losses, self.settings.batch_size)
        # Closed, or the notebook would show it a second time at the end of the cell.
        plots.plt.close(figure)
        if self._shown:
            self._shown.update(figure)
        else:
            self._shown = display(figure, display_id=True)


def _in_notebook() -> bool:
    """Whether there is a kernel that can show a picture before the cell is done."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return hasattr(get_ipython(), "kernel")


def player(wave: ArrayLike | Tensor, label: str, sample_rate: int = SAMPLE_RATE) -> Player:
    """A labelled sound to play.

    Args:
        wave: (n,) tensor or array; what is louder than full scale, 1, is scaled down to it.
        label: what it is.
        sample_rate: Hz, one of those of MP3.

    Raises:
        InputError: for NaN or infinite samples.
    """
    samples = as_array(wave, label).astype(np.float32)
    if not np.isfinite(samples).all():
        raise InputError(f"{label!r}: the wave holds NaN or infinite samples; leave it out.")
    return Player(samples / max(1.0, float(np.abs(samples).max())), label, sample_rate)


def players(waves: ArrayLike | Tensor, labels: Sequence[str], columns: int = 4) -> Players:
    """Labelled sounds in a grid that fits a phone as well as a desk.

    Args:
        waves: (n, samples) at 16 kHz, or n waves of lengths of their own.
        labels: one a wave.
        columns: the most in a row.

    Raises:
        InputError: as `player`.
    """
    sounds = zip(waves, labels, strict=True)
    return Players(tuple(player(wave, label) for wave, label in sounds), columns)


def sweep(label: str, values: Sequence[str], players: Sequence[Player]) -> Sweep:
    """A slider over sounds and their pictures, which needs neither a kernel nor a network.

    Args:
        label: what the slider turns.
        values: what it reads at each place, such as "440 Hz".
        players: one a value.
    """
    return Sweep(label, tuple(values), tuple(players))


def figure_sweep(label: str, figures: Mapping[str, "Figure"], alts: Sequence[str]) -> Sweep:
    """A slider over figures, which needs neither a kernel nor a network; the figures are closed.

    Args:
        label: what the slider turns.
        figures: what it reads at each place -> the figure there.
        alts: what each figure shows.
    """
    pairs = zip(figures.values(), alts, strict=True)
    return Sweep(label, tuple(figures), tuple(Still(plots.picture(one), alt) for one, alt in pairs))


def synth_sweep(
    factor: str, values: Sequence[float] | Sequence[str], params: ClipParameters
) -> Sweep:
    """One clip with one factor turned, in every event: its sound, waveform, log-mel and spectrum.

    As in the prior, release takes what attack and decay leave, and an event that becomes longer
    than the rest of the clip begins earlier. The slider starts at the value that is nearest to the
    clip's own.

    Args:
        factor: a name in ``SLIDERS``.
        values: of the factor, or of its spread; names for the excitation.
        params: one row.

    Raises:
        InputError: for a value out of range.
    """
    known = SLIDERS[factor]
    batch = params[[0] * len(values)]
    drawn = getattr(batch, factor)
    codes = torch.tensor([_code(known, value) for value in values], dtype=torch.float64)
    turned = turn(known, drawn, codes.view(-1, *[1] * (drawn.ndim - 1)))
    readings, label = [_text(known, value) for value in values], known.slider.label
    labels = [f"{_cite(params)}, {label}: {reading}" for reading in readings]
    sounds = _seen(_turn(batch, **{factor: turned}), labels, plots.ClipView())
    start = int((codes - _own(known, params)).abs().argmin())
    return replace(sweep(label, readings, sounds), start=start)


def _own(factor: Factor, params: ClipParameters) -> float:
    """What the slider of a factor reads for a clip as drawn; of its first event or partial."""
    if factor.slider.scale == "spread":
        return 1.0
    return float(getattr(params, factor.name)[0].flatten()[0])


def side_by_side(clips: Mapping[str, ClipParameters], columns: int = 2) -> Players:
    """Clips in a grid, each with its sound, waveform, log-mel and spectrum; no kernel is needed.

    Args:
        clips: label -> one row.
        columns: the most in a row.
    """
    view = plots.ClipView(_NARROW)
    shown = [_seen(params, [label], view) for label, params in clips.items()]
    return Players(tuple(chain.from_iterable(shown)), columns)


def seen_and_heard(waves: Sequence[Tensor], labels: Sequence[str], columns: int = 3) -> Players:
    """Sounds in a grid, each over its log-mel; no kernel is needed.

    Args:
        waves: (samples,) each, at 16 kHz, at least one window long.
        labels: one a wave.
        columns: the most in a row.

    Raises:
        InputError: as `players`.
    """
    log_mel = LogMel()
    sounds = players(waves, labels, columns)
    shown = []
    for sound in sounds.players:
        # Frames that only fill up the last patches are no sound.
        frames = whole_frames(len(sound.wave))
        picture = plots.mel_picture(log_mel(torch.from_numpy(sound.wave)[None])[0, :frames])
        alt = f"Log-mel spectrogram of {sound.label}"
        shown.append(replace(sound, picture=picture, alt=alt))
    return Players(tuple(shown), columns)


def heard_reconstructions(
    log_mel: LogMel, mels: Tensor, output: MaskedOutput, titles: Sequence[str]
) -> Players:
    """Each clip three times, seen and heard: itself, what the encoder saw of it, the answer.

    All three sounds are made from spectrograms (`LogMel.invert`), so what inversion loses is lost
    in each of them. Hidden patches are silent in the second. No kernel is needed.

    Args:
        log_mel: the front end that made the spectrograms.
        mels: (n, 1024, 128) standardised log-mel.
        output: of the autoencoder on ``mels``.
        titles: one a clip.

    Raises:
        InputError: for clips of another length.
    """
    hidden = unpatchify(output.mask[..., None].expand(-1, -1, PIXELS))
    silence = (math.log(torch.finfo(torch.float32).eps) - log_mel.mean) / log_mel.standard_deviation
    seen = torch.where(hidden, silence, mels)
    versions = torch.stack((mels, seen, reconstruct(mels, output)), dim=1)  # (n, 3, 1024, 128)
    waves = log_mel.invert(versions.flatten(0, 1), CLIP_SAMPLES).unflatten(0, (-1, 3))
    shown = []
    for title, mels_of, waves_of, unseen in zip(titles, versions, waves, hidden, strict=True):
        # One scale for all three: what is hidden makes a clip quieter.
        loudest = waves_of.abs().max().clamp(min=1e-9)
        headings = {"original": None, "what the encoder saw": unseen, "reconstruction": None}
        for heading, mel, wave in zip(headings, mels_of, waves_of, strict=True):
            label = f"{title}: {heading}"
            sound = player(wave / loudest, label)
            picture = plots.mel_picture(mel, headings[heading])
            alt = f"Log-mel spectrogram of {label}"
            shown.append(replace(sound, picture=picture, alt=alt))
    return Players(tuple(shown), columns=3)


def explorer(preset: str = "full", seed: int = 0, clip: int = 0) -> "Explorer | Sweep":
    """Sliders for every factor of a clip, with its sound, waveform, log-mel and spectrum.

    With a kernel everything is live. A static page shows the clip with sliders of its fundamental
    and its cutoff, made beforehand, and gives its scene.

    Args:
        preset: of `SynthPrior`.
        seed: of the clip to begin with, from 0 to 2**31 - 1.
        clip: which clip of that seed, from 0 to 2**31 - 1.

    Returns:
        The explorer; where ipywidgets is not installed, the slider of the fundamental alone.

    Raises:
        InputError: for an unknown preset, or a seed or clip out of range.
    """
    try:
        import ipywidgets  # noqa: F401
    except ModuleNotFoundError:
        return _static_sweep("f0", _draw(preset, seed, clip))
    return Explorer(preset, seed, clip)


# Half an octave apart: near enough to be heard as a glide.
_STATIC_SWEEPS = {
    "f0": tuple(55.0 * 2 ** (step / 2) for step in range(11)),
    "cutoff": tuple(250.0 * 2 ** (step / 2) for step in range(11)),
}


def _static_sweep(factor: str, params: ClipParameters) -> Sweep:
    """The slider of a page without a kernel: even steps, and among them the clip's own value."""
    own = _own(SLIDERS[factor], params)
    # The step that is nearest gives way to it.
    steps = sorted(_STATIC_SWEEPS[factor], key=lambda step: abs(math.log(step / own)))
    return synth_sweep(factor, sorted([own, *steps[1:]]), params)


class Explorer:
    """A clip drawn from a preset, and widgets that turn its factors; see `explorer`.

    Attributes:
        preset: the widget that chooses the prior of the drawn clip.
        seed: the one of its seed.
        clip: the one of its index.
        surprise: the button that takes the next clip.
        event: the widget that says which event the sliders of one event turn: 1 is the first in
            time.
        sliders: factor -> its widget; those that cannot be heard in the clip are hidden.
        save: the button that writes the sound and its scene into the working folder, which is the
            notebook's.
        saved: the HTML widget that then says where.
        view: the HTML widget that holds the player and the picture.
        params: the clip now heard, one row.
        sound: its player.
    """

    def __init__(self, preset: str, seed: int, clip: int) -> None:
        import ipywidgets

        for name, value in (("seed", seed), ("clip", clip)):
            if not 0 <= value <= _HIGHEST:
                raise InputError(f"the {name} is {value}; the explorer shows 0 to {_HIGHEST}.")
        self._log_mel, self._clip_view = LogMel(), plots.ClipView()
        # (factor, event from 0, or None for all of them) -> what its slider reads, as a number.
        self._edits: dict[tuple[str, int | None], float] = {}
        self._drawn = _draw(preset, seed, clip)
        self.params = self._drawn
        # The row of the event that is turned, which stays the same when another is moved past it.
        self._row = self._rows()[0]
        wide = {"description_width": "8em"}
        self.preset = ipywidgets.Dropdown(
            options=list(DRAWN), value=preset, description="preset", style=wide
        )
        self.seed, self.clip = (
            ipywidgets.BoundedIntText(
                value=value, min=0, max=_HIGHEST, description=name, style=wide
            )
            for name, value in (("seed", seed), ("clip", clip))
        )
        self.surprise = ipywidgets.Button(description="Surprise me")
        self.save = ipywidgets.Button(description="Save")
        self.saved = ipywidgets.HTML()
        self.event = ipywidgets.IntSlider(min=1, max=1, description="turn event", **_SLIDER)
        self.sliders = {name: _slider(factor) for name, factor in SLIDERS.items()}
        self.view = ipywidgets.HTML()
        self._box = self._laid_out()
        self._show_factors()
        self.redraw()
        for source in (self.preset, self.seed, self.clip):
            source.observe(self._choose, names="value")
        self.surprise.on_click(self._next)
        self.save.on_click(self._save)
        self.event.observe(self._choose_event, names="value")
        for name, widget in self.sliders.items():
            widget.observe(lambda change, name=name: self._edit(name, change.new), names="value")

    def _laid_out(self) -> "ipywidgets.VBox":
        """All widgets: the sliders scroll beside the picture, or under it where there is no room.

        So whoever turns a slider sees what it does.
        """
        import ipywidgets

        groups: dict[str, list[ipywidgets.DOMWidget]] = {}
        for name, factor in SLIDERS.items():
            group = factor.slider.group
            heading = ipywidgets.HTML(f"<strong>{group}</strong>")
            groups.setdefault(group, [heading]).append(self.sliders[name])
            if name == "event_count":
                groups[group].append(self.event)
        rows = {"flex_flow": "row wrap", "align_items": "flex-start"}
        scrolled = {"flex": "1 1 28em", "max_height": "38em", "overflow": "hidden auto"}
        # Or a box of sliders would be squeezed rather than scrolled.
        whole = {"flex": "0 0 auto"}
        boxes = [ipywidgets.VBox(group, layout=whole) for group in groups.values()]
        turned = ipywidgets.VBox(boxes, layout=scrolled)
        self.view.layout.flex = "1 1 26em"
        chosen = [self.preset, self.seed, self.clip, self.surprise, self.save]
        return ipywidgets.VBox(
            [
                ipywidgets.Box(chosen, layout=rows),
                self.saved,
                ipywidgets.Box([self.view, turned], layout=rows),
            ]
        )

    def __repr__(self) -> str:
        return f"<explorer: {self.citation}>"

    def _repr_mimebundle_(self, **kwargs: object) -> dict[str, object]:
        live = self._box._repr_mimebundle_(**kwargs)
        sweeps = [_static_sweep(name, self.params) for name in _STATIC_SWEEPS]
        scene = _base64(json.dumps(to_scene(self.params)).encode())
        still = (
            f"{''.join(sweep._repr_html_() for sweep in sweeps)}"
            f'<p><a download="{self.file_name}.json" href="data:application/json;base64,{scene}">'
            f"The scene of {escape(self.citation)}, as JSON</a></p>"
        )
        return {**live, "text/plain": repr(self), "text/html": still}

    @property
    def citation(self) -> str:
        """Where the clip was drawn from, and whether it is as drawn."""
        edited = ", edited" if self._edits else ""
        return f"preset {self.preset.value}, {_cite(self._drawn)}{edited}"

    @property
    def file_name(self) -> str:
        """What the clip is saved as, less the ending: an edited clip's name follows its scene."""
        name = f"{self.preset.value}-{self.seed.value}-{self.clip.value:05d}"
        if not self._edits:
            return name
        scene = json.dumps(to_scene(self.params)).encode()
        return f"{name}-edited-{hashlib.sha256(scene).hexdigest()[:8]}"

    def redraw(self) -> None:
        """Render ``params``, and show its sound, waveform, log-mel and spectrum."""
        wave = render(self.params)
        picture = self._clip_view.draw(self.params, wave[0], self._log_mel(wave)[0])
        self.sound = replace(
            player(wave[0], self.citation), picture=picture, alt=_alt(self.citation)
        )
        self.view.value = self.sound.html(live=True)
        self.saved.value = ""

    def _choose(self, change: object) -> None:
        """Draw the clip that preset, seed and index name, and forget the edits."""
        self._drawn = _draw(self.preset.value, self.seed.value, self.clip.value)
        self.params, self._edits = self._drawn, {}
        self._row = self._rows()[0]
        self._show_factors()
        self.redraw()

    def _choose_event(self, change: object) -> None:
        if not self._following:
            self._row = self._rows()[self.event.value - 1]
            self._show_factors()

    def _rows(self) -> list[int]:
        """The rows of the clip's events, in the order of their onsets."""
        count = int(self.params.event_count[0])
        return self.params.onset[0, :count].argsort(stable=True).tolist()

    def _next(self, button: object) -> None:
        self.clip.value += 1

    def _save(self, button: object) -> None:
        """Write the sound and its scene into the working folder, and say where they are."""
        try:
            folder = Path.cwd()
            sound, scene = (folder / f"{self.file_name}.{ending}" for ending in ("wav", "json"))
            with atomic_path(sound) as new_sound, atomic_path(scene) as new_scene:
                new_sound.write_bytes(self.sound.wav())
                new_scene.write_text("".join(scene_text(self.params)), encoding="utf-8")
                for path, new in ((sound, new_sound), (scene, new_scene)):
                    if path.exists() and path.read_bytes() != new.read_bytes():
                        raise InputError(f"{path} holds something else; move it, then save again.")
            told = f"Saved as {sound} and {scene.name}."
        except InputError as error:
            told = f"Not saved: {error}"
        except OSError as error:
            told = (
                f"Not saved: the folder of this notebook cannot be written to ({error.strerror})."
            )
        self.saved.value = escape(told)

    def _edit(self, name: str, value: float | str) -> None:
        """Turn one factor of the clip, as its slider says."""
        if self._following:
            return
        factor = SLIDERS[name]
        # A slider's place on a logarithmic scale is not a round number; its reading is.
        reading = float(f"{value:.4g}") if factor.slider.scale == "log" else _code(factor, value)
        self._edits[name, self._row if factor.one_event else None] = reading
        turned = {}
        for (edited, event), number in self._edits.items():
            drawn = getattr(self._drawn, edited)
            values = turned.setdefault(edited, drawn.clone())
            # Without an event, the row: every event of the clip, or the clip itself.
            place = 0 if event is None else (0, event)
            values[place] = turn(SLIDERS[edited], drawn[place], number)
        self.params = _turn(self._drawn, **turned)
        self._show_factors()
        self.redraw()

    def _show_factors(self) -> None:
        """Put every slider where ``params`` is, and hide those that cannot be heard."""
        self._following = True
        params, sliders = self.params, self.sliders
        _, events, partials = params.partial_weight.shape
        sliders["event_count"].max, sliders["partial_count"].max = events, partials
        in_time = self._rows()
        if self._row not in in_time:
            self._row = in_time[0]
        event = self._row
        self.event.max = len(in_time)
        self.event.value = in_time.index(event) + 1
        sliders["onset"].max = CLIP_SECONDS - float(params.length[0, event])
        sliders["release"].max = 1 - float(params.attack[0, event] + params.decay[0, event])
        excitation = EXCITATIONS[int(params.excitation[0, 0])]
        hidden = {name for name in SLIDERS if excitation not in EXCITATIONS.hearing(name)}
        if partials == 1:
            hidden |= {name for name in SLIDERS if name.startswith("partial_")} | {"rolloff"}
        if events == 1:
            hidden.add("event_count")
        if params.cutoff[0] >= NYQUIST:
            hidden.add("quality")
        for name, factor in SLIDERS.items():
            needed = (getattr(params, other)[0].flatten() for other in factor.slider.needs)
            if any(values[event if factor.one_event else 0] == 0 for values in needed):
                hidden.add(name)
        for name, widget in sliders.items():
            factor = SLIDERS[name]
            value = getattr(params, name)[0].flatten()[event if factor.one_event else 0].item()
            if factor.slider.scale == "choice":
                value = EXCITATIONS[value]
            elif factor.slider.scale == "spread":
                value = self._edits.get((name, None), 1.0)
            widget.value = value
            widget.layout.display = "none" if name in hidden else None
        self.event.layout.display = None if self.event.max > 1 else "none"
        self._following = False


def _slider(factor: Factor) -> "ipywidgets.DOMWidget":
    """The widget of a factor.

    It reports when it is let go, and at every key: one that reports on its way would also report
    where its steps are nearest to what it is set to, which no one has turned.
    """
    import ipywidgets

    slider, of = factor.slider, unit(factor)
    common = {"description": f"{slider.label} ({of})" if of else slider.label, **_SLIDER}
    if slider.scale == "choice":
        return ipywidgets.Dropdown(options=list(EXCITATIONS), **common)
    if slider.scale == "switch":
        return ipywidgets.Checkbox(**common)
    common |= {"continuous_update": False}
    if slider.scale == "whole":
        return ipywidgets.IntSlider(min=slider.low, max=slider.high, **common)
    if slider.scale == "log":
        low, high = np.log10((slider.low, slider.high))
        return ipywidgets.FloatLogSlider(
            value=slider.low,
            min=low,
            max=high,
            step=(high - low) / 200,
            readout_format=".4g",
            **common,
        )
    span = slider.high - slider.low
    return ipywidgets.FloatSlider(
        min=slider.low, max=slider.high, step=span / 200, readout_format=".3f", **common
    )


def unit(factor: Factor) -> str:
    """What a slider reads in; a spread reads how many times what was drawn."""
    return "×" if factor.slider.scale == "spread" else factor.unit


def _text(factor: Factor, reading: float | str) -> str:
    """A reading as it is read: "440 Hz", "fm", "on"."""
    if factor.slider.scale == "switch":
        return "on" if reading else "off"
    return reading if isinstance(reading, str) else f"{reading:.4g} {unit(factor)}".rstrip()


def _code(factor: Factor, reading: float | str) -> float:
    """A reading as a number."""
    if factor.slider.scale == "choice":
        if reading not in EXCITATIONS:
            raise InputError(f"no excitation is called {reading!r}; choose from {EXCITATIONS}.")
        return EXCITATIONS.index(reading)
    if isinstance(reading, str):
        raise InputError(f"{factor.slider.label} is {reading!r}; it takes a number.")
    return float(reading)


def turn(factor: Factor, drawn: Tensor, code: Tensor | float) -> Tensor:
    """A factor turned.

    Args:
        factor: which.
        drawn: what was drawn.
        code: the number read, which broadcasts to the shape of ``drawn``.
    """
    if factor.slider.scale == "spread":
        return factor.slider.centre + (drawn - factor.slider.centre) * code
    return torch.as_tensor(code, dtype=drawn.dtype).expand_as(drawn)


def _draw(preset: str, seed: int, clip: int) -> ClipParameters:
    """One clip of a preset."""
    return SynthPrior.preset(preset).sample(torch.tensor([clip]), seed)


def _turn(params: ClipParameters, **factors: Tensor) -> ClipParameters:
    """``params.edit``, with release and onset following what they depend on, as in the prior."""
    return params.edit(**followed(params, factors))


def followed(params: ClipParameters, factors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Turned factors, with release and onset following what they depend on, as in the prior.

    Between decay and release the level is held for what the three leave of the event; that share
    is kept where it can be, if the release is not turned too. An event begins earlier where it
    would reach past the end.

    Args:
        params: the clips before.
        factors: by name, each of the shape that it has in ``params``.
    """
    factors = dict(factors)
    after = {name: factors.get(name, getattr(params, name)) for name in ("attack", "decay")}
    if factors.keys() & after.keys():
        held = 1 - params.attack - params.decay - params.release
        free = 1 - after["attack"] - after["decay"]
        release = factors.get("release", free - held)
        factors["release"] = torch.minimum(release, free).clamp(min=0)
    if "length" in factors:
        latest = CLIP_SECONDS - factors["length"]
        factors["onset"] = torch.minimum(factors.get("onset", params.onset), latest)
    return factors


def _cite(params: ClipParameters) -> str:
    """The seed and index of a single clip."""
    return f"seed {int(params.seed)}, clip {int(params.clip)}"


def _alt(label: str) -> str:
    """What a picture of a clip shows."""
    return f"Waveform with envelopes, log-mel spectrogram and spectrum: {label}"


def _seen(params: ClipParameters, labels: Sequence[str], view: plots.ClipView) -> list[Player]:
    """The sound of every row under its picture."""
    waves = render(params).cpu()
    mels = LogMel()(waves)
    return [
        replace(
            player(wave, label),
            picture=view.draw(params[row : row + 1], wave, mel),
            alt=_alt(label),
        )
        for row, (wave, mel, label) in enumerate(zip(waves, mels, labels, strict=True))
    ]


def _image(picture: bytes, alt: str) -> str:
    """A picture as a page holds it."""
    return (
        f'<img alt="{escape(alt)}" src="data:image/webp;base64,{_base64(picture)}" '
        'style="height:auto;max-width:100%">'
    )


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
