"""Runs pecvt's results in the tools that people serve with, and compares numbers.

    python3 testdata/interop/interop.py [--model DIR] [--only NAME,…] [--quick] [--pecvt FILE]

`make interop` calls this. Consumers are installed into the cache (envs.py), each
case is converted into build/interop, and each consumer is run on each case in a
process of its own. What they give is held against expect.tsv and against what
pecvt itself says of it (`pecvt loaders`). docs/interop.md is written by a run of
all of them. An outcome is kept beside the case and used again as long as what
pecvt wrote, the consumer's script and its environment are the same.

Exits with 1 where an outcome is not what is expected, with 2 where a consumer
could not be installed: it is reported as not run.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import cases
import envs
import page
import table

HERE = Path(__file__).resolve().parent
BUILD = cases.ROOT / "build/interop"
TIMEOUT = 900  # seconds for one consumer on one case

# name in the tables: what it is given, its environment, its script
CONSUMERS = {
    "onnx-checker": ("graph", "onnx", "onnx_checker.py"),
    "onnx-reference": ("graph", "onnx", "onnx_reference.py"),
    "onnx-inliner": ("graph", "onnx", "onnx_inliner.py"),
    "onnxruntime": ("graph", "ort-new", "ort.py"),
    "onnxruntime-1.26": ("graph", "ort-1.26", "ort.py"),
    "onnxruntime-1.23": ("graph", "ort-1.23", "ort.py"),
    "onnxruntime-web": ("graph", "node", "web.mjs"),
    "transformers.js": ("graph", "node", "tjs.mjs"),
    "genai": ("graph", "genai", "genai.py"),
    "openvino": ("graph", "openvino", "openvino_cpu.py"),
    "tract": ("graph", "tract", "tract_cpu.py"),
    "onnxslim": ("graph", "ort-new", "slim.py"),
    "int4-quantiser": ("graph", "ort-new", "nbits.py"),
    "transformers5": ("loads", "transformers5", "stock_transformers.py"),
    "transformers4": ("loads", "transformers4", "stock_transformers.py"),
    "llama.cpp": ("loads", "llama.cpp", "llama.py"),
    "mlx": ("loads", "mlx", "mlx_cpu.py"),
    "ctranslate2": ("loads", "ctranslate2", "ct2.py"),
}
QUICK = ("onnx-checker", "onnx-reference", "transformers5")


def say(*words):
    print("interop:", *words, file=sys.stderr, flush=True)


def digest(*parts):
    h = hashlib.sha256()
    for p in parts:
        h.update(p.read_bytes() if isinstance(p, Path) and p.is_file() else str(p).encode())
        h.update(b"\0")
    return h.hexdigest()[:16]


def contents(folder):
    """A digest of what pecvt wrote, but for its manifest, which has the time in it."""
    files = [folder] if folder.is_file() else sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "pecvt.json")
    return digest(*(part for p in files for part in (p.name, p)))


def last_json(text):
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            try:
                return json.loads(line)
            except json.JSONDecodeError:
                return None
    return None


def environment(name):
    return envs.node_environment() if name == "node" else envs.pip_environment(name)


# The names of `pecvt loaders` for consumers that go by others here.
LOADER = {"onnx-checker": "onnx", "onnx-reference": "onnx"}
OUTCOME = {"right": "same", "wrong in silence": "wrong", "refused": "refused"}


class Cases:
    """Converted folders and their feeds, each made once for one pecvt."""

    def __init__(self, pecvt, jobs):
        self.pecvt, self.jobs = pecvt, {j.key: j for j in jobs}
        self.binary = digest(pecvt)
        self.found = {}

    def folder(self, job):
        return BUILD / job.model / (job.case.name + (".gguf" if "gguf" in job.case.name else ""))

    def contents(self, job):
        if job.key not in self.found:
            self.found[job.key] = contents(self.convert(job))
        return self.found[job.key]

    def argument(self, a, job):
        """{model} is the model, {case:NAME} what another case of it wrote."""
        named = re.fullmatch(r"\{case:(.*)\}", a)
        if named:
            return str(self.convert(self.jobs[f"{job.model}/{named[1]}"]))
        return a.replace("{model}", str(job.folder))

    def convert(self, job):
        """The folder of a case; pecvt's own error where it refuses."""
        folder, stamp = self.folder(job), BUILD / job.model / (job.case.name + ".stamp")
        want = digest(self.binary, job.case.args, job.folder)
        if stamp.exists() and stamp.read_text() == want:
            return folder
        args = [self.argument(a, job) for a in job.case.args.split()]
        done = subprocess.run([self.pecvt, *args, "-o", folder, "--force", "-q"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"pecvt {' '.join(args)}: exit {done.returncode}: {done.stderr.strip()[-300:]}")
        stamp.write_text(want)
        return folder

    def ask(self, *args):
        return json.loads(subprocess.run([self.pecvt, *args, "--json", "-q"], stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout)

    def told(self, consumer, kind, job):
        """What pecvt itself says that becomes of a result there, None where it does not know."""
        name = LOADER.get(consumer, consumer)
        if kind == "loads" and self.folder(job).is_file():
            return None  # a file of its own, made for the one that reads it
        if kind == "loads":
            rows = self.ask("inspect", self.convert(job)).get("readers") or []
            return next((r["outcome"] for r in rows if r["loader"] == name), None)
        config = json.loads((self.convert(job) / "config.json").read_text())
        if config["model_type"] in ("pecvt", "grape"):
            return None  # the table's forms of graphs say nothing of tools that read config.json too
        form = "older" if "--opset" in job.case.args else "portable" if "--portable" in job.case.args else "ort" if "--attention ort" in job.case.args else "standard"
        rows = self.ask("loaders")["rows"]
        if config.get("dtype", config.get("torch_dtype")) == "bfloat16" and any(r["loader"] == name and "bfloat16" in r["forms"] for r in rows):
            form = "bfloat16"
        return next((r["outcome"] for r in rows if r["loader"] == name and form in r["forms"] and config["model_type"] in (r.get("families") or [config["model_type"]])), None)

    def untold(self, consumer, kind, job, out):
        """Where pecvt's own table (`pecvt loaders`) says otherwise than what was seen, how."""
        told = self.told(consumer, kind, job) if out["verdict"] != "broken" else None
        if told not in OUTCOME or OUTCOME[told] == out["verdict"]:
            return ""
        if told == "refused" and out["verdict"] == "same":
            return ""  # a graph that needs no function, such as bloom's: the table goes by forms
        return f"{out['verdict']}, and pecvt says that it is {told} (convert/loaders)"

    def feeds(self, job):
        """The feeds of a case; those of the case that it must compute like where it has no graph."""
        source = self.jobs.get(f"{job.model}/source")
        if job.case.like:
            return self.feeds(self.jobs[f"{job.model}/{job.case.like}"])
        target = BUILD / job.model / (job.case.name + ".feeds")
        folder = self.convert(job)
        base = "-" if source is None or source.key == job.key else str(self.feeds(source))
        want = digest(self.contents(job), HERE / "consumers/reference.py", job.length, base)
        if (target / "stamp").exists() and (target / "stamp").read_text() == want:
            return target
        golden = job.folder / job.case.golden
        command = [envs.python_of(environment("ort-new")), HERE / "consumers/reference.py", folder, target, str(job.length), base]
        if job.case.golden and golden.exists():
            command.append(golden)
        done = subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{job.key}: reference.py: {done.stderr.strip()[-400:]}")
        (target / "stamp").write_text(want)
        return target


def run(consumer, place, folder, feeds):
    """One consumer on one case: what its script printed, 'broken' where it printed nothing."""
    _, _, script = CONSUMERS[consumer]
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONDONTWRITEBYTECODE": "1"}
    if consumer == "llama.cpp":
        env["LLAMA_CPP"] = str(envs.llama_cpp_tree())
    if script.endswith(".mjs"):
        # packages are looked for beside the script
        for name in (script, "protocol.mjs"):
            (place / name).write_bytes((HERE / "js" / name).read_bytes())
        command = ["node", place / script, folder, feeds]
    else:
        command = [envs.python_of(place), HERE / "consumers" / script, folder, feeds]
    begin = time.monotonic()
    try:
        done = subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=TIMEOUT, env=env)
        out = last_json(done.stdout)
        if out is None:
            out = {"version": "", "verdict": "broken", "max_abs": None, "limit": None, "note": f"exit {done.returncode}: {' '.join(done.stderr.split())[-300:]}"}
        elif out["verdict"] == "broken":
            say(done.stderr[-1500:])
    except subprocess.TimeoutExpired:
        out = {"version": "", "verdict": "broken", "max_abs": None, "limit": None, "note": f"not done in {TIMEOUT} s"}
    out["seconds"] = round(time.monotonic() - begin, 1)
    return out


def outcome(consumer, place, made, job):
    """A consumer's outcome on a case, from the last run where nothing has changed since."""
    _, _, script = CONSUMERS[consumer]
    keep = BUILD / job.model / f"{job.case.name}.{consumer}.json"
    where = HERE / ("js" if script.endswith(".mjs") else "consumers")
    shared = sorted(where.glob("protocol.*")) + [where / script]
    try:
        feeds = made.feeds(job)
        folder = made.convert(job)
        stamp = digest(made.contents(job), (feeds / "stamp").read_text(), place, *shared)
    except RuntimeError as e:
        return {"version": "", "verdict": "broken", "max_abs": None, "limit": None, "note": str(e), "seconds": 0}
    if keep.exists():
        old = json.loads(keep.read_text())
        if old.get("stamp") == stamp and old["verdict"] != "broken":
            return old
    out = run(consumer, place, folder, feeds)
    out["stamp"] = stamp
    keep.write_text(json.dumps(out))
    return out


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--model", help="a folder of a model with a tokenizer, such as SmolLM2-135M")
    p.add_argument("--only", default="", help="consumers, separated by commas: " + ", ".join(CONSUMERS))
    p.add_argument("--cases", default="", help="cases whose MODEL/CASE holds this text")
    p.add_argument("--quick", action="store_true", help="onnx's checker and reference; transformers 5 where it is installed")
    p.add_argument("--pecvt", default=str(cases.ROOT / "bin/pecvt"), help="the binary")
    p.add_argument("--pin", metavar="ENVIRONMENT", help="write pins/ENVIRONMENT.txt anew and end")
    a = p.parse_args()
    a.consumers = [c for c in a.only.split(",") if c] or list(QUICK if a.quick else CONSUMERS)
    for c in a.consumers:
        if c not in CONSUMERS:
            p.error(f"no consumer {c!r}; there are {', '.join(CONSUMERS)}")
    return a


def main():
    a = arguments()
    if a.pin:
        return envs.pin(a.pin)
    jobs = cases.jobs(a.model, a.quick)
    made, expectations = Cases(Path(a.pecvt).resolve(), jobs), table.rows()
    for model in {j.model for j in jobs}:
        (BUILD / model).mkdir(parents=True, exist_ok=True)
    outcomes, faults, missing = {}, [], {}
    for consumer in a.consumers:
        kind, name, _ = CONSUMERS[consumer]
        if a.quick and not a.only and name in envs.TORCH and not envs.there(name):
            say(f"{consumer}: not run: it is not in the cache (`make interop ONLY={consumer}` installs its 4.5 GB)")
            continue
        try:
            place = environment(name)
            environment("ort-new")  # what the numbers are held against
        except envs.NotInstalled as e:
            missing[consumer] = str(e)
            say(f"{consumer}: NOT RUN: {e}")
            continue
        for job in jobs:
            if not getattr(job.case, kind) or a.cases not in job.key or job.case.only not in ("", consumer):
                continue
            out = outcome(consumer, place, made, job)
            outcomes[consumer, job.key] = out
            fault = table.fault(table.expected(expectations, consumer, job.key), out) or made.untold(consumer, kind, job, out)
            size = "" if out["max_abs"] is None else f"{out['max_abs']:.2g} of {out['limit']:.2g}"
            print(f"{'FAIL' if fault else 'ok':5}{consumer:18}{job.key:34}{out['verdict']:9}{size:20}{out['seconds']:6.1f} s  {out['note'][:110]}", flush=True)
            if fault:
                faults.append(f"{consumer} on {job.key}: {fault}: {out['note']}")
    whole = not (a.only or a.cases or a.quick or missing)
    if whole:
        unmet = [] if a.model else [(c, f"smollm2/{case.name}") for c in CONSUMERS for case in cases.MODEL if case.large]  # what a named model would
        faults += [f"expect.tsv: no case meets {r.consumer} on {r.case}" for r in table.unused(expectations, [*outcomes, *unmet])]
        if not faults:
            page.write(outcomes, jobs, CONSUMERS, cases.ROOT / "docs/interop.md")
    for f in faults:
        print("FAIL", f[:240])
    print(f"{len(outcomes) - len(faults)} passed, {len(faults)} failed, {len(missing)} consumers not run")
    return 1 if faults else 2 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
