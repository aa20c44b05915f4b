#!/bin/sh
# transformers: ViTMAE gives the tokens of a whole spectrogram in random order.
#
# A masked autoencoder shuffles its patches and keeps the first ones. To embed a clip one sets
# mask_ratio to 0, so that nothing is masked. One would guess that the tokens then come in the order
# of the patches. ViTMAE shuffles them all the same, anew in every call and in evaluation mode, and
# its output looks as it should: an average over all tokens is right, one over time or over the bands
# is not. Only ids_restore tells the order. One would also guess that what the encoder takes the whole
# model takes. The positions of the decoder are made for a square, so a model of spectrograms of
# 1024 x 128 cannot be made at all.
#
# Version: transformers 5.24.0 (torch 2.13.0). Seen:
#   two calls: tokens differ by more than 1, sorted by ids_restore by less than 1e-5
#   ViTMAEForPreTraining of 1024 x 128: RuntimeError: The size of tensor a (513) must match the size of
#   tensor b (485) at non-singleton dimension 1
# It exits with 1 once the tokens of two calls agree, or that model can be made.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet transformers==5.24.0 torch==2.13.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import torch
import transformers
from transformers import ViTMAEConfig, ViTMAEForPreTraining, ViTMAEModel

print("transformers", transformers.__version__)
config = ViTMAEConfig(
    hidden_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=256,
    image_size=(1024, 128),
    num_channels=1,
    mask_ratio=0.0,
)
torch.manual_seed(0)
model = ViTMAEModel(config).eval()
spectrogram = torch.randn(1, 1, 1024, 128)


def tokens():
    """Those of the patches as they come, and sorted by what the model says of their order."""
    with torch.no_grad():
        found = model(spectrogram)
    patches = found.last_hidden_state[0, 1:]
    return patches, patches[found.ids_restore[0]]


(first, first_sorted), (second, second_sorted) = tokens(), tokens()
apart = (first - second).abs().max().item()
apart_sorted = (first_sorted - second_sorted).abs().max().item()
print(f"two calls: tokens differ by {apart:.2g}, sorted by ids_restore by {apart_sorted:.2g}")
try:
    ViTMAEForPreTraining(config)
    refused = "nothing"
except RuntimeError as error:
    refused = f"RuntimeError: {error}"
print("ViTMAEForPreTraining of 1024 x 128:", refused)
if apart > 1 and apart_sorted < 1e-5 and "(513)" in refused:
    print("as described")
else:
    sys.exit("no longer as described")
PYTHON
