"""Reads and writes folders whose config.json has a `pecvt` block (docs/inputs.md; convert/family/block.go has the format)."""

import json
import shutil
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from . import attention
from .bias import NAMES, Bias, names
from .rotation import FORMS, Rotation

# Classes that pair coordinate p with p + P, turn q and k by their rotary_emb and call the named attention function.
TYPES = ("llama", "mistral", "qwen2", "qwen3", "phi3", "stablelm", "gpt_neox")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16, "float64": torch.float64}
PREFIX = "pecvt.layers."
# Of a folder, what belongs to weights that training changed.
STALE = ("pecvt.json", "genai_config.json", "config.json")


class Refused(ValueError):
    """A folder that is not what it says, or that this module does not compute."""


def read_tensors(folder):
    folder = Path(folder)
    index = folder / "model.safetensors.index.json"
    files = sorted(set(json.loads(index.read_text())["weight_map"].values())) if index.exists() else ["model.safetensors"]
    out = {}
    for name in files:
        with safe_open(folder / name, "pt") as f:
            out.update((k, f.get_tensor(k)) for k in f.keys())
    return out


def finite(name, t):
    """Refuses NaN and infinities, as pecvt does where it reads a block."""
    wrong = (~t.isfinite()).flatten().nonzero()
    if len(wrong):
        raise ValueError(f"tensor {name}: element {wrong[0].item()} is {t.flatten()[wrong[0]].item()}: expected finite numbers; the file is damaged or the training diverged")


class Taken:
    """The block's tensors, each to be taken once and with its shape."""

    def __init__(self, tensors, folder):
        self.left, self.folder = {k: t for k, t in tensors.items() if k.startswith(PREFIX)}, folder

    def take(self, name, *shape):
        t = self.left.pop(name, None)
        if t is None:
            raise Refused(f"{self.folder}: tensor {name} is missing: the block asks for it")
        if tuple(t.shape) != shape:
            raise Refused(f"{self.folder}: tensor {name} has shape {tuple(t.shape)}, expected {shape}")
        try:
            finite(name, t)
        except ValueError as e:
            raise Refused(f"{self.folder}: {e}") from e
        return t.double()

    def end(self):
        if self.left:
            raise Refused(f"{self.folder}: tensor {sorted(self.left)[0]} is not one that the block asks for")


def source_frequencies(config, dim, folder):
    """θ of the source's own rotation: 1/base^(2p/D), which is what rope type default is."""
    rope = config.rope_parameters
    if rope.get("rope_type", "default") != "default":
        raise Refused(f"{folder}: the source's rotation is of rope type {rope['rope_type']}, which only a block with a rotation replaces here: convert to a grape-m form first")
    return rope["rope_theta"] ** -(torch.arange(0, dim, 2, dtype=torch.float64) / dim)


