"""The kernels, on a GPU where there is one, and through Triton's interpreter where there is none."""

import importlib.util
import math
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from audiopg.random import STREAMS, noise
from audiopg.synth import CLIP_SAMPLES, EXCITATIONS, PRESETS, SAMPLE_RATE, SynthPrior, render

sys.path.insert(0, str(Path(__file__).parent))
import reference

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="Triton is not installed"
)

# Triton is made an interpreter when it is first imported, so the kernels run in a process of their
# own. Arrays cost it little and programs much: its tiles are longer, but for the case "own tiles".
_RUN = """
import os, sys
import torch
from safetensors.torch import load_file, save_file
from audiopg.synth import ClipParameters
from audiopg.synth.damping import lowpass

on_gpu = torch.cuda.is_available()
if not on_gpu:
    os.environ["TRITON_INTERPRET"] = "1"
    from triton.runtime import interpreter
    patch_tensor = interpreter._patch_lang_tensor

    def patch_tensor_and_index(tensor, scope):
        # The interpreter keeps scalars as arrays of one number, which NumPy takes for no index.
        patch_tensor(tensor, scope)
        scope.set_attr(tensor, "__index__", lambda self: self.handle.data.item())

    interpreter._patch_lang_tensor = patch_tensor_and_index
from audiopg.synth import kernels

torch.set_num_threads(1)
own_tile = kernels._TILE
cases = {}
for key, factor in load_file(sys.argv[1]).items():
    case, name = key.split(".")
    cases.setdefault(case, {})[name] = factor
waves = {}
for case, factors in cases.items():
    kernels._TILE = own_tile if on_gpu or case == "own tiles" else 16384
    params = ClipParameters(**factors).to("cuda" if on_gpu else "cpu")
    source = kernels.source(params)
    waves[case + ".source"] = source.cpu().clone()
    finished = kernels.finish(lowpass(source, params.cutoff, params.quality).clone(), params)
    waves[case + ".wave"] = finished.cpu()
save_file(waves, sys.argv[2])
"""
# What the kernels render; `render` leaves other excitations to the renderer without them.
KNOWN = ("harmonic", "fm", "sawtooth", "square")


def _sample(preset, clips, seed=0, **overrides):
    return SynthPrior.preset(preset, **overrides).sample(torch.tensor(clips), seed)


def _tone(kind, clips=1, **factors):
    """Clips of one event that is one plain tone, whole clips long unless ``factors`` say other."""
    params = _sample("harmonic", list(range(clips)))
    return params.edit(excitation=EXCITATIONS.index(kind), **factors)


def _column(*values):
    """One value a clip, for all events."""
    return torch.tensor(values, dtype=torch.float64)[:, None]


_SEEDS = (17, -1, 2**63 - 1, -(2**63))
_CLIPS = [0, 2**62 + 5, -7, 2**32]
# Hz; whole numbers of half a hertz, so that some edges meet samples.
_PITCHES = (62.5, 440.0, 1000.0, 1760.0)
_ENVELOPES = {
    "attack": (0.2, 0.0, 0.5, 0.0, 0.0),
    "decay": (0.3, 0.0, 0.0, 0.0, 0.25),
    "sustain": (0.4, 1.0, 0.25, 0.5, 0.5),
    "release": (0.3, 0.0, 0.0, 0.5, 0.0),
    "length": (1000, 500, 700.5, 640, 4096),
}


