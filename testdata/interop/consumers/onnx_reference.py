"""onnx's reference evaluator."""

import os

import onnx
from onnx.reference import ReferenceEvaluator

from protocol import main


def run(folder, feeds, outcome):
    evaluator = ReferenceEvaluator(onnx.load(os.path.join(folder, "model.onnx")))
    for r in feeds.runs():
        outcome.compare(evaluator.run(["logits"], r.inputs)[0], r.logits, noise=r.noise)


if __name__ == "__main__":
    main(onnx.__version__, run)
