// Package safetensors reads and writes checkpoints in the safetensors format:
// one file, or shards with an index.
//
// A file is an 8-byte little-endian header length, a JSON header and the data.
// The header maps each tensor's name to its dtype, shape and data_offsets, which
// count from the end of the header; "__metadata__" maps strings to strings. An
// index (*.safetensors.index.json) names the shard of each tensor in its
// weight_map.
//
// Nothing that a file says is believed before it is checked: lengths are bounded
// before anything is allocated, names occur once, the tensors cover the data
// without overlap or gap, each tensor's bytes are those of its dtype and shape,
// and shards and index agree both ways. Files are mapped into memory where the
// system can; tensors are read through github.com/nlpodyssey/safetensors over
// that map, whose reading of the header must agree with ours. It does not know
// FP8: files that hold such a tensor are read by our header's offsets.
//
// # Stability
//
// OpenCheckpoint, Create and what they return are meant to stay.
package safetensors
