"""OpenVINO, CPU."""

import os

import openvino

from protocol import Refused, main


def what_it_says(error):
    """Its message without the places in its source that stand before it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(("Exception from", "Check ", "FrontEnd API failed"))]
    return " ".join(said) or str(error)


def run(folder, feeds, outcome):
    try:
        compute(folder, feeds, outcome)
    except RuntimeError as e:
        raise Refused(what_it_says(e)) from e


def compute(folder, feeds, outcome):
    core = openvino.Core()
    model = core.read_model(os.path.join(folder, "model.onnx"))
    # float32: its default on newer processors is bfloat16 inside.
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for r in feeds.runs():
        outcome.compare(compiled(r.inputs)["logits"], r.logits, noise=r.noise)


if __name__ == "__main__":
    main(openvino.__version__.split("-")[0], run)
