#!/usr/bin/env python3
"""Times one forward pass in PyTorch and in pecvt's reference, in the same run.

    bench_ref.py MODEL [--tokens 256] [--rounds 3] [--tags openblas]

PyTorch: transformers' model of the checkpoint, eager attention, float32 on the
CPU, all logits, no cache, every core; the first pass warms up and is not
counted. The reference: BenchmarkModel of verify/ref (`go` must be on the path),
built once and run between PyTorch's passes, so that both meet the same load.
The least of the rounds counts. Two ratios are printed: of elapsed time, which a
busy machine distorts, and of processor time (user and system), which it
distorts less. Needs torch and transformers.
"""

import argparse
import os
import pathlib
import re
import resource
import subprocess
import tempfile
import time

import torch
import transformers

root = pathlib.Path(__file__).resolve().parents[2]
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model")
parser.add_argument("--tokens", type=int, default=256)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--tags", default="", help="build tags of the reference")
args = parser.parse_args()

torch.set_num_threads(os.cpu_count())
model = transformers.AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32, attn_implementation="eager").eval()
ids = torch.arange(args.tokens)[None] * 7 % model.config.vocab_size


def cpu():
    u = resource.getrusage(resource.RUSAGE_SELF)
    return u.ru_utime + u.ru_stime


def forward():
    wall, used = time.perf_counter(), cpu()
    with torch.inference_mode():
        model(ids, use_cache=False)
    return time.perf_counter() - wall, cpu() - used


with tempfile.TemporaryDirectory() as tmp:
    binary = os.path.join(tmp, "ref.test")
    subprocess.run(["go", "test", "-c", "-tags", args.tags, "-o", binary, "./verify/ref"], cwd=root, check=True)
    env = dict(os.environ, PECVT_BENCH_MODEL=os.path.abspath(args.model), PECVT_BENCH_TOKENS=str(args.tokens))
    forward()
    best = {}

    def note(name, wall, used):
        old = best.get(name, (wall, used))
        best[name] = (min(old[0], wall), min(old[1], used))

    for _ in range(args.rounds):
        for _ in range(3):
            note("torch", *forward())
        out = subprocess.run([binary, "-test.run", "^$", "-test.bench", "^BenchmarkModel$", "-test.benchtime", "1x"],
                             cwd=root / "verify" / "ref", env=env, check=True, capture_output=True, text=True).stdout
        for name, ns, used in re.findall(r"BenchmarkModel/(\w+)\S*\s+\d+\s+(\d+) ns/op\s+([\d.]+) cpu-s/op", out):
            note(name, int(ns) / 1e9, float(used))

wall, used = best["torch"]
print(f"{args.tokens} tokens, {os.cpu_count()} cores, torch {torch.__version__}, tags {args.tags or 'none'}")
print(f"torch float32   {wall:7.2f} s elapsed {used:7.2f} s of processors")
for name in ("float64", "float32"):
    w, u = best[name]
    print(f"ref   {name}   {w:7.2f} s elapsed {u:7.2f} s of processors   {w / wall:5.1f} x elapsed {u / used:5.1f} x processors")
