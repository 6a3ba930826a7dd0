"""The table that bench_peers.py writes into docs/performance.md."""

import platform
from pathlib import Path

LAST = ", last"  # of a precision: graphs that give the logits of the last token alone
BEGIN, END = "<!-- bench-peers: begin -->", "<!-- bench-peers: end -->"


def processor():
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def size(n):
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if n >= limit:
            return f"{n / limit:.3g} {unit}"
    return f"{n} B"


def speed(rows, r, part):
    """How many times as fast as the fastest peer's graph of the same precision, by the clock and by processor time."""
    said = []
    for key in ("ratio", "cpu_ratio"):
        peers = [p["bench"][part][0][key] for p in rows if p["peer"] and p["precision"] == r["precision"] and "bench" in p]
        own = r["bench"][part][0][key]
        said.append(f"{min(peers) / own:.2f}" if peers and min(peers) > 0 and own > 0 else "–")
    return f"{said[0]} ({said[1]})"


def row(rows, r):
    name = f"| {r['name']} | {r['precision']} |"
    if "export" not in r:
        return f"{name} failed: {cell(r['error'])} | | | | | | | | |"
    e = r["export"]
    name += f" {e['seconds']:.2f} s | {size(e['peak'])} | {size(r['bytes'])} |"
    ppl = f"{r['perplexity']:.2f}" if "perplexity" in r else "–" if r["precision"].endswith(LAST) else "failed: " + cell(r.get("perplexity_error", ""))
    if "bench" not in r:
        return f"{name} failed: {cell(r['error'])} | | | | | {ppl} |"
    b = r["bench"]
    return f"{name} {b['load']['seconds']:.2f} s | {1e3 * b['prefill'][0]['seconds']:.1f} ms | {1e3 * b['decode'][0]['seconds']:.2f} ms | {speed(rows, r, 'prefill')} | {speed(rows, r, 'decode')} | {ppl} |"


def cell(text):
    return text.replace("|", "\\|").replace("<", "&lt;").replace("`", "'")


def text(meta, rows):
    threads = "its own choice of threads" if not meta["threads"] else f"{meta['threads']} thread{'s' * (meta['threads'] > 1)}"
    lines = [
        f"`make bench-peers` of {meta['model']} on {meta['date']}: {meta['cpu']}, {meta['cores']} cores, load {meta['load']:.1f} when it began; {', '.join(meta['versions'])}; "
        f"ONNX Runtime {meta['runtime']}, {threads}, graphs taking turns, medians of {meta['repeat']} rounds. Speeds are over that of the fastest exporter's graph of the same precision (but pecvt's), "
        f"by the clock, and by processor time in brackets: above 1 is faster. Memory is the exporter's peak. Perplexity: {meta['tokens']}. Graphs whose precision says `last` compute the head for the last token alone, which scores no text; they are compared with each other.",
        "",
        f"| graph | precision | export | memory | bytes | load | prefill of {meta['prompt']} | a token at {meta['context']} | speed of prefill | of decode | perplexity |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    return "\n".join(lines + [row(rows, r) for r in rows])


def write(path, page):
    whole = path.read_text(encoding="utf-8")
    if whole.count(BEGIN) != 1 or whole.count(END) != 1:
        raise SystemExit(f"{path}: the markers {BEGIN} and {END} must be there once each")
    head, rest = whole.split(BEGIN)
    path.write_text(f"{head}{BEGIN}\n{page}\n{END}{rest.split(END)[1]}", encoding="utf-8")
