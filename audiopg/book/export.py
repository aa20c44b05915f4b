"""The laboratory's graphs: the library's own functions as ONNX, for a page without a kernel.

`torch.export` traces the synthesizer, the front end and the autoencoder as they are, and
`torch.onnx` writes them down; a page runs them with onnxruntime-web. Nothing is written a second
time. What is exported here beside that are read-outs of the embeddings, which are ridge
regressions fitted on synthetic clips, and the clips near which a recording is placed.
"""

import logging
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from audiopg.analysis import clip_factors, controlled_clips, embed_clips, ridge_r2
from audiopg.analysis.probes import ridge_weights
from audiopg.book import plots
from audiopg.book.widgets import DRAWN, SLIDERS, followed, turn, unit
from audiopg.errors import InputError
from audiopg.frontend import (
    FFT_SIZE,
    HOP,
    LOWEST_HZ,
    MEL_BANDS,
    PATCH,
    PRE_EMPHASIS,
    WINDOW,
    LogMel,
    fit_length,
    whole_frames,
)
from audiopg.mae import (
    BANDS,
    MOST_TOKENS,
    MaskedAutoencoder,
    MaskedOutput,
    reconstruct,
    training_tokens,
)
from audiopg.random import STREAMS, uniform
from audiopg.synth import (
    CLIP_SAMPLES,
    CLIP_SECONDS,
    EXCITATIONS,
    PRIORS,
    SAMPLE_RATE,
    ClipParameters,
    SynthPrior,
    to_scene,
)
from audiopg.synth.factors import NYQUIST
from audiopg.synth.render import trace

if TYPE_CHECKING:
    import onnx
    from onnxscript import ir

COLUMNS = tuple(f.name for f in fields(ClipParameters))
# What the graphs of clips hold: the most of the presets. Shorter clips are filled up.
EVENTS = max(PRIORS[preset].events[1] for preset in DRAWN)
PARTIALS = max(PRIORS[preset].partials[1] for preset in DRAWN)
_OPSET = 20
_MASK_SEED = 0
# Clips that the read-outs are fitted on, and near which a recording is placed.
_CLIPS, _CLIP_SEED, _CLIP_PRESET = 1000, 1, "full"
_NEAREST = 4
# Of the search for the powers behind a log-mel, and of the one for phases that agree.
_POWER_UPDATES, _PHASE_UPDATES = 30, 32
_FRAMES = whole_frames(CLIP_SAMPLES)
_BINS = FFT_SIZE // 2 + 1
# Tensors of fewer numbers are not worth a node that converts them.
_SMALL = 1024
_LABELS = {
    "log f0": {"label": "fundamental f0", "unit": "Hz", "power_of_two": True},
    "relative intensity": {"label": "relative intensity", "unit": "dB", "power_of_two": False},
    "onset": {"label": "onset of the first event", "unit": "s", "power_of_two": False},
}


