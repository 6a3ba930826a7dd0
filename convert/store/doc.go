// Package store is how everything above the file formats sees a model's stored
// tensors: names, types and shapes, bytes and rows, and where the bytes lie.
// Families, emission, the reference and the checks take a [Store], so that
// another kind of file needs nothing of them.
//
// [Open] is the one door: it picks the kind by the path: safetensors, or a GGUF
// file, whose [Store.FS] is the config.json that its metadata amount to, and whose
// names, shapes and rows are those of the family. A new kind is a package beside convert/safetensors that reads its
// format (bounded, every claim of the file checked before it is believed), a row
// in the table of [Open], and a call of the suite in storetest.
//
// Where the files are is package place's: those of a bucket are read by range, and
// [Reader.Place] names them by URL.
//
// What is written is still safetensors alone: package convert lays out its files,
// streams into safetensors.Writer, and links or copies whole files whose
// [tensor.File.Format] is that. A writer of another format takes the same
// sections and edits (convert/stream.go) and the same plan of files.
package store
