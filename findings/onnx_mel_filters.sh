#!/bin/sh
# ONNX's MelWeightMatrix: of 128 mel bands, 13 are copies of others.
#
# ONNX has an operator for mel filters. One would guess that they are HTK's, as in torchaudio and in
# librosa with htk=True. The operator moves the corners of each triangle down to whole bins of the
# transform. Narrow filters, which are most of the lower half, become single bins of height 1, and
# filters that fall on the same bin are equal. So a front end exported with this operator is not the
# one that its network was trained on.
#
# Version: onnxruntime 1.30.0, onnx 1.23.2, librosa 0.11.0. Seen, 512-point transform at 16 kHz:
#   40 bands: farthest from HTK's filters by 0.99, 0 bands doubled
#   80 bands: farthest from HTK's filters by 1.00, 1 bands doubled
#   128 bands: farthest from HTK's filters by 1.00, 13 bands doubled
# It exits with 1 once filters agree to 0.1 or no band is doubled.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet onnxruntime==1.30.0 onnx==1.23.2 librosa==0.11.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys
import warnings

import librosa
import numpy as np
import onnxruntime
from onnx import TensorProto, helper

warnings.simplefilter("ignore")
RATE, POINTS = 16000, 512


def by_onnx(bands):
    values = {
        "bands": np.int64(bands),
        "points": np.int64(POINTS),
        "rate": np.int64(RATE),
        "low": np.float32(0),
        "high": np.float32(RATE / 2),
    }
    inputs = [
        helper.make_tensor_value_info(
            name, TensorProto.INT64 if value.dtype == np.int64 else TensorProto.FLOAT, []
        )
        for name, value in values.items()
    ]
    output = helper.make_tensor_value_info("matrix", TensorProto.FLOAT, None)
    node = helper.make_node("MelWeightMatrix", list(values), ["matrix"])
    graph = helper.make_graph([node], "mel", inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    session = onnxruntime.InferenceSession(model.SerializeToString())
    feed = {name: np.array(value) for name, value in values.items()}
    return session.run(None, feed)[0]


print("onnxruntime", onnxruntime.__version__, "librosa", librosa.__version__)
for bands in (40, 80, 128):
    matrix = by_onnx(bands)
    exact = librosa.filters.mel(sr=RATE, n_fft=POINTS, n_mels=bands, htk=True, norm=None).T
    farthest = np.abs(matrix - exact).max()
    doubled = bands - len(np.unique(matrix, axis=1).T)
    print(f"{bands} bands: farthest from HTK's filters by {farthest:.2f}, {doubled} bands doubled")
if farthest < 0.1 or not doubled:
    sys.exit("no longer as described")
print("as described")
PYTHON
