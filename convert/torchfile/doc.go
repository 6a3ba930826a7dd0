// Package torchfile imports PyTorch checkpoints (.pt, .bin) as safetensors.
//
// Nothing in them is run. A checkpoint is a zip archive of a pickle, which
// names the tensors, and of their raw storages. The pickle's opcodes and
// lengths are checked before it is read (scan.go); a global outside a short list
// of torch's own rebuilding functions is an error that names it (globals.go),
// and those functions are not called but described. Storages are copied from
// the archive to the target as they lie.
//
// Decision: an importer that writes safetensors, not a second kind of
// checkpoint. All else in this module maps safetensors files, checks and
// fingerprints them, and points graphs into them; a pickled checkpoint would need
// each of these twice, and a graph cannot point into an archive. The import
// costs one copy of the file, made once.
package torchfile
