#!/usr/bin/env python3
"""Perplexity, KL and top-1 agreement by stock transformers: the oracle of `pecvt eval`.

    python3 -m venv v && v/bin/pip install torch==2.6.0 transformers==5.23.0 safetensors numpy
    v/bin/python eval_transformers.py MODEL --ids IDS.safetensors --lengths 128,512 [--sequences N] [--against SOURCE] [--last 512] > out.json

Sequences are cut from the rows of input_ids from their front without overlap, float32 on the CPU; definitions are those of
docs/eval.md. testdata/models/stories260K/golden/eval.json is, in that folder,

    eval_transformers.py . --ids sampled.safetensors --lengths 128,512 --variants
"""
import argparse
import json
import math

import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

# Changed keys of config.json that --variants measures too, each against the model as it is.
VARIANTS = {'theta': {'rope_theta': 20000.0}, 'linear': {'rope_scaling': {'rope_type': 'linear', 'factor': 2.0}}}


def load(path, changed=None):
    config = AutoConfig.from_pretrained(path)
    for key, value in (changed or {}).items():
        if key == 'rope_theta':
            config.rope_parameters = {'rope_type': 'default', 'rope_theta': value}
        else:
            config.rope_parameters = dict(value, rope_theta=config.rope_parameters['rope_theta'])
    return AutoModelForCausalLM.from_pretrained(path, config=config, dtype=torch.float32).eval()


def measure(model, source, rows, last):
    nll, kl, same, stock = [], [], [], []
    for row in rows:
        ids = row[None]
        out = model(ids, labels=ids)
        stock.append(out.loss.item())
        logp = out.logits[0, :-1].double().log_softmax(-1)
        nll.append(-logp.gather(-1, row[1:, None])[:, 0])
        if source is not None:
            logq = source(ids).logits[0, :-1].double().log_softmax(-1)
            kl.append((logq.exp() * (logq - logp)).sum(-1))
            same.append((logq.argmax(-1) == logp.argmax(-1)).double())
    nll = torch.stack(nll)
    k = max(1, min(last, rows.shape[1] // 4))
    r = dict(length=rows.shape[1], sequences=len(rows), ppl=math.exp(nll.mean()), ppl_stock=math.exp(sum(stock) / len(stock)), last=k,
             ppl_last=math.exp(nll[:, -k:].mean()), nll=nll.mean(1).tolist())
    if source is not None:
        kl, same = torch.stack(kl), torch.stack(same)
        r.update(kl=kl.mean().item(), kl_last=kl[:, -k:].mean().item(), top1=same.mean().item())
    return r


@torch.no_grad()
def main():
    p = argparse.ArgumentParser()
    p.add_argument('model')
    p.add_argument('--ids', required=True)
    p.add_argument('--lengths', required=True)
    p.add_argument('--sequences', type=int, default=0)
    p.add_argument('--against')
    p.add_argument('--last', type=int, default=512)
    p.add_argument('--variants', action='store_true')
    a = p.parse_args()
    rows = load_file(a.ids)['input_ids'].long()
    model = load(a.model)
    source = load(a.against) if a.against else None
    out = {'results': []}
    for n in map(int, a.lengths.split(',')):
        cut = torch.cat([row[:len(row) // n * n].reshape(-1, n) for row in rows])
        cut = cut[:a.sequences] if a.sequences else cut
        out['results'].append(measure(model, source, cut, a.last))
        if a.variants:
            for name, changed in VARIANTS.items():
                out['results'].append(dict(variant=name, config=changed, **measure(load(a.model, changed), model, cut, a.last)))
    print(json.dumps(out, indent=1))


if __name__ == '__main__':
    main()
