"""Scenes: clips written as JSON, by the library, by hand, or by another program (Section 5.2).

A scene file is ``{"clips": [...]}``. A clip has the factors of `ClipParameters` by name, and its
``events``; an event has its own factors, its ``excitation`` by name, and its ``partials``, each with
``weight``, ``detune`` and ``phase``. What is left out takes a plain default, so a scene written by
hand can be short::

    {"clips": [{"events": [{"excitation": "square", "f0": 220, "onset": 1, "length": 2}]}]}
"""

import json
from collections.abc import Iterator

import torch

from audiopg._types import AnyPath
from audiopg.environment import atomic_path, writing
from audiopg.errors import InputError
from audiopg.inputs import read_json
from audiopg.synth.excitations import EXCITATIONS
from audiopg.synth.factors import CLIP_SECONDS, FACTOR_TABLE, factor_names
from audiopg.synth.parameters import ClipParameters, is_whole, read_factor, shown

_COUNTS = ("event_count", "partial_count")
# The fields of a clip, an event and a partial in a scene, and the factors that they hold. The counts
# follow from the lengths of the lists, unless the scene says that fewer sound.
_CLIP, _EVENT, _PARTIAL = (
    {n.removeprefix("partial_"): n for n in factor_names(*kinds) if n not in _COUNTS}
    for kinds in (("clip",), ("source", "event"), ("partial",))
)
# An event that fills the slots of shorter lists; it is never heard.
_SILENT_EVENT = {"f0": 440.0, "length": CLIP_SECONDS}


def to_scene(params: ClipParameters) -> dict:
    """The clips as a scene of plain numbers and names, which `from_scene` turns back without loss.

    Events and partials that are drawn but not heard are written too; ``event_count`` and
    ``partial_count`` say how many of those listed sound.

    Raises:
        InputError: for a factor outside its range.
    """
    params.validate()
    clips = []
    for row in range(len(params)):
        clip = {name: getattr(params, name)[row].item() for name in (*_CLIP, "event_count")}
        clip["events"] = []
        for slot in range(params.f0.shape[1]):
            names = (*_EVENT, "partial_count")
            event = {name: getattr(params, name)[row, slot].item() for name in names}
            event["excitation"] = EXCITATIONS[event["excitation"]]
            columns = [getattr(params, name)[row, slot].tolist() for name in _PARTIAL.values()]
            event["partials"] = [
                dict(zip(_PARTIAL, values, strict=True)) for values in zip(*columns, strict=True)
            ]
            clip["events"].append(event)
        clips.append(clip)
    return {"clips": clips}


def from_scene(scene: object) -> ClipParameters:
    """The clips of a scene; shorter lists of events or partials are filled up with silent ones.

    Args:
        scene: as read from JSON.

    Raises:
        InputError: for the first field that is missing, unknown, of the wrong kind or out of its
            range, naming its place, such as ``clips[0].events[2].f0``.
    """
    if not isinstance(scene, dict) or not isinstance(scene.get("clips"), list):
        raise InputError('a scene is an object with a list of "clips".')
    if not scene["clips"]:
        raise InputError("clips is empty; a scene holds at least one clip.")
    clips = [_clip(value, f"clips[{i}]") for i, value in enumerate(scene["clips"])]
    most_events = max([1, *(len(clip["events"]) for clip in clips)])
    most_partials = max([1, *(len(e["partials"]) for clip in clips for e in clip["events"])])
    silent = _event({**_SILENT_EVENT, "partials": []}, "")
    for clip in clips:
        clip["events"] += [silent] * (most_events - len(clip["events"]))
        for event in clip["events"]:
            lacking = most_partials - len(event["partials"])
            event["partials"] = event["partials"] + [_fields({}, _PARTIAL, "")] * lacking
    columns: dict[str, list] = {n: [clip[n] for clip in clips] for n in (*_CLIP, "event_count")}
    for name in (*_EVENT, "partial_count"):
        columns[name] = [[event[name] for event in clip["events"]] for clip in clips]
    for short, name in _PARTIAL.items():
        columns[name] = [
            [[partial[short] for partial in event["partials"]] for event in clip["events"]]
            for clip in clips
        ]
    params = ClipParameters(
        **{name: torch.tensor(v, dtype=FACTOR_TABLE[name].dtype) for name, v in columns.items()}
    )
    params.validate()
    return params


def scene_text(params: ClipParameters) -> Iterator[str]:
    """A scene file in parts of a few clips, since thousands of them take gigabytes as objects.

    Raises:
        InputError: for factors out of their ranges, which `read_scene` would not read again.
    """
    params.validate()
    opening, closing = '{\n "clips": [', "\n ]\n}"
    yield opening
    for first in range(0, len(params), 64):
        scene = to_scene(params[first : first + 64])
        clips = json.dumps(scene, indent=1, allow_nan=False)
        yield ("," if first else "") + clips.removeprefix(opening).removesuffix(closing)
    yield closing + "\n"


def write_scene(params: ClipParameters, path: AnyPath) -> None:
    """Write clips as a scene file; numbers keep all their digits.

    Raises:
        InputError: for factors out of their ranges, which `read_scene` would not read again, or a
            file that cannot be written.
    """
    with (
        writing(path),
        atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8") as file,
    ):
        file.writelines(scene_text(params))


def read_scene(path: AnyPath) -> ClipParameters:
    """Read a scene file.

    Raises:
        InputError: naming the file, for one that cannot be read, is no JSON, or holds a bad field.
    """
    try:
        scene = read_json(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error}).") from error
    try:
        return from_scene(scene)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _clip(value: object, where: str) -> dict:
    listed = _list(value, "events", where)
    clip = _fields(value, _CLIP, where, "events", "event_count")
    clip["events"] = [_event(event, f"{where}.events[{i}]") for i, event in enumerate(listed)]
    clip["event_count"] = _count(value, "event_count", 0, len(listed), where)
    return clip


def _event(value: object, where: str) -> dict:
    listed = _list(value, "partials", where)
    event = _fields(value, _EVENT, where, "partials", "partial_count")
    event["partials"] = [
        _fields(partial, _PARTIAL, f"{where}.partials[{i}]") for i, partial in enumerate(listed)
    ]
    # Without a list of partials an event has one plain partial, a sine.
    event["partial_count"] = _count(value, "partial_count", 1, max(1, len(listed)), where)
    return event


def _list(value: object, name: str, where: str) -> list:
    if not isinstance(value, dict):
        raise InputError(f"{where} is {shown(value)}; give an object.")
    listed = value.get(name, [])
    if not isinstance(listed, list):
        raise InputError(f"{where}.{name} is {shown(listed)}; give a list.")
    return listed


def _count(value: dict, name: str, low: int, listed: int, where: str) -> int:
    count = value.get(name, listed)
    if not is_whole(count) or not low <= count <= listed:
        raise InputError(
            f"{where}.{name} is {shown(count)}; give a whole number from {low} to {listed}."
        )
    return count


def _fields(value: object, names: dict[str, str], where: str, *others: str) -> dict:
    """The values of some fields of an object, by name; a field that is left out has its default."""
    if not isinstance(value, dict):
        raise InputError(f"{where} is {shown(value)}; give an object.")
    for name in value:
        if name not in names and name not in others:
            known = ", ".join((*names, *others))
            raise InputError(f"{where} has an unknown field {name!r}; it takes {known}.")
    filled = {}
    for short, name in names.items():
        said = value.get(short, FACTOR_TABLE[name].default)
        place = f"{where}.{short}"
        if said is None and short not in value:
            raise InputError(f"{place} is missing; give a number.")
        filled[short] = read_factor(name, said, place)
    return filled
