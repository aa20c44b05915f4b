"""A slow synthesizer, one clip at a time in float64 NumPy, written from the equations."""

import math

import numpy as np
import scipy.signal

from audiopg.synth import CLIP_SAMPLES, EXCITATIONS, SAMPLE_RATE, ClipParameters


def excitation(params: ClipParameters, row: int, slot: int, time: np.ndarray) -> np.ndarray:
    """u(t) at times since the onset."""

    def get(name: str) -> float:
        return getattr(params, name)[row, slot].item()

    f0 = get("f0")
    kind = EXCITATIONS[int(get("excitation"))]
    if kind == "fm":
        modulator = np.sin(2 * math.pi * get("fm_ratio") * f0 * time)
        return np.sin(2 * math.pi * f0 * time + get("fm_index") * modulator)
    if kind in ("sawtooth", "square") and get("band_limited"):
        return fourier_series(kind, f0, time)
    if kind == "sawtooth":
        return scipy.signal.sawtooth(2 * math.pi * (f0 * time + 0.5))
    if kind == "square":
        return scipy.signal.square(2 * math.pi * f0 * time)
    if kind != "harmonic":
        raise NotImplementedError(f"write {kind} here, in the plainest way")
    total = np.zeros_like(time)
    for k in range(1, int(get("partial_count")) + 1):
        weight, detune, phase = (
            getattr(params, f"partial_{name}")[row, slot, k - 1].item()
            for name in ("weight", "detune", "phase")
        )
        frequency = k * (1 + detune) * f0
        if frequency < SAMPLE_RATE / 2:
            amplitude = weight * k ** -get("rolloff")
            total += amplitude * np.sin(2 * math.pi * frequency * time + phase)
    return total


def fourier_series(kind: str, f0: float, time: np.ndarray) -> np.ndarray:
    """A sawtooth or square by its Fourier series, cut below Nyquist."""
    total = np.zeros_like(time)
    for k in range(1, math.ceil(SAMPLE_RATE / 2 / f0)):
        if kind == "sawtooth":
            total -= 2 / math.pi * (-1) ** k / k * np.sin(2 * math.pi * k * f0 * time)
        elif k % 2:
            total += 4 / math.pi / k * np.sin(2 * math.pi * k * f0 * time)
    return total


def envelope(params: ClipParameters, row: int, slot: int, time: np.ndarray) -> np.ndarray:
    """e(t) at times since the onset: straight lines between the corners."""
    length, attack, decay, sustain, release = (
        getattr(params, name)[row, slot].item()
        for name in ("length", "attack", "decay", "sustain", "release")
    )
    corners = np.array([0, attack, attack + decay, 1 - release, 1]) * length
    levels = np.array([0 if attack else 1, 1 if decay else sustain, sustain, sustain, 0])
    levels[1] = 1 if attack and not decay and sustain == 1 else levels[1]
    inside = (time >= 0) & (time < length)
    # A stage of no length is a jump, which interpolation over repeated corners cannot say.
    kept = [0] if attack else []
    kept += [1] if attack or decay else []
    kept += [2] + ([3] if release else []) + ([4] if release else [])
    return np.where(inside, np.interp(time, corners[kept], levels[kept]), 0.0)


def lowpass(wave: np.ndarray, cutoff: float, quality: float) -> np.ndarray:
    """The audio-EQ cookbook's low-pass, its coefficients as printed there, run as a recursion."""
    angle = 2 * math.pi * cutoff / SAMPLE_RATE
    alpha = math.sin(angle) / (2 * quality)
    b1 = 1 - math.cos(angle)
    b = [b1 / 2, b1, b1 / 2]
    a = [1 + alpha, -2 * math.cos(angle), 1 - alpha]
    return scipy.signal.lfilter(b, a, wave)


