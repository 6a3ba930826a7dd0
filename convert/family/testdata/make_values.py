"""Writes values.json: what the goldens' layers compute with, from the stored
tensors, by torch (float64) and by transformers' own slope functions (float32).

    python make_values.py ../../../testdata/golden > values.json
"""
import json
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from transformers.models.bloom.modeling_bloom import _get_alibi_slopes
from transformers.models.mpt.modeling_mpt import build_mpt_alibi_tensor

golden = sys.argv[1]


def layers(name):
    w = load_file(f"{golden}/{name}/model.safetensors")
    n = 1 + max(int(k.split(".")[2]) for k in w if k.startswith("transformer.h."))
    return [{k.split(".", 4)[4]: v.double() for k, v in w.items() if k.startswith(f"transformer.h.{i}.attn.")} for i in range(n)]


def bloom(heads):
    return _get_alibi_slopes(heads, "cpu").double()


out = {"slopes": {}, "spectra": {}, "u": {}, "v": {}}
for name, heads in {"bloom": 4, "bloom-6heads": 6, "falcon-alibi": 4, "grape-alibi": 4, "grape-alibi-6heads": 6, "grape-ap-v1": 4}.items():
    out["slopes"][name] = [bloom(heads).tolist()] * 2
out["slopes"]["mpt"] = [(-build_mpt_alibi_tensor(4, 2)[:, 0, 0]).double().tolist()] * 2
for name, scale in {"grape-m-nonctx": 16, "grape-m-nonctx-shared": 1, "grape-m-ctx": 1, "grape-m-ctx-heads": 1}.items():
    out["spectra"][name] = [torch.exp(w["grape.log_freq"] / scale).reshape(-1, w["grape.log_freq"].shape[-1]).tolist() for w in layers(name)]
out["spectra"]["grape-rope"] = [[[10000.0 ** (-2 * p / 16) for p in range(8)]]] * 2
for name, bias, heads, eps_u, eps_v in [("grape-a-keygated", "keygated", 4, 1e-6, None), ("grape-a-querygated", "querygated", 4, None, 1e-6),
                                        ("grape-a-querykeygated", "querykeygated", 4, 1e-6, 1e-6),
                                        ("grape-a-querykeygated-plain", "querykeygated", 6, 0, 6.0)]:
    w = [{k.split(".")[-1]: v for k, v in l.items() if bias + "_bias" in k} for l in layers(name)]
    out["slopes"][name] = [(F.softplus(l["omega"]) * bloom(heads)).tolist() for l in w]
    for gate, eps in (("u", eps_u), ("v", eps_v)):
        if eps is not None:
            out[gate][name] = [(F.normalize(l[gate], dim=-1, eps=eps) if eps else l[gate]).tolist() for l in w]
json.dump(out, sys.stdout, separators=(",", ":"))
