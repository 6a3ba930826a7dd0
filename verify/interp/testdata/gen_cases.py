"""Writes the operator cases: one NAME.onnx and one NAME.json each.

    pip install onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
    python gen_cases.py

A case's JSON holds its inputs and up to two outside answers: "reference", from
the onnx package's reference evaluator fed with float64, and "ort", from ONNX
Runtime's CPU provider fed with float32. Inputs are multiples of 1/64, so that
both see the same numbers.
"""
import json
import pathlib

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

HERE = pathlib.Path(__file__).parent / "cases"
MS = "com.microsoft"
rng = np.random.default_rng(20240607)


def f(*shape, scale=1.0):
    """Normal numbers on a grid of 1/64."""
    return np.round(rng.normal(size=shape) * scale * 64) / 64


def pos(*shape):
    return np.abs(f(*shape)) + 1 / 64


def i(*values, dtype=np.int64):
    return np.array(values, dtype=dtype)


def ids(shape, n):
    return rng.integers(0, n, size=shape).astype(np.int64)


def bits(*shape):
    return rng.integers(0, 2, size=shape).astype(bool)


def encode(a):
    a = np.asarray(a)
    kind = {"f": "float", "i": "int", "u": "int", "b": "bool"}[a.dtype.kind]
    data = a.reshape(-1).tolist()
    if kind == "float":
        data = [x if np.isfinite(x) else str(x) for x in data]
    return {"kind": kind, "shape": list(a.shape), "data": data}


def onnx_type(a):
    return T.FLOAT if a.dtype.kind == "f" else h.np_dtype_to_tensor_dtype(a.dtype)


def case(name, nodes, inputs, outputs, *, init=(), functions=(), opset=23, reference=True, runtime=True, out_types=None):
    nodes = nodes if isinstance(nodes, list) else [nodes]
    inputs = {k: np.asarray(v) for k, v in inputs.items()}
    graph = h.make_graph(
        nodes, name,
        [h.make_tensor_value_info(k, onnx_type(v), list(v.shape)) for k, v in inputs.items()],
        [h.make_empty_tensor_value_info(o) for o in outputs],
        initializer=list(init))
    domains = {n.domain for n in nodes} | {fn.domain for fn in functions} | {""}
    versions = {"": opset}
    model = h.make_model(graph, functions=list(functions), ir_version=10,
                         opset_imports=[h.make_opsetid(d, versions.get(d, 1)) for d in sorted(domains)])
    answers = {}
    single = {k: v.astype(np.float32) if v.dtype.kind == "f" else v for k, v in inputs.items()}
    double = {k: v.astype(np.float64) if v.dtype.kind == "f" else v for k, v in inputs.items()}
    if reference:
        answers["reference"] = ReferenceEvaluator(model).run(None, double)
    typed = model
    if runtime:
        kinds = out_types or [onnx_type(np.asarray(a)) for a in answers["reference"]]
        typed = onnx.ModelProto()
        typed.CopyFrom(model)
        for o, t in zip(typed.graph.output, kinds):
            o.CopyFrom(h.make_tensor_value_info(o.name, t, None))
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = ort.InferenceSession(typed.SerializeToString(), options, providers=["CPUExecutionProvider"])
        answers["ort"] = session.run(None, single)
    (HERE / f"{name}.onnx").write_bytes(typed.SerializeToString(deterministic=True))
    doc = {"inputs": {k: encode(v) for k, v in double.items()}}
    for oracle, values in answers.items():
        doc[oracle] = {o: encode(v) for o, v in zip(outputs, values)}
    (HERE / f"{name}.json").write_text(json.dumps(doc, separators=(",", ":")) + "\n")


def op(name, kind, inputs, outputs=("y",), *, slots=None, domain="", **kw):
    """A case of one node; slots lists its inputs where some are left out."""
    attrs = kw.pop("attrs", {})
    node = h.make_node(kind, slots or list(inputs), list(outputs), name="node", domain=domain, **attrs)
    case(name, node, inputs, [o for o in outputs if o], **kw)


def tensor(a, name):
    return numpy_helper.from_array(np.asarray(a), name)


