"""What pecvt makes of every decoder of transformers: docs/families.md.

    make families            all of them (TYPES=a,b some, whose rows of the page are made anew)

With transformers installed in the cache that `make interop` has (pinned, with
hashes), make_families.py makes a tiny model of each type with stock logits, in two
sizes; each goes through inspect, export in both forms of attention, verify against
the stock logits, and a conversion to hope and to grape-m with its verification. The
folder of hope is loaded by stock transformers too, whose logits its graph must have.
Types are those of testdata/families/weights.tsv; what MODEL_FOR_CAUSAL_LM_MAPPING of
the transformers at hand has beside them, and make_families.py makes, is listed too.

The exit status is 1 where a type that is read is not right.
"""
import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "testdata" / "interop"))
import envs  # noqa: E402

PROFILES = ("models", "golden2")
REFUSED = 4  # pecvt's exit code


def weights():
    rows = (ROOT / "testdata" / "families" / "weights.tsv").read_text().splitlines()
    return {t: int(w) for t, w in (row.split("\t") for row in rows)}


def models(python):
    """The folder of the models of all types, made once for a script and a transformers."""
    script = (HERE / "make_families.py").read_bytes()
    version = subprocess.run([python, "-c", "import torch, transformers; print(transformers.__version__, torch.__version__.split('+')[0])"],
                             check=True, capture_output=True, text=True).stdout.split()
    place = envs.cache() / "families" / f"{version[0]}-{hashlib.sha256(script).hexdigest()[:12]}"
    if not (place / "complete").exists():
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / "make_families.py", place)
        for profile in PROFILES:
            subprocess.run([python, place / "make_families.py", profile], check=True, stdout=sys.stderr)
        (place / "complete").touch()
    return place, version


def mapping(python):
    """The model types of transformers' causal language models."""
    code = ("from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as N; print(*N)")
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.split()


def last(text):
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return re.sub(r"^pecvt: (/\S+: )?", "", lines[-1]).replace(str(Path.home()), "~") if lines else ""


# Stock transformers, asked line by line: a folder, a golden whose input_ids are to be
# run, and where the logits go.
STOCK = """
import json, sys, torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from transformers.utils import logging
logging.set_verbosity_error()
for line in sys.stdin:
    folder, golden, out = json.loads(line)
    try:
        ids = load_file(golden)["input_ids"]
        model, told = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32, output_loading_info=True)
        if told["missing_keys"] or told["mismatched_keys"]:
            raise ValueError("tensors are missing: %s" % sorted(told["missing_keys"])[:3])
        with torch.no_grad():
            logits = model.eval()(ids, use_cache=False).logits
        save_file({"input_ids": ids, "logits": logits.float().contiguous()}, out)
        print(json.dumps(""), flush=True)
    except Exception as e:
        print(json.dumps("wrong: stock transformers: %s: %s" % (type(e).__name__, str(e).splitlines()[0] if str(e) else "")), flush=True)
"""


