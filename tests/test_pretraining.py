import errno
import json
import math
import os
import re
import shutil
import signal
import sys
import threading
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file, save_file

from audiopg import checkpoints, environment, pretraining, runs
from audiopg.analysis import read_filters
from audiopg.datasets.folder import draw_windows, find_recordings
from audiopg.environment import PRECISIONS
from audiopg.errors import InputError, Stopped
from audiopg.frontend import LogMel
from audiopg.mae import ARCHITECTURES, MaskedAutoencoder
from audiopg.muon import polar_factor
from audiopg.pretrained import load_model, save_model
from audiopg.pretraining import (
    RECIPES,
    PretrainSettings,
    different,
    learning_rate_at,
    pretrain,
    read_settings,
    recipe_for,
)
from audiopg.runs import read_tensors
from audiopg.synth import SUMMARIES, SynthPrior, render, spread, summarise

SETTINGS = PretrainSettings(
    preset="micro", steps=6, batch_size=2, learning_rate=1e-3, warmup_steps=2, checkpoint_every=2
)


def quiet(settings=SETTINGS, out=None, **options):
    return pretrain(settings, out, device="cpu", progress=False, **options)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def assert_same_run(one, other):
    assert torch.equal(one.losses, other.losses)
    assert torch.equal(weights(one.model), weights(other.model))


@pytest.fixture(scope="module")
def whole():
    """The run of SETTINGS, never interrupted."""
    return quiet()


@pytest.fixture(autouse=True)
def without_tensorboard(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)


def test_the_loss_falls_well_below_that_of_a_constant():
    settings = replace(SETTINGS, steps=30, batch_size=8, learning_rate=3e-3, warmup_steps=5)
    losses = quiet(settings).losses
    # Normalised patches have unit variance: 1 is the loss of predicting every patch's mean.
    assert losses[-5:].mean() < 0.97 < losses[0]


def test_a_run_is_a_function_of_its_settings():
    one, same, other = quiet(), quiet(), quiet(replace(SETTINGS, seed=1))
    assert torch.equal(one.losses, same.losses)
    assert torch.equal(weights(one.model), weights(same.model))
    assert not torch.equal(one.losses, other.losses)


@pytest.mark.filterwarnings(
    "ignore:precision is 'bfloat16'"
)  # Of a processor without units for it.
def test_what_all_of_torch_is_told_changes_nothing(told, whole):
    with told():
        found = quiet()
    assert_same_run(found, whole)


# It is slow on a device without units for it, which a run says.
@pytest.mark.filterwarnings("ignore:precision is 'bfloat16', but this device:UserWarning")
def test_products_in_bfloat16_change_the_losses_by_their_rounding_alone():
    exact, rounded = quiet(), quiet(replace(SETTINGS, precision="bfloat16"))
    assert not torch.equal(exact.losses, rounded.losses)
    torch.testing.assert_close(rounded.losses, exact.losses, rtol=0, atol=0.02)
    assert next(rounded.model.parameters()).dtype == torch.float32


@pytest.mark.parametrize("best", PRECISIONS)
def test_a_run_records_what_auto_became_and_keeps_it(tmp_path, monkeypatch, best):
    monkeypatch.setattr(environment, "best_precision", lambda device: best)
    auto = replace(SETTINGS, precision="auto")
    with pytest.raises(Killed):
        quiet(auto, tmp_path, watch=killed_at(3))
    assert read_settings(tmp_path) == replace(SETTINGS, precision=best)
    assert not different(read_settings(tmp_path), auto)
    # Gone on with on another machine.
    monkeypatch.setattr(environment, "best_precision", lambda device: "bfloat16")
    resumed = quiet(auto, tmp_path, resume=True)
    assert read_settings(tmp_path).precision == best
    assert_same_run(resumed, quiet(replace(SETTINGS, precision=best)))


def test_a_run_in_bfloat16_is_warned_of_where_it_is_slow(tmp_path, monkeypatch):
    slow = replace(SETTINGS, precision="bfloat16", steps=1)
    monkeypatch.setattr(environment, "best_precision", lambda device: "float32")
    with pytest.warns(UserWarning, match="precision is 'bfloat16', but this device has no units"):
        quiet(slow, tmp_path)
    # It was not asked for here, but it is what the run goes on in.
    with pytest.warns(UserWarning, match="precision is 'bfloat16', but this device has no units"):
        quiet(replace(slow, precision="auto"), tmp_path, resume=True)


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_the_loop_agrees_with_a_plain_one_in_double_precision(optimiser):
    settings = replace(SETTINGS, steps=3, learning_rate=0.01, weight_decay=0.5, optimiser=optimiser)
    settings = replace(settings, prior="dynamic", seed=4, mask_ratio=0.6, auxiliary_weight=0.3)
    found = dict(quiet(settings).model.named_parameters())
    model = MaskedAutoencoder.preset("micro", 4, 0.6)
    model.add_auxiliary(len(SUMMARIES))
    model, prior = model.double(), SynthPrior.preset("dynamic")
    mean_of_all, deviation_of_all = spread(prior)
    weights = dict(model.named_parameters())
    means, squares = ({n: torch.zeros_like(w) for n, w in weights.items()} for _ in range(2))
    for step, rate in enumerate((0.005, 0.01, 0.01), 1):
        clips = torch.arange(2 * step - 2, 2 * step)
        params = prior.sample(clips, 4)
        targets = (summarise(params) - mean_of_all) / deviation_of_all
        output = model(LogMel()(render(params)), clips, 4, targets)
        model.zero_grad()
        (output.loss + 0.3 * output.auxiliary_loss).backward()
        for name, weight in weights.items():
            mean, square, gradient = means[name], squares[name], weight.grad
            weight.data *= 1 - rate * 0.5
            if optimiser == "muon" and "blocks." in name and weight.ndim == 2:
                mean.lerp_(gradient, 0.05)
                direction = polar_factor((0.95 * mean + 0.05 * gradient)[None])[0]
                weight.data -= rate * 0.2 * max(weight.shape) ** 0.5 * direction
            else:
                mean.lerp_(gradient, 0.1)
                square.lerp_(gradient**2, 0.05)
                deviation = (square / (1 - 0.95**step)).sqrt() + 1e-8
                weight.data -= rate * mean / (1 - 0.9**step) / deviation
    for name, weight in weights.items():
        # The gradient of the keys' biases is rounding alone: the softmax does not see them.
        if not name.endswith("query_key_value.bias"):
            torch.testing.assert_close(found[name].double(), weight, rtol=0, atol=1e-4)


@pytest.mark.parametrize("changes", [{"optimiser": "muon"}, {"class_token": False}])
def test_other_networks_and_optimisers_resume_to_the_same_bits(tmp_path, changes):
    settings = replace(SETTINGS, **changes)
    with pytest.raises(Killed):
        quiet(settings, tmp_path, watch=killed_at(3))
    assert_same_run(quiet(settings, tmp_path, resume=True), quiet(settings))


def test_a_run_that_was_begun_with_torch_s_muon_goes_on(tmp_path, monkeypatch):
    def torch_s(matrices, precision, **options):
        return torch.optim.Muon(matrices, adjust_lr_fn="match_rms_adamw", **options)

    settings = replace(SETTINGS, optimiser="muon")
    with monkeypatch.context() as patch:
        patch.setattr(pretraining, "Muon", torch_s)
        theirs = quiet(settings)
        with pytest.raises(Killed):
            quiet(settings, tmp_path, watch=killed_at(3))
    resumed = quiet(settings, tmp_path, resume=True)
    assert torch.equal(resumed.losses[:3], theirs.losses[:3])
    assert not torch.equal(resumed.losses, theirs.losses)
    torch.testing.assert_close(resumed.losses, theirs.losses, atol=0.01, rtol=0)


