"""transformers, float32, eager attention, no remote code; the environment decides the version."""

import torch
import transformers
from transformers import AutoModelForCausalLM

from protocol import main


def run(folder, feeds, outcome):
    ids, want, source = feeds.long()
    model, loading = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    if any(loading[k] for k in ("missing_keys", "unexpected_keys", "mismatched_keys")):
        outcome.note = f"loading: {({k: v for k, v in loading.items() if v})}"
    with torch.no_grad():
        outcome.compare(model.eval()(torch.tensor(ids)).logits[0].numpy(), want, source)


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    main(transformers.__version__, run)