class Stock:
    """A process that has transformers loaded; calls take turns."""

    def __init__(self, python):
        self.process = subprocess.Popen([python, "-c", STOCK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.turn = threading.Lock()

    def logits(self, folder, golden, out):
        with self.turn:
            print(json.dumps([str(folder), str(golden), str(out)]), file=self.process.stdin, flush=True)
            return json.loads(self.process.stdout.readline())


class Trial:
    """One model through the commands; each is '', 'refused: why' or 'wrong: what'."""

    def __init__(self, pecvt, stock, model):
        self.pecvt, self.stock, self.model, self.errors = pecvt, stock, model, {}
        with tempfile.TemporaryDirectory() as scratch:
            self.scratch = Path(scratch)
            self.inspect = self.run("inspect", model)
            if self.inspect:
                return
            self.standard, self.ort = self.exported("standard"), self.exported("ort")
            self.hope, self.grape = self.converted("hope", stock=True), self.converted("grape-m")

    def run(self, *args):
        done = subprocess.run([self.pecvt, *map(str, args)], capture_output=True, text=True)
        if done.returncode == 0:
            self.out = done.stdout
            return ""
        return ("refused: " if done.returncode == REFUSED else "wrong: ") + last(done.stderr or done.stdout).replace(str(self.scratch), "").replace(str(self.model), "")

    def verified(self, *args):
        done = subprocess.run([self.pecvt, "verify", *map(str, args), "--json"], capture_output=True, text=True)
        try:
            report = json.loads(done.stdout)
        except ValueError:
            return ("refused: " if done.returncode == REFUSED else "wrong: ") + last(done.stderr)
        for check in report["checks"]:
            if check["name"] == "golden" and check.get("max_rel") is not None:
                self.errors[check["runner"]] = max(self.errors.get(check["runner"], 0), check["max_rel"])
        bad = [f"{c['name']} in {c.get('runner')} {c['verdict']}" for c in report["checks"] if c["verdict"] in ("fail", "incomplete", "unavailable")]
        return "" if report["verdict"] == "pass" else f"wrong: {report['verdict']}: {', '.join(bad[:3])}"

    def exported(self, attention):
        out = self.scratch / attention
        return self.run("export", self.model, "-o", out, "--attention", attention) or self.verified(out, "--golden", self.model / "golden.safetensors")

    def converted(self, to, stock=False):
        out, golden = self.scratch / to, self.scratch / "stock.safetensors"
        made = self.run("convert", self.model, "--to", to, "-o", out)
        if made or not stock:
            return made or self.verified(out, "--against", self.model)
        if json.loads((out / "config.json").read_text())["model_type"] == "pecvt":
            return self.verified(out, "--against", self.model) or "no stock spelling"
        return self.stock.logits(out, self.model / "golden.safetensors", golden) or self.verified(out, "--against", self.model, "--golden", golden)

    def wrong(self):
        return [v for v in (self.inspect, *(getattr(self, k, "") for k in ("standard", "ort", "hope", "grape"))) if v.startswith("wrong")]

    def right(self):
        return not self.inspect and not self.standard and not self.wrong()


def cell(text):
    """What a cell of the page says; of a refusal the reason without the advice."""
    text = text.replace("|", "/").replace("refused: onnx: ", "refused: ")
    return "ok" if text == "" else re.sub(r"; (use|write|convert|save|remove|drop|--)[^;]*: not supported.*|: not supported.*", "", text)


def old(path, trials):
    """Of the page that is there: the line that says what made it, the rows of types that
    are not in trials, by section, those of them that were right, and what was not made."""
    head, rows, right, section, rest = "", {"Read": {}, "Known and not read": {}}, set(), "", []
    for line in path.read_text().splitlines():
        found = re.match(r"\| `(\S+)` \|", line)
        if line.startswith("## "):
            section = line[3:]
        elif line.startswith("Made by"):
            head = line
        elif found and found[1] not in trials:
            rows[section][found[1]] = line
            cells = [c.strip() for c in line.split("|")]
            if section == "Read" and cells[4] == "ok" and "wrong:" not in line:
                right.add(found[1])
        if section == "Not made":
            rest.append(line)
    return head, rows, right, rest


def write(path, version, pecvt, trials, known, weight, others, some):
    head, rows, read, rest = old(path, trials) if some else ("", {"Read": {}, "Known and not read": {}}, set(), [])
    read |= {t for t, list_ in trials.items() if list_ and all(x.right() for x in list_)}
    total = sum(weight.values())
    share = sum(weight[t] for t in read if t in weight) / total
    counted = [t for t in read if t in weight]
    lines = [
        "# Families: what was run", "",
        f"{head} Since then made anew, with transformers {version[0]}, {pecvt}: {', '.join(f'`{t}`' for t in trials)}." if head else
        f"Made by `make families` with transformers {version[0]}, torch {version[1]}, {pecvt}. Each type is a tiny model of random weights with the logits of its stock class"
        " (testdata/tools/make_families.py), in two sizes where both can be made: inspected, exported in both forms of attention, verified against the stock logits in the reference, the interpreter and"
        " ONNX Runtime, converted to hope and to grape-m, and those verified too. The folder of hope is loaded by stock transformers,"
        " and its logits are those that the reference, the interpreter and ONNX Runtime are held to.", "",
        f"**{len(counted)} of {len(weight)} types are right, {share:.0%} by weight.** The weights (16, 8, 4, 2, 1) are an estimate of use, for ordering alone.", "",
        "The error is the largest difference of a logit over the largest logit, in any runner.", "",
        "```sh\npecvt families             # what is read, and what sets each apart\npecvt families --missing   # what is known and not read, and why\n```", "",
        "## Read", "", "| type | weight | error | standard | ort | hope | grape-m |", "| --- | --- | --- | --- | --- | --- | --- |"]
    order = sorted({*trials, *rows["Read"], *rows["Known and not read"]}, key=lambda t: (-weight.get(t, 0), t))
    for t in order:
        list_ = trials.get(t)
        if t in rows["Read"]:
            lines.append(rows["Read"][t])
        elif list_ and not all(x.inspect for x in list_):
            row = ["; ".join(dict.fromkeys(cell(getattr(x, k, x.inspect)) for x in list_)) for k in ("standard", "ort", "hope", "grape")]
            worst = max((e for x in list_ for e in x.errors.values()), default=None)
            lines.append("| " + " | ".join([f"`{t}`", str(weight.get(t, "")), "" if worst is None else f"{worst:.1e}", *row]) + " |")
    lines += ["", "## Known and not read", "", "| type | weight | why |", "| --- | --- | --- |"]
    for t in order:
        list_ = trials.get(t)
        if t in rows["Known and not read"]:
            lines.append(rows["Known and not read"][t])
        elif list_ and all(x.inspect for x in list_):
            lines.append(f"| `{t}` | {weight.get(t, '')} | {known.get(t) or cell(list_[0].inspect)} |")
    if others:
        lines += ["", "## Not made", "", "Model types of this transformers' causal language models that are neither in the list of weights nor made: " + ", ".join(f"`{t}`" for t in others) + "."]
    if rest:
        lines += ["", *rest]
    path.write_text("\n".join(lines) + "\n")
    return counted, share


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--pecvt", default="bin/pecvt")
    a.add_argument("--types")
    a.add_argument("--page", default=str(ROOT / "docs" / "families.md"))
    a = a.parse_args()
    pecvt = str(Path(a.pecvt).resolve())
    python = str(envs.python_of(envs.pip_environment("transformers5")))
    place, version = models(python)
    weight = weights()
    made = {t: [place / p / t for p in PROFILES if (place / p / t / "golden.safetensors").exists()]
            for t in sorted({d.name for p in PROFILES for d in (place / p).iterdir() if d.is_dir()} | set(weight))}
    order = sorted(made, key=lambda t: (-weight.get(t, 0), t))
    if a.types:
        order = [t for t in order if t in a.types.split(",")]
    table = json.loads(subprocess.run([pecvt, "families", "--json"], check=True, capture_output=True, text=True).stdout)
    known = {m["model_type"]: ", ".join(m["needs"]) for m in table["missing"]}

    stock = Stock(python)

    def trial(t):
        return t, [Trial(pecvt, stock, m) for m in made[t]]

    trials = {}
    with ThreadPoolExecutor(2) as pool:
        for t, list_ in pool.map(trial, order):
            trials[t] = list_
            state = "not made" if not list_ else "right" if all(x.right() for x in list_) else "WRONG" if any(x.wrong() for x in list_) else "not read" if all(x.inspect for x in list_) else "refused in part"
            worst = max((e for x in list_ for e in x.errors.values()), default=0)
            print(f"{t:24} {state:16} {worst:8.1e}  " + "; ".join(w for x in list_ for w in x.wrong())[:200], flush=True)
    tool = subprocess.run([pecvt, "version"], capture_output=True, text=True).stdout.splitlines()[0]
    others = [] if a.types else sorted(set(mapping(python)) - set(made) - {"pecvt"})
    counted, share = write(Path(a.page), version, tool, trials, known, weight, others, bool(a.types))
    print(f"{len(counted)} of {len(weight)} types, {share:.0%} by weight")
    return 1 if any(x.wrong() for list_ in trials.values() for x in list_) else 0


if __name__ == "__main__":
    sys.exit(main())
