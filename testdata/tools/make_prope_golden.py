#!/usr/bin/env python3
"""Make the golden of p-RoPE: llama-gqa's weights under transformers' rope type "proportional" with three quarters of the planes.

    python3 -m venv v && v/bin/pip install torch==2.6.0 transformers==5.23.0 safetensors
    v/bin/python make_prope_golden.py testdata/golden/llama-gqa

Writes golden/p-rope.safetensors in the folder: input_ids of golden/rope.safetensors, logits, hidden.i as INDEX.md describes.
"""
import sys

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM


def main(folder):
    config = AutoConfig.from_pretrained(folder)
    theta = config.rope_parameters['rope_theta']
    config.rope_parameters = {'rope_type': 'proportional', 'rope_theta': theta, 'partial_rotary_factor': 0.75}
    model = AutoModelForCausalLM.from_pretrained(folder, config=config, dtype=torch.float32, attn_implementation='eager').eval()
    ids = load_file(f'{folder}/golden/rope.safetensors')['input_ids']
    with torch.no_grad():
        answer = model(ids, output_hidden_states=True, use_cache=False)
    golden = {'input_ids': ids, 'logits': answer.logits.contiguous()}
    golden.update({f'hidden.{i}': h.contiguous().clone() for i, h in enumerate(answer.hidden_states)})
    save_file(golden, f'{folder}/golden/p-rope.safetensors',
              metadata={'source': f'transformers {transformers.__version__} {type(model).__name__}, rope_type proportional, partial_rotary_factor 0.75, eager attention, float32'})


if __name__ == '__main__':
    main(*sys.argv[1:])
