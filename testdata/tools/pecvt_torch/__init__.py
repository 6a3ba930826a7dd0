"""Models with a `pecvt` block in PyTorch: loaded through stock transformers, trained, saved under the same names.

    model = pecvt_torch.load("converted")                     # float32; dtype=torch.float64 is exact throughout
    loss = model(input_ids=ids, labels=ids).loss; loss.backward()
    optimizer.step(); pecvt_torch.project(model)              # keeps biases from rewarding distance
    pecvt_torch.save(model, "trained")                        # `pecvt export trained -o out` goes on from there

The class is the one that transformers has for pecvt.source; its attention alone is replaced (attention.py). What the
block holds are parameters under `<layer>.self_attn.pecvt.rotation` and `.bias`: pecvt_torch.parameters(model) lists
them. Needs torch and transformers 5 (testdata/interop/pins/transformers5.txt).
"""

from .folder import Refused, load, parameters, project, save

__all__ = ["Refused", "load", "parameters", "project", "save"]
