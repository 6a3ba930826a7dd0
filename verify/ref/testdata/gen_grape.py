"""Writes small checkpoints of the official GRAPE models and what they compute.

    pip install torch==2.6.0 transformers==5.23.0 safetensors einops
    git clone https://github.com/model-architectures/GRAPE
    python gen_grape.py GRAPE

Each folder beside this file holds config.json, model.safetensors (random
weights) and golden.safetensors: input_ids, logits and the output of every block
(hidden.i) in float32 on a CPU. Two kernels that need a GPU are replaced by their
definition: the token shift by the official kv_shift_torch.py, and FoX's
attention by a dense softmax(q k / sqrt(d) + the running sums of the log gates).
"""

import importlib
import json
import math
import pathlib
import sys
import types

import torch
from safetensors.torch import save_file

BASE = dict(vocab_size=48, n_layer=2, n_head=4, n_embd=16, head_dim=4, block_size=32, using_groupnorm=True,
            use_k_shift=True, use_v_shift=True)
CASES = {
    "rope": ("rope", {}),
    "rope-unnormed": ("rope", dict(use_qk_rmsnorm=False, use_v_shift=False)),
    "alibi": ("alibi", {}),
    "alibi-3heads": ("alibi", dict(n_head=3, n_embd=12)),
    "fox": ("fox", {}),
    "fox-rope": ("fox", dict(use_rope=True)),
    "m-nonctx": ("grape-m-nonctx", dict(grape_share_across_heads=False)),
    "m-ctx": ("grape-m-ctx", dict(grape_ctx_omega_scale=2.0)),
    "m-ctx-perhead": ("grape-m-ctx", dict(grape_ctx_per_head=True, grape_share_across_heads=False)),
    "a-keygated": ("grape-a-keygated", {}),
    "a-querygated": ("grape-a-querygated", {}),
    "a-querykeygated": ("grape-a-querykeygated", {}),
    "ap-v1": ("grape-ap-v1", dict(p_head_dim=2)),
    "ap-v1-pqtie": ("grape-ap-v1", dict(p_tie_mode="pqtie")),
    "ap-v1-pktie": ("grape-ap-v1", dict(p_tie_mode="pktie")),
    "ap-v1-pvtie": ("grape-ap-v1", dict(p_tie_mode="pvtie")),
}


def dense_fox(q, k, v, log_fgate, head_first=True, sm_scale=None):
    """q, k and v are (B, H, T, D), log_fgate is (B, H, T)."""
    total = log_fgate.float().cumsum(-1)
    scores = sm_scale * q @ k.transpose(-1, -2) + total[..., :, None] - total[..., None, :]
    causal = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
    return scores.masked_fill(~causal, float("-inf")).softmax(-1) @ v


def load(root):
    """Imports the official modules, with stand-ins for what needs a GPU."""
    sys.path.insert(0, str(root))
    kernel = types.ModuleType("forgetting_transformer")
    kernel.forgetting_attention = dense_fox
    sys.modules["forgetting_transformer"] = kernel
    shift = importlib.import_module("model.kv_shift_torch")
    stand_in = types.ModuleType("model.kv_shift")
    stand_in.ShiftLinear = shift.ShiftLinearTorch
    sys.modules["model.kv_shift"] = stand_in
    fox = importlib.import_module("model.fox")
    fox.token_shift = shift.token_shift_torch


def main():
    load(pathlib.Path(sys.argv[1]).resolve())
    here = pathlib.Path(__file__).resolve().parent
    for seed, (name, (variant, extra)) in enumerate(CASES.items()):
        module = importlib.import_module("model.llama-mha-" + variant)
        options = {**BASE, **extra}
        config = module.GPTConfig(**options)
        torch.manual_seed(seed)
        model = module.GPT(config).float().eval()
        with torch.no_grad():
            for key, p in model.named_parameters():
                if p.ndim == 1 and "weight" in key:  # norms
                    p.copy_(1 + 0.3 * torch.randn_like(p))
                elif "log_freq" in key:
                    p.add_(0.3 * torch.randn_like(p))
                else:
                    p.copy_(torch.randn_like(p) * (0.5 if p.ndim == 1 or "wte" in key else 1.2 / math.sqrt(p.shape[-1])))
        ids = torch.randint(0, config.vocab_size, (2, 24))
        hidden = []
        for block in model.transformer.h:
            block.register_forward_hook(lambda m, i, out: hidden.append(out))
        with torch.no_grad():
            logits, _ = model(ids, output_all_seq=True)
        folder = here / ("grape-" + name)
        folder.mkdir(exist_ok=True)
        weights = {k: v.contiguous() for k, v in model.state_dict().items() if k != "lm_head.weight"}
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        tensors = {"input_ids": ids, "logits": logits.contiguous()}
        tensors.update({f"hidden.{i}": h.contiguous() for i, h in enumerate(hidden)})
        save_file(tensors, folder / "golden.safetensors", metadata={
            "source": f"github.com/model-architectures/GRAPE model/llama-mha-{variant}.py, float32, CPU"})
        (folder / "config.json").write_text(json.dumps({"architectures": ["GPT"], "model_type": "grape", "grape_variant": variant,
                                                        "tie_word_embeddings": True, **options}, indent=1) + "\n")
        print(name, "largest logit", logits.abs().max().item())


main()