def clip(params: ClipParameters, row: int, floor: np.ndarray, bursts: np.ndarray) -> np.ndarray:
    """x(t) of one clip.

    Args:
        floor: (CLIP_SAMPLES,) noise η.
        bursts: (E, samples) noise of each event's burst from its first sample on.
    """
    sample_time = np.arange(CLIP_SAMPLES) / SAMPLE_RATE
    source = np.zeros(CLIP_SAMPLES)
    for slot in range(int(params.event_count[row])):
        onset = params.onset[row, slot].item()
        time = sample_time - onset
        tone = excitation(params, row, slot, time) * envelope(params, row, slot, time)
        source += params.amplitude[row, slot].item() * tone
        length = params.burst_length[row, slot].item()
        first = math.ceil(onset * SAMPLE_RATE)
        last = min(first + math.ceil(length * SAMPLE_RATE), CLIP_SAMPLES)
        burst = bursts[slot, : last - first] * params.burst_amplitude[row, slot].item()
        source[first:last] += burst
    if params.cutoff[row] < SAMPLE_RATE / 2:
        source = lowpass(source, params.cutoff[row].item(), params.quality[row].item())
    wave = source + params.noise_level[row].item() * floor
    return wave / (np.abs(wave).max() or 1.0)


def moving_cycles(params: ClipParameters, row: int, slot: int, time: np.ndarray) -> np.ndarray:
    """θ(t), the integral of f0 (2^(g t / L) + d sin 2π r t), by the closed form of each term."""
    f0, length, glide, depth, rate = (
        getattr(params, name)[row, slot].item()
        for name in ("f0", "length", "glide", "vibrato_depth", "vibrato_rate")
    )
    rising = time
    if glide:
        rising = length / (glide * math.log(2)) * (2 ** (glide * time / length) - 1)
    return f0 * (rising + depth * (1 - np.cos(2 * math.pi * rate * time)) / (2 * math.pi * rate))


def vocal_tract(params: ClipParameters, row: int, slot: int, frequency: np.ndarray) -> np.ndarray:
    """Complex gain of the formants: the analogue filters' polynomials, evaluated by SciPy."""
    total = np.ones(len(frequency), dtype=complex)
    for number, width in enumerate((50.0, 70.0, 110.0), 1):
        formant = getattr(params, f"formant_{number}")[row, slot].item()
        if formant:
            pole = complex(-math.pi * width, 2 * math.pi * formant)
            gain = abs(pole) ** 2
            _, response = scipy.signal.freqs_zpk(
                [], [pole, pole.conjugate()], gain, 2 * math.pi * frequency
            )
            total *= response
    return total


def series_tone(params: ClipParameters, row: int, slot: int, cycles: np.ndarray) -> np.ndarray:
    """The tone of a phase as a sum of its partials, through its formants, partial by partial."""

    def get(name: str) -> float:
        return getattr(params, name)[row, slot].item()

    f0, kind = get("f0"), EXCITATIONS[int(get("excitation"))]
    order = np.arange(1, math.ceil(SAMPLE_RATE / 2 / f0))
    phase = np.zeros(len(order))
    if kind == "sawtooth":
        height = -2 / math.pi * (-1.0) ** order / order
    elif kind == "square":
        height = 4 / math.pi * (order % 2) / order
    else:
        count = int(get("partial_count"))
        order = order[:count]
        height = params.partial_weight[row, slot, : len(order)].numpy() * order ** -get("rolloff")
        phase = params.partial_phase[row, slot, : len(order)].numpy()
    highest = f0 * (2 ** max(get("glide"), 0) + get("vibrato_depth"))
    height = height * (order * highest < SAMPLE_RATE / 2)
    gain = vocal_tract(params, row, slot, order * f0)
    gain = gain * math.sqrt((height**2).sum() / ((height * np.abs(gain)) ** 2).sum())
    total = np.zeros_like(cycles)
    for k, a, p, g in zip(order, height, phase, gain, strict=True):
        total += a * np.abs(g) * np.sin(2 * math.pi * k * cycles + p + np.angle(g))
    return total


def modulation(params: ClipParameters, row: int, slot: int, time: np.ndarray) -> np.ndarray:
    """m(t) without jitter."""
    depth, rate, decay = (
        getattr(params, f"modulation_{name}")[row, slot].item()
        for name in ("depth", "rate", "decay")
    )
    cycle = rate * time
    shape = (
        np.exp(-decay * (cycle - np.floor(cycle)))
        if decay
        else (1 + np.cos(2 * math.pi * cycle)) / 2
    )
    return 1 - depth + depth * shape
