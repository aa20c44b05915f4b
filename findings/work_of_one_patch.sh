#!/bin/sh
# torchinfo: a transformer takes as many multiplications for a long clip as for one patch.
#
# Tables of networks state how many multiplications a clip takes. One would guess that a counter which is
# given the clip counts all of them. torchinfo multiplies the weights of a linear layer by the first
# dimension of its output alone, the batch: a clip of 500 patches takes as many as one of a single patch.
# Convolutions are right. Its repository was mended in 2024 (pull request 318), but 1.8.0 of 2023 is the
# newest release. Both torchinfo and thop count nothing in MultiheadAttention, neither the projections nor
# the products, and thop leaves its weights out of the parameters, too.
#
# Version: torchinfo 1.8.0 (thop 0.1.1.post2209072238, torch 2.14.1). Seen, millions of multiplications of
# a layer of ViT-Tiny, width 192, and its parameters:
#   1 patch: torchinfo 0.30, thop 0.30, right 0.44
#   500 patches: torchinfo 0.30, thop 148.22, right 317.18
#   parameters: torchinfo 444864, thop 296640, right 444864
#   500 patches by a convolution of 192 x 192: torchinfo 18.53, right 18.43
# It exits with 1 once torchinfo gives more for 500 patches than for one.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet torchinfo==1.8.0 thop==0.1.1.post2209072238 torch==2.14.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import thop
import torch
import torchinfo

print("torchinfo", torchinfo.__version__)
width = 192
layer = torch.nn.TransformerEncoderLayer(width, 3, 4 * width, batch_first=True).eval()
parameters = sum(each.numel() for each in layer.parameters())
found = []
with torch.no_grad():
    for patches in (1, 500):
        clip = torch.zeros(1, patches, width)
        summary = torchinfo.summary(layer, input_data=clip, verbose=0)
        counted, weights = thop.profile(layer, (clip,), verbose=False)
        right = 12 * width**2 * patches + 2 * width * patches**2
        counts = [count / 1e6 for count in (summary.total_mult_adds, counted, right)]
        found.append(counts)
        unit = "patches" if patches > 1 else "patch"
        print("{} {}: torchinfo {:.2f}, thop {:.2f}, right {:.2f}".format(patches, unit, *counts))
    print(f"parameters: torchinfo {summary.total_params}, thop {weights:.0f}, right {parameters}")
    convolution = torch.nn.Conv1d(width, width, 1)
    summary = torchinfo.summary(convolution, input_size=(1, width, 500), verbose=0)
    print(
        f"500 patches by a convolution of {width} x {width}: torchinfo "
        f"{summary.total_mult_adds / 1e6:.2f}, right {500 * width**2 / 1e6:.2f}"
    )
if found[0][0] != found[1][0] or found[1][1] > 0.6 * found[1][2]:
    sys.exit("no longer as described")
print("as described")
PYTHON
