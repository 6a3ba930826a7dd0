"""Times of a graph that caches latents against one that caches keys and values.

    python bench_latent.py model DIR          # with transformers and torch: a random model
    pecvt export DIR -o full --max-length 8192
    pecvt export DIR -o latent --max-length 8192 --cache latent
    python bench_latent.py time full latent   # with onnxruntime and numpy

The model has 4 layers, hidden 1024, 16 heads of 128 + 64, values of 128, rank 512. Graphs
take turns on one thread; printed are the least and the median time of each, in ms.
"""
import sys


def model(folder):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    config = AutoConfig.for_model(
        'youtu', vocab_size=256, hidden_size=1024, intermediate_size=2048, num_hidden_layers=4, num_attention_heads=16, num_key_value_heads=16, q_lora_rank=512,
        kv_lora_rank=512, qk_nope_head_dim=128, qk_rope_head_dim=64, v_head_dim=128, max_position_embeddings=8192, bos_token_id=0, eos_token_id=1, tie_word_embeddings=False)
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(folder)


def time(*folders):
    import time
    import numpy as np
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    sessions = {f: ort.InferenceSession(f + '/model.onnx', options) for f in folders}
    rng = np.random.default_rng(0)
    for past, n, rounds in (0, 256, 5), (256, 1, 30), (2048, 1, 20), (8000, 1, 8):
        fed = {}
        for f, s in sessions.items():
            fed[f] = {'input_ids': rng.integers(0, 256, (1, n)), 'attention_mask': np.ones((1, past + n), np.int64), 'position_ids': np.arange(past, past + n)[None]}
            for i in s.get_inputs():
                if i.name.startswith('past'):
                    fed[f][i.name] = (rng.standard_normal((1, i.shape[1], past, i.shape[3])) / 10).astype(np.float32)
        took = {f: [] for f in sessions}
        for k in range(rounds + 1):
            for f, s in sessions.items():
                begin = time.perf_counter()
                s.run(None, fed[f])
                if k > 0:
                    took[f].append(1e3 * (time.perf_counter() - begin))
        print(f'{n} tokens after {past}:', {f: (round(min(t), 1), round(float(np.median(t)), 1)) for f, t in took.items()})


if __name__ == '__main__':
    {'model': model, 'time': time}[sys.argv[1]](*sys.argv[2:])
