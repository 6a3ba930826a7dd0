"""docs/interop.md, from the outcomes of a whole run."""

from pathlib import Path

HERE = Path(__file__).resolve().parent

HEAD = """# pecvt's results in other tools

Made by `make interop{model}`, which installs the tools below, pinned, runs each on each result and compares logits. A row that must be right and is not fails that run; expectations are in `testdata/interop/expect.tsv`. What loaders that are not run here do, by reading, is in `pecvt loaders`.

- **same**: it runs and gives the result's numbers, within 2e-5 of the largest logit, or 8 times what the newest ONNX Runtime differs by from itself without its optimisations where that is more (llama.cpp: log-probabilities of the 40 likeliest tokens within 0.05). For graphs they are ONNX Runtime {runtime}'s, from an empty past and over one of seven tokens; for checkpoints those of a long sequence, which on stories260K are stock transformers' own.
- **wrong**: it runs and gives other numbers, without an error. Where these are the source's, the note says so: the encoding was passed over.
- **refused**: it ends with an error, which is quoted.
- **no-op**: it ends without an error and has done nothing.

Models: {models}. All on a CPU: GPU providers, browsers and WebGPU are not run.
"""


def cell(text, most=10_000):
    text = text.replace("|", "\\|").replace("\n", " ")
    return text if len(text) <= most else text[: most - 1] + "…"


def number(x):
    return "" if x is None else f"{x:.1e}"


def names(keys):
    """stories260K: hope, grape-m; golden: bloom."""
    by = {}
    for k in keys:
        model, case = k.split("/", 1)
        by.setdefault(model, []).append(case)
    return "; ".join(f"{m}: {', '.join(c)}" for m, c in by.items())


def shortened(note):
    """What two notes of one kind share: the message without the names of values and files."""
    return " ".join(note.split())[:60]


def graphs(outcomes, consumers):
    out = ["| tool | version | verdict | cases | largest difference, or what it says |", "| --- | --- | --- | --- | --- |"]
    for consumer, (kind, _, _) in consumers.items():
        if kind != "graph":
            continue
        groups = {}
        for (c, key), o in outcomes.items():
            if c == consumer:
                say = "" if o["verdict"] == "same" else shortened(o["note"])
                groups.setdefault((o["verdict"], say), []).append((key, o))
        for (verdict, _), met in sorted(groups.items(), key=lambda g: (g[0][0] != "same", g[0])):
            worst = max((o["max_abs"] for _, o in met if o["max_abs"] is not None), default=None)
            says = number(worst) if verdict == "same" else cell(met[0][1]["note"], 200)
            out.append(f"| {consumer} | {met[0][1]['version']} | {verdict if verdict == 'same' else '**' + verdict + '**'} | {cell(names(k for k, _ in met))} | {says} |")
    return "\n".join(out)


def checkpoints(outcomes, jobs, consumers):
    loaders = [c for c, (kind, _, _) in consumers.items() if kind == "loads"]
    version = {c: next((o["version"] for (d, _), o in outcomes.items() if d == c and o["version"]), "") for c in loaders}
    out = ["| result | " + " | ".join(f"{c} {version[c]}" for c in loaders) + " |", "| --- |" + " --- |" * len(loaders)]
    notes = {}
    for job in jobs:
        if not job.case.loads:
            continue
        row = [f"{job.key}"]
        for c in loaders:
            if (c, job.key) not in outcomes:
                row.append("")
                continue
            o = outcomes[c, job.key]
            text = f"same {number(o['max_abs'])}" if o["verdict"] == "same" else f"**{o['verdict']}**"
            if o["verdict"] != "same":
                mark = notes.setdefault((c, o["note"]), len(notes) + 1)
                text += f" [{mark}]"
            row.append(text)
        out.append("| " + " | ".join(row) + " |")
    lines = ["\n".join(out), ""]
    lines += [f"- [{mark}] {c}: {cell(note, 200)}" for (c, note), mark in sorted(notes.items(), key=lambda n: n[1])]
    return "\n".join(lines)


def commands(jobs):
    seen, out = set(), ["| case | made by |", "| --- | --- |"]
    for j in jobs:
        if j.case.name not in seen:
            seen.add(j.case.name)
            out.append(f"| {j.case.name} | `pecvt {' '.join(j.case.args.split()).replace('{model}', 'MODEL')}` |")
    return "\n".join(out)


def write(outcomes, jobs, consumers, path):
    models = list(dict.fromkeys(j.model for j in jobs))
    words = {"stories260K": "stories260K (the bundled model)", "golden": "golden (the tiny random models of `testdata/golden`)"}
    named = [m for m in models if m not in words]
    runtime = next(o["version"] for (c, _), o in outcomes.items() if c == "onnxruntime")
    parts = [
        HEAD.format(model=" MODEL=…/" + named[0] if named else "", runtime=runtime, models=", ".join(words.get(m, m) for m in models)),
        "## Graphs\n", graphs(outcomes, consumers), "\n## Checkpoints\n", checkpoints(outcomes, jobs, consumers),
        "\n## Cases\n", commands(jobs), "", (HERE / "known.md").read_text().rstrip(), "",
    ]
    path.write_text("\n".join(parts))
    print(f"wrote {path}")
