"""The physical factors of clips, one row each, and the constants of a clip.

A row says what a factor is, what it may be, what it is where nothing is said, and how a reader turns
it. `ClipParameters`, the ranges of `SynthPrior`, scenes, tables, and the sliders of the explorer and
of the exported page are made from these rows. Which excitations hear a factor is said in
`audiopg.synth.excitations`, and the random stream of a factor that is drawn in `audiopg.random`,
under the same name.
"""

import math
from dataclasses import dataclass

import torch

SAMPLE_RATE = 16000
CLIP_SAMPLES = 163840
CLIP_SECONDS = CLIP_SAMPLES / SAMPLE_RATE
NYQUIST = SAMPLE_RATE / 2
# The longest time of reverberation, s: that of a furnished room, and what fits a short response.
LONGEST_REVERBERATION = 0.5


@dataclass(frozen=True)
class Slider:
    """How a reader turns a factor.

    Attributes:
        label: what stands beside it.
        low: least value.
        high: largest value.
        group: the heading that the slider stands under.
        scale: "linear", "log", "whole" (numbers), "choice" (of an excitation), "switch", or
            "spread": each partial has a value of its own, and the slider says how many times as far
            from ``centre`` the partials are as they were drawn.
        centre: of a spread.
        needs: factors that are 0 where this one is not heard.
    """

    label: str
    low: float
    high: float
    group: str
    scale: str = "linear"
    centre: float = 0.0
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Factor:
    """One physical factor.

    Attributes:
        name: of the factor, and of its random stream where it is drawn.
        kind: what has a value of its own: each "clip", "event" or "partial"; or each "source",
            which is an event or, in the paper, all events of a clip together.
        unit: Hz, s, rad, ...; empty for a pure number.
        low: least value that is rendered.
        high: largest value that is rendered.
        default: the value in a scene that does not give one; None where a scene has to. A factor
            beyond the paper changes nothing at its default, unless one excitation alone hears it.
        meaning: one line for the documentation.
        draw: how the prior draws it from the field of its name: "uniform" on a range, "octaves"
            (uniform in the logarithm), "whole" (a whole number of a range), "choice" (among
            several), "own" (from a range, by a rule of its own); "" where there is no such field.
        slider: None where a reader cannot turn it.
        beyond: whether the paper's synthesizer lacks it.
        dtype: that `ClipParameters` keeps it in.
    """

    name: str
    kind: str
    unit: str
    low: float
    high: float
    default: float | str | None
    meaning: str
    draw: str = ""
    slider: Slider | None = None
    beyond: bool = False
    dtype: torch.dtype = torch.float64

    @property
    def one_event(self) -> bool:
        """Whether a slider turns it in one event, and not in the whole clip."""
        return self.kind == "event"

    @property
    def span(self) -> str:
        """The range, as messages write it."""
        if -self.low == self.high == math.inf:
            return "any finite number"
        if self.high == math.inf:
            return f"{self.low:g} {self.unit} or more"
        low, high = (f"{end:g}".replace("e+0", "e") for end in (self.low, self.high))
        return f"{low} to {high} {self.unit}".rstrip()


_INF = math.inf
_INT, _BOOL = torch.int64, torch.bool

