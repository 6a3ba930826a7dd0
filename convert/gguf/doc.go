// Package gguf reads and writes the container of GGUF files, the format of
// llama.cpp: typed metadata in order, the list of tensors, and where their bytes
// lie. What the metadata and the names mean is package convert/gguf/arch's; what
// the bytes mean is convert/tensor's.
//
// A file is magic, version, two counts, the metadata, the tensor list, padding up
// to the alignment, and the tensors' data, each at a multiple of the alignment.
// All of it is little-endian. Versions 2 and 3 differ in nothing that is read
// here. Source: docs/gguf.md of ggml, and gguf.cpp of llama.cpp.
//
// Every claim of a file is checked against its size, or against a bound of this
// package, before anything is allocated for it; see [Read]. A [KV] keeps its
// value as the file spells it, so that writing it again gives the same bytes.
package gguf