def rotation(block, taken, layer, config, groups, dim):
    name = f"{PREFIX}{layer}.rotation"
    if block is None:
        return Rotation("", {"inv_freq": source_frequencies(config, dim, taken.folder).expand(groups, -1).clone()}, 1.0, name)
    form, planes = block.get("form", ""), dim // 2
    if block["type"] != "grape-m" or form not in FORMS:
        raise Refused(f"{taken.folder}: rotation {json.dumps(block)}: expected type grape-m and one of the forms {', '.join(f for f in FORMS if f)}, or none")
    r, m = block.get("rank", 0), block.get("generators", 0)
    shapes = {"inv_freq": (groups, planes), "basis": (groups, dim, dim), "frame": (groups, dim, r), "a": (groups, m, dim), "b": (groups, m, dim),
              "generator": (groups, dim * (dim - 1) // 2 if form == "dense" else r * (r - 1) // 2)}
    factors = block.get("attention_factors")
    tensors = {k: taken.take(f"{name}.{k}", *shapes[k]) for k in FORMS[form]}
    try:
        return Rotation(form, tensors, factors[layer] if factors else block["attention_factor"], name)
    except ValueError as e:
        raise Refused(f"{taken.folder}: {e}") from e


def bias(block, taken, layer, config, d):
    if block is None:
        return None
    if block["type"] not in NAMES:
        raise Refused(f"{taken.folder}: bias {json.dumps(block)}: expected one of the types {', '.join(NAMES)}")
    h, size = config.num_attention_heads, config.hidden_size
    shapes = {"v": (h, d), "u": (h, d), "gate.weight": (h, size), "path.weight": (h * block.get("path_size", 0), size)}
    return Bias(block, {n: taken.take(f"{PREFIX}{layer}.bias.{n}", *shapes.get(n, (h,))) for n in names(block)})


def query_scale(block, module, folder):
    """What scales a layer's queries by position, None where nothing does: layers with a window have as few keys anywhere."""
    if block is None:
        return None
    if set(block) != {"beta", "length"}:
        raise Refused(f"{folder}: query_scale {json.dumps(block)}: expected beta and length")
    return None if getattr(module, "sliding_window", None) else (block["beta"], block["length"])


class RMSNorm64(nn.Module):
    """The norm of classes that go through float32, in float64."""

    def __init__(self, norm):
        super().__init__()
        self.weight, self.eps = norm.weight, norm.variance_epsilon

    def forward(self, x):
        return self.weight * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps)


def load(folder, dtype=torch.float32, fox_gate=None):
    """A model of the source's class with the block's rotation and bias. float64 is float64 in every step.

    fox_gate is where the biases of FoX's gates begin that are above it. A conversion leaves gates open, with log σ(c) 0
    but for rounding: their gradient is 0 too, 1 − σ(c), and nothing would train. 6 forgets a quarter of a percent a token.
    """
    folder = Path(folder)
    text = json.loads((folder / "config.json").read_text())
    if text.get("model_type") != "pecvt":
        raise Refused(f"{folder}/config.json: model type {text.get('model_type')!r}, expected 'pecvt': convert it first")
    block = text["pecvt"]
    if unknown := set(block) - {"version", "source", "rotation", "bias", "query_scale"}:
        raise Refused(f"{folder}: the block has a key {sorted(unknown)[0]!r}, which is not one that is known here")
    source = dict(block["source"])
    kind = source.pop("model_type")
    if kind not in TYPES:
        raise Refused(f"{folder}: a source of model type {kind!r}: expected one of {', '.join(TYPES)}")
    config = AutoConfig.for_model(kind, **source)
    config._attn_implementation = attention.NAME
    model = AutoModelForCausalLM.from_config(config, attn_implementation=attention.NAME)
    tensors = read_tensors(folder)
    found = model.load_state_dict({k: t for k, t in tensors.items() if not k.startswith(PREFIX)}, strict=False)
    missing = [k for k in found.missing_keys if not (config.tie_word_embeddings and k in ("lm_head.weight", "embed_out.weight"))]
    if missing or found.unexpected_keys:
        raise Refused(f"{folder}: tensors missing: {missing[:3]}, not known to {type(model).__name__}: {found.unexpected_keys[:3]}")
    model.tie_weights()
    model.to(dtype)
    if dtype == torch.float64:
        for m in list(model.modules()):
            for name, child in m.named_children():
                if type(child).__name__.endswith("RMSNorm"):
                    setattr(m, name, RMSNorm64(child))
    base = model.base_model
    dim = base.rotary_emb(torch.zeros(1), torch.zeros(1, 1))[0].shape[-1]
    base.rotary_emb = attention.Unturned(dim)
    taken = Taken(tensors, folder)
    groups = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    d = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    for i, layer in enumerate(base.layers):
        module = layer.attention if kind == "gpt_neox" else layer.self_attn
        own = attention.Encoding(rotation(block.get("rotation"), taken, i, config, groups, dim), bias(block.get("bias"), taken, i, config, d),
                                 query_scale(block.get("query_scale"), module, folder))
        if block.get("rotation") is None:
            own.rotation.requires_grad_(False)  # the source's own, which has no tensors
        attention.attach(module, own, base.rotary_emb)
        if fox_gate is not None and own.bias is not None and own.bias.block["type"] == "fox":
            own.bias.gate_bias.data.clamp_(max=fox_gate)
    taken.end()
    model.config.use_cache = False
    model.pecvt_folder, model.pecvt_block = folder, block
    return model


def layers(model):
    """The Encoding of each layer, in order."""
    return [m for m in model.modules() if isinstance(m, attention.Encoding)]


def parameters(model):
    """What the block holds and is trained: (name, parameter)."""
    return [(n, p) for n, p in model.named_parameters() if ".pecvt." in n and p.requires_grad]


def project(model):
    """Puts parameters with a range back into it: to be called after each step of an optimiser."""
    for e in layers(model):
        if e.bias is not None:
            e.bias.project()


def block_tensors(model):
    """The block's tensors under their names, float64."""
    out = {}
    for i, e in enumerate(layers(model)):
        for part in ("rotation", "bias"):
            if model.pecvt_block.get(part) is not None:
                out.update((f"{PREFIX}{i}.{part}.{k}", t) for k, t in getattr(e, part).tensors().items())
    return out


def save(model, folder):
    """Writes a folder like the one that was loaded, with the weights and the block's tensors as they are now.

    Weights keep the types that they were stored in. What belongs to the old weights (graphs, pecvt.json) is left out.
    """
    before, folder = model.pecvt_folder, Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise Refused(f"{folder} is there and not empty: name another")
    block = block_tensors(model)
    try:
        for name, t in block.items():
            finite(name, t)
        for i, e in enumerate(layers(model)):
            e.rotation.bounded()
            if e.bias is not None:
                e.bias.bounded(f"{PREFIX}{i}.bias")
    except ValueError as wrong:
        raise Refused(f"{folder}: {wrong}; nothing was written") from wrong
    folder.mkdir(parents=True, exist_ok=True)
    state = {k: t for k, t in model.state_dict().items() if ".pecvt." not in k}
    stored = read_tensors(before)
    tensors = {k: state[k].to(t.dtype).contiguous().clone() for k, t in stored.items() if not k.startswith(PREFIX)}
    tensors.update(block)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    for path in before.iterdir():
        if path.is_file() and path.name not in STALE and path.suffix in (".json", ".model", ".txt", ".jinja") and not path.name.endswith(".index.json"):
            shutil.copy(path, folder / path.name)
    shutil.copy(before / "config.json", folder / "config.json")
