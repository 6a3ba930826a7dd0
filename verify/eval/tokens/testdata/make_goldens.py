#!/usr/bin/env python3
"""Train three small tokenizers of the kinds that models use, and record their ids of a text.

    python3 -m venv v && v/bin/pip install tokenizers==0.23.3
    v/bin/python make_goldens.py $(go env GOROOT)/src/testdata/Isaac.Newton-Opticks.txt

Writes gpt2.json, llama3.json and sentencepiece.json (the tokenizers), text.txt, and ids.json (name -> ids of text.txt,
without special tokens). The text is a piece of the book and lines that are hard to cut: whitespace of every kind,
digits of several scripts, contractions, accents composed and not, emoji, added tokens.
"""
import json
import os
import random
import sys

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

HERE = os.path.dirname(os.path.abspath(__file__))
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
HARD = ("\n\n\n\n\n\n\nOPTICKS   \t  x\r\n\r\n  y \u00a0z\u3000\u2028w  \n"
        "it's IT'S we'll WE'LL 'd 'tis don''t 12345 1.5e-3 \u0664\u0662 \u216b\u00bd x2y33z\n"
        "e\u0301a\u0308 \u00e9\u00e4 \ufb01 \uac00\u1112\u1161\u11ab \u0928\u093f \u0e01\u0e33 \u05e9\u05c1 \u4f60\u597d\u4e16\u754c \u3053\u3093 "
        "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 \u200b\u180e\ufeff\u0085 \u2581a \u2581\u2581b <s></s><|end|><|end|>x<|endless|> <|end| >\n"
        "aaaaaaaaaaaaaaaaaaaaaaaa ababababab ----====....!!!???   \n   trailing   ")


def main(book):
    body = open(book, encoding='utf-8').read()
    rng = random.Random(1)
    noise = ''.join(chr(rng.choice([rng.randrange(32, 127), rng.randrange(160, 0x530), rng.randrange(0x900, 0xd00), rng.choice([9, 10, 13, 32, 32])]))
                    for _ in range(1500))
    text = body[2000:8000] + HARD + noise + body[8000:8200] + '  '
    open(os.path.join(HERE, 'text.txt'), 'w', encoding='utf-8', newline='').write(text)

    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made = {}

    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])
    made['gpt2'] = t, trainers.BpeTrainer(vocab_size=700, initial_alphabet=alphabet, special_tokens=['<|end|>', '<|endless|>'], show_progress=False)

    t = Tokenizer(models.BPE(ignore_merges=True))
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), behavior='isolated'),
                                               pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    made['llama3'] = t, trainers.BpeTrainer(vocab_size=700, initial_alphabet=alphabet, special_tokens=['<|end|>'], show_progress=False)

    bytes_ = [f'<0x{i:02X}>' for i in range(256)]
    t = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token='<unk>'))
    t.normalizer = normalizers.Sequence([normalizers.Prepend('\u2581'), normalizers.Replace(' ', '\u2581')])
    made['sentencepiece'] = t, trainers.BpeTrainer(vocab_size=900, special_tokens=['<unk>', '<s>', '</s>'] + bytes_, show_progress=False)

    ids = {}
    for name, (t, trainer) in made.items():
        lines = body[2000:300000].split('\n')
        if name == 'sentencepiece':  # merges stay inside words, as SentencePiece trains them
            lines = [w for line in lines for w in line.split(' ')]
        t.train_from_iterator(lines, trainer)
        if name == 'sentencepiece':
            d = json.loads(t.to_str())
            d['added_tokens'] = d['added_tokens'][:3]
            t = Tokenizer.from_str(json.dumps(d))
        else:
            t.add_tokens([AddedToken('OPTICKS', normalized=True)])
        t.save(os.path.join(HERE, name + '.json'), pretty=False)
        ids[name] = t.encode(text, add_special_tokens=False).ids
    json.dump(ids, open(os.path.join(HERE, 'ids.json'), 'w'))


if __name__ == '__main__':
    main(sys.argv[1])
