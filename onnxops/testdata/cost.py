"""Times encodings against RoPE in ONNX Runtime on the same model shape, by hand:

    python cost.py PECVT WORKDIR [--rounds 15] [--threads 1] [--bias mask] [--flush]
        [--length 2048] [--ops-lib build/libpecvt_ops.so] [--only rope alibi …]

Makes random checkpoints of the official GRAPE models (2 layers of 16 heads of 64,
hidden size 1024) after the names in testdata/golden, exports each with the pecvt
binary, and times prefill of 512 tokens and decode steps after 512 (--length), the graphs
taking turns. The ratio is that of the best times; with one thread they are processor time.
"""
import argparse
import json
import pathlib
import subprocess
import time

import numpy as np
import onnxruntime as ort
from safetensors.numpy import load_file, save_file

parser = argparse.ArgumentParser()
parser.add_argument("pecvt")
parser.add_argument("workdir", type=pathlib.Path)
parser.add_argument("--rounds", type=int, default=15)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--bias", default="")
parser.add_argument("--flush", action="store_true", help="session.set_denormal_as_zero")
parser.add_argument("--only", nargs="*")
parser.add_argument("--length", type=int, default=512)
parser.add_argument("--ops-lib", default="", help="a library of kernels: make ops")
args = parser.parse_args()
# one thread: its own time, which others on the machine disturb least
clock = time.thread_time if args.threads == 1 else time.perf_counter
goldens = pathlib.Path(__file__).resolve().parents[2] / "testdata" / "golden"
cases = ["rope", "m-nonctx", "m-ctx", "alibi", "fox", "a-keygated", "a-querygated", "a-querykeygated", "ap-v1"]
wide = {64: 1024, 170: 2730, 16: 64, 4: 16, 8: 32, 32: 256, 128: 512, 1: 1}


def make(case):
    source, dir = goldens / ("grape-" + case), args.workdir / case
    dir.mkdir(parents=True, exist_ok=True)
    config = json.loads((source / "config.json").read_text())
    config.update(n_embd=1024, n_head=16, head_dim=64, vocab_size=512, block_size=max(2048, args.length + 64))
    if "p_head_dim" in config:
        config["p_head_dim"] = 16
    (dir / "config.json").write_text(json.dumps(config))
    rng = np.random.default_rng(1)
    tensors = {}
    for name, value in load_file(source / "model.safetensors").items():
        shape = [wide[d] for d in value.shape]
        tensors[name] = (rng.standard_normal(shape) * (1 / np.sqrt(shape[-1]))).astype(np.float32)
        if "log_freq" in name:
            tensors[name] = np.tile(-np.linspace(0, 9, shape[-1], dtype=np.float32) * 16, shape[:-1] + [1])
            tensors[name] += rng.standard_normal(shape).astype(np.float32)
    save_file(tensors, dir / "model.safetensors")
    out = args.workdir / (case + ".onnx.d")
    command = [args.pecvt, "export", str(dir), "-o", str(out), "--force", "--copy", "-q"]
    if args.bias:
        command += ["--bias", args.bias]
    subprocess.run(command, check=True)
    options = ort.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.log_severity_level = 3
    if args.ops_lib:
        options.register_custom_ops_library(args.ops_lib)
    if args.flush:
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return ort.InferenceSession(str(out / "model.onnx"), options, providers=["CPUExecutionProvider"])


def feeds(session, ids, past, start):
    length = ids.shape[1]
    given = {
        "input_ids": ids,
        "attention_mask": np.ones((1, start + length), np.int64),
        "position_ids": np.arange(start, start + length, dtype=np.int64)[None],
    }
    for value in session.get_inputs():
        if value.name in given:
            continue
        if past:
            given[value.name] = past[value.name.replace("past_key_values", "present").replace("past_state", "present_state")]
            continue
        given[value.name] = np.zeros([1 if d == "batch_size" else 0 if isinstance(d, str) else d for d in value.shape], np.float32)
    return given


def run(session, given):
    binding = session.io_binding()
    for name, value in given.items():
        (binding.bind_cpu_input if isinstance(value, np.ndarray) else binding.bind_ortvalue_input)(name, value)
    for value in session.get_outputs():
        binding.bind_output(value.name, "cpu")
    start = clock()
    session.run_with_iobinding(binding)
    seconds = clock() - start
    return seconds, dict(zip([v.name for v in session.get_outputs()], binding.get_outputs()))


sessions = {case: make(case) for case in args.only or cases}
prompt = (np.arange(args.length) * 37 % 500 + 5).astype(np.int64)[None]
caches = {case: run(s, feeds(s, prompt, None, 0))[1] for case, s in sessions.items()}
times = {"prefill": {c: [] for c in sessions}, "decode": {c: [] for c in sessions}}
for r in range(args.rounds):
    for case in list(sessions)[:: 1 if r % 2 else -1]:
        s = sessions[case]
        times["prefill"][case].append(run(s, feeds(s, prompt, None, 0))[0])
        for _ in range(12):
            times["decode"][case].append(run(s, feeds(s, np.array([[7]], np.int64), caches[case], args.length))[0])
base = list(sessions)[0]
for what, rows in times.items():
    for case, t in rows.items():
        print("%-8s %-18s best %7.2f ms  median %7.2f ms  ratio of the best %.3f" % (
            what, case, min(t) * 1e3, np.median(t) * 1e3, min(t) / min(rows[base])))
