package family

import (
	"encoding/binary"
	"fmt"

	"github.com/pecvt/pecvt/convert/tensor"
)

// Columns are Count columns of stored rows: Begin, Begin + Step, … Across, each is a
// row of the weight: the tensor holds the matrix the other way round, (in, out).
type Columns struct {
	Begin, Step, Count int64
	Across             bool
}

// All tells whether they are all columns of rows of width elements.
func (c *Columns) All(width int64) bool { return c.Begin == 0 && c.Step == 1 && c.Count == width }

// Width is the number of columns of the weight's stored matrix.
func (w Weight) Width() int64 {
	m := tensor.Matrix(w.Stored)
	return m[len(m)-1]
}

// columnTile is how many stored rows are taken at a time: one line of the cache of
// each stays at hand.
const columnTile = 16

// of takes the columns out of rows of width elements.
func (c *Columns) of(raw []byte, d tensor.DType, width int64) ([]byte, error) {
	if d.IsBlock() || c.Begin < 0 || c.Step < 1 || c.Count < 1 || c.Begin+(c.Count-1)*c.Step >= width {
		return nil, fmt.Errorf("%d columns from %d on in steps of %d, of rows of %d %s: no such elements", c.Count, c.Begin, c.Step, width, d)
	}
	size := int64(d.Size())
	rows := int64(len(raw)) / (width * size)
	down, along := int64(1), c.Count // how far the next column and the next row are in the result
	if c.Across {
		down, along = rows, 1
	}
	out := make([]byte, rows*c.Count*size)
	for first := int64(0); first < rows; first += columnTile {
		last := min(first+columnTile, rows)
		for j := range c.Count {
			for i := first; i < last; i++ {
				from, to := (i*width+c.Begin+j*c.Step)*size, (i*along+j*down)*size
				switch size {
				case 2:
					binary.LittleEndian.PutUint16(out[to:], binary.LittleEndian.Uint16(raw[from:]))
				case 4:
					binary.LittleEndian.PutUint32(out[to:], binary.LittleEndian.Uint32(raw[from:]))
				default:
					copy(out[to:to+size], raw[from:])
				}
			}
		}
	}
	return out, nil
}

// StoredAt maps an element of a matrix to its row and column in the stored one.
func (w Weight) StoredAt(row, column int64) []int64 {
	c := w.Columns
	switch {
	case c == nil:
		return []int64{w.StoredRow(row), column}
	case c.Across:
		row, column = column, row
	}
	return []int64{w.StoredRow(row), c.Begin + column*c.Step}
}
