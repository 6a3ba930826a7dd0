package family

// Mamba is a Mamba 2 layer (arXiv 2405.21060): with (z, x, B, C, dt) the parts of
// In's output, each times its factor, x, B and C through Conv and silu, and per head
//
//	Δ_t = softplus(dt_t + b),  S_t = exp(−exp(A) Δ_t) S_{t−1} + Δ_t x_t B_tᵀ
//	y_t = S_t C_t + D x_t
//
// it is Out(Norm(y ⊙ silu(z))); NormFirst, Out(Norm(y) ⊙ silu(z)). Heads of HeadDim
// numbers share the vectors B and C, of StateSize numbers, of their group. Padding is
// no step. The state S is (batch, Heads, HeadDim, StateSize).
type Mamba struct {
	Heads, HeadDim, Groups, StateSize int
	In, Out                           Linear
	Conv                              Conv
	ALog, D, DtBias                   Weight // (Heads)
	// Norm normalises Heads·HeadDim/Groups numbers at a time and has a weight for
	// each of all of them; nil is none.
	Norm      *Norm
	NormFirst bool
	// Scales multiply z, x, B, C and dt as In makes them, Scale what Out makes; nil
	// and 0 are none.
	Scales []float64
	Scale  float64
}

// Inner is how many numbers all heads have.
func (m *Mamba) Inner() int { return m.Heads * m.HeadDim }

// Shared is how many numbers B or C of all groups have.
func (m *Mamba) Shared() int { return m.Groups * m.StateSize }

// Widths are the sizes of z, x, B, C and dt.
func (m *Mamba) Widths() []int {
	return []int{m.Inner(), m.Inner(), m.Shared(), m.Shared(), m.Heads}
}

// Parts lists the layer's parts.
func (m *Mamba) Parts() []Part {
	self := Part{Kind: KindMamba, Place: AtMamba, Of: m, Weights: []Role{{"A_log", &m.ALog}, {"D", &m.D}, {"dt_bias", &m.DtBias}}}
	if m.Scales != nil {
		self.Numbers = append(self.Numbers, Number{Name: "scale", List: m.Scales})
	}
	if m.Scale != 0 {
		self.Numbers = append(self.Numbers, Number{Name: "output scale", One: &m.Scale})
	}
	l := rawParts{self}
	l.linear(AtMambaIn, &m.In)
	l = append(l, m.Conv.part(AtMambaConv))
	l.norm(AtMambaNorm, m.Norm)
	l.linear(AtMambaOut, &m.Out)
	return l
}

// Copy implements Branch.
func (m *Mamba) Copy() Branch {
	c := *m
	c.Norm, c.Scales = m.Norm.copied(), append([]float64(nil), m.Scales...)
	return &c
}

// States implements Stateful.
func (m *Mamba) States() []State {
	return append(m.Conv.states(), State{RecurrentState, []int{m.Heads, m.HeadDim, m.StateSize}})
}
