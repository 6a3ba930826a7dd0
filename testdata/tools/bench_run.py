#!/usr/bin/env python3
"""The loop of `pecvt run` against a bare Python loop with IO binding over the same graph, by hand:

    python bench_run.py PECVT FOLDER [--prompt 128] [--tokens 48] [--rounds 5] [--threads 1]

Both take turns, in new processes, and decode so many tokens after the prompt (`pecvt bench` runs the loop); seconds of a token, of the clock and of processor time, the least and
the median over the rounds. The Python loop leaves the caches to ONNX Runtime as OrtValues, which nothing copies, and takes
the argmax of the logits with numpy. testdata/tools/check_run.py holds the tokens.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time


def loop(folder, ids, tokens, threads):
    import numpy as np
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = ort.InferenceSession(os.path.join(folder, "model.onnx"), options, providers=["CPUExecutionProvider"])
    names = [v.name for v in session.get_inputs()]
    past = {v.name: ort.OrtValue.ortvalue_from_numpy(np.zeros([1 if i == 0 else d if isinstance(d, int) else 0 for i, d in enumerate(v.shape)], np.float32))
            for v in session.get_inputs() if v.name.startswith("past")}
    out, at, step = [], 0, ids
    while True:
        binding = session.io_binding()
        binding.bind_cpu_input("input_ids", np.array([step], np.int64))
        binding.bind_cpu_input("attention_mask", np.ones((1, at + len(step)), np.int64))
        if "position_ids" in names:
            binding.bind_cpu_input("position_ids", np.arange(at, at + len(step), dtype=np.int64)[None])
        for name, value in past.items():
            binding.bind_ortvalue_input(name, value)
        for v in session.get_outputs():
            binding.bind_output(v.name, "cpu")
        session.run_with_iobinding(binding)
        at += len(step)
        values = dict(zip([v.name for v in session.get_outputs()], binding.get_outputs()))
        past = {n: values[n.replace("past_key_values", "present").replace("past_state", "present_state")] for n in past}
        out.append(int(values["logits"].numpy()[0, -1].argmax()))
        if len(out) == 1:
            begin, cpu = time.perf_counter(), time.process_time()
        if len(out) == tokens:
            break
        step = [out[-1]]
    print(json.dumps({"ids": out, "seconds": (time.perf_counter() - begin) / (tokens - 1), "cpu": (time.process_time() - cpu) / (tokens - 1)}))


def child(command):
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("pecvt")
    p.add_argument("folder")
    p.add_argument("--prompt", type=int, default=128)
    p.add_argument("--tokens", type=int, default=48)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--loop", action="store_true")
    a = p.parse_args()
    ids = [1 + i * 7919 % 500 for i in range(a.prompt)]
    if a.loop:
        return loop(a.folder, ids, a.tokens, a.threads)
    clock, cpu = {"run": [], "loop": []}, {"run": [], "loop": []}
    for r in range(a.rounds):
        for who in ("run", "loop") if r % 2 else ("loop", "run"):
            if who == "run":  # a round that is not counted decodes as many before
                x = child([a.pecvt, "bench", a.folder, "--contexts", str(a.prompt - a.tokens), "--steps", str(a.tokens), "--repeat", "1",
                           "--lengths", "1", "--threads", str(a.threads), "--json", "-q"])["models"][0]["decode"][0]
                x = {"seconds": x["seconds"], "cpu": x["cpu_seconds"]}
            else:
                x = child([sys.executable, __file__, "--loop", a.pecvt, a.folder, "--prompt", str(a.prompt), "--tokens", str(a.tokens + 1), "--threads", str(a.threads)])
            clock[who].append(x["seconds"])
            cpu[who].append(x["cpu"])
    for what, t in (("clock", clock), ("processor", cpu)):
        ratios = [x / y for x, y in zip(t["run"], t["loop"])]
        print(f"{what}: run {1e3 * min(t['run']):.2f} ms (median {1e3 * statistics.median(t['run']):.2f}), loop {1e3 * min(t['loop']):.2f} ms "
              f"(median {1e3 * statistics.median(t['loop']):.2f}), ratio of the least {min(t['run']) / min(t['loop']):.3f}, median of ratios {statistics.median(ratios):.3f}")


main()
