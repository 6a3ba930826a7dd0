#!/usr/bin/env python3
"""Write blocks.safetensors: units of every block format that is read, and what the gguf package decodes them to.

    pip install gguf==0.19.0 safetensors && python3 make_blocks.py

Codes are random bytes, so that every code and every packed scale occurs; the binary16 scales are random too, and finite,
with 0, a subnormal and the largest among them.
"""
import os

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as T, dequantize
from safetensors.numpy import save_file

SCALES = {'Q4_0': [0], 'Q4_1': [0, 2], 'Q5_0': [0], 'Q5_1': [0, 2], 'Q8_0': [0], 'Q4_K': [0, 2], 'Q5_K': [0, 2], 'Q6_K': [208], 'MXFP4': []}
rng = np.random.default_rng(14)
out = {}
for name, places in SCALES.items():
    elements, size = GGML_QUANT_SIZES[T[name]]
    units = 24 if elements == 256 else 48
    raw = rng.integers(0, 256, (units, size), dtype=np.uint8)
    for at in places:
        scale = rng.normal(0, 0.02, units).astype(np.float16)
        scale[:4] = [0, 6e-8, 65504, -65504]
        raw[:, at:at + 2] = scale.view(np.uint8).reshape(units, 2)
    if name == 'MXFP4':
        raw[:, 0] = [0, 1, 2, 252] + list(rng.integers(100, 140, units - 4))
    out[name + '.raw'] = raw
    out[name + '.values'] = np.ascontiguousarray(dequantize(raw, T[name]).astype(np.float32))
save_file(out, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'blocks.safetensors'))
