"""Distributions of the physical factors, and their sampling (Section 3.1, Table 3, Table 4)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import torch
from torch import Tensor

from audiopg.errors import InputError
from audiopg.inputs import shown, whole_seed
from audiopg.random import STREAMS, uniform
from audiopg.synth.excitations import EXCITATIONS, is_one_of
from audiopg.synth.factors import (
    CLIP_SECONDS,
    FACTOR_TABLE,
    LONGEST_REVERBERATION,
    NYQUIST,
    Factor,
    factor_names,
)
from audiopg.synth.parameters import ClipParameters, as_values, is_number, is_whole

Range = tuple[float, float]
IntegerRange = tuple[int, int]
Prior = TypeVar("Prior")


def _under(group: str) -> tuple[str, ...]:
    """The factors whose sliders stand under a heading."""
    return tuple(
        n for n, factor in FACTOR_TABLE.items() if factor.slider and factor.slider.group == group
    )


# Each factor is drawn from its own stream; the numbers up to 100 are kept for them.
_DRAWS = [name for name, stream in STREAMS.items() if stream <= 100]
# Draws that are made only where a probability, a field of the prior, is more than 0.
_OPTIONAL_DRAWS = {
    "mixture_probability": ("mixed",),
    "noise_probability": ("has_noise", *_under("band of noise")),
    "modulation_probability": ("has_modulation", *_under("modulation")),
    "motion_probability": ("has_motion", *_under("motion of the pitch")),
    "formant_probability": ("has_formants", "vowel", "tract"),
    "reverberation_probability": ("has_reverberation", *_under("room")),
}
# Factors that are 0 where a draw is not below a probability.
_GATES = {
    "burst_amplitude": ("has_burst", "burst_probability"),
    "noise_share": ("has_noise", "noise_probability"),
    "modulation_depth": ("has_modulation", "modulation_probability"),
    "glide": ("has_motion", "motion_probability"),
    "vibrato_depth": ("has_motion", "motion_probability"),
    "reverberation_time": ("has_reverberation", "reverberation_probability"),
}
# Positions in a stream: event e, partial k -> e * 256 + k.
_PARTIAL_SLOTS = 256

_CLIP_DRAWS = (*factor_names("clip"), "damped", "mixed", "has_reverberation")
_PARTIAL_DRAWS = factor_names("partial")
# A clip has one mouth, which speaks more than one vowel.
_SOURCE_DRAWS = (*factor_names("source", "partial"), "pulse", "has_formants", "tract")

# Fields whose name is not that of the factor, and limits that are not those of the factor: what is
# infinite, uniform in octaves, or so loud that nothing else would be heard, ends earlier.
_FIELDS = {"event_count": "events", "partial_count": "partials", "length": "event_length"}
_LIMITS = {
    "event_count": (1, 64),
    "partial_count": (1, _PARTIAL_SLOTS),
    "partial_weight": (0.0, 1e3),
    "partial_phase": (-1e3, 1e3),
    "amplitude": (0.0, 1e3),
    "burst_amplitude": (0.0, 1e3),
    "noise_level": (0.0, 1e3),
    "cutoff": (10.0, NYQUIST),
    "modulation_rate": (0.01, 1000.0),
    "reverberation_time": (0.01, LONGEST_REVERBERATION),
}

# Hz, the first three formants of ten vowels, means of 33 men (Peterson and Barney, "Control methods
# used in a study of the vowels", JASA 24, 1952, table II).
VOWELS = {
    "heed": (270.0, 2290.0, 3010.0),
    "hid": (390.0, 1990.0, 2550.0),
    "head": (530.0, 1840.0, 2480.0),
    "had": (660.0, 1720.0, 2410.0),
    "hod": (730.0, 1090.0, 2440.0),
    "hawed": (570.0, 840.0, 2410.0),
    "hood": (440.0, 1020.0, 2240.0),
    "who'd": (300.0, 870.0, 2240.0),
    "hud": (640.0, 1190.0, 2390.0),
    "heard": (490.0, 1350.0, 1690.0),
}


def _check_range(name: str, value: object, low: float, high: float, whole: bool = False) -> None:
    span = f"two {'whole ' if whole else ''}numbers, low then high, from {low:g} to {high:g}"
    good = (
        isinstance(value, tuple | list)
        and len(value) == 2
        and all(map(is_whole if whole else is_number, value))
        and low <= value[0] <= value[1] <= high
    )
    if not good:
        raise InputError(f"{name} is {shown(value)}; it takes {span}.")


def _check_choices(
    name: str, values: object, allowed: str, accept: Callable[[object], bool]
) -> None:
    if not isinstance(values, tuple | list) or not values or not all(map(accept, values)):
        raise InputError(f"{name} is {shown(values)}; it takes one or more choices {allowed}.")


def _power(base: float, exponent: Tensor) -> Tensor:
    """``base ** exponent``, made of sums and products alone.

    Any batch, any device and an exported graph round these alike, which does not hold for the power
    of a library. The series of the exponential is as exact as float64 after 13 terms.

    Args:
        base: at least 1, at most 2**62.
        exponent: (...) float64 in [0, 1].
    """
    octaves = exponent * math.log2(base)
    whole = octaves.round()
    rest = (octaves - whole) * math.log(2)
    series = torch.ones_like(rest)
    for term in range(13, 0, -1):
        series = series * rest / term + 1
    return (series * (1 << whole.long()).double()).clamp(max=base)


def _between(bounds: Range, draw: Tensor) -> Tensor:
    low, high = bounds
    return low + (high - low) * draw


def _octaves(bounds: Range, draw: Tensor) -> Tensor:
    low, high = bounds
    return low * _power(high / low, draw)


def _choice(values: Sequence[float], draw: Tensor, dtype: torch.dtype) -> Tensor:
    table = torch.tensor(values, dtype=dtype, device=draw.device)
    return table[(draw * len(values)).long()]


def _with_factors(prior: type[Prior]) -> type[Prior]:
    """Give the docstring of a prior a line for each field that a row of `FACTOR_TABLE` describes."""
    how = {"octaves": ", uniform in octaves", "choice": ", one of some choices"}
    lines = [
        f"        {_FIELDS.get(name, name)}: {f'{factor.unit}, ' if factor.unit else ''}"
        f"{factor.meaning}{how.get(factor.draw, '')}."
        for name, factor in FACTOR_TABLE.items()
        if factor.draw not in ("", "own")
    ]
    prior.__doc__ = prior.__doc__.replace("        <factors>", "\n".join(lines))
    return prior


@_with_factors
@dataclass(frozen=True)
class SynthPrior:
    """The distribution of each physical factor; the defaults are the paper's `full` curriculum.

    A range (low, high) is uniform, a range of integers includes both ends, a tuple of choices
    gives each entry the same probability (repeat one to favour it). The distributions are the
    paper's and its released code's.

    The fields from ``mixture_probability`` on are beyond the paper, and have no effect while their
    probability is 0. `audiopg.synth.additions` says how each addition sounds; the ranges here are
    those of ``extended``.

    Attributes:
        <factors>
        excitation: choices among "harmonic", "fm", "pulse" and what else `EXCITATIONS` has that is
            no pulse.
        pulse: choices among "sawtooth", "square" and any other pulse of `EXCITATIONS`, for events
            whose excitation is "pulse".
        band_limited: whether a pulse holds only the partials below Nyquist; the paper's do not.
        event_length: s; the upper end is lowered to the clip's length over N where that is
            shorter. The onset is uniform where the event fits.
        release: share of the event, or None for all that attack and decay leave.
        burst_probability: probability of a noise burst at an event's onset.
        damping_probability: probability that the clip passes the low-pass.
        shared_source: whether the events of a clip share excitation, f0 and timbre, as in the
            released code; otherwise each event draws its own.
        mixture_probability: probability that each event of a clip has a source of its own even where
            ``shared_source`` is True. Streets and rooms are mixtures.
        noise_probability: probability that an event has a band of noise.
        modulation_probability: probability that an event is modulated in amplitude.
        motion_probability: probability that an event's pitch moves.
        formant_probability: probability that the source is a voice: a harmonic tone or a pulse at
            the pitch of a voice, through the formants of a vowel. An excitation that formants cannot
            shape, such as FM, becomes a sawtooth, whose partials fall off much as a glottis's do.
        formant_f0: Hz, uniform in octaves: from a man's voice to a child's cry.
        vowels: choices among ``VOWELS``, one an event.
        tract_scale: factor on the formants; those of women are about 1.15 times those of men, of
            children 1.35 times (Peterson and Barney, 1952).
        reverberation_probability: probability that a clip is reverberant.

    Raises:
        InputError: for a value outside its allowed range, naming the field and the range.
    """

    f0: Range = (50.0, 2000.0)
    excitation: tuple[str, ...] = ("harmonic", "fm", "pulse")
    pulse: tuple[str, ...] = ("sawtooth", "square")
    band_limited: bool = False
    partials: IntegerRange = (3, 15)
    rolloff: Range = (0.5, 1.5)
    partial_weight: Range = (0.5, 1.2)
    partial_detune: Range = (-0.005, 0.005)
    partial_phase: Range = (0.0, 2 * math.pi)
    fm_index: Range = (0.5, 8.0)
    fm_ratio: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0, 2.5, 3.14)
    events: IntegerRange = (1, 5)
    event_length: Range = (0.5, CLIP_SECONDS)
    amplitude: Range = (1.0, 1.0)
    attack: Range = (0.01, 0.3)
    decay: Range = (0.1, 0.4)
    sustain: Range = (0.6, 0.6)
    release: Range | None = None
    burst_probability: float = 0.6
    burst_length: Range = (0.01, 0.1)
    burst_amplitude: Range = (0.5, 2.0)
    damping_probability: float = 0.7
    cutoff: Range = (200.0, 6000.0)
    quality: Range = (0.7071, 0.7071)
    noise_level: Range = (0.001, 0.02)
    shared_source: bool = True
    mixture_probability: float = 0.0
    noise_probability: float = 0.0
    noise_share: tuple[float, ...] = (0.25, 0.5, 1.0, 1.0)
    noise_bandwidth: Range = (50.0, NYQUIST)
    modulation_probability: float = 0.0
    modulation_depth: Range = (0.3, 1.0)
    modulation_rate: Range = (0.2, 80.0)
    modulation_decay: tuple[float, ...] = (0.0, 0.0, 2.0, 6.0, 20.0)
    modulation_jitter: Range = (0.0, 1.0)
    motion_probability: float = 0.0
    glide: Range = (-1.0, 1.0)
    vibrato_depth: Range = (0.0, 0.2)
    vibrato_rate: Range = (0.3, 8.0)
    formant_probability: float = 0.0
    formant_f0: Range = (80.0, 500.0)
    vowels: tuple[str, ...] = tuple(VOWELS)
    tract_scale: Range = (0.9, 1.4)
    reverberation_probability: float = 0.0
    reverberation_time: Range = (0.1, LONGEST_REVERBERATION)
    reverberation_level: Range = (0.2, 1.0)

    def __post_init__(self) -> None:
        for factor in FACTOR_TABLE.values():
            field = _FIELDS.get(factor.name, factor.name)
            low, high = _LIMITS.get(factor.name, (factor.low, factor.high))
            if factor.draw == "choice":
                _check_choices(
                    field,
                    getattr(self, field),
                    f"from {low:g} to {high:g}",
                    lambda value, low=low, high=high: is_number(value) and low <= value <= high,
                )
            elif factor.draw and not (field == "release" and self.release is None):
                _check_range(field, getattr(self, field), low, high, factor.draw == "whole")
        _check_range("formant_f0", self.formant_f0, 1.0, NYQUIST)
        _check_range("tract_scale", self.tract_scale, 0.1, 2.5)
        self._check_options()
        self._check_room()

    def _check_options(self) -> None:
        """Refuse bad flags, probabilities, and names to choose among."""
        for name in ("band_limited", "shared_source"):
            value = getattr(self, name)
            if not isinstance(value, bool):
                raise InputError(f"{name} is {shown(value)}; it is True or False.")
        for name in ("burst_probability", "damping_probability", *_OPTIONAL_DRAWS):
            value = getattr(self, name)
            if not is_number(value) or not 0 <= value <= 1:
                raise InputError(f"{name} is {shown(value)}; it is a probability, 0 to 1.")
        # The waveform of a "pulse" is drawn apart.
        drawn = (*(name for name in EXCITATIONS if name not in EXCITATIONS.pulses), "pulse")
        for name, allowed in (
            ("excitation", drawn),
            ("pulse", EXCITATIONS.pulses),
            ("vowels", tuple(VOWELS)),
        ):
            _check_choices(name, getattr(self, name), f"among {allowed}", allowed.__contains__)

    def _check_room(self) -> None:
        """Refuse what does not fit an event or a clip."""
        release = self.release[1] if self.release else 0.0
        if self.attack[1] + self.decay[1] + release > 1 + 1e-9:
            raise InputError("attack + decay + release can exceed 1, the whole event; lower them.")
        if self.event_length[0] > CLIP_SECONDS / self.events[1] + 1e-9:
            longest = CLIP_SECONDS / self.events[1]
            raise InputError(
                f"event_length starts at {self.event_length[0]:g} s, but {self.events[1]} events "
                f"leave at most {longest:g} s each; lower one of the two."
            )
        if self.burst_probability > 0 and self.burst_length[1] > self.event_length[0]:
            raise InputError(
                f"burst_length reaches {self.burst_length[1]:g} s, longer than the shortest "
                f"event, {self.event_length[0]:g} s; lower it or raise event_length."
            )

    @classmethod
    def preset(cls, name: str, **overrides: object) -> "SynthPrior":
        """A prior by its name, with some fields replaced.

        Args:
            name: "sine" (one partial, whole clip), "harmonic" (partials, FM and pulses),
                "dynamic" (and events, envelopes, bursts) or "full" (and damping and noise); or
                "full" with a change of Table 4, by the names of ``SENSITIVITY``; or, beyond the
                paper, "dynamic+damping" and "dynamic+floor" (a half of what `full` adds),
                "extended" (all of ``ADDITIONS``), "full+noise" (`full` with that one),
                "extended-noise" (`extended` without it) and so on.
            overrides: fields of the prior, such as ``events=(5, 10)``.

        Raises:
            InputError: for an unknown preset or field, or a value outside its range.
        """
        if name not in PRIORS:
            raise InputError(f"no preset is called {name!r}; choose from {list(PRIORS)}.")
        known = {f.name for f in fields(cls)}
        for field in overrides:
            if field not in known:
                raise InputError(f"SynthPrior has no field {field!r}; choose from {sorted(known)}.")
        return replace(PRIORS[name], **overrides)

    def sample(self, clips: Tensor, seed: int) -> ClipParameters:
        """The factors of some clips, each a pure function of (prior, seed, clip index).

        Args:
            clips: (B,) integer indices, on the device where the factors are wanted.
            seed: key of all random numbers, a 64-bit integer.

        Returns:
            B rows, bit-identical on every device and in any batch.

        Raises:
            InputError: for clips of another shape, or a seed that is no 64-bit integer.
        """
        clip = as_values("clip", clips)
        if clip.ndim != 1:
            raise InputError(f"clips has shape {tuple(clip.shape)}; give one index a clip, (B,).")
        return self.factors(
            clip, torch.tensor(whole_seed(seed), dtype=torch.int64, device=clip.device)
        )

    def factors(self, clip: Tensor, key: Tensor) -> ClipParameters:
        """`sample` from tensors alone, in the form that `torch.export` can trace.

        Args:
            clip: (B,) int64.
            key: () int64, the seed, on the same device.

        Returns:
            B rows.
        """
        draws = self._draws(key, clip)
        found = {
            factor.name: self._value(factor, draws)
            for factor in FACTOR_TABLE.values()
            if factor.draw not in ("", "own") and factor.name in draws
        }
        shortest, longest = self.event_length
        longest = (CLIP_SECONDS / found["event_count"].double()).clamp(max=longest)[:, None]
        length = shortest + (longest - shortest).clamp(min=0) * draws["length"]
        found["length"], found["onset"] = length, (CLIP_SECONDS - length) * draws["onset"]
        if self.release is None:
            # By rounding, the rest can fall below 0.
            found["release"] = (1 - found["attack"] - found["decay"]).clamp(min=0)
        else:
            found["release"] = _between(self.release, draws["release"])
        damped = draws["damped"] < self.damping_probability
        found["cutoff"] = torch.where(damped, found["cutoff"], NYQUIST)
        found["band_limited"] = torch.full_like(length, self.band_limited, dtype=torch.bool)
        codes = [EXCITATIONS.index(name) if name in EXCITATIONS else -1 for name in self.excitation]
        kind = _choice(codes, draws["excitation"], torch.int64)
        pulse = _choice([EXCITATIONS.index(p) for p in self.pulse], draws["pulse"], torch.int64)
        found["excitation"] = torch.where(kind < 0, pulse, kind)
        if self.formant_probability > 0:
            self._give_voices(found, draws)
        return ClipParameters(seed=key.expand(len(clip)).clone(), clip=clip.clone(), **found)

    def _value(self, factor: Factor, draws: dict[str, Tensor]) -> Tensor:
        """A factor from its draw, by the rule of its row."""
        values, draw = getattr(self, _FIELDS.get(factor.name, factor.name)), draws[factor.name]
        if factor.draw == "choice":
            value = _choice(values, draw, torch.float64)
        elif factor.draw == "octaves":
            value = _octaves(values, draw)
        elif factor.draw == "whole":
            low, high = values
            value = low + (draw * (high - low + 1)).long()
        else:
            value = _between(values, draw)
        if factor.name in _GATES:
            gate, probability = _GATES[factor.name]
            value = value * (draws[gate] < getattr(self, probability))
        return value

    def _give_voices(self, found: dict[str, Tensor], draws: dict[str, Tensor]) -> None:
        """Give some sources the pitch of a voice, the formants of a vowel, and an excitation for them."""
        is_voice = draws["has_formants"] < self.formant_probability
        found["f0"] = torch.where(is_voice, _octaves(self.formant_f0, draws["f0"]), found["f0"])
        has_none = ~is_one_of(found["excitation"], EXCITATIONS.resonant)
        sawtooth = EXCITATIONS.index("sawtooth")
        found["excitation"] = torch.where(is_voice & has_none, sawtooth, found["excitation"])
        scale = _between(self.tract_scale, draws["tract"]) * is_voice
        for number in range(3):
            hertz = tuple(VOWELS[vowel][number] for vowel in self.vowels)
            formant = _choice(hertz, draws["vowel"], torch.float64) * scale
            found[f"formant_{number + 1}"] = formant

    def _draws(self, key: Tensor, clip: Tensor) -> dict[str, Tensor]:
        """U[0, 1) for every factor, in one call of the generator: (B,), (B, E) or (B, E, K)."""
        events, partials = self.events[1], self.partials[1]
        all_share = self.shared_source and self.mixture_probability == 0
        positions = {}
        for factor in self._drawn():
            of_source = all_share and factor in _SOURCE_DRAWS
            slots = range(1 if of_source or factor in _CLIP_DRAWS else events)
            orders = range(partials if factor in _PARTIAL_DRAWS else 1)
            positions[factor] = [
                slot * _PARTIAL_SLOTS + order for slot in slots for order in orders
            ]
        counts = [len(places) for places in positions.values()]
        addresses = [(STREAMS[factor], at) for factor, places in positions.items() for at in places]
        stream, position = torch.tensor([*zip(*addresses, strict=True)], device=clip.device)
        columns = uniform(key, clip[:, None], stream, position).split(counts, dim=1)
        draws = dict(zip(positions, columns, strict=True))
        for factor, column in draws.items():
            if factor in _CLIP_DRAWS:
                draws[factor] = column[:, 0]
            elif factor in _PARTIAL_DRAWS:
                draws[factor] = column.unflatten(1, (-1, partials)).expand(-1, events, -1)
            else:
                draws[factor] = column.expand(-1, events)
        if self.shared_source and not all_share:
            is_mixed = draws["mixed"] < self.mixture_probability
            for factor in filter(draws.__contains__, _SOURCE_DRAWS):
                own = draws[factor]
                has_own = is_mixed.view(-1, *[1] * (own.ndim - 1))
                draws[factor] = torch.where(has_own, own, own[:, :1])
        return draws

    def _drawn(self) -> list[str]:
        """The draws made: all but those of additions that are off, and those that no excitation hears.

        Only factors beyond the paper are left out for want of an excitation that hears them.
        """
        off = {
            draw
            for probability, draws in _OPTIONAL_DRAWS.items()
            if getattr(self, probability) == 0
            for draw in draws
        }
        kinds = {*self.excitation, *self.pulse}
        off |= {
            name
            for name, factor in FACTOR_TABLE.items()
            if factor.beyond and kinds.isdisjoint(EXCITATIONS.hearing(name))
        }
        return [draw for draw in _DRAWS if draw not in off]


_STEADY = {
    "events": (1, 1),
    "event_length": (CLIP_SECONDS, CLIP_SECONDS),
    "attack": (0.0, 0.0),
    "decay": (0.0, 0.0),
    "sustain": (1.0, 1.0),
    "release": (0.0, 0.0),
    "burst_probability": 0.0,
}
_UNSHAPED = {"damping_probability": 0.0, "noise_level": (0.0, 0.0)}

PRESETS = {
    "sine": SynthPrior(
        excitation=("harmonic",),
        partials=(1, 1),
        partial_weight=(1.0, 1.0),
        partial_detune=(0.0, 0.0),
        **_STEADY,
        **_UNSHAPED,
    ),
    "harmonic": SynthPrior(**_STEADY, **_UNSHAPED),
    "dynamic": SynthPrior(**_UNSHAPED),
    "full": SynthPrior(),
}

# The rows of Table 4, as fields to replace: ``SynthPrior.preset("full", **SENSITIVITY["1 event"])``.
# Neither the paper's text nor its released code says what "narrow" and "wide" are in Hz. These two
# ranges are ours, one inside the default and one around it.
SENSITIVITY = {
    "narrow f0": {"f0": (200.0, 1000.0)},
    "default f0, 1-5 events": {"f0": (50.0, 2000.0), "events": (1, 5)},
    "wide f0": {"f0": (20.0, 4000.0)},
    "1 event": {"events": (1, 1)},
    "5-10 events": {"events": (5, 10)},
}
# What `extended` adds to `full`, each alone and together, as fields to replace. The names are those
# of the ablations: "full+noise" is `full` with one of them, "extended-noise" `extended` less one.
ADDITIONS = {
    "noise": {"noise_probability": 0.3},
    "modulation": {"modulation_probability": 0.3},
    "motion": {"motion_probability": 0.25},
    "formants": {"formant_probability": 0.3},
    "reverberation": {"reverberation_probability": 0.2},
    "mixtures": {"mixture_probability": 0.5, "events": (1, 8), "amplitude": (0.25, 1.0)},
}


def _with(*names: str) -> SynthPrior:
    """`full` with some of the additions."""
    return replace(PRESETS["full"], **{k: v for name in names for k, v in ADDITIONS[name].items()})


EXTENDED = {
    "extended": _with(*ADDITIONS),
    **{f"full+{name}": _with(name) for name in ADDITIONS},
    **{f"extended-{name}": _with(*(o for o in ADDITIONS if o != name)) for name in ADDITIONS},
}
# What `full` adds to `dynamic`, each part alone.
_LAST_STAGE = {
    "dynamic+damping": replace(PRESETS["full"], noise_level=_UNSHAPED["noise_level"]),
    "dynamic+floor": replace(PRESETS["full"], damping_probability=0.0),
}
PRIORS = (
    PRESETS
    | {name: replace(PRESETS["full"], **changes) for name, changes in SENSITIVITY.items()}
    | EXTENDED
    | _LAST_STAGE
)
