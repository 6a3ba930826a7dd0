"""Times graphs against each other in ONNX Runtime, by hand:

    python compare.py [--threads 2] [--rounds 10] FIRST.onnx OTHER.onnx ...

Prefill of 256 tokens, and eight decode steps after 512 tokens, each with the
cache that the step before gave; batch 1, the graphs taking turns. A graph's ratio
is the median of its time over the first graph's in the same round, which a
machine's mood disturbs least. A peer's graph to put first:

    python -m onnxruntime_genai.models.builder -m CHECKPOINT -o PEER -p fp32 -e cpu
"""
import argparse
import time

import numpy as np
import onnxruntime as ort

parser = argparse.ArgumentParser()
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--rounds", type=int, default=10)
parser.add_argument("models", nargs="+")
args = parser.parse_args()


def load(path):
    options = ort.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.log_severity_level = 3
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def feeds(session, ids, past, dims):
    length = ids.shape[1]
    given = {
        "input_ids": ids,
        "attention_mask": np.ones((1, dims[2] + length), np.int64),
        "position_ids": np.arange(dims[2], dims[2] + length, dtype=np.int64)[None],
    }
    out, k = {}, 0
    for value in session.get_inputs():
        if value.name in given:
            out[value.name] = given[value.name]
            continue
        out[value.name] = past[k] if past else np.zeros(dims, np.float32)
        k += 1
    return out


def run(session, given):
    binding = session.io_binding()
    for name, value in given.items():
        (binding.bind_cpu_input if isinstance(value, np.ndarray) else binding.bind_ortvalue_input)(name, value)
    for value in session.get_outputs():
        binding.bind_output(value.name, "cpu")
    start = time.perf_counter()
    session.run_with_iobinding(binding)
    return time.perf_counter() - start, binding.get_outputs()


def decode(path, steps=8):
    past, total = caches[path], 0.0
    for step in range(steps):
        given = feeds(sessions[path], np.array([[7]], np.int64), past, [1, heads, 512 + step, size])
        seconds, outputs = run(sessions[path], given)
        total += seconds
        past = outputs[1:]
    return total / steps


def prefill(path):
    return run(sessions[path], feeds(sessions[path], prompt, None, [1, heads, 0, size]))[0]


def report(label, measure):
    times = {path: [] for path in sessions}
    for r in range(args.rounds):
        for path in list(sessions)[:: 1 if r % 2 else -1]:
            time.sleep(0.05)  # the last graph's threads stop spinning
            times[path].append(measure(path))
    base = np.array(times[args.models[0]])
    for path in sessions:
        t = np.array(times[path])
        print("%-8s %-40s best %6.1f ms  median %6.1f ms  ratio %.3f"
              % (label, path, t.min() * 1e3, np.median(t) * 1e3, np.median(t / base)), flush=True)


sessions = {path: load(path) for path in args.models}
# a graph that leaves its cache's sizes open takes those of one that states them
shapes = [[v.shape for v in s.get_inputs() if v.name.startswith("past")][0] for s in sessions.values()]
heads, size = [(s[1], s[3]) for s in shapes if isinstance(s[1], int) and isinstance(s[3], int)][0]
prompt = (np.arange(256) * 37 % 1000 + 5).astype(np.int64)[None]
longer = (np.arange(512) * 31 % 1000 + 5).astype(np.int64)[None]
caches = {path: run(s, feeds(s, longer, None, [1, heads, 0, size]))[1][1:] for path, s in sessions.items()}
report("decode", decode)
report("prefill", prefill)
