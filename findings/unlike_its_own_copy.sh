#!/bin/sh
# torch-cka: with a shuffling loader, the layers of a network are unlike those of its own copy.
#
# Centered kernel alignment (CKA) compares layers by how alike any two clips are in each: 1 is the same up
# to rotation and scale. One would guess that torch-cka shows both networks the same clips if it is given
# one loader, as it says that it does. It goes through the loader twice at once, and a loader that shuffles
# draws an order for each. The networks then see different clips, and any two layers have a CKA of about 0.
# Even without shuffling, the names in export() and in the plot are in the order of named_modules, which
# begins with the whole network, and the rows in the order of computation, which ends with it. Unless the
# layers are named, rows have the names of other layers.
#
# Version: torch-cka 0.21 (torch 2.14.1). Seen, a network of two linear layers and its copy, 512 inputs:
#   the two layers of the copies, in order: 1.00 1.00, shuffled: 0.01 0.00
#   names: ['', '0', '1', '2']
#   CKA of the whole and its last layer, which are the same: 0.47; of 1 and 2, which are not: 1.00
# It exits with 1 once the shuffled layers have a CKA above 0.5.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet torch-cka==0.21 torch==2.14.1 torchvision==0.29.1 matplotlib==3.11.2 \
    tqdm==4.70.1 numpy==2.4.6
venv/bin/python -W ignore - <<'PYTHON'
import copy
import sys
from importlib.metadata import version

import torch
from torch.utils.data import DataLoader, TensorDataset
from torch_cka import CKA

print("torch-cka", version("torch-cka"))
torch.manual_seed(0)
linear = torch.nn.Linear
network = torch.nn.Sequential(linear(20, 30), torch.nn.ReLU(), linear(30, 5))
inputs = TensorDataset(torch.randn(512, 20))


def similarity(layers, shuffle):
    both = CKA(network, copy.deepcopy(network), "one", "two", layers, layers, device="cpu")
    with torch.no_grad():
        both.compare(DataLoader(inputs, batch_size=64, shuffle=shuffle))
    return both.export()


ordered, shuffled = (similarity(["0", "2"], each)["CKA"].diagonal() for each in (False, True))
print(
    f"the two layers of the copies, in order: {ordered[0]:.2f} {ordered[1]:.2f}, "
    f"shuffled: {shuffled[0]:.2f} {shuffled[1]:.2f}"
)
every = similarity(None, False)
names = every["model1_layers"]
print("names:", names)
whole, last, between = names.index(""), names.index("2"), names.index("1")
same, other = every["CKA"][whole, last], every["CKA"][between, last]
print(
    f"CKA of the whole and its last layer, which are the same: {same:.2f}; of 1 and 2, which are "
    f"not: {other:.2f}"
)
if ordered.min() < 0.99 or shuffled.max() > 0.5 or same > 0.9 or other < 0.99:
    sys.exit("no longer as described")
print("as described")
PYTHON
