package bisect

import (
	"math"
	"strings"

	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify/run"
)

// ofShared are the counterparts of what layers share: tables, masks and lengths,
// which follow from the input alone.
func (e *expecter) ofShared(n *onnxpb.NodeProto, output int) *counterpart {
	name := n.GetName()
	made := func(w *wanted) *counterpart {
		return &counterpart{nil, func(map[string][]float64) *wanted { return w }}
	}
	if r, sin, ok := e.gathered(name); ok {
		return &counterpart{nil, func(map[string][]float64) *wanted { return e.turns(r, sin) }}
	}
	switch name {
	case names.EmbedIDs:
		return made(&wanted{shape: []int{e.b * e.n}, i: run.Flatten(e.in.IDs).Data})
	case names.Lengths:
		return made(&wanted{shape: []int{2}, i: []int64{int64(e.b), int64(e.n)}})
	case names.Total:
		return made(&wanted{shape: []int{1}, i: []int64{int64(e.total())}})
	case names.MaskTotal:
		return made(&wanted{shape: []int{}, i: []int64{int64(e.total())}})
	case names.MaskLength:
		return made(&wanted{shape: []int{1}, i: []int64{int64(e.n)}})
	case names.MaskSequence:
		return made(&wanted{shape: []int{}, i: []int64{int64(e.n)}})
	case names.MaskPast:
		return made(&wanted{shape: []int{}, i: []int64{int64(e.old)}})
	case names.MaskStep:
		return made(&wanted{shape: []int{e.n}, i: counted(0, e.n)})
	case names.MaskKey:
		return made(&wanted{shape: []int{e.total()}, i: counted(0, e.total())})
	case names.MaskIndex:
		return made(&wanted{shape: []int{e.n}, i: counted(e.old, e.n)})
	case names.MaskQuery:
		return made(&wanted{shape: []int{e.n, 1}, i: counted(e.old, e.n)})
	case names.MaskCausal:
		return made(e.pairs(func(i, j int) bool { return j <= i }))
	case names.MaskSelf:
		return made(e.pairs(func(i, j int) bool { return j == i }))
	case names.MaskRealKeys:
		return made(e.realKeys(e.b, e.total()))
	case names.MaskReal:
		return made(e.realKeys(e.b, 1, 1, e.total()))
	case names.LastKey:
		return made(e.lastKeys())
	case names.TotalInt:
		return made(&wanted{i: []int64{int64(e.total())}})
	}
	if make := e.ofHeadTables(n, output); make != nil {
		return &counterpart{nil, func(map[string][]float64) *wanted { return make() }}
	}
	if w := e.ofGuard(name); w != nil {
		return made(w)
	}
	if tail := e.shapeTail(name); tail != nil {
		return made(&wanted{shape: []int{2 + len(tail)}, i: append([]int64{int64(e.b), int64(e.n)}, tail...)})
	}
	if w := e.ofChunks(name); w != nil {
		return made(w)
	}
	window, step, ok := names.WindowOf(name)
	if !ok {
		return nil
	}
	within := func(i, j int) bool { return j <= i && (window == 0 || i-j < window) }
	switch step {
	case names.MaskFirst:
		return made(&wanted{shape: []int{e.n, 1}, i: counted(e.old-window, e.n)})
	case names.MaskInside:
		return made(e.pairs(func(i, j int) bool { return i-j < window }))
	case names.MaskInWindow:
		return made(e.pairs(within))
	case names.MaskVisible:
		return made(e.visible(func(b, i, j int) bool { return within(i, j) && e.in.Mask[b][j] != 0 }))
	case names.MaskOrItself:
		return made(e.visible(func(b, i, j int) bool { return within(i, j) && e.in.Mask[b][j] != 0 || i == j }))
	case names.MaskScore:
		return made(scored(e.visible(func(b, i, j int) bool { return within(i, j) && e.in.Mask[b][j] != 0 || i == j })))
	}
	return nil
}