def test_a_compiled_network_learns_the_same(monkeypatch, whole):
    compiled = []

    # The compiler's front half, which needs no C++ compiler, minutes or GPU.
    def compile_quickly(network):
        compiled.append(network)
        return real(network, backend="aot_eager", fullgraph=True)

    real = torch.compile
    monkeypatch.setattr(torch, "compile", compile_quickly)
    monkeypatch.setattr(environment, "require_compiler", lambda device: None)
    result = quiet(replace(SETTINGS, compiled=True))
    assert compiled == [result.model]
    torch.testing.assert_close(result.losses, whole.losses, rtol=0, atol=1e-5)


def test_without_a_compiler_nothing_is_begun(tmp_path, monkeypatch):
    def fail(function):
        def compiled(*arguments):
            raise RuntimeError(
                "InvalidCxxCompiler: No working C++ compiler found\n\nSet TORCH_LOGS"
            )

        return compiled

    monkeypatch.setattr(torch, "compile", fail)
    message = (
        r"cannot be compiled here \(InvalidCxxCompiler: No .* found\); install a C\+\+ compiler"
    )
    with pytest.raises(InputError, match=message):
        quiet(replace(SETTINGS, compiled=True), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_recipe_s_decoder_is_no_larger_than_the_network_s_own():
    fast = RECIPES["fast"]
    assert recipe_for("base") == fast
    for size in ("micro", "tiny"):
        small = recipe_for(size).architecture
        assert small.decoder_width == ARCHITECTURES[size].decoder_width <= fast.decoder_width
        assert small.decoder_depth == ARCHITECTURES[size].decoder_depth <= fast.decoder_depth
    assert recipe_for("tiny").optimiser == fast.optimiser
    assert recipe_for("small").architecture.decoder_depth == fast.decoder_depth
    assert recipe_for("tiny", "paper") == replace(RECIPES["paper"], preset="tiny")


def test_the_sizes_of_the_network_are_those_of_the_settings(tmp_path):
    settings = replace(SETTINGS, steps=1, class_token=False, decoder_width=32, decoder_depth=3)
    settings = replace(settings, visible_keys=True)
    model = quiet(settings, tmp_path).model
    assert model.architecture.visible_keys
    assert len(model.decoder_blocks) == 3
    assert model.mask_token.shape == (32,)
    assert model.encoder.class_token is None
    saved = load_model(tmp_path)
    assert saved.architecture == model.architecture == settings.architecture
    assert torch.equal(weights(saved), weights(model))


class Killed(Exception):
    pass


def killed_at(step):
    def watch(done, model, losses):
        if done == step:
            raise Killed

    return watch


@pytest.mark.parametrize("step", [1, 3, 5])
def test_a_killed_run_resumes_to_the_same_bits(tmp_path, step, whole):
    with pytest.raises(Killed):
        quiet(out=tmp_path, watch=killed_at(step))
    leftovers = [tmp_path / ".step-00000004.17.part", tmp_path / ".settings.json.17.part"]
    leftovers[0].mkdir()
    (leftovers[0] / ".model.safetensors.17.part").touch()
    leftovers[1].touch()
    resumed = quiet(out=tmp_path, resume=True)
    assert_same_run(resumed, whole)
    assert [line["step"] for line in metrics(tmp_path)] == [1, 2, 3, 4, 5, 6]
    assert [line["loss"] for line in metrics(tmp_path)] == whole.losses.tolist()
    assert not any(path.exists() for path in leftovers)


def test_a_checkpoint_moved_to_another_disk_stays_there(run_folder, tmp_path_factory, whole):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "moved"
    shutil.move(run_folder / "step-00000002", elsewhere)
    (run_folder / "step-00000002").symlink_to(elsewhere)
    assert_same_run(quiet(out=run_folder, resume=True), whole)
    assert not os.path.lexists(run_folder / "step-00000002")
    assert (elsewhere / "model.safetensors").exists()


def test_a_checkpoint_on_a_disk_that_is_not_there_is_not_passed_over(run_folder, tmp_path, whole):
    """Neither is the run begun anew, with its metrics cut, nor are older weights taken for its own."""
    kept = (run_folder / "metrics.jsonl").read_bytes()
    elsewhere = tmp_path / "disk"
    elsewhere.mkdir()
    for each in sorted(run_folder.glob("step-*")):
        shutil.move(each, elsewhere / each.name)
        each.symlink_to(elsewhere / each.name)
    elsewhere.rename(tmp_path / "unmounted")
    with pytest.raises(InputError, match=r"step-\d+ is a link to .*, which is not there; bring"):
        quiet(out=run_folder, resume=True)
    with pytest.raises(InputError, match=r"step-\d+/model\.safetensors is not a file"):
        load_model(run_folder)
    assert (run_folder / "metrics.jsonl").read_bytes() == kept
    (tmp_path / "unmounted").rename(elsewhere)
    assert_same_run(quiet(out=run_folder, resume=True), whole)


def test_a_run_of_before_there_were_so_many_settings_resumes_to_the_same_bits(tmp_path, whole):
    with pytest.raises(Killed):
        quiet(out=tmp_path, watch=killed_at(5))
    old = ["preset", "prior", "steps", "batch_size", "learning_rate", "warmup_steps", "schedule"]
    old += ["weight_decay", "mask_ratio", "precision", "seed", "checkpoint_every"]
    settings = {name: value for name, value in asdict(SETTINGS).items() if name in old}
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    for path in tmp_path.glob("step-*/state.json"):
        state = json.loads(path.read_text())
        del state["seconds"], state["audiopg.crc32"]
        path.write_text(json.dumps(state | {"settings": settings}))
    assert_same_run(quiet(out=tmp_path, resume=True), whole)
    assert read_settings(tmp_path) == SETTINGS


def cut(share):
    def damage(path):
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    return damage


def overwrite(content):
    return lambda path: path.write_bytes(content)


def swap(path):
    """Another file of the right kind."""
    other = MaskedAutoencoder.preset("micro", decoder_depth=2)
    save_model(other, path)


def with_nan(path):
    """As it was, but for the last number of its first tensor."""
    tensors, said = read_tensors(path)
    next(iter(tensors.values())).view(-1)[-1] = torch.nan
    save_file(tensors, path, said)


def flip(share):
    """A bit that changed on the disk: the lowest of the byte at some share of the file."""

    def damage(path):
        content = bytearray(path.read_bytes())
        content[int(share * len(content))] ^= 1
        path.write_bytes(content)

    return damage


def with_another_loss(path):
    """A bit of the first loss, which leaves a number."""
    said = path.read_bytes()
    place = said.index(b'"losses": [') + 13
    path.write_bytes(said[:place] + bytes([said[place] ^ 1]) + said[place + 1 :])


DAMAGE = {
    "a bit of a model's first tensor": ("model.safetensors", flip(0.05)),
    "a bit of a model's last number": ("model.safetensors", flip(0.9999999)),
    "a bit of an optimiser's tensors": ("optimiser.safetensors", flip(0.5)),
    "a bit of an optimiser's last number": ("optimiser.safetensors", flip(0.9999999)),
    "a bit of a loss": ("state.json", with_another_loss),
    "a model that is not finite": ("model.safetensors", with_nan),
    "an optimiser that is not finite": ("optimiser.safetensors", with_nan),
    "a model cut in its header": ("model.safetensors", cut(0.001)),
    "a model cut in its tensors": ("model.safetensors", cut(0.9)),
    "an empty model": ("model.safetensors", cut(0)),
    "no model": ("model.safetensors", os.remove),
    "a model of another shape": ("model.safetensors", swap),
    "an optimiser cut in its header": ("optimiser.safetensors", cut(0.001)),
    "an optimiser cut in its tensors": ("optimiser.safetensors", cut(0.9)),
    "an empty optimiser": ("optimiser.safetensors", cut(0)),
    "no optimiser": ("optimiser.safetensors", os.remove),
    "a model for an optimiser": ("optimiser.safetensors", swap),
    "half a state": ("state.json", cut(0.5)),
    "an empty state": ("state.json", cut(0)),
    "no state": ("state.json", os.remove),
    "a state that is no text": ("state.json", overwrite(b"\xff\xfe\x00")),
    "a state that is a list": ("state.json", overwrite(b"[]")),
    "a state without losses": ("state.json", overwrite(b"{}")),
    "a state whose losses are null": (
        "state.json",
        overwrite(b'{"step": 4, "losses": [null, null, null, null]}'),
    ),
    "a state whose losses are text": ("state.json", overwrite(b'{"step": 4, "losses": "abcd"}')),
    "a model that says no run": (
        "model.safetensors",
        lambda path: save_model(MaskedAutoencoder.preset("micro", seed=9), path),
    ),
    "a state of seconds that are no number": (
        "state.json",
        lambda path: path.write_text(
            re.sub('"seconds": [^,]*', '"seconds": NaN', path.read_text())
        ),
    ),
    "a state of another step": ("state.json", overwrite(b'{"step": 6, "losses": [1.0]}')),
}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run killed after its fifth step: the checkpoints of steps 2 and 4, as bytes."""
    folder = tmp_path_factory.mktemp("stopped")
    with pytest.raises(Killed):
        quiet(out=folder, watch=killed_at(5))
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture
def run_folder(tmp_path, stopped):
    for name, content in stopped.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_a_run_that_another_version_goes_on_with_says_from_which_step(run_folder):
    path = run_folder / "provenance.json"
    began = json.loads(path.read_text())
    path.write_text(json.dumps(began | {"commit": "before"}))
    quiet(out=run_folder, resume=True)
    said = json.loads(path.read_text())
    assert [(each["after"], each["commit"]) for each in said["resumed"]] == [(4, began["commit"])]
    assert said["commit"] == "before"
    # Where no step is left, none was taken elsewhere.
    path.write_text(json.dumps(began | {"commit": "before"}))
    quiet(out=run_folder, resume=True)
    assert json.loads(path.read_text()) == began | {"commit": "before"}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_checkpoint_falls_back_to_the_one_before(run_folder, case, capsys, whole):
    name, damage = DAMAGE[case]
    damage(run_folder / "step-00000004" / name)
    before = {path.name: path.read_bytes() for path in (run_folder / "step-00000004").iterdir()}
    assert_same_run(quiet(out=run_folder, resume=True), whole)
    printed = capsys.readouterr().out
    assert f"{run_folder / 'step-00000004'} is damaged (" in printed
    assert printed.endswith(
        "), and is called damaged-1-step-00000004 now; going back to the one before.\n"
    )
    # Nothing is deleted: what looks damaged may be of a newer version.
    aside = run_folder / "damaged-1-step-00000004"
    kept = {path.name: path.read_bytes() for path in aside.iterdir()}
    assert len(kept) == len(before)
    assert kept == before
    assert printed.count("\n") == 1


@pytest.mark.parametrize("lost", [shutil.rmtree, lambda path: (path / "state.json").unlink()])
def test_a_run_whose_checkpoints_are_lost_keeps_what_it_has(run_folder, lost, capsys, whole):
    """A folder that was copied without them, or one in which all are damaged."""
    for checkpoint in run_folder.glob("step-*"):
        shutil.copytree(checkpoint, run_folder / "elsewhere" / checkpoint.name)
        lost(checkpoint)
    kept = {path: path.read_bytes() for path in run_folder.glob("*.json*")}
    kept |= {path: path.read_bytes() for path in run_folder.glob("filters/*")}
    for _ in range(2):
        with pytest.raises(InputError) as caught:
            quiet(out=run_folder, resume=True)
        assert str(caught.value) == (
            f"{run_folder} has metrics of 5 steps, and no checkpoint to go on from; put one back, or "
            "name another folder for a new run."
        )
        assert {path: path.read_bytes() for path in kept} == kept
    capsys.readouterr()
    shutil.copytree(run_folder / "elsewhere", run_folder, dirs_exist_ok=True)
    assert_same_run(quiet(out=run_folder, resume=True), whole)
    (run_folder / "provenance.json").unlink()
    for checkpoint in run_folder.glob("step-*"):
        shutil.rmtree(checkpoint)
    with pytest.raises(InputError, match=r"provenance\.json cannot be read"):
        quiet(out=run_folder, resume=True)
    assert len(metrics(run_folder)) == 6


def test_a_run_killed_before_its_first_checkpoint_says_what_it_takes_again(tmp_path, capsys, whole):
    with pytest.raises(Killed):
        quiet(out=tmp_path, watch=killed_at(1))
    assert_same_run(quiet(out=tmp_path, resume=True), whole)
    said = f"{tmp_path} has no checkpoint yet; its 1 steps are taken again.\n"
    assert capsys.readouterr().out == said


def test_a_run_killed_as_it_is_to_be_saved_more_often_has_lost_no_checkpoint(
    tmp_path, monkeypatch, whole
):
    with pytest.raises(Killed):
        quiet(replace(SETTINGS, checkpoint_every=100), tmp_path, watch=killed_at(4))

    def killed(*_):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(runs, "cut_metrics", killed)
        with pytest.raises(Killed):
            quiet(replace(SETTINGS, checkpoint_every=1), tmp_path, resume=True)
    assert_same_run(quiet(out=tmp_path, resume=True), whole)


def contents(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def full_disk(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("written", ["checkpoints.write_model", "runs.save_tensors"])
def test_a_full_disk_keeps_the_last_checkpoint(run_folder, monkeypatch, written, whole):
    before = contents(run_folder)
    with monkeypatch.context() as patched:
        patched.setattr(f"audiopg.{written}", full_disk)
        with pytest.raises(InputError) as caught:
            quiet(out=run_folder, resume=True)
    assert str(caught.value) == (
        f"the run in {run_folder} cannot be written (No space left on device); what it has is kept: "
        "make room, then resume."
    )
    after = contents(run_folder)
    assert [line["step"] for line in metrics(run_folder)] == [1, 2, 3, 4, 5, 6]
    for path, content in before.items():
        if path.parent != run_folder:
            assert after.pop(path) == content
    assert {path.parent for path in after} <= {run_folder, run_folder / "filters"}
    assert not list(run_folder.rglob("*.part"))
    assert_same_run(quiet(out=run_folder, resume=True), whole)


def test_a_full_disk_at_the_first_checkpoint_loses_no_run(tmp_path, monkeypatch, capsys, whole):
    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "write_model", full_disk)
        with pytest.raises(InputError, match="make room, then resume"):
            quiet(out=tmp_path)
    assert_same_run(quiet(out=tmp_path, resume=True), whole)
    said = f"{tmp_path} has no checkpoint yet; its 2 steps are taken again.\n"
    assert capsys.readouterr().out == said


def test_files_that_may_not_grow_are_not_called_a_full_disk(tmp_path, largest_file):
    # The weights of micro are some 0.8 MB, what the optimiser keeps of them twice that.
    refused = pytest.raises(InputError, match=r"\(File too large\); .* allow larger files \(ulimit")
    with largest_file(1_000_000), refused:
        quiet(out=tmp_path)
    names = ["metrics.jsonl", "provenance.json", "settings.json", "step-00000000.safetensors"]
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == names


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_step_and_saves(tmp_path, number, capsys, whole):
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    def interrupt(step, model, losses):
        if step == 2:
            os.kill(os.getpid(), number)

    with pytest.raises(Stopped) as caught:
        quiet(out=tmp_path, watch=interrupt)
    assert caught.value.number == number
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
    # The signal came when step 2 was done, so it was step 3 that was let to end.
    assert str(caught.value) == f"stopped after step 3; go on with --resume --out {tmp_path}"
    said = "audiopg: finishing this step; a second signal stops at once\n"
    assert capsys.readouterr() == ("", said)
    assert_same_run(quiet(out=tmp_path, resume=True), whole)


def test_a_second_signal_does_not_wait(tmp_path):
    def interrupt(step, model, losses):
        if step == 3:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    onward = f"^stopped; go on with --resume --out {tmp_path}$"
    with pytest.raises(Stopped, match=onward):
        quiet(out=tmp_path, watch=interrupt)
    assert [path.name for path in tmp_path.glob("*step-*")] == ["step-00000002"]


@pytest.mark.parametrize("error", [BrokenPipeError, RuntimeError])
def test_a_signal_ends_the_step_where_stderr_cannot_be_written(tmp_path, monkeypatch, error):
    class Broken:
        def write(self, text):
            raise error

    def interrupt(step, model, losses):
        if step == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(sys, "stderr", Broken())
    with pytest.raises(Stopped, match=r"^stopped after step 3; "):
        quiet(out=tmp_path, watch=interrupt)


def test_a_thread_that_gets_no_signals_can_train(whole):
    results = []
    thread = threading.Thread(target=lambda: results.append(quiet()))
    thread.start()
    thread.join()
    assert_same_run(results[0], whole)


def test_minutes_end_a_run_and_count_on(tmp_path, capsys, whole):
    short = replace(SETTINGS, minutes=1e-6)
    assert len(quiet(short, tmp_path).losses) == 1
    assert capsys.readouterr().out == "stopped after step 1: its 1e-06 minutes are over\n"
    assert len(quiet(short, tmp_path, resume=True).losses) == 1
    first = json.loads((tmp_path / "step-00000001/state.json").read_text())["seconds"]
    longer = replace(SETTINGS, minutes=10.0)
    assert_same_run(quiet(longer, tmp_path, resume=True), whole)
    assert read_settings(tmp_path) == longer
    seconds = [line["seconds"] for line in metrics(tmp_path)]
    assert seconds == sorted(seconds)
    assert seconds[0] <= first + 0.001 <= seconds[1] + 0.001


def test_metrics_say_what_each_step_was(tmp_path, whole):
    quiet(out=tmp_path)
    lines = metrics(tmp_path)
    assert [line["learning_rate"] for line in lines] == [
        learning_rate_at(SETTINGS, step) for step in range(6)
    ]
    model = MaskedAutoencoder.preset("micro")
    clips = torch.arange(2)
    mel = model.encoder.log_mel(render(SynthPrior().sample(clips, 0)))
    model(mel, clips, 0).loss.backward()
    squares = sum(p.grad.double().square().sum() for p in model.parameters())
    assert lines[0]["gradient_norm"] == pytest.approx(squares.sqrt().item(), rel=1e-5)
    assert all(line["clips_per_second"] > 0 for line in lines)
    assert all(line["processor_seconds"] > 0 for line in lines)


def test_scalars_go_to_tensorboard_where_it_is_installed(tmp_path, monkeypatch):
    written, opened = [], []

    class SummaryWriter:
        def __init__(self, folder, purge_step):
            opened.append((folder, purge_step))
            # As TensorBoard does when it reads.
            written[:] = [scalar for scalar in written if scalar[2] < purge_step]

        def add_scalar(self, name, value, step):
            written.append((name, value, step))

        def close(self):
            opened.append("closed")

    stand_in = SimpleNamespace(SummaryWriter=SummaryWriter)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", stand_in)
    with pytest.raises(Killed):
        quiet(out=tmp_path, watch=killed_at(3))
    quiet(out=tmp_path, resume=True)
    folder = tmp_path / "tensorboard"
    assert opened == [(folder, 1), "closed", (folder, 3), "closed"]
    names = ("loss", "learning_rate", "gradient_norm", "clips_per_second")
    assert written == [
        (name, line[name], line["step"]) for line in metrics(tmp_path) for name in names
    ]


def test_what_a_run_leaves_behind(tmp_path):
    result = quiet(out=tmp_path)
    assert json.loads((tmp_path / "settings.json").read_text())["preset"] == "micro"
    assert sorted(path.name for path in tmp_path.glob("*")) == [
        "filters",
        "metrics.jsonl",
        "provenance.json",
        "settings.json",
        "step-00000004",
        "step-00000006",
    ]
    saved = load_model(tmp_path / "step-00000006" / "model.safetensors")
    assert torch.equal(weights(saved), weights(result.model))


def without_settings(folder):
    (folder / "settings.json").unlink()


def only_checkpoints(folder):
    for path in folder.iterdir():
        if not path.name.startswith("step-"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize("take", [without_settings, only_checkpoints])
@pytest.mark.parametrize("steps", [4, 6, 8])
def test_checkpoints_of_another_run_are_never_taken_for_one_s_own(tmp_path, take, steps):
    quiet(replace(SETTINGS, seed=1), tmp_path)
    take(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(InputError, match="of another run, whose settings are not there; name ano"):
        quiet(replace(SETTINGS, steps=steps), tmp_path)
    with pytest.raises(InputError, match="holds no run to resume"):
        quiet(replace(SETTINGS, steps=steps), tmp_path, resume=True)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("seed", [0, 1])
def test_a_checkpoint_copied_from_another_run_is_refused_and_kept(run_folder, tmp_path, seed):
    other = tmp_path.with_name(f"{tmp_path.name}-other")
    quiet(replace(SETTINGS, seed=seed), other)
    shutil.copytree(other / "step-00000006", run_folder / "step-00000006")
    before = contents(run_folder)
    for use in (lambda: quiet(out=run_folder, resume=True), lambda: load_model(run_folder)):
        with pytest.raises(InputError, match=r"step-00000006 is of another run than the folder"):
            use()
    assert contents(run_folder) == before


def test_weights_copied_from_another_run_are_refused_and_kept(run_folder, tmp_path):
    other = tmp_path / "other"
    quiet(replace(SETTINGS, seed=8), other)
    theirs = max(other.glob("step-*")) / "model.safetensors"
    ours = max(run_folder.glob("step-*")) / "model.safetensors"
    shutil.copy(theirs, ours)
    with pytest.raises(InputError, match="is of another run than the folder"):
        quiet(out=run_folder, resume=True)
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("name", ["model", "optimiser"])
def test_files_of_two_steps_are_no_checkpoint(run_folder, capsys, whole, name):
    old, new = (run_folder / f"step-0000000{step}/{name}.safetensors" for step in (2, 4))
    shutil.copy(old, new)
    if name == "model":
        for place in (run_folder, new.parent, new):
            with pytest.raises(
                InputError, match=r"4/model\.safetensors is of step 2; take its fold"
            ):
                load_model(place)
    assert_same_run(quiet(out=run_folder, resume=True), whole)
    said = capsys.readouterr().out
    assert "step-00000004 is damaged (" in said
    assert f"{name}.safetensors is of step 2" in said


def test_an_optimiser_copied_from_another_run_is_refused(run_folder, tmp_path):
    other = tmp_path / "other"
    quiet(replace(SETTINGS, steps=4, seed=8), other)
    shutil.copy(other / "step-00000004/optimiser.safetensors", run_folder / "step-00000004")
    with pytest.raises(InputError, match="is of another run than the folder"):
        quiet(out=run_folder, resume=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"prior": "sine"}, "prior = 'full', not 'sine'"),
        ({"learning_rate": 1e-5}, "learning_rate = 0.001, not 1e-05"),
        ({"cooldown_steps": 4}, "cooldown_steps = 0, not 4"),
        # Of another network, which the weights do not fit; they are as good as they were.
        ({"preset": "mini"}, "preset = 'micro', not 'mini'"),
        ({"class_token": False}, "class_token = True, not False"),
        ({"decoder_width": 32}, "decoder_width = None, not 32"),
        ({"optimiser": "muon"}, "optimiser = 'adamw', not 'muon'"),
        ({"auxiliary_weight": 0.5}, "auxiliary_weight = 0.0, not 0.5"),
    ],
)
def test_settings_that_were_edited_are_not_those_of_the_checkpoints(
    run_folder, change, said, whole
):
    before = json.loads((run_folder / "settings.json").read_text())
    (run_folder / "settings.json").write_text(json.dumps(before | change))
    with pytest.raises(
        InputError, match=f"step-00000004 was run with {said}; resume with the same"
    ):
        quiet(read_settings(run_folder), run_folder, resume=True)
    assert not list(run_folder.glob("damaged-*"))
    (run_folder / "settings.json").write_text(json.dumps(before))
    assert_same_run(quiet(out=run_folder, resume=True), whole)


def test_a_file_named_as_a_checkpoint_is_put_aside(run_folder, capsys, whole):
    (run_folder / "step-00000006").touch()
    assert_same_run(quiet(out=run_folder, resume=True), whole)
    assert "step-00000006 is damaged ([Errno 20] Not a directory" in capsys.readouterr().out
    assert (run_folder / "damaged-1-step-00000006").is_file()


def test_files_that_are_not_the_run_s_do_not_stop_it(run_folder, whole):
    (run_folder / "filters" / "step-abc.safetensors").write_bytes(b"somebody's")
    with open(run_folder / "metrics.jsonl", "ab") as file:
        file.write(b'{"a": "\xe9')
    assert_same_run(quiet(out=run_folder, resume=True), whole)
    assert (run_folder / "filters" / "step-abc.safetensors").read_bytes() == b"somebody's"


def test_settings_that_are_a_folder_are_named(tmp_path):
    (tmp_path / "settings.json").mkdir()
    with pytest.raises(InputError, match=r"settings\.json cannot be read \(Is a directory\)"):
        quiet(out=tmp_path, resume=True)


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_a_folder_that_cannot_be_is_refused(tmp_path, name):
    with pytest.raises(
        InputError, match=r"cannot be written \(File name too long\)|null character"
    ):
        quiet(out=f"{tmp_path}/{name}")


def test_others_may_go_on_with_a_run_where_the_umask_lets_them(tmp_path):
    before = os.umask(0o027)
    try:
        quiet(replace(SETTINGS, steps=2), tmp_path)
    finally:
        os.umask(before)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o640}


def test_a_path_that_weights_could_not_be_read_from_is_refused(tmp_path):
    out = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    with pytest.raises(
        InputError, match=r"udcff' is not UTF-8, and weights could not be read from"
    ):
        quiet(out=out)
    assert list(tmp_path.iterdir()) == []
    for out in (5, b"run"):
        with pytest.raises(InputError, match="names no folder; give a path"):
            quiet(out=out)


def test_a_run_may_be_copied_or_renamed(run_folder, tmp_path, whole):
    copy = tmp_path.with_name(f"{tmp_path.name}-copy")
    shutil.copytree(run_folder, copy)
    copy = copy.rename(copy.with_name(f"{copy.name}-renamed"))
    (run_folder / "link").symlink_to(copy)
    assert_same_run(quiet(out=run_folder / "link", resume=True), whole)
    assert sorted(path.name for path in run_folder.glob("step-*")) == [
        "step-00000002",
        "step-00000004",
    ]


def test_a_folder_in_which_a_run_is_training_is_in_use(tmp_path):
    refused = []

    def again(step, model, losses):
        if step in (0, 3):
            for resume in (False, True):
                with pytest.raises(InputError, match="another process is writing in") as caught:
                    quiet(out=tmp_path, resume=resume)
                refused.append(caught.value)

    quiet(out=tmp_path, watch=again)
    assert len(refused) == 4
    assert not (tmp_path / ".audiopg.lock").exists()


def test_a_run_whose_folder_is_moved_stops_and_writes_no_second_one(tmp_path, whole):
    def move(step, model, losses):
        if step == 3:
            (tmp_path / "run").rename(tmp_path / "moved")

    with pytest.raises(InputError, match=r"run is not the folder any more .* put that back, then"):
        quiet(out=tmp_path / "run", watch=move)
    assert [path.name for path in tmp_path.iterdir()] == ["moved"]
    assert_same_run(quiet(out=tmp_path / "moved", resume=True), whole)


@pytest.mark.parametrize(
    ("module", "written"), [(checkpoints, "write_json"), (runs, "write_provenance")]
)
def test_a_run_killed_as_it_began_is_begun_again(tmp_path, monkeypatch, module, written, whole):
    def killed(*_, **__):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(module, written, killed)
        with pytest.raises(Killed):
            quiet(out=tmp_path)
    has_settings = (tmp_path / "settings.json").exists()
    assert_same_run(quiet(out=tmp_path, resume=has_settings), whole)
    assert json.loads((tmp_path / "provenance.json").read_text())["run"]


def test_what_was_written_after_the_checkpoint_is_taken_back(run_folder, whole):
    # A run that wrote both every step was killed behind its last checkpoint.
    (run_folder / "pictures").mkdir()
    kept = [f"{kind}/step-0000000{step}" for kind in ("filters", "pictures") for step in (3, 5)]
    kept = [f"{name}.{'safetensors' if 'filters' in name else 'png'}" for name in kept]
    for name in kept:
        (run_folder / name).touch()
    settings = replace(SETTINGS, minutes=1e-6, filters_every=1000)
    assert len(quiet(settings, run_folder, resume=True).losses) == 4
    assert [(run_folder / name).exists() for name in kept] == [True, False, True, False]


def test_metrics_that_lack_lines_are_refused(run_folder):
    path = run_folder / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:3]))
    before = contents(run_folder)
    with pytest.raises(InputError, match=r"metrics\.jsonl lacks lines of the 4 that its checkpoin"):
        quiet(out=run_folder, resume=True)
    assert contents(run_folder) == before


def test_weights_that_a_last_step_has_spoilt_are_not_written(run_folder):
    def spoil(step, model, losses):
        if step == 6:
            spoil_loss(model)

    before = set(run_folder.glob("step-*"))
    with pytest.raises(InputError, match="the weights are not finite after step 6; what was writt"):
        quiet(out=run_folder, resume=True, watch=spoil)
    assert set(run_folder.glob("step-*")) == before


def test_a_disk_that_will_be_full_is_known_before_the_run(tmp_path, monkeypatch, run_folder):
    # The weights of micro, without the positions that are computed, are 4 bytes a number; AdamW
    # keeps twice as much; and for a moment there are three checkpoints.
    numbers = weights(MaskedAutoencoder.preset("micro")).numel()
    disk = SimpleNamespace(total=10**9, free=3 * 12 * numbers)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: disk)
    with pytest.raises(InputError, match=r"run has [\d.]+ MB of room and needs about [\d.]+ MB"):
        quiet(out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    disk.free *= 2
    quiet(out=tmp_path / "run")
    # One is still to come beside two.
    disk.free = 2 * 12 * numbers
    quiet(out=run_folder, resume=True)


def test_a_checkpoint_that_may_not_be_read_is_not_called_damaged(run_folder, monkeypatch):
    def refuse(path):
        raise InputError(f"{path} cannot be read (Permission denied)")

    before = contents(run_folder)
    with monkeypatch.context() as patched:
        patched.setattr(runs, "require_readable", refuse)
        with pytest.raises(InputError, match=r"step-00000004 cannot be read"):
            quiet(out=run_folder, resume=True)
    assert contents(run_folder) == before


def broken_import():
    raise TypeError("Descriptors cannot be created directly.")


class BrokenWriter:
    def __init__(self, folder, purge_step):
        pass

    def add_scalar(self, name, value, step):
        raise AttributeError("module 'numpy' has no attribute 'bool8'")

    def close(self):
        raise AssertionError("it was given up")


class WriterThatCannotClose(BrokenWriter):
    def add_scalar(self, name, value, step):
        pass

    def close(self):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (property(lambda self: broken_import()), "Descriptors cannot be created directly."),
        (BrokenWriter, "module 'numpy' has no attribute 'bool8'"),
        (WriterThatCannotClose, "[Errno 28] No space left on device"),
    ],
)
def test_a_tensorboard_that_fails_is_one_sentence(
    tmp_path, monkeypatch, capsys, module, reason, whole
):
    stand_in = type("Module", (), {"SummaryWriter": module})()
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", stand_in)
    assert_same_run(quiet(out=tmp_path), whole)
    said = f"TensorBoard cannot be used ({reason}); metrics.jsonl has what it would show.\n"
    assert capsys.readouterr().out == said


def test_a_run_is_not_overwritten_or_mixed_with_another(tmp_path):
    quiet(out=tmp_path)
    with pytest.raises(InputError, match="holds a run already"):
        quiet(out=tmp_path)
    with pytest.raises(InputError, match="was run with seed = 0, not 1"):
        quiet(replace(SETTINGS, seed=1), out=tmp_path, resume=True)
    with pytest.raises(InputError, match="no run to resume"):
        quiet(out=tmp_path / "elsewhere", resume=True)


def spoil_loss(model):
    with torch.no_grad():
        model.mask_token.fill_(math.inf)


def spoil_gradient(model):
    model.mask_token.register_hook(lambda gradient: gradient * math.nan)


def enlarge_loss(model):
    with torch.no_grad():
        model.decoder_output.weight.mul_(100)


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (spoil_loss, "the loss is nan and the norm of its gradient nan"),
        (spoil_gradient, r"the loss is 1\.\d+ and the norm of its gradient nan"),
        (enlarge_loss, r"the loss is \d{4,} and the norm"),
    ],
)
def test_a_loss_that_explodes_names_the_step_and_the_clips(run_folder, spoil, found):
    before = contents(run_folder)

    def watch(step, model, losses):
        if step == 5:
            spoil(model)

    message = rf"{found}.*, after a mean loss of 1\.\d+, at step 5, clips 10 to 11; the checkpoints"
    with pytest.raises(InputError, match=message):
        quiet(out=run_folder, resume=True, watch=watch)
    after = contents(run_folder)
    kept = [*run_folder.glob("step-*/*")]
    assert len(kept) == 6
    for path in kept:
        assert after[path] == before[path]
    assert not list(run_folder.rglob("*.part"))


def test_an_explosion_is_ten_times_the_mean_of_the_hundred_steps_before():
    flat = [100.0] * 50 + [1.0] * 100
    pretraining._refuse_explosion(10.0, 1.0, flat, SETTINGS)
    with pytest.raises(InputError, match=r"the loss is 10\.01 .* mean loss of 1, at step 150"):
        pretraining._refuse_explosion(10.01, 1.0, flat, SETTINGS)
    pretraining._refuse_explosion(1e9, 1.0, [], SETTINGS)
    with pytest.raises(InputError, match=r"the loss is nan .* at step 0, clips 0 to 1"):
        pretraining._refuse_explosion(math.nan, 1.0, [], SETTINGS)


def test_a_run_starts_from_the_weights_of_another(tmp_path, whole):
    source = tmp_path / "source"
    quiet(out=source)
    model = load_model(source)
    model.encoder.log_mel.mean, model.encoder.log_mel.standard_deviation = -3.0, 2.0
    save_model(model, source / "model.safetensors")
    first = {}

    def keep(step, model, losses):
        if step == 0:
            first["weights"] = weights(model)

    settings = replace(SETTINGS, start=source / "model.safetensors", steps=4, checkpoint_every=1)
    assert settings.start == str(source / "model.safetensors")
    again = quiet(settings, watch=keep)
    assert torch.equal(first["weights"], weights(whole.model))
    assert again.model.encoder.log_mel.mean == -3.0

    # Weights alone: AdamW begins anew, and the schedule warms up again.
    with pytest.raises(Killed):
        quiet(settings, tmp_path / "run", watch=killed_at(2))
    moments = load_file(tmp_path / "run/step-00000001/optimiser.safetensors")
    assert moments["mask_token/step"] == 1
    # The weights are not asked for again.
    (source / "model.safetensors").unlink()
    resumed = quiet(settings, tmp_path / "run", resume=True)
    assert_same_run(resumed, again)
    assert resumed.model.encoder.log_mel.mean == load_model(tmp_path / "run").encoder.log_mel.mean
    assert resumed.model.encoder.log_mel.standard_deviation == 2.0


def test_a_run_without_checkpoint_goes_on_from_the_weights_that_it_began_with(tmp_path):
    source, settings = tmp_path / "source.safetensors", replace(SETTINGS, checkpoint_every=6)
    save_model(quiet(replace(SETTINGS, steps=1)).model, source)
    settings = replace(settings, start=str(source))
    with pytest.raises(Killed):
        quiet(settings, tmp_path / "run", watch=killed_at(2))
    kept = source.read_bytes()
    save_model(quiet(replace(SETTINGS, steps=2)).model, source)
    with pytest.raises(
        InputError, match=r"source\.safetensors holds other weights than when the run"
    ):
        quiet(settings, tmp_path / "run", resume=True)
    source.write_bytes(kept)
    assert_same_run(quiet(settings, tmp_path / "run", resume=True), quiet(settings))


@pytest.mark.parametrize("step", [0, 3])
@pytest.mark.parametrize("older", [False, True])
def test_relative_paths_are_found_from_any_working_folder(
    tmp_path, recordings, monkeypatch, step, older
):
    save_model(MaskedAutoencoder.preset("micro", seed=7), tmp_path / "first.safetensors")
    monkeypatch.chdir(tmp_path)
    settings = replace(SETTINGS, start="first.safetensors", audio="./recordings")
    whole, run = quiet(settings), tmp_path / "run"
    with pytest.raises(Killed):
        quiet(settings, run, watch=killed_at(step))
    (tmp_path / "elsewhere").mkdir()
    if older:  # Which kept what was given.
        given = {"start": settings.start, "audio": settings.audio}
        for path in (run / "settings.json", *run.glob("step-*/state.json")):
            said = json.loads(path.read_text())
            said.pop("audiopg.crc32", None)
            (said.get("settings") or said).update(given)
            path.write_text(json.dumps(said))
        now = replace(
            settings, start=str(tmp_path / settings.start), audio=str(tmp_path / "recordings")
        )
    else:
        now = read_settings(run)
        monkeypatch.chdir(tmp_path / "elsewhere")
    assert_same_run(quiet(now, run, resume=True), whole)
    # And as they were given, where they were given; but not others.
    monkeypatch.chdir(tmp_path)
    assert_same_run(quiet(settings, run, resume=True), whole)
    for other in ("elsewhere", "tiny", None):
        with pytest.raises(InputError, match=r"was run with start = '/.*first\.safetensors', not"):
            quiet(replace(settings, start=other), run, resume=True)


@pytest.mark.parametrize("step", [0, 3])
def test_a_run_that_moved_with_its_weights_and_recordings_goes_on(
    tmp_path, recordings, monkeypatch, step
):
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    recordings.rename(before / "recordings")
    save_model(MaskedAutoencoder.preset("micro", seed=7), before / "first.safetensors")
    monkeypatch.chdir(before)
    settings = replace(SETTINGS, start="first.safetensors", audio="recordings")
    whole = quiet(settings)
    with pytest.raises(Killed):
        quiet(settings, "run", watch=killed_at(step))
    before.rename(after)
    monkeypatch.chdir(after)
    save_model(MaskedAutoencoder.preset("micro", seed=8), after / "other.safetensors")
    with pytest.raises(InputError, match=r"was run with start = '/.*first\.safetensors', not"):
        quiet(replace(settings, start="other.safetensors"), "run", resume=True)
    assert_same_run(quiet(settings, "run", resume=True), whole)


def test_weights_of_another_network_are_refused(tmp_path):
    save_model(MaskedAutoencoder.preset("micro", decoder_depth=2), tmp_path / "model.safetensors")
    settings = replace(SETTINGS, start=str(tmp_path))
    with pytest.raises(InputError, match=r"another network \(decoder_depth 2, not 1\); give the"):
        quiet(settings, tmp_path / "run")
    with pytest.raises(InputError, match="is not a file"):
        quiet(replace(SETTINGS, start=str(tmp_path / "nowhere")), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.fixture
def recordings(tmp_path):
    """Five files, so that the twelve clips of a run take in three epochs."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(5):
        wave = generator.standard_normal(16000 * (number + 8)) * 0.1
        soundfile.write(folder / f"{number}.flac", wave, 16000)
    return folder


def test_a_run_on_recordings_resumes_to_the_same_bits(tmp_path, recordings, whole):
    settings = replace(SETTINGS, audio=recordings)
    uninterrupted = quiet(settings)
    assert not torch.equal(uninterrupted.losses, whole.losses)
    with pytest.raises(Killed):
        quiet(settings, tmp_path / "run", watch=killed_at(3))
    assert_same_run(quiet(settings, tmp_path / "run", resume=True), uninterrupted)
    origin = json.loads((tmp_path / "run/provenance.json").read_text())["recordings"]
    assert origin["files"] == 5
    assert origin["hours"] == pytest.approx(50 / 3600, abs=0.001)

    # The same files may lie elsewhere.
    moved = replace(settings, audio=str(recordings.rename(tmp_path / "moved")))
    assert_same_run(quiet(moved, tmp_path / "run", resume=True), uninterrupted)
    assert read_settings(tmp_path / "run") == moved
    said = (tmp_path / "run/provenance.json").read_text()
    more = json.loads(said)
    more["recordings"]["codec"] = "flac"
    (tmp_path / "run/provenance.json").write_text(json.dumps(more))
    with pytest.raises(InputError, match="holds other recordings than when the run in"):
        quiet(moved, tmp_path / "run", resume=True)
    (tmp_path / "run/provenance.json").write_text(said)
    # Other samples under the same names, of the same lengths, are other recordings.
    good = (tmp_path / "moved/2.flac").read_bytes()
    wave, rate = soundfile.read(tmp_path / "moved/2.flac")
    soundfile.write(tmp_path / "moved/2.flac", -wave, rate)
    with pytest.raises(InputError, match="holds other recordings than when the run in"):
        quiet(moved, tmp_path / "run", resume=True)
    (tmp_path / "moved/2.flac").write_bytes(good)
    (tmp_path / "moved/5.flac").write_bytes(good)
    with pytest.raises(InputError, match="holds other recordings than when the run in"):
        quiet(moved, tmp_path / "run", resume=True)


def test_a_run_of_before_recordings_were_hashed_is_resumed(tmp_path, recordings):
    settings = replace(SETTINGS, audio=str(recordings))
    with pytest.raises(Killed):
        quiet(settings, tmp_path / "run", watch=killed_at(3))
    path = tmp_path / "run/provenance.json"
    origin = json.loads(path.read_text())
    del origin["recordings"]["contents"], origin["run"]
    path.write_text(json.dumps(origin))
    for state in (tmp_path / "run").glob("step-*/state.json"):
        said = json.loads(state.read_text())
        del said["run"], said["audiopg.crc32"]
        state.write_text(json.dumps(said))
        save_model(load_model(state.parent), state.parent / "model.safetensors")
        kept = load_file(state.parent / "optimiser.safetensors")
        save_file(kept, state.parent / "optimiser.safetensors")
    # Where nothing tells that they are the same files, the folder has to be the same.
    shutil.copytree(recordings, tmp_path / "copy")
    with pytest.raises(InputError, match="was run with audio = "):
        quiet(replace(settings, audio=str(tmp_path / "copy")), tmp_path / "run", resume=True)
    assert_same_run(quiet(settings, tmp_path / "run", resume=True), quiet(settings))


def test_a_recording_that_fails_on_the_way_stops_the_run_where_it_can_go_on(tmp_path, recordings):
    settings = replace(SETTINGS, audio=str(recordings), checkpoint_every=100)
    uninterrupted = quiet(settings)
    # The last of the second epoch's five, heard in the fifth step; two batches are read ahead.
    rows, _ = draw_windows(find_recordings(recordings), torch.arange(10), settings.seed)
    victim = recordings / f"{rows[9]}.flac"
    good = victim.read_bytes()

    def cut_it(step, model, losses):
        if step == 1:
            victim.write_bytes(good[: len(good) // 2])

    with pytest.raises(InputError, match=rf"{victim} .*; put back the file .* and resume"):
        quiet(settings, tmp_path / "run", watch=cut_it)
    assert [path.name for path in (tmp_path / "run").glob("*step-*")] == ["step-00000004"]
    with pytest.raises(InputError, match=r"1 of 5 files .* is cut short"):
        quiet(settings, tmp_path / "run", resume=True)
    victim.write_bytes(good)
    assert_same_run(quiet(settings, tmp_path / "run", resume=True), uninterrupted)


def test_recordings_that_cannot_be_used_are_refused_before_the_run_begins(tmp_path, recordings):
    (recordings / "1.flac").write_bytes(b"no audio")
    (recordings / "3.flac").write_bytes(b"")
    with pytest.raises(InputError, match=r"2 of 5 files .*1\.flac is damaged.*; 3\.flac is empty"):
        quiet(replace(SETTINGS, audio=str(recordings)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_recipes():
    # Section 4.1 of the paper.
    paper = RECIPES["paper"]
    assert paper == PretrainSettings()
    assert (paper.preset, paper.prior, paper.mask_ratio) == ("base", "full", 0.75)
    assert (paper.optimiser, paper.learning_rate, paper.weight_decay) == ("adamw", 1e-4, 0.05)
    assert paper.batch_size == 64
    assert (paper.steps - 1) * 64 < 100 * 5000 <= paper.steps * 64
    assert (paper.schedule, paper.warmup_steps, paper.precision) == ("constant", 0, "float32")
    assert not paper.compiled
    fast = RECIPES["fast"]
    assert (fast.steps - 1) * fast.batch_size < 100 * 5000 <= fast.steps * fast.batch_size
    cpu = RECIPES["cpu"]
    assert cpu.steps * cpu.batch_size >= 100_000
    assert (cpu.preset, cpu.prior, cpu.mask_ratio, cpu.precision) == ("tiny", "full", 0.75, "auto")


def test_learning_rate_warms_up_then_holds_or_falls_along_a_cosine():
    constant = replace(SETTINGS, steps=10, learning_rate=1.0, warmup_steps=4)
    rates = [learning_rate_at(constant, step) for step in range(10)]
    assert rates == [0.25, 0.5, 0.75] + [1.0] * 7
    cosine = replace(constant, schedule="cosine")
    assert learning_rate_at(cosine, 4) == 1.0
    assert learning_rate_at(cosine, 7) == pytest.approx(0.5)
    assert learning_rate_at(cosine, 10) == pytest.approx(0)


def test_learning_rate_cools_down_linearly_over_the_last_steps():
    settings = replace(SETTINGS, steps=10, learning_rate=1.0, warmup_steps=2, cooldown_steps=4)
    rates = [learning_rate_at(settings, step) for step in range(10)]
    assert rates == [0.5] + [1.0] * 6 + [0.75, 0.5, 0.25]
    cosine = replace(settings, schedule="cosine")
    both = [learning_rate_at(cosine, step) for step in range(10)]
    alone = [learning_rate_at(replace(cosine, cooldown_steps=0), step) for step in range(10)]
    falling = [1.0, 1.0, *rates[2:]]
    assert both == pytest.approx([a * r for a, r in zip(alone, falling, strict=True)])


def test_a_run_may_be_cut_short_and_cooled_down_sooner(tmp_path):
    long = replace(SETTINGS, steps=12, schedule="constant", cooldown_steps=4, warmup_steps=2)
    short = replace(long, steps=6, cooldown_steps=2)
    with pytest.raises(Killed):
        quiet(long, tmp_path, watch=killed_at(5))
    done = sorted(tmp_path.glob("step-*"))[-1].name
    resumed = quiet(short, tmp_path, resume=True)
    assert done == "step-00000004"
    assert_same_run(resumed, quiet(short))
    assert read_settings(tmp_path) == short
    # Steps 5 and 6 are done, and cooled down: they would have been others in a longer run.
    with pytest.raises(InputError, match="was run with steps = 6, not 12"):
        quiet(long, tmp_path, resume=True)
    with pytest.raises(InputError, match="was run with steps = 6, not 4"):
        quiet(replace(short, steps=4, cooldown_steps=0), tmp_path, resume=True)


@pytest.mark.parametrize("part", [{"decoded_share": 0.25}, {"window": 16}])
def test_a_part_of_the_patches_is_learned_from(part):
    model = MaskedAutoencoder.preset("micro")
    clips = torch.arange(2)
    mel = model.encoder.log_mel(render(SynthPrior().sample(clips, 0)))
    expected = model(mel, clips, 0, **part).loss.item()
    settings = replace(SETTINGS, steps=1, **part)
    assert quiet(settings).losses.tolist() == pytest.approx([expected], rel=1e-5)
    assert model(mel, clips, 0).loss.item() != pytest.approx(expected)


def test_a_run_begins_with_the_weights_that_it_is_told_to():
    begun = []
    settings = replace(SETTINGS, steps=1, initial="mimetic")
    quiet(settings, watch=lambda step, model, losses: begun.append(weights(model).clone()))
    assert torch.equal(begun[0], weights(MaskedAutoencoder.preset("micro", initial="mimetic")))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"preset": "huge"}, "preset is 'huge'; choose from .*'micro'"),
        ({"prior": "noise"}, "prior is 'noise'"),
        ({"audio": ""}, "audio is empty; name something"),
        ({"start": ""}, "start is empty; name something"),
        ({"schedule": "linear"}, "schedule is 'linear'"),
        ({"precision": "float16"}, "precision is 'float16'"),
        ({"optimiser": "sgd"}, "optimiser is 'sgd'; choose from .*'adamw', 'muon'"),
        ({"compiled": "yes"}, "compiled is 'yes'"),
        ({"class_token": None}, "class_token is None"),
        ({"steps": 0}, "steps is 0; the range is whole numbers 1 to inf"),
        ({"steps": 2.5}, "steps is 2.5; the range is whole numbers"),
        ({"minutes": 0}, "minutes is 0; the range is 1e-06 to inf"),
        ({"decoder_depth": 0}, "decoder_depth is 0; the range is whole numbers 1 to inf"),
        ({"decoder_width": 30}, "decoder_width is 30; with 2 heads it is a multiple of 4"),
        ({"pictures_every": -1}, "pictures_every is -1"),
        ({"seed": 2**63}, "seed is 9223372036854775808"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"mask_ratio": 1.0}, "mask_ratio is 1.0"),
        ({"initial": "zeros"}, "initial is 'zeros'; choose from .*'mimetic'"),
        ({"decoded_share": 0}, "decoded_share is 0; the range is 0.001 to 1"),
        ({"window": 65}, "window is 65; the range is whole numbers 1 to 64"),
        ({"cooldown_steps": -1}, "cooldown_steps is -1"),
    ],
)
def test_nonsense_is_refused_by_name(setting, message):
    with pytest.raises(InputError, match=message):
        replace(SETTINGS, **setting)


