"""Writes the operator cases in 16 bits: half/NAME.onnx and half/NAME.json each.

    pip install onnx==1.23.2 onnxruntime==1.32.0 numpy==2.2.6 ml_dtypes==0.6.0
    python gen_half.py

The operators' calls are those of gen_cases.py, with every float an element of
float16 (f16_NAME) or bfloat16 (bf16_NAME). "reference" is the onnx package's
reference evaluator fed with those numbers in float64, its answers rounded once
to the type; where a case has several nodes it computes in the types themselves.
"ort" is ONNX Runtime's CPU provider on the float16 model; it has no bfloat16.
"""
import json
import pathlib

import ml_dtypes
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto as T
from onnx import helper as h
from onnx.reference import ReferenceEvaluator

import gen_cases as g

HERE = pathlib.Path(__file__).parent / "half"
TYPES = {"f16": (np.float16, T.FLOAT16), "bf16": (ml_dtypes.bfloat16, T.BFLOAT16)}


def is_float(a):
    return a.dtype.kind == "f" or a.dtype == ml_dtypes.bfloat16


def encode(a):
    a = np.asarray(a)
    return g.encode(a.astype(np.float64) if is_float(a) else a)


def written(name, model, inputs, outputs, answers):
    (HERE / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))
    doc = {"inputs": {k: encode(v) for k, v in inputs.items()}}
    for oracle, values in answers.items():
        doc[oracle] = {o: encode(v) for o, v in zip(outputs, values)}
    (HERE / f"{name}.json").write_text(json.dumps(doc, separators=(",", ":")) + "\n")


def run_ort(model, inputs):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


def case(name, nodes, inputs, outputs, *, init=(), functions=(), opset=23, reference=True, runtime=True, out_types=None):
    """gen_cases.case in both types; a case without floats, or of several nodes, is left out."""
    inputs = {k: np.asarray(v) for k, v in inputs.items()}
    if isinstance(nodes, list) or init or not any(is_float(v) for v in inputs.values()):
        return
    for label, (dtype, number) in TYPES.items():
        typed = {k: v.astype(dtype) if is_float(v) else v for k, v in inputs.items()}
        double = {k: v.astype(np.float64) if is_float(v) else v for k, v in typed.items()}
        kinds = {k: number if is_float(v) else h.np_dtype_to_tensor_dtype(v.dtype) for k, v in typed.items()}
        model = h.make_model(h.make_graph(
            [nodes], name, [h.make_tensor_value_info(k, kinds[k], list(v.shape)) for k, v in typed.items()],
            [h.make_empty_tensor_value_info(o) for o in outputs]), functions=list(functions), ir_version=10,
            opset_imports=[h.make_opsetid(d, opset if d == "" else 1) for d in sorted({nodes.domain, ""} | {fn.domain for fn in functions})])
        answers, result = {}, [number] * len(outputs)
        if reference:
            exact = ReferenceEvaluator(model).run(None, double)
            result = [number if is_float(np.asarray(a)) else h.np_dtype_to_tensor_dtype(np.asarray(a).dtype) for a in exact]
        if nodes.op_type == "LayerNormalization":
            result = [number] + [T.FLOAT] * (len(outputs) - 1)  # the statistics
        if nodes.op_type == "Cast":
            result = [nodes.attribute[0].i]
        if reference:
            rounded = {number: dtype, T.FLOAT: np.float32}
            answers["reference"] = [np.asarray(a).astype(rounded[t]) if t in rounded else a for a, t in zip(exact, result)]
        for o, t in zip(model.graph.output, result):
            o.CopyFrom(h.make_tensor_value_info(o.name, t, None))
        if runtime and label == "f16":
            answers["ort"] = run_ort(model, typed)
        if answers:
            written(f"{label}_{name}", model, typed, outputs, answers)


def native(name, nodes, inputs, outputs, result, init=()):
    """A case of several nodes, each of which computes in its own types."""
    model = h.make_model(h.make_graph(
        nodes, name, [h.make_tensor_value_info(k, h.np_dtype_to_tensor_dtype(v.dtype), list(v.shape)) for k, v in inputs.items()],
        [h.make_tensor_value_info(o, t, None) for o, t in zip(outputs, result)], initializer=list(init)),
        ir_version=10, opset_imports=[h.make_opsetid("", 23)])
    written(name, model, inputs, outputs, {"reference": ReferenceEvaluator(model).run(None, inputs)})


