"""Loads converted checkpoints in stock transformers and compares their logits.

    python testdata/check_transformers.py build/pecvt

Every case converts a golden checkpoint into a temporary folder, loads it with
AutoModelForCausalLM (float32, eager attention, no remote code) and prints the
largest logit difference to the golden logits over the largest golden logit.
Exits with 1 if one is above 2e-5, or if a case that must stop did not.

Not part of the tests: it needs PyTorch and transformers. Recorded:

    transformers 5.24.0, torch 2.6.0+cu124
    llama-gqa --to hope                                                        Llama      3.9e-07 ok
    llama-gqa --to hope --spelling proportional                                Llama      3.9e-07 ok
    llama-gqa --to hope --spelling longrope                                    Llama      3.9e-07 ok
    llama-gqa --to hope-ab1                                                    Llama      4.6e-07 ok
    llama-gqa --to hope-ab2                                                    Llama      4.7e-07 ok
    llama-gqa --to hope-ab3                                                    Llama      6.0e-07 ok
    llama-gqa --to p-rope                                                      Llama      5.3e-07 ok
    llama-gqa --to p-rope --spelling longrope                                  Llama      5.3e-07 ok
    llama-gqa --to p-rope --layout partial                                     Phi3       9.7e-07 ok
    llama-gqa --to nope                                                        Llama      5.2e-07 ok
    llama-gqa --to nope --spelling proportional                                Llama      5.2e-07 ok
    llama-gqa --to nope --spelling longrope                                    Llama      5.2e-07 ok
    llama-gqa --to pi --scale pi:4                                             Llama      4.4e-07 ok
    llama-gqa --to pi --scale pi:4 --spelling longrope                         Llama      4.4e-07 ok
    llama-gqa --to yarn --scale yarn:4                                         Llama      6.3e-07 ok
    llama-gqa --to yarn --scale yarn:4 --spelling longrope                     Llama      9.7e-07 ok
    llama-gqa --to hope --scale pi:4                                           Llama      7.7e-07 ok
    llama-gqa --to hope --scale pi:4 --spelling longrope                       Llama      7.7e-07 ok
    llama-gqa --to hope --scale yarn:4                                         Llama      9.8e-07 ok
    llama-gqa --to rope                                                        Llama      4.7e-07 ok
    llama-gqa --to rope --spelling longrope                                    Llama      4.7e-07 ok
    llama-gqa --to rope --layout partial                                       Phi3       4.7e-07 ok
    llama-gqa --to hope --layout partial                                       Phi3       7.1e-07 ok
    llama-gqa --to hope --layout partial --spelling longrope                   Phi3       7.1e-07 ok
    llama-gqa --to hope-ab2 --layout partial                                   Phi3       7.7e-07 ok
    llama-gqa --to hope-ab1 --layout partial                                   Phi3       1.4e-06 ok
    llama-gqa --to hope --layout partial --scale pi:4                          Phi3       8.0e-07 ok
    llama-gqa --to pi --layout partial --scale pi:4                            Phi3       4.4e-07 ok
    llama-gqa --to yarn --layout partial --scale yarn:4                        Phi3       9.7e-07 ok
    llama-gqa --to hope --max-shard-size 65536                                 Llama      3.9e-07 ok
    llama-gqa --to hope --layout partial --max-shard-size 65536                Phi3       7.1e-07 ok
    stories260K --to rope                                                      Llama      2.8e-06 ok
    stories260K --to hope                                                      Llama      2.5e-06 ok
    stories260K --to hope-ab1                                                  Llama      2.9e-06 ok
    stories260K --to hope-ab2                                                  Llama      4.2e-06 ok
    mistral --to hope --cut k=3 --layout native --spelling longrope            Mistral    0.0e+00 ok
    mistral --to hope --cut k=3 --layout native --spelling auto                Mistral    0.0e+00 ok
    mistral --to hope --cut k=3 --layout partial --spelling auto               Phi3       6.8e-07 ok
    mistral --to rope                                                                     0.0e+00 ok
    qwen2 --to hope --cut k=3 --layout native --spelling longrope              Qwen2      0.0e+00 ok
    qwen2 --to hope --cut k=3 --layout native --spelling auto                  Qwen2      0.0e+00 ok
    qwen2 --to rope                                                                       0.0e+00 ok
    qwen3 --to hope --cut k=3 --layout native --spelling longrope              Qwen3      0.0e+00 ok
    qwen3 --to hope --cut k=3 --layout native --spelling auto                  Qwen3      0.0e+00 ok
    qwen3 --to rope                                                                       0.0e+00 ok
    llama-tied-bf16 --to hope --cut k=3 --layout native --spelling longrope    Llama      0.0e+00 ok
    llama-tied-bf16 --to hope --cut k=3 --layout native --spelling auto        Llama      0.0e+00 ok
    llama-tied-bf16 --to hope --cut k=3 --layout partial --spelling auto       Phi3       4.1e-07 ok
    llama-tied-bf16 --to rope                                                             0.0e+00 ok
    llama-sharded-f16 --to hope --cut k=3 --layout native --spelling longrope  Llama      0.0e+00 ok
    llama-sharded-f16 --to hope --cut k=3 --layout native --spelling auto      Llama      0.0e+00 ok
    llama-sharded-f16 --to hope --cut k=3 --layout partial --spelling auto     Phi3       6.7e-07 ok
    llama-sharded-f16 --to rope                                                           0.0e+00 ok
    llama3-scaled --to hope --cut k=3 --layout native --spelling longrope      Llama      6.2e-07 ok
    llama3-scaled --to hope --cut k=3 --layout native --spelling auto          Llama      6.2e-07 ok
    llama3-scaled --to hope --cut k=3 --layout partial --spelling auto         Phi3       7.6e-07 ok
    llama3-scaled --to rope                                                               0.0e+00 ok
    phi3 --to hope --cut k=3 --layout native --spelling longrope               Phi3       0.0e+00 ok
    phi3 --to hope --cut k=3 --layout native --spelling auto                   Phi3       0.0e+00 ok
    phi3 --to hope --cut k=3 --layout partial --spelling auto                  Phi3       6.5e-07 ok
    phi3 --to rope                                                                        0.0e+00 ok
    olmo2 --to hope --cut k=3 --layout native --spelling longrope              Olmo2      0.0e+00 ok
    olmo2 --to hope --cut k=3 --layout native --spelling auto                  Olmo2      0.0e+00 ok
    olmo2 --to rope                                                                       0.0e+00 ok
    qwen2 --to hope --layout partial: stops as it should (a shape error)
    qwen3 --to hope --layout partial: stops as it should (a shape error)
    olmo2 --to hope --layout partial: stops as it should (a shape error)
"""

