#!/usr/bin/env python3
"""Record what the Python library tokenizers makes of ids: texts without special tokens, and ids with the tokens around them.

    python3 -m venv v && v/bin/pip install tokenizers==0.23.3
    v/bin/python make_decoded.py

Writes decoded.json: by tokenizer and decoder, a list of [ids, text]; and whole.json: by post-processor, [text, ids]. The
tokenizers are those of make_goldens.py, with decoders and post-processors as models have them.
"""
import json
import os
import random

from tokenizers import Tokenizer, decoders, processors

HERE = os.path.dirname(os.path.abspath(__file__))
DECODERS = {
    "gpt2": {"ByteLevel": decoders.ByteLevel()},
    "llama3": {"ByteLevel": decoders.ByteLevel()},
    "sentencepiece": {
        "llama2": decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]),
        "gemma": decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]),
        "Metaspace": decoders.Metaspace(),
        "Metaspace never": decoders.Metaspace(prepend_scheme="never"),
    },
}
TEXTS = ["Once upon a time", "  two spaces", " one", "", "\u4f60\u597d e\u0301 \U0001f600!", "a\n\nb", "<s> x</s> y <|end|>z OPTICKS"]


def load(name):
    return Tokenizer.from_file(os.path.join(HERE, name + ".json"))


def main():
    rng = random.Random(1)
    decoded, whole = {}, {}
    for name, kinds in DECODERS.items():
        for kind, decoder in kinds.items():
            t = load(name)
            t.decoder = decoder
            n = t.get_vocab_size()
            lists = [t.encode(x, add_special_tokens=False).ids for x in TEXTS]
            lists += [[rng.randrange(n) for _ in range(k)] for k in (1, 2, 3, 5, 8, 13, 40, 200)]
            if name == "sentencepiece":  # bytes alone: runs of them that are text, and runs that are none
                byte = [t.token_to_id(f"<0x{b:02X}>") for b in range(256)]
                text = [byte[b] for b in "\u00e9\U0001f600".encode()]
                word = t.encode("a b", add_special_tokens=False).ids
                lists += [text, text[:-1], word + text + word, word + text[:3] + word + text, [byte[32]] + word, byte[:8] + word]
            else:  # half characters
                ids = t.encode("\U0001f600", add_special_tokens=False).ids
                lists += [ids[:k] for k in range(1, len(ids))] + [ids[1:], ids[:2] + ids, ids[:-1] + t.encode("x").ids]
            decoded[f"{name}/{kind}"] = [json.loads(t.to_str())["decoder"], [[x, t.decode(x, skip_special_tokens=True)] for x in lists]]
    for kind, processor in {
        "none": None,
        "ByteLevel": processors.ByteLevel(trim_offsets=False),
        "bos": processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)]),
        "bos and eos": processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]),
        "Sequence": processors.Sequence([processors.ByteLevel(), processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])]),
    }.items():
        t = load("sentencepiece")
        if processor is not None:
            t.post_processor = processor
        whole[kind] = [json.loads(t.to_str())["post_processor"], [[x, t.encode(x).ids] for x in TEXTS]]
    for name, value in (("decoded", decoded), ("whole", whole)):
        with open(os.path.join(HERE, name + ".json"), "w") as f:
            json.dump(value, f, separators=(",", ":"))


main()
