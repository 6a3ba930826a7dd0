package rewrite

import (
	"sort"

	"github.com/pecvt/pecvt/convert/family"
)

// Edit makes one tensor of the result out of rows of stored ones. Rows are
// moved as they are stored, whatever their dtype; all sources of one edit must
// share it.
type Edit struct {
	// Name and Shape are the result's.
	Name  string
	Shape []int64
	// Pieces follow each other along the first axis.
	Pieces []Piece
}

// Piece is a run of rows.
type Piece struct {
	// Tensor is the stored tensor the rows come from, or are shaped like.
	Tensor string
	Rows   family.Range
	// Zero writes zero bytes in their place: +0 in every dtype.
	Zero bool
	// Negate flips the sign of every element: exact in every float dtype.
	Negate bool
}

// Count is the number of rows.
func (p Piece) Count() int64 { return p.Rows.End - p.Rows.Begin }

// joined appends a piece, merging it with the one before where the two are one
// run.
func joined(list []Piece, p Piece) []Piece {
	if n := len(list); n > 0 {
		last := &list[n-1]
		if last.Tensor == p.Tensor && last.Zero == p.Zero && last.Negate == p.Negate && last.Rows.End == p.Rows.Begin {
			last.Rows.End = p.Rows.End
			return list
		}
	}
	return append(list, p)
}

// Join merges the pieces of a list that are one run.
func Join(list []Piece) []Piece {
	var out []Piece
	for _, p := range list {
		out = joined(out, p)
	}
	return out
}

// storedRows lists the stored rows that make up a weight.
func storedRows(w family.Weight) []family.Range {
	if w.Rows == nil {
		return []family.Range{{Begin: 0, End: w.Stored[0]}}
	}
	return w.Rows
}

// rowsOf is a weight as it stands.
func rowsOf(w family.Weight) []Piece {
	var list []Piece
	for _, r := range storedRows(w) {
		list = joined(list, Piece{Tensor: w.Tensor, Rows: r})
	}
	return list
}

// source is where one row of a head comes from, as it is or negated, or a zero
// row shaped like it.
type source struct {
	row          int
	zero, negate bool
}

// rowsAt lists a weight's stored rows one by one.
func rowsAt(w family.Weight) []int64 {
	list := make([]int64, 0, w.Shape[0])
	for _, r := range storedRows(w) {
		for row := r.Begin; row < r.End; row++ {
			list = append(list, row)
		}
	}
	return list
}

// perHead rearranges every head of a weight whose first axis is heads × width:
// row j of a head comes from its row order[j].
func perHead(w family.Weight, order []source) []Piece {
	stored := rowsAt(w)
	var list []Piece
	for head := 0; head < len(stored); head += len(order) {
		for _, s := range order {
			list = joined(list, one(w.Tensor, stored[head+s.row], s))
		}
	}
	return list
}

func one(tensor string, row int64, s source) Piece {
	return Piece{Tensor: tensor, Rows: family.Range{Begin: row, End: row + 1}, Zero: s.zero, Negate: s.negate}
}

// edits collects the changed rows of stored tensors that keep their names.
type edits map[string]*table

// table says for each row of a tensor which of its rows it comes from; zeroRow
// is a zero row. Rows in negated change their sign.
type table struct {
	shape   []int64
	rows    []int64
	negated map[int]bool
}

const zeroRow = -1

// perHead rearranges every head of a weight where it is stored, whether that is
// a tensor of its own or rows scattered over a fused one.
func (e edits) perHead(w family.Weight, order []source) {
	t := e[w.Tensor]
	if t == nil {
		t = &table{shape: w.Stored, rows: make([]int64, w.Stored[0])}
		for i := range t.rows {
			t.rows[i] = int64(i)
		}
		e[w.Tensor] = t
	}
	stored := rowsAt(w)
	for head := 0; head < len(stored); head += len(order) {
		for j, s := range order {
			t.rows[stored[head+j]] = stored[head+s.row]
			if s.zero {
				t.rows[stored[head+j]] = zeroRow
			}
			if s.negate {
				if t.negated == nil {
					t.negated = map[int]bool{}
				}
				t.negated[int(stored[head+j])] = true
			}
		}
	}
}

// list returns one Edit per tensor, sorted by name.
func (e edits) list() []Edit {
	out := make([]Edit, 0, len(e))
	for name, t := range e {
		edit := Edit{Name: name, Shape: t.shape}
		for i, from := range t.rows {
			p := one(name, from, source{negate: t.negated[i]})
			if from == zeroRow {
				p = one(name, int64(i), source{zero: true})
			}
			edit.Pieces = joined(edit.Pieces, p)
		}
		out = append(out, edit)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}
