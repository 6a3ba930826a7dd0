#!/usr/bin/env python3
"""Forms of a family that make_families.py's model of it does not have.

    python testdata/tools/make_variants.py [NAME...]     testdata/families/NAME

The same sizes, random weights and answers; keys of the configuration stand in ROWS beside the type.
"""
import os, sys
import make_families as f

ROWS = {
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
}


def main(*names):
    for name in names or ROWS:
        t, keys = ROWS[name]
        row = f.X[t]
        f.X[t] = lambda p: dict(row(p), **keys)
        try:
            r = f.make(t, f.C, os.path.join(f.HERE, '..', 'families', name))
        finally:
            f.X[t] = row
        print(f"{name:22} {r['bytes'] // 1000:5} KB  f32err {r['f32err']:.1e}  reload {r['reload']:.1e}  seed {r['seed']}", flush=True)


if __name__ == '__main__':
    main(*sys.argv[1:])