import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers
from safetensors.torch import load_file

LIMIT = 2e-5
GOLDEN = pathlib.Path(__file__).parent / "golden"
MODELS = pathlib.Path(__file__).parent / "models"

LLAMA = [
    ("hope", "golden/hope", []),
    ("hope", "golden/hope", ["--spelling", "proportional"]),
    ("hope", "golden/hope", ["--spelling", "longrope"]),
    ("hope-ab1", "golden/hope-ab1", []),
    ("hope-ab2", "golden/hope-ab2", []),
    ("hope-ab3", "golden/hope-ab3", []),
    ("p-rope", "golden/p-rope", []),
    ("p-rope", "golden/p-rope", ["--spelling", "longrope"]),
    ("p-rope", "golden/p-rope", ["--layout", "partial"]),
    ("nope", "golden/nope", []),
    ("nope", "golden/nope", ["--spelling", "proportional"]),
    ("nope", "golden/nope", ["--spelling", "longrope"]),
    ("pi", "golden/rope-pi4", ["--scale", "pi:4"]),
    ("pi", "golden/rope-pi4", ["--scale", "pi:4", "--spelling", "longrope"]),
    ("yarn", "golden/rope-yarn4", ["--scale", "yarn:4"]),
    ("yarn", "golden/rope-yarn4", ["--scale", "yarn:4", "--spelling", "longrope"]),
    ("hope", "golden/hope-pi4", ["--scale", "pi:4"]),
    ("hope", "golden/hope-pi4", ["--scale", "pi:4", "--spelling", "longrope"]),
    ("hope", "golden/hope-yarn4", ["--scale", "yarn:4"]),
    ("rope", "golden/rope", []),
    ("rope", "golden/rope", ["--spelling", "longrope"]),
    ("rope", "golden/rope", ["--layout", "partial"]),
    ("hope", "golden/hope", ["--layout", "partial"]),
    ("hope", "golden/hope", ["--layout", "partial", "--spelling", "longrope"]),
    ("hope-ab2", "golden/hope-ab2", ["--layout", "partial"]),
    ("hope-ab1", "golden/hope-ab1", ["--layout", "partial"]),
    ("hope", "golden/hope-pi4", ["--layout", "partial", "--scale", "pi:4"]),
    ("pi", "golden/rope-pi4", ["--layout", "partial", "--scale", "pi:4"]),
    ("yarn", "golden/rope-yarn4", ["--layout", "partial", "--scale", "yarn:4"]),
    ("hope", "golden/hope", ["--max-shard-size", "65536"]),
    ("hope", "golden/hope", ["--layout", "partial", "--max-shard-size", "65536"]),
]
OTHERS = ["mistral", "qwen2", "qwen3", "llama-tied-bf16", "llama-sharded-f16", "llama3-scaled", "phi3", "olmo2"]


