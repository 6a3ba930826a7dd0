"""pecvt's graphs beside those of other exporters, of one checkpoint, in one run.

    python3 testdata/tools/bench_peers.py --pecvt FILE [--model DIR] [--text FILE] [--threads N] [--quick]

`make bench-peers` calls this. The exporters are installed into the cache, pinned
(testdata/interop/envs.py, peer-*). Each writes its graph into build/peers; noted
are its time, the largest resident memory of its process (not less than that of
this script, some 20 MB) and the bytes of the files that its graph reads. `pecvt bench` then times
all graphs in turns, and peers_perplexity.py scores them, by one loop, on the same
tokens. The table goes into docs/performance.md between its markers, all figures
into build/peers/results.json.

An exporter that cannot be installed or that fails, and a graph that does not run,
is a row that says so. Without --model the checkpoint is SmolLM2-135M, made in the
cache by make_smollm2.py. --quick takes testdata/models/stories260K instead, two
rounds and few tokens, and leaves the page alone; its figures mean nothing.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "interop"))

import envs  # noqa: E402
import peers_page  # noqa: E402

BUILD = ROOT / "build/peers"
TIMEOUT = 900  # seconds for one exporter


def say(*words):
    print("bench-peers:", *words, file=sys.stderr, flush=True)


class Failed(Exception):
    """What a child said last before it failed."""


def last_line(text):
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    said = lines[-1] if lines else "it ended without a word"
    with contextlib.suppress(ValueError, KeyError, TypeError):  # pecvt's errors under --json
        said = json.loads(said)["error"]
    return said if len(said) <= 200 else said[:200] + " …"


def run(command, log, env=None):
    """Runs a command; returns its seconds, its processor time and its largest resident memory in bytes."""
    began = time.perf_counter()
    with open(log, "w") as out:
        child = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env)
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            if time.perf_counter() - began > TIMEOUT:
                child.kill()
                os.wait4(child.pid, 0)
                child.returncode = -9
                raise Failed(f"it was not done after {TIMEOUT} s")
            time.sleep(0.005)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise Failed(last_line(Path(log).read_text(errors="replace")))
    unit = 1 if sys.platform == "darwin" else 1024
    return {"seconds": time.perf_counter() - began, "cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss * unit}


def exporters(pecvt, model, out):
    """Name, precision, environment and command of every graph; the command is given the environment's folder."""
    builder = lambda precision, *options: lambda e, o: [envs.python_of(e), "-m", "onnxruntime_genai.models.builder", "-m", model, "-o", o, "-p", precision, "-e", "cpu", "-c", out / "cache", *options]
    own = lambda *flags: lambda e, o: [pecvt, "export", model, "-o", o, "-q", *flags]
    rows = [
        ("onnxruntime-genai builder", "float32", "peer-genai", builder("fp32")),
        ("mobius", "float32", "peer-mobius", lambda e, o: [envs.python_of(e).parent / "mobius", "build", "--config", model, "--dtype", "f32", "--ep", "cpu", "--runtime", "ort-genai", o]),
        ("optimum-onnx", "float32", "peer-optimum", lambda e, o: [envs.python_of(e).parent / "optimum-cli", "export", "onnx", "--model", model, "--task", "text-generation-with-past", "--dtype", "fp32", o]),
        ("pecvt, standard", "float32", None, own("--attention", "standard")),
        ("pecvt, ort", "float32", None, own("--attention", "ort")),
        ("onnxruntime-genai builder", "int4", "peer-genai", builder("int4")),
        ("pecvt, ort, `--accuracy int8`", "int4", None, own("--attention", "ort", "--weights", "int4", "--accuracy", "int8")),
        ("pecvt, ort, `--accuracy int8 --zero-points none`", "int4", None, own("--attention", "ort", "--weights", "int4", "--accuracy", "int8", "--zero-points", "none")),
        ("pecvt, ort, `--accuracy int8 --zero-points none --head int4`", "int4", None, own("--attention", "ort", "--weights", "int4", "--accuracy", "int8", "--zero-points", "none", "--head", "int4")),
        ("pecvt, ort, `--accuracy float32`", "int4", None, own("--attention", "ort", "--weights", "int4", "--accuracy", "float32")),
    ]
    usage = subprocess.run([pecvt, "export", "--help"], capture_output=True, text=True, check=True).stdout
    if "--dtype " in usage:
        rows += [("onnxruntime-genai builder", "float16", "peer-genai", builder("fp16")), ("pecvt, ort", "float16", None, own("--attention", "ort", "--dtype", "float16"))]
    if "--logits " in usage:
        pruned, last = ("--extra_options", "prune_lm_head=true"), ("--attention", "ort", "--logits", "last")
        codes = (*last, "--weights", "int4", "--accuracy", "int8")
        rows += [
            ("onnxruntime-genai builder, `prune_lm_head`", "float32" + peers_page.LAST, "peer-genai", builder("fp32", *pruned)),
            ("pecvt, ort, `--logits last`", "float32" + peers_page.LAST, None, own(*last)),
            ("onnxruntime-genai builder, `prune_lm_head`", "int4" + peers_page.LAST, "peer-genai", builder("int4", *pruned)),
            ("pecvt, ort, `--accuracy int8 --logits last`", "int4" + peers_page.LAST, None, own(*codes)),
            ("pecvt, ort, `--accuracy int8 --zero-points none --head int4 --logits last`", "int4" + peers_page.LAST, None, own(*codes, "--zero-points", "none", "--head", "int4")),
        ]
    return rows


