import platform
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from audiopg import environment
from audiopg.environment import autocast, best_precision, settle_precision

CPU = torch.device("cpu")


@pytest.fixture
def processor(monkeypatch):
    """Pretends a CPU of which oneDNN says so much, and whose bfloat16 costs so much."""

    def pretend(may, cost):
        monkeypatch.setattr(environment, "_may_have_bfloat16", lambda: may)
        monkeypatch.setattr(environment, "_cost_of_bfloat16", lambda device: cost)

    return pretend


@pytest.mark.parametrize(
    ("may", "cost", "best"),
    [
        (False, 33.0, "float32"),
        (False, 0.4, "float32"),  # No is final: nothing is timed.
        (True, 0.4, "bfloat16"),
        (True, 2.8, "float32"),  # AVX-512 alone.
    ],
)
def test_a_processor_is_asked_and_then_timed(processor, may, cost, best):
    processor(may, cost)
    assert best_precision("cpu") == best
    assert settle_precision("auto", CPU) == best
    assert settle_precision("float32", CPU) == "float32"


@pytest.mark.parametrize(
    ("capability", "best"), [((7, 5), "float32"), ((8, 0), "bfloat16"), ((9, 0), "bfloat16")]
)
def test_a_gpu_has_units_for_bfloat16_from_ampere_on(monkeypatch, capability, best):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert best_precision("cuda") == best


def test_a_device_that_is_not_known_multiplies_in_float32():
    assert best_precision("mps") == "float32"


def test_torch_without_the_question_leaves_it_to_the_clock(monkeypatch):
    monkeypatch.setattr(torch.ops, "mkldnn", SimpleNamespace())
    assert environment._may_have_bfloat16()


@pytest.mark.skipif(
    platform.machine() != "x86_64" or not Path("/proc/cpuinfo").exists(), reason="asks Linux"
)
def test_a_processor_without_instructions_for_bfloat16_gets_float32():
    flags = Path("/proc/cpuinfo").read_text().split()
    if not {"avx512_bf16", "amx_bf16"} & set(flags):
        assert best_precision("cpu") == "float32"
    assert best_precision("cpu") in environment.PRECISIONS


def test_a_precision_that_is_asked_for_is_kept_and_what_it_costs_is_said(processor):
    processor(False, 33.4)
    with pytest.warns(UserWarning, match=r"'bfloat16', but .* 33 times as long .* choose 'auto'"):
        assert settle_precision("bfloat16", CPU) == "bfloat16"
    processor(True, 2.84)
    with pytest.warns(UserWarning, match=r"takes 2\.8 times as long"):
        assert settle_precision("bfloat16", CPU) == "bfloat16"
    processor(True, 0.4)
    assert settle_precision("bfloat16", CPU) == "bfloat16"


@pytest.mark.parametrize(
    ("capability", "machine", "may", "units"),
    [
        ("AVX2", "x86_64", False, "AVX2"),
        ("AVX512", "x86_64", True, "AVX-512, bfloat16 units"),
        ("AVX512", "x86_64", False, "AVX-512"),
        ("DEFAULT", "x86_64", False, "no AVX2"),
        ("DEFAULT", "arm64", False, "NEON"),
        ("SVE256", "aarch64", True, "SVE256, bfloat16 units"),
    ],
)
def test_the_device_names_the_units_that_decide_its_speed(
    processor, monkeypatch, capability, machine, may, units
):
    processor(may, 0.4)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    device = environment.provenance("cpu")["device"]
    assert device.startswith("CPU (")
    assert device.endswith(f", {units}), 1 thread")


def test_the_cost_is_a_ratio_of_times():
    assert 0 < environment._cost_of_bfloat16(CPU) < 10_000


def test_products_are_in_the_precision_that_is_named():
    one = torch.ones(2, 2)
    for name, kind in environment.PRECISIONS.items():
        with autocast(CPU, name):
            assert (one @ one).dtype == kind
