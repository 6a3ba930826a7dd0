"""Attention of stock classes with the rotation and bias of a `pecvt` block.

A class of transformers turns q and k with what its rotary_emb gives and calls the attention function that its
configuration names. Here rotary_emb gives cos 1 and sin 0 and remembers the positions, so that q and k arrive after
the class's own norms and before any rotation; the function that is named turns them and adds the bias. Whatever
else a class does (projections, norms, windows in the mask) stays its own. No cache: this is for training.
"""

import torch
from torch import nn
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, eager_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

NAME = "pecvt"


class Unturned(nn.Module):
    """In rotary_emb's place."""

    def __init__(self, dim):
        super().__init__()
        self.dim, self.positions = dim, None

    def forward(self, x, position_ids):
        self.positions = position_ids
        one = x.new_ones(*position_ids.shape, self.dim)
        return one, torch.zeros_like(one)


class Encoding(nn.Module):
    """What a layer's attention has beside its projections: the rotation, the bias or None, what scales queries by
    position (beta, length) or None, and the last input."""

    def __init__(self, rotation, bias, query_scale=None):
        super().__init__()
        self.rotation, self.bias, self.query_scale = rotation, bias, query_scale
        self.unturned, self.input = None, None


def attention(module, query, key, value, mask, scaling, dropout=0.0, **_):
    own = module.pecvt
    if key.shape[2] != query.shape[2]:
        raise ValueError(f"{key.shape[2]} keys for {query.shape[2]} queries: a cache is not carried here, call with use_cache=False")
    positions = own.unturned[0].positions
    q, k = own.rotation(positions, query, key)
    if own.query_scale is not None:
        beta, length = own.query_scale
        q = q * (1 + beta * torch.log1p((positions // length).to(q.dtype)))[:, None, :, None]
    repeat = query.shape[1] // key.shape[1]
    scores = q @ k.repeat_interleave(repeat, 1).transpose(-1, -2) * scaling
    if own.bias is not None:
        scores = scores + own.bias(positions, own.input, query, key)
    if mask is not None:
        scores = scores + mask
    weights = nn.functional.dropout(scores.softmax(-1), dropout, module.training)
    return (weights @ value.repeat_interleave(repeat, 1)).transpose(1, 2).contiguous(), weights


ALL_ATTENTION_FUNCTIONS.register(NAME, attention)
ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, eager_mask)


def attach(module, encoding, unturned):
    """Gives an attention module of a class its encoding."""
    encoding.unturned = [unturned]  # in a list: not a submodule of every layer
    module.pecvt = encoding

    def remember(m, args, kwargs):
        m.pecvt.input = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]

    module.register_forward_pre_hook(remember, with_kwargs=True)
