#!/usr/bin/env bash
# The float16 graph that onnxruntime-genai's builder makes for the CPU, in decode.
#
# Seen with onnxruntime-genai 0.18.0 (-p fp16 -e cpu) of a Llama with fewer key/value heads
# than heads, ONNX Runtime 1.32.0: a prompt runs, a token after it does not:
#   Shape mismatch attempting to re-use buffer. {1,1,64} != {1,9,64}
# The graph repeats keys and values for the heads by itself, and declares the result
# (…/repeat_kv/Reshape_4/output_0) as long as the new tokens (sequence_length), where it is
# as long as past and new ones together; the runtime plans its memory by that. Its float32
# graph uses GroupQueryAttention and decodes.
# Expected: 9 rows of keys of 8 past tokens and a new one, declared as total_sequence_length.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/v"
"$work/v/bin/pip" install -q --disable-pip-version-check numpy==2.2.6 torch==2.6.0 transformers==5.24.0 onnx==1.23.2 onnx_ir==1.1.0 onnxruntime==1.32.0 onnxruntime-genai==0.18.0

"$work/v/bin/python" - "$work/model" <<'PY' 2>/dev/null
import sys

import torch
from tokenizers import Tokenizer, models
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

torch.manual_seed(0)
config = LlamaConfig(vocab_size=64, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                     max_position_embeddings=128, bos_token_id=1, eos_token_id=2)
LlamaForCausalLM(config).save_pretrained(sys.argv[1])
words = Tokenizer(models.WordLevel({f"t{i}": i for i in range(64)}, unk_token="t0"))
PreTrainedTokenizerFast(tokenizer_object=words, bos_token="t1", eos_token="t2", unk_token="t0").save_pretrained(sys.argv[1])
PY
for precision in fp32 fp16; do
	"$work/v/bin/python" -m onnxruntime_genai.models.builder -m "$work/model" -o "$work/$precision" -p "$precision" -e cpu -c "$work/cache" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
done

"$work/v/bin/python" - "$work" <<'PY'
import sys

import numpy as np
import onnx
import onnxruntime


def decode(precision, dtype):
    """What a prompt of 8 gives, and a token after it: the logits' shape, or the error's last words."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(f"{sys.argv[1]}/{precision}/model.onnx", options, providers=["CPUExecutionProvider"])
    names = {i.name for i in session.get_inputs()}
    past = [i.name for i in session.get_inputs() if i.name.startswith("past_key_values")]
    caches, said = [np.zeros((1, 2, 0, 16), dtype)] * len(past), []
    for n in (8, 1):
        total = caches[0].shape[2] + n
        feed = {"input_ids": np.ones((1, n), np.int64), "attention_mask": np.ones((1, total), np.int64), "position_ids": np.arange(total - n, total)[None]}
        feed = {k: v for k, v in feed.items() if k in names} | dict(zip(past, caches))
        try:
            logits, *caches = session.run(None, feed)
            said.append(str(logits.shape))
        except Exception as e:
            said.append(str(e)[str(e).find("Shape mismatch"):][:80])
    return said


got = {p: decode(p, d) for p, d in (("fp32", np.float32), ("fp16", np.float16))}
graph = onnx.load(f"{sys.argv[1]}/fp16/model.onnx", load_external_data=False).graph
declared = [[d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in graph.value_info if v.name.endswith("v_proj/repeat_kv/Reshape_4/output_0")]
print(got, declared)
right = got["fp32"] == ["(1, 8, 64)", "(1, 1, 64)"]
if not right or got["fp16"][0] != "(1, 8, 64)" or not got["fp16"][1].startswith("Shape mismatch") or declared != [["batch_size", "sequence_length", 64]] * 2:
    sys.exit("changed: expected the float32 graph to decode, the float16 graph to stop, its repeated values declared as long as the new tokens")
PY