def elementwise():
    for kind in ["Add", "Sub", "Mul", "Div"]:
        op(kind.lower(), kind, {"a": f(2, 1, 3), "b": f(4, 1) + 3})
    op("add_int", "Add", {"a": i(1, -2, 3), "b": i(10)})
    op("div_int", "Div", {"a": i(7, -7, 7, -7), "b": i(2, 2, -2, -2)}, reference=False, out_types=[T.INT64])
    op("mul_xx", "Mul", {"x": f(2, 3)}, slots=["x", "x"])
    op("pow", "Pow", {"a": pos(2, 3), "b": f(3)})
    op("pow_int_exponent", "Pow", {"a": f(2, 3), "b": i(2, 3, 0)})
    op("neg_int", "Neg", {"x": i(1, -5, 0)})
    for kind in ["Sqrt", "Log", "Reciprocal"]:
        op(kind.lower(), kind, {"x": pos(2, 3)})
    for kind in ["Neg", "Exp", "Sigmoid", "Softplus", "Tanh", "Erf", "Relu", "Cos", "Sin", "Abs", "Floor", "Ceil"]:
        op(kind.lower(), kind, {"x": f(2, 3, scale=4)})
    for mode in ["none", "tanh"]:
        op(f"gelu_{mode}", "Gelu", {"x": f(3, 4, scale=2)}, attrs={"approximate": mode})
    for kind in ["Min", "Max"]:
        op(kind.lower(), kind, {"a": f(2, 3), "b": f(3), "c": f(2, 1)})
    op("max_int", "Max", {"a": i(1, 5, -3), "b": i(0)})
    op("clip", "Clip", {"x": f(3, 4, scale=3), "lo": np.float64(-1), "hi": np.float64(2)})
    op("clip_no_min", "Clip", {"x": f(3, 4, scale=3), "hi": np.float64(1)}, slots=["x", "", "hi"])
    op("clip_int", "Clip", {"x": i(-1, 0, 7, 8, 1 << 33), "lo": np.int64(0), "hi": np.int64(7)})
    for kind in ["Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"]:
        op(kind.lower(), kind, {"a": i(1, 2, 3, 2).reshape(4, 1), "b": i(2, 3)})
    op("less_float", "Less", {"a": f(2, 3), "b": f(3)})
    op("equal_bool", "Equal", {"a": bits(2, 3), "b": bits(3)})
    for kind in ["And", "Or"]:
        op(kind.lower(), kind, {"a": bits(3, 2, 2), "b": bits(1, 2)})
    op("not", "Not", {"x": bits(2, 3)})
    op("isnan", "IsNaN", {"x": np.array([[1.0, np.nan], [np.inf, -0.0]])})
    op("where", "Where", {"c": bits(2, 1, 3), "x": f(4, 1), "z": np.float64(-2.5)})
    op("where_int", "Where", {"c": bits(3), "x": i(1, 2, 3), "z": i(0)})


def types():
    op("cast_int_float", "Cast", {"x": i(1, -2, 1 << 40)}, attrs={"to": T.FLOAT})
    op("cast_float_int", "Cast", {"x": np.array([1.75, -1.75, 0.5, -0.5, 100.0])}, attrs={"to": T.INT64})
    op("cast_float_int32", "Cast", {"x": f(4, scale=9)}, attrs={"to": T.INT32})
    op("cast_int_narrow", "Cast", {"x": i(1, 300, -129, 70000, -1)}, attrs={"to": T.INT8})
    op("cast_int_unsigned", "Cast", {"x": i(1, 300, -129, 70000, -1)}, attrs={"to": T.UINT8})
    op("cast_bool", "Cast", {"x": f(2, 3) * bits(2, 3)}, attrs={"to": T.BOOL})
    op("cast_bool_float", "Cast", {"x": bits(2, 3)}, attrs={"to": T.FLOAT})
    op("cast_bool_int", "Cast", {"x": bits(2, 3)}, attrs={"to": T.INT64})
    op("identity", "Identity", {"x": f(2, 3)})
    op("shape", "Shape", {"x": f(2, 3, 4)})
    op("shape_piece", "Shape", {"x": f(2, 3, 4, 5)}, attrs={"start": -3, "end": -1})
    op("constant_of_shape", "ConstantOfShape", {"s": i(2, 3)}, attrs={"value": tensor(np.array([7], np.int64), "")})
    op("constant_of_shape_default", "ConstantOfShape", {"s": i(2, 2)})
    op("constant_of_shape_bool", "ConstantOfShape", {"s": i(3)}, attrs={"value": tensor(np.array([True]), "")})
    op("range_int", "Range", {"a": np.int64(3), "b": np.int64(-8), "d": np.int64(-3)})
    op("range_float", "Range", {"a": np.float64(0.5), "b": np.float64(3), "d": np.float64(0.75)})
    nodes = [
        h.make_node("Constant", [], ["a"], value=tensor(np.array([[1.5, 2.5]], np.float32), "v")),
        h.make_node("Constant", [], ["b"], value_float=0.25),
        h.make_node("Constant", [], ["c"], value_floats=[1.0, 2.0]),
        h.make_node("Constant", [], ["axes"], value_ints=[0]),
        h.make_node("Constant", [], ["n"], value_int=3),
        h.make_node("Add", ["a", "b"], ["ab"]),
        h.make_node("Mul", ["ab", "c"], ["abc"]),
        h.make_node("Squeeze", ["abc", "axes"], ["y"]),
    ]
    case("constants", nodes, {}, ["y", "n"])


