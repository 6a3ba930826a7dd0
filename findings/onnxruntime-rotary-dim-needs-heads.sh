#!/usr/bin/env bash
# ai.onnx RotaryEmbedding (opset 23) with rotary_embedding_dim and no num_heads.
#
# Seen on a CPU: ONNX Runtime 1.23.2 raises "num_heads must be provided if
# rotary_embedding_dim is specified" though X has four dimensions, which say how
# many heads there are; 1.24.4 and 1.32.0 run the model and agree with onnx
# 1.23.2's reference evaluator. Left out where all of a head turns, 1.23.2 runs it too.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/rotary.py" <<'PY'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

rng = np.random.default_rng(0)
angles = np.arange(3)[None, :, None] * 10.0 ** -np.arange(4)
feed = dict(x=rng.standard_normal((1, 2, 3, 8)).astype(np.float32), c=np.cos(angles).astype(np.float32), s=np.sin(angles).astype(np.float32))


def run(**attributes):
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, a.shape) for n, a in feed.items()]
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, feed["x"].shape)
    graph = helper.make_graph([helper.make_node("RotaryEmbedding", list(feed), ["y"], **attributes)], "g", inputs, [out])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)])
    model.ir_version = 10
    onnx.checker.check_model(model, full_check=True)
    want = ReferenceEvaluator(model).run(None, feed)[0]
    try:
        got = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feed)[0]
    except Exception as error:
        return "refuses" if "num_heads must be provided" in str(error) else f"other error {error}"
    return "runs" if np.abs(got - want).max() < 1e-6 else "other numbers"


got = [run(rotary_embedding_dim=8), run()]
print(f"onnxruntime {onnxruntime.__version__}: with rotary_embedding_dim {got[0]}, without {got[1]}")
if got != sys.argv[1:]:
    sys.exit(f"changed: expected {sys.argv[1:]}")
PY

check() { # check VERSION WITH WITHOUT
	python3 -m venv "$work/$1"
	"$work/$1/bin/pip" install -q --disable-pip-version-check numpy==2.2.6 onnx==1.23.2 "onnxruntime==$1"
	"$work/$1/bin/python" "$work/rotary.py" "$2" "$3"
}
check 1.23.2 refuses runs
check 1.24.4 runs runs
check 1.32.0 runs runs
