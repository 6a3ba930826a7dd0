#!/usr/bin/env python3
"""Prefill of a model with gated delta nets: the emitted graph against stock transformers.

    python testdata/tools/bench_delta.py make DIR            a qwen3_5_text of 8 layers, hidden 512, random weights
    pecvt export DIR -o OUT
    python testdata/tools/bench_delta.py stock DIR [TOKENS]  eager, float32, two threads (transformers 5.24, torch)
    python testdata/tools/bench_delta.py ort OUT [TOKENS]    ONNX Runtime, two threads

Each prints the least and the median time of five passes over 1024 tokens, after one that does not count. The two need
environments of their own, so they take turns by hand.
"""
import sys, time
import numpy as np


def make(path):
    import torch
    from transformers import AutoModelForCausalLM, Qwen3_5TextConfig
    kinds = (['linear_attention'] * 3 + ['full_attention']) * 2
    c = Qwen3_5TextConfig(hidden_size=512, intermediate_size=1536, num_hidden_layers=8, num_attention_heads=8, num_key_value_heads=2, head_dim=64, vocab_size=4096,
                          max_position_embeddings=4096, layer_types=kinds, linear_num_key_heads=4, linear_num_value_heads=8, linear_key_head_dim=64, linear_value_head_dim=64)
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(c).float().eval().save_pretrained(path)


def stock(path, ids):
    import torch
    from transformers import AutoModelForCausalLM
    torch.set_num_threads(2)
    m = AutoModelForCausalLM.from_pretrained(path, attn_implementation='eager', dtype=torch.float32).eval()
    x = torch.from_numpy(ids)

    def run():
        with torch.no_grad():
            return m(x, use_cache=True).logits
    return run


def ort(path, ids):
    import onnxruntime
    o = onnxruntime.SessionOptions()
    o.intra_op_num_threads = 2
    s = onnxruntime.InferenceSession(path + '/model.onnx', o, providers=['CPUExecutionProvider'])
    n = ids.shape[1]
    sizes = {'batch_size': 1, 'sequence_length': n, 'past_sequence_length': 0, 'total_sequence_length': n}
    feed = {i.name: np.zeros([d if isinstance(d, int) else sizes[d] for d in i.shape], np.float32) for i in s.get_inputs() if i.type == 'tensor(float)'}
    given = {'input_ids': ids, 'attention_mask': np.ones((1, n), np.int64), 'position_ids': np.arange(n)[None]}
    feed.update({k: v for k, v in given.items() if k in {i.name for i in s.get_inputs()}})
    return lambda: s.run(['logits'], feed)


what, path = sys.argv[1:3]
if what == 'make':
    make(path)
else:
    ids = np.random.default_rng(0).integers(0, 4096, (1, int(sys.argv[3]) if len(sys.argv) > 3 else 1024))
    run, times = {'stock': stock, 'ort': ort}[what](path, ids), []
    for _ in range(6):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    times = sorted(times[1:])
    print(f'{what}: least {times[0]:.3f} s, median {times[2]:.3f} s')
