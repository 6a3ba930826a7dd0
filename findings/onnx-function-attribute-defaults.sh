#!/usr/bin/env bash
# Model-local functions in onnx's own tools: inliner and version converter.
#
# Seen with onnx 1.23.2, a function with an attribute that has a default and a call
# that leaves it out:
#   ONNX Runtime 1.32.0, onnx.checker          take the default
#   onnx's reference evaluator                 raises TypeError: no attribute is given
#   onnx.inliner                               drops it: the inlined node has no such
#                                              attribute and computes with the op's own default
#   onnx.version_converter                     returns a model without the function: the
#                                              checker refuses it, nothing defines the op
# A call that gives every attribute is inlined rightly.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/v"
"$work/v/bin/pip" install -q --disable-pip-version-check numpy==2.2.6 onnx==1.23.2 onnxruntime==1.32.0

"$work/v/bin/python" - <<'PY'
import sys

import numpy as np
import onnx
import onnx.inliner
import onnxruntime
from onnx import TensorProto, helper, version_converter
from onnx.reference import ReferenceEvaluator

x = np.array([[-1.0, 1.0]], np.float32)
ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, x.shape) for n in "xy"]
body = helper.make_node("LeakyRelu", ["a"], ["b"])
body.attribute.append(onnx.AttributeProto(name="alpha", type=onnx.AttributeProto.FLOAT, ref_attr_name="slope"))
leaky = helper.make_function("example", "Leaky", ["a"], ["b"], [body], [helper.make_opsetid("", 21)],
                             attribute_protos=[helper.make_attribute("slope", 0.5)])


def model(**attributes):
    call = helper.make_node("Leaky", ["x"], ["y"], domain="example", **attributes)
    made = helper.make_model(helper.make_graph([call], "g", ends[:1], ends[1:]), functions=[leaky],
                             opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("example", 1)])
    made.ir_version = 10
    onnx.checker.check_model(made, full_check=True)
    return made


def first(made):
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    return round(float(session.run(None, {"x": x})[0][0, 0]), 4)


got = {
    "as it is": first(model()),
    "inlined": first(onnx.inliner.inline_local_functions(model())),
    "inlined, attribute given": first(onnx.inliner.inline_local_functions(model(slope=0.5))),
}
try:
    ReferenceEvaluator(model()).run(None, {"x": x})
    reference = "runs"
except TypeError:
    reference = "TypeError"
converted = version_converter.convert_version(model(), 22)
print(f"onnx {onnx.__version__}: Leaky(-1) {got}; reference: {reference}; functions after the version converter: {len(converted.functions)}")
if got != {"as it is": -0.5, "inlined": -0.01, "inlined, attribute given": -0.5} or reference != "TypeError" or len(converted.functions) != 0:
    sys.exit("changed: expected -0.5, -0.01 when inlined, -0.5 with the attribute given, and no function left; TypeError of the reference")
PY
