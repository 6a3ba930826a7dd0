"""Makes the goldens of families that transformers defines.

    python testdata/tools/make_family_goldens.py testdata/golden

Each is a model of random weights with config.json, model.safetensors and
golden.safetensors: input_ids int64 (2, 40), logits float32 (2, 40, vocabulary)
and hidden.i float32 (2, 40, hidden), hidden.0 the embedding's output and the
last one past the final norm. Computed in float32 with eager attention.

Made with transformers 5.23.0, torch 2.6.0.
"""
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

SIZES = dict(vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
             bos_token_id=0, eos_token_id=1, pad_token_id=None)
LLAMA = dict(SIZES, num_key_value_heads=2, intermediate_size=48, max_position_embeddings=32)
CASES = {
    # layers 0 and 3 rotate; a window on the two that do not
    "smollm3": (transformers.SmolLM3Config, dict(LLAMA, num_hidden_layers=4, no_rope_layers=[1, 0, 0, 1],
                use_sliding_window=True, sliding_window=8)),
    "stablelm": (transformers.StableLmConfig, dict(LLAMA, use_qkv_bias=True, partial_rotary_factor=0.5)),
    "stablelm-parallel": (transformers.StableLmConfig, dict(LLAMA, use_parallel_residual=True, partial_rotary_factor=0.25)),
    "gpt-neox-serial": (transformers.GPTNeoXConfig, dict(SIZES, intermediate_size=48, max_position_embeddings=32,
                        use_parallel_residual=False, attention_bias=False)),
    # one key/value head, one norm for attention and MLP: the 7B form
    "falcon-multiquery": (transformers.FalconConfig, dict(SIZES, max_position_embeddings=32)),
    # grouped queries and two norms: the 40B form
    "falcon-grouped": (transformers.FalconConfig, dict(SIZES, max_position_embeddings=32, new_decoder_architecture=True,
                       num_kv_heads=2, ffn_hidden_size=48)),
    # grouped queries and one norm: the 11B form
    "falcon-grouped-1": (transformers.FalconConfig, dict(SIZES, max_position_embeddings=32, new_decoder_architecture=True,
                         num_kv_heads=2, num_ln_in_parallel_attn=1, ffn_hidden_size=48)),
}


def main(root):
    for name, (kind, sizes) in CASES.items():
        torch.manual_seed(sum(map(ord, name)))
        model = transformers.AutoModelForCausalLM.from_config(kind(**sizes), attn_implementation="eager").float().eval()
        with torch.no_grad():
            for key, p in model.named_parameters():
                if p.dim() == 1 and key.endswith("weight"):
                    p.copy_(1 + 0.2 * torch.randn_like(p))
                elif p.dim() == 1:
                    p.copy_(0.2 * torch.randn_like(p))
                else:
                    p.copy_(1.5 * torch.randn_like(p) / p.shape[1] ** 0.5)
            ids = torch.randint(0, sizes["vocab_size"], (2, 40))
            out = model(ids, output_hidden_states=True, use_cache=False)
        folder = Path(root) / name
        model.save_pretrained(folder)
        (folder / "generation_config.json").unlink(missing_ok=True)
        tensors = {"input_ids": ids, "logits": out.logits}
        tensors |= {f"hidden.{i}": h for i, h in enumerate(out.hidden_states)}
        save_file({k: v.contiguous().clone() for k, v in tensors.items()}, folder / "golden.safetensors",
                  {"made_by": f"testdata/tools/make_family_goldens.py, transformers {transformers.__version__}, torch {torch.__version__}"})
        print(name, f"largest logit {out.logits.abs().max():.3f}")


main(sys.argv[1])
