package family

// OutputGate multiplies what attention's heads read, after HeadNorm and before O, by
// an activation of the layer's normalised input x (arXiv 2505.06708): y · act(W x + b)
// with a row of W for every number of y, (Heads·VDim, hidden), or one for every head,
// (Heads, hidden), which all numbers of the head share.
type OutputGate struct {
	Linear Linear
	// HeadBias, (Heads), is added for all numbers of a head; nil is none.
	HeadBias *Weight
	// Act is "sigmoid" or "softplus".
	Act string
}

// Width is how many numbers the gate has for each token.
func (g *OutputGate) Width() int { return int(g.Linear.Weight.Shape[0]) }

// GateRule says how a family declares the gate of attention's output.
type GateRule struct {
	// If says whether it is there.
	If Rule
	// Act is as in [OutputGate].
	Act string
	// PerHead: one row for every head. InQ: its rows stand in the queries' matrix,
	// behind each head's query; else Names.OutGate is a matrix of its own.
	PerHead, InQ bool
	// HeadBias: Names.OutGateBias is the bias of every head.
	HeadBias bool
}

// outGate makes the gate of a layer's attention, and takes from the queries' matrix
// the rows that are the gate's.
func (b *builder) outGate(a *Attention) {
	rule := b.spec.OutGate
	if rule == nil || !b.has(rule.If) {
		return
	}
	heads, d := int64(a.Heads), int64(a.VDim)
	g := &OutputGate{Act: rule.Act}
	switch {
	case rule.InQ:
		d = int64(a.QKDim)
		var q, own []Range
		for h := range heads {
			q, own = append(q, Range{2 * h * d, (2*h + 1) * d}), append(own, Range{(2*h + 1) * d, (2*h + 2) * d})
		}
		bias := a.Q.Bias != nil
		a.Q = b.part(b.n.Q, bias, b.hidden, 2*heads*d, q...)
		g.Linear = b.part(b.n.Q, bias, b.hidden, 2*heads*d, own...)
	case rule.PerHead:
		g.Linear = b.linear(b.n.OutGate, false, heads, b.hidden)
	default:
		g.Linear = b.linear(b.n.OutGate, false, heads*d, b.hidden)
	}
	if rule.HeadBias {
		w := whole(b.name(b.n.OutGateBias), heads)
		g.HeadBias = &w
	}
	a.OutGate = g
}

// Part is the gate at its place: a linear with a bias of heads, where there is one.
func (g *OutputGate) part() Part {
	p := g.Linear.Part(AtOutGate)
	if g.HeadBias != nil {
		p.Weights = append(p.Weights, Role{"head bias", g.HeadBias})
	}
	return p
}
