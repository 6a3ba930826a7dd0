"""Writes alibi.json and the golden of Falcon's sdpa path.

    pip install transformers==5.23.0 torch==2.6.0
    python gen_alibi.py ../../testdata/golden/falcon-alibi > alibi.json

alibi.json holds slopes as Bloom and MPT compute them (alibi_bias_max 8 and 4)
and Falcon's bias terms, rounded to bfloat16, all in float32.
"""

import json
import sys

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from transformers.models.bloom.modeling_bloom import _get_alibi_slopes
from transformers.models.falcon.modeling_falcon import build_alibi_tensor
from transformers.models.mpt.modeling_mpt import build_mpt_alibi_tensor

POSITIONS = [0, 1, 3, 255, 256, 257, 300, 511, 513, 1000, 2047, 4099]
HEADS = [1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 25, 32, 40, 48, 64, 71, 112]


def slopes():
    mask = torch.ones(1, POSITIONS[-1] + 1, dtype=torch.int64)
    for n in HEADS:
        row = {"n": n, "bloom": _get_alibi_slopes(n, torch.device("cpu")).tolist()}
        for m in (8, 4):
            row[f"mpt{m}"] = (-build_mpt_alibi_tensor(n, 2, m)[:, 0, 0]).tolist()
        if n in (5, 12, 71):
            row["falcon"] = build_alibi_tensor(mask, n, torch.float32)[:, 0, POSITIONS].tolist()
        yield row


def falcon(folder):
    ids = load_file(folder + "/golden.eager.safetensors")["input_ids"]
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="sdpa", dtype=torch.float32)
    with torch.no_grad():
        out = model(ids, output_hidden_states=True)
    tensors = {"input_ids": ids, "logits": out.logits.contiguous()}
    tensors.update({f"hidden.{i}": h.contiguous() for i, h in enumerate(out.hidden_states)})
    save_file(tensors, folder + "/golden.safetensors", metadata={
        "source": "transformers 5.23.0 FalconForCausalLM, sdpa attention, float32",
        "note": "ALiBi once; the eager path of this version adds it twice"})


falcon(sys.argv[1])
print(json.dumps({"made_by": "posenc/testdata/gen_alibi.py", "transformers": "5.23.0", "torch": "2.6.0",
                  "positions": POSITIONS, "heads": list(slopes())}, separators=(",", ":")))
