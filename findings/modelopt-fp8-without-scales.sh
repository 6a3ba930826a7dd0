#!/usr/bin/env bash
# A float8 checkpoint of NVIDIA's Model Optimizer (quant_method modelopt) and
# transformers.
#
# Seen with transformers 5.24.0 and torch 2.15.0: it does not know the method, and
# loads the codes as if they were the weights: no error, and logits that are off by
# 1.4 times their largest. What it prints are two warnings: "Unknown quantization type,
# got modelopt [...] Hence, we will skip the quantization", and a report that has
# every weight_scale and input_scale as UNEXPECTED, which "can be ignored when loading
# from different task/architecture". With hf_quant_config.json alone in place of
# quantization_config it prints the report alone.
# Expected: the weights times their scales, or an error.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/v"
"$work/v/bin/pip" install -q --no-compile --disable-pip-version-check torch==2.15.0 numpy==2.2.6 transformers==5.24.0
"$work/v/bin/python" - "$work" <<'PY' 2>"$work/log" || { tail -n 40 "$work/log" >&2; exit 1; }
import json
import os
import sys

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

torch.manual_seed(0)
config = LlamaConfig(vocab_size=64, hidden_size=64, intermediate_size=128, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=64)
model = LlamaForCausalLM(config).eval()
tensors = {}
for name, w in model.state_dict().items():
    tensors[name] = w.clone()
    if name.endswith("_proj.weight"):
        scale = w.abs().max() / 448
        codes = (w / scale).to(torch.float8_e4m3fn)
        tensors |= {name: codes, name + "_scale": scale, name.removesuffix("weight") + "input_scale": torch.tensor(0.05)}
        w.copy_(codes.float() * scale)
ids = torch.arange(8)[None]
with torch.no_grad():
    want = model(ids).logits

form = {"dynamic": False, "num_bits": 8, "type": "float"}
producer = {"name": "modelopt", "version": "0.39.0"}
inside = {"quant_method": "modelopt", "quant_algo": "FP8", "ignore": ["lm_head"], "producer": producer,
          "config_groups": {"group_0": {"weights": form, "input_activations": form, "targets": ["Linear"]}}}
beside = {"producer": producer, "quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": None, "exclude_modules": ["lm_head"]}}
scales = {n for n in tensors if n.endswith("_scale")}
warned = []
transformers.logging.get_logger("transformers.quantizers.auto").warning = lambda text, *a: warned.append(text)

print(f"transformers {transformers.__version__}, torch {torch.__version__}:")
for case in ("quantization_config", "hf_quant_config.json"):
    folder = f"{sys.argv[1]}/{case}"
    os.makedirs(folder)
    save_file(tensors, f"{folder}/model.safetensors", {"format": "pt"})
    whole = {**config.to_dict(), "architectures": ["LlamaForCausalLM"]}
    if case == "quantization_config":
        whole[case] = inside
    else:
        with open(f"{folder}/{case}", "w") as f:
            json.dump(beside, f)
    with open(f"{folder}/config.json", "w") as f:
        json.dump(whole, f)
    warned.clear()
    loaded, info = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    with torch.no_grad():
        error = ((loaded.eval()(ids).logits - want).abs().max() / want.abs().max()).item()
    codes = all(torch.equal(w, tensors[n].float()) for n, w in loaded.state_dict().items())
    skipped = any("got modelopt" in w and "skip the quantization" in w for w in warned)
    print(f"  {case}: codes as weights {codes}, logits {error:.2f} of the largest off, {len(info['unexpected_keys'])} unexpected keys, {len(info['missing_keys'])} missing, says that it skips {skipped}")
    if not codes or error < 0.5 or set(info["unexpected_keys"]) != scales or info["missing_keys"] or skipped != (case == "quantization_config"):
        sys.exit("changed")
PY
