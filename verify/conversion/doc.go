// Package conversion checks what a conversion made of a model, without the code
// that converts: what the result must be is made from the source and the flags in
// pecvt.json, and weights, rotation and logits are compared with it. A [Case] is
// all that it needs.
package conversion
