package family

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/store"
)

// DeltaRule says which layers have a gated delta net: those that Layers names.
// Sizes are read from the keys linear_num_value_heads, linear_num_key_heads,
// linear_key_head_dim, linear_value_head_dim and linear_conv_kernel_dim; Heads,
// KHeads and so on are the values where one is absent, or Sizes makes them. The
// rate is doubled where the boolean key Doubled, true where it is absent, says so.
// Eps is ε of the norm of heads, 0 that of all norms.
type DeltaRule struct {
	Layers                          func(r *Reader, layers int) []bool
	Heads, KHeads, KDim, VDim, Taps int
	// Default, where set, makes the sizes that are not given of the others.
	Default func(d *DeltaSizes, hidden, heads int)
	Doubled string
	Eps     float64
	// KeyDecay, Bound and SigmoidGate are as in [DeltaNet].
	KeyDecay, SigmoidGate bool
	Bound                 float64
}

// DeltaSizes are the sizes of a gated delta net; 0 is not given.
type DeltaSizes struct{ Heads, KHeads, KDim, VDim int }

type deltaSizes struct {
	DeltaSizes
	taps    int
	doubled bool
}

// deltaKeys are the keys of its sizes.
var deltaKeys = []string{"linear_num_value_heads", "linear_num_key_heads", "linear_key_head_dim", "linear_value_head_dim", "linear_conv_kernel_dim"}

// keys lists what the rule reads.
func (d DeltaRule) keys() []string {
	if d.Layers == nil {
		return nil
	}
	return append([]string{d.Doubled}, deltaKeys...)
}

// deltaNets reads which layers have a gated delta net, and its sizes.
func (b *builder) deltaNets() {
	rule, r := b.spec.Delta, b.r
	if rule.Layers == nil || r.Err != nil {
		return
	}
	b.deltas = rule.Layers(r, b.layers)
	size := func(key string, otherwise int) int {
		if otherwise == 0 && r.Present([]string{key}) == "" {
			return 0
		}
		return r.SizeOr(otherwise, key)
	}
	d := &b.delta
	d.Heads, d.KHeads = size(deltaKeys[0], rule.Heads), size(deltaKeys[1], rule.KHeads)
	d.KDim, d.VDim, d.taps = size(deltaKeys[2], rule.KDim), size(deltaKeys[3], rule.VDim), size(deltaKeys[4], rule.Taps)
	if rule.Default != nil {
		rule.Default(&d.DeltaSizes, int(b.hidden), b.heads)
	}
	d.doubled = rule.Doubled != "" && r.BoolOr(true, rule.Doubled)
	switch {
	case r.Err != nil:
	case d.Heads%d.KHeads != 0:
		r.Fail(fmt.Errorf("%s is %d and %s %d: that many value heads cannot share the key heads evenly", deltaKeys[0], d.Heads, deltaKeys[1], d.KHeads))
	case d.Heads > 1<<12 || d.KDim > 1<<12 || d.VDim > 1<<12:
		r.Fail(fmt.Errorf("a gated delta net of %d heads of sizes %d and %d: no model is that large", d.Heads, d.KDim, d.VDim))
	case b.act != "silu":
		r.Fail(Unsupported("the activation is %q, and gated delta nets are read with silu alone", b.act))
	}
}

