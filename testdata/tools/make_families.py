#!/usr/bin/env python3
"""Tiny random models of the causal-LM types of transformers, with its answers.

    python testdata/tools/make_families.py small [TYPE...]    testdata/families/TYPE (hidden 32, heads of 16 where the type has a key for it)
    python testdata/tools/make_families.py narrow [TYPE...]   the same with 2 heads and 1 of keys, for types whose heads have no key of their own
    python testdata/tools/make_families.py even [TYPE...]     with 2 heads and 2 of keys, where a norm goes over all heads of keys
    python testdata/tools/make_families.py wide [TYPE...]     with hidden 64 and 4 heads of 16, where the type wants 4 heads
    python testdata/tools/make_families.py small TYPE-FORM    testdata/families/TYPE-FORM: a form of the type that FORMS lists
    python testdata/tools/make_families.py models [TYPE...]   models/TYPE beside this file (hidden 64, 4 heads, 2 key/value heads of 16)
    python testdata/tools/make_families.py golden2 [TYPE...]  golden2/TYPE: other sizes and another seed

Each folder: config.json, model.safetensors, golden.safetensors with input_ids int64 (2, 40), logits float32 (2, 40, V) and
hidden.i float32 (2, 40, H): 0 the embedding's output, i the output of layer i, and the last one has passed the final norm;
only where transformers gives them. Eager attention, float32, no cache. f32err in the metadata is the largest distance of
those logits from the same model run in float64 (where the modelling code lets it), divided by the largest logit. A seed
whose float32 and float64 runs disagree (a router's near tie) gives way to the next one.

Made with transformers 5.24.0, torch 2.6.0, safetensors.
"""
import json, os, shutil, sys, traceback, warnings
warnings.filterwarnings('ignore')
os.environ.setdefault('TRANSFORMERS_VERBOSITY', 'error')
import torch, transformers
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING as MAP, MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as NAMES
torch.set_num_threads(2)
HERE = os.path.dirname(os.path.abspath(__file__))

# sizes
A = dict(H=64, A=4, K=2, D=16, I=96, M=32, V=128, N=2, L=32, W=8, TH=500.0, seed=0)
B = dict(H=48, A=6, K=3, D=8, I=80, M=24, V=96, N=3, L=24, W=7, TH=900.0, seed=1000)

C = dict(H=32, A=4, K=2, D=16, I=24, M=8, V=64, N=2, L=32, W=8, TH=500.0, seed=0)

S, F, LIN = 'sliding_attention', 'full_attention', 'linear_attention'


def mix(p, *kinds):
    """layer_types for p['N'] layers, the last of kinds on the last layer"""
    n = p['N']
    return [kinds[i % len(kinds)] for i in range(n - 1)] + [kinds[-1]]


def rp(p, **k):
    return dict(rope_type='default', rope_theta=p['TH'], **k)


def dual(p, partial=None):
    f = dict(rope_type='default', rope_theta=p['TH'] * 10)
    if partial:
        f = dict(rope_type='proportional', rope_theta=p['TH'] * 10, partial_rotary_factor=partial)
    return {S: dict(rope_type='default', rope_theta=p['TH'] / 5), F: f}


