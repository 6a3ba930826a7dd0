package ref

import (
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// Input is one call of a float64 model.
type Input = InputOf[float64]

// InputOf is one call of the model: B rows of S tokens that follow a cache of P
// positions (P = 0 without one).
type InputOf[T Float] struct {
	// IDs are the tokens, (B, S).
	IDs [][]int64
	// Positions are the tokens' positions, (B, S); nil counts visible tokens:
	// PaddedPositions with a mask, P, P+1, … without one. They turn queries and
	// keys, are the distances of biases (which need them to rise from token to
	// token), and have no say in what is visible.
	Positions [][]int64
	// Mask is 1 where a key may be attended to and 0 for padding,
	// (B, P + S); nil is all ones. Keys after a query are hidden without it.
	Mask [][]int64
	// Past is the cache to continue, nil for none. It is not changed.
	Past *CacheOf[T]
}

// PaddedPositions returns the positions that belong to a mask over P past and
// S current tokens: the number of visible tokens before each of the last S, and
// 0 for padding before the first.
func PaddedPositions(mask [][]int64, s int) [][]int64 {
	out := make([][]int64, len(mask))
	for b, row := range mask {
		out[b] = make([]int64, s)
		seen := int64(0)
		for j, v := range row {
			seen += v
			if i := j - (len(row) - s); i >= 0 {
				out[b][i] = max(seen-1, 0)
			}
		}
	}
	return out
}

// batch is a checked input with its defaults filled in.
type batch struct {
	rows, seq, past int
	ids             []int64 // (B·S)
	positions       []int64 // (B·S)
	at              []int64 // (B·T): the cache's positions, then these
	hidden          [][]bool
	places          [][]int // tokens of a row up to each index, which counts; nil as hidden
}

func (b *batch) total() int  { return b.past + b.seq }
func (b *batch) tokens() int { return b.rows * b.seq }

func (in InputOf[T]) check(m *family.Model) (*batch, error) {
	b := &batch{rows: len(in.IDs)}
	if b.rows == 0 || len(in.IDs[0]) == 0 {
		return nil, fmt.Errorf("no tokens: the input needs at least one row of one token")
	}
	b.seq = len(in.IDs[0])
	if in.Past != nil {
		if err := in.Past.check(m, b.rows); err != nil {
			return nil, err
		}
		b.past = in.Past.Length
	}
	for i, row := range in.IDs {
		if len(row) != b.seq {
			return nil, fmt.Errorf("row %d has %d tokens, row 0 has %d: pad them to one length and mask the padding", i, len(row), b.seq)
		}
		for j, id := range row {
			if id < 0 || id >= int64(m.Vocab) {
				return nil, fmt.Errorf("token id %d (row %d, token %d) is outside the vocabulary of %d: the tokens belong to another model", id, i, j, m.Vocab)
			}
		}
		b.ids = append(b.ids, row...)
	}
	if err := b.readMask(in.Mask); err != nil {
		return nil, err
	}
	if in.Positions == nil && in.Mask != nil {
		in.Positions = PaddedPositions(in.Mask, b.seq)
	}
	if err := b.readPositions(in.Positions); err != nil {
		return nil, err
	}
	for i := range b.rows {
		if in.Past != nil {
			b.at = append(b.at, in.Past.Positions[i*b.past:(i+1)*b.past]...)
		}
		b.at = append(b.at, b.positions[i*b.seq:(i+1)*b.seq]...)
	}
	if n := m.Selects(); n > 0 {
		if err := b.selected(n); err != nil {
			return nil, err
		}
	}
	if biased(m) {
		return b, b.rising()
	}
	return b, nil
}

// selected refuses rows of more tokens than a query sees where layers choose them: what
// is computed is a choice of all.
func (b *batch) selected(n int) error {
	for i := range b.rows {
		seen := 0
		for j := range b.total() {
			if !b.isHidden(i, j) {
				seen++
			}
		}
		if seen > n {
			return fmt.Errorf("row %d has %d tokens, and a layer's indexer leaves %d of them to a query (index_topk): a choice among more is %w; use %d tokens or fewer", i, seen, n, posenc.ErrUnsupported, n)
		}
	}
	return nil
}

// rising reports visible tokens of a row whose positions do not rise, which
// leaves a bias without a distance.
func (b *batch) rising() error {
	for i := range b.rows {
		last := int64(math.MinInt64)
		for j, pos := range b.at[i*b.total() : (i+1)*b.total()] {
			if b.isHidden(i, j) {
				continue
			}
			if pos <= last {
				return fmt.Errorf("row %d: position %d at index %d follows position %d: a bias needs positions that rise from token to token", i, pos, j, last)
			}
			last = pos
		}
	}
	return nil
}

// place counts the tokens of a row before index j, padding left out.
func (b *batch) place(row, j int) int {
	if b.places[row] == nil {
		return j
	}
	return max(b.places[row][j]-1, 0)
}

// isHidden reports that index j (of past and current tokens) of a row is
// padding.
func (b *batch) isHidden(row, j int) bool { return b.hidden[row] != nil && b.hidden[row][j] }

func (b *batch) readPositions(positions [][]int64) error {
	if positions == nil {
		for range b.rows {
			for s := range b.seq {
				b.positions = append(b.positions, int64(b.past+s))
			}
		}
		return nil
	}
	if len(positions) != b.rows {
		return fmt.Errorf("positions have %d rows, the tokens %d", len(positions), b.rows)
	}
	for i, row := range positions {
		if len(row) != b.seq {
			return fmt.Errorf("row %d has %d positions for %d tokens", i, len(row), b.seq)
		}
		b.positions = append(b.positions, row...)
	}
	return nil
}

func (b *batch) readMask(mask [][]int64) error {
	b.hidden, b.places = make([][]bool, b.rows), make([][]int, b.rows)
	if mask == nil {
		return nil
	}
	if len(mask) != b.rows {
		return fmt.Errorf("the mask has %d rows, the tokens %d", len(mask), b.rows)
	}
	for i, row := range mask {
		if len(row) != b.total() {
			return fmt.Errorf("row %d of the mask has %d entries: expected one for each of %d past and %d current tokens", i, len(row), b.past, b.seq)
		}
		b.hidden[i], b.places[i] = make([]bool, len(row)), make([]int, len(row))
		seen := 0
		for j, v := range row {
			if v != 0 && v != 1 {
				return fmt.Errorf("the mask holds %d (row %d, entry %d): expected 0 or 1", v, i, j)
			}
			b.hidden[i][j] = v == 0
			seen += int(v)
			b.places[i][j] = seen
		}
	}
	return nil
}
