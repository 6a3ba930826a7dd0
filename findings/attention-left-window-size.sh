#!/usr/bin/env bash
# ai.onnx Attention (opset 25) with left_window_size, in three runtimes.
#
# Seen on a CPU, 5 queries over 5 keys, causal, left_window_size 1:
#   onnx 1.23.2's reference    each query sees 2 keys: itself and one before
#   ONNX Runtime 1.32.0        the same
#   OpenVINO 2026.4.1          every key up to the query's own: the window is
#   tract 0.23.9               passed over, without an error or a warning
# Sliding windows written as a mask are the same everywhere.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/v"
"$work/v/bin/pip" install -q --disable-pip-version-check numpy==2.2.6 onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1 tract==0.23.9

"$work/v/bin/python" - "$work" <<'PY'
import sys

import numpy as np
import onnx
import onnxruntime
import openvino
import tract
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

rng = np.random.default_rng(0)
feed = {n: rng.standard_normal((1, 2, 5, 8)).astype(np.float32) for n in "qkv"}
inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, a.shape) for n, a in feed.items()]
out = helper.make_tensor_value_info("y", TensorProto.FLOAT, feed["q"].shape)
node = helper.make_node("Attention", list(feed), ["y"], is_causal=1, left_window_size=1)
model = helper.make_model(helper.make_graph([node], "g", inputs, [out]), opset_imports=[helper.make_opsetid("", 25)])
model.ir_version = 11
onnx.checker.check_model(model, full_check=True)
path = sys.argv[1] + "/window.onnx"
onnx.save(model, path)


def attention(before):
    scores = feed["q"] @ feed["k"].swapaxes(-1, -2) / np.sqrt(8)
    i, j = np.indices((5, 5))
    scores = np.where((j <= i) & (i - j <= before), scores, -np.inf)
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True) @ feed["v"]


def which(y):
    return [n for n, want in (("window", attention(1)), ("no window", attention(5))) if np.abs(y - want).max() < 1e-5]


got = {
    "reference": which(ReferenceEvaluator(model).run(None, feed)[0]),
    "onnxruntime": which(onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, feed)[0]),
    "openvino": which(openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(feed)[0]),
    "tract": which(tract.onnx().load(path).into_model().into_runnable().run([feed[n] for n in "qkv"])[0].to_numpy()),
}
print(got)
if got != {"reference": ["window"], "onnxruntime": ["window"], "openvino": ["no window"], "tract": ["no window"]}:
    sys.exit("changed: expected the window of onnx's reference and ONNX Runtime alone")
PY
