package names

import "slices"

// Coded are what a graph holds of a weight whose numbers are codes on a grid.
type Coded string

// Codes are its codes, one in each element, Scales the factor of each block of a row,
// Zeros the code that stands for 0 in it and Offsets what is added to its products;
// Nibbles and NibbleZeros are codes of 4 bits, two in a byte.
const (
	Codes       Coded = "codes"
	Scales      Coded = "scales"
	Zeros       Coded = "zeros"
	Offsets     Coded = "offsets"
	Nibbles     Coded = "codes4"
	NibbleZeros Coded = "zeros4"
)

// codedMark is between a weight's name and what is held of it.
const codedMark = "#"

// CodedWeight is the name of a graph's codes, scales or zeros of a tensor, or of its
// rows, which are given as of [TransposedWeight].
func CodedWeight(tensor, rows string, of Coded) string {
	return held(tensor, rows, codedMark, string(of))
}

// CodedOf reads such a name.
func CodedOf(name string) (tensor, rows string, of Coded, ok bool) {
	tensor, rows, piece, ok := heldOf(name, codedMark)
	of = Coded(piece)
	return tensor, rows, of, ok && slices.Contains([]Coded{Codes, Scales, Zeros, Offsets, Nibbles, NibbleZeros}, of)
}
