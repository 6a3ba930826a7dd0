#!/usr/bin/env bash
# A NaN in one query and key of ai.onnx Attention (opset 23) in OpenVINO.
#
# Seen on a CPU: with NaN in the query and the key of position 2 of 5, causal,
# ONNX Runtime 1.32.0 and onnx 1.23.2's reference give NaN for every position (a
# score of NaN stays NaN under a mask of −inf). OpenVINO 2026.4.1 gives finite numbers
# everywhere: its softmax treats NaN as a key that is not there. A model cannot
# use NaN as a mark of bad input there, if attention comes after it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/v"
"$work/v/bin/pip" install -q --disable-pip-version-check numpy==2.2.6 onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1

"$work/v/bin/python" - "$work" <<'PY'
import sys

import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

rng = np.random.default_rng(0)
feed = {n: rng.standard_normal((1, 2, 5, 8)).astype(np.float32) for n in "qkv"}
for n in "qk":
    feed[n][:, :, 2] = np.nan
inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, a.shape) for n, a in feed.items()]
out = helper.make_tensor_value_info("y", TensorProto.FLOAT, feed["q"].shape)
node = helper.make_node("Attention", list(feed), ["y"], is_causal=1)
model = helper.make_model(helper.make_graph([node], "g", inputs, [out]), opset_imports=[helper.make_opsetid("", 23)])
model.ir_version = 10
onnx.checker.check_model(model, full_check=True)
path = sys.argv[1] + "/nan.onnx"
onnx.save(model, path)


def rows(y):
    return np.flatnonzero(np.isnan(y).any(axis=(0, 1, 3))).tolist()


got = {
    "reference": rows(ReferenceEvaluator(model).run(None, feed)[0]),
    "onnxruntime": rows(onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, feed)[0]),
    "openvino": rows(openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(feed)[0]),
}
print("positions with NaN:", got)
if got != {"reference": [0, 1, 2, 3, 4], "onnxruntime": [0, 1, 2, 3, 4], "openvino": []}:
    sys.exit("changed: expected NaN everywhere, and none from OpenVINO")
PY
