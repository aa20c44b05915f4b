#!/bin/sh
# transformers: with Wav2Vec2-Conformer, a clip's frames depend on its padding in spite of the mask.
#
# Clips of a batch are padded to one length, and the attention mask says what is padding. For networks
# whose first layers normalise each frame, which Wav2Vec2-Conformer has, the mask is meant to be given,
# and one would guess that a clip then has the same frames in any batch. Attention obeys the mask, but
# the convolution in each layer reads padded frames, which are no longer zero after the first sublayer.
# The last frames of a clip take from the padding, and attention hands it on to all. An embedding of a
# clip alone and one from a batch differ. Wav2Vec2 with the same settings gives equal ones.
#
# Version: transformers 5.24.0 (torch 2.14.1). Seen, random weights, 1 s padded to 2 s, distance between
# the embeddings (means over its frames) with and without padding, over the distance of two clips:
#   Wav2Vec2: 0.00
#   Wav2Vec2Conformer, relative positions: 0.88
#   Wav2Vec2Conformer, rotary positions: 1.01
# It exits with 1 once Wav2Vec2Conformer gives what Wav2Vec2 does.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet transformers==5.24.0 torch==2.14.1 numpy==2.4.6
HF_HUB_OFFLINE=1 venv/bin/python - <<'PYTHON'
import sys

import torch
import transformers

print("transformers", transformers.__version__)
transformers.logging.set_verbosity_error()
size = dict(hidden_size=64, num_hidden_layers=4, num_attention_heads=4, intermediate_size=128)
front = dict(conv_dim=(64,) * 7, num_conv_pos_embedding_groups=4, conv_bias=True)
layers = dict(feat_extract_norm="layer", do_stable_layer_norm=True)


def embed(model, wave, heard):
    mask = (torch.arange(wave.shape[1]) < heard).long()[None]
    with torch.no_grad():
        frames = model(wave, attention_mask=mask).last_hidden_state
    return frames[0, : model._get_feat_extract_output_lengths(heard)].mean(0)


def moved(name, **more):
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**size, **front, **layers, **more)
    model = getattr(transformers, f"{name}Model")(config).eval()
    torch.manual_seed(1)
    one, other = torch.randn(2, 1, 16000)
    padded = torch.cat([one, torch.zeros(1, 16000)], dim=1)
    alone = embed(model, one, 16000)
    distance = (embed(model, padded, 16000) - alone).norm() / (embed(model, other, 16000) - alone).norm()
    return distance.item()


plain = moved("Wav2Vec2")
print(f"Wav2Vec2: {plain:.2f}")
found = []
for kind in ("relative", "rotary"):
    found.append(moved("Wav2Vec2Conformer", position_embeddings_type=kind))
    print(f"Wav2Vec2Conformer, {kind} positions: {found[-1]:.2f}")
if plain > 0.001 or min(found) < 0.1:
    sys.exit("no longer as described")
print("as described")
PYTHON
