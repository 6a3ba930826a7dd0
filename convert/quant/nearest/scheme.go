package nearest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/posenc"
)

// Kinds of zero points.
const (
	// ZeroNone: 0 is the middle code.
	ZeroNone = "none"
	// ZeroCode: 0 is a code of each block's own.
	ZeroCode = "uint8"
	// ZeroFloat: each block has a float of its own, the number of its code 0.
	ZeroFloat = "float"
)

// Scheme says how numbers become codes.
type Scheme struct {
	Bits  int    // 4 or 8
	Block int    // columns of a row that share a scale: 32, 64 or 128
	Zeros string // ZeroNone, ZeroCode or ZeroFloat
}

// Blocks are the sizes of a block.
func Blocks() []int { return []int{32, 64, 128} }

// ZeroPoints are the kinds.
func ZeroPoints() []string { return []string{ZeroNone, ZeroCode, ZeroFloat} }

// Check says what is unknown.
func (s Scheme) Check() error {
	switch {
	case s.Bits != 4 && s.Bits != 8:
		return fmt.Errorf("codes of %d bits: expected 4 or 8", s.Bits)
	case !slices.Contains(Blocks(), s.Block):
		return fmt.Errorf("blocks of %d columns: expected 32, 64 or 128", s.Block)
	case !slices.Contains(ZeroPoints(), s.Zeros):
		return fmt.Errorf("zero points %q%s", s.Zeros, posenc.Suggest(s.Zeros, ZeroPoints()))
	}
	return nil
}

// String names a scheme: "int4, blocks of 32, zero points float".
func (s Scheme) String() string {
	return fmt.Sprintf("int%d, blocks of %d, zero points %s", s.Bits, s.Block, s.Zeros)
}

// Parse reads what String writes.
func Parse(text string) (Scheme, error) {
	var s Scheme
	if n, err := fmt.Sscanf(strings.ReplaceAll(text, ",", " "), "int%d blocks of %d zero points %s", &s.Bits, &s.Block, &s.Zeros); n != 3 || err != nil {
		return s, fmt.Errorf("%q: expected such as %q", text, Scheme{4, 32, ZeroFloat})
	}
	return s, s.Check()
}

// Top is the largest code, Middle the one in the middle.
func (s Scheme) Top() int    { return 1<<s.Bits - 1 }
func (s Scheme) Middle() int { return 1 << (s.Bits - 1) }

// Across is how many blocks a row of so many columns has.
func (s Scheme) Across(columns int) int { return (columns + s.Block - 1) / s.Block }
