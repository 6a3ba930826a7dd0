// Package convert turns a checkpoint into one with another positional
// encoding.
//
// NewPlan decides everything that will be written, to the byte, and writes
// nothing. Run carries a plan out: tensor by tensor, into a temporary folder
// beside the target which is renamed at the end, so that a target either is
// complete or is not there. The source is only ever read.
//
// Tensor files that stay as they are become reflinks where the file system can,
// so that a conversion which edits only config.json costs the same for any model,
// and copies elsewhere. Hard links are made on request (Options.Link): they cost
// nothing anywhere, but both names are one file, which a program that edits one
// in place edits in both, and which onnx refuses as a graph's external data.
// Weights that move are moved as
// bytes: no value is decoded, so no NaN or infinity is noticed here; verify
// reads values.
//
// # Stability
//
// Options, NewPlan, Plan, Run, RunOptions, Inspect and pecvt.json's layout
// (ManifestSchema) are meant to stay: fields come, none goes or changes its
// meaning. The wording of notes, reasons and warnings is free to change.
package convert
