"""Pre-training in processes of its own: several that share a run, and one that is killed."""

import json
import os
import random
import signal
import subprocess
import sys
from dataclasses import asdict, replace

import av
import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from audiopg.datasets.folder import draw_windows, find_recordings
from audiopg.pretrained import load_model
from audiopg.pretraining import PretrainSettings, pretrain

SETTINGS = PretrainSettings(
    preset="micro", steps=45, batch_size=2, learning_rate=1e-3, warmup_steps=2, checkpoint_every=1
)
SHARED = replace(SETTINGS, steps=4, batch_size=4, checkpoint_every=2)
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
LONGEST_SECONDS = 1800


def flags(settings):
    names = ("preset", "steps", "batch_size", "learning_rate", "warmup_steps", "checkpoint_every")
    values = [f"--{name.replace('_', '-')}={getattr(settings, name)}" for name in names]
    return [*values, "--device=cpu"]


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def losses(folder):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


def torchrun(processes, *arguments):
    """What the processes print, and the status they end with."""
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return subprocess.run(
        [sys.executable, *launch, *map(str, arguments)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
    )


@pytest.fixture(scope="module")
def alone():
    """The run of SHARED in this process, with no others."""
    return pretrain(SHARED, device="cpu", progress=False)


@pytest.mark.parametrize("processes", [1, 2])
def test_torchrun_gives_the_same_run_on_any_number_of_processes(tmp_path, processes, alone):
    done = torchrun(processes, "-m", "audiopg", "pretrain", *flags(SHARED), "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("4 steps, loss") == 1
    assert done.stderr.count("| 0/4 [") == 1
    torch.testing.assert_close(torch.tensor(losses(tmp_path)), alone.losses, atol=1e-4, rtol=0)
    torch.testing.assert_close(
        weights(load_model(tmp_path)), weights(alone.model), atol=1e-4, rtol=0
    )
    assert json.loads((tmp_path / "provenance.json").read_text())["processes"] == processes
    assert sorted(path.name for path in tmp_path.glob("step-*")) == [
        "step-00000002",
        "step-00000004",
    ]


def test_two_processes_train_an_auxiliary_head_as_one_does(tmp_path):
    settings = replace(SHARED, auxiliary_weight=0.5)
    one = pretrain(settings, device="cpu", progress=False)
    extra = ["--auxiliary-weight=0.5", "--out", tmp_path]
    done = torchrun(2, "-m", "audiopg", "pretrain", *flags(settings), *extra)
    assert done.returncode == 0, done.stderr
    torch.testing.assert_close(torch.tensor(losses(tmp_path)), one.losses, atol=1e-4, rtol=0)
    head = load_model(tmp_path).auxiliary.weight
    assert head.abs().max() > 0
    torch.testing.assert_close(head, one.model.auxiliary.weight, atol=1e-3, rtol=0)


# What two processes do in one launch, in the folder that is the first argument.
TOGETHER = """
import errno, json, os, signal, sys
from dataclasses import replace
from pathlib import Path

import torch, torch.distributed as dist
from audiopg import pretraining, runs
from audiopg.errors import InputError

torch.set_num_threads(1)
dist.init_process_group("gloo")
rank, folder = dist.get_rank(), Path(sys.argv[1])
settings = pretraining.PretrainSettings(**json.loads(sys.argv[2]))
said = {}


def run(settings, out, **options):
    return pretraining.pretrain(settings, out, device="cpu", progress=False, **options)


def keep(name, result):
    flat = torch.cat([p.detach().flatten() for p in result.model.parameters()])
    said[name] = result.losses.tolist()
    torch.save(flat, folder / f"{name}-{rank}.pt")


def refused(name, settings, out, **options):
    try:
        run(settings, out, **options)
    except InputError as error:
        said[name] = str(error)


# Of minutes and folder only the first process's count.
mine = folder / ("run" if rank == 0 else "never")
run(replace(settings, minutes=1e-6 if rank == 0 else None), mine)
said["steps of the short run"] = len((folder / "run/metrics.jsonl").read_text().splitlines())
keep("resumed", run(settings, mine, resume=True))

refused("a folder with a run", settings, mine)
refused("a batch", replace(settings, batch_size=5), folder / "batch")


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


save_tensors = runs.save_tensors
if rank == 0:
    runs.save_tensors = full_disk
refused("a full disk", settings, folder / "full")
runs.save_tensors = save_tensors


def spoil(step, model, losses):
    if step == 1:
        with torch.no_grad():
            model.mask_token.fill_(torch.inf)


refused("an explosion", settings, folder / "explosion", watch=spoil)

real = replace(settings, audio=str(folder / "recordings"))
keep("recordings", run(real, None))
refused("other recordings", replace(real, audio=str(folder / f"recordings-{rank}")), None)
refused("a damaged recording", replace(real, audio=str(folder / "damaged")), None)


def interrupt(step, model, losses):
    if step == 2:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)


try:
    run(settings, folder / "stopped", watch=interrupt)
except KeyboardInterrupt:
    said["stopped"] = sorted(path.name for path in (folder / "stopped").glob("step-*"))
(folder / f"said-{rank}.json").write_text(json.dumps(said))
dist.destroy_process_group()
"""


def write_recordings(folder):
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(8):
        wave = generator.standard_normal(16000 * (number + 7)) * 0.1
        soundfile.write(folder / f"{number}.flac", wave, 16000)


def test_two_processes_go_on_and_stop_together(tmp_path, alone):
    for name in ("recordings", "recordings-0", "recordings-1", "damaged"):
        write_recordings(tmp_path / name)
    (tmp_path / "recordings-1/7.flac").unlink()
    # The third clip is the second process's: the first reads nothing but good files.
    rows, _ = draw_windows(find_recordings(tmp_path / "damaged"), torch.arange(4), SHARED.seed)
    victim = tmp_path / f"damaged/{rows[2]}.flac"
    content = bytearray(victim.read_bytes())
    with av.open(victim) as container:
        frames = [(each.pos, each.size) for each in container.demux(audio=0) if each.size]
    # A bit within each frame but the last, which only decoding notices.
    for place, size in frames[:-1]:
        content[place + size // 2] ^= 1
    victim.write_bytes(content)
    on_recordings = pretrain(
        replace(SHARED, audio=tmp_path / "recordings"), device="cpu", progress=False
    )
    (tmp_path / "together.py").write_text(TOGETHER)

    done = torchrun(2, tmp_path / "together.py", tmp_path, json.dumps(asdict(SHARED)))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("audiopg: finishing this step\n") == 1
    assert not (tmp_path / "never").exists()
    for rank in (0, 1):
        said = json.loads((tmp_path / f"said-{rank}.json").read_text())
        for name, expected in (("resumed", alone), ("recordings", on_recordings)):
            found = torch.tensor(said[name])
            torch.testing.assert_close(found, expected.losses, atol=1e-4, rtol=0)
            flat = torch.load(tmp_path / f"{name}-{rank}.pt", weights_only=True)
            torch.testing.assert_close(flat, weights(expected.model), atol=1e-4, rtol=0)
        assert said["steps of the short run"] == 1
        assert "run holds a run already" in said["a folder with a run"]
        assert "batch_size is 5, which 2 processes cannot share alike" in said["a batch"]
        assert "No space left on device" in said["a full disk"]
        assert "the loss is nan" in said["an explosion"]
        assert "at step 1, clips 4 to 7" in said["an explosion"]
        assert "holds other recordings on one machine than" in said["other recordings"]
        assert f"{victim} " in said["a damaged recording"]
        assert said["stopped"] == ["step-00000002", "step-00000003"]
    whole, stopped = ((tmp_path / name / "step-00000002") for name in ("run", "stopped"))
    for name in ("model.safetensors", "optimiser.safetensors"):
        one, other = load_file(whole / name), load_file(stopped / name)
        assert one.keys() == other.keys()
        for key, value in one.items():
            torch.testing.assert_close(value, other[key], atol=1e-4, rtol=0)


# One process, killed


# Sends its own process a signal in the middle of a step, at the batch of a given number.
STOPPED = """
import os, signal, sys
from audiopg import pretraining
from audiopg.__main__ import main

render, calls = pretraining.render, []
way, moment = signal.Signals[sys.argv[1]], int(sys.argv[2])


def stopped(params):
    calls.append(params)
    if len(calls) == moment:
        os.kill(os.getpid(), way)
    return render(params)


pretraining.render = stopped
sys.exit(main(sys.argv[3:]))
"""


def newest(folder):
    return int(max(path.name for path in folder.glob("step-*")).removeprefix("step-"))


@pytest.mark.parametrize("before", [1, 2])
def test_a_killed_run_goes_on_with_another_number_of_processes(tmp_path, before, alone):
    (tmp_path / "stopped.py").write_text(STOPPED)
    out = ["--out", tmp_path / "run"]
    # The fourth batch is made in the third step.
    arguments = ["SIGKILL", 4, "pretrain", *flags(SHARED), *out]
    assert torchrun(before, tmp_path / "stopped.py", *arguments).returncode != 0
    assert (newest(tmp_path / "run"), len(losses(tmp_path / "run"))) == (2, 2)
    arguments = ["pretrain", "--resume", "--device=cpu", *out]
    done = torchrun(3 - before, "-m", "audiopg", *arguments)
    assert done.returncode == 0, done.stderr
    found = torch.tensor(losses(tmp_path / "run"))
    torch.testing.assert_close(found, alone.losses, atol=1e-4, rtol=0)
    torch.testing.assert_close(
        weights(load_model(tmp_path / "run")), weights(alone.model), atol=1e-4, rtol=0
    )


def test_a_run_stopped_again_and_again_ends_with_the_same_bits(tmp_path):
    moments = random.Random(0)
    arguments = [*flags(SETTINGS)]
    for way in (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        at = [way.name, str(moments.randint(4, 9))]
        stopped = subprocess.run(
            [sys.executable, "-c", STOPPED, *at, "pretrain", *arguments, "--out", str(tmp_path)],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
        )
        if way is signal.SIGKILL:
            assert stopped.returncode == -signal.SIGKILL
        else:
            assert stopped.returncode == 128 + way
            said = f"stopped after step {newest(tmp_path)}; go on with --resume --out {tmp_path}"
            assert stopped.stderr.splitlines()[-1] == f"audiopg: {said}"
            assert "Traceback" not in stopped.stderr
        load_model(tmp_path)  # The newest checkpoint can always be loaded.
        arguments = ["--resume"]
    resumed = pretrain(SETTINGS, tmp_path, resume=True, device="cpu", progress=False)
    expected = pretrain(SETTINGS, device="cpu", progress=False)
    assert losses(tmp_path) == expected.losses.tolist()
    assert torch.equal(weights(resumed.model), weights(expected.model))
    assert not list(tmp_path.rglob("*.part"))


# Kills its own process in the middle of the checkpoint of a given number.
KILLED_WHILE_WRITING = """
import os, signal, sys
from audiopg import runs
from audiopg.__main__ import main

save_tensors, calls = runs.save_tensors, []


def killed(tensors, path, *header):
    save_tensors(tensors, path, *header)
    calls.extend([path] * ("optimiser.safetensors" in path.name))
    if len(calls) == int(sys.argv[1]) and path == calls[-1]:
        os.truncate(path, 1000)
        os.kill(os.getpid(), signal.SIGKILL)


runs.save_tensors = killed
main(sys.argv[2:])
"""


@pytest.mark.parametrize("place", [1, 3])
def test_a_run_killed_while_it_writes_a_checkpoint_goes_on_from_the_one_before(
    tmp_path, capsys, place
):
    settings = replace(SETTINGS, steps=5)
    arguments = [str(place), "pretrain", *flags(settings), "--out", str(tmp_path)]
    done = subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, *arguments], env=ENVIRONMENT)
    assert done.returncode == -signal.SIGKILL
    assert len(losses(tmp_path)) == place
    (part,) = tmp_path.glob(f".step-0000000{place}.*.part")
    kept = [path.name for path in sorted(tmp_path.glob("step-*"))]
    assert kept == ["step-00000001", "step-00000002"][: place - 1]
    resumed = pretrain(settings, tmp_path, resume=True, device="cpu", progress=False)
    expected = pretrain(settings, device="cpu", progress=False)
    assert torch.equal(resumed.losses, expected.losses)
    assert torch.equal(weights(resumed.model), weights(expected.model))
    assert not part.exists()
    # Nothing was damaged.
    again = f"{tmp_path} has no checkpoint yet; its 1 steps are taken again.\n"
    assert capsys.readouterr().out == ("" if kept else again)
