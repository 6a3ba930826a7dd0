package family

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// feedForward is the layer's MLP, or its mixture of experts.
func (b *builder) feedForward() Branch {
	if x := b.spec.Experts; x != nil && !b.dense[b.layer] && !b.spec.Halves && !x.Beside {
		return b.experts(x)
	}
	return b.mlp()
}

// experts makes the layer's mixture.
func (b *builder) experts(x *ExpertsRule) *Experts {
	r := b.r
	count, k, inner := r.Size(x.Count...), b.topK(x), int64(r.Size(x.Inner...))
	router := Router{Score: x.Score, TopK: k, Normalise: b.has(x.Normalise), Scale: 1}
	if router.Normalise {
		router.Eps = x.Eps
	}
	if x.Scale != "" && r.Present([]string{x.Scale}) != "" {
		router.Scale = r.Float(x.Scale)
	}
	identity := 0
	if x.Identity != "" && string(r.C.Raw(x.Identity)) != "null" { // null is none
		identity = r.SizeOrZero(x.Identity, x.IdentityDefault)
	}
	if r.Err == nil && (k > count+identity || identity > 1<<12 || count > 1<<12) {
		r.Fail(fmt.Errorf("%s is %d and %s is %d: no model chooses so", r.Present(x.TopK), k, r.Present(x.Count), count))
	}
	if x.Groups != "" {
		b.groups(x, &router, count)
	}
	if r.Err != nil {
		return &Experts{}
	}
	router.Linear = b.linear(b.n.Router, x.RouterBias, int64(count+identity), b.hidden)
	if b.n.Correction != "" {
		w := whole(b.name(b.n.Correction), int64(count+identity))
		router.Correction = &w
	}
	if b.n.RouterNorm != "" {
		router.Norm = &Norm{Kind: RMS, Size: int(b.hidden), Weight: whole(b.name(b.n.RouterNorm), b.hidden), Eps: b.eps}
		router.InScale = 1 / math.Sqrt(float64(b.hidden))
	}
	if b.n.ExpertScales != "" {
		w := whole(b.name(b.n.ExpertScales), int64(count))
		router.Each = &w
	}
	e := &Experts{Router: router, Identity: identity, OnInput: x.OnInput, Each: make([]MLP, count)}
	for i := range e.Each {
		e.Each[i] = b.expert(i, int64(count), inner)
	}
	shared := int64(0)
	if x.SharedInner != "" {
		if n, ok, err := r.C.Int(x.SharedInner); !ok || err != nil || n != 0 { // 0 is none
			shared = int64(r.Size(x.SharedInner))
		}
	} else if x.Shared != "" {
		n, _, err := r.C.Int(x.Shared)
		r.Fail(err)
		shared = int64(n) * inner
	}
	if shared > 0 {
		e.Shared = b.shared(shared)
		if b.n.SharedGate != "" {
			l := b.linear(b.n.SharedGate, false, 1, b.hidden)
			e.SharedGate = &l
		}
	}
	return e
}

// topK is how many experts the layer chooses.
func (b *builder) topK(x *ExpertsRule) int {
	key := b.r.Present(x.TopK)
	list, err := b.r.C.Floats(key)
	if !x.ByLayer || key == "" || err != nil {
		return b.r.Size(x.TopK...)
	}
	if len(list) != b.layers {
		b.r.Fail(fmt.Errorf("key %q lists %d layers: expected %d", key, len(list), b.layers))
		return 0
	}
	k := int(list[b.layer])
	if float64(k) != list[b.layer] || k < 1 {
		b.r.Fail(fmt.Errorf("%s[%d] is %v: expected a positive integer", key, b.layer, list[b.layer]))
	}
	return k
}

// groups reads the groups that experts are chosen from. One group is none.
func (b *builder) groups(x *ExpertsRule, router *Router, count int) {
	r := b.r
	if r.Present([]string{x.Groups}) == "" {
		return
	}
	router.Groups, router.KeptGroups, router.GroupBest = r.Size(x.Groups), r.Size(x.KeptGroups), cmp.Or(x.GroupBest, 2)
	switch n := router.Groups; {
	case r.Err != nil:
	case count%n != 0 || router.KeptGroups > n || n > 1 && count/n < router.GroupBest:
		r.Fail(fmt.Errorf("%s is %d and %s %d: %d experts cannot be chosen from groups so", x.Groups, n, x.KeptGroups, router.KeptGroups, count))
	case router.TopK > router.KeptGroups*(count/n):
		r.Fail(fmt.Errorf("%d groups of %d experts hold fewer than the %d to choose", router.KeptGroups, count/n, router.TopK))
	case n == router.KeptGroups:
		router.Groups, router.KeptGroups, router.GroupBest = 0, 0, 0 // nothing is left out
	}
}

