#!/usr/bin/env python3
"""Speed of mixtures of experts.

    python bench_mixture.py sparse DIR    a checkpoint of Qwen3-30B-A3B's shape, 61 GB of holes (a few MB on disk), to convert and export:
                                          pecvt convert DIR --to hope -o OUT --no-onnx; pecvt export DIR -o OUT --link
    python bench_mixture.py pair DIR      DIR/moe and DIR/dense with transformers: 8 layers, hidden 512, 2 of 16 experts of 768 against an MLP of 1536
    python bench_mixture.py time DIR      their graphs in ONNX Runtime, taking turns: DIR/moe-standard, DIR/dense-standard, DIR/moe-ort, DIR/dense-ort,
                                          made by pecvt export --attention; least and median milliseconds, and the ratios of both
    python bench_mixture.py cpu DIR NAME… those of the folders DIR/NAME, other programs' graphs among them, with one thread, in milliseconds of
                                          processor time: on a busy machine; with how far the first logits are from the first folder's
"""
import json, os, statistics, struct, sys, time


def sparse(d):
    os.makedirs(d,exist_ok=True)
    H,L,A,K,D,E,M,V=2048,48,32,4,128,128,768,151936
    cfg=dict(architectures=["Qwen3MoeForCausalLM"],model_type="qwen3_moe",hidden_size=H,num_hidden_layers=L,num_attention_heads=A,num_key_value_heads=K,head_dim=D,num_experts=E,num_experts_per_tok=8,moe_intermediate_size=M,intermediate_size=6144,hidden_act="silu",max_position_embeddings=40960,rms_norm_eps=1e-6,rope_theta=1000000.0,rope_scaling=None,norm_topk_prob=True,decoder_sparse_step=1,mlp_only_layers=[],vocab_size=V,tie_word_embeddings=False,use_sliding_window=False,attention_bias=False,torch_dtype="bfloat16")
    json.dump(cfg,open(d+'/config.json','w'),indent=2)
    t=[('model.embed_tokens.weight',[V,H]),('lm_head.weight',[V,H]),('model.norm.weight',[H])]
    for i in range(L):
        p=f'model.layers.{i}.'
        t+=[(p+'input_layernorm.weight',[H]),(p+'post_attention_layernorm.weight',[H]),(p+'self_attn.q_proj.weight',[A*D,H]),(p+'self_attn.k_proj.weight',[K*D,H]),(p+'self_attn.v_proj.weight',[K*D,H]),(p+'self_attn.o_proj.weight',[H,A*D]),(p+'self_attn.q_norm.weight',[D]),(p+'self_attn.k_norm.weight',[D]),(p+'mlp.gate.weight',[E,H])]
        for e in range(E):
            q=p+f'mlp.experts.{e}.'; t+=[(q+'gate_proj.weight',[M,H]),(q+'up_proj.weight',[M,H]),(q+'down_proj.weight',[H,M])]
    shards=[[]];size=0;wm={}
    for n,s in t:
        b=2
        for x in s:b*=x
        if size+b>4<<30: shards.append([]);size=0
        shards[-1].append((n,s,b));size+=b
    total=0
    for j,sh in enumerate(shards):
        f=f'model-{j+1:05d}-of-{len(shards):05d}.safetensors';h={};o=0
        for n,s,b in sh: h[n]=dict(dtype='BF16',shape=s,data_offsets=[o,o+b]);o+=b;wm[n]=f
        raw=json.dumps(h,separators=(',',':')).encode();raw+=b' '*(-len(raw)%8)
        with open(f'{d}/{f}','wb') as w: w.write(struct.pack('<Q',len(raw)));w.write(raw);w.truncate(8+len(raw)+o)
        total+=o
    json.dump(dict(metadata=dict(total_size=total),weight_map=wm),open(d+'/model.safetensors.index.json','w'))
    print(len(t),total/1e9)


def pair(d):
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM, Qwen3MoeConfig, Qwen3MoeForCausalLM
    torch.manual_seed(0)
    c = dict(hidden_size=512, num_hidden_layers=8, num_attention_heads=8, num_key_value_heads=4, head_dim=64, vocab_size=1024, max_position_embeddings=2048, initializer_range=0.05)
    Qwen3MoeForCausalLM(Qwen3MoeConfig(**c, num_experts=16, num_experts_per_tok=2, moe_intermediate_size=768, intermediate_size=1536, norm_topk_prob=True)).save_pretrained(d + '/moe')
    Qwen3ForCausalLM(Qwen3Config(**c, intermediate_size=1536)).save_pretrained(d + '/dense')


def feed(s, n, past):
    import numpy as np
    rng, f = np.random.default_rng(0), {}
    for i in s.get_inputs():
        if i.name.startswith('past'):
            f[i.name] = rng.standard_normal((1, 4, past, 64)).astype(np.float32) * .1
        elif i.name == 'input_ids':
            f[i.name] = rng.integers(0, 1024, (1, n)).astype(np.int64)
        elif i.name == 'position_ids':
            f[i.name] = np.arange(past, past + n)[None].astype(np.int64)
        else:
            f[i.name] = np.ones((1, past + n), np.int64)  # attention_mask
    return f


def clock(d):
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads = 2
    names = ['moe-standard', 'dense-standard', 'moe-ort', 'dense-ort']
    sessions = {n: ort.InferenceSession(f'{d}/{n}/model.onnx', options, providers=['CPUExecutionProvider']) for n in names}
    print('onnxruntime', ort.__version__)
    for label, n, past, runs in [('prefill of 256', 256, 0, 9), ('decode at 256', 1, 256, 60)]:
        took, feeds = {k: [] for k in names}, {k: feed(s, n, past) for k, s in sessions.items()}
        for turn in range(runs + 2):
            for k, s in sessions.items():
                t = time.perf_counter()
                s.run(['logits'], feeds[k])
                if turn > 1:
                    took[k].append(1e3 * (time.perf_counter() - t))
        for what in (min, statistics.median):
            v = {k: what(took[k]) for k in names}
            print(label, what.__name__, {k: round(x, 2) for k, x in v.items()}, 'moe/dense', round(v[names[0]] / v[names[1]], 2), round(v[names[2]] / v[names[3]], 2))


def cpu(d, *names):
    import numpy as np
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    sessions = {n: ort.InferenceSession(f'{d}/{n}/model.onnx', options, providers=['CPUExecutionProvider']) for n in names}
    logits = {n: s.run(['logits'], feed(s, 16, 0))[0] for n, s in sessions.items()}
    want = logits[names[0]]
    print('onnxruntime', ort.__version__, {n: f'{np.abs(x - want).max() / np.abs(want).max():.1e}' for n, x in logits.items()})
    for label, n, past, runs in [('prefill of 256', 256, 0, 7), ('decode at 256', 1, 256, 60)]:
        took, feeds = {k: [] for k in names}, {k: feed(s, n, past) for k, s in sessions.items()}
        rng = np.random.default_rng(1)
        for turn in range(runs):
            ids = rng.integers(0, 1024, (1, n)).astype(np.int64)  # other experts each time
            for k, s in sessions.items():
                feeds[k]['input_ids'] = ids
                t = time.process_time()
                s.run(['logits'], feeds[k])
                if turn > 1:
                    took[k].append(1e3 * (time.process_time() - t))
        for what in (min, statistics.median):
            print(label, what.__name__, {k: round(what(v), 2) for k, v in took.items()})


if __name__ == '__main__':
    {'sparse': sparse, 'pair': pair, 'time': clock, 'cpu': cpu}[sys.argv[1]](*sys.argv[2:])