@pytest.mark.parametrize("settings", ["cpu", {"steps": 1}, None])
def test_settings_of_another_class_are_refused(settings):
    with pytest.raises(InputError, match=r"^settings are .*; give PretrainSettings\.$"):
        pretrain(settings)


def test_a_device_that_is_not_there_is_refused():
    for device in ("abacus", "cuda:99", "meta"):
        with pytest.raises(InputError, match=f"the device '{device}' cannot be used"):
            pretrain(SETTINGS, device=device, progress=False)


@pytest.mark.parametrize("content", ["", "[]", "null", '{"pitch": 3}', '{"steps": 0}', "\x00"])
def test_damaged_settings_are_refused(tmp_path, content):
    (tmp_path / "settings.json").write_text(content)
    with pytest.raises(InputError, match=r"settings.json is damaged.*; name another folder"):
        quiet(out=tmp_path, resume=True)


def test_copies_of_the_filters_are_kept_on_the_way(tmp_path):
    kept = []

    def note(step, model, losses):
        kept.append(model.encoder.patch_projection.weight.detach().half())

    settings = replace(SETTINGS, steps=5, filters_every=2)
    result = quiet(settings, tmp_path / "run", watch=note)
    steps, weights = read_filters(tmp_path / "run")
    assert steps.tolist() == [0, 2, 4, 5]
    for step, weight in zip(steps, weights, strict=True):
        assert torch.equal(weight, kept[step].float())

    # They are no part of what is learned: how often may change, and a lost one is made again.
    run = replace(settings, steps=5, filters_every=1, minutes=1e-6)
    quiet(run, tmp_path / "again")
    assert read_filters(tmp_path / "again")[0].tolist() == [0, 1]
    run = replace(run, filters_every=2, minutes=None)
    again = quiet(run, tmp_path / "again", resume=True)
    assert torch.equal(again.losses, result.losses)
    assert read_filters(tmp_path / "again")[0].tolist() == [0, 1, 2, 4, 5]
    assert torch.equal(read_filters(tmp_path / "again")[1][[0, 2, 3, 4]], weights)


