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
}

// Count is the number of rows.
func (p Piece) Count() int64 { return p.Rows.End - p.Rows.Begin }

// joined appends a piece, merging it with the one before where the two are one
// run.
func joined(list []Piece, p Piece) []Piece {
	if n := len(list); n > 0 {
		last := &list[n-1]
		if last.Tensor == p.Tensor && last.Zero == p.Zero && last.Rows.End == p.Rows.Begin {
			last.Rows.End = p.Rows.End
			return list
		}
	}
	return append(list, p)
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

// source is where one row of a head comes from, or a zero row shaped like it.
type source struct {
	row  int
	zero bool
}

// perHead rearranges every head of a weight whose first axis is heads × width:
// row j of a head comes from its row order[j].
func perHead(w family.Weight, order []source) []Piece {
	stored := make([]int64, 0, w.Shape[0])
	for _, r := range storedRows(w) {
		for row := r.Begin; row < r.End; row++ {
			stored = append(stored, row)
		}
	}
	var list []Piece
	for head := 0; head < len(stored); head += len(order) {
		for _, s := range order {
			row := stored[head+s.row]
			list = joined(list, Piece{Tensor: w.Tensor, Rows: family.Range{Begin: row, End: row + 1}, Zero: s.zero})
		}
	}
	return list
}

// edits collects the changed rows of stored tensors that keep their names.
type edits map[string][]change

type change struct {
	stored []int64
	at     int64
	pieces []Piece
}

// replace puts pieces, as many rows as the weight has, where the weight's rows
// are stored, which must be one run.
func (e edits) replace(w family.Weight, pieces []Piece) {
	e[w.Tensor] = append(e[w.Tensor], change{stored: w.Stored, at: storedRows(w)[0].Begin, pieces: pieces})
}

// list returns one Edit per tensor, sorted by name; rows that no change covers
// stay.
func (e edits) list() []Edit {
	out := make([]Edit, 0, len(e))
	for name, changes := range e {
		sort.Slice(changes, func(i, j int) bool { return changes[i].at < changes[j].at })
		edit := Edit{Name: name, Shape: changes[0].stored}
		var at int64
		for _, c := range changes {
			if c.at > at {
				edit.Pieces = joined(edit.Pieces, Piece{Tensor: name, Rows: family.Range{Begin: at, End: c.at}})
			}
			at = c.at
			for _, p := range c.pieces {
				edit.Pieces = joined(edit.Pieces, p)
				at += p.Count()
			}
		}
		if at < edit.Shape[0] {
			edit.Pieces = joined(edit.Pieces, Piece{Tensor: name, Rows: family.Range{Begin: at, End: edit.Shape[0]}})
		}
		out = append(out, edit)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}