def export(rows, out, scorer):
    """One result for each row, with its folder or its error."""
    environments, results = {}, []
    env = dict(os.environ, HF_HUB_OFFLINE="1")  # the checkpoint is a folder
    for i, (name, precision, environment, command) in enumerate(rows):
        r = {"name": name, "precision": precision, "peer": environment is not None}
        results.append(r)
        folder = out / f"{i}-{precision}"
        try:
            if environment and environment not in environments:
                environments[environment] = envs.pip_environment(environment)
            say(f"{name}, {precision}: export")
            line = command(environments.get(environment), folder)
            r["command"] = " ".join(str(c) for c in line)
            r["export"] = run(line, out / f"{i}.log", env)
            r["folder"] = str(folder)
            r["bytes"] = int(envs.call([scorer, HERE / "peers_perplexity.py", "--bytes", folder]))
        except (Failed, envs.NotInstalled) as e:
            r["error"] = last_line(str(e))
            say(f"{name}, {precision}: {r['error']}")
    return results


def bench(pecvt, folders, a, log):
    command = [pecvt, "bench", *folders, "--json", "-q", "--threads", a.threads, "--lengths", a.prompt, "--contexts", a.context, "--repeat", a.repeat, "--steps", a.steps]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    Path(log).write_text(done.stderr)
    if done.returncode:
        raise Failed(last_line(done.stderr))
    return json.loads(done.stdout)


def measure(pecvt, results, a, out, python, tokens):
    """Perplexities, which open every graph; then those that bench can run, all in one bench."""
    good = []
    for i, r in enumerate(results):
        if "error" in r:
            continue
        if not r["precision"].endswith(peers_page.LAST):
            say(f"{r['name']}, {r['precision']}: perplexity")
            try:
                said = out / f"{i}-ppl.json"
                run([python, HERE / "peers_perplexity.py", r["folder"], tokens, said], out / f"{i}-ppl.log")
                r["perplexity"] = json.loads(said.read_text())
            except Failed as e:
                r["perplexity_error"] = str(e)
                say(str(e))
        try:
            probe = argparse.Namespace(**{**vars(a), "repeat": 1, "steps": 1, "prompt": 8, "context": 8})
            bench(pecvt, [r["folder"]], probe, out / f"{i}-probe.log")
            good.append(r)
        except Failed as e:
            r["error"] = str(e)
            say(str(e))
    if not good:
        return None
    say(f"bench of {len(good)} graphs in turns")
    report = bench(pecvt, [r["folder"] for r in good], a, out / "bench.log")
    for r, m in zip(good, report["models"]):
        r["bench"] = m
    return report


def smollm2(python):
    """The folder of SmolLM2-135M, made once in the cache."""
    place = envs.cache().parent / "smollm2-135m"
    if not (place / "tokenizer_config.json").exists():
        made = place.with_suffix(".part")
        shutil.rmtree(made, ignore_errors=True)
        say("making SmolLM2-135M")
        envs.call([python, HERE / "make_smollm2.py", made])
        made.rename(place)
    return place


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--pecvt", required=True)
    p.add_argument("--model")
    p.add_argument("--text", help="UTF-8 text for the perplexity (default: Newton's Opticks of Go's own tests)")
    p.add_argument("--threads", type=int, default=0, help="of ONNX Runtime; 0 is its choice")
    p.add_argument("--quick", action="store_true")
    a = p.parse_args()
    a.prompt, a.context, a.steps, a.repeat = (64, 64, 4, 2) if a.quick else (256, 512, 8, 7)
    pecvt = Path(a.pecvt).resolve()
    model = Path(a.model).resolve() if a.model else HERE.parent / "models/stories260K" if a.quick else None
    scorer = envs.python_of(envs.pip_environment("peer-optimum"))
    if model is None:
        model = smollm2(envs.python_of(envs.pip_environment("peer-smollm2")))
    out = BUILD
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    tokens = out / "tokens.json"
    text = a.text or Path(subprocess.run(["go", "env", "GOROOT"], capture_output=True, text=True, check=True).stdout.strip()) / "src/testdata/Isaac.Newton-Opticks.txt"
    envs.call([scorer, HERE / "peers_perplexity.py", "--tokens", model, text, tokens, "2x128" if a.quick else "6x512"])
    load = os.getloadavg()[0]
    results = export(exporters(pecvt, model, out), out, scorer)
    report = measure(pecvt, results, a, out, scorer, tokens)
    meta = {
        "model": model.name, "date": time.strftime("%-d %B %Y"), "load": load, "cores": os.cpu_count(), "cpu": peers_page.processor(), "threads": a.threads,
        "runtime": report and report["runtime"], "prompt": a.prompt, "context": a.context, "repeat": a.repeat, "text": Path(text).name, "tokens": json.loads(tokens.read_text())["words"],
        "versions": [w for name in ("peer-genai", "peer-mobius", "peer-optimum") for w in envs.PIP[name][:1]],
    }
    (out / "results.json").write_text(json.dumps({"meta": meta, "rows": results}, indent=1) + "\n")
    page = peers_page.text(meta, results).replace(str(model), model.name).replace(f"{ROOT}/", "")
    print(page)
    if not a.quick:
        peers_page.write(ROOT / "docs/performance.md", page)
    for r in results:
        if "folder" in r:
            shutil.rmtree(r["folder"], ignore_errors=True)
    shutil.rmtree(out / "cache", ignore_errors=True)
    return 0 if report else 1


if __name__ == "__main__":
    sys.exit(main())
