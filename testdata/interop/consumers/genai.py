"""onnxruntime-genai: the folder's own genai_config.json, tokens in, logits of the last one out."""

import os

import numpy as np
import onnxruntime_genai

from protocol import Refused, main


def run(folder, feeds, outcome):
    if not os.path.exists(os.path.join(folder, "genai_config.json")):
        raise Refused("no genai_config.json in the folder")
    ids, want, source = feeds.long()
    ids = ids[:, :256]  # it takes no sequence as long as the model's context
    model = onnxruntime_genai.Model(folder)
    params = onnxruntime_genai.GeneratorParams(model)
    params.set_search_options(max_length=ids.shape[1] + 8, do_sample=False)
    generator = onnxruntime_genai.Generator(model, params)
    # in two pieces, so that the cache takes part
    half = ids.shape[1] // 2
    for end, piece in ((half, ids[0, :half]), (ids.shape[1], ids[0, half:])):
        generator.append_tokens(piece.astype(np.int32))
        last = np.array(generator.get_output("logits")).reshape(-1, want.shape[-1])[-1]
        outcome.compare(last, want[end - 1], source[end - 1])


if __name__ == "__main__":
    main(onnxruntime_genai.__version__, run)
