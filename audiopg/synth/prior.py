"""Distributions of the physical factors, and their sampling (Section 3.1, Table 3, Table 4)."""

import math
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from audiopg.errors import InputError
from audiopg.inputs import shown, whole_seed
from audiopg.random import STREAMS, uniform
from audiopg.synth.parameters import (
    CLIP_SECONDS,
    EXCITATIONS,
    LONGEST_REVERBERATION,
    NYQUIST,
    PARTIAL_FACTORS,
    ClipParameters,
    as_factor,
    is_number,
    is_whole,
)

Range = tuple[float, float]
IntegerRange = tuple[int, int]

# Each factor is drawn from its own stream; the numbers up to 100 are kept for them.
_FACTORS = [name for name, stream in STREAMS.items() if stream <= 100]
# The draws of what the paper's synthesizer has not, by the probability without which there are none.
_ADDED = {
    "mixture_probability": ("mixed",),
    "noise_probability": ("has_noise", "noise_share", "noise_bandwidth"),
    "modulation_probability": (
        "has_modulation",
        "modulation_depth",
        "modulation_rate",
        "modulation_decay",
        "modulation_jitter",
    ),
    "motion_probability": ("has_motion", "glide", "vibrato_depth", "vibrato_rate"),
    "formant_probability": ("has_formants", "vowel", "tract"),
    "reverberation_probability": (
        "has_reverberation",
        "reverberation_time",
        "reverberation_level",
    ),
}
# Positions in a stream: event e, partial k -> e * 256 + k.
_PARTIAL_SLOTS = 256

_CLIP_FACTORS = (
    "event_count",
    "damped",
    "cutoff",
    "quality",
    "noise_level",
    "mixed",
    *_ADDED["reverberation_probability"],
)
_SOURCE_FACTORS = (
    "excitation",
    "pulse",
    "f0",
    "partial_count",
    "rolloff",
    "fm_index",
    "fm_ratio",
    *PARTIAL_FACTORS,
    # A clip has one mouth, which speaks more than one vowel.
    "has_formants",
    "tract",
)

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

# A pulse is one of two waveforms, drawn apart.
_EXCITATION_CODE = {"harmonic": 0, "fm": 1, "pulse": -1}


def _check_range(name: str, value: object, low: float, high: float) -> None:
    whole = isinstance(low, int)
    span = f"two {'whole ' if whole else ''}numbers, low then high, from {low:g} to {high:g}"
    good = (
        isinstance(value, tuple | list)
        and len(value) == 2
        and all(map(is_whole if whole else is_number, value))
        and low <= value[0] <= value[1] <= high
    )
    if not good:
        raise InputError(f"{name} is {shown(value)}; it takes {span}.")


def _check_choices(name: str, values: object, allowed: str, accept: object) -> None:
    if not isinstance(values, tuple | list) or not values or not all(map(accept, values)):
        raise InputError(f"{name} is {shown(values)}; it takes one or more choices {allowed}.")