def logits(model, ids):
    with torch.no_grad():
        return model(input_ids=ids).logits.float()


def load(folder):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def convert(pecvt, model, out, to, flags):
    subprocess.run([pecvt, "convert", str(model), "--to", to, "--no-onnx", "-o", str(out), *flags], check=True, capture_output=True)


def row(name, kind, difference, limit=LIMIT):
    ok = difference <= limit
    print(f"{name:<74} {kind:<8} {difference:9.1e} {'ok' if ok else 'FAIL'}")
    return ok


def reference_hope(model, folder, kept):
    """The source in stock transformers with planes from `kept` on stopped."""
    m = load(folder)
    for module in m.modules():
        if hasattr(module, "inv_freq"):
            module.inv_freq[kept:] = 0
            module.original_inv_freq[kept:] = 0
    return m


def main(pecvt):
    good = True
    print(f"transformers {transformers.__version__}, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as tmp:
        n = 0

        def folder():
            nonlocal n
            n += 1
            return pathlib.Path(tmp) / f"out{n}"

        source = GOLDEN / "llama-gqa"
        for to, golden, flags in LLAMA:
            out = folder()
            convert(pecvt, source, out, to, flags)
            want = load_file(source / f"{golden}.safetensors")
            try:
                model = load(out)
            except KeyError as e:  # transformers 4 stops at the type
                print(f"llama-gqa --to {to} {' '.join(flags)}: stops: KeyError {e}")
                good &= transformers.__version__.startswith("4.") and "proportional" in str(e)
                continue
            got = logits(model, want["input_ids"])
            scale = want["logits"].abs().max()
            good &= row(f"llama-gqa --to {to} {' '.join(flags)}", type(model).__name__[:-11], ((got - want["logits"]).abs().max() / scale).item())
        for to in ["rope", "hope", "hope-ab1", "hope-ab2"]:
            out = folder()
            source = MODELS / "stories260K"
            convert(pecvt, source, out, to, [])
            want = load_file(source / f"golden/{to}.safetensors")
            got = logits(load(out), want["input_ids"])
            good &= row(f"stories260K --to {to}", "Llama", ((got - want["logits"]).abs().max() / want["logits"].abs().max()).item())
        for case in OTHERS:
            source = GOLDEN / case
            ids = load_file(source / "golden.safetensors")["input_ids"]
            original = load(source)
            want = logits(original, ids)
            inv = next(m.inv_freq for m in original.modules() if hasattr(m, "inv_freq"))
            kept = 3 if len(inv) > 3 else 1
            want_hope = logits(reference_hope(original, source, kept), ids)
            layouts = [("native", "longrope"), ("native", "auto")]
            if case in ("mistral", "llama-tied-bf16", "llama-sharded-f16", "llama3-scaled", "phi3"):
                layouts.append(("partial", "auto"))
            for layout, spelling in layouts:
                out = folder()
                convert(pecvt, source, out, "hope", ["--cut", f"k={kept}", "--layout", layout, "--spelling", spelling])
                model = load(out)
                got = logits(model, ids)
                good &= row(f"{case} --to hope --cut k={kept} --layout {layout} --spelling {spelling}", type(model).__name__[:-11], ((got - want_hope).abs().max() / want.abs().max()).item())
            out = folder()
            convert(pecvt, source, out, "rope", [])
            good &= row(f"{case} --to rope", "", ((logits(load(out), ids) - want).abs().max() / want.abs().max()).item())
        for case in ["qwen2", "qwen3", "olmo2"]:
            out = folder()
            convert(pecvt, GOLDEN / case, out, "hope", ["--cut", "k=3", "--layout", "partial"])
            try:
                logits(load(out), ids)
                print(f"{case} --layout partial runs in stock transformers: FAIL, it must stop")
                good = False
            except RuntimeError as e:
                print(f"{case} --to hope --layout partial: stops as it should (a shape error)")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
