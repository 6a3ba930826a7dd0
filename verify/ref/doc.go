// Package ref is the reference forward pass: float64 from the first token to
// the logits, straight from a checkpoint's tensors and configuration.
//
// It is written to be believed rather than to be fast, and shares no code with
// the rewriting of checkpoints or with the emission of graphs: what it agrees
// with, two separate programs have computed. Weights are decoded exactly (every
// stored type fits float64), angles come from posenc in float64, and nothing is
// rounded to a shorter type on the way. What is left is float64's own rounding,
// some 1e-15 of the largest term of each sum.
//
// A layer may turn its heads by spectra of their own or by a contextual phase,
// add a bias to its scores, and mix keys and values with those before; a Cache
// carries what each of them needs. The formulas are posenc's.
//
// The same pass in float32 (New32) says what that precision costs a model, and
// is the fast one for what needs no reference. Walk leads it from layer to layer.
//
// Weights are decoded in blocks of a few rows, right before they are
// multiplied, so that memory holds the activations and no whole matrix.
//
// # Stability
//
// New, New32, Forward and Walk are meant to stay. The names that Tap sees are those
// of onnxops/names, and change with them.
package ref
