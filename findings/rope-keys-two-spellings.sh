#!/usr/bin/env bash
# rope_parameters, the rotary keys that transformers 5 writes, read by others
# and beside the older rope_scaling.
#
# Seen:
#   transformers 5.24.0: a config.json with rope_scaling (no base in it) beside
#   rope_parameters (base 500) loads with base 10000: rope_scaling replaces the
#   whole of rope_parameters, though both tell of one scaling. With rope_theta at
#   the top level too, the base is 500.
#   mlx-lm 0.32.2: its Llama passes over rope_parameters. What transformers 5
#   saves for base 500 turns with base 10000, without a word; with rope_theta at
#   the top level it turns with 500.
# Writing rope_theta at the top level besides is what both read alike.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/configs.py" <<'PY'
import json
import os
import sys

plain = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 32, "hidden_size": 16, "intermediate_size": 16,
         "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-5}
linear = {"rope_type": "linear", "factor": 2.0}
for name, keys in {
    "alone": {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}},
    "alone-top": {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}, "rope_theta": 500.0},
    "both": {"rope_parameters": {**linear, "rope_theta": 500.0}, "rope_scaling": linear},
    "both-top": {"rope_parameters": {**linear, "rope_theta": 500.0}, "rope_scaling": linear, "rope_theta": 500.0},
}.items():
    os.makedirs(f"{sys.argv[1]}/{name}")
    with open(f"{sys.argv[1]}/{name}/config.json", "w") as f:
        json.dump({**plain, **keys}, f)
PY
python3 "$work/configs.py" "$work"

python3 -m venv "$work/tf"
"$work/tf/bin/pip" install -q --disable-pip-version-check transformers==5.24.0
"$work/tf/bin/python" - "$work" <<'PY' 2>/dev/null
import sys

import transformers

got = {n: transformers.AutoConfig.from_pretrained(f"{sys.argv[1]}/{n}").rope_parameters["rope_theta"] for n in ("alone", "both", "both-top")}
print(f"transformers {transformers.__version__}: base {got}")
if got != {"alone": 500.0, "both": 10000.0, "both-top": 500.0}:
    sys.exit(1)
PY

python3 -m venv "$work/mlx"
"$work/mlx/bin/pip" install -q --disable-pip-version-check "mlx[cpu]==0.32.4" mlx-lm==0.32.2 numpy==2.2.6
"$work/mlx/bin/python" - "$work" <<'PY' 2>/dev/null
import importlib.metadata
import json
import sys

import mlx.core as mx
import numpy as np
from mlx_lm.models import llama

mx.set_default_device(mx.cpu)
x = mx.array(np.random.default_rng(0).standard_normal((1, 1, 4, 8)).astype(np.float32))


def turned(base):
    return np.array(mx.fast.rope(x, 8, traditional=False, base=base, scale=1.0, offset=3))


got = {}
for name in ("alone", "alone-top"):
    with open(f"{sys.argv[1]}/{name}/config.json") as f:
        model = llama.Model(llama.ModelArgs.from_dict(json.load(f)))
    y = np.array(model.model.layers[0].self_attn.rope(x, offset=3))
    got[name] = [b for b in (500.0, 10000.0) if np.abs(y - turned(b)).max() < 1e-5]
print(f"mlx-lm {importlib.metadata.version('mlx-lm')}: base {got}")
if got != {"alone": [10000.0], "alone-top": [500.0]}:
    sys.exit(1)
PY
