#!/usr/bin/env python3
"""Write kinds.gguf: metadata of every value type, and one block of every tensor type that the gguf package knows.

    pip install "gguf @ git+https://github.com/ggml-org/llama.cpp#subdirectory=gguf-py" && python3 make_kinds.py

Q2_0 is in that tree (November 2026) and not yet in gguf 0.19.0.
"""
import os

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFValueType as V, GGUFWriter

w = GGUFWriter(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'kinds.gguf'), 'llama')
w.add_custom_alignment(64)
w.add_uint8('k.uint8', 200)
w.add_int8('k.int8', -100)
w.add_uint16('k.uint16', 60000)
w.add_int16('k.int16', -30000)
w.add_uint32('k.uint32', 4000000000)
w.add_int32('k.int32', -2000000000)
w.add_uint64('k.uint64', 1 << 63)
w.add_int64('k.int64', -(1 << 62))
w.add_float32('k.float32', 0.1)
w.add_float64('k.float64', 0.1)
w.add_bool('k.bool', True)
w.add_string('k.string', 'é\n"')
w.add_array('k.texts', ['a', '', 'ünïcode'])
w.add_array('k.integers', [1, 2, 3])
w.add_array('k.floats', [0.5, -1.0])
w.add_array('k.bools', [True, False])
for t in GGMLQuantizationType:
    n, size = GGML_QUANT_SIZES[t]
    data = np.arange(2 * 3 * size, dtype=np.uint32).astype(np.uint8).reshape(3, 2 * size)
    w.add_tensor(t.name, data, raw_shape=(3, 2 * size), raw_dtype=t)
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()
