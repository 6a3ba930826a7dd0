package family

import (
	"encoding/json"
	"fmt"
	"strings"
)

// MambaRule says which layers are Mamba 2 layers: those that Layers names have one in
// the place of attention; with Beside every layer has one beside it. The sizes are
// those of the keys that begin with mamba_.
type MambaRule struct {
	Layers func(r *Reader, layers int) []bool
	Beside bool
	// Inner is the key of the size of all heads, where the family has one beside
	// mamba_expand; NormKey the key that says whether there is a norm, "" for always;
	// OutBias the key of the output's bias, "" for that of the input.
	Inner, NormKey, OutBias string
	// NormFirst is the key that puts the norm before the gate; "" is never.
	NormFirst string
}

// mambaKeys are read where a family has such layers. mamba_chunk_size is how stock
// loaders cut the same sum.
var mambaKeys = []string{"mamba_n_heads", "mamba_d_head", "mamba_n_groups", "mamba_d_state", "mamba_d_conv", "mamba_expand",
	"mamba_conv_bias", "mamba_proj_bias", "mamba_chunk_size", "time_step_limit"}

func (x *MambaRule) keys() []string {
	if x == nil {
		return nil
	}
	return append([]string{x.Inner, x.NormKey, x.OutBias, x.NormFirst}, mambaKeys...)
}

// mambas reads which layers have a Mamba 2 layer, and its sizes.
func (b *builder) mambas() {
	x := b.spec.Mamba
	if x == nil {
		return
	}
	r := b.r
	if b.mamba = make([]bool, b.layers); x.Layers != nil {
		b.mamba = x.Layers(r, b.layers)
	}
	m := Mamba{Heads: r.SizeOr(128, "mamba_n_heads"), Groups: r.SizeOr(1, "mamba_n_groups"), StateSize: r.SizeOr(256, "mamba_d_state")}
	m.Conv.Taps = r.SizeOr(4, "mamba_d_conv")
	inner := r.SizeOr(2, "mamba_expand") * int(b.hidden)
	if x.Inner != "" && r.C.Has(x.Inner) {
		inner = r.Size(x.Inner)
	}
	if r.Err != nil {
		return
	}
	m.HeadDim = inner / m.Heads
	if string(r.C.Raw("mamba_d_head")) != `"auto"` {
		m.HeadDim = r.SizeOr(m.HeadDim, "mamba_d_head")
	}
	switch {
	case r.Err != nil:
	case m.Heads*m.HeadDim != inner:
		r.Fail(fmt.Errorf("mamba_n_heads is %d and mamba_d_head %d: together expected %d", m.Heads, m.HeadDim, inner))
	case m.Heads%m.Groups != 0:
		r.Fail(fmt.Errorf("mamba_n_heads is %d: expected a multiple of mamba_n_groups, %d", m.Heads, m.Groups))
	case m.StateSize > 1<<16 || m.Conv.Taps > 1<<10 || inner > 1<<24:
		r.Fail(fmt.Errorf("mamba_d_state is %d, mamba_d_conv %d and the size of all heads %d: no model is that large", m.StateSize, m.Conv.Taps, inner))
	}
	if b.act != "silu" {
		r.Fail(Unsupported("activation %q of Mamba 2 layers", b.act))
	}
	b.stepLimit()
	b.mambaSizes = m
}

// stepLimit refuses bounds of Δ: stock loaders keep them over a prompt and pass over
// them where they decode a token.
func (b *builder) stepLimit() {
	raw := strings.Join(strings.Fields(string(b.r.C.Raw("time_step_limit"))), "")
	if raw == "" || raw == "null" {
		return
	}
	var pair []json.RawMessage
	if json.Unmarshal([]byte(raw), &pair) == nil && len(pair) == 2 && (string(pair[0]) == "0.0" || string(pair[0]) == "0") && strings.Contains(string(pair[1]), "Infinity") {
		return
	}
	b.r.Fail(Unsupported("time_step_limit is %s: stock loaders bound a prompt's steps by it, and those of tokens that follow not", b.r.C.Spelled("time_step_limit")))
}

// mambaLayer makes the layer's Mamba 2 layer.
func (b *builder) mambaLayer() *Mamba {
	x, m := b.spec.Mamba, b.mambaSizes
	inner, shared, heads := int64(m.Inner()), int64(m.Shared()), int64(m.Heads)
	bias := b.has(Rule{Key: "mamba_proj_bias"})
	out := bias
	if x.OutBias != "" {
		out = b.has(Rule{Key: x.OutBias})
	}
	m.In, m.Out = b.linear(b.n.MambaIn, bias, 2*(inner+shared)+heads, b.hidden), b.linear(b.n.MambaOut, out, b.hidden, inner)
	m.Conv = b.conv(b.n.MambaConv, b.has(Rule{Key: "mamba_conv_bias", Default: true}), inner+2*shared, m.Conv.Taps)
	raw := func(name string) Weight { return whole(b.name(b.n.Mamba)+"."+name, heads) }
	m.ALog, m.D, m.DtBias = raw("A_log"), raw("D"), raw("dt_bias")
	if x.NormKey == "" || b.has(Rule{Key: x.NormKey}) {
		m.Norm = &Norm{Kind: RMS, Size: int(inner) / m.Groups, Weight: whole(b.name(b.n.MambaNorm)+".weight", inner), Eps: b.eps}
		m.NormFirst = x.NormFirst != "" && b.has(Rule{Key: x.NormFirst, Default: true})
	}
	return &m
}