def test_runs_differ_in_what_they_learn_not_in_when_they_write():
    other = replace(SETTINGS, seed=9, minutes=2.0, checkpoint_every=3, filters_every=7)
    assert different(SETTINGS, other) == ["seed"]
    assert different(SETTINGS, replace(other, seed=SETTINGS.seed)) == []


def test_an_auxiliary_head_begins_with_the_same_network_and_learns_its_targets():
    with_head = MaskedAutoencoder.preset("micro", 3)
    with_head.add_auxiliary(len(SUMMARIES))
    without = MaskedAutoencoder.preset("micro", 3)
    clips = torch.arange(4)
    params = SynthPrior().sample(clips, seed=0)
    mel = with_head.encoder.log_mel(render(params))
    mean, deviation = spread(SynthPrior())
    targets = ((summarise(params) - mean) / deviation).float()
    one, other = with_head(mel, clips, 0, targets), without(mel, clips, 0)
    assert torch.equal(one.loss, other.loss)
    assert other.auxiliary_loss is None
    # The head begins at zero.
    torch.testing.assert_close(one.auxiliary_loss, targets.square().mean())
    optimiser = torch.optim.Adam(with_head.parameters(), 1e-2)
    for _ in range(30):
        optimiser.zero_grad()
        loss = with_head(mel, clips, 0, targets).auxiliary_loss
        loss.backward()
        optimiser.step()
    assert loss < 0.5 * one.auxiliary_loss


