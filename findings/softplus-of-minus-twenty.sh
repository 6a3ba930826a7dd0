#!/usr/bin/env bash
# ai.onnx Softplus of very negative numbers.
#
# Seen on a CPU at x = −20, where log(1 + e^x) is 2.0611536e-9:
#   ONNX Runtime 1.32.0, onnx 1.23.2's reference   that, to float32's last digits
#   OpenVINO 2026.4.1                              −1.9e-6, a negative number
#   tract 0.23.9                                   0
# Gates that forget by −softplus(x) never forget in tract, and grow in OpenVINO.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/v"
"$work/v/bin/pip" install -q --disable-pip-version-check numpy==2.2.6 onnx==1.23.2 onnxruntime==1.32.0 tract==0.23.9 openvino==2026.4.1

"$work/v/bin/python" - "$work" <<'PY'
import sys

import numpy as np
import onnx
import onnxruntime
import openvino
import tract
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

x = np.array([-20, -15, -5], np.float32)
ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [3]) for n in "xy"]
model = helper.make_model(helper.make_graph([helper.make_node("Softplus", ["x"], ["y"])], "g", ends[:1], ends[1:]), opset_imports=[helper.make_opsetid("", 21)])
model.ir_version = 10
onnx.checker.check_model(model, full_check=True)
path = sys.argv[1] + "/softplus.onnx"
onnx.save(model, path)
want = np.log1p(np.exp(x.astype(np.float64)))
got = {
    "reference": ReferenceEvaluator(model).run(None, {"x": x})[0],
    "onnxruntime": onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0],
    "openvino": openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})({"x": x})[0],
    "tract": tract.onnx().load(path).into_model().into_runnable().run([x])[0].to_numpy(),
}
for name, y in got.items():
    print(name, y, "relative error", np.abs(y - want) / want)
first = {name: float(y[0]) for name, y in got.items()}
right = all(abs(first[n] - want[0]) < 1e-3 * want[0] for n in ("reference", "onnxruntime"))
if not right or first["tract"] != 0 or not -2e-6 < first["openvino"] < 0:
    sys.exit("changed: expected 2.06e-9 of onnx and ONNX Runtime, 0 of tract and about -1.9e-6 of OpenVINO")
PY
