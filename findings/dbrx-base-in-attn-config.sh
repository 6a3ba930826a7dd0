#!/usr/bin/env bash
# The rotary base of DBRX, which its published configurations have inside attn_config.
#
# Seen in transformers 5.24.0: a config.json whose attn_config says rope_theta 500000
# loads with base 10000 in rope_parameters, by which 5.24 turns; attn_config keeps its
# 500000, which nothing reads. With rope_theta at the top level the base is 500000.
# Expected: 500000 in both, as transformers 4.57.6 turns.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/tf"
"$work/tf/bin/pip" install -q --disable-pip-version-check transformers==5.24.0
"$work/tf/bin/python" - "$work" <<'PY' 2>/dev/null
import json
import os
import sys

import transformers

config = {"model_type": "dbrx", "architectures": ["DbrxForCausalLM"], "d_model": 32, "n_heads": 2, "n_layers": 1, "max_seq_len": 64, "vocab_size": 32,
          "attn_config": {"kv_n_heads": 2, "clip_qkv": 8, "rope_theta": 500000},
          "ffn_config": {"ffn_hidden_size": 16, "moe_num_experts": 2, "moe_top_k": 1}}
got = {}
for name, more in {"inside": {}, "at the top too": {"rope_theta": 500000}}.items():
    folder = f"{sys.argv[1]}/{name}"
    os.makedirs(folder)
    with open(f"{folder}/config.json", "w") as f:
        json.dump({**config, **more}, f)
    c = transformers.AutoConfig.from_pretrained(folder)
    got[name] = (c.rope_parameters["rope_theta"], c.attn_config.rope_theta)
print(f"transformers {transformers.__version__}: base (rope_parameters, attn_config) {got}")
if got != {"inside": (10000.0, 500000), "at the top too": (500000, 500000)}:
    sys.exit("changed")
PY
