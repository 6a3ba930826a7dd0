"""ctranslate2: its converter for transformers, then a forward pass in float32."""

import json
import os
import tempfile

import ctranslate2
import ctranslate2.converters
import numpy as np
import tokenizers

from protocol import main


def with_tokenizer(folder, work, vocab):
    """The folder with a tokenizer: the converter wants one, of whatever pieces, where ids go in and logits come out."""
    for name in os.listdir(folder):
        os.symlink(os.path.abspath(os.path.join(folder, name)), os.path.join(work, name))
    if not os.path.exists(os.path.join(work, "tokenizer.json")):
        pieces = {"<unk>": 0, **{f"p{i}": i for i in range(1, vocab)}}
        tokenizers.Tokenizer(tokenizers.models.WordLevel(pieces, "<unk>")).save(os.path.join(work, "tokenizer.json"))
        with open(os.path.join(work, "tokenizer_config.json"), "w") as f:
            json.dump({"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>", "bos_token": "p1", "eos_token": "p2"}, f)
    return work


def run(folder, feeds, outcome):
    ids, want, source = feeds.long()
    with tempfile.TemporaryDirectory() as work, tempfile.TemporaryDirectory() as made:
        target = os.path.join(made, "model")
        ctranslate2.converters.TransformersConverter(with_tokenizer(folder, work, want.shape[-1])).convert(target)
        generator = ctranslate2.Generator(target, device="cpu", compute_type="float32")
        logits = np.array(generator.forward_batch(ctranslate2.StorageView.from_array(ids.astype(np.int32)),
                                                  ctranslate2.StorageView.from_array(np.array([ids.shape[1]], np.int32))))
        outcome.compare(logits[0], want, source)


if __name__ == "__main__":
    main(ctranslate2.__version__, run)
