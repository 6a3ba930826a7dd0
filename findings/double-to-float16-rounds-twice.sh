#!/usr/bin/env bash
# ai.onnx Cast of a double to float16.
#
# ONNX Runtime 1.32.0 on a CPU goes through float32 and so rounds twice, where onnx
# 1.23.2's reference and numpy 2.2.6 round once. Seen:
#   x                      once        ONNX Runtime
#   1 + 2^-11 + 2^-40      1 + 2^-10   1            (the nearest is the other neighbour)
#   1 + 3·2^-11 − 2^-40    1 + 2^-10   1 + 2^-9
#   65519.999999           65504       infinity     (65520 is the least that overflows)
# A table made in double and cast to float16 in the graph is not the table that numpy
# makes of the same numbers; one that is cast to float32 beforehand is.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/v"
"$work/v/bin/pip" install -q --disable-pip-version-check numpy==2.2.6 onnx==1.23.2 onnxruntime==1.32.0

"$work/v/bin/python" - <<'PY'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

ends = [helper.make_tensor_value_info("x", TensorProto.DOUBLE, [3]), helper.make_tensor_value_info("y", TensorProto.FLOAT16, [3])]
cast = helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT16)
model = helper.make_model(helper.make_graph([cast], "g", ends[:1], ends[1:]), opset_imports=[helper.make_opsetid("", 23)], ir_version=10)
onnx.checker.check_model(model, full_check=True)
x = np.array([1 + 2**-11 + 2**-40, 1 + 3 * 2**-11 - 2**-40, 65519.999999])
once = x.astype(np.float16)
reference = ReferenceEvaluator(model).run(None, {"x": x})[0]
runtime = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
for name, y in (("numpy", once), ("reference", reference), ("onnxruntime", runtime)):
    print(name, y.astype(np.float64))
want = np.array([1 + 2**-10, 1 + 2**-10, 65504])
twice = np.array([1, 1 + 2**-9, np.inf])
if not (np.array_equal(once, want) and np.array_equal(reference, want) and np.array_equal(runtime, twice)):
    sys.exit("changed: expected one rounding of numpy and onnx's reference, two of ONNX Runtime")
PY