def shapes():
    x = f(2, 3, 4)
    op("reshape", "Reshape", {"x": x, "s": i(0, -1, 2)})
    op("reshape_allowzero", "Reshape", {"x": f(0, 3), "s": i(3, 0, 5)}, attrs={"allowzero": 1})
    op("squeeze", "Squeeze", {"x": f(1, 3, 1, 2), "a": i(-2)})
    op("squeeze_all", "Squeeze", {"x": f(1, 3, 1, 2)})
    op("unsqueeze", "Unsqueeze", {"x": f(3, 2), "a": i(0, -1)})
    op("transpose", "Transpose", {"x": x}, attrs={"perm": [2, 0, 1]})
    op("transpose_default", "Transpose", {"x": x})
    op("transpose_bool", "Transpose", {"x": bits(2, 3)})
    op("expand", "Expand", {"x": f(3, 1), "s": i(2, 1, 4)})
    op("expand_scalar", "Expand", {"x": np.int64(5), "s": i(2, 2)})
    op("tile", "Tile", {"x": f(2, 3), "r": i(2, 2)})
    op("tile_zero", "Tile", {"x": f(2, 3), "r": i(0, 2)})
    op("slice", "Slice", {"x": f(5, 6), "s": i(1, -4), "e": i(4, 1 << 40)})
    op("slice_steps", "Slice", {"x": f(5, 6, 3), "s": i(-1, 1), "e": i(-(1 << 40), 6), "a": i(0, -2), "t": i(-2, 3)})
    op("slice_no_axes", "Slice", {"x": f(5, 6), "s": i(0, 5), "e": i(5, 0), "t": i(2, -1)},
       slots=["x", "s", "e", "", "t"])
    op("slice_empty", "Slice", {"x": f(5, 6), "s": i(3), "e": i(3)})
    op("concat", "Concat", {"a": f(2, 1, 3), "b": f(2, 2, 3), "c": f(2, 0, 3)}, attrs={"axis": -2})
    op("concat_int", "Concat", {"a": i(1, 2), "b": i(3)}, attrs={"axis": 0})
    op("split", "Split", {"x": f(2, 6), "s": i(1, 2, 3)}, ["p", "q", "r"], attrs={"axis": 1})
    op("split_num", "Split", {"x": f(7, 2)}, ["p", "q", "r"], attrs={"num_outputs": 3})
    op("gather", "Gather", {"x": f(5, 3), "k": i(0, -1, 2, 2).reshape(2, 2)})
    op("gather_axis", "Gather", {"x": f(2, 5, 3), "k": ids((4,), 5)}, attrs={"axis": 1})
    op("gather_scalar", "Gather", {"x": i(4, 5, 6), "k": np.int64(-2)})
    op("gather_elements", "GatherElements", {"x": f(3, 4), "k": ids((2, 4), 3)}, attrs={"axis": 0})
    op("gather_elements_last", "GatherElements", {"x": f(3, 4), "k": ids((3, 2), 4) - 4}, attrs={"axis": -1}, reference=False, out_types=[T.FLOAT])
    op("pad", "Pad", {"x": f(2, 3), "p": i(1, 0, 0, 2), "v": np.float64(-1.5)})
    op("pad_axes", "Pad", {"x": i(1, 2, 3, 4).reshape(2, 2), "p": i(2, 1), "a": i(-1)}, slots=["x", "p", "", "a"])
    op("pad_cut", "Pad", {"x": f(4, 5), "p": i(-1, 1, 2, -2)}, reference=False, out_types=[T.FLOAT])
    for mode in ["reflect", "edge", "wrap"]:
        op(f"pad_{mode}", "Pad", {"x": f(4, 3), "p": i(2, 1, 3, 2)}, attrs={"mode": mode})
    for upper in [0, 1]:
        op(f"trilu_{upper}", "Trilu", {"x": f(2, 3, 4)}, attrs={"upper": upper})
        op(f"trilu_{upper}_k", "Trilu", {"x": f(4, 3), "k": np.int64(1 - 3 * upper)}, attrs={"upper": upper})