// expert is expert i: tensors of its own, or its rows of those of all experts.
func (b *builder) expert(i int, count, inner int64) MLP {
	n := int64(i)
	name := func(template string) string { return strings.ReplaceAll(template, "{e}", strconv.Itoa(i)) }
	m := MLP{Act: b.act, Gated: true}
	if b.n.ExpertGateUp != "" {
		stack := stack{b, b.spec.Experts, count, n}
		m.Gate = stack.part(b.n.ExpertGateUp, b.n.ExpertGateUpBias, 2, 0, inner, b.hidden)
		m.Up = stack.part(b.n.ExpertGateUp, b.n.ExpertGateUpBias, 2, 1, inner, b.hidden)
		m.Down = stack.part(b.n.ExpertDown, b.n.ExpertDownBias, 1, 0, b.hidden, inner)
		return m
	}
	if b.spec.Experts.Each {
		rows := func(template string, shape ...int64) Linear {
			return Linear{Weight: Weight{Tensor: b.name(template), Shape: shape, Stored: []int64{count * inner, b.hidden}, Rows: []Range{{n * inner, (n + 1) * inner}}}}
		}
		m.Gate, m.Up, m.Down = rows(b.n.ExpertGate, inner, b.hidden), rows(b.n.ExpertUp, inner, b.hidden), rows(b.n.ExpertDown, b.hidden, inner)
		m.Down.Weight.Columns = &Columns{Step: 1, Count: b.hidden, Across: true}
		return m
	}
	m.Gate, m.Up = b.linear(name(b.n.ExpertGate), false, inner, b.hidden), b.linear(name(b.n.ExpertUp), false, inner, b.hidden)
	m.Down = b.linear(name(b.n.ExpertDown), false, b.hidden, inner)
	return m
}

// stack is expert n of those that lie in one tensor.
type stack struct {
	*builder
	rule     *ExpertsRule
	count, n int64
}

// part is the linear (out, in) that is number at of so many beside each other: they
// follow each other, or their rows take turns.
func (s stack) part(template, bias string, many, at, out, in int64) Linear {
	begin, step := at*out, int64(1)
	if s.rule.Turns {
		begin, step = at, many
	}
	name := s.name(template)
	if !s.rule.Bare {
		name += ".weight"
	}
	w := Weight{Tensor: name, Shape: []int64{out, in}}
	switch total := many * out; {
	case s.rule.Across:
		w.Stored, w.Rows = []int64{s.count, in, total}, []Range{{s.n * in, (s.n + 1) * in}}
		w.Columns = &Columns{Begin: begin, Step: step, Count: out, Across: true}
	default:
		w.Stored = []int64{s.count, total, in}
		for i := int64(0); step > 1 && i < out; i++ {
			row := s.n*total + begin + i*step
			w.Rows = append(w.Rows, Range{row, row + 1})
		}
		if step == 1 {
			w.Rows = []Range{{s.n*total + begin, s.n*total + begin + out}}
		}
	}
	l := Linear{Weight: w}
	if bias != "" {
		l.Bias = &Weight{Tensor: s.name(bias), Shape: []int64{out}, Stored: []int64{s.count, many * out}, Rows: []Range{{s.n, s.n + 1}},
			Columns: &Columns{Begin: begin, Step: step, Count: out}}
	}
	return l
}

// shared is the expert that every token reads.
func (b *builder) shared(inner int64) *MLP {
	m := &MLP{Act: b.act, Gated: true, Down: b.linear(b.n.SharedDown, false, b.hidden, inner)}
	if b.n.SharedGateUp != "" {
		m.Gate, m.Up = b.part(b.n.SharedGateUp, false, b.hidden, 2*inner, Range{0, inner}), b.part(b.n.SharedGateUp, false, b.hidden, 2*inner, Range{inner, 2 * inner})
		return m
	}
	m.Gate, m.Up = b.linear(b.n.SharedGateProj, false, inner, b.hidden), b.linear(b.n.SharedUp, false, inner, b.hidden)
	return m
}