def _cases():
    cases = {preset: _sample(preset, [0, 1], seed=3) for preset in PRESETS}
    cases["alone"] = cases["full"][1:]
    cases["own sources"] = _sample("full", [4, 5], seed=2, shared_source=False)
    cases["many events"] = _sample("full", [0], seed=2, shared_source=False, events=(10, 10))
    cases["own tiles"] = _sample("full", [2], seed=1, event_length=(0.5, 1.5), events=(2, 2))

    short = _sample("dynamic", [0, 1], seed=8, event_length=(0.5, 1.0), burst_probability=0.0)
    for kind in KNOWN:
        cases[kind] = short.edit(excitation=EXCITATIONS.index(kind))
    for kind in ("sawtooth", "square"):
        cases[f"band-limited {kind}"] = cases[kind].edit(band_limited=True)
        f0 = _column(20.0, 441.0, 1999.0, 7900.0, 8000.0)
        cases[f"pitches of a {kind}"] = _tone(
            kind, 5, f0=f0, band_limited=True, length=0.1, onset=0.7
        )
        cases[f"edges of a {kind}"] = _tone(kind, 4, f0=_column(*_PITCHES), length=5.0, onset=0.5)
    many = _sample("harmonic", [0, 1], excitation=("harmonic",), partials=(40, 40), f0=(60, 300))
    cases["many partials"] = many.edit(length=0.3125, onset=2.0)
    # So far out of tune that the partials heard are not the first ones.
    detune = torch.tensor([0.5, -0.5] * 20)
    cases["mistuned partials"] = many.edit(
        f0=500.0, partial_detune=detune, length=0.3125, onset=2.0
    )
    index, ratio = _column(8.0, 100.0), _column(3.14, 100.0)
    cases["extreme fm"] = _tone("fm", 2, f0=2000.0, fm_index=index, fm_ratio=ratio)

    # A square wave of 1 Hz is 1 for half a second, so what is left is the envelope.
    stages = {name: _column(*values) for name, values in _ENVELOPES.items()}
    stages["length"] = stages["length"] / SAMPLE_RATE
    cases["envelopes"] = _tone("square", 5, f0=1.0, onset=1.0, **stages)

    for seed in _SEEDS:
        floor = _sample("sine", _CLIPS, seed)
        cases[f"noise {seed}"] = floor.edit(amplitude=0.0, noise_level=1.0)
        burst_length = _column(1e-4, 0.0333, 3.0, 10.24)
        cases[f"bursts {seed}"] = _sample("dynamic", _CLIPS, seed, events=(2, 2)).edit(
            amplitude=0.0, burst_amplitude=torch.tensor([1.0, 0.0]), burst_length=burst_length
        )
    cases["silence"] = cases["full"].edit(amplitude=0.0, burst_amplitude=0.0, noise_level=0.0)
    cases["no events"] = cases["dynamic"].edit(event_count=0)
    return cases


CASES = _cases()


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """What the kernels make of the cases: "<case>.source" before damping, "<case>.wave" after."""
    folder = tmp_path_factory.mktemp("kernels")
    factors = {
        f"{case}.{field.name}": getattr(params, field.name).clone().contiguous()
        for case, params in CASES.items()
        for field in fields(params)
    }
    save_file(factors, folder / "cases")
    run = [sys.executable, "-c", _RUN, folder / "cases", folder / "waves"]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return load_file(folder / "waves")


@pytest.mark.parametrize("case", CASES)
def test_clips_agree_with_the_torch_renderer(rendered, case):
    torch.testing.assert_close(rendered[f"{case}.wave"], render(CASES[case]), atol=2e-5, rtol=0)


def _slow_source(params, row):
    """Σ_i a_i e_i(t) u_i(t) of one clip in float64, without bursts."""
    source = np.zeros(CLIP_SAMPLES)
    for slot in range(int(params.event_count[row])):
        time = np.arange(CLIP_SAMPLES) / SAMPLE_RATE - params.onset[row, slot].item()
        tone = reference.excitation(params, row, slot, time)
        tone *= reference.envelope(params, row, slot, time)
        source += params.amplitude[row, slot].item() * tone
    return source


@pytest.mark.parametrize(
    "case",
    [
        *KNOWN,
        "band-limited sawtooth",
        "band-limited square",
        "pitches of a sawtooth",
        "pitches of a square",
        "many partials",
        "mistuned partials",
        "extreme fm",
    ],
)
def test_sources_agree_with_the_slow_reference(rendered, case):
    for row in range(len(CASES[case])):
        source = rendered[f"{case}.source"][row].numpy()
        np.testing.assert_allclose(source, _slow_source(CASES[case], row), rtol=0, atol=1e-5)


def test_edges_of_pulses_fall_on_the_samples_that_they_meet(rendered):
    event = slice(8000, 88000)
    half_hertz = np.array([2 * pitch for pitch in _PITCHES], int)
    position = half_hertz[:, None] * np.arange(80000) % (2 * SAMPLE_RATE)
    second_half = position >= SAMPLE_RATE
    square = rendered["edges of a square.source"][:, event]
    np.testing.assert_array_equal(square, 1 - 2 * second_half)
    sawtooth = rendered["edges of a sawtooth.source"][:, event]
    np.testing.assert_allclose(
        sawtooth, position / SAMPLE_RATE - 2 * second_half, rtol=0, atol=1e-7
    )


