"""The physical factors of clips: what the synthesizer is told, and what the analyses ask about."""

import json
import math
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from audiopg import inputs
from audiopg.errors import InputError

SAMPLE_RATE = 16000
CLIP_SAMPLES = 163840
CLIP_SECONDS = CLIP_SAMPLES / SAMPLE_RATE
NYQUIST = SAMPLE_RATE / 2

EXCITATIONS = ("harmonic", "fm", "sawtooth", "square")

PARTIAL_FACTORS = ("partial_weight", "partial_detune", "partial_phase")
# Factors that the paper's synthesizer has not, of an event and of a clip, each with the value at
# which it changes nothing. Parameters, scenes and tables that do not say take that.
EVENT_ADDITIONS = {
    "noise_share": 0.0,
    "noise_bandwidth": NYQUIST,
    "modulation_depth": 0.0,
    "modulation_rate": 1.0,
    "modulation_decay": 0.0,
    "modulation_jitter": 0.0,
    "glide": 0.0,
    "vibrato_depth": 0.0,
    "vibrato_rate": 1.0,
    "formant_1": 0.0,
    "formant_2": 0.0,
    "formant_3": 0.0,
}
CLIP_ADDITIONS = {"reverberation_time": 0.0, "reverberation_level": 0.0}
# The longest time of reverberation, s: that of a furnished room, and what fits a short response.
LONGEST_REVERBERATION = 0.5
_WHOLE = ("seed", "clip", "event_count", "excitation", "partial_count")


def factor_dtype(name: str) -> torch.dtype:
    """The type that `ClipParameters` keeps a factor in: int64, bool or float64."""
    if name == "band_limited":
        return torch.bool
    return torch.int64 if name in _WHOLE else torch.float64


