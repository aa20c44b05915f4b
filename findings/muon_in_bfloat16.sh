#!/bin/sh
# PyTorch's Muon multiplies in bfloat16, also where weights are float32.
#
# One would guess that an optimiser works in the precision of the weights that it is given.
# torch.optim.Muon casts to bfloat16 for its iteration (five rounds of three products), on every
# device, and no argument changes that. On a GPU this is the purpose. A processor without units for
# bfloat16 multiplies tens of times slower in it than in float32, so that the optimiser can take
# longer than both passes. And singular values that should be equal come out between 0.68 and 1.14.
#
# Version: torch 2.14.1. Seen, weights of 96 x 64 in float32:
#   products in a step: 15, of them in bfloat16: 15
#   singular values of the step: 0.68 to 1.14
# It exits with 1 once a product is in float32.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.14.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import torch
from torch.utils._python_dispatch import TorchDispatchMode

products = []


class Watch(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function.overloadpacket.__name__ in ("mm", "addmm", "bmm", "baddbmm"):
            products.append(args[-1].dtype)
        return function(*args, **(kwargs or {}))


print("torch", torch.__version__)
torch.manual_seed(0)
weight = torch.nn.Parameter(torch.randn(96, 64))
before = weight.detach().clone()
optimiser = torch.optim.Muon([weight], lr=1.0, weight_decay=0.0)
weight.grad = torch.randn(96, 64)
with Watch():
    optimiser.step()
low = sum(kind == torch.bfloat16 for kind in products)
print(f"products in a step: {len(products)}, of them in bfloat16: {low}")
values = torch.linalg.svdvals(before - weight.detach())
values = values / (96 / 64) ** 0.5
print(f"singular values of the step: {values.min():.2f} to {values.max():.2f}")
if not products or low < len(products):
    sys.exit("no longer as described")
print("as described")
PYTHON