def _power(base: float, exponent: Tensor) -> Tensor:
    """``base ** exponent``, of sums and products alone.

    These are rounded alike in any batch, on any device and in an exported graph, as a library's
    own powers are not. The series of the exponential is as exact as float64 after 13 terms.

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


@dataclass(frozen=True)
class SynthPrior:
    """What each physical factor is drawn from; the defaults are the paper's `full` curriculum.

    A range (low, high) is uniform, a range of integers includes both ends, a tuple of choices
    gives each entry the same probability (repeat one to favour it). The distributions are the
    paper's and its released code's.

    From ``mixture_probability`` on, the fields are beyond the paper, and off while their
    probability is 0. How each addition sounds is in `audiopg.synth.additions`; here is what the
    ranges of ``extended`` are after.

    Attributes:
        f0: Hz, fundamental frequency.
        excitation: choices among "harmonic", "fm" and "pulse".
        pulse: choices among "sawtooth" and "square", for events whose excitation is "pulse".
        band_limited: whether a pulse holds only the partials below Nyquist; the paper's do not.
        partials: number K of partials.
        rolloff: exponent γ of the partials' power law.
        partial_weight: factor w on each partial's amplitude.
        partial_detune: relative mistuning δ of each partial.
        partial_phase: rad, phase φ of each partial at the onset.
        fm_index: modulation index β.
        fm_ratio: choices of modulator over carrier frequency r.
        events: number N of events.
        event_length: s; the upper end is lowered to the clip's length over N where that is
            shorter. The onset is uniform where the event fits.
        amplitude: amplitude a of each event.
        attack: share of the event.
        decay: share of the event.
        sustain: level after the decay.
        release: share of the event, or None for all that attack and decay leave.
        burst_probability: probability of a noise burst at an event's onset.
        burst_length: length of the burst, in s.
        burst_amplitude: peak of the burst, relative to a unit event.
        damping_probability: probability that the clip passes the low-pass.
        cutoff: Hz, corner frequency of the low-pass.
        quality: quality factor Q of the low-pass.
        noise_level: peak λ of the noise floor, relative to a unit event.
        shared_source: whether the events of a clip share excitation, f0 and timbre, as in the
            released code; otherwise each event draws its own.
        mixture_probability: probability that a clip's events have sources of their own although
            ``shared_source`` says other. Streets and rooms are mixtures.
        noise_probability: probability that an event has a band of noise.
        noise_share: choices of the noise's share; 1 leaves nothing of the tone.
        noise_bandwidth: Hz, uniform in octaves: from a whistle to rain.
        modulation_probability: probability that an event is modulated in amplitude.
        modulation_depth: share of the amplitude.
        modulation_rate: Hz, uniform in octaves: from the swell of waves to an engine's roughness.
        modulation_decay: choices of how fast an impulse dies away, in nepers a period; 0 is a
            sinusoid.
        modulation_jitter: the most by which chance weakens an impulse.
        motion_probability: probability that an event's pitch moves.
        glide: octaves over the event.
        vibrato_depth: relative to f0.
        vibrato_rate: Hz, uniform in octaves: from a siren's to that of a voice.
        formant_probability: probability that the source is a voice: a harmonic tone or a pulse of
            the pitch of a voice, through the formants of a vowel. Where FM was drawn, it is a
            sawtooth, whose partials fall as those of a glottis about do.
        formant_f0: Hz, uniform in octaves: from a man's voice to a child's cry.
        vowels: choices among ``VOWELS``, one an event.
        tract_scale: factor on the formants; those of women are about 1.15 times those of men, of
            children 1.35 times (Peterson and Barney, 1952).
        reverberation_probability: probability that a clip is reverberant.
        reverberation_time: s; 0.2 to 0.5 s are furnished rooms.
        reverberation_level: relative to the direct sound.

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
        limits = {
            "f0": (1.0, NYQUIST),
            "partials": (1, _PARTIAL_SLOTS),
            "rolloff": (0.0, 10.0),
            "partial_weight": (0.0, 1e3),
            "partial_detune": (-0.5, 0.5),
            "partial_phase": (-1e3, 1e3),
            "fm_index": (0.0, 100.0),
            "events": (1, 64),
            "event_length": (1e-3, CLIP_SECONDS),
            "amplitude": (0.0, 1e3),
            "attack": (0.0, 1.0),
            "decay": (0.0, 1.0),
            "sustain": (0.0, 1.0),
            "release": (0.0, 1.0),
            "burst_length": (0.0, CLIP_SECONDS),
            "burst_amplitude": (0.0, 1e3),
            "cutoff": (10.0, NYQUIST),
            "quality": (0.1, 20.0),
            "noise_level": (0.0, 1e3),
            "noise_bandwidth": (1.0, NYQUIST),
            "modulation_depth": (0.0, 1.0),
            "modulation_rate": (0.01, 1000.0),
            "modulation_jitter": (0.0, 1.0),
            "glide": (-3.0, 3.0),
            "vibrato_depth": (0.0, 1.0),
            "vibrato_rate": (0.01, 100.0),
            "formant_f0": (1.0, NYQUIST),
            "tract_scale": (0.1, 2.5),
            "reverberation_time": (0.01, LONGEST_REVERBERATION),
            "reverberation_level": (0.0, 1e3),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not (name == "release" and value is None):
                _check_range(name, value, low, high)
        for name in ("band_limited", "shared_source"):
            value = getattr(self, name)
            if not isinstance(value, bool):
                raise InputError(f"{name} is {shown(value)}; it is True or False.")
        for name in ("burst_probability", "damping_probability", *_ADDED):
            value = getattr(self, name)
            if not is_number(value) or not 0 <= value <= 1:
                raise InputError(f"{name} is {shown(value)}; it is a probability, 0 to 1.")
        for name, allowed in (
            ("excitation", ("harmonic", "fm", "pulse")),
            ("pulse", ("sawtooth", "square")),
            ("vowels", tuple(VOWELS)),
        ):
            _check_choices(name, getattr(self, name), f"among {allowed}", allowed.__contains__)
        for name, most in (("fm_ratio", 100), ("noise_share", 1), ("modulation_decay", 100)):
            _check_choices(
                name,
                getattr(self, name),
                f"from 0 to {most}",
                lambda value, most=most: is_number(value) and 0 <= value <= most,
            )
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
                paper, "extended" (all of ``ADDITIONS``), "full+noise" (`full` with that one),
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
        clip = as_factor("clip", clips)
        if clip.ndim != 1:
            raise InputError(f"clips has shape {tuple(clip.shape)}; give one index a clip, (B,).")
        return self.factors(
            clip, torch.tensor(whole_seed(seed), dtype=torch.int64, device=clip.device)
        )

    def factors(self, clip: Tensor, key: Tensor) -> ClipParameters:
        """What `sample` gives, of tensors alone: the form of it that can be exported.

        Args:
            clip: (B,) int64.
            key: () int64, the seed, on the same device.

        Returns:
            B rows.
        """
        device, batch = clip.device, len(clip)
        draws = self._draws(key, clip)

        def between(factor: str, bounds: Range) -> Tensor:
            low, high = bounds
            return low + (high - low) * draws[factor]

        def integer(factor: str, bounds: IntegerRange) -> Tensor:
            low, high = bounds
            return low + (draws[factor] * (high - low + 1)).long()

        def choice(factor: str, values: tuple[float, ...], dtype: torch.dtype) -> Tensor:
            table = torch.tensor(values, dtype=dtype, device=device)
            return table[(draws[factor] * len(values)).long()]

        def octaves(factor: str, bounds: Range) -> Tensor:
            low, high = bounds
            return low * _power(high / low, draws[factor])

        event_count = integer("event_count", self.events)
        shortest, longest = self.event_length
        longest = (CLIP_SECONDS / event_count.double()).clamp(max=longest)[:, None]
        length = shortest + (longest - shortest).clamp(min=0) * draws["length"]
        attack, decay = between("attack", self.attack), between("decay", self.decay)
        if self.release is None:
            # Rounding can leave less than nothing of the event.
            release = (1 - attack - decay).clamp(min=0)
        else:
            release = between("release", self.release)
        kind = choice("excitation", [_EXCITATION_CODE[e] for e in self.excitation], torch.int64)
        pulse = choice("pulse", [EXCITATIONS.index(p) for p in self.pulse], torch.int64)
        has_burst = draws["has_burst"] < self.burst_probability
        damped = draws["damped"] < self.damping_probability
        excitation = torch.where(kind < 0, pulse, kind)
        f0 = between("f0", self.f0)
        added = {}
        if self.noise_probability > 0:
            has_noise = draws["has_noise"] < self.noise_probability
            share = choice("noise_share", self.noise_share, torch.float64)
            added["noise_share"] = share * has_noise
            added["noise_bandwidth"] = octaves("noise_bandwidth", self.noise_bandwidth)
        if self.modulation_probability > 0:
            has_modulation = draws["has_modulation"] < self.modulation_probability
            depth = between("modulation_depth", self.modulation_depth)
            added["modulation_depth"] = depth * has_modulation
            added["modulation_rate"] = octaves("modulation_rate", self.modulation_rate)
            decays = choice("modulation_decay", self.modulation_decay, torch.float64)
            added["modulation_decay"] = decays
            added["modulation_jitter"] = between("modulation_jitter", self.modulation_jitter)
        if self.motion_probability > 0:
            has_motion = draws["has_motion"] < self.motion_probability
            added["glide"] = between("glide", self.glide) * has_motion
            swing = between("vibrato_depth", self.vibrato_depth)
            added["vibrato_depth"] = swing * has_motion
            added["vibrato_rate"] = octaves("vibrato_rate", self.vibrato_rate)
        if self.formant_probability > 0:
            is_voice = draws["has_formants"] < self.formant_probability
            low, high = self.formant_f0
            f0 = torch.where(is_voice, low * _power(high / low, draws["f0"]), f0)
            is_fm = excitation == EXCITATIONS.index("fm")
            excitation = torch.where(is_voice & is_fm, EXCITATIONS.index("sawtooth"), excitation)
            scale = between("tract", self.tract_scale) * is_voice
            for number in range(3):
                hertz = tuple(VOWELS[vowel][number] for vowel in self.vowels)
                added[f"formant_{number + 1}"] = choice("vowel", hertz, torch.float64) * scale
        if self.reverberation_probability > 0:
            reverberant = draws["has_reverberation"] < self.reverberation_probability
            time = between("reverberation_time", self.reverberation_time)
            added["reverberation_time"] = time * reverberant
            level = between("reverberation_level", self.reverberation_level)
            added["reverberation_level"] = level
        return ClipParameters(
            seed=key.expand(batch).clone(),
            clip=clip.clone(),
            event_count=event_count,
            cutoff=torch.where(damped, between("cutoff", self.cutoff), NYQUIST),
            quality=between("quality", self.quality),
            noise_level=between("noise_level", self.noise_level),
            excitation=excitation,
            band_limited=torch.full_like(length, self.band_limited, dtype=torch.bool),
            f0=f0,
            onset=(CLIP_SECONDS - length) * draws["onset"],
            length=length,
            amplitude=between("amplitude", self.amplitude),
            attack=attack,
            decay=decay,
            release=release,
            sustain=between("sustain", self.sustain),
            burst_amplitude=between("burst_amplitude", self.burst_amplitude) * has_burst,
            burst_length=between("burst_length", self.burst_length),
            partial_count=integer("partial_count", self.partials),
            rolloff=between("rolloff", self.rolloff),
            fm_index=between("fm_index", self.fm_index),
            fm_ratio=choice("fm_ratio", self.fm_ratio, torch.float64),
            partial_weight=between("partial_weight", self.partial_weight),
            partial_detune=between("partial_detune", self.partial_detune),
            partial_phase=between("partial_phase", self.partial_phase),
            **added,
        )

    def _draws(self, key: Tensor, clip: Tensor) -> dict[str, Tensor]:
        """U[0, 1) for every factor, in one call of the generator: (B,), (B, E) or (B, E, K)."""
        events, partials = self.events[1], self.partials[1]
        off = {
            factor
            for probability, factors in _ADDED.items()
            if getattr(self, probability) == 0
            for factor in factors
        }
        all_share = self.shared_source and self.mixture_probability == 0
        positions = {}
        for factor in (factor for factor in _FACTORS if factor not in off):
            of_source = all_share and factor in _SOURCE_FACTORS
            slots = range(1 if of_source or factor in _CLIP_FACTORS else events)
            orders = range(partials if factor in PARTIAL_FACTORS else 1)
            positions[factor] = [
                slot * _PARTIAL_SLOTS + order for slot in slots for order in orders
            ]
        streams = [STREAMS[factor] for factor, places in positions.items() for _ in places]
        places = [place for of_factor in positions.values() for place in of_factor]
        stream, position = torch.tensor((streams, places), device=clip.device)
        numbers = uniform(key, clip[:, None], stream, position)
        columns = numbers.split([len(of_factor) for of_factor in positions.values()], dim=1)
        draws = dict(zip(positions, columns, strict=True))
        for factor, column in draws.items():
            if factor in _CLIP_FACTORS:
                draws[factor] = column[:, 0]
            elif factor in PARTIAL_FACTORS:
                draws[factor] = column.unflatten(1, (-1, partials)).expand(-1, events, -1)
            else:
                draws[factor] = column.expand(-1, events)
        if self.shared_source and not all_share:
            own = draws["mixed"] < self.mixture_probability
            for factor in _SOURCE_FACTORS:
                if factor in draws:
                    drawn = draws[factor]
                    mine = own.view(-1, *[1] * (drawn.ndim - 1))
                    draws[factor] = torch.where(mine, drawn, drawn[:, :1])
        return draws


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
# What is "narrow" and "wide" in Hz is missing from the text of the paper that this was written from,
# and the released code has the default alone. These two are ours, one inside the default and one
# around it.
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
    return replace(PRESETS["full"], **{k: v for name in names for k, v in ADDITIONS[name].items()})


EXTENDED = {
    "extended": _with(*ADDITIONS),
    **{f"full+{name}": _with(name) for name in ADDITIONS},
    **{f"extended-{name}": _with(*(o for o in ADDITIONS if o != name)) for name in ADDITIONS},
}
PRIORS = (
    PRESETS
    | {name: replace(PRESETS["full"], **changes) for name, changes in SENSITIVITY.items()}
    | EXTENDED
)
