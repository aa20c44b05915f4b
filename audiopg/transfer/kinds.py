"""What kind of sound a class is, and so of what kind a confusion of two classes is (Table 2).

The kinds are those of the paper's Table 2, with the same words. The paper does not say which class is
of which kind; we do, with a reason for each, to be argued with. A confusion is of the kinds that its
two classes share; where they share none, the ear gives no reason for it.
"""

from audiopg._types import DataFrame
from audiopg.errors import InputError

KINDS = {
    "transient": "impulsive broadband bursts or rhythmic onsets",
    "mechanical": "continuous low-frequency rumble or periodic modulation of the amplitude",
    "broadband": "stochastic noise textures",
    "phonetic": "a vocal tract's: voiced, with formants",
}

# The kinds of each class, and why.
_ESC50 = {
    "dog": ("transient phonetic", "barks: short, abrupt, from a vocal tract"),
    "rooster": ("phonetic", "a crow: voiced, its pitch gliding"),
    "pig": ("broadband phonetic", "grunts: a noisy vocal tract"),
    "cow": ("phonetic", "a moo: voiced, slow"),
    "frog": ("transient phonetic", "croaks: trains of voiced pulses"),
    "cat": ("phonetic", "a meow: voiced, with moving formants"),
    "hen": ("transient phonetic", "clucks: short voiced bursts"),
    "insects": ("broadband mechanical", "a buzz: wings beat periodically, heard as noise"),
    "sheep": ("phonetic", "a bleat: voiced, with tremolo"),
    "crow": ("broadband phonetic", "caws: a rough, noisy voice"),
    "rain": ("broadband", "countless drops: dense noise"),
    "sea_waves": ("broadband", "noise that swells and falls"),
    "crackling_fire": ("transient broadband", "clicks upon a bed of noise"),
    "crickets": ("mechanical", "a stridulation: a tone switched on and off periodically"),
    "chirping_birds": ("phonetic", "calls: tones that glide, from a syrinx"),
    "water_drops": ("transient", "single drops: abrupt, ringing briefly"),
    "wind": ("broadband", "turbulence: noise that moves slowly"),
    "pouring_water": ("broadband", "a stream: noise with bubbling resonances"),
    "toilet_flush": ("broadband", "a rush of water"),
    "thunderstorm": ("transient broadband", "a crack, then rumbling noise"),
    "crying_baby": ("phonetic", "cries: voiced, strong harmonics"),
    "sneezing": ("transient phonetic", "a burst of breath from a vocal tract"),
    "clapping": ("transient", "claps: impulsive, rhythmic or dense"),
    "breathing": ("broadband phonetic", "breath: noise shaped by a vocal tract"),
    "coughing": ("transient phonetic", "bursts from a vocal tract"),
    "footsteps": ("transient", "steps: impulsive and rhythmic"),
    "laughing": ("phonetic", "voiced syllables in rhythm"),
    "brushing_teeth": ("broadband", "strokes of scrubbing noise"),
    "snoring": ("broadband phonetic", "noisy breath, periodic, from a vocal tract"),
    "drinking_sipping": ("transient", "sips and gulps: short, wet bursts"),
    "door_wood_knock": ("transient", "knocks: impulsive and rhythmic"),
    "mouse_click": ("transient", "clicks"),
    "keyboard_typing": ("transient", "dense clicks"),
    "door_wood_creaks": ("mechanical", "stick and slip: a periodic friction"),
    "can_opening": ("transient broadband", "a crack, then a hiss"),
    "washing_machine": ("mechanical broadband", "a motor's rumble with water"),
    "vacuum_cleaner": ("mechanical broadband", "a motor's hum with rushing air"),
    "clock_alarm": ("mechanical", "beeps: a tone switched on and off periodically"),
    "clock_tick": ("transient", "ticks: impulsive and rhythmic"),
    "glass_breaking": ("transient", "a crash: impulsive, bright"),
    "helicopter": ("mechanical broadband", "rotor blades: noise modulated periodically, low"),
    "chainsaw": ("mechanical", "a motor: low harmonics, continuous"),
    "siren": ("mechanical", "a tone modulated periodically"),
    "car_horn": ("mechanical", "a steady tone of many harmonics"),
    "engine": ("mechanical", "a motor's rumble"),
    "train": ("mechanical broadband", "rumble of wheels, rhythmic, with noise"),
    "church_bells": ("transient", "strokes: abrupt, ringing long"),
    "airplane": ("mechanical broadband", "a drone in noise"),
    "fireworks": ("transient broadband", "bangs and crackle"),
    "hand_saw": ("broadband mechanical", "strokes of noise, periodic"),
}
_URBANSOUND8K = {
    "air_conditioner": ("mechanical broadband", "a motor's hum with rushing air"),
    "car_horn": ("mechanical", "a steady tone of many harmonics"),
    "children_playing": ("phonetic", "voices, many at once"),
    "dog_bark": ("transient phonetic", "barks: short, abrupt, from a vocal tract"),
    "drilling": ("mechanical broadband", "a motor, continuous, with scraping noise"),
    "engine_idling": ("mechanical", "a motor's rumble"),
    "gun_shot": ("transient", "a bang: impulsive, broadband"),
    "jackhammer": ("transient mechanical", "blows so quick that they are a modulation"),
    "siren": ("mechanical", "a tone modulated periodically"),
    "street_music": ("transient phonetic", "instruments and voices: onsets and formants"),
}
# The sounds of the words in ARPAbet, which are the reason for their kinds.
_SPOKEN = """
    backward: B AE K W ER D; bed: B EH D; bird: B ER D; cat: K AE T; dog: D AO G; down: D AW N;
    eight: EY T; five: F AY V; follow: F AA L OW; forward: F AO R W ER D; four: F AO R; go: G OW;
    happy: HH AE P IY; house: HH AW S; learn: L ER N; left: L EH F T; marvin: M AA R V IH N;
    nine: N AY N; no: N OW; off: AO F; on: AA N; one: W AH N; right: R AY T; seven: S EH V AH N;
    sheila: SH IY L AH; six: S IH K S; stop: S T AA P; three: TH R IY; tree: T R IY; two: T UW;
    up: AH P; visual: V IH ZH UW AH L; wow: W AW; yes: Y EH S; zero: Z IH R OW
"""


