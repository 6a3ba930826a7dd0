"""Perplexity of an exported graph by a plain loop in ONNX Runtime, for bench_peers.py.

    peers_perplexity.py --tokens MODEL TEXT OUT.json 6x512   the tokens: so many rows of so many
    peers_perplexity.py FOLDER TOKENS.json OUT.json          exp of the mean of -ln p of each next token
    peers_perplexity.py --bytes FOLDER                       of the graph and the files that its tensors lie in

A row is one call without a past. The tokens are of the text's middle by the
model's tokenizer.json; a model without one (stories260K) has those of its
sampled.safetensors.
"""

import json
import sys
from pathlib import Path

import numpy as np


def tokens(model, text, out, shape):
    rows, length = (int(n) for n in shape.split("x"))
    if (model / "tokenizer.json").exists():
        from tokenizers import Tokenizer
        words = Path(text).read_text(encoding="utf-8", errors="replace")
        middle = words[len(words) // 4 :][: rows * length * 8]
        ids, source = np.array(Tokenizer.from_file(str(model / "tokenizer.json")).encode(middle, add_special_tokens=False).ids), Path(text).name
    else:
        from safetensors.numpy import load_file
        ids, source = load_file(model / "sampled.safetensors")["input_ids"].reshape(-1), "sampled.safetensors"
    if len(ids) < rows * length:
        sys.exit(f"{source}: {len(ids)} tokens, and {rows} rows of {length} are asked for")
    Path(out).write_text(json.dumps({"ids": ids[: rows * length].reshape(rows, length).tolist(), "words": f"{rows} × {length} tokens of {source}"}))


def cache(folder, shape):
    """An empty cache; onnxruntime-genai's graphs leave its width to genai_config.json."""
    heads, width = shape[1], shape[3]
    if not (isinstance(heads, int) and isinstance(width, int)):
        decoder = json.loads((folder / "genai_config.json").read_text())["model"]["decoder"]
        heads, width = decoder["num_key_value_heads"], decoder["head_size"]
    return 1, heads, 0, width


def score(folder, given, out):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    kinds = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int64)": np.int64, "tensor(int32)": np.int32}
    total, count = 0.0, 0
    for row in json.loads(Path(given).read_text())["ids"]:
        feeds = {}
        for v in session.get_inputs():
            kind = kinds[v.type]
            if v.name == "input_ids":
                feeds[v.name] = np.array([row], kind)
            elif v.name == "attention_mask":
                feeds[v.name] = np.ones((1, len(row)), kind)
            elif v.name == "position_ids":
                feeds[v.name] = np.arange(len(row), dtype=kind)[None]
            elif v.name.startswith("past_key_values."):
                feeds[v.name] = np.zeros(cache(folder, v.shape), kind)
            else:
                sys.exit(f"{folder.name}: an input {v.name}, which is none of those that are known")
        logits = session.run(["logits"], feeds)[0][0, :-1].astype(np.float64)
        if len(logits) != len(row) - 1:
            sys.exit(f"{folder.name}: logits of {len(logits) + 1} tokens for {len(row)}")
        top = logits.max(1, keepdims=True)
        nll = np.log(np.exp(logits - top).sum(1)) + top[:, 0] - logits[np.arange(len(logits)), row[1:]]
        total, count = total + nll.sum(), count + len(nll)
    Path(out).write_text(json.dumps(float(np.exp(total / count))))


def size(folder):
    import onnx
    graph = onnx.load(folder / "model.onnx", load_external_data=False).graph
    files = {"model.onnx"} | {e.value for t in graph.initializer for e in t.external_data if e.key == "location"}
    print(sum((folder / name).stat().st_size for name in files))


if __name__ == "__main__":
    if sys.argv[1] == "--bytes":
        size(Path(sys.argv[2]))
    elif sys.argv[1] == "--tokens":
        tokens(Path(sys.argv[2]), *sys.argv[3:])
    else:
        score(Path(sys.argv[1]), *sys.argv[2:])
