#!/usr/bin/env bash
# ONNX Runtime's int4 weight quantiser and a linear layer written as Gemm.
#
# Seen with onnxruntime 1.32.0 and onnx 1.23.2: MatMulNBitsQuantizer ends
# without an error or a warning (a line at INFO level says "skip") on a model whose weights are inputs of
# Gemm(transB=1), a checkpoint's own order (out, in), and quantises nothing.
# The same weight, transposed, behind MatMul becomes MatMulNBits. The file that
# was saved is as large as before: its size is what tells.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/v"
"$work/v/bin/pip" install -q --disable-pip-version-check numpy==2.2.6 onnx==1.23.2 onnxruntime==1.32.0 onnx_ir==1.1.0 sympy==1.14.0

"$work/v/bin/python" - <<'PY'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

w = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)


def model(op, weight, **attributes):
    node = helper.make_node(op, ["x", "w"], ["y"], name="linear", **attributes)
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [4, 64]) for n in "xy"]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], [numpy_helper.from_array(weight, "w")])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    made.ir_version = 10
    onnx.checker.check_model(made, full_check=True)
    return made


def quantised(made):
    q = MatMulNBitsQuantizer(made, bits=4, block_size=32, is_symmetric=True)
    q.process()
    return [n.op_type for n in q.model.model.graph.node]


gemm = quantised(model("Gemm", w, transB=1))
matmul = quantised(model("MatMul", np.ascontiguousarray(w.T)))
print(f"onnxruntime {onnxruntime.__version__}: Gemm becomes {gemm}, MatMul becomes {matmul}")
if gemm != ["Gemm"] or matmul != ["MatMulNBits"]:
    sys.exit("changed: expected Gemm to stay and MatMul to become MatMulNBits")
PY
