"""What older ONNX Runtimes make of graphs, for onnxops/least.go and docs/convert.md.

    python least_runtime.py answers.npz FOLDER...          # in the newest: writes its logits
    python least_runtime.py answers.npz FOLDER... --held   # in an older one: how far off it is

Each FOLDER has a model.onnx of pecvt's. Prompts of 9, 3 and 1 tokens go through its
cache. The environments ort-new, ort-1.26 and ort-1.23 of testdata/interop/envs.py have
the runtimes.
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime

TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64, "tensor(int64)": np.int64}


def answers(folder):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    names = [o.name for o in session.get_outputs()]
    vocabulary = session.get_outputs()[0].shape[-1]
    logits, past, done = [], {}, 0
    for n in (9, 3, 1):
        feeds = {}
        for i in session.get_inputs():
            if i.name == "input_ids":
                feeds[i.name] = rng.integers(0, vocabulary, (1, n))
            elif i.name == "attention_mask":
                feeds[i.name] = np.ones((1, done + n), np.int64)
            elif i.name == "position_ids":
                feeds[i.name] = np.arange(done, done + n)[None]
            elif past:
                feeds[i.name] = past[i.name]
            else:
                shape = [d if isinstance(d, int) else 1 if "batch" in str(d) else 0 for d in i.shape]
                feeds[i.name] = np.zeros(shape, TYPES[i.type])
        out = dict(zip(names, session.run(None, feeds), strict=True))
        logits.append(out[names[0]].astype(np.float64))
        past = {i.name: out[i.name.replace("past_key_values", "present").replace("past_state", "present_state")] for i in session.get_inputs() if i.name.startswith("past")}
        done += n
    return np.concatenate(logits, 1)


def main():
    held = "--held" in sys.argv
    file, *folders = [a for a in sys.argv[1:] if a != "--held"]
    known = dict(np.load(file)) if held else {}
    onnxruntime.set_default_logger_severity(4)
    for folder in map(Path, folders):
        try:
            got = answers(folder)
        except Exception as e:  # whatever a runtime says of a graph
            print(onnxruntime.__version__, folder.name, "stops:", str(e)[:200])
            continue
        if not held:
            known[folder.name] = got
            continue
        want = known[folder.name]
        print(onnxruntime.__version__, folder.name, f"{np.abs(got - want).max() / np.abs(want).max():.1e}")
    if not held:
        np.savez(file, **known)


main()
