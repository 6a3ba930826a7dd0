#!/usr/bin/env bash
# ai.onnx Attention (opset 23) with softcap and a float mask: which comes first.
#
# Seen on a CPU: onnx 1.23.2's reference evaluator and ONNX Runtime 1.29.0 and
# 1.32.0 cap the scores and then add the mask; ONNX Runtime 1.23.2 and 1.26.0
# add the mask and cap the sum. A mask of −inf hides nothing there: the cap
# makes −cap of it. Finite biases (ALiBi) are bent as well, in silence.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/cap.py" <<'PY'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

cap = 2.0
rng = np.random.default_rng(0)
q, k, v = (rng.standard_normal(s).astype(np.float32) for s in ((1, 1, 2, 8), (1, 1, 3, 8), (1, 1, 3, 8)))
m = np.array([[0, -3, -np.inf], [0, 0, -3]], np.float32)
feed = dict(q=q, k=k, v=v, m=m)
inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, x.shape) for n, x in feed.items()]
out = helper.make_tensor_value_info("y", TensorProto.FLOAT, q.shape)
graph = helper.make_graph([helper.make_node("Attention", list(feed), ["y"], softcap=cap)], "g", inputs, [out])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)])
model.ir_version = 10
onnx.checker.check_model(model, full_check=True)


def mix(scores):
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True) @ v[0, 0]


scores = q[0, 0].astype(np.float64) @ k[0, 0].T / np.sqrt(8)
forms = {"cap, then mask": mix(cap * np.tanh(scores / cap) + m), "mask, then cap": mix(cap * np.tanh((scores + m) / cap))}


def which(y):
    return [n for n, want in forms.items() if np.abs(y[0, 0] - want).max() < 1e-5]


got = which(onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feed)[0])
reference = which(ReferenceEvaluator(model).run(None, feed)[0])
print(f"onnxruntime {onnxruntime.__version__}: {got}; reference: {reference}")
if got != [sys.argv[1]] or reference != ["cap, then mask"]:
    sys.exit(f"changed: expected {sys.argv[1]}, and cap, then mask of the reference")
PY

check() { # check VERSION ORDER
	python3 -m venv "$work/$1"
	"$work/$1/bin/pip" install -q --disable-pip-version-check numpy==2.2.6 onnx==1.23.2 "onnxruntime==$1"
	"$work/$1/bin/python" "$work/cap.py" "$2"
}
check 1.23.2 "mask, then cap"
check 1.26.0 "mask, then cap"
check 1.29.0 "cap, then mask"
check 1.32.0 "cap, then mask"
