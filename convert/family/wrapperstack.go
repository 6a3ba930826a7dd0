package family

import (
	"slices"

	"github.com/pecvt/pecvt/convert/store"
)

// eitherWay turns stacked experts of a language model inside to the order that the file
// has: (experts, in, out) as published, or (experts, out, in) as transformers 5 writes
// them, which goes by the shapes too and takes a square for the second.
func (m *Model) eitherWay(s store.Store) {
	if m.Wrapper == nil || !m.Wrapper.text.EitherWay {
		return
	}
	for i := range m.Blocks {
		e := m.Blocks[i].Mixture()
		if e == nil {
			continue
		}
		for n := range e.Each {
			x := &e.Each[n]
			for _, w := range []*Weight{&x.Gate.Weight, &x.Up.Weight, &x.Down.Weight} {
				w.lengthwise(s, int64(n))
			}
		}
	}
}

// lengthwise makes the weight of expert n one of rows, where the tensor's shape says so.
func (w *Weight) lengthwise(s store.Store, n int64) {
	info, ok := s.Lookup(w.Tensor)
	if !ok || w.Columns == nil || !w.Columns.Across || len(w.Stored) != 3 {
		return
	}
	count, in, all := w.Stored[0], w.Stored[1], w.Stored[2]
	if !slices.Equal(info.Shape, []int64{count, all, in}) {
		return
	}
	begin := n*all + w.Columns.Begin
	w.Stored, w.Rows, w.Columns = []int64{count, all, in}, []Range{{begin, begin + w.Columns.Count}}, nil
}
