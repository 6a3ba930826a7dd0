#!/usr/bin/env bash
# A query whose mask hides every key, in ai.onnx Attention (opset 23).
#
# Seen with onnx 1.23.2's reference evaluator and ONNX Runtime on a CPU:
#   reference          zeros
#   ONNX Runtime 1.23.2  NaN
#   ONNX Runtime 1.26.0  the mean of V with a boolean mask, NaN with one of −inf
#   ONNX Runtime 1.29.0  zeros
#   ONNX Runtime 1.32.0  zeros
# A row of padding on the left is such a query. One NaN in it spreads to every
# row that later multiplies it, even by 0.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/row.py" <<'PY'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

want = dict(zip(("bool", "float"), sys.argv[1:]))
rng = np.random.default_rng(0)
q, k, v = (rng.standard_normal(s).astype(np.float32) for s in ((1, 1, 2, 8), (1, 1, 3, 8), (1, 1, 3, 8)))
seen = np.array([[True, True, False], [False, False, False]])


def name(row):
    if np.isnan(row).all():
        return "NaN"
    if (row == 0).all():
        return "zeros"
    if np.allclose(row, v[0, 0].mean(0), atol=1e-6):
        return "mean"
    return f"other {row}"


for kind, mask in (("bool", seen), ("float", np.where(seen, 0, -np.inf).astype(np.float32))):
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, x.shape) for n, x in (("q", q), ("k", k), ("v", v))]
    values.append(helper.make_tensor_value_info("m", TensorProto.BOOL if kind == "bool" else TensorProto.FLOAT, mask.shape))
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, q.shape)
    graph = helper.make_graph([helper.make_node("Attention", ["q", "k", "v", "m"], ["y"])], "g", values, [out])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)])
    model.ir_version = 10
    onnx.checker.check_model(model, full_check=True)
    feed = dict(q=q, k=k, v=v, m=mask)
    reference = name(ReferenceEvaluator(model).run(None, feed)[0][0, 0, 1])
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    got = name(session.run(None, feed)[0][0, 0, 1])
    print(f"onnxruntime {onnxruntime.__version__}, {kind} mask: {got}; reference: {reference}")
    if got != want[kind] or reference != "zeros":
        sys.exit(f"changed: expected {want[kind]}, and zeros of the reference")
PY

check() { # check VERSION BOOL FLOAT
	python3 -m venv "$work/$1"
	"$work/$1/bin/pip" install -q --disable-pip-version-check numpy==2.2.6 onnx==1.23.2 "onnxruntime==$1"
	"$work/$1/bin/python" "$work/row.py" "$2" "$3"
}
check 1.23.2 NaN NaN
check 1.26.0 mean NaN
check 1.29.0 zeros zeros
check 1.32.0 zeros zeros
