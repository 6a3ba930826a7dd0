"""What is converted, and who is given it.

A case is one run of pecvt, its result a folder or a .gguf file. Its folder's graph goes to the consumers of graphs
where `graph` is set, its checkpoint to the loaders where `loads` is.
"""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STORIES = ROOT / "testdata/models/stories260K"
GOLDEN = ROOT / "testdata/golden"


@dataclass(frozen=True)
class Case:
    name: str
    args: str  # pecvt's, {model} being the model
    graph: bool = False
    loads: bool = False
    # What it must compute, and what a loader that passes over the encoding computes.
    # `like` is the case whose graph gives the long sequence's logits, '' for itself.
    like: str = ""
    golden: str = ""  # the long sequence and logits of stock transformers, under the model
    small: bool = True  # runs on the bundled model
    large: bool = True  # runs on a model that is named
    quick: bool = False  # part of the quick subset
    only: str = ""  # the one consumer that reads it


def hope(name, more="", **kind):
    return Case(name, "convert {model} --to hope " + more, golden="golden/hope.safetensors", **kind)


MODEL = [
    Case("source", "export {model}", graph=True, loads=True, golden="golden/rope.safetensors", quick=True),
    hope("hope", graph=True, loads=True, quick=True),
    hope("hope-llama3", "--spelling llama3 --no-onnx", loads=True, like="hope"),
    hope("hope-proportional", "--spelling proportional --no-onnx", loads=True, like="hope"),
    hope("hope-longrope", "--spelling longrope --no-onnx", loads=True, like="hope"),
    hope("hope-partial", "--layout partial --no-onnx", loads=True, like="hope", quick=True),
    Case("grape-m", "convert {model} --to grape-m", graph=True, loads=True, golden="golden/rope.safetensors"),
    Case("grape-m-mixed", "convert {model} --to grape-m:mixed=4", graph=True, golden="golden/rope.safetensors"),
    Case("hybrid", "convert {model} --to hybrid --slope alibi", graph=True, quick=True),
    Case("hybrid-mask", "convert {model} --to hybrid --slope alibi --bias mask", graph=True),
    # One file for llama.cpp: written from the folder, and made from a file of the source.
    # The bundled model has no tokenizer, which its server stops at.
    Case("source-gguf", "convert {model} --to rope --format gguf --gguf-type f32", loads=True, like="source", only="llama.cpp", small=False),
    Case("hope-gguf", "convert {model} --to hope --format gguf --gguf-type f32", loads=True, like="hope", only="llama.cpp", small=False),
    Case("hope-gguf-from-gguf", "convert {case:source-gguf} --to hope", loads=True, like="hope", only="llama.cpp", small=False),
    # Functions written out, for runtimes that expand none; and in the oldest operators.
    Case("source-portable", "export {model} --portable", graph=True, golden="golden/rope.safetensors", large=False),
    hope("hope-portable", "--portable", graph=True),
    Case("grape-m-portable", "convert {model} --to grape-m --portable", graph=True, golden="golden/rope.safetensors"),
    Case("grape-m-mixed-portable", "convert {model} --to grape-m:mixed=4 --portable", graph=True, golden="golden/rope.safetensors"),
    Case("grape-m-mixed-opset17", "convert {model} --to grape-m:mixed=4 --portable --opset 17", graph=True, golden="golden/rope.safetensors", large=False),
    Case("hybrid-portable", "convert {model} --to hybrid --slope alibi --portable", graph=True, large=False),
    Case("hybrid-mask-portable", "convert {model} --to hybrid --slope alibi --bias mask --portable", graph=True, large=False),
    hope("hope-opset17", "--portable --opset 17", graph=True),
    # Linear layers as tools that look for MatMul find them.
    hope("hope-matmul", "--linear matmul", graph=True),
    hope("hope-portable-matmul", "--portable --linear matmul", graph=True),
    # A folder that transformers.js loads without being told of it; weights in one file, and in several.
    hope("hope-web", "--for transformers.js", graph=True, like="hope", only="transformers.js"),
    hope("hope-web-shards", "--for transformers.js --max-shard-size 300kB", graph=True, like="hope", only="transformers.js", large=False),
    # GroupQueryAttention of ONNX Runtime wants heads of a multiple of 16: the bundled model has 8.
    Case("hope-ort", "convert {model} --to hope --attention ort", graph=True, small=False),
]

# Biases, path integrals and spectra of the heads' own come from models of their own: golden
# checkpoints, tiny and random.
OTHERS = [
    ("bloom", Case("bloom", "export {model}", graph=True)),
    ("bloom", Case("bloom-grape-a", "convert {model} --to grape-a", graph=True, quick=True)),
    ("bloom", Case("bloom-grape-a-mask", "convert {model} --to grape-a --bias mask", graph=True)),
    ("bloom", Case("bloom-grape-ap", "convert {model} --to grape-ap", graph=True)),
    ("bloom", Case("bloom-fox", "convert {model} --to fox", graph=True)),
    ("grape-ap-v1", Case("grape-ap", "export {model}", graph=True)),
    ("bloom", Case("bloom-portable", "export {model} --portable", graph=True)),
    ("bloom", Case("bloom-grape-a-portable", "convert {model} --to grape-a --portable", graph=True)),
    ("bloom", Case("bloom-grape-a-mask-portable", "convert {model} --to grape-a --bias mask --portable", graph=True)),
    ("bloom", Case("bloom-grape-ap-portable", "convert {model} --to grape-ap --portable", graph=True)),
    ("bloom", Case("bloom-fox-portable", "convert {model} --to fox --portable", graph=True)),
    ("grape-ap-v1", Case("grape-ap-portable", "export {model} --portable", graph=True)),
    ("grape-m-nonctx", Case("grape-m-heads", "export {model}", graph=True, quick=True)),
    ("grape-m-nonctx", Case("grape-m-heads-portable", "export {model} --portable", graph=True)),
    ("grape-m-nonctx", Case("grape-m-heads-opset17", "export {model} --portable --opset 17", graph=True)),
]


@dataclass(frozen=True)
class Job:
    """A case on a model."""

    model: str  # its name in the tables
    folder: Path
    case: Case
    length: int  # tokens of the long sequence

    @property
    def key(self):
        return f"{self.model}/{self.case.name}"


def jobs(model=None, quick=False):
    """The cases of one run: the bundled models', and those of a folder that is named."""
    out = [Job("stories260K", STORIES, c, 512) for c in MODEL if c.small]
    out += [Job("golden", GOLDEN / g, c, 40) for g, c in OTHERS]
    if model:
        folder = Path(model).resolve()
        out += [Job(folder.name, folder, c, 256) for c in MODEL if c.large]
    return [j for j in out if j.case.quick or not quick]
