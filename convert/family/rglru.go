package family

// Places of gated linear recurrences.
const (
	AtRGLRU     = "rglru"
	AtRGLRUGate = "rglru/gate_proj"
	AtRGLRUIn   = "rglru/in_proj"
	AtRGLRUConv = "rglru/taps"
	AtRGLRUOut  = "rglru/out_proj"
)

// RGLRU is a gated linear recurrence in the place of attention (RG-LRU, arXiv
// 2402.19427): with u = Conv(In x), number by number,
//
//	r = σ(R u + c)   i = σ(I u + d)   a = exp(−8 r softplus(Λ))
//	h_t = a h_{t−1} + √(1 − a²) i u
//
// it is Out(h ⊙ Act(Gate x)). R and I have a block for each of Heads heads, which
// mixes that head's numbers alone, (Heads, from, to). A row's first token has 1 in the
// place of √(1 − a²). Padding is no step. The state h is (batch, Width).
type RGLRU struct {
	Width, Heads                int
	Gate, In, Out               Linear
	Conv                        Conv
	Decay, DecayBias            Weight // R and c, (Heads, Width/Heads, Width/Heads) and (Heads, Width/Heads)
	InputGate, InputBias, Param Weight // I, d and Λ, which is (Width)
	// Act is as of an MLP.
	Act string
}

// RGLRURate is the 8 of the exponent.
const RGLRURate = 8

// Parts lists its parts.
func (l *RGLRU) Parts() []Part {
	self := Part{Kind: KindRGLRU, Place: AtRGLRU, Of: l, Weights: []Role{{"decay", &l.Decay}, {"decay bias", &l.DecayBias},
		{"input gate", &l.InputGate}, {"input bias", &l.InputBias}, {"parameter", &l.Param}}}
	list := rawParts{self}
	list.linear(AtRGLRUGate, &l.Gate)
	list.linear(AtRGLRUIn, &l.In)
	list = append(list, l.Conv.part(AtRGLRUConv))
	list.linear(AtRGLRUOut, &l.Out)
	return list
}

// Copy implements Branch.
func (l *RGLRU) Copy() Branch {
	c := *l
	return &c
}

// States implements Stateful.
func (l *RGLRU) States() []State {
	return append(l.Conv.states(), State{RecurrentState, []int{l.Width}})
}

// RGLRURule says which layers have such a recurrence: those that Layers names. The
// width is the key's, or the hidden size.
type RGLRURule struct {
	Layers      func(r *Reader, layers int) []bool
	Width, Taps string
}

func (x *RGLRURule) keys() []string {
	if x == nil {
		return nil
	}
	return []string{x.Width, x.Taps}
}

// rglru makes the layer's recurrence.
func (b *builder) rglru() *RGLRU {
	rule := b.spec.RGLRU
	width := b.r.SizeOr(int(b.hidden), rule.Width)
	taps := b.r.SizeOr(4, rule.Taps)
	if b.r.Err != nil {
		return &RGLRU{}
	}
	if width%b.heads != 0 || taps > 1<<10 {
		b.r.Fail(Unsupported("a recurrence of width %d and %d taps on %d heads", width, taps, b.heads))
		return &RGLRU{}
	}
	w, heads := int64(width), int64(b.heads)
	at := func(name string) string { return b.name(b.n.RGLRU) + name }
	return &RGLRU{Width: width, Heads: b.heads, Act: b.act,
		Gate: b.linear(b.n.RGLRUGate, true, w, b.hidden), In: b.linear(b.n.RGLRUIn, true, w, b.hidden), Out: b.linear(b.n.RGLRUOut, true, b.hidden, w),
		Conv:  b.conv(b.n.RGLRUConv, true, w, taps),
		Decay: whole(at(".recurrent_gate_weight"), heads, w/heads, w/heads), DecayBias: whole(at(".recurrent_gate_bias"), heads, w/heads),
		InputGate: whole(at(".input_gate_weight"), heads, w/heads, w/heads), InputBias: whole(at(".input_gate_bias"), heads, w/heads),
		Param: whole(at(".recurrent_param"), w)}
}
