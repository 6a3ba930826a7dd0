package onnxops

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/quant"
	"github.com/pecvt/pecvt/convert/store"
)

// coded is a weight whose numbers are stored as codes on a grid: the rows of it, all
// columns.
type coded struct {
	w    family.Weight
	grid *quant.Grid
	src  store.Store // as stored
	// rows and columns are the weight's, block is how many columns share a scale in the
	// graph: those of the grid, or a part of them.
	rows, columns, block int64
	// nibbles: codes have 4 bits, of which the lowest is grid.Low.
	nibbles bool
	// nothing says why no form below fits, "" where one may.
	nothing string
}

// codedOf finds how a weight is stored, nil where its numbers are stored as such.
func (s *initializers) codedOf(w family.Weight) *coded {
	q := store.Quantised(s.src)
	if q == nil || q.Tensors[w.Tensor] == nil {
		return nil
	}
	c := &coded{w: w, grid: q.Tensors[w.Tensor].Grid, src: store.Stored(s.src)}
	c.w.Columns = nil
	g := c.grid
	switch {
	case g == nil:
		c.nothing = "its codes are on no grid"
		return c
	case q.Tensors[w.Tensor].Across:
		c.nothing = "its codes lie the other way round"
		return c
	}
	c.columns, c.rows = g.Columns, g.Stack*g.Rows
	if w.Rows != nil {
		c.rows = 0
		for _, r := range w.Rows {
			c.rows += r.End - r.Begin
		}
	}
	if w.Columns != nil { // chosen of these
		c.w.Shape = []int64{c.rows, c.columns}
	}
	c.block = g.BlockColumns
	c.nibbles = g.High > g.Low && g.High-g.Low <= 15
	if b := packedBlock(g); c.nibbles && b > 0 {
		c.block = b
	}
	info, _ := c.src.Lookup(g.Codes)
	switch {
	case s.kind == WeightsFloat32:
		c.nothing = "float32 was asked for"
	case g.Read == nil && codeTypes[info.DType] == 0:
		c.nothing = fmt.Sprintf("its codes are %s: expected 8 bits each", info.DType)
	case g.Read == nil && info.DType.IsFloat() && s.opset < float8Since:
		c.nothing = fmt.Sprintf("operator set %d has no 8-bit floats, %d has", s.opset, float8Since)
	case g.Read != nil && g.Low == g.High:
		c.nothing = "its codes are no integers and lie in no tensor of their own"
	case g.Read != nil && (g.Low < -128 || g.High > 127):
		c.nothing = fmt.Sprintf("its codes are %v to %v: expected those of int8", g.Low, g.High)
	}
	return c
}

// float8Since is the operator set that brought 8-bit floats.
const float8Since = 19

// packedBlock is the block of 4-bit codes: a power of two from 16 to maxBlock that
// divides the grid's. Columns that all share a scale are cut as they come: the last
// block need not be full. 0 is none.
func packedBlock(g *quant.Grid) int64 {
	switch b := min(g.BlockColumns&-g.BlockColumns, maxBlock); {
	case g.Index != "":
		return 0
	case g.Blocks() == 1:
		return maxBlock
	case b >= 16:
		return b
	}
	return 0
}

// maxBlock bounds the columns that share a scale in MatMulNBits.
const maxBlock = 128

// across is how many blocks a row has.
func (c *coded) across() int64 { return (c.columns + c.block - 1) / c.block }

// part names the rows, as names.CodedWeight has them.
func (c *coded) part() string { return partOf(family.Weight{Rows: c.w.Rows}) }

// codeForm is a way in which a graph holds codes.
type codeForm struct {
	name string
	// misfit says why a weight is not held so, "" where it is.
	misfit func(o Options, c *coded) string
}

// codeForms are the forms of a linear map, in the order in which they are asked; what
// fits none is decoded to float32.
var codeForms = []codeForm{
	{FormNBits, func(o Options, c *coded) string {
		switch {
		case o.Portable:
			return "MatMulNBits is ONNX Runtime's own operator"
		case !c.nibbles:
			return "its codes have 8 bits: ONNX Runtime 1.32 multiplies them in float32 18 times as slowly as floats"
		case c.w.Columns != nil:
			return "its columns are a part of what is stored"
		case c.grid.ReadOffsets != nil && c.grid.Low != 0:
			return fmt.Sprintf("its blocks have minimums, and its codes begin at %v", c.grid.Low)
		case packedBlock(c.grid) == 0:
			return "its scales do not serve 16 neighbours or more"
		}
		return c.zerosFit()
	}},
	{FormScaled, func(o Options, c *coded) string { return "" }},
}

// The forms.
const (
	// FormNBits is com.microsoft MatMulNBits on codes of 4 bits.
	FormNBits = "MatMulNBits"
	// FormScaled is codes times scales in standard operators, of which a runtime makes
	// float32 once, when the session loads.
	FormScaled = "codes and scales"
	// FormFloat32 is numbers decoded by pecvt.
	FormFloat32 = "float32"
)

// form chooses the form of a linear map's weight, and says why not another.
func (s *initializers) form(c *coded, o Options) (form, why string) {
	if c.nothing != "" {
		return FormFloat32, c.nothing
	}
	var reasons []string
	for _, f := range codeForms {
		misfit := f.misfit(o, c)
		if misfit == "" {
			return f.name, strings.Join(reasons, "; ")
		}
		reasons = append(reasons, misfit)
	}
	return FormFloat32, strings.Join(reasons, "; ")
}

// zerosFit tells whether all zeros of the grid are codes of 4 bits.
func (c *coded) zerosFit() string {
	if !c.grid.HasZeros() {
		return ""
	}
	low := c.grid.Low
	found := ""
	err := c.lines(func(_ int64, _, zeros []float64) error {
		for _, z := range zeros {
			if found == "" && (z != float64(int(z)) || z < low || z > low+15) {
				found = fmt.Sprintf("a zero point is %v: expected a code of %v to %v", z, low, low+15)
			}
		}
		return nil
	})
	if err != nil {
		return err.Error()
	}
	return found
}

// runs are the stored rows that the weight has.
func (c *coded) runs() []family.Range {
	if c.w.Rows == nil {
		return []family.Range{{Begin: 0, End: c.rows}}
	}
	return c.w.Rows
}

// lines walks the weight's rows with the scales and zeros of the grid's blocks.
func (c *coded) lines(visit func(row int64, scales, zeros []float64) error) error {
	var scales, zeros []float64
	last, at := int64(-1), int64(0)
	for _, r := range c.runs() {
		for row := r.Begin; row < r.End; row++ {
			if line := row / c.grid.Rows * c.grid.Rows; last < 0 || (row-line)%c.grid.BlockRows == 0 || row != last+1 {
				var err error
				if scales, zeros, err = c.grid.Line(c.src, row); err != nil {
					return fmt.Errorf("tensor %q: %w", c.w.Tensor, err)
				}
			}
			if err := visit(at, scales, zeros); err != nil {
				return err
			}
			last, at = row, at+1
		}
	}
	return nil
}
