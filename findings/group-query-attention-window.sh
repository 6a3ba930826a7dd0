#!/usr/bin/env bash
# com.microsoft GroupQueryAttention with local_window_size: how many keys a query sees.
#
# Seen on a CPU, with a prompt of four tokens from an empty past and a window of 2: in
# ONNX Runtime 1.24.4 and 1.32.0 a query sees two keys, its own included; in 1.23.2 it
# sees three. Expected: the same keys in all.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/window.py" <<'PY'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

H, K, S, D, W = 4, 2, 4, 16, 2
rng = np.random.default_rng(0)
q = rng.standard_normal((1, S, H * D)).astype(np.float32)
k, v = (rng.standard_normal((1, S, K * D)).astype(np.float32) for _ in range(2))
empty = np.zeros((1, K, 0, D), np.float32)
feed = dict(q=q, k=k, v=v, pk=empty, pv=empty, n=np.array([S - 1], np.int32), t=np.array(S, np.int32))
types = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int32): TensorProto.INT32}
inputs = [helper.make_tensor_value_info(n, types[x.dtype], x.shape) for n, x in feed.items()]
outs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("y", "pk2", "pv2")]
node = helper.make_node("GroupQueryAttention", list(feed), ["y", "pk2", "pv2"], domain="com.microsoft", num_heads=H, kv_num_heads=K, local_window_size=W)
graph = helper.make_graph([node], "g", inputs, outs)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)])
model.ir_version = 10


def mix(window):
    out = np.zeros((S, H, D))
    for h in range(H):
        a, b, c = (x[0].reshape(S, -1, D)[:, i] for x, i in ((q, h), (k, h // (H // K)), (v, h // (H // K))))
        scores = a.astype(np.float64) @ b.T / np.sqrt(D)
        for i in range(S):
            seen = slice(max(i - window + 1, 0), i + 1)
            e = np.exp(scores[i, seen])
            out[i, h] = e / e.sum() @ c[seen]
    return out.reshape(1, S, H * D)


forms = {"its own included": mix(W), "besides its own": mix(W + 1)}
got = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feed)[0]
got = [n for n, want in forms.items() if np.abs(got - want).max() < 1e-5]
print(f"onnxruntime {onnxruntime.__version__}: {got}")
if got != [sys.argv[1]]:
    sys.exit(f"changed: expected {sys.argv[1]}")
PY

check() { # check VERSION FORM
	python3 -m venv "$work/$1"
	"$work/$1/bin/pip" install -q --disable-pip-version-check numpy==2.2.6 onnx==1.23.2 "onnxruntime==$1"
	"$work/$1/bin/python" "$work/window.py" "$2"
}
check 1.23.2 "besides its own"
check 1.24.4 "its own included"
check 1.32.0 "its own included"
