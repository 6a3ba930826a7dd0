"""Writes rope_types.json: the spectra that transformers computes for each rope type.

    pip install transformers==5.23.0 torch==2.6.0
    python gen_rope_types.py > rope_types.json

Each case holds the inverse frequencies twice: as transformers computes them,
in float32 ("inv_freq"), and from the same functions with torch's float32
replaced by float64 ("inv_freq_64"), which leaves the formula alone to compare.
"""

import json
import math

import torch
import transformers
from transformers import LlamaConfig
from transformers import modeling_rope_utils as rope
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

PINNED = {"transformers": "5.23.0", "torch": "2.6.0"}


def compute(kind, config, length):
    if kind == "default":
        return LlamaRotaryEmbedding.compute_default_rope_parameters(config)
    return rope.ROPE_INIT_FUNCTIONS[kind](config, device="cpu", seq_len=length)


class Float64:
    """Makes torch.float, torch.float32 and Tensor.float() mean float64."""

    def __enter__(self):
        self.saved = torch.float, torch.float32, torch.Tensor.float
        torch.float = torch.float32 = torch.float64
        torch.Tensor.float = torch.Tensor.double

    def __exit__(self, *_):
        torch.float, torch.float32, torch.Tensor.float = self.saved


def case(name, head_dim, max_positions, parameters, length=None):
    kind = parameters["rope_type"]

    def run():
        config = LlamaConfig(
            hidden_size=4 * head_dim,
            num_attention_heads=4,
            head_dim=head_dim,
            max_position_embeddings=max_positions,
            rope_parameters=dict(parameters),
        )
        inv_freq, gain = compute(kind, config, length)
        return inv_freq.double().tolist(), float(gain), config.rope_parameters

    inv_freq, gain, used = run()
    with Float64():
        inv_freq_64, gain_64, _ = run()
    assert gain == gain_64 and len(inv_freq) == len(inv_freq_64)
    return {
        "name": name,
        "head_dim": head_dim,
        "max_position_embeddings": max_positions,
        "length": length or max_positions,
        "rope_parameters": used,
        "inv_freq": inv_freq,
        "inv_freq_64": inv_freq_64,
        "gain": gain,
    }


def factors(n, top):
    return [round(1 + (top - 1) * (i / (n - 1)) ** 2, 4) for i in range(n)]


def cases():
    t = {"rope_theta": 10000.0}
    yield case("default", 64, 2048, {"rope_type": "default", **t})
    yield case("default, head size 80, theta 1e6", 80, 2048, {"rope_type": "default", "rope_theta": 1e6})
    yield case("linear", 64, 4096, {"rope_type": "linear", "factor": 4.0, **t})
    yield case("linear, partial", 64, 4096, {"rope_type": "linear", "factor": 2.5, "partial_rotary_factor": 0.5, **t})
    dynamic = {"rope_type": "dynamic", "factor": 4.0, **t}
    yield case("dynamic, below the length", 64, 2048, dynamic, 100)
    yield case("dynamic, at the length", 64, 2048, dynamic, 2048)
    yield case("dynamic, one beyond", 64, 2048, dynamic, 2049)
    yield case("dynamic, four times", 64, 2048, dynamic, 8192)
    yarn = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 4096, **t}
    yield case("yarn", 64, 16384, yarn)
    yield case("yarn, not truncated", 64, 16384, {**yarn, "truncate": False})
    yield case("yarn, betas", 128, 16384, {**yarn, "beta_fast": 16, "beta_slow": 2, "rope_theta": 1e6})
    yield case("yarn, short trained length", 16, 128, {**yarn, "original_max_position_embeddings": 32, "rope_theta": 300.0})
    yield case("yarn, short, not truncated", 16, 128, {**yarn, "original_max_position_embeddings": 32, "rope_theta": 300.0, "truncate": False})
    yield case("yarn, attention factor", 64, 16384, {**yarn, "attention_factor": 1.25})
    yield case("yarn, mscale", 64, 163840, {**yarn, "factor": 40.0, "mscale": 0.707, "mscale_all_dim": 1.0})
    yield case("yarn, mscale alone", 64, 16384, {**yarn, "mscale": 0.707})
    yield case("yarn, no factor", 64, 32768, {**yarn, "factor": None})
    yield case("yarn, factor 1", 64, 4096, {**yarn, "factor": 1.0})
    yield case("yarn, ramp without width", 64, 4096, {**yarn, "beta_fast": 4, "beta_slow": 4, "truncate": False})
    yield case("yarn, partial", 64, 16384, {**yarn, "partial_rotary_factor": 0.5})
    llama3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192, "rope_theta": 500000.0}
    yield case("llama3", 128, 131072, llama3)
    yield case("llama3, 32-fold", 64, 131072, {**llama3, "factor": 32.0})
    yield case("llama3, short", 16, 128, {**llama3, "original_max_position_embeddings": 16, "rope_theta": 500.0})
    longrope = {"rope_type": "longrope", "short_factor": factors(24, 2.5), "long_factor": factors(24, 60.0), "original_max_position_embeddings": 4096, **t}
    yield case("longrope, at the length", 48, 131072, longrope, 4096)
    yield case("longrope, one beyond", 48, 131072, longrope, 4097)
    yield case("longrope, factor", 48, 131072, {**longrope, "factor": 8.0}, 4096)
    yield case("longrope, attention factor", 48, 131072, {**longrope, "attention_factor": 1.5}, 131072)
    yield case("longrope, not extended", 48, 4096, longrope, 4096)
    for partial in (0.25, 0.5, 0.75, 0.59375, 1.0):
        yield case(f"proportional, {partial}", 64, 2048, {"rope_type": "proportional", "partial_rotary_factor": partial, **t})
    yield case("proportional, factor", 64, 8192, {"rope_type": "proportional", "partial_rotary_factor": 0.3, "factor": 8.0, **t})
    for kept in (1, 3, 5, 7, 11, 13, 17, 23):  # planes kept of 24: int(factor * d // 2) must give them back
        yield case(f"proportional, {kept} of 24 planes", 48, 2048, {"rope_type": "proportional", "partial_rotary_factor": kept / 24, **t})
    yield case("proportional, none", 64, 2048, {"rope_type": "proportional", "partial_rotary_factor": 0.0, **t})


def main():
    found = {"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0]}
    assert found == PINNED, f"versions {found}, pinned {PINNED}"
    assert math.isclose(torch.finfo(torch.float32).eps, 2**-23)
    print(json.dumps({"made_by": "posenc/testdata/gen_rope_types.py", **PINNED, "cases": list(cases())}, indent=1))


main()
