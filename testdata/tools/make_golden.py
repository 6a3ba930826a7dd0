#!/usr/bin/env python3
"""Make a golden case for a family that transformers knows: a tiny model with random weights and its answers.

    python3 -m venv v && v/bin/pip install torch==2.6.0 transformers==5.23.0 safetensors
    v/bin/python make_golden.py testdata/golden/starcoder2 starcoder2 sliding_window=8 use_bias=true

Writes config.json, model.safetensors and golden.safetensors (input_ids (2, 40), logits, hidden.i) as INDEX.md describes.
Sizes are hidden 64, 2 layers, 4 heads, 2 key/value heads, inner 96, vocabulary 128, 32 positions; KEY=JSON overrides any.
Weights are drawn with seed 0, norms and biases away from 1 and 0 so that forgetting one shows.
"""
import json, sys

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM


def main(out, model_type, *overrides):
    sizes = dict(vocab_size=128, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
                 num_key_value_heads=2, max_position_embeddings=32, bos_token_id=0, eos_token_id=1, pad_token_id=None,
                 tie_word_embeddings=False)
    for o in overrides:
        key, value = o.split('=', 1)
        sizes[key] = json.loads(value)
    config = AutoConfig.for_model(model_type, **sizes)
    config.dtype = 'float32'
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, attn_implementation='eager').float().eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.ndim == 1:
                p.normal_(1.0 if name.endswith('weight') else 0.0, 0.2)
            else:
                p.normal_(0.0, 0.15)
        ids = torch.randint(0, config.vocab_size, (2, 40))
        answer = model(ids, output_hidden_states=True, use_cache=False)
    model.save_pretrained(out)
    golden = {'input_ids': ids, 'logits': answer.logits.contiguous()}
    golden.update({f'hidden.{i}': h.contiguous().clone() for i, h in enumerate(answer.hidden_states)})
    save_file(golden, f'{out}/golden.safetensors',
              metadata={'source': f'transformers {transformers.__version__} {type(model).__name__}, eager attention, float32'})


if __name__ == '__main__':
    main(*sys.argv[1:])
