// Package lower writes operators of ai.onnx out in older ones, for graphs of an
// operator set that lacks them. [Table] lists them: one file per operator, one row
// with the operator set that brought it.
//
// What a row adds is what pecvt's graphs hold: heads of (batch, heads, positions,
// size), a mask in every attention, a past in every cache. Anything else that the
// operator knows is an error, not a guess.
package lower
