package names

import "slices"

// Rounded are what a graph holds of a weight that was rounded to codes in blocks of its
// columns when the graph was emitted: codes of 4 or 8 bits (rows, blocks, bytes), scales
// and the numbers of code 0 as float16 (rows, blocks), zero points packed as the codes
// are, (rows, bytes). Elements4 are the bytes of Codes4 with a code an element, (rows,
// blocks, columns), of a type that operator sets below 21 have not.
type Rounded string

// What is held.
const (
	RoundedCodes4    Rounded = "codes4"
	RoundedCodes8    Rounded = "codes8"
	RoundedElements4 Rounded = "elements4"
	RoundedScales    Rounded = "scales"
	RoundedLows      Rounded = "lows"
	RoundedZeros     Rounded = "zeros"
)

// Decoded is the last part of the name of a product with a map that standard operators
// decode, where the lows of its blocks are a product after it.
const Decoded = "decoded"

// roundedMark is between a weight's name and what is held of it.
const roundedMark = "~"

// RoundedWeight is the name of what a graph holds of a tensor, or of its rows and
// columns, which are given as of [TransposedWeight].
func RoundedWeight(tensor, rows string, of Rounded) string {
	return held(tensor, rows, roundedMark, string(of))
}

// HoldsCodes tells codes from what is beside them.
func (r Rounded) HoldsCodes() bool {
	return r == RoundedCodes4 || r == RoundedCodes8 || r == RoundedElements4
}

// RoundedOf reads such a name.
func RoundedOf(name string) (tensor, rows string, of Rounded, ok bool) {
	tensor, rows, piece, ok := heldOf(name, roundedMark)
	of = Rounded(piece)
	return tensor, rows, of, ok && slices.Contains([]Rounded{RoundedCodes4, RoundedCodes8, RoundedElements4, RoundedScales, RoundedLows, RoundedZeros}, of)
}
