#!/usr/bin/env bash
# ONNX Runtime and DequantizeLinear of a weight in blocks, before MatMul or Gemm.
#
# Seen with onnxruntime 1.32.0 (onnx 1.23.2) on a CPU (x86-64, AVX2)
# with default session options: of DequantizeLinear (opset 21; axis 0, blocks
# of 32, codes uint4 or uint8, scales float32) and MatMul the optimiser makes
# com.microsoft's MatMulNBits with accuracy_level 4, which rounds each 32 of
# the activations to 8 bits, by their largest / 127. Nothing in the graph asks
# for it. The result is 5e-3 to 7e-3 off (of the largest), and within 1e-6 of
# the exact product of the activations so rounded. Gemm on the same weight goes
# the same way; Gemm with transB=1 on the weight the other way round (axis 1)
# does not, and is exact to 1e-6. So are all of them with graph optimisation
# off, or with the session option session.qdq_matmulnbits_accuracy_level 0 or 1
# (the node is MatMulNBits then too), and in onnx's reference evaluator. A copy
# of the header of session options, of a version not known, names that option
# and its default, 4, for MatMul alone.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/v"
"$work/v/bin/pip" install -q --disable-pip-version-check numpy==2.2.6 onnx==1.23.2 onnxruntime==1.32.0

"$work/v/bin/python" - "$work/optimised.onnx" <<'PY'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

rows, columns, block = 256, 64, 32
rng = np.random.default_rng(0)
x = rng.standard_normal((4, rows)).astype(np.float32)
steps = np.abs(x.reshape(4, -1, block)).max(-1, keepdims=True).astype(np.float64) / 127
rounded = (np.rint(x.reshape(4, -1, block) / steps) * steps).reshape(4, rows)


def model(op, kind, bits, transposed):
    codes = rng.integers(0, 2**bits, (rows, columns))
    scales = (rng.uniform(0.5, 1.5, (rows // block, columns)) / 2**bits).astype(np.float32)
    zeros = np.full(scales.shape, 2 ** (bits - 1))
    weight = (codes - 2.0 ** (bits - 1)) * np.repeat(scales.astype(np.float64), block, 0)
    if transposed:
        codes, scales, zeros = codes.T, np.ascontiguousarray(scales.T), zeros.T
    constants = [helper.make_tensor(n, kind, a.shape, a.flatten().tolist()) for n, a in (("c", codes), ("z", zeros))]
    nodes = [
        helper.make_node("DequantizeLinear", ["c", "s", "z"], ["w"], axis=int(transposed), block_size=block),
        helper.make_node(op, ["x", "w"], ["y"], **({"transB": 1} if transposed else {})),
    ]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [4, d]) for n, d in (("x", rows), ("y", columns))]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [*constants, numpy_helper.from_array(scales, "s")])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    made.ir_version = 10
    onnx.checker.check_model(made, full_check=True)
    return made, weight


def run(made, level=None, optimise=True):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns that a saved graph is for this machine
    options.optimized_model_filepath = sys.argv[1]
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if level:
        options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", level)
    session = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0], [n.op_type for n in onnx.load(sys.argv[1]).graph.node]


changed = []


def check(what, y, want, nodes, expected, least, most):
    off = np.abs(y - want).max() / np.abs(want).max()
    print(f"{what}: {nodes}, off by {off:.1e}")
    if nodes != expected or not least <= off <= most:
        changed.append(f"{what}: expected {expected}, off by {least} to {most}")


print(f"onnxruntime {onnxruntime.__version__}")
for kind, bits in ((TensorProto.UINT4, 4), (TensorProto.UINT8, 8)):
    for op, transposed in (("MatMul", False), ("Gemm", False), ("Gemm", True)):
        made, weight = model(op, kind, bits, transposed)
        exact = x.astype(np.float64) @ weight
        name = f"{op}{' transB=1' if transposed else ''}, uint{bits}"
        plain = ["DequantizeLinear", op]
        fused = plain if transposed else ["MatMulNBits"]
        check(f"{name}, reference", ReferenceEvaluator(made).run(None, {"x": x})[0], exact, plain, plain, 0, 1e-6)
        y, nodes = run(made, optimise=False)
        check(f"{name}, not optimised", y, exact, nodes, plain, 0, 1e-6)
        for level in "01":
            y, nodes = run(made, level)
            check(f"{name}, accuracy level {level}", y, exact, nodes, fused, 0, 1e-6)
        y, nodes = run(made)
        if transposed:
            check(f"{name}, default", y, exact, nodes, fused, 0, 1e-6)
        else:
            check(f"{name}, default", y, exact, nodes, fused, 2e-3, 2e-2)
            check(f"{name}, default, against rounded activations", y, rounded @ weight, nodes, fused, 0, 1e-6)
if changed:
    sys.exit("changed: " + "; ".join(changed))
PY
