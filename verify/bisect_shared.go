package verify

import (
	"fmt"
	"math"
	"strings"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify/run"
)

// ofShared are the counterparts of what layers share: tables, masks and lengths,
// which follow from the input alone.
func (e *expecter) ofShared(n *onnxpb.NodeProto) *counterpart {
	name := n.GetName()
	made := func(w *wanted) *counterpart {
		return &counterpart{nil, func(map[string][]float64) *wanted { return w }}
	}
	if r, sin, ok := e.gathered(name); ok {
		return &counterpart{nil, func(map[string][]float64) *wanted { return e.turns(r, sin) }}
	}
	switch name {
	case "/embed/Reshape":
		return made(&wanted{shape: []int{e.b * e.n}, i: run.Flatten(e.in.IDs).Data})
	case "/lengths/Shape":
		return made(&wanted{shape: []int{2}, i: []int64{int64(e.b), int64(e.n)}})
	case "/total/Shape":
		return made(&wanted{shape: []int{1}, i: []int64{int64(e.total())}})
	case "/guard/Min":
		return made(&wanted{shape: []int{1}, i: []int64{0}})
	case "/guard/position_is_past_max_length/ConstantOfShape":
		return made(&wanted{shape: []int{0}, i: []int64{}})
	case "/mask/total/Squeeze":
		return made(&wanted{shape: []int{}, i: []int64{int64(e.total())}})
	case "/mask/sequence/Shape":
		return made(&wanted{shape: []int{1}, i: []int64{int64(e.n)}})
	case "/mask/sequence/Squeeze":
		return made(&wanted{shape: []int{}, i: []int64{int64(e.n)}})
	case "/mask/past/Sub":
		return made(&wanted{shape: []int{}, i: []int64{int64(e.old)}})
	case "/mask/query/Range":
		return made(&wanted{shape: []int{e.n}, i: counted(0, e.n)})
	case "/mask/key/Range":
		return made(&wanted{shape: []int{e.total()}, i: counted(0, e.total())})
	case "/mask/query/Add":
		return made(&wanted{shape: []int{e.n}, i: counted(e.old, e.n)})
	case "/mask/query/Unsqueeze":
		return made(&wanted{shape: []int{e.n, 1}, i: counted(e.old, e.n)})
	case "/mask/causal/LessOrEqual":
		return made(e.pairs(func(i, j int) bool { return j <= i }))
	case "/mask/self/Equal":
		return made(e.pairs(func(i, j int) bool { return j == i }))
	case "/mask/real/Cast":
		return made(e.realKeys(e.b, e.total()))
	case "/mask/real/Unsqueeze":
		return made(e.realKeys(e.b, 1, 1, e.total()))
	case "/lengths/last_key/Cast":
		return made(e.lastKeys())
	case "/lengths/total/Cast":
		return made(&wanted{i: []int64{int64(e.total())}})
	}
	if rest, ok := strings.CutPrefix(name, "/shape/"); ok {
		if tail := e.shapeTail(strings.TrimSuffix(rest, "/Concat")); tail != nil {
			return made(&wanted{shape: []int{2 + len(tail)}, i: append([]int64{int64(e.b), int64(e.n)}, tail...)})
		}
	}
	window, step := 0, ""
	if rest, ok := strings.CutPrefix(name, "/mask.window"); ok {
		number, after, _ := strings.Cut(rest, "/")
		if _, err := fmt.Sscanf(number, "%d", &window); err != nil {
			return nil
		}
		step = after
	} else if step, ok = strings.CutPrefix(name, "/mask/"); !ok {
		return nil
	}
	within := func(i, j int) bool { return j <= i && (window == 0 || i-j < window) }
	switch step {
	case "first/Sub":
		return made(&wanted{shape: []int{e.n, 1}, i: counted(e.old-window, e.n)})
	case "inside/Greater":
		return made(e.pairs(func(i, j int) bool { return i-j < window }))
	case "inside/And":
		return made(e.pairs(within))
	case "real/And":
		return made(e.visible(func(b, i, j int) bool { return within(i, j) && e.in.Mask[b][j] != 0 }))
	case "self/Or":
		return made(e.visible(func(b, i, j int) bool { return within(i, j) && e.in.Mask[b][j] != 0 || i == j }))
	case "Where":
		seen := e.visible(func(b, i, j int) bool { return within(i, j) && e.in.Mask[b][j] != 0 || i == j })
		seen.f = make([]float64, len(seen.b))
		for k, v := range seen.b {
			if !v {
				seen.f[k] = -math.MaxFloat32
			}
		}
		seen.b = nil
		return made(seen)
	}
	return nil
}

// shapeTail is what follows batch and tokens in a shape of the given name.
func (e *expecter) shapeTail(name string) []int64 {
	var n, d int64
	if name == "logits" {
		return []int64{int64(e.s.model.Vocab)}
	}
	if k, _ := fmt.Sscanf(name, "heads%dx%d", &n, &d); k == 2 {
		return []int64{n, d}
	}
	if k, _ := fmt.Sscanf(name, "flat%d", &n); k == 1 {
		return []int64{n}
	}
	return nil
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
	prefix, isCos := strings.CutSuffix(name, "/cos/Gather")
	if !isCos {
		var isSin bool
		if prefix, isSin = strings.CutSuffix(name, "/sin/Gather"); !isSin {
			return r, false, false
		}
	}
	r, ok = e.s.rotaries()[prefix]
	return r, !isCos, ok
}

// rotaries are the rotations that the graph's tables hold, by the tables' names.
func (s *session) rotaries() map[string]posenc.Rotary {
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
