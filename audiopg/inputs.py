"""What a caller hands over, by one rule for all functions: waves, tables, counts and JSON files."""

import json
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audiopg._types import AnyPath, Array
from audiopg.errors import InputError

# Full scale is 1. Recordings in floats exceed it by a few decibels, and never by 40; nearly all 16-bit
# integers that were only converted to floats do.
_LOUDEST = 100.0
# A clip shorter than a frame of the front end cannot be used unless it is repeated.
_FRAME = 400
# No recording of sound has a lower rate. A rate of 16 is meant in kilohertz; a damaged header may say a
# few hertz, from which resampling would make gigabytes.
LOWEST_SAMPLE_RATE = 1000
# The highest rate of all: that of acoustic emission from materials.
HIGHEST_SAMPLE_RATE = 10_000_000


def whole_number(
    value: object,
    name: str,
    wanted: str = "a whole number",
    lowest: int = 1,
    below: int = 2**31,
) -> int:
    """A count, of Python, NumPy or torch; True and False are none.

    Args:
        name: what the message calls it.
        wanted: what the message asks for instead.

    Raises:
        InputError: for anything else.
    """
    number = real(value)
    if number is None or not lowest <= number < below or number != int(number):
        raise InputError(f"{name} is {shown(value)}; give {wanted}, {lowest} or more.")
    return int(number)


def time_in_file(value: object, name: str) -> float:
    """Seconds from the start of a file, of Python, NumPy or torch; at most 1e12, longer than any lasts.

    Raises:
        InputError: for anything else than a number from 0, or infinity.
    """
    number = real(value)
    if number is None or not number >= 0:
        raise InputError(f"{name} is {shown(value)}; give seconds from 0.")
    return float(min(number, 1e12))


def share(value: object, name: str) -> float:
    """A number between 0 and 1, of Python, NumPy or torch.

    Raises:
        InputError: for anything else.
    """
    number = real(value)
    if number is None or not 0 < number < 1:
        raise InputError(f"{name} is {shown(value)}; give a number between 0 and 1.")
    return float(number)


def real(value: object) -> Real | None:
    """The number that a value is, of Python, NumPy or torch; None for what is none, as True and False."""
    if type(value) in (int, float):
        return value  # Where a graph is traced, a number has no other attributes.
    if getattr(value, "ndim", None) == 0 and not getattr(value, "is_meta", False):
        value = value.item()
    return value if isinstance(value, Real) and not isinstance(value, bool) else None


def whole_rate(value: object) -> int:
    """A sample rate in hertz.

    Raises:
        InputError: for what is no whole number of 1000 or more.
    """
    return whole_number(value, "the sample rate", "whole hertz", LOWEST_SAMPLE_RATE)


def whole_seed(value: object) -> int:
    """A seed of random numbers, a 64-bit whole number of Python or NumPy.

    Raises:
        InputError: for anything else.
    """
    if not isinstance(value, Integral) or not -(2**63) <= value < 2**63:
        raise InputError(f"seed is {shown(value)}; give a 64-bit whole number.")
    return int(value)


def as_path(value: object, what: str = "file") -> Path:
    """A path, of Python or as bytes.

    Raises:
        InputError: for what is none, such as None or an open file.
    """
    if not isinstance(value, AnyPath | bytes):
        raise InputError(f"{shown(value)} names no {what}; give a path.")
    return Path(os.fsdecode(value))


def random_by(seed: object) -> np.random.Generator:
    """NumPy's random numbers by a `whole_seed`, of which it takes none below 0."""
    return np.random.default_rng(whole_seed(seed) % 2**64)


def is_count(text: str, digits: int = 9) -> bool:
    """Whether a text is a whole number from 0 with so few digits; Python reads none of 4,300."""
    return text.isascii() and text.isdecimal() and len(text) <= digits


def shown(value: object, write: Callable[[object], str] = repr) -> str:
    """A value as a message shows it: one line of at most 60 characters."""
    try:
        text = " ".join(write(value).split())
    except ValueError:  # Python writes no whole number of more than 4,300 digits.
        text = "a number of thousands of digits"
    return text if len(text) <= 60 else text[:57] + "..."


