// Package family describes model families as data and reads a checkpoint's
// configuration into a Model: sizes, norms, attention, rotation, and which
// stored tensor (or which rows of one) each weight is.
//
// A family is one file and one row of the table in table.go. Everything that
// consumes a model (the Go reference, the rewriter, the ONNX emitter) works
// from Model alone and knows no family by name.
//
// Reading is strict: a rope type, an activation or a key of the rope
// dictionary that is not known is an error that names it, and every tensor of
// the checkpoint is claimed exactly once.
//
// # Stability
//
// Load, Find, Table and Model's sizes are meant to stay. Block and its parts grow
// with every new kind of layer: go by the list of parts, and refuse by Beyond what
// you do not know.
package family
