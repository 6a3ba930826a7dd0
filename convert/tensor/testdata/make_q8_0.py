"""Write q8_0.bin: 24 blocks of 32 float32, then what the gguf package (0.19.0, of
llama.cpp) makes of them, 24 blocks of Q8_0. Blocks 0 to 3 are zero, too small for
a binary16 scale, halfway between two codes, and of a subnormal scale.

    python make_q8_0.py > q8_0.bin        # numpy 2.4.6, gguf 0.19.0
"""
import sys

import numpy as np
from gguf import GGMLQuantizationType, quants

r = np.random.default_rng(8)
x = (r.standard_normal((24, 32)) * np.exp(r.uniform(-30, 8, (24, 1)))).astype(np.float32)
x[:2] = 0
x[1, 3:5] = 1e-9, -2e-9
x[2] = np.arange(-16, 16) * np.float32(0.5)
x[2, :6] = 127, 0.5, -0.5, 1.5, -1.5, 2.5
x[3] = 0
x[3, :2] = -4e-5, 4e-5 / 3
sys.stdout.buffer.write(x.tobytes() + quants.quantize(x, GGMLQuantizationType.Q8_0).tobytes())