def test_envelopes_are_lines_between_their_corners(rendered):
    levels = rendered["envelopes.source"].double().numpy()
    assert not levels[:, :16000].any()
    levels = levels[:, 16000:]
    sample = np.arange(levels.shape[1])
    full = np.interp(sample, [0, 200, 500, 700, 1000], [0, 1, 0.4, 0.4, 0])
    np.testing.assert_allclose(levels[0], full, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(levels[1], sample < 500)
    # It lasts to sample 700.5; the jump down is at 350.25.
    jump = np.where(sample < 350.25, sample / 350.25, 0.25) * (sample < 700.5)
    np.testing.assert_allclose(levels[2], jump, rtol=0, atol=1e-5)
    fall = np.interp(sample, [0, 320, 640], [0.5, 0.5, 0])
    np.testing.assert_allclose(levels[3], fall, rtol=0, atol=1e-5)
    decay = np.interp(sample, [0, 1024], [1, 0.5]) * (sample < 4096)
    np.testing.assert_allclose(levels[4], decay, rtol=0, atol=1e-5)


@pytest.mark.parametrize("seed", _SEEDS)
def test_the_noise_floor_has_the_very_values_of_philox(rendered, seed):
    params = CASES[f"noise {seed}"]
    floor = noise(params.seed, params.clip, STREAMS["noise_floor"], CLIP_SAMPLES)
    expected = floor / floor.abs().amax(dim=1, keepdim=True)
    assert torch.equal(rendered[f"noise {seed}.wave"], expected)


@pytest.mark.parametrize("seed", _SEEDS)
def test_bursts_have_the_very_values_of_philox(rendered, seed):
    params = CASES[f"bursts {seed}"]
    for row in range(len(params)):
        expected = torch.zeros(CLIP_SAMPLES)
        first = math.ceil(params.onset[row, 0].item() * SAMPLE_RATE)
        last = first + math.ceil(params.burst_length[row, 0].item() * SAMPLE_RATE)
        burst = noise(params.seed[row], params.clip[row], STREAMS["burst"], CLIP_SAMPLES)
        expected[first:last] = burst[: min(last, CLIP_SAMPLES) - first]
        assert torch.equal(rendered[f"bursts {seed}.source"][row], expected)


def test_clips_that_nothing_sounds_in_are_zeros(rendered):
    for case in ("silence", "no events"):
        assert not rendered[f"{case}.wave"].any()


def test_a_clip_is_the_same_bits_in_any_batch(rendered):
    assert torch.equal(rendered["alone.wave"][0], rendered["full.wave"][1])


def test_the_library_does_not_import_triton():
    code = "import sys, audiopg; sys.exit('triton' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


_COMPILE = """
import subprocess, sys
from pathlib import Path
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from audiopg.synth import CLIP_SAMPLES, kernels

tables = {"wave": "*fp32", "seeds": "*i64", "clips": "*i64"}
own = {"BURST_STREAM": 1024, "NOISE_STREAM": 101, "SAMPLES": CLIP_SAMPLES, "TILE": kernels._TILE}
for kernel, others in (
    (kernels._source_kernel, {
        "event_counts": "*i64", "whole_table": "*i64", "real_table": "*fp64", "oscillators": "*i64",
        "heights": "*fp32", "slots": "i32", "partials": "i32",
    }),
    (kernels._noise_kernel, {"peaks": "*fp32", "levels": "*fp32"}),
):
    constants = {name: value for name, value in own.items() if name in kernel.arg_names}
    types = tables | others | dict.fromkeys(constants, "constexpr")
    signature = {name: types[name] for name in kernel.arg_names}
    compiled = triton.compile(
        ASTSource(kernel, signature, constants), target=GPUTarget("cuda", 90, 32)
    )
    binary = Path(sys.argv[1], kernel.__name__)
    binary.write_bytes(compiled.asm["cubin"])
    tool = triton.knobs.nvidia.cuobjdump.path
    print(subprocess.check_output([tool, "-res-usage", binary], text=True))
"""


def test_kernels_compile_for_an_h100(tmp_path):
    environment = {**os.environ, "TRITON_CACHE_DIR": str(tmp_path / "cache")}
    environment.pop("TRITON_INTERPRET", None)
    run = [sys.executable, "-c", _COMPILE, tmp_path]
    done = subprocess.run(run, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    registers = [int(count) for count in re.findall(r"REG:(\d+)", done.stdout)]
    assert len(registers) == 2
    # Half of the threads that a processor holds have room at 64 registers each, and none spill.
    assert max(registers) <= 64
    assert re.findall(r"(?:STACK|LOCAL):(\d+)", done.stdout) == ["0"] * 4
