"""Makes this folder's PyTorch files.

    python make_fixtures.py ../../../testdata/golden/grape-rope-subln

grape.bin is that golden's state dictionary as the official GRAPE code's
save_pretrained leaves it, lm_head beside the embedding it shares its storage
with. The others are small: what torch can save in a state dictionary, what must
be refused, and a pickle that would run a command. Made with torch 2.6.0.
"""
import io
import os
import pickle
import sys
import zipfile
from collections import OrderedDict

import torch
from safetensors.torch import load_file, save_file

state = OrderedDict(sorted(load_file(sys.argv[1] + "/model.safetensors").items()))
state["lm_head.weight"] = state["transformer.wte.weight"]
torch.save(state, "grape.bin")

torch.manual_seed(7)
base = torch.randn(6, 8)
kinds = {
    "plain": torch.randn(3, 4), "scalar": torch.tensor(2.5), "empty": torch.zeros(0, 4),
    "transposed": base.t(), "rows": base[2:5], "columns": base[:, 3:6], "every.other": base[::2, ::3], "cube": torch.randn(2, 3, 4).permute(2, 0, 1),
    "f64": torch.randn(3, dtype=torch.float64), "f16": torch.randn(5).half(), "bf16": torch.randn(2, 3).bfloat16(),
    "i64": torch.arange(-2, 3), "i32": torch.arange(4, dtype=torch.int32), "i16": torch.arange(3, dtype=torch.int16),
    "i8": torch.arange(-3, 3, dtype=torch.int8), "u8": torch.arange(6, dtype=torch.uint8), "bool": torch.tensor([True, False, True]),
    "u16": torch.tensor([1, 2, 65535], dtype=torch.uint16), "e4m3": torch.randn(4).to(torch.float8_e4m3fn), "e5m2": torch.randn(4).to(torch.float8_e5m2),
}
torch.save(kinds, "kinds.pt")
torch.save(kinds, "kinds-protocol4.pt", pickle_protocol=4)
save_file({k: v.contiguous() for k, v in kinds.items()}, "kinds.safetensors")


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a = torch.nn.Linear(3, 2)
        self.norm = torch.nn.BatchNorm1d(2)


net = Net()
optimizer = torch.optim.AdamW(net.parameters())
net.a(torch.randn(4, 3)).sum().backward()
optimizer.step()
torch.save({"model": {"_orig_mod." + k: v for k, v in net.state_dict().items()}, "optimizer": optimizer.state_dict(), "iter_num": 7,
            "best_val_loss": torch.tensor(1.5), "config": {"lr": 1e-3, "name": "x", "none": None}}, "training.pt")
save_file(dict(net.state_dict()), "training.safetensors")
torch.save(torch.nn.ParameterDict({"w": torch.nn.Parameter(torch.ones(2))}).state_dict() | {"p": torch.nn.Parameter(torch.ones(3))}, "parameter.pt")
torch.save({"w": torch.ones(1).expand(1000)}, "expanded.pt")
torch.save({"a.weight": torch.ones(2), "step": 3}, "mixed.pt")
torch.save(net, "module.pt")
torch.save({"x": torch.zeros(2)}, "legacy.pt", _use_new_zipfile_serialization=False)
torch.jit.script(torch.nn.Linear(2, 2)).save("script.pt")


class Command:
    def __reduce__(self):
        return os.system, ("touch owned",)


def archive(name, data, storages={}):
    with zipfile.ZipFile(name, "w") as z:
        z.writestr("archive/data.pkl", data)
        z.writestr("archive/byteorder", "little")
        for key, raw in storages.items():
            z.writestr(f"archive/data/{key}", raw)


archive("malicious.pt", pickle.dumps({"w": Command()}, 2))
archive("malicious-protocol4.pt", pickle.dumps({"w": Command()}, 4))
legacy_run = b"(S'touch owned'\nios\nsystem\n."  # INST, which older readers run without a REDUCE
archive("malicious-inst.pt", legacy_run)