def casts():
    """Numbers at the edges of the types: ties, subnormals, what overflows, infinities; there, back and across."""
    edges = [0.0, -0.0, 1 + 2**-11, 1 + 3 * 2**-11, 1 + 2**-8, 1 + 3 * 2**-8, 2**-24, 2**-25, 1.5 * 2**-25, 2**-14 - 2**-26, 2**-133, 2**-135,
             65504, 65519.99, 65520, -65536, 3.38e38, 3.4e38, 1 / 3, np.inf, -np.inf]
    x = np.array(edges, np.float32)
    to = lambda x, y, t: h.make_node("Cast", [x], [y], to=t)
    native("cast_chain", [to("x", "h", T.FLOAT16), to("x", "b", T.BFLOAT16), to("h", "hb", T.BFLOAT16), to("b", "bh", T.FLOAT16),
                          to("h", "hf", T.FLOAT), to("hf", "hfb", T.BFLOAT16), h.make_node("CastLike", ["x", "h"], ["xl"]), h.make_node("CastLike", ["h", "x"], ["hl"])],
           {"x": x}, ["h", "b", "hb", "bh", "hf", "hfb", "xl", "hl"], [T.FLOAT16, T.BFLOAT16, T.BFLOAT16, T.FLOAT16, T.FLOAT, T.BFLOAT16, T.FLOAT16, T.FLOAT])
    native("cast_double", [to("x", "h", T.FLOAT16), to("x", "f", T.FLOAT)], {"x": np.array([1 + 2**-11 + 2**-40, 1 + 3 * 2**-11 - 2**-40, 1 + 2**-24 + 2**-50])}, ["h", "f"], [T.FLOAT16, T.FLOAT])  # ONNX Runtime rounds twice here, through float32
    ints = np.array([0, 1, 2049, 2051, -65504, 70000], np.int64)
    native("cast_ints", [to("x", "h", T.FLOAT16), to("x", "b", T.BFLOAT16)], {"x": ints}, ["h", "b"], [T.FLOAT16, T.BFLOAT16])


def chains():
    """Every node rounds once, with initialisers in raw bytes and in int32_data. ONNX Runtime computes those nodes in
    float32 and leaves out the casts between them, so that it is no oracle of this."""
    for label, (dtype, number) in TYPES.items():
        x = g.f(3, 8).astype(dtype)
        raw = g.f(8).astype(dtype)
        listed = g.f(1, 8).astype(dtype)
        init = [h.make_tensor("w", number, [8], raw.tobytes(), raw=True),
                onnx.TensorProto(name="v", data_type=number, dims=[1, 8], int32_data=listed.view(np.uint16).reshape(-1).tolist())]
        nodes = [h.make_node("Add", ["x", "w"], ["s"]), h.make_node("Mul", ["s", "s"], ["q"]), h.make_node("Mul", ["q", "v"], ["r"]),
                 h.make_node("Sub", ["r", "x"], ["y"]), h.make_node("Cast", ["y"], ["wide"], to=T.FLOAT), h.make_node("Mul", ["wide", "wide"], ["z"])]
        native(f"chain_{label}", nodes, {"x": x}, ["s", "y", "z"], [number, number, T.FLOAT], init=init)


def loops():
    """A state that every step of a Scan rounds."""
    for label, (dtype, number) in TYPES.items():
        value = lambda name, shape: h.make_tensor_value_info(name, number, shape)
        body = h.make_graph([h.make_node("Mul", ["s", "x"], ["p"]), h.make_node("Add", ["p", "x"], ["next"]), h.make_node("Identity", ["next"], ["given"])],
                            "step", [value("s", [3]), value("x", [3])], [value("next", [3]), value("given", [3])])
        native(f"scan_{label}", [h.make_node("Scan", ["s0", "xs"], ["last", "y"], body=body, num_scan_inputs=1)],
               {"s0": g.f(3).astype(dtype), "xs": g.f(6, 3).astype(dtype)}, ["last", "y"], [number, number])


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    for old in HERE.iterdir():
        old.unlink()
    g.case = case
    for group in [g.elementwise, g.shapes, g.sums, g.norms, g.rotary, g.attention, g.gqa, g.functions, g.choices, lambda: g.gqa(last=True), casts, chains, loops]:
        group()
    print(len(list(HERE.glob("*.onnx"))), "cases")
