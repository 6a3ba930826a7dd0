"""mlx-lm on a CPU, weights widened to float32."""

import importlib.metadata
from pathlib import Path

import mlx.core as mx
import numpy as np
from mlx.utils import tree_map
from mlx_lm.utils import load_model

from protocol import main


def run(folder, feeds, outcome):
    mx.set_default_device(mx.cpu)
    ids, want, source = feeds.long()
    model, _ = load_model(Path(folder))
    model.update(tree_map(lambda a: a.astype(mx.float32) if a.dtype in (mx.bfloat16, mx.float16) else a, model.parameters()))
    outcome.compare(np.array(model(mx.array(ids)).astype(mx.float32))[0], want, source)


if __name__ == "__main__":
    main(importlib.metadata.version("mlx-lm"), run)
