"""ONNX Runtime's int4 weight quantiser (MatMulNBitsQuantizer, blocks of 32).

A quantised model has other numbers, and on small random or tiny models far
ones, so what is compared is what was done: every linear layer is quantised
("same"), none ("no-op"), or some ("refused", with how many); and the result
must load and give finite logits.
"""

import os
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

from ort import session
from protocol import NoOp, Refused, main


def linears(model):
    """Products with a stored matrix, in either form, behind a Cast too."""
    stored = {i.name for i in model.graph.initializer}
    for n in model.graph.node:
        if n.op_type == "Cast" and n.input[0] in stored:
            stored.add(n.output[0])
    return [n for n in model.graph.node if n.op_type in ("MatMul", "Gemm") and n.input[1] in stored]


def run(folder, feeds, outcome):
    model = onnx.load(os.path.join(folder, "model.onnx"))
    before = len(linears(model))
    quantiser = MatMulNBitsQuantizer(model, bits=4, block_size=32, is_symmetric=True)
    quantiser.process()
    done = sum(n.op_type == "MatMulNBits" for n in quantiser.model.model.graph.node)
    if done == 0:
        raise NoOp(f"0 of {before} linear layers quantised, without an error")
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "model.onnx")
        quantiser.model.save_model_to_file(path, True)
        s = session(path)
        for r in feeds.runs():
            logits = s.run(["logits"], r.inputs)[0]
            if not np.isfinite(logits).all() or logits.shape != r.logits.shape:
                raise Refused("the quantised model gives logits that are no numbers")
            outcome.note = f"{done} of {before} linear layers quantised"
    outcome.compare(np.array([done]), np.array([before]))


if __name__ == "__main__":
    main(onnxruntime.__version__, run)