def sums():
    for axis in [0, -1]:
        op(f"cumsum_{axis % 3}", "CumSum", {"x": f(2, 3, 4), "a": np.int64(axis)})
    op("cumsum_int", "CumSum", {"x": i(0, 0, 1, 1, 1), "a": np.int64(0)})
    op("cumsum_reverse_exclusive", "CumSum", {"x": f(3, 4), "a": np.int64(1)}, attrs={"reverse": 1, "exclusive": 1})
    for kind in ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin"]:
        op(kind.lower(), kind, {"x": f(2, 3, 4), "a": i(0, -1)}, attrs={"keepdims": 0})
        op(kind.lower() + "_all", kind, {"x": f(2, 3)})
    op("reducesum_int", "ReduceSum", {"x": i(1, 2, 3, 4).reshape(2, 2), "a": i(1)})
    op("reducesum_noop", "ReduceSum", {"x": f(2, 3)}, attrs={"noop_with_empty_axes": 1})
    op("reducesum_empty", "ReduceSum", {"x": f(2, 0, 3), "a": i(1)})
    op("softmax", "Softmax", {"x": f(2, 3, 4, scale=3)})
    op("softmax_axis", "Softmax", {"x": f(2, 3, 4, scale=300)}, attrs={"axis": 1})
    op("matmul", "MatMul", {"a": f(2, 1, 3, 4), "b": f(5, 4, 2)})
    op("matmul_2d", "MatMul", {"a": f(2, 3, 4), "b": f(4, 70)})
    op("matmul_vec", "MatMul", {"a": f(4), "b": f(2, 4, 3)})
    op("matmul_vec_right", "MatMul", {"a": f(2, 3, 4), "b": f(4)})
    op("gemm", "Gemm", {"a": f(3, 5), "b": f(67, 5), "c": f(67)}, attrs={"transB": 1})
    op("gemm_all", "Gemm", {"a": f(5, 3), "b": f(5, 4), "c": f(3, 1)}, attrs={"transA": 1, "alpha": 0.5, "beta": -2.0})
    op("gemm_no_c", "Gemm", {"a": f(130, 4), "b": f(2, 4)}, attrs={"transB": 1})


def norms():
    op("rms", "RMSNormalization", {"x": f(2, 3, 8), "w": f(8)}, attrs={"epsilon": 1e-6})
    op("rms_axis", "RMSNormalization", {"x": f(2, 3, 4), "w": f(3, 4)}, attrs={"axis": 1})
    op("layernorm", "LayerNormalization", {"x": f(2, 3, 8), "w": f(8), "b": f(8)}, ["y", "mean", "inv"], attrs={"epsilon": 1e-6})
    op("layernorm_middle_output", "LayerNormalization", {"x": f(2, 3, 8), "w": f(8)}, ["y", "", "inv"], reference=False, out_types=[T.FLOAT, T.FLOAT])
    op("layernorm_no_bias", "LayerNormalization", {"x": f(2, 3, 4), "w": f(3, 4)}, attrs={"axis": -2})
    op("simplified", "SimplifiedLayerNormalization", {"x": f(2, 3, 8), "w": f(8)}, attrs={"epsilon": 1e-6, "axis": -1, "stash_type": 1},
       reference=False, out_types=[T.FLOAT])
    op("skip_simplified", "SkipSimplifiedLayerNormalization", {"x": f(2, 3, 8), "s": f(2, 3, 8), "w": f(8), "b": f(8)},
       ["y", "", "", "sum"], domain=MS, attrs={"epsilon": 1e-6}, reference=False, out_types=[T.FLOAT, T.FLOAT])


def table(n, planes, base=100.0):
    angle = np.arange(n)[:, None] * base ** (-np.arange(planes)[None] / planes)
    return np.round(np.cos(angle) * 1024) / 1024, np.round(np.sin(angle) * 1024) / 1024


def rotary():
    cos, sin = table(16, 4)
    p = ids((2, 3), 16)
    for name, inter in [("half", 0), ("interleaved", 1)]:
        op(f"rotary_{name}", "RotaryEmbedding", {"x": f(2, 2, 3, 8), "c": cos, "s": sin, "p": p}, attrs={"interleaved": inter})
        cos2, sin2 = table(16, 2)
        op(f"rotary_partial_{name}", "RotaryEmbedding", {"x": f(2, 2, 3, 8), "c": cos2, "s": sin2, "p": p},
           attrs={"interleaved": inter, "rotary_embedding_dim": 4, "num_heads": 2})
    op("rotary_rows", "RotaryEmbedding", {"x": f(2, 2, 3, 8), "c": cos[p], "s": sin[p]})
    op("rotary_3d", "RotaryEmbedding", {"x": f(2, 3, 16), "c": cos, "s": sin, "p": p}, attrs={"num_heads": 2})
    op("rotary_3d_rows", "RotaryEmbedding", {"x": f(2, 3, 16), "c": cos[p][:, :, :2], "s": sin[p][:, :, :2]},
       attrs={"num_heads": 2, "rotary_embedding_dim": 4})


