"""Writes the .onnx fixtures of verify/ort's tests into its own folder.

Needs the package onnx (written with 1.23.2): python3 generate.py
"""

import pathlib

import numpy
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper

HERE = pathlib.Path(__file__).parent


def value(name, elem, shape):
    return h.make_tensor_value_info(name, elem, shape)


def save(name, nodes, inputs, outputs, initializers=(), opset=23, ir=10, check=True):
    graph = h.make_graph(nodes, name, inputs, outputs, list(initializers))
    opsets = [h.make_opsetid("", opset), h.make_opsetid("no.such.domain", 1)][: 2 if not check else 1]
    model = h.make_model(graph, opset_imports=opsets, ir_version=ir, producer_name="pecvt-testdata")
    if check:
        onnx.checker.check_model(model)
    (HERE / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))


# A cache that grows: present = past ++ new along the positions.
save(
    "cache",
    [h.make_node("Concat", ["past", "new"], ["present"], name="/cache/Concat", axis=2)],
    [value("past", T.FLOAT, ["batch", 3, "past", 4]), value("new", T.FLOAT, ["batch", 3, "sequence", 4])],
    [value("present", T.FLOAT, ["batch", 3, "total", 4])],
)

# The same with a mask as long as the result, which so has a known shape.
save(
    "cache_masked",
    [h.make_node("Concat", ["past", "new"], ["present"], name="/cache/Concat", axis=2)],
    [
        value("past", T.FLOAT, ["batch", 3, "past", 4]),
        value("new", T.FLOAT, ["batch", 3, "sequence", 4]),
        value("mask", T.INT64, ["batch", "total"]),
    ],
    [value("present", T.FLOAT, ["batch", 3, "total", 4])],
)

# Every element type that a tensor can have, in and out.
TYPES = {
    "f16": T.FLOAT16, "bf16": T.BFLOAT16, "f32": T.FLOAT, "f64": T.DOUBLE, "i64": T.INT64, "i32": T.INT32,
    "i16": T.INT16, "i8": T.INT8, "u64": T.UINT64, "u32": T.UINT32, "u16": T.UINT16, "u8": T.UINT8, "bool": T.BOOL,
}
save(
    "types",
    [h.make_node("Identity", [k], [k + "_out"], name="/" + k) for k in TYPES],
    [value(k, e, ["n", 2]) for k, e in TYPES.items()],
    [value(k + "_out", e, ["n", 2]) for k, e in TYPES.items()],
)

# A half-precision output whose length the inputs do not tell.
save(
    "unfixed_f16",
    [h.make_node("Concat", ["x", "x"], ["y"], name="/twice", axis=0)],
    [value("x", T.FLOAT16, ["n", 2])],
    [value("y", T.FLOAT16, ["m", 2])],
)

# Scalars.
save(
    "scalar",
    [
        h.make_node("Add", ["a", "b"], ["sum"], name="/sum"),
        h.make_node("Neg", ["i"], ["neg"], name="/neg"),
    ],
    [value("a", T.FLOAT, []), value("b", T.FLOAT, []), value("i", T.INT64, [])],
    [value("sum", T.FLOAT, []), value("neg", T.INT64, [])],
)

# An output stamped with a length that it does not have. The count of twos is
# hidden from shape inference by NonZero.
save(
    "wrong_stamp",
    [
        h.make_node("NonZero", ["x"], ["where"], name="/nonzero"),
        h.make_node("Cast", ["where"], ["y"], name="/cast", to=T.FLOAT),
    ],
    [value("x", T.FLOAT, ["n"])],
    [value("y", T.FLOAT, [1, "n"])],
)

# A table looked up by position; a position outside it fails during the run.
table = numpy.arange(12, dtype=numpy.float32).reshape(4, 3)
save(
    "table",
    [h.make_node("Gather", ["table", "position_ids"], ["rows"], name="/table/Gather", axis=0)],
    [value("position_ids", T.INT64, ["batch", "sequence"])],
    [value("rows", T.FLOAT, ["batch", "sequence", 3])],
    [numpy_helper.from_array(table, "table")],
)

# An input with a default value, as graphs before IR version 4 list weights.
save(
    "default",
    [h.make_node("Mul", ["x", "w"], ["y"], name="/mul")],
    [value("x", T.FLOAT, ["n"]), value("w", T.FLOAT, [1])],
    [value("y", T.FLOAT, ["n"])],
    [numpy_helper.from_array(numpy.array([3], numpy.float32), "w")],
)

