#!/usr/bin/env bash
# An int4 checkpoint of compressed-tensors with zero points, and transformers' loader.
#
# Seen with transformers 5.24.0, compressed-tensors 0.20.1 and torch 2.15.0: format
# pack-quantized, int4 in groups of 32, made and saved by compressed-tensors itself.
# Symmetric, it loads by default and by CompressedTensorsConfig(dequantize=True), and
# the logits are those of the model before packing. Asymmetric, the default stops with
# "You set `ignore_mismatched_sizes` to `False`": every weight_zero_point is packed
# along the rows in the file (8 to an int32: 64 rows are 8), while the module that is
# to receive it was compressed on the meta device, where the zero points stay unpacked
# (64). With dequantize=True the same files load, with the right logits.
# Expected: the default loads both.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/v"
"$work/v/bin/pip" install -q --no-compile --disable-pip-version-check torch==2.15.0 numpy==2.2.6 transformers==5.24.0 compressed-tensors==0.20.1 accelerate==1.15.0
"$work/v/bin/python" - "$work" <<'PY' 2>"$work/log" || { tail -n 40 "$work/log" >&2; exit 1; }
import importlib.metadata
import sys

import torch
import transformers
from compressed_tensors.compressors import ModelCompressor
from compressed_tensors.quantization import QuantizationConfig, apply_quantization_config
from transformers import AutoModelForCausalLM, CompressedTensorsConfig, LlamaConfig, LlamaForCausalLM

GROUP = 32
small = LlamaConfig(vocab_size=64, hidden_size=64, intermediate_size=128, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64)
ids = torch.arange(8)[None]


def logits(model):
    with torch.no_grad():
        return model.eval()(ids).logits


def save(folder, symmetric):
    """A checkpoint, and the logits of its numbers."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(small)
    weights = {"num_bits": 4, "type": "int", "symmetric": symmetric, "strategy": "group", "group_size": GROUP}
    scheme = {"group_0": {"targets": ["Linear"], "weights": weights}}
    apply_quantization_config(model, QuantizationConfig(config_groups=scheme, ignore=["lm_head"], format="pack-quantized", quantization_status="initialized"))
    for module in model.modules():
        if not hasattr(module, "weight_scale"):
            continue
        groups = module.weight.data.unflatten(-1, (-1, GROUP))
        low, high = groups.amin(-1), groups.amax(-1)
        if symmetric:
            module.weight_scale.data.copy_(torch.maximum(-low, high) / 7.5)
        else:
            scale = (high - low) / 15
            module.weight_scale.data.copy_(scale)
            module.weight_zero_point.data.copy_((-8 - low / scale).round().clamp(-8, 7))
    want = logits(model)
    compressor = ModelCompressor.from_pretrained_model(model)
    compressor.compress_model(model)
    model.save_pretrained(folder)
    compressor.update_config(folder)
    return want


def load(folder, want, **more):
    try:
        model = AutoModelForCausalLM.from_pretrained(folder, **more)
    except RuntimeError as e:
        if "ignore_mismatched_sizes" not in str(e):
            raise
        return "mismatched sizes"
    error = (logits(model) - want).abs().max() / want.abs().max()
    return "loads" if error < 1e-5 else f"loads, {error:.1e} off"


got, key = {}, "model.layers.0.self_attn.q_proj.weight_zero_point"
for symmetric in (True, False):
    folder = f"{sys.argv[1]}/symmetric-{symmetric}"
    want = save(folder, symmetric)
    got[symmetric] = (load(folder, want), load(folder, want, quantization_config=CompressedTensorsConfig(dequantize=True)))
_, info = AutoModelForCausalLM.from_pretrained(folder, ignore_mismatched_sizes=True, output_loading_info=True)
sizes = [tuple(map(tuple, m[1:])) for m in info["mismatched_keys"] if m[0] == key]
print(f"transformers {transformers.__version__}, compressed-tensors {importlib.metadata.version('compressed-tensors')}, torch {torch.__version__}:")
print(f"symmetric (default, dequantize) {got[True]}, asymmetric {got[False]}; {key} in the file and in the module {sizes}")
if got != {True: ("loads", "loads"), False: ("mismatched sizes", "loads")} or sizes != [((8, 2), (64, 2))]:
    sys.exit("changed")
PY