def attention():
    def qkv(s=3, t=3, heads=4, kv=2, d=8, dv=8, b=2):
        return {"q": f(b, heads, s, d), "k": f(b, kv, t, d), "v": f(b, kv, t, dv)}

    def past(n, kv=2, d=8, dv=8, b=2):
        return {"pk": f(b, kv, n, d), "pv": f(b, kv, n, dv)}

    op("attention", "Attention", qkv())
    op("attention_scale_softcap", "Attention", qkv(), attrs={"scale": 0.25, "softcap": 1.5, "is_causal": 1})
    op("attention_causal", "Attention", qkv(s=5, t=5), attrs={"is_causal": 1})
    op("attention_mqa", "Attention", qkv(kv=1, t=6))
    op("attention_wide_values", "Attention", qkv(dv=6))
    op("attention_float_mask", "Attention", qkv() | {"m": f(2, 1, 3, 3)})
    op("attention_head_mask", "Attention", qkv() | {"m": f(4, 3, 3)})
    mask = np.ones((2, 1, 3, 3), bool)
    mask[0, 0, :, 0] = False
    mask[1, 0, 1, 1:] = False
    op("attention_bool_mask", "Attention", qkv() | {"m": mask})
    op("attention_bool_mask_2d", "Attention", qkv() | {"m": mask[0, 0]})
    op("attention_mask_softcap", "Attention", qkv() | {"m": mask}, attrs={"softcap": 0.75})
    op("attention_past", "Attention", qkv(s=2, t=2) | past(3), ["y", "k2", "v2"], slots=["q", "k", "v", "", "pk", "pv"])
    op("attention_past_causal", "Attention", qkv(s=2, t=2) | past(3), ["y", "k2", "v2"],
       slots=["q", "k", "v", "", "pk", "pv"], attrs={"is_causal": 1})
    op("attention_past_empty", "Attention", qkv() | past(0), ["y", "k2", "v2"],
       slots=["q", "k", "v", "", "pk", "pv"], attrs={"is_causal": 1})
    # Left padding: two of entry 0's keys are padding, and its first rows see no key at all.
    seen = np.array([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]], bool)
    left = seen[:, None, None, :] & np.tril(np.ones((5, 5), bool))
    op("attention_left_padding", "Attention", qkv(s=5, t=5) | {"m": left})
    op("attention_left_padding_past", "Attention", qkv(s=2, t=2) | {"m": left[:, :, 3:, :]} | past(3), ["y", "k2", "v2"],
       slots=["q", "k", "v", "m", "pk", "pv"])
    op("attention_mask_causal", "Attention", qkv(s=5, t=5) | {"m": np.repeat(seen[:, None, None, :], 5, axis=2)}, attrs={"is_causal": 1})
    # ONNX Runtime takes no mask that stretches along the queries.
    op("attention_key_mask", "Attention", qkv(s=5, t=5) | {"m": seen[:, None, None, :]}, runtime=False)
    packed = {"q": f(2, 3, 32), "k": f(2, 3, 16), "v": f(2, 3, 16)}
    heads = {"q_num_heads": 4, "kv_num_heads": 2}
    op("attention_3d", "Attention", packed, attrs=heads | {"is_causal": 1})
    op("attention_3d_past", "Attention", packed | past(4) | {"m": f(3, 7)}, ["y", "k2", "v2"],
       slots=["q", "k", "v", "m", "pk", "pv"], attrs=heads)
    op("attention_raw", "Attention", qkv() | {"m": f(3, 3)}, ["y", "", "", "raw"], reference=False, out_types=[T.FLOAT, T.FLOAT])


