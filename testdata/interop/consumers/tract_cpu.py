"""tract, CPU."""

import os

import tract

from protocol import main


def run(folder, feeds, outcome):
    model = tract.onnx().load(os.path.join(folder, "model.onnx"))
    inputs = [model.input_name(i) for i in range(model.input_count())]
    outputs = [model.output_name(i) for i in range(model.output_count())]
    runnable = model.into_model().into_runnable()
    # outputs are named by the node that gives them; logits stand first in the graph
    for r in feeds.runs():
        outcome.compare(runnable.run([r.inputs[n] for n in inputs])[0].to_numpy(), r.logits, noise=r.noise)
    outcome.note = f"output {outputs[0]}"


if __name__ == "__main__":
    main(tract.version(), run)