def yarn(p, **k):
    return dict(rope_type='yarn', rope_theta=p['TH'], factor=4.0, original_max_position_embeddings=p['L'] // 2, beta_fast=32.0, beta_slow=1.0, **k)


def llama3(p):
    return dict(rope_type='llama3', rope_theta=p['TH'], factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=p['L'] // 2)


def sparse(p):
    return ['dense'] + ['sparse'] * (p['N'] - 1)


def mla(p, **k):
    a = p['A']
    return dict(dict(num_key_value_heads=a, q_lora_rank=24, kv_lora_rank=16, qk_rope_head_dim=8, qk_nope_head_dim=12, v_head_dim=10, head_dim=8), **k)


def dsmoe(p, **k):
    return dict(dict(n_routed_experts=8, num_experts_per_tok=2, n_shared_experts=1, n_group=4, topk_group=2, norm_topk_prob=True, routed_scaling_factor=1.7, first_k_dense_replace=1,
                     moe_intermediate_size=p['M']), **k)


def gdn(p):  # gated delta net
    return dict(layer_types=mix(p, LIN, F), linear_conv_kernel_dim=4, linear_key_head_dim=8, linear_value_head_dim=8, linear_num_key_heads=2, linear_num_value_heads=4)


def mamba(p, heads='mamba_n_heads', dim='mamba_d_head'):
    d = p['H'] * 2
    return {heads: 4, dim: d // 4, 'mamba_d_state': 8, 'mamba_n_groups': 1, 'mamba_expand': 2, 'mamba_d_conv': 4, 'mamba_chunk_size': 8}


# what each family needs beyond the common sizes
X = {t: (lambda p: {}) for t in 'llama mistral bitnet exaone internlm3 iquestcoder jais2 diffllama'.split()}
X.update({
    'afmoe': lambda p: dict(num_hidden_layers=max(p['N'], 3), num_dense_layers=1, global_attn_every_n_layers=2, layer_types=[S, F] + [S] * (p['N'] > 2) + [F] * (p['N'] == 2), num_shared_experts=1, route_scale=1.3, mup_enabled=True),
    'apertus': lambda p: dict(rope_parameters=llama3(p)),
    'arcee': lambda p: {},
    'aria_text': lambda p: dict(intermediate_size=p['M'], moe_num_experts=4, moe_topk=2, moe_num_shared_experts=2),
    'axk1': lambda p: dict(mla(p), **dsmoe(p), mlp_layer_types=sparse(p)),
    'axk2': lambda p: dict(mla(p), **dsmoe(p, n_group=1, topk_group=1), mlp_layer_types=sparse(p), index_topk=64, index_head_dim=16, index_n_heads=2, gated_norm_rank=8, layer_types=['indexed_attention'] * p['N']),
    'bailing_hybrid': lambda p: dict(mla(p, q_lora_rank=None), num_experts=8, num_experts_per_token=2, num_shared_experts=1, num_expert_group=4, topk_group=2, first_k_dense_replace=1, mlp_layer_types=sparse(p), layer_types=mix(p, LIN, F), linear_head_dim=8, linear_num_heads=4, num_nextn_predict_layers=0, moe_intermediate_size=p['M'], model_max_length=p['L']),
    'bamba': lambda p: dict(mamba(p), attn_layer_indices=[1], rope_parameters=rp(p, partial_rotary_factor=0.5)),
    'beam': lambda p: dict(rope_parameters=dual(p), num_experts=4, n_group=2, topk_group=1, mlp_layer_types=sparse(p), layer_types=mix(p, S, F)),
    'bloom': lambda p: dict(n_layer=p['N'], n_head=p['A']),
    'codegen': lambda p: dict(n_positions=48, n_inner=p['I'] if p['I'] < 48 else None, n_ctx=48, n_embd=p['H'], n_layer=p['N'], n_head=4, rotary_dim=8 if p['H'] == 64 else 6),
    'cohere': lambda p: dict(logit_scale=0.25, use_qk_norm=False),
    'cohere2': lambda p: dict(logit_scale=0.25, layer_types=mix(p, S, F)),
    'cohere2_moe': lambda p: dict(logit_scale=0.25, num_hidden_layers=p['N'], layer_types=mix(p, S, F), mlp_layer_types=sparse(p), num_experts=4, num_experts_per_tok=2, num_shared_experts=1, prefix_dense_intermediate_size=p['I'], intermediate_size=p['M']),
    'cohere_compass_text': lambda p: dict(layer_types=mix(p, S, F), rope_parameters=dual(p)),
    'cwm': lambda p: dict(layer_types=mix(p, F, S), rope_parameters=llama3(p)),
    'dbrx': lambda p: dict(d_model=p['H'], n_heads=p['A'], n_layers=p['N'], max_seq_len=p['L'], num_key_value_heads=p['K'],
                           attn_config=dict(clip_qkv=4.0, kv_n_heads=p['K'], rope_theta=p['TH']), ffn_config=dict(hidden_size=p['H'], ffn_hidden_size=p['M'], moe_num_experts=4, moe_top_k=2, moe_normalize_expert_weights=1.0, ffn_act_fn={'name': 'silu'})),
    'deepseek_v2': lambda p: dict(mla(p), **dsmoe(p, norm_topk_prob=False, topk_method='greedy', n_group=1, topk_group=1, n_routed_experts=4)),
    'deepseek_v3': lambda p: dict(mla(p), **dsmoe(p), rope_parameters=yarn(p, mscale=1.0, mscale_all_dim=1.0)),
    'deepseek_v32': lambda p: dict(mla(p), **dsmoe(p), mlp_layer_types=sparse(p), index_topk=64, index_head_dim=16, index_n_heads=2, layer_types=['indexed_attention'] * p['N']),
    'deepseek_v4': lambda p: dict(num_key_value_heads=1, head_dim=16, q_lora_rank=24, o_groups=2, o_lora_rank=16, index_n_heads=2, index_head_dim=16, index_topk=8, n_routed_experts=4, num_experts_per_tok=2, n_shared_experts=1, hc_mult=2, sliding_window=8,
                                  layer_types=['compressed_sparse_attention', 'heavily_compressed_attention'], compress_rates={'compressed_sparse_attention': 4, 'heavily_compressed_attention': 8}, mlp_layer_types=['hash_moe', 'moe'], num_hidden_layers=2, moe_intermediate_size=32, num_nextn_predict_layers=0, partial_rotary_factor=0.5, rope_parameters=None),
    'doge': lambda p: dict(keep_window_size=64, is_moe=False),
    'dory': lambda p: dict(num_hidden_layers=6, n_input_layers=2, n_recurrent_layers=2, n_output_layers=2, layer_types=[S, 'mlp', F, 'mlp', S, 'mlp'], rope_parameters=dual(p)),
    'dots1': lambda p: dict(dsmoe(p), layer_types=[F] * p['N'], sliding_window=None, max_window_layers=p['N']),
    'dots3_note_text': lambda p: dict(mla(p), **dsmoe(p, n_group=1, topk_group=1), mlp_layer_types=sparse(p), index_topk=64, index_head_dim=16, index_n_heads=2, layer_types=mix(p, S, 'indexed_attention'), shared_experts_intermediate_size=p['M'], sliding_window=8, head_dim=20, per_layer_config={}, rope_parameters={'indexed_attention': rp(p), S: dict(rope_type='default', rope_theta=100.0)}),
    'ernie4_5': lambda p: dict(head_dim=24 if p['D'] == 8 else 16),
    'ernie4_5_moe': lambda p: dict(moe_num_experts=4, moe_k=2, moe_num_shared_experts=1, moe_layer_start_index=1, moe_layer_end_index=p['N'] - 1, moe_layer_interval=1),
    'exaone4': lambda p: dict(layer_types=mix(p, S, F), sliding_window_pattern=2),
    'exaone_moe': lambda p: dict(layer_types=mix(p, S, F), sliding_window_pattern=2, mlp_layer_types=sparse(p), first_k_dense_replace=1, num_experts=8, n_group=4, topk_group=2, num_shared_experts=1),
    'falcon': lambda p: dict(num_kv_heads=p['K'], new_decoder_architecture=True, ffn_hidden_size=p['I']),
    'falcon_h1': lambda p: dict(mamba(p), mamba_d_ssm=p['H'] * 2, lm_head_multiplier=0.5, embedding_multiplier=2.0, mlp_multipliers=[0.8, 0.6], key_multiplier=0.7, attention_out_multiplier=0.9, attention_in_multiplier=0.8, ssm_multipliers=[0.9, 0.8, 0.7, 0.6, 0.5], ssm_in_multiplier=1.1, ssm_out_multiplier=0.9),
    'flex_olmo': lambda p: dict(intermediate_size=p['M']),
    'flint': lambda p: dict(num_experts=4, mlp_only_layers=[0], layer_types=mix(p, F, S)),
    'gemma': lambda p: dict(num_key_value_heads=p['K']),
    'gemma2': lambda p: dict(query_pre_attn_scalar=20, layer_types=mix(p, S, F), final_logit_softcapping=12.0, attn_logit_softcapping=6.0),
    'gemma3_text': lambda p: dict(query_pre_attn_scalar=20, layer_types=mix(p, S, F), rope_parameters=dual(p)),
    'gemma3n_text': lambda p: dict(num_hidden_layers=4, layer_types=[S, F, S, F], intermediate_size=[p['I']] * 4, num_kv_shared_layers=2, vocab_size_per_layer_input=p['V'], hidden_size_per_layer_input=8, laurel_rank=8, activation_sparsity_pattern=[0.5, 0.0, 0.0, 0.0], rope_parameters=dual(p), altup_num_inputs=2, head_dim=p['H'] // p['A']),
    'gemma4_text': lambda p: dict(intermediate_size=p['I'], num_hidden_layers=4, layer_types=[S, F, S, F], num_kv_shared_layers=2, vocab_size_per_layer_input=p['V'], hidden_size_per_layer_input=8, rope_parameters=dual(p, 0.25), global_head_dim=24 if p['D'] == 16 else 16, final_logit_softcapping=12.0, use_double_wide_mlp=True),
    'gemma4_unified_text': lambda p: dict(num_hidden_layers=2, layer_types=[S, F], rope_parameters=dual(p, 0.25), global_head_dim=24, final_logit_softcapping=12.0, num_global_key_value_heads=1, attention_k_eq_v=True),
    'glm': lambda p: dict(rope_parameters=rp(p, partial_rotary_factor=0.5)),
    'glm4': lambda p: dict(rope_parameters=rp(p, partial_rotary_factor=0.5)),
    'glm4_moe': lambda p: dict(dsmoe(p), use_qk_norm=True, attention_bias=True, rope_parameters=rp(p, partial_rotary_factor=0.5)),
    'glm4_moe_lite': lambda p: dict(mla(p), **dsmoe(p), mlp_layer_types=sparse(p)),
    'glm_moe_dsa': lambda p: dict(mla(p), **dsmoe(p), mlp_layer_types=sparse(p), index_topk=64, index_head_dim=16, index_n_heads=2, layer_types=['indexed_attention'] * p['N'], indexer_types=['full'] * p['N']),
    'gpt_neox': lambda p: dict(rope_parameters=rp(p, partial_rotary_factor=0.25)),
    'gpt_neox_japanese': lambda p: dict(intermediate_multiple_size=2),
    'gpt_oss': lambda p: dict(swiglu_limit=1.5, num_local_experts=4, num_experts_per_tok=2, intermediate_size=p['M'], layer_types=mix(p, S, F), rope_parameters=yarn(p, truncate=False)),
    'gptj': lambda p: dict(n_positions=48, n_inner=p['I'] if p['I'] < 48 else None, n_embd=p['H'], n_layer=p['N'], n_head=p['A'], rotary_dim=8 if p['H'] == p['A'] * 16 else 4),
    'granite': lambda p: dict(embedding_multiplier=3.0, logits_scaling=2.0, residual_multiplier=0.6, attention_multiplier=0.2),
    'granite_swa': lambda p: dict(embedding_multiplier=3.0, logits_scaling=2.0, residual_multiplier=0.6, attention_multiplier=0.2, layer_types=mix(p, F, S), layer_rope_theta=[p['TH'] * (1 + 3 * (i % 2)) for i in range(p['N'])]),
    'granitemoe': lambda p: dict(embedding_multiplier=3.0, logits_scaling=2.0, residual_multiplier=0.6, attention_multiplier=0.2, intermediate_size=p['M']),
    'granitemoe_swa': lambda p: dict(embedding_multiplier=3.0, logits_scaling=2.0, residual_multiplier=0.6, attention_multiplier=0.2, intermediate_size=p['M'], shared_intermediate_size=32, layer_types=mix(p, F, S), layer_rope_theta=[p['TH'] * (1 + 3 * (i % 2)) for i in range(p['N'])]),
    'granitemoehybrid': lambda p: dict(mamba(p), embedding_multiplier=3.0, logits_scaling=2.0, residual_multiplier=0.6, attention_multiplier=0.2, intermediate_size=p['M'], shared_intermediate_size=32, layer_types=mix(p, LIN, F), position_embedding_type='rope'),
    'granitemoeshared': lambda p: dict(embedding_multiplier=3.0, logits_scaling=2.0, residual_multiplier=0.6, attention_multiplier=0.2, intermediate_size=p['M'], shared_intermediate_size=32),
    'helium': lambda p: dict(head_dim=p['H'] // p['A']),
    'hrm_text': lambda p: dict(num_layers_per_stack=2, H_cycles=2, L_cycles=2, num_hidden_layers=12, prefix_lm=False),
    'hunyuan_v1_dense': lambda p: dict(head_dim=p['D'], rope_parameters=dict(rope_type='dynamic', rope_theta=p['TH'], alpha=4.0, factor=1.0)),
    'hunyuan_v1_moe': lambda p: dict(head_dim=p['D'], num_experts=4, moe_topk=2, intermediate_size=p['M'], rope_parameters=dict(rope_type='dynamic', rope_theta=p['TH'], alpha=4.0, factor=1.0)),
    'hy_v3': lambda p: dict(num_experts=4, num_experts_per_tok=2, mlp_layer_types=sparse(p)),
    'hy_v4': lambda p: dict(mla(p), **dsmoe(p, n_group=1, topk_group=1), mlp_layer_types=sparse(p), index_topk=64, index_head_dim=16, index_n_heads=2, layer_types=['indexed_attention'] * p['N'], indexer_types=['full'] * p['N'], hc_mult=2),
    'hyperclovax': lambda p: dict(embedding_multiplier=3.0, logits_scaling=2.0, residual_multiplier=0.6, attention_multiplier=0.2, use_post_norm=True),
    'inkling_text': lambda p: dict(swa_num_attention_heads=4, swa_num_key_value_heads=2, swa_head_dim=16, sliding_window_size=8, d_rel=8, rel_extent=64, layer_types=['hybrid_sliding', 'hybrid'], num_hidden_layers=2, mlp_layer_types=['dense', 'sparse'], n_routed_experts=4, num_experts_per_tok=2, n_shared_experts=1, moe_intermediate_size=32),
    'inkling2_text': lambda p: dict(swa_num_attention_heads=4, swa_num_key_value_heads=2, swa_head_dim=16, sliding_window_size=8, d_rel=8, rel_extent=64, layer_types=['hybrid_sliding', 'hybrid'], num_hidden_layers=2, n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=32, n_layers_per_attn_res_block=1, unpadded_vocab_size=p['V']),
    'jamba': lambda p: dict(num_hidden_layers=4, attn_layer_period=2, attn_layer_offset=1, expert_layer_period=2, expert_layer_offset=1, num_experts=4, num_experts_per_tok=2, mamba_d_state=8, mamba_d_conv=4, mamba_expand=2, mamba_dt_rank=8, use_mamba_kernels=False),
    'jetmoe': lambda p: dict(num_key_value_heads=2, kv_channels=16, num_attention_heads=4, num_local_experts=4, num_experts_per_tok=2),
    'kimi_linear': lambda p: dict(mla(p, q_lora_rank=None), num_experts=8, num_experts_per_token=2, num_shared_experts=1, num_expert_group=1, topk_group=1, mlp_layer_types=sparse(p), layer_types=mix(p, LIN, F), linear_head_dim=8, linear_num_heads=4, moe_intermediate_size=p['M'], model_max_length=p['L']),
    'kolibri1': lambda p: dict(num_local_experts=4, layer_types=mix(p, S, F)),
    'laguna': lambda p: dict(num_experts=4, layer_types=mix(p, S, F), mlp_layer_types=sparse(p), num_attention_heads_per_layer=[p['A']] * p['N'], rope_parameters={F: dict(rope_type='default', rope_theta=p['TH'] * 10, partial_rotary_factor=0.5), S: dict(rope_type='default', rope_theta=100.0, partial_rotary_factor=1.0)}),
    'lara_mini': lambda p: dict(gdn(p), num_experts=4, layer_types=[LIN, S, LIN, F], num_hidden_layers=4),
    'lfm2': lambda p: dict(layer_types=mix(p, 'conv', F), block_auto_adjust_ff_dim=False, full_attn_idxs=[p['N'] - 1] if p['N'] == 2 else [2], conv_L_cache=3),
    'lfm2_moe': lambda p: dict(layer_types=mix(p, 'conv', F), num_dense_layers=1, num_experts=4, use_expert_bias=True),
    'lfm3': lambda p: dict(layer_types=['conv', F, S], num_hidden_layers=3, rope_parameters=dual(p)),
    'llama4_text': lambda p: dict(num_hidden_layers=4, intermediate_size=p['I'] // 2, intermediate_size_mlp=56, num_local_experts=4, num_experts_per_tok=1, interleave_moe_layer_step=2, moe_layers=[1, 3], no_rope_layers=[1, 0, 1, 1], no_rope_layer_interval=2, attention_chunk_size=16, layer_types=['chunked_attention', F, 'chunked_attention', 'chunked_attention'], floor_scale=8, attn_scale=0.1),
    'longcat_flash': lambda p: dict(mla(p), num_layers=2, ffn_hidden_size=p['I'], n_routed_experts=4, zero_expert_num=2, moe_topk=2, expert_ffn_hidden_size=p['M'], routed_scaling_factor=1.5),
    'mellum': lambda p: dict(num_local_experts=4, layer_types=mix(p, S, F), mlp_layer_types=['sparse'] * p['N'], rope_parameters=dual(p)),
    'mimo_v2_flash': lambda p: dict(n_routed_experts=8, n_group=4, topk_group=2, head_dim=16, v_head_dim=12, layer_types=mix(p, F, S), mlp_layer_types=sparse(p), rope_parameters={F: dict(rope_type='default', rope_theta=p['TH'] * 10, partial_rotary_factor=0.5), S: dict(rope_type='default', rope_theta=100.0, partial_rotary_factor=0.5)}),
    'minicpm3': lambda p: dict(mla(p), scale_emb=3, scale_depth=1.4, dim_model_base=32),
    'minimax': lambda p: dict(layer_types=mix(p, LIN, F), num_local_experts=4, intermediate_size=p['M'], block_size=16, full_attn_alpha_factor=1.2, full_attn_beta_factor=0.9, linear_attn_alpha_factor=1.1, linear_attn_beta_factor=0.8, mlp_alpha_factor=0.9, mlp_beta_factor=1.1, rope_parameters=rp(p, partial_rotary_factor=0.5), head_dim=p['D']),
    'minimax_m2': lambda p: dict(num_local_experts=4, intermediate_size=p['M'], rope_parameters=rp(p, partial_rotary_factor=0.5), rotary_dim=p['D'] // 2),
    'minimax_m3_vl_text': lambda p: dict(num_local_experts=4, intermediate_size=p['M'], dense_intermediate_size=p['I'], shared_intermediate_size=p['M'], rotary_dim=8, mlp_layer_types=sparse(p), index_n_heads=2, index_head_dim=8, index_block_size=8, index_topk_blocks=2, layer_types=[F] * p['N'], rope_parameters=rp(p, partial_rotary_factor=0.5)),
    'ministral': lambda p: dict(layer_types=mix(p, S, F), head_dim=p['D']),
    'ministral3': lambda p: dict(sliding_window=None, rope_parameters=yarn(p, mscale=1.0, mscale_all_dim=1.0, llama_4_scaling_beta=0.1)),
    'mixtral': lambda p: dict(intermediate_size=p['M'], head_dim=24 if p['D'] == 8 else None, sliding_window=None),
    'modernbert-decoder': lambda p: dict(sliding_window=8, sep_token_id=1, cls_token_id=0, layer_types=mix(p, S, F), local_attention=16, rope_parameters=dual(p)),
    'mpt': lambda p: dict(d_model=p['H'], n_heads=p['A'], n_layers=p['N'], max_seq_len=48, attn_config=dict(alibi=True)),
    'nanochat': lambda p: {},
    'nemotron': lambda p: dict(rope_parameters=rp(p, partial_rotary_factor=0.5)),
    'nemotron_h': lambda p: dict(layers_block_type=[LIN, 'moe', F, 'mlp'], mamba_num_heads=4, mamba_head_dim=16, ssm_state_size=8, n_groups=2, chunk_size=8, n_routed_experts=4, moe_shared_expert_intermediate_size=p['M'], moe_intermediate_size=p['M'], n_group=1, topk_group=1, use_mamba_kernels=False),
    'olmo': lambda p: dict(clip_qkv=1.5),
    'olmo2': lambda p: {},
    'olmo3': lambda p: dict(layer_types=mix(p, S, F), rope_parameters={S: rp(p), F: yarn(p)}),
    'olmo_hybrid': lambda p: dict(layer_types=mix(p, LIN, F), linear_num_key_heads=4, linear_num_value_heads=4, linear_key_head_dim=8, linear_value_head_dim=16),
    'olmoe': lambda p: dict(intermediate_size=p['M'], clip_qkv=None),
    'persimmon': lambda p: dict(rope_parameters=rp(p, partial_rotary_factor=0.5)),
    'phi': lambda p: dict(rope_parameters=rp(p, partial_rotary_factor=0.5), num_key_value_heads=p['A']),
    'phi3': lambda p: dict(original_max_position_embeddings=p['L']),
    'phimoe': lambda p: dict(intermediate_size=p['M'], num_local_experts=4, attention_bias=True, lm_head_bias=True, sliding_window=None, router_jitter_noise=0.25),
    'qwen2': lambda p: dict(sliding_window=None),
    'qwen2_moe': lambda p: dict(num_experts=4, shared_expert_intermediate_size=40, sliding_window=None, layer_types=[F] * p['N']),
    'qwen3': lambda p: dict(sliding_window=None),
    'qwen3_5_text': lambda p: dict(gdn(p), rope_parameters=rp(p, partial_rotary_factor=0.5, mrope_section=[2, 1, 1], mrope_interleaved=True)),
    'qwen3_5_moe_text': lambda p: dict(gdn(p), num_experts=4, shared_expert_intermediate_size=40, rope_parameters=rp(p, partial_rotary_factor=0.5, mrope_section=[2, 1, 1], mrope_interleaved=True)),
    'qwen3_moe': lambda p: dict(num_local_experts=4, norm_topk_prob=True, sliding_window=None, head_dim=24 if p['D'] == 8 else 16),
    'qwen3_next': lambda p: dict(gdn(p), num_experts=4, shared_expert_intermediate_size=40, rope_parameters=rp(p, partial_rotary_factor=0.5)),
    'recurrent_gemma': lambda p: dict(num_hidden_layers=3, lru_width=p['H'], attention_window_size=8, block_types=['recurrent', 'recurrent', 'attention'], rope_parameters=rp(p, partial_rotary_factor=0.5), head_dim=p['H'] // p['A']),
    'roformer': lambda p: dict(is_decoder=True, embedding_size=p['H'], hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, max_position_embeddings=64),
    'sarvam_mla': lambda p: dict(mla(p, q_lora_rank=None), **dsmoe(p)),
    'sarvam_moe': lambda p: dict(dsmoe(p), use_qk_norm=True),
    'seed_oss': lambda p: dict(attention_bias=True, attention_out_bias=False, residual_dropout=0.0, attention_dropout=0.0, head_dim=24 if p['D'] == 8 else 16),
    'smollm3': lambda p: dict(no_rope_layers=[1, 0] + [1] * (p['N'] - 2), layer_types=[F] * p['N'], sliding_window=None),
    'solar_open': lambda p: dict(dsmoe(p)),
    'stablelm': lambda p: dict(rope_parameters=rp(p, partial_rotary_factor=0.25)),
    'starcoder2': lambda p: {},
    'vaultgemma': lambda p: dict(query_pre_attn_scalar=20, layer_types=mix(p, S, F), final_logit_softcapping=12.0, attn_logit_softcapping=6.0),
    'youtu': lambda p: dict(mla(p)),
    'zamba': lambda p: dict(attention_hidden_size=p['H'] * 2, attention_head_dim=32, num_key_value_heads=4, n_mamba_heads=2, mamba_d_state=8, mamba_dt_rank=8, num_hidden_layers=6, attn_layer_period=3, attn_layer_offset=1, use_mamba_kernels=False, layers_block_type=None),
    'zamba2': lambda p: dict(mamba_d_state=8, mamba_ngroups=1, n_mamba_heads=4, chunk_size=8, num_key_value_heads=4, num_hidden_layers=4, layers_block_type=[LIN, 'hybrid', LIN, 'hybrid'], use_mem_rope=True, adapter_rank=8, use_mamba_kernels=False, mamba_expand=2, mamba_d_conv=4),
    'zaya': lambda p: dict(num_experts=4, num_experts_per_tok=1, router_hidden_size=16, layer_types=['hybrid'] * p['N'], rope_parameters={'hybrid': rp(p, partial_rotary_factor=0.5)}),
    'apertus1p5_text': lambda p: dict(rope_parameters=llama3(p)),
    'inkling2_loop_text': lambda p: dict(swa_num_attention_heads=4, swa_num_key_value_heads=2, swa_head_dim=16, sliding_window_size=8, d_rel=8, rel_extent=64, layer_types=['hybrid_sliding', 'hybrid', 'hybrid_sliding', 'hybrid'], num_hidden_layers=4, n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=32, n_layers_per_attn_res_block=1, unpadded_vocab_size=p['V'], loop_layer_index_start=1, loop_layer_index_end=3, loop_num_passes=2, loop_gate_rank=8),
    'qwen4_exp_text': lambda p: dict(gdn(p), num_experts=4, shared_expert_intermediate_size=40, hc_count=2, hc_lowrank=8, layer_types=[LIN, 'indexed_attention'], indexer_n_heads=2, indexer_kv_heads=1, indexer_head_dim=16, indexer_budget=16, indexer_compress_ratio=4),
})

# forms of a type that other keys bring, by the names of their folders
FORMS = {
    # experts of the groups whose best one is best; queries without a latent
    'deepseek_v2-groups': ('deepseek_v2', dict(topk_method='group_limited_greedy', n_group=4, topk_group=2, n_routed_experts=8, q_lora_rank=None)),
    # a layer that sees the keys which the layer before it chose
    'glm_moe_dsa-shared': ('glm_moe_dsa', dict(indexer_types=['full', 'shared'])),
    # a factor of the logits
    'minicpm3-factors': ('minicpm3', dict(dim_model_base=20, scale_emb=5)),
    # nothing turns, and no mixture; vectors B and C by groups, a bias of the projections and none of the convolution
    'granitemoehybrid-nope': ('granitemoehybrid', dict(num_local_experts=0, position_embedding_type='nope', mamba_n_groups=2, mamba_conv_bias=False, mamba_proj_bias=True)),
    # a norm by groups before the gate of a Mamba 2 layer
    'falcon_h1-norm': ('falcon_h1', dict(mamba_rms_norm=True, mamba_norm_before_gate=True, mamba_n_groups=2)),
    # decays without a bound; queries of a latent
    'bailing_hybrid-free': ('bailing_hybrid', dict(kda_safe_gate=False, q_lora_rank=16)),
    # a mixture beside every MLP, as the 26B-A4B has
    'gemma4_text-moe': ('gemma4_text', dict(enable_moe_block=True, num_experts=4, top_k_experts=2, moe_intermediate_size=16, hidden_size_per_layer_input=0, num_kv_shared_layers=0,
                                            use_double_wide_mlp=False, attention_k_eq_v=True, num_global_key_value_heads=1, num_hidden_layers=2, layer_types=[S, F], global_head_dim=32)),
    # heads by layer, a gate for each coordinate, a factor of the experts
    'laguna-heads': ('laguna', dict(num_attention_heads_per_layer=[4, 2], gating='per-element', moe_routed_scaling_factor=1.7, attention_bias=True)),
    # neither norms after the branches nor gates; biases; what turns where nothing is declared
    'lfm3-bare': ('lfm3', dict(use_sandwich_norm=False, use_attention_gate=False, attention_bias=True, conv_bias=True, rope_parameters=None)),
    # no window, as published ones
    'minimax-whole': ('minimax', dict(sliding_window=None, rope_parameters=dict(rope_type='default', rope_theta=500.0))),
    # layers of full attention do not turn, and their queries grow with their position
    'beam-nope': ('beam', dict(rope_parameters={S: dict(rope_type='default', rope_theta=100.0), F: None}, norm_topk_prob=False, final_logit_softcapping=None)),
    'cohere-qknorm': ('cohere', dict(use_qk_norm=True)),
    'phi-qknorm': ('phi', dict(qk_layernorm=True)),
    'stablelm-qknorm': ('stablelm', dict(qk_layernorm=True)),
}

DROP = {'minicpm3': ['head_dim'], 'bloom': ['n_layer'], 'jetmoe': [], 'codegen': [], 'zamba': ['head_dim'], 'zamba2': ['head_dim'], 'hrm_text': ['num_key_value_heads']}


def build_config(t, p):
    t, form = FORMS.get(t, (t, {}))
    cls = CONFIG_MAPPING[t]
    try:
        default = cls().to_dict()
    except Exception:
        default = {}
    e, k = 4, 2
    std = dict(vocab_size=p['V'], hidden_size=p['H'], intermediate_size=p['I'], num_hidden_layers=p['N'], num_attention_heads=p['A'],
               num_key_value_heads=p['K'], head_dim=p['D'], max_position_embeddings=p['L'], sliding_window=p['W'],
               num_experts=e, num_local_experts=e, n_routed_experts=e, moe_num_experts=e, num_experts_per_tok=k, moe_topk=k, moe_k=k,
               moe_intermediate_size=p['M'], shared_expert_intermediate_size=p['M'], n_shared_experts=1, n_group=1, topk_group=1, ffn_dim=p['I'])
    over = {a: b for a, b in std.items() if a in default}
    if 'rope_parameters' in default:
        over['rope_parameters'] = rp(p)
    over.update(X[t](p) if t in X else {})
    for key in DROP.get(t, []):
        if key != 'n_layer':
            over.pop(key, None)
    over.update(form)
    over.update(bos_token_id=0, eos_token_id=1, pad_token_id=0 if t == 'modernbert-decoder' else None)
    c = cls(**over)
    c.dtype = 'float32'
    return c


@torch.no_grad()
def fill(model, seed):
    g = torch.Generator().manual_seed(seed)

    def n(x, mean, std):
        x.copy_((torch.randn(x.shape, generator=g) * std + mean).to(x.dtype))
    for name, x in model.named_parameters():
        if 'embed_positions' in name:  # sinusoids, which roformer stores
            continue
        leaf = name.rsplit('.', 1)[-1]
        if leaf in ('A_log', 'dt_bias', 'D', 'a_param', 'lambda_q1', 'lambda_q2', 'lambda_k1', 'lambda_k2', 'alpha_p', 'alpha_n', 'beta', 'eps') or 'recurrent_param' in leaf:
            if not torch.isfinite(x).all() or leaf in ('dt_bias', 'lambda_q1', 'lambda_q2', 'lambda_k1', 'lambda_k2', 'alpha_p', 'alpha_n') or 'recurrent_param' in leaf:
                n(x, 0.5, 0.2)
            elif leaf == 'A_log':
                x.copy_((torch.rand(x.shape, generator=g) * 2).to(x.dtype))
            else:
                n(x, 1.0 if leaf == 'D' else 0.5, 0.2)
        elif leaf in ('sinks', 'sink', 'attention_sink_bias', 'attn_sink'):
            n(x, 0.5, 1.0)
        elif x.ndim <= 1:
            one = bool((x == 1).all())
            n(x, 1.0 if one else 0.0, 0.2)
        else:
            n(x, 0.0, 0.15)
    keys = set(model.state_dict())
    for name, x in model.named_buffers():
        if name in keys and x.is_floating_point() and 'inv_freq' not in name and 'std' not in name:
            if bool((x == 0).all()):
                n(x, 0.0, 0.2)
            elif bool((x == 1).all()):
                n(x, 1.0, 0.2)
        elif name in keys and x.dtype in (torch.int64, torch.int32) and 'tid2eid' in name:
            x.copy_(torch.randint(0, 4, x.shape, generator=g).to(x.dtype))


def attention(t):
    return 'eager'


def make(t, p, out, golden=True):
    c = build_config(t, p)
    err = None
    for attempt in range(6):
        seed = p['seed'] + attempt
        torch.manual_seed(seed)
        kw = {}
        try:
            model = AutoModelForCausalLM.from_config(c, attn_implementation=attention(t), experts_implementation='eager').float().eval()
        except TypeError:
            model = AutoModelForCausalLM.from_config(c, attn_implementation=attention(t)).float().eval()
        fill(model, seed)
        model.float()
        vocab = c.get_text_config().vocab_size
        ids = torch.randint(2, vocab, (2, 40), generator=torch.Generator().manual_seed(seed + 7))
        with torch.no_grad():
            try:
                answer = model(ids, output_hidden_states=True, use_cache=False)
            except (TypeError, AttributeError):
                answer = model(ids, use_cache=False)
        logits = answer.logits.float().contiguous()
        assert torch.isfinite(logits).all(), 'logits are not finite'
        shutil.rmtree(out, ignore_errors=True)
        model.save_pretrained(out)
        # the answers are those of what was saved, as a stock user would load it
        again = AutoModelForCausalLM.from_pretrained(out, attn_implementation=attention(t), dtype=torch.float32).eval()
        with torch.no_grad():
            reload_err = float((again(ids, use_cache=False).logits - logits).abs().max() / logits.abs().max())
        try:
            with torch.no_grad():
                wide = model.double()(ids, use_cache=False).logits
            err = float((wide - logits).abs().max() / logits.abs().max())
        except Exception as e:
            err = None
        if err is None or err < 2e-5:
            break
    hs = getattr(answer, 'hidden_states', None) or ()
    g = {'input_ids': ids, 'logits': logits}
    for i, h in enumerate(hs):
        if h is not None and h.shape == (2, 40, c.get_text_config().hidden_size):
            g[f'hidden.{i}'] = h.float().contiguous().clone()
    save_file(g, f'{out}/golden.safetensors', metadata={
        'source': f'transformers {transformers.__version__} {type(model).__name__}, eager attention, float32', 'seed': str(seed), 'f32err': str(err), 'reload': str(reload_err)})
    for extra in ('generation_config.json',):
        if os.path.exists(f'{out}/{extra}'):
            os.remove(f'{out}/{extra}')
    size = {f: os.path.getsize(f'{out}/{f}') for f in os.listdir(out)}
    return dict(type=t, seed=seed, f32err=err, reload=reload_err, hidden=len(g) - 2, bytes=sum(size.values()), files=sorted(size), tensors=sorted(model.state_dict())[:0],
                scale=float(logits.abs().max()))


GOLDEN = '''gemma gemma2 gemma3_text gemma3n_text gemma4_text qwen2_moe qwen3_moe qwen3_5_text mixtral gpt_oss deepseek_v2 deepseek_v3 glm4 glm4_moe granite granitemoe cohere cohere2 olmo
olmo2 olmo3 olmoe phi phimoe gptj codegen llama4_text ernie4_5 ernie4_5_moe exaone4 nemotron persimmon hunyuan_v1_dense seed_oss minimax_m2 ministral ministral3 lfm2 apertus minimax'''.split()
GOLDEN2 = '''gemma2 gemma3_text qwen3_moe mixtral gpt_oss deepseek_v3 glm4 glm4_moe granite cohere2 olmo2 olmo3 phi ernie4_5 seed_oss exaone4 nemotron gptj hunyuan_v1_dense llama4_text'''.split()


def main(what, *types):
    p, every, folder = dict(models=(A, list(X), 'models'), small=(C, list(X), '../families'), narrow=(dict(C, A=2, K=1), list(X), '../families'), even=(dict(C, A=2, K=2), list(X), '../families'), wide=(dict(C, H=64), list(X), '../families'), golden=(A, GOLDEN, 'golden'), golden2=(B, GOLDEN2, 'golden2'))[what]
    log = {}
    path = f'{HERE}/{folder}.json' if folder != '../families' else os.devnull
    if os.path.isfile(path):
        log = json.load(open(path))
    for t in types or every:
        try:
            log[t] = make(t, p, f'{os.environ.get("OUT", f"{HERE}/{folder}")}/{t}')
            r = log[t]
            e = r['f32err']
            print(f"{t:22} ok {r['bytes']//1000:5} KB  f32err {e if e is None else format(e,'.1e')}  reload {r['reload']:.1e}  hidden {r['hidden']} seed {r['seed']} scale {r['scale']:.1f}", flush=True)
        except Exception as e:
            tb = traceback.extract_tb(e.__traceback__)[-1]
            log[t] = dict(type=t, error=f'{type(e).__name__}: {str(e)[:400]}', at=f'{os.path.basename(tb.filename)}:{tb.lineno}')
            print(f"{t:22} FAIL {log[t]['error'][:300]!r} at {log[t]['at']}", flush=True)
    json.dump(log, open(path, 'w'), indent=1)


if __name__ == '__main__':
    main(*sys.argv[1:])