def is_whole(value: object) -> bool:
    """Whether a value is a 64-bit whole number; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def is_number(value: object) -> bool:
    """Whether a value is a finite number; True and False are none."""
    return math.isfinite(value) if isinstance(value, float) else is_whole(value)


def read_factor(name: str, value: object, place: str) -> float:
    """The number that a factor is kept as, from what a scene or a table says.

    Args:
        name: of the factor.
        value: a name of `EXCITATIONS`, True or False, or a number, as the factor is.
        place: where the value stands, for the message.

    Raises:
        InputError: for a value of another kind.
    """
    dtype = factor_dtype(name)
    if name == "excitation":
        good, wanted = isinstance(value, str) and value in EXCITATIONS, f"choose from {EXCITATIONS}"
    elif dtype == torch.bool:
        good, wanted = isinstance(value, bool), "give true or false"
    elif dtype == torch.int64:
        good, wanted = is_whole(value), "give a 64-bit whole number"
    else:
        good, wanted = is_number(value), "give a finite number"
    if not good:
        raise InputError(f"{place} is {shown(value)}; {wanted}.")
    return EXCITATIONS.index(value) if name == "excitation" else value


def as_factor(name: str, value: object) -> Tensor:
    """Numbers as a tensor of a factor's type.

    Raises:
        InputError: for what is no number, or a number that the type would change.
    """
    dtype = factor_dtype(name)
    if hasattr(value, "__array__") and not isinstance(value, Tensor):
        # A column of a table has labels of its own, and a tensor shares no array that is reversed.
        value = np.array(value, order="C")
    try:
        # Whole numbers as they come: a float would lose digits of a seed, and their own type
        # would hide that they are none.
        given = torch.as_tensor(value)
        if given.is_floating_point() and not isinstance(value, Tensor | np.ndarray):
            given = torch.as_tensor(value, dtype=torch.float64)
        if given.is_complex() or given.is_meta:
            raise TypeError("no real numbers")
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise InputError(f"{name} was given {shown(value)}; it takes numbers.") from error
    converted = given.to(dtype)
    if not (dtype == torch.float64 or torch.equal(converted.to(given.dtype), given)):
        kind = "True or False" if dtype == torch.bool else "whole numbers"
        raise InputError(f"{name} was given {shown(value)}; it takes {kind}.")
    return converted


def shown(value: object) -> str:
    """A value as a message shows it: as JSON writes it, at most 60 characters."""
    return inputs.shown(value, partial(json.dumps, default=str))


@dataclass(frozen=True)
class ClipParameters:
    """Every physical factor of B clips of up to E events of up to K partials (Section 3.1).

    Rendering is a pure function of this table, so a row edited by hand is a sound. Factors of
    events beyond ``event_count`` and partials beyond ``partial_count`` are drawn but not heard.
    What is neither an integer nor a bool is float64.

    Attributes:
        seed: (B,) int64, key of the clip's noise samples.
        clip: (B,) int64, index of the clip under that seed.
        event_count: (B,) int64, number N of events, at most E.
        cutoff: (B,) Hz, corner fc of the low-pass; 8000 (Nyquist) or more means no damping.
        quality: (B,), quality factor Q of the low-pass.
        noise_level: (B,), peak λ of the noise floor, relative to a unit event.
        excitation: (B, E) int64, index into `EXCITATIONS`.
        band_limited: (B, E) bool, whether a sawtooth or square holds only the partials below
            Nyquist; the paper's naive pulses do not.
        f0: (B, E) Hz, fundamental; of FM, the carrier.
        onset: (B, E) s from the start of the clip.
        length: (B, E) s.
        amplitude: (B, E), amplitude a of the tone.
        attack: (B, E), share of the event; attack, decay and release add up to at most 1.
        decay: (B, E), share of the event.
        release: (B, E), share of the event.
        sustain: (B, E), level held after the decay, relative to the peak of the attack.
        burst_amplitude: (B, E), peak of the noise burst at the onset; 0 means none.
        burst_length: (B, E) s.
        partial_count: (B, E) int64, number of partials of a harmonic event, at most K.
        rolloff: (B, E), exponent γ of the partials' power law.
        fm_index: (B, E), modulation index β.
        fm_ratio: (B, E), modulator over carrier frequency r.
        partial_weight: (B, E, K), factor w on the power law.
        partial_detune: (B, E, K), relative mistuning δ.
        partial_phase: (B, E, K) rad, phase φ at the onset.
        noise_share: (B, E), share of a band of noise in the excitation, 0 to 1 (`additions`).
        noise_bandwidth: (B, E) Hz, of that noise: about f0 where it is less than f0, otherwise
            from 0 up.
        modulation_depth: (B, E), depth of the amplitude modulation, 0 to 1.
        modulation_rate: (B, E) Hz.
        modulation_decay: (B, E), nepers by which an impulse dies away in a period; 0 means that
            the modulation is a sinusoid.
        modulation_jitter: (B, E), the most by which chance weakens an impulse, 0 to 1.
        glide: (B, E) octaves, by which f0 rises over the event.
        vibrato_depth: (B, E), swing of f0 to either side, relative to f0.
        vibrato_rate: (B, E) Hz.
        formant_1: (B, E) Hz, first resonance that harmonic tones and pulses pass; 0 means none.
            FM has none.
        formant_2: (B, E) Hz, the second.
        formant_3: (B, E) Hz, the third.
        reverberation_time: (B,) s, in which reverberation dies away by 60 dB; 0 means none.
        reverberation_level: (B,), of the reverberation relative to the direct sound.

    Those from ``noise_share`` on are beyond the paper. Left out, they are neutral.
    """

    seed: Tensor
    clip: Tensor
    event_count: Tensor
    cutoff: Tensor
    quality: Tensor
    noise_level: Tensor
    excitation: Tensor
    band_limited: Tensor
    f0: Tensor
    onset: Tensor
    length: Tensor
    amplitude: Tensor
    attack: Tensor
    decay: Tensor
    release: Tensor
    sustain: Tensor
    burst_amplitude: Tensor
    burst_length: Tensor
    partial_count: Tensor
    rolloff: Tensor
    fm_index: Tensor
    fm_ratio: Tensor
    partial_weight: Tensor
    partial_detune: Tensor
    partial_phase: Tensor
    noise_share: Tensor = None
    noise_bandwidth: Tensor = None
    modulation_depth: Tensor = None
    modulation_rate: Tensor = None
    modulation_decay: Tensor = None
    modulation_jitter: Tensor = None
    glide: Tensor = None
    vibrato_depth: Tensor = None
    vibrato_rate: Tensor = None
    formant_1: Tensor = None
    formant_2: Tensor = None
    formant_3: Tensor = None
    reverberation_time: Tensor = None
    reverberation_level: Tensor = None

    def __post_init__(self) -> None:
        for like, additions in ((self.f0, EVENT_ADDITIONS), (self.cutoff, CLIP_ADDITIONS)):
            for name, neutral in additions.items():
                if getattr(self, name) is None:
                    object.__setattr__(self, name, torch.full_like(like, neutral))

    def __len__(self) -> int:
        return len(self.clip)

    def __getitem__(self, rows: slice | Tensor | list[int]) -> "ClipParameters":
        """The clips of some rows: a slice, a list of indices, or an index or boolean tensor."""
        return ClipParameters(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def to(self, device: torch.device | str) -> "ClipParameters":
        """The same clips on another device."""
        return ClipParameters(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def edit(self, **factors: float | Tensor) -> "ClipParameters":
        """The same clips with some factors replaced; values broadcast to the factor's shape.

        ``params.edit(f0=440.0)`` sets every event of every clip; a tensor of shape (B, 1) sets
        each clip's events to one value.

        Raises:
            InputError: for a factor that does not exist, a shape that does not fit, or a value
                of another kind or outside the factor's range.
        """
        known = {f.name for f in fields(self)}
        changed = {}
        for name, value in factors.items():
            if name not in known:
                raise InputError(f"no factor is called {name!r}; choose from {sorted(known)}.")
            old = getattr(self, name)
            value = as_factor(name, value).to(old.device)
            try:
                changed[name] = value.expand_as(old).clone()
            except RuntimeError as error:
                shapes = f"{tuple(value.shape)}, which does not fit {tuple(old.shape)}"
                raise InputError(f"the factor {name!r} was given shape {shapes}.") from error
        edited = replace(self, **changed)
        edited.validate()
        return edited

    @property
    def event_mask(self) -> Tensor:
        """(B, E) bool, the events that sound."""
        slots = torch.arange(self.f0.shape[1], device=self.f0.device)
        return slots < self.event_count[:, None]

    @property
    def has_additions(self) -> Tensor:
        """(B,) bool, the clips that need more than the paper's synthesizer."""
        formants = (self.formant_1, self.formant_2, self.formant_3)
        of_events = (self.noise_share, self.modulation_depth, self.glide, self.vibrato_depth)
        events = (torch.stack((*of_events, *formants)) != 0).any(dim=0).any(dim=1)
        return events | (self.reverberation_time * self.reverberation_level != 0)

    def validate(self) -> None:
        """Refuse what cannot be rendered.

        Raises:
            InputError: naming the first factor out of its range, the range, and the clip's row.
        """
        events, partials = self.partial_weight.shape[1:]
        tail = CLIP_SECONDS - self.length
        shares = self.attack + self.decay + self.release
        inf = float("inf")
        # The tolerance admits sums and differences that only rounding carries over the edge.
        ranges = (
            ("event_count", self.event_count, 0, events, f"0 to {events}"),
            ("cutoff", self.cutoff, 10, inf, "10 Hz or more; 8000 means no damping"),
            ("quality", self.quality, 0.1, 20, "0.1 to 20"),
            ("noise_level", self.noise_level, 0, 1e6, "0 to 1e6"),
            (
                "excitation",
                self.excitation,
                0,
                len(EXCITATIONS) - 1,
                f"0 to {len(EXCITATIONS) - 1}, {EXCITATIONS}",
            ),
            ("f0", self.f0, 1, NYQUIST, f"1 to {NYQUIST:g} Hz"),
            ("length", self.length, 1e-3, CLIP_SECONDS, f"0.001 to {CLIP_SECONDS} s"),
            ("onset", self.onset, 0, tail + 1e-9, f"0 to {CLIP_SECONDS} s less the length"),
            ("amplitude", self.amplitude, 0, 1e6, "0 to 1e6"),
            ("attack", self.attack, 0, 1, "0 to 1"),
            ("decay", self.decay, 0, 1, "0 to 1"),
            ("release", self.release, 0, 1, "0 to 1"),
            ("attack + decay + release", shares, 0, 1 + 1e-9, "0 to 1"),
            ("sustain", self.sustain, 0, 1, "0 to 1"),
            ("burst_amplitude", self.burst_amplitude, 0, 1e6, "0 to 1e6"),
            ("burst_length", self.burst_length, 0, CLIP_SECONDS, f"0 to {CLIP_SECONDS} s"),
            ("partial_count", self.partial_count, 1, partials, f"1 to {partials}"),
            ("rolloff", self.rolloff, 0, 10, "0 to 10"),
            ("fm_index", self.fm_index, 0, 100, "0 to 100"),
            ("fm_ratio", self.fm_ratio, 0, 100, "0 to 100"),
            ("partial_weight", self.partial_weight, 0, 1e6, "0 to 1e6"),
            ("partial_detune", self.partial_detune, -0.5, 0.5, "-0.5 to 0.5"),
            ("partial_phase", self.partial_phase, -inf, inf, "any finite angle"),
            ("noise_share", self.noise_share, 0, 1, "0 to 1"),
            ("noise_bandwidth", self.noise_bandwidth, 1, NYQUIST, f"1 to {NYQUIST:g} Hz"),
            ("modulation_depth", self.modulation_depth, 0, 1, "0 to 1"),
            ("modulation_rate", self.modulation_rate, 0, 1000, "0 to 1000 Hz"),
            ("modulation_decay", self.modulation_decay, 0, 100, "0 to 100"),
            ("modulation_jitter", self.modulation_jitter, 0, 1, "0 to 1"),
            ("glide", self.glide, -3, 3, "-3 to 3 octaves"),
            ("vibrato_depth", self.vibrato_depth, 0, 1, "0 to 1"),
            ("vibrato_rate", self.vibrato_rate, 0.01, 100, "0.01 to 100 Hz"),
            ("formant_1", self.formant_1, 0, NYQUIST, f"0 to {NYQUIST:g} Hz; 0 means none"),
            ("formant_2", self.formant_2, 0, NYQUIST, f"0 to {NYQUIST:g} Hz; 0 means none"),
            ("formant_3", self.formant_3, 0, NYQUIST, f"0 to {NYQUIST:g} Hz; 0 means none"),
            (
                "reverberation_time",
                self.reverberation_time,
                0,
                LONGEST_REVERBERATION,
                f"0 to {LONGEST_REVERBERATION:g} s; 0 means none",
            ),
            ("reverberation_level", self.reverberation_level, 0, 1000, "0 to 1000"),
        )
        # NaN fails both comparisons; an infinite value is never audible sense.
        good = [
            (value >= low) & (value <= high) & torch.isfinite(value.double())
            for _, value, low, high, _ in ranges
        ]
        # Asked once, as every question to a GPU waits for its answer.
        if torch.stack([part.all() for part in good]).all():
            return
        for (name, value, _, _, span), part in zip(ranges, good, strict=True):
            if not part.all():
                row = int((~part).nonzero()[0, 0])
                bad = value[~part][0].item()
                raise InputError(f"clip row {row}: {name} is {bad:g}; the range is {span}.")