# A weight in a file beside the model: bfloat16, at an offset, cast to float32.
# 1, -2, 0.5, 4 as bfloat16.
(HERE / "external.bin").write_bytes(b"\xff" * 64 + bytes.fromhex("803f00c0003f8040"))
w = T(name="w", data_type=T.BFLOAT16, dims=[2, 2], data_location=T.EXTERNAL)
for key, val in {"location": "external.bin", "offset": "64", "length": "8"}.items():
    w.external_data.add(key=key, value=val)
graph = h.make_graph(
    [
        h.make_node("Cast", ["w"], ["w32"], name="/w/Cast", to=T.FLOAT),
        h.make_node("Gemm", ["x", "w32"], ["y"], name="/proj/Gemm", transB=1),
    ],
    "external",
    [value("x", T.FLOAT, ["n", 2])],
    [value("y", T.FLOAT, ["n", 2])],
    [w],
)
model = h.make_model(graph, opset_imports=[h.make_opsetid("", 23)], ir_version=10, producer_name="pecvt-testdata")
(HERE / "external.onnx").write_bytes(model.SerializeToString(deterministic=True))

# A chain that the levels of optimization fuse: LayerNormalization spelled out.
save(
    "fusible",
    [
        h.make_node("ReduceMean", ["x", "axes"], ["mean"], name="/ln/mean", keepdims=1),
        h.make_node("Sub", ["x", "mean"], ["d"], name="/ln/sub"),
        h.make_node("Pow", ["d", "two"], ["d2"], name="/ln/pow"),
        h.make_node("ReduceMean", ["d2", "axes"], ["var"], name="/ln/var", keepdims=1),
        h.make_node("Add", ["var", "eps"], ["vare"], name="/ln/eps"),
        h.make_node("Sqrt", ["vare"], ["std"], name="/ln/sqrt"),
        h.make_node("Div", ["d", "std"], ["norm"], name="/ln/div"),
        h.make_node("Mul", ["norm", "gamma"], ["scaled"], name="/ln/mul"),
        h.make_node("Add", ["scaled", "beta"], ["y"], name="/ln/add"),
    ],
    [value("x", T.FLOAT, ["n", 4])],
    [value("y", T.FLOAT, ["n", 4])],
    [
        numpy_helper.from_array(numpy.array([-1], numpy.int64), "axes"),
        numpy_helper.from_array(numpy.array(2, numpy.float32), "two"),
        numpy_helper.from_array(numpy.array(1e-5, numpy.float32), "eps"),
        numpy_helper.from_array(numpy.ones(4, numpy.float32), "gamma"),
        numpy_helper.from_array(numpy.zeros(4, numpy.float32), "beta"),
    ],
    opset=18,
)

# A loop that runs as long as asked, to be interrupted.
body = h.make_graph(
    [
        h.make_node("Add", ["v", "one"], ["v_out"], name="/loop/add"),
        h.make_node("Identity", ["cond"], ["cond_out"], name="/loop/cond"),
    ],
    "body",
    [value("i", T.INT64, []), value("cond", T.BOOL, []), value("v", T.FLOAT, [1])],
    [value("cond_out", T.BOOL, []), value("v_out", T.FLOAT, [1])],
    [numpy_helper.from_array(numpy.array([1], numpy.float32), "one")],
)
save(
    "loop",
    [h.make_node("Loop", ["trips", "", "start"], ["y"], name="/loop", body=body)],
    [value("trips", T.INT64, []), value("start", T.FLOAT, [1])],
    [value("y", T.FLOAT, [1])],
)

# An operator that no library has.
save(
    "unknown_op",
    [h.make_node("NoSuchOp", ["x"], ["y"], name="/what", domain="no.such.domain")],
    [value("x", T.FLOAT, ["n"])],
    [value("y", T.FLOAT, ["n"])],
    check=False,
)

# A sequence as output: ONNX allows it, this package refuses it by name.
save(
    "sequence",
    [h.make_node("SequenceConstruct", ["x"], ["s"], name="/seq")],
    [value("x", T.FLOAT, ["n"])],
    [h.make_tensor_sequence_value_info("s", T.FLOAT, None)],
)

# No inputs at all.
save(
    "constant",
    [h.make_node("Identity", ["w"], ["y"], name="/w")],
    [],
    [value("y", T.FLOAT, [1])],
    [numpy_helper.from_array(numpy.array([3], numpy.float32), "w")],
)
