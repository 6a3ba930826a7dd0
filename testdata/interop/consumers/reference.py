"""Writes the inputs of a case and the logits that every consumer must give.

    python reference.py FOLDER FEEDS LENGTH SOURCE [GOLDEN]

The logits are those of the newest ONNX Runtime on FOLDER/model.onnx, which
`pecvt verify` holds against the float64 reference. Where GOLDEN, a safetensors
file with input_ids and the logits of stock transformers, is given, the long
sequence is the golden's and so are its logits: ONNX Runtime must agree with it,
or the case is not made. SOURCE is the feeds folder of the source model ('-' for
the source itself): a loader that passes over the encoding gives its numbers.
"""

import json
import os
import struct
import sys

import numpy as np
import onnxruntime

from protocol import LIMIT, Feeds, apart

TYPES = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(float)": np.float32}


def golden(path):
    with open(path, "rb") as f:
        (n,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(n))
        start = 8 + n
        out = {}
        for name, dtype in (("input_ids", "<i8"), ("logits", "<f4")):
            a, b = header[name]["data_offsets"]
            f.seek(start + a)
            out[name] = np.frombuffer(f.read(b - a), dtype).reshape(header[name]["shape"])
    return out["input_ids"][:1], out["logits"][0]


class Graph:
    def __init__(self, folder, optimised=True):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        if not optimised:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self.session = onnxruntime.InferenceSession(os.path.join(folder, "model.onnx"), options, providers=["CPUExecutionProvider"])
        self.vocab = self.session.get_outputs()[0].shape[-1]
        if self.session.get_outputs()[0].name != "logits":
            raise SystemExit("the first output is not logits")

    def feeds(self, ids, past):
        """One call: the positions of ids [1, past + S] from `past` on, over the caches
        of those before. (Caches drawn at random are nothing that a trained model has
        met: on SmolLM2-135M they make float32 noise twenty times as large.)"""
        out, cached = {}, None
        if past > 0:
            names = [o.name for o in self.session.get_outputs()]
            cached = dict(zip(names, self.session.run(None, self.feeds(ids[:, :past], 0))))
        ids = ids[:, past:]
        n = ids.shape[1]
        for i in self.session.get_inputs():
            dtype = TYPES[i.type]
            if i.name == "input_ids":
                out[i.name] = ids.astype(dtype)
            elif i.name == "attention_mask":
                out[i.name] = np.ones((1, past + n), dtype)
            elif i.name == "position_ids":
                out[i.name] = np.arange(past, past + n, dtype=dtype)[None]
            elif cached:
                out[i.name] = cached[i.name.replace("past_key_values", "present").replace("past_state", "present_state")]
            else:  # a cache: batch, heads, positions, width; sizes that have a name are the batch and the past
                shape = [1 if axis == 0 else 0 if isinstance(d, str) else d for axis, d in enumerate(i.shape)]
                out[i.name] = np.zeros(shape, dtype)
        return out

    def logits(self, feeds):
        return self.session.run(["logits"], feeds)[0]


def main(folder, target, length, source, golden_file=None):
    os.makedirs(target, exist_ok=True)
    graph, rng = Graph(folder), np.random.default_rng(20261128)
    plain = Graph(folder, optimised=False)

    def write(name, a):
        a = np.ascontiguousarray(a)
        a.tofile(os.path.join(target, name + ".bin"))
        return {"file": name + ".bin", "dtype": a.dtype.str, "shape": list(a.shape)}

    if golden_file:
        ids, want = golden(golden_file)
        ids, want = ids[:, :length], want[:length]
    else:
        ids, want = rng.integers(3, graph.vocab, size=(1, length)), None
    whole = graph.feeds(ids, 0)
    empty = graph.logits(whole)[0]
    # over many positions: three or twenty-four of them can be lucky
    noise, _ = apart(plain.logits(whole)[0], empty)
    if want is not None:
        d, most = apart(empty, want)
        if d > LIMIT * most:
            raise SystemExit(f"ONNX Runtime and {golden_file} are {d:.3g} apart at logits up to {most:.3g}")
    else:
        want = empty
    long = {"ids": write("ids", ids), "logits": write("long", want)}
    long["source"] = write("source", want if source == "-" else Feeds(source).long()[1])

    runs = []
    for past, n in ((0, 24), (7, 3)):
        feeds = graph.feeds(ids[:, : past + n], past)
        logits = graph.logits(feeds)
        runs.append({"past": past, "inputs": {k: write(f"{past}.{k}", v) for k, v in feeds.items()}, "logits": write(f"{past}.logits", logits), "noise": noise})
    with open(os.path.join(target, "feeds.json"), "w") as f:
        json.dump({"runtime": onnxruntime.__version__, "golden": golden_file, "runs": runs, "long": long}, f)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), *sys.argv[4:])