def gqa(last=False):
    H, K, D = 4, 2, 16
    cos, sin = table(32, 8)

    def run(name, s, past, *, valid=None, width=8, packed=False, capacity=None, bias=None, sink=None, b=2, rotary=1, **attrs):
        valid = valid or [past + s] * b
        total = past + s
        inputs = {"q": f(b, s, H * D), "k": f(b, s, K * D), "v": f(b, s, K * D)}
        slots = ["q", "k", "v", "pk", "pv", "n", "t", "c", "s"]
        if packed:
            inputs = {"q": f(b, s, (H + 2 * K) * D)}
            slots[1:3] = ["", ""]
        n = capacity or past
        inputs |= {"pk": f(b, K, n, D), "pv": f(b, K, n, D), "n": i(*[x - 1 for x in valid], dtype=np.int32), "t": np.array(total, np.int32)}
        if rotary:
            inputs |= {"c": cos[:, :width], "s": sin[:, :width]}
        else:
            slots = slots[:7]
        if bias is not None:
            inputs |= {"bias": bias}
            slots += [""] * (10 - len(slots)) + ["bias"]
        if sink is not None:
            inputs |= {"sink": sink}
            slots += [""] * (11 - len(slots)) + ["sink"]
        op("gqa_" + name, "GroupQueryAttention", inputs, ["y", "pk2", "pv2"], slots=slots, domain=MS, reference=False,
           out_types=[T.FLOAT] * 3, attrs={"num_heads": H, "kv_num_heads": K, "do_rotary": rotary} | attrs)

    if last:  # so that the others' numbers stay
        run("sink", 5, 0, sink=f(H))
        run("sink_window_decode", 1, 6, sink=f(H), local_window_size=3)
        run("sink_high", 3, 4, b=1, sink=f(H) + 20)
        return
    run("prompt", 5, 0)
    run("decode", 1, 4)
    run("decode_ragged", 1, 4, valid=[5, 3])
    run("chunk", 3, 4, b=1)
    run("plain", 4, 0, rotary=0)
    run("packed", 5, 0, packed=True)
    run("packed_decode", 1, 4, packed=True)
    run("interleaved", 5, 0, rotary_interleaved=1)
    run("narrow_cos", 5, 0, width=8)
    run("window", 6, 0, local_window_size=3)
    run("window_decode", 1, 6, local_window_size=3)
    run("window_chunk", 3, 6, b=1, local_window_size=4)
    run("scale_softcap", 5, 0, scale=0.5, softcap=2.0)
    run("capacity", 1, 4, capacity=9)
    run("bias", 3, 0, bias=f(1, H, 3, 3))
    run("bias_decode", 1, 4, bias=f(2, 1, 1, 5))
    # cos_cache narrower than half the head: only the first 2 · 8 of 32 coordinates turn.
    wide = {"q": f(1, 3, 2 * 32), "k": f(1, 3, 32), "v": f(1, 3, 32), "pk": f(1, 1, 2, 32), "pv": f(1, 1, 2, 32),
            "n": i(4, dtype=np.int32), "t": np.array(5, np.int32), "c": cos, "s": sin}
    op("gqa_partial", "GroupQueryAttention", wide, ["y", "pk2", "pv2"], domain=MS, reference=False, out_types=[T.FLOAT] * 3,
       attrs={"num_heads": 2, "kv_num_heads": 1, "do_rotary": 1})


def ref_attr(node, **refs):
    for name, (ref, kind) in refs.items():
        node.attribute.append(onnx.AttributeProto(name=name, ref_attr_name=ref, type=kind))
    return node


def functions():
    """Model-local functions: attributes by reference, defaults, nesting, optional inputs."""
    D = "test.domain"
    A = onnx.AttributeProto
    imports = [h.make_opsetid("", 23), h.make_opsetid(D, 1)]
    rotation = h.make_function(
        D, "Rotation", ["X", "cos", "sin"], ["Y"],
        [ref_attr(h.make_node("RotaryEmbedding", ["X", "cos", "sin"], ["Y"]),
                  interleaved=("interleaved", A.INT), rotary_embedding_dim=("rotary_embedding_dim", A.INT))],
        imports, attributes=["rotary_embedding_dim"], attribute_protos=[h.make_attribute("interleaved", 0)])
    cos, sin = table(16, 2)
    p = ids((2, 3), 16)
    for name, attrs in [("default", {}), ("given", {"interleaved": 1})]:
        op(f"function_{name}", "Rotation", {"x": f(2, 2, 3, 8), "c": cos[p], "s": sin[p]}, domain=D, functions=[rotation],
           attrs={"rotary_embedding_dim": 4} | attrs, reference=bool(attrs), out_types=[T.FLOAT])  # the evaluator ignores defaults
    # Square is called twice and by another function; its inner value is named like one outside.
    square = h.make_function(D, "Square", ["x"], ["y"],
                             [h.make_node("Mul", ["x", "x"], ["t"]), h.make_node("Identity", ["t"], ["y"])], imports)
    fourth = ref_attr(h.make_node("ReduceSum", ["q"], ["s"]), keepdims=("keep", A.INT))
    outer = h.make_function(D, "Fourth", ["x"], ["y", "s"],
                            [h.make_node("Square", ["x"], ["t"], domain=D), h.make_node("Square", ["t"], ["q"], domain=D),
                             h.make_node("Identity", ["q"], ["y"]), fourth], imports, attributes=["keep"])
    nodes = [h.make_node("Square", ["a"], ["t"], domain=D), h.make_node("Fourth", ["t"], ["y", "s"], domain=D, keep=0),
             h.make_node("Fourth", ["a"], ["z", "u"], domain=D)]
    case("function_nested", nodes, {"a": f(2, 3)}, ["t", "y", "s", "z", "u"], functions=[square, outer], reference=False, out_types=[T.FLOAT] * 5)
    # An optional input in the middle of the call is left out, and so it is in the body.
    clip = h.make_function(D, "Limit", ["x", "lo", "hi"], ["y"], [h.make_node("Clip", ["x", "lo", "hi"], ["y"])], imports)
    op("function_optional", "Limit", {"x": f(3, 4, scale=3), "hi": np.float64(0.5)}, slots=["x", "", "hi"], domain=D, functions=[clip],
       reference=False, out_types=[T.FLOAT])


