"""llama.cpp: its own converter to GGUF where the case is a folder, then its server inside xllamacpp.

Log-probabilities of the 40 likeliest next tokens after several lengths are
compared; the cache is float32 and so are the weights.
"""

import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import xllamacpp

from protocol import Refused, main
from sentencepieces import vocabulary

# Measured on one model in two files: up to 0.025 on the bundled model, whose logits are large.
LIMIT = 0.05


def log_softmax(logits):
    x = logits.astype(np.float64) - logits.max()
    return x - np.log(np.exp(x).sum())


def converted(folder, work, vocab):
    """A GGUF of the folder, by the converter of the tree that LLAMA_CPP names."""
    tree = os.environ["LLAMA_CPP"]
    for name in os.listdir(folder):
        if not name.endswith((".onnx", ".data")):
            os.symlink(os.path.abspath(os.path.join(folder, name)), os.path.join(work, name))
    if not os.path.exists(os.path.join(work, "tokenizer.json")):
        vocabulary(os.path.join(work, "tokenizer.model"), vocab)
    target = os.path.join(work, "model.gguf")
    env = {**os.environ, "PYTHONPATH": os.path.join(tree, "gguf-py")}
    done = subprocess.run([sys.executable, os.path.join(tree, "convert_hf_to_gguf.py"), work, "--outtype", "f32", "--outfile", target],
                          env=env, capture_output=True, text=True)
    warnings = [line.split(":", 2)[-1] for line in done.stderr.splitlines() if line.startswith("WARNING") and "ope" in line]
    if done.returncode:
        raise Refused("converter: " + (done.stderr.strip().splitlines() or ["no message"])[-1])
    return target, "; ".join(warnings)


def run(folder, feeds, outcome):
    ids, want, source = feeds.long()
    outcome.limit, outcome.fixed = LIMIT, True
    with tempfile.TemporaryDirectory() as work:
        path = folder
        if os.path.isdir(folder):
            path, outcome.note = converted(folder, work, want.shape[-1])
        params = xllamacpp.CommonParams()
        params.model.path = path
        params.n_ctx, params.n_parallel, params.warmup = 1024, 1, False
        params.cpuparams.n_threads = 2
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        server = xllamacpp.Server(params)
        for n in (16, ids.shape[1] // 2, ids.shape[1] - 1):
            request = dict(prompt=[int(t) for t in ids[0, :n]], n_predict=1, temperature=0, n_probs=40,
                           post_sampling_probs=False, cache_prompt=False, add_bos=False)
            answer = server.handle_completions(request)
            answer = json.loads(answer) if isinstance(answer, str) else answer
            if "choices" not in answer:
                raise Refused(json.dumps(answer))
            top = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
            tokens = np.array([t["id"] for t in top])
            got = np.array([t["logprob"] for t in top])
            outcome.compare(got, log_softmax(want[n - 1])[tokens], log_softmax(source[n - 1])[tokens])
        del server


if __name__ == "__main__":
    main(importlib.metadata.version("xllamacpp"), run)
