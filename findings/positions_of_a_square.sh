#!/bin/sh
# timm: positions are scrambled on the way to longer clips, if their number is a square.
#
# On spectrograms a Vision Transformer has a grid of patches such as 32 x 8. timm resamples position
# embeddings if a checkpoint meets a network of another size. One would guess that it knows both
# grids, and set_input_size does. But a state dict holds only a number of positions, and the old
# grid is taken for a square. 32 x 8 = 256 is also 16 x 16, so positions in time become mixtures of
# time and frequency, without a warning. 64 x 8 = 512 is no square, so the way from 10 s to 5 s
# raises an error.
#
# Version: timm 1.0.31 (torch 2.14.1). Seen, an embedding that is the number of the time step, from
# 512 x 128 to 1024 x 128:
#   set_input_size: differs along frequency by 0.0
#   state dict: differs along frequency by 1.0
#   state dict from 1024 x 128 to 512 x 128: RuntimeError: shape '[1, 22, 22, -1]' is invalid
# It exits with 1 once the state dict gives what set_input_size gives.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet timm==1.0.31 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import timm
import torch
from timm.models.vision_transformer import VisionTransformer, checkpoint_filter_fn

print("timm", timm.__version__)


def network(frames):
    return VisionTransformer(
        img_size=(frames, 128), in_chans=1, num_classes=0, embed_dim=64, depth=1, num_heads=2
    )


short = network(512)
with torch.no_grad():
    short.pos_embed[0, 1:] = torch.arange(32.0).repeat_interleave(8)[:, None]
state = short.state_dict()
filtered = checkpoint_filter_fn(dict(state), network(1024))["pos_embed"]
short.set_input_size(img_size=(1024, 128))


def along_frequency(positions):
    grid = positions[0, 1:, 0].detach().reshape(64, 8)
    return float((grid.amax(1) - grid.amin(1)).max())


right, wrong = along_frequency(short.pos_embed), along_frequency(filtered)
print(f"set_input_size: differs along frequency by {right:.1f}")
print(f"state dict: differs along frequency by {wrong:.1f}")
try:
    checkpoint_filter_fn(network(1024).state_dict(), network(512))
    refused = False
except RuntimeError as error:
    refused = True
    print("state dict from 1024 x 128 to 512 x 128: RuntimeError:", error)
if right > 0.01 or wrong < 0.5 or not refused:
    sys.exit("no longer as described")
print("as described")
PYTHON