func (b *builder) deltaNet() *DeltaNet {
	s, n := b.delta, b.n
	h, k, v := int64(s.Heads), int64(s.KHeads*s.KDim), int64(s.Heads*s.VDim)
	rule := b.spec.Delta
	d := &DeltaNet{KeyDecay: rule.KeyDecay, SigmoidGate: rule.SigmoidGate, Bound: rule.Bound, Heads: s.Heads, KHeads: s.KHeads, KDim: s.KDim, VDim: s.VDim, BetaScale: 1,
		ALog: whole(b.name(n.DeltaNumbers)+".A_log", h), Out: b.linear(n.DeltaOut, false, b.hidden, v)}
	d.DT = whole(b.name(n.DeltaNumbers)+".dt_bias", int64(d.Decays()))
	if s.doubled {
		d.BetaScale = 2
	}
	d.Norm = *b.norm(RMS, n.DeltaNorm, int64(s.VDim))
	d.Norm.Offset = 0
	if eps := rule.Eps; eps != 0 {
		d.Norm.Eps = eps
	}
	switch {
	case n.DeltaQKVZ != "":
		b.deltaByHead(d)
	case n.DeltaAll != "":
		at := int64(0)
		next := func(rows int64) Linear {
			at += rows
			return b.part(n.DeltaAll, false, b.hidden, 2*k+2*v+2*h, Range{at - rows, at})
		}
		d.QKV, d.Z, d.B, d.A = next(2*k+v), next(v), next(h), next(h)
	case n.DeltaIn != "":
		d.QKV = b.linear(n.DeltaIn, false, 2*k+v, b.hidden)
	default:
		d.Q, d.K, d.V = b.linear(n.DeltaQ, false, k, b.hidden), b.linear(n.DeltaK, false, k, b.hidden), b.linear(n.DeltaV, false, v, b.hidden)
	}
	if n.DeltaZ != "" {
		d.Z, d.B, d.A = b.linear(n.DeltaZ, false, v, b.hidden), b.linear(n.DeltaB, false, h, b.hidden), b.linear(n.DeltaA, false, int64(d.Decays()), b.hidden)
	}
	d.Convs = []Conv{b.conv(n.DeltaConv, false, 2*k+v, s.taps)}
	if n.DeltaConvK != "" {
		d.Convs = []Conv{b.conv(n.DeltaConv, false, k, s.taps), b.conv(n.DeltaConvK, false, k, s.taps), b.conv(n.DeltaConvV, false, v, s.taps)}
	}
	return d
}

// deltaByHead takes the projections out of the two fused matrices, which hold for
// each key head its query, key, values and gates, and its rates and decays.
func (b *builder) deltaByHead(d *DeltaNet) {
	group, kd := int64(d.Heads/d.KHeads), int64(d.KDim)
	vd := group * int64(d.VDim)
	rows := func(one, begin, count int64) (list []Range) {
		for g := range int64(d.KHeads) {
			list = append(list, Range{g*one + begin, g*one + begin + count})
		}
		return list
	}
	one := 2*kd + 2*vd
	of := func(begin, count int64) []Range { return rows(one, begin, count) }
	part := func(template string, one int64, rows ...Range) Linear {
		return b.part(template, false, b.hidden, int64(d.KHeads)*one, rows...)
	}
	qkv := append(append(of(0, kd), of(kd, kd)...), of(2*kd, vd)...)
	d.QKV, d.Z = part(b.n.DeltaQKVZ, one, qkv...), part(b.n.DeltaQKVZ, one, of(2*kd+vd, vd)...)
	d.B, d.A = part(b.n.DeltaBA, 2*group, rows(2*group, 0, group)...), part(b.n.DeltaBA, 2*group, rows(2*group, group, group)...)
}

// deltaPieces cuts the channels of convolutions as they are stored: stock loaders join
// the tensors whatever their sizes are, and save them in pieces of nearly one size.
func (m *Model) deltaPieces(s store.Store) {
	for i := range m.Blocks {
		d, ok := m.Blocks[i].Mixer.(*DeltaNet)
		if !ok || len(d.Convs) < 2 {
			continue
		}
		var sizes []int64
		var all int64
		for _, c := range d.Convs {
			info, ok := s.Lookup(c.Weight.Tensor)
			if !ok || len(info.Shape) != 3 {
				break // claiming tells
			}
			sizes, all = append(sizes, info.Shape[0]), all+info.Shape[0]
		}
		if len(sizes) != len(d.Convs) || all != int64(d.Channels()) {
			continue
		}
		for k, n := range sizes {
			w := &d.Convs[k].Weight
			*w = whole(w.Tensor, n, w.Shape[1], w.Shape[2])
		}
	}
}
