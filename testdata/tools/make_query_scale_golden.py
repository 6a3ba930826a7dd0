#!/usr/bin/env python3
"""Make the golden of HoPE with queries scaled by position: llama-gqa's weights in stock Ministral3, whose queries are
multiplied by 1 + llama_4_scaling_beta * ln(1 + floor(position / original_max_position_embeddings)), at up to 3 L positions.

    python3 -m venv v && v/bin/pip install torch==2.6.0 transformers==5.23.0 safetensors
    v/bin/python make_query_scale_golden.py testdata/golden/llama-gqa

HoPE is rope type longrope whose factors of planes at or under 2 pi / L are 1e30. Writes golden/hope-scaled.safetensors in
the folder: input_ids of its own (seed 0, 2 x 96), logits, hidden.i as INDEX.md describes. First the same class, with a
factor of 1 and the rope keys as they are, has to meet golden/rope.safetensors.
"""
import json, math, sys

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import Ministral3Config, Ministral3ForCausalLM

BETA = 0.3


def model(folder, rope, positions):
    own = json.load(open(f'{folder}/config.json'))
    keys = ('vocab_size', 'hidden_size', 'intermediate_size', 'num_hidden_layers', 'num_attention_heads', 'num_key_value_heads',
            'head_dim', 'hidden_act', 'rms_norm_eps', 'tie_word_embeddings')
    config = Ministral3Config(**{k: own[k] for k in keys if k in own}, sliding_window=None, max_position_embeddings=positions, rope_parameters=rope)
    config._attn_implementation = 'eager'
    m = Ministral3ForCausalLM(config).eval()
    m.load_state_dict(load_file(f'{folder}/model.safetensors'), strict=not own.get('tie_word_embeddings'))
    return m


def answer(m, ids):
    with torch.no_grad():
        return m(ids, output_hidden_states=True, use_cache=False)


def main(folder):
    own = json.load(open(f'{folder}/config.json'))
    theta, length = own['rope_parameters']['rope_theta'], own['max_position_embeddings']
    d = own.get('head_dim') or own['hidden_size'] // own['num_attention_heads']
    want = load_file(f'{folder}/golden/rope.safetensors')
    plain = answer(model(folder, {'rope_type': 'default', 'rope_theta': theta, 'llama_4_scaling_beta': 0.0, 'original_max_position_embeddings': length}, length), want['input_ids'])
    off = (plain.logits - want['logits']).abs().max().item() / want['logits'].abs().max().item()
    if not off < 1e-5:
        sys.exit(f'the class is off golden/rope.safetensors by {off:.2g} of the largest logit')
    factors = [1e30 if theta ** (-2 * p / d) <= 2 * math.pi / length else 1.0 for p in range(d // 2)]
    rope = {'rope_type': 'longrope', 'rope_theta': theta, 'short_factor': factors, 'long_factor': factors, 'factor': 4.0, 'attention_factor': 1.0,
            'original_max_position_embeddings': length, 'llama_4_scaling_beta': BETA}
    ids = torch.randint(own['vocab_size'], (2, 3 * length), generator=torch.Generator().manual_seed(0))
    got = answer(model(folder, rope, 4 * length), ids)
    golden = {'input_ids': ids, 'logits': got.logits.contiguous()}
    golden.update({f'hidden.{i}': h.contiguous().clone() for i, h in enumerate(got.hidden_states)})
    save_file(golden, f'{folder}/golden/hope-scaled.safetensors',
              metadata={'source': f'transformers {transformers.__version__} Ministral3ForCausalLM, rope_type longrope, llama_4_scaling_beta {BETA}, eager attention, float32'})


if __name__ == '__main__':
    main(*sys.argv[1:])
