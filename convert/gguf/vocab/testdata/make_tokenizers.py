#!/usr/bin/env python3
"""Write small tokenizers, and the metadata that llama.cpp's converter makes of them.

    python3 make_tokenizers.py LLAMA_CPP OUTDIR

LLAMA_CPP is a tree of llama.cpp (November 2026, that of llama-cpp-python 0.3.36) with its requirements installed
(transformers 5.24, tokenizers 0.23, sentencepiece 0.2.3). Which pre-tokenizer a vocabulary of 300 tokens has, the
converter cannot tell by its hash, so that its name is given; the rest is its own.
"""
import json
import os
import sys
from pathlib import Path

TREE, OUT = sys.argv[1], Path(sys.argv[2])
sys.path[:0] = [TREE, os.path.join(TREE, 'gguf-py')]

import gguf  # noqa: E402
import sentencepiece  # noqa: E402
import torch  # noqa: E402
from conversion.llama import LlamaModel  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers  # noqa: E402

TEXT = (Path(TREE) / 'README.md').read_text()[:20000].splitlines()
SPECIAL = ['<|endoftext|>', '<|im_start|>', '<|im_end|>']


def model(folder, vocab, **more):
    config = dict(architectures=['LlamaForCausalLM'], model_type='llama', hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=4,
                  num_key_value_heads=4, vocab_size=vocab, max_position_embeddings=32, rms_norm_eps=1e-5, rope_theta=10000.0, tie_word_embeddings=True, **more)
    (folder / 'config.json').write_text(json.dumps(config))
    shapes = {f'self_attn.{x}_proj': (32, 32) for x in 'qkvo'} | {f'mlp.{x}_proj': (32, 32) for x in ('gate', 'up', 'down')} | {'input_layernorm': (32,), 'post_attention_layernorm': (32,)}
    t = {f'model.layers.0.{n}.weight': torch.zeros(s) for n, s in shapes.items()}
    save_file(t | {'model.embed_tokens.weight': torch.zeros(vocab, 32), 'model.norm.weight': torch.zeros(32)}, folder / 'model.safetensors')


def convert(folder, pre):
    LlamaModel.get_vocab_base_pre = lambda self, tokenizer: pre
    path = folder / 'out.gguf'
    LlamaModel(folder, gguf.LlamaFileType.ALL_F32, path).write()
    r = gguf.GGUFReader(path)
    out = {k: [[t.name for t in f.types], f.contents()] for k, f in r.fields.items() if k.startswith('tokenizer.')}
    (folder / 'expected.json').write_text(json.dumps(out, ensure_ascii=False, indent=0))
    for name in ('out.gguf', 'model.safetensors'):
        (folder / name).unlink()


def bytelevel():
    folder = OUT / 'bytelevel'
    folder.mkdir(exist_ok=True)
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=300, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.add_tokens([AddedToken('<tool>', special=False, normalized=False), AddedToken('<|fim|>', special=False, normalized=False)])
    t.save(str(folder / 'tokenizer.json'))
    (folder / 'tokenizer_config.json').write_text(json.dumps(dict(
        tokenizer_class='PreTrainedTokenizerFast', bos_token='<|im_start|>', eos_token='<|im_end|>', pad_token='<|endoftext|>',
        add_bos_token=True, chat_template=[dict(name='default', template='{{ messages }}'), dict(name='tool use', template='{{ tools }}')])))
    model(folder, 310, unk_token_id=0)  # 8 ids that no token has
    convert(folder, 'smollm')


def pieces():
    folder = OUT / 'sentencepiece'
    folder.mkdir(exist_ok=True)
    (OUT / 'text.txt').write_text('\n'.join(TEXT))
    sentencepiece.SentencePieceTrainer.Train(input=str(OUT / 'text.txt'), model_prefix=str(folder / 'tokenizer'), vocab_size=400, normalization_rule_name='identity', model_type='bpe', byte_fallback=True, character_coverage=.99)
    (OUT / 'text.txt').unlink()
    (folder / 'tokenizer.vocab').unlink()
    sp = sentencepiece.SentencePieceProcessor(model_file=str(folder / 'tokenizer.model'))
    vocab = {sp.IdToPiece(i): i for i in range(sp.GetPieceSize())}
    # as transformers' converter of slow tokenizers makes merges of scores
    merges = sorted(((a, b) for a in vocab for b in vocab if a + b in vocab), key=lambda m: (-sp.GetScore(vocab[m[0] + m[1]]), vocab[m[0]], vocab[m[1]]))
    t = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token='<unk>', fuse_unk=True, byte_fallback=True))
    from tokenizers import normalizers
    t.normalizer = normalizers.Sequence([normalizers.Prepend('▁'), normalizers.Replace(' ', '▁')])
    t.decoder = decoders.Sequence([decoders.Replace('▁', ' '), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(' ', 1, 0)])
    t.add_special_tokens([AddedToken(x, normalized=False) for x in ('<unk>', '<s>', '</s>')])
    t.post_processor = processors.TemplateProcessing(single='<s> $A', pair='<s> $A <s> $B', special_tokens=[('<s>', 1)])
    t.save(str(folder / 'tokenizer.json'))
    (folder / 'tokenizer_config.json').write_text(json.dumps(dict(tokenizer_class='LlamaTokenizer', bos_token='<s>', eos_token='</s>', unk_token='<unk>', add_bos_token=True, add_prefix_space=True,
        added_tokens_decoder={str(i): dict(content=x, special=True) for i, x in enumerate(('<unk>', '<s>', '</s>'))})))
    model(folder, 402)
    convert(folder, 'default')


bytelevel()
pieces()