def read_json(path: AnyPath, remedy: str = "repair it, or name another") -> object:
    """The value in a JSON file; a byte-order mark, as some editors write, may stand before it.

    Args:
        remedy: what to do about one that is damaged, for the message.

    Raises:
        InputError: for a file that is no JSON, one nested too deeply, or a whole number of more
            digits than Python reads.
        OSError: for a file that cannot be read.
    """
    try:
        return json.loads(Path(path).read_bytes(), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged: it is no JSON ({error}); {remedy}.") from error


def once(pairs: Sequence[tuple[str, object]]) -> dict:
    """A JSON object whose names are all different; of equal names `json` would silently keep the last.

    Raises:
        ValueError: for a name that is there twice.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(n for n in names if names.count(n) > 1)!r} is there twice")
    return found


def read_object(path: AnyPath, remedy: str) -> dict:
    """As `read_json`, of a file that holds an object; also raises InputError for any other."""
    found = read_json(path, remedy)
    if not isinstance(found, dict):
        raise InputError(f"{path} is damaged: it holds no object; {remedy}.")
    return found


def as_named(given: object, what: str) -> dict:
    """Values by name, from a dict or the columns of a table.

    Raises:
        InputError: for what has no names.
    """
    if not hasattr(given, "items"):
        raise InputError(
            f"{what} are given as {type(given).__name__}; give them by name, in a dict."
        )
    return dict(given.items())


def require_kind(given: object, kind: type, what: str) -> None:
    """Raise InputError for settings or clips that are of another class, such as their name.

    Args:
        what: they are called in the message.
    """
    if not isinstance(given, kind):
        raise InputError(f"{what} are {shown(given)}; give {kind.__name__}.")


def as_float64(values: object, name: str = "values") -> Tensor:
    """Real numbers as a detached float64 tensor of the same shape, on the device they are on.

    Args:
        values: a tensor, an array, a pandas column or table, or (nested) lists.
        name: what they are called in the message.

    Raises:
        InputError: for what is no array of real numbers, or one with masked entries.
    """
    if isinstance(values, Tensor):
        if values.is_complex():
            raise InputError(f"{values.dtype} was given for {name}; give real numbers.")
        return values.detach().double()
    array = unmasked(values, name)
    if array.dtype.kind in "cmMSUV":
        raise InputError(f"{array.dtype} was given for {name}; give real numbers.")
    try:
        # A copy, since a tensor cannot share an array that is read-only or runs backwards.
        return torch.from_numpy(np.array(array, dtype=np.float64, order="C"))
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"no array of numbers was given for {name} ({error}).") from error


def as_labels(labels: Array, clips: int) -> np.ndarray:
    """(clips,) int64, or (clips, classes) bool."""
    labels = as_array(labels, "labels")
    if labels.ndim == 2 and labels.dtype == bool and len(labels) == clips:
        return labels
    labels = as_integers("labels", labels, clips)
    # Numbers of a catalogue, as of species, would make a column of scores for each number up to theirs.
    if len(wrong := labels[(labels < 0) | (labels >= 10**5)]):
        raise InputError(
            f"labels hold {wrong[0]}; count the classes from 0, as numpy.unique(labels, "
            "return_inverse=True) does."
        )
    return labels


def as_integers(name: str, values: Array, clips: int) -> np.ndarray:
    """``values``, (clips,) or one column, as (clips,) int64."""
    values = as_array(values, name)
    values = values[:, 0] if values.shape == (clips, 1) else values
    if values.shape != (clips,) or not np.issubdtype(values.dtype, np.integer):
        several = ", or (clips, classes) bool" if name == "labels" else ""
        raise InputError(
            f"{name} have shape {values.shape} and type {values.dtype}; "
            f"give one integer for each of the {clips} clips{several}."
        )
    return values.astype(np.int64)


def as_rows(rows: object, count: int) -> np.ndarray:
    """Which of so many rows are asked for, in what order, by position: (n,) int64.

    Args:
        rows: a slice, or (n,) numbers of rows or (count,) bool. Those of a column go by their places, not
            by its index.

    Raises:
        InputError: for another shape.
        IndexError: for rows that there are not.
    """
    if not isinstance(rows, slice):
        rows = as_array(rows, "rows")
        if rows.ndim != 1:
            raise InputError(f"rows have shape {rows.shape}; give one number for each.")
        # An empty list is of no kind.
        rows = rows if len(rows) else np.zeros(0, dtype=np.int64)
    return np.arange(count)[rows]


def as_array(values: Array, name: str) -> np.ndarray:
    """The values of a tensor, a list or a table, as an array of any shape and type."""
    if not isinstance(values, Tensor):
        return unmasked(values, name)
    # NumPy has no bfloat16, which a model under autocast returns.
    values = values.float() if values.dtype == torch.bfloat16 else values
    return values.detach().cpu().numpy()


def as_embeddings(values: Array, name: str = "embeddings") -> Tensor:
    """Embeddings as a detached (clips, dimensions) float64 tensor, on the device they are on.

    Args:
        name: what they are called in the message.

    Raises:
        InputError: for another number of axes, for no clips or dimensions, or for a value that is not
            finite.
    """
    values = as_float64(values, name)
    if values.ndim != 2 or 0 in values.shape:
        raise InputError(f"{name} have shape {tuple(values.shape)}; give (clips, dimensions).")
    if broken := int((~values.isfinite()).any(dim=1).sum()):
        raise InputError(
            f"The {name} of {broken} of {len(values)} clips are not finite; "
            "leave these clips out or check the encoder."
        )
    return values


def as_waves(given: object) -> Tensor | list[Tensor]:
    """Waves as float32, by one rule for all functions.

    Args:
        given: floats with full scale at 1, (clips, samples), or (samples,) for one clip: a tensor,
            an array, a pandas column or table, for one clip also a list; or a sequence of waves
            (samples,), whose lengths may differ.

    Returns:
        One tensor of the same shape, on its device; of a sequence a list, (samples,) each.

    Raises:
        InputError: for another shape; for more clips than samples where no clip is as long as a
            frame, which is a wave of (samples, channels); for integers, complex numbers and masked
            entries; for samples that are NaN or beyond 100, such as those of 16-bit integers; for
            a clip without samples.
    """
    given = _sequence_or_array(given)
    if isinstance(given, Array):
        waves = _as_floats(given, "the waveform")
        if waves.ndim not in (1, 2):
            raise InputError(
                f"the waveform has shape {tuple(waves.shape)}; give (clips, samples), the mean of "
                "the channels of each clip."
            )
        rows = waves if waves.ndim == 2 else waves[None]
        longest = waves.shape[-1]
    else:
        rows = waves = [
            _as_floats(_sequence_or_array(one), f"clip {row}") for row, one in enumerate(given)
        ]
        for row, wave in enumerate(waves):
            if wave.ndim != 1:
                raise InputError(
                    f"clip {row} has shape {tuple(wave.shape)}; give (samples,) for each clip."
                )
        longest = max(map(len, waves), default=0)
    require_clips(len(rows), longest)
    # The clips of a tensor are checked at once, since each answer of a GPU waits for its other work.
    if isinstance(rows, list) or not (rows.numel() and _peak(rows) <= _LOUDEST):
        for row, wave in enumerate(rows):
            _require_sound(wave, f"clip {row}" if len(rows) > 1 else "the waveform")
    return waves


def as_samples(given: object) -> Tensor:
    """(..., samples) as float32, of the types that `as_waves` takes; their values are not looked at.

    Raises:
        InputError: for integers, complex numbers and masked entries; for what is no array, or one
            without an axis.
    """
    samples = _as_floats(_sequence_or_array(given), "the waveform")
    if not samples.ndim:
        raise InputError("the waveform has shape (); give (..., samples).")
    return samples


def require_clips(clips: int, samples: int) -> None:
    """Refuse what is a wave of (samples, channels): more clips than samples, none as long as a frame."""
    if clips > samples and 0 < samples < _FRAME:
        raise InputError(
            f"the waveform has shape {(clips, samples)}: {clips:,} clips, none as long as a frame of "
            f"{_FRAME} samples. If these are the channels of one clip, give the transpose, of shape "
            f"{(samples, clips)}, or the mean of the channels."
        )


def _sequence_or_array(given: object) -> Sequence | Array:
    """A tensor or an array of numbers as it is, anything else as a list of what it holds."""
    if hasattr(given, "__array__") and not isinstance(given, Tensor):
        given = unmasked(given, "the waveform")
    if isinstance(given, str | bytes | os.PathLike):
        raise InputError(
            f"{shown(given)} is no waveform; read files with audiopg.datasets.load_audio, or embed "
            "them with audiopg.transfer.embed_files."
        )
    if isinstance(given, Real):
        given = np.array(given)
    if isinstance(given, np.ndarray) and given.dtype == object:
        # Waves of several lengths, or the one column of a table that holds them, unless it has numbers.
        column = given[:, 0] if given.ndim == 2 and given.shape[1] == 1 else given
        is_sequence = column.ndim == 1 and all(hasattr(one, "__len__") for one in column)
        return list(column) if is_sequence else given
    if isinstance(given, Array):
        return given
    if isinstance(given, Mapping) or not isinstance(given, Iterable):
        raise InputError(f"{shown(given)} is no waveform; give (clips, samples) floats.")
    given = list(given)
    # A list of numbers is one wave, as an array of them is.
    return np.array(given) if given and all(isinstance(one, Real) for one in given) else given


def _as_floats(given: Sequence | Array, name: str) -> Tensor:
    """Samples as float32."""
    if isinstance(given, list):
        try:
            given = np.array(given)
        except ValueError as error:
            raise InputError(f"{name} is no list of samples ({error}); give (samples,).") from error
    is_tensor = isinstance(given, Tensor)
    if not (given.is_floating_point() if is_tensor else given.dtype.kind == "f"):
        raise InputError(
            f"{name} is of type {given.dtype}; give floats with full scale at 1: integers of 16 "
            "bits divided by 32768."
        )
    if is_tensor:
        return given.float()
    # A copy, since an array that is mapped from a file may be read-only.
    with np.errstate(all="ignore"):
        return torch.from_numpy(given.astype(np.float32))


def _require_sound(wave: Tensor, name: str) -> None:
    """Refuse (samples,) that hold nothing, NaN, or numbers of another scale."""
    if not len(wave):
        raise InputError(f"{name} has no samples; leave it out.")
    peak = _peak(wave)
    if not math.isfinite(peak):
        raise InputError(f"{name} holds NaN or infinite samples; repair or leave it out.")
    if peak > _LOUDEST:
        raise InputError(
            f"{name} reaches {peak:,.0f}, and full scale is 1; divide the samples by the full "
            "scale of the integers that they were, 32768 for 16 bits."
        )


def _peak(wave: Tensor) -> float:
    """The largest magnitude of some samples; NaN where one is."""
    low, high = wave.detach().aminmax()
    return torch.maximum(-low, high).item()


def unmasked(values: object, name: str) -> np.ndarray:
    """An array; masked entries are refused, since their values mean nothing."""
    if np.ma.is_masked(values):
        raise InputError(f"entries of {name} are masked; fill them, or leave them out.")
    try:
        array = np.asarray(values)
        # pandas makes objects of a table of its nullable floats.
        kinds = np.atleast_1d(getattr(values, "dtypes", ())) if array.dtype == object else ()
        if len(kinds) and all(getattr(kind, "kind", "") == "f" for kind in kinds):
            array = values.to_numpy(np.float64, na_value=np.nan)
        return array
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"no array was given for {name} ({error}).") from error
