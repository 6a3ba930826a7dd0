#!/usr/bin/env python3
"""Make testdata/learned: folders with a `pecvt` block of every form, parameters drawn at random, and their logits.

    PYTHON testdata/tools/make_learned_goldens.py [--check]

PYTHON is that of testdata/interop's environment transformers5. INDEX.md there says what a folder holds. Logits are
float64 throughout, by pecvt_torch: stock transformers with its attention replaced, every generator by torch's matrix
exponential. --check compares what is there with what would be written, and writes nothing.
"""

import json
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

sys.path.insert(0, str(Path(__file__).resolve().parent))
import learned_folder
import pecvt_torch
from pecvt_torch.rotation import skew

LAYERS, HEADS, GROUPS, D, HIDDEN, VOCAB, TOKENS = 2, 4, 2, 8, 32, 24, 40
BASES = {"llama": {}, "qwen3": {"head_dim": D}, "stablelm": {"partial_rotary_factor": 0.5}}

ROTATIONS = {
    "plain": ({"attention_factors": [1.25, 0.75]}, None),
    "basis": ({"attention_factor": 1, "form": "basis"}, None),
    "mixed": ({"attention_factor": 1.25, "form": "mixed", "rank": 4}, None),
    "mixed-whole": ({"attention_factor": 1, "form": "mixed", "rank": 8}, None),
    "rank2": ({"attention_factor": 1, "form": "rank2", "generators": 2}, None),
    "dense": ({"attention_factor": 1, "form": "dense"}, None),
}
BIASES = {
    "alibi": {"type": "alibi"},
    "grape-a": {"type": "grape-a", "gates": ["query", "key"]},
    "grape-a-query": {"type": "grape-a", "gates": ["query"]},
    "grape-a-key": {"type": "grape-a", "gates": ["key"]},
    "fox": {"type": "fox"},
    "grape-ap": {"type": "grape-ap", "path_size": 2},
    "kerple-log": {"type": "kerple", "kernel": "log"},
    "kerple-power": {"type": "kerple", "kernel": "power"},
}
CASES = [("llama", r, None) for r in ROTATIONS] + [("llama", None, b) for b in BIASES] + [
    ("llama", "basis", "fox"), ("llama", "mixed", "kerple-log"), ("qwen3", "basis", None), ("qwen3", "mixed", None), ("qwen3", "dense", None),
    ("qwen3", None, "grape-a"), ("stablelm", "mixed", None), ("stablelm", "dense", None)]
# With queries scaled by position, their number and length: of a bias that reads queries, and behind norms.
SCALED = [("llama", "plain", "grape-a-query", {"beta": 0.3, "length": 8}), ("qwen3", "basis", None, {"beta": 0.5, "length": 7})]


def drawn(draw, *shape):
    return torch.randn(*shape, generator=draw, dtype=torch.float64)


