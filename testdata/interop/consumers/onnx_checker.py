"""onnx's checker (by path, full), strict shape inference, load, save and load again."""

import os
import tempfile

import onnx
from onnx import shape_inference

from protocol import Refused, main


def run(folder, feeds, outcome):
    outcome.limit, outcome.fixed = 0.0, True
    path = os.path.join(folder, "model.onnx")
    onnx.checker.check_model(path, full_check=True)
    model = onnx.load(path)  # refuses external data it does not like
    inferred = shape_inference.infer_shapes(onnx.load(path, load_external_data=False), check_type=True, strict_mode=True)
    typed = {v.name for v in [*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output] if v.type.tensor_type.elem_type}
    untyped = [o for n in inferred.graph.node for o in n.output if o and o not in typed]
    if untyped:
        raise Refused(f"{len(untyped)} values get no type, such as {untyped[0]}")
    weights = {i.name: onnx.numpy_helper.to_array(i) for i in model.graph.initializer}
    with tempfile.TemporaryDirectory() as work:
        onnx.save(model, os.path.join(work, "model.onnx"), save_as_external_data=True, location="data")
        onnx.checker.check_model(os.path.join(work, "model.onnx"), full_check=True)
        for i in onnx.load(os.path.join(work, "model.onnx")).graph.initializer:
            # By bytes: the mark of a position past the tables is a NaN.
            changed = onnx.numpy_helper.to_array(i).tobytes() != weights[i.name].tobytes()
            outcome.compare(float(changed), 0.0)
    outcome.note = f"{len(inferred.graph.node)} nodes, every value typed"


if __name__ == "__main__":
    main(onnx.__version__, run)