# fmt: off
# To be read as a table:
# name, kind, unit, low, high, default, meaning, draw, slider(label, low, high, group, scale).
FACTOR_TABLE = {row.name: row for row in (
    Factor("seed", "clip", "", -_INF, _INF, 0, "key of the clip's noise samples", dtype=_INT),
    Factor("clip", "clip", "", -_INF, _INF, 0, "index of the clip under that seed", dtype=_INT),
    Factor("event_count", "clip", "", 0, _INF, None, "number N of events, at most E", "whole",
           Slider("events N", 1, 5, "events", "whole"), dtype=_INT),
    Factor("cutoff", "clip", "Hz", 10, _INF, NYQUIST,
           "corner fc of the low-pass; 8000 (Nyquist) or more means no damping", "uniform",
           Slider("low-pass cutoff", 200, 8000, "damping and noise", "log")),
    Factor("quality", "clip", "", 0.1, 20, 0.7071, "quality factor Q of the low-pass", "uniform",
           Slider("low-pass quality Q", 0.3, 10, "damping and noise", "log")),
    Factor("noise_level", "clip", "", 0, 1e6, 0.0,
           "peak λ of the noise floor, relative to a unit event", "uniform",
           Slider("noise level λ", 0, 0.1, "damping and noise")),
    Factor("excitation", "source", "", 0, _INF, "harmonic", "index into `EXCITATIONS`", "",
           Slider("excitation", 0, 0, "tone", "choice"), dtype=_INT),
    Factor("band_limited", "source", "", 0, 1, False,
           "whether a sawtooth or square holds only the partials below Nyquist; the paper's naive "
           "pulses do not", "", Slider("band-limited", 0, 1, "tone", "switch"), dtype=_BOOL),
    Factor("f0", "source", "Hz", 1, NYQUIST, None, "fundamental; of FM, the carrier", "uniform",
           Slider("fundamental f0", 50, 2000, "tone", "log")),
    Factor("onset", "event", "s", 0, CLIP_SECONDS, 0.0,
           "from the start of the clip; at most its length less that of the event", "",
           Slider("onset", 0, CLIP_SECONDS, "events")),
    Factor("length", "event", "s", 1e-3, CLIP_SECONDS, None, "of the event", "own",
           Slider("length", 0.1, CLIP_SECONDS, "events")),
    Factor("amplitude", "event", "", 0, 1e6, 1.0, "amplitude a of the tone", "uniform",
           Slider("amplitude a", 0, 2, "events")),
    Factor("attack", "event", "", 0, 1, 0.01,
           "share of the event; attack, decay and release add up to at most 1", "uniform",
           Slider("attack share", 0, 0.5, "events")),
    Factor("decay", "event", "", 0, 1, 0.1, "share of the event", "uniform",
           Slider("decay share", 0, 0.5, "events")),
    Factor("release", "event", "", 0, 1, 0.3, "share of the event", "own",
           Slider("release share", 0, 1, "events")),
    Factor("sustain", "event", "", 0, 1, 0.6,
           "level held after the decay, relative to the peak of the attack", "uniform",
           Slider("sustain level", 0, 1, "events")),
    Factor("burst_amplitude", "event", "", 0, 1e6, 0.0,
           "peak of the noise burst at the onset; 0 means none", "uniform",
           Slider("burst amplitude", 0, 2, "burst")),
    Factor("burst_length", "event", "s", 0, CLIP_SECONDS, 0.05, "of the burst", "uniform",
           Slider("burst length", 0.001, 0.5, "burst", "log", needs=("burst_amplitude",))),
    Factor("partial_count", "source", "", 1, _INF, None,
           "number of partials of a harmonic event, at most K", "whole",
           Slider("partials K", 1, 15, "tone", "whole"), dtype=_INT),
    Factor("rolloff", "source", "", 0, 10, 1.0, "exponent γ of the partials' power law", "uniform",
           Slider("roll-off γ", 0, 3, "tone")),
    Factor("fm_index", "source", "", 0, 100, 2.0, "modulation index β", "uniform",
           Slider("FM index β", 0, 8, "tone")),
    Factor("fm_ratio", "source", "", 0, 100, 1.0, "modulator over carrier frequency r", "choice",
           Slider("FM ratio r", 0.5, 3.14, "tone")),
    Factor("partial_weight", "partial", "", 0, 1e6, 1.0, "factor w on the power law", "uniform",
           Slider("spread of weights w", 0, 2, "tone", "spread", centre=1)),
    Factor("partial_detune", "partial", "", -0.5, 0.5, 0.0, "relative mistuning δ", "uniform",
           Slider("spread of detuning δ", 0, 10, "tone", "spread")),
    Factor("partial_phase", "partial", "rad", -_INF, _INF, 0.0, "phase φ at the onset", "uniform",
           Slider("spread of phases φ", 0, 1, "tone", "spread")),
    # From here on beyond the paper: how each sounds is in `audiopg.synth.additions`.
    Factor("noise_share", "event", "", 0, 1, 0.0,
           "share of a band of noise in the excitation", "choice",
           Slider("share of noise", 0, 1, "band of noise"), beyond=True),
    Factor("noise_bandwidth", "event", "Hz", 1, NYQUIST, NYQUIST,
           "of that noise: about f0 where it is less than f0, otherwise from 0 up", "octaves",
           Slider("bandwidth of noise", 20, NYQUIST, "band of noise", "log",
                  needs=("noise_share",)), beyond=True),
    Factor("modulation_depth", "event", "", 0, 1, 0.0, "depth of the amplitude modulation",
           "uniform", Slider("depth of modulation", 0, 1, "modulation"), beyond=True),
    Factor("modulation_rate", "event", "Hz", 0, 1000, 1.0, "of the modulation", "octaves",
           Slider("rate of modulation", 0.1, 200, "modulation", "log",
                  needs=("modulation_depth",)), beyond=True),
    Factor("modulation_decay", "event", "nepers", 0, 100, 0.0,
           "by which an impulse dies away in a period; 0 means that the modulation is a sinusoid",
           "choice", Slider("decay of an impulse", 0, 30, "modulation",
                            needs=("modulation_depth",)), beyond=True),
    Factor("modulation_jitter", "event", "", 0, 1, 0.0,
           "the most by which chance weakens an impulse", "uniform",
           Slider("unevenness of impulses", 0, 1, "modulation",
                  needs=("modulation_depth", "modulation_decay")), beyond=True),
    Factor("glide", "event", "octaves", -3, 3, 0.0, "by which f0 rises over the event", "uniform",
           Slider("glide", -2, 2, "motion of the pitch"), beyond=True),
    Factor("vibrato_depth", "event", "", 0, 1, 0.0,
           "swing of f0 to either side, relative to f0", "uniform",
           Slider("depth of vibrato", 0, 0.5, "motion of the pitch"), beyond=True),
    Factor("vibrato_rate", "event", "Hz", 0.01, 100, 1.0, "of the vibrato", "octaves",
           Slider("rate of vibrato", 0.1, 20, "motion of the pitch", "log",
                  needs=("vibrato_depth",)), beyond=True),
    *(Factor(f"formant_{number}", "event", "Hz", 0, NYQUIST, 0.0,
             f"resonance {number} that the partials of the tone pass; 0 means none", "",
             Slider(f"formant {number}", 0, 4000, "formants"), beyond=True)
      for number in (1, 2, 3)),
    Factor("reverberation_time", "clip", "s", 0, LONGEST_REVERBERATION, 0.0,
           "in which reverberation dies away by 60 dB; 0 means none", "uniform",
           Slider("reverberation time", 0, LONGEST_REVERBERATION, "room"), beyond=True),
    Factor("reverberation_level", "clip", "", 0, 1000, 0.0,
           "of the reverberation relative to the direct sound", "uniform",
           Slider("reverberation level", 0, 2, "room", needs=("reverberation_time",)), beyond=True),
)}
# fmt: on


def factor_names(*kinds: str, beyond: bool | None = None) -> tuple[str, ...]:
    """The factors of some kinds, in order; with ``beyond``, only those beyond the paper or not."""
    return tuple(
        name
        for name, factor in FACTOR_TABLE.items()
        if factor.kind in kinds and beyond in (None, factor.beyond)
    )
