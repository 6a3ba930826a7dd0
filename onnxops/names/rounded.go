package names

import "slices"

// Rounded are what a graph holds of a weight that was rounded to codes in blocks of its
// columns when the graph was emitted: codes of 4 or 8 bits (rows, blocks, bytes), scales
// and the numbers of code 0 as float16 (rows, blocks), zero points packed as the codes
// are, (rows, bytes).
type Rounded string

// What is held.
const (
	RoundedCodes4 Rounded = "codes4"
	RoundedCodes8 Rounded = "codes8"
	RoundedScales Rounded = "scales"
	RoundedLows   Rounded = "lows"
	RoundedZeros  Rounded = "zeros"
)

// roundedMark is between a weight's name and what is held of it.
const roundedMark = "~"

// RoundedWeight is the name of what a graph holds of a tensor, or of its rows and
// columns, which are given as of [TransposedWeight].
func RoundedWeight(tensor, rows string, of Rounded) string {
	return held(tensor, rows, roundedMark, string(of))
}

// RoundedOf reads such a name.
func RoundedOf(name string) (tensor, rows string, of Rounded, ok bool) {
	tensor, rows, piece, ok := heldOf(name, roundedMark)
	of = Rounded(piece)
	return tensor, rows, of, ok && slices.Contains([]Rounded{RoundedCodes4, RoundedCodes8, RoundedScales, RoundedLows, RoundedZeros}, of)
}