// ofChunks are the values that make the mask of chunks, nil for other names.
func (e *expecter) ofChunks(name string) *wanted {
	places := func(less, least int64) *wanted {
		w := &wanted{shape: []int{e.b, e.total()}}
		for _, row := range e.in.Mask {
			n := -less
			for _, v := range row {
				n += v
				w.i = append(w.i, max(n, least))
			}
		}
		return w
	}
	switch name {
	case names.MaskCount:
		return places(0, 0)
	case names.MaskPlace:
		return places(1, -1)
	case names.MaskPlaced:
		return places(1, 0)
	}
	chunk, step, ok := names.ChunkOf(name)
	if !ok {
		return nil
	}
	of := places(1, 0).i
	same := func(b, i, j int) bool {
		return of[b*e.total()+i]/int64(chunk) == of[b*e.total()+j]/int64(chunk)
	}
	seen := func(b, i, j int) bool { return j <= i && same(b, i, j) && e.in.Mask[b][j] != 0 }
	switch step {
	case names.MaskSameChunk:
		return e.visible(same)
	case names.MaskInWindow:
		return e.visible(func(b, i, j int) bool { return j <= i && same(b, i, j) })
	case names.MaskVisible:
		return e.visible(seen)
	case names.MaskOrItself:
		return e.visible(func(b, i, j int) bool { return seen(b, i, j) || i == j })
	case names.MaskScore:
		return scored(e.visible(func(b, i, j int) bool { return seen(b, i, j) || i == j }))
	}
	return nil
}

// scored is what a mask adds to scores.
func scored(seen *wanted) *wanted {
	seen.f = make([]float64, len(seen.b))
	for k, v := range seen.b {
		if !v {
			seen.f[k] = -math.MaxFloat32
		}
	}
	seen.b = nil
	return seen
}

// shapeTail is what follows batch and tokens in a shape that a node makes.
func (e *expecter) shapeTail(name string) []int64 {
	if name == names.Node(names.LogitsShape, "Concat") {
		return []int64{int64(e.s.model.Vocab)}
	}
	return names.ShapeTail(name)
}

func counted(from, n int) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = int64(from + i)
	}
	return out
}

// pairs asks of every query i and key j, (tokens, total).
func (e *expecter) pairs(ask func(i, j int) bool) *wanted {
	w := &wanted{shape: []int{e.n, e.total()}}
	for i := range e.n {
		for j := range e.total() {
			w.b = append(w.b, ask(e.old+i, j))
		}
	}
	return w
}

// visible is pairs in each row, (batch, 1, tokens, total).
func (e *expecter) visible(ask func(b, i, j int) bool) *wanted {
	w := &wanted{shape: []int{e.b, 1, e.n, e.total()}, keep: func(k int) bool {
		t := k / e.total()
		return e.real(t/e.n, t%e.n)
	}}
	for b := range e.b {
		w.b = append(w.b, e.pairs(func(i, j int) bool { return ask(b, i, j) }).b...)
	}
	return w
}

func (e *expecter) realKeys(shape ...int) *wanted {
	w := &wanted{shape: shape}
	for _, row := range e.in.Mask {
		for _, v := range row {
			w.b = append(w.b, v != 0)
		}
	}
	return w
}

// lastKeys are the indices of the rows' last keys.
func (e *expecter) lastKeys() *wanted {
	w := &wanted{shape: []int{e.b}}
	for _, row := range e.in.Mask {
		last := int64(-1)
		for _, v := range row {
			last += v
		}
		w.i = append(w.i, last)
	}
	return w
}

// gathered tells whose rows a Gather takes: a rotation's, and whether the sines.
func (e *expecter) gathered(name string) (r posenc.Rotary, sin, ok bool) {
	prefix, isCos := strings.CutSuffix(name, names.CosRows)
	if !isCos {
		var isSin bool
		if prefix, isSin = strings.CutSuffix(name, names.SinRows); !isSin {
			return r, false, false
		}
	}
	r, ok = e.s.rotaries()[prefix]
	return r, !isCos, ok
}

// rotaries are the rotations that the graph's tables hold, by the tables' names.
func (s *search) rotaries() map[string]posenc.Rotary {
	out := map[string]posenc.Rotary{}
	for _, t := range run.Tables(s.model) {
		if t.OfHeads() {
			out[t.Name] = t.Rotary
		}
	}
	return out
}

// turns are the cosines or sines of this call's positions, rounded once to
// float32 as a table has them, (batch, tokens, planes).
func (e *expecter) turns(r posenc.Rotary, sin bool) *wanted {
	w := &wanted{shape: []int{e.b, e.n, r.Planes()}}
	for _, row := range e.in.Positions {
		for _, pos := range row {
			for p := range r.Planes() {
				c, s := r.CosSin(p, pos)
				if sin {
					c = s
				}
				w.f = append(w.f, float64(float32(c)))
			}
		}
	}
	return w
}
