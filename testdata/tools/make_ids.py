#!/usr/bin/env python3
"""Tokenise a text into a safetensors file whose input_ids `pecvt verify --ids` reads.

    python3 -m venv v && v/bin/pip install tokenizers safetensors numpy
    v/bin/python make_ids.py MODEL_DIR TEXT POSITIONS ROWS OUT.safetensors

Rows are consecutive pieces of the text from its 2000th character on, so that a book's title page is left out.
"""
import sys

import numpy
from safetensors.numpy import save_file
from tokenizers import Tokenizer


def main(model, text, positions, rows, out):
    tokenizer = Tokenizer.from_file(f'{model}/tokenizer.json')
    body = open(text, encoding='utf-8', errors='replace').read()[2000:]
    ids = tokenizer.encode(body[:8 * positions * rows], add_special_tokens=False).ids[:positions * rows]
    save_file({'input_ids': numpy.array(ids, dtype=numpy.int64).reshape(rows, positions)}, out)


if __name__ == '__main__':
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
