// Package quant reads quantised weights: numbers that lie in several tensors, as
// codes and what makes numbers of them. It knows nothing of models. [Find] asks the
// table of formats which tensors of a checkpoint are such weights, by what the
// configuration declares and what the tensors show, and each is then read under the
// name and in the shape that it has in a plain checkpoint (package store).
//
// A format is one file and one row of the table.
package quant
