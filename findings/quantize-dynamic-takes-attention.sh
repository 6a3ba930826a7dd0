#!/usr/bin/env bash
# ONNX Runtime's quantize_dynamic on ai.onnx Attention (opset 23).
#
# Seen with onnxruntime 1.32.0 and onnx 1.23.2: the quantiser goes by the name of
# the op and not by its domain. It takes Attention of ai.onnx for the one of
# com.microsoft, whose inputs are others, ends without an error and saves a
# QAttention node of com.microsoft that ONNX Runtime refuses to load. With
# op_types_to_quantize=["MatMul"] the model is left in working order.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/v"
"$work/v/bin/pip" install -q --disable-pip-version-check numpy==2.2.6 onnx==1.23.2 onnxruntime==1.32.0 sympy==1.14.0

"$work/v/bin/python" - "$work" <<'PY' 2>/dev/null
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

rng = np.random.default_rng(0)
x = rng.standard_normal((1, 2, 5, 8)).astype(np.float32)
weights = [numpy_helper.from_array(rng.standard_normal((8, 8)).astype(np.float32), "w" + n) for n in "qkv"]
nodes = [helper.make_node("MatMul", ["x", "w" + n], [n], name="to_" + n) for n in "qkv"]
nodes.append(helper.make_node("Attention", list("qkv"), ["y"], name="attention", is_causal=1))
ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, x.shape) for n in "xy"]
model = helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], weights), opset_imports=[helper.make_opsetid("", 23)])
model.ir_version = 10
onnx.checker.check_model(model, full_check=True)
path = sys.argv[1] + "/model.onnx"
onnx.save(model, path)


def quantised(**more):
    target = sys.argv[1] + "/quantised.onnx"
    quantize_dynamic(path, target, weight_type=QuantType.QInt8, **more)
    kinds = sorted({f"{n.domain or 'ai.onnx'}:{n.op_type}" for n in onnx.load(target).graph.node if "ttention" in n.op_type})
    try:
        y = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
        return kinds, "runs" if np.isfinite(y).all() else "NaN"
    except Exception as error:
        print(str(error)[:200])
        return kinds, "does not load"


got = [quantised(), quantised(op_types_to_quantize=["MatMul"])]
print(f"onnxruntime {onnxruntime.__version__}: by default {got[0]}, MatMul alone {got[1]}")
if got != [(["com.microsoft:QAttention"], "does not load"), (["ai.onnx:Attention"], "runs")]:
    sys.exit("changed: expected QAttention that does not load, and Attention that runs")
PY
