#!/bin/sh
# hearvalidator: pip takes an old release, whose verdicts differ both ways.
#
# One would guess that pip installs the newest release, or says why not. The newest (2021.0.6) is
# for Python below 3.9, so pip on a newer Python passes over it without a word, and takes 2021.0.2,
# which states no such limit. The old one refuses times whose gaps differ by more than a microsecond
# (its message says 1 ms), and accepts times after the end of the sound.
#
# Version: hearvalidator 2021.0.2 and 2021.0.6 (torch 2.14.1; a stand-in for tensorflow, which only
# models in it need). Seen:
#   pip takes 2021.0.2
#   gaps that differ by 0.2 ms: 2021.0.2 refuses, 2021.0.6 accepts
#   times beyond the end: 2021.0.2 accepts, 2021.0.6 refuses
# It exits with 1 once pip takes another or the verdicts agree.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.14.1 numpy==2.4.6
venv/bin/pip download --quiet --no-deps --dest wheels hearvalidator
venv/bin/pip download --quiet --no-deps --dest wheels --python-version 3.8 hearvalidator
venv/bin/python - <<'PYTHON'
import contextlib
import importlib
import io
import sys
import types
import warnings
from pathlib import Path

import torch

warnings.simplefilter("ignore")
sys.modules["tensorflow"] = types.ModuleType("tensorflow")
sys.modules["tensorflow"].Module = type("Module", (), {})
wheels = {path.name.split("-")[1]: str(path) for path in sorted(Path("wheels").iterdir())}
print("pip takes", min(wheels))


def verdict(release, times):
    """What a release says of embeddings of 2 s at these times, milliseconds."""
    sys.path.insert(0, wheels[release])
    sys.modules.pop("hearvalidator.validate", None)
    sys.modules.pop("hearvalidator", None)
    validate = importlib.import_module("hearvalidator.validate")
    sys.path.pop(0)
    judge = validate.ValidateModel("mine", "")
    judge.model_type = "torch"
    judge.model = types.SimpleNamespace(sample_rate=16000, timestamp_embedding_size=8)

    def get_timestamp_embeddings(audio, model):
        return torch.zeros(len(audio), len(times), 8), times.repeat(len(audio), 1)

    judge.module = types.SimpleNamespace(get_timestamp_embeddings=get_timestamp_embeddings)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            if release == "2021.0.2":
                judge.torch_timestamp_embeddings()
            else:
                judge._check_timestamp_embeddings(num_audio=2, length=2.0)
    except validate.ModelError:
        return "refuses"
    return "accepts"


jitter = torch.arange(0, 2000, 40.0)
jitter[1::2] += 0.1
cases = {"gaps that differ by 0.2 ms": jitter, "times beyond the end": torch.arange(0, 3000, 40.0)}
verdicts = []
for name, times in cases.items():
    row = {release: verdict(release, times) for release in ("2021.0.2", "2021.0.6")}
    print(f"{name}:", ", ".join(f"{release} {said}" for release, said in row.items()))
    verdicts.append(list(row.values()))
if set(wheels) != {"2021.0.2", "2021.0.6"} or verdicts != [
    ["refuses", "accepts"],
    ["accepts", "refuses"],
]:
    sys.exit("no longer as described")
print("as described")
PYTHON