def weights():
    """Initializers of every type, as an output, and a weight through Cast into Gemm and Gather."""
    import ml_dtypes
    w = f(6, 4)
    kinds = {"f32": np.float32, "f64": np.float64, "f16": np.float16, "bf16": ml_dtypes.bfloat16,
             "e4m3": ml_dtypes.float8_e4m3fn, "e5m2": ml_dtypes.float8_e5m2}
    for name, dtype in kinds.items():
        stored = w.astype(dtype)
        nodes = [h.make_node("Cast", ["w"], ["wf"], to=T.FLOAT),
                 h.make_node("Gather", ["wf", "ids"], ["e"]),
                 h.make_node("Gemm", ["e", "wf"], ["y"], transB=1),
                 h.make_node("Transpose", ["wf"], ["wt"]),
                 h.make_node("MatMul", ["e", "wt"], ["z"])]
        init = h.make_tensor("w", h.np_dtype_to_tensor_dtype(np.dtype(dtype)), [6, 4], stored.tobytes(), raw=True)
        case(f"weight_{name}", nodes, {"ids": i(0, 5, 2)}, ["y", "z", "e"], init=[init], reference=False, out_types=[T.FLOAT] * 3)
    ints = [("i8", np.int8), ("i32", np.int32), ("u8", np.uint8), ("i64", np.int64)]
    nodes = [h.make_node("Cast", [n], [n + "_"], to=T.INT64) for n, _ in ints] + [h.make_node("Identity", ["flag"], ["b"])]
    init = [tensor(np.array([1, 2, 127], d), n) for n, d in ints] + [tensor(np.array([True, False]), "flag"), tensor(np.array([2.5], np.float32), "out")]
    case("weight_ints", nodes + [h.make_node("Identity", ["out"], ["unused"])], {}, [n + "_" for n, _ in ints] + ["b", "out"], init=init)
    typed = [h.make_tensor("a", T.FLOAT, [2], [1.5, -2.0]), h.make_tensor("b", T.INT64, [2], [3, 4]),
             h.make_tensor("c", T.BOOL, [2], [True, False]), h.make_tensor("d", T.FLOAT16, [2], [0.5, 3.0]),
             h.make_tensor("e", T.INT32, [2], [7, -8])]
    nodes = [h.make_node("Cast", ["d"], ["d_"], to=T.FLOAT), h.make_node("Add", ["a", "d_"], ["y"]),
             h.make_node("Where", ["c", "b", "b"], ["z"]), h.make_node("Identity", ["e"], ["e_"])]
    case("weight_typed_fields", nodes, {}, ["y", "z", "e_"], init=typed)


def choices():
    """The largest and the smallest elements; equal ones keep their order. Last, so that the others' numbers stay."""
    ties = np.array([[1.0, 3.0, 3.0, -2.0, 0.5], [0.0, 0.0, 0.0, 7.0, 0.0]])
    op("topk", "TopK", {"x": ties, "k": i(3)}, ["v", "p"])
    op("topk_axis", "TopK", {"x": f(4, 3), "k": i(2)}, ["v", "p"], attrs={"axis": 0})
    op("topk_smallest_int", "TopK", {"x": i(3, 1, 2, 1, 0, 3, 3), "k": i(7)}, ["v", "p"], attrs={"largest": 0})


