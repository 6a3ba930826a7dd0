package arch

import "fmt"

// Order says how the rows of a GGUF file's tensor lie among those that the family
// stores. Rows are those of the first dimension: the outputs of a matrix, the
// elements of a bias.
type Order int

const (
	// AsIs: row by row the same.
	AsIs Order = iota
	// TurnedQ: each query head's halves x0, x1, …, y0, y1, … lie interleaved, x0,
	// y0, x1, y1, …, since llama.cpp's rotation pairs neighbours (LlamaModel.permute
	// of conversion/llama.py).
	TurnedQ
	// TurnedK is TurnedQ for the key heads.
	TurnedK
	// Grouped: the family stores, for each key/value head, the rows of its query
	// heads, of its key and of its value; the file has all queries, all keys, all
	// values (conversion/bloom.py, gptneox.py, falcon.py).
	Grouped
)

// Sizes are what orders depend on.
type Sizes struct{ Heads, KVHeads, HeadDim int64 }

// Check finds that a tensor of some rows can be in an order.
func (o Order) Check(s Sizes, rows int64) error {
	var want int64
	switch o {
	case AsIs:
		return nil
	case TurnedQ:
		want = s.Heads * s.HeadDim
	case TurnedK:
		want = s.KVHeads * s.HeadDim
	case Grouped:
		want = (s.Heads + 2*s.KVHeads) * s.HeadDim
	}
	if rows != want {
		return fmt.Errorf("%d rows: expected %d of %d heads, %d key/value heads and a head size of %d", rows, want, s.Heads, s.KVHeads, s.HeadDim)
	}
	if (o == TurnedQ || o == TurnedK) && s.HeadDim%2 != 0 {
		return fmt.Errorf("a head size of %d: expected an even one", s.HeadDim)
	}
	return nil
}

// Row gives the GGUF file's row that holds row i of the family's tensor.
func (o Order) Row(s Sizes, i int64) int64 {
	d := s.HeadDim
	switch o {
	case TurnedQ, TurnedK:
		head, in := i/d, i%d
		half, plane := in/(d/2), in%(d/2)
		return head*d + 2*plane + half
	case Grouped:
		each := s.Heads / s.KVHeads // query heads of a key
		slot, in := i/d, i%d
		group, place := slot/(each+2), slot%(each+2)
		switch place {
		case each:
			return (s.Heads+group)*d + in
		case each + 1:
			return (s.Heads+s.KVHeads+group)*d + in
		}
		return (group*each+place)*d + in
	}
	return i
}