def _kinds_of_word(sounds: str) -> str:
    """All are from a vocal tract; a plosive at the beginning is transient, a sibilant broadband."""
    first, *_ = spoken = sounds.split()
    kinds = {
        "transient": first in {"P", "B", "T", "D", "K", "G"},
        "broadband": not {"S", "SH", "Z", "ZH"}.isdisjoint(spoken),
        "phonetic": True,
    }
    return " ".join(kind for kind, holds in kinds.items() if holds)


_SPEECH_COMMANDS = {
    word: (_kinds_of_word(sounds), sounds)
    for word, sounds in (entry.strip().split(": ") for entry in _SPOKEN.split(";"))
}
_CLASSES = {
    "ESC-10": _ESC50,
    "ESC-50": _ESC50,
    "UrbanSound8K": _URBANSOUND8K,
    "Speech Commands v0.02": _SPEECH_COMMANDS,
}


def class_kinds(name: str) -> dict[str, tuple[list[str], str]]:
    """The kinds of each class of a data set, and why; empty for a set whose classes have none.

    Args:
        name: of the set, as `LabelledClips` has it; that of a part will do.
    """
    classes = _CLASSES.get(name.partition(",")[0], {})
    return {label: (kinds.split(), why) for label, (kinds, why) in classes.items()}


def kinds_table(name: str) -> DataFrame:
    """The same as a table: a row a class, with columns "kinds" and "why".

    Raises:
        InputError: for a set whose classes were given no kinds.
    """
    import pandas

    classes = class_kinds(name)
    if not classes:
        raise InputError(f"no kinds are given to {name!r}; choose from {list(_CLASSES)}.")
    rows = {label: (", ".join(kinds), why) for label, (kinds, why) in classes.items()}
    return pandas.DataFrame.from_dict(rows, orient="index", columns=["kinds", "why"])
