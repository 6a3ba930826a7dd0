#!/usr/bin/env python3
"""Write testdata's small models as GGUF with llama.cpp's own converter.

    python3 make_gguf.py LLAMA_CPP GOLDEN_DIR OUTDIR [NAME...]

LLAMA_CPP is a tree of llama.cpp (November 2026) with its requirements installed. The models have no tokenizer, so that
none is written; all else is what convert_hf_to_gguf.py writes. Large ones are F16, the others F32.
"""
import os
import sys
from pathlib import Path

TREE, GOLDEN, OUT, *ONLY = sys.argv[1:]
sys.path[:0] = [TREE, os.path.join(TREE, 'gguf-py')]

import gguf  # noqa: E402
import conversion  # noqa: E402
from conversion.base import ModelBase  # noqa: E402

NAMES = ['llama-tied-bf16', 'llama3-scaled', 'qwen2', 'qwen3', 'phi3', 'smollm3', 'olmo2', 'stablelm', 'stablelm-parallel', 'starcoder2',
         'gpt-neox-serial', 'bloom', 'mpt', 'falcon-grouped', 'falcon-multiquery']

for name in ONLY or NAMES:
    folder = Path(GOLDEN) / name
    hparams = ModelBase.load_hparams(folder, False)
    architecture = hparams['architectures'][0].replace('Mpt', 'MPT')
    cls = conversion.get_model_class(architecture)
    size = sum(f.stat().st_size for f in folder.glob('*.safetensors') if f.name.startswith('model'))
    kind = gguf.LlamaFileType.MOSTLY_F16 if size > 100_000 else gguf.LlamaFileType.ALL_F32
    cls.set_vocab = lambda self: self.gguf_writer.add_tokenizer_model('none')
    m = cls(folder, kind, Path(OUT) / f'{name}.gguf')
    if architecture == 'GPTNeoXForCausalLM':  # the converter knows the key of transformers 4 alone
        m.hparams['rotary_pct'] = m.hparams['rope_parameters']['partial_rotary_factor']
    if hparams.get('multi_query') and not hparams['new_decoder_architecture']:
        m.hparams['num_kv_heads'] = 1  # transformers 5 writes the number of heads
    if architecture == 'FalconForCausalLM':  # it takes an MLP of 4 times the width for granted
        add = m.gguf_writer.add_feed_forward_length
        m.gguf_writer.add_feed_forward_length = lambda _, n=hparams['ffn_hidden_size'], add=add: add(n)
    m.write()
