// Package vocab writes the tokenizer of a Hugging Face folder into the metadata of
// a GGUF file, and the other way ([Restore]), as llama.cpp reads it: byte-level BPE as the model "gpt2" with the
// name of its pre-tokenizer, SentencePiece's BPE as the model "llama" with scores.
//
// What llama.cpp would tokenize otherwise is an error that names it: another kind
// of model, a normalizer, a pre-tokenizer that is in none of its names. A folder
// without a tokenizer gives the model "none", which runs on token ids.
//
// Source: llama-vocab.cpp of llama.cpp (November 2026, the tree in llama-cpp-python
// 0.3.36), and for what stands under which key its converter's conversion/base.py
// and the gguf package's SpecialVocab.
package vocab
