"""ctranslate2: its converter for transformers, then a forward pass in float32."""

import os
import tempfile

import ctranslate2
import ctranslate2.converters
import numpy as np

from protocol import Refused, main


def run(folder, feeds, outcome):
    if not os.path.exists(os.path.join(folder, "tokenizer.json")):
        raise Refused("no tokenizer in the folder")
    ids, want, source = feeds.long()
    with tempfile.TemporaryDirectory() as work:
        target = os.path.join(work, "model")
        ctranslate2.converters.TransformersConverter(folder).convert(target)
        generator = ctranslate2.Generator(target, device="cpu", compute_type="float32")
        logits = np.array(generator.forward_batch(ctranslate2.StorageView.from_array(ids.astype(np.int32)),
                                                  ctranslate2.StorageView.from_array(np.array([ids.shape[1]], np.int32))))
        outcome.compare(logits[0], want, source)


if __name__ == "__main__":
    main(ctranslate2.__version__, run)
