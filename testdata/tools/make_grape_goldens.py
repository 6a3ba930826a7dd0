"""Makes goldens of forms of the official GRAPE models.

    python testdata/tools/make_grape_goldens.py CHECKOUT testdata/golden

CHECKOUT is a checkout of github.com/model-architectures/GRAPE, whose models are
run as they are, with two stand-ins for kernels that need a GPU: KV-shift is the
repository's own torch form, and forgetting attention is its definition,
softmax(qk/sqrt(d) + F_i - F_j) with F the running sum of the log gates.

Each golden is a model of random weights with config.json, model.safetensors and
golden.safetensors: input_ids int64 (2, 40), logits float32 (2, 40, vocabulary)
and hidden.i, the output of block i, float32 (2, 40, hidden). Needs einops.
"""
import importlib
import json
import sys
import types
from pathlib import Path

import torch
from safetensors.torch import save_file

SIZES = dict(vocab_size=64, n_layer=2, n_head=4, n_embd=32, head_dim=8, block_size=32, bias=False,
             using_groupnorm=False, use_qk_rmsnorm=True)
CASES = {
    "grape-rope-subln": ("rope", dict(using_groupnorm=True, use_k_shift=True)),
    "grape-alibi-6heads": ("alibi", dict(n_head=6, use_v_shift=True)),  # heads wider than the stream
    "grape-a-querykeygated-plain": ("grape-a-querykeygated", dict(n_head=6, keygated_u_l2_norm=False, querygated_v_l2_eps=6.0,
                                    use_qk_rmsnorm=False)),
    "grape-m-ctx-heads": ("grape-m-ctx", dict(grape_ctx_per_head=True, grape_share_across_heads=False, grape_ctx_omega_scale=2.0,
                          use_k_shift=True, use_v_shift=True)),
    "grape-ap-v1-pqtie": ("grape-ap-v1", dict(p_tie_mode="PQ", using_groupnorm=True)),
    "grape-ap-v1-pvtie": ("grape-ap-v1", dict(p_tie_mode="pvtie", use_v_shift=True)),
    "grape-fox-rope": ("fox", dict(use_rope=True, using_groupnorm=True, use_k_shift=True, use_v_shift=True)),
}


def forgetting_attention(q, k, v, log_fgate, head_first, sm_scale):
    t = q.shape[2]
    total = log_fgate.cumsum(-1)
    score = q @ k.transpose(-1, -2) * sm_scale + total[..., :, None] - total[..., None, :]
    score = score.masked_fill(~torch.ones(t, t, dtype=torch.bool).tril(), float("-inf"))
    return score.softmax(-1) @ v


def stand_ins(checkout):
    sys.path.insert(0, checkout)
    fox_kernel = types.ModuleType("forgetting_transformer")
    fox_kernel.forgetting_attention = forgetting_attention
    sys.modules["forgetting_transformer"] = fox_kernel
    torch_form = importlib.import_module("model.kv_shift_torch")
    shift = types.ModuleType("model.kv_shift")
    shift.ShiftLinear = torch_form.ShiftLinearTorch
    sys.modules["model.kv_shift"] = shift
    importlib.import_module("model.fox").token_shift = torch_form.token_shift_torch


def main(checkout, root):
    stand_ins(checkout)
    for name, (variant, edits) in CASES.items():
        code = importlib.import_module("model.llama-mha-" + variant)
        settings = dict(SIZES, **edits)
        torch.manual_seed(sum(map(ord, name)))
        model = code.GPT(code.GPTConfig(**settings)).float().eval()
        with torch.no_grad():
            for key, p in model.named_parameters():
                if key.endswith("log_freq"):
                    p.add_(0.3 * torch.randn_like(p))
                elif key.endswith((".u", ".v")):
                    p.copy_(2 * torch.randn_like(p))
                elif key.endswith(("omega", "bias")):
                    p.copy_(torch.randn_like(p))
                elif p.dim() == 1:
                    p.copy_(1 + 0.2 * torch.randn_like(p))
                else:
                    p.copy_(1.5 * torch.randn_like(p) / p.shape[1] ** 0.5)
            states = []
            for block in model.transformer.h:
                block.register_forward_hook(lambda _, __, out: states.append(out))
            ids = torch.randint(0, settings["vocab_size"], (2, 40))
            logits = model(ids, output_all_seq=True)[0]
        folder = Path(root) / name
        folder.mkdir(parents=True, exist_ok=True)
        config = dict({"architectures": ["GPT"]}, **settings, model_type="grape", tie_word_embeddings=True, grape_variant=variant)
        (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
        weights = {k: v.contiguous().clone() for k, v in model.state_dict().items() if k != "lm_head.weight"}
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
        tensors = {"input_ids": ids, "logits": logits} | {f"hidden.{i}": h for i, h in enumerate(states)}
        save_file({k: v.contiguous().clone() for k, v in tensors.items()}, folder / "golden.safetensors",
                  {"source": f"github.com/model-architectures/GRAPE model/llama-mha-{variant}.py, float32, CPU, torch {torch.__version__}"})
        print(name, f"largest logit {logits.abs().max():.3f}")


main(*sys.argv[1:])