def loops():
    """A decaying sum over the slices of an input, which carries a state. Last, for the same reason."""
    def body(state, x, g):
        return h.make_graph(
            [h.make_node("Mul", ["s", "gate"], ["kept"]), h.make_node("Add", ["kept", "slice"], ["next"]),
             h.make_node("Mul", ["next", "two"], ["given"])], "step",
            [h.make_tensor_value_info("s", T.FLOAT, state), h.make_tensor_value_info("slice", T.FLOAT, x), h.make_tensor_value_info("gate", T.FLOAT, g)],
            [h.make_tensor_value_info("next", T.FLOAT, state), h.make_tensor_value_info("given", T.FLOAT, state)],
            initializer=[h.make_tensor("two", T.FLOAT, [], [2.0])])
    op("scan", "Scan", {"s0": f(2, 3), "x": f(5, 2, 3), "g": f(5, 1)}, ["last", "y"], attrs={"body": body([2, 3], [2, 3], [1]), "num_scan_inputs": 2}, reference=False, out_types=[T.FLOAT, T.FLOAT])
    op("scan_axes", "Scan", {"s0": f(2, 3), "x": f(2, 4, 3), "g": f(1, 4)}, ["last", "y"], reference=False, out_types=[T.FLOAT, T.FLOAT],
       attrs={"body": body([2, 3], [2, 3], [1]), "num_scan_inputs": 2, "scan_input_axes": [1, 1], "scan_output_axes": [-1]})


def quantised():
    """Codes in blocks with scales. Last, for the same reason."""
    def packed(codes, bits):
        if bits == 8:
            return codes.astype(np.uint8)
        if codes.shape[-1] % 2:
            codes = np.concatenate([codes, np.zeros((*codes.shape[:-1], 1), codes.dtype)], -1)
        return (codes[..., 0::2] | codes[..., 1::2] << 4).astype(np.uint8)

    n, k, block = 5, 48, 16
    for bits in [4, 8]:
        half = 1 << (bits - 1)
        for zeros in ["none", "codes", "floats"]:
            codes = rng.integers(0, 2 * half, size=(n, k // block, block))
            init = [tensor(packed(codes, bits), "b"), tensor(f(n, k // block).astype(np.float32), "s")]
            if zeros == "codes":
                init.append(tensor(packed(rng.integers(0, 2 * half, size=(n, k // block)), bits), "z"))
            elif zeros == "floats" and bits == 4:
                init.append(tensor((half + f(n, k // block)).astype(np.float32), "z"))
            elif zeros == "floats":
                continue
            slots = ["a", "b", "s"] + ["z"] * (len(init) == 3)
            if zeros == "codes":
                init.append(tensor(f(n).astype(np.float32), "c"))
                slots += ["", "c"]
            node = h.make_node("MatMulNBits", slots, ["y"], name="node", domain=MS, N=n, K=k, bits=bits, block_size=block, accuracy_level=1)
            case(f"matmulnbits_{bits}_{zeros}", node, {"a": f(2, 3, k)}, ["y"], init=init, reference=False, out_types=[T.FLOAT])
            if zeros == "floats":
                continue
            init[0] = tensor(packed(codes, bits).reshape(n, -1), "b")
            node = h.make_node("GatherBlockQuantized", ["b", "i", "s"] + ["z"] * (zeros == "codes"), ["y"], name="node", domain=MS,
                               bits=bits, block_size=block, gather_axis=0, quantize_axis=1)
            case(f"gatherblock_{bits}_{zeros}", node, {"i": i(4, 0, 1, 4).reshape(2, 2)}, ["y"], init=[t for t in init if t.name != "c"],
                 reference=False, out_types=[T.FLOAT])
    for kind in [T.UINT4, T.INT4]:
        low = 0 if kind == T.UINT4 else -8
        codes = rng.integers(low, low + 16, size=(3, 5))
        op(f"cast_{T.DataType.Name(kind).lower()}", "Cast", {}, slots=["q"], init=[h.make_tensor("q", kind, codes.shape, codes)], attrs={"to": T.FLOAT})


def alike():
    op("castlike", "CastLike", {"x": f(2, 3), "like": f(1)})


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    for old in HERE.iterdir():
        old.unlink()
    for group in [elementwise, types, shapes, sums, norms, rotary, attention, gqa, functions, weights, choices, lambda: gqa(last=True), loops, quantised, alike]:
        group()
    print(len(list(HERE.glob("*.onnx"))), "cases")
