#!/usr/bin/env bash
# onnx's loader and a file of external data that has a second name.
#
# Seen: onnx 1.20.1 loads a model whose external data lie in a file that is
# hard-linked elsewhere, as copies of a checkpoint that share their tensors on
# one disk are; 1.21.0 and 1.23.2 raise onnx.checker.ValidationError for the
# link count alone. ONNX Runtime 1.32.0 runs the model. A copy or a reflink has
# a link count of 1 and loads everywhere.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/make.py" <<'PY'
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

os.makedirs(sys.argv[1])
w = numpy_helper.from_array(np.arange(4096, dtype=np.float32), "w")
ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [4096]) for n in "xy"]
graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", ends[:1], ends[1:], [w])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
model.ir_version = 10
onnx.save(model, sys.argv[1] + "/model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
os.link(sys.argv[1] + "/weights.bin", sys.argv[1] + "/also.bin")
PY
cat >"$work/load.py" <<'PY'
import sys

import onnx

try:
    onnx.load(sys.argv[1])
    got = "loads"
except onnx.checker.ValidationError as error:
    got = "refuses"
    print(str(error).split(",", 1)[-1].strip()[:120])
print(f"onnx {onnx.__version__}: {got}")
if got != sys.argv[2]:
    sys.exit(f"changed: expected that it {sys.argv[2]}")
PY

check() { # check VERSION WHAT
	python3 -m venv "$work/$1"
	"$work/$1/bin/pip" install -q --disable-pip-version-check numpy==2.2.6 "onnx==$1"
	[ -d "$work/model" ] || "$work/$1/bin/python" "$work/make.py" "$work/model"
	"$work/$1/bin/python" "$work/load.py" "$work/model/model.onnx" "$2"
}
check 1.20.1 loads
check 1.21.0 refuses
check 1.23.2 refuses
"$work/1.23.2/bin/pip" install -q --disable-pip-version-check onnxruntime==1.32.0
"$work/1.23.2/bin/python" - "$work/model/model.onnx" <<'PY'
import sys

import numpy as np
import onnxruntime

y = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"]).run(None, {"x": np.ones(4096, np.float32)})[0]
print(f"onnxruntime {onnxruntime.__version__}: runs")
if not np.array_equal(y, np.arange(4096) + 1):
    sys.exit("changed: expected x + w")
PY
