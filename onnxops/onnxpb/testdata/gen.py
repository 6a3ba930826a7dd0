"""Writes oracle.onnx with the onnx package (1.23.2): a model that sets the
fields pecvt reads and writes, as another implementation spells them."""
import os

import onnx
from onnx import TensorProto, helper

here = os.path.dirname(os.path.abspath(__file__))
weight = TensorProto(name="w", data_type=TensorProto.BFLOAT16, dims=[3, 4], data_location=TensorProto.EXTERNAL)
for key, value in (("location", "model.safetensors"), ("offset", "1234"), ("length", "24")):
    weight.external_data.add(key=key, value=value)
function = helper.make_function(
    "ai.pecvt", "Turn", ["X"], ["Y"],
    [helper.make_node("Neg", ["X"], ["Y"], name="body")],
    [helper.make_opsetid("", 23)],
    attributes=["left"], attribute_protos=[helper.make_attribute("speed", 2.5)],
)
ref = function.node[0].attribute.add(name="k", type=onnx.AttributeProto.INT)
ref.ref_attr_name = "left"
node = helper.make_node("Turn", ["x", ""], ["y"], name="turn", domain="ai.pecvt", left=7, speed=1.5,
                        text="abc", ints=[1, -2], floats=[0.5, 4.0], strings=["p", "q"],
                        t=helper.make_tensor("c", TensorProto.INT64, [2], [5, -6]))
graph = helper.make_graph(
    [node], "g",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])],
    [weight],
    value_info=[helper.make_tensor_value_info("z", TensorProto.DOUBLE, [])],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23), helper.make_opsetid("ai.pecvt", 1)],
                          functions=[function], producer_name="oracle", producer_version="9", ir_version=11)
model.metadata_props.add(key="pecvt.version", value="0")
with open(os.path.join(here, "oracle.onnx"), "wb") as f:
    f.write(model.SerializeToString(deterministic=True))
