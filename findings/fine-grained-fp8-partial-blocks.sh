#!/usr/bin/env bash
# Float8 weights in blocks of 128 by 128 (quant_method fp8, DeepSeek's format) whose
# size is no multiple of 128, dequantised by transformers where there is no GPU.
#
# Seen with transformers 5.24.0 and torch 2.15.0 on a CPU: the size of a block is
# the weight's over the grid of scales, whatever weight_block_size says. A last block
# that is not whole makes the grid n = ceil(size / 128), and
#   size / n no integer (576 rows, as kv_a_proj_with_mqa of DeepSeek-V3 has; 320, 257):
#     stops, "not divisible by scale grid", a RuntimeError of the conversion;
#   size / n an integer (192 in 2 blocks of 96, 200 in 2 of 100, 300 in 3 of 100):
#     loads without a word about it, with rows under the scale of another block;
#   size below 128, or whole blocks: right.
# Rows and columns alike. Expected, by the format (a scale for each 128 rows and
# columns from the start), by the declared weight_block_size and by the shape
# that its own float8 layer gives the scales: the plain product in every case.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/v"
"$work/v/bin/pip" install -q --no-compile --disable-pip-version-check torch==2.15.0 numpy==2.2.6 transformers==5.24.0 accelerate==1.15.0
CUDA_VISIBLE_DEVICES="" "$work/v/bin/python" - "$work" <<'PY' 2>"$work/log" || { tail -n 40 "$work/log" >&2; exit 1; }
import json
import os
import sys

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

BLOCK = 128


def quantised(w):
    """Codes, the scale of each block, and their product."""
    grid = [-(-n // BLOCK) for n in w.shape]
    whole = torch.zeros(grid[0] * BLOCK, grid[1] * BLOCK)
    whole[: w.shape[0], : w.shape[1]] = w
    scales = whole.reshape(grid[0], BLOCK, grid[1], BLOCK).abs().amax((1, 3)) / 448
    each = scales.repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)[: w.shape[0], : w.shape[1]]
    codes = (w / each).to(torch.float8_e4m3fn)
    return codes, scales, codes.float() * each


def outcome(folder, size):
    """What becomes of a Llama whose MLP has that many rows (gate, up) and columns (down)."""
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=64, hidden_size=256, intermediate_size=size, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=64)
    model = LlamaForCausalLM(config).eval()
    tensors = {}
    for name, w in model.state_dict().items():
        tensors[name] = w.clone()
        if name.endswith("_proj.weight"):
            # Rows and columns of different size, as the blocks of a trained model are.
            w *= torch.linspace(1, 4, w.shape[0])[:, None] * torch.linspace(1, 4, w.shape[1])
            codes, scales, product = quantised(w)
            tensors[name], tensors[name + "_scale_inv"] = codes, scales
            w.copy_(product)
    os.makedirs(folder)
    save_file(tensors, f"{folder}/model.safetensors", {"format": "pt"})
    with open(f"{folder}/config.json", "w") as f:
        json.dump({**config.to_dict(), "architectures": ["LlamaForCausalLM"],
                   "quantization_config": {"quant_method": "fp8", "weight_block_size": [BLOCK, BLOCK], "activation_scheme": "dynamic"}}, f)
    try:
        loaded, info = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    except RuntimeError as e:
        if "conversion of the weights" not in str(e):
            raise
        return "stops"
    if any(info.values()):
        return f"reports {info}"
    off = {n.split(".")[-2] for n, w in loaded.state_dict().items() if not torch.allclose(w.float(), model.state_dict()[n], rtol=1e-6, atol=0)}
    ids = torch.arange(8)[None]
    with torch.no_grad():
        want, got = model(ids).logits, loaded.eval()(ids).logits
    error = ((got - want).abs().max() / want.abs().max()).item()
    print(f"  {size}: wrong weights {sorted(off)}, logits {error:.1e} of the largest off")
    return "right" if not off and error < 1e-5 else "wrong in silence" if off == {"gate_proj", "up_proj", "down_proj"} and error > 1e-2 else "other"


print(f"transformers {transformers.__version__}, torch {torch.__version__}:")
expected = {96: "right", 256: "right", 192: "wrong in silence", 200: "wrong in silence", 300: "wrong in silence", 257: "stops", 320: "stops", 576: "stops"}
got = {size: outcome(f"{sys.argv[1]}/{size}", size) for size in expected}
print(f"  {got}")
if got != expected:
    sys.exit("changed")
PY
