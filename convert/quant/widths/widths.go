package widths

import (
	"cmp"
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/quant/nearest"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
)

// What the embedding and the head are.
const (
	// Auto is codes as the maps have, or the grid of 4 or 8 bits in blocks of 32 on
	// which the weight's numbers lie where that of the maps does not hold them.
	Auto = "auto"
	// Stored is the numbers as they are stored.
	Stored = "stored"
	Int8   = "int8"
	Int4   = "int4"
)

// Heads lists them.
func Heads() []string { return []string{Auto, Stored, Int8, Int4} }

// Schemes are the codes of a model's weights.
type Schemes struct {
	Maps  nearest.Scheme
	heads map[string]*nearest.Scheme // by tensor; nil stays as it is stored
}

// Of is the scheme of a weight; false for one that stays as it is stored.
func (s Schemes) Of(w family.Weight) (nearest.Scheme, bool) {
	h, is := s.heads[w.Tensor]
	switch {
	case !is:
		return s.Maps, true
	case h == nil:
		return nearest.Scheme{}, false
	}
	return *h, true
}

// New chooses the schemes of m's weights: head is what its embedding and its head are.
// Auto looks at the numbers in src; what src lacks has the maps' codes.
func New(m *family.Model, src store.Store, maps nearest.Scheme, head string) (Schemes, error) {
	s := Schemes{Maps: maps, heads: map[string]*nearest.Scheme{}}
	for _, w := range []family.Weight{m.Embed, m.Head.Weight} {
		if _, done := s.heads[w.Tensor]; done {
			continue
		}
		var is *nearest.Scheme
		switch cmp.Or(head, Auto) {
		case Stored:
		case Int8:
			is = &nearest.Scheme{Bits: 8, Block: maps.Block, Zeros: nearest.ZeroNone}
			if maps.Bits == 8 {
				is.Zeros = maps.Zeros
			}
		case Int4:
			is = &nearest.Scheme{Bits: 4, Block: maps.Block, Zeros: maps.Zeros}
		case Auto:
			of, err := gridOf(w, src, maps)
			if err != nil {
				return s, err
			}
			is = &of
		default:
			return s, fmt.Errorf("embedding and head %q%s", head, posenc.Suggest(head, Heads()))
		}
		s.heads[w.Tensor] = is
	}
	return s, nil
}

// looked is how many rows of a weight are looked at for a grid.
const looked = 64

// gridOf is the scheme that keeps a weight's numbers: the maps' own where it does so or
// none does, else one in ggml's blocks of 32.
func gridOf(w family.Weight, src store.Store, maps nearest.Scheme) (nearest.Scheme, error) {
	_, held := src.Lookup(w.Tensor)
	if q := store.Quantised(src); !held || len(w.Shape) != 2 || q != nil && q.Tensors[w.Tensor] != nil {
		return maps, nil // it stays, or has codes already
	}
	if w.Columns != nil { // no row of it is read alone
		return maps, nil
	}
	fits, err := fitting(w, src, []nearest.Scheme{maps, {Bits: 4, Block: 32, Zeros: maps.Zeros}, {Bits: 8, Block: 32, Zeros: nearest.ZeroNone}})
	if err != nil || len(fits) == 0 {
		return maps, err
	}
	return fits[0], nil
}

// Lossless is a scheme of as many bits that keeps a linear map's numbers where the maps'
// own does not: of the blocks of 32 that ggml has, with another kind of zero points. It is
// false where there is none, or none is needed; some rows are looked at.
func Lossless(w family.Weight, src store.Store, maps nearest.Scheme) (nearest.Scheme, bool, error) {
	if info, held := src.Lookup(w.Tensor); !held || len(info.Shape) != 2 || len(w.Shape) != 2 || w.Columns != nil {
		return maps, false, nil // no row of it is read alone
	}
	list := []nearest.Scheme{maps}
	for _, zeros := range nearest.ZeroPoints() {
		list = append(list, nearest.Scheme{Bits: maps.Bits, Block: 32, Zeros: zeros})
	}
	fits, err := fitting(w, src, list)
	if err != nil || len(fits) == 0 || fits[0] == maps {
		return maps, false, err
	}
	return fits[0], true, nil
}

// fitting are the schemes that keep every number of some rows of a weight, in their order;
// none where the rows are zeros, which tell nothing.
func fitting(w family.Weight, src store.Store, fits []nearest.Scheme) ([]nearest.Scheme, error) {
	info, _ := src.Lookup(w.Tensor)
	seen := false
	for i := range min(w.Shape[0], looked) {
		row := i * w.Shape[0] / min(w.Shape[0], looked)
		numbers, err := w.Between(row, row+1).Float32(src)
		if err != nil {
			return nil, err
		}
		rest := fits[:0:0]
		for _, s := range fits {
			on, some := lies(numbers, s, Digits(info.DType))
			if seen = seen || some; on {
				rest = append(rest, s)
			}
		}
		if fits = rest; len(fits) == 0 {
			return nil, nil
		}
	}
	src.Release(w.Tensor)
	if !seen {
		return nil, nil
	}
	return fits, nil
}

// lies tells whether every block of a row lies on a grid of the scheme, and whether one
// has a number other than 0.
func lies(row []float32, s nearest.Scheme, digits int) (on, some bool) {
	for from := 0; from < len(row); from += s.Block {
		block := row[from:min(from+s.Block, len(row))]
		zero := true
		for _, x := range block {
			zero = zero && x == 0
		}
		if zero {
			continue
		}
		some = true
		if g, err := s.Fit(block, digits); err != nil || !g.Exact {
			return false, some // what cannot be rounded, the rounding says
		}
	}
	return true, some
}

// Digits are the binary digits that numbers of a type are stored with.
func Digits(t tensor.DType) int {
	switch t {
	case tensor.BF16:
		return 8
	case tensor.F16:
		return 11
	}
	return 24
}

// Head says what embedding and head are where that is not what the maps are: "stored",
// or the name of a scheme, of several joined by "; ".
func (s Schemes) Head(m *family.Model) string {
	text := ""
	for i, w := range []family.Weight{m.Embed, m.Head.Weight} {
		h := s.heads[w.Tensor]
		one := Stored
		if h != nil {
			one = h.String()
		}
		switch {
		case i == 0:
			text = one
		case one != text:
			text += "; " + one
		}
	}
	if text == s.Maps.String() {
		return ""
	}
	return text
}
