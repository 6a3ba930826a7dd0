"""Writes llama3_steps.json: what stock transformers computes from llama3's keys
where they say a step in wavelength, beside what it computes for plain RoPE.

    python convert/rewrite/testdata/gen_llama3_steps.py > convert/rewrite/testdata/llama3_steps.json

The keys are worked out here anew: factor 1e30, and both frequency factors at the
geometric mean of the last kept and the first dropped wavelength, with
original_max_position_embeddings at half of max_position_embeddings. Frequencies
are transformers' own (a Llama of one layer, float32), as the eight hexadecimal
digits of their bits; "warnings" is what it said while it loaded the configuration.

Recorded with transformers 5.24.0, torch 2.6.0; 4.57.6 gives the same file but for
the version.
"""

import io
import json
import logging
import math
import struct
import sys
import tempfile

import transformers
from transformers import AutoConfig, AutoModelForCausalLM

# base, head size, kept planes, max_position_embeddings
CASES = [
    (10000.0, 64, 20, 8192), (10000.0, 2, 0, 2048), (10000.0, 2, 1, 2048), (300.0, 16, 3, 32), (300.0, 16, 0, 32), (300.0, 16, 8, 32),
    (300.0, 16, 1, 32), (300.0, 16, 7, 33), (500000.0, 128, 35, 131072), (1000000.0, 128, 40, 32768), (10000000.0, 96, 47, 4096),
    (100000.0, 80, 1, 2), (77777.7, 48, 18, 2048), (10000.0, 256, 77, 8192), (5.0, 128, 31, 64),
]


def keys(theta, dim, kept, length):
    lam = [2 * math.pi * theta ** (2 * p / dim) for p in range(dim // 2)]
    if kept == 0:
        border = lam[0] / 2
    elif kept == len(lam):
        border = 2 * lam[-1]
    else:
        border = math.sqrt(lam[kept - 1] * lam[kept])
    unit = max(1, length // 2)
    low = float(f"{unit / border:.7g}")
    return {"rope_type": "llama3", "factor": 1e30, "low_freq_factor": low, "high_freq_factor": float(f"{low * 1.0001:.7g}"), "original_max_position_embeddings": unit}


def frequencies(dim, length, rope):
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    logging.getLogger("transformers").addHandler(handler)
    config = {"model_type": "llama", "vocab_size": 8, "hidden_size": dim, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1,
              "head_dim": dim, "max_position_embeddings": length} | rope
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + "/config.json", "w") as f:
            json.dump(config, f)
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    logging.getLogger("transformers").removeHandler(handler)
    inv = model.model.rotary_emb.inv_freq.tolist()
    return " ".join(struct.pack(">f", x).hex() for x in inv), said.getvalue()


def main():
    out = []
    for theta, dim, kept, length in CASES:
        step = keys(theta, dim, kept, length)
        rope = {"rope_theta": theta, "rope_scaling": step, "rope_parameters": step | {"rope_theta": theta}}
        got, warnings = frequencies(dim, length, rope)
        plain, _ = frequencies(dim, length, {"rope_theta": theta})
        out.append({"theta": theta, "head_dim": dim, "kept": kept, "max_position_embeddings": length, "keys": step, "inv_freq": got, "plain": plain, "warnings": warnings})
    json.dump({"transformers": transformers.__version__, "cases": out}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
