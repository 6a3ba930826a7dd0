"""ONNX Runtime, CPU; the environment decides the version."""

import os

import onnxruntime

from protocol import main


def session(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def compare(path, feeds, outcome):
    s = session(path)
    for r in feeds.runs():
        outcome.compare(s.run(["logits"], r.inputs)[0], r.logits, noise=r.noise)


def run(folder, feeds, outcome):
    compare(os.path.join(folder, "model.onnx"), feeds, outcome)


if __name__ == "__main__":
    main(onnxruntime.__version__, run)
