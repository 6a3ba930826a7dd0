"""onnx.inliner over the model-local functions, then onnx's reference evaluator."""

import os

import onnx
import onnx.inliner
from onnx.reference import ReferenceEvaluator

from protocol import Refused, main


def run(folder, feeds, outcome):
    model = onnx.inliner.inline_local_functions(onnx.load(os.path.join(folder, "model.onnx")))
    left = {n.domain for n in model.graph.node} & {"ai.pecvt"}
    if left or len(model.functions):
        raise Refused(f"left after inlining: {sorted(left)}, {len(model.functions)} functions")
    evaluator = ReferenceEvaluator(model)
    for r in feeds.runs():
        outcome.compare(evaluator.run(["logits"], r.inputs)[0], r.logits, noise=r.noise)


if __name__ == "__main__":
    main(onnx.__version__, run)
