package nearest

import (
	"fmt"
	"math"
)

// Line is a row in codes.
type Line struct {
	Codes []byte // one for each column
	Steps []Step // one for each block

	vectors *vectors
}

// NewLine makes room for a row.
func (s Scheme) NewLine(columns int) *Line {
	return &Line{Codes: make([]byte, columns), Steps: make([]Step, s.Across(columns)), vectors: &vectors{kernels: inUse}}
}

// Round rounds a row, whose numbers are stored with so many binary digits, see
// [Scheme.Fit]. A number that is not finite is an error, and one past float16's range.
func (s Scheme) Round(w []float32, digits int, line *Line) error {
	for b := range line.Steps {
		from := b * s.Block
		part := w[from:min(from+s.Block, len(w))]
		v := line.vectors
		if !v.see(part, digits) {
			v = nil
			for j, x := range part {
				if math.Float32bits(x)&0x7f800000 == 0x7f800000 { // infinite or none
					return fmt.Errorf("column %d is %v: expected a number", from+j, x)
				}
			}
		}
		var g Step
		var err error
		if v != nil {
			g, err = s.fit(v, part, v.lo, v.hi, digits)
		} else {
			g, err = s.Fit(part, digits)
		}
		if err != nil {
			return fmt.Errorf("columns %d to %d: %w", from, from+len(part)-1, err)
		}
		line.Steps[b] = g
		g.codes(v, line.Codes[from:from+len(part)], part, s.Top())
	}
	return nil
}

// codes gives the code of each number: [Step.Code] with a product for the quotient.
func (g Step) codes(v *vectors, dst []byte, w []float32, top int) {
	inverse, from := 0.0, float64(g.Zero)+0.5
	if g.Scale != 0 {
		inverse = 1 / float64(g.Scale)
	}
	from -= float64(float64(g.Low) * inverse)
	if v != nil {
		v.codes(&dst[0], &w[0], len(w), inverse, from, byte(top))
		return
	}
	for j, x := range w {
		dst[j] = byte(min(max(int(float64(float64(x)*inverse)+from), 0), top))
	}
}
