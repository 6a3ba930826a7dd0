"""Puts a folder of testdata/learned together: its config.json, the base's weights and the block's tensors beside them."""

import json
import shutil
from pathlib import Path

from safetensors import safe_open


def whole(root, name, target):
    """Writes the model of root/name into target, a folder, and returns its path."""
    root, target = Path(root), Path(target)
    config = json.loads((root / name / "config.json").read_text())
    files = {"model-00001-of-00002.safetensors": root / "base" / (config["pecvt"]["source"]["model_type"] + ".safetensors"),
             "model-00002-of-00002.safetensors": root / name / "block.safetensors"}
    where = {}
    for file, path in files.items():
        shutil.copy(path, target / file)
        with safe_open(path, "pt") as f:
            where |= dict.fromkeys(f.keys(), file)
    (target / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
    shutil.copy(root / name / "config.json", target / "config.json")
    return target