@dataclass(frozen=True)
class Graph:
    """One function to be exported.

    Attributes:
        module: what computes it, of tensors alone.
        example: its arguments, in order; of the shapes that it will be given.
        inputs: names of the arguments.
        outputs: names of the results.
        dynamic: the arguments whose shapes vary: name -> axis -> least and most.
    """

    module: nn.Module
    example: tuple[Tensor, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    dynamic: dict[str, dict[int, tuple[int, int]]] = field(default_factory=dict)


class Draw(nn.Module):
    """The factors of one clip of a preset: (seed (), clip ()) -> every column of its one row."""

    def __init__(self, preset: str) -> None:
        super().__init__()
        self.prior = SynthPrior.preset(preset)

    def forward(self, seed: Tensor, clip: Tensor) -> tuple[Tensor, ...]:
        return _columns(self.prior.factors(clip[None], seed))


class Turn(nn.Module):
    """The factors with some of them turned.

    Takes the columns of one clip as drawn, and what the sliders read: (factors, EVENTS) float64,
    a row a factor in the order of `audiopg.book.widgets.SLIDERS`, NaN where it is as drawn. A factor
    that is turned in all events alike reads its first column.
    """

    def forward(self, readings: Tensor, *columns: Tensor) -> tuple[Tensor, ...]:
        drawn = ClipParameters(**dict(zip(COLUMNS, columns, strict=True)))
        turned, is_turned = {}, {}
        for row, (name, factor) in zip(readings, SLIDERS.items(), strict=True):
            held = getattr(drawn, name)
            # A choice between truths is one that onnxruntime does not know.
            held = held.long() if held.dtype == torch.bool else held
            reading = row[None] if factor.one_event else row[0]
            is_turned[name] = ~reading.isnan()
            value = turn(factor, held, torch.where(is_turned[name], reading, 0.0))
            value = torch.where(is_turned[name], value, held)
            turned[name] = value.to(getattr(drawn, name).dtype)
        release = turned.pop("release")
        follows = followed(drawn, turned)
        moved = (is_turned["attack"] | is_turned["decay"]) & ~is_turned["release"]
        free = (1 - turned["attack"] - turned["decay"]).clamp(min=0)
        follows["release"] = torch.minimum(torch.where(moved, follows["release"], release), free)
        return tuple(follows.get(name, getattr(drawn, name)) for name in COLUMNS)


class Render(nn.Module):
    """`audiopg.render` of one clip, and its `clip_factors`: columns -> (1, samples), (3,).

    Args:
        additions: whether the clip may have more than the paper's synthesizer, which takes longer.
    """

    def __init__(self, additions: bool) -> None:
        super().__init__()
        self.additions = additions

    def forward(self, *columns: Tensor) -> tuple[Tensor, Tensor]:
        params = ClipParameters(**dict(zip(COLUMNS, columns, strict=True)))
        wave, intensity = trace(params, self.additions)
        onset = torch.where(params.event_mask, params.onset, CLIP_SECONDS).amin(dim=1)
        return wave, torch.cat((params.f0[:, 0].log2(), intensity, onset))


class FrontEnd(nn.Module):
    """`LogMel` of one clip, its Fourier transform a product of matrices: (1, samples) -> mels.

    A page multiplies matrices fast and has no fast Fourier transform. So frames are folded, three
    times less to multiply: the even bins of 512 points are those of the sum of both halves, the
    odd ones those of the difference; and cosines are even about the middle of a half, sines odd,
    or for odd bins the other way round.
    """

    def __init__(self, log_mel: LogMel) -> None:
        super().__init__()
        self.log_mel = log_mel
        half = FFT_SIZE // 2

        def angles(bins: range, samples: range) -> Tensor:
            grid = torch.tensor(samples)[:, None] * torch.tensor(bins)
            return grid.double() * (2 * math.pi / FFT_SIZE)

        even, odd = range(0, half + 1, 2), range(1, half, 2)
        tables = {
            "even_cosine": angles(even, range(half // 2 + 1)).cos(),
            "even_sine": angles(even, range(1, half // 2)).sin(),
            "odd_cosine": angles(odd, range(half // 2)).cos(),
            "odd_sine": angles(odd, range(1, half // 2 + 1)).sin(),
        }
        for name, table in tables.items():
            self.register_buffer(name, table.float())
        self.register_buffer("even_filters", log_mel.filterbank[0::2].clone())
        self.register_buffer("odd_filters", log_mel.filterbank[1::2].clone())

    def forward(self, wave: Tensor) -> Tensor:
        frames = wave[0].unfold(0, WINDOW, HOP)
        frames = frames - frames.mean(1, keepdim=True)
        before = torch.cat((frames[:, :1], frames[:, :-1]), dim=1)
        frames = (frames - PRE_EMPHASIS * before) * self.log_mel.window
        half, middle = FFT_SIZE // 2, FFT_SIZE // 4
        first, second = frames[:, :half], frames[:, half:]
        second = nn.functional.pad(second, (0, FFT_SIZE - WINDOW))
        total, rest = first + second, first - second
        ahead, behind = total[:, 1:middle], total[:, middle + 1 :].flip(1)
        ends = total[:, :1], total[:, middle : middle + 1]
        cosine = torch.cat((ends[0], ahead + behind, ends[1]), dim=1) @ self.even_cosine
        even = cosine.square() + ((ahead - behind) @ self.even_sine).square()
        ahead, behind = rest[:, 1:middle], rest[:, middle + 1 :].flip(1)
        cosine = torch.cat((rest[:, :1], ahead - behind), dim=1) @ self.odd_cosine
        sine = torch.cat((ahead + behind, rest[:, middle : middle + 1]), dim=1) @ self.odd_sine
        odd = cosine.square() + sine.square()
        bands = even @ self.even_filters + odd @ self.odd_filters
        bands = bands.clamp(min=torch.finfo(torch.float32).eps).log()
        bands = (bands - self.log_mel.mean) / self.log_mel.standard_deviation
        return nn.functional.pad(bands, (0, 0, 0, LogMel.frames(CLIP_SAMPLES) - len(bands)))[None]


class Spectrum(nn.Module):
    """The mean power spectrum of a clip in dB under its highest value: (1, samples) -> (4097,)."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer(
            "taper", torch.hann_window(plots.SPECTRUM_WINDOW, periodic=False, dtype=torch.float32)
        )

    def forward(self, wave: Tensor) -> Tensor:
        frames = wave[0].unfold(0, plots.SPECTRUM_WINDOW, plots.SPECTRUM_HOP) * self.taper
        power = torch.view_as_real(torch.fft.rfft(frames)).square().sum(-1).mean(0)
        share = power / power.max().clamp(min=1e-30)
        return 10 * torch.log10(share.clamp(min=10 ** (plots.SPECTRUM_FLOOR_DB / 10)))


class Recording(nn.Module):
    """A recording as a clip: (channels, samples) at 16 kHz -> (1, 163840), mixed and fitted."""

    def forward(self, channels: Tensor) -> Tensor:
        return fit_length(channels.mean(0, keepdim=True), CLIP_SAMPLES)


class Hide(nn.Module):
    """The tokens that a mask drawn at random leaves: (clip (),) -> (1, visible)."""

    def __init__(self, mask_ratio: float) -> None:
        super().__init__()
        self.mask_ratio = mask_ratio

    def forward(self, clip: Tensor) -> Tensor:
        return training_tokens(clip[None], _MASK_SEED, MOST_TOKENS, self.mask_ratio)[0]


class Decode(nn.Module):
    """What the autoencoder makes of a clip: its log-mel, encoded tokens, visible -> log-mel."""

    def __init__(self, model: MaskedAutoencoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, mel: Tensor, encoded: Tensor, visible: Tensor) -> Tensor:
        prediction = self.model.decode(encoded, visible, MOST_TOKENS)
        mask = torch.ones(1, MOST_TOKENS, dtype=torch.bool)
        mask = mask.scatter(1, visible, torch.zeros_like(visible, dtype=torch.bool))
        return reconstruct(mel, MaskedOutput(mask.new_zeros(()), prediction, mask))


class Read(nn.Module):
    """What is read from a clip's tokens, all of them encoded, and a neuron, ().

    The tokens are (1, first + 512, D), the class token first where the network has one.

    Gives the neurons, standardised over the clips of the index, (D,); the read-outs, (3,); the
    clips of the index whose standardised embeddings lie nearest, (4,), with their distances in
    standard deviations a neuron, (4,); and the one neuron in every clip of the index, (clips,).
    """

    def __init__(self, index: "Index", first: int) -> None:
        super().__init__()
        self.first = first
        for name in ("mean", "deviation", "weights", "intercepts", "clips"):
            self.register_buffer(name, getattr(index, name))

    def forward(self, encoded: Tensor, neuron: Tensor) -> tuple[Tensor, ...]:
        neurons = (encoded[0, self.first :].mean(0) - self.mean) / self.deviation
        read = self.weights @ neurons + self.intercepts
        distance = (self.clips - neurons).square().mean(1).sqrt()
        places, nearest = distance.topk(_NEAREST, largest=False)
        return neurons, read, nearest, places, self.clips.index_select(1, neuron[None])[:, 0]


class Listen(nn.Module):
    """The start of `LogMel.invert`: (1, 1024, 128) -> amplitudes and phases to begin with.

    The amplitudes are (1, 257, frames); the spectrum that has them and phases of chance is
    (1, 514, frames), real parts before imaginary ones.
    """

    def __init__(self, log_mel: LogMel) -> None:
        super().__init__()
        self.log_mel = log_mel

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        magnitude = self.log_mel._find_magnitudes(mel[:, :_FRAMES], _POWER_UPDATES)
        zero = torch.zeros((), dtype=torch.int64)
        turns = uniform(zero, zero, STREAMS["laboratory_phase"], torch.arange(_BINS * _FRAMES))
        angle = (turns * (2 * math.pi)).float().view(1, _BINS, _FRAMES)
        return magnitude, torch.cat((magnitude * angle.cos(), magnitude * angle.sin()), dim=1)


class Agree(nn.Module):
    """One iteration of `LogMel.invert` on its way to phases that agree, in real numbers.

    Short-time transforms are convolutions with sines and cosines under the window. Takes the
    amplitudes (1, 257, F), the spectrum (1, 514, F) and the last one that agreed with itself, all
    zeros at first; gives the next two, and the waveform of the spectrum that was given, (1,
    163840).
    """

    def __init__(self, log_mel: LogMel) -> None:
        super().__init__()
        # The window lies in the middle of the frame of 512.
        at = torch.arange(WINDOW, dtype=torch.float64) + (FFT_SIZE - WINDOW) // 2
        angle = torch.arange(_BINS)[:, None] * at * (2 * math.pi / FFT_SIZE)
        window = log_mel.window.double()
        forward = torch.cat((angle.cos(), -angle.sin())) * window  # (514, 400)
        share = torch.full((_BINS, 1), 2.0 / FFT_SIZE, dtype=torch.float64)
        share[0] = share[-1] = 1 / FFT_SIZE
        inverse = torch.cat((share * angle.cos(), -share * angle.sin())) * window
        self.register_buffer("forward_kernel", forward.float()[:, None])
        self.register_buffer("inverse_kernel", inverse.float()[:, None])
        ones = window.square().expand(1, _FRAMES, -1).mT
        overlap = nn.functional.fold(
            ones, (1, (_FRAMES - 1) * HOP + WINDOW), (1, WINDOW), stride=(1, HOP)
        )
        self.register_buffer("overlap", self._trim(overlap[:, 0]).float())

    @staticmethod
    def _trim(wave: Tensor) -> Tensor:
        """Leave out what lies outside the middles of the first frame and the last."""
        return wave[..., WINDOW // 2 : -WINDOW // 2]

    def forward(
        self, magnitude: Tensor, spectrum: Tensor, before: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        wave = nn.functional.conv_transpose1d(spectrum, self.inverse_kernel, stride=HOP)
        wave = self._trim(wave) / self.overlap
        mirrored = nn.functional.pad(wave, (WINDOW // 2, WINDOW // 2), mode="reflect")
        after = nn.functional.conv1d(mirrored, self.forward_kernel, stride=HOP)
        faster = after + 0.99 * (after - before)
        real, imaginary = faster.split(_BINS, dim=1)
        size = (real.square() + imaginary.square()).sqrt().clamp(min=1e-20)
        spectrum = torch.cat((magnitude * real / size, magnitude * imaginary / size), dim=1)
        ends = WINDOW // 2, CLIP_SAMPLES - WINDOW // 2 - wave.shape[-1]
        return spectrum, after, nn.functional.pad(wave[0], ends)


@dataclass(frozen=True, eq=False)
class Index:
    """What is known of the embeddings of synthetic clips.

    Attributes:
        mean: (D,) of the embeddings.
        deviation: (D,) of the embeddings.
        clips: (clips, D) standardised embeddings.
        weights: (factors, D) of the read-outs.
        intercepts: (factors,) of the read-outs.
        truths: (factors, clips) float64, what is to be read.
        about: for each read-out its factor, R² on held-out clips, and best neurons.
    """

    mean: Tensor
    deviation: Tensor
    clips: Tensor
    weights: Tensor
    intercepts: Tensor
    truths: Tensor
    about: list[dict]


def indexed_clips() -> ClipParameters:
    """The clips of the index, of the `full` prior."""
    return controlled_clips(clips=_CLIPS, seed=_CLIP_SEED, prior=_CLIP_PRESET)


def standardised_embeddings(model: MaskedAutoencoder) -> dict[str, Tensor]:
    """Embed the clips of the index, which takes minutes; gives what `index_clips` takes."""
    embeddings = embed_clips(model.encoder, indexed_clips()).double()
    mean, deviation = embeddings.mean(0), embeddings.std(0)
    # Half precision is exact to a thousandth of a standard deviation.
    clips = ((embeddings - mean) / deviation).half()
    return {"mean": mean.float(), "deviation": deviation.float(), "clips": clips}


def index_clips(mean: Tensor, deviation: Tensor, clips: Tensor) -> Index:
    """Fit the read-outs of f0, relative intensity and onset on embedded clips.

    Args:
        mean: (D,) of the embeddings of `indexed_clips`.
        deviation: (D,) of these embeddings.
        clips: (clips, D) these embeddings, standardised.
    """
    truths, neurons = clip_factors(indexed_clips()), clips.double()
    weights, intercepts, about = [], [], []
    for factor, values in truths.items():
        fitted, _ = ridge_weights(neurons.numpy(), values.numpy())
        weights.append(torch.from_numpy(fitted))
        intercepts.append(values.mean())
        correlation = torch.corrcoef(torch.cat((values[None], neurons.T)))[0, 1:]
        about.append(
            {
                "factor": factor,
                "r2": ridge_r2(neurons, values).mean,
                "neurons": correlation.abs().argsort(descending=True)[:3].tolist(),
            }
        )
    return Index(
        mean=mean,
        deviation=deviation,
        clips=clips.float(),
        weights=torch.stack(weights).float(),
        intercepts=torch.stack(intercepts).float(),
        truths=torch.stack(list(truths.values())),
        about=about,
    )


def graphs(model: MaskedAutoencoder, index: Index) -> dict[str, Callable[[], Graph]]:
    """Everything that a page computes, by name.

    Raises:
        InputError: for an excitation that the page cannot play.
    """
    for name, row in EXCITATIONS.rows.items():
        if not row.in_page:
            raise InputError(
                f"the page cannot play the excitation {name!r}; export without it, or set in_page in "
                "its row in audiopg.synth.excitations, if torch.export can trace its functions."
            )
    return (
        _synthesizer_graphs() | _wave_graphs(model.encoder.log_mel) | _network_graphs(model, index)
    )


def _synthesizer_graphs() -> dict[str, Callable[[], Graph]]:
    """From numbers to factors, and from factors to sound."""
    number = torch.tensor(0)
    columns = _columns(SynthPrior.preset("full").sample(torch.arange(1), 0))
    nothing = torch.full((len(SLIDERS), EVENTS), torch.nan, dtype=torch.float64)
    # No name may stand for two things.
    turned = tuple(f"{name}_" for name in COLUMNS)

    def draw(preset: str) -> Graph:
        return Graph(Draw(preset), (number, number.clone()), ("seed", "clip"), turned)

    return {
        **{f"draw-{preset}": partial(draw, preset) for preset in DRAWN},
        "turn": lambda: Graph(Turn(), (nothing, *columns), ("readings", *COLUMNS), turned),
        "render": lambda: Graph(Render(False), columns, COLUMNS, ("wave", "factors")),
        "render-additions": lambda: Graph(Render(True), columns, COLUMNS, ("wave", "factors")),
    }


def _wave_graphs(log_mel: LogMel) -> dict[str, Callable[[], Graph]]:
    """From sound to what is seen of it, and back."""
    wave = torch.zeros(1, CLIP_SAMPLES, dtype=torch.float32)
    mel = _empty_mel()
    spectrum = torch.zeros(1, 2 * _BINS, _FRAMES, dtype=torch.float32)

    def recording(least: int, most: int, samples: int) -> Graph:
        channels = torch.zeros(2, samples, dtype=torch.float32)
        sizes = {"channels": {0: (1, 64), 1: (least, most)}}
        return Graph(Recording(), (channels,), ("channels",), ("wave",), sizes)

    return {
        "log-mel": lambda: Graph(FrontEnd(log_mel), (wave,), ("wave",), ("mel",)),
        "spectrum": lambda: Graph(Spectrum(), (wave,), ("wave",), ("decibels",)),
        "recording-long": lambda: recording(CLIP_SAMPLES, 2**31, 2 * CLIP_SAMPLES),
        "recording-short": lambda: recording(WINDOW, CLIP_SAMPLES - 1, CLIP_SAMPLES // 2),
        "listen": lambda: Graph(Listen(log_mel), (mel,), ("mel",), ("magnitude", "spectrum")),
        "agree": lambda: Graph(
            Agree(log_mel),
            (spectrum[:, :_BINS].clone(), spectrum, spectrum.clone()),
            ("magnitude", "spectrum", "before"),
            ("next_spectrum", "agreed", "wave"),
        ),
    }


def _network_graphs(model: MaskedAutoencoder, index: Index) -> dict[str, Callable[[], Graph]]:
    """The autoencoder, and what is read from its tokens."""
    first = int(model.architecture.class_token)
    mel, visible, number = _empty_mel(), torch.arange(100)[None], torch.tensor(0)

    def tokens(count: int) -> Tensor:
        return torch.zeros(1, first + count, model.architecture.width, dtype=torch.float32)

    some = {
        "visible": {1: (2, MOST_TOKENS - 1)},
        "encoded": {1: (2 + first, MOST_TOKENS - 1 + first)},
    }
    return {
        "hide": lambda: Graph(Hide(model.mask_ratio), (number,), ("clip",), ("visible",)),
        "encode": lambda: Graph(
            model.encoder,
            (mel, visible),
            ("mel", "visible"),
            ("encoded",),
            {"visible": {1: (2, MOST_TOKENS)}},
        ),
        "decode": lambda: Graph(
            Decode(model),
            (mel, tokens(100), visible),
            ("mel", "encoded", "visible"),
            ("reconstruction",),
            some,
        ),
        "read": lambda: Graph(
            Read(index, first),
            (tokens(MOST_TOKENS), number),
            ("encoded", "neuron"),
            ("neurons", "read", "nearest", "distances", "cloud"),
        ),
    }


def _empty_mel() -> Tensor:
    return torch.zeros(1, MOST_TOKENS // BANDS * PATCH, MEL_BANDS, dtype=torch.float32)


def export_graph(graph: Graph) -> bytes:
    """A function as an ONNX file.

    Large tensors whose numbers half precision holds exactly are kept in it, such as the weights
    that come with the package.

    Args:
        graph: what to export.
    """
    import onnx

    shapes = tuple(
        {
            axis: torch.export.Dim.DYNAMIC(*ends)
            for axis, ends in graph.dynamic.get(name, {}).items()
        }
        or None
        for name in graph.inputs
    )
    with torch.no_grad(), _quiet():
        with _RealTransforms():
            traced = torch.export.export(
                graph.module.eval(),
                graph.example,
                dynamic_shapes=shapes if graph.dynamic else None,
                strict=False,
            )
        program = torch.onnx.export(
            traced,
            dynamo=True,
            opset_version=_OPSET,
            verbose=False,
            optimize=False,
            custom_translation_table=_translations(),
        )
        _simplify(program.model, graph)
    model = program.model_proto
    _halve(model)
    _strip(model)
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)


def _translations() -> dict[Callable, Callable]:
    """Operators of which onnxruntime, or its WebAssembly, refuses the exporter's own forms."""
    from onnxscript import ir
    from onnxscript import opset20 as op

    def scalar_tensor(
        s: float, dtype: int = 1, layout: str = "", device: str = "", pin_memory: bool = False
    ):
        return op.Constant(value=ir.tensor(s, dtype=ir.DataType(dtype)))

    def remainder(self, other):
        return op.Mod(self, other)

    def tan(self):
        return op.Div(op.Sin(self), op.Cos(self))

    aten = torch.ops.aten
    return {
        aten.scalar_tensor.default: scalar_tensor,
        aten.remainder.Scalar: remainder,
        aten.tan.default: tan,
    }


def _strip(model: "onnx.ModelProto") -> None:
    """Leave out where nodes came from: half of the file, with paths of this machine."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del model.graph.metadata_props[:], model.metadata_props[:]
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]


def manifest(index: Index) -> dict:
    """What a page is told of the graphs: names, ranges, colours and read-outs, ready for JSON."""
    places, labels = plots.mel_ticks()
    return {
        **_columns_and_scene(),
        "factors": [_knob(name) for name in SLIDERS],
        "excitations": list(EXCITATIONS),
        "presets": {
            name: {"events": PRIORS[name].events[1], "partials": PRIORS[name].partials[1]}
            for name in DRAWN
        },
        "events": EVENTS,
        "partials": PARTIALS,
        "sample_rate": SAMPLE_RATE,
        "samples": CLIP_SAMPLES,
        "nyquist": NYQUIST,
        "lowest_hz": LOWEST_HZ,
        "window": WINDOW,
        "hop": HOP,
        "frames": MOST_TOKENS // BANDS * PATCH,
        "bands": MEL_BANDS,
        "patch": PATCH,
        "tokens": MOST_TOKENS,
        "mel": {
            "limits": plots.MEL_LIMITS,
            "colours": plots.mel_colours(),
            "ticks": dict(zip(labels, places.tolist(), strict=True)),
        },
        "spectrum": {"window": plots.SPECTRUM_WINDOW, "floor": plots.SPECTRUM_FLOOR_DB},
        "palette": plots.PALETTE,
        "phase_updates": _PHASE_UPDATES,
        "index": {"preset": _CLIP_PRESET, "seed": _CLIP_SEED, "clips": len(index.clips)},
        "neurons": len(index.mean),
        "read_outs": [
            {
                **_LABELS[about["factor"]],
                **about,
                "truths": [float(f"{value:.4g}") for value in truths.tolist()],
            }
            for about, truths in zip(index.about, index.truths, strict=True)
        ],
    }


def _columns_and_scene() -> dict:
    """The columns of a clip; and what a scene file says of a clip, an event and a partial, in order."""
    sample = SynthPrior.preset("full").sample(torch.arange(1), 0)
    scene = to_scene(sample)["clips"][0]
    return {
        "columns": [
            {
                "name": name,
                "type": str(getattr(sample, name).dtype).removeprefix("torch."),
                "axes": getattr(sample, name).ndim,
            }
            for name in COLUMNS
        ],
        "scene": {
            "clip": [name for name in scene if name != "events"],
            "event": [name for name in scene["events"][0] if name != "partials"],
            "partial": list(scene["events"][0]["partials"][0]),
        },
    }


def _knob(name: str) -> dict:
    """What a page is told of a factor that it turns."""
    factor = SLIDERS[name]
    return {
        "name": name,
        **asdict(factor.slider),
        # A choice goes up to the last excitation that there is.
        **({"high": len(EXCITATIONS) - 1} if factor.slider.scale == "choice" else {}),
        "unit": unit(factor),
        "excitations": EXCITATIONS.hearing(name),
        "one_event": factor.one_event,
        # An addition, and no factor of the tone itself.
        "beyond": factor.beyond and factor.kind != "source",
    }


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks on packages that are not there and nodes that it leaves."""
    before = logging.root.manager.disable
    logging.disable(max(before, logging.WARNING))
    try:
        with warnings.catch_warnings():
            # torch warns of its own use of what it is about to change.
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logging.disable(before)


def _simplify(model: "ir.Model", graph: Graph) -> None:
    """Do what the exporter's own optimisation does, without its rewriting, and name what goes in and out.

    One of those rules, for two slices that are a split, tries every node with every other: of
    "render-additions" that takes minutes. onnxruntime rewrites what it loads in any case.
    """
    from onnxscript import ir, optimizer

    passes = ir.passes.common
    passes.InlinePass()(model)
    for _ in range(2):
        optimizer.fold_constants(model)
        passes.RemoveUnusedNodesPass()(model)
    for each in (
        passes.RemoveUnusedFunctionsPass(),
        passes.RemoveUnusedOpsetsPass(),
        passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        passes.LiftSubgraphInitializersToMainGraphPass(),
        passes.DeduplicateInitializersPass(),
        passes.CommonSubexpressionEliminationPass(),
        # Results that are arguments become values of their own, with names of their own.
        passes.OutputFixPass(),
    ):
        each(model)
    values = (*model.graph.inputs, *model.graph.outputs)
    for value, name in zip(values, (*graph.inputs, *graph.outputs), strict=True):
        value.name = name
    # Others that are called the same give way.
    passes.NameFixPass()(model)


def _halve(model: "onnx.ModelProto") -> None:
    """Keep in half precision what it holds exactly; a node makes single precision of it."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if values.size < _SMALL or not np.array_equal(half.astype(np.float32), values):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _columns(params: ClipParameters) -> tuple[Tensor, ...]:
    """Every column of one clip, its events and partials filled up with copies that do not sound."""
    _, events, partials = params.partial_weight.shape
    slots = torch.arange(EVENTS).clamp(max=events - 1)
    orders = torch.arange(PARTIALS).clamp(max=partials - 1)
    columns = [getattr(params, name) for name in COLUMNS]
    columns = [column[:, slots] if column.ndim > 1 else column for column in columns]
    return tuple(column[:, :, orders] if column.ndim > 2 else column for column in columns)


class _RealTransforms(TorchFunctionMode):
    """`torch.fft.irfft` in real numbers and forward, which onnxruntime asks for."""

    def __torch_function__(
        self, function: Callable, types: tuple, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        function = _inverse_transform if function is torch.fft.irfft else function
        return function(*args, **(kwargs or {}))


def _inverse_transform(spectrum: Tensor, n: int, norm: str = "backward") -> Tensor:
    """`torch.fft.irfft` along the last axis.

    The real part of a real signal's spectrum is even and the imaginary part odd, so the transform
    of their sum has what the cosines make of the one beside what the sines make of the other.

    Args:
        spectrum: (..., n / 2 + 1).
        n: the samples, an even number.
        norm: as `torch.fft.irfft` takes it, "backward" or "forward".

    Returns:
        (..., n).
    """
    real, imaginary = torch.view_as_real(spectrum).unbind(-1)
    ahead = real + imaginary
    behind = (real - imaginary)[..., 1:-1].flip(-1)
    sums = torch.view_as_real(torch.fft.rfft(torch.cat((ahead, behind), dim=-1)))
    first, second = sums[..., 0] + sums[..., 1], sums[..., 0] - sums[..., 1]
    signal = torch.cat((first, second[..., 1:-1].flip(-1)), dim=-1)
    return signal if norm == "forward" else signal / n