def test_a_run_with_an_auxiliary_head_resumes_to_the_same_bits(tmp_path, whole):
    settings = replace(SETTINGS, auxiliary_weight=0.5, prior="extended")
    run = quiet(settings, tmp_path / "whole")
    quiet(replace(settings, minutes=1e-6), tmp_path / "cut")
    resumed = quiet(settings, tmp_path / "cut", resume=True)
    assert_same_run(run, resumed)
    lines = metrics(tmp_path / "cut")
    assert [line["auxiliary_loss"] for line in lines] == [
        line["auxiliary_loss"] for line in metrics(tmp_path / "whole")
    ]
    # What is kept for the analyses knows nothing of the head.
    assert not [n for n in load_model(tmp_path / "cut").encoder.state_dict() if "auxiliary" in n]
    # A weight of 0 is the run that never had one.
    plain = quiet(replace(SETTINGS, auxiliary_weight=0.0))
    assert_same_run(plain, whole)


def test_weights_go_on_with_a_head_and_without_one(tmp_path, whole):
    save_model(whole.model, tmp_path / "plain.safetensors")
    settings = replace(SETTINGS, steps=1, auxiliary_weight=1.0)
    headed = quiet(replace(settings, start=str(tmp_path / "plain.safetensors")))
    assert headed.model.auxiliary.out_features == len(SUMMARIES)
    save_model(headed.model, tmp_path / "headed.safetensors")
    plain = quiet(replace(SETTINGS, steps=1, start=str(tmp_path / "headed.safetensors")))
    assert plain.model.auxiliary is None
    with pytest.raises(InputError, match="auxiliary_weight is 1, but of recordings no factors"):
        replace(settings, audio="sounds")
