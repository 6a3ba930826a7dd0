#!/usr/bin/env bash
# An even Split along a dynamic axis, with the types of its outputs written down.
#
# x (batch, 4) joined to itself is (2 batch, 4), and Split with num_outputs 2, or in
# operator set 17 with two outputs, gives (batch, 4) twice.
#   onnx 1.23.2's checker, ONNX Runtime 1.32.0, OpenVINO 2026.4.1   run it
#   tract 0.23.9   runs it where value_info is left out; where it says (batch, 4) of
#                  the parts, "Impossible to unify" batch with (1 + 2 batch) / 2
# It takes the parts' length as the half of 2 batch rounded up, and does not see that
# this is batch. So graphs that carry their types stop in it.
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


def rows(name):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 4])


def made(opset, typed):
    number = {"num_outputs": 2} if opset > 17 else {}
    nodes = [helper.make_node("Concat", ["x", "x"], ["both"], axis=0), helper.make_node("Split", ["both"], ["a", "b"], axis=0, **number), helper.make_node("Add", ["a", "b"], ["y"])]
    graph = helper.make_graph(nodes, "g", [rows("x")], [rows("y")], value_info=[rows("a"), rows("b")] if typed else [])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    path = f"{sys.argv[1]}/{opset}-{typed}.onnx"
    onnx.save(model, path)
    return path


x = np.arange(12, dtype=np.float32).reshape(3, 4)
changed = []
for opset in (17, 18, 21):
    for typed in (False, True):
        path = made(opset, typed)
        for name, run in {
            "onnxruntime": lambda: onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0],
            "openvino": lambda: openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})({"x": x})[0],
            "tract": lambda: tract.onnx().load(path).into_model().into_runnable().run([x])[0].to_numpy(),
        }.items():
            try:
                out = "runs" if np.array_equal(run(), 2 * x) else "other numbers"
            except Exception as e:
                out = "refused: " + " ".join(str(e).split())
            print(f"operator set {opset}, types {'declared' if typed else 'left out'}: {name}: {out[:160]}")
            want = "refused" if name == "tract" and typed else "runs"
            if not out.startswith(want) or want == "refused" and "Impossible to unify" not in out:
                changed.append((opset, typed, name))
if changed:
    sys.exit(f"changed: {changed}")
PY