def orthonormal(draw, n, columns):
    return torch.linalg.matrix_exp(skew(0.7 * drawn(draw, GROUPS, n * (n - 1) // 2), n))[..., :columns].contiguous()


def rotation_tensors(draw, block, form, dim, theta):
    own = theta * (0.4 * drawn(draw, GROUPS, dim // 2)).exp()
    if form == "plain":
        return {"inv_freq": own}
    if form == "basis":
        return {"inv_freq": own, "basis": orthonormal(draw, dim, dim)}
    if form.startswith("mixed"):
        r = block["rank"]
        whole = torch.zeros_like(own) if form == "mixed-whole" else own
        return {"inv_freq": whole, "frame": orthonormal(draw, dim, r), "generator": 0.4 * drawn(draw, GROUPS, r * (r - 1) // 2)}
    if form == "rank2":
        return {"inv_freq": own, "a": 0.3 * drawn(draw, GROUPS, block["generators"], dim), "b": 0.3 * drawn(draw, GROUPS, block["generators"], dim)}
    return {"generator": 0.3 * drawn(draw, GROUPS, dim * (dim - 1) // 2)}


def bias_tensors(draw, block):
    one = lambda: drawn(draw, HEADS).abs()
    kind = block["type"]
    if kind == "alibi":
        return {"slope": 0.3 * one()}
    if kind == "grape-a":
        gates = {"query": "v", "key": "u"}
        return {"omega": 0.3 * one()} | {gates[g]: 2 * drawn(draw, HEADS, D) for g in block["gates"]}
    if kind == "fox":
        return {"gate.weight": 0.3 * drawn(draw, HEADS, HIDDEN), "gate.bias": 2 + drawn(draw, HEADS)}
    if kind == "grape-ap":
        return {"beta": 0.3 * one(), "path.weight": 0.4 * drawn(draw, HEADS * block["path_size"], HIDDEN)}
    r2 = 0.1 + one() if block["kernel"] == "log" else 0.2 + 1.6 * torch.rand(HEADS, generator=draw, dtype=torch.float64)
    return {"r1": one(), "r2": r2}


def make_base(root, kind):
    """config.json's content and the weights, bfloat16, of a source."""
    config = AutoConfig.for_model(kind, vocab_size=VOCAB, hidden_size=HIDDEN, intermediate_size=24, num_hidden_layers=LAYERS,
                                  num_attention_heads=HEADS, num_key_value_heads=GROUPS, max_position_embeddings=32, bos_token_id=0, eos_token_id=1,
                                  tie_word_embeddings=True, rope_parameters={"rope_type": "default", "rope_theta": 100.0} | {k: v for k, v in BASES[kind].items() if k.startswith("partial")},
                                  **BASES[kind])
    draw = torch.Generator().manual_seed(len(kind))
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_((1 if name.endswith("weight") else 0) + 0.2 * drawn(draw, *p.shape) if p.ndim == 1 else 0.3 * drawn(draw, *p.shape))
    with tempfile.TemporaryDirectory() as tmp:
        model.to(torch.bfloat16).save_pretrained(tmp)
        text = json.loads((Path(tmp) / "config.json").read_text())
        weights = load_file(Path(tmp) / "model.safetensors")
    text.pop("transformers_version", None)
    (root / "base").mkdir(parents=True, exist_ok=True)
    save_file(weights, root / "base" / f"{kind}.safetensors", {"format": "pt"})
    return text


def make_case(root, source, kind, form, bias, query_scale=None):
    name = "-".join(p for p in (kind, form, bias, query_scale and "scaled") if p)
    draw = torch.Generator().manual_seed(sum(map(ord, name)))
    block, tensors = {"version": 1, "source": source}, {}
    dim = int(D * source.get("rope_parameters", source).get("partial_rotary_factor", 1))
    theta = 100.0 ** -(torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    if form:
        block["rotation"] = {"type": "grape-m"} | ROTATIONS[form][0]
        if dim < 8 and "rank" in block["rotation"]:
            block["rotation"]["rank"] = 2
    if bias:
        block["bias"] = BIASES[bias]
    if query_scale:
        block["query_scale"] = query_scale
    for i in range(LAYERS):
        if form:
            made = rotation_tensors(draw, block["rotation"], form, dim, theta)
            tensors |= {f"pecvt.layers.{i}.rotation.{k}": t for k, t in made.items()}
        if bias:
            tensors |= {f"pecvt.layers.{i}.bias.{k}": t for k, t in bias_tensors(draw, block["bias"]).items()}
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    text = {"architectures": ["PecvtForCausalLM"], "model_type": "pecvt", "vocab_size": -1, "pecvt": block}
    (folder / "config.json").write_text(json.dumps(text) + "\n")
    save_file(tensors, folder / "block.safetensors", {"format": "pt"})
    ids = torch.randint(0, VOCAB, (1, TOKENS), generator=draw)
    with tempfile.TemporaryDirectory() as tmp, torch.no_grad():
        model = pecvt_torch.load(learned_folder.whole(root, name, tmp), torch.float64).eval()
        logits = model(input_ids=ids).logits
    assert logits.dtype == torch.float64 and torch.isfinite(logits).all()
    save_file({"input_ids": ids, "logits": logits.contiguous()}, folder / "golden.safetensors",
              {"source": f"testdata/tools/pecvt_torch, float64, transformers {transformers.__version__}, torch {torch.__version__}"})
    print(f"{name}: largest logit {logits.abs().max():.3f}")


def make(root):
    sources = {kind: make_base(root, kind) for kind in BASES}
    for kind, form, bias in CASES:
        make_case(root, sources[kind], kind, form, bias)
    for kind, form, bias, query_scale in SCALED:
        make_case(root, sources[kind], kind, form, bias, query_scale)


def main():
    root = Path(__file__).resolve().parents[1] / "learned"
    if sys.argv[1:] != ["--check"]:
        make(root)
        return
    with tempfile.TemporaryDirectory() as tmp:
        make(Path(tmp))
        for path in sorted(Path(tmp).rglob("*.safetensors")):
            want, got = load_file(path), load_file(root / path.relative_to(tmp))
            for k in want.keys() | got.keys():
                off = (want[k].double() - got[k].double()).abs().max().item()
                if off > 1e-9:
                    sys.exit(f"{path.relative_to(tmp)}: {k} is off by {off:.3g}")


main()
